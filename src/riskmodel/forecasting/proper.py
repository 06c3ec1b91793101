r"""Scores of a forecast distribution: pinball, CRPS, coverage, width, Brier.

All are proper or are counts, on plain arrays. The CRPS is twice the mean pinball loss over quantile levels

.. math:: CRPS(F, y) = 2 \int_0^1 \rho_p(y - F^{-1}(p)) \, dp

References
----------
Gneiting, T. and Raftery, A. (2007), Strictly proper scoring rules, JASA 102, 359-378; Laio, F. and Tamea, S.
(2007), HESS 11, 1267-1277 (the integral over quantiles); Brier, G. (1950), Mon. Weather Rev. 78, 1-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

# Forty equal steps of probability: the ends are the limits of a 95 % interval.
LEVELS: Array = np.arange(1, 40) / 40


def pinball(y: ArrayLike, quantile: ArrayLike, level: ArrayLike) -> Array:
    """Return the pinball (quantile) loss of each forecast.

    Parameters
    ----------
    y : array of shape (n,)
    quantile : array of shape (n,) or (n, levels)
    level : float or array of shape (levels,)
        Strictly between 0 and 1.

    Returns
    -------
    array like ``quantile``
        In the unit of ``y``.

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


def crps(y: ArrayLike, quantiles: ArrayLike, levels: ArrayLike = LEVELS) -> Array:
    """Return the continuous ranked probability score of distributions given by equally spaced quantiles.

    Parameters
    ----------
    y : array of shape (n,)
    quantiles : array of shape (n, levels)
    levels : array of shape (levels,)

    Returns
    -------
    array of shape (n,)
        In the unit of ``y``; of a point forecast it would be the absolute error.
    """
    return 2 * pinball(y, quantiles, levels).mean(axis=1)


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
