"""Which months are on record (contract, "Coverage"): the third part of `contract_reading`."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .contract_reading_identity import Identity, Unit
from .contract_reading_rows import (
    CODES,
    Known,
    Off,
    Row,
    first_month_from,
    last_completed,
    month_begin,
    month_number,
    off_of_row,
    resolve_totals,
)

Months = set[int]


@dataclass
class Amounts:
    """A household's rows of one table: months, and totals as they hold."""

    months: list[Row] = field(default_factory=list)
    totals: list[Row] = field(default_factory=list)
    # Totals of which two of one day were refused without an earlier state; whether others have one.
    refused: list[Row] = field(default_factory=list)
    earlier_holds: bool = False
    equal: bool = False


class Coverage:
    """The months on record of every household as known by a day."""

    def __init__(self, known: Known, identity: Identity, as_of: dt.date):
        self.known, self.identity, self.about, self.as_of = known, identity, known.about, as_of
        self._amounts: dict[tuple[Unit, str], Amounts] = {}
        self._by_rules: dict[tuple[Unit, str], tuple[Months, Months]] = {}
        self._row_months: dict[Unit, Months] = {}
        self._first_valid: dict[Unit, dt.date | None] = {}
        self._households_of: dict[int, dict[str, list[Unit]]] = {}
        self._townships: dict[tuple[Unit, int], str | None] = {}
        self.recorded = group(known.rows("recorded"))
        self.off_rows = defaultdict(list)
        for off in known.offs:
            self.off_rows[off.household_id].append(off)
        self.equal = {name: group(known.tables[name].equal) if known.has(name) else {} for name in CODES}
        self.units = [u for u in identity.units if identity.timeline(u) or identity.state(u, as_of)]
        self.last_completed = last_completed(as_of)
        self.data_through = self._data_through()
        self.last_possible = self._last_possible()
        self._find_townships()

    # -------------------------------------------------------------- rows of a household
    def amounts(self, unit: Unit, table: str) -> Amounts:
        key = (unit, table)
        if key in self._amounts:
            return self._amounts[key]
        out, lines = Amounts(), unit.lines()
        by_line: dict[str, list[Row]] = defaultdict(list)
        for number, begin in unit.pieces().items():
            for row in self.identity.rows_by_number[table].get(number, []):
                # A split child's own rows are those from the first month that begins on or after the date.
                if begin is not None and row["_first"] < begin:
                    continue
                # A span of one month is a month.
                if row["_first"] == row["_last"]:
                    out.months.append({**row, "_line": lines[number]})
                else:
                    by_line[lines[number]].append({**row, "_line": lines[number]})
            equal = [row["_first"] for row in self.equal[table].get(number, [])]
            out.equal |= any(begin is None or month >= begin for month in equal)
        # reading: totals of one household correct one another, whatever number they stand under; those of
        # parents are added ("its parents together"), also after the merge.
        for rows in by_line.values():
            resolved = resolve_totals(table, rows)
            out.totals += resolved.rows
            for same_day, earlier in resolved.refused:
                out.earlier_holds |= earlier
                out.refused += [] if earlier else same_day
        self._amounts[key] = out
        return out

    def row_months(self, unit: Unit) -> Months:
        """Months with a row of one month in either table."""
        # reading: a rejected row is no row here (only accepted rows are used), so it may move the end back.
        if unit not in self._row_months:
            rows = [row for table in CODES for row in self.amounts(unit, table).months]
            self._row_months[unit] = {row["_first"] for row in rows}
        return self._row_months[unit]

    def income_months(self, unit: Unit) -> Months:
        return {row["_first"] for row in self.amounts(unit, "income").months}

    def has_only_totals(self, unit: Unit) -> bool:
        totals = any(self.amounts(unit, table).totals for table in CODES)
        return totals and not self.row_months(unit)

    # -------------------------------------------------------------- limits
    def first_possible(self, unit: Unit) -> int | None:
        """The first calendar month that begins on or after the first ``valid_from``; None: open."""
        first = self.valid_from(unit)
        month = None if first is None else first_month_from(first)
        if unit.split_from is not None:
            month = max(m for m in (month, unit.begin) if m is not None)
        return month

    def valid_from(self, unit: Unit) -> dt.date | None:
        if unit not in self._first_valid:
            self._first_valid[unit] = self.identity.first_valid(unit)
        return self._first_valid[unit]

    def _data_through(self) -> int:
        """The last month that is whole, stated or inferred."""
        stated = self.about.get("data_through")
        if stated is not None:
            # reading: a month is whole if its last day is not after data_through.
            return last_completed(stated)
        valid = [unit for unit in self.units if self.identity.state(unit, self.as_of)]
        holders: dict[int, int] = defaultdict(int)
        for unit in valid:
            ends = {row["_last"] for row in self.amounts(unit, "income").totals}
            for month in self.income_months(unit) | ends:
                holders[month] += 1
        enough = [month for month, number in holders.items() if 10 * number >= len(valid)]
        return max(enough, default=0)

    def _last_possible(self) -> int:
        """Never after data_through, never a month whose end + recording delay is after the known day."""
        day = self.known.day - dt.timedelta(days=self.about.get("recording_delay_days", 0))
        return min(self.data_through, last_completed(day))

    def township(self, unit: Unit, month: int) -> str | None:
        key = (unit, month)
        if key not in self._townships:
            self._townships[key] = self.identity.township(unit, month)
        return self._townships[key]

    # -------------------------------------------------------------- townships
    def households_of(self, month: int) -> dict[str, list[Unit]]:
        """Each township's households of a month, as they were then."""
        # "Linked numbers are one household": counted once, where it lived in that month; before a split there
        # is the parent.
        if month not in self._households_of:
            out: dict[str, list[Unit]] = defaultdict(list)
            for unit in dict.fromkeys(before_splits(unit, month) for unit in self.units):
                place = self.township(unit, month)
                if place is not None:
                    out[place].append(unit)
            self._households_of[month] = out
        return self._households_of[month]

    def counted(self, units: list[Unit], month: int) -> list[Unit]:
        """Those whose first possible month is not later, without those that have only totals."""
        begun = [u for u in units if (first := self.first_possible(u)) is None or first <= month]
        return [u for u in begun if not self.has_only_totals(u)]

    def _find_townships(self) -> None:
        self.starts: dict[str, int] = {}
        self.silent: set[tuple[str, int]] = set()
        every = {unit for final in self.units for unit in [final, *final.ancestors()]}
        rows = {unit: self.row_months(unit) for unit in every}
        income = {unit: self.income_months(unit) for unit in every}
        months = {month for unit in every for month in rows[unit]}
        for month in range(min(months, default=0), max(months, default=-1) + 1):
            for place, units in self.households_of(month).items():
                counted = self.counted(units, month)
                with_income = [u for u in counted if month in income[u]]
                if place not in self.starts and counted and 4 * len(with_income) >= len(counted):
                    self.starts[place] = month
                around = [u for u in units if rows[u] and min(rows[u]) < month < max(rows[u])]
                if len(around) >= 5 and not any(month in rows[u] for u in units):
                    self.silent.add((place, month))

    def stated_start(self, place: str | None) -> int | None:
        """The month of ``records_from`` where coverage is whole and names the township."""
        if self.about.get("coverage") != "whole":
            return None
        start: Any = self.about.get("records_from")
        if isinstance(start, dict):
            start = start.get(place)
        return month_number(start) if start else None

    # -------------------------------------------------------------- rules 1 to 3
    def recorded_rows(self, unit: Unit, table: str) -> list[Row]:
        """A household's rows of table `recorded`; of a split child those that reach into its own time."""
        out = []
        for number, begin in unit.pieces().items():
            for row in self.recorded.get(number, []):
                if row["of"] == table and (begin is None or month_number(row["month_to"]) >= begin):
                    out.append(row)
        return out

    def by_rules(self, unit: Unit, table: str) -> Months:
        """The months on record by rules 1 to 3."""
        return self._decided(unit, table)[0]

    def by_rule_1(self, unit: Unit, table: str) -> Months:
        return self._decided(unit, table)[1]

    def _decided(self, unit: Unit, table: str) -> tuple[Months, Months]:
        key = (unit, table)
        if key not in self._by_rules:
            before: Months = set()
            before_1: Months = set()
            if unit.parents and unit.begin is not None:
                # Before the date of a merge a month is on record where it is for each parent.
                before = set.intersection(*(self.by_rules(p, table) for p in unit.parents))
                before_1 = set.intersection(*(self.by_rule_1(p, table) for p in unit.parents))
                before = {m for m in before if m < unit.begin}
                before_1 = {m for m in before_1 if m < unit.begin}
            # reading: a merged household has a row in `recorded` if any number of its parents has.
            recorded = self.recorded_rows(unit, table)
            if recorded:
                own = {m for row in recorded for m in months_of(row)}
                own = {m for m in own if unit.begin is None or m >= unit.begin}
                self._by_rules[key] = (before | own, before_1 | own)
            else:
                self._by_rules[key] = (self._by_rules_2_and_3(unit, table, before), before_1)
        return self._by_rules[key]

    def rule(self, unit: Unit, table: str, month: int) -> int:
        """Which rule decides of a month."""
        if self.recorded_rows(unit, table):
            return 1
        # reading: records_from is looked up by month: a household that moves may fall under 2 and 3 in turn.
        return 2 if self.stated_start(self.township(unit, month)) is not None else 3

    def _by_rules_2_and_3(self, unit: Unit, table: str, before: Months) -> Months:
        on = set(before)
        first = self.first_possible(unit)
        stated: Any = self.about.get("records_from") if self.about.get("coverage") == "whole" else None
        spans = {
            m for row in self.totals_reaching(unit, table) for m in range(row["_first"], row["_last"] + 1)
        }
        if unit.begin is not None:
            spans = {m for m in spans if m >= unit.begin}
        starts = list(self.starts.values())
        if stated:
            starts += [month_number(m) for m in (stated.values() if isinstance(stated, dict) else [stated])]
        for month in range(min(starts, default=0), self.last_possible + 1 if starts else 0):
            if (first is not None and month < first) or (unit.begin is not None and month < unit.begin):
                continue
            if self.rule(unit, table, month) == 2:
                start = self.stated_start(self.township(unit, month))
                accepted = start is not None and month >= start
            else:
                # "12 months on record before it": a total adds its span.
                accepted = self._inferred(unit, table, month, on | spans)
            if accepted:
                on.add(month)
        return on

    def _inferred(self, unit: Unit, table: str, month: int, on: Months) -> bool:
        """Rule 3 for one month; ``on`` are the months on record before it."""
        rows = self.row_months(unit)
        place = self.township(unit, month)
        start = self.starts.get(place) if place is not None else None
        if not rows or start is None or month < start:
            return False
        # reading: "without `valid_from`" includes one equal to snapshot_on, which is open.
        if self.valid_from(unit) is None and month < min(rows):
            return False
        if (place, month) in self.silent:
            return False
        latest = max((m for m in rows if m <= month), default=-1)
        if any(latest <= end < month for end in self.total_ends(unit, table)):
            return False
        return month <= max(rows) or self._tail(rows, month, on)

    @staticmethod
    def _tail(rows: Months, month: int, on: Months) -> bool:
        """A month after a household's last row."""
        if len([m for m in on if m < month]) < 12:
            return False
        return not any(m - 12 in rows for m in range(max(rows) + 1, month + 1))

    def totals_reaching(self, unit: Unit, table: str) -> list[Row]:
        """Totals that speak for a table: of income for both, of spending for that one."""
        totals = list(self.amounts(unit, "income").totals)
        return totals + (self.amounts(unit, "spending").totals if table == "spending" else [])

    def total_ends(self, unit: Unit, table: str) -> Months:
        # reading: "after a total" is meant of the tables whose months the total adds.
        return {row["_last"] for row in self.totals_reaching(unit, table)}

    # -------------------------------------------------------------- totals and spans taken off
    def with_totals(self, unit: Unit, table: str) -> Months:
        """On record before spans are taken off last."""
        on = set(self.by_rules(unit, table))
        # reading: a total adds its span under every rule, and the limits of rules 2 and 3 are not on it.
        for row in self.totals_reaching(unit, table):
            span = set(range(row["_first"], row["_last"] + 1))
            on |= {m for m in span if unit.begin is None or m >= unit.begin}
        if unit.parents and unit.begin is not None:
            parts = [self.with_totals(parent, table) for parent in unit.parents]
            on = {m for m in on if m >= unit.begin}
            on |= {m for m in set.intersection(*parts) if m < unit.begin}
        return on

    def offs(self, unit: Unit, table: str) -> list[Off]:
        """Spans of a household's table that are off record."""
        rows = []
        for number, begin in unit.pieces().items():
            for off in self.off_rows.get(number, []):
                if off.table == table and (begin is None or off.last is None or off.last >= begin):
                    rows.append(off)
        rows += [off_of_row(table, row) for row in self.amounts(unit, table).refused]
        return [off for off in rows if not self._back_on(unit, off)]

    def _back_on(self, unit: Unit, off: Off) -> bool:
        """Whether later `recorded` rows cover the whole span, or an accepted row replaces the row."""
        if self.known.replaced(off):
            return True
        if off.first is None or off.last is None:
            return False
        later = [row for row in self.recorded_rows(unit, off.table) if row["_known"] > off.known]
        covered = {m for row in later for m in months_of(row)}
        return covered >= set(range(off.first, off.last + 1))

    def on_record(self, unit: Unit, table: str) -> Months:
        """On record after spans were taken off (those of one item only are not taken off here)."""
        whole = [off for off in self.offs(unit, table) if off.item is None]
        return {m for m in self.with_totals(unit, table) if not any(off.touches(m, m) for off in whole)}

    # -------------------------------------------------------------- why a month is not on record
    def hole_reasons(self, unit: Unit, table: str, month: int) -> set[str]:
        """Why a month that is not on record is not."""
        if unit.begin is not None and month < unit.begin:
            if unit.split_from is not None:
                return {"split"}
            holes = [p for p in unit.parents if month not in self.with_totals(p, table)]
            return {reason for parent in holes for reason in self.hole_reasons(parent, table, month)}
        first = self.first_possible(unit)
        if first is not None and month < first:
            return {"new_household" if self._is_new(unit, first) else "before_records"}
        return {"before_records" if month < self._start(unit, table, month) else "gap_in_records"}

    def _is_new(self, unit: Unit, first: int) -> bool:
        """``valid_from`` given and after the township's start."""
        valid_from = self.valid_from(unit)
        start = self.start_of(self.township(unit, first))
        return valid_from is not None and start is not None and valid_from > month_begin(start)

    def start_of(self, place: str | None) -> int | None:
        """The start of a township: stated, else inferred."""
        stated = self.stated_start(place)
        return stated if stated is not None else self.starts.get(place or "")

    def _start(self, unit: Unit, table: str, month: int) -> float:
        """The start of a household's records, for the name of a hole before it."""
        # reading: the start of a household under rule 1 is its first recorded month.
        if self.rule(unit, table, month) == 1:
            return min(self.by_rules(unit, table), default=float("inf"))
        start = self.start_of(self.township(unit, month))
        if start is None:
            return float("inf")
        rows = self.row_months(unit)
        open_start = self.valid_from(unit) is None and rows
        if self.rule(unit, table, month) == 3 and open_start:
            return max(start, min(rows))
        return start

    # -------------------------------------------------------------- stopped or late
    def maybe_stopped(self, unit: Unit) -> bool:
        """Usual rows end while at least three quarters of the township's households have rows then."""
        rows = self.row_months(unit)
        usual = [m for m in range(max(rows, default=0) + 1, self.last_possible + 1) if m - 12 in rows]
        # reading: "that month" is the first after the last row in which a row was usual (one a year before),
        # and only households whose coverage is inferred can be late.
        if not usual or all(self.rule(unit, table, usual[0]) < 3 for table in self.tables()):
            return False
        month = usual[0]
        place = self.township(unit, month)
        others = self.counted(self.households_of(month).get(place or "", []), month)
        with_rows = [u for u in others if month in self.row_months(u)]
        return bool(others) and 4 * len(with_rows) >= 3 * len(others)

    def tables(self) -> list[str]:
        return [name for name in CODES if self.known.has(name)]


def before_splits(unit: Unit, month: int) -> Unit:
    """The household that a split child was in a month."""
    while unit.split_from is not None and unit.begin is not None and month < unit.begin:
        unit = unit.split_from
    return unit


def months_of(row: Row) -> Months:
    """The months of a coverage row."""
    return set(range(month_number(row["month_from"]), month_number(row["month_to"]) + 1))


def group(rows: list[Row]) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        out[row["household_id"]].append(row)
    return out
