"""The density test at a threshold: right on smooth densities, and it sees what is pushed across."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from riskmodel.households.bunching import (
    REACH,
    WINDOWS,
    DensitySlope,
    density_jump,
    density_slope,
    fit_poisson,
)

LINE = 6000.0
EVEN = DensitySlope(0.0, 0.0)


def distances(rng: np.random.Generator, n: int, mean: float = 9.7, sd: float = 0.6) -> np.ndarray:
    return np.exp(rng.normal(mean, sd, n)) / LINE - 1


@pytest.mark.parametrize(("mean", "sd"), [(9.7, 0.6), (8.6, 0.6), (9.0, 0.9)])
def test_the_slope_is_the_density_s_own(mean: float, sd: float) -> None:
    """log f of a log-normal x: d ln f / d ln x = −1 − (ln x − μ)/σ², which at x = line is the slope in r."""
    found = density_slope(distances(np.random.default_rng(3), 200_000, mean, sd))
    true = -1 - (np.log(LINE) - mean) / sd**2
    # A parabola over ±30 % is not the whole curve: what it misses moves the share below by 0.001 at most.
    assert found.value == pytest.approx(true, abs=4 * found.error + 0.1)
    assert found.error < 0.2


def test_the_poisson_fit_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(40), np.linspace(-0.3, 0.3, 40), rng.normal(size=40)])
    y = rng.poisson(np.exp(1 + 2 * x[:, 1]))
    beta, covariance = fit_poisson(x, y.astype(float))
    other = sm.GLM(y, x, family=sm.families.Poisson()).fit()
    np.testing.assert_allclose(beta, other.params, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), other.bse, rtol=1e-6)


def test_with_a_flat_density_it_is_the_binomial_test() -> None:
    rng = np.random.default_rng(1)
    r = rng.uniform(-0.01, 0.01, 80)
    found = density_jump(r, np.arange(80), 0.01, EVEN)
    k = int((r < 0).sum())
    assert (found.below, found.above, found.share) == (k, 80 - k, 0.5)
    assert found.p_below == pytest.approx(stats.binomtest(k, 80, alternative="greater").pvalue)
    assert found.p_above == pytest.approx(stats.binomtest(k, 80, alternative="less").pvalue)
    assert found.excess == k - 40


@pytest.mark.parametrize("n", [3_000, 20_000])
def test_on_smooth_incomes_it_warns_no_oftener_than_its_level(n: int) -> None:
    """The p-value is uniform or larger where nothing bunches: of 200 counties 10 ± 2·3.1 fall below 0.05."""
    rng = np.random.default_rng(5)
    hits = np.zeros(len(WINDOWS))
    for _ in range(200):
        r = distances(rng, n)
        fitted = density_slope(r)
        hits += [density_jump(r, np.arange(n), w, fitted).p < 0.05 for w in WINDOWS]
    assert hits.max() <= 10 + 3 * 3.1
    # Nor is it a test that cannot fail: with many households it comes near its level.
    assert n < 10_000 or hits.min() >= 2


def test_a_slope_ignored_would_cry_wolf() -> None:
    """With a falling density more stand below by themselves: the even split is wrong, the fitted one not."""
    r = distances(np.random.default_rng(2), 300_000, 8.0, 0.5)
    wide = max(WINDOWS)
    assert density_jump(r, np.arange(r.size), wide, EVEN).p < 1e-6
    assert density_jump(r, np.arange(r.size), wide, density_slope(r)).p > 0.01


@pytest.mark.parametrize("side", ["below", "above"])
def test_pushed_across_is_seen_on_the_side_it_was_pushed_to(side: str) -> None:
    rng = np.random.default_rng(4)
    r = distances(rng, 5000)
    sign = -1 if side == "below" else 1
    pushed = (sign * r < 0) & (np.abs(r) < 0.1) & (rng.random(r.size) < 0.4)
    r[pushed] = sign * rng.uniform(0.001, 0.03, pushed.sum())
    found = density_jump(r, np.arange(r.size), 0.05, density_slope(r))
    assert (found.p_below if side == "below" else found.p_above) < 1e-4
    assert np.sign(found.excess) == -sign


def test_one_household_every_year_is_one_witness() -> None:
    """30 households at the same place for five years: 150 rows say no more than 30 do."""
    rng = np.random.default_rng(6)
    once = np.where(rng.random(30) < 0.75, -0.005, 0.005)
    alone = density_jump(once, np.arange(30), 0.01, EVEN)
    often = density_jump(np.repeat(once, 5), np.repeat(np.arange(30), 5), 0.01, EVEN)
    apart = density_jump(np.repeat(once, 5), np.arange(150), 0.01, EVEN)
    assert apart.p < alone.p / 100
    assert often.p == pytest.approx(alone.p, rel=0.5)


def test_exactly_at_the_line_counts_for_neither_side() -> None:
    r = np.array([0.0] * 50 + [-0.005, 0.005])
    found = density_jump(r, np.arange(52), 0.01, EVEN)
    assert (found.below, found.above, found.p) == (1, 1, 1.0)
    assert density_jump(r[:50], np.arange(50), 0.01, EVEN).p == 1.0
    assert max(WINDOWS) < REACH
