"""Where households stand: days to learn from, and which kind of history each household has."""

from __future__ import annotations

import datetime as dt

from riskmodel.data import County
from riskmodel.forecasting import histories

from .conftest import AS_OF

DAY = dt.date.fromisoformat(AS_OF)


def test_origins_end_before_as_of_late_records_included(county: County) -> None:
    found = histories.forecast_origins(county, DAY, 12)
    # 2018-03-31 + 12 months + 120 days is the last that is over; 2017-12-31 is the first with a year behind.
    assert found == [dt.date(2018, 3, 31)]
    assert histories.forecast_origins(county, DAY, 3) == [dt.date(2018, 3, 31), dt.date(2018, 9, 30)]


def test_each_kind_of_history_is_told_from_the_others(sparse: County) -> None:
    kinds = histories.household_histories(sparse, [DAY]).set_index("household_id")["history"].sort_index()
    # Members of a few have left by then, and rows of a gap may be entered under another month.
    for ids, kind, fewest in (
        (slice(0, 15), "broken", 12),
        (slice(15, 30), "totals", 12),
        (slice(30, 40), "none", 8),
    ):
        names = sorted(sparse.table("households").household_id.to_pandas().unique())[ids]
        assert kinds.reindex(names).eq(kind).sum() >= fewest
    # Of a few others a month inside the year is not written up though a later one is: unknown, never zero.
    assert not kinds.iloc[60:].eq("totals").any()
    assert kinds.iloc[60:].eq("none").mean() < 0.15
