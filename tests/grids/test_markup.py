"""Web pages and XML under a workbook's name."""

from __future__ import annotations

import datetime as dt

import pytest

from riskmodel.errors import InputRefused
from riskmodel.grids import CellError
from riskmodel.grids.markup import read_html, read_xml_spreadsheet

PAGE = """<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312">
<style>td {mso-number-format:"\\@"}</style></head><body><table border=1>
<tr><th colspan=3>2021年收入&nbsp;</th></tr>
<tr><td rowspan=2>甲&amp;乙<td>0012<td>1
 2<br>3</tr>
<tr style="display:none"><td>0013</td><td></td></tr>
</table><table><tr><td>只有一格</td></tr></table></body></html>"""


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_a_page_whatever_encoding_it_states(encoding):
    (grid,) = read_html(PAGE.encode(encoding), "x.xls")
    assert grid.rows == [
        ["2021年收入", None, None],
        ["甲&乙", "0012", "1 2\n3"],
        [None, "0013", None],
    ]
    assert grid.merged == ((1, 0, 1, 2), (2, 0, 3, 0))
    assert grid.hidden_rows == {3}
    assert grid.sheet == ""


def test_tables_of_a_page_are_sheets():
    page = "<table><tr><td>a<td>b<td><table><tr><td>c<td>d</table></table><table><tr><td>e<td>f"
    grids = read_html(page.encode(), "x.xls")
    assert [(grid.sheet, grid.rows) for grid in grids] == [
        ("1", [["a", "b"]]),
        ("2", [["c", "d"]]),
        ("3", [["e", "f"]]),
    ]


def test_a_page_saved_with_its_pictures():
    mail = (
        "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=B\r\n\r\n--B\r\n"
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<table><tr><td>=E6=88=B7</td><td>1</td></tr></table>\r\n--B--\r\n"
    )
    (grid,) = read_html(mail.encode(), "x.xls")
    assert grid.rows == [["户", "1"]]


XML = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"
 xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet" xmlns:x="urn:schemas-microsoft-com:office:excel">
<Worksheet ss:Name="户"><Table><Column/><Column ss:Index="3" ss:Hidden="1" ss:Span="1"/>
<Row><Cell ss:MergeAcross="1"><Data ss:Type="String">标题</Data></Cell></Row>
<Row ss:Index="3" ss:Hidden="1"><Cell><Data ss:Type="String">0012</Data></Cell>
<Cell ss:Index="3"><Data ss:Type="Number">12.5</Data></Cell>
<Cell><Data ss:Type="Number">2021</Data></Cell></Row>
<Row><Cell><Data ss:Type="DateTime">2021-01-05T00:00:00.000</Data></Cell>
<Cell><Data ss:Type="Boolean">1</Data></Cell>
<Cell ss:Formula="=1/0"><Data ss:Type="Error">#DIV/0!</Data></Cell></Row></Table></Worksheet>
<Worksheet ss:Name="藏"><Table><Row><Cell><Data ss:Type="Number">1</Data></Cell></Row></Table>
<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible></x:WorksheetOptions></Worksheet></Workbook>"""


def test_a_workbook_in_one_xml_file():
    grid, hidden = read_xml_spreadsheet(XML.encode(), "x.xls")
    assert grid.rows == [
        ["标题", None, None, None],
        [None] * 4,
        ["0012", None, 12.5, 2021],
        [dt.date(2021, 1, 5), True, CellError("#DIV/0!"), None],
    ]
    assert (grid.merged, grid.formulas) == (((1, 0, 1, 1),), {(4, 2)})
    assert (grid.hidden_rows, grid.hidden_columns) == ({3}, {2, 3})
    assert (grid.visible, hidden.visible) == (True, False)
    with pytest.raises(InputRefused, match=r"x\.xls: is a broken XML spreadsheet"):
        read_xml_spreadsheet(XML.encode()[:500], "x.xls")
