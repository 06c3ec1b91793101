"""Which files hold which table: a folder, one workbook, or one DuckDB file.

Files to raw DuckDB tables: ``row_``, then ``c0, c1, …`` as they stand, with what each column means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir
import pyarrow as pa

from riskmodel.data.file_formats import ROW, FileRows, load_csv, load_sheet, open_workbook
from riskmodel.data.schema import TIME_ZONE, contract, match_headers
from riskmodel.errors import InputRefused, nearest
from riskmodel.grids import WORKBOOKS, Grid, file_kind, read_file
from riskmodel.i18n import Message
from riskmodel.io import base_tables, entries_within, first_line, open_database, parquet_path, views

FORMATS = (".parquet", ".csv", ".xlsx")
FRAME = "frame"  # a table in memory
DUCKDB = (".duckdb", ".ddb", ".db")
# Other endings that tables come with; what such a file is, is seen from its content.
_OTHER_FORMATS = (".xls", ".ods", ".xlsm", ".xlsb", ".et", ".tsv", ".txt")
GRID = "grid"  # the kind of a file that is read as a grid of cells
_MARKUP = ("html", "xml")
FILE_ENDINGS = (".xlsx", *DUCKDB)  # of one file that holds a whole county
# Written beside the tables by this package or by hand; none of them is a table.
_OURS = {"about.yaml", "about.yml", "truth.parquet", "lower_bound.parquet", "rejected.csv", "cells.csv"}
_OURS |= {"equal_rows.csv", "dropped.csv", "quality.json", "quality.md", "cases-log.sqlite"}
_OURS |= {"reading.json", "reading.xlsx", "problems.csv", "corrections.csv", "map.yaml"}


@dataclass(frozen=True)
class Source:
    """Where one table stands: a file and, in a workbook or a DuckDB file, the name inside it; or a frame."""

    table: str
    path: Path
    kind: str
    inside: Any = None

    @property
    def file(self) -> str:
        """The name that is shown to people."""
        inside = self.sheet
        return f"{self.path.name}:{inside}" if inside and inside != self.path.stem else self.path.name

    @property
    def sheet(self) -> str:
        """The sheet of a workbook, or the table of a DuckDB file; empty for a file that holds one table."""
        if self.kind == FRAME:
            return ""
        inside = self.inside.sheet if isinstance(self.inside, Grid) else self.inside
        return inside if isinstance(inside, str) else getattr(inside, "title", "")


def load_frame(frame: pa.Table) -> FileRows:
    """Return a table in memory as a file gives its rows, counted from 1."""
    names = [f"c{i}" for i in range(frame.num_columns)]
    rows = frame.rename_columns(names).add_column(0, ROW, pa.array(range(1, frame.num_rows + 1), pa.int64()))
    return FileRows(rows, tuple(frame.column_names))


def table_of(name: str) -> str | None:
    """Return the table that a file, sheet or database table is named after, in either language.

    Examples
    --------
    >>> table_of("农户"), table_of("Income"), table_of("truth")
    ('households', 'income', None)
    """
    word = name.strip().lower()
    tables = ((t, spec) for t, spec in contract().tables.items() if not spec.derived)
    return next((t for t, spec in tables if word in (t, spec.zh)), None)


def find_sources(data: Path) -> tuple[list[Source], list[Message]]:
    """Find every table of a county.

    Parameters
    ----------
    data
        A folder, a workbook (.xlsx, .xls, .ods) with one sheet a table, or a DuckDB file.

    Returns
    -------
    sources : list of Source
        In the order of the contract.
    notices : list of Message
        Files and sheets that are no table, and which table a name is nearly that of.

    Raises
    ------
    InputRefused
        If there is nothing there, or a table stands in two places.
    """
    if not data.exists():
        raise InputRefused(f"{data}: no such file or folder; give a folder with households, members, income")
    if data.is_dir():
        found, notices = _in_folder(data)
    elif data.suffix.lower() in DUCKDB:
        found, unread = _in_duckdb(data)
        notices = _unread_notices(unread)
    elif data.suffix.lower() in (".xlsx", *_OTHER_FORMATS) and _kind(data) not in (None, "csv"):
        found, unread = _in_workbook(data)
        notices = _unread_notices(unread)
    else:
        raise InputRefused(
            f"{data}: give a folder of {', '.join(FORMATS)} files, a workbook, or a .duckdb file"
        )
    places: dict[str, Source] = {}
    for source in found:
        if source.table in places:
            both = f"{places[source.table].file} and {source.file}"
            raise InputRefused(f"{data}: {both} both hold the table {source.table}; keep one of them")
        places[source.table] = source
    missing = [f"{t} {contract().tables[t].zh}" for t in contract().required if t not in places]
    if missing:
        raise InputRefused(
            f"{data}: no table {', '.join(missing)}; add a file of that name ({', '.join(FORMATS)})"
        )
    return [places[t] for t in contract().tables if t in places], notices


def _in_folder(folder: Path) -> tuple[list[Source], list[Message]]:
    found: list[Source] = []
    unread: list[tuple[str, str]] = []
    for path in entries_within(folder):
        # Excel leaves a lock file "~$…" beside an open workbook.
        if path.name.lower() in _OURS or path.name.startswith((".", "~$")) or not path.is_file():
            continue
        sources, sheets = _in_file(path)
        found += sources
        # Whatever its name, a document or picture is not meant as a table.
        unread += sheets if sources else [(path.name, path.stem if _kind(path) else "")]
    return found, _unread_notices(unread)


def _in_file(path: Path) -> tuple[list[Source], list[tuple[str, str]]]:
    """Return the tables of a file, and what it holds besides: how it is shown, and its name."""
    table, kind = table_of(path.stem), _kind(path)
    if kind in ("xlsx", GRID):
        return _in_workbook(path)
    if kind == "duckdb":
        return _in_duckdb(path)
    return [Source(table, path, kind)] if kind and table else [], []


def _kind(path: Path) -> str | None:
    """Return how a file is read: parquet, csv, xlsx, duckdb or grid; None where its name is no table's."""
    ending = path.suffix.lower()
    if ending in (".parquet", DUCKDB[0]):
        return ending[1:]
    if ending not in (*FORMATS, *_OTHER_FORMATS):
        return None
    content = file_kind(path)
    if content == "xlsx" and ending in (".xlsx", ".xlsm"):
        return "xlsx"
    if content in (*WORKBOOKS, *_MARKUP, "password"):
        return GRID
    if ending in (".xls", ".et") and content == "text":
        return "csv"
    # What an .xlsx or .csv file really is, its own reader says.
    return {".xlsx": "xlsx", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}.get(ending, GRID)


def _in_workbook(path: Path) -> tuple[list[Source], list[tuple[str, str]]]:
    """Return the sheets named after tables, and the others; of a workbook so named, the first sheet."""
    if _kind(path) == "xlsx":
        sheets = [(s.title, s) for s in open_workbook(path).worksheets if s.sheet_state == "visible"]
        kind = "xlsx"
    else:
        sheets, kind = _grids(path), GRID
    named = [(table, sheet) for title, sheet in sheets if (table := table_of(title))]
    own = table_of(path.stem)
    if own and sheets and own not in [table for table, _ in named]:
        named = [(own, sheets[0][1])]
    taken = [sheet for _, sheet in named]
    others = [(f"{path.name}:{title}", title) for title, sheet in sheets if sheet not in taken]
    return [Source(table, path, kind, sheet) for table, sheet in named], others


def _grids(path: Path) -> list[tuple[str, Grid]]:
    """Return the visible sheets of a workbook of any format; refuses one that is a table but unreadable."""
    grids, skipped = read_file(path)
    if not grids and skipped and table_of(path.stem):
        raise InputRefused(skipped[0].why.text("en"))
    return [(grid.sheet, grid) for grid in grids if grid.visible]


def _unread_notices(unread: list[tuple[str, str]]) -> list[Message]:
    """Say what was not read, and what it may have been meant for."""
    tables = {t: spec.zh for t, spec in contract().tables.items() if not spec.derived}
    near = {shown: _near_table(name, [*tables, *tables.values()]) for shown, name in unread if name}
    notices = [
        Message("data.notices.nearly a table", {"file": shown, "what": close})
        for shown, close in near.items()
        if close
    ]
    others = [shown for shown, _ in unread if not near.get(shown)]
    if others:
        notices.append(Message("data.notices.unknown file", {"what": ", ".join(others)}))
    return notices


def _near_table(name: str, names: list[str]) -> str | None:
    """Return the name of a table that another name was probably meant for: one within it, or alike."""
    plain = name.strip().lower()
    within = [known for known in names if known in plain]
    return max(within, key=len) if within else nearest(plain, names)


def _in_duckdb(path: Path) -> tuple[list[Source], list[tuple[str, str]]]:
    """Return the base tables of a database; a view is no table, whatever its name: it is never executed."""
    try:
        with open_database(path) as con:
            names, unread = base_tables(con), views(con)
    except duckdb.Error as exc:
        raise InputRefused(f"{path.name}: cannot be read as a DuckDB file ({first_line(exc)})") from exc
    found = [Source(table, path, "duckdb", name) for _, name in names if (table := table_of(name))]
    return found, [(f"{path.name}: {name} (VIEW)", "") for name in unread]


# Types that parsing understands as they are; any other is read as text.
_PLAIN = {"VARCHAR", "BOOLEAN", "DATE", "FLOAT", "DOUBLE", "TIMESTAMP"}
_PLAIN |= {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG")} | {
    "INTEGER",
    "UINTEGER",
}


@dataclass(frozen=True)
class RawTable:
    """One table as its file gives it.

    Parameters
    ----------
    table, file
        The contract's table, and the file as people know it.
    rows
        ``row_``, then ``c0, c1, …``.
    headers
        ``c0, c1, …`` to the file's own header.
    at
        Column of the contract to ``c0, c1, …``.
    faults
        ``(row, header, reason)`` of rows that the file format spoils.
    sheet
        Of a workbook, or the table of a DuckDB file; empty for a file that holds one table.
    """

    table: str
    file: str
    rows: ir.Table
    headers: Mapping[str, str]
    at: Mapping[str, str]
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    sheet: str = ""

    @property
    def others(self) -> list[str]:
        """The columns that the contract does not know."""
        return [c for c in self.headers if c not in self.at.values()]


def open_raw_table(con: Any, source: Source, zone: str = TIME_ZONE) -> tuple[RawTable | None, list[Message]]:
    """Bring one source into DuckDB, as it stands.

    Parameters
    ----------
    con
        The connection that is to hold it.
    source
        One of `find_sources`.
    zone
        Time zone of the dates of instants.

    Returns
    -------
    raw : Raw or None
        None where the file has not even a header.
    notices : list of Message
        What to tell of it: columns not read, title rows, hidden columns.

    Raises
    ------
    InputRefused
        If it cannot be read, lacks a required column, or has two columns of one meaning.
    """
    name = f"raw_{source.table}"
    try:
        if source.kind != FRAME and source.path.stat().st_size == 0:
            return None, [Message("data.notices.empty file", {"file": source.file})]
        if source.kind in ("parquet", "duckdb"):
            headers = _view(con, source, name, zone)
            loaded = None
        else:
            loaded = _load(source)
            if loaded is None:
                return None, [Message("data.notices.empty file", {"file": source.file})]
            headers = loaded.headers
            con.con.register(name, loaded.rows)
    except (OSError, duckdb.Error) as exc:
        raise InputRefused(
            f"{source.file}: cannot be read as {source.kind} ({first_line(exc)}); export it again"
        ) from exc
    at = {column: f"c{i}" for column, i in match_headers(source.table, headers, source.file).items()}
    raw = RawTable(
        table=source.table,
        file=source.file,
        rows=con.table(name),
        headers={f"c{i}": header for i, header in enumerate(headers)},
        at=at,
        faults=loaded.faults if loaded else [],
        sheet=source.sheet,
    )
    unread = [raw.headers[c] for c in raw.others if raw.headers[c]]
    notices = list(loaded.notices) if loaded else []
    if unread:
        notices.append(Message("data.notices.unknown columns", {"file": raw.file, "what": ", ".join(unread)}))
    return raw, notices


def _load(source: Source) -> FileRows | None:
    if source.kind == FRAME:
        return load_frame(source.inside)
    if source.kind == "csv":
        return load_csv(source.path, source.table)
    return load_sheet(source.inside, source.table, source.file)


def _view(con: Any, source: Source, name: str, zone: str) -> tuple[str, ...]:
    """Make a view with the file's rows and return its headers."""
    is_parquet = source.kind == "parquet"
    path = (parquet_path(source.path) if is_parquet else str(source.path.absolute())).replace("'", "''")
    if is_parquet:
        options = "file_row_number=true, hive_partitioning=false"  # a folder county=… is no column
        origin, row = f"read_parquet('{path}', {options})", "file_row_number + 1"
    else:
        con.raw_sql(f"ATTACH IF NOT EXISTS '{path}' AS source (READ_ONLY)")
        origin, row = f"source.{_quoted(source.inside)}", "row_number() OVER ()"
    described = con.raw_sql(f"DESCRIBE SELECT * FROM {origin}").fetchall()
    columns = [(str(column), str(kind)) for column, kind, *_ in described if column != "file_row_number"]
    cells = [f"{_cell(column, kind, zone)} AS c{i}" for i, (column, kind) in enumerate(columns)]
    con.raw_sql(f"CREATE TEMP VIEW {name} AS SELECT {', '.join([f'{row} AS {ROW}', *cells])} FROM {origin}")
    return tuple(column for column, _ in columns)


def _cell(column: str, kind: str, zone: str) -> str:
    if kind in _PLAIN or kind.startswith("DECIMAL"):
        return _quoted(column)
    if kind == "TIMESTAMP WITH TIME ZONE":
        # An instant belongs to the day it had at the office.
        return f"timezone('{zone}', {_quoted(column)})"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({_quoted(column)} AS TIMESTAMP)"
    return f"CAST({_quoted(column)} AS VARCHAR)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
