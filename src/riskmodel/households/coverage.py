"""Which months are on record, of whom, since when: household × table × month, as known at a day.

Absence of a row says nothing by itself: a month may be before the records begin, not yet written up, lost
with a rejected row, or truly without income. The data contract ("Coverage") decides, in this order:

1. what table ``recorded`` says of the household;
2. ``coverage: whole`` with ``records_from`` in ``about.yaml``;
3. inference from the rows that are there (`_inferred`).

Totals add their span; ``unrecorded`` and rejected rows take spans off last. Everything here looks at rows
known by the day alone, so nothing recorded later changes what is on record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.households.panel import Panel, Rows

TABLES = ("income", "spending")
START_SHARE = 4  # a township's records begin where a quarter of its households have an income row
LEAST_MONTHS = 12  # on record before a quiet month is taken as one without income
LEAST_HOUSEHOLDS = 5  # with rows before and after, for a township's empty month to be a hole
STOPPED_SHARE = 0.75
OPEN = -(2**30)  # a first month so early that it is no limit
NEVER = 2**30


@dataclass(frozen=True)
class Places:
    """Where households lived and since when they can be on record, as known at a day.

    Parameters
    ----------
    valid
        Whether the household's state holds on the as-of day, ``[household]``.
    township
        Number of the township lived in, ``[household, month]``; −1 where the household is not known yet.
    names
        Townships by number.
    first_possible
        First month that begins on or after the first ``valid_from``, `OPEN` without one.
    """

    valid: np.ndarray
    township: np.ndarray
    names: tuple[str, ...]
    first_possible: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Whether the household is known at all."""
        return np.asarray(self.township[:, 0] >= 0)

    @cached_property
    def moved(self) -> np.ndarray:
        """Households that have lived in several townships."""
        return np.flatnonzero((self.township != self.township[:, :1]).any(axis=1))

    @cached_property
    def stayed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All other households that are known, by township; where each township begins, and which it is."""
        stays = self.known
        stays[self.moved] = False
        order = np.flatnonzero(stays)
        order = order[np.argsort(self.township[order, 0], kind="stable")]
        townships, groups = np.unique(self.township[order, 0], return_index=True)
        return order, groups, townships


@dataclass(frozen=True)
class Spans:
    """Months said to be on record or off it: one element a statement, months inclusive."""

    household: np.ndarray
    month_from: np.ndarray
    month_to: np.ndarray

    def mask(self, households: int, first: int, months: int) -> np.ndarray:
        """Return ``[household, month]``: whether a span covers the month."""
        out = np.zeros((households, months), bool)
        single = self.month_from == self.month_to
        several = ~single
        # Most statements and rows are of one month, and are only put in their place.
        whole = bool(single.all())
        household, month = (v if whole else v[single] for v in (self.household, self.month_from))
        inside = (month >= first) & (month < first + months)
        if not inside.all():
            household, month = household[inside], month[inside]
        place = household.astype(np.int64)
        place *= months
        place += month
        place -= first
        out.reshape(-1)[place] = True
        if not whole:
            out |= self._several(several, households, first, months)
        return out

    def _several(self, some: np.ndarray, households: int, first: int, months: int) -> np.ndarray:
        household, width = self.household[some].astype(np.int64), months + 1
        start = np.clip(self.month_from[some] - first, 0, months)
        stop = np.maximum(start, np.clip(self.month_to[some] - first + 1, 0, months))
        begun = np.bincount(household * width + start, minlength=households * width)
        ended = np.bincount(household * width + stop, minlength=households * width)
        open_spans = np.cumsum((begun - ended).reshape(households, width), axis=1)
        return np.asarray(open_spans[:, :-1] > 0)


@dataclass(frozen=True)
class Statements:
    """What a county says of its own coverage, as known at a day.

    Parameters
    ----------
    recorded
        Rows of table ``recorded`` by the table they speak of.
    records_from
        Township number to its first month where ``about.yaml`` says ``coverage: whole``; a township that
        is not there is inferred.
    through
        ``data_through`` as the last whole month, stated or inferred; `OPEN` where there is none.
    delay
        ``recording_delay_days``.
    """

    recorded: Mapping[str, Spans]
    records_from: Mapping[int, int]
    through: int
    delay: int


@dataclass(frozen=True)
class OnRecord:
    """Which months are on record at one day, before anything is taken off.

    Parameters
    ----------
    first
        Ordinal of the first month of the axis.
    months
        Table to ``[household, month]``.
    own
        The same by rules 1 to 3 alone, without what totals add.
    stated
        Table to ``[household]``: rule 1 decides, so that a month without a row is a month of 0 yuan.
    starts, named
        First month of a township's records, by its number, `NEVER` where they have not begun (and last, for
        households without a place); whether ``about.yaml`` says it.
    through, written_up
        Last month in which the county's records are whole; the same, and not later than the recording delay
        lets a month be complete.
    first_row, last_row
        First and last month in which the household has a row of one month, `OPEN` without any.
    """

    first: int
    months: dict[str, np.ndarray]
    own: dict[str, np.ndarray]
    stated: dict[str, np.ndarray]
    starts: np.ndarray
    named: np.ndarray
    through: int
    written_up: int
    first_row: np.ndarray
    last_row: np.ndarray


def months_on_record(
    panel: Panel, totals: Mapping[str, Rows], places: Places, said: Statements, day: dt.date
) -> OnRecord:
    """Decide which months are on record.

    Parameters
    ----------
    panel, totals
        What is known by ``day``: sums of months, and totals that hold.
    places
        Where households lived.
    said
        What the county says of its coverage.
    day
        The day up to which rows may be seen.

    References
    ----------
    Data contract, "Coverage", rules 1 to 3 and totals.
    """
    households, months = places.township.shape
    axis = panel.first + np.arange(months)
    present = {table: panel.present(table)[:, :months] for table in TABLES}
    has_total = _has_total(totals, households)
    written_up = min(said.through, last_written_up(day, said.delay))
    allowed = (axis <= written_up) & (axis >= places.first_possible[:, None]) & places.known[:, None]
    any_row = present["income"] | present["spending"]
    start = _township_starts(present["income"], any_row, places, axis, has_total)
    inferred = _Inference(any_row, places, axis, allowed, start)
    whole_from = np.full(len(places.names) + 1, NEVER)  # the last stands for "not known yet"
    for township, month in said.records_from.items():
        whole_from[township] = month
    named = np.zeros(len(places.names) + 1, bool)
    named[list(said.records_from)] = True
    on, own, stated = {}, {}, {}
    for table in TABLES:
        spans = said.recorded[table]
        stated[table] = np.zeros(households, bool)
        stated[table][spans.household] = True
        from_totals = _spans_of(totals["income"], households, panel.first, months)
        if table == "spending":
            from_totals |= _spans_of(totals["spending"], households, panel.first, months)
        own[table] = spans.mask(households, panel.first, months)
        unstated = ~stated[table]
        if unstated.any():
            by_rows = inferred.months(from_totals, _ends(totals, table, households, panel.first, months))
            both = by_rows
            if named.any():
                by_about = allowed & (axis >= whole_from[places.township])
                both = np.where(named[places.township], by_about, by_rows)
            own[table] = np.where(unstated[:, None], both, own[table])
        on[table] = own[table] | from_totals
    has_row = any_row.any(axis=1)
    first_row = np.where(has_row, panel.first + np.argmax(any_row, axis=1), OPEN)
    last_row = np.where(has_row, panel.first + _last(any_row), OPEN)
    starts = np.where(named, whole_from, np.append(start, NEVER))
    return OnRecord(
        panel.first, on, own, stated, starts, named, said.through, written_up, first_row, last_row
    )


def last_written_up(day: dt.date, delay: int) -> int:
    """Return the last month whose end plus the recording delay is not after a day.

    Examples
    --------
    >>> [last_written_up(dt.date(2021, 6, day), 0) - 2021 * 12 for day in (29, 30)]
    [4, 5]
    """
    try:
        following = day - dt.timedelta(days=delay) + dt.timedelta(days=1)
    except OverflowError:  # "known at any time" less nothing
        following = day
    return following.year * 12 + following.month - 2


def _last(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1))


def _spans_of(rows: Rows, households: int, first: int, months: int) -> np.ndarray:
    return Spans(rows.household, rows.month_from, rows.month_to).mask(households, first, months)


def _ends(totals: Mapping[str, Rows], table: str, households: int, first: int, months: int) -> np.ndarray:
    """Return ``[household, month]``: whether a total that speaks of the table ends in the month."""
    out = np.zeros((households, months), bool)
    for name in dict.fromkeys(("income", table)):
        rows = totals[name]
        inside = (rows.month_to >= first) & (rows.month_to < first + months)
        out[rows.household[inside], rows.month_to[inside] - first] = True
    return out


def _by_township(mask: np.ndarray, places: Places) -> np.ndarray:
    """Count households by ``[township, month]``."""
    stayed, groups, townships = places.stayed
    counts = np.zeros((len(places.names), mask.shape[1]), np.int64)
    if len(stayed):
        counts[townships] = np.add.reduceat(mask[stayed], groups, axis=0, dtype=np.int64)
    for household in places.moved:
        months = np.flatnonzero(mask[household] & (places.township[household] >= 0))
        np.add.at(counts, (places.township[household][months], months), 1)
    return counts


def _township_starts(
    income: np.ndarray, any_row: np.ndarray, places: Places, axis: np.ndarray, has_total: np.ndarray
) -> np.ndarray:
    """Return the first month in which a quarter of a township's households have an income row."""
    only_totals = has_total & ~any_row.any(axis=1)
    could = (axis >= places.first_possible[:, None]) & ~only_totals[:, None]
    households, with_row = _by_township(could, places), _by_township(could & income, places)
    begun = (households > 0) & (with_row * START_SHARE >= households)
    return np.where(begun.any(axis=1), axis[0] + np.argmax(begun, axis=1), NEVER)


@dataclass(frozen=True)
class _Inference:
    """Rule 3: what the rows themselves tell of the months on record."""

    any_row: np.ndarray
    places: Places
    axis: np.ndarray
    allowed: np.ndarray
    start: np.ndarray

    def months(self, from_totals: np.ndarray, total_ends: np.ndarray) -> np.ndarray:
        """Return ``[household, month]`` on record by inference.

        A month after the last row is on record unless it, or one between, had a row a year before; and only
        if twelve months before it are on record.
        """
        row, axis = self.any_row, self.axis
        has_row = np.asarray(row.any(axis=1))
        first_row = np.where(has_row, axis[0] + np.argmax(row, axis=1), NEVER)
        last_row = np.asarray(np.where(has_row, axis[0] + _last(row), OPEN))
        begin = np.append(self.start, NEVER)[self.places.township]
        open_start = np.where(self.places.first_possible == OPEN, first_row, OPEN)
        start = np.maximum(begin, open_start[:, None])
        begun = self.allowed & has_row.reshape(-1, 1) & (axis >= start)
        begun &= ~self._holes()
        begun &= ~_after_a_total(row, total_ends)
        until_last = begun & (axis <= last_row[:, None])
        before = np.zeros_like(row)
        before[:, 12:] = row[:, :-12]
        after = axis > last_row[:, None]
        expected = np.logical_or.accumulate(before & after, axis=1)
        enough = (until_last | (from_totals & ~after)).sum(axis=1) >= LEAST_MONTHS
        return np.asarray(until_last | (begun & after & ~expected & enough[:, None]))

    def _holes(self) -> np.ndarray:
        """Return months without any row in a township where five households have rows before and after."""
        row = self.any_row
        around = (
            np.logical_or.accumulate(row, axis=1) & np.logical_or.accumulate(row[:, ::-1], axis=1)[:, ::-1]
        )
        empty = _by_township(row, self.places) == 0
        hole = empty & (_by_township(around & ~row, self.places) >= LEAST_HOUSEHOLDS)
        hole = np.vstack([hole, np.zeros((1, row.shape[1]), bool)])  # for households without a place
        return np.asarray(hole[self.places.township, np.arange(row.shape[1])])


def _after_a_total(row: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return ``[household, month]``: a total ended before and no row has come since."""
    if not ends.any():
        return np.zeros_like(row)
    place = np.arange(row.shape[1])
    ended = np.maximum.accumulate(np.where(ends, place, -1), axis=1)
    ended = np.concatenate([np.full((len(row), 1), -1), ended[:, :-1]], axis=1)
    latest = np.maximum.accumulate(np.where(row, place, -1), axis=1)
    return np.asarray((ended >= 0) & (ended >= latest))


def stopped(
    on: OnRecord, panel: Panel, places: Places, totals: Mapping[str, Rows], tables: tuple[str, ...] = TABLES
) -> np.ndarray:
    """Return whose rows ceased while three quarters of the township's households go on (``maybe_stopped``).

    The month that counts is the first after a household's last row in which it had a row the year before.
    Where the county states what is on record, nobody can be late.

    Parameters
    ----------
    on, panel, places, totals
        As known at a day.
    tables
        Those that there are.
    """
    months = places.township.shape[1]
    row = (panel.present("income") | panel.present("spending"))[:, :months]
    out = np.zeros(len(row), bool)
    ceased = np.flatnonzero((on.last_row > OPEN) & (on.last_row < min(on.written_up, on.first + months - 1)))
    axis = on.first + np.arange(months)
    missed = (axis > on.last_row[ceased, None]) & (axis <= on.written_up)
    missed[:, 12:] &= row[ceased, :-12]
    missed[:, :12] = False
    some = missed.any(axis=1)
    ceased, month = ceased[some], np.argmax(missed[some], axis=1)
    inferred = ~on.named[places.township[ceased, month]]
    stated = np.logical_and.reduce([on.stated[table][ceased] for table in tables])
    only_totals = _has_total(totals, len(row)) & ~row.any(axis=1)
    for place in np.unique(month):
        counted = (places.first_possible <= on.first + place) & ~only_totals & places.known
        township = places.township[:, place]
        n = np.bincount(township[counted], minlength=len(places.names))
        with_row = np.bincount(township[counted & row[:, place]], minlength=len(places.names))
        goes_on = (n > 0) & (with_row >= STOPPED_SHARE * n)
        mine = (month == place) & inferred & ~stated
        out[ceased[mine]] = goes_on[township[ceased[mine]]]
    return out


def _has_total(totals: Mapping[str, Rows], households: int) -> np.ndarray:
    out = np.zeros(households, bool)
    for rows in totals.values():
        out[rows.household] = True
    return out
