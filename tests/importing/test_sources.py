"""A folder as an office hands it over: every file is a grid or is accounted for."""

from __future__ import annotations

import pytest

from riskmodel.errors import InputMissing
from riskmodel.importing.sources import read_grids


def test_a_folder_and_its_folders(tmp_path):
    text = "户编号,金额\n0012,12.5\n"
    inner = tmp_path / "云溪镇"
    (inner / "更深").mkdir(parents=True)
    (inner / "收入.csv").write_text(text, encoding="gb18030")
    (tmp_path / "农户.csv").write_text(text, encoding="utf-16")
    (tmp_path / "说明.docx").write_bytes(b"PK")
    (tmp_path / "~$农户.xlsx").write_bytes(b"")
    (tmp_path / ".DS_Store").write_bytes(b"")
    (tmp_path / "Thumbs.db").write_bytes(b"")
    grids, skipped = read_grids(tmp_path)
    assert [grid.file for grid in grids] == ["云溪镇/收入.csv", "农户.csv"]
    assert {item.file: item.why.code for item in skipped} == {
        "云溪镇/更深": "deep folder",
        "说明.docx": "no table",
        "~$农户.xlsx": "lock file",
    }


def test_one_file_goes_by_its_own_name(tmp_path):
    (tmp_path / "农户.csv").write_text("户编号,金额\n0012,12.5\n", encoding="utf-8")
    (grid,), skipped = read_grids(str(tmp_path / "农户.csv"))
    assert (grid.file, skipped) == ("农户.csv", [])


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputMissing, match="no such file or folder"):
        read_grids(tmp_path / "x")
