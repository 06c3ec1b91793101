"""Rolling origins: nothing from the future, nothing unfinished, every step asked for."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, from_frames
from riskmodel.data.schema import month_ordinal
from riskmodel.forecasting import counts, rolling_origin

Row = tuple[str, str, str, str, str]
METHODS = ("seasonal_naive", "mean")


def county_of(rows: list[Row]) -> County:
    """A county of four households in two townships with these register rows."""
    ids = ["a", "b", "c", "d"]
    homes = pd.DataFrame(
        {"household_id": ids, "township": ["t1", "t1", "t2", "t2"], "village": "v",
         "registration": "lifted", "valid_from": "2016-01-01"}
    )  # fmt: skip
    register = pd.DataFrame(rows, columns=["household_id", "date", "event", "causes", "recorded_on"])
    return from_frames({"households": homes, "monitoring": register})


def entered(months: int = 48, late: int = 60) -> list[Row]:
    """A register of four years from 2017 on, a few rows a month, some of them recorded two months late."""
    rng = np.random.default_rng(5)
    rows = []
    for k in range(months):
        for _ in range(4 + rng.poisson(3)):
            day = dt.date(2017 + k // 12, k % 12 + 1, int(rng.integers(1, 28)))
            known = day + dt.timedelta(days=int(late * (rng.random() < 0.3)))
            rows.append((str(rng.choice(list("abcd"))), str(day), "identified", "illness", str(known)))
    return rows


def test_backtest_sees_nothing_that_was_recorded_after_as_of() -> None:
    end, rows = dt.date(2020, 12, 31), entered()
    found = rolling_origin.backtest(county_of(rows), end, 3, 3, methods=METHODS)
    # Twenty rows more of every month, recorded the day after as-of.
    later = [("a", f"{y}-{m:02d}-05", "identified", "illness", "2021-01-01") for y in (2018, 2019, 2020)
             for m in range(1, 13) for _ in range(20)]  # fmt: skip
    again = rolling_origin.backtest(county_of(rows + later), end, 3, 3, methods=METHODS)
    assert len(found.errors) > 0
    pd.testing.assert_frame_equal(again.errors, found.errors)
    # A day later they are seen.
    assert counts.monthly_counts(county_of(rows + later), dt.date(2021, 1, 1)).cells.sum() > 700


def test_a_past_forecast_sees_nothing_that_was_recorded_after_its_own_day() -> None:
    end, rows = dt.date(2020, 12, 31), entered()
    found = rolling_origin.backtest(county_of(rows), end, 3, 3, methods=METHODS)
    for origin in found.errors["origin"].unique()[:2]:
        known_then = [r for r in rows if r[4] <= str(origin.date())]
        since = [r for r in rows if r[4] > str(origin.date())]
        doubled = rolling_origin.backtest(county_of(known_then + since + since), end, 3, 3, methods=METHODS)
        mine, theirs = (t.errors[t.errors["origin"] == origin] for t in (found, doubled))
        assert mine["forecast"].to_numpy() == pytest.approx(theirs["forecast"].to_numpy())
        assert (mine["actual"].to_numpy() < theirs["actual"].to_numpy()).any()


def test_months_that_still_fill_are_not_compared_with_and_every_step_is_tested() -> None:
    months = np.arange(24_000, 24_060)  # the last is 2004-12
    filled = np.ones(60)
    filled[-3:] = 0.97, 0.8, 0.6
    cells = np.full((1, 1, 60), 5.0)
    known = counts.Counts(("t",), ("illness",), months, cells, filled, np.array([9.0]))
    end = dt.date(2004, 12, 31)
    # Recorded at 98 % up to September; 120 days before the year's end August is the last that was over.
    assert rolling_origin.last_settled_month(known, end, 0) == month_ordinal(2004, 9)
    assert rolling_origin.last_settled_month(known, end, 120) == month_ordinal(2004, 8)
    found = rolling_origin.origins_of(known, end, 12, 8, 120)
    # Twelve months before August and seven months more, one a month.
    assert found.steps == 12
    assert [str(d) for d in found.days[:2]] == ["2003-08-31", "2003-07-31"]
    assert len(found.days) == 8
    # 60 months less 4 unsettled less 18 to begin with are 38; of 30 only 8 are left: five days, four steps.
    short = counts.Counts(("t",), ("illness",), months[30:], cells[:, :, 30:], filled[30:], np.array([9.0]))
    fewer = rolling_origin.origins_of(short, end, 12, 8, 120)
    assert (fewer.steps, len(fewer.days)) == (4, 5)
    assert rolling_origin.origins_of(short, end, 12, 8, 3000) == rolling_origin.Origins((), 0)


def test_accuracy_is_told_by_step_and_what_came_is_whole() -> None:
    found = rolling_origin.backtest(county_of(entered()), dt.date(2020, 12, 31), 12, 5, methods=METHODS)
    county = found.steps[(found.steps["level"] == "county") & (found.steps["method"] == "mean")]
    assert county["step"].tolist() == list(range(1, 13))
    assert set(county["origins"]) == {5}
    assert (found.errors["actual"] == found.errors["actual"].round()).all()
    one = found.errors[(found.errors["level"] == "county") & (found.errors["method"] == "mean")]
    one = one[one["step"] == 7]
    by_hand = ((one["forecast"] - one["actual"]).abs() / one["scale"]).mean()
    assert county["mase"].iloc[6] == pytest.approx(by_hand)
