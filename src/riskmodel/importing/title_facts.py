"""What titles, sheet name and file name say of all rows of a sheet: unit, year or months, days, township."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from riskmodel.importing.header_words import half_width, span_in, unit_in

_Y = r"((?:19|20)\d{2})"
_DASH = r"\s*[-~至到—–]+\s*"
_YEAR = re.compile(rf"(?<!\d){_Y}\s*(?:年|年度)?(?!\d)")
_YEAR_SAID = re.compile(rf"(?<!\d){_Y}\s*(?:年度|年)(?!\s*\d{{1,2}}\s*月)")
_DAY = re.compile(rf"{_Y}\s*[-年./]\s*(\d{{1,2}})\s*[-月./]\s*(\d{{1,2}})\s*日?")
_COMPACT_DAY = re.compile(rf"(?<!\d){_Y}(\d{{2}})(\d{{2}})(?!\d)")
_MONTH = re.compile(rf"{_Y}\s*[-年./]\s*(\d{{1,2}})\s*月?")
_WRITTEN = "填报|填表|制表|导出|上报|统计|采集|报送|录入|登记"
_RECORDED = re.compile(rf"(?:{_WRITTEN})(?:日期|时间|于)?\s*[:：]?\s*({_Y}.{{2,12}})")
# 2021年10月采集; but 2021年10月统计表 is a table of that month.
_WRITTEN_THEN = re.compile(rf"({_Y}年\d{{1,2}}月(?:\d{{1,2}}日)?)(?:{_WRITTEN})(?!表|册|台账|台帐|明细|情况)")
_SNAPSHOT = re.compile(rf"(?:截至|截止|数据日期|时点)\s*[:：]?\s*(?:到|至)?\s*({_Y}.{{2,12}})")
_EXPORTED = re.compile(r"(?<!\d)((?:19|20)\d{6})(?!\d)")
_TOWNSHIP = re.compile(r"([\u4e00-\u9fff]{1,8}?(?:乡|镇|街道))(?!村振兴|镇)")
# 2019.10-2020.9, 2020年10月1日—2021年9月30日
_LONG_RANGE = re.compile(
    rf"{_Y}\s*[年.\-/]\s*(\d{{1,2}})(?:\s*月)?(?:[.\-/]?\d{{1,2}}日?)?{_DASH}"
    rf"{_Y}\s*[年.\-/]\s*(\d{{1,2}})(?:\s*月|(?!\d))"
)
# 2020年7-12月, 2021年1月1日至9月30日; a year may be said elsewhere: 1-6月
_RANGE = re.compile(
    rf"(?:{_Y}\s*[年.]?度?\s*)?(?<!\d)(\d{{1,2}})(?:\s*月(?:\d{{1,2}}日)?)?{_DASH}(\d{{1,2}})\s*月"
)
_PARTS = re.compile(
    rf"(?:{_Y}\s*年?度?\s*)?((?:上|下)半年|第?[一二三四]季度?(?!节)|第?[1-4]季度|(?<!\d)\d{{1,2}}\s*月份?(?!\s*\d{{1,2}}日))"
)
_YEARS = re.compile(rf"(?<!\d){_Y}年?{_DASH}{_Y}(?:年度|年)")  # of both, or of one that runs over two
_OF_A_MONTH = re.compile(r"月度|月报|每月|当月|本月|逐月|分月|按月")


@dataclass(frozen=True)
class TitleFacts:
    """What titles, sheet name and file name say of all rows of a sheet.

    Parameters
    ----------
    unit
        Yuan to one of the amounts' unit; None where nothing says it.
    year
        The year that the records are of.
    months
        ``(first, last)`` month ordinals, where a title or a name says a period within a year, or another
        year than that of the calendar.
    month_doubtful
        Whether the period is one month that a title or name says only in passing: it may be the month in
        which the table was made.
    two_years
        Whether a title speaks of two years as of one, and not of its months: 2020-2021年度.
    sum_so_far
        Whether that month may be the last of a sum from the year's begin: 截至6月底.
    recorded_on
        The day on which the office wrote it down, the last of its month where only a month is said.
    snapshot_on
        The day whose state it shows.
    township
        The township, where one is named.
    said
        Which text says each: fact to text.
    """

    unit: Decimal | None = None
    year: int | None = None
    months: tuple[int, int] | None = None
    month_doubtful: bool = False
    two_years: bool = False
    sum_so_far: bool = False
    recorded_on: dt.date | None = None
    snapshot_on: dt.date | None = None
    township: str = ""
    said: dict[str, str] = field(default_factory=dict)


def title_facts(titles: Sequence[str], sheet: str, file: str) -> TitleFacts:
    """Return what titles, sheet name and file name say; the nearest text decides.

    Parameters
    ----------
    titles
        The rows above the header, from the top.
    sheet, file
        The sheet's name and the file's.

    Examples
    --------
    >>> found = title_facts(["2021年7月农户收支"], "Sheet1", "台账.xlsx")
    >>> found.months == (2021 * 12 + 6, 2021 * 12 + 6), found.month_doubtful
    (True, True)
    """
    stem = re.sub(r"\.\w{2,5}$", "", file.rpartition("/")[2])
    places = [half_width(text) for text in (*reversed([t for t in titles if t]), sheet, stem)]
    shown = [*reversed([t for t in titles if t]), sheet, stem]
    out: dict[str, object] = {}
    said: dict[str, str] = {}
    for at, text in enumerate(places):
        for name, value in _facts_of(text, is_title=at < len(places) - 2).items():
            if name not in out:
                out[name], said[name] = value, shown[at]
    if months := _months(places, out.get("year")):  # type: ignore[arg-type]
        first, last, at = months
        out["months"], said["months"] = (first, last), shown[at]
        whole = " ".join(places)
        if first == last and "累计" in whole:
            out["months"] = first // 12 * 12, last
        elif first == last:
            out["sum_so_far"] = any(_SNAPSHOT.search(text) for text in places[:-2])
            out["month_doubtful"] = bool(out["sum_so_far"]) or not _OF_A_MONTH.search(whole)
        out["year"] = out.get("year") or last // 12
    if not months or months[0] // 12 == months[1] // 12:
        two = next((at for at, text in enumerate(places[:-1]) if _over_two_years(text)), None)
        out["two_years"] = two is not None
        said |= {} if two is None else {"two_years": shown[two]}
    return TitleFacts(**out, said=said)  # type: ignore[arg-type]


def _facts_of(text: str, *, is_title: bool) -> dict[str, object]:
    out: dict[str, object] = {}
    if unit := unit_in(text):
        out["unit"] = unit
    written = _RECORDED.search(text) or _WRITTEN_THEN.search(text)
    if written and (day := _day_of(written[1])):
        out["recorded_on"] = day
    if (found := _SNAPSHOT.search(text)) and (day := _day_of(found[1])):
        out["snapshot_on"] = day
    if not is_title and (found := _EXPORTED.search(text)) and (day := _day_of(found[1])):
        out.setdefault("recorded_on", day)
        out.setdefault("snapshot_on", day)
    if year := _year_of(text):
        out["year"] = year
    if found := _TOWNSHIP.search(text):
        out["township"] = found[1]
    return out


def _without_days(text: str) -> str:
    """Return a text without the days on which it was written and whose state it shows."""
    for pattern in (_RECORDED, _WRITTEN_THEN, _SNAPSHOT):
        text = pattern.sub(" ", text)
    return text


def _months(places: Sequence[str], year: int | None) -> tuple[int, int, int] | None:
    """Return the period that the nearest text names, and its place; a month beside a year is no period.

    A sheet named 10月 under a title of several months is of the one that stands in them.
    """
    found = [(_period(_without_days(text)), at) for at, text in enumerate(places)]
    named = [(*period, at) for period, at in found if period]
    if not named or (named[0][0] is None and year is None):
        return None
    periods = [((own or year or 0) * 12 + first - 1, last - first, at) for own, first, last, at in named]
    start, length, at = periods[0]
    years = [(b, b + more) for b, more, _ in periods if 12 < b < b // 12 * 12 + 12 <= b + more]
    for own, first, last, place in named if years[:1] == [(start, start + length)] else ():
        # A sum from the begin of the year of account is named by its last month.
        so_far = length < 11 and (start + length) % 12 == last - 1
        if own is None and at < place == len(places) - 2 and last - first < length and not so_far:
            begin = month_within(start // 12 * 12 + first - 1, (start, start + length))
            if start <= begin and begin + last - first <= start + length:
                return begin, begin + last - first, place
    if named[0][0] is None and years:
        start = month_within(start, years[0])
    return start, start + length, at


def month_within(month: int, period: tuple[int, int] | None) -> int:
    """Return a month whose year is not sure: that of the period, where it stands a year beside it.

    Examples
    --------
    >>> month_within(2021 * 12 + 9, (2020 * 12 + 9, 2021 * 12 + 8)) == 2020 * 12 + 9
    True
    """
    if period is None or period[0] <= month <= period[1]:
        return month
    return next((m for m in (month - 12, month + 12) if period[0] <= m <= period[1]), month)


def _over_two_years(text: str) -> bool:
    found = _YEARS.search(_without_days(text))
    return bool(found and found[0].endswith("年度") and int(found[2]) == int(found[1]) + 1)


def _period(text: str) -> tuple[int | None, int, int] | None:
    """Return year (None where it is said elsewhere), first and last month, counted on into the next year."""
    if found := _LONG_RANGE.search(text):
        first_year, first, last_year, last = (int(part) for part in found.groups())
        length = (last_year - first_year) * 12 + last - first
        if 1 <= first <= 12 and 1 <= last <= 12 and 0 <= length < 24:
            return first_year, first, first + length
    bare = _COMPACT_DAY.sub(" ", text)
    if found := _RANGE.search(bare):
        first, last = int(found[2]), int(found[3])
        if 1 <= first < last <= 12:
            return int(found[1]) if found[1] else None, first, last
    bare = _DAY.sub(" ", bare)
    for found in _PARTS.finditer(bare):
        span = span_in(re.sub(r"季$", "季度", re.sub(r"\s+", "", found[2])))
        if span is None:
            continue
        single = span.first == span.last
        if single and _YEAR_SAID.search(bare):
            continue  # 2021年收支（2022年1月）: made in that month
        return int(found[1]) if found[1] else None, span.first, span.last
    return None


def _year_of(text: str) -> int | None:
    """Return the one year that a title or name is of; days and months in it are no years of records."""
    bare = _without_days(text)
    if found := _LONG_RANGE.search(bare):
        bare = bare.replace(found[0], f" {found[3]}年 ")
    elif (found := _RANGE.search(_COMPACT_DAY.sub(" ", bare))) and found[1]:
        return int(found[1])
    bare = _YEARS.sub(" ", _COMPACT_DAY.sub(" ", _DAY.sub(" ", bare)))
    years = {int(y) for y in _YEAR_SAID.findall(bare)} or {int(y) for y in _YEAR.findall(bare)}
    return years.pop() if len(years) == 1 else None


def _day_of(text: str) -> dt.date | None:
    """Return the day that a text names, the last of the month where it names only a month."""
    if found := _DAY.search(text) or _COMPACT_DAY.search(text):
        year, month, day = (int(part) for part in found.groups())
        return dt.date(year, month, day) if 1 <= month <= 12 and 1 <= day <= _days(year, month) else None
    if found := _MONTH.search(text):
        year, month = int(found[1]), int(found[2])
        return dt.date(year, month, _days(year, month)) if 1 <= month <= 12 else None
    return None


def _days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


__all__ = ["TitleFacts", "month_within", "title_facts"]
