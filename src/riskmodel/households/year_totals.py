"""Which twelve months totals cover, source by source, and what they add up to (contract, "Totals")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from riskmodel.data import codes
from riskmodel.households.coverage import Spans, last_written_up
from riskmodel.households.panel import Rows, code_place, prefix_sums
from riskmodel.households.totals import YEAR, Tiling, tile_years

if TYPE_CHECKING:
    from riskmodel.households.known_records import KnownRecords, Lines


@dataclass(frozen=True)
class YearsByTotals:
    """Twelve months by source for households that have totals: ``[source, household of sub, month]``."""

    sub: np.ndarray
    covered: np.ndarray
    amounts: np.ndarray
    net: np.ndarray
    differs: np.ndarray
    waited: np.ndarray

    def at(self, end: np.ndarray, first: int) -> tuple[np.ndarray, ...]:
        """Return whether the twelve months up to ``end`` are covered, each source's sum, and two remarks.

        The remarks are whether business income is net of costs, and whether another tiling differs.
        """
        place = np.clip(end - first, 0, self.covered.shape[1] - 1)
        rows = np.arange(len(self.sub))
        inside = (end >= first) & (end - first < self.covered.shape[1])
        covered = self.covered[rows, place] & inside
        return (
            covered, self.amounts[:, rows, place], self.net[rows, place] & covered,
            self.differs[rows, place] & covered,
        )  # fmt: skip


def years_by_totals(known: KnownRecords) -> YearsByTotals:
    """Return which twelve months totals cover, source by source, and what they add up to.

    A source with a total anywhere is covered only by totals; one that has months alone where these are on
    record; one never seen is 0 once the allowed time for entering it has passed. The same for production,
    where it is subtracted. Net business income stands instead of business income: one of the two is enough,
    in each year for itself.
    """
    sub, months = known.with_totals, known.panel.months
    ends = known.panel.first + np.arange(months)
    waited = ends + known.county.about.entry_lag_months <= last_written_up(known.moment.known_by, 0)
    places = range(len(codes("income", "source")))
    net, business = (code_place("income", code) for code in ("business_net", "business"))
    covered = np.ones((len(sub), months), bool)
    some, differs = np.zeros_like(covered), np.zeros_like(covered)
    amounts = np.zeros((len(places), len(sub), months), np.int64)
    wholly = _years_on_record(known, "income", sub)
    net_tiling, net_total, net_month = known.tiled("income", net)
    gross_tiling, gross_total, _ = known.tiled("income", business)
    # One source in two forms: a year given net waits for no gross amount because other years have one.
    by_gross = gross_total[:, None] & gross_tiling.covered
    by_net = net_total[:, None] & net_tiling.covered
    instead = {net: by_gross, business: by_net}
    for place in places:
        tiling, has, seen = known.tiled("income", place)
        unseen = np.broadcast_to(waited, covered.shape)
        if place == net:
            unseen = np.ones_like(covered)
        elif place == business:
            unseen = unseen | (net_total | net_month)[:, None]
        otherwise = np.where(seen[:, None], wholly, unseen)
        by_months = _year_sums(known.panel.amounts["income"][place][sub])
        covered &= np.where(has[:, None], tiling.covered | instead.get(place, False), otherwise)
        some |= has[:, None] & tiling.covered
        amounts[place] = np.where(has[:, None], tiling.amount, by_months)
        differs |= tiling.differs
    is_net = by_net
    if known.county.has("spending"):
        tiling, has, seen = known.tiled("spending", code_place("spending", "production"))
        otherwise = np.where(seen[:, None], _years_on_record(known, "spending", sub), waited)
        costs = np.where(has[:, None], tiling.covered, otherwise)
        covered &= is_net | (_year_sums(known.has_net[sub].astype(np.int64)) == YEAR) | costs
    years = YearsByTotals(sub, covered & some, amounts, is_net, differs, waited)
    if known.merged is not None:
        _years_before_merges(known, years)
    return years


def _years_before_merges(known: KnownRecords, years: YearsByTotals) -> None:
    """Let years that reach back before a merge be covered where they are of each parent, by totals of one.

    A year that reaches over its day counts where each parent covers it wholly, and the new number has nothing
    in it: what began with the merge says nothing of the months before.
    """
    merged = known.merged
    assert merged is not None
    earlier = merged.of(known)
    theirs = years if earlier is known else earlier.by_totals
    axis, first = known.panel.first + np.arange(known.panel.months), known.panel.first
    place = {int(household): i for i, household in enumerate(theirs.sub)}
    own = {int(household): i for i, household in enumerate(years.sub)}
    touched = _reach(earlier.totals["income"], earlier.households, first, known.panel.months)
    for i, household in enumerate(merged.household):
        at = own.get(int(household))
        if at is None:
            continue
        whole, by_total, differs = (
            np.ones_like(axis, bool),
            np.zeros_like(axis, bool),
            np.zeros_like(axis, bool),
        )
        for parent in merged.parents[i]:
            there = touched[parent]
            covered = np.zeros_like(axis, bool)
            if (mine := place.get(int(parent))) is not None:
                covered = theirs.covered[mine]
                differs |= there & theirs.differs[mine]
            months = np.logical_and.reduce(
                [_year_sums(earlier.on.own[t][[parent]].astype(np.int64))[0] == YEAR for t in known.tables]
            )
            whole &= np.where(there, covered, months)
            by_total |= there & covered
        new = merged.new[i]
        over = axis >= merged.begin[i]
        if len(new):
            whole &= ~(over & _has_something(merged.lines, new, first))
        before = axis - YEAR + 1 < merged.begin[i]
        years.covered[at] = np.where(before, whole & by_total, years.covered[at])
        years.differs[at] = np.where(before, differs, years.differs[at])


def _reach(rows: Rows, households: int, first: int, months: int) -> np.ndarray:
    """Return ``[household, month]``: whether a total reaches into the twelve months up to the month."""
    spans = Spans(rows.household, rows.month_from, rows.month_to + YEAR - 1)
    return spans.mask(households, first, months)


def _has_something(lines: Lines, some: np.ndarray, first: int) -> np.ndarray:
    """Return whether some lines have an amount in the twelve months up to each."""
    months = lines.panel.months
    present = (lines.panel.present("income") | lines.panel.present("spending"))[some].any(axis=0)
    out = _year_sums(present[None].astype(np.int64))[0] > 0
    for rows in lines.totals.values():
        out |= _reach(rows, lines.count, first, months)[some].any(axis=0)
    return out


def tile_lines(known: KnownRecords, tiling: Tiling, table: str, place: int) -> Tiling:
    """Tile years of merged households line by line: what each has totals of is added up.

    A line without anything in a year adds nothing; one with months alone cannot be added to totals of
    another, so that the year is not covered.
    """
    merged, sub = known.merged, known.with_totals
    assert merged is not None
    lines, first, months = merged.lines, known.panel.first, known.panel.months
    rows = lines.totals[table]
    rows = rows.where(rows.code == place)
    at = np.searchsorted(sub, merged.line_of)
    there = (
        (at < len(sub)) & (sub[np.minimum(at, len(sub) - 1)] == merged.line_of)
        if len(sub)
        else np.zeros(0, bool)
    )
    if not len(rows) or not there.any():
        return tiling
    own = tile_years(rows, lines.count, first, months)
    touched = _reach(rows, lines.count, first, months)
    paid = _year_sums(lines.panel.counts[table][place].astype(np.int64)) > 0
    covered, amount, differs = tiling.covered.copy(), tiling.amount.copy(), tiling.differs.copy()
    for target in np.unique(at[there]):
        mine = np.flatnonzero(there & (at == target))
        whole = (own.covered[mine] | (~touched[mine] & ~paid[mine])).all(axis=0)
        covered[target] = whole & own.covered[mine].any(axis=0)
        amount[target] = np.where(covered[target], own.amount[mine].sum(axis=0), 0)
        differs[target] = covered[target] & own.differs[mine].any(axis=0)
    return Tiling(covered, amount, differs)


def tile_code(known: KnownRecords, table: str, place: int, sub: np.ndarray) -> tuple[Tiling, np.ndarray]:
    """Tile years with one code's totals; households are numbered by their place in ``sub``."""
    rows = known.totals[table]
    rows = rows.where((rows.code == place) & np.isin(rows.household, sub))
    own = Rows(np.searchsorted(sub, rows.household), *(
        getattr(rows, name) for name in list(rows.__dataclass_fields__)[1:]
    ))  # fmt: skip
    has = np.zeros(len(sub), bool)
    has[own.household] = True
    return tile_years(own, len(sub), known.panel.first, known.panel.months), has


def _years_on_record(known: KnownRecords, table: str, sub: np.ndarray) -> np.ndarray:
    return _year_sums(known.on.months[table][sub].astype(np.int64)) == YEAR


def _year_sums(values: np.ndarray) -> np.ndarray:
    """Sum the twelve months up to each one; those before the axis are not there."""
    sums = prefix_sums(values)
    out = sums[:, 1:].copy()
    out[:, YEAR:] -= sums[:, 1:-YEAR]
    return out
