"""Every aggregate against a row-by-row reading of random counties."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import County
from riskmodel.data.county import county_of_frames
from riskmodel.features.aggregates import AGGREGATES
from riskmodel.households import known_county

from . import counties
from .reference import Reference

SET = Path(__file__).parent / "sets" / "every-aggregate.yaml"
# A month's last day, a day inside a month, and a day before some households have any record.
DATES = ["2019-10-15", "2020-12-31", "2021-06-10"]


EVERY = features.load_feature_set(SET)
SEEDS = (0, 1)


@cache
def expected(seed: int, row_ids: bool = False) -> pd.DataFrame:
    """Read a random county row by row at all dates."""
    county = county_of_frames(counties.frames(seed, row_ids=row_ids))
    accounts = known_county(county, DATES).accounts().to_pandas()
    found = []
    for date in DATES:
        of_date = accounts[accounts["as_of"] == date]
        found.append(Reference(county, EVERY, dt.date.fromisoformat(date), of_date).frame())
    return pd.concat(found, keys=pd.to_datetime(DATES), names=["as_of"]).swaplevel().sort_index()


def compare(county: County, theirs: pd.DataFrame) -> None:
    built = features.build_features(county, EVERY, DATES).set_index(["household_id", "as_of"])[EVERY.names]
    assert list(built.index) == list(theirs.index)
    # Slopes and spreads are differences of large sums: compare on the scale of the amounts.
    pd.testing.assert_frame_equal(built, theirs[EVERY.names], rtol=1e-9, atol=1e-6, check_index_type=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_engine_equals_row_by_row_reading(seed: int) -> None:
    compare(county_of_frames(counties.frames(seed)), expected(seed))


def test_corrected_rows_equal_row_by_row_reading() -> None:
    # With row ids a later record replaces an earlier one, so the quick path over months may not be taken.
    frames = counties.frames(7, row_ids=True)
    county = county_of_frames(frames)
    assert county.facts["corrected.income"]
    assert frames["income"]["row_id"].dropna().duplicated().any()
    compare(county, expected(7, row_ids=True))


def test_the_reference_sees_values_and_gaps_of_every_feature() -> None:
    # A comparison of nothing but nulls, or of one constant, would prove nothing.
    seen = pd.concat([expected(seed) for seed in SEEDS])
    varied = seen.nunique(dropna=False)
    assert list(varied[varied < 2].index) == []
    for aggregate in ("cv", "recency", "ratio", "mean_others", "sum"):
        some_null = [f.id for f in EVERY.features if f.aggregate == aggregate and seen[f.id].isna().any()]
        assert some_null, aggregate


def test_every_aggregate_is_declared_in_the_tested_set() -> None:
    others = {name for name, a in AGGREGATES.items() if not set(a.sources) - {"accounts", "indicators"}}
    assert {f.aggregate for f in EVERY.features} == set(AGGREGATES) - others


def test_equal_months_have_no_spread_and_a_straight_line_its_step() -> None:
    # Sums of squares are kept as decimals: in floats the spread of 24 times 1000.10 comes out as 3e-5.
    months = [counties.month_text(m) for m in range(2019 * 12, 2021 * 12)]
    flat = pd.DataFrame({"household_id": "h0", "month": months, "source": "wage", "amount": 1000.1})
    rising = pd.DataFrame(
        {"household_id": "h1", "month": months, "source": "wage", "amount": 500 + 25 * np.arange(24)}
    )
    frames = counties.frames(0, households=2) | {"income": pd.concat([flat, rising])}
    wanted = ["in_wage_std_24", "in_wage_cv_12", "in_wage_slope_6", "in_wage_slope_24", "in_wage_slope_lag"]
    few = EVERY.model_copy(update={"features": tuple(map(EVERY.feature, wanted))})
    found = features.build_features(county_of_frames(frames), few, "2020-12-31").set_index("household_id")
    assert found.loc["h0", wanted].tolist() == [0.0] * 5
    assert found.loc["h1", wanted[2:]].tolist() == [25.0] * 3
