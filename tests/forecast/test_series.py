"""Base forecasts: published values from R's forecast, stats and MASS, and the plain methods by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from riskmodel.forecast import negbin, series
from riskmodel.forecast.counts import Counts
from riskmodel.forecast.hierarchy import Hierarchy


def counts(cells: np.ndarray, households: float = 300.0) -> Counts:
    i, j, t = cells.shape
    return Counts(
        tuple(f"t{k}" for k in range(i)), tuple(f"c{k}" for k in range(j)), np.arange(24_000, 24_000 + t),
        cells, np.ones(t), np.full(i, households),
    )  # fmt: skip


def seasonal(seed: int, months: int = 60, rate: float = 6.0) -> Counts:
    """Two townships, two causes, with a strong yearly season that is known."""
    rng = np.random.default_rng(seed)
    wave = rate * np.exp(0.8 * np.sin(2 * np.pi * np.arange(24_000, 24_000 + months) / 12))
    return counts(rng.poisson(wave * np.array([[[1.0], [0.5]], [[2.0], [0.2]]])).astype(float))


def test_exponential_smoothing_is_rs() -> None:
    # R: library(fpp2); oildata <- window(oil, start = 1996); ses(oildata, h = 5)
    # prints alpha = 0.8339, l = 446.5868, sigma = 28.12, and 542.6806 for 2014
    # (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 2nd ed., section 7.1).
    oil = np.array([445.36, 453.20, 454.41, 422.38, 456.04, 440.39, 425.19, 486.21, 500.43, 521.28, 508.95,
                    488.89, 509.87, 456.72, 473.82, 525.95, 549.83, 542.34])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mean, variance, fitted = series.fit_ets(oil, 2)
    assert mean == pytest.approx([542.68, 542.68], abs=0.05)
    # forecast 8 printed sigma with n in the denominator.
    assert np.sqrt(((oil - fitted) ** 2).mean()) == pytest.approx(28.12, abs=0.01)
    # Hyndman et al. (2008), table 6.1: the second step's variance is the first's times 1 + alpha^2.
    assert variance[1] / variance[0] == pytest.approx(1 + 0.8339**2, abs=0.01)


def test_the_local_level_is_rs() -> None:
    # R: StructTS(Nile, "level") prints variances level = 1469, epsilon = 15099; Durbin & Koopman (2012,
    # 2.10.3) give 1469.1 and 15099, and the level at the end of the series 798.4.
    from statsmodels.datasets import nile
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    flow = nile.load_pandas().data["volume"].to_numpy()
    model = UnobservedComponents(flow, level="llevel", use_exact_diffuse=True)
    fit, theirs = model.fit(disp=False), model.smooth([15099, 1469])
    # The likelihood is flat at its top: optimisers stop within 2 % of R's, not a hundredth of a unit better.
    assert fit.params == pytest.approx([15099, 1469], rel=0.02)
    assert theirs.llf == pytest.approx(fit.llf, abs=0.01)
    assert theirs.get_forecast(1).predicted_mean[0] == pytest.approx(798.4, abs=0.1)
    mean, variance, _ = series.fit_state_space(flow[:23], 3)  # below two years: the local level alone
    alone = (
        UnobservedComponents(flow[:23], level="llevel", use_exact_diffuse=True)
        .fit(disp=False)
        .get_forecast(3)
    )
    assert mean == pytest.approx(np.asarray(alone.predicted_mean))
    assert (np.diff(variance) >= 0).all()


def test_the_overdispersion_is_mass_fitdistr() -> None:
    # R: library(MASS); mites <- rep(0:7, c(70, 38, 17, 10, 9, 3, 2, 1)); fitdistr(mites, "negative binomial")
    # gives size 1.0246, mu 1.1467; Bliss & Fisher (1953) print k = 1.02459.
    mites = np.repeat(np.arange(8), [70, 38, 17, 10, 9, 3, 2, 1])
    assert 1 / negbin.dispersion(mites, np.full(150, mites.mean())) == pytest.approx(1.02459, abs=2e-5)


def test_regression_equals_statsmodels_maximum_likelihood() -> None:
    # The alternation of MASS::glm.nb ends at the joint maximum: statsmodels' NB2 by maximum likelihood.
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    months = np.arange(24_000, 24_120)
    mu = 12 * np.exp(negbin.seasons(months) @ np.array([0.4, 0.1, -0.2, 0.0]))
    y = rng.negative_binomial(3, 3 / (3 + mu)).astype(float)
    found = negbin.fit(counts(y[None, None, :], 1.0), 1)
    x = sm.add_constant(negbin.seasons(months))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = sm.NegativeBinomial(y, x).fit(
            disp=0, maxiter=200, start_params=[2.5, 0.4, 0.1, -0.2, 0.0, 0.3]
        )
    # A fiftieth is borrowed from the county's mean, so equal up to that.
    assert found.alpha == pytest.approx(both.params[-1], rel=0.02)
    assert found.fitted.ravel() == pytest.approx(both.predict(x), rel=0.04)


def test_a_known_series_ahead_moves_the_regression() -> None:
    # Twice as many where the known series is 1: its coefficient is log 2, the forecast follows it.
    rng = np.random.default_rng(9)
    known = (np.arange(72) % 5 == 0).astype(float)[:, None]
    y = rng.poisson(20 * (1 + known[:60, 0]))[None, None, :].astype(float)
    found = negbin.fit(counts(y), 12, known)
    ratio = found.mean[0, known[60:, 0] == 1].mean() / found.mean[0, known[60:, 0] == 0].mean()
    assert ratio == pytest.approx(2.0, rel=0.12)


def test_plain_methods_by_hand() -> None:
    y = np.arange(1.0, 25.0)[None, None, :]
    tree = Hierarchy(("t0",), ("c0",))
    naive = series.seasonal_naive(counts(y), tree, 14)
    assert naive.mean[0].tolist() == [*range(13, 25), 13, 14]
    # Every seasonal difference is 12.
    assert np.unique(naive.errors).tolist() == [12.0]
    assert series.mean(counts(y), tree, 2).mean[0].tolist() == [18.5, 18.5]


@pytest.mark.parametrize("name", ["ets", "state_space", "negbin"])
def test_methods_find_a_season_and_keep_shapes(name: str) -> None:
    known = seasonal(1)
    tree = Hierarchy(known.townships, known.causes)
    made = series.METHODS[name](known, tree, 12)
    truth = 6.0 * 3.7 * np.exp(0.8 * np.sin(2 * np.pi * np.arange(24_060, 24_072) / 12))
    assert made.mean.shape == made.variance.shape == (9, 12)
    assert made.errors.shape[1] == 9
    assert np.abs(made.mean[0] - truth).mean() < 0.25 * truth.mean()
    assert (made.variance > 0).all()


@pytest.mark.parametrize("name", list(series.METHODS))
@pytest.mark.parametrize("months", [5, 14, 30])
def test_short_and_empty_series_give_forecasts_not_errors(name: str, months: int) -> None:
    cells = np.zeros((2, 2, months))
    cells[0, 0, ::3] = 1
    known = counts(cells)
    made = series.METHODS[name](known, Hierarchy(known.townships, known.causes), 6)
    assert np.isfinite(made.mean).all()
    assert np.isfinite(made.variance).all()
    assert (made.mean > -5).all()
