"""Which column of a filled list is which: the list's own headers in both languages, and the contract's.

Reading a list that came back filled in: XLSX or CSV (UTF-8 or GB18030), every fault named by its cell.

A list that is filled in is never written over: it is put aside under another name.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from riskmodel.data import cell_text, contract, find_encoding, normal, open_workbook, parse_date
from riskmodel.errors import InputRefused
from riskmodel.io.files import FORMULA_SIGNS
from riskmodel.scoring.worklist_columns import book

NEEDED = ("household_id", "outcome", "visited_on")
READ = (*NEEDED, "decision", "cause", "selected_by", "chance")
# The list says "visited on" where the contract's table of visits says "date".
_CONTRACT = {"visited_on": "date"}
_CODED = {"outcome": "outcomes", "decision": "decisions", "cause": "causes"}


def header_aliases() -> dict[str, str]:
    """Return ``{normalised header: column of the list}``.

    Examples
    --------
    >>> [header_aliases()[header] for header in ("核查结果", "finding", "date")]
    ['outcome', 'outcome', 'visited_on']
    """
    own = {c.id: c for c in book().columns}
    columns = contract().tables["visits"].columns
    out: dict[str, str] = {}
    for name in READ:
        spec = columns[_CONTRACT.get(name, name)]
        words = (name, _CONTRACT.get(name, name), spec.zh, own[name].zh, own[name].en)
        out |= {normal(word): name for word in words}
    return out


def find_columns(cells: Sequence[object]) -> dict[str, int] | None:
    """Return where the columns of a filled list stand in a row, or None if the row is no header of one.

    Parameters
    ----------
    cells : sequence
        One row as it stands.

    Returns
    -------
    dict or None
        Column to position from 0; the first of two equal headers counts.
    """
    known = header_aliases()
    found: dict[str, int] = {}
    for position, cell in enumerate(cells):
        column = known.get(normal(cell)) if isinstance(cell, str) else None
        if column is not None:
            found.setdefault(column, position)
    return found if all(name in found for name in NEEDED) else None


def accepted_words(column: str) -> Mapping[str, str]:
    """Return ``{what may be written: code}`` of a coded column: both languages, and the code itself.

    Examples
    --------
    >>> [accepted_words("outcome")[word] for word in ("属实", "not confirmed")]
    ['confirmed', 'not_confirmed']
    """
    from riskmodel.scoring.worklist_columns import code_words

    key = _CODED.get(column, column)
    out: dict[str, str] = {}
    for lang in ("zh", "en"):
        out |= {word.lower(): code for code, word in code_words("zh" if lang == "zh" else "en")[key].items()}
    return out | {code: code for code in list(out.values())}


def allowed_words(column: str) -> str:
    """Return the words that may be chosen, for a message."""
    from riskmodel.scoring.worklist_columns import code_words

    both = (code_words("zh")[_CODED.get(column, column)], code_words("en")[_CODED.get(column, column)])
    return ", ".join(f"{both[0][code]} ({both[1][code]})" for code in both[0])


TITLE_LINES = 10  # an office puts a title or two above the header
ENTRIES = ("outcome", "visited_on", "decision", "cause")
CODED = ("outcome", "decision", "cause", "selected_by")


@dataclass(frozen=True)
class Problem:
    """One cell (or row) that cannot be used, and how to mend it."""

    cell: str
    household_id: str
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.cell}: {self.reason}"


@dataclass(frozen=True)
class Visit:
    """One visit as written down; ``cell`` is where its finding stands."""

    cell: str
    household_id: str
    date: dt.date
    outcome: str
    cause: str | None = None
    selected_by: str | None = None
    decision: str | None = None
    chance: float | None = None

    @property
    def said(self) -> tuple[object, ...]:
        """What the visit says; two that say the same are one."""
        return (self.household_id, self.date, self.outcome, self.cause, self.decision)


@dataclass(frozen=True)
class FilledList:
    """A filled list.

    Parameters
    ----------
    visits : tuple of Visit
        In the order of the file, each said once.
    problems : tuple of Problem
    empty : int
        Households of the list without any entry: not visited yet.
    as_of : date or None
        Of the list, where the workbook says.
    """

    visits: tuple[Visit, ...]
    problems: tuple[Problem, ...]
    empty: int
    as_of: dt.date | None


def read_filled_list(path: str | Path) -> FilledList:
    """Read a filled list.

    A row counts when its finding or date is filled in; the same household may stand on the list and on
    its township's sheet, and is then read where it was filled. What a village wrote is never guessed at:
    a word that is not on the drop-down list is a problem of that cell.

    Parameters
    ----------
    path : str or Path
        ``.xlsx`` as `riskmodel worklist` wrote it, or one of its sheets saved as ``.csv``.

    Returns
    -------
    Filled

    Raises
    ------
    InputRefused
        If the file cannot be read, or no sheet has the list's headers.
    """
    source = Path(path)
    if source.suffix.lower() not in (".xlsx", ".csv"):
        raise InputRefused(f"{source.name}: give the filled list as .xlsx, or one of its sheets as .csv")
    if not source.is_file():
        raise InputRefused(f"{source}: no such file; give the filled list as .xlsx or .csv")
    as_of = None
    if source.suffix.lower() == ".csv":
        sheets = [("", _csv_rows(source))]
    else:
        workbook = open_workbook(source)
        as_of = read_list_date(workbook)
        sheets = [(s.title, list(s.iter_rows(values_only=True))) for s in workbook.worksheets]
    visits: list[Visit] = []
    problems: list[Problem] = []
    untouched: set[str] = set()
    read = [_sheet(name, rows, as_of) for name, rows in sheets]
    if not any(found is not None for found in read):
        heads = "户编号 (Household), 核查结果 (Finding), 核查日期 (Visited on)"
        raise InputRefused(f"{source.name}: no sheet with the headers {heads}; give the list as it was made")
    for found in read:
        if found is not None:
            visits += found[0]
            problems += found[1]
            untouched |= found[2]
    kept, clashes = _once(visits)
    spoken = {v.household_id for v in visits} | {p.household_id for p in problems}
    return FilledList(tuple(kept), (*problems, *clashes), len(untouched - spoken), as_of)


def read_list_date(workbook: Any) -> dt.date | None:
    """Return the as-of date that a list carries in its document properties; None if it was lost."""
    for prop in workbook.custom_doc_props:
        if prop.name == "riskmodel_as_of":
            return parse_date(str(prop.value))[0]
    return None


def _csv_rows(path: Path) -> list[tuple[Any, ...]]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    encoding, clean = find_encoding(data, path.name)
    if not clean:
        raise InputRefused(f"{path.name}: holds bytes that are not {encoding}; save it as CSV UTF-8")
    text = data.decode(encoding)
    delimiter = max(",\t;", key=text[:4096].count)
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]


def _sheet(
    name: str, rows: list[tuple[Any, ...]], as_of: dt.date | None
) -> tuple[list[Visit], list[Problem], set[str]] | None:
    """Return a sheet's visits, problems, and households without an entry; None if it is no list."""
    heads = ((top, find_columns(cells)) for top, cells in enumerate(rows[:TITLE_LINES]))
    top, at = next(((top, at) for top, at in heads if at is not None), (0, None))
    if at is None:
        return None
    visits: list[Visit] = []
    problems: list[Problem] = []
    untouched: set[str] = set()
    for number, cells in enumerate(rows[top + 1 :], start=top + 2):
        given = {c: cell_text(cells[i]) if i < len(cells) else None for c, i in at.items()}
        if given["household_id"] is None:
            if any(given[c] for c in ENTRIES if c in given):
                problems.append(_no_household(name, number, at))
            continue
        household = unescaped_id(given["household_id"])
        if not any(given.get(c) for c in ENTRIES):
            untouched.add(household)
            continue
        raw = {c: cells[i] if i < len(cells) else None for c, i in at.items()}
        made = _Row(name, number, at, household, raw).read(as_of)
        if isinstance(made, Visit):
            visits.append(made)
        else:
            problems += made
    return visits, problems, untouched


def unescaped_id(text: str) -> str:
    """Return an id without the apostrophe that keeps a spreadsheet from taking it for a formula.

    Examples
    --------
    >>> [unescaped_id(text) for text in ("'=1+1", "h'1")]
    ['=1+1', "h'1"]
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_SIGNS) else text


def _no_household(sheet: str, number: int, at: dict[str, int]) -> Problem:
    cell = cell_name(sheet, number, at["household_id"])
    return Problem(cell, "", "household_id", "", "the row is filled in but names no household (户编号)")


def cell_name(sheet: str, number: int, position: int) -> str:
    """Return how a spreadsheet calls a cell.

    Examples
    --------
    >>> cell_name("核查名单", 12, 15), cell_name("", 3, 26)
    ('核查名单!P12', 'AA3')
    """
    letters, left = "", position + 1
    while left:
        left, digit = divmod(left - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{sheet}!{letters}{number}" if sheet else f"{letters}{number}"


@dataclass(frozen=True)
class _Row:
    """One filled row and where it stands."""

    sheet: str
    number: int
    at: dict[str, int]
    household: str
    raw: dict[str, Any]

    def read(self, as_of: dt.date | None) -> Visit | list[Problem]:
        problems = list(self._faults(as_of))
        if problems:
            return problems
        codes = {c: accepted_words(c)[text.lower()] for c in CODED if (text := self._text(c)) is not None}
        chance = self._text("chance")
        return Visit(
            cell=self._cell("outcome"),
            household_id=self.household,
            date=parse_date(self.raw["visited_on"])[0],
            outcome=codes["outcome"],
            cause=codes.get("cause"),
            selected_by=codes.get("selected_by"),
            decision=codes.get("decision"),
            chance=None if chance is None else float(chance),
        )

    def _faults(self, as_of: dt.date | None) -> Iterator[Problem]:
        for column in CODED:
            text = self._text(column)
            if text is not None and text.lower() not in accepted_words(column):
                yield self._problem(column, f"{text!r} is not on the list; choose {allowed_words(column)}")
        if self._text("outcome") is None:
            yield self._problem(
                "outcome", f"no finding although the row is filled; {allowed_words('outcome')}"
            )
        day, reason = parse_date(self.raw["visited_on"])
        if reason is not None:
            text = self._text("visited_on")
            yield self._problem("visited_on", f"{text!r} is no date ({reason}); write it as 2021-06-30")
        elif day is None:
            yield self._problem("visited_on", "no date of the visit; write it as 2021-06-30")
        elif as_of is not None and day < as_of:
            yield self._problem("visited_on", f"{day} is before the list was made ({as_of}); check the year")
        yield from self._chance_faults()
        if accepted_words("outcome").get(self._text("outcome") or "") == "not_confirmed" and (
            accepted_words("decision").get(self._text("decision") or "") == "enter"
        ):
            yield self._problem("decision", "不属实 (not confirmed) and 拟纳入 (to enter) cannot both be")

    def _chance_faults(self) -> Iterator[Problem]:
        text = self._text("chance")
        if text is None:
            return
        try:
            inside = 0 <= float(text) <= 1
        except ValueError:
            inside = False
        if not inside:
            yield self._problem("chance", f"{text!r} is no chance between 0 and 1; leave it as it was made")

    def _text(self, column: str) -> str | None:
        return cell_text(self.raw.get(column))

    def _cell(self, column: str) -> str:
        return cell_name(self.sheet, self.number, self.at[column])

    def _problem(self, column: str, reason: str) -> Problem:
        return Problem(self._cell(column), self.household, column, self._text(column) or "", reason)


def _once(visits: list[Visit]) -> tuple[list[Visit], list[Problem]]:
    """Return each visit once; two of one household and day that differ are a problem of both."""
    by_day: dict[tuple[str, dt.date], list[Visit]] = {}
    for visit in visits:
        by_day.setdefault((visit.household_id, visit.date), []).append(visit)
    kept, problems = [], []
    for same in by_day.values():
        if len({v.said for v in same}) == 1:
            kept.append(same[0])
            continue
        cells = ", ".join(v.cell for v in same)
        told = f"filled in twice and differently for {same[0].date} ({cells}); keep one of them"
        problems.append(Problem(same[0].cell, same[0].household_id, "outcome", same[0].outcome, told))
    return kept, problems


def back_up_filled_list(path: str | Path) -> Path | None:
    """Rename a workbook that somebody has written findings into, so that a new list can take its place.

    Parameters
    ----------
    path : str or Path
        Where a list is about to be written.

    Returns
    -------
    Path or None
        Its new name, ``…-filled-1.xlsx`` or the next free one; None where there is nothing to keep: no
        file, no list, or a list without an entry.
    """
    source = Path(path)
    if not source.is_file():
        return None
    try:
        found = read_filled_list(source)
    except InputRefused:
        # Not a list, or no longer one that anything can be read from: nothing was written down in it.
        return None
    if not (found.visits or found.problems):
        return None
    names = (source.with_name(f"{source.stem}-filled-{n}{source.suffix}") for n in count(1))
    kept = next(name for name in names if not name.exists())
    return source.rename(kept)
