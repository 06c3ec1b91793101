"""What became of households: label events, income, support, true chances, and what visits found.

Visits answer only for those who were visited: training rows are drawn so that they stand for everyone.

A list visits all whom a rule flags, many at high risk, and few of the rest by lot. Learned from as they come,
its findings describe the list, not the county. Each list logs every household's chance of a visit; findings
are drawn anew with weights of 1 / chance, so that every model learns from a sample of the county it scores.

A window holds many lists, one a month. What chance a household had of being found on any of them, no single
list knows, so each speaks for itself: over the T lists of a window, a finding of list t weighs
1 / (T · chance on list t), which adds up to 1 in expectation for every household whatever the lists did.
What is learned is the chance that a check on a list day of the window, drawn by lot, confirms the risk.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import rules, targets
from riskmodel.data import County, Shape, fetch_frame, fetch_table, rows_table
from riskmodel.errors import InputRefused
from riskmodel.households import Moment, known_county, window_end
from riskmodel.i18n import Message
from riskmodel.runs.experiment import Experiment
from riskmodel.targets import END_OF_TIME, KEY

VISITED_EVENTS = ("confirmed",)  # the one label that only visits give
# Weights beyond so many times their mean are cut: a few rows would otherwise be the sample (Potter 1990).
MAX_WEIGHT_RATIO = 10.0
SOME = (1.0, math.inf)
NONE = (0.0, 0.0)
ONE = (1.0, 1.0)
NOT_RECORDED = (math.nan, math.nan)


# Features that are added up, and the least and most of their sum; NaN: the sum is not known.
Condition = tuple[tuple[str, ...], tuple[float, float]]
# Kinds of households whose errors are looked at apart: all conditions hold. Their words stand in the
# catalogue (`runs.household_groups`).
HOUSEHOLD_GROUPS: dict[str, tuple[Condition, ...]] = {
    "lifted": ((("is_lifted",), SOME),),
    "elderly_alone": ((("elderly_alone",), SOME),),
    "disability": ((("disabled",), SOME),),
    "no_labour": ((("no_labour",), SOME),),
    "no_adult_at_home": ((("no_adult_at_home",), SOME),),
    "single_parent": (
        (("spouse",), NONE),
        (("working_age",), ONE),
        (("children_0_5", "children_6_15"), SOME),
    ),
    "relocated": ((("relocated",), SOME),),
    "elderly_only": ((("elderly_only",), SOME),),
    "severe_disability": ((("disabled_severe",), SOME),),
    "late_records": ((("months_unrecorded",), SOME),),
    "annual_totals": ((("on_totals",), SOME),),
    # New and split households: the year before is not on record under their number.
    "new_household": ((("net_income_before_log",), NOT_RECORDED),),
}


def household_groups(rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Say to which groups households belong, from features known at as-of.

    A column a group that the features know: "yes", "no" or missing; index of ``rows``.
    """
    out = pd.DataFrame(index=rows.index)
    for name, conditions in HOUSEHOLD_GROUPS.items():
        columns = [feature for features, _ in conditions for feature in features]
        if not set(columns) <= set(X.columns):
            continue
        inside, known = np.ones(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
        for features, (least, most) in conditions:
            value = X[list(features)].iloc[rows["row"]].to_numpy(dtype=float, na_value=np.nan).sum(axis=1)
            if math.isnan(least):
                inside &= np.isnan(value)
                continue
            inside &= (value >= least) & (value <= most)
            known &= ~np.isnan(value)
        out[f"group_{name}"] = pd.Series(np.where(inside, "yes", "no"), index=rows.index).where(known)
    return out


def indicator_groups(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return the last known value of each indicator in ``groups``: "yes", "no", or a number as text."""
    if not exp.groups:
        return None
    if not county.has("indicators"):
        raise InputRefused(f"groups: {', '.join(exp.groups)}: the county has no table indicators")
    rows = known_county(county, days).rows("indicators")
    rows = rows.filter(rows.item.isin(list(exp.groups)))
    frame = rows.select(*KEY, "item", "date", "value").to_pandas().sort_values("date", kind="stable")
    absent = sorted(set(exp.groups) - set(frame["item"]))
    if absent:
        raise InputRefused(f"groups: no indicator {', '.join(absent)} is known at the test dates")
    frame = frame.drop_duplicates([*KEY, "item"], keep="last").assign(as_of=pd.to_datetime(frame["as_of"]))
    frame["value"] = frame["value"].map(lambda v: {0.0: "no", 1.0: "yes"}.get(float(v), f"{v:g}"))
    wide = frame.pivot(index=KEY, columns="item", values="value").add_prefix("group_")
    return wide.rename_axis(columns=None).reset_index()


def label_events(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame:
    """Return every label event of the window (``label_<event>``) whose table the county has.

    Float; missing where not fully observed. With ``split`` and ``split_share`` of
    `riskmodel.targets.build_targets` where a household was split in its window.
    """
    tables = {"identified": "monitoring", "confirmed": "visits", "below_line": "income"}
    # Asking the rule set through a whole window costs several verdicts: only where it is the question.
    asked = [event for event in targets.EVENTS if event in tables or event in exp.events]
    known = tuple(event for event in asked if county.has(tables.get(event, "income")))
    labels = targets.build_targets(county, days, exp.horizon, known, exp.ruleset, params=exp.params)
    columns = {f"label_{event}": labels[f"label_{event}"].astype(float) for event in known}
    if labels["split"].any():
        columns |= {"split": labels["split"], "split_share": labels["split_share"]}
    return labels[KEY].assign(**columns)


def income_after(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return income per head in yuan (``pcni_after``) over the period that ends with the label's window.

    None where each household has a window of its own (``horizon.next``, totals).
    """
    if exp.horizon.next or county.facts.get("spans.income", False):
        return None
    outcomes = targets.below_line_outcomes(county, days, exp.horizon, END_OF_TIME, exp.ruleset, exp.params)
    return outcomes[[*KEY, "pcni_after"]].astype({"pcni_after": float})


def records_then_and_later(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame:
    """Return how late a household's records were on the day, and whether it was below the line then.

    ``lag_months`` as known at as-of; ``below_already``: 1 where its income of that day, by all that was
    recorded since, is below the line of then, 0 where it is not, missing where it is still not known.
    """
    period = rules.load_rules(exp.ruleset).period(exp.params)
    then = known_county(county, days)
    lag = fetch_table(then, then.accounts(period).select(*KEY, "lag_months"))
    later = known_county(county, [Moment(day, END_OF_TIME) for day in days])
    income = fetch_table(later, later.accounts(period).select(*KEY, "pcni"))
    lines = rules.poverty_lines(then, exp.ruleset, params=exp.params)
    for frame in (lag, income):
        frame["as_of"] = pd.to_datetime(frame["as_of"])
    line = income["as_of"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float)
    pcni = income["pcni"].astype(float)
    below = (pcni.round(9) < line.round(9)).astype(float).where(pcni.notna() & line.notna())
    out = lag.merge(income[KEY].assign(below_already=below), on=KEY, how="left", validate="one_to_one")
    return out.astype({"lag_months": float})


def support_within(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> pd.DataFrame | None:
    """Return who was given support within the label's window; None if the county has no table of support."""
    if not county.has("support"):
        return None
    support = known_county(county, [Moment(day, END_OF_TIME) for day in days]).rows("support")
    support = support.filter(support.date_known.fill_null(True))  # else nobody knows whether it was within
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
    test_days = {day.date().isoformat() for day in pd.to_datetime(days.unique())}
    known_days = {day.date().isoformat() for day in known["as_of"].unique()}
    missing = sorted(test_days - known_days)
    if not missing:
        return None
    months = exp.horizon.months
    options = " ".join([f"--horizon {months}", *(f"--truth-at {day}" for day in sorted(test_days))])
    return Message(
        "runs.notes.missing truth",
        {"days": ", ".join(missing), "months": months, "event": exp.events[0], "options": options},
    )


def select_truth(exp: Experiment, truth: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the true chances of an experiment's own event and horizon; None where it has no single one."""
    if truth is None or len(exp.events) != 1 or exp.horizon.next:
        return None
    known = truth[(truth["event"] == exp.events[0]) & (truth["horizon_months"] == exp.horizon.months)]
    return known.assign(
        as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str)
    ).drop(columns=["event", "horizon_months", "outcome"], errors="ignore")


def resample_visited(
    exp: Experiment, county: County, rows: pd.DataFrame, seen_by: dt.date | None
) -> tuple[pd.DataFrame, list[Message]]:
    """Return training rows drawn so that they stand for all households with a chance of a visit.

    Rows of a label other than ``confirmed`` are returned as they are; else as many rows, some of them
    repeated (systematic sampling, seeded by the experiment), of visits recorded by ``seen_by``.

    References
    ----------
    Horvitz & Thompson 1952 for the weights; Kish 1965 for the effective number of visits. Households whose
    chance is 0 (a list without a random share) are not represented by anyone, and visits that nobody
    drew (applications, visits without a logged chance) say nothing of others: they are left out.
    """
    if exp.events != VISITED_EVENTS or rows.empty:
        return rows, []
    findings = visit_findings(county, rows, exp.horizon.months, seen_by)
    if findings["weight"].isna().all():
        return rows, [Message("runs.notes.no chance logged")]
    weighted = findings[findings["weight"].notna()]
    weight = trim_weights(weighted["weight"].to_numpy(dtype=float))
    sample = systematic_sample(weight, exp.seed, len(rows))
    effective = float(weight.sum() ** 2 / np.sum(weight**2))
    representative = rows.drop(columns="y").merge(weighted[[*KEY, "y"]].iloc[sample], on=KEY, how="right")
    counts = {"used": len(weighted), "effective": effective, "left": len(findings) - len(weighted)}
    return representative[rows.columns], [Message("runs.notes.drawn by chance", counts)]


def visit_findings(county: County, rows: pd.DataFrame, months: int, seen_by: dt.date | None) -> pd.DataFrame:
    """Return every answered visit within its row's window, with the weight by which it stands for the county.

    A visit is its household's under whatever number it was paid: a household that was renumbered or merged in
    the window is followed there, one that was split to its children, of whom any confirmed one counts.

    Returns one row per ``household_id, as_of`` and list (a calendar month): ``date, selected_by, chance``,
    ``y`` (1 confirmed, 0 not), ``weight`` (1 / (lists · chance · answered share of the window's planned
    visits of that source); NaN where no chance was logged).

    References
    ----------
    Horvitz & Thompson 1952. Unanswered visits: a weighting class for each source
    (Little & Rubin 2019, section 3.3.2).
    """
    days = sorted({d.date() for d in pd.to_datetime(rows["as_of"])})
    ends = {day: window_end(day, months) for day in days}
    by = seen_by or END_OF_TIME
    visits = _planned_visits(county, ends, by)
    # Whom a rule flags is visited for certain; their lists of former days logged no chance.
    certain = visits["chance"].isna() & visits["selected_by"].eq("rule")
    visits["chance"] = visits["chance"].where(visits["chance"] > 0).mask(certain, 1.0)
    logged = visits[visits["chance"].notna()]
    lists = logged.groupby("as_of")["month"].nunique()
    visits["lists"] = visits["as_of"].map(lists)
    visits["y"] = visits["outcome"].map({"confirmed": 1.0, "not_confirmed": 0.0})
    answered = visits["y"].notna().groupby([visits["as_of"], visits["selected_by"]]).transform("mean")
    visits["weight"] = 1 / (visits["lists"] * visits["chance"] * answered)
    numbers = targets.numbers_at_end(county, rows, ends, dict.fromkeys(ends, by))[[*KEY, "number"]]
    findings = numbers.merge(visits[visits["y"].notna()], on=["number", "as_of"])
    # Of the children of a split household a list counts once, as of a household.
    findings = findings.sort_values("y", ascending=False, kind="stable").drop_duplicates([*KEY, "month"])
    findings = findings.sort_values([*KEY, "month"], ignore_index=True)
    return findings[[*KEY, "date", "selected_by", "chance", "y", "weight"]]


def _planned_visits(county: County, ends: Mapping[dt.date, dt.date], seen_by: dt.date) -> pd.DataFrame:
    """Return a visit a number, as-of and month: the first answered one, else the first tried.

    ``number`` is the one valid at the window's end. All households are in it: one that nobody answered has no
    label, yet counts when one asks how many did.
    """
    windows = rows_table([{"start": d, "end": end} for d, end in ends.items()], start="date", end="date")
    visits = fetch_frame(targets.known_later(county, set(ends.values()), seen_by), _visits, windows=windows)
    visits = visits.rename(columns={"household_id": "number", "start": "as_of"})
    visits = visits.astype({"number": object, "chance": float})
    visits["as_of"], visits["date"] = pd.to_datetime(visits["as_of"]), pd.to_datetime(visits["date"])
    visits = visits.assign(month=visits["date"].dt.to_period("M"), tried=visits["outcome"].eq("absent"))
    keys = ["number", "as_of", "month"]
    return visits.sort_values([*keys, "tried", "date", "selected_by"]).drop_duplicates(
        keys, ignore_index=True
    )


def _visits(county: Shape, windows: ir.Table) -> ir.Table:
    t = county.rows("visits")
    t = t.join(windows, [t.as_of == windows.end, t.date > windows.start, t.date <= windows.end])
    # A column of nothing but nulls has no kind of its own in an exported table.
    source = t.selected_by.fill_null("unknown")
    return t.select("household_id", "start", "date", "outcome", selected_by=source, chance=t.chance)


def trim_weights(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights cut at `MAX_WEIGHT_RATIO` times their mean."""
    return np.minimum(weight, MAX_WEIGHT_RATIO * weight.mean())


def systematic_sample(weight: NDArray[np.float64], seed: int, size: int | None = None) -> NDArray[np.int64]:
    """Draw rows, each as often as its weight says, to within one.

    Returns ``size`` (default n) row numbers, sorted.

    Examples
    --------
    >>> systematic_sample(np.array([1.0, 1.0, 2.0]), 0).tolist().count(2)
    2
    """
    n = len(weight) if size is None else size
    steps = (np.arange(n) + np.random.default_rng(seed).random()) / n * weight.sum()
    positions: Any = np.searchsorted(np.cumsum(weight), steps, side="right")
    return np.minimum(positions, len(weight) - 1).astype(np.int64)
