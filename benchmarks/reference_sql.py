"""The monthly features of household-v1 again, as SQL written by hand: grouped by code, then pivoted.

This is what a careful analyst would write for DuckDB (one ``FILTER`` per column is about four times
slower). It shares no code with the package: codes, windows, lags and names are typed in here.
"""

from __future__ import annotations

import datetime as dt

# Column -> (code, aggregate, window, lag), before division by the persons of the household.
Spec = dict[str, tuple[str, str, int, int]]


def income() -> Spec:
    out: Spec = {}
    for code in ("total", "wage"):
        for w in (3, 6, 12, 24):
            out[f"income_{code}_{w}m"] = (code, "sum", w, 0)
        for w in (3, 6):
            out[f"income_{code}_{w}m_year_before"] = (code, "sum", w, 12)
        for w in (6, 12, 24):
            out[f"income_{code}_cv_{w}m"] = (code, "cv", w, 0)
            out[f"income_{code}_trend_{w}m"] = (code, "slope", w, 0)
        out[f"income_{code}_std_12m"] = (code, "std", 12, 0)
        out[f"income_{code}_best_month_12m"] = (code, "max", 12, 0)
    for code in ("business", "transfer"):
        out[f"income_{code}_6m"] = (code, "sum", 6, 0)
        out[f"income_{code}_24m"] = (code, "sum", 24, 0)
        out[f"months_with_{code}_24m"] = (code, "with", 24, 0)
    for w in (3, 6, 12, 24):
        out[f"months_without_wage_{w}m"] = ("wage", "without", w, 0)
    for w in (6, 12):
        out[f"income_total_worst_month_{w}m"] = ("total", "min", w, 0)
        out[f"months_without_income_{w}m"] = ("total", "without", w, 0)
    for code in ("wage", "business"):
        out[f"months_since_{code}"] = (code, "recency", 24, 0)
    for w in (3, 12):
        out[f"income_sources_{w}m"] = ("", "kinds", w, 0)
    out["income_business_cv_12m"] = ("business", "cv", 12, 0)
    return out


def spending() -> Spec:
    out: Spec = {}
    for code in ("rigid", "medical"):
        for w in (3, 6, 12, 24):
            out[f"spending_{code}_{w}m"] = (code, "sum", w, 0)
        for w in (12, 24):
            out[f"spending_{code}_peak_{w}m"] = (code, "max", w, 0)
        out[f"months_since_{code}_spending"] = (code, "recency", 24, 0)
    for w in (6, 24):
        out[f"spending_education_{w}m"] = ("education", "sum", w, 0)
    for code in ("housing", "disaster", "accident"):
        out[f"spending_{code}_24m"] = (code, "sum", 24, 0)
    for w in (3, 12):
        out[f"spending_living_month_{w}m"] = ("living", "mean", w, 0)
    for code in ("rigid", "medical", "living"):
        out[f"spending_{code}_trend_12m"] = (code, "slope", 12, 0)
    for w in (12, 24):
        out[f"months_with_medical_{w}m"] = ("medical", "with", w, 0)
    return out


PARTS = {
    "sum": "s", "mean": "s", "std": "sq", "cv": "sq", "slope": "sw", "max": "hn", "min": "ln",
    "with": "p", "without": "p", "recency": "r", "kinds": "p",
}  # fmt: skip
PART_SQL = {
    "s": "sum(CASE WHEN {c} THEN y END)", "q": "sum(CASE WHEN {c} THEN y * y END)",
    "w": "sum(CASE WHEN {c} THEN y * age END)", "h": "max(CASE WHEN {c} THEN y END)",
    "l": "min(CASE WHEN {c} THEN y END)", "n": "count(CASE WHEN {c} THEN 1 END)",
    "p": "count(CASE WHEN {c} AND y > 0 THEN 1 END)", "r": "min(CASE WHEN {c} AND y > 0 THEN age END)",
}  # fmt: skip
RIGID = "('medical', 'education', 'housing', 'disaster', 'accident')"


def monthly(table: str, dates: list[dt.date]) -> str:
    """Return the SQL for all columns of ``income`` or ``spending``; dates are ends of months."""
    columns, code = (income(), "source") if table == "income" else (spending(), "category")
    clock = ", ".join(f"(DATE '{d}', {d.year * 12 + d.month - 1})" for d in dates)
    together, parts = ("total", "") if table == "income" else ("rigid", f"WHERE code IN {RIGID}")
    return f"""
    WITH clock(as_of, last_month) AS (VALUES {clock}),
    months AS (
        SELECT household_id, as_of, {code} AS code, last_month - month_to AS age,
               sum(amount::DECIMAL(18,2))::DECIMAL(18,2) AS y
        FROM {table} JOIN clock
          ON known_on <= as_of AND month_to <= last_month AND month_to > last_month - 24
        GROUP BY ALL
    ),
    every AS (
        SELECT * FROM months UNION ALL
        SELECT household_id, as_of, '{together}', age, sum(y)::DECIMAL(18,2) FROM months {parts} GROUP BY ALL
    ),
    by_code AS (SELECT household_id, as_of, code, {_windows(columns)} FROM every GROUP BY ALL),
    wide AS (SELECT household_id, as_of, {_wide(columns)} FROM by_code GROUP BY ALL)
    SELECT household_id, as_of, {_values(columns)} FROM wide"""


def _windows(columns: Spec) -> str:
    needed = sorted({(p, w, lag) for _, how, w, lag in columns.values() for p in PARTS[how]})
    out = []
    for part, w, lag in needed:
        inside = f"age >= {lag} AND age < {lag + w}" if lag else f"age < {w}"
        out.append(f"{PART_SQL[part].format(c=inside)} AS {part}_{w}_{lag}")
    return ", ".join(out)


def _wide(columns: Spec) -> str:
    out = []
    for code, how, w, lag in sorted(set(columns.values())):
        for part in PARTS[how]:
            column = f"{part}_{w}_{lag}"
            if how == "kinds":
                out.append(f"count(CASE WHEN code <> 'total' AND {column} > 0 THEN 1 END) AS kinds_{w}")
            else:
                out.append(f"max(CASE WHEN code = '{code}' THEN {column} END) AS {code}_{column}")
    return ", ".join(dict.fromkeys(out))


def _values(columns: Spec) -> str:
    return ", ".join(f"{_value(*spec)} AS {name}" for name, spec in columns.items())


def _value(code: str, how: str, w: int, lag: int) -> str:
    s, q, a, h, low, n, p, r = (f"{code}_{part}_{w}_{lag}" for part in "sqwhlnpr")
    spread = f"sqrt(({w} * {q} - {s} * {s})::DOUBLE / {w * (w - 1)})"
    return {
        "sum": f"{s}::DOUBLE",
        "mean": f"{s}::DOUBLE / {w}",
        "std": spread,
        "cv": f"CASE WHEN {s} > 0 THEN {spread} / ({s}::DOUBLE / {w}) END",
        "slope": f"({2 * lag + w - 1} * {s} - 2 * {a})::DOUBLE * 6 / {w * (w * w - 1)}",
        "max": f"CASE WHEN {n} < {w} THEN greatest({h}::DOUBLE, 0) ELSE {h}::DOUBLE END",
        "min": f"CASE WHEN {n} < {w} THEN least({low}::DOUBLE, 0) ELSE {low}::DOUBLE END",
        "with": f"{p}::DOUBLE",
        "without": f"{w} - {p}::DOUBLE",
        "recency": f"({r} - {lag})::DOUBLE",
        "kinds": f"kinds_{w}::DOUBLE",
    }[how]
