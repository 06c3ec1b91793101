"""Files that an office keeps or fills in: names and telephones to join, and lists that came back.

Every fault of a filled-in list is named by its cell; a list is backed up before another takes its place.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from riskmodel.data import (
    TITLE_LINES,
    cell_text,
    contract,
    guess_delimiter,
    normal_header,
    open_workbook,
    parse_date,
    pseudonym,
)
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, find_encoding
from riskmodel.households import KnownCounty, current_ids
from riskmodel.i18n import LANGUAGES, every_noun
from riskmodel.io import FORMULA_SIGNS
from riskmodel.scoring.visit_faults import Problem, fault
from riskmodel.scoring.worklist import code_words, declared_columns

NAME_COLUMNS = ("own_id", "head_name", "contact", "phone")
HEADERS = {
    "household_id": ("household_id", "户编号", "household"),
    "head_name": ("head_name", "name", "户主", "户主姓名", "姓名"),
    "contact": ("contact", "contact_person", "联系人", "帮扶联系人", "帮扶责任人"),
    "phone": ("phone", "telephone", "联系电话", "电话", "手机"),
}
Row = Sequence[Any]


class OfficeFile(NamedTuple):
    """Rows of each sheet as they stand (one sheet without a title for CSV), and the workbook's properties."""

    sheets: list[tuple[str, list[Row]]]
    properties: dict[str, str]


def read_office_file(path: Path, what: str) -> OfficeFile:
    """Read an ``.xlsx`` or ``.csv`` (UTF-8 or GB18030); ``what`` it should be stands in the refusals."""
    ending = path.suffix.lower()
    if ending not in (".xlsx", ".csv"):
        raise InputRefused(f"{path.name}: give {what} as .csv or .xlsx")
    if not path.is_file():
        raise InputRefused(f"{path}: no such file; give {what} as .csv or .xlsx")
    if ending == ".csv":
        return OfficeFile([("", _csv_rows(path))], {})
    workbook = open_workbook(path)
    sheets = [(sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in workbook.worksheets]
    return OfficeFile(sheets, {p.name: str(p.value) for p in workbook.custom_doc_props})


def _csv_rows(path: Path) -> list[Row]:
    data = path.read_bytes().removeprefix(BOM)
    encoding, clean = find_encoding(data, path.name)
    if not clean:
        raise InputRefused(f"{path.name}: holds bytes that are not {encoding}; save it as CSV UTF-8")
    text = data.decode(encoding)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=guess_delimiter(text)))


def find_headers(cells: Row, names: Mapping[str, str]) -> dict[str, int]:
    """Return where columns stand in a row, from 0, by normalised headers; the first of equals counts."""
    out: dict[str, int] = {}
    for position, cell in enumerate(cells):
        column = names.get(normal_header(cell)) if isinstance(cell, str) else None
        if column is not None:
            out.setdefault(column, position)
    return out


def read_names(path: str | Path) -> pd.DataFrame:
    """Read the office's file of names, which are joined while a list is written and kept nowhere else.

    Parameters
    ----------
    path
        ``.csv`` (UTF-8 or GB18030) or ``.xlsx``, with the household's number and any of: name of its head,
        contact person, telephone.

    Returns
    -------
    DataFrame
        ``household_id`` and those of ``head_name, contact, phone`` that the file has; one row a household.

    Raises
    ------
    InputRefused
        If it cannot be read, has no such columns, or names a household twice and differently.
    """
    source = Path(path)
    _, rows = read_office_file(source, "the names").sheets[0]
    known = {normal_header(word): name for name, words in HEADERS.items() for word in words}
    for top, cells in enumerate(rows[:TITLE_LINES]):
        at = find_headers(cells, known)
        if "household_id" in at and len(at) > 1:
            return _names_below(rows[top + 1 :], at, source.name)
    allowed = "; ".join(f"{name}: {' or '.join(words)}" for name, words in HEADERS.items())
    raise InputRefused(f"{source.name}: no header with the household's number and a name ({allowed})")


def _names_below(rows: Sequence[Row], at: dict[str, int], file: str) -> pd.DataFrame:
    columns = {n: [cell_text(r[i]) if i < len(r) else None for r in rows] for n, i in at.items()}
    names = pd.DataFrame(columns, dtype=object).dropna(subset=["household_id"]).drop_duplicates()
    repeated = names["household_id"][names["household_id"].duplicated()]
    if len(repeated):
        raise InputRefused(f"{file}: household {repeated.iloc[0]!r} stands there twice and differently")
    return names.reset_index(drop=True)


def pseudonymise_names(names: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Return names for a county with keyed ids: the office's own number goes along as a name does.

    Parameters
    ----------
    names
        From `read_names`.
    key
        The secret key (`riskmodel.data.secret_key`).

    Returns
    -------
    DataFrame
        The same rows, ``household_id`` keyed, ``own_id`` as the office writes it.
    """
    own = names["household_id"]
    return names.assign(own_id=own, household_id=[pseudonym(str(i), key) for i in own])


def names_by_current_number(names: pd.DataFrame, known: KnownCounty) -> pd.DataFrame:
    """Return names under the numbers in use; where a file has the old and the new number, the new one goes.

    Parameters
    ----------
    names
        From `read_names`, with the office's own numbers, of which some may be old.
    known
        The county as known at the list's day.

    Returns
    -------
    DataFrame
        One row a household.
    """
    current = current_ids(known, names["household_id"])
    own = current == names["household_id"]
    out = names.assign(household_id=current)[own | ~current.isin(names["household_id"])]
    return out.drop_duplicates("household_id").reset_index(drop=True)


def join_names(rows: pd.DataFrame, names: pd.DataFrame | None) -> pd.DataFrame:
    """Return rows of a list with names beside them.

    Parameters
    ----------
    rows
        With ``household_id``.
    names
        From `read_names`; None leaves the rows as they are.

    Returns
    -------
    DataFrame
        The same rows in the same order.
    """
    if names is None or rows.empty:
        return rows
    return rows.merge(names, on="household_id", how="left", validate="m:1")


NEEDED_COLUMNS = ("household_id", "outcome", "visited_on")
READ_COLUMNS = (*NEEDED_COLUMNS, "decision", "cause", "selected_by", "chance")
ENTRY_COLUMNS = ("outcome", "visited_on", "decision", "cause")
CODED_COLUMNS = ("outcome", "decision", "cause", "selected_by")
# The list says "visited on" where the contract's table of visits says "date".
_CONTRACT = {"visited_on": "date"}
_CODED = {"outcome": "outcomes", "decision": "decisions", "cause": "causes"}


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
        spec = columns[_CONTRACT.get(name, name)]
        words = (name, _CONTRACT.get(name, name), spec.zh, own[name].zh, own[name].en)
        out |= {normal_header(word): name for word in words}
    for name in READ_COLUMNS:  # a panel's list is written in the panel's own nouns
        for nouns in every_noun():
            for word in (own[name].zh, own[name].en):
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
    def content(self) -> tuple[object, ...]:
        """Two visits of the same content are one."""
        return (self.household_id, self.date, self.outcome, self.cause, self.decision)


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
    path
        ``.xlsx`` as ``riskmodel worklist`` wrote it, or one of its sheets saved as ``.csv`` (UTF-8 or
        GB18030).

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
    as_of = parse_date(properties["riskmodel_as_of"])[0] if "riskmodel_as_of" in properties else None
    lists = [sheet for title, rows in sheets if (sheet := _read_sheet(title, rows, as_of)) is not None]
    if not lists:
        heads = ", ".join(f"{c.zh} ({c.en})" for c in declared_columns() if c.id in NEEDED_COLUMNS)
        raise InputRefused(f"{source.name}: no sheet with the headers {heads}; give the list as it was made")
    visits = [visit for sheet in lists for visit in sheet[0]]
    problems = [problem for sheet in lists for problem in sheet[1]]
    distinct, contradictions = _without_repeats(visits)
    filled = {v.household_id for v in visits} | {p.household_id for p in problems}
    empty = set[str]().union(*(sheet[2] for sheet in lists)) - filled
    return FilledList(tuple(distinct), (*problems, *contradictions), len(empty), as_of)


def _read_sheet(
    title: str, rows: list[Row], as_of: dt.date | None
) -> tuple[list[Visit], list[Problem], set[str]] | None:
    """Return a sheet's visits, problems, and households without an entry; None if it is no list."""
    heads = ((top, find_headers(cells, header_aliases())) for top, cells in enumerate(rows[:TITLE_LINES]))
    header = next(((top, at) for top, at in heads if all(name in at for name in NEEDED_COLUMNS)), None)
    if header is None:
        return None
    top, at = header
    visits: list[Visit] = []
    problems: list[Problem] = []
    empty: set[str] = set()
    for number, cells in enumerate(rows[top + 1 :], start=top + 2):
        raw = {c: cells[i] if i < len(cells) else None for c, i in at.items()}
        household = cell_text(raw["household_id"])
        has_entry = any(cell_text(raw[c]) for c in ENTRY_COLUMNS if c in raw)
        if household is None:
            if has_entry:
                cell = cell_name(title, number, at["household_id"])
                problems.append(Problem(cell, "", "household_id", "", fault("no household")))
        elif not has_entry:
            empty.add(unescaped_id(household))
        else:
            visit = _FilledRow(title, number, at, unescaped_id(household), raw).read(as_of)
            if isinstance(visit, Visit):
                visits.append(visit)
            else:
                problems += visit
    return visits, problems, empty


def unescaped_id(text: str) -> str:
    """Return an id without the apostrophe that keeps a spreadsheet from taking it for a formula.

    Examples
    --------
    >>> [unescaped_id(text) for text in ("'=1+1", "h'1")]
    ['=1+1', "h'1"]
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_SIGNS) else text


def cell_name(sheet: str, number: int, position: int) -> str:
    """Return how a spreadsheet calls a cell, from its row (from 1) and column (from 0).

    Examples
    --------
    >>> cell_name("核查名单", 12, 15), cell_name("", 3, 26)
    ('核查名单!P12', 'AA3')
    """
    from openpyxl.utils import get_column_letter

    name = f"{get_column_letter(position + 1)}{number}"
    return f"{sheet}!{name}" if sheet else name


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
        codes = {c: accepted_words(c)[text.lower()] for c in CODED_COLUMNS if (text := self._text(c))}
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

    def _problems(self, as_of: dt.date | None) -> Iterator[Problem]:
        codes = {}
        for column in CODED_COLUMNS:
            text = self._text(column)
            codes[column] = None if text is None else accepted_words(column).get(text.lower())
            if text is not None and codes[column] is None:
                yield self._problem(column, "not on the list", allowed=allowed_words(column))
        if self._text("outcome") is None:
            yield self._problem("outcome", "no finding", allowed=allowed_words("outcome"))
        day, unreadable = parse_date(self.raw["visited_on"])
        if unreadable is not None:
            yield self._problem("visited_on", unreadable)
        elif day is None:
            yield self._problem("visited_on", "no date")
        elif as_of is not None and day < as_of:
            yield self._problem("visited_on", "too early", day=day, as_of=as_of)
        chance = self._text("chance")
        if chance is not None and not _is_probability(chance):
            yield self._problem("chance", "no chance")
        if codes["outcome"] == "not_confirmed" and codes["decision"] == "enter":
            written = {column: self._text(column) for column in ("outcome", "decision")}
            yield self._problem("decision", "contradiction", **written)

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


def _without_repeats(visits: list[Visit]) -> tuple[list[Visit], list[Problem]]:
    """Return each visit once; two of one household and day that differ are a problem of both."""
    by_day: dict[tuple[str, dt.date], list[Visit]] = {}
    for visit in visits:
        by_day.setdefault((visit.household_id, visit.date), []).append(visit)
    distinct, problems = [], []
    for group in by_day.values():
        first = group[0]
        if len({v.content for v in group}) == 1:
            distinct.append(first)
            continue
        cells = ", ".join(v.cell for v in group)
        reason = fault("twice", day=first.date, cells=cells)
        problems.append(Problem(first.cell, first.household_id, "outcome", first.outcome, reason))
    return distinct, problems
