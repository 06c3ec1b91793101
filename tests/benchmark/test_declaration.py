"""What a benchmark may declare, and what is wrong with it where it may not."""

from pathlib import Path

import pytest

from riskmodel import benchmark, rules
from riskmodel.errors import SpecError
from riskmodel.models import MODELS
from riskmodel.runs.fitting import monotone_signs


def test_a_panel_like_another_takes_over_what_it_does_not_say():
    declared = {p.id: p for p in benchmark.load_benchmark("bench").panels}
    first, second = declared["default"], declared["poor-mountain"]
    assert second.model_params == first.model_params
    assert (second.profile, second.seed) != (first.profile, first.seed)


def test_wrong_declarations_name_what_is_wrong(tmp_path):
    path = Path(__file__).resolve().parents[2] / "experiments" / "bench.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new, said in (
        ("  - boosting\n", "  - forest\n", "forest"),
        ("like: default, id: poor-mountain", "like: nowhere, id: poor-mountain", "no earlier panel"),
        ("source: teen_poverty", "source: teen_poverty\n    experiment: county", "ready matrix"),
    ):
        wrong = tmp_path / "bench.yaml"
        assert old in text
        wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(SpecError, match=said):
            benchmark.load_benchmark(wrong)


def test_everything_the_issue_names_takes_part(small):
    # A model or rule set that is added to the package has to be put on the bench, or left out on purpose.
    assert set(small.models) == set(MODELS)
    assert set(small.rulesets) == {r for r in rules.available_rule_sets() if not r.startswith("relative-60")}
    declared = [(p.source, p.profile) for p in small.panels]
    simulated = {profile for source, profile in declared if source == "simulate"}
    assert simulated == {"default", "poor-mountain", "rich-plain", "disaster-year"}
    assert {source for source, _ in declared} == {"simulate", "eph", "wagepan", "teen_poverty"}
    for panel in small.panels:
        taking_part = set(small.models_of(panel))
        assert taking_part >= {"past_income", "scorecard", "logit", "boosting", "stack"}
        assert panel.with_rulesets == (panel.source == "simulate")


def test_every_rule_set_stands_twice_and_the_budget_is_the_benchs_own(small):
    panel = small.panels[0]
    exp = small.experiment_of(panel)
    assert {f"rule-{r}" for r in small.rulesets} <= set(exp.models)
    assert {f"conditions-{r}" for r in small.rulesets} <= set(exp.models)
    assert exp.budget.share == small.budget.share
    assert exp.model_params["hazard"] == {"duration": "years_since_lifted"}


def test_declared_directions_become_constraints(small):
    made = monotone_signs(small.experiment_of(small.panels[0]))
    # Less income is more risk, a sick member is more risk; a sex of the head has no declared direction.
    assert (made["pcni"], made["sick"]) == (-1, 1)
    assert "head_female" not in made
    assert small.params_of(small.panels[0])["scorecard"] == {"monotone": "declared"}
