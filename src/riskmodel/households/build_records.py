"""Building what was on record at each moment, under the numbers in use then (see `known_records`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from riskmodel.data import LEAST_SHARE, County, Lineage, LinkedHousehold, county_lineage, county_links
from riskmodel.households.county_parts import CountyPart, CountyParts
from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    TABLES,
    Earlier,
    Places,
    Splits,
    Statements,
    Townships,
    months_on_record,
)
from riskmodel.households.known_records import KnownRecords, Lines, Merged
from riskmodel.households.owners import (
    Owners,
    Pieces,
    latest_of_lines,
    parents_first,
    persons_from,
    split_parents,
)
from riskmodel.households.panel import (
    Panel,
    Rows,
    day_number,
    read_records,
)
from riskmodel.households.point_in_time import Moment, last_complete_month
from riskmodel.households.statements import (
    ROW_REJECTED,
    Doubts,
    OffRecord,
    RecordedSpans,
    Said,
    States,
    covered_on,
    place_of,
    read_doubts,
    read_off_record,
    read_statements,
    read_states,
)
from riskmodel.households.townships import TownshipCounts, count_households

LONGEST_WINDOW = 84  # months before as-of that anything looks back to


class RecordsReader(Protocol):
    """Something that looks at what is on record at each moment, beside others that do."""

    @property
    def counts_rows(self) -> bool:
        """Whether the panel must say how many rows stand behind an amount."""

    def read(self, records: KnownRecords) -> None:
        """Look at one moment; the records change with the next one."""


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
    ordered = sorted(moments, key=lambda m: (m.known_by, m.as_of))
    of_county = whole_counts(county, ordered)
    for i, known in enumerate(_known(county, ordered, count_rows)):
        counts = known.count() if of_county is None else of_county[i]
        yield known.records(counts.townships())


def whole_counts(county: County, ordered: Sequence[Moment]) -> list[TownshipCounts] | None:
    """Return what all parts of a county count together at some moments; None where it is no part."""
    if not isinstance(county, CountyPart):
        return None
    parts = county.parts
    return county.whole.once(("township counts", tuple(ordered)), lambda: _add_up(parts, ordered))


def _add_up(parts: CountyParts, ordered: Sequence[Moment]) -> list[TownshipCounts]:
    sums: list[TownshipCounts] = []
    for part in parts:
        for i, known in enumerate(_known(part, ordered, count_rows=False)):
            so_far = sums[i : i + 1]
            sums[i : i + 1] = [known.count().add_up(so_far)]
    return sums


def _known(county: County, ordered: Sequence[Moment], count_rows: bool) -> Iterator[_Known]:
    """Yield what was known by each moment."""
    records = read_records(county)
    states = read_states(county, records)
    said = read_statements(county, records, states)
    off = read_off_record(county, records)
    doubts = read_doubts(county, records)
    linked = bool(county_links(county).rows)
    number = {str(name): i for i, name in enumerate(records.ids.to_pylist())} if linked else {}
    last = max(last_complete_month(m.as_of) for m in ordered)
    first = _first_month(said, ordered)
    panels = records.panels([day_number(m.known_by) for m in ordered], last, first, count_rows)
    for moment, panel in zip(ordered, panels, strict=True):
        day = day_number(moment.known_by)
        totals = {table: rows.known_at(day) for table, rows in records.totals.items()}
        through = None if said.through is not None else _records_through(county, moment, panel, states)
        links = None
        if linked:
            lineage = county_lineage(county, moment.as_of, moment.known_by)
            links = _Linked(lineage, Owners.of(lineage, number))
        yield _Known(
            county, moment, panel, states, said.at(day, through), off.at(day), doubts.at(day), totals,
            {of: RecordedSpans(s.at(day), s.known[s.known <= day]) for of, s in said.recorded.items()}, links,
        )  # fmt: skip


def _records_through(county: County, moment: Moment, panel: Panel, states: States) -> int | None:
    """Return `County.records_through`: from the panel where there are no totals and no links."""
    some = isinstance(county, CountyPart)
    if some or county_links(county).rows or not county.has("income") or county.facts["spans.income"]:
        return county.records_through(moment.as_of, moment.known_by)

    def last_month() -> int | None:
        there = states.valid_at(day_number(moment.known_by), day_number(moment.as_of))
        households = panel.present("income")[there].sum(axis=0)
        enough = np.flatnonzero((households > 0) & (households * LEAST_SHARE >= np.count_nonzero(there)))
        return panel.first + int(enough[-1]) if len(enough) else None

    return county.once(("records through", moment.as_of, moment.known_by), last_month)


def first_month(county: County, moments: Sequence[Moment]) -> int:
    """Return the first month that is looked at for some moments together, as an ordinal."""
    records = read_records(county)
    return _first_month(read_statements(county, records, read_states(county, records)), moments)


def _first_month(said: Said, moments: Sequence[Moment]) -> int:
    # A month without any row may be on record all the same.
    return max(said.first, last_complete_month(min(m.as_of for m in moments)) + 1 - LONGEST_WINDOW)


@dataclass(frozen=True)
class _Linked:
    """Who is who at a moment."""

    lineage: Lineage
    owners: Owners


@dataclass(frozen=True)
class _UnderNumbers:
    """Rows and places under the numbers in use at a moment."""

    panel: Panel
    totals: dict[str, Rows]
    places: Places


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
    written: dict[str, RecordedSpans]
    links: _Linked | None

    @property
    def day(self) -> int:
        """The day up to which rows may be seen."""
        return day_number(self.moment.known_by)

    def count(self) -> TownshipCounts:
        """Count the households of every township; of a part, those that count in no other."""
        now = self._under_numbers
        own = self.county.counted if isinstance(self.county, CountyPart) else None
        splits = None if self.links is None else self._splits(self.links, now.places.names, own)
        return count_households(now.panel, now.totals, now.places, splits, own)

    def records(self, townships: Townships) -> KnownRecords:
        """Return what is on record of every household, once links act."""
        if self.links is not None:
            return self._linked_records(self.links.lineage, self.links.owners, townships)
        places = self._under_numbers.places
        return self._records(self.panel, self.totals, places, self.said, self.off, self.doubts, townships)

    @cached_property
    def _under_numbers(self) -> _UnderNumbers:
        """Rows and places under the numbers in use."""
        panel, totals, as_of = self.panel, self.totals, day_number(self.moment.as_of)
        if self.links is None:
            return _UnderNumbers(panel, totals, self.states.at(self.day, as_of, panel.first, panel.months))
        lineage, owners = self.links.lineage, self.links.owners
        places = self.states.at(self.day, as_of, panel.first, panel.months, owners.linked)
        for place, one in owners.households:
            place_of(places, place, one, lineage, panel.first, self._snapshot)
        if owners.moves:
            panel = panel.joined(owners.owner, owners.own_from)
            totals = {table: owners.own_totals(rows)[0] for table, rows in totals.items()}
        return _UnderNumbers(panel, totals, places)

    def _records(
        self, panel: Panel, totals: dict[str, Rows], places: Places, said: Statements, off: OffRecord,
        doubts: Doubts, townships: Townships, own_from: np.ndarray | None = None,
        persons: np.ndarray | None = None, earlier: Earlier | None = None,
    ) -> KnownRecords:  # fmt: skip
        n = len(places.valid)
        on = months_on_record(panel, totals, places, said, self.moment.known_by, townships, earlier)
        own_from = np.full(n, OPEN) if own_from is None else own_from
        persons = np.full(n, OPEN) if persons is None else persons
        # Whatever is said of the months before a split, they are the parent's.
        own = panel.first + np.arange(panel.months) >= own_from[:, np.newaxis]
        for months in (*on.months.values(), *on.own.values()) if (own_from > OPEN).any() else ():
            months &= own
        return KnownRecords(
            self.county, panel, totals, places, on, off, doubts, self.moment, own_from, persons, townships
        )

    def _linked_records(self, lineage: Lineage, owners: Owners, townships: Townships) -> KnownRecords:
        now = self._under_numbers
        panel, totals, places = now.panel, now.totals, now.places
        off, said, doubts = self.off, self.said, self.doubts
        own_from, persons = np.full(len(owners.owner), OPEN), np.full(len(owners.owner), OPEN)
        for place, one in owners.households:
            own_from[place] = one.begin if one.is_child else OPEN
            persons[place] = persons_from(one)
        if owners.moves:
            begun = owners.own_from[off.household]
            off = replace(off, household=owners.owner[off.household]).where(
                (off.month_to >= begun) | (off.of == "members")
            )
            off = without_recorded_since(off, owners.final, self.written)
            said = replace(said, recorded={t: owners.own_spans(s) for t, s in said.recorded.items()})
            doubts = replace(doubts, household=owners.owner[doubts.household])
        doubtful = [place for place, one in owners.households if lineage.is_doubtful(one)]
        doubts = doubts.and_of(np.array(doubtful, np.int32), ROW_REJECTED, self.day)
        merged = owners.merged
        if not merged:
            return self._records(panel, totals, places, said, off, doubts, townships, own_from, persons)
        earlier = self._earlier_records(lineage, owners, townships)
        order = {one: i for i, one in enumerate(parents_first(one for _, one in merged))}
        household = np.array([place for place, _ in merged], np.int64)
        found = self._merged([one for _, one in merged], household, order, owners, earlier)
        before = on_record_before(found, earlier, panel.months)
        known = self._records(
            panel, totals, places, said, off, doubts, townships, own_from, persons, before
        )  # fmt: skip
        return replace(known, merged=found)

    @property
    def _snapshot(self) -> dt.date | None:
        return self.county.about.snapshot_on

    def _splits(self, links: _Linked, names: tuple[str, ...], own: np.ndarray | None) -> Splits | None:
        """Return the households of before splits, which count in their townships until then."""
        lineage, owners = links.lineage, links.owners
        found = split_parents(one for place, one in owners.households if own is None or own[place])
        if not found:
            return None
        households = [one for one, _ in found]
        pieces = owners.pieces(households)
        panel = pieces.panel(self.panel)
        places = self._places(lineage, households, names)
        income = panel.present("income")
        any_row = income | panel.present("spending")
        with_total = np.zeros(len(found), bool)
        for rows in self.totals.values():
            with_total[pieces.rows(rows).household] = True
        until = np.array([month for _, month in found])
        return Splits(
            any_row, income, places.township, places.first_possible, until, with_total & ~any_row.any(axis=1)
        )

    def _places(
        self, lineage: Lineage, households: Sequence[LinkedHousehold], names: tuple[str, ...]
    ) -> Places:
        n = len(households)
        none = np.full((n, self.panel.months), -1, np.int32)
        places = Places(np.zeros(n, bool), none, names, np.full(n, OPEN, np.int64), np.zeros(n, bool))
        for i, one in enumerate(households):
            place_of(places, i, one, lineage, self.panel.first, self._snapshot)
        return places

    def _merged(
        self, households: Sequence[LinkedHousehold], places: np.ndarray, order: dict[LinkedHousehold, int],
        owners: Owners, earlier: KnownRecords | None,
    ) -> Merged:  # fmt: skip
        """Return what merged households were before, and the lines that make them up."""
        lines: dict[tuple[int, str], int] = {}
        triples, new = [], []
        for i, one in enumerate(households):
            of_parents = {name for parent in one.parents for name in parent.pieces()}
            mine = one.lines()
            for name, first in one.pieces().items():
                if name in owners.number:
                    line = lines.setdefault((i, mine[name]), len(lines))
                    triples.append((owners.number[name], line, first))
            names = {line for (h, name), line in lines.items() if h == i and name not in of_parents}
            new.append(np.array(sorted(names), np.int64))
        pieces = Pieces.of(triples, len(lines))
        totals = {table: latest_of_lines(pieces.rows(rows)) for table, rows in self.totals.items()}
        begin = np.array([one.begin for one in households], np.int64)
        parents = [np.array([order[parent] for parent in one.parents]) for one in households]
        line_of = np.array([places[i] for i, _ in lines], np.int64)
        return Merged(places, begin, parents, earlier, Lines(pieces.panel(self.panel), totals), line_of, new)

    def _earlier_records(self, lineage: Lineage, owners: Owners, townships: Townships) -> KnownRecords:
        """Return the records of all households that merges made into others, parents first."""
        households = parents_first(one for _, one in owners.merged)
        pieces = owners.pieces(households)
        order = {one: i for i, one in enumerate(households)}
        panel, places = pieces.panel(self.panel), self._places(lineage, households, self.states.names)
        of_lines = [(i, one) for i, one in enumerate(households) if one.is_merged]
        found = self._merged(
            [one for _, one in of_lines], np.array([i for i, _ in of_lines], np.int64), order, owners, None
        )
        totals = {table: self._totals_of(households, owners, rows) for table, rows in self.totals.items()}
        said = replace(self.said, recorded={t: pieces.spans(s) for t, s in self.said.recorded.items()})
        row, piece = pieces.expand(self.off.household)
        off = replace(self.off.where(row), household=pieces.household[piece])
        off = off.where((off.month_to >= pieces.begin[piece]) | (off.of == "members"))
        off = without_recorded_since(off, pieces, self.written)
        own_from = np.array([one.begin if one.is_child else OPEN for one in households], np.int64)
        persons = np.array([persons_from(one) for one in households], np.int64)
        nothing = self.doubts.at(-(2**31))
        everyone, begin = np.arange(len(households)), np.full(len(households), OPEN, np.int64)
        begin[found.household] = found.begin
        before = Earlier.of(everyone, begin, panel.months)
        # What is on record of a household that was merged itself needs that of its parents first.
        for _ in range(1 + max((_depth(one) for one in households), default=0)):
            known = self._records(
                panel, totals, places, said, off, nothing, townships, own_from, persons, before
            )
            inner = on_record_before(found, known, panel.months)
            before = Earlier(everyone, begin, *(
                {table: _put(before_table[table], found.household, values[table]) for table in TABLES}
                for before_table, values in (
                    (before.own, inner.own), (before.months, inner.months), (before.rule_1, inner.rule_1)
                )
            ))  # fmt: skip
        return replace(known, merged=found) if len(found.household) else known

    def _totals_of(self, households: Sequence[LinkedHousehold], owners: Owners, rows: Rows) -> Rows:
        """Return the totals of some households, those of one line corrected by one another."""
        lines: dict[tuple[int, str], int] = {}
        triples = []
        for i, one in enumerate(households):
            mine = one.lines()
            for name, begin in one.pieces().items():
                if name in owners.number:
                    line = lines.setdefault((i, mine[name]), len(lines))
                    triples.append((owners.number[name], line, begin))
        out = latest_of_lines(Pieces.of(triples, len(lines)).rows(rows))
        return replace(out, household=np.array([i for i, _ in lines], np.int64)[out.household])


def _put(values: np.ndarray, rows: np.ndarray, new: np.ndarray) -> np.ndarray:
    out = values.copy()
    out[rows] = new
    return out


def _depth(one: LinkedHousehold) -> int:
    return 1 + max((_depth(parent) for parent in one.parents), default=-1)


def on_record_before(merged: Merged, earlier: KnownRecords, months: int) -> Earlier:
    """Return what is on record of merged households before they were one: what is of each parent."""
    out = Earlier.of(merged.household, merged.begin, months)
    own, every, rule_1 = (
        {table: values.copy() for table, values in part.items()} for part in (out.own, out.months, out.rule_1)
    )
    on = earlier.on
    for i, parents in enumerate(merged.parents):
        for table in TABLES:
            own[table][i] = on.own[table][parents].all(axis=0)
            every[table][i] = on.months[table][parents].all(axis=0)
            rule_1[table][i] = on.rule_1[table][parents].all(axis=0)
    return replace(out, own=own, months=every, rule_1=rule_1)


def without_recorded_since(off: OffRecord, pieces: Pieces, written: Mapping[str, RecordedSpans]) -> OffRecord:
    """Leave out spans of linked households that rows of ``recorded`` under another number put back.

    Parameters
    ----------
    off
        Spans under the households of ``pieces``.
    pieces
        Which numbers make these up.
    written
        Rows of ``recorded``, known by the day.
    """
    keep = np.ones(len(off.of), bool)
    linked = np.isin(off.household, pieces.household) & (np.abs(off.month_from) < NEVER)
    for of, recorded in written.items():
        for i in np.flatnonzero(linked & (off.of == of) & (np.abs(off.month_to) < NEVER)):
            mine = pieces.household == off.household[i]
            begin = dict(zip(pieces.number[mine].tolist(), pieces.begin[mine].tolist(), strict=True))
            later = np.flatnonzero(
                (recorded.known > off.known[i]) & np.isin(recorded.spans.household, list(begin))
            )
            begun = [begin[n] for n in recorded.spans.household[later].tolist()]
            later = later[recorded.spans.month_to[later] >= np.array(begun, np.int64)]
            keep[i] = covered_on(recorded, later, int(off.month_from[i]), int(off.month_to[i])) == NEVER
    return off.where(keep)
