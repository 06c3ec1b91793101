"""Net benefit over thresholds: whether acting on the score beats visiting everyone, or no one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from riskmodel.evaluation.bootstrap import Resamples, percentile_interval

Array = NDArray[np.float64]


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
    thresholds : sequence of float
        In (0, 1): the chance at which a visit is just worth making.
    resamples : Resamples, optional
        For intervals.
    level : float, default 0.95

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
