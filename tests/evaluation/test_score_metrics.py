"""AUC and average precision against scikit-learn, with weights and heavy ties.

Brier, intercept, slope and reliability against statsmodels and scikit-learn.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from riskmodel.evaluation.curves import reliability
from riskmodel.evaluation.predictions import village_resamples
from riskmodel.evaluation.score_metrics import (
    auc,
    auc_kernel,
    average_precision,
    average_precision_kernel,
    brier,
    calibration_intercept,
    calibration_slope,
    intercept_kernel,
    slope_kernel,
)


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


def _data(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2, 1, n)
    y = (rng.random(n) < expit(0.3 + 0.7 * margin)).astype(float)
    return y, expit(margin)


def test_slope_and_intercept_are_the_logistic_recalibration_of_statsmodels():
    y, p = _data()
    free = sm.Logit(y, sm.add_constant(logit(p))).fit(disp=0, tol=1e-12)
    assert calibration_slope(y, p) == pytest.approx(free.params[1], abs=1e-7)
    fixed = sm.GLM(y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=logit(p)).fit(tol=1e-12)
    assert calibration_intercept(y, p) == pytest.approx(fixed.params[0], abs=1e-7)
    # The process has slope 0.7: the probabilities are too extreme, and the slope must say so.
    assert calibration_slope(y, p) == pytest.approx(0.7, abs=0.12)


def test_weighted_recalibration_is_that_of_statsmodels():
    y, p = _data(800)
    weight = np.random.default_rng(2).uniform(0.2, 5, len(y))
    margin = logit(p)
    both = sm.GLM(y, sm.add_constant(margin), sm.families.Binomial(), freq_weights=weight).fit()
    one = sm.GLM(y, np.ones((len(y), 1)), sm.families.Binomial(), offset=margin, freq_weights=weight).fit()
    assert calibration_slope(y, p, weight) == pytest.approx(both.params[1], abs=1e-6)
    assert calibration_intercept(y, p, weight) == pytest.approx(one.params[0], abs=1e-6)
    # A weight of 2 is a row twice.
    twice = np.repeat([1, 2], len(y) // 2)
    again = calibration_slope(np.repeat(y, twice), np.repeat(p, twice))
    assert calibration_slope(y, p, twice) == pytest.approx(again, abs=1e-9)


def test_weighted_reliability_by_hand():
    # Two bins: (0.1, 0.2 | 0.6, 0.8); of the first 3 of 4 heads are events, of the second 1 of 5.
    table = reliability([1, 0, 0, 1], [0.1, 0.2, 0.6, 0.8], 2, weight=[3, 1, 4, 1])
    np.testing.assert_allclose(table["observed"], [3 / 4, 1 / 5])
    np.testing.assert_allclose(table["probability"], [(0.3 + 0.2) / 4, (2.4 + 0.8) / 5])
    assert table["n"].tolist() == [2, 2]


def test_brier_is_scikit_learns():
    y, p = _data()
    w = np.random.default_rng(1).random(len(y))
    assert brier(y, p) == pytest.approx(brier_score_loss(y, p))
    assert brier(y, p, w) == pytest.approx(brier_score_loss(y, p, sample_weight=w))


def test_weighted_replicates_on_bins_match_the_exact_fit():
    # Replicates are fitted on 512 bins; against the exact weighted fit the error must be far below the
    # replicates' own spread (here about 0.05).
    y, p = _data()
    weight = np.random.default_rng(2).poisson(1.0, (4, len(y))).astype(float)
    slopes, intercepts = slope_kernel(y, p)(weight), intercept_kernel(y, p)(weight)
    for i, w in enumerate(weight):
        family = sm.families.Binomial()
        free = sm.GLM(y, sm.add_constant(logit(p)), family=family, freq_weights=w).fit()
        fixed = sm.GLM(y, np.ones((len(y), 1)), family=family, offset=logit(p), freq_weights=w).fit()
        assert slopes[i] == pytest.approx(free.params[1], abs=2e-3)
        assert intercepts[i] == pytest.approx(fixed.params[0], abs=2e-3)


def test_probabilities_of_zero_and_one_and_single_classes_do_not_break():
    assert np.isfinite(calibration_slope([0, 1, 0, 1, 1], [0.0, 0.4, 0.5, 0.3, 1.0]))
    assert np.isnan(calibration_slope([0, 0, 0], [0.1, 0.2, 0.3]))
    assert np.isnan(calibration_intercept([1, 1, 1], [0.1, 0.2, 0.3]))
    assert np.isnan(calibration_slope([0, 1, 0], [0.2, 0.2, 0.2]))


def test_reliability_is_scikit_learns_quantile_curve_and_loses_no_row():
    y, p = _data()
    table = reliability(y, p, bins=8)
    observed, predicted = calibration_curve(y, p, n_bins=8, strategy="quantile")
    assert table["observed"].to_numpy() == pytest.approx(observed, abs=1e-12)
    assert table["probability"].to_numpy() == pytest.approx(predicted, abs=1e-12)
    assert table["n"].sum() == len(y)
    assert table["events"].sum() == y.sum()
    assert table["low"].isna().all()


def test_reliability_intervals_hold_the_rate_and_equal_probabilities_share_a_bin():
    y, p = _data()
    table = reliability(y, p, 5, village_resamples(np.arange(len(y)) % 60, 300, seed=0))
    assert ((table["low"] < table["observed"]) & (table["observed"] < table["high"])).all()
    # 300 rows a bin: the binomial interval of the middle bin, give or take the bootstrap's own noise.
    middle = table.iloc[2]
    wide = 2 * 1.96 * np.sqrt(middle["observed"] * (1 - middle["observed"]) / middle["n"])
    assert middle["high"] - middle["low"] == pytest.approx(wide, rel=0.35)
    assert len(reliability([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])) == 1
