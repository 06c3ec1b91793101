"""Household intervals cover what they say: over counties, times of year, income bands and villages.

Eight counties of two hundred households, each forecast from a December and a June with three to three and a
half years on record: about 3,000 outcomes a horizon. Households of a county share its luck and stand in both
days, so counties are the unit: their standard deviation of about 0.025 leaves 0.009 for the mean of eight,
and the tolerances are three of those and, upward, the point or two by which few scores and few years widen on
purpose (order statistics outward, `luck.widening`).
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import About, from_frames
from riskmodel.forecasting import conformal, histories, household

pytestmark = pytest.mark.slow
SEEDS = range(11, 19)
DAYS = (dt.date(2019, 12, 31), dt.date(2020, 6, 30))
ENDS = {"in_80": ("low_80", "high_80"), "in_95": ("low_95", "high_95")}


@pytest.fixture(scope="module")
def seen() -> pd.DataFrame:
    """One row a household, day and horizon: whether each interval held what came."""
    parts = []
    for seed in SEEDS:
        made = simulate.simulate_county(households=200, months=58, seed=seed, truth_at=())
        about = About(data_through=made.about["data_through"], recording_delay_days=120)
        county = from_frames(made.frames, about)
        for day in DAYS:
            found = household.forecast_households(county, day)
            actual = histories.later_incomes(
                county, [(day, h) for h in household.HORIZONS], about.data_through
            )
            t = found.table.merge(actual, on=["household_id", "as_of", "horizon_months"])
            for name, (low, high) in ENDS.items():
                t[name] = (t["actual"] >= t[low]) & (t["actual"] <= t[high])
            t["band"] = conformal.band(t["pcni"].to_numpy(dtype=float), found.lines[12])
            parts.append(t.assign(seed=seed, month=day.month))
    return pd.concat(parts, ignore_index=True)


def test_over_counties_and_years(seen: pd.DataFrame) -> None:
    by_county = seen.groupby(["horizon_months", "seed"])[list(ENDS)].mean().groupby("horizon_months")
    assert len(seen) > 8_000
    for h, (held_80, held_95) in by_county.mean().iterrows():
        assert held_80 == pytest.approx(0.80, abs=0.04), h
        assert held_95 == pytest.approx(0.95, abs=0.025), h
    # No county is far off: three and a half binomial standard errors of its 350 outcomes.
    assert (by_county["in_80"].min() > 0.72).all()


def test_by_time_of_year(seen: pd.DataFrame) -> None:
    # What lies ahead of a June is more uncertain than what lies ahead of a December: scores pooled over both
    # would cover 0.75 and 0.83. Half the counties' outcomes each, hence a wider tolerance.
    found = seen.groupby(["horizon_months", "month"])[list(ENDS)].mean()
    assert found["in_80"].to_numpy() == pytest.approx(np.full(6, 0.80), abs=0.055)
    assert found["in_95"].to_numpy() == pytest.approx(np.full(6, 0.95), abs=0.03)


def test_by_income_band(seen: pd.DataFrame) -> None:
    # Those below the line are a tenth: 250 rows, binomial error 0.025, and bands differ by what they borrow.
    known = seen[seen["band"] != "unknown"]
    found = known.groupby(["horizon_months", "band"])[list(ENDS)].agg(["mean", "size"])
    assert len(found) == 12
    for name, level in (("in_80", 0.80), ("in_95", 0.95)):
        error = np.sqrt(level * (1 - level) / found[name, "size"])
        assert (np.abs(found[name, "mean"] - level) < 0.03 + 2.5 * error).all(), found[name]


def test_by_village(seen: pd.DataFrame) -> None:
    # If villages differed in nothing but chance, shares of n outcomes would vary by the binomial; a household
    # stands in both days with much of the same luck, which doubles the variance at most.
    found = seen.groupby(["horizon_months", "seed", "village"])["in_80"].agg(["mean", "size"])
    found = found[found["size"] >= 15]
    assert len(found) > 100
    chance = np.sqrt((0.16 / found["size"]).mean())
    assert found["mean"].std() < 1.6 * chance
    assert found["mean"].quantile(0.1) > 0.80 - 2.2 * chance
