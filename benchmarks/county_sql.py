"""A large random county, made inside DuckDB: canonical tables, the same for the same seed."""

from __future__ import annotations

import ibis

from riskmodel.county import About, County
from riskmodel.county.schema import canonical_schema, month_ordinal

FIRST_YEAR = 2018
SOURCES = {"wage": 0.6, "business": 0.4, "property": 0.05, "transfer": 0.5}
TABLES = ("households", "members", "income", "spending", "risk_events", "monitoring", "support", "visits")
CATEGORIES = {
    "production": 0.3,
    "medical": 0.2,
    "education": 0.15,
    "living": 0.9,
    "housing": 0.01,
    "other": 0.2,
}


def draw(*keys: str) -> str:
    """Return SQL for a number in [0, 1) that depends on the keys only, not on threads."""
    return f"((hash({', '.join(keys)}) % 1000003) / 1000003.0)"


def month_end(ordinal: str) -> str:
    return f"(make_date(({ordinal} + 1) // 12, ({ordinal} + 1) % 12 + 1, 1) - 1)::DATE"


def amounts(name: str, code: str, shares: dict[str, float], households: int, months: int, seed: int) -> str:
    """Return SQL for income or spending: one row per code and month drawn, a tenth recorded up to 90 days late."""
    first = month_ordinal(FIRST_YEAR, 1)
    rows = ", ".join(f"('{c}', {p})" for c, p in shares.items())
    key = f"'{name}{seed}', h, m, code"
    late = f"CASE WHEN {draw(key, '1')} < 0.1 THEN ({draw(key, '2')} * 90)::INT ELSE 0 END"
    return f"""
        CREATE TABLE {name} AS
        SELECT 'h' || lpad(h::VARCHAR, 7, '0') AS household_id, ({first} + m)::INT AS month_from,
               ({first} + m)::INT AS month_to, code AS "{code}",
               (round(20 + {draw(key, "3")} * 2500, 2))::DECIMAL(18,4) AS amount, NULL::VARCHAR AS row_id,
               ({month_end(f"({first} + m)")} + {late})::DATE AS known_on
        FROM range({households}) a(h), range({months}) b(m), (VALUES {rows}) c(code, share)
        WHERE {draw(key)} < share"""


def dated(
    name: str, code: str, codes: list[str], rate: float, households: int, months: int, seed: int
) -> str:
    """Return SQL for a table of dated rows."""
    listed = "[" + ", ".join(f"'{c}'" for c in codes) + "]"
    key = f"'{name}{seed}', h, m"
    day = f"(make_date({FIRST_YEAR}, 1, 1) + to_months(m::INT) + ({draw(key, '1')} * 27)::INT * INTERVAL 1 DAY)::DATE"
    return f"""
        CREATE TABLE {name} AS
        SELECT 'h' || lpad(h::VARCHAR, 7, '0') AS household_id, {day} AS date,
               {listed}[1 + ({draw(key, "2")} * {len(codes)})::INT % {len(codes)}] AS "{code}", {day} AS known_on,
               (round({draw(key, "3")} * 9000, 2))::DECIMAL(18,4) AS figure
        FROM range({households}) a(h), range({months}) b(m) WHERE {draw(key)} < {rate}"""


def make(households: int, months: int = 48, seed: int = 0, threads: int = 2) -> County:
    """Return a county of random tables, all of the contract's that features read."""
    con = ibis.duckdb.connect(threads=threads)
    con.raw_sql(f"""
        CREATE TABLE households AS
        SELECT 'h' || lpad(h::VARCHAR, 7, '0') AS household_id, 't' || (h % 12) AS township,
               'v' || (h % 240) AS village, CASE WHEN {draw(str(seed), "h")} < 0.4 THEN 'lifted' ELSE 'general' END
               AS registration, 2018 AS lifted_year, {draw(str(seed), "h", "1")} < 0.1 AS dibao, false AS tekun,
               false AS relocated, true AS housing_safe, {draw(str(seed), "h", "2")} < 0.98 AS water_safe,
               make_date({FIRST_YEAR}, 1, 1) AS valid_from, make_date({FIRST_YEAR}, 1, 1) AS known_on
        FROM range({households}) a(h)""")
    con.raw_sql(f"""
        CREATE TABLE members AS
        SELECT 'm' || h || '_' || i AS member_id, 'h' || lpad(h::VARCHAR, 7, '0') AS household_id,
               ({month_ordinal(1935, 1)} + ({draw(str(seed), "h", "i")} * 960)::INT)::INT AS birth_month,
               CASE WHEN i % 2 = 0 THEN 'male' ELSE 'female' END AS sex,
               ['head', 'spouse', 'child', 'parent', 'child', 'other'][i + 1] AS relation,
               CASE WHEN {draw(str(seed), "h", "i", "1")} < 0.2 THEN 'compulsory' ELSE 'none' END AS schooling,
               CASE WHEN {draw(str(seed), "h", "i", "2")} < 0.1 THEN 'chronic' ELSE 'healthy' END AS health,
               0 AS disability_grade,
               CASE WHEN {draw(str(seed), "h", "i", "3")} < 0.5 THEN 'full' ELSE 'none' END AS work_capacity,
               true AS insured, true AS hukou, {draw(str(seed), "h", "i", "4")} < 0.8 AS resident,
               make_date({FIRST_YEAR}, 1, 1) AS valid_from, make_date({FIRST_YEAR}, 1, 1) AS known_on
        FROM range({households}) a(h), range(6) b(i) WHERE i <= {draw(str(seed), "h", "5")} * 6""")
    con.raw_sql(amounts("income", "source", SOURCES, households, months, seed))
    con.raw_sql(amounts("spending", "category", CATEGORIES, households, months, seed))
    causes = ["illness", "disaster", "accident", "unstable_employment", "industry_failure"]
    for name, code, codes, rate in (
        ("risk_events", "cause", causes, 0.03),
        ("monitoring", "event", ["identified", "eliminated"], 0.002),
        ("support", "measure", ["industry", "employment", "health", "education"], 0.05),
        ("visits", "outcome", ["confirmed", "not_confirmed"], 0.01),
    ):
        con.raw_sql(dated(name, code, codes, rate, households, months, seed))
    return County(con=con, tables={t: _canonical(con, t) for t in TABLES}, about=About())


def _canonical(con: ibis.backends.duckdb.Backend, name: str) -> ibis.Table:
    t = con.table(name)
    renamed = {"risk_events": "loss", "support": "amount"}.get(name)
    if "figure" in t.columns:
        t = t.rename({renamed: "figure"}) if renamed else t.drop("figure")
    schema = canonical_schema(name)
    t = t.select(**{c: t[c].cast(k) if c in t.columns else ibis.null(k) for c, k in schema.items()})
    return con.create_table(f"{name}_canonical", t)
