"""The time limits that rule sets declare, checked on the tables that hold both ends.

County-level screens that rule sets ask for: the expected size, scale risk by township, result lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.data import County, contract
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, KnownCounty, Moment, known_county
from riskmodel.rules.calendar import NO_TABLE, Calendar, read_calendar
from riskmodel.rules.declaration import Clock, RuleSet
from riskmodel.rules.library import load_rules


def check_time_limits(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    calendar: str | Path | Mapping[str, Any] | Calendar | None = None,
) -> pd.DataFrame:
    """Return how a rule set's time limits were kept, as known at a day.

    Parameters
    ----------
    county
        The checked tables.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    calendar : path or mapping, optional
        What `riskmodel.rules.read_calendar` takes beside the packaged holidays.

    Returns
    -------
    DataFrame
        One row per clock: ``id, zh, en, source, limit, unit``; ``checked`` (the tables hold both ends),
        ``started``, ``in_time``, ``late`` (done late, or not done and overdue; under a lower limit, done too
        soon), ``running`` (not done, not yet due; cases that a measure without a date may have ended are left
        out of all of these), ``late_share`` of those decided; null where not checked.
        ``assumption`` says where days were counted without a holiday table, and which step nobody records.

    Raises
    ------
    SpecError
        If the calendar is wrong.
    """
    loaded = load_rules(ruleset)
    known = known_county(county, as_of)
    (when,) = known.moments
    free = read_calendar(calendar)
    rows = []
    for clock in loaded.clocks:
        row = clock.model_dump(include={"id", "zh", "en", "source", "limit", "unit"})
        ends = _both_ends(known, clock)
        pairs = _pairs(known, *ends) if ends else None
        counts = None if pairs is None else _within_limits(clock, pairs, when, free)
        # Where a step is never written down, that it is missing says nothing of whether it was taken.
        unwritten = _unwritten(known, ends[1]) if ends and counts and counts["late"] else ""
        counts = None if unwritten else counts
        row["checked"] = counts is not None
        row |= counts or dict.fromkeys(("started", "in_time", "late", "running"))
        decided = (row["in_time"] or 0) + (row["late"] or 0)
        row["late_share"] = row["late"] / decided if decided else None
        row["assumption"] = unwritten
        if counts is not None and pairs is not None and clock.unit != "day_of_month":
            missing = free.missing_years([pairs["start"].min(), pairs["start"].max(), known.as_of])
            row["assumption"] = f"{NO_TABLE} for {', '.join(map(str, missing))}" if missing else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _both_ends(known: KnownCounty, clock: Clock) -> tuple[str, str] | None:
    if clock.start is None or clock.end is None:
        return None
    present = all(known.has(end.partition(".")[0]) for end in (clock.start, clock.end))
    return (clock.start, clock.end) if present else None


def _unwritten(known: KnownCounty, end: str) -> str:
    """Return that a step of the procedure is in no row, or an empty text."""
    table, _, step = end.partition("=")
    if table != "procedure.step" or known.rows("procedure").filter(ibis._.step == step).count().execute():
        return ""
    return f"no step {step} on record"


def _dates(known: KnownCounty, end: str) -> ir.Table:
    """Return ``household_id, day`` of one end of a clock."""
    table, _, rest = end.partition(".")
    column, _, value = rest.partition("=")
    t = known.rows(table)
    if table == "support":
        t = t.filter(t.date_known.fill_null(True))
    if table == "monitoring":
        t = t.filter(t.date_precision.fill_null("day") == "day")  # no days can be counted from a month
    if value:
        t = t.filter(t[column] == value)
        column = contract().tables[table].event_date or column
    if table == "risk_events":
        t = t.mutate(**{column: ibis.greatest(t[column], t.known_on)})  # found on the day it was written down
    return t.filter(t[column].notnull() & (t[column] <= t.as_of)).select("household_id", day=t[column])


def _within_limits(clock: Clock, pairs: pd.DataFrame, when: Moment, calendar: Calendar) -> dict[str, int]:
    done = pairs["end"].notna()
    until = pairs["end"].fillna(pd.Timestamp(when.as_of))
    due = calendar.due_dates(pairs["start"], clock.limit, clock.unit, at_least=clock.at_least)
    over = done & (until < due) if clock.at_least else until > due
    return {
        "started": len(pairs),
        "in_time": int((done & ~over).sum()),
        "late": int(over.sum()),
        "running": int((~done & ~over).sum()),
    }


def _pairs(known: KnownCounty, start: str, end: str) -> pd.DataFrame:
    """Return ``start`` and ``end`` of every case; an end that has not come is missing."""
    table, _, first = start.partition(".")
    if table == end.partition(".")[0] and "=" not in start + end:
        last = end.partition(".")[2]
        t = known.rows(table).select(start=first, end=last).to_pandas()
        t = t.apply(pd.to_datetime)
        # A date after as-of is a plan: not done yet.
        as_of = pd.Timestamp(known.as_of)
        t["end"] = t["end"].where(t["end"] <= as_of)
        return t[t["start"] <= as_of]
    starts = _dates(known, start).to_pandas().rename(columns={"day": "start"})
    ends = _dates(known, end).to_pandas().rename(columns={"day": "end"})
    starts = starts.sort_values(["household_id", "start"], ignore_index=True)
    starts["case"] = range(len(starts))
    # A case that begins anew takes the steps that follow: what came to nothing before has no end.
    again = pd.to_datetime(starts.groupby("household_id")["start"].shift(-1))
    starts["again"] = again.where(again > starts["start"])
    both = starts.merge(ends, on="household_id", how="left")
    own = (both["end"] >= both["start"]) & ~(both["end"] >= both["again"])
    both["end"] = both["end"].where(own)
    cases = both.groupby("case").agg(
        household_id=("household_id", "first"), start=("start", "first"), end=("end", "min")
    )
    if end.partition(".")[0] == "support":
        # A measure without a date may have been the step that is waited for: such a case is not judged.
        t = known.rows("support")
        undated = t.filter(t.date_known == ibis.literal(False)).select("household_id", latest="date")
        latest = pd.to_datetime(undated.to_pandas().set_index("household_id")["latest"])
        latest = latest.groupby(level=0).max().reindex(cases["household_id"]).set_axis(cases.index)
        cases = cases[cases["end"].notna() | ~(latest >= cases["start"])]
    return cases


# 004: disasters, epidemics, failed projects, job losses; falling prices are in no table of the contract.
SCALE_CAUSES = {
    "disaster": "disaster",
    "epidemic": "epidemic",
    "failed_projects": "industry_failure",
    "job_losses": "unstable_employment",
}


def check_size(
    verdicts: pd.DataFrame, ruleset: str | RuleSet, params: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the share of flagged persons among the registered ones, beside the band where it is expected.

    Parameters
    ----------
    verdicts : DataFrame
        From `riskmodel.rules.evaluate_rules` with this set.
    ruleset : str or RuleSet
        One that declares ``check_size`` (ratio-1.5-2020).
    params : mapping, optional
        Overrides.

    Returns
    -------
    DataFrame
        One row per ``as_of``: ``flagged_persons, registered_persons, share, expected, low, high, within``
        (missing where nobody is registered).

    Raises
    ------
    UsageError
        If the set declares no size check.
    """
    loaded = load_rules(ruleset)
    if loaded.size_check is None:
        raise UsageError(f"{loaded.id} declares no size_check")
    values, check = loaded.values(params), loaded.size_check
    t = verdicts.assign(
        flagged_persons=verdicts["persons"].where(verdicts["flagged"], 0),
        registered_persons=verdicts["persons"].where(verdicts["registration"] == check.denominator, 0),
    )
    out = t.groupby("as_of", as_index=False)[["flagged_persons", "registered_persons"]].sum()
    out["share"] = out["flagged_persons"] / out["registered_persons"].where(out["registered_persons"] > 0)
    out["expected"], out["low"], out["high"] = (values[n] for n in (check.expected, check.low, check.high))
    within = out["share"].round(9).between(out["low"], out["high"]).astype("boolean")
    return out.assign(within=within.where(out["share"].notna()))


def assess_scale_risk(county: County, as_of: DateLike) -> pd.DataFrame:
    """Return signs of a return to poverty on a larger scale, by township (004).

    Parameters
    ----------
    county
        The checked tables.
    as_of
        The day, or days, spoken of; each is judged by what was known then.

    Returns
    -------
    DataFrame
        Sorted by ``township``: ``households``, shares of households with an open cause ``disaster,
        epidemic, failed_projects, job_losses`` (missing where there are no risk events), ``relocated``
        (missing codes count as not), ``monitored_ever`` households and ``not_eliminated``, the share of
        them still in the register; ``price_falls`` is always missing: no table tells.
    """
    t = known_county(county, as_of).accounts()
    ever = t.in_register | (t.register_event == "eliminated").fill_null(False)
    shares = {name: t[f"cause_{cause}"].cast("float64").mean() for name, cause in SCALE_CAUSES.items()}
    out = (
        t.group_by("township")
        .agg(
            households=ibis._.count(),
            **shares,
            relocated=t.relocated.fill_null(False).cast("float64").mean(),
            monitored_ever=ever.cast("int64").sum(),
            in_register=t.in_register.cast("int64").sum(),
        )
        .order_by("township")
        .to_pandas()
    )
    ever_count = out["monitored_ever"].where(out["monitored_ever"] > 0)
    out["not_eliminated"] = out.pop("in_register") / ever_count
    out["price_falls"] = float("nan")
    return out


def result_lists(verdicts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the lists that a screening ends in (004), from one day's verdicts.

    Parameters
    ----------
    verdicts : DataFrame
        From `riskmodel.rules.evaluate_rules`, one ``as_of``.

    Returns
    -------
    dict
        ``new`` (found and not in the register), ``re_marked``, ``rolled_back``, ``removed`` (to be
        verified), ``eliminated``, ``income_plan``, ``further_support``: frames of the same columns. Natural
        changes of persons are the ledger's.

    Raises
    ------
    UsageError
        If the verdicts are of several days.
    """
    if verdicts["as_of"].nunique() > 1:
        raise UsageError("result lists are of one as-of date; filter the verdicts first")
    outcome = verdicts["outcome"]
    picks = {
        "new": verdicts["flagged"] & (outcome == ""),
        "re_marked": outcome == "re_mark",
        "rolled_back": outcome == "roll_back",
        "removed": outcome == "verify_removal",
        "eliminated": outcome == "eliminate",
        "income_plan": verdicts["income_plan"].fillna(False).astype(bool),
        "further_support": outcome.isin(["hold", "hold_no_labour"]),
    }
    return {name: verdicts[rows].reset_index(drop=True) for name, rows in picks.items()}
