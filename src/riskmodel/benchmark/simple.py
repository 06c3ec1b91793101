"""Where the simple method wins: the best simple method against the best elaborate one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import evaluation, models
from riskmodel.evaluation import Budget, auc_kernel, codes, list_kernel, quotas, rank

Array = NDArray[np.float64]
# What an office can do with pencil and paper, or does already.
SIMPLE = ("rule", "past_income", "permanent_income", "village", "scorecard", "cluster_logit", "vulnerability")
# The two questions, and the metric that says who is best at each.
MEASURES = {"auc": "auc", "recall": "recall_at_budget"}


def is_simple(model: str) -> bool:
    """Say whether a model needs no machine learning: rules, income, village, scorecard, short regressions."""
    return model in SIMPLE or bool(models.known(model) and models.entry(model).ruleset)


def ordering(
    found: pd.DataFrame, metrics: pd.DataFrame, budget: Budget, how: Mapping[str, Any]
) -> pd.DataFrame:
    """Compare the best simple method with the best elaborate one, on the same village resamples.

    Parameters
    ----------
    found : DataFrame
        Tidy predictions.
    metrics : DataFrame
        Of `evaluation.pooled`.
    budget : Budget
        Visits at each as-of date, for the lists.
    how : mapping
        ``replicates`` and ``seed``.

    Returns
    -------
    DataFrame
        A row a measure (``auc``: how it orders everyone; ``recall``: of its list at the budget): ``measure,
        simple, elaborate, value_simple, value_elaborate, difference`` (elaborate − simple), ``low, high``,
        ``n_simple, n_elaborate`` (out of how many each was picked). Both are picked as the best of several on
        these very rows, which flatters both.
    """
    known = found[found["y"].notna()]
    easy = [str(m) for m in metrics["model"] if is_simple(str(m))]
    hard = [str(m) for m in metrics["model"] if not is_simple(str(m))]
    rows = []
    for measure, column in MEASURES.items():
        value = metrics.set_index("model")[column]
        first, other = str(value[easy].idxmax()), str(value[hard].idxmax())
        low, high = _interval(known, (first, other), measure, budget, how)
        rows.append({
            "measure": measure, "simple": first, "elaborate": other, "value_simple": value[first],
            "value_elaborate": value[other], "difference": value[other] - value[first], "low": low,
            "high": high, "n_simple": len(easy), "n_elaborate": len(hard),
        })  # fmt: skip
    return pd.DataFrame(rows)


def winner(row: Mapping[Any, Any]) -> str:
    """Say who wins by an interval of elaborate − simple: ``simple``, ``elaborate`` or ``level``."""
    return "elaborate" if row["low"] > 0 else "simple" if row["high"] < 0 else "level"


def _interval(
    known: pd.DataFrame, pair: tuple[str, str], measure: str, budget: Budget, how: Mapping[str, Any]
) -> tuple[float, float]:
    one, two = (
        known[known["model"] == m].sort_values(["as_of", "household_id"], ignore_index=True) for m in pair
    )
    kernels = [_kernel(part, measure, budget) for part in (one, two)]
    resamples = evaluation.village_resamples(one[["township", "village"]], how["replicates"], how["seed"])
    return evaluation.percentile_interval(resamples.run(lambda w: kernels[1](w) - kernels[0](w)))


def _kernel(part: pd.DataFrame, measure: str, budget: Budget) -> Callable[[Array], Array]:
    y, score = part["y"].to_numpy(dtype=float), part["score"].to_numpy(dtype=float)
    if measure == "auc":
        return auc_kernel(y, score)
    date = codes(part["as_of"])
    find = list_kernel(y, date, rank(date, -score), quotas(date, budget))

    def recall(weight: Array) -> Array:
        listed = find(weight)
        return np.divide(
            listed.hits, listed.events, out=np.full_like(listed.hits, np.nan), where=listed.events > 0
        )

    return recall
