"""Months as ordinals (``year * 12 + month - 1``) and the few dates that the simulator needs."""

from __future__ import annotations

import datetime as dt

from riskmodel.data import month_end, month_ordinal
from riskmodel.errors import UsageError

DateLike = str | dt.date


def ordinal(text: str) -> int:
    """Return the ordinal of a month written ``YYYY-MM``.

    Examples
    --------
    >>> ordinal("2017-01")
    24204
    """
    try:
        day = dt.date.fromisoformat(f"{text}-01")
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a month; write YYYY-MM") from exc
    return month_ordinal(day.year, day.month)


def first_day(month: int) -> dt.date:
    """Return the first day of a month.

    Examples
    --------
    >>> first_day(ordinal("2017-02"))
    datetime.date(2017, 2, 1)
    """
    return dt.date(month // 12, month % 12 + 1, 1)


def month_of_end(day: DateLike) -> int:
    """Return the month that ends on a day.

    Examples
    --------
    >>> month_of_end("2019-12-31") == ordinal("2019-12")
    True
    """
    try:
        date = day if isinstance(day, dt.date) else dt.date.fromisoformat(str(day))
    except ValueError as exc:
        raise UsageError(f"{day!r} is not a date; write YYYY-MM-DD") from exc
    month = month_ordinal(date.year, date.month)
    if date != month_end(month):
        raise UsageError(f"truth is known at month ends only: {date} is none; take {month_end(month)}")
    return month
