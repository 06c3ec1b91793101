"""A department's list of persons matched to households on this computer by keyed hashes, the rest dropped.

A bare hash of an identity number is guessed in minutes, for few numbers are possible; a keyed one is not
without the key. Numbers are keyed as they are read and written nowhere; of persons in no household only
their count is kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskmodel.cases.declaration import declared
from riskmodel.cases.judge import StepEntry
from riskmodel.cases.log import LIST, CaseLog
from riskmodel.cases.step_sheet import sheets_of
from riskmodel.data import TITLE_LINES, cell_text, normal_header, pseudonym
from riskmodel.errors import InputRefused, UsageError
from riskmodel.i18n import section

_NUMBER = re.compile(r"[1-9]\d{16}[\dX]")


@dataclass(frozen=True)
class ListMatch:
    """What of a department's list concerns the county.

    Parameters
    ----------
    households
        Numbers of the households matched, each once, in order.
    rows, matched, unmatched, unreadable
        Rows of the list; those of a person of the county, of nobody here, and without a readable number.
    """

    households: tuple[str, ...]
    rows: int
    matched: int
    unmatched: int
    unreadable: int

    def entries(self, department: str, pushed_on: dt.date, purpose: str) -> list[StepEntry]:
        """Return a clue for each household."""
        given = {"channel": "department_screening"}
        return [
            StepEntry(h, "clue", pushed_on, "department", unit=department, ground=purpose, given=given)
            for h in self.households
        ]


def match_list(path: str | Path, people: str | Path, key: bytes, *, purpose: str, basis: str) -> ListMatch:
    """Match a department's list to the office's own file of persons.

    Parameters
    ----------
    path
        The list, ``.xlsx`` or ``.csv``, with a column of identity numbers.
    people
        The office's file: identity number and household number of every person.
    key
        `riskmodel.data.secret_key`.
    purpose, basis
        What the list is for, and the legal basis of its use; both go into the case log.

    Returns
    -------
    ListMatch
        Households and counts; no number of a person.

    Raises
    ------
    UsageError
        If purpose or basis is not said.
    InputRefused
        If the list is of a kind that must not be used (drug use, cult, petition, criminal record), or a
        file has no such column.
    """
    for name, said in (("--purpose", purpose), ("--basis", basis)):
        if not said.strip():
            raise UsageError(f"{name}: say it in words; it is kept with the list")
    listed, about = _numbers(Path(path), key)
    refused = next((w for w in declared().refused_lists if w in f"{Path(path).stem} {purpose} {about}"), None)
    if refused is not None:
        raise InputRefused(
            f"a list of this kind ({refused}) must not be used; a visit may be asked for without a reason"
        )
    home_of = dict(_persons(Path(people), key))
    keyed = [number for number in listed if number is not None]
    found = [home_of[number] for number in keyed if number in home_of]
    return ListMatch(
        tuple(dict.fromkeys(found)),
        len(listed),
        len(found),
        len(keyed) - len(found),
        len(listed) - len(keyed),
    )


def log_list(log: CaseLog, match: ListMatch, recorded_on: dt.date, **said: Any) -> int:
    """Write into the case log that a list was used: by whom, what for, on what basis, and counts alone."""
    counts = {name: getattr(match, name) for name in ("rows", "matched", "unmatched", "unreadable")}
    with log.writing() as con:
        who = {name: said.pop(name, None) for name in ("role", "unit", "user")}
        return log.append(con, entry=LIST, recorded_on=recorded_on, content={**said, **counts}, **who)


def _numbers(path: Path, key: bytes) -> tuple[list[str | None], str]:
    """Return the keyed numbers of a list's rows (None: cannot be read), and its titles and headers."""
    for title, rows, top, at in _tables(path, ("identity",)):
        cells = [c for row in rows[: top + 1] for c in row if isinstance(c, str)]
        numbers = [_keyed(row, at["identity"], key) for row in rows[top + 1 :] if any(map(cell_text, row))]
        return numbers, " ".join([title, *cells])
    raise InputRefused(f"{path.name}: no column of identity numbers")


def _persons(path: Path, key: bytes) -> Iterator[tuple[str, str]]:
    for _, rows, top, at in _tables(path, ("identity", "household_id")):
        for row in rows[top + 1 :]:
            number, home = _keyed(row, at["identity"], key), cell_text(_at(row, at["household_id"]))
            if number is not None and home is not None:
                yield number, home
        return
    raise InputRefused(f"{path.name}: no columns of identity numbers and household numbers")


def _tables(
    path: Path, needed: Sequence[str]
) -> Iterator[tuple[str, list[Sequence[Any]], int, dict[str, int]]]:
    words = section("cases.people")
    known = {normal_header(w): name for name, entry in words.items() for w in (name, *entry.values())}
    known = {header: name if name == "household_id" else "identity" for header, name in known.items()}
    for title, rows in sheets_of(path):
        for top, cells in enumerate(rows[:TITLE_LINES]):
            at = {known[h]: i for i, c in enumerate(cells) if (h := normal_header(str(c or ""))) in known}
            if all(name in at for name in needed):
                yield title, rows, top, at
                break


def _at(row: Sequence[Any], position: int) -> Any:
    return row[position] if position < len(row) else None


def _keyed(row: Sequence[Any], position: int, key: bytes) -> str | None:
    text = (cell_text(_at(row, position)) or "").replace(" ", "").upper()
    return pseudonym(text, key) if _NUMBER.fullmatch(text) else None
