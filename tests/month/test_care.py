"""Model care on a trained model: cards say what the run measured, the verbs hand on to one another."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel import models, scoring
from riskmodel.cli.app import app
from riskmodel.data import read_county
from riskmodel.errors import UsageError
from riskmodel.presentation import model_pages
from riskmodel.runs import Run, tracking

from .conftest import AS_OF, Office


def test_a_scorecard_is_written_out_with_the_chances_that_it_shows(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tracking.load_model("county@champion", office.store)
    model_pages.write_model_card("county@champion", tmp_path / "logit", office.store)
    # A logit has no points to add up.
    assert not list((tmp_path / "logit").glob("scorecard*"))
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=600), "b": rng.normal(size=600)})
    y = (rng.random(600) < 1 / (1 + np.exp(1.5 - 1.5 * X["a"]))).astype(int)
    card = models.fit_model("scorecard", X, y, np.arange(600) % 30, seed=0)
    # The run has no scorecard: its other tables are those of the logit.
    as_card = replace(loaded, model=card, kind="scorecard")
    monkeypatch.setattr(model_pages, "load_model", lambda *_: as_card)
    monkeypatch.setattr(model_pages, "Run", lambda run_id, store, _: Run(run_id, store, loaded.kind))
    model_pages.write_model_card("county@champion", tmp_path / "card", office.store)
    table = pd.read_csv(tmp_path / "card" / "scorecard.csv")
    again = models.Scorecard.from_table(table, ["a", "b"])
    assert again.predict_proba(X)[:, 1] == pytest.approx(card.predict_proba(X)[:, 1], abs=1e-12)
    chances = pd.read_csv(tmp_path / "card" / "scorecard_chances.csv").set_index("points")["probability"]
    points = card.base_.points(X).sum(axis=1)
    assert chances[points].to_numpy() == pytest.approx(card.predict_proba(X)[:, 1], abs=1e-12)


def test_the_card_is_what_the_run_measured_and_names_no_household(office: Office, tmp_path: Path) -> None:
    card, sheet = model_pages.write_model_card("county@champion", tmp_path, office.store)
    metrics = (
        tracking.read_table(office.run_id, "tables/metrics", office.store).set_index("model").loc["logit"]
    )
    text = card.read_text(encoding="utf-8")
    assert f"| {metrics['auc']:.3f} | [{metrics['auc_low']:.3f}, {metrics['auc_high']:.3f}] |" in text
    assert office.run_id in text
    folds = tracking.read_table(office.run_id, "tables/folds", office.store)
    assert f"| {folds['n_train'].iloc[0]} | {folds['train_events'].iloc[0]} |" in sheet.read_text(
        encoding="utf-8"
    )
    ids = set(read_county(office.data).frame("households")["household_id"])
    assert not any(i in text or i in sheet.read_text(encoding="utf-8") for i in ids)
    # The events of the groups of one kind are all events, once.
    made = model_pages.by_group(
        tracking.read_table(office.run_id, "tables/predictions", office.store).query("model == 'logit'"),
        {"share": 0.05},
    )
    assert sum(g["events"] for g in made if g["group"].startswith("township")) == metrics["n_events"]


def test_what_would_change_lowers_the_score_of_that_household(office: Office) -> None:
    county = read_county(office.data)
    loaded = tracking.load_model("county@champion", office.store)
    top = scoring.score(county, loaded, AS_OF).iloc[0]
    made = scoring.score_counterfactuals(
        county, loaded, AS_OF, top["household_id"], float(top["probability"]) / 2
    )
    assert len(made)
    assert (made["probability"] < top["probability"]).all()
    with pytest.raises(UsageError, match="is not known"):
        scoring.score_counterfactuals(county, loaded, AS_OF, "nobody", 0.1)


@pytest.mark.slow
def test_the_verbs_of_the_office_end_to_end(office: Office, tmp_path: Path) -> None:
    store = tmp_path / "mlflow.db"
    shutil.copyfile(office.store, store)

    def run_json(*arguments: object, exit_code: int = 0) -> dict:
        done = CliRunner().invoke(app, [*(str(a) for a in arguments), "--json"])
        assert done.exit_code == exit_code, done.stderr
        return json.loads(done.stdout)

    months = tmp_path / "months"
    names = tmp_path / "names.csv"
    some = read_county(office.data).frame("households")["household_id"].head(200)
    names.write_text("户编号,户主姓名\n" + "".join(f"{h},某某\n" for h in some), encoding="utf-8")
    made = run_json(
        "month", office.data, "--as-of", AS_OF, "--visits", 15, "--quota", "township:40%",
        "--quota", "village", "--floor", 0.02, "--names", names, "--out", months, "--store", store,
    )  # fmt: skip
    assert [Path(p).name for p in made["with_names"]] == ["worklist.xlsx", "visit-sheets.html"]
    # What was asked of a month is asked of it again, unless it is taken back.
    again = run_json("month", office.data, "--as-of", AS_OF, "--out", months, "--store", store)
    assert again["done"] == []
    plain = run_json(
        "month", office.data, "--as-of", AS_OF, "--quota", "none", "--out", months, "--store", store
    )
    assert plain["done"] == ["worklist", "report"]
    assert plain["worklist"]["planned_quota"] == 0
    assert made["done"] == ["check", "rules", "score", "worklist", "report", "ledger", "cases"]
    rows = run_json("months", months)["rows"]
    assert [r["as_of"] for r in rows] == [AS_OF]
    found = run_json(
        "monitor",
        office.data,
        "--as-of",
        AS_OF,
        "--months",
        months,
        "--out",
        tmp_path / "m",
        "--store",
        store,
    )
    assert (tmp_path / "m" / "monitor.html").is_file()
    assert found["months_judged"] == 0
    # The champion cannot challenge itself; the rules, as a model of the run, are no better: kept out.
    assert (
        CliRunner()
        .invoke(app, ["promote", "county", "--challenger", "logit", "--store", str(store)])
        .exit_code
        == 2
    )
    decision = run_json(
        "promote", "county", "--challenger", "rule", "--store", store, "--override", "a test", exit_code=0
    )
    assert decision["promoted"]
    assert tracking.find_model("county@champion", store) == tracking.find_model("county@rule", store)
    assert tracking.find_model("county@previous", store) == tracking.find_model("county@logit", store)
