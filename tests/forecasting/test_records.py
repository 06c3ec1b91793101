"""What is on record decides what is forecast: records that begin, lag, join late or end, on small counties.

The county: eight townships of twelve households in two villages each, of whom every one earns the same every
month but for its own level, a season and, where a method needs some, chance; so nothing ever rises, falls or
drifts, and whatever does comes from who is on record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames, month_text
from riskmodel.data.schema import About, month_ordinal
from riskmodel.errors import UsageError
from riskmodel.forecasting import counts, histories, household, household_methods, outlook, stress, warning
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.forecasting.stress import Scenario
from riskmodel.households import calendar_sums, known_county, recent_sums, township_records

FIRST, LAST = month_ordinal(2017, 1), month_ordinal(2020, 12)
DAY = dt.date(2020, 12, 31)
TOWNS, EACH = 8, 12
LATE_TOWN, LATE_FROM = "t7", month_ordinal(2019, 7)


def name(town: int, k: int) -> str:
    return f"t{town}-{k:02d}"


IDS = [name(town, k) for town in range(TOWNS) for k in range(EACH)]


def frames(
    last: Mapping[str, int] | None = None,
    first: Mapping[str, int] | None = None,
    register: bool = False,
    chance: float = 0.5,
) -> dict[str, pd.DataFrame]:
    """Tables of the county; ``first`` and ``last`` bound the months written up of some households."""
    months = range(FIRST, LAST + 1)
    homes = pd.DataFrame({"household_id": IDS})
    homes["township"] = homes["household_id"].str[:2]
    homes["village"] = homes["township"] + np.where(np.arange(len(IDS)) % EACH < EACH // 2, "a", "b")
    homes = homes.assign(valid_from="2010-01-01", registration="lifted")
    homes.loc[homes.index % 2 == 0, "registration"] = "general"
    people = pd.DataFrame({"member_id": IDS, "household_id": IDS, "work_capacity": "full"})
    pairs = people[people.index % 3 == 1].assign(member_id=lambda t: t["member_id"] + "-2")
    people = pd.concat([people, pairs.assign(work_capacity=np.where(pairs.index % 4 == 0, "full", "none"))])
    rows = [(h, i, m) for i, h in enumerate(IDS) for m in months]
    income = pd.DataFrame(rows, columns=["household_id", "place", "at"])
    # Households of the last township earn half more: who is counted then matters.
    level = (
        500 + 10 * (income["place"] % EACH) + np.where(income["household_id"].str[:2] == LATE_TOWN, 300, 0)
    )
    wave = 1 + 0.2 * np.sin(2 * np.pi * (income["at"] % 12) / 12)
    income["amount"] = (
        level * wave * np.random.default_rng(1).uniform(1 - chance, 1 + chance, len(rows))
    ).round(2)
    kept = income["at"].le(income["household_id"].map(last or {}).fillna(LAST))
    kept &= income["at"].ge(income["household_id"].map(first or {}).fillna(FIRST))
    income = income[kept].assign(month=lambda t: t["at"].map(month_text), source="wage")
    out = {
        "households": homes,
        "members": people.assign(birth_month="1980-01", valid_from="2010-01-01", resident=True),
        "income": income[["household_id", "month", "source", "amount"]],
    }
    span = income.groupby("household_id")["at"].agg(["min", "max"]).reset_index()
    out["recorded"] = pd.DataFrame(
        {"household_id": span["household_id"], "of": "income", "month_from": span["min"].map(month_text),
         "month_to": span["max"].map(month_text), "recorded_on": "2017-01-31"}
    )  # fmt: skip
    if register:
        out["monitoring"] = entries(first or {})
    return out


def entries(first: Mapping[str, int]) -> pd.DataFrame:
    """One newly monitored household a month and township, eliminated a year later; none before ``first``."""
    rows = []
    for town in range(TOWNS):
        for m in range(first.get(name(town, 0), FIRST), LAST + 1):
            who, year = name(town, m % EACH), m + 12
            rows.append((who, f"{month_text(m)}-10", "identified"))
            if year <= LAST:
                rows.append((who, f"{month_text(year)}-09", "eliminated"))
    return pd.DataFrame(rows, columns=["household_id", "date", "event"]).assign(causes="illness")


def built(tables: dict[str, pd.DataFrame], **about: object) -> County:
    return from_frames(tables, About.model_validate({"income_is_net": True} | about))


def whole(**about: object) -> County:
    return built(frames(), **about)


LATE = {name(town, k): LAST - 1 for town in range(TOWNS) for k in range(0, EACH, 3)}
TOWNSHIP = {h: LATE_FROM for h in IDS if h.startswith(LATE_TOWN)}


@pytest.fixture(scope="module")
def complete() -> HouseholdForecast:
    return household.forecast_households(whole(), DAY, (3, 12))


@pytest.fixture(scope="module")
def joined() -> County:
    """The last township is on record for eighteen months."""
    return built(frames(first=TOWNSHIP, register=True, chance=0.0))


def test_a_quarter_is_known_where_its_months_are_and_ends_with_the_records() -> None:
    known = known_county(built(frames(last=LATE)), DAY)
    found = recent_sums(known, 3, 6).set_index("household_id")
    income = frames()["income"].set_index(["household_id", "month"])["amount"]
    late, prompt = name(0, 0), name(0, 1)
    # Of whom December is not written up, the newest quarter is September to November: three months, not two.
    for who, months in ((late, range(LAST - 3, LAST)), (prompt, range(LAST - 2, LAST + 1))):
        expected = sum(income[who, month_text(m)] for m in months)
        assert found.loc[who, "part_0"] == pytest.approx(expected)
    assert found.notna().all(axis=None)
    begun = known_county(built(frames(first=dict.fromkeys(IDS, LAST - 13))), DAY)
    short = recent_sums(begun, 3, 6).filter(like="part_")
    # Fourteen months are four quarters and two months: the fifth is not whole.
    assert short.notna().all().tolist() == [True] * 4 + [False] * 2


def test_calendar_months_do_not_shift_with_the_records() -> None:
    known = known_county(built(frames(last=LATE)), DAY)
    found = calendar_sums(known, LAST, 2)["income_wage"]
    assert found.isna().sum() == len(LATE)
    assert calendar_sums(known, LAST - 1, 2)["income_wage"].notna().all()


def test_nothing_changes_with_complete_records(complete: HouseholdForecast) -> None:
    # Stated, said of the whole county or inferred: the same months are on record, so every bit is the same.
    tables = frames()
    bare = {k: t for k, t in tables.items() if k != "recorded"}
    for county in (built(bare), built(bare, coverage="whole", records_from="2017-01")):
        other = household.forecast_households(county, DAY, (3, 12))
        pd.testing.assert_frame_equal(other.table, complete.table, check_exact=True)
    assert complete.notes == ()
    assert (complete.table["lag_months"] == 0).all()
    assert complete.records["on_record"].tolist() == [96, *[12] * 8]


def test_a_last_month_that_is_late_lags_and_is_no_fall(complete: HouseholdForecast) -> None:
    found = household.forecast_households(built(frames(last=LATE)), DAY, (3, 12))
    t, before = found.table, complete.table
    late = t["household_id"].isin(LATE)
    assert t.loc[late, "lag_months"].eq(1).all()
    assert t.loc[~late, "lag_months"].eq(0).all()
    # A month not yet written up is no month without income: the year is the twelve before it.
    income = frames()["income"]
    inside = income["month"].between(month_text(LAST - 12), month_text(LAST - 1))
    year = income[inside].groupby("household_id")["amount"].sum()
    own = t[late].drop_duplicates("household_id").set_index("household_id")
    assert own["pcni"].to_numpy() == pytest.approx((year[own.index] / own["persons"]).to_numpy())
    assert t["pcni_median"].sum() == pytest.approx(before["pcni_median"].sum(), rel=0.02)
    assert [note.key for note in found.notes] == ["forecast.messages.lagging"]
    assert found.records.iloc[0][["on_record", "lagging", "most_lag"]].tolist() == [96, len(LATE), 1]


def test_a_township_that_joins_late_is_no_rise(joined: County, complete: HouseholdForecast) -> None:
    # Of eighteen months one year is known: the county's drift is that of those known in both years, none.
    standing = histories.household_histories(joined, [DAY])
    scale = household_methods.scale_of(standing)
    z = household_methods.years_of(standing, scale)
    assert np.isnan(z[:, 1]).sum() == EACH
    mean, drift = household_methods._means(z, household_methods.covariates(standing))
    assert drift == pytest.approx(0, abs=1e-9)
    assert np.ptp(mean, axis=1) == pytest.approx(0, abs=1e-9)
    # The county's records are still those of the half that began first.
    assert histories.first_month(joined, DAY) == FIRST


def test_a_township_without_a_year_is_left_out_and_counted() -> None:
    young = built(frames(first=dict.fromkeys(TOWNSHIP, LAST - 5)))
    found = household.forecast_households(young, DAY, (12,))
    t = found.table.set_index("household_id")
    mine = t.index.str.startswith(LATE_TOWN)
    # Nobody of these villages has a year: no forecast, and a reason; of the others nothing changes.
    assert t.loc[mine, ["pcni_median", "low_80", "probability_below"]].isna().all(axis=None)
    assert set(t.loc[mine, "income_reason"]) == {"before_records"}
    assert t.loc[~mine, "probability_below"].notna().all()
    totals = household.households_below_line(found, 12, draws=50).set_index(["township", "cause", "measure"])
    assert np.isnan(totals.loc[(LATE_TOWN, "all", "households"), "mean"])
    assert found.records.set_index("township").loc["all", ["households", "on_record"]].tolist() == [96, 84]
    said = {note.key.rsplit(".", 1)[1]: note.values for note in found.notes}
    assert said["left_out"]["n"] == said["village_unknown"]["n"] == EACH
    assert said["left_out"]["why"]["zh"] == "核算期早于收支记录的起始月份 12"


def test_records_that_begin_or_end_within_the_year_give_no_forecast() -> None:
    begun, ended = (built(frames(**kind)) for kind in (
        {"first": dict.fromkeys(IDS, LAST - 8)}, {"last": dict.fromkeys(IDS, LAST - 4)},
    ))  # fmt: skip
    for county, why in ((begun, "before_records"), (ended, "not_yet_recorded")):
        with pytest.raises(UsageError, match=f"{why} 96"):
            household.forecast_households(county, DAY, (12,))
    # Three months behind are allowed, and said.
    lagging = household.forecast_households(built(frames(last=dict.fromkeys(IDS, LAST - 3))), DAY, (12,))
    assert lagging.table["lag_months"].eq(3).all()


def wage_loss(months: int) -> Scenario:
    shock = {"kind": "wage", "share": 0.5, "months": months, "cause": "unstable_employment"}
    named = {"version": 1, "id": "x", "name_zh": "试", "name_en": "trial", "risk": "unstable_employment"}
    return Scenario.model_validate(named | {"shocks": [shock]})


def test_a_loss_that_is_not_known_is_not_none() -> None:
    gone = dict.fromkeys(IDS[:3], LAST - 6)
    county = built(frames(last=gone | {IDS[5]: LAST - 1}))
    forecast = household.forecast_households(county, DAY, (12,))
    found = stress.stress_test(county, forecast, wage_loss(12), draws=50)
    loss = found.losses.set_index("household_id")["loss"]
    # Of three the records ended half a year ago: in no sum. Of one December is late: half of its own year.
    assert found.left_out == 3
    assert not loss.index.isin(IDS[:3]).any()
    own = forecast.standing.set_index("household_id")
    assert loss[IDS[5]] == pytest.approx(own["income_wage"][IDS[5]] / own["persons"][IDS[5]] / 2)
    # Three months ahead are the same months of last year, which are on record of everybody else.
    three = stress.stress_test(county, forecast, wage_loss(3), draws=50).losses.set_index("household_id")
    income = frames()["income"]
    spring = income[income["month"].isin(["2020-01", "2020-02", "2020-03"])]
    expected = spring.groupby("household_id")["amount"].sum() / own["persons"] / 2
    assert three["loss"].to_numpy() == pytest.approx(expected.reindex(three.index).to_numpy())


def test_the_registers_series_is_of_one_set_of_townships(joined: County) -> None:
    records = township_records(known_county(joined, DAY)).set_index("township")["first"]
    assert records[LATE_TOWN] == LATE_FROM
    assert records.drop(LATE_TOWN).eq(FIRST).all()
    found = counts.monthly_counts(joined, DAY)
    # Eighteen months are no two seasons: the county's sum is that of the seven others, seven a month.
    assert found.left_out == ((LATE_TOWN, "2019-07", EACH),)
    assert found.cells.sum(axis=(0, 1)).tolist() == [7.0] * 48
    longer = built(frames(first=dict.fromkeys(TOWNSHIP, month_ordinal(2018, 7)), register=True))
    found = counts.monthly_counts(longer, DAY)
    # With thirty months it belongs to it, and the series begins with its records: eight a month, no rise.
    assert found.left_out == ()
    assert found.months[0] == month_ordinal(2018, 7)
    assert found.cells.sum(axis=(0, 1)).tolist() == [8.0] * 30
    past = counts.monthly_counts(longer, dt.date(2019, 12, 31), like=found)
    assert past.cells.sum(axis=(0, 1)).tolist() == [8.0] * 18


def test_a_stated_end_of_the_records_ends_the_series_and_is_made_up_for_once() -> None:
    tables = frames(register=True)
    whole_register = counts.monthly_counts(built(tables), DAY)
    ended = counts.monthly_counts(built(tables, data_through="2020-09-30"), DAY)
    assert ended.months[-1] == month_ordinal(2020, 9)
    # What the months still lack is read at their age on the day, not at their place before the cut.
    assert ended.filled.tolist() == whole_register.filled[:-3].tolist()
    assert ended.cells.tolist() == whole_register.cells[:, :, :-3].tolist()
    assert [m.key for m in outlook._said_of_series(ended, DAY)] == ["forecast.messages.series_ends"]
    assert outlook._said_of_series(whole_register, DAY) == []


def test_a_young_township_raises_no_alarm(joined: County) -> None:
    found = warning.early_warnings(joined, DAY)
    assert set(found["what"]) == {"entries", "register"}
    # Nothing of its register is a year old, so nothing was eliminated: it is not held against the others'.
    assert LATE_TOWN not in set(found["township"])
    assert not found["alarm"].any()
