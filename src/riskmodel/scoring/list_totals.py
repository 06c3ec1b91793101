"""What a list holds, what more visits would reach, and how many the lot needs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import poisson

from riskmodel.scoring.answers import SILENT, answer_of
from riskmodel.scoring.duties import Duties, duty_rules

# Codes of visits.selected_by, in the order they stand on the list; rule and application go by their duties.
SOURCES = ("rule", "application", "random", "model")
DUTY_SOURCES = ("rule", "application")
EXTRA_VISITS = (0, 10, 20, 50, 100, 200, 500)
INTERVAL_LEVEL = 0.95


def forecast_only(plan: pd.DataFrame) -> pd.DataFrame:
    """Return the plan with probability 0 where the model was not trained to speak.

    Who is below the line already cannot fall below it: such a household is visited, but not foreseen.
    """
    columns = [c for c in ("probability", "probability_low", "probability_high") if c in plan]
    # Where there is no probability there is none to take away.
    return plan.assign(**{c: plan[c].mask(~plan["in_cohort"] & plan[c].notna(), 0.0) for c in columns})


def list_totals(
    households: pd.DataFrame, plan: pd.DataFrame, random_share: float, duties: Duties
) -> dict[str, float]:
    """Return counts of households and sums of probabilities, as the summary tells them."""
    planned, forecast, owed = plan["planned"], forecast_only(plan)["probability"], plan["owed"]
    return {
        "households": len(households),
        "flagged": int(households["flagged"].sum()),
        "owed": int(owed.sum()),
        "owed_planned": int((owed & planned).sum()),
        "owed_waiting": int((owed & ~planned).sum()),
        "visits_for_lot": visits_for_lot(int(owed.sum()), random_share),
        **{f"owed_{c}": int((owed & plan["urgency"].eq(c)).sum()) for c in sorted(duty_rules().owed)},
        **{f"shown_{c}": int(plan["urgency"].eq(c).sum()) for c in sorted(duty_rules().standing)},
        "old_clues": duties.old_clues,
        "held": int(plan["held"].sum()),
        "unscored": int(plan["probability"].isna().sum()),
        "listed": int((plan["selected_by"] != "").sum()),
        "planned": int(planned.sum()),
        **{f"planned_{s}": int((planned & plan["selected_by"].eq(s)).sum()) for s in SOURCES},
        "in_cohort": int(plan["in_cohort"].sum()),
        "planned_beyond": int((planned & ~plan["in_cohort"] & plan["selected_by"].eq("model")).sum()),
        "planned_quota": int((planned & plan["urgency"].eq("quota")).sum()),
        "planned_outside": float((planned & ~plan["in_cohort"]).sum()),
        "expected": _expected(plan, forecast),
        "expected_planned": _expected(plan, forecast[planned]),
        "expected_flagged": _expected(plan, forecast[plan["flagged"]]),
    }


def _expected(plan: pd.DataFrame, forecast: pd.Series) -> float:
    """Return a sum of probabilities; none where the model is silent, which is not nobody."""
    return float("nan") if answer_of(plan)[0] == SILENT else float(forecast.sum())


def visits_for_lot(owed: int, random_share: float) -> int:
    """Return how many visits leave the lot its whole share beside the duties; 0 where none is asked for.

    Examples
    --------
    Of 106 visits a twentieth is 5; with 105 there would be one place fewer.

    >>> visits_for_lot(owed=101, random_share=0.05)
    106
    """
    if not 0 < random_share < 1:
        return owed if random_share else 0
    visits = owed + 1
    while visits - owed < max(round(random_share * visits), 1):
        visits += 1
    return visits


def coverage_curve(plan: pd.DataFrame) -> pd.DataFrame:
    """Return ``more, visits, expected, low, high, share``: whom n more visits would reach.

    ``expected`` is the number of households hit within the horizon (sum of probabilities), ``share`` of the
    sum over all; rows are `EXTRA_VISITS` as far as there are households, who is owed a visit first, in their
    turn, then by probability. The interval is for the number that will be hit: Poisson with the sums of the
    lower and upper probabilities as means. A sum of independent 0/1 outcomes spreads less than a Poisson of
    the same mean (Le Cam 1960), so it covers at least its level if the probabilities' intervals do; taking
    all lower (or upper) ends together assumes that they err together, as one model's calibration does.
    """
    waiting = plan[~plan["planned"] & plan["owed"]].sort_values("turn")
    # Whom no duty names goes on by rank; who has none can only be drawn.
    rest = plan[~plan["planned"] & plan["selected_by"].eq("") & plan["ranked"]].sort_values("turn")
    order = pd.concat([plan[plan["planned"]], waiting, rest])
    base = int(plan["planned"].sum())
    most = len(order) - base
    steps = sorted({n for n in EXTRA_VISITS if n <= most} | {min(most, EXTRA_VISITS[-1])})
    visits = base + np.array(steps, dtype=int)
    sums = {"expected": _sums_of_first(order, "probability", visits)}
    tail = (1 - INTERVAL_LEVEL) / 2
    if {"probability_low", "probability_high"} <= set(order.columns):
        sums["low"] = poisson.ppf(tail, _sums_of_first(order, "probability_low", visits))
        sums["high"] = poisson.ppf(1 - tail, _sums_of_first(order, "probability_high", visits))
    else:
        sums["low"] = sums["high"] = np.full(len(visits), np.nan)
    everyone = float(plan["probability"].sum())
    share = np.minimum(sums["expected"] / everyone, 1.0) if everyone else np.zeros(len(visits))
    return pd.DataFrame({"more": steps, "visits": visits, **sums, "share": share})


def _sums_of_first(rows: pd.DataFrame, column: str, counts: np.ndarray) -> np.ndarray:
    """Return the sum of a column over the first n rows, for each n."""
    totals = np.concatenate([[0.0], np.cumsum(rows[column].fillna(0.0).to_numpy(dtype=float))])
    return totals[counts]
