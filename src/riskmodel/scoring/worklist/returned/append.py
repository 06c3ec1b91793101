"""Adding rows to a table in the format it has, all at once or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riskmodel.data import find_encoding, header_row
from riskmodel.errors import InputRefused
from riskmodel.io.files import atomic
from riskmodel.scoring.worklist.returned.filled import TITLE_LINES, Visit
from riskmodel.scoring.worklist.returned.table import COLUMNS, TABLE, Target, stamp

_BOM = b"\xef\xbb\xbf"


def append(target: Target, visits: Sequence[Visit], recorded_on: dt.date) -> Path:
    """Add visits to the table, keeping its format, its headers, its words and what it holds.

    Parameters
    ----------
    target : Target
    visits : sequence of Visit
    recorded_on : date
        The day the office came to know them: written beside each, so that no earlier as-of sees them.

    Returns
    -------
    Path
        The file, replaced whole; untouched where there is nothing to add.

    Raises
    ------
    InputRefused
        If the file is no longer the one that was read: what another import wrote is never lost.
    """
    writers: Mapping[str, Callable[..., None]] = {
        "csv": _csv,
        "parquet": _parquet,
        "xlsx": _xlsx,
        "duckdb": _duckdb,
    }
    if visits:
        with atomic(target.path) as temporary:
            writers[target.kind](target, visits, recorded_on, temporary)
            if stamp(target.path) != target.seen:
                raise InputRefused(f"{target.path}: was changed by someone else meanwhile; import again")
    return target.path


def _columns(target: Target, visits: Sequence[Visit]) -> list[str]:
    """Return the columns of a row in file order; an empty name where the file has a column of its own."""
    place = {position: column for column, position in target.at.items()}
    return [place.get(i, "") for i in range(len(target.headers))] + target.added(visits)


def _rows(target: Target, visits: Sequence[Visit], recorded_on: dt.date) -> list[list[Any]]:
    columns = _columns(target, visits)
    known = set(COLUMNS)
    return [[target.cell(c, v, recorded_on) if c in known else None for c in columns] for v in visits]


def _csv(target: Target, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    data = target.path.read_bytes() if target.path.is_file() else _BOM
    bom = _BOM if data.startswith(_BOM) else b""
    encoding, _ = find_encoding(data.removeprefix(_BOM), target.path.name)
    # Bytes that are no text stay what they are.
    text = data.removeprefix(_BOM).decode(encoding, errors="surrogateescape")
    end = "\r\n" if "\r\n" in text else "\n"
    added = target.added(visits)
    body = _text_rows(_rows(target, visits, recorded_on), _delimiter(text), end)
    if text and not text.endswith("\n"):
        text += end
    if added:
        text = _widened(text, [target.header(c) for c in added], end)
    out.write_bytes(bom + (text + body).encode(encoding, errors="surrogateescape"))


def _delimiter(text: str) -> str:
    head = text[:4096]
    return max(",\t;", key=head.count)


def _text_rows(rows: Sequence[Sequence[Any]], delimiter: str, end: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue()


def _widened(text: str, headers: list[str], end: str) -> str:
    """Return the text with columns added on the right of the header and of every row below it."""
    if not text.strip():
        return _text_rows([headers], ",", end)
    delimiter = _delimiter(text)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    top = header_row(TABLE, rows[:TITLE_LINES])
    wide = len(rows[top])
    filled = [row + [""] * (wide - len(row)) for row in rows]
    blank = [""] * len(headers)
    wider = [row if i < top else row + (headers if i == top else blank) for i, row in enumerate(filled)]
    return _text_rows(wider, delimiter, end)


def _parquet(target: Target, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = pq.read_table(target.path) if target.path.is_file() else None
    columns = _columns(target, visits)
    cells = list(zip(*_rows(target, visits, recorded_on), strict=True))
    fields, arrays = [], []
    for i, (column, values) in enumerate(zip(columns, cells, strict=True)):
        own = old.schema.field(i) if old is not None and i < len(target.headers) else None
        if own is None:
            kinds = {"chance": pa.float64(), "date": pa.date32(), "recorded_on": pa.date32()}
            own = pa.field(target.header(column), kinds.get(column, pa.string()))
        plain = own.type.value_type if pa.types.is_dictionary(own.type) else own.type
        fields.append(pa.field(own.name, plain))
        arrays.append(pa.array([_typed(v, plain) for v in values], plain))
    new = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    if old is not None:
        for field in fields[len(old.schema) :]:
            old = old.append_column(field, pa.nulls(old.num_rows, field.type))
        new = pa.concat_tables([old.cast(pa.schema(fields)), new])
    pq.write_table(new, out)


def _typed(value: Any, kind: Any) -> Any:
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return value.isoformat() if isinstance(value, dt.date) else str(value)
    if pa.types.is_timestamp(kind) and isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    if pa.types.is_integer(kind):
        return int(value)
    return value


def _xlsx(target: Target, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import openpyxl

    there = target.path.is_file()
    book = openpyxl.load_workbook(target.path) if there else openpyxl.Workbook()
    if not there:
        book.active.title = target.inside
    sheet = book[target.inside] if target.inside in book.sheetnames else book.create_sheet(target.inside)
    filled = [[("" if c is None else str(c)) for c in row] for row in sheet.iter_rows(values_only=True)]
    top = header_row(TABLE, filled[:TITLE_LINES]) if target.headers else 0
    last = max((i for i, row in enumerate(filled) if any(row)), default=-1)
    for j, column in enumerate(target.added(visits), start=len(target.headers) + 1):
        sheet.cell(top + 1, j, target.header(column))
    for i, row in enumerate(_rows(target, visits, recorded_on), start=max(last, top) + 2):
        for j, value in enumerate(row, start=1):
            if value is not None:
                cell = sheet.cell(i, j, value)
                if isinstance(value, dt.date):
                    cell.number_format = "yyyy-mm-dd"
                elif isinstance(value, str):
                    cell.data_type = "s"  # an id that begins with = is no formula
    book.save(out)


def _duckdb(target: Target, visits: Sequence[Visit], recorded_on: dt.date, out: Path) -> None:
    import duckdb

    shutil.copyfile(target.path, out)
    name = '"' + str(target.inside).replace('"', '""') + '"'
    kinds = {"date": "DATE", "recorded_on": "DATE", "chance": "DOUBLE"}
    added = target.added(visits)
    columns = [(target.header(c), kinds.get(c, "VARCHAR")) for c in added]
    with duckdb.connect(str(out)) as con:
        if not target.headers:
            told = ", ".join(f'"{n}" {k}' for n, k in columns)
            con.execute(f"CREATE TABLE {name} ({told})")
        else:
            for header, kind in columns:
                con.execute(f'ALTER TABLE {name} ADD COLUMN "{header}" {kind}')
        rows = _rows(target, visits, recorded_on)
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
