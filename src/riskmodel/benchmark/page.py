"""The researcher's page of a bench: findings, tables, figures, methods, limits, references; one HTML file.

Its charts show differences in recall, areas under the curve, and net benefit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from riskmodel import models
from riskmodel.benchmark.findings import benchmark_findings, panel_findings, results_markdown, summary_table
from riskmodel.benchmark.run import BenchmarkResult, PanelResult
from riskmodel.benchmark.tables import (
    LEVEL,
    PER_CENT,
    baseline,
    cell,
    estimate,
    name_of,
    named,
    number,
    plain,
    pooled,
    records,
    table,
    tables_of,
    word,
    words,
)
from riskmodel.evaluation import METRICS
from riskmodel.i18n import nouns_of, pair, section
from riskmodel.io import write_table, write_text
from riskmodel.presentation import (
    Axis,
    Bullets,
    Cell,
    Chart,
    Charts,
    Heading,
    Html,
    Interval,
    Link,
    Links,
    PageSection,
    Paragraph,
    Plot,
    Table,
    Words,
    intervals,
    line_style,
    page_html,
    section_html,
)
from riskmodel.runs import is_simple, winner
from riskmodel.version import __version__

_PAD = 0.02
_WINNER = {"simple": "#d97706", "elaborate": "#0072b2", "level": "#6b7280"}


def panel_charts(one: PanelResult) -> Iterator[Chart]:
    """Draw a panel's charts."""
    yield _delta(one)
    yield _auc(one)
    if len(one.tables["net_benefit"]):
        yield _net_benefit(one)


def overall_charts(result: BenchmarkResult) -> Iterator[Chart]:
    """Draw over all panels by how much the best elaborate method is ahead of the best simple one."""
    measures = {
        "auc": (word("ordering_auc"), word("auc")),
        "recall": (word("ordering_recall"), word("recall")),
    }
    for measure, (title, unit) in measures.items():
        rows = [
            Interval(one.panel.brief, row["difference"], row["low"], row["high"], _WINNER[winner(row)])
            for one in result.panels
            for row in records(one, "ordering")
            if row["measure"] == measure
        ]
        if rows:
            yield _difference_chart(f"simple_{measure}", title, rows, word("difference_axis", unit=unit))


def _difference_chart(name: str, title: Words, rows: list[Interval], label: Words) -> Chart:
    """Draw differences with their intervals, zero among what is shown."""
    low, high = _span(rows)
    axis = Axis(label, min(low, -_PAD), max(high, _PAD))
    return Chart(name, title, intervals(rows, axis, title, zero=True))


def _span(rows: list[Interval]) -> tuple[float, float]:
    values = np.array([(row.value, row.low, row.high) for row in rows], dtype=float)
    values = values[np.isfinite(values)]
    return float(values.min()) - _PAD, float(values.max()) + _PAD


def _short_name(model: str) -> Words:
    return models.MODELS[model].short if model in models.MODELS else name_of(model)


def _colour(model: str) -> str:
    if not models.is_model(model):
        return line_style(model)[0]
    return models.TRADITIONS[models.model_entry(model).tradition].colour


def _model_intervals(frame: pd.DataFrame, value: str, low: str, high: str) -> list[Interval]:
    """Return one interval a model, the highest value first; rule sets are left out."""
    frame = frame[frame["model"].isin(list(models.MODELS))]
    return [
        Interval(_short_name(r["model"]), r[value], r[low], r[high], _colour(r["model"]))
        for r in frame.sort_values(value, ascending=False, kind="stable").to_dict("records")
    ]


def _delta(one: PanelResult) -> Chart:
    rows = _model_intervals(pooled(one), "delta_recall", "delta_low", "delta_high")
    return _difference_chart(
        "delta", word("delta_recall"), rows, word("recall_minus_baseline", baseline=baseline(one))
    )


def _auc(one: PanelResult) -> Chart:
    rows = _model_intervals(one.tables["metrics"], "auc", "auc_low", "auc_high")
    low, high = _span(rows)
    title = word("area_under_the_roc_curve")
    axis = Axis(word("auc"), max(0.0, low), min(1.0, high), percent=False)
    return Chart("auc", title, intervals(rows, axis, title))


def _net_benefit(one: PanelResult) -> Chart:
    table = one.tables["net_benefit"]
    title = word("net_benefit_higher_is_better")
    top = max(float(table["net_benefit"].max()), 0.0) * 1.1 + 1e-4
    x = Axis(word("least_chance"), 0, float(table["threshold"].max()))
    plot = Plot(x, Axis(word("net_benefit"), 0, top), title)
    everyone = table[table["model"] == table["model"].iloc[0]]
    above = everyone[everyone["visit_all"] >= 0]
    plot.line(above["threshold"], above["visit_all"], "#94a3b8", "2 4", word("visit_everyone"))
    for model, rows in table.groupby("model", sort=False):
        colour, dash = line_style(str(model))
        inside = rows[rows["net_benefit"] >= 0]
        plot.line(inside["threshold"], inside["net_benefit"], colour, dash, _short_name(str(model)))
    return Chart("net_benefit", title, plot.svg())


PAGE, TEXT, ONE_TABLE = "bench.html", "bench.md", "tables/bench.csv"
_NOTES = 12


def write_benchmark_page(result: BenchmarkResult, out: str | Path, lang: str = "en") -> Path:
    """Write a benchmark's page, its figures, its one table and its results as text.

    Parameters
    ----------
    result
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
    first = list(overall_charts(result))
    charts = {one.panel.id: list(panel_charts(one)) for one in result.panels}
    for part, drawn in {"bench": first, **charts}.items():
        for chart in drawn:
            write_text(chart.svg + "\n", folder / "figures" / f"{part}-{chart.name}.svg")
    write_table(summary_table(result), folder / ONE_TABLE)
    peak = max((r.facts.get("peak_gib", 0.0) for r in result.panels), default=0.0)
    write_text(results_markdown(result, peak), folder / TEXT)
    html = page_html(
        result.bench.title.model_dump(),
        [*_first_sections(result, first), *(_panel(one, charts[one.panel.id]) for one in result.panels),
         *_last_sections(result)],
        language=lang, kind="benchmark", above=f"riskmodel {__version__}{' · quick' if result.quick else ''}",
    )  # fmt: skip
    return write_text(html, folder / PAGE)


def _words(key: str) -> Words:
    phrase: Words = section("benchmark.page")[key]
    return phrase


def _first_sections(result: BenchmarkResult, charts: list[Chart]) -> list[PageSection]:
    links = [Link(one.panel.title.model_dump(), f"#{one.panel.id}") for one in result.panels]
    links += [Link(_words(name), f"#{name}") for name in ("methods", "limits", "references")]
    quick = [Paragraph(_words("quick"), "warn")] if result.quick else []
    findings = [
        *quick,
        Bullets([m.both() for m in benchmark_findings(result)]),
        Links(_words("go"), links),
    ]
    overview = [replace(_overview(result), title=""), Charts(charts), *_matrices(result)]
    return [
        PageSection("findings", _words("findings"), findings),
        PageSection("overview", _words("overview"), overview),
    ]


def _panel(one: PanelResult, charts: list[Chart]) -> Html:
    """Return a panel's section, in the panel's own words."""
    notes = [Heading(_words("notes")), Bullets(one.notes[:_NOTES])] if one.notes else []
    run = Paragraph({lang: f"{text} {one.run_id}" for lang, text in _words("run").items()}, "note")
    parts = [Bullets([m.both() for m in panel_findings(one)]), Charts(charts), *tables_of(one), *notes, run]
    whole = section_html(PageSection(one.panel.id, one.panel.title.model_dump(), parts))
    return Html(Markup(nouns_of(one.facts).page(whole)))


def _last_sections(result: BenchmarkResult) -> list[PageSection]:
    page, skipped = section("benchmark"), _skipped(result)
    limits = [Bullets(page["limits"]), *([skipped] if skipped else [])]
    return [
        PageSection("methods", _words("methods"),
                    [Bullets(page["methods"]), _metric_table(), _model_table(result)]),
        PageSection("limits", _words("limits"), limits),
        PageSection("references", _words("references"), [Bullets(page["references"], numbered=True)]),
    ]  # fmt: skip


def _overview(result: BenchmarkResult) -> Table:
    heads = words("panel", "test_rows", "events", "visits_2", "highest_auc", "best_list",
                  "auc_elaborate_simple", "who_wins", "seconds")  # fmt: skip
    rows = []
    for one in result.panels:
        metrics = one.tables["metrics"].set_index("model")
        top, best = str(metrics["auc"].idxmax()), str(metrics["recall_at_budget"].idxmax())
        first = metrics.iloc[0]
        rows.append([
            named(one.panel.title.model_dump()), cell(first["n_test"], digits=0),
            cell(first["n_events"], digits=0), cell(first["visits"], digits=0),
            named(name_of(top), number(metrics.loc[top, "auc"])),
            named(name_of(best), number(metrics.loc[best, "recall_at_budget"])), *_won(one),
            cell(one.seconds, digits=0),
        ])  # fmt: skip
    return table(word("overview_title"), heads, rows)


def _won(one: PanelResult) -> list[Cell]:
    if "ordering" not in one.tables:
        return [plain("–"), plain("–")]
    row = one.tables["ordering"].set_index("measure").loc["auc"].to_dict()
    winners = {"simple": word("simple"), "elaborate": word("elaborate"),
            "level": word("not_told_apart")}  # fmt: skip
    return [cell(row["difference"], row["low"], row["high"], sign=True), named(winners[winner(row)])]


def _matrices(result: BenchmarkResult) -> list[Table]:
    """Return models by panels: how each orders, and what its list finds beyond the baseline's."""
    whole = summary_table(result)
    by = {(r["panel"], r["model"]): r for r in whole.to_dict("records")}
    names = [m for m in models.MODELS if m in set(whole["model"])]
    best = whole[whole["model"].isin(names)].groupby("panel")["auc"].max()
    heads = [word("model"), *(one.panel.brief for one in result.panels)]

    def row(name: str, make: Any) -> list[Cell]:
        mark = " *" if is_simple(name) else ""
        shown = {k: v + mark for k, v in name_of(name).items()}
        cells = [by.get((one.panel.id, name)) for one in result.panels]
        return [named(shown), *(plain("–") if r is None else make(r) for r in cells)]

    def auc(r: dict[Any, Any]) -> Cell:
        shown = estimate(r, "auc")
        return replace(shown, mark="won" if r["auc"] == best[r["panel"]] else "")

    def delta(r: dict[Any, Any]) -> Cell:
        if r["delta_recall"] != r["delta_recall"]:
            return named(word("baseline"))
        shown = cell(
            *(PER_CENT * r[c] for c in ("delta_recall", "delta_low", "delta_high")), digits=1, sign=True
        )
        better = "won" if r["delta_recall"] > 0 else "lost"
        return replace(shown, mark=better if r["p_holm"] < LEVEL else "")

    return [
        table(word("auc"), heads, [row(m, auc) for m in names], note=word("auc_matrix_note")),
        table(word("delta_recall_by_panel"),
              heads, [row(m, delta) for m in names], note=word("primary_matrix_note")),
    ]  # fmt: skip


def _metric_table() -> Table:
    heads = words("metric", "formula", "source", "derived")
    rows = [
        [named(pair(m)), *(plain(t, "text") for t in (m.formula, m.source)),
         named(word("yes")) if m.derived else plain("")]
        for m in METRICS.values()
    ]  # fmt: skip
    return table(word("metrics"), heads, rows, wide=True)


def _model_table(result: BenchmarkResult) -> Table:
    heads = words("model", "tradition", "simple_2", "note")
    rows = [
        [named(name_of(m)), named(models.TRADITIONS[models.model_entry(m).tradition].words),
         named(word("yes")) if is_simple(m) else plain(""), plain(result.left_out.get(m, ""), "text")]
        for m in result.bench.models
    ]  # fmt: skip
    return table(word("models"), heads, rows)


def _skipped(result: BenchmarkResult) -> Table | None:
    if not result.skipped:
        return None
    rows = [[plain(k), plain(v, "text")] for k, v in result.skipped.items()]
    heads = words("panel", "reason")
    return table(word("panels_that_were_not_run"), heads, rows, wide=True)
