"""The features again, row by row in plain Python: slow, obvious, and sharing no code with the package.

Only the accounting quantities are taken over; `tests/households` holds them to hand-worked numbers.
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

Row = dict[str, Any]
CODE = {
    "income": "source", "spending": "category", "risk_events": "cause", "monitoring": "event",
    "support": "measure", "visits": "outcome", "assets": "kind",
}  # fmt: skip
KEYS = {"members": ["member_id", "valid_from"], "assets": ["household_id", "kind", "valid_from"]}
RIGID = ["medical", "education", "housing", "disaster", "accident"]


def rows(county: County, name: str) -> list[Row]:
    frame = county.frame(name)
    found = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in found:
        for key, value in row.items():
            if isinstance(value, pd.Timestamp | dt.datetime):
                row[key] = value.date()
    return found


def ago(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


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
        self.sums = {n: self.by_month(n) for n in ("income", "spending")}

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
        if self.accounts[household]["income_basis"] != "months":
            return None
        window = f.window or 0
        if f.source == "income":
            sums = self.sums["income"]
            for year in range(f.lag // 12, math.ceil((f.lag + window) / 12)):
                span = range(self.last - 12 * year - 11, self.last - 12 * year + 1)
                if not any((household, "total", m) in sums for m in span):
                    return None
        if f.aggregate == "nunique":
            codes = {r[CODE[f.source]] for r in self.tables[f.source]}
            codes = {"business" if c == "business_net" else c for c in codes}
            return sum(any(y > 0 for y in self.series(f, household, c)) for c in codes)
        return self.of_series(f, self.series(f, household, f.over or ""))

    def by_month(self, name: str) -> dict[tuple[str, str, int], float]:
        """Sums by household, code and month; ``total`` and ``rigid`` beside the codes."""
        out: dict[tuple[str, str, int], float] = {}
        for r in self.tables[name]:
            code = "business" if r[CODE[name]] == "business_net" else r[CODE[name]]
            together = "total" if name == "income" else "rigid" if code in RIGID else None
            if r["month_from"] == r["month_to"]:
                for c in {code, together} - {None}:
                    key = (r["household_id"], str(c), r["month_to"])
                    out[key] = out.get(key, 0.0) + float(r["amount"])
        return out

    def series(self, f: Feature, household: str, code: str) -> list[float]:
        """Monthly sums, oldest first, months without a row as 0."""
        newest = self.last - f.lag
        months = range(newest - (f.window or 0) + 1, newest + 1)
        return [round(self.sums[f.source].get((household, code, m), 0.0), 2) for m in months]

    def of_series(self, f: Feature, y: list[float]) -> float | None:
        n = len(y)
        if f.aggregate in ("sum", "mean"):
            return math.fsum(y) / (n if f.aggregate == "mean" else 1)
        if f.aggregate == "std":
            return statistics.stdev(y)
        if f.aggregate == "cv":
            return statistics.stdev(y) / statistics.fmean(y) if sum(y) > 0 else None
        if f.aggregate == "slope":
            return statistics.linear_regression(range(n), y).slope
        if f.aggregate in ("max", "min"):
            return max(y) if f.aggregate == "max" else min(y)
        months = sum(v > 0 for v in y)
        if f.aggregate == "recency":
            return next((k for k, v in enumerate(reversed(y)) if v > 0), n)
        return months if f.aggregate == "months_with" else n - months

    def events(self, f: Feature, household: str) -> float | None:
        code = CODE[f.source]
        mine = [r for r in self.tables[f.source] if r["household_id"] == household]
        mine = [r for r in mine if f.over in (None, "any") or r[code] == f.over]
        if f.source == "assets":
            mine = [r for r in mine if valid(r, self.day)]
            if f.known_on == "authorised_on":
                mine = [r for r in mine if r["authorised_on"] and r["authorised_on"] <= self.day]
            return float(bool(mine)) if f.aggregate == "any" else len({r[code] for r in mine})
        mine = [r for r in mine if r["date"] <= self.day and holds(r, f.where)]
        inside = [r for r in mine if f.window is None or r["date"] > ago(self.day, f.window)]
        if f.aggregate == "active":
            running = [r for r in mine if r["end_date"] and r["end_date"] > self.day]
            return len(running) + sum(r["end_date"] is None for r in inside)
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
