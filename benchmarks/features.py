"""Features: time as a ratio to hand-written SQL in the same run, and peak memory of a whole build.

``python benchmarks/features.py --households 20000 --months 48 --dates 4``

The monthly features of household-v1 are computed by the package and by `reference_sql`, in turn, on the same
DuckDB; every value must be equal. Aims: ratio at most 0.6; 100,000 households × 48 months × 4 dates in
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

import numpy as np
import pyarrow as pa

import county_sql
import reference_sql
from memory import peak
from riskmodel import features
from riskmodel.data import County
from riskmodel.features import Feature, monthly
from riskmodel.features.aggregates import BLOCK_PREFIX, MONTHLY
from riskmodel.households import known_county, point_in_time

AIM_RATIO = 0.6
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
    fs, times = features.load_feature_set("household-v1"), {}
    mine = [f for f in fs.features if f.source in MONTHLY]
    for _ in range(repeats):
        with timed(times, "sql"):
            theirs = {t: county.con.con.sql(reference_sql.monthly(t, days)).to_arrow_table() for t in MONTHLY}
        with timed(times, "features"):
            # A county of its own each time: reading the rows is part of the work.
            anew = County(con=county.con, tables=county.tables, about=county.about)
            ours = monthly.monthly_features(known_county(anew, days), mine, fs.period_months)
    for table, written in theirs.items():
        assert_equal(written, ours, [f for f in mine if f.source == table])
    report(times, repeats)


def assert_equal(theirs: pa.Table, ours: pa.Table, wanted: list[Feature]) -> None:
    """Assert that every column has the same values, to the last bit where not made by a square root."""
    key = ["household_id", "as_of"]
    a, b = (t.to_pandas().set_index(key).sort_index() for t in (theirs, ours))
    b = b.reindex(a.index)
    for f in wanted:
        # The statement has no row, and so null, where a code has no row in the window.
        empty = {"cv": np.nan, "recency": f.window, "months_without": f.window}.get(f.aggregate, 0.0)
        x, y = a[f.id].astype(float).fillna(empty), b[f"{BLOCK_PREFIX}{f.id}"]
        if f.aggregate in ("std", "cv"):
            np.testing.assert_allclose(y, x, rtol=1e-14, err_msg=f.id)
        else:
            np.testing.assert_array_equal(y, x, err_msg=f.id)
    print(f"  {wanted[0].source}: {len(wanted)} features × {len(a):,} rows equal")


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
