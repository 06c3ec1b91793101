"""Lists of departments that say one thing of each person."""

from __future__ import annotations

from tests.importing.sheets import grid, imported, kinds, person_number, rows_of

HEAD, WIFE = person_number("19700315", 1), person_number("19720810", 0)
ROSTER = [
    ["乡镇", "行政村", "户编号", "户类型", "姓名", "身份证号", "与户主关系", "健康状况"],
    ["东河镇", "上村", "001001", "脱贫户", "甲", HEAD, "户主", "健康"],
    ["东河镇", "上村", "001001", "脱贫户", "乙", WIFE, "配偶", "健康"],
]


def test_what_departments_say_is_filled_in_and_adds_nobody():
    insured = [["姓名", "证件号码", "参保状态"], ["甲", HEAD, "已参保"], ["乙", WIFE, "未参保"]]
    disabled = [["姓名", "身份证号", "残疾等级"], ["甲", HEAD, "二级"]]
    disabled += [["丙", person_number("19800101", 3), "一级"]]
    result = imported(grid(ROSTER, "花名册.xlsx"), grid(insured, "医保.xlsx"), grid(disabled, "残联.xlsx"))
    assert rows_of(result, "members", "relation", "insured", "disability_grade") == [
        ("head", "true", "2"),
        ("spouse", "false", ""),
    ]
    assert kinds(result, "rejected") == ["unknown person"]


def test_where_a_list_contradicts_the_county_it_is_asked():
    sick = grid([["姓名", "身份证号", "健康状况"], ["甲", HEAD, "患有大病"]], "卫健.xlsx")
    result = imported(grid(ROSTER, "花名册.xlsx"), sick)
    assert rows_of(result, "members", "relation", "health") == [("head", "healthy"), ("spouse", "healthy")]
    assert "person contradicts" in kinds(result, "asked")
