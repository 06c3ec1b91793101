"""Forms of the small county, and what stands in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from riskmodel.forms import FormRecords
from riskmodel.households import known_county
from riskmodel.rules import load_rules

from .small_county import AS_OF, small_county

NAMES = pd.DataFrame({"household_id": ["h1", "h2", "h3"], "head_name": ["甲某", "=乙某", "丙某"],
                      "contact": ["丁某"] * 3, "phone": ["000"] * 3})  # fmt: skip


def records_of(ruleset: str = "yingjiang-2022", as_of: str = AS_OF, **more: Any) -> FormRecords:
    """Return what forms of the small county are filled from."""
    county = more.pop("county", None) or small_county()
    return FormRecords(known_county(county, as_of), load_rules(ruleset), **more)


@pytest.fixture(scope="session")
def small() -> FormRecords:
    return records_of()


def word_text(path: Path) -> str:
    """Return every text of a Word file."""
    import docx

    document = docx.Document(str(path))
    cells = [c.text for t in document.tables for row in t.rows for c in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def sheet_rows(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    """Return the values of a sheet."""
    return list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))


def all_text(path: Path) -> str:
    """Return every text of a file, Word or Excel."""
    if path.suffix == ".docx":
        return word_text(path)
    book = openpyxl.load_workbook(path)
    return "\n".join(
        str(v) for s in book for row in s.iter_rows(values_only=True) for v in row if v is not None
    )
