"""Spans of months, and amounts that hold others that are stated too: years and quarters, wholes and parts.

Parts are added up to one amount of their source, unless a sheet states the whole: then that holds, and parts
are compared with it. What a sheet repeats of an earlier year holds where no sheet of that year says it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.data import month_end, month_ordinal
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.cell_reading import MONTH_ONLY, ColumnRead
from riskmodel.importing.header_words import Span
from riskmodel.importing.mapping import AmountMap, SheetMap, span_of
from riskmodel.importing.sheet_rows import is_empty, row_keys
from riskmodel.importing.title_facts import TitleFacts, month_within
from riskmodel.io import records

_WHOSE = ["household_id", "member_id", "item", "month_from", "month_to"]
Say = Callable[..., None]


def row_spans(
    when: Mapping[str, ColumnRead],
    amount: AmountMap,
    n: int,
    spec: SheetMap,
    facts: TitleFacts,
    year: int | None,
) -> tuple[list[int | None], list[int | None], bool, list[str | None]]:
    """Return first and last month (ordinals) of each row's amount, and why there are none.

    Parameters
    ----------
    when
        What the columns of time say: ``month``, ``month_from``, ``month_to``, ``period``, ``year``.
    amount
        The column of amounts.
    n
        Number of rows.
    spec, facts, year
        What the sheet's map and its titles say, and the year of all its rows.

    Returns
    -------
    first, last, cumulative, faults
        Of each row; ``cumulative`` of all of them.
    """
    nothing: list[str | None] = [None] * n
    if "month" in when:
        months = when["month"]
        values = in_account_year(months, account_year(spec, facts, year), "year" in when)
        return values, values, False, list(months.faults)
    if "month_from" in when and "month_to" in when:
        faults = [a or b for a, b in zip(when["month_from"].faults, when["month_to"].faults, strict=True)]
        return list(when["month_from"].values), list(when["month_to"].values), False, faults
    if "period" in when:
        spans: list[Span | None] = list(when["period"].values)
        first = [month_ordinal(s.year, s.first) if s and s.year else None for s in spans]
        first = in_account_year(
            ColumnRead(first, [], when["period"].notes), account_year(spec, facts, year), "year" in when
        )
        both = zip(spans, first, strict=True)
        last = [None if s is None or b is None else b + s.last - s.first for s, b in both]
        cumulative = any(s.cumulative for s in spans if s)
        return first, last, cumulative, list(when["period"].faults)
    stated = amount.months or amount.year or spec.year
    if facts.months and not stated and "year" not in when:
        start, end = facts.months
        return [start] * n, [end] * n, False, nothing
    if "year" in when:
        years, faults = list(when["year"].values), list(when["year"].faults)
    else:
        own = amount.year or year
        years, faults = [own] * n, [None if own else "no year"] * n
    period = None if "year" in when else account_year(spec, facts, year)
    return (*_year_spans(years, amount, spec.first_month, period), amount.cumulative, faults)


def account_year(spec: SheetMap, facts: TitleFacts, year: int | None) -> tuple[int, int] | None:
    """Return first and last month of a year of account that stands in two years of the calendar.

    Parameters
    ----------
    spec, facts, year
        What the sheet's map and its titles say, and the year of all its rows.
    """
    if spec.first_month > 1 and year:
        start = month_ordinal(year, spec.first_month) - 12
        return start, start + 11
    months = None if spec.year else facts.months
    return months if months and months[0] // 12 < months[1] // 12 else None


def in_account_year(months: ColumnRead, period: tuple[int, int] | None, dated: bool) -> list[int | None]:
    """Return months; those that name no year, as those of the year of account: 10月 of 2020.10-2021.9.

    Parameters
    ----------
    months
        What a column of months says; those whose cells name no year carry a note.
    period
        First and last month of the year of account; None where it is that of the calendar.
    dated
        Whether a column beside it says the year: then a month after the period is of the year before.
    """
    values: list[int | None] = list(months.values)
    for at, note in months.notes.items() if period else ():
        month = values[at]
        if note == MONTH_ONLY and month is not None:
            found = month_within(month, period)
            values[at] = min(found, month) if dated else found
    return values


def _year_spans(
    years: Sequence[int | None], amount: AmountMap, first_month: int, period: tuple[int, int] | None = None
) -> tuple[list[int | None], list[int | None]]:
    first, last = span_of(amount.months) if amount.months else (1, 12)
    whole = last - first == 11
    shift = first_month - 1 - (12 if first_month > 1 else 0) if whole else 0
    begin = [None if y is None else month_ordinal(amount.year or y, first) + shift for y in years]
    if not whole and first_month > 1:  # months are those of the calendar; the year is that of account
        begin = [b if b is None or (b % 12) + 1 < first_month else b - 12 for b in begin]
    elif period and not amount.year:  # 10月 of a year that runs from October of the year before
        begin = [None if b is None else month_within(b, period) for b in begin]
    return begin, [None if b is None else b + last - first for b in begin]


def month_runs(months: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of months without a gap."""
    out: list[tuple[int, int]] = []
    for month in months:
        if out and month == out[-1][1] + 1:
            out[-1] = out[-1][0], month
        else:
            out.append((month, month))
    return out


class WholesAndParts:
    """Years, half-years and quarters of one household and source, one group at a time."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.say = say
        self.dropped: list[object] = []
        self.derived: dict[object, Decimal] = {}
        self.added: list[dict[str, Any]] = []

    def settle(self, rows: list[dict[str, Any]]) -> None:
        """Settle the rows of one household and source, the shortest spans first."""
        spans = [(int(r["month_from"]), int(r["month_to"])) for r in rows]
        if len(set(spans)) < len(spans):
            return  # two rows of one span are a correction or a contradiction
        alive = sorted(rows, key=lambda r: int(r["month_to"]) - int(r["month_from"]))
        for whole in list(alive):
            first, last = int(whole["month_from"]), int(whole["month_to"])
            inside = [
                r for r in alive if r is not whole and first <= r["month_from"] and r["month_to"] <= last
            ]
            inside.sort(key=lambda r: int(r["month_from"]))
            if inside and all(a["month_to"] < b["month_from"] for a, b in itertools.pairwise(inside)):
                kept = self._one(whole, inside)
                rest = [r for r in alive if r is not whole and r not in inside]
                alive = [*rest, *kept]  # a part that was taken from one whole is a part of the next

    def _one(self, whole: dict[str, Any], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Settle one whole and the parts inside it; return which rows stay."""
        gaps = _gaps(whole, parts)
        open_parts = [p for p in parts if p["fault"] is not None]
        known = sum((p["amount"] for p in parts if p["fault"] is None), Decimal(0))
        readable = whole["fault"] is None
        if not gaps and not open_parts:
            if readable and abs(whole["amount"] - known) > max(Decimal(1), abs(known) / 100):
                self._say("asked", "check total", whole, f"{known.normalize():f}")
            return self._drop([whole], parts)
        if not readable:
            return [whole, *parts] if gaps else self._drop([whole], parts)
        rest = whole["amount"] - known
        if len(gaps) + len(open_parts) > 1 or (rest < 0 and whole["item"] != "business_net"):
            if rest < 0:
                self._say("asked", "check total", whole, f"{known.normalize():f}")
            self._say("told", "whole holds", whole, f"{known.normalize():f}")
            return self._drop(parts, [whole])
        if open_parts:
            self.derived[open_parts[0]["at"]] = rest
            open_parts[0].update(amount=rest, fault=None)
            self._say("told", "part from whole", open_parts[0], f"{rest.normalize():f}")
            return self._drop([whole], parts)
        first, last = gaps[0]
        new = {**whole, "month_from": first, "month_to": last, "amount": rest}
        new.pop("at")
        self.added.append(new)
        self._say("told", "part from whole", new, f"{rest.normalize():f}")
        return self._drop([whole], [*parts, new])

    def _drop(self, out: list[dict[str, Any]], rest: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.dropped += [row["at"] for row in out if "at" in row]
        self.added = [row for row in self.added if not any(row is one for one in out)]
        return rest

    def _say(self, handling: str, kind: str, row: dict[str, Any], given: str) -> None:
        self.say(handling, kind, row, text=row["text"], given=given)


def _gaps(whole: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """Return the spans of a whole that none of its parts covers."""
    out, start = [], int(whole["month_from"])
    for part in parts:
        if int(part["month_from"]) > start:
            out.append((start, int(part["month_from"]) - 1))
        start = int(part["month_to"]) + 1
    return [*out, (start, int(whole["month_to"]))] if start <= int(whole["month_to"]) else out


# ---------------------------------------------------------------- wholes and parts


def sum_parts(rows: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Add up the parts of a source that stand in columns or rows of their own.

    Parameters
    ----------
    rows
        Of one table; ``part`` names what an amount is a part by, and is empty of a whole.
    say
        Adds a finding of a row.

    Returns
    -------
    DataFrame
        A part that is blank or cannot be read leaves its sum unknown.
    """
    parts = rows[rows["part"].notna()]
    if not len(parts):
        return rows
    parts = _not_in_wholes(rows, parts, say)
    spans = parts["month_to"].astype(int) > parts["month_from"].astype(int)
    columns = parts["form"].eq(True)
    # Receipts of a month that a list names one by one are receipts; all else is one amount.
    single = parts[~(spans | columns)]
    summed = _added(parts[spans | columns], ["sheet_no", "row", *_WHOSE])
    totals = summed["month_to"].astype(int) > summed["month_from"].astype(int)
    again = _added(summed[totals], _WHOSE, distinct=True)
    whole = rows[rows["part"].isna()]
    return pd.concat([whole, single, summed[~totals], again], ignore_index=True).astype(object)


def _added(parts: pd.DataFrame, by: list[str], *, distinct: bool = False) -> pd.DataFrame:
    """Return one row for each group of parts.

    With ``distinct``, groups that name a part twice stay as they are: they are copies, or contradict.
    """
    if not len(parts):
        return parts
    key = row_keys(parts, by)
    if not key.duplicated().any():
        return parts
    out: list[dict[str, Any]] = []
    groups: dict[int, list[dict[str, Any]]] = {}
    for number, row in zip(key, records(parts), strict=True):
        groups.setdefault(number, []).append(row)
    for group in groups.values():
        names = [name for row in group for name in str(row["part"]).split("\n")]
        if len(group) == 1 or (distinct and len(set(names)) < len(names)):
            out += group
        else:
            out.append(_sum(group) | {"part": "\n".join(names)})
    return pd.DataFrame(out, columns=parts.columns).astype(object)


def _sum(group: list[dict[str, Any]]) -> dict[str, Any]:
    lost = [row for row in group if not is_empty(row["fault"])]
    first = (lost or group)[0]
    days = [row["recorded_on"] for row in group if not is_empty(row["recorded_on"])]
    written = max(days) if days else None
    if not lost:
        amount = sum((row["amount"] for row in group), Decimal(0))
        return {**first, "amount": amount, "recorded_on": written}
    # Blank beside parts that are filled in: the month is covered, and this amount of it is not known.
    partly = len(lost) < len(group) and first["fault"] == cells.BLANK
    return {**first, "fault": cells.BLANK_PART if partly else first["fault"], "recorded_on": written}


def _not_in_wholes(rows: pd.DataFrame, parts: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Leave out parts of a span of which the whole is stated; ask where they add up to more."""
    pair = row_keys(rows, ["household_id", "item"])
    whole = rows["part"].isna() & ~rows["earlier"].eq(True) & pair.isin(pair[parts.index])
    if not whole.any():
        return parts
    stated = _by_pair(rows[whole])
    candidates = parts[pair[parts.index].isin(pair[whole])]
    out: list[object] = []
    sums: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for index, row in zip(candidates.index, records(candidates), strict=True):
        found = _whole_of(row, stated.get((row["household_id"], row["item"]), ()))
        if found is None:
            continue
        out.append(index)
        span = row["month_from"], row["month_to"]
        if (found["month_from"], found["month_to"]) == span:
            sums.setdefault((row["sheet_no"], row["household_id"], row["item"], *span), [found]).append(row)
    for found, *group in sums.values():
        _compare(found, group, say)
    return parts.drop(out)


def _by_pair(rows: pd.DataFrame) -> dict[tuple[object, object], list[dict[str, Any]]]:
    """Return rows by household and source."""
    out: dict[tuple[object, object], list[dict[str, Any]]] = {}
    for row in records(rows):
        out.setdefault((row["household_id"], row["item"]), []).append(row)
    return out


def _whole_of(row: dict[str, Any], wholes: Any) -> dict[str, Any] | None:
    """Return a whole whose span meets that of a part.

    Receipts that another sheet lists month by month are not set against its months.
    """
    listed = row["form"] is not True and row["month_from"] == row["month_to"]
    for whole in wholes:
        if listed and whole["sheet_no"] != row["sheet_no"] and whole["month_from"] == whole["month_to"]:
            continue
        if whole["month_from"] <= row["month_to"] and row["month_from"] <= whole["month_to"]:
            return dict(whole)
    return None


def _compare(whole: dict[str, Any], parts: list[dict[str, Any]], say: Say) -> None:
    if not is_empty(whole["fault"]) or any(not is_empty(row["fault"]) for row in parts):
        return
    given = sum((row["amount"] for row in parts), Decimal(0))
    if given > whole["amount"] + max(Decimal(1), whole["amount"] / 100):
        say("asked", "check parts", whole, text=whole["text"], given=f"{given.normalize():f}")


def drop_earlier(rows: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Leave out what a sheet repeats of an earlier year where that year's own sheet says it.

    Parameters
    ----------
    rows
        Of one table; ``earlier`` marks amounts of the year before what their sheet is of.
    say
        Adds a finding of a row.
    """
    earlier = rows["earlier"].eq(True)
    if not earlier.any():
        return rows
    pair = row_keys(rows, ["household_id", "item"])
    known = _by_pair(rows[pair.isin(pair[earlier]) & ~earlier])
    out: list[object] = []
    for index, row in zip(rows.index[earlier], records(rows[earlier]), strict=True):
        found = _whole_of({**row, "form": True}, known.get((row["household_id"], row["item"]), ()))
        if found is None:
            continue
        out.append(index)
        same = (found["month_from"], found["month_to"]) == (row["month_from"], row["month_to"])
        readable = is_empty(found["fault"]) and is_empty(row["fault"])
        if (
            same
            and readable
            and abs(found["amount"] - row["amount"]) > max(Decimal(1), found["amount"] / 100)
        ):
            say("asked", "earlier differs", row, text=row["text"], given=f"{found['amount'].normalize():f}")
    return rows.drop(out)


def drop_members(rows: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Leave out totals of single members where another sheet states that of their household.

    Parameters
    ----------
    rows
        Of one table; ``member_id`` is empty of a household's own amounts.
    say
        Adds a finding of a row: where the members' add up to more, and once a sheet that is left out.
    """
    totals = rows["month_to"].astype(int) > rows["month_from"].astype(int)
    own = totals & rows["member_id"].notna() & rows["row_id"].isna()
    if not own.any():
        return rows
    key = row_keys(rows, ["household_id", "item", "month_from", "month_to"])
    stated = rows[totals & rows["member_id"].isna() & key.isin(key[own])]
    wholes = dict(zip(key[stated.index], records(stated), strict=True))
    out: dict[int, list[tuple[object, dict[str, Any]]]] = {}
    for index, row in zip(rows.index[own], records(rows[own]), strict=True):
        whole = wholes.get(key[index])
        if whole is not None and whole["sheet_no"] != row["sheet_no"]:
            out.setdefault(key[index], []).append((index, row))
    told: set[object] = set()
    for number, group in out.items():
        _compare(wholes[number], [row for _, row in group], say)
        for _, row in group:
            if row["sheet_no"] not in told:
                told.add(row["sheet_no"])
                say("told", "household holds", row, text=row["text"])
    return rows.drop([index for group in out.values() for index, _ in group])


def compare_with_months(rows: pd.DataFrame, say: Say) -> None:
    """Ask where a total says something else than the months that it spans, all of which stand in some sheet.

    Parameters
    ----------
    rows
        Of one table, amounts that can be read.
    say
        Adds a finding of a row.
    """
    single = rows["month_from"].eq(rows["month_to"])
    if not len(rows) or single.all() or not single.any():
        return
    pair = row_keys(rows, ["household_id", "item"])
    wanted = single & pair.isin(pair[~single])
    months: dict[int, dict[int, Decimal]] = {}
    for number, month, amount in zip(
        pair[wanted], rows.loc[wanted, "month_from"], rows.loc[wanted, "amount"], strict=True
    ):
        own = months.setdefault(number, {})
        own[int(month)] = own.get(int(month), Decimal(0)) + amount
    both = ~single & pair.isin(list(months))
    for number, row in zip(pair[both], records(rows[both]), strict=True):
        span = range(int(row["month_from"]), int(row["month_to"]) + 1)
        if all(month in months[number] for month in span):
            given = sum((months[number][month] for month in span), Decimal(0))
            if abs(row["amount"] - given) > max(Decimal(1), abs(given) / 100):
                say("asked", "check months", row, text=row["text"], given=f"{given.normalize():f}")


def months_meant(row: dict[str, Any]) -> list[int]:
    """Return the months that 2021.1 or 20211 may be: January, or October whose zero is lost."""
    parts = re.fullmatch(r"(\d{4})\.?(\d)", str(row.get("month_text", "")))
    if not parts:
        return []
    year, month = int(parts[1]), int(parts[2])
    return [month_ordinal(year, m) for m in ((1, 10) if month == 1 else (month,)) if m]


def place_at(
    places: Sequence[tuple[str, str, dt.date | None, dt.date | None]], month: object
) -> tuple[str, str, dt.date | None, dt.date | None]:
    """Return where a person was at the end of a month; the last place where that is open."""
    if len(places) == 1 or is_empty(month):
        return places[-1]
    end = month_end(int(month))  # type: ignore[call-overload]
    ordered = sorted(places, key=lambda p: p[2] or dt.date.min)
    for place in reversed(ordered):
        if (place[2] is None or place[2] <= end) and (place[3] is None or place[3] > end):
            return place
    return ordered[0] if end < (ordered[0][2] or dt.date.min) else ordered[-1]
