"""docs/checks.md: every registered metric and model is held against something, by a test that is there.

The tables of metrics and models are written from the registries: ``python tests/test_checks.py`` renews them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from riskmodel.evaluation import METRICS
from riskmodel.models import MODELS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "checks.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def registered_table(head: str, members: Iterable[Any]) -> str:
    """Return the lines of registered members: name, what it is, what it is held against, tests."""
    lines = [f"| {head} | what it is | held against | test |", "|---|---|---|---|"]
    for member in members:
        about = getattr(member, "description_en", "") or f"{member.formula}: {member.source}"
        tests = ", ".join(f"`tests/{test}`" for test in member.tests)
        about, against = (text.replace("|", "\\|") for text in (about, member.checked_against))
        lines.append(f"| `{member.name}` | {about} | {against} | {tests} |")
    return "\n".join(lines)


def written_page(text: str) -> str:
    """Return the page with its tables of metrics and models renewed."""
    tables = {
        "metric": [m for m in METRICS.values() if m.in_table],
        "further metric": [m for m in METRICS.values() if not m.in_table],
        "model": MODELS.values(),
    }
    for head, members in tables.items():
        table = re.compile(rf"^\| {head} \|(?:.*\n)(?:\|.*\n)*", flags=re.MULTILINE)
        assert len(table.findall(text)) == 1, f"docs/checks.md has not one table of every {head}"
        made = registered_table(head, members) + "\n"
        text = table.sub(lambda _, made=made: made, text)
    return text


def lines() -> dict[str, list[str]]:
    """Return the last two cells of every table row, by the first; a name stands in backquotes."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [[c.strip() for c in r.strip("|").split(" | ")] for r in text.splitlines() if r.startswith("| ")]
    heads = ("metric", "further metric", "model", "statistic")
    return {row[0].strip("`"): row[-2:] for row in rows if row[0] not in heads}


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_page_shows_what_is_registered() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert written_page(text) == text, "docs/checks.md is not what is registered: python tests/test_checks.py"
    assert {*METRICS, *MODELS} <= set(lines())


@pytest.mark.parametrize("name", list(lines()))
def test_every_line_names_what_it_is_held_against_and_a_test_that_is_there(name: str) -> None:
    against, tests = lines()[name]
    assert len(against) > 10
    named = TEST.findall(tests)
    assert named, f"{name}: no test is named"
    for path, function in named:
        assert function in functions(path), f"{name}: {path} has no {function}"


if __name__ == "__main__":
    PAGE.write_text(written_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
