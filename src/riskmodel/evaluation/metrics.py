"""The registry of metrics: what each is called, how it is computed, where it is shown, how it is checked.

A metric is one `Metric`, registered in the file that computes it; tables, pages, documentation and checks
read the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riskmodel.evaluation.lists import Budget, ListCounts, list_kernel, quotas, rank_rows
from riskmodel.i18n import pair
from riskmodel.io import Registry

Array = NDArray[np.float64]
# From weights of shape (replicates, n) to one value a replicate.
Kernel = Callable[[Array], Array]

# Papers that report such figures classify today's category from columns that define it; a forecast of
# next year's return has reached 0.85 at best on real panels.
LEAKAGE_AUC = 0.95


@dataclass(frozen=True)
class ScoredRows:
    """One model's rows as arrays, in the order of as-of date and household id; ``date`` codes the dates."""

    y: Array
    score: Array
    probability: Array
    date: NDArray[np.int64]
    budget: Budget


@dataclass(frozen=True)
class Metric:
    """One metric: registering it is all that is needed for it to be computed, shown and documented.

    Exactly one of ``kernel`` and ``of_list`` is given for a metric of the table; a metric with neither is
    computed by a function of its own, because it needs incomes, two lists, several dates or thresholds.

    Attributes
    ----------
    name
        Column of the tables.
    zh, en
        What it is called.
    formula, source
        How it is defined, and by whom.
    better
        Which way is better.
    needs
        What it is computed from; ``list`` also needs the visit budget.
    checked_against
        Independent figures or software that the tests hold it against.
    tests
        The tests that do, as ``file::function`` below ``tests``.
    kernel
        Prepares it from 0/1 outcomes and scores (or probabilities, as ``needs`` says) for many weightings of
        the rows at once.
    of_list
        Computes it from the counts of a list at the budget: an array of one value a weighting, NaN where it
        is not defined (a fold without events).
    order
        Place in tables.
    derived
        Whether, at one budget, it follows from the number of events found: one test, not several.
    share
        Whether it is written in percent.
    shown_in
        Tables of the report: ``summary`` (all test periods together), ``periods`` (one by one).
    """

    name: str
    zh: str
    en: str
    formula: str
    source: str
    better: Literal["higher", "lower", "near 0", "near 1"]
    needs: Literal["score", "probability", "list"]
    checked_against: str
    tests: tuple[str, ...]
    kernel: Callable[[Array, Array], Kernel] | None = None
    of_list: Callable[[ListCounts], Array] | None = None
    order: int = 1000
    derived: bool = False
    share: bool = False
    shown_in: tuple[str, ...] = ()

    @property
    def words(self) -> dict[str, str]:
        """What it is called in both languages."""
        return pair(self)

    @property
    def in_table(self) -> bool:
        """Whether `pooled_metrics` computes it."""
        return self.kernel is not None or self.of_list is not None


METRICS: Registry[Metric] = Registry("metric", "riskmodel.evaluation")


def table_metrics() -> list[Metric]:
    """Return the metrics that `pooled_metrics` computes, in order.

    Returns
    -------
    list of Metric
        Those with a kernel or a formula on list counts.
    """
    return [metric for metric in METRICS.values() if metric.in_table]


def prepare_metrics(rows: ScoredRows) -> Kernel:
    """Prepare the metrics of the table: weights (replicates, n) to values (replicates, metrics)."""
    ranking = rank_rows(rows.date, -rows.score)
    on_list = list_kernel(rows.y, rows.date, ranking, quotas(rows.date, rows.budget))
    kernels = {
        metric.name: metric.kernel(rows.y, rows.score if metric.needs == "score" else rows.probability)
        for metric in table_metrics()
        if metric.kernel is not None
    }

    def kernel(weight: Array) -> Array:
        counts = on_list(weight)
        # A resample may hold one class only: what is not defined there is NaN, not a warning.
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = [
                metric.of_list(counts) if metric.of_list is not None else kernels[metric.name](weight)
                for metric in table_metrics()
            ]
        return np.column_stack(columns)

    return kernel
