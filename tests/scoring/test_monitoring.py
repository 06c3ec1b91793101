"""Monitoring on frames whose drift is known: no alarm where nothing changed, an alarm where something did."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel import features, rules
from riskmodel.data import About, from_frames
from riskmodel.evaluation import yield_by_source
from riskmodel.scoring.monitoring import (
    MonitoringResult,
    _of_records,
    _uneven_places,
    compare_outcomes,
    measure_drift,
    psi,
)
from riskmodel.targets import Horizon


def test_psi_equals_the_formula_by_hand() -> None:
    # Two bins: 50/50 before, 80/20 now; with half a household added to each bin of a thousand.
    before, now = pd.Series([0.0] * 500 + [1.0] * 500), pd.Series([0.0] * 800 + [1.0] * 200)
    p, q = np.array([500.5, 500.5]) / 1001, np.array([800.5, 200.5]) / 1001
    result = psi(before, now)
    assert result.value == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert result.bins == 2
    assert result.status == "alarm"


def test_the_limit_is_passed_by_one_in_twenty_where_nothing_changed() -> None:
    rng = np.random.default_rng(0)
    found = [psi(pd.Series(rng.normal(size=400)), pd.Series(rng.normal(size=600))) for _ in range(300)]
    # 300 draws at 5 %: 15 expected, more than 28 or fewer than 4 once in a thousand.
    assert 4 <= sum(f.value > f.limit for f in found) <= 28
    assert np.mean([f.value for f in found]) == pytest.approx(found[0].chance, rel=0.15)


def test_small_samples_do_not_cry_wolf_and_shared_values_count_once() -> None:
    rng = np.random.default_rng(1)
    few = [psi(pd.Series(rng.normal(size=40)), pd.Series(rng.normal(size=40))) for _ in range(100)]
    # Above 0.25 by chance alone is the rule with 40 households; an alarm is not.
    assert sum(f.value > 0.25 for f in few) > 30
    assert sum(f.status != "ok" for f in few) < 15
    township = pd.Series(np.repeat([0.1, 0.2, 0.3, 0.4], 250))
    moved = pd.Series(np.repeat([0.15, 0.25, 0.35, 0.38], 250))
    assert psi(township, moved).status == "alarm"
    assert psi(township, moved, sizes=(4, 4)).status == "ok"


def test_drift_finds_what_moved_and_what_went_missing() -> None:
    rng = np.random.default_rng(2)
    before = pd.DataFrame({name: rng.normal(size=800) for name in ("still", "moved", "gone")})
    now = pd.DataFrame({name: rng.normal(size=800) for name in ("still", "moved", "gone")})
    now["moved"] += 1.0
    now.loc[: 800 // 4, "gone"] = np.nan
    names = pd.DataFrame({"id": ["moved"], "zh": ["动了"], "en": ["moved"]})
    result = measure_drift(before, now, names).set_index("column")
    assert result["status"].to_dict() == {"moved": "alarm", "gone": "alarm", "still": "ok"}
    assert result["missing_status"].to_dict() == {"moved": "ok", "gone": "look", "still": "ok"}
    assert result.loc["moved", "zh"] == "动了"


def county(n: int = 60, through: str = "2021-12-31", **more: pd.DataFrame):
    """Households of one, of whom every third has no income after 2020: those fall below the line."""
    ids = [f"h{i:02d}" for i in range(n)]
    months = pd.period_range("2019-01", "2021-12", freq="M").astype(str)
    income = pd.DataFrame([(h, m) for h in ids for m in months], columns=["household_id", "month"])
    poor = income["household_id"].str[1:].astype(int) % 3 == 0
    income["amount"] = np.where(poor & (income["month"] > "2020-12"), 100.0, 1200.0)
    own = {"household_id": ids, "township": "t", "village": "v", "registration": "general"}
    people = {"member_id": ids, "household_id": ids, "birth_month": "1980-01"}
    return from_frames(
        {
            "households": pd.DataFrame(own | {"valid_from": "2018-01-01"}),
            "members": pd.DataFrame(people | {"valid_from": "2018-01-01"}),
            "income": income.assign(source="wage"),
            "monitoring": pd.DataFrame({"household_id": [], "date": [], "event": []}),
            **more,
        },
        About(data_through=dt.date.fromisoformat(through), income_is_net=True),
    )  # fmt: skip


def judged(result, probability: float, as_of: str = "2022-01-31") -> pd.DataFrame:
    ids = [f"h{i:02d}" for i in range(60)]
    scores = pd.DataFrame({"household_id": ids, "as_of": "2020-12-31", "probability": probability})
    scores["listed"] = scores.index < 6
    return compare_outcomes(
        result, [scores], events=("below_line",), horizon=Horizon(months=12), cohort=("general",),
        ruleset=rules.load_rules("national-2021"), params={}, as_of=dt.date.fromisoformat(as_of),
    )  # fmt: skip


def test_past_scores_are_held_against_what_came_once_the_window_is_over() -> None:
    result = county()
    (right,) = judged(result, 1 / 3).to_dict("records")
    # Every third of 60 falls: 20 observed, 20 expected; of the six listed (0…5) two.
    assert (right["households"], right["observed"], right["expected"]) == (60, 20, pytest.approx(20))
    assert (right["listed"], right["listed_observed"], right["status"]) == (6, 2, "ok")
    (wrong,) = judged(result, 0.05).to_dict("records")
    assert wrong["status"] == "alarm"
    assert wrong["ratio"] == pytest.approx(20 / 3)
    # Before the window is over nothing is judged.
    assert judged(county(through="2021-11-30"), 0.05).empty


def test_a_model_that_finds_less_than_the_lot_is_an_alarm() -> None:
    def found(model: int, random: int, n: int = 30) -> list[str]:
        said = [["confirmed"] * k + ["not_confirmed"] * (n - k) for k in (model, random)]
        seen = pd.DataFrame({"selected_by": ["model"] * n + ["random"] * n, "outcome": [*said[0], *said[1]]})
        empty = pd.DataFrame(columns=["status", "missing_status"])
        return [a["what"] for a in MonitoringResult({}, empty, empty, yield_by_source(seen)).alarms]

    assert found(1, 20) == ["yield"]
    assert found(20, 1) == []
    # Within the intervals, or with a handful of visits, it is chance.
    assert found(5, 8) == []
    assert found(0, 5, n=5) == []


def test_a_change_of_coverage_is_named_and_is_no_drift() -> None:
    # Of a third, richer and in a township of its own, income was not on record a year ago.
    rng = np.random.default_rng(4)
    ids = pd.Index([f"h{i:03d}" for i in range(900)])
    income, late = pd.Series(rng.normal(size=900), ids), np.arange(900) >= 600
    income[late] += 3.0
    now = pd.DataFrame({"probability": rng.random(900), "income": income, "age": rng.normal(size=900)}, ids)
    before = now.assign(income=income.where(~late))
    named = pd.DataFrame({"id": [], "zh": [], "en": []})
    came = measure_drift(before, now, named, of_records=["income"]).set_index("column")
    assert came["status"].eq("ok").all()
    assert came.loc[["income", "probability", "age"], "left_out_now"].tolist() == [300, 300, 0]
    assert came.loc["income", ["left_out_before", "missing_before"]].tolist() == [300, pytest.approx(1 / 3)]
    # As a column like any other the same frames are another population: that is what was reported.
    assert measure_drift(before, now, named).set_index("column").loc["income", "status"] == "alarm"
    # The other way round more is missing, under its own name, and still nothing has drifted.
    empty = pd.DataFrame(columns=["status", "missing_status"])
    ceased = MonitoringResult({}, measure_drift(now, before, named, of_records=["income"]), empty, empty)
    assert [a["what"] for a in ceased.alarms] == ["coverage"]
    # What has moved of those on record at both dates is drift all the same.
    moved = measure_drift(before, now.assign(income=income + 1.0), named, of_records=["income"])
    assert moved.set_index("column").loc["income", "status"] == "alarm"
    nobody = before.assign(income=income.where(late))
    result = MonitoringResult({}, measure_drift(before, nobody, named, of_records=["income"]), empty, empty)
    assert "not_compared" in {a["what"] for a in result.alarms}


def test_neighbours_are_compared_where_as_many_are_on_record() -> None:
    ids, known = list("abcdef"), [1.0, 1.0, np.nan, 1.0, 1.0, 1.0]
    place = pd.Series(["x", "x", "y", "y", "z", "z"], ids)
    then, now = pd.Series(known, ids), pd.Series(1.0, ids)
    assert _uneven_places(then, now, place, place).tolist() == ["c", "d"]
    # What rests on income or spending, itself or by what it is made of; the register's figures do not.
    found = _of_records(features.load_feature_set("household-v1").features)
    assert {"pcni", "line_distance", "village_pcni", "previous_income_missing"} <= found
    assert not {"dibao", "township_in_register", "village_cause_illness"} & found


def test_labels_that_are_not_known_are_counted() -> None:
    torn = {"household_id": ["h00", "h01"], "of": "income", "month_from": "2021-05", "month_to": "2021-05"}
    found = county(unrecorded=pd.DataFrame(torn | {"why": "torn", "recorded_on": "2021-12-31"}))
    (row,) = judged(found, 1 / 3).to_dict("records")
    assert (row["households"], row["unknown"], row["observed"]) == (58, 2, 19)
