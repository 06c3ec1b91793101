"""Which months the files cover, of whom: ``recorded`` for monthly records, and months known in part.

A township's records begin where its own files begin, whatever another department's file holds: a month is on
record
where every source that the township's files hold at all is covered in it. Each month is known from the day on
which
its records were written, or from its end; never from the day of the import.
"""

from __future__ import annotations

import datetime as dt
import itertools
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.data import month_end, month_text
from riskmodel.importing.distinct import of_each
from riskmodel.importing.findings import Findings
from riskmodel.importing.people import People
from riskmodel.importing.sheet_rows import SheetRows, is_empty
from riskmodel.importing.spans import month_runs

_USUAL_ROWS = (
    5  # a month without any row is missing where a township has about that many rows a month, or more
)
_EVERY_MONTH = (
    0.75  # and rows in at least that share of the months; what is paid by the quarter leaves no gaps
)


def collect_coverage(
    rows: pd.DataFrame,
    table: str,
    sheets: Sequence[SheetRows],
    people: People,
    moved: Mapping[str, str],
    findings: Findings,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return rows of ``recorded`` and of ``unrecorded`` for the months that the files cover.

    Parameters
    ----------
    rows
        ``household_id, item, month, recorded_on, sheet_no`` of every monthly record with an amount.
    table
        ``income`` or ``spending``.
    sheets
        What every sheet gave.
    people
        The households and where they live.
    moved
        Old number to a new one under which its members go on, without a link that says so.
    findings
        Gets the months that are missing.
    """
    known: dict[str, list[Any]] = {name: [] for name in ("household_id", "month", "recorded_on")}
    if not len(rows):
        return _recorded(known, table), []
    homes = people.households.drop_duplicates("household_id", keep="last").set_index("household_id")
    rows = rows.assign(
        township=rows["household_id"].map(homes["township"]),
        file=[sheets[at].grid.file for at in rows["sheet_no"]],
    )
    partial: list[dict[str, Any]] = []
    by_household = _written_on(rows)
    starts = _first_months(people)
    ends = {old: starts.get(new) for old, new in moved.items()}
    for township, own in rows.groupby("township", sort=False):
        covered = _covered(own)
        wanted = set(own["item"])
        months = sorted(set().union(*covered.values()))
        whole = [m for m in months if all(m in covered[item] for item in wanted)]
        parts = [m for m in months if m not in set(whole)]
        _tell(township, table, own, whole, parts, covered, findings)
        usual = dict(own.groupby("month")["recorded_on"].agg(_middle_day))
        last_days = {month: month_end(month) for month in whole}
        for household in homes.index[homes["township"] == township]:
            start, end = starts.get(household), ends.get(household)
            first = 0 if start is None else bisect_left(whole, start)
            last = len(whole) if end is None else bisect_left(whole, end)
            for month in whole[first:last]:
                written = by_household.get((household, month)) or usual.get(month)
                day = last_days[month]
                known["recorded_on"].append(max(written, day) if isinstance(written, dt.date) else day)
            known["household_id"] += [household] * len(whole[first:last])
            known["month"] += whole[first:last]
            partial += _partial(household, table, parts, own)
    return _recorded(known, table), partial


def _written_on(rows: pd.DataFrame) -> dict[tuple[str, int], dt.date]:
    """Return the day on which the first record of a household's month was written.

    A month whose first record came late is late; that a further record of it comes later still is not known
    before.
    """
    dated = rows[rows["recorded_on"].notna()]
    if not len(dated):
        return {}
    days = pd.Series(of_each(list(dated["recorded_on"]), dt.date.toordinal), index=dated.index)
    firsts = days.groupby([dated["household_id"], dated["month"].astype(int)]).min()
    return dict(zip(firsts.index, map(dt.date.fromordinal, firsts), strict=True))


def _middle_day(days: pd.Series) -> dt.date | None:
    known = sorted(d for d in days if isinstance(d, dt.date))
    return known[len(known) // 2] if known else None


def _recorded(known: Mapping[str, Sequence[Any]], table: str) -> pd.DataFrame:
    """Return rows of ``recorded``: each month of each household that is on record, and since when."""
    months = pd.Series(known["month"], dtype="int64")
    out = {"household_id": known["household_id"], "of": table, "month_from": months, "month_to": months}
    return pd.DataFrame({**out, "recorded_on": pd.Series(known["recorded_on"], dtype=object)})


def _partial(household: str, table: str, months: Sequence[int], own: pd.DataFrame) -> list[dict[str, Any]]:
    """Take months off record of which only some sources are covered."""
    out = []
    for first, last in month_runs(months):
        out.append(
            {"household_id": household, "of": table, "item": None, "month_from": first, "month_to": last,
             "why": "partial_records", "recorded_on": month_end(first)}
        )  # fmt: skip
    return out


def _covered(own: pd.DataFrame) -> dict[str, set[int]]:
    """Return the months in which each source of a township is covered by some file that holds it."""
    out: dict[str, set[int]] = {}
    for _, part in own.groupby("file", sort=False):
        counts = part["month"].value_counts()
        filled = sorted(int(m) for m in counts.index)
        # What is paid every third month covers the two before its first payment.
        steps = sorted(b - a for a, b in itertools.pairwise(filled))
        rhythm = steps[len(steps) // 2] if steps else 1
        span = range(filled[0] - min(rhythm, 12) + 1, filled[-1] + 1)
        usual = counts.median() >= _USUAL_ROWS and len(filled) >= _EVERY_MONTH * len(span)
        months = {m for m in span if m in counts.index or not usual}
        for item in set(part["item"]):
            out.setdefault(item, set()).update(months)
    return out


def _first_months(people: People) -> dict[str, int]:
    """Return the first month that begins on or after a household's first day, where one is given."""
    firsts: dict[str, dt.date | None] = {}
    for household, day in zip(*(people.households[c] for c in ("household_id", "valid_from")), strict=True):
        known = None if is_empty(day) else day
        before = firsts.setdefault(household, known)
        firsts[household] = None if before is None or known is None else min(before, known)
    return {household: _month_after(day) for household, day in firsts.items() if day is not None}


def _month_after(day: dt.date) -> int:
    return day.year * 12 + day.month - 1 + (day.day > 1)


def _tell(
    township: object,
    table: str,
    own: pd.DataFrame,
    whole: Sequence[int],
    parts: Sequence[int],
    covered: Mapping[str, set[int]],
    findings: Findings,
) -> None:
    """Tell of months that are missing inside a township's records, or known in parts."""
    place = (", ".join(sorted(set(own["file"])))[:120], "", "")
    if whole:
        gaps = sorted(set(range(whole[0], whole[-1] + 1)) - set(whole))
        for first, last in month_runs(gaps):
            findings.add(
                "unknown", "months missing", place, text=str(township), of=table, months=_words(first, last)
            )
    for first, last in month_runs(parts):
        lacking = sorted(item for item, months in covered.items() if first not in months)
        findings.add(
            "unknown", "months in part", place, text=str(township), of=table, months=_words(first, last),
            items=", ".join(lacking),
        )  # fmt: skip


def _words(first: int, last: int) -> str:
    return month_text(first) if first == last else f"{month_text(first)}–{month_text(last)}"
