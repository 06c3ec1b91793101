"""Test and interval of a difference in recall where clusters are few, and how sure simulated figures are.

A percentile bootstrap of few villages gives intervals that are too short. Below `FEW_CLUSTERS` the test flips
the signs of the villages' differences in hits, and the interval studentises each resample
(``benchmarks/few_villages.py`` measures size and coverage of both).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Percentile intervals still cover less than 93 % at 30 clusters (measured), and 95 % at 100.
FEW_CLUSTERS = 40
# With fewer neither a test nor an interval is given: 2^7 flips can hardly tell one in twenty.
LEAST_CLUSTERS = 8
FLIPS = 10_000
_EXACT_UP_TO = 13  # clusters that differ: 8,192 flips are all there are


class Estimate(NamedTuple):
    """A simulated figure and the standard error that the number of draws leaves it with."""

    value: float
    error: float


def sign_flip_p(difference: Array, seed: int = 0) -> Estimate:
    """Return the two-sided p value of equal lists, by flipping the signs of the clusters' differences.

    Where neither list is better, each cluster's difference is as likely to be in favour of one as of the
    other. All flips are looked at where at most 13 clusters differ, else 10,000 of them.

    Parameters
    ----------
    difference : array of shape (clusters,)
        One list's hits minus the other's, of each cluster.
    seed
        Draws the flips.

    Returns
    -------
    Estimate
        p and its Monte-Carlo error, which is 0 where all flips were looked at.

    References
    ----------
    Fisher 1935; Phipson and Smyth 2010 for the one that is added where flips are drawn.

    Examples
    --------
    Five villages, each one hit more: 2 of 2⁵ flips are as far apart.

    >>> sign_flip_p(np.ones(5))
    Estimate(value=0.0625, error=0.0)
    """
    moved = np.abs(difference[difference != 0])
    if not len(moved):
        return Estimate(1.0, 0.0)
    seen = abs(float(difference.sum())) * (1 - 1e-9)
    if len(moved) <= _EXACT_UP_TO:
        signs = (np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1) * 2.0 - 1
        return Estimate(float(np.mean(np.abs(signs @ moved) >= seen)), 0.0)
    signs = np.random.default_rng(seed).integers(0, 2, (FLIPS, len(moved))) * 2.0 - 1
    share = (1 + int(np.sum(np.abs(signs @ moved) >= seen))) / (FLIPS + 1)
    return Estimate(float(share), binomial_error(share, FLIPS))


def bootstrap_t_interval(
    difference: Array, total: Array, counts: Array, level: float = 0.95
) -> tuple[Estimate, Estimate]:
    """Return the interval of Σ difference / Σ total by the symmetric bootstrap-t on the linearised ratio.

    Parameters
    ----------
    difference, total : array of shape (clusters,)
        Hits of one list minus the other's, and events, of each cluster; lists stay as they were drawn up.
    counts : array of shape (replicates, clusters)
        How often each cluster comes in each resample.
    level
        Of the interval.

    Returns
    -------
    tuple of Estimate
        Lower and upper end with Monte-Carlo errors; NaN where more than a tenth of the resamples have no
        events or no spread. [0, 0] where no cluster differs.

    References
    ----------
    Hall 1988, "On symmetric bootstrap confidence intervals"; Cameron, Gelbach and Miller 2008.
    """
    none = Estimate(float("nan"), float("nan"))
    whole, n = float(total.sum()), len(total)
    if not np.any(difference):
        return (Estimate(0.0, 0.0),) * 2
    if whole <= 0 or n < 2 or not len(counts):
        return none, none
    ratio = float(difference.sum()) / whole
    scale = n / (n - 1)
    error = np.sqrt(scale * np.sum((difference - ratio * total) ** 2)) / whole
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn_total = counts @ total
        drawn = (counts @ difference) / drawn_total
        squares = (
            counts @ difference**2
            - 2 * drawn * (counts @ (difference * total))
            + drawn**2 * (counts @ total**2)
        )
        t = np.abs(drawn - ratio) / (np.sqrt(scale * np.maximum(squares, 0)) / drawn_total)
    usable = t[np.isfinite(t)]
    if error == 0 or usable.size < 0.9 * len(t):
        return none, none
    reach = quantile_with_error(usable, level)
    return (
        Estimate(ratio - reach.value * error, reach.error * error),
        Estimate(ratio + reach.value * error, reach.error * error),
    )


def quantile_with_error(values: Array, share: float) -> Estimate:
    """Return a quantile of simulated values and its Monte-Carlo error, from the values around it."""
    spread = np.sqrt(share * (1 - share) / values.size)
    low, middle, high = np.quantile(values, np.clip([share - spread, share, share + spread], 0, 1))
    return Estimate(float(middle), float(high - low) / 2)


def binomial_error(share: float, draws: int) -> float:
    """Return the Monte-Carlo error of a share of so many draws."""
    return float(np.sqrt(max(share * (1 - share), 0.0) / draws))
