"""Monthly amounts by household, code and span, as known at each as-of date.

A span is the time between two neighbouring ends of windows, counted back from the last complete month. Raw
rows are summed once to household × code × month and then to *cells*, the pieces that the spans of all as-of
dates cut time into; only cells meet the as-of dates. A month whose rows became known at different times has
one sum before and another one after; such months, few, meet the as-of dates one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.data import County, codes
from riskmodel.features.storage import WHOLE, Piece, within
from riskmodel.households import RIGID, Moment, point_in_time

KEY = ["household_id", "as_of"]
CODE = {"income": "source", "spending": "category"}
# Codes taken together; an empty tuple stands for every code.
TOGETHER: dict[str, dict[str, tuple[str, ...]]] = {"income": {"total": ()}, "spending": {"rigid": RIGID}}
# Net business income stands in for gross business income where an office records only that.
SAME_AS = {"business_net": "business"}
FEN = "decimal(18,2)"

# Sums of y, y² and y·age over the months of a span, largest and smallest y, months with a row (n) and with
# y above 0 (p), age of the youngest of those (r): all that windows are made of can be added up from spans.
TYPES = {
    "s": FEN, "q": "decimal(38,4)", "w": "decimal(38,2)", "hi": FEN, "lo": FEN, "n": "int64", "p": "int64",
    "r": "int32",
}  # fmt: skip


def single_codes(name: str) -> list[str]:
    """Return the codes of a source by themselves, in contract order."""
    return [c for c in codes(name, CODE[name]) if c not in SAME_AS]


def by_span(
    county: County,
    name: str,
    wanted: Collection[str | None],
    when: tuple[Moment, ...],
    edges: Sequence[int],
    parts: Sequence[str],
    piece: Piece = WHOLE,
) -> ir.Table:
    """Return what windows are made of, by household, as-of, code and span.

    Parameters
    ----------
    county : County
    name : str
        ``income`` or ``spending``.
    wanted : collection of str
        Codes, single or together, that are asked for; None asks for every single one.
    when : tuple of Moment
    edges : sequence of int
        Ages in months at which spans begin and end, from 0 up.
    parts : sequence of str
        Of `TYPES`.
    piece : pair
        From and to which household id.

    Returns
    -------
    ibis.Table
        ``household_id, as_of, code, span`` (number of the span, youngest first) and the parts; several rows
        may share a span.
    """
    known_in_order = all(a.known_by <= b.known_by for a, b in pairwise(when))
    if county.facts.get(f"corrected.{name}", False) or not known_in_order:
        rows = within(point_in_time.known(county, name, when), piece)
        return _from_months(_known_months(rows, name, wanted, edges[-1]), edges, parts)
    first = _month_sums(within(county.table(name), piece), name, wanted, when, edges[-1])
    key = ["household_id", "code", "month"]
    late = first.filter(first.turn > first.closed).select(*key).distinct()
    days = _calendar(when, edges[-1])
    mixed = first.semi_join(late, key).rename(since="turn").inner_join(days, "month")
    mixed = mixed.filter(mixed.turn >= mixed.since).group_by([*KEY, "code", "age"]).agg(y=ibis._.y.sum())
    cells = _cells(first.anti_join(late, key), when, edges, parts)
    return cells.union(_from_months(mixed.mutate(y=mixed.y.cast(FEN)), edges, parts))


def _single_months(t: ir.Table, name: str, wanted: Collection[str | None]) -> ir.Table:
    t = t.filter(t.month_from == t.month_to)
    code = t[CODE[name]]
    for other, same in SAME_AS.items():
        code = ibis.ifelse(code == other, same, code)
    t = t.mutate(code=code, month=t.month_to, amount=t.amount.cast(FEN))
    if name == "income":  # whether a household has any income row decides what is missing: all are needed
        return t
    single = set(single_codes(name)) if None in wanted else set(wanted)
    for together, parts in TOGETHER[name].items():
        single |= set(parts) if together in wanted else set()
    return t.filter(t.code.isin(sorted(c for c in single if c)))


def _month_sums(
    t: ir.Table, name: str, wanted: Collection[str | None], when: tuple[Moment, ...], reach: int
) -> ir.Table:
    """Sum by household, code, month and ``turn``, the first as-of date (by number) at which a row counts.

    ``closed`` is the first as-of date at which the month itself is complete.
    """
    t = _single_months(t, name, wanted)
    last = [point_in_time.last_complete_month(m.as_of) for m in when]
    t = t.filter((t.month > min(last) - reach) & (t.month <= max(last)) & (t.known_on <= when[-1].known_by))
    closed = _total((t.month > m).cast("int32") for m in last)
    known = _total((t.known_on > ibis.literal(m.known_by)).cast("int32") for m in when)
    t = t.mutate(turn=ibis.greatest(closed, known), closed=closed)
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
    for together, parts in TOGETHER[name].items():
        if together in wanted:
            t = sums.filter(sums.code.isin(parts)) if parts else sums
            t = t.group_by(key).agg(y=ibis._.y.sum().cast(FEN))
            out = out.union(t.mutate(code=ibis.literal(together)).select(*out.columns))
    return out


def _calendar(when: Sequence[Moment], reach: int) -> ir.Table:
    """Return every month in reach of every as-of date; an equality join on it replaces a range join."""
    rows = [
        {
            "month": point_in_time.last_complete_month(m.as_of) - age,
            "turn": turn,
            "as_of": m.as_of,
            "age": age,
        }
        for turn, m in enumerate(when)
        for age in range(reach)
    ]
    schema = ibis.schema({"month": "int32", "turn": "int32", "as_of": "date", "age": "int32"})
    return ibis.memtable(pd.DataFrame(rows), schema=schema)


def _cells(months: ir.Table, when: Sequence[Moment], edges: Sequence[int], parts: Sequence[str]) -> ir.Table:
    last = [point_in_time.last_complete_month(m.as_of) for m in when]
    ends = sorted({m - edge for m in last for edge in edges})  # a cell is (ends[i], ends[i + 1]]
    base = ends[0]
    of_month = [{"month": m, "cell": bisect_left(ends, m) - 1} for m in range(base + 1, ends[-1] + 1)]
    of_span = [
        {"cell": cell, "as_of": m.as_of, "span": span, "back": m_last - base}
        for m, m_last in zip(when, last, strict=True)
        for span, (young, old) in enumerate(pairwise(edges))
        for cell in range(ends.index(m_last - old), ends.index(m_last - young))
    ]
    months = months.inner_join(_small(of_month, month="int32", cell="int32"), "month")
    y, since = months.y, (months.month - base).cast("int32")
    sums = {
        "s": y.sum(), "q": (y * y).sum(), "w": (y * since).sum(), "hi": y.max(), "lo": y.min(),
        "n": y.count(), "p": ibis.ifelse(y > 0, 1, None).count(), "r": ibis.ifelse(y > 0, since, None).max(),
    }  # fmt: skip
    needed = dict.fromkeys([*parts, *(["s"] if "w" in parts else [])])
    cells = months.group_by(["household_id", "code", "cell"]).agg(
        **{p: sums[p].cast(TYPES[p]) for p in needed}
    )
    t = cells.inner_join(_small(of_span, cell="int32", as_of="date", span="int8", back="int32"), "cell")
    # With a month counted from `base` on, its age is back − month.
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


def _small(rows: Sequence[Mapping[str, object]], **types: str) -> ir.Table:
    return ibis.memtable(pd.DataFrame(rows), schema=ibis.schema(types))


def _total(terms: Iterable[ir.IntegerValue]) -> ir.IntegerValue:
    return reduce(lambda a, b: a + b, terms)
