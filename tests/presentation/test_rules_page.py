"""The page of rules: what it counts is what the engine says, and it is self-contained like the report."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import About, from_frames
from riskmodel.presentation import rules_page
from riskmodel.presentation.rules_page import rules_html, write_rules_page

DAY = "2021-06-30"
VOID = {"meta", "input", "br", "link", "img"}


class Reader(HTMLParser):
    """Checks that elements close in order, and collects what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.loads += [str(v) for k, v in attrs if k in ("src", "href", "action", "data", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


@pytest.fixture(scope="module")
def county():
    """Return 24 households in two townships: poor or not, ill since June or not, some without income."""
    names = [f"h{i:02d}" if i != 16 else "<b>h16" for i in range(24)]
    homes = pd.DataFrame(
        {
            "household_id": names,
            "township": [f"乡{i % 2}" for i in range(24)],
            "village": "村",
            "registration": ["lifted" if i % 3 else "general" for i in range(24)],
        }
    )
    people = pd.DataFrame(
        {"member_id": [f"m{n}" for n in names], "household_id": names, "birth_month": "1980-01",
         "work_capacity": "full"}
    )  # fmt: skip
    paid = [
        {"household_id": n, "month": "2020-09", "source": "wage", "amount": 4000.0 + 3000 * (i % 2)}
        for i, n in enumerate(names)
        if i < 21
    ]
    ill = [
        {"household_id": n, "date": "2021-06-10" if i % 5 else "2020-06-15", "cause": "illness"}
        for i, n in enumerate(names)
        if i % 4 == 0
    ]
    frames = {"households": homes, "members": people, "income": pd.DataFrame(paid)}
    # All is on record, though there are rows of one month alone.
    whole = {"coverage": "whole", "records_from": "2019-01", "data_through": "2021-06-30"}
    about = About(snapshot_on="2019-01-01", income_is_net=True, **whole)
    return from_frames({**frames, "risk_events": pd.DataFrame(ill)}, about)


@pytest.fixture(scope="module")
def view(county):
    return rules_page.rules_view(county, "national-2021", DAY, params={"large_drop": 0.4})


@pytest.fixture(scope="module")
def html(view) -> str:
    return rules_html(view)


def test_it_is_whole_and_loads_nothing(html) -> None:
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.loads == []
    assert "default-src 'none'" in html
    # A household id is text, whatever it looks like.
    assert "<b>h16" not in html
    assert "<b>h16" in reader.text


def test_it_shows_the_rules_in_force(html, view) -> None:
    ruleset = rules.load_rules("national-2021")
    for condition in ruleset.conditions.values():
        assert condition.zh in html
        assert condition.source in html
    for name, parameter in ruleset.parameters.items():
        assert name in html
        assert parameter.zh in html
    # The one that was changed for this page says so; assumptions do too.
    standing = {row.full[0].small: row.values[2]["en"] for row in rules_page.parameters_table(view).rows}
    assert standing["large_drop"] == "changed for this run"
    assert standing["sudden_causes"] == "assumption"
    assert standing["line"] == "stated"


def test_a_set_that_is_not_yet_valid_says_so(html, view) -> None:
    assert "is valid from" not in html
    early = rules.load_rules("national-2021").model_copy(update={"valid_from": dt.date(2022, 1, 1)})
    assert "is valid from 2022-01-01" in rules_html(replace(view, ruleset=early))


def test_counts_are_those_of_the_verdicts(county, view) -> None:
    verdicts = rules.evaluate_rules(county, "national-2021", DAY, params={"large_drop": 0.4})
    counted = rules_page.by_verdict(view, "category").set_index("category")
    assert counted["households"].to_dict() == {
        **dict.fromkeys(counted.index, 0),
        **verdicts["category"].value_counts().to_dict(),
    }
    assert counted["persons"].sum() == verdicts["persons"].sum()
    towns = rules_page.by_township(view)
    assert towns["households"].sum() == len(verdicts)
    assert towns["flagged"].sum() == verdicts["flagged"].sum() > 0
    assert towns["unknown"].sum() == (verdicts["category"] == "unknown").sum() == 3
    found = rules.find_verdict_changes(county, "national-2021", DAY, params={"large_drop": 0.4})
    kinds = found["kind"].value_counts()
    assert len(found) > 0
    assert all(towns[kind].sum() == kinds.get(kind, 0) for kind in kinds.index)


def test_it_looks_back_from_a_months_end_to_a_months_end(view) -> None:
    assert view.since == pd.Timestamp("2021-05-31")  # not May 30
    assert set(view.changes["since"]) == {view.since}


def test_every_change_is_told_in_both_languages(html, view) -> None:
    ruleset = rules.load_rules("national-2021")
    for row in view.changes.to_dict("records"):
        for lang in ("zh", "en"):
            said = rules.describe_change(ruleset, row, lang)
            assert said.replace("&", "&amp;") in html


def test_a_long_list_is_cut_and_says_so(view, monkeypatch) -> None:
    monkeypatch.setattr(rules_page, "MOST", 1)
    long = [table for _, _, table in rules_page.change_tables(view) if table.notes]
    assert long
    assert all(len(table.rows) == 1 for table in long)


def test_the_same_input_gives_the_same_bytes(county, view, tmp_path) -> None:
    one = write_rules_page(county, "national-2021", DAY, tmp_path, params={"large_drop": 0.4})
    assert one.read_text(encoding="utf-8") == rules_html(view)
    names = {p.name for p in (tmp_path / "tables").iterdir()}
    assert names == {f"rules-{n}.csv" for n in ("changes", "townships", "conditions", "parameters")}
