"""The printed tables as a workbook: one sheet a table, the same bytes for the same ledger."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from riskmodel.io.files import atomic, safe_text
from riskmodel.presentation.register_tables import Grid, Value

FONT = "等线"
SHEET_NAME_LIMIT = 31
WIDTHS = (6, 44)  # characters; a longer heading or label is wrapped
LINE_HEIGHT = 16  # points, one line of 10-point text
FORMATS = {"text": "@", "count": "0", "share": "0.0%"}
_HEAD = {"bold": True, "font_color": "#FFFFFF", "bg_color": "#1F3A5F", "align": "center", "text_wrap": True}
_LINES = {"border": 1, "border_color": "#D0D7E2", "valign": "vcenter", "font_name": FONT, "font_size": 10}


def write_register_workbook(grids: Iterable[Grid], path: str | Path, created: dt.date) -> Path:
    """Write printed tables to a workbook, one sheet each.

    Parameters
    ----------
    grids : iterable of Grid
    path : str or Path
    created : date
        Written into the file in place of today, so that the same tables give the same bytes.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the folder cannot be written to.
    """
    import xlsxwriter

    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with atomic(path) as temporary, xlsxwriter.Workbook(str(temporary), plain) as book:
        book.set_properties({"created": dt.datetime.combine(created, dt.time())})
        used: set[str] = set()
        for grid in grids:
            _sheet(book, book.add_worksheet(sheet_name(grid.sheet, used)), grid)
    return Path(path)


def sheet_name(wanted: str, used: set[str]) -> str:
    """Return a name that a workbook allows and that is not used yet; adds it to ``used``.

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


def _sheet(book: Any, sheet: Any, grid: Grid) -> None:
    sheet.write_string(0, 0, grid.title, book.add_format({"bold": True, "font_size": 14, "font_name": FONT}))
    small = book.add_format({"font_color": "#555555", "font_name": FONT, "font_size": 9})
    for i, note in enumerate(grid.notes, 1):
        sheet.write_string(i, 0, note, small)
    top = len(grid.notes) + 2
    _header(book, sheet, grid, top)
    styles = {
        (kind, strong): book.add_format({**_LINES, "num_format": code, **(_TOTAL if strong else {})})
        for kind, code in FORMATS.items()
        for strong in (False, True)
    }
    for i, row in enumerate(grid.rows):
        for j, (column, value) in enumerate(zip(grid.columns, row, strict=True)):
            _cell(sheet, top + 2 + i, j, value, styles[column.kind, i in grid.totals])
    for j in range(len(grid.columns)):
        sheet.set_column(j, j, _width(grid, j))
    sheet.freeze_panes(top + 2, grid.stub)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top, top + 1)


_TOTAL = {"bold": True, "bg_color": "#E6ECF4"}


def _header(book: Any, sheet: Any, grid: Grid, top: int) -> None:
    style = book.add_format({**_LINES, **_HEAD})
    at, lines = 0, 1
    for name, columns in groupby(grid.columns, key=lambda c: c.top):
        width = len(list(columns))
        alone = width == 1 and not grid.columns[at].sub
        room = sum(_width(grid, j) for j in range(at, at + width))
        lines = max(lines, -(-_wide(name) // (2 * room if alone else room)))
        if width > 1:
            sheet.merge_range(top, at, top, at + width - 1, safe_text(name), style)
        elif alone:
            sheet.merge_range(top, at, top + 1, at, safe_text(name), style)
        else:
            sheet.write_string(top, at, safe_text(name), style)
        at += width
    # Excel does not fit the height of merged cells to their text.
    sheet.set_row(top, LINE_HEIGHT * lines)
    sheet.set_row(top + 1, LINE_HEIGHT)
    for j, column in enumerate(grid.columns):
        if column.sub:
            sheet.write_string(top + 1, j, column.sub, style)


def _cell(sheet: Any, i: int, j: int, value: Value, style: Any) -> None:
    if value is None:
        sheet.write_blank(i, j, None, style)
    elif isinstance(value, str):
        sheet.write_string(i, j, safe_text(value), style)
    else:
        sheet.write_number(i, j, value, style)


def _width(grid: Grid, j: int) -> int:
    column = grid.columns[j]
    alone = sum(c.top == column.top for c in grid.columns) == 1
    texts = [row[j] for row in grid.rows if isinstance(row[j], str)]
    texts += [column.sub, column.top if alone and column.kind == "text" else ""]
    widest = max(_wide(str(text)) for text in texts)
    return min(WIDTHS[1], max(WIDTHS[0], widest + 2))


def _wide(text: str) -> int:
    """Return the width of text in characters; a Chinese one is two wide."""
    return sum(2 if unicodedata.east_asian_width(c) in "WFA" else 1 for c in text)
