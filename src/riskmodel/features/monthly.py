"""Windows over monthly income and spending, for many as-of dates in one pass.

The spans between the ends of windows (`riskmodel.features.monthly`) are grouped by household, as-of and code
with every window beside the others, and pivoted last. Sums are decimals throughout (of amounts rounded to
the fen, 0.01 yuan), so nothing depends on the order of rows or on threads.

Monthly amounts by household, code and span, as known at each as-of date.

A span is the time between two neighbouring ends of windows, counted back from the last complete month. Raw
rows are summed once to household × code × month and then to *cells*, the pieces that the spans of all as-of
dates cut time into; only cells meet the as-of dates. A month whose rows became known at different times has
one sum before and another one after; such months, few, meet the as-of dates one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data import Shape, codes, rows_table
from riskmodel.features.aggregates import AGGREGATES, BLOCK_PREFIX, Monthly
from riskmodel.features.declaration import Feature
from riskmodel.households import RIGID_CATEGORIES, KnownCounty, last_complete_month

KEY = ["household_id", "as_of"]
CODE = {"income": "source", "spending": "category"}
# Codes taken together; an empty tuple stands for every code.
SUMMED_CODES: dict[str, dict[str, tuple[str, ...]]] = {
    "income": {"total": ()},
    "spending": {"rigid": RIGID_CATEGORIES},
}
# Net business income stands in for gross business income where an office records only that.
EQUIVALENT_CODES = {"business_net": "business"}
FEN = "decimal(18,2)"

# Sums of y, y² and y·age over the months of a span, largest and smallest y, months with a row (n) and with
# y above 0 (p), age of the youngest of those (r): all that windows are made of can be added up from spans.
TYPES = {
    "s": FEN, "q": "decimal(38,4)", "w": "decimal(38,2)", "hi": FEN, "lo": FEN, "n": "int64", "p": "int64",
    "r": "int32",
}  # fmt: skip


def single_codes(name: str) -> list[str]:
    """Return the codes of a source by themselves, in contract order."""
    return [c for c in codes(name, CODE[name]) if c not in EQUIVALENT_CODES]


def by_span(
    county: Shape,
    name: str,
    wanted: Collection[str | None],
    edges: Sequence[int],
    parts: Sequence[str],
    piece: ir.Table | None,
    dates: Mapping[str, ir.Table],
) -> ir.Table:
    """Return what windows are made of, by household, as-of, code and span."""
    if not dates:
        rows = households_within(county.rows(name), piece)
        return _from_months(_known_months(rows, name, wanted, edges[-1]), edges, parts)
    first = _month_sums(
        households_within(county.table(name), piece), name, wanted, dates["months"], dates["known"]
    )
    key = ["household_id", "code", "month"]
    late = first.filter(first.turn > first.closed).select(*key).distinct()
    mixed = first.semi_join(late, key).rename(since="turn").inner_join(dates["calendar"], "month")
    mixed = mixed.filter(mixed.turn >= mixed.since).group_by([*KEY, "code", "age"]).agg(y=ibis._.y.sum())
    cells = _cells(first.anti_join(late, key), dates["months"], dates["spans"], parts)
    return cells.union(_from_months(mixed.mutate(y=mixed.y.cast(FEN)), edges, parts))


def span_dates(known: KnownCounty, name: str, edges: Sequence[int]) -> dict[str, pa.Table]:
    """Return the tables of months and days that `by_span` reads; none where it goes by the known rows."""
    when = known.moments
    known_in_order = all(a.known_by <= b.known_by for a, b in pairwise(when))
    if known.county.facts.get(f"corrected.{name}", False) or not known_in_order:
        return {}
    last = [last_complete_month(m.as_of) for m in when]
    ends = sorted({m - edge for m in last for edge in edges})  # a cell is (ends[i], ends[i + 1]]
    base = ends[0]
    months = [
        {"month": m, "closed": sum(m > x for x in last), "cell": bisect_left(ends, m) - 1, "number": m - base}
        for m in range(base + 1, ends[-1] + 1)
    ]
    spans = [
        {"cell": cell, "as_of": m.as_of, "span": span, "back": m_last - base}
        for m, m_last in zip(when, last, strict=True)
        for span, (young, old) in enumerate(pairwise(edges))
        for cell in range(ends.index(m_last - old), ends.index(m_last - young))
    ]
    calendar = [
        {"month": m_last - age, "turn": turn, "as_of": m.as_of, "age": age}
        for turn, (m, m_last) in enumerate(zip(when, last, strict=True))
        for age in range(edges[-1])
    ]
    known_by = {f"known_{i}": m.known_by for i, m in enumerate(when)}
    return {
        "months": rows_table(months, month="int32", closed="int32", cell="int32", number="int32"),
        "spans": rows_table(spans, cell="int32", as_of="date", span="int8", back="int32"),
        "calendar": rows_table(calendar, month="int32", turn="int32", as_of="date", age="int32"),
        "known": rows_table([known_by], **dict.fromkeys(known_by, "date")),
    }


def _single_months(t: ir.Table, name: str, wanted: Collection[str | None]) -> ir.Table:
    t = t.filter(t.month_from == t.month_to)
    code = t[CODE[name]]
    for other, same in EQUIVALENT_CODES.items():
        code = ibis.ifelse(code == other, same, code)
    t = t.mutate(code=code, month=t.month_to, amount=t.amount.cast(FEN))
    if name == "income":  # whether a household has any income row decides what is missing: all are needed
        return t
    single = set(single_codes(name)) if None in wanted else set(wanted)
    for together, parts in SUMMED_CODES[name].items():
        single |= set(parts) if together in wanted else set()
    return t.filter(t.code.isin(sorted(c for c in single if c)))


def _month_sums(
    t: ir.Table, name: str, wanted: Collection[str | None], months: ir.Table, known: ir.Table
) -> ir.Table:
    """Sum by household, code, month and ``turn``, the first as-of date (by number) at which a row counts.

    ``closed`` is the first as-of date at which the month itself is complete.
    """
    t = _single_months(t, name, wanted)
    t = t.inner_join(months.select("month", "closed"), "month").cross_join(known)
    days = [t[column] for column in known.columns]
    t = t.filter(t.known_on <= days[-1])
    turn = ibis.greatest(t.closed, reduce(lambda a, b: a + b, ((t.known_on > d).cast("int32") for d in days)))
    t = t.mutate(turn=turn)
    key = ["household_id", "month", "turn", "closed"]
    sums = t.group_by([*key, "code"]).agg(y=ibis._.amount.sum().cast(FEN))
    return _with_together(sums, key, name, wanted)


def _known_months(t: ir.Table, name: str, wanted: Collection[str | None], reach: int) -> ir.Table:
    t = _single_months(t, name, wanted)
    t = t.mutate(age=(t.last_month - t.month).cast("int32"))
    t = t.filter(t.age.between(0, reach - 1))
    key = [*KEY, "age"]
    sums = t.group_by([*key, "code"]).agg(y=ibis._.amount.sum().cast(FEN))
    return _with_together(sums, key, name, wanted)


def _with_together(sums: ir.Table, key: list[str], name: str, wanted: Collection[str | None]) -> ir.Table:
    """Add the rows of codes taken together (all income, rigid spending)."""
    out = sums
    for together, parts in SUMMED_CODES[name].items():
        if together in wanted:
            t = sums.filter(sums.code.isin(parts)) if parts else sums
            t = t.group_by(key).agg(y=ibis._.y.sum().cast(FEN))
            out = out.union(t.mutate(code=ibis.literal(together)).select(*out.columns))
    return out


def _cells(months: ir.Table, of_month: ir.Table, spans: ir.Table, parts: Sequence[str]) -> ir.Table:
    t = months.drop("closed").inner_join(of_month, "month")
    y, number = t.y, t.number
    sums = {
        "s": y.sum(), "q": (y * y).sum(), "w": (y * number).sum(), "hi": y.max(), "lo": y.min(),
        "n": y.count(), "p": ibis.ifelse(y > 0, 1, None).count(), "r": ibis.ifelse(y > 0, number, None).max(),
    }  # fmt: skip
    needed = dict.fromkeys([*parts, *(["s"] if "w" in parts else [])])
    cells = t.group_by(["household_id", "code", "cell"]).agg(**{p: sums[p].cast(TYPES[p]) for p in needed})
    t = cells.inner_join(spans, "cell")
    # With months numbered from the first in reach, a month's age is back − number.
    aged = {"w": t.s * t.back - t.w} if "w" in parts else {}
    aged |= {"r": t.back - t.r} if "r" in parts else {}
    return t.select(*KEY, "code", "span", **{p: aged.get(p, t[p]).cast(TYPES[p]) for p in parts})


def _from_months(t: ir.Table, edges: Sequence[int], parts: Sequence[str]) -> ir.Table:
    """Bring single months, already at their as-of dates, into the shape of cells."""
    span = ibis.cases(*((t.age < end, i) for i, end in enumerate(edges[1:])), else_=len(edges))
    values = {
        "s": t.y, "q": t.y * t.y, "w": t.y * t.age, "hi": t.y, "lo": t.y, "n": ibis.literal(1),
        "p": (t.y > 0).cast("int64"), "r": ibis.ifelse(t.y > 0, t.age, None),
    }  # fmt: skip
    return t.select(*KEY, "code", span=span.cast("int8"), **{p: values[p].cast(TYPES[p]) for p in parts})


YEAR = 12


def monthly_features(
    county: Shape, name: str, features: Sequence[Feature], piece: ir.Table | None, **dates: ir.Table
) -> ir.Table:
    """Return the monthly features of one source, before the rule for missing values."""
    edges = _edges(features)
    parts = {part for f in features for part in _monthly_aggregate(f).parts} | {"n"}
    wanted = {f.over for f in features}
    t = by_span(county, name, wanted, edges, sorted(parts), piece, dates)
    return _pivot(_windows(t, features, edges), name, features, edges[-1] // YEAR)


def monthly_dates(known: KnownCounty, name: str, features: Sequence[Feature]) -> dict[str, pa.Table]:
    """Return the tables of dates that `monthly_features` reads."""
    return span_dates(known, name, _edges(features))


def _edges(features: Sequence[Feature]) -> list[int]:
    """Return the ages in months at which windows and years begin and end."""
    years = max(-(-(f.lag + (f.window or 0)) // YEAR) for f in features)
    edges = {YEAR * k for k in range(years + 1)}
    return sorted(edges | {edge for f in features for edge in (f.lag, f.lag + (f.window or 0))})


def finish_monthly(f: Feature, t: ir.Table, county: Shape) -> ir.Value:
    """Apply the declared rule for missing values to a monthly feature."""
    if not county.has(f.source):
        return ibis.null("float64")
    value = t[f"{BLOCK_PREFIX}{f.id}"]
    empty = _monthly_aggregate(f).empty
    if empty is not None:
        value = value.fill_null(float(f.window or 0) if empty == "window" else empty)
    if f.per == "head":
        value = value / t.persons.nullif(0)
    observed = t.income_basis == "months"
    if f.missing == "null_if_no_income":
        for year in range(f.lag // YEAR, -(-(f.lag + (f.window or 0)) // YEAR)):
            observed = observed & (t[f"{BLOCK_PREFIX}income_year_{year}"].fill_null(0) > 0)
    if f"{BLOCK_PREFIX}{f.source}_spans" in t.columns:
        observed = observed & (t[f"{BLOCK_PREFIX}{f.source}_spans"].fill_null(0) == 0)
    return ibis.ifelse(observed, value, ibis.null("float64"))


def _monthly_aggregate(f: Feature) -> Monthly:
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
        for part in _monthly_aggregate(f).parts:
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
        for part in _monthly_aggregate(f).parts:
            column = t[_part(part, f)]
            if _monthly_aggregate(f).formula is None:
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
    way = _monthly_aggregate(f)
    if way.formula is None:
        return p[f.id].cast("float64")
    part = {c: p[f"{f.over}_{_part(c, f)}"] for c in way.parts}
    return way.formula(part, f.window or 1, f.lag)


def count_totals(county: Shape, name: str, reach: int) -> ir.Table:
    """Count the totals over several months that reach into the longest window, by household and as-of.

    A household whose spending is only known as such totals has no monthly figures to make windows of.
    """
    t = county.rows(name)
    t = t.filter(
        (t.month_from < t.month_to) & (t.month_to > t.last_month - reach) & (t.month_from <= t.last_month)
    )
    return t.group_by(KEY).agg(**{f"{name}_spans": ibis._.count()})


def household_range(low: str | None, high: str | None) -> pa.Table:
    """Return the input table of a piece: from (in) and to (out) which household id, null where open."""
    return rows_table([{"low_": low, "high_": high}], low_="string", high_="string")


def households_within(t: ir.Table, piece: ir.Table | None) -> ir.Table:
    """Return the rows of the households of a piece."""
    if piece is None:
        return t
    t = t.cross_join(piece)
    after = t.low_.isnull() | (t.household_id >= t.low_)
    return t.filter(after & (t.high_.isnull() | (t.household_id < t.high_))).drop("low_", "high_")
