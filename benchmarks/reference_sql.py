"""The monthly features again, as SQL written by hand: grouped by household and category, then pivoted.

This is what a careful analyst would write for DuckDB (one ``FILTER`` per column is about four times
slower). It shares no code with the package: the windows, the lags and the names below are typed in.
"""

from __future__ import annotations

import datetime as dt

# name of the column -> (code, aggregate, window, lag); per head where the aggregate is in yuan.
INCOME: dict[str, tuple[str, str, int, int]] = {}
SPENDING: dict[str, tuple[str, str, int, int]] = {}

for _w in (3, 6, 12, 24):
    for _c in ("total", "wage"):
        INCOME[f"income_{_c}_{_w}m"] = (_c, "sum", _w, 0)
    INCOME[f"months_without_wage_{_w}m"] = ("wage", "without", _w, 0)
for _w in (6, 24):
    for _c in ("business", "transfer"):
        INCOME[f"income_{_c}_{_w}m"] = (_c, "sum", _w, 0)
for _c in ("total", "wage"):
    for _w in (3, 6):
        INCOME[f"income_{_c}_{_w}m_year_before"] = (_c, "sum", _w, 12)
    for _w in (6, 12, 24):
        INCOME[f"income_{_c}_cv_{_w}m"] = (_c, "cv", _w, 0)
        INCOME[f"income_{_c}_trend_{_w}m"] = (_c, "slope", _w, 0)
    INCOME[f"income_{_c}_std_12m"] = (_c, "std", 12, 0)
    INCOME[f"income_{_c}_best_month_12m"] = (_c, "max", 12, 0)
INCOME["income_business_cv_12m"] = ("business", "cv", 12, 0)
for _w in (6, 12):
    INCOME[f"income_total_worst_month_{_w}m"] = ("total", "min", _w, 0)
    INCOME[f"months_without_income_{_w}m"] = ("total", "without", _w, 0)
for _c in ("business", "transfer"):
    INCOME[f"months_with_{_c}_24m"] = (_c, "with", 24, 0)
for _c in ("wage", "business"):
    INCOME[f"months_since_{_c}"] = (_c, "recency", 24, 0)
for _w in (3, 12):
    INCOME[f"income_sources_{_w}m"] = ("", "kinds", _w, 0)

for _c in ("rigid", "medical"):
    for _w in (3, 6, 12, 24):
        SPENDING[f"spending_{_c}_{_w}m"] = (_c, "sum", _w, 0)
    for _w in (12, 24):
        SPENDING[f"spending_{_c}_peak_{_w}m"] = (_c, "max", _w, 0)
    SPENDING[f"months_since_{_c}_spending"] = (_c, "recency", 24, 0)
for _w in (6, 24):
    SPENDING[f"spending_education_{_w}m"] = ("education", "sum", _w, 0)
for _c in ("housing", "disaster", "accident"):
    SPENDING[f"spending_{_c}_24m"] = (_c, "sum", 24, 0)
for _w in (3, 12):
    SPENDING[f"spending_living_month_{_w}m"] = ("living", "mean", _w, 0)
for _c in ("rigid", "medical", "living"):
    SPENDING[f"spending_{_c}_trend_12m"] = (_c, "slope", 12, 0)
for _w in (12, 24):
    SPENDING[f"months_with_medical_{_w}m"] = ("medical", "with", _w, 0)

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


def monthly(table: str, dates: list[dt.date]) -> str:
    """Return the SQL for all columns of ``income`` or ``spending``, before division by persons."""
    columns, code = (INCOME, "source") if table == "income" else (SPENDING, "category")
    clock = ", ".join(f"(DATE '{d}', {d.year * 12 + d.month - 1})" for d in dates)
    together = "'total'" if table == "income" else "'rigid'"
    rigid = (
        ""
        if table == "income"
        else "WHERE code IN ('medical', 'education', 'housing', 'disaster', 'accident')"
    )
    return f"""
    WITH clock(as_of, last_month) AS (VALUES {clock}),
    months AS (
        SELECT household_id, as_of, {code} AS code, last_month - month_to AS age, sum(amount::DECIMAL(18,2))::DECIMAL(18,2) AS y
        FROM {table}_canonical JOIN clock
          ON known_on <= as_of AND month_to <= last_month AND month_to > last_month - 24
        GROUP BY ALL
    ),
    every AS (
        SELECT * FROM months UNION ALL
        SELECT household_id, as_of, {together}, age, sum(y)::DECIMAL(18,2) FROM months {rigid} GROUP BY ALL
    ),
    by_code AS (SELECT household_id, as_of, code, {_windows(columns)} FROM every GROUP BY ALL),
    wide AS (SELECT household_id, as_of, {_wide(columns)} FROM by_code GROUP BY ALL)
    SELECT household_id, as_of, {_values(columns)} FROM wide"""


def _needed(columns: dict[str, tuple[str, str, int, int]]) -> list[tuple[str, int, int]]:
    return sorted({(p, w, lag) for _, how, w, lag in columns.values() for p in PARTS[how]})


def _windows(columns: dict[str, tuple[str, str, int, int]]) -> str:
    out = []
    for part, w, lag in _needed(columns):
        inside = f"age >= {lag} AND age < {lag + w}" if lag else f"age < {w}"
        out.append(f"{PART_SQL[part].format(c=inside)} AS {part}_{w}_{lag}")
    return ", ".join(out)


def _wide(columns: dict[str, tuple[str, str, int, int]]) -> str:
    out = []
    for code, how, w, lag in sorted(set(columns.values())):
        for part in PARTS[how]:
            column = f"{part}_{w}_{lag}"
            if how == "kinds":
                out.append(f"count(CASE WHEN code <> 'total' AND {column} > 0 THEN 1 END) AS kinds_{w}")
            else:
                out.append(f"max(CASE WHEN code = '{code}' THEN {column} END) AS {code}_{column}")
    return ", ".join(dict.fromkeys(out))


def _values(columns: dict[str, tuple[str, str, int, int]]) -> str:
    return ", ".join(f"{_value(*spec)} AS {name}" for name, spec in columns.items())


def _value(code: str, how: str, w: int, lag: int) -> str:
    p = {part: f"{code}_{part}_{w}_{lag}" for part in PARTS[how]}
    if how == "kinds":
        return f"kinds_{w}::DOUBLE"
    if how in ("std", "cv"):
        spread = f"sqrt(({w} * {p['q']} - {p['s']} * {p['s']})::DOUBLE / {w * (w - 1)})"
        return (
            spread if how == "std" else f"CASE WHEN {p['s']} > 0 THEN {spread} / ({p['s']}::DOUBLE / {w}) END"
        )
    if how == "slope":
        return f"({2 * lag + w - 1} * {p['s']} - 2 * {p['w']})::DOUBLE * 6 / {w * (w * w - 1)}"
    if how in ("max", "min"):
        which, bound = ("h", "greatest") if how == "max" else ("l", "least")
        return f"CASE WHEN {p['n']} < {w} THEN {bound}({p[which]}::DOUBLE, 0) ELSE {p[which]}::DOUBLE END"
    return {
        "sum": f"{p.get('s')}::DOUBLE", "mean": f"{p.get('s')}::DOUBLE / {w}", "with": f"{p.get('p')}::DOUBLE",
        "without": f"{w} - {p.get('p')}::DOUBLE", "recency": f"({p.get('r')} - {lag})::DOUBLE",
    }[how]  # fmt: skip
