"""Population stability index of one column, and how large it comes out where nothing has changed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2

BINS = 10
LEVEL = 0.95
# Custom in credit scoring (Siddiqi 2006): above the first it is worth a look, above the second the
# population is another one. An assumption; the sampling limit below says what is more than chance.
LOOK, ALARM = 0.1, 0.25


class Psi(NamedTuple):
    """An index, what chance alone would give, and the verdict.

    Attributes
    ----------
    value : float
        Σ (q − p) ln(q / p) over bins.
    chance : float
        Its expectation where nothing has changed.
    limit : float
        Its 95 % quantile where nothing has changed.
    status : str
        ``ok``, ``look`` or ``alarm``; never more than ``ok`` within the limit.
    bins : int
    """

    value: float
    chance: float
    limit: float
    status: str
    bins: int


def psi(before: pd.Series, now: pd.Series, bins: int = BINS, sizes: tuple[int, int] | None = None) -> Psi:
    """Compare the distribution of a column at two times, missing values as a bin of their own.

    Parameters
    ----------
    before, now : Series of float
        NaN is missing; ``before`` sets the bins, by its quantiles.
    bins : int
    sizes : tuple of int, optional
        How many independent values there are at each time, where that is fewer than rows: a figure of the
        township is one value, however many households share it.

    Returns
    -------
    Psi

    Notes
    -----
    Half a household is added to each bin, so that an empty one gives no infinity. If both are samples of
    one population, PSI is about χ² with B − 1 degrees of freedom times (1/n + 1/m) (Yurdakul & Naranjo
    2020, "Statistical properties of the population stability index"). The same households at two times
    differ less than two samples do: the limit is then on the safe side.

    Examples
    --------
    >>> same = pd.Series(range(1000), dtype=float)
    >>> psi(same, same).status, psi(same, same + 500).status
    ('ok', 'alarm')
    """
    n, m = sizes or (len(before), len(now))
    edges = np.unique(before.dropna().quantile(np.linspace(0, 1, bins + 1)[1:-1]).to_numpy(dtype=float))
    # Counted in independent values: where fewer than rows, the half household weighs accordingly more.
    counts = [_counts(v, edges) * (size / max(1, len(v))) for v, size in ((before, n), (now, m))]
    used = (counts[0] + counts[1]) > 0
    free = int(used.sum()) - 1
    if free < 1 or not n or not m:
        return Psi(0.0, 0.0, 0.0, "ok", max(1, free + 1))
    p, q = ((c[used] + 0.5) / (c[used].sum() + 0.5 * used.sum()) for c in counts)
    value = float(np.sum((q - p) * np.log(q / p)))
    scale = 1 / n + 1 / m
    limit = float(chi2.ppf(LEVEL, free) * scale)
    status = "ok" if value <= limit else "alarm" if value > ALARM else "look" if value > LOOK else "ok"
    return Psi(value, free * scale, limit, status, free + 1)


def _counts(values: pd.Series, edges: np.ndarray) -> np.ndarray:
    known = values.dropna().to_numpy(dtype=float)
    # An infinite value belongs to the outermost bin; searchsorted puts it there.
    inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(known)).astype(float)
