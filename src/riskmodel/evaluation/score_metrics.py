"""Metrics of a score or a probability: how well it orders, whether it means what it says.

A *kernel* is a function from weights of shape (replicates, units) to one value a replicate; it is prepared
once (one sort) and then run on every village resample. Units are villages, or the rows themselves (`Units`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

from riskmodel.evaluation.lists import running_sums
from riskmodel.evaluation.metrics import METRICS, Array, Kernel, Metric
from riskmodel.evaluation.units import Units, weigh
from riskmodel.models import fit_affine

# A probability of exactly 0 or 1 has no log-odds; a billionth is beyond what any county can tell from 0.
_CLIP = 1e-9
# Village resamples are fitted on counts per probability bin; the point itself on all rows.
_BINS = 512
# A table of pairs of units is weighed faster than rows while it has at most so many cells a row.
_PAIRS = 40
# Scores of events whose running sums are held at once, for every unit.
_STEP = 1024
_STEYERBERG = "Steyerberg, Clinical Prediction Models, ch. 15"


def auc_kernel(y: Array, score: Array, units: Units | None = None) -> Kernel:
    """Prepare the area under the ROC curve; equal scores count one half.

    Parameters
    ----------
    y, score : array of shape (n,)
        0/1, and what orders.
    units : Units, optional
        What the rows are resampled with; default each row by itself.

    Returns
    -------
    callable
        Weights (replicates, units) to areas (replicates,); NaN where a class has no weight.
    """
    units = Units.of_rows(len(y)) if units is None else units
    if units.count**2 > _PAIRS * len(y) or not (y == 1).any():
        return _auc_of_rows(y, score, units)
    events, others, beaten = units.sums(y == 1), units.sums(y == 0), _pairs_beaten(y, score, units)
    return lambda weight: _ratio(
        np.sum((weight @ beaten) * weight, axis=1), (weight @ events) * (weight @ others)
    )


def _pairs_beaten(y: Array, score: Array, units: Units) -> Array:
    """Count pairs of an event that outranks a non-event, by the units of both; ties one half."""
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    values, place = np.unique(score[events], return_inverse=True)
    # Twice the place among the events' distinct scores, odd where equal to one of them.
    at = np.searchsorted(values, score[others], side="left")
    equal = (at < len(values)) & (values[np.minimum(at, len(values) - 1)] == score[others])
    below = units.table(at, len(values) + 1, others)
    tied = units.table(at[equal], len(values) + 1, others[equal])
    out = np.zeros((units.count, units.count))
    running = np.zeros(units.count)
    by_score = units.table(place, len(values), events)
    for first in range(0, len(values), _STEP):
        last = min(first + _STEP, len(values))
        heavier = np.cumsum(below[first:last].toarray(), axis=0) + running
        running = heavier[-1]
        out += by_score[first:last].T @ (heavier - 0.5 * tied[first:last].toarray())
    return out


def _auc_of_rows(y: Array, score: Array, units: Units) -> Kernel:
    events, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    others = others[np.argsort(score[others], kind="stable")]
    below = np.searchsorted(score[others], score[events], side="left")
    upto = np.searchsorted(score[others], score[events], side="right")

    def kernel(weight: Array) -> Array:
        heavier = running_sums(units.of(weight, others))
        on_events = units.of(weight, events)
        beaten = 0.5 * np.sum(on_events * (heavier[:, below] + heavier[:, upto]), axis=1)
        return _ratio(beaten, on_events.sum(axis=1) * heavier[:, -1])

    return kernel


def average_precision_kernel(y: Array, score: Array, units: Units | None = None) -> Kernel:
    """Prepare the average precision: precision at each event's score, averaged over the events."""
    units = Units.of_rows(len(y)) if units is None else units
    values, place = np.unique(-score[y == 1], return_inverse=True)
    # Everyone with at least this score stands on the list that reaches the event; who is below all events
    # is on none of the lists.
    reached = np.searchsorted(values, -score, side="left")
    rows = np.flatnonzero(reached < len(values))
    on_list = units.table(reached[rows], len(values), rows)
    on_events = units.table(place, len(values), np.flatnonzero(y == 1))

    def kernel(weight: Array) -> Array:
        events, listed = weigh(on_events, weight), weigh(on_list, weight)
        hits = np.cumsum(events, axis=0)
        np.cumsum(listed, axis=0, out=listed)
        precision = np.divide(hits, listed, out=np.zeros_like(hits), where=listed > 0)
        return _ratio(np.sum(events * precision, axis=0), events.sum(axis=0))

    return kernel


def brier_kernel(y: Array, probability: Array, units: Units | None = None) -> Kernel:
    """Prepare the mean squared error of probabilities."""
    units = Units.of_rows(len(y)) if units is None else units
    loss = units.sums((probability - y) ** 2)
    return lambda weight: (weight @ loss) / (weight @ units.size)


def slope_kernel(y: Array, probability: Array, units: Units | None = None) -> Kernel:
    """Prepare the calibration slope: b in ``logit P(y) = a + b * logit(probability)``."""
    return _affine_kernel(y, probability, units, slope=True)


def intercept_kernel(y: Array, probability: Array, units: Units | None = None) -> Kernel:
    """Prepare calibration in the large: a in ``logit P(y) = a + logit(probability)``."""
    return _affine_kernel(y, probability, units, slope=False)


def _affine_kernel(y: Array, probability: Array, units: Units | None, *, slope: bool) -> Kernel:
    units = Units.of_rows(len(y)) if units is None else units
    margin = logit(np.clip(probability, _CLIP, 1 - _CLIP))
    which = int(slope)
    edges = np.unique(np.quantile(margin, np.linspace(0, 1, _BINS + 1)[1:-1]))
    _, cell = np.unique(np.searchsorted(edges, margin, side="left"), return_inverse=True)
    centre = np.bincount(cell, weights=margin) / np.bincount(cell)
    event = np.flatnonzero(y == 1)
    totals = units.table(cell, len(centre))
    hits = units.table(cell[event], len(centre), event)
    every = np.ones(len(y))
    exact = fit_affine(margin, y, every, slope=slope)[which][0]
    counted = [np.bincount(cell, weights=part, minlength=len(centre)) for part in (y, every)]
    shift = exact - fit_affine(centre, *counted, slope=slope)[which][0]

    def kernel(weight: Array) -> Array:
        return fit_affine(centre, weigh(hits, weight).T, weigh(totals, weight).T, slope=slope)[which] + shift

    return kernel


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def _weights(given: ArrayLike | None, n: int) -> Array:
    return np.ones(n) if given is None else np.asarray(given, dtype=float)


def evaluate_kernel(
    prepare: Callable[[Array, Array], Kernel], y: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> float:
    """Run a kernel for one weighting."""
    target = np.asarray(y, dtype=float)
    return float(prepare(target, np.asarray(score, dtype=float))(_weights(weight, len(target))[None])[0])


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
        by_unit=True,
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
        by_unit=True,
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
        by_unit=True,
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
        by_unit=True,
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
        by_unit=True,
        order=50,
        shown_in=("summary",),
        checked_against="statsmodels Logit",
        tests=(
            "evaluation/test_score_metrics.py::test_slope_and_intercept_are_the_logistic_recalibration_of_statsmodels",
        ),
    )
)
