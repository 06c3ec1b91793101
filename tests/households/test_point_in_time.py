"""Who is there, and in which state, on a day: hand-made validity at its borders."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import County, from_frames
from riskmodel.households import HOUSEHOLD_STATES, PRESENT_MEMBERS, known_county


@pytest.fixture(scope="module")
def county() -> County:
    return from_frames(
        {
            "households": pd.DataFrame(
                {
                    "household_id": "h",
                    "township": "t",
                    "village": "v",
                    "registration": ["general", "lifted"],
                    "valid_from": ["2018-01-01", "2020-01-01"],
                }
            ),
            "members": pd.DataFrame(
                {
                    "household_id": "h",
                    "member_id": ["stays", "leaves", "comes"],
                    "birth_month": "1980-01",
                    "valid_from": ["2018-01-01", "2018-01-01", "2020-03-01"],
                    "valid_to": [None, "2020-03-01", None],
                }
            ),
            "income": pd.DataFrame(
                {"household_id": ["h"], "month": ["2019-01"], "source": "wage", "amount": 1}
            ),
        }
    )


def members_on(county: County, day: str) -> set[str]:
    found = known_county(county, day).rows(PRESENT_MEMBERS).to_pandas()
    return set(found["member_id"])


def test_validity_begins_on_its_first_day_and_ends_before_its_last(county: County) -> None:
    # Contract: [valid_from, valid_to). Who leaves and who comes on one day are never there together, and no
    # day is without either: a household is divided by as many persons as really lived in it.
    assert members_on(county, "2020-02-29") == {"stays", "leaves"}
    assert members_on(county, "2020-03-01") == {"stays", "comes"}


def test_of_several_valid_states_the_newest_holds(county: County) -> None:
    # Both rows are open at their end: the later one replaces the earlier from its first day on.
    days = ["2019-12-31", "2020-01-01", "2021-01-01"]
    states = known_county(county, days).rows(HOUSEHOLD_STATES).to_pandas()
    assert states.sort_values("as_of")["registration"].tolist() == ["general", "lifted", "lifted"]


def test_of_rows_with_one_key_the_one_recorded_last_holds() -> None:
    rows = {
        "household_id": ["h"] * 2,
        "township": ["t"] * 2,
        "village": ["v"] * 2,
        "valid_from": ["2018-01-01"] * 2,
    }
    rows |= {"registration": ["general", "lifted"], "recorded_on": ["2018-02-01", "2020-06-01"]}
    income = pd.DataFrame({"household_id": ["h"], "month": ["2020-01"], "source": ["wage"], "amount": [1]})
    corrected = from_frames({"households": pd.DataFrame(rows), "income": income})
    for day, state in (("2020-05-31", "general"), ("2020-06-01", "lifted")):
        found = known_county(corrected, day).rows("households").to_pandas()
        assert found["registration"].tolist() == [state]
