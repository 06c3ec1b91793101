"""Windows over monthly income and spending, for many as-of dates in one pass.

The spans between the ends of windows (`riskmodel.features.spans`) are grouped by household, as-of and code
with every window beside the others, and pivoted last. Sums are decimals throughout (of amounts rounded to
the fen, 0.01 yuan), so nothing depends on the order of rows or on threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import County, Shape
from riskmodel.features.aggregates import AGGREGATES, MADE, Monthly
from riskmodel.features.declaration import Feature
from riskmodel.features.spans import KEY, by_span, single_codes, span_dates
from riskmodel.features.storage import Piece
from riskmodel.households import Moment, point_in_time

YEAR = 12


def block(county: Shape, name: str, features: Sequence[Feature], piece: Piece, **dates: ir.Table) -> ir.Table:
    """Return the monthly features of one source, before the rule for missing values.

    Parameters
    ----------
    county : Shape
    name : str
        ``income`` or ``spending``.
    features : sequence of Feature
        Those declared on this source.
    piece : pair
        From and to which household id.
    **dates : ibis.Table
        From `dates`.

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with any row in the longest window; one float column per
        feature, null where the code has no row; ``{name}_year_k`` counts month-code pairs in the k-th
        year back.
    """
    edges = _edges(features)
    parts = {part for f in features for part in _way(f).parts} | {"n"}
    wanted = {f.over for f in features}
    t = by_span(county, name, wanted, edges, sorted(parts), piece, dates)
    return _pivot(_windows(t, features, edges), name, features, edges[-1] // YEAR)


def dates(
    county: County, name: str, features: Sequence[Feature], when: Sequence[Moment]
) -> dict[str, pa.Table]:
    """Return the tables of dates that `block` reads.

    Parameters
    ----------
    county : County
    name : str
    features : sequence of Feature
    when : sequence of Moment

    Returns
    -------
    dict
        See `riskmodel.features.spans.dates`.
    """
    return span_dates(county, name, when, _edges(features))


def _edges(features: Sequence[Feature]) -> list[int]:
    """Return the ages in months at which windows and years begin and end."""
    years = max(-(-(f.lag + (f.window or 0)) // YEAR) for f in features)
    edges = {YEAR * k for k in range(years + 1)}
    return sorted(edges | {edge for f in features for edge in (f.lag, f.lag + (f.window or 0))})


def finish(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
    """Apply the declared rule for missing values to a monthly feature.

    Parameters
    ----------
    f : Feature
    t : ibis.Table
        The accounting table joined with the blocks.
    county : Shape

    Returns
    -------
    float expression
        Null for households on annual totals (reason ``needs_monthly``).
    """
    if not county.has(f.source):
        return ibis.null("float64")
    value = t[f"{MADE}{f.id}"]
    empty = _way(f).empty
    if empty is not None:
        value = value.fill_null(float(f.window or 0) if empty == "window" else empty)
    if f.per == "head":
        value = value / t.persons.nullif(0)
    observed = t.income_basis == "months"
    if f.missing == "null_if_no_income":
        for year in range(f.lag // YEAR, -(-(f.lag + (f.window or 0)) // YEAR)):
            observed = observed & (t[f"{MADE}income_year_{year}"].fill_null(0) > 0)
    if f"{MADE}{f.source}_spans" in t.columns:
        observed = observed & (t[f"{MADE}{f.source}_spans"].fill_null(0) == 0)
    return ibis.ifelse(observed, value, ibis.null("float64"))


def _way(f: Feature) -> Monthly:
    """Return how a feature's aggregate is made of monthly amounts, as checked declarations are."""
    way = AGGREGATES[f.aggregate].monthly
    assert way is not None, f.aggregate
    return way


def _windows(t: ir.Table, features: Sequence[Feature], edges: list[int]) -> ir.Table:
    """Aggregate the spans of every household, as-of and code to windows, all windows beside one another."""

    def inside(part: str, start: int, stop: int) -> ir.Value:
        first, last = edges.index(start), edges.index(stop) - 1
        within = t.span.between(first, last) if first else t.span <= last
        return ibis.ifelse(within, t[part], 0 if part in ("n", "p") else None)

    out: dict[str, ir.Value] = {}
    for f in features:
        for part in _way(f).parts:
            spans = inside(part, f.lag, f.lag + (f.window or 0))
            out.setdefault(_part(part, f), _over_spans(part, spans))
    for year in range(edges[-1] // YEAR):
        out[f"year_{year}"] = inside("n", YEAR * year, YEAR * year + YEAR).sum()
    return t.group_by([*KEY, "code"]).agg(**out)


def _over_spans(part: str, spans: ir.Value) -> ir.Value:
    if part in ("lo", "r"):
        return spans.min()
    return spans.max() if part == "hi" else spans.sum()


def _part(part: str, f: Feature) -> str:
    return f"{part}_{f.lag}_{f.window}"


def _pivot(t: ir.Table, name: str, features: Sequence[Feature], years: int) -> ir.Table:
    single = single_codes(name)
    wide: dict[str, ir.Value] = {}
    for f in features:
        for part in _way(f).parts:
            column = t[_part(part, f)]
            if _way(f).formula is None:
                inside = t.code.isin(single) & (column > 0)
                wide[f.id] = inside.cast("int32").sum()
            else:
                wide.setdefault(
                    f"{f.over}_{_part(part, f)}", ibis.ifelse(t.code == f.over, column, None).max()
                )
    for year in range(years):
        wide[f"{name}_year_{year}"] = t[f"year_{year}"].sum()
    p = t.group_by(KEY).agg(**wide)
    values = {f.id: _value(f, p) for f in features}
    return p.select(*KEY, **values, **{f"{name}_year_{k}": p[f"{name}_year_{k}"] for k in range(years)})


def _value(f: Feature, p: ir.Table) -> ir.Value:
    way = _way(f)
    if way.formula is None:
        return p[f.id].cast("float64")
    part = {c: p[f"{f.over}_{_part(c, f)}"] for c in way.parts}
    return way.formula(part, f.window or 1, f.lag)


def totals(county: Shape, name: str, reach: int, clock: ir.Table) -> ir.Table:
    """Count the totals over several months that reach into the longest window, by household and as-of.

    A household whose spending is only known as such totals has no monthly figures to make windows of.
    """
    t = point_in_time.known(county, name, clock)
    t = t.filter(
        (t.month_from < t.month_to) & (t.month_to > t.last_month - reach) & (t.month_from <= t.last_month)
    )
    return t.group_by(KEY).agg(**{f"{name}_spans": ibis._.count()})
