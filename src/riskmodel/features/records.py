"""Features of what stands in rows of its own: dated rows, assets, members, and observations.

Dated rows are risk events, the register, support and visits; conditions as declared under ``where`` are a
column with a value, a list of values, or a range.

An observation is a day with a figure. For source ``indicators`` it is the date of an item. For ``accounts``
it is the end of a month in which the household has a known income: every quantity of
`riskmodel.households.accounts`, and beside them ``line_ratio`` (income per head over the line of that time),
``line_share`` (the line over it, at most `MAX_LINE_SHARE`), ``line_log`` (minus its logarithm: 0 at
the line, above 0 over it) and ``below`` (1 where it was below). Surveys that come back now and then, and
offices that look once a year, have observations rather than months; ``lag`` counts known values back, and
``window`` says how many months back they may lie. An account is taken as it was known at its own end, an
indicator as it is known at as-of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import Shape, fetch_frame, month_end, rows_table
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import (
    AGGREGATES,
    CODE_COLUMNS,
    DECIMALS,
    DatedRows,
    Members,
    Observations,
    named,
)
from riskmodel.features.declaration import Feature
from riskmodel.features.derived import line_of
from riskmodel.households import (
    PRESENT_MEMBERS,
    KnownCounty,
    Moment,
    as_moments,
    known_county,
    last_complete_month,
    valid_on,
    window_end,
)
from riskmodel.rules import RelativeLine


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
UNDATED = "undated.support"
# Aggregates that, without a window, say the same whenever a row was.
_TIMELESS = ("count", "any", "sum", "nunique", "count_unknown", "share")
ZERO_WHERE_NO_ROW = ("count", "any", "sum", "nunique", "active", "count_unknown")


def dated_features(county: Shape, name: str, features: Sequence[Feature], windows: ir.Table) -> ir.Table:
    """Return the features of one table of dated rows, before the rule for missing values.

    A window of n months is the last n completed months by the calendar, as for income and spending; without
    a window every row up to as-of counts. A measure whose date is not known is no evidence of when: what it
    could change is NaN, while null stands for no row (`is_zero_without_row`).
    """
    t = county.rows(name).inner_join(windows, "as_of")
    t = t.mutate(month=(t.date.year() * 12 + t.date.month() - 1).cast("int32"))
    undated = name == "support" and county.facts[UNDATED]
    value = _value_if_dated if undated else _dated_value
    return t.group_by(KEY).agg(named({f.id: value(f, t).cast("float64") for f in features}))


def _value_if_dated(f: Feature, t: ir.Table) -> ir.Value:
    """Return a feature of measures, NaN where one without a date could lie in the window or outside."""
    undated = (~t.date_known).fill_null(False)
    open_here = undated & (t.date <= t.as_of) & conditions_hold(t, f.where)
    open_here = open_here & (_of_code(f, t) | (f.aggregate == "share"))
    if f.aggregate == "active":
        open_here = open_here & t.end_date.isnull()
    elif not f.window and f.aggregate in _TIMELESS:
        return _dated_value(f, t)
    if f.window:
        open_here = open_here & (t.date > t[f"ago{f.window}"])
    value = _dated_value(f, t, None if f.aggregate == "active" else ~undated).cast("float64")
    return ibis.ifelse(open_here.any(), ibis.literal(float("nan")), value)


def asset_features(county: Shape, features: Sequence[Feature]) -> ir.Table:
    """Return the features of assets held at as-of; a set may ask for authorised rows only."""
    t = county.rows("assets")
    t = t.filter(valid_on(t))
    authorised = (t.authorised_on <= t.known_by).fill_null(False)
    out = {}
    for f in features:
        held = authorised if f.known_on == "authorised_on" else ibis.literal(True)
        rows = DatedRows(f, t, held & t.kind.notnull() & _of_code(f, t), held)
        out[f.id] = AGGREGATES[f.aggregate].assets(rows).cast("float64")  # type: ignore[misc]
    return t.group_by(KEY).agg(named(out))


def is_zero_without_row(f: Feature) -> bool:
    """Say whether a feature of dated rows or assets is 0 for a household without any."""
    return f.missing == "zero_if_table_present" and f.aggregate in ZERO_WHERE_NO_ROW


def window_starts(features: Sequence[Feature], when: Sequence[Moment]) -> pa.Table:
    """Return between which days windows of dated rows lie, by as-of: ``as_of, until, ago{months}``.

    ``until`` is the last day of the last completed month, ``ago`` the one before a window begins.
    """
    windows = sorted({f.window for f in features if f.window})
    rows = []
    for m in when:
        last = last_complete_month(m.as_of)
        starts = {f"ago{w}": month_end(last - w) for w in windows}
        rows.append({"as_of": m.as_of, "until": month_end(last)} | starts)
    columns = ["as_of", "until", *(f"ago{w}" for w in windows)]
    return rows_table(rows, **dict.fromkeys(columns, "date"))


def _of_code(f: Feature, t: ir.Table) -> ir.BooleanValue:
    if f.over in (None, "any"):
        return ibis.literal(True)
    return (t[CODE_COLUMNS[f.source].split(".")[1]] == f.over).fill_null(False)


def _dated_value(f: Feature, t: ir.Table, counted: ir.BooleanValue | None = None) -> ir.Value:
    within = (t.date <= t.as_of) & conditions_hold(t, f.where)
    within = within if counted is None else within & counted
    # What is active is a state of the as-of day, not of a window.
    if f.window and f.aggregate != "active":
        within = within & (t.date > t[f"ago{f.window}"]) & (t.date <= t.until)
    rows = DatedRows(f, t, within & _of_code(f, t), within)
    return AGGREGATES[f.aggregate].dated(rows)  # type: ignore[misc]  # declarations are checked


def member_features(county: Shape, features: Sequence[Feature]) -> ir.Table:
    """Return the features of members, missing values decided.

    A count is null, not 0, where a column it asks about is known for no member of the household: an
    office that never recorded health has not thereby a healthy county.
    """
    t = county.rows(PRESENT_MEMBERS)
    asked = sorted({c for f in features for c in _member_columns(f)})
    known = {f"known_{c}": t[c].count() for c in asked}
    values = {f.id: _member_value(f, t).cast("float64") for f in features}
    g = t.group_by(KEY).agg(named(values | known))
    return g.select(*KEY, *named({f.id: _known_or_null(f, g) for f in features}))


def _member_columns(f: Feature) -> list[str]:
    own = f.column and f.aggregate != "count_unknown"
    return [*f.where, *([str(f.column)] if own else [])]


def _member_value(f: Feature, t: ir.Table) -> ir.Value:
    inside = t.member_id.notnull() & conditions_hold(t, f.where)
    column = t[f.column] if f.column else ibis.null("int32")
    unknown = inside & column.isnull()
    number = ibis.null("int32") if f.aggregate == "count_unknown" else column.cast("int32")
    who = Members(inside, ibis.ifelse(inside, number, None), unknown)
    return AGGREGATES[f.aggregate].members(who)  # type: ignore[misc]  # declarations are checked


def _known_or_null(f: Feature, g: ir.Table) -> ir.Value:
    value = g[f.id]
    for column in _member_columns(f):
        value = ibis.ifelse(g[f"known_{column}"] > 0, value, ibis.null("float64"))
    return value


RATIO, SHARE, LOG, BELOW = "line_ratio", "line_share", "line_log", "below"
# How each moves as the line rises.
_LINE_MOVES = {RATIO: -1, SHARE: 1, LOG: -1, BELOW: 1}
_KEEP_ORDER = ("last", "first", "mean", "min", "max", "sum")
# Stands for "no income at all", where the share has no value; finite, so that means are.
MAX_LINE_SHARE = 1_000.0


def line_move(f: Feature) -> int | None:
    """Return how a feature of accounts moves as the line rises: −1, +1, 0 (it depends), None (not at all)."""
    move = _LINE_MOVES.get(str(f.column))
    return move if move is None or (f.aggregate in _KEEP_ORDER and not f.where) else 0


def indicator_features(county: Shape, features: Sequence[Feature], windows: ir.Table) -> ir.Table:
    """Return the features of items of ``indicators``."""
    items = sorted({str(f.column) for f in features})
    corrected = county.facts.get("corrected.indicators", False)
    # A corrected row holds from one moment to another, so then every moment has rows of its own.
    t = county.rows("indicators") if corrected else county.table("indicators")
    by = [*(KEY if corrected else ["household_id"]), "date", "known_on"]
    t = t.filter(t["item"].isin(items))
    wide = t.group_by(by).agg(
        **{
            _observed_column(i): ibis.ifelse(t["item"] == item, t.value, None).max()
            for i, item in enumerate(items)
        }
    )
    names = {item: _observed_column(i) for i, item in enumerate(items)}
    return _observed_features(wide, features, names, windows)


def account_features(
    county: Shape,
    line: float | RelativeLine,
    features: Sequence[Feature],
    quantities: ir.Table,
    windows: ir.Table,
) -> ir.Table:
    """Return the features of accounts at the end of every month with income, this one and earlier ones."""
    t = quantities.filter(quantities.pcni.notnull())
    t = t.left_join(line_of(line, quantities), "as_of", rname="{name}_line")
    there = t.pcni > t.line / MAX_LINE_SHARE
    share = ibis.ifelse(there, t.line / t.pcni.nullif(0), ibis.literal(MAX_LINE_SHARE))
    below = t.pcni.round(DECIMALS) < t.line.round(DECIMALS)
    t = t.mutate(
        **{RATIO: t.pcni / t.line.nullif(0), SHARE: share, LOG: -share.ln(), BELOW: below.cast("int32")}
    )
    columns = sorted({str(f.column) for f in features})
    for column in columns:
        if column not in t.columns or not (t[column].type().is_numeric() or t[column].type().is_boolean()):
            raise SpecError(
                f"feature on accounts: column: {column!r} is no number of the accounting; there are: "
                f"{', '.join(c for c in t.columns if t[c].type().is_numeric())}"
            )
    names = {column: _observed_column(i) for i, column in enumerate(columns)}
    values = {name: _number(t[column]) for column, name in names.items()}
    wide = t.select("household_id", date=t.as_of, known_on=t.known_by, **values)
    return _observed_features(
        wide, features, {column: _observed_column(i) for i, column in enumerate(columns)}, windows
    )


def known_at_account_ends(known: KnownCounty, features: Sequence[Feature]) -> KnownCounty:
    """Return the county as known at the ends of the months with income that any feature can reach."""
    t = fetch_frame(known, _income_months)["month_to"]
    when = known.moments
    last = max(last_complete_month(m.as_of) for m in when)
    windows = [f.window for f in features]
    reach = None if None in windows else max(w for w in windows if w is not None)
    first = 0 if reach is None else min(last_complete_month(m.as_of) for m in when) - reach + 1
    ends = as_moments(month_end(int(m)) for m in t if first <= m <= last)
    return known_county(known.county, ends)


def _income_months(county: Shape) -> ir.Table:
    return county.table("income").select("month_to").distinct()


def observation_windows(features: Sequence[Feature], when: Sequence[Moment]) -> pa.Table:
    """Return the day before each window of observations begins: ``as_of, known_by, ago{months}``."""
    windows = sorted({f.window for f in features if f.window})
    rows = [
        {"as_of": m.as_of, "known_by": m.known_by} | {f"ago{w}": window_end(m.as_of, -w) for w in windows}
        for m in when
    ]
    columns = ["as_of", "known_by", *(f"ago{w}" for w in windows)]
    return rows_table(rows, **dict.fromkeys(columns, "date"))


def _number(value: ir.Value) -> ir.FloatingValue:
    return (value.cast("int32") if value.type().is_boolean() else value).cast("float64")


def _observed_column(i: int) -> str:
    return f"v{i}"


def _observed_features(
    wide: ir.Table, features: Sequence[Feature], names: dict[str, str], windows: ir.Table
) -> ir.Table:
    """Aggregate ``household_id, [as_of,] date, known_on, v0, v1, …`` to one row per household and as-of."""
    t = _in_reach(wide, features, windows)
    lagged = sorted({names[str(f.column)] for f in features if f.lag})
    t = t.mutate(**{f"back_{c}": _values_back(t, c) for c in lagged})
    values = {f.id: _observed_value(f, t, names[str(f.column)]) for f in features}
    return t.group_by(KEY).agg(named(values))


def _in_reach(wide: ir.Table, features: Sequence[Feature], days: ir.Table) -> ir.Table:
    """Attach the as-of dates at which each observation is known and in reach, and ``order`` in time."""
    own = "as_of" in wide.columns
    t = wide.inner_join(days, "as_of") if own else wide.cross_join(days)
    t = t.filter((t.date <= t.as_of) & (t.known_on <= t.known_by))
    if all(f.window for f in features):
        t = t.filter(t.date > t[f"ago{max(f.window or 0 for f in features)}"])
    day = 86400
    # Of two rows of one day the later recorded one is the later one.
    order = (t.date.epoch_seconds() // day) * 100_000 + t.known_on.epoch_seconds() // day
    return t.mutate(
        order=order.cast("int64"),
        month=(t.date.year() * 12 + t.date.month() - 1).cast("int32"),
        as_of_month=(t.as_of.year() * 12 + t.as_of.month() - 1).cast("int32"),
    )


def _values_back(t: ir.Table, column: str) -> ir.Value:
    """Return how many known values of a column lie between a row and as-of."""
    return ibis.row_number().over(group_by=[*KEY, t[column].isnull()], order_by=ibis.desc("order"))


def _observed_value(f: Feature, t: ir.Table, column: str) -> ir.Value:
    value = t[column]
    inside = value.notnull()
    if f.window:
        inside = inside & (t.date > t[f"ago{f.window}"])
    if f.where:  # counted back among all known values, whatever they are
        inside = inside & in_range(value, f.where["value"]).fill_null(False)
    counted = inside & (t[f"back_{column}"] == f.lag) if f.lag else inside
    observations = Observations(t, value, inside, counted)
    return AGGREGATES[f.aggregate].observed(observations).cast("float64")  # type: ignore[misc]  # declarations are checked
