"""Sheets of which nothing can be used: told, and never a fault of ours."""

from __future__ import annotations

import pytest

from riskmodel.importing import write_import
from tests.importing.sheets import ROSTER_HEADER, grid, imported, kinds, roster

LONG = ["户编号", "月份", "收入类别", "金额"]
HOUSES = ["001001", "001002", "001003"]


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([["009001", "2021-01", "工资", 500], ["009002", "2021-01", "工资", 500]], "unknown household"),
        ([["001001", "某月", "工资", 500], ["001002", "某月", "工资", 500]], "no month"),
        ([["001001", "2021-01", "工资", "待核"], ["001002", "2021-01", "工资", "-"]], "unreadable amount"),
        ([["001001", "2021-01", "工资", -500], ["001002", "2021-01", "工资", -1]], "negative amount"),
        ([["5.3E+11", "2021-01", "工资", 500], ["5.3E+11", "2021-02", "工资", 500]], "rounded number"),
    ],
)
def test_a_ledger_without_any_usable_row(rows, kind, tmp_path):
    result = imported(roster(HOUSES), grid([LONG, *rows], "台账.xlsx"))
    write_import(result, tmp_path)
    assert kind in kinds(result)
    assert "income" not in result.assembled.tables


def test_a_roster_without_any_usable_row(tmp_path):
    row = ["东河镇", "上村", None, "一般农户", "甲", "不详", "户主", "健康", "是"]
    result = imported(grid([ROSTER_HEADER, row, row], "花名册.xlsx"))
    write_import(result, tmp_path)
    assert "no household number" in kinds(result, "rejected")
    assert "members" not in result.assembled.tables


def test_amounts_without_any_list_of_households(tmp_path):
    result = imported(grid([LONG, *[["001001", f"2021-0{m}", "工资", 500] for m in (1, 2)]], "台账.xlsx"))
    write_import(result, tmp_path)
    assert len(result.assembled.tables["income"]) == 2


def test_nothing_at_all(tmp_path):
    result = imported()
    write_import(result, tmp_path)
    assert result.as_dict("zh") == {"tables": {}, "sources": [], "asked": [], "unknown": []}
