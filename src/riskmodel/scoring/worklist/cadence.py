"""When a household is to be visited, and who was visited so lately that the model need not ask again.

Who is in the register has a card, and by its colour a visit every so many days (``cards-2023``, 001 §17).
For all others the rarest of these visits, the blue card's quarter, says what "lately" is: an assumption.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd

PLANNING_DAYS = 30  # a list is made for a month


def quarter_days() -> int:
    """Return the longest time between two visits that ``cards-2023`` allows, in days."""
    from riskmodel import rules

    return max(t.visit_every_days or 0 for t in rules.load("cards-2023").tiers)


def with_cadence(frame: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Add when each household's visit is due, whose card asks for one this month, and who is held back.

    Parameters
    ----------
    frame : DataFrame
        ``flagged``; where known ``card`` (red, yellow, blue), ``visit_every_days`` and ``last_seen`` (the
        latest visit at which somebody was met).
    as_of : date

    Returns
    -------
    DataFrame
        The frame with ``due_date`` (datetime64), ``visit_due`` (within the month, or never seen),
        ``card_due`` (so for a red or yellow card that no rule flags), ``held`` (visited lately, neither
        flagged nor due) and ``held_until``.
    """
    day = pd.Timestamp(as_of)
    seen = pd.to_datetime(frame["last_seen"]) if "last_seen" in frame else pd.Series(pd.NaT, frame.index)
    every = frame["visit_every_days"] if "visit_every_days" in frame else pd.Series(pd.NA, frame.index)
    days = pd.to_numeric(every).astype("Float64").fillna(quarter_days()).astype(float)
    next_visit = seen + pd.to_timedelta(days, unit="D")
    latest = day + pd.to_timedelta(days.clip(upper=PLANNING_DAYS), unit="D")
    due = next_visit.where(next_visit < latest, latest).where(seen.notna(), latest)
    # Only a card sets a day; whoever has none is to be visited while the list holds.
    due = due.where(every.notna(), day + pd.to_timedelta(PLANNING_DAYS, unit="D"))
    out = frame.assign(due_date=due.where(due > day, day))
    carded = frame["card"].isin(["red", "yellow"]) if "card" in frame else pd.Series(False, frame.index)
    out["visit_due"] = seen.isna() | (next_visit <= latest)
    out["card_due"] = carded & ~frame["flagged"] & out["visit_due"]
    out["held"] = ~frame["flagged"] & ~out["card_due"] & seen.notna() & (next_visit > day)
    out["held_until"] = next_visit.where(out["held"])
    return out
