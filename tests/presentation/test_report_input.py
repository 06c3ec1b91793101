"""What a report takes from the county: histories and yields of what was known then, month by month."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel import presentation
from riskmodel.data import from_frames


def test_known_months_only_missing_is_not_zero_and_totals_are_not_spread() -> None:
    county = from_frames(
        {
            # Rows count once their household is known; it is from 2015 on.
            "households": pd.DataFrame({"household_id": ["h1", "h2", "h3"], "valid_from": "2015-01-01"}),
            "income": pd.DataFrame(
                [
                    ("h1", "2021-04", None, None, "wage", 900, None),
                    ("h1", "2021-04", None, None, "business", 100, None),
                    ("h1", "2021-05", None, None, "wage", 800, "2021-09-01"),  # recorded after as-of
                    ("h1", None, "2020-01", "2020-12", "wage", 12000, "2021-02-01"),  # a year's total
                    ("h2", "2021-04", None, None, "wage", 500, None),
                    ("h3", "2021-04", None, None, "wage", 1, None),
                    ("h1", "2017-04", None, None, "wage", 7, None),  # more than three years back
                ],
                columns=[
                    "household_id",
                    "month",
                    "month_from",
                    "month_to",
                    "source",
                    "amount",
                    "recorded_on",
                ],
            ),
            "spending": pd.DataFrame(
                {"household_id": ["h1"], "month": ["2021-03"], "category": ["medical"], "amount": [250]}
            ),
        }
    )
    made = presentation.histories(county, "2021-06-15", ["h1", "h2"])
    expected = pd.DataFrame(
        {
            "household_id": ["h1", "h1", "h2"],
            "month": ["2021-03", "2021-04", "2021-04"],
            "income": [np.nan, 1000.0, 500.0],
            "spending": [250.0, np.nan, np.nan],
        }
    )
    pd.testing.assert_frame_equal(made, expected, check_dtype=False)


def test_nobody_listed_no_history() -> None:
    county = from_frames(
        {
            "income": pd.DataFrame(
                {"household_id": ["h1"], "month": ["2021-04"], "source": ["wage"], "amount": [1]}
            )
        }
    )
    assert presentation.histories(county, "2021-06-15", []).empty


def test_only_visits_made_and_known_by_then_count() -> None:
    visits = pd.DataFrame(
        {
            "household_id": ["a", "b", "c", "d"],
            "date": ["2021-05-01", "2021-06-20", "2019-01-01", "2021-05-02"],
            "outcome": ["confirmed"] * 4,
            "selected_by": ["rule"] * 4,
            # b was entered after the day, c is older than a year.
            "recorded_on": ["2021-05-01", "2021-07-05", "2019-01-01", "2021-05-02"],
        }
    )
    county = from_frames({"visits": visits})
    assert presentation.yields(county, "2021-06-30")["visits"].tolist() == [2]
    assert presentation.yields(county, "2021-07-05")["visits"].tolist() == [3]
    assert presentation.yields(from_frames({"visits": visits.iloc[:0]}), "2021-06-30").empty
