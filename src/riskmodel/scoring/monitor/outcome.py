"""What became of the households that were scored, once their window is over: expected against observed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd
from scipy.stats import chi2

from riskmodel import targets
from riskmodel.data import County
from riskmodel.rules import RuleSet
from riskmodel.targets import Event, Horizon

LEVEL = 0.95
COLUMNS = [
    "as_of", "households", "expected", "observed", "low", "high", "ratio", "status", "listed",
    "listed_observed",
]  # fmt: skip
# Expected may be off by a quarter before it is an alarm, however sure that is: an assumption.
RATIO = (0.8, 1.25)


def outcomes(
    county: County,
    scores: Sequence[pd.DataFrame],
    *,
    events: Sequence[Event],
    horizon: Horizon,
    cohort: Sequence[str],
    ruleset: RuleSet,
    params: dict[str, Any],
    as_of: dt.date,
) -> pd.DataFrame:
    """Hold past months' scores against what happened, as far as it is known at a date.

    Parameters
    ----------
    county : County
    scores : sequence of DataFrame
        One a month: ``household_id, as_of, probability`` as they were made then, and ``listed`` (bool) where
        the list is known.
    events, horizon, cohort, ruleset, params
        Of the experiment that the model was trained by.
    as_of : date
        Only what is recorded by then.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row a month whose window is over: of the cohort's households with a known label, how
        many were expected to be hit (Σ probability), how many were, the exact Poisson interval of the
        latter, observed over expected, and how many of them were on the list. ``status`` is ``alarm`` where
        the expected number lies outside the interval and off by more than a quarter.
    """
    rows = []
    for frame in scores:
        day = pd.Timestamp(frame["as_of"].iloc[0]).date()
        known = targets.build(county, day, horizon, events, ruleset, known_by=as_of, params=params)
        known = known.dropna(subset=["label"])
        if known.empty:
            continue
        asked = targets.build_cohorts(county, day, cohort, ruleset, params)[["household_id"]]
        found = known[["household_id", "label"]].merge(asked, on="household_id")
        found = found.merge(frame.drop(columns="as_of"), on="household_id")
        found = found.dropna(subset=["probability"])
        if len(found):
            rows.append(_row(day, found))
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(day: dt.date, found: pd.DataFrame) -> dict[str, Any]:
    hit = found["label"].astype(int)
    expected, observed = float(found["probability"].sum()), int(hit.sum())
    tail = (1 - LEVEL) / 2
    low = float(chi2.ppf(tail, 2 * observed) / 2) if observed else 0.0
    high = float(chi2.ppf(1 - tail, 2 * observed + 2) / 2)
    ratio = observed / expected if expected else float("inf")
    off = not low <= expected <= high
    on = found["listed"].eq(True) if "listed" in found else pd.Series(False, found.index)
    return {
        "as_of": day.isoformat(),
        "households": len(found),
        "expected": expected,
        "observed": observed,
        "low": low,
        "high": high,
        "ratio": ratio,
        "status": "alarm" if off and not RATIO[0] <= ratio <= RATIO[1] else "ok",
        "listed": int(on.sum()),
        "listed_observed": int(hit[on].sum()),
    }
