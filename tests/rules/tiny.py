"""Small counties for tests of single rules: only what differs has to be said.

`street` puts many households into one county, so that a table of cases costs one evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames

OPTIONAL = ("spending", "risk_events", "support", "assets", "monitoring")
NEEDED = {
    "income": ["household_id", "month", "source", "amount"],
    "spending": ["household_id", "month", "category", "amount"],
    "risk_events": ["household_id", "date", "cause"],
    "support": ["household_id", "date", "measure"],
    "assets": ["household_id", "kind", "valid_from"],
    "monitoring": ["household_id", "date", "event"],
    "members": ["member_id", "household_id", "birth_month", "valid_from"],
}
Household = dict[str, Any]
# A county never changes: tests that ask for the same one share it, and what it has computed.
_MADE: dict[str, County] = {}


def county(*income: float | None, absent: tuple[str, ...] = (), **one: Any) -> County:
    """Return a county with the household ``h``; see `street`."""
    if income:
        one["income"] = income[0]
    return street({"h": one}, absent)


def street(households: Mapping[str, Household], absent: tuple[str, ...] = ()) -> County:
    """Return a county of households as of 2021-06-01.

    Each has ``income`` in 2021-05 (6000 unless said, None for none) and ``previous`` in 2020-05;
    ``registration`` (lifted); ``state``, further columns of households; ``members``, a list (one who is
    able to work); ``more_income``, further rows; and rows of the optional tables, which are there unless
    named in ``absent``.
    """
    said = repr((households, absent))
    if said not in _MADE:
        _MADE[said] = _build(households, absent)
    return _MADE[said]


def _build(households: Mapping[str, Household], absent: tuple[str, ...]) -> County:
    rows: dict[str, list[Household]] = {name: [] for name in ("households", "members", "income", *OPTIONAL)}
    for name, one in households.items():
        base = {"household_id": name, "township": "t", "village": "v"}
        rows["households"].append(
            base | {"registration": one.get("registration", "lifted")} | one.get("state", {})
        )
        for i, member in enumerate(one.get("members", [{}])):
            person = {"member_id": f"{name}.{i}", "household_id": name, "birth_month": "1985-01"}
            rows["members"].append(person | {"work_capacity": "full"} | member)
        for month, amount in (("2021-05", one.get("income", 6000.0)), ("2020-05", one.get("previous"))):
            if amount is not None:
                paid = {"household_id": name, "month": month, "source": "wage", "amount": amount}
                rows["income"].append(paid)
        rows["income"] += [{"household_id": name, **row} for row in one.get("more_income", [])]
        for table in OPTIONAL:
            rows[table] += [{"household_id": name, **row} for row in one.get(table, [])]
    frames = {
        name: pd.DataFrame(r) if r else pd.DataFrame(columns=NEEDED[name], dtype=object)
        for name, r in rows.items()
        if name not in absent
    }
    about = About(
        snapshot_on="2019-01-01", coverage="whole", records_from="2017-01", data_through="2022-12-31"
    )
    return county_of_frames(frames, about)
