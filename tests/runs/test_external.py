"""External validation: another county and another time, as the model was trained, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import pool_counties
from riskmodel.runs import (
    RECALIBRATED,
    ExternalValidation,
    LoadedModel,
    Run,
    TrainedRun,
    guideline_evidence,
    load_model,
    log_validation,
    open_run,
    validate_model,
    validation_facts,
)

AS_OF = ["2018-12-31", "2019-12-31"]


@pytest.fixture(scope="module")
def other() -> County:
    made = simulate.simulate_county(households=400, months=60, seed=77, truth_at=[], profile="poor-mountain")
    return from_frames(made.frames, About.model_validate(made.about))


@pytest.fixture(scope="module")
def run(trained: TrainedRun, store: Path) -> Run:
    return open_run(trained.run_id, store)


@pytest.fixture(scope="module")
def found(loaded: LoadedModel, run: Run, other: County) -> ExternalValidation:
    return validate_model(loaded, run, other, AS_OF, name="other", replicates=200)


def test_another_county_is_judged_with_intervals(found: ExternalValidation, loaded: LoadedModel) -> None:
    own, again = found.figures.iloc[0], found.figures.iloc[1]
    assert (own["model"], again["model"]) == (loaded.kind, RECALIBRATED)
    for name in ("auc", "calibration_slope", "calibration_intercept", "expected_over_observed"):
        assert own[f"{name}_low"] <= own[name] <= own[f"{name}_high"]
    assert 0.5 < own["auc"] < 0.95
    rows = found.predictions[found.predictions["model"] == loaded.kind]
    assert rows["as_of"].dt.date.astype(str).unique().tolist() == AS_OF
    assert own["n_test"] + own["n_null"] == len(rows)
    assert own["imprecise"] == (own["event_households"] < 100)
    assert any("imprecise" in note.text("en") for note in found.notes) == own["imprecise"]


def test_recalibration_is_judged_on_villages_it_was_not_fitted_on(found: ExternalValidation) -> None:
    level = abs(np.log(found.figures["expected_over_observed"]))
    assert level[1] < max(level[0], 0.1)
    own, again = (rows.sort_values(["as_of", "household_id"]) for _, rows in
                  found.predictions[found.predictions["y"].notna()].groupby("model", sort=False))  # fmt: skip
    # Five calibrators, so probabilities are not one map of the score.
    joined = pd.Series(again["score"].to_numpy()).groupby(np.round(own["score"].to_numpy(), 12)).nunique()
    assert len(own) == len(again)
    assert (joined >= 1).all()
    slopes = np.polyfit(own["score"], again["score"], 1)
    assert not np.allclose(np.polyval(slopes, own["score"]), again["score"], atol=1e-9)


def test_the_recalibrated_version_is_registered_and_orders_as_before(
    found: ExternalValidation, loaded: LoadedModel, store: Path
) -> None:
    run_id, version = log_validation(loaded, found, store, register=True)
    assert version is not None
    again = load_model(f"county@{RECALIBRATED}", store)
    assert (again.version, again.run_id, again.kind) == (version, run_id, loaded.kind)
    X = found.background
    before, after = loaded.model.margin(X), again.model.margin(X)
    assert np.allclose(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))
    assert again.card["recalibrated_from"]["version"] == loaded.version
    # The one in charge stays in charge.
    assert load_model("county@champion", store).version == loaded.version
    with pytest.raises(UsageError, match="nothing to register"):
        log_validation(loaded, replace(found, recalibrated=None), store, register=True)


def test_the_county_it_learned_from_is_no_other_county(loaded: LoadedModel, run: Run, county: County) -> None:
    with pytest.raises(InputRefused, match="trained on"):
        validate_model(loaded, run, county, AS_OF)


def test_an_outcome_that_is_not_over_is_refused(loaded: LoadedModel, run: Run, other: County) -> None:
    with pytest.raises(InputRefused, match="earlier --as-of"):
        validate_model(loaded, run, other, ["2021-03-31"])


def test_a_date_the_records_do_not_reach_is_refused(loaded: LoadedModel, run: Run, other: County) -> None:
    with pytest.raises(InputRefused, match=r"no household is known|nobody is known|do not carry"):
        validate_model(loaded, run, other, ["2010-12-31"])


def test_other_rules_are_another_question(loaded: LoadedModel, run: Run, other: County) -> None:
    changed = dict(loaded.card)
    changed["ruleset"] = changed["ruleset"] | {"name_en": "edited"}
    with pytest.raises(InputRefused, match="its line and its label"):
        validate_model(replace(loaded, card=changed), run, other, AS_OF)


def test_guidelines_are_filled_and_gaps_named(
    found: ExternalValidation, loaded: LoadedModel, run: Run
) -> None:
    pooled = pool_counties(found.figures.iloc[[0]])
    facts = validation_facts(loaded, run, [found], pooled)
    table = guideline_evidence(facts)
    assert set(table["guideline"]) == {"tripod_ai", "probast"}
    assert not table["evidence"].str.contains("{", regex=False).any()
    assert table.loc[table["item"].isin(["17", "18a", "25", "26"]), "gap"].all()
    assert (table["judgement"] == "").all()
    several = guideline_evidence(validation_facts(loaded, run, [found, found], pooled))
    assert "tripod_cluster" in set(several["guideline"])


def test_pooling_is_the_textbooks_and_needs_three_counties() -> None:
    """Paule–Mandel with Hartung–Knapp on four log ratios, against a hand calculation by their equations."""
    effect, error = np.array([0.10, 0.30, -0.05, 0.45]), np.array([0.10, 0.12, 0.09, 0.20])
    z = 1.959963984540054
    names = [
        f"{n}{e}"
        for n in ("auc", "expected_over_observed", "calibration_slope")
        for e in ("", "_low", "_high")
    ]
    figures = pd.DataFrame(np.nan, index=range(4), columns=names)
    for end, sign in (("", 0), ("_low", -1), ("_high", 1)):
        figures[f"expected_over_observed{end}"] = np.exp(effect + sign * z * error)
    row = pool_counties(figures).set_index("figure").loc["expected_over_observed"]
    lo, hi = 0.0, 1.0
    for _ in range(200):  # Paule and Mandel: the generalised Q equals k - 1
        tau2 = (lo + hi) / 2
        w = 1 / (error**2 + tau2)
        q = (w * (effect - (w @ effect) / w.sum()) ** 2).sum()
        lo, hi = (tau2, hi) if q > 3 else (lo, tau2)
    mean = (w @ effect) / w.sum()
    own = np.sqrt((w * (effect - mean) ** 2).sum() / 3 / w.sum())
    assert row["tau"] == pytest.approx(np.sqrt(tau2), rel=1e-3)
    assert row["mean"] == pytest.approx(np.exp(mean), rel=1e-4)
    assert row["low"] == pytest.approx(np.exp(mean - 3.182446 * own), rel=1e-3)
    assert row["predicted_low"] == pytest.approx(np.exp(mean - 4.302653 * np.sqrt(tau2 + own**2)), rel=1e-3)
    assert pool_counties(figures.iloc[:2])["mean"].isna().all()
