"""Windows over monthly rows: which months are known, which are zero, and which are not told by totals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel import features
from riskmodel.data import About, from_frames

from .test_build import EVERY, HOUSEHOLD, built, empty, only, plain


def test_annual_totals_leave_monthly_features_missing_for_want_of_months() -> None:
    county = from_frames(plain(), About(income_is_net=True))
    found = built(county, HOUSEHOLD, "2021-06-30")
    monthly = [f.id for f in HOUSEHOLD.features if f.source == "income"]
    assert found.loc["c", monthly].isna().all()
    assert found.loc["a", "months_without_wage_12m"] == 0
    # The total itself speaks: 9000 in 2020, one person.
    assert found.loc["c", "pcni"] == 9000
    annual = built(county, features.load_feature_set("household-annual-v1"), "2021-06-30")
    assert annual.loc["c", "income_age_months"] == 6  # December 2020 to June 2021
    assert annual.loc["c", "on_totals"] == 1
    assert annual.loc["c", "wage_share"] == 1
    assert annual.loc["a", "income_age_months"] == 0


def test_months_of_a_household_with_spending_totals_are_unknown() -> None:
    # A yearly total of spending cannot be spread over months, so its months are not zero.
    total = {"household_id": "a", "month_from": "2020-07", "month_to": "2021-06", "category": "medical"}
    month = {"household_id": "b", "month_from": "2021-05", "month_to": "2021-05", "category": "medical"}
    spending = pd.DataFrame([total | {"amount": 1200.0}, month | {"amount": 50.0}]).assign(
        recorded_on="2021-06-30"
    )
    found = built(from_frames(plain(spending=spending)), only(EVERY, "out_medical_sum_3"), "2021-06-30")
    assert np.isnan(found.loc["a", "out_medical_sum_3"])
    assert found.loc["b", "out_medical_sum_3"] == 50


def test_income_of_an_earlier_year_only_is_unknown_now() -> None:
    frames = plain()
    income = frames["income"]
    frames["income"] = income[(income["household_id"] != "b") | (income["month"] < "2020-07")]
    some = only(EVERY, "in_wage_sum_3", "in_wage_sum_24", "in_total_lag_3", "in_wage_recency")
    found = built(from_frames(frames), some, "2021-06-30")
    # No row in the 12 months to June 2021: unknown, not zero. The months a year before are known.
    assert found.loc["b", ["in_wage_sum_3", "in_wage_sum_24", "in_wage_recency"]].isna().all()
    assert found.loc["b", "in_total_lag_3"] == 3000
    assert found.loc["a", "in_wage_sum_24"] == 24_000


def test_months_without_wages_count_when_other_income_came() -> None:
    # Transfers show that the household is on record, so the months without wages are known to be without.
    frames = plain(spending=empty("household_id", "month", "category", "amount"))
    income = frames["income"]
    frames["income"] = income.assign(
        source=income["source"].mask(
            (income["household_id"] == "b") & (income["month"] >= "2021-04"), "transfer"
        )
    )
    some = only(EVERY, "in_wage_without_3", "in_wage_without_12", "in_wage_sum_3", "in_wage_recency")
    found = built(from_frames(frames), some, "2021-06-30").loc["b"]
    assert found[
        ["in_wage_without_3", "in_wage_without_12", "in_wage_sum_3", "in_wage_recency"]
    ].tolist() == [3, 3, 0, 3]
