"""What visits found: confirmed among those who were met, by how the household came to be visited."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

SOURCES = ("rule", "model", "random", "application")
COLUMNS = ["selected_by", "visits", "confirmed", "not_confirmed", "absent", "rate", "low", "high"]
# 002 (Wuhu 2019): 383 households checked, 126 confirmed. They were screened beforehand, for illness costs:
# context for an office's own yield, no target for a list drawn from everyone.
PUBLISHED = {"confirmed": 126, "checked": 383}


def wilson(hits: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[NDArray[np.float64], ...]:
    """Return the interval of a share by the score method.

    Parameters
    ----------
    hits, n : array
        Counts; ``n`` of 0 gives NaN.
    level : float

    Returns
    -------
    low, high : array

    References
    ----------
    Wilson 1927; recommended for small counts by Brown, Cai & DasGupta 2001.

    Examples
    --------
    >>> [round(float(v), 3) for v in wilson(126, 383)]
    [0.284, 0.378]
    """
    x, m = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    z = float(norm.ppf(0.5 + level / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (x + z**2 / 2) / (m + z**2)
        reach = z / (m + z**2) * np.sqrt(x * (m - x) / m + z**2 / 4)
    known = m > 0
    low = np.where(known, np.clip(centre - reach, 0, 1), np.nan)
    high = np.where(known, np.clip(centre + reach, 0, 1), np.nan)
    return low, high


def by_source(visits: pd.DataFrame) -> pd.DataFrame:
    """Count findings by source, with the share confirmed of those met and its interval.

    Parameters
    ----------
    visits : DataFrame
        ``selected_by`` (null: not said) and ``outcome``.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a source that has visits, in the order of `SOURCES`, then visits without one
        (``unknown``). Households that were not met say nothing about the list: they are counted, and left
        out of ``rate``. Visits are taken as independent; several of one village are not quite.
    """
    source = visits["selected_by"].fillna("unknown")
    rows = []
    for name in (*SOURCES, "unknown"):
        own = visits["outcome"][source == name].value_counts()
        counts = {o: int(own.get(o, 0)) for o in ("confirmed", "not_confirmed", "absent")}
        total = sum(counts.values())
        if total:
            met = counts["confirmed"] + counts["not_confirmed"]
            low, high = wilson(counts["confirmed"], met)
            rate = counts["confirmed"] / met if met else float("nan")
            shares = {"rate": rate, "low": float(low), "high": float(high)}
            rows.append({"selected_by": name, "visits": total, **counts, **shares})
    return pd.DataFrame(rows, columns=COLUMNS)
