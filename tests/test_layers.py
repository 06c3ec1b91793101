"""The house stands on its layers: a module imports only from below, and heavy parts live behind one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "riskmodel"

# From the ground up; parts of one row do not know each other.
LAYERS: list[tuple[str, ...]] = [
    ("errors", "version"),
    ("io",),
    ("i18n",),
    ("grids",),
    ("data",),
    ("importing",),
    ("households",),
    ("rule_files",),
    ("rules",),
    ("targets",),
    ("features", "register"),
    ("models",),
    ("forecasting",),
    ("planning",),
    ("evaluation", "explanation"),
    ("runs",),
    ("cases",),
    ("forms",),
    ("scoring",),
    ("presentation",),
    ("simulate",),
    ("benchmark",),
    ("month",),
    ("province",),
    ("app",),
    ("cli",),
]
LEVEL = {name: level for level, row in enumerate(LAYERS) for name in row}
# The simulator is a laboratory: what runs an office does not know it.
LABORATORY = {"simulate", "benchmark", "cli"}
# One door each (design): third-party package -> the only part, or module, that may open it.
DOORS = {
    "mlflow": "runs/tracking.py",
    "shap": "explanation",
    "xlsxwriter": "io/workbook.py",
    "jinja2": "io/templates.py",
    "pyspark": "province/engines.py",
    "nicegui": "app",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__":
            yield part, path


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "riskmodel":
                yield from (f"riskmodel.{alias.name}" for alias in node.names)


def test_every_part_has_its_layer() -> None:
    assert {part for part, _ in modules()} <= set(LEVEL)


@pytest.mark.parametrize("part", sorted({part for part, _ in modules()}))
def test_imports_run_downward_only(part: str) -> None:
    wrong = []
    for own, path in modules():
        if own != part:
            continue
        for name in imported(path):
            pieces = name.split(".")
            if pieces[0] != "riskmodel" or len(pieces) < 2 or pieces[1] in {own}:
                continue
            if LEVEL[pieces[1]] >= LEVEL[own]:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong, wrong


def test_nothing_that_runs_an_office_imports_the_simulator() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for part, path in modules()
        for name in imported(path)
        if name.startswith("riskmodel.simulate") and part not in LABORATORY
    ]
    assert not wrong, wrong


# What a case file is made of: by construction no score, model or forecast can enter it.
OF_CASES = {
    "cases",
    "rules",
    "rule_files",
    "register",
    "households",
    "data",
    "io",
    "i18n",
    "grids",
    "errors",
    "version",
}


def test_a_score_cannot_enter_a_case_file() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for part, path in modules()
        if part == "cases"
        for name in imported(path)
        if name.startswith("riskmodel.") and name.split(".")[1] not in OF_CASES
    ]
    assert not wrong, wrong


def test_a_score_cannot_enter_a_form() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for part, path in modules()
        if part == "forms"
        for name in imported(path)
        if name.startswith("riskmodel.") and name.split(".")[1] not in OF_CASES | {"forms"}
    ]
    assert not wrong, wrong


def test_each_heavy_library_has_one_door() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for part, path in modules()
        for name in imported(path)
        if DOORS.get(name.split(".")[0], part) not in (part, path.relative_to(PACKAGE).as_posix())
    ]
    assert not wrong, wrong


def test_importing_riskmodel_and_its_command_line_loads_nothing_heavy() -> None:
    # Start-up of the command line stays well below a second only while these wait for a verb.
    heavy = [
        "mlflow",
        "shap",
        "pandas",
        "sklearn",
        "ibis",
        "duckdb",
        "statsmodels",
        "matplotlib",
        "numpy",
        "nicegui",
    ]
    code = f"import sys, riskmodel, riskmodel.cli.app\nprint([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
