"""base + Σ contributions = margin, for every explained model and through the calibrator."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from riskmodel import explanation, models
from riskmodel.data import codes
from riskmodel.errors import RiskmodelError, SpecError, UsageError
from riskmodel.explanation.contributions import MARGIN_TOLERANCE, all_causes
from riskmodel.models.registry import MODELS


@pytest.fixture(scope="module")
def data() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.normal(size=(1500, 8)), columns=[f"f{i}" for i in range(8)])
    X["f7"] = rng.gamma(0.4, 5000, 1500)  # a heavy tail, as incomes have
    X["pcni"] = rng.gamma(3.0, 2500, 1500)
    margin = -1.5 + X["f0"] - 0.8 * X["f1"] * X["f2"] - X["pcni"] / 8000
    y = (rng.random(1500) < 1 / (1 + np.exp(-margin))).astype(int)
    villages = np.array([f"v{i % 30}" for i in range(1500)])
    return X.mask(rng.random(X.shape) < 0.1), y.to_numpy(), villages


EXPLAINED = [name for name, entry in MODELS.items() if entry.explained]


@pytest.fixture(scope="module", params=EXPLAINED)
def fitted(request, data):
    X, y, villages = data
    own = {"past_income": ["pcni"], "permanent_income": ["pcni", "f7"]}
    params = {"columns": own[request.param]} if request.param in own else None
    return models.fit_model(request.param, X, y, villages, 0, params)


def test_every_explained_model_is_tested() -> None:
    simple = {"past_income", "permanent_income", "run_rate", "run_rates"}
    further = {"cluster_logit", "scorecard", "lightgbm", "ebm", "boosting_lines"}
    assert set(EXPLAINED) == simple | {"logit", "boosting", "additive", "mean", "stack"} | further


@pytest.mark.parametrize("calibrated", [True, False])
@pytest.mark.parametrize("with_background", [True, False])
def test_adds_up_to_the_margin_for_every_household(fitted, data, calibrated, with_background) -> None:
    X = data[0]
    model = fitted if calibrated else fitted.base_
    parts, base = explanation.compute_contributions(model, X, X.head(200) if with_background else None)
    assert list(parts.columns) == list(X.columns)
    assert parts.index.equals(X.index)
    off = base + parts.sum(axis=1) - model.margin(X)
    assert np.abs(off).max() < MARGIN_TOLERANCE


def test_counted_from_the_background_the_base_is_its_mean_margin(fitted, data) -> None:
    # Contributions counted from a group average to nothing over it, so what is left is its mean margin.
    background = data[0].iloc[100:400]
    parts, base = explanation.compute_contributions(fitted, background, background)
    assert base == pytest.approx(fitted.margin(background).mean(), abs=1e-9)
    np.testing.assert_allclose(parts.mean(), 0, atol=1e-9)


def test_calibration_scales_contributions_by_its_slope(fitted, data) -> None:
    X = data[0].head(50)
    plain, _ = explanation.compute_contributions(fitted.base_, X)
    scaled, _ = explanation.compute_contributions(fitted, X)
    np.testing.assert_allclose(scaled, fitted.slope_ * plain, atol=1e-12)


def test_linear_contributions_are_shapley_values(data) -> None:
    """Against the definition: the mean, over orders and background rows, of what a feature adds."""
    X, y, _ = data
    few = X[["f0", "f1", "f2"]].dropna()
    model = models.PenalisedLogit().fit(few, y[few.index])
    row, background = few.iloc[[0]], few.iloc[1:41]
    parts, _ = explanation.compute_contributions(model, row, background)
    expected = dict.fromkeys(few.columns, 0.0)
    for order in permutations(few.columns):
        mixed = background.copy()
        before = model.margin(mixed).mean()
        for column in order:
            mixed[column] = row[column].iloc[0]
            after = model.margin(mixed).mean()
            expected[column] += (after - before) / 6
            before = after
    np.testing.assert_allclose(parts.iloc[0], list(expected.values()), atol=1e-9)


def test_unused_features_contribute_nothing(data) -> None:
    X, y, villages = data
    model = models.fit_model("past_income", X, y, villages, 0, {"columns": ["pcni"]})
    parts, _ = explanation.compute_contributions(model, X)
    assert (parts.drop(columns="pcni") == 0).all(axis=None)
    assert parts["pcni"].abs().max() > 0


def test_a_split_that_does_not_add_up_is_never_handed_out(data) -> None:
    X, y, _ = data

    class Shifted(models.PenalisedLogit):
        def margin(self, X):
            return super().margin(X) + 1e-3

    with pytest.raises(RiskmodelError, match="do not add up"):
        explanation.compute_contributions(Shifted().fit(X, y), X)


def test_categorical_splits_which_shap_gets_wrong_are_caught() -> None:
    # shap's own check lets this pass; its sums are off by whole log-odds.
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"kind": rng.integers(0, 12, 3000).astype(float), "x": rng.normal(size=3000)})
    y = (rng.random(3000) < np.where(X["kind"].isin([1, 4, 5, 9]), 0.8, 0.1)).astype(int)
    trees = HistGradientBoostingClassifier(categorical_features=[0], max_depth=3).fit(X.to_numpy(), y)

    class Boosted:
        ensemble_ = trees

        def margin(self, X):
            return trees.decision_function(X.to_numpy())

    with pytest.raises(RiskmodelError, match="categorical"):
        explanation.compute_contributions(Boosted(), X)


def test_a_model_that_cannot_be_split_is_refused(data) -> None:
    class Opaque:
        def margin(self, X):
            return np.zeros(len(X))

    with pytest.raises(UsageError, match="Opaque"):
        explanation.compute_contributions(Opaque(), data[0])


def test_background_of_other_columns_is_refused(fitted, data) -> None:
    X = data[0]
    with pytest.raises(UsageError, match="same columns"):
        explanation.compute_contributions(fitted, X, X[X.columns[::-1]])


def test_adds_up_and_each_feature_counts_once(make_inputs, meta) -> None:
    parts, _, _ = make_inputs(50)
    sums = explanation.sum_by_cause(parts, meta)
    np.testing.assert_allclose(sums.sum(axis=1), parts.sum(axis=1), atol=1e-12)
    for cause in sums:
        own = meta.loc[meta["cause"] == cause, "id"]
        np.testing.assert_allclose(sums[cause], parts[own].sum(axis=1), atol=1e-12)


def test_causes_stand_in_the_order_of_the_contract(make_inputs, meta) -> None:
    official = list(codes("risk_events", "cause"))
    assert all_causes()[: len(official)] == official
    found = list(explanation.sum_by_cause(make_inputs(3)[0], meta).columns)
    assert found == [c for c in all_causes() if c in found]


def test_undeclared_feature_or_cause_is_refused(make_inputs, meta) -> None:
    parts, _, _ = make_inputs(3)
    with pytest.raises(SpecError, match="pcni"):
        explanation.sum_by_cause(parts, meta[meta["id"] != "pcni"])
    with pytest.raises(SpecError, match="weather"):
        explanation.sum_by_cause(parts, meta.assign(cause="weather"))


def test_index_is_kept() -> None:
    parts = pd.DataFrame({"a": [1.0, 2.0]}, index=["h9", "h1"])
    sums = explanation.sum_by_cause(parts, pd.DataFrame({"id": ["a"], "cause": ["illness"]}))
    assert list(sums.index) == ["h9", "h1"]
