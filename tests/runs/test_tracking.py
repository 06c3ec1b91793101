"""What a store holds of a run: nothing personal, what made it, and models that come back as they were."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import skops.io

from riskmodel import features, models
from riskmodel.data import County
from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.runs import compare, tracking, training


def test_no_household_is_named_in_the_store(
    trained: training.TrainedRun, store: Path, county: County
) -> None:
    ids = set(county.frame("households")["household_id"])
    logged = tracking.read_table(trained.run_id, "tables/predictions", store)
    assert not set(logged["household_id"].astype(str)) & ids
    needle = sorted(ids)[0].encode()
    for path in [store, *(store.parent / "mlartifacts").rglob("*")]:
        if path.is_file():
            assert needle not in path.read_bytes(), path


def test_the_run_says_what_made_it(trained: training.TrainedRun, store: Path) -> None:
    with sqlite3.connect(store) as db:
        params = dict(db.execute("select key, value from params where run_uuid = ?", [trained.run_id]))
        metrics = {k for (k,) in db.execute("select key from metrics where run_uuid = ?", [trained.run_id])}
    assert params["ruleset"] == "national-2021"
    declared = features.load_feature_set("household-v1").with_line(6000, "national-2021")
    learned_from = features.without_roles(declared, set(trained.result.experiment.leave_out))
    assert params["feature_set"] == learned_from.id
    assert params["feature_set_hash"] == learned_from.catalog_hash != declared.catalog_hash
    assert params["data_fingerprint"] == trained.result.fingerprint
    assert {"logit.auc", "rule.recall_at_budget", "fold.boosting.auc"} <= metrics
    environment = tracking.read_document(trained.run_id, "environment.json", store)
    assert {"python", "scikit-learn", "mlflow", "duckdb"} <= set(environment)


def test_each_model_comes_back_as_it_was(trained: training.TrainedRun, store: Path) -> None:
    X = trained.result.background.iloc[:50]
    for name, fitted in trained.result.fitted.items():
        back = tracking.load_model(f"county@{name}", store)
        assert back.kind == name
        if name != "rule":
            np.testing.assert_array_equal(back.model.margin(X), fitted.margin(X))


def test_a_changed_model_file_is_refused_before_it_is_opened(
    trained: training.TrainedRun, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = tracking.read_document(trained.run_id, "cards/boosting.json", store)
    path = next((store.parent / "mlartifacts").rglob(f"{card['model_uri'].split('/')[-1]}/**/model.skops"))
    whole = path.read_bytes()
    opened: list[object] = []
    monkeypatch.setattr(skops.io, "load", lambda *a, **k: opened.append(a))
    try:
        path.write_bytes(whole + b" ")
        with pytest.raises(InputRefused, match="not the one that was registered"):
            tracking.load_model("county@boosting", store)
    finally:
        path.write_bytes(whole)
    assert not opened


def test_a_model_of_another_release_is_refused_with_what_to_do(
    trained: training.TrainedRun, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [t for t in models.trusted_types() if not t.endswith("PenalisedLogit")]
    assert len(known) < len(models.trusted_types())
    # As where a class was renamed since: the trust list of this release does not hold the old name.
    monkeypatch.setattr(models, "trusted_types", lambda: known)
    with pytest.raises(InputRefused) as refused:
        tracking.load_model("county@logit", store)
    said = str(refused.value)
    assert re.match(
        r"county@logit \(version 3\) was trained with riskmodel [\d.]+ and scikit-learn [\d.]+", said
    )
    assert "PenalisedLogit, which riskmodel " in said
    assert "Train it again with this release (riskmodel train)" in said
    assert "trusted" not in said


def test_unknown_models_are_told_what_there_is(trained: training.TrainedRun, store: Path) -> None:
    with pytest.raises(UsageError, match="county@champion"):
        tracking.load_model("county@nobody", store)
    with pytest.raises(UsageError, match=r"no model county@champoin; .*did you mean county@champion"):
        tracking.require_model("county@champoin", store)
    with pytest.raises(InputMissing, match="no model store at"):
        tracking.require_model("county@champion", store.parent / "elsewhere.db")
    assert tracking.find_model("county@nobody", store) is None
    assert tracking.find_model("county@champion", store.parent / "elsewhere.db") is None
    with pytest.raises(UsageError, match="NAME@ALIAS"):
        tracking.load_model("county", store)
    with pytest.raises(UsageError, match="riskmodel train"):
        tracking.load_model("county@champion", store.parent / "elsewhere.db")
    with pytest.raises(InputRefused, match=f"no such run: nope; runs there are: .*{trained.run_id}"):
        compare(["nope"], store)
