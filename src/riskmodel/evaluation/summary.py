"""Metrics of every model with village-bootstrap intervals: pooled over the folds, and fold by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.evaluation.bootstrap import percentile_interval, village_resamples
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.calibration import reliability
from riskmodel.evaluation.frame import VILLAGE, Predictions, checked, codes, numbers
from riskmodel.evaluation.lists import random_find, rank, tie_bounds
from riskmodel.evaluation.table import LEAKAGE_AUC, METRICS, Scored, prepare
from riskmodel.evaluation.visited import as_share, represented

Array = NDArray[np.float64]

# A drawn curve needs no more corners than a screen has columns to show them.
_POINTS = 200


def pooled(
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
    predictions : DataFrame
        See `riskmodel.evaluation.frame.checked`.
    budget : Budget or mapping
        Visits at each as-of date.
    findings : DataFrame, optional
        What visits found, weighted by 1 / chance (see `represented`): it takes the place of the labels, and
        every metric stands for all who were scored. Counts are of findings, as they came.
    replicates : int, default 1000
        Village resamples; 0 gives no intervals.
    seed : int, default 0
    level : float, default 0.95

    Returns
    -------
    DataFrame
        One row a model: ``model``; each metric of the table with ``_low`` and ``_high``; ``n_test``,
        ``n_events``, ``n_null`` (rows without a label, left out), ``base_rate``, ``n_villages``,
        ``visits``, ``hits``, ``hits_worst``, ``hits_best`` (over ties), ``hits_random``,
        ``hits_random_sd``, ``leakage_suspected``. Metrics without an answer (one class) are NaN.
    """
    given, limit = _given(predictions, budget, findings)
    return pd.DataFrame(
        [
            {"model": model, **_summary(given, model, None, limit, replicates, seed, level)}
            for model in given.models
        ]
    )


def by_fold(
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
        As in `pooled`.

    Returns
    -------
    DataFrame
        One row a model and fold: ``model, fold`` and the columns of `pooled`; folds without any label
        have counts only.
    """
    given, limit = _given(predictions, budget, findings)
    folds = sorted(set(given.nulls.index.get_level_values("fold")))
    return pd.DataFrame(
        [
            {
                "model": model,
                "fold": fold,
                **_summary(given, model, fold, limit, replicates, seed, level),
            }
            for model in given.models
            for fold in folds
        ]
    )


def _given(
    predictions: pd.DataFrame, budget: Budget | Mapping[str, Any], findings: pd.DataFrame | None
) -> tuple[Predictions, Budget]:
    if findings is None:
        return checked(predictions), Budget.of(budget)
    return represented(predictions, findings), as_share(budget, predictions)


def _summary(
    given: Predictions, model: str, fold: Any, budget: Budget, replicates: int, seed: int, level: float
) -> dict[str, Any]:
    part = given.frame[given.frame["model"] == model]
    if fold is not None:
        part = part[part["fold"] == fold]
    n_null = given.n_null(model, fold)
    if part.empty:
        return {"n_test": 0, "n_events": 0, "n_null": n_null}
    rows = _scored(part, budget)
    kernel = prepare(rows)
    weight = numbers(part, "weight") if "weight" in part.columns else np.ones(len(part))
    point = kernel(weight[None])[0]
    resamples = village_resamples(part[VILLAGE], replicates, seed)
    drawn = resamples.run(lambda times: kernel(times * weight))
    out: dict[str, Any] = {}
    for i, metric in enumerate(METRICS):
        out[metric.name] = float(point[i])
        low, high = percentile_interval(drawn[:, i], level)
        out[f"{metric.name}_low"], out[f"{metric.name}_high"] = low, high
    counts = _counts(rows) | {"base_rate": float(np.average(rows.y, weights=weight))}
    return {**out, **counts, "n_null": n_null, "n_villages": resamples.n_villages,
            "leakage_suspected": bool(out["auc"] > LEAKAGE_AUC)}  # fmt: skip


def _scored(part: pd.DataFrame, budget: Budget) -> Scored:
    return Scored(
        numbers(part, "y"), numbers(part, "score"), numbers(part, "probability"), codes(part["as_of"]), budget
    )


def _counts(rows: Scored) -> dict[str, Any]:
    quota, ranking = quotas(rows.date, rows.budget), rank(rows.date, -rows.score)
    worst, best = tie_bounds(rows.y, rows.date, ranking, quota)
    place = np.arange(len(rows.y)) - np.searchsorted(rows.date[ranking.order], rows.date[ranking.order])
    listed = place < quota[rows.date[ranking.order]]
    mean, sd = random_find(rows.y, rows.date, quota)
    return {
        "n_test": len(rows.y),
        "n_events": int(rows.y.sum()),
        "visits": int(quota.sum()),
        "hits": int(rows.y[ranking.order][listed].sum()),
        "hits_worst": worst,
        "hits_best": best,
        "hits_random": mean,
        "hits_random_sd": sd,
    }


def curves(
    predictions: pd.DataFrame, *, bins: int = 10, replicates: int = 200, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Curves to draw: ROC, precision-recall, gain, reliability.

    Parameters
    ----------
    predictions : DataFrame
    bins : int, default 10
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
    given = checked(predictions)
    parts = []
    for model in given.models:
        part = given.frame[given.frame["model"] == model]
        if part.empty:
            continue
        y, score = numbers(part, "y"), numbers(part, "score")
        resamples = village_resamples(part[VILLAGE], replicates, seed)
        table = reliability(y, numbers(part, "probability"), bins, resamples, level)
        parts += [*_ordered_curves(y, score, codes(part["as_of"]), model), pd.DataFrame({
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
    ranking = rank(date, -score)
    ordered = date[ranking.order]
    depth = (np.arange(len(y)) - np.searchsorted(ordered, ordered) + 1) / np.bincount(date)[ordered]
    deepest = np.argsort(depth, kind="stable")
    found = np.cumsum(y[ranking.order][deepest]) / events
    return [
        _curve(model, "roc", np.r_[0.0, false / others], np.r_[0.0, hits / events]),
        _curve(model, "precision_recall", hits / events, hits / (hits + false)),
        _curve(model, "gain", np.r_[0.0, depth[deepest]], np.r_[0.0, found]),
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
