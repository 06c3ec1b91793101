"""Tables of the benchmark's page: design, the primary test, and all that a panel's run measured.

A cell is a value with its interval small below it; words are in both languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.benchmark.run import PanelResult, budget_comparison
from riskmodel.i18n import LANGUAGES, both, pair
from riskmodel.presentation import Cell, Column, Row, Table, Words
from riskmodel.runs import HOUSEHOLD_GROUPS, winner


def word(name: str, /, **values: Any) -> dict[str, str]:
    """Return a phrase of the page's tables in both languages, its places filled in."""
    return both(f"benchmark.tables.{name}", **values)


def words(*names: str) -> list[dict[str, str]]:
    """Return phrases without places to fill in, as heads of columns."""
    return [word(name) for name in names]


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


def model_cell(model: Any) -> Cell:
    """Return the cell of a model's name."""
    return named(name_of(str(model)))


def estimate(row: Any, name: str, *, digits: int = 3, sign: bool = False) -> Cell:
    """Return the cell of a column and its interval (``_low``, ``_high``)."""
    return cell(row[name], row[f"{name}_low"], row[f"{name}_high"], digits=digits, sign=sign)


PER_CENT = 100
# Of the primary test, after Holm.
LEVEL = 0.05
# Single columns that tell the outcome best, for a look at what may be leaking.
_LEAKS_SHOWN = 8


def pooled(one: PanelResult, family: str | None = None) -> pd.DataFrame:
    """Return the comparison at the budget over all test dates, the best list first."""
    rows = budget_comparison(one.tables)
    rows = rows if family is None else rows[rows["family"] == family]
    return rows.sort_values("delta_recall", ascending=False, kind="stable")


def records(one: PanelResult, name: str) -> list[dict[Any, Any]]:
    """Return a table's rows; none where the panel has no such table."""
    return one.tables[name].to_dict("records") if name in one.tables else []


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
    heads = words("model", "auc_on_true_chances", "share_of_the_attainable_gain", "true_recall",
                  "share_of_the_attainable", "slope_of_the_truth", "distance_from_the_truth",
                  "score_bins_covered")  # fmt: skip
    rows = []
    found = one.tables["truth"]
    found = found[found["model"].isin([*models.MODELS, "oracle"])]
    for row in found.sort_values("auc_true", ascending=False, kind="stable").to_dict("records"):
        covered = row.get("bins_covered")
        text = "–" if covered is None or covered != covered else f"{int(covered)}/{int(row['bins'])}"
        rows.append([
            model_cell(row["model"]), cell(row["auc_true"]), cell(row["auc_gain_share"], digits=2),
            cell(row["recall_true"]), cell(row["recall_share"], digits=2), cell(row["slope_true"], digits=2),
            cell(row["error_true"], digits=4), plain(text),
        ])  # fmt: skip
    return table(word("truth_title"), heads, rows)


def _derived(one: PanelResult) -> Table:
    heads = words("model", "precision", "exclusion_error", "inclusion_error",
                  "targeting_differential_coverage", "targeting_differential_errors", "cgh_persons", "bpac",
                  "crra_welfare", "mcnemar_p", "delong_p")  # fmt: skip
    rows = [
        [model_cell(r["model"]), cell(r["precision_model"]), cell(1 - r["recall_model"]),
         cell(1 - r["precision_model"]), cell(r["targeting_differential_model"]),
         cell(r["targeting_differential_errors_model"]), cell(r["cgh_persons_model"], digits=2),
         cell(r["bpac_model"], digits=2), cell(r["welfare_model"], digits=2), p_value(r["mcnemar_p"]),
         p_value(r["delong_p"])]
        for r in pooled(one, "models").to_dict("records")
    ]  # fmt: skip
    return table(
        word("derived_measures_and_descriptive_tests"), heads, rows, note=word("derived_note"), folded=True
    )


def _rulesets(one: PanelResult) -> Table | None:
    found = pooled(one, "rulesets")
    if found.empty:
        return None
    heads = words("rule_set", "auc", "found_ties", "recall_points", "holm_p", "overlap_2", "precision")
    auc = one.tables["metrics"].set_index("model")
    rows = []
    for row in found.to_dict("records"):
        own = auc.loc[row["model"]]
        rows.append([
            model_cell(row["model"]), estimate(own, "auc"),
            hits_cell(row, "model"), points(row, "delta_recall", "delta_low", "delta_high"),
            p_value(row["p_holm"]), cell(row["overlap"], digits=2), cell(row["precision_model"]),
        ])  # fmt: skip
    return table(word("rule_sets_title"), heads, rows, note=word("rule_sets_note"), folded=True)


def _groups(one: PanelResult) -> Table | None:
    if "gaps" not in one.tables:
        return None
    heads = words("group", "model", "rows", "events", "gap_in_recall", "gap_in_false_positives",
                  "gap_in_calibration")  # fmt: skip
    found = one.tables["gaps"]
    small = int((found["small"] & (found["value"] != "no")).sum() > 0)
    found = found[(found["value"] != "no") & ~found["small"]]
    rows = []
    for row in found.to_dict("records"):
        cells = [
            estimate(row, f"gap_{m}", sign=True) for m in ("recall", "false_positive_rate", "calibration_gap")
        ]
        rows.append([named(_group(row)), model_cell(row["model"]), cell(row["n"], digits=0),
                     cell(row["n_events"], digits=0), *cells])  # fmt: skip
    if not rows and not small:
        return None
    return table(word("gaps_between_groups"), heads, rows, note=word("gaps_note"), folded=True)


def _group(row: dict[Any, Any]) -> dict[str, str]:
    name = str(row["group"]).removeprefix("group_")
    if row["group"] == "township":
        return word("township", value=row["value"])
    if name in HOUSEHOLD_GROUPS:
        return both(f"runs.household_groups.{name}")
    return dict.fromkeys(LANGUAGES, name)


_EVENTS = {
    "below_line": "income_falls_below_the_line",
    "identified": "is_put_under_watch",
    "confirmed": "a_visit_confirms",
}


def _events(one: PanelResult) -> Table | None:
    if not (found := records(one, "events")):
        return None
    heads = words("label_event", "method", "rows", "events", "auc", "recall", "precision")
    rows = [
        [named(word(_EVENTS[r["event"]])), model_cell(r["model"]), cell(r["n"], digits=0),
         cell(r["n_events"], digits=0),
         *(estimate(r, m) for m in ("auc", "recall_at_budget", "precision_at_budget"))]
        for r in found
    ]  # fmt: skip
    return table(word("judged_by_each_label_event"), heads, rows, note=word("events_note"), folded=True)


def _bounds(one: PanelResult) -> Table | None:
    if "support" not in one.tables:
        return None
    heads = words("list", "supported_on_the_list", "precision", "recall")
    rows = [
        [model_cell(row["model"]), cell(row["supported_share_listed"], digits=2),
         *(estimate(row, m) for m in ("precision", "recall"))]
        for row in one.tables["support"].to_dict("records")
    ]  # fmt: skip
    return table(word("risk_under_current_support_bounds"), heads, rows, note=word("bounds_note"))


def _planned(one: PanelResult) -> Table:
    heads = words("correlation_within_villages", "events", "villages", "design_effect", "smallest_difference",
                  "assumed", "visits_to_show_twice_random")  # fmt: skip
    found = records(one, "planning")
    rows = [
        [replace(cell(r["correlation"], digits=3), small="ρ̂" if r["observed"] else ""),
         cell(r["events"], digits=0), cell(r["villages"], digits=0),
         cell(r["design_effect"], digits=2), cell(r["smallest_difference_observed"]),
         cell(r["smallest_difference"]),
         cell(r["visits_to_show_twice_random"], digits=0)]
        for r in found
    ]  # fmt: skip
    first = found[0]
    seen, assumed = f"{first['discordant_observed']:.2f}", f"{first['discordant_assumed']:.2f}"
    return table(word("power_title"), heads, rows, note=word("power_note", seen=seen, assumed=assumed))


def _effects(one: PanelResult) -> Table | None:
    if "effects" not in one.tables:
        return None
    heads = words("column_per_standard_deviation", "coefficient", "p", "average_marginal_effect_points")
    rows = []
    for row in one.tables["effects"].to_dict("records"):
        reach, ame, se = 1.96 * row["se"], PER_CENT * row["ame"], 196 * row["ame_se"]
        rows.append([plain(str(row["column"])),
                     cell(row["coef"], row["coef"] - reach, row["coef"] + reach, digits=2, sign=True),
                     p_value(row["p"]), cell(ame, ame - se, ame + se, digits=2, sign=True)])  # fmt: skip
    return table(word("effects_title"), heads, rows, folded=True)


def _card(one: PanelResult) -> Table | None:
    if "scorecard" not in one.tables:
        return None
    found = one.tables["scorecard"]
    heads = [str(c) for c in found.columns]
    rows = [[plain(_text(v)) for v in row] for row in found.itertuples(index=False)]
    return table(word("scorecard_title"), heads, rows, folded=True)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.6g}"
    return "–" if value is None else str(value)


def _leaks(one: PanelResult) -> Table | None:
    if "leaks" not in one.tables or one.tables["leaks"].empty:
        return None
    heads = words("column", "role", "auc_of_the_column_alone", "auc_of_being_known", "suspected")
    rows = [
        [plain(str(r["column"])), plain(str(r["role"])), cell(r["auc"]), cell(r["missing_auc"]),
         named(word("yes") if r["suspected"] else word("no"))]
        for r in one.tables["leaks"].head(_LEAKS_SHOWN).to_dict("records")
    ]  # fmt: skip
    total, suspected = len(one.tables["leaks"]), int(one.tables["leaks"]["suspected"].sum())
    return table(
        word("leaks"), heads, rows, note=word("leaks_note", total=total, suspected=suspected), folded=True
    )


# What a label's event is, in words; `identified` would be decided by the rules themselves.
EVENTS = {
    "below_line": "event_below_line",
    "identified": "event_identified",
    "confirmed": "event_confirmed",
    "newly_flagged": "event_newly_flagged",
    "poor_next_year": "event_poor_next_year",
}


def _design(one: PanelResult) -> Table | None:
    facts = one.facts
    if not facts:
        return None
    said: list[tuple[dict[str, str], Cell]] = []
    about = one.panel.about
    if about is not None:
        said.append((word("data"), named(about.model_dump())))
    size = facts.get("simulated")
    if size:
        names = ("households", "months", "profile", "seed", "futures")
        text = word("simulated_county_text", **{name: size[name] for name in names})
        said.append((word("simulated_county"), named(text)))
    counted = ("households", "villages", "townships", "dates")
    months, next_one = facts["horizon_months"], facts.get("next")
    said += [
        (word("tested_on"), named(word("tested_on_text", **{name: facts[name] for name in counted}))),
        (word("cohort"), plain(str(facts["cohort"]))),
        (word("event"), named(_event(facts["event"], None if next_one else months))),
        (word("rule_set"), plain(_stem(facts["ruleset"]))),
        (word("columns"), plain(f"{facts['features']} ({_stem(facts['feature_set'])})")),
        (word("visits"), named(_budget(facts["budget"]))),
        (word("calibration"), plain(str(facts["calibration"]))),
    ]  # fmt: skip
    rows = [[named(name), value] for name, value in said]
    return table(word("design"), [word("item"), word("what")], rows, wide=True)


def _event(name: str, months: int | None) -> Words:
    """Return what counts as an event, and within which time."""
    return word("event_within" if months else "event_next", event=word(EVENTS[name]), months=months)


def _stem(name: Any) -> str:
    return "–" if name is None else str(name).rsplit("/", 1)[-1].removesuffix(".yaml")


def _budget(budget: dict[str, Any]) -> dict[str, str]:
    if budget.get("share"):
        return word("budget_share", share=f"{budget['share']:.0%}")
    return word("budget_visits", visits=budget["visits"])


def _folds(one: PanelResult) -> Table | None:
    if not (found := records(one, "folds")):
        return None
    heads = words("test_dates", "training_dates", "training_rows", "training_events", "test_rows",
                  "test_events", "unlabelled")  # fmt: skip
    rows = [
        [plain(_span(r["test_from"], r["test_to"])), plain(_span(r["train_from"], r["train_to"])),
         *(cell(r[c], digits=0) for c in ("n_train", "train_events", "n_test", "test_events", "n_null"))]
        for r in found
    ]  # fmt: skip
    return table(word("the_split_in_time"), heads, rows, note=word("split_note"))


def _span(first: Any, last: Any) -> str:
    return str(first) if first == last else f"{first} – {last}"


def _primary(one: PanelResult) -> Table:
    base = baseline(one)
    heads = words("model", "found_ties_worst_best", "recall_points_ee", "holm_p", "by_persons",
                  "by_test_date", "overlap")  # fmt: skip
    scopes = one.tables["comparison"].query("scope != 'pooled' and at == 'budget'")
    rows = []
    for row in pooled(one, "models").to_dict("records"):
        mine = scopes[scopes["model"] == row["model"]].sort_values("scope")["delta_recall"]
        delta = points(row, "delta_recall", "delta_low", "delta_high")
        better = "won" if row["delta_recall"] > 0 else "lost"
        delta = replace(delta, mark="" if row["p_holm"] >= LEVEL else better)
        folds = " ".join(number(PER_CENT * v, 1, sign=True) for v in mine) if len(mine) > 1 else "–"
        rows.append([
            model_cell(row["model"]), hits_cell(row, "model"), delta, p_value(row["p_holm"]),
            points(row, "delta_recall_persons", "delta_recall_persons_low", "delta_recall_persons_high"),
            plain(folds), cell(row["overlap"], digits=2),
        ])  # fmt: skip
    first = pooled(one).iloc[0]
    ties = f"{first['hits_baseline_worst']} … {first['hits_baseline_best']}"
    counts = {name: first[name] for name in ("visits", "n_events", "hits_baseline", "n_villages")}
    upper = {lang: name[:1].upper() + name[1:] for lang, name in base.items()}
    note = word("primary_note", base=upper, ties=ties, **counts)
    return table(word("primary_title", base=base), heads, rows, note=note)


def _results(one: PanelResult) -> Table:
    heads = words("model", "auc", "average_precision", "brier", "calibration_intercept", "calibration_slope",
                  "recall_at_the_budget", "precision_at_the_budget", "lift")  # fmt: skip
    digits = {"auc": 3, "average_precision": 3, "brier": 4, "calibration_intercept": 2,
              "calibration_slope": 2, "recall_at_budget": 3, "precision_at_budget": 3, "lift": 2}  # fmt: skip
    found = one.tables["metrics"]
    found = found[found["model"].isin(list(models.MODELS))]
    rows = []
    for row in found.sort_values("auc", ascending=False, kind="stable").to_dict("records"):
        rows.append([model_cell(row["model"]), *(estimate(row, m, digits=n) for m, n in digits.items())])
    return table(word("each_model_by_itself"), heads, rows, best=0, note=word("by_auc_note"))


def _ordering(one: PanelResult) -> Table | None:
    if "ordering" not in one.tables:
        return None
    heads = words("measure", "best_simple_method", "best_elaborate_method", "elaborate_simple", "who_wins")
    said = {"simple": word("the_simple_method"), "elaborate": word("the_elaborate_method"),
            "level": word("no_difference_shown")}  # fmt: skip
    asked = {"auc": word("auc"), "recall": word("recall_at_the_budget_2")}
    rows = [
        [named(asked[r["measure"]]),
         named(name_of(r["simple"]), f"{r['value_simple']:.3f} ({r['n_simple']})"),
         named(name_of(r["elaborate"]), f"{r['value_elaborate']:.3f} ({r['n_elaborate']})"),
         cell(r["difference"], r["low"], r["high"], sign=True), named(said[winner(r)])]
        for r in one.tables["ordering"].to_dict("records")
    ]  # fmt: skip
    return table(word("simple_against_elaborate"), heads, rows, note=word("ordering_note"))


def _worth(one: PanelResult) -> Table | None:
    found = one.tables["visits"]
    if found.empty:
        return None
    heads = [*words("model", "recall_of_the_model"), word("visits_of_baseline", base=baseline(one)),
             *words("extra_visits", "baseline_at_1_25", "n_1_5", "n_2")]  # fmt: skip
    rows = [
        [model_cell(r["model"]), cell(r["recall_model"]), cell(r["ratio"], r["low"], r["high"], digits=2),
         cell(r["extra_visits"], digits=0, sign=True),
         *(cell(r[f"recall_baseline_x{k}"]) for k in ("1.25", "1.5", "2"))]
        for r in found.sort_values("recall_model", ascending=False, kind="stable").to_dict("records")
    ]  # fmt: skip
    return table(word("visits_title"), heads, rows)


def _lead(one: PanelResult) -> Table | None:
    if "lead" not in one.tables or one.tables["lead"].empty:
        return None
    heads = words("list", "before_the_rules", "same_date", "the_rules_first", "neither",
                  "months_until_the_rules_mean", "median", "months_before_the_fall_median",
                  "censored")  # fmt: skip
    rows = [
        [model_cell(r["model"]), cell(r["before"], r["low"], r["high"], digits=2),
         *(cell(r[c], digits=2) for c in ("same_date", "after", "neither")),
         *(cell(r[c], digits=1) for c in ("mean_months", "median_months", "warning_months")),
         cell(r["censored"], digits=0)]
        for r in one.tables["lead"].to_dict("records")
        if r["model"] in models.MODELS
    ]  # fmt: skip
    n, until = int(one.tables["lead"]["n"].iloc[0]), one.tables["lead"]["until_months"].max()
    return table(word("lead_title"), heads, rows, note=word("lead_note", n=n, until=until))


def _deployed(one: PanelResult) -> Table:
    heads = words("model", "rules_model", "rules_rules", "rules_random", "rules_model_difference")
    found = one.tables["deployed"]
    found = found[(found["scope"] == "pooled") & found["model"].isin(list(models.MODELS))]
    rows = []
    for model, part in found.groupby("model", sort=False):
        by = part.set_index("list")
        mine = by.loc["rules+model"]
        rows.append([
            model_cell(model), cell(mine["recall"]), cell(by.loc["rules+rules", "recall"]),
            cell(by.loc["rules+random", "recall"]), points(mine, "delta_recall", "delta_low", "delta_high"),
        ])  # fmt: skip
    return table(word("deployed_title"), heads, rows)


def tables_of(one: PanelResult) -> list[Table]:
    """Return a panel's tables in the order in which they are read."""
    makers = (_design, _folds, _primary, _results, _ordering, _worth, _lead, _deployed, _truth, _derived,
              _rulesets, _groups, _events, _bounds, _planned, _effects, _card, _leaks)  # fmt: skip
    return [shown for make in makers if (shown := make(one)) is not None]
