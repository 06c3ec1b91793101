"""The wheel runs outside the checkout: declarations and templates travel with it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_wheel_carries_what_the_package_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("features", "experiments", "reports/templates"):
        wanted = {
            f"riskmodel/_data/{kind}/{p.relative_to(ROOT / kind).as_posix()}"
            for p in (ROOT / kind).rglob("*")
            if p.is_file() and not p.name.startswith(".")
        }
        assert wanted
        assert wanted <= names
    assert {n for n in names if n.startswith("riskmodel/rules/sets/")}
    assert "riskmodel/py.typed" in names
    assert not [n for n in names if n.startswith("tests/")]


def test_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    # Unpacked apart and put first on the path: the checkout's own sources are then never imported.
    home = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(home)
    environment = os.environ | {"PYTHONPATH": str(home)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys, riskmodel.cli as cli; sys.stderr.write(cli.__file__); cli.main()"
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    done = run("features", "--describe", "--json")
    assert done.returncode == 0, done.stderr
    assert str(home) in done.stderr
    done = run("rules", "--list")
    assert done.returncode == 0, done.stderr
    assert "national-2021" in done.stdout
    done = run("simulate", "county", "--households", "60", "--months", "30", "--futures", "20")
    assert done.returncode == 0, done.stderr
    done = run("rules", "county", "--ruleset", "national-2021", "--as-of", "2019-06-30", "--out", "v.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "v.csv").is_file()
