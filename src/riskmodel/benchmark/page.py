"""The researcher's page of a bench: findings, tables, figures, methods, limits, references; one HTML file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from riskmodel import models
from riskmodel.benchmark import figures
from riskmodel.benchmark.findings import (
    LEVEL,
    benchmark_findings,
    panel_findings,
    results_markdown,
    summary_table,
)
from riskmodel.benchmark.further_tables import PER_CENT, cell, name_of, named, number, plain, table, word
from riskmodel.benchmark.panel_tables import tables_of
from riskmodel.benchmark.run import BenchmarkResult, PanelResult
from riskmodel.evaluation import METRICS
from riskmodel.i18n import section
from riskmodel.io import write_table, write_text
from riskmodel.presentation import (
    Bullets,
    Cell,
    Chart,
    Charts,
    Heading,
    Link,
    Links,
    PageSection,
    Paragraph,
    Table,
    Words,
    attributes_in_both,
    page_html,
)
from riskmodel.runs import is_simple, winner
from riskmodel.version import __version__

PAGE, TEXT, ONE_TABLE = "bench.html", "bench.md", "tables/bench.csv"
_NOTES = 12


def write_benchmark_page(done: BenchmarkResult, out: str | Path, lang: str = "en") -> Path:
    """Write a benchmark's page, its figures, its one table and its results as text.

    Parameters
    ----------
    done : BenchmarkResult
        What `run_benchmark` returned.
    out : str or Path
        Folder: ``bench.html``, ``figures/*.svg``, ``tables/bench.csv`` and ``bench.md``.
    lang : {"en", "zh"}
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page; it makes no network request.
    """
    folder = Path(out)
    overall = list(figures.overall(done))
    charts = {one.panel.id: list(figures.charts(one, name_of)) for one in done.done}
    for part, drawn in {"bench": overall, **charts}.items():
        for chart in drawn:
            write_text(chart.svg + "\n", folder / "figures" / f"{part}-{chart.name}.svg")
    write_table(summary_table(done), folder / ONE_TABLE)
    peak = max((r.facts.get("peak_gib", 0.0) for r in done.done), default=0.0)
    write_text(results_markdown(done, peak), folder / TEXT)
    html = page_html(
        done.bench.title.model_dump(),
        [*_first_sections(done, overall), *(_panel(one, charts[one.panel.id]) for one in done.done),
         *_last_sections(done)],
        language=lang, kind="benchmark", above=f"riskmodel {__version__}{' · quick' if done.quick else ''}",
    )  # fmt: skip
    return write_text(html, folder / PAGE)


def _words(key: str) -> Words:
    words: Words = section("benchmark.page")[key]
    return words


def _first_sections(done: BenchmarkResult, charts: list[Chart]) -> list[PageSection]:
    links = [Link(one.panel.title.model_dump(), f"#{one.panel.id}") for one in done.done]
    links += [Link(_words(name), f"#{name}") for name in ("methods", "limits", "references")]
    quick = [Paragraph(_words("quick"), "warn")] if done.quick else []
    findings = [*quick, Bullets([m.both() for m in benchmark_findings(done)]), Links(_words("go"), links)]
    overview = [replace(_overview(done), title=""), Charts(charts), *_matrices(done)]
    return [
        PageSection("findings", _words("findings"), findings),
        PageSection("overview", _words("overview"), overview),
    ]


def _panel(one: PanelResult, charts: list[Chart]) -> PageSection:
    notes = [Heading(_words("notes")), Bullets(one.notes[:_NOTES])] if one.notes else []
    run = Paragraph({lang: f"{words} {one.run_id}" for lang, words in _words("run").items()}, "note")
    parts = [Bullets([m.both() for m in panel_findings(one)]), Charts(charts), *tables_of(one), *notes, run]
    return PageSection(one.panel.id, one.panel.title.model_dump(), parts)


def _last_sections(done: BenchmarkResult) -> list[PageSection]:
    words, skipped = section("benchmark"), _skipped(done)
    limits = [Bullets(words["limits"]), *([skipped] if skipped else [])]
    return [
        PageSection("methods", _words("methods"),
                    [Bullets(words["methods"]), _metric_table(), _model_table(done)]),
        PageSection("limits", _words("limits"), limits),
        PageSection("references", _words("references"), [Bullets(words["references"], numbered=True)]),
    ]  # fmt: skip


def _overview(done: BenchmarkResult) -> Table:
    heads = [word("panel"), word("test_rows"), word("events"), word("visits_2"),
             word("highest_auc"), word("best_list"),
             word("auc_elaborate_simple"), word("who_wins"),
             word("seconds")]  # fmt: skip
    rows = []
    for one in done.done:
        found = one.tables["metrics"].set_index("model")
        top, best = str(found["auc"].idxmax()), str(found["recall_at_budget"].idxmax())
        first = found.iloc[0]
        rows.append([
            named(one.panel.title.model_dump()), cell(first["n_test"], digits=0),
            cell(first["n_events"], digits=0), cell(first["visits"], digits=0),
            named(name_of(top), number(found.loc[top, "auc"])),
            named(name_of(best), number(found.loc[best, "recall_at_budget"])), *_won(one),
            cell(one.seconds, digits=0),
        ])  # fmt: skip
    return table(word("overview_title"), heads, rows)


def _won(one: PanelResult) -> list[Cell]:
    if "ordering" not in one.tables:
        return [plain("–"), plain("–")]
    row = one.tables["ordering"].set_index("measure").loc["auc"].to_dict()
    said = {"simple": word("simple"), "elaborate": word("elaborate"),
            "level": word("not_told_apart")}  # fmt: skip
    return [cell(row["difference"], row["low"], row["high"], sign=True), named(said[winner(row)])]


def _matrices(done: BenchmarkResult) -> list[Table]:
    """Return models by panels: how each orders, and what its list finds beyond the baseline's."""
    whole = summary_table(done)
    by = {(r["panel"], r["model"]): r for r in whole.to_dict("records")}
    names = [m for m in models.MODELS if m in set(whole["model"])]
    best = whole[whole["model"].isin(names)].groupby("panel")["auc"].max()
    heads = [word("model"), *(one.panel.brief for one in done.done)]

    def row(name: str, make: Any) -> list[Cell]:
        mark = " *" if is_simple(name) else ""
        words = {k: v + mark for k, v in name_of(name).items()}
        found = [by.get((one.panel.id, name)) for one in done.done]
        return [named(words), *(plain("–") if r is None else make(r) for r in found)]

    def auc(r: dict[Any, Any]) -> Cell:
        made = cell(r["auc"], r["auc_low"], r["auc_high"])
        return replace(made, mark="won" if r["auc"] == best[r["panel"]] else "")

    def delta(r: dict[Any, Any]) -> Cell:
        if r["delta_recall"] != r["delta_recall"]:
            return named(word("baseline"))
        made = cell(
            *(PER_CENT * r[c] for c in ("delta_recall", "delta_low", "delta_high")), digits=1, sign=True
        )
        better = "won" if r["delta_recall"] > 0 else "lost"
        return replace(made, mark=better if r["p_holm"] < LEVEL else "")

    star = word("auc_matrix_note")
    test = word("primary_matrix_note")
    return [
        table(word("auc"), heads, [row(m, auc) for m in names], note=star),
        table(word("delta_recall_by_panel"),
              heads, [row(m, delta) for m in names], note=test),
    ]  # fmt: skip


def _metric_table() -> Table:
    heads = [word("metric"), word("formula"), word("source"), word("derived")]
    rows = [
        [named(attributes_in_both(m)), *(plain(t, "text") for t in (m.formula, m.source)),
         named(word("yes")) if m.derived else plain("")]
        for m in METRICS.values()
    ]  # fmt: skip
    return table(word("metrics"), heads, rows, wide=True)


def _model_table(done: BenchmarkResult) -> Table:
    heads = [word("model"), word("tradition"), word("simple_2"), word("note")]
    rows = [
        [named(name_of(m)), named(models.TRADITIONS[models.model_entry(m).tradition].words),
         named(word("yes")) if is_simple(m) else plain(""), plain(done.left_out.get(m, ""), "text")]
        for m in done.bench.models
    ]  # fmt: skip
    return table(word("models"), heads, rows)


def _skipped(done: BenchmarkResult) -> Table | None:
    if not done.skipped:
        return None
    rows = [[plain(k), plain(v, "text")] for k, v in done.skipped.items()]
    heads = [word("panel"), word("reason")]
    return table(word("panels_that_were_not_run"), heads, rows, wide=True)
