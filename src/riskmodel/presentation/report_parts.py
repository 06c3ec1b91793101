"""The report's charts and tables from a run's frames: rounded, with intervals, in words of both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.evaluation import ATTAINABLE, METRICS, PUBLISHED_YIELD, baseline_words, wilson_interval
from riskmodel.i18n import LANGUAGES, both, same, section
from riskmodel.models import MODELS
from riskmodel.presentation.chart import LANGS, Axis, Chart, Interval, Plot, Words, intervals
from riskmodel.presentation.page import Numbers, PageWords, Paragraph, Part, Record, Writer
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.table import (
    NOTHING,
    Cell,
    Column,
    Content,
    Kind,
    Row,
    Table,
    Text,
    interval,
    is_share,
    number,
)
from riskmodel.rules import dropped_in_words

WORDS = PageWords("report.page", "report.columns")

# The truth of a simulated county is drawn like a model. Colours that colour-blind readers tell apart (Okabe
# and Ito 2008); the dashes do the same on a grey printer.
ORACLE = "oracle"
_ORACLE_STYLE = ("#cc79a7", "4 2")
_OPEN_ROWS = 200  # a longer table of households is folded
SPARE = ("#56b4e9", "1 2")
REFERENCE = "#94a3b8"
MARGIN = 1.05  # room above the highest point of a chart whose range follows the data


def line_style(model: str) -> tuple[str, str]:
    """Return colour and dashes of a model's line."""
    if model == ORACLE:
        return _ORACLE_STYLE
    return MODELS[model].style if model in MODELS else SPARE


def model_words(name: str) -> Words:
    """Return what a model is called in both languages; unknown names stand for themselves."""
    own = section("report.models")
    return dict(own[name] if name in own else MODELS[name].words if name in MODELS else same(name))


def report_charts(given: ReportInput, langs: Sequence[str] = LANGS) -> list[Chart]:
    """Draw every chart that the run has data for, in these languages."""
    drawer = _Drawer(given, langs)
    charts = {
        "gain": drawer.gain(),
        "roc": drawer.curve("roc"),
        "precision_recall": drawer.curve("precision_recall"),
        "reliability": drawer.reliability(),
        "delta": drawer.delta(),
        "auc": drawer.auc(),
    }
    return [Chart(name, _label(name, "title"), svg) for name, svg in charts.items() if svg]


def _label(chart: str, which: str) -> Words:
    return both(f"report.charts.{chart}.{which}")


class _Drawer:
    def __init__(self, given: ReportInput, langs: Sequence[str]) -> None:
        self.given, self.langs = given, langs

    def _plot(self, name: str, top: float = 1.0, right: float = 1.0) -> Plot:
        x, y = Axis(_label(name, "x"), 0, right), Axis(_label(name, "y"), 0, top)
        return Plot(x, y, _label(name, "title"), self.langs)

    def _rows(self, curve: str) -> list[tuple[str, pd.DataFrame]]:
        part = self.given.curves[self.given.curves["curve"] == curve]
        return [(str(model), rows) for model, rows in part.groupby("model", sort=False)]

    def _draw(self, plot: Plot, model: str, rows: pd.DataFrame) -> None:
        plot.line(rows["x"], rows["y"], *line_style(model), model_words(model))

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
        plot = self._plot(name, top)
        plot.line([0, 1], [0.0, 1.0] if name == "roc" else [base, base], REFERENCE, "2 4")
        for model, curve in rows:
            self._draw(plot, model, curve[curve["y"] <= top])
        return plot.svg()

    def gain(self) -> str:
        """Share of events found against share of households visited, the budget marked."""
        rows = self._rows("gain")
        if not rows:
            return ""
        plot = self._plot("gain")
        plot.line([0, 1], [0, 1], REFERENCE, "2 4")
        for model, curve in rows:
            self._draw(plot, model, curve)
        first = self.given.metrics.iloc[0]
        plot.upright(float(first["visits"] / first["n_test"]), _label("gain", "budget"))
        return plot.svg()

    def reliability(self) -> str:
        """Observed against predicted risk, with intervals."""
        rows = self._rows("reliability")
        if not rows:
            return ""
        highest = max(float(np.nanmax(r[["x", "y"]].to_numpy())) for _, r in rows)
        top = min(1.0, max(highest * MARGIN, 0.01))
        plot = self._plot("reliability", top, top)
        plot.line([0, top], [0, top], REFERENCE, "2 4")
        for model, curve in rows:
            self._draw(plot, model, curve)
            for point in curve.to_dict("records"):
                plot.point(point["x"], point["y"], point["low"], point["high"], line_style(model)[0])
        return plot.svg()

    def delta(self) -> str:
        """Difference in recall to the rules at the same visits, by model."""
        if self.given.comparison is None:
            return ""
        rows = _intervals(_at_budget(self.given.comparison), "delta_recall", "delta_low", "delta_high")
        ends = [v for r in rows for v in (r.low, r.high, r.value) if v == v]
        reach = max(0.05, *(abs(v) for v in ends)) * MARGIN
        axis = Axis(_label("delta", "x"), -reach, reach)
        return intervals(rows, axis, _label("delta", "title"), zero=True, langs=self.langs)

    def auc(self) -> str:
        """AUC with its interval, by model."""
        rows = _intervals(self.given.metrics.dropna(subset=["auc"]), "auc", "auc_low", "auc_high")
        if not rows:
            return ""
        lowest = min([0.5, *(v for r in rows for v in (r.low, r.value) if v == v)])
        axis = Axis(_label("auc", "x"), np.floor(lowest * 10) / 10, 1.0, percent=False)
        return intervals(rows, axis, _label("auc", "title"), langs=self.langs)


def _intervals(rows: pd.DataFrame, value: str, low: str, high: str) -> list[Interval]:
    ends = rows[["model", value, low, high]].itertuples(index=False, name=None)
    return [Interval(model_words(m), v, lo, hi, line_style(m)[0]) for m, v, lo, hi in ends]


def dropped_counts(dropped: pd.DataFrame) -> dict[str, str]:
    """Return how many households a row or cell may have taken off the list, and why they are told."""
    others = dropped[~dropped["flagged"].astype(bool)]
    counts = {
        "households": len(dropped), "not_flagged": len(others), "in_register": others["in_register"].sum(),
        "flagged_before": others["flagged_before"].sum(), "flagged_if": others["flagged_if"].ne("").sum(),
    }  # fmt: skip
    return {name: str(int(n)) for name, n in counts.items()}


def dropped_table(dropped: pd.DataFrame) -> Table:
    """Return these households in both languages, those that are not flagged now first."""
    kinds: dict[str, Kind] = {"as_of": "date", "pcni": "yuan", "pcni_if_both": "yuan"}
    ordered = dropped.sort_values(["flagged", "household_id"], kind="stable", ignore_index=True)
    by_language = {lang: dropped_in_words(ordered, lang) for lang in LANGUAGES}
    headings = {lang: list(words.columns) for lang, words in by_language.items()}
    columns = [
        Column({lang: headings[lang][i] for lang in LANGUAGES}, kinds.get(name, "text"), key=name)
        for i, name in enumerate(ordered.columns)
    ]
    rows = []
    for places in zip(*(words.astype(object).to_numpy() for words in by_language.values()), strict=True):
        cells: list[Content] = []
        for column, *own in zip(columns, *places, strict=True):
            if pd.isna(own[0]):
                cells.append(None)
            elif column.is_text:
                cells.append(dict(zip(LANGUAGES, map(str, own), strict=True)))
            else:
                cells.append(own[0])
        rows.append(Row(cells))
    return Table(columns, rows, labels=1, folded=len(rows) > _OPEN_ROWS, title=WORDS("dropped"), wide=True)


POINTS = 100  # percentage points
LISTS = ("rules+rules", "rules+random", "rules+model")
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac", "welfare")
COUNTS = ("visits", "confirmed", "not_confirmed", "absent")
HEADLINE = ("visits", "n_events", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")


def _at_budget(comparison: pd.DataFrame) -> pd.DataFrame:
    return comparison[(comparison["scope"] == "pooled") & (comparison["at"] == "budget")]


def _metrics_shown(place: str) -> tuple[list[str], list[Column]]:
    """Return the metrics that a table shows, with their columns."""
    shown = [m for m in METRICS.values() if place in m.shown_in]
    return [m.name for m in shown], [Column(m.words) for m in shown]


def _figures(row: Mapping[Any, Any], metrics: Sequence[str], counts: Sequence[str]) -> list[Content]:
    """Return metrics with their intervals, then counts and rates."""
    measured = [Cell(_value(row, m), small=interval(row, m)) for m in metrics]
    return [*measured, *(number(row.get(c), c) for c in counts)]


def metrics_table(frame: pd.DataFrame, champion: str) -> Table:
    """Return metrics by model with intervals; the model that scores is marked."""
    (shown, heads), counts = _metrics_shown("summary"), ("n_test", "n_events", "base_rate")
    rows = [
        Row([model_words(str(r["model"])), *_figures(r, shown, counts)], _best(r["model"] == champion))
        for r in frame.to_dict("records")
    ]
    return Table([*WORDS.columns("model"), *heads, *WORDS.columns(*counts, text=())], rows)


def _best(is_best: Any) -> str:
    return "best" if is_best else ""


def _value(row: Mapping[Any, Any], name: str) -> str:
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.1%}" if is_share(name) else f"{value:.3f}"


def fold_table(frame: pd.DataFrame) -> Table:
    """Return AUC, average precision and recall by test period and model."""
    (shown, heads), counts = _metrics_shown("periods"), ("n_test", "n_events")
    rows = [
        Row([str(r["fold"]), model_words(str(r["model"])), *_figures(r, shown, counts)])
        for r in frame.sort_values("fold", kind="stable").to_dict("records")
    ]
    names = WORDS.columns("fold", "model", text=("fold", "model"))
    return Table([*names, *heads, *WORDS.columns(*counts, text=())], rows)


def _model(row: Record) -> Words:
    return model_words(str(row["model"]))


def _counts(*names: str) -> dict[str, Writer]:
    return {name: _count(name) for name in names}


def _count(column: str) -> Writer:
    return lambda r: number(r[column])


def comparison_table(frame: pd.DataFrame, champion: str) -> Table:
    """Return rules against each model at the budget and at the rules' own quota, over all periods."""
    values = section("report.values")
    cells: dict[str, Writer] = {
        "at": lambda r: values[r["at"]],
        "model": _model,
        **_counts("visits", "hits_baseline", "hits_model", "both", "baseline_only", "model_only"),
        "delta": _difference,
        "p": _p_value,
        "verdict": lambda r: values[r["verdict"]] if r["verdict"] else NOTHING,
    }
    return WORDS.table(
        frame[frame["scope"] == "pooled"],
        cells,
        text=("at", "model", "verdict"),
        mark=lambda r: _best(r["model"] == champion and r["at"] == "budget"),
    )


def _p_value(row: Mapping[Any, Any]) -> Cell:
    """Return a p value with the error that its draws leave; runs of former releases do not say it."""
    error = row.get("p_error")
    known = error is not None and math.isfinite(error)
    return Cell(number(row["p_holm"]), small=f"±{error:.3f}" if known else "")


def targeting_table(frame: pd.DataFrame) -> Table | None:
    """Return the poverty literature's measures of the rules' list and of each model's, at the budget."""
    shown = [n for n in TARGETING if f"{n}_model" in frame.columns and frame[f"{n}_model"].notna().any()]
    rows = _at_budget(frame).to_dict("records")
    if not shown or not rows:
        return None
    lists = [("rule", "baseline", rows[0]), *((str(row["model"]), "model", row) for row in rows)]
    return Table(
        [*WORDS.columns("model"), *(Column(METRICS[n].words) for n in shown)],
        [Row([model_words(name), *(number(r[f"{n}_{side}"]) for n in shown)]) for name, side, r in lists],
    )


def deployed_table(frame: pd.DataFrame) -> Table:
    """Return what lists as deployed find: all flagged kept, the rest topped up by model, rule or lot."""
    values = section("report.values")
    cells: dict[str, Writer] = {
        "list": lambda r: values[r["list"]],
        "model": lambda r: _model(r) if r["list"] == "rules+model" else NOTHING,
        **_counts("visits"),
        "hits": lambda r: f"{r['hits']:,.{0 if float(r['hits']).is_integer() else 1}f}",
        "recall": lambda r: _value(r, "recall"),
        "delta": _difference,
    }
    pooled = frame[frame["scope"] == "pooled"]
    pooled = pooled.sort_values(
        "list", key=lambda names: names.map(dict(zip(LISTS, range(3), strict=True))), kind="stable"
    )
    table = WORDS.table(pooled, cells, text=("list", "model"))
    # The rules' and the lot's lists are the same whatever model they stand beside.
    rows = [row for i, row in enumerate(table.rows) if row not in table.rows[:i]]
    return Table(table.columns, rows)


def fold_dates(frame: pd.DataFrame) -> Table:
    """Return when each fold trained and tested, and on how many rows."""
    cells: dict[str, Writer] = {
        "fold": lambda r: str(r["fold"]),
        "train": lambda r: f"{r['train_from']} – {r['train_to']}",
        **_counts("n_train", "train_events"),
        # Runs of former releases do not say who had the events.
        **(_counts("train_event_households") if "train_event_households" in frame else {}),
        "test": lambda r: f"{r['test_from']} – {r['test_to']}",
        **_counts("n_test", "test_events", "n_null"),
    }
    if "real_horizon_from" in frame:  # runs of former releases do not say it
        cells["real_horizon"] = _horizon_span
    return WORDS.table(frame, cells, text=("fold", "train", "test"))


def _horizon_span(row: Mapping[Any, Any]) -> str:
    """Return the months from as-of to the outcome: one number, or the least and the most."""
    low, high = (row[c] for c in ("real_horizon_from", "real_horizon_to"))
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _difference(row: Mapping[Any, Any]) -> Cell:
    """Return a difference in recall in percentage points, its interval below."""
    value, low, high = (row[c] for c in ("delta_recall", "delta_low", "delta_high"))
    known = low is not None and math.isfinite(low)
    span = f"[{POINTS * low:+.1f}, {POINTS * high:+.1f}]" if known else ""
    missing = value is None or not math.isfinite(value)
    return Cell(NOTHING if missing else f"{POINTS * value:+.1f}", small=span)


def headline_figures(given: ReportInput) -> list[Part]:
    """Return the three numbers of the headline, rules against the model that scores; none without them."""
    champion = str(given.experiment["champion"])
    if given.comparison is None:
        return []
    rows = _at_budget(given.comparison)
    rows = rows[rows["model"] == champion]
    if rows.empty:
        return []
    row = rows.iloc[0].to_dict()
    n = {name: int(row[name]) for name in HEADLINE}
    either = n["both"] + n["baseline_only"] + n["model_only"]
    numbers: list[tuple[str, Text, Text]] = [
        (number(n["hits_baseline"]), WORDS("list_found", list=baseline_words(row)), ""),
        (number(n["hits_model"]), WORDS("model_found", model=model_words(champion)), ""),
        (number(either), WORDS("either_found"), WORDS("both_note", both=number(n["both"]))),
    ]
    same_visits = WORDS("same_visits", visits=number(n["visits"]), events=number(n["n_events"]))
    return [Paragraph(same_visits, "note"), Numbers(numbers)]


def oracle_table(frame: pd.DataFrame, champion: str) -> Table:
    """Return each model's AUC and recall against true chances, and the share of the oracle's below them."""
    cells: dict[str, Writer] = {
        "model": _model,
        "auc_true": lambda r: _true(r, "auc"),
        "recall_true": lambda r: _true(r, "recall"),
        "recall_outcome": lambda r: number(r["recall"], "recall"),
        "slope_true": lambda r: NOTHING if r["model"] == ORACLE else number(r["slope_true"]),
        "error_true": lambda r: NOTHING if r["model"] == ORACLE else number(r["error_true"]),
        "bins_covered": _bins_covered,
        "auc_unsupported": lambda r: number(r.get("auc_unsupported")),
    }
    if ATTAINABLE in set(frame["model"]):
        cells["learned_from"] = _learned_from
    return WORDS.table(frame, cells, mark=lambda r: _best(r["model"] == champion))


def _true(row: Record, metric: str) -> Cell:
    """Return a metric against true chances, its share of the oracle's below it."""
    share = "" if row["model"] == ORACLE else f"{row[f'{metric}_share']:.0%}"
    return Cell(number(row[f"{metric}_true"], metric), small=share)


def _learned_from(row: Record) -> str:
    if row["model"] != ATTAINABLE:
        return NOTHING
    return f"{row['learned_households']:,.0f} · {row['learned_columns']:.0f}"


def _bins_covered(row: Record) -> str:
    return NOTHING if pd.isna(row["bins"]) else f"{row['bins_covered']:.0f} / {row['bins']:.0f}"


def bins_table(frame: pd.DataFrame, champion: str) -> Table:
    """Return the champion's score bins: foretold with interval, mean truth, and what happened."""
    cells: dict[str, Writer] = {
        **_counts("bin"),
        "n_test": _count("n"),
        "predicted": lambda r: Cell(_share(r["predicted"]), small=_share_span(r)),
        "true": lambda r: _share(r["true"]),
        "observed": lambda r: _share(r["observed"]),
        "covered": lambda r: "" if pd.isna(r["covered"]) else "✓" if r["covered"] else "✗",
    }
    return WORDS.table(frame[frame["model"] == champion], cells, text=())


def _share_span(row: Record, known: str = "low") -> str:
    return "" if pd.isna(row[known]) else f"[{_share(row['low'])}, {_share(row['high'])}]"


def _share(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.1%}"


def yields_table(frame: pd.DataFrame) -> Table:
    """Return findings by source as the page shows them."""
    values = section("report.values")
    cells: dict[str, Writer] = {
        "selected_by": lambda r: values[f"source_{r['selected_by']}"],
        **_counts(*COUNTS),
        "yield": lambda r: Cell(_share(r["rate"]), small=_share_span(r, "rate")),
        "bounds": lambda r: f"{r['worst']:.0%}–{r['best']:.0%}" if r["absent"] else NOTHING,
    }
    return WORDS.table(frame, cells)


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
