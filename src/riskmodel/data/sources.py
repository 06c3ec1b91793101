"""Which files hold which table: a folder, one workbook, or one DuckDB file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskmodel.data.excel_file import open_workbook
from riskmodel.data.schema import contract
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message

FORMATS = (".parquet", ".csv", ".xlsx")
DUCKDB = (".duckdb", ".ddb", ".db")
# Written beside the tables by this package or by hand; none of them is a table.
_OURS = {"about.yaml", "about.yml", "truth.parquet", "rejected.csv", "quality.json", "quality.md"}


@dataclass(frozen=True)
class Source:
    """Where one table stands: a file and, in a workbook or a DuckDB file, the name inside it."""

    table: str
    path: Path
    kind: str
    inside: Any = None

    @property
    def file(self) -> str:
        """The name that is shown to people."""
        inside = self.inside if isinstance(self.inside, str) else getattr(self.inside, "title", None)
        return f"{self.path.name}:{inside}" if inside and inside != self.path.stem else self.path.name


def table_of(name: str) -> str | None:
    """Return the table that a file, sheet or database table is named after, in either language.

    Examples
    --------
    >>> table_of("农户"), table_of("Income"), table_of("truth")
    ('households', 'income', None)
    """
    word = name.strip().lower()
    return next((t for t, spec in contract().tables.items() if word in (t, spec.zh)), None)


def find_sources(data: Path) -> tuple[list[Source], list[Message]]:
    """Find every table of a county.

    Parameters
    ----------
    data : Path
        A folder, an .xlsx workbook with one sheet a table, or a DuckDB file.

    Returns
    -------
    sources : list of Source
        In the order of the contract.
    notices : list of Message
        Files that are no table.

    Raises
    ------
    InputRefused
        If there is nothing there, or a table stands in two places.
    """
    if not data.exists():
        raise InputRefused(f"{data}: no such file or folder; give a folder with households, members, income")
    if data.is_dir():
        found, notices = _in_folder(data)
    elif data.suffix.lower() == ".xlsx":
        found, notices = list(_in_workbook(data)), []
    elif data.suffix.lower() in DUCKDB:
        found, notices = _in_duckdb(data), []
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
    others: list[str] = []
    for path in sorted(folder.iterdir()):
        kind = path.suffix.lower()
        # Excel leaves a lock file "~$…" beside an open workbook.
        if path.name.lower() in _OURS or path.name.startswith((".", "~$")) or not path.is_file():
            continue
        table = table_of(path.stem)
        if kind == ".xlsx":
            sources = list(_in_workbook(path))
        elif kind == DUCKDB[0]:
            sources = _in_duckdb(path)
        elif kind in FORMATS and table:
            sources = [Source(table, path, kind[1:])]
        else:
            sources = []
        if not sources:
            others.append(path.name)
        found += sources
    notices = [Message("data.notices.unknown file", {"what": ", ".join(others)})] if others else []
    return found, notices


def _in_workbook(path: Path) -> Iterator[Source]:
    """Yield the sheets named after tables; in a workbook named after a table, else its first sheet."""
    sheets = [sheet for sheet in open_workbook(path).worksheets if sheet.sheet_state == "visible"]
    named = [(table, sheet) for sheet in sheets if (table := table_of(sheet.title))]
    own = table_of(path.stem)
    if own and sheets and own not in [table for table, _ in named]:
        named = [(own, sheets[0])]
    yield from (Source(table, path, "xlsx", sheet) for table, sheet in named)


def _in_duckdb(path: Path) -> list[Source]:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as con:
            rows = con.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall()
    except duckdb.Error as exc:
        raise InputRefused(f"{path.name}: cannot be read as a DuckDB file ({exc})") from exc
    return [Source(table, path, "duckdb", name) for (name,) in rows if (table := table_of(name))]
