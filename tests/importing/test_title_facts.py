"""What titles and names say of a whole sheet, and a month that may be the one in which it was made."""

from __future__ import annotations

import datetime as dt

import pytest

from riskmodel.importing.title_facts import title_facts
from tests.importing.sheets import grid, imported, money, roster

AMOUNTS = ["户编号", "工资性收入", "转移性收入"]
ROWS = [[f"00100{i}", 100 * i, 10] for i in range(1, 4)]
HOUSES = [row[0] for row in ROWS]


@pytest.mark.parametrize(
    ("titles", "sheet", "file", "months"),
    [
        ([], "Sheet1", "2020年上半年收入.xlsx", ("2020-01", "2020-06")),
        ([], "Sheet1", "2020年7-12月收入.xlsx", ("2020-07", "2020-12")),
        ([], "", "2022年一季度收入.csv", ("2022-01", "2022-03")),
        (["收入（2019.10-2020.9）"], "Sheet1", "收入_20201020.xlsx", ("2019-10", "2020-09")),
        (["计算周期：2020年10月1日—2021年9月30日"], "", "a.xlsx", ("2020-10", "2021-09")),
        (["收支登记表"], "7月", "2021年登记.xlsx", ("2021-07", "2021-07")),
        (["2021年收支情况表（2022年1月）"], "", "a.xlsx", None),
        (["收入信息（2021年10月采集）"], "", "a.xlsx", None),
        (["2021年6月累计收入"], "", "a.xlsx", ("2021-01", "2021-06")),
        (["截至2022年1月12日"], "", "2021年.xlsx", None),
        (["2020年10月—2021年9月收入"], "10月", "收入.xlsx", ("2020-10", "2020-10")),
        (["2020年10月—2021年9月收入"], "3月", "收入.xlsx", ("2021-03", "2021-03")),
        (["2021年度收入"], "11月", "2020.10-2021.9.xlsx", ("2020-11", "2020-11")),
    ],
)
def test_periods_in_titles_and_names(titles, sheet, file, months):
    found = title_facts(titles, sheet, file).months
    said = found and tuple(f"{month // 12}-{month % 12 + 1:02d}" for month in found)
    assert said == months


def test_a_half_year_named_by_the_file_alone_is_no_year():
    result = imported(roster(HOUSES), grid([AMOUNTS, *ROWS], "2020年上半年收入.xlsx"))
    assert money(result)["001001", "2020-01..2020-06", "wage"] == 100


def test_one_month_in_a_title_is_asked_about():
    result = imported(roster(HOUSES), grid([["2021年12月农户收入表"], AMOUNTS, *ROWS], "收入.xlsx"))
    assert [q.kind for q in result.blocking] == ["month or year"]
    assert money(result) == {}


def test_sheets_from_month_to_month_say_their_months():
    some = [grid([[f"2021年{k}月收入"], AMOUNTS, *ROWS], "2021年收入.xlsx", f"{k}月") for k in (1, 2)]
    result = imported(roster(HOUSES), *some)
    assert not result.blocking
    assert money(result)["001002", "2021-02", "wage"] == 200


def test_the_day_of_writing_is_no_period():
    found = title_facts(["单位：万元   填报日期：2020年4月"], "2019年收支", "a.xlsx")
    assert (found.year, found.months, found.recorded_on) == (2019, None, dt.date(2020, 4, 30))


def test_sums_from_the_years_begin_in_one_sheet_each_become_their_differences():
    for said in ("2021年1-{}月收入", "2021年{}月累计收入"):
        some = [
            grid([[said.format(k)], AMOUNTS, *[[h, 100 * k, k] for h in HOUSES]], "2021.xlsx", f"{k}月")
            for k in (3, 6, 9, 12)
        ]
        known = money(imported(roster(HOUSES), *some))
        assert {span: wage for (house, span, item), wage in known.items() if item == "wage"} == {
            "2021-01..2021-03": 300,
            "2021-04..2021-06": 300,
            "2021-07..2021-09": 300,
            "2021-10..2021-12": 300,
        }


def test_until_the_end_of_a_month_may_be_a_sum_and_is_asked_about():
    some = [grid([[f"截至2021年{k}月底收入"], AMOUNTS, *ROWS], "2021年.xlsx", f"{k}月") for k in (3, 6)]
    assert [q.kind for q in imported(roster(HOUSES), *some).blocking] == ["month or year"] * 2


def test_a_year_over_two_is_asked_about():
    result = imported(roster(HOUSES), grid([AMOUNTS, *ROWS], "2020-2021年度收入.xlsx"))
    assert [q.kind for q in result.blocking] == ["no year"]


def test_units_stand_in_a_row_below_the_header_or_in_a_note():
    units = [["2021年"], AMOUNTS, [None, "（元）", "（万元）"], *ROWS]
    assert money(imported(roster(HOUSES), grid(units)))["001001", "2021-01..2021-12", "transfer"] == 100_000
    noted = [["2021年"], AMOUNTS, *ROWS, ["注：本表金额单位为百元"]]
    assert money(imported(roster(HOUSES), grid(noted)))["001001", "2021-01..2021-12", "wage"] == 10_000


def test_months_of_a_year_from_october_to_september_stand_in_two_years():
    rows = [["2021年度（2020年10月-2021年9月）工资性收入"], ["户编号", "10月", "1月"], ["001001", 500, 800]]
    known = money(imported(roster(HOUSES), grid(rows)))
    assert known == {("001001", "2020-10", "wage"): 500, ("001001", "2021-01", "wage"): 800}


def test_part_of_a_year_beside_a_column_of_years_is_asked_about():
    rows = [["2021年一季度收入"], ["户编号", "年度", "工资性收入"], ["001001", 2021, 700]]
    assert [q.kind for q in imported(roster(HOUSES), grid(rows)).blocking] == ["month or year"]


def test_averages_and_plans_are_asked_about():
    for title in ("2021年户均收入", "2021年农户月收入统计表", "2022年增收计划"):
        result = imported(roster(HOUSES), grid([[title], AMOUNTS, *ROWS]))
        assert [q.kind for q in result.blocking] == ["other amounts"]
    group = [["2021年"], ["户编号", "月均收入", None], [None, "工资性收入", "转移性收入"], *ROWS]
    assert money(imported(roster(HOUSES), grid(group, merged=((2, 1, 2, 2),)))) == {}


def test_a_corrected_column_beside_the_first_is_asked_about():
    rows = [["2021年"], ["户编号", "工资性收入", "更正后工资性收入"], ["001001", 500, 600]]
    assert [q.kind for q in imported(roster(HOUSES), grid(rows)).blocking] == ["two columns"]


MONTHLY = ["户编号", "月份", "收入类别", "金额"]


@pytest.mark.parametrize("header", [MONTHLY, [*MONTHLY, "年度"]])
def test_a_month_without_a_year_is_that_of_the_year_of_account_in_the_title(header):
    rows = [["001001", month, "工资性收入", 500, 2021][: len(header)] for month in ("10月", "12月", "1月")]
    known = money(imported(roster(HOUSES), grid([["2020年10月—2021年9月"], header, *rows])))
    assert [month for _, month, _ in known] == ["2020-10", "2020-12", "2021-01"]


def test_months_of_a_title_of_two_years_are_asked_about_and_first_month_answers():
    rows = [["001001", month, "工资性收入", 500] for month in ("10月", "1月")]
    one = grid([["2020-2021年度收入"], MONTHLY, *rows], "2021年.xlsx")
    result = imported(roster(HOUSES), one)
    assert [q.kind for q in result.blocking] == ["year over two"]
    answer = {"year": 2021, "first_month": 10, "unanswered": ()}
    answered = [s.model_copy(update=answer) for s in result.plan.sheets]
    read = imported(roster(HOUSES), one, plan=result.plan.model_copy(update={"sheets": tuple(answered)}))
    assert [month for _, month, _ in money(read)] == ["2020-10", "2021-01"]
