"""Adding rows to a table of a county in its own file: format, headers, words and rows of the file stay.

The file is replaced whole or not at all, and never if somebody else changed it since it was read.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskmodel.data.schema import codes, column_words, contract, header_row
from riskmodel.data.sources import GRID, RawTable, Source
from riskmodel.errors import InputRefused
from riskmodel.grids import BOM, find_encoding
from riskmodel.io import atomic, open_database

TITLE_LINES = 10  # an office puts a title or two above the header
Row = Mapping[str, Any]  # column of the contract to its value: codes in English


@dataclass(frozen=True)
class TableFile:
    """A table of the contract as it stands in its file; ``path`` need not be there yet.

    ``kind`` is parquet, csv, xlsx or duckdb, ``inside`` the sheet or table in the file; ``headers`` are
    empty where there is no table yet, ``at`` gives a column's position in them. ``chinese`` says that headers
    and words are. ``seen`` is size and time of the file when it was read.
    """

    table: str
    path: Path
    kind: str
    inside: str | None
    headers: tuple[str, ...]
    at: dict[str, int]
    chinese: bool
    seen: tuple[int, int] | None = None

    def header(self, column: str) -> str:
        """Return what a column that is not there yet is to be called."""
        return column_words(self.table)[column] if self.chinese else column

    def cell(self, column: str, value: Any) -> Any:
        """Return one value as it is written: codes in the file's own language, None where there is none."""
        spec = contract().tables[self.table].columns.get(column)
        if not self.chinese or spec is None:
            return value
        if isinstance(value, bool):
            return "是" if value else "否"
        if isinstance(value, str) and spec.type in ("code", "codes"):
            words = codes(self.table, column)
            return ";".join(words.get(part, part) for part in value.split(";"))
        return value

    def new_columns(self, rows: Sequence[Row]) -> list[str]:
        """Return the columns that the table lacks and these rows fill, in the contract's order."""
        every = column_words(self.table)
        needed = [c for c in every if any(row.get(c) is not None for row in rows)]
        return [c for c in needed if c not in self.at]

    def columns(self, rows: Sequence[Row]) -> list[str]:
        """Return the columns of a row in file order; an empty name where the file has a column of its own."""
        place = {position: column for column, position in self.at.items()}
        return [place.get(i, "") for i in range(len(self.headers))] + self.new_columns(rows)

    def cells(self, rows: Sequence[Row]) -> list[list[Any]]:
        """Return rows as the file is to hold them."""
        columns = self.columns(rows)
        return [[self.cell(c, row.get(c)) if c else None for c in columns] for row in rows]


def table_file(
    folder: Path, table: str, sources: Mapping[str, Source], raw: RawTable | None, households: RawTable | None
) -> TableFile:
    """Return where a table stands, or where it is to stand: beside the households, in their format.

    Parameters
    ----------
    folder
        The county.
    table
        A table of the contract.
    sources
        The county's tables (`find_sources`), by name.
    raw
        The table as its file gives it; None where there is none.
    households
        The county's households, whose language a new table takes.
    """
    source, like = sources.get(table), raw or households
    chinese = like is not None and not next(iter(like.headers.values())).isascii()
    if like is not None and "household_id" in like.at:
        chinese = not like.headers[like.at["household_id"]].isascii()
    if source is not None:
        headers = tuple(raw.headers.values()) if raw else ()
        at = {c: int(cell[1:]) for c, cell in raw.at.items()} if raw else {}
        return TableFile(
            table, source.path, source.kind, source.sheet or None, headers, at, chinese, _stamp(source.path)
        )
    model = sources["households"]
    name = contract().tables[table].zh if chinese else table
    beside = model.path.parent == folder and model.kind != "duckdb"
    kind = "csv" if beside and model.kind == GRID else model.kind
    path = model.path.with_name(f"{name}.{kind}") if beside else model.path
    inside = {"xlsx": name, "duckdb": table}.get(kind)
    return TableFile(table, path, kind, inside, (), {}, chinese, _stamp(path))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from a changed one: size and time; None where there is none."""
    if not path.is_file():
        return None
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def append_rows(file: TableFile, rows: Sequence[Row]) -> None:
    """Add rows to a table.

    Parameters
    ----------
    file
        From `table_file`.
    rows
        Each with its columns of the contract, ``recorded_on`` among them: no earlier as-of sees it.

    Raises
    ------
    InputRefused
        If such a file cannot be added to, or it is no longer the one that was read: what another run wrote
        is never lost.
    """
    writers: Mapping[str, Callable[..., None]] = {
        "csv": _append_csv,
        "parquet": _append_parquet,
        "xlsx": _append_xlsx,
        "duckdb": _append_duckdb,
    }
    if file.kind not in writers:
        raise InputRefused(
            f"{file.path.name}: {file.table} cannot be added to such a file; save it as .xlsx or .csv"
        )
    if rows:
        with atomic(file.path) as temporary:
            writers[file.kind](file, rows, file.cells(rows), temporary)
            if _stamp(file.path) != file.seen:
                raise InputRefused(f"{file.path}: was changed by someone else meanwhile; import again")


def guess_delimiter(text: str) -> str:
    """Return the sign that stands most often at the head of a CSV file: comma, tab or semicolon."""
    return max(",\t;", key=text[:4096].count)


def _append_csv(file: TableFile, rows: Sequence[Row], cells: list[list[Any]], out: Path) -> None:
    data = file.path.read_bytes() if file.path.is_file() else BOM
    bom = BOM if data.startswith(BOM) else b""
    encoding, _ = find_encoding(data.removeprefix(BOM), file.path.name)
    # Bytes that are no text stay what they are.
    text = data.removeprefix(BOM).decode(encoding, errors="surrogateescape")
    end = "\r\n" if "\r\n" in text else "\n"
    body = _csv_text(cells, guess_delimiter(text), end)
    if text and not text.endswith("\n"):
        text += end
    if added := file.new_columns(rows):
        text = _widened(file, text, [file.header(c) for c in added], end)
    out.write_bytes(bom + (text + body).encode(encoding, errors="surrogateescape"))


def _csv_text(rows: Sequence[Sequence[Any]], delimiter: str, end: str) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator=end).writerows(rows)
    return buffer.getvalue()


def _widened(file: TableFile, text: str, headers: list[str], end: str) -> str:
    """Return the text with columns added on the right of the header and of every row below it."""
    if not text.strip():
        return _csv_text([headers], ",", end)
    delimiter = guess_delimiter(text)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    top = header_row(file.table, rows[:TITLE_LINES])
    width = len(rows[top])
    filled = [row + [""] * (width - len(row)) for row in rows]
    blank = [""] * len(headers)
    wider = [row if i < top else row + (headers if i == top else blank) for i, row in enumerate(filled)]
    return _csv_text(wider, delimiter, end)


def _append_parquet(file: TableFile, rows: Sequence[Row], cells: list[list[Any]], out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    old = pq.read_table(file.path) if file.path.is_file() else None
    kinds = {"date": pa.date32(), "number": pa.float64(), "amount": pa.float64(), "bool": pa.bool_()}
    fields, arrays = [], []
    for i, (column, values) in enumerate(zip(file.columns(rows), zip(*cells, strict=True), strict=True)):
        if old is not None and i < len(file.headers):
            name, kind = old.schema.field(i).name, old.schema.field(i).type
        else:
            name, kind = file.header(column), kinds.get(_type(file, column), pa.string())
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        fields.append(pa.field(name, plain))
        arrays.append(pa.array([_typed(v, plain) for v in values], plain))
    new = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    if old is not None:
        for field in fields[len(old.schema) :]:
            old = old.append_column(field, pa.nulls(old.num_rows, field.type))
        new = pa.concat_tables([old.cast(pa.schema(fields)), new])
    pq.write_table(new, out)


def _type(file: TableFile, column: str) -> str:
    spec = contract().tables[file.table].columns.get(column)
    return "date" if spec is None else spec.type  # `recorded_on` stands in no table of its own


def _typed(value: Any, kind: Any) -> Any:
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return value.isoformat() if isinstance(value, dt.date) else str(value)
    if pa.types.is_timestamp(kind) and isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time())
    return int(value) if pa.types.is_integer(kind) else value


def _append_xlsx(file: TableFile, rows: Sequence[Row], cells: list[list[Any]], out: Path) -> None:
    import openpyxl

    exists = file.path.is_file()
    book = openpyxl.load_workbook(file.path) if exists else openpyxl.Workbook()
    if not exists:
        book.active.title = file.inside
    sheet = book[file.inside] if file.inside in book.sheetnames else book.create_sheet(file.inside)
    filled = [[("" if c is None else str(c)) for c in row] for row in sheet.iter_rows(values_only=True)]
    top = header_row(file.table, filled[:TITLE_LINES]) if file.headers else 0
    last = max((i for i, row in enumerate(filled) if any(row)), default=-1)
    for j, column in enumerate(file.new_columns(rows), start=len(file.headers) + 1):
        sheet.cell(top + 1, j, file.header(column))
    for i, row in enumerate(cells, start=max(last, top) + 2):
        for j, value in enumerate(row, start=1):
            if value is not None:
                cell = sheet.cell(i, j, value)
                if isinstance(value, dt.date):
                    cell.number_format = "yyyy-mm-dd"
                elif isinstance(value, str):
                    cell.data_type = "s"  # an id that begins with = is no formula
    book.save(out)


def _append_duckdb(file: TableFile, rows: Sequence[Row], cells: list[list[Any]], out: Path) -> None:
    shutil.copyfile(file.path, out)
    name = '"' + str(file.inside).replace('"', '""') + '"'
    kinds = {"date": "DATE", "number": "DOUBLE", "amount": "DECIMAL(18,4)", "bool": "BOOLEAN"}
    columns = [f'"{file.header(c)}" {kinds.get(_type(file, c), "VARCHAR")}' for c in file.new_columns(rows)]
    with open_database(out, read_only=False) as con:
        if not file.headers:
            con.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
        else:
            for column in columns:
                con.execute(f"ALTER TABLE {name} ADD COLUMN {column}")
        con.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(cells[0]))})", cells)
