"""Who is who at a moment: households between the links that make and end them.

A recode adds a number to a household. A merge makes a new household with parents. A split makes one household
for each child, and one for the parent's number where that goes on. Everything is told from what was known by
the moment: links, states, amounts and members (contract, "Identity over time"); where the contract is silent,
``docs/coverage.md`` says what was chosen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from riskmodel.data.link_facts import LinkFacts, Member, State, facts_of_links
from riskmodel.data.links import Link, Links, county_links, first_month_from
from riskmodel.data.schema import month_ordinal

if TYPE_CHECKING:
    from riskmodel.data.county import County

ALWAYS = dt.date.min


@dataclass(eq=False)
class LinkedHousehold:
    """A household from the link that made it to the one that ends it.

    Parameters
    ----------
    number
        The number that it goes by.
    own
        Numbers of its own, the oldest first; those of its parents are theirs.
    parents
        The households that a merge made into this one.
    split_from
        The household that it was split from.
    date, made_by
        Day and links of that merge or split.
    recodes
        Day of each recode, with the numbers that were old from then on.
    """

    number: str
    own: list[str]
    parents: list[LinkedHousehold] = field(default_factory=list)
    split_from: LinkedHousehold | None = None
    date: dt.date | None = None
    made_by: tuple[Link, ...] = ()
    recodes: list[tuple[dt.date, frozenset[str]]] = field(default_factory=list)

    @property
    def begin(self) -> int | None:
        """The first month that is wholly after the merge or split that made it."""
        return None if self.date is None else first_month_from(self.date)

    @property
    def is_merged(self) -> bool:
        """Whether a merge made it."""
        return bool(self.parents)

    @property
    def is_child(self) -> bool:
        """Whether a split made it."""
        return self.split_from is not None

    def pieces(self) -> dict[str, int | None]:
        """Return the numbers whose rows are this household's, and from which month on (None: all)."""
        if self.split_from is not None:
            return dict.fromkeys(self.own, self.begin)
        out: dict[str, int | None] = {}
        for parent in self.parents:
            out |= parent.pieces()
        for number in self.own:
            out.setdefault(number, None)
        return out

    def lines(self) -> dict[str, str]:
        """Return for each number the first of those that recodes alone join to it."""
        out: dict[str, str] = {}
        for parent in self.parents:
            out |= parent.lines()
        for number in self.own:
            out.setdefault(number, self.own[0])
        return out

    def new_lines(self) -> set[str]:
        """Return the lines that began with a merge: no parent's."""
        earlier = {number for parent in self.parents for number in parent.pieces()}
        own = {self.own[0]} if self.parents and not earlier & set(self.own) else set()
        return own.union(*(parent.new_lines() for parent in self.parents))

    def before(self) -> Iterator[LinkedHousehold]:
        """Yield the households that merges and splits made into this one, this one first."""
        yield self
        for one in [*self.parents, *([self.split_from] if self.split_from else [])]:
            yield from one.before()


@dataclass(frozen=True)
class LinkFinding:
    """What cannot hold: a ``circle``, a number ``joined_already``, a row under an ``old_number``."""

    kind: str
    household_id: str
    other: str
    date: dt.date | None


class Lineage:
    """The households that links touch, at a moment.

    Parameters
    ----------
    links
        The county's.
    facts
        What is known of the linked numbers, see `LinkFacts`.
    as_of, known_by
        The day spoken of, and the day up to which rows may be seen.
    """

    def __init__(self, links: Links, facts: LinkFacts, as_of: dt.date, known_by: dt.date) -> None:
        self.as_of, self.known_by = as_of, known_by
        self.facts = facts.at(known_by)
        self.findings: list[LinkFinding] = []
        self.gone: set[str] = set()
        self.members_end: dict[str, dt.date] = {}
        self.joined_on: dict[str, dt.date] = {}
        self._live: dict[str, LinkedHousehold] = {}
        self._held: dict[str, list[LinkedHousehold]] = {}
        self._timelines: dict[LinkedHousehold, list[tuple[dt.date, State]]] = {}
        acting, circles = links.acting(as_of, known_by)
        self.links = frozenset(acting)
        self.findings += [LinkFinding("circle", link.old, link.new, link.date) for link in circles]
        for (_, kind), group in groupby(acting, key=lambda link: (link.date, link.order)):
            self._follow(["recode", "merge", "split"][kind], list(group))

    # ------------------------------------------------------------------ what came of it
    @cached_property
    def households(self) -> list[LinkedHousehold]:
        """The households that links touch, by number."""
        return sorted(set(self._live.values()), key=lambda one: one.number)

    @cached_property
    def joined(self) -> dict[str, str]:
        """The numbers that go on under another one, with that."""
        return {n: one.number for n, one in self._live.items() if one.number != n}

    def current(self, number: str) -> str:
        """Return the number under which a household goes on."""
        return self.joined.get(number, number)

    def holding(self, number: str) -> LinkedHousehold | None:
        """Return the household that a number is of, where links touch it."""
        return self._live.get(number)

    def held_by(self, number: str) -> list[LinkedHousehold]:
        """Return the households that a number was of, in order."""
        return self._held.get(number, [])

    def descendants(self, number: str, start: Lineage) -> list[str]:
        """Return under which numbers a household as known at an earlier moment goes on at this one."""
        one: LinkedHousehold | None = None
        for held in self._held.get(number, []):
            if one is not None and not start.links.issuperset(held.made_by):
                break
            one = held
        if one is None:
            return [number]
        out = [last.number for last in self.households if any(before is one for before in last.before())]
        # The number itself first: what children are called says nothing.
        return sorted(out, key=lambda name: (name != number, name)) or [number]

    # ------------------------------------------------------------------ links
    def _follow(self, kind: str, links: list[Link]) -> None:
        if kind == "recode":
            for link in links:
                if self._is_there(link):
                    self._recode(link)
            return
        key = (lambda link: link.new) if kind == "merge" else (lambda link: link.old)
        for number, group in groupby(sorted(links, key=key), key=key):
            # A number that is joined by the first of two links of one day is no parent of the second.
            some = [link for link in group if self._is_there(link)]
            if some and kind == "merge":
                self._merge(number, some)
            elif some:
                self._split(number, some)

    def _is_there(self, link: Link) -> bool:
        """Say whether a link's old number still is a household's: one joined is not joined again."""
        one = self._live.get(link.old)
        if one is None or one.number == link.old:
            return True
        self.findings.append(LinkFinding("joined_already", link.old, link.new, link.date))
        return False

    def _household(self, number: str) -> LinkedHousehold:
        if number not in self._live:
            self._hold(LinkedHousehold(number, [number]))
        return self._live[number]

    def _hold(self, one: LinkedHousehold) -> None:
        for number in one.pieces():
            self.gone.discard(number)
            self._live[number] = one
            trail = self._held.setdefault(number, [])
            if not any(held is one for held in trail):
                trail.append(one)

    def _recode(self, link: Link) -> None:
        one, other = self._household(link.old), self._household(link.new)
        if one is other:
            return
        if other.parents or other.split_from:
            self._merge(link.new, [link])
            return
        olds = frozenset(one.pieces())
        self._end_members(olds, other.own, link.date, existing=False)
        self.joined_on[link.old] = link.date
        one.own = [*one.own, *other.own]
        one.recodes = [*one.recodes, *other.recodes, (link.date, olds)]
        one.number = other.number
        self._hold(one)

    def _merge(self, new: str, links: list[Link]) -> None:
        date, target = links[0].date, self._household(new)
        existing = self._existed(target, date)
        parents = [self._household(link.old) for link in links]
        for link, parent in zip(links, parents, strict=True):
            self._end_members(frozenset(parent.pieces()), target.own, date, existing)
            self.joined_on[link.old] = date
        if existing:
            parents.append(target)
        own = [target.number] if existing else target.own
        parents = [p for p in dict.fromkeys(parents) if existing or p is not target]
        self._hold(LinkedHousehold(target.number, own, parents, date=date, made_by=tuple(links)))

    def _split(self, old: str, links: list[Link]) -> None:
        parent, date = self._household(old), links[0].date
        children = sorted({link.new for link in links} - {old})
        named = any(link.new == old for link in links)
        rest = [n for n in parent.pieces() if n != old and n not in children]
        goes_on = named or self._goes_on(parent, [*rest, old], date)
        for number in [*rest, old]:
            self._live.pop(number, None)
        for number in children:
            before = self._live.get(number)
            own = [number] if before is None or before is parent else list(before.pieces())
            self._hold(LinkedHousehold(number, own, split_from=parent, date=date, made_by=tuple(links)))
        if goes_on:
            one = LinkedHousehold(
                old, [*rest, old], split_from=parent, date=date, made_by=tuple(links),
                recodes=list(parent.recodes),
            )  # fmt: skip
            self._hold(one)
        else:
            self.gone |= {*rest, old}

    def _existed(self, one: LinkedHousehold, date: dt.date) -> bool:
        """Say whether a merge's new number was a household before: by validity, where open by an amount."""
        if one.parents or one.split_from:
            return True
        days = [state.valid_from for state in self._own_states(one)]
        given = [day for day in days if day is not None]
        if given and len(given) == len(days):
            return min(given) < date
        month = month_ordinal(date.year, date.month)
        return any(self.facts.has_amount(number, until=month - 1) for number in one.pieces())

    def _goes_on(self, parent: LinkedHousehold, numbers: list[str], date: dt.date) -> bool:
        """Say whether a parent that is not named as a child goes on: amounts, states, links, members tell."""
        begin = first_month_from(date)
        if any(self.facts.has_amount(number, since=begin) for number in numbers):
            return True
        states = [s for s in self._own_states(parent) if s.household_id in numbers]
        if any(s.valid_from is not None and s.valid_from >= date for s in states):
            return True
        if any(link.date > date and numbers[-1] in (link.old, link.new) for link in self.links):
            return True
        return any(self._is_present(row) for number in numbers for row in self.facts.members.get(number, []))

    def _is_present(self, row: Member) -> bool:
        ends, begun = self.members_end.get(row.household_id, dt.date.max), row.valid_from or ALWAYS
        end = row.valid_to or dt.date.max
        end = min(end, ends) if begun < ends else end
        born = row.birth_month is None or row.birth_month <= month_ordinal(self.as_of.year, self.as_of.month)
        return begun <= self.as_of < end and born

    def _end_members(self, olds: frozenset[str], news: Sequence[str], date: dt.date, existing: bool) -> None:
        """Where the new number has member rows of its own, those of the old end at the date."""
        own = [row for number in news for row in self.facts.members.get(number, [])]
        if existing:  # its earlier rows are those of a parent
            own = [row for row in own if (row.valid_from or ALWAYS) >= date]
        for number in olds - set(news) if own else ():
            self.members_end[number] = min(date, self.members_end.get(number, date))

    # ------------------------------------------------------------------ states
    def _own_states(self, one: LinkedHousehold) -> list[State]:
        """Return the states of a household's own numbers in order, refused ones left out."""
        order = {number: i for i, number in enumerate(one.own)}
        rows = [state for number in one.own for state in self.facts.states.get(number, [])]
        rows.sort(key=lambda row: (row.valid_from or ALWAYS, order[row.household_id]))
        out: list[State] = []
        for row in rows:
            if not (one.recodes and self._contradicts(one, row, out)):
                out.append(row)
        return out

    def _contradicts(self, one: LinkedHousehold, row: State, earlier: list[State]) -> bool:
        """Say whether a new row under an old number has another registration or township than what holds."""
        begun = row.valid_from
        if begun is None or not any(begun >= day and row.household_id in olds for day, olds in one.recodes):
            return False
        newer = one.own[one.own.index(row.household_id) + 1 :]
        holding = [s for n in reversed(newer) for s in self.facts.states.get(n, [])]
        holding = [s for s in holding if (s.valid_from or ALWAYS) <= begun] + earlier
        if not holding:
            return False
        holds = max(holding, key=lambda s: s.valid_from or ALWAYS)
        return (row.registration, row.township) != (holds.registration, holds.township)

    def refused_states(self, one: LinkedHousehold) -> list[State]:
        """Return the rows of a household's own numbers that are refused."""
        if not one.recodes:
            return []
        accepted = self._own_states(one)
        return [s for n in one.own for s in self.facts.states.get(n, []) if s not in accepted]

    def timeline(self, one: LinkedHousehold) -> list[tuple[dt.date, State]]:
        """Return which state holds from which day on; before the first of its own, its parents' newest."""
        if one not in self._timelines:
            own = [(s.valid_from or ALWAYS, s) for s in self._own_states(one)]
            parents = [self.timeline(parent) for parent in one.parents]
            first = own[0][0] if own else dt.date.max
            days = sorted({day for timeline in parents for day, _ in timeline if day < first})
            earlier = [(day, _newest(parents, day)) for day in days]
            self._timelines[one] = [*earlier, *own] or self._stateless(one)
        return self._timelines[one]

    def _stateless(self, one: LinkedHousehold) -> list[tuple[dt.date, State]]:
        rows = [s for number in one.pieces() for s in self.facts.stateless.get(number, [])]
        return sorted(((s.valid_from or ALWAYS, s) for s in rows), key=lambda pair: pair[0])

    def state(self, one: LinkedHousehold) -> State | None:
        """Return the state that holds at as-of."""
        held = [state for day, state in self.timeline(one) if day <= self.as_of]
        return held[-1] if held else None

    def first_valid(self, one: LinkedHousehold, snapshot_on: dt.date | None) -> dt.date | None:
        """Return the first ``valid_from`` of a household or its parents, None where it is open."""
        days = [day for each in _with_parents(one) for day in self._first_own(each)]
        if not days or min(days) == ALWAYS or snapshot_on in days:
            return None
        return min(days)

    def _first_own(self, one: LinkedHousehold) -> list[dt.date]:
        days = [s.valid_from or ALWAYS for s in self._own_states(one)]
        return [min(days)] if days else []

    def is_doubtful(self, one: LinkedHousehold) -> bool:
        """Say whether a refused row leaves an earlier state standing that no later row confirms."""
        accepted = self._own_states(one)
        for row in self.refused_states(one):
            begun = row.valid_from or ALWAYS
            later = [
                s for s in accepted
                if (s.valid_from or begun) <= self.as_of
                and ((s.valid_from is not None and s.valid_from > begun) or s.known_on > row.known_on)
            ]  # fmt: skip
            if begun <= self.as_of and not later:
                return True
        return False

    def all_findings(self) -> list[LinkFinding]:
        """Return what cannot hold of links and of rows under old numbers."""
        rows = [(one, state) for one in self.households for state in self.refused_states(one)]
        return self.findings + [
            LinkFinding("old_number", state.household_id, one.number, state.valid_from) for one, state in rows
        ]


def _with_parents(one: LinkedHousehold) -> Iterator[LinkedHousehold]:
    yield one
    for parent in one.parents:
        yield from _with_parents(parent)


def _newest(timelines: Iterable[list[tuple[dt.date, State]]], day: dt.date) -> State:
    """Return of the states that hold on a day the one valid since last."""
    held = [[pair for pair in timeline if pair[0] <= day][-1:] for timeline in timelines]
    return max((pair for pairs in held for pair in pairs), key=lambda pair: pair[0])[1]


def county_lineage(county: County, as_of: dt.date, known_by: dt.date) -> Lineage:
    """Return who is who in a county at a moment, read once.

    Parameters
    ----------
    county
        The checked tables.
    as_of, known_by
        The day spoken of, and the day up to which rows may be seen.
    """
    return county.once(("lineage", as_of, known_by), lambda: _county_lineage(county, as_of, known_by))


def _county_lineage(county: County, as_of: dt.date, known_by: dt.date) -> Lineage:
    links = county_links(county)
    names = {name: table.get_name() for name, table in county.tables.items()}
    facts = county.once("facts of links", lambda: facts_of_links(county.con, links, names))
    return Lineage(links, facts, as_of, known_by)
