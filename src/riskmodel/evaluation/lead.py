"""Lead time: how much earlier than the rules a model puts those on its list who really fell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from riskmodel.evaluation.bootstrap import percentile_interval, village_resamples
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.frame import VILLAGE, checked
from riskmodel.evaluation.lists import chosen, rank
from riskmodel.evaluation.sides import RULE, same_rows, sides

Array = NDArray[np.float64]


def kaplan_meier(duration: ArrayLike, seen: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Kaplan–Meier curve with Greenwood's variance and log(−log) intervals.

    Parameters
    ----------
    duration : array of shape (n,)
        Time to the event or to the end of observation.
    seen : array of shape (n,)
        1 where the event was seen, 0 where observation ended first (censored).
    level : float, default 0.95

    Returns
    -------
    DataFrame
        One row an event time: ``time, at_risk, events, survival, low, high``.

    References
    ----------
    Kaplan and Meier 1958; Kalbfleisch and Prentice 2002, ch. 1.4 (log(−log) interval).

    Examples
    --------
    >>> kaplan_meier([6, 6, 6, 6, 7], [1, 1, 1, 0, 1])["survival"].round(3).tolist()
    [0.4, 0.0]
    """
    time, event = np.asarray(duration, dtype=float), np.asarray(seen, dtype=float)
    at, place = np.unique(time, return_inverse=True)
    deaths = np.bincount(place, weights=event, minlength=len(at))
    gone = np.bincount(place, minlength=len(at))
    at_risk = len(time) - np.r_[0, np.cumsum(gone)[:-1]]
    keep = deaths > 0
    at, deaths, at_risk = at[keep], deaths[keep], at_risk[keep].astype(float)
    survival = np.cumprod(1 - deaths / at_risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        reach = norm.ppf(0.5 + level / 2) * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(reach), survival ** np.exp(-reach)
    return pd.DataFrame({
        "time": at, "at_risk": at_risk.astype(int), "events": deaths.astype(int), "survival": survival,
        "low": low, "high": high,
    })  # fmt: skip


@dataclass(frozen=True)
class LeadTime:
    """How much earlier one list holds those who fell than another at the same visits.

    Attributes
    ----------
    shares : dict
        Of the households with an event: ``n``, ``before`` (the model's list first), ``low, high`` (village
        bootstrap), ``same_date, after, neither``; they add up to 1.
    curve : DataFrame
        Of the households on the model's list no later than on the rules': chance that the rules have not yet
        listed them so many months later (`kaplan_meier`).
    median_months : float
        Where the curve crosses one half; NaN where it does not within the dates seen.
    restricted_mean_months : float
        Area under the curve up to ``until_months``: the mean lead, counted to there at most.
    until_months : float
    censored : int
        Households of the curve that the rules never listed while they were seen.
    """

    shares: dict[str, float]
    curve: pd.DataFrame
    median_months: float
    restricted_mean_months: float
    until_months: float
    censored: int


def lead_time(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    model: str,
    *,
    baseline: str = RULE,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> LeadTime:
    """Measure the lead of a model's list over the rules' at the same number of visits.

    Parameters
    ----------
    predictions : DataFrame
        As for `compare`, over several as-of dates.
    budget : Budget or mapping
        Visits at each as-of date.
    model, baseline : str
    replicates, seed, level
        Of the interval of the share seen before.

    Returns
    -------
    LeadTime

    Raises
    ------
    InputRefused
        As `compare`.

    Notes
    -----
    A household is followed from the first test date to the last at which it is still in the cohort. Flags
    before the first test date are not seen, so a lead that begins earlier is cut: it is a lower bound.
    """
    given = checked(predictions, ("persons", "flagged", "rule_rank"))
    wide, _ = same_rows(given)
    side = sides(wide, given.models, baseline)
    quota = quotas(side.date, Budget.of(budget))
    day = pd.to_datetime(wide["as_of"])
    month = (day.dt.year * 12 + day.dt.month).to_numpy()
    lists = {
        "model": chosen(side.date, rank(side.date, -side.scores[model]), quota),
        "rules": chosen(side.date, side.baseline, quota),
    }
    rows = wide.assign(month=month, **{n: np.where(v, month, np.nan) for n, v in lists.items()})
    one = rows.groupby("household_id", sort=True).agg(
        y=("y", "max"), model=("model", "min"), rules=("rules", "min"), last=("month", "max"),
        **{name: (name, "first") for name in VILLAGE},
    )  # fmt: skip
    fell = one[one["y"] == 1]
    return _lead(fell, replicates, seed, level)


def _lead(fell: pd.DataFrame, replicates: int, seed: int, level: float) -> LeadTime:
    model, rules = fell["model"].to_numpy(dtype=float), fell["rules"].to_numpy(dtype=float)
    never = np.inf
    ours, theirs = np.where(np.isnan(model), never, model), np.where(np.isnan(rules), never, rules)
    before = (ours < theirs).astype(float)
    low, high = float("nan"), float("nan")
    if len(fell):
        resamples = village_resamples(fell[VILLAGE], replicates, seed)
        drawn = resamples.run(lambda w: (w @ before) / w.sum(axis=1))
        low, high = percentile_interval(drawn, level)
    listed = np.isfinite(ours)
    shares = {
        "n": float(len(fell)),
        "before": float(before.mean()) if len(fell) else float("nan"),
        "low": low,
        "high": high,
        "same_date": float((listed & (ours == theirs)).mean()) if len(fell) else float("nan"),
        "after": float((theirs < ours).mean()) if len(fell) else float("nan"),
        "neither": float((~listed & ~np.isfinite(theirs)).mean()) if len(fell) else float("nan"),
    }
    follow = listed & (ours <= theirs)
    seen = np.isfinite(theirs[follow])
    until = np.where(seen, theirs[follow], fell["last"].to_numpy(dtype=float)[follow])
    duration = until - ours[follow]
    curve = kaplan_meier(duration, seen.astype(float), level)
    limit = float(duration.max()) if len(duration) else 0.0
    below = curve.loc[curve["survival"] <= 0.5, "time"]
    median = float(below.iloc[0]) if len(below) else float("nan")
    return LeadTime(shares, curve, median, _area(curve, limit), limit, int((~seen).sum()))


def _area(curve: pd.DataFrame, until: float) -> float:
    if until <= 0:
        return 0.0 if len(curve) else float("nan")
    time = np.r_[0.0, curve["time"].to_numpy(dtype=float), until]
    height = np.r_[1.0, curve["survival"].to_numpy(dtype=float)]
    return float(np.sum(np.diff(np.minimum(time, until)) * height))
