"""Contradictions between a returned list and the county's visits, settled by a person.

Nothing is overwritten: a finding that is chosen becomes a new row of the same number, and the row it corrects
stays readable. Who chose, when and why is written down for either choice.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from riskmodel.errors import InputRefused, UsageError
from riskmodel.i18n import both
from riskmodel.io import folder_lock, safe_text
from riskmodel.scoring.recorded_visits import RecordedVisit, read_recorded_visits
from riskmodel.scoring.visit_faults import Conflict, finding_text
from riskmodel.scoring.visit_import import NewRow, append_visits, next_day

Choice = Literal["written", "recorded"]  # what the list says, or what the county holds
SETTLED_FILE = "contradictions.csv"
SETTLED_COLUMNS = (
    "settled_on", "by", "ground", "household_id", "date", "cell", "written", "recorded", "chosen",
)  # fmt: skip


@dataclass(frozen=True)
class Settled:
    """One contradiction with what a person chose.

    Parameters
    ----------
    conflict
        From `riskmodel.scoring.import_visits`.
    choice
        ``written`` or ``recorded``.
    by
        Who chose: a person of the office.
    ground
        Why.
    """

    conflict: Conflict
    choice: Choice
    by: str
    ground: str = ""


def settle_conflicts(settled: Sequence[Settled], data: str | Path, recorded_on: dt.date, log: Path) -> int:
    """Write what was chosen: a correction where the list's finding holds, and a line in the log for each.

    Parameters
    ----------
    settled
        Choices of a person.
    data
        The county.
    recorded_on
        The day on which it was settled; a correction counts from then, or from the day after the row it
        corrects was recorded.
    log
        The file that says who chose what; it is added to, never rewritten.

    Returns
    -------
    int
        How many corrections were written.

    Raises
    ------
    UsageError
        If nobody is named.
    InputRefused
        If the row to be corrected has no number, so that a correction would count beside it.
    """
    if any(not one.by.strip() for one in settled):
        raise UsageError("say who settles the contradiction")
    if not settled:
        return 0
    with folder_lock(data):
        recorded = read_recorded_visits(data, recorded_on)
        rows = []
        for one in settled:
            if one.choice == "written":
                before = _row_to_correct(one.conflict, recorded.rows_of(one.conflict.household_id))
                day = next_day(before, recorded_on)
                rows.append(NewRow(one.conflict.visit, str(before.row_id), day, before))
        append_visits(recorded.table, rows)
        _note(settled, recorded_on, log)
    return len(rows)


def _row_to_correct(conflict: Conflict, rows: Sequence[RecordedVisit]) -> RecordedVisit:
    """Return the one row that stands against the list's finding; it needs a number."""
    standing = [r for r in rows if r.holds and (r.outcome, r.cause) in conflict.recorded]
    same_day = [r for r in standing if r.date == conflict.date]
    found = same_day or standing
    if len(found) != 1 or found[0].row_id is None:
        said = both("worklist.faults.no number", household=conflict.household_id, day=conflict.date)
        raise InputRefused(f"{conflict.cell}: {said['en']}")
    return found[0]


def _note(settled: Sequence[Settled], day: dt.date, log: Path) -> None:
    """Add a line for each choice; only the office may read who chose."""
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = log.is_file()
    with log.open("a", encoding="utf-8" if begun else "utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        if not begun:
            writer.writerow(SETTLED_COLUMNS)
        for one in settled:
            found = one.conflict
            recorded = "; ".join(map(finding_text, found.recorded))
            said = (one.by, one.ground, found.household_id, str(found.date), found.cell,
                    finding_text(found.written), recorded, one.choice)  # fmt: skip
            writer.writerow([day.isoformat(), *map(safe_text, said)])
    log.chmod(0o600)
