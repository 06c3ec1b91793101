"""Features made of features: ratios, differences, logs, distances to the line; and of the neighbours'.

The line that a feature set measures from: an amount, or relative to the county at each as-of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from riskmodel.features.aggregates import AGGREGATES, Line, as_float, named, positive
from riskmodel.features.declaration import Feature
from riskmodel.rules import RelativeLine, relative_line

ACCOUNTING = "accounting."
# Village names recur in other townships.
PLACES = {"village": ["as_of", "township", "village"], "township": ["as_of", "township"]}


def carried_column(ref: str) -> str:
    """Return the column that holds an accounting quantity beside the features, or the feature itself."""
    return f"_{ref.removeprefix(ACCOUNTING)}" if ref.startswith(ACCOUNTING) else ref


def reference(ref: str, t: ir.Table) -> ir.FloatingValue:
    """Return what a reference names, a feature or an accounting quantity, as a float."""
    return as_float(t[carried_column(ref)])


def clip_to_bounds(f: Feature, value: ir.Value) -> ir.Value:
    """Clip a feature to its declared bounds; a null stays null."""
    out = value
    if f.at_most is not None:
        out = ibis.ifelse(out > f.at_most, f.at_most, out)
    if f.at_least is not None:
        out = ibis.ifelse(out < f.at_least, f.at_least, out)
    return out


def per_unit(f: Feature, value: ir.Value, t: ir.Table) -> ir.Value:
    """Divide by the members present or by the period's net income, as declared; null where there is none."""
    if f.per == "head":
        return value / t.persons.nullif(0)
    return value / positive(as_float(t.net_income)) if f.per == "income" else value


def derived_value(f: Feature, t: ir.Table, line: Line) -> ir.Value:
    """Return a feature made of others of the same household and as-of."""
    parts = [reference(ref, t) for ref in f.of]
    if f.aggregate == "per_head":
        parts.append(reference("accounting.persons", t))
    return AGGREGATES[f.aggregate].derived(parts, line * f.factor)  # type: ignore[misc]  # declarations are checked


def sums_by_place(features: Sequence[Feature], by: str, t: ir.Table) -> ir.Table:
    """Return sums and counts of what is asked of neighbours, by village or township at each as-of."""
    refs = sorted({f.of[0] for f in features if f.by == by})
    sums = {f"{by}_sum_{i}": _exact(ref, t).sum() for i, ref in enumerate(refs)}
    counts = {f"{by}_n_{i}": reference(ref, t).count() for i, ref in enumerate(refs)}
    return t.group_by(PLACES[by]).agg(**sums, **counts)


def neighbour_features(features: Sequence[Feature], t: ir.Table, around: Mapping[str, ir.Table]) -> ir.Table:
    """Add features of the other households of the same village or township at the same as-of.

    The household itself is taken out of sum and count, so its own figure can never come back to it as
    context.
    """
    joined = t
    for by, sums in around.items():
        joined = joined.left_join(sums, PLACES[by], rname=f"{{name}}_{by}")
    values = {f.id: _mean_of_others(f, features, joined) for f in features}
    return joined.select(*t.columns, *named({f.id: clip_to_bounds(f, values[f.id]) for f in features}))


def _exact(ref: str, t: ir.Table) -> ir.Value:
    return reference(ref, t).cast("decimal(22,6)")


def _mean_of_others(f: Feature, features: Sequence[Feature], t: ir.Table) -> ir.Value:
    i = sorted({other.of[0] for other in features if other.by == f.by}).index(f.of[0])
    own = _exact(f.of[0], t)
    others = t[f"{f.by}_sum_{i}"] - own.fill_null(0)
    n = t[f"{f.by}_n_{i}"] - own.notnull().cast("int64")
    return others.cast("float64") / n.nullif(0)


def line_of(line: float | RelativeLine, accounts: ir.Table) -> ir.Table:
    """Return the line at each as-of date."""
    if isinstance(line, RelativeLine):
        return relative_line(accounts.select("as_of", "pcni", "persons", "weight"), line)
    return accounts.select("as_of").distinct().mutate(line=line)
