"""What the verbs write and say is what it was: differences are reviewed, then renewed.

``python -m pytest tests/snapshots --renew`` rewrites the expected texts (with ``-m ''``: the slow ones too);
``git diff`` shows what changed.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .office import SLOW, STEPS, Office

EXPECTED = Path(__file__).parent / "expected"
SHOWN = 60  # lines of a difference


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("office").resolve()
    before = Path.cwd()
    os.chdir(home)  # steps name relative paths: they go into messages
    yield Office(home)
    os.chdir(before)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in STEPS])
def test_outputs_are_as_expected(office: Office, name: str, request: pytest.FixtureRequest) -> None:
    written = office.texts(name)
    if request.config.getoption("--renew"):
        _renew(EXPECTED / name, written)
    expected = _read(EXPECTED / name)
    assert sorted(written) == sorted(expected), "files that are missing or new; reviewed? then --renew"
    differing = [key for key in sorted(written) if written[key] != expected[key]]
    if differing:
        shown = "\n".join(_difference(f"{name}/{key}", expected[key], written[key]) for key in differing[:3])
        pytest.fail(f"{len(differing)} outputs differ: {', '.join(differing)}\n{shown}", pytrace=False)


def test_every_folder_of_expected_texts_is_of_a_step() -> None:
    assert {p.name for p in EXPECTED.iterdir()} == set(STEPS)


def _read(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    texts = {p.relative_to(folder).as_posix(): p.read_bytes().decode("utf-8") for p in files}
    return {name.removesuffix(".txt"): text for name, text in texts.items()}


def _renew(folder: Path, written: dict[str, str]) -> None:
    for name in _read(folder).keys() - written.keys():
        (folder / f"{name}.txt").unlink()
    for name, text in written.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))


def _difference(name: str, expected: str, written: str) -> str:
    lines = difflib.unified_diff(
        expected.splitlines(), written.splitlines(), f"expected {name}", f"written {name}", "", "", 1, ""
    )
    shown = [line[:300] for line in lines]
    more = [f"... {len(shown) - SHOWN} lines more"] if len(shown) > SHOWN else []
    return "\n".join(shown[:SHOWN] + more)
