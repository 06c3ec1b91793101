"""The registry's names, needs and refusals, and the contract of every registered model.

Scikit-learn's checks, saving without pickle, determinism, nullable targets.
"""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import skops.io as sio
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.declarations import plain_county

from riskmodel import models
from riskmodel.errors import SpecError
from riskmodel.presentation import line_style
from riskmodel.runs import Experiment, is_simple


def test_every_entry_makes_an_estimator_under_its_own_name():
    for name, entry in models.MODELS.items():
        assert entry.name == name
        assert entry.zh
        assert entry.en
        model = models.build_model(name, seed=3)
        assert model.get_params().get("random_state", 3) == 3
        # An explained model either has its own contributions or trees; the others have neither.
        assert entry.explained == (entry.contributions != "none")
        assert hasattr(model, "contributions") == (entry.contributions == "linear")


def test_parameters_are_passed_and_unknown_ones_refused():
    assert models.build_model("logit").C == "cv"
    assert models.build_model("logit", {"C": 0.5}).C == 0.5
    assert models.build_model("past_income", {"columns": ["pcni"]}).columns == ["pcni"]
    assert models.build_model("boosting", {"random_state": 9}, seed=1).random_state == 9
    with pytest.raises(SpecError, match="model 'logit' has no parameter depth; it takes: C, "):
        models.build_model("logit", {"depth": 3})
    with pytest.raises(SpecError, match=r"no model 'forest'; known: rule, .*past_income, .*permanent_income"):
        models.build_model("forest")


class Constant(models.VillageRate):
    """A model of this test: the county's rate for everyone, as a village that nobody lives in has."""

    def fit(self, X, y, groups=None):
        return super().fit(X.assign(village="everyone"), y, groups)

    def margin(self, X):
        return super().margin(X.assign(village="everyone"))


# All that a model needs to be trained, saved, named, drawn and documented.
EXAMPLE = models.ModelEntry(
    "constant", zh="全县一个概率", en="one rate for all", description_zh="全县发生率",
    description_en="The county's rate for everyone.", factory=Constant, saves=(Constant,), needs="place",
    tradition="poverty", checked_against="the rate itself", tests=("models/test_registry.py::x",),
    calibrated=False, simple=True, style=("#000000", ""), order=15,
)  # fmt: skip


def test_a_model_of_one_file_is_named_trained_saved_and_drawn(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"village": [f"v{i % 9}" for i in range(300)]})
    y = (rng.random(300) < 0.2).astype(int)
    declared = plain_county().model_dump()
    with models.MODELS.including(EXAMPLE):
        assert list(models.MODELS)[1] == "constant"
        asked = Experiment.model_validate(declared | {"models": ["rule", "logit", "constant"]})
        assert "constant" in asked.models
        fitted = models.fit_model("constant", X, y, X["village"], seed=0)
        assert fitted.predict_proba(X)[:, 1] == pytest.approx(y.mean())
        # Its type is on the trust list as long as it is registered, and a saved one comes back.
        back = sio.loads(sio.dumps(fitted), trusted=models.trusted_types())
        assert (back.margin(X) == fitted.margin(X)).all()
        assert models.model_names("constant") == {"zh": "全县一个概率", "en": "one rate for all"}
        assert line_style("constant") == ("#000000", "")
        assert is_simple("constant")
    with pytest.raises(ValueError, match=r"no model 'constant'; known: rule, .*, and rule-ID or"):
        Experiment.model_validate(declared | {"models": ["rule", "logit", "constant"]})
    with pytest.raises((TypeError, sio.exceptions.UntrustedTypesFoundException)):
        sio.loads(sio.dumps(fitted), trusted=models.trusted_types())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"en": ""}, "model 'constant' cannot be registered: en is empty"),
        ({"zh": None}, "zh must be text; given None"),
        ({"tradition": "magic"}, "tradition is 'magic'; allowed: rules, poverty"),
        ({"needs": "everything"}, "needs must be 'features' or 'rules' or 'place' or 'both'; given the text"),
        ({"factory": "Constant"}, "factory must be a function; given the text"),
        ({"tests": ()}, "tests is empty"),
        ({"library": "lightgbm"}, "extra and library go together"),
        ({"name": "rule-mine"}, "names that begin with rule- are those of rule sets"),
        ({"name": "logit"}, "model 'logit' is registered twice"),
    ],
)
def test_an_entry_that_is_not_whole_is_refused_where_it_is_registered(wrong, said):
    assert "constant" not in models.MODELS
    with pytest.raises(SpecError, match=said):
        models.MODELS.register(dataclasses.replace(EXAMPLE, **wrong))
    assert "constant" not in models.MODELS


def test_a_name_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(SpecError, match="did you mean boosting"):
        models.build_model("bosting")


def test_the_models_of_a_rule_set_take_after_the_rules():
    entry = models.model_entry("rule-dali-2021")
    assert (entry.ruleset, entry.en, entry.needs) == ("dali-2021", "rules dali-2021", "rules")
    assert models.model_names("rule-dali-2021")["en"] == "rules dali-2021"
    assert models.model_names("rule")["en"] == "the rule list"


_NOT_A_MATRIX = (
    "X goes to the base untouched, because the rules' table is not a matrix of numbers; the base checks it"
)
_WRAPPED = {
    "check_estimators_empty_data_messages": _NOT_A_MATRIX + " (an empty X is refused for its one class)",
    "check_estimator_sparse_array": _NOT_A_MATRIX,
    "check_estimator_sparse_matrix": _NOT_A_MATRIX,
    "check_classifier_data_not_an_array": _NOT_A_MATRIX + " and cannot be cut by rows without an index",
}
_ONE_MEAN = {
    "check_classifiers_train": "all it sees is one weighted mean of the columns, and the check's classes lie "
    "apart in other directions; what it must learn is tested in test_baselines.py"
}
_EXPECTED = {"CalibratedScore": _WRAPPED, "VennAbersScore": _WRAPPED, "PermanentIncome": _ONE_MEAN}


# Parameters under which a model takes seconds: the checks fit each some fifty times.
_SMALL = {
    "boosting": {"max_trees": 60, "learning_rate": 0.2},
    "lightgbm": {"max_trees": 60, "learning_rate": 0.2},
    "ebm": {"max_rounds": 100, "outer_bags": 1},
    "stack": {"bases": [models.PenalisedLogit(), models.Scorecard()]},
    "logit_venn": {"base": models.PenalisedLogit(), "draws": 20},
}


def _expected(estimator):
    return _EXPECTED.get(type(estimator).__name__, {})


@pytest.mark.filterwarnings(
    "ignore:invalid value encountered in cast:RuntimeWarning",  # scikit-learn's own check casts NaN to int
    "ignore:SCIPY_ARRAY_API is not set:sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks(
    [
        # Models that take the rules' table, a village or named columns are outside scikit-learn's contract.
        *(
            entry.saves[0](**_SMALL.get(name, {}))
            for name, entry in models.MODELS.items()
            if entry.needs == "features" and models.is_available(name)
        ),
        models.PenalisedLogit(C="cv"),
        models.CalibratedScore(models.PenalisedLogit(), draws=20),
        models.DiscreteHazard(frailty=True),
    ],
    expected_failed_checks=_expected,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def county():
    """40 villages of 30 households: a feature table with gaps, a rules' table, nullable labels."""
    rng = np.random.default_rng(11)
    n = 1200
    income = np.exp(rng.normal(9.3, 0.6, n))
    illness = (rng.random(n) < 0.1).astype(float)
    X = pd.DataFrame({"income": income, "illness": illness, "noise": rng.normal(size=n)})
    X.loc[rng.random(n) < 0.15, "income"] = np.nan
    risk = expit(-2 + 1.5 * illness - 1.5 * (np.log(income) - 9.3) / 0.6)
    y = pd.Series(rng.random(n) < risk, dtype="boolean").astype("Int8")
    gap = pd.Series(6000 - X["income"])
    rules = pd.DataFrame({"flagged": pd.array((gap > 0) | (illness == 1), dtype="boolean"), "gap": gap})
    village = pd.Series([f"v{i % 40:02d}" for i in range(n)], dtype="str")
    # For the vulnerability income is the outcome: it is told from what is correlated with it.
    both = X.assign(
        **{"rule:pcni": income, "rule:line": 6000.0, "proxy": np.log(income) + rng.normal(0, 0.5, n)}
    )
    tables = {"features": X, "rules": rules, "place": pd.DataFrame({"village": village})}
    return tables | {"both": both.drop(columns="income")}, y, village


INSTALLED = [name for name in models.MODELS if models.is_available(name)]


@pytest.fixture(scope="module", params=list(models.MODELS))
def fitted(request, county):
    if not models.is_available(request.param):
        pytest.skip(f"the extra {models.model_entry(request.param).extra!r} is not installed")
    tables, y, village = county
    X = tables[models.model_entry(request.param).needs]
    return request.param, models.fit_model(request.param, X, y, village, seed=7), X, y, village


def test_margin_probability_and_class_agree(fitted):
    _, model, X, _, _ = fitted
    p = model.predict_proba(X)
    assert p[:, 1] == pytest.approx(expit(model.margin(X)))
    assert p.sum(axis=1) == pytest.approx(np.ones(len(X)))
    assert (model.predict(X) == (p[:, 1] > 0.5)).all()
    low, high = model.predict_interval(X).T
    assert (low <= p[:, 1]).all()
    assert (p[:, 1] <= high).all()
    assert (high - low).max() > 0


def test_same_data_and_seed_give_the_same_bytes(fitted):
    name, model, X, y, village = fitted
    again = models.fit_model(name, X, y, village, seed=7)
    assert again.margin(X).tobytes() == model.margin(X).tobytes()
    assert again.predict_interval(X).tobytes() == model.predict_interval(X).tobytes()


def test_a_saved_model_comes_back_the_same_under_the_fixed_trust_list(fitted):
    _, model, X, _, _ = fitted
    blob = sio.dumps(model)
    # Whatever the file holds beyond scikit-learn's public types must stand in our own list.
    assert set(sio.get_untrusted_types(data=blob)) <= set(models.trusted_types())
    back = sio.loads(blob, trusted=models.trusted_types())
    assert back.margin(X).tobytes() == model.margin(X).tobytes()
    assert back.predict_interval(X).tobytes() == model.predict_interval(X).tobytes()
    assert back.get_params(deep=False).keys() == model.get_params(deep=False).keys()


def test_every_trusted_type_is_needed_by_some_model(county):
    tables, y, village = county
    if list(models.MODELS) != INSTALLED:
        pytest.skip("without every extra the list holds types that nothing here makes")
    needed = set()
    for name in models.MODELS:
        model = models.fit_model(name, tables[models.model_entry(name).needs], y, village, seed=0)
        needed |= set(sio.get_untrusted_types(data=sio.dumps(model)))
    plain = models.PlainModel("past_income", {"columns": ["income"]}, below_events=10_000)
    fallen = models.fit_model("logit", tables["features"], y, village, seed=0, fallback=plain)
    needed |= set(sio.get_untrusted_types(data=sio.dumps(fallen)))
    assert needed == set(models.trusted_types())


def test_a_type_outside_the_list_is_refused():
    model = models.PenalisedLogit().fit([[0.0], [1.0]], [0, 1])
    model.extra_ = pd.Timedelta(1, "s")
    with pytest.raises((TypeError, sio.exceptions.UntrustedTypesFoundException)):
        sio.loads(sio.dumps(model), trusted=models.trusted_types())


def test_the_parameters_stand_in_get_params_and_clone(fitted):
    _, model, X, y, village = fitted
    copy = clone(model)
    assert not hasattr(copy, "interval_")
    copy.fit(X, y, groups=village)
    assert copy.margin(X).tobytes() == model.margin(X).tobytes()


def test_one_class_only_is_refused_with_the_mend(county):
    tables, _, village = county
    for name in INSTALLED:
        with pytest.raises(ValueError, match="one class only"):
            models.fit_model(name, tables[models.model_entry(name).needs], np.zeros(1200), village, seed=0)


def test_the_informative_columns_are_used(fitted):
    # The process is known: ranking by its true risk has AUC near 0.8, noise has 0.5.
    from sklearn.metrics import roc_auc_score

    name, model, X, y, _ = fitted
    # Villages differ by chance only here, and the vulnerability has a proxy of income instead of income.
    least = {"past_income": 0.65, "village": 0.5, "vulnerability": 0.65}
    floor = 0.49 if models.model_entry(name).needs == "place" else 0.7
    assert roc_auc_score(y.astype(int), model.margin(X)) > least.get(name, floor)


@pytest.mark.parametrize(
    "name", [n for n in models.MODELS if models.model_entry(n).contributions == "linear"]
)
def test_own_contributions_add_up_to_the_margin(county, name):
    if not models.is_available(name):
        pytest.skip(f"the extra {models.model_entry(name).extra!r} is not installed")
    tables, y, village = county
    model = models.fit_model(name, tables["features"], y, village, seed=7)
    parts = model.contributions(tables["features"])
    assert parts.shape == tables["features"].shape
    assert model.base_value_ + parts.sum(axis=1) == pytest.approx(model.margin(tables["features"]), abs=1e-9)


@pytest.mark.parametrize(("name", "extra"), [("lightgbm", "boost"), ("ebm", "ebm")])
def test_a_missing_library_names_its_extra(county, name, extra, monkeypatch):
    import importlib

    from riskmodel.errors import UsageError

    def absent(module):
        raise ImportError(module)

    monkeypatch.setattr(importlib, "import_module", absent)
    tables, y, village = county
    with pytest.raises(UsageError, match=rf"riskmodel\[{extra}\]"):
        models.build_model(name).fit(tables["features"], y.astype(int), groups=village)


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


@pytest.mark.parametrize("name", ["boosting", "lightgbm", "ebm", "scorecard"])
def test_monotone_columns_move_the_margin_one_way_only(name):
    if not models.is_available(name):
        pytest.skip(f"the extra {models.model_entry(name).extra!r} is not installed")
    rng, X = frame(3000, 12)
    # Risk falls and then rises with a: without the constraint a model bends, with it it may not.
    y = (rng.random(3000) < expit(-2 + X["a"] ** 2)).astype(int)
    grid = pd.DataFrame({"a": np.linspace(-3, 3, 61), "b": 0.0, "c": 0.0})
    free = models.build_model(name).fit(X, y).margin(grid)
    bound = models.build_model(name, {"monotone": {"a": 1}}).fit(X, y).margin(grid)
    assert np.diff(bound).min() >= -1e-12
    # A card's bins are monotone of themselves; the constraint only says which way.
    assert name == "scorecard" or np.diff(free).min() < -0.01
    with pytest.raises(ValueError, match="unknown columns \\['z'\\]"):
        models.build_model(name, {"monotone": {"z": 1}}).fit(X, y)


@pytest.mark.parametrize("name", ["logit", "boosting", "lightgbm", "ebm"])
def test_weights_of_rare_events_move_the_margin_and_leave_calibrated_chances_where_they_were(name):
    if not models.is_available(name):
        pytest.skip(f"the extra {models.model_entry(name).extra!r} is not installed")
    rng, X = frame(4000, 22)
    village = rng.integers(0, 80, 4000)
    y = (rng.random(4000) < expit(-3.5 + X["a"])).astype(int)
    plain, heavy = (
        models.build_model(name, {"event_weight": w}).fit(X, y, groups=village) for w in (1.0, 10.0)
    )
    # Weighting events by ten adds ln 10 to the log-odds of a model that is right.
    assert np.median(heavy.margin(X) - plain.margin(X)) == pytest.approx(np.log(10), abs=0.35)
    # The calibrator sees rows as they are, so the rate is that of the county and not of the weights.
    both = models.fit_model(name, X, y, village, seed=0, params={"event_weight": 10.0})
    assert both.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.2)
    with pytest.raises(ValueError, match="event_weight=0"):
        models.build_model(name, {"event_weight": 0}).fit(X, y, groups=village)


def test_a_parameter_nearly_right_is_answered_with_the_right_one():
    with pytest.raises(SpecError, match=r"'boosting' has no parameter monoton; .*did you mean monotone"):
        models.check_parameters("boosting", {"monoton": "declared"})
    assert "monotone" in models.check_parameters("boosting", {"monotone": "declared"})
    assert models.check_parameters("rule-county-2020", {}) == models.check_parameters("rule", {})
