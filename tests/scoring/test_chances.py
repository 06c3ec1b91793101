"""Chances of a planned visit must be those of the lot itself: checked by drawing every possible lot."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from riskmodel.scoring.visit_plan import selection_probabilities


@pytest.mark.parametrize(
    ("pool", "ranked", "random", "by_score"),
    [(6, 6, 2, 2), (7, 5, 3, 1), (5, 5, 0, 2), (5, 5, 2, 0), (4, 4, 1, 3), (6, 0, 2, 0), (3, 3, 3, 0)],
)
def test_equal_to_all_lots_counted(pool: int, ranked: int, random: int, by_score: int) -> None:
    # Every lot of `random` households is equally likely, so a chance is a share of lots.
    times = np.zeros(pool)
    lots = list(combinations(range(pool), random))
    for lot in lots:
        left = [r for r in range(ranked) if r not in lot][:by_score]
        times[list(lot) + left] += 1
    np.testing.assert_allclose(
        selection_probabilities(pool, ranked, random, by_score), times / len(lots), atol=1e-12
    )


def test_chances_add_up_to_the_visits() -> None:
    # The expected number of visits is the number of visits: Σ chance = random + by_score when all are ranked.
    chances = selection_probabilities(5000, 5000, 25, 400)
    assert chances.sum() == pytest.approx(425, abs=1e-6)
    assert (chances > 0).all()
    assert (chances <= 1).all()
