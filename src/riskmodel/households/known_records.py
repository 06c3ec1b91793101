"""What is on record of each household's income and spending at each moment, under the numbers in use then.

Rows are those known by the moment (`riskmodel.households.panel`), under the households that links join them
to (`riskmodel.data.links`); `riskmodel.households.coverage` says which months are on record, and spans taken
off record are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from riskmodel.data import County, Identity, codes, county_links, month_ordinal
from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    TABLES,
    OnRecord,
    Places,
    Spans,
    Statements,
    last_written_up,
    months_on_record,
)
from riskmodel.households.owners import Owners, mixed_sources, own_spans, own_totals
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
    Said,
    States,
    read_doubts,
    read_off_record,
    read_statements,
    read_states,
)
from riskmodel.households.totals import YEAR, Tiling, tile_years

LONGEST_WINDOW = 84  # months before as-of that anything looks back to


@dataclass(frozen=True)
class Merged:
    """The households that came into merges, under numbers of their own, and from which month they are one."""

    parents: KnownRecords
    owner: np.ndarray
    merged_from: np.ndarray


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
    own_from: np.ndarray
    # Pairs of table and code: whose parents in a merge have months of it, though another has totals.
    mixed: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)
    merged: Merged | None = None

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
        return {table: prefix_sums(self.months_off(table)) for table in TABLES}

    def months_off(self, table: str, item: str = "") -> np.ndarray:
        """Return ``[household, month]``: whether a month is taken off, of the whole table or of one item."""
        mine = self.off.where((self.off.of == table) & (self.off.item == item))
        return mine.spans().mask(self.households, self.panel.first, self.panel.months)

    def months_of_totals(self, table: str) -> np.ndarray:
        """Return ``[household, month]``: whether a total over several months reaches into the month."""
        rows = self.totals[table]
        spans = Spans(rows.household, rows.month_from, rows.month_to)
        return spans.mask(self.households, self.panel.first, self.panel.months)

    def on_record(
        self, table: str, start: np.ndarray, stop: np.ndarray, some: np.ndarray | None = None
    ) -> np.ndarray:
        """Return whether every month of a window is on record, spans taken off aside, of all or some."""
        sums = self.recorded[table] if some is None else self.recorded[table][some]
        count = window_sums(sums, start - self.panel.first, stop - self.panel.first)
        return np.asarray(count == stop - start)

    def on_record_months(self, table: str, some: np.ndarray) -> np.ndarray:
        """Return which months of some households are on record, without those taken off whole."""
        return np.asarray(self.on.months[table][some] & (np.diff(self.off_months[table][some]) == 0))

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
    def has_net(self) -> np.ndarray:
        """Whether a month has net business income, ``[household, month]``."""
        return np.asarray(self.panel.counts["income"][code_place("income", "business_net")] > 0)

    def net_months(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Count months with net business income over a window of each household."""
        if not self.has_net.any():
            return np.zeros(self.households, np.int64)
        return sums_between(self.has_net[np.newaxis], start - self.panel.first, stop - self.panel.first)[0]

    @cached_property
    def production(self) -> np.ndarray:
        """Production spending ``[1, household, month]``, none in months of net business income."""
        spent = self.panel.amounts["spending"][code_place("spending", "production")]
        return np.where(self.has_net, 0, spent)[np.newaxis] if self.has_net.any() else spent[np.newaxis]

    def production_in(
        self, start: np.ndarray, stop: np.ndarray, some: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """Sum production spending over a window of all households or some, months alone."""
        return sums_between(self.production[:, some], start - self.panel.first, stop - self.panel.first)[0]

    @cached_property
    def with_totals(self) -> np.ndarray:
        """Households that have an income total, ascending."""
        return np.unique(self.totals["income"].household)

    @cached_property
    def _tilings(self) -> dict[tuple[str, int], tuple[Tiling, np.ndarray, np.ndarray]]:
        return {}

    def tiled(self, table: str, place: int) -> tuple[Tiling, np.ndarray, np.ndarray]:
        """Return how totals of one code tile years of `with_totals`; who of them has any, who a month."""
        if (table, place) not in self._tilings:
            sub = self.with_totals
            seen = self.panel.counts[table][place][sub].any(axis=1)
            tiling, has = _tiling(self, table, place, sub)
            if (table, place) in self.mixed:
                mixed = np.isin(sub, self.mixed[table, place])
                tiling = replace(tiling, covered=tiling.covered & ~mixed[:, None])
            self._tilings[table, place] = tiling, has, seen
        return self._tilings[table, place]

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


def known_records(
    county: County, moments: Sequence[Moment], count_rows: bool = False
) -> Iterator[KnownRecords]:
    """Yield what is on record at each moment, in the order in which it came to be known.

    Parameters
    ----------
    county
        The checked tables.
    moments
        Each with the day spoken of and the day up to which rows may be seen.
    count_rows
        Whether the panel must say how many rows stand behind an amount, not only whether there is one.
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
    first = _first_month(said, ordered)
    panels = records.panels([day_number(m.known_by) for m in ordered], last, first, count_rows)
    for moment, panel in zip(ordered, panels, strict=True):
        day = day_number(moment.known_by)
        totals = {table: rows.known_at(day) for table, rows in records.totals.items()}
        through = None if said.through is not None else county.records_through(moment.as_of, moment.known_by)
        raw = _Known(
            county, moment, panel, states, said.at(day, through), off.at(day), doubts.at(day), totals
        )
        if not links.rows:
            everyone = np.arange(len(records.ids))
            yield raw.records(everyone, np.full(len(everyone), OPEN))
            continue
        identity = links.at(moment.as_of, moment.known_by)
        owners = Owners.of(identity, number, raw.new_numbers(identity, number))
        known = raw.records(owners.owner, owners.own_from)
        if (owners.merged_from < NEVER).any():
            parents = raw.records(owners.leaf, owners.own_from)
            known = _on_record_of_parents(known, parents, owners)
        yield known


def first_month(county: County, moments: Sequence[Moment]) -> int:
    """Return the first month that is looked at for some moments together, as an ordinal."""
    records = read_records(county)
    return _first_month(read_statements(county, records, read_states(county, records)), moments)


def _first_month(said: Said, moments: Sequence[Moment]) -> int:
    # A month without any row may be on record all the same.
    return max(said.first, last_complete_month(min(m.as_of for m in moments)) + 1 - LONGEST_WINDOW)


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

    def new_numbers(self, identity: Identity, number: dict[str, int]) -> frozenset[str]:
        """Return the numbers of merged households that began with the merge, and are no parents of it.

        A household is as old as its first ``valid_from``, or, where that is open, its first amount.
        """
        out = set()
        for name, day in identity.merged_into.items():
            i = number.get(name)
            if i is None:
                continue
            mine = self.states.valid_from[(self.states.household == i) & (self.states.known <= self.day)]
            if len(mine) and mine.min() > -(2**30):
                if mine.min() >= day_number(day):
                    out.add(name)
                continue
            months = [np.flatnonzero(counts[:, i].any(axis=0))[:1] for counts in self.panel.counts.values()]
            begun = [self.panel.first + first[0] for first in months if len(first)]
            begun += [int(r.month_from[r.household == i].min(initial=NEVER)) for r in self.totals.values()]
            if min(begun, default=NEVER) >= month_ordinal(day.year, day.month):
                out.add(name)
        return frozenset(out)

    @property
    def day(self) -> int:
        """The day up to which rows may be seen."""
        return day_number(self.moment.known_by)

    def records(self, owner: np.ndarray, own_from: np.ndarray) -> KnownRecords:
        """Return what is on record when rows belong to their owners."""
        panel, totals, off, said = self.panel, self.totals, self.off, self.said
        doubts = replace(self.doubts, household=owner[self.doubts.household])
        mixed: dict[tuple[str, int], np.ndarray] = {}
        if (owner != np.arange(len(owner))).any() or (own_from > panel.first).any():
            mixed = mixed_sources(panel, totals, owner)
            panel = panel.joined(owner, own_from)
            totals = {table: own_totals(rows, owner, own_from) for table, rows in totals.items()}
            begun = own_from[off.household]
            off = replace(off, household=owner[off.household]).where(
                (off.month_to >= begun) | (off.of == "members")
            )
            spans = {table: own_spans(s, owner, own_from) for table, s in said.recorded.items()}
            said = replace(said, recorded=spans)
        as_of = day_number(self.moment.as_of)
        places = self.states.at(self.day, as_of, owner, panel.first, panel.months)
        places = replace(places, first_possible=np.maximum(places.first_possible, own_from))
        on = months_on_record(panel, totals, places, said, self.moment.known_by)
        # Whatever is said of the months before a split, they are the parent's.
        own = panel.first + np.arange(panel.months) >= own_from[:, np.newaxis]
        for months in (*on.months.values(), *on.own.values()) if (own_from > OPEN).any() else ():
            months &= own
        return KnownRecords(self.county, panel, totals, places, on, off, doubts, self.moment, own_from, mixed)


def _on_record_of_parents(known: KnownRecords, parents: KnownRecords, owners: Owners) -> KnownRecords:
    """Let a month before a merge be on record where it is for each parent; from then on they are one."""
    axis = known.panel.first + np.arange(known.panel.months)
    months = {table: values.copy() for table, values in known.on.months.items()}
    own = {table: values.copy() for table, values in known.on.own.items()}
    came = np.flatnonzero(owners.merged_from < NEVER)
    first = np.full(known.households, NEVER)
    np.minimum.at(first, owners.owner[came], owners.merged_from[came])
    for mine, theirs in ((months, parents.on.months), (own, parents.on.own)):
        for table in TABLES:
            for entity in np.unique(owners.owner[came]):
                mine[table][entity] |= axis < first[entity]
            for leaf in came:
                mine[table][owners.owner[leaf]] &= theirs[table][leaf] | (axis >= owners.merged_from[leaf])
    merged = Merged(parents, owners.owner, owners.merged_from)
    return replace(known, on=replace(known.on, months=months, own=own), merged=merged)


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


def _years_by_totals(known: KnownRecords) -> YearsByTotals:
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
    is_net = by_net & ~by_gross
    if known.county.has("spending"):
        tiling, has, seen = known.tiled("spending", code_place("spending", "production"))
        otherwise = np.where(seen[:, None], _years_on_record(known, "spending", sub), waited)
        costs = np.where(has[:, None], tiling.covered, otherwise)
        covered &= is_net | (_year_sums(known.has_net[sub].astype(np.int64)) == YEAR) | costs
    return YearsByTotals(sub, covered & some, amounts, is_net, differs, waited)


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
