"""The register's rows as a history of states: what each row did, and what contradicts the life cycle.

A household's latest row says where it stands (watched, eliminated, struck off), as everywhere in riskmodel
(`households.accounts`): contradictory rows count too and are listed as findings, so that the stock of
the accounts is the register's stock.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskmodel.data import County, codes
from riskmodel.households import Moment, known_rows
from riskmodel.register.vocabulary import UNKNOWN, category_code

NONE, WATCHED, ELIMINATED, STRUCK_OFF = "none", "watched", "eliminated", "struck_off"
STATE_AFTER = {
    "identified": WATCHED,
    "rolled_back": WATCHED,
    "re_marked": WATCHED,
    "eliminated": ELIMINATED,
    "removed": STRUCK_OFF,
    "label_withdrawn": STRUCK_OFF,
}
STOCKS = {"open": (WATCHED,), "ever": (WATCHED, ELIMINATED)}

# rules.md, "Life cycle": identified → eliminated → rolled back or re-marked → …; removed from any state.
CONTRADICTIONS = {
    (NONE, "eliminated"): "eliminated_before_identified",
    (NONE, "rolled_back"): "rolled_back_before_identified",
    (NONE, "re_marked"): "re_marked_before_identified",
    (NONE, "removed"): "removed_before_identified",
    (NONE, "label_withdrawn"): "removed_before_identified",
    (WATCHED, "identified"): "identified_twice",
    (WATCHED, "rolled_back"): "rolled_back_without_elimination",
    (WATCHED, "re_marked"): "re_marked_without_elimination",
    (ELIMINATED, "identified"): "identified_after_elimination",
    (ELIMINATED, "eliminated"): "eliminated_twice",
    (STRUCK_OFF, "identified"): "identified_after_removal",
    **{(STRUCK_OFF, e): "acting_after_removal" for e in STATE_AFTER if e != "identified"},
}


def register_history(county: County, through: dt.date, known_by: dt.date) -> pd.DataFrame:
    """Return every register row dated by one day and known by another, with the states around it.

    Columns are those of `trace_states`; rows recorded after ``known_by`` do not exist.
    """
    when = (Moment(through, known_by),)
    t = known_rows(county, "monitoring", when)
    rows = t.filter(t.date <= t.as_of).select(
        "household_id", "date", "known_on", "event", "category", "causes"
    )
    return trace_states(rows.to_pandas())


def trace_states(rows: pd.DataFrame) -> pd.DataFrame:
    """Return register rows in the order in which they hold, with the states around each.

    Adds ``written`` (the category id as written, or None), ``state_before, state, category_before, category``
    (a row without one keeps the household's), ``earlier_event, earlier_date`` (of the row before).
    """
    frame = rows.copy()
    for column in ("date", "known_on"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
    frame["household_id"] = frame["household_id"].astype("str")
    for column in ("event", "category", "causes"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    return _with_states(_in_effective_order(frame))


def _in_effective_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort so that a household's last row is the one that `households.accounts` takes for its latest."""
    rank = {event: i for i, event in enumerate(codes("monitoring", "event"))}
    keys = frame.assign(
        _rank=frame["event"].map(rank),
        # Of rows equal up to here the first by causes holds, a missing one last of all: hence descending.
        _causes=-frame["causes"].fillna("\U0010ffff").rank(method="dense"),
        _category=frame["category"].fillna(""),
    )
    keys = keys.sort_values(
        ["household_id", "date", "known_on", "_rank", "_causes", "_category"], kind="stable"
    )
    return frame.loc[keys.index].reset_index(drop=True)


def _with_states(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.drop(columns=["known_on"])
    by_household = out.groupby("household_id", sort=False)
    out["state"] = out["event"].map(STATE_AFTER)
    out["written"] = [category_code(c) if c else None for c in out["category"]]
    out["earlier_event"] = by_household["event"].shift()
    out["earlier_date"] = by_household["date"].shift()
    out["state_before"] = out.groupby("household_id", sort=False)["state"].shift().fillna(NONE)
    out["category"] = _category_after(out)
    out["category_before"] = out.groupby("household_id", sort=False)["category"].shift().fillna(UNKNOWN)
    return out


def _category_after(out: pd.DataFrame) -> pd.Series:
    """Return the category of a household after each row.

    A row that leaves (eliminated, removed) does not move a household between categories, whatever it
    writes; rows before the first written category take that one.
    """
    moves = (out["state"] == WATCHED) | (out["state_before"] == NONE)
    household = out["household_id"]
    category = out["written"].where(moves).groupby(household, sort=False).ffill()
    category = category.groupby(household, sort=False).bfill()
    # Only rows that leave ever wrote one: then theirs.
    written = out["written"].groupby(household, sort=False)
    return category.fillna(written.bfill()).fillna(written.ffill()).fillna(UNKNOWN)


def state_at(rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Return where each household stands at the end of a day: ``household_id, state, category``."""
    seen = rows[rows["date"] <= pd.Timestamp(day)]
    last = seen.drop_duplicates("household_id", keep="last")
    return last[["household_id", "state", "category"]].reset_index(drop=True)


def causes_at(rows: pd.DataFrame, day: dt.date) -> pd.Series:
    """Return each household's causes at a day: codes of its latest row that has any, main cause first."""
    named = rows[(rows["date"] <= pd.Timestamp(day)) & rows["causes"].notna()]
    last = named.drop_duplicates("household_id", keep="last").set_index("household_id")["causes"]
    lists = last.map(lambda text: [c.strip() for c in text.split(";") if c.strip()])
    return lists[lists.map(bool)]


def find_contradictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that cannot follow the one before or contradict the category, each with its ``finding``."""
    columns = ["household_id", "date", "event", "earlier_event", "earlier_date"]
    pairs = zip(rows["state_before"], rows["event"], strict=True)
    contradictions = rows.assign(
        finding=pd.Series([CONTRADICTIONS.get(pair) for pair in pairs], rows.index, dtype=object)
    )
    contradictions = contradictions[contradictions["finding"].notna()]
    differs = rows[rows["written"].notna() & (rows["written"] != rows["category"])]
    last = rows.drop_duplicates("household_id", keep="last")
    without_category = last[last["category"] == UNKNOWN]
    parts = [
        contradictions,
        differs.assign(finding="category_differs"),
        without_category.assign(finding="category_unknown"),
    ]
    out = pd.concat(parts, ignore_index=True)[["finding", *columns]]
    return out.sort_values(["household_id", "date", "finding"], kind="stable").reset_index(drop=True)


def dated_within(rows: pd.DataFrame, first: dt.date, last: dt.date) -> pd.Series:
    """Return which rows are dated within a period, both days included."""
    days = rows["date"].to_numpy()
    return pd.Series((days >= np.datetime64(first)) & (days <= np.datetime64(last)), index=rows.index)
