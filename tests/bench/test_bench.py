"""The bench: what may be declared, how predictions become tables and a page, and what the findings say."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import bench, evaluation, experiment, tracking
from riskmodel.bench import matrix
from riskmodel.bench.assess import evaluate, is_simple, ordering
from riskmodel.cli.app import app
from riskmodel.errors import InputRefused, SpecError, UsageError
from riskmodel.evaluation import Budget
from riskmodel.experiment.run import signs


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
    return bench.load("bench").model_copy(update={"bootstrap": 60})


def test_a_panel_like_another_takes_over_what_it_does_not_say():
    declared = {p.id: p for p in bench.load("bench").panels}
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
            bench.load(wrong)


def test_every_rule_set_stands_twice_and_the_budget_is_the_benchs_own(small):
    panel = small.panels[0]
    exp = small.experiment_of(panel)
    assert {f"rule-{r}" for r in small.rulesets} <= set(exp.models)
    assert {f"conditions-{r}" for r in small.rulesets} <= set(exp.models)
    assert exp.budget.share == small.budget.share
    assert exp.model_params["hazard"] == {"duration": "years_since_lifted"}


def test_declared_directions_become_constraints(small):
    made = signs(small.experiment_of(small.panels[0]))
    # Less income is more risk, a sick member is more risk; a sex of the head has no declared direction.
    assert (made["pcni"], made["sick"]) == (-1, 1)
    assert "head_female" not in made
    assert small.params_of(small.panels[0])["scorecard"] == {"monotone": "declared"}


# Twenty households fell in month 12; the logit's list held every second one four months before the rules.
SEEN = pd.DataFrame({
    "household_id": [f"h{i}" for i in range(20)], "township": "t",
    "village": [f"v{i % 5}" for i in range(20)],
    "entered": 0.0, "fell": 12.0, "until": 20.0, "rules": 13.0, "list:logit": [9.0, np.nan] * 10,
})  # fmt: skip


def test_lead_is_of_those_who_were_followed(found):
    # A run that did not follow them month by month has no lead to show; there is none to be made up.
    args = (found, Budget(share=0.05), "rule", ("返贫", "returns"))
    assert "lead" not in evaluate(*args, replicates=20)[0]
    row = evaluate(*args, seen=SEEN, replicates=20)[0]["lead"].iloc[0]
    assert (row["before"], row["after"], row["median_months"], row["warning_months"]) == (0.5, 0.5, 4, 3)


def test_evaluation_gives_every_table_and_the_known_order(found, small):
    tables, notes = evaluate(found, Budget(share=0.05), "rule", ("返贫", "returns"), seen=SEEN, replicates=60)
    wanted = "metrics comparison deployed visits lead gaps support net_benefit planning ordering"
    assert set(wanted.split()) <= set(tables)
    # Less noise around the true log-odds is a better order: logit 0.3, boosting 0.5, scorecard 1.0.
    row = tables["ordering"].iloc[0]
    assert (row["simple"], row["elaborate"]) == ("scorecard", "logit")
    assert row["low"] > 0
    assert isinstance(notes, list)
    planned = tables["planning"].set_index("correlation")["smallest_difference"]
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
    row = ordering(both, metrics, {"replicates": 50, "seed": 0}).iloc[0]
    assert row["low"] == row["high"] == 0
    assert is_simple("rule-county-2020")
    assert not is_simple("stack")


def page_of(found, small, out):
    tables, notes = evaluate(found, Budget(share=0.05), "rule", ("返贫", "returns"), seen=SEEN, replicates=60)
    one = bench.PanelRun(small.panels[0], "run", tables, notes, 1.0)
    done = bench.BenchRun(
        small, True, [one], {"eph-entry": "its file is not given"}, {"ebm": "not installed"}
    )
    return done, bench.write(done, out)


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
    said = bench.findings(done)[0]
    assert "Simulated county: average" in said["en"].split("better on:")[-1]
    assert said["zh"]
    assert list((tmp_path / "figures").glob("default-*.svg"))
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
    rows = matrix.long(file)
    wide = pd.read_csv(file)
    # At risk: not poor now; the outcome is the flag of the next wave; the years so far leave this one out.
    assert len(rows) == sum(int((wide[f"pov{w}"] == 0).sum()) for w in range(1, 5))
    last = rows[rows["wave"] == 4].set_index("household_id")
    girl = wide[wide["pov4"] == 0].iloc[0]
    assert last.loc[str(int(girl["id"])), "y"] == girl["pov5"]
    assert last.loc[str(int(girl["id"])), "years_poor"] == girl[["pov1", "pov2", "pov3"]].sum()
    assert "black" not in matrix.FEATURES
    panel = next(p for p in small.panels if p.source == "teen_poverty")
    found, fitted = matrix.predictions(small, panel, ("past_income", "logit"), file, lambda text: None)
    assert set(fitted) == {"past_income", "logit"}
    assert set(found["as_of"].dt.year) == {1979 + matrix.TEST_WAVE}
    past = found[found["model"] == "past_income"]
    # Past poverty is all there is to know, so its order beats chance clearly.
    poor, others = past.loc[past["y"] == 1, "score"], past.loc[past["y"] == 0, "score"]
    assert poor.mean() > others.mean()
    wide.drop(columns="black").to_csv(file, index=False)
    with pytest.raises(InputRefused, match="columns black are absent"):
        matrix.long(file)


def test_a_panel_without_its_file_is_skipped_with_the_reason(tmp_path, small):
    store = tmp_path / "mlflow.db"
    said = []
    done = bench.run(small, tmp_path, store, only=["teen-poverty", "eph-entry"], progress=said.append)
    assert done.done == []
    assert "--teen-poverty FILE" in done.skipped["teen-poverty"]
    assert "--eph FILE" in done.skipped["eph-entry"]
    assert done.skipped["default"] == "not asked for"
    with pytest.raises(UsageError, match="no panel nowhere"):
        bench.run(small, tmp_path, store, only=["nowhere"])


def test_a_run_is_logged_into_one_experiment(tmp_path, small):
    file = teens(tmp_path)
    thin = small.model_copy(update={"models": ("past_income", "logit", "scorecard")})
    store = tmp_path / "mlflow.db"
    done = bench.run(thin, tmp_path, store, only=["teen-poverty"], sources={"teen_poverty": file})
    (one,) = done.done
    back = tracking.read_table(one.run_id, "tables/metrics", store)
    pd.testing.assert_frame_equal(back, one.tables["metrics"])
    logged = tracking.read_table(one.run_id, "tables/predictions", store)
    # Numbered anew: nobody's id goes into the store.
    assert logged["household_id"].dtype.kind == "i"
    assert (tmp_path / "tables" / "metrics.csv").is_file()


def test_a_trained_runs_predictions_are_evaluated_further(found, tmp_path):
    exp = experiment.load("county").model_copy(update={"bootstrap": 40})
    found = found.assign(fold=found["fold"].astype(str))
    told = evaluation.compare(found, {"share": 0.05}, replicates=40)
    store = tmp_path / "mlflow.db"
    with tracking.start("county", store, "made up") as opened:
        opened.document(exp.model_dump(mode="json"), "experiment.json")
        opened.document({"experiment": "county", "comparison_notes": told.notes}, "facts.json")
        opened.table(found.assign(household_id=pd.factorize(found["household_id"])[0]), "tables/predictions")
        opened.table(SEEN.drop(columns="household_id"), "tables/first_seen")
        opened.table(told.table, "tables/comparison")
    done = CliRunner().invoke(
        app, ["compare", opened.run_id, "--store", str(store), "--further", str(tmp_path / "more")]
    )
    assert done.exit_code == 0, done.output
    assert "Visits equivalent: in the order of rule verdict it takes" in done.output
    assert "Lead time: the list of" in done.output
    tables = {p.stem for p in (tmp_path / "more" / opened.run_id).glob("*.csv")}
    assert {"lead", "visits", "gaps", "support", "planning", "net_benefit"} <= tables
