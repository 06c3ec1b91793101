"""The researcher's page of a bench: findings, tables, figures, methods, limits, references; one HTML file.

Its charts show differences in recall, areas under the curve, and net benefit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from riskmodel import models
from riskmodel.benchmark.findings import benchmark_findings, panel_findings, results_markdown, summary_table
from riskmodel.benchmark.run import BenchmarkResult, PanelResult
from riskmodel.benchmark.tables import (
    LEVEL,
    PER_CENT,
    cell,
    name_of,
    named,
    number,
    plain,
    table,
    tables_of,
    word,
)
from riskmodel.evaluation import METRICS
from riskmodel.i18n import pair, section
from riskmodel.io import write_table, write_text
from riskmodel.presentation import (
    Axis,
    Bullets,
    Cell,
    Chart,
    Charts,
    Heading,
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
)
from riskmodel.runs import is_simple, winner
from riskmodel.version import __version__

_PAD = 0.02
_WINNER = {"simple": "#d97706", "elaborate": "#0072b2", "level": "#6b7280"}


def panel_charts(one: PanelResult, name_of: Callable[[str], Words]) -> Iterator[Chart]:
    """Draw a panel's charts."""
    yield _delta(one, name_of)
    yield _auc(one, name_of)
    if len(one.tables["net_benefit"]):
        yield _net_benefit(one, name_of)


def overall_charts(done: BenchmarkResult) -> Iterator[Chart]:
    """Draw over all panels by how much the best elaborate method is ahead of the best simple one."""
    asked = {
        "auc": (
            word("ordering_auc"),
            word("auc"),
        ),
        "recall": (
            word("ordering_recall"),
            word("recall"),
        ),
    }
    for measure, (title, unit) in asked.items():
        found = [
            Interval(one.panel.brief, row["difference"], row["low"], row["high"], _WINNER[winner(row)])
            for one in done.done
            if "ordering" in one.tables
            for row in one.tables["ordering"].to_dict("records")
            if row["measure"] == measure
        ]
        if not found:
            continue
        low, high = _span(*zip(*((f.value, f.low, f.high) for f in found), strict=True))
        label = word("difference_axis", unit=unit)
        axis = Axis(label, min(low, -_PAD), max(high, _PAD))
        yield Chart(f"simple_{measure}", title, intervals(found, axis, title, zero=True))


def _short_name(model: str, name_of: Callable[[str], Words]) -> Words:
    return models.MODELS[model].short if model in models.MODELS else name_of(model)


def _colour(model: str) -> str:
    if not models.is_model(model):
        return line_style(model)[0]
    return models.TRADITIONS[models.model_entry(model).tradition].colour


def _span(values: Any, lows: Any, highs: Any) -> tuple[float, float]:
    every = np.r_[values, lows, highs].astype(float)
    every = every[np.isfinite(every)]
    return float(every.min()) - _PAD, float(every.max()) + _PAD


def _delta(one: PanelResult, name_of: Callable[[str], Words]) -> Chart:
    table = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    table = table[table["model"].isin(list(models.MODELS))].sort_values(
        "delta_recall", ascending=False, kind="stable"
    )
    low, high = _span(table["delta_recall"], table["delta_low"], table["delta_high"])
    rows = [
        Interval(
            _short_name(r["model"], name_of),
            r["delta_recall"],
            r["delta_low"],
            r["delta_high"],
            _colour(r["model"]),
        )
        for r in table.to_dict("records")
    ]
    baseline = name_of(str(table["baseline"].iloc[0]))
    label = word("recall_minus_baseline", baseline=baseline)
    title = word("delta_recall")
    return Chart(
        "delta", title, intervals(rows, Axis(label, min(low, -_PAD), max(high, _PAD)), title, zero=True)
    )


def _auc(one: PanelResult, name_of: Callable[[str], Words]) -> Chart:
    table = one.tables["metrics"]
    table = table[table["model"].isin(list(models.MODELS))].sort_values("auc", ascending=False, kind="stable")
    low, high = _span(table["auc"], table["auc_low"], table["auc_high"])
    rows = [
        Interval(_short_name(r["model"], name_of), r["auc"], r["auc_low"], r["auc_high"], _colour(r["model"]))
        for r in table.to_dict("records")
    ]
    title = word("area_under_the_roc_curve")
    axis = Axis(word("auc"), max(0.0, low), min(1.0, high), percent=False)
    return Chart("auc", title, intervals(rows, axis, title))


def _net_benefit(one: PanelResult, name_of: Callable[[str], Words]) -> Chart:
    table = one.tables["net_benefit"]
    title = word("net_benefit_higher_is_better")
    top = max(float(table["net_benefit"].max()), 0.0) * 1.1 + 1e-4
    x = Axis(
        word("least_chance"),
        0,
        float(table["threshold"].max()),
    )
    plot = Plot(x, Axis(word("net_benefit"), 0, top), title)
    everyone = table[table["model"] == table["model"].iloc[0]]
    above = everyone[everyone["visit_all"] >= 0]
    plot.line(above["threshold"], above["visit_all"], "#94a3b8", "2 4", word("visit_everyone"))
    for model, rows in table.groupby("model", sort=False):
        colour, dash = line_style(str(model))
        inside = rows[rows["net_benefit"] >= 0]
        plot.line(inside["threshold"], inside["net_benefit"], colour, dash, _short_name(str(model), name_of))
    return Chart("net_benefit", title, plot.svg())


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
    first = list(overall_charts(done))
    charts = {one.panel.id: list(panel_charts(one, name_of)) for one in done.done}
    for part, drawn in {"bench": first, **charts}.items():
        for chart in drawn:
            write_text(chart.svg + "\n", folder / "figures" / f"{part}-{chart.name}.svg")
    write_table(summary_table(done), folder / ONE_TABLE)
    peak = max((r.facts.get("peak_gib", 0.0) for r in done.done), default=0.0)
    write_text(results_markdown(done, peak), folder / TEXT)
    html = page_html(
        done.bench.title.model_dump(),
        [*_first_sections(done, first), *(_panel(one, charts[one.panel.id]) for one in done.done),
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
    findings = [
        *quick,
        Bullets([m.both() for m in benchmark_findings(done)]),
        Links(_words("go"), links),
    ]
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
        [named(pair(m)), *(plain(t, "text") for t in (m.formula, m.source)),
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
