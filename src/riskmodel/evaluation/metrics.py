"""The registry of metrics: what each is called, how it is computed, where it is shown, how it is checked.

A metric is one `Metric`, registered in the file that computes it; tables, pages, documentation and checks
read the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from riskmodel.errors import SpecError
from riskmodel.evaluation.lists import Array, Budget, ListCounts, list_kernel, quotas, rank_rows
from riskmodel.evaluation.units import Units
from riskmodel.i18n import pair
from riskmodel.io import Registry

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
    by_unit
        Whether ``kernel`` takes `Units` as a third argument and is then run on weights of units: villages
        are resampled without weighing every row.
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
    kernel: Callable[..., Kernel] | None = None
    of_list: Callable[[ListCounts], Array] | None = None
    order: int = 1000
    derived: bool = False
    share: bool = False
    shown_in: tuple[str, ...] = ()
    by_unit: bool = False

    @property
    def words(self) -> dict[str, str]:
        """What it is called in both languages."""
        return pair(self)

    @property
    def in_table(self) -> bool:
        """Whether `pooled_metrics` computes it."""
        return self.kernel is not None or self.of_list is not None


TABLES = ("summary", "periods")
# Eight rows in two weightings: enough to see what a kernel or a formula returns. Scores overlap, so that
# nothing is separated perfectly.
_Y = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
_SCORE = np.array([0.1, 0.4, 0.3, 0.2, 0.6, 0.7, 0.5, 0.8])
_WEIGHT = np.ones((2, len(_Y)))
_COUNTS = ListCounts(*(np.full(2, figure) for figure in (1.0, 4.0, 2.0, 8.0, 2.0, 12.0)))


def _metric_problems(metric: Metric) -> list[str]:
    """Return what is wrong with a metric whose fields are of the declared types; its function is tried."""
    wrong = [
        f"shown_in names {t!r}; allowed: {', '.join(TABLES)}" for t in metric.shown_in if t not in TABLES
    ]
    if not metric.tests:
        wrong.append("tests is empty: name the test that holds it against checked_against")
    if metric.kernel is not None and metric.of_list is not None:
        return [*wrong, "give kernel or of_list, not both"]
    if metric.shown_in and not metric.in_table:
        wrong.append("it is shown in tables, but has neither kernel nor of_list")
    if metric.kernel is not None and metric.needs == "list":
        wrong.append("needs is 'list', which takes of_list in place of kernel")
    if metric.of_list is not None and metric.needs != "list":
        wrong.append(f"needs is {metric.needs!r}, which takes kernel in place of of_list")
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            if metric.kernel is not None:
                wrong += _shape_problem(metric, metric.kernel(_Y, _SCORE)(_WEIGHT), len(_WEIGHT))
            elif metric.of_list is not None:
                wrong += _shape_problem(metric, metric.of_list(_COUNTS), len(_WEIGHT))
    except Exception as exc:  # whatever a new kernel may raise is what its author must read
        wrong.append(f"tried on {len(_Y)} rows it failed: {type(exc).__name__}: {exc}")
    return wrong


def _shape_problem(metric: Metric, values: Any, weightings: int) -> list[str]:
    """Return what is wrong with what a metric returned for so many weightings; nothing where all is well."""
    shape = np.shape(values)
    if shape == (weightings,):
        return []
    which = "of_list(counts)" if metric.of_list is not None else "kernel(y, score)(weights)"
    returned = f"an array of shape {shape}" if shape else f"a single {type(values).__name__}"
    return [
        f"{which} must return one value for each of the {weightings} weightings, an array of shape "
        f"({weightings},); it returned {returned} (go along the rows only: axis=1)"
    ]


METRICS: Registry[Metric] = Registry("metric", "riskmodel.evaluation", _metric_problems)


def table_metrics() -> list[Metric]:
    """Return the metrics that `pooled_metrics` computes, in order.

    Returns
    -------
    list of Metric
        Those with a kernel or a formula on list counts.
    """
    return [metric for metric in METRICS.values() if metric.in_table]


def prepare_metrics(rows: ScoredRows, names: Sequence[str] = (), units: Units | None = None) -> Kernel:
    """Prepare metrics (default the table's): weights of units (rows by default) to a value a metric."""
    chosen = [METRICS[name] for name in names] or table_metrics()
    ranking = rank_rows(rows.date, -rows.score)
    units = Units.of_rows(len(rows.y)) if units is None else units
    on_list = list_kernel(rows.y, rows.date, ranking, quotas(rows.date, rows.budget), units=units)
    kernels = {m.name: _kernel_of_units(m, rows, units) for m in chosen if m.kernel is not None}

    def values(metric: Metric, weight: Array, counts: ListCounts) -> Array:
        figures = metric.of_list(counts) if metric.of_list is not None else kernels[metric.name](weight)
        for problem in _shape_problem(metric, figures, len(weight)):
            raise SpecError(f"metric {metric.name}: {problem}")
        return figures

    def kernel(weight: Array) -> Array:
        counts = on_list(weight)
        # A resample may hold one class only: what is not defined there is NaN, not a warning.
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.column_stack([values(metric, weight, counts) for metric in chosen])

    return kernel


def _kernel_of_units(metric: Metric, rows: ScoredRows, units: Units) -> Kernel:
    """Prepare a metric's kernel for weights of units; one that knows rows only is given their weights."""
    assert metric.kernel is not None
    score = rows.score if metric.needs == "score" else rows.probability
    if metric.by_unit:
        return metric.kernel(rows.y, score, units)
    kernel, every = metric.kernel(rows.y, score), np.arange(len(rows.y))
    return lambda weight: kernel(units.of(weight, every))
