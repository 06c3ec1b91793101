"""Before the visits: how sure precision will be, and how small a difference a county can show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm


class Interval(NamedTuple):
    """A share with its exact interval.

    Attributes
    ----------
    share, low, high : float
    """

    share: float
    low: float
    high: float


def design_effect(rows_per_village: float, correlation: float) -> float:
    """By how much villages inflate a variance: 1 + (m − 1)·ρ.

    Parameters
    ----------
    rows_per_village : float
        m, of the rows in question (visits, or events), on average.
    correlation : float
        ρ, of two households of one village; about 0.01–0.05 for poverty within counties.

    Returns
    -------
    float

    References
    ----------
    Kish 1965, *Survey Sampling*, ch. 5.

    Examples
    --------
    >>> design_effect(11, 0.05)
    1.5
    """
    return 1 + max(0.0, rows_per_village - 1) * correlation


def precision_interval(hits: float, visits: float, level: float = 0.95, effect: float = 1.0) -> Interval:
    """Interval of precision@k (Clopper–Pearson on effective counts).

    Parameters
    ----------
    hits, visits : float
    level : float, default 0.95
    effect : float, default 1
        Design effect; counts are divided by it.

    Returns
    -------
    Interval

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
    low = float(beta.ppf(tail, a, n - a + 1)) if a > 0 else 0.0
    high = float(beta.ppf(1 - tail, a + 1, n - a)) if a < n else 1.0
    return Interval(hits / visits, low, high)


def precision_power(
    base_rate: float, visits: int, lift: float, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Power to show that a list of k visits is better than random: precision above the base rate.

    Parameters
    ----------
    base_rate : float
        Share with the event among all (0.01: one in a hundred).
    visits : int
        k.
    lift : float
        True precision over the base rate.
    alpha : float, default 0.05
        One-sided level of the exact binomial test.
    effect : float, default 1
        Design effect.

    Returns
    -------
    float

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
    better = base_rate * lift
    if not 0 < better <= 1:
        raise ValueError(f"base_rate·lift is {better!r}; it must be in (0, 1]")
    n = max(1, int(np.floor(visits / effect)))
    # The smallest count whose chance under the base rate is at most alpha.
    critical = int(binom.isf(alpha, n, base_rate)) + 1
    return float(binom.sf(critical - 1, n, better))


def visits_needed(
    base_rate: float, lift: float, power: float = 0.8, alpha: float = 0.05, effect: float = 1.0
) -> int:
    """Fewest visits at which `precision_power` reaches a power, and stays there.

    Parameters
    ----------
    base_rate, lift, alpha, effect
        As in `precision_power`.
    power : float, default 0.8

    Returns
    -------
    int

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
    enough = np.array([precision_power(base_rate, int(n), lift, alpha, effect) >= power for n in sizes])
    short = np.flatnonzero(~enough)
    return int(sizes[short[-1]] + 1) if len(short) else 1


def smallest_difference(
    events: float, discordant: float = 0.3, power: float = 0.8, alpha: float = 0.05, effect: float = 1.0
) -> float:
    """Smallest difference in recall of two lists that a paired test will show.

    Parameters
    ----------
    events : float
        Households with the event.
    discordant : float, default 0.3
        ψ: share of them that one list holds and the other does not.
    power : float, default 0.8
    alpha : float, default 0.05
        Two-sided.
    effect : float, default 1
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
    n = events / effect
    za, zb = norm.ppf(1 - alpha / 2), norm.ppf(power)

    def short(delta: float) -> float:
        return float((za * np.sqrt(discordant) + zb * np.sqrt(discordant - delta**2)) ** 2 / delta**2 - n)

    top = min(discordant, np.sqrt(discordant))
    if short(top) > 0:
        return float("nan")
    return float(brentq(short, 1e-6, top))
