"""A run's report: one HTML page that needs nothing else, CSV tables, and SVG figures in both languages.

A section is a function from what the report is made of (`ReportInput`) to the parts it shows: tables,
charts, sentences. Registered under an id, a title and a place, it stands in the page, in the list of
sections that documentation reads (`REPORT_SECTIONS`), and nowhere else has to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from riskmodel.errors import UsageError
from riskmodel.evaluation import bracket_message, claim_messages
from riskmodel.i18n import LANGUAGES, same, section
from riskmodel.io import Registry, write_table, write_text
from riskmodel.presentation import report_parts as tables
from riskmodel.presentation.forecast_page import chapter_parts
from riskmodel.presentation.page import (
    LANGS,
    Bullets,
    Charts,
    Facts,
    Heading,
    Html,
    Link,
    PageSection,
    Paragraph,
    Part,
    page_html,
    render,
)
from riskmodel.presentation.report_input import HEADS, TEXT_HEADS, ReportInput, list_data
from riskmodel.presentation.report_parts import WORDS, model_words, report_charts
from riskmodel.presentation.table import NOTHING, Words

Parts = Sequence[Part] | None


@dataclass(frozen=True)
class ReportSection:
    """One registered section.

    Parameters
    ----------
    id : str
        Its anchor on the page.
    title : str or mapping of language to text
        The heading: a key of the catalogue of words, or ``zh`` and ``en``.
    order : int
        Place on the page; those of the package stand at 10, 20, … 100.
    parts : callable
        From `ReportInput` to what is shown, or to None where the run has nothing for it.
    """

    id: str
    title: Words | str
    order: int
    parts: Callable[[ReportInput], Parts]

    @property
    def name(self) -> str:
        """Its id, as registries call it."""
        return self.id

    @property
    def words(self) -> Words:
        """Its heading in both languages."""
        return section(self.title) if isinstance(self.title, str) else self.title


def _section_problems(given: ReportSection) -> list[str]:
    """Return what is wrong with a section whose fields are of the declared types: its heading."""
    if isinstance(given.title, str):
        try:
            section(given.title)
        except UsageError as exc:
            return [f"title: {exc}"]
        return []
    lacking = [language for language in LANGUAGES if not str(given.title.get(language) or "").strip()]
    return [f"title needs the heading in {' and '.join(lacking)}"] if lacking else []


REPORT_SECTIONS: Registry[ReportSection] = Registry(
    "report section", "riskmodel.presentation", _section_problems
)


def report_section(
    id: str,  # the word that users look for
    *,
    title: Words | str,
    order: int,
) -> Callable[[Callable[[ReportInput], Parts]], Callable[[ReportInput], Parts]]:
    """Register a function as a section of the report.

    Parameters
    ----------
    id : str
        Its anchor on the page; no two sections share one.
    title : str or mapping of language to text
        The section's heading: a key of the catalogue of words, or ``zh`` and ``en``.
    order : int
        Place on the page.

    Returns
    -------
    callable
        The decorator; it gives the function back unchanged.

    Raises
    ------
    SpecError
        If the id is taken, or the title lacks a language.
    """

    def register(function: Callable[[ReportInput], Parts]) -> Callable[[ReportInput], Parts]:
        REPORT_SECTIONS.register(ReportSection(id, title, order, function))
        return function

    return register


def page_sections(given: ReportInput) -> list[PageSection]:
    """Return the sections of a report that have something to show."""
    made = [(s, s.parts(given)) for s in REPORT_SECTIONS.values()]
    return [PageSection(s.id, s.words, list(parts)) for s, parts in made if parts is not None]


FORMAT = 1
PAGE = "report.html"


def write_report(given: ReportInput, out: str | Path, lang: str = "zh") -> Path:
    """Write the report of a run into a folder.

    Parameters
    ----------
    given : ReportInput
        What the report shows (`read_run`).
    out : str or Path
        Folder: ``report.html``, ``tables/*.csv``, ``figures/*.{zh,en}.svg``.
    lang : {"zh", "en"}
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page. It makes no network request and holds no name of the machine or hour: the same input
        gives the same bytes.
    """
    folder = Path(out)
    for name, frame in _frames(given).items():
        write_table(frame, folder / "tables" / f"{name}.csv")
    for shown in LANGS:
        for chart in report_charts(given, [shown]):
            write_text(chart.svg + "\n", folder / "figures" / f"{chart.name}.{shown}.svg")
    return write_text(report_html(given, lang), folder / PAGE)


def report_html(given: ReportInput, lang: str = "zh") -> str:
    """Return the page as text."""
    words, folds = section("report"), given.folds
    tested = f"{folds['test_from'].min()} – {folds['test_to'].max()}"
    column = words["columns"]["test"]
    return page_html(
        given.experiment["title"],
        page_sections(given),
        language=lang,
        kind=f"report format {FORMAT}",
        above=words["page"]["report"],
        below={lang: f"{column[lang]} {tested} · {given.experiment['ruleset']}" for lang in LANGS},
        data=list_data(given, given.nouns.words(words)),
        nouns=given.nouns,
    )


def _champion(given: ReportInput) -> str:
    return str(given.experiment["champion"])


@report_section("headline", title="report.page.headline", order=10)
def _headline(given: ReportInput) -> Parts:
    return [Paragraph(given.headline, "verdict"), *tables.headline_figures(given)]


@report_section("rules", title="report.page.rules", order=20)
def _rules(given: ReportInput) -> Parts:
    return [Link(WORDS("rules_page"), given.rules_page)] if given.rules_page else None


@report_section("gate", title="report.page.gate", order=25)
def _gate(given: ReportInput) -> Parts:
    if given.gate is None or not given.gate["checks"]:
        return None
    signs = section("report")["gate"]
    checks = [
        {lang: f"{signs['passed' if c['passed'] else 'failed'][lang]}{c[lang]}" for lang in LANGS}
        for c in given.gate["checks"]
    ]
    return [Paragraph({lang: given.gate[lang] for lang in LANGS}), Bullets(checks)]


@report_section("notes", title="report.page.notes", order=30)
def _notes(given: ReportInput) -> Parts:
    return [Bullets(given.notes)] if given.notes else None


@report_section("comparison", title="report.page.comparison", order=40)
def _comparison(given: ReportInput) -> Parts:
    if given.comparison is None:
        return None
    deployed = None if given.deployed is None else tables.deployed_table(given.deployed)
    claims = [] if given.claims is None else [m.both() for m in claim_messages(given.claims)]
    return [
        *([Bullets(claims)] if claims else []),
        tables.comparison_table(given.comparison, _champion(given)),
        WORDS.note("comparison"),
        *WORDS.headed("targeting", tables.targeting_table(given.comparison)),
        *WORDS.headed("deployed", deployed, note=False),
    ]


@report_section("quality", title="report.page.quality", order=50)
def _quality(given: ReportInput) -> Parts:
    by_model = {
        "metrics": (tables.metrics_table, given.metrics),
        "oracle": (tables.metrics_table, given.oracle),
        "attainable": (tables.oracle_table, given.true_risk),
        "attainable_bins": (tables.bins_table, given.true_risk_bins),
    }
    parts: list[Part] = [Charts(report_charts(given))]
    for key, (table, frame) in by_model.items():
        parts += [] if frame is None else WORDS.headed(key, table(frame, _champion(given)))
        if key == "attainable" and frame is not None:
            parts.append(Paragraph(bracket_message(frame).both()))
    return [*parts, *WORDS.headed("by_fold", tables.fold_table(given.by_fold), note=False)]


@report_section("yields", title="report.page.yields", order=60)
def _yields(given: ReportInput) -> Parts:
    if given.yields is None or given.yields.empty:
        return None
    weighted = tables.weighted_facts(given.weighted_yield)
    return [
        tables.yields_table(given.yields),
        WORDS.note("yields"),
        *([] if weighted is None else [Paragraph(WORDS("yields_weighted", **weighted))]),
        Paragraph(WORDS("yields_published", **tables.published_yield()), "note"),
    ]


@report_section("list", title="report.page.list", order=70)
def _list(given: ReportInput) -> Parts:
    if not given.scores:
        return [Paragraph(WORDS("no_list"), "note")]
    words = section("report")["list"]
    heads = [(name, words[name]) for name in HEADS]
    table = render("household-list.html.j2", heads=heads, text_heads=TEXT_HEADS, list=words)
    return [Paragraph(WORDS("list_note"), "warn"), Html(Markup(table))]


@report_section("dropped", title="report.page.dropped", order=75)
def _dropped(given: ReportInput) -> Parts:
    if given.dropped is None:
        return None
    if given.dropped.empty:
        return [Paragraph(WORDS("no_dropped"), "note")]
    return [
        Paragraph(WORDS("dropped_counts", **tables.dropped_counts(given.dropped)), "warn"),
        tables.dropped_table(given.dropped),
    ]


@report_section("outlook", title="forecast.page.chapter", order=80)
def _outlook(given: ReportInput) -> Parts:
    return None if given.outlook is None else chapter_parts(given.outlook)


@report_section("methods", title="report.page.methods", order=90)
def _methods(given: ReportInput) -> Parts:
    return [
        Bullets(section("report")["methods"]),
        Heading(WORDS("limits")),
        Bullets(section("report")["limits"]),
    ]


@report_section("origin", title="report.page.origin", order=100)
def _origin(given: ReportInput) -> Parts:
    exp, words = given.experiment, section("report")
    events = [words["values"].get(e, same(e)) for e in exp["events"]]
    values: dict[str, Any] = {
        "run_id": given.run_id,
        "experiment": f"{exp['id']} v{exp.get('version', 1)}",
        "cohort": ", ".join(exp["cohort"]),
        "events": {lang: ", ".join(e[lang] for e in events) for lang in LANGS},
        "horizon": _horizon(exp["horizon"]),
        "ruleset": exp["ruleset"],
        "feature_set": exp["feature_set"],
        "champion": model_words(_champion(given)),
        "budget": _budget(exp["budget"]),
        "bootstrap": str(exp["bootstrap"]),
        "seed": str(exp["seed"]),
        "fingerprint": given.fingerprint,
        "environment": ", ".join(f"{k} {v}" for k, v in given.environment.items()) or NOTHING,
    }
    facts = Facts([(words["origin"][name], value) for name, value in values.items()])
    return [facts, *WORDS.headed("folds", tables.fold_dates(given.folds), note=False)]


def _horizon(horizon: Mapping[str, Any]) -> dict[str, str]:
    return WORDS("next_interview" if horizon.get("next") else "months", n=horizon["months"])


def _budget(budget: Mapping[str, Any]) -> dict[str, str]:
    if budget.get("visits") is not None:
        return WORDS("budget_visits", n=budget["visits"])
    return WORDS("budget_share", p=f"{budget['share']:.1%}")


# Of every model and rule against the true chances of a simulated county; what the oracle reaches beside.
TRUE_FIGURES = ["model", "auc_true", "recall_true", "oracle_auc", "oracle_recall"]


def _frames(given: ReportInput) -> dict[str, pd.DataFrame]:
    """Return the frames that go into files: those that the run has."""
    weighted = given.weighted_yield
    frames = {
        "metrics": given.metrics,
        "metrics_by_fold": given.by_fold,
        "curves": given.curves,
        "folds": given.folds,
        "comparison": given.comparison,
        "claims": given.claims,
        "deployed": given.deployed,
        "oracle": given.oracle,
        "attainable": given.true_risk,
        "attainable_bins": given.true_risk_bins,
        "true_recall": None if given.true_risk is None else given.true_risk[TRUE_FIGURES],
        "yields": given.yields,
        "dropped": given.dropped,
        "yields_weighted": weighted if weighted is not None and len(weighted) else None,
    }
    frames |= {} if given.choice is None else given.choice.tables
    return {name: frame for name, frame in frames.items() if frame is not None}
