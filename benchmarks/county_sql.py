"""A large random county, made inside DuckDB: canonical tables, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import duckdb
import ibis

from riskmodel.data import About, County
from riskmodel.data.schema import canonical_schema, month_ordinal

FIRST_YEAR = 2018
SOURCES = {"wage": 0.6, "business": 0.4, "property": 0.05, "transfer": 0.5}
SPENDING = {
    "production": 0.3,
    "medical": 0.2,
    "education": 0.15,
    "living": 0.9,
    "housing": 0.01,
    "other": 0.2,
}
DATED = {
    "risk_events": ("cause", ("illness", "disaster", "accident", "unstable_employment"), 0.03, "loss"),
    "monitoring": ("event", ("identified", "eliminated"), 0.002, None),
    "support": ("measure", ("industry", "employment", "health", "education"), 0.05, "amount"),
    "visits": ("outcome", ("confirmed", "not_confirmed"), 0.01, None),
}


def draw(*keys: object) -> str:
    """Return SQL for a number in [0, 1) that depends on the keys only, not on threads."""
    return f"((hash({', '.join(map(str, keys))}) % 1000003) / 1000003.0)"


def household(column: str = "h") -> str:
    return f"'h' || lpad({column}::VARCHAR, 7, '0')"


def households(n: int, seed: int) -> str:
    lifted = f"CASE WHEN {draw(seed, 'h')} < 0.4 THEN 'lifted' ELSE 'general' END"
    return f"""
        SELECT {household()} AS household_id, 't' || (h % 12) AS township, 'v' || (h % 240) AS village,
               {lifted} AS registration, 2018 AS lifted_year, {draw(seed, "h", 1)} < 0.1 AS dibao,
               true AS housing_safe, {draw(seed, "h", 2)} < 0.98 AS water_safe,
               make_date({FIRST_YEAR}, 1, 1) AS valid_from, make_date({FIRST_YEAR}, 1, 1) AS known_on
        FROM range({n}) a(h)"""


def members(n: int, seed: int) -> str:
    def one_in(code: str, other: str, share: float, k: int) -> str:
        return f"CASE WHEN {draw(seed, 'h', 'i', k)} < {share} THEN '{code}' ELSE '{other}' END"

    return f"""
        SELECT 'm' || h || '_' || i AS member_id, {household()} AS household_id,
               ({month_ordinal(1935, 1)} + ({draw(seed, "h", "i")} * 960)::INT)::INT AS birth_month,
               ['head', 'spouse', 'child', 'parent', 'child', 'other'][i + 1] AS relation,
               {one_in("compulsory", "none", 0.2, 1)} AS schooling,
               {one_in("chronic", "healthy", 0.1, 2)} AS health,
               {one_in("full", "none", 0.5, 3)} AS work_capacity, {draw(seed, "h", "i", 4)} < 0.8 AS resident,
               0 AS disability_grade, true AS insured, make_date({FIRST_YEAR}, 1, 1) AS valid_from,
               make_date({FIRST_YEAR}, 1, 1) AS known_on
        FROM range({n}) a(h), range(6) b(i) WHERE i <= {draw(seed, "h", 5)} * 6"""


def amounts(name: str, n: int, months: int, seed: int) -> str:
    """Return SQL for income or spending: one row per code and month drawn, a tenth up to 90 days late."""
    code, shares = ("source", SOURCES) if name == "income" else ("category", SPENDING)
    first = month_ordinal(FIRST_YEAR, 1)
    key = (f"'{name}{seed}'", "h", "m", "code")
    late = f"CASE WHEN {draw(*key, 1)} < 0.1 THEN ({draw(*key, 2)} * 90)::INT ELSE 0 END"
    end = f"make_date(({first} + m + 1) // 12, ({first} + m + 1) % 12 + 1, 1) - 1"
    rows = ", ".join(f"('{c}', {p})" for c, p in shares.items())
    return f"""
        SELECT {household()} AS household_id, ({first} + m)::INT AS month_from,
               ({first} + m)::INT AS month_to,
               code AS "{code}", (round(20 + {draw(*key, 3)} * 2500, 2))::DECIMAL(18,4) AS amount,
               ({end} + {late})::DATE AS known_on
        FROM range({n}) a(h), range({months}) b(m), (VALUES {rows}) c(code, share)
        WHERE {draw(*key)} < share"""


def dated(name: str, n: int, months: int, seed: int) -> str:
    """Return SQL for a table of dated rows."""
    code, codes, rate, amount = DATED[name]
    key = (f"'{name}{seed}'", "h", "m")
    day = (
        f"(make_date({FIRST_YEAR}, 1, 1) + to_months(m::INT) + ({draw(*key, 1)} * 27)::INT * INTERVAL 1 DAY)"
    )
    value = f", (round({draw(*key, 3)} * 9000, 2))::DECIMAL(18,4) AS {amount}" if amount else ""
    return f"""
        SELECT {household()} AS household_id, {day}::DATE AS date, {day}::DATE AS known_on,
               {list(codes)}[1 + ({draw(*key, 2)} * {len(codes)})::INT % {len(codes)}] AS "{code}"{value}
        FROM range({n}) a(h), range({months}) b(m) WHERE {draw(*key)} < {rate}"""


def write(folder: Path, n: int, months: int, seed: int = 0) -> None:
    """Write a county as Parquet files of canonical tables."""
    sql = {"households": households(n, seed), "members": members(n, seed)}
    sql |= {name: amounts(name, n, months, seed) for name in ("income", "spending")}
    sql |= {name: dated(name, n, months, seed) for name in DATED}
    with duckdb.connect() as con:
        con.execute("SET threads = 2; SET enable_progress_bar = false")
        for name, query in sql.items():
            con.execute(f"COPY ({query}) TO '{folder / name}.parquet'")


def read(folder: Path, threads: int = 2, gib: int | None = None) -> County:
    """Return the county of a folder that `write` filled, in memory; beyond ``gib`` it spills beside it."""
    limits = {} if gib is None else {"memory_limit": f"{gib}GiB", "temp_directory": str(folder / "spill")}
    con = ibis.duckdb.connect(threads=threads, **limits)
    con.raw_sql("SET enable_progress_bar = false")
    tables = {}
    for path in sorted(folder.glob("*.parquet")):
        t = con.read_parquet(path)
        schema = canonical_schema(path.stem)
        full = {c: t[c].cast(k) if c in t.columns else ibis.null(k) for c, k in schema.items()}
        tables[path.stem] = con.create_table(path.stem, t.select(**full))
    return County(con=con, tables=tables, about=About(coverage="whole", records_from=f"{FIRST_YEAR}-01"))
