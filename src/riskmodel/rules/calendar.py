"""Working days and due dates: what is free by the yearly notice, and when a time limit ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BeforeValidator

from riskmodel.io import Spec, load_spec, parse_spec

SHIPPED = Path(__file__).with_name("holidays.yaml")
NO_TABLE = "weekends only: no holiday table"
_DAY = np.timedelta64(1, "D")
_FIRST, _LAST = np.datetime64("1900-01-01"), np.datetime64("2200-01-01")  # days that can be counted on from

Days = NDArray[np.datetime64]


def _checked_span(value: Any) -> Any:
    text = value.isoformat()[:10] if isinstance(value, dt.date) else str(value)
    first, last = _ends(text)
    if last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return text


def _ends(text: str) -> tuple[dt.date, dt.date]:
    first, _, last = text.partition("/")
    return dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)


Span = Annotated[str, BeforeValidator(_checked_span)]  # an ISO date, or first/last day


class Notice(Spec):
    """A year's days off and weekend days worked, and the notice that says so."""

    notice: str = ""
    holidays: tuple[Span, ...] = ()
    working_weekends: tuple[Span, ...] = ()


class Calendar(Spec):
    """Days off and weekend days worked instead; a year without a notice has only its weekends free.

    Parameters
    ----------
    years
        By year, what the State Council's notice for it says. A notice may reach into the December before.
    holidays
        Days off beside those of the years (ISO dates, or ``first/last``).
    working_weekends
        Weekend days worked beside those of the years.
    """

    years: Mapping[int, Notice] = {}
    holidays: tuple[Span, ...] = ()
    working_weekends: tuple[Span, ...] = ()

    @cached_property
    def _free(self) -> tuple[Days, Days]:
        """Days off, and weekend days worked; a day added goes before what a year says."""
        off = {d for y in self.years.values() for d in _each_day(y.holidays)}
        worked = {d for y in self.years.values() for d in _each_day(y.working_weekends)}
        more_off, more_worked = {*_each_day(self.holidays)}, {*_each_day(self.working_weekends)}
        return _sorted((off - more_worked) | more_off), _sorted((worked - more_off) | more_worked)

    def merge(self, other: Calendar) -> Calendar:
        """Return this calendar with another's years in place of its own, and its single days added.

        Parameters
        ----------
        other
            The office's own.
        """
        added = {name: {*_each_day(getattr(other, name))} for name in ("holidays", "working_weekends")}
        kept_off = {*_each_day(self.holidays)} - added["working_weekends"]
        kept_worked = {*_each_day(self.working_weekends)} - added["holidays"]
        return Calendar(
            years={**self.years, **other.years},
            holidays=_as_texts(kept_off | added["holidays"]),
            working_weekends=_as_texts(kept_worked | added["working_weekends"]),
        )

    def is_working(self, days: Any) -> NDArray[np.bool_]:
        """Return which days are worked.

        Parameters
        ----------
        days : array_like
            Dates.
        """
        day = np.asarray(days, dtype="datetime64[D]")
        off, worked = self._free
        return np.where(np.is_busday(day), ~np.isin(day, off), np.isin(day, worked))

    def missing_years(self, days: Iterable[Any]) -> list[int]:
        """Return the years between the first and the last of some days for which there is no table.

        Parameters
        ----------
        days
            Dates; those that are missing count for nothing.
        """
        years = [pd.Timestamp(d).year for d in days if pd.notna(d)]
        if not years:
            return []
        named = {_ends(d)[0].year for d in (*self.holidays, *self.working_weekends)}
        known = {year for year, notice in self.years.items() if notice.holidays} | named
        return [year for year in range(min(years), max(years) + 1) if year not in known]

    def due_dates(self, starts: pd.Series, limit: float, unit: str, *, at_least: bool = False) -> pd.Series:
        """Return the last day on which a time limit is kept; under a lower limit the first.

        Day 0 is the event; working days count from the next working day. A limit in days or months that ends
        on a free day moves on to the next working day, but not "the same day" (0) and not a lower limit,
        whose days only have to pass. A day of the month is the next one from the event on (the last day of a
        shorter month).

        Parameters
        ----------
        starts : Series
            Days of the events; missing ones give missing dates.
        limit
            How many of ``unit``.
        unit
            ``working_days``, ``days``, ``months`` or ``day_of_month``.
        at_least
            Whether the limit is a lower one.

        Returns
        -------
        Series
            datetime64, index of ``starts``.
        """
        days = pd.to_datetime(starts).to_numpy("datetime64[D]")
        return pd.Series(
            self._due(days, int(limit), unit, at_least).astype("datetime64[ns]"), index=starts.index
        )

    def due_date(self, start: Any, limit: float, unit: str, *, at_least: bool = False) -> dt.date:
        """Return `due_dates` of one event.

        Parameters
        ----------
        start : date
            Day of the event.
        limit
            How many of ``unit``.
        unit
            ``working_days``, ``days``, ``months`` or ``day_of_month``.
        at_least
            Whether the limit is a lower one.

        Returns
        -------
        date
            The day.

        Examples
        --------
        Saturday 7 May 2022 was worked; five working days from 29 April, around the Labour Day holiday:

        >>> read_calendar().due_date("2022-04-29", 5, "working_days").isoformat()
        '2022-05-10'
        """
        days = np.array([start], dtype="datetime64[D]")
        due: dt.date = self._due(days, int(limit), unit, at_least)[0].astype(dt.date)
        return due

    def _due(self, days: Days, number: int, unit: str, at_least: bool) -> Days:
        out = days.copy()
        known = ~np.isnat(days)
        start = days[known]
        if unit == "working_days":
            due = self._count_on(start, number) if number else start
        else:
            due = _by_calendar(start, number, unit)
            if not at_least and number:
                due = self._count_on(due - _DAY, 1)
        out[known] = due
        return out

    @cached_property
    def _working_days_so_far(self) -> NDArray[np.int64]:
        return np.cumsum(self.is_working(np.arange(_FIRST, _LAST)))

    def _count_on(self, days: Days, number: int) -> Days:
        """Return the number-th working day after each day."""
        so_far = self._working_days_so_far
        return _FIRST + np.searchsorted(so_far, so_far[(days - _FIRST).astype(int)] + number) * _DAY


def read_calendar(calendar: str | Path | Mapping[str, Any] | Calendar | None = None) -> Calendar:
    """Return the packaged calendar, with what an office gives in place of it or beside it.

    Parameters
    ----------
    calendar : path or mapping, optional
        ``years`` replaces whole years, ``holidays`` and ``working_weekends`` add days (ISO dates, or
        ``first/last``). A `Calendar` is taken as it is.

    Returns
    -------
    Calendar
        Notices of 2018 to 2026 where nothing else is given.

    Raises
    ------
    SpecError
        If the calendar is wrong.
    """
    if isinstance(calendar, Calendar):
        return calendar
    if calendar is None:
        return _shipped()
    given = (
        parse_spec(calendar, Calendar, "calendar") if isinstance(calendar, Mapping) else _read(Path(calendar))
    )
    return _shipped().merge(given)


@cache
def _shipped() -> Calendar:
    return _read(SHIPPED)


def _read(path: Path) -> Calendar:
    return load_spec(path, Calendar)


def _each_day(spans: Iterable[str]) -> Iterable[np.datetime64]:
    for span in spans:
        first, last = _ends(span)
        yield from np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + _DAY)


def _as_texts(days: Iterable[np.datetime64]) -> tuple[str, ...]:
    return tuple(sorted(str(day) for day in days))


def _sorted(days: Iterable[np.datetime64]) -> Days:
    return np.array(sorted(days), dtype="datetime64[D]")


def _by_calendar(starts: Days, number: int, unit: str) -> Days:
    """Return the day so many days or months on, or the next such day of a month."""
    if unit == "days":
        return starts + number * _DAY
    month = starts.astype("datetime64[M]")
    if unit == "months":
        return _day_of(month + number, (starts - month.astype("datetime64[D]")).astype(int))
    due = _day_of(month, number - 1)
    return np.where(due >= starts, due, _day_of(month + 1, number - 1))


def _day_of(month: NDArray[np.datetime64], after_first: Any) -> Days:
    """Return a day of each month, the last one where the month is shorter."""
    first = month.astype("datetime64[D]")
    last = (month + 1).astype("datetime64[D]") - _DAY
    return np.minimum(first + after_first * _DAY, last)
