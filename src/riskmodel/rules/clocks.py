"""The time limits that rule sets declare, checked on the tables that hold both ends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from riskmodel.data import County, contract
from riskmodel.households import DateLike, Moment, point_in_time
from riskmodel.io.specs import Spec
from riskmodel.io.specs import load as load_spec
from riskmodel.rules.declaration import Clock, RuleSet
from riskmodel.rules.library import load


class Calendar(Spec):
    """Public holidays and the weekend days worked instead; without one, only weekends are free."""

    holidays: tuple[str, ...] = ()
    working_weekends: tuple[str, ...] = ()


def clocks(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    calendar: str | Path | Mapping[str, list[str]] | None = None,
) -> pd.DataFrame:
    """Return how a rule set's time limits were kept, as known at a day.

    Parameters
    ----------
    county : County
    ruleset : str, Path or RuleSet
    as_of : date or ISO text
    calendar : path or mapping, optional
        ``holidays`` and ``working_weekends`` (ISO dates); weekends only by default.

    Returns
    -------
    DataFrame
        One row per clock: ``id, zh, en, source, limit, unit``; ``checked`` (the tables hold both ends),
        ``started``, ``in_time``, ``late`` (done late, or not done and overdue; under a lower limit, done too
        soon), ``running`` (not done, not yet due), ``late_share`` of those decided; null where not checked.
        ``assumption`` says where working days were counted without a holiday table.

    Raises
    ------
    SpecError
        If the calendar is wrong.
    """
    chosen = load(ruleset)
    (when,) = point_in_time.moments(as_of)
    free = _calendar(calendar)
    rows = []
    for clock in chosen.clocks:
        row = clock.model_dump(include={"id", "zh", "en", "source", "limit", "unit"})
        ends = _both_ends(county, clock)
        counts = _kept(clock, _pairs(county, *ends, when), when, free) if ends else None
        row["checked"] = counts is not None
        row |= counts or dict.fromkeys(("started", "in_time", "late", "running"))
        decided = (row["in_time"] or 0) + (row["late"] or 0)
        row["late_share"] = row["late"] / decided if decided else None
        by_weekends = clock.unit == "working_days" and not free.holidays
        row["assumption"] = "weekends only: no holiday table" if by_weekends else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _calendar(given: str | Path | Mapping[str, list[str]] | None) -> Calendar:
    if given is None:
        return Calendar()
    return Calendar.model_validate(given) if isinstance(given, Mapping) else load_spec(given, Calendar)


def _both_ends(county: County, clock: Clock) -> tuple[str, str] | None:
    if clock.start is None or clock.end is None:
        return None
    there = all(county.has(end.partition(".")[0]) for end in (clock.start, clock.end))
    return (clock.start, clock.end) if there else None


def _dates(county: County, end: str, when: Moment) -> ir.Table:
    """Return ``household_id, day`` of one end of a clock."""
    table, _, rest = end.partition(".")
    column, _, value = rest.partition("=")
    t = point_in_time.known(county, table, (when,))
    if value:
        t = t.filter(t[column] == value)
        column = contract().tables[table].event_date or column
    return t.filter(t[column].notnull() & (t[column] <= when.as_of)).select("household_id", day=t[column])


def _kept(clock: Clock, pairs: pd.DataFrame, when: Moment, calendar: Calendar) -> dict[str, int]:
    done = pairs["end"].notna()
    until = pairs["end"].fillna(pd.Timestamp(when.as_of))
    passed = _elapsed(pairs["start"], until, clock, calendar)
    over = done & (passed < clock.limit) if clock.at_least else passed > clock.limit
    return {
        "started": len(pairs),
        "in_time": int((done & ~over).sum()),
        "late": int(over.sum()),
        "running": int((~done & ~over).sum()),
    }


def _pairs(county: County, start: str, end: str, when: Moment) -> pd.DataFrame:
    """Return ``start`` and ``end`` of every case; an end that has not come is missing."""
    table, _, first = start.partition(".")
    if table == end.partition(".")[0] and "=" not in start + end:
        last = end.partition(".")[2]
        t = point_in_time.known(county, table, (when,)).select(start=first, end=last).to_pandas()
        t = t.apply(pd.to_datetime)
        # A date after as-of is a plan: not done yet.
        t["end"] = t["end"].where(t["end"] <= pd.Timestamp(when.as_of))
        return t[t["start"] <= pd.Timestamp(when.as_of)]
    starts = _dates(county, start, when).to_pandas().rename(columns={"day": "start"})
    ends = _dates(county, end, when).to_pandas().rename(columns={"day": "end"})
    starts = starts.sort_values(["household_id", "start"], ignore_index=True)
    starts["case"] = range(len(starts))
    # A case that begins anew takes the steps that follow: what came to nothing before has no end.
    again = pd.to_datetime(starts.groupby("household_id")["start"].shift(-1))
    starts["again"] = again.where(again > starts["start"])
    both = starts.merge(ends, on="household_id", how="left")
    own = (both["end"] >= both["start"]) & ~(both["end"] >= both["again"])
    both["end"] = both["end"].where(own)
    return both.groupby("case").agg(start=("start", "first"), end=("end", "min"))


def _elapsed(start: pd.Series, end: pd.Series, clock: Clock, calendar: Calendar) -> pd.Series:
    """Return the time that passed, in the clock's unit."""
    a, b = start.to_numpy("datetime64[D]"), end.to_numpy("datetime64[D]")
    if clock.unit == "working_days":
        day = np.timedelta64(1, "D")
        free = np.array(calendar.holidays, dtype="datetime64[D]")
        passed = np.busday_count(a + day, b + day, holidays=free).astype(float)
        for worked in np.array(calendar.working_weekends, dtype="datetime64[D]"):
            passed += (a < worked) & (worked <= b)
        return pd.Series(passed, index=start.index)
    if clock.unit == "months":
        due = start + pd.DateOffset(months=int(clock.limit))
        return pd.Series(np.where(end <= due, clock.limit, clock.limit + 1), index=start.index)
    if clock.unit == "day_of_month":
        return end.dt.day.astype(float)
    return (end - start).dt.days.astype(float)
