"""The table of aggregates: what a declared feature may compute, from which source, and what it needs.

A family of declarations is checked against this table before anything is computed, and the data
dictionary takes its words from it.
"""

from __future__ import annotations

from dataclasses import dataclass

MONTHLY = ("income", "spending")
EVENTS = ("risk_events", "monitoring", "support", "visits")
OBSERVED = ("accounts", "indicators")
SOURCES = ("accounting", *MONTHLY, "members", *EVENTS, "assets", *OBSERVED, "features", "neighbours")
PLACES = ("village", "township")

# Columns that the blocks make stand beside the accounting quantities, some of which have a feature's name.
MADE = "made_"

# Column whose codes a source may be declared `over`.
CODES_OF = {
    "income": "income.source",
    "spending": "spending.category",
    "risk_events": "risk_events.cause",
    "monitoring": "monitoring.event",
    "support": "support.measure",
    "visits": "visits.outcome",
    "assets": "assets.kind",
}
# Names for several codes together, with their Chinese and English words.
TOGETHER = {
    "income": {"total": ("全部收入", "total")},
    "spending": {"rigid": ("刚性", "rigid")},
    "risk_events": {"any": ("任一", "any")},
    "monitoring": {"any": ("任一事项", "any register event")},
    "support": {"any": ("任一", "any")},
    "visits": {"any": ("任一核查", "any visit")},
    "assets": {"any": ("任一资产", "any asset")},
}


EMPTY_MONTHS = "months without a row as 0"


@dataclass(frozen=True)
class Aggregate:
    """One way to a number.

    Parameters
    ----------
    name : str
    sources : tuple of str
        The sources it can be declared on.
    needs : tuple of str
        Keys that the declaration must give.
    inputs : int or None
        How many features an aggregate of features takes; None means any number.
    en : str
        What it is, for the data dictionary.
    """

    name: str
    sources: tuple[str, ...]
    needs: tuple[str, ...]
    en: str
    inputs: int | None = None


# fmt: off
_ALL = (
    Aggregate("value", ("accounting",), ("column",), "the accounting quantity as it stands (yes = 1)"),
    Aggregate("equals", ("accounting",), ("where",), "1 where the state column has the code"),
    Aggregate("years_since", ("accounting",), ("column",), "calendar years since the year in the column"),
    Aggregate("months_since", ("accounting",), ("column",), "months since the month in the column"),
    Aggregate("sum", (*MONTHLY, "risk_events", "support"), ("window",), "sum over the window"),
    Aggregate("last", OBSERVED, ("column",), "last known value; with a lag, so many known values before it"),
    Aggregate("change", OBSERVED, ("column", "lag"), "last known value minus the one so many before it"),
    Aggregate("mean", (*MONTHLY, "members", *OBSERVED), (),
              "mean per month of the window (members: per member; observations: per known value)"),
    Aggregate("std", MONTHLY, ("over", "window"), f"standard deviation of the monthly sums, {EMPTY_MONTHS}"),
    Aggregate("cv", MONTHLY, ("over", "window"), "standard deviation over mean; null where not positive"),
    Aggregate("max", (*MONTHLY, "members", *OBSERVED), (), "largest monthly sum (elsewhere: value)"),
    Aggregate("min", (*MONTHLY, "members", *OBSERVED), (),
              f"smallest monthly sum, {EMPTY_MONTHS} (elsewhere: value)"),
    Aggregate("slope", MONTHLY, ("over", "window"), f"least-squares slope per month, {EMPTY_MONTHS}"),
    Aggregate("months_with", MONTHLY, ("over", "window"), "months with an amount above 0"),
    Aggregate("months_without", MONTHLY, ("over", "window"), "months without an amount above 0"),
    Aggregate("recency", (*MONTHLY, *EVENTS), ("over",),
              "months since the last event or amount above 0; the window's length where no amount"),
    Aggregate("since", OBSERVED, ("column",), "months since the last known value"),
    Aggregate("nunique", (*MONTHLY, *EVENTS, "assets"), (), "different codes seen (amounts: above 0)"),
    Aggregate("count", (*EVENTS, "members", *OBSERVED), (), "number of rows (members: of members)"),
    Aggregate("any", (*EVENTS, "members", "assets"), (), "1 where there is any, else 0"),
    Aggregate("none", ("members",), ("where",), "1 where no member is so, else 0"),
    Aggregate("active", ("support",), ("over", "window"),
              "measures not ended (without an end date: begun within the window)"),
    Aggregate("ratio", ("features",), ("of",), "first over second; null where the second is not positive", 2),
    Aggregate("difference", ("features",), ("of",), "first minus second", 2),
    Aggregate("growth", ("features",), ("of",), "first over second, minus 1; null where not positive", 2),
    Aggregate("log", ("features",), ("of",), "sign(x) * ln(1 + |x|)", 1),
    Aggregate("add", ("features",), ("of",), "sum of the parts; null where one is"),
    Aggregate("per_head", ("features",), ("of",), "divided by the members present; null without members", 1),
    Aggregate("to_line", ("features",), ("of",), "value minus factor times the line", 1),
    Aggregate("below_line", ("features",), ("of",), "1 where the value is below factor times the line", 1),
    Aggregate("missing", ("features",), ("of",), "1 where the value is missing", 1),
    Aggregate("all_of", ("features",), ("of",), "1 where all parts are 1"),
    Aggregate("greatest", ("features",), ("of",), "the largest part; null where one is"),
    Aggregate("mean_others", ("neighbours",), ("of", "by"), "mean over the place's other households", 1),
)
# fmt: on
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
