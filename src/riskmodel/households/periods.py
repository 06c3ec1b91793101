"""Each household's accounting period: which months are accounted, and how far they lie behind.

A period is the twelve months that end with the household's last month on record (not later than the last
completed month), or the newest twelve months that totals cover (contract, "Coverage").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from riskmodel.households.coverage import OPEN, Spans
from riskmodel.households.known_records import KnownRecords
from riskmodel.households.panel import prefix_sums
from riskmodel.households.totals import YEAR
from riskmodel.io import Spec


class AccountingPeriod(Spec):
    """Which months are accounted.

    ``calendar_year`` takes the calendar year before as-of, divided by the members present at as-of
    (causes-2020), and the years before it by those 12 and 24 months earlier, as everywhere; otherwise the
    last ``months`` months on record. ``follows_lag: false`` takes the last completed months whether they
    are on record or not, as labels do.
    """

    months: int = Field(default=12, ge=1, le=24)
    calendar_year: bool = False
    follows_lag: bool = True

    @property
    def length(self) -> int:
        """Months in a period."""
        return YEAR if self.calendar_year else self.months


@dataclass(frozen=True)
class Period:
    """The periods of every household at one moment.

    Parameters
    ----------
    end
        Last month of the current period, ``[household]``; the two before it end ``length`` and twice
        ``length`` months earlier.
    length
        Months in a period, ``[household]``.
    by_totals
        Whether totals cover it.
    chosen
        Whether there is a period at all.
    lag
        Months between the period's end and the last completed month; 0 where it does not follow the records.
    """

    end: np.ndarray
    length: np.ndarray
    by_totals: np.ndarray
    chosen: np.ndarray
    lag: np.ndarray

    def bounds(self, back: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first month of a period and the one after its last, ``back`` periods ago."""
        stop = self.end + 1 - self.length * back
        return stop - self.length, stop


def choose_period(known: KnownRecords, period: AccountingPeriod) -> Period:
    """Return each household's accounting period at a moment."""
    months = _by_months(known, period)
    if not len(known.totals["income"]):
        return months
    return _with_totals(known, period, months)


def _by_months(known: KnownRecords, period: AccountingPeriod) -> Period:
    n, last = known.households, known.last_month
    end = np.full(n, last, dtype=np.int64)
    chosen = np.ones(n, bool)
    if period.calendar_year:
        end[:] = known.moment.as_of.year * YEAR - 1
    elif period.follows_lag:
        end, chosen = last_on_record(known, known.on.months)
        end = np.where(chosen, end, last)
    lag = last - end if not period.calendar_year else np.zeros(n, np.int64)
    return Period(end, np.full(n, period.length, dtype=np.int64), np.zeros(n, bool), chosen, lag)


def last_on_record(known: KnownRecords, months: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the last completed month on record in every table that counts, and whether there is one."""
    both = np.logical_and.reduce([months[table] for table in known.tables])
    both = both[:, : max(known.last_month - known.panel.first + 1, 0)]
    if not both.shape[1]:
        return np.full(known.households, OPEN), np.zeros(known.households, bool)
    last = known.panel.first + both.shape[1] - 1 - np.argmax(both[:, ::-1], axis=1)
    return last, both.any(axis=1)


def _with_totals(known: KnownRecords, period: AccountingPeriod, months: Period) -> Period:
    """Judge households that have totals on the newest twelve months that totals cover.

    Where months on record that no total touches make a later period, that one holds.
    """
    spans = known.by_totals
    sub, axis = spans.sub, known.panel.first + np.arange(spans.covered.shape[1])
    if period.calendar_year:
        wanted = axis == known.moment.as_of.year * YEAR - 1
    elif period.follows_lag:
        wanted = axis <= known.last_month
    else:
        wanted = axis == known.last_month
    newest = _newest(spans.covered & wanted, axis)
    own = _newest(_whole_on_record(known, sub, period.length) & wanted, axis)
    end, chosen, length = months.end.copy(), months.chosen.copy(), months.length.copy()
    by_totals = np.zeros(known.households, bool)
    by_totals[sub] = newest > np.maximum(own, OPEN)
    later = np.maximum(own, newest)
    chosen[sub] = later > OPEN
    end[sub] = np.where(later > OPEN, later, known.last_month if period.follows_lag else end[sub])
    length[by_totals] = YEAR
    lag = known.last_month - end if not period.calendar_year else np.zeros_like(end)
    return Period(end, length, by_totals, chosen, lag)


def _newest(possible: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return the last month that is possible for each household, `OPEN` where none is."""
    return np.where(possible.any(axis=1), axis[-1] - np.argmax(possible[:, ::-1], axis=1), OPEN)


def _whole_on_record(known: KnownRecords, sub: np.ndarray, length: int) -> np.ndarray:
    """Return whether the months up to each one are on record and untouched by totals, for some households."""
    free = np.logical_and.reduce([known.on.own[table][sub] for table in known.tables])
    rows = known.totals["income"]
    touched = Spans(rows.household, rows.month_from, rows.month_to)
    free &= ~touched.mask(known.households, known.panel.first, known.panel.months)[sub]
    sums = prefix_sums(free)
    out = np.zeros_like(free)
    out[:, length - 1 :] = sums[:, length:] - sums[:, :-length] == length
    return out


def untouched_by_totals(known: KnownRecords, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return whose window no income total reaches into."""
    rows = known.totals["income"]
    out = np.ones(known.households, bool)
    inside = (rows.month_from < stop[rows.household]) & (rows.month_to >= start[rows.household])
    out[rows.household[inside]] = False
    return out
