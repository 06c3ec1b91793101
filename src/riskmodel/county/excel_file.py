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

from riskmodel.county.headers import header_row, known_headers
from riskmodel.county.loaded import Loaded, text_batch
from riskmodel.county.messages import Notice
from riskmodel.errors import InputRefused

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
    grid = [[_text(cell.value) for cell in row] for row in sheet.iter_rows()]
    if not any(cell for row in grid for cell in row):
        return None
    at = header_row(table, grid[:_TITLE_LINES])
    headers = tuple(cell.strip() for cell in grid[at])
    faults = {row: (row, "", "hidden row") for row, d in sheet.row_dimensions.items() if d.hidden}
    for row, column in _merged_away(sheet, at + 1, headers, table):
        faults.setdefault(row, (row, headers[column], "merged cell"))
    rows = [
        (number, *cells)
        for number, cells in enumerate(grid[at + 1 :], start=at + 2)
        if any(cells) or (number in faults and faults[number][2] == "merged cell")
    ]
    kept = {row[0] for row in rows}
    return Loaded(
        pa.Table.from_batches([text_batch(rows, len(headers))]),
        headers,
        [fault for row, fault in sorted(faults.items()) if row in kept],
        _notices(sheet, at, headers, table, file),
    )


def _merged_away(sheet: Any, header: int, headers: tuple[str, ...], table: str) -> list[tuple[int, int]]:
    """Return ``(row, column position)`` of cells below the header whose content went to another cell."""
    wanted = {i for i, name in enumerate(headers) if known_headers(table, [name])}
    out = []
    for area in sheet.merged_cells.ranges:
        for row in range(max(area.min_row, header + 1), area.max_row + 1):
            lost = [
                column - 1
                for column in range(area.min_col, area.max_col + 1)
                if column - 1 in wanted and (row, column) != (area.min_row, area.min_col)
            ]
            out += [(row, column) for column in lost]
    return sorted(out)


def _notices(sheet: Any, at: int, headers: tuple[str, ...], table: str, file: str) -> list[Notice]:
    from openpyxl.utils import column_index_from_string

    notices = [Notice("title rows", {"file": file, "n": at})] if at else []
    hidden = {column_index_from_string(key) - 1 for key, d in sheet.column_dimensions.items() if d.hidden}
    names = [name for i, name in enumerate(headers) if i in hidden and known_headers(table, [name])]
    if names:
        notices.append(Notice("hidden columns", {"file": file, "what": ", ".join(names)}))
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
