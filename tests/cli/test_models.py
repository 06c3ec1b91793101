"""Verbs of analysts: features, training and comparison; a plan of visits is what the functions give."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel import evaluation, simulate

from .conftest import AS_OF, run, told

MODELS = ["rule", "past_income", "village", "run_rate", "run_rates", "logit", "mean", "boosting"]
TRAIN = [
    "model",
    "auc",
    "auc_low",
    "auc_high",
    "average_precision",
    "brier",
    "calibration_slope",
    "recall_at_budget",
    "precision_at_budget",
    "n_test",
    "base_rate",
]


def test_features_for_several_dates(data: Path, work: Path) -> None:
    out = work / "features.parquet"
    summary = told(
        "features",
        data,
        "--feature-set",
        "household-v1",
        "--as-of",
        "2019-12-31",
        "--as-of",
        AS_OF,
        "--out",
        out,
    )
    frame = pd.read_parquet(out)
    assert summary["features"] >= 150
    assert frame["as_of"].nunique() == 2
    assert not frame.duplicated(["household_id", "as_of"]).any()


def test_train_prints_the_contracts_summary(trained: dict) -> None:
    assert list(trained) == ["run_id", "experiment", "models", "gate"]
    assert [m["model"] for m in trained["models"]] == MODELS
    for row in trained["models"]:
        assert list(row) == TRAIN
        assert row["auc_low"] <= row["auc"] <= row["auc_high"]
        assert row["auc"] < 0.95  # above that it would be a leak until shown otherwise


def test_evaluate_judges_another_county_and_refuses_the_one_it_learned_from(
    trained: dict, data: Path, work: Path
) -> None:
    made = simulate.simulate_county(households=300, months=48, seed=31, truth_at=[], profile="poor-mountain")
    simulate.write_simulated_county(made, work / "elsewhere")
    model = ("--model", f"county@{trained['models'][1]['model']}", "--store", work / "mlflow.db")
    dates = ("--as-of", "2018-12-31", "--as-of", "2019-06-30", "--out", work / "evaluated")
    summary = told("evaluate", work / "elsewhere", *model, *dates)
    assert {row["county"] for row in summary["figures"]} == {"elsewhere"}
    for name in ("figures", "case_mix", "net_benefit", "pooled", "evidence"):
        assert (work / "evaluated" / f"{name}.csv").is_file()
    own = run("evaluate", data, *model, *dates)
    assert own.exit_code != 0
    assert "trained on" in own.stderr


def test_compare_tells_the_pooled_verdict(trained: dict, work: Path) -> None:
    summary = told("compare", trained["run_id"], "--store", work / "mlflow.db")
    rows = [r for r in summary["runs"][0]["comparison"] if r["scope"] == "pooled" and r["at"] == "budget"]
    assert {r["model"] for r in rows} == set(MODELS) - {"rule"}
    for r in rows:
        assert r["both"] + r["baseline_only"] + r["model_only"] + r["neither"] == r["n_events"]
        assert r["verdict"] in {"model", "baseline", "none"}


def test_the_plan_is_what_the_functions_say(tmp_path):
    args = (
        "--base-rate",
        0.01,
        "--visits",
        500,
        "--villages",
        100,
        "--correlation",
        0.05,
        "--households",
        30000,
    )
    made = told("plan", *args, "--lift", 3, "--out", tmp_path / "plan.csv")
    effect = evaluation.design_effect(5, 0.05)
    assert made["design_effect"] == effect
    (row,) = made["plan"]
    assert row["power"] == pytest.approx(evaluation.precision_power(0.01, 500, 3, effect=effect))
    # Three hundred events in a hundred villages; thirty in a hundred on one list only, the assumption.
    small = evaluation.smallest_difference(300, 0.3, effect=evaluation.design_effect(3, 0.05))
    assert made["smallest_difference"] == pytest.approx(small)
    assert (tmp_path / "plan.csv").is_file()
    assert f"{100 * small:.1f} points" in run("plan", *args).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--base-rate", 0.01, "--visits", 9, "--correlation", 0.1), "--villages"),
        (("--base-rate", 0.5, "--visits", 9, "--lift", 3), "below 2"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_mend(arguments, says):
    done = run("plan", *arguments)
    assert done.exit_code == 2
    assert says in done.stderr
