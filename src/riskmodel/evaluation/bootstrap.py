"""Village bootstrap: whole villages with all their as-of dates are drawn, so that repeats count once.

Households of a village share weather, roads and cadres, and one household stands at several as-of dates;
drawing rows would call all that independent and make every interval too narrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from riskmodel.models import village_draws

Array = NDArray[np.float64]

# Weights handled at once: a million doubles are 8 MB, and a kernel holds a few such arrays.
_CHUNK = 1_000_000
# Below this share of usable replicates an interval would describe only the lucky ones.
_LEAST_USABLE = 0.9


@dataclass(frozen=True)
class Resamples:
    """How often each village comes in each replicate, and which village each row is in.

    Attributes
    ----------
    counts : array of shape (replicates, villages)
    village : integer array of shape (n,)
    """

    counts: Array
    village: NDArray[np.int64]

    @property
    def n_villages(self) -> int:
        """Number of villages."""
        return self.counts.shape[1]

    def run(self, kernel: Callable[[Array], Array]) -> Array:
        """Apply a kernel to every replicate.

        Parameters
        ----------
        kernel : callable
            From weights (replicates, n) to an array whose first axis is the replicates.

        Returns
        -------
        array of shape (replicates, …)
            One row of NaN without replicates, or with one village only: nothing can be resampled.
        """
        step = max(1, _CHUNK // max(1, len(self.village)))
        if self.n_villages < 2 or len(self.counts) == 0:
            return np.full_like(kernel(np.ones((1, len(self.village)))), np.nan)
        parts = [
            kernel(self.counts[first : first + step][:, self.village])
            for first in range(0, len(self.counts), step)
        ]
        return np.concatenate(parts)


def village_resamples(villages: pd.DataFrame | Any, replicates: int, seed: int) -> Resamples:
    """Draw the villages.

    Parameters
    ----------
    villages : DataFrame or array of shape (n, …)
        What names a row's village; with several columns (township, village) they name it together.
    replicates : int
    seed : int

    Returns
    -------
    Resamples
        The same for the same set of villages, whatever the order of the rows.
    """
    code = village_code(villages)
    return Resamples(village_draws(int(code.max()) + 1, replicates, seed), code)


def village_code(villages: pd.DataFrame | Any) -> NDArray[np.int64]:
    """Code the villages by sorted order.

    Parameters
    ----------
    villages : DataFrame or array of shape (n, …)

    Returns
    -------
    integer array of shape (n,)
    """
    frame = villages if isinstance(villages, pd.DataFrame) else pd.DataFrame(np.asarray(villages))
    grouped = frame.groupby(list(frame.columns), sort=True, dropna=False)
    return grouped.ngroup().to_numpy().astype(np.int64)


def percentile_interval(values: Array, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values.

    Parameters
    ----------
    values : array of shape (replicates,)
        NaN where a replicate had no answer (one class only).
    level : float, default 0.95

    Returns
    -------
    tuple of float
        Lower and upper end; NaN where fewer than 90 % of the replicates had an answer.
    """
    usable = values[~np.isnan(values)]
    if usable.size == 0 or usable.size < _LEAST_USABLE * values.size:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def two_sided_p(values: Array) -> float:
    """Twice the smaller share of bootstrap differences on one side of 0, with one counted on each side.

    Where no difference lies beyond 0 the share says no more than "less than two in so many draws", which
    Holm's correction over some models could never pass; the normal tail of the differences' mean and spread
    stands in.

    Parameters
    ----------
    values : array of shape (replicates,)

    Returns
    -------
    float
        In (0, 1]; NaN without values.

    Examples
    --------
    >>> two_sided_p(np.array([1.0, 2.0, -1.0]))
    1.0
    """
    usable = values[~np.isnan(values)]
    if usable.size == 0:
        return float("nan")
    side = min(np.sum(usable <= 0), np.sum(usable >= 0))
    share = float(min(1.0, 2 * (side + 1) / (usable.size + 1)))
    spread = float(usable.std())
    if side or spread == 0:
        return share
    return min(share, max(2 * float(norm.sf(abs(usable.mean()) / spread)), np.finfo(float).tiny))
