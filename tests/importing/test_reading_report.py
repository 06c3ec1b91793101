"""The account of an import as a workbook, and problem lists."""

from __future__ import annotations

import openpyxl
import pytest

from riskmodel.importing import write_import
from tests.importing.sheets import grid, imported, roster

HOUSES = [f"00100{i}" for i in range(1, 5)]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    rows = [["001001", "待核"], ["001002", "-"], ["001003", 500], ["009999", 7]]
    result = imported(
        roster(HOUSES), grid([["2020年收入"], ["户编号", "工资性收入"], *rows], "收入.xlsx", "表一"),
        grid([["户编号", "工资性收入"], ["001001", 3]], "无年.xlsx"),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("out")
    write_import(result, folder)
    return openpyxl.load_workbook(folder / "reading.xlsx")


def rows_of(sheet):
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_one_sheet_a_township_in_the_offices_language(book):
    assert book.sheetnames == ["汇总", "文件", "东河镇", "西山乡", "不分乡镇"]
    header = [cell.value for cell in book["东河镇"][1]]
    assert header == [
        "问题编号", "乡镇", "村", "户编号", "文件", "工作表", "单元格", "内容", "问题", "怎么改", "目前处理",
        "改正后内容", "整改说明",
    ]  # fmt: skip


def test_a_problem_says_where_it_stands_and_what_to_do(book):
    (problem,) = rows_of(book["东河镇"])
    assert (problem["户编号"], problem["工作表"], problem["单元格"], problem["内容"]) == (
        "001001", "表一", "B3", "待核",
    )  # fmt: skip
    assert "不作 0" in problem["问题"]
    assert problem["怎么改"]
    assert not problem["改正后内容"]


def test_a_sheet_that_was_not_read_is_a_problem_with_its_question(book):
    problems = rows_of(book["不分乡镇"])
    assert {p["目前处理"] for p in problems} == {"整表未读", "该行未采用"}
    assert any("哪一年" in p["问题"] for p in problems)


def test_the_files_and_what_became_of_them(book):
    sources = {row["文件"]: row for row in rows_of(book["文件"])}
    assert sources["无年.xlsx"]["原因"] == "有待回答的问题，答复前不读取"
    assert (sources["收入.xlsx"]["行数"], sources["收入.xlsx"]["未采用"]) == (4, 1)


def test_in_english_too(tmp_path):
    result = imported(roster(HOUSES), grid([["户编号", "工资性收入"], ["001001", 3]], "无年.xlsx"))
    write_import(result, tmp_path, "en")
    assert openpyxl.load_workbook(tmp_path / "reading.xlsx").sheetnames[:2] == ["Summary", "Files"]
    assert result.as_dict("en")["sources"][1]["why"] == "not read before a question of it is answered"
