"""What an import map declares: which sheet holds what, as a file that a person can read and correct.

`riskmodel import guess` writes one; `riskmodel import table --map` follows it. Columns are named by
their headers: the whole path (``收入/工资性收入``), or the column's own words where only one has them;
``…#2`` is the second of equal ones.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from riskmodel.data import CODE_COLUMN, SPAN_TABLES, TIME_ZONE, contract, readable_codes
from riskmodel.errors import InputMissing, did_you_mean
from riskmodel.io import Spec, load_spec, write_text

Unit = Literal["元", "百元", "千元", "万元"]
UNITS: Mapping[str, Decimal] = {
    "元": Decimal(1),
    "百元": Decimal(100),
    "千元": Decimal(1_000),
    "万元": Decimal(10_000),
}
# Columns that no table of the contract has, but from which its columns are made.
HELPERS = (
    "person_number", "head_number", "name", "item", "of", "year", "period", "month", "recorded_on",
    "identified_on", "eliminated_on", "eliminated", "insured_employee", "lifted", "natural_village",
    "amount_unit", "education", "household_id", "member_id", "work_time", "working", "dropout_reason",
    "dropped_out",
)  # fmt: skip


class ColumnMap(Spec):
    """Where one column of a table comes from: a header of the sheet, or one value for all rows.

    ``more`` are further headers whose words are added (致贫返贫风险2, …); ``also`` are further columns that
    say the same (是否危房户, 危房等级): they fill blanks, and where they contradict it is asked.
    """

    column: str | None = None
    more: tuple[str, ...] = ()
    also: tuple[ColumnMap, ...] = ()
    value: str | int | float | bool | None = None
    inverted: bool = False
    words: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_source(self) -> ColumnMap:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either column (a header) or value (one for all rows)")
        return self


class AmountMap(Spec):
    """A column of amounts: of which source or category, of which months of the year, in which unit.

    ``item`` is left out where a column of the rows says it (`TableMap.columns` has ``item``); ``months`` is
    ``3``, ``1-6`` or left out where the rows or the sheet say it. ``years_back`` is 1 where it is of the year
    before what the rows or the sheet are of. ``part`` marks one of several columns that are added up: the
    sheet has no column of their sum. ``less`` is a column of what is taken off (a subsidy that lowers
    production spending).
    """

    column: str
    item: str | None = None
    months: str | None = None
    year: int | None = None
    unit: Unit | None = None
    cumulative: bool = False
    years_back: int = Field(default=0, ge=0, le=2)
    part: bool = False
    less: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"column": given} if isinstance(given, str) else given

    @field_validator("item")
    @classmethod
    def _known_item(cls, given: str | None) -> str | None:
        known = [item for table in SPAN_TABLES for item in _items(table)]
        if given not in (None, *known):
            meant = did_you_mean(str(given), known)
            raise ValueError(f"no source or category{meant}; there are: {', '.join(known)}")
        return given

    @field_validator("months", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return str(given) if isinstance(given, int) else given

    @field_validator("months")
    @classmethod
    def _months_of_a_year(cls, given: str | None) -> str | None:
        if given is not None:
            first, last = span_of(given)
            if not 1 <= first <= last <= 12:
                raise ValueError("write months of the year as 3 or 1-6")
        return given


def _items(table: str) -> list[str]:
    """Return the sources or categories of a table of amounts."""
    return list(readable_codes(table, CODE_COLUMN[table])) if table in SPAN_TABLES else []


def span_of(months: str) -> tuple[int, int]:
    """Return the first and last month of ``3`` or ``1-6``."""
    first, _, last = months.partition("-")
    return int(first), int(last or first)


def without_sums(amounts: Sequence[AmountMap]) -> tuple[AmountMap, ...]:
    """Return the amounts without those that only add up the months beside them.

    A year, half-year or quarter beside its single months is their sum (a check compares it); a year beside
    sums that add up from January on is the last of them. A year beside quarters stays: which of them holds
    is settled row by row (`riskmodel.importing.amounts`).
    """
    out = []
    for one in amounts:
        beside = [a for a in amounts if _span_key(a) == _span_key(one) and a is not one and a.months]
        first, last = span_of(one.months) if one.months else (1, 12)
        spans = [span_of(a.months) for a in beside if a.months]
        singles = {start for start, end in spans if start == end}
        if first < last and len(singles & set(range(first, last + 1))) >= 2:
            continue
        growing = len(beside) >= 2 and all((a.months or "").startswith("1-") for a in beside)
        if not one.months and growing:
            one = one.model_copy(update={"months": "1-12", "cumulative": True})
        out.append(one)
    return _marked_cumulative(out)


def _span_key(one: AmountMap) -> tuple[object, ...]:
    """Return what columns have in common that stand beside one another month by month."""
    return one.item, one.year, one.years_back, one.part


def _marked_cumulative(amounts: Sequence[AmountMap]) -> tuple[AmountMap, ...]:
    """Mark spans that all begin with January and grow (1-3, 1-6, 1-9) as adding up from the year's begin."""
    by_item: dict[tuple[object, ...], list[AmountMap]] = {}
    for one in amounts:
        by_item.setdefault(_span_key(one), []).append(one)
    out = []
    for one in amounts:
        spans = [a.months for a in by_item[_span_key(one)] if a.months]
        growing = len(spans) >= 2 and all(m.startswith("1-") for m in spans)
        out.append(one.model_copy(update={"cumulative": one.cumulative or growing}))
    return tuple(out)


class TableMap(Spec):
    """Rows of one table of the contract, made from each row of a sheet.

    ``columns`` fill the table's own columns, or one of `HELPERS` from which they are made. ``amounts`` make
    one row
    each; without them a row of the sheet is a row of the table. ``once`` makes one row a household, where the
    household's columns are repeated on every member's row. ``measures`` are columns of ``support``, header to
    code, each of which holds the steps taken under one measure; they say nothing of when. ``figures`` are
    columns of ``indicators``, header to the name of the figure; a year's are dated by its end, others by the
    day of the list or by a column ``date``.
    """

    table: str
    columns: dict[str, ColumnMap]
    amounts: tuple[AmountMap, ...] = ()
    once: bool = False
    measures: dict[str, str] = Field(default_factory=dict)
    figures: dict[str, str] = Field(default_factory=dict)

    @property
    def headers(self) -> list[str]:
        """The columns of the sheet that are read."""
        return [texts[0] for texts in self.choices]

    @property
    def choices(self) -> list[list[str]]:
        """The columns of the sheet that are read, each with those that may stand for it."""
        named = [c for c in self.columns.values() if c.column]
        columns = [[c.column or "", *(one.column or "" for one in c.also)] for c in named]
        return columns + [[a.column] for a in self.amounts]

    @property
    def required_headers(self) -> list[str]:
        """Those without which a row is of nobody, or of no kind."""
        spec = contract().tables[self.table].columns
        wanted = {name for name, column in spec.items() if column.required}
        if "person_number" in self.columns:
            wanted.discard("birth_month")  # the number says it
        return [c.column for name, c in self.columns.items() if c.column and name in wanted]

    @field_validator("table")
    @classmethod
    def _of_the_contract(cls, name: str) -> str:
        known = [t for t, spec in contract().tables.items() if not spec.derived]
        if name not in known:
            raise ValueError(f"no table {name!r}; there are: {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _columns_of_the_table(self) -> TableMap:
        allowed = {*contract().tables[self.table].columns, *HELPERS}
        wrong = sorted(set(self.columns) - allowed)
        other = [a.item for a in self.amounts if a.item not in (None, *_items(self.table))]
        if self.table in SPAN_TABLES and other:
            known = ", ".join(_items(self.table))
            raise ValueError(f"{self.table} has no {', '.join(map(str, other))}; it has: {known}")
        if wrong:
            raise ValueError(
                f"{self.table} has no column {', '.join(wrong)}; it has: {', '.join(sorted(allowed))}"
            )
        return self


class CheckMap(Spec):
    """A column that is compared with what its parts give, such as ``persons`` or ``net_income``."""

    column: str
    of: str
    parts: tuple[str, ...] = ()
    unit: Unit | None = None


class SheetMap(Spec):
    """What is read of the sheets that two patterns name.

    Parameters
    ----------
    file, sheet
        Patterns (``*``, ``?``); ``sheet`` is empty for text files.
    skip
        Why nothing is read of it; empty where something is.
    header_rows
        Row numbers of the header; found by looking where left out.
    unit, year, township, recorded_on, snapshot_on
        What holds for all rows; taken from title, sheet name or file name where left out.
    first_month
        The first month of the year that a year's amounts are of: 1, or 10 where a year runs from October of
        the year
        before.
    fill_down
        Columns whose blank cells repeat the cell above.
    hidden_rows
        Whether rows that are hidden are read.
    month_numbers
        How months are written as numbers where the cells do not say: ``two_decimals`` (2021.1 is October).
    unanswered
        Questions of a proposed map; nothing is read before the line is taken out.
    """

    file: str
    sheet: str = "*"
    skip: str = ""
    header_rows: tuple[int, ...] = ()
    unit: Unit | None = None
    year: int | None = None
    first_month: int = Field(default=1, ge=1, le=12)
    township: str | None = None
    recorded_on: dt.date | None = None
    snapshot_on: dt.date | None = None
    fill_down: tuple[str, ...] = ()
    hidden_rows: Literal["read", "skip"] = "read"
    month_numbers: Literal["two_decimals"] | None = None
    unanswered: tuple[str, ...] = ()
    blank_is_zero: bool = False
    tables: tuple[TableMap, ...] = ()
    checks: tuple[CheckMap, ...] = ()

    @model_validator(mode="after")
    def _reads_or_skips(self) -> SheetMap:
        if bool(self.skip) == bool(self.tables):
            raise ValueError("give tables to read, or skip and why")
        return self

    def matches(self, file: str, sheet: str) -> bool:
        """Say whether it is meant for a sheet."""
        pairs = ((file, self.file), (sheet, self.sheet))
        return all(name == pattern or fnmatch.fnmatchcase(name, pattern) for name, pattern in pairs)


class ImportMap(Spec):
    """What is read of the files of a county.

    Parameters
    ----------
    sheets
        In their order; the first that matches a sheet holds for it.
    words
        A county's own words for codes, ``{table.column: {word: code}}``.
    snapshot_on, data_through
        What ``about.yaml`` will say; found where left out.
    pseudonyms
        Which ids are replaced by keyed hashes.
    """

    version: Literal[1] = 1
    snapshot_on: dt.date | None = None
    data_through: dt.date | None = None
    time_zone: str = TIME_ZONE
    pseudonyms: tuple[Literal["household", "member"], ...] = ()
    words: dict[str, dict[str, str]] = Field(default_factory=dict)
    sheets: tuple[SheetMap, ...] = ()

    def sheet(self, file: str, sheet: str) -> SheetMap | None:
        """Return what is said of a sheet; None where nothing is."""
        return next((one for one in self.sheets if one.matches(file, sheet)), None)


def read_map(path: str | Path) -> ImportMap:
    """Read a map.

    Parameters
    ----------
    path
        A YAML file, or the name of a packaged map.

    Returns
    -------
    ImportMap
        The checked map.

    Raises
    ------
    InputMissing
        If there is no such map.
    SpecError
        One line for each fault.
    """
    return load_spec(map_file(path, Path(__file__).with_name("maps")), ImportMap, lines=True)


def map_file(path: str | Path, folder: Path) -> Path:
    """Return the file of a map: one that comes with riskmodel and is called by its name, or the path itself.

    Raises
    ------
    InputMissing
        If it looks like a name, and there is none such.
    """
    packaged = {one.stem: one for one in folder.glob("*.yaml")}
    name = str(path)
    if name not in packaged and not Path(path).suffix and not Path(path).exists():
        maps = f"give a file, or one of {', '.join(sorted(packaged))}{did_you_mean(name, packaged)}"
        raise InputMissing(f"no map {name!r}; {maps}")
    return packaged.get(name, Path(path))


def map_text(given: ImportMap, comments: Mapping[int, Sequence[str]] | None = None) -> str:
    """Return a map as YAML with comments.

    Parameters
    ----------
    given
        The map.
    comments
        Place of a sheet in it to the lines written above it.
    """
    plain = given.model_dump(mode="json", exclude_defaults=True, exclude={"sheets"})
    head = yaml.safe_dump({"version": 1} | plain, allow_unicode=True, sort_keys=False, width=110)
    blocks = [head, "sheets:\n"]
    for place, sheet in enumerate(given.sheets):
        blocks += [f"# {line}\n" for line in (comments or {}).get(place, ())]
        body = _plain(sheet.model_dump(mode="json", exclude_defaults=True))
        text = yaml.safe_dump([body], allow_unicode=True, sort_keys=False, width=110)
        blocks.append(text)
    return "".join(blocks)


def _plain(value: Any) -> Any:
    """Return what a model dumps in the short form in which a person writes it."""
    if isinstance(value, dict):
        if set(value) == {"column"}:
            return value["column"]
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def write_map(
    given: ImportMap, path: str | Path, comments: Mapping[int, Iterable[str]] | None = None
) -> None:
    """Write a map as commented YAML."""
    write_text(map_text(given, {k: list(v) for k, v in (comments or {}).items()}), Path(path))
