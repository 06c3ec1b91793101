"""The rendered sample in reports/: made by the code that stands here, of a county that nobody lives in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riskmodel.presentation.forecast_page import FORMAT as OUTLOOK
from riskmodel.presentation.report import FORMAT as REPORT
from riskmodel.presentation.rules_page import FORMAT as RULES

from ..snapshots.rendering import Renderer

SAMPLE = Path(__file__).resolve().parents[2] / "reports" / "sample"
FORMATS = {"report.html": REPORT, "rules.html": RULES, "forecast.html": OUTLOOK}
PAGES = tuple(FORMATS)
# The smallest demo whose models have enough events to learn from.
DEMO = ("--households", "600", "--months", "54")


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


@pytest.mark.slow
def test_the_sample_is_what_the_demo_writes(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # `python -m pytest tests/cli/test_demo.py -m slow --renew` makes the sample anew.
    command = [Path(sys.executable).with_name("riskmodel"), "demo", "--out", "demo", *DEMO]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    renderer = Renderer(tmp_path, SAMPLE.parents[1])
    for name in (*PAGES, "worklist.xlsx"):
        (written,) = [p for p in (tmp_path / "demo").rglob(name) if "month" not in p.parts]
        if request.config.getoption("--renew"):
            shutil.copyfile(written, SAMPLE / name)
        assert renderer.file(written) == renderer.file(SAMPLE / name), name
