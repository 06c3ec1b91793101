"""Features made of features: ratios, differences, logs, distances to the line; and of the neighbours'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import ibis
import ibis.expr.types as ir

from riskmodel.errors import SpecError
from riskmodel.features.declared import Feature

# Thresholds are compared after rounding, as in the official rules ("Exactly").
DIGITS = 9
NULL = ibis.null("float64")


def reference(ref: str, t: ir.Table) -> ir.Value:
    """Return what a reference names: a feature, or a column of the accounting table, as a float.

    Raises
    ------
    SpecError
        If the accounting table has no such column.
    """
    name = ref.removeprefix("accounting.")
    if name not in t.columns:
        raise SpecError(f"{ref!r} is no accounting quantity; there are: {', '.join(sorted(t.columns))}")
    return as_float(t[name])


def as_float(value: ir.Value) -> ir.FloatingValue:
    """Return a value as float64; booleans as 1 and 0."""
    if value.type().is_boolean():
        value = value.cast("int32")
    return value.cast("float64")


def bounded(f: Feature, value: ir.Value) -> ir.Value:
    """Clip a feature to its declared bounds; a null stays null."""
    out = value
    if f.at_most is not None:
        out = ibis.ifelse(out > f.at_most, f.at_most, out)
    if f.at_least is not None:
        out = ibis.ifelse(out < f.at_least, f.at_least, out)
    return out


def derive(f: Feature, t: ir.Table, line: float) -> ir.Value:
    """Return a feature made of others of the same household and as-of.

    Parameters
    ----------
    f : Feature
    t : ibis.Table
        Holds what ``f.of`` names, and ``persons``.
    line : float
        Yuan per person and year.

    Returns
    -------
    float expression
    """
    parts = [reference(ref, t) for ref in f.of]
    if f.aggregate == "per_head":
        return parts[0] / t.persons.nullif(0)
    return _OPERATIONS[f.aggregate](parts, line * f.factor)


def _positive(value: ir.Value) -> ir.Value:
    return ibis.ifelse(value > 0, value, NULL)


def _all_of(parts: list[ir.Value], line: float) -> ir.Value:
    # min over flags; least() skips nulls on DuckDB and not on Spark, so the product of comparisons is used.
    both = reduce(lambda a, b: a & b, [p == 1 for p in parts])
    return ibis.ifelse(_any_null(parts), NULL, both.cast("int32").cast("float64"))


def _greatest(parts: list[ir.Value], line: float) -> ir.Value:
    return ibis.ifelse(_any_null(parts), NULL, ibis.greatest(*parts))


def _any_null(parts: list[ir.Value]) -> ir.BooleanValue:
    return reduce(lambda a, b: a | b, [p.isnull() for p in parts])


_OPERATIONS: dict[str, Callable[[list[ir.Value], float], ir.Value]] = {
    "ratio": lambda p, line: p[0] / _positive(p[1]),
    "difference": lambda p, line: p[0] - p[1],
    "growth": lambda p, line: p[0] / _positive(p[1]) - 1,
    "log": lambda p, line: p[0].sign() * (p[0].abs() + 1).ln(),
    "add": lambda p, line: reduce(lambda a, b: a + b, p),
    "to_line": lambda p, line: p[0] - line,
    "line_ratio": lambda p, line: p[0] / line,
    "below_line": lambda p, line: as_float(p[0].round(DIGITS) < round(line, DIGITS)),
    "missing": lambda p, line: as_float(p[0].isnull()),
    "all_of": _all_of,
    "greatest": _greatest,
}


def neighbours(features: Sequence[Feature], t: ir.Table) -> ir.Table:
    """Add features of the other households of the same village or township at the same as-of.

    The household itself is taken out of sum and count, so its own figure can never come back to it as
    context. Values are summed as decimals (4 places), so the mean does not depend on their order.

    Parameters
    ----------
    features : sequence of Feature
        All of source ``neighbours``.
    t : ibis.Table
        One row per household and as-of with the columns that they name.

    Returns
    -------
    ibis.Table
        The same rows with one more column per feature.
    """
    for by in sorted({f.by for f in features if f.by}):
        wanted = [f for f in features if f.by == by]
        # Village names recur in other townships.
        place = ["as_of", "township"] + (["village"] if by == "village" else [])
        refs = sorted({f.of[0] for f in wanted})
        alias = {ref: f"own_{i}" for i, ref in enumerate(refs)}
        t = t.mutate(**{alias[r]: reference(r, t).cast("decimal(18,4)") for r in refs})
        sums = {f"sum_{alias[r]}": t[alias[r]].sum() for r in refs}
        counts = {f"n_{alias[r]}": t[alias[r]].count() for r in refs}
        t = t.left_join(t.group_by(place).agg(**sums, **counts), place)
        t = t.mutate(**{f.id: bounded(f, _mean_of_others(alias[f.of[0]], t)) for f in wanted})
        t = t.drop(
            *alias.values(), *sums, *counts, *(f"{c}_right" for c in place if f"{c}_right" in t.columns)
        )
    return t


def _mean_of_others(own: str, t: ir.Table) -> ir.Value:
    others = t[f"sum_{own}"] - t[own].fill_null(0)
    n = t[f"n_{own}"] - t[own].notnull().cast("int64")
    return others.cast("float64") / n.nullif(0)
