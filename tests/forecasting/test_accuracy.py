"""The scaling of MASE by hand; Diebold-Mariano against values printed by R."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from riskmodel.forecasting.accuracy import (
    CRPS_LEVELS,
    brier,
    coverage,
    crps,
    diebold_mariano,
    pinball,
    scaling,
)


def test_scaling_is_the_seasonal_naive_methods_error_in_the_history() -> None:
    # The definition: errors are measured in the mean absolute seasonal difference.
    y = np.array([3.0, 8, 4, 7, 5, 9, 2, 8])
    assert np.abs(y[2:] - y[:-2]).mean() == scaling(y, season=2)
    assert np.isnan(scaling(np.ones(30)))
    assert np.isnan(scaling(np.ones(5)))


def test_diebold_mariano_is_rs() -> None:
    # R: library(forecast)
    # dm.test(c(0,1,2,3,4,5), c(0,2,3,3,5,6), h = 1, power = 2)
    # prints DM = -2.4905, p-value = 0.05513 (the value that the PyPI package dieboldmariano is tested with).
    found = diebold_mariano([0, 1, 2, 3, 4, 5], [0, 2, 3, 3, 5, 6])
    assert found.statistic == pytest.approx(-2.4905, abs=5e-5)
    assert found.p == pytest.approx(0.05513, abs=5e-6)
    assert found.df == 5


def test_diebold_mariano_of_three_steps_is_rs() -> None:
    # R: dm.test(e1, e2, h = 3, power = 1, alternative = "less") of these errors prints DM = 1.2109,
    # p-value = 0.877 (as above); two-sided that is 2 * (1 - 0.877).
    first = [0.36752, 0.54506, 0.22045, 0.86887, 0.60725, 0.85823, 0.41662, 0.38121, 0.71851, 0.30827,
             0.42971, 0.86160, 0.72405, 0.34508, 0.19675]  # fmt: skip
    second = [0.12794, 0.36796, 0.76872, 0.09972, 0.27198, 0.28798, 0.91602, 0.61126, 0.54529, 0.06786,
              0.60727, 0.62416, 0.39998, 0.19896, 0.80949]  # fmt: skip
    found = diebold_mariano(first, second, horizon=3, power=1)
    assert found.statistic == pytest.approx(1.2109, abs=2e-4)
    assert 1 - found.p / 2 == pytest.approx(0.877, abs=5e-4)


def test_equal_losses_have_no_statistic() -> None:
    assert np.isnan(diebold_mariano([1, 2, 3], [1, 2, 3]).p)
    assert np.isnan(diebold_mariano([1], [2]).p)


def test_size_is_kept_in_small_samples() -> None:
    # Two equally good methods, twelve errors: the corrected test rejects at about its level (five standard
    # errors of 2,000 draws), which the uncorrected normal test does not.
    rng = np.random.default_rng(4)
    p = [diebold_mariano(*rng.normal(size=(2, 12))).p for _ in range(2_000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.025)


def test_crps_of_a_normal_is_the_closed_form() -> None:
    # Gneiting & Raftery (2007), eq. 21: for a standard normal and outcome y,
    # CRPS = y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi).
    y = np.linspace(-4.0, 4.0, 81)
    exact = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert crps(y, np.tile(norm.ppf(CRPS_LEVELS), (81, 1))) == pytest.approx(exact, rel=5e-4)


def test_crps_of_an_ensemble_is_the_ensembles_formula() -> None:
    # As the packages properscoring and scoringrules have it: mean |x - y| - mean |x - x'| / 2. An ensemble's
    # quantile function is a staircase: every member stands at both ends of its step. Ties included.
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.exponential(9e3, (50, 12)).round(-3), axis=1), rng.exponential(9e3, 50)
    y[:10] = x[:10, 4]
    between = np.abs(x[:, :, None] - x[:, None, :]).mean(axis=(1, 2))
    levels = np.repeat(np.arange(13) / 12, 2)[1:-1]
    ours = crps(y, np.repeat(x, 2, axis=1), levels)
    assert ours == pytest.approx(np.abs(x - y[:, None]).mean(axis=1) - between / 2, rel=1e-12)


def test_crps_of_uneven_quantiles_is_the_integral_of_squared_differences() -> None:
    # The other definition, int (F(x) - 1{x >= y})^2 dx, on a fine grid of outcomes.
    levels, q = np.array([0.1, 0.3, 0.35, 0.9]), np.array([-1.0, 0.5, 2.0, 2.5])
    for y in (-3.0, 0.2, 2.2, 4.0):
        step = 8 / 400_000
        grid = np.arange(-4, 4, step) + step / 2
        f = np.where(grid < q[0], 0.0, np.where(grid > q[-1], 1.0, np.interp(grid, q, levels)))
        assert crps([y], q[None], levels)[0] == pytest.approx(((f - (grid >= y)) ** 2).sum() * step, rel=1e-4)


def test_pinball_is_least_at_the_quantile() -> None:
    # The defining property of the loss (Koenker & Bassett 1978).
    y = np.random.default_rng(0).normal(size=4000)
    candidates = np.linspace(-2, 2, 81)
    loss = [pinball(y, np.full(y.size, c), 0.9).mean() for c in candidates]
    assert candidates[int(np.argmin(loss))] == pytest.approx(norm.ppf(0.9), abs=0.1)


def test_coverage_counts_the_ends_and_brier_is_squared_distance() -> None:
    assert coverage([1, 2, 3], [1, 3, 0], [2, 4, 3]) == pytest.approx(2 / 3)
    assert brier([1, 0, 0], [0.8, 0.4, 0.0]) == pytest.approx((0.04 + 0.16) / 3)
