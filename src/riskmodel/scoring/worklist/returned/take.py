"""Taking a filled list into a county: what is new is added, what is there stays, what clashes is shown."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import KEY_VARIABLE, pseudonym
from riskmodel.errors import InputRefused
from riskmodel.scoring.worklist.returned.append import append
from riskmodel.scoring.worklist.returned.filled import Filled, Problem, Visit, read_filled
from riskmodel.scoring.worklist.returned.table import Held, held

_KEYED = re.compile(r"[0-9a-f]{32}")  # what `riskmodel.data.personal.pseudonym` makes


@dataclass(frozen=True)
class Conflict:
    """A visit that says something else than the county's table says of the same household and day."""

    cell: str
    household_id: str
    date: dt.date
    written: tuple[str | None, str | None]
    there: tuple[tuple[str | None, str | None], ...]

    def __str__(self) -> str:
        have = "; ".join(_said(pair) for pair in self.there)
        return (
            f"{self.cell}: household {self.household_id} on {self.date} is {_said(self.written)} here but "
            f"{have} in the data; nothing was changed: mend one of them"
        )


def _said(pair: tuple[str | None, str | None]) -> str:
    return " / ".join(part for part in pair if part)


@dataclass(frozen=True)
class Taken:
    """What became of a filled list.

    Parameters
    ----------
    path : Path
        The table of visits.
    added : tuple of Visit
    already : int
        Visits that were there with the same finding and cause.
    conflicts : tuple of Conflict
    problems : tuple of Problem
    empty : int
        Households not visited yet.
    """

    path: Path
    added: tuple[Visit, ...]
    already: int
    conflicts: tuple[Conflict, ...]
    problems: tuple[Problem, ...]
    empty: int

    @property
    def summary(self) -> dict[str, Any]:
        """Counts for a machine, and every fault in words."""
        outcomes = Counter(v.outcome for v in self.added)
        return {
            "visits": str(self.path),
            "added": len(self.added),
            "already_there": self.already,
            "not_filled": self.empty,
            "outcomes": {k: outcomes[k] for k in sorted(outcomes)},
            "conflicts": [str(c) for c in self.conflicts],
            "problems": [str(p) for p in self.problems],
        }

    @property
    def faults(self) -> pd.DataFrame:
        """Problems and conflicts as a table: ``cell, household_id, column, value, reason``."""
        rows = [(p.cell, p.household_id, p.column, p.value, p.reason) for p in self.problems]
        rows += [(c.cell, c.household_id, "outcome", _said(c.written), str(c)) for c in self.conflicts]
        return pd.DataFrame(rows, columns=["cell", "household_id", "column", "value", "reason"])


def take(
    path: str | Path, data: str | Path, recorded_on: dt.date, *, dry: bool = False, key: bytes | None = None
) -> Taken:
    """Add the visits of a filled list to a county's table, each once.

    A visit is known by its household and day. The same finding and cause again is the same visit and is
    not added twice; another finding is a conflict, shown and left alone. The note and the visitor's name
    stay in the office's workbook: they may name people.

    Parameters
    ----------
    path : str or Path
        The filled list (see `read_filled`).
    data : str or Path
        The county, a folder, a workbook or a DuckDB file; its table of visits keeps its format and is
        replaced whole or not at all.
    recorded_on : date
        The day on which the office came to know these visits.
    dry : bool
        Check only.
    key : bytes, optional
        `riskmodel.data.personal.secret_key`, where the list was made with ``--pseudonymise``: its keyed
        ids are turned back into the office's own, which is what the table of visits holds.

    Returns
    -------
    Taken

    Raises
    ------
    InputRefused
        If list or county cannot be read, the list's ids are keyed and the key is not given (or is another),
        or the list has entries and not one of them can be used.
    """
    filled = read_filled(path)
    known = held(data)
    filled = _own_ids(Path(path), filled, known, key)
    problems = [*filled.problems]
    new: list[Visit] = []
    conflicts: list[Conflict] = []
    already = 0
    for visit in filled.visits:
        problem = _problem(visit, known, recorded_on)
        there = known.visits.get((visit.household_id, visit.date), set())
        said = (visit.outcome, visit.cause)
        if problem is not None:
            problems.append(problem)
        elif said in there:
            already += 1
        elif there:
            told = tuple(sorted(there, key=str))
            conflicts.append(Conflict(visit.cell, visit.household_id, visit.date, said, told))
        else:
            new.append(visit)
    if problems and not (new or already or conflicts):
        raise InputRefused(_nothing_usable(Path(path), filled, problems))
    if not dry:
        append(known.target, sorted(new, key=lambda v: (v.date, v.household_id)), recorded_on)
    return Taken(known.target.path, tuple(new), already, tuple(conflicts), tuple(problems), filled.empty)


def _own_ids(path: Path, filled: Filled, known: Held, key: bytes | None) -> Filled:
    """Return the list with the office's own ids where they are keyed."""
    own: Mapping[str, str] = {} if key is None else {pseudonym(h, key): h for h in known.households}
    strange = [v for v in filled.visits if v.household_id not in known.households]
    keyed = [v for v in strange if _KEYED.fullmatch(v.household_id)]
    if keyed and not any(v.household_id in own for v in keyed):
        told = (
            f"the secret key in {KEY_VARIABLE} is not the one that the list was made with"
            if key is not None
            else f"give --pseudonymise, and in {KEY_VARIABLE} the secret key that the list was made with"
        )
        raise InputRefused(f"{path.name}: {len(keyed)} household ids are keyed ({keyed[0].cell}): {told}")
    return replace(
        filled,
        visits=tuple(replace(v, household_id=own.get(v.household_id, v.household_id)) for v in filled.visits),
    )


def _problem(visit: Visit, known: Held, recorded_on: dt.date) -> Problem | None:
    if visit.household_id not in known.households:
        hint = ""
        if visit.household_id.isdigit():
            padded = [h for h in known.households if h.lstrip("0") == visit.household_id]
            hint = f"; did a spreadsheet drop the zeros of {padded[0]}?" if len(padded) == 1 else ""
        reason = f"household {visit.household_id!r} is not in the county's table of households{hint}"
        return Problem(visit.cell, visit.household_id, "household_id", visit.household_id, reason)
    if visit.date > recorded_on:
        reason = f"the visit of {visit.date} is after the day it was recorded ({recorded_on}); check the date"
        return Problem(visit.cell, visit.household_id, "visited_on", str(visit.date), reason)
    return None


def _nothing_usable(path: Path, filled: Filled, problems: list[Problem]) -> str:
    shown = "; ".join(str(p) for p in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return f"{path.name}: none of {len(problems)} entries can be used: {shown}{more}"
