"""A report section is one function: registered, it stands in the page without another file being touched."""

from __future__ import annotations

import pytest

from riskmodel.errors import SpecError
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

TITLE = {"zh": "各模型的户次", "en": "Rows by model"}


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
        "headline", "rules", "notes", "comparison", "quality",
        "yields", "list", "outlook", "methods", "origin",
    ]  # fmt: skip
    assert all(s.words["zh"] and s.words["en"] for s in registered)
    assert next(s for s in registered if s.id == "rows_by_model").words == TITLE


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
