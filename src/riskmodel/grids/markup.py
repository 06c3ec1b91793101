"""Tables written in markup under a spreadsheet's name: web pages and the XML spreadsheets of Excel 2003.

Many systems export an HTML table and name it ``.xls``; spreadsheet programs open it, so offices do not know.
"""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from xml.parsers import expat

from riskmodel.errors import InputRefused
from riskmodel.grids.grid import Area, Cell, CellError, Grid, trim
from riskmodel.grids.text_files import narrow_text

_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w-]+)""", re.IGNORECASE)
_MOST_SPAN = 1000  # a larger span is a slip; it would make rows of nothing
_BLANKS = re.compile(r"[ \t\r\f\v]+")


class _Sheet:
    """Cells put down one after the other, past those that earlier spans cover."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[list[Cell]] = []
        self.hidden: set[int] = set()
        self.merged: list[Area] = []
        self._covered: set[tuple[int, int]] = set()

    def add_row(self, hidden: bool) -> None:
        self.rows.append([])
        if hidden:
            self.hidden.add(len(self.rows))

    def add_cell(self, value: Cell, right: int, down: int) -> None:
        """Put down a cell that covers so many more columns and rows."""
        row, cells = len(self.rows), self.rows[-1]
        while (row, len(cells)) in self._covered:
            cells.append(None)
        column = len(cells)
        cells.append(value)
        if right or down:
            area = row, column, row + down, column + right
            self.merged.append(area)
            spots = {(r, c) for r in range(row, area[2] + 1) for c in range(column, area[3] + 1)}
            self._covered |= spots - {(row, column)}

    def grid(self, file: str, only: bool) -> Grid:
        return Grid(
            file,
            "" if only else self.name,
            trim(self.rows),
            hidden_rows=frozenset(self.hidden),
            merged=tuple(self.merged),
        )


def read_html(data: bytes, file: str) -> list[Grid]:
    """Read the tables of a web page, also of one saved with its pictures (MHTML).

    Parameters
    ----------
    data
        The content of the file.
    file
        Its name.

    Returns
    -------
    list of Grid
        One a table that has more than one cell, in order; a table within a cell is one of its own. All
        values are texts.

    Raises
    ------
    InputRefused
        If its encoding is not known.
    """
    if data[:200].lower().lstrip().startswith((b"mime-version:", b"from:", b"content-type: multipart")):
        message = email.message_from_bytes(data, policy=email.policy.default)
        pages = [part for part in message.walk() if part.get_content_type() == "text/html"]
        data = pages[0].get_payload(decode=True) if pages else b""  # type: ignore[assignment]
    page = _Page()
    page.feed(_decode(data, file))
    page.close()
    sheets = [table for table in page.tables if sum(len(row) for row in table.rows) > 1]
    return [sheet.grid(file, len(sheets) == 1) for sheet in sheets]


def _decode(data: bytes, file: str) -> str:
    stated = _CHARSET.search(data[:2048])
    name = stated[1].decode("ascii").lower() if stated else ""
    name = "gb18030" if name in ("gb2312", "gbk", "gb_2312-80") else name
    try:
        return data.decode(name) if name and not name.startswith("utf-16") else _decode_by_bytes(data, file)
    except (LookupError, UnicodeDecodeError):
        # A page often states another encoding than the one it was written in.
        return _decode_by_bytes(data, file)


def _decode_by_bytes(data: bytes, file: str) -> str:
    content, encoding, _ = narrow_text(data, file)
    return content.decode(encoding, errors="replace")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[_Sheet] = []
        self._open: list[_Sheet] = []
        self._cells: list[tuple[list[str], int, int] | None] = []
        self._ignored = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._open.append(_Sheet(str(len(self.tables) + 1)))
            self._cells.append(None)
            self.tables.append(self._open[-1])
        elif tag in ("style", "script"):
            self._ignored += 1
        elif not self._open:
            return
        elif tag == "tr":
            self._close_cell()
            hidden = "hidden" in given or bool(_HIDDEN.search(given.get("style", "")))
            self._open[-1].add_row(hidden)
        elif tag in ("td", "th"):
            self._close_cell()
            if not self._open[-1].rows:
                self._open[-1].add_row(False)
            self._cells[-1] = [], _span(given.get("colspan")), _span(given.get("rowspan"))
        elif tag in ("br", "p", "div"):
            self.handle_data("\n" if tag == "br" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._ignored = max(self._ignored - 1, 0)
        elif self._open and tag in ("td", "th", "tr"):
            self._close_cell()
        elif self._open and tag == "table":
            self._close_cell()
            self._open.pop()
            self._cells.pop()

    def handle_data(self, data: str) -> None:
        if self._cells and (cell := self._cells[-1]) and not self._ignored:
            # A line break in the source of a page is a blank; only <br> breaks a line.
            cell[0].append(data if data == "\n" else data.replace("\n", " "))

    def close(self) -> None:
        super().close()
        while self._open:
            self.handle_endtag("table")

    def _close_cell(self) -> None:
        cell = self._cells[-1]
        if cell is not None:
            text = _BLANKS.sub(" ", "".join(cell[0]).replace("\xa0", " ")).strip()
            self._open[-1].add_cell(text or None, cell[1], cell[2])
            self._cells[-1] = None


def _span(text: str | None) -> int:
    """Return how many more rows or columns a cell covers."""
    return min(int(text), _MOST_SPAN) - 1 if text and text.isdecimal() and int(text) else 0


def read_xml_spreadsheet(data: bytes, file: str) -> list[Grid]:
    """Read a workbook that Excel 2003 or a reporting system saved as one XML file.

    Parameters
    ----------
    data
        The content of the file.
    file
        Its name.

    Returns
    -------
    list of Grid
        One a sheet.

    Raises
    ------
    InputRefused
        If it is broken.
    """
    book = _XmlBook()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = book.start, book.end
    parser.CharacterDataHandler = book.text
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as exc:
        raise InputRefused(f"{file}: is a broken XML spreadsheet ({exc}); save it as .xlsx") from exc
    return list(book.grids(file))


class _XmlBook:
    def __init__(self) -> None:
        self.sheets: list[_Sheet] = []
        self.formulas: list[set[tuple[int, int]]] = []
        self.hidden_columns: list[set[int]] = []
        self.unseen: set[int] = set()
        self._cell: dict[str, str] = {}
        self._kind = ""
        self._parts: list[str] | None = None
        self._value: Cell = None
        self._columns = 0
        self._visible = False

    def grids(self, file: str) -> Iterator[Grid]:
        for i, sheet in enumerate(self.sheets):
            grid = sheet.grid(file, False)
            grid.formulas = frozenset(self.formulas[i])
            grid.hidden_columns = frozenset(self.hidden_columns[i])
            grid.visible = i not in self.unseen
            yield grid

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        given = {name.rpartition(" ")[2]: value for name, value in attrs.items()}
        name = tag.rpartition(" ")[2]
        if name == "Worksheet":
            self.sheets.append(_Sheet(given.get("Name", "")))
            self.formulas.append(set())
            self.hidden_columns.append(set())
            self._columns = 0
        elif name == "Column":
            self._column(given)
        elif name == "Row":
            rows = self.sheets[-1].rows
            rows.extend([] for _ in range(int(given.get("Index", 0)) - 1 - len(rows)))
            self.sheets[-1].add_row(given.get("Hidden") == "1")
        elif name == "Cell":
            self._cell, self._value = given, None
        elif name == "Data":
            self._kind, self._parts = given.get("Type", "String"), []
        elif name == "Visible":
            self._parts = []

    def end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "Data":
            self._value = _typed("".join(self._parts or []), self._kind)
            self._parts = None
        elif name == "Cell":
            self._put_cell()
        elif name == "Visible":
            if "".join(self._parts or []) != "SheetVisible":
                self.unseen.add(len(self.sheets) - 1)
            self._parts = None

    def text(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)

    def _column(self, given: dict[str, str]) -> None:
        first = int(given.get("Index", self._columns + 1))
        self._columns = first + int(given.get("Span", 0))
        if given.get("Hidden") == "1":
            self.hidden_columns[-1] |= set(range(first - 1, self._columns))

    def _put_cell(self) -> None:
        sheet, given = self.sheets[-1], self._cell
        cells = sheet.rows[-1]
        cells.extend([None] * (int(given.get("Index", 0)) - 1 - len(cells)))
        sheet.add_cell(self._value, int(given.get("MergeAcross", 0)), int(given.get("MergeDown", 0)))
        if "Formula" in given:
            self.formulas[-1].add((len(sheet.rows), len(cells) - 1))


_READERS: dict[str, Callable[[str], Cell]] = {
    "Number": lambda text: int(float(text)) if _integral(text) else float(text),
    "Boolean": lambda text: text == "1",
    "Error": CellError,
    "DateTime": lambda text: _date(dt.datetime.fromisoformat(text)),
}


def _typed(text: str, kind: str) -> Cell:
    if not text.strip():
        return None
    try:
        return _READERS[kind](text)
    except (KeyError, ValueError):
        return text


def _integral(text: str) -> bool:
    return float(text).is_integer() and abs(float(text)) < 1e15


def _date(value: dt.datetime) -> dt.date:
    return value.date() if value.time() == dt.time() else value
