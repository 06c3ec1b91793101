"""Working days and due dates against days counted by hand, from the State Council's notices."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.errors import SpecError
from riskmodel.rules import Calendar, read_calendar


@pytest.mark.parametrize(
    ("start", "limit", "unit", "due"),
    [
        # 30 April - 4 May 2022 were off, Saturday the 7th was worked: 5, 6, 7, 9, 10 May.
        ("2022-04-29", 5, "working_days", "2022-05-10"),
        # Event on a free day: the count begins with the next working day.
        ("2022-05-01", 1, "working_days", "2022-05-05"),
        ("2022-05-12", 15, "days", "2022-05-27"),
        # 16 October 2021 is a Saturday, so Monday; 9 October 2021 is a Saturday that was worked.
        ("2021-10-01", 15, "days", "2021-10-18"),
        ("2021-09-24", 15, "days", "2021-10-09"),
        # 10 days on is 3 October, in the week off that the worked weekend follows.
        ("2021-09-23", 10, "days", "2021-10-08"),
        ("2022-05-07", 0, "days", "2022-05-07"),
        ("2022-05-08", 0, "days", "2022-05-08"),  # the same day, be it a Sunday
        ("2024-01-31", 1, "months", "2024-02-29"),
        ("2021-01-31", 1, "months", "2021-03-01"),
        ("2022-03-03", 5, "day_of_month", "2022-03-07"),  # the 5th is a Saturday
        ("2022-03-05", 5, "day_of_month", "2022-03-07"),
        ("2022-03-06", 5, "day_of_month", "2022-04-06"),  # 3-5 April 2022 were off
        ("2022-02-10", 31, "day_of_month", "2022-02-28"),
        # New Year 2023 began on Saturday 31 December 2022; 29-30 January were worked.
        ("2022-12-30", 1, "working_days", "2023-01-03"),
        ("2023-01-20", 2, "working_days", "2023-01-29"),
    ],
)
def test_due_dates(start: str, limit: float, unit: str, due: str) -> None:
    assert read_calendar().due_date(start, limit, unit) == dt.date.fromisoformat(due)


def test_a_lower_limit_has_a_first_day_and_does_not_move() -> None:
    """Posted on Monday 9 May 2022: five whole days have passed on Saturday; five working days on the 16th."""
    calendar = read_calendar()
    assert calendar.due_date("2022-05-09", 5, "days", at_least=True) == dt.date(2022, 5, 14)
    assert calendar.due_date("2022-05-09", 5, "working_days", at_least=True) == dt.date(2022, 5, 16)


def test_many_starts_and_missing_ones() -> None:
    starts = pd.Series(["2022-04-29", None, "2022-05-12"], index=[7, 8, 9])
    due = read_calendar().due_dates(starts, 3, "working_days")
    assert due.index.tolist() == [7, 8, 9]
    assert due.dropna().dt.strftime("%m-%d").tolist() == ["05-07", "05-17"]
    assert pd.isna(due[8])


def test_an_office_replaces_a_year_and_adds_days() -> None:
    """Torch Festival added as two days off; a year of the office's own has only what it says."""
    added = read_calendar({"holidays": ["2022-07-22/2022-07-23"], "working_weekends": ["2022-05-01"]})
    assert added.due_date("2022-07-21", 1, "working_days") == dt.date(2022, 7, 25)
    assert added.is_working(["2022-05-01", "2022-05-02"]).tolist() == [True, False]
    replaced = read_calendar({"years": {2027: {"holidays": ["2027-01-01"]}, 2022: {}}})
    assert replaced.is_working(["2022-05-02", "2022-05-07", "2027-01-01", "2021-10-09"]).tolist() == [
        True, False, False, True,
    ]  # fmt: skip
    assert replaced.missing_years(["2021-06-01", "2028-06-01"]) == [2022, *range(2028, 2029)]


def test_a_file_of_the_office(tmp_path) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text("years:\n  2027:\n    holidays: [2027-01-01, 2027-02-06/2027-02-12]\n")
    assert read_calendar(path).due_date("2027-02-05", 1, "working_days") == dt.date(2027, 2, 15)


@pytest.mark.parametrize("days", [["2022-13-01"], ["2022-05-03/2022-05-01"], ["Labour Day"]])
def test_a_wrong_calendar_is_refused(days: list[str]) -> None:
    with pytest.raises(SpecError, match="holidays"):
        read_calendar({"holidays": days})


def test_packaged_years_are_whole() -> None:
    """Seven festivals a year; whoever works a weekend day does so in place of a weekday off."""
    calendar = read_calendar()
    assert sorted(calendar.years) == list(range(2018, 2027))
    for year, notice in calendar.years.items():
        one = Calendar(years={year: notice})
        days = pd.date_range(f"{year - 1}-12-01", f"{year}-12-31")
        weekdays = days[days.day_of_week < 5]
        off = int((~one.is_working(weekdays)).sum())
        worked = int(one.is_working(days[days.day_of_week >= 5]).sum())
        # Eleven statutory days (thirteen from 2025), less those on a weekend that are made up for elsewhere.
        assert 10 <= off - worked <= 14, year
        assert notice.notice.startswith("国办发明电")
