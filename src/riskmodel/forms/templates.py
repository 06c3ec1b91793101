"""Templates made of declarations: Word files with places to fill in, and workbooks with a row of places.

They are made when needed and none is kept in the repository: a change of wording shows as a line of text, and
paper, fonts and margins stand in one place. `write_form_templates` gives an office its own copies to change.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from riskmodel.errors import InputMissing
from riskmodel.forms.declaration import Block, Form, FormColumn, FormSheet, available_forms
from riskmodel.forms.records import phrase
from riskmodel.io import office_file

# What official papers are set in; a machine without these shows its own Song and Hei.
FONT, HEADING_FONT = phrase("paper.font"), phrase("paper.heading_font")
SPACE = phrase("paper.space")
A4_CM = (21.0, 29.7)
MARGIN_CM = 1.8
SIZES = {"title": 18.0, "heading": 12.0, "text": 11.0, "table": 10.0, "small": 9.0}
GREY = "7F7F7F"
LABEL_FILL = "F2F2F2"
BREAK = "__break__"


def import_word() -> Any:
    """Return docxtpl, which fills Word forms in.

    Raises
    ------
    InputMissing
        If it is not installed; the message says how.
    """
    try:
        import docxtpl
    except ImportError as exc:
        raise InputMissing("Word forms need docxtpl: pip install 'riskmodel[office]'") from exc
    return docxtpl


def write_form_templates(out: str | Path) -> list[Path]:
    """Write the template of every form, for an office to change and give back with ``--templates``.

    Parameters
    ----------
    out
        Folder, made if it is not there.

    Returns
    -------
    list of Path
        One file a form, named by its id.

    Raises
    ------
    InputMissing
        If docxtpl is not installed.
    """
    import_word()
    paths = []
    for form in available_forms().values():
        if form.kind == "export":
            continue
        path = Path(out) / f"{form.id}{form.ending}"
        with office_file(path) as temporary:
            temporary.write_bytes(make_template(form))
        paths.append(path)
    return paths


def make_template(form: Form) -> bytes:
    """Return a form's template as a file's content."""
    made = _WordTemplate(form).document if form.kind == "word" else _make_workbook(form)
    buffer = io.BytesIO()
    made.save(buffer)
    return buffer.getvalue()


class _WordTemplate:
    """A Word template being made of a form's blocks."""

    def __init__(self, form: Form) -> None:
        from docx import Document

        self.form = form
        self.document = Document()
        self._set_up_page()
        self._tag("{%p for p in pages %}")
        self._title()
        for block in form.blocks:
            if block.when:
                self._tag(f"{{%p if {block.when} %}}")
            self._block(block)
            if block.when:
                self._tag("{%p endif %}")
        self._tag("{%p if not loop.last %}")
        self._page_break()
        self._tag("{%p endif %}")
        self._tag("{%p endfor %}")

    def _set_up_page(self) -> None:
        from docx.enum.section import WD_ORIENT
        from docx.oxml.ns import qn
        from docx.shared import Cm, Pt

        section = self.document.sections[0]
        width, height = A4_CM if not self.form.landscape else A4_CM[::-1]
        section.page_width, section.page_height = Cm(width), Cm(height)
        if self.form.landscape:
            section.orientation = WD_ORIENT.LANDSCAPE
        section.left_margin = section.right_margin = Cm(MARGIN_CM)
        section.top_margin = section.bottom_margin = Cm(MARGIN_CM)
        self.width = width - 2 * MARGIN_CM
        style = self.document.styles["Normal"]
        style.font.name, style.font.size = FONT, Pt(SIZES["text"])
        style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)
        style.paragraph_format.space_after = Pt(3)
        self.document.core_properties.author = ""
        self.document.core_properties.title = self.form.zh

    def _run(self, paragraph: Any, text: str, size: str, *, bold: bool = False, font: str = FONT,
             grey: bool = False) -> None:  # fmt: skip
        from docx.oxml.ns import qn
        from docx.shared import Pt, RGBColor

        run = paragraph.add_run(text)
        run.font.size, run.font.name, run.bold = Pt(SIZES[size]), font, bold
        run._element.rPr.rFonts.set(qn("w:eastAsia"), font)
        if grey:
            run.font.color.rgb = RGBColor.from_string(GREY)

    def _tag(self, tag: str) -> None:
        self.document.add_paragraph(tag)

    def _title(self) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        if self.form.number:
            self._run(self.document.add_paragraph(), self.form.number, "text", font=HEADING_FONT)
        paragraph = self.document.add_paragraph()
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        self._run(paragraph, self.form.zh, "title", bold=True, font=HEADING_FONT)

    def _page_break(self) -> None:
        from docx.enum.text import WD_BREAK

        self.document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)

    def _block(self, block: Block) -> None:
        if block.new_page:
            self._page_break()
        if block.heading is not None:
            paragraph = self.document.add_paragraph()
            paragraph.paragraph_format.keep_with_next = True
            self._run(paragraph, block.heading, "heading", bold=True, font=HEADING_FONT)
        if block.text is not None:
            self._text(block)
        if block.fields:
            self._fields(block)
        if block.table:
            self._table(block)
        if block.box is not None:
            self._box(block)
        if block.boxes is not None:
            name, answers = block.boxes
            ticks = SPACE.join(phrase("paper.answer", answer=a) for a in answers)
            self._run(self.document.add_paragraph(), phrase("paper.boxes", name=name, answers=ticks), "text")
        if block.sign:
            self._signatures(block.sign)

    def _text(self, block: Block) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        for line in str(block.text).split("\n"):
            paragraph = self.document.add_paragraph()
            if block.centred:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
            self._run(paragraph, line, "small" if block.small else "text", bold=block.bold)

    def _grid(self, rows: int, columns: int, widths: Sequence[float]) -> Any:
        from docx.shared import Cm

        table = self.document.add_table(rows, columns, style="Table Grid")
        table.autofit = False
        whole = sum(widths)
        shares = [Cm(self.width * width / whole) for width in widths]
        # Word goes by the cells, others by the grid.
        for column, share in zip(table.columns, shares, strict=True):
            column.width = share
        for row in table.rows:
            for cell, share in zip(row.cells, shares, strict=True):
                cell.width = share
        return table

    def _cell(self, cell: Any, text: str, *, label: bool = False, grey: bool = False) -> None:
        from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT
        from docx.shared import Pt

        paragraph = cell.paragraphs[0]
        paragraph.paragraph_format.space_before = paragraph.paragraph_format.space_after = Pt(2)
        paragraph.paragraph_format.line_spacing = 1.0
        cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        self._run(paragraph, text, "table", bold=label, grey=grey)
        if label:
            _shade(cell)

    def _fields(self, block: Block) -> None:
        across = block.across
        lines = -(-len(block.fields) // across)
        table = self._grid(lines, 2 * across, [1.0, 1.7] * across)
        for i, (name, value) in enumerate(block.fields):
            row, at = divmod(i, across)
            self._cell(table.cell(row, 2 * at), name, label=True)
            self._cell(table.cell(row, 2 * at + 1), value, grey=self.form.prefilled)
        # The last pair takes what is left of its line.
        row, at = divmod(len(block.fields) - 1, across)
        if at < across - 1:
            table.cell(row, 2 * at + 1).merge(table.cell(row, 2 * across - 1))
        self._gap()

    def _table(self, block: Block) -> None:
        columns, widths = block.table, [c.width for c in block.table]
        grouped = any(c.group for c in columns)
        heads = 2 if grouped else 1
        loops = 3 if block.over else 0
        table = self._grid(heads + loops + block.blank, len(columns), widths)
        _head(self, table, columns, grouped=grouped)
        if block.over:
            table.cell(heads, 0).text = f"{{%tr for r in p.{block.over} %}}"
            for j, column in enumerate(columns):
                value = "" if column.kind == "entry" else f"{{{{ r.{column.key} }}}}"
                self._cell(table.cell(heads + 1, j), value, grey=self.form.prefilled)
            table.cell(heads + 2, 0).text = "{%tr endfor %}"
        self._gap()

    def _box(self, block: Block) -> None:
        table = self._grid(1, 2, [1.0, 6.0])
        self._cell(table.cell(0, 0), str(block.box), label=True)
        self._cell(table.cell(0, 1), "\n" * block.lines)
        self._gap()

    def _signatures(self, names: Sequence[str]) -> None:
        from docx.shared import Pt

        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.space_before = Pt(10)
        self._run(paragraph, SPACE.join(phrase("paper.signature", name=name) for name in names), "text")

    def _gap(self) -> None:
        from docx.shared import Pt

        paragraph = self.document.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(0)
        paragraph.paragraph_format.line_spacing = Pt(6)


def _head(template: _WordTemplate, table: Any, columns: Sequence[FormColumn], *, grouped: bool) -> None:
    """Write a table's header, repeated on every page; groups stand over their columns."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    if grouped:
        for start, stop, group in groups(columns):
            first = table.cell(0, start)
            if group:
                first.merge(table.cell(0, stop - 1))
                for j in range(start, stop):
                    template._cell(table.cell(1, j), columns[j].zh, label=True)
            else:
                first.merge(table.cell(1, start))
            template._cell(first, group or columns[start].zh, label=True)
    else:
        for j, column in enumerate(columns):
            template._cell(table.cell(0, j), column.zh, label=True)
    for row in table.rows[: 2 if grouped else 1]:
        mark = OxmlElement("w:tblHeader")
        mark.set(qn("w:val"), "true")
        row._tr.get_or_add_trPr().append(mark)


def groups(columns: Sequence[FormColumn]) -> list[tuple[int, int, str]]:
    """Return runs of columns under one group; a column without a group stands alone.

    Examples
    --------
    >>> make = lambda group: FormColumn(key="a", zh="甲", group=group)
    >>> groups([make(""), make("户"), make("户"), make("")])
    [(0, 1, ''), (1, 3, '户'), (3, 4, '')]
    """
    out: list[tuple[int, int, str]] = []
    for j, column in enumerate(columns):
        if out and column.group and out[-1][2] == column.group:
            out[-1] = (out[-1][0], j + 1, column.group)
        else:
            out.append((j, j + 1, column.group))
    return out


def _shade(cell: Any) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    shade = OxmlElement("w:shd")
    shade.set(qn("w:val"), "clear")
    shade.set(qn("w:fill"), LABEL_FILL)
    cell._tc.get_or_add_tcPr().append(shade)


FORMATS = {"count": "#,##0", "yuan": "#,##0", "share": "0.0%", "date": "yyyy-mm-dd"}


def _make_workbook(form: Form) -> Any:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    book.properties.creator = ""
    book.properties.title = form.zh
    for sheet in form.sheets:
        _make_sheet(book.create_sheet(sheet.name), form, sheet)
    return book


def _make_sheet(page: Any, form: Form, sheet: FormSheet) -> None:
    top = _sheet_title(page, form, sheet)
    header = _sheet_header(page, sheet, top)
    _row_of_places(page, sheet, header + 1)
    if sheet.sign:
        signatures = (phrase("paper.signature", name=name) for name in sheet.sign)
        _merged_line(page, header + 3, (4 * SPACE).join(signatures), sheet, 11)
        page.row_dimensions[header + 3].height = 24
    _set_up_print(page, form, header)


def _merged_line(page: Any, row: int, text: str, sheet: FormSheet, size: float) -> Any:
    from openpyxl.styles import Alignment, Font

    cell = page.cell(row, 1, text)
    page.merge_cells(start_row=row, start_column=1, end_row=row, end_column=len(sheet.columns))
    cell.font = Font(name=FONT, size=size)
    cell.alignment = Alignment(wrap_text=True, vertical="center")
    return cell


def _sheet_title(page: Any, form: Form, sheet: FormSheet) -> int:
    """Write title and notes; return the row after them."""
    from openpyxl.styles import Alignment, Font

    title = _merged_line(
        page, 1, phrase("paper.title", number=form.number, title=sheet.title).strip(), sheet, 16
    )
    title.font = Font(name=HEADING_FONT, size=16, bold=True)
    title.alignment = Alignment(horizontal="center", vertical="center")
    page.row_dimensions[1].height = 30
    width = sum(c.width for c in sheet.columns)
    for row, note in enumerate((phrase("paper.where"), *sheet.notes), 2):
        _merged_line(page, row, note, sheet, 9).font = Font(name=FONT, size=9, color="595959")
        page.row_dimensions[row].height = 14 * -(-2 * len(note) // max(1, int(width)))
    return 3 + len(sheet.notes)


def _sheet_header(page: Any, sheet: FormSheet, top: int) -> int:
    """Write the header in one line, or two where columns have groups; return its last row."""
    from openpyxl.styles import Alignment, Font, PatternFill

    runs = groups(sheet.columns)
    last = top + any(c.group for c in sheet.columns)
    for start, stop, group in runs:
        page.cell(top, start + 1, group or sheet.columns[start].zh)
        if group:
            for j in range(start, stop):
                page.cell(last, j + 1, sheet.columns[j].zh)
        if stop - start > 1 or (not group and last > top):
            bottom = top if group else last
            page.merge_cells(start_row=top, start_column=start + 1, end_row=bottom, end_column=stop)
    tall = {top: 1, last: max(_lines(c.zh, c.width) for c in sheet.columns)}
    if last > top:
        tall[top] = max(_lines(g, sum(c.width for c in sheet.columns[a:b])) for a, b, g in runs if g)
    for row in page.iter_rows(top, last, 1, len(sheet.columns)):
        page.row_dimensions[row[0].row].height = 15 * tall[row[0].row]
        for cell in row:
            cell.font = Font(name=HEADING_FONT, size=10, bold=True)
            cell.fill = PatternFill("solid", fgColor=LABEL_FILL)
            cell.border = _border()
            cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
    return last


def _lines(text: str, width: float) -> int:
    return -(-2 * len(text) // max(2, int(width) - 1))


def _border() -> Any:
    from openpyxl.styles import Border, Side

    side = Side(style="thin", color="999999")
    return Border(left=side, right=side, top=side, bottom=side)


def _row_of_places(page: Any, sheet: FormSheet, row: int) -> None:
    """Write the row that becomes a row for each record, and the widths of columns."""
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    for j, column in enumerate(sheet.columns, 1):
        cell = page.cell(row, j, "" if column.kind == "entry" else f"{{{{ r.{column.key} }}}}")
        cell.font, cell.border = Font(name=FONT, size=10), _border()
        number = column.kind in ("count", "yuan", "share")
        side = "right" if number else "left" if column.kind == "wrap" else "center"
        cell.alignment = Alignment(horizontal=side, vertical="center", wrap_text=not number)
        cell.number_format = FORMATS.get(column.kind, "@")
        page.column_dimensions[get_column_letter(j)].width = column.width


def _set_up_print(page: Any, form: Form, header: int) -> None:
    page.page_setup.paperSize = page.PAPERSIZE_A4
    page.page_setup.orientation = "landscape" if form.landscape else "portrait"
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.print_title_rows = f"1:{header}"
    page.freeze_panes = page.cell(header + 1, 1)
    page.page_margins.left = page.page_margins.right = 0.4
    page.page_margins.top = page.page_margins.bottom = 0.7
    page.page_margins.header = page.page_margins.footer = 0.3
    page.print_options.horizontalCentered = True
    page.oddFooter.center.text = phrase("paper.page")
