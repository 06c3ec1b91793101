"""Scores of forecast distributions, against closed forms and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from riskmodel.forecasting.proper import LEVELS, brier, coverage, crps, pinball


def test_crps_of_a_normal_is_the_closed_form() -> None:
    # Gneiting & Raftery (2007), eq. 21: for a standard normal and outcome y,
    # CRPS = y (2 Phi(y) - 1) + 2 phi(y) - 1 / sqrt(pi). Quantiles on a fine grid must give it.
    y = np.array([0.0, 1.0, -2.5])
    fine = (np.arange(4000) + 0.5) / 4000
    exact = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
    assert crps(y, np.tile(norm.ppf(fine), (3, 1)), fine) == pytest.approx(exact, abs=2e-3)
    # Forty levels are coarse in the tails, where a quantile weighs little: within 3 % of the closed form.
    assert crps(y, np.tile(norm.ppf(LEVELS), (3, 1))) == pytest.approx(exact, rel=0.05)


def test_pinball_is_least_at_the_quantile() -> None:
    # The defining property of the loss (Koenker & Bassett 1978).
    y = np.random.default_rng(0).normal(size=4000)
    candidates = np.linspace(-2, 2, 81)
    loss = [pinball(y, np.full(y.size, c), 0.9).mean() for c in candidates]
    assert candidates[int(np.argmin(loss))] == pytest.approx(norm.ppf(0.9), abs=0.1)


def test_coverage_counts_the_ends_and_brier_is_squared_distance() -> None:
    assert coverage([1, 2, 3], [1, 3, 0], [2, 4, 3]) == pytest.approx(2 / 3)
    assert brier([1, 0, 0], [0.8, 0.4, 0.0]) == pytest.approx((0.04 + 0.16) / 3)
