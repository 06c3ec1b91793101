"""The rendered sample in reports/: made by the code that stands here, of a county that nobody lives in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from riskmodel.presentation.forecast_page import FORMAT as OUTLOOK
from riskmodel.presentation.report import FORMAT as REPORT
from riskmodel.presentation.rules_page import FORMAT as RULES

SAMPLE = Path(__file__).resolve().parents[2] / "reports" / "sample"
FORMATS = {"report.html": REPORT, "rules.html": RULES, "forecast.html": OUTLOOK}
PAGES = tuple(FORMATS)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_of_the_present_format_and_small(name: str) -> None:
    text = (SAMPLE / name).read_text(encoding="utf-8")
    assert f"format {FORMATS[name]}" in text
    assert len(text.encode()) < 1_000_000


@pytest.mark.parametrize("name", PAGES)
def test_pages_ask_nothing_of_the_network(name: str) -> None:
    text = (SAMPLE / name).read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"""(?:src|href)=["']https?:""", text)


def test_the_list_is_there() -> None:
    from openpyxl import load_workbook

    book = load_workbook(SAMPLE / "worklist.xlsx", read_only=True)
    assert "核查名单" in book.sheetnames
    book.close()
