"""Random small counties with everything that coverage and identity speak of, for comparisons of two readings.

A county is made in the form that `contract_reading.reading` takes (`Tables`), from a seed alone. `as_county`
hands the same rows to the package. What a reader of files does before (equal rows, two corrections of one
day, rejected rows of households) is not in them: the package meets it in `riskmodel.data.read`.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames

from .contract_reading_rows import (
    CATEGORIES,
    SOURCES,
    Row,
    Tables,
    month_begin,
    month_end,
    month_name,
    month_number,
    rejected_known_on,
)

TOWNS = ("east", "west", "north")
LONG_AGO = dt.date(2015, 1, 1)
FIRST, LAST = month_number("2018-01"), month_number("2021-12")
NEEDED = {
    "members": ("member_id", "household_id", "birth_month"),
    "income": ("household_id", "month", "source", "amount"),
    "spending": ("household_id", "month", "category", "amount"),
    "recorded": ("household_id", "of", "month_from", "month_to"),
    "unrecorded": ("household_id", "of", "month_from", "month_to", "why", "day_from", "member_id", "row_id"),
    "household_links": ("old_id", "new_id", "kind", "date"),
    "risk_events": ("household_id", "date", "cause"),
    "monitoring": ("household_id", "date", "event"),
}  # fmt: skip


@dataclass
class RandomCounty:
    """Tables and ``about.yaml`` of a county made from a seed."""

    tables: Tables
    about: dict[str, Any]


def random_county(seed: int, households: int = 36) -> RandomCounty:
    """Return a county; every choice depends on the seed alone."""
    return _Maker(random.Random(seed), households).county()


class _Maker:
    def __init__(self, rng: random.Random, households: int):
        self.rng = rng
        self.tables: Tables = {"households": [], "members": [], "income": []}
        self.about = self._about()
        for table, chance in (("spending", 0.85), ("risk_events", 0.8), ("monitoring", 0.6)):
            if rng.random() < chance:
                self.tables[table] = []
        self.numbers = [f"H{i:03d}" for i in range(households)]
        self.starts = {town: FIRST + rng.choice((0, 0, 5, 14, 20)) for town in TOWNS}
        self.quiet = self._month() if rng.random() < 0.3 else None
        self.town: dict[str, str] = {}
        self.since: dict[str, dt.date | None] = {}
        self.linked: dict[str, dt.date] = {}
        self.row_ids = 0

    def county(self) -> RandomCounty:
        for number in self.numbers:
            self._household(number)
            self._members(number)
        for number in self.numbers:
            self._records(number)
        rng = self.rng
        if rng.random() < 0.5:
            self._coverage()
        if rng.random() < 0.6:
            self._off_record()
        if rng.random() < 0.7:
            if rng.random() < 0.5:
                self._links()
            else:
                self._chains()
        if "risk_events" in self.tables:
            self._events()
        # Two rows of one key and one day would be refused at reading.
        for table, number in (("members", "member_id"), ("households", "household_id")):
            rows = {(r[number], r.get("valid_from"), r.get("recorded_on")): r for r in self.tables[table]}
            self.tables[table] = list(rows.values())
        for rows in self.tables.values():
            rng.shuffle(rows)
        return RandomCounty(self.tables, self.about)

    # ---------------------------------------------------------------- small choices
    def _about(self) -> dict[str, Any]:
        rng = self.rng
        about: dict[str, Any] = {
            "recording_delay_days": rng.choice((0, 0, 10, 40)),
            "entry_lag_months": rng.choice((3, 3, 0, 1)),
            "max_lag_months": rng.choice((3, 3, 3, 1, 0, 6)),
        }
        if rng.random() < 0.5:
            about["data_through"] = rng.choice(
                (dt.date(2021, 6, 30), dt.date(2021, 9, 15), dt.date(2022, 3, 31))
            )
        if rng.random() < 0.35:
            about["coverage"] = "whole"
            about["records_from"] = rng.choice(
                ("2018-06", "2019-01", {"east": "2018-03"}, {"east": "2018-03", "west": "2019-04"})
            )
        if rng.random() < 0.4:
            about["snapshot_on"] = dt.date(2019, 6, 1)
        if rng.random() < 0.15:
            about["income_is_net"] = True
        return about

    def _month(self, first: int = FIRST, last: int = LAST) -> int:
        return self.rng.randint(first, last)

    def _day(self, first: str = "2018-01", last: str = "2021-12") -> dt.date:
        month = self._month(month_number(first), month_number(last))
        return month_begin(month).replace(day=self.rng.choice((1, 1, 2, 15, 28)))

    def _late(self, month: int) -> dt.date | None:
        """A day of recording of a row of some month: mostly its own, now and then much later."""
        kind = self.rng.random()
        if kind < 0.9:
            return None
        return month_end(month) + dt.timedelta(days=self.rng.choice((3, 35, 70, 200)))

    def _row(self, table: str, /, **values: Any) -> Row:
        row = {column: value for column, value in values.items() if value is not None}
        self.tables.setdefault(table, []).append(row)
        return row

    # ---------------------------------------------------------------- households and members
    def _household(self, number: str) -> None:
        rng, snapshot = self.rng, self.about.get("snapshot_on")
        since = rng.choice((dt.date(2015, 1, 1), dt.date(2015, 1, 1), None, snapshot, self._day()))
        if since is None and snapshot is None:
            recorded: dt.date | None = dt.date(2015, 1, 1)
        else:
            recorded = None
        if since is not None and rng.random() < 0.1:
            recorded = since + dt.timedelta(days=rng.choice((20, 400)))
        self.town[number], self.since[number] = rng.choice(TOWNS), since
        state = {"household_id": number, "registration": "lifted"}
        self._row("households", **state, township=self.town[number], valid_from=since, recorded_on=recorded)
        if rng.random() < 0.15:  # a move, or another state in the same place
            town = rng.choice(TOWNS)
            self._row("households", **state, township=town, valid_from=self._day("2019-01"),
                      recorded_on=self._day("2019-06") if rng.random() < 0.3 else None)  # fmt: skip

    def _members(self, number: str) -> None:
        rng, since = self.rng, self.since[number]
        for i in range(rng.choice((1, 2, 2, 3, 4))):
            begun = since if rng.random() < 0.8 else self._day()
            if begun is None and "snapshot_on" not in self.about:
                begun = dt.date(2015, 1, 1)
            person = {"member_id": f"{number}.{i}", "household_id": number}
            birth = "1980-05" if rng.random() < 0.9 else month_name(self._month())
            end = self._day("2020-01") if rng.random() < 0.1 else None
            if begun is not None and end is not None and end <= begun:
                end = None
            self._row("members", **person, birth_month=birth, valid_from=begun, valid_to=end)
            if begun is not None and rng.random() < 0.08:  # a correction of the same row
                self._row("members", **person, birth_month="1981-01", valid_from=begun,
                          valid_to=self._after(begun), recorded_on=self._after(begun))  # fmt: skip
            if rng.random() < 0.06:
                self._row("unread", table="members", household_id=number, member_id=person["member_id"],
                          valid_from=self._day() if rng.random() < 0.7 else None,
                          recorded_on=self._day("2019-01"))  # fmt: skip
                if rng.random() < 0.5:
                    self._row("members", **person, birth_month="1980-05", valid_from=self._day("2019-06"))

    def _after(self, day: dt.date) -> dt.date:
        return day + dt.timedelta(days=self.rng.choice((1, 40, 400, 900)))

    # ---------------------------------------------------------------- income and spending
    def _records(self, number: str) -> None:
        kind = self.rng.random()
        if kind < 0.04:
            return
        if kind < 0.65:
            self._months_of(number)
        elif kind < 0.85:
            self._totals_of(number)
        else:
            self._months_of(number)
            self._totals_of(number)

    def _months_of(self, number: str) -> None:
        rng, since = self.rng, self.since[number]
        first = self.starts[self.town[number]] + rng.choice((0, 0, 0, 1, 9))
        if since is not None and rng.random() < 0.9:
            first = max(first, since.year * 12 + since.month - 1)
        last = rng.choice((LAST, LAST, LAST, self._month(first, LAST) if first <= LAST else LAST))
        sources = rng.sample(SOURCES[:4], rng.choice((1, 1, 2)))
        if rng.random() < 0.08:
            sources = ["business_net"]
        density, seasonal = rng.choice((1, 1, 0.97, 0.8, 0.3)), rng.random() < 0.15
        for month in range(first, last + 1):
            if month == self.quiet or (seasonal and month % 12 not in (4, 5, 9, 10)):
                continue
            for source in sources:
                if rng.random() < density:
                    self._amount("income", number, month, source)
            if "spending" in self.tables and rng.random() < density:
                self._amount("spending", number, month, rng.choice(CATEGORIES))
        if rng.random() < 0.03:
            self._amount("income", number, self._month(), "wage", 0)

    def _amount(self, table: str, number: str, month: int, code: str, amount: int | None = None) -> None:
        rng = self.rng
        code = {"source" if table == "income" else "category": code}
        amount = rng.randint(1, 400) if amount is None else amount
        late = self._late(month)
        row = {"household_id": number, "month": month_name(month), **code}
        if rng.random() > 0.02:
            self._row(table, **row, amount=amount, recorded_on=late)
            return
        self.row_ids += 1
        known = late or month_end(month)
        self._row(table, **row, amount=amount, recorded_on=late, row_id=f"r{self.row_ids}")
        again = {**row, "month": month_name(month + rng.choice((0, 0, 0, 1)))}
        known = self._after(max(known, month_end(month + 1)))
        self._row(table, **again, amount=rng.randint(1, 400), recorded_on=known, row_id=f"r{self.row_ids}")

    def _totals_of(self, number: str) -> None:
        rng = self.rng
        begin = self._month(FIRST, FIRST + 14)
        sources = rng.sample(SOURCES, rng.choice((1, 1, 2, 3)))
        last = rng.choice((LAST, LAST, self._month(begin, LAST)))
        for source in sources:
            length = rng.choice((12, 12, 12, 6, 3, 4))
            month = begin + rng.choice((0, 0, 0, 3))
            while month + length - 1 <= last:
                if rng.random() < 0.95:
                    self._total("income", number, month, month + length - 1, source)
                month += length
                if rng.random() < 0.1:
                    length = rng.choice((12, 6, 3))
            if rng.random() < 0.1:  # overlapping another tiling
                start = self._month()
                self._total("income", number, start, start + rng.choice((1, 5, 11, 23)), source)
        if "spending" in self.tables and rng.random() < 0.7:
            for category in rng.sample(CATEGORIES, rng.choice((1, 2))) + ["production"] * rng.choice((0, 1)):
                length, month = rng.choice((12, 12, 6, 5)), begin + rng.choice((0, 0, 3))
                while month + length - 1 <= last:
                    self._total("spending", number, month, month + length - 1, category)
                    month += length

    def _total(self, table: str, number: str, first: int, last: int, code: str) -> None:
        rng = self.rng
        if last > LAST:
            return
        row = {
            "household_id": number, "month_from": month_name(first), "month_to": month_name(last),
            "source" if table == "income" else "category": code,
        }  # fmt: skip
        key = tuple(row.values())
        if any(tuple(r.get(c) for c in row) == key for r in self.tables[table]):
            return
        amount = rng.randint(-200, 900) if code == "business_net" else rng.randint(1, 900)
        late = month_end(last) + dt.timedelta(days=rng.choice((10, 40, 150)))
        self._row(table, **row, amount=amount, recorded_on=rng.choice((None, late)))
        if rng.random() < 0.05:
            self._row(table, **row, amount=rng.randint(1, 900), recorded_on=month_end(last + 6))

    # ---------------------------------------------------------------- what is said of coverage
    def _span(self) -> dict[str, str]:
        first = self._month(FIRST, LAST - 1)
        last = min(LAST, first + self.rng.choice((0, 1, 2, 5, 11, 30)))
        return {"month_from": month_name(first), "month_to": month_name(last)}

    def _coverage(self) -> None:
        rng = self.rng
        self.tables["recorded"] = []
        for number in rng.sample(self.numbers, len(self.numbers) // 3):
            for of in rng.choice(
                (("income", "spending"), ("income", "spending"), ("income",), ("spending",))
            ):
                first = FIRST + rng.choice((0, 6, 12))
                last = rng.choice((LAST, self._month(first, LAST)))
                step = rng.choice((1, 6, 60))
                for month in range(first, last + 1, step):
                    if rng.random() < 0.97:
                        end = min(last, month + step - 1)
                        recorded = rng.choice((None, None, month_end(end) + dt.timedelta(days=50)))
                        self._row("recorded", household_id=number, of=of, month_from=month_name(month),
                                  month_to=month_name(end), recorded_on=recorded)  # fmt: skip

    def _off_record(self) -> None:
        rng = self.rng
        self.tables["unrecorded"] = []
        for number in rng.sample(self.numbers, len(self.numbers) // 3):
            kind = rng.random()
            if kind < 0.4:
                of, item = rng.choice((("income", None), ("spending", None), ("income", "wage"),
                    ("spending", "medical"), ("spending", "production"), ("members", None)))  # fmt: skip
                self._row("unrecorded", household_id=number, of=of, item=item, **self._span(),
                          why=rng.choice(("unreadable", "contradicted")),
                          recorded_on=self._day("2019-01"))  # fmt: skip
            elif kind < 0.7:
                row_id = None
                table = rng.choice(("income", "spending"))
                rows = [
                    r for r in self.tables.get(table, []) if r.get("row_id") and r["household_id"] == number
                ]
                if rows:
                    row_id = rng.choice(rows)["row_id"]
                span = self._span() if rng.random() < 0.8 else {}
                self._row("unread", table=table, household_id=number, **span, row_id=row_id,
                          recorded_on=self._day("2019-01"))  # fmt: skip
            elif "recorded" in self.tables:
                span = self._span()
                self._row("unrecorded", household_id=number, of="income", **span, why="unreadable",
                          recorded_on=self._day("2019-01", "2020-12"))  # fmt: skip
                self._row("recorded", household_id=number, of="income", **span,
                          recorded_on=self._day("2020-01"))  # fmt: skip

    # ---------------------------------------------------------------- links and events
    def _links(self) -> None:
        rng = self.rng
        self.tables["household_links"] = []
        # Households of before, known at once, without totals: those of one parent beside months of another
        # add up to nothing.
        totals = {
            r["household_id"]
            for t in ("income", "spending")
            for r in self.tables.get(t, ())
            if "month" not in r
        }
        late = {
            r["household_id"] for r in self.tables["households"] if r.get("recorded_on", LONG_AGO) > LONG_AGO
        }
        free = [n for n in self.numbers if n not in late | totals]
        rng.shuffle(free)
        for _ in range(rng.choice((1, 3, 6))):
            kind = rng.choice(("recode", "recode", "merge", "merge", "split"))
            date = self._day("2019-01")
            if len(free) < 4:
                return
            one, two, three = free.pop(), free.pop(), free.pop()
            while any(date <= self.linked.get(number, dt.date.min) for number in (one, two, three)):
                date = self._day("2019-06")
            if any((self.since[n] or LONG_AGO) >= date for n in (one, two)):
                continue
            recorded = date + dt.timedelta(days=rng.choice((0, 0, 10, 100, 400)))
            if kind == "merge":
                news = rng.choice(([(one, three), (two, three)], [(one, two)]))
            elif kind == "split":
                news = rng.choice(([(one, two)], [(one, two), (one, three)], [(one, one), (one, two)]))
            else:
                news = [(one, two)]
            if kind == "recode":  # another place or state under the old number would be refused
                self.tables["households"] = [
                    r for r in self.tables["households"]
                    if r["household_id"] != one or (r.get("valid_from") or LONG_AGO) < date
                ]  # fmt: skip
            for old, new in news:
                if rng.random() < 0.7 and new != old:
                    self._renew(new, date)
                self._row(
                    "household_links", old_id=old, new_id=new, kind=kind, date=date, recorded_on=recorded
                )
            if rng.random() < 0.4 and date.year < 2021:  # a chain: the new number changes again later
                free.append(news[-1][1])
                self.linked[news[-1][1]] = date

    def _chains(self) -> None:
        """Links of a few numbers in every order, right or wrong, with totals, moves and late recording."""
        rng = self.rng
        self.tables["household_links"] = []
        pool = rng.sample(self.numbers, rng.choice((3, 5, 8, 14)))
        if rng.random() < 0.3:  # numbers without a row in table households
            pool += ["N1", "N2"]
            for number in ("N1", "N2"):
                self.town[number], self.since[number] = rng.choice(TOWNS), None
                self._records(number)
        day = self._day("2019-01")
        for _ in range(rng.choice((2, 4, 8, 14))):
            kind = rng.choice(("recode", "merge", "merge", "split"))
            old, new = rng.choice(pool), rng.choice(pool)
            if old == new and rng.random() < 0.7:
                continue
            day = day if rng.random() < 0.2 else self._day("2018-06", "2021-09")
            recorded = day + dt.timedelta(days=rng.choice((-40, 0, 0, 0, 10, 100, 400)))
            self._row("household_links", old_id=old, new_id=new, kind=kind, date=day, recorded_on=recorded)
            if rng.random() < 0.4 and new in self.numbers:
                self._renew(new, day)
            if rng.random() < 0.3 and old in self.numbers:
                self._end_rows(old, day)
            if rng.random() < 0.3:
                self._move_members(old, new, day)
        self.tables["household_links"] = [
            dict(row) for row in dict.fromkeys(tuple(r.items()) for r in self.tables["household_links"])
        ]

    def _end_rows(self, number: str, date: dt.date) -> None:
        """Let a number end with its link: no amounts from then on, and members leave."""
        begin = date.year * 12 + date.month - 1
        for table in ("income", "spending"):
            if table in self.tables:
                self.tables[table] = [
                    r for r in self.tables[table]
                    if r["household_id"] != number or month_number(r.get("month") or r["month_to"]) < begin
                ]  # fmt: skip
        for row in self.tables["members"]:
            if row["household_id"] == number and (row.get("valid_from") or LONG_AGO) < date:
                row["valid_to"] = min(date, row.get("valid_to", date))

    def _move_members(self, old: str, new: str, date: dt.date) -> None:
        """Let some members of one number go on under another."""
        for row in list(self.tables["members"]):
            there = row["household_id"] == old and (row.get("valid_from") or LONG_AGO) < date
            if there and self.rng.random() < 0.5:
                row["valid_to"] = min(date, row.get("valid_to", date))
                moved = {c: v for c, v in row.items() if c not in ("valid_to", "recorded_on")}
                self.tables["members"].append({**moved, "household_id": new, "valid_from": date})

    def _renew(self, number: str, date: dt.date) -> None:
        """Let a number begin with its link: no rows before."""
        self.since[number] = date
        begin = date.year * 12 + date.month - 1
        for table in ("households", "members"):
            mine = [r for r in self.tables[table] if r["household_id"] == number]
            self.tables[table] = [r for r in self.tables[table] if r["household_id"] != number]
            if table == "members":
                mine = mine if self.rng.random() < 0.5 else []
            seen = set()
            for row in mine:
                key = row.get("member_id", number)
                if key not in seen:
                    seen.add(key)
                    rest = {c: v for c, v in row.items() if c not in ("valid_to", "recorded_on")}
                    self.tables[table].append({**rest, "valid_from": date})
        keep = self.rng.random() < 0.8
        for table in ("income", "spending"):
            if table in self.tables:
                self.tables[table] = [
                    r
                    for r in self.tables[table]
                    if r["household_id"] != number
                    or (keep and month_number(r.get("month") or r["month_from"]) >= begin)
                ]

    def _events(self) -> None:
        for number in self.numbers:
            if self.rng.random() < 0.2:
                self._row("risk_events", household_id=number, date=self._day("2020-06"), cause="illness")


def as_county(made: RandomCounty) -> County:
    """Return a random county as the package holds it."""
    tables = {name: [dict(row) for row in rows] for name, rows in made.tables.items() if name != "unread"}
    unread = made.tables.get("unread", [])
    if unread:
        tables.setdefault("unrecorded", [])
        tables["unrecorded"] += [_unrecorded(row, made.about) for row in unread]
    frames = {}
    for name, rows in tables.items():
        frame = pd.DataFrame(rows)
        for column in NEEDED.get(name, ()):
            if column not in frame:
                frame[column] = None
        if name == "households":
            frame["village"] = frame["township"]
        frames[name] = frame
    return county_of_frames(frames, About.model_validate(made.about))


def _unrecorded(row: Row, about: dict[str, Any]) -> Row:
    """Return a rejected row as the package keeps it: a span off record, `row_rejected`."""
    out = {c: row.get(c) for c in ("household_id", "month_from", "month_to", "row_id", "member_id")}
    known = rejected_known_on(row, about)
    if known == dt.date.min:
        known = dt.date(1900, 1, 1)
    return {
        **out, "of": row["table"], "why": "row_rejected", "recorded_on": known,
        "day_from": row.get("valid_from"),
    }  # fmt: skip


def as_tables(made: RandomCounty) -> Tables:
    """Return a random county as `contract_reading.reading` takes it."""
    rejected = [{**row, "why": "unreadable"} for row in made.tables.get("unread", [])]
    return {name: rows for name, rows in made.tables.items() if name != "unread"} | {"rejected": rejected}
