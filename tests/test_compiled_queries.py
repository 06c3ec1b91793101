"""What is computed by a kept query is what a query written for the occasion would say, byte for byte."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import ibis
import pandas as pd
import pytest

from riskmodel import features, rules, targets
from riskmodel.data import County, compiled, from_frames, query_store
from riskmodel.data.parse import unfused_selects
from riskmodel.households import accounts, known_county, point_in_time
from riskmodel.households.income import income_accounts
from riskmodel.households.periods import AccountingPeriod
from riskmodel.households.point_in_time import Moment

from .features import counties as monthly
from .households.fresh import Fresh
from .rules import counties

EVERY = Path(__file__).parent / "features" / "sets" / "every-aggregate.yaml"
FAR = dt.date(
    2043, 11, 17
)  # a year that no declaration names, and months that are no number of anything else
DAYS = ["2020-12-31", "2021-06-01", "2022-02-28"]
PERIODS = [AccountingPeriod(), AccountingPeriod(months=3), AccountingPeriod(calendar_year=True)]


def county(seed: int) -> County:
    """Return totals and months, corrections, people who come and go; or months alone, none corrected."""
    if seed == 0:
        return from_frames(monthly.frames(4, households=25))
    return counties.build(counties.county_rows(counties.seeded(seed), 25))


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
    monkeypatch.setenv(query_store.FOLDER, "")


def in_order(t: pd.DataFrame) -> pd.DataFrame:
    return t.sort_values(["as_of", "household_id"], ignore_index=True)


@pytest.mark.parametrize(("seed", "period"), [(1, PERIODS[0]), *enumerate(PERIODS)])
def test_kept_accounts_are_those_that_ibis_writes_for_the_occasion(
    seed: int, period: AccountingPeriod
) -> None:
    one = county(seed)
    for days in (DAYS[0], DAYS[1:]):
        when = point_in_time.as_moments(days)
        kept = in_order(known_county(one, days).accounts(period).to_pandas())
        # The same declaration, handed to Ibis as it is: neither cache nor placeholders are in its way.
        with unfused_selects():
            money = ibis.memtable(income_accounts(one, when, period))
            fresh = in_order(accounts.household_accounts(Fresh(one, when), money).to_pandas())
        pd.testing.assert_frame_equal(kept, fresh, check_exact=True)
    assert len(compiled.CACHE.queries(accounts.household_accounts)) == 1


def test_incomes_looked_back_on_are_those_that_ibis_writes_for_the_occasion() -> None:
    one = county(5)
    for day in DAYS[:2]:
        when = (Moment(dt.date.fromisoformat(day), dt.date(2022, 12, 31)),)
        with unfused_selects():
            money = ibis.memtable(income_accounts(one, when, AccountingPeriod()))
            fresh = accounts.household_incomes(Fresh(one, when), money).to_pandas()
        kept = known_county(one, when).incomes().to_pandas()
        pd.testing.assert_frame_equal(in_order(kept), in_order(fresh), check_exact=True)
    assert len(compiled.CACHE.queries(accounts.household_incomes)) == 1


def accounts_at(one: County, day: str) -> pd.DataFrame:
    return in_order(known_county(one, day).accounts().to_pandas())


def verdicts(one: County, day: str) -> pd.DataFrame:
    # Lines that are relative, parameters that change by year, a model's probability.
    sets = ["ratio-1.5-2020", "relative-60-yearly", "cards-2023"]
    return pd.concat([frame for _, frame in rules.evaluate_rule_sets(one, sets, day)], ignore_index=True)


def labels(one: County, day: str) -> pd.DataFrame:
    months = targets.build_targets(one, day, 6, targets.EVENTS, "relative-60-yearly")
    following = targets.build_targets(one, day, targets.Horizon(months=12, next=True), known_by="2043-12-31")
    return pd.concat([months, following], ignore_index=True)


def cohorts(one: County, day: str) -> pd.DataFrame:
    return targets.build_cohorts(one, ["not_monitored", "fell_before"], day)


def every_feature(one: County, day: str) -> pd.DataFrame:
    return features.build_features(one, EVERY, [day, "2020-06-30"])


COMPUTED: dict[str, Callable[[County, str], pd.DataFrame]] = {
    "accounts": accounts_at,
    "verdicts": verdicts,
    "labels": labels,
    "cohorts": cohorts,
    "features": every_feature,
}


@pytest.mark.parametrize("name", COMPUTED)
def test_a_text_kept_from_another_county_and_day_gives_the_same_bytes(name: str) -> None:
    compute = COMPUTED[name]
    first, other = county(6), county(6)
    compute(first, str(FAR))
    _assert_no_date_stands_in_a_text()
    for day in DAYS[:2]:  # bounds of late incomes are looked at only where there are some
        compute(first, day)
    texts = len(compiled.CACHE.queries())
    kept = [compute(other, day) for day in DAYS[:2]]
    assert len(compiled.CACHE.queries()) == texts, "days and counties of one shape share their texts"
    compiled.CACHE.clear()
    for day, found in zip(DAYS, kept, strict=False):
        pd.testing.assert_frame_equal(found, compute(county(6), day), check_exact=True)


def _assert_no_date_stands_in_a_text() -> None:
    month = point_in_time.last_complete_month(FAR)
    years = [str(year) for year in range(FAR.year - 3, FAR.year + 3)]
    months = [str(m) for m in range(month - 36, month + 13)]
    texts = [query.text for query in compiled.CACHE.queries()]
    assert texts
    for text in texts:
        assert not [word for word in (*years, *months, "9999", "DATE '") if word in text]
