"""The charts of a bench's page: differences in recall, areas under the curve, net benefit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from riskmodel import models
from riskmodel.benchmark.further_tables import word
from riskmodel.benchmark.run import BenchmarkResult, PanelResult
from riskmodel.presentation import Axis, Chart, Interval, Plot, Words, intervals, line_style
from riskmodel.runs import winner

_PAD = 0.02
_WINNER = {"simple": "#d97706", "elaborate": "#0072b2", "level": "#6b7280"}


def charts(one: PanelResult, name_of: Callable[[str], Words]) -> Iterator[Chart]:
    """Draw a panel's charts."""
    yield _delta(one, name_of)
    yield _auc(one, name_of)
    if len(one.tables["net_benefit"]):
        yield _net_benefit(one, name_of)


def overall(done: BenchmarkResult) -> Iterator[Chart]:
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


def _words(model: str, name_of: Callable[[str], Words]) -> Words:
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
            _words(r["model"], name_of),
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
        Interval(_words(r["model"], name_of), r["auc"], r["auc_low"], r["auc_high"], _colour(r["model"]))
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
        plot.line(inside["threshold"], inside["net_benefit"], colour, dash, _words(str(model), name_of))
    return Chart("net_benefit", title, plot.svg())
