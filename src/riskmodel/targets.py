"""Labels (what happened after as-of) and cohorts (who was at risk at as-of).

A label is 1 where any of the events asked for happens in ``(as_of, as_of + horizon]``, 0 where the window
was fully seen and none did, and null otherwise: never 0 for what nobody could see (contract, "Labels").

* ``identified``: newly monitored, rolled back or re-marked. The rule itself decides this event.
* ``below_line``: per-capita net income of the accounting period that ends with the window is below the line
  of the rule set then; on annual totals, of the first total that starts after the feature span. Null where
  nobody of the household is left by then.
* ``confirmed``: a home check confirmed the risk; null for the unvisited.

Labels look back on a window that has passed, so they see rows recorded after as-of, up to ``known_by``.

Cohorts: which households were at risk at as-of.

Every cohort but ``all`` is a risk set: per-capita net income known and not below the line, and not under
watch in the register, because staying poor is not returning to poverty. A general household that first
appears at or after its own identification is in none: that it is there at all is the label (contract).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from riskmodel import rules
from riskmodel.data import County, Shape, fetch_frame, fetch_table, month_end, rows_table, store_query
from riskmodel.errors import UsageError
from riskmodel.households import (
    HOUSEHOLD_STATES,
    PRESENT_MEMBERS,
    TOTAL_MONTHS,
    WATCHED_EVENTS,
    AccountingPeriod,
    AsOf,
    DateLike,
    KnownCounty,
    Moment,
    as_moments,
    known_county,
    to_date,
    valid_on,
    window_end,
)
from riskmodel.io import Spec

Event = Literal["identified", "below_line", "confirmed"]
EVENTS: tuple[Event, ...] = ("identified", "below_line", "confirmed")
END_OF_TIME = dt.date(9999, 12, 31)
KEY = ["household_id", "as_of"]


class Horizon(Spec):
    """A number of months, or the next observation within so many months (``next``)."""

    months: int = Field(ge=1, le=120)
    next: bool = False


def build_targets(
    county: County,
    as_of: DateLike | Iterable[DateLike],
    horizon: int | Horizon,
    events: Sequence[Event] = ("below_line",),
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    known_by: DateLike | None = None,
    params: dict[str, object] | None = None,
) -> pd.DataFrame:
    """Return the label of every household known at each as-of.

    Parameters
    ----------
    county
        The county's tables.
    as_of
        One or several dates from which the horizon counts.
    horizon
        Months within which an event counts.
    events
        Of ``identified``, ``below_line``, ``confirmed``: any of them gives 1.
    ruleset
        Whose line decides ``below_line``.
    known_by : date, optional
        Rows recorded later are not seen, and windows not over by then are null; everything by default.
    params : dict, optional
        Overrides of the rule set's parameters.

    Returns
    -------
    DataFrame
        One row per ``household_id, as_of``, sorted: ``label`` and ``label_<event>`` (Int8, null where not
        fully observed), ``real_horizon_months`` (differs from the one asked for on totals and ``next``).

    Raises
    ------
    UsageError
        If an event is unknown or none is given.

    Notes
    -----
    A window ``(as_of, as_of + horizon]`` is fully observed once it, and the recording delay, are over by the
    end of the records; until then its label is null, even where an event is already seen. ``confirmed`` is
    null for whoever was not visited. Of several events any 1 gives 1, else any null gives null.
    """
    unknown = [e for e in events if e not in EVENTS]
    if unknown or not events:
        raise UsageError(f"events {list(events)!r}: give one or more of {', '.join(EVENTS)}")
    span = horizon if isinstance(horizon, Horizon) else Horizon(months=horizon)
    days = [m.as_of for m in as_moments(as_of)]
    seen_by = to_date(known_by) if known_by else END_OF_TIME
    out = fetch_frame(known_county(county, days), _households)
    out["as_of"] = pd.to_datetime(out["as_of"])
    out["real_horizon_months"] = float(span.months)
    ends = {d: window_end(d, span.months) for d in days}
    over = pd.Series({pd.Timestamp(d): _is_over(county, end, seen_by) for d, end in ends.items()})
    for event in events:
        if event == "below_line":
            values = _below_line(county, days, span, seen_by, ruleset, params or {})
        else:
            values = _happened(county, event, ends, seen_by)
        out = out.merge(values, on=KEY, how="left", validate="one_to_one")
        if event == "identified":
            out["label_identified"] = _no_event_is_zero(county, out, ends, seen_by)
        # A total or a next observation that is there ends its own window.
        own_window = out.pop("own_window").eq(True) if "own_window" in out else False
        out.loc[~(out["as_of"].map(over) | own_window), f"label_{event}"] = np.nan
        if "own_horizon" in out:
            out["real_horizon_months"] = out.pop("own_horizon").fillna(out["real_horizon_months"])
    return _combine(out, events)


def _households(county: Shape) -> ir.Table:
    return county.rows(HOUSEHOLD_STATES).select(*KEY)


def _is_over(county: County, end: dt.date, seen_by: dt.date) -> bool:
    final = end + dt.timedelta(days=county.about.recording_delay_days)
    return final <= county.data_through and final <= seen_by


def _combine(out: pd.DataFrame, events: Sequence[Event]) -> pd.DataFrame:
    columns = [f"label_{e}" for e in events]
    values = out[columns].astype(float)
    label = values.max(axis=1).where(values.notna().all(axis=1) | (values.max(axis=1) == 1))
    out["label"] = label
    out[["label", *columns]] = out[["label", *columns]].astype("Int8")
    order = [*KEY, "label", *columns, "real_horizon_months"]
    return out[order].sort_values(["as_of", "household_id"], ignore_index=True)


def _happened(county: County, event: Event, ends: dict[dt.date, dt.date], seen_by: dt.date) -> pd.DataFrame:
    """Return 1 for households with the event in the window; for visits also 0 where one did not confirm."""
    windows = rows_table(
        [{"as_of": d, "window_end": end} for d, end in ends.items()], as_of="date", window_end="date"
    )
    frame = fetch_frame(_known_later(county, ends, seen_by), _events, event, windows=windows)
    frame["as_of"] = pd.to_datetime(frame["as_of"])
    return frame.astype({f"label_{event}": "float64"})


def _known_later(county: County, days: Iterable[dt.date], seen_by: dt.date) -> KnownCounty:
    """Return the county at some days as it was known by a later one: what labels look back from."""
    return known_county(county, [Moment(d, seen_by) for d in days])


def _events(county: Shape, event: Event, windows: ir.Table) -> ir.Table:
    name, column = ("monitoring", "event") if event == "identified" else ("visits", "outcome")
    yes = WATCHED_EVENTS if event == "identified" else ("confirmed",)
    t = county.rows(name)
    t = t.join(windows, [t.as_of == windows.as_of, t.date > windows.as_of, t.date <= windows.window_end])
    answered = t[column].isin(yes)
    if event == "confirmed":
        answered = answered | (t[column] == "not_confirmed")
    return t.filter(answered).group_by(KEY).agg(**{f"label_{event}": t[column].isin(yes).cast("int8").max()})


def _no_event_is_zero(
    county: County, out: pd.DataFrame, ends: dict[dt.date, dt.date], seen_by: dt.date
) -> pd.Series:
    """Return 0 for households without the event that still lived there at the window's end."""
    values = out["label_identified"]
    if not county.has("monitoring"):
        return values
    there = []
    for start, end in ends.items():
        here = fetch_frame(_known_later(county, [end], seen_by), _inhabited)
        there.append(here.assign(as_of=pd.Timestamp(start), there=True))
    # Extinct and moved-out households could not be identified any more: null, not 0.
    alive = out[KEY].merge(pd.concat(there), on=KEY, how="left")["there"].eq(True)
    return values.mask(values.isna() & alive.to_numpy(), 0.0)


def _inhabited(county: Shape) -> ir.Table:
    return county.rows(PRESENT_MEMBERS).select("household_id").distinct()


def _below_line(
    county: County,
    days: list[dt.date],
    span: Horizon,
    seen_by: dt.date,
    ruleset: str | rules.RuleSet,
    params: dict[str, object],
) -> pd.DataFrame:
    """Return whether income is below the line at the window's end, by months or over own spans."""
    chosen = rules.load_rules(ruleset)
    period = chosen.period(params)
    parts = []
    if not span.next:
        ends = {d: window_end(d, span.months) for d in days}
        # An outcome's period ends with the window; it is on record by then, or the label is null.
        known = _known_later(county, ends.values(), seen_by)
        at_end = known.incomes(period.model_copy(update={"follows_lag": False}))
        at_end = fetch_frame(known, _by_months, incomes=at_end)
        lines = rules.poverty_lines(known, chosen, params=params)
        at_end["end"] = pd.to_datetime(at_end.pop("as_of"))
        at_end["line"] = at_end["end"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float)
        starts = pd.DataFrame(
            {"as_of": pd.to_datetime(list(ends)), "end": pd.to_datetime(list(ends.values()))}
        )
        parts.append(at_end.merge(starts, on="end"))
    spans = _own_spans(county, days, span, seen_by, period)
    if spans is not None:
        over = _known_later(county, days, seen_by).incomes_over(county.con.to_pyarrow(spans))
        own = fetch_frame(county, _with_own_period, incomes=over)
        own["as_of"] = pd.to_datetime(own["as_of"])
        own["as_of_month"] = own["as_of"].dt.year * 12 + own["as_of"].dt.month - 1
        ends_of = {int(m): month_end(int(m)) for m in own["period_to"].unique()}
        lines = {}
        if ends_of:
            at_ends = _known_later(county, ends_of.values(), seen_by)
            lines = rules.poverty_lines(at_ends, chosen, params=params)
        own["line"] = own["period_to"].map({m: lines[d] for m, d in ends_of.items()}).astype(float)
        own["own_horizon"] = (own["period_to"] - own["as_of_month"]).astype(float)
        own["own_window"] = True
        own["end"] = pd.to_datetime(own["period_to"].map(ends_of))
        parts.append(own.drop(columns=["period_to", "as_of_month"]))
    outcomes = pd.concat(parts, ignore_index=True)
    # Compared after rounding to nine decimals, as every threshold is.
    below = outcomes["pcni"].round(9) < outcomes["line"].round(9)
    outcomes["label_below_line"] = below.astype(float).where(
        outcomes["pcni"].notna() & outcomes["line"].notna()
    )
    outcomes = _null_where_replaced(county, outcomes.drop(columns=["pcni", "line"]), seen_by).drop(
        columns="end"
    )
    # A household judged on totals goes by its own span; months would be a second answer.
    if "own_window" in outcomes:
        outcomes = outcomes.sort_values("own_window", na_position="last").drop_duplicates(KEY)
    return outcomes


def _by_months(county: Shape, incomes: ir.Table) -> ir.Table:
    return incomes.filter(incomes.income_basis == "months").select(*KEY, "pcni")


def _with_own_period(county: Shape, incomes: ir.Table) -> ir.Table:
    return incomes.filter(incomes.period_to.notnull()).select(*KEY, "pcni", "period_to")


def _null_where_replaced(county: County, outcomes: pd.DataFrame, seen_by: dt.date) -> pd.DataFrame:
    """Take back labels of households of whom nobody is left at the window's end.

    Where other people live under a household's number by then, what they earn is not its outcome.
    """
    known = _known_later(county, [END_OF_TIME], seen_by)
    if not fetch_frame(known, _anybody_left)["left"].eq(True).all():
        return outcomes
    types = {KEY[0]: "string", KEY[1]: "date", "end": "date"}
    labelled = outcomes.loc[outcomes["label_below_line"].notna(), list(types)]
    windows = pa.Table.from_pandas(labelled, schema=ibis.schema(types).to_pyarrow(), preserve_index=False)
    stayed = fetch_frame(known, _stayed, windows=windows)
    stayed[[KEY[1], "end"]] = stayed[[KEY[1], "end"]].apply(pd.to_datetime)
    still_there = outcomes.merge(stayed, on=[*KEY, "end"], how="left", validate="one_to_one")["stayed"].eq(
        True
    )
    return outcomes.assign(label_below_line=outcomes["label_below_line"].where(still_there.to_numpy()))


def _anybody_left(county: Shape) -> ir.Table:
    t = county.rows("members")
    return t.aggregate(left=t.valid_to.notnull().any())


def _stayed(county: Shape, windows: ir.Table) -> ir.Table:
    t = county.rows("members")
    t = t.select("household_id", "member_id", "valid_from", "valid_to").inner_join(windows, "household_id")
    by_member = t.mutate(before=valid_on(t, "as_of"), after=valid_on(t, "end"))
    by_member = by_member.group_by([*KEY, "end", "member_id"]).agg(
        stayed=ibis._.before.any() & ibis._.after.any()
    )
    return by_member.group_by([*KEY, "end"]).agg(stayed=ibis._.stayed.any())


def _own_spans(
    county: County, days: list[dt.date], span: Horizon, seen_by: dt.date, period: AccountingPeriod
) -> ir.Table | None:
    """Return the span of each label: the next observation, or the first total after the features."""
    if not span.next and not county.facts.get("spans.income", False):
        return None
    at = known_county(county, days).accounts(period)
    at = at.select(*KEY, "period_to", "income_basis", "as_of_month")
    return store_query(_known_later(county, days, seen_by), _next_spans, span, period, at=at)


def _next_spans(county: Shape, span: Horizon, period: AccountingPeriod, at: ir.Table) -> ir.Table:
    later = county.rows("income")
    later = later.select(*KEY, "month_from", "month_to").inner_join(at, list(KEY))
    is_total = later.month_to - later.month_from == TOTAL_MONTHS - 1
    by_total = is_total & (later.income_basis == "total")
    by_total = by_total & (later.month_from > later.period_to) & (later.month_to > later.as_of_month)
    keep = by_total
    if span.next:
        within = (later.month_to > later.period_to) & (later.month_to <= later.period_to + span.months)
        keep = by_total | ((later.income_basis == "months") & within)
    length = ibis.ifelse(later.income_basis == "total", TOTAL_MONTHS, period.months)
    next_totals = later.mutate(length=length).filter(keep).group_by(KEY)
    next_totals = next_totals.agg(period_to=ibis._.month_to.min(), length=ibis._.length.max())
    return next_totals.mutate(
        period_from=(next_totals.period_to - next_totals.length + 1).cast("int32")
    ).drop("length")


Choice = Callable[[pd.DataFrame], pd.Series]

COHORTS: dict[str, Choice] = {
    "all": lambda t: pd.Series(True, t.index),
    "not_monitored": lambda t: t["at_risk"],
    "lifted": lambda t: t["at_risk"] & (t["registration"] == "lifted"),
    "general": lambda t: t["at_risk"] & (t["registration"] == "general"),
    "eliminated": lambda t: t["at_risk"] & (t["register_event"] == "eliminated"),
    "never_below": lambda t: t["at_risk"] & ~t["was_below"],
    "fell_before": lambda t: t["at_risk"] & t["was_below"],
}
HISTORY = ("never_below", "fell_before")


def build_cohorts(
    county: County | KnownCounty,
    names: str | Sequence[str],
    as_of: AsOf | None = None,
    ruleset: str | rules.RuleSet = "national-2021",
    params: dict[str, object] | None = None,
) -> pd.DataFrame:
    """Return the households of a cohort (or of the union of several) at each as-of.

    Parameters
    ----------
    county
        The checked tables, or a `riskmodel.households.KnownCounty`, which carries its own dates.
    names
        One or more of `COHORTS`.
    as_of
        Date, ISO text, or several.
    ruleset
        Whose line says who is below.
    params
        Overrides of the rule set's parameters.

    Returns
    -------
    DataFrame
        ``household_id, as_of, persons``, sorted.

    Raises
    ------
    UsageError
        If a name is unknown.
    """
    cohorts = [names] if isinstance(names, str) else list(names)
    unknown = [n for n in cohorts if n not in COHORTS]
    if unknown or not cohorts:
        raise UsageError(f"cohort {cohorts!r}: give one or more of {', '.join(COHORTS)}")
    known = known_county(county, as_of)
    days = [m.as_of for m in known.moments]
    chosen = rules.load_rules(ruleset)
    table = _standing(known, chosen, params or {})
    if any(n in HISTORY for n in cohorts):
        table = _with_past(known.county, table, days, chosen, params or {})
    member = pd.Series(False, table.index)
    for name in cohorts:
        member |= COHORTS[name](table)
    identified_first = _first_seen_by_identification(known.county)
    general = table["registration"] == "general"
    keep = member & ~(general & table["household_id"].isin(identified_first))
    out = table.loc[keep, [*KEY, "persons"]]
    return out.sort_values(["as_of", "household_id"], ignore_index=True)


def _standing(known: KnownCounty, ruleset: rules.RuleSet, params: dict[str, object]) -> pd.DataFrame:
    """Return registration, register state and whether each household is known to be above the line."""
    t = known.accounts(ruleset.period(params))
    columns = ["registration", "persons", "pcni", "in_register", "register_event"]
    table = fetch_table(known, t.select(*KEY, *columns))
    table["as_of"] = pd.to_datetime(table["as_of"])
    lines = rules.poverty_lines(known, ruleset, params=params)
    line = table["as_of"].map({pd.Timestamp(d): v for d, v in lines.items()}).astype(float)
    table["below"] = (table["pcni"].round(9) < line.round(9)).where(table["pcni"].notna())
    watched = table["in_register"].eq(True)
    table["at_risk"] = table["below"].eq(False) & ~watched
    return table


def _with_past(
    county: County,
    table: pd.DataFrame,
    days: list[dt.date],
    ruleset: rules.RuleSet,
    params: dict[str, object],
) -> pd.DataFrame:
    """Add ``was_below``: below the line in an earlier accounting period, as it was known then."""
    period = ruleset.period(params)
    months = sorted(fetch_frame(county, _income_months)["month_to"])
    # A period that begins before the records do would look poor for want of rows.
    whole = [int(m) for m in months if m >= months[0] + period.months - 1]
    # Overlapping twelve-month periods: a look each quarter finds a bad year without one for every month.
    step = 1 if period.months == 1 else 3
    earlier = [m for m in whole[::step] if month_end(m) < max(days)]
    past_days = sorted({month_end(m) for m in earlier} | {d for d in days if d < max(days)})
    if not past_days:
        return table.assign(was_below=False)
    past = _standing(known_county(county, past_days), ruleset, params)
    fell = past.loc[past["below"].eq(True)].groupby("household_id")["as_of"].min().rename("first_below")
    table = table.merge(fell, on="household_id", how="left")
    return table.assign(was_below=(table["first_below"] < table["as_of"]).fillna(False))


def _income_months(county: Shape) -> ir.Table:
    return county.table("income").select("month_to").distinct()


def _first_seen_by_identification(county: County) -> set[str]:
    whole = known_county(county, END_OF_TIME)
    return set(fetch_frame(whole, _seen_after_identification)["household_id"])


def _seen_after_identification(county: Shape) -> ir.Table:
    t = county.rows("monitoring")
    identified = t.filter(t.event == "identified").group_by("household_id").agg(identified=t.date.min())
    h = county.table("households")
    seen = h.group_by("household_id").agg(seen=h.known_on.min())
    both = seen.inner_join(identified, "household_id")
    return both.filter(both.seen >= both.identified).select("household_id")
