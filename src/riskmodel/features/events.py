"""Features of dated rows: risk events, the register, support, visits; and of assets held."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import Shape, rows_table
from riskmodel.features.aggregates import AGGREGATES, CODES_OF, MADE, DatedRows
from riskmodel.features.conditions import holds
from riskmodel.features.declaration import Feature
from riskmodel.households import Moment, point_in_time

KEY = ["household_id", "as_of"]
ZERO_WHERE_NO_ROW = ("count", "any", "sum", "nunique", "active")


def block(
    county: Shape, name: str, features: Sequence[Feature], clock: ir.Table, windows: ir.Table
) -> ir.Table:
    """Return the features of one table of dated rows, before the rule for missing values.

    A window of n months is ``(as_of − n months, as_of]``, as for open causes; without a window every row
    up to as-of counts.

    Parameters
    ----------
    county : Shape
    name : str
        ``risk_events``, ``monitoring``, ``support`` or ``visits``.
    features : sequence of Feature
    clock : ibis.Table
    windows : ibis.Table
        From `window_starts`.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with any row; one float column per feature.
    """
    t = point_in_time.known(county, name, clock).inner_join(windows, "as_of")
    t = t.mutate(month=(t.date.year() * 12 + t.date.month() - 1).cast("int32"))
    return t.group_by(KEY).agg(**{f.id: _aggregate(f, t).cast("float64") for f in features})


def assets(county: Shape, features: Sequence[Feature], clock: ir.Table) -> ir.Table:
    """Return the features of assets held at as-of; a set may ask for authorised rows only.

    Parameters
    ----------
    county : Shape
    features : sequence of Feature
        ``known_on: authorised_on`` leaves out what the household has not authorised by then.
    clock : ibis.Table

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with any row; one float column per feature.
    """
    t = point_in_time.known(county, "assets", clock)
    t = t.filter(point_in_time.valid(t))
    authorised = (t.authorised_on <= t.known_by).fill_null(False)
    out = {}
    for f in features:
        inside = t.kind.notnull() & _of_code(f, t)
        if f.known_on == "authorised_on":
            inside = inside & authorised
        out[f.id] = AGGREGATES[f.aggregate].assets(DatedRows(f, t, inside)).cast("float64")  # type: ignore[misc]
    return t.group_by(KEY).agg(**out)


def finish(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
    """Apply the declared rule for missing values to a feature of dated rows or assets."""
    if not county.has(f.source):
        return ibis.null("float64")
    value = t[f"{MADE}{f.id}"]
    if f.missing == "zero_if_table_present" and f.aggregate in ZERO_WHERE_NO_ROW:
        value = value.fill_null(0.0)
    return value / t.persons.nullif(0) if f.per == "head" else value


def window_starts(features: Sequence[Feature], when: Sequence[Moment]) -> pa.Table:
    """Return the day before each window of dated rows begins, by as-of: ``as_of, ago{months}``."""
    windows = sorted({f.window for f in features if f.window})
    rows = [
        {"as_of": m.as_of} | {f"ago{w}": point_in_time.add_months(m.as_of, -w) for w in windows} for m in when
    ]
    columns = ["as_of", *(f"ago{w}" for w in windows)]
    return rows_table(rows, **dict.fromkeys(columns, "date"))


def _of_code(f: Feature, t: ir.Table) -> ir.BooleanValue:
    if f.over in (None, "any"):
        return ibis.literal(True)
    return (t[CODES_OF[f.source].split(".")[1]] == f.over).fill_null(False)


def _aggregate(f: Feature, t: ir.Table) -> ir.Value:
    inside = (t.date <= t.as_of) & _of_code(f, t) & holds(t, f.where)
    if f.window and f.aggregate != "active":
        inside = inside & (t.date > t[f"ago{f.window}"])
    return AGGREGATES[f.aggregate].dated(DatedRows(f, t, inside))  # type: ignore[misc]  # declarations are checked
