"""How many households at risk a list reaches, and what more visits would add, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

MORE = (0, 10, 20, 50, 100, 200, 500)
LEVEL = 0.95


def more_visits(known: pd.DataFrame) -> pd.DataFrame:
    """Return the expected number of households hit within the horizon that n more visits would reach.

    Parameters
    ----------
    known : DataFrame
        `riskmodel.scoring.worklist.plan.plan`: ``planned, selected_by, turn, held, probability`` by falling
        probability; with ``probability_low`` and ``probability_high`` there is an interval.

    Returns
    -------
    DataFrame
        ``more, visits, expected, low, high, share``: rows of `MORE` as far as there are households, whom a
        rule names first, in their turn, then by probability. ``expected`` is the sum of probabilities,
        ``share`` of the sum over all. The interval is for the number that will be hit: Poisson with the
        sums of the lower and upper probabilities as means.

    Notes
    -----
    A sum of independent 0/1 outcomes spreads less than a Poisson of the same mean (Le Cam 1960), so the
    interval covers at least its level if the probabilities' intervals do; taking all lower (or upper) ends
    together assumes that they err together, as the calibration of one model does.
    """
    from scipy.stats import poisson

    waiting = known[~known["planned"] & known["selected_by"].eq("rule")].sort_values("turn")
    rest = known[~known["planned"] & known["selected_by"].eq("") & ~known["held"]]
    # Whom no rule names goes on by rank; who has none can only be drawn.
    rest = rest[rest["probability"].notna()].sort_values("turn")
    order = pd.concat([known[known["planned"]], waiting, rest])
    base = int(known["planned"].sum())
    steps = sorted({n for n in MORE if n <= len(order) - base} | {min(len(order) - base, MORE[-1])})
    at = base + np.array(steps, dtype=int)
    sums = {"expected": _running(order, "probability", at)}
    tail = (1 - LEVEL) / 2
    if {"probability_low", "probability_high"} <= set(order.columns):
        sums["low"] = poisson.ppf(tail, _running(order, "probability_low", at))
        sums["high"] = poisson.ppf(1 - tail, _running(order, "probability_high", at))
    else:
        sums["low"] = sums["high"] = np.full(len(at), np.nan)
    everyone = float(known["probability"].sum())
    share = np.minimum(sums["expected"] / everyone, 1.0) if everyone else np.zeros(len(at))
    return pd.DataFrame({"more": steps, "visits": at, **sums, "share": share})


def _running(rows: pd.DataFrame, column: str, at: np.ndarray) -> np.ndarray:
    totals = np.concatenate([[0.0], np.cumsum(rows[column].fillna(0.0).to_numpy(dtype=float))])
    return totals[at]
