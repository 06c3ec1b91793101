"""Importing filled lists into a county's visits: new ones are added in the table's own format, each once.

A finding that was corrected on its list is added as a new row of the same number: both stay readable, the
later one holds. What contradicts a row of other hands is shown; the table is replaced whole or not at all.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import KEY_VARIABLE, TableFile, append_rows, pseudonym
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.i18n import counted
from riskmodel.io import folder_lock
from riskmodel.scoring.filled_list import FilledList, Visit
from riskmodel.scoring.joins import dropped_zeros
from riskmodel.scoring.list_log import ListLog, find_list_log, known_lists
from riskmodel.scoring.list_progress import PROGRESS_COLUMNS, township_progress
from riskmodel.scoring.recorded_visits import RecordedVisit, RecordedVisits, read_recorded_visits
from riskmodel.scoring.returned_lists import (
    ReturnedLists,
    keep_returned,
    read_returned_lists,
    returned_files,
)
from riskmodel.scoring.visit_faults import Conflict, Finding, Problem, fault, finding_text

COLUMNS = ("household_id", "date", "outcome", "cause", "other_causes", "selected_by", "decision", "chance")
_KEYED = re.compile(r"[0-9a-f]{32}")  # what `riskmodel.data.pseudonym` makes


@dataclass(frozen=True)
class NewRow:
    """A visit to be added; ``before`` is what it corrects."""

    visit: Visit
    row_id: str
    recorded_on: dt.date
    before: RecordedVisit | None = None


@dataclass(frozen=True)
class VisitImport:
    """What became of filled lists.

    Parameters
    ----------
    path
        The table of visits.
    added
        Visits that are new.
    already
        Number of visits that were there with the same finding and cause.
    conflicts
        Visits of which the table says something else; it is left as it is.
    problems
        Entries that cannot be used.
    empty
        Number of households not visited yet.
    corrected
        Visits that take the place of an earlier finding, which stays readable.
    notices
        What is told although the entry was taken: edited cells, households that are on no list.
    progress
        How far each list has come, by township (`riskmodel.scoring.list_progress`).
    """

    path: Path
    added: tuple[Visit, ...]
    already: int
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    empty: int
    corrected: tuple[Visit, ...] = ()
    notices: tuple[Problem, ...] = ()
    progress: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(PROGRESS_COLUMNS)))

    @property
    def summary(self) -> dict[str, Any]:
        """Counts for a machine, and every fault in words."""
        outcomes = Counter(v.outcome for v in self.added)
        out: dict[str, Any] = {
            "visits": str(self.path),
            "added": len(self.added),
            "corrected": len(self.corrected),
            "already_there": self.already,
            "from_the_list": sum(v.selected_by is not None for v in (*self.added, *self.corrected)),
            "not_filled": self.empty,
            "outcomes": {k: outcomes[k] for k in sorted(outcomes)},
            "conflicts": [str(c) for c in self.conflicts],
            "problems": [str(p) for p in self.problems],
            "notices": [str(n) for n in self.notices],
        }
        if len(self.progress):
            out["progress"] = self.progress.to_dict("records")
            out["not_returned"] = self.not_returned
        return out

    @property
    def not_returned(self) -> list[str]:
        """Townships whose workbook has not come back, of lists of which another's has."""
        back = self.progress.groupby("list")["returned"].transform("any").astype(bool)
        return list(self.progress.loc[back & ~self.progress["returned"].astype(bool), "township"])

    @property
    def faults(self) -> pd.DataFrame:
        """What is told of cells as a table: ``cell, household_id, column, value, reason, taken``."""
        rows = [(p.cell, p.household_id, p.column, p.value, p.reason, False) for p in self.problems]
        rows += [
            (c.cell, c.household_id, "outcome", finding_text(c.written), str(c), False)
            for c in self.conflicts
        ]
        rows += [(n.cell, n.household_id, n.column, n.value, n.reason, True) for n in self.notices]
        return pd.DataFrame(rows, columns=["cell", "household_id", "column", "value", "reason", "taken"])


def import_visits(
    path: str | Path | Sequence[str | Path],
    data: str | Path,
    recorded_on: dt.date,
    *,
    dry: bool = False,
    key: bytes | None = None,
    lists: Sequence[str | Path] = (),
    say: Callable[[str], None] | None = None,
) -> VisitImport:
    """Add the visits of filled lists to a county's table, each once.

    Source and chance come from the log of the list that a workbook was made from, never from the file: what
    was edited there is told by cell. The same finding again is the same visit and is not added twice;
    another finding for the same row of the same list corrects it: a new row of its number, the old one stays
    readable. What contradicts a row that other hands wrote is a conflict, shown and left alone. Notes and
    visitors' names never enter the data: they stay in the workbook, a copy of which is kept beside the log.

    Parameters
    ----------
    path
        A filled list (see `riskmodel.scoring.read_filled_list`), several, or a folder of them.
    data
        The county, a folder, a workbook or a DuckDB file; its table of visits keeps its format and is
        replaced whole or not at all.
    recorded_on
        The day on which the office came to know these visits: no earlier as-of sees them. What corrects a
        row of the same day counts from the next.
    dry
        Check only.
    key
        `riskmodel.data.secret_key`, where the list was made with ``--pseudonymise``: its keyed ids are
        turned back into the office's own, which is what the table of visits holds.
    lists
        Folders of lists and of months, for the logs; a workbook's own folders are looked into first.
    say
        Is told when another import is waited for.

    Returns
    -------
    VisitImport
        What was added, corrected, was there, conflicts, problems and progress.

    Raises
    ------
    InputRefused
        If list or county cannot be read, the log of the list is not there, the list's ids are keyed and the
        key is not given (or is another), the list has entries and not one of them can be used, or the table
        was changed meanwhile.
    UsageError
        If another import still works in the county.
    """
    paths = returned_files(path)
    if dry:
        return _import(paths, data, recorded_on, True, key, lists)
    if not Path(data).exists():
        raise InputMissing(f"{data}: no such folder or file")
    with folder_lock(data, say):
        return _import(paths, data, recorded_on, False, key, lists)


def _import(
    paths: Sequence[Path],
    data: str | Path,
    recorded_on: dt.date,
    dry: bool,
    key: bytes | None,
    folders: Sequence[str | Path],
) -> VisitImport:
    recorded = read_recorded_visits(data, recorded_on)
    name = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    returned = read_returned_lists(paths, folders)
    returned = replace(returned, visits=_with_own_ids(name, returned.visits, recorded, key))
    problems, notices = list(returned.problems), list(returned.notices)
    usable: list[Visit] = []
    for visit in returned.visits:
        if (problem := _problem(visit, recorded, recorded_on)) is not None:
            problems.append(problem)
            continue
        usable.append(visit)
        if visit.list_id is not None and visit.selected_by is None and key is None:
            notices += _off_list(visit, returned)
    rows, already, conflicts = compare_with_recorded(usable, recorded, recorded_on)
    if problems and not (rows or already or conflicts):
        shown = "; ".join(str(p) for p in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        entries = counted(len(problems), "entry", "entries")
        raise InputRefused(f"{name}: none of {entries} can be used: {shown}{more}")
    if not dry:
        append_visits(recorded.table, sorted(rows, key=lambda r: (r.visit.date, r.visit.household_id)))
        keep_returned(returned, recorded_on, {row.visit: row.row_id for row in rows})
    return VisitImport(
        recorded.table.path,
        tuple(row.visit for row in rows if row.before is None),
        already,
        tuple(conflicts),
        tuple(problems),
        returned.empty,
        tuple(row.visit for row in rows if row.before is not None),
        tuple(notices),
        _progress(returned.logs.values(), returned.lists, recorded, rows, recorded_on, key),
    )


def visit_progress(
    data: str | Path, folders: Sequence[str | Path], day: dt.date, key: bytes | None = None
) -> pd.DataFrame:
    """Return how far every list has come.

    Parameters
    ----------
    data
        The county.
    folders
        Of lists and of months.
    day
        The day that is spoken of.
    key
        Where the lists were made with ``--pseudonymise``.

    Returns
    -------
    DataFrame
        `riskmodel.scoring.list_progress.PROGRESS_COLUMNS`, by list and township.

    Raises
    ------
    InputMissing
        If there is no list.
    """
    recorded = read_recorded_visits(data, day)
    logs = [find_list_log(path.stem, [path.parent]) for path in known_lists(folders)]
    if not logs:
        raise InputMissing(f"no list in {', '.join(map(str, folders))}; say with --lists where its month is")
    return _progress(logs, (), recorded, (), day, key)


def _off_list(visit: Visit, returned: ReturnedLists) -> list[Problem]:
    """Tell that a household is on no list: the visit is the office's own, without source and chance."""
    if visit.household_id in returned.logs[str(visit.list_id)].by_household:
        return []
    reason = fault("not on this list", household=visit.household_id)
    return [Problem(visit.cell, visit.household_id, "household_id", visit.household_id, reason)]


def _progress(
    logs: Iterable[ListLog],
    lists: Sequence[tuple[Path, FilledList]],
    recorded: RecordedVisits,
    rows: Iterable[NewRow],
    day: dt.date,
    key: bytes | None,
) -> pd.DataFrame:
    """Return how far the lists have come with what was taken in now."""
    held = {home: [v for v in visits if v.holds] for home, visits in recorded.rows.items()}
    for row in rows:
        visit, own = row.visit, held.setdefault(row.visit.household_id, [])
        own[:] = [v for v in own if v is not row.before]
        own.append(RecordedVisit(visit.date, visit.outcome, visit.cause, row_id=row.row_id))
    if key is not None:
        held |= {pseudonym(home, key): visits for home, visits in held.items()}
    parts = []
    for log in logs:
        back = {f.township for _, f in lists if f.list_id == log.id and f.township}
        parts.append(township_progress(log, held, day, back))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(PROGRESS_COLUMNS))


def compare_with_recorded(
    visits: Sequence[Visit], recorded: RecordedVisits, recorded_on: dt.date
) -> tuple[list[NewRow], int, list[Conflict]]:
    """Return what is to be added, how many visits are there already, and what contradicts other rows.

    One row of a list is one entry: what it says now takes the place of what it said, unless it said that
    nobody was met and now tells of another day: that is a visit more.
    """
    entries: dict[str, list[Visit]] = {}
    for visit in sorted(visits, key=lambda v: v.date):
        entries.setdefault(_entry_id(visit), []).append(visit)
    rows: list[NewRow] = []
    already, conflicts = 0, []
    for entry, group in entries.items():
        known = recorded.rows_of(group[0].household_id)
        mine = [r for r in known if (r.row_id or "").partition("-")[0] == entry]
        waiting = [r for r in mine if r.holds and not any(r.agrees(v) for v in group)]
        for visit in group:
            if any(r.holds and r.agrees(visit) for r in known):
                already += 1
            elif stale := [r for r in mine if not r.holds and r.agrees(visit)]:
                later = [r for r in mine if r.holds and r.row_id == stale[0].row_id]
                conflicts.append(_conflict(visit, later, corrected=True))
            elif before := _corrected(visit, waiting):
                waiting.remove(before)
                rows.append(NewRow(visit, str(before.row_id), next_day(before, recorded_on), before))
            elif others := [r for r in known if r.holds and r.date == visit.date]:
                conflicts.append(_conflict(visit, others))
            else:
                taken = {r.row_id for r in mine} | {r.row_id for r in rows if r.row_id.startswith(entry)}
                rows.append(NewRow(visit, f"{entry}-{len(taken) + 1}", recorded_on))
    return rows, already, conflicts


def _corrected(visit: Visit, waiting: Sequence[RecordedVisit]) -> RecordedVisit | None:
    """Return the row of the same entry that a visit corrects: of its day, or the one somebody was met at."""
    same_day = [r for r in waiting if r.date == visit.date]
    met = [r for r in waiting if r.outcome != "absent"]
    return next(iter([*same_day, *met]), None)


def next_day(before: RecordedVisit, recorded_on: dt.date) -> dt.date:
    """Return from when a correction counts: of two rows of one number and day neither would hold."""
    if before.recorded_on is None or before.recorded_on < recorded_on:
        return recorded_on
    return before.recorded_on + dt.timedelta(days=1)


def _conflict(visit: Visit, rows: Sequence[RecordedVisit], *, corrected: bool = False) -> Conflict:
    sides = sorted({(r.outcome, r.cause) for r in rows}, key=str)
    written: Finding = (visit.outcome, visit.cause)
    about = "superseded" if corrected else "conflict"
    return Conflict(visit.cell, visit.household_id, visit.date, written, tuple(sides), about, visit)


def _entry_id(visit: Visit) -> str:
    """Return the number of a row of a list; of a list without a number, of the household's day."""
    of = visit.list_id or visit.date.isoformat()
    return "v" + hashlib.sha256(f"{of}|{visit.household_id}".encode()).hexdigest()[:19]


def _with_own_ids(
    name: str, visits: Sequence[Visit], recorded: RecordedVisits, key: bytes | None
) -> tuple[Visit, ...]:
    """Return the visits with the office's own ids where they are keyed."""
    own: Mapping[str, str] = {} if key is None else {pseudonym(h, key): h for h in recorded.households}
    unknown = [v for v in visits if v.household_id not in recorded.households]
    keyed = [v for v in unknown if _KEYED.fullmatch(v.household_id)]
    if keyed and not any(v.household_id in own for v in keyed):
        mend = (
            f"the secret key in {KEY_VARIABLE} is not the one that the list was made with"
            if key is not None
            else f"give --pseudonymise, and in {KEY_VARIABLE} the secret key that the list was made with"
        )
        ids = counted(len(keyed), "household id is", "household ids are")
        raise InputRefused(f"{name}: {ids} keyed ({keyed[0].cell}): {mend}")
    return tuple(replace(v, household_id=own.get(v.household_id, v.household_id)) for v in visits)


def _problem(visit: Visit, recorded: RecordedVisits, recorded_on: dt.date) -> Problem | None:
    if visit.household_id not in recorded.households:
        home = visit.household_id
        padded = dropped_zeros([home], recorded.households).get(home, "")
        reason = fault("zeros dropped" if padded else "unknown household", household=home, padded=padded)
        return Problem(visit.cell, home, "household_id", home, reason)
    if visit.date > recorded_on:
        reason = fault("too late", day=visit.date, recorded_on=recorded_on)
        return Problem(visit.cell, visit.household_id, "visited_on", str(visit.date), reason)
    return None


def append_visits(table: TableFile, rows: Sequence[NewRow]) -> None:
    """Add visits to the table, keeping its format, headers, words and rows; the file is replaced whole.

    The day of recording is written beside each, so that no earlier as-of sees them. Refused if the file is
    no longer the one that was read: what another import wrote is never lost.
    """
    append_rows(
        table,
        [
            {c: getattr(row.visit, c) for c in COLUMNS}
            | {"row_id": row.row_id, "recorded_on": row.recorded_on}
            for row in rows
        ],
    )
