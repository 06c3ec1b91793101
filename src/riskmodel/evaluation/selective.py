"""Labels that only some have: visits chosen with known chances, support that changes what happens."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Array = NDArray[np.float64]


class Weighted(NamedTuple):
    """A rate from chosen visits.

    Attributes
    ----------
    naive : float
        Among the visited, as if they were like the others.
    estimate, low, high : float
        Weighted by the inverse of the logged chance (Hájek), with a village-robust interval.
    effective_n : float
        Kish's effective number of visits.
    unreachable : float
        Share of rows whose chance of a visit was 0: no weight can speak for them.
    """

    naive: float
    estimate: float
    low: float
    high: float
    effective_n: float
    unreachable: float


def weighted_rate(
    y: ArrayLike,
    visited: ArrayLike,
    chance: ArrayLike,
    groups: ArrayLike | None = None,
    among: ArrayLike | None = None,
    level: float = 0.95,
) -> Weighted:
    """Estimate the rate of an event that only visits reveal, from the logged chances of a visit.

    Parameters
    ----------
    y : array of shape (n,)
        0/1 for the visited; what stands for the others is not looked at.
    visited : array of shape (n,)
        0/1.
    chance : array of shape (n,)
        Logged chance of being selected, in [0, 1]; positive for every visited row.
    groups : array of shape (n,), optional
        Village of each row; default rows are independent.
    among : array of shape (n,), optional
        0/1: only these rows (a list: its precision); default all.
    level : float, default 0.95

    Returns
    -------
    Weighted

    Raises
    ------
    ValueError
        If a chance is out of range, or 0 for somebody who was visited.

    References
    ----------
    Horvitz and Thompson 1952; Hájek 1971; linearised variance as in Särndal et al. 1992, ch. 5.

    Examples
    --------
    One of two flagged households (certain visits) is poor, and one of two drawn with a chance of 1/4:

    >>> weighted_rate([1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 0.25, 0.25]).estimate
    0.5
    """
    seen, p = np.asarray(visited, dtype=float) > 0, np.asarray(chance, dtype=float)
    inside = np.ones(len(p), dtype=bool) if among is None else np.asarray(among, dtype=float) > 0
    if not ((p >= 0) & (p <= 1)).all() or (p[seen] == 0).any():
        raise ValueError("chance: numbers in [0, 1], and above 0 for everyone who was visited")
    use = seen & inside
    if not use.any():
        nothing = float("nan")
        missed = float(np.mean(p[inside] == 0)) if inside.any() else 0.0
        return Weighted(nothing, nothing, nothing, nothing, 0.0, missed)
    target, weight = np.asarray(y, dtype=float)[use], 1 / p[use]
    estimate = float(np.sum(weight * target) / weight.sum())
    influence = weight * (target - estimate) / weight.sum()
    village = (
        np.arange(use.sum()) if groups is None else np.unique(np.asarray(groups)[use], return_inverse=True)[1]
    )
    sums = np.bincount(village, weights=influence)
    g = len(sums)
    se = float(np.sqrt(g / max(1, g - 1) * np.sum(sums**2)))
    reach = norm.ppf(0.5 + level / 2) * se
    return Weighted(
        float(target.mean()), estimate, max(0.0, estimate - reach), min(1.0, estimate + reach),
        float(weight.sum() ** 2 / np.sum(weight**2)), float(np.mean(p[inside] == 0)),
    )  # fmt: skip


class Bounds(NamedTuple):
    """Worst and best case of what is not known.

    Attributes
    ----------
    rate_low, rate_high, precision_low, precision_high, recall_low, recall_high : float
    """

    rate_low: float
    rate_high: float
    precision_low: float
    precision_high: float
    recall_low: float
    recall_high: float


def worst_case(y: ArrayLike, known: ArrayLike, listed: ArrayLike) -> Bounds:
    """Bound rate, precision and recall of a list where labels are missing, whatever the missing ones are.

    Parameters
    ----------
    y : array of shape (n,)
        0/1 where known.
    known, listed : array of shape (n,)
        0/1.

    Returns
    -------
    Bounds
        NaN where nobody is listed, or nobody could have the event.

    References
    ----------
    Manski 1989, "Anatomy of the selection problem".

    Examples
    --------
    >>> worst_case([1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0])[:4]
    (0.25, 0.75, 0.5, 1.0)
    """
    told, on = np.asarray(known, dtype=float) > 0, np.asarray(listed, dtype=float) > 0
    event = np.where(told, np.asarray(y, dtype=float), 0.0) > 0
    open_on, open_off = float((~told & on).sum()), float((~told & ~on).sum())
    hits, missed = float((event & on).sum()), float((event & ~on).sum())
    n, size = float(len(on)), float(on.sum())
    return Bounds(
        _over(hits + missed, n), _over(hits + missed + open_on + open_off, n),
        _over(hits, size), _over(hits + open_on, size),
        _over(hits, hits + missed + open_off), _over(hits + open_on, hits + open_on + missed),
    )  # fmt: skip


def support_bounds(y: ArrayLike, supported: ArrayLike, listed: ArrayLike) -> dict[str, float]:
    """Bound what would have happened without the support given within the window.

    A score is risk under current support. Who was supported and did not fall might have fallen without it
    (counted as 1), or not (as 0); who fell although supported fell.

    Parameters
    ----------
    y : array of shape (n,)
        0/1: what happened.
    supported : array of shape (n,)
        0/1: support began within the label's window.
    listed : array of shape (n,)
        0/1.

    Returns
    -------
    dict
        ``rate, rate_low, rate_high, precision…, recall…`` (as seen, every supported household counted as 0,
        and as 1), ``supported_share, supported_share_listed``.

    References
    ----------
    Manski 1990, "Nonparametric bounds on treatment effects".
    """
    event, helped = np.asarray(y, dtype=float), np.asarray(supported, dtype=float) > 0
    on = np.asarray(listed, dtype=float) > 0
    cases = {"": event, "_low": np.where(helped, 0.0, event), "_high": np.where(helped, 1.0, event)}
    out = {
        "supported_share": float(helped.mean()),
        "supported_share_listed": _over(float((helped & on).sum()), float(on.sum())),
    }
    for name, outcome in cases.items():
        hits = float(outcome[on].sum())
        out[f"rate{name}"] = float(outcome.mean())
        out[f"precision{name}"] = _over(hits, float(on.sum()))
        out[f"recall{name}"] = _over(hits, float(outcome.sum()))
    return out


def _over(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")
