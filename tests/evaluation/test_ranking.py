"""AUC and average precision against scikit-learn, with weights and heavy ties."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from riskmodel.evaluation.ranking import auc, auc_kernel, average_precision, average_precision_kernel


@pytest.mark.parametrize("levels", [3, 20, 10_000])
def test_both_agree_with_scikit_learn_under_ties_and_weights(levels):
    rng = np.random.default_rng(levels)
    for _ in range(20):
        score = rng.integers(0, levels, 120).astype(float)
        y = rng.integers(0, 2, 120)
        weight = rng.random(120)
        assert auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
        assert auc(y, score, weight) == pytest.approx(
            roc_auc_score(y, score, sample_weight=weight), abs=1e-12
        )
        assert average_precision(y, score) == pytest.approx(average_precision_score(y, score), abs=1e-12)
        theirs = average_precision_score(y, score, sample_weight=weight)
        assert average_precision(y, score, weight) == pytest.approx(theirs, abs=1e-12)


def test_integer_weights_are_repeated_rows():
    # The bootstrap rests on this: drawing a village twice is having its rows twice.
    rng = np.random.default_rng(1)
    y, score = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    counts = rng.integers(0, 4, (5, 60)).astype(float)
    for kernel, plain in ((auc_kernel, auc), (average_precision_kernel, average_precision)):
        values = kernel(y.astype(float), score)(counts)
        repeated = [plain(np.repeat(y, c.astype(int)), np.repeat(score, c.astype(int))) for c in counts]
        assert values == pytest.approx(repeated, abs=1e-12)


def test_what_has_no_answer_is_nan_and_a_constant_score_is_chance():
    assert np.isnan(auc([1, 1], [1, 2]))
    assert np.isnan(auc([0, 0], [1, 2]))
    assert np.isnan(average_precision([0, 0], [1, 2]))
    assert auc([0, 1, 0, 1], [5, 5, 5, 5]) == 0.5
    # Everyone on one list: precision is the base rate.
    assert average_precision([0, 1, 0, 0], [5, 5, 5, 5]) == 0.25
