"""Base forecasts of monthly counts: two plain ones, exponential smoothing, a state-space model, regression.

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
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting import negbin
from riskmodel.forecasting.counts import Counts
from riskmodel.forecasting.hierarchy import Hierarchy

Array = NDArray[Any]
SEASON = 12
LEAST_TOTAL = 24.0
STEADY = (0.5, 0.001)  # a start with a level that moves and seasons that hardly do


@dataclass(frozen=True)
class Base:
    """Base forecasts of all series: mean and error variance (series, H), one-step errors (T, series)."""

    mean: Array
    variance: Array
    errors: Array

    def first(self, horizon: int) -> Base:
        """Return the first months ahead alone."""
        return Base(self.mean[:, :horizon], self.variance[:, :horizon], self.errors)


Method = Callable[[Counts, Hierarchy, int], Base]


def _plain(y: Array, ahead: Array, fitted: Array, steps: Array) -> Base:
    """Put a plain method's parts together; ``steps`` (H,) multiplies the one-step error variance."""
    errors = (y - fitted)[:, ~np.isnan(fitted).any(axis=0)]
    # A count varies at least as a Poisson count does.
    noise = np.maximum((errors**2).mean(axis=1), np.maximum(y.mean(axis=1), 1e-3))
    return Base(ahead, noise[:, None] * steps[None, :], errors.T)


def seasonal_naive(counts: Counts, hierarchy: Hierarchy, horizon: int) -> Base:
    """Forecast each month by the same month of last year (the mean, where there is no year yet)."""
    y = hierarchy.add_up(counts.bottom)
    if y.shape[1] <= SEASON:
        return mean(counts, hierarchy, horizon)
    fitted = np.full_like(y, np.nan)
    fitted[:, SEASON:] = y[:, :-SEASON]
    at = y.shape[1] - SEASON + np.arange(horizon) % SEASON
    return _plain(y, y[:, at], fitted, np.ones(horizon))


def mean(counts: Counts, hierarchy: Hierarchy, horizon: int) -> Base:
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


def _one_by_one(counts: Counts, hierarchy: Hierarchy, horizon: int, fit: Callable[..., Any]) -> Base:
    plain = mean(counts, hierarchy, horizon)
    y = hierarchy.add_up(counts.bottom)
    out = Base(plain.mean.copy(), plain.variance.copy(), np.zeros((y.shape[1], y.shape[0])))
    out.errors[y.shape[1] - len(plain.errors) :] = plain.errors
    enough = y.sum(axis=1) >= max(LEAST_TOTAL, y.shape[1])
    for k in np.flatnonzero(enough & (y.shape[1] >= SEASON)):
        with warnings.catch_warnings():
            # Optimisers that stop early still give a forecast; rolling origins judge it.
            warnings.simplefilter("ignore")
            ahead, variance, fitted = fit(y[k], horizon)
        if not (np.isfinite(ahead).all() and np.isfinite(variance).all()):
            continue
        out.mean[k], out.variance[k] = ahead, np.maximum(variance, np.maximum(ahead, 1e-3))
        out.errors[:, k] = y[k] - fitted
    return Base(out.mean, out.variance, out.errors[SEASON:] if y.shape[1] > 2 * SEASON else out.errors)


def fit_ets(y: Array, horizon: int, season: int = SEASON) -> tuple[Array, Array, Array]:
    """Return mean and variance ahead and the fitted values of exponential smoothing.

    Parameters
    ----------
    y : array of shape (T,)
    horizon : int
    season : int
        Seasons come in from twice so many values on. The likelihood has more than one top then: the higher
        of those that are reached from two starts is taken.

    Returns
    -------
    mean, variance : array of shape (horizon,)
    fitted : array of shape (T,)
    """
    from scipy.stats import norm
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    seasonal = {"seasonal": "add", "seasonal_periods": season} if y.size >= 2 * season else {}
    model = ETSModel(pd.Series(y, dtype=float), error="add", **seasonal)
    fit = model.fit(disp=False)
    if seasonal:
        other = model.fit(start_params=_steady(y, season), disp=False)
        fit = max(fit, other, key=lambda found: np.nan_to_num(found.llf, nan=-np.inf))
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
    """Return mean and variance ahead and the fitted values of a local level with yearly harmonics.

    Parameters
    ----------
    y : array of shape (T,)
    horizon : int

    Returns
    -------
    mean, variance : array of shape (horizon,)
    fitted : array of shape (T,)
    """
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    season = [{"period": SEASON, "harmonics": 2}] if y.size >= 2 * SEASON else None
    model = UnobservedComponents(
        np.asarray(y, dtype=float), level="llevel", freq_seasonal=season,
        stochastic_freq_seasonal=[False] if season else None, use_exact_diffuse=True,
    )  # fmt: skip
    fit = model.fit(disp=False)
    ahead = fit.get_forecast(horizon)
    return np.asarray(ahead.predicted_mean), np.asarray(ahead.se_mean) ** 2, np.asarray(fit.fittedvalues)


def ets(counts: Counts, hierarchy: Hierarchy, horizon: int) -> Base:
    """Forecast each series by exponential smoothing."""
    return _one_by_one(counts, hierarchy, horizon, fit_ets)


def state_space(counts: Counts, hierarchy: Hierarchy, horizon: int) -> Base:
    """Forecast each series by a state-space model."""
    return _one_by_one(counts, hierarchy, horizon, fit_state_space)


def regression(counts: Counts, hierarchy: Hierarchy, horizon: int) -> Base:
    """Forecast the cells by negative binomial regression and sum them up."""
    found = negbin.fit(counts, horizon, counts.known_ahead(horizon))
    y = hierarchy.add_up(counts.bottom)
    fitted, ahead = hierarchy.add_up(found.fitted), hierarchy.add_up(found.mean)
    errors = (y - fitted).T
    # Each series' own overdispersion, never below a Poisson count's.
    over = np.maximum((errors**2).mean(axis=0) / np.maximum(fitted.mean(axis=1), 1e-6), 1.0)
    return Base(ahead, np.maximum(ahead, 1e-3) * over[:, None], errors)


METHODS: dict[str, Method] = {
    "seasonal_naive": seasonal_naive,
    "mean": mean,
    "ets": ets,
    "state_space": state_space,
    "negbin": regression,
}
PLAIN = "seasonal_naive"
