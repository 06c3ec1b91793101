"""Files to raw DuckDB tables: ``row_``, then ``c0, c1, …`` as they stand, with what each column means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import ibis.expr.types as ir

from riskmodel.data.csv_file import load_csv
from riskmodel.data.excel_file import load_sheet
from riskmodel.data.headers import match
from riskmodel.data.loaded import ROW, Loaded
from riskmodel.data.sources import Source
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message
from riskmodel.io.files import first_line

# Types that parsing understands as they are; any other is read as text.
_PLAIN = {"VARCHAR", "BOOLEAN", "DATE", "FLOAT", "DOUBLE", "TIMESTAMP"}
_PLAIN |= {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG")} | {
    "INTEGER",
    "UINTEGER",
}


@dataclass(frozen=True)
class Raw:
    """One table as its file gives it.

    Parameters
    ----------
    table, file : str
        The contract's table, and the file as people know it.
    rows : ibis.Table
        ``row_``, then ``c0, c1, …``.
    headers : mapping
        ``c0, c1, …`` to the file's own header.
    at : mapping
        Column of the contract to ``c0, c1, …``.
    faults : list of tuple
        ``(row, header, reason)`` of rows that the file format spoils.
    """

    table: str
    file: str
    rows: ir.Table
    headers: Mapping[str, str]
    at: Mapping[str, str]
    faults: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def others(self) -> list[str]:
        """The columns that the contract does not know."""
        return [c for c in self.headers if c not in self.at.values()]


def open_raw(con: Any, source: Source) -> tuple[Raw | None, list[Message]]:
    """Bring one source into DuckDB, as it stands.

    Parameters
    ----------
    con : ibis DuckDB backend
    source : Source

    Returns
    -------
    raw : Raw or None
        None where the file has not even a header.
    notices : list of Message

    Raises
    ------
    InputRefused
        If it cannot be read, lacks a required column, or has two columns of one meaning.
    """
    name = f"raw_{source.table}"
    try:
        if source.path.stat().st_size == 0:
            return None, [Message("data.notices.empty file", {"file": source.file})]
        if source.kind in ("parquet", "duckdb"):
            headers = _view(con, source, name)
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
    at = {column: f"c{i}" for column, i in match(source.table, headers, source.file).items()}
    raw = Raw(
        table=source.table,
        file=source.file,
        rows=con.table(name),
        headers={f"c{i}": header for i, header in enumerate(headers)},
        at=at,
        faults=loaded.faults if loaded else [],
    )
    unread = [raw.headers[c] for c in raw.others if raw.headers[c]]
    notices = list(loaded.notices) if loaded else []
    if unread:
        notices.append(Message("data.notices.unknown columns", {"file": raw.file, "what": ", ".join(unread)}))
    return raw, notices


def _load(source: Source) -> Loaded | None:
    if source.kind == "csv":
        return load_csv(source.path, source.table)
    return load_sheet(source.inside, source.table, source.file)


def _view(con: Any, source: Source, name: str) -> tuple[str, ...]:
    """Make a view with the file's rows and return its headers."""
    path = str(source.path).replace("'", "''")
    if source.kind == "parquet":
        # A bracket or star in a folder's name is no pattern.
        path = re.sub(r"([*?\[])", r"[\1]", path)
        origin, row = f"read_parquet('{path}', file_row_number=true)", "file_row_number + 1"
    else:
        con.raw_sql(f"ATTACH IF NOT EXISTS '{path}' AS source (READ_ONLY)")
        origin, row = f"source.{_quoted(source.inside)}", "row_number() OVER ()"
    described = con.raw_sql(f"DESCRIBE SELECT * FROM {origin}").fetchall()
    columns = [(str(column), str(kind)) for column, kind, *_ in described if column != "file_row_number"]
    cells = [f"{_cell(column, kind)} AS c{i}" for i, (column, kind) in enumerate(columns)]
    con.raw_sql(f"CREATE TEMP VIEW {name} AS SELECT {', '.join([f'{row} AS {ROW}', *cells])} FROM {origin}")
    return tuple(column for column, _ in columns)


def _cell(column: str, kind: str) -> str:
    if kind in _PLAIN or kind.startswith("DECIMAL"):
        return _quoted(column)
    if kind == "TIMESTAMP WITH TIME ZONE":
        # An instant belongs to the day it had at the office.
        return f"timezone('Asia/Shanghai', {_quoted(column)})"
    if kind.startswith("TIMESTAMP"):
        return f"CAST({_quoted(column)} AS TIMESTAMP)"
    return f"CAST({_quoted(column)} AS VARCHAR)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
