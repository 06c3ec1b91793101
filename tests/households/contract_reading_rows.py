"""Rows of the data contract as they are known at a day: the first part of `contract_reading`.

Months are counted as ``year * 12 + month - 1`` inside; a span is its first and last month, both inclusive.
A row gets ``_known`` (the day from which it is known), rows of `income` and `spending` also ``_first`` and
``_last`` (their span).
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Tables = dict[str, list[Row]]
# The column that says what an amount is for.
CODES = {"income": "source", "spending": "category"}
SOURCES = ("wage", "business", "property", "transfer", "business_net")
CATEGORIES = ("production", "medical", "education", "housing", "disaster", "accident", "living", "other")
RIGID = ("medical", "education", "housing", "disaster", "accident")
KEYS = {"households": ("household_id", "valid_from"), "members": ("member_id", "valid_from")}
ALWAYS = dt.date.min


# ------------------------------------------------------------------ months and days
def month_number(text: str) -> int:
    year, month = text.split("-")
    return int(year) * 12 + int(month) - 1


def month_name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def month_of(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


def month_begin(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)


def month_end(month: int) -> dt.date:
    year, number = month // 12, month % 12 + 1
    return dt.date(year, number, calendar.monthrange(year, number)[1])


def months_before(day: dt.date, months: int) -> dt.date:
    """The same day of an earlier month, at most that month's last day."""
    last = month_end(month_of(day) - months)
    return last.replace(day=min(day.day, last.day))


def last_completed(day: dt.date) -> int:
    """A month is complete on its last day (rules, "Quantities")."""
    month = month_of(day)
    return month if day == month_end(month) else month - 1


def first_month_from(day: dt.date) -> int:
    """The first calendar month that begins on or after a day."""
    return month_of(day) if day.day == 1 else month_of(day) + 1


def as_day(value: Any, zone: str = "Asia/Shanghai") -> Any:
    """Times with a zone are instants; dates are those of the county's zone."""
    if isinstance(value, dt.datetime):
        return value.astimezone(ZoneInfo(zone)).date() if value.tzinfo else value.date()
    return value


# ------------------------------------------------------------------ when a row is known
def with_days(name: str, row: Row, about: dict[str, Any]) -> Row:
    """A copy of a row with ``_known`` and its span."""
    zone = about.get("time_zone", "Asia/Shanghai")
    row = {column: as_day(value, zone) for column, value in row.items() if value is not None}
    if name in CODES:
        row["_first"] = month_number(row.get("month") or row["month_from"])
        row["_last"] = month_number(row.get("month") or row["month_to"])
        row["amount"] = Decimal(str(row["amount"]))
    row["_known"] = row.get("recorded_on") or own_day(name, row, about)
    return row


def own_day(name: str, row: Row, about: dict[str, Any]) -> dt.date:
    """The day from which a row counts as known where it has no ``recorded_on``."""
    if name in CODES:
        # reading: the own date of a month is its last day; a total of several months has the entry lag more.
        lag = about.get("entry_lag_months", 3) if row["_last"] > row["_first"] else 0
        return month_end(row["_last"] + lag)
    if name in ("recorded", "unrecorded"):
        # reading: a coverage row's own date is the end of its span.
        return month_end(month_number(row["month_to"]))
    own: dt.date | None = row.get("date") or row.get("valid_from") or about.get("snapshot_on")
    return own or dt.date.max


def rejected_known_on(row: Row, about: dict[str, Any]) -> dt.date:
    """A rejected row takes effect from its ``recorded_on``, else from its span's end or its own date."""
    known: dt.date | None = row.get("recorded_on")
    if known is None and row.get("month_to"):
        known = month_end(month_number(row["month_to"]))
    if known is None:
        known = row.get("valid_from")
    # reading: a rejected row of which no date can be read (without a snapshot) has always been known.
    return known or about.get("snapshot_on") or ALWAYS


# ------------------------------------------------------------------ corrections
@dataclass
class Resolved:
    """The rows that hold, the refused ones, and whose rows were equal."""

    rows: list[Row] = field(default_factory=list)
    # (rows of one key and one day, whether an earlier state holds instead)
    refused: list[tuple[list[Row], bool]] = field(default_factory=list)
    equal: list[Row] = field(default_factory=list)


def without_equal_rows(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Rows equal in every column once, and those of them that were there twice without an id."""
    seen: set[Hashable] = set()
    once, doubtful = [], []
    for row in rows:
        content = frozenset(row.items())
        if content not in seen:
            seen.add(content)
            once.append(row)
        elif not row.get("row_id") and not row.get("member_id"):
            doubtful.append(row)
    return once, doubtful


def largest(rows: list[Row]) -> Row | None:
    """The one row with the largest ``row_id``, or None where the ids do not say which is last."""
    ids = [row.get("row_id") for row in rows]
    if any(i is None for i in ids):
        return None
    # reading: "larger" is of numbers where all are numbers, else of texts.
    numbers = all(str(i).isdigit() for i in ids)
    ranks = [int(i) if numbers else str(i) for i in ids]  # type: ignore[arg-type]
    top = [row for row, rank in zip(rows, ranks, strict=True) if rank == max(ranks)]
    return top[0] if len(top) == 1 else None


def latest_of_each(rows: list[Row], key: Callable[[Row], Hashable]) -> Resolved:
    """Of rows with equal keys the one recorded last; two of one day are refused, the earlier state holds."""
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    out = Resolved()
    for group in groups.values():
        refused: list[list[Row]] = []
        holds = None
        for day in sorted({row["_known"] for row in group}, reverse=True):
            same_day = [row for row in group if row["_known"] == day]
            holds = same_day[0] if len(same_day) == 1 else largest(same_day)
            if holds is not None:
                out.rows.append(holds)
                break
            refused.append(same_day)
        out.refused += [(same_day, holds is not None) for same_day in refused]
    return out


def resolve(name: str, rows: list[Row]) -> Resolved:
    """Equal rows, then corrections by key or ``row_id`` (totals are resolved by household, see `totals`)."""
    once, doubtful = without_equal_rows(rows)
    columns = KEYS.get(name)
    if columns:
        return latest_of_each(once, lambda row: tuple(row.get(column) for column in columns))
    # reading: the key of a row with row_id is the row_id alone, whatever household or month it names.
    out = latest_of_each([row for row in once if row.get("row_id")], lambda row: row["row_id"])
    out.rows += [row for row in once if not row.get("row_id")]
    out.equal = doubtful if name in CODES else []
    return out


def resolve_totals(name: str, rows: list[Row]) -> Resolved:
    """Totals of one household have the key (source or category, span)."""
    return latest_of_each(rows, lambda row: (row[CODES[name]], row["_first"], row["_last"]))


# ------------------------------------------------------------------ spans taken off record
@dataclass(frozen=True)
class Off:
    """A span of a household's table that was taken off record; no first month: all of the table."""

    table: str
    household_id: str
    first: int | None
    last: int | None
    known: dt.date
    why: str
    item: str | None = None
    row_id: Any = None

    def touches(self, first: int, last: int) -> bool:
        return self.first is None or self.last is None or (self.first <= last and first <= self.last)


def off_of_row(table: str, row: Row) -> Off:
    """The span of a refused row of `income` or `spending`."""
    return Off(
        table, row["household_id"], row["_first"], row["_last"], row["_known"], "row_rejected",
        row_id=row.get("row_id"),
    )  # fmt: skip


def off_of_rejected(row: Row, known: dt.date) -> Off:
    """The span of a row of `income` or `spending` that a reader rejected."""
    readable = row.get("month_from") and row.get("month_to")
    first, last = (month_number(row[c]) if readable else None for c in ("month_from", "month_to"))
    return Off(
        row["table"], row["household_id"], first, last, known, "row_rejected", row_id=row.get("row_id")
    )


def off_of_unrecorded(row: Row) -> Off:
    first, last = month_number(row["month_from"]), month_number(row["month_to"])
    return Off(
        row["of"], row["household_id"], first, last, row["_known"], row["why"], row.get("item") or None,
        row.get("row_id"),
    )  # fmt: skip


class Known:
    """All tables as known by a day, corrections resolved."""

    def __init__(self, tables: Tables, about: dict[str, Any], day: dt.date):
        self.about, self.day = about, day
        self.tables: dict[str, Resolved] = {}
        for name, rows in tables.items():
            if name != "rejected":
                dated = [with_days(name, row, about) for row in rows]
                self.tables[name] = resolve(name, [row for row in dated if row["_known"] <= day])
        # The rows that hold, by table and row_id.
        self.by_id = {
            (name, row["row_id"]): row for name in self.tables for row in self.rows(name) if row.get("row_id")
        }
        self.rejected = self._rejected(tables.get("rejected", []))
        self.offs = self._offs()

    def has(self, name: str) -> bool:
        return name in self.tables

    def rows(self, name: str) -> list[Row]:
        return self.tables[name].rows if name in self.tables else []

    def _rejected(self, rows: list[Row]) -> list[Row]:
        """Rejected rows known by the day, and refused corrections without an earlier state."""
        zone = self.about.get("time_zone", "Asia/Shanghai")
        out = []
        for row in rows:
            row = {column: as_day(value, zone) for column, value in row.items() if value is not None}
            row["_known"] = rejected_known_on(row, self.about)
            # Rows rejected as duplicates take nothing off, nor do those without a readable household.
            if row["_known"] <= self.day and row.get("household_id") and not is_duplicate(row):
                out.append(row)
        for name in KEYS:
            for same_day, earlier in self.tables.get(name, Resolved()).refused:
                if not earlier:
                    out += [{**row, "table": name, "why": "ambiguous"} for row in same_day]
        return out

    def _offs(self) -> list[Off]:
        offs = [off_of_rejected(row, row["_known"]) for row in self.rejected if row["table"] in CODES]
        for row in self.rows("unrecorded"):
            # An item that is no code of its table is rejected.
            codes = {"income": SOURCES, "spending": CATEGORIES}.get(row["of"])
            if codes is None or row.get("item") in (None, "", *codes):
                offs.append(off_of_unrecorded(row))
        for name in CODES:
            for same_day, earlier in self.tables.get(name, Resolved()).refused:
                if not earlier:
                    offs += [off_of_row(name, row) for row in same_day]
        return offs

    def replaced(self, off: Off) -> bool:
        """An accepted row with the same ``row_id`` recorded later replaces a row (same date: off wins)."""
        row = self.by_id.get((off.table, off.row_id))
        return row is not None and row["_known"] > off.known

    def ambiguous_households(self) -> set[str]:
        """Households of which two corrections of one day were refused and the earlier state holds."""
        # reading: the refusal is a doubt whenever it is known; a later correction of the key ends it.
        return {
            row["household_id"]
            for resolved in self.tables.values()
            for same_day, earlier in resolved.refused
            for row in same_day
            if earlier and "household_id" in row
        }


def is_duplicate(row: Row) -> bool:
    return str(row.get("why", "")).startswith("duplicate")
