"""The one table of a bench: a row a panel and model; the same as text for a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from riskmodel import __version__, models
from riskmodel.benchmark.cells import name_of, number
from riskmodel.benchmark.found import LEVEL, findings
from riskmodel.benchmark.run import BenchRun, PanelRun
from riskmodel.runs import is_simple, winner

_OWN = ("auc", "average_precision", "brier", "calibration_slope", "recall_at_budget", "precision_at_budget",
        "lift")  # fmt: skip
_COUNTS = ("n_test", "n_events", "n_villages", "visits", "hits", "hits_worst", "hits_best")
_PAIR = ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_holm", "family", "overlap")
_WINS = {"simple": "**simple**", "elaborate": "elaborate", "level": "not told apart"}


def summary(done: BenchRun) -> pd.DataFrame:
    """Return every panel's models and rule sets in one table.

    Parameters
    ----------
    done : BenchRun

    Returns
    -------
    DataFrame
        ``panel, model, tradition, simple``; counts; each metric with ``_low, _high``; against the baseline
        ``delta_recall`` (minus the difference in exclusion error), ``delta_low, delta_high, p_bootstrap,
        p_holm, family, overlap``; ``auc_true, recall_true, recall_share`` where the truth is known.
    """
    return pd.concat([_of_panel(one) for one in done.done], ignore_index=True)


def _of_panel(one: PanelRun) -> pd.DataFrame:
    metrics = one.tables["metrics"]
    ends = [f"{m}{e}" for m in _OWN for e in ("", "_low", "_high")]
    out = metrics[["model", *_COUNTS, *ends]]
    pair = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    out = out.merge(pair[["model", *_PAIR]], on="model", how="left", validate="one_to_one")
    if "truth" in one.tables:
        true = one.tables["truth"][["model", "auc_true", "recall_true", "recall_share"]]
        out = out.merge(true, on="model", how="left", validate="one_to_one")
    out.insert(0, "panel", one.panel.id)
    out.insert(2, "tradition", [models.entry(m).family for m in out["model"]])
    out.insert(3, "simple", [is_simple(m) for m in out["model"]])
    return out


def markdown(done: BenchRun, peak_gib: float) -> str:
    """Write a bench's results as text in Markdown, made to be copied into a document.

    Parameters
    ----------
    done : BenchRun
    peak_gib : float
        Most memory that a process of it held.

    Returns
    -------
    str
    """
    whole = summary(done)
    named = [m for m in models.MODELS if m in set(whole["model"])]
    parts = [
        _what_it_cost(done, peak_gib),
        "\n".join(f"* {said['en']}" for said in findings(done)),
        "**The panels.** Δ: the best elaborate method less the best simple one, with its 95 % interval. "
        "Visits equivalent: visits in the baseline's order that find what the best list finds, over the "
        "visits.",
        _panels(done),
        "**AUC** with its 95 % interval (villages resampled):",
        _matrix(done, named, _auc),
        "**Recall at the budget** (in brackets: share of the recall that a list by the true chances has):",
        _matrix(done, named, _recall),
        "**Primary test**: difference in recall from the baseline in points (= −ΔEE) with its 95 % interval; "
        f"bold: p < {LEVEL} after Holm.",
        _matrix(done, [m for m in named if m != "rule"], _delta),
        "**Rule sets** on the simulated counties, by verdict and distance to the line: AUC, recall at the "
        "budget.",
        _matrix(done, _rulesets(whole), _ruleset),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _what_it_cost(done: BenchRun, peak_gib: float) -> str:
    each = ", ".join(f"{r.panel.id} {r.seconds:.0f}/{r.facts.get('cpu_seconds', 0)}" for r in done.done)
    cpu = sum(r.facts.get("cpu_seconds", 0) for r in done.done) / 60
    size = "quick size: its figures mean nothing" if done.quick else "full size"
    return (
        f"riskmodel {__version__}, {size}, {done.jobs} panel(s) at a time: {done.seconds / 60:.1f} minutes "
        f"in all, {cpu:.1f} minutes of processor time in the panels, at most {peak_gib:.2f} GiB in one "
        f"process (panel, seconds/processor seconds: {each})."
    )


def _panels(done: BenchRun) -> str:
    heads = ["panel", "households", "test rows", "events", "visits", "AUC: best simple", "best elaborate",
             "Δ AUC", "wins", "Δ recall", "wins", "visits equivalent"]  # fmt: skip
    return _table(heads, [_panel_row(one) for one in done.done])


def _panel_row(one: PanelRun) -> list[str]:
    first = one.tables["metrics"].iloc[0]
    counts = [str(one.facts.get("households", "–")), *(str(int(first[c])) for c in _COUNTS[:2])]
    counts.append(str(int(first["visits"])))
    return [one.panel.id, *counts, *_ordered(one), _visits(one)]


def _ordered(one: PanelRun) -> list[str]:
    if "ordering" not in one.tables:
        return ["–"] * 6
    by = one.tables["ordering"].set_index("measure").to_dict("index")
    auc, recall = by["auc"], by["recall"]
    names = [f"{r} {auc[f'value_{k}']:.3f}" for k in ("simple", "elaborate") for r in (auc[k],)]
    return [*names, _interval(auc, "difference", "low", "high", 3), _WINS[winner(auc)],
            _interval(recall, "difference", "low", "high", 3), _WINS[winner(recall)]]  # fmt: skip


def _visits(one: PanelRun) -> str:
    found = one.tables["visits"]
    if found.empty or not found["ratio"].notna().any():
        return "–"
    row = found.sort_values("recall_model", kind="stable").iloc[-1]
    return f"{row['model']} {row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _interval(row: Mapping[Any, Any], name: str, low: str, high: str, digits: int, scale: float = 1) -> str:
    value, first, last = (number(scale * float(row[c]), digits, sign=True) for c in (name, low, high))
    return f"{value} ({first} to {last})"


def _auc(row: Mapping[Any, Any]) -> str:
    return f"{number(row['auc'])} ({number(row['auc_low'])}–{number(row['auc_high'])})"


def _recall(row: Mapping[Any, Any]) -> str:
    share = row.get("recall_share", float("nan"))
    return number(row["recall_at_budget"]) + (f" ({share:.0%})" if share == share else "")


def _delta(row: Mapping[Any, Any]) -> str:
    if row["delta_recall"] != row["delta_recall"]:
        return "baseline"
    text = _interval(row, "delta_recall", "delta_low", "delta_high", 1, 100)
    return f"**{text}**" if row["p_holm"] < LEVEL else text


def _ruleset(row: Mapping[Any, Any]) -> str:
    return f"{number(row['auc'])}, {number(row['recall_at_budget'])}"


def _rulesets(whole: pd.DataFrame) -> list[str]:
    names = list(dict.fromkeys(whole["model"]))
    return [m for m in names if models.entry(m).ruleset and m.startswith("rule-")]


def _matrix(done: BenchRun, names: list[str], text: Callable[[Mapping[Any, Any]], str]) -> str:
    if not names:
        return ""
    whole = summary(done)
    by = {(r["panel"], r["model"]): r for r in whole.to_dict("records")}
    panels = [r.panel.id for r in done.done if any((r.panel.id, m) in by for m in names)]
    rows = [[name_of(m)["en"], *(text(by[p, m]) if (p, m) in by else "–" for p in panels)] for m in names]
    return _table(["", *panels], rows)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
