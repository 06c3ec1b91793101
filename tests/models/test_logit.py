"""The penalised logit against scikit-learn's own pipeline, its C, its contributions.

The village-robust logit against statsmodels.
"""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from riskmodel import models
from riskmodel.models import base, logit
from riskmodel.models.logit import C_GRID, PenalisedLogit


def _data(n=600, seed=0, villages=30):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    y = (rng.random(n) < expit(-1 + 1.2 * X["a"] - 0.8 * X["b"])).astype(int)
    X.loc[rng.random(n) < 0.2, "c"] = np.nan
    return X, y, np.arange(n) % villages


def test_without_gaps_and_tails_it_is_ridge_logistic_regression_on_standard_columns():
    X, y, _ = _data()
    X = X.drop(columns="c")
    ours = PenalisedLogit(C=0.05, winsorise=0.0).fit(X, y)
    scaler = StandardScaler().fit(X)
    theirs = LogisticRegression(C=0.05, tol=1e-10, max_iter=1000).fit(scaler.transform(X), y)
    assert ours.margin(X) == pytest.approx(theirs.decision_function(scaler.transform(X)), abs=1e-5)


def test_contributions_and_base_value_add_up_to_the_margin():
    X, y, _ = _data()
    model = PenalisedLogit().fit(X, y)
    parts = model.contributions(X)
    assert parts.shape == X.shape
    assert model.base_value_ + parts.sum(axis=1) == pytest.approx(model.margin(X), abs=1e-10)
    # Counted from the training mean: each column's contributions average to nothing over training.
    assert parts.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-10)


def test_a_missing_value_contributes_through_its_own_column():
    X, y, _ = _data()
    y = np.where(X["c"].isna(), 1, y)
    model = PenalisedLogit().fit(X, y)
    gap = X["c"].isna().to_numpy()
    # Being missing is what decides here, so where c is missing it must push up, elsewhere down.
    assert model.contributions(X)[gap, 2].min() > model.contributions(X)[~gap, 2].max()


def test_cv_takes_a_strong_penalty_for_noise_and_a_weak_one_for_signal():
    rng = np.random.default_rng(5)
    village = np.arange(400) % 20
    noise = rng.normal(size=(400, 40))
    coin = rng.integers(0, 2, 400)
    strong = PenalisedLogit(C="cv").fit(noise, coin, groups=village)
    assert strong.C_ <= 1e-3
    X, y, groups = _data(n=4000)
    weak = PenalisedLogit(C="cv").fit(X, y, groups=groups)
    assert weak.C_ >= 1e-2
    assert weak.cv_loss_.shape == (len(C_GRID),)
    assert weak.cv_loss_.min() == weak.cv_loss_[C_GRID.index(weak.C_)]


def test_cv_keeps_villages_whole():
    # A village's own constant is in the columns and decides the label; within rows it predicts perfectly,
    # in other villages it says nothing. Dealing rows must look far better than dealing villages.
    rng = np.random.default_rng(9)
    village = np.repeat(np.arange(40), 15)
    fingerprint = rng.normal(size=(40, 60))[village]
    y = rng.permutation(np.r_[np.zeros(20), np.ones(20)])[village]
    by_village = PenalisedLogit(C="cv").fit(fingerprint, y, groups=village).cv_loss_.min()
    by_row = PenalisedLogit(C="cv").fit(fingerprint, y).cv_loss_.min()
    assert by_row < 0.1
    # Knowing nothing costs ln 2 a row.
    assert by_village > 0.6


def test_cv_on_many_rows_uses_a_part_of_the_villages(monkeypatch):
    X, y, groups = _data(n=6000, villages=300)
    matrix = X.drop(columns="c").to_numpy()
    monkeypatch.setattr(base, "_CV_ROWS", 1500)
    fitted = []
    solve = logit.solve_logit
    monkeypatch.setattr(logit, "solve_logit", lambda *given: fitted.append(len(given[1])) or solve(*given))
    model = PenalisedLogit(C="cv").fit(matrix, y, groups=groups)
    # A quarter of the rows takes part, four fifths of it in each fit; the last fit takes all.
    assert fitted[-1] == 6000
    assert max(fitted[:-1]) == pytest.approx(1200, rel=0.05)
    # The best C hardly depends on the rows: within one step of the grid of what all rows choose.
    monkeypatch.undo()
    whole = PenalisedLogit(C="cv").fit(matrix, y, groups=groups)
    assert abs(C_GRID.index(model.C_) - C_GRID.index(whole.C_)) <= 1


def test_bad_c_is_refused():
    for C in (0, -1.0, "auto"):
        with pytest.raises(ValueError, match='must be a positive number or "cv"'):
            PenalisedLogit(C=C).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="at least two villages"):
        PenalisedLogit(C="cv").fit([[0.0], [1.0]], [0, 1], groups=["a", "a"])


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_cluster_logit_is_statsmodels_logit_with_cluster_covariance():
    rng, X = frame(2000, 5)
    village = rng.integers(0, 40, 2000)
    y = (rng.random(2000) < expit(-1 + X["a"] + rng.normal(0, 0.7, 40)[village])).astype(int)
    model = models.ClusterLogit().fit(X, y, groups=village)
    design = np.column_stack([model.design_.transform(X.to_numpy()), np.ones(2000)])
    fitted = sm.Logit(y, design).fit(disp=0, cov_type="cluster", cov_kwds={"groups": village})
    assert np.r_[model.coef_, model.intercept_] == pytest.approx(np.asarray(fitted.params), abs=1e-8)
    assert model.covariance_ == pytest.approx(np.asarray(fitted.cov_params()), rel=1e-6)
    # Marginal effects by statsmodels' own delta method, which takes the covariance that it is given.
    effects = fitted.get_margeff(at="overall", method="dydx")
    assert model.ame_ == pytest.approx(effects.margeff[:3], abs=1e-8)
    assert model.ame_se_ == pytest.approx(effects.margeff_se[:3], rel=1e-5)
    # Our own sandwich, used where statsmodels finds no maximum, is the same where it does.
    from riskmodel.models.base import village_codes
    from riskmodel.models.logit import sandwich

    own = sandwich(design, y.to_numpy(dtype=float), np.asarray(fitted.params), village_codes(village, 2000))
    assert own == pytest.approx(np.asarray(fitted.cov_params()), rel=1e-6)


def test_cluster_logit_leaves_out_combinations_and_says_when_separated():
    rng, X = frame(400, 6)
    y = (rng.random(400) < 0.3).astype(int)
    twice = models.ClusterLogit().fit(X.assign(d=X["a"]), y)
    table = twice.effects().set_index("column")
    # Of a and its copy one has an estimate and the other none: their sum is what the data tell.
    assert table.loc[["a", "d"], "se"].isna().sum() == 1
    assert not twice.separated_
    apart = models.ClusterLogit().fit(X, (X["a"] > 0).astype(int))
    assert apart.separated_
    assert np.isfinite(apart.margin(X)).all()
