"""Tiny counties for the tests of `contract_reading`: a line of code for each row that matters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from .contract_reading import Account, reading
from .contract_reading_rows import Tables, month_name, month_number

DATES = ("valid_from", "valid_to", "recorded_on", "date", "data_through", "snapshot_on")


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def with_dates(values: dict[str, Any]) -> dict[str, Any]:
    return {k: day(v) if k in DATES and isinstance(v, str) else v for k, v in values.items()}


def span(first: str, last: str) -> list[str]:
    """The months of a span: span("2020-11", "2021-02") has four."""
    return [month_name(m) for m in range(month_number(first), month_number(last) + 1)]


class County:
    """A county in the making; unless said, records are whole until the end of 2022."""

    def __init__(self, **about: Any):
        self.about = with_dates({"data_through": "2022-12-31", **about})
        names = ("households", "members", "income", "spending", "rejected")
        self.tables: Tables = {name: [] for name in names}

    def row(self, table: str, /, **values: Any) -> County:
        self.tables.setdefault(table, []).append(with_dates(values))
        return self

    def home(
        self, number: str, valid_from: str | None = "2015-01-01", persons: int = 1, **more: Any
    ) -> County:
        """A household and its members."""
        state = {"township": "east", "registration": "lifted", **more}
        self.row("households", household_id=number, valid_from=valid_from, **state)
        for i in range(persons):
            self.row("members", member_id=f"{number}.{i}", household_id=number, valid_from=valid_from)
        return self

    def wages(self, number: str, months: Iterable[str], amount: Any = 100, **more: Any) -> County:
        for month in months:
            self.row("income", household_id=number, month=month, source="wage", amount=amount, **more)
        return self

    def spends(
        self, number: str, months: Iterable[str], amount: Any = 10, category: str = "living", **more: Any
    ) -> County:
        for month in months:
            self.row("spending", household_id=number, month=month, category=category, amount=amount, **more)
        return self

    def total(
        self, number: str, first: str, last: str, amount: Any, code: str = "wage", **more: Any
    ) -> County:
        """A total of income, or of spending where the code is one of its categories."""
        table, column = ("spending", "category") if code in ("production", "medical", "living") else (
            "income", "source")  # fmt: skip
        row = {"household_id": number, "month_from": first, "month_to": last, column: code, "amount": amount}
        return self.row(table, **row, **more)

    def year(self, number: str, year: int, amounts: dict[str, Any], **more: Any) -> County:
        """Totals of a calendar year by source or category."""
        for code, amount in amounts.items():
            self.total(number, f"{year}-01", f"{year}-12", amount, code, **more)
        return self

    def recorded(self, number: str, of: str, first: str, last: str, **more: Any) -> County:
        return self.row("recorded", household_id=number, of=of, month_from=first, month_to=last, **more)

    def unrecorded(self, number: str, of: str, first: str, last: str, why: str, **more: Any) -> County:
        more = {"recorded_on": "2021-01-01", **more}
        return self.row(
            "unrecorded", household_id=number, of=of, month_from=first, month_to=last, why=why, **more
        )

    def rejected(self, table: str, number: str, **more: Any) -> County:
        return self.row("rejected", **{"table": table, "household_id": number, "why": "unreadable", **more})

    def link(self, old: str, new: str, kind: str, date: str, **more: Any) -> County:
        return self.row("household_links", old_id=old, new_id=new, kind=kind, date=date, **more)

    def without(self, *tables: str) -> County:
        for name in tables:
            self.tables.pop(name, None)
        return self

    def read(self, as_of: str, known_by: str | None = None) -> dict[str, Account]:
        return reading(self.tables, self.about, day(as_of), day(known_by) if known_by else None)


def on(account: Account, table: str = "income") -> list[str]:
    """The months on record, in order."""
    return sorted(account.on_record[table])


def steady(first: str = "2019-01", last: str = "2021-06", **about: Any) -> County:
    """A household A with a wage and living costs in each month."""
    return County(**about).home("A").wages("A", span(first, last)).spends("A", span(first, last))
