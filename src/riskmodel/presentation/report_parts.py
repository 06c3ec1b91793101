"""The report's charts, from a run's frames.

A run's frames as tables for people: rounded, with intervals, in words of both languages.

The list of households inside the report is rows, words and monthly histories as JSON for its script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.evaluation import METRICS, PUBLISHED_YIELD, wilson_interval
from riskmodel.i18n import same
from riskmodel.models import MODELS
from riskmodel.presentation.chart import LANGS, Axis, Chart, Interval, Plot, Words, intervals
from riskmodel.presentation.page import filled
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.table import (
    NOTHING,
    Cell,
    Column,
    Content,
    Row,
    Table,
    interval,
    is_share,
    number,
)

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


POINTS = 100  # percentage points
LISTS = ("rules+rules", "rules+random", "rules+model")
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac", "welfare")
COUNTS = ("visits", "confirmed", "not_confirmed", "absent")
ORACLE = "oracle"


def metrics_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return metrics by model with intervals; the model that scores is marked."""
    columns = book["columns"]
    shown = [m.name for m in METRICS.values() if "summary" in m.shown_in]
    heads = [Column(columns["model"], "text"), *(Column(METRICS[m].words) for m in shown)]
    heads += [Column(columns[c]) for c in ("n_test", "n_events", "base_rate")]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [model_words(str(row["model"]), book)]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in shown]
        cells += [number(row.get(c), c) for c in ("n_test", "n_events", "base_rate")]
        rows.append(Row(cells, "best" if row["model"] == champion else ""))
    return Table(heads, rows)


def _value(row: Mapping[Any, Any], name: str) -> str:
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.1%}" if is_share(name) else f"{value:.3f}"


def fold_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return AUC, average precision and recall by test period and model."""
    columns = book["columns"]
    shown = [m.name for m in METRICS.values() if "periods" in m.shown_in]
    heads = [Column(columns["fold"], "text"), Column(columns["model"], "text")]
    heads += [
        *(Column(METRICS[m].words) for m in shown),
        Column(columns["n_test"]),
        Column(columns["n_events"]),
    ]
    rows = []
    for row in frame.sort_values("fold", kind="stable").to_dict("records"):
        cells: list[Content] = [str(row["fold"]), model_words(str(row["model"]), book)]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in shown]
        cells += [number(row.get(c)) for c in ("n_test", "n_events")]
        rows.append(Row(cells))
    return Table(heads, rows)


def comparison_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return rules against each model at the budget and at the rules' own quota, over all periods."""
    columns, values = book["columns"], book["values"]
    counts = ("visits", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")
    heads = [Column(columns["at"], "text"), Column(columns["model"], "text")]
    heads += [*(Column(columns[c]) for c in (*counts, "delta", "p")), Column(columns["verdict"], "text")]
    rows = []
    for row in frame[frame["scope"] == "pooled"].to_dict("records"):
        cells: list[Content] = [values[row["at"]], model_words(str(row["model"]), book)]
        cells += [number(row[c]) for c in counts]
        cells += [Cell(_points(row["delta_recall"]), small=_span(row)), number(row["p_holm"])]
        cells.append(values[row["verdict"]])
        rows.append(Row(cells, "best" if row["model"] == champion and row["at"] == "budget" else ""))
    return Table(heads, rows)


def targeting_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table | None:
    """Return the poverty literature's measures of the rules' list and of each model's, at the budget."""
    shown = [n for n in TARGETING if f"{n}_model" in frame.columns and frame[f"{n}_model"].notna().any()]
    rows = frame[(frame["scope"] == "pooled") & (frame["at"] == "budget")].to_dict("records")
    if not shown or not rows:
        return None
    heads = [Column(book["columns"]["model"], "text")]
    heads += [Column(METRICS[n].words) for n in shown]
    sides = [("rule", "baseline", rows[0]), *((str(row["model"]), "model", row) for row in rows)]
    return Table(
        heads,
        [
            Row([model_words(name, book), *(number(row[f"{n}_{side}"]) for n in shown)])
            for name, side, row in sides
        ],
    )


def deployed_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return what lists as deployed find: all flagged kept, the rest topped up by model, rule or lot."""
    columns, values = book["columns"], book["values"]
    heads = [Column(columns["list"], "text"), Column(columns["model"], "text")]
    heads += [Column(columns[c]) for c in ("visits", "hits", "recall", "delta")]
    rows = []
    pooled = frame[frame["scope"] == "pooled"]
    order = pooled["list"].map({name: i for i, name in enumerate(LISTS)}).sort_values(kind="stable").index
    for row in pooled.loc[order].to_dict("records"):
        own = row["list"] == "rules+model"
        rows.append(
            Row(
                [
                    values[row["list"]],
                    model_words(str(row["model"]), book) if own else NOTHING,
                    number(row["visits"]),
                    (f"{row['hits']:,.0f}" if float(row["hits"]).is_integer() else f"{row['hits']:,.1f}"),
                    _value({"recall": row["recall"]}, "recall"),
                    Cell(_points(row["delta_recall"]), small=_span(row)),
                ]
            )
        )
    return Table(heads, _once(rows))


def _once(rows: list[Row]) -> list[Row]:
    """Drop repeated rows: the rules' and the lot's lists are the same whatever model they stand beside."""
    seen: list[Row] = []
    for row in rows:
        if row not in seen:
            seen.append(row)
    return seen


def fold_dates(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return when each fold trained and tested, and on how many rows."""
    columns = book["columns"]
    heads = [Column(columns["fold"], "text"), Column(columns["train"], "text")]
    heads += [Column(columns["n_train"]), Column(columns["train_events"]), Column(columns["test"], "text")]
    heads += [Column(columns[c]) for c in ("n_test", "test_events", "n_null")]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [str(row["fold"]), f"{row['train_from']} – {row['train_to']}"]
        cells += [number(row["n_train"]), number(row["train_events"])]
        cells.append(f"{row['test_from']} – {row['test_to']}")
        cells += [number(row[c]) for c in ("n_test", "test_events", "n_null")]
        rows.append(Row(cells))
    return Table(heads, rows)


def _points(value: float) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{POINTS * value:+.1f}"


def _span(row: Mapping[Any, Any]) -> str:
    low, high = row["delta_low"], row["delta_high"]
    return "" if low is None or not math.isfinite(low) else f"[{POINTS * low:+.1f}, {POINTS * high:+.1f}]"


def headline_figures(given: ReportInput, book: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the three numbers of the headline, rules against the model that scores; None without them."""
    champion, table = str(given.experiment["champion"]), given.comparison
    if table is None:
        return None
    rows = table[(table["scope"] == "pooled") & (table["at"] == "budget") & (table["model"] == champion)]
    if rows.empty:
        return None
    row, page = rows.iloc[0], book["page"]
    return {
        "rules": number(int(row["hits_baseline"])),
        "model": number(int(row["hits_model"])),
        "either": number(int(row["both"] + row["baseline_only"] + row["model_only"])),
        "visits": filled(
            page["same_visits"], visits=number(int(row["visits"])), events=number(int(row["n_events"]))
        ),
        "model_words": filled(page["model_found"], model=model_words(champion, book)),
        "both_words": filled(page["both_note"], both=number(int(row["both"]))),
    }


def oracle_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return each model's AUC and recall against true chances, and the share of the oracle's below them."""
    columns = book["columns"]
    names = ("auc_true", "recall_true", "slope_true", "error_true", "bins_covered", "auc_unsupported")
    heads = [Column(columns["model"], "text"), *(Column(columns[n]) for n in names)]
    return Table(heads, [_reached(row, book, champion) for row in frame.to_dict("records")])


def _reached(row: Mapping[Any, Any], book: Mapping[str, Any], champion: str) -> Row:
    name = str(row["model"])
    oracle = name == ORACLE
    share = ("", "") if oracle else (f"{row['auc_share']:.0%}", f"{row['recall_share']:.0%}")
    covered = NOTHING if pd.isna(row["bins"]) else f"{row['bins_covered']:.0f} / {row['bins']:.0f}"
    cells: list[Content] = [
        model_words(name, book),
        Cell(number(row["auc_true"]), small=share[0]),
        Cell(number(row["recall_true"], "recall"), small=share[1]),
        NOTHING if oracle else number(row["slope_true"]),
        NOTHING if oracle else number(row["error_true"]),
        covered,
        number(row.get("auc_unsupported")),
    ]
    return Row(cells, "best" if name == champion else "")


def bins_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return the champion's score bins: foretold with interval, mean truth, and what happened."""
    columns = book["columns"]
    heads = [Column(columns[n]) for n in ("bin", "n_test", "predicted", "true", "observed", "covered")]
    rows = []
    for row in frame[frame["model"] == champion].to_dict("records"):
        span = f"[{_share(row['low'])}, {_share(row['high'])}]" if pd.notna(row["low"]) else ""
        cells: list[Content] = [
            number(row["bin"]),
            number(row["n"]),
            Cell(_share(row["predicted"]), small=span),
            _share(row["true"]),
            _share(row["observed"]),
            "" if pd.isna(row["covered"]) else "✓" if row["covered"] else "✗",
        ]
        rows.append(Row(cells))
    return Table(heads, rows)


def _share(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def yields_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return findings by source as the page shows them."""
    columns, values = book["columns"], book["values"]
    heads = [
        Column(columns["selected_by"], "text"),
        *(Column(columns[c]) for c in (*COUNTS, "yield", "bounds")),
    ]
    rows = []
    for row in frame.to_dict("records"):
        cells: list[Content] = [values[f"source_{row['selected_by']}"], *(number(row[c]) for c in COUNTS)]
        known = row["rate"] == row["rate"]
        rate = f"{row['rate']:.1%}" if known else number(None)
        cells.append(Cell(rate, small=f"[{row['low']:.1%}, {row['high']:.1%}]" if known else ""))
        cells.append(f"{row['worst']:.0%}–{row['best']:.0%}" if row["absent"] else number(None))
        rows.append(Row(cells))
    return Table(heads, rows)


def weighted_facts(frame: pd.DataFrame | None) -> dict[str, str] | None:
    """Return the weighted yield as text for the page's sentence; None where no list logged a chance."""
    if frame is None or frame.empty:
        return None
    row = frame.iloc[0]
    shares = {name: f"{row[name]:.1%}" for name in ("naive", "rate", "low", "high")}
    counts = {"n": "visits", "out": "left_out", "worth": "effective_n"}
    return shares | {name: f"{row[column]:.0f}" for name, column in counts.items()}


def published_yield() -> dict[str, str]:
    """Return the published yield that stands beside, with its interval, as text."""
    hits, n = int(PUBLISHED_YIELD["confirmed"]), int(PUBLISHED_YIELD["checked"])
    low, high = wilson_interval(hits, n)
    return {
        "confirmed": f"{hits}",
        "checked": f"{n}",
        "rate": f"{hits / n:.1%}",
        "low": f"{float(low):.1%}",
        "high": f"{float(high):.1%}",
    }
