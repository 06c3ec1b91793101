r"""Forecasts that add up: township × cause, townships, causes and the county, reconciled.

With S the summing matrix of the cells, base forecasts :math:`\hat y` of all series are replaced by

.. math:: \tilde y = S G \hat y, \quad G = (S' W^{-1} S)^{-1} S' W^{-1}

where W is the identity (``ols``), the diagonal of error variances (``wls``), or the covariance of one-step
errors shrunk to its diagonal (``mint``).

References
----------
Hyndman, R., Ahmed, R., Athanasopoulos, G. and Shang, H. (2011), Optimal combination forecasts for
hierarchical time series, CSDA 55, 2579-2589; Wickramasuriya, S., Athanasopoulos, G. and Hyndman, R. (2019),
Optimal forecast reconciliation through trace minimization, JASA 114, 804-819; Schäfer, J. and Strimmer, K.
(2005), Stat. Appl. Genet. Mol. Biol. 4, 32 (the shrinkage).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Weighting = Literal["ols", "wls", "mint"]
WEIGHTINGS: tuple[Weighting, ...] = ("ols", "wls", "mint")
ALL = "all"


@dataclass(frozen=True)
class Hierarchy:
    """Townships and causes, crossed; series come in the order county, causes, townships, cells."""

    townships: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def labels(self) -> pd.DataFrame:
        """Level, township and cause of every series; ``all`` where they are summed over."""
        rows = [("county", ALL, ALL)]
        rows += [("cause", ALL, c) for c in self.causes]
        rows += [("township", t, ALL) for t in self.townships]
        rows += [("cell", t, c) for t in self.townships for c in self.causes]
        return pd.DataFrame(rows, columns=["level", "township", "cause"])

    @property
    def summing(self) -> Array:
        """The summing matrix, shape (series, cells)."""
        i, j = len(self.townships), len(self.causes)
        return np.vstack(
            [
                np.ones((1, i * j)),
                np.tile(np.eye(j), (1, i)),
                np.kron(np.eye(i), np.ones((1, j))),
                np.eye(i * j),
            ]
        )

    def add_up(self, cells: Array) -> Array:
        """Return all series of cells (cells first axis)."""
        return np.tensordot(self.summing, cells, axes=(1, 0))


def shrunk_correlation(errors: Array) -> tuple[Array, float]:
    r"""Return the correlation of errors shrunk to the identity, and the shrinkage.

    .. math:: \lambda^* = \frac{\sum_{i \ne j} \widehat{Var}(r_{ij})}{\sum_{i \ne j} r_{ij}^2}
    """
    n = errors.shape[0]
    sd = np.sqrt((errors**2).mean(axis=0))
    x = np.divide(errors, sd, out=np.zeros_like(errors), where=sd > 1e-12)
    r = x.T @ x / n
    # Var(r_ij) = n / (n - 1)^3 sum (w_kij - mean w_ij)^2, of errors around zero.
    squares = (x**2).T @ (x**2)
    variance = (squares - n * r**2) / (n * max(n - 1, 1))
    off = ~np.eye(r.shape[0], dtype=bool)
    bottom = float((r[off] ** 2).sum())
    shrinkage = float(np.clip(variance[off].sum() / bottom, 0, 1)) if bottom > 0 else 1.0
    out = (1 - shrinkage) * r
    np.fill_diagonal(out, 1.0)
    return out, shrinkage


@dataclass(frozen=True)
class Reconciled:
    """Means (series, H), their error variances (series, H), and what shrinkage was used."""

    mean: Array
    variance: Array
    shrinkage: float


def reconcile(
    hierarchy: Hierarchy, mean: Array, variance: Array, errors: Array, weighting: Weighting = "mint"
) -> Reconciled:
    """Make base forecasts add up."""
    s = hierarchy.summing
    correlation, shrinkage = shrunk_correlation(errors) if weighting == "mint" else (np.eye(len(s)), 1.0)
    out, spread = np.empty_like(mean), np.empty_like(variance)
    for h in range(mean.shape[1]):
        sd = np.sqrt(np.maximum(variance[:, h], 1e-8))
        true = correlation * np.outer(sd, sd)
        w = np.eye(len(s)) if weighting == "ols" else true
        g = projection(s, w)
        cells = np.maximum(g @ mean[:, h], 0.0)
        out[:, h] = s @ cells
        spread[:, h] = np.diag(s @ (g @ true @ g.T) @ s.T)
    return Reconciled(out, spread, shrinkage)


def projection(s: Array, w: Array) -> Array:
    r"""Return G, from all series to cells.

    With C the constraints that bind the upper series to the cells, :math:`G = J - J W C' (C W C')^{-1} C`
    is the same matrix and needs no inverse of W (Wickramasuriya et al. 2019, section 2.4).
    """
    m = s.shape[1]
    upper = len(s) - m
    c = np.hstack([np.eye(upper), -s[:upper]])
    wc = w @ c.T
    # Townships and causes sum to the same county twice: the constraints are independent all the same.
    gain = np.linalg.solve(c @ wc, wc[upper:].T).T
    j = np.hstack([np.zeros((m, upper)), np.eye(m)])
    return j - gain @ c
