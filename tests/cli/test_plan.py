"""The verb that plans visits: what it tells is what the functions give; what cannot be planned is refused."""

import json

import pytest
from typer.testing import CliRunner

from riskmodel import evaluation
from riskmodel.cli.app import app


def told(*arguments, code=0):
    done = CliRunner().invoke(app, ["plan", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done


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
    made = json.loads(told(*args, "--lift", 3, "--out", tmp_path / "plan.csv", "--json").stdout)
    effect = evaluation.design_effect(5, 0.05)
    assert made["design_effect"] == effect
    (row,) = made["plan"]
    assert row["power"] == pytest.approx(evaluation.precision_power(0.01, 500, 3, effect=effect))
    # Three hundred events in a hundred villages; thirty in a hundred on one list only, the assumption.
    small = evaluation.smallest_difference(300, 0.3, effect=evaluation.design_effect(3, 0.05))
    assert made["smallest_difference"] == pytest.approx(small)
    assert (tmp_path / "plan.csv").is_file()
    assert f"{100 * small:.1f} points" in told(*args).stdout


def test_what_cannot_be_planned_is_refused_with_the_mend():
    assert "--villages" in told("--base-rate", 0.01, "--visits", 9, "--correlation", 0.1, code=2).stderr
    assert "below 2" in told("--base-rate", 0.5, "--visits", 9, "--lift", 3, code=2).stderr
