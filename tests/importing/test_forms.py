"""Forms of one household a sheet."""

from __future__ import annotations

from riskmodel.importing import Sheets, import_sheets, vocabulary
from riskmodel.importing.forms import merge_forms
from riskmodel.importing.sheet_layout import find_layout
from tests.importing.sheets import grid, money, person_number, places, roster, rows_of


def form(household, name, wage):
    """Return a form as offices print it: labels, a table of members, labels of amounts."""
    rows = [["农户信息采集表"], ["采集日期：2022年1月12日"], ["户编号", household, "户主姓名", name]]
    rows += [["乡镇", "东河镇", "行政村", "上村"], ["户类型", "脱贫户", "脱贫年度", None, "低保户", "否"]]
    rows += [["家庭成员"], ["姓名", "身份证号", "与户主关系"]]
    rows += [[name, person_number("19700315", 1), "户主"], ["丙某", person_number("19720810", 2), "配偶"]]
    rows += [["2021年收入（元）"], ["工资性收入", wage, "转移性收入", 70]]
    return grid(rows, "采集表.xlsx", name)


def imported(*grids):
    """Import forms."""
    some = merge_forms(grids, vocabulary())
    return import_sheets(Sheets(tuple((one, find_layout(one, vocabulary())) for one in some), ()))


def test_forms_become_lists_with_a_row_a_household():
    result = imported(form("001001", "甲某", 500), form("001002", "乙某", "待核"))
    assert rows_of(result, "households", "household_id", "village", "dibao") == [
        ("001001", "上村", "false"),
        ("001002", "上村", "false"),
    ]
    assert [row[0] for row in rows_of(result, "members", "household_id")] == ["001001"] * 2 + ["001002"] * 2
    assert money(result)["001001", "2021-01..2021-12", "wage"] == 500
    assert ("001002", "2021-01..2021-12", "wage") not in money(result)
    assert places(result, "unreadable amount") == ["#2!B11"]


def test_no_form_is_named_after_a_person():
    result = imported(form("001001", "甲某", 500), form("001002", "乙某", 600))
    assert {source.sheet for source in result.sources} == {"#1-2", "#1-2#2"}


def test_lists_are_no_forms():
    some = [roster(["001001", "001002"]), grid([["户编号", "工资性收入"], ["001001", 5]])]
    assert merge_forms(some, vocabulary()) == some
