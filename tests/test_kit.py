"""The office's offline kit: scripts as each system reads them, versions of the lock, no address anywhere."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "kit"


@pytest.fixture(scope="module")
def kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kit_build", KIT / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["kit_build"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_scripts_are_written_as_each_system_reads_them(kit: ModuleType, tmp_path: Path) -> None:
    for system in kit.SYSTEMS.values():
        kit.write_scripts(system, tmp_path)
    for name in ("install.bat", "start.bat", "shortcut.ps1"):
        content = (tmp_path / name).read_bytes()
        assert content.count(b"\n") == content.count(b"\r\n") > 5
        assert content.startswith(b"\xef\xbb\xbf") == name.endswith(
            ".ps1"
        )  # a .bat with a mark does not begin
    for name in ("install.sh", "start.sh", "shortcut.sh"):
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"#!/bin/sh\n")
        assert b"\r" not in content
        assert (tmp_path / name).stat().st_mode & 0o111


def test_scripts_install_from_the_folder_alone_and_by_hash() -> None:
    for name in ("install.bat", "install.sh"):
        calls = [
            line for line in (KIT / name).read_text(encoding="utf-8").splitlines() if "pip install" in line
        ]
        assert len(calls) == 2
        assert all("--no-index" in call for call in calls)
        assert "--require-hashes" in calls[0]
        assert "--no-deps" in calls[1]
    for name in ("start.bat", "start.sh"):
        text = (KIT / name).read_text(encoding="utf-8")
        assert "riskmodel" in text
        assert "office --lang zh" in text
        assert "0.0.0.0" not in text


def test_no_address_stands_in_the_kit() -> None:
    for path in KIT.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found = set(re.findall(r"https?://[^\s\"'<>)]+", text)) - {"http://127.0.0.1:9/"}
            assert not found, (path.name, found)


def test_names_and_versions_are_read_and_a_changed_file_is_told(kit: ModuleType, tmp_path: Path) -> None:
    listed = tmp_path / "requirements-linux.txt"
    listed.write_text(
        "a==1.0 \\\n    --hash=sha256:00\nb==2 ; sys_platform == 'x' \\\n    --hash=sha256:01\n"
    )
    assert kit.requirements(listed) == ["a==1.0", "b==2"]
    told = {"system": "linux", "python": "3.11", "files": {listed.name: "0" * 64}}
    (tmp_path / "MANIFEST.json").write_text(json.dumps(told))
    with pytest.raises(SystemExit, match=r"not as it was built: requirements-linux\.txt"):
        kit.check(tmp_path)


def test_a_requirement_without_its_wheel_is_told(kit: ModuleType, tmp_path: Path) -> None:
    if not Path(kit.sys.executable).with_name("uv").is_file():
        pytest.skip("needs uv beside python")
    listed = tmp_path / "requirements-windows.txt"
    listed.write_text("nowhere-to-be-found==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    (tmp_path / "wheels").mkdir()
    told = {"system": "windows", "python": "3.11", "files": {listed.name: kit.digest(listed)}}
    (tmp_path / "MANIFEST.json").write_text(json.dumps(told))
    with pytest.raises(SystemExit, match="nowhere-to-be-found"):
        kit.check(tmp_path)
