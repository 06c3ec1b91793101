"""A classifier beside the distribution: the same question on the same rows, villages and signals.

Whether income falls below the line can be read from its forecast distribution, or be learnt directly. On
equal terms: the package's logistic regression is fitted on the villages that boosting is fitted on and
calibrated on those that the distributions are calibrated on; on past days, halves of these take turns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from riskmodel import models
from riskmodel.forecasting import methods
from riskmodel.forecasting.household import HouseholdForecast, Learned
from riskmodel.forecasting.proper import brier
from riskmodel.models import fit_affine

Array = NDArray[Any]
CLASSIFIER = "logit"
FEWEST_EVENTS = 20  # to fit on; half as many to calibrate on


class Difference(NamedTuple):
    """Brier score of the distribution, of the classifier, and the first less the second with its interval."""

    distribution: float
    classifier: float
    difference: float
    low_95: float
    high_95: float
    rows: int


def difference(y: ArrayLike, distribution: ArrayLike, classifier: ArrayLike, village: Any) -> Difference:
    """Compare two sets of probabilities; the interval is over villages, whose households share their luck.

    Parameters
    ----------
    y : array of shape (n,)
        0/1.
    distribution, classifier : array of shape (n,)
    village : array-like of shape (n,)

    Returns
    -------
    Difference
        Ratio estimate over villages with Student's t (Cochran, W. 1977, Sampling Techniques, section 6.3);
        NaN limits where there is one village.
    """
    from scipy.stats import t

    hit, p, q = (np.asarray(v, dtype=float) for v in (y, distribution, classifier))
    rows = pd.DataFrame({"d": (p - hit) ** 2 - (q - hit) ** 2, "n": 1.0})
    sums = rows.groupby(np.asarray(village)).sum()
    mean, k = float(rows["d"].mean()), len(sums)
    half = float("nan")
    if k > 1:
        rest = sums["d"] - mean * sums["n"]
        half = float(t.ppf(0.975, k - 1) * np.sqrt(k / (k - 1) * (rest**2).sum()) / sums["n"].sum())
    return Difference(brier(hit, p), brier(hit, q), mean, mean - half, mean + half, len(rows))


def compare(learned: Learned, line: float, seed: int) -> Difference | None:
    """Compare the chosen method's probabilities with the classifier's on the held-out past rows.

    Parameters
    ----------
    learned : Learned
    line : float
    seed : int

    Returns
    -------
    Difference or None
        None where too few past households were below the line (20 to fit on, 10 in each half held out).
    """
    base, held = _fitted(learned, line, seed), _held(learned)
    if base is None:
        return None
    y, half = _below(held, line), held["half"].to_numpy()
    if any(y[half == k].sum() < FEWEST_EVENTS / 2 for k in (0, 1)):
        return None
    margin, p = base.margin(_signals(held)), np.empty(len(held))
    for k in (0, 1):
        p[half == k] = _placed(margin[half != k], y[half != k], margin[half == k])
    return difference(y, held[f"below_{learned.chosen}"], p, methods.villages(held))


def probabilities(made: HouseholdForecast, horizon: int, seed: int) -> Array | None:
    """Return the classifier's probabilities of income below the line, shape (n,).

    Parameters
    ----------
    made : HouseholdForecast
    horizon : int
    seed : int

    Returns
    -------
    array of shape (n,) or None
        None where too few past households were below the line (20 to fit on, 10 to calibrate on).
    """
    learned, line = made.learned[horizon], made.lines[horizon]
    base, held = _fitted(learned, line, seed), _held(learned)
    if base is None or _below(held, line).sum() < FEWEST_EVENTS / 2:
        return None
    panel = methods.panel(made.standing, horizon, made.scale, made.components)
    now = methods.signals(made.standing, made.scale, panel)
    return _placed(base.margin(_signals(held)), _below(held, line), base.margin(now))


def _fitted(learned: Learned, line: float, seed: int) -> Any:
    if learned.training.empty:
        return None
    past = learned.training[learned.training["fitted"]]
    y = _below(past, line)
    if y.sum() < FEWEST_EVENTS:
        return None
    model = models.make(CLASSIFIER, seed=seed)
    return model.fit(_signals(past), y.astype(int), groups=methods.villages(past))


def _held(learned: Learned) -> pd.DataFrame:
    t = learned.training
    return t[~t["fitted"]].reset_index(drop=True) if len(t) else t


def _below(t: pd.DataFrame, line: float) -> Array:
    return (t["actual"].round(9) < line).to_numpy(dtype=float)


def _signals(t: pd.DataFrame) -> pd.DataFrame:
    return t.filter(regex="^x_").rename(columns=lambda c: c[2:])


def _placed(margin: Array, y: Array, at: Array) -> Array:
    """Return probabilities at margins, calibrated by an affine map of the log-odds."""
    from scipy.special import expit

    placed = fit_affine(margin, y[None, :], np.ones((1, y.size)), smooth=True)
    return np.asarray(expit(placed.intercept[0] + placed.slope[0] * at))
