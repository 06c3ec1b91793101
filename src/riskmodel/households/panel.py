"""Income and spending as a dense panel of integers: household × code × month, as known at each day.

Rows of one month are read once, in the order in which the office came to know them, and added to the panel
as time goes on; every window is then a difference of prefix sums. Amounts are whole ten-thousandths of a
yuan, as the contract's DECIMAL(18,4), so sums are exact and depend on no order. Totals over several months
are kept beside the panel: they are never spread over months (contract, "Coverage").
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from riskmodel.data import CODE_COLUMN, County, Shape, codes, fetch_arrow, month_ordinal
from riskmodel.households.amounts import AmountSize
from riskmodel.households.joined_numbers import known_since

UNIT = 10_000  # panel integers a yuan
_EPOCH = dt.date(1970, 1, 1)
_BEYOND = 2**29  # months; none of a real year, as those that stand for no limit


def day_number(day: dt.date) -> int:
    """Return days since 1970-01-01, as numpy and Arrow count dates.

    Examples
    --------
    >>> day_number(dt.date(1970, 2, 1))
    31
    """
    return (day - _EPOCH).days


def first_days(months: np.ndarray) -> np.ndarray:
    """Return the first day of months as days since 1970-01-01; of months beyond all years anything.

    Examples
    --------
    >>> first_days(np.array([1970 * 12 + 1]))
    array([31])
    """
    near = np.where(np.abs(months) < _BEYOND, months, 0)
    return np.asarray((near - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64))


@dataclass(frozen=True)
class Rows:
    """Rows of one table as arrays, one element a row; ``until`` is the day from which a correction holds."""

    household: np.ndarray
    code: np.ndarray
    month_from: np.ndarray
    month_to: np.ndarray
    amount: np.ndarray
    known: np.ndarray
    until: np.ndarray

    def __len__(self) -> int:
        return len(self.household)

    def where(self, mask: np.ndarray | slice) -> Rows:
        """Return some of the rows."""
        return Rows(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))

    def known_at(self, day: int) -> Rows:
        """Return the rows that hold by a day."""
        return self.where((self.known <= day) & (day < self.until))


@dataclass(frozen=True)
class Panel:
    """Monthly sums known at one day.

    Parameters
    ----------
    first
        Ordinal of the first month of the axis.
    amounts
        Table to int64 array ``[code, household, month]`` in ten-thousandths of a yuan. In memory the
        households of a month lie side by side, so that a window is summed a month at a time.
    counts
        Table to an array of the same shape: how many rows stand behind each amount, or only whether there is
        one where nothing is ever corrected.
    """

    first: int
    amounts: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]

    @cached_property
    def months(self) -> int:
        """Length of the axis."""
        return int(self.amounts["income"].shape[2])

    def present(self, table: str) -> np.ndarray:
        """Return whether a household has a row in a month, ``[household, month]``."""
        if table not in self._present:
            self._present[table] = np.ascontiguousarray(self.counts[table].any(axis=0))
        return self._present[table]

    @cached_property
    def _present(self) -> dict[str, np.ndarray]:
        return {}

    def window(self, table: str, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Sum every code of a table over ``[start, stop)`` of each household.

        Parameters
        ----------
        table
            ``income`` or ``spending``.
        start, stop
            Month ordinals by household, cut to the axis.

        Returns
        -------
        ndarray
            int64 ``[code, household]``.
        """
        return sums_between(self.amounts[table], start - self.first, stop - self.first)

    def joined(self, owner: np.ndarray, own_from: np.ndarray) -> Panel:
        """Return the panel with rows moved to the households that own them now.

        Parameters
        ----------
        owner
            The household under which each one's rows count, ``[household]``.
        own_from
            The first month whose rows count, by household; earlier ones are its parent's.
        """
        moved = np.flatnonzero(owner != np.arange(len(owner)))
        cut = np.flatnonzero(own_from > self.first)
        parts = []
        for values in (self.amounts, self.counts):
            copies = {table: array.copy() for table, array in values.items()}
            for array in copies.values():
                for household in cut:
                    array[:, household, : own_from[household] - self.first] = 0
                for household in moved:  # a count of whether adds up to whether
                    array[:, owner[household]] += array[:, household]
                    array[:, household] = 0
            parts.append(copies)
        return Panel(self.first, *parts)


def code_place(table: str, code: str) -> int:
    """Return the place of a source or category along the first axis of a panel."""
    return list(codes(table, CODE_COLUMN[table])).index(code)


def prefix_sums(values: np.ndarray) -> np.ndarray:
    """Return sums over the months before each one, with a leading zero, along the last axis."""
    out = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=np.int64)
    np.cumsum(values, axis=-1, out=out[..., 1:])
    return out


def sums_between(values: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Sum ``[code, household, month]`` over ``[start, stop)`` of each household, cut to the axis.

    Most households have the same window, so each distinct one is summed by itself: far cheaper than sums over
    the whole axis.
    """
    months = values.shape[2]
    low = np.clip(start, 0, months)
    high = np.clip(stop, low, months)
    windows, places = np.unique(low * (months + 1) + high, return_inverse=True)
    if len(windows) == 1:
        return np.asarray(values[:, :, low[0] : high[0]].sum(axis=2, dtype=np.int64))
    out = np.zeros(values.shape[:2], dtype=np.int64)
    order = np.argsort(places, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(places))[:-1])
    for window, households in zip(windows, parts, strict=True):
        first, last = divmod(int(window), months + 1)
        out[:, households] = values[:, households, first:last].sum(axis=2, dtype=np.int64)
    return out


def window_sums(sums: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return differences of prefix sums between two positions of each household, cut to the axis."""
    last = sums.shape[-1] - 1
    low, high = np.clip(start, 0, last), np.clip(np.maximum(start, stop), 0, last)
    households = np.arange(sums.shape[-2])
    return np.asarray(sums[..., households, high] - sums[..., households, low])


@dataclass(frozen=True)
class Cells:
    """Rows of one month as places in a dense ``[code, month, household]``, part by part.

    Parameters
    ----------
    place, amount, known
        One element a row: the place, whole ten-thousandths of a yuan, the day from which the row counts.
    until
        The day from which a correction holds; None where nothing is ever corrected.
    """

    place: list[np.ndarray]
    amount: list[np.ndarray]
    known: list[np.ndarray]
    until: list[np.ndarray] | None

    def added(self) -> _Changes:
        """Return the rows as they come to be known."""
        return _Changes(self.known, self.place, self.amount, 1)

    def ended(self) -> _Changes:
        """Return the rows that are corrected later, as they cease to hold."""
        if self.until is None:
            return _Changes([], [], [], -1)
        ends = [until < _NEVER for until in self.until]
        day, place, amount = (
            [part[end] for part, end in zip(parts, ends, strict=True)]
            for parts in (self.until, self.place, self.amount)
        )
        return _Changes(day, place, amount, -1)


@dataclass(frozen=True)
class Records:
    """A county's income and spending rows, read once.

    Parameters
    ----------
    ids
        Household numbers in order; their positions are the households of every array.
    first, last
        The first and the last month of any row.
    monthly
        Rows of one month by table, in places of an axis from ``first`` to ``last``.
    totals
        Rows of several months by table; those that correct one another (equal household, code and span, the
        one recorded last holds) carry the day until which they hold.
    """

    ids: pa.Array
    first: int
    last: int
    monthly: dict[str, Cells]
    totals: dict[str, Rows]

    @cached_property
    def numbered(self) -> pa.Table:
        """``household_id, number`` of every household, to join on."""
        return pa.table({"household_id": self.ids, "number": np.arange(len(self.ids), dtype=np.int32)})

    @cached_property
    def in_fen(self) -> dict[str, bool]:
        """Whether all amounts of one month are whole fen, by table."""
        return {table: all(_are_fen(part) for part in cells.amount) for table, cells in self.monthly.items()}

    def panels(self, days: Sequence[int], last: int, first: int, count_rows: bool = False) -> Iterator[Panel]:
        """Yield the panel as known at each day, the days ascending.

        The arrays are changed in place from one to the next: a panel is to be used before the following one
        is asked for.

        Parameters
        ----------
        days
            As `day_number` gives them, ascending.
        last
            The last month that windows reach.
        first
            The first month of which something is said; rows may begin earlier.
        count_rows
            Whether rows are to be counted.
        """
        first = min(first, self.first)
        months = max(last, self.last) - first + 1
        own = _Axis(len(self.ids), self.last - self.first + 1, self.first - first, months)
        amounts, counts, changes = {}, {}, {}
        for table in CODE_COLUMN:
            shape = (len(codes(table, CODE_COLUMN[table])), months, len(self.ids))
            amounts[table] = np.zeros(shape, dtype=np.int64)
            rows = self.monthly[table]
            changes[table] = [rows.added()] if rows.until is None else [rows.added(), rows.ended()]
            whether = rows.until is None and not count_rows
            counts[table] = np.zeros(shape, dtype=bool if whether else np.int32)
        by_household = [{t: a.transpose(0, 2, 1) for t, a in part.items()} for part in (amounts, counts)]
        before = np.iinfo(np.int64).min
        for day in days:
            for table, of_table in changes.items():
                for change in of_table:
                    change.add(before, day, amounts[table], counts[table], own)
            before = day
            yield Panel(first, *by_household)


def _are_fen(amounts: np.ndarray) -> bool:
    fen = UNIT // 100
    return all(
        not (some - some // fen * fen).any()
        for some in (amounts[i : i + _ROWS_AT_ONCE] for i in range(0, len(amounts), _ROWS_AT_ONCE))
    )


@dataclass(frozen=True)
class _Axis:
    """How places on one axis of months lie on another, longer one."""

    households: int
    months: int
    offset: int
    of_months: int

    def places(self, place: np.ndarray) -> np.ndarray:
        """Return the places on the longer axis."""
        place = place.astype(np.int64)
        if self.months == self.of_months:
            return place
        code = place // (self.months * self.households)
        longer = (self.of_months - self.months) * self.households
        return np.asarray(place + code * longer + self.offset * self.households)


_ROWS_AT_ONCE = 2**17  # what is made of so many stays in the processor's cache


@dataclass(frozen=True)
class _Changes:
    """What is added to the panel, and from which day on, part by part."""

    day: list[np.ndarray]
    place: list[np.ndarray]
    amount: list[np.ndarray]
    sign: int

    @cached_property
    def first(self) -> int:
        """The first day on which anything came to be known."""
        return min((int(day.min(initial=_NEVER)) for day in self.day), default=_NEVER)

    def add(self, after: int, until: int, amounts: np.ndarray, counts: np.ndarray, axis: _Axis) -> None:
        """Add what came to be known after one day and until another."""
        amounts, counts = amounts.reshape(-1), counts.reshape(-1)
        for days, places, units in zip(self.day, self.place, self.amount, strict=True):
            for start in range(0, len(days), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                new = days[some] <= until
                if after >= self.first:
                    new &= days[some] > after
                if not new.any():
                    continue
                place, amount = axis.places(places[some][new]), units[some][new]
                if counts.dtype == bool:
                    counts[place] = True
                else:
                    np.add.at(counts, place, np.int32(self.sign))
                np.add.at(amounts, place, amount if self.sign > 0 else -amount)


_NEVER = np.iinfo(np.int32).max


def read_records(county: County) -> Records:
    """Return a county's income and spending rows as arrays, read once for a county.

    Parameters
    ----------
    county
        The checked tables.

    Raises
    ------
    InputRefused
        If amounts are so large that their sum would not be exact.
    """
    return county.once("income and spending records", lambda: _read(county))


def _read(county: County) -> Records:
    households = households_known(county)
    ids = households["household_id"].combine_chunks()
    first, last = month_span(county)
    monthly, totals = {}, {}
    for table in CODE_COLUMN:
        # Places are made in the engine, of a household's first place and the widths of a month and of a code.
        months = last - first + 1
        number = np.arange(len(ids), dtype=np.int64)
        step, width = np.full(len(ids), len(ids)), np.full(len(ids), len(ids) * months)
        numbered = {"household_id": ids, "number": pa.array(number, pa.int32()), "since": households["since"]}
        places = pa.table({**numbered, "place": number - first * step, "step": step, "width": width})
        wide = len(ids) * months * (len(codes(table, CODE_COLUMN[table])) + 1) > _NEVER
        monthly[table] = cells_of(fetch_arrow(county, monthly_rows, table, wide, numbered=places))
        totals[table] = rows_of(fetch_arrow(county, total_rows, table, numbered=pa.table(numbered)))
        size = AmountSize(table)
        for part in (*monthly[table].amount, totals[table].amount):
            size.add(part)
        size.refuse_large()
    return Records(ids, first, last, monthly, totals)


def households_known(county: County) -> pa.Table:
    """Return ``household_id, since`` of all households in order: days since 1970 from which each is known."""
    return fetch_arrow(county, _households).combine_chunks()


def _households(county: Shape) -> ir.Table:
    t = known_since(county)
    return t.select("household_id", since=_days(t.since)).order_by("household_id")


def month_span(county: County) -> tuple[int, int]:
    """Return the first and the last month of any row."""
    spans = [fetch_arrow(county, _months, table).to_pylist()[0] for table in CODE_COLUMN]
    starts, ends = ([s[end] for s in spans if s[end] is not None] for end in ("first", "last"))
    first = min(starts, default=month_ordinal(2000, 1))
    return first, max(ends, default=first)


def _months(county: Shape, table: str) -> ir.Table:
    t = county.table(table)
    return t.aggregate(first=t.month_from.min(), last=t.month_to.max())


def _numbered(county: Shape, table: str, numbered: ir.Table) -> ir.Table:
    """Return a table's rows with numbers for households and codes, and until when each holds."""
    t = county.table(table)
    order = list(codes(table, CODE_COLUMN[table]))
    code = ibis.cases(*((t[CODE_COLUMN[table]] == c, i) for i, c in enumerate(order)), else_=len(order))
    further: dict[str, ir.Value] = {}
    if county.facts.get(f"corrected.{table}", False):
        following = t.known_on.lead().over(group_by="row_id", order_by="known_on")
        until = ibis.ifelse(t.row_id.isnull(), ibis.null("date"), following)
        further["until"] = _days(until).coalesce(_NEVER).cast("int32")
    t = t.mutate(
        code=code.cast("int16"),
        # Exact below 2^53 units, and many times cheaper than a wider decimal.
        units=(t.amount.cast("float64") * UNIT).round().cast("int64"),
        known=_days(t.known_on),
        **further,
    )
    t = t.inner_join(numbered, "household_id")
    # A row counts once its household is known: one recorded later must not wake it for an earlier day.
    return t.mutate(known=ibis.greatest(t.known, t.since))


def monthly_rows(county: Shape, table: str, wide: bool, numbered: ir.Table) -> ir.Table:
    """Return rows of one month by their places."""
    t = _numbered(county, table, numbered)
    if county.facts.get(f"spans.{table}", False):
        t = t.filter(t.month_from == t.month_to)
    place = t.code.cast("int64") * t.width + t.month_to.cast("int64") * t.step + t.place
    t = t.mutate(place=place if wide else place.cast("int32"))
    # Columns that say nothing are not carried out of the engine.
    return t.select("place", "units", "known", *(c for c in ("until", "part") if c in t.columns))


def total_rows(county: Shape, table: str, numbered: ir.Table) -> ir.Table:
    """Return rows of several months."""
    t = _numbered(county, table, numbered)
    t = t.filter(t.month_from != t.month_to if county.facts.get(f"spans.{table}", False) else False)
    columns = ["number", "code", "month_from", "month_to", "units", "known"]
    return t.select(*columns, *(c for c in ("until", "part") if c in t.columns))


def _days(day: ir.Value) -> ir.Value:
    return day.delta(ibis.date(_EPOCH), unit="day").cast("int32")


def cells_of(rows: pa.Table) -> Cells:
    """Return rows of one month as arrays."""
    parts = {name: [part.to_numpy() for part in rows[name].chunks] for name in rows.column_names}
    return Cells(parts["place"], parts["units"], parts["known"], parts.get("until"))


def rows_of(rows: pa.Table) -> Rows:
    """Return rows of several months as arrays."""
    column = {name: rows[name].to_numpy() for name in rows.column_names}
    never = np.broadcast_to(np.int32(_NEVER), rows.num_rows)
    return _latest_of_span(
        Rows(
            column["number"], column["code"], column["month_from"], column["month_to"], column["units"],
            column["known"], column.get("until", never),
        )
    )  # fmt: skip


def _latest_of_span(rows: Rows) -> Rows:
    """Let a total be replaced by one of the same household, code and span that was recorded later."""
    rows = rows.where(np.lexsort((rows.known, rows.month_to, rows.month_from, rows.code, rows.household)))
    key = np.stack([rows.household, rows.code, rows.month_from, rows.month_to])
    replaced = np.flatnonzero((key[:, 1:] == key[:, :-1]).all(axis=0))
    until = rows.until.copy()
    until[replaced] = np.minimum(until[replaced], rows.known[replaced + 1])
    return replace(rows, until=until)
