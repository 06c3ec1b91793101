"""Reading and accounts against an earlier revision, in processor seconds of the same run.

``python benchmarks/accounts.py --households 30000 --months 60 --before d16ef3d``

Both sides read the same simulated county, with table ``recorded`` (which d16ef3d leaves unread) and without,
and make the accounts of one day, in turn and each in a process of its own. Times are processor seconds of the
best round. Aim: at most 1.15 × d16ef3d, the last revision that took what is absent for zero.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from figures import write_figures

ROOT = Path(__file__).resolve().parents[1]
AIM_RATIO = 1.15
# As of a day six months before the county's last: some rows are known only later.
SIMULATE = "from riskmodel.cli import main; main()"
WORK = """
import json, sys, time
data, day = sys.argv[1:]
try:
    from riskmodel import households, read_county
    def accounts(county): return households.known_county(county, day).accounts()
except ImportError:
    from riskmodel import accounting, asof
    from riskmodel.county import read as read_county
    def accounts(county): return accounting.build(county, asof.moments(day))
start = time.process_time()
county = read_county(data)
read = time.process_time()
rows = accounts(county).count().execute()
print(json.dumps({"reading": read - start, "accounts": time.process_time() - read, "rows": int(rows)}))
"""
Seconds = dict[str, float]


def main() -> None:
    args = arguments()
    size = {"households": args.households, "months": args.months}
    if not has_revision(args.before):
        reason = f"revision {args.before} is not in this clone"
        print(f"accounts: skipped, {reason}")
        write_figures(args.json, "accounts", size, {}, skipped={"accounts": reason})
        return
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        before = unpacked(args.before, Path(folder) / "before")
        for recorded in (False, True):
            data = simulated(Path(folder) / f"county-{recorded}", args.households, args.months, recorded)
            sides: dict[str, list[Seconds]] = {args.before: [], "now": []}
            for _ in range(args.repeats):
                sides[args.before].append(timed(before, data, args.day))
                sides["now"].append(timed(ROOT / "src", data, args.day))
            print(f"{args.households:,} households × {args.months} months, recorded stated: {recorded}")
            figures[f"now / {args.before}, recorded {'stated' if recorded else 'absent'}"] = report(
                sides, args.before
            )
    write_figures(args.json, "accounts", size, figures, dict.fromkeys(figures, AIM_RATIO))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=30_000)
    parser.add_argument("--months", type=int, default=60, help="the county's history, which ends with 2021")
    parser.add_argument("--day", default="2021-06-30", help="as of which the accounts are made")
    parser.add_argument("--before", metavar="REV", default="d16ef3d")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def has_revision(revision: str) -> bool:
    """Say whether git holds a revision here: a shallow clone or an archive of the sources may not."""
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{revision}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def unpacked(revision: str, home: Path) -> Path:
    """Write a revision's sources to a folder and return where Python finds them."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision, "src"], stdout=subprocess.PIPE, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(home, filter="data")
    return home / "src"


def simulated(folder: Path, households: int, months: int, recorded: bool) -> Path:
    """Simulate a county in a process of its own."""
    sizes = ["--households", str(households), "--months", str(months), "--futures", "0"]
    stated = "--recorded" if recorded else "--no-recorded"
    command = [sys.executable, "-c", SIMULATE, "simulate", str(folder), *sizes, stated]
    subprocess.run(command, env=environment(ROOT / "src"), stdout=subprocess.DEVNULL, check=True)
    return folder


def environment(source: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(source)}


def timed(source: Path, data: Path, day: str) -> Seconds:
    """Read a county and make its accounts with the code of one side."""
    command = [sys.executable, "-c", WORK, str(data), day]
    answer = subprocess.run(command, env=environment(source), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def report(sides: dict[str, list[Seconds]], before: str) -> float:
    """Print both sides' best rounds and return their ratio; both must have accounted the same households."""
    (rows,) = {int(one["rows"]) for rounds in sides.values() for one in rounds}
    assert rows > 0
    best = {
        name: min(rounds, key=lambda one: one["reading"] + one["accounts"]) for name, rounds in sides.items()
    }
    for name, one in best.items():
        print(f"  {name}: reading {one['reading']:.2f} s, accounts {one['accounts']:.2f} s of processor time")
    ratio = total(best["now"]) / total(best[before])
    print(f"  ratio: {ratio:.2f} (aim: at most {AIM_RATIO:g})")
    return ratio


def total(one: Seconds) -> float:
    return one["reading"] + one["accounts"]


if __name__ == "__main__":
    main()
