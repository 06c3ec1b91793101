"""A run's frames as tables for people: rounded, with intervals, in words of both languages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskmodel.evaluation import FURTHER, METRICS
from riskmodel.presentation.figures import model_words
from riskmodel.presentation.inputs import ReportInput
from riskmodel.presentation.words import filled

Words = Mapping[str, str]
NOTHING = "—"
POINTS = 100  # percentage points
SHOWN = ("auc", "average_precision", "brier", "calibration_slope", "recall_at_budget", "precision_at_budget")
LISTS = ("rules+rules", "rules+random", "rules+model")
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac", "welfare")
SHARES = ("recall_at_budget", "precision_at_budget", "base_rate", "recall")


@dataclass(frozen=True)
class Cell:
    """One cell: plain text or words, and small print below."""

    text: str = ""
    words: Words | None = None
    small: str = ""


@dataclass(frozen=True)
class Head:
    """One column head; ``text`` columns are aligned left."""

    words: Words
    text: bool = False


@dataclass(frozen=True)
class Row:
    """One row; the best one is marked."""

    cells: Sequence[Cell]
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table as the page shows it."""

    heads: Sequence[Head]
    rows: Sequence[Row]


def number(value: Any, name: str = "") -> str:
    """Return a number as people read it: counts whole, shares in percent, the rest with three digits.

    Examples
    --------
    >>> number(1234), number(0.0625, "base_rate"), number(0.73456), number(float("nan"))
    ('1,234', '6.2%', '0.735', '—')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if name in SHARES:
        return f"{value:.1%}"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.3f}"


def interval(row: Mapping[Any, Any], name: str) -> str:
    """Return ``[low, high]`` of a metric; empty where there is none."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{number(low, name)}, {number(high, name)}]"


def metrics_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return metrics by model with intervals; the model that scores is marked.

    Parameters
    ----------
    frame : DataFrame
        `riskmodel.evaluation.pooled`.
    book : mapping
    champion : str

    Returns
    -------
    Table
    """
    columns = book["columns"]
    named = {m.name: {"zh": m.zh, "en": m.en} for m in METRICS}
    heads = [Head(columns["model"], text=True), *(Head(named[m]) for m in SHOWN)]
    heads += [Head(columns[c]) for c in ("n_test", "n_events", "base_rate")]
    rows = []
    for row in frame.to_dict("records"):
        cells = [Cell(words=model_words(str(row["model"]), book))]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in SHOWN]
        cells += [Cell(number(row.get(c), c)) for c in ("n_test", "n_events", "base_rate")]
        rows.append(Row(cells, best=row["model"] == champion))
    return Table(heads, rows)


def _value(row: Mapping[Any, Any], name: str) -> str:
    value = row.get(name)
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.1%}" if name in SHARES else f"{value:.3f}"


def fold_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return AUC, average precision and recall by test period and model.

    Parameters
    ----------
    frame : DataFrame
        `riskmodel.evaluation.by_fold`.
    book : mapping

    Returns
    -------
    Table
    """
    columns = book["columns"]
    shown = ("auc", "average_precision", "brier", "recall_at_budget", "precision_at_budget")
    named = {m.name: {"zh": m.zh, "en": m.en} for m in METRICS}
    heads = [Head(columns["fold"], text=True), Head(columns["model"], text=True)]
    heads += [*(Head(named[m]) for m in shown), Head(columns["n_test"]), Head(columns["n_events"])]
    rows = []
    for row in frame.sort_values("fold", kind="stable").to_dict("records"):
        cells = [Cell(str(row["fold"])), Cell(words=model_words(str(row["model"]), book))]
        cells += [Cell(_value(row, m), small=interval(row, m)) for m in shown]
        cells += [Cell(number(row.get(c))) for c in ("n_test", "n_events")]
        rows.append(Row(cells))
    return Table(heads, rows)


def comparison_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return rules against each model at the budget and at the rules' own quota, over all periods.

    Parameters
    ----------
    frame : DataFrame
        ``Comparison.table``.
    book : mapping
    champion : str

    Returns
    -------
    Table
    """
    columns, values = book["columns"], book["values"]
    counts = ("visits", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")
    heads = [Head(columns["at"], text=True), Head(columns["model"], text=True)]
    heads += [*(Head(columns[c]) for c in (*counts, "delta", "p")), Head(columns["verdict"], text=True)]
    rows = []
    for row in frame[frame["scope"] == "pooled"].to_dict("records"):
        cells = [Cell(words=values[row["at"]]), Cell(words=model_words(str(row["model"]), book))]
        cells += [Cell(number(row[c])) for c in counts]
        cells += [Cell(_points(row["delta_recall"]), small=_span(row)), Cell(number(row["p_holm"]))]
        cells.append(Cell(words=values[row["verdict"]]))
        rows.append(Row(cells, best=row["model"] == champion and row["at"] == "budget"))
    return Table(heads, rows)


def targeting_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table | None:
    """Return the poverty literature's measures of the rules' list and of each model's, at the budget.

    Parameters
    ----------
    frame : DataFrame
        ``Comparison.table``.
    book : mapping

    Returns
    -------
    Table or None
        None where the run was logged before these measures were.
    """
    declared = {m.name: m for m in (*METRICS, *FURTHER)}
    shown = [n for n in TARGETING if f"{n}_model" in frame.columns and frame[f"{n}_model"].notna().any()]
    rows = frame[(frame["scope"] == "pooled") & (frame["at"] == "budget")].to_dict("records")
    if not shown or not rows:
        return None
    heads = [Head(book["columns"]["model"], text=True)]
    heads += [Head({"zh": declared[n].zh, "en": declared[n].en}) for n in shown]
    sides = [("rule", "baseline", rows[0]), *((str(row["model"]), "model", row) for row in rows)]
    return Table(
        heads,
        [
            Row([Cell(words=model_words(name, book)), *(Cell(number(row[f"{n}_{side}"])) for n in shown)])
            for name, side, row in sides
        ],
    )


def deployed_table(frame: pd.DataFrame, book: Mapping[str, Any]) -> Table:
    """Return what lists as deployed find: all flagged kept, the rest topped up by model, rule or lot.

    Parameters
    ----------
    frame : DataFrame
        ``Comparison.deployed``.
    book : mapping

    Returns
    -------
    Table
    """
    columns, values = book["columns"], book["values"]
    heads = [Head(columns["list"], text=True), Head(columns["model"], text=True)]
    heads += [Head(columns[c]) for c in ("visits", "hits", "recall", "delta")]
    rows = []
    pooled = frame[frame["scope"] == "pooled"]
    order = pooled["list"].map({name: i for i, name in enumerate(LISTS)}).sort_values(kind="stable").index
    for row in pooled.loc[order].to_dict("records"):
        own = row["list"] == "rules+model"
        rows.append(
            Row(
                [
                    Cell(words=values[row["list"]]),
                    Cell(words=model_words(str(row["model"]), book)) if own else Cell(NOTHING),
                    Cell(number(row["visits"])),
                    Cell(f"{row['hits']:,.0f}" if float(row["hits"]).is_integer() else f"{row['hits']:,.1f}"),
                    Cell(_value({"recall": row["recall"]}, "recall")),
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
    """Return when each fold trained and tested, and on how many rows.

    Parameters
    ----------
    frame : DataFrame
        ``ExperimentResult.folds``.
    book : mapping

    Returns
    -------
    Table
    """
    columns = book["columns"]
    heads = [Head(columns["fold"], text=True), Head(columns["train"], text=True)]
    heads += [Head(columns["n_train"]), Head(columns["train_events"]), Head(columns["test"], text=True)]
    heads += [Head(columns[c]) for c in ("n_test", "test_events", "n_null")]
    rows = []
    for row in frame.to_dict("records"):
        cells = [Cell(str(row["fold"])), Cell(f"{row['train_from']} – {row['train_to']}")]
        cells += [Cell(number(row["n_train"])), Cell(number(row["train_events"]))]
        cells.append(Cell(f"{row['test_from']} – {row['test_to']}"))
        cells += [Cell(number(row[c])) for c in ("n_test", "test_events", "n_null")]
        rows.append(Row(cells))
    return Table(heads, rows)


def _points(value: float) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{POINTS * value:+.1f}"


def _span(row: Mapping[Any, Any]) -> str:
    low, high = row["delta_low"], row["delta_high"]
    return "" if low is None or not math.isfinite(low) else f"[{POINTS * low:+.1f}, {POINTS * high:+.1f}]"


def found(given: ReportInput, book: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the three numbers of the headline, rules against the model that scores; None without them.

    Parameters
    ----------
    given : ReportInput
    book : mapping

    Returns
    -------
    dict or None
        ``rules, model, either`` (counts as text) and words.
    """
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
