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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.households.panel import Panel, Rows

TABLES = ("income", "spending")
LEAST_MONTHS = 12  # on record before a quiet month is taken as one without income
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
        First month that begins on or after the first ``valid_from``, `OPEN` without one; of a split's child
        not before the first month of its own.
    open_start
        Whether there is no ``valid_from``, so that records begin with the household's first row.
    """

    valid: np.ndarray
    township: np.ndarray
    names: tuple[str, ...]
    first_possible: np.ndarray
    open_start: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """Whether the household is known at all."""
        return np.asarray(self.township[:, 0] >= 0)

    @cached_property
    def moved(self) -> np.ndarray:
        """Households that have lived in several townships."""
        return np.flatnonzero((self.township != self.township[:, :1]).any(axis=1))

    def of_townships(self, values: np.ndarray) -> np.ndarray:
        """Return values by township as ``[household, month]``, one month for all where nobody moved."""
        return np.asarray(values[self.township if len(self.moved) else self.township[:, :1]])

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
        is not there is inferred, −1 stands for households without a place.
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
    rule_1
        Table to ``[household, month]`` of `Earlier.household`: months on record by rule 1.
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
    rule_1: dict[str, np.ndarray]


@dataclass(frozen=True)
class Earlier:
    """What is on record of merged households before they were one.

    Parameters
    ----------
    household
        Their places.
    begin
        The first month as one, `OPEN` for a household that no merge made.
    own, months, rule_1
        Table to ``[household, month]``: what is on record by rules 1 to 3, with totals, and by rule 1.
    """

    household: np.ndarray
    begin: np.ndarray
    own: Mapping[str, np.ndarray]
    months: Mapping[str, np.ndarray]
    rule_1: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, household: np.ndarray, begin: np.ndarray, months: int) -> Earlier:
        """Return nothing on record before households were one."""
        none = {table: np.zeros((len(household), months), bool) for table in TABLES}
        return cls(household, begin, none, none, none)


@dataclass(frozen=True)
class Splits:
    """Households of before a split, which count in their townships until the month in which children begin.

    Parameters
    ----------
    any_row, income
        ``[household, month]``: whether there is a row, and one of income.
    township, first_possible
        As `Places` have them.
    until
        First month of the children.
    only_totals
        Whether there are totals and no row of one month.
    """

    any_row: np.ndarray
    income: np.ndarray
    township: np.ndarray
    first_possible: np.ndarray
    until: np.ndarray
    only_totals: np.ndarray


@dataclass(frozen=True)
class Townships:
    """What the rows of all households say of their townships.

    Parameters
    ----------
    starts
        First month of a township's records, by its number, `NEVER` where they have not begun.
    holes
        ``[township, month]``: nobody has a row, though five households have rows before and after; the last
        stands for households without a place.
    goes_on
        Returns ``[township, month]``: three quarters of the households that can have a row have one.
    """

    starts: np.ndarray
    holes: np.ndarray
    goes_on: Callable[[], np.ndarray]


def months_on_record(
    panel: Panel,
    totals: Mapping[str, Rows],
    places: Places,
    said: Statements,
    day: dt.date,
    townships: Townships,
    earlier: Earlier | None = None,
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
    townships
        What all households say of their townships.
    earlier
        What is on record of merged households before they were one.

    References
    ----------
    Data contract, "Coverage", rules 1 to 3 and totals.
    """
    households, months = places.township.shape
    axis = panel.first + np.arange(months)
    present = {table: panel.present(table)[:, :months] for table in TABLES}
    written_up = min(said.through, last_written_up(day, said.delay))
    allowed = (axis <= written_up) & (axis >= places.first_possible[:, None])
    any_row = present["income"] | present["spending"]
    inferred = _Inference(any_row, places, axis, allowed, townships)
    whole_from = np.full(len(places.names) + 1, NEVER)  # the last stands for "not known yet"
    for township, month in said.records_from.items():
        whole_from[township] = month
    named = np.zeros(len(places.names) + 1, bool)
    named[list(said.records_from)] = True
    by_name = by_about = None
    if named.any():
        by_name = places.of_townships(named)
        by_about = allowed & (axis >= places.of_townships(whole_from)) & by_name
    on, own, stated, rule_1 = {}, {}, {}, {}
    alone = earlier is None and not any(len(rows) for rows in totals.values())
    inferred_months: np.ndarray | None = None  # the same for both tables where there are rows of months alone
    for table in TABLES:
        spans = said.recorded[table]
        stated[table] = np.zeros(households, bool)
        stated[table][spans.household] = True
        from_totals = _spans_of(totals["income"], households, panel.first, months)
        if table == "spending":
            from_totals |= _spans_of(totals["spending"], households, panel.first, months)
        own[table] = spans.mask(households, panel.first, months)
        said_so = None if earlier is None else own[table][earlier.household]
        unstated = ~stated[table]
        if unstated.any():
            before = None if earlier is None else (earlier, earlier.own[table])
            ends = _ends(totals, table, households, panel.first, months)
            if by_name is not None and by_about is not None and by_name.all():
                both = by_about
            else:
                if inferred_months is None or not alone:
                    inferred_months = inferred.months(from_totals, ends, by_about, before)
                both = inferred_months
                both = both if by_name is None else np.where(by_name, np.asarray(by_about), both)
            if unstated.all():
                own[table] = both.copy()
            else:
                own[table] = np.where(unstated[:, None], both, own[table])
        on[table] = own[table] | from_totals
        if earlier is not None and said_so is not None:
            some, first = earlier.household, axis < earlier.begin[:, None]
            own[table][some] = np.where(first, earlier.own[table], own[table][some])
            on[table][some] = np.where(first, earlier.months[table], on[table][some])
            rule_1[table] = np.where(first, earlier.rule_1[table], said_so & stated[table][some, None])
    has_row = any_row.any(axis=1)
    first_row = np.where(has_row, panel.first + np.argmax(any_row, axis=1), OPEN)
    last_row = np.where(has_row, panel.first + _last(any_row), OPEN)
    starts = np.where(named, whole_from, np.append(townships.starts, NEVER))
    return OnRecord(
        panel.first, on, own, stated, starts, named, said.through, written_up, first_row, last_row, rule_1
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


@dataclass(frozen=True)
class _Inference:
    """Rule 3: what the rows themselves tell of the months on record."""

    any_row: np.ndarray
    places: Places
    axis: np.ndarray
    allowed: np.ndarray
    townships: Townships

    def months(
        self,
        from_totals: np.ndarray,
        total_ends: np.ndarray,
        by_about: np.ndarray | None,
        before_merges: tuple[Earlier, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Return ``[household, month]`` on record by inference.

        A month after the last row is on record unless it, or one between, had a row a year before; and only
        if twelve months before it are on record, whatever puts them there.
        """
        row, axis = self.any_row, self.axis
        has_row = np.asarray(row.any(axis=1))
        first_row = np.where(has_row, axis[0] + np.argmax(row, axis=1), NEVER)
        last_row = np.asarray(np.where(has_row, axis[0] + _last(row), OPEN))
        begun = self._started(np.where(self.places.open_start, first_row, OPEN))
        begun &= self.allowed
        begun &= has_row.reshape(-1, 1)
        if self.townships.holes.any():
            begun &= ~self.townships.holes[self.places.township, np.arange(row.shape[1])]
        if total_ends.any():
            begun &= ~_after_a_total(row, total_ends)
        until_last = begun & (axis <= last_row[:, None])
        before = np.zeros_like(row)
        before[:, 12:] = row[:, :-12]
        after = axis > last_row[:, None]
        expected = np.logical_or.accumulate(before & after, axis=1)
        possible = begun & after & ~expected
        if not possible.any():
            return until_last
        accepted = until_last | from_totals
        if by_about is not None:
            accepted |= by_about
        if before_merges is not None:
            earlier, own = before_merges
            some, first = earlier.household, axis < earlier.begin[:, None]
            accepted[some] = np.where(first, own, accepted[some])
        some = np.flatnonzero(possible.any(axis=1))
        accepted = accepted[some]
        enough = np.cumsum(accepted, axis=1, dtype=np.int32) - accepted >= LEAST_MONTHS
        out = until_last.copy()
        out[some] |= possible[some] & enough
        return out

    def _started(self, first: np.ndarray) -> np.ndarray:
        """Return ``[household, month]``: not before the township's records begin, and the household's own."""
        begin = self.places.of_townships(np.append(self.townships.starts, NEVER))
        return np.asarray(self.axis >= np.maximum(begin, first[:, None]))


def _after_a_total(row: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return ``[household, month]``: a total ended before and no row has come since."""
    place = np.arange(row.shape[1])
    ended = np.maximum.accumulate(np.where(ends, place, -1), axis=1)
    ended = np.concatenate([np.full((len(row), 1), -1), ended[:, :-1]], axis=1)
    latest = np.maximum.accumulate(np.where(row, place, -1), axis=1)
    return np.asarray((ended >= 0) & (ended >= latest))
