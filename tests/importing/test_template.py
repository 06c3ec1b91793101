"""The template is filled in and read back; guess and packaged map say the same, examples are no records."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from riskmodel import importing

FILLED = {
    "农户": [
        ["000012", "清河镇", "东村", "1组", "脱贫户", 2018, "否", "否", "否", "是", "是", None],
        ["000013", "清河镇", "西村", "2组", "一般农户", None, "是", "否", "否", "否", "是", None],
    ],
    "家庭成员": [
        ["000012", "000012-01", "1949-03", "男", "户主", "非在校", "健康", 0, "普通劳动力", "是", "是", "是"],
        [
            "000013",
            "000013-01",
            "1980-11",
            "女",
            "户主",
            "非在校",
            "长期慢性病",
            3,
            "弱劳动力",
            "否",
            "是",
            "是",
        ],
    ],
    "年度收支": [
        ["000012", 2021, 24000, 8000, 0, 3600, 3000, 500, 0, 0, "2022-04-20"],
        ["000013", 2021, 10000, 0, 0, None, 0, 500, 0, 0, "2022-04-20"],
    ],
    "月度收入": [["000013", "000013-01", "2022-01", "转移性收入", 300, None, "2022-02-01"]],
    "月度支出": [["000012", "2022-01", "医疗自付", 200, None, "2022-02-01"]],
    "风险排查": [["000013", "2021-05-12", "因病", 12000, "干部排查", "E1", "2021-05-14"]],
    "监测": [["000013", "2021-06-01", "纳入监测", "边缘易致贫户", "因病、因学", "2021-06-02"]],
    "帮扶": [["000013", "2021-06-10", "健康帮扶", "因病", 3000, None, "2021-06-12"]],
    "户变更": [["000011", "000012", "换号", "2021-03-01"]],
    "入户核查": [["000013", "2021-05-20", "属实", "因病", "2021-05-21"]],
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = importing.write_template(tmp_path_factory.mktemp("template") / "empty.xlsx")
    book = openpyxl.load_workbook(path)
    for name, rows in FILLED.items():
        for at, row in enumerate(rows, 3):  # below the header and the example
            for column, value in enumerate(row, 1):
                book[name].cell(at, column).value = value
    book.save(path.with_name("filled.xlsx"))
    return path.with_name("filled.xlsx")


@pytest.mark.parametrize("plan", [None, "template"])
def test_a_filled_template_becomes_the_tables(filled: Path, plan: str | None) -> None:
    given = importing.read_map(plan) if plan else None
    result = importing.import_files([filled], given)
    tables = result.assembled.tables
    assert not result.questions
    assert list(tables["households"]["household_id"]) == ["000012", "000013"]  # zeros stay, no 示例0001
    assert list(tables["members"]["birth_month"]) == ["1949-03", "1980-11"]
    assert tables["visits"]["outcome"].tolist() == ["confirmed"]
    assert tables["risk_events"]["row_id"].tolist() == ["E1"]
    assert tables["monitoring"]["causes"].tolist() == ["illness;schooling"]
    assert set(tables) >= {"income", "spending", "support", "household_links"}
    # The blank transfer of 000013 in 2021 is unknown, never 0.
    unknown = result.as_dict("zh")["unknown"]
    assert [(u["household_id"], u["item"], u["month_from"]) for u in unknown] == [
        ("000013", "transfer", "2021-01")
    ]


def test_the_map_names_every_header_of_the_template() -> None:
    plan = importing.read_map("template")
    for name, headers in importing.template_sheets().items():
        spec = plan.sheet("any.xlsx", name)
        assert spec is not None
        assert set(headers) == {text for table in spec.tables for text in table.headers}, name


def test_an_absent_header_is_told_and_a_synonym_found(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "户信息"
    sheet.append(["户信息"])
    sheet.append(["户号", "乡镇", "行政村", "户类型", "人口编号", "出生日期", "与户主关系"])
    sheet.append(["000012", "清河镇", "东村", "脱贫户", "01", "1980-01-02", "户主"])
    book.save(tmp_path / "户信息_20231218.xlsx")
    result = importing.import_files([tmp_path], importing.read_map("national"))
    assert result.assembled.tables["members"]["household_id"].tolist() == ["000012"]
    absent = {f.text for f in result.assembled.findings.items if f.kind == "header absent"}
    assert "健康状况" in absent
    assert "户编号" not in absent
