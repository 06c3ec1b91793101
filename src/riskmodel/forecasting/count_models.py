r"""Base forecasts of monthly counts: plain ones, exponential smoothing, a state-space model, regressions.

``seasonal_naive``
    the same month of last year;
``mean``
    the mean of the last twelve months, for every month ahead;
``ets``
    exponential smoothing with additive errors and, from two years on, additive seasons (statsmodels);
``state_space``
    a local level with two yearly harmonics, by the Kalman filter (statsmodels);
``negbin``
    negative binomial regression of the cells (`fit`), summed up;
``bottom_up``
    each household's chance of being newly monitored (`bottom_up_forecasts`), summed up.

Smoothing needs something to smooth: a series with fewer than 24 households in all its history, or than one a
month, goes by the mean in ``ets`` and ``state_space``. The negative binomial regression has seasons,
townships, causes and known series:

.. math:: y \sim NB(\mu, \alpha), \quad Var = \mu + \alpha\mu^2, \quad
   \log \mu_{tcm} = \log n_t + a_t + b_c + \sum_{k=1}^{2} (s_k \sin + r_k \cos)(2\pi k m / 12) + x_m'\gamma

Coefficients by statsmodels' GLM for given :math:`\alpha`, :math:`\alpha` by maximum likelihood for given
means, in turn until both stand: the algorithm of R's ``MASS::glm.nb``.

Bottom-up, a logistic regression on past days says how the chance of being taken into the register within
twelve months follows from a household's forecast (how far the line lies below its forecast centre), what the
office knows of risks, and its registration. The sum is dealt to months by the register's own seasons and to
causes as the township's and county's entries were. Every day is forecast from as it was then: the line is
that day's, the scale and the variance components are its own or, because they move slowly and are costly to
estimate, those of at most half a year before; a training day counts only where the entries of the year after
it were recorded by that day. In a large county models train on whole villages with some eight thousand
households; every household is scored.

References
----------
Hyndman, R., Koehler, A., Ord, J. and Snyder, R. (2008), Forecasting with Exponential Smoothing, Springer;
Harvey, A. (1989), Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge; Venables, W.
and Ripley, B. (2002), Modern Applied Statistics with S, section 7.4; Hilbe, J. (2011), Negative Binomial
Regression, Cambridge.
"""

from __future__ import annotations

import datetime as dt
import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.forecasting import histories, household_methods
from riskmodel.forecasting.counts import Array, Counts, Hierarchy, counts_as_known, monthly_counts
from riskmodel.forecasting.household_methods import Components, Scale
from riskmodel.households import (
    WATCHED_EVENTS,
    add_months,
    known_county,
    last_complete_month,
    window_end,
)
from riskmodel.i18n import Message

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

    bounds = (np.log(LEAST), np.log(MOST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


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
        result = sm.GLM(y, x, family=family, offset=offset).fit(start_params=start, tol=1e-6, maxiter=30)
    return np.asarray(result.params)


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
    """Forecast each series by itself; the mean of the last twelve months where it has too few counts."""
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


def regression(counts: Counts, hierarchy: Hierarchy, horizon: int) -> BaseForecast:
    """Forecast the cells by negative binomial regression and sum them up."""
    cells = fit(counts, horizon, counts.known_ahead(horizon))
    return _overdispersed(hierarchy.add_up(cells.mean), counts, hierarchy, cells)


def _overdispersed(
    ahead: Array, counts: Counts, hierarchy: Hierarchy, cells: CountRegression
) -> BaseForecast:
    """Return forecasts with each series' overdispersion about a regression, at least a Poisson count's."""
    fitted = hierarchy.add_up(cells.fitted)
    errors = (hierarchy.add_up(counts.bottom) - fitted).T
    over = np.maximum((errors**2).mean(axis=0) / np.maximum(fitted.mean(axis=1), 1e-6), 1.0)
    return BaseForecast(ahead, np.maximum(ahead, 1e-3) * over[:, None], errors)


METHODS: dict[str, Method] = {
    "seasonal_naive": seasonal_naive,
    "mean": mean,
    "ets": functools.partial(_forecast_each_series, fit=fit_ets),
    "state_space": functools.partial(_forecast_each_series, fit=fit_state_space),
    "negbin": regression,
}
REFERENCE_METHOD = "seasonal_naive"


MIN_EVENTS = 15
TRAINING_HOUSEHOLDS = 8_000  # as many as the household methods learn from
STEP, MAX_TRAINING_DAYS, EARLIEST = 6, 5, 10  # months between training days; most of a day; steps back
COUNTY_PRIOR_ENTRIES = 10.0  # entries of the county's mix of causes lent to each township (assumption)


def bottom_up_forecasts(
    county: County,
    days: Sequence[dt.date],
    known: Counts,
    horizon: int,
    ruleset: str | rules.RuleSet,
    seed: int = 0,
) -> tuple[dict[dt.date, BaseForecast], Message | None]:
    """Return the bottom-up base forecasts of each day for which enough entries are known."""
    now = days[-1]
    first = histories.first_month(county, now)
    if first is None:
        return {}, Message("forecast.messages.bottom_up_no_income", {"day": str(now)})
    used = sorted(d for d in set(days) if last_complete_month(d) - (SEASON - 1) >= first)
    past = [window_end(now, -STEP * k) for k in range(2, EARLIEST)]
    past = sorted(d for d in past if last_complete_month(d) - (SEASON - 1) >= first)
    late = dt.timedelta(days=county.about.recording_delay_days)
    training_days = {
        d: [p for p in past if window_end(p, SEASON) + late <= d][-MAX_TRAINING_DAYS:] for d in used
    }
    wanted = sorted({p for days_before in training_days.values() for p in days_before})
    if not training_days.get(now):
        return {}, Message("forecast.messages.bottom_up_no_year", {"day": str(now)})
    training, standing = _standings(county, now, used, wanted, seed)
    out: dict[dt.date, BaseForecast] = {}
    own: DayScale | None = None
    for day in used:
        if not training_days[day]:
            continue
        t = standing(day)
        if own is None or add_months(own.day, STEP) <= day:
            scale = household_methods.scale_of(t)
            own = DayScale(day, scale, household_methods.components_of(t, scale, seed))
        line = histories.line_at(county, ruleset, day, SEASON)
        past_rows = [as_of_features(training[p], line, own) for p in training_days[day]]
        chance = entry_probabilities(
            county, pd.concat(past_rows, ignore_index=True), as_of_features(t, line, own), day
        )
        if chance is not None:
            out[day] = base_forecast(
                chance, counts_as_known(monthly_counts(county, day, like=known), known), horizon
            )
    lacking = sorted(d for d in set(days) if d not in out)
    if lacking:
        # Compared on the days of all other methods, or not at all.
        return {}, Message("forecast.messages.bottom_up_few", {"fewest": MIN_EVENTS, "day": str(lacking[0])})
    return out, None


class DayScale(NamedTuple):
    """A county's scale and variances as they were on a day."""

    day: dt.date
    scale: Scale
    components: Components


def _standings(
    county: County, now: dt.date, used: Sequence[dt.date], training_days: Sequence[dt.date], seed: int
) -> tuple[dict[dt.date, pd.DataFrame], Callable[[dt.date], pd.DataFrame]]:
    """Return the histories of training days, and what gives the whole county's at one of the days used."""
    sample = histories.sample_households(county, now, TRAINING_HOUSEHOLDS, seed)
    if sample is not county:
        # One day of a large county at a time: all at once would not fit beside it.
        return _by_day(histories.household_histories(sample, training_days, quarters=False)), (
            lambda day: histories.household_histories(county, [day], quarters=False)
        )
    both = _by_day(histories.household_histories(county, sorted({*used, *training_days}), quarters=False))
    return both, both.__getitem__


def _by_day(t: pd.DataFrame) -> dict[dt.date, pd.DataFrame]:
    return {stamp.date(): t[t["as_of"] == stamp].reset_index(drop=True) for stamp in t["as_of"].unique()}


def as_of_features(t: pd.DataFrame, line: float, own: DayScale) -> pd.DataFrame:
    """Return what the chance of entry is read from, one row a household not in the register."""
    scale = own.scale
    base = household_methods.panel_shape(t, SEASON, scale, own.components)
    last = scale.to(t["pcni"].to_numpy(dtype=float))
    # Whose last year is not on record stands where the panel puts it, not at the line.
    last = np.where(np.isnan(last), base.centre, last)
    edge = float(scale.to(np.array(line)))
    out = t[["household_id", "as_of", "township"]].copy()
    out["x_ahead"] = (edge - base.centre) / base.down
    out["x_now"] = np.clip((edge - last) / base.down, -5, 5)
    out["x_risk"] = t["has_risk"].eq(True).astype(float)
    out["x_lifted"] = t["registration"].eq("lifted").astype(float)
    return out[~t["in_register"].eq(True).to_numpy()]


def entry_probabilities(
    county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date
) -> pd.DataFrame | None:
    """Return each household's chance of being newly monitored within twelve months."""
    from sklearn.linear_model import LogisticRegression

    known = known_county(county, as_of).rows("monitoring")
    entries = known.filter(known.event.isin(WATCHED_EVENTS)).select("household_id", "date").to_pandas()
    entries["date"] = pd.to_datetime(entries["date"])
    joined = past.reset_index(drop=True).reset_index().merge(entries, on="household_id")
    days = {d: pd.Timestamp(window_end(d.date(), SEASON)) for d in past["as_of"].unique()}
    ends = pd.to_datetime(joined["as_of"].map(days))  # of none, pandas would make numbers
    hit = joined.loc[(joined["date"] > joined["as_of"]) & (joined["date"] <= ends), "index"].unique()
    y = np.zeros(len(past))
    y[hit] = 1
    if y.sum() < MIN_EVENTS:
        return None
    x = [c for c in past.columns if str(c).startswith("x_")]
    model = LogisticRegression(C=10.0, max_iter=500).fit(past[x].to_numpy(), y)
    p = model.predict_proba(now[x].to_numpy())[:, 1]
    return now[["household_id", "township"]].assign(probability=p)


def base_forecast(probabilities: pd.DataFrame, known: Counts, horizon: int) -> BaseForecast:
    """Return the summed chances as base forecasts of all series."""
    tree = Hierarchy(known.townships, known.causes)
    seasonal = fit(known, SEASON)
    year = seasonal.mean.sum(axis=0)
    months = year / year.sum() if year.sum() > 0 else np.full(SEASON, 1 / SEASON)
    by_township = probabilities.groupby("township")["probability"].sum()
    total = by_township.reindex(list(known.townships)).fillna(0).to_numpy()
    past = known.cells.sum(axis=2)
    county_mix = (past.sum(axis=0) + 1e-9) / (past.sum() + 1e-9 * past.shape[1])
    mix = (past + COUNTY_PRIOR_ENTRIES * county_mix) / (
        past.sum(axis=1, keepdims=True) + COUNTY_PRIOR_ENTRIES
    )
    at = np.arange(horizon) % SEASON
    cells = (total[:, None] * mix)[:, :, None] * months[None, None, at]
    mean = tree.add_up(cells.reshape(-1, horizon))
    return _overdispersed(mean, known, tree, seasonal)
