"""What Windows has otherwise, as far as another system can show it: locked files, Edge, paths with quotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskmodel import i18n
from riskmodel.app.desk import Desk
from riskmodel.errors import InputMissing
from riskmodel.io import atomic, write_text
from riskmodel.presentation import visit_sheets


def test_a_file_that_excel_has_open_is_told_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_text("old", tmp_path / "名单.xlsx")

    def locked(self: Path, target: Path) -> None:
        raise PermissionError(13, "The process cannot access the file because it is being used")

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(InputMissing) as told, atomic(path) as temporary:
        temporary.write_text("new")
    assert i18n.translate(str(told.value), "zh") == f"{path}：正在别的程序中打开，请先在 Excel 中关闭"
    assert [p.name for p in tmp_path.iterdir()] == ["名单.xlsx"]
    assert path.read_text() == "old"


def test_edge_prints_where_nothing_else_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit_sheets.shutil, "which", lambda name: None)
    for name in visit_sheets.WINDOWS_FOLDERS:
        monkeypatch.delenv(name, raising=False)
    assert visit_sheets.find_browser() is None
    edge = tmp_path / "Microsoft" / "Edge" / "Application" / "msedge.exe"
    edge.parent.mkdir(parents=True)
    edge.touch()
    monkeypatch.setenv("ProgramFiles(x86)", str(tmp_path))
    assert visit_sheets.find_browser() == str(edge)


def test_a_path_as_windows_copies_it_is_taken(desk: Desk, county: Path) -> None:
    desk.choose(f'"{county}"')
    assert desk.data == county
