"""Which months the files cover, of whom."""

from __future__ import annotations

from tests.importing.sheets import (
    ROSTER_HEADER,
    grid,
    imported,
    kinds,
    long_rows,
    person_number,
    rows_of,
    unknown,
)

LONG = ["户编号", "月份", "收入类别", "金额"]
YEAR = [f"2021-{m:02d}" for m in range(1, 13)]
EAST, WEST = [f"00100{i}" for i in range(1, 8)], [f"00200{i}" for i in range(1, 8)]


def county():
    rows = []
    for township, houses in (("东河镇", EAST), ("西山乡", WEST)):
        for i, house in enumerate(houses):
            number = person_number(f"19{50 + i}0315", int(house[-3:]))
            rows.append([township, "上村", house, "一般农户", f"甲{house}", number, "户主", "健康", "是"])
    return grid([ROSTER_HEADER, *rows], "花名册.xlsx")


def wages(houses, months, file, item="工资性收入"):
    return grid([LONG, *long_rows(months, dict.fromkeys(houses, 100), item)], file)


def months_on_record(result, household, table="income"):
    rows = rows_of(result, "recorded", "household_id", "of", "month_from", "month_to")
    return sorted({r[2] for r in rows if r[:2] == (household, table)})


def test_a_month_on_record_is_known_at_its_end():
    result = imported(county(), wages(EAST, YEAR[:2], "东河镇.xlsx"))
    rows = rows_of(result, "recorded", "household_id", "month_from", "recorded_on")
    assert [r[1:] for r in rows if r[0] == EAST[0]] == [
        ("2021-01", "2021-01-31"), ("2021-02", "2021-02-28"),
    ]  # fmt: skip


def test_a_late_first_record_makes_the_month_late():
    rows = [[h, m, "工资", 500, "2021-06-15" if h == EAST[0] else f"{m}-28"] for m in YEAR[:3] for h in EAST]
    result = imported(county(), grid([[*LONG, "录入日期"], *rows], "东河镇.xlsx"))
    written = {r[:2]: r[2] for r in rows_of(result, "recorded", "household_id", "month_from", "recorded_on")}
    assert written[EAST[0], "2021-02"] == "2021-06-15"
    assert written[EAST[1], "2021-02"] == "2021-02-28"


def test_a_household_without_rows_in_a_covered_month_has_none_not_unknown():
    result = imported(county(), wages(EAST[:6], YEAR, "东河镇.xlsx"))
    assert months_on_record(result, EAST[6]) == YEAR


def test_each_township_begins_where_its_own_files_begin():
    result = imported(
        county(), wages(EAST, YEAR, "东河镇.xlsx"), wages(WEST, YEAR[6:], "西山乡.xlsx"),
        wages([*EAST, *WEST], YEAR, "民政局.xlsx", "转移性收入"),
    )  # fmt: skip
    assert months_on_record(result, EAST[0]) == YEAR
    assert months_on_record(result, WEST[0]) == YEAR[6:]
    assert (WEST[0], "income", "", "2021-01", "2021-06", "partial_records") in unknown(result)
    assert "months in part" in kinds(result, "unknown")


def test_a_month_that_a_townships_file_lacks_is_not_on_record_and_told():
    result = imported(county(), wages(EAST, [m for m in YEAR if m != "2021-08"], "东河镇.xlsx"))
    assert "2021-08" not in months_on_record(result, EAST[0])
    assert len(months_on_record(result, EAST[0])) == 11
    assert kinds(result, "unknown") == ["months missing"]


def test_what_is_paid_by_the_quarter_leaves_no_gaps():
    result = imported(
        county(), wages(EAST, YEAR, "东河镇.xlsx"), wages(EAST, YEAR[2::3], "惠农.xlsx", "转移性收入")
    )
    assert months_on_record(result, EAST[0]) == YEAR
    assert not kinds(result, "unknown")


def test_a_household_that_came_later_begins_with_its_first_whole_month():
    homes = grid(
        [["乡镇", "行政村", "户编号", "户类型", "入户日期"],
         ["东河镇", "上村", EAST[0], "一般农户", "2021-04-15"],
         *[["东河镇", "上村", h, "一般农户", None] for h in EAST[1:]]],
        "农户.xlsx",
    )  # fmt: skip
    result = imported(homes, wages(EAST, YEAR, "东河镇.xlsx"))
    assert months_on_record(result, EAST[0])[0] == "2021-05"
    assert months_on_record(result, EAST[1])[0] == "2021-01"


def test_totals_of_years_put_no_month_on_record():
    result = imported(county(), grid([["2020年"], ["户编号", "工资性收入"], [EAST[0], 9]], "年.xlsx"))
    assert months_on_record(result, EAST[0]) == []
    assert str(result.assembled.about["data_through"]) == "2020-12-31"
