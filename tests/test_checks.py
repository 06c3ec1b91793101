"""docs/checks.md: every declared metric and model is held against something, by a test that is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from riskmodel.evaluation import FURTHER, METRICS
from riskmodel.models import MODELS

ROOT = Path(__file__).resolve().parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def lines() -> dict[str, list[str]]:
    """Return the cells after the first of every table row, by the first; a name stands in backquotes."""
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    rows = [[c.strip() for c in r.strip("|").split("|")] for r in text.splitlines() if r.startswith("| ")]
    return {row[0].strip("`"): row[1:] for row in rows if row[0] not in ("metric", "model", "statistic")}


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", [*(m.name for m in (*METRICS, *FURTHER)), *MODELS])
def test_every_declared_name_has_its_check(name: str) -> None:
    assert name in lines(), f"docs/checks.md has no line for {name}: say what it is held against, and where"


@pytest.mark.parametrize("name", list(lines()))
def test_every_line_names_what_it_is_held_against_and_a_test_that_is_there(name: str) -> None:
    against, tests = lines()[name]
    assert len(against) > 10
    named = TEST.findall(tests)
    assert named, f"{name}: no test is named"
    for path, function in named:
        assert function in functions(path), f"{name}: {path} has no {function}"


def test_no_line_is_of_a_metric_or_model_that_is_gone() -> None:
    known = {m.name for m in (*METRICS, *FURTHER)} | set(MODELS)
    text = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)
    assert len(named) == len(set(named)) == len(known)
    assert set(named) == known
