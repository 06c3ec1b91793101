"""Optimal bins of one column: the most information that monotone bins of a least size can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

Array = NDArray[np.float64]

# Bins that are tried to be joined: finer ones cost time (cubed) and hold too few events to tell apart.
PREBINS = 20
# People apply the printed edge, so the card is made with the rounded one.
DIGITS = 3
# Rows of prior weight at the overall rate that keep a bin's weight of evidence finite.
PRIOR_ROWS = 1.0


def evidence(rows: NDArray[Any], hits: NDArray[Any], total: float, events: float) -> tuple[Array, Array]:
    """Weight of evidence of bins (more is riskier) and what each adds to the information value.

    Parameters
    ----------
    rows, hits : arrays of one shape
        Rows of each bin, and events among them.
    total, events : float
        Of the column as a whole, its gap included.

    Returns
    -------
    tuple of arrays of that shape
        The second adds up to the information value over the bins of a column.

    References
    ----------
    Good 1950; Siddiqi 2006, ch. 6. One row at the overall rate is added to each bin, as pseudo-count.
    """
    base = events / total
    risky, safe = hits + PRIOR_ROWS * base, rows - hits + PRIOR_ROWS * (1 - base)
    with np.errstate(divide="ignore", invalid="ignore"):
        woe = np.where(rows > 0, np.log(risky / safe) - np.log(base / (1 - base)), 0.0)
    return woe, (hits / events - (rows - hits) / (total - events)) * woe


def optimal_edges(
    column: Array, target: Array, most: int, least: int, sign: int = 0, prebins: int = PREBINS
) -> Array:
    """Return the edges of the monotone bins with the largest information value.

    Parameters
    ----------
    column : array of shape (n,)
        NaN is missing; such rows are a bin of their own and are not cut.
    target : array of shape (n,)
        0.0 or 1.0.
    most : int
        Bins of known values at most.
    least : int
        Rows of a bin at least.
    sign : {-1, 0, 1}, default 0
        Whether the event rate falls or rises with the column; 0: whichever holds more information.
    prebins : int, default `PREBINS`

    Returns
    -------
    array
        Bin k holds ``edges[k-1] < x <= edges[k]``; empty where no two bins are allowed.

    Notes
    -----
    Decision trees make some ``prebins`` fine bins; a dynamic programme then joins neighbours. Its state is
    (bins so far, first and last fine bin of the latest one): the best value of such a beginning is the best
    over all latest-but-one bins that end right before and whose event rate lies on the right side. All
    partitions of the fine bins are thereby covered, so over them the result is optimal, not greedy.

    References
    ----------
    Navas-Palencia 2020, "Optimal binning: mathematical programming formulation" (the same problem, solved as
    an integer programme); Bellman 1961 for the recursion.
    """
    known = ~np.isnan(column)
    values, hits = column[known], target[known]
    if len(values) < 2 * least or len(np.unique(hits)) < 2:
        return np.empty(0)
    # The small tree's own cuts are among the fine ones, so that it can only be bettered.
    fine = np.union1d(_cuts(values, hits, prebins, max(2, least // 2)), _cuts(values, hits, most, least))
    if not len(fine):
        return fine
    place = np.searchsorted(fine, values, side="left")
    events = np.bincount(place, weights=hits, minlength=len(fine) + 1)
    rows = np.bincount(place, minlength=len(fine) + 1).astype(events.dtype)
    found = [
        _best(rows, events, float(len(target)), float(target.sum()), most, least, s)
        for s in ((sign,) if sign else (1, -1))
    ]
    _, ends = max(found, key=lambda f: f[0])
    return fine[ends]


def _cuts(values: Array, hits: Array, leaves: int, least: int) -> Array:
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=least, random_state=0)
    tree.fit(values[:, None], hits)
    inner = tree.tree_.threshold[tree.tree_.feature >= 0]
    # Where three digits would put two edges together, `unique` keeps one.
    return np.unique([float(f"{edge:.{DIGITS}g}") for edge in np.sort(inner)])


def _best(
    rows: NDArray[Any],
    events: NDArray[Any],
    total: float,
    all_events: float,
    most: int,
    least: int,
    sign: int,
) -> tuple[float, list[int]]:
    """Return the largest information value and the fine bins after which to cut (all but the last)."""
    n = len(rows)
    row_sum, hit_sum = np.r_[0.0, np.cumsum(rows)], np.r_[0.0, np.cumsum(events)]
    # Entry (i, j): the bin of fine bins i … j.
    size = row_sum[None, 1:] - row_sum[:-1, None]
    held = hit_sum[None, 1:] - hit_sum[:-1, None]
    allowed = np.triu(np.ones((n, n), dtype=bool)) & (size >= least)
    gain = np.where(allowed, evidence(size, held, total, all_events)[1], -np.inf)
    rate = sign * held / np.maximum(size, 1)
    value = np.where(np.arange(n)[:, None] == 0, gain, -np.inf)
    best = (float(value[0, -1]), [-1, n - 1])
    before: list[NDArray[np.int64]] = []
    for _ in range(1, min(most, n)):
        later, came = np.full((n, n), -np.inf), np.zeros((n, n), dtype=np.int64)
        for i in range(1, n):
            # Bins that end right before i, by their first fine bin h; each must be less risky than (i, j).
            fits = rate[:i, i - 1][:, None] < rate[i][None, :] - 1e-12
            from_h = np.where(fits, value[:i, i - 1][:, None], -np.inf)
            came[i] = np.argmax(from_h, axis=0)
            later[i] = from_h[came[i], np.arange(n)] + gain[i]
        before.append(came)
        value = later
        i = int(np.argmax(value[:, -1]))
        # More bins must bring more: a tie goes to fewer.
        if value[i, -1] > best[0] + 1e-12:
            best = (float(value[i, -1]), _walk(before, i, n))
    return best[0], best[1][1:-1]


def _walk(before: list[NDArray[np.int64]], first: int, n: int) -> list[int]:
    """Return −1, the last fine bin of each bin, from the first fine bin of the latest one back."""
    ends, last = [n - 1], n - 1
    for came in reversed(before):
        ends.append(first - 1)
        first, last = int(came[first, last]), first - 1
    return [-1, *reversed(ends)]
