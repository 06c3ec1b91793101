"""To which household the rows of each number belong at a moment, once links act, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from riskmodel.data import Lineage, LinkedHousehold
from riskmodel.households.coverage import NEVER, OPEN, Spans
from riskmodel.households.panel import Panel, Rows, day_number

_NO_DAY = -(2**30)


@dataclass(frozen=True)
class Pieces:
    """Which numbers make up which households, and from which month on: one element a pair, by number.

    Parameters
    ----------
    number, household
        Positions of the number among all, and of the household.
    begin
        The first month whose rows are the household's, `OPEN` for all.
    households
        How many there are.
    """

    number: np.ndarray
    household: np.ndarray
    begin: np.ndarray
    households: int

    @classmethod
    def of(cls, triples: Iterable[tuple[int, int, int | None]], households: int) -> Pieces:
        """Return them in order."""
        rows = sorted((n, h, OPEN if b is None else b) for n, h, b in triples)
        values = np.array(rows, np.int64).reshape(-1, 3)
        return cls(values[:, 0], values[:, 1], values[:, 2], households)

    def expand(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return for rows of numbers the places of those that belong to a household, and of the pieces."""
        first, last = (np.searchsorted(self.number, numbers, side=side) for side in ("left", "right"))
        count = last - first
        row = np.repeat(np.arange(len(numbers)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return row, np.repeat(first, count) + within

    def panel(self, panel: Panel) -> Panel:
        """Return the panel of the households."""
        parts = []
        for values in (panel.amounts, panel.counts):
            part = {}
            for table, array in values.items():
                part[table] = np.zeros((array.shape[0], self.households, array.shape[2]), array.dtype)
                for n, h, begin in zip(self.number, self.household, self.begin, strict=True):
                    inside = slice(max(int(begin) - panel.first, 0), None)
                    part[table][:, h, inside] += array[:, n, inside]
            parts.append(part)
        return Panel(panel.first, *parts)

    def rows(self, rows: Rows) -> Rows:
        """Return totals under their households; one that begins before is not theirs."""
        row, piece = self.expand(rows.household)
        out = replace(rows.where(row), household=self.household[piece])
        return out.where(out.month_from >= self.begin[piece])

    def spans(self, spans: Spans) -> Spans:
        """Return spans under their households, cut to the months that are theirs."""
        row, piece = self.expand(spans.household)
        begun, last = self.begin[piece], spans.month_to[row]
        own = last >= begun
        first = np.maximum(spans.month_from[row], begun)
        return Spans(self.household[piece][own], first[own], last[own])


@dataclass(frozen=True)
class Owners:
    """To which household the rows of each number belong at a moment.

    Parameters
    ----------
    owner
        The household under which each number goes on, by number.
    own_from
        First month whose rows are that household's: `OPEN` but for children of a split, `NEVER` for a number
        that a split ended.
    line
        By number the first one that recodes alone join to it: totals under them correct one another.
    linked
        Positions of the numbers that links touch.
    households
        What links made of them: position of its number, and the household.
    number
        Positions by name.
    """

    owner: np.ndarray
    own_from: np.ndarray
    line: np.ndarray
    linked: np.ndarray
    households: list[tuple[int, LinkedHousehold]]
    number: Mapping[str, int]

    @classmethod
    def of(cls, lineage: Lineage, number: Mapping[str, int]) -> Owners:
        """Return the owners of all numbers."""
        own = np.arange(len(number))
        owner, line, own_from = own.copy(), own.copy(), np.full(len(own), OPEN)
        linked, households = [], []
        for one in lineage.households:
            place = number.get(one.number)
            if place is None:  # a child of which nothing is known but its link
                continue
            households.append((place, one))
            lines = one.lines()
            for name, begin in one.pieces().items():
                if name in number:
                    at = number[name]
                    owner[at], line[at] = place, number.get(lines[name], at)
                    own_from[at] = OPEN if begin is None else begin
                    linked.append(at)
        for name in lineage.gone & number.keys():
            own_from[number[name]] = NEVER
            linked.append(number[name])
        return cls(owner, own_from, line, np.array(sorted(set(linked)), np.int64), households, number)

    @property
    def moves(self) -> bool:
        """Whether any row changes hands."""
        return bool((self.owner != np.arange(len(self.owner))).any() or (self.own_from > OPEN).any())

    @property
    def merged(self) -> list[tuple[int, LinkedHousehold]]:
        """The households that a merge made."""
        return [(place, one) for place, one in self.households if one.is_merged]

    @cached_property
    def final(self) -> Pieces:
        """What makes up the households that links touch, by the positions of their numbers."""
        return Pieces.of(
            (
                (self.number[name], place, begin)
                for place, one in self.households
                for name, begin in one.pieces().items()
                if name in self.number
            ),
            len(self.owner),
        )

    def pieces(self, households: Sequence[LinkedHousehold]) -> Pieces:
        """Return what makes up some households."""
        return Pieces.of(
            (
                (self.number[name], i, begin)
                for i, one in enumerate(households)
                for name, begin in one.pieces().items()
                if name in self.number
            ),
            len(households),
        )

    def own_totals(self, rows: Rows) -> tuple[Rows, np.ndarray]:
        """Return totals under their owners, with the line of each."""
        rows = rows.where(rows.month_from >= self.own_from[rows.household])
        rows = latest_of_lines(replace(rows, household=self.line[rows.household]))
        return replace(rows, household=self.owner[rows.household]), rows.household

    def own_spans(self, spans: Spans) -> Spans:
        """Return spans under their owners; what is before a split is the parent's."""
        begun = self.own_from[spans.household]
        own = spans.month_to >= begun
        first = np.maximum(spans.month_from, begun)
        return Spans(self.owner[spans.household][own], first[own], spans.month_to[own])


def latest_of_lines(rows: Rows) -> Rows:
    """Return of totals of one household, code and span the one recorded last."""
    order = np.lexsort((rows.amount, rows.known, rows.month_to, rows.month_from, rows.code, rows.household))
    rows = rows.where(order)
    key = np.stack([rows.household, rows.code, rows.month_from, rows.month_to])
    last = np.ones(len(rows), bool)
    last[:-1] = (key[:, 1:] != key[:, :-1]).any(axis=0)
    return rows.where(last)


def parents_first(households: Iterable[LinkedHousehold]) -> list[LinkedHousehold]:
    """Return everyone that merges made into some households, each after its parents."""
    out: dict[LinkedHousehold, None] = {}

    def add(one: LinkedHousehold) -> None:
        for parent in one.parents:
            add(parent)
            out[parent] = None

    for one in households:
        add(one)
    return list(out)


def split_parents(households: Iterable[LinkedHousehold]) -> list[tuple[LinkedHousehold, int]]:
    """Return the households that were split into some, each with the month in which the children begin."""
    out: dict[tuple[LinkedHousehold, int], None] = {}
    for one in households:
        child = one
        while child.split_from is not None and child.begin is not None:
            out[child.split_from, child.begin] = None
            child = child.split_from
    return list(out)


def persons_from(one: LinkedHousehold) -> int:
    """Return from which day on the persons of a household are its own: a child has none before its split."""
    if one.is_child and one.date is not None:
        return day_number(one.date)
    return max((persons_from(parent) for parent in one.parents), default=_NO_DAY)
