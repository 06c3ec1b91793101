"""household-v2: run rates, changes and sudden costs of hand-made ledgers; and what is no column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About, County, from_frames
from riskmodel.features import without_roles

SET = features.load_feature_set("household-v2")
MONTHS = [f"{year}-{month:02d}" for year in (2019, 2020) for month in range(1, 13)]
LINE = 6000.0
SINCE = {"recorded_on": "2019-01-01", "valid_from": "2019-01-01"}


def ledger(wages: list[float], costs: list[float], to: str = "2020-12", net: bool = False) -> County:
    """One household of one person, wages and production costs by month of 2019 and 2020."""
    rows = [
        {"household_id": "a", "month": m, "source": "wage", "amount": w, "recorded_on": f"{m}-28"}
        for m, w in zip(MONTHS, wages, strict=True)
    ]
    spent = [
        {"household_id": "a", "month": m, "category": "production", "amount": c, "recorded_on": f"{m}-28"}
        for m, c in zip(MONTHS, costs, strict=True)
    ]
    spans = [
        {
            "household_id": "a",
            "of": of,
            "month_from": "2019-01",
            "month_to": last,
            "recorded_on": f"{last}-28",
        }
        for of in (("income",) if net else ("income", "spending"))
        for last in ("2019-12", to)
    ]
    frames = {
        "households": pd.DataFrame(
            {"household_id": ["a"], "township": "T", "village": "V", "registration": "lifted"} | SINCE
        ),
        "members": pd.DataFrame(
            {"household_id": ["a"], "member_id": "a1", "sex": "male", "birth_month": "1980-01"} | SINCE
        ),
        "income": pd.DataFrame(rows),
        "recorded": pd.DataFrame(spans),
    }
    if not net:
        frames["spending"] = pd.DataFrame(spent)
    return from_frames(frames, About(income_is_net=net))


def row(county: County, day: str = "2020-12-31") -> pd.Series:
    return features.build_features(county, SET, day).iloc[0]


def test_the_run_rate_is_what_a_year_makes_at_the_pace_of_the_last_months() -> None:
    wages = [1000.0] * 21 + [500.0] * 3
    one = row(ledger(wages, [100.0] * 24))
    earned = 9 * 1000 + 3 * 500
    assert np.exp(one["run_rate_3"]) == pytest.approx((500 * 12 - 100 * 12) / LINE)
    assert np.exp(one["run_rate_6"]) == pytest.approx((750 * 12 - 100 * 12) / LINE)
    assert np.exp(one["pcni_log"]) == pytest.approx((earned - 1200) / LINE)
    # 5 % of the line is added to both, so that a change from nothing has an end.
    assert one["wage_growth"] == pytest.approx(np.log((earned + 300) / (12_000 + 300)))


def test_windows_end_with_the_last_month_on_record() -> None:
    wages, costs = [1000.0] * 21 + [500.0] * 3, [100.0] * 24
    late = row(ledger(wages, costs, to="2020-11"))
    assert late["months_unrecorded"] == 1
    assert np.exp(late["wage_1_log"]) == pytest.approx(500 * 12 / LINE)
    assert np.exp(late["run_rate_3"]) == pytest.approx((2000 / 3 * 12 - 1200) / LINE)


def test_the_smaller_of_two_years_costs_is_usual_and_the_rest_one_off() -> None:
    costs = [100.0] * 20 + [2100.0] + [100.0] * 3
    one = row(ledger([1000.0] * 24, costs))
    assert np.exp(one["run_rate_3"]) == pytest.approx((12_000 - 1200) / LINE)
    assert np.exp(one["one_off_costs_log"]) == pytest.approx(2000 / LINE)
    assert one["sudden_costs_12"] == pytest.approx(2000 / 12_000)
    assert one["sudden_costs_3"] == 0


def test_what_no_year_before_is_on_record_for_is_missing_and_not_zero() -> None:
    one = row(ledger([1000.0] * 24, [100.0] * 24), "2019-12-31")
    assert one[["wage_growth", "business_change_12", "income_change", "sudden_costs_12"]].isna().all()
    assert np.exp(one["run_rate_3"]) == pytest.approx((12_000 - 1200) / LINE)


def test_costs_are_within_incomes_that_were_recorded_net() -> None:
    one = row(ledger([1000.0] * 24, [0.0] * 24, net=True))
    assert np.exp(one["run_rate_3"]) == pytest.approx(12_000 / LINE)


def test_intermediate_features_are_no_columns_and_groups_can_be_left_out() -> None:
    made = features.build_features(ledger([1000.0] * 24, [100.0] * 24), SET, "2020-12-31")
    assert "wage_3" not in made.columns
    assert SET.feature("wage_3").intermediate
    plain = without_roles(SET, {"optional", "mirrors_simulator"})
    assert {f.group for f in plain.features} == {"core"}
    assert not {"sudden_costs_12", "village_sudden_costs", "events_12m"} & set(plain.names)
