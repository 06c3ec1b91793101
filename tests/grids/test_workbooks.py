"""Workbooks as grids: values, and what is hidden, merged, computed, in error or cut short."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest
import xlsxwriter

from riskmodel.grids import CellError, read_file
from riskmodel.grids.workbooks import read_workbook

OLD = Path(__file__).parent / "files" / "old.xls"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
CONTENT_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
PARTS = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(*links: tuple[str, str, str]) -> str:
    each = (f'<Relationship Id="{i}" Type="{LINKS}/{kind}" Target="{to}"/>' for i, kind, to in links)
    return f'<Relationships xmlns="{PARTS}">{"".join(each)}</Relationships>'


def workbook(rows: str, *, head: str = "", tail: str = "", book: str = "", styles: str = "", whole: str = ""):
    """Return an .xlsx file of one sheet with these rows, as any program might write it."""
    sheet = whole or f'<worksheet xmlns="{MAIN}">{head}<sheetData>{rows}</sheetData>{tail}</worksheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", relations(("b", "officeDocument", "xl/workbook.xml")))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">{book}'
            '<sheets><sheet name="户" sheetId="1" r:id="w"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            relations(
                ("w", "worksheet", "worksheets/sheet1.xml"),
                ("s", "styles", "/xl/styles.xml"),
            ),
        )
        archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>')
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return out.getvalue()


def read(folder, data: bytes, kind: str = "xlsx"):
    path = folder / f"x.{kind}"
    path.write_bytes(data)
    return read_workbook(path, path.name, kind)


def only_grid(folder, data: bytes):
    grids, skipped = read(folder, data)
    assert not skipped
    (grid,) = grids
    return grid


def test_what_stands_in_a_workbook(tmp_path):
    path = tmp_path / "农户.xlsx"
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": 'yyyy"年"m"月"d"日"'})
        two = book.add_format({"num_format": "0.00"})
        sheet = book.add_worksheet("户")
        sheet.merge_range("A1:B2", "标题")
        sheet.write_row("A4", ["h1", 12, 12.5, True, 530102199001011234])
        sheet.write_datetime("F4", dt.datetime(2021, 1, 5), day)
        sheet.write_datetime("G4", dt.datetime(2021, 1, 5, 8, 30), day)
        sheet.write("H4", 2021.1, two)
        sheet.write_string("I4", "  ")
        sheet.write_string("J4", "00123")
        sheet.write_rich_string("K4", "富", book.add_format({"bold": True}), "文", "本")
        sheet.write_formula("A5", "=1/0", None, "#DIV/0!")
        sheet.write_formula("B5", "=B4", None, 12)
        sheet.write_array_formula("C5:C6", "{=C4+1}", None, 13.5)
        sheet.write("A6", "隐")
        sheet.set_row(5, None, None, {"hidden": True})
        sheet.set_column("B:C", None, None, {"hidden": True})
        hidden = book.add_worksheet("藏")
        hidden.write(0, 0, 1)
        hidden.very_hidden()
        book.add_worksheet("空")
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=户!$B$4:$B$5"})
        book.add_chartsheet("图").set_chart(chart)
    (first, second), skipped = read_file(path)
    assert (first.file, first.sheet, first.visible, second.sheet, second.visible) == (
        *("农户.xlsx", "户", True),
        *("藏", False),
    )
    assert first.rows[0][:2] == ["标题", None]
    assert first.rows[2] == [None] * 11
    texts = [None, "00123", "富文本"]
    assert first.rows[3][:4] + first.rows[3][5:] == [
        *("h1", 12, 12.5, True),
        *(dt.date(2021, 1, 5), dt.datetime(2021, 1, 5, 8, 30), 2021.1),
        *texts,
    ]
    assert [type(value) for value in first.rows[3][1:5]] == [int, float, bool, float]
    assert first.rows[4][:3] == [CellError("#DIV/0!"), 12, 13.5]
    assert first.hidden_rows == {6}
    assert first.hidden_columns == {1, 2}
    assert first.merged == ((1, 0, 2, 1),)
    assert first.formulas == {(5, 0), (5, 1), (5, 2), (6, 2)}
    formats = [first.number_format(4, column) for column in (0, 5, 7)]
    assert formats == ["General", 'yyyy"年"m"月"d"日"', "0.00"]
    assert [(s.sheet, s.why.code) for s in skipped] == [("空", "empty sheet"), ("图", "no cells")]


def test_errors_stand_where_nothing_else_does(tmp_path):
    grid = only_grid(
        tmp_path,
        workbook('<row r="1"><c r="A1"><v>1</v></c></row><row r="4"><c r="C4" t="e"><v>#REF!</v></c></row>'),
    )
    assert grid.rows == [[1, None, None], [None] * 3, [None] * 3, [None, None, CellError("#REF!")]]


def test_a_formula_that_was_never_computed_has_no_value(tmp_path):
    grid = only_grid(tmp_path, workbook('<row r="1"><c r="A1"><f>1+1</f></c><c r="B1"><v>1</v></c></row>'))
    assert grid.rows == [[None, 1]]
    assert grid.formulas == {(1, 0)}


def test_a_number_below_one_formatted_as_a_date_is_no_time(tmp_path):
    # -500 and 0 both come out as midnight from the reader of values; taken as 0 an amount would be invented.
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    cells = "".join(
        f'<c r="{c}1" s="1"><v>{v}</v></c>' for c, v in zip("ABC", ("-500", "0.25", "3500"), strict=True)
    )
    grid = only_grid(tmp_path, workbook(f'<row r="1">{cells}</row>', styles=styles))
    assert grid.rows == [[CellError("######"), 0.25, dt.date(1909, 7, 31)]]


def test_dates_count_from_1904_where_the_workbook_says_so(tmp_path):
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="57"/></cellXfs>'
    row = '<row r="1"><c r="A1" s="1"><v>42735</v></c><c r="B1"><v>42735</v></c></row>'
    grid = only_grid(tmp_path, workbook(row, styles=styles, book='<workbookPr date1904="1"/>'))
    assert grid.date1904
    assert grid.rows == [[dt.date(2021, 1, 1), 42735]]
    assert grid.number_format(1, 0) == 'yyyy"年"m"月"'


def test_other_ways_of_writing_a_sheet(tmp_path):
    # Without addresses; with a prefix on every name; with single quotes.
    bare = (
        "<row hidden='1'><c><v>1</v></c><c/><c t='e'><v>#N/A</v></c></row><row><c><f>A1</f><v>1</v></c></row>"
    )
    grid = only_grid(tmp_path, workbook(bare, head="<cols><col max='2' min='2' width='0'/></cols>"))
    assert grid.rows == [[1, None, CellError("#N/A")], [1, None, None]]
    assert (grid.hidden_rows, grid.hidden_columns, grid.formulas) == ({1}, {1}, {(2, 0)})
    prefixed = f"""<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="2" hidden="true">
<x:c r="B2" s="1"><x:f>1</x:f><x:v>1</x:v></x:c></x:row></x:sheetData>
<x:mergeCells><x:mergeCell ref="A1:B1"/></x:mergeCells></x:worksheet>"""
    styles = '<cellXfs><xf numFmtId="0"/><xf numFmtId="2"/></cellXfs>'
    grid = only_grid(tmp_path, workbook("", whole=prefixed, styles=styles))
    assert grid.rows == [[None, None], [None, 1]]
    assert (grid.hidden_rows, grid.merged, grid.formulas) == ({2}, ((1, 0, 1, 1),), {(2, 1)})
    assert grid.number_format(2, 1) == "0.00"


def test_a_million_formatted_rows_are_not_read(tmp_path, monkeypatch):
    rows = '<row r="1"><c r="A1"><v>1</v></c></row>' + "".join(
        f'<row r="{n}"><c r="A{n}" s="0"/></row>' for n in range(2, 3000)
    )
    styled = workbook(rows, head='<cols><col min="1" max="16384" hidden="1"/></cols>')
    grid = only_grid(tmp_path, styled)
    assert grid.rows == [[1]]
    assert grid.hidden_columns == {0}
    monkeypatch.setattr("riskmodel.grids.workbooks.MOST_CELLS", 2)
    assert only_grid(tmp_path, styled).rows == [[1]]


def test_a_far_cell_is_refused_before_memory_is(tmp_path):
    far = (
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" t="str"><v> </v></c></row>'
    )
    grids, (skipped,) = read(tmp_path, workbook(far))
    assert not grids
    assert (skipped.sheet, skipped.why.code) == ("户", "far cell")
    assert "XFD1048576" in skipped.why.text("zh")


def test_a_sheet_cut_short_is_told(tmp_path):
    whole = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="2">'
    grids, (skipped,) = read(tmp_path, workbook("", whole=whole))
    assert (grids, skipped.sheet, skipped.why.code) == ([], "户", "cut short")


def test_old_workbooks():
    # old.xls was written by xlwt 1.3.0; everything in it is invented.
    (grid, hidden), skipped = read_file(OLD)
    assert grid.rows[0] == ["户编号", "识别日期", "识别时年人均纯收入", "风险类型", "核实"]
    assert grid.rows[1] == ["0012", dt.date(2021, 3, 5), 5600, "因病", True]
    assert grid.rows[2][1:4] == [dt.datetime(2021, 4, 6, 8, 30), 5711.5, CellError("#REF!")]
    assert (grid.hidden_rows, grid.hidden_columns, grid.merged) == ({4}, {4}, ((5, 0, 6, 1),))
    assert grid.formulas == {(4, 2)}
    assert [grid.number_format(2, c) for c in range(3)] == ["General", "yyyy-mm-dd", "0.00"]
    assert not hidden.visible
    assert [(s.sheet, s.why.code) for s in skipped] == [("空", "empty sheet")]


ODS = "urn:oasis:names:tc:opendocument:xmlns:"
EXT = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"
UNSEEN = """<style:style style:name="u" style:family="table">
<style:table-properties table:display="false"/></style:style>"""


def ods(tables: str) -> bytes:
    """Return an .ods file with these tables; the reader of values takes no blanks between its tags."""
    spaces = " ".join(f'xmlns:{name}="{ODS}{name}:1.0"' for name in ("office", "table", "text", "style"))
    content = f"""<office:document-content {spaces} xmlns:calcext="{EXT}">
<office:automatic-styles>{UNSEEN}</office:automatic-styles>
<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content.replace("\n<", "<"))
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return out.getvalue()


TABLE = """<table:table table:name="户"><table:table-column/>
<table:table-column table:number-columns-repeated="2" table:visibility="collapse"/>
<table:table-column table:number-columns-repeated="16000"/>
<table:table-row>
<table:table-cell office:value-type="string"><text:p>户编号</text:p></table:table-cell>
<table:table-cell office:value-type="float" office:value="12"><text:p>12.00</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="2021-01-05"><text:p/></table:table-cell>
</table:table-row>
<table:table-row table:visibility="filter">
<table:table-cell office:value-type="string"><text:p>甲</text:p><text:p>乙</text:p></table:table-cell>
<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value=""
 calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>
</table:table-row>
<table:table-row>
<table:table-cell table:number-columns-spanned="2" table:number-rows-spanned="2" office:value-type="float"
 office:value="1"/><table:covered-table-cell/>
</table:table-row>
<table:table-row table:number-rows-repeated="1048000" table:visibility="collapse">
<table:table-cell table:number-columns-repeated="16384" table:style-name="x"/></table:table-row></table:table>
<table:table table:name="藏" table:style-name="u"><table:table-row>
<table:table-cell office:value-type="float" office:value="1"/></table:table-row></table:table>"""


def test_open_document_workbooks(tmp_path):
    (grid, hidden), skipped = read(tmp_path, ods(TABLE), "ods")
    assert grid.rows == [
        ["户编号", 12, dt.date(2021, 1, 5)],
        ["甲\n乙", CellError("#DIV/0!"), None],
        [1, None, None],
    ]
    assert (grid.hidden_rows, grid.hidden_columns) == ({2}, {1, 2})
    assert (grid.merged, grid.formulas) == (((3, 0, 4, 1),), {(2, 1)})
    assert grid.number_format(1, 0) == "General"
    assert (grid.visible, hidden.visible, skipped) == (True, False, [])


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods", "xlsb"])
def test_broken_workbooks_are_skipped_with_what_to_do(tmp_path, kind):
    for data in (b"", b"PK nonsense", OLD.read_bytes()[:1500], workbook("")[:200]):
        grids, (skipped,) = read(tmp_path, data, kind)
        assert not grids
        assert skipped.why.code == "broken"
        assert ".xlsx" in skipped.why.text("zh")
