"""What is known of test households beside features: income of the outcome's year, groups, support.

Whether a simulated county's true chances answer an experiment's question, and for which test dates.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel import rules, targets
from riskmodel.data import County
from riskmodel.households import Moment, as_moments, build_incomes, known_rows, window_end
from riskmodel.i18n import Message
from riskmodel.runs.experiment import Experiment
from riskmodel.targets import END_OF_TIME, KEY

SOME = (1.0, math.inf)
NONE = (0.0, 0.0)
ONE = (1.0, 1.0)


@dataclass(frozen=True)
class HouseholdGroup:
    """A kind of household whose errors are looked at apart: all conditions hold.

    A condition is features, which are added up, and the least and most of their sum.
    """

    zh: str
    en: str
    where: tuple[tuple[tuple[str, ...], tuple[float, float]], ...]


HOUSEHOLD_GROUPS: dict[str, HouseholdGroup] = {
    "lifted": HouseholdGroup("脱贫户", "lifted out of poverty", ((("is_lifted",), SOME),)),
    "elderly_alone": HouseholdGroup("独居老人", "old and alone", ((("elderly_alone",), SOME),)),
    "disability": HouseholdGroup("有残疾人", "somebody disabled", ((("disabled",), SOME),)),
    "no_labour": HouseholdGroup("无劳动力", "nobody able to work", ((("no_labour",), SOME),)),
    "no_adult_at_home": HouseholdGroup(
        "劳动年龄成员均不在家", "nobody of working age at home", ((("no_adult_at_home",), SOME),)
    ),
    "single_parent": HouseholdGroup(
        "单亲家庭",
        "one adult of working age, without a spouse, with children under 16",
        ((("spouse",), NONE), (("working_age",), ONE), (("children_0_5", "children_6_15"), SOME)),
    ),
    "relocated": HouseholdGroup("易地搬迁", "relocated", ((("relocated",), SOME),)),
}


def household_groups(rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Say to which groups households belong, from features known at as-of.

    A column a group that the features know: "yes", "no" or missing; index of ``rows``.
    """
    out = pd.DataFrame(index=rows.index)
    for name, group in HOUSEHOLD_GROUPS.items():
        asked = [feature for features, _ in group.where for feature in features]
        if not set(asked) <= set(X.columns):
            continue
        inside, known = np.ones(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
        for features, (least, most) in group.where:
            value = X[list(features)].iloc[rows["row"]].to_numpy(dtype=float, na_value=np.nan).sum(axis=1)
            inside &= (value >= least) & (value <= most)
            known &= ~np.isnan(value)
        out[f"group_{name}"] = pd.Series(np.where(inside, "yes", "no"), index=rows.index).where(known)
    return out


def label_events(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame:
    """Return every label event of the window (``label_<event>``) whose table the county has.

    Float; missing where not fully observed.
    """
    tables = {"identified": "monitoring", "confirmed": "visits", "below_line": "income"}
    known = tuple(event for event in targets.EVENTS if county.has(tables[event]))
    labels = targets.build_targets(county, days, exp.horizon, known, exp.ruleset, params=exp.params)
    columns = {f"label_{event}": labels[f"label_{event}"].astype(float) for event in known}
    return labels[KEY].assign(**columns)


def income_after(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return income per head in yuan (``pcni_after``) over the period that ends with the label's window.

    None where each household has a window of its own (``horizon.next``, totals).
    """
    if exp.horizon.next or county.facts.get("spans.income", False):
        return None
    ends = {day: window_end(day, exp.horizon.months) for day in days}
    period = rules.load_rules(exp.ruleset).period(exp.params)
    t = build_incomes(county, as_moments(Moment(end, END_OF_TIME) for end in ends.values()), period)
    incomes = t.filter(t.income_basis == "months").select(*KEY, "pcni").to_pandas()
    incomes["end"] = pd.to_datetime(incomes.pop("as_of"))
    starts = pd.DataFrame({"as_of": pd.to_datetime(list(ends)), "end": pd.to_datetime(list(ends.values()))})
    joined = incomes.merge(starts, on="end").rename(columns={"pcni": "pcni_after"})
    return joined[[*KEY, "pcni_after"]].astype({"pcni_after": float})


def support_within(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return who was given support within the label's window; None if the county has no table of support."""
    if not county.has("support"):
        return None
    support = known_rows(county, "support", tuple(Moment(day, END_OF_TIME) for day in days))
    frame = support.select(*KEY, "date").to_pandas()
    start = pd.to_datetime(frame["as_of"])
    end = start.map({pd.Timestamp(d): pd.Timestamp(window_end(d, exp.horizon.months)) for d in days})
    date = pd.to_datetime(frame["date"])
    inside = frame[(date > start) & (date <= end)].assign(as_of=start)[KEY].drop_duplicates()
    return inside.assign(supported_after=True)


def truth_mismatch(exp: Experiment, county: County) -> Message | None:
    """Return why a simulated county's true chances do not answer an experiment; None if they do.

    The simulator's truth is of net income over the twelve months that end with the window, by its own line.
    """
    simulated = county.about.simulated
    if simulated is None or exp.events != ("below_line",):
        return None
    ruleset = rules.load_rules(exp.ruleset)
    line, period = ruleset.values(exp.params).get(ruleset.line), ruleset.period(exp.params)
    if line == simulated["line"] and period.months == 12 and not period.calendar_year:
        return None
    return Message(
        "runs.notes.other truth", {"truth_line": simulated["line"], "months": period.months, "line": line}
    )


def missing_truth(exp: Experiment, truth: pd.DataFrame, days: pd.Series) -> Message | None:
    """Return on which test dates the true chances are not known, with the mend; None if on all."""
    known = select_truth(exp, truth)
    if known is None:
        return None
    tested = {day.date().isoformat() for day in pd.to_datetime(days.unique())}
    there = {day.date().isoformat() for day in known["as_of"].unique()}
    lacking = sorted(tested - there)
    if not lacking:
        return None
    months = exp.horizon.months
    options = " ".join([f"--horizon {months}", *(f"--truth-at {day}" for day in sorted(tested))])
    return Message(
        "runs.notes.missing truth",
        {"days": ", ".join(lacking), "months": months, "event": exp.events[0], "options": options},
    )


def select_truth(exp: Experiment, truth: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the true chances of an experiment's own event and horizon; None where it has no single one."""
    if truth is None or len(exp.events) != 1 or exp.horizon.next:
        return None
    known = truth[(truth["event"] == exp.events[0]) & (truth["horizon_months"] == exp.horizon.months)]
    return known.assign(
        as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str)
    ).drop(columns=["event", "horizon_months", "outcome"], errors="ignore")
