"""Rows of linked numbers under the number in use at each moment (contract, "Identity over time").

`riskmodel.data.lineage` says who is who; here that becomes tables to join on, and rows are brought under the
numbers in use.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import ibis
import pyarrow as pa

from riskmodel.data import JOINING, County, Lineage, LinkedHousehold, Shape, county_lineage, rows_table

STRIKING_OFF = ("removed", "label_withdrawn")

# What the known rows of a table say beside their own columns where numbers are linked.
IDENTITY_COLUMNS = {
    "households": {"holds": "boolean"},
    "monitoring": {"own_number": "boolean", "joined_on": "date", "strand": "int32", "strand_first": "int32"},
    "claims": {"own_id": "string"},
}
_ALWAYS = dt.date(1, 1, 1)
_EVER = dt.date(9999, 12, 31)

NUMBERS = {
    "household_id": "string", "as_of": "date", "current_id": "string", "joined_on": "date",
    "members_end": "date",
}  # fmt: skip
STATES = {
    "household_id": "string", "as_of": "date", "valid_from": "date", "accepted": "boolean",
    "holds": "boolean",
}  # fmt: skip
STRANDS = {
    "household_id": "string", "as_of": "date", "date_from": "date", "date_to": "date", "strand": "int32",
    "strand_first": "int32",
}  # fmt: skip


def identity_tables(county: County, moments: Iterable[Any]) -> dict[str, pa.Table]:
    """Return who is who at some moments as tables to join on.

    Parameters
    ----------
    county
        The checked tables, with links.
    moments
        The moments.

    Returns
    -------
    dict of pyarrow.Table
        ``numbers``: under which number each linked one goes on (``current_id``; its own where it is gone),
        since when, and until when its members stay where the new number has its own. ``states``: which rows
        of households are accepted, and which holds. ``strands``: in which household of those that were
        merged each number was when; a row of the register replaces those of earlier households, which have
        numbers from ``strand_first`` to ``strand``.
    """
    numbers: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    strands: list[dict[str, Any]] = []
    for moment in moments:
        lineage = county_lineage(county, moment.as_of, moment.known_by)
        day = {"as_of": moment.as_of}
        numbers += [day | row for row in _numbers(lineage)]
        states += [day | row for row in _states(lineage)]
        strands += [day | row for one in lineage.households if one.parents for row in _strands(one)]
    return {
        "numbers": rows_table(numbers, **NUMBERS),
        "states": rows_table(states, **STATES),
        "strands": rows_table(strands, **STRANDS),
    }


def _numbers(lineage: Lineage) -> Iterable[dict[str, Any]]:
    linked = {number: one.number for one in lineage.households for number in one.pieces()}
    for number, current in (linked | {number: number for number in lineage.gone}).items():
        yield {
            "household_id": number, "current_id": current, "joined_on": lineage.joined_on.get(number),
            "members_end": lineage.members_end.get(number),
        }  # fmt: skip


def _states(lineage: Lineage) -> Iterable[dict[str, Any]]:
    holding = {id(state) for one in lineage.households if (state := lineage.state(one)) is not None}
    refused = {id(state) for one in lineage.households for state in lineage.refused_states(one)}
    for rows in (*lineage.facts.states.values(), *lineage.facts.stateless.values()):
        for state in rows:
            number = state.household_id
            if lineage.holding(number) is None and number not in lineage.gone:
                continue  # its links do not act yet
            yield {
                "household_id": state.household_id, "valid_from": state.valid_from or _ALWAYS,
                "accepted": id(state) not in refused, "holds": id(state) in holding,
            }  # fmt: skip


def _strands(last: LinkedHousehold) -> Iterable[dict[str, Any]]:
    """Return the strands of a household's numbers, parents before what became of them."""
    places: dict[LinkedHousehold, tuple[int, int]] = {}

    def place(one: LinkedHousehold) -> int:
        if one not in places:
            first = len(places)
            for parent in one.parents:
                place(parent)
            places[one] = (first, len(places))
        return places[one][1]

    place(last)
    for one, (first, own) in places.items():
        following = next((later.date for later in places if one in later.parents), None)
        until = _EVER if following is None else following - dt.timedelta(days=1)
        earlier = {number for parent in one.parents for number in parent.pieces()}
        for number in one.pieces():
            since = one.date if number in earlier else None
            yield {
                "household_id": number, "date_from": since or _ALWAYS, "date_to": until, "strand": own,
                "strand_first": first,
            }  # fmt: skip


def known_since(county: Shape | County) -> ibis.Table:
    """Return ``household_id, since``: the day from which each number is known.

    By a state of its own, or by a link that joins it to another number, whatever table uses which.
    """
    h = county.table("households")
    rows = h.select("household_id", "known_on")
    if county.has("household_links"):
        links = county.table("household_links")
        links = links.filter(links.kind.isin(JOINING))
        for end in ("old_id", "new_id"):
            rows = rows.union(links.select("known_on", household_id=end).select("household_id", "known_on"))
    return rows.group_by("household_id").agg(since=rows.known_on.min())


def under_current_number(
    name: str, rows: ibis.Table, numbers: ibis.Table, states: ibis.Table, strands: ibis.Table
) -> ibis.Table:
    """Bring the rows of linked households under the number they go on under.

    Members of the old number end when it is joined, where the new number has member rows of its own.
    """
    if "household_id" not in rows.columns:
        return rows
    columns = rows.columns
    t = rows.left_join(numbers, ["household_id", "as_of"]).drop("household_id_right", "as_of_right")
    out = {c: t[c] for c in columns}
    further: dict[str, Any] = {}
    if name == "monitoring":
        t = _on_strands(t, strands)
        # An office strikes off the old number on the day it gives the new one: nobody left the register.
        renumbered = t.joined_on.notnull() & t.event.isin(STRIKING_OFF) & (t.date == t.joined_on)
        t = t.filter(~renumbered.fill_null(False))
        out = {c: t[c] for c in columns}
        further = {"own_number": t.joined_on.isnull(), "joined_on": t.joined_on}
        further |= {c: t[c].fill_null(0) for c in ("strand", "strand_first")}
    if name == "households":
        t, out, further = _accepted(t, columns, states)
    if name == "claims":
        further = {"own_id": t.household_id}
    if name == "members":
        # A stay under the old number that begins later goes on; LEAST leaves nulls out.
        ends = t.members_end
        stays = ends.isnull() | (t.valid_from.notnull() & (t.valid_from >= ends))
        ended = ibis.least(t.valid_to.coalesce(ends), ends)
        out["valid_to"] = ibis.ifelse(stays, t.valid_to, ended)
    out["household_id"] = t.current_id.coalesce(t.household_id)
    return t.select(**out, **further)


def _on_strands(t: ibis.Table, strands: ibis.Table) -> ibis.Table:
    """Say in which of the households that were merged each row of the register was."""
    s = strands.rename(strand_id="household_id", strand_day="as_of")
    return t.left_join(
        s,
        [
            t.household_id == s.strand_id,
            t.as_of == s.strand_day,
            t.date >= s.date_from,
            t.date <= s.date_to,
        ],
    )


def _accepted(
    t: ibis.Table, columns: Iterable[str], states: ibis.Table
) -> tuple[ibis.Table, dict[str, Any], Any]:
    """Leave out states that are refused, and say of linked households which one holds."""
    s = states.rename(state_id="household_id", state_day="as_of", state_from="valid_from")
    t = t.left_join(
        s,
        [
            t.household_id == s.state_id,
            t.as_of == s.state_day,
            t.valid_from.coalesce(ibis.date(_ALWAYS)) == s.state_from,
        ],
    )
    t = t.filter(t.accepted.fill_null(True))
    return t, {c: t[c] for c in columns}, {"holds": t.holds}
