"""A filled list as it came back: every visit that can be read, and every cell that cannot, by its name.

What a village wrote is never guessed at. Hidden sheets are not read, merged rows not taken apart.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from riskmodel.data import TITLE_LINES, cell_text, contract, normal_header, parse_date
from riskmodel.errors import InputRefused
from riskmodel.i18n import LANGUAGES, both, every_noun
from riskmodel.scoring.list_log import LIST_ID, LIST_PROPERTIES
from riskmodel.scoring.office_files import (
    NAME_COLUMNS,
    OfficeSheet,
    cell_name,
    find_headers,
    read_office_file,
    unescaped_id,
)
from riskmodel.scoring.visit_faults import Problem, fault
from riskmodel.scoring.worklist import ENTRY_KINDS, code_words, declared_columns

NEEDED_COLUMNS = ("household_id", "outcome", "visited_on")
CLAIMED_COLUMNS = ("selected_by", "chance")  # the log has them: what a file says is only compared
READ_COLUMNS = (*NEEDED_COLUMNS, "decision", "cause", "note", *CLAIMED_COLUMNS)
ENTRY_COLUMNS = ("outcome", "visited_on", "decision", "cause")
CODED_COLUMNS = ("outcome", "decision", "selected_by")
# The list says "visited on" where the contract's table of visits says "date".
_CONTRACT = {"visited_on": "date"}
_CODED = {"outcome": "outcomes", "decision": "decisions", "cause": "causes"}
_PARTED = re.compile(r"[;；、\n]")  # several causes in one cell


@cache
def header_aliases() -> dict[str, str]:
    """Return ``{normalised header: column}``: the list's own in both languages, and the contract's.

    Examples
    --------
    >>> [header_aliases()[header] for header in ("核查结果", "finding", "date")]
    ['outcome', 'outcome', 'visited_on']
    """
    own = {c.id: c for c in declared_columns()}
    columns = contract().tables["visits"].columns
    out: dict[str, str] = {}
    for name in READ_COLUMNS:
        words = {name, _CONTRACT.get(name, name), own[name].zh, own[name].en}
        if (spec := columns.get(_CONTRACT.get(name, name))) is not None:
            words.add(spec.zh)
        out |= {normal_header(word): name for word in words}
    return out | {k: v for k, v in _spoken_headers(READ_COLUMNS).items() if k not in out}


@cache
def locked_headers() -> dict[str, str]:
    """Return ``{normalised header: column}`` of the columns that an office does not fill in."""
    names = [c.id for c in declared_columns() if c.kind not in ENTRY_KINDS and c.id not in NAME_COLUMNS]
    in_village = {normal_header(word): "facts" for word in both("township_books.facts").values()}
    return _spoken_headers(names) | in_village


def _spoken_headers(names: Iterable[str]) -> dict[str, str]:
    """Return headers as the list writes them: a panel's list is written in the panel's own nouns."""
    own = {c.id: c for c in declared_columns()}
    out: dict[str, str] = {}
    for name in names:
        for word in (own[name].zh, own[name].en):
            out.setdefault(normal_header(word), name)
            for nouns in every_noun():
                out.setdefault(normal_header(nouns.spoken(word)), name)
    return out


@cache
def accepted_words(column: str) -> dict[str, str]:
    """Return ``{what may be written: code}`` of a coded column: both languages, and the code itself.

    Examples
    --------
    >>> [accepted_words("outcome")[word] for word in ("属实", "not confirmed")]
    ['confirmed', 'not_confirmed']
    """
    words = [code_words(language)[_CODED.get(column, column)] for language in LANGUAGES]
    out = {word.lower(): code for known in words for code, word in known.items()}
    return out | {code: code for code in words[0]}


def allowed_words(column: str) -> str:
    """Return the words that may be chosen, for a message."""
    zh, en = (code_words(language)[_CODED.get(column, column)] for language in ("zh", "en"))
    return ", ".join(f"{zh[code]} ({en[code]})" for code in zh)


def parted_causes(text: str | None) -> list[str]:
    """Return the causes of a cell, the main one first, each once.

    Examples
    --------
    >>> parted_causes("因病；因学;因病")
    ['因病', '因学']
    """
    parts = [part.strip() for part in _PARTED.split(text or "")]
    return list(dict.fromkeys(part for part in parts if part))


@dataclass(frozen=True)
class Visit:
    """One visit as written down; ``cell`` is where its finding stands.

    ``selected_by`` and ``chance`` are what the file claims, or what the log of its list says
    (`riskmodel.scoring.returned_lists`); ``other_causes`` are parted by semicolons; ``note`` stays out of
    the data.
    """

    cell: str
    household_id: str
    date: dt.date
    outcome: str
    cause: str | None = None
    selected_by: str | None = None
    decision: str | None = None
    chance: float | None = None
    other_causes: str | None = None
    note: str | None = None
    list_id: str | None = None
    file: str = ""

    @property
    def finding(self) -> tuple[str | None, ...]:
        """What was found: outcome, cause, other causes, decision."""
        return (self.outcome, self.cause, self.other_causes, self.decision)

    @property
    def content(self) -> tuple[object, ...]:
        """Two visits of the same content are one."""
        return (self.household_id, self.date, *self.finding)


@dataclass(frozen=True)
class ListRow:
    """What a row of a list says in its locked cells: the cell's name and value by column."""

    household_id: str
    has_entry: bool
    cells: Mapping[str, tuple[str, Any]]


@dataclass(frozen=True)
class FilledList:
    """A filled list.

    Parameters
    ----------
    visits
        In the order of the file, each once.
    problems
        Cells that cannot be used.
    empty
        Number of households of the list without any entry: not visited yet.
    as_of
        Of the list, where the workbook says.
    notices
        Cells that are told although their entries are taken.
    rows
        The locked cells.
    list_id, township, lang
        What the workbook says of itself; None where it says nothing.
    file
        Its name.
    """

    visits: tuple[Visit, ...]
    problems: tuple[Problem, ...]
    empty: int
    as_of: dt.date | None
    notices: tuple[Problem, ...] = ()
    rows: tuple[ListRow, ...] = ()
    list_id: str | None = None
    township: str | None = None
    lang: str | None = None
    file: str = ""


def read_filled_list(path: str | Path, *, prefix: bool = False) -> FilledList:
    """Read a filled list.

    A row counts when its finding or date is filled in; the same household may stand on the list and on
    its township's sheet, and is then read where it was filled. What a village wrote is never guessed at:
    a word that is not on the drop-down list is a problem of that cell.

    Parameters
    ----------
    path
        ``.xlsx`` as ``riskmodel worklist`` wrote it, or one of its sheets saved as ``.csv`` (UTF-8 or
        GB18030).
    prefix
        Whether cells are named with their file, ``[file]sheet!cell``, as a spreadsheet does.

    Returns
    -------
    FilledList
        Visits, and every cell that cannot be used.

    Raises
    ------
    InputRefused
        If the file cannot be read, or no sheet has the list's headers.
    """
    source = Path(path)
    sheets, properties = read_office_file(source, "the filled list, or one of its sheets,")
    said = {name: properties.get(key) for name, key in LIST_PROPERTIES.items()}
    as_of = parse_date(said["as_of"])[0] if said["as_of"] else None
    list_id = said["list"] if said["list"] and LIST_ID.fullmatch(said["list"]) else None
    found = [
        sheet
        for raw in sheets
        if (sheet := _FilledSheet.find(raw, f"[{source.name}]" if prefix else "", as_of)) is not None
    ]
    if not found:
        heads = ", ".join(f"{c.zh} ({c.en})" for c in declared_columns() if c.id in NEEDED_COLUMNS)
        raise InputRefused(f"{source.name}: no sheet with the headers {heads}; give the list as it was made")
    for sheet in found:
        sheet.read()
    visits = [visit for sheet in found for visit in sheet.visits]
    problems = [problem for sheet in found for problem in sheet.problems]
    distinct, contradictions = without_repeats(visits)
    filled = {v.household_id for v in visits} | {p.household_id for p in problems}
    empty = set[str]().union(*(sheet.empty for sheet in found)) - filled
    return FilledList(
        visits=tuple(distinct), problems=(*problems, *contradictions), empty=len(empty), as_of=as_of,
        notices=tuple(n for sheet in found for n in sheet.notices),
        rows=tuple(r for sheet in found for r in sheet.rows),
        list_id=list_id, township=said["township"], lang=said["lang"], file=source.name,
    )  # fmt: skip


class _FilledSheet:
    """One sheet with the list's headers, and what is read from it."""

    def __init__(self, sheet: OfficeSheet, prefix: str, top: int, at: dict[str, int], as_of: dt.date | None):
        self.sheet, self.title, self.top, self.at, self.as_of = sheet, prefix + sheet.title, top, at, as_of
        self.locked = find_headers(sheet.rows[top], locked_headers())
        self.visits: list[Visit] = []
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []
        self.rows: list[ListRow] = []
        self.empty: set[str] = set()

    @classmethod
    def find(cls, sheet: OfficeSheet, prefix: str, as_of: dt.date | None) -> _FilledSheet | None:
        """Return the sheet if one of its first rows has the list's headers."""
        for top, cells in enumerate(sheet.rows[:TITLE_LINES]):
            at = find_headers(cells, header_aliases())
            if all(name in at for name in NEEDED_COLUMNS):
                return cls(sheet, prefix, top, at, as_of)
        return None

    def read(self) -> None:
        """Read every row below the header."""
        merged = self._merged_rows()
        for number, cells in enumerate(self.sheet.rows[self.top + 1 :], start=self.top + 2):
            raw = {c: cells[i] if i < len(cells) else None for c, i in self.at.items()}
            household = unescaped_id(cell_text(raw["household_id"]) or "")
            has_entry = any(cell_text(raw[c]) for c in ENTRY_COLUMNS if c in raw)
            if household:
                said = {
                    c: (cell_name(self.title, number, i), cells[i])
                    for c, i in self.locked.items()
                    if i < len(cells)
                }
                self.rows.append(ListRow(household, has_entry, said))
            if self.sheet.hidden or number in merged:
                self._refuse_row(number, household, has_entry, merged)
            elif not household:
                if has_entry:
                    self._problem(number, "", "household_id", "no household")
            elif not has_entry:
                self.empty.add(household)
            else:
                self._read_row(number, household, raw)

    def _merged_rows(self) -> dict[int, str]:
        """Return rows whose household or entries are part of a merged area, with the area's name."""
        read = {self.at[c] for c in ("household_id", *ENTRY_COLUMNS) if c in self.at}
        out: dict[int, str] = {}
        for first, last, left, right in self.sheet.merged:
            if last > self.top + 1 and any(left <= i <= right for i in read):
                area = f"{cell_name(self.title, first, left)}:{cell_name('', last, right)}"
                out |= dict.fromkeys(range(max(first, self.top + 2), last + 1), area)
        return out

    def _refuse_row(self, number: int, household: str, has_entry: bool, merged: Mapping[int, str]) -> None:
        """Tell of a row that is not taken: once a merged area, and where a hidden sheet has an entry."""
        if not self.sheet.hidden:
            if merged.get(number - 1) != merged[number]:
                reason = fault("merged cells", cells=merged[number])
                self.problems.append(Problem(merged[number], household, "outcome", "", reason))
        elif has_entry:
            self._problem(number, household, "outcome", "hidden sheet")

    def _read_row(self, number: int, household: str, raw: dict[str, Any]) -> None:
        row = _FilledRow(self.title, number, self.at, household, raw)
        visit = row.read(self.as_of)
        if isinstance(visit, Visit):
            self.visits.append(visit)
            self.notices += row.claim_problems()
        else:
            self.problems += visit
        if number in self.sheet.hidden_rows:
            cell = cell_name(self.title, number, self.at["outcome"])
            self.notices.append(Problem(cell, household, "outcome", "", fault("hidden row")))

    def _problem(self, number: int, household: str, column: str, about: str) -> None:
        cell = cell_name(self.title, number, self.at[column])
        self.problems.append(Problem(cell, household, column, "", fault(about)))


@dataclass(frozen=True)
class _FilledRow:
    """One filled row and where it stands."""

    sheet: str
    number: int
    at: dict[str, int]
    household: str
    raw: dict[str, Any]

    def read(self, as_of: dt.date | None) -> Visit | list[Problem]:
        problems = list(self._problems(as_of))
        if problems:
            return problems
        codes = {c: accepted_words(c).get(text.lower()) for c in CODED_COLUMNS if (text := self._text(c))}
        causes = [accepted_words("cause")[c.lower()] for c in parted_causes(self._text("cause"))]
        chance = self._text("chance")
        return Visit(
            cell=self._cell("outcome"),
            household_id=self.household,
            date=parse_date(self.raw["visited_on"])[0],
            outcome=str(codes["outcome"]),
            cause=causes[0] if causes else None,
            other_causes=";".join(causes[1:]) or None,
            selected_by=codes.get("selected_by"),
            decision=codes.get("decision"),
            chance=float(chance) if chance is not None and _is_probability(chance) else None,
            note=self._text("note"),
        )

    def _problems(self, as_of: dt.date | None) -> Iterator[Problem]:
        codes = {}
        for column in ("outcome", "decision"):
            text = self._text(column)
            codes[column] = None if text is None else accepted_words(column).get(text.lower())
            if text is not None and codes[column] is None:
                yield self._problem(column, "not on the list", allowed=allowed_words(column))
        if any(c.lower() not in accepted_words("cause") for c in parted_causes(self._text("cause"))):
            yield self._problem("cause", "not on the list", allowed=allowed_words("cause"))
        if self._text("outcome") is None:
            yield self._problem("outcome", "no finding", allowed=allowed_words("outcome"))
        day, unreadable = parse_date(self.raw["visited_on"])
        if unreadable is not None:
            yield self._problem("visited_on", unreadable)
        elif day is None:
            yield self._problem("visited_on", "no date")
        elif as_of is not None and day < as_of:
            yield self._problem("visited_on", "too early", day=day, as_of=as_of)
        if codes["outcome"] == "not_confirmed" and codes["decision"] == "enter":
            written = {column: self._text(column) for column in ("outcome", "decision")}
            yield self._problem("decision", "contradiction", **written)

    def claim_problems(self) -> Iterator[Problem]:
        """Tell of a source or chance that is none: the entry is taken, the log says what holds."""
        source, chance = self._text("selected_by"), self._text("chance")
        if source is not None and source.lower() not in accepted_words("selected_by"):
            yield self._problem("selected_by", "not on the list", allowed=allowed_words("selected_by"))
        if chance is not None and not _is_probability(chance):
            yield self._problem("chance", "no chance")

    def _text(self, column: str) -> str | None:
        return cell_text(self.raw.get(column))

    def _cell(self, column: str) -> str:
        return cell_name(self.sheet, self.number, self.at[column])

    def _problem(self, column: str, about: str, **values: Any) -> Problem:
        text = self._text(column) or ""
        return Problem(self._cell(column), self.household, column, text, fault(about, text=text, **values))


def _is_probability(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def without_repeats(visits: Iterable[Visit]) -> tuple[list[Visit], list[Problem]]:
    """Return each visit once; two of one household and day that differ are a problem of both.

    Two workbooks of one list that say the opposite of a household, on whatever day, are one as well.
    """
    by_day: dict[tuple[str, dt.date], list[Visit]] = {}
    for visit in visits:
        by_day.setdefault((visit.household_id, visit.date), []).append(visit)
    distinct, problems = [], []
    for group in by_day.values():
        first = group[0]
        if len({v.content for v in group}) == 1:
            distinct.append(next((v for v in group if v.note), first))
        else:
            problems.append(_contradiction(group))
    opposed: dict[tuple[str, str | None], list[Visit]] = {}
    for visit in distinct:
        opposed.setdefault((visit.household_id, visit.list_id), []).append(visit)
    for (_, list_id), group in opposed.items():
        met = {v.outcome for v in group if v.outcome != "absent"}
        if list_id is not None and len(met) > 1 and len({v.file for v in group}) > 1:
            problems.append(_contradiction(group))
            distinct = [v for v in distinct if v not in group]
    return distinct, problems


def _contradiction(group: list[Visit]) -> Problem:
    first, cells = group[0], ", ".join(v.cell for v in group)
    days = ", ".join(dict.fromkeys(v.date.isoformat() for v in group))
    reason = fault("twice", day=days, cells=cells)
    return Problem(first.cell, first.household_id, "outcome", first.outcome, reason)
