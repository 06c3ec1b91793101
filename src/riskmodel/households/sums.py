"""What a period adds up to, and which sums are known (contract, "Coverage": totals, costs, bounds).

A sum stands where every month of it is on record; a total is never split, and never added to months that it
covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.data import codes
from riskmodel.households.known_records import KnownRecords
from riskmodel.households.panel import Panel, Rows, code_place, sums_between
from riskmodel.households.periods import Period, untouched_by_totals
from riskmodel.households.totals import YEAR, fewest_totals

PRODUCTION = "production"


@dataclass(frozen=True)
class Sums:
    """What a period adds up to, ``[household]`` each, in panel units; a sum that is not known is masked.

    Parameters
    ----------
    income, spending
        By code, ``[code, household]``.
    costs
        Production spending to be subtracted.
    income_known, spending_known
        Whether the months are on record; ``costs_known`` whether the costs are known.
    net_throughout
        Whether business income is net of costs over the whole period, so that none are subtracted.
    costs_clear
        Whether production totals say what to subtract: none straddles the edge of the period, or of months
        with net income.
    code_unknown
        Pairs of table and code whose own sum is not known, with for whom.
    any_income
        Whether there is an income row, or a month without one means none.
    """

    income: np.ndarray
    spending: np.ndarray
    costs: np.ndarray
    income_known: np.ndarray
    spending_known: np.ndarray
    costs_known: np.ndarray
    net_throughout: np.ndarray
    costs_clear: np.ndarray
    code_unknown: dict[tuple[str, str], np.ndarray]
    any_income: np.ndarray

    @property
    def gross(self) -> np.ndarray:
        """Income of all sources."""
        return np.asarray(self.income.sum(axis=0))

    @property
    def net_known(self) -> np.ndarray:
        """Whether income and production costs are known."""
        known = self.income_known & self.any_income & self.costs_known & self.costs_clear
        for (table, code), mask in self.code_unknown.items():
            if table == "income":
                known = known & ~mask
            elif code == PRODUCTION:
                known = known & (self.net_throughout | ~mask)
        return np.asarray(known)

    def unknown(self, table: str, code: str) -> np.ndarray:
        """Return for whom the sum of one code is not known though the table is."""
        return self.code_unknown.get((table, code), np.zeros(len(self.income_known), bool))


def add_up(known: KnownRecords, period: Period, back: int) -> Sums:
    """Add up income and spending over each household's period, ``back`` periods ago."""
    sums = _add_up(known, period, back)
    return sums if known.merged is None else _with_parents(known, sums, period, back)


def _with_parents(known: KnownRecords, sums: Sums, period: Period, back: int) -> Sums:
    """Let totals of a merged household's earlier periods be the sum of its parents' periods."""
    merged, (start, stop) = known.merged, period.bounds(back)
    assert merged is not None
    by_totals = period.by_totals | (~untouched_by_totals(known, start, stop) if back else False)
    asked = by_totals[merged.household] & ((stop - start) == YEAR)[merged.household]
    asked &= start[merged.household] < merged.begin
    if not asked.any():
        return sums
    earlier = merged.of(known)
    end = np.full(earlier.households, known.last_month, np.int64)
    for i in np.flatnonzero(asked):
        end[merged.parents[i]] = stop[merged.household[i]] - 1
    n = earlier.households
    by_their_totals = np.zeros(n, bool)
    touched = ~untouched_by_totals(earlier, end + 1 - YEAR, end + 1)
    for i in np.flatnonzero(asked):
        by_their_totals[merged.parents[i]] = touched[merged.parents[i]]
    theirs = add_up(
        earlier,
        Period(end, np.full(n, YEAR), by_their_totals, np.ones(n, bool), np.zeros(n, np.int64)),
        0,
    )
    net_known = theirs.net_known
    for i in np.flatnonzero(asked):
        household, parents = merged.household[i], merged.parents[i]
        for name in ("income", "spending"):
            getattr(sums, name)[:, household] = getattr(theirs, name)[:, parents].sum(axis=1)
        sums.costs[household] = theirs.costs[parents].sum()
        covered = known.by_totals.at(stop[known.by_totals.sub] - 1, known.panel.first)[0]
        whole = covered[np.searchsorted(known.by_totals.sub, household)]
        for name in ("income_known", "spending_known", "any_income", "costs_clear"):
            getattr(sums, name)[household] = getattr(theirs, name)[parents].all()
        sums.income_known[household] &= whole
        sums.costs_known[household] = theirs.costs_known[parents].all() & net_known[parents].all()
        # Costs that no parent subtracts are not wanting.
        unknown = theirs.unknown("spending", PRODUCTION)[parents]
        sums.net_throughout[household] = (theirs.net_throughout[parents] | ~unknown).all()
        for table, code in {**sums.code_unknown, **theirs.code_unknown}:
            mine = sums.code_unknown.setdefault((table, code), np.zeros(known.households, bool))
            mine[household] = theirs.unknown(table, code)[parents].any()
    return sums


def _add_up(known: KnownRecords, period: Period, back: int) -> Sums:
    start, stop = period.bounds(back)
    n = known.households
    income = known.panel.window("income", start, stop)
    income_known = known.on_record("income", start, stop)
    rows = known.rows_in("income", start, stop)
    with_rows = np.asarray(rows.any(axis=0))
    any_income = with_rows | known.on.stated["income"]
    if known.merged is not None:  # before a merge each parent must say what is on record
        some, axis = known.merged.household, known.panel.first + np.arange(known.panel.months)
        inside = (axis >= start[some, None]) & (axis < stop[some, None])
        said = (
            known.on.rule_1["income"] if known.merged.earlier is not None else known.on.rule_1["income"][some]
        )
        whole = (said & inside).sum(axis=1) == (stop - start)[some]
        any_income[some] = with_rows[some] | whole
    business = code_place("income", "business")
    net_months = known.net_months(start, stop)
    no_business = rows[business] == 0
    spent = _Spent(
        known.panel.window("spending", start, stop), known.production_in(start, stop),
        np.zeros((len(codes("spending", "category")), n), bool), np.zeros(n, bool),
    )  # fmt: skip
    if len(known.totals["spending"]):
        spent = _with_spending_totals(known, spent, start, stop)
    if len(known.totals["income"]):
        years = known.by_totals
        sub, end = years.sub, stop[years.sub] - 1
        asked = period.by_totals | (~untouched_by_totals(known, start, stop) if back else False)
        here = asked[sub] & (stop - start == YEAR)[sub]
        covered, amounts, is_net, _ = years.at(end, known.panel.first)
        income[:, sub] = np.where(here & covered, amounts, income[:, sub])
        income_known[sub] &= np.where(asked[sub], here & covered, True)
        any_income[sub] |= here & covered
        # Where net income comes as totals, months of it beside them do not count.
        of_months = np.where(
            here & known.tiled("income", code_place("income", "business_net"))[1], 0, net_months[sub]
        )
        net_months[sub] = np.where(here & is_net, YEAR, of_months)
        no_business &= ~_touched(
            known.totals["income"].where(known.totals["income"].code == business), start, stop
        )
        spent = _with_spending_of_years(known, spent, here, end, net_months[sub])
    throughout = (net_months == stop - start) & (net_months > 0)
    costs, clear = np.where(throughout, 0, spent.costs), throughout | ~spent.mixed
    unknown = {
        ("spending", code): spent.unclear[i]
        for i, code in enumerate(codes("spending", "category"))
        if spent.unclear[i].any()
    }
    if ("spending", PRODUCTION) in unknown:
        clear = clear & (throughout | ~unknown["spending", PRODUCTION])
    for table, item in known.items_off:
        if table not in known.tables:
            continue
        off = known.taken_off(table, start, stop, item)
        unknown[table, item] = unknown.get((table, item), np.zeros(n, bool)) | off
    income_known &= ~known.taken_off("income", start, stop)
    if known.county.has("spending"):
        spending_known = known.on_record("spending", start, stop) & ~known.taken_off("spending", start, stop)
        costs_known = spending_known
    else:
        spending_known, clear = np.zeros(n, bool), np.ones(n, bool)
        net_alone = (net_months > 0) & no_business
        costs_known = np.ones(n, bool) if known.county.about.income_is_net else net_alone
    return Sums(
        income, spent.amounts, costs, income_known, spending_known, costs_known, throughout, clear, unknown,
        any_income,
    )  # fmt: skip


@dataclass(frozen=True)
class _Spent:
    """Spending by category and the costs to subtract, with where they are not clear."""

    amounts: np.ndarray
    costs: np.ndarray
    unclear: np.ndarray
    mixed: np.ndarray


def _touched(rows: Rows, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return whose window ``[start, stop)`` a total reaches into."""
    out = np.zeros(len(start), bool)
    inside = (rows.month_from < stop[rows.household]) & (rows.month_to >= start[rows.household])
    out[rows.household[inside]] = True
    return out


@dataclass(frozen=True)
class _Spending:
    """Spending by month and in totals: of households, or of the lines that make up merged ones."""

    panel: Panel
    totals: Rows
    has_net: np.ndarray
    production: np.ndarray

    def over(self, start: np.ndarray, stop: np.ndarray) -> _Spent:
        """Sum the months of a window of each."""
        first, n = self.panel.first, len(start)
        costs = sums_between(self.production, start - first, stop - first)[0]
        unclear = np.zeros((len(codes("spending", "category")), n), bool)
        return _Spent(self.panel.window("spending", start, stop), costs, unclear, np.zeros(n, bool))


def _with_spending_totals(known: KnownRecords, spent: _Spent, start: np.ndarray, stop: np.ndarray) -> _Spent:
    """Let totals that lie wholly inside the period count; those of merged households line by line."""
    rows, merged = known.totals["spending"], known.merged
    if merged is not None:
        rows = rows.where(~np.isin(rows.household, merged.household))
    out = _with_totals_inside(
        _Spending(known.panel, rows, known.has_net, known.production), spent, start, stop
    )
    if merged is None or not len(merged.lines.totals["spending"]):
        return out
    of, panel = merged.line_of, merged.lines.panel
    production = panel.amounts["spending"][code_place("spending", PRODUCTION)]
    net = known.has_net[of]
    lines = _Spending(panel, merged.lines.totals["spending"], net, np.where(net, 0, production)[np.newaxis])
    theirs = _with_totals_inside(lines, lines.over(start[of], stop[of]), start[of], stop[of])
    some = np.unique(of)
    out.amounts[:, some], out.costs[some] = 0, 0
    np.add.at(out.amounts.T, of, theirs.amounts.T)
    np.add.at(out.costs, of, theirs.costs)
    np.logical_or.at(out.unclear.T, of, theirs.unclear.T)
    np.logical_or.at(out.mixed, of, theirs.mixed)
    return out


def _with_totals_inside(known: _Spending, spent: _Spent, start: np.ndarray, stop: np.ndarray) -> _Spent:
    """Let totals that lie wholly inside the period count instead of the months under them.

    A category is unclear where a total straddles the period's edge, or where totals overlap that do not tile
    it. Production totals are not subtracted in months of net business income.
    """
    rows = known.totals
    first, last = start[rows.household], stop[rows.household] - 1
    touching = (rows.month_from <= last) & (rows.month_to >= first)
    rows, first, last = rows.where(touching), first[touching], last[touching]
    inside = (rows.month_from >= first) & (rows.month_to <= last)
    unclear = spent.unclear.copy()
    unclear[rows.code[~inside], rows.household[~inside]] = True
    rows = rows.where(inside & ~unclear[rows.code, rows.household])
    keep, clash = _without_overlaps(rows, start, stop)
    unclear[rows.code[clash], rows.household[clash]] = True
    rows = rows.where(keep)
    at, begin, end = (
        rows.household,
        rows.month_from - known.panel.first,
        rows.month_to + 1 - known.panel.first,
    )
    under = _sums_at(known.panel.amounts["spending"], rows.code, at, begin, end)
    amounts, costs, mixed = spent.amounts.copy(), spent.costs.copy(), spent.mixed.copy()
    np.add.at(amounts, (rows.code, at), rows.amount - under)
    production = rows.code == code_place("spending", PRODUCTION)
    at, begin, end, amount = (values[production] for values in (at, begin, end, rows.amount))
    net = _sums_at(known.has_net[np.newaxis], np.zeros_like(at), at, begin, end)
    under = _sums_at(known.production, np.zeros_like(at), at, begin, end)
    np.add.at(costs, at, np.where(net > 0, 0, amount) - under)
    mixed[at[(net > 0) & (net < end - begin)]] = True
    return _Spent(amounts, costs, unclear, mixed)


def _sums_at(
    values: np.ndarray, code: np.ndarray, household: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Sum ``[code, household, month]`` over a span of each of some households."""
    if not len(household):
        return np.zeros(0, np.int64)
    at, place = np.unique(household, return_inverse=True)
    few = values[:, at]
    sums = np.zeros((*few.shape[:2], few.shape[2] + 1), np.int64)
    np.cumsum(few, axis=2, out=sums[:, :, 1:])
    return np.asarray(sums[code, place, end] - sums[code, place, begin])


def _without_overlaps(rows: Rows, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which totals count, and which clash; of totals that overlap those count that tile the period."""
    keep, clash = np.ones(len(rows), bool), np.zeros(len(rows), bool)
    order = np.lexsort((rows.month_to, rows.month_from, rows.household, rows.code))
    code, household = rows.code[order], rows.household[order]
    same = (code[1:] == code[:-1]) & (household[1:] == household[:-1])
    groups = np.concatenate([[0], np.cumsum(~same)]) if len(order) else np.zeros(0, np.int64)
    # A total may end after several that follow it have begun.
    reach = np.maximum.accumulate(rows.month_to[order] + groups * 10**6) - groups * 10**6
    overlapping = np.flatnonzero(same & (rows.month_from[order][1:] <= reach[:-1]))
    for group in np.unique(groups[overlapping]):
        mine = order[groups == group]
        h = rows.household[mine[0]]
        tiles = fewest_totals(rows.where(mine), int(start[h]), int(stop[h]))
        keep[mine] = False
        keep[mine[tiles]] = True
        clash[mine] = not tiles
    return keep, clash


def _with_spending_of_years(
    known: KnownRecords, spent: _Spent, here: np.ndarray, end: np.ndarray, net_months: np.ndarray
) -> _Spent:
    """Let years that totals cover take their spending as the contract covers sources.

    A category with a total is covered only by totals that tile the year, one with months alone where these
    are on record, one never seen is 0 once the time for entering it has passed.
    """
    years, first = known.by_totals, known.panel.first
    sub = years.sub
    amounts, costs, unclear, mixed = (
        getattr(spent, name).copy() for name in ("amounts", "costs", "unclear", "mixed")
    )
    place = np.clip(end - first, 0, known.panel.months - 1)
    rows = np.arange(len(sub))
    on_record = known.on_record("spending", end + 1 - YEAR, end + 1, sub)
    for i, code in enumerate(codes("spending", "category")):
        tiling, has, seen = known.tiled("spending", i)
        summed = known.panel.amounts["spending"][i : i + 1, sub]
        by_months = sums_between(summed, end + 1 - YEAR - first, end + 1 - first)[0]
        covered = np.where(seen, on_record, years.waited[place])
        covered = np.where(has, tiling.covered[rows, place], covered)
        by_months = np.where(has, tiling.amount[rows, place], by_months)
        amounts[i, sub] = np.where(here, by_months, amounts[i, sub])
        unclear[i, sub] = np.where(here, ~covered, unclear[i, sub])
        if code == PRODUCTION:
            net_in_totals = known.tiled("income", code_place("income", "business_net"))[1]
            months = known.production_in(end + 1 - YEAR, end + 1, sub)
            months = np.where(net_in_totals, by_months, months)
            costs[sub] = np.where(here, np.where(has, by_months, months), costs[sub])
            some = (net_months > 0) & (net_months < YEAR)
            mixed[sub] = np.where(here, has & some, mixed[sub])
    return _Spent(amounts, costs, unclear, mixed)


def bounds(
    known: KnownRecords, period: Period, now: Sums, usable: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what net income over the last completed months could be: lowest, highest, and whether bounded.

    Where the period lags, months not yet on record earn nothing, or as a year before; their production costs
    are those of the year before in both. Totals have no months to bound by.
    """
    low = now.gross - now.costs
    high = low.copy()
    bounded = usable & now.net_known
    lagging = np.flatnonzero(bounded & (period.lag > 0))
    if not len(lagging):
        return low, high, bounded
    stop = np.full(known.households, known.last_month + 1)
    split = period.by_totals | ~untouched_by_totals(known, stop - 2 * YEAR, stop)
    production = known.totals["spending"]
    production = production.where(production.code == code_place("spending", PRODUCTION))
    split |= _touched(production, stop - 2 * YEAR, stop + 10**6)
    bounded[lagging[split[lagging]]] = False
    lagging = lagging[~split[lagging]]
    earned = _last_years(known.panel.amounts["income"][:, lagging].sum(axis=0), known)
    spent = _last_years(known.production[0, lagging], known)
    on = {table: _last_years(known.on_record_months(table, lagging), known) for table in known.tables}
    lowest = np.where(on["income"], earned, 0)[:, YEAR:].sum(axis=1)
    highest = np.where(on["income"][:, YEAR:], earned[:, YEAR:], earned[:, :YEAR]).sum(axis=1)
    costs = np.zeros(len(lagging), np.int64)
    if "spending" in on:
        costs = np.where(on["spending"][:, YEAR:], spent[:, YEAR:], spent[:, :YEAR]).sum(axis=1)
    low[lagging], high[lagging] = lowest - costs, highest - costs
    return low, high, bounded


def _last_years(values: np.ndarray, known: KnownRecords) -> np.ndarray:
    """Return the two years up to the last completed month of ``[household, month]``, 0 beyond the axis."""
    stop = known.last_month + 1 - known.panel.first
    out = np.zeros((len(values), 2 * YEAR), values.dtype)
    first = max(stop - 2 * YEAR, 0)
    there = values[:, first : max(stop, 0)]
    if there.shape[1]:
        out[:, first - stop + 2 * YEAR :][:, : there.shape[1]] = there
    return out
