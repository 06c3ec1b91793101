"""Features: time as a ratio to hand-written SQL in the same run, and peak memory of a whole build.

``python benchmarks/features.py --households 20000 --months 48 --dates 4``

The monthly features of household-v1 are computed by the package and by `reference_sql`, in turn, on the same
DuckDB; every value must be equal. Aims: ratio at most 1.3; 100,000 households × 48 months × 4 dates in
under 6 GiB. Times are of the best of ``--repeats`` rounds; on a busy machine read the processor times.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import county_sql
import reference_sql
from memory import peak
from riskmodel import features
from riskmodel.data import County, compiled
from riskmodel.features import monthly
from riskmodel.features.aggregates import MONTHLY
from riskmodel.households import point_in_time

AIM_RATIO = 1.3
AIM_GIB = 6.0


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: making the data shall not count as memory of the build.
        maker = multiprocessing.get_context("spawn").Process(
            target=county_sql.write, args=(Path(folder), args.households, args.months)
        )
        maker.start()
        maker.join()
        county = county_sql.read(Path(folder), args.threads)
        last = dt.date(county_sql.FIRST_YEAR + args.months // 12, 1, 1)
        days = [
            point_in_time.add_months(last, -6 * k) - dt.timedelta(days=1) for k in reversed(range(args.dates))
        ]
        size = f"{args.households:,} households × {args.months} months × {args.dates} dates"
        print(f"{size}, {args.threads} threads")
        if not args.only_build:
            compare(county, days, args.repeats)
        whole(county, days)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=48)
    parser.add_argument("--dates", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--only-build", action="store_true", help="no comparison: the memory of a build alone"
    )
    return parser.parse_args()


@contextmanager
def timed(into: dict[str, list[tuple[float, float]]], name: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - cpu))


def compare(county: County, days: list[dt.date], repeats: int) -> None:
    """Time both sides in turn, assert equal values, print the ratio."""
    fs, when, times = features.load_feature_set("household-v1"), point_in_time.as_moments(days), {}
    for table in MONTHLY:
        mine = tuple(f for f in fs.features if f.source == table)
        for _ in range(repeats):
            with timed(times, "sql"):
                store(county, f"sql_{table}", reference_sql.monthly(table, days))
            with timed(times, "features"):
                county.con.raw_sql(f"DROP TABLE IF EXISTS our_{table}").fetchall()
                dates = monthly.monthly_dates(county, table, mine, when)
                compiled.store_query(
                    county,
                    monthly.monthly_features,
                    table,
                    mine,
                    name=f"our_{table}",
                    piece=None,
                    **dates,
                )
        assert_equal(county, table, [f.id for f in mine])
        store(county, f"sql_{table}", "SELECT 1")
        county.con.drop_table(f"our_{table}")
    report(times, repeats)


def store(county: County, name: str, sql: str) -> None:
    county.con.raw_sql(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}").fetchall()


def assert_equal(county: County, table: str, names: list[str]) -> None:
    """Assert that both sides have the same rows and exactly the same values in every column."""
    written = reference_sql.income() if table == "income" else reference_sql.spending()
    assert set(names) == set(written), set(names) ^ set(written)
    differ = ", ".join(f"count(*) FILTER (WHERE a.{c} IS DISTINCT FROM b.{c})" for c in names)
    counts = county.con.raw_sql(
        f"SELECT {differ}, count(*), count(a.as_of), count(b.as_of) FROM sql_{table} a "
        f"FULL JOIN our_{table} b USING (household_id, as_of)"
    ).fetchall()[0]
    wrong = {c: n for c, n in zip(names, counts, strict=False) if n}
    assert not wrong, wrong
    assert counts[-3] == counts[-2] == counts[-1] > 0
    print(f"  {table}: {len(names)} features × {counts[-1]:,} rows equal")


def report(times: dict[str, list[tuple[float, float]]], repeats: int) -> None:
    best: dict[str, Callable[[int], float]] = {}
    for name, rounds in times.items():
        parts = [rounds[i : i + repeats] for i in range(0, len(rounds), repeats)]
        best[name] = lambda k, parts=parts: sum(min(r[k] for r in part) for part in parts)
        print(f"  {name}: wall {best[name](0):.2f} s, processor {best[name](1):.2f} s")
    for k, kind in enumerate(("wall", "processor")):
        print(f"  ratio ({kind}): {best['features'](k) / best['sql'](k):.2f} (aim: at most {AIM_RATIO})")


def whole(county: County, days: list[dt.date]) -> None:
    """Build all of household-v1 and print time and the peak memory of this process."""
    before = peak()
    times: dict[str, list[tuple[float, float]]] = {}
    with timed(times, "build"):
        frame = features.build_features(county, "household-v1", days)
    wall, cpu = times["build"][0]
    size = f"{frame.shape[0]:,} × {frame.shape[1]}"
    print(f"  household-v1, whole: {size}, wall {wall:.1f} s, processor {cpu:.1f} s")
    print(f"  peak memory: {peak():.2f} GiB (before the build {before:.2f}; aim: under {AIM_GIB:.0f})")


if __name__ == "__main__":
    main()
