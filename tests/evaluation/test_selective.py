"""Selective labels: by hand, by simulation, and bounds that nothing can leave."""

import numpy as np
import pytest

from riskmodel import evaluation


def selected(seed, n=4000):
    """Visits go to high scores and to a random few; the event is seen only there."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    village = rng.integers(0, 60, n)
    y = (rng.random(n) < 1 / (1 + np.exp(2 - score))).astype(float)
    chance = np.where(score > 1.5, 1.0, 0.1)
    return y, (rng.random(n) < chance).astype(float), chance, village, score


def test_the_weighted_rate_is_right_where_the_naive_one_is_not():
    errors, covered, naive = [], [], []
    for seed in range(60):
        y, visited, chance, village, _ = selected(seed)
        made = evaluation.weighted_rate(np.where(visited > 0, y, np.nan), visited, chance, village)
        errors.append(made.estimate - y.mean())
        naive.append(made.naive - y.mean())
        covered.append(made.low <= y.mean() <= made.high)
    # Unbiased: the mean error of 60 draws is within three of its standard errors; the naive rate is far off.
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(60)
    assert np.mean(naive) > 0.1
    # 95 % intervals of 60 draws: fewer than 50 would happen once in 2,000.
    assert sum(covered) >= 50


def test_precision_of_a_list_is_the_rate_among_it():
    y, visited, chance, village, score = selected(0)
    listed = score > 1.5
    made = evaluation.weighted_rate(y, visited, chance, village, among=listed)
    # Everyone on the list was visited for certain: nothing is left to weigh.
    assert made.estimate == pytest.approx(y[listed].mean())
    assert made.naive == made.estimate


def test_chances_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="above 0 for everyone who was visited"):
        evaluation.weighted_rate([1, 0], [1, 1], [0.0, 1.0])
    none = evaluation.weighted_rate([1, 0], [0, 0], [0.0, 0.5])
    assert np.isnan(none.estimate)
    assert none.unreachable == 0.5


def test_worst_case_bounds_hold_the_truth_whatever_is_missing():
    rng = np.random.default_rng(4)
    y, known, listed = ((rng.random(400) < p).astype(float) for p in (0.2, 0.4, 0.1))
    bounds = evaluation.worst_case(np.where(known > 0, y, np.nan), known, listed)
    hits = (y * listed).sum()
    for low, value, high in (
        (bounds.rate_low, y.mean(), bounds.rate_high),
        (bounds.precision_low, hits / listed.sum(), bounds.precision_high),
        (bounds.recall_low, hits / y.sum(), bounds.recall_high),
    ):
        assert low <= value <= high
        assert low < high
    # Attained: the extreme labels themselves give the ends.
    best = np.where(known > 0, y, listed)
    assert bounds.recall_high == pytest.approx((best * listed).sum() / best.sum())
    # With every label known there is nothing to bound.
    exact = evaluation.worst_case(y, np.ones(400), listed)
    assert exact.recall_low == exact.recall_high


def test_support_bounds_count_the_supported_as_0_and_as_1():
    y = [1, 0, 0, 0, 1, 0, 0, 0]
    supported = [1, 1, 0, 0, 0, 0, 0, 1]
    listed = [1, 1, 0, 0, 0, 0, 0, 0]
    made = evaluation.support_bounds(y, supported, listed)
    assert (made["rate_low"], made["rate"], made["rate_high"]) == (1 / 8, 2 / 8, 4 / 8)
    assert (made["precision_low"], made["precision"], made["precision_high"]) == (0.0, 0.5, 1.0)
    assert (made["recall_low"], made["recall"], made["recall_high"]) == (0.0, 0.5, 0.5)
    assert made["supported_share_listed"] == 1.0
