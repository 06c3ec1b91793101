"""A probability over its range: observed rate against what was foretold, and net benefit by threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from riskmodel.evaluation.metrics import METRICS, Metric
from riskmodel.evaluation.predictions import Resamples, percentile_interval
from riskmodel.evaluation.units import weigh


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
    rows = np.ones(len(p)) if weight is None else np.asarray(weight, dtype=float)
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
        units = resamples.units(rows)
        event = np.flatnonzero(target == 1)
        member, hits = units.table(cell, len(n)), units.table(cell[event], len(n), event)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = resamples.run_units(lambda weight: (weigh(hits, weight) / weigh(member, weight)).T)
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
        units = resamples.units()
        sums, size = units.sums(worth), units.size[:, None]
        drawn = resamples.run_units(lambda weight: (weight @ sums) / (weight @ size))
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
