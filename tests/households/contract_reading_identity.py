"""Households over time (contract, "Identity over time"): the second part of `contract_reading`.

A `Unit` is a household between the links that make and end it. A recode adds a number to a unit; a merge
makes a new unit with parents; a split makes one unit for each child.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .contract_reading_rows import (
    Known,
    Row,
    first_month_from,
    month_begin,
    month_end,
    month_number,
    month_of,
)

IN_REGISTER = ("identified", "rolled_back", "re_marked")


@dataclass(eq=False)
class Unit:
    """A household: its own numbers, and the merge or split that made it."""

    number: str
    numbers: list[str]
    parents: list[Unit] = field(default_factory=list)
    split_from: Unit | None = None
    date: dt.date | None = None
    # (date, numbers that were old from then on)
    recodes: list[tuple[dt.date, frozenset[str]]] = field(default_factory=list)

    @property
    def begin(self) -> int | None:
        """The first month that is the unit's own, where a merge or split made it."""
        # reading: as for a split ("the first month that begins on or after `date`"), so for a merge.
        return None if self.date is None else first_month_from(self.date)

    def pieces(self) -> dict[str, int | None]:
        """The numbers whose rows are this household's, and the first month from which they are."""
        if self.split_from is not None:
            return dict.fromkeys(self.numbers, self.begin)
        out: dict[str, int | None] = {}
        for parent in self.parents:
            out |= parent.pieces()
        for number in self.numbers:
            out.setdefault(number, None)
        return out

    def lines(self) -> dict[str, str]:
        """For each number the first one that recodes alone join to it: one household before any merge."""
        out: dict[str, str] = {}
        for parent in self.parents:
            out |= parent.lines()
        for number in self.numbers:
            out.setdefault(number, self.numbers[0])
        return out

    def new_numbers(self) -> set[str]:
        """The numbers that are of no parent."""
        return set(self.pieces()) - {number for parent in self.parents for number in parent.pieces()}

    def ancestors(self) -> list[Unit]:
        above = self.parents + ([self.split_from] if self.split_from else [])
        return above + [unit for parent in above for unit in parent.ancestors()]

    def at(self, month: int) -> list[Unit]:
        """The units that this household was in a month."""
        if self.begin is None or month >= self.begin:
            return [self]
        above = self.parents or ([self.split_from] if self.split_from else [])
        return [unit for parent in above for unit in parent.at(month)]


# ------------------------------------------------------------------ links
def acting_links(known: Known, as_of: dt.date, findings: set[str]) -> list[Row]:
    """Links act once both ``recorded_on`` and ``date`` are past; cycles are findings and do not act."""
    links = [row for row in known.rows("household_links") if row["date"] <= as_of]
    # reading: only recodes and merges can lead in a circle; who was split off may come back.
    links_out = defaultdict(set)
    for row in links:
        if row["kind"] != "split":
            links_out[row["old_id"]].add(row["new_id"])
    acting = []
    for row in links:
        if row["kind"] != "split" and row["old_id"] in reached(row["new_id"], links_out):
            # reading: every link of a cycle is left out, since none of them is known to be the wrong one.
            findings.add(f"cycle: {row['old_id']} {row['new_id']}")
        else:
            acting.append(row)
    # reading: of one day recodes act before merges and these before splits.
    order = ["recode", "merge", "split"]
    return sorted(acting, key=lambda r: (r["date"], order.index(r["kind"]), r["old_id"], r["new_id"]))


def reached(start: str, links_out: dict[str, set[str]]) -> set[str]:
    seen, waiting = {start}, [start]
    while waiting:
        for number in links_out.get(waiting.pop(), set()) - seen:
            seen.add(number)
            waiting.append(number)
    return seen


class Identity:
    """The units at an as-of date, and whose members are whose."""

    def __init__(self, known: Known, as_of: dt.date):
        self.known, self.as_of = known, as_of
        self.findings: set[str] = set()
        self.live: dict[str, Unit] = {}
        # number -> the date at which its member rows end
        self.members_end: dict[str, dt.date] = {}
        self.rows_by_number = {
            name: by_number(known.rows(name)) for name in ("households", "members", "income", "spending")
        }
        self.rejected_by_number = {
            name: by_number([row for row in known.rejected if row["table"] == name])
            for name in ("households", "members")
        }
        self.rows_of_member = by_number(known.rows("members"), "member_id")
        # reading: `recorded` knows no members: a span of unknown persons ends only by a row of its row_id.
        self.members_off = [off for off in known.offs if off.table == "members" and not known.replaced(off)]
        self.monitoring = by_number(known.rows("monitoring"))
        for number in [*self.rows_by_number["households"], *self.rejected_by_number["households"]]:
            self.unit(number)
        self.links = acting_links(known, as_of, self.findings)
        self._follow()
        self.units = sorted(set(self.live.values()), key=lambda unit: unit.number)
        self._timelines: dict[Unit, list[Row]] = {}

    def unit(self, number: str) -> Unit:
        if number not in self.live:
            self.live[number] = Unit(number, [number])
        return self.live[number]

    def _follow(self) -> None:
        done = set()
        for link in self.links:
            kind, date = link["kind"], link["date"]
            if kind == "recode":
                if self._is_there(link):
                    self._recode(link["old_id"], link["new_id"], date)
                continue
            one = link["new_id"] if kind == "merge" else link["old_id"]
            if (kind, date, one) in done:
                continue
            done.add((kind, date, one))
            end = "new_id" if kind == "merge" else "old_id"
            same = [row for row in self.links if row["kind"] == kind and row["date"] == date]
            same = [row for row in same if row[end] == one and self._is_there(row)]
            if same and kind == "merge":
                self._merge(one, sorted({row["old_id"] for row in same}), date)
            elif same:
                self._split(one, sorted({row["new_id"] for row in same}), date)

    def _is_there(self, link: Row) -> bool:
        """Whether the old number of a link still is a household's."""
        # reading: a number that goes on under another one since an earlier link cannot be joined, or split,
        # again: the later link contradicts the earlier one, which stands.
        unit = self.live.get(link["old_id"])
        if unit is None or unit.number == link["old_id"]:
            return True
        self.findings.add(f"joined already: {link['old_id']} {link['new_id']}")
        return False

    def _recode(self, old: str, new: str, date: dt.date) -> None:
        # "Chains are followed": a new number that goes on under another one itself stands for that.
        unit, other = self.unit(old), self.unit(new)
        if other is unit:
            return
        if other.parents or other.split_from:
            self._merge(new, [old], date)
            return
        olds = frozenset(unit.pieces())
        self._end_members(olds, other.numbers, date, existing=False)
        unit.numbers += other.numbers
        unit.recodes += [*other.recodes, (date, olds)]
        unit.number = other.number
        for number in unit.pieces():
            self.live[number] = unit

    def _merge(self, new: str, olds: list[str], date: dt.date) -> None:
        target = self.unit(new)
        parents = [self.unit(old) for old in olds]
        existing = self._existed(target, date)
        for old in olds:
            self._end_members(frozenset(self.unit(old).pieces()), target.numbers, date, existing)
        if existing:
            parents.append(target)
        parents = list(dict.fromkeys(parents))
        own = [target.number] if existing else target.numbers
        merged = Unit(target.number, list(own), parents, date=date)
        for number in merged.pieces():
            self.live[number] = merged

    def _split(self, old: str, children: list[str], date: dt.date) -> None:
        parent = self.unit(old)
        rest = [n for n in parent.pieces() if n != old and n not in children]
        goes_on = old in children or self._goes_on(parent, [*rest, old], date)
        for number in [*rest, old]:
            self.live.pop(number, None)
        for number in children:
            if number != old:
                # reading: a child under a number that was a household before is that, from the date on.
                before = self.live.get(number)
                numbers = [number] if before is None or before is parent else list(before.pieces())
                child = Unit(number, numbers, split_from=parent, date=date)
                for name in numbers:
                    self.live[name] = child
        if goes_on:
            numbers = [*rest, old]
            child = Unit(old, numbers, split_from=parent, date=date, recodes=list(parent.recodes))
            for number in numbers:
                self.live[number] = child

    def _existed(self, unit: Unit, date: dt.date) -> bool:
        """Whether the new number of a merge is a household of before its date."""
        if unit.parents or unit.split_from:
            return True
        # reading: a number exists before the merge if its first valid_from is, or, missing, an amount of it.
        days = [row.get("valid_from") for row in self.timeline_rows(unit)]
        if days and None not in days:
            return min(day for day in days if day is not None) < date
        return any(month_end(row["_first"]) < date for n in unit.pieces() for row in self.amounts(n))

    def _goes_on(self, parent: Unit, numbers: list[str], date: dt.date) -> bool:
        """Whether a parent's number, the last of those that are not a child's, goes on after a split."""
        # reading: it does if it is named as a child, has an amount of a later month, a households row valid
        # from the date on, a member present at as-of, or a later link that names it.
        begin = first_month_from(date)
        later_amount = any(row["_first"] >= begin for n in numbers for row in self.amounts(n))
        later_state = any(
            row["household_id"] in numbers and (row.get("valid_from") or dt.date.min) >= date
            for row in self.timeline_rows(parent)
        )
        later_link = any(
            numbers[-1] in (link["old_id"], link["new_id"]) and link["date"] > date for link in self.links
        )
        rows = [row for n in numbers for row in self.rows_by_number["members"].get(n, [])]
        return later_amount or later_state or later_link or any(self.is_present(r, self.as_of) for r in rows)

    def amounts(self, number: str) -> list[Row]:
        return self.rows_by_number["income"].get(number, []) + self.rows_by_number["spending"].get(number, [])

    def _end_members(self, olds: frozenset[str], news: list[str], date: dt.date, existing: bool) -> None:
        """Where the new number has member rows of its own, those of the old end at the date."""
        own = [row for n in news for row in self.rows_by_number["members"].get(n, [])]
        if existing:
            # reading: of a number that existed before the merge, rows from the date on are the new number's.
            own = [row for row in own if (row.get("valid_from") or dt.date.min) >= date]
        if own:
            for number in olds - set(news):
                self.members_end[number] = min(date, self.members_end.get(number, date))

    # -------------------------------------------------------------- place and state
    def timeline_rows(self, unit: Unit) -> list[Row]:
        """The households rows of a unit's own numbers in order of validity, refused ones left out."""
        order = {number: i for i, number in enumerate(unit.numbers)}
        rows = [row for number in unit.numbers for row in self.rows_by_number["households"].get(number, [])]
        # reading: of rows of one day under two numbers of one household the newer number's holds.
        rows.sort(key=lambda row: (row.get("valid_from") or dt.date.min, order[row["household_id"]]))
        out: list[Row] = []
        for row in rows:
            if self._contradicts(unit, row, out):
                self.findings.add(f"old number: {row['household_id']}")
            else:
                out.append(row)
        return out

    def _contradicts(self, unit: Unit, row: Row, earlier: list[Row]) -> bool:
        """A new row under the old number of a recode with another registration or township is refused."""
        # reading: "new" is valid from the recode's date on; "another" than the state that holds on that day.
        begun = row.get("valid_from")
        if begun is None:
            return False
        if not any(begun >= date and row["household_id"] in olds for date, olds in unit.recodes):
            return False
        newer = unit.numbers[unit.numbers.index(row["household_id"]) + 1 :]
        holding = [r for n in reversed(newer) for r in self.rows_by_number["households"].get(n, [])]
        holding = [r for r in holding if (r.get("valid_from") or dt.date.min) <= begun] + earlier
        if not holding:
            return False
        holds = max(holding, key=lambda r: r.get("valid_from") or dt.date.min)
        return any(row.get(column) != holds.get(column) for column in ("registration", "township"))

    def timeline(self, unit: Unit) -> list[Row]:
        if unit not in self._timelines:
            self._timelines[unit] = self.timeline_rows(unit)
        return self._timelines[unit]

    def state(self, unit: Unit, day: dt.date) -> Row | None:
        """The households row that holds at a day."""
        rows = [row for row in self.timeline(unit) if (row.get("valid_from") or dt.date.min) <= day]
        if rows:
            return rows[-1]
        # reading: a merged number without a row of its own has the newest state of its parents.
        states = [state for parent in unit.parents if (state := self.state(parent, day))]
        return max(states, key=lambda row: row.get("valid_from") or dt.date.min) if states else None

    def township(self, unit: Unit, month: int) -> str | None:
        """The township a household lived in in a month."""
        # reading: where it lived on the month's first day; before its first row, where that row says.
        state = self.state(unit, month_begin(month)) or self._first_state(unit)
        return state.get("township") if state else None

    def _first_state(self, unit: Unit) -> Row | None:
        """The households row that holds first, of a merged household those of its parents included."""
        firsts = [first for parent in unit.parents if (first := self._first_state(parent))]
        firsts += self.timeline(unit)[:1]
        day = min((row.get("valid_from") or dt.date.min for row in firsts), default=None)
        return None if day is None else self.state(unit, day)

    def first_valid(self, unit: Unit) -> dt.date | None:
        """The first ``valid_from``; None where it is open (missing, or equal to ``snapshot_on``)."""
        firsts = self._first_days(unit)
        # "the first `valid_from`": where it is missing or equal to snapshot_on, it is open.
        if not firsts or firsts & {dt.date.min, self.known.about.get("snapshot_on")}:
            return None
        return min(firsts)

    def _first_days(self, unit: Unit) -> set[dt.date]:
        """The first day of the unit and of each that was merged into it, where it has a row."""
        days = [row.get("valid_from") or dt.date.min for row in self.timeline_rows(unit)]
        return ({min(days)} if days else set()).union(*(self._first_days(p) for p in unit.parents))

    def findings_of(self, unit: Unit) -> set[str]:
        return {text for text in self.findings if unit.pieces().keys() & set(text.split(": ")[1].split())}

    def in_doubt(self, unit: Unit) -> bool:
        """Whether a rejected households row leaves an earlier one standing, or none at all."""
        rejected = [
            row for number in unit.pieces() for row in self.rejected_by_number["households"].get(number, [])
        ]
        refused = [
            row
            for number in unit.numbers
            for row in self.rows_by_number["households"].get(number, [])
            if row not in self.timeline(unit)
        ]
        # reading: a row refused under an old number is a rejected row: the earlier one holds with a doubt.
        return any(self._not_replaced(row, self.timeline(unit)) for row in [*rejected, *refused])

    def _not_replaced(self, row: Row, accepted: list[Row]) -> bool:
        begun = row.get("valid_from") or dt.date.min
        in_force = begun <= self.as_of
        later = [r for r in accepted if is_later(r, row) and (r.get("valid_from") or begun) <= self.as_of]
        return in_force and not later

    # -------------------------------------------------------------- members
    def member_rows(self, unit: Unit) -> list[Row]:
        return [row for number in unit.pieces() for row in self.rows_by_number["members"].get(number, [])]

    def _present(self, unit: Unit, day: dt.date) -> set[str]:
        return {row["member_id"] for row in self.member_rows(unit) if self.is_present(row, day)}

    def end_of(self, row: Row) -> dt.date:
        """The day from which a member is not there."""
        end: dt.date = row.get("valid_to") or dt.date.max
        old_ends = self.members_end.get(row["household_id"], dt.date.max)
        # reading: a row under the old number that begins on or after the date does not end at it.
        begun = row.get("valid_from") or dt.date.min
        return min(end, old_ends) if begun < old_ends else end

    def is_present(self, row: Row, day: dt.date) -> bool:
        begun = (row.get("valid_from") or dt.date.min) <= day
        # Nobody is present in a month before the birth month.
        birth = row.get("birth_month")
        return begun and day < self.end_of(row) and (not birth or month_number(birth) <= month_of(day))

    def persons(self, unit: Unit, day: dt.date) -> tuple[int | None, set[str]]:
        """The members present at a day, or None and the reasons why they are not known."""
        why = self._members_off(unit, day)
        # reading: before a split the children are no households yet; their persons are unknown.
        if why or not self._has_begun(unit, day):
            return None, why
        return len(self._present(unit, day)), set()

    def _has_begun(self, unit: Unit, day: dt.date) -> bool:
        if unit.date is None or day >= unit.date:
            return True
        return unit.split_from is None and all(self._has_begun(parent, day) for parent in unit.parents)

    def _members_off(self, unit: Unit, day: dt.date) -> set[str]:
        why = set()
        numbers = unit.pieces()
        for number in numbers:
            for row in self.rejected_by_number["members"].get(number, []):
                if rejected_member_hides(row, self.rows_of_member.get(row.get("member_id", ""), []), day):
                    why.add("row_rejected")
        month = month_of(day)
        for off in self.members_off:
            if off.household_id in numbers and off.touches(month, month):
                why.add(off.why)
        return why

    # -------------------------------------------------------------- register
    def register(self, unit: Unit, day: dt.date | None = None) -> str:
        """``in_register``, ``eliminated`` or ``none`` by the monitoring rows up to a day (None: as-of)."""
        state = "none"
        if unit.parents and unit.date:
            state = strictest(
                self.register(parent, unit.date - dt.timedelta(days=1)) for parent in unit.parents
            )
        # reading: the register of a number that goes on after a split goes on too; a child begins without.
        begun = unit.date if unit.parents and unit.date else dt.date.min
        rows = [row for number in unit.pieces() for row in self.monitoring.get(number, [])]
        rows = [row for row in rows if begun <= row["date"] <= (day or self.as_of)]
        for date in sorted({row["date"] for row in rows}):
            # reading: of events of one day the strictest holds, since the order of rows never decides.
            state = strictest(register_after(row["event"]) for row in rows if row["date"] == date)
        return state


def by_number(rows: Iterable[Row], column: str = "household_id") -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        out[row[column]].append(row)
    return out


def is_later(accepted: Row, rejected: Row) -> bool:
    """Whether an accepted row is later than a rejected one of the same member or household."""
    # reading: later in validity or recorded later (same date: the rejected row wins).
    a, r = accepted.get("valid_from"), rejected.get("valid_from")
    return (a is not None and r is not None and a > r) or accepted["_known"] > rejected["_known"]


def rejected_member_hides(rejected: Row, accepted: list[Row], day: dt.date) -> bool:
    """Persons are unknown from a rejected row's ``valid_from`` until a later accepted row of that member."""
    begun = rejected.get("valid_from") or dt.date.min
    ends = [
        row for row in accepted if is_later(row, rejected) and (row.get("valid_from") or dt.date.min) <= day
    ]
    return begun <= day and not ends


def register_after(event: str) -> str:
    return "in_register" if event in IN_REGISTER else "eliminated" if event == "eliminated" else "none"


def strictest(states: Iterable[str]) -> str:
    """In the register > eliminated > never or removed."""
    order = ["none", "eliminated", "in_register"]
    return max(states, key=order.index)


def parent_label(children: Iterable[int | None]) -> int | None:
    """Label of a split parent: any child 1 → 1, else any null → null."""
    labels = list(children)
    if 1 in labels:
        return 1
    return None if None in labels else 0
