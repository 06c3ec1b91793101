"""What a workbook says of its cells beyond their values: hidden, merged, computed, in error, formatted.

The values come from a fast reader that passes all this over; here the XML of .xlsx and .ods files is gone
through once more. Only what is rare is looked at cell by cell, so that a large sheet costs little.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO
from xml.etree import ElementTree
from xml.parsers import expat

from riskmodel.grids.grid import Area, column_number

_BLOCK = 1 << 22


@dataclass
class SheetMarks:
    """The marks of one sheet, with rows from 1 and columns from 0 as in `Grid`.

    Parameters
    ----------
    hidden_rows, hidden_columns, merged, formulas
        As in `Grid`.
    errors
        Cell to the error it holds.
    last
        The last row and the last column that hold something.
    whole
        Whether the sheet's data come to their end: a file cut short reads like one with fewer rows.
    """

    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    merged: list[Area] = field(default_factory=list)
    formulas: set[tuple[int, int]] = field(default_factory=set)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    last: tuple[int, int] = (0, -1)
    whole: bool = True


# .xlsx ------------------------------------------------------------------------------------------------


class XlsxParts:
    """The parts of an .xlsx archive that hold sheets and formats.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    KeyError, ElementTree.ParseError
        If it has no readable list of sheets.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with zipfile.ZipFile(path) as archive:
            self._names = {name.lower().replace("\\", "/"): name for name in archive.namelist()}
        links = self._links("", "_rels/.rels")
        book = next((to for kind, to in links.values() if kind == "officeDocument"), "xl/workbook.xml")
        folder, name = posixpath.split(book)
        self._book_links = self._links(folder, f"{folder}/_rels/{name}.rels")
        root = self._tree(book)
        self.sheets: dict[str, str] = {}
        self.date1904 = False
        for element in root.iter():
            if _local(element.tag) == "sheet":
                link = next((v for k, v in element.attrib.items() if _local(k) == "id"), "")
                self.sheets[element.get("name", "")] = self._book_links.get(link, ("", ""))[1]
            elif _local(element.tag) == "workbookPr":
                self.date1904 = element.get("date1904") in ("1", "true", "on")

    @contextmanager
    def _open(self, part: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._names[part.lower()]) as stream:
            yield stream

    def _tree(self, part: str) -> ElementTree.Element:
        with self._open(part) as stream:
            return ElementTree.parse(stream).getroot()

    def _links(self, folder: str, part: str) -> dict[str, tuple[str, str]]:
        """Return the links of a part: id to kind and target."""
        if part.lower() not in self._names:
            return {}
        out = {}
        for link in self._tree(part):
            target = posixpath.normpath(posixpath.join("/" + folder, link.get("Target", "")))
            out[link.get("Id", "")] = link.get("Type", "").rpartition("/")[2], target.lstrip("/")
        return out

    def marks(self, sheet: str) -> SheetMarks:
        """Return the marks of a sheet.

        Raises
        ------
        KeyError
            If its part is missing.
        """
        with self._open(self.sheets[sheet]) as stream:
            return _xlsx_marks(stream)

    def formats(self, sheet: str) -> Callable[[int, int], str]:
        """Return row and column to number format, for a sheet.

        Raises
        ------
        KeyError
            If its part is missing.
        """
        codes = self._format_codes()
        with self._open(self.sheets[sheet]) as stream:
            styles = _xlsx_styles(stream)

        def code(row: int, column: int) -> str:
            numbers = styles.get(column)
            style = numbers[row] if numbers and row < len(numbers) else 0
            return codes[style] if style < len(codes) else "General"

        return code

    def _format_codes(self) -> list[str]:
        """Return the number format of each style."""
        part = next((to for kind, to in self._book_links.values() if kind == "styles"), "")
        if part.lower() not in self._names:
            return []
        root = self._tree(part)
        own = {e.get("numFmtId"): e.get("formatCode", "") for e in root.iter() if _local(e.tag) == "numFmt"}
        styles = [style for e in root.iter() if _local(e.tag) == "cellXfs" for style in e]
        return [own.get(e.get("numFmtId")) or builtin_format(e.get("numFmtId", "0")) for e in styles]


def builtin_format(number: str | int) -> str:
    """Return the number format that spreadsheets know by number; those for Chinese dates as such.

    Examples
    --------
    >>> builtin_format(2), builtin_format("57")
    ('0.00', 'yyyy"年"m"月"')
    """
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    return _CHINESE_FORMATS.get(int(number)) or BUILTIN_FORMATS.get(int(number), "General")


# ECMA-376 part 1, 18.8.30: the formats of Chinese editions, which no file spells out.
_CHINESE_FORMATS = {
    **dict.fromkeys((27, 36, 50, 52, 57), 'yyyy"年"m"月"'),
    **dict.fromkeys((28, 29, 51, 53, 54, 58), 'm"月"d"日"'),
    30: "m-d-yy",
    31: 'yyyy"年"m"月"d"日"',
}


def _local(name: str) -> str:
    return name.rpartition("}")[2]


_ATTRIBUTE = re.compile(rb"""\b([\w:]+)\s*=\s*["']([^"']*)["']""")
_HEAD = re.compile(rb"<(?:(\w+):)?sheetData\b")
_COLUMN = re.compile(rb"<(?:\w+:)?col\s([^>]*)>")
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s[^>]*?ref=["']([A-Z]+)(\d+):([A-Z]+)(\d+)["']""")
_CELL = re.compile(rb"<(?:\w+:)?c(\s[^>]*?)?(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_PLACE = re.compile(rb"""\br=["']([A-Z]+)(\d+)["']""")
_ROW_NUMBER = re.compile(rb"""\br=["'](\d+)["']""")
_ROW_HIDDEN = re.compile(rb"""\bhidden=["'](?:1|true)["']""")
_ERROR = re.compile(rb"""\bt=["']e["']""")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_ARRAY = re.compile(rb"""<(?:\w+:)?f\s[^>]*?ref=["']([A-Z]+)(\d+):([A-Z]+)(\d+)["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v[^>]*>([^<]*)<")
_MOST_ARRAY = 100_000


def _xlsx_marks(stream: IO[bytes]) -> SheetMarks:
    marks = SheetMarks()
    head, rows, tail = _parts(stream)
    _read_columns(head, marks)
    number = 0
    for block in rows:
        # A block without any of these is passed over; what is left costs a look a row, not a look a cell.
        rare = bool(_FORMULA.search(block) or _ERROR.search(block))
        for row in _rows(block):
            opening = row[: row.find(b">")]
            found = _ROW_NUMBER.search(opening)
            number = int(found[1]) if found else number + 1
            if _ROW_HIDDEN.search(opening):
                marks.hidden_rows.add(number)
            last = _last_column(row)
            if last >= 0:
                marks.last = max(marks.last[0], number), max(marks.last[1], last)
            if rare:
                _read_cells(row, number, marks)
    rest = tail()
    marks.whole = rest is not None
    for first_column, first, last_column, last_row in _MERGED.findall(rest or b""):
        area = int(first), column_number(first_column), int(last_row), column_number(last_column)
        marks.merged.append(area)
    return marks


def _parts(stream: IO[bytes]) -> tuple[bytes, Iterator[bytes], Callable[[], bytes | None]]:
    """Cut a sheet in what stands before its rows, blocks of whole rows, and what stands behind them.

    The last is None where the rows come to no end.
    """
    head = b""
    while not (start := _HEAD.search(head)) and (block := stream.read(_BLOCK)):
        head += block
    if start is None:
        return head, iter(()), lambda: None
    prefix = start[1] + b":" if start[1] else b""
    end, opening = b"</" + prefix + b"sheetData>", b"<" + prefix + b"row"
    rest: list[bytes] = []
    body = head[start.start() :]
    opened = body[: body.find(b">") + 1]
    if opened.endswith(b"/>"):
        return head[: start.start()], iter(()), lambda: body + stream.read()

    def blocks() -> Iterator[bytes]:
        data = body[len(opened) :]
        while True:
            stop = data.find(end)
            if stop >= 0:
                rest.append(data[stop:])
                yield data[:stop]
                return
            cut = data.rfind(opening)
            if cut > 0:
                yield data[:cut]
                data = data[cut:]
            block = stream.read(_BLOCK)
            if not block:
                yield data
                return
            data += block

    return head[: start.start()], blocks(), lambda: rest[0] + stream.read() if rest else None


_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")


def _rows(block: bytes) -> Iterator[bytes]:
    starts = [match.start() for match in _ROW.finditer(block)]
    for start, end in pairwise([*starts, len(block)]):
        yield block[start:end]


def _last_column(row: bytes) -> int:
    """Return the column of the last cell of a row that holds something, -1 if none does."""
    end = max(row.rfind(b"</c>"), row.rfind(b":c>"))
    if end < 0:
        return -1
    start = max(row.rfind(b"<c ", 0, end), row.rfind(b":c ", 0, end))
    found = _PLACE.search(row[start : row.find(b">", start)]) if start >= 0 else None
    if found:
        return column_number(found[1])
    return sum(1 for _ in _CELL.finditer(row)) - 1


def _read_columns(head: bytes, marks: SheetMarks) -> None:
    for column in _COLUMN.findall(head):
        given = dict(_ATTRIBUTE.findall(column))
        if given.get(b"hidden") in (b"1", b"true") or given.get(b"width") == b"0":
            marks.hidden_columns |= set(range(int(given[b"min"]) - 1, int(given[b"max"])))


def _read_cells(row: bytes, number: int, marks: SheetMarks) -> None:
    column = -1
    for match in _CELL.finditer(row):
        given, content = match[1] or b"", match[2] or b""
        place = _PLACE.search(given)
        column = column_number(place[1]) if place else column + 1
        if _ERROR.search(given):
            value = _VALUE.search(content)
            marks.errors[number, column] = value[1].decode("utf-8", "replace") if value else "#N/A"
        if _FORMULA.search(content):
            marks.formulas.add((number, column))
            if array_area := _ARRAY.search(content):
                marks.formulas |= _array_cells(array_area)


def _array_cells(area: re.Match[bytes]) -> set[tuple[int, int]]:
    """Return the cells of a formula that fills an area; of one that is shared, they repeat its own."""
    if b"array" not in area[0]:
        return set()
    rows = range(int(area[2]), int(area[4]) + 1)
    columns = range(column_number(area[1]), column_number(area[3]) + 1)
    if len(rows) * len(columns) > _MOST_ARRAY:
        return set()
    return {(row, column) for row in rows for column in columns}


_STYLED = re.compile(rb"""<(?:\w+:)?c\s+r=["']([A-Z]+)(\d+)["']\s+s=["'](\d+)["']""")
_ANY_CELL = re.compile(rb"<(?:\w+:)?c(\s[^>]*)?>")
_STYLE = re.compile(rb"""\bs=["'](\d+)["']""")


def _xlsx_styles(stream: IO[bytes]) -> dict[int, array[int]]:
    """Return column to the style numbers of its cells, by row."""
    styles: dict[int, array[int]] = {}
    _, blocks, _ = _parts(stream)
    number = 0
    for block in blocks:
        if _STYLED.search(block):
            for letters, row, style in _STYLED.findall(block):
                _put_style(styles, int(row), column_number(letters), int(style))
            continue
        for row in _rows(block):
            found = _ROW_NUMBER.search(row[: row.find(b">")])
            number = int(found[1]) if found else number + 1
            for column, cell in enumerate(_ANY_CELL.finditer(row)):
                place, style = _PLACE.search(cell[1] or b""), _STYLE.search(cell[1] or b"")
                if style:
                    at = column_number(place[1]) if place else column
                    _put_style(styles, number, at, int(style[1]))
    return styles


def _put_style(styles: dict[int, array[int]], row: int, column: int, style: int) -> None:
    numbers = styles.setdefault(column, array("H"))
    if len(numbers) <= row:
        numbers.extend([0] * (row + 1 - len(numbers)))
    numbers[row] = style


# .ods -------------------------------------------------------------------------------------------------

_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0 "
_UNSEEN = ("collapse", "filter")


def ods_marks(stream: IO[bytes]) -> list[SheetMarks]:
    """Return the marks of each sheet of an .ods file.

    Parameters
    ----------
    stream
        Its part ``content.xml``.

    Returns
    -------
    list of SheetMarks
        In the order of the sheets.

    Raises
    ------
    expat.ExpatError
        If it is broken.
    """
    book = _OdsBook()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = book.start, book.end
    parser.CharacterDataHandler = book.text
    parser.ParseFile(stream)
    return book.sheets


class _OdsBook:
    def __init__(self) -> None:
        self.sheets: list[SheetMarks] = []
        self._row = self._column = self._columns = 0
        self._again = 1
        self._hidden = self._filled = False
        self._error: list[str] | None = None
        self._at = (0, 0)
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        if not tag.startswith(_TABLE):
            return
        name = tag[len(_TABLE) :]
        if name == "table":
            self._depth += 1
            if self._depth == 1:
                self.sheets.append(SheetMarks())
                self._row = self._columns = 0
        elif self._depth != 1:
            return
        elif name == "table-column":
            self._add_column(attrs)
        elif name == "table-row":
            self._again = int(attrs.get(_TABLE + "number-rows-repeated", 1))
            self._hidden, self._filled = attrs.get(_TABLE + "visibility") in _UNSEEN, False
            self._column = 0
        elif name in ("table-cell", "covered-table-cell"):
            self._add_cell(attrs)

    def end(self, tag: str) -> None:
        if tag == _TABLE + "table":
            self._depth -= 1
        elif tag == _TABLE + "table-row" and self._depth == 1:
            # Empty rows at the end are repeated a million times, and may be hidden.
            if self._hidden and self._filled:
                self.sheets[-1].hidden_rows |= set(range(self._row + 1, self._row + self._again + 1))
            self._row += self._again
        elif tag == _TABLE + "table-cell" and self._error is not None:
            self.sheets[-1].errors[self._at] = "".join(self._error) or "#N/A"
            self._error = None

    def text(self, data: str) -> None:
        if self._error is not None:
            self._error.append(data)

    def _add_column(self, attrs: dict[str, str]) -> None:
        first = self._columns
        self._columns += int(attrs.get(_TABLE + "number-columns-repeated", 1))
        if attrs.get(_TABLE + "visibility") in _UNSEEN:
            self.sheets[-1].hidden_columns |= set(range(first, self._columns))

    def _add_cell(self, attrs: dict[str, str]) -> None:
        marks, place = self.sheets[-1], (self._row + 1, self._column)
        again = int(attrs.get(_TABLE + "number-columns-repeated", 1))
        if _TABLE + "formula" in attrs:
            marks.formulas |= {(place[0], place[1] + i) for i in range(again)}
        right = int(attrs.get(_TABLE + "number-columns-spanned", 1)) - 1
        down = int(attrs.get(_TABLE + "number-rows-spanned", 1)) - 1
        if right > 0 or down > 0:
            marks.merged.append((*place, place[0] + down, place[1] + right))
        kinds = [value for name, value in attrs.items() if name.endswith(" value-type")]
        self._filled = self._filled or bool(kinds)
        if "error" in kinds:
            self._error, self._at = [], place
        self._column += again
