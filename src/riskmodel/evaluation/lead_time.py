"""Lead time: how much earlier than the rules a model puts those on its list who really fell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import norm

from riskmodel.errors import InputRefused
from riskmodel.evaluation.lists import Budget, list_members, quotas, rank_rows
from riskmodel.evaluation.metrics import METRICS, Metric
from riskmodel.evaluation.predictions import (
    KEY,
    VILLAGE,
    float_column,
    percentile_interval,
    sorted_codes,
    village_resamples,
)

# What stands before a model's name where its scores, and the months of its lists, are columns.
SCORE_PREFIX, LIST_PREFIX = "score:", "list:"
_ORDER = ["household_id", *VILLAGE, "entered", "fell", "until", "rules"]


def kaplan_meier(duration: ArrayLike, observed: ArrayLike, level: float = 0.95) -> pd.DataFrame:
    """Kaplan–Meier curve with Greenwood's variance and log(−log) intervals.

    Parameters
    ----------
    duration : array of shape (n,)
        Time to the event or to the end of observation.
    observed : array of shape (n,)
        1 where the event was seen, 0 where observation ended first (censored).
    level
        Level of the interval.

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
    # statsmodels takes long to import, and only lead times need it.
    from statsmodels.duration.survfunc import SurvfuncRight

    names = ["time", "at_risk", "events", "survival", "low", "high"]
    time, event = np.asarray(duration, dtype=float), np.asarray(observed, dtype=float)
    if not event.any():
        return pd.DataFrame({name: np.empty(0) for name in names})
    curve = SurvfuncRight(time, event)
    survival = np.asarray(curve.surv_prob)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = norm.ppf(0.5 + level / 2) * curve.surv_prob_se / survival / np.abs(np.log(survival))
        low, high = survival ** np.exp(reach), survival ** np.exp(-reach)
    at_risk, events = np.asarray(curve.n_risk).astype(int), np.asarray(curve.n_events).astype(int)
    columns = (curve.surv_times, at_risk, events, survival, low, high)
    return pd.DataFrame(dict(zip(names, columns, strict=True)))


@dataclass(frozen=True)
class LeadTime:
    """How much earlier one list holds those who fell than the rules see them.

    Attributes
    ----------
    shares : dict
        Of the households with an event: ``n``, ``before`` (the model's list first), ``low, high`` (village
        bootstrap), ``same_date, after`` (the rules first), ``neither``; the four add up to 1. ``never`` (part
        of ``after`` and ``neither``): never on the model's list before the event. ``from_start``: on the
        model's list when following began, so that their lead is cut there.
    curve
        Of the households on the model's list no later than seen by the rules: chance that the rules have not
        seen them so many months later (`kaplan_meier`).
    median_months
        Where the curve crosses one half; NaN where it does not within the dates seen.
    restricted_mean_months
        Area under the curve up to ``until_months``: the mean lead, counted to there at most.
    until_months
        The longest lead that could be seen.
    warning_months
        Median months from the model's first list to the event, of those it listed before the event.
    censored
        Households of the curve that the rules had not seen when the records ended.
    """

    shares: dict[str, float]
    curve: pd.DataFrame
    median_months: float
    restricted_mean_months: float
    until_months: float
    warning_months: float
    censored: int


def first_listings(
    scores: pd.DataFrame,
    flags: pd.DataFrame,
    falls: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    horizon_months: int,
) -> pd.DataFrame:
    """Say when each household that fell was first on each model's list, and first seen by the rules.

    Parameters
    ----------
    scores
        The cohort at each date followed: ``household_id, as_of, township, village, flagged, rule_rank`` and
        ``score:MODEL`` of each model. The last date of ``flags`` or ``scores`` is where following ends.
    flags
        ``household_id, as_of`` of every household that the rules flag at a date, in the cohort or not: a
        household leaves the cohort when it falls, and that is when the rules flag it.
    falls
        ``household_id, as_of`` of every event: the end of the month in which it happened.
    budget
        Visits at each date.
    horizon_months
        How early before the event a list counts as having seen it. An older entry was, by the label, a false
        alarm; counting it would reward lists that change their mind often.

    Returns
    -------
    DataFrame
        One row a household whose first event after it came into the cohort is known: ``household_id,
        township, village, entered, fell, until`` (end of the records), ``rules, list:MODEL…``: months as
        ordinals (year·12 + month − 1), NaN for never. ``rules`` is the first date at which the rules' list of
        the same length holds the household or their verdict flags it, in the cohort or outside it, before
        the event or after; a model's list must come before the event.

    Raises
    ------
    InputRefused
        If no model's scores are given.

    Notes
    -----
    Whatever the rules do with a household counts for them, also where their verdict flags more households
    than are visited: that favours the rules.
    """
    models = [c for c in scores.columns if c.startswith(SCORE_PREFIX)]
    if not models:
        raise InputRefused(f"scores have no column {SCORE_PREFIX}MODEL; columns: {', '.join(scores.columns)}")
    rows = scores.sort_values(KEY, ignore_index=True)
    date = sorted_codes(rows["as_of"])
    quota = quotas(date, Budget.of(budget))
    at = rows[["household_id"]].assign(month=_month(rows["as_of"]))
    by_rules = list_members(
        date, rank_rows(date, ~rows["flagged"].to_numpy(dtype=bool), float_column(rows, "rule_rank")), quota
    )
    flagged = flags[["household_id"]].assign(month=_month(flags["as_of"]))
    sightings = pd.concat([at[by_rules], flagged], ignore_index=True)
    until = max([*at["month"], *flagged["month"]], default=0)
    one = _households_with_event(rows, at, falls, until)
    start = np.maximum(one["entered"], one["fell"] - horizon_months)
    out = one.assign(until=float(until), rules=_first(sightings, start, None))
    for column in models:
        listed = list_members(date, rank_rows(date, -float_column(rows, column)), quota)
        out[LIST_PREFIX + column.removeprefix(SCORE_PREFIX)] = _first(at[listed], start, one["fell"])
    return out.reset_index()[[*_ORDER, *(LIST_PREFIX + c.removeprefix(SCORE_PREFIX) for c in models)]]


def _month(day: pd.Series) -> pd.Series:
    date = pd.to_datetime(day)
    return date.dt.year * 12 + date.dt.month - 1


def _households_with_event(
    rows: pd.DataFrame, at: pd.DataFrame, falls: pd.DataFrame, until: int
) -> pd.DataFrame:
    """Return the households with an event after they came into the cohort, and when."""
    place = rows.drop_duplicates("household_id").set_index("household_id")[VILLAGE]
    place["entered"] = at.groupby("household_id")["month"].min().astype(float)
    event = falls[["household_id"]].assign(fell=_month(falls["as_of"]).astype(float))
    event = event.join(place["entered"], on="household_id", how="inner")
    after = event[(event["fell"] > event["entered"]) & (event["fell"] <= until)]
    return place.join(after.groupby("household_id")["fell"].min(), how="inner").sort_index()


def _first(sightings: pd.DataFrame, start: Any, end: Any) -> Any:
    """Return the first month of each household from its start on, and before its end if there is one."""
    followed = sightings.join(start.rename("start"), on="household_id", how="inner")
    keep = followed["month"] >= followed["start"]
    if end is not None:
        keep &= followed["month"] < followed["household_id"].map(end)
    return followed[keep].groupby("household_id")["month"].min().astype(float).reindex(start.index)


def followed_models(listings: pd.DataFrame) -> list[str]:
    """Return the models whose lists `first_listings` looked at.

    Parameters
    ----------
    listings
        From `first_listings`.

    Returns
    -------
    list of str
        In the order of its columns.
    """
    return [c.removeprefix(LIST_PREFIX) for c in listings.columns if c.startswith(LIST_PREFIX)]


def lead_time(
    listings: pd.DataFrame, model: str, *, replicates: int = 1000, seed: int = 0, level: float = 0.95
) -> LeadTime:
    """Measure the lead of a model's list over the rules at the same number of visits.

    Parameters
    ----------
    listings
        From `first_listings`.
    model
        Whose list it is.
    replicates, seed, level
        Of the interval of the share seen before.

    Returns
    -------
    LeadTime
        Shares of the households with an event, and the curve of leads.

    Raises
    ------
    InputRefused
        If the model's lists were not looked at.

    Notes
    -----
    Observation ends only where the records do, for everybody on one day, so that censoring tells nothing
    about the household. Lists before following began are not seen: such a lead is a lower bound, and
    ``from_start`` counts them.
    """
    models = followed_models(listings)
    if model not in models:
        raise InputRefused(f"no lists of {model!r} were followed; there are: {', '.join(models) or 'none'}")
    n, never = len(listings), np.inf
    listed_at = listings[LIST_PREFIX + model].fillna(never).to_numpy(dtype=float)
    flagged_at = listings["rules"].fillna(never).to_numpy(dtype=float)
    low, high = float("nan"), float("nan")
    before = (listed_at < flagged_at).astype(float)
    if n:
        resamples = village_resamples(listings[VILLAGE], replicates, seed)
        units = resamples.units()
        first = units.sums(before)
        drawn = resamples.run_units(lambda w: (w @ first) / (w @ units.size))
        low, high = percentile_interval(drawn, level)
    was_listed = np.isfinite(listed_at)
    parts = {
        "before": before, "same_date": was_listed & (listed_at == flagged_at),
        "after": flagged_at < listed_at,
        "neither": ~was_listed & ~np.isfinite(flagged_at), "never": ~was_listed,
        "from_start": was_listed & (listed_at == listings["entered"].min()),
    }  # fmt: skip
    shares = {k: float(np.mean(v)) if n else float("nan") for k, v in parts.items()}
    follow = was_listed & (listed_at <= flagged_at)
    was_flagged = np.isfinite(flagged_at[follow])
    end = np.where(was_flagged, flagged_at[follow], listings["until"].to_numpy(dtype=float)[follow])
    duration = end - listed_at[follow]
    curve = kaplan_meier(duration, was_flagged.astype(float), level)
    limit = float(duration.max()) if len(duration) else 0.0
    below = curve.loc[curve["survival"] <= 0.5, "time"]
    warning = (listings["fell"].to_numpy(dtype=float) - listed_at)[was_listed]
    return LeadTime(
        shares={"n": float(n), "before": shares.pop("before"), "low": low, "high": high, **shares},
        curve=curve,
        median_months=float(below.iloc[0]) if len(below) else float("nan"),
        restricted_mean_months=_area(curve, limit),
        until_months=limit,
        warning_months=float(np.median(warning)) if len(warning) else float("nan"),
        censored=int((~was_flagged).sum()),
    )


def _area(curve: pd.DataFrame, until: float) -> float:
    if until <= 0:
        return 0.0 if len(curve) else float("nan")
    time = np.r_[0.0, curve["time"].to_numpy(dtype=float), until]
    height = np.r_[1.0, curve["survival"].to_numpy(dtype=float)]
    return float(np.sum(np.diff(np.minimum(time, until)) * height))


METRICS.register(
    Metric(
        "lead_time",
        zh="提前量",
        en="lead time",
        formula="months from the model's first flag to the rules'",
        source="Kaplan & Meier 1958",
        better="higher",
        needs="list",
        order=180,
        checked_against=(
            "Kaplan–Meier: published remission times (Freireich et al. 1963) and statsmodels; counties "
            "whose lead is known: the flag that ends membership, leads above six months, lists after the "
            "fall"
        ),
        tests=(
            "evaluation/test_lead_time.py::test_the_rules_flag_that_ends_membership_is_seen",
            "evaluation/test_lead_time.py::test_a_lead_may_be_longer_than_six_months_and_only_the_end_of_the_records_censors",
            "runs/test_fitting.py::test_the_rules_count_where_they_flag_whoever_has_left_the_cohort",
            "evaluation/test_lead_time.py::test_kaplan_meier_of_the_textbook_patients",
            "evaluation/test_lead_time.py::test_kaplan_meier_and_its_interval_are_statsmodels",
        ),
    )
)
