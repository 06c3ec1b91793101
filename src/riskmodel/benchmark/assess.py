"""Everything that the bench says of a set of predictions, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation, models
from riskmodel.benchmark.simple import is_simple, ordering
from riskmodel.errors import UsageError
from riskmodel.evaluation import Budget, by_event, oracle
from riskmodel.runs import EVENT_WORDS, Experiment, tracking

# One of every kind of method, where all would be too many to look at: groups, label events, net benefit.
_LOOKED_AT = ("rule", "past_income", "scorecard", "logit", "boosting")
# Net benefit is drawn between these chances; offices that visit one household in twenty act near 5 %.
THRESHOLDS = tuple(round(0.01 * k, 2) for k in range(1, 31))


def evaluate(
    found: pd.DataFrame,
    budget: Budget,
    baseline: str,
    event: tuple[str, str],
    truth: pd.DataFrame | None = None,
    *,
    seen: pd.DataFrame | None = None,
    replicates: int = 400,
    test_replicates: int | None = None,
    seed: int = 0,
) -> tuple[dict[str, pd.DataFrame], list[dict[str, str]]]:
    """Evaluate predictions in every way the bench shows.

    Parameters
    ----------
    found : DataFrame
        Tidy predictions.
    budget : Budget
    baseline : str
    event : tuple of str
        What a found event is called, in Chinese and English.
    truth : DataFrame, optional
        True chances of this event and horizon.
    seen : DataFrame, optional
        Of `evaluation.first_seen`, where households were followed month by month; lead time is of them.
    replicates, seed
        Village resamples of the intervals.
    test_replicates : int, optional
        Of the primary test: its least p value is two over their number, which Holm then multiplies by the
        number of models. Default as ``replicates``.

    Returns
    -------
    tuple of dict and list
        Tables by name, and notes. Holm corrects within ``family``: the models, and apart from them the
        rule sets beside the baseline.
    """
    how: dict[str, Any] = {"replicates": replicates, "seed": seed}
    told = evaluation.compare(
        found, budget, baseline=baseline, event=event, replicates=test_replicates or replicates, seed=seed
    )
    shown = [m for m in dict.fromkeys(found["model"]) if m in models.MODELS and m not in ("rule", baseline)]
    tables = {
        "metrics": evaluation.pooled(found, budget, **how),
        "comparison": _by_family(told.table),
        "deployed": told.deployed,
        "visits": _visits(found, budget, baseline, shown, how),
        "net_benefit": _net_benefit(found, seed),
        "planning": evaluation.planned(told.primary, found),
    }
    if any(map(is_simple, set(found["model"]))) and not all(map(is_simple, set(found["model"]))):
        tables["ordering"] = ordering(found, tables["metrics"], budget, how)
    if seen is not None and len(seen) and baseline == "rule":
        tables["lead"] = _lead(seen, how)
    groups = [c for c in found.columns if c.startswith("group_") and found[c].nunique() > 1]
    groups += ["township"] if 1 < found["township"].nunique() <= 30 else []
    if groups:
        tables["gaps"] = evaluation.gaps(_few(found), groups, budget, **how)
    if any(c.startswith("label_") for c in found.columns):
        tables["events"] = by_event(_few(found), budget, **how)
    if "supported_after" in found.columns:
        tables["support"] = _support(found, budget)
    if truth is not None:
        report = oracle.against_truth(found, truth, budget, seed=seed)
        tables["truth"] = report.table
        if report.effect:
            tables["unsupported"] = pd.DataFrame([report.effect])
    return tables, told.notes


def further(run_id: str, store: str | Path) -> dict[str, pd.DataFrame]:
    """Evaluate a trained run's logged predictions beyond its metrics, as the bench does.

    Parameters
    ----------
    run_id : str
    store : str or Path

    Returns
    -------
    dict
        Tables by name; see `PanelRun`.

    Raises
    ------
    UsageError
        If the run is not in the store.
    InputRefused
        If it compared no model with a rule.
    """
    exp = Experiment.model_validate(tracking.read_document(run_id, "experiment.json", store))
    found = tracking.read_table(run_id, "tables/predictions", store)
    budget = Budget(visits=exp.budget.visits, share=exp.budget.share)
    event = EVENT_WORDS[exp.events[0]]
    # A run numbers its households anew; as text they keep their order.
    found = found.assign(household_id=found["household_id"].astype(str).str.zfill(9))
    seen = _followed(run_id, store)
    return evaluate(found, budget, "rule", event, seen=seen, replicates=exp.bootstrap, seed=exp.seed)[0]


def _followed(run_id: str, store: str | Path) -> pd.DataFrame | None:
    """Return when households were first seen; None for a run that did not follow them."""
    try:
        return tracking.read_table(run_id, "tables/first_seen", store)
    except UsageError:
        return None


def _few(found: pd.DataFrame) -> pd.DataFrame:
    """Return the models whose groups and further labels are looked at: one of every kind of method."""
    return found[found["model"].isin(_LOOKED_AT)]


def _by_family(table: pd.DataFrame) -> pd.DataFrame:
    """Correct for the number of models, and apart from them for the number of rule sets.

    Rule sets beside the baseline are shown to be looked at; counted among the models they would only make
    the test of the models blunt.
    """
    family = [_family(str(m)) for m in table["model"]]
    table = table.assign(family=family)
    table["p_holm"] = table.groupby(["scope", "at", "family"], sort=False)["p_bootstrap"].transform(
        evaluation.holm
    )
    return table


def _family(model: str) -> str:
    return "rulesets" if models.known(model) and models.entry(model).ruleset else "models"


def _visits(
    found: pd.DataFrame, budget: Budget, baseline: str, shown: list[str], how: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for model in shown:
        pair = found[found["model"].isin([model, baseline])]
        one = evaluation.visits_equivalent(pair, budget, model, baseline=baseline, **how)
        more = one.more.set_index("factor")["recall_baseline"]
        rows.append({
            "model": model, "visits": one.visits, "recall_model": one.recall_model,
            "recall_baseline": one.recall_baseline, "ratio": one.ratio, "low": one.low, "high": one.high,
            "extra_visits": one.extra_visits, **{f"recall_baseline_x{f:g}": v for f, v in more.items()},
        })  # fmt: skip
    return pd.DataFrame(rows)


def _lead(seen: pd.DataFrame, how: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for model in evaluation.listed(seen):
        one = evaluation.lead_time(seen, model, **how)
        rows.append({
            "model": model, **one.shares, "median_months": one.median_months,
            "mean_months": one.restricted_mean_months, "until_months": one.until_months,
            "warning_months": one.warning_months, "censored": one.censored,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _net_benefit(found: pd.DataFrame, seed: int) -> pd.DataFrame:
    parts = []
    known = found[found["y"].notna()]
    for model in _LOOKED_AT:
        rows = known[known["model"] == model]
        if len(rows):
            resamples = evaluation.village_resamples(rows[["township", "village"]], 100, seed)
            curve = evaluation.net_benefit_curve(rows["y"], rows["probability"], THRESHOLDS, resamples)
            parts.append(curve.assign(model=model))
    return pd.concat(parts, ignore_index=True)


def _support(found: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    rows = []
    for model in ("rule", "past_income", "logit", "boosting"):
        part = found[(found["model"] == model) & found["y"].notna()]
        if part.empty:
            continue
        share = part.groupby("as_of")["score"].rank(ascending=False, method="first")
        quota = part.groupby("as_of")["score"].transform("size").map(budget.at)
        bounds = evaluation.support_bounds(part["y"], part["supported_after"], share <= quota)
        rows.append({"model": model, **bounds})
    return pd.DataFrame(rows)
