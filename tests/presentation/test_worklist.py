"""The workbook is read back with another program (openpyxl) as the office's spreadsheet would read it."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from riskmodel import presentation, scoring
from riskmodel.errors import UsageError
from riskmodel.io.files import safe_text
from riskmodel.scoring.worklist import declared_columns


@pytest.fixture(scope="module")
def made(make_scores) -> scoring.Worklist:
    scores = make_scores(300, seed=7)
    scores.loc[scores.index[:4], "village"] = ["=1+1", "+坝村", "-坝村", "@坝村"]
    scores.loc[scores.index[:4], ["flagged", "rule_category"]] = [True, "marginal"]
    scores.loc[scores.index[4], "line"] = np.inf
    scores.loc[scores.index[4], ["flagged", "rule_category"]] = [True, "marginal"]
    return scoring.build_worklist(scores, visits=70, random_share=0.1, by="township")


@pytest.fixture(scope="module")
def path(made, tmp_path_factory) -> Path:
    return presentation.write_worklist(made, tmp_path_factory.mktemp("list") / "list.xlsx")


@pytest.fixture(scope="module")
def workbook(path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(path)


def header(sheet) -> list[str]:
    return [cell.value for cell in sheet[1]]


def test_sheets_are_list_townships_unknown_summary_dictionary(workbook, made) -> None:
    townships = sorted(made.listed["township"].unique())
    assert workbook.sheetnames == ["核查名单", *townships, "收入未知", "汇总", "数据字典"]
    assert workbook.active.title == "核查名单"


def test_each_listed_household_stands_once_and_once_on_its_township(workbook, made) -> None:
    def ids(name: str) -> list[str]:
        sheet = workbook[name]
        column = header(sheet).index("户编号")
        return [row[column].value for row in sheet.iter_rows(min_row=2)]

    assert ids("核查名单") == list(made.listed["household_id"])
    by_township = [i for name in sorted(made.listed["township"].unique()) for i in ids(name)]
    assert sorted(by_township) == sorted(made.listed["household_id"])
    assert ids("收入未知") == list(made.unknown["household_id"])


def test_no_cell_is_a_formula_and_suspect_text_is_neutralised(workbook) -> None:
    seen = set()
    for sheet in workbook:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "f"
                if isinstance(cell.value, str):
                    assert not cell.value.startswith(("=", "+", "-", "@"))
                    seen.add(cell.value)
    assert {"'=1+1", "'+坝村", "'-坝村", "'@坝村"} <= seen
    assert "无穷大" in seen


def test_opens_clean(workbook, made) -> None:
    sheet = workbook["核查名单"]
    columns = header(sheet)
    frozen = openpyxl.utils.get_column_letter(columns.index("户编号") + 2)
    assert sheet.freeze_panes == f"{frozen}2"
    assert (
        sheet.auto_filter.ref == f"A1:{openpyxl.utils.get_column_letter(len(columns))}{len(made.listed) + 1}"
    )
    assert sheet.page_setup.orientation == "landscape"
    assert str(sheet.page_setup.paperSize) == sheet.PAPERSIZE_A4
    assert sheet.print_title_rows == "$1:$1"
    assert "&P" in sheet.oddFooter.right.text
    formats = {
        name: sheet.cell(2, columns.index(name) + 1).number_format for name in ("人均纯收入", "风险概率")
    }
    assert formats == {"人均纯收入": "#,##0", "风险概率": "0.0%"}
    assert sheet.cell(2, columns.index("为什么在名单上") + 1).alignment.wrap_text
    for name in ("核查结果", "处理意见", "风险原因", "核查日期", "核查人", "备注"):
        assert sheet.cell(2, columns.index(name) + 1).value is None


def test_the_printed_page_ends_with_the_note(workbook) -> None:
    # A page that also carried the analyst's columns would print too small to fill in by hand.
    sheet = workbook["核查名单"]
    last = openpyxl.utils.get_column_letter(header(sheet).index("备注") + 1)
    assert sheet.print_area.endswith(f"${last}${sheet.max_row}")


def test_findings_are_chosen_from_the_contracts_words(workbook, made) -> None:
    sheet = workbook["核查名单"]
    columns = header(sheet)
    rules = {str(v.sqref).split(":")[0]: v for v in sheet.data_validations.dataValidation}
    expected = {"核查结果": "属实,不属实,未见", "处理意见": "拟纳入,无风险,转部门"}
    for name, words in expected.items():
        first = f"{openpyxl.utils.get_column_letter(columns.index(name) + 1)}2"
        assert rules[first].formula1.strip('"') == words
        assert str(rules[first].sqref).endswith(str(len(made.listed) + 1))
    date = rules[f"{openpyxl.utils.get_column_letter(columns.index('核查日期') + 1)}2"]
    # A visit before the list's date is not a visit of this list.
    assert (date.type, date.operator) == ("date", "greaterThanOrEqual")
    assert openpyxl.utils.datetime.from_excel(float(date.formula1)).date() == made.as_of


def test_reasons_stand_with_their_cause_in_order(workbook, made) -> None:
    sheet = workbook["核查名单"]
    column = header(sheet).index("模型另外提示") + 1
    for i, row in enumerate(made.listed.to_dict("records"), 2):
        said = [f"{row[f'cause_{k}']}：{row[f'reason_{k}']}" for k in (1, 2, 3) if row[f"reason_{k}"]]
        written = (sheet.cell(i, column).value or "").split("\n")
        written = [line for line in written if line[:1].isdigit()]  # the rules or the lot may stand before
        assert written == [f"{j}. {text}" for j, text in enumerate(said, 1)]


def test_nothing_tells_how_much_is_missing_to_the_line(workbook) -> None:
    # 数字式增收: a printed gap is an income target.
    words = {cell.value for sheet in workbook for row in sheet.iter_rows() for cell in row}
    assert not {"gap", "差距", "缺口"} & words
    assert all("gap" not in column.id for column in declared_columns())


def test_summary_counts_what_the_list_holds(workbook, made) -> None:
    text = {row[0].value: row[1].value for row in workbook["汇总"].iter_rows(min_row=2)}
    assert f"{len(made.listed)} 户，其中规则判定 {int(made.totals['flagged'])} 户" in text["列入名单"]
    assert text["收入未知"].startswith(f"{len(made.unknown)} 户")
    covered = made.planned["probability"].sum()
    assert f"提前走访到其中约 {covered:.1f} 户" in text["预计覆盖"]
    assert f"约 {made.totals['expected'] - covered:.1f} 户走访不到" in text["预计覆盖"]
    assert text["数据指纹"] == "ab" * 32


def test_dictionary_explains_every_column_of_the_list(workbook) -> None:
    explained = {row[0].value for row in workbook["数据字典"].iter_rows(min_row=2)}
    assert explained == set(header(workbook["核查名单"]))


def test_same_list_same_bytes(made, path, tmp_path) -> None:
    again = presentation.write_worklist(made, tmp_path / "again.xlsx")
    assert again.read_bytes() == path.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {".riskmodel.json", "again.xlsx"}


def test_english(made, tmp_path) -> None:
    workbook = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "en.xlsx", lang="en"))
    assert workbook.sheetnames[0] == "Worklist"
    assert {"Household", "Finding", "Decision"} <= set(header(workbook["Worklist"]))


def test_empty_list_still_opens(make_scores, tmp_path) -> None:
    scores = make_scores(5, flagged=0.0, unknown=1.0)
    made = scoring.build_worklist(scores, visits=3)
    assert made.listed.empty
    workbook = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "none.xlsx"))
    assert workbook["收入未知"].max_row == 6


def test_visits_and_households_of_a_county_stand_beside(make_scores, tmp_path) -> None:
    from riskmodel.data import from_frames

    ids = [f"H{i:05d}" for i in range(12)]
    county = from_frames(
        {
            "households": pd.DataFrame(
                {"household_id": ids, "township": "东河镇", "village": "上坝村", "registration": "lifted",
                 "group": "三组", "valid_from": "2020-01-01"}
            ),
            "members": pd.DataFrame(
                {
                    "member_id": [f"m{i}" for i in ids],
                    "household_id": ids,
                    "birth_month": "1980-01",
                    "valid_from": "2020-01-01",
                }
            ),
            "income": pd.DataFrame(
                {"household_id": ids, "month": "2021-05", "source": "wage", "amount": 900}
            ),
            "visits": pd.DataFrame(
                {"household_id": [ids[0], ids[0], ids[1]], "date": ["2021-03-02", "2021-04-02", "2021-08-01"],
                 "outcome": ["confirmed", "absent", "confirmed"]}
            ),
        }
    )  # fmt: skip
    made = scoring.build_worklist(make_scores(12, flagged=1.0), visits=12, county=county)
    rows = made.listed.set_index("household_id")
    assert rows.loc[ids[0], "last_visit"] == pd.Timestamp("2021-04-02")
    assert rows.loc[ids[0], "last_outcome"] == "absent"
    # The visit of August was not known on 30 June.
    assert pd.isna(rows.loc[ids[1], "last_visit"])
    sheet = openpyxl.load_workbook(presentation.write_worklist(made, tmp_path / "c.xlsx"))["核查名单"]
    assert {"村民小组", "人口", "户类型", "上次走访", "上次结果"} <= set(header(sheet))
    column = header(sheet).index("上次走访") + 1
    assert dt.datetime(2021, 4, 2) in {sheet.cell(i, column).value for i in range(2, 14)}


def test_file_name_must_be_a_workbook(made, tmp_path) -> None:
    with pytest.raises(UsageError, match=r"\.xlsx"):
        presentation.write_worklist(made, tmp_path / "list.csv")
    with pytest.raises(UsageError, match="fr"):
        presentation.write_worklist(made, tmp_path / "list.xlsx", lang="fr")


def test_nothing_in_the_file_names_this_machine_or_the_hour(path) -> None:
    with zipfile.ZipFile(path) as archive:
        core = archive.read("docProps/core.xml").decode()
    # Created and modified both carry the list's date, so a month written again has the same bytes.
    assert re.findall(r"(\d{4}-\d\d-\d\d)T", core) == ["2021-06-30", "2021-06-30"]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_every_sign_that_starts_a_formula_is_neutralised(text) -> None:
    assert safe_text(text) == "'" + text
