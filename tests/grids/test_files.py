"""What a file is is seen from its content; what is no table is skipped with what to do."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import zipfile

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskmodel.grids import read_file

from .test_workbooks import OLD, TABLE, ods

TEXT = "户编号,金额\n0012,12.5\n"
ROWS = [["户编号", "金额"], ["0012", "12.5"]]


def xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in files.items():
            packed.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def encrypted(data: bytes) -> bytes:
    """Return a compound file whose stream is called as in a workbook with a password."""
    name, wanted = ("Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le"))
    at = data.rindex(name + bytes(48))
    entry = wanted.ljust(64, b"\x00") + (len(wanted) + 2).to_bytes(2, "little")
    return data[:at] + entry + data[at + 66 :]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TEXT.encode("gb18030")),
        ("a.csv", xlsx()),
        ("a.et", xlsx()),
        ("a.xls", xlsx()),
        ("a.xls", TEXT.replace(",", "\t").encode("gb18030")),
        ("a.xls", TEXT.replace(",", "\t").encode("utf-16")),
        ("a.xls", b"<table><tr><td>\xbb\xa7\xb1\xe0\xba\xc5<td>\xbd\xf0\xb6\xee<tr><td>0012<td>12.5</table>"),
        ("a.txt", TEXT.replace(",", "|").encode()),
    ],
)
def test_content_decides_and_not_the_ending(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    (grid,), skipped = read_file(path)
    assert (grid.file, grid.rows, skipped) == (name, ROWS, [])


def test_old_and_open_workbooks_under_other_names(tmp_path):
    for content in (OLD.read_bytes(), ods(TABLE)):
        path = tmp_path / "a.et"
        path.write_bytes(content)
        assert read_file(path)[0][0].rows[0][0] == "户编号"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "empty file"),
        ("a.csv", b"\r\n", "empty file"),
        ("a.xlsx", b"PK\x03\x04 nonsense", "broken"),
        ("a.xlsx", b"PK nonsense", "no table"),
        ("a.xlsx", encrypted(OLD.read_bytes()), "password"),
        (
            "a.ods",
            archive(**{"content.xml": b"", "META-INF__manifest.xml": b"<encryption-data/>"}),
            "password",
        ),
        ("a.zip", archive(**{"a.csv": TEXT.encode()}), "archive"),
        ("a.rar", b"Rar!\x1a\x07", "archive"),
        ("a.docx", archive(word__document=b""), "document"),
        ("a.pdf", b"%PDF-1.4", "document"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "picture"),
        ("a.dta", b"<stata_dta><header>", "survey"),
        ("a.db", b"SQLite format 3\x00", "database"),
        ("~$a.xlsx", b"lock", "lock file"),
        ("说明.txt", "本表由各乡镇填报。\n请于月底前上报。\n".encode(), "no table"),
        ("a.md", b"a,b\n1,2\n", "no table"),
        ("a.json", b'{"a": 1}', "no table"),
        ("a.csv", bytes(range(128, 256)) * 20, "broken"),
        ("a.parquet", b"PAR1 nonsense PAR1", "broken"),
        ("a.duckdb", b"12345678DUCK nonsense", "broken"),
    ],
)
def test_what_is_no_table_is_skipped_with_its_reason(tmp_path, name, content, why):
    path = tmp_path / name
    path.write_bytes(content)
    grids, (skipped,) = read_file(path)
    assert not grids
    assert (skipped.file, skipped.sheet, skipped.why.code) == (name, "", why)
    assert all(name in text for text in skipped.why.both().values())


def test_stored_tables_keep_their_types(tmp_path):
    values = {"id": ["a", None], "day": [dt.date(2021, 1, 5), None], "n": [1, 2], "x": [1.5, float("nan")]}
    values["d"] = [decimal.Decimal("12.50"), decimal.Decimal("3")]
    rows = [["id", "day", "n", "x", "d"], ["a", dt.date(2021, 1, 5), 1, 1.5, 12.5], [None, None, 2, None, 3]]
    pq.write_table(pa.table(values), tmp_path / "a.parquet")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as con:
        con.execute("CREATE TABLE 收入 AS SELECT * FROM read_parquet(?)", [str(tmp_path / "a.parquet")])
        con.execute("CREATE TABLE other (x INTEGER)")
    (grid,), _ = read_file(tmp_path / "a.parquet")
    assert grid.rows == rows
    grids, _ = read_file(tmp_path / "a.duckdb")
    assert {grid.sheet: grid.rows for grid in grids} == {"收入": rows, "other": [["x"]]}
