"""Windows over the monthly sums of some households, as an aggregate sees them: arrays ``[month, household]``.

Amounts are whole ten-thousandths of a yuan, so sums are exact and depend on no order; `yuan` brings what was
made of them back. A month in which a household has no row is 0; whether it is on record stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from riskmodel.households import UNIT

YEAR = 12  # months
_LARGEST_ROOT = 2.0**31  # the square of twice as much does not fit a whole number of 64 bits
_LARGEST = 2.0**62  # fits one, whatever was rounded on the way here
_FEN = UNIT // 100


def yuan(amounts: np.ndarray) -> np.ndarray:
    """Return amounts in yuan.

    Parameters
    ----------
    amounts
        Whole ten-thousandths of a yuan.

    Examples
    --------
    >>> yuan(np.array([12_345_600]))
    array([1234.56])
    """
    return np.asarray(amounts / UNIT)


def running_counts(values: np.ndarray, kind: type = np.int64) -> np.ndarray:
    """Return sums over the months before each one, with a leading zero, along the first axis."""
    out = np.empty((len(values) + 1, *values.shape[1:]), kind)
    out[0] = 0
    for i, row in enumerate(values):  # a row at a time, which is many times faster than along the first axis
        np.add(out[i], row, out=out[i + 1])
    return out


@dataclass(frozen=True, eq=False)  # one is itself alone, and so can stand in a key
class Recorded:
    """Which months are on record, ``[month, household]``."""

    months: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """Running counts of them."""
        return running_counts(self.months)

    @cached_property
    def whole(self) -> bool:
        """Whether there is no month that is not on record."""
        return bool(self.months.all())


@dataclass(frozen=True)
class Series:
    """The sums of one code, or of several together, by month.

    Parameters
    ----------
    amounts
        ``[month, household]``, oldest month first.
    count_rows
        Gives ``rows``, see there.
    recorded
        Which months are on record, and not taken off it.
    in_fen
        Whether all amounts are known to be whole fen.
    """

    amounts: np.ndarray
    count_rows: Callable[[], np.ndarray]
    recorded: Recorded
    in_fen: bool = False
    _extremes: dict[tuple[bool, int], np.ndarray] = field(default_factory=dict)

    @cached_property
    def rows(self) -> np.ndarray:
        """How many rows stand behind each amount; whether there is one where nobody asks how many."""
        return self.count_rows()

    @cached_property
    def sums(self) -> np.ndarray:
        """Running sums."""
        return running_counts(self.amounts)

    @cached_property
    def sums_of_sums(self) -> np.ndarray:
        """Running sums of the running sums."""
        return running_counts(self.sums)

    @cached_property
    def squares(self) -> np.ndarray:
        """Running sums of squares, of which 64 bits are kept: differences that fit are right."""
        out = np.empty((len(self.amounts) + 1, *self.amounts.shape[1:]), np.int64)
        out[0] = 0
        square = np.empty(self.amounts.shape[1:], np.int64)
        for i, row in enumerate(self.amounts):
            np.multiply(row, row, out=square)
            np.add(out[i], square, out=out[i + 1])
        return out

    @cached_property
    def fen(self) -> np.ndarray | None:
        """The amounts in fen; None where one is not whole."""
        fen = self.amounts // _FEN
        return fen if self.in_fen or np.array_equal(fen * _FEN, self.amounts) else None

    @cached_property
    def paid(self) -> np.ndarray:
        """Running counts of the months with an amount above 0."""
        return running_counts(self.amounts > 0, np.int16)

    def extremes(self, stop: int, largest: bool) -> np.ndarray:
        """Return the largest or smallest amount of each month and all that follow it before ``stop``."""
        if (largest, stop) not in self._extremes:
            out = np.array(self.amounts[:stop])
            choose = np.maximum if largest else np.minimum
            for i in range(stop - 2, -1, -1):
                choose(out[i], out[i + 1], out=out[i])
            self._extremes[largest, stop] = out
        return self._extremes[largest, stop]

    @cached_property
    def known(self) -> Series:
        """The series with amounts and rows of 0 in the months that are not on record."""
        kept = self.recorded.months
        if self.recorded.whole:
            return self
        return Series(
            np.where(kept, self.amounts, 0), lambda: np.where(kept, self.rows, 0), self.recorded, self.in_fen
        )


@dataclass(frozen=True)
class MonthlyWindow:
    """The window of one feature over one code, for some households.

    Parameters
    ----------
    series_of
        The monthly sums of a code, or of codes together, by its name.
    over
        The code that is asked for; none where all are, each by itself.
    codes
        The codes that there are by themselves.
    start, stop
        Where the window begins and ends along the months of the series.
    quantile
        The declared quantile, 0 to 1.
    """

    series_of: Callable[[str | None], Series]
    over: str | None
    codes: tuple[str, ...]
    start: int
    stop: int
    quantile: float | None = None

    def of(self, over: str | None) -> MonthlyWindow:
        """Return the same window over another code."""
        return MonthlyWindow(self.series_of, over, self.codes, self.start, self.stop, self.quantile)

    def earlier(self, months: int) -> MonthlyWindow:
        """Return the window so many months before; the aggregate's `Monthly.before` makes room for it."""
        start, stop = self.start - months, self.stop - months
        return MonthlyWindow(self.series_of, self.over, self.codes, start, stop, self.quantile)

    @cached_property
    def series(self) -> Series:
        """The sums by month, also of months outside the window."""
        return self.series_of(self.over)

    @property
    def months(self) -> int:
        """How many months it has."""
        return self.stop - self.start

    @property
    def amounts(self) -> np.ndarray:
        """Monthly sums, ``[month, household]``, oldest first: whole ten-thousandths of a yuan."""
        return self.series.amounts[self.start : self.stop]

    @property
    def fen(self) -> np.ndarray | None:
        """The same in fen, where all of the series are."""
        return None if self.series.fen is None else self.series.fen[self.start : self.stop]

    @property
    def rows(self) -> np.ndarray:
        """How many rows stand behind each amount, ``[month, household]``."""
        return self.series.rows[self.start : self.stop]

    @property
    def recorded(self) -> np.ndarray:
        """Whether each month is on record, ``[month, household]``."""
        return self.series.recorded.months[self.start : self.stop]

    @cached_property
    def total(self) -> np.ndarray:
        """The sum of the window, whole ten-thousandths of a yuan."""
        return np.asarray(self.series.sums[self.stop] - self.series.sums[self.start])

    @property
    def largest(self) -> np.ndarray:
        """The largest amount of a month, whole ten-thousandths of a yuan."""
        return np.asarray(self.series.extremes(self.stop, largest=True)[self.start])

    @property
    def smallest(self) -> np.ndarray:
        """The smallest amount of a month, whole ten-thousandths of a yuan."""
        return np.asarray(self.series.extremes(self.stop, largest=False)[self.start])

    @cached_property
    def spread(self) -> np.ndarray:
        """The standard deviation (of a sample) of the months in yuan, exactly as `spread` makes it."""
        n = self.months
        if not self.series.in_fen or n < 2:
            return spread(self.amounts, n, self.fen)
        total = self.total
        squares = n * (self.series.squares[self.stop] - self.series.squares[self.start]) - total * total
        # In fen the whole number is ten thousand times smaller, and the float nearest to it another one.
        out = np.sqrt((squares // _FEN**2).astype(np.float64) / (UNIT // _FEN) ** 2 / (n * (n - 1)))
        # No square is larger than the largest amount times the amount itself.
        largest = np.maximum(self.largest, -self.smallest).astype(np.float64)
        large = largest * np.where(self.smallest < 0, n * largest, total) * n > _LARGEST
        if large.any():
            out[large] = spread(self.amounts[:, large], n)
        return np.asarray(out)

    @property
    def slope(self) -> np.ndarray:
        """The least-squares slope of a month in yuan."""
        sums, twice = self.series.sums, self.series.sums_of_sums
        ages = twice[self.stop] - twice[self.start + 1] - (self.months - 1) * sums[self.start]
        return _slope(self.total, ages, self.months)

    @property
    def months_since_paid(self) -> np.ndarray:
        """How many months lie between the last amount above 0 and the end; all of them without one."""
        paid = self.series.paid
        since = paid[self.start : self.stop] == paid[self.stop]
        return np.asarray(np.add.reduce(since, axis=0, dtype=np.int16).astype(np.float64))

    @cached_property
    def months_paid(self) -> np.ndarray:
        """How many months have an amount above 0."""
        return (self.series.paid[self.stop] - self.series.paid[self.start]).astype(np.int64)

    @cached_property
    def months_recorded(self) -> np.ndarray:
        """How many months are on record."""
        counts = self.series.recorded.counts
        return np.asarray(counts[self.stop] - counts[self.start])

    @property
    def whole(self) -> np.ndarray:
        """Whether every month is on record."""
        return np.asarray(self.months_recorded == self.months)

    @cached_property
    def known(self) -> MonthlyWindow:
        """The window with amounts of 0 in the months that are not on record."""
        cut = self.series.known
        return MonthlyWindow(lambda over: cut, self.over, self.codes, self.start, self.stop, self.quantile)


def mean(total: np.ndarray, months: np.ndarray | int) -> np.ndarray:
    """Return yuan a month; NaN where there is no month."""
    return np.asarray(yuan(total) / np.where(np.asarray(months) > 0, months, np.nan))


def spread(amounts: np.ndarray, months: np.ndarray | int, fen: np.ndarray | None = None) -> np.ndarray:
    """Return the standard deviation (of a sample) of months that may be fewer than the rows of the array.

    n·Σy² − (Σy)² in whole numbers, exactly: a household with equal wages has a spread of exactly 0.

    Parameters
    ----------
    amounts
        ``[month, household]``, 0 in months that do not count.
    months
        How many count, by household or for all.
    fen
        The amounts in fen, where they stand so already.
    """
    n = np.broadcast_to(np.asarray(months, np.int64), amounts.shape[1:])
    # In fen, as nearly all amounts are, the products of more households fit.
    if fen is None and not (amounts % _FEN).any():
        fen = amounts // _FEN
    unit = 1 if fen is None else _FEN
    squares = _squares(amounts if fen is None else fen, n).astype(np.float64)
    return np.asarray(np.sqrt(squares / (UNIT // unit) ** 2 / np.where(n > 1, n * (n - 1), np.nan)))


def _squares(amounts: np.ndarray, n: np.ndarray) -> np.ndarray:
    total = amounts.sum(axis=0)
    most = np.abs(amounts).max(axis=0, initial=0)
    out = n * (amounts * amounts).sum(axis=0) - total * total
    # Products that do not fit are made of Python's whole numbers, which have no end.
    large = most.astype(np.float64) * len(amounts) > _LARGEST_ROOT
    if large.any():
        few = amounts[:, large].astype(object)
        out = out.astype(object)
        out[large] = n[large].astype(object) * (few * few).sum(axis=0) - few.sum(axis=0) ** 2
    return np.asarray(out)


def slope(amounts: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of a month in yuan, of ``[month, household]``."""
    age = np.arange(len(amounts) - 1, -1, -1, dtype=np.int64)
    return _slope(amounts.sum(axis=0), (amounts * age[:, np.newaxis]).sum(axis=0), len(amounts))


def _slope(total: np.ndarray, ages: np.ndarray, n: int) -> np.ndarray:
    """Return a slope of the sum of amounts, and of amounts times their age back from the last month."""
    # Time is −age, and Σ(t − mean t)² = n(n² − 1)/12.
    return yuan(total * (n - 1) - 2 * ages) * 6 / (n * (n * n - 1))


def quantile(amounts: np.ndarray, recorded: np.ndarray, share: float) -> np.ndarray:
    """Return a quantile in yuan of the months on record, between two of them in proportion (type 7).

    Parameters
    ----------
    amounts, recorded
        ``[month, household]``.
    share
        0 the smallest, 0.5 the median, 1 the largest.
    """
    last = np.iinfo(np.int64).max
    ordered = np.sort(np.where(recorded, amounts, last), axis=0)
    n = recorded.sum(axis=0)
    place = share * np.maximum(n - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    households = np.arange(amounts.shape[1])
    below, above = yuan(ordered[low, households]), yuan(ordered[high, households])
    return np.where(n > 0, below + (above - below) * (place - low), np.nan)
