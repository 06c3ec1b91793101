"""Random counties full of borders: what the engine and the row-by-row reference are both asked about.

`county_rows` draws through a `Chooser`, so that the same process serves hypothesis (which shrinks a
failing county) and a seeded generator (which gives thousands of households a run).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames

from .reference import CAUSES, EVENT_ORDER, Tables, month_name, month_number

AS_OF = [
    dt.date(2020, 12, 31),
    dt.date(2021, 5, 31),
    dt.date(2021, 6, 1),
    dt.date(2022, 2, 28),
    dt.date(2022, 5, 1),
]
SNAPSHOT = dt.date(2020, 3, 1)
# Rows are few: all months are on record, but of households in table `recorded` until the month it says.
ABOUT = {
    "snapshot_on": SNAPSHOT, "coverage": "whole", "records_from": "2017-01",
    "data_through": dt.date(2023, 12, 31),
}  # fmt: skip
# Incomes per head on, just under and just over every line of the twelve sets.
HEADS = [
    "0", "1", "-100", "4999.9999", "5000", "5000.0001", "5200", "5200.0001", "5999.9999", "6000", "6000.0001",
    "6999.9999", "7000", "7499.9999", "7500", "8000", "8999.9999", "9000", "9999.9999", "10000", "12000",
    "15788.9999", "15789", "20000", "3000", "2500", "6600", "5400", "4500",
]  # fmt: skip
RIGID = ["0", "1500", "2000", "3000", "5000", "5000.01", "6000", "8000", "8000.01", "12000", "18000", "60000"]
DATES = [dt.date.fromisoformat(d) for d in [
    "2017-01-01", "2019-05-01", "2019-12-31", "2020-02-29", "2020-05-01", "2020-05-31", "2020-06-01",
    "2020-06-02", "2020-11-30", "2020-12-31", "2021-01-15", "2021-02-28", "2021-05-01", "2021-05-31",
    "2021-06-01", "2021-06-02", "2021-11-05", "2022-02-28", "2022-04-30", "2022-05-01", "2022-06-01",
]]  # fmt: skip
# Ages 5 to 19 and 59 to 61 on the as-of dates, and grown-ups.
BIRTHS = [
    "2015-06", "2015-05", "2014-12", "2006-06", "2006-05", "2005-06", "2005-05", "2004-05", "2004-06",
    "2003-05", "2002-06", "1961-06", "1961-05", "1962-05", "1990-01", "1985-07", "1950-03",
]  # fmt: skip
COLUMNS: dict[str, list[str]] = {
    "households": [
        "household_id", "township", "village", "registration", "lifted_year", "dibao", "tekun",
        "housing_safe", "water_safe", "valid_from", "recorded_on",
    ],
    "members": [
        "member_id", "household_id", "birth_month", "relation", "schooling", "health", "disability_grade",
        "work_capacity", "insured", "resident", "valid_from", "valid_to", "recorded_on",
    ],
    "income": [
        "household_id", "month", "month_from", "month_to", "source", "amount", "row_id", "recorded_on",
    ],
    "spending": [
        "household_id", "month", "month_from", "month_to", "category", "amount", "row_id", "recorded_on",
    ],
    "risk_events": ["household_id", "date", "cause", "channel", "row_id", "recorded_on"],
    "monitoring": ["household_id", "date", "event", "causes", "recorded_on"],
    "support": ["household_id", "date", "measure", "cause", "end_date", "recorded_on"],
    "assets": ["household_id", "kind", "valid_from", "valid_to", "recorded_on"],
    "recorded": ["household_id", "of", "month_from", "month_to", "recorded_on"],
}  # fmt: skip


class Chooser:
    """Picks from lists; everything random goes through here."""

    def __init__(self, pick: Callable[[Sequence[Any]], Any]):
        self.pick = pick

    def maybe(self, per_cent: int) -> bool:
        return self.pick(range(100)) >= 100 - per_cent

    def number(self, low: int, high: int) -> int:
        return self.pick(range(low, high + 1))

    def or_none(self, options: Sequence[Any], none: int = 15) -> Any:
        return None if self.maybe(none) else self.pick(options)


def seeded(seed: int) -> Chooser:
    return Chooser(random.Random(seed).choice)


@st.composite
def draw_tables(draw: Any, households: int = 2) -> Tables:
    """A hypothesis strategy for small counties; it shrinks towards the first of every list."""
    return county_rows(Chooser(lambda options: draw(st.sampled_from(options))), households)


def county_rows(c: Chooser, households: int) -> Tables:
    """Draw a county; optional tables are sometimes absent, sometimes there and empty."""
    tables: Tables = {name: [] for name in COLUMNS}
    for i in range(households):
        _household(c, f"h{i:05d}", tables)
    for name in ("spending", "risk_events", "monitoring", "support", "assets"):
        fate = c.number(0, 11)
        if fate == 11:
            del tables[name]
        elif fate == 10:
            tables[name] = []
    return tables


def _late(c: Chooser, per_cent: int = 12) -> dt.date | None:
    return c.pick(DATES[8:]) if c.maybe(per_cent) else None


def _household(c: Chooser, name: str, tables: Tables) -> None:
    starts = sorted({c.pick([None, *DATES[:10]]) or dt.date.min for _ in range(c.number(1, 2))})
    for start in starts:
        row = _state(c, name, None if start == dt.date.min else start)
        tables["households"].append(row)
        if c.maybe(10):  # a correction of the same key, recorded later
            tables["households"].append(
                {**_state(c, name, row["valid_from"]), "recorded_on": dt.date(2021, 5, 31)}
            )
            row["recorded_on"] = dt.date(2020, 6, 1)
    people = c.number(0, 4)
    for i in range(people):
        _member(c, name, f"{name}m{i}", tables)
    _money(c, name, max(people, 1), tables)
    if c.maybe(35):
        _recorded(c, name, tables)
    for _ in range(c.number(0, 2)):
        row = {
            "household_id": name,
            "date": c.pick(DATES[1:]),
            "cause": c.pick(CAUSES),
            "channel": c.or_none(["household_application", "cadre_screening"]),
            "recorded_on": _late(c),
        }
        tables["risk_events"].append(row)
        if c.maybe(10):
            row |= {"row_id": f"{name}e{len(tables['risk_events'])}", "recorded_on": dt.date(2020, 6, 1)}
            tables["risk_events"].append({**row, "cause": c.pick(CAUSES), "recorded_on": dt.date(2021, 6, 1)})
    causes = _register(c, name, tables)
    _support(c, name, causes, tables)
    for kind in (
        {c.pick(["public_employee", "car", "company", "commercial_housing", "shop", "machinery"])}
        if c.maybe(25)
        else set()
    ):
        row = {"household_id": name, "kind": kind, "valid_from": c.or_none(DATES), "valid_to": None}
        row["valid_to"] = c.or_none([d for d in DATES if d > (row["valid_from"] or DATES[0])] or [None], 70)
        tables["assets"].append({**row, "recorded_on": _late(c)})


def _state(c: Chooser, name: str, start: dt.date | None) -> dict[str, Any]:
    return {
        "household_id": name,
        "township": "t1",
        "village": "v1",
        "registration": c.pick(["lifted", "general", "lifted", "general", "not_lifted"]),
        "lifted_year": c.or_none([2018, 2020]),
        "dibao": c.or_none([False, True]),
        "tekun": c.or_none([False, False, True]),
        "housing_safe": c.or_none([True, True, True, False]),
        "water_safe": c.or_none([True, True, True, False]),
        "valid_from": start,
        "recorded_on": _late(c, 5),
    }


def _member(c: Chooser, home: str, name: str, tables: Tables) -> None:
    start = c.or_none(DATES[:12], 50)
    leaves = c.or_none([d for d in DATES if start is None or d > start], 80)
    row = _person(c, home, name) | {"valid_from": start, "valid_to": leaves, "recorded_on": _late(c, 5)}
    tables["members"].append(row)
    if leaves and c.maybe(30):  # the same person again, in another state
        tables["members"].append(_person(c, home, name) | {"valid_from": leaves, "recorded_on": _late(c, 5)})
    if c.maybe(8):
        row["recorded_on"] = dt.date(2020, 5, 31)
        tables["members"].append({**row, **_person(c, home, name), "recorded_on": dt.date(2021, 6, 1)})


def _person(c: Chooser, home: str, name: str) -> dict[str, Any]:
    return {
        "member_id": name,
        "household_id": home,
        "birth_month": c.pick(BIRTHS),
        "relation": c.or_none(["head", "spouse", "child", "parent", "grandchild"]),
        "schooling": c.or_none(["none", "compulsory", "college", "college", "dropped_out", "preschool"]),
        "health": c.or_none(["healthy", "healthy", "healthy", "chronic", "major_illness"]),
        "disability_grade": c.or_none([0, 0, 0, 1, 2, 3]),
        "work_capacity": c.or_none(["full", "none", "none", "partial"]),
        "insured": c.or_none([True, True, True, False]),
        "resident": c.or_none([True, True, False]),
    }


def _money(c: Chooser, name: str, people: int, tables: Tables) -> None:
    """Twelve-month blocks whose net income per head lies on a border; aligned in one of several ways."""
    if c.maybe(5):
        return
    last = month_number(c.pick(["2021-05", "2021-05", "2021-12", "2022-04", "2020-12"]))
    by_total = c.maybe(20)
    for back in range(-1, 4):
        end = last - 12 * back
        if c.maybe(15):
            continue
        target = float(c.pick(HEADS)) * people
        costs = float(c.pick(["0", "0", "1000", "12345.67"]))
        if target + costs < 0:
            costs = -target
        if by_total:
            _total(c, name, end, target, costs, tables)
        else:
            _months(c, name, end, target, costs, tables)
        if c.maybe(60):
            category = c.pick(["medical", "education", "housing", "disaster", "accident", "living"])
            month = month_name(end - c.number(0, 11))
            row = {
                "household_id": name,
                "category": category,
                "month": month,
                "amount": _amount(c.pick(RIGID)),
            }
            tables["spending"].append({**row, "recorded_on": _late(c, 4)})


def _recorded(c: Chooser, name: str, tables: Tables) -> None:
    """State until when a household's months are on record; often a month or more before an as-of date."""
    last = c.pick(["2022-04", "2022-02", "2021-05", "2021-04", "2021-03", "2021-02", "2021-01", "2020-11"])
    for of in ("income", "spending"):
        until = month_name(month_number(last) + c.pick([0, 0, 0, 1, -1]))
        row = {"household_id": name, "of": of, "month_from": "2017-06", "month_to": until}
        tables["recorded"].append({**row, "recorded_on": dt.date(2020, 6, 1)})


def _amount(value: float | str) -> float:
    return round(float(value), 4)


def _months(c: Chooser, name: str, end: int, target: float, costs: float, tables: Tables) -> None:
    rows = []
    rest = target + costs
    for _ in range(c.number(0, 3)):
        part = min(rest, float(c.pick(["0", "1000", "2000.25"])))
        rows.append((end - c.number(0, 11), part))
        rest -= part
    rows.append((end - c.number(0, 11), rest))
    for month, amount in rows:
        source = c.pick(["wage", "wage", "business", "transfer", "property"])
        row = {"household_id": name, "source": source, "month": month_name(month), "amount": _amount(amount)}
        row["recorded_on"] = _late(c, 4)
        if row in tables["income"]:  # equal rows are another matter: they are one
            continue
        tables["income"].append(row)
        if c.maybe(4):
            row |= {"row_id": f"{name}i{len(tables['income'])}", "recorded_on": dt.date(2020, 6, 1)}
            tables["income"].append(
                {**row, "amount": _amount(amount + 1), "recorded_on": dt.date(2021, 6, 1)}
            )
    if costs:
        month = month_name(end - c.number(0, 11))
        row = {"household_id": name, "category": "production", "month": month, "amount": _amount(costs)}
        tables["spending"].append(row)


def _total(c: Chooser, name: str, end: int, target: float, costs: float, tables: Tables) -> None:
    span = {"household_id": name, "month_from": month_name(end - 11), "month_to": month_name(end)}
    recorded = c.pick([None, None, dt.date(2021, 5, 31), dt.date(2022, 2, 28)])
    if c.maybe(30):
        net = {**span, "source": "business_net", "amount": _amount(target - 500), "recorded_on": recorded}
        tables["income"].append(net)
        tables["income"].append({**span, "source": "transfer", "amount": 500.0, "recorded_on": recorded})
    else:
        row = {**span, "source": c.pick(["wage", "business"]), "amount": _amount(target + costs)}
        tables["income"].append({**row, "recorded_on": recorded})
    if costs:
        row = {**span, "category": "production", "amount": _amount(costs), "recorded_on": recorded}
        tables["spending"].append(row)


def _register(c: Chooser, name: str, tables: Tables) -> list[str]:
    causes: list[str] = []
    days = sorted({c.pick(DATES[1:]) for _ in range(c.number(0, 2))})
    for day in days:
        causes = sorted({c.pick(CAUSES[:5]) for _ in range(c.number(0, 2))})
        row = {
            "household_id": name,
            "date": day,
            "event": c.pick(EVENT_ORDER),
            "causes": ";".join(causes) or None,
        }
        tables["monitoring"].append({**row, "recorded_on": _late(c, 8)})
    return causes


def _support(c: Chooser, name: str, causes: list[str], tables: Tables) -> None:
    asked = [*causes, *(c.or_none(CAUSES) for _ in range(c.number(0, 2)))]
    for cause in asked:
        if c.maybe(20):
            continue
        row = {
            "household_id": name,
            "date": c.pick(DATES[1:]),
            "measure": c.pick(["industry", "education", "social_security", "social_security"]),
            "cause": cause,
            "end_date": c.or_none(DATES[6:], 60),
            "recorded_on": _late(c, 8),
        }
        tables["support"].append(row)


def build(tables: Tables) -> County:
    """Hand the rows to the package as a county."""
    frames = {}
    for name, rows in tables.items():
        frame = pd.DataFrame(rows, columns=COLUMNS[name], dtype=object)
        frames[name] = frame
    return county_of_frames(frames, About.model_validate(ABOUT))
