"""Cells and tables of the benchmark's page: a value with its interval below it, words in both languages.

The further tables of one panel on the bench's page: truth, derived measures, groups, models seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.benchmark.run import PanelResult
from riskmodel.i18n import LANGUAGES, both, pair
from riskmodel.presentation import Cell, Column, Row, Table, Words
from riskmodel.runs import HOUSEHOLD_GROUPS


def word(name: str, /, **values: Any) -> dict[str, str]:
    """Return a phrase of the page's tables in both languages, its places filled in."""
    return both(f"benchmark.tables.{name}", **values)


def number(value: Any, digits: int = 3, sign: bool = False) -> str:
    """Return a number as text; a dash where there is none.

    Examples
    --------
    >>> number(0.1234), number(2, 1, sign=True), number(float("nan"))
    ('0.123', '+2.0', '–')
    """
    if value is None or value != value:
        return "–"
    # Minus zero is zero to a reader.
    value = round(float(value), digits) + 0.0
    return f"{value:{'+' if sign else ''}.{digits}f}"


def cell(value: Any, low: Any = None, high: Any = None, *, digits: int = 3, sign: bool = False) -> Cell:
    """Return a number's cell, its interval small below it."""
    has = low is not None and low == low
    small = f"{number(low, digits, sign)} … {number(high, digits, sign)}" if has else ""
    return Cell(number(value, digits, sign), small)


def p_value(value: Any) -> Cell:
    """Return a p value's cell; below a thousandth it is given as that."""
    return plain("<0.001" if value is not None and value < 0.001 else number(value))


def plain(text: str, mark: str = "") -> Cell:
    """Return a cell of one text in every language."""
    return Cell(text, mark=mark)


def named(words: Words, small: str = "") -> Cell:
    """Return a cell of words in both languages."""
    return Cell(words, small)


def table(
    title: Words,
    heads: Sequence[Words | str],
    rows: Sequence[Sequence[Cell]],
    *,
    best: int | None = None,
    note: Words | None = None,
    folded: bool = False,
    wide: bool = False,
) -> Table:
    """Return a table whose first column says what a row is; a folded one opens at a click."""
    columns = [Column(head, "number" if k else "text") for k, head in enumerate(heads)]
    marked = [Row(cells, "best" if i == best else "") for i, cells in enumerate(rows)]
    return Table(columns, marked, title=title, notes=(note,) if note else (), folded=folded, wide=wide)


def name_of(model: str) -> dict[str, str]:
    """Return what a model is called in both languages."""
    if model == "oracle":
        return word("the_truth")
    found = models.model_entry(model) if models.is_model(model) else None
    return pair(found) if found else dict.fromkeys(LANGUAGES, model)


PER_CENT = 100
# Single columns that tell the outcome best, for a look at what may be leaking.
_LEAKS_SHOWN = 8


def pooled(one: PanelResult, family: str | None = None) -> pd.DataFrame:
    """Return the comparison at the budget over all test dates, the best list first."""
    found = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'")
    found = found if family is None else found[found["family"] == family]
    return found.sort_values("delta_recall", ascending=False, kind="stable")


def baseline(one: PanelResult) -> dict[str, str]:
    """Return what the list that all are compared with is called."""
    return name_of(str(one.tables["comparison"]["baseline"].iloc[0]))


def points(row: Any, name: str, low: str, high: str) -> Cell:
    """Return a difference with its interval in percentage points."""
    value, first, last = (PER_CENT * float(row[c]) for c in (name, low, high))
    return cell(value, first, last, digits=1, sign=True)


def hits_cell(row: dict[Any, Any], side: str) -> Cell:
    """Return how many events a list finds, and the least and most if ties fell otherwise."""
    worst, best = int(row[f"hits_{side}_worst"]), int(row[f"hits_{side}_best"])
    return replace(cell(row[f"hits_{side}"], digits=0), small="" if worst == best else f"{worst} … {best}")


def _truth(one: PanelResult) -> Table | None:
    if "truth" not in one.tables:
        return None
    heads = [word("model"), word("auc_on_true_chances"),
             word("share_of_the_attainable_gain"), word("true_recall"),
             word("share_of_the_attainable"), word("slope_of_the_truth"),
             word("distance_from_the_truth"),
             word("score_bins_covered")]  # fmt: skip
    rows = []
    found = one.tables["truth"]
    found = found[found["model"].isin([*models.MODELS, "oracle"])]
    for row in found.sort_values("auc_true", ascending=False, kind="stable").to_dict("records"):
        covered = row.get("bins_covered")
        text = "–" if covered is None or covered != covered else f"{int(covered)}/{int(row['bins'])}"
        rows.append([
            named(name_of(str(row["model"]))), cell(row["auc_true"]), cell(row["auc_gain_share"], digits=2),
            cell(row["recall_true"]), cell(row["recall_share"], digits=2), cell(row["slope_true"], digits=2),
            cell(row["error_true"], digits=4), plain(text),
        ])  # fmt: skip
    return table(word("truth_title"), heads, rows)


def _derived(one: PanelResult) -> Table:
    heads = [word("model"), word("precision"), word("exclusion_error"),
             word("inclusion_error"), word("targeting_differential_coverage"),
             word("targeting_differential_errors"), word("cgh_persons"),
             word("bpac"), word("crra_welfare"), word("mcnemar_p"),
             word("delong_p")]  # fmt: skip
    rows = [
        [named(name_of(r["model"])), cell(r["precision_model"]), cell(1 - r["recall_model"]),
         cell(1 - r["precision_model"]), cell(r["targeting_differential_model"]),
         cell(r["targeting_differential_errors_model"]), cell(r["cgh_persons_model"], digits=2),
         cell(r["bpac_model"], digits=2), cell(r["welfare_model"], digits=2), p_value(r["mcnemar_p"]),
         p_value(r["delong_p"])]
        for r in pooled(one, "models").to_dict("records")
    ]  # fmt: skip
    note = word("derived_note")
    title = word("derived_measures_and_descriptive_tests")
    return table(title, heads, rows, note=note, folded=True)


def _rulesets(one: PanelResult) -> Table | None:
    found = pooled(one, "rulesets")
    if found.empty:
        return None
    heads = [word("rule_set"), word("auc"), word("found_ties"),
             word("recall_points"), word("holm_p"), word("overlap_2"),
             word("precision")]  # fmt: skip
    auc = one.tables["metrics"].set_index("model")
    rows = []
    for row in found.to_dict("records"):
        own = auc.loc[row["model"]]
        rows.append([
            named(name_of(row["model"])), cell(own["auc"], own["auc_low"], own["auc_high"]),
            hits_cell(row, "model"), points(row, "delta_recall", "delta_low", "delta_high"),
            p_value(row["p_holm"]), cell(row["overlap"], digits=2), cell(row["precision_model"]),
        ])  # fmt: skip
    note = word("rule_sets_note")
    title = word("rule_sets_title")
    return table(title, heads, rows, note=note, folded=True)


def _groups(one: PanelResult) -> Table | None:
    if "gaps" not in one.tables:
        return None
    heads = [word("group"), word("model"), word("rows"), word("events"),
             word("gap_in_recall"), word("gap_in_false_positives"),
             word("gap_in_calibration")]  # fmt: skip
    found = one.tables["gaps"]
    small = int((found["small"] & (found["value"] != "no")).sum() > 0)
    found = found[(found["value"] != "no") & ~found["small"]]
    rows = []
    for row in found.to_dict("records"):
        cells = [
            cell(row[f"gap_{m}"], row[f"gap_{m}_low"], row[f"gap_{m}_high"], sign=True)
            for m in ("recall", "false_positive_rate", "calibration_gap")
        ]
        rows.append([named(_group(row)), named(name_of(row["model"])), cell(row["n"], digits=0),
                     cell(row["n_events"], digits=0), *cells])  # fmt: skip
    if not rows and not small:
        return None
    note = word("gaps_note")
    return table(word("gaps_between_groups"), heads, rows, note=note, folded=True)


def _group(row: dict[Any, Any]) -> dict[str, str]:
    name = str(row["group"]).removeprefix("group_")
    if row["group"] == "township":
        return word("township", value=row["value"])
    if name in HOUSEHOLD_GROUPS:
        return pair(HOUSEHOLD_GROUPS[name])
    return dict.fromkeys(LANGUAGES, name)


_EVENTS = {
    "below_line": "income_falls_below_the_line",
    "identified": "is_put_under_watch",
    "confirmed": "a_visit_confirms",
}


def _events(one: PanelResult) -> Table | None:
    if "events" not in one.tables or one.tables["events"].empty:
        return None
    heads = [word("label_event"), word("method"), word("rows"), word("events"),
             word("auc"), word("recall"), word("precision")]  # fmt: skip
    rows = [
        [named(word(_EVENTS[r["event"]])), named(name_of(r["model"])), cell(r["n"], digits=0),
         cell(r["n_events"], digits=0),
         *(cell(r[m], r[f"{m}_low"], r[f"{m}_high"])
           for m in ("auc", "recall_at_budget", "precision_at_budget"))]
        for r in one.tables["events"].to_dict("records")
    ]  # fmt: skip
    note = word("events_note")
    return table(word("judged_by_each_label_event"), heads, rows, note=note, folded=True)


def _bounds(one: PanelResult) -> Table | None:
    if "support" not in one.tables:
        return None
    heads = [word("list"), word("supported_on_the_list"), word("precision"),
             word("recall")]  # fmt: skip
    rows = [
        [named(name_of(row["model"])), cell(row["supported_share_listed"], digits=2),
         *(cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in ("precision", "recall"))]
        for row in one.tables["support"].to_dict("records")
    ]  # fmt: skip
    note = word("bounds_note")
    title = word("risk_under_current_support_bounds")
    return table(title, heads, rows, note=note)


def _planned(one: PanelResult) -> Table:
    heads = [word("correlation_within_villages"), word("events"), word("villages"),
             word("design_effect"),
             word("smallest_difference"),
             word("assumed"),
             word("visits_to_show_twice_random")]  # fmt: skip
    rows = [
        [replace(cell(r["correlation"], digits=3), small="ρ̂" if r["observed"] else ""),
         cell(r["events"], digits=0), cell(r["villages"], digits=0),
         cell(r["design_effect"], digits=2), cell(r["smallest_difference_observed"]),
         cell(r["smallest_difference"]),
         cell(r["visits_to_show_twice_random"], digits=0)]
        for r in one.tables["planning"].to_dict("records")
    ]  # fmt: skip
    title = word("power_title")
    first = one.tables["planning"].iloc[0]
    seen, assumed = f"{first['discordant_observed']:.2f}", f"{first['discordant_assumed']:.2f}"
    note = word("power_note", seen=seen, assumed=assumed)
    return table(title, heads, rows, note=note)


def _effects(one: PanelResult) -> Table | None:
    if "effects" not in one.tables:
        return None
    heads = [word("column_per_standard_deviation"), word("coefficient"), word("p"),
             word("average_marginal_effect_points")]  # fmt: skip
    rows = []
    for row in one.tables["effects"].to_dict("records"):
        reach, ame, se = 1.96 * row["se"], PER_CENT * row["ame"], 196 * row["ame_se"]
        rows.append([plain(str(row["column"])),
                     cell(row["coef"], row["coef"] - reach, row["coef"] + reach, digits=2, sign=True),
                     p_value(row["p"]), cell(ame, ame - se, ame + se, digits=2, sign=True)])  # fmt: skip
    title = word("effects_title")  # fmt: skip
    return table(title, heads, rows, folded=True)


def _card(one: PanelResult) -> Table | None:
    if "scorecard" not in one.tables:
        return None
    found = one.tables["scorecard"]
    heads = [str(c) for c in found.columns]
    rows = [[plain(_text(v)) for v in row] for row in found.itertuples(index=False)]
    title = word("scorecard_title")
    return table(title, heads, rows, folded=True)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.6g}"
    return "–" if value is None else str(value)


def _leaks(one: PanelResult) -> Table | None:
    if "leaks" not in one.tables or one.tables["leaks"].empty:
        return None
    heads = [word("column"), word("role"), word("auc_of_the_column_alone"),
             word("auc_of_being_known"), word("suspected")]  # fmt: skip
    rows = [
        [plain(str(r["column"])), plain(str(r["role"])), cell(r["auc"]), cell(r["missing_auc"]),
         named(word("yes") if r["suspected"] else word("no"))]
        for r in one.tables["leaks"].head(_LEAKS_SHOWN).to_dict("records")
    ]  # fmt: skip
    total, suspected = len(one.tables["leaks"]), int(one.tables["leaks"]["suspected"].sum())
    note = word("leaks_note", total=total, suspected=suspected)
    return table(word("leaks"), heads, rows, note=note, folded=True)


DETAILS: tuple[Callable[[PanelResult], Table | None], ...] = (
    _truth, _derived, _rulesets, _groups, _events, _bounds, _planned, _effects, _card, _leaks,
)  # fmt: skip
