"""What better prediction is worth in visits: how many in the rules' order find as much as a model's list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.evaluation.lists import (
    Budget,
    Codes,
    Ranking,
    list_kernel,
    quotas,
    rank_rows,
    ratio_or_nan,
    running_sums,
)
from riskmodel.evaluation.metrics import METRICS, Array, Metric
from riskmodel.evaluation.paired_lists import RULE, PairedLists, common_rows, pair_lists
from riskmodel.evaluation.predictions import check_predictions, percentile_interval, village_resamples

# The other direction of the trade: what this many more visits buy the rules.
MORE_VISITS = (1.1, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class VisitsEquivalent:
    """What better prediction is worth in visits.

    Attributes
    ----------
    visits
        Of the model's list, over all dates.
    recall_model, recall_baseline
        At these visits.
    ratio, low, high
        Rule-ordered visits that reach the model's recall, over the model's visits; below 1 the rules need
        fewer. Village bootstrap. NaN where the model finds nothing.
    extra_visits
        (ratio − 1) · visits.
    more
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
    predictions
        As for `compare`.
    budget
        Visits at each as-of date; the rules' list grows by the same factor at every date.
    model
        Whose list it is.
    baseline
        ``"rule"`` or the model that it is compared with.
    replicates, seed, level
        Village resamples and level of the interval.

    Returns
    -------
    VisitsEquivalent
        The ratio of visits with its interval, and the other direction of the trade.

    Raises
    ------
    InputRefused
        As `compare`.
    """
    checked = check_predictions(predictions, ("persons", "flagged", "rule_rank"))
    lists = pair_lists(common_rows(checked)[0], checked.models, baseline)
    quota = quotas(lists.date, Budget.of(budget))
    order = rank_rows(lists.date, -lists.scores[model])
    kernel = _ratio_kernel(lists, order, quota)
    resamples = village_resamples(lists.villages, replicates, seed)
    low, high = percentile_interval(resamples.run(kernel), level)
    ratio, visits = float(kernel(np.ones((1, len(lists.y))))[0]), int(quota.sum())

    def recall(ranking: Ranking, visits_by_date: Codes) -> float:
        counts = list_kernel(lists.y, lists.date, ranking, visits_by_date)(np.ones((1, len(lists.y))))
        return ratio_or_nan(counts.hits[0], counts.events[0])

    recall_model, recall_baseline = recall(order, quota), recall(lists.baseline, quota)
    rows = []
    for factor in MORE_VISITS:
        more = np.minimum(np.bincount(lists.date), np.rint(quota * factor)).astype(np.int64)
        recall_at_factor = recall(lists.baseline, more)
        rows.append({
            "factor": factor, "recall_baseline": recall_at_factor, "gain": recall_at_factor - recall_baseline,
            "gain_model": recall_model - recall_baseline,
        })  # fmt: skip
    extra = (ratio - 1) * visits
    return VisitsEquivalent(
        visits, recall_model, recall_baseline, ratio, low, high, extra, pd.DataFrame(rows)
    )


def _ratio_kernel(lists: PairedLists, model: Ranking, quota: Codes) -> Callable[[Array], Array]:
    """Prepare the factor by which the rules' quotas must grow to hold as many events as the model's list."""
    model_counts = list_kernel(lists.y, lists.date, model, quota)
    order = lists.baseline.order
    ordered_date = lists.date[order]
    n = np.bincount(lists.date)
    end = np.cumsum(n)
    event = np.flatnonzero(lists.y[order] == 1)
    at = ordered_date[event]
    share = quota / n

    def kernel(weight: Array) -> Array:
        hits = model_counts(weight).hits
        ordered = weight[:, order]
        running = running_sums(ordered)
        before = running[:, end - n]
        visits = share * (running[:, end] - before)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Factor at which a list has just taken the event in: its depth over the date's visits.
            factor = (running[:, event + 1] - before[:, at]) / visits[:, at]
        factor = np.where(np.isfinite(factor), factor, np.inf)
        by_depth = np.argsort(factor, axis=1, kind="stable")
        cumulative = np.cumsum(np.take_along_axis(ordered[:, event], by_depth, axis=1), axis=1)
        first = np.argmax(cumulative >= hits[:, None] - 1e-9, axis=1)
        rows = np.arange(len(hits))
        ratio = np.take_along_axis(factor, by_depth, axis=1)[rows, first]
        return np.where(hits > 0, ratio, np.nan)

    return kernel


METRICS.register(
    Metric(
        "visits_equivalent",
        zh="等效走访量",
        en="visits equivalent",
        formula="rule-ordered visits that reach the model's recall / visits",
        source="inverse of the gain curve",
        better="higher",
        needs="list",
        order=190,
        checked_against="counted down the rules' order by hand",
        tests=("evaluation/test_paired_lists.py::test_visits_equivalent_is_read_off_the_rules_own_order",),
    )
)
