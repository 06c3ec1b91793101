"""A table written once says the same on a page, in a workbook and in a CSV file."""

from __future__ import annotations

import datetime as dt
import re

import openpyxl
import pandas as pd

from riskmodel.presentation import Cell, Column, Row, Table
from riskmodel.presentation.workbook import open_workbook

HOUSEHOLDS = Table(
    [
        Column({"zh": "户编号", "en": "Household"}, "label", key="household_id"),
        Column({"zh": "户", "en": "households"}, "count", key="n", group="2021"),
        Column({"zh": "占比", "en": "share"}, "share", key="share", group="2021"),
    ],
    [Row(["=1+1", 3, 0.25]), Row([Cell({"zh": "合计", "en": "total"}), 4, None], "total")],
    id="t",
    title={"zh": "一表", "en": "One table"},
    notes=[{"zh": "注", "en": "note"}],
    labels=1,
)


def test_a_page_a_sheet_and_a_file_hold_the_same_values(tmp_path) -> None:
    html = str(HOUSEHOLDS.to_html())
    assert re.findall(r'<th scope="row">(.*?)</th>', html)[0] == "=1+1"
    assert re.findall(r"<td>(.*?)</td>", html) == ["3", "25.0%", "4", ""]
    assert '<th scope="colgroup" colspan="2">2021</th>' in html

    csv = pd.read_csv(HOUSEHOLDS.to_csv(tmp_path / "t.csv", "en"))
    assert list(csv.columns) == ["household_id", "n", "share"]
    # Text that a spreadsheet takes for a formula is neutralised wherever one may open it.
    assert list(csv["household_id"]) == ["'=1+1", "total"]
    assert csv["share"].isna().tolist() == [False, True]

    with open_workbook(tmp_path / "t.xlsx", "zh", dt.date(2021, 1, 1)) as book:
        HOUSEHOLDS.to_sheet(book)
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["一表"]
    rows = list(sheet.iter_rows(values_only=True))[-2:]
    assert rows == [("'=1+1", 3, 0.25), ("合计", 4, None)]
    assert sheet.cell(sheet.max_row - 1, 3).number_format == "0.0%"
    assert sheet.cell(sheet.max_row, 1).font.bold
    assert sheet["A2"].value == "注"


def test_the_same_table_gives_the_same_bytes(tmp_path) -> None:
    paths = [tmp_path / "a.xlsx", tmp_path / "b.xlsx"]
    for path in paths:
        with open_workbook(path, "en", dt.date(2021, 1, 1)) as book:
            HOUSEHOLDS.to_sheet(book)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_frame_becomes_a_table_and_missing_is_empty() -> None:
    frame = pd.DataFrame({"b": [1.0, None], "a": ["x", None]})
    table = Table.from_frame(frame, [Column("A", "label", key="a"), Column("B", key="b")])
    assert [row.values for row in table.rows] == [["x", 1.0], [None, None]]
