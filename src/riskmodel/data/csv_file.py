"""Reading a CSV file as text: its encoding found by looking, its rows one by one, none lost.

A plain file (no quotes, no blank lines) is split by Arrow in one go. Anything else is split here, line
by line, so that one stray quote or one broken byte costs its own row and not those after it.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator
from functools import reduce
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from riskmodel.data.encoding import find_encoding
from riskmodel.data.headers import header_row, known_headers
from riskmodel.data.loaded import OVERFLOW, ROW, Loaded, text_batch
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 1 << 16
_ROWS_A_BATCH = 200_000
_DELIMITERS = ",\t;"
_MOST_LINES_A_RECORD = 50  # a longer quoted cell is taken for a quote that was never closed
_TITLE_LINES = 10
_LOST = "\ufffd"


def load_csv(path: Path, table: str) -> Loaded | None:
    """Read a CSV file.

    Parameters
    ----------
    path : Path
    table : str
        Which table it holds; decides what a header looks like.

    Returns
    -------
    Loaded or None
        None where there is not even a header.

    Raises
    ------
    InputRefused
        If most of it is neither UTF-8 nor GB18030.
    """
    data = path.read_bytes().removeprefix(_BOM).rstrip(b"\r\n")
    if not data.strip(b"\x00\r\n\t ,;"):
        return None
    encoding, clean = find_encoding(data, path.name)
    header = _find_header(data[:_HEAD_BYTES], encoding, table)
    if header is None:
        return None
    delimiter, at, headers = header
    if _LOST in "".join(headers):
        raise InputRefused(f"{path.name}: the header holds bytes of no known encoding; save it as CSV UTF-8")
    if clean and at == 1 and _is_plain(data):
        plain = _split_plain(data, encoding, delimiter, len(headers))
        if plain is not None:
            return Loaded(plain, headers)
    loaded = _split_lines(_lines(data, encoding), delimiter, headers, at)
    if at > 1:
        loaded.notices.append(Message("data.notices.title rows", {"file": path.name, "n": at - 1}))
    return loaded


def _find_header(data: bytes, encoding: str, table: str) -> tuple[str, int, tuple[str, ...]] | None:
    """Return the delimiter, the header's row number, and the headers; None where all is blank."""
    best: tuple[int, str, int, tuple[str, ...]] | None = None
    for delimiter in _DELIMITERS:
        head = list(islice(_records(_lines(data, encoding), delimiter, None), _TITLE_LINES))
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


def _lines(data: bytes, encoding: str) -> Iterator[str]:
    return (line.rstrip("\n") for line in io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace"))


def _records(
    lines: Iterator[str], delimiter: str, width: int | None
) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield ``(row number, fields, reason)``; blank lines are counted and left out."""
    waiting: deque[str] = deque()
    row = 0
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        row += 1
        if line.count('"') % 2 == 0:
            if line.strip():
                yield row, _fields(line, delimiter), None
            continue
        joined = _join_open_quote(line, lines, waiting)
        fields = _fields("\n".join(joined), delimiter) if joined else []
        if joined and (width is None or _one_record(joined, fields, delimiter, width)):
            yield row, fields, None
        else:
            waiting.extendleft(reversed(joined[1:]))
            yield row, [line], "broken quotes"


def _join_open_quote(line: str, lines: Iterator[str], waiting: deque[str]) -> list[str]:
    """Return the lines of a record whose quotes close; where they never do, put all back and return none."""
    joined = [line]
    while len(joined) < _MOST_LINES_A_RECORD:
        following = waiting.popleft() if waiting else next(lines, None)
        if following is None:
            break
        joined.append(following)
        if following.count('"') % 2:
            return joined
    waiting.extendleft(reversed(joined[1:]))
    return []


def _one_record(joined: list[str], fields: list[str], delimiter: str, width: int) -> bool:
    # Two stray quotes some rows apart also "close"; then a line between them is a whole row by itself.
    return len(fields) == width and all(part.count(delimiter) < width - 1 for part in joined[1:])


def _fields(text: str, delimiter: str) -> list[str]:
    if len(text) >= csv.field_size_limit():
        return text.split(delimiter)
    parsed = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    return parsed[0] if len(parsed) == 1 else text.split(delimiter)


def _split_lines(lines: Iterator[str], delimiter: str, headers: tuple[str, ...], at: int) -> Loaded:
    width = len(headers)
    batches: list[pa.RecordBatch] = []
    faults: list[tuple[int, str, str]] = []
    records = (record for record in _records(lines, delimiter, width) if record[0] > at)
    while chunk := list(islice(records, _ROWS_A_BATCH)):
        rows = []
        for row, fields, spoilt in chunk:
            if not any(cell.strip() for cell in fields):
                continue
            reason = spoilt or _spoilt(fields, width)
            if reason:
                faults.append((row, "", reason))
            padded = (*fields[:width], *[""] * (width - len(fields)))
            rows.append((row, *padded, delimiter.join(fields[width:])))
        batches.append(text_batch(rows, width + 1))
    table = pa.Table.from_batches(batches or [text_batch([], width + 1)])
    if pc.any(pc.not_equal(table.column(f"c{width}"), "")).as_py():
        return Loaded(table, (*headers, OVERFLOW), faults)
    return Loaded(table.drop_columns([f"c{width}"]), headers, faults)


def _spoilt(fields: list[str], width: int) -> str | None:
    if any(_LOST in cell or "\x00" in cell for cell in fields):
        return "wrong encoding"
    if len(fields) < width or any(cell.strip() for cell in fields[width:]):
        return "wrong number of fields"
    return None
