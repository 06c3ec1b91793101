"""Names, needs and refusals of the declared table of models."""

import pytest

from riskmodel import models
from riskmodel.errors import SpecError


def test_every_entry_makes_an_estimator_under_its_own_name():
    for name, entry in models.MODELS.items():
        assert entry.name == name
        assert entry.zh
        assert entry.en
        model = models.make(name, seed=3)
        assert model.get_params().get("random_state", 3) == 3
        # An explained model either has its own contributions or trees; the others have neither.
        assert entry.explained == (entry.contributions != "none")
        assert hasattr(model, "contributions") == (entry.contributions == "linear")


def test_parameters_are_passed_and_unknown_ones_refused():
    assert models.make("logit").C == "cv"
    assert models.make("logit", {"C": 0.5}).C == 0.5
    assert models.make("past_income", {"columns": ["pcni"]}).columns == ["pcni"]
    assert models.make("boosting", {"random_state": 9}, seed=1).random_state == 9
    with pytest.raises(SpecError, match="model 'logit' has no parameter depth; it takes: C, "):
        models.make("logit", {"depth": 3})
    with pytest.raises(SpecError, match="no model 'forest'; known: rule, past_income, permanent_income"):
        models.make("forest")
