"""The affine calibrator: additive, monotone, on unseen villages, honest about failure; Venn–Abers."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from riskmodel import models
from riskmodel.models import Boosting, CalibratedScore, PenalisedLogit
from riskmodel.models.base import MarginClassifier


def fit_calibrated(base, X, y, village, seed, **options):
    return CalibratedScore(base, random_state=seed, **options).fit(X, y, groups=village)


class Given(MarginClassifier):
    """A base whose margin is its first column times a factor; it records which rows it was fitted on."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y, groups=None):
        self.seen_ = np.asarray(X)[:, -1].copy()
        self.groups_ = groups
        self._events(y)
        return self

    def margin(self, X):
        return self.factor * np.asarray(X)[:, 0]


def _process(n=4000, seed=0, villages=80):
    rng = np.random.default_rng(seed)
    m = rng.normal(-1, 1, n)
    y = (rng.random(n) < expit(m)).astype(int)
    return np.column_stack([m, np.arange(n)]), y, np.arange(n) % villages


def test_base_and_calibrator_never_share_a_village():
    X, y, village = _process()
    model = fit_calibrated(Given(), X, y, village, seed=3)
    trained = set(village[model.base_.seen_.astype(int)])
    assert len(trained) == 60
    assert model.n_held_out_ == 20 * 50
    assert (model.base_.groups_ == village[model.base_.seen_.astype(int)]).all()


def test_intercept_and_slope_are_platt_scaling_of_the_held_out_margin():
    X, y, village = _process()
    model = fit_calibrated(Given(factor=3.0), X, y, village, seed=3)
    held = np.setdiff1d(np.arange(len(y)), model.base_.seen_.astype(int))
    plus, minus = y[held].sum(), len(held) - y[held].sum()
    target = np.where(y[held] == 1, (plus + 1) / (plus + 2), 1 / (minus + 2))
    # statsmodels' GLM on Platt's targets solves the same equations.
    fit = sm.GLM(target, sm.add_constant(3 * X[held, 0]), family=sm.families.Binomial()).fit(tol=1e-12)
    assert (model.intercept_, model.slope_) == pytest.approx(tuple(fit.params), abs=1e-6)
    # The margin was blown up by three; the calibrator must shrink it by about that.
    assert model.slope_ == pytest.approx(1 / 3, abs=0.06)


def test_margin_stays_affine_and_monotone_so_that_explanations_add_up():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(2000, 4)), columns=list("abcd"))
    y = (rng.random(2000) < expit(-2 + X["a"] - X["b"])).astype(int)
    village = np.arange(2000) % 50
    for base in (PenalisedLogit(), Boosting(max_trees=60)):
        model = fit_calibrated(base, X, y, village, seed=0)
        raw = model.base_.margin(X)
        assert model.margin(X) == pytest.approx(model.intercept_ + model.slope_ * raw, abs=1e-12)
        order = np.argsort(raw)
        assert (np.diff(model.margin(X)[order]) >= 0).all()
    linear = fit_calibrated(PenalisedLogit(), X, y, village, seed=0)
    parts = linear.contributions(X)
    assert linear.base_value_ + parts.sum(axis=1) == pytest.approx(linear.margin(X), abs=1e-10)
    scaled, base_value = linear.rescale(linear.base_.contributions(X), linear.base_.base_value_)
    assert scaled == pytest.approx(parts)
    assert base_value == pytest.approx(linear.base_value_)
    # Trees have no contributions of their own here; the explain layer asks their ensemble.
    assert not hasattr(fit_calibrated(Boosting(max_trees=5), X, y, village, seed=0), "contributions")


def test_a_score_that_points_the_wrong_way_gets_slope_zero_and_says_so(caplog):
    X, y, village = _process()
    model = fit_calibrated(Given(factor=-1.0), X, y, village, seed=0)
    assert model.slope_ == 0
    assert "slope is 0" in model.notes[0].text("en")
    assert "斜率为 0" in model.notes[0].text("zh")
    assert "slope is 0" in caplog.text
    # Everyone then has the smoothed rate of the held-out villages.
    p = model.predict_proba(X)[:, 1]
    assert np.ptp(p) == 0
    assert p[0] == pytest.approx(y.mean(), abs=0.03)


def test_with_too_few_events_only_the_level_is_fitted_and_it_says_so():
    X, y, village = _process(n=400)
    rare = np.zeros_like(y)
    rare[:16] = 1
    model = fit_calibrated(Given(), X, rare, village, seed=0)
    assert model.slope_ == 1
    assert model.n_held_out_events_ < 10
    assert "held at 1" in model.notes[0].text("en")
    assert logit(0.001) < model.margin(X).mean() < logit(0.2)


def test_a_good_score_leaves_no_note():
    X, y, village = _process()
    assert fit_calibrated(Given(), X, y, village, seed=0).notes == []


def test_cross_scheme_calibrates_on_every_village_and_scores_with_all_rows():
    X, y, village = _process()
    model = fit_calibrated(Given(factor=3.0), X, y, village, seed=3, scheme="cross")
    assert model.n_held_out_ == len(y)
    assert len(model.base_.seen_) == len(y)
    # The margin is given, so every part's model is the same one and all rows calibrate it: Platt on all.
    plus, minus = y.sum(), len(y) - y.sum()
    target = np.where(y == 1, (plus + 1) / (plus + 2), 1 / (minus + 2))
    fit = sm.GLM(target, sm.add_constant(3 * X[:, 0]), family=sm.families.Binomial()).fit(tol=1e-12)
    assert (model.intercept_, model.slope_) == pytest.approx(tuple(fit.params), abs=1e-6)


def test_cross_scheme_calibrates_on_rows_the_part_models_have_not_seen():
    # A base that learns its training rows by heart looks perfect on them and knows nothing elsewhere: only
    # margins of unseen villages show it, with a slope near 0 (the in-sample slope would be large).
    rng = np.random.default_rng(0)
    X, y, village = rng.normal(size=(800, 200)), rng.integers(0, 2, 800), np.arange(800) % 40
    model = fit_calibrated(PenalisedLogit(C=10.0), X, y, village, seed=0, scheme="cross")
    assert model.slope_ < 0.15


def test_bad_shares_and_too_few_villages_are_refused():
    X, y, _ = _process(n=100)
    with pytest.raises(ValueError, match=r"share=0\.9"):
        CalibratedScore(Given(), share=0.9).fit(X, y)
    with pytest.raises(ValueError, match="scheme='both'"):
        CalibratedScore(Given(), scheme="both").fit(X, y)
    with pytest.raises(ValueError, match="cannot be dealt into 4 folds"):
        fit_calibrated(Given(), X, y, np.arange(100) % 3, seed=0)


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


@pytest.mark.parametrize("kind", ["distinct", "ties", "steep"])
def test_venn_abers_of_thousands_of_scores_is_exact(kind):
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(10)
    score = rng.normal(size=4000).round(6)
    chance = expit(40 * (score - 1)) if kind == "steep" else expit(score - 3)
    if kind == "ties":
        score = np.where(score < 0.5, score.round(1), score)
    y = (rng.random(4000) < chance).astype(float)
    venn = models.VennAbers().fit(score, y)
    # Where p0 and p1 rise, at their steps and between them, and anywhere.
    steps = np.flatnonzero(np.abs(np.diff(venn.high_)) > 0.005)[:12] // 2
    places = venn.scores_[np.clip(steps, 0, len(venn.scores_) - 1)]
    new = np.r_[places, places + 1e-4, np.quantile(score, [0, 0.3, 0.7, 1]), rng.normal(size=10), -9.0, 9.0]
    for label, side in ((0.0, 0), (1.0, 1)):
        literal = [IsotonicRegression().fit(np.r_[score, s], np.r_[y, label]).predict([s])[0] for s in new]
        assert venn.interval(new)[:, side] == pytest.approx(literal, abs=1e-12)


def test_venn_abers_mends_a_score_that_no_affine_map_can():
    # The true chance is a step function of the score; a logistic curve through it is wrong everywhere.
    rng = np.random.default_rng(9)
    score = rng.uniform(-3, 3, 8000)
    chance = np.where(score > 1, 0.6, np.where(score > -1, 0.3, 0.02))
    y = (rng.random(8000) < chance).astype(float)
    venn = models.VennAbers().fit(score[:4000], y[:4000])
    assert np.abs(venn.probability(score[4000:]) - chance[4000:]).mean() < 0.02
