"""Reconciliation: adds up, keeps what adds up already, equals the textbook's formula, lowers no truth."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.forecasting import counts
from riskmodel.forecasting.counts import WEIGHTINGS, Hierarchy, Weighting

TREE = Hierarchy(("a", "b", "c"), ("illness", "disaster"))


def base(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    cells = rng.gamma(4.0, 2.0, (6, 3))
    mean = TREE.add_up(cells) + rng.normal(0, 0.5, (12, 3))
    errors = rng.normal(size=(40, 6)) @ TREE.summing.T + rng.normal(size=(40, 12))
    return mean, np.tile((errors**2).mean(axis=0)[:, None], (1, 3)), errors


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_forecasts_add_up_over_causes_and_townships(weighting: Weighting) -> None:
    mean, variance, errors = base(1)
    made = counts.reconcile(TREE, mean, variance, errors, weighting)
    labels = TREE.labels
    cells = made.mean[(labels["level"] == "cell").to_numpy()].reshape(3, 2, 3)
    assert made.mean[0] == pytest.approx(cells.sum(axis=(0, 1)))
    assert made.mean[1:3] == pytest.approx(cells.sum(axis=0))
    assert made.mean[3:6] == pytest.approx(cells.sum(axis=1))
    # Unbiased: what adds up already is not touched (G S = I).
    again = counts.reconcile(TREE, made.mean, variance, errors, weighting)
    assert again.mean == pytest.approx(made.mean)


def test_projection_is_the_textbooks() -> None:
    # G = (S' W^-1 S)^-1 S' W^-1 (Wickramasuriya et al. 2019, eq. 9), which needs an inverse; ours does not.
    rng = np.random.default_rng(2)
    half = rng.normal(size=(12, 12))
    w = half @ half.T + np.eye(12)
    s = TREE.summing
    inverse = np.linalg.inv(w)
    assert counts.projection(s, w) == pytest.approx(np.linalg.solve(s.T @ inverse @ s, s.T @ inverse))


def test_two_towns_by_hand() -> None:
    # OLS of total 10 and towns 4, 4: the gap of 2 is shared by three series, a third each way:
    # towns 4 + 2/3, total 10 - 2/3 (Hyndman et al. 2011).
    tree = Hierarchy(("x", "y"), ("only",))
    mean = np.array([[10.0], [10.0], [4.0], [4.0], [4.0], [4.0]])
    made = counts.reconcile(tree, mean, np.ones((6, 1)), np.zeros((2, 6)), "ols")
    # County and its one cause are each other's twin, as are town and cell: the gap of 2 is shared so that
    # two totals and two pairs of towns pull with equal weight.
    assert made.mean[2:4].ravel() == pytest.approx([4 + 2 / 3] * 2)
    assert made.mean[0, 0] == pytest.approx(10 - 2 / 3)


def test_no_count_is_negative_and_sums_still_hold() -> None:
    mean = TREE.add_up(np.full((6, 1), 1.0))
    mean[-6] = -5.0
    made = counts.reconcile(TREE, mean, np.ones((12, 1)), np.zeros((5, 12)), "wls")
    assert (made.mean >= 0).all()
    assert made.mean == pytest.approx(TREE.add_up(made.mean[-6:]))


def test_mint_has_the_least_variance() -> None:
    # The theorem: with the true covariance MinT's error variance is not above that of any other unbiased G.
    rng = np.random.default_rng(3)
    half = rng.normal(size=(12, 12))
    w = half @ half.T
    s = TREE.summing
    spread = {name: np.trace(s @ g @ w @ g.T @ s.T) for name, g in {
        "mint": counts.projection(s, w),
        "wls": counts.projection(s, np.diag(np.diag(w))),
        "ols": counts.projection(s, np.eye(12)),
    }.items()}  # fmt: skip
    assert spread["mint"] < min(spread["wls"], spread["ols"])


def test_shrinkage_is_near_one_for_noise_and_near_zero_for_long_correlated_series() -> None:
    # Schaefer & Strimmer (2005): the optimal intensity falls with what correlation there is to see.
    rng = np.random.default_rng(4)
    noise = counts.shrunk_correlation(rng.normal(size=(30, 40)))[1]
    common = rng.normal(size=(400, 1)) + 0.5 * rng.normal(size=(400, 10))
    r, together = counts.shrunk_correlation(common)
    assert noise > 0.7
    assert together < 0.05
    assert r[0, 1] == pytest.approx(0.8, abs=0.1)
    assert np.linalg.eigvalsh(counts.shrunk_correlation(rng.normal(size=(5, 40)))[0]).min() > 0
