"""Sheets of work away from home: spells and wages of persons, apart from incomes."""

from __future__ import annotations

import pytest

from riskmodel.importing import guess_files
from riskmodel.importing.jobs import Spell, read_work_time
from tests.importing.sheets import (
    grid,
    imported,
    kinds,
    money,
    person_number,
    places,
    roster,
    rows_of,
    sheets,
    unknown,
)

A, B, C = HOUSES = ["001001", "001002", "001003"]
COLUMNS = ("member_id", "year", "months", "month_from", "month_to", "monthly_income", "place")


def month(year, number):
    return year * 12 + number - 1


@pytest.mark.parametrize(
    ("text", "spells", "months"),
    [
        ("3月-11月", [(month(2021, 3), month(2021, 11))], None),
        ("3—11月", [(month(2021, 3), month(2021, 11))], None),
        ("2021年3月至2021年11月", [(month(2021, 3), month(2021, 11))], None),
        ("2020.10-2021.3", [(month(2020, 10), month(2021, 3))], None),
        ("2021/3/1-2021/11/30", [(month(2021, 3), month(2021, 11))], None),
        ("202103-202111", [(month(2021, 3), month(2021, 11))], None),
        ("2月-5月、8月-10月", [(month(2021, 2), month(2021, 5)), (month(2021, 8), month(2021, 10))], None),
        ("2021年3月至今", [(month(2021, 3), None)], None),
        ("全年", [(month(2021, 1), month(2021, 12))], None),
        ("9", [], 9),
        ("9个月", [], 9),
        (10.0, [], 10),
    ],
)
def test_a_time_of_work(text, spells, months):
    assert read_work_time(text, 2021) == ([Spell(*s) for s in spells], months, True)


@pytest.mark.parametrize("text", ["9月", "3-11", "11月-3月", "13", "不定", "2021年13月-2021年14月"])
def test_a_time_of_work_that_names_no_months_is_left_open(text):
    assert read_work_time(text, 2021) == ([], None, False)


def test_spells_by_two_columns_and_a_monthly_wage():
    header = ["户编号", "姓名", "务工所在地", "开始时间", "结束时间", "务工月收入", "务工企业名称"]
    rows = [
        [A, "甲0", "省外", "2021年03月", "2021年11月", 4000, "某公司"],
        [B, "甲1", "县内", "2021年06月", None, 3000, "某公司"],
        [C, "无此人", "县内", "2021年06月", None, 3000, "某公司"],
    ]
    result = imported(roster(HOUSES), grid([["已外出务工信息"], header, *rows], "务工信息_20220131.xlsx"))
    assert rows_of(result, "jobs", *COLUMNS) == [
        ("001001-01", "2021", "9", "2021-03", "2021-11", "4000", "省外"),
        ("001002-01", "2021", "", "2021-06", "", "3000", "县内"),
    ]
    assert kinds(result, "rejected") == ["unknown person"]
    assert not money(result)


def test_a_time_in_one_column_of_words():
    number = person_number("19700315", 1)
    rows = [[number, "3月-11月", "4,000元"], [number, "不定", 3000], [None, None, None]]
    one = grid([["2021年务工情况"], ["身份证号", "务工时间", "月收入"], *rows], "务工.xlsx")
    result = imported(roster(HOUSES), one)
    assert rows_of(result, "jobs", *COLUMNS[:6]) == [
        ("001001-01", "2021", "", "", "", "3000"),
        ("001001-01", "2021", "9", "2021-03", "2021-11", "4000"),
    ]
    assert places(result, "work time") == ["row 4"]


def test_who_does_not_work_has_no_job_and_plans_are_not_read():
    header = ["户编号", "姓名", "是否已务工", "务工时间（月）", "务工地点"]
    done = grid([["2021年"], header, [A, "甲0", "是", 8, "省外"], [B, "甲1", "否", 0, None]], "务工.xlsx")
    plan = grid([["户编号", "姓名", "是否计划务工", "计划务工地点"], [A, "甲0", "是", "省外"]], "计划.xlsx")
    result = imported(roster(HOUSES), done, plan)
    assert rows_of(result, "jobs", "member_id", "months") == [("001001-01", "8")]
    assert [s.why.key for s in result.sources if s.file == "计划.xlsx"] == ["importing.why.planned work"]


def test_months_of_work_beside_the_members():
    header = ["户编号", "姓名", "与户主关系", "出生日期", "务工所在地", "务工时间（月）"]
    rows = [[A, "某甲", "户主", "1970-01-02", "省外", 10], [A, "某乙", "配偶", "1971-01-02", None, None]]
    homes = grid([["乡镇", "行政村", "户编号", "户类型"], ["东河镇", "上村", A, "一般农户"]], "农户.xlsx")
    result = imported(homes, grid([["2021年"], header, *rows], "成员.xlsx"))
    assert [r[1:3] for r in rows_of(result, "jobs", *COLUMNS)] == [("2021", "10")]


def test_nothing_is_read_of_months_without_a_year():
    header = ["户编号", "姓名", "务工时间（月）"]
    one = grid([header, [A, "甲0", 8], [B, "甲1", 7]], "务工.xlsx")
    assert [q.kind for g in guess_files(sheets(one))[1] for q in g.questions] == ["no table"]


def test_wages_come_from_the_sheet_of_incomes_and_are_counted_once():
    jobs = grid(
        [["2021年"], ["户编号", "姓名", "务工时间", "月收入"], [A, "甲0", "1月-10月", 4000]], "务工.xlsx"
    )
    income = grid([["2021年"], ["户编号", "工资性收入", "转移性收入"], [A, 38000, 500]], "收入.xlsx")
    result = imported(roster(HOUSES), jobs, income)
    assert {item: v for (_, _, item), v in money(result).items()} == {"wage": 38000, "transfer": 500}
    assert kinds(result) == ["monthly wages"]
    assert not unknown(result)


def test_wages_that_no_sheet_of_incomes_holds_are_unknown():
    jobs = grid(
        [["2021年"], ["户编号", "姓名", "务工时间", "月收入"], [A, "甲0", "1月-10月", 4000]], "务工.xlsx"
    )
    income = grid([["2021年"], ["户编号", "转移性收入"], [A, 500], [B, 500]], "收入.xlsx")
    result = imported(roster(HOUSES), jobs, income)
    assert unknown(result) == {(A, "income", "wage", "2021-01", "2021-10", "job_without_wage")}
    assert kinds(result, "asked") == ["job without wage"]
