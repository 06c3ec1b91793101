"""Declarations are found by id or by path; a name that is not there is answered with what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskmodel.errors import InputMissing, UsageError
from riskmodel.io.paths import find_declaration, folder


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    home = tmp_path / "packaged"
    home.mkdir()
    (home / "plain.yaml").write_text("id: plain\n", encoding="utf-8")
    return home


def test_an_id_and_a_path_are_found(packaged: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("id: own\n", encoding="utf-8")
    assert find_declaration("plain", packaged, "profile") == packaged / "plain.yaml"
    assert find_declaration(own, packaged, "profile") == own
    # A path into a checkout that is not there means the packaged one of that name.
    assert find_declaration("elsewhere/plain.yaml", packaged, "profile") == packaged / "plain.yaml"


def test_what_is_not_there_is_refused_with_what_there_is(packaged: Path) -> None:
    with pytest.raises(UsageError, match="no profile 'steep'; known: plain; or give a path"):
        find_declaration("steep", packaged, "profile")
    with pytest.raises(InputMissing, match=r"no profile file 'steep\.yaml'; packaged ids: plain"):
        find_declaration("steep.yaml", packaged, "profile")


def test_folders_of_declarations_are_known() -> None:
    assert (folder("features") / "household-v1.yaml").is_file()
    with pytest.raises(UsageError, match="no folder 'nowhere'"):
        folder("nowhere")
