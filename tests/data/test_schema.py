"""The day from which a row is known, as the contract says for each kind of table."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.data import About, from_frames

HOME = {"household_id": "h", "township": "t", "village": "v", "registration": "general"}


def known(table: str, row: dict, about: About | None = None) -> str:
    return str(pd.Timestamp(from_frames({table: pd.DataFrame([row])}, about).frame(table).known_on[0]).date())


@pytest.mark.parametrize(
    ("table", "row", "day"),
    [
        # The event's own date; of a month its last day; of a total three months after its end.
        ("visits", {"household_id": "h", "date": "2021-05-03", "outcome": "absent"}, "2021-05-03"),
        ("income", {"household_id": "h", "month": "2020-02", "source": "wage", "amount": 1}, "2020-02-29"),
        (
            "income",
            {
                "household_id": "h",
                "month_from": "2020-01",
                "month_to": "2020-12",
                "source": "wage",
                "amount": 1,
            },
            "2021-03-31",
        ),
        ("medical", {"member_id": "m", "month": "2021-01"}, "2021-01-31"),
        ("warnings", {"household_id": "h", "pushed_on": "2021-04-01"}, "2021-04-01"),
        ("assets", {"household_id": "h", "kind": "car", "valid_from": "2019-01-01"}, "2019-01-01"),
        # A year's work is known when the year is over; where a village lies was always known.
        ("jobs", {"member_id": "m", "year": 2020}, "2020-12-31"),
        ("coordinates", {"village": "v", "lon": 1.0, "lat": 2.0}, "1900-01-01"),
        # What recorded_on says goes before all that.
        (
            "visits",
            {"household_id": "h", "date": "2021-05-03", "outcome": "absent", "recorded_on": "2021-09-01"},
            "2021-09-01",
        ),
    ],
)
def test_default_days(table, row, day):
    assert known(table, row) == day


def test_a_snapshot_dates_what_has_no_date():
    about = About(snapshot_on=dt.date(2021, 4, 15))
    assert known("households", HOME, about) == "2021-04-15"
    assert known("households", HOME | {"valid_from": "2019-01-01"}, about) == "2019-01-01"


def test_the_lag_of_totals_is_said_in_about():
    row = {"household_id": "h", "month_from": "2020-01", "month_to": "2020-12", "source": "wage", "amount": 1}
    assert known("income", row, About(entry_lag_months=0)) == "2020-12-31"
    assert known("income", row, About(entry_lag_months=6)) == "2021-06-30"
