"""Two lists of the same county taken on different days: who came, who went, and what was overwritten.

The national system shows only the present; an earlier export is the only record of what it has overwritten.
A row
that a later list changes holds until the day of that list, and the changed one from that day on. What a later
list
leaves blank is no change, and a household that a list does not reach has not gone.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.importing.id_reading import person_key
from riskmodel.importing.sheet_rows import is_empty
from riskmodel.io import records as as_records

_SAME_COUNTY = 0.5  # lists that share fewer of what they list are not two states of one thing
_WHOLE_TOWNSHIP = 0.8  # from this share of a township's households on, a list is one of the whole township


def snapshot_days(rows: pd.DataFrame, key: pd.Series) -> list[dt.date]:
    """Return the days of lists that show the same county at different times; fewer than two are none.

    Parameters
    ----------
    rows
        Of all lists, with ``day_``, the day whose state each shows, and ``valid_from`` and ``recorded_on``.
    key
        What each row is of.
    """
    undated = rows["valid_from"].isna() & rows["recorded_on"].isna() & rows["day_"].notna()
    if rows.loc[undated, "day_"].nunique() < 2:
        return []
    listed: dict[dt.date, set[Any]] = {}
    for day, one in zip(rows.loc[undated, "day_"], key[undated], strict=True):
        listed.setdefault(day, set()).add(one)
    largest = max(listed.values(), key=len)
    days = sorted(
        day
        for day, own in listed.items()
        if len(own & largest) >= _SAME_COUNTY * len(largest) and len(own & largest) >= _SAME_COUNTY * len(own)
    )
    return days if len(days) > 1 else []


def person_keys(rows: pd.DataFrame) -> pd.Series:
    """Return what a person is known by in several lists.

    The identity number, else the member's, else household, month of birth and sex.
    """
    keys = rows["person_number"].map(person_key)
    members = rows["member_id"].map(lambda m: m if isinstance(m, str) else None)
    birth = pd.Series(
        [
            f"{h}/{b}/{s}"
            for h, b, s in zip(rows["household_id"], rows["birth_month"], rows["sex"], strict=True)
        ],
        index=rows.index,
        dtype=object,
    )
    # Twins of one sex stand twice in each list.
    place = birth.groupby([rows["order_"], birth]).cumcount().map(str)
    known = keys.where(keys.notna(), members)
    return known.where(known.notna(), birth + "/" + place)


def household_history(
    records: Sequence[dict[str, Any]], columns: Sequence[str], days: Sequence[dt.date]
) -> list[dict[str, Any]]:
    """Return the rows of households over time from one record a list.

    Parameters
    ----------
    records
        One for each household and list, ``valid_from`` being the day of the list.
    columns
        Those whose change makes a further row.
    days
        Of the lists.
    """
    reached = _townships(records)
    by_household: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_household.setdefault(record["household_id"], []).append(record)
    out: list[dict[str, Any]] = []
    for listed in by_household.values():
        own = [r for r in listed if r["valid_from"] in days]
        out += [r for r in listed if r["valid_from"] not in days]
        for place, change in enumerate(_changes(sorted(own, key=lambda r: r["valid_from"]), columns)):
            day = change["valid_from"]
            came = any(d < day and change["township"] in reached[d] for d in days)
            out.append({**change, "valid_from": day if place or came else None, "recorded_on": day})
    return out


def _changes(listed: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the first of some states in order of time, and each that differs from the one before."""
    out: list[dict[str, Any]] = []
    for row in listed:
        if not out:
            out.append(dict(row))
            continue
        known = {c: row[c] for c in columns if not is_empty(row[c])}
        if any(known[c] != out[-1][c] for c in known):
            out.append({**row, **{c: out[-1][c] for c in columns if c not in known}})
    return out


def _townships(records: Sequence[Mapping[str, Any]]) -> dict[dt.date, set[str]]:
    """Return the townships of which each list holds nearly all households."""
    every: dict[str, set[str]] = {}
    own: dict[tuple[dt.date, str], set[str]] = {}
    for record in records:
        every.setdefault(record["township"], set()).add(record["household_id"])
        own.setdefault((record["valid_from"], record["township"]), set()).add(record["household_id"])
    out: dict[dt.date, set[str]] = {day: set() for day, _ in own}
    for (day, township), households in own.items():
        if len(households) >= _WHOLE_TOWNSHIP * len(every[township]):
            out[day].add(township)
    return out


def member_history(
    rows: pd.DataFrame, columns: Sequence[str], days: Sequence[dt.date], homes: Mapping[str, str]
) -> pd.DataFrame:
    """Return the rows of members over time from lists of several days.

    Parameters
    ----------
    rows
        Of all lists, one for each person and list; ``key_`` says who it is.
    columns
        Those whose change makes a further row.
    days
        Of the lists; rows of other days stay as they are.
    homes
        Household to township.
    """
    inside = rows["day_"].isin(list(days)) & rows["valid_from"].isna() & rows["recorded_on"].isna()
    lists = rows[inside]
    places = lists.assign(township=lists["household_id"].map(homes), valid_from=lists["day_"])
    reached = _townships(as_records(places[["township", "household_id", "valid_from"]]))
    households: dict[dt.date, set[str]] = {}
    for day, household in zip(lists["day_"], lists["household_id"], strict=True):
        households.setdefault(day, set()).add(household)
    out = []
    for _, person in lists.groupby("key_", sort=False):
        states = as_records(person.sort_values("day_"))
        seen = {s["day_"] for s in states}
        history = _changes(states, columns)
        for state, following in itertools.zip_longest(history, history[1:]):
            state["recorded_on"] = state["day_"]
            if following is not None:
                state["valid_to"] = following["day_"]
            if state is not history[0] or _reached_before(state, days, households, reached, homes):
                state["valid_from"] = state["day_"]
        last = history[-1]
        gone = [d for d in days if d > max(seen) and _reaches(d, last, households, reached, homes)]
        if gone:
            last["valid_to"] = gone[0]
        out += history
    made = pd.DataFrame(out, columns=rows.columns).astype(object)
    return pd.concat([made, rows[~inside].astype(object)], ignore_index=True)


def _reaches(
    day: dt.date,
    state: Mapping[str, Any],
    households: Mapping[dt.date, set[str]],
    reached: Mapping[dt.date, set[str]],
    homes: Mapping[str, str],
) -> bool:
    """Say whether the list of a day would hold a person if they were there."""
    household = state["household_id"]
    return household in households[day] or homes.get(household) in reached[day]


def _reached_before(
    state: Mapping[str, Any],
    days: Sequence[dt.date],
    households: Mapping[dt.date, set[str]],
    reached: Mapping[dt.date, set[str]],
    homes: Mapping[str, str],
) -> bool:
    return any(d < state["day_"] and _reaches(d, state, households, reached, homes) for d in days)


def count_changes(rows: pd.DataFrame, days: Sequence[dt.date]) -> dict[str, int]:
    """Return how many persons came, went and changed between the lists."""
    first, last = rows["valid_from"].isin(list(days)), rows["valid_to"].isin(list(days))
    keys: dict[str, set[Hashable]] = {
        "begun": set(rows.loc[first, "key_"]),
        "ended": set(rows.loc[last, "key_"]),
    }
    both = keys["begun"] & keys["ended"]
    return {
        "came": len(keys["begun"] - both),
        "went": len(keys["ended"] - both),
        "changed": len(both),
    }


def dated_by_list(rows: pd.DataFrame, days: Sequence[dt.date]) -> pd.DataFrame:
    """Date the rows of lists of several days by their list; other sheets add no state of their own."""
    undated = rows["valid_from"].isna() & rows["recorded_on"].isna()
    inside = undated & rows["day_"].isin(list(days)) & rows["registration"].notna()
    listed = set(rows.loc[inside, "household_id"])
    rows = rows.assign(valid_from=rows["day_"].where(inside, rows["valid_from"]))
    return rows[inside | ~rows["household_id"].isin(listed) | ~undated]
