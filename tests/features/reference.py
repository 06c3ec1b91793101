"""The features again, row by row in plain Python: slow, obvious, and sharing no code with the package.

Only the accounting quantities are taken over; `tests/households` holds them to hand-worked numbers. What is
on record is decided by the naive reading of the contract in `tests/households/contract_reading`, which shares
no code with the package either.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
import statistics
from typing import Any

import pandas as pd

from riskmodel.data import County
from riskmodel.features import Feature, FeatureSet

from ..households.contract_reading import Accounts, Coverage, Identity, Known, month_name

Row = dict[str, Any]
CODE = {
    "income": "source", "spending": "category", "risk_events": "cause", "monitoring": "event",
    "support": "measure", "visits": "outcome", "assets": "kind",
}  # fmt: skip
KEYS = {"members": ["member_id", "valid_from"], "assets": ["household_id", "kind", "valid_from"]}
RIGID = ["medical", "education", "housing", "disaster", "accident"]
RECORDED = (
    "mean_recorded", "std_recorded", "rate_recorded", "quantile_recorded", "yearly_recorded", "cv_recorded",
    "largest_rise_recorded",
)  # fmt: skip
MONEY = ("income", "spending")
# What the reading of the contract looks at.
READ = (*MONEY, "households", "members", "monitoring", "household_links", "recorded", "unrecorded")


def rows(county: County, name: str) -> list[Row]:
    frame = county.frame(name)
    found = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in found:
        for key, value in row.items():
            if isinstance(value, pd.Timestamp | dt.datetime):
                row[key] = value.date()
    return found


def end_of(month: int) -> dt.date:
    year, number = divmod(month, 12)
    return dt.date(year, number + 1, calendar.monthrange(year, number + 1)[1])


def as_read(table: list[Row]) -> list[Row]:
    """Rows as the reading of the contract takes them: months as text, the day on which they were recorded."""
    out = []
    for r in table:
        months = {c: month_name(r[c]) for c in ("month_from", "month_to") if r.get(c) is not None}
        out.append(r | months | {"recorded_on": r["known_on"]})
    return out


def known(table: list[Row], name: str, day: dt.date) -> list[Row]:
    """Rows recorded by a day; of rows with one key the one recorded last."""
    seen = [r for r in table if r["known_on"] <= day]
    best: dict[Any, Row] = {}
    for i, r in enumerate(seen):
        key = tuple(r[k] for k in KEYS[name]) if name in KEYS else r.get("row_id") or ("row", i)
        if key not in best or best[key]["known_on"] < r["known_on"]:
            best[key] = r
    return list(best.values())


def valid(r: Row, day: dt.date) -> bool:
    begun = r["valid_from"] is None or r["valid_from"] <= day
    return begun and (r["valid_to"] is None or day < r["valid_to"])


class Reference:
    """Features of one county at one as-of date."""

    def __init__(self, county: County, fs: FeatureSet, day: dt.date, accounts: pd.DataFrame) -> None:
        self.county, self.fs, self.day = county, fs, day
        found = accounts.astype(object).where(accounts.notna(), None)
        self.accounts = {r["household_id"]: r for r in found.to_dict("records")}
        tables = [*CODE, "members"]
        self.tables = {n: known(rows(county, n), n, day) for n in tables}
        end = calendar.monthrange(day.year, day.month)[1]
        self.last = day.year * 12 + day.month - 1 - (0 if day.day == end else 1)
        self.values: dict[tuple[str, str], float | None] = {}
        about = {k: v for k, v in county.about.model_dump().items() if v is not None}
        known_tables = {n: as_read(rows(county, n)) for n in READ if county.has(n)}
        self.coverage = Coverage(*self.who(Known(known_tables, about, day)), day)
        self.units = {unit.number: unit for unit in self.coverage.units}
        self.periods = Accounts(self.coverage)

    def who(self, known_by_day: Known) -> tuple[Known, Identity]:
        return known_by_day, Identity(known_by_day, self.day)

    def frame(self) -> pd.DataFrame:
        out = [
            {"household_id": h} | {f.id: self.value(f.id, h) for f in self.fs.features} for h in self.accounts
        ]
        return pd.DataFrame(out).set_index("household_id").astype("float64").sort_index()

    def value(self, ref: str, household: str) -> float | None:
        if ref.startswith("accounting."):
            return number(self.accounts[household][ref.removeprefix("accounting.")])
        if (ref, household) not in self.values:
            f = self.fs.feature(ref)
            value = self.compute(f, household)
            if value is not None and f.per == "head":
                persons = self.accounts[household]["persons"]
                value = value / persons if persons else None
            if value is not None and f.at_most is not None:
                value = min(value, f.at_most)
            if value is not None and f.at_least is not None:
                value = max(value, f.at_least)
            self.values[ref, household] = value
        return self.values[ref, household]

    def compute(self, f: Feature, household: str) -> float | None:
        if f.source == "features":
            return self.derived(f, household)
        if f.source == "neighbours":
            return self.neighbours(f, household)
        if f.source == "accounting":
            return self.accounting(f, household)
        if f.source == "members":
            return self.members(f, household)
        if not self.county.has(f.source):
            return None
        if f.source in ("income", "spending"):
            return self.monthly(f, household)
        return self.events(f, household)

    def accounting(self, f: Feature, household: str) -> float | None:
        row = self.accounts[household]
        if f.aggregate == "equals":
            column, wanted = next(iter(f.where.items()))
            return None if row[column] is None else float(row[column] == wanted)
        value = number(row[f.column])
        if value is None or f.aggregate == "value":
            return value
        return (
            self.day.year if f.aggregate == "years_since" else self.day.year * 12 + self.day.month - 1
        ) - value

    def monthly(self, f: Feature, household: str) -> float | None:
        """Contract, "Coverage": null where not wholly on record, or fewer months than declared."""
        unit = self.units[household]
        last = self.last if f.ends == "last_completed" else self.period_end(household)
        if last is None:
            return None
        mine = self.coverage.amounts(unit, f.source)
        months = range(last - f.lag - (f.window or 0) + 1, last - f.lag + 1)
        on = self.recorded(f.source, household, f.over)
        recorded = [m in on for m in months]
        whole = f.aggregate not in RECORDED
        if f.aggregate == "months_recorded":
            return sum(recorded)
        if not all(recorded) if whole else sum(recorded) < (f.least_months or 0):
            return None
        stated = bool(self.coverage.recorded_rows(unit, f.source))
        if f.missing == "null_if_no_income" and not stated:
            with_row = {r["_first"] for r in mine.months}
            years = range(f.lag // 12, math.ceil((f.lag + (f.window or 0)) / 12))
            spans = [set(range(last - 12 * k - 11, last - 12 * k + 1)) for k in years]
            if not whole:
                spans = [{m for m, known_one in zip(months, recorded, strict=True) if known_one}]
            if any(not with_row & span for span in spans):
                return None
        if f.aggregate == "rows":
            codes = self.codes(f.source, f.over)
            return sum(r["_first"] in months and r[CODE[f.source]] in codes for r in mine.months)
        if f.aggregate == "nunique":
            every = set(self.codes(f.source, None)) - {"business_net"}
            return sum(any(y > 0 for y in self.series(f.source, household, c, months)) for c in every)
        y = self.series(f.source, household, f.over, months)
        if f.aggregate == "largest_rise_recorded":
            before = self.series(f.source, household, f.over, range(months.start - 12, months.stop - 12))
            rises = [a - b for a, b, m in zip(y, before, months, strict=True) if {m, m - 12} <= on]
            return max(0.0, *rises) if rises else None
        if f.aggregate == "share":
            everything = math.fsum(self.series(f.source, household, None, months))
            return math.fsum(y) / everything if everything > 0 else None
        return self.of_series(f, y if whole else [v for v, k in zip(y, recorded, strict=True) if k])

    def period_end(self, household: str) -> int | None:
        """The last month of the accounting period, where it is not further behind than allowed."""
        period = self.periods.period(self.units[household])
        behind = self.county.about.max_lag_months
        return period.last if period and period.lag <= behind else None

    def codes(self, table: str, over: str | None) -> list[str]:
        every = {r[CODE[table]] for r in self.tables[table]}
        if over in (None, "total"):
            return sorted(every)
        return {"rigid": RIGID, "business": ["business", "business_net"]}.get(over, [over])

    def recorded(self, table: str, household: str, over: str | None) -> set[int]:
        """Months on record, none that a total reaches into, none taken off for a code that is added up."""
        unit = self.units[household]
        out = self.coverage.on_record(unit, table)
        for r in self.coverage.amounts(unit, table).totals:
            out -= set(range(r["_first"], r["_last"] + 1))
        for off in self.coverage.offs(unit, table):
            if off.item and (over in (None, "total") or off.item in self.codes(table, over)):
                out = {m for m in out if not off.touches(m, m)}
        return out

    def series(self, table: str, household: str, over: str | None, months: range) -> list[float]:
        """Monthly sums, oldest first, months without a row as 0."""
        codes = self.codes(table, over)
        found = self.coverage.amounts(self.units[household], table).months
        return [
            float(sum(r["amount"] for r in found if r["_first"] == m and r[CODE[table]] in codes))
            for m in months
        ]

    def of_series(self, f: Feature, y: list[float]) -> float | None:
        n = len(y)
        name = f.aggregate.removesuffix("_recorded")
        if name == "yearly":
            return 12 * math.fsum(y) / n
        if name in ("sum", "mean"):
            return math.fsum(y) / (n if name == "mean" else 1)
        if name == "std":
            return statistics.stdev(y)
        if name == "cv":
            return statistics.stdev(y) / statistics.fmean(y) if sum(y) > 0 else None
        if name == "slope":
            return statistics.linear_regression(range(n), y).slope
        if name in ("max", "min", "first", "last"):
            return {"max": max(y), "min": min(y), "first": y[0], "last": y[-1]}[name]
        if name == "quantile":
            return float(pd.Series(y).quantile(f.quantile))
        months = sum(v > 0 for v in y)
        if name == "rate":
            return months / n
        if name == "recency":
            return next((k for k, v in enumerate(reversed(y)) if v > 0), n)
        return months if name == "months_with" else n - months

    def events(self, f: Feature, household: str) -> float | None:
        code = CODE[f.source]
        every = [r for r in self.tables[f.source] if r["household_id"] == household]
        if f.source == "assets":
            every = [r for r in every if valid(r, self.day)]
            if f.known_on == "authorised_on":
                every = [r for r in every if r["authorised_on"] and r["authorised_on"] <= self.day]
            mine = [r for r in every if f.over in (None, "any") or r[code] == f.over]
            return float(bool(mine)) if f.aggregate == "any" else len({r[code] for r in mine})
        every = [r for r in every if r["date"] <= self.day and holds(r, f.where)]
        mine = [r for r in every if f.over in (None, "any") or r[code] == f.over]
        if f.aggregate == "active":  # on the day itself; without an end, from the window's first day on
            running = [r for r in mine if r["end_date"] and r["end_date"] > self.day]
            begun = end_of(self.last - (f.window or 0))
            return len(running) + sum(r["end_date"] is None and r["date"] > begun for r in mine)
        # A window is of whole months, as for income: the last so many completed ones.
        if f.window is not None:
            window = (end_of(self.last - f.window), end_of(self.last))
            every, mine = ([r for r in t if window[0] < r["date"] <= window[1]] for t in (every, mine))
        inside = mine
        if f.aggregate == "share":
            return len(mine) / len(every) if every else None
        if f.aggregate == "count_unknown":
            return sum(r[str(f.column or code)] is None for r in every)
        if f.aggregate in ("first", "last"):
            valued = [r for r in inside if r[str(f.column)] is not None]
            order = sorted((r["date"], r["known_on"], float(r[str(f.column)])) for r in valued)
            return order[0 if f.aggregate == "first" else -1][2] if order else None
        if f.aggregate == "sum":
            return math.fsum(float(r[str(f.column)]) for r in inside if r[str(f.column)] is not None)
        if f.aggregate == "recency":
            months = [r["date"].year * 12 + r["date"].month for r in inside]
            return self.day.year * 12 + self.day.month - max(months) if months else None
        if f.aggregate == "nunique":
            return len({r[code] for r in inside})
        return float(bool(inside)) if f.aggregate == "any" else len(inside)

    def members(self, f: Feature, household: str) -> float | None:
        present: dict[str, Row] = {}
        for r in sorted(self.tables["members"], key=lambda r: r["valid_from"] or dt.date.min):
            if r["household_id"] == household and valid(r, self.day):
                age = (self.day.year * 12 + self.day.month - 1 - r["birth_month"]) // 12
                present[r["member_id"]] = r | {"age": age}
        people = list(present.values())
        if f.aggregate == "count_unknown":
            asked = [r for r in people if holds(r, f.where)]
            return sum(r[str(f.column)] is None for r in asked) if people else None
        for column in [*f.where, *([f.column] if f.column else [])]:
            if all(r[column] is None for r in people):
                return None
        if not people:
            return None
        chosen = [r for r in people if holds(r, f.where)]
        if f.aggregate == "count":
            return len(chosen)
        if f.aggregate in ("any", "none"):
            return float(bool(chosen) == (f.aggregate == "any"))
        values = [r[str(f.column)] for r in chosen if r[str(f.column)] is not None]
        if not values:
            return None
        return {"mean": statistics.fmean, "max": max, "min": min}[f.aggregate](values)

    def derived(self, f: Feature, household: str) -> float | None:
        parts = [self.value(ref, household) for ref in f.of]
        if f.aggregate == "missing":
            return float(parts[0] is None)
        if f.aggregate == "least_known":
            return min((p for p in parts if p is not None), default=None)
        if any(p is None for p in parts):
            return None
        return of_parts(
            f, [p for p in parts if p is not None], self.fs.line, self.accounts[household]["persons"]
        )

    def neighbours(self, f: Feature, household: str) -> float | None:
        me = self.accounts[household]
        place = ["township", "village"] if f.by == "village" else ["township"]
        others = [
            self.value(f.of[0], h)
            for h, row in self.accounts.items()
            if h != household and all(row[c] == me[c] for c in place)
        ]
        known_ones = [v for v in others if v is not None]
        return statistics.fmean(known_ones) if known_ones else None


def of_parts(f: Feature, p: list[float], line: Any, persons: int) -> float | None:
    if f.aggregate in ("ratio", "growth"):
        return p[0] / p[1] - (f.aggregate == "growth") if p[1] > 0 else None
    if f.aggregate == "per_head":
        return p[0] / persons if persons else None
    return {
        "difference": lambda: p[0] - p[1],
        "log": lambda: math.copysign(math.log1p(abs(p[0])), p[0]),
        "add": lambda: math.fsum(p),
        "to_line": lambda: p[0] - line * f.factor,
        "below_line": lambda: float(round(p[0], 9) < round(line * f.factor, 9)),
        "all_of": lambda: float(all(v == 1 for v in p)),
        "greatest": lambda: max(p),
        "multiply": lambda: math.prod(p),
        "exp": lambda: math.exp(p[0]),
        "log_line": lambda: math.log(max(p[0] / (line * f.factor), 0.05)),
        "log_ratio": lambda: math.log((max(p[0], 0) + line * f.factor) / (max(p[1], 0) + line * f.factor)),
    }[f.aggregate]()


def holds(r: Row, where: dict[str, Any]) -> bool:
    for column, wanted in where.items():
        value = r[column]
        if value is None:
            return False
        if isinstance(wanted, dict):
            if not wanted.get("min", -math.inf) <= value <= wanted.get("max", math.inf):
                return False
        elif value not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


def number(value: Any) -> float | None:
    return None if value is None else float(value)
