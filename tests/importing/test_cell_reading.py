"""Cells as people type them: what is read, and what is never guessed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from riskmodel.importing import cell_reading as cells
from riskmodel.importing.header_words import Span
from riskmodel.importing.vocabulary import vocabulary

YUAN, TEN_THOUSAND = Decimal(1), Decimal(10_000)
ZONE = "Asia/Shanghai"


def amount(
    value: object, unit: Decimal = YUAN, *, negative: bool = False
) -> tuple[Decimal | None, str | None]:
    read = cells.read_amounts([value], unit, vocabulary().kinds, may_be_negative=negative)
    return read.values[0], read.faults[0]


@pytest.mark.parametrize(
    ("typed", "yuan"),
    [
        ("￥1,622.15", "1622.15"), ("¥ 300", "300"), ("3500元", "3500"), ("0.2965万元", "2965"),
        ("1.2万", "12000"),
        ("１２，３４５．６７", "12345.67"), ("人民币500", "500"), (" 2350.00  ", "2350"), ("1.2E+4", "12000"),
        ("'1200", "1200"), ("38,263.53", "38263.53"), (12, "12"), (12.5, "12.5"), ("0", "0"),
        ("２千元", "2000"),
        ("1500元整", "1500"),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_type_them(typed: object, yuan: str) -> None:
    assert amount(typed) == (Decimal(yuan), None)


def test_the_unit_of_a_sheet_holds_where_a_cell_names_none() -> None:
    assert amount(3.54, TEN_THOUSAND)[0] == 35_400
    assert amount("0.2965万元", TEN_THOUSAND)[0] == 2_965
    assert amount("800元", TEN_THOUSAND)[0] == 800
    assert amount("￥800", TEN_THOUSAND)[0] == 800


@pytest.mark.parametrize(
    "typed",
    [
        "-",
        "——",
        "/",
        "*",
        "待核",
        "未统计",
        "#REF!",
        "#N/A",
        "约500",
        "500左右",
        "12,34",
        "1.2.3",
        "?",
        "=A1",
    ],
)
def test_what_is_no_amount_is_unreadable_and_never_zero(typed: str) -> None:
    assert amount(typed) == (None, cells.UNREADABLE)


def test_blanks_and_words_for_nothing_are_told_apart() -> None:
    assert amount(None) == (None, cells.BLANK)
    assert amount("  ") == (None, cells.BLANK)
    assert amount("无") == (None, cells.MAYBE_NOTHING)
    assert amount(True) == (None, cells.UNREADABLE)
    assert amount(dt.date(2021, 5, 1)) == (None, cells.UNREADABLE)


def test_negative_amounts_are_taken_only_where_they_can_be() -> None:
    assert amount("（300）") == (None, cells.NEGATIVE)
    assert amount(-300) == (None, cells.NEGATIVE)
    assert amount("（300）", negative=True) == (Decimal(-300), None)


@pytest.mark.parametrize(
    "typed",
    [
        "2021-05-03", "2021/5/3", "2021.5.3", "2021年5月3日", "20210503", "２０２１-５-３", 44319,
        "44319",
        dt.date(2021, 5, 3), dt.datetime(2021, 5, 3, 9, 30), "2021-05-03 09:30", "二〇二一年五月三日",
        "20210503.0",
        "2021 年 5 月 3 日", "2021年5月3号",
    ],
)  # fmt: skip
def test_days_are_read_in_every_style(typed: object) -> None:
    assert cells.read_dates([typed], ZONE).values == [dt.date(2021, 5, 3)]


def test_an_instant_is_a_day_of_the_county() -> None:
    assert cells.read_dates(["2021-06-30T17:10:00Z"], ZONE).values == [dt.date(2021, 7, 1)]


def test_a_month_as_a_day_is_its_last() -> None:
    read = cells.read_dates(["202105", "2021-02", "2021年12月"], ZONE)
    assert read.values == [dt.date(2021, 5, 31), dt.date(2021, 2, 28), dt.date(2021, 12, 31)]
    assert set(read.notes.values()) == {"month precision"}


def test_days_before_or_behind_the_month_are_decided_by_the_column_or_not_at_all() -> None:
    assert cells.read_dates(["3/5/2021"], ZONE).faults == [cells.AMBIGUOUS]
    assert cells.read_dates(["3/5/2021", "25/5/2021"], ZONE).values[0] == dt.date(2021, 5, 3)
    assert cells.read_dates(["3/5/2021", "5/25/2021"], ZONE).values[0] == dt.date(2021, 3, 5)
    assert cells.read_dates(["25/5/2021", "5/25/2021", "3/5/2021"], ZONE).faults[2] == cells.AMBIGUOUS


@pytest.mark.parametrize("typed", ["2021-02-30", "2021-13-01", "1850-01-01"])
def test_days_that_cannot_be_are_told(typed: str) -> None:
    assert cells.read_dates([typed], ZONE).faults == [cells.IMPOSSIBLE]


def months(values: list[object], **more: object) -> list[str | None]:
    read = cells.read_months(values, ZONE, **more)  # type: ignore[arg-type]
    return [None if v is None else f"{v // 12}-{v % 12 + 1:02d}" for v in read.values]


def test_months_are_read_in_every_style() -> None:
    typed = [
        "2021-05",
        "202105",
        "2021年5月",
        "2021/5",
        "2021.05",
        dt.date(2021, 5, 1),
        "2021年05月份",
        202105,
        44319,
    ]
    assert set(months(typed)) == {"2021-05"}
    assert months(["5月", 5, "5"], year=2021) == ["2021-05"] * 3
    assert months(["5月"]) == [None]


def test_numbers_with_two_decimals_say_october() -> None:
    assert months([2019.06, 2019.1, 2019.11, 2019.01]) == ["2019-06", "2019-10", "2019-11", "2019-01"]
    assert months([2019.1], two_decimals=True) == ["2019-10"]


def test_one_decimal_is_january_or_october_and_never_guessed() -> None:
    read = cells.read_months([2021.1, 2021.6, 2021.11], ZONE)
    assert read.faults == [cells.AMBIGUOUS, None, None]


def test_the_order_of_a_persons_rows_settles_january_and_october() -> None:
    values = [2021.1, 2021.2, 2021.9, 2021.1, 2021.11, 2021.1]
    read = cells.read_months(values, ZONE, groups=["a"] * 5 + ["b"])
    assert months(values, groups=["a"] * 5 + ["b"])[:5] == [
        "2021-01",
        "2021-02",
        "2021-09",
        "2021-10",
        "2021-11",
    ]
    assert read.faults[5] == cells.AMBIGUOUS  # alone, nothing decides
    assert {read.notes[0], read.notes[3]} == {"month by order"}
    # Out of order of time the order says nothing.
    assert cells.read_months([2021.9, 2021.2, 2021.1], ZONE, groups=["a"] * 3).faults[2] == cells.AMBIGUOUS


def test_five_digits_are_a_month_only_where_the_column_shows_it() -> None:
    assert months(["20211", "202110", "20219"]) == ["2021-01", "2021-10", "2021-09"]
    assert cells.read_months(["20211", "202103"], ZONE).faults == [cells.AMBIGUOUS, None]


def test_periods_of_a_year() -> None:
    read = cells.read_spans(["2021年第一季度", "上半年", "1-9月累计", "年中"], year=2022)
    assert read.values[:3] == [Span(1, 3, 2021), Span(1, 6, 2022), Span(1, 9, 2022, cumulative=True)]
    assert read.faults[3] == cells.UNREADABLE


def test_years_as_they_are_written() -> None:
    assert (
        cells.read_years(["2021", 2021, "2021年", "2021年度", 2021.0, "2021-05-03"], ZONE).values
        == [2021] * 6
    )
    assert cells.read_years(["21", "去年"], ZONE).faults == [cells.UNREADABLE] * 2


def test_words_are_known_or_told_and_remarks_do_not_matter() -> None:
    causes = vocabulary().words("risk_events.cause")
    read = cells.read_words(["因病（详见附件）", " 因 残 ", "因懒", None, "因安全饮水"], causes)
    assert read.values[:2] == ["illness", "disability"]
    assert read.faults[2:4] == [cells.UNKNOWN_WORD, cells.BLANK]


@pytest.mark.parametrize("typed", ["是", "√", "Y", "有", 1, "1.0", True, "享受", "yes"])
def test_yes_in_every_writing(typed: object) -> None:
    words = vocabulary()
    read = cells.read_words([typed], words.words("households.dibao"), boolean=words.words("booleans"))
    assert read.values == ["true"]


@pytest.mark.parametrize(
    ("typed", "grade"),
    [("二级", 2), ("2级", 2), ("贰级", 2), ("肢体四级", 4), (3.0, 3), ("3.0", 3), ("无", 0)],
)
def test_grades_of_disability(typed: object, grade: int) -> None:
    assert cells.read_grades([typed], vocabulary().words("members.disability_grade")).values == [grade]
