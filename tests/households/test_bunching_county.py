"""Heaps in a county's incomes: which years, which places, who is listed, and what the office is told."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import About, County, from_frames
from riskmodel.households.bunching import BunchingResult, annual_incomes, bunching_check, detect_bunching

YEARS = (2019, 2020)
TOWNS = ("甲", "乙", "丙", "丁")
SIZE = 1200


def at(yuan: float) -> dict:
    return {"line": lambda county, days: dict.fromkeys(days, yuan)}


def made(heaped_in: str | None, extra_month: bool = False) -> County:
    """Households of two with smooth incomes in two years; in one township 60 % above the line go below."""
    rng = np.random.default_rng(8)
    ids = [f"H{i:05d}" for i in range(SIZE)]
    town = np.array(TOWNS)[np.arange(SIZE) % len(TOWNS)]
    rows = []
    for year in YEARS:
        a_head = rng.uniform(4000, 8500, SIZE)
        near = (a_head >= 6000) & (a_head < 6600) & (town == heaped_in) & (rng.random(SIZE) < 0.6)
        a_head = np.where(near, rng.uniform(5850, 5999, SIZE), a_head)
        rows.append(pd.DataFrame({"household_id": ids, "month": f"{year}-12", "amount": 2 * a_head.round()}))
    income = pd.concat(rows).assign(source="wage")
    first = income[income.month == "2019-12"].assign(month="2019-01", amount=0.0)
    parts = [income, first]
    if extra_month:
        parts.append(first.assign(month="2021-03", amount=5.0))
    households = pd.DataFrame({"household_id": ids, "township": town, "village": town})
    members = pd.DataFrame({"member_id": [f"{i}-{k}" for i in ids for k in "ab"]})
    members = members.assign(household_id=members.member_id.str[:6], birth_month="1980-01")
    tables = {
        "households": households.assign(registration="general", valid_from="2018-01-01"),
        "members": members.assign(valid_from="2018-01-01"),
        "income": pd.concat(parts),
    }
    through = "2021-03-31" if extra_month else "2020-12-31"
    about = About(data_through=through, income_is_net=True, coverage="whole", records_from="2018-01")
    return from_frames(tables, about)


@pytest.fixture(scope="module")
def heaped() -> County:
    return made("乙")


@pytest.fixture(scope="module")
def smooth() -> County:
    """The same, nothing heaped, and three months of a year that is not over."""
    return made(None, extra_month=True)


@pytest.fixture(scope="module")
def found(heaped: County) -> BunchingResult:
    return detect_bunching(heaped, at(6000.0))


def test_incomes_are_those_of_whole_calendar_years(heaped: County, smooth: County) -> None:
    t = annual_incomes(smooth)
    assert sorted(t.year.unique()) == list(YEARS)  # 2021 has begun, and is not over
    wages = heaped.frame("income")
    one = wages[(wages.household_id == "H00000") & (wages.month_from == 2020 * 12 + 11)].amount.item()
    heaped_too = annual_incomes(heaped)
    own = heaped_too[(heaped_too.household_id == "H00000") & (heaped_too.year == 2020)].pcni.item()
    assert own == float(one) / 2  # two members, present at the year's end


def test_the_heap_is_warned_of_where_it_is(found: BunchingResult) -> None:
    warned = found.warned
    assert set(warned[warned.scope == "township"].place) == {"乙"}
    assert set(warned.side) == {"below"}
    row = warned[warned.scope == "township"].iloc[-1]
    assert row.below > 2 * row.above
    assert row.excess > 10


def test_listed_are_those_below_within_the_warned_window(found: BunchingResult) -> None:
    listed = found.households
    assert len(listed) > 20
    assert ((listed.pcni < 6000) & (listed.pcni >= 0.95 * 6000)).all()
    if not (found.warned.scope == "county").any():
        assert set(listed.township) == {"乙"}


def test_smooth_incomes_are_not_warned_of(heaped: County, smooth: County) -> None:
    """The other line is in no official's mind: nothing is heaped there, nor anywhere without a heap."""
    assert detect_bunching(smooth, at(6000.0)).warned.empty
    elsewhere = detect_bunching(heaped, at(5200.0))
    assert elsewhere.warned.empty
    assert len(elsewhere.tests) == 3 * (1 + len(TOWNS))
    assert elsewhere.households.empty


def test_years_without_a_line_and_small_counties_give_no_test(heaped: County) -> None:
    def late(county: County, days: list[dt.date]) -> dict[dt.date, float | None]:
        return {day: 6000.0 if day.year == 2020 else None for day in days}

    assert set(detect_bunching(heaped, {"late": late}).tests.years) == {"2020-2020"}
    # A line that hardly anyone stands near, and none at all.
    assert detect_bunching(heaped, at(60_000.0)).tests.empty
    assert detect_bunching(heaped, {}).households.empty


def test_what_the_check_says_in_both_languages(heaped: County) -> None:
    told = bunching_check(at(6000.0))(heaped)
    assert told.figures["looks"] == 15
    assert told.figures["listed"] == len(told.tables["heaped.csv"])
    assert any("乙：2019-2020 年人均纯收入刚低于 6000 元" in text for text in told.lines["zh"])
    assert any("just below 6000 yuan a head" in text for text in told.lines["en"])
    quiet = bunching_check(at(5200.0))(heaped)
    assert quiet.figures["warned"] == []
    assert "No heap of incomes" in quiet.lines["en"][0]
