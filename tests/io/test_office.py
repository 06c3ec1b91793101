"""Nothing that an office wrote is replaced, whatever it is; a workbook that is open is found out before."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel.errors import InputMissing
from riskmodel.io import (
    collect_backups,
    keep_office_file,
    office_file,
    refuse_open_file,
    refuse_open_files,
    remove_stale_office_files,
    write_table,
)


def write(path: Path, content: bytes) -> None:
    with office_file(path) as temporary:
        temporary.write_bytes(content)


def test_ours_is_replaced_and_anything_else_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "list.xlsx"
    with collect_backups() as kept:
        write(target, b"one")
        write(target, b"two")  # nobody touched the first
        assert kept == []
        for content in (b"remarks", b"", b"\0" * 9):  # an empty or spoilt one is kept as well
            target.write_bytes(content)
            write(target, b"three")
    assert [p.name for p in kept] == [f"list-filled-{n}.xlsx" for n in (1, 2, 3)]
    assert [p.read_bytes() for p in kept] == [b"remarks", b"", b"\0" * 9]
    assert target.read_bytes() == b"three"
    # Without the record nobody can say whose it is.
    (tmp_path / ".riskmodel.json").write_text("{", encoding="utf-8")
    write(target, b"four")
    assert (tmp_path / "list-filled-4.xlsx").read_bytes() == b"three"
    assert keep_office_file(target) is None
    assert keep_office_file(tmp_path / "nothing.xlsx") is None


def test_a_body_that_fails_leaves_the_offices_file_where_it_is(tmp_path: Path) -> None:
    target = tmp_path / "list.xlsx"
    target.write_bytes(b"remarks")
    with pytest.raises(ValueError, match="spoilt"), office_file(target):
        raise ValueError("spoilt")
    assert [p.name for p in tmp_path.iterdir()] == ["list.xlsx"]


def test_stale_files_go_unless_an_office_wrote_into_them(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx", "c.xlsx"):
        write(tmp_path / name, name.encode())
    (tmp_path / "b.xlsx").write_bytes(b"filled in")
    (tmp_path / "own.xlsx").write_bytes(b"the office's")
    assert remove_stale_office_files(tmp_path, [tmp_path / "c.xlsx"]) == [tmp_path / "a.xlsx"]
    assert {p.name for p in tmp_path.glob("*.xlsx")} == {"b.xlsx", "c.xlsx", "own.xlsx"}


@pytest.mark.parametrize("lock", ["~$list.xlsx", ".~lock.list.xlsx#"])
def test_an_open_workbook_is_refused_and_stays(tmp_path: Path, lock: str) -> None:
    target = tmp_path / "deep" / "list.xlsx"
    write(target, b"one")
    refuse_open_files(tmp_path)
    (target.parent / lock).touch()
    for refuse in (
        refuse_open_file,
        lambda path: refuse_open_files(tmp_path),
        lambda path: write(path, b"2"),
    ):
        with pytest.raises(InputMissing, match=r"close list\.xlsx in Excel first"):
            refuse(target)
    assert target.read_bytes() == b"one"


def test_a_file_held_by_another_program_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "list.xlsx"
    write(target, b"one")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", refuse)  # as Windows does while Excel holds it
    with pytest.raises(InputMissing, match=r"\(Excel\): close it there first"):
        write(target, b"two")
    assert target.read_bytes() == b"one"
    assert not list(tmp_path.glob(".*.xlsx"))


def test_a_table_and_a_form_go_through_the_same_door(tmp_path: Path) -> None:
    table = pd.DataFrame({"household_id": ["h1"]})
    target = write_table(table, tmp_path / "table.xlsx")
    write_table(table, tmp_path / "table.xlsx")  # ours: replaced
    target.write_bytes(b"remarks")
    with collect_backups() as outer, collect_backups() as inner:
        write_table(table, target)
    assert ([p.name for p in inner], outer) == (["table-filled-1.xlsx"], [])
    assert inner[0].read_bytes() == b"remarks"
