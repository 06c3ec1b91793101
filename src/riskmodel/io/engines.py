"""DuckDB with its doors shut: what a foreign file can make it do.

A database file can hold a view that reads any file of the machine, and ask for extensions to be fetched.
Files are therefore opened by engines that reach no file but those they were opened for, fetch nothing, and
whose settings nobody can open again; and of a foreign database only base tables are looked at, never a view.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from riskmodel.io.limits import resource_limits
from riskmodel.io.scratch import ScratchFolder

# Each a door of its own: what reaches files and addresses, and what fetches code.
_SHUT = (
    "autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions",
    "enable_external_access",
)  # fmt: skip
# What lies beside a database file, and is looked for when it is opened.
_BESIDE = ("", ".wal", ".wal.checkpoint", ".wal.recovery")


def open_engine(files: Sequence[Path] = (), held: str = "county") -> Any:
    """Open an engine in memory, within the limits of this process, that reads no files but some.

    Parameters
    ----------
    files
        Parquet and DuckDB files that may be read: `parquet_path` and plain paths, made absolute.
    held
        Name of its compressed database in memory, which it uses.

    Returns
    -------
    ibis backend
        What does not fit into memory goes to a folder of its own, which is deleted with the engine.
    """
    import duckdb
    import ibis

    con = ibis.duckdb.connect()
    # It is printed on stdout, beside a verb's summary; a notebook without widgets has none to switch off.
    with contextlib.suppress(duckdb.Error):
        con.raw_sql("SET enable_progress_bar = false")
    con.spill = ScratchFolder("engine")
    told = [*resource_limits().statements, f"SET temp_directory = {_text(con.spill.path)}"]
    # Rows take a sixth of the memory where they are compressed, and are looked through sooner.
    told += [f"ATTACH ':memory:' AS {held} (COMPRESS)", f"USE {held}"]
    paths = [path for file in files for path in _reached(file)]
    told += [f"SET allowed_paths = [{', '.join(map(_text, paths))}]"] if paths else []
    for statement in (*told, *(f"SET {door} = false" for door in _SHUT), "SET lock_configuration = true"):
        con.raw_sql(statement)
    return con


def open_database(path: Path, read_only: bool = True) -> Any:
    """Open a foreign DuckDB file by itself, with no way out of it.

    Raises
    ------
    duckdb.Error
        If it is no such file.
    """
    import duckdb

    config: dict[str, Any] = {**dict.fromkeys(_SHUT, "false"), "lock_configuration": "true"}
    return duckdb.connect(str(path), read_only=read_only, config=config)


def base_tables(con: Any) -> list[tuple[str, str]]:
    """Return schema and name of the tables of a database that hold rows themselves, sorted."""
    sql = "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1, 2"
    return [(str(schema), str(name)) for schema, name in con.execute(sql).fetchall()]


def views(con: Any) -> list[str]:
    """Return the names of a database's views, sorted: nobody looks at them, and their reader is told."""
    sql = "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    return [str(name) for (name,) in con.execute(sql).fetchall()]


def parquet_path(file: Path) -> str:
    """Return a file's path as ``read_parquet`` takes it: brackets and stars in its name are no patterns."""
    return re.sub(r"([*?\[])", r"[\1]", str(file.absolute()))


def _reached(file: Path) -> Iterable[str]:
    if file.suffix.lower() == ".parquet":
        return {parquet_path(file): None, str(file.absolute()): None}
    return [f"{file.absolute()}{ending}" for ending in _BESIDE]


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"
