"""Any file as grids: what it is is seen from its content, because its name often says something else."""

from __future__ import annotations

import datetime as dt
import decimal
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from riskmodel.errors import InputRefused
from riskmodel.grids.grid import Cell, Grid, Skipped, trim
from riskmodel.grids.markup import read_html, read_xml_spreadsheet
from riskmodel.grids.old_excel import OLE_SIGNATURE, OleFile
from riskmodel.grids.text_files import BOM, read_text
from riskmodel.grids.workbooks import read_workbook
from riskmodel.i18n import Message
from riskmodel.io import base_tables, first_line, open_database

WORKBOOKS = ("xlsx", "xlsb", "xls", "ods")
# A text under another name is a document or a program's own file; a workbook's name on a text is an export.
_TEXT_ENDINGS = ("", ".csv", ".txt", ".tsv", ".tab", ".dat", ".prn", ".xls", ".xlsx", ".et", ".asc")
_SIGNATURES = {
    b"PAR1": "parquet",
    b"%PDF": "document",
    b"{\\rtf": "document",
    b"\xff\xd8\xff": "picture",
    b"\x89PNG": "picture",
    b"GIF8": "picture",
    b"II*\x00": "picture",
    b"MM\x00*": "picture",
    b"Rar!": "archive",
    b"7z\xbc\xaf": "archive",
    b"\x1f\x8b": "archive",
    b"SQLite format 3": "database",
    b"\x00\x01\x00\x00Standard": "database",
    b"$FL2": "survey",
    b"$FL3": "survey",
    b"<stata_dta>": "survey",
}
_PAGE_STARTS = (b"<html", b"<table", b"<!doctype html", b"<meta", b"<head", b"<style", b"<div", b"<!--")
_SURVEYS = (".dta", ".sav", ".zsav", ".por", ".sas7bdat")
_HEAD = 4096


def file_kind(path: Path) -> str:
    """Return what a file is.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        One of `WORKBOOKS`; ``text``, ``html``, ``xml``, ``parquet``, ``duckdb``; or why it is no table, a
        key of the reasons for skipping: ``empty file``, ``password``, ``document``, ``picture``, ``archive``,
        ``database``, ``survey``, ``broken``, ``no table``, ``lock file``.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    if path.name.startswith("~$"):
        return "lock file"
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if not head.strip(b"\x00\r\n\t ").removeprefix(BOM):
        return "empty file"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(OLE_SIGNATURE):
        return _ole_kind(path)
    if head[8:12] == b"DUCK":
        return "duckdb"
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if path.suffix.lower() in _SURVEYS:
        return "survey"
    return _text_kind(head, path.suffix.lower())


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            items = archive.infolist()
            names = {item.filename.lower().replace("\\", "/") for item in items}
            if "content.xml" in names:
                mime = archive.read("mimetype") if "mimetype" in names else b""
                manifest = archive.read("META-INF/manifest.xml") if "meta-inf/manifest.xml" in names else b""
                if b"encryption-data" in manifest:
                    return "password"
                return "document" if b"opendocument" in mime and b"spreadsheet" not in mime else "ods"
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError):
        return "broken"
    if "xl/workbook.bin" in names:
        return "xlsb"
    if any(name.startswith("xl/") for name in names):
        return "xlsx"
    if any(name.startswith(("word/", "ppt/")) for name in names):
        return "document"
    return "password" if any(item.flag_bits & 1 for item in items) else "archive"


def _ole_kind(path: Path) -> str:
    try:
        streams = OleFile(path.read_bytes()).streams
    except InputRefused:
        return "broken"
    if "EncryptedPackage" in streams:
        return "password"
    return "xls" if {"Workbook", "Book", "WORKBOOK", "BOOK"} & set(streams) else "document"


def _text_kind(head: bytes, ending: str) -> str:
    start = head.removeprefix(BOM)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.decode("utf-16", "ignore").encode()
    start = start.lstrip().lower()
    if b"urn:schemas-microsoft-com:office:spreadsheet" in start and start.startswith(b"<?xml"):
        return "xml"
    if start.startswith(_PAGE_STARTS):
        return "html"
    if start.startswith(b"mime-version:") or (start.startswith(b"<?xml") and b"<html" in start):
        return "html"
    return "no table" if ending not in _TEXT_ENDINGS or start.startswith((b"<?xml", b"{", b"[")) else "text"


def read_file(path: Path, file: str | None = None) -> tuple[list[Grid], list[Skipped]]:
    r"""Read every table of a file.

    Parameters
    ----------
    path
        The file.
    file
        The name that is shown to people; its own if None.

    Returns
    -------
    grids : list of Grid
        In the order of the file.
    skipped : list of Skipped
        What holds no table that can be read, and why: sheets, or the whole file.

    Examples
    --------
    >>> from pathlib import Path
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "户.csv"
    ...     _ = path.write_bytes("户编号,金额\n001,12\n".encode("gb18030"))
    ...     read_file(path)[0][0].rows
    [['户编号', '金额'], ['001', '12']]
    """
    name = path.name if file is None else file
    kind = file_kind(path)
    if kind in WORKBOOKS:
        return read_workbook(path, name, kind)
    if kind not in _READERS:
        return [], [_skipped(name, kind)]
    try:
        grids = _READERS[kind](path, name)
    except InputRefused as exc:
        return [], [_skipped(name, "broken", why=str(exc))]
    # A text that nothing cuts into columns is prose, unless its name says that it is a table.
    if kind == "text" and path.suffix.lower() != ".csv":
        grids = [grid for grid in grids if grid.width > 1]
    return grids, [] if grids else [_skipped(name, "no table")]


def _skipped(file: str, kind: str, **values: str) -> Skipped:
    values = {"why": "", **values}
    return Skipped(file, "", Message(f"grids.skipped.{kind}", {"file": file, **values}))


def _text(path: Path, file: str) -> list[Grid]:
    grid = read_text(path.read_bytes(), file)
    return [grid] if grid else []


def _parquet(path: Path, file: str) -> list[Grid]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as exc:
        raise InputRefused(f"{file}: cannot be read as parquet ({first_line(exc)}); export it again") from exc
    columns = (column.to_pylist() for column in table.columns)
    return [_stored(file, "", table.column_names, zip(*columns, strict=True))]


def _duckdb(path: Path, file: str) -> list[Grid]:
    import duckdb

    try:
        with open_database(path) as con:
            grids = []
            for schema, name in base_tables(con):
                quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
                done = con.execute(f"SELECT * FROM {quoted}")
                headers = [column[0] for column in done.description or []]
                grids.append(_stored(file, name, headers, done.fetchall()))
            return grids
    except duckdb.Error as exc:
        raise InputRefused(f"{file}: cannot be read as a DuckDB file ({first_line(exc)})") from exc


def _stored(file: str, sheet: str, headers: list[str], rows: Iterable[Iterable[Any]]) -> Grid:
    """Return a table of a database as a grid, its headers as the first row."""
    once = dict[str, str]().setdefault  # equal texts share their memory
    cells: list[list[Cell]] = [list(headers), *([_plain(value, once) for value in row] for row in rows)]
    return Grid(file, sheet, trim(cells))


def _plain(value: Any, once: Callable[[str, str], str]) -> Cell:
    if isinstance(value, str):
        return once(value, value) if value and not value.isspace() else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, bool | int | float | dt.date):
        return value
    return str(value)


_READERS: dict[str, Callable[[Path, str], list[Grid]]] = {
    "text": _text,
    "html": lambda path, file: read_html(path.read_bytes(), file),
    "xml": lambda path, file: read_xml_spreadsheet(path.read_bytes(), file),
    "parquet": _parquet,
    "duckdb": _duckdb,
}
