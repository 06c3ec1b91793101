"""The dense panel and the masks beside it, against sums and loops written out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import from_frames, month_ordinal
from riskmodel.households import panel
from riskmodel.households.coverage import Places, Spans
from riskmodel.households.panel import UNIT, read_records
from riskmodel.households.townships import _by_township

FIRST = month_ordinal(2020, 1)


def rows_of_two_households() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 60
    month = rng.integers(0, 12, n)
    return pd.DataFrame(
        {
            "household_id": rng.choice(["a", "b"], n),
            "month": [f"2020-{m + 1:02d}" for m in month],
            "source": rng.choice(["wage", "business", "transfer"], n),
            "amount": rng.integers(1, 1_000, n) / 4,
            "recorded_on": [f"2021-0{k}-01" for k in rng.integers(1, 6, n)],
        }
    )


@pytest.mark.parametrize("at_once", [7, 2**17])
def test_panels_hold_what_was_recorded_by_each_day(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(panel, "_ROWS_AT_ONCE", at_once)
    frame = rows_of_two_households()
    households = pd.DataFrame({"household_id": ["a", "b"], "recorded_on": "2019-01-01"})
    records = read_records(from_frames({"households": households, "income": frame}))
    days = pd.to_datetime(["2021-01-15", "2021-03-01", "2022-01-01"])
    numbers = [(day - pd.Timestamp(0)).days for day in days]
    # Windows may begin before the first row and end after the last.
    for day, made in zip(days, records.panels(numbers, FIRST + 14, FIRST - 5), strict=True):
        seen = frame[pd.to_datetime(frame["recorded_on"]) <= day]
        wage = made.amounts["income"][0]
        expected = Counter[tuple[str, int]]()
        for row in seen[seen["source"] == "wage"].itertuples():
            expected[row.household_id, int(str(row.month)[5:]) - 1] += round(row.amount * UNIT)
        places = np.argwhere(wage)
        assert {("ab"[h], m + made.first - FIRST): wage[h, m] for h, m in places} == dict(expected)
        assert made.counts["income"].any(axis=0).sum() == len(seen.groupby(["household_id", "month"]))
    assert (made.first, made.months) == (FIRST - 5, 20)


def test_masks_of_spans_of_one_month_and_of_several() -> None:
    rng = np.random.default_rng(5)
    household, start = rng.integers(0, 6, 40), FIRST + rng.integers(-9, 15, 40)
    stop = start + np.where(rng.random(40) < 0.5, 0, rng.integers(-2, 5, 40))
    mask = Spans(household, start, stop).mask(6, FIRST, 10)
    for h in range(6):
        for m in range(10):
            covered = (household == h) & (start <= FIRST + m) & (FIRST + m <= stop)
            assert mask[h, m] == covered.any()


def test_counts_by_township_follow_those_who_move() -> None:
    rng = np.random.default_rng(7)
    township = np.repeat(rng.integers(-1, 3, (20, 1)), 8, axis=1)
    township[2, 5:] = 0
    township[9, 3:] = 2
    mask = rng.random((20, 8)) < 0.6
    counts = _by_township(
        mask, Places(np.ones(20, bool), township, ("x", "y", "z"), np.zeros(20, int), np.zeros(20, bool))
    )
    for place in range(3):
        assert (counts[place] == (mask & (township == place)).sum(axis=0)).all()
