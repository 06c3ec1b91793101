"""The gate: a model takes charge only where it is shown to be no worse than the best simple order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson
from tests.declarations import plain_county

from riskmodel.data import County
from riskmodel.evaluation import poisson_interval
from riskmodel.runs import Experiment, tracking, train
from riskmodel.runs.experiment import Gate
from riskmodel.runs.gate import judge_champion

DATES = pd.to_datetime(["2020-03-31", "2020-06-30"])
VILLAGES = 40


def experiment(**changes: object) -> Experiment:
    exp = plain_county().model_copy(update={"models": ("rule", "past_income", "logit"), "gate": Gate()})
    return exp.model_copy(update=changes)


def predictions(
    *,
    logit: float = 0.0,
    income: float = 0.0,
    households: int = 4000,
    inflate: float = 1.0,
    rate: float = 0.05,
) -> pd.DataFrame:
    """Test rows whose scores see the event by so many standard deviations."""
    rng = np.random.default_rng(1)
    parts = []
    for day in DATES:
        y = (rng.random(households) < rate).astype(float)
        facts = pd.DataFrame({
            "household_id": [f"H{i:05d}" for i in range(households)], "as_of": day, "fold": str(day.date()),
            "township": "T", "village": [f"V{i % VILLAGES:02d}" for i in range(households)], "persons": 3,
            "flagged": rng.random(households) < 0.02, "rule_rank": rng.permutation(households) + 1, "y": y,
            "group_no_labour": np.where(rng.random(households) < 0.3, "yes", "no"),
        })  # fmt: skip
        for name, strength in (("rule", 0.0), ("past_income", income), ("logit", logit)):
            score = rng.normal(size=households) + strength * y
            parts.append(facts.assign(model=name, score=score, probability=inflate * rate))
    return pd.concat(parts, ignore_index=True)


def held(found: pd.DataFrame, exp: Experiment | None = None) -> dict[str, bool]:
    return {check.id: check.passed for check in judge_champion(exp or experiment(), found).checks}


def test_a_model_that_sees_more_takes_charge() -> None:
    result = judge_champion(experiment(), predictions(logit=2.5, income=1.0))
    assert result.passed
    assert result.model == "logit"
    assert all(check.passed for check in result.checks)
    assert result.as_of == DATES[-1]


def test_a_worse_model_is_refused_and_the_best_simple_order_makes_the_list() -> None:
    result = judge_champion(experiment(), predictions(logit=0.5, income=2.5))
    assert not result.passed
    assert result.model == "past_income"
    assert "past income" in result.message.text("en")
    assert "不差于" in result.message.text("zh")


def test_too_little_data_to_show_it_is_refused_though_the_model_is_the_better_one() -> None:
    small = predictions(logit=2.0, income=1.8, households=600)
    assert held(small) == {
        "outcomes": True, "recall": False, "calibration": True, "groups": True, "leakage": True,
    }  # fmt: skip
    assert not held(predictions(logit=2.5, households=100))["outcomes"]


def test_nobody_fell_is_no_proof() -> None:
    result = judge_champion(experiment(), predictions().assign(y=0.0))
    assert not result.passed
    assert not held(predictions().assign(y=0.0))["recall"]


def test_households_of_unknown_outcome_keep_their_places() -> None:
    found = predictions(logit=2.5, income=1.0)
    unknown = found["household_id"] < "H01000"
    assert not held(found.assign(y=found["y"].mask(unknown)))["outcomes"]


@pytest.mark.parametrize(("inflate", "passed"), [(1.0, True), (0.3, False), (3.0, False)])
def test_the_level_is_checked_from_both_sides(inflate: float, passed: bool) -> None:
    assert held(predictions(logit=2.5, inflate=inflate))["calibration"] is passed


def test_a_group_that_is_given_up_is_named() -> None:
    found = predictions(logit=2.5, income=1.5)
    given_up = found["model"].eq("logit") & found["group_no_labour"].eq("yes")
    found.loc[given_up, "score"] -= 20
    result = judge_champion(experiment(), found)
    assert not {c.id: c for c in result.checks}["groups"].passed
    assert "nobody able to work" in {c.id: c for c in result.checks}["groups"].message.text("en")


def test_a_suspected_column_is_named() -> None:
    leaks = pd.DataFrame({"column": ["written_after"], "suspected": [True]})
    result = judge_champion(experiment(), predictions(logit=2.5), leaks)
    assert not result.passed
    assert "written_after" in result.message.text("en")


def test_the_latest_date_alone_judges() -> None:
    """A model that shone earlier and fails now is refused; the simple order is chosen on the earlier date."""
    early, late = predictions(logit=3.0), predictions(logit=0.0, income=2.0)
    mixed = pd.concat([early[early["as_of"] == DATES[0]], late[late["as_of"] == DATES[1]]])
    assert not judge_champion(experiment(), mixed).passed
    assert judge_champion(experiment(), pd.concat([
        late[late["as_of"] == DATES[0]], early[early["as_of"] == DATES[1]]
    ])).passed  # fmt: skip


def test_without_a_simple_order_nobody_takes_charge() -> None:
    found = predictions(logit=2.5)
    result = judge_champion(experiment(models=("logit",)), found[found["model"] == "logit"])
    assert result.model is None
    assert "past_income" in result.message.text("en")


def test_a_simple_order_and_an_experiment_without_gate_have_nothing_to_show() -> None:
    found = predictions()
    assert judge_champion(experiment(champion="past_income"), found).passed
    assert judge_champion(experiment(gate=None), found).checks == ()


@pytest.mark.parametrize("events", [0, 3, 40])
def test_poisson_interval_holds_what_its_ends_reject(events: int) -> None:
    low, high = poisson_interval(events)
    assert poisson.cdf(events, high) == pytest.approx(0.025)
    assert not events or poisson.sf(events - 1, low) == pytest.approx(0.025)


def test_a_refused_model_is_registered_as_challenger_and_the_simple_order_scores(
    county: County, tmp_path: Path
) -> None:
    store = tmp_path / "mlflow.db"
    exp = plain_county().model_copy(
        update={"models": ("rule", "past_income", "logit"), "gate": Gate(), "bootstrap": 20}
    )
    trained = train(exp, county, store)
    assert not trained.gate.passed  # 500 households cannot show it
    assert tracking.require_model("county@champion", store).kind == trained.gate.model == "past_income"
    assert tracking.require_model("county@challenger", store).kind == "logit"
    assert trained.summary["gate"]["in_charge"] == "past_income"
