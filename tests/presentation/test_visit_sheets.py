"""A visit sheet is read in the village: it must say what is asked, and must not say what is not for it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from riskmodel import presentation, scoring
from riskmodel.explanation import load_measures
from riskmodel.scoring.office_files import read_names


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def made(make_scores) -> scoring.Worklist:
    scores = make_scores(120, seed=9)
    scores.loc[scores.index[0], ["village", "flagged", "rule_category"]] = ["<b>坝&村", True, "marginal"]
    scores["rule_conditions"] = "below_line;no_gap"
    return scoring.build_worklist(scores, visits=30)


def read(path) -> Texts:
    found = Texts()
    found.feed(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_section_a_village_and_every_planned_household_once(made, tmp_path, lang) -> None:
    found = read(presentation.write_visit_sheets(made, tmp_path / "sheets.html", lang))
    villages = made.planned[["township", "village"]].drop_duplicates()
    assert found.tags.count("section") == len(villages)
    assert found.tags.count("article") == len(made.planned)
    assert "b" not in found.tags
    heads = [t for t in found.texts if t.strip().split(". ")[-1] in set(made.planned["household_id"])]
    assert len(heads) == len(made.planned)


def test_no_probability_and_no_chance_stands_on_a_sheet(made, tmp_path) -> None:
    found = read(presentation.write_visit_sheets(made, tmp_path / "sheets.html"))
    text = "".join(found.texts)
    assert "%" not in text
    assert "概率" not in text
    assert "红" not in text
    assert all(q in text for q in load_measures().questions(["other"], "zh"))
    assert "核查属实后" in text
    assert "消除" not in text


def test_a_sheet_does_not_tell_why_a_household_is_on_the_list(made, tmp_path) -> None:
    """No source, no reason of the model, no condition of a rule, no line, no card, no place on the list."""
    text = "".join(read(presentation.write_visit_sheets(made, tmp_path / "sheets.html")).texts)
    row = made.planned[made.planned["cause_2"].eq("因病")].iloc[0]
    assert row["reason_2"] not in text
    assert not [w for w in ("规则", "模型", "随机", "抽签", "监测线", "走访卡", "走村顺序") if w in text]
    moved = replace(made, listed=made.listed.assign(selected_by="model", trip=9, urgency="chance"))
    assert "".join(read(presentation.write_visit_sheets(moved, tmp_path / "moved.html")).texts) == text


def test_names_are_on_the_sheet_only_if_given(made, tmp_path) -> None:
    household = made.planned["household_id"].iloc[0]
    path = tmp_path / "names.csv"
    path.write_text(f"户编号,户主姓名\n{household},王某某\n", encoding="utf-8")
    with_names = presentation.write_visit_sheets(made, tmp_path / "a.html", names=read_names(path))
    assert "王某某" in with_names.read_text(encoding="utf-8")
    assert "王某某" not in presentation.write_visit_sheets(made, tmp_path / "b.html").read_text(
        encoding="utf-8"
    )
    # The same list gives the same bytes.
    assert (tmp_path / "b.html").read_bytes() == presentation.write_visit_sheets(
        made, tmp_path / "c.html"
    ).read_bytes()


@pytest.mark.browser
@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("pdftotext")), reason="needs chromium, pdftotext"
)
def test_prints_a_page_a_village(make_scores, tmp_path) -> None:
    made = scoring.build_worklist(make_scores(30, flagged=0.1, seed=2), visits=6)
    page = presentation.write_visit_sheets(made, tmp_path / "sheets.html")
    pdf = presentation.print_pdf(page, tmp_path / "sheets.pdf")
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True).stdout.decode()
    pages = [p for p in text.split("\f") if p.strip()]
    villages = made.planned[["township", "village"]].drop_duplicates()
    assert len(pages) >= len(villages)
    firsts = [p.strip().split("\n")[0].split() for p in pages]
    shown = {tuple(v) for v in villages.itertuples(index=False, name=None)}
    assert shown == {tuple(f) for f in firsts if tuple(f) in shown}
