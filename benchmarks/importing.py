"""Time and memory of reading an office's files into a county.

``python benchmarks/importing.py --households 10000`` simulates a small county, repeats it under new numbers
until it is as large as asked for, writes it as an office would (`riskmodel.simulate.office_files`), and reads
it back in a process of its own, once from workbooks and once from text files. It prints files, cells, seconds
a step and the most memory held. ``--monthly-years 1`` adds a year of records by month: nine amounts a
household and month.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from memory import peak
from riskmodel import importing, simulate

SIMULATED = 1000  # households that are simulated; a larger county repeats them


def large_county(households: int, years: int) -> dict[str, pd.DataFrame]:
    """Return the frames of a county of about so many households."""
    base = simulate.simulate_county(
        households=min(households, SIMULATED), months=12 * years, seed=1, truth_at=()
    ).frames
    copies = max(1, round(households / SIMULATED))
    return {name: _repeated(frame, copies) for name, frame in base.items()}


def _repeated(frame: pd.DataFrame, copies: int) -> pd.DataFrame:
    parts = []
    for copy in range(copies):
        part = frame.copy()
        for name in {"household_id", "member_id", "row_id"} & set(part):
            part[name] = f"{copy:03d}" + part[name].astype(str)
        if "township" in part:  # a tenth of a county's households to a township, at least
            part["township"] = f"{copy % 10:02d}" + part["township"].astype(str)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def measure(folder: Path, out: Path) -> dict[str, float | int]:
    """Read one folder and return seconds, memory and counts."""
    start = time.perf_counter()
    sheets = importing.read_sheets([folder])
    read = time.perf_counter() - start
    cells = sum(len(row) for grid, _ in sheets.grids for row in grid.rows)
    rows = sum(len(layout.data_rows) for _, layout in sheets.grids)
    del sheets
    start = time.perf_counter()
    result = importing.import_files([folder])
    whole = time.perf_counter() - start
    start = time.perf_counter()
    importing.write_import(result, out)
    return {
        "cells": cells,
        "records": rows,
        "read_seconds": round(read, 1),
        "import_seconds": round(whole, 1),
        "write_seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(time.process_time(), 1),  # of all, the first reading too
        "peak_gib": round(peak(), 2),
        "households": len(result.assembled.tables["households"]),
        "members": len(result.assembled.tables["members"]),
        "amounts": sum(len(result.assembled.tables[name]) for name in ("income", "spending")),
        "refused": len(result.blocking),
    }


def main() -> None:
    """Measure both forms."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=10_000)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--monthly-years", type=int, default=0)
    parser.add_argument("--form", choices=["xlsx", "csv"], action="append")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(*given.measure)))
        return
    frames = large_county(given.households, given.years)
    with tempfile.TemporaryDirectory() as home:
        for form in given.form or ("xlsx", "csv"):
            folder = Path(home) / form
            made = simulate.office_files(frames, folder, seed=1, monthly_years=given.monthly_years, form=form)
            size = sum(path.stat().st_size for path in made.files) / 2**20
            command = [sys.executable, __file__, "--measure", str(folder), str(Path(home) / f"data-{form}")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures = {"form": form, "files": len(made.files), "mib": round(size, 1)} | json.loads(
                done.stdout
            )
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
