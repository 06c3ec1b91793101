"""The page: self-contained, safe, the same each time, and true to the frames it was given."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from riskmodel import presentation
from riskmodel.errors import InputRefused
from riskmodel.i18n import section
from riskmodel.presentation import report_html
from riskmodel.presentation.page import embedded

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


def test_embedded_json_is_ascii_safe_where_it_matters() -> None:
    assert embedded(["<&>\u2028"]) == '["\\u003c\\u0026\\u003e\\u2028"]'
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded([float("nan")])


def test_targeting_measures_are_the_comparisons_and_old_runs_have_none(given, html) -> None:
    from riskmodel.presentation.report_parts import targeting_table
    from riskmodel.presentation.table import number

    table = targeting_table(given.comparison)
    row = given.comparison.query("scope == 'pooled' and at == 'budget' and model == 'logit'").iloc[0]
    shown = next(r for r in table.rows if r.values[0]["en"] == "penalised logit")
    assert shown.values[1:] == [
        number(row[f"{n}_model"])
        for n in ("targeting_differential", "targeting_differential_errors", "cgh", "bpac")
    ]
    assert "targeting differential (coverage)" in html
    # A run logged before these measures were has none of their columns, and its report is whole without.
    old = given.comparison.drop(columns=[c for c in given.comparison.columns if "targeting" in c])
    old = old.drop(columns=[c for c in old.columns if c.startswith(("cgh", "bpac", "welfare"))])
    assert targeting_table(old) is None
