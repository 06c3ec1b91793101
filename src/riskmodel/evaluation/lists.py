"""Lists of visits, date by date: who is on them, what they find, and what ties at their end could change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


class Ranking(NamedTuple):
    """An order of the rows, date by date.

    Attributes
    ----------
    order : integer array of shape (n,)
        Row numbers, by date, then from first to last visited.
    tied : boolean array of shape (n,)
        Whether the row at this place equals the one before in everything but the household id.
    """

    order: Codes
    tied: NDArray[np.bool_]


def rank(date: Codes, *keys: NDArray[Any]) -> Ranking:
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


def _place(date: Codes, ranking: Ranking) -> Codes:
    """Return the place (from 0) of each ordered row within its date."""
    start = np.r_[0, np.cumsum(np.bincount(date))[:-1]]
    return np.arange(len(date)) - start[date[ranking.order]]


def chosen(date: Codes, ranking: Ranking, quota: Codes) -> NDArray[np.bool_]:
    """Say which rows are on the list.

    Parameters
    ----------
    date : integer array of shape (n,)
    ranking : Ranking
    quota : integer array of shape (dates,)

    Returns
    -------
    boolean array of shape (n,)
    """
    out = np.zeros(len(date), dtype=bool)
    out[ranking.order] = _place(date, ranking) < quota[date[ranking.order]]
    return out


def tie_bounds(y: Array, date: Codes, ranking: Ranking, quota: Codes) -> tuple[int, int]:
    """Fewest and most events that the list could hold if ties at its end fell otherwise.

    Parameters
    ----------
    y : array of shape (n,)
    date : integer array of shape (n,)
    ranking : Ranking
    quota : integer array of shape (dates,)

    Returns
    -------
    tuple of int
        Worst and best.
    """
    if len(y) == 0:
        return 0, 0
    group = np.cumsum(~ranking.tied) - 1
    first = np.flatnonzero(~ranking.tied)
    size, events = np.bincount(group), np.bincount(group, weights=y[ranking.order])
    seats = np.clip(quota[date[ranking.order]][first] - _place(date, ranking)[first], 0, size)
    best = np.minimum(events, seats).sum()
    worst = np.maximum(0, seats - (size - events)).sum()
    return int(worst), int(best)


class ListFind(NamedTuple):
    """What a list holds in each replicate, arrays of shape (replicates,).

    Attributes
    ----------
    hits, events, visits, rows : arrays
        Events on the list, events in all, visits, households (all at all dates).
    hits_persons, events_persons : arrays
        The events weighted by persons.
    """

    hits: Array
    events: Array
    visits: Array
    rows: Array
    hits_persons: Array
    events_persons: Array


def list_kernel(
    y: Array, date: Codes, ranking: Ranking, quota: Codes, persons: Array | None = None
) -> Callable[[Array], ListFind]:
    """Prepare the list of each replicate: the same ranking, cut at the same share of the households.

    A resampled county has more or fewer households; visits keep their share, and a household drawn
    twice takes two visits (in part, if the cut falls on it).

    Parameters
    ----------
    y : array of shape (n,)
    date : integer array of shape (n,)
    ranking : Ranking
    quota : integer array of shape (dates,)
    persons : array of shape (n,), optional
        For the person-weighted sums; default 1.

    Returns
    -------
    callable
        Weights (replicates, n) to `ListFind`.
    """
    order = ranking.order
    ordered_date = date[order]
    n = np.bincount(date)
    share = quota / n
    end = np.cumsum(n)
    event = np.flatnonzero(y[order] == 1)
    at = ordered_date[event]
    heads = np.ones(len(event)) if persons is None else persons[order][event]

    def kernel(weight: Array) -> ListFind:
        ordered = weight[:, order]
        running = np.zeros((len(ordered), ordered.shape[1] + 1))
        np.cumsum(ordered, axis=1, out=running[:, 1:])
        before_date = running[:, end - n]
        visits = share * (running[:, end] - before_date)
        on_event = ordered[:, event]
        room = visits[:, at] - (running[:, event] - before_date[:, at])
        taken = np.minimum(np.maximum(room, 0.0), on_event)
        return ListFind(
            taken.sum(axis=1), on_event.sum(axis=1), visits.sum(axis=1), running[:, -1],
            taken @ heads, on_event @ heads,
        )  # fmt: skip

    return kernel


def random_find(
    y: Array, date: Codes, quota: Codes, first: NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Events that a list drawn at random finds: mean and standard deviation.

    Parameters
    ----------
    y : array of shape (n,)
    date : integer array of shape (n,)
    quota : integer array of shape (dates,)
    first : boolean array of shape (n,), optional
        Who is visited before the others (the flagged); the draw fills what is left, or is among
        them where they are too many. Default nobody.

    Returns
    -------
    tuple of float
        Hypergeometric, dates added up as independent.

    Examples
    --------
    Five draws from ten with two events: mean 1, variance 5·0.2·0.8·5/9.

    >>> mean, sd = random_find(np.r_[1.0, 1, np.zeros(8)], np.zeros(10, dtype=int), np.array([5]))
    >>> mean, round(sd**2, 4)
    (1.0, 0.4444)
    """
    ahead = np.zeros(len(y)) if first is None else first.astype(float)
    n, events = np.bincount(date).astype(float), np.bincount(date, weights=y)
    n_ahead, events_ahead = np.bincount(date, weights=ahead), np.bincount(date, weights=ahead * y)
    seats = np.minimum(quota, n_ahead).astype(float)
    mean, variance = _drawn(seats, n_ahead, events_ahead)
    mean_rest, variance_rest = _drawn(quota - seats, n - n_ahead, events - events_ahead)
    return float(np.sum(mean + mean_rest)), float(np.sqrt(np.sum(variance + variance_rest)))


def _drawn(seats: NDArray[Any], n: NDArray[Any], events: NDArray[Any]) -> tuple[Array, Array]:
    rate = events / np.maximum(1, n)
    return seats * rate, seats * rate * (1 - rate) * (n - seats) / np.maximum(1, n - 1)


def list_measures(found: ListFind) -> dict[str, Array]:
    """Recall, precision and what follows from them at one number of visits.

    Parameters
    ----------
    found : ListFind

    Returns
    -------
    dict of arrays of shape (replicates,)
        ``recall, precision, exclusion_error, inclusion_error, lift``; NaN where nothing is divided by.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = found.hits / found.events, found.hits / found.visits
        lift = precision / (found.events / found.rows)
    return {
        "recall": recall, "precision": precision,
        "exclusion_error": 1 - recall, "inclusion_error": 1 - precision, "lift": lift,
    }  # fmt: skip
