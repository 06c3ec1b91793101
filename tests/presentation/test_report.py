"""The page: self-contained, safe, the same each time, and true to the frames it was given."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from riskmodel import presentation
from riskmodel.errors import InputRefused, SpecError
from riskmodel.evaluation import Budget, choose_models
from riskmodel.i18n import section
from riskmodel.presentation import (
    REPORT_SECTIONS,
    Chart,
    Charts,
    Column,
    Paragraph,
    ReportInput,
    ReportSection,
    Row,
    Table,
    report_html,
    report_section,
)

from ..predictions import noisy_predictions

TITLE = {"zh": "各模型的户次", "en": "Rows by model"}
VOID = {"meta", "input", "br", "line", "circle", "polyline", "rect"}


class Reader(HTMLParser):
    """Collects attributes and texts, and checks that elements close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        given = dict(attrs)
        self.loads += [str(v) for k, v in attrs if k in ("src", "href", "action", "data", "srcset", "poster")]
        if tag in ("link", "iframe", "object", "embed", "base", "form"):
            self.loads.append(tag)
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        return

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def html(given) -> str:
    return report_html(given)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def embedded_data(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def test_it_parses_and_every_element_closes(html) -> None:
    reader = read(html)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {"headline", "comparison", "quality", "list", "methods", "origin", "data"} <= set(reader.ids)


def test_it_loads_nothing(html) -> None:
    assert read(html).loads == []
    # Addresses may stand as names (the SVG namespace), never in what the browser fetches.
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|navigator\.sendBeacon", html)
    assert "default-src 'none'" in html
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_same_input_same_bytes_and_no_hour(given, html) -> None:
    assert report_html(given) == html
    assert not re.search(r"\d\d:\d\d:\d\d", html)


def test_verdict_and_three_numbers_are_the_comparisons(given, html) -> None:
    row = given.comparison
    row = row[(row["scope"] == "pooled") & (row["at"] == "budget") & (row["model"] == "logit")].iloc[0]
    assert row["verdict_zh"] in html
    assert row["verdict_en"] in html
    shown = [int(n) for n in re.findall(r"<b>([\d,]+)</b>", html)]
    assert shown == [
        row["hits_baseline"],
        row["hits_model"],
        row["both"] + row["baseline_only"] + row["model_only"],
    ]


def test_metrics_are_printed_as_given(given, html) -> None:
    for row in given.metrics.to_dict("records"):
        assert f">{row['auc']:.3f}<small>[{row['auc_low']:.3f}, {row['auc_high']:.3f}]</small>" in html
        assert f"{row['recall_at_budget']:.1%}" in html


def test_the_list_holds_every_household_once_by_probability(given, html) -> None:
    data = embedded_data(html)
    at = {name: i for i, name in enumerate(data["columns"])}
    scores = given.scores["zh"].sort_values(["probability", "household_id"], ascending=[False, True])
    assert [row[at["household_id"]] for row in data["rows"]] == list(scores["household_id"])
    assert [row[at["rank"]] for row in data["rows"]] == list(range(1, len(scores) + 1))
    for lang, frame in given.scores.items():
        told = frame.set_index("household_id")["reason_1"]
        for row in data["rows"]:
            said = [r[2] for r in data["reasons"][lang][row[at["id"]]]]
            assert (told[row[at["household_id"]]] in said) or (told[row[at["household_id"]]] == "")


def test_unknown_income_is_null_and_marked(given, html) -> None:
    data = embedded_data(html)
    at = {name: i for i, name in enumerate(data["columns"])}
    unknown = [row for row in data["rows"] if row[at["unknown"]]]
    assert len(unknown) == given.scores["zh"]["pcni"].isna().sum() > 0
    assert all(row[at["pcni"]] is None for row in unknown)


def test_no_gap_to_the_line_in_the_page(html) -> None:
    # 数字式增收: neither the column nor the number that would leave the list.
    assert "gap" not in embedded_data(html)["columns"]
    assert not re.search(r"差距|缺口（元）|还差", html)


def test_data_cannot_end_its_script(make_given) -> None:
    nasty = "</script><script>alert(1)</script><!--"
    scores = make_given().scores["zh"].copy()
    scores.loc[0, "village"] = nasty
    html = report_html(make_given(scores={"zh": scores}, headline={"zh": nasty, "en": nasty}))
    assert html.count("<script") == 2
    assert "alert(1)</script>" not in html
    assert nasty in [row[4] for row in embedded_data(html)["rows"]]


def test_infinite_values_are_text(make_given) -> None:
    scores = make_given().scores["zh"].copy()
    scores.loc[0, "line"] = np.inf
    data = embedded_data(report_html(make_given(scores={"zh": scores})))
    assert data["rows"][0][data["columns"].index("line")] == "inf"


def test_sections_without_data_are_left_out(make_given) -> None:
    bare = make_given(comparison=None, deployed=None, oracle=None, notes=[], scores={}, histories=None)
    reader = read(report_html(bare))
    assert not {"comparison", "notes", "data", "search", "figure-delta"} & set(reader.ids)
    assert section("report")["page"]["no_list"]["zh"] in reader.texts


def test_writes_page_tables_and_figures(given, tmp_path) -> None:
    path = presentation.write_report(given, tmp_path / "out")
    assert path == tmp_path / "out" / "report.html"
    assert path.read_text(encoding="utf-8") == report_html(given)
    tables = {p.stem for p in (tmp_path / "out" / "tables").glob("*.csv")}
    assert tables == {"metrics", "metrics_by_fold", "curves", "folds", "comparison", "deployed", "oracle"}
    again = pd.read_csv(tmp_path / "out" / "tables" / "metrics.csv")
    np.testing.assert_allclose(again["auc"], given.metrics["auc"])
    assert len(list((tmp_path / "out" / "figures").glob("*.svg"))) == 12


def test_opens_in_the_language_asked_for(given) -> None:
    assert 'data-lang="en"' in report_html(given, "en")
    assert f"<title>{given.experiment['title']['en']}</title>" in report_html(given, "en")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.drop(columns="flagged"), "flagged"),
        (lambda s: pd.concat([s, s.head(1)]), "twice"),
    ],
)
def test_an_unusable_list_is_refused(make_given, change, says) -> None:
    with pytest.raises(InputRefused, match=says):
        report_html(make_given(scores={"zh": change(make_given().scores["zh"])}))


def test_two_lists_of_different_households_are_refused(make_given) -> None:
    both = make_given().scores
    with pytest.raises(InputRefused, match="different households"):
        report_html(make_given(scores={"zh": both["zh"], "en": both["en"].head(5)}))


@pytest.fixture
def rows_by_model():
    """Register an example section between the comparison and the quality of the models."""

    def parts(given: ReportInput) -> list | None:
        if given.metrics.empty:
            return None
        rows = [
            Row([str(m), int(n)])
            for m, n in zip(given.metrics["model"], given.metrics["n_test"], strict=True)
        ]
        table = Table(
            [Column({"zh": "模型", "en": "model"}, "text"), Column({"zh": "户次", "en": "rows"})], rows
        )
        return [Paragraph(TITLE, "note"), table, Charts([Chart("example", TITLE, "<svg></svg>")])]

    with REPORT_SECTIONS.including(ReportSection("rows_by_model", TITLE, 45, parts)):
        yield parts


def test_an_example_section_stands_in_its_place(given, rows_by_model) -> None:
    html = report_html(given)
    places = [html.index(f'<section id="{name}"') for name in ("comparison", "rows_by_model", "quality")]
    assert places == sorted(places)
    assert '<h2><span lang="zh">各模型的户次</span><span lang="en">Rows by model</span></h2>' in html
    assert '<figure id="figure-example">' in html
    for model in given.metrics["model"]:
        assert f'<td class="text">{model}</td>' in html


def test_the_list_of_sections_is_what_documentation_reads(rows_by_model) -> None:
    registered = list(REPORT_SECTIONS.values())
    # The report's own module registers exactly these; a section in a file of its own stands between them.
    own = [s.id for s in registered if s.parts.__module__ == "riskmodel.presentation.report"]
    assert own == [
        "headline", "rules", "gate", "notes", "comparison", "quality",
        "yields", "list", "dropped", "outlook", "methods", "origin",
    ]  # fmt: skip
    assert all(s.words["zh"] and s.words["en"] for s in registered)
    assert next(s for s in registered if s.id == "rows_by_model").words == TITLE


def test_it_says_who_may_be_missing_because_of_a_row_or_cell(make_given) -> None:
    row = {
        "household_id": "h1", "township": "t", "village": "v", "as_of": "2020-12-31",
        "ruleset": "national-2021", "category": "unknown", "flagged": False, "in_register": True,
        "flagged_before": False,
        "flagged_if": "zero;cells_no;schooling=dropped_out", "pcni": None, "verdict_if_both": None,
        "pcni_if_both": None, "doubts": "row_rejected", "why": "rejected (unknown code) 1", "rows": "a.csv 2",
    }  # fmt: skip
    dropped = pd.DataFrame([row, row | {"household_id": "h2", "flagged": True, "flagged_if": "zero"}])
    page = report_html(make_given(dropped=dropped))
    section = page[page.index('id="dropped"') : page.index('id="methods"')]
    for words in (
        "被剔除或存疑",
        "Dropped or in doubt",
        "剔除的记录按零计",
        "在校状况=辍学",
        "其中现在不在名单上的 1 户",
    ):
        assert words in section, words
    # Those that are not flagged stand first: they are whom the office may have lost.
    assert section.index(">h1<") < section.index(">h2<")
    assert 'id="dropped"' not in report_html(make_given())


def test_the_choice_among_models_is_a_section_of_its_own(make_given) -> None:
    choice = choose_models(noisy_predictions(), Budget(share=0.05), "logit", 12, ["rule", "scorecard"])
    page = report_html(make_given(choice=choice))
    section = page[page.index('id="choice"') : page.index('id="methods"')]
    for words in (
        "always the declared model",
        "Who is missed",
        "名单从一期到下一期",
        "2020-06-30 – 2021-06-30",
    ):
        assert words in section, words
    assert 'id="choice"' not in report_html(make_given())


def test_without_it_the_report_is_as_before(given) -> None:
    assert "rows_by_model" not in report_html(given)


def test_a_section_that_is_there_or_lacks_a_language_is_refused() -> None:
    with pytest.raises(SpecError, match="report section 'headline' is registered twice"):
        report_section("headline", title=TITLE, order=1)(lambda given: None)
    for title, said in (
        ({"zh": "", "en": "x"}, "'another' cannot be registered: title needs the heading in zh"),
        ({}, "title needs the heading in zh and en"),
        ("report.page.hedline", "title: no words 'report.page.hedline'"),
        (None, "title must be a mapping .dict. or text; given None"),
    ):
        with pytest.raises(SpecError, match=said):
            report_section("another", title=title, order=1)(lambda given: None)
    with pytest.raises(SpecError, match="parts must be a function; given None"):
        report_section("another", title=TITLE, order=1)(None)
    assert "another" not in REPORT_SECTIONS
