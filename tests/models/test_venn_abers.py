"""Venn–Abers against scikit-learn's isotonic regression."""

import numpy as np
import pytest
from scipy.special import expit

from riskmodel import models


def test_venn_abers_is_isotonic_regression_with_the_new_point_added():
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(8)
    score = rng.normal(size=60).round(1)
    y = (rng.random(60) < expit(score)).astype(float)
    new = np.r_[score[:5], -9.0, 9.0, 0.05]
    venn = models.VennAbers().fit(score, y)
    # The definition, done literally with scikit-learn's own class (Vovk and Petej 2014).
    for label, side in ((0.0, 0), (1.0, 1)):
        literal = [IsotonicRegression().fit(np.r_[score, s], np.r_[y, label]).predict([s])[0] for s in new]
        assert venn.interval(new)[:, side] == pytest.approx(literal, abs=1e-12)
    low, high = venn.interval(new).T
    p = venn.probability(new)
    assert ((low <= p) & (p <= high)).all()


def test_venn_abers_mends_a_score_that_no_affine_map_can():
    # The true chance is a step function of the score; a logistic curve through it is wrong everywhere.
    rng = np.random.default_rng(9)
    score = rng.uniform(-3, 3, 8000)
    chance = np.where(score > 1, 0.6, np.where(score > -1, 0.3, 0.02))
    y = (rng.random(8000) < chance).astype(float)
    venn = models.VennAbers().fit(score[:4000], y[:4000])
    assert np.abs(venn.probability(score[4000:]) - chance[4000:]).mean() < 0.02
