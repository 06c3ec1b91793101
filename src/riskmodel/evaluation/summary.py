"""Metrics of every model with village-bootstrap intervals: all folds, by fold, by label event, by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.curves import reliability
from riskmodel.evaluation.lists import (
    Array,
    Budget,
    list_at_budget,
    list_members,
    quotas,
    random_list_hits,
    rank_rows,
    tie_bounds,
)
from riskmodel.evaluation.metrics import LEAKAGE_AUC, ScoredRows, prepare_metrics, table_metrics
from riskmodel.evaluation.predictions import (
    Predictions,
    Resamples,
    budget_as_share,
    check_predictions,
    float_column,
    label_by_findings,
    percentile_interval,
    resampled_units,
    sorted_codes,
    village_resamples,
)

# A drawn curve needs no more corners than a screen has columns to show them.
_POINTS = 200
PREFIX = "label_"
_SHOWN = ("auc", "recall_at_budget", "precision_at_budget")
MEASURES = ("selection_rate", "recall", "false_positive_rate", "precision", "calibration_gap")
# Fewer than ten households with the event, or without, or five villages: a rate of so few says more about
# them than about the list, and could point at persons. How many rows there are is given, and nothing else.
LEAST_HOUSEHOLDS = 10
LEAST_VILLAGES = 5


def pooled_metrics(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    findings: pd.DataFrame | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Metrics of each model over all test folds together.

    Parameters
    ----------
    predictions
        See `riskmodel.evaluation.predictions.check_predictions`.
    budget
        Visits at each as-of date.
    findings
        What visits found, weighted by 1 / chance (see `label_by_findings`): it takes the place of the
        labels, and every metric stands for all who were scored. Counts are of findings, as they came.
    replicates
        Village resamples; 0 gives no intervals.
    seed
        Draws the villages.
    level
        Level of the interval.

    Returns
    -------
    DataFrame
        One row a model: ``model``; each metric of the table with ``_low`` and ``_high``; ``n_test``,
        ``n_events``, ``n_null`` (rows without a label, left out), ``base_rate``, ``n_villages``,
        ``visits``, ``hits``, ``hits_worst``, ``hits_best`` (over ties), ``hits_random``,
        ``hits_random_sd``, ``leakage_suspected``. Metrics without an answer (one class) are NaN.
    """
    checked, limit = _checked_rows(predictions, budget, findings)
    return pd.DataFrame(
        [
            {"model": model, **_summary(checked, model, None, limit, replicates, seed, level)}
            for model in checked.models
        ]
    )


def metrics_by_fold(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    findings: pd.DataFrame | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Metrics of each model in each test fold; training windows overlap, so folds are not independent.

    Parameters
    ----------
    predictions, budget, findings, replicates, seed, level
        As in `pooled_metrics`.

    Returns
    -------
    DataFrame
        One row a model and fold: ``model, fold`` and the columns of `pooled_metrics`; folds without any label
        have counts only.
    """
    checked, limit = _checked_rows(predictions, budget, findings)
    folds = sorted(set(checked.nulls.index.get_level_values("fold")))
    return pd.DataFrame(
        [
            {
                "model": model,
                "fold": fold,
                **_summary(checked, model, fold, limit, replicates, seed, level),
            }
            for model in checked.models
            for fold in folds
        ]
    )


def metric_difference(
    predictions: pd.DataFrame,
    models: tuple[str, str],
    metric: str,
    budget: Budget | Mapping[str, Any],
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval of a metric of one model minus that of another, on the same village resamples.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`; both models on the same rows.
    models
        Whose metric is taken off, and whose is kept.
    metric
        Column of the table of metrics.
    budget
        Visits at each as-of date.
    replicates, seed, level
        Village resamples and level of the interval.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN where nothing can be resampled.
    """
    frame = check_predictions(predictions).frame
    first, second = (frame[frame["model"] == model] for model in models)
    limit = Budget.of(budget)
    resamples = village_resamples(resampled_units(first), replicates, seed)
    units = resamples.units()
    less, more = (prepare_metrics(_scored(part, limit), [metric], units) for part in (first, second))
    drawn = resamples.run_units(lambda weight: more(weight) - less(weight))
    return percentile_interval(drawn[:, 0], level)


def _checked_rows(
    predictions: pd.DataFrame, budget: Budget | Mapping[str, Any], findings: pd.DataFrame | None
) -> tuple[Predictions, Budget]:
    if findings is None:
        return check_predictions(predictions), Budget.of(budget)
    return label_by_findings(predictions, findings), budget_as_share(budget, predictions)


def _summary(
    checked: Predictions, model: str, fold: Any, budget: Budget, replicates: int, seed: int, level: float
) -> dict[str, Any]:
    part = checked.frame[checked.frame["model"] == model]
    if fold is not None:
        part = part[part["fold"] == fold]
    n_null = checked.n_null(model, fold)
    if part.empty:
        return {"n_test": 0, "n_events": 0, "n_null": n_null}
    rows = _scored(part, budget)
    weight = float_column(part, "weight") if "weight" in part.columns else np.ones(len(part))
    resamples = village_resamples(resampled_units(part), replicates, seed)
    kernel = prepare_metrics(rows, units=resamples.units(weight))
    point = kernel(np.ones((1, resamples.n_villages)))[0]
    drawn = resamples.run_units(kernel)
    out: dict[str, Any] = {}
    for i, metric in enumerate(table_metrics()):
        out[metric.name] = float(point[i])
        low, high = percentile_interval(drawn[:, i], level)
        out[f"{metric.name}_low"], out[f"{metric.name}_high"] = low, high
    counts = _counts(rows) | {"base_rate": float(np.average(rows.y, weights=weight))}
    if resamples.strata:
        counts |= {"n_strata": resamples.strata, "n_lonely_strata": resamples.lonely}
    return {**out, **counts, "n_null": n_null, "n_villages": resamples.n_villages,
            "leakage_suspected": bool(out["auc"] > LEAKAGE_AUC)}  # fmt: skip


def _scored(part: pd.DataFrame, budget: Budget) -> ScoredRows:
    return ScoredRows(
        float_column(part, "y"),
        float_column(part, "score"),
        float_column(part, "probability"),
        sorted_codes(part["as_of"]),
        budget,
    )


def _counts(rows: ScoredRows) -> dict[str, Any]:
    quota, ranking = quotas(rows.date, rows.budget), rank_rows(rows.date, -rows.score)
    worst, best = tie_bounds(rows.y, rows.date, ranking, quota)
    mean, sd = random_list_hits(rows.y, rows.date, quota)
    return {
        "n_test": len(rows.y),
        "n_events": int(rows.y.sum()),
        "visits": int(quota.sum()),
        "hits": int(rows.y[list_members(rows.date, ranking, quota)].sum()),
        "hits_worst": worst,
        "hits_best": best,
        "hits_random": mean,
        "hits_random_sd": sd,
    }


def metric_curves(
    predictions: pd.DataFrame, *, bins: int = 10, replicates: int = 200, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Curves to draw: ROC, precision-recall, gain, reliability.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`.
    bins
        Of the reliability curve.
    replicates, seed, level
        Village resamples of the reliability curve.

    Returns
    -------
    DataFrame
        ``model, curve, x, y, low, high, n``. ``roc``: false against true positive rate;
        ``precision_recall``: recall against precision; ``gain``: share of households visited (the same
        share at each date) against recall; ``reliability``: mean probability against observed rate,
        with interval and rows a bin. At most 200 points a curve.
    """
    checked = check_predictions(predictions)
    parts = []
    for model in checked.models:
        part = checked.frame[checked.frame["model"] == model]
        if part.empty:
            continue
        y, score = float_column(part, "y"), float_column(part, "score")
        resamples = village_resamples(resampled_units(part), replicates, seed)
        weight = float_column(part, "weight") if "weight" in part.columns else None
        table = reliability(y, float_column(part, "probability"), bins, resamples, level, weight)
        parts += [*_ordered_curves(y, score, sorted_codes(part["as_of"]), model), pd.DataFrame({
            "model": model, "curve": "reliability", "x": table["probability"], "y": table["observed"],
            "low": table["low"], "high": table["high"], "n": table["n"],
        })]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _ordered_curves(y: Array, score: Array, date: NDArray[np.int64], model: str) -> list[pd.DataFrame]:
    events, others = y.sum(), (1 - y).sum()
    if events == 0 or others == 0:
        return []
    order = np.argsort(-score, kind="stable")
    # Only where the score changes is there a cut that the score itself can make.
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    hits, false = np.cumsum(y[order])[last], np.cumsum(1 - y[order])[last]
    ranking = rank_rows(date, -score)
    ordered = date[ranking.order]
    depth = (np.arange(len(y)) - np.searchsorted(ordered, ordered) + 1) / np.bincount(date)[ordered]
    deepest = np.argsort(depth, kind="stable")
    recalled = np.cumsum(y[ranking.order][deepest]) / events
    return [
        _curve(model, "roc", np.r_[0.0, false / others], np.r_[0.0, hits / events]),
        _curve(model, "precision_recall", hits / events, hits / (hits + false)),
        _curve(model, "gain", np.r_[0.0, depth[deepest]], np.r_[0.0, recalled]),
    ]


def _curve(model: str, name: str, x: Array, y: Array) -> pd.DataFrame:
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POINTS)).round().astype(int))
    return pd.DataFrame(
        {
            "model": model,
            "curve": name,
            "x": x[keep],
            "y": y[keep],
            "low": np.nan,
            "high": np.nan,
            "n": np.nan,
        }
    )


def metrics_by_event(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge every model's ranking by each label event apart, whichever of them it was trained on.

    ``identified`` is decided by the rule itself and flatters it; ``confirmed`` is known of the visited only,
    as they came; ``below_line`` is what became of income. Events of one class only are left out.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`; with a column ``label_<event>`` (0, 1, missing) an event.
    budget
        Visits at each as-of date.
    replicates
        Village resamples.
    seed
        Draws the villages.

    Returns
    -------
    DataFrame
        One row an event and model: ``event, model, n, n_events``, and ``auc, recall_at_budget,
        precision_at_budget``, each with ``_low`` and ``_high``.

    References
    ----------
    Data contract, "Labels"; Lakkaraju et al. 2017 for labels that depend on the decision they judge.
    """
    parts = []
    for column in sorted(c for c in predictions.columns if c.startswith(PREFIX)):
        label = predictions[column].astype(float)
        if label.dropna().nunique() < 2:
            continue
        metrics = pooled_metrics(predictions.assign(y=label), budget, replicates=replicates, seed=seed)
        columns = ["model", *(f"{name}{end}" for name in _SHOWN for end in ("", "_low", "_high"))]
        part = metrics[columns].assign(n=metrics["n_test"], n_events=metrics["n_events"])
        part.insert(0, "event", column.removeprefix(PREFIX))
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["event", "model"])


def group_gaps(
    predictions: pd.DataFrame,
    groups: Sequence[str],
    budget: Budget | Mapping[str, Any],
    *,
    replicates: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare each group of households with all the others, list and probabilities of each model.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`, with the columns named by ``groups`` (registration, township, household
        type; rows without a value belong to no group).
    groups
        Names of the columns.
    budget
        Visits at each as-of date.
    replicates, seed, level
        Village resamples of the gaps' intervals; lists stay as they were drawn.

    Returns
    -------
    DataFrame
        One row a model, column and value: ``model, group, value, n, n_events, base_rate``; each of
        ``selection_rate`` (on the list), ``recall``, ``false_positive_rate``, ``precision``,
        ``calibration_gap`` (mean probability − rate); ``gap_<measure>`` (group − others), ``_low, _high``;
        ``small`` (too few households to say: events and all rates are NaN, a household counted once however
        many dates it has).

    Raises
    ------
    InputRefused
        If a column is absent.

    References
    ----------
    Hardt, Price and Srebro 2016 (recall and false positive gaps); Kleinberg, Mullainathan and Raghavan 2017:
    with different base rates they cannot all be 0, so gaps are shown, not one verdict.
    """
    checked = check_predictions(predictions, tuple(groups))
    limit, tables = Budget.of(budget), []
    for model in checked.models:
        part = checked.frame[checked.frame["model"] == model].reset_index(drop=True)
        if part.empty:
            raise InputRefused(f"no labelled prediction of model {model!r}")
        listed = list_at_budget(sorted_codes(part["as_of"]), float_column(part, "score"), limit).astype(float)
        resamples = village_resamples(resampled_units(part), replicates, seed)
        sums = _sums(float_column(part, "y"), listed, float_column(part, "probability"))
        for group in groups:
            for value in sorted(part[group].dropna().unique(), key=str):
                inside = part[group].eq(value).fillna(False).to_numpy(dtype=bool)
                row = _gap_row(part, inside, sums, resamples, level)
                tables.append({"model": model, "group": group, "value": str(value), **row})
    return pd.DataFrame(tables)


def _sums(y: Array, listed: Array, p: Array) -> Array:
    """Return what is added up by weight, shape (n, 6): rows, events, listed, hits, false, probabilities."""
    return np.column_stack([np.ones(len(y)), y, listed, y * listed, (1 - y) * listed, p])


def _measures(total: Array) -> Array:
    """Measures from added-up rows, shape (…, 5), in the order of `MEASURES`."""
    rows, events, listed, hits, false, p = np.moveaxis(total, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [listed / rows, hits / events, false / (rows - events), hits / listed, (p - events) / rows],
            axis=-1,
        )


def _gap_row(
    part: pd.DataFrame,
    inside: NDArray[np.bool_],
    sums: Array,
    resamples: Resamples,
    level: float,
) -> dict[str, Any]:
    cells = (
        inside & (sums[:, 1] > 0),
        inside & (sums[:, 1] == 0),
        ~inside & (sums[:, 1] > 0),
        ~inside & (sums[:, 1] == 0),
    )
    least = min(int(part.loc[rows, "household_id"].nunique()) for rows in cells)
    group_sums, other_sums = sums * inside[:, None], sums * ~inside[:, None]
    group, others = _measures(group_sums.sum(axis=0)), _measures(other_sums.sum(axis=0))
    n, events = float(inside.sum()), float(group_sums[:, 1].sum())
    villages = resampled_units(part[inside]).drop_duplicates().shape[0]
    small = least < LEAST_HOUSEHOLDS or villages < LEAST_VILLAGES
    if small:
        group = np.full(len(MEASURES), np.nan)
    out: dict[str, Any] = {"n": int(n), "n_events": np.nan if small else events}
    out["base_rate"] = np.nan if small else events / n
    out |= dict(zip(MEASURES, group.tolist(), strict=True))
    drawn = None
    if not small:
        of_group, of_others = resamples.units().sums(group_sums), resamples.units().sums(other_sums)
        drawn = resamples.run_units(lambda w: _measures(w @ of_group) - _measures(w @ of_others))
    for k, name in enumerate(MEASURES):
        low, high = (np.nan, np.nan) if drawn is None else percentile_interval(drawn[:, k], level)
        gap = np.nan if small else float(group[k] - others[k])
        out |= {f"gap_{name}": gap, f"gap_{name}_low": low, f"gap_{name}_high": high}
    return {**out, "n_villages": villages, "small": bool(small)}
