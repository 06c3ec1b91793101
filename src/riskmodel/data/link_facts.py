"""What is known of the numbers that links name: states, months with amounts, members."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from riskmodel.data.links import Links
from riskmodel.data.schema import SPAN_TABLES


@dataclass(frozen=True)
class State:
    """A row of ``households``."""

    household_id: str
    valid_from: dt.date | None
    registration: str | None
    township: str | None
    known_on: dt.date


@dataclass(frozen=True)
class Member:
    """A row of ``members``; ``birth_month`` is an ordinal."""

    member_id: str
    household_id: str
    birth_month: int | None
    valid_from: dt.date | None
    valid_to: dt.date | None
    known_on: dt.date


@dataclass(frozen=True)
class Spans:
    """First and last months of amounts, with the days between which each holds."""

    month_from: np.ndarray
    month_to: np.ndarray
    known: np.ndarray
    until: np.ndarray


@dataclass(frozen=True)
class KnownFacts:
    """Facts as known by a day, by number; corrections are resolved."""

    day: dt.date
    states: Mapping[str, list[State]]
    stateless: Mapping[str, list[State]]
    members: Mapping[str, list[Member]]
    spans: Mapping[str, Spans]

    def has_amount(self, number: str, since: int | None = None, until: int | None = None) -> bool:
        """Say whether a number has an amount that begins in or after a month, or ends in or before one."""
        spans = self.spans.get(number)
        if spans is None:
            return False
        day = np.datetime64(self.day, "D")
        there = (spans.known <= day) & (day < spans.until)
        if since is not None:
            there &= spans.month_from >= since
        if until is not None:
            there &= spans.month_to <= until
        return bool(there.any())


@dataclass(frozen=True)
class LinkFacts:
    """Rows of the numbers that links name, of every day."""

    states: list[State] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    spans: Mapping[str, Spans] = field(default_factory=dict)

    def at(self, day: dt.date) -> KnownFacts:
        """Return what was known by a day."""
        states = _latest(
            [s for s in self.states if s.known_on <= day], lambda s: (s.household_id, s.valid_from)
        )
        members = _latest(
            [m for m in self.members if m.known_on <= day], lambda m: (m.member_id, m.valid_from)
        )
        return KnownFacts(
            day,
            _by_number(s for s in states if s.registration is not None),
            _by_number(s for s in states if s.registration is None),
            _by_number(members),
            self.spans,
        )


_Row = TypeVar("_Row", State, Member)


def _latest(rows: list[_Row], key: Any) -> list[_Row]:
    """Return of rows with equal keys the one recorded last; they come in the order of recording."""
    held: dict[Hashable, _Row] = {key(row): row for row in rows}
    return list(held.values())


def _by_number(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    out: dict[str, list[_Row]] = {}
    for row in rows:
        out.setdefault(row.household_id, []).append(row)
    return out


def facts_of_links(con: Any, links: Links, names: Mapping[str, str]) -> LinkFacts:
    """Read the rows of all numbers that links name.

    Parameters
    ----------
    con
        The engine.
    links
        The links.
    names
        What the canonical tables are called there.
    """
    numbers = sorted({number for link in links.rows for number in (link.old, link.new)})
    if not numbers:
        return LinkFacts()
    engine = con.con
    engine.register("linked_", pa.table({"number": pa.array(numbers, pa.string())}))
    try:
        states = (
            engine.execute(_STATES.format(table=_quoted(names["households"]))).fetchall()
            if "households" in names
            else []
        )
        members = (
            engine.execute(_MEMBERS.format(table=_quoted(names["members"]))).fetchall()
            if "members" in names
            else []
        )
        parts = [
            engine.execute(_SPANS.format(table=_quoted(names[name]))).fetchnumpy()
            for name in SPAN_TABLES
            if name in names
        ]
    finally:
        engine.unregister("linked_")
    return LinkFacts([State(*row) for row in states], [Member(*row) for row in members], _spans(parts))


# Corrections may bring a row under another number: all versions of a row of which any is linked are read.
_STATES = (
    "SELECT household_id, valid_from, registration, township, known_on FROM {table} "
    "SEMI JOIN linked_ ON household_id = number ORDER BY known_on, registration, township"
)
_MEMBERS = (
    "SELECT member_id, household_id, birth_month, valid_from, valid_to, known_on FROM {table} "
    "WHERE member_id IN (SELECT member_id FROM {table} SEMI JOIN linked_ ON household_id = number) "
    "ORDER BY known_on, member_id, household_id, valid_to"
)
_SPANS = """
    SELECT household_id, month_from, month_to, known_on, until FROM (
        SELECT household_id, month_from, month_to, known_on, CASE WHEN row_id IS NOT NULL
            THEN lead(known_on) OVER (PARTITION BY row_id ORDER BY known_on) END AS until
        FROM {table} WHERE household_id IN (SELECT number FROM linked_)
        OR row_id IN (SELECT row_id FROM {table} SEMI JOIN linked_ ON household_id = number))
    SEMI JOIN linked_ ON household_id = number ORDER BY household_id"""


def _spans(parts: list[dict[str, Any]]) -> dict[str, Spans]:
    if not sum(len(part["household_id"]) for part in parts):
        return {}
    far = {"until": np.datetime64("9999-12-31")}
    columns = {
        c: [np.ma.filled(part[c], far.get(c, 0)) for part in parts]
        for c in ("month_from", "month_to", "known_on", "until")
    }
    number = np.concatenate([np.asarray(part["household_id"], object) for part in parts])
    values = {
        c: np.concatenate(v).astype("datetime64[D]" if c in ("known_on", "until") else np.int64)
        for c, v in columns.items()
    }
    order = np.argsort(number.astype(str), kind="stable")
    names, starts = np.unique(number[order].astype(str), return_index=True)
    out = {}
    for name, rows in zip(names, np.split(order, starts[1:]), strict=True):
        out[str(name)] = Spans(*(values[c][rows] for c in ("month_from", "month_to", "known_on", "until")))
    return out


def _quoted(name: str) -> str:
    """Return a table's name, with its catalogue and schema where it has them, as the engine reads it."""
    return ".".join(f'"{part}"' for part in name.split("."))
