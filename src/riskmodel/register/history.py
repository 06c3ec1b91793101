"""The register as a history: the state of each household after each row, and its members on any day.

A household's latest row says where it stands (watched, eliminated, struck off), as everywhere in riskmodel
(`households.accounts`): rows that contradict the life cycle count too and are listed as findings, so that the
stock of the accounts is the register's stock.

A member is present while any known row of theirs in that household is valid (official rules, "Exactly"):
rows of one member in one household are joined to stays without gaps; an arrival or a departure is where such
a stay begins or ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from riskmodel.data import codes
from riskmodel.households import KnownCounty, current_ids
from riskmodel.register.vocabulary import UNKNOWN, category_code, reason_code

# What known register rows carry beside the contract's columns where numbers are joined.
JOINED_COLUMNS = ("own_number", "joined_on", "strand", "strand_first")
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


def register_history(known: KnownCounty) -> pd.DataFrame:
    """Return every register row dated by the day of a known county, with the states around it.

    Columns are those of `trace_states`.
    """
    t = known.rows("monitoring")
    columns = ["household_id", "date", "known_on", "event", "category", "causes", "date_precision"]
    joined = [c for c in JOINED_COLUMNS if c in t.columns]
    return trace_states(t.filter(t.date <= t.as_of).select(*columns, *joined).to_pandas())


def trace_states(rows: pd.DataFrame) -> pd.DataFrame:
    """Return register rows in the order in which they hold, with the states around each.

    Where links join numbers (`JOINED_COLUMNS`), rows that only repeat a state under the new number are left
    out, and a merged household's state is the strictest of its parents' until they are one.

    Adds ``written`` (the category id as written, or None), ``state_before, own_state_before`` (of the
    number alone), ``state, category_before, category`` (a row without one keeps the household's),
    ``earlier_event, earlier_date`` (of the row before), ``month_only, earlier_month_only`` (of these dates
    only the month is known).
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
    out["state"] = out["event"].map(STATE_AFTER)
    if "joined_on" in out and out["joined_on"].notna().any():
        out = _of_joined_numbers(out)
    else:
        before = out.groupby("household_id", sort=False)["state"].shift().fillna(NONE)
        out = out.assign(state_before=before, own_state_before=before)
    out = out.drop(columns=[c for c in JOINED_COLUMNS if c in out])
    by_household = out.groupby("household_id", sort=False)
    out["written"] = [category_code(c) if c else None for c in out["category"]]
    out["earlier_event"] = by_household["event"].shift()
    out["earlier_date"] = by_household["date"].shift()
    out["month_only"] = out["date_precision"].eq("month") if "date_precision" in out else False
    out["earlier_month_only"] = out.groupby("household_id", sort=False)["month_only"].shift().eq(True)
    out["category"] = _category_after(out)
    out["category_before"] = out.groupby("household_id", sort=False)["category"].shift().fillna(UNKNOWN)
    return out


def _of_joined_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of joined numbers as those of one household, with the states around each.

    An office that renumbers copies the register, or enters the household anew on the day: neither moves it.
    """
    joined = rows.groupby("household_id")["joined_on"].transform("count") > 0
    rows = rows[~(joined & rows.duplicated(["household_id", "date", "event"]))].reset_index(drop=True)
    days: dict[str, set[Any]] = {}
    for household, day in zip(rows["household_id"], pd.to_datetime(rows["joined_on"]), strict=True):
        days.setdefault(household, set()).add(day)
    kept, before, own, after = [], [], [], []
    household, states = "", dict[int, str]()
    for row in rows.to_dict("records"):
        if row["household_id"] != household:
            household, states = row["household_id"], {}
        # Since a merge the register speaks of the one household: what its parents were is replaced.
        parents = range(int(row["strand_first"]), int(row["strand"]) + 1)
        mine = {strand: state for strand, state in states.items() if strand in parents}
        was = _strictest(states)
        before.append(was)
        own.append(_strictest(mine))
        entered_anew = row["own_number"] and row["date"] in days[household] and row["state"] == was
        kept.append(not entered_anew)
        states = {s: state for s, state in states.items() if s not in mine} | {row["strand"]: row["state"]}
        after.append(_strictest(states))
    out = rows.assign(state_before=before, own_state_before=own, state=after)
    return out[kept].reset_index(drop=True)


def _strictest(states: Mapping[int, str]) -> str:
    """Return of several parents' states the one that keeps a household in the register longest."""
    found = set(states.values())
    return next((s for s in (WATCHED, ELIMINATED, STRUCK_OFF) if s in found), NONE)


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
    until = rows[rows["date"] <= pd.Timestamp(day)]
    last = until.drop_duplicates("household_id", keep="last")
    return last[["household_id", "state", "category"]].reset_index(drop=True)


def causes_at(rows: pd.DataFrame, day: dt.date) -> pd.Series:
    """Return each household's causes at a day: codes of its latest row that has any, main cause first."""
    named = rows[(rows["date"] <= pd.Timestamp(day)) & rows["causes"].notna()]
    last = named.drop_duplicates("household_id", keep="last").set_index("household_id")["causes"]
    lists = last.map(lambda text: [c.strip() for c in text.split(";") if c.strip()])
    return lists[lists.map(bool)]


MONTH_ONLY = ("month_only", "earlier_month_only")


def find_contradictions(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows that cannot follow the one before or contradict the category, each with its ``finding``."""
    columns = ["household_id", "date", "event", "earlier_event", "earlier_date", *MONTH_ONLY]
    pairs = zip(rows["own_state_before"], rows["event"], strict=True)
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


# Days since 1970 that stand for an open end; a household's key is its code times the span, plus the day.
_FIRST, _LAST = -1_000_000, 1_000_000
_SPAN = 4_000_000

Days = npt.NDArray[np.int64]


def to_days(dates: pd.Series | pd.DatetimeIndex) -> Days:
    """Return dates as days since 1970-01-01."""
    return np.asarray(dates, dtype="datetime64[D]").astype(np.int64)


def to_day(day: dt.date) -> int:
    """Return one date as days since 1970-01-01."""
    return int(np.datetime64(day, "D").astype(np.int64))


class Presence:
    """Counts members present in households on given days, and lists arrivals and departures.

    ``stays``: ``household_id, member_id, begin, end`` (days since 1970, ``end`` exclusive); ``reasons``:
    ``household_id, member_id, day, direction, reason``.
    """

    def __init__(self, stays: pd.DataFrame, reasons: pd.DataFrame) -> None:
        self._stays = stays
        self._reasons = reasons
        self._households = pd.Index(sorted(set(stays["household_id"])))
        household = self._households.get_indexer(stays["household_id"]).astype(np.int64)
        self._begins = np.sort(household * _SPAN + stays["begin"].to_numpy(dtype=np.int64))
        self._ends = np.sort(household * _SPAN + stays["end"].to_numpy(dtype=np.int64))

    def count(self, households: pd.Series, days: Days) -> Days:
        """Return how many members are present in each household on its day (0 for an unknown one)."""
        household = self._households.get_indexer(households).astype(np.int64)
        key, start = household * _SPAN + days, household * _SPAN - _SPAN // 2
        arrivals = np.searchsorted(self._begins, key, "right") - np.searchsorted(self._begins, start)
        departures = np.searchsorted(self._ends, key, "right") - np.searchsorted(self._ends, start)
        return np.where(household >= 0, arrivals - departures, 0)

    def changes(self, after: dt.date, through: dt.date) -> pd.DataFrame:
        """Return arrivals and departures after one day and through another.

        Columns ``household_id, member_id, date, direction`` (``increase``, ``decrease``), ``reason``.
        """
        parts = []
        for direction, column in (("increase", "begin"), ("decrease", "end")):
            inside = self._stays[column].between(to_day(after) + 1, to_day(through))
            part = self._stays.loc[inside, ["household_id", "member_id", column]]
            parts.append(part.rename(columns={column: "day"}).assign(direction=direction))
        changes = pd.concat(parts, ignore_index=True)
        changes = changes.merge(
            self._reasons, how="left", on=["household_id", "member_id", "day", "direction"]
        )
        reasons = changes["reason"].astype(object)
        changes["reason"] = reasons.where(reasons.notna(), "unstated")
        changes["date"] = changes["day"].to_numpy().astype("datetime64[D]").astype("datetime64[s]")
        changes = changes.sort_values(["household_id", "day", "member_id", "direction"]).reset_index(
            drop=True
        )
        return changes[["household_id", "member_id", "date", "direction", "reason"]]


def read_presence(known: KnownCounty, households: pd.Series | None = None) -> Presence:
    """Return the presence of members as known by a day, of some households or all."""
    t, (*_, moment) = known.rows("members"), known.moments
    raw = known.county.table("members")
    raw = raw.filter((raw.known_on <= moment.known_by) & raw.change_reason.notnull())
    if households is not None:
        some = ibis.memtable(
            {"household_id": sorted(set(households))}, schema=ibis.schema({"household_id": "string"})
        )
        t = t.semi_join(some, "household_id")
    columns = ("household_id", "member_id", "valid_from", "valid_to")
    # Corrections replace whole rows; the reason why a member came stands in the row they replaced.
    with_reason = raw.select(*columns, "change_reason", "known_on").to_pandas()
    with_reason["household_id"] = current_ids(known, with_reason["household_id"])
    if households is not None:
        with_reason = with_reason[with_reason["household_id"].isin(set(households))]
    return presence_from_rows(t.select(*columns).to_pandas(), with_reason)


def presence_from_rows(rows: pd.DataFrame, with_reason: pd.DataFrame) -> Presence:
    """Return the presence from the valid rows of members and from every row that names a reason."""
    return Presence(_stays(_with_days(rows)), _reasons(_with_days(with_reason)))


def _with_days(rows: pd.DataFrame) -> pd.DataFrame:
    out = rows.astype({"household_id": "str", "member_id": "str"})
    for column, open_end in (("valid_from", _FIRST), ("valid_to", _LAST)):
        stamps = pd.to_datetime(out[column])
        days = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
        out[column] = np.where(stamps.isna(), open_end, days)
    return out


def _stays(rows: pd.DataFrame) -> pd.DataFrame:
    """Join the rows of one member in one household to stays without gaps."""
    rows = rows[rows["valid_from"] < rows["valid_to"]]
    rows = rows.sort_values(["household_id", "member_id", "valid_from", "valid_to"]).reset_index(drop=True)
    who = [rows["household_id"], rows["member_id"]]
    reach = rows["valid_to"].groupby(who).cummax()
    before = reach.groupby(who).shift()
    stay = (before.isna() | (rows["valid_from"] > before)).cumsum()
    grouped = rows.groupby(stay.to_numpy(), sort=True)
    return grouped.agg(
        household_id=("household_id", "first"),
        member_id=("member_id", "first"),
        begin=("valid_from", "min"),
        end=("valid_to", "max"),
    ).reset_index(drop=True)


def _reasons(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the latest reason for each arrival and departure; a word counts where its direction fits."""
    parts = [_reasons_of(rows, "increase", "valid_from"), _reasons_of(rows, "decrease", "valid_to")]
    keys = ["household_id", "member_id", "day", "direction"]
    every = pd.concat(parts, ignore_index=True)
    # A declared reason goes before a word that nobody declared, the later record before the earlier.
    every["undeclared"] = every["reason"] == "other"
    every = every.sort_values(
        ["undeclared", "known_on", "reason"], ascending=[True, False, True], kind="stable"
    )
    return every.drop_duplicates(keys)[[*keys, "reason"]]


def _reasons_of(rows: pd.DataFrame, direction: Literal["increase", "decrease"], column: str) -> pd.DataFrame:
    out = rows.rename(columns={column: "day"})[
        ["household_id", "member_id", "day", "known_on", "change_reason"]
    ]
    out = out.assign(direction=direction, reason=[reason_code(direction, w) for w in out["change_reason"]])
    return out[out["reason"] != "unstated"].drop(columns="change_reason")
