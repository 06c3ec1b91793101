"""Windows over months: what is on record decides what has a value, whatever says it and whenever."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About
from riskmodel.data.county import county_of_frames
from riskmodel.features import monthly
from riskmodel.features.windows import quantile, slope, spread
from riskmodel.households import known_county

from . import counties
from .reference import Reference

SET = features.load_feature_set(Path(__file__).parent / "sets" / "every-aggregate.yaml")
MONTHLY = SET.model_copy(
    update={"features": tuple(f for f in SET.features if f.source in ("income", "spending"))}
)
DATES = ["2020-12-31", "2021-03-15", "2021-06-30"]
WHOLE = {"coverage": "whole", "records_from": "2019-01", "data_through": dt.date(2021, 6, 30)}
# What says of which months there are records, and how late they come.
SAID: dict[str, dict[str, Any]] = {
    "tables": {},
    "whole": WHOLE,
    "whole-late": WHOLE | {"recording_delay_days": 10, "max_lag_months": 1},
    "one-township": WHOLE | {"records_from": {"t0": "2019-06"}},
}


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("said", SAID)
def test_windows_equal_a_naive_reading_of_the_contract(said: str, links: bool) -> None:
    frames = counties.frames(11, row_ids=links)
    if said != "whole":
        frames = counties.with_coverage(frames, 5)
    county = county_of_frames(counties.with_links(frames) if links else frames, About(**SAID[said]))
    known = known_county(county, DATES)
    accounts = known.accounts().to_pandas()
    built = features.build_features(known, MONTHLY).set_index(["as_of", "household_id"])[MONTHLY.names]
    for day in DATES:
        of_day = accounts[accounts["as_of"] == day]
        theirs = Reference(county, MONTHLY, dt.date.fromisoformat(day), of_day).frame()
        mine = built.loc[pd.Timestamp(day)].sort_index()
        pd.testing.assert_frame_equal(mine, theirs[MONTHLY.names], rtol=1e-9, atol=1e-6, check_names=False)
    # A comparison of nothing but nulls, or of none, would prove nothing.
    null = built.isna().mean()
    assert null.between(0.05, 0.95).sum() > 20
    if said != "whole":
        assert built["late_total_sum_3"].sub(built["in_total_sum_3"]).ne(0).any()


def test_some_households_at_a_time_are_the_same_households(monkeypatch: pytest.MonkeyPatch) -> None:
    county = county_of_frames(counties.with_coverage(counties.frames(3), 5))
    whole = features.build_features(county, MONTHLY, DATES)
    monkeypatch.setattr(monthly, "HOUSEHOLDS_AT_ONCE", 2)
    pd.testing.assert_frame_equal(features.build_features(county, MONTHLY, DATES), whole, check_exact=True)


def test_late_rows_and_statements_belong_to_the_dates_that_know_them() -> None:
    county = county_of_frames(counties.with_links(counties.with_coverage(counties.frames(4), 2)))
    together = features.build_features(county, MONTHLY, DATES)
    apart = pd.concat([features.build_features(county, MONTHLY, day) for day in DATES])
    apart = apart.sort_values(["household_id", "as_of"], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart, check_exact=True)


def months_of(*amounts: float) -> np.ndarray:
    return (np.array(amounts)[:, np.newaxis] * 10_000).round().astype(np.int64)


def test_spreads_of_large_and_of_uneven_amounts_are_exact() -> None:
    # Squares of these do not fit 64 bits: whole numbers without an end take over.
    large = months_of(4e7 + 0.01, 4e7 + 0.02, 4e7 + 0.03)
    assert spread(large, 3) == pytest.approx([0.01], rel=1e-12)
    odd = months_of(1.0001, 1.0002, 1.0003)
    assert spread(odd, 3) == pytest.approx([0.0001], rel=1e-12)
    assert np.isnan(spread(months_of(5.0), 1)).all()


def test_a_slope_counts_yuan_a_month() -> None:
    assert slope(months_of(10, 12.5, 15, 17.5)).tolist() == [2.5]


def test_quantiles_are_those_of_the_months_on_record() -> None:
    amounts = months_of(1, 2, 3, 4, 100)
    on = np.array([True, True, True, True, False])[:, np.newaxis]
    for share in (0, 0.25, 0.5, 0.9, 1):
        assert quantile(amounts, on, share) == pytest.approx([np.quantile([1, 2, 3, 4], share)])
    assert np.isnan(quantile(amounts, np.zeros_like(on), 0.5)).all()
