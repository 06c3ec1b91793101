"""The report's charts, from a run's frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.i18n import same
from riskmodel.models import MODELS
from riskmodel.presentation.chart import LANGS, Axis, Chart, Interval, Plot, Words, intervals
from riskmodel.presentation.report_input import ReportInput

# The truth of a simulated county is drawn like a model. Colours that colour-blind readers tell apart (Okabe
# and Ito 2008); the dashes do the same on a grey printer.
_ORACLE_STYLE = ("#cc79a7", "4 2")
SPARE = ("#56b4e9", "1 2")
REFERENCE = "#94a3b8"
MARGIN = 1.05  # room above the highest point of a chart whose range follows the data


def line_style(model: str) -> tuple[str, str]:
    """Return colour and dashes of a model's line."""
    if model == "oracle":
        return _ORACLE_STYLE
    return MODELS[model].style if model in MODELS else SPARE


def model_words(name: str, book: Mapping[str, Any]) -> Words:
    """Return what a model is called in both languages; unknown names stand for themselves."""
    if name in book["models"]:
        return dict(book["models"][name])
    return dict(MODELS[name].words) if name in MODELS else same(name)


def report_charts(given: ReportInput, book: Mapping[str, Any], langs: Sequence[str] = LANGS) -> list[Chart]:
    """Draw every chart that the run has data for, in these languages."""
    drawer = _Drawer(given, book, langs)
    drawn = {
        "gain": drawer.gain(),
        "roc": drawer.curve("roc"),
        "precision_recall": drawer.curve("precision_recall"),
        "reliability": drawer.reliability(),
        "delta": drawer.delta(),
        "auc": drawer.auc(),
    }
    return [Chart(name, book["charts"][name]["title"], svg) for name, svg in drawn.items() if svg]


class _Drawer:
    def __init__(self, given: ReportInput, book: Mapping[str, Any], langs: Sequence[str]) -> None:
        self.given, self.book, self.langs = given, book, langs
        self.charts: Mapping[str, Any] = book["charts"]

    def _plot(self, name: str, x: Axis, y: Axis) -> Plot:
        return Plot(x, y, self.charts[name]["title"], self.langs)

    def _label(self, chart: str, which: str) -> Words:
        return dict(self.charts[chart][which])

    def _rows(self, curve: str) -> list[tuple[str, pd.DataFrame]]:
        part = self.given.curves[self.given.curves["curve"] == curve]
        return [(str(model), rows) for model, rows in part.groupby("model", sort=False)]

    def _draw(self, plot: Plot, model: str, rows: pd.DataFrame) -> None:
        colour, dash = line_style(model)
        plot.line(rows["x"], rows["y"], colour, dash, model_words(model, self.book))

    def curve(self, name: str) -> str:
        """ROC or precision-recall."""
        rows = self._rows(name)
        if not rows:
            return ""
        base = float(self.given.metrics["base_rate"].iloc[0])
        top = 1.0
        if name == "precision_recall":
            # The first households give a precision of 0 or 1 by chance; the chart follows what comes after.
            settled = [r.loc[r["x"] > 0.02, "y"].max() for _, r in rows]
            top = min(1.0, max([base * 2, *[v for v in settled if v == v]]) * MARGIN)
        x = Axis(self._label(name, "x"), 0, 1)
        plot = self._plot(name, x, Axis(self._label(name, "y"), 0, top))
        chance = [0.0, 1.0] if name == "roc" else [base, base]
        plot.line([0, 1], chance, REFERENCE, "2 4")
        for model, curve in rows:
            inside = curve[curve["y"] <= top]
            self._draw(plot, model, inside)
        return plot.svg()

    def gain(self) -> str:
        """Share of events found against share of households visited, the budget marked."""
        rows = self._rows("gain")
        if not rows:
            return ""
        plot = self._plot("gain", Axis(self._label("gain", "x"), 0, 1), Axis(self._label("gain", "y"), 0, 1))
        plot.line([0, 1], [0, 1], REFERENCE, "2 4")
        for model, curve in rows:
            self._draw(plot, model, curve)
        first = self.given.metrics.iloc[0]
        plot.upright(float(first["visits"] / first["n_test"]), self._label("gain", "budget"))
        return plot.svg()

    def reliability(self) -> str:
        """Observed against predicted risk, with intervals."""
        rows = self._rows("reliability")
        if not rows:
            return ""
        highest = max(float(np.nanmax(r[["x", "y"]].to_numpy())) for _, r in rows)
        top = min(1.0, max(highest * MARGIN, 0.01))
        axes = (Axis(self._label("reliability", k), 0, top) for k in ("x", "y"))
        plot = self._plot("reliability", *axes)
        plot.line([0, top], [0, top], REFERENCE, "2 4")
        for model, curve in rows:
            self._draw(plot, model, curve)
            for point in curve.to_dict("records"):
                plot.point(point["x"], point["y"], point["low"], point["high"], line_style(model)[0])
        return plot.svg()

    def delta(self) -> str:
        """Difference in recall to the rules at the same visits, by model."""
        table = self.given.comparison
        if table is None:
            return ""
        pooled = table[(table["scope"] == "pooled") & (table["at"] == "budget")]
        rows = self._intervals(pooled, "delta_recall", "delta_low", "delta_high")
        ends = [v for r in rows for v in (r.low, r.high, r.value) if v == v]
        reach = max(0.05, *(abs(v) for v in ends)) * MARGIN
        axis = Axis(self._label("delta", "x"), -reach, reach)
        return intervals(rows, axis, self._label("delta", "title"), zero=True, langs=self.langs)

    def auc(self) -> str:
        """AUC with its interval, by model."""
        rows = self._intervals(self.given.metrics.dropna(subset=["auc"]), "auc", "auc_low", "auc_high")
        if not rows:
            return ""
        lowest = min([0.5, *(v for r in rows for v in (r.low, r.value) if v == v)])
        axis = Axis(self._label("auc", "x"), np.floor(lowest * 10) / 10, 1.0, percent=False)
        return intervals(rows, axis, self._label("auc", "title"), langs=self.langs)

    def _intervals(self, rows: pd.DataFrame, value: str, low: str, high: str) -> list[Interval]:
        return [
            Interval(
                model_words(str(r["model"]), self.book),
                float(r[value]),
                float(r[low]),
                float(r[high]),
                line_style(str(r["model"]))[0],
            )
            for r in rows.to_dict("records")
        ]
