"""What the cells of one column say: amounts, days, months, ids and words, as people type them.

A column is read as a whole, because one cell alone may be ambiguous where its neighbours are not: 2021.1 is
January or October, 20211 is January where other cells write 202110. Distinct values are read once. A cell
that says nothing for sure has no value and a fault; a cell that could be read in two ways has no value and is
counted in a question.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from riskmodel.data import month_ordinal, parse_date
from riskmodel.importing.distinct import distinct_values, of_each
from riskmodel.importing.header_words import Span, half_width, normalise_word, span_in, word_forms

BLANK = "blank"
BLANK_PART = "blank part"  # of an amount whose other parts are there
UNREADABLE = "unreadable"
NEGATIVE = "negative"
ROUNDED = "rounded id"
AMBIGUOUS = "ambiguous"
UNKNOWN_WORD = "unknown word"
BAD_CHECK = "bad id number"
IMPOSSIBLE = "impossible date"
MAYBE_NOTHING = "maybe nothing"
MONTH_ONLY = "month only"
_CENTS = Decimal("0.0001")  # as the contract keeps amounts
_AMOUNT = re.compile(
    r"^(?P<sign>[-+])?(?:人民币|rmb|cny|[¥￥$])?(?P<sign2>[-+])?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)"
    r"(?P<exponent>e[-+]?\d+)?(?P<unit>亿元|亿|万元|万|千元|千|百元|百|元|块|圆)?(?:整|正|人民币)?$"
)
_UNITS = {"亿": 10**8, "万": 10**4, "千": 10**3, "百": 100}
_YEAR_MONTH_TEXT = re.compile(r"^(\d{4})[.\-/年](\d{1,2})月?(?:份)?$")
_FIRST_YEAR = 1900  # old people are born before 1950
_COMPACT = re.compile(r"^((?:19|20)\d{2})(\d{1,2})$")
_SEPARATORS = re.compile(r"[,;、/|+和及]")
_DIGITS = {c: str(i) for i, c in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0", "元": "1"}


@dataclass
class ColumnRead:
    """What a column's cells say.

    Parameters
    ----------
    values
        One for each cell; None where it says nothing for sure.
    faults
        Why there is no value (`BLANK`, `UNREADABLE`, …); None where there is one.
    notes
        How a cell was read where that is not plain: a fault word and what was done.
    """

    values: list[Any]
    faults: list[str | None]
    notes: dict[int, str] = field(default_factory=dict)


def read_each(values: Sequence[object], read: Callable[[object], tuple[Any, str | None]]) -> ColumnRead:
    """Read each distinct value once."""
    out = of_each(values, read)
    return ColumnRead([v for v, _ in out], [f for _, f in out])


def cell_word(value: object) -> str:
    """Return a cell as one text: half width, ends trimmed; whole floats without ``.0``; empty for no cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return half_width(str(value)).strip().strip("'’`")


def read_amounts(
    values: Sequence[object],
    unit: Decimal,
    kinds: Mapping[str, frozenset[str]],
    *,
    may_be_negative: bool = False,
) -> ColumnRead:
    """Read amounts of money, in yuan.

    Parameters
    ----------
    values
        Cells.
    unit
        Yuan to one of the column's unit; a cell that names its own unit is read in that.
    kinds
        Word lists of the vocabulary: ``no_amount``, ``maybe_nothing``.
    may_be_negative
        Whether an amount below zero is one.

    Examples
    --------
    >>> read_amounts(["1.2万", "￥1,622.15", "（3）", "-", None, 2.5], Decimal(10000), {}).values[:2]
    [Decimal('12000.0000'), Decimal('1622.1500')]
    """
    nothing, maybe = kinds.get("no_amount", frozenset()), kinds.get("maybe_nothing", frozenset())

    def read(value: object) -> tuple[Decimal | None, str | None]:
        if isinstance(value, bool | dt.date):
            return None, UNREADABLE
        word = re.sub(r"\s+", "", cell_word(value)).lower()
        if not word:
            return None, BLANK
        if word in maybe:
            return None, MAYBE_NOTHING
        if word in nothing:
            return None, UNREADABLE
        if closed := re.fullmatch(r"\((.+)\)", word):
            word = f"-{closed[1]}"
        amount = _amount(word, unit)
        if amount is None:
            return None, UNREADABLE
        if amount < 0 and not may_be_negative:
            return None, NEGATIVE
        return amount.quantize(_CENTS), None

    return read_each(values, read)


def _amount(word: str, unit: Decimal) -> Decimal | None:
    found = _AMOUNT.match(word)
    if not found:
        return None
    try:
        number = Decimal(found["digits"].replace(",", "") + (found["exponent"] or ""))
    except InvalidOperation:
        return None
    if abs(number) >= Decimal(10) ** 13:
        return None
    if (found["sign"] or found["sign2"]) == "-":
        number = -number
    own = found["unit"]
    if not own and re.search(r"[¥￥$]|人民币|rmb|cny", word):
        own = "元"  # a sign of money before a number says yuan, whatever the sheet counts in
    if own:
        return number * _UNITS.get(own[0], 1)
    return number * unit


def _plain_date_text(value: object) -> object:
    """Return a cell as the contract's own reader of dates takes it."""
    if value is None or isinstance(value, dt.date | float | int):
        return value
    text = (
        re.sub(r"\.0+$", "", cell_word(value))
        if re.fullmatch(r"\d+\.0+", cell_word(value))
        else cell_word(value)
    )
    if re.search(r"[〇一二三四五六七八九零○]", text) and "年" in text:
        text = _chinese_digits(text)
    if not re.search(r"[T:]", text):
        text = re.sub(r"\s+", "", text)
    return text.replace("号", "日").replace("\\", "/")


def _chinese_digits(text: str) -> str:
    """Return 二〇二一年十一月三日 with digits."""

    def small(match: re.Match[str]) -> str:
        tens, _, ones = match[1].partition("十")
        if "十" not in match[1]:
            return "".join(_DIGITS.get(c, c) for c in match[1]) + match[2]
        return f"{(int(_DIGITS[tens]) if tens else 1) * 10 + (int(_DIGITS[ones]) if ones else 0)}{match[2]}"

    return re.sub(r"([〇一二三四五六七八九十零○]+)([年月日号])", small, text)


def read_dates(values: Sequence[object], zone: str) -> ColumnRead:
    """Read days; where a cell names only a month, its last day, so that nothing is known too early.

    ``3/5/2021`` is read by what the column shows: a first number over 12 makes it a day. Where no cell
    decides, it is ambiguous.
    """
    day_first = _day_first([cell_word(v) for v in distinct_values(values) if isinstance(v, str)])

    def read(value: object) -> tuple[dt.date | None, str | None]:
        plain = _plain_date_text(value)
        if plain in (None, ""):
            return None, BLANK
        if isinstance(plain, bool):
            return None, UNREADABLE
        text = str(plain)
        if found := re.fullmatch(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})", text):
            if day_first is None:
                return None, AMBIGUOUS
            first, second, year = (int(part) for part in found.groups())
            plain = f"{year}-{second if day_first else first}-{first if day_first else second}"
        day, reason = parse_date(plain, zone)
        if day is not None:
            return day, None
        if reason == "impossible date" and not re.fullmatch(r"\d{6}", text):
            return None, IMPOSSIBLE
        month = _month_of_text(text)
        return (_last_day(*month), None) if month else (None, UNREADABLE)

    def names_a_month(value: object) -> bool:
        text = "" if isinstance(value, dt.date) else str(_plain_date_text(value) or "")
        return bool(_YEAR_MONTH_TEXT.match(text) or re.fullmatch(r"\d{6}", text))

    out = read_each(values, read)
    precise = of_each(values, names_a_month)
    out.notes = {at: "month precision" for at, month in enumerate(precise) if month and out.values[at]}
    return out


def _day_first(texts: Sequence[str]) -> bool | None:
    """Say whether ``3/5/2021`` begins with the day; None where no cell decides, or cells contradict."""
    found = [m for text in texts if (m := re.fullmatch(r"(\d{1,2})[/.\-](\d{1,2})[/.\-]\d{4}", text))]
    first, second = any(int(m[1]) > 12 for m in found), any(int(m[2]) > 12 for m in found)
    return first if first != second else None


def _month_of_text(text: str) -> tuple[int, int] | None:
    found = _YEAR_MONTH_TEXT.match(text) or re.fullmatch(r"(\d{4})(\d{2})", text)
    return (
        (int(found[1]), int(found[2]))
        if found and 1 <= int(found[2]) <= 12 and 1900 <= int(found[1]) <= 2100
        else None
    )


def _last_day(year: int, month: int) -> dt.date:
    following = dt.date(year + month // 12, month % 12 + 1, 1)
    return following - dt.timedelta(days=1)


def read_months(
    values: Sequence[object],
    zone: str,
    *,
    year: int | Sequence[int | None] | None = None,
    two_decimals: bool | None = None,
    groups: Sequence[Hashable] | None = None,
) -> ColumnRead:
    """Read months to month ordinals (``year * 12 + month - 1``).

    Parameters
    ----------
    values
        Cells: dates, ``2021-05``, ``202105``, ``2021年5月``, ``2021.05``; ``5月``, ``5`` with a year.
    zone
        Time zone of instants.
    year
        Of all cells, or one for each, where the cells name only a month.
    two_decimals
        Whether numbers are shown with two decimals (the cells' format): then 2021.1 is October.
    groups
        What each row belongs to (a person and a source). Where numbers do not say whether 2021.1 is
        January or October, a group's rows do, if they are in order of time; such rows carry a note.

    Returns
    -------
    ColumnRead
        Ordinals; rows that stay ambiguous have the fault `AMBIGUOUS`.
    """
    years = list(year) if isinstance(year, Sequence) else [year] * len(values)
    distinct = distinct_values(values)
    numbers = (v for v in distinct if isinstance(v, float) and not v.is_integer())
    shown = [f"{v:.10g}".partition(".")[2] for v in numbers if _FIRST_YEAR <= v < 2101]
    two = two_decimals or (two_decimals is None and any(len(d) == 2 and d.startswith("0") for d in shown))
    five = _five_digits([cell_word(v) for v in distinct])

    def read(value: object) -> tuple[int | None, str | None]:
        return _month(value, zone, two=two, five=five)

    out = read_each(values, read)
    for at, fault in enumerate(out.faults):
        if fault == MONTH_ONLY:
            given, out.notes[at] = years[at], MONTH_ONLY
            out.values[at], out.faults[at] = (
                (month_ordinal(given, out.values[at]), None) if given else (None, UNREADABLE)
            )
    if groups is not None:
        _settle_by_order(values, out, groups)
    return out


def _month(value: object, zone: str, *, two: bool, five: bool) -> tuple[int | None, str | None]:
    """Read one cell of months."""
    if value is None or cell_word(value) == "":
        return None, BLANK
    if isinstance(value, dt.datetime | dt.date):
        return _ordinal(parse_date(value, zone))
    if isinstance(value, float) and not value.is_integer():
        return _month_of_number(value, two=two)
    text = str(_plain_date_text(value))
    if isinstance(value, float | int) and not isinstance(value, bool):
        text = str(int(value))
    return _month_of_word(text, zone, five=five)


def _month_of_word(text: str, zone: str, *, five: bool) -> tuple[int | None, str | None]:
    """Read a month written as text or as a whole number."""
    if found := _YEAR_MONTH_TEXT.match(text):
        return _valid(int(found[1]), int(found[2]))
    # 44319 is a day's serial number, 20211 a month.
    if (found := _COMPACT.match(text)) and _FIRST_YEAR <= int(found[1]) <= 2100:
        if len(found[2]) == 1:
            return _valid(int(found[1]), int(found[2])) if five else (None, AMBIGUOUS)
        return _valid(int(found[1]), int(found[2]))
    if re.fullmatch(r"\d{1,2}(月(份)?)?", text):
        month = int(re.match(r"\d+", text)[0])  # type: ignore[index]
        return (month, MONTH_ONLY) if 1 <= month <= 12 else (None, UNREADABLE)
    if (span := span_in(text)) and span.year and span.first == span.last:
        return _valid(span.year, span.first)
    return _ordinal(parse_date(text, zone))


def _valid(year: int, month: int) -> tuple[int | None, str | None]:
    if not 1 <= month <= 12 or not _FIRST_YEAR <= year <= 2100:
        return None, IMPOSSIBLE
    return month_ordinal(year, month), None


def _ordinal(parsed: tuple[Any, str | None]) -> tuple[int | None, str | None]:
    day, reason = parsed
    if day is None:
        return None, IMPOSSIBLE if reason == "impossible date" else UNREADABLE
    return month_ordinal(day.year, day.month), None


def _month_of_number(value: float, *, two: bool) -> tuple[int | None, str | None]:
    """Read 2021.06, 2021.6, 2021.11 and 2021.1 as numbers."""
    decimals = f"{value:.10g}".partition(".")[2]
    if not _FIRST_YEAR <= value < 2101 or len(decimals) > 2:
        return None, UNREADABLE
    if decimals == "1" and not two:
        return None, AMBIGUOUS  # January, or October whose zero the number has lost
    if two:
        decimals = decimals.ljust(2, "0")
    return _valid(int(value), int(decimals))


def _five_digits(texts: Sequence[str]) -> bool:
    """Say whether 20211 is January: months from October on are written with six digits, none with a zero."""
    compact = [m[2] for text in texts if (m := _COMPACT.match(text))]
    return any(len(m) == 2 and m[0] == "1" for m in compact) and not any(
        len(m) == 2 and m[0] == "0" for m in compact
    )


def _settle_by_order(values: Sequence[object], out: ColumnRead, groups: Sequence[Hashable]) -> None:
    """Settle 2021.1 by the order of its group's rows, where all other rows are in order of time."""
    rows: dict[Hashable, list[int]] = {}
    for at, group in enumerate(groups):
        rows.setdefault(group, []).append(at)
    known = [[out.values[at] for at in own if out.values[at] is not None] for own in rows.values()]
    if any(a > b for months in known for a, b in itertools.pairwise(months)):
        return
    for places in rows.values():
        open_rows = [at for at in places if out.faults[at] == AMBIGUOUS and isinstance(values[at], float)]
        for at in open_rows:
            january = month_ordinal(int(values[at]), 1)  # type: ignore[call-overload]
            before = [out.values[o] for o in places if o < at and out.values[o] is not None]
            after = [out.values[o] for o in places if o > at and out.values[o] is not None]
            may_be_january = not any(january < m < january + 12 for m in before)
            may_be_october = not any(january <= m < january + 9 for m in after)
            twin = [o for o in open_rows if o != at and values[o] == values[at]]
            if may_be_january and may_be_october and len(twin) == 1:
                may_be_january, may_be_october = at < twin[0], at > twin[0]
            if may_be_january != may_be_october:
                out.values[at] = january if may_be_january else january + 9
                out.faults[at] = None
                out.notes[at] = "month by order"


def read_spans(values: Sequence[object], *, year: int | Sequence[int | None] | None = None) -> ColumnRead:
    """Read periods of a year, as `Span`: 2021年第一季度, 上半年, 1-6月累计, 2021."""
    years = list(year) if isinstance(year, Sequence) else [year] * len(values)

    def read(value: object) -> tuple[Span | None, str | None]:
        word = cell_word(value)
        if not word:
            return None, BLANK
        span = span_in(word)
        return (span, None) if span else (None, UNREADABLE)

    out = read_each(values, read)
    for at, span in enumerate(out.values):
        if span and span.year is None:
            given, out.notes[at] = years[at], MONTH_ONLY
            out.values[at] = Span(span.first, span.last, given, span.cumulative) if given else None
            out.faults[at] = None if given else UNREADABLE
    return out


def read_years(values: Sequence[object], zone: str) -> ColumnRead:
    """Read years: 2021, 2021年, 2021年度, a day in it."""

    def read(value: object) -> tuple[int | None, str | None]:
        word = cell_word(value)
        if not word:
            return None, BLANK
        if found := re.fullmatch(r"((?:19|20)\d{2})(?:\.0+)?(?:年度?|年全年)?", re.sub(r"\s+", "", word)):
            return int(found[1]), None
        month = read_months([value], zone).values[0]
        return (
            (month // 12, None)
            if month is not None and not re.fullmatch(r"\d{5}", word)
            else (None, UNREADABLE)
        )

    return read_each(values, read)


def read_words(
    values: Sequence[object],
    words: Mapping[str, str],
    *,
    several: bool = False,
    boolean: Mapping[str, str] | None = None,
) -> ColumnRead:
    """Read words to codes.

    Parameters
    ----------
    values
        Cells.
    words
        Normalised word to code; an empty code is a word that says nothing; ``?`` one that needs another
        column.
    several
        Whether a cell may hold several words; then the value is a list of codes, in their order.
    boolean
        Yes and no, where the column is of that kind.

    Examples
    --------
    >>> read_words(["因病（详见附件）", "因懒", None], {"因病": "illness"}).values
    ['illness', None, None]
    """

    def one(word: str) -> str | None:
        for form in word_forms(word):
            if form in words:
                return words[form]
            if boolean and form in boolean:
                return boolean[form]
        return None

    def read(value: object) -> tuple[Any, str | None]:
        if isinstance(value, bool):
            value = "是" if value else "否"
        word = re.sub(r"^(\d+)\.0+$", r"\1", normalise_word(cell_word(value)))
        if not word:
            return None, BLANK
        code = one(word)
        if code is not None:
            return ([code] if several else code) if code else None, None
        parts = [one(part) for part in _SEPARATORS.split(word) if part]
        if several and parts and all(part is not None for part in parts):
            return [part for part in parts if part], None
        return None, UNKNOWN_WORD

    return read_each(values, read)


def read_grades(values: Sequence[object], words: Mapping[str, str]) -> ColumnRead:
    """Read disability grades, 0 (none) to 4: 3, 3.0, 二级, 2级, 肢体四级."""

    def read(value: object) -> tuple[int | None, str | None]:
        word = normalise_word(cell_word(value))
        if not word:
            return None, BLANK
        word = re.sub(r"\.0+$", "", word_forms(word)[1])
        if word in words:
            return int(words[word]), None
        if found := re.search(r"([一二三四壹贰叁肆1-4])级", word):
            return int(words[f"{found[1]}级"]), None
        return None, UNKNOWN_WORD

    return read_each(values, read)


def blank_as_zero(read: ColumnRead) -> ColumnRead:
    """Return amounts with 0 for blank cells, where the office has confirmed that they mean it."""
    values = [Decimal(0) if f == BLANK else v for v, f in zip(read.values, read.faults, strict=True)]
    return ColumnRead(values, [None if f == BLANK else f for f in read.faults], read.notes)


def numbers(read: ColumnRead) -> ColumnRead:
    """Return amounts as plain numbers."""
    return ColumnRead([None if v is None else float(v) for v in read.values], read.faults, read.notes)
