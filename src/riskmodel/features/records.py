"""Features of dated rows: risk events, the register, support, visits; and of assets held.

Conditions as declared under ``where``: column to a value, a list of values, or a range.

Features of the members present: how many are so, shares, ages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import Shape, rows_table
from riskmodel.features.aggregates import AGGREGATES, BLOCK_PREFIX, CODE_COLUMNS, DatedRows, Members
from riskmodel.features.declaration import Feature
from riskmodel.households import PRESENT_MEMBERS, Moment, add_months, valid_on


def conditions_hold(t: ir.Table, where: Mapping[str, Any]) -> ir.BooleanValue:
    """Return whether all conditions hold; an unknown value never counts as the one asked for."""
    terms = [_condition_holds(t[column], wanted).fill_null(False) for column, wanted in where.items()]
    return reduce(lambda a, b: a & b, terms, ibis.literal(True))


def in_range(column: ir.Value, wanted: Mapping[str, Any]) -> ir.BooleanValue:
    """Return whether a value lies in ``{min: a, max: b}`` (both ends in, either may be left out)."""
    low, high = wanted.get("min"), wanted.get("max")
    above = column >= low if low is not None else column.notnull()
    return above & (column <= high) if high is not None else above


def _condition_holds(column: ir.Value, wanted: Any) -> ir.BooleanValue:
    if isinstance(wanted, dict):
        return in_range(column, wanted)
    if isinstance(wanted, list):
        return column.isin(wanted)
    return column == wanted


KEY = ["household_id", "as_of"]
ZERO_WHERE_NO_ROW = ("count", "any", "sum", "nunique", "active")


def dated_features(county: Shape, name: str, features: Sequence[Feature], windows: ir.Table) -> ir.Table:
    """Return the features of one table of dated rows, before the rule for missing values.

    A window of n months is ``(as_of − n months, as_of]``, as for open causes; without a window every row
    up to as-of counts.
    """
    t = county.rows(name).inner_join(windows, "as_of")
    t = t.mutate(month=(t.date.year() * 12 + t.date.month() - 1).cast("int32"))
    return t.group_by(KEY).agg(**{f.id: _dated_value(f, t).cast("float64") for f in features})


def asset_features(county: Shape, features: Sequence[Feature]) -> ir.Table:
    """Return the features of assets held at as-of; a set may ask for authorised rows only."""
    t = county.rows("assets")
    t = t.filter(valid_on(t))
    authorised = (t.authorised_on <= t.known_by).fill_null(False)
    out = {}
    for f in features:
        inside = t.kind.notnull() & _of_code(f, t)
        if f.known_on == "authorised_on":
            inside = inside & authorised
        out[f.id] = AGGREGATES[f.aggregate].assets(DatedRows(f, t, inside)).cast("float64")  # type: ignore[misc]
    return t.group_by(KEY).agg(**out)


def finish_record(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
    """Apply the declared rule for missing values to a feature of dated rows or assets."""
    if not county.has(f.source):
        return ibis.null("float64")
    value = t[f"{BLOCK_PREFIX}{f.id}"]
    if f.missing == "zero_if_table_present" and f.aggregate in ZERO_WHERE_NO_ROW:
        value = value.fill_null(0.0)
    return value / t.persons.nullif(0) if f.per == "head" else value


def window_starts(features: Sequence[Feature], when: Sequence[Moment]) -> pa.Table:
    """Return the day before each window of dated rows begins, by as-of: ``as_of, ago{months}``."""
    windows = sorted({f.window for f in features if f.window})
    rows = [{"as_of": m.as_of} | {f"ago{w}": add_months(m.as_of, -w) for w in windows} for m in when]
    columns = ["as_of", *(f"ago{w}" for w in windows)]
    return rows_table(rows, **dict.fromkeys(columns, "date"))


def _of_code(f: Feature, t: ir.Table) -> ir.BooleanValue:
    if f.over in (None, "any"):
        return ibis.literal(True)
    return (t[CODE_COLUMNS[f.source].split(".")[1]] == f.over).fill_null(False)


def _dated_value(f: Feature, t: ir.Table) -> ir.Value:
    inside = (t.date <= t.as_of) & _of_code(f, t) & conditions_hold(t, f.where)
    if f.window and f.aggregate != "active":
        inside = inside & (t.date > t[f"ago{f.window}"])
    return AGGREGATES[f.aggregate].dated(DatedRows(f, t, inside))  # type: ignore[misc]  # declarations are checked


def member_features(county: Shape, features: Sequence[Feature]) -> ir.Table:
    """Return the features of members, missing values decided.

    A count is null, not 0, where a column it asks about is known for no member of the household: an
    office that never recorded health has not thereby a healthy county.
    """
    t = county.rows(PRESENT_MEMBERS)
    asked = sorted({c for f in features for c in _member_columns(f)})
    known = {f"known_{c}": t[c].count() for c in asked}
    g = t.group_by(KEY).agg(**{f.id: _member_value(f, t).cast("float64") for f in features}, **known)
    return g.select(*KEY, **{f.id: _known_or_null(f, g) for f in features})


def _member_columns(f: Feature) -> list[str]:
    return [*f.where, *([f.column] if f.column else [])]


def _member_value(f: Feature, t: ir.Table) -> ir.Value:
    inside = t.member_id.notnull() & conditions_hold(t, f.where)
    value = ibis.ifelse(inside, t[f.column].cast("int32"), None) if f.column else None
    return AGGREGATES[f.aggregate].members(Members(inside, value))  # type: ignore[misc]  # declarations are checked


def _known_or_null(f: Feature, g: ir.Table) -> ir.Value:
    value = g[f.id]
    for column in _member_columns(f):
        value = ibis.ifelse(g[f"known_{column}"] > 0, value, ibis.null("float64"))
    return value
