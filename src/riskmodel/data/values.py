"""One cell to one value: dates, months, booleans, codes, years, grades, as offices write them.

Columns of these types hold few distinct values, so each distinct value is parsed once, here, and joined
back to its rows (`riskmodel.data.parse`); ids and amounts, of which there are many, are parsed there.
Every parser returns ``(value, None)``, ``(None, None)`` for an empty cell, or ``(None, reason)`` with a
reason of ``messages.yaml``.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from riskmodel.data.schema import TIME_ZONE, Column, month_ordinal, readable_codes

ParsedValue = tuple[Any, str | None]
Parser = Callable[[Any], ParsedValue]

# No member was born earlier and no record speaks of later; a year outside is a slip of the pen.
FIRST_YEAR, LAST_YEAR = 1900, 2100
_EXCEL_EPOCH = dt.date(1899, 12, 30)  # serial 1 is 1900-01-01; Excel counts a 29 February 1900 that never was
_TIME = r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?)?"
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?" + _TIME, re.IGNORECASE)
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTH = re.compile(r"(\d{4})[-/.年](\d{1,2})月?")
_COMPACT_MONTH = re.compile(r"(\d{4})(\d{2})")
_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?")
_YEAR = re.compile(r"(\d{4})年?(?:\.0+)?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False}
_BOOLEANS |= {"1.0": True, "0.0": False}
_SEPARATORS = re.compile(r"[;；、,，]")


def cell_text(value: Any) -> str | None:
    """Return a cell as trimmed text; empty cells and NaN as None.

    Examples
    --------
    >>> cell_text(" 101 "), cell_text(101.0), cell_text(float("nan")), cell_text("")
    ('101', '101', None, None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        value = int(value)
    return str(value).strip() or None


def is_formula_like(text: str) -> bool:
    """Say whether a spreadsheet could take this text for a formula: it begins with ``= + - @``, no number.

    Examples
    --------
    >>> is_formula_like("=A1+B1"), is_formula_like("-5"), is_formula_like("-"), is_formula_like("wage")
    (True, False, True, False)
    """
    if text[:1] not in ("=", "+", "-", "@"):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def parse_date(value: Any, zone: str = TIME_ZONE) -> ParsedValue:
    """Parse a day: ISO, ``2021/5/31``, ``2021年5月31日``, ``20210531``, an Excel serial, or a date.

    A time with an offset is an instant, of the day that it has in ``zone``; one without is a local time.

    Examples
    --------
    >>> parse_date("2021-05-31"), parse_date(44197), parse_date("2021-02-30")
    ((datetime.date(2021, 5, 31), None), (datetime.date(2021, 1, 1), None), (None, 'impossible date'))
    >>> parse_date("2021-06-30T17:00:00Z"), parse_date("spring")
    ((datetime.date(2021, 7, 1), None), (None, 'unparsable date'))
    """
    if isinstance(value, dt.datetime):
        value = (value.astimezone(ZoneInfo(zone)) if value.tzinfo else value).date()
    if isinstance(value, dt.date):
        return _in_range(value)
    text = cell_text(value)
    if text is None:
        return None, None
    if serial := _SERIAL.fullmatch(text):
        return _in_range(_EXCEL_EPOCH + dt.timedelta(days=int(serial[1])))
    if compact := _COMPACT_DATE.fullmatch(text):
        return _day(*(int(part) for part in compact.groups()))
    found = _DATE.fullmatch(text)
    if not found:
        return None, "formula-like cell" if is_formula_like(text) else "unparsable date"
    if found[7]:
        return _day_of_instant(found, zone)
    return _day(*(int(part) for part in found.groups()[:3]))


def _day_of_instant(written: re.Match[str], zone: str) -> ParsedValue:
    """Return the day that a time with an offset has in a zone."""
    sign, hours, minutes = written[7][0], written[7][1:3], written[7][3:].lstrip(":")
    offset = dt.timedelta()
    if sign in "+-":
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        parts = (int(part or 0) for part in written.groups()[:6])
        instant = dt.datetime(*parts, tzinfo=dt.timezone(offset))  # type: ignore[arg-type, misc]
        return _in_range(instant.astimezone(ZoneInfo(zone)).date())
    except (ValueError, OverflowError):
        return None, "impossible date"


def parse_month(value: Any, zone: str = TIME_ZONE) -> ParsedValue:
    """Parse a month to its ordinal: ``2021-05``, ``202105``, ``2021年5月``, or any date within it.

    Examples
    --------
    >>> parse_month("202105") == parse_month("2021-05-17") == (month_ordinal(2021, 5), None)
    True
    >>> parse_month("2021-13")
    (None, 'impossible date')
    """
    text = None if isinstance(value, dt.date) else cell_text(value)
    found = _MONTH.fullmatch(text) or _COMPACT_MONTH.fullmatch(text) if text else None
    day, reason = _day(int(found[1]), int(found[2]), 1) if found else parse_date(value, zone)
    return (None, reason) if day is None else (month_ordinal(day.year, day.month), None)


def parse_bool(value: Any) -> ParsedValue:
    """Parse True/False, 1/0, 是/否.

    Examples
    --------
    >>> parse_bool("是"), parse_bool(0), parse_bool("maybe")
    ((True, None), (False, None), (None, 'unknown code'))
    """
    text = cell_text(value)
    if text is None:
        return None, None
    found = _BOOLEANS.get(text.lower())
    return (found, None) if found is not None else (None, _no_code(text))


def parse_year(value: Any, zone: str = TIME_ZONE) -> ParsedValue:
    """Parse a year: ``2014``, ``2014年``, or a date within it.

    Examples
    --------
    >>> parse_year("2014年"), parse_year(3014)
    ((2014, None), (None, 'impossible date'))
    """
    text = None if isinstance(value, dt.date) else cell_text(value)
    if text and (found := _YEAR.fullmatch(text)):
        day, reason = _day(int(found[1]), 1, 1)
    else:
        day, reason = parse_month_day(value, zone)
    return (None, reason) if day is None else (day.year, None)


def parse_month_day(value: Any, zone: str = TIME_ZONE) -> ParsedValue:
    """Parse a date, or a month as its first day."""
    month, reason = parse_month(value, zone)
    return (None, reason) if month is None else (dt.date(month // 12, month % 12 + 1, 1), None)


def parse_grade(value: Any) -> ParsedValue:
    """Parse a disability grade, 0 (none) to 4.

    Examples
    --------
    >>> parse_grade("3"), parse_grade(5)
    ((3, None), (None, 'unknown code'))
    """
    text = cell_text(value)
    if text is None:
        return None, None
    return (int(text), None) if text in ("0", "1", "2", "3", "4") else (None, _no_code(text))


def value_parser(table: str, column: str, spec: Column, zone: str = TIME_ZONE) -> Parser:
    """Return the parser of a column of few distinct values."""
    plain: Mapping[str, Parser] = {
        "date": partial(parse_date, zone=zone),
        "month": partial(parse_month, zone=zone),
        "bool": parse_bool,
        "year": partial(parse_year, zone=zone),
        "grade": parse_grade,
    }
    if spec.type in plain:
        return plain[spec.type]
    allowed = readable_codes(table, column)
    words = {word.lower(): code for code, zh in allowed.items() for word in (code, zh)}
    return _codes_parser(words) if spec.type == "codes" else _code_parser(words)


def _code_parser(words: Mapping[str, str]) -> Parser:
    def parse(value: Any) -> ParsedValue:
        text = cell_text(value)
        if text is None:
            return None, None
        code = words.get(text.lower())
        return (code, None) if code else (None, _no_code(text))

    return parse


def _codes_parser(words: Mapping[str, str]) -> Parser:
    one = _code_parser(words)

    def parse(value: Any) -> ParsedValue:
        text = cell_text(value)
        parts = [one(part) for part in _SEPARATORS.split(text or "") if part.strip()]
        reason = next((why for _, why in parts if why), None)
        if reason or not parts:
            return None, reason or (_no_code(text) if text else None)
        return ";".join(code for code, _ in parts), None

    return parse


def _no_code(text: str) -> str:
    return "formula-like cell" if is_formula_like(text) else "unknown code"


def _day(year: int, month: int, day: int) -> ParsedValue:
    try:
        return _in_range(dt.date(year, month, day))
    except ValueError:
        return None, "impossible date"


def _in_range(day: dt.date) -> ParsedValue:
    return (day, None) if FIRST_YEAR <= day.year <= LAST_YEAR else (None, "impossible date")
