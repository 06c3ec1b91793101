"""What a benchmark shows: sentences, one table of all panels and models, and the same as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.benchmark.run import BenchmarkResult, PanelResult, budget_comparison
from riskmodel.benchmark.tables import LEVEL, name_of, number
from riskmodel.evaluation import ATTAINABLE
from riskmodel.i18n import Message, counted, join, pair
from riskmodel.runs import is_simple, winner
from riskmodel.version import __version__


def _message(key: str, **values: Any) -> Message:
    return Message(f"benchmark.sentences.{key}", values)


def _name(model: Any) -> dict[str, str]:
    return pair(models.model_entry(str(model)))


def _models(names: Sequence[str]) -> dict[str, str] | Message:
    return join(map(_name, names)) if names else _message("none")


def _titles(runs: Sequence[PanelResult]) -> dict[str, str] | Message:
    return join((pair(r.panel.title) for r in runs), by="clause") if runs else _message("none")


def panel_findings(one: PanelResult) -> list[Message]:
    """Say what one panel shows: the primary test first, then how the simple method does."""
    out = [_primary_message(one)]
    if "ordering" in one.tables:
        out += [_ordering_message(row) for row in one.tables["ordering"].to_dict("records")]
    visits = one.tables["visits"]
    if len(visits) and visits["ratio"].notna().any():
        best = str(visits.set_index("model")["recall_model"].idxmax())
        out.append(visits_message(visits, best, one.panel.baseline))
    if "lead" in one.tables and len(one.tables["lead"]):
        out.append(lead_time_message(one.tables["lead"], one.tables["metrics"]))
    if "truth" in one.tables:
        out.append(truth_message(one.tables["truth"]))
    if "unsupported" in one.tables:
        effect = one.tables["unsupported"].iloc[0]
        out.append(_message("support", supported=effect["supported"], unsupported=effect["unsupported"]))
    return out


def _ordering_message(row: dict[Any, Any]) -> Message:
    names = {kind: _name(row[kind]) for kind in ("simple", "elaborate")}
    measure, wins = _message(f"measures.{row['measure']}"), _message(f"winner.{winner(row)}")
    return _message("ordering", **{**row, **names, "measure": measure, "winner": wins})


def primary_test(one: PanelResult) -> dict[str, list[str]]:
    """Return which models the primary test shows to differ from the baseline, rule sets left out.

    ``better, worse`` (Holm-corrected p below 0.05) and ``unsure`` (the interval lies apart from 0, but not
    after the correction).
    """
    table = budget_comparison(one.tables).query("family == 'models'")
    out: dict[str, list[str]] = {"better": [], "worse": [], "unsure": []}
    for row in table.to_dict("records"):
        if row["p_holm"] < LEVEL:
            out["better" if row["delta_recall"] > 0 else "worse"].append(str(row["model"]))
        elif row["delta_low"] > 0 or row["delta_high"] < 0:
            out["unsure"].append(str(row["model"]))
    return out


def _primary_message(one: PanelResult) -> Message:
    first = budget_comparison(one.tables).iloc[0]
    test = primary_test(one)
    unsure = _message("unsure", models=_models(test["unsure"])) if test["unsure"] else _message("nothing")
    return _message(
        "primary", visits=first["visits"], n_events=first["n_events"], hits_baseline=first["hits_baseline"],
        baseline=_name(first["baseline"]), better=_models(test["better"]), worse=_models(test["worse"]),
        unsure=unsure,
    )  # fmt: skip


def visits_message(visits: pd.DataFrame, model: str, baseline: str = "rule") -> Message:
    """Say what a model's list is worth in visits.

    Parameters
    ----------
    visits
        `riskmodel.runs.Evaluation.visits`.
    model, baseline
        Whose list, and in whose order the visits are counted.

    Returns
    -------
    Message
        One sentence.
    """
    row = visits.set_index("model").to_dict("index")[model]
    return _message(
        "visits", model=_name(model), baseline=_name(baseline), ratio=row["ratio"], low=row["low"],
        high=row["high"], doubled=row["recall_baseline_x2"],
    )  # fmt: skip


def lead_time_message(table: pd.DataFrame, metrics: pd.DataFrame) -> Message:
    """Say how early the list of the model that finds most holds those who fell.

    Parameters
    ----------
    table, metrics
        `riskmodel.runs.Evaluation.lead` and ``metrics``.

    Returns
    -------
    Message
        One sentence.
    """
    # The list of whoever finds most, not of whoever looks earliest.
    recall = metrics[metrics["model"].isin(table["model"])].set_index("model")["recall_at_budget"]
    row = table[table["model"] == recall.idxmax()].iloc[0]
    median = _message("no median" if pd.isna(row["median_months"]) else "median", **row)
    shares = {c: 100 * float(row[c]) for c in ("before", "low", "high", "same_date", "after", "neither")}
    return _message("lead", **{**row, **shares, "model": _name(row["model"]), "median": median})


def truth_message(truth: pd.DataFrame) -> Message:
    """Say what the best model and the rule reach of a list by the true chances.

    Parameters
    ----------
    truth
        `riskmodel.runs.Evaluation.truth_table`; its rows that are no model's are left out.

    Returns
    -------
    Message
        One sentence.
    """
    table = truth[~truth["model"].isin([ATTAINABLE, "oracle"])].set_index("model")
    best, share = str(table["recall_true"].idxmax()), table["recall_share"]
    return _message(
        "truth", limit=float(table["oracle_recall"].iloc[0]), rule=float(share.get("rule", float("nan"))),
        model=_name(best), best=float(share[best]),
    )  # fmt: skip


def benchmark_findings(result: BenchmarkResult) -> list[Message]:
    """Say what the whole benchmark shows, the simple method's wins first.

    Parameters
    ----------
    result
        The benchmark's result.

    Returns
    -------
    list of Message
        Ordering, lists, primary test over all panels; then one a panel.
    """
    out = [_wins_message(result, "auc"), _wins_message(result, "recall"), _tests_message(result)]
    for one in result.panels:
        # The primary test, and how the simple method does in ordering.
        first, *others = panel_findings(one)
        title = one.panel.title.model_dump()
        out.append(
            _message("panel", title=title, first=first, second=others[0])
            if others
            else _message("panel one", title=title, first=first)
        )
    return out


def _wins_message(result: BenchmarkResult, measure: str) -> Message:
    wins: dict[str, list[PanelResult]] = {"simple": [], "level": [], "elaborate": []}
    for one in result.panels:
        if "ordering" in one.tables:
            row = one.tables["ordering"].set_index("measure").loc[measure]
            wins[winner(row.to_dict())].append(one)
    titles = {kind: _titles(runs) for kind, runs in wins.items()}
    count = len(wins["simple"]) + len(wins["level"])
    total = sum(map(len, wins.values()))
    return _message("wins", measure=_message(f"measures.{measure}"), total=total, count=count, **titles)


def _tests_message(result: BenchmarkResult) -> Message:
    better = [one for one in result.panels if primary_test(one)["better"]]
    others = [one for one in result.panels if not primary_test(one)["better"]]
    return _message("tests", better=_titles(better), others=_titles(others))


_OWN = ("auc", "average_precision", "brier", "calibration_slope", "recall_at_budget", "precision_at_budget",
        "lift")  # fmt: skip
_COUNTS = ("n_test", "n_events", "n_villages", "visits", "hits", "hits_worst", "hits_best")
_PAIR = ("delta_recall", "delta_low", "delta_high", "p_bootstrap", "p_holm", "family", "overlap")
_WINS = {"simple": "**simple**", "elaborate": "elaborate", "level": "not told apart"}


def summary_table(result: BenchmarkResult) -> pd.DataFrame:
    """Return every panel's models and rule sets in one table, a row a panel and model.

    Metrics with their intervals, the difference from the baseline, and what is reached of the truth where
    it is known.
    """
    return pd.concat([_of_panel(one) for one in result.panels], ignore_index=True)


def _of_panel(one: PanelResult) -> pd.DataFrame:
    metrics = one.tables["metrics"]
    ends = [f"{m}{e}" for m in _OWN for e in ("", "_low", "_high")]
    out = metrics[["model", *_COUNTS, *ends]]
    compared = budget_comparison(one.tables)
    out = out.merge(compared[["model", *_PAIR]], on="model", how="left", validate="one_to_one")
    if "truth" in one.tables:
        true = one.tables["truth"][["model", "auc_true", "recall_true", "recall_share"]]
        out = out.merge(true, on="model", how="left", validate="one_to_one")
    out.insert(0, "panel", one.panel.id)
    out.insert(2, "tradition", [models.model_entry(m).tradition for m in out["model"]])
    out.insert(3, "simple", [is_simple(m) for m in out["model"]])
    return out


def results_markdown(result: BenchmarkResult, peak_gib: float) -> str:
    """Return a benchmark's results as Markdown, made to be copied into a document."""
    whole = summary_table(result)
    named = [m for m in models.MODELS if m in set(whole["model"])]
    parts = [
        _what_it_cost(result, peak_gib),
        "\n".join(f"* {message.text('en')}" for message in benchmark_findings(result)),
        "**The panels.** Δ: the best elaborate method less the best simple one, with its 95 % interval. "
        "Visits equivalent: visits in the baseline's order that find what the best list finds, over the "
        "visits.",
        _panels(result),
        "**AUC** with its 95 % interval (villages resampled):",
        _matrix(result, named, _auc),
        "**Recall at the budget** (in brackets: share of the recall that a list by the true chances has):",
        _matrix(result, named, _recall),
        "**Primary test**: difference in recall from the baseline in points (= −ΔEE) with its 95 % interval; "
        f"bold: p < {LEVEL} after Holm.",
        _matrix(result, [m for m in named if m != "rule"], _delta),
        "**Rule sets** on the simulated counties, by verdict and distance to the line: AUC, recall at the "
        "budget.",
        _matrix(result, _rulesets(whole), _ruleset),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def _what_it_cost(result: BenchmarkResult, peak_gib: float) -> str:
    each = ", ".join(f"{r.panel.id} {r.seconds:.0f}/{r.facts.get('cpu_seconds', 0)}" for r in result.panels)
    cpu = sum(r.facts.get("cpu_seconds", 0) for r in result.panels) / 60
    size = "quick size: its figures mean nothing" if result.quick else "full size"
    return (
        f"riskmodel {__version__}, {size}, {counted(result.jobs, 'panel')} at a time: "
        f"{result.seconds / 60:.1f} minutes in all, {cpu:.1f} minutes of processor time in the panels, "
        f"at most {peak_gib:.2f} GiB in one "
        f"process (panel, seconds/processor seconds: {each})."
    )


def _panels(result: BenchmarkResult) -> str:
    heads = ["panel", "households", "test rows", "events", "visits", "AUC: best simple", "best elaborate",
             "Δ AUC", "wins", "Δ recall", "wins", "visits equivalent"]  # fmt: skip
    return _table(heads, [_panel_row(one) for one in result.panels])


def _panel_row(one: PanelResult) -> list[str]:
    first = one.tables["metrics"].iloc[0]
    counts = [str(one.facts.get("households", "–")), *(str(int(first[c])) for c in _COUNTS[:2])]
    counts.append(str(int(first["visits"])))
    return [one.panel.id, *counts, *_ordered(one), _visits(one)]


def _ordered(one: PanelResult) -> list[str]:
    if "ordering" not in one.tables:
        return ["–"] * 6
    by = one.tables["ordering"].set_index("measure").to_dict("index")
    auc, recall = by["auc"], by["recall"]
    names = [f"{r} {auc[f'value_{k}']:.3f}" for k in ("simple", "elaborate") for r in (auc[k],)]
    return [*names, _interval(auc, "difference", "low", "high", 3), _WINS[winner(auc)],
            _interval(recall, "difference", "low", "high", 3), _WINS[winner(recall)]]  # fmt: skip


def _visits(one: PanelResult) -> str:
    visits = one.tables["visits"]
    if visits.empty or not visits["ratio"].notna().any():
        return "–"
    row = visits.sort_values("recall_model", kind="stable").iloc[-1]
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
    return [m for m in names if models.model_entry(m).ruleset and m.startswith("rule-")]


def _matrix(result: BenchmarkResult, names: list[str], text: Callable[[Mapping[Any, Any]], str]) -> str:
    if not names:
        return ""
    whole = summary_table(result)
    by = {(r["panel"], r["model"]): r for r in whole.to_dict("records")}
    panels = [r.panel.id for r in result.panels if any((r.panel.id, m) in by for m in names)]
    rows = [[name_of(m)["en"], *(text(by[p, m]) if (p, m) in by else "–" for p in panels)] for m in names]
    return _table(["", *panels], rows)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
