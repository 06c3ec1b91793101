"""What is on record of each household's income and spending at each moment, under the numbers in use then.

Rows are those known by the moment (`riskmodel.households.panel`), under the households that links join them
to (`riskmodel.data.links`); `riskmodel.households.coverage` says which months are on record, and spans taken
off record are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from riskmodel.data import County, Identity, codes, county_links, first_month_from, month_ordinal
from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    TABLES,
    OnRecord,
    Places,
    Statements,
    last_written_up,
    months_on_record,
)
from riskmodel.households.panel import (
    CODE_COLUMN,
    Panel,
    Rows,
    day_number,
    prefix_sums,
    read_records,
    sums_between,
    window_sums,
)
from riskmodel.households.point_in_time import Moment, last_complete_month
from riskmodel.households.statements import (
    Doubts,
    OffRecord,
    States,
    read_doubts,
    read_off_record,
    read_statements,
    read_states,
)
from riskmodel.households.totals import YEAR, Tiling, tile_years

LONGEST_WINDOW = 60  # months before as-of that anything looks back to


@dataclass(frozen=True)
class KnownRecords:
    """Income and spending, and what of them is on record, as known at one moment."""

    county: County
    panel: Panel
    totals: dict[str, Rows]
    places: Places
    on: OnRecord
    off: OffRecord
    doubts: Doubts
    moment: Moment
    split: np.ndarray

    @property
    def households(self) -> int:
        """How many households there are."""
        return len(self.places.valid)

    @property
    def last_month(self) -> int:
        """The last completed month at as-of."""
        return last_complete_month(self.moment.as_of)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """Tables that net income adds up."""
        return TABLES if self.county.has("spending") else ("income",)

    @cached_property
    def recorded(self) -> dict[str, np.ndarray]:
        """Running counts of months on record, before spans are taken off."""
        return {table: prefix_sums(self.on.months[table]) for table in TABLES}

    @cached_property
    def off_months(self) -> dict[str, np.ndarray]:
        """Running counts of months taken off whole."""
        counts = {}
        for table in TABLES:
            mine = self.off.where((self.off.of == table) & (self.off.item == ""))
            mask = mine.spans().mask(self.households, self.panel.first, self.panel.months)
            counts[table] = prefix_sums(mask)
        return counts

    def on_record(self, table: str, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return whether every month of a window is on record, spans taken off aside."""
        count = window_sums(self.recorded[table], start - self.panel.first, stop - self.panel.first)
        return np.asarray(count == stop - start)

    def taken_off(self, table: str, start: np.ndarray, stop: np.ndarray, item: str = "") -> np.ndarray:
        """Return whether a span taken off reaches into a window: of the whole table, or of one item."""
        mine = self.off.where((self.off.of == table) & (self.off.item == item))
        return reaches_into(mine, start, stop, self.households)

    @cached_property
    def by_totals(self) -> YearsByTotals:
        """Which twelve months totals cover."""
        return _years_by_totals(self)

    @cached_property
    def items_off(self) -> list[tuple[str, str]]:
        """Items of which some span is off, with their tables."""
        named = {(str(t), str(i)) for t, i in zip(self.off.of, self.off.item, strict=True) if i}
        return sorted(pair for pair in named if pair[0] in TABLES)

    @cached_property
    def production(self) -> np.ndarray:
        """Production spending ``[1, household, month]``, none in months of net business income."""
        spent = self.panel.amounts["spending"][code_place("spending", "production")]
        net = self.panel.counts["income"][code_place("income", "business_net")] > 0
        return np.where(net, 0, spent)[np.newaxis] if net.any() else spent[np.newaxis]

    def production_in(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Sum production spending over a window of each household, months alone."""
        return sums_between(self.production, start - self.panel.first, stop - self.panel.first)[0]

    def rows_in(self, table: str, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Count rows of one month over a window, ``[code, household]``."""
        first = self.panel.first
        return sums_between(self.panel.counts[table], start - first, stop - first)


def code_place(table: str, code: str) -> int:
    """Return the place of a source or category along the first axis of a panel."""
    return list(codes(table, CODE_COLUMN[table])).index(code)


def reaches_into(off: OffRecord, start: np.ndarray, stop: np.ndarray, households: int) -> np.ndarray:
    """Return whose window ``[start, stop)`` a span taken off reaches into."""
    out = np.zeros(households, bool)
    inside = (off.month_from < stop[off.household]) & (off.month_to >= start[off.household])
    out[off.household[inside]] = True
    return out


def known_records(county: County, moments: Sequence[Moment]) -> Iterator[KnownRecords]:
    """Yield what is on record at each moment, in the order in which it came to be known.

    Parameters
    ----------
    county
        The checked tables.
    moments
        Each with the day spoken of and the day up to which rows may be seen.
    """
    records = read_records(county)
    states = read_states(county, records)
    said = read_statements(county, records, states)
    off = read_off_record(county, records)
    doubts = read_doubts(county, records)
    links = county_links(county)
    number = {str(name): i for i, name in enumerate(records.ids.to_pylist())} if links.rows else {}
    ordered = sorted(moments, key=lambda m: (m.known_by, m.as_of))
    last = max(last_complete_month(m.as_of) for m in ordered)
    # A month without any row may be on record all the same.
    first = max(said.first, last_complete_month(min(m.as_of for m in ordered)) + 1 - LONGEST_WINDOW)
    panels = records.panels([day_number(m.known_by) for m in ordered], last, first)
    for moment, panel in zip(ordered, panels, strict=True):
        day = day_number(moment.known_by)
        totals = {table: rows.known_at(day) for table, rows in records.totals.items()}
        raw = _Known(county, moment, panel, states, said.at(day), off.at(day), doubts.at(day), totals)
        owners = Owners.of(links.at(moment.as_of, moment.known_by), number, len(records.ids))
        known = raw.records(owners.owner, owners.own_from)
        if (owners.merged_from < NEVER).any():
            parents = raw.records(owners.leaf, owners.own_from)
            known = _on_record_of_parents(known, parents, owners)
        yield known


@dataclass(frozen=True)
class _Known:
    """What was known by a moment, under the numbers in the tables."""

    county: County
    moment: Moment
    panel: Panel
    states: States
    said: Statements
    off: OffRecord
    doubts: Doubts
    totals: dict[str, Rows]

    def records(self, owner: np.ndarray, own_from: np.ndarray) -> KnownRecords:
        """Return what is on record when rows belong to their owners."""
        panel, totals, off, said = self.panel, self.totals, self.off, self.said
        doubts = replace(self.doubts, household=owner[self.doubts.household])
        if (owner != np.arange(len(owner))).any() or (own_from > panel.first).any():
            panel = panel.joined(owner, own_from)
            totals = {table: _totals_of(rows, owner, own_from) for table, rows in totals.items()}
            off = replace(off, household=owner[off.household])
            spans = {table: replace(s, household=owner[s.household]) for table, s in said.recorded.items()}
            said = replace(said, recorded=spans)
        day, as_of = day_number(self.moment.known_by), day_number(self.moment.as_of)
        places = self.states.at(day, as_of, owner, panel.first, panel.months)
        split = own_from > OPEN
        first_possible = np.where(split, np.maximum(places.first_possible, own_from), places.first_possible)
        places = replace(places, first_possible=first_possible)
        on = months_on_record(panel, totals, places, said, self.moment.known_by)
        return KnownRecords(self.county, panel, totals, places, on, off, doubts, self.moment, split)


def _totals_of(rows: Rows, owner: np.ndarray, own_from: np.ndarray) -> Rows:
    """Return totals under their owners; equal spans of several parents are added up."""
    rows = rows.where(rows.month_from >= own_from[rows.household])
    rows = replace(rows, household=owner[rows.household])
    key = np.stack([rows.household, rows.code, rows.month_from, rows.month_to])
    kinds, first, places = np.unique(key, axis=1, return_index=True, return_inverse=True)
    amount = np.zeros(kinds.shape[1], np.int64)
    np.add.at(amount, places.ravel(), rows.amount)
    return replace(rows.where(first), amount=amount)


@dataclass(frozen=True)
class Owners:
    """To which household the rows of each number belong at a moment, by household number.

    Parameters
    ----------
    owner
        The household under which each goes on.
    leaf
        The same, merges aside.
    merged_from
        The month of its merge by leaf, `NEVER` without one.
    own_from
        First month whose rows are the household's own, `OPEN` but for children of a split.
    """

    owner: np.ndarray
    leaf: np.ndarray
    merged_from: np.ndarray
    own_from: np.ndarray

    @classmethod
    def of(cls, identity: Identity, number: dict[str, int], n: int) -> Owners:
        """Return the owners of all numbers; numbers that no table of households has are passed over."""
        own = np.arange(n)
        owners = cls(own, own.copy(), np.full(n, NEVER), np.full(n, OPEN))
        owner, leaf = own.copy(), own.copy()
        for name in identity.joined:
            if name in number:
                owner[number[name]] = number.get(identity.current(name), number[name])
                leaf[number[name]] = number.get(identity.leaf(name), number[name])
        for name, day in identity.merged_on.items():
            if name in number:
                owners.merged_from[number[name]] = month_ordinal(day.year, day.month)
        for name, day in identity.split_on.items():
            if name in number:
                owners.own_from[number[name]] = first_month_from(day)
        return replace(owners, owner=owner, leaf=leaf)


def _on_record_of_parents(known: KnownRecords, parents: KnownRecords, owners: Owners) -> KnownRecords:
    """Let a month before a merge be on record only where it is for each parent."""
    axis = known.panel.first + np.arange(known.panel.months)
    months, own = dict(known.on.months), dict(known.on.own)
    for leaf in np.flatnonzero(owners.merged_from < NEVER):
        entity = owners.owner[leaf]
        before = axis < owners.merged_from[leaf]
        for mine, theirs in ((months, parents.on.months), (own, parents.on.own)):
            for table in TABLES:
                mine[table][entity] &= theirs[table][leaf] | ~before
    return replace(known, on=replace(known.on, months=months, own=own))


@dataclass(frozen=True)
class YearsByTotals:
    """Twelve months by source for households that have totals: ``[source, household of sub, month]``."""

    sub: np.ndarray
    covered: np.ndarray
    amounts: np.ndarray
    net: np.ndarray
    differs: np.ndarray

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


def _years_by_totals(known: KnownRecords) -> YearsByTotals:
    """Return which twelve months totals cover, source by source, and what they add up to.

    A source with a total anywhere is covered only by totals; one that has months alone where these are on
    record; one never seen is 0 once the allowed time for entering it has passed. The same for production.
    """
    sub = np.unique(known.totals["income"].household)
    months, first = known.panel.months, known.panel.first
    ends = first + np.arange(months)
    waited = ends + known.county.about.entry_lag_months <= last_written_up(known.moment.known_by, 0)
    covered = np.ones((len(sub), months), bool)
    some = np.zeros((len(sub), months), bool)
    amounts = np.zeros((len(codes("income", "source")), len(sub), months), np.int64)
    differs = np.zeros((len(sub), months), bool)
    wholly = _years_on_record(known, "income", sub)
    for place in range(len(codes("income", "source"))):
        tiling, has = _tiling(known, "income", place, sub)
        seen = known.panel.counts["income"][place][sub].any(axis=1)
        by_months = _year_sums(known.panel.amounts["income"][place][sub])
        otherwise = np.where(seen[:, None], wholly, waited)
        covered &= np.where(has[:, None], tiling.covered, otherwise)
        some |= has[:, None] & tiling.covered
        amounts[place] = np.where(has[:, None], tiling.amount, by_months)
        differs |= tiling.differs
        if place == code_place("income", "business_net"):
            net = has[:, None] & tiling.covered
    if known.county.has("spending"):
        place = code_place("spending", "production")
        tiling, has = _tiling(known, "spending", place, sub)
        seen = known.panel.counts["spending"][place][sub].any(axis=1)
        otherwise = np.where(seen[:, None], _years_on_record(known, "spending", sub), waited)
        covered &= net | np.where(has[:, None], tiling.covered, otherwise)
    return YearsByTotals(sub, covered & some, amounts, net, differs)


def _tiling(known: KnownRecords, table: str, place: int, sub: np.ndarray) -> tuple[Tiling, np.ndarray]:
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
