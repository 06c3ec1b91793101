"""How headers are compared, and which months, years and units their words name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal

_UNITS = {
    "元": Decimal(1),
    "万元": Decimal(10_000),
    "千元": Decimal(1_000),
    "百元": Decimal(100),
    "万": Decimal(10_000),
}
_UNIT = re.compile(r"(?:单位[:：为是]?\s*|[(（\[【/]\s*)(人民币)?\s*(万元|千元|百元|元|万)")
# 1.工资性收入, (一)工资性收入, 二、农户
_NUMBERED = re.compile(
    r"^(?:[(（][一二三四五六七八九十\d]{1,2}[)）]|[一二三四五六七八九十]{1,2}[、.]|\d{1,2}[、.])(?=[^\d月年季])"
)
_MONTH_WORD = re.compile(r"^(?:(\d{4})\s*[年\-./]?\s*)?(\d{1,2})\s*月(?:份)?$")
_MONTH_NUMBER = re.compile(r"^(\d{4})[\-./年]?(\d{2})月?$")
_SPAN_WORD = re.compile(
    r"^(?:(\d{4})\s*年?\s*)?(\d{1,2})\s*月?\s*[-~至到—－]\s*(\d{1,2})\s*月(?:份)?(累计)?$"
)
# As Excel shows a month in a text file: Mar-21.
_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ENGLISH_MONTH = re.compile(r"^([A-Za-z]{3})[-/']?(\d{2}|\d{4})$")
_QUARTERS = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_QUARTER_WORD = re.compile(
    r"^(?:(\d{4})\s*年?\s*)?(?:第)?([一二三四1-4])\s*季度?$|^(?:(\d{4})\s*年?\s*)?Q([1-4])$", re.IGNORECASE
)
_HALF_WORD = re.compile(r"^(?:(\d{4})\s*年?\s*)?(上|下|前|后)半年$")
# Columns, or groups of them, that show another moment than the year: identification, elimination.
_OTHER_MOMENT = re.compile(
    r"(?P<identified>(识别监测|识别|纳入|认定)时(?![间点]))|(?P<eliminated>(风险)?消除后)"
)
_GROUP_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})年(?!\s*\d{1,2}\s*月)")
_YEAR_WORD = re.compile(r"^(\d{4})\s*年?(?:度|全年)?$|^(?:全年|年度|本年|本期)(?:数|实际|完成)?$")
# The same months of an earlier year, alone or beside a source: 上年, 工资性收入（去年同期）.
YEARS_BACK = {"上": 1, "去": 1, "前": 2}
_EARLIER_YEAR = re.compile(r"^\(?([上去前])一?年度?(?:同期|同月|数|实际|完成|收入|收支|数据|情况)*\)?$")


@dataclass(frozen=True)
class Span:
    """Months of a year that a header or a cell names: ``1月``, ``2021年第一季度``, ``1-6月累计``.

    Parameters
    ----------
    first, last
        Months of the year, 1 to 12, both inclusive.
    year
        None where it is said elsewhere.
    cumulative
        Whether the words say that it adds up from the year's begin.
    back
        How many years before what the sheet is of: 1 for 上年.
    """

    first: int
    last: int
    year: int | None = None
    cumulative: bool = False
    back: int = 0


def half_width(text: str) -> str:
    r"""Return a text in half width, invisible characters taken out.

    Examples
    --------
    >>> half_width("２０２１（元）"), half_width("5399\u200b01")
    ('2021(元)', '539901')
    """
    if text.isascii() and text.isprintable():
        return text
    plain = unicodedata.normalize("NFKC", text)
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cc") or c in "\n\t")


def normalise_word(text: object) -> str:
    """Return a cell's word as it is compared: half width, no blanks, lower case.

    Examples
    --------
    >>> normalise_word(" 非 在校 "), normalise_word("Y")
    ('非在校', 'y')
    """
    return re.sub(r"\s+", "", half_width(str(text))).lower()


def without_remark(word: str) -> str:
    """Return a normalised word without what stands in brackets behind it: 因病(详见附件) is 因病."""
    return re.sub(r"\([^()]*\)$", "", word).strip() or word


def word_forms(word: str) -> tuple[str, ...]:
    """Return a normalised word, and what it is without remark, number or 之 and 因 before it."""
    bare = _NUMBERED.sub("", word) or word
    return word, without_remark(word), word.removeprefix("之"), word.removeprefix("因"), bare


def normalise_header(text: str) -> str:
    r"""Return a header as it is compared: half width, without blanks, line breaks, units and closing colons.

    Examples
    --------
    >>> normalise_header("工资性\n收入（元）"), normalise_header("* 户 编 号：")
    ('工资性收入', '户编号')
    """
    plain = re.sub(r"\s+", "", half_width(str(text))).strip(":*＊#").lower()
    plain = _NUMBERED.sub("", plain) or plain
    without = re.sub(
        r"\((?:单位:?)?(?:人民币)?(?:万元|千元|百元|元|万|亩|平方米|㎡|m2|公里|米|人|个|月|级|年|必填|选填|初报)[^()]*\)",
        "",
        plain,
    )
    return re.sub(r"(?<=贫)/(?=[致返])", "", without or plain)  # 致贫/返贫风险, 致贫返贫风险


def moment_of(text: str) -> tuple[str, str]:
    """Return which other moment than the year a header or a group speaks of, and the words without it.

    Examples
    --------
    >>> moment_of("风险消除后人均纯收入")
    ('eliminated', '人均纯收入')
    """
    found = _OTHER_MOMENT.search(text)
    return (str(found.lastgroup), text[: found.start()] + text[found.end() :]) if found else ("", text)


def unit_in(text: str) -> Decimal | None:
    """Return the unit of money that a header or a title names, in yuan; None where it names none, or two.

    Examples
    --------
    >>> unit_in("单位：万元        填报日期：2020年4月"), unit_in("工资性收入（元）"), unit_in("万元户名单")
    (Decimal('10000'), Decimal('1'), None)
    """
    found = {_UNITS[match[2]] for match in _UNIT.finditer(half_width(text))}
    return found.pop() if len(found) == 1 else None


def span_in(text: str) -> Span | None:
    """Return the months that a header or a cell names as a whole.

    Examples
    --------
    >>> span_in("2021年第二季度")
    Span(first=4, last=6, year=2021, cumulative=False, back=0)
    >>> span_in("1-9月累计")
    Span(first=1, last=9, year=None, cumulative=True, back=0)
    >>> span_in("13月"), span_in("工资")
    (None, None)
    """
    word = re.sub(r"\s+", "", half_width(str(text)))
    if (found := _ENGLISH_MONTH.match(word)) and (name := found[1].lower()) in _ENGLISH:
        month = _ENGLISH.index(name) + 1
        return _span(month, month, found[2] if len(found[2]) == 4 else f"20{found[2]}")
    word = re.sub(r"^(\d{2})年(?=\d{1,2}月)", r"20\1年", word)
    if found := _MONTH_WORD.match(word) or _MONTH_NUMBER.match(word):
        return _span(int(found[2]), int(found[2]), found[1])
    if found := _SPAN_WORD.match(word):
        return _span(int(found[2]), int(found[3]), found[1], cumulative=bool(found[4]))
    if found := _QUARTER_WORD.match(word):
        quarter = _QUARTERS[found[2] or found[4]]
        return _span(3 * quarter - 2, 3 * quarter, found[1] or found[3])
    if found := _HALF_WORD.match(word):
        first = 1 if found[2] in "上前" else 7
        return _span(first, first + 5, found[1])
    if found := _YEAR_WORD.match(word):
        return _span(1, 12, found[1])
    return None


def group_span(text: str) -> Span | None:
    """Return the months, or only the year, that a group over several headers names.

    Examples
    --------
    >>> group_span("2021年收入情况")
    Span(first=1, last=12, year=2021, cumulative=False, back=0)
    """
    if span := span_in(text):
        return span
    if back := years_back(text):
        return Span(1, 12, back=back)
    years = set(_GROUP_YEAR.findall(half_width(text)))
    return Span(1, 12, int(years.pop())) if len(years) == 1 else None


def joined_spans(own: Span | None, outer: Span | None) -> Span | None:
    """Return months within a year that a group names: 一季度 under 2021年."""
    if own is None or outer is None:
        return own or outer
    return replace(own, year=own.year or outer.year, back=own.back or outer.back)


def years_back(text: str) -> int:
    """Return how many years before what a sheet is of a header or a group speaks of; 0 where of that itself.

    Examples
    --------
    >>> years_back("上年同期"), years_back("前年"), years_back("比上年增长"), years_back("上年底")
    (1, 2, 0, 0)
    """
    found = _EARLIER_YEAR.match(normalise_header(text))
    return YEARS_BACK[found[1]] if found else 0


def _span(first: int, last: int, year: str | None, *, cumulative: bool = False) -> Span | None:
    if not 1 <= first <= last <= 12 or (year and not 1950 <= int(year) <= 2100):
        return None
    return Span(first, last, int(year) if year else None, cumulative)
