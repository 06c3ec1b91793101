"""The table of aggregates: one entry makes one that can be declared, checked, described and built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About
from riskmodel.data.county import county_of_frames
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import AGGREGATES, Aggregate, Monthly
from riskmodel.features.windows import yuan

from .test_library import entry, write


@pytest.fixture
def spread() -> Iterator[None]:
    """The largest less the smallest monthly sum."""
    new = Aggregate(
        "spread", "largest less smallest monthly sum", ("over", "window"),
        monthly=Monthly(lambda w: yuan(w.amounts.max(axis=0) - w.amounts.min(axis=0)), least_window=2),
    )  # fmt: skip
    with AGGREGATES.including(new):
        yield


def test_one_entry_adds_an_aggregate(spread: None, tmp_path: Path) -> None:
    chosen = features.load_feature_set(write(tmp_path, entry(aggregate="spread", id="wage_spread", window=3)))
    assert features.describe_features(chosen)["how"].tolist() == ["largest less smallest monthly sum"]
    months = ["2020-10", "2020-11", "2020-12"]
    amounts = pd.DataFrame({"month": months, "source": "wage", "amount": [900, 400, 1000]})
    frames = {
        "households": pd.DataFrame({"township": ["t"], "village": "v"}),
        "members": pd.DataFrame({"member_id": ["m"], "birth_month": "1980-01"}),
        "income": amounts,
    }
    known = {name: t.assign(household_id="h", recorded_on="2020-12-31") for name, t in frames.items()}
    # Until the end of 2022 whatever has no row had no income: of the months after it nothing would be known.
    county = county_of_frames(
        known, About(coverage="whole", records_from="2020-10", data_through=dt.date(2022, 12, 31))
    )
    built = features.build_features(county, chosen, ["2020-12-31", "2021-05-31", "2022-05-31"])
    # Then a window without a row, which is 0, and a year without one, which is unknown.
    assert built["wage_spread"].fillna(-1).tolist() == [600.0, 0.0, -1.0]


def test_a_new_aggregate_is_checked_as_all_are(spread: None, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="spread needs at least 2 months"):
        features.load_feature_set(write(tmp_path, entry(aggregate="spread", window=1)))
    with pytest.raises(SpecError, match="'spread' is not allowed on visits"):
        features.load_feature_set(
            write(
                tmp_path,
                entry(**{"from": "visits", "aggregate": "spread", "over": "any", "missing": "null_if_none"}),
            )
        )


def test_every_aggregate_can_be_declared_somewhere() -> None:
    assert all(a.sources for a in AGGREGATES.values())
    assert AGGREGATES["active"].sources == ("support",)
    assert set(AGGREGATES["sum"].sources) == {"income", "spending", "risk_events", "support"}
