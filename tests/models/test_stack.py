"""Means and stacks of margins: the mean of models fitted apart; a base that knows, and one that does not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel import models
from riskmodel.errors import UsageError
from riskmodel.explanation import compute_contributions


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


def test_stack_weighs_a_base_that_knows_and_drops_one_that_does_not():
    rng, X = frame(3000, 10)
    y = (rng.random(3000) < expit(-1 + 1.5 * X["a"])).astype(int)
    village = rng.integers(0, 30, 3000)
    X = X.assign(village_income=rng.normal(size=3000))
    bases = [models.PastIncome(["a"]), models.PastIncome(["c"])]
    stack = models.Stack(bases).fit(X, y, groups=village)
    assert stack.weights_[0] == pytest.approx(1.0, abs=0.15)
    assert (stack.weights_ >= 0).all()
    # Margins of the uninformative base hardly vary, so its weight hardly matters.
    assert np.corrcoef(stack.margin(X), X["a"])[0, 1] > 0.99


@pytest.fixture(scope="module")
def rows():
    rng, X = frame(900, 4)
    y = (rng.random(900) < expit(-1 + X["a"] + np.abs(X["b"]))).astype(int)
    return X, y.to_numpy(), np.arange(900) % 30


def test_the_mean_is_that_of_the_models_fitted_apart(rows):
    X, y, village = rows
    signs = {"a": 1}
    mean = models.build_model("mean", {"monotone": signs}, seed=5).fit(X, y, groups=village)
    logit = models.build_model("logit", seed=5).fit(X, y, groups=village)
    additive = models.build_model("additive", {"monotone": signs}, seed=5).fit(X, y, groups=village)
    assert mean.margin(X) == pytest.approx((logit.margin(X) + additive.margin(X)) / 2, abs=1e-12)
    with pytest.raises(ValueError, match="monotone: unknown columns"):
        models.build_model("mean", {"monotone": {"z": 1}}).fit(X, y, groups=village)


@pytest.mark.parametrize("name", ["mean", "stack"])
def test_parts_of_the_bases_add_up_to_the_whole(name, rows):
    X, y, village = rows
    given = {"bases": {"logit": {"C": 1.0}, "additive": {"max_trees": 40}, "boosting": {"max_trees": 20}}}
    model = models.fit_model(name, X, y, village, seed=5, params=given, scheme="cross")
    assert (model.base_.weights_ >= 0).all()
    parts, base = compute_contributions(model, X, X)
    assert base + parts.sum(axis=1).to_numpy() == pytest.approx(model.margin(X), abs=1e-8)
    assert list(parts.columns) == list(X.columns)
    # Behind a fallback that did not act the same is explained.
    plain = models.PlainModel("past_income", {"columns": ["a"]}, below_events=10)
    behind = models.fit_model(name, X, y, village, 5, given, scheme="cross", fallback=plain)
    assert compute_contributions(behind, X, X)[0].equals(parts)


def test_a_base_that_cannot_be_explained_makes_a_mean_that_cannot(rows):
    X, y, village = rows
    model = models.MeanMargin([models.PastIncome(["a"]), models.VennAbersScore(models.PastIncome(["a"]))])
    with pytest.raises(UsageError, match="MeanMargin cannot be explained"):
        compute_contributions(model.fit(X, y, groups=village), X)
