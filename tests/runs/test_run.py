"""A logged run is read by one object: typed tables, once each; what it says of rules against models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel.errors import InputMissing, UsageError
from riskmodel.runs import open_run, run, start_run, tracking

METRICS = pd.DataFrame({"model": ["rule", "logit"], "auc": [0.6, 0.7]})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="module")
def run_id(store: Path) -> str:
    exp = plain_county()
    with start_run("county", store, "made up", {"experiment": "county"}) as opened:
        opened.params({"feature_set": "household-v1", "ruleset": "national-2021"})
        opened.document(exp.model_dump(mode="json"), "experiment.json")
        opened.document(
            {
                "experiment": "county",
                "notes": ["an old run's note", {"zh": "注", "en": "note"}],
                "headline": {"zh": "结论", "en": "verdict"},
                "data_fingerprint": "f" * 64,
            },
            "facts.json",
        )
        opened.document({"calibration": {"slope": 1.0}}, "cards/logit.json")
        opened.table(METRICS, "tables/metrics")
    return opened.run_id


def test_a_run_is_opened_by_its_id_and_its_tables_are_read_once(
    run_id: str, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(run_id, store)
    reads: list[str] = []
    read = tracking.read_table
    monkeypatch.setattr(tracking, "read_table", lambda i, name, s: reads.append(name) or read(i, name, s))
    assert reads == []
    pd.testing.assert_frame_equal(run.metrics, METRICS)
    assert run.metrics_of("logit") == {"model": "logit", "auc": 0.7}
    assert reads == ["tables/metrics"]
    # What a run need not have is None; what every run has is asked for by name.
    assert run.table_names == ("metrics",)
    assert run.comparison is None
    with pytest.raises(UsageError, match="has no tables/predictions"):
        _ = run.predictions


def test_a_run_says_what_it_was_made_from(run_id: str, store: Path) -> None:
    run = open_run(run_id, store)
    assert run.experiment == plain_county()
    assert (run.declaration["feature_set"], run.declaration["ruleset"]) == ("household-v1", "national-2021")
    assert run.fingerprint == "f" * 64
    assert run.notes == [{"zh": "an old run's note", "en": "an old run's note"}, {"zh": "注", "en": "note"}]
    assert run.comparison_notes == []
    assert run.card("logit")["calibration"] == {"slope": 1.0}
    # A short repr: no table is printed.
    assert repr(run).startswith(f"Run({run_id}: experiment county, models rule, ")
    assert len(repr(run)) < 200


def test_an_unknown_run_or_model_is_refused_with_what_there_is(run_id: str, store: Path) -> None:
    with pytest.raises(InputMissing, match=f"no such run: nope; runs there are: {run_id}"):
        open_run("nope", store)
    with pytest.raises(UsageError, match="no model county@champion"):
        open_run("county@champion", store)
    with pytest.raises(InputMissing, match="no model store"):
        open_run("county@champion", store.parent / "elsewhere.db")


def table(scopes: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"scope": scope, "at": at, "model": model, "delta_recall": delta}
        for scope, delta in scopes.items()
        for at in ("budget", "rule_quota")
        for model in ("logit", "boosting")
    ]
    return pd.DataFrame(rows)


def test_differences_by_test_period_stand_beside_the_pooled_one() -> None:
    said = run.fold_messages(table({"pooled": 0.02, "2019-06-30": 0.051, "2019-12-31": float("nan")}))
    assert len(said) == 2
    assert "penalised logit by test period" in said[0].text("en")
    # The pooled figure has a sentence of its own; a period without an event has no difference.
    assert said[0].text("en").endswith("2019-06-30 +5.1; 2019-12-31 —.")
    assert "分期的查全率差" in said[1].text("zh")
    # With one period there is nothing beside the pool.
    assert run.fold_messages(table({"pooled": 0.02, "2019-06-30": 0.02})) == []


def test_lists_as_deployed_are_told_with_what_tops_them_up() -> None:
    shared = {"scope": "pooled", "model": "logit", "visits": 40, "delta_low": -0.01, "delta_high": 0.21}
    rows = [
        {**shared, "list": "rules+model", "hits": 12.0, "hits_sd": 0.0, "delta_recall": 0.1},
        {**shared, "list": "rules+rules", "hits": 9.0, "hits_sd": 0.0, "delta_recall": 0.0},
        {**shared, "list": "rules+random", "hits": 5.25, "hits_sd": 1.5, "delta_recall": -0.12},
    ]
    (said,) = run.deployed_messages(pd.DataFrame(rows))
    assert "finds 12, by the rules' order 9, at random 5.2 ± 1.5" in said.text("en")
    assert "+10.0 points, -1.0 to +21.0" in said.text("en")
    assert "惩罚逻辑回归" in said.text("zh")
