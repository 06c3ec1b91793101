"""Workbooks for an ordinary office: one look, formats by kind, nothing that opens as a formula."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from riskmodel.i18n import Language, Nouns, text
from riskmodel.io import new_workbook, office_file, safe_text, write_cell
from riskmodel.presentation.table import ENTRIES, Cell, Column, Row, Table, Value, in_language

A4 = 9  # Excel's paper code
SHEET_NAME_LIMIT = 31
GIVEN = ("household_id", "township", "village")  # columns whose text is nobody's words
FONT = {"zh": "等线", "en": "Calibri"}
BORDER = {"border": 1, "border_color": "#D0D7E2"}
LINE_HEIGHT = 14.0  # points, one line of 10-point text
HEADER_HEIGHT = 34.0  # points, two lines of header
ROOMY_LINE = 16  # points, a line of a printed table's header
WIDTHS = (6, 44)  # characters: bounds of a column as wide as its content
DATE_WIDTH = 12  # a day that does not fit is printed as ###
# A list is protected against slips, not against people: no password, and filters and widths stay free.
FREE = {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True}
# How each kind of column is written: number format, alignment, wrapping.
KINDS: dict[str, dict[str, Any]] = {
    "number": {},
    "count": {"num_format": "0"},
    "integer": {"num_format": "0", "align": "center", "text_wrap": False},
    "yuan": {"num_format": "#,##0"},
    "share": {"num_format": "0.0%"},
    "percent": {"num_format": "0.0%"},
    "chance": {"num_format": "0.000000"},
    "date": {"num_format": "yyyy-mm-dd", "align": "center", "text_wrap": False},
    "id": {"num_format": "@"},
    "label": {"num_format": "@"},
    "text": {"num_format": "@", "align": "center", "text_wrap": True},
    "wrap": {"num_format": "@", "text_wrap": True, "indent": 1},
    "pick": {"align": "center", "text_wrap": False},
    "line": {"text_wrap": True, "indent": 1},
    "entry": {},
    "date_entry": {"num_format": "yyyy-mm-dd"},
}
OPEN = {"bg_color": "#FFF9E5", "locked": False}  # cells that are to be filled in
MARKS: dict[str, dict[str, Any]] = {
    "waiting": {"bg_color": "#EEF1F5"},
    "total": {"bold": True, "bg_color": "#E6ECF4"},
    "pale": {"font_color": "#8A94A6"},  # not to be relied upon
    "strong": {"bold": True},
    "heading": {
        "bold": True, "font_size": 11, "font_color": "#1F3A5F", "bg_color": "#E6ECF4",
        "text_wrap": False, "indent": 0,
    },
}  # fmt: skip


def sheet_name(wanted: str, used: set[str]) -> str:
    """Return a name that Excel allows and that is not used yet; adds it to ``used``.

    Examples
    --------
    >>> sheet_name("a/b", set()), sheet_name("A", {"a"})
    ('a b', 'A 2')
    """
    plain = re.sub(r"[\[\]:*?/\\\x00-\x1f]", " ", wanted).strip(" '") or "-"
    name, n = plain[:SHEET_NAME_LIMIT], 1
    while name.lower() in used:
        n += 1
        name = f"{plain[: SHEET_NAME_LIMIT - len(str(n)) - 1]} {n}"
    used.add(name.lower())
    return name


def text_width(text: str) -> int:
    """Return the width of text in half-width characters; a Chinese character is two wide.

    Examples
    --------
    >>> text_width("人均 5")
    6
    """
    return len(text) if text.isascii() else sum(map(_CHARACTER_WIDTHS.__getitem__, text))


class _CharacterWidths(dict[str, int]):
    """The width of each character, looked up once."""

    def __missing__(self, character: str) -> int:
        wide = unicodedata.east_asian_width(character) in "WFA"
        self[character] = 2 if wide else 1
        return self[character]


_CHARACTER_WIDTHS = _CharacterWidths()


def wrapped_lines(text: str, width: int) -> int:
    """Return how many lines text takes in a column of so many characters (one character kept free)."""
    return sum(max(1, math.ceil(text_width(part) / max(1, width - 1))) for part in text.split("\n"))


@contextlib.contextmanager
def open_workbook(
    path: str | Path, language: Language, created: dt.date, nouns: Nouns | None = None, **properties: str
) -> Iterator[Workbook]:
    """Give a workbook that replaces ours, never an office's; equal content gives equal bytes."""
    with office_file(path) as temporary, new_workbook(temporary, created, **properties) as book:
        yield Workbook(book, language, nouns)


class Workbook:
    """A workbook being written: its formats, its sheet names, and tables as sheets."""

    def __init__(self, book: Any, language: Language, nouns: Nouns | None = None) -> None:
        self.book = book
        self.language = language
        self.nouns = nouns or Nouns()
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._bodies: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._names: set[str] = set()

    def name(self, wanted: str) -> str:
        """Reserve a sheet name: what comes later under the same name gets a number."""
        return sheet_name(wanted, self._names)

    def format(self, **properties: Any) -> Any:
        """Return a format with these properties, made once."""
        base = {"font_name": FONT[self.language], "font_size": 10, "valign": "vcenter"}
        key = tuple(sorted((k, v) for k, v in {**base, **properties}.items() if v is not None))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(dict(key))
        return self._formats[key]

    def write(self, sheet: Any, row: int, column: int, value: Value, style: Any = None) -> None:
        """Write one value: words in the workbook's language, infinite as its word, text made safe."""
        if type(value) is not str:
            value = in_language(value, self.language)
            if isinstance(value, float) and math.isinf(value):
                value = text("worklist.words.infinite", self.language)
        if isinstance(value, str):
            value = self.nouns.spoken(value)
        write_cell(sheet, row, column, safe_text(value) if isinstance(value, str) else value, style)

    def said(self, value: Value) -> Any:
        """Return a value with its words in the workbook's language and nouns."""
        value = in_language(value, self.language)
        return self.nouns.spoken(value) if isinstance(value, str) else value

    def write_body(self, sheet: Any, i: int, j: int, column: Column, row: Row, cell: Cell) -> None:
        """Write a data cell; ids and names of places stand as they were given."""
        style = self.body(column, row.mark, cell.mark)
        if isinstance(cell.value, str) and (column.kind == "id" or column.key in GIVEN):
            write_cell(sheet, i, j, safe_text(cell.value), style)
        else:
            self.write(sheet, i, j, cell.value, style)

    def body(self, column: Column, *marks: str) -> Any:
        """Return the format of a data cell; cells to be filled in keep their colour whatever the row's."""
        key = (column.kind, marks)
        if key not in self._bodies:
            self._bodies[key] = self._body(column, marks)
        return self._bodies[key]

    def _body(self, column: Column, marks: tuple[str, ...]) -> Any:
        looks = {k: v for mark in marks for k, v in MARKS.get(mark, {}).items()}
        if column.kind in ENTRIES:
            looks |= OPEN
        return self.format(**BORDER, **{**KINDS[column.kind], **looks})

    def header(self, *, entry: bool = False, white: bool = True, **more: Any) -> Any:
        """Return the format of a header cell; columns to be filled in stand out."""
        colour = {"font_color": "#FFFFFF", "bg_color": "#7A5C00" if entry else "#1F3A5F"}
        border = {"border": 1, "border_color": "#FFFFFF"} if white else BORDER
        return self.format(bold=True, text_wrap=True, align="center", **colour, **border, **more)

    def table(self, table: Table) -> Any:
        """Write a printed table: title, notes, a header of two lines, totals set off."""
        sheet = self.book.add_worksheet(self.name(table.sheet or in_language(table.title, self.language)))
        self.write(sheet, 0, 0, table.title, self._small(bold=True, font_size=14))
        for i, note in enumerate(table.notes, 1):
            self.write(sheet, i, 0, note, self._small(font_color="#555555", font_size=9))
        top = len(table.notes) + 2
        widths = [self._content_width(table, j) for j in range(len(table.columns))]
        self._two_line_header(sheet, table, top, widths)
        for i, row in enumerate(table.rows, top + 2):
            for j, (column, cell) in enumerate(zip(table.columns, row.full, strict=True)):
                self.write_body(sheet, i, j, column, row, cell)
        for j, width in enumerate(widths):
            sheet.set_column(j, j, width)
        sheet.freeze_panes(top + 2, table.labels)
        sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(top, top + 1)
        return sheet

    def _small(self, **properties: Any) -> Any:
        """Return a format of the lines above a printed table, which are not centred."""
        return self.format(**properties, valign=None)

    def _two_line_header(self, sheet: Any, table: Table, top: int, widths: Sequence[int]) -> None:
        style, at, lines = self.header(white=False), 0, 1
        for group, columns in table.groups:
            alone, n = not group, len(columns)
            text = safe_text(self.said(group or columns[0].heading))
            space = sum(widths[at : at + n])
            lines = max(lines, -(-text_width(text) // (2 * space if alone else space)))
            if n > 1:
                sheet.merge_range(top, at, top, at + n - 1, text, style)
            elif alone:
                sheet.merge_range(top, at, top + 1, at, text, style)
            else:
                self.write(sheet, top, at, text, style)
            for j, column in enumerate(columns if group else (), at):
                self.write(sheet, top + 1, j, column.heading, style)
            at += n
        # Excel does not fit the height of merged cells to their text.
        sheet.set_row(top, ROOMY_LINE * lines)
        sheet.set_row(top + 1, ROOMY_LINE)

    def _content_width(self, table: Table, j: int) -> int:
        column = table.columns[j]
        texts = [str(row.values[j]) for row in table.rows if isinstance(row.values[j], str)]
        if column.group or column.is_text:
            texts.append(in_language(column.heading, self.language))
        least = DATE_WIDTH if column.kind == "date" else WIDTHS[0]
        return min(WIDTHS[1], max(least, max(map(text_width, texts), default=0) + 2))

    def form(
        self,
        table: Table,
        *,
        name: str,
        title: str,
        footer: str,
        earliest: dt.date | None = None,
        hints: dict[str, str] | None = None,
        zoom: int | None = None,
        header_height: float = HEADER_HEIGHT,
        least_lines: int = 1,
        spare: float = 6,
        landscape: bool = False,
    ) -> Any:
        """Write a table as a protected sheet to be printed, carried along and filled in."""
        sheet = self.book.add_worksheet(name)
        sheet.set_row(0, header_height)
        for j, column in enumerate(table.columns):
            sheet.set_column(j, j, column.width)
            style = self.header(entry=column.kind in ENTRIES)
            self.write(sheet, 0, j, column.heading, style)
        for i, row in enumerate(table.rows, 1):
            cells = row.full
            sheet.set_row(i, LINE_HEIGHT * max(least_lines, self._lines(cells, table.columns)) + spare)
            for j, (column, cell) in enumerate(zip(table.columns, cells, strict=True)):
                self.write_body(sheet, i, j, column, row, cell)
        last = len(table.rows)
        if last and hints is not None:
            sheet.autofilter(0, 0, last, len(table.columns) - 1)
            self._validate(sheet, table.columns, last, earliest, hints)
        sheet.freeze_panes(1, table.labels)
        if hints is not None:
            sheet.print_area(0, 0, last, sum(c.printed for c in table.columns) - 1)
        if zoom:
            sheet.set_zoom(zoom)
        sheet.protect("", FREE)
        _set_up_print(sheet, title, footer, landscape=landscape)
        return sheet

    def _lines(self, cells: Sequence[Cell], columns: Sequence[Column]) -> int:
        # What stands beside the printed page must not stretch it.
        texts = [
            (cell.value, column.width or WIDTHS[0])
            for cell, column in zip(cells, columns, strict=True)
            if column.printed and isinstance(cell.value, str)
        ]
        return max((wrapped_lines(text, width) for text, width in texts), default=1)

    def _validate(
        self,
        sheet: Any,
        columns: Sequence[Column],
        last: int,
        earliest: dt.date | None,
        hints: dict[str, str],
    ) -> None:
        for j, column in enumerate(columns):
            if column.kind == "pick":
                rule: dict[str, object] = {"validate": "list", "source": list(column.choices)}
            elif column.kind == "date_entry":
                rule = {"validate": "date", "criteria": ">=", "value": earliest}
            else:
                continue
            hint = hints.get(column.key, hints[column.kind])
            named = {"input_title": self.said(column.heading)}
            rule |= {**named, "input_message": hint, "error_message": hint}
            if column.several:
                rule["error_type"] = "information"  # a text of several is none of the list
            sheet.data_validation(1, j, last, j, rule)


def lines_table(heads: Sequence[str], widths: Sequence[int], lines: Sequence[tuple[str, str]]) -> Table:
    """Return a table of two columns: a name with its text; a line without a text is a heading."""
    columns = [Column(head, "line", width=width) for head, width in zip(heads, widths, strict=True)]
    rows = [Row([Cell(a, mark="strong"), b]) if b else Row([a, None], "heading") for a, b in lines]
    return Table(columns, rows)


def _set_up_print(sheet: Any, title: str, footer: str, *, landscape: bool) -> None:
    if landscape:
        sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
    # & opens a code in headers and footers; two of them stand for the sign itself.
    sheet.set_header("&L&10" + title.replace("&", "&&"))
    sheet.set_footer("&R&9" + footer)
