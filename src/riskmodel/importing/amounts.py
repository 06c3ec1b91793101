"""Incomes and spendings of all sheets together: whose, what is twice, what contradicts, what is unknown.

An amount that cannot be read, or of which two sheets say different things, is unknown and stands in
``unrecorded``; it is never 0. Rows that differ in nothing but their serial number are one; a later record of
the same person, month and source is a correction where the file keeps one record for each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from riskmodel.importing import cell_reading as cells
from riskmodel.importing.blank_months import drop_blank_months
from riskmodel.importing.distinct import of_each
from riskmodel.importing.findings import Findings, cell_place
from riskmodel.importing.id_reading import person_key
from riskmodel.importing.lost_rows import households_meant
from riskmodel.importing.people import People, plain_name
from riskmodel.importing.sheet_rows import SheetRows, is_empty, row_keys
from riskmodel.importing.small_amounts import ask_small_amounts
from riskmodel.importing.spans import (
    WholesAndParts,
    compare_with_months,
    drop_earlier,
    drop_members,
    months_meant,
    place_at,
    sum_parts,
)
from riskmodel.importing.versions import settle_versions
from riskmodel.io import records

# Why a row has no household, by the fault of its number.
_LOST_KEYS = {cells.ROUNDED: "rounded number", cells.BAD_CHECK: "bad id number"}
# What is said of an amount by its fault.
_KINDS = {cells.MAYBE_NOTHING: "maybe nothing", cells.NEGATIVE: "negative amount"} | dict.fromkeys(
    (cells.BLANK, cells.BLANK_PART), "blank amount"
)
_COLUMNS = (
    "household_id", "member_id", "person_number", "name", "row_id", "item_fault", "item_text", "once",
    "below_zero", "form", "part", "earlier",
)  # fmt: skip
_KEY = ["household_id", "member_id", "item", "month_from", "month_to"]
_ONE_RECORD = 0.95  # from this share of keys with one record on, a second one is a correction of the first


def collect_amounts(
    sheets: Sequence[SheetRows],
    table: str,
    people: People,
    findings: Findings,
    *,
    slips: Collection[tuple[int, int]] = (),
    recodes: Mapping[str, tuple[str, int]] | None = None,
) -> tuple[pd.DataFrame, list[dict[str, Any]], set[tuple[str, int]]]:
    """Return the amounts of a table, what is unknown, and which months their files leave blank.

    Parameters
    ----------
    sheets
        What every sheet gave.
    table
        ``income`` or ``spending``.
    people
        Households, members and persons.
    findings
        Gets what is rejected, asked and told.
    slips
        Rows that look typed in another unit: place of the sheet, row number.
    recodes
        Old number to the new one, and the first month in which it holds.

    Returns
    -------
    rows : DataFrame
        Contract columns; months as ordinals in ``month_from`` and ``month_to``; `PLACE` and ``sheet_no``
        beside them.
    unrecorded : list of dict
        Rows of table ``unrecorded``.
    absent : set of (str, int)
        Household and month that a file covers with blank cells only.
    """
    frames = [
        frame.assign(sheet_no=at) for at, sheet in enumerate(sheets) for frame in sheet.tables.get(table, [])
    ]
    if not frames:
        return pd.DataFrame(), [], set()
    rows = pd.concat(frames, ignore_index=True)
    for name in _COLUMNS:
        if name not in rows:
            rows[name] = None
    work = _Amounts(table, rows, people, findings)
    work.leave_other_tables(sheets)
    work.find_households(sheets)
    work.drop_undated()
    work.follow_recodes(recodes or {})
    work.drop_unknown_items()
    work.reversals()
    work.rows = sum_parts(drop_earlier(work.rows, work.say), work.say)
    work.rows = settle_versions(work.rows, sheets, work.say, work.off)
    work.once_each()
    work.unit_slips(slips)
    ask_small_amounts(work.rows, work.say)
    work.wholes_and_parts()
    work.rows, blank, absent = drop_blank_months(work.rows, table, work.say)
    work.unreadable()
    work.rows = drop_members(work.rows, work.say)
    work.contradictions()
    work.corrections()
    work.differences()
    work.add_members()
    compare_with_months(work.rows, work.say)
    return work.rows.reset_index(drop=True), [*work.unrecorded, *blank], absent


class _Amounts:
    """The rows of one table while they are sorted out."""

    def __init__(self, table: str, rows: pd.DataFrame, people: People, findings: Findings) -> None:
        self.table, self.rows, self.people, self.findings = table, rows, people, findings
        self.unrecorded: list[dict[str, Any]] = []

    # ------------------------------------------------------------ helpers

    def off(self, row: dict[str, Any], why: str, *, item: object = "own") -> None:
        """Take what a row speaks of off record."""
        self.unrecorded.append(
            {
                "household_id": row["household_id"],
                "of": self.table,
                "item": row["item"] if item == "own" else item,
                "month_from": _whole(row["month_from"]),
                "month_to": _whole(row["month_to"]),
                "why": why,
                "recorded_on": row["recorded_on"] if not is_empty(row["recorded_on"]) else None,
            }
        )

    def say(self, handling: str, kind: str, row: dict[str, Any], **more: Any) -> None:
        """Add a finding of a row."""
        more = {"household_id": row["household_id"] or "", "item": row.get("item") or "", **more}
        self.findings.add(handling, kind, cell_place(row), of=self.table, **more)  # type: ignore[arg-type]

    def take(self, mask: pd.Series) -> list[dict[str, Any]]:
        """Remove rows and return them."""
        out = records(self.rows[mask]) if mask.any() else []
        self.rows = self.rows[~mask] if out else self.rows
        return out

    # ------------------------------------------------------------ steps

    def leave_other_tables(self, sheets: Sequence[SheetRows]) -> None:
        """Drop rows whose word belongs to the other table, where one column holds the words of both."""
        both = {
            at
            for at, sheet in enumerate(sheets)
            if {"income", "spending"} <= {t.table for t in sheet.spec.tables if "item" in t.columns}
        }
        if not both:
            return
        other = "spending" if self.table == "income" else "income"
        elsewhere = {
            (at, row)
            for at in both
            for frame in sheets[at].tables.get(other, [])
            for row in frame.loc[frame["item"].notna(), "row"]
        }
        mask = [
            fault == cells.UNKNOWN_WORD and (at, row) in elsewhere
            for fault, at, row in zip(
                self.rows["item_fault"], self.rows["sheet_no"], self.rows["row"], strict=True
            )
        ]
        self.rows = self.rows.loc[[not m for m in mask]]

    def find_households(self, sheets: Sequence[SheetRows]) -> None:
        """Find whose the amounts are that stand under a member's or an identity number, or a name."""
        rows = self.rows
        open_rows = rows["household_id"].isna()
        rows["lost_"] = ""
        some = rows[open_rows]
        if len(some):
            parts = (some[name] for name in ("member_id", "person_number", "month_to"))
            homes = [self._home(*row) for row in zip(*parts, strict=True)]
            for place, name in enumerate(("household_id", "member_id", "lost_")):
                values = pd.Series([home[place] for home in homes], index=some.index, dtype=object)
                rows[name] = values.reindex(rows.index).where(open_rows, rows[name])
        known = self.people.known
        if known:
            rows.loc[~open_rows & ~rows["household_id"].isin(known), "lost_"] = "unknown household"
        self._find_members()
        lost = rows["lost_"].ne("")
        out = self.take(lost)
        for row in households_meant(out, self.rows, self.table, sheets, self.people, self.findings):
            self.off(row, "row_rejected")
        for row in _one_a_row(out):
            why = row["lost_"]
            if why == "no household number":
                why = _LOST_KEYS.get(_key_fault(row) or "", why)
            where, text = self.findings.cell_of(row, f"{self.table}.household_id", f"{self.table}.member_id")
            more = {"household_id": row["household_id"] or "", "text": text}
            self.findings.add("rejected", why, where, **more)

    def _home(self, member: object, number: object, month: object) -> tuple[str | None, str | None, str]:
        key = person_key(number)
        if key:
            places = self.people.persons.get(key, [])
            if not places:
                return None, None, "unknown person"
            found = place_at(places, month)
            return found[1], found[0], ""
        if isinstance(member, str) and (homes := self.people.member_households.get(member)):
            found_home = place_at([(member, *home) for home in homes], month)
            return found_home[1], member, ""
        return None, None, "unknown person" if isinstance(member, str) else "no household number"

    def _find_members(self) -> None:
        """Find the member whom a name beside the household's number names; two of one name are none."""
        rows = self.rows
        wanted = rows["member_id"].isna() & rows["name"].notna() & rows["household_id"].notna()
        some = rows[wanted]
        if not len(some):
            return
        nobody: set[str] = set()
        names = of_each(list(some["name"]), plain_name)
        found = [self.people.names.get(key, nobody) for key in zip(some["household_id"], names, strict=True)]
        ids = [next(iter(members)) if len(members) == 1 else None for members in found]
        rows.loc[wanted, "member_id"] = pd.Series(ids, index=some.index, dtype=object)

    def drop_undated(self) -> None:
        """Take rows without a readable month off record: both of two candidates, else all they may be of."""
        mask = self.rows["month_from"].isna() | self.rows["month_to"].isna()
        told = set()
        for row in self.take(mask):
            fault = row["when_fault"] or cells.BLANK
            months = months_meant(row) if fault == cells.AMBIGUOUS else []
            for month in months:
                self.off({**row, "month_from": month, "month_to": month}, "row_rejected")
            if not months:
                self.off(row, "row_rejected")
            if fault != cells.AMBIGUOUS and (row["sheet_no"], row["row"]) not in told:
                told.add((row["sheet_no"], row["row"]))  # one cell says it of all amounts of the row
                names = (f"{self.table}.{n}" for n in ("month", "period", "month_from", "year"))
                place, text = self.findings.cell_of(row, *names)
                self.findings.add(
                    "rejected", "no month", place, text=text, household_id=row["household_id"] or ""
                )

    def follow_recodes(self, recodes: Mapping[str, tuple[str, int]]) -> None:
        """Bring rows that still stand under an old number, of a month after the change, under the new one."""
        rows = self.rows
        for at in rows.index[rows["household_id"].isin(list(recodes))]:
            new, first = recodes[str(rows.at[at, "household_id"])]
            if (_whole(rows.at[at, "month_from"]) or 0) >= first:
                rows.at[at, "household_id"] = new
                self.say("told", "old number", records(rows.loc[[at]])[0], text=new)

    def drop_unknown_items(self) -> None:
        """Take months off record in which a row names no source or category that is known."""
        for row in self.take(self.rows["item"].isna()):
            self.off(row, "row_rejected", item=None)
            self.say("rejected", "unknown item", row, text=row["item_text"] or "")

    def reversals(self) -> None:
        """Strike out payments that a row of the same sheet takes back: 500 and -500 of one month."""
        rows = self.rows
        back = rows.index[rows["below_zero"].notna()]
        if not len(back):
            return
        key = row_keys(rows, ["sheet_no", *_KEY, "name", "person_number"])
        out: set[object] = set()
        payments = rows[key.isin(key[back]) & rows["fault"].isna()]
        by_key = payments.groupby(key[payments.index]).groups
        for at in back:
            taken: Any = rows.at[at, "below_zero"]
            same = by_key.get(key[at], ())
            paid = [i for i in same if i not in out and payments.at[i, "amount"] == -taken]
            if paid:
                out |= {at, paid[0]}
                row = {str(k): v for k, v in rows.loc[at].to_dict().items()}
                self.say("told", "taken back", row, text=row["text"])
        self.rows = rows.drop(list(out))

    def once_each(self) -> None:
        """Keep one of rows that are equal in everything that they say."""
        rows = self.rows
        if not len(rows):
            return
        what = [*_KEY, "amount", "fault", "recorded_on", "row_id", "sheet_no", "col"]
        # Without a person the rows of one month may be two earners; with one, or of a whole year, they are
        # one.
        spans = rows["month_to"].astype(int) - rows["month_from"].astype(int)
        named = rows["member_id"].notna() | rows["name"].notna() | rows["row_id"].notna()
        key = row_keys(rows, what)
        again = key.duplicated()
        one = again & (named | spans.gt(0) | rows["once"].eq(True))
        for row in _one_a_row(self.take(one)):
            if row["once"] is not True:
                self.say("rejected", "row twice", row)
        same = self.rows[key[self.rows.index].duplicated()]
        for row in _one_a_row(records(same)):
            self.say("asked", "equal rows", row, n=len(same))

    def unit_slips(self, slips: Collection[tuple[int, int]]) -> None:
        """Take rows off record that look typed in another unit."""
        if not slips:
            return
        places = zip(self.rows["sheet_no"], self.rows["row"], strict=True)
        mask = pd.Series([place in slips for place in places], index=self.rows.index, dtype=bool)
        for row in _one_a_row(self.take(mask)):
            self.off(row, "unit_doubtful", item=None)
            self.say("asked", "unit of row", row, text=row["text"])

    def wholes_and_parts(self) -> None:
        """Keep either a year or its quarters and half-years: an amount must not be there twice.

        Parts that can all be read hold, and the whole is compared with them. One part that is missing or
        cannot be read is what the whole leaves for it; where more are lacking, the whole holds.
        """
        rows = self.rows
        if not len(rows):
            return
        plain = rows[~rows["cumulative"].eq(True) & rows["month_to"].gt(rows["month_from"])]
        key = row_keys(plain, ["household_id", "member_id", "item"])
        months = plain[["month_from", "month_to"]].astype("int64").assign(key=key)
        order = months.sort_values(["key", "month_from", "month_to"])
        reach = order.groupby("key")["month_to"].cummax().groupby(order["key"]).shift(fill_value=-1)
        nested = set(order.loc[order["month_from"].le(reach), "key"])
        if not nested:
            return
        changed = WholesAndParts(self.say)
        for _, group in plain[key.isin(nested)].groupby(key[key.isin(nested)], sort=False):
            changed.settle([{"at": at, **row} for at, row in zip(group.index, records(group), strict=True)])
        self.rows = self.rows.drop(changed.dropped)
        derived = pd.Series(changed.derived, dtype=object)
        self.rows.loc[derived.index, "amount"] = derived
        self.rows.loc[derived.index, "fault"] = None
        if changed.added:
            more = pd.DataFrame(changed.added, columns=rows.columns).astype(object)
            self.rows = pd.concat([self.rows.astype(object), more], ignore_index=True)

    def unreadable(self) -> None:
        """Take amounts off record that cannot be read."""
        lost = self.take(self.rows["fault"].notna())
        through = self._sums_reach() if any(row["cumulative"] is True for row in lost) else {}
        for row in lost:
            fault = row["fault"]
            # A later sum from the year's begin holds what an unreadable one was to say.
            start = row["household_id"], row["item"], row["month_from"]
            if row["cumulative"] is not True or through.get(start, -1) <= row["month_to"]:
                self.off(row, "unreadable")
            handling = "asked" if fault == cells.MAYBE_NOTHING else "unknown"
            self.say(handling, _KINDS.get(fault, "unreadable amount"), row, text=row["text"])

    def _sums_reach(self) -> dict[Any, int]:
        """Return how far the readable amounts of each household, item and first month reach."""
        rows = self.rows[self.rows["amount"].notna()]
        key = ["household_id", "item", "month_from"]
        return {k: int(m) for k, m in rows["month_to"].groupby([rows[c] for c in key]).max().items()}

    def contradictions(self) -> None:
        """Take totals off record of which two rows say different amounts; equal ones count once."""
        rows = self.rows
        if not len(rows):
            return
        spans = rows["month_to"].astype(int) > rows["month_from"].astype(int)
        totals = rows[spans & rows["row_id"].isna()]
        key = row_keys(totals, _KEY)
        several = totals[key.duplicated(keep=False)]
        out: list[object] = []
        for _, group in several.groupby(key[several.index], sort=False):
            amounts = set(group["amount"])
            places = set(zip(group["sheet_no"], group["row"], group["col"], strict=True))
            dates = set(group["recorded_on"].map(str))
            if len(amounts) == 1:
                out += list(group.index[1:])
            elif len(dates) == len(group) and "None" not in dates:
                continue  # recorded on different days: the later one corrects the earlier
            else:
                out += list(group.index)
                row = records(group.iloc[:1])[0]
                self.off(row, "contradicts")
                shown = " / ".join(str(a.normalize()) if a else "0" for a in sorted(amounts))
                self.say("asked", "amounts contradict", row, text=shown, n=len(places))
        self.rows = rows.drop(out)

    def corrections(self) -> None:
        """Give a later record of the same person, month and source the number of the one that it corrects."""
        rows = self.rows
        if not len(rows) or rows["recorded_on"].isna().all():
            self._number_rows()
            return
        own = rows["row_id"].isna() & rows["recorded_on"].notna()
        some = rows[own]
        if not len(some):
            self._number_rows()
            return
        key = row_keys(some, ["sheet_no", *_KEY])
        sizes = key.value_counts()
        many = key.map(sizes) > 1
        named = some["member_id"].notna()
        rare = len(sizes) and (sizes == 1).mean() >= _ONE_RECORD
        numbers: dict[object, str] = {}
        for _, group in some[many & named].groupby(key[many & named], sort=False) if rare else ():
            days = list(group["recorded_on"])
            if len({str(d) for d in days}) != len(days):
                continue
            first = records(group.sort_values("recorded_on", key=lambda c: c.map(str)))[0]
            number = f"r{first['sheet_no']}-{first['row']}"
            numbers.update(dict.fromkeys(group.index, number))
            for row in records(group):
                if row["row"] != first["row"]:
                    self.say("asked", "taken as correction", row, text=str(first["row"]))
        self._set_row_ids(numbers)
        self._number_rows()

    def _number_rows(self) -> None:
        """Give equal rows without a person a number each, so that two earners stay two."""
        rows = self.rows
        if not len(rows):
            return
        open_rows = rows["row_id"].isna() & rows["member_id"].isna()
        key = row_keys(rows[open_rows], [*_KEY, "amount", "recorded_on"])
        again = rows.loc[key.index[key.duplicated(keep=False)], ["sheet_no", "row", "col"]]
        self._set_row_ids(
            {at: f"r{sheet}-{row}-{col}" for at, sheet, row, col in again.itertuples(name=None)}
        )

    def _set_row_ids(self, numbers: Mapping[Any, str]) -> None:
        """Give some rows the number of a record."""
        if numbers:
            self.rows.loc[list(numbers), "row_id"] = pd.Series(numbers, dtype=object)

    def add_members(self) -> None:
        """Add up the totals of a household's members: the contract keeps one a household and span."""
        rows = self.rows
        if not len(rows):
            return
        spans = rows["month_to"].astype(int) > rows["month_from"].astype(int)
        own = rows[spans & rows["member_id"].notna() & rows["row_id"].isna()]
        key = row_keys(own, ["household_id", "item", "month_from", "month_to"])
        parts, out = [], list[object]()
        for _, group in own[key.duplicated(keep=False)].groupby(key, sort=False):
            if group["member_id"].nunique() < len(group):
                continue
            days = [d for d in group["recorded_on"] if not is_empty(d)]
            first = group.iloc[0].copy()
            first["amount"] = sum(group["amount"], Decimal(0))
            first["member_id"], first["recorded_on"] = None, max(days) if days else None
            parts.append(first)
            out += list(group.index)
        if parts:
            self.rows = pd.concat([rows.drop(out), pd.DataFrame(parts).astype(object)], ignore_index=True)

    def differences(self) -> None:
        """Turn amounts that add up from the year's begin into those of their own months."""
        rows, summed = self.rows, self.rows["cumulative"].eq(True)
        if not summed.any():
            return
        growing = rows[summed]
        group = row_keys(growing, ["household_id", "member_id", "item", "month_from"])
        growing = growing.loc[growing.assign(group_=group).sort_values(["group_", "month_to"]).index]
        one_year = group[growing.index]
        before: Any = growing["amount"].groupby(one_year)
        own = growing["amount"] - before.shift(fill_value=Decimal(0))
        ends = growing["month_to"].astype(int).groupby(one_year).shift(fill_value=-1)
        start = (ends + 1).where(ends >= 0, growing["month_from"].astype(int))
        growing = growing.assign(month_from=start.astype(object))
        falls = own.lt(0) & growing["item"].ne("business_net")
        for row in records(growing[falls]):
            self.off(row, "contradicts")
            self.say("asked", "cumulative falls", row, text=row["text"])
        growing = growing.assign(amount=own)[~falls]
        self.rows = pd.concat([rows[~summed].astype(object), growing.astype(object)], ignore_index=True)


def _whole(value: object) -> int | None:
    return None if is_empty(value) else int(value)  # type: ignore[call-overload]


def _key_fault(row: dict[str, Any]) -> str | None:
    faults = (row.get("household_id_fault"), row.get("person_number_fault"), row.get("member_id_fault"))
    return next((f for f in faults if f in (cells.ROUNDED, cells.BAD_CHECK)), None)


def _one_a_row(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first of the rows made from each row of a sheet."""
    seen: set[tuple[object, object]] = set()
    out = []
    for row in rows:
        if (row["sheet_no"], row["row"]) not in seen:
            seen.add((row["sheet_no"], row["row"]))
            out.append(row)
    return out
