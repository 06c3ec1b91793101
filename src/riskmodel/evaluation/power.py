"""Power and intervals: how sure a list's precision will be, how small a difference a county can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import chi2

from riskmodel.evaluation.metrics import Array
from riskmodel.planning import (
    DISCORDANT,
    LIFTS,
    design_effect,
    plan_precision,
    precision_interval,
    precision_power,
    smallest_difference,
    visits_needed,
)

# One household in a hundred: the rate at which new cases come in a county where most have been lifted.
RARE = 0.01
CORRELATIONS = (0.0, 0.02, 0.05)


def village_correlation(value: ArrayLike, villages: ArrayLike, dates: ArrayLike | None = None) -> float:
    """Estimate how alike two households of one village are: the intraclass correlation ρ (ANOVA estimator).

    Parameters
    ----------
    value : array of shape (n,)
        The event, 0 or 1, or any number.
    villages : array-like of shape (n,)
        Two townships may each have a village of one name: give both.
    dates : array-like of shape (n,), optional
        As-of date. Estimated within each date and averaged by rows: the same household at two dates is no
        neighbour of itself.

    Returns
    -------
    float
        May be below 0 where villages are no more alike than chance has it; NaN where no village has two rows.

    References
    ----------
    Ridout, Demétrio and Firth 1999, "Estimating intraclass correlation for binary data", eq. 2 (the ANOVA
    estimator of Donner and Koval 1980, which serves binary data as well).

    Examples
    --------
    >>> round(village_correlation([1, 1, 0, 0], ["a", "a", "b", "b"]), 2)
    1.0
    """
    frame = pd.DataFrame({"v": np.asarray(value, dtype=float), "g": np.asarray(villages, dtype=object)})
    frame["d"] = 0 if dates is None else np.asarray(dates)
    estimates = [(len(part), _anova(part["v"], part["g"])) for _, part in frame.groupby("d")]
    known = [(n, rho) for n, rho in estimates if np.isfinite(rho)]
    return float(np.average([r for _, r in known], weights=[n for n, _ in known])) if known else float("nan")


def _anova(value: pd.Series, group: pd.Series) -> float:
    size = group.map(group.value_counts())
    mean = value.groupby(group).transform("mean")
    n, k = len(value), group.nunique()
    if k < 2 or n == k:
        return float("nan")
    between = float(((mean - value.mean()) ** 2).sum()) / (k - 1)
    within = float(((value - mean) ** 2).sum()) / (n - k)
    typical = (n - float(size.sum()) / n) / (k - 1)
    total = between + (typical - 1) * within
    return (between - within) / total if total > 0 else float("nan")


def comparison_power(primary: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Say what a comparison of this size could show, with what it has itself shown of villages and lists.

    Parameters
    ----------
    primary
        Of `riskmodel.evaluation.compare`: the declared model's row counts, the first where none is.
    predictions
        Its predictions.

    Returns
    -------
    DataFrame
        As `power_table`, at the observed correlation and share of discordant events first.
    """
    declared = primary[primary["declared"]] if "declared" in primary else primary.iloc[:0]
    first = (primary if declared.empty else declared).iloc[0]
    events = int(first["n_events"])
    one = predictions[(predictions["model"] == predictions["model"].iloc[0]) & predictions["y"].notna()]
    villages = one["township"].astype(str) + "/" + one["village"].astype(str)
    discordant = int(first["baseline_only"]) + int(first["model_only"])
    return power_table(
        events, int(first["n"]), int(first["visits"]), int(first["n_villages"]),
        correlation=village_correlation(one["y"].astype(float), villages, one["as_of"].astype(str)),
        discordant=discordant / events if events else None,
    )  # fmt: skip


def power_table(
    events: int,
    rows: int,
    visits: int,
    villages: int,
    *,
    correlation: float | None = None,
    discordant: float | None = None,
) -> pd.DataFrame:
    """Say what a comparison of this size could show at all, for several correlations within villages.

    Parameters
    ----------
    events, rows, visits, villages
        Events among rows, visits within the budget, villages that they are spread over.
    correlation
        As observed (`village_correlation`); counted as 0 where it is below.
    discordant
        Share of the events that one list holds and the other does not, as observed.

    Returns
    -------
    DataFrame
        One row a correlation, the observed one first and marked in ``observed``: ``correlation, events,
        villages, visits, base_rate``; ``design_effect`` (of the events); ``smallest_difference`` in recall
        (power 80 %) at the share of discordant events assumed, `DISCORDANT`, in ``discordant_assumed``, and
        ``smallest_difference_observed`` at the share observed, in ``discordant_observed`` (NaN where none
        is); of precision at these visits:
        ``precision_low, precision_high`` about a list of twice the base rate, ``power_twice_random``,
        ``visits_to_show_twice_random``; and were one household in a hundred to fall: ``rare_low, rare_high``
        about a list of three in a hundred, ``rare_power_threefold``, ``rare_visits_to_show_threefold``.
    """
    base = events / rows
    observed = [] if correlation is None or not np.isfinite(correlation) else [max(0.0, correlation)]
    psi = float("nan") if discordant is None else discordant
    out = []
    for i, rho in enumerate([*observed, *CORRELATIONS]):
        effect = design_effect(events / villages, rho)
        by_visit = design_effect(visits / villages, rho)
        row = {
            "correlation": rho, "observed": i < len(observed), "events": events, "villages": villages,
            "visits": visits, "base_rate": base, "design_effect": effect,
            "discordant_assumed": DISCORDANT,
            "smallest_difference": smallest_difference(events, DISCORDANT, effect=effect),
            "discordant_observed": psi,
            "smallest_difference_observed": smallest_difference(events, psi, effect=effect)
            if psi > 0 else np.nan,
        }  # fmt: skip
        for mark, rate, lift, suffix in (("", base, 2.0, "twice_random"), ("rare_", RARE, 3.0, "threefold")):
            possible = 0 < rate * lift < 1
            ends = precision_interval(rate * lift * visits, visits, effect=by_visit) if possible else None
            name = mark or "precision_"
            row |= {
                f"{name}low": ends.low if ends else np.nan,
                f"{name}high": ends.high if ends else np.nan,
                f"{mark}power_{suffix}": precision_power(rate, visits, lift, effect=by_visit)
                if possible else np.nan,
                f"{mark}visits_to_show_{suffix}": visits_needed(rate, lift, effect=by_visit)
                if possible else np.nan,
            }  # fmt: skip
        out.append(row)
    return pd.DataFrame(out)


def precision_plan(
    base_rate: float,
    visits: int,
    *,
    lifts: Sequence[float] = LIFTS,
    effect: float = 1.0,
    level: float = 0.95,
    alpha: float = 0.05,
) -> pd.DataFrame:
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
    DataFrame
        ``lift, precision, hits`` (expected), ``low, high`` (interval about that many hits), ``power`` (to
        show that the list is better than chance), ``visits_needed`` (for 80 %).

    Examples
    --------
    One household in a hundred, two hundred visits: a list five times as good as chance finds ten.

    >>> precision_plan(0.01, 200, lifts=[5]).round(3).iloc[0].tolist()
    [5.0, 0.05, 10.0, 0.024, 0.09, 0.938, 110.0]
    """
    columns = ["lift", "precision", "hits", "low", "high", "power", "visits_needed"]
    rows = plan_precision(base_rate, visits, lifts=lifts, effect=effect, level=level, alpha=alpha)
    return pd.DataFrame(rows, columns=columns)


def wilson_interval(hits: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Return the interval of a share by the score method.

    Parameters
    ----------
    hits, n
        Counts: how many of how many.
    level
        Of the interval.

    Returns
    -------
    tuple of arrays
        Lower and upper ends, NaN where ``n`` is 0.

    References
    ----------
    Wilson 1927; recommended for small counts by Brown, Cai & DasGupta 2001.

    Examples
    --------
    >>> [round(float(v), 3) for v in wilson_interval(126, 383)]
    [0.284, 0.378]
    """
    # statsmodels takes long to import, and only a table of visits needs it.
    from statsmodels.stats.proportion import proportion_confint

    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = proportion_confint(np.asarray(hits), np.asarray(n), alpha=1 - level, method="wilson")
    return np.asarray(low), np.asarray(high)


def poisson_interval(events: float, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a number of events.

    Parameters
    ----------
    events
        How many happened.
    level
        Of the interval.

    Returns
    -------
    tuple of float
        Least and most of the expected number, after Garwood (1936).

    Examples
    --------
    >>> [round(end, 2) for end in poisson_interval(10)]
    [4.8, 18.39]
    """
    tail = (1 - level) / 2
    low = chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    return float(low), float(chi2.ppf(1 - tail, 2 * events + 2) / 2)
