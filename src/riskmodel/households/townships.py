"""When a township's records begin, where they have holes, and whose rows cease while its others go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.households.coverage import (
    NEVER,
    OPEN,
    TABLES,
    OnRecord,
    Places,
    Splits,
    Townships,
)
from riskmodel.households.panel import Panel, Rows

START_SHARE = 4  # a township's records begin where a quarter of its households have an income row
LEAST_HOUSEHOLDS = 5  # with rows before and after, for a township's empty month to be a hole
STOPPED_SHARE = 0.75


@dataclass(frozen=True)
class TownshipCounts:
    """Counts of households by ``[township, month]``; those of the parts of a county add up.

    Parameters
    ----------
    first
        Ordinal of the first month.
    possible, with_income
        Who can have a row, and who of them has an income row.
    rows
        Who has a row.
    within
        Months before and after which anybody has a row.
    count_with_row, count_between
        Count who can have a row and has one; who has none, but one before and one after. They are asked
        seldom, and of a whole county only while its panel is that of the moment.
    """

    first: int
    possible: np.ndarray
    with_income: np.ndarray
    rows: np.ndarray
    within: np.ndarray
    count_with_row: Callable[[], np.ndarray]
    count_between: Callable[[], np.ndarray]

    @cached_property
    def with_row(self) -> np.ndarray:
        """Who can have a row and has one."""
        return self.count_with_row()

    @cached_property
    def between(self) -> np.ndarray:
        """Who has no row, but one before and one after."""
        return self.count_between()

    def add_up(self, others: Sequence[TownshipCounts]) -> TownshipCounts:
        """Return the counts of several parts together."""
        parts = [self, *others]
        possible, with_income, rows, with_row, between = (
            np.sum([getattr(part, name) for part in parts], axis=0)
            for name in ("possible", "with_income", "rows", "with_row", "between")
        )
        within = np.logical_or.reduce([part.within for part in parts])
        return TownshipCounts(
            self.first, possible, with_income, rows, within, lambda: with_row, lambda: between
        )

    def townships(self) -> Townships:
        """Return when the townships' records begin, where they have holes and where they go on."""
        begun = (self.possible > 0) & (self.with_income * START_SHARE >= self.possible)
        starts = np.where(begun.any(axis=1), self.first + np.argmax(begun, axis=1), NEVER)
        hole = (self.rows == 0) & self.within
        if hole.any():  # seldom: who has rows before and after is asked only then
            hole &= self.between >= LEAST_HOUSEHOLDS
        holes = np.vstack([hole, np.zeros((1, hole.shape[1]), bool)])
        return Townships(starts, holes, lambda: (self.possible > 0) & self._most_have_rows)

    @property
    def _most_have_rows(self) -> np.ndarray:
        return np.asarray(self.with_row >= STOPPED_SHARE * self.possible)


def count_households(
    panel: Panel,
    totals: Mapping[str, Rows],
    places: Places,
    splits: Splits | None = None,
    own: np.ndarray | None = None,
) -> TownshipCounts:
    """Count the households of every township and month by their rows: all, or only ``own``."""
    households, months = places.township.shape
    axis = panel.first + np.arange(months)
    income = panel.present("income")[:, :months]
    any_row = income | panel.present("spending")[:, :months]
    only_totals = _has_total(totals, households) & ~any_row.any(axis=1)
    if own is not None:
        income, any_row, only_totals = income & own[:, None], any_row & own[:, None], only_totals | ~own
    since = np.where(only_totals, months, np.clip(places.first_possible - panel.first, 0, months))
    late = np.flatnonzero((since > 0) & ~only_totals)  # who has totals alone has no income by months
    if len(late):
        income = income.copy()
        income[late] &= np.arange(months) >= since[late, None]
    possible, with_income = _since(since, months, places), _by_township(income, places)
    rows, within = _by_township(any_row, places), _between(any_row)
    of_splits = None if splits is None else _CountsOfSplits(splits, axis, len(places.names))
    if of_splits is not None:
        possible, with_income = possible + of_splits.possible, with_income + of_splits.with_income
        rows, within = rows + of_splits.rows, within | _between(of_splits.splits.any_row)

    def with_row() -> np.ndarray:
        counts = _by_township(any_row & (np.arange(months) >= since[:, None]), places)
        return counts if of_splits is None else counts + of_splits.with_row

    def between() -> np.ndarray:
        counts = _by_township(_around(any_row) & ~any_row, places)
        return counts if of_splits is None else counts + of_splits.between

    return TownshipCounts(panel.first, possible, with_income, rows, within, with_row, between)


@dataclass(frozen=True)
class _CountsOfSplits:
    """The same counts of households of before a split."""

    splits: Splits
    axis: np.ndarray
    townships: int

    def _count(self, mask: np.ndarray) -> np.ndarray:
        return _of_few(self._before & mask, self.splits.township, self.townships)

    @property
    def _before(self) -> np.ndarray:
        return np.asarray(self.axis < self.splits.until[:, None])

    @property
    def _possible(self) -> np.ndarray:
        began = self.axis >= self.splits.first_possible[:, None]
        return np.asarray(began & ~self.splits.only_totals[:, None])

    @property
    def possible(self) -> np.ndarray:
        """Who can have a row."""
        return self._count(self._possible)

    @property
    def with_income(self) -> np.ndarray:
        """Who of them has an income row."""
        return self._count(self._possible & self.splits.income)

    @property
    def with_row(self) -> np.ndarray:
        """Who of them has a row."""
        return self._count(self._possible & self.splits.any_row)

    @property
    def rows(self) -> np.ndarray:
        """Who has a row."""
        return self._count(self.splits.any_row)

    @property
    def between(self) -> np.ndarray:
        """Who has no row, but one before and one after."""
        return self._count(_around(self.splits.any_row) & ~self.splits.any_row)


def _between(row: np.ndarray) -> np.ndarray:
    """Return which months have rows of anybody before and after them."""
    anybody: np.ndarray = np.atleast_2d(row.any(axis=0))
    return np.ravel(_around(anybody))


def _around(row: np.ndarray) -> np.ndarray:
    """Return ``[household, month]``: whether there are rows before the month and after it."""
    before = np.logical_or.accumulate(row, axis=1)
    return np.asarray(before & np.logical_or.accumulate(row[:, ::-1], axis=1)[:, ::-1])


def _by_township(mask: np.ndarray, places: Places) -> np.ndarray:
    """Count households by ``[township, month]``."""
    stayed, groups, townships = places.stayed
    counts = np.zeros((len(places.names), mask.shape[1]), np.int64)
    if len(stayed):
        counts[townships] = np.add.reduceat(mask[stayed], groups, axis=0, dtype=np.int64)
    for household in places.moved:
        months = np.flatnonzero(mask[household] & (places.township[household] >= 0))
        np.add.at(counts, (places.township[household][months], months), 1)
    return counts


def _since(place: np.ndarray, months: int, places: Places) -> np.ndarray:
    """Count households by ``[township, month]`` from a place on the axis of each on."""
    stayed, _, _ = places.stayed
    begun = np.zeros((len(places.names), months + 1), np.int64)
    np.add.at(begun, (places.township[stayed, 0], place[stayed]), 1)
    counts = np.cumsum(begun[:, :-1], axis=1)
    for household in places.moved:
        there = np.arange(place[household], months)
        there = there[places.township[household, there] >= 0]
        np.add.at(counts, (places.township[household, there], there), 1)
    return counts


def _of_few(mask: np.ndarray, township: np.ndarray, townships: int) -> np.ndarray:
    """Count a few households by ``[township, month]``."""
    months = mask.shape[1]
    key = township * months + np.arange(months)
    inside = mask & (township >= 0)
    counts = np.bincount(key[inside].ravel(), minlength=townships * months)
    return counts.reshape(townships, months)


def stopped(
    on: OnRecord,
    panel: Panel,
    places: Places,
    townships: Townships,
    tables: tuple[str, ...] = TABLES,
) -> np.ndarray:
    """Return whose rows ceased while three quarters of the township's households go on (``maybe_stopped``).

    The month that counts is the first after a household's last row in which it had a row the year before.
    Where the county states what is on record, nobody can be late.

    Parameters
    ----------
    on, panel, places, townships
        As known at a day.
    tables
        Those that there are.
    """
    months = places.township.shape[1]
    row = (panel.present("income") | panel.present("spending"))[:, :months]
    out = np.zeros(len(row), bool)
    ceased = np.flatnonzero((on.last_row > OPEN) & (on.last_row < min(on.written_up, on.first + months - 1)))
    axis = on.first + np.arange(months)
    missed = (axis > on.last_row[ceased, None]) & (axis <= on.written_up)
    missed[:, 12:] &= row[ceased, :-12]
    missed[:, :12] = False
    some = missed.any(axis=1)
    ceased, month = ceased[some], np.argmax(missed[some], axis=1)
    inferred = ~on.named[places.township[ceased, month]]
    stated = np.logical_and.reduce([on.stated[table][ceased] for table in tables])
    if len(ceased):
        goes_on = townships.goes_on()
        out[ceased] = goes_on[places.township[ceased, month], month] & inferred & ~stated
    return out


def _has_total(totals: Mapping[str, Rows], households: int) -> np.ndarray:
    out = np.zeros(households, bool)
    for rows in totals.values():
        out[rows.household] = True
    return out
