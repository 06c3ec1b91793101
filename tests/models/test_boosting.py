"""Boosting: gaps, monotone constraints, the number of trees, and the limits on depth.

The explainable boosting machine against interpret's own.
"""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from riskmodel import models
from riskmodel.models.boosting import Boosting


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def _data(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["gap", "b", "c"])
    y = (rng.random(n) < expit(-1 + X["gap"] + (X["b"] > 0) * (X["c"] > 0))).astype(int)
    return X, y, np.arange(n) % 50


def test_without_early_stopping_it_is_scikit_learns_ensemble():
    X, y, village = _data()
    ours = Boosting(max_trees=40, early_stopping=False).fit(X, y, groups=village)
    theirs = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=40,
        max_depth=3,
        max_leaf_nodes=None,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    ).fit(X.to_numpy(), y)
    assert (ours.margin(X) == theirs.decision_function(X.to_numpy())).all()
    assert ours.n_trees_ == 40


def test_villages_stop_the_trees_before_noise_is_learnt():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(1000, 5))
    noise = Boosting(max_trees=200).fit(X, rng.integers(0, 2, 1000), groups=np.arange(1000) % 40)
    X2, y2, village = _data(4000)
    signal = Boosting(max_trees=200).fit(X2, y2, groups=village)
    # Noise has nothing to learn; a held-out village says so within a few trees.
    assert noise.n_trees_ < 20 < signal.n_trees_ < 200


def test_early_stopping_sees_whole_villages():
    # As in the logit's test: a village's fingerprint decides its label and says nothing elsewhere.
    rng = np.random.default_rng(9)
    village = np.repeat(np.arange(50), 20)
    X = rng.normal(size=(50, 4))[village]
    y = rng.integers(0, 2, 50)[village]
    assert Boosting().fit(X, y, groups=village).n_trees_ < Boosting().fit(X, y).n_trees_ / 4


def test_monotone_constraint_holds_by_name():
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"noise": rng.normal(size=800), "gap": rng.normal(size=800)})
    # The true effect is falling; the constraint forbids exactly that.
    y = (rng.random(800) < expit(-2 * X["gap"])).astype(int)
    grid = pd.DataFrame({"noise": 0.0, "gap": np.linspace(-3, 3, 100)})
    free = np.diff(Boosting(max_trees=50, early_stopping=False).fit(X, y).margin(grid))
    bound = np.diff(Boosting(max_trees=50, early_stopping=False, monotone={"gap": 1}).fit(X, y).margin(grid))
    assert free.min() < 0
    assert bound.min() >= 0


def test_wrong_monotone_and_depth_are_refused():
    X, y, _ = _data(200)
    with pytest.raises(ValueError, match=r"unknown columns \['income'\].*one of: gap, b, c"):
        Boosting(monotone={"income": 1}).fit(X, y)
    with pytest.raises(ValueError, match="signs not in -1, 0, 1: \\['2'\\]"):
        Boosting(monotone={"gap": 2}).fit(X, y)
    with pytest.raises(ValueError, match="max_depth=7: must be 1 to 4"):
        Boosting(max_depth=7).fit(X, y)


def test_gaps_go_their_own_way_and_are_not_zero():
    rng = np.random.default_rng(4)
    x = rng.choice([0.0, 1.0, np.nan], 900)
    y = np.isnan(x).astype(int)
    model = Boosting(max_trees=30).fit(x[:, None], y)
    p = model.predict_proba([[0.0], [1.0], [np.nan]])[:, 1]
    assert p[2] > 0.7
    assert p[:2].max() < 0.3


def test_a_column_that_nobody_has_changes_nothing():
    # No split can use it, so the margins are those of the model without it, wherever it turns up later.
    rng = np.random.default_rng(4)
    X = rng.normal(size=(600, 3))
    y = (rng.random(600) < 1 / (1 + np.exp(1 - X[:, 0]))).astype(int)
    empty = np.column_stack([X, np.full(600, np.nan)])
    later = np.column_stack([X, np.ones(600)])
    without = Boosting(random_state=0).fit(X, y).margin(X)
    with_it = Boosting(random_state=0).fit(empty, y)
    np.testing.assert_allclose(with_it.margin(empty), without)
    np.testing.assert_allclose(with_it.margin(later), without)


def test_kept_text_is_lightgbms_own_booster():
    lgb = pytest.importorskip("lightgbm", reason="the extra 'boost' is not installed")
    rng, X = frame(800, 21)
    y = (rng.random(800) < expit(-1 + X["a"])).astype(int)
    model = models.LightBoosting(max_trees=30).fit(X, y)
    # The parameters in LightGBM's own names, no early stopping: rows without villages are dealt singly, so
    # the number of trees is the one that our search found.
    theirs = lgb.train(
        {
            "objective": "binary", "learning_rate": 0.05, "max_depth": 3, "num_leaves": 8,
            "min_data_in_leaf": 20, "lambda_l2": 1.0, "seed": 0, "deterministic": True,
            "force_row_wise": True, "num_threads": 1, "verbosity": -1,
        },
        lgb.Dataset(X.to_numpy(), y.to_numpy(), params={"verbosity": -1}), model.n_trees_,
    )  # fmt: skip
    assert model.predict_proba(X)[:, 1] == pytest.approx(theirs.predict(X.to_numpy(), num_threads=1))


def test_kept_curves_are_interprets_own_machine():
    pytest.importorskip("interpret", reason="the extra 'ebm' is not installed")
    from interpret.glassbox import ExplainableBoostingClassifier

    rng, X = frame(800, 20)
    y = (rng.random(800) < expit(-1 + X["a"] + 0.5 * X["b"] ** 2)).astype(int)
    model = models.AdditiveBoosting(max_rounds=50, outer_bags=1).fit(X, y)
    # The same machine kept as it is, with all its own code: what we keep of it must score the same.
    theirs = ExplainableBoostingClassifier(
        feature_types=["continuous"] * 3, max_bins=64, interactions=0, outer_bags=1, inner_bags=0,
        max_rounds=50, n_jobs=1, random_state=0,
    ).fit(X.to_numpy(), y.to_numpy())  # fmt: skip
    new = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    assert model.predict_proba(new)[:, 1] == pytest.approx(theirs.predict_proba(new.to_numpy())[:, 1])


def test_on_many_rows_a_sample_of_villages_says_whether_every_tree_is_wanted(monkeypatch):
    rng = np.random.default_rng(0)
    X, village = rng.normal(size=(4000, 3)), np.arange(4000) % 80
    y = (rng.random(4000) < expit(2 * X[:, 0] - 1)).astype(float)
    searched = []
    whole = Boosting._best_number

    def counted(self, rows, rest, held, signs):
        searched.append((rest | held).sum())
        return whole(self, rows, rest, held, signs)

    monkeypatch.setattr(Boosting, "_best_number", counted)
    monkeypatch.setattr(sys.modules[Boosting.__module__], "_SEARCH_ROWS", 1000)
    # Twenty trees are far too few here: a quarter of the rows shows it. Of four hundred the best number lies
    # between, and depends on how many rows there are: all are searched.
    assert Boosting(max_trees=20, patience=5).fit(X, y, village).n_trees_ == 20
    assert searched == [1000]
    searched.clear()
    assert 20 < Boosting(max_trees=400).fit(X, y, village).n_trees_ < 380
    assert searched == [1000, 4000]


def test_additive_boosting_adds_up_curves_of_single_columns() -> None:
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.normal(size=(600, 3)), columns=list("abc"))
    y = (X["a"] + X["b"] * X["c"] + rng.normal(size=600) > 0).astype(int)
    model = models.build_model("additive").fit(X, y, groups=np.arange(600) // 10)
    # No interaction: moving one column moves every margin by the same.
    there, moved = X.assign(a=0.0), X.assign(a=1.5)
    steps = model.margin(moved) - model.margin(there)
    assert np.ptp(steps) < 1e-9
    assert steps[0] > 0
