"""The set of benchmarks that can lose, in one file of figures; and how time grows with the county.

``python benchmarks/run.py --json new.json``, then ``python benchmarks/compare.py old.json new.json``

Every script holds its references in the same run (`features.py`: numpy's prefix sums and SQL; `windows.py`:
FILTER, groupby, PostgreSQL; `training.py`: the libraries' bare fits, shap's and LightGBM's contributions;
`accounts.py`: an earlier revision; `rules.py`: a query written by hand; `simulate.py`: writing files alone;
`forecast.py`: accountings). Limits are those of the sizes that README.md names; at small sizes what does not
grow with the county weighs more. ``--rounds`` runs them several times, so that `compare.py` knows the noise.
``--growth`` builds features for counties of growing size and draws processor seconds and memory against
households (``--plot``). A script that fails is told at the end, and the others run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SETS = {
    "features": ["features.py"],
    "windows": ["windows.py", "--postgres", "{postgres}"],
    "training": ["training.py", "--dates", "{dates}"],
    "accounts": ["accounts.py"],
    "rules": ["rules.py"],
    "simulate": ["simulate.py", "--truth-sample", "200"],
    "forecast": ["forecast.py", "--only", "households", "reconciled"],
}
GROWTH = (10_000, 30_000, 100_000)


def main() -> int:
    args = arguments()
    failed: list[str] = []
    benchmarks = []
    with tempfile.TemporaryDirectory() as home:
        file = Path(home) / "figures.json"
        for name in args.only or SETS:
            if told := attempt(name, failed, lambda name=name: run(name, args, file)):
                benchmarks.append(told)
        if args.growth is not None and (
            grown := attempt("growth", failed, lambda: growth(args.growth or list(GROWTH), file))
        ):
            benchmarks.append(grown)
            if args.plot:
                draw(grown, args.plot)
    if args.json:
        content = {"made": made(), "benchmarks": benchmarks, "failed": failed}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    over = [line for one in benchmarks for line in passed_limits(one)]
    print("\n".join(["", "limits passed:" if over else "every limit is held", *over]))
    for one in benchmarks:
        for name, why in one.get("skipped", {}).items():
            print(f"skipped: {one['benchmark']}: {name}, {why}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return int(bool(failed))


def attempt(name: str, failed: list[str], work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """Return what one benchmark gave; None, and its name among the failed, where its script ended badly."""
    began, start = children_seconds(), time.perf_counter()
    print(f"\n== {name}", flush=True)
    try:
        told = work()
    except subprocess.CalledProcessError as exc:
        failed.append(name)
        print(f"{name} failed: {exc}", flush=True)
        return None
    spent = {"processor": children_seconds() - began, "clock": time.perf_counter() - start}
    print(
        f"  took {spent['processor']:.0f} s of processor time, {spent['clock']:.0f} s by the clock",
        flush=True,
    )
    return told | {"took": spent}


def children_seconds() -> float:
    """Return the processor seconds of all scripts run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--dates", type=int, default=20, help="as-of dates of the training")
    parser.add_argument(
        "--postgres", metavar="DSN", default=os.environ.get("RISKMODEL_BENCH_POSTGRES", ""),
        help="a PostgreSQL database that a table may be made in (default $RISKMODEL_BENCH_POSTGRES)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=SETS, help="some of them; all by default")
    parser.add_argument(
        "--growth", nargs="*", type=int, metavar="HOUSEHOLDS",
        help="also the growth with the county, up to a million (default 10000 30000 100000)",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, help="draw the growth there (SVG or PNG; extra notebook)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def run(name: str, args: argparse.Namespace, file: Path) -> dict[str, Any]:
    """Run one script some rounds and return what it wrote."""
    fields = {"postgres": args.postgres, "dates": args.dates}
    script, *options = (part.format(**fields) for part in SETS[name])
    options += ["--households", str(args.households)]
    return joined([_script([script, *options], file) for _ in range(args.rounds)])


def _script(parts: list[str], file: Path) -> dict[str, Any]:
    script, *options = parts
    file.unlink(missing_ok=True)
    subprocess.run([sys.executable, str(HERE / script), *options, "--json", str(file)], check=True)
    return dict(json.loads(file.read_text(encoding="utf-8")))


def joined(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one benchmark's content with every round of each figure."""
    figures = {name: [one["figures"][name] for one in rounds] for name in rounds[0]["figures"]}
    return rounds[0] | {"figures": figures}


def growth(sizes: list[int], file: Path) -> dict[str, Any]:
    """Return processor seconds of building features at one date and at twelve, county by county."""
    figures: dict[str, float] = {}
    for n in sizes:
        options = ["--households", str(n), "--only", "many", "--repeats", "1"]
        told = _script(["features.py", *options], file)["figures"]
        figures |= {f"{name} at {n}": value for name, value in told.items()}
    return {"benchmark": "growth", "size": {"households": sizes}, "figures": figures}


def made() -> dict[str, str]:
    """Say what was measured, and where."""
    revision = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "revision": revision.stdout.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def passed_limits(benchmark: dict[str, Any]) -> list[str]:
    """Say which figures of a benchmark are above their limit."""
    out = []
    for name, limit in benchmark.get("limits", {}).items():
        value = benchmark["figures"].get(name)
        least = min(value) if isinstance(value, list) else value
        if least is not None and least > limit:
            out.append(f"  {benchmark['benchmark']}: {name} is {least:.3g}, at most {limit:g} wanted")
    return out


def draw(grown: dict[str, Any], file: Path) -> None:
    """Draw every figure of the growth against households, both in logarithms."""
    from matplotlib.figure import Figure

    lines: dict[str, list[tuple[int, float]]] = {}
    for label, value in grown["figures"].items():
        name, _, n = label.rpartition(" at ")
        lines.setdefault(name, []).append((int(n), value))
    figure = Figure(figsize=(7, 5))
    axes = figure.subplots()
    for name, points in lines.items():
        axes.loglog(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set(xlabel="households", title="Features: growth with the county")
    axes.legend()
    figure.savefig(file)


if __name__ == "__main__":
    sys.exit(main())
