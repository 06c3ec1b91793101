"""Names, needs and refusals of the declared table of models."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import skops.io as sio

from riskmodel import models
from riskmodel.errors import SpecError
from riskmodel.presentation import line_style
from riskmodel.runs import Experiment, is_simple, load_experiment


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
    with pytest.raises(SpecError, match="no model 'forest'; known: rule, past_income, permanent_income"):
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
    declared = load_experiment("county").model_dump()
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
    with pytest.raises(ValueError, match=r"models .*constant.*: allowed are"):
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
