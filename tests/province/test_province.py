"""A province is its counties, each as if it were alone; what fails fails alone, what stands is kept."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import features, models, province, scoring, simulate
from riskmodel.cli.app import app
from riskmodel.data import read_county
from riskmodel.errors import InputRefused, UsageError
from riskmodel.io import Checkpoints, file_digest, limit_resources, resource_limits, write_table
from riskmodel.province import county_run, engines
from riskmodel.runs import LoadedModel
from riskmodel.runs.training import reference_contributions

AS_OF = "2019-12-31"
SMALL = Path(__file__).parents[1] / "month" / "small.yaml"
NAMES = ("东山县", "西川县")
COMMON = ("--as-of", AS_OF)


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def counties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("province") / "counties"
    for seed, name in enumerate(NAMES):
        made = simulate.simulate_county(households=60, months=36, seed=seed, truth_at=[])
        simulate.write_simulated_county(made, folder / name)
    return folder


@pytest.fixture(scope="module")
def alone(counties: Path) -> Path:
    """Each county by the verbs of single counties."""
    out = counties.parent / "alone"
    for name in NAMES:
        rules = ("rules", counties / name, "--ruleset", "national-2021", *COMMON)
        features = ("features", counties / name, "--feature-set", SMALL, *COMMON)
        for verb in (
            (*rules, "--out", out / name / "rules.parquet"),
            (*features, "--out", out / name / "features.parquet"),
        ):
            done = call(*verb)
            assert done.exit_code == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def whole(counties: Path, alone: Path) -> Path:
    """The province, in processes of its own; what the verbs compiled before serves them."""
    out = counties.parent / "whole"
    done = call("province", counties, *COMMON, "--feature-set", SMALL, "--out", out, "--jobs", 2, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["counties"], told["done"], told["failed"]) == (2, 2, {})
    return out


def here(tasks: Any, jobs: int, limits: Any, report: Any) -> None:
    """Run counties in this process."""
    for task in tasks:
        report(county_run.run_county(task))


def light(task: Any, data: Path) -> Any:
    """Steps that only copy what they read."""
    target = task.out / "rules.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(data / "households.parquet", target)
    return [target], {"households": len(pd.read_parquet(target)), "doubts": {"a": 1}}, []


@pytest.fixture
def lightly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "local", here)
    monkeypatch.setattr(county_run, "_steps", light)


def test_every_county_is_byte_for_byte_as_if_it_were_alone(whole: Path, alone: Path) -> None:
    for name in NAMES:
        for file in ("rules.parquet", "features.parquet"):
            assert (whole / "counties" / name / file).read_bytes() == (alone / name / file).read_bytes()
        verdicts = pd.read_parquet(whole / "counties" / name / "rules.parquet")
        # What a province could lose most easily is there: lag, doubts, bounds, other readings.
        assert {"lag_months", "doubts", "pcni_low", "pcni_high", "verdict_depends", "flagged_if"} <= set(
            verdicts
        )
        assert len(verdicts) == 60
        assert (verdicts["lag_months"] > 0).any()


def test_the_manifest_and_the_summary_say_what_there_is(whole: Path) -> None:
    manifest = json.loads((whole / "manifest.json").read_text(encoding="utf-8"))
    assert [one["county"] for one in manifest["counties"]] == list(NAMES)
    for one in manifest["counties"]:
        assert one["state"] == "done"
        assert one["seconds"] > 0
        folder = whole / "counties" / one["county"]
        assert {"rules.parquet", "features.parquet", "check/quality.json"} <= set(one["files"])
        assert all(file_digest(folder / name) == digest for name, digest in one["files"].items())
    verdicts = [pd.read_parquet(whole / "counties" / name / "rules.parquet") for name in NAMES]
    both = pd.concat(verdicts)
    summary = json.loads((whole / "summary.json").read_text(encoding="utf-8"))
    totals = summary["totals"]
    assert totals["households"] == len(both) == 120
    assert totals["flagged"] == both["flagged"].sum()
    assert totals["unknown"] == both["pcni"].isna().sum() == sum(totals["unknown_by_reason"].values())
    assert totals["late"] == (both["lag_months"] > 0).sum()
    assert totals["depends"] == both["verdict_depends"].sum()
    assert totals["doubtful"] == (both["doubts"].fillna("") != "").sum()
    assert totals["categories"] == both["category"].value_counts().to_dict()
    for lang, word in (("zh", "全省合计"), ("en", "The province")):
        table = pd.read_csv(whole / f"summary.{lang}.csv", encoding="utf-8-sig")
        assert table["county"].tolist() == [*NAMES, word]
        assert table["households"].tolist() == [60, 60, 120]
        sheet = openpyxl.load_workbook(whole / f"summary.{lang}.xlsx").worksheets[0]
        assert word in [row[0].value for row in sheet.iter_rows()]
    assert summary["words"]["flagged"]["zh"] == "规则判定户数"


def test_what_stands_is_kept_and_only_what_changed_runs_again(
    counties: Path, tmp_path: Path, lightly: None
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(counties, data)
    states = lambda result: [record["state"] for record in result.records]  # noqa: E731
    first = province.run_province(data, AS_OF, out, feature_set=SMALL)
    assert states(first) == ["done", "done"]
    again = province.run_province(data, AS_OF, out, feature_set=SMALL)
    assert states(again) == ["kept", "kept"]
    assert all(record["files"] for record in again.records)
    # Other data, a file of ours that was touched, another day: each runs again, and nothing else.
    frame = pd.read_parquet(data / NAMES[0] / "households.parquet")
    frame.iloc[1:].to_parquet(data / NAMES[0] / "households.parquet")
    changed = province.run_province(data, AS_OF, out, feature_set=SMALL)
    assert states(changed) == ["done", "kept"]
    assert changed.totals["households"] == first.totals["households"] - 1
    (out / "counties" / NAMES[1] / "rules.parquet").write_bytes(b"spoilt")
    assert states(province.run_province(data, AS_OF, out, feature_set=SMALL)) == ["kept", "done"]
    assert states(province.run_province(data, "2019-11-30", out, feature_set=SMALL)) == ["done", "done"]


def test_a_county_that_fails_fails_alone_and_nothing_old_of_it_stays(
    counties: Path, tmp_path: Path, lightly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(counties, data)
    province.run_province(data, AS_OF, out, feature_set=SMALL)

    def failing(task: Any, folder: Path) -> Any:
        if task.source.name == NAMES[0]:
            raise KeyError("王某某 13800001111")
        return light(task, folder)

    monkeypatch.setattr(county_run, "_steps", failing)
    (data / NAMES[0] / "more.csv").write_text("new\n", encoding="utf-8")
    call_of = ("province", data, *COMMON, "--feature-set", SMALL, "--out", out)
    done = call(*call_of)
    assert done.exit_code == 1
    assert f"{NAMES[0]} failed: a fault of ours: KeyError" in done.stderr
    manifest = (out / "manifest.json").read_text(encoding="utf-8")
    assert [one["state"] for one in json.loads(manifest)["counties"]] == ["failed", "kept"]
    # Another's message may hold a cell: nothing of it is written down.
    assert not [p for p in out.rglob("*") if p.is_file() and b"13800001111" in p.read_bytes()]
    assert not (out / "counties" / NAMES[0] / "rules.parquet").exists()
    table = pd.read_csv(out / "summary.zh.csv", encoding="utf-8-sig")
    assert table["households"].isna().tolist() == [True, False, False]
    assert "1" in table["state"].iloc[-1]
    monkeypatch.setattr(county_run, "_steps", light)
    assert [r["state"] for r in province.run_province(data, AS_OF, out, feature_set=SMALL).records] == [
        "done",
        "kept",
    ]


def test_a_county_without_a_household_at_the_day_is_an_error(counties: Path, tmp_path: Path) -> None:
    settings = province.ProvinceSettings("2010-01-31", *declarations())
    source = province.find_counties(counties)[0]
    record = province.run_county(province.CountyTask(source, source.digest, tmp_path, settings))
    assert record["state"] == "failed"
    assert "no household is known at 2010-01-31" in record["error"]
    assert Checkpoints(tmp_path).read(county_run.STEP) is None


def declarations() -> tuple[Any, Any]:
    from riskmodel.features import load_feature_set
    from riskmodel.rules import load_rules

    return load_rules("national-2021"), load_feature_set(SMALL)


def killed(task: Any) -> Any:
    """Stands for a process that the system ends for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_a_county_that_failed(
    counties: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "run_county", killed)
    source = province.find_counties(counties)[0]
    task = province.CountyTask(
        source, source.digest, tmp_path, province.ProvinceSettings(AS_OF, *declarations())
    )
    records: list[Any] = []
    engines.run_local([task], 1, engines.Limits(), records.append)
    assert records[0]["state"] == "failed"
    assert "want of memory" in records[0]["error"]


def test_what_makes_no_sense_is_refused_before_any_work(counties: Path, tmp_path: Path) -> None:
    for wrong, says in (
        ({"engine": "flink"}, "allowed: local, spark"),
        ({"model": "county@champion", "feature_set": "household-v1", "store": "x.db"}, "its own features"),
        ({"jobs": 0}, "at least 1"),
        ({"listing": province.ListOptions(visits=5)}, "give --model"),
    ):
        with pytest.raises(UsageError, match=says):
            province.run_province(counties, AS_OF, tmp_path / "out", **wrong)
    with pytest.raises(UsageError, match="stands among the counties"):
        province.run_province(counties, AS_OF, counties / "out")
    with pytest.raises(InputRefused):
        province.run_province(tmp_path, AS_OF, tmp_path.parent / "out")
    assert not (tmp_path / "out").exists()


def test_spark_is_refused_with_what_to_install(
    counties: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"riskmodel\[spark\]"):
        province.run_province(counties, AS_OF, tmp_path / "out", engine="spark")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(UsageError, match="Java 17"):
        province.run_province(counties, AS_OF, tmp_path / "out", engine="spark")


def test_memory_and_threads_are_the_table_engine_s(counties: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr("threadpoolctl.threadpool_limits", lambda limits: None)
    limit_resources("700MiB", 1)
    try:
        con = read_county(counties / NAMES[0]).con
        told = con.raw_sql("SELECT current_setting('memory_limit'), current_setting('threads')").fetchone()
        assert told == ("700.0 MiB", 1)
    finally:
        limit_resources()
    assert resource_limits().statements == []
    with pytest.raises(UsageError, match="no amount"):
        limit_resources("much")


@pytest.fixture(scope="module")
def model(counties: Path) -> LoadedModel:
    """A model of six features: what is tested is the way, not the model."""
    ruleset, chosen = declarations()
    table = features.build_features(read_county(counties / NAMES[0]), chosen, AS_OF)
    low = (table["pcni"].rank() < 25).astype(int).to_numpy()
    villages = np.arange(len(table)) % 8  # sixty households live in one village
    fitted = models.fit_model("logit", table[chosen.names], low, villages, 0)
    card = {
        "feature_set": chosen.model_dump(mode="json", by_alias=True),
        "ruleset": ruleset.model_dump(mode="json", by_alias=True),
        "params": {}, "cohort": ["lifted", "general"], "events": ["below_line"], "horizon_months": 12,
        "reference": reference_contributions(fitted, table[chosen.names]),
    }  # fmt: skip
    return LoadedModel("small", "champion", "1", "run", "logit", fitted, card)


@pytest.mark.slow
def test_scores_and_list_are_byte_for_byte_those_of_the_county_alone(
    counties: Path, model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "counties.csv"
    listed.write_text(f"county,data,visits\n甲县,{counties / NAMES[1]},7\n", encoding="utf-8")
    monkeypatch.setattr(sys.modules["riskmodel.province.province"], "load_model", lambda *_: model)

    def handed_over(tasks: Any, jobs: int, limits: Any, report: Any) -> None:
        # As it reaches another process.
        here([pickle.loads(pickle.dumps(task)) for task in tasks], jobs, limits, report)

    monkeypatch.setitem(engines.ENGINES, "local", handed_over)
    call_of = ("province", listed, *COMMON, "--model", "small@champion", "--out", tmp_path / "out", "--json")
    done = call(*call_of, "--visits", 5, "--store", tmp_path / "none.db")
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "out" / "counties" / "甲县"
    county, alone = read_county(counties / NAMES[1]), tmp_path / "alone"
    for lang in ("zh", "en"):
        write_table(
            scoring.score(county, model, AS_OF, lang), alone / f"scores.{lang}.parquet", sheet="scores"
        )
        ours = folder / f"scores.{lang}.parquet"
        assert ours.read_bytes() == (alone / f"scores.{lang}.parquet").read_bytes()
    # What the verb of the list is called with, and its own number of visits.
    verb = ("worklist", alone / "scores.zh.parquet", "--data", counties / NAMES[1], "--visits", 7)
    assert call(*verb, "--out", alone / "list.xlsx").exit_code == 0
    assert (folder / "worklist.xlsx").read_bytes() == (alone / "list.xlsx").read_bytes()
    assert (folder / "worklist-chances.csv").read_bytes() == (alone / "list-chances.csv").read_bytes()
    told = json.loads(done.stdout)
    assert (told["planned"], told["households"]) == (7, 60)
    assert told["listed"] == len(pd.read_parquet(folder / "worklist.parquet"))


@pytest.mark.slow
def test_spark_gives_the_bytes_of_the_local_engine(counties: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="PySpark is not here: pip install 'riskmodel[spark]' (480 MB)")
    if shutil.which("java") is None:
        pytest.skip("Java is not here")
    done = call(
        "province",
        counties,
        *COMMON,
        "--feature-set",
        SMALL,
        "--out",
        tmp_path,
        "--engine",
        "spark",
        "--jobs",
        2,
    )
    assert done.exit_code == 0, done.stderr
    for name in NAMES:
        for file in ("rules.parquet", "features.parquet", "check/quality.json"):
            ours, theirs = (root / "counties" / name / file for root in (tmp_path, whole))
            assert ours.read_bytes() == theirs.read_bytes()
    assert (tmp_path / "summary.zh.csv").read_bytes() == (whole / "summary.zh.csv").read_bytes()
