"""`simulate` and `check` as others call them: truth, dirt with its log, published figures, what was read."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from riskmodel.runs import read_truth
from riskmodel.simulate import lower_bound

from .conftest import run, told


def test_check_says_what_was_read(data: Path, work: Path) -> None:
    summary = told("check", data, "--out", work / "check")
    assert summary["refused"] is False
    assert len(summary["data_fingerprint"]) == 64
    assert (work / "check" / "rejected.csv").is_file()


def test_a_county_that_was_not_simulated_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "visits.csv").write_text(
        "household_id,date,outcome\nA,2021-01-01,confirmed\n", encoding="utf-8"
    )
    done = run("simulate", tmp_path, "--households", 20, "--months", 24, "--futures", 0)
    assert done.exit_code == 1
    assert "were not simulated (visits.csv)" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["visits.csv"]
    (tmp_path / "about.yaml").write_text("simulated: {seed: 1}\n", encoding="utf-8")
    assert run("simulate", tmp_path, "--households", 20, "--months", 24, "--futures", 0).exit_code == 0


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


def test_what_records_can_tell_is_written_beside_the_truth_and_never_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learner(exp, asked, county, truth, say):  # type: ignore[no-untyped-def]
        assert county.has("income")
        rows = truth.loc[truth.event == "below_line", ["household_id", "as_of", "horizon_months", "event"]]
        return rows.iloc[1:].assign(chance=0.25, households=24_000, columns=315)

    monkeypatch.setattr(lower_bound, "lower_bound_chances", learner)
    arguments = ["simulate", tmp_path, "--households", 20, "--months", 24, "--futures", 5]
    summary = told(*arguments, "--truth-at", "2017-12-31", "--bracket")
    truth = read_truth(tmp_path)
    assert truth is not None
    rows = truth[truth.event == "below_line"]
    assert summary["lower_bound"] == {"rows": len(rows) - 1, "households": 24_000, "columns": 315}
    assert truth.learned_chance.notna().sum() == len(rows) - 1
    assert set(truth.learned_columns.dropna()) == {315}
    assert (tmp_path / "lower_bound.parquet").is_file()
    # Another county in the same folder has households of the same names: the file must not stand for them.
    assert "lower_bound" not in told(*arguments, "--seed", 1)
    assert not (tmp_path / "lower_bound.parquet").exists()
    assert "learned_chance" not in read_truth(tmp_path)
    done = run("simulate", tmp_path, "--futures", 0, "--bracket")
    assert (done.exit_code, "needs --futures above 0" in done.stderr) == (2, True)


def test_the_register_goes_by_the_rule_set_that_is_named(tmp_path: Path) -> None:
    """County-2020 flags any lifted household whose income fell by half: more are visited by rule."""
    visits = {}
    for name in ("default", "county-2020"):
        arguments = ["--households", 300, "--months", 36, "--futures", 0]
        arguments += ["--register", name] if name != "default" else []
        summary = told("simulate", tmp_path / name, *arguments)
        about = yaml.safe_load((tmp_path / name / "about.yaml").read_text(encoding="utf-8"))
        assert summary["register"] == about["simulated"]["register"] == name
        visits[name] = pd.read_parquet(tmp_path / name / "visits.parquet").selected_by.eq("rule").sum()
    assert visits["county-2020"] > 1.2 * visits["default"] > 0


def test_dirt_is_scored_by_check(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "check"
    told("simulate", data, "--households", 60, "--months", 48, "--futures", 0, "--dirty", "default")
    summary = told("check", data, "--out", out, "--spoiled", data / "spoiled" / "spoiled.csv")
    by = {row["slip"]: row for row in summary["spoiled"]}
    assert by["duplicate"]["share"] == 1.0
    assert "(false alarms)" in by
    assert (out / "suspects.csv").is_file()
    # Sixty households are too few for a heap to show: said, not passed over.
    assert summary["heaps"] == {"looks": 0, "smallest_p": None, "warned": [], "listed": 0}
    assert (
        (by["heaped"]["found"], by["heaped"]["why"][:13]) == (0, "no single row") if "heaped" in by else True
    )


def test_a_heap_at_the_line_is_warned_of_and_scored(tmp_path: Path) -> None:
    """Every household-year up to a third above the line is written below it: that shows even in 300."""
    slips = dict.fromkeys(
        ("missing_month", "times_ten", "wan", "annual", "duplicate", "swapped"), "{share: 0}"
    )
    late = dict.fromkeys(("late", "corrected"), "{share: 0, mean_days: 1}")
    rates = {**slips, **late, "heaped": "{share: 1.0, above: 0.3, below: 0.02}"}
    dirt = tmp_path / "heaped.yaml"
    dirt.write_text("id: heaped\n" + "".join(f"{k}: {v}\n" for k, v in rates.items()), encoding="utf-8")
    data, out = tmp_path / "data", tmp_path / "check"
    made = [
        "--households",
        400,
        "--months",
        48,
        "--futures",
        0,
        "--dirty",
        dirt,
        "--profile",
        "poor-mountain",
    ]
    told("simulate", data, *made)
    done = run(
        "check", data, "--out", out, "--spoiled", data / "spoiled/spoiled.csv", "--line", 9000, "--json"
    )
    assert done.exit_code == 0, done.stderr
    assert "incomes are heaped just below 6000 yuan (national-2021)" in done.stderr
    summary = json.loads(done.stdout)
    assert {row["threshold"] for row in summary["heaps"]["warned"]} == {"national-2021"}
    by = {row["slip"]: row for row in summary["spoiled"]}
    assert by["heaped"]["share"] > 0.9
    assert (
        summary["heaps"]["listed"] == by["heaped"]["found"] + by["(in a heap, as true as written)"]["found"]
    )
    tests = pd.read_csv(out / "heaps.csv")
    assert set(tests.threshold) == {"national-2021", "9000"}
    assert "heaped.csv" in (out / "quality.md").read_text(encoding="utf-8")


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
        (["OUT", "--register", "lueyang-2021"], "before_previous_pcni cannot be seen here; these can: anhui"),
        (["OUT", "--register", "nowhere"], "nowhere"),
        (["OUT", "--truth-at", "2018-06-15"], "truth is known at month ends only"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str], says: str, tmp_path: Path) -> None:
    given = [str(tmp_path / "out") if a == "OUT" else a for a in arguments]
    done = run("simulate", *given)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()
