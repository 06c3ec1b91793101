"""Running a benchmark: which panels, one experiment of runs, going on where it was stopped."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import benchmark
from riskmodel.benchmark import panels
from riskmodel.benchmark.run import PanelJob, _choose_panels
from riskmodel.cli.app import app
from riskmodel.errors import UsageError
from riskmodel.runs import tracking

from .conftest import children, teens


def test_a_panel_that_is_named_is_run_in_the_quick_size_too() -> None:
    declared = benchmark.load_benchmark("bench")
    small = [p.id for p in declared.panels if not p.quick]
    assert small
    chosen, skipped = _choose_panels(declared, small[:1], quick=True)
    assert [p.id for p in chosen] == small[:1]
    assert skipped[declared.panels[0].id] == "not asked for"
    assert small[0] in _choose_panels(declared, None, quick=True)[1]


def test_a_panel_without_its_file_is_skipped_with_the_reason(tmp_path, small):
    store = tmp_path / "mlflow.db"
    said = []
    done = benchmark.run_benchmark(
        small, tmp_path, store, only=["teen-poverty", "eph-entry"], progress=said.append
    )
    assert done.panels == []
    assert "--teen-poverty FILE" in done.skipped["teen-poverty"]
    assert "--eph FILE" in done.skipped["eph-entry"]
    assert done.skipped["default"] == "not asked for"
    with pytest.raises(UsageError, match="no panel nowhere"):
        benchmark.run_benchmark(small, tmp_path, store, only=["nowhere"])


def test_a_run_is_logged_into_one_experiment_and_goes_on_where_it_was_stopped(tmp_path, small, monkeypatch):
    thin = small.model_copy(update={"models": ("past_income", "logit", "scorecard"), "bootstrap_test": 60})
    store, asked = tmp_path / "mlflow.db", {"only": ["teen-poverty"]}
    asked["sources"] = {"teen-poverty": teens(tmp_path, 200)}
    (one,) = benchmark.run_benchmark(thin, tmp_path, store, **asked).panels
    back = tracking.read_table(one.run_id, "tables/metrics", store)
    pd.testing.assert_frame_equal(back, one.tables["metrics"])
    logged = tracking.read_table(one.run_id, "tables/predictions", store)
    # Numbered anew: nobody's id goes into the store.
    assert logged["household_id"].dtype.kind == "i"
    assert (tmp_path / "tables" / "metrics.csv").is_file()
    under = children(store, one.run_id)
    assert set(under) == set(thin.models)
    auc = one.tables["metrics"].set_index("model")["auc"]
    assert under["logit"].data.metrics["auc"] == pytest.approx(auc["logit"])

    def stopped(*args, **more):
        raise RuntimeError("this panel is being run again")

    monkeypatch.setattr(panels, "run_experiment", stopped)
    # What is done is read, not run, and stands in the store once.
    (again,) = benchmark.run_benchmark(thin, tmp_path, store, **asked).panels
    assert again.run_id == one.run_id
    pd.testing.assert_frame_equal(again.tables["comparison"], one.tables["comparison"])
    # A store that does not hold it is given it; no model is fitted for that.
    (other,) = benchmark.run_benchmark(thin, tmp_path, tmp_path / "other.db", **asked).panels
    assert set(children(tmp_path / "other.db", other.run_id)) == set(thin.models)
    # Killed before the end: what says that a panel is whole is written last, so it is run again.
    (tmp_path / "panels" / "teen-poverty" / "panel.json").unlink()
    with pytest.raises(RuntimeError, match="run again"):
        benchmark.run_benchmark(thin, tmp_path, store, **asked)


@pytest.mark.slow
def test_the_quick_bench_runs_whole_in_two_processes(tmp_path):
    out, store = tmp_path / "bench", tmp_path / "mlflow.db"
    asked = ["bench", "--quick", "--jobs", "2", "--out", str(out), "--store", str(store), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told["panels"]) == {"default", "wagepan-entry"}
    whole = pd.read_csv(out / "tables" / "bench.csv")
    declared = benchmark.load_benchmark("bench")
    panel = declared.panels[0]
    fitted = set(declared.models_of(panel)) - set(told["left_out"])
    assert "boosting_lines" in told["left_out"]  # asks about several lines; no panel declares any
    assert set(whole.loc[whole["panel"] == panel.id, "model"]) == fitted
    assert set(children(store, told["panels"][panel.id]["run_id"])) == fitted
    # Again: both panels are there, so nothing is fitted and the runs are the same.
    again = json.loads(CliRunner().invoke(app, asked).stdout)
    assert again["panels"] == told["panels"]


def test_what_was_kept_is_not_taken_for_another_panel(tmp_path, small):
    panel = next(p for p in small.panels if p.source == "teen-poverty")
    file = teens(tmp_path)
    job = PanelJob(small, panel, tmp_path, file, quick=False)
    mark = job.digest
    assert replace(job).digest == mark
    others = [
        replace(job, bench=small.model_copy(update={"seed": small.seed + 1})).digest,
        replace(job, panel=panel.model_copy(update={"leave_out": ("rule",)})).digest,
        replace(job, quick=True).digest,
    ]
    file.write_text(file.read_text() + "\n")
    others.append(replace(job).digest)
    # A seed, a model less, the quick size, a changed file: none of them may be answered with the old figures.
    assert len({mark, *others}) == 5
