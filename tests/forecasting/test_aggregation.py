"""From households to townships: sums, shared luck, and intervals that know of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel.forecasting import household
from riskmodel.forecasting.conformal import CommonShock
from riskmodel.forecasting.household import HouseholdForecast


@pytest.fixture(scope="module")
def made(forecast: HouseholdForecast) -> HouseholdForecast:
    return forecast


def test_means_are_the_sums_of_probabilities(made: HouseholdForecast) -> None:
    # Whatever is shared, the expected number below is the sum of the chances: Monte-Carlo error of 2,000
    # draws of a sum with an s.d. of about 10 is 0.25.
    t = household.households_below_line(made, 12, draws=2_000, seed=1)
    county = t[(t["township"] == "all") & (t["cause"] == "all")].set_index("measure")
    assert county.loc["households", "mean"] == pytest.approx(made.below(12).sum(), rel=0.06)
    towns = t[(t["township"] != "all") & (t["cause"] == "all") & (t["measure"] == "households")]
    assert towns["mean"].sum() == pytest.approx(county.loc["households", "mean"])
    causes = t[(t["township"] == "all") & (t["cause"] != "all") & (t["measure"] == "persons")]
    assert causes["mean"].sum() == pytest.approx(county.loc["persons", "mean"])
    assert (t["low_95"] <= t["low_80"]).all()
    assert (t["high_80"] <= t["high_95"]).all()


def test_shared_luck_widens_the_countys_interval(made: HouseholdForecast) -> None:
    # Independent households would make a county's number far too certain.
    by = household.household_groups(made)
    spread = {}
    for name, luck in (("alone", CommonShock(0.0, 0.0)), ("together", CommonShock(0.1, 0.05))):
        parts = [
            household.newly_below(y, 6000.0, by)[0].sum(axis=0)
            for y in household.draw_incomes(made, 12, 400, 1, luck)
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


def test_same_seed_same_numbers(made: HouseholdForecast) -> None:
    pd.testing.assert_frame_equal(
        household.households_below_line(made, 12, 100, 3),
        household.households_below_line(made, 12, 100, 3),
    )
