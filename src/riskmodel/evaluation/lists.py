"""Lists of visits at a budget, date by date: who is on them, what they hold, and what ties could change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from riskmodel.errors import SpecError
from riskmodel.evaluation.units import Array, Codes, Units, weigh


class Ranking(NamedTuple):
    """An order of the rows, date by date."""

    order: Codes  # row numbers, by date, then from first to last visited
    tied: NDArray[np.bool_]  # this place equals the one before in everything but the household id


def rank_rows(date: Codes, *keys: NDArray[Any]) -> Ranking:
    """Order the rows of each date by keys, smallest first; equal keys keep the order of the rows.

    Parameters
    ----------
    date : integer array of shape (n,)
        Code of the as-of date, 0, 1, …
    *keys : arrays of shape (n,)
        The first decides first. NaN comes last.

    Returns
    -------
    Ranking
        Rows are to stand in the order of household_id: that is the tie rule.
    """
    order = np.lexsort((*reversed(keys), date))
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] = np.logical_and.reduce([_same(key[order]) for key in (date, *keys)])
    return Ranking(order, tied)


def _same(values: NDArray[Any]) -> NDArray[np.bool_]:
    first, second = values[:-1], values[1:]
    return (first == second) | (np.isnan(first) & np.isnan(second))


def _position(date: Codes, ranking: Ranking) -> Codes:
    """Return the place (from 0) of each ordered row within its date."""
    start = np.r_[0, np.cumsum(np.bincount(date))[:-1]]
    return np.arange(len(date)) - start[date[ranking.order]]


def list_members(date: Codes, ranking: Ranking, quota: Codes) -> NDArray[np.bool_]:
    """Say which rows are on the list."""
    out = np.zeros(len(date), dtype=bool)
    out[ranking.order] = _position(date, ranking) < quota[date[ranking.order]]
    return out


def tie_bounds(y: Array, date: Codes, ranking: Ranking, quota: Codes) -> tuple[int, int]:
    """Fewest and most events that the list could hold if ties at its end fell otherwise."""
    if len(y) == 0:
        return 0, 0
    group = np.cumsum(~ranking.tied) - 1
    first = np.flatnonzero(~ranking.tied)
    size, events = np.bincount(group), np.bincount(group, weights=y[ranking.order])
    seats = np.clip(quota[date[ranking.order]][first] - _position(date, ranking)[first], 0, size)
    best = np.minimum(events, seats).sum()
    worst = np.maximum(0, seats - (size - events)).sum()
    return int(worst), int(best)


def list_at_budget(date: Codes, score: Array, budget: Budget) -> NDArray[np.bool_]:
    """Say which rows a budget reaches, the highest scores of each date first.

    Parameters
    ----------
    date : integer array of shape (n,)
        Code of each row's as-of date.
    score : array of shape (n,)
        What orders; equal scores keep the order of the rows.
    budget
        Visits at each date.

    Returns
    -------
    boolean array of shape (n,)
        True for the rows on the list.
    """
    return list_members(date, rank_rows(date, -score), quotas(date, budget))


def list_deployed(date: Codes, flagged: NDArray[np.bool_], score: Array, budget: Budget) -> NDArray[np.bool_]:
    """Say who is on the list as an office has it: the flagged first, then the highest scores of each date.

    Parameters
    ----------
    date : integer array of shape (n,)
        Code of each row's as-of date.
    flagged : boolean array of shape (n,)
        Whether the rules flag the household; no score puts anybody before these.
    score : array of shape (n,)
        Orders the flagged among themselves and the others; equal scores keep the order of the rows.
    budget
        Visits at each date.

    Returns
    -------
    boolean array of shape (n,)
        True for the rows on the list.
    """
    return list_members(date, rank_rows(date, ~flagged, -score), quotas(date, budget))


class ListCounts(NamedTuple):
    """What a list holds in each replicate, arrays of shape (replicates,)."""

    hits: Array  # events on the list
    events: Array  # events in all
    visits: Array
    rows: Array  # households, all at all dates
    hits_persons: Array  # weighted by persons
    events_persons: Array


def running_sums(values: Array) -> Array:
    """Return running sums with a leading zero, shape (replicates, columns + 1)."""
    out = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def list_kernel(
    y: Array,
    date: Codes,
    ranking: Ranking,
    quota: Codes,
    persons: Array | None = None,
    units: Units | None = None,
) -> Callable[[Array], ListCounts]:
    """Prepare the list of each replicate: the same ranking, cut at the same share of the households.

    A resampled county has more or fewer households; visits keep their share, and a household drawn
    twice takes two visits (in part, if the cut falls on it). Only the first rows of a date are looked at:
    as many as the list needs in whichever replicate it reaches deepest.

    Parameters
    ----------
    y : array of shape (n,)
        0/1: had the event.
    date : integer array of shape (n,)
        Code of each row's as-of date.
    ranking
        Order of the rows, from `rank_rows`.
    quota : integer array of shape (dates,)
        Visits at each date, from `quotas`.
    persons : array of shape (n,), optional
        For the person-weighted sums; default 1.
    units : Units, optional
        What the rows are resampled with; default each row by itself.

    Returns
    -------
    callable
        Weights (replicates, units) to `ListCounts`.
    """
    units = Units.of_rows(len(y)) if units is None else units
    n = np.bincount(date)
    share = quota / n
    by_date, (events, events_persons) = units.table(date, len(n)), _event_sums(y, persons, units)
    heads = np.ones(len(y)) if persons is None else persons

    def kernel(weight: Array) -> ListCounts:
        held = weigh(by_date, weight).T
        visits = share * held
        rows, end, running = _reached(ranking.order, n, quota, units, weight, visits)
        event = np.flatnonzero(y[rows] == 1)
        at = date[rows][event]
        on_event = units.of(weight, rows[event])
        before_date = running[:, np.r_[0, end[:-1]]]
        room = visits[:, at] - (running[:, event] - before_date[:, at])
        hits = np.minimum(np.maximum(room, 0.0), on_event)
        return ListCounts(
            hits.sum(axis=1), weight @ events, visits.sum(axis=1), held.sum(axis=1),
            hits @ heads[rows[event]], weight @ events_persons,
        )  # fmt: skip

    return kernel


def _event_sums(y: Array, persons: Array | None, units: Units) -> tuple[Array, Array]:
    """Return events and their persons by unit."""
    events = units.sums(y)
    return events, events if persons is None else units.sums(y * persons)


def _reached(
    order: Codes, n: Codes, quota: Codes, units: Units, weight: Array, visits: Array
) -> tuple[Codes, Codes, Array]:
    """Return the first rows of each date, as many as any replicate's visits reach.

    With them where each date's end, and the running sums of their weights (replicates, rows + 1).
    """
    start = np.cumsum(n) - n
    # A third more than the list itself is enough for most resamples of some hundred villages.
    depth = np.minimum(n, np.ceil(quota * 4 / 3).astype(np.int64) + 16)
    while True:
        rows = np.concatenate([order[first : first + k] for first, k in zip(start, depth, strict=True)])
        end = np.cumsum(depth)
        running = running_sums(units.of(weight, rows))
        reached = running[:, end] - running[:, np.r_[0, end[:-1]]]
        short = (depth < n) & (reached < visits).any(axis=0)
        if not short.any():
            return rows, end, running
        depth = np.where(short, np.minimum(n, 2 * depth), depth)


def fixed_list_kernel(y: Array, listed: Array, units: Units | None = None) -> Callable[[Array], ListCounts]:
    """Prepare a list that stays as it was drawn up, whoever is resampled; persons are not counted."""
    units = Units.of_rows(len(y)) if units is None else units
    sums = np.column_stack([y * listed, y, listed, np.ones(len(y)), np.zeros((len(y), 2))])
    by_unit = units.sums(sums)
    return lambda weight: ListCounts(*(weight @ by_unit).T)


def random_list_hits(
    y: Array, date: Codes, quota: Codes, first: NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Events that a list drawn at random finds: mean and standard deviation.

    Examples
    --------
    Five draws from ten with two events: mean 1, variance 5·0.2·0.8·5/9.

    >>> mean, sd = random_list_hits(np.r_[1.0, 1, np.zeros(8)], np.zeros(10, dtype=int), np.array([5]))
    >>> mean, round(sd**2, 4)
    (1.0, 0.4444)
    """
    # Who comes first (the flagged) is visited before the draw; where they are too many it is among them.
    ahead = np.zeros(len(y)) if first is None else first.astype(float)
    n, events = np.bincount(date).astype(float), np.bincount(date, weights=y)
    n_ahead, events_ahead = np.bincount(date, weights=ahead), np.bincount(date, weights=ahead * y)
    seats = np.minimum(quota, n_ahead).astype(float)
    mean, variance = _hypergeometric(seats, n_ahead, events_ahead)
    mean_rest, variance_rest = _hypergeometric(quota - seats, n - n_ahead, events - events_ahead)
    return float(np.sum(mean + mean_rest)), float(np.sqrt(np.sum(variance + variance_rest)))


def _hypergeometric(seats: NDArray[Any], n: NDArray[Any], events: NDArray[Any]) -> tuple[Array, Array]:
    rate = events / np.maximum(1, n)
    return seats * rate, seats * rate * (1 - rate) * (n - seats) / np.maximum(1, n - 1)


@dataclass(frozen=True)
class Budget:
    """Visits at each as-of date: a number of them, or a share of the households.

    Exactly one of the two is given.

    Parameters
    ----------
    visits
        At least 1.
    share
        In (0, 1].

    Raises
    ------
    SpecError
        If both or neither are given, or one is out of range.

    Examples
    --------
    >>> Budget(share=0.05).at(90), Budget(visits=500).at(90)
    (5, 90)
    """

    visits: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.visits is None) == (self.share is None):
            raise SpecError(f"budget {self}: give visits (a number) or share (of households), and one only")
        if self.visits is not None and (int(self.visits) != self.visits or self.visits < 1):
            raise SpecError(f"budget: visits is {self.visits!r}; it must be a whole number of at least 1")
        if self.share is not None and not 0 < self.share <= 1:
            raise SpecError(f"budget: share is {self.share!r}; it must be in (0, 1]")

    @classmethod
    def of(cls, budget: Budget | Mapping[str, Any]) -> Budget:
        """Take a budget, or a mapping with its one key.

        Parameters
        ----------
        given
            A budget, or ``{"visits": n}`` or ``{"share": s}``.

        Returns
        -------
        Budget
            The same, checked.

        Raises
        ------
        SpecError
            If the mapping has another key.
        """
        if isinstance(budget, Budget):
            return budget
        unknown = sorted(set(budget) - {"visits", "share"})
        if unknown:
            raise SpecError(f"budget: unknown key {', '.join(unknown)}; allowed: visits, share")
        return cls(**budget)

    def at(self, households: int) -> int:
        """Visits where there are so many households: the share rounded half up, at least 1, at most all.

        Parameters
        ----------
        households
            How many there are at the date.

        Returns
        -------
        int
            Visits.
        """
        visits = (
            self.visits if self.visits is not None else int(np.floor((self.share or 0) * households + 0.5))
        )
        return min(households, max(1, int(visits)))


def quotas(date: Codes, budget: Budget) -> Codes:
    """Visits at each date.

    Parameters
    ----------
    date : integer array of shape (n,)
        Code of each row's as-of date.
    budget
        Visits at each date: a number or a share.

    Returns
    -------
    integer array of shape (dates,)
        One number a date, in the order of the codes.
    """
    return np.array([budget.at(int(n)) for n in np.bincount(date)], dtype=np.int64)


def ratio_or_nan(part: Any, whole: Any) -> float:
    """Return a share; NaN where nothing is divided by."""
    return float(part / whole) if whole else float("nan")
