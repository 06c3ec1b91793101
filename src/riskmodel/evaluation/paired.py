"""Descriptive tests of two lists or two scores on the same households, and Holm's correction.

McNemar and DeLong take households as independent; villages and repeated as-of dates make them too sure.
They are reported as description; the village bootstrap of `compare` decides.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

Array = NDArray[np.float64]


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test on the cases that one of two lists holds and the other does not.

    Parameters
    ----------
    only_first, only_second : int
        True cases caught by one list only.

    Returns
    -------
    float
        p value; 1 where the lists do not differ.

    References
    ----------
    McNemar 1947.

    Examples
    --------
    One against eight: 2·(1 + 9)/2⁹.

    >>> mcnemar_exact(1, 8)
    0.0390625
    """
    discordant = only_first + only_second
    return 1.0 if discordant == 0 else float(binomtest(only_first, discordant, 0.5).pvalue)


class DeLong(NamedTuple):
    """Two correlated AUCs.

    Attributes
    ----------
    auc_first, auc_second, difference : float
        Difference is the second minus the first.
    se, z, p : float
        Of the difference; NaN where its variance is 0 or a class is absent.
    """

    auc_first: float
    auc_second: float
    difference: float
    se: float
    z: float
    p: float


def delong(y: ArrayLike, first: ArrayLike, second: ArrayLike) -> DeLong:
    """Compare the AUCs of two scores on the same rows.

    Parameters
    ----------
    y : array of shape (n,)
        0/1.
    first, second : array of shape (n,)
        Scores; ties count one half.

    Returns
    -------
    DeLong

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988; by midranks in n·log n as Sun and Xu 2014.
    """
    target = np.asarray(y, dtype=float)
    scores = np.vstack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    events = target == 1
    m, n = int(events.sum()), int((~events).sum())
    if m == 0 or n == 0:
        return DeLong(*[float("nan")] * 6)
    everyone = rankdata(scores, axis=1)
    over_others = (everyone[:, events] - rankdata(scores[:, events], axis=1)) / n
    over_events = 1 - (everyone[:, ~events] - rankdata(scores[:, ~events], axis=1)) / m
    areas = over_others.mean(axis=1)
    contrast = np.array([-1.0, 1.0])
    difference = float(contrast @ areas)
    if m < 2 or n < 2:
        return DeLong(float(areas[0]), float(areas[1]), difference, *[float("nan")] * 3)
    variance = np.var(contrast @ over_others, ddof=1) / m + np.var(contrast @ over_events, ddof=1) / n
    se = float(np.sqrt(variance))
    # Rounding noise of identical scores is no variance.
    z = difference / se if se > 1e-12 else float("nan")
    return DeLong(float(areas[0]), float(areas[1]), difference, se, z, float(2 * norm.sf(abs(z))))


def holm(p: ArrayLike) -> Array:
    """Adjust p values for several comparisons, step down.

    Parameters
    ----------
    p : array of shape (tests,)
        NaN is left out and stays NaN.

    Returns
    -------
    array of shape (tests,)

    References
    ----------
    Holm 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=float)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    stepped = values[order] * (len(order) - np.arange(len(order)))
    out[order] = np.minimum(1.0, np.maximum.accumulate(stepped)) if len(order) else stepped
    return out
