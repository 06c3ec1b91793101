"""Labels: what happened to households after as-of.

A label is 1 where any of the events asked for happens in ``(as_of, as_of + horizon]``, 0 where the window
was fully seen and none did, and null otherwise: never 0 for what nobody could see (contract, "Labels").

* ``identified``: newly monitored, rolled back or re-marked. The rule itself decides this event.
* ``below_line``: per-capita net income of the accounting period that ends with the window is below the line
  of the rule set then (`riskmodel.targets.income_outcomes`).
* ``confirmed``: a home check confirmed the risk; null for the unvisited.
* ``newly_flagged``: the rule set finds the household in the window and did not at as-of
  (`riskmodel.targets.flag_outcomes`). The rule itself decides this event too.

Labels look back on a window that has passed, so they see rows recorded after as-of, up to ``known_by``. They
follow a household to the number under which it goes on, and to the children of a split.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County, Shape, fetch_frame, rows_table
from riskmodel.errors import UsageError
from riskmodel.households import (
    HOUSEHOLD_STATES,
    PRESENT_MEMBERS,
    WATCHED_EVENTS,
    DateLike,
    as_moments,
    known_county,
    to_date,
    window_end,
)
from riskmodel.targets.flag_outcomes import newly_flagged_outcomes
from riskmodel.targets.income_outcomes import LEFT, OVER, below_line_outcomes, label_at
from riskmodel.targets.windows import END_OF_TIME, KEY, Horizon, known_later, numbers_at_end

Event = Literal["identified", "below_line", "confirmed", "newly_flagged"]
EVENTS: tuple[Event, ...] = get_args(Event)
NOT_VISITED, NO_TABLE = "not_visited", "table_absent"


def build_targets(
    county: County,
    as_of: DateLike | Iterable[DateLike],
    horizon: int | Horizon,
    events: Sequence[Event] = ("below_line",),
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    known_by: DateLike | None = None,
    params: dict[str, object] | None = None,
    line_factors: Sequence[float] = (),
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
        Of ``identified``, ``below_line``, ``confirmed``, ``newly_flagged``: any of them gives 1.
    ruleset
        Whose line decides ``below_line``, and whose types ``newly_flagged``.
    known_by : date, optional
        Rows recorded later are not seen, and windows not over by then are null; everything by default.
    params : dict, optional
        Overrides of the rule set's parameters.
    line_factors
        Other lines, as multiples of the rule set's, that ``below_line`` is also answered for.

    Returns
    -------
    DataFrame
        One row per ``household_id, as_of``, sorted: ``label`` and ``label_<event>`` (Int8, null where not
        fully observed), ``real_horizon_months`` (differs from the one asked for on totals and ``next``),
        ``label_reason`` (why the label is null: a reason of `riskmodel.households`' ``income_reason``,
        ``window_not_over``, ``other_people``, ``not_seen_again``, ``not_visited``, ``table_absent``,
        ``no_line``, ``flagged_already`` or ``not_judged``),
        ``label_without_splits`` (null for households that were split in the window), ``split``
        (whether it was) and ``split_share`` (of the persons of a split household's children, those below the
        line); and for each of the other lines `label_at`, whether the income was below it.

    Raises
    ------
    UsageError
        If an event is unknown or none is given, or other lines are asked for without ``below_line``.

    Notes
    -----
    A window ``(as_of, as_of + horizon]`` is fully observed once it, and the recording delay, are over by the
    end of the records; until then its label is null, even where an event is already seen. ``confirmed`` is
    null for whoever was not visited. Of several events any 1 gives 1, else any null gives null.
    """
    unknown = [e for e in events if e not in EVENTS]
    if unknown or not events:
        raise UsageError(f"events {list(events)!r}: give one or more of {', '.join(EVENTS)}")
    if line_factors and "below_line" not in events:
        raise UsageError(f"events {list(events)!r}: only below_line can be answered for other lines")
    span = horizon if isinstance(horizon, Horizon) else Horizon(months=horizon)
    days = [m.as_of for m in as_moments(as_of)]
    seen_by = to_date(known_by) if known_by else END_OF_TIME
    out = fetch_frame(known_county(county, days), _households)
    out["as_of"] = pd.to_datetime(out["as_of"])
    out["real_horizon_months"] = float(span.months)
    out["split"], out["split_share"] = False, np.nan
    ends = {d: window_end(d, span.months) for d in days}
    over = pd.Series({pd.Timestamp(d): _is_over(county, end, seen_by) for d, end in ends.items()})
    for event in events:
        if event == "below_line":
            values = below_line_outcomes(county, days, span, seen_by, ruleset, params or {}, line_factors)
            values = values.rename(columns={"reason": "reason_below_line"}).drop(columns="pcni_after")
            out = out.drop(columns=["split", "split_share"])
        elif event == "newly_flagged":
            values = newly_flagged_outcomes(county, days, span, seen_by, ruleset, params or {})
        else:
            values = _happened(county, event, out, ends, seen_by)
        out = out.merge(values, on=KEY, how="left", validate="one_to_one")
        if event == "identified":
            out = _no_event_is_zero(county, out, ends, seen_by)
        # A total or a next observation that is there ends its own window.
        own_window = out.pop("own_window").eq(True) if "own_window" in out else False
        not_over = ~(out["as_of"].map(over) | own_window)
        if span.next:
            not_over &= out[f"reason_{event}"].notna()
        answered = [f"label_{event}", *(map(label_at, line_factors) if event == "below_line" else ())]
        out.loc[not_over, answered] = np.nan
        out.loc[not_over, f"reason_{event}"] = OVER
        if "own_horizon" in out:
            out["real_horizon_months"] = out.pop("own_horizon").fillna(out["real_horizon_months"])
    return _combine(out, events, [label_at(factor) for factor in line_factors])


def _households(county: Shape) -> ir.Table:
    return county.rows(HOUSEHOLD_STATES).select(*KEY)


def _is_over(county: County, end: dt.date, seen_by: dt.date) -> bool:
    final = end + dt.timedelta(days=county.about.recording_delay_days)
    return final <= county.data_through and final <= seen_by


def _combine(out: pd.DataFrame, events: Sequence[Event], at_lines: Sequence[str]) -> pd.DataFrame:
    columns = [f"label_{e}" for e in events]
    values = out[columns].astype(float)
    label = values.max(axis=1).where(values.notna().all(axis=1) | (values.max(axis=1) == 1))
    reasons = out[f"reason_{events[0]}"]
    for event in events[1:]:
        reasons = reasons.where(reasons.notna(), out[f"reason_{event}"])
    out["label"], out["label_reason"] = label, reasons.where(label.isna()).astype(object)
    out["split"] = out["split"].eq(True)
    out["label_without_splits"] = label.mask(out["split"])
    counted = ["label", *columns, "label_without_splits", *at_lines]
    out[counted] = out[counted].astype("Int8")
    order = [*KEY, "label", *columns, "real_horizon_months", "label_reason", "label_without_splits"]
    return out[[*order, "split", "split_share", *at_lines]].sort_values(
        ["as_of", "household_id"], ignore_index=True
    )


def _happened(
    county: County, event: Event, households: pd.DataFrame, ends: Mapping[dt.date, dt.date], seen_by: dt.date
) -> pd.DataFrame:
    """Return 1 for households with the event in the window; for visits also 0 where one did not confirm."""
    windows = rows_table([{"start": d, "as_of": end} for d, end in ends.items()], start="date", as_of="date")
    frame = fetch_frame(known_later(county, set(ends.values()), seen_by), _events, event, windows=windows)
    frame = frame.rename(columns={"household_id": "number", "as_of": "end", "start": "as_of"})
    frame[["as_of", "end"]] = frame[["as_of", "end"]].apply(pd.to_datetime)
    numbers = numbers_at_end(county, households, ends, dict.fromkeys(ends, seen_by))
    rows = numbers.merge(frame, on=["number", "as_of", "end"], how="left")
    out = rows.groupby(KEY, sort=False)[f"label_{event}"].max().astype(float).reset_index()
    reason = NO_TABLE if not county.has(_TABLES[event]) else NOT_VISITED if event == "confirmed" else LEFT
    reasons = pd.Series(reason, out.index, dtype=object).where(out[f"label_{event}"].isna())
    return out.assign(**{f"reason_{event}": reasons})


_TABLES: dict[str, str] = {"identified": "monitoring", "confirmed": "visits"}


def _events(county: Shape, event: Event, windows: ir.Table) -> ir.Table:
    name, column = ("monitoring", "event") if event == "identified" else ("visits", "outcome")
    yes = WATCHED_EVENTS if event == "identified" else ("confirmed",)
    t = county.rows(name)
    t = t.join(windows, [t.as_of == windows.as_of, t.date > windows.start, t.date <= windows.as_of])
    answered = t[column].isin(yes)
    if event == "confirmed":
        answered = answered | (t[column] == "not_confirmed")
    keys = [*KEY, "start"]
    return t.filter(answered).group_by(keys).agg(**{f"label_{event}": t[column].isin(yes).cast("int8").max()})


def _no_event_is_zero(
    county: County, out: pd.DataFrame, ends: Mapping[dt.date, dt.date], seen_by: dt.date
) -> pd.DataFrame:
    """Put 0 for households without the event that still lived there at the window's end."""
    if not county.has("monitoring"):
        return out
    here = fetch_frame(known_later(county, set(ends.values()), seen_by), _inhabited)
    here = here.rename(columns={"household_id": "number", "as_of": "end"}).assign(there=True)
    here["end"] = pd.to_datetime(here["end"])
    numbers = numbers_at_end(county, out, ends, dict.fromkeys(ends, seen_by))
    there = numbers.merge(here, on=["number", "end"], how="left")
    there = there.assign(there=there["there"].eq(True)).groupby(KEY)["there"].any().reset_index()
    # Extinct and moved-out households could not be identified any more: null, not 0.
    alive = out[KEY].merge(there, on=KEY, how="left")["there"].eq(True).to_numpy()
    nothing = out["label_identified"].isna() & alive
    return out.assign(
        label_identified=out["label_identified"].mask(nothing, 0.0),
        reason_identified=out["reason_identified"].mask(nothing, None),
    )


def _inhabited(county: Shape) -> ir.Table:
    return county.rows(PRESENT_MEMBERS).select(*KEY).distinct()
