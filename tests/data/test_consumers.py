"""Every declared input has a consumer, or reading says that it has none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pandas as pd

import riskmodel
from riskmodel import data
from riskmodel.data import contract, from_frames

PACKAGE = Path(riskmodel.__file__).parent
# What reads, checks, writes or makes up input computes nothing from it; links, coverage and what was kept out
# are resolved at reading.
APART = ("simulate", "i18n", "validity")
AT_READING = {"links.py": "household_links"}


def sources() -> dict[Path, str]:
    found = [p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".yaml")]
    return {
        p: p.read_text(encoding="utf-8")
        for p in found
        if not set(p.relative_to(PACKAGE).parts) & set(APART)
        and ("data" not in p.relative_to(PACKAGE).parts[:-1] or p.name in AT_READING)
    }


def names_in(path: Path, text: str) -> set[str]:
    """The words that a module or a specification names: strings and attributes, or words of a YAML."""
    if path.suffix == ".yaml":
        return set(re.findall(r"\w+", text))
    out = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            out |= {node.value, *re.findall(r"\w+", node.value)} if len(node.value) < 60 else set()
        elif isinstance(node, ast.Attribute):
            out.add(node.attr)
    return out


def test_every_declared_column_has_a_consumer_or_is_said_to_have_none() -> None:
    texts = sources()
    consumers = set().union(*(names_in(path, text) for path, text in texts.items()))
    lacking = []
    for name, table in contract().tables.items():
        if not table.derived and name not in consumers:
            lacking += [f"{name}.{c}" for c, spec in table.columns.items() if not spec.unused]
        lacking += [
            f"{name}.{c}" for c, spec in table.columns.items() if not spec.unused and c not in consumers
        ]
    assert not lacking


def test_no_module_reads_a_table_that_is_said_to_be_unused() -> None:
    unused = [n for n, t in contract().tables.items() if all(c.unused for c in t.columns.values())]
    assert unused == ["jobs"]
    for path, text in sources().items():
        for name in unused:
            reads = re.search(rf"(rows|table|tables)[(\[]['\"]{name}['\"]", text)
            assert not reads or "importing" in path.parts, path  # which writes it


def test_reading_says_what_nothing_is_computed_from(tmp_path: Path) -> None:
    jobs = pd.DataFrame({"member_id": ["a"], "year": [2021], "months": [8], "income": [30000]})
    home = {"household_id": ["h"], "township": ["t"], "village": ["v"], "registration": ["lifted"]}
    frames = {
        "households": pd.DataFrame({**home, "valid_from": ["2019-01-01"]}),
        "members": pd.DataFrame(
            {"member_id": ["a"], "household_id": ["h"], "birth_month": ["1980-01"],
             "valid_from": ["2019-01-01"]}
        ),
        "income": pd.DataFrame(
            {"household_id": ["h"], "month": ["2021-01"], "source": ["wage"], "amount": [1]}
        ),
        "jobs": jobs,
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    notes = data.read_county(tmp_path).notes
    said = [note for note in notes if "nothing is computed from them" in note]
    assert len(said) == 1
    assert "member_id, year, months, income" in said[0]
    quiet = data.read_county(_without_jobs(tmp_path)).notes
    assert not [note for note in quiet if "nothing is computed" in note]
    assert from_frames(frames).has("jobs")


def _without_jobs(folder: Path) -> Path:
    (folder / "jobs.csv").unlink()
    return folder
