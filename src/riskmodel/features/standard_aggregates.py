"""The aggregates that come with the package; a module beside this one may register further ones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir
import numpy as np

from riskmodel.features.aggregates import (
    AGGREGATES,
    DECIMALS,
    NULL,
    OBSERVED,
    Aggregate,
    DatedRows,
    Line,
    Monthly,
    as_float,
    positive,
)
from riskmodel.features.windows import (
    YEAR,
    MonthlyWindow,
    mean,
    quantile,
    spread,
    yuan,
)


def _active(rows: DatedRows) -> ir.Value:
    t = rows.table
    open_ended = t.end_date.isnull() & (t.date > t[f"ago{rows.feature.window}"])
    return (rows.inside & ((t.end_date > t.as_of).fill_null(False) | open_ended)).cast("int32").sum()


def _variation(w: MonthlyWindow) -> np.ndarray:
    level = mean(w.total, w.months)
    return w.spread / np.where(level > 0, level, np.nan)


def _share(w: MonthlyWindow) -> np.ndarray:
    everything = w.of(None).total
    return w.total / np.where(everything > 0, everything, np.nan)


def _codes_paid(w: MonthlyWindow) -> np.ndarray:
    paid = [w.of(code).months_paid > 0 for code in w.codes]
    return np.sum(paid, axis=0).astype(np.float64)


def _asked(w: MonthlyWindow) -> float:
    assert w.quantile is not None  # declarations are checked
    return w.quantile


def _any_null(parts: Sequence[ir.Value]) -> ir.BooleanValue:
    return reduce(lambda a, b: a | b, [p.isnull() for p in parts])


def _all_of(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    # min over flags; least() skips nulls on DuckDB and not on Spark, so the product of comparisons is used.
    both = reduce(lambda a, b: a & b, [p == 1 for p in parts])
    return ibis.ifelse(_any_null(parts), NULL, both.cast("int32").cast("float64"))


# What counts as nothing beside the line: logs of less are all the same.
_LEAST_SHARE = 0.05


def _log_of_line(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    share = as_float(parts[0]) / line
    # Written so that a null stays null.
    return ibis.ifelse(share <= _LEAST_SHARE, _LEAST_SHARE, share).ln()


def _log_ratio(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    above, below = (ibis.ifelse(as_float(p) < 0, 0.0, as_float(p)) + line for p in parts)
    return (above / below).ln()


def _least_known(parts: Sequence[ir.Value]) -> ir.Value:
    # Engines differ in what least() makes of nulls.
    return reduce(
        lambda a, b: ibis.ifelse(b.isnull() | (a <= b), a, ibis.ifelse(a.isnull() | (b < a), b, a)), parts
    )


def _cv_recorded(w: MonthlyWindow) -> np.ndarray:
    level = mean(w.total, w.months_recorded)
    return spread(w.amounts, w.months_recorded) / np.where(level > 0, level, np.nan)


def _largest_rise(w: MonthlyWindow) -> np.ndarray:
    """Return by how much one month exceeds the same month a year before at most, in yuan; at least 0."""
    before = w.earlier(YEAR)
    both = w.recorded & before.recorded
    rise = np.where(both, w.amounts - before.amounts, 0).max(axis=0, initial=0)
    return np.where(both.any(axis=0), yuan(rise), np.nan)


def _below_line(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    rounded = line.round(DECIMALS) if isinstance(line, ir.Value) else round(line, DECIMALS)
    return as_float(parts[0].round(DECIMALS) < rounded)


# Rounded to 9 decimals and summed as decimals: a mean must not depend on the order of rows.
_EXACT = "decimal(38,9)"
_MONTHS = ("over", "window")
_RECORDED = ("window", "least_months")
_VALUED = ("risk_events", "support")  # tables with an amount
_EMPTY = "months without a row as 0"
_STANDARD = (
    Aggregate(
        "value", "the accounting quantity as it stands (yes = 1)", ("column",),
        accounting=lambda value, t: as_float(value),
    ),
    Aggregate(
        "equals", "1 where the state column has the code", ("where",),
        accounting=lambda value, t: as_float(value),  # of the condition, null where the column is
    ),
    Aggregate(
        "years_since", "calendar years since the year in the column", ("column",),
        accounting=lambda value, t: t.as_of.year() - as_float(value),
    ),
    Aggregate(
        "months_since", "months since the month in the column", ("column",),
        accounting=lambda value, t: t.as_of_month - as_float(value),
    ),
    Aggregate(
        "sum", "sum over the window", ("window",), column_on=_VALUED,
        monthly=Monthly(lambda w: yuan(w.total), of_nothing=0),
        dated=lambda rows: ibis.ifelse(rows.inside, rows.table[rows.feature.column], None).sum(),
        dated_on=_VALUED,
    ),
    Aggregate(
        "last", "last known value (with a lag, so many known values before it; amounts: of the last month)",
        column_on=(*_VALUED, *OBSERVED),
        monthly=Monthly(lambda w: yuan(w.amounts[-1])), dated=lambda rows: rows.last, dated_on=_VALUED,
        observed=lambda seen: seen.last,
    ),
    Aggregate(
        "first", "first known value of the window (amounts: of its first month)",
        column_on=(*_VALUED, *OBSERVED),
        monthly=Monthly(lambda w: yuan(w.amounts[0])), dated=lambda rows: rows.first, dated_on=_VALUED,
        observed=lambda seen: seen.first,
    ),
    Aggregate(
        "change", "last known value minus the one so many before it", ("column", "lag"),
        observed=lambda seen: seen.newest - seen.last,
    ),
    Aggregate(
        "mean", "mean per month of the window (members: per member; observations: per known value)",
        column_on=("members",),
        monthly=Monthly(lambda w: mean(w.total, w.months)),
        members=lambda who: who.value.sum().cast("float64") / who.value.count().nullif(0),
        observed=lambda seen: seen.values.cast(_EXACT).mean(),
    ),
    Aggregate(
        "std", f"standard deviation of the monthly sums, {_EMPTY} (elsewhere: of the values, two or more)",
        _MONTHS, monthly=Monthly(lambda w: w.spread, least_window=3),
        # Rounded, because a sum of squares depends on the order of rows in its last digits.
        observed=lambda seen: seen.values.cast("float64").std(how="sample").round(DECIMALS),
    ),
    Aggregate(
        "cv", "standard deviation over mean; null where not positive", _MONTHS,
        monthly=Monthly(_variation, least_window=3),
    ),
    Aggregate(
        "max", "largest monthly sum (elsewhere: value)", column_on=("members",),
        monthly=Monthly(lambda w: yuan(w.largest)),
        members=lambda who: who.value.max(),
        observed=lambda seen: seen.values.max(),
    ),
    Aggregate(
        "min", f"smallest monthly sum, {_EMPTY} (elsewhere: value)", column_on=("members",),
        monthly=Monthly(lambda w: yuan(w.smallest)),
        members=lambda who: who.value.min(),
        observed=lambda seen: seen.values.min(),
    ),
    Aggregate(
        "slope", f"least-squares slope per month, {_EMPTY}", _MONTHS,
        monthly=Monthly(lambda w: w.slope, least_window=3),
    ),
    Aggregate(
        "months_with", "months with an amount above 0", _MONTHS,
        monthly=Monthly(lambda w: w.months_paid.astype(np.float64)),
    ),
    Aggregate(
        "months_without", "months without an amount above 0", _MONTHS,
        monthly=Monthly(lambda w: (w.months - w.months_paid).astype(np.float64)),
    ),
    Aggregate(
        "recency", "months since the last event or amount above 0; the window's length where no amount",
        ("over",),
        monthly=Monthly(lambda w: w.months_since_paid),
        dated=lambda rows: rows.since,
    ),
    Aggregate("since", "months since the last known value", ("column",), observed=lambda seen: seen.since),
    Aggregate(
        "nunique", "different codes seen (amounts: above 0)",
        monthly=Monthly(_codes_paid), dated=lambda rows: rows.codes, assets=lambda rows: rows.codes,
    ),
    Aggregate(
        "count", "number of rows (members: of members)",
        dated=lambda rows: rows.count, members=lambda who: who.inside.cast("int32").sum(),
        observed=lambda seen: seen.counted.cast("int32").sum(),
    ),
    Aggregate(
        "rows", "number of rows in the window", ("window",),
        monthly=Monthly(lambda w: w.rows.sum(axis=0).astype(np.float64)),
    ),
    Aggregate(
        "share", "share of the code in all codes together; null where there is nothing", ("over",),
        monthly=Monthly(_share), dated=lambda rows: rows.share, assets=lambda rows: rows.share,
    ),
    Aggregate(
        "quantile", f"quantile of the monthly sums, {_EMPTY}", ("window", "quantile"),
        monthly=Monthly(lambda w: quantile(w.amounts, w.recorded, _asked(w))),
    ),
    Aggregate(
        "mean_recorded", "mean per month on record", _RECORDED,
        monthly=Monthly(lambda w: mean(w.total, w.months_recorded), "least"),
    ),
    Aggregate(
        "std_recorded", "standard deviation of the sums of the months on record", _RECORDED,
        monthly=Monthly(lambda w: spread(w.amounts, w.months_recorded, w.fen), "least", 3),
    ),
    Aggregate(
        "yearly_recorded", "what the months on record make in a year: their mean times twelve", _RECORDED,
        monthly=Monthly(lambda w: YEAR * mean(w.total, w.months_recorded), "least", of_nothing=0),
    ),
    Aggregate(
        "cv_recorded", "standard deviation over mean of the months on record; null where not positive",
        _RECORDED, monthly=Monthly(_cv_recorded, "least", 3),
    ),
    Aggregate(
        "largest_rise_recorded",
        "by how much one month on record exceeds the same month a year before at most; 0 where none does",
        _RECORDED, monthly=Monthly(_largest_rise, "least", before=YEAR, of_nothing=0),
    ),
    Aggregate(
        "rate_recorded", "share of the months on record with an amount above 0", _RECORDED,
        monthly=Monthly(lambda w: w.months_paid / np.maximum(w.months_recorded, 1), "least"),
    ),
    Aggregate(
        "quantile_recorded", "quantile of the sums of the months on record", (*_RECORDED, "quantile"),
        monthly=Monthly(lambda w: quantile(w.amounts, w.recorded, _asked(w)), "least"),
    ),
    Aggregate(
        "months_recorded", "months of the window that are on record", ("window",),
        monthly=Monthly(lambda w: w.months_recorded.astype(np.float64), "any"),
    ),
    Aggregate(
        "count_unknown", "rows without a known code, or value of the column (members: of the column)",
        column_on=("members",),
        dated=lambda rows: rows.unknown, assets=lambda rows: rows.unknown,
        members=lambda who: who.unknown.cast("int32").sum(),
    ),
    Aggregate(
        "any", "1 where there is any, else 0",
        dated=lambda rows: rows.any, assets=lambda rows: rows.any, members=lambda who: who.any,
    ),
    Aggregate("none", "1 where no member is so, else 0", ("where",), members=lambda who: 1 - who.any),
    Aggregate(
        "active", "measures not ended (without an end date: begun within the window)", _MONTHS,
        dated=_active, dated_on=("support",),
    ),
    Aggregate(
        "ratio", "first over second; null where the second is not positive", ("of",), inputs=2,
        derived=lambda p, line: p[0] / positive(p[1]),
    ),
    Aggregate(
        "difference", "first minus second", ("of",), inputs=2, derived=lambda p, line: p[0] - p[1]
    ),
    Aggregate(
        "growth", "first over second, minus 1; null where not positive", ("of",), inputs=2,
        derived=lambda p, line: p[0] / positive(p[1]) - 1,
    ),
    Aggregate(
        "log", "sign(x) * ln(1 + |x|)", ("of",), inputs=1,
        derived=lambda p, line: p[0].sign() * (p[0].abs() + 1).ln(),
    ),
    Aggregate(
        "add", "sum of the parts; null where one is", ("of",), keeps_order=True,
        derived=lambda p, line: reduce(lambda a, b: a + b, p),
    ),
    Aggregate(
        "per_head", "divided by the members present; null without members", ("of",), inputs=1,
        derived=lambda p, line: p[0] / p[1].nullif(0),  # the members present stand second
    ),
    Aggregate(
        "to_line", "value minus factor times the line", ("of",), inputs=1, line=-1,
        derived=lambda p, line: p[0] - line,
    ),
    Aggregate(
        "log_line", f"ln of the value over factor times the line, at least of {_LEAST_SHARE:.0%} of it",
        ("of",), inputs=1, line=-1, derived=_log_of_line,
    ),
    Aggregate(
        "log_ratio", "ln of first over second, factor times the line added to both, negative values as 0",
        ("of",), inputs=2, line=0, derived=_log_ratio,
    ),
    Aggregate(
        "multiply", "product of the parts; null where one is", ("of",),
        derived=lambda p, line: reduce(lambda a, b: a * b, p),
    ),
    Aggregate(
        "exp", "e to the value", ("of",), inputs=1, derived=lambda p, line: p[0].exp()
    ),
    Aggregate(
        "below_line", "1 where the value is below factor times the line", ("of",), inputs=1, line=1,
        derived=_below_line,
    ),
    Aggregate(
        "missing", "1 where the value is missing", ("of",), inputs=1,
        derived=lambda p, line: as_float(p[0].isnull()),
    ),
    Aggregate("all_of", "1 where all parts are 1", ("of",), keeps_order=True, derived=_all_of),
    Aggregate(
        "greatest", "the largest part; null where one is", ("of",), keeps_order=True,
        derived=lambda p, line: ibis.ifelse(_any_null(p), NULL, ibis.greatest(*p)),
    ),
    Aggregate(
        "least_known", "the smallest of the parts that are known; null where none is", ("of",),
        keeps_order=True,
        derived=lambda p, line: _least_known(p),
    ),
    Aggregate(
        "mean_others", "mean over the place's other households", ("of", "by"), neighbours=True, inputs=1,
        keeps_order=True,
    ),
)  # fmt: skip
for _aggregate in _STANDARD:
    AGGREGATES.register(_aggregate)
