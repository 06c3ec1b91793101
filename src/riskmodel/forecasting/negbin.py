r"""Negative binomial regression of newly monitored households: seasons, townships, causes, known series.

.. math:: y \sim NB(\mu, \alpha), \quad Var = \mu + \alpha\mu^2, \quad
   \log \mu_{tcm} = \log n_t + a_t + b_c + \sum_{k=1}^{2} (s_k \sin + r_k \cos)(2\pi k m / 12) + x_m'\gamma

Coefficients by statsmodels' GLM for given :math:`\alpha`, :math:`\alpha` by maximum likelihood for given
means, in turn until both stand: the algorithm of R's ``MASS::glm.nb``.

References
----------
Venables, W. and Ripley, B. (2002), Modern Applied Statistics with S, section 7.4; Hilbe, J. (2011), Negative
Binomial Regression, Cambridge.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskmodel.forecasting.counts import Counts

Array = NDArray[Any]
HARMONICS = 2
ROUNDS = 4
MOST, LEAST = 20.0, 1e-6
# A small part of every cell is the county's rate, so that a township in which nobody was ever monitored
# has a small rate and not an impossible one (assumption).
BORROWED = 0.02


@dataclass(frozen=True)
class Fitted:
    """Cells fitted (cells, T) and ahead (cells, H), and the overdispersion."""

    fitted: Array
    mean: Array
    alpha: float


def dispersion(y: Array, mu: Array) -> float:
    r"""Return the maximum-likelihood overdispersion :math:`\alpha = 1/\theta` for given means.

    Parameters
    ----------
    y, mu : array of shape (n,)

    Returns
    -------
    float
        Near 0 for counts that vary no more than Poisson.

    Examples
    --------
    The mites of Bliss and Fisher (1953, Biometrics 9, 176-200), for which they print k = 1.02459:

    >>> leaves = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])
    >>> round(1 / dispersion(leaves, np.full(150, leaves.mean())), 3)
    1.025
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    mu = np.maximum(mu, 1e-10)

    def loss(log_alpha: float) -> float:
        r = np.exp(-log_alpha)
        terms = gammaln(y + r) - gammaln(r) + r * np.log(r / (r + mu)) + y * np.log(mu / (r + mu))
        return -float(terms.sum())

    found = minimize_scalar(
        loss, bounds=(np.log(LEAST), np.log(MOST)), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def seasons(months: Array) -> Array:
    """Return the harmonics of the calendar months, shape (months, 4)."""
    angle = 2 * np.pi * np.asarray(months)[:, None] / 12 * np.arange(1, HARMONICS + 1)
    return np.hstack([np.sin(angle), np.cos(angle)])


def _design(counts: Counts, months: Array, known: Array | None) -> Array:
    i, j, t = len(counts.townships), len(counts.causes), months.size
    place = np.repeat(np.eye(i), j * t, axis=0)[:, 1:]
    cause = np.tile(np.repeat(np.eye(j), t, axis=0), (i, 1))
    parts = [cause, place, np.tile(seasons(months), (i * j, 1))]
    if known is not None:
        parts.append(np.tile(known, (i * j, 1)))
    return np.hstack(parts)


def regress(
    y: Array, x: Array, offset: Array, smooth: Array | None = None, rounds: int = ROUNDS
) -> tuple[Array, float]:
    """Fit coefficients and overdispersion in turn until both stand.

    Parameters
    ----------
    y : array of shape (n,)
        Counts.
    x : array of shape (n, k)
    offset : array of shape (n,)
    smooth : array of shape (n,), optional
        What the coefficients are fitted to instead; the overdispersion is always that of the counts.
    rounds : int
        At most.

    Returns
    -------
    coefficients : array of shape (k,)
    alpha : float
    """
    import statsmodels.api as sm

    target = y if smooth is None else smooth
    alpha, beta = LEAST, None
    for _ in range(rounds):
        beta = _coefficients(sm, target, x, offset, alpha, beta)
        mu = np.exp(np.clip(x @ beta + offset, -30, 15))
        before, alpha = alpha, dispersion(y, mu)
        if abs(alpha - before) < 1e-3 * max(before, LEAST):
            break
    return np.asarray(beta), alpha


def fit(counts: Counts, horizon: int, known: Array | None = None) -> Fitted:
    """Fit the regression to all cells at once and forecast them.

    Parameters
    ----------
    counts : Counts
    horizon : int
        Months.
    known : array of shape (T + horizon, k), optional
        Series that are known ahead (a school calendar, announced prices), one row a month.

    Returns
    -------
    Fitted
    """
    months = counts.months
    ahead = months[-1] + 1 + np.arange(horizon)
    past_known, ahead_known = (None, None) if known is None else (known[: months.size], known[months.size :])
    x, x_ahead = _design(counts, months, past_known), _design(counts, ahead, ahead_known)
    y = np.rint(counts.bottom).ravel()
    homes = np.repeat(np.log(np.maximum(counts.households, 1)), len(counts.causes))
    offset, offset_ahead = np.repeat(homes, months.size), np.repeat(homes, horizon)
    smooth = (1 - BORROWED) * y + BORROWED * _county_rate(counts, y)
    beta, alpha = regress(y, x, offset, smooth)
    mu = np.exp(np.clip(x @ beta + offset, -30, 15))
    mean = np.exp(np.clip(x_ahead @ beta + offset_ahead, -30, 15))
    cells = len(counts.townships) * len(counts.causes)
    return Fitted(mu.reshape(cells, -1), mean.reshape(cells, -1), alpha)


def _county_rate(counts: Counts, y: Array) -> Array:
    """Return each cell and month at the county's rate of its cause, per household."""
    cells = y.reshape(len(counts.townships), len(counts.causes), -1)
    rate = cells.mean(axis=2).sum(axis=0) / max(counts.households.sum(), 1.0)
    each = counts.households[:, None] * rate[None, :]
    return np.repeat(each.ravel(), counts.months.size)


def _coefficients(sm: Any, y: Array, x: Array, offset: Array, alpha: float, start: Array | None) -> Array:
    family = sm.families.NegativeBinomial(alpha=alpha)
    with warnings.catch_warnings():
        # Means of cells in which hardly anybody was ever monitored run towards zero: that is their forecast.
        warnings.simplefilter("ignore")
        found = sm.GLM(y, x, family=family, offset=offset).fit(start_params=start, tol=1e-6, maxiter=30)
    return np.asarray(found.params)
