"""From raw cells to canonical columns, as Ibis expressions: what each row says, or why it says nothing.

Columns of few distinct values (dates, codes, …) are parsed once a value (`riskmodel.data.values`) and
joined back; ids, texts and amounts, of which there are too many distinct ones, are parsed in place. Nothing
here looks at more than one row, so nothing recorded later can change what is made of a row.

Three steps, each a column of its own, so that nothing is computed twice: what is given, its value, and
the reason where no value that holds comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data import compiled
from riskmodel.data.file_formats import ROW
from riskmodel.data.schema import (
    RECORDED_ON,
    SPAN_TABLES,
    About,
    Column,
    canonical_schema,
    contract,
    ibis_type,
    known_on,
    to_month_end,
)
from riskmodel.data.sources import RawTable
from riskmodel.data.values import value_parser

_THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?$"
# Wide and no-break spaces too: Excel leaves them behind.
_SPACE_AT_AN_END = "^[\\s\\v\\x{3000}\\x{a0}]|[\\s\\v\\x{3000}\\x{a0}]$"
_SPACES = "^[\\s\\v\\x{3000}\\x{a0}]+|[\\s\\v\\x{3000}\\x{a0}]+$"
_FORMULA = "^[=+@-]"
_NEEDS_CARE = f"^$|{_SPACE_AT_AN_END}|{_FORMULA}"
_NUMBERS = ("amount", "number")


@dataclass(frozen=True)
class Cell:
    """A parsed column: its value, and the reason where there is none that holds."""

    value: ir.Value
    reason: ir.Value


def as_text(column: ir.Column) -> ir.StringValue:
    """Return a raw column as trimmed text, empty cells as null; whole floats without their ``.0``."""
    if column.type().is_floating():
        number = column.isnan().ifelse(ibis.null(column.type()), column)
        whole = number.try_cast("int64")
        return (number == whole).ifelse(whole.cast("string"), number.cast("string"))
    text: ir.StringValue = column.cast("string")
    # Trimming every cell costs more than looking for the few that need it.
    return text.re_search(_SPACE_AT_AN_END).ifelse(text.re_replace(_SPACES, ""), text).nullif("")


def cell_content(column: ir.Column, kind: str) -> ir.Value:
    """Return what a cell gives: trimmed text, or a number that is not NaN."""
    if kind in _NUMBERS and column.type().is_floating():
        return column.isnan().ifelse(ibis.null(column.type()), column)
    if kind in _NUMBERS and column.type().is_numeric():
        return column
    return as_text(column)


def cell_value(cell: ir.Value, kind: str) -> ir.Value:
    """Return the value of what is `given`, null where it has none."""
    if kind not in _NUMBERS:
        return cell
    target = ibis_type(kind)
    if not cell.type().is_string():
        finite = cell.isinf().ifelse(ibis.null(cell.type()), cell) if cell.type().is_floating() else cell
        return finite.try_cast(target)
    parsed = _plain(cell).try_cast(target)
    if target.is_floating():
        parsed = (parsed.isnan() | parsed.isinf()).ifelse(ibis.null(target), parsed)
    return parsed


def cell_fault(cell: ir.Value, parsed: ir.Value, kind: str) -> ir.Value:
    """Return why a `given` cell has no `value` that holds, null where all is well."""
    nothing = ibis.null("string")
    if kind not in _NUMBERS:
        # A sign begins hardly any id, so the test for a number runs on hardly any.
        formula = cell.re_search(_FORMULA) & cell.try_cast("float64").isnull()
        return ibis.ifelse(formula, "formula-like cell", nothing)
    lost = cell.notnull() & parsed.isnull()
    if not cell.type().is_string():
        infinite = cell.isinf() if cell.type().is_floating() else ibis.literal(False)
        why = ibis.ifelse(infinite, "non-finite amount", "amount too large")
        return ibis.ifelse(lost, why, nothing)
    number = _plain(cell).try_cast("float64")
    why = ibis.cases(
        (number.isinf() | number.isnan(), "non-finite amount"),
        (number.notnull(), "amount too large"),
        (cell.re_search(_FORMULA), "formula-like cell"),
        else_="unparsable number",
    )
    return ibis.ifelse(lost, why, nothing)


def _plain(text: ir.StringValue) -> ir.StringValue:
    """Take the commas out of a number written in thousands."""
    grouped = text.re_search(_THOUSANDS).ifelse(text.replace(",", ""), ibis.null("string"))
    return text.contains(",").ifelse(grouped, text)


EXTRA = "extra_"
RECORDED = "recorded_on"
_RECORDED_COLUMN = Column(zh=RECORDED_ON[RECORDED], type="date")
_LOOKUP = "lookup_"
_LOOKED_UP = ("date", "month", "bool", "year", "grade", "code", "codes")


def row_hash(*columns: ir.Value) -> ir.Value:
    """Return a 64-bit hash of several columns, made with DuckDB's; nulls count as values."""
    out: ir.Value = ibis.literal(0, "uint64")
    for column in columns:
        kinds = (dt.uint64, column.type())
        out = ibis.udf.scalar.builtin(_hash, name="hash", signature=(kinds, dt.uint64))(out, column)
    return out


def _hash(seed: int, value: object) -> int:  # the body is DuckDB's
    """Hash a value on top of another hash."""
    raise NotImplementedError


@contextmanager
def unfused_selects() -> Iterator[None]:
    """Let Ibis keep one SELECT a step: merged into one, a step's expression is run once for each use."""
    before = ibis.options.sql.fuse_selects
    ibis.options.sql.fuse_selects = False
    try:
        yield
    finally:
        ibis.options.sql.fuse_selects = before


@dataclass(frozen=True)
class ParsedTable:
    """A table whose cells can be parsed, nothing computed yet.

    Parameters
    ----------
    con
        The engine that holds the raw rows.
    declared
        What decides the query: the table, its columns in the file, what is said of the county, which columns
        may lose cells, and which hold plain texts alone.
    inputs
        The raw rows, the rows that the file spoils, and what distinct cells mean.
    """

    con: Any
    declared: tuple[Any, ...]
    inputs: Mapping[str, compiled.Input]

    def store(self, name: str) -> ir.Table:
        """Store the rows without a fault."""
        with unfused_selects():
            return compiled.store_query(
                compiled.Columns(self.con), _good, *self.declared, name=name, temporary=False, **self.inputs
            )

    def faults(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return every fault for which a row is kept out, and what can still be read of those rows."""
        found = self.fetch(bad_rows)
        return faults_of(found, WHY), _parts(found)

    def parts_of_rows_with_errors(self) -> pd.DataFrame:
        """Return what can be read of the rows that the file format spoils."""
        return _parts(self.fetch(_rows_with_errors))

    def unread_cells(self) -> pd.DataFrame:
        """Return the optional cells that cannot be read, of rows that are used: ``row, column, reason``."""
        can_lose = self.declared[_CAN_LOSE]
        return faults_of(self.fetch(_unread) if can_lose else pd.DataFrame({ROW: []}), _LOST)

    def fetch(self, query: compiled.Build) -> pd.DataFrame:
        """Run a query over the parsed rows."""
        with unfused_selects():
            return compiled.fetch_frame(compiled.Columns(self.con), query, *self.declared, **self.inputs)


def parse_table(con: Any, raw: RawTable, about: About) -> ParsedTable:
    """Parse the rows of one table that its file format did not spoil."""
    faulty = pa.table({"faulty_": pa.array(sorted({row for row, _, _ in raw.faults}), pa.int64())})
    inputs: dict[str, compiled.Input] = {"rows": raw.rows, "faulty": faulty if raw.faults else None}
    columns = _columns(raw.table)
    looked_up = {n: raw.at[n] for n, c in columns.items() if c.type in _LOOKED_UP and n in raw.at}
    distinct = _distinct(con, list(looked_up.values()), inputs)
    for name, cell in looked_up.items():
        lookup = _lookup(
            raw.table, name, columns[name], distinct[cell], raw.rows[cell].type(), about.time_zone
        )
        inputs[f"{_LOOKUP}{name}"] = lookup
    dated = About(snapshot_on=about.snapshot_on, entry_lag_months=about.entry_lag_months)
    can_lose, plain = _can_lose(raw, inputs), _plain_texts(con, raw, inputs)
    return ParsedTable(con, (raw.table, dict(raw.at), tuple(raw.others), dated, can_lose, plain), inputs)


_CAN_LOSE = 4  # its place in what is declared


def _plain_texts(con: Any, raw: RawTable, inputs: Mapping[str, compiled.Input]) -> tuple[str, ...]:
    """Return the columns of texts, parsed in place, of which no cell is to be trimmed or refused.

    A table has far fewer households than rows, so its distinct ids are looked at and not every cell.
    """
    columns = _columns(raw.table)
    texts = [
        name
        for name, cell in sorted(raw.at.items())
        if f"{_LOOKUP}{name}" not in inputs
        and columns[name].type not in _NUMBERS
        and raw.rows[cell].type().is_string()
    ]
    if not texts:
        return ()
    cells = [raw.at[name] for name in texts]
    care = compiled.fetch_arrow(compiled.Columns(con), _need_care, cells, rows=raw.rows).to_pylist()[0]
    return tuple(name for name in texts if not care[raw.at[name]])


def _need_care(county: compiled.Shape, cells: list[str], rows: ir.Table) -> ir.Table:
    found = {}
    for cell in cells:
        distinct = rows.select(v=rows[cell]).distinct()
        found[cell] = distinct.aggregate(v=distinct.v.re_search(_NEEDS_CARE).any())
    return ops.DummyTable({cell: t.v.as_scalar().op() for cell, t in found.items()}).to_expr()


def needed_columns(table: str) -> set[str]:
    """Return the columns of which an unreadable cell takes its whole row: keys, and what is required.

    A ``row_id`` is a key: without it a correction would count beside what it corrects.
    """
    spec = contract().tables[table]
    months = {"month", "month_from", "month_to"} if table in SPAN_TABLES else set()
    return {n for n, c in spec.columns.items() if c.required} | {*spec.key, "row_id"} | months


def _can_lose(raw: RawTable, inputs: Mapping[str, compiled.Input]) -> tuple[str, ...]:
    """Return the optional columns in which a cell may be unreadable."""
    out = []
    for name in sorted(raw.at.keys() - needed_columns(raw.table)):
        if f"{_LOOKUP}{name}" not in inputs:
            out.append(name)  # which of their cells cannot be read is found row by row
        elif isinstance(lookup := inputs[f"{_LOOKUP}{name}"], pa.Table):
            out += [name] if lookup[f"f_{name}"].null_count < lookup.num_rows else []
    return tuple(out)


WHY, _LOST, _PART = "why_", "lost_", "part_"
# What is asked of a row that is kept out: whose it is, which span it speaks of, when it was recorded.
_PARTS = (
    "household_id", "member_id", "row_id", "month_from", "month_to", "valid_from", "date", "township",
    "village", "source",
)  # fmt: skip


def flag_columns(rows: Any, prefix: str) -> list[str]:
    """Return the columns of a kind of flag."""
    return [c for c in rows.columns if c.startswith(prefix)]


def _good(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    rows = _parsed(*declared, **inputs)
    sound = rows.filter([rows[why].isnull() for why in flag_columns(rows, WHY)])
    return sound.drop(*flag_columns(rows, WHY), *flag_columns(rows, _LOST), *flag_columns(rows, _PART))


def bad_rows(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    """Return the rows that are kept out, with why and with what can be read of them."""
    rows = _parsed(*declared, **inputs)
    bad = ibis.or_(*(rows[why].notnull() for why in flag_columns(rows, WHY)))
    return rows.filter(bad).select(ROW, *flag_columns(rows, WHY), *flag_columns(rows, _PART))


def _unread(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    rows = _parsed(*declared, **inputs)
    rows = rows.filter([rows[why].isnull() for why in flag_columns(rows, WHY)])
    lost = ibis.or_(*(rows[why].notnull() for why in flag_columns(rows, _LOST)))
    return rows.filter(lost).select(ROW, *flag_columns(rows, _LOST))


def _rows_with_errors(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    spoiled = inputs["rows"].semi_join(inputs["faulty"], [(ROW, "faulty_")])
    rows = _parsed(*declared, **{**inputs, "rows": spoiled, "faulty": None})
    return rows.select(ROW, *flag_columns(rows, _PART))


def faults_of(result: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Return ``row, column, reason, other`` of every flag that is set."""
    flags = [c for c in result.columns if c.startswith(prefix)]
    frame = result.melt(id_vars=ROW, value_vars=flags, var_name="column", value_name="reason")
    frame = frame.dropna(subset="reason").rename(columns={ROW: "row"})
    column = frame["column"].str.removeprefix(prefix)
    return frame.assign(column=column, other=pd.array([pd.NA] * len(frame), dtype="Int64"))


def _parts(result: pd.DataFrame) -> pd.DataFrame:
    parts = {c: c.removeprefix(_PART) for c in result.columns if c.startswith(_PART)}
    return result[[ROW, *parts]].rename(columns={ROW: "row", **parts})


def _parsed(
    table: str,
    at: Mapping[str, str],
    others: tuple[str, ...],
    about: About,
    can_lose: tuple[str, ...],
    plain: tuple[str, ...],
    rows: ir.Table,
    faulty: ir.Table | None,
    **lookups: ir.Table | None,
) -> ir.Table:
    """Return the parsed rows with why a row is kept out, which cells are lost, and what else was read."""
    raw = RawTable(table, "", rows, dict.fromkeys((*at.values(), *others), ""), at)
    rows, cells = _cells(raw, _sound(rows, faulty), lookups, plain)
    values = {name: cell.value for name, cell in cells.items()}
    needed = needed_columns(table)
    reasons = {name: cell.reason for name, cell in cells.items() if name in needed}
    lost = {name: cells[name].reason for name in can_lose}
    for name, reason in lost.items():
        if f"{_LOOKUP}{name}" not in lookups:
            values[name] = ibis.ifelse(reason.isnull(), values[name], ibis.null(values[name].type()))
    reasons |= dict.fromkeys({"valid_to", RECORDED} & cells.keys(), ibis.null("string"))
    if raw.table in SPAN_TABLES:
        _span(raw, values, reasons)
    for name, column in contract().tables[raw.table].columns.items():
        if column.required:
            missing = ibis.ifelse(values[name].isnull(), "missing value", ibis.null("string"))
            reasons[name] = ibis.coalesce(reasons[name], missing)
    if "date_precision" in at:
        values["date"] = to_month_end(values["date"], values["date_precision"])
    values["known_on"] = known_on(raw.table, values, about)
    _across(raw.table, values, reasons, lost)
    schema = canonical_schema(raw.table)
    out = {name: values[name].cast(kind) for name, kind in schema.items()}
    flags = {f"{WHY}{name}": reason for name, reason in reasons.items()}
    flags |= {f"{_LOST}{name}": reason for name, reason in lost.items()}
    nothing = {name: cells[name].reason for name in _PARTS if name in needed and name in cells}
    parts = {
        f"{_PART}{name}": ibis.ifelse(nothing[name].isnull(), out[name], ibis.null(schema[name]))
        if name in nothing
        else out[name]
        for name in _PARTS
        if name in schema
    } | {f"{_PART}{RECORDED}": values[RECORDED].cast("date")}
    extra = {EXTRA: _extra(raw, rows, values[RECORDED], lost)}
    return rows.select(rows[ROW], **out, **extra, **flags, **parts)


def _columns(table: str) -> dict[str, Column]:
    return dict(contract().tables[table].columns) | {RECORDED: _RECORDED_COLUMN}


def _sound(rows: ir.Table, faulty: ir.Table | None) -> ir.Table:
    """Leave out the rows that the file format spoils."""
    return rows if faulty is None else rows.anti_join(faulty, [(ROW, "faulty_")])


def _cells(
    raw: RawTable, rows: ir.Table, tables: Mapping[str, ir.Table | None], plain: tuple[str, ...]
) -> tuple[ir.Table, dict[str, Cell]]:
    """Return the rows with look-ups joined on, and each column's value and reason over them."""
    columns = _columns(raw.table)
    lookups = {name.removeprefix(_LOOKUP): lookup for name, lookup in tables.items()}
    joined: ir.Table = rows
    for name, lookup in lookups.items():
        if lookup is not None:
            joined = joined.left_join(lookup, [(raw.at[name], f"k_{name}")])
    as_given = {*plain, *(name for name, lookup in lookups.items() if lookup is None)}
    kinds = {n: c.type for n, c in columns.items() if n in raw.at and n not in {*lookups, *plain}}
    staged = joined.mutate(**{f"g_{n}": cell_content(joined[raw.at[n]], kind) for n, kind in kinds.items()})
    staged = staged.mutate(**{f"v_{n}": cell_value(staged[f"g_{n}"], kind) for n, kind in kinds.items()})
    cells = {}
    nothing = ibis.null("string")
    for name, column in columns.items():
        if name not in raw.at:
            cells[name] = Cell(ibis.null(ibis_type(column.type)), nothing)
        elif name in kinds:
            parsed = staged[f"v_{name}"]
            cells[name] = Cell(parsed, cell_fault(staged[f"g_{name}"], parsed, kinds[name]))
        elif name in as_given:
            cells[name] = Cell(staged[raw.at[name]], nothing)
        else:
            cells[name] = Cell(staged[f"v_{name}"], staged[f"f_{name}"])
    if raw.table in SPAN_TABLES or "amount" in [c.type for c in columns.values()]:
        _not_negative(raw.table, columns, cells)
    return staged, cells


def _distinct(con: Any, cells: list[str], inputs: Mapping[str, compiled.Input]) -> dict[str, pa.Array]:
    if not cells:
        return {}
    lists = compiled.fetch_arrow(compiled.Columns(con), _distinct_cells, cells, **inputs)
    return {c: lists[c].combine_chunks().flatten() for c in cells}


def _distinct_cells(
    county: compiled.Shape, cells: list[str], rows: ir.Table, faulty: ir.Table | None
) -> ir.Table:
    # Those of spoiled rows too: whose they are and of which month may still be read.
    return rows.aggregate(**{c: rows[c].collect(distinct=True) for c in cells})


def _lookup(
    table: str, name: str, column: Column, distinct: pa.Array, raw_type: dt.DataType, zone: str
) -> pa.Table | None:
    """Return ``k_, v_, f_`` (raw value, parsed value, reason) of a column; None where both are the same."""
    parse_one = value_parser(table, name, column, zone)
    keys = distinct.to_pylist()
    parsed = [parse_one(key) for key in keys]
    reasons = [reason for _, reason in parsed]
    kind = ibis_type(column.type)
    if not any(reasons) and [value for value, _ in parsed] == keys and raw_type == kind:
        return None
    values = pa.array([value for value, _ in parsed], kind.to_pyarrow())
    lookup = {f"k_{name}": distinct, f"v_{name}": values, f"f_{name}": pa.array(reasons, pa.string())}
    return pa.table(lookup)


def _not_negative(table: str, columns: Mapping[str, Column], cells: dict[str, Cell]) -> None:
    for name, column in columns.items():
        if column.type != "amount":
            continue
        negative = cells[name].value < 0
        if table == "income":
            # The one amount that may be: what is left of a business after its costs.
            negative = negative & (cells["source"].value != "business_net")
        why = ibis.ifelse(negative, "negative amount", ibis.null("string"))
        cells[name] = replace(cells[name], reason=ibis.coalesce(cells[name].reason, why))


def _span(raw: RawTable, values: dict[str, ir.Value], reasons: dict[str, ir.Value]) -> None:
    """Bring ``month`` and ``month_from``/``month_to`` to one form."""
    month = values["month"]
    first, last = (ibis.coalesce(values[end], month) for end in ("month_from", "month_to"))
    first_column = "month" if "month" in raw.at else "month_from"
    unsaid = (first.isnull() | last.isnull()) & ibis.and_(
        *(reasons[name].isnull() for name in ("month", "month_from", "month_to"))
    )
    crossed = (first > last) | ((month < first) | (month > last)).fill_null(False)
    why = ibis.cases((unsaid, "missing value"), (crossed.fill_null(False), "impossible date"))
    reasons[first_column] = ibis.coalesce(reasons[first_column], why)
    # A span of which one month contradicts another cannot be read: it is not half of it that is off record.
    no_span = crossed.fill_null(False)
    values["month_from"], values["month_to"] = (
        ibis.ifelse(no_span, ibis.null("int32"), end) for end in (first, last)
    )


def _across(
    table: str, values: dict[str, ir.Value], reasons: dict[str, ir.Value], lost: Mapping[str, ir.Value]
) -> None:
    """Add the faults that show only between two columns of a row."""
    columns = contract().tables[table].columns
    if "valid_to" in columns:
        ends_first = values["valid_to"] < values["valid_from"]
        why: ir.Value = ibis.ifelse(ends_first, "impossible date", ibis.null("string"))
        if "birth_month" in columns:
            to = values["valid_to"]
            born_later = to.year() * 12 + to.month() - 1 < values["birth_month"]
            why = ibis.cases((born_later, "birth after death"), (ends_first, "impossible date"))
        reasons["valid_to"] = ibis.coalesce(reasons["valid_to"], why)
    if "valid_from" in columns:
        nowhere = values["known_on"].isnull() & reasons["valid_from"].isnull()
        unread = [lost[RECORDED]] if RECORDED in lost else []
        undated = ibis.coalesce(*unread, ibis.literal("no date known"))
        reasons[RECORDED] = ibis.ifelse(nowhere, undated, ibis.null("string"))


def _extra(raw: RawTable, rows: ir.Table, recorded: ir.Value, lost: Mapping[str, ir.Value]) -> ir.Value:
    """Return a hash of what a row says outside the canonical columns; rows that differ in it are not equal.

    That is what the contract does not know, and the text of cells that cannot be read.
    """
    seed = recorded.notnull().cast("uint64")
    texts = [
        ibis.ifelse(reason.isnull(), ibis.null("string"), rows[raw.at[name]].cast("string"))
        for name, reason in lost.items()
    ]
    if not raw.others and not texts:
        return seed
    return row_hash(seed, *(rows[c] for c in raw.others), *texts)
