"""Every page, workbook and list of a panel of persons in clusters speaks of persons and clusters."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from riskmodel import presentation, register, scoring
from riskmodel.i18n import Nouns
from riskmodel.presentation.model_pages import monitor_html
from riskmodel.scoring.filled_list import READ_COLUMNS, header_aliases
from riskmodel.scoring.office_files import find_headers

from ..register.small_county import small_county
from .test_model_pages import monitored

PANEL = Nouns("person", "cluster")
COUNTY_WORDS = re.compile(r"\b(?:households?|villages?)\b|(?<!农)村|户(?!籍)", re.IGNORECASE)
GIVEN = ("household_id", "township", "village", "户编号", "乡镇")


def visible(page: str) -> str:
    """Return the text of a page, without styles, scripts and markup."""
    return html.unescape(
        re.sub(r"(<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>)", " ", page, flags=re.S)
    )


def told(text: str, given: set[str]) -> list[str]:
    """Return what still speaks of households or villages, names that were given left out."""
    for name in sorted(given, key=len, reverse=True):
        text = text.replace(name, "")
    return [text[max(0, m.start() - 30) : m.end() + 30] for m in COUNTY_WORDS.finditer(text)]


@pytest.fixture(scope="module")
def worklist(make_scores: Any) -> scoring.Worklist:
    scores = make_scores(60, seed=7).assign(village=lambda t: "c" + t["village"].str.len().astype(str))
    made = scoring.build_worklist(scores, visits=20, random_share=0.1, by="township")
    return dataclasses.replace(made, nouns=PANEL)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_list_and_its_sheets(worklist: scoring.Worklist, tmp_path: Path, lang: str) -> None:
    path = presentation.write_worklist(worklist, tmp_path / "list.xlsx", lang)
    book = openpyxl.load_workbook(path)
    places = set(worklist.listed["township"]) | set(worklist.listed["village"])
    cells = [c.value for sheet in book for row in sheet.iter_rows() for c in row if isinstance(c.value, str)]
    assert told("\n".join([*cells, *book.sheetnames]), places) == []
    # What is filled in comes back by the same headers.
    found = find_headers(tuple(c.value for c in book.worksheets[0][1]), header_aliases())
    assert set(found) >= {"household_id", *(c for c in READ_COLUMNS if c in found)}
    usual = presentation.write_worklist(
        dataclasses.replace(worklist, nouns=Nouns()), tmp_path / "usual.xlsx", lang
    )
    first = openpyxl.load_workbook(usual).worksheets[0][1]
    assert found == find_headers(tuple(c.value for c in first), header_aliases())
    page = presentation.write_visit_sheets(worklist, tmp_path / "sheets.html", lang).read_text(
        encoding="utf-8"
    )
    assert told(visible(page), places) == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_ledger(tmp_path: Path, lang: str) -> None:
    county = small_county()
    county = dataclasses.replace(
        county, about=county.about.model_copy(update={"unit_of": "person", "place": "cluster"})
    )
    accounts = register.build_register_accounts(county, "2021-01-01", "2021-03-31")
    presentation.write_register(accounts, tmp_path, lang)
    places = set(county.frame("households")[["township", "village"]].to_numpy().ravel())
    book = openpyxl.load_workbook(tmp_path / "ledger.xlsx")
    cells = [c.value for sheet in book for row in sheet.iter_rows() for c in row if isinstance(c.value, str)]
    assert told("\n".join(cells), places) == []
    assert told(visible((tmp_path / "ledger.html").read_text(encoding="utf-8")), places) == []
    assert told("\n".join(pd.read_csv(tmp_path / "findings.csv")["meaning"].astype(str)), places) == []


def test_the_report(make_given: Any) -> None:
    given = make_given(nouns=PANEL)
    places = set(pd.concat(list(given.scores.values()))[["township", "village"]].to_numpy().ravel())
    for lang in ("zh", "en"):
        assert told(visible(presentation.report_html(given, lang)), places) == []


def test_the_alarm_page() -> None:
    for lang in ("zh", "en"):
        assert told(visible(monitor_html(monitored(**PANEL.facts()), lang)), set()) == []


def test_the_same_pages_of_a_county_keep_its_words(worklist: scoring.Worklist, tmp_path: Path) -> None:
    office = dataclasses.replace(worklist, nouns=Nouns())
    page = presentation.write_visit_sheets(office, tmp_path / "sheets.html", "en").read_text(encoding="utf-8")
    assert told(visible(page), set()) != []
