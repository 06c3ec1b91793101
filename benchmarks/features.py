"""Features: processor time as ratios to prefix sums in numpy and to SQL, what a further date costs, memory.

``python benchmarks/features.py --households 20000 --months 48 --dates 8``
``python benchmarks/features.py --households 100000 --only many --json features.json``

In one run, each figure in a process of its own, in turn (``--repeats``, the least counts), processor seconds:

* ``arrays``: 232 monthly features by the package and by `reference_arrays` (prefix sums in numpy written by
  hand, with their matrix), with equal values; from reading the rows to the matrix.
* ``further date``: what a further date costs, as a share of the first, of the package and of the reference.
* ``sql``: the monthly features of household-v1 by the package and by `reference_sql` (grouped by code, then
  pivoted), with equal values.
* ``many``: household-v1, whole, at twelve dates over one date; memory at twelve dates, beyond that of the
  county, by household and date.

Queries are kept between processes, as they are on an office's machine; ``--cold`` compiles them each time.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import county_sql
import reference_arrays
import reference_sql
from figures import write_figures
from memory import peak
from riskmodel import features
from riskmodel.data.schema import month_ordinal
from riskmodel.features import Feature, FeatureSet
from riskmodel.features.aggregates import MONTHLY
from riskmodel.households import point_in_time

PARTS = ("arrays", "sql", "many")
LIMITS = {
    "package / numpy": 0.8,
    "further date / first date": 0.09,
    "12 dates / 1 date": 2.0,
    "KiB per household-date": 8.0,
    "package / SQL": 0.6,
}
MANY = 12


def main() -> None:
    args = arguments()
    print(
        f"{args.households:,} households × {args.months} months × {args.dates} dates, {args.threads} threads"
    )
    with tempfile.TemporaryDirectory() as folder:
        apart(county_sql.write, Path(folder), args.households, args.months)
        os.environ.pop("RISKMODEL_QUERY_CACHE", None)
        if not args.cold:
            os.environ["RISKMODEL_QUERY_CACHE"] = str(Path(folder) / "queries")
        figures: dict[str, float] = {}
        for part in args.only or PARTS:
            figures |= {"arrays": compare_arrays, "sql": compare_sql, "many": many_dates}[part](
                args, Path(folder)
            )
    for name, value in figures.items():
        limit = f" (aim: at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"  {name}: {value:.3g}{limit}")
    size = {"households": args.households, "months": args.months, "dates": args.dates}
    write_figures(args.json, "features", size, figures, LIMITS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=48)
    parser.add_argument("--dates", type=int, default=8, help="of the comparisons with numpy and SQL")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=PARTS, help="some of the figures; all by default")
    parser.add_argument("--cold", action="store_true", help="compile every query anew in each process")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def apart(work: Callable[..., Any], *what: Any) -> Any:
    """Run something in a process of its own and return its answer."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, what)


def days_of(months: int, dates: int) -> list[dt.date]:
    """Return month ends, two months apart (one where there is no room), the last that of the county."""
    last = dt.date(county_sql.FIRST_YEAR + months // 12, 1, 1)
    step = 2 if dates * 2 <= months // 2 else 1
    return [point_in_time.add_months(last, -step * k) - dt.timedelta(days=1) for k in reversed(range(dates))]


def declared(columns: list[reference_arrays.Column]) -> FeatureSet:
    """Return the features of the reference as a feature set."""
    fields = {"known_on": "recorded_on", "unit": "yuan", "zh": "x", "en": "x"}
    missing = {"income": "null_if_no_income", "spending": "zero_if_table_present"}
    made = tuple(
        Feature(
            **fields, **{"from": c.table}, id=c.name, over=c.over, aggregate=c.aggregate, window=c.window,
            missing=missing[c.table],
        )
        for c in columns
    )  # fmt: skip
    return FeatureSet(
        id="monthly", version=1, zh="x", en="x", line=6000.0, line_source="benchmark", features=made
    )


class Timed:
    """The processor seconds and the memory of one build, and what it gave."""

    def __init__(self, build: Callable[[], Any]) -> None:
        before, start = peak(), time.process_time()
        self.made = build()
        self.seconds = time.process_time() - start
        self.gib = peak() - before


def build(folder: Path, threads: int, chosen: FeatureSet | str, days: list[dt.date], keep: bool) -> Any:
    """Build features of the county that was written; return seconds, memory and, if asked, the frame."""
    county = county_sql.read(folder, threads)
    timed = Timed(lambda: features.build_features(county, chosen, days))
    return timed.seconds, timed.gib, timed.made if keep else None


def build_reference(folder: Path, threads: int, days: list[dt.date], keep: bool) -> Any:
    """Do the same in numpy."""
    county = county_sql.read(folder, threads)
    first = month_ordinal(county_sql.FIRST_YEAR, 1)
    timed = Timed(lambda: reference_arrays.matrix(county.con.con, days, first))
    return timed.seconds, timed.gib, timed.made if keep else None


def least(repeats: int, *builds: Callable[[], Any]) -> list[float]:
    """Return the least seconds of each of some builds, run in turn."""
    rounds = [[one()[0] for one in builds] for _ in range(repeats)]
    return [min(of_one) for of_one in zip(*rounds, strict=True)]


def compare_arrays(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Hold 232 monthly features against numpy: equal values, time, and what a further date costs."""
    days, columns = days_of(args.months, args.dates), reference_arrays.columns()
    chosen = declared(columns)
    ids, theirs = apart(build_reference, folder, args.threads, days, True)[2]
    mine = apart(build, folder, args.threads, chosen, days, True)[2]
    assert_equal_arrays(mine, ids, theirs, columns, len(days))
    del mine, theirs
    ours, reference, ours_first, reference_first = least(
        args.repeats,
        lambda: apart(build, folder, args.threads, chosen, days, False),
        lambda: apart(build_reference, folder, args.threads, days, False),
        lambda: apart(build, folder, args.threads, chosen, days[-1:], False),
        lambda: apart(build_reference, folder, args.threads, days[-1:], False),
    )
    further = max(len(days) - 1, 1)
    return {
        "package s": ours,
        "numpy s": reference,
        "package / numpy": ours / reference,
        "further date / first date": (ours - ours_first) / further / ours_first,
        "further date / first date, numpy": (reference - reference_first) / further / reference_first,
    }


def assert_equal_arrays(
    mine: pd.DataFrame,
    ids: np.ndarray,
    theirs: np.ndarray,
    columns: list[reference_arrays.Column],
    dates: int,
) -> None:
    """Assert that every value is equal, to the last bits where it is made by a division."""
    assert list(mine["household_id"][::dates]) == list(ids)
    for j, c in enumerate(columns):
        expected = theirs[j].reshape(dates, len(ids)).T.reshape(-1)
        np.testing.assert_allclose(mine[c.name].to_numpy(), expected, rtol=1e-12, atol=1e-9, err_msg=c.name)
    print(f"  {len(columns)} features × {len(mine):,} rows equal to numpy")


def monthly_part() -> FeatureSet:
    """Return the monthly features of household-v1, not divided by persons."""
    chosen = features.load_feature_set("household-v1")
    mine = tuple(f.model_copy(update={"per": None}) for f in chosen.features if f.source in MONTHLY)
    return chosen.model_copy(update={"features": mine})


def build_sql(folder: Path, threads: int, days: list[dt.date], keep: bool) -> Any:
    """Run the hand-written SQL."""
    con = county_sql.read(folder, threads).con.con
    timed = Timed(lambda: {t: con.sql(reference_sql.monthly(t, days)).to_arrow_table() for t in MONTHLY})
    return timed.seconds, timed.gib, {t: a.to_pandas() for t, a in timed.made.items()} if keep else None


def compare_sql(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Hold the monthly features of household-v1 against SQL: equal values, and time."""
    days, chosen = days_of(args.months, args.dates), monthly_part()
    mine = apart(build, folder, args.threads, chosen, days, True)[2]
    for table, written in apart(build_sql, folder, args.threads, days, True)[2].items():
        assert_equal(written, mine, [f for f in chosen.features if f.source == table])
    ours, sql = least(
        args.repeats,
        lambda: apart(build, folder, args.threads, chosen, days, False),
        lambda: apart(build_sql, folder, args.threads, days, False),
    )
    return {"SQL s": sql, "package / SQL": ours / sql}


def assert_equal(theirs: pd.DataFrame, ours: pd.DataFrame, wanted: list[Feature]) -> None:
    """Assert that every column has the same values, to the last bit where not made by a square root."""
    key = ["household_id", "as_of"]
    theirs["as_of"] = pd.to_datetime(theirs["as_of"]).astype(ours["as_of"].dtype)
    a, b = (t.set_index(key).sort_index() for t in (theirs, ours))
    b = b.reindex(a.index)
    for f in wanted:
        # The statement has no row, and so null, where a code has no row in the window.
        empty = {"cv": np.nan, "recency": f.window, "months_without": f.window}.get(f.aggregate, 0.0)
        x, y = a[f.id].astype(float).fillna(empty), b[f.id]
        x = x.where(y.notna() | (f.aggregate == "cv"), np.nan)  # windows without any income
        if f.aggregate in ("std", "cv"):
            np.testing.assert_allclose(y, x, rtol=1e-14, err_msg=f.id)
        else:
            np.testing.assert_array_equal(y, x, err_msg=f.id)
    print(f"  {wanted[0].source}: {len(wanted)} features × {len(a):,} rows equal to SQL")


def many_dates(args: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Build household-v1, whole, at one date and at twelve."""
    days = days_of(args.months, MANY)
    rounds = [
        [apart(build, folder, args.threads, "household-v1", some, False) for some in (days[-1:], days)]
        for _ in range(args.repeats)
    ]
    one, many = (min(pair[i][0] for pair in rounds) for i in range(2))
    gib = min(pair[1][1] for pair in rounds)
    return {
        "1 date s": one,
        "12 dates s": many,
        "12 dates / 1 date": many / one,
        "KiB per household-date": gib * 2**20 / (args.households * MANY),
    }


if __name__ == "__main__":
    main()
