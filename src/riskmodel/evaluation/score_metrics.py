"""Metrics of a score or a probability: how well it orders, whether it means what it says, net benefit.

A *kernel* is a function from weights of shape (replicates, n) to one value a replicate; it is prepared once
(one sort) and then run on every village resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.special import logit

from riskmodel.evaluation.lists import running_sums
from riskmodel.evaluation.metrics import METRICS, Array, Kernel, Metric
from riskmodel.evaluation.predictions import Resamples, percentile_interval
from riskmodel.models import fit_affine

# A probability of exactly 0 or 1 has no log-odds; a billionth is beyond what any county can tell from 0.
_CLIP = 1e-9
# Village resamples are fitted on counts per probability bin; the point itself on all rows.
_BINS = 512
_STEYERBERG = "Steyerberg, Clinical Prediction Models, ch. 15"


def auc_kernel(y: Array, score: Array) -> Kernel:
    """Prepare the area under the ROC curve; equal scores count one half.

    Parameters
    ----------
    y, score : array of shape (n,)
        0/1, and what orders.

    Returns
    -------
    callable
        Weights (replicates, n) to areas (replicates,); NaN where a class has no weight.
    """
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    others = others[np.argsort(score[others], kind="stable")]
    below = np.searchsorted(score[others], score[events], side="left")
    upto = np.searchsorted(score[others], score[events], side="right")

    def kernel(weight: Array) -> Array:
        heavier = running_sums(weight[:, others])
        on_events = weight[:, events]
        beaten = 0.5 * np.sum(on_events * (heavier[:, below] + heavier[:, upto]), axis=1)
        return _ratio(beaten, on_events.sum(axis=1) * heavier[:, -1])

    return kernel


def average_precision_kernel(y: Array, score: Array) -> Kernel:
    """Prepare the average precision: precision at each event's score, averaged over the events."""
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    events = events[np.argsort(-score[events], kind="stable")]
    others = others[np.argsort(-score[others], kind="stable")]
    # "right": everyone with at least this score stands on the list that reaches the event.
    events_above = np.searchsorted(-score[events], -score[events], side="right")
    others_above = np.searchsorted(-score[others], -score[events], side="right")

    def kernel(weight: Array) -> Array:
        on_events = weight[:, events]
        hits = running_sums(on_events)[:, events_above]
        listed = hits + running_sums(weight[:, others])[:, others_above]
        precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
        return _ratio(np.sum(on_events * precision, axis=1), on_events.sum(axis=1))

    return kernel


def brier_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare the mean squared error of probabilities."""
    loss = (probability - y) ** 2
    return lambda weight: (weight @ loss) / weight.sum(axis=1)


def slope_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare the calibration slope: b in ``logit P(y) = a + b * logit(probability)``."""
    return _affine_kernel(y, probability, slope=True)


def intercept_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare calibration in the large: a in ``logit P(y) = a + logit(probability)``."""
    return _affine_kernel(y, probability, slope=False)


def _affine_kernel(y: Array, probability: Array, *, slope: bool) -> Kernel:
    margin = logit(np.clip(probability, _CLIP, 1 - _CLIP))
    which = int(slope)
    edges = np.unique(np.quantile(margin, np.linspace(0, 1, _BINS + 1)[1:-1]))
    _, cell = np.unique(np.searchsorted(edges, margin, side="left"), return_inverse=True)
    centre = np.bincount(cell, weights=margin) / np.bincount(cell)
    rows = np.arange(len(y))
    totals = coo_array((np.ones(len(y)), (rows, cell)), shape=(len(y), len(centre))).tocsr()
    hits = coo_array((y, (rows, cell)), shape=(len(y), len(centre))).tocsr()
    every = np.ones((1, len(y)))
    exact = fit_affine(margin, y[None], every, slope=slope)[which][0]
    shift = exact - fit_affine(centre, every @ hits, every @ totals, slope=slope)[which][0]

    def kernel(weight: Array) -> Array:
        return fit_affine(centre, weight @ hits, weight @ totals, slope=slope)[which] + shift

    return kernel


def _weights(given: ArrayLike | None, n: int) -> Array:
    return np.ones(n) if given is None else np.asarray(given, dtype=float)


def evaluate_kernel(
    prepare: Callable[[Array, Array], Kernel], y: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> float:
    """Run a kernel for one weighting."""
    target = np.asarray(y, dtype=float)
    return float(prepare(target, np.asarray(score, dtype=float))(_weights(weight, len(target))[None])[0])


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def auc(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve.

    Parameters
    ----------
    y, score : array of shape (n,)
        0/1, and what orders.
    weight : array of shape (n,), optional
        Of each row; default 1.

    Returns
    -------
    float
        Chance that an event outranks a non-event, ties one half; NaN with one class only.

    References
    ----------
    Hanley and McNeil 1982.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [1, 2, 2, 3])
    0.875
    """
    return evaluate_kernel(auc_kernel, y, score, weight)


def average_precision(y: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Average precision (area under the precision-recall steps, not interpolated).

    Parameters
    ----------
    y, score, weight
        As in `auc`.

    Returns
    -------
    float
        NaN without events.

    Examples
    --------
    >>> round(average_precision([0, 1, 0, 1], [1, 2, 3, 4]), 4)
    0.8333
    """
    return evaluate_kernel(average_precision_kernel, y, score, weight)


def brier(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Brier score, the mean of (probability − y)².

    Parameters
    ----------
    y, probability, weight
        0/1, the chance foretold, and perhaps the weight of each row.

    Returns
    -------
    float
        0 is perfect; lower is better.

    References
    ----------
    Brier 1950.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5])
    0.25
    """
    return evaluate_kernel(brier_kernel, y, probability, weight)


def _recalibration(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None, *, slope: bool) -> float:
    """Return slope or intercept of the logistic recalibration of weighted rows, exactly."""
    target = np.asarray(y, dtype=float)
    rows = _weights(weight, len(target))
    margin = logit(np.clip(np.asarray(probability, dtype=float), _CLIP, 1 - _CLIP))
    return float(fit_affine(margin, (rows * target)[None], rows[None], slope=slope)[int(slope)][0])


def calibration_slope(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Slope of the logistic recalibration; 1 is ideal, below 1 the probabilities are too extreme.

    Parameters
    ----------
    y, probability : array of shape (n,)
        0/1, and the chance foretold.
    weight : array of shape (n,), optional
        Of each row; default 1.

    Returns
    -------
    float
        NaN with one class, one probability, or separation.

    References
    ----------
    Cox 1958; Steyerberg, *Clinical Prediction Models*, ch. 15.
    """
    return _recalibration(y, probability, weight, slope=True)


def calibration_intercept(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Calibration in the large, in log-odds, with the slope held at 1; 0 is ideal.

    Parameters
    ----------
    y, probability, weight
        As in `calibration_slope`.

    Returns
    -------
    float
        NaN with one class.

    References
    ----------
    Steyerberg, *Clinical Prediction Models*, ch. 15.
    """
    return _recalibration(y, probability, weight, slope=False)


def reliability(
    y: ArrayLike,
    probability: ArrayLike,
    bins: int = 10,
    resamples: Resamples | None = None,
    level: float = 0.95,
    weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Observed rate against mean probability, by quantile bins of the probability.

    Parameters
    ----------
    y, probability : array of shape (n,)
        0/1, and the chance foretold.
    bins
        At most so many; equal probabilities share a bin.
    resamples
        Of the same rows; gives the intervals.
    level
        Level of the interval.
    weight : array of shape (n,), optional
        Of each row; default 1. Bins and counts are those of the rows.

    Returns
    -------
    DataFrame
        One row a bin: ``bin, n, events, probability, observed, low, high`` (the last two NaN without
        resamples).
    """
    target, p = np.asarray(y, dtype=float), np.asarray(probability, dtype=float)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    _, cell = np.unique(np.searchsorted(edges, p, side="left"), return_inverse=True)
    rows = _weights(weight, len(p))
    n, events = np.bincount(cell), np.bincount(cell, weights=target)
    heavy = np.bincount(cell, weights=rows)
    out = pd.DataFrame(
        {
            "bin": np.arange(1, len(n) + 1),
            "n": n,
            "events": events.astype(int),
            "probability": np.bincount(cell, weights=p * rows) / heavy,
            "observed": np.bincount(cell, weights=target * rows) / heavy,
        }
    )
    out["low"], out["high"] = np.nan, np.nan
    if resamples is not None:
        member = coo_array((rows, (np.arange(len(p)), cell)), shape=(len(p), len(n))).tocsr()
        hits = coo_array((target * rows, (np.arange(len(p)), cell)), shape=(len(p), len(n))).tocsr()
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = resamples.run(lambda weight: (weight @ hits) / (weight @ member))
        out[["low", "high"]] = [percentile_interval(column, level) for column in rates.T]
    return out


def net_benefit_curve(
    y: ArrayLike,
    probability: ArrayLike,
    thresholds: Sequence[float],
    resamples: Resamples | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Net benefit of visiting those whose probability reaches each threshold, and of visiting everyone.

    Parameters
    ----------
    y, probability : array of shape (n,)
        0/1, and the chance foretold.
    thresholds
        In (0, 1): the chance at which a visit is just worth making.
    resamples
        For intervals.
    level
        Level of the interval.

    Returns
    -------
    DataFrame
        ``threshold, net_benefit, low, high, visit_all`` (visiting no one is 0), ``visited`` (share).

    Raises
    ------
    ValueError
        If a threshold is not in (0, 1).

    References
    ----------
    Vickers and Elkin 2006, "Decision curve analysis".
    """
    target, p = np.asarray(y, dtype=float), np.asarray(probability, dtype=float)
    cut = np.asarray(thresholds, dtype=float)
    if not ((cut > 0) & (cut < 1)).all():
        raise ValueError(f"thresholds {thresholds!r}: each must be in (0, 1)")
    odds = cut / (1 - cut)
    # One visit's worth: 1 for an event, minus the odds for another.
    visited = (p[:, None] >= cut).astype(float)
    worth = visited * (target[:, None] - (1 - target[:, None]) * odds)
    out = pd.DataFrame({
        "threshold": cut, "net_benefit": worth.mean(axis=0), "low": np.nan, "high": np.nan,
        "visit_all": target.mean() - (1 - target.mean()) * odds, "visited": visited.mean(axis=0),
    })  # fmt: skip
    if resamples is not None:
        drawn = resamples.run(lambda weight: (weight @ worth) / weight.sum(axis=1, keepdims=True))
        ends = [percentile_interval(drawn[:, k], level) for k in range(len(cut))]
        out["low"], out["high"] = [e[0] for e in ends], [e[1] for e in ends]
    return out


def net_benefit(y: ArrayLike, probability: ArrayLike, threshold: float) -> float:
    """Net benefit of visiting everyone whose probability reaches a threshold.

    Parameters
    ----------
    y, probability, threshold
        As in `net_benefit_curve`; one threshold.

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
    return float(net_benefit_curve(y, probability, [threshold])["net_benefit"].iloc[0])


METRICS.register(
    Metric(
        "auc",
        zh="AUC（区分度）",
        en="AUC",
        formula="P(score of an event > score of a non-event), ties 1/2",
        source="Hanley & McNeil 1982",
        better="higher",
        needs="score",
        kernel=auc_kernel,
        order=10,
        shown_in=("summary", "periods"),
        checked_against=(
            "published: Hanley & McNeil 1982, the 109 rated scans (0.893); scikit-learn, with weights and"
            " ties"
        ),
        tests=(
            "evaluation/test_published.py::test_auc_of_the_rated_scans",
            "evaluation/test_score_metrics.py::test_both_agree_with_scikit_learn_under_ties_and_weights",
        ),
    )
)
METRICS.register(
    Metric(
        "average_precision",
        zh="平均精确率",
        en="average precision",
        formula="Σ (R_i − R_{i−1})·P_i",
        source="Manning et al., Introduction to Information Retrieval, ch. 8",
        better="higher",
        needs="score",
        kernel=average_precision_kernel,
        order=20,
        shown_in=("summary", "periods"),
        checked_against="scikit-learn, and the worked example of its manual (0.83)",
        tests=(
            "evaluation/test_score_metrics.py::test_both_agree_with_scikit_learn_under_ties_and_weights",
            "evaluation/test_published.py::test_average_precision_and_brier_of_scikit_learns_manual",
        ),
    )
)
METRICS.register(
    Metric(
        "brier",
        zh="Brier 分数",
        en="Brier score",
        formula="mean (p − y)²",
        source="Brier 1950",
        better="lower",
        needs="probability",
        kernel=brier_kernel,
        order=30,
        shown_in=("summary", "periods"),
        checked_against="scikit-learn, and the worked example of its manual (0.0375)",
        tests=(
            "evaluation/test_score_metrics.py::test_brier_is_scikit_learns",
            "evaluation/test_published.py::test_average_precision_and_brier_of_scikit_learns_manual",
        ),
    )
)
METRICS.register(
    Metric(
        "calibration_intercept",
        zh="校准截距",
        en="calibration intercept",
        formula="a in logit P(y) = a + logit p",
        source=_STEYERBERG,
        better="near 0",
        needs="probability",
        kernel=intercept_kernel,
        order=40,
        checked_against="statsmodels GLM with an offset",
        tests=(
            "evaluation/test_score_metrics.py::test_slope_and_intercept_are_the_logistic_recalibration_of_statsmodels",
        ),
    )
)
METRICS.register(
    Metric(
        "calibration_slope",
        zh="校准斜率",
        en="calibration slope",
        formula="b in logit P(y) = a + b·logit p",
        source="Cox 1958; " + _STEYERBERG,
        better="near 1",
        needs="probability",
        kernel=slope_kernel,
        order=50,
        shown_in=("summary",),
        checked_against="statsmodels Logit",
        tests=(
            "evaluation/test_score_metrics.py::test_slope_and_intercept_are_the_logistic_recalibration_of_statsmodels",
        ),
    )
)
METRICS.register(
    Metric(
        "net_benefit",
        zh="净收益",
        en="net benefit",
        formula="TP/n − FP/n·pt/(1 − pt)",
        source="Vickers & Elkin 2006",
        better="higher",
        needs="probability",
        order=170,
        checked_against=(
            "scikit-learn's confusion matrix; zero for visiting all at the base rate (Vickers & Elkin 2006)"
        ),
        tests=(
            "evaluation/test_published.py::test_net_benefit_by_the_confusion_matrix_and_where_visiting_all_breaks_even",
            "evaluation/test_paired_lists.py::test_net_benefit_curve_is_the_single_threshold_many_times",
        ),
    )
)
