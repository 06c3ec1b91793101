"""Members counted in arrays, against the engine that resolves their rows moment by moment."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import County
from riskmodel.data.county import county_of_frames
from riskmodel.households import Moment, income, known_county
from riskmodel.households.income import read_members
from riskmodel.households.panel import read_records

from ..features import counties
from .random_counties import as_county, random_county

DAYS = ["2019-10-15", "2020-12-31", "2021-06-10"]
COUNTED = ["persons", "previous_persons", "before_previous_persons", "changed_since", "pcni", "doubts"]


def frames(seed: int) -> dict[str, pd.DataFrame]:
    """A county some of whose members have versions, were never born yet, or left and came back."""
    out = counties.frames(seed, households=6)
    members = out["members"]
    back = members[members["valid_to"].notna()].assign(valid_from="2021-03-01", valid_to=None)
    out["members"] = pd.concat([members, back, back.assign(birth_month="2021-05", valid_from="2021-02-01")])
    return out


def accounts(county: County, when: list[str] | list[Moment]) -> pd.DataFrame:
    t = known_county(county, when).accounts().to_pandas()
    return t.sort_values(["as_of", "household_id"], ignore_index=True)


@pytest.mark.parametrize("seed", range(3))
def test_arrays_count_whom_the_engine_counts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [pd.Timestamp(day).date() for day in DAYS]
    looking_back = [Moment(days[0], days[2]), Moment(days[1], days[2])]
    for when in (DAYS, looking_back):
        by_arrays = accounts(county_of_frames(frames(seed)), when)
        with monkeypatch.context() as patch:
            patch.setattr(income, "read_members", lambda county, records: None)
            by_engine = accounts(county_of_frames(frames(seed)), when)
        pd.testing.assert_frame_equal(by_arrays, by_engine, check_exact=True, check_dtype=False)
        assert by_arrays["persons"].nunique() > 2


def test_rows_that_others_replace_are_left_to_the_engine() -> None:
    for seed in range(8):
        county = as_county(random_county(seed, households=8))
        resolved = county.has("household_links") or county.facts["corrected.members"]
        assert (read_members(county, read_records(county)) is None) == resolved
