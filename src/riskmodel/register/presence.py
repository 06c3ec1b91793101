"""Members present in a household on any day, arrivals and departures, and their reasons.

A member is present while any known row of theirs in that household is valid (official rules, "Exactly"):
rows of one member in one household are joined to stays without gaps; an arrival or a departure is where such
a stay begins or ends.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from riskmodel.data import County
from riskmodel.households import Moment, known_rows
from riskmodel.register.vocabulary import reason_code

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


def read_presence(county: County, known_by: dt.date, households: pd.Series | None = None) -> Presence:
    """Return the presence of members as known by a day, of some households or all."""
    t = known_rows(county, "members", (Moment(known_by, known_by),))
    raw = county.table("members").filter(lambda m: (m.known_on <= known_by) & m.change_reason.notnull())
    if households is not None:
        some = ibis.memtable(
            {"household_id": sorted(set(households))}, schema=ibis.schema({"household_id": "string"})
        )
        t, raw = t.semi_join(some, "household_id"), raw.semi_join(some, "household_id")
    columns = ("household_id", "member_id", "valid_from", "valid_to")
    # Corrections replace whole rows; the reason why a member came stands in the row they replaced.
    with_reason = raw.select(*columns, "change_reason", "known_on").to_pandas()
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
