r"""Base forecasts of monthly counts: two plain ones, exponential smoothing, a state-space model, regression.

``seasonal_naive``
    the same month of last year;
``mean``
    the mean of the last twelve months, for every month ahead;
``ets``
    exponential smoothing with additive errors and, from two years on, additive seasons (statsmodels);
``state_space``
    a local level with two yearly harmonics, by the Kalman filter (statsmodels);
``negbin``
    negative binomial regression (`negbin`), summed up from the cells.

Smoothing needs something to smooth: a series with fewer than 24 households in all its history, or than one a
month, goes by the mean in ``ets`` and ``state_space``.

References
----------
Hyndman, R., Koehler, A., Ord, J. and Snyder, R. (2008), Forecasting with Exponential Smoothing, Springer;
Harvey, A. (1989), Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge.

Negative binomial regression of newly monitored households: seasons, townships, causes, known series.

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
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting.counts import Counts, Hierarchy

Array = NDArray[Any]
HARMONICS = 2
ROUNDS = 4
MOST, LEAST = 20.0, 1e-6
# A small part of every cell is the county's rate, so that a township in which nobody was ever monitored
# has a small rate and not an impossible one (assumption).
BORROWED = 0.02


@dataclass(frozen=True)
class CountRegression:
    """Cells fitted (cells, T) and ahead (cells, H), and the overdispersion."""

    fitted: Array
    mean: Array
    alpha: float


def dispersion(y: Array, mu: Array) -> float:
    r"""Return the maximum-likelihood overdispersion :math:`\alpha = 1/\theta` for given means.

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


def seasonal_terms(months: Array) -> Array:
    """Return the harmonics of the calendar months, shape (months, 4)."""
    angle = 2 * np.pi * np.asarray(months)[:, None] / 12 * np.arange(1, HARMONICS + 1)
    return np.hstack([np.sin(angle), np.cos(angle)])


def _design(counts: Counts, months: Array, known: Array | None) -> Array:
    i, j, t = len(counts.townships), len(counts.causes), months.size
    place = np.repeat(np.eye(i), j * t, axis=0)[:, 1:]
    cause = np.tile(np.repeat(np.eye(j), t, axis=0), (i, 1))
    parts = [cause, place, np.tile(seasonal_terms(months), (i * j, 1))]
    if known is not None:
        parts.append(np.tile(known, (i * j, 1)))
    return np.hstack(parts)


def regress(
    y: Array, x: Array, offset: Array, smooth: Array | None = None, rounds: int = ROUNDS
) -> tuple[Array, float]:
    """Fit coefficients and overdispersion in turn until both stand."""
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


def fit(counts: Counts, horizon: int, known: Array | None = None) -> CountRegression:
    """Fit the regression to all cells at once and forecast them."""
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
    return CountRegression(mu.reshape(cells, -1), mean.reshape(cells, -1), alpha)


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


SEASON = 12
MIN_TOTAL = 24.0
STEADY = (0.5, 0.001)  # a start with a level that moves and seasons that hardly do


@dataclass(frozen=True)
class BaseForecast:
    """Base forecasts of all series: mean and error variance (series, H), one-step errors (T, series)."""

    mean: Array
    variance: Array
    errors: Array

    def first(self, horizon: int) -> BaseForecast:
        """Return the first months ahead alone."""
        return BaseForecast(self.mean[:, :horizon], self.variance[:, :horizon], self.errors)


Method = Callable[[Counts, Hierarchy, int], BaseForecast]


def _plain(y: Array, ahead: Array, fitted: Array, steps: Array) -> BaseForecast:
    """Put a plain method's parts together; ``steps`` (H,) multiplies the one-step error variance."""
    errors = (y - fitted)[:, ~np.isnan(fitted).any(axis=0)]
    # A count varies at least as a Poisson count does.
    noise = np.maximum((errors**2).mean(axis=1), np.maximum(y.mean(axis=1), 1e-3))
    return BaseForecast(ahead, noise[:, None] * steps[None, :], errors.T)


def seasonal_naive(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast each month by the same month of last year (the mean, where there is no year yet)."""
    y = hierarchy.add_up(counts.bottom)
    if y.shape[1] <= SEASON:
        return mean(counts, hierarchy, horizon)
    fitted = np.full_like(y, np.nan)
    fitted[:, SEASON:] = y[:, :-SEASON]
    at = y.shape[1] - SEASON + np.arange(horizon) % SEASON
    return _plain(y, y[:, at], fitted, np.ones(horizon))


def mean(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast every month by the mean of the last twelve."""
    y = hierarchy.add_up(counts.bottom)
    window = min(SEASON, y.shape[1])
    level = y[:, -window:].mean(axis=1)
    summed = np.cumsum(np.pad(y, ((0, 0), (1, 0))), axis=1)
    fitted = np.full_like(y, np.nan)
    if y.shape[1] > window:
        fitted[:, window:] = (summed[:, window:-1] - summed[:, : -window - 1]) / window
    else:
        fitted[:] = level[:, None]
    return _plain(y, np.tile(level[:, None], (1, horizon)), fitted, np.ones(horizon))


def _forecast_each_series(
    counts: Counts, hierarchy: Hierarchy, horizon: int, fit: Callable[..., Any]
) -> BaseForecast:
    plain = mean(counts, hierarchy, horizon)
    y = hierarchy.add_up(counts.bottom)
    out = BaseForecast(plain.mean.copy(), plain.variance.copy(), np.zeros((y.shape[1], y.shape[0])))
    out.errors[y.shape[1] - len(plain.errors) :] = plain.errors
    enough = y.sum(axis=1) >= max(MIN_TOTAL, y.shape[1])
    for k in np.flatnonzero(enough & (y.shape[1] >= SEASON)):
        with warnings.catch_warnings():
            # Optimisers that stop early still give a forecast; rolling origins judge it.
            warnings.simplefilter("ignore")
            ahead, variance, fitted = fit(y[k], horizon)
        if not (np.isfinite(ahead).all() and np.isfinite(variance).all()):
            continue
        out.mean[k], out.variance[k] = ahead, np.maximum(variance, np.maximum(ahead, 1e-3))
        out.errors[:, k] = y[k] - fitted
    return BaseForecast(
        out.mean, out.variance, out.errors[SEASON:] if y.shape[1] > 2 * SEASON else out.errors
    )


def fit_ets(y: Array, horizon: int, season: int = SEASON) -> tuple[Array, Array, Array]:
    """Return mean and variance ahead and the fitted values of exponential smoothing."""
    from scipy.stats import norm
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    seasonal = {"seasonal": "add", "seasonal_periods": season} if y.size >= 2 * season else {}
    model = ETSModel(pd.Series(y, dtype=float), error="add", **seasonal)
    fit = model.fit(disp=False)
    if seasonal:
        other = model.fit(start_params=_steady(y, season), disp=False)
        fit = max(fit, other, key=lambda fitted: np.nan_to_num(fitted.llf, nan=-np.inf))
    ahead = fit.get_prediction(start=y.size, end=y.size + horizon - 1)
    limits = np.asarray(ahead.pred_int(alpha=0.32))
    sd = (limits[:, 1] - limits[:, 0]) / (2 * norm.ppf(0.84))
    return np.asarray(ahead.predicted_mean), sd**2, np.asarray(fit.fittedvalues)


def _steady(y: Array, season: int) -> Array:
    """Return a start whose seasons are the mean ones: smoothing, level, a value for each season."""
    years = y[: y.size // season * season].reshape(-1, season)
    seasons = (years - years.mean(axis=1, keepdims=True)).mean(axis=0)
    return np.concatenate([STEADY, [years[0].mean()], seasons])


def fit_state_space(y: Array, horizon: int) -> tuple[Array, Array, Array]:
    """Return mean and variance ahead and the fitted values of a local level with yearly harmonics."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    season = [{"period": SEASON, "harmonics": 2}] if y.size >= 2 * SEASON else None
    model = UnobservedComponents(
        np.asarray(y, dtype=float), level="llevel", freq_seasonal=season,
        stochastic_freq_seasonal=[False] if season else None, use_exact_diffuse=True,
    )  # fmt: skip
    fit = model.fit(disp=False)
    ahead = fit.get_forecast(horizon)
    return np.asarray(ahead.predicted_mean), np.asarray(ahead.se_mean) ** 2, np.asarray(fit.fittedvalues)


def ets(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast each series by exponential smoothing."""
    return _forecast_each_series(counts, hierarchy, horizon, fit_ets)


def state_space(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast each series by a state-space model."""
    return _forecast_each_series(counts, hierarchy, horizon, fit_state_space)


def regression(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast the cells by negative binomial regression and sum them up."""
    found = fit(counts, horizon, counts.known_ahead(horizon))
    y = hierarchy.add_up(counts.bottom)
    fitted, ahead = hierarchy.add_up(found.fitted), hierarchy.add_up(found.mean)
    errors = (y - fitted).T
    # Each series' own overdispersion, never below a Poisson count's.
    over = np.maximum((errors**2).mean(axis=0) / np.maximum(fitted.mean(axis=1), 1e-6), 1.0)
    return BaseForecast(ahead, np.maximum(ahead, 1e-3) * over[:, None], errors)


METHODS: dict[str, Method] = {
    "seasonal_naive": seasonal_naive,
    "mean": mean,
    "ets": ets,
    "state_space": state_space,
    "negbin": regression,
}
REFERENCE_METHOD = "seasonal_naive"
