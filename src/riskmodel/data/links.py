"""One household under several numbers: recodes, merges and splits, as known at a moment.

A link acts once its date has come and the office has recorded it; before that the numbers are separate
(contract, "Identity over time"). A recode goes on as one household under the new number. A merge is its
parents together. A split leaves its children with their own records from the first month that begins on or
after its date.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir

from riskmodel.data.compiled import Shape, fetch_arrow
from riskmodel.data.schema import canonical_schema, month_ordinal, rows_table

if TYPE_CHECKING:
    from riskmodel.data.county import County

IDENTITY = "identity"
JOINING = ("recode", "merge")


@dataclass(frozen=True)
class Link:
    """One row of ``household_links``."""

    old: str
    new: str
    kind: str
    date: dt.date
    known: dt.date

    def acts(self, as_of: dt.date, known_by: dt.date) -> bool:
        """Whether it has happened by ``as_of`` and was recorded by ``known_by``."""
        return self.date <= as_of and self.known <= known_by


@dataclass(frozen=True)
class Links:
    """All links of a county, each number joined to at most one other, without cycles.

    Parameters
    ----------
    rows
        In the order of their dates.
    refused
        Links that contradict an earlier one or close a circle.
    """

    rows: tuple[Link, ...]
    refused: tuple[Link, ...] = ()

    def at(self, as_of: dt.date, known_by: dt.date) -> Identity:
        """Return who is who at a moment."""
        return Identity(tuple(link for link in self.rows if link.acts(as_of, known_by)))


@dataclass(frozen=True)
class Identity:
    """Who is who once some links act."""

    rows: tuple[Link, ...]

    @cached_property
    def _next(self) -> dict[str, Link]:
        return {link.old: link for link in self.rows if link.kind in JOINING and link.old != link.new}

    @property
    def joined(self) -> tuple[str, ...]:
        """The numbers that are joined to another."""
        return tuple(self._next)

    def current(self, number: str) -> str:
        """Return the number under which a household goes on."""
        while number in self._next:
            number = self._next[number].new
        return number

    def leaf(self, number: str) -> str:
        """Return the number, recodes followed, under which a household came into a merge."""
        while number in self._next and self._next[number].kind == "recode":
            number = self._next[number].new
        return number

    @cached_property
    def merged_on(self) -> dict[str, dt.date]:
        """The day on which each household that is part of a merge came into it, by `leaf`."""
        days: dict[str, dt.date] = {}
        for link in self.rows:
            if link.kind == "merge":
                # The number that goes on is a parent itself, where it was there before.
                for number in (self.leaf(link.old), self.leaf(link.new)):
                    days[number] = min(days.get(number, link.date), link.date)
        return days

    @property
    def merged_into(self) -> dict[str, dt.date]:
        """The day of the first merge into each number, by `leaf`."""
        days: dict[str, dt.date] = {}
        for link in self.rows:
            if link.kind == "merge":
                name = self.leaf(link.new)
                days[name] = min(days.get(name, link.date), link.date)
        return days

    @cached_property
    def split_on(self) -> dict[str, dt.date]:
        """The day of the last split by number, for all whose rows are a child's.

        A parent that goes on is a child. A child that is renumbered stays one under its new number; one that
        is merged brings what is its own.
        """
        together: dict[str, set[str]] = {}
        days: dict[str, dt.date] = {}
        for link in self.rows:
            olds = together.setdefault(link.old, {link.old})
            news = together.setdefault(link.new, {link.new})
            if link.kind == "split":
                days |= dict.fromkeys(olds | news, link.date)
                continue
            news |= olds
            if link.kind == "recode" and link.old in days:
                days[link.new] = days[link.old]
        return days

    @cached_property
    def children(self) -> dict[str, tuple[str, ...]]:
        """The numbers of a split household's children by its own, its own among them."""
        out: dict[str, list[str]] = {}
        for link in self.rows:
            if link.kind == "split":
                parent = self.current(link.old)
                out.setdefault(parent, [parent]).append(self.current(link.new))
        return {parent: tuple(dict.fromkeys(numbers)) for parent, numbers in out.items()}


def resolve_links(rows: Iterable[Link]) -> Links:
    """Put links in order and refuse those that contradict an earlier one or close a circle."""
    accepted: list[Link] = []
    refused: list[Link] = []
    joined: dict[str, str] = {}
    for link in sorted(rows, key=lambda link: (link.date, link.known, link.old, link.new)):
        if link.kind in JOINING:
            if link.old in joined or _reaches(joined, link.new, link.old):
                refused.append(link)
                continue
            joined[link.old] = link.new
        accepted.append(link)
    return Links(tuple(accepted), tuple(refused))


def _reaches(joined: dict[str, str], start: str, goal: str) -> bool:
    while start in joined and start != goal:
        start = joined[start]
    return start == goal


def first_month_from(day: dt.date) -> int:
    """Return the first month that begins on or after a day.

    Examples
    --------
    >>> [first_month_from(dt.date(2021, 4, day)) - 2021 * 12 for day in (1, 2)]
    [3, 4]
    """
    return month_ordinal(day.year, day.month) + (day.day > 1)


def identity_rows(links: Links) -> list[dict[str, Any]]:
    """Return how each joined number is resolved as links come to act: the rows of table ``identity``.

    A row holds from ``date_from`` (as-of) on and once ``known_on`` has come; of those that hold, the one of
    the highest ``steps`` says the number in use. ``joined_on`` is the day from which the number belongs to
    another household, ``leaf_id`` the household that came into a merge on ``merged_on``; ``link_date`` and
    ``link_kind`` are of the last step.
    """
    out: list[dict[str, Any]] = []
    following = {link.old: link for link in links.rows if link.kind in JOINING}
    for number in following:
        path: list[Link] = []
        current = number
        while current in following:
            path.append(following[current])
            current = path[-1].new
            who = Identity(tuple(path))
            leaf = who.leaf(number)
            out.append(
                {
                    "household_id": number, "current_id": current, "leaf_id": leaf, "steps": len(path),
                    "date_from": max(link.date for link in path), "joined_on": path[0].date,
                    "merged_on": who.merged_on.get(leaf), "known_on": max(link.known for link in path),
                    "link_date": path[-1].date, "link_kind": path[-1].kind,
                }
            )  # fmt: skip
    return out


def identity_table(con: Any, links: ir.Table) -> ir.Table:
    """Store the table ``identity`` of a county's ``household_links``."""
    schema = canonical_schema(IDENTITY)
    arrow = rows_table(identity_rows(stored_links(con, links)), **{c: str(k) for c, k in schema.items()})
    return con.create_table(IDENTITY, arrow, schema=schema)


def stored_links(con: Any, links: ir.Table) -> Links:
    """Return the links that a canonical table ``household_links`` holds."""
    columns = ("old_id", "new_id", "kind", "date", "known_on")
    rows = con.to_pyarrow(links.select(*columns)).to_pylist()
    return resolve_links(Link(*(row[c] for c in columns)) for row in rows)


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
    return resolve_links(Link(*row.values()) for row in rows)


def _link_rows(county: Shape) -> ir.Table:
    return county.table("household_links").select("old_id", "new_id", "kind", "date", "known_on")
