"""Who scores changes only when every check holds: each check fails where it must, and only there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel.errors import InputRefused, UsageError
from riskmodel.runs import Experiment, promotion, tracking
from riskmodel.runs.promotion import (
    Candidate,
    align_test_rows,
    check_promotion,
    pair_predictions,
    recall_difference,
)
from riskmodel.runs.tracking import RegisteredModel

EXPERIMENT = {
    "events": ["below_line"], "horizon": {"months": 12, "next": False}, "ruleset": "national-2021",
    "cohort": ["lifted"], "budget": {"visits": None, "share": 0.1},
}  # fmt: skip


def rows(n: int = 2000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    risk = rng.normal(-2.5, 1.2, n)
    return pd.DataFrame(
        {
            "household_id": np.arange(n),
            "as_of": pd.Timestamp("2020-12-31"),
            "fold": "a",
            "township": [f"t{i % 4}" for i in range(n)],
            "village": [f"v{i % 40}" for i in range(n)],
            "persons": rng.integers(1, 7, n),
            "flagged": risk > -1,
            "y": (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float),
            "true": 1 / (1 + np.exp(-risk)),
        }
    )


def contender(version: str, probability: np.ndarray | None = None, **changes: object) -> Candidate:
    found = rows()
    found["probability"] = found["true"] if probability is None else probability
    found = found.assign(model="logit", score=0.0)
    metrics = {
        "auc": 0.8, "calibration_slope": 1.02, "calibration_slope_low": 0.8, "calibration_slope_high": 1.2,
        "leakage_suspected": False,
    }  # fmt: skip
    metrics |= {k: v for k, v in changes.items() if k in metrics}
    experiment = EXPERIMENT | {k: v for k, v in changes.items() if k in EXPERIMENT}
    gate = changes.get("gate", {"in_charge": "logit", "declared": "logit", "zh": "通过", "en": "passes"})
    registered = RegisteredModel("county", version, version, "logit")
    return Candidate(registered, found, metrics, experiment, gate=gate)


FINE = {"refused": False}


def passed(champion: Candidate, challenger: Candidate, data_check: dict | None = FINE) -> dict[str, bool]:
    return {c.id: c.passed for c in check_promotion(champion, challenger, data_check)}


def test_nobody_is_promoted_past_the_gate() -> None:
    refused = {"in_charge": "past_income", "declared": "logit", "zh": "未通过", "en": "does not pass"}
    for gate in (refused, None):
        assert not passed(contender("1"), contender("2", gate=gate))["gate"]
    # The champion of before is not asked: it only has to be no better.
    assert passed(contender("1", gate=None), contender("2"))["gate"]


def test_an_equal_challenger_passes_everything() -> None:
    checks = check_promotion(contender("1"), contender("2"), FINE)
    assert all(c.passed for c in checks)
    assert [c.id for c in checks] == [
        "question",
        "primary",
        "calibrated",
        "leakage",
        "data",
        "fairness",
        "gate",
    ]
    assert all(all(c.message.both().values()) for c in checks)


def test_a_challenger_that_guesses_is_worse_beyond_its_interval() -> None:
    # Guessing finds a tenth of the events with a tenth of the visits; the truth finds far more.
    guess = np.random.default_rng(1).permutation(rows()["true"].to_numpy())
    found = passed(contender("1"), contender("2", guess))
    assert not found["primary"]
    assert found["calibrated"]


def test_miscalibrated_leaking_or_other_questions_do_not_pass() -> None:
    assert not passed(contender("1"), contender("2", rows()["true"].to_numpy() * 0.5))["calibrated"]
    steep = {"calibration_slope": 0.5, "calibration_slope_low": 0.4, "calibration_slope_high": 0.6}
    assert not passed(contender("1"), contender("2", **steep))["calibrated"]
    assert not passed(contender("1"), contender("2", leakage_suspected=True))["leakage"]
    assert not passed(contender("1"), contender("2", events=["identified"]))["question"]
    assert not passed(contender("1"), contender("2"), data_check={"refused": True})["data"]
    assert not passed(contender("1"), contender("2"), data_check=None)["data"]


def test_one_feature_written_by_the_register_is_enough_to_stop_a_promotion() -> None:
    # The whole model's AUC is modest: only the run's own look at each column can tell.
    leaks = pd.DataFrame({"column": ["register_years", "pcni"], "suspected": [True, False]})
    found = check_promotion(contender("1"), replace(contender("2"), leaks=leaks), FINE)
    (leakage,) = [c for c in found if c.id == "leakage"]
    assert not leakage.passed
    assert "register_years" in leakage.message.text("en")
    assert "pcni" not in leakage.message.text("zh")
    assert passed(contender("1"), replace(contender("2"), leaks=leaks.iloc[1:]))["leakage"]


def test_a_township_may_not_be_given_up() -> None:
    # Equal elsewhere, blind in one township: its households are put last, what was theirs goes to others.
    found = rows()
    blind = found["true"].where(found["township"] != "t2", found["true"] * 0.01).to_numpy()
    checks = {c.id: c for c in check_promotion(contender("1"), contender("2", blind))}
    assert not checks["fairness"].passed
    assert "township t2" in checks["fairness"].message.text("en")


def test_a_kind_of_household_may_not_be_given_up_and_small_kinds_are_said_to_be_unjudged() -> None:
    found = rows()
    old = np.where(np.arange(len(found)) % 3 == 0, "yes", "no")
    rare = np.where(np.arange(len(found)) < 8, "yes", None)
    blind = found["true"].where(old == "no", found["true"] * 0.01).to_numpy()
    both = []
    for version, p in (("1", None), ("2", blind)):
        one = contender(version, p)
        both.append(replace(one, predictions=one.predictions.assign(group_old=old, group_rare=rare)))
    checks = {c.id: c for c in check_promotion(*both)}
    assert not checks["fairness"].passed
    assert "old yes" in checks["fairness"].message.text("en")
    same = {c.id: c for c in check_promotion(both[0], replace(both[0], registered=both[1].registered))}
    # Eight households hold fewer than ten events: nothing is said of them, and that is said.
    assert "1 too small to judge" in same["fairness"].message.text("en")


def test_the_interval_covers_the_difference_of_two_lists() -> None:
    # 60 counties of one law: the interval of the recall difference holds the difference over all of them
    # in about 95 of 100; 50 of 60 is far below what chance leaves of that.
    gaps, spans = [], []
    for seed in range(60):
        frame = rows(1200, seed)
        noisy = frame["true"] * np.exp(np.random.default_rng(seed + 100).normal(0, 1, len(frame)))
        lists = {"champion": frame["true"], "challenger": noisy}
        frame = frame.assign(**{f"{k}_listed": v.rank(ascending=False) <= 120 for k, v in lists.items()})
        _, _, change = recall_difference(frame, seed)
        gaps.append(change.delta)
        spans.append((change.low, change.high))
    middle = float(np.mean(gaps))
    assert middle < 0
    assert sum(low <= middle <= high for low, high in spans) >= 50


def test_other_rows_cannot_be_compared() -> None:
    other = contender("2")
    changed = other.predictions.assign(y=1 - other.predictions["y"])
    with pytest.raises(InputRefused, match="different rows"):
        pair_predictions(
            contender("1"), Candidate(other.registered, changed, other.metrics, other.experiment)
        )


def test_where_records_came_in_between_both_are_tested_anew_on_the_same_rows(monkeypatch) -> None:
    # The champion's run knows fewer test rows than the challenger's: today's county has them for both.
    old, new = contender("1"), contender("2")
    old = replace(
        old, predictions=old.predictions.iloc[:1500], experiment=old.experiment | {"as_of": 1, "split": 1}
    )
    new = replace(new, experiment=new.experiment | {"as_of": 2, "split": 2})
    with pytest.raises(InputRefused, match="--data"):
        align_test_rows(old, new)
    asked = []

    class Result:
        predictions, leaks = new.predictions, pd.DataFrame()

    def run(exp: dict, county: str, *, final: bool) -> Result:
        asked.append((exp["models"], exp["as_of"], exp["split"], county, final))
        return Result()

    monkeypatch.setattr(promotion, "run_experiment", run)
    monkeypatch.setattr(Experiment, "model_validate", lambda declared: declared)
    both = align_test_rows(old, new, lambda: "county")  # type: ignore[arg-type,return-value]
    # Each keeps its own declaration; dates and folds are the challenger's for both.
    assert asked == [(["logit"], 2, 2, "county", False)] * 2
    assert len(pair_predictions(*both)) == len(new.predictions)
    other = replace(new, experiment=new.experiment | {"ruleset": "another"})
    with pytest.raises(InputRefused, match=r"something else than the champion.*ruleset"):
        align_test_rows(old, other, lambda: "county")  # type: ignore[arg-type,return-value]


class Store:
    """A registry in memory: aliases and runs, as tracking keeps them."""

    path: Path

    def __init__(self) -> None:
        self.aliases = {"champion": "1", "challenger": "2"}
        self.logged: list[dict] = []

    def require_model(self, name_at_alias: str, store: object) -> RegisteredModel:
        alias = name_at_alias.partition("@")[2]
        version = self.aliases.get(alias, alias if alias.isdigit() else "")
        if not version:
            raise UsageError(f"no model {name_at_alias}")
        return RegisteredModel("county", version, version, "logit")

    def set_alias(self, name: str, alias: str, version: str, store: object) -> None:
        self.aliases[alias] = version

    def start_run(self, *_: object, **__: object):
        import contextlib

        store = self

        class Run:
            run_id = "r"

            def params(self, _: object) -> None: ...

            def metrics(self, _: object) -> None: ...

            def document(self, content: dict, name: str) -> None:
                store.logged.append(content)

        return contextlib.nullcontext(Run())


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    made = Store()
    made.path = tmp_path / "mlflow.db"
    made.path.touch()
    for name in ("require_model", "set_alias", "start_run"):
        monkeypatch.setattr(tracking, name, getattr(made, name))
    return made


def test_promotion_moves_the_alias_and_keeps_the_one_before(store, monkeypatch) -> None:
    monkeypatch.setattr(promotion, "load_candidate", lambda r, _: contender(r.version))
    decision = promotion.promote("county", store.path, data_check=FINE)
    assert decision.promoted
    assert store.aliases == {"champion": "2", "challenger": "2", "previous": "1"}
    assert store.logged[0]["checks"][1]["id"] == "primary"
    with pytest.raises(UsageError, match="is the champion"):
        promotion.promote("county", store.path)


def test_a_failed_check_keeps_the_champion_unless_overridden_with_a_reason(store, monkeypatch) -> None:
    def contenders(registered: RegisteredModel, _: object) -> Candidate:
        return contender(registered.version, leakage_suspected=registered.version == "2")

    monkeypatch.setattr(promotion, "load_candidate", contenders)
    assert not promotion.promote("county", store.path).promoted
    assert store.aliases["champion"] == "1"
    decision = promotion.promote("county", store.path, override="the county office decided so")
    assert (decision.promoted, decision.override) == (True, "the county office decided so")
    assert store.aliases["champion"] == "2"
    # Both decisions are on record, with what failed.
    assert [d["promoted"] for d in store.logged] == [False, True]
    with pytest.raises(UsageError, match="no model county@nobody"):
        promotion.promote("county", store.path, "nobody")


def test_where_no_interval_can_be_given_the_difference_itself_decides() -> None:
    # One village cannot be resampled: a worse list does not pass for want of an interval, an equal one does.
    worse = rows()["true"].to_numpy()[::-1].copy()
    both = [contender("1"), contender("2", worse), contender("3")]
    one = [replace(c, predictions=c.predictions.assign(township="t", village="v")) for c in both]
    assert not passed(one[0], one[1])["primary"]
    assert not passed(one[0], one[1])["fairness"]
    assert passed(one[0], one[2])["primary"]
    assert passed(one[0], one[2])["fairness"]
