"""Household forecasts on a small county: honest about the past, whole where histories are not; their sums."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames
from riskmodel.data.schema import About
from riskmodel.errors import UsageError
from riskmodel.forecasting import histories, household
from riskmodel.forecasting.accuracy import coverage
from riskmodel.forecasting.conformal import CommonShock
from riskmodel.forecasting.household import HouseholdForecast

from .conftest import AS_OF

DAY = dt.date.fromisoformat(AS_OF)


def test_every_household_has_each_horizon_once(forecast: HouseholdForecast, county: County) -> None:
    t = forecast.table
    assert sorted(t["horizon_months"].unique()) == [3, 6, 12]
    assert not t.duplicated(["household_id", "horizon_months"]).any()
    assert t["household_id"].nunique() > 240
    # The last year is on record or says why it is not; the forecast is there all the same.
    assert t.notna().drop(columns=["pcni", "income_basis", "income_reason"]).all().all()
    assert (t["income_reason"].notna() == t["pcni"].isna()).all()
    ordered = t[["low_95", "low_80", "pcni_median", "high_80", "high_95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    assert t["probability_below"].between(0, 1, inclusive="neither").all()
    assert set(t["period_end"].astype(str)) == {"2019-12-31", "2020-03-31", "2020-09-30"}


def test_intervals_widen_with_the_horizon(forecast: HouseholdForecast, county: County) -> None:
    # Nine of twelve months are known three months ahead, none twelve ahead. What comes after a September,
    # harvest and sales, is the uncertain part of a year; after a June three months more tell little.
    def widths(found: HouseholdForecast) -> pd.Series:
        t = found.table
        return (t["high_80"] - t["low_80"]).groupby(t["horizon_months"]).median()

    assert widths(forecast).is_monotonic_increasing
    width = widths(household.forecast_households(county, "2019-06-30", (3, 12)))
    assert width.is_monotonic_increasing
    assert width[12] > 1.5 * width[3]


def test_intervals_cover_what_happened(forecast: HouseholdForecast, county: County) -> None:
    # One county, one year: households share its luck, so the tolerance is wider than 260 coins'
    # (`benchmarks/forecast.py` measures several counties and days).
    actual = histories.later_incomes(county, [(DAY, h) for h in (3, 6, 12)], dt.date(2020, 12, 31))
    t = forecast.table.merge(actual, on=["household_id", "as_of", "horizon_months"], validate="one_to_one")
    assert len(t) > 700
    for level in (80, 95):
        seen = coverage(t["actual"], t[f"low_{level}"], t[f"high_{level}"])
        assert seen == pytest.approx(level / 100, abs=0.12)


def test_nothing_recorded_later_moves_a_forecast(
    forecast: HouseholdForecast, frames: dict[str, pd.DataFrame], about: About
) -> None:
    # The one promise about time: rows recorded after as-of are cut away whole, and nothing moves. The
    # register, visits and support are no input of a household's distribution but for `in_register`.
    known = {name: t[pd.to_datetime(t["recorded_on"]) <= AS_OF] for name, t in frames.items()}
    past = household.forecast_households(from_frames(known, about), AS_OF, horizons=(12,))
    ours = forecast.table[forecast.table["horizon_months"] == 12].reset_index(drop=True)
    pd.testing.assert_frame_equal(past.table, ours)


def test_sparse_broken_and_absent_histories_get_wider_intervals_not_errors(
    sparse: County,
) -> None:
    forecast = household.forecast_households(sparse, AS_OF, horizons=(6,))
    t = forecast.table
    # A few of them may have nobody left, or rows of the gap entered under another month.
    assert (t["history"].value_counts()[["broken", "totals", "none"]] >= [12, 12, 8]).all()
    # On the transformed scale, where widths of rich and poor compare.
    shape = forecast.distributions["panel", 6].shape
    width = pd.Series(shape.down).groupby(t["history"]).median()
    # Thirty-three months are known of most: two whole years. Half of the period is known of them; of a
    # household with last year's total none is, and of one without income nothing at all.
    assert width["totals"] > width["short"]
    assert width["none"] > width["totals"]
    assert np.isfinite(t[["low_95", "high_95", "probability_below"]]).all().all()
    spread = np.log(t["high_80"].clip(lower=1) / t["low_80"].clip(lower=1)).groupby(t["history"]).median()
    assert spread["none"] > spread["short"]


def test_a_county_too_young_to_check_itself_says_so() -> None:
    rows = [(f"h{i}", f"2020-{m:02d}", "wage", 500.0 + 10 * i) for i in range(12) for m in range(1, 13)]
    income = pd.DataFrame(rows, columns=["household_id", "month", "source", "amount"])
    ids = [f"h{i}" for i in range(12)]
    homes = pd.DataFrame(
        {
            "household_id": ids,
            "township": "t",
            "village": "v",
            "registration": "general",
            "valid_from": "2019-01-01",
        }
    )
    people = pd.DataFrame(
        {"member_id": ids, "household_id": ids, "birth_month": "1980-01", "valid_from": "2019-01-01"}
    )
    young = from_frames({"income": income, "households": homes, "members": people}, About(income_is_net=True))
    forecast = household.forecast_households(young, "2020-12-31", horizons=(6,))
    assert forecast.learned[6].chosen == "panel"
    assert set(forecast.table["calibrated_on"]) == {"uncalibrated"}
    assert "not calibrated" in forecast.notes[0].text("en")


def test_wrong_wishes_are_refused(county: County) -> None:
    with pytest.raises(UsageError, match="from 1 to 12"):
        household.forecast_households(county, AS_OF, horizons=(0, 6))
    with pytest.raises(UsageError, match="seasonal_naive"):
        household.forecast_households(county, AS_OF, method="oracle")
    with pytest.raises(UsageError, match="no household is known"):
        household.forecast_households(county, "1990-01-31")


def test_means_are_the_sums_of_probabilities(forecast: HouseholdForecast) -> None:
    # Whatever is shared, the expected number below is the sum of the chances: Monte-Carlo error of 2,000
    # draws of a sum with an s.d. of about 10 is 0.25.
    t = household.households_below_line(forecast, 12, draws=2_000, seed=1)
    county = t[(t["township"] == "all") & (t["cause"] == "all")].set_index("measure")
    # Sums are of those whose year is on record: what is expected stands beside what is now.
    chances = forecast.below(12)[forecast.on_record]
    assert county.loc["households", "mean"] == pytest.approx(chances.sum(), rel=0.06)
    towns = t[(t["township"] != "all") & (t["cause"] == "all") & (t["measure"] == "households")]
    assert towns["mean"].sum() == pytest.approx(county.loc["households", "mean"])
    causes = t[(t["township"] == "all") & (t["cause"] != "all") & (t["measure"] == "persons")]
    assert causes["mean"].sum() == pytest.approx(county.loc["persons", "mean"])
    assert (t["low_95"] <= t["low_80"]).all()
    assert (t["high_80"] <= t["high_95"]).all()


def test_shared_luck_widens_the_countys_interval(forecast: HouseholdForecast) -> None:
    # Independent households would make a county's number far too certain.
    by = household.household_groups(forecast)
    spread = {}
    for name, luck in (("alone", CommonShock(0.0, 0.0)), ("together", CommonShock(0.1, 0.05))):
        parts = [
            household.newly_below(y, 6000.0, by)[0].sum(axis=0)
            for y in household.draw_incomes(forecast, 12, 400, 1, luck)
        ]
        spread[name] = np.concatenate(parts).std()
    assert spread["together"] > 1.5 * spread["alone"]


def test_the_gap_is_what_lifts_everyone_to_the_line() -> None:
    by = household.Groups(np.array([0, 1, 1]), ("a", "b"), ("none",), np.array([2.0, 3.0, 1.0]))
    income = np.array([[5000.0], [4000.0], [7000.0]])
    out = household.newly_below(income, 6000.0, by)
    assert out[:, :, 0].tolist() == [[1, 1], [2, 3], [2000, 6000]]
    shape = (
        household.summarise_totals(out, by)
        .query("township == 'all' and cause == 'all'")
        .set_index("measure")["mean"]
    )
    assert shape.to_dict() == {"households": 2, "persons": 5, "yuan": 8000}


def test_same_seed_same_numbers(forecast: HouseholdForecast) -> None:
    pd.testing.assert_frame_equal(
        household.households_below_line(forecast, 12, 100, 3),
        household.households_below_line(forecast, 12, 100, 3),
    )
