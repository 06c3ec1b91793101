"""A view of what was known gives the same tables as its county with a date, and says when dates disagree."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import UsageError
from riskmodel.households import (
    HOUSEHOLD_STATES,
    PRESENT_MEMBERS,
    AccountingPeriod,
    KnownCounty,
    accounts,
    fingerprint,
    known_county,
    point_in_time,
)
from riskmodel.households.income import income_accounts

from ..rules.tiny import county
from .fresh import Fresh

DAYS = ["2021-05-31", "2021-06-01"]
RELATIONS = (HOUSEHOLD_STATES, PRESENT_MEMBERS, "income", "visits", "indicators")


@pytest.fixture(scope="module")
def view() -> KnownCounty:
    return known_county(county(5999.0), DAYS)


def test_a_view_gives_the_tables_of_its_county(view: KnownCounty) -> None:
    c, fresh = view.county, Fresh(view.county, point_in_time.as_moments(DAYS))
    assert view.moments == fresh.moments
    assert view.as_of == fresh.moments[-1].as_of
    key = ["as_of", "household_id"]
    money = ibis.memtable(income_accounts(c, fresh.moments, AccountingPeriod()))
    for ours, theirs in [
        *((view.rows(name), fresh.rows(name)) for name in RELATIONS),
        (view.accounts(), accounts.household_accounts(fresh, money)),
        (view.incomes(), accounts.household_incomes(fresh, money)),
    ]:
        assert ours.schema() == theirs.schema()
        same = [t.to_pandas().sort_values(key, ignore_index=True) for t in (ours, theirs)]
        pd.testing.assert_frame_equal(*same)
    assert view.fingerprint == fingerprint(c, DAYS[-1])


def test_some_of_the_moments_have_the_accounts_they_have_alone(view: KnownCounty) -> None:
    # Made of what was made for both days, not anew; the county beside it never made both.
    view.accounts()
    made = len(view.county.cached)
    some = known_county(view.county, DAYS[1])
    table = some.accounts().to_pandas()
    assert len(view.county.cached) == made + 2  # the relation and its clock, nothing of the rows
    alone = known_county(county(5999.0), DAYS[1]).accounts().to_pandas()
    same = [t.sort_values("household_id", ignore_index=True) for t in (table, alone)]
    pd.testing.assert_frame_equal(*same)


def test_rules_take_a_view_or_a_county_with_dates(view: KnownCounty) -> None:
    by_view = rules.evaluate_rules(view, "national-2021")
    pd.testing.assert_frame_equal(by_view, rules.evaluate_rules(view.county, "national-2021", DAYS))
    assert by_view["as_of"].nunique() == 2


def test_a_view_is_made_once_and_keeps_its_dates(view: KnownCounty) -> None:
    assert known_county(view) is view
    assert known_county(view, DAYS) is view
    with pytest.raises(UsageError, match=r"known as of 2021-05-31, 2021-06-01: leave as_of out"):
        known_county(view, "2021-07-01")
    with pytest.raises(UsageError, match="no as-of date given"):
        rules.evaluate_rules(view.county, "national-2021")
