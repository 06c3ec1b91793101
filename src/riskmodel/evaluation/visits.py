"""Visits equivalent: how many more rule-ordered visits find what the model's list finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.evaluation.bootstrap import percentile_interval, village_resamples
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.frame import checked
from riskmodel.evaluation.lists import Ranking, list_kernel, rank
from riskmodel.evaluation.sides import RULE, Sides, same_rows, sides

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

# The other side of the trade: what this many more visits buy the rules.
MORE_VISITS = (1.1, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class VisitsEquivalent:
    """What better prediction is worth in visits.

    Attributes
    ----------
    visits : int
        Of the model's list, over all dates.
    recall_model, recall_baseline : float
        At these visits.
    ratio, low, high : float
        Rule-ordered visits that reach the model's recall, over the model's visits; below 1 the rules need
        fewer. Village bootstrap. NaN where the model finds nothing.
    extra_visits : float
        (ratio − 1) · visits.
    more : DataFrame
        ``factor, recall_baseline, gain, gain_model``: the rules' recall at that many times the visits, what
        that gains over the budget, and what the model gains at the budget itself.
    """

    visits: int
    recall_model: float
    recall_baseline: float
    ratio: float
    low: float
    high: float
    extra_visits: float
    more: pd.DataFrame


def visits_equivalent(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    model: str,
    *,
    baseline: str = RULE,
    replicates: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> VisitsEquivalent:
    """Measure how many visits in the rules' order find as much as a model's list at the budget.

    Parameters
    ----------
    predictions : DataFrame
        As for `compare`.
    budget : Budget or mapping
        Visits at each as-of date; the rules' list grows by the same factor at every date.
    model, baseline : str
    replicates, seed, level
        Village resamples of the interval.

    Returns
    -------
    VisitsEquivalent

    Raises
    ------
    InputRefused
        As `compare`.
    """
    given = checked(predictions, ("persons", "flagged", "rule_rank"))
    side = sides(same_rows(given)[0], given.models, baseline)
    quota = quotas(side.date, Budget.of(budget))
    order = rank(side.date, -side.scores[model])
    kernel = _ratio_kernel(side, order, quota)
    every = np.ones((1, len(side.y)))
    resamples = village_resamples(side.villages, replicates, seed)
    low, high = percentile_interval(resamples.run(kernel), level)
    ratio, visits = float(kernel(every)[0]), int(quota.sum())
    ours = _recall(side, order, quota)
    at = [(factor, _recall(side, side.baseline, _scaled(side, quota, factor))) for factor in MORE_VISITS]
    theirs = _recall(side, side.baseline, quota)
    more = pd.DataFrame([
        {"factor": f, "recall_baseline": r, "gain": r - theirs, "gain_model": ours - theirs} for f, r in at
    ])  # fmt: skip
    return VisitsEquivalent(visits, ours, theirs, ratio, low, high, (ratio - 1) * visits, more)


def _scaled(side: Sides, quota: Codes, factor: float) -> Codes:
    return np.minimum(np.bincount(side.date), np.rint(quota * factor)).astype(np.int64)


def _recall(side: Sides, order: Ranking, quota: Codes) -> float:
    found = list_kernel(side.y, side.date, order, quota)(np.ones((1, len(side.y))))
    return float(found.hits[0] / found.events[0]) if found.events[0] else float("nan")


def _ratio_kernel(side: Sides, model: Ranking, quota: Codes) -> Callable[[Array], Array]:
    """Prepare the factor by which the rules' quotas must grow to hold as many events as the model's list."""
    found = list_kernel(side.y, side.date, model, quota)
    order = side.baseline.order
    ordered_date = side.date[order]
    n = np.bincount(side.date)
    end = np.cumsum(n)
    event = np.flatnonzero(side.y[order] == 1)
    at = ordered_date[event]
    share = quota / n

    def kernel(weight: Array) -> Array:
        hits = found(weight).hits
        ordered = weight[:, order]
        running = np.zeros((len(ordered), ordered.shape[1] + 1))
        np.cumsum(ordered, axis=1, out=running[:, 1:])
        before = running[:, end - n]
        visits = share * (running[:, end] - before)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Factor at which a list has just taken the event in: its depth over the date's visits.
            factor = (running[:, event + 1] - before[:, at]) / visits[:, at]
        factor = np.where(np.isfinite(factor), factor, np.inf)
        by_depth = np.argsort(factor, axis=1, kind="stable")
        taken = np.cumsum(np.take_along_axis(ordered[:, event], by_depth, axis=1), axis=1)
        first = np.argmax(taken >= hits[:, None] - 1e-9, axis=1)
        rows = np.arange(len(hits))
        reached = np.take_along_axis(factor, by_depth, axis=1)[rows, first]
        return np.where(hits > 0, reached, np.nan)

    return kernel
