"""From when each quantity, rule set and feature set can be had, by township."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.data import About, from_frames, month_text
from riskmodel.households import AccountingPeriod, Need, availability_check
from riskmodel.households.availability import find_availability


def _county(recorded_late: int = 0, indicators: pd.DataFrame | None = None, **about):
    """Two townships of four households; the east begins in 2018-01, the west in 2019-01; until 2021-06."""
    households, members, income, spending = [], [], [], []
    for place, first in (("东乡", 2018 * 12), ("西乡", 2019 * 12)):
        for i in range(4):
            h = f"{place}{i}"
            households.append(
                {"household_id": h, "township": place, "village": "一", "registration": "lifted"}
            )
            members.append({"member_id": h, "household_id": h, "birth_month": "1970-01"})
            for month in range(first, 2021 * 12 + 6 - (i if i <= recorded_late else 0)):
                row = {"household_id": h, "month": month_text(month)}
                income.append(row | {"source": "wage", "amount": 1000})
                spending.append(row | {"category": "living", "amount": 100})
    for rows in (households, members):
        for row in rows:
            row["valid_from"] = "2015-01-01"
    frames = {"households": households, "members": members, "income": income, "spending": spending}
    said = About(data_through=dt.date(2021, 6, 30), **about)
    tables = {name: pd.DataFrame(rows) for name, rows in frames.items()}
    return from_frames(tables if indicators is None else tables | {"indicators": indicators}, said)


NEEDS = {
    "year": Need("ruleset", AccountingPeriod(calendar_year=True)),
    "window": Need("feature_set", window=18),
}
EXPECTED = {
    "东乡": {
        "quantity": {
            **{"pcni": "2018-12-31", "rigid": "2018-12-31"},
            **{"previous_pcni": "2019-12-31", "24-month windows": "2019-12-31"},
        },
        "ruleset": {"year": "2019-01-31"},
        "feature_set": {"window": "2019-06-30"},
    },
    "西乡": {
        "quantity": {
            **{"pcni": "2019-12-31", "rigid": "2019-12-31"},
            **{"previous_pcni": "2020-12-31", "24-month windows": "2020-12-31"},
        },
        "ruleset": {"year": "2020-01-31"},
        "feature_set": {"window": "2020-06-30"},
    },
}


@pytest.mark.parametrize(
    "about", [{}, {"coverage": "whole", "records_from": {"东乡": "2018-01", "西乡": "2019-01"}}]
)
def test_dates_by_township(about):
    found = availability_check(NEEDS)(_county(**about))
    assert found.figures["dates"] == EXPECTED
    assert found.figures["coverage"] == {
        "recorded": 0, "about": 8 if about else 0, "totals": 0, "inferred": 0 if about else 8,
    }  # fmt: skip
    assert found.figures["lag_months"] == {"0": 8, "1": 0, "2": 0, "3": 0, "more": 0, "none": 0}
    zh, en = " ".join(found.lines["zh"]), " ".join(found.lines["en"])
    assert "2018-12-31（东乡）、2019-12-31（西乡）：人均纯收入、刚性支出；" in zh
    assert "by first day: 2018-12-31 (东乡), 2019-12-31 (西乡): net income per head, rigid spending; " in en
    assert "{" not in zh + en
    assert set(found.tables) == {"availability.csv"}


def test_lags_and_reasons():
    found = find_availability(_county(recorded_late=3), {})
    assert found is not None
    assert found.as_of == dt.date(2021, 6, 30)
    assert found.lags == {"0": 2, "1": 2, "2": 2, "3": 2, "more": 0, "none": 0}
    late = find_availability(_county(recorded_late=3, max_lag_months=1), {})
    assert late is not None
    assert late.unknown == {"not_yet_recorded": 4}


def test_what_no_month_end_has_is_said_to_be_so():
    # Records come ten days late: at a month end the last month is never written up, so a window that ends
    # with it is never whole; the accounting period follows and can be had.
    county = _county(recording_delay_days=10)
    found = availability_check({})(county)
    east = found.figures["dates"]["东乡"]["quantity"]
    assert east["24-month windows"] is None
    assert east["pcni"] == "2019-01-31"
    assert "no month end yet (all townships)" in " ".join(found.lines["en"])


def test_what_is_made_of_a_panel_s_own_items_is_not_offered_to_a_county_without_them():
    needs = {"panel": Need("feature_set", indicators=("educ", "educ", "married")), **NEEDS}
    assert set(find_availability(_county(), needs).dates["name"]) == {
        "pcni", "previous_pcni", "rigid", "24-month windows", "year", "window",
    }  # fmt: skip
    rows = {"household_id": ["东乡0"], "date": ["2020-01-01"], "item": ["educ"], "value": [9.0]}
    county = _county(indicators=pd.DataFrame(rows))
    assert "panel" in set(find_availability(county, needs).dates["name"])
