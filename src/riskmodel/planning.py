"""Planning a study: how sure the precision of a list will be, how small a difference of two lists will show.

Exact binomial quantities by the incomplete beta function, so that a plan needs no more than numpy and the
special functions of scipy; what is measured on predictions stands in `riskmodel.evaluation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, ndtri

# Where no comparison has been made yet: lists at one budget that hold a third of the events on one side only.
DISCORDANT = 0.3
# How much better than chance a list may be; official lists and models have been measured between 2 and 10.
LIFTS = (1.5, 2.0, 3.0, 5.0, 10.0)


class ShareInterval(NamedTuple):
    """A share with its exact interval."""

    share: float
    low: float
    high: float


def design_effect(rows_per_village: float, correlation: float) -> float:
    """By how much villages inflate a variance: 1 + (m − 1)·ρ.

    Parameters
    ----------
    rows_per_village
        m, of the rows in question (visits, or events), on average.
    correlation
        ρ, of two households of one village; about 0.01–0.05 for poverty within counties.

    Returns
    -------
    float
        At least 1.

    References
    ----------
    Kish 1965, *Survey Sampling*, ch. 5.

    Examples
    --------
    >>> design_effect(11, 0.05)
    1.5
    """
    return 1 + max(0.0, rows_per_village - 1) * correlation


def precision_interval(hits: float, visits: float, level: float = 0.95, effect: float = 1.0) -> ShareInterval:
    """Interval of precision@k (Clopper–Pearson on effective counts).

    Parameters
    ----------
    hits, visits
        Counts: how many of how many.
    level
        Level of the interval.
    effect
        Design effect; counts are divided by it.

    Returns
    -------
    ShareInterval
        Share with its ends.

    References
    ----------
    Clopper and Pearson 1934; Korn and Graubard 1998 for effective counts.

    Examples
    --------
    >>> [round(v, 4) for v in precision_interval(5, 150)]
    [0.0333, 0.0109, 0.0761]
    """
    a, n = hits / effect, visits / effect
    tail = (1 - level) / 2
    low = float(betaincinv(a, n - a + 1, tail)) if a > 0 else 0.0
    high = float(betaincinv(a + 1, n - a, 1 - tail)) if a < n else 1.0
    return ShareInterval(hits / visits, low, high)


def precision_power(
    base_rate: float, visits: int, lift: float, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Power to show that a list of k visits is better than random: precision above the base rate.

    Parameters
    ----------
    base_rate
        Share with the event among all (0.01: one in a hundred).
    visits
        k.
    lift
        True precision over the base rate.
    alpha
        One-sided level of the exact binomial test.
    effect
        Design effect.

    Returns
    -------
    float
        Chance that the test shows it.

    Raises
    ------
    ValueError
        If the lifted precision is not in (0, 1].

    Examples
    --------
    At a base rate of 1 % two hundred visits show a fivefold list, but hardly a twofold one.

    >>> round(precision_power(0.01, 200, 5), 2), round(precision_power(0.01, 200, 2), 2)
    (0.94, 0.21)
    """
    return float(_powers(base_rate, np.array([visits]), lift, alpha, effect)[0])


def _powers(
    base_rate: float, visits: NDArray[np.int64], lift: float, alpha: float, effect: float
) -> NDArray[np.float64]:
    """Return the power at several numbers of visits."""
    better = base_rate * lift
    if not 0 < better <= 1:
        raise ValueError(f"base_rate·lift is {better!r}; it must be in (0, 1]")
    n = np.maximum(1, np.floor(visits / effect)).astype(np.int64)
    # More than the smallest count whose excess has a chance of at most alpha under the base rate.
    return _chance_of_more(_critical(n, base_rate, alpha), n, better)


def _critical(n: NDArray[np.int64], share: float, alpha: float) -> NDArray[np.int64]:
    """Return the smallest count whose excess, of n, has a chance of at most alpha."""
    low, high = np.full(len(n), -1), n.copy()  # more than -1 is sure, more than n cannot be
    while (high - low > 1).any():
        middle = (low + high) // 2
        rare = _chance_of_more(middle, n, share) <= alpha
        low, high = np.where(rare, low, middle), np.where(rare, middle, high)
    return high


def _chance_of_more(count: NDArray[np.int64], n: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return the chance that a binomial of n exceeds a count."""
    inside = np.clip(count, 0, n - 1)
    chance = betainc(inside + 1.0, (n - inside).astype(float), share)
    return np.where(count < 0, 1.0, np.where(count >= n, 0.0, chance))


def visits_needed(
    base_rate: float, lift: float, power: float = 0.8, alpha: float = 0.05, effect: float = 1.0
) -> int:
    """Fewest visits at which `precision_power` reaches a power, and stays there.

    Parameters
    ----------
    base_rate, lift, alpha, effect
        As in `precision_power`.
    power
        To be reached.

    Returns
    -------
    int
        Number of visits.

    Raises
    ------
    ValueError
        If ``lift`` is not above 1: no number of visits shows what is not there.
    """
    if not lift > 1:
        raise ValueError(f"lift={lift!r}: must be above 1")
    top = 16
    while precision_power(base_rate, top, lift, alpha, effect) < power:
        top *= 2
    # Exact power is a saw: the last fall below decides.
    sizes = np.arange(1, 2 * top + 1)
    short = np.flatnonzero(~(_powers(base_rate, sizes, lift, alpha, effect) >= power))
    return int(sizes[short[-1]] + 1) if len(short) else 1


def smallest_difference(
    events: float, discordant: float = 0.3, power: float = 0.8, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Smallest difference in recall of two lists that a paired test will show.

    Parameters
    ----------
    events
        Households with the event.
    discordant
        ψ: share of them that one list holds and the other does not.
    power
        To be reached.
    alpha
        Two-sided.
    effect
        Design effect of the events' villages.

    Returns
    -------
    float
        δ; NaN where even δ = ψ (every discordant event on one side) is not shown.

    References
    ----------
    Connor 1987, "Sample size for testing differences in proportions for the paired-sample design":
    n = [z_{1−α/2}·√ψ + z_{power}·√(ψ − δ²)]² / δ².

    Examples
    --------
    >>> round(smallest_difference(100), 3), round(smallest_difference(1000), 3)
    (0.152, 0.048)
    """
    from scipy.optimize import brentq  # takes as long to import as all else here

    n = events / effect
    za, zb = ndtri(1 - alpha / 2), ndtri(power)

    def short(delta: float) -> float:
        return float((za * np.sqrt(discordant) + zb * np.sqrt(discordant - delta**2)) ** 2 / delta**2 - n)

    top = min(discordant, np.sqrt(discordant))
    if short(top) > 0:
        return float("nan")
    return float(brentq(short, 1e-6, top))


def plan_precision(
    base_rate: float,
    visits: int,
    *,
    lifts: Sequence[float] = LIFTS,
    effect: float = 1.0,
    level: float = 0.95,
    alpha: float = 0.05,
) -> list[dict[str, Any]]:
    """Say, before anybody is visited, how sure the precision of a list of k visits will be.

    Parameters
    ----------
    base_rate
        Share of households with the event.
    visits
        k.
    lifts
        How many times better than chance the list may be; those that give no share are left out.
    effect
        Design effect of the visits.
    level
        Of the interval.
    alpha
        One-sided, of the test against chance.

    Returns
    -------
    list of dict
        One a lift: ``lift, precision, hits`` (expected), ``low, high`` (interval about that many hits),
        ``power`` (to show that the list is better than chance), ``visits_needed`` (for 80 %).

    Examples
    --------
    One household in a hundred, two hundred visits: a list five times as good as chance finds ten.

    >>> [round(v, 3) for v in plan_precision(0.01, 200, lifts=[5])[0].values()]
    [5.0, 0.05, 10.0, 0.024, 0.09, 0.938, 110]
    """
    rows: list[dict[str, Any]] = []
    for lift in lifts:
        precision = base_rate * lift
        if not 0 < precision < 1:
            continue
        ends = precision_interval(precision * visits, visits, level, effect)
        rows.append({
            "lift": float(lift), "precision": precision, "hits": precision * visits,
            "low": ends.low, "high": ends.high,
            "power": precision_power(base_rate, visits, lift, alpha, effect),
            "visits_needed": visits_needed(base_rate, lift, alpha=alpha, effect=effect),
        })  # fmt: skip
    return rows
