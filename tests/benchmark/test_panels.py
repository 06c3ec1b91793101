"""Panels: what may be declared, what is wrong with it where it may not, and what each takes part with."""

import dataclasses
from pathlib import Path

import pytest

from riskmodel import benchmark, rules
from riskmodel.errors import SpecError
from riskmodel.models import MODELS
from riskmodel.runs.fitting import monotone_signs

BENCH = benchmark.load_benchmark("bench")


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
        ("leave_out: [relative-60-monthly", "leave_out: [absolute", "leave_out: absolute: no such model"),
        ("like: default, id: poor-mountain", "like: nowhere, id: poor-mountain", "no earlier panel"),
        ("source: teen-poverty", "source: teen_poverty", "no source 'teen_poverty'"),
        ("experiment: teen-poverty", "short_of: all", "short_of"),
    ):
        wrong = tmp_path / "bench.yaml"
        assert old in text
        wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(SpecError, match=said):
            benchmark.load_benchmark(wrong)


def test_everything_the_issue_names_takes_part(small):
    # A model or rule set that is added to the package is on the bench without being named.
    assert set(small.models) == set(MODELS)
    assert small.models[:3] == ("rule", "past_income", "permanent_income")
    assert set(small.rulesets) == {r for r in rules.available_rule_sets() if not r.startswith("relative-60")}
    declared = [(p.source, p.profile) for p in small.panels]
    simulated = {profile for source, profile in declared if source == "simulate"}
    assert simulated == {"default", "poor-mountain", "rich-plain", "disaster-year"}
    assert {source for source, _ in declared} == {"simulate", "eph", "wagepan", "teen-poverty"}
    for panel in small.panels:
        taking_part = set(small.models_of(panel))
        assert taking_part >= {"past_income", "scorecard", "logit", "boosting", "stack"}
        assert panel.with_rulesets == (panel.source == "simulate")


def test_a_registered_model_takes_part_without_being_named():
    entry = dataclasses.replace(MODELS["village"], name="another", order=1)
    with MODELS.including(entry):
        assert set(benchmark.load_benchmark("bench").models) == {*BENCH.models, "another"}
        # Those that the file names stand first, in its order.
        assert benchmark.load_benchmark("bench").models[:3] == BENCH.models[:3]
    assert benchmark.load_benchmark("bench").models == BENCH.models


def test_every_rule_set_stands_twice_and_the_budget_is_the_benchs_own(small):
    panel = small.panels[0]
    exp = small.experiment_of(panel)
    assert {f"rule-{r}" for r in small.rulesets} <= set(exp.models)
    assert {f"conditions-{r}" for r in small.rulesets} <= set(exp.models)
    assert exp.budget.share == small.budget.share
    assert exp.model_params["run_rates"] == {"columns": ["run_rate_1", "run_rate_3", "run_rate_6"]}
    surveyed = next(p for p in small.panels if p.id == "wagepan-entry")
    assert small.experiment_of(surveyed).model_params["hazard"] == {"duration": "experience_years"}


def test_declared_directions_become_constraints(small):
    made = monotone_signs(small.experiment_of(small.panels[0]))
    # Less income is more risk, a sick member is more risk; costs of production have no declared direction.
    assert (made["pcni_log"], made["sick"]) == (-1, 1)
    assert "costs_log" not in made
    assert small.params_of(small.panels[0])["scorecard"] == {"monotone": "declared"}
