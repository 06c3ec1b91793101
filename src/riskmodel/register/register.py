"""The register's rows as a history of states: what each row did, and what cannot be.

A household's latest row says where it stands (watched, eliminated, struck off), as everywhere in riskmodel
(`households.accounts`): impossible rows are followed too, and told as findings, so that the ledger's
stock is the register's stock.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskmodel.data import County, codes
from riskmodel.households import Moment, point_in_time
from riskmodel.register.words import UNKNOWN, category_code

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
IMPOSSIBLE = {
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


def history(county: County, through: dt.date, known_by: dt.date) -> pd.DataFrame:
    """Return every register row dated by one day and known by another, with the states around it.

    Parameters
    ----------
    county : County
    through : date
        The last date of rows taken.
    known_by : date
        Rows recorded later do not exist.

    Returns
    -------
    DataFrame
        Sorted by household, date and the order in which rows hold: ``household_id, date, event, written``
        (the category's id as written or None), ``causes``, ``state_before, state, category_before,
        category`` (where the household stands; a row without one keeps the household's), ``earlier_event,
        earlier_date`` (the row before). Dates are ``datetime64``.
    """
    when = (Moment(through, known_by),)
    t = point_in_time.known(county, "monitoring", when)
    rows = t.filter(t.date <= t.as_of).select(
        "household_id", "date", "known_on", "event", "category", "causes"
    )
    return follow(rows.to_pandas())


def follow(rows: pd.DataFrame) -> pd.DataFrame:
    """Return register rows in the order in which they hold, with the states around each.

    Parameters
    ----------
    rows : DataFrame
        ``household_id, date, known_on, event, category, causes``.

    Returns
    -------
    DataFrame
        As `history`.
    """
    frame = rows.copy()
    for column in ("date", "known_on"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
    frame["household_id"] = frame["household_id"].astype("str")
    for column in ("event", "category", "causes"):
        frame[column] = frame[column].astype(object).where(frame[column].notna(), None)
    return _with_states(_in_order(frame))


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
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
    home = out.groupby("household_id", sort=False)
    out["state"] = out["event"].map(STATE_AFTER)
    out["written"] = [category_code(c) if c else None for c in out["category"]]
    out["earlier_event"] = home["event"].shift()
    out["earlier_date"] = home["date"].shift()
    out["state_before"] = out.groupby("household_id", sort=False)["state"].shift().fillna(NONE)
    out["category"] = _standing(out)
    out["category_before"] = out.groupby("household_id", sort=False)["category"].shift().fillna(UNKNOWN)
    return out


def _standing(out: pd.DataFrame) -> pd.Series:
    """Return the category a household stands in after each row.

    A row that leaves (eliminated, removed) does not move a household between categories, whatever it
    writes; rows before the first written category take that one.
    """
    moves = (out["state"] == WATCHED) | (out["state_before"] == NONE)
    said = out["written"].where(moves)
    home = out["household_id"]
    standing = said.groupby(home, sort=False).ffill()
    standing = standing.groupby(home, sort=False).bfill()
    # Nothing but leaving rows ever named one: then theirs.
    standing = standing.fillna(out["written"].groupby(home, sort=False).bfill())
    standing = standing.fillna(out["written"].groupby(home, sort=False).ffill())
    return standing.fillna(UNKNOWN)


def state_at(rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Return where each household stands at the end of a day.

    Parameters
    ----------
    rows : DataFrame
        As `history` gives them.
    day : date

    Returns
    -------
    DataFrame
        ``household_id, state, category``, one row a household with a register row by then.
    """
    seen = rows[rows["date"] <= pd.Timestamp(day)]
    last = seen.drop_duplicates("household_id", keep="last")
    return last[["household_id", "state", "category"]].reset_index(drop=True)


def causes_at(rows: pd.DataFrame, day: dt.date) -> pd.Series:
    """Return each household's causes at a day: those of its latest row that names any.

    Returns
    -------
    Series
        Household to a list of codes, the main one first; households that never had any are left out.
    """
    named = rows[(rows["date"] <= pd.Timestamp(day)) & rows["causes"].notna()]
    last = named.drop_duplicates("household_id", keep="last").set_index("household_id")["causes"]
    lists = last.map(lambda text: [c.strip() for c in text.split(";") if c.strip()])
    return lists[lists.map(bool)]


def impossible(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that cannot follow what stood before, and those that contradict the category.

    Returns
    -------
    DataFrame
        ``finding, household_id, date, event, earlier_event, earlier_date``.
    """
    columns = ["household_id", "date", "event", "earlier_event", "earlier_date"]
    pairs = zip(rows["state_before"], rows["event"], strict=True)
    found = rows.assign(finding=pd.Series([IMPOSSIBLE.get(pair) for pair in pairs], rows.index, dtype=object))
    found = found[found["finding"].notna()]
    differs = rows[rows["written"].notna() & (rows["written"] != rows["category"])]
    last = rows.drop_duplicates("household_id", keep="last")
    nameless = last[last["category"] == UNKNOWN]
    parts = [
        found,
        differs.assign(finding="category_differs"),
        nameless.assign(finding="category_unknown"),
    ]
    out = pd.concat(parts, ignore_index=True)[["finding", *columns]]
    return out.sort_values(["household_id", "date", "finding"], kind="stable").reset_index(drop=True)


def within(rows: pd.DataFrame, first: dt.date, last: dt.date) -> pd.Series:
    """Say which rows are dated within a period, both days included."""
    days = rows["date"].to_numpy()
    return pd.Series((days >= np.datetime64(first)) & (days <= np.datetime64(last)), index=rows.index)
