"""Windows over monthly income and spending, for many as-of dates in one pass.

Raw rows are summed once to household × code × month; that small table meets the as-of dates through a
calendar of (month, as-of) pairs, is grouped by household, as-of and code with every window beside the
others, and pivoted last. Sums are decimals throughout (of amounts rounded to the fen, 0.01 yuan), so
nothing depends on the order of rows or on threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel import asof
from riskmodel.accounting import RIGID
from riskmodel.asof import Moment
from riskmodel.county.county import County
from riskmodel.county.schema import codes
from riskmodel.features.aggregates import MADE
from riskmodel.features.declared import Feature

KEY = ["household_id", "as_of"]
CODE = {"income": "source", "spending": "category"}
# Codes taken together; an empty tuple stands for every code.
PARTS: dict[str, dict[str, tuple[str, ...]]] = {"income": {"total": ()}, "spending": {"rigid": RIGID}}
YEAR = 12
# Net business income stands in for gross business income where an office records only that.
SAME_AS = {"business_net": "business"}

# What a household with records, but without any row of this code in the window, has (the window's length
# where months without are counted).
EMPTY: dict[str, float | None] = {
    "sum": 0.0, "mean": 0.0, "std": 0.0, "cv": None, "max": 0.0, "min": 0.0, "slope": 0.0,
    "months_with": 0.0, "nunique": 0.0,
}  # fmt: skip


def block(county: County, name: str, features: Sequence[Feature], when: tuple[Moment, ...]) -> ir.Table:
    """Return the monthly features of one source, before the rule for missing values.

    Parameters
    ----------
    county : County
    name : str
        ``income`` or ``spending``.
    features : sequence of Feature
        Those declared on this source.
    when : tuple of Moment

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with any row in the longest window; one float column per
        feature, null where the code has no row; ``{name}_year_k`` counts month-code pairs in the k-th
        year back.
    """
    reach = max(YEAR * -(-(f.lag + (f.window or 0)) // YEAR) for f in features)
    months = _by_code(_panel(county, name, _codes(name, features), when, reach), features, reach // YEAR)
    return _pivot(months, name, features, reach // YEAR)


def finish(f: Feature, t: ir.Table, county: County) -> ir.Value:
    """Apply the declared rule for missing values to a monthly feature.

    Parameters
    ----------
    f : Feature
    t : ibis.Table
        The accounting table joined with the blocks.
    county : County

    Returns
    -------
    float expression
        Null for households on annual totals (reason ``needs_monthly``).
    """
    if not county.has(f.source):
        return ibis.null("float64")
    value = t[f"{MADE}{f.id}"]
    empty = float(f.window or 0) if f.aggregate in ("months_without", "recency") else EMPTY[f.aggregate]
    if empty is not None:
        value = value.fill_null(empty)
    if f.per == "head":
        value = value / t.persons.nullif(0)
    observed = t.income_basis == "months"
    if f.missing == "null_if_no_income":
        for year in range(f.lag // YEAR, -(-(f.lag + (f.window or 0)) // YEAR)):
            observed = observed & (t[f"{MADE}income_year_{year}"].fill_null(0) > 0)
    if f"{MADE}{f.source}_spans" in t.columns:
        observed = observed & (t[f"{MADE}{f.source}_spans"].fill_null(0) == 0)
    return ibis.ifelse(observed, value, ibis.null("float64"))


def _codes(name: str, features: Sequence[Feature]) -> list[str]:
    """Return the codes that the features need, each code before those it is a part of."""
    every = [c for c in codes(*_column(name)) if c not in SAME_AS]
    if name == "income" or any(f.over in (None, "total") for f in features):
        return every
    wanted = {f.over for f in features} | (set(RIGID) if any(f.over == "rigid" for f in features) else set())
    return [c for c in every if c in wanted]


def _column(name: str) -> tuple[str, str]:
    return name, CODE[name]


def calendar(when: Sequence[Moment], reach: int) -> ir.Table:
    """Return every month in reach of every as-of date: ``month, turn, as_of, age`` (0 = last complete month).

    An equality join on ``month`` replaces the range join, which would sort the rows.
    """
    rows = [
        {"month": asof.last_complete_month(m.as_of) - age, "turn": turn, "as_of": m.as_of, "age": age}
        for turn, m in enumerate(when)
        for age in range(reach)
    ]
    schema = ibis.schema({"month": "int32", "turn": "int32", "as_of": "date", "age": "int32"})
    return ibis.memtable(pd.DataFrame(rows), schema=schema)


def _panel(county: County, name: str, wanted: list[str], when: tuple[Moment, ...], reach: int) -> ir.Table:
    """Return ``household_id, as_of, code, age, y``: yuan by month, as known at each as-of date."""
    known_in_order = all(a.known_by <= b.known_by for a, b in pairwise(when))
    if county.facts.get(f"corrected.{name}", False) or not known_in_order:
        return _panel_of_known(county, name, wanted, when, reach)
    first = _month_sums(_single_months(county.table(name), name, wanted), name, when, reach)
    # A row that came late makes its month's sum differ between as-of dates; there are few such months.
    key = ["household_id", "code", "month"]
    late = first.filter(first.turn > first.closed).select(*key).distinct()
    days = calendar(when, reach)
    on_time = first.anti_join(late, key).drop("turn", "closed")
    on_time = on_time.inner_join(days, "month").select(*KEY, "code", "age", "y")
    mixed = first.semi_join(late, key).rename(since="turn").inner_join(days, "month")
    mixed = mixed.filter(mixed.turn >= mixed.since).group_by([*KEY, "code", "age"]).agg(y=ibis._.y.sum())
    return on_time.union(mixed.mutate(y=mixed.y.cast("decimal(18,2)")))


def _single_months(t: ir.Table, name: str, wanted: list[str]) -> ir.Table:
    t = t.filter(t.month_from == t.month_to)
    code = t[CODE[name]]
    for other, same in SAME_AS.items():
        code = ibis.ifelse(code == other, same, code)
    t = t.mutate(code=code, month=t.month_to, amount=t.amount.cast("decimal(18,2)"))
    return t if name == "income" else t.filter(t.code.isin(wanted))


def _month_sums(t: ir.Table, name: str, when: tuple[Moment, ...], reach: int) -> ir.Table:
    """Sum by household, code, month and ``turn``, the first as-of date (by number) at which a row counts.

    ``closed`` is the first as-of date at which the month itself is complete.
    """
    last = [asof.last_complete_month(m.as_of) for m in when]
    t = t.filter((t.month > min(last) - reach) & (t.month <= max(last)) & (t.known_on <= when[-1].known_by))
    closed = _total((t.month > m).cast("int32") for m in last)
    known = _total((t.known_on > ibis.literal(m.known_by)).cast("int32") for m in when)
    t = t.mutate(turn=ibis.greatest(closed, known), closed=closed)
    key = ["household_id", "month", "turn", "closed"]
    sums = t.group_by([*key, "code"]).agg(y=ibis._.amount.sum().cast("decimal(18,2)"))
    return _with_parts(sums, key, name)


def _panel_of_known(
    county: County, name: str, wanted: list[str], when: tuple[Moment, ...], reach: int
) -> ir.Table:
    t = _single_months(asof.known(county, name, when), name, wanted)
    t = t.mutate(age=(t.last_month - t.month).cast("int32"))
    t = t.filter(t.age.between(0, reach - 1))
    key = [*KEY, "age"]
    sums = t.group_by([*key, "code"]).agg(y=ibis._.amount.sum().cast("decimal(18,2)"))
    return _with_parts(sums, key, name).select(*KEY, "code", "age", "y")


def _with_parts(sums: ir.Table, key: list[str], name: str) -> ir.Table:
    """Add the rows of codes taken together (all income, rigid spending)."""
    out = sums
    for together, parts in PARTS[name].items():
        t = sums.filter(sums.code.isin(parts)) if parts else sums
        t = t.group_by(key).agg(y=ibis._.y.sum().cast("decimal(18,2)"))
        out = out.union(t.mutate(code=ibis.literal(together)).select(*out.columns))
    return out


def _total(terms: Iterable[ir.IntegerValue]) -> ir.IntegerValue:
    return reduce(lambda a, b: a + b, terms)


# What each declared aggregate is made of, per household, as-of, code and window: sums of y, y² and y·age,
# largest and smallest y, months with a row (n) and with y above 0 (p), the age of the last of those (r).
_COMPONENTS: dict[str, tuple[str, ...]] = {
    "sum": ("s",), "mean": ("s",), "std": ("s", "q"), "cv": ("s", "q"), "slope": ("s", "w"),
    "max": ("hi", "n"), "min": ("lo", "n"), "recency": ("r",),
    "months_with": ("p",), "months_without": ("p",), "nunique": ("p",),
}  # fmt: skip


def _by_code(panel: ir.Table, features: Sequence[Feature], years: int) -> ir.Table:
    """Aggregate every code: first the spans between the ends of windows, then the windows from spans."""
    ends = {0, *(YEAR * k for k in range(years + 1))}
    ends |= {edge for f in features for edge in (f.lag, f.lag + (f.window or 0))}
    edges = sorted(ends)
    parts = sorted({part for f in features for part in _COMPONENTS[f.aggregate]} | {"n"})
    span = ibis.cases(*((panel.age < end, i) for i, end in enumerate(edges[1:])), else_=len(edges))
    t = panel.mutate(span=span.cast("int8"))
    t = t.group_by([*KEY, "code", "span"]).agg(**{part: _of_span(part, t) for part in parts})
    out: dict[str, ir.Value] = {}
    for f in features:
        first, last = edges.index(f.lag), edges.index(f.lag + (f.window or 0)) - 1
        inside = t.span.between(first, last) if first else t.span <= last
        for part in _COMPONENTS[f.aggregate]:
            none = 0 if part in ("n", "p") else None
            out.setdefault(_part(part, f), _of_window(part, ibis.ifelse(inside, t[part], none)))
    for year in range(years):
        first, last = edges.index(YEAR * year), edges.index(YEAR * year + YEAR) - 1
        out[f"year_{year}"] = ibis.ifelse(t.span.between(first, last), t.n, 0).sum()
    return t.group_by([*KEY, "code"]).agg(**out)


def _of_span(part: str, t: ir.Table) -> ir.Value:
    if part in ("hi", "lo"):
        return t.y.max() if part == "hi" else t.y.min()
    if part == "n":
        return t.y.count()
    if part == "p":
        return ibis.ifelse(t.y > 0, 1, None).count()
    if part == "r":
        return ibis.ifelse(t.y > 0, t.age, None).min()
    return {"s": t.y, "q": t.y * t.y, "w": t.y * t.age}[part].sum()


def _of_window(part: str, spans: ir.Value) -> ir.Value:
    if part in ("lo", "r"):
        return spans.min()
    return spans.max() if part == "hi" else spans.sum()


def _part(part: str, f: Feature) -> str:
    return f"{part}_{f.lag}_{f.window}"


def _pivot(t: ir.Table, name: str, features: Sequence[Feature], years: int) -> ir.Table:
    single = [c for c in codes(*_column(name)) if c not in SAME_AS]
    wide: dict[str, ir.Value] = {}
    for f in features:
        for part in _COMPONENTS[f.aggregate]:
            column = t[_part(part, f)]
            if f.aggregate == "nunique":
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
    if f.aggregate == "nunique":
        return p[f.id].cast("float64")
    part = {c: p[f"{f.over}_{_part(c, f)}"] for c in _COMPONENTS[f.aggregate]}
    return _FORMULAS[f.aggregate](part, f.window or 1, f.lag)


def _std(part: dict[str, ir.Value], n: int, lag: int) -> ir.Value:
    # n·Σy² − (Σy)² in decimals, exactly: a household with equal wages has a spread of exactly 0.
    squares = (part["q"] * n - part["s"] * part["s"]).cast("float64")
    return (squares / (n * (n - 1))).sqrt()


def _cv(part: dict[str, ir.Value], n: int, lag: int) -> ir.Value:
    mean = part["s"].cast("float64") / n
    return _std(part, n, lag) / ibis.ifelse(mean > 0, mean, ibis.null("float64"))


def _slope(part: dict[str, ir.Value], n: int, lag: int) -> ir.Value:
    # With age a counted back from the last month, time is −a, and Σ(t − mean t)² = n(n² − 1)/12.
    covariance = part["s"] * (2 * lag + n - 1) - part["w"] * 2
    return covariance.cast("float64") * 6 / (n * (n * n - 1))


def _extreme(part: dict[str, ir.Value], n: int, which: str) -> ir.Value:
    # A month without a row counts as 0 once any month is missing.
    value = part[which].cast("float64")
    bounded = ibis.greatest(value, 0.0) if which == "hi" else ibis.least(value, 0.0)
    return ibis.ifelse(part["n"] < n, bounded, value)


_FORMULAS = {
    "sum": lambda part, n, lag: part["s"].cast("float64"),
    "mean": lambda part, n, lag: part["s"].cast("float64") / n,
    "std": _std,
    "cv": _cv,
    "slope": _slope,
    "max": lambda part, n, lag: _extreme(part, n, "hi"),
    "min": lambda part, n, lag: _extreme(part, n, "lo"),
    "months_with": lambda part, n, lag: part["p"].cast("float64"),
    "months_without": lambda part, n, lag: n - part["p"].cast("float64"),
    "recency": lambda part, n, lag: (part["r"] - lag).cast("float64"),
}


def spans(county: County, name: str, when: tuple[Moment, ...], reach: int) -> ir.Table:
    """Count the totals over several months that reach into the longest window, by household and as-of.

    A household whose spending is only known as such totals has no monthly figures to make windows of.
    """
    t = asof.known(county, name, when)
    t = t.filter(
        (t.month_from < t.month_to) & (t.month_to > t.last_month - reach) & (t.month_from <= t.last_month)
    )
    return t.group_by(KEY).agg(**{f"{name}_spans": ibis._.count()})
