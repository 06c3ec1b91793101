"""`simulate` as others call it: truth for what is asked, dirt with its log, published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from riskmodel.cli.app import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def told(*arguments: object) -> dict:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_truth_for_the_dates_horizons_and_sample_asked_for(tmp_path: Path) -> None:
    arguments = ["--households", 80, "--months", 30, "--futures", 20, "--truth-sample", 30]
    summary = told(
        "simulate", tmp_path, *arguments, "--truth-at", "2018-03-31", "--truth-at", "2018-06-30",
        "--horizon", 3, "--horizon", 6,
    )  # fmt: skip
    truth = pd.read_parquet(tmp_path / "truth.parquet")
    assert len(truth) == summary["truth_rows"]
    assert set(truth.horizon_months) == {3, 6}
    assert set(truth.as_of.astype(str)) == {"2018-03-31", "2018-06-30"}
    assert 25 <= truth.household_id.nunique() <= 30
    assert summary["rows"]["households"] >= 80


def test_dirt_is_scored_by_check(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "check"
    told("simulate", data, "--households", 60, "--months", 48, "--futures", 0, "--dirty", "default")
    summary = told("check", data, "--out", out, "--spoiled", data / "spoiled" / "spoiled.csv")
    by = {row["slip"]: row for row in summary["spoiled"]}
    assert by["duplicate"]["share"] == 1.0
    assert "(false alarms)" in by
    assert (out / "suspects.csv").is_file()


def test_validation_names_target_source_and_what_is_missed() -> None:
    summary = told("simulate", "--validate", "--households", 600, "--profile", "rich-plain")
    assert summary["fitted"] == 3
    for row in summary["targets"]:
        assert row["source"]
        assert row["profile"] == "rich-plain"
        assert row["met"] or row["why"]
    shown = run("simulate", "--validate", "--households", 600, "--profile", "rich-plain")
    assert "Rural Fujian" in shown.stdout
    assert "of 3 fitted" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "needs OUT"),
        (["OUT", "--dirty", "nowhere"], "no dirt profile 'nowhere'; known: default"),
        (["--validate", "--profile", "atlantis"], "no county profile 'atlantis'"),
        (["OUT", "--truth-at", "2018-06-15"], "truth is known at month ends only"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str], says: str, tmp_path: Path) -> None:
    given = [str(tmp_path / "out") if a == "OUT" else a for a in arguments]
    done = run("simulate", *given)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
