"""Rules: national-2021 against one hand-written query in the same run, and all twelve sets with peak memory.

``python benchmarks/rules.py --households 100000 --months 36``

Both sides start from the same tables in DuckDB and end in a pandas frame; every column of every household
must be equal. Aims: ratio at most 2; all twelve sets on 1,000,000 households × 36 months of income in under
3 minutes and 8 GiB on 2 cores. Times are of the best of ``--repeats`` rounds, each on a county that has
computed nothing yet; on a busy machine read the processor times.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import tempfile
import time
from pathlib import Path

import pandas as pd

import county_sql
import reference_rules
from figures import write_figures
from memory import peak
from riskmodel import rules
from riskmodel.data import County

AIM_RATIO = 2.0
AIM_MINUTES = 3.0
AIM_GIB = 8.0
NATIONAL = "national-2021"
TWELVE = (
    NATIONAL, "ratio-1.5-2020", "county-2020", "anhui-town-2020", "causes-2020", "wuhu-2019", "classes-2020",
    "nancheng-2020", "lueyang-2021", "cards-2023", "dali-2021", "yingjiang-2022",
)  # fmt: skip
Seconds = tuple[float, float]


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: making the data shall not count as memory of the rules.
        maker = multiprocessing.get_context("spawn").Process(
            target=county_sql.write, args=(Path(folder), args.households, args.months)
        )
        maker.start()
        maker.join()
        county = county_sql.read(Path(folder), args.threads, args.memory)
        day = dt.date(county_sql.FIRST_YEAR + args.months // 12, 1, 1) - dt.timedelta(days=1)
        rows = {name: t.count().to_pyarrow().as_py() for name, t in county.tables.items()}
        print(f"{args.households:,} households × {args.months} months, {args.threads} threads, as of {day}")
        print(f"  income rows {rows['income']:,}, spending rows {rows['spending']:,}")
        figures = {} if args.only_sets else compare(county, day, args.repeats)
        figures |= every_set(county, day)
    size = {"households": args.households, "months": args.months}
    write_figures(args.json, "rules", size, figures, {"national-2021 / SQL": AIM_RATIO, "peak GiB": AIM_GIB})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=36, help="whole years")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, help="GiB that the database may use before it spills to disk")
    parser.add_argument("--only-sets", action="store_true", help="no comparison: the twelve sets alone")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def fresh(county: County) -> County:
    """Return the same tables as a county that has kept nothing and looked at nothing."""
    return County(con=county.con, tables=county.tables, about=county.about)


def clock() -> Seconds:
    return time.perf_counter(), time.process_time()


def since(start: Seconds) -> Seconds:
    return time.perf_counter() - start[0], time.process_time() - start[1]


def compare(county: County, day: dt.date, repeats: int) -> dict[str, float]:
    """Time both sides in turn, assert equal verdicts, return the ratio of processor seconds."""
    sql: list[Seconds] = []
    ours: list[Seconds] = []
    for _ in range(repeats):
        start = clock()
        wanted = county.con.con.sql(reference_rules.national(day)).df()
        sql.append(since(start))
        start = clock()
        got = rules.evaluate_rules(fresh(county), NATIONAL, day)
        ours.append(since(start))
    assert_equal(got, wanted)
    for name, rounds in (("sql", sql), ("rules", ours)):
        print(
            f"  {name}: wall {min(r[0] for r in rounds):.2f} s, processor {min(r[1] for r in rounds):.2f} s"
        )
    for k, kind in enumerate(("wall", "processor")):
        ratio = min(r[k] for r in ours) / min(r[k] for r in sql)
        print(f"  ratio ({kind}): {ratio:.2f} (aim: at most {AIM_RATIO:g})")
    return {f"{NATIONAL} / SQL": ratio}


def assert_equal(got: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Assert that both sides hold the same households and exactly the same verdicts."""
    columns = list(reference_rules.COLUMNS)
    left, right = got[columns].astype(object), wanted[columns].astype(object)
    left, right = left.where(left.notna(), None), right.where(right.notna(), None)
    assert len(left) == len(right) > 0
    different = {c: int((left[c].to_numpy() != right[c].to_numpy()).sum()) for c in columns}
    different = {c: n for c, n in different.items() if n}
    assert not different, different
    assert got["flagged"].any()
    print(f"  {NATIONAL}: {len(columns)} columns × {len(got):,} households equal")


def every_set(county: County, day: dt.date) -> dict[str, float]:
    """Evaluate all twelve sets; tell time and the peak memory of this process."""
    before, start = peak(), clock()
    for name, frame in rules.evaluate_rule_sets(fresh(county), TWELVE, day):
        print(f"    {name}: {frame['flagged'].sum():,} flagged")
    wall, cpu = since(start)
    print(
        f"  twelve sets: wall {wall:.1f} s, processor {cpu:.1f} s (aim: {AIM_MINUTES:g} minutes at 1,000,000)"
    )
    print(f"  peak memory: {peak():.2f} GiB (before {before:.2f}; aim: under {AIM_GIB:g})")
    return {"twelve sets s": cpu, "peak GiB": peak()}


if __name__ == "__main__":
    main()
