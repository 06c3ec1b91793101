"""What a county's tables say of places and of its own records, as known at a day: arrays by household."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data import (
    About,
    County,
    Lineage,
    LinkedHousehold,
    Shape,
    fetch_arrow,
    first_month_from,
    month_ordinal,
)
from riskmodel.households.coverage import OPEN, TABLES, Places, Spans, Statements
from riskmodel.households.panel import Records, day_number, first_days
from riskmodel.households.point_in_time import last_complete_month

ROW_REJECTED = "row_rejected"
_FAR = 2**30


@dataclass(frozen=True)
class States:
    """Versions of every household's state, ordered by household and ``valid_from`` (null first)."""

    household: np.ndarray
    township: np.ndarray
    valid_from: np.ndarray  # days; −2^30 where missing
    known: np.ndarray
    names: tuple[str, ...]
    # Rows of households of which nothing could be read but the number: any other row replaces them.
    stateless: np.ndarray
    snapshot: int  # a state of that day is open to the past
    households: int

    def at(
        self, known_by: int, as_of: int, axis: int, months: int, without: np.ndarray | None = None
    ) -> Places:
        """Return where households lived, month by month, as known at a day.

        ``axis`` is the first month; numbers ``without`` are left out: `place_of` puts them in place.
        """
        owned, households = self.household, self.households
        seen = np.flatnonzero(self.known <= known_by)
        if without is not None:
            seen = seen[~np.isin(owned[seen], without)]
        if self.stateless[seen].any():
            stated = np.zeros(households, bool)
            stated[owned[seen[~self.stateless[seen]]]] = True
            seen = seen[~(self.stateless[seen] & stated[owned[seen]])]
        # Of equal keys the one recorded last holds.
        order = seen[np.lexsort((self.known[seen], self.valid_from[seen], owned[seen]))]
        last = np.ones(len(order), bool)
        same = owned[order][1:] == owned[order][:-1]
        last[:-1] = ~(same & (self.valid_from[order][1:] == self.valid_from[order][:-1]))
        order = order[last]
        household, since = owned[order], self.valid_from[order]
        begins = (
            np.concatenate([[True], household[1:] != household[:-1]]) if len(order) else np.zeros(0, bool)
        )
        township = np.full((households, months), -1, dtype=np.int32)
        first_possible = np.full(households, OPEN, dtype=np.int64)
        township[household[begins]] = self.township[order][begins][:, None]
        first = since[begins]
        first_possible[household[begins]] = np.where(first == self.snapshot, OPEN, _month_on_or_after(first))
        # A move counts from the first month that begins in the new place.
        later = np.flatnonzero(~begins & (np.roll(self.township[order], 1) != self.township[order]))
        for row in later:
            start = max(int(_month_on_or_after(since[row : row + 1])[0]) - axis, 0)
            township[household[row], start:] = self.township[order][row]
        valid = np.zeros(households, bool)
        valid[household[since <= as_of]] = True
        return Places(valid, township, self.names, first_possible, first_possible == OPEN)

    def of_some(self, numbers: np.ndarray) -> States:
        """Return the states of some households, given by their places in order."""
        number = np.full(self.households, -1, np.int32)
        number[numbers] = np.arange(len(numbers), dtype=np.int32)
        mine = number[self.household] >= 0
        return replace(
            self, household=number[self.household[mine]], township=self.township[mine],
            valid_from=self.valid_from[mine], known=self.known[mine], stateless=self.stateless[mine],
            households=len(numbers),
        )  # fmt: skip

    def valid_at(self, known_by: int, as_of: int) -> np.ndarray:
        """Return whether a household has a row that is known and valid by then, or of the snapshot's day."""
        begun = (self.valid_from <= as_of) | (self.valid_from == self.snapshot)
        out = np.zeros(self.households, bool)
        out[self.household[(self.known <= known_by) & begun]] = True
        return out


def read_states(county: County, records: Records) -> States:
    """Return the states of a county's households as arrays, read once for a county."""
    return county.once("household states", lambda: _read_states(county, records))


def _read_states(county: County, records: Records) -> States:
    rows = fetch_arrow(county, _states)
    numbers = pd.Index(records.ids.to_pandas()).get_indexer(rows["household_id"].to_pandas())
    townships = rows["township"].to_pandas().fillna("")
    places, names = pd.factorize(townships, sort=True)
    since = _day_numbers(rows["valid_from"], missing=-_FAR)
    snapshot = _FAR if county.about.snapshot_on is None else day_number(county.about.snapshot_on)
    known = _day_numbers(rows["known_on"], missing=_FAR)
    towns = tuple(str(n) for n in names)
    stateless = rows["registration"].is_null().to_numpy()
    return States(
        numbers.astype(np.int32), places.astype(np.int32), since, known, towns, stateless, snapshot,
        len(records.ids),
    )  # fmt: skip


def place_of(
    places: Places, at: int, one: LinkedHousehold, lineage: Lineage, axis: int, snapshot: dt.date | None
) -> None:
    """Put a linked household where its states say that it lived, month by month.

    Parameters
    ----------
    places, at
        Changed in place, at its position.
    one, lineage
        The household, and who is who.
    axis
        The first month.
    snapshot
        ``snapshot_on``: a state of that day is open to the past.
    """
    timeline, months = lineage.timeline(one), places.township.shape[1]
    number = {name: i for i, name in enumerate(places.names)}
    for i, (day, state) in enumerate(timeline):
        # A move counts from the first month that begins in the new place.
        start = 0 if i == 0 else min(max(first_month_from(day) - axis, 0), months)
        places.township[at, start:] = number[state.township or ""]
    first = lineage.first_valid(one, snapshot)
    places.first_possible[at] = OPEN if first is None else first_month_from(first)
    places.open_start[at] = first is None
    if one.is_child and one.begin is not None:
        places.first_possible[at] = max(places.first_possible[at], one.begin)
    places.valid[at] = bool(timeline) and timeline[0][0] <= lineage.as_of


def _states(county: Shape) -> ir.Table:
    t = county.table("households")
    return t.select("household_id", "township", "registration", "valid_from", "known_on")


def _day_numbers(column: pa.ChunkedArray, missing: int) -> np.ndarray:
    days = column.cast(pa.int32()).fill_null(missing)
    return np.asarray(days.to_numpy())


def _dates(days: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days.astype("datetime64[D]"))


def _month_of(days: np.ndarray) -> np.ndarray:
    """Return the month ordinals of days; open days stay `OPEN`."""
    months = np.full(len(days), OPEN, dtype=np.int64)
    given = days > -_FAR
    dates = _dates(days[given])
    months[given] = dates.year * 12 + dates.month - 1
    return months


def _month_on_or_after(days: np.ndarray) -> np.ndarray:
    """Return the first month that begins on or after each day."""
    months = _month_of(days)
    given = days > -_FAR
    months[given] += (_dates(days[given]).day > 1).astype(np.int64)
    return months


@dataclass(frozen=True)
class OffRecord:
    """Spans taken off record: rows of ``unrecorded`` and rejected rows, with the days between which they act.

    ``item`` is a source or category, empty for all; for members ``day_from`` and ``day_to`` bound the dates
    at which persons are unknown.
    """

    household: np.ndarray
    of: np.ndarray
    item: np.ndarray
    why: np.ndarray
    month_from: np.ndarray
    month_to: np.ndarray
    day_from: np.ndarray
    day_to: np.ndarray
    known: np.ndarray
    until: np.ndarray

    def at(self, day: int) -> OffRecord:
        """Return the spans that are off at a day."""
        return self.where((self.known <= day) & (day < self.until))

    def where(self, mask: np.ndarray) -> OffRecord:
        """Return some of the spans."""
        return OffRecord(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    def spans(self) -> Spans:
        """Return the months."""
        return Spans(self.household, self.month_from, self.month_to)


def read_off_record(county: County, records: Records) -> OffRecord:
    """Return what is taken off record, read once for a county."""
    return county.once("spans off record", lambda: _read_off_record(county, records))


def _read_off_record(county: County, records: Records) -> OffRecord:
    rows = (
        fetch_arrow(county, _unrecorded).to_pandas()
        if county.has("unrecorded")
        else pd.DataFrame(columns=_OFF)
    )
    rows = _numbered(rows, records)
    known = _numbers(rows["known_on"], _FAR)
    first = rows["month_from"].fillna(-_FAR).to_numpy(np.int64)
    last = rows["month_to"].fillna(_FAR).to_numpy(np.int64)
    until = np.minimum(_replaced_on(county, rows, known), _numbers(rows["until"], _FAR))
    for of, recorded in _recorded(county, records).items() if len(rows) else ():
        asked = np.isin(recorded.spans.household, rows["household"][rows["of"] == of])
        by_household = np.flatnonzero(asked)
        order = np.lexsort((recorded.known[asked], recorded.spans.household[asked]))
        by_household = by_household[order]
        households = recorded.spans.household[by_household]
        for i in np.flatnonzero((rows["of"] == of).to_numpy(bool)):
            number = int(rows["household"].to_numpy()[i])
            mine = by_household[slice(*np.searchsorted(households, [number, number + 1]))]
            mine = mine[recorded.known[mine] > known[i]]
            until[i] = min(until[i], covered_on(recorded, mine, int(first[i]), int(last[i])))
    off = OffRecord(
        rows["household"].to_numpy(np.int32), rows["of"].to_numpy(object),
        rows["item"].fillna("").to_numpy(object), rows["why"].fillna("").to_numpy(object), first, last,
        _days_of(rows["day_from"], first, first_days(first), -_FAR),
        _days_of(rows["day_to"], last, first_days(last + 1) - 1, _FAR), known, until,
    )  # fmt: skip
    return _until_later_rows(county, off, rows)


def _until_later_rows(county: County, off: OffRecord, rows: pd.DataFrame) -> OffRecord:
    """Let a rejected row of a member hide persons until a later accepted row of that member.

    Later is valid later, or recorded later; as such rows come to be known, fewer days are hidden.
    """
    asked = np.flatnonzero((rows["of"] == "members") & rows["member_id"].notna())
    if not len(asked):
        return off
    wanted = pa.table({"wanted": pa.array(sorted(set(rows.loc[asked, "member_id"])), pa.string())})
    accepted = fetch_arrow(county, _members, wanted=wanted).to_pandas()
    begins, days = _numbers(accepted["valid_from"], -_FAR), _numbers(accepted["known_on"], _FAR)
    theirs: dict[str, list[tuple[int, int]]] = {}
    for member, day, since in sorted(zip(accepted["member_id"], days.tolist(), begins.tolist(), strict=True)):
        theirs.setdefault(member, []).append((day, since))
    places: list[int] = []
    parts: list[tuple[int, int, int]] = []  # known, until, last day
    for i in asked.tolist():
        begin, recorded, last = int(off.day_from[i]), int(off.known[i]), int(off.day_to[i])
        from_day = recorded
        for day, since in theirs.get(str(rows.at[i, "member_id"]), []):
            if (since > begin > -_FAR or day > recorded) and since <= last:
                parts.append((from_day, max(day, from_day), last))
                places.append(i)
                from_day, last = max(day, from_day), since - 1
        parts.append((from_day, _FAR, last))
        places.append(i)
    rest = np.delete(np.arange(len(rows)), asked)
    segments = np.array(parts, dtype=np.int64)
    out = off.where(np.concatenate([rest, np.array(places, dtype=np.int64)]))
    known, until, last_day = (
        np.concatenate([values[rest], segments[:, k]])
        for k, values in enumerate((off.known, off.until, off.day_to))
    )
    hidden = (known < until) & (out.day_from <= last_day)
    return replace(out, known=known, until=until, day_to=last_day).where(hidden)


def _members(county: Shape, wanted: ir.Table) -> ir.Table:
    t = county.table("members")
    return t.semi_join(wanted, t.member_id == wanted.wanted).select("member_id", "valid_from", "known_on")


_OFF = [
    "household_id", "of", "item", "why", "month_from", "month_to", "day_from", "day_to",
    "row_id", "member_id", "known_on", "until",
]  # fmt: skip


def _unrecorded(county: Shape) -> ir.Table:
    return county.table("unrecorded").select(*_OFF)


def _numbered(rows: pd.DataFrame, records: Records) -> pd.DataFrame:
    """Add household numbers; rows of households that nobody knows are left out."""
    numbers = pd.Index(records.ids.to_pandas()).get_indexer(rows["household_id"])
    return rows.assign(household=numbers.astype(np.int32))[numbers >= 0].reset_index(drop=True)


@dataclass(frozen=True)
class Doubts:
    """Doubts that reading left about households, with the days between which they stand."""

    household: np.ndarray
    doubt: np.ndarray
    known: np.ndarray
    until: np.ndarray

    def at(self, day: int) -> Doubts:
        """Return the doubts that stand at a day."""
        mask = (self.known <= day) & (day < self.until)
        return Doubts(self.household[mask], self.doubt[mask], self.known[mask], self.until[mask])

    def and_of(self, households: np.ndarray, doubt: str, day: int) -> Doubts:
        """Return these and one more of some households."""
        if not len(households):
            return self
        words = np.full(len(households), doubt, object)
        return Doubts(
            np.append(self.household, households),
            np.append(self.doubt, words),
            np.append(self.known, np.full(len(households), day)),
            np.append(self.until, np.full(len(households), _FAR)),
        )


def read_doubts(county: County, records: Records) -> Doubts:
    """Return the doubts that reading left, read once for a county."""
    return county.once("doubts", lambda: _read_doubts(county, records))


def _read_doubts(county: County, records: Records) -> Doubts:
    columns = ["household_id", "doubt", "known_on", "until"]
    there = county.has("doubts")
    rows = fetch_arrow(county, _doubts).to_pandas() if there else pd.DataFrame(columns=columns)
    rows = _numbered(rows, records)
    return Doubts(
        rows["household"].to_numpy(np.int32), rows["doubt"].to_numpy(object),
        _numbers(rows["known_on"], _FAR), _numbers(rows["until"], _FAR),
    )  # fmt: skip


def _doubts(county: Shape) -> ir.Table:
    return county.table("doubts").select("household_id", "doubt", "known_on", "until")


def _numbers(days: pd.Series, missing: int) -> np.ndarray:
    since = (pd.to_datetime(days) - pd.Timestamp(0)).dt.days
    return np.asarray(since.fillna(missing).to_numpy(np.int64))


def _days_of(days: pd.Series, months: np.ndarray, of_months: np.ndarray, missing: int) -> np.ndarray:
    """Return days as numbers; where none is given, that of the month, where there is one."""
    return np.where(
        days.notna() | (np.abs(months) >= _FAR), _numbers(days, missing), of_months.astype(np.int64)
    )  # fmt: skip


def _replaced_on(county: County, rows: pd.DataFrame, known: np.ndarray) -> np.ndarray:
    """Return the day on which an accepted row of the same ``row_id`` replaces each."""
    until = np.full(len(rows), _FAR, dtype=np.int64)
    for of, key in (("income", "row_id"), ("spending", "row_id")):
        asked = np.flatnonzero((rows["of"] == of) & rows[key].notna())
        if not len(asked):
            continue
        wanted = pa.table({"wanted": pa.array(sorted(set(rows.loc[asked, key])), pa.string())})
        accepted = fetch_arrow(county, _accepted, of, key, wanted=wanted).to_pandas()
        days = accepted.assign(day=_numbers(accepted["known_on"], _FAR)).groupby(key)["day"]
        by_key = {name: np.sort(part.to_numpy()) for name, part in days}
        for i in asked:
            later = by_key.get(rows.at[i, key], np.zeros(0, np.int64))
            place = np.searchsorted(later, known[i], side="right")  # of one day, off wins
            until[i] = later[place] if place < len(later) else _FAR
    return until


def _accepted(county: Shape, of: str, key: str, wanted: ir.Table) -> ir.Table:
    t = county.table(of)
    return t.semi_join(wanted, t[key] == wanted.wanted).select(key, "known_on")


def covered_on(recorded: RecordedSpans, rows: np.ndarray, first: int, last: int) -> int:
    """Return the day from which some rows together cover a span, taken in the order of their recording."""
    covered: set[int] = set()
    for row in rows:
        start, stop = recorded.spans.month_from[row], recorded.spans.month_to[row]
        covered.update(range(max(int(start), first), min(int(stop), last) + 1))
        if len(covered) == last - first + 1:
            return int(recorded.known[row])
    return _FAR


@dataclass(frozen=True)
class RecordedSpans:
    """Rows of table ``recorded`` of one table, with the day on which each was recorded."""

    spans: Spans
    known: np.ndarray

    def at(self, day: int) -> Spans:
        """Return those recorded by a day."""
        seen, s = self.known <= day, self.spans
        return s if seen.all() else Spans(s.household[seen], s.month_from[seen], s.month_to[seen])


def _recorded(county: County, records: Records) -> dict[str, RecordedSpans]:
    def read() -> dict[str, RecordedSpans]:
        numbered = records.numbered
        return {
            of: recorded_spans(fetch_arrow(county, recorded_rows, of, numbered=numbered)) for of in TABLES
        }

    return county.once("recorded spans", read)


def recorded_spans(rows: pa.Table) -> RecordedSpans:
    """Return what `recorded_rows` gives as arrays."""
    household, first, last = (rows[c].to_numpy() for c in ("number", "month_from", "month_to"))
    return RecordedSpans(Spans(household, first, last), _day_numbers(rows["known_on"], missing=_FAR))


def recorded_rows(county: Shape, of: str, numbered: ir.Table) -> ir.Table:
    """Return what table ``recorded`` says of one table, by household number; with the part where given."""
    t = county.table("recorded")
    t = t.filter(t.of == of).inner_join(numbered, "household_id")
    return t.select("number", "month_from", "month_to", "known_on", *(c for c in ("part",) if c in t.columns))


@dataclass(frozen=True)
class Said:
    """What a county says of its coverage, of any day: `at` gives what was known by one."""

    recorded: dict[str, RecordedSpans]
    records_from: dict[int, int]
    through: int | None
    delay: int
    first_recorded: int | None = None  # in the whole county, where the spans are those of a part

    @property
    def first(self) -> int:
        """The first month of which anything is said."""
        if self.first_recorded is not None:
            return min([self.first_recorded, *self.records_from.values()])
        starts = [int(r.spans.month_from.min()) for r in self.recorded.values() if len(r.known)]
        return min([*starts, *self.records_from.values()], default=_FAR)

    def at(self, day: int, inferred: int | None = None) -> Statements:
        """Return what was known by a day; ``inferred`` stands for ``through`` where that is not stated."""
        recorded = {table: spans.at(day) for table, spans in self.recorded.items()}
        through = self.through if self.through is not None else inferred
        return Statements(recorded, self.records_from, OPEN if through is None else through, self.delay)


def read_statements(county: County, records: Records, states: States) -> Said:
    """Return what a county says of its coverage, read once for a county."""
    return county.once(
        "coverage statements", lambda: make_statements(county.about, states, _recorded(county, records))
    )


def make_statements(
    about: About, states: States, recorded: dict[str, RecordedSpans], first_recorded: int | None = None
) -> Said:
    """Return what ``about.yaml`` and table ``recorded`` say; of a part with the county's first month."""
    through = None if about.data_through is None else last_complete_month(about.data_through)
    return Said(recorded, _records_from(about, states), through, about.recording_delay_days, first_recorded)


def _records_from(about: About, states: States) -> dict[int, int]:
    if about.coverage != "whole" or about.records_from is None:
        return {}
    if isinstance(about.records_from, Mapping):
        named = {str(k): month_number(v) for k, v in about.records_from.items()}
        return {i: named[name] for i, name in enumerate(states.names) if name in named}
    # The last, −1, stands for households that are known by a link alone.
    return dict.fromkeys(range(-1, len(states.names)), month_number(about.records_from))


def month_number(text: str) -> int:
    """Return the ordinal of a month ``YYYY-MM``.

    Examples
    --------
    >>> month_number("2021-05") == month_ordinal(2021, 5)
    True
    """
    year, month = text.split("-")[:2]
    return month_ordinal(int(year), int(month))
