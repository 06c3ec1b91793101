"""Counts from the register: by hand, as they were known, late months made up for."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.county import County, from_frames
from riskmodel.county.schema import month_ordinal
from riskmodel.errors import UsageError
from riskmodel.forecast import counts, outlook, rolling, series
from riskmodel.forecast.hierarchy import Hierarchy

from .conftest import AS_OF

DAY = dt.date(2020, 6, 30)


def made(rows: list[tuple[str, str, str, str, str]]) -> County:
    """A county of four households in two townships with these register rows."""
    ids = ["a", "b", "c", "d"]
    homes = pd.DataFrame(
        {"household_id": ids, "township": ["t1", "t1", "t2", "t2"], "village": "v",
         "registration": "lifted", "valid_from": "2018-01-01"}
    )  # fmt: skip
    people = pd.DataFrame(
        {"member_id": ids, "household_id": ids, "birth_month": "1980-01", "valid_from": "2018-01-01"}
    )
    income = pd.DataFrame({"household_id": ids, "month": "2020-01", "source": "wage", "amount": 100.0})
    register = pd.DataFrame(rows, columns=["household_id", "date", "event", "causes", "recorded_on"])
    return from_frames({"households": homes, "members": people, "income": income, "monitoring": register})


def test_counts_by_hand() -> None:
    county = made(
        [
            ("a", "2020-03-10", "identified", "illness;disaster", "2020-03-12"),
            ("b", "2020-03-20", "identified", "disaster", "2020-03-20"),
            ("c", "2020-05-01", "rolled_back", None, "2020-05-01"),
            ("a", "2020-04-01", "eliminated", None, "2020-04-01"),
            ("d", "2020-06-02", "re_marked", "illness", "2020-07-15"),  # not yet known at as-of
        ]
    )
    found = counts.build(county, DAY)
    assert found.months.tolist() == list(range(month_ordinal(2020, 3), month_ordinal(2020, 7)))
    assert found.townships == ("t1", "t2")
    assert found.causes == ("illness", "disaster", "other")
    # The first cause is the main one; an entry without a cause is "other"; letting go is no entry.
    assert found.cells[:, :, 0].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert found.cells[:, :, 2].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert found.cells.sum() == 3
    assert found.households.tolist() == [2, 2]
    later = counts.build(county, DAY, known_by=dt.date(2020, 12, 31))
    assert later.cells.sum() == 4


def test_months_that_are_still_filling_are_made_up_for() -> None:
    # Half of all entries have always come a month late: half of the newest month is known, it counts double.
    rows = []
    for k in range(24):
        first = dt.date(2018 + k // 12, k % 12 + 1, 10)
        late = first + dt.timedelta(days=30)
        rows += [("a", str(first), "identified", "illness", str(first))] * 2
        rows += [("c", str(first), "identified", "illness", str(late))] * 2
    found = counts.build(made(rows), dt.date(2019, 12, 31))
    assert found.filled[-1] == pytest.approx(0.5)
    assert found.filled[:-1].tolist() == [1.0] * 23
    assert found.cells[:, :, -1].sum() == pytest.approx(4.0)


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UsageError, match="no row"):
        counts.build(made([("a", "2020-03-10", "eliminated", None, "2020-03-12")]), DAY)
    home = {"household_id": ["a"], "township": "t", "village": "v", "registration": "lifted"}
    bare = from_frames({"households": pd.DataFrame(home | {"valid_from": "2018-01-01"})})
    with pytest.raises(UsageError, match="monitoring is absent"):
        counts.build(bare, DAY)


def test_rolling_origins_choose_what_was_better() -> None:
    # A strong season and no trend: the same month of last year beats nothing but the mean; the method with
    # the smaller error is used, and the plain one where it is as good.
    rng = np.random.default_rng(2)
    months = np.arange(24_000, 24_060)
    tree = Hierarchy(("t1",), ("illness",))
    rows = []
    for k in range(8):
        end = 46 + k
        wave = 30 * np.exp(0.7 * np.sin(2 * np.pi * months / 12))
        y = rng.poisson(wave).astype(float)[None, None, :]
        known = counts.Counts(
            tree.townships, tree.causes, months[:end], y[:, :, :end], np.ones(end), np.array([500.0])
        )
        now = counts.Counts(tree.townships, tree.causes, months, y, np.ones(60), np.array([500.0]))
        for method in ("seasonal_naive", "mean", "negbin"):
            t, out = rolling.forecast(known, method, 6)
            rows.append(rolling._errors(method, asof_day(k), t, out, known, now))
    table, chosen = rolling.summarise(pd.concat(rows, ignore_index=True))
    county = table[table["level"] == "county"].set_index("method")
    assert chosen == "negbin"
    # Seasonal-naive errors have twice the Poisson variance, the regression's hardly more than once: in
    # expectation 0.71, here of eight days.
    assert county.loc["negbin", "mase"] < 0.95 * county.loc["seasonal_naive", "mase"]
    assert county.loc["mean", "mase"] > county.loc["seasonal_naive", "mase"]
    assert county.loc["negbin", "coverage_80"] >= 0.7
    assert np.isnan(county.loc["seasonal_naive", "dm"])


def asof_day(k: int) -> dt.date:
    return dt.date(2020, 1 + k, 28)


def test_backtest_sees_nothing_that_was_recorded_later(county: County) -> None:
    found = rolling.backtest(county, dt.date.fromisoformat(AS_OF), 3, 3, methods=("seasonal_naive", "mean"))
    assert found.chosen in series.METHODS
    if len(found.errors):
        assert (found.errors["origin"] < AS_OF).all()
        assert (found.errors["forecast"] >= 0).all()


def test_limits_are_whole_and_never_inside_the_normal_ones() -> None:
    low, high = rolling.interval(np.array([0.0, 4.0, 50.0]), np.array([1.2, 4.0, 80.0]), 95)
    assert (low == np.rint(low)).all()
    # Mean 0 with a variance of 1.2: up to round(1.96 * 1.1) = 2; fifty with variance 80: 50 ± 17.5.
    assert high[0] == 2
    assert low[2] <= 32
    assert high[2] >= 68


def test_known_series_reach_the_regression_and_are_refused_where_they_end_too_soon() -> None:
    # Twice as many in months where the known series is 1: the forecast of the next such month is twice.
    rng = np.random.default_rng(3)
    months = np.arange(24_000, 24_060)
    price = pd.DataFrame(
        {
            "month": [f"{m // 12}-{m % 12 + 1:02d}" for m in range(24_000, 24_072)],
            "low": np.arange(72) % 5 == 0,
        }
    )
    y = rng.poisson(20 * (1 + (np.arange(60) % 5 == 0)))[None, None, :].astype(float)
    table = outlook.read_known(price)
    known = counts.Counts(("t",), ("illness",), months, y, np.ones(60), np.array([400.0]), table)
    made = series.regression(known, Hierarchy(("t",), ("illness",)), 12).mean[0]
    low = np.arange(60, 72) % 5 == 0
    assert made[low].mean() / made[~low].mean() == pytest.approx(2.0, rel=0.15)
    with pytest.raises(UsageError, match="no value for 2006-01"):
        series.regression(known, Hierarchy(("t",), ("illness",)), 13)
    with pytest.raises(UsageError, match="a month stands twice"):
        outlook.read_known(pd.concat([price, price]))
    with pytest.raises(UsageError, match="column month"):
        outlook.read_known(price.drop(columns="low"))
    with pytest.raises(UsageError, match="YYYY-MM"):
        outlook.read_known(price.assign(month="soon"))
