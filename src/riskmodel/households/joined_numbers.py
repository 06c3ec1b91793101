"""Rows of joined numbers under the number in use at each moment (contract, "Identity over time")."""

from __future__ import annotations

import ibis

from riskmodel.data import IDENTITY, SPAN_TABLES, Shape

STRIKING_OFF = ("removed", "label_withdrawn")

# What the known rows of a table say beside their own columns where numbers are joined.
IDENTITY_COLUMNS = {
    "households": {"own_number": "boolean"},
    "monitoring": {"own_number": "boolean", "leaf_id": "string", "merged_on": "date", "joined_on": "date"},
}


def current_numbers(county: Shape, ticks: ibis.Table) -> ibis.Table:
    """Return the number under which each joined household goes on at each moment.

    Parameters
    ----------
    county
        The checked tables, with links.
    ticks
        As from `moment_table`.

    Returns
    -------
    ibis.Table
        ``household_id, as_of, current_id, leaf_id, joined_on, merged_on``; numbers that no link joins to
        another are not there.
    """
    t = _acting(county, ticks)
    last = ibis.row_number().over(group_by=["household_id", "as_of"], order_by=ibis.desc("steps"))
    t = t.mutate(_last=last)
    return t.filter(t._last == 0).select(
        "household_id", "as_of", "current_id", "leaf_id", "joined_on", "merged_on"
    )


def _acting(county: Shape, ticks: ibis.Table) -> ibis.Table:
    t = county.table(IDENTITY)
    return t.inner_join(
        ticks.select("as_of", "known_by"), [t.known_on <= ticks.known_by, t.date_from <= ticks.as_of]
    )


def _ends_of_members(county: Shape, rows: ibis.Table, ticks: ibis.Table) -> ibis.Table:
    """Return from which day a joined number's members are those of the number it goes on under.

    That is where the new number has member rows of its own. One that a household of its own had before a
    merge is a parent itself: only its rows from the date on are the merged household's.
    """
    t = _acting(county, ticks)
    t = t.select("household_id", "as_of", "known_by", "current_id", "link_date", "link_kind")
    before = _existing(county, t)
    own = rows.select("as_of", "valid_from", current_id="household_id")
    t = t.inner_join(own, ["current_id", "as_of"]).left_join(before, ["current_id", "as_of", "link_date"])
    fresh = t.valid_from.notnull() & (t.valid_from >= t.link_date)
    t = t.filter((t.link_kind == "recode") | fresh | ~t.existing.fill_null(False))
    return t.group_by(["household_id", "as_of"]).agg(ends=t.link_date.min())


def _existing(county: Shape, merges: ibis.Table) -> ibis.Table:
    """Say which numbers were households before a merge: by validity, or, where that is open, by an amount."""
    t = merges.filter(merges.link_kind == "merge")
    t = t.select("as_of", "known_by", "current_id", "link_date").distinct()
    h = county.table("households")
    h = t.inner_join(h, [t.current_id == h.household_id, h.known_on <= t.known_by])
    key = ["current_id", "as_of", "link_date"]
    by_state = h.group_by(key).agg(
        open=h.valid_from.isnull().any(), earlier=(h.valid_from < h.link_date).any().fill_null(False)
    )
    parts = []
    for name in SPAN_TABLES:
        rows = county.table(name)
        month = t.link_date.year() * 12 + t.link_date.month() - 1
        parts.append(
            t.inner_join(
                rows,
                [t.current_id == rows.household_id, rows.known_on <= t.known_by, rows.month_from < month],
            ).select(*key)
        )
    paid = ibis.union(*parts, distinct=True).mutate(paid=ibis.literal(True))
    joined = by_state.left_join(paid, key)
    return joined.select(
        *key, existing=ibis.ifelse(joined.open, joined.paid.fill_null(False), joined.earlier)
    )


def under_current_number(county: Shape, name: str, rows: ibis.Table, ticks: ibis.Table) -> ibis.Table:
    """Bring the rows of joined households under the number they go on under.

    Members of the old number end when it is joined, where the new number has member rows of its own.
    """
    if "household_id" not in rows.columns or name == IDENTITY:
        return rows
    columns = rows.columns
    numbers = current_numbers(county, ticks)
    t = rows.left_join(numbers, ["household_id", "as_of"])
    if name == "monitoring":
        # An office strikes off the old number on the day it gives the new one: nobody left the register.
        renumbered = t.current_id.notnull() & t.event.isin(STRIKING_OFF) & (t.date == t.joined_on)
        t = t.filter(~renumbered.fill_null(False))
    if name == "members":
        t = t.left_join(_ends_of_members(county, rows, ticks), ["household_id", "as_of"])
    out = {c: t[c] for c in columns}
    if name == "members":
        # A stay under the old number that begins later goes on; LEAST leaves nulls out.
        stays = t.ends.isnull() | (t.valid_from.notnull() & (t.valid_from >= t.ends))
        ended = ibis.least(t.valid_to.coalesce(t.ends), t.ends)
        out["valid_to"] = ibis.ifelse(stays, t.valid_to, ended)
    out["household_id"] = t.current_id.coalesce(t.household_id)
    own = {
        "own_number": t.current_id.isnull(),
        "leaf_id": t.leaf_id.coalesce(t.household_id),
        "merged_on": t.merged_on,
        "joined_on": t.joined_on,
    }
    return t.select(**out, **{c: own[c] for c in IDENTITY_COLUMNS.get(name, ())})
