"""All that is wrong with an experiment is said at once."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel.cli.app import app
from riskmodel.data import About, County, from_frames
from riskmodel.errors import SpecError
from riskmodel.runs import check_experiment, load_experiment

EXPERIMENT = """
id: own
title: {zh: 一, en: one}
cohort: [never_below]
ruleset: relative-60-yearly
feature_set: set.yaml
horizon: {months: 12}
as_of: {dates: [2010-12-31, 2011-12-31]}
split: {train_until: 2011-12-31, test_from: 2011-12-31}
models: [rule, logit]
champion: logit
budget: {visits: 1}
"""
SET = """
format: 1
id: own
version: 1
zh: 一
en: one
line: {value: 1000, source: made by hand}
features:
  - {id: a, from: indicators, aggregate: last, column: rooms, known_on: recorded_on, missing: null_if_none, unit: count, zh: 一, en: one}
  - {id: b, from: accounts, aggregate: last, column: pcni, known_on: recorded_on, missing: null_if_none, unit: count, zh: 一, en: one}
"""  # noqa: E501


def written(folder: Path, experiment: str = EXPERIMENT, feature_set: str | None = SET) -> Path:
    folder.mkdir(exist_ok=True)
    if feature_set is not None:
        (folder / "set.yaml").write_text(feature_set, encoding="utf-8")
    (folder / "own.yaml").write_text(experiment, encoding="utf-8")
    return folder / "own.yaml"


def county() -> County:
    income = pd.DataFrame(
        {"household_id": "h", "month_from": ["2010-01", "2011-01"], "month_to": ["2010-12", "2011-12"],
         "source": "wage", "amount": 2000.0}
    )  # fmt: skip
    one = {"household_id": ["h"], "valid_from": "2010-01-01"}
    households = pd.DataFrame(one | {"township": "t", "village": "v", "registration": "general"})
    members = pd.DataFrame(one | {"member_id": "m", "birth_month": "1980-01"})
    frames = {"households": households, "members": members, "income": income}
    return from_frames(frames, About(income_is_net=True, entry_lag_months=0))


def test_a_sound_experiment_has_no_fault(tmp_path: Path) -> None:
    assert check_experiment(written(tmp_path)) == []
    assert check_experiment("wagepan-entry") == []


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    wrong = EXPERIMENT.replace("never_below", "nobody").replace("logit]", "logti]")
    wrong = wrong.replace("yearly", "weekly").replace("budget", "bugdet")
    features = SET.replace("aggregate: last, column: rooms", "aggregate: sum, column: rooms")
    features = features.replace("column: pcni", "lag: 1")
    found = check_experiment(written(tmp_path, wrong, features))
    said = "\n".join(f"{f.part}: {f.text}" for f in found)
    for words in (
        "experiment: .*bugdet",
        "experiment: .*budget: required",
        "ruleset: .*relative-60-weekly", r"feature_set: .*features.0 \(a\): aggregate: 'sum'",
        r"feature_set: .*features.1 \(b\): column",
    ):  # fmt: skip
        assert pd.Series([said]).str.contains(words).all(), (words, said)


def test_data_are_held_against_it(tmp_path: Path) -> None:
    found = check_experiment(written(tmp_path), county())
    assert found[0].part == "data"
    assert "no table indicators, of which 1 items are asked for: rooms" in found[0].text
    grouped = EXPERIMENT + "groups: [urban]\n"
    said = [fault.text for fault in check_experiment(written(tmp_path, grouped), county())]
    assert "groups: indicators have no item 'urban'" in said


def test_the_verb_exits_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, EXPERIMENT.replace("never_below", "nobody"))
    done = CliRunner().invoke(app, ["experiment", "check", str(file), "--json"])
    assert done.exit_code == 1
    assert [f["part"] for f in json.loads(done.stdout)["faults"]] == ["experiment"]
    assert CliRunner().invoke(app, ["experiment", "check", "wagepan-entry"]).exit_code == 0


def test_files_are_found_beside_the_experiment_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "here")
    assert load_experiment(file).feature_set == str(tmp_path / "here" / "set.yaml")
    # As it was: from the working folder, with a warning.
    other = written(tmp_path / "there", feature_set=None)
    (tmp_path / "set.yaml").write_text(SET, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="feature_set: set.yaml is found from the working folder"):
        assert load_experiment(other).feature_set == "set.yaml"
    (tmp_path / "set.yaml").unlink()
    with pytest.raises(SpecError, match=r"feature_set: no file 'set.yaml' beside the experiment"):
        load_experiment(other)


def test_weights_of_a_sample_and_of_visits_do_not_go_together(tmp_path: Path) -> None:
    both = EXPERIMENT + "weighted: true\nevents: [confirmed]\n"
    with pytest.raises(SpecError, match="findings of visits have weights of their own"):
        load_experiment(written(tmp_path, both))
    plain, weighted = (
        load_experiment(written(tmp_path / name, text))
        for name, text in (("a", EXPERIMENT), ("b", EXPERIMENT + "weighted: true\n"))
    )
    assert weighted.weighted
    assert plain.digest != weighted.digest
