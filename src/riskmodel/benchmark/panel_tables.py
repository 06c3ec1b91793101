"""The tables of one panel on the bench's page: design, the primary test, and all that goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from riskmodel import models
from riskmodel.benchmark.findings import LEVEL
from riskmodel.benchmark.further_tables import (
    DETAILS,
    PER_CENT,
    baseline,
    cell,
    hits_cell,
    name_of,
    named,
    number,
    p_value,
    plain,
    points,
    pooled,
    table,
    word,
)
from riskmodel.benchmark.run import PanelResult
from riskmodel.presentation import Cell, Table, Words
from riskmodel.runs import winner

# What a label's event is, in words; `identified` would be decided by the rules themselves.
EVENTS = {
    "below_line": "event_below_line",
    "identified": "event_identified",
    "confirmed": "event_confirmed",
    "poor_next_year": "event_poor_next_year",
}


def tables_of(one: PanelResult) -> list[Table]:
    """Return a panel's tables in the order in which they are read."""
    makers = (_design, _folds, _primary, _results, _ordering, _worth, _lead, _deployed, *DETAILS)
    return [made for make in makers if (made := make(one)) is not None]


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
        share = f"{budget['share']:.0%}"
        return word("budget_share", share=share)
    return word("budget_visits", visits=budget["visits"])


def _folds(one: PanelResult) -> Table | None:
    if "folds" not in one.tables:
        return None
    heads = [word("test_dates"), word("training_dates"), word("training_rows"),
             word("training_events"), word("test_rows"), word("test_events"),
             word("unlabelled")]  # fmt: skip
    rows = [
        [plain(_span(r["test_from"], r["test_to"])), plain(_span(r["train_from"], r["train_to"])),
         *(cell(r[c], digits=0) for c in ("n_train", "train_events", "n_test", "test_events", "n_null"))]
        for r in one.tables["folds"].to_dict("records")
    ]  # fmt: skip
    note = word("split_note")
    return table(word("the_split_in_time"), heads, rows, note=note)


def _span(first: Any, last: Any) -> str:
    return str(first) if first == last else f"{first} – {last}"


def _primary(one: PanelResult) -> Table:
    base = baseline(one)
    heads = [word("model"), word("found_ties_worst_best"),
             word("recall_points_ee"), word("holm_p"),
             word("by_persons"), word("by_test_date"), word("overlap")]  # fmt: skip
    scopes = one.tables["comparison"].query("scope != 'pooled' and at == 'budget'")
    rows = []
    for row in pooled(one, "models").to_dict("records"):
        mine = scopes[scopes["model"] == row["model"]].sort_values("scope")["delta_recall"]
        delta = points(row, "delta_recall", "delta_low", "delta_high")
        better = "won" if row["delta_recall"] > 0 else "lost"
        delta = replace(delta, mark="" if row["p_holm"] >= LEVEL else better)
        folds = " ".join(number(PER_CENT * v, 1, sign=True) for v in mine) if len(mine) > 1 else "–"
        rows.append([
            named(name_of(row["model"])), hits_cell(row, "model"), delta, p_value(row["p_holm"]),
            points(row, "delta_recall_persons", "delta_recall_persons_low", "delta_recall_persons_high"),
            plain(folds), cell(row["overlap"], digits=2),
        ])  # fmt: skip
    first = pooled(one).iloc[0]
    ties = f"{first['hits_baseline_worst']} … {first['hits_baseline_best']}"
    note = word(
        "primary_note",
        base={lang: _upper(name) for lang, name in base.items()},
        visits=first["visits"],
        n_events=first["n_events"],
        hits_baseline=first["hits_baseline"],
        ties=ties,
        n_villages=first["n_villages"],
    )
    title = word("primary_title", base=base)
    return table(title, heads, rows, note=note)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _results(one: PanelResult) -> Table:
    heads = [word("model"), word("auc"), word("average_precision"), word("brier"),
             word("calibration_intercept"), word("calibration_slope"),
             word("recall_at_the_budget"), word("precision_at_the_budget"),
             word("lift")]  # fmt: skip
    found = one.tables["metrics"]
    found = found[found["model"].isin(list(models.MODELS))]
    rows = []
    for row in found.sort_values("auc", ascending=False, kind="stable").to_dict("records"):
        cells = [named(name_of(row["model"]))]
        for m, digits in (("auc", 3), ("average_precision", 3), ("brier", 4), ("calibration_intercept", 2),
                          ("calibration_slope", 2), ("recall_at_budget", 3), ("precision_at_budget", 3),
                          ("lift", 2)):  # fmt: skip
            cells.append(cell(row[m], row[f"{m}_low"], row[f"{m}_high"], digits=digits))
        rows.append(cells)
    note = word("by_auc_note")
    return table(word("each_model_by_itself"), heads, rows, best=0, note=note)


def _ordering(one: PanelResult) -> Table | None:
    if "ordering" not in one.tables:
        return None
    heads = [word("measure"), word("best_simple_method"),
             word("best_elaborate_method"), word("elaborate_simple"),
             word("who_wins")]  # fmt: skip
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
    note = word("ordering_note")
    return table(word("simple_against_elaborate"), heads, rows, note=note)


def _worth(one: PanelResult) -> Table | None:
    found = one.tables["visits"]
    if found.empty:
        return None
    base = baseline(one)
    heads = [word("model"), word("recall_of_the_model"),
             word("visits_of_baseline", base=base),
             word("extra_visits"), word("baseline_at_1_25"), word("n_1_5"),
             word("n_2")]  # fmt: skip
    rows = [
        [named(name_of(r["model"])), cell(r["recall_model"]), cell(r["ratio"], r["low"], r["high"], digits=2),
         cell(r["extra_visits"], digits=0, sign=True),
         *(cell(r[f"recall_baseline_x{k}"]) for k in ("1.25", "1.5", "2"))]
        for r in found.sort_values("recall_model", ascending=False, kind="stable").to_dict("records")
    ]  # fmt: skip
    title = word("visits_title")
    return table(title, heads, rows)


def _lead(one: PanelResult) -> Table | None:
    if "lead" not in one.tables or one.tables["lead"].empty:
        return None
    heads = [word("list"), word("before_the_rules"), word("same_date"),
             word("the_rules_first"), word("neither"),
             word("months_until_the_rules_mean"), word("median"),
             word("months_before_the_fall_median"),
             word("censored")]  # fmt: skip
    rows = [
        [named(name_of(str(r["model"]))), cell(r["before"], r["low"], r["high"], digits=2),
         *(cell(r[c], digits=2) for c in ("same_date", "after", "neither")),
         *(cell(r[c], digits=1) for c in ("mean_months", "median_months", "warning_months")),
         cell(r["censored"], digits=0)]
        for r in one.tables["lead"].to_dict("records")
        if r["model"] in models.MODELS
    ]  # fmt: skip
    n, until = int(one.tables["lead"]["n"].iloc[0]), one.tables["lead"]["until_months"].max()
    note = word("lead_note", n=n, until=until)
    title = word("lead_title")
    return table(title, heads, rows, note=note)


def _deployed(one: PanelResult) -> Table:
    heads = [word("model"), word("rules_model"), word("rules_rules"),
             word("rules_random"),
             word("rules_model_difference")]  # fmt: skip
    found = one.tables["deployed"]
    found = found[(found["scope"] == "pooled") & found["model"].isin(list(models.MODELS))]
    rows = []
    for model, part in found.groupby("model", sort=False):
        by = part.set_index("list")
        mine = by.loc["rules+model"]
        rows.append([
            named(name_of(str(model))), cell(mine["recall"]), cell(by.loc["rules+rules", "recall"]),
            cell(by.loc["rules+random", "recall"]), points(mine, "delta_recall", "delta_low", "delta_high"),
        ])  # fmt: skip
    title = word("deployed_title")  # fmt: skip
    return table(title, heads, rows)
