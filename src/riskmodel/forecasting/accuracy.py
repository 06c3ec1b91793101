r"""Accuracy of count forecasts: MASE, and the Diebold-Mariano test with its small-sample correction.

References
----------
Hyndman, R. and Koehler, A. (2006), Another look at measures of forecast accuracy, IJF 22, 679-688; Diebold,
F. and Mariano, R. (1995), Comparing predictive accuracy, JBES 13, 253-263; Harvey, D., Leybourne, S. and
Newbold, P. (1997), Testing the equality of prediction mean squared errors, IJF 13, 281-291.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
SEASON = 12


def scaling(history: ArrayLike, season: int = SEASON) -> float:
    """Return the mean absolute seasonal difference of a history: what the seasonal-naive method errs in it.

    Parameters
    ----------
    history : array of shape (T,)
    season : int

    Returns
    -------
    float
        NaN where the history is not longer than a season, or never changes.

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


def mase(actual: ArrayLike, forecast: ArrayLike, history: ArrayLike, season: int = SEASON) -> float:
    """Return the mean absolute error in units of the seasonal-naive error within the history.

    Examples
    --------
    >>> mase([4.0], [1.5], [1, 2, 3, 5], season=2)
    1.0
    """
    error = np.abs(np.asarray(actual, dtype=float) - np.asarray(forecast, dtype=float)).mean()
    return float(error) / scaling(history, season)


class DieboldMariano(NamedTuple):
    """Statistic (negative: the first method is better), its two-sided p-value, and degrees of freedom."""

    statistic: float
    p: float
    df: int


def diebold_mariano(first: ArrayLike, second: ArrayLike, horizon: int = 1, power: int = 2) -> DieboldMariano:
    r"""Test whether two series of forecast errors have the same expected loss.

    .. math:: S^* = \sqrt{\frac{n + 1 - 2h + h(h-1)/n}{n}} \;
              \frac{\bar d}{\sqrt{n^{-1}(\hat\gamma_0 + 2\sum_{k=1}^{h-1} \hat\gamma_k)}} \sim t_{n-1}

    Parameters
    ----------
    first, second : array of shape (n,)
        Errors of the two methods, in time order.
    horizon : int
        Steps ahead: errors so far apart are taken as uncorrelated.
    power : int
        1 for absolute, 2 for squared errors.

    Returns
    -------
    DieboldMariano
        NaN where there are fewer than two errors or the losses never differ. If the long-run variance
        comes out negative it is taken at lag 0 alone, as R's ``dm.test`` does at horizon 1.
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
