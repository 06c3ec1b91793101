"""The table of aggregates: what a declared feature may compute, from which source, and how.

An aggregate is one entry below: its name, what it is (for the data dictionary), the keys that a declaration
must give, and one way to compute it for each kind of source. Declarations are checked against this table
before anything is computed; the engines of the sources (`riskmodel.features.monthly`, ``events``, …) look
their way up here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, TypeAlias

import ibis
import ibis.expr.types as ir

from riskmodel.features.declaration import Feature

MONTHLY = ("income", "spending")
EVENTS = ("risk_events", "monitoring", "support", "visits")
OBSERVED = ("accounts", "indicators")
SOURCES = ("accounting", *MONTHLY, "members", *EVENTS, "assets", *OBSERVED, "features", "neighbours")
PLACES = ("village", "township")

# Columns that the blocks make stand beside the accounting quantities, some of which have a feature's name.
BLOCK_PREFIX = "made_"

# Column whose codes a source may be declared `over`.
CODE_COLUMNS = {
    "income": "income.source",
    "spending": "spending.category",
    "risk_events": "risk_events.cause",
    "monitoring": "monitoring.event",
    "support": "support.measure",
    "visits": "visits.outcome",
    "assets": "assets.kind",
}
# Names for several codes together, with their Chinese and English words.
CODE_GROUPS = {
    "income": {"total": ("全部收入", "total")},
    "spending": {"rigid": ("刚性", "rigid")},
    "risk_events": {"any": ("任一", "any")},
    "monitoring": {"any": ("任一事项", "any register event")},
    "support": {"any": ("任一", "any")},
    "visits": {"any": ("任一核查", "any visit")},
    "assets": {"any": ("任一资产", "any asset")},
}

# Thresholds are compared after rounding, as in the official rules ("Exactly").
DECIMALS = 9
NULL = ibis.null("float64")
Line: TypeAlias = float | ir.FloatingValue
Parts: TypeAlias = Mapping[str, ir.Value]


def as_float(value: ir.Value) -> ir.FloatingValue:
    """Return a value as float64; booleans as 1 and 0."""
    if value.type().is_boolean():
        value = value.cast("int32")
    return value.cast("float64")


def positive(value: ir.Value) -> ir.Value:
    """Return a number where it is above 0, null elsewhere."""
    return ibis.ifelse(value > 0, value, NULL)


def _months_since(t: ir.Table, inside: ir.BooleanValue) -> ir.Value:
    return t.as_of_month.max() - ibis.ifelse(inside, t.month, None).max()


@dataclass(frozen=True)
class Monthly:
    """How an aggregate of monthly amounts is made.

    Parameters
    ----------
    parts : tuple of str
        What it is made of, per household, as-of, code and window: sums of y, y² and y·age (``s, q, w``),
        largest and smallest y (``hi, lo``), months with a row (``n``) and with y above 0 (``p``), the age of
        the last of those (``r``).
    formula : callable, optional
        Parts, months of the window and lag to the value; without one, codes with ``p`` above 0 are counted.
    empty : float, "window" or None
        What a household with records, but without any row of this code in the window, has: a number, the
        window's length, or null.
    least_window : int
        Months that a window must have.
    """

    parts: tuple[str, ...]
    formula: Callable[[Parts, int, int], ir.Value] | None
    empty: float | Literal["window"] | None = 0.0
    least_window: int = 1


@dataclass(frozen=True)
class DatedRows:
    """Dated rows of each household and as-of, and which are inside a feature's window and conditions."""

    feature: Feature
    table: ir.Table
    inside: ir.BooleanValue

    @property
    def count(self) -> ir.Value:
        """How many are inside."""
        return self.inside.cast("int32").sum()

    @property
    def any(self) -> ir.Value:
        """1 where one is inside, else 0."""
        return self.inside.cast("int32").max()

    @property
    def since(self) -> ir.Value:
        """Months since the last one inside."""
        return _months_since(self.table, self.inside)

    @property
    def codes(self) -> ir.Value:
        """How many different codes are inside."""
        code = self.table[CODE_COLUMNS[self.feature.source].split(".")[1]]
        return ibis.ifelse(self.inside, code, ibis.null("string")).nunique()


@dataclass(frozen=True)
class Members:
    """The members beside a feature: who meets its conditions, and the value of its column for those."""

    inside: ir.BooleanValue
    value: Any

    @property
    def any(self) -> ir.Value:
        """1 where one is inside, else 0."""
        return self.inside.cast("int32").max()


@dataclass(frozen=True)
class Observations:
    """Known values of a figure, oldest to newest.

    ``inside`` are those within the window and its conditions; ``counted`` are those of them that ``lag``
    leaves, which is one where it counts values back.
    """

    table: ir.Table
    value: ir.Value
    inside: ir.BooleanValue
    counted: ir.BooleanValue

    @property
    def last(self) -> ir.Value:
        """The newest value, or the one so many before it."""
        return self.value.argmax(self.table["order"], where=self.counted)

    @property
    def newest(self) -> ir.Value:
        """The newest value whatever the lag."""
        return self.value.argmax(self.table["order"], where=self.inside)

    @property
    def since(self) -> ir.Value:
        """Months since the last value."""
        return _months_since(self.table, self.counted)

    @property
    def values(self) -> ir.Value:
        """The values counted, null elsewhere."""
        return ibis.ifelse(self.counted, self.value, None)


@dataclass(frozen=True)
class Aggregate:
    """One way to a number, from any source that it is given a way for.

    Parameters
    ----------
    name
        As declarations write it.
    en : str
        What it is, for the data dictionary.
    needs : tuple of str
        Keys that the declaration must give.
    accounting : callable, optional
        A quantity of the household accounts and their table to the value.
    monthly
        How it is made of monthly amounts.
    dated, assets : callable, optional
        `DatedRows` to the value.
    dated_on : tuple of str
        The tables of dated rows that it can be declared on.
    members : callable, optional
        `Members` to the value.
    observed : callable, optional
        `Observations` to the value.
    derived : callable, optional
        Other features of the household and the line times the declared factor, to the value.
    neighbours : bool
        Whether it is one of the other households of the place.
    inputs : int, optional
        How many features an aggregate of features takes; any number by default.
    """

    name: str
    en: str
    needs: tuple[str, ...] = ()
    accounting: Callable[[ir.Value, ir.Table], ir.Value] | None = None
    monthly: Monthly | None = None
    dated: Callable[[DatedRows], ir.Value] | None = None
    dated_on: tuple[str, ...] = EVENTS
    assets: Callable[[DatedRows], ir.Value] | None = None
    members: Callable[[Members], ir.Value] | None = None
    observed: Callable[[Observations], ir.Value] | None = None
    derived: Callable[[Sequence[ir.Value], Line], ir.Value] | None = None
    neighbours: bool = False
    inputs: int | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that it can be declared on."""
        ways = {
            ("accounting",): self.accounting, MONTHLY: self.monthly, self.dated_on: self.dated,
            ("assets",): self.assets, ("members",): self.members, OBSERVED: self.observed,
            ("features",): self.derived, ("neighbours",): self.neighbours or None,
        }  # fmt: skip
        return tuple(source for sources, way in ways.items() if way is not None for source in sources)


def _std(part: Parts, n: int, lag: int) -> ir.Value:
    # n·Σy² − (Σy)² in decimals, exactly: a household with equal wages has a spread of exactly 0.
    squares = (part["q"] * n - part["s"] * part["s"]).cast("float64")
    return (squares / (n * (n - 1))).sqrt()


def _slope(part: Parts, n: int, lag: int) -> ir.Value:
    # With age a counted back from the last month, time is −a, and Σ(t − mean t)² = n(n² − 1)/12.
    covariance = part["s"] * (2 * lag + n - 1) - part["w"] * 2
    return covariance.cast("float64") * 6 / (n * (n * n - 1))


def _or_zero(value: ir.Value, part: Parts, n: int, which: Callable[..., ir.Value]) -> ir.Value:
    # A month without a row counts as 0 once any month is missing.
    return ibis.ifelse(part["n"] < n, which(as_float(value), 0.0), as_float(value))


def _active(rows: DatedRows) -> ir.Value:
    t = rows.table
    open_ended = t.end_date.isnull() & (t.date > t[f"ago{rows.feature.window}"])
    return (rows.inside & ((t.end_date > t.as_of).fill_null(False) | open_ended)).cast("int32").sum()


def _any_null(parts: Sequence[ir.Value]) -> ir.BooleanValue:
    return reduce(lambda a, b: a | b, [p.isnull() for p in parts])


def _all_of(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    # min over flags; least() skips nulls on DuckDB and not on Spark, so the product of comparisons is used.
    both = reduce(lambda a, b: a & b, [p == 1 for p in parts])
    return ibis.ifelse(_any_null(parts), NULL, both.cast("int32").cast("float64"))


def _below_line(parts: Sequence[ir.Value], line: Line) -> ir.Value:
    rounded = line.round(DECIMALS) if isinstance(line, ir.Value) else round(line, DECIMALS)
    return as_float(parts[0].round(DECIMALS) < rounded)


# Rounded to 9 decimals and summed as decimals: a mean must not depend on the order of rows.
_EXACT = "decimal(38,9)"
_MONTHS = ("over", "window")
_EMPTY = "months without a row as 0"
_ALL = (
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
        "sum", "sum over the window", ("window",),
        monthly=Monthly(("s",), lambda part, n, lag: as_float(part["s"])),
        dated=lambda rows: ibis.ifelse(rows.inside, rows.table[rows.feature.column], None).sum(),
        dated_on=("risk_events", "support"),
    ),
    Aggregate(
        "last", "last known value; with a lag, so many known values before it", ("column",),
        observed=lambda seen: seen.last,
    ),
    Aggregate(
        "change", "last known value minus the one so many before it", ("column", "lag"),
        observed=lambda seen: seen.newest - seen.last,
    ),
    Aggregate(
        "mean", "mean per month of the window (members: per member; observations: per known value)",
        monthly=Monthly(("s",), lambda part, n, lag: as_float(part["s"]) / n),
        members=lambda who: who.value.sum().cast("float64") / who.value.count().nullif(0),
        observed=lambda seen: seen.values.cast(_EXACT).mean(),
    ),
    Aggregate(
        "std", f"standard deviation of the monthly sums, {_EMPTY}", _MONTHS,
        monthly=Monthly(("s", "q"), _std, least_window=3),
    ),
    Aggregate(
        "cv", "standard deviation over mean; null where not positive", _MONTHS,
        monthly=Monthly(
            ("s", "q"), lambda part, n, lag: _std(part, n, lag) / positive(as_float(part["s"]) / n), None, 3
        ),
    ),
    Aggregate(
        "max", "largest monthly sum (elsewhere: value)",
        monthly=Monthly(("hi", "n"), lambda part, n, lag: _or_zero(part["hi"], part, n, ibis.greatest)),
        members=lambda who: who.value.max(),
        observed=lambda seen: seen.values.max(),
    ),
    Aggregate(
        "min", f"smallest monthly sum, {_EMPTY} (elsewhere: value)",
        monthly=Monthly(("lo", "n"), lambda part, n, lag: _or_zero(part["lo"], part, n, ibis.least)),
        members=lambda who: who.value.min(),
        observed=lambda seen: seen.values.min(),
    ),
    Aggregate(
        "slope", f"least-squares slope per month, {_EMPTY}", _MONTHS,
        monthly=Monthly(("s", "w"), _slope, least_window=3),
    ),
    Aggregate(
        "months_with", "months with an amount above 0", _MONTHS,
        monthly=Monthly(("p",), lambda part, n, lag: as_float(part["p"])),
    ),
    Aggregate(
        "months_without", "months without an amount above 0", _MONTHS,
        monthly=Monthly(("p",), lambda part, n, lag: n - as_float(part["p"]), "window"),
    ),
    Aggregate(
        "recency", "months since the last event or amount above 0; the window's length where no amount",
        ("over",),
        monthly=Monthly(("r",), lambda part, n, lag: as_float(part["r"] - lag), "window"),
        dated=lambda rows: rows.since,
    ),
    Aggregate("since", "months since the last known value", ("column",), observed=lambda seen: seen.since),
    Aggregate(
        "nunique", "different codes seen (amounts: above 0)",
        monthly=Monthly(("p",), None), dated=lambda rows: rows.codes, assets=lambda rows: rows.codes,
    ),
    Aggregate(
        "count", "number of rows (members: of members)",
        dated=lambda rows: rows.count, members=lambda who: who.inside.cast("int32").sum(),
        observed=lambda seen: seen.counted.cast("int32").sum(),
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
        "add", "sum of the parts; null where one is", ("of",),
        derived=lambda p, line: reduce(lambda a, b: a + b, p),
    ),
    Aggregate(
        "per_head", "divided by the members present; null without members", ("of",), inputs=1,
        derived=lambda p, line: p[0] / p[1].nullif(0),  # the members present stand second
    ),
    Aggregate(
        "to_line", "value minus factor times the line", ("of",), inputs=1, derived=lambda p, line: p[0] - line
    ),
    Aggregate(
        "below_line", "1 where the value is below factor times the line", ("of",), inputs=1,
        derived=_below_line,
    ),
    Aggregate(
        "missing", "1 where the value is missing", ("of",), inputs=1,
        derived=lambda p, line: as_float(p[0].isnull()),
    ),
    Aggregate("all_of", "1 where all parts are 1", ("of",), derived=_all_of),
    Aggregate(
        "greatest", "the largest part; null where one is", ("of",),
        derived=lambda p, line: ibis.ifelse(_any_null(p), NULL, ibis.greatest(*p)),
    ),
    Aggregate(
        "mean_others", "mean over the place's other households", ("of", "by"), neighbours=True, inputs=1
    ),
)  # fmt: skip
AGGREGATES = {a.name: a for a in _ALL}

# What null means and what stands for "no row": the rule is declared, never a habit.
MISSING = {
    "as_accounting": ("accounting",),
    "zero_if_table_present": ("spending", *EVENTS, "assets"),
    "null_if_no_income": ("income",),
    "null_if_none": (*EVENTS, *OBSERVED),
    "null_if_unknown": ("members",),
    "null_if_input_null": ("features",),
    "never": ("features",),
    "null_if_no_neighbour": ("neighbours",),
}
MISSING_EN = {
    "as_accounting": "null where the accounting quantity is null",
    "zero_if_table_present": "no row is 0; null where the table is absent",
    "null_if_no_income": "null where a 12-month period in the window has no income row; else no row is 0",
    "null_if_none": "null where there is no such row (observations: no known value in the window)",
    "null_if_unknown": "null where the column is known for no member, or there is no member",
    "null_if_input_null": "null where an input is null",
    "never": "never null",
    "null_if_no_neighbour": "null where no other household of the place has a value",
}
