"""Sheets with one amount a row, and rows of a household that go on below; what is asked of other lists."""

from __future__ import annotations

from tests.importing.sheets import grid, imported, kinds, money, roster, rows_of

HOUSES = [f"00100{i}" for i in range(1, 5)]
YEAR = "2021-01..2021-12"


def test_each_row_may_name_its_unit():
    rows = [["2021年收支"], ["户编号", "收支项目", "金额", "单位"]]
    rows += [["001001", "工资性收入", 1.5, "万元"], ["001002", "工资性收入", 900, "元"]]
    rows += [["001003", "工资性收入", 7, None]]
    known = money(imported(roster(HOUSES), grid(rows)))
    assert known == {("001001", YEAR, "wage"): 15_000, ("001002", YEAR, "wage"): 900}


def test_incomes_and_spendings_in_two_columns():
    rows = [["户编号", "月份", "项目", "收入金额", "支出金额"]]
    rows += [["001001", "2021-03", "工资性收入", 500, None], ["001001", "Apr-21", "生产支出", None, 70]]
    rows += [["001002", "21年3月", "养老金", 300, None], ["001002", "2021-03", "生产支出", None, 30]]
    result = imported(roster(HOUSES), grid(rows))
    assert money(result) == {("001001", "2021-03", "wage"): 500, ("001002", "2021-03", "transfer"): 300}
    spent = money(result, "spending")
    assert spent == {("001001", "2021-04", "production"): 70, ("001002", "2021-03", "production"): 30}
    assert kinds(result, "unknown") == []


def test_items_below_a_household_are_its_own():
    rows = [["2021年收支"], ["户编号", "项目", "金额"]]
    for house in HOUSES[:2]:
        rows += [[house, "1.工资性收入", 5], [None, "2.转移性收入", 6], [None, "收入小计", 11]]
    known = money(imported(roster(HOUSES), grid(rows)))
    assert known["001002", YEAR, "transfer"] == 6
    assert len(known) == 4


def test_an_item_that_comes_twice_below_a_household_may_be_of_another():
    rows = [["2021年收支"], ["户编号", "项目", "金额"], ["001001", "工资性收入", 5], [None, "转移性收入", 6]]
    rows += [[None, "工资性收入", 7], [None, "转移性收入", 8]]
    result = imported(roster(HOUSES), grid(rows))
    assert money(result) == {("001001", YEAR, "wage"): 5}


def test_wages_of_persons_beside_the_households_other_incomes():
    header = ["户编号", "姓名", "与户主关系", "个人工资性收入（元）", "转移性收入（元）"]
    rows = [["2021年收入"], header]
    for at, house in enumerate(HOUSES[:3]):
        rows += [[house, f"甲{at}", "户主", 100 + at, 40], [house, f"乙{at}", "配偶", 200, 40]]
    known = money(imported(roster(HOUSES), grid(rows)))
    assert known["001002", YEAR, "wage"] == 301
    assert known["001002", YEAR, "transfer"] == 40


def test_notes_on_colours_are_asked_about():
    rows = [["2021年收入"], ["户编号", "工资性收入"], *[[h, 5] for h in HOUSES], ["注：标红的为待核实农户"]]
    result = imported(roster(HOUSES), grid(rows))
    assert [q.kind for q in result.questions] == ["legend"]
    assert len(money(result)) == 4


def test_lists_by_name_alone_are_asked_about():
    header = ["序号", "乡镇", "村", "户主姓名", "保障类别", "月保障金额"]
    rows = [["低保名单"], header, *[[n, "东河镇", "上村", f"甲{n}", "B类", 300] for n in range(3)]]
    assert [q.kind for q in imported(roster(HOUSES), grid(rows)).blocking] == ["no number"]


def test_dates_of_payment_say_the_month():
    rows = [["户编号", "发放时间", "项目", "金额"], ["001001", "2021-05-20", "养老金", 100]]
    result = imported(roster(HOUSES), grid(rows))
    assert rows_of(result, "income", "month", "amount") == [("2021-05", "100")]
