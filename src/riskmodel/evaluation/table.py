"""The declared table of metrics: names, formulas, sources, and the kernel that computes each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.calibration import brier_kernel, intercept_kernel, slope_kernel
from riskmodel.evaluation.lists import list_kernel, list_measures, rank
from riskmodel.evaluation.ranking import auc_kernel, average_precision_kernel
from riskmodel.evaluation.targeting import list_measures_extra

Array = NDArray[np.float64]
Values = dict[str, Array]

# Papers that report such figures classify today's category from columns that define it; a forecast of
# next year's return has reached 0.85 at best on real panels.
LEAKAGE_AUC = 0.95


@dataclass(frozen=True)
class Scored:
    """One model's rows as arrays, in the order of as-of date and household id.

    Attributes
    ----------
    y, score, probability : arrays of shape (n,)
    date : integer array of shape (n,)
        Code of the as-of date.
    budget : Budget
    """

    y: Array
    score: Array
    probability: Array
    date: NDArray[np.int64]
    budget: Budget


@dataclass(frozen=True)
class Metric:
    """One declared metric.

    Attributes
    ----------
    name, zh, en : str
    formula, source : str
    better : {"higher", "lower", "near 0", "near 1"}
    needs : {"score", "probability", "list"}
        What it is computed from; ``list`` also needs the visit budget.
    derived : bool
        At one budget it follows from the number of events found: one test, not several.
    """

    name: str
    zh: str
    en: str
    formula: str
    source: str
    better: Literal["higher", "lower", "near 0", "near 1"]
    needs: Literal["score", "probability", "list"]
    derived: bool = False


_BRW = "Brown, Ravallion & van de Walle 2018"
_STEYERBERG = "Steyerberg, Clinical Prediction Models, ch. 15"

METRICS: tuple[Metric, ...] = (
    Metric(
        "auc", "AUC（区分度）", "AUC", "P(score of an event > score of a non-event), ties 1/2",
        "Hanley & McNeil 1982", "higher", "score",
    ),
    Metric(
        "average_precision", "平均精确率", "average precision", "Σ (R_i − R_{i−1})·P_i",
        "Manning et al., Introduction to Information Retrieval, ch. 8", "higher", "score",
    ),
    Metric("brier", "Brier 分数", "Brier score", "mean (p − y)²", "Brier 1950", "lower", "probability"),
    Metric(
        "calibration_intercept", "校准截距", "calibration intercept", "a in logit P(y) = a + logit p",
        _STEYERBERG, "near 0", "probability",
    ),
    Metric(
        "calibration_slope", "校准斜率", "calibration slope", "b in logit P(y) = a + b·logit p",
        "Cox 1958; " + _STEYERBERG, "near 1", "probability",
    ),
    Metric(
        "recall_at_budget", "查全率（名额内）", "recall at the budget", "TP/(TP + FN)", _BRW, "higher", "list"
    ),
    Metric(
        "precision_at_budget", "查准率（名额内）", "precision at the budget", "TP/k",
        _BRW, "higher", "list", derived=True,
    ),
    Metric(
        "exclusion_error", "漏识率", "exclusion error", "FN/(TP + FN)", _BRW, "lower", "list", derived=True
    ),
    Metric(
        "inclusion_error", "误识率", "inclusion error", "FP/(TP + FP)", _BRW, "lower", "list", derived=True
    ),
    Metric(
        "lift", "提升度", "lift", "precision / base rate",
        "1 is a list drawn at random; for equal visits the CGH ratio of Coady, Grosh & Hoddinott 2004",
        "higher", "list", derived=True,
    ),
    Metric(
        "targeting_differential", "瞄准差（覆盖率）", "targeting differential (coverage)",
        "TP/(TP + FN) − FP/(FP + TN)", "Galasso & Ravallion 2005", "higher", "list", derived=True,
    ),
    Metric(
        "targeting_differential_errors", "瞄准差（误差）", "targeting differential (errors)",
        "1 − exclusion error − inclusion error", "Grosh et al. 2022, ch. 7", "higher", "list", derived=True,
    ),
    Metric(
        "bpac", "平衡贫困准确度", "BPAC", "TP/(TP + FN) − |FP − FN|/(TP + FN)",
        "IRIS Center 2005", "higher", "list", derived=True,
    ),
)  # fmt: skip

# Declared here like the others, but computed by functions of their own: they need incomes, two lists, several
# dates or a range of thresholds.
FURTHER: tuple[Metric, ...] = (
    Metric(
        "cgh", "CGH 比率（按人口）", "CGH ratio (persons)",
        "share of listed persons in need / their share of all", "Coady, Grosh & Hoddinott 2004",
        "higher", "list", derived=True,
    ),
    Metric(
        "welfare", "福利（CRRA）", "CRRA welfare",
        "Σ persons·c^(1−ρ)/(1−ρ), 0 = spread evenly, 1 = best list", "Hanna & Olken 2018", "higher", "list",
    ),
    Metric(
        "overlap", "名单重合度", "list overlap", "both / either (Jaccard)", "Jaccard 1901", "near 1", "list"
    ),
    Metric(
        "net_benefit", "净收益", "net benefit", "TP/n − FP/n·pt/(1 − pt)", "Vickers & Elkin 2006", "higher",
        "probability",
    ),
    Metric(
        "lead_time", "提前量", "lead time", "months from the model's first flag to the rules'",
        "Kaplan & Meier 1958", "higher", "list",
    ),
    Metric(
        "visits_equivalent", "等效走访量", "visits equivalent",
        "rule-ordered visits that reach the model's recall / visits", "inverse of the gain curve", "higher",
        "list",
    ),
)  # fmt: skip


def _auc(rows: Scored) -> Callable[[Array], Values]:
    kernel = auc_kernel(rows.y, rows.score)
    return lambda weight: {"auc": kernel(weight)}


def _average_precision(rows: Scored) -> Callable[[Array], Values]:
    kernel = average_precision_kernel(rows.y, rows.score)
    return lambda weight: {"average_precision": kernel(weight)}


def _probabilities(rows: Scored) -> Callable[[Array], Values]:
    loss = brier_kernel(rows.y, rows.probability)
    intercept = intercept_kernel(rows.y, rows.probability)
    slope = slope_kernel(rows.y, rows.probability)
    return lambda weight: {
        "brier": loss(weight),
        "calibration_intercept": intercept(weight),
        "calibration_slope": slope(weight),
    }


def _list(rows: Scored) -> Callable[[Array], Values]:
    kernel = list_kernel(rows.y, rows.date, rank(rows.date, -rows.score), quotas(rows.date, rows.budget))

    def values(weight: Array) -> Values:
        raw = kernel(weight)
        found = list_measures(raw)
        return {
            "recall_at_budget": found["recall"],
            "precision_at_budget": found["precision"],
            "exclusion_error": found["exclusion_error"],
            "inclusion_error": found["inclusion_error"],
            "lift": found["lift"],
            **list_measures_extra(raw),
        }

    return values


_KERNELS: tuple[Callable[[Scored], Callable[[Array], Values]], ...] = (
    _auc,
    _average_precision,
    _probabilities,
    _list,
)


def prepare(rows: Scored) -> Callable[[Array], Array]:
    """Prepare every metric of the table.

    Parameters
    ----------
    rows : Scored

    Returns
    -------
    callable
        Weights (replicates, n) to values (replicates, metrics), in the order of `METRICS`.
    """
    kernels = [make(rows) for make in _KERNELS]

    def kernel(weight: Array) -> Array:
        values: Values = {}
        for part in kernels:
            values |= part(weight)
        return np.column_stack([values[metric.name] for metric in METRICS])

    return kernel


def by_name() -> Mapping[str, Metric]:
    """Return the metrics by name."""
    return {metric.name: metric for metric in METRICS}


def net_benefit(y: Array, probability: Array, threshold: float) -> float:
    """Net benefit of visiting everyone whose probability reaches a threshold.

    Parameters
    ----------
    y, probability : array of shape (n,)
    threshold : float
        pt in (0, 1): the chance at which a visit is just worth making.

    Returns
    -------
    float
        TP/n − (FP/n)·pt/(1 − pt).

    Raises
    ------
    ValueError
        If the threshold is not in (0, 1).

    References
    ----------
    Vickers and Elkin 2006.

    Examples
    --------
    >>> round(net_benefit([1, 0, 0, 1], [0.9, 0.6, 0.1, 0.2], 0.5), 4)
    0.0
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold={threshold!r}: must be in (0, 1)")
    target, visited = np.asarray(y, dtype=float), np.asarray(probability) >= threshold
    hits, false = float(np.mean(visited * target)), float(np.mean(visited * (1 - target)))
    return hits - false * threshold / (1 - threshold)
