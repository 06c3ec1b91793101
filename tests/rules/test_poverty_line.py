"""The line: absolute, by year, and relative to the county's own incomes."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import from_frames

DAY = dt.date(2021, 6, 1)


def incomes(pairs: list[tuple[float | None, int]]):
    """Return a county with one household for each (income, persons)."""
    h = pd.DataFrame(
        {
            "household_id": [f"h{i}" for i in range(len(pairs))],
            "township": "t",
            "village": "v",
            "registration": "general",
            "valid_from": "2019-01-01",
        }
    )
    members = [
        {
            "member_id": f"{i}.{k}",
            "household_id": f"h{i}",
            "birth_month": "1980-01",
            "valid_from": "2019-01-01",
        }
        for i, (_, n) in enumerate(pairs)
        for k in range(n)
    ]
    paid = [
        {"household_id": f"h{i}", "month": "2021-05", "source": "wage", "amount": x}
        for i, (x, _) in enumerate(pairs)
        if x is not None
    ]
    spent = pd.DataFrame(columns=["household_id", "month", "category", "amount"], dtype=object)
    frames = {
        "households": h,
        "members": pd.DataFrame(members).assign(valid_from="2019-01-01"),
        "income": pd.DataFrame(paid),
        "spending": spent,
    }
    return from_frames(frames)


# Incomes per head 100 (1 person), 200 (2 persons), 400 (1 person); one unknown, one without persons.
COUNTY = [(100.0, 1), (400.0, 2), (400.0, 1), (None, 5), (900.0, 0)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{relative: 0.6, of: median, weight: persons}", 0.6 * 200),  # 100 200 | 200 400
        ("{relative: 0.6, of: median, weight: households}", 0.6 * 200),  # 100 200 400
        ("{relative: 0.5, of: mean, weight: persons}", 0.5 * 900 / 4),
        ("{relative: 0.5, of: mean, weight: households}", 0.5 * 700 / 3),
        ("120.5", 120.5),
    ],
)
def test_relative_lines_of_a_county_counted_by_hand(line: str, expected: float) -> None:
    c = incomes(COUNTY)
    assert rules.poverty_lines(c, "county-2020", DAY, {"line": line})[DAY] == pytest.approx(expected)


def test_verdicts_use_the_relative_line() -> None:
    params = {"line": "{relative: 1.5, of: median, weight: persons}"}  # 1.5 x 200
    frame = rules.evaluate_rules(incomes(COUNTY), "county-2020", DAY, params=params)
    assert frame["line"].eq(300.0).all()
    below = frame["conditions"].str.split(";").map(lambda ids: "below_line" in ids)
    assert below.tolist() == [True, True, False, False, False]


def test_a_median_that_splits_evenly_is_the_middle_of_two() -> None:
    c = incomes([(100.0, 1), (300.0, 1)])
    params = {"line": "{relative: 1, of: median, weight: persons}"}
    assert rules.poverty_lines(c, "county-2020", DAY, params)[DAY] == pytest.approx(200.0)


def test_a_county_without_known_incomes_has_no_relative_line() -> None:
    c = incomes([(900.0, 0), (None, 1)])
    params = {"line": "{relative: 0.6}"}
    assert rules.poverty_lines(c, "county-2020", DAY, params)[DAY] is None
    assert rules.evaluate_rules(c, "county-2020", DAY, params=params)["line"].isna().all()


def test_the_accounting_period_is_a_parameter() -> None:
    c = incomes([(100.0, 1)])
    frame = rules.evaluate_rules(c, "county-2020", ["2021-05-31", "2021-06-30"], params={"period_months": 1})
    assert frame["period_from"].tolist() == frame["period_to"].tolist() == ["2021-05", "2021-06"]
    assert frame["pcni"].iloc[0] == 100.0
    assert pd.isna(frame["pcni"].iloc[1])
