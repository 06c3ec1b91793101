"""What an aggregate of a declared feature is, and the registry of them all.

An aggregate is one entry of `AGGREGATES`: its name, what it is (for the data dictionary), the keys that a
declaration must give, and one way to compute it for each kind of source. Declarations are checked against the
registry before anything is computed; the engines of the sources (`riskmodel.features.monthly`, ``records``)
look their way up in it. Those that come with the package stand in `riskmodel.features.standard_aggregates`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import ibis
import ibis.expr.types as ir
import numpy as np

from riskmodel.features.declaration import Feature
from riskmodel.features.windows import MonthlyWindow
from riskmodel.io import Registry

MONTHLY = ("income", "spending")
EVENTS = ("risk_events", "monitoring", "support", "visits")
OBSERVED = ("accounts", "indicators")
SOURCES = ("accounting", *MONTHLY, "members", *EVENTS, "assets", *OBSERVED, "features", "neighbours")
PLACES = ("village", "township")

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
# Names for several codes together; their words stand in the catalogue (`features.together`).
CODE_GROUPS = {
    "income": ("total",),
    "spending": ("total", "rigid"),
    "risk_events": ("any",),
    "monitoring": ("any",),
    "support": ("any",),
    "visits": ("any",),
    "assets": ("any",),
}

# Thresholds are compared after rounding, as in the official rules ("Exactly").
DECIMALS = 9
NULL = ibis.null("float64")
Line: TypeAlias = float | ir.FloatingValue


def as_float(value: ir.Value) -> ir.FloatingValue:
    """Return a value as float64; booleans as 1 and 0."""
    if value.type().is_boolean():
        value = value.cast("int32")
    return value.cast("float64")


def positive(value: ir.Value) -> ir.Value:
    """Return a number where it is above 0, null elsewhere."""
    return ibis.ifelse(value > 0, value, NULL)


def named(values: Mapping[str, ir.Value]) -> list[ir.Value]:
    """Return columns under their names: as keywords, some names would be taken for arguments."""
    return [value.name(name) for name, value in values.items()]


def _months_since(t: ir.Table, inside: ir.BooleanValue) -> ir.Value:
    return t.as_of_month.max() - ibis.ifelse(inside, t.month, None).max()


@dataclass(frozen=True)
class Monthly:
    """How an aggregate of monthly amounts is made.

    Parameters
    ----------
    value : callable
        A window to a number for each household, NaN where there is none.
    months : "all", "least" or "any"
        Of which months it is made: of the whole window, null where one of them is not on record; of those on
        record, null where they are fewer than the declared ``least_months``; or of the record itself, never
        null. Amounts of months that are not on record are 0 in the last two.
    least_window : int
        Months that a window must have, and ``least_months`` too.
    before : int
        How many months before the window it looks at too.
    of_nothing : float, optional
        What it is of amounts that are all 0, where that says something.
    """

    value: Callable[[MonthlyWindow], np.ndarray]
    months: Literal["all", "least", "any"] = "all"
    least_window: int = 1
    before: int = 0
    of_nothing: float | None = None


@dataclass(frozen=True)
class DatedRows:
    """Dated rows of each household and as-of, and which are inside a feature's window and conditions.

    ``of_any_code`` are those inside whatever their code.
    """

    feature: Feature
    table: ir.Table
    inside: ir.BooleanValue
    of_any_code: ir.BooleanValue

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
    def code(self) -> ir.Value:
        """The code of each row."""
        return self.table[CODE_COLUMNS[self.feature.source].split(".")[1]]

    @property
    def codes(self) -> ir.Value:
        """How many different codes are inside."""
        return ibis.ifelse(self.inside, self.code, ibis.null("string")).nunique()

    @property
    def share(self) -> ir.Value:
        """The share of those inside among those of any code; null without any."""
        everything = self.of_any_code.cast("int32").sum().cast("float64")
        return self.count.cast("float64") / everything.nullif(0)

    @property
    def unknown(self) -> ir.Value:
        """How many have no known code, or no known value of the column asked for."""
        asked = self.table[self.feature.column] if self.feature.column else self.code
        return (self.of_any_code & asked.isnull()).cast("int32").sum()

    @property
    def first(self) -> ir.Value:
        """The value of the column on the first day that has one; of several the smallest recorded first."""
        return self._value.argmin(self._order, where=self._valued)

    @property
    def last(self) -> ir.Value:
        """The value of the column on the last day that has one; of several the largest recorded last."""
        return self._value.argmax(self._order, where=self._valued)

    @property
    def _value(self) -> ir.Value:
        return self.table[self.feature.column].cast("float64")

    @property
    def _valued(self) -> ir.BooleanValue:
        return self.inside & self._value.notnull()

    @property
    def _order(self) -> ir.Value:
        t = self.table
        return ibis.struct({"date": t.date, "known_on": t.known_on, "value": self._value})


@dataclass(frozen=True)
class Members:
    """The members beside a feature: who meets its conditions, and the value of its column for those.

    ``unknown`` are those of them whose value is not known.
    """

    inside: ir.BooleanValue
    value: Any
    unknown: ir.BooleanValue

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
    def first(self) -> ir.Value:
        """The oldest value."""
        return self.value.argmin(self.table["order"], where=self.counted)

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
    column_on : tuple of str
        Sources on which it must give a column.
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
    line : int, optional
        Where the line has a part in ``derived``: −1 if the value falls as the line rises, +1 if it rises, 0
        if it depends.
    keeps_order : bool
        Whether ``derived`` moves as its features do, where all of them move alike.
    neighbours : bool
        Whether it is one of the other households of the place.
    inputs : int, optional
        How many features an aggregate of features takes; any number by default.
    order : int
        Its place in lists; equal ones are ordered by name.
    """

    name: str
    en: str
    needs: tuple[str, ...] = ()
    column_on: tuple[str, ...] = ()
    accounting: Callable[[ir.Value, ir.Table], ir.Value] | None = None
    monthly: Monthly | None = None
    dated: Callable[[DatedRows], ir.Value] | None = None
    dated_on: tuple[str, ...] = EVENTS
    assets: Callable[[DatedRows], ir.Value] | None = None
    members: Callable[[Members], ir.Value] | None = None
    observed: Callable[[Observations], ir.Value] | None = None
    derived: Callable[[Sequence[ir.Value], Line], ir.Value] | None = None
    line: Literal[-1, 0, 1] | None = None
    keeps_order: bool = False
    neighbours: bool = False
    inputs: int | None = None
    order: int = 50

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that it can be declared on."""
        ways = {
            ("accounting",): self.accounting, MONTHLY: self.monthly, self.dated_on: self.dated,
            ("assets",): self.assets, ("members",): self.members, OBSERVED: self.observed,
            ("features",): self.derived, ("neighbours",): self.neighbours or None,
        }  # fmt: skip
        return tuple(source for sources, way in ways.items() if way is not None for source in sources)


AGGREGATES: Registry[Aggregate] = Registry("aggregate", "riskmodel.features")

# What null means and what stands for "no row": the rule is declared, never a habit.
MISSING = {
    "as_accounting": ("accounting",),
    "zero_if_table_present": ("spending", *EVENTS, "assets"),
    "null_if_no_income": ("income",),
    "null_if_not_recorded": MONTHLY,
    "null_if_none": (*EVENTS, *OBSERVED),
    "null_if_unknown": ("members",),
    "null_if_input_null": ("features",),
    "never": ("features",),
    "null_if_no_neighbour": ("neighbours",),
}
MISSING_EN = {
    "as_accounting": "null where the accounting quantity is null",
    "zero_if_table_present": "no row is 0; null where the table is absent",
    "null_if_no_income": "null where a 12-month period in the window has no income row, unless the table "
    "recorded covers it; else no row is 0",
    "null_if_not_recorded": "no row is 0 in a month on record; null where the table is absent",
    "null_if_none": "null where there is no such row (observations: no known value in the window)",
    "null_if_unknown": "null where the column is known for no member, or there is no member",
    "null_if_input_null": "null where an input is null",
    "never": "never null",
    "null_if_no_neighbour": "null where no other household of the place has a value",
}
