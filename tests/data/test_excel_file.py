"""Reading Excel sheets: dates, hidden rows, merged cells, formulas, titles, several sheets."""

from __future__ import annotations

import datetime as dt

import openpyxl
import pytest

from riskmodel.data import from_frames, read_county, write_county
from riskmodel.data.file_formats import OVERFLOW, ROW, load_sheet, open_workbook
from riskmodel.data.read import read_tables
from riskmodel.errors import InputRefused
from riskmodel.households import point_in_time

from . import exports

HEADERS = ["户编号", "月份", "收入类别", "金额"]


def sheet_of(rows, headers=HEADERS):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [headers, *rows]:
        sheet.append(row)
    return sheet


def load(tmp_path, sheet):
    path = tmp_path / "收入.xlsx"
    sheet.parent.save(path)
    return load_sheet(open_workbook(path).worksheets[0], "income", path.name)


def test_cells_become_text(tmp_path):
    sheet = sheet_of(
        [[101, dt.datetime(2021, 5, 1), "工资性收入", 12.5], ["h2", 44317, "x", "=A1+1"], [True, None, "", 3]]
    )
    loaded = load(tmp_path, sheet)
    assert [list(r.values())[1:] for r in loaded.rows.to_pylist()] == [
        ["101", "2021-05-01", "工资性收入", "12.5"],
        ["h2", "44317", "x", "=A1+1"],
        ["True", "", "", "3"],
    ]
    assert loaded.rows[ROW].to_pylist() == [2, 3, 4]


def test_hidden_rows_and_merged_cells_are_faults(tmp_path):
    sheet = sheet_of([[f"h{i}", "2021-05", "wage", i] for i in range(6)])
    sheet.row_dimensions[3].hidden = True
    sheet.merge_cells("A4:A5")  # one household written over two rows: the second has lost its id
    sheet.merge_cells("C7:D7")  # and one cell over two columns: its amount is lost
    loaded = load(tmp_path, sheet)
    assert loaded.faults == [(3, "", "hidden row"), (5, "户编号", "merged cell"), (7, "金额", "merged cell")]
    assert loaded.rows[ROW].to_pylist() == [2, 3, 4, 5, 6, 7]


def test_titles_hidden_columns_and_blank_rows(tmp_path):
    sheet = sheet_of([["h1", "2021-05", "wage", 1], [None] * 4, ["h2", "2021-05", "wage", 2]])
    sheet.insert_rows(1, 2)
    sheet["A1"] = "某县收入表"
    sheet.merge_cells("A1:D1")
    sheet.column_dimensions["B"].hidden = True
    loaded = load(tmp_path, sheet)
    assert loaded.headers == tuple(HEADERS)
    assert loaded.rows[ROW].to_pylist() == [4, 6]
    assert [notice.code for notice in loaded.notices] == ["title rows", "hidden columns"]
    assert loaded.faults == []


def test_a_stray_cell_at_the_far_end_costs_nothing(tmp_path):
    sheet = sheet_of([["h1", "2021-05", "wage", 1]])
    sheet["XFD2"] = "see other list"
    sheet["A1048576"] = "合计"
    loaded = load(tmp_path, sheet)
    assert loaded.headers == (*HEADERS, OVERFLOW)
    assert loaded.rows[ROW].to_pylist() == [2, 1048576]
    assert loaded.rows["c4"].to_pylist() == ["see other list", ""]


def test_faults_reach_the_rejected_rows(tmp_path):
    rows = exports.core()
    write_county(exports.frames(rows), tmp_path, "xlsx")
    path = tmp_path / "income.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.active
    sheet.row_dimensions[2].hidden = True
    sheet.merge_cells("A5:A6")
    sheet["D9"] = "=SUM(D2:D8)"
    book.save(path)
    reading = read_tables(tmp_path)
    found = reading.county.rejected
    assert found[["file", "row", "column", "reason"]].to_numpy().tolist() == [
        ["income.xlsx", 2, "*", "hidden row"],
        ["income.xlsx", 6, "household_id", "merged cell"],
        ["income.xlsx", 9, "amount", "formula-like cell"],
    ]
    assert found.amount.tolist()[2] == "=SUM(D2:D8)"
    assert len(reading.county.frame("income")) == len(rows["income"]) - 3


def test_one_workbook_with_a_sheet_a_table(tmp_path):
    frames = exports.frames(exports.core())
    write_county(frames, tmp_path / "files", "xlsx")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, zh in (("households", "农户"), ("members", "members"), ("income", "收入")):
        sheet = book.create_sheet(zh)
        for row in openpyxl.load_workbook(tmp_path / "files" / f"{name}.xlsx").active.iter_rows(
            values_only=True
        ):
            sheet.append(row)
    book.create_sheet("农户统计").append(["什么", "都有"])
    book.create_sheet("支出").sheet_state = "hidden"
    (tmp_path / "one").mkdir()
    for path in (tmp_path / "one" / "全县台账.xlsx", tmp_path / "台账.xlsx"):
        book.save(path)
    expected = point_in_time.fingerprint(from_frames(frames), "2022-01-01")
    for data in (tmp_path / "one", tmp_path / "台账.xlsx"):
        county = read_county(data)
        assert point_in_time.fingerprint(county, "2022-01-01") == expected
        assert not county.has("spending")


def test_a_broken_workbook_is_refused(tmp_path):
    path = tmp_path / "收入.xlsx"
    path.write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(InputRefused, match=r"cannot be read as \.xlsx"):
        open_workbook(path)
