"""One household under several numbers: recodes, merges and splits, as known at a moment.

A link acts once its date has come and the office has recorded it; before that the numbers are separate
(contract, "Identity over time"). A recode goes on as one household under the new number. A merge is its
parents together. A split leaves its children with their own records from the first month that begins on or
after its date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir

from riskmodel.data.compiled import Shape, fetch_arrow
from riskmodel.data.schema import month_ordinal

if TYPE_CHECKING:
    from riskmodel.data.county import County

JOINING = ("recode", "merge")


@dataclass(frozen=True)
class Link:
    """One row of ``household_links``."""

    old: str
    new: str
    kind: str
    date: dt.date
    known: dt.date

    @property
    def order(self) -> int:
        """Its place among links of one day."""
        return ("recode", "merge", "split").index(self.kind)

    def acts(self, as_of: dt.date, known_by: dt.date) -> bool:
        """Whether it has happened by ``as_of`` and was recorded by ``known_by``."""
        return self.date <= as_of and self.known <= known_by


@dataclass(frozen=True)
class Links:
    """All links of a county.

    Parameters
    ----------
    rows
        In any order.
    """

    rows: tuple[Link, ...]

    def joined_with(self, numbers: Iterable[str]) -> set[str]:
        """Return the numbers that recodes and merges join to some: known as households by these alone.

        A table may go on with the old number of a household that has a state under the new one only, or the
        other way round.
        """
        beside: dict[str, set[str]] = {}
        for link in self.rows:
            if link.kind in JOINING:
                beside.setdefault(link.old, set()).add(link.new)
                beside.setdefault(link.new, set()).add(link.old)
        found: set[str] = set()
        waiting = [number for number in numbers if number in beside]
        seen = set(waiting)
        while waiting:
            further = beside[waiting.pop()] - seen
            seen |= further
            found |= further
            waiting += further
        return found

    def acting(self, as_of: dt.date, known_by: dt.date) -> tuple[list[Link], list[Link]]:
        """Return the links that act at a moment in the order in which they do, and those that form a circle.

        Of one day recodes act before merges and these before splits. Recodes and merges that lead in a circle
        do not act, none of them: nothing says which is wrong. A split that names its parent's own number says
        that this goes on; a household that was split off may come back.
        """
        known = {link for link in self.rows if link.acts(as_of, known_by)}
        following: dict[str, set[str]] = {}
        for link in known:
            if link.kind in JOINING:
                following.setdefault(link.old, set()).add(link.new)
        circles = {link for link in known if link.kind in JOINING and _reaches(following, link.new, link.old)}

        def place(link: Link) -> tuple[object, ...]:
            return (link.date, link.order, link.old, link.new, link.known)

        return sorted(known - circles, key=place), sorted(circles, key=place)


def _reaches(following: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        for number in following.get(waiting.pop(), set()) - seen:
            seen.add(number)
            waiting.append(number)
    return goal in seen


def first_month_from(day: dt.date) -> int:
    """Return the first month that begins on or after a day.

    Examples
    --------
    >>> [first_month_from(dt.date(2021, 4, day)) - 2021 * 12 for day in (1, 2)]
    [3, 4]
    """
    return month_ordinal(day.year, day.month) + (day.day > 1)


def stored_links(con: Any, links: ir.Table) -> Links:
    """Return the links that a canonical table ``household_links`` holds."""
    columns = ("old_id", "new_id", "kind", "date", "known_on")
    rows = con.to_pyarrow(links.select(*columns)).to_pylist()
    return Links(tuple(Link(*(row[c] for c in columns)) for row in rows))


def county_links(county: County) -> Links:
    """Return a county's links, read once.

    Parameters
    ----------
    county
        The checked tables.
    """
    return county.once("household links", lambda: _county_links(county))


def _county_links(county: County) -> Links:
    if not county.has("household_links"):
        return Links(())
    rows = fetch_arrow(county, _link_rows).to_pylist()
    return Links(tuple(Link(*row.values()) for row in rows))


def _link_rows(county: Shape) -> ir.Table:
    return county.table("household_links").select("old_id", "new_id", "kind", "date", "known_on")
