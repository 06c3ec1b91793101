"""Doubtful rows: what stands out is listed and kept, what does not is left alone."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import About, from_frames
from riskmodel.data.check import count_suspects, find_suspects, write_suspects
from riskmodel.data.county import County

MONTHS = [f"{year}-{month:02d}" for year in (2018, 2019, 2020, 2021) for month in range(1, 13)]


def county(changes: dict[tuple[str, str], float | None], late: tuple[str, ...] = ()) -> County:
    """Two households with 1,000 yuan of wages each month of four years; None takes a month out."""
    rows = [(h, m, "wage", changes.get((h, m), 1000.0)) for h in ("a", "b") for m in MONTHS]
    income = pd.DataFrame(rows, columns=["household_id", "month", "source", "amount"]).dropna()
    end = pd.to_datetime(income.month) + pd.offsets.MonthEnd(0)
    income["recorded_on"] = end + pd.to_timedelta(income.month.isin(late) * 200, unit="D")
    households = pd.DataFrame({"household_id": ["a", "b"], "township": "t", "village": "v"})
    households = households.assign(registration="lifted", valid_from="2017-01-01")
    members = pd.DataFrame({"member_id": ["a1", "b1"], "household_id": ["a", "b"], "birth_month": "1980-01"})
    about = About(data_through="2021-12-31", recording_delay_days=120)
    return from_frames(
        {"households": households, "members": members.assign(valid_from="2017-01-01"), "income": income},
        about,
    )


@pytest.mark.parametrize(("amount", "doubted"), [(10_000, True), (0.1, True), (5_900, False), (20, False)])
def test_far_from_usual(amount: float, doubted: bool) -> None:
    """The usual is the median of the Mays: 1,000; six times it and a hundredth of it are the bounds."""
    found = find_suspects(county({("a", "2020-05"): amount}))
    assert len(found) == doubted
    if doubted:
        row = found.iloc[0]
        assert (row.household_id, row.month, row.kind) == ("a", "2020-05", "wage")
        assert (row.amount, row.usual, row.reason) == (amount, 1000.0, "far from usual")


def test_a_forgotten_month_is_one_between_two() -> None:
    found = find_suspects(county({("b", "2020-05"): None, ("a", "2019-03"): None, ("a", "2019-04"): None}))
    # Two months in a row may be a household without income; one between two with some looks forgotten.
    assert found[["household_id", "month", "reason"]].to_numpy().tolist() == [
        ["b", "2020-05", "month missing"]
    ]
    assert count_suspects(found) == {"month missing": 1}


def test_later_than_promised() -> None:
    found = find_suspects(county({}, late=("2019-07",)))
    assert set(found.reason) == {"later than promised"}
    assert found.household_id.tolist() == ["a", "b"]


def test_written_for_excel_and_for_machines(tmp_path) -> None:
    found = find_suspects(county({("a", "2020-05"): 10_000}))
    back = pd.read_csv(write_suspects(found, tmp_path), dtype={"month": str})
    assert back.month.tolist() == ["2020-05"]
    assert len(pd.read_csv(write_suspects(find_suspects(county({})), tmp_path))) == 0
