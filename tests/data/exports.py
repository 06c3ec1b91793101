"""Made-up exports of a county office, for tests: small, whole, and with one mistake of each kind.

`clean` gives frames in the contract's own words; `write_chinese` writes them as an office would: Chinese
file names, headers and words, GB18030. `MISTAKES` are single bad rows, each with what must be said of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data.schema import codes, contract

Rows = dict[str, list[dict[str, Any]]]
MONTHS = [f"2020-{m:02d}" for m in range(1, 13)]


def clean(n: int = 6) -> Rows:
    """Return a county of ``n`` households without any fault, as rows of contract words.

    Every household has a head and a child and twelve months of wages; the other tables have a few rows.
    """
    ids = [f"h{i:02d}" for i in range(1, n + 1)]
    return {
        "households": [
            {
                "household_id": h,
                "township": "东乡",
                "village": f"村{i % 3}",
                "registration": ["lifted", "general", "not_lifted"][i % 3],
                "dibao": i % 4 == 0,
                "housing_safe": True,
                "valid_from": "2018-01-01",
            }
            for i, h in enumerate(ids)
        ],
        "members": [
            {
                "member_id": f"{h}-{role}",
                "household_id": h,
                "birth_month": born,
                "sex": sex,
                "relation": role,
                "health": "healthy",
                "work_capacity": work,
                "valid_from": "2018-01-01",
                "valid_to": None,
                "recorded_on": "2018-01-05",
            }
            for h in ids
            for role, born, sex, work in (
                ("head", "1975-03", "male", "full"),
                ("child", "2010-09", "female", "none"),
            )
        ],
        "income": [
            {"household_id": h, "month": m, "source": "wage", "amount": 1000 + 10 * i + j}
            for i, h in enumerate(ids)
            for j, m in enumerate(MONTHS)
        ],
        "spending": [
            {"household_id": h, "month": "2020-06", "category": "medical", "amount": 300.25} for h in ids
        ],
        "risk_events": [
            {
                "household_id": ids[0],
                "date": "2020-05-20",
                "cause": "illness",
                "loss": 5000,
                "channel": "cadre_screening",
            },
        ],
        "monitoring": [
            {
                "household_id": ids[0],
                "date": "2020-07-01",
                "event": "identified",
                "causes": "illness;disaster",
            },
        ],
        "support": [{"household_id": ids[0], "date": "2020-08-01", "measure": "health", "amount": 800}],
        "assets": [{"household_id": ids[1], "kind": "car", "valid_from": "2019-02-01"}],
        "visits": [
            {"household_id": ids[0], "date": "2020-06-15", "outcome": "confirmed", "selected_by": "rule"}
        ],
    }


def core(n: int = 6) -> Rows:
    """Return only the three required tables of `clean`."""
    return {table: some for table, some in clean(n).items() if table in contract().required}


@dataclass(frozen=True)
class Mistake:
    """One bad row: in which table, what it holds, and the column and reason that must be named."""

    kind: str
    table: str
    row: Mapping[str, Any]
    column: str
    reason: str


def _income(**other: Any) -> dict[str, Any]:
    return {"household_id": "h01", "month": "2021-01", "source": "wage", "amount": 700} | other


def _member(**other: Any) -> dict[str, Any]:
    start = {
        "member_id": "h02-new",
        "household_id": "h02",
        "birth_month": "1980-01",
        "valid_from": "2019-01-01",
    }
    return start | other


MISTAKES = [
    Mistake("unknown id", "income", _income(household_id="h99"), "household_id", "unknown id"),
    Mistake("unknown code", "income", _income(source="lottery"), "source", "unknown code"),
    Mistake("unparsable date", "income", _income(month="spring"), "month", "unparsable date"),
    Mistake("impossible date", "members", _member(valid_from="2019-02-30"), "valid_from", "impossible date"),
    Mistake("impossible month", "income", _income(month="2021-13"), "month", "impossible date"),
    Mistake("negative amount", "income", _income(amount=-5), "amount", "negative amount"),
    Mistake("non-finite amount", "income", _income(amount="inf"), "amount", "non-finite amount"),
    Mistake("not a number", "income", _income(amount="七百"), "amount", "unparsable number"),
    Mistake("missing amount", "income", _income(amount=""), "amount", "missing value"),
    Mistake(
        "duplicate row",
        "income",
        {"household_id": "h01", "month": "2020-01", "source": "wage", "amount": 1000},
        "",
        "duplicate row",
    ),
    Mistake(
        "duplicate key",
        "members",
        {
            "member_id": "h03-head",
            "household_id": "h03",
            "birth_month": "1976-03",
            "valid_from": "2018-01-01",
            "recorded_on": "2018-01-05",
        },
        "member_id",
        "duplicate key",
    ),
    Mistake(
        "overlapping validity",
        "members",
        {
            "member_id": "h04-head",
            "household_id": "h05",
            "birth_month": "1975-03",
            "valid_from": "2020-01-01",
            "recorded_on": "2020-01-03",
        },
        "valid_from",
        "overlapping validity",
    ),
    Mistake(
        "birth after death",
        "members",
        _member(birth_month="2020-05", valid_to="2020-01-01"),
        "valid_to",
        "birth after death",
    ),
    Mistake("formula-like cell", "income", _income(amount="=A1+B1"), "amount", "formula-like cell"),
]


def chinese(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row under Chinese headers, with Chinese words for codes and booleans."""
    columns = contract().tables[table].columns
    out = {}
    for name, value in row.items():
        header = columns[name].zh if name in columns else "录入日期"
        words = codes(table, name) if name in columns else {}
        if isinstance(value, bool):
            value = "是" if value else "否"
        elif isinstance(value, str):
            value = ";".join(words.get(part, part) for part in value.split(";")) if words else value
        out[header] = value
    return out


def write_chinese(folder: Path, rows: Rows, encoding: str = "gb18030") -> Path:
    """Write rows of contract words as an office's CSV export: Chinese names, headers, words."""
    folder.mkdir(parents=True, exist_ok=True)
    for table, some in rows.items():
        translated = [chinese(table, row) for row in some]
        headers = list(dict.fromkeys(header for row in translated for header in row))
        path = folder / f"{contract().tables[table].zh}.csv"
        with path.open("w", encoding=encoding, newline="") as stream:
            writer = csv.DictWriter(stream, headers, restval="")
            writer.writeheader()
            writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in translated)
    return folder


def frames(rows: Rows) -> dict[str, pd.DataFrame]:
    """Return rows of contract words as frames, for `riskmodel.data.from_frames` and `write`."""
    return {table: pd.DataFrame(some) for table, some in rows.items()}


def with_mistakes(rows: Rows | None = None) -> tuple[Rows, list[tuple[Mistake, int]]]:
    """Append one row of each mistake; return the rows and, for each mistake, its row number in the file."""
    out = {table: list(some) for table, some in (rows or core()).items()}
    placed = []
    for mistake in MISTAKES:
        out[mistake.table].append(dict(mistake.row))
        placed.append((mistake, len(out[mistake.table]) + 1))
    return out, placed


def annual(n: int = 6) -> Rows:
    """Return what many offices really have: annual totals, and one snapshot without any date.

    Totals of 2018, 2019 and 2020; ``business_net`` of the second household is negative in 2020. The first
    member table and the households carry no date at all: they exist from ``snapshot_on``.
    """
    rows = clean(n)
    ids = [row["household_id"] for row in rows["households"]]
    for table in ("households", "members"):
        dates = ("valid_from", "valid_to", "recorded_on")
        rows[table] = [{k: v for k, v in row.items() if k not in dates} for row in rows[table]]
    rows["income"] = [
        {
            "household_id": h,
            "month_from": f"{y}-01",
            "month_to": f"{y}-12",
            "source": source,
            "amount": amount,
        }
        for i, h in enumerate(ids)
        for y in (2018, 2019, 2020)
        for source, amount in (
            ("wage", 9000 + 100 * i + y),
            ("business_net", -500 if (i, y) == (1, 2020) else 2000),
        )
    ]
    return {table: rows[table] for table in ("households", "members", "income")}
