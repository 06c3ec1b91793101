"""Sums of income by source and window, of the package and of the ways they are usually written.

``python benchmarks/windows.py --households 20000 --dates 4 --json windows.json``

Sums of 3, 6, 12 and 24 months of five sources at some dates, of rows known by then; values asserted equal
where the package gives one (what is not on record has none). Processor seconds, each way in a process of its
own, the package's queries kept between processes as on an office's machine:

* ``FILTER``: one DuckDB query a table and date, a ``FILTER`` for every window and source;
* ``groupby``: pandas, one ``groupby`` a window and date;
* ``PostgreSQL``: one query a window and date, as a warehouse is asked, in seconds by the clock (a server's
  processor time cannot be seen from here). Needs ``psql`` and ``--postgres DSN``; skipped otherwise.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

import county_sql
from figures import write_figures
from riskmodel import features
from riskmodel.data.schema import month_ordinal
from riskmodel.features import Feature, FeatureSet

WINDOWS = (3, 6, 12, 24)
OVER = ("total", *county_sql.SOURCES)
KEY = ["household_id", "as_of"]
LIMITS = {"package / FILTER": 1.0, "package / groupby": 1.0, "package / PostgreSQL": 1.0}


def main() -> None:
    args = arguments()
    print(f"{args.households:,} households × {args.months} months × {args.dates} dates")
    figures: dict[str, float] = {}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        os.environ["RISKMODEL_QUERY_CACHE"] = str(folder / "queries")
        apart(county_sql.write, folder, args.households, args.months)
        days = month_ends(args.months, args.dates)
        ways: dict[str, Callable[..., Any]] = {"package": package, "FILTER": filtered, "groupby": grouped}
        seconds = {name: float("inf") for name in ways}
        frames = {}
        for _ in range(args.repeats):
            for name, way in ways.items():
                spent, frames[name] = apart(way, folder, days)
                seconds[name] = min(seconds[name], spent)
        for name in ("FILTER", "groupby"):
            assert_equal(frames["package"], frames[name], name)
        reason = why_no_postgres(args.postgres)
        if reason:
            skipped["PostgreSQL"] = reason
        else:
            seconds["PostgreSQL"] = postgres(folder, days, args.postgres)
    for name, spent in seconds.items():
        figures[f"{name} s"] = spent
        if name != "package":
            figures[f"package / {name}"] = seconds["package"] / spent
    for name, value in figures.items():
        limit = f" (aim: at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"  {name}: {value:.3g}{limit}")
    for name, why in skipped.items():
        print(f"  {name}: skipped, {why}")
    size = {"households": args.households, "months": args.months, "dates": args.dates}
    write_figures(args.json, "windows", size, figures, LIMITS, skipped=skipped)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=10_000)
    parser.add_argument("--months", type=int, default=48, help="whole years")
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--postgres", metavar="DSN", help="a database that a table may be made in")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def apart(work: Callable[..., Any], *what: Any) -> Any:
    """Run something in a process of its own and return its answer."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, what)


def month_ends(months: int, dates: int) -> list[dt.date]:
    last = pd.Timestamp(county_sql.FIRST_YEAR + months // 12, 1, 1) - pd.Timedelta(days=1)
    return [(last - pd.offsets.MonthEnd(k)).date() for k in reversed(range(dates))]


def column(over: str, window: int) -> str:
    return f"{over}_{window}"


def package(folder: Path, days: list[dt.date]) -> tuple[float, pd.DataFrame]:
    county = county_sql.read(folder, 1)
    fields = {"known_on": "recorded_on", "unit": "yuan", "zh": "x", "en": "x", "from": "income"}
    chosen = tuple(
        Feature(
            **fields, id=column(over, w), over=over, aggregate="sum", window=w, missing="null_if_no_income"
        )
        for over in OVER
        for w in WINDOWS
    )
    declared = FeatureSet(
        id="windows", version=1, zh="x", en="x", line=6000.0, line_source="x", features=chosen
    )
    start = time.process_time()
    frame = features.build_features(county, declared, days)
    return time.process_time() - start, frame[[*KEY, *declared.names]]


def filtered(folder: Path, days: list[dt.date]) -> tuple[float, pd.DataFrame]:
    """One query a date with a FILTER for every window and source."""
    with duckdb.connect() as con:
        con.execute("SET threads = 1")
        con.execute(f"CREATE TABLE income AS SELECT * FROM '{folder}/income.parquet'")
        start = time.process_time()
        frame = pd.concat([con.sql(filter_query(day)).df() for day in days], ignore_index=True)
    return time.process_time() - start, frame


def filter_query(day: dt.date) -> str:
    last = month_ordinal(day.year, day.month)
    columns = ", ".join(
        f"sum(amount) FILTER (WHERE month_to > {last - w}{_of(over)})::DOUBLE AS {column(over, w)}"
        for over in OVER
        for w in WINDOWS
    )
    return (
        f"SELECT household_id, DATE '{day}' AS as_of, {columns} FROM income "
        f"WHERE known_on <= DATE '{day}' AND month_to <= {last} AND month_to > {last - max(WINDOWS)} "
        "GROUP BY 1"
    )


def _of(over: str) -> str:
    return "" if over == "total" else f" AND source = '{over}'"


def grouped(folder: Path, days: list[dt.date]) -> tuple[float, pd.DataFrame]:
    """One groupby a window and date in pandas."""
    rows = pd.read_parquet(folder / "income.parquet")
    rows = rows.assign(amount=rows["amount"].astype(float), known_on=pd.to_datetime(rows["known_on"]))
    start = time.process_time()
    parts = []
    for day in days:
        last = month_ordinal(day.year, day.month)
        known = rows[(rows["known_on"] <= pd.Timestamp(day)) & (rows["month_to"] <= last)]
        columns = {}
        for w in WINDOWS:
            recent = known[known["month_to"] > last - w]
            sums = recent.groupby(["household_id", "source"])["amount"].sum().unstack()
            columns[column("total", w)] = sums.sum(axis=1)
            columns |= {column(source, w): sums[source] for source in county_sql.SOURCES}
        parts.append(pd.DataFrame(columns).rename_axis("household_id").reset_index().assign(as_of=day))
    return time.process_time() - start, pd.concat(parts, ignore_index=True)


def assert_equal(ours: pd.DataFrame, theirs: pd.DataFrame, name: str) -> None:
    """Assert that every value that the package gives is the other's, which has no row for no income."""
    a, b = (f.assign(as_of=pd.to_datetime(f["as_of"])).set_index(KEY).sort_index() for f in (ours, theirs))
    b = b.reindex(a.index).fillna(0.0)
    for c in a.columns:
        given = a[c].notna()
        assert given.any(), c
        np.testing.assert_allclose(a.loc[given, c].astype(float), b.loc[given, c], atol=1e-6, err_msg=c)
    print(f"  {len(a.columns)} columns × {len(a):,} rows equal to {name}")


def why_no_postgres(dsn: str | None) -> str:
    """Say why PostgreSQL cannot be asked; empty where it can."""
    if not dsn:
        return "no --postgres DSN"
    if not shutil.which("psql"):
        return "psql is not installed"
    try:
        psql(dsn, "SELECT 1")
    except subprocess.CalledProcessError as exc:
        return f"no server answers: {exc.stderr.strip().splitlines()[-1]}"
    return ""


def psql(dsn: str, sql: str, text: str | None = None) -> str:
    command = ["psql", dsn, "-X", "-q", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def postgres(folder: Path, days: list[dt.date], dsn: str) -> float:
    """Ask one query a window and date; seconds by the clock."""
    rows = pd.read_parquet(folder / "income.parquet")[
        ["household_id", "source", "month_to", "amount", "known_on"]
    ]
    table = "riskmodel_bench_income"
    kinds = "household_id text, source text, month_to int, amount numeric, known_on date"
    psql(dsn, f"DROP TABLE IF EXISTS {table}; CREATE UNLOGGED TABLE {table} ({kinds})")
    try:
        psql(dsn, f"COPY {table} FROM STDIN (FORMAT csv)", rows.to_csv(index=False, header=False))
        psql(dsn, f"ANALYZE {table}")
        start = time.perf_counter()
        for day in days:
            last = month_ordinal(day.year, day.month)
            for w in WINDOWS:
                psql(
                    dsn,
                    f"CREATE TEMP TABLE made AS SELECT household_id, source, sum(amount) FROM {table} WHERE "
                    f"known_on <= '{day}' AND month_to <= {last} AND month_to > {last - w} GROUP BY 1, 2",
                )
        return time.perf_counter() - start
    finally:
        psql(dsn, f"DROP TABLE {table}")


if __name__ == "__main__":
    main()
