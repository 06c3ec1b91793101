"""Which household method is used: the plainest one that is not significantly worse than the best.

Villages are dealt into two parts. Methods are fitted on one; on the other, halves take turns in calibrating
and in being scored, so that no household is judged by its own village's past.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting import conformal, methods
from riskmodel.forecasting.conformal import Distribution, Shape
from riskmodel.forecasting.methods import METHODS, Scale
from riskmodel.forecasting.proper import LEVELS, brier, coverage, crps, pinball

Array = NDArray[Any]
SIGNIFICANT = 0.05
ENDS = {80: (0.1, 0.9), 95: (0.025, 0.975)}
PINBALL = (0.1, 0.5, 0.9)
COLUMNS = [
    "method", "crps", "worse_than_best_p", *(f"pinball_{round(100 * p)}" for p in PINBALL),
    *(f"coverage_{level}" for level in ENDS), "brier", "rows",
]  # fmt: skip


def part_of(t: pd.DataFrame, seed: int, parts: int = 2) -> NDArray[np.int64]:
    """Deal villages (households, where there are fewer than six villages) into parts by a checksum.

    Parameters
    ----------
    t : DataFrame
    seed : int
    parts : int

    Returns
    -------
    array of shape (n,)
    """
    by = "village" if t["village"].nunique() >= 3 * parts else "household_id"
    names = t["township"].astype(str) + "|" + t[by].astype(str)
    dealt = {
        n: k
        for k, n in enumerate(sorted(names.unique(), key=lambda n: (zlib.crc32(f"{seed}|{n}".encode()), n)))
    }
    return (names.map(dealt) % parts).to_numpy(dtype=np.int64)


def nothing() -> pd.DataFrame:
    """Return the table of `select` where nothing could be compared."""
    return pd.DataFrame(columns=COLUMNS)


def select(
    held: pd.DataFrame,
    shapes: dict[str, Shape],
    y: Array,
    category: NDArray[np.str_],
    scale: Scale,
    line: float,
    seed: int,
) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Choose the plainest method whose CRPS is not significantly worse than the best one's.

    Each half of the held-out villages is scored with the other half's calibration; differences are tested
    over villages (paired t, one-sided 5 %), whose households share their luck.

    Parameters
    ----------
    held : DataFrame of n rows
        ``township, village, household_id`` of the held-out rows.
    shapes : dict of Shape
        By method.
    y : array of shape (n,)
        What happened, transformed.
    category : array of shape (n,)
    scale : Scale
    line : float
        Yuan a head.
    seed : int

    Returns
    -------
    table : DataFrame
        ``method, crps, pinball_10, …`` (yuan a head), ``worse_than_best_p, coverage_80, coverage_95, brier``
        (of income below the line), ``rows``.
    chosen : str
    crossed : DataFrame of n rows
        ``half`` (0/1) and, by method, ``below_<method>``: the chance of income below the line that the other
        half's calibration gives.
    """
    from scipy.stats import ttest_rel

    half = part_of(held, seed + 1)
    names = [m for m in METHODS if m in shapes]
    found = {m: _crossed(shapes[m], y, category, half, float(scale.to(np.array(line)))) for m in names}
    yuan = scale.back(y)
    losses = {m: crps(yuan, scale.back(q)) for m, (q, _) in found.items()}
    by_village = pd.DataFrame(losses).groupby(methods.villages(held)).mean()
    best = str(by_village.mean().idxmin())
    p = {
        m: 1.0
        if m == best
        else float(ttest_rel(by_village[m], by_village[best], alternative="greater").pvalue)
        for m in names
    }
    table = pd.DataFrame(
        {"method": m, "crps": float(losses[m].mean()), "worse_than_best_p": p[m], "rows": len(held)}
        | _scores(yuan, scale.back(found[m][0]), found[m][1], line)
        for m in names
    )
    crossed = pd.DataFrame({"half": half} | {f"below_{m}": found[m][1] for m in names})
    return table[COLUMNS], next(m for m in names if not p[m] < SIGNIFICANT), crossed


def _crossed(
    shape: Shape, y: Array, category: NDArray[np.str_], half: NDArray[np.int64], line: float
) -> tuple[Array, Array]:
    """Return each row's quantiles and chance below the line by the other half's calibration."""
    q, below = np.empty((y.size, len(LEVELS))), np.empty(y.size)
    for k in (0, 1):
        mine = half == k
        # One part alone (a single household): it is its own calibration.
        other = ~mine if mine.any() and not mine.all() else mine
        if not mine.any():
            continue
        found = conformal.calibrate(shape.take(other), y[other], category[other])
        made = Distribution(shape.take(mine), category[mine], found)
        q[mine], below[mine] = made.quantiles(LEVELS), made.below(np.full(int(mine.sum()), line))
    return q, below


def _scores(yuan: Array, quantiles: Array, below: Array, line: float) -> dict[str, float]:
    at = {p: int(np.argmin(np.abs(LEVELS - p))) for pair in (*ENDS.values(), PINBALL) for p in pair}
    out = {f"pinball_{round(100 * p)}": float(pinball(yuan, quantiles[:, at[p]], p).mean()) for p in PINBALL}
    for level, (low, high) in ENDS.items():
        out[f"coverage_{level}"] = coverage(yuan, quantiles[:, at[low]], quantiles[:, at[high]])
    return out | {"brier": brier(yuan.round(9) < line, below)}
