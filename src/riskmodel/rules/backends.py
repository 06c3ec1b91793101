"""The two backends of rule expressions: columns of a database (Ibis) and arrays in memory (numpy).

A rule set is asked of a county's tables through `IbisBackend`. A simulated office, which judges thousands of
households in every month of thousands of futures, asks the same expressions of arrays: numbers are float64
with NaN for null, truth values are pairs of arrays, so that a null is neither yes nor no.

The rows behind a household (members, support, assets, risk events, past states) are counted here too: every
relation is cut by what was known, then all tests of a rule set are counted in one pass a relation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Any, NamedTuple

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import numpy as np
from numpy.typing import NDArray

from riskmodel.data import Shape, codes, store_query
from riskmodel.households import PRESENT_MEMBERS, KnownCounty, valid_on
from riskmodel.rules.declaration import vocabulary
from riskmodel.rules.expression import (
    DECIMALS,
    ExpressionError,
    RowTest,
    Scope,
    evaluate_condition,
    supported_by,
)

GAPS = ("gap_housing", "gap_water", "gap_schooling", "gap_medical")
Bools = NDArray[np.bool_]


class IbisBackend:
    """Expressions become Ibis values; constants stay plain until they meet a column."""

    errors = (TypeError, AttributeError, ibis.common.exceptions.IbisError)

    def constant(self, value: bool | None) -> ir.BooleanValue:
        """Return a boolean literal."""
        return ibis.literal(value, "boolean")

    def is_truth(self, value: Any) -> bool:
        """Say whether a value is a boolean column."""
        return isinstance(value, ir.Value) and value.type().is_boolean()

    def negate(self, truth: ir.BooleanValue) -> ir.BooleanValue:
        """Return the opposite."""
        if isinstance(truth.op(), ops.Literal) and truth.op().value is None:
            return truth  # ibis would fold NULL = FALSE to false
        # Not "~": ibis 12 writes (~x).isnull() as NOT (x) IS NULL, which SQL reads as NOT (x IS NULL).
        return truth == ibis.literal(False)

    def met(self, truth: ir.BooleanValue) -> ir.BooleanValue:
        """Return false for null."""
        return truth.fill_null(False)

    def total(self, truths: list[Any]) -> ir.Value:
        """Return how many are true."""
        return reduce(lambda a, b: a + b, [t.fill_null(False).cast("int32") for t in truths]).cast("int64")

    def is_known(self, value: Any) -> Any:
        """Return where a column is not null."""
        return value.notnull() if isinstance(value, ir.Value) else value is not None

    def compare(self, holds: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        """Return the comparison; null beside a null."""
        if _is_numeric(left) and _is_numeric(right):
            left, right = _rounded(left), _rounded(right)
        value = holds(left, right)
        return ibis.literal(value) if isinstance(value, bool) else value

    def contains(self, codes: list[Any], value: Any) -> Any:
        """Return whether a column's value is listed."""
        return value.isin(codes)

    def divide(self, dividend: Any, divisor: Any) -> Any:
        """Return a float quotient."""
        return _float(dividend) / _float(divisor).nullif(0)

    def positive(self, value: Any) -> Any:
        """Return null where not above 0."""
        return ibis.ifelse(value > 0, value, ibis.null("float64"))


def _float(value: Any) -> Any:
    value = value if isinstance(value, ir.Value) else ibis.literal(value, "float64")
    return value.cast("float64")


def _rounded(value: Any) -> Any:
    if isinstance(value, ir.Value):
        return value if value.type().is_integer() else value.cast("float64").round(DECIMALS)
    return value if isinstance(value, int) else round(value, DECIMALS)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, ir.Value):
        return bool(value.type().is_numeric())
    return isinstance(value, int | float) and not isinstance(value, bool)


def household_scope(names: Mapping[str, Any], figures: Mapping[RowTest, ir.Value], table: ir.Table) -> Scope:
    """Return what an expression about a household can name."""
    every = list(codes("risk_events", "cause"))

    def any_cause(causes: Any = every) -> ir.BooleanValue:
        if not isinstance(causes, list | tuple) or not causes or not set(causes) <= set(every):
            raise ExpressionError(
                f"any_cause takes a list of causes, of {', '.join(every)}; given {causes!r}"
            )
        return reduce(lambda a, b: a | b, [table[f"cause_{c}"] for c in causes])

    def any_gap() -> ir.BooleanValue:
        return reduce(lambda a, b: a | b, [table[gap] for gap in GAPS])

    def each_supported() -> ir.BooleanValue:
        """All causes of the latest register row have a measure; null where no cause is named there."""
        named = table.register_causes.replace(" ", "")
        listed = ibis.literal(";") + named + ibis.literal(";")
        unmet = ibis.literal(False)
        for cause in every:
            unmet = unmet | (listed.contains(f";{cause};") & (figures[supported_by(cause)] == 0))
        return ibis.ifelse(named.nullif("").isnull(), ibis.null("boolean"), unmet == ibis.literal(False))

    functions = {"any_cause": any_cause, "any_gap": any_gap, "each_register_cause_supported": each_supported}
    return Scope(IbisBackend(), names, functions, figures.__getitem__)


def row_scope(names: Mapping[str, Any], as_of: ir.DateValue) -> Scope:
    """Return what a test of a household's rows can name: their fields, and days before as-of."""

    def months_ago(months: Any) -> ir.Value:
        if not isinstance(months, int):
            raise ExpressionError("months_ago takes a whole number and stands inside some(ROWS, …)")
        return (as_of - ibis.interval(months=months)).cast("date")

    return Scope(IbisBackend(), names, {"months_ago": months_ago})


class Truth(NamedTuple):
    """Three-valued truth of many things at once; where neither holds it is unknown."""

    yes: Bools
    no: Bools

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes)


def certain(yes: Bools) -> Truth:
    """Return a truth value that is nowhere unknown."""
    return Truth(yes, ~yes)


@dataclass(frozen=True)
class Coded:
    """Codes as positions in a list of words."""

    positions: NDArray[np.integer]
    words: tuple[str, ...]

    def among(self, choices: list[Any]) -> Truth:
        """Say whose code is one of those."""
        at = [i for i, word in enumerate(self.words) if word in choices]
        return certain(np.isin(self.positions, at))


@dataclass(frozen=True)
class ArrayBackend:
    """Expressions are computed at once on arrays of one shape."""

    shape: tuple[int, ...]
    errors = (TypeError, AttributeError)

    def constant(self, value: bool | None) -> Truth:
        """Return a truth value that is the same everywhere."""
        return Truth(np.full(self.shape, value is True), np.full(self.shape, value is False))

    def is_truth(self, value: Any) -> bool:
        """Say whether a value is a `Truth`."""
        return isinstance(value, Truth)

    def negate(self, truth: Truth) -> Truth:
        """Return the opposite."""
        return ~truth

    def met(self, truth: Truth) -> Truth:
        """Return where it is surely yes."""
        return certain(truth.yes)

    def total(self, truths: list[Truth]) -> Any:
        """Return how many are surely yes."""
        return np.sum([t.yes for t in truths], axis=0)

    def is_known(self, value: Any) -> Truth:
        """Return where a value is there."""
        if isinstance(value, Truth):
            return certain(value.yes | value.no)
        present = True if isinstance(value, Coded) else ~np.isnan(_array(value))
        return certain(np.broadcast_to(present, self.shape))

    def compare(self, holds: Callable[[Any, Any], Any], left: Any, right: Any) -> Truth:
        """Return the comparison; unknown beside NaN."""
        if isinstance(left, Coded):
            same = left.among([right])
            return ~same if holds is operator.ne else same
        a, b = np.round(_array(left), DECIMALS), np.round(_array(right), DECIMALS)
        known = np.broadcast_to(~(np.isnan(a) | np.isnan(b)), self.shape)
        yes = np.broadcast_to(holds(a, b), self.shape)
        return Truth(yes & known, ~yes & known)

    def contains(self, codes: list[Any], value: Any) -> Truth:
        """Return whether a value is listed."""
        if isinstance(value, Coded):
            return value.among(codes)
        known = ~np.isnan(_array(value))
        inside = np.isin(_array(value), codes) & known
        return Truth(inside, known & ~inside)

    def divide(self, dividend: Any, divisor: Any) -> Any:
        """Return a quotient; NaN for a divisor of 0."""
        below = _array(divisor)
        return _array(dividend) / np.where(below == 0, np.nan, below)

    def positive(self, value: Any) -> Any:
        """Return NaN where not above 0."""
        number = _array(value)
        return np.where(number > 0, number, np.nan)


def _array(value: Any) -> NDArray[np.float64]:
    if isinstance(value, Truth | Coded | str):
        raise TypeError(f"{type(value).__name__} is no number")
    return np.asarray(np.nan if value is None else value, dtype=np.float64)


def array_figures(rows: Mapping[str, tuple[Scope, Bools]]) -> Callable[[RowTest], Any]:
    """Return a function from a row test to its figure in arrays.

    Parameters
    ----------
    rows : mapping
        Relation to the scope of its rows and which of them are there, both of shape (rows, households).

    Returns
    -------
    callable
        Row test to an array of counts of shape (households,); raises `ExpressionError` for other relations.
    """

    def figure(test: RowTest) -> Any:
        if test.relation not in rows or test.how == "latest":
            raise ExpressionError(f"{test.how} rows of {test.relation} cannot be seen here")
        scope, present = rows[test.relation]
        holds = evaluate_condition(test.node, scope)
        matches = holds.yes if test.how == "passing" else ~(holds.yes | holds.no)
        return (matches & present).sum(axis=0).astype(np.float64)

    return figure


KEY = ("household_id", "as_of")


def _rows(county: Shape, relation: str) -> ir.Table:
    """Return a relation's rows as known at each moment: valid on the day, or dated up to it."""
    if relation == "members":
        return county.rows(PRESENT_MEMBERS)
    t = county.rows(vocabulary().relations[relation].table)
    if relation in ("assets", "states"):
        return t.filter(valid_on(t))
    t = t.filter(t.date <= t.as_of)
    if relation != "support":
        return t
    # A measure whose date is not known is there, but no test of its date can be answered.
    date = ibis.ifelse(t.date_known.fill_null(True), t.date, ibis.null("date"))
    return t.mutate(date=date, ended=(t.end_date <= t.as_of).fill_null(False))


def row_test_scope(t: ir.Table, relation: str, values: Mapping[str, Any] | None = None) -> Scope:
    """Return what a row test can see: the row's fields and, where not written out, plain parameters."""
    fields = {f: t[f] for f in vocabulary().relations[relation].fields}
    return row_scope({**(values or {}), **fields}, t.as_of)


def figure_column(test: RowTest) -> str:
    """Return the column that holds a row test's figure: the same whatever else is asked for beside it."""
    return f"{test.relation}_{sha256(f'{test.how} {test.test}'.encode()).hexdigest()[:12]}"


def count_rows(county: Shape, relation: str, tests: Sequence[RowTest]) -> ir.Table:
    """Return the figures of one relation's row tests, in one pass."""
    rows = _rows(county, relation)
    sums: dict[str, ir.Value] = {}
    for test in tests:
        passes = evaluate_condition(test.test, row_test_scope(rows, test.relation))
        passes = passes & rows.as_of.notnull()  # never a constant
        if test.how == "latest":
            sums[figure_column(test)] = rows.date.max(where=passes.fill_null(False))
        else:
            counts = passes.isnull() if test.how == "unclear" else passes.fill_null(False)
            sums[figure_column(test)] = counts.cast("int64").sum()
    return rows.group_by(KEY).agg(**sums)


@contextmanager
def stored_figures(known: KnownCounty, tests: Iterable[RowTest]) -> Iterator[dict[str, ir.Table]]:
    """Hold the figures of row tests in the county's database while rule sets read them."""
    out: dict[str, ir.Table] = {}
    distinct = sorted(set(tests))
    try:
        for relation in dict.fromkeys(test.relation for test in distinct):
            if known.has(vocabulary().relations[relation].table):
                own = tuple(test for test in distinct if test.relation == relation)
                out[relation] = store_query(known, count_rows, relation, own)
        yield out
    finally:
        for table in out.values():
            known.con.drop_table(table.op().name, force=True)


def attach_figures(
    t: ir.Table, county: Shape, figures: Mapping[str, ir.Table], tests: Iterable[RowTest]
) -> ir.Table:
    """Add the figures that a rule set asks for to each household."""
    distinct = sorted(set(tests))
    joined, columns, zero = t, list(t.columns), []
    absent: dict[str, ir.Value] = {}
    for relation in dict.fromkeys(test.relation for test in distinct):
        own = {figure_column(test): test for test in distinct if test.relation == relation}
        if not county.has(vocabulary().relations[relation].table):
            absent |= {c: ibis.null("date" if x.how == "latest" else "int64") for c, x in own.items()}
            continue
        columns += own
        zero += [name for name, test in own.items() if test.how != "latest"]
        # One chain of joins and one projection at its end: ibis plans each further layer anew.
        part = figures[relation].select(*KEY, *own)
        joined = joined.left_join(part, list(KEY), rname="{name}_" + relation)
    out = joined.select(*columns) if distinct else joined
    return out.mutate(**{c: out[c].fill_null(0) for c in zero}, **absent)
