"""How well a score orders: AUC and average precision, for many weightings of the rows at once.

A *kernel* here and in the sister modules is a function from weights of shape (replicates, n) to one
value a replicate; it is prepared once (one sort) and then run on every village resample.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Kernel = Callable[[Array], Array]


def auc_kernel(y: Array, score: Array) -> Kernel:
    """Prepare the area under the ROC curve; equal scores count one half.

    Parameters
    ----------
    y, score : array of shape (n,)
        0/1, and what orders.

    Returns
    -------
    callable
        Weights (replicates, n) to areas (replicates,); NaN where a class has no weight.
    """
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    others = others[np.argsort(score[others], kind="stable")]
    below = np.searchsorted(score[others], score[events], side="left")
    upto = np.searchsorted(score[others], score[events], side="right")

    def kernel(weight: Array) -> Array:
        heavier = _from_zero(weight[:, others])
        on_events = weight[:, events]
        beaten = 0.5 * np.sum(on_events * (heavier[:, below] + heavier[:, upto]), axis=1)
        return _ratio(beaten, on_events.sum(axis=1) * heavier[:, -1])

    return kernel


def average_precision_kernel(y: Array, score: Array) -> Kernel:
    """Prepare the average precision: precision at each event's score, averaged over the events.

    Parameters
    ----------
    y, score : array of shape (n,)

    Returns
    -------
    callable
        Weights (replicates, n) to values (replicates,); NaN where the events have no weight.
    """
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    events = events[np.argsort(-score[events], kind="stable")]
    others = others[np.argsort(-score[others], kind="stable")]
    # "right": everyone with at least this score stands on the list that reaches the event.
    found = np.searchsorted(-score[events], -score[events], side="right")
    false = np.searchsorted(-score[others], -score[events], side="right")

    def kernel(weight: Array) -> Array:
        on_events = weight[:, events]
        hits = _from_zero(on_events)[:, found]
        listed = hits + _from_zero(weight[:, others])[:, false]
        precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
        return _ratio(np.sum(on_events * precision, axis=1), on_events.sum(axis=1))

    return kernel


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve.

    Parameters
    ----------
    y, score : array of shape (n,)
    weight : array of shape (n,), optional

    Returns
    -------
    float
        Chance that an event outranks a non-event, ties one half; NaN with one class only.

    References
    ----------
    Hanley and McNeil 1982.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [1, 2, 2, 3])
    0.875
    """
    return once(auc_kernel, y, score, weight)


def average_precision(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Average precision (area under the precision-recall steps, not interpolated).

    Parameters
    ----------
    y, score : array of shape (n,)
    weight : array of shape (n,), optional

    Returns
    -------
    float
        NaN without events.

    Examples
    --------
    >>> round(average_precision([0, 1, 0, 1], [1, 2, 3, 4]), 4)
    0.8333
    """
    return once(average_precision_kernel, y, score, weight)


def once(
    prepare: Callable[[Array, Array], Kernel], y: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> float:
    """Run a kernel for one weighting.

    Parameters
    ----------
    prepare : callable
        Makes the kernel from target and score.
    y, score : array of shape (n,)
    weight : array of shape (n,) or None
        None weighs every row 1.

    Returns
    -------
    float
    """
    target = np.asarray(y, dtype=float)
    rows = np.ones(len(target)) if weight is None else np.asarray(weight, dtype=float)
    return float(prepare(target, np.asarray(score, dtype=float))(rows[None])[0])


def _from_zero(values: Array) -> Array:
    """Return running sums with a leading zero, shape (replicates, columns + 1)."""
    out = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
