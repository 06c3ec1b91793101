r"""How good forecasts are: scores of a distribution (pinball, CRPS, coverage, width, Brier), MASE, tests.

The scores are proper or are counts, on plain arrays. The CRPS is twice the integral of the pinball loss over
levels

.. math:: CRPS(F, y) = 2 \int_0^1 \rho_p(y - F^{-1}(p)) \, dp

and is exact for a quantile function that is straight between the given levels and flat beyond them; at the
levels `CRPS_LEVELS` it is the normal's closed form to 5e-4 of itself, out to four standard deviations.

References
----------
Gneiting, T. and Raftery, A. (2007), Strictly proper scoring rules, JASA 102, 359-378; Laio, F. and Tamea, S.
(2007), HESS 11, 1267-1277 (the integral over quantiles); Brier, G. (1950), Mon. Weather Rev. 78, 1-3;
Hyndman, R. and Koehler, A. (2006), Another look at measures of forecast accuracy, IJF 22, 679-688; Diebold,
F. and Mariano, R. (1995), Comparing predictive accuracy, JBES 13, 253-263; Harvey, D., Leybourne, S. and
Newbold, P. (1997), Testing the equality of prediction mean squared errors, IJF 13, 281-291.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

Array = NDArray[Any]
Correction = Literal["bh", "holm"]

# Forty equal steps of probability: the ends are the limits of a 95 % interval.
LEVELS: Array = np.arange(1, 40) / 40
# Finer steps for the CRPS: with forty that of an outcome in a normal's tail would be 7e-3 of itself off.
CRPS_LEVELS: Array = np.arange(1, 400) / 400
# The intervals that are given, per cent, and their ends.
INTERVALS = {80: (0.1, 0.9), 95: (0.025, 0.975)}


def pinball(y: ArrayLike, quantile: ArrayLike, level: ArrayLike) -> Array:
    """Return the pinball (quantile) loss of each forecast.

    Examples
    --------
    >>> pinball([3.0], [1.0], 0.9).tolist()
    [1.8]
    """
    q = np.asarray(quantile, dtype=float)
    observed = np.asarray(y, dtype=float).reshape((-1,) + (1,) * (q.ndim - 1))
    error = observed - q
    p = np.asarray(level, dtype=float)
    return np.maximum(p * error, (p - 1) * error)


def crps(y: ArrayLike, quantiles: ArrayLike, levels: ArrayLike = CRPS_LEVELS) -> Array:
    """Return the continuous ranked probability score of distributions given by rising quantiles, shape (n,).

    Examples
    --------
    >>> crps([3.0], [[1.0, 1.0, 2.0, 2.0]], [0.0, 0.5, 0.5, 1.0]).tolist()
    [1.25]
    """
    p = np.asarray(levels, dtype=float)
    off = np.asarray(quantiles, dtype=float) - np.asarray(y, dtype=float)[:, None]
    step = np.diff(p)
    # CRPS = 2 int d+ - 2 int p d with d = F^-1(p) - y: weights that are exact where d is straight or flat.
    area, moment = np.zeros(p.size), np.zeros(p.size)
    area[:-1] += step / 2
    area[1:] += step / 2
    moment[:-1] += step * (2 * p[:-1] + p[1:]) / 6
    moment[1:] += step * (p[:-1] + 2 * p[1:]) / 6
    area[0], area[-1] = area[0] + p[0], area[-1] + 1 - p[-1]
    moment[0], moment[-1] = moment[0] + p[0] ** 2 / 2, moment[-1] + (1 - p[-1] ** 2) / 2
    total = np.maximum(off, 0.0) @ area - off @ moment
    # Where d changes its sign within a step, its positive part is a triangle over a part of that step only.
    above = (off <= 0).sum(axis=1)
    rows = np.flatnonzero((above > 0) & (above < p.size))
    low, high = off[rows, above[rows] - 1], off[rows, above[rows]]
    total[rows] += step[above[rows] - 1] * high / 2 * (low / (high - low))
    return 2 * total


def coverage(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Return the share of outcomes within their intervals, ends included.

    Examples
    --------
    >>> coverage([1, 2, 3, 9], [0, 0, 0, 0], [2, 2, 3, 4])
    0.75
    """
    seen = np.asarray(y, dtype=float)
    return float(np.mean((seen >= np.asarray(low)) & (seen <= np.asarray(high))))


def brier(y: ArrayLike, probability: ArrayLike) -> float:
    """Return the mean squared distance of probabilities from what happened (0/1).

    Examples
    --------
    >>> brier([1, 0], [0.5, 0.5])
    0.25
    """
    return float(np.mean((np.asarray(probability, dtype=float) - np.asarray(y, dtype=float)) ** 2))


SEASON = 12


def scaling(history: ArrayLike, season: int = SEASON) -> float:
    """Return the mean absolute seasonal difference of a history: what the seasonal-naive method errs in it.

    Examples
    --------
    >>> scaling([1, 2, 3, 5], season=2)
    2.5
    """
    y = np.asarray(history, dtype=float)
    if y.size <= season:
        return float("nan")
    value = float(np.abs(y[season:] - y[:-season]).mean())
    return value if value > 0 else float("nan")


class DieboldMariano(NamedTuple):
    """Statistic (negative: the first method is better), its two-sided p-value, and degrees of freedom."""

    statistic: float
    p: float
    df: int


def diebold_mariano(first: ArrayLike, second: ArrayLike, horizon: int = 1, power: int = 2) -> DieboldMariano:
    r"""Test whether two series of forecast errors have the same expected loss.

    .. math:: S^* = \sqrt{\frac{n + 1 - 2h + h(h-1)/n}{n}} \;
              \frac{\bar d}{\sqrt{n^{-1}(\hat\gamma_0 + 2\sum_{k=1}^{h-1} \hat\gamma_k)}} \sim t_{n-1}
    """
    a, b = (np.abs(np.asarray(e, dtype=float)) ** power for e in (first, second))
    d = a - b
    n = d.size
    if n < 2 or np.allclose(d, d[0] if n else 0.0, atol=0, rtol=0):
        return DieboldMariano(float("nan"), float("nan"), max(n - 1, 0))
    centred = d - d.mean()
    gamma = [float((centred[k:] * centred[: n - k]).sum() / n) for k in range(min(horizon, n))]
    variance = (gamma[0] + 2 * sum(gamma[1:])) / n
    if variance <= 0:
        variance, horizon = gamma[0] / n, 1
    statistic = d.mean() / np.sqrt(variance)
    correction = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    from scipy.stats import t

    corrected = float(statistic * correction)
    return DieboldMariano(corrected, float(2 * t.sf(abs(corrected), n - 1)), n - 1)


def adjust_p_values(p: Array, correction: Correction = "bh") -> Array:
    """Return p-values adjusted for all tests whose p-value is known, by false discovery rate or by Holm.

    Examples
    --------
    >>> adjust_p_values(np.array([0.01, 0.02, np.nan, 0.5])).round(6).tolist()
    [0.03, 0.03, nan, 0.5]
    """
    out = np.full(p.shape, np.nan)
    known = ~np.isnan(p)
    if known.any():
        out[known] = multipletests(p[known], method={"bh": "fdr_bh", "holm": "holm"}[correction])[1]
    return out
