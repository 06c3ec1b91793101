"""Everything that the bench says of a set of predictions, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation, experiment, models, tracking
from riskmodel.errors import UsageError
from riskmodel.evaluation import Budget, oracle
from riskmodel.evaluation.ranking import auc_kernel
from riskmodel.training import EVENT_WORDS

# Net benefit is drawn between these chances; offices that visit one household in twenty act near 5 %.
THRESHOLDS = tuple(round(0.01 * k, 2) for k in range(1, 31))
# What an office can do with pencil and paper, or does already.
SIMPLE = ("rule", "past_income", "permanent_income", "village", "scorecard", "cluster_logit", "vulnerability")


def evaluate(
    found: pd.DataFrame,
    budget: Budget,
    baseline: str,
    event: tuple[str, str],
    truth: pd.DataFrame | None = None,
    *,
    seen: pd.DataFrame | None = None,
    replicates: int = 400,
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

    Returns
    -------
    tuple of dict and list
        Tables by name, and notes.
    """
    how: dict[str, Any] = {"replicates": replicates, "seed": seed}
    told = evaluation.compare(found, budget, baseline=baseline, event=event, **how)
    shown = [m for m in dict.fromkeys(found["model"]) if m in models.MODELS and m not in ("rule", baseline)]
    tables = {
        "metrics": evaluation.pooled(found, budget, **how),
        "comparison": told.table,
        "deployed": told.deployed,
        "visits": _visits(found, budget, baseline, shown, how),
        "net_benefit": _net_benefit(found, seed),
        "planning": _planning(told.primary, found),
    }
    if any(map(is_simple, set(found["model"]))) and not all(map(is_simple, set(found["model"]))):
        tables["ordering"] = ordering(found, tables["metrics"], how)
    if seen is not None and len(seen) and baseline == "rule":
        tables["lead"] = _lead(seen, how)
    groups = [c for c in found.columns if c.startswith("group_") and found[c].nunique() > 1]
    groups += ["township"] if 1 < found["township"].nunique() <= 30 else []
    if groups:
        some = found[found["model"].isin(["rule", "past_income", "logit", "boosting", "scorecard"])]
        tables["gaps"] = evaluation.gaps(some, groups, budget, **how)
    if any(c.startswith("label_") for c in found.columns):
        tables["events"] = evaluation.by_event(found, budget, **how)
    if "supported_after" in found.columns:
        tables["support"] = _support(found, budget)
    if truth is not None:
        tables["truth"] = oracle.against_truth(found, truth, budget, seed=seed).table
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
    exp = experiment.Experiment.model_validate(tracking.read_document(run_id, "experiment.json", store))
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


def is_simple(model: str) -> bool:
    """Say whether a model needs no machine learning: rules, income, village, scorecard, short regressions."""
    return model in SIMPLE or bool(models.known(model) and models.entry(model).ruleset)


def ordering(found: pd.DataFrame, metrics: pd.DataFrame, how: Mapping[str, Any]) -> pd.DataFrame:
    """Compare the best simple method's AUC with the best elaborate one's, on the same village resamples.

    Parameters
    ----------
    found : DataFrame
        Tidy predictions.
    metrics : DataFrame
        Of `evaluation.pooled`.
    how : mapping
        ``replicates`` and ``seed``.

    Returns
    -------
    DataFrame
        One row: ``simple, elaborate, auc_simple, auc_elaborate, difference`` (second − first), ``low, high``.
        Both are picked as the best of several on these very rows, which flatters both.
    """
    auc = metrics.set_index("model")["auc"]
    easy = [m for m in auc.index if is_simple(str(m))]
    first = str(auc[easy].idxmax())
    other = str(auc.drop(easy).idxmax())
    key = ["as_of", "household_id"]
    known = found[found["y"].notna()]
    pair = [known[known["model"] == m].sort_values(key, ignore_index=True) for m in (first, other)]
    y, one, two = pair[0]["y"].to_numpy(dtype=float), *(p["score"].to_numpy(dtype=float) for p in pair)
    kernels = [auc_kernel(y, one), auc_kernel(y, two)]
    resamples = evaluation.village_resamples(pair[0][["township", "village"]], how["replicates"], how["seed"])
    drawn = resamples.run(lambda weight: kernels[1](weight) - kernels[0](weight))
    low, high = evaluation.percentile_interval(drawn)
    row = {"simple": first, "elaborate": other, "auc_simple": auc[first], "auc_elaborate": auc[other]}
    return pd.DataFrame([{**row, "difference": auc[other] - auc[first], "low": low, "high": high}])


def _visits(
    found: pd.DataFrame, budget: Budget, baseline: str, shown: list[str], how: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for model in shown:
        one = evaluation.visits_equivalent(found, budget, model, baseline=baseline, **how)
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
    for model in ("rule", "past_income", "scorecard", "logit", "boosting"):
        rows = known[known["model"] == model]
        if len(rows):
            resamples = evaluation.village_resamples(rows[["township", "village"]], 100, seed)
            curve = evaluation.net_benefit_curve(rows["y"], rows["probability"], THRESHOLDS, resamples)
            parts.append(curve.assign(model=model))
    return pd.concat(parts, ignore_index=True)


def _planning(primary: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Say what a panel of this size could show at all."""
    first = primary.iloc[0]
    events, visits, villages = int(first["n_events"]), int(first["visits"]), int(first["n_villages"])
    base = events / int(first["n"])
    rows = []
    for correlation in (0.0, 0.02, 0.05):
        effect = evaluation.design_effect(events / villages, correlation)
        by_visit = evaluation.design_effect(visits / villages, correlation)
        rows.append({
            "correlation": correlation, "events": events, "villages": villages, "visits": visits,
            "base_rate": base, "design_effect": effect,
            "smallest_difference": evaluation.smallest_difference(events, effect=effect),
            "visits_to_show_twice_random": evaluation.visits_needed(base, 2.0, effect=by_visit)
            if 0 < base < 0.5
            else float("nan"),
        })  # fmt: skip
    return pd.DataFrame(rows)


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
