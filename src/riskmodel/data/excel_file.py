"""Reading an Excel sheet as text: hidden rows, merged cells and formulas are found, not passed over.

A hidden row is kept out with its reason, because nobody can tell whether it was hidden as withdrawn or
only filtered away. A cell merged into another one has lost its content, so its row is kept out too.
Formulas are read as text (their last result may be stale) and then rejected like any formula-like cell.
"""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

from riskmodel.data.headers import header_row, known_headers
from riskmodel.data.loaded import OVERFLOW, Loaded, text_batch
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message

_TITLE_LINES = 10


def open_workbook(path: Path) -> Any:
    """Open a workbook for reading, formulas as text.

    Raises
    ------
    InputRefused
        If it is no readable .xlsx file.
    """
    import openpyxl

    try:
        with warnings.catch_warnings():
            # openpyxl warns of styles and validations that it does not know; no cell value depends on them.
            warnings.simplefilter("ignore", UserWarning)
            return openpyxl.load_workbook(path, data_only=False)
    except Exception as exc:  # a broken archive shows as any of a dozen error types
        raise InputRefused(
            f"{path.name}: cannot be read as .xlsx ({exc}); open and save it in Excel"
        ) from exc


def load_sheet(sheet: Any, table: str, file: str) -> Loaded | None:
    """Read one sheet.

    Parameters
    ----------
    sheet : openpyxl worksheet
    table : str
        Which table it holds; decides what a header looks like.
    file : str
        Named in notices.

    Returns
    -------
    Loaded or None
        None where there is not even a header.
    """
    grid = _grid(sheet)
    if not grid:
        return None
    numbers = sorted(grid)
    width = max(max(cells) for cells in grid.values())
    top = [[grid[n].get(c, "") for c in range(1, width + 1)] for n in numbers[:_TITLE_LINES]]
    at = header_row(table, top)
    headers = tuple(cell.strip() for cell in top[at])
    while not headers[-1]:
        headers = headers[:-1]
    header, last = numbers[at], numbers[-1]
    faults = {row: (row, "", "hidden row") for row, d in sheet.row_dimensions.items() if d.hidden}
    for row, column in _merged_away(sheet, header, last, headers, table):
        faults.setdefault(row, (row, headers[column - 1], "merged cell"))
    spoilt = {row for row, (_, _, reason) in faults.items() if reason == "merged cell"}
    rows = [_row(n, grid.get(n, {}), len(headers)) for n in sorted({*numbers[at + 1 :], *spoilt})]
    kept = {row[0] for row in rows}
    beyond = any(row[-1] for row in rows)
    cells = pa.Table.from_batches([text_batch(rows, len(headers) + 1)])
    return Loaded(
        cells if beyond else cells.drop_columns([f"c{len(headers)}"]),
        (*headers, OVERFLOW) if beyond else headers,
        [fault for row, fault in sorted(faults.items()) if row in kept],
        _notices(sheet, header - 1, headers, table, file),
    )


def _grid(sheet: Any) -> dict[int, dict[int, str]]:
    """Return the cells that hold something, by row and column from 1.

    Only cells that are there are visited: one stray cell at the far end of a sheet would otherwise make
    openpyxl fill in the millions before it.
    """
    grid: dict[int, dict[int, str]] = {}
    for (row, column), cell in sheet._cells.items():
        text = _text(cell.value)
        if text:
            grid.setdefault(row, {})[column] = text
    return grid


def _row(number: int, cells: dict[int, str], width: int) -> tuple[int | str, ...]:
    beyond = "; ".join(text for column, text in sorted(cells.items()) if column > width)
    return (number, *(cells.get(column, "") for column in range(1, width + 1)), beyond)


def _merged_away(
    sheet: Any, header: int, last: int, headers: tuple[str, ...], table: str
) -> list[tuple[int, int]]:
    """Return ``(row, column)`` of cells below the header whose content went to another cell."""
    wanted = [i for i, name in enumerate(headers, start=1) if known_headers(table, [name])]
    out = []
    for area in sheet.merged_cells.ranges:
        columns = [c for c in wanted if area.min_col <= c <= area.max_col]
        for row in range(max(area.min_row, header + 1), min(area.max_row, last) + 1):
            out += [(row, c) for c in columns if (row, c) != (area.min_row, area.min_col)]
    return sorted(out)


def _notices(sheet: Any, at: int, headers: tuple[str, ...], table: str, file: str) -> list[Message]:
    from openpyxl.utils import column_index_from_string

    notices = [Message("data.notices.title rows", {"file": file, "n": at})] if at else []
    hidden = {column_index_from_string(key) - 1 for key, d in sheet.column_dimensions.items() if d.hidden}
    names = [name for i, name in enumerate(headers) if i in hidden and known_headers(table, [name])]
    if names:
        notices.append(Message("data.notices.hidden columns", {"file": file, "what": ", ".join(names)}))
    return notices


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # An array formula comes as an object that holds its text.
    return str(getattr(value, "text", value))
