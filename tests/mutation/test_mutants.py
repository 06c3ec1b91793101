"""Faults put into a copy of the package, one at a time: for each the test named beside it must fail.

A test that cannot fail proves nothing. `mutants.yaml` lists faults that somebody could make in the core, each
with the one test that is there to catch it; a fault that survives means a check is missing (DeMillo, Lipton
and Sayward 1978). Only the faults are listed by hand; whether the list still fits the code is tested always.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "riskmodel"
# Declarations that the package finds at the top of its checkout.
BESIDE = ("features", "experiments", "reports")
TESTS_FAILED = 1  # pytest's exit code; another one means that no test was run
TIMEOUT_S = 300  # the slowest selection takes ten seconds: a fault that never ends is caught, too


class Mutant(NamedTuple):
    """A fault: what stands in a file, what it becomes, and the test that must then fail."""

    name: str
    file: str
    before: str
    after: str
    test: str = ""
    why: str = ""
    equivalent: str = ""


def read_mutants() -> list[Mutant]:
    with (Path(__file__).parent / "mutants.yaml").open(encoding="utf-8") as stream:
        return [Mutant(**entry) for entry in yaml.safe_load(stream)]


MUTANTS = read_mutants()
each_mutant = pytest.mark.parametrize("mutant", MUTANTS, ids=[m.name for m in MUTANTS])


def mutate(mutant: Mutant, source: str) -> str:
    """Return the source with the fault."""
    times = source.count(mutant.before)
    assert times == 1, (
        f"mutant {mutant.name!r} no longer fits {mutant.file}: its text stands there {times} times, not "
        "once; renew `before` in tests/mutation/mutants.yaml, or take it out if the code it meant is gone:\n"
        f"{mutant.before}"
    )
    return source.replace(mutant.before, mutant.after)


def run_tests(tests: Sequence[str], checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run tests of this repository against the package of another checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {
        "PYTHONPATH": str(checkout / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        # Cases on which a mutant fails are no cases to try first in later runs.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(checkout / ".hypothesis"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package on which every test of the list passes."""
    top = tmp_path_factory.mktemp("mutants")
    copy = top / "src" / "riskmodel"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (top / name).symlink_to(ROOT / name)
    # Compiled once, and checked by content: two mutants may be of one size and second.
    compileall.compile_dir(copy, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    done = run_tests(sorted({m.test for m in MUTANTS if m.test}), top)
    assert done.returncode == 0, f"tests of the list fail without any mutant:\n{done.stdout}{done.stderr}"
    return top


@each_mutant
def test_the_list_fits_the_code(mutant: Mutant) -> None:
    assert mutate(mutant, (PACKAGE / mutant.file).read_text(encoding="utf-8")) != ""
    assert bool(mutant.test) != bool(mutant.equivalent), "give a test that must fail, or say why none can"
    if mutant.test:
        file, _, function = mutant.test.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.slow
@each_mutant
def test_the_fault_is_caught(mutant: Mutant, checkout: Path) -> None:
    if mutant.equivalent:
        pytest.skip(mutant.equivalent)
    file = checkout / "src" / "riskmodel" / mutant.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutate(mutant, source), encoding="utf-8")
    try:
        done = run_tests([mutant.test], checkout)
    finally:
        file.write_text(source, encoding="utf-8")
    assert done.returncode != 0, f"survives {mutant.test}; with it {mutant.why}"
    assert done.returncode == TESTS_FAILED, f"no test was run:\n{done.stdout}{done.stderr}"
