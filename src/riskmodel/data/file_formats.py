"""The rows of one file as they stand there, before anything is made of them.

Reading a CSV file as text: its encoding found by looking, its rows one by one, none lost.

A plain file (no quotes, no blank lines) is split by Arrow in one go. Anything else is split line by line,
so that one stray quote or one broken byte costs its own row and not those after it.

Reading an Excel sheet as text: hidden rows, merged cells and formulas are found, not passed over.

A hidden row is kept out with its reason, because nobody can tell whether it was hidden as withdrawn or
only filtered away. A cell merged into another one has lost its content, so its row is kept out too.
Formulas are read as text (their last result may be stale) and then rejected like any formula-like cell.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from riskmodel.data.schema import header_row, known_headers
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, LOST, Grid, narrow_text, split_lines, split_records
from riskmodel.i18n import Message

ROW = "row_"
OVERFLOW = "(beyond the header)"


@dataclass(frozen=True)
class FileRows:
    """The rows of one file as they stand there."""

    rows: pa.Table
    headers: tuple[str, ...]
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    notices: list[Message] = field(default_factory=list)


def text_batch(rows: Sequence[Sequence[object]], width: int) -> pa.RecordBatch:
    """Return rows of ``(row number, cell, cell, …)`` as text columns ``c0, c1, …`` behind ``row_``."""
    columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * (width + 1)
    arrays = [pa.array(columns[0], pa.int64()), *(pa.array(cells, pa.string()) for cells in columns[1:])]
    return pa.record_batch(arrays, names=[ROW, *(f"c{i}" for i in range(width))])


_HEAD_BYTES = 1 << 16
_ROWS_A_BATCH = 200_000
_DELIMITERS = ",\t;"
_TITLE_LINES = 10


def load_csv(path: Path, table: str) -> FileRows | None:
    """Read a CSV file."""
    data = path.read_bytes().removeprefix(BOM)
    if not data.strip(b"\x00\r\n\t ,;"):
        return None
    data, encoding, clean = narrow_text(data, path.name)
    data = data.rstrip(b"\r\n")
    header = _find_header(data[:_HEAD_BYTES], encoding, table)
    if header is None:
        return None
    delimiter, at, headers = header
    if LOST in "".join(headers):
        raise InputRefused(f"{path.name}: the header holds bytes of no known encoding; save it as CSV UTF-8")
    if clean and at == 1 and _is_plain(data):
        plain = _split_plain(data, encoding, delimiter, len(headers))
        if plain is not None:
            return FileRows(plain, headers)
    loaded = _split_lines(split_lines(data, encoding), delimiter, headers, at)
    if at > 1:
        loaded.notices.append(Message("data.notices.title rows", {"file": path.name, "n": at - 1}))
    return loaded


def _find_header(data: bytes, encoding: str, table: str) -> tuple[str, int, tuple[str, ...]] | None:
    """Return the delimiter, the header's row number, and the headers; None where all is blank."""
    best: tuple[int, str, int, tuple[str, ...]] | None = None
    for delimiter in _DELIMITERS:
        head = list(islice(split_records(split_lines(data, encoding), delimiter, None), _TITLE_LINES))
        if not head:
            return None
        at = header_row(table, [fields for _, fields, _ in head])
        row, fields, _ = head[at]
        found = len(known_headers(table, fields))
        if best is None or found > best[0]:
            best = found, delimiter, row, tuple(cell.strip() for cell in fields)
    return best[1:] if best else None


def _is_plain(data: bytes) -> bool:
    if b'"' in data or b"\x00" in data or data.count(b"\r") != data.count(b"\r\n"):
        return False
    return not (data[:1] in (b"\r", b"\n") or b"\n\n" in data or b"\n\r\n" in data)


def _split_plain(data: bytes, encoding: str, delimiter: str, width: int) -> pa.Table | None:
    """Split with Arrow; None where the rows are not all as wide as the header."""
    names = [f"c{i}" for i in range(width)]
    try:
        body = pa_csv.read_csv(
            pa.py_buffer(data),
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=1, encoding=encoding),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    body = body.add_column(0, ROW, pa.array(np.arange(2, body.num_rows + 2)))
    blank = reduce(pc.and_, (pc.equal(body[name], "") for name in names))
    return body.filter(pc.invert(blank)) if pc.any(blank).as_py() else body


def _split_lines(lines: Iterator[str], delimiter: str, headers: tuple[str, ...], at: int) -> FileRows:
    width = len(headers)
    batches: list[pa.RecordBatch] = []
    faults: list[tuple[int, str, str]] = []
    records = (record for record in split_records(lines, delimiter, width) if record[0] > at)
    while chunk := list(islice(records, _ROWS_A_BATCH)):
        rows = []
        for row, fields, quote_fault in chunk:
            if not any(cell.strip() for cell in fields):
                continue
            reason = quote_fault or _row_fault(fields, width)
            if reason:
                faults.append((row, "", reason))
            padded = (*fields[:width], *[""] * (width - len(fields)))
            rows.append((row, *padded, delimiter.join(fields[width:])))
        batches.append(text_batch(rows, width + 1))
    table = pa.Table.from_batches(batches or [text_batch([], width + 1)])
    if pc.any(pc.not_equal(table.column(f"c{width}"), "")).as_py():
        return FileRows(table, (*headers, OVERFLOW), faults)
    return FileRows(table.drop_columns([f"c{width}"]), headers, faults)


def _row_fault(fields: list[str], width: int) -> str | None:
    if any(LOST in cell or "\x00" in cell for cell in fields):
        return "wrong encoding"
    if len(fields) < width or any(cell.strip() for cell in fields[width:]):
        return "wrong number of fields"
    return None


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


@dataclass(frozen=True)
class _Sheet:
    """The cells of a sheet that hold something, by row and column from 1; what is hidden; merged areas."""

    cells: dict[int, dict[int, str]]
    hidden_rows: Set[int]
    hidden_columns: Set[int]
    merged: list[tuple[int, int, int, int]]


def load_sheet(source: Any, table: str, file: str) -> FileRows | None:
    """Read one sheet, of an open workbook or as a `Grid`."""
    sheet = _of_grid(source) if isinstance(source, Grid) else _of_workbook(source)
    grid = sheet.cells
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
    faults = {row: (row, "", "hidden row") for row in sheet.hidden_rows}
    for row, column in _merged_away(sheet.merged, header, last, headers, table):
        faults.setdefault(row, (row, headers[column - 1], "merged cell"))
    merged_rows = {row for row, (_, _, reason) in faults.items() if reason == "merged cell"}
    rows = [_row(n, grid.get(n, {}), len(headers)) for n in sorted({*numbers[at + 1 :], *merged_rows})]
    rows_read = {row[0] for row in rows}
    beyond = any(row[-1] for row in rows)
    cells = pa.Table.from_batches([text_batch(rows, len(headers) + 1)])
    return FileRows(
        cells if beyond else cells.drop_columns([f"c{len(headers)}"]),
        (*headers, OVERFLOW) if beyond else headers,
        [fault for row, fault in sorted(faults.items()) if row in rows_read],
        _notices(sheet.hidden_columns, header - 1, headers, table, file),
    )


def _of_workbook(sheet: Any) -> _Sheet:
    cells: dict[int, dict[int, str]] = {}
    for (row, column), cell in sheet._cells.items():
        text = _text(cell.value)
        if text:
            cells.setdefault(row, {})[column] = text
    # Columns that are formatted alike are kept as one entry, from its first to its last.
    columns = [range(d.min, d.max + 1) for d in sheet.column_dimensions.values() if d.hidden and d.min]
    return _Sheet(
        cells,
        {row for row, d in sheet.row_dimensions.items() if d.hidden},
        {column for group in columns for column in group},
        [(a.min_row, a.min_col, a.max_row, a.max_col) for a in sheet.merged_cells.ranges],
    )


def _of_grid(grid: Grid) -> _Sheet:
    cells: dict[int, dict[int, str]] = {}
    for row, values in enumerate(grid.rows, start=1):
        texts = {column: _text(value) for column, value in enumerate(values, start=1) if value is not None}
        if texts:
            cells[row] = texts
    for row, column in grid.formulas:
        # Its result may be stale, so it is shown as what it is and kept out like any formula.
        cells.setdefault(row, {})[column + 1] = "=" + cells.get(row, {}).get(column + 1, "")
    return _Sheet(
        cells,
        grid.hidden_rows,
        {column + 1 for column in grid.hidden_columns},
        [(top, left + 1, bottom, right + 1) for top, left, bottom, right in grid.merged],
    )


def _row(number: int, cells: dict[int, str], width: int) -> tuple[int | str, ...]:
    beyond = "; ".join(text for column, text in sorted(cells.items()) if column > width)
    return (number, *(cells.get(column, "") for column in range(1, width + 1)), beyond)


def _merged_away(
    merged: Iterable[tuple[int, int, int, int]], header: int, last: int, headers: tuple[str, ...], table: str
) -> list[tuple[int, int]]:
    """Return ``(row, column)`` of cells below the header whose content went to another cell."""
    wanted = [i for i, name in enumerate(headers, start=1) if known_headers(table, [name])]
    out = []
    for top, left, bottom, right in merged:
        columns = [c for c in wanted if left <= c <= right]
        for row in range(max(top, header + 1), min(bottom, last) + 1):
            out += [(row, c) for c in columns if (row, c) != (top, left)]
    return sorted(out)


def _notices(hidden: Set[int], at: int, headers: tuple[str, ...], table: str, file: str) -> list[Message]:
    notices = [Message("data.notices.title rows", {"file": file, "n": at})] if at else []
    names = [name for i, name in enumerate(headers, start=1) if i in hidden and known_headers(table, [name])]
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
