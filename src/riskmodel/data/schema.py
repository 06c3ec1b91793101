"""The tables of the data contract: columns, types, codes, keys, headers, and when a row is known.

`contract.yaml` declares them. A *canonical* table is what every module above reads. It has all contract
columns under their English names (typed nulls where the source lacks one), English codes, amounts as
DECIMAL(18,4) yuan, and months as **month ordinals** (``year * 12 + month - 1``), so that "the 12 months up
to" is a subtraction. ``month`` becomes ``month_from`` = ``month_to``; every row gains ``known_on``, the day
from which the office knew it (contract, "Input").
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.datatypes as types
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator

from riskmodel.errors import InputRefused
from riskmodel.i18n import same
from riskmodel.io import Spec, load_spec

ColumnType = Literal[
    "id", "text", "code", "codes", "bool", "date", "month", "year", "grade", "amount", "number"
]

_IBIS_TYPES: dict[str, types.DataType] = {
    "id": types.string,
    "text": types.string,
    "code": types.string,
    "codes": types.string,
    "bool": types.boolean,
    "date": types.date,
    "month": types.int32,
    "year": types.int32,
    "grade": types.int32,
    "amount": types.Decimal(18, 4),
    "number": types.float64,
}
SPAN_TABLES = ("income", "spending")
LARGE_TABLES = (*SPAN_TABLES, "recorded")  # rows by household and month
TIME_ZONE = "Asia/Shanghai"  # of the dates of instants, where about.yaml names no other
CODE_COLUMN = {"income": "source", "spending": "category"}  # what an amount is for


class Column(Spec):
    """One column: its Chinese header, type, and its codes (English code to Chinese word).

    An ``unused`` one is read and checked, and then looked at by nothing: reading says so. One that came
    ``later`` counts in a fingerprint only where it says something. Rows with a code of ``codes_apart`` are
    kept in a table of their own.
    """

    zh: str
    type: ColumnType
    required: bool = False
    unused: bool = False
    later: bool = False
    codes: dict[str, str] = Field(default_factory=dict)
    codes_apart: dict[str, str] = Field(default_factory=dict)
    codes_of: str | None = None


class Table(Spec):
    """One table: its Chinese name, key columns, the column that dates its rows, and its columns.

    A ``derived`` table is made from others when a county is read, and stands in no file.
    """

    zh: str
    derived: bool = False
    key: tuple[str, ...] = ()
    event_date: str | None = None
    columns: dict[str, Column]


class Contract(Spec):
    """All tables; ``required`` ones must be there."""

    version: int
    required: tuple[str, ...]
    tables: dict[str, Table]


class About(Spec):
    """What ``about.yaml`` beside the tables says of the whole county (contract, "Input").

    ``income_is_net`` is ours: incomes were recorded net of production costs, so that net income does
    not need the ``spending`` table. ``source``, ``licence`` and ``unit`` are ours too: where the data come
    from, on what terms, and in what money; ``unit_of`` and ``place`` say what is counted and within what it
    is alike, for the words of pages; ``welfare`` is consumption where amounts are of that, and a flag where
    they are 0 (poor) and 1; ``stale_after_months`` says how long an annual total speaks for a household,
    where that is shorter than the contract's 18 months; ``strata`` says that townships are a survey's strata,
    within which its primary sampling units (villages) were drawn; ``simulated``
    says how a made-up county was made. Keys that nobody reads are kept out, not refused.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    data_through: dt.date | None = None
    recording_delay_days: int = Field(default=0, ge=0)
    entry_lag_months: int = Field(default=3, ge=0)
    max_lag_months: int = Field(default=3, ge=0)
    stale_after_months: int = Field(default=18, ge=0, le=18)
    coverage: Literal["whole"] | None = None
    records_from: str | dict[str, str] | None = None
    snapshot_on: dt.date | None = None
    time_zone: str = TIME_ZONE
    income_is_net: bool = False
    source: str | None = None
    licence: str | None = None
    unit: str | None = None
    unit_of: Literal["household", "person"] = "household"
    place: str = "village"
    strata: bool = False
    welfare: Literal["income", "consumption", "flag"] = "income"
    simulated: dict[str, Any] | None = None

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as exc:
            raise ValueError(f"no such time zone; write one as {TIME_ZONE}") from exc
        return name

    @field_validator("records_from", mode="before")
    @classmethod
    def _are_months(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            return {str(township): _month_word(month) for township, month in given.items()}
        return given if given is None else _month_word(given)


def _month_word(given: Any) -> str:
    """Return a month of ``about.yaml`` as ``YYYY-MM``, however YAML reads it."""
    found = re.fullmatch(r"(\d{4})[-/年]?(\d{1,2})(?:月|-\d{1,2})?", str(given).strip())
    if not found or not 1 <= int(found[2]) <= 12:
        raise ValueError("write a month as 2017-01, or a mapping of townships to months")
    return f"{found[1]}-{int(found[2]):02d}"


@cache
def contract() -> Contract:
    """Return the packaged data contract (parsed once)."""
    return load_spec(Path(__file__).with_name("contract.yaml"), Contract)


def codes(table: str, column: str) -> dict[str, str]:
    """Return a column's codes as ``{english: chinese}``, in contract order.

    Parameters
    ----------
    table, column
        A table of the contract, and one of its columns.

    Returns
    -------
    dict
        Empty where the column has no codes.

    Examples
    --------
    >>> list(codes("income", "source"))
    ['wage', 'business', 'property', 'transfer', 'business_net']
    >>> codes("support", "cause")["illness"]
    '因病'
    """
    col = contract().tables[table].columns[column]
    if col.codes_of:
        other_table, other_column = col.codes_of.split(".")
        return codes(other_table, other_column)
    return dict(col.codes)


def readable_codes(table: str, column: str) -> dict[str, str]:
    """Return the codes that a file may hold, also those whose rows are kept in a table of their own.

    Parameters
    ----------
    table, column
        A table of the contract, and one of its columns.

    Returns
    -------
    dict
        ``{english: chinese}``

    Examples
    --------
    >>> readable_codes("income", "source")["claim"]
    '理赔收入'
    """
    return codes(table, column) | contract().tables[table].columns[column].codes_apart


def code_words(table: str, column: str, code: str, *, spaced: bool = False) -> dict[str, str]:
    """Return what a code is called in both languages.

    Parameters
    ----------
    table, column
        A table of the contract, and one of its columns.
    code
        One of its codes; any other stands for itself.
    spaced
        Whether the English is the code in plain words ("public post") or as it stands ("public_post").

    Returns
    -------
    dict
        ``{"zh": the contract's word, "en": the code}``

    Examples
    --------
    >>> code_words("support", "measure", "public_post", spaced=True)["en"]
    'public post'
    """
    words = same(code.replace("_", " ") if spaced else code)
    return words | {"zh": codes(table, column).get(code, code)}


def table_words(table: str) -> dict[str, str]:
    """Return what a table of the contract is called in both languages: its Chinese name, its id.

    Parameters
    ----------
    table
        A table of the contract.

    Returns
    -------
    dict
        ``{"zh": …, "en": …}``
    """
    return same(table) | {"zh": contract().tables[table].zh}


def canonical_schema(table: str) -> ibis.Schema:
    """Return names and types of a canonical table (see the module's first lines).

    Parameters
    ----------
    table
        A table of the contract.

    Returns
    -------
    ibis.Schema
        Contract columns (without ``month`` for income and spending), then ``known_on``.
    """
    fields: dict[str, types.DataType] = {}
    for name, col in contract().tables[table].columns.items():
        if table in SPAN_TABLES and name == "month":
            continue
        fields[name] = _IBIS_TYPES[col.type]
    fields["known_on"] = types.date
    return ibis.schema(fields)


def ibis_type(kind: str) -> types.DataType:
    """Return the Ibis type of a contract type (months are ordinals).

    Examples
    --------
    >>> str(ibis_type("amount")), str(ibis_type("month"))
    ('decimal(18, 4)', 'int32')
    """
    return _IBIS_TYPES[kind]


def month_ordinal(year: int, month: int) -> int:
    """Return the ordinal of a calendar month.

    Examples
    --------
    >>> month_ordinal(2021, 1) - month_ordinal(2020, 12)
    1
    """
    return year * 12 + month - 1


def month_text(ordinal: int) -> str:
    """Return a month ordinal as ``YYYY-MM``.

    Examples
    --------
    >>> month_text(month_ordinal(2021, 5))
    '2021-05'
    """
    return f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}"


def month_end(ordinal: int) -> dt.date:
    """Return the last day of a month.

    Parameters
    ----------
    ordinal
        Month ordinal, ``year * 12 + month - 1``.

    Returns
    -------
    date
        A calendar day.

    Examples
    --------
    >>> month_end(month_ordinal(2020, 2))
    datetime.date(2020, 2, 29)
    """
    year, month = divmod(ordinal, 12)
    return dt.date(year, month + 1, calendar.monthrange(year, month + 1)[1])


# A table without any date (villages' coordinates) speaks of what was always there.
ALWAYS = dt.date(1900, 1, 1)


def known_on(table: str, values: Mapping[str, ir.Value], about: About) -> ir.DateValue:
    """Return ``recorded_on``, else the row's own date, else the day of the snapshot."""
    known = ibis.coalesce(values["recorded_on"], own_date(table, values, about.entry_lag_months))
    if about.snapshot_on:
        known = ibis.coalesce(known, ibis.date(about.snapshot_on))
    return known


def own_date(table: str, values: Mapping[str, ir.Value], entry_lag_months: int = 0) -> ir.DateValue:
    """Return the day that a row speaks of, from which it counts as known where nothing else is said."""
    spec = contract().tables[table]
    if table in SPAN_TABLES:
        lag = (values["month_to"] > values["month_from"]).cast("int32") * entry_lag_months
        return month_end_column(values["month_to"] + lag)
    if spec.event_date == "month":
        return month_end_column(values["month"])
    if "month_to" in spec.columns:
        # A span that is not given is all there ever was, or of the whole year.
        whole = month_end_column(values["year"] * 12 + 11) if "year" in values else ibis.date(ALWAYS)
        return ibis.coalesce(month_end_column(values["month_to"]), whole)
    if spec.event_date or "valid_from" in spec.columns:
        return values[spec.event_date or "valid_from"]
    return ibis.date(ALWAYS)


def month_end_column(ordinal: ir.Value) -> ir.DateValue:
    """Return the last day of a column of month ordinals."""
    following = (ordinal + 1).cast("int32")
    first = ibis.date((following // 12).cast("int32"), (following % 12 + 1).cast("int32"), ibis.literal(1))
    return (first - ibis.interval(days=1)).cast("date")


def to_month_end(day: ir.Value, precision: ir.Value) -> ir.Value:
    """Return days; those known to their month alone as its last one: nothing is then earlier than it was."""
    last = month_end_column(day.year() * 12 + day.month() - 1)
    return ibis.ifelse((precision == "month").fill_null(False), last, day)


RECORDED_ON = {"recorded_on": "录入日期"}
# A unit of 万元 is left standing: the column is then missing, better than read 10,000 times too small.
_REMARK = re.compile(r"[（(](?:元|人民币|人民币元|yuan|CNY|必填|required)[)）]", re.IGNORECASE)


def normal_header(header: str) -> str:
    """Return a header without case, spaces, stars and unit remarks.

    Examples
    --------
    >>> [normal_header(h) for h in (" Household ID*", "金额（元）", "金额（万元）")]
    ['household_id', '金额', '金额（万元）']
    """
    text = _REMARK.sub("", header.replace("\ufeff", "")).strip().strip("*＊").strip()
    return re.sub(r"[\s\-]+", "_", text).lower()


def column_words(table: str) -> dict[str, str]:
    """Return ``{column: Chinese header}`` of a table, ``recorded_on`` included.

    Examples
    --------
    >>> column_words("visits")["recorded_on"]
    '录入日期'
    """
    return {name: column.zh for name, column in contract().tables[table].columns.items()} | RECORDED_ON


def header_words(table: str) -> dict[str, str]:
    """Return ``{normalised header: column}`` of a table, in both languages, ``recorded_on`` included.

    Examples
    --------
    >>> header_words("income")["收入类别"], header_words("income")["录入日期"]
    ('source', 'recorded_on')
    """
    words = column_words(table).items()
    return {normal_header(header): name for pair in words for name in pair[:1] for header in pair}


def match_headers(table: str, headers: Sequence[str], file: str) -> dict[str, int]:
    """Return which column stands where in a file."""
    known = header_words(table)
    found: dict[str, int] = {}
    for position, header in enumerate(headers):
        column = known.get(normal_header(header))
        if column is None:
            continue
        if column in found:
            both = f"{headers[found[column]]!r} and {header!r}"
            raise InputRefused(f"{file}: {both} both mean {column}; keep one of them")
        found[column] = position
    missing = _missing(table, found)
    if missing:
        columns = contract().tables[table].columns
        wanted = ", ".join(f"{name} {columns[name].zh}" for name in missing)
        there = ", ".join(str(h) for h in headers) or "none"
        raise InputRefused(f"{file}: no column {wanted}; the headers found are: {there}")
    return found


def _missing(table: str, names: Iterable[str]) -> list[str]:
    there = set(names)
    missing = [n for n, c in contract().tables[table].columns.items() if c.required and n not in there]
    if table in SPAN_TABLES and "month" not in there and not {"month_from", "month_to"} <= there:
        missing.append("month")
    return missing


def known_headers(table: str, cells: Iterable[str]) -> set[str]:
    """Return the columns of a table that a row of cells names."""
    known = header_words(table)
    return {known[normal_header(cell)] for cell in cells if normal_header(cell) in known}


def header_row(table: str, rows: Sequence[Sequence[str]]) -> int:
    """Return which of a file's first rows is the header: the first with two known headers, else the first.

    Parameters
    ----------
    table
        The table of the contract that the file holds.
    rows
        The first rows, as text.

    Returns
    -------
    int
        Its position; a title above the header is then skipped.

    Examples
    --------
    >>> header_row("income", [["某县收入表", "", ""], ["户编号", "月份", "金额"]])
    1
    """
    for position, row in enumerate(rows):
        if len(known_headers(table, row)) >= 2:
            return position
    return next((p for p, row in enumerate(rows) if any(cell.strip() for cell in row)), 0)


def empty_table(schema: ibis.Schema) -> ir.Table:
    """Return a table without rows as an expression that needs no registration."""
    nulls = {column: ibis.null(kind).op() for column, kind in schema.items()}
    return ops.DummyTable(nulls).to_expr().filter(ibis.literal(False))


def rows_table(rows: list[dict[str, Any]], **types: str) -> pa.Table:
    """Return rows made in Python as an input table.

    Parameters
    ----------
    rows : list of dict
        One dict a row, each with every column; may be empty.
    **types : str
        Ibis type of each column.

    Examples
    --------
    >>> rows_table([{"month": 24000, "weight": None}], month="int32", weight="float64").num_rows
    1
    """
    schema = ibis.schema(types).to_pyarrow()
    return pa.table({name: [row[name] for row in rows] for name in types}, schema=schema)
