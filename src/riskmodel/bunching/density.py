"""Is a density broken at a threshold? Counts just below and just above it, against its own slope.

The density of incomes is smooth where nobody gains by standing on one side of a line; where somebody does,
too many stand just on that side. Of the n households within a window of the threshold, the number below is
binomial with a share that the density's slope gives: with log density b₁·r + b₂·r² in the distance r from
the threshold (in shares of it), log(share below / share above) = −b₁·w in a window of half-width w. The
slope is fitted to the counts farther out, which bunching at the threshold does not touch.

References
----------
McCrary 2008, Manipulation of the running variable in the regression discontinuity design: a density test,
J. Econometrics 142. Cattaneo, Jansson and Ma 2020, Simple local polynomial density estimators, JASA 115
(the binomial test near the threshold). Kleven 2016, Bunching, Annual Review of Economics 8 (the
counterfactual from outside the window).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
REACH = 0.30  # of the threshold, on either side: far enough for a slope, near enough for a parabola
BIN = 0.01
# Of the threshold, half-widths: a slip of the pen to a few yuan a day. Corrected for together.
WINDOWS = (0.01, 0.025, 0.05)
_STEPS = 50
_CLOSE = 1e-10


@dataclass(frozen=True)
class Slope:
    """How the log density rises with the distance from the threshold, and how surely that is known."""

    value: float
    error: float


@dataclass(frozen=True)
class Jump:
    """Households within a window of a threshold, and how likely so uneven a split is by chance.

    Parameters
    ----------
    below, above : int
        Exactly at the threshold is neither: round figures heap there by themselves.
    share : float
        Expected share below, of both.
    p_below, p_above : float
        Chance of at least so many below, and above, where nothing bunches.
    """

    below: int
    above: int
    share: float
    p_below: float
    p_above: float

    @property
    def p(self) -> float:
        """Two-sided p-value."""
        return min(1.0, 2 * min(self.p_below, self.p_above))

    @property
    def excess(self) -> float:
        """How many more stand below than expected; negative where they stand above."""
        return self.below - self.share * (self.below + self.above)


def slope(distance: Floats, reach: float = REACH, spared: float = max(WINDOWS)) -> Slope:
    """Fit the slope of the log density at a threshold from the counts on both sides farther out.

    Parameters
    ----------
    distance : array of shape (n,)
        Income over threshold, less one.
    reach, spared : float
        Counts between ``spared`` and ``reach`` are used.

    Returns
    -------
    Slope
        Poisson regression of bin counts on the distance and its square; the error is inflated where counts
        scatter more than Poisson's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = slope(rng.uniform(-0.3, 0.3, 5000))
    >>> bool(abs(found.value) < 3 * found.error)
    True
    """
    edges = np.linspace(-reach, reach, round(2 * reach / BIN) + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(distance, edges)[0].astype(float)
    used = np.abs(middle) > spared
    x = np.column_stack([np.ones(middle.size), middle, middle**2])[used]
    coefficients, covariance = poisson_fit(x, counts[used])
    mean = np.exp(x @ coefficients)
    dispersion = ((counts[used] - mean) ** 2 / mean).sum() / (used.sum() - x.shape[1])
    return Slope(float(coefficients[1]), float(np.sqrt(covariance[1, 1] * max(1.0, dispersion))))


def poisson_fit(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return coefficients and covariance of a Poisson regression with log link, by Newton's method.

    Parameters
    ----------
    x : array of shape (n, k)
    y : array of shape (n,)

    Returns
    -------
    tuple of array
        Shapes (k,) and (k, k).
    """
    # A quarter of a count keeps the start finite where bins are empty.
    beta = np.linalg.lstsq(x, np.log(y + 0.25), rcond=None)[0]
    for _ in range(_STEPS):
        mean = np.exp(np.clip(x @ beta, -30, 30))
        information = x.T @ (mean[:, None] * x)
        step = np.linalg.solve(information, x.T @ (y - mean))
        beta = beta + step
        if np.abs(step).max() < _CLOSE:
            break
    return beta, np.linalg.inv(x.T @ (np.exp(np.clip(x @ beta, -30, 30))[:, None] * x))


def jump(distance: Floats, household: NDArray[Any], window: float, given: Slope) -> Jump:
    """Hold the split within a window against the split that a smooth density gives.

    Parameters
    ----------
    distance : array of shape (n,)
        Income over threshold, less one.
    household : array of shape (n,)
        Whose income it is: a household that stands there year after year is one witness, not five.
    window : float
        Half-width, a share of the threshold.
    given : Slope

    Returns
    -------
    Jump
        The number below is beta-binomial: its spread holds the binomial's, that of households seen more than
        once, and the slope's error.
    """
    near = (np.abs(distance) <= window) & (distance != 0)
    under = distance[near] < 0
    n, k = int(near.sum()), int(under.sum())
    share = float(1 / (1 + np.exp(given.value * window)))
    if n < 2:
        return Jump(k, n - k, share, 1.0, 1.0)
    spread = share * (1 - share)
    sums = np.bincount(np.unique(household[near], return_inverse=True)[1], under - share)
    repeated = max(1.0, float((sums**2).sum()) / (n * spread))
    error = spread * window * given.error
    inside = ((repeated - 1) + n * error**2 / spread) / (n - 1)
    p_below, p_above = _tails(k, n, share, min(inside, 0.99))
    return Jump(k, n - k, share, p_below, p_above)


def _tails(k: int, n: int, share: float, inside: float) -> tuple[float, float]:
    """Return P(K ≥ k) and P(K ≤ k) of a beta-binomial with a correlation ``inside``; a binomial at 0."""
    from scipy import stats

    if inside < 1e-9:
        law = stats.binom(n, share)
    else:
        total = 1 / inside - 1
        law = stats.betabinom(n, share * total, (1 - share) * total)
    return float(law.sf(k - 1)), float(law.cdf(k))
