"""What is on record of each household's income and spending at each moment, under the numbers in use then.

Rows are those known by the moment (`riskmodel.households.panel`), under the households that links join them
to (`riskmodel.data.links`); `riskmodel.households.coverage` says which months are on record, and spans taken
off record are kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.data import County
from riskmodel.households.coverage import (
    TABLES,
    OnRecord,
    Places,
    Spans,
    Townships,
)
from riskmodel.households.panel import (
    Panel,
    Rows,
    code_place,
    prefix_sums,
    sums_between,
    window_sums,
)
from riskmodel.households.point_in_time import Moment, last_complete_month
from riskmodel.households.statements import (
    Doubts,
    OffRecord,
)
from riskmodel.households.totals import Tiling
from riskmodel.households.year_totals import YearsByTotals, tile_code, tile_lines, years_by_totals


@dataclass(frozen=True)
class Merged:
    """Households that merges made, and what they were before.

    Parameters
    ----------
    household
        Their places, each after its parents' where these are merged themselves.
    begin
        The first month in which each is one.
    parents
        Places of each one's parents among ``earlier``.
    earlier
        The records of parents under numbers of their own; None where they are among those at hand.
    lines, line_of
        Records of the numbers that make up each, those that recodes join together; and whose each is.
    new
        Of each household the lines that are of no parent.
    """

    household: np.ndarray
    begin: np.ndarray
    parents: list[np.ndarray]
    earlier: KnownRecords | None
    lines: Lines
    line_of: np.ndarray
    new: list[np.ndarray]

    def of(self, known: KnownRecords) -> KnownRecords:
        """Return the records among which the parents are."""
        return known if self.earlier is None else self.earlier


@dataclass(frozen=True)
class Lines:
    """Income and spending of numbers that were merged, each by itself."""

    panel: Panel
    totals: dict[str, Rows]

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.panel.amounts["income"].shape[1])


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
    own_from: np.ndarray  # first month of a split's child, OPEN for all others
    persons_from: np.ndarray  # day from which on persons are the household's own
    townships: Townships
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
        return years_by_totals(self)

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
            tiling, has = tile_code(self, table, place, sub)
            if self.merged is not None:
                tiling = tile_lines(self, tiling, table, place)
            self._tilings[table, place] = tiling, has, seen
        return self._tilings[table, place]

    def rows_in(self, table: str, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Count rows of one month over a window, ``[code, household]``."""
        first = self.panel.first
        return sums_between(self.panel.counts[table], start - first, stop - first)


def reaches_into(off: OffRecord, start: np.ndarray, stop: np.ndarray, households: int) -> np.ndarray:
    """Return whose window ``[start, stop)`` a span taken off reaches into."""
    out = np.zeros(households, bool)
    inside = (off.month_from < stop[off.household]) & (off.month_to >= start[off.household])
    out[off.household[inside]] = True
    return out
