"""The bench: what may be declared, how predictions become tables and a page, and what the findings say."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import benchmark, rules
from riskmodel.benchmark import panels
from riskmodel.benchmark.run import _choose_panels
from riskmodel.benchmark.store import PanelJob
from riskmodel.cli.app import app
from riskmodel.errors import InputRefused, SpecError, UsageError
from riskmodel.evaluation import Budget
from riskmodel.models import MODELS
from riskmodel.runs import Evaluation, load_experiment, tracking
from riskmodel.runs.assessment import compare_simple, is_simple, winner
from riskmodel.runs.fitting import monotone_signs


@pytest.fixture(scope="module")
def found():
    """A county's predictions: the rules, past income, a scorecard and two elaborate models of known noise."""
    import importlib.util

    path = Path(__file__).resolve().parents[1] / "evaluation" / "conftest.py"
    spec = importlib.util.spec_from_file_location("made_up_predictions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    noise = {"rule": 1.5, "past_income": 1.2, "scorecard": 1.0, "logit": 0.3, "boosting": 0.5}
    made = module.county_predictions(noise=noise)
    rng = np.random.default_rng(0)
    half = dict(zip(made["household_id"].unique(), rng.random(1200) < 0.3, strict=True))
    made["group_lifted"] = made["household_id"].map(half).map({True: "yes", False: "no"})
    made["supported_after"] = made["household_id"].map(half)
    return made.assign(as_of=pd.to_datetime(made["as_of"]))


@pytest.fixture(scope="module")
def small():
    return benchmark.load_benchmark("bench").model_copy(update={"bootstrap": 60})


def test_a_panel_that_is_named_is_run_in_the_quick_size_too() -> None:
    declared = benchmark.load_benchmark("bench")
    small = [p.id for p in declared.panels if not p.quick]
    assert small
    chosen, skipped = _choose_panels(declared, small[:1], quick=True)
    assert [p.id for p in chosen] == small[:1]
    assert skipped[declared.panels[0].id] == "not asked for"
    assert small[0] in _choose_panels(declared, None, quick=True)[1]


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


EVENT = {"zh": "返贫", "en": "returns"}
# Twenty households fell in month 12; the logit's list held every second one four months before the rules.
SEEN = pd.DataFrame({
    "household_id": [f"h{i}" for i in range(20)], "township": "t",
    "village": [f"v{i % 5}" for i in range(20)],
    "entered": 0.0, "fell": 12.0, "until": 20.0, "rules": 13.0, "list:logit": [9.0, np.nan] * 10,
})  # fmt: skip


def test_lead_is_of_those_who_were_followed(found):
    # A run that did not follow them month by month has no lead to show; there is none to be made up.
    args = (found, Budget(share=0.05), "rule", EVENT)
    assert Evaluation(*args, replicates=20).lead is None
    lead = Evaluation(*args, first_seen=SEEN, replicates=20).lead
    assert lead is not None
    row = lead.iloc[0]
    assert (row["before"], row["after"], row["median_months"], row["warning_months"]) == (0.5, 0.5, 4, 3)


def test_evaluation_gives_every_table_and_the_known_order(found, small):
    evaluation = Evaluation(found, Budget(share=0.05), "rule", EVENT, first_seen=SEEN, replicates=60)
    tables, notes = evaluation.further(), evaluation.notes
    wanted = "metrics comparison deployed visits lead gaps support net_benefit planning ordering"
    assert set(wanted.split()) <= set(tables)
    # Less noise around the true log-odds is a better order: logit 0.3, boosting 0.5, scorecard 1.0.
    row = tables["ordering"].iloc[0]
    assert (row["simple"], row["elaborate"]) == ("scorecard", "logit")
    assert row["low"] > 0
    assert isinstance(notes, list)
    # The observed correlation stands first, whatever it is; the grid follows.
    planning = tables["planning"]
    assert planning["observed"].tolist() == [True, False, False, False]
    planned = planning[~planning["observed"]].set_index("correlation")["smallest_difference"]
    # Villages that are alike carry less information: the smallest difference grows with correlation.
    assert planned.is_monotonic_increasing
    worth = tables["visits"].set_index("model")
    assert worth.loc["logit", "ratio"] > 1
    assert worth.loc["logit", "extra_visits"] == pytest.approx(
        (worth.loc["logit", "ratio"] - 1) * worth.loc["logit", "visits"]
    )


def test_two_equal_scores_are_level(found):
    same = found[found["model"] == "scorecard"]
    both = pd.concat([same, same.assign(model="logit")], ignore_index=True)
    metrics = pd.DataFrame({"model": ["scorecard", "logit"], "auc": [0.7, 0.7]})
    metrics["recall_at_budget"] = 0.3
    rows = compare_simple(both, metrics, Budget(share=0.05), {"replicates": 50, "seed": 0})
    # One score under two names orders and lists alike in every resample, so neither wins.
    assert rows["measure"].tolist() == ["auc", "recall"]
    assert (rows[["low", "high"]] == 0).all(axis=None)
    assert [winner(r) for r in rows.to_dict("records")] == ["level", "level"]
    assert is_simple("rule-county-2020")
    assert not is_simple("stack")


def page_of(found, small, out):
    evaluation = Evaluation(found, Budget(share=0.05), "rule", EVENT, first_seen=SEEN, replicates=60)
    tables, notes = evaluation.further(), evaluation.notes
    one = benchmark.PanelResult(small.panels[0], "run", tables, notes, 1.0)
    done = benchmark.BenchmarkResult(
        small, True, [one], {"eph-entry": "its file is not given"}, {"ebm": "not installed"}
    )
    return done, benchmark.write_benchmark_page(done, out)


def test_the_page_is_whole_speaks_both_languages_and_asks_the_network_for_nothing(found, small, tmp_path):
    done, page = page_of(found, small, tmp_path)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"https?://", text)
    for must in (
        "References",
        "参考文献",
        "Limits",
        "its file is not given",
        "not installed",
        "Holm",
        "quick",
    ):
        assert must in text
    by_auc, by_list, tested = (said.text("en") for said in benchmark.benchmark_findings(done)[:3])
    # The logit has the least noise by construction: the page must not call the simple method the winner.
    assert "on 0 of 1 panels a simple method" in by_auc
    assert by_auc.endswith("An elaborate method wins on: Simulated county: average.")
    assert "The list at the same visits" in by_list
    assert "after Holm" in tested
    for said in (by_auc, by_list, tested):
        assert said in html.unescape(text)
    assert list((tmp_path / "figures").glob("default-*.svg"))
    whole = pd.read_csv(tmp_path / "tables" / "bench.csv")
    # One row a model, and what stands there is what the panel's own tables say.
    assert whole["model"].tolist() == done.done[0].tables["metrics"]["model"].tolist()
    assert whole["auc"].to_numpy() == pytest.approx(done.done[0].tables["metrics"]["auc"].to_numpy())
    words = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert f"{whole.set_index('model').loc['logit', 'auc']:.3f}" in words
    # The same input gives the same bytes.
    assert page_of(found, small, tmp_path / "again")[1].read_bytes() == page.read_bytes()


def teens(tmp_path, n=400):
    """Girls with a known risk: the past carries on, everything else is noise."""
    rng = np.random.default_rng(1)
    risk = rng.random(n) < 0.3
    data = {
        "id": np.arange(n) * 1.0,
        "age": rng.integers(14, 18, n) * 1.0,
        "black": rng.integers(0, 2, n) * 1.0,
    }
    for wave in range(1, 6):
        data[f"pov{wave}"] = (rng.random(n) < np.where(risk, 0.6, 0.1)).astype(float)
        for name in ("mother", "spouse", "inschool", "hours"):
            data[f"{name}{wave}"] = rng.integers(0, 2, n) * 1.0
    path = tmp_path / "teen_poverty.csv"
    pd.DataFrame(data).to_csv(path, index=False)
    return path


def test_the_ready_matrix_trains_on_what_was_known_and_orders_by_the_past(tmp_path, small):
    file = teens(tmp_path)
    rows = panels.read_waves(file)
    wide = pd.read_csv(file)
    # At risk: not poor now; the outcome is the flag of the next wave; the years so far leave this one out.
    assert len(rows) == sum(int((wide[f"pov{w}"] == 0).sum()) for w in range(1, 5))
    last = rows[rows["wave"] == 4].set_index("household_id")
    girl = wide[wide["pov4"] == 0].iloc[0]
    assert last.loc[str(int(girl["id"])), "y"] == girl["pov5"]
    assert last.loc[str(int(girl["id"])), "years_poor"] == girl[["pov1", "pov2", "pov3"]].sum()
    assert "black" not in panels.FEATURES
    panel = next(p for p in small.panels if p.source == "teen_poverty")
    found, fitted, split = panels.predict_waves(
        small, panel, ("past_income", "logit"), file, lambda text: None
    )
    assert split["n_train"].item() == (rows["wave"] < panels.TEST_WAVE).sum()
    assert set(fitted) == {"past_income", "logit"}
    assert set(found["as_of"].dt.year) == {1978 + panels.TEST_WAVE}
    past = found[found["model"] == "past_income"]
    # Past poverty is all there is to know, so its order beats chance clearly.
    poor, others = past.loc[past["y"] == 1, "score"], past.loc[past["y"] == 0, "score"]
    assert poor.mean() > others.mean()
    wide.drop(columns="black").to_csv(file, index=False)
    with pytest.raises(InputRefused, match="columns black are absent"):
        panels.read_waves(file)


def test_a_panel_without_its_file_is_skipped_with_the_reason(tmp_path, small):
    store = tmp_path / "mlflow.db"
    said = []
    done = benchmark.run_benchmark(
        small, tmp_path, store, only=["teen-poverty", "eph-entry"], progress=said.append
    )
    assert done.done == []
    assert "--teen-poverty FILE" in done.skipped["teen-poverty"]
    assert "--eph FILE" in done.skipped["eph-entry"]
    assert done.skipped["default"] == "not asked for"
    with pytest.raises(UsageError, match="no panel nowhere"):
        benchmark.run_benchmark(small, tmp_path, store, only=["nowhere"])


def children(store, run_id):
    """Return the runs that name a run as their parent."""
    client = tracking._client(store)
    found = client.search_runs([client.get_experiment_by_name("bench").experiment_id])
    return {r.data.tags["model"]: r for r in found if r.data.tags.get("mlflow.parentRunId") == run_id}


def test_a_run_is_logged_into_one_experiment_and_goes_on_where_it_was_stopped(tmp_path, small, monkeypatch):
    thin = small.model_copy(update={"models": ("past_income", "logit", "scorecard"), "bootstrap_test": 60})
    store, asked = tmp_path / "mlflow.db", {"only": ["teen-poverty"]}
    asked["sources"] = {"teen_poverty": teens(tmp_path)}
    (one,) = benchmark.run_benchmark(thin, tmp_path, store, **asked).done
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

    def stopped(*args):
        raise RuntimeError("this panel is being run again")

    monkeypatch.setattr(panels, "predict_waves", stopped)
    # What is done is read, not run, and stands in the store once.
    (again,) = benchmark.run_benchmark(thin, tmp_path, store, **asked).done
    assert again.run_id == one.run_id
    pd.testing.assert_frame_equal(again.tables["comparison"], one.tables["comparison"])
    # A store that does not hold it is given it; no model is fitted for that.
    (other,) = benchmark.run_benchmark(thin, tmp_path, tmp_path / "other.db", **asked).done
    assert set(children(tmp_path / "other.db", other.run_id)) == set(thin.models)
    # Killed before the end: what says that a panel is whole is written last, so it is run again.
    (tmp_path / "panels" / "teen-poverty" / "panel.json").unlink()
    with pytest.raises(RuntimeError, match="run again"):
        benchmark.run_benchmark(thin, tmp_path, store, **asked)


def test_what_was_kept_is_not_taken_for_another_panel(tmp_path, small):
    panel = next(p for p in small.panels if p.source == "teen_poverty")
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
    for panel in declared.panels[:1]:
        assert set(whole.loc[whole["panel"] == panel.id, "model"]) == set(declared.models_of(panel))
    assert set(children(store, told["panels"]["default"]["run_id"])) == set(
        declared.models_of(declared.panels[0])
    )
    # Again: both panels are there, so nothing is fitted and the runs are the same.
    again = json.loads(CliRunner().invoke(app, asked).stdout)
    assert again["panels"] == told["panels"]


def test_a_trained_runs_predictions_are_evaluated_further(found, tmp_path):
    exp = load_experiment("county").model_copy(update={"bootstrap": 40})
    found = found.assign(fold=found["fold"].astype(str))
    judged = Evaluation(found, Budget(share=0.05), "rule", EVENT, replicates=40)
    assert judged.comparison is not None
    store = tmp_path / "mlflow.db"
    with tracking.start_run("county", store, "made up") as opened:
        opened.document(exp.model_dump(mode="json"), "experiment.json")
        opened.document({"experiment": "county", "comparison_notes": judged.notes}, "facts.json")
        opened.table(found.assign(household_id=pd.factorize(found["household_id"])[0]), "tables/predictions")
        opened.table(SEEN.drop(columns="household_id"), "tables/first_seen")
        opened.table(judged.comparison.table, "tables/comparison")
    done = CliRunner().invoke(
        app, ["compare", opened.run_id, "--store", str(store), "--further", str(tmp_path / "more")]
    )
    assert done.exit_code == 0, done.output
    assert "Visits equivalent: in the order of rule verdict it takes" in done.output
    assert "Lead time: the list of" in done.output
    tables = {p.stem for p in (tmp_path / "more" / opened.run_id).glob("*.csv")}
    assert {"lead", "visits", "gaps", "support", "planning", "net_benefit"} <= tables
