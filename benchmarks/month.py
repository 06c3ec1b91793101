"""The office's month on a large county: what every step costs, beside its limit.

The model is trained on a small county (its rows are not what is measured) and used on a large one, simulated
with the same law; both are kept under ``--keep`` and made once. The month itself runs in a process of its
own, so that neither counts. Processor seconds are of all threads; memory is the most held at one time within
a step. The aim: ``python benchmarks/month.py --households 100000`` within 90 s of processor time and 3 GiB.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from memory import peak, restart_peak
from riskmodel import data, month, simulate
from riskmodel.io import limit_resources
from riskmodel.runs import load_experiment, train

TRAINED_ON = 450  # households; enough events for every fold
MONTHS = 48
AS_OF = "2020-12-31"
# Processor seconds that a step may take: at the start, and for every 1,000 households.
LIMITS = {
    "start": (4.0, 0.0),
    "check": (1.0, 0.26),
    "rules": (1.0, 0.12),
    "score": (2.0, 0.16),
    "worklist": (1.0, 0.12),
    "report": (2.0, 0.06),
    "ledger": (1.0, 0.04),
    "cases": (1.0, 0.04),
}
MEMORY = (0.5, 0.025)  # GiB: at the start, and for every 1,000 households
OF_A_COPY = ("household_id", "member_id", "village", "row_id")  # what a copied county names anew
_STEP = re.compile(r"[0-9]+/[0-9]+ (\w+)")


def main() -> int:
    """Make what is missing, run a month, and print what each step costs; exits with 1 past a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--households", type=int, default=20_000)
    parser.add_argument("--copies", type=int, default=1, help="so many times the simulated households")
    parser.add_argument("--visits", type=int, default=0, help="by default one household in twenty")
    parser.add_argument("--model", default="logit", choices=["logit", "boosting"])
    parser.add_argument("--keep", type=Path, help="folder of county and model, made once")
    parser.add_argument("--memory", default="", help="what the table engine may hold, such as 1GiB")
    parser.add_argument("--json", type=Path, dest="file", help="figures as JSON, to this file")
    parser.add_argument("--part", choices=["county", "model", "month"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        {"county": make_county, "model": make_model, "month": run}[given.part](given)
        return 0
    with tempfile.TemporaryDirectory() as home:
        given.keep = given.keep or Path(home)
        for part, there in (("county", _county(given)), ("model", _store(given))):
            if not there.exists():
                _in_own_process(given, part)
        told = json.loads(_in_own_process(given, "month"))
    if given.file:
        given.file.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(table(told))
    return int(any(row["seconds"] > row["limit_seconds"] for row in told["steps"]))


def _in_own_process(given: argparse.Namespace, part: str) -> str:
    options = ["--households", given.households, "--copies", given.copies]
    options += ["--visits", given.visits, "--model", given.model]
    options += ["--memory", given.memory]
    call = [sys.executable, __file__, *options, "--keep", given.keep, "--part", part]
    return subprocess.run([str(c) for c in call], check=True, stdout=subprocess.PIPE, text=True).stdout


def _county(given: argparse.Namespace) -> Path:
    several = f"x{given.copies}" if given.copies > 1 else ""
    return given.keep / f"county-{given.households}{several}"


def _households(given: argparse.Namespace) -> int:
    return int(given.households * given.copies)


def _store(given: argparse.Namespace) -> Path:
    return given.keep / f"{given.model}.db"


def make_county(given: argparse.Namespace) -> None:
    """Simulate the county and write it as an office keeps it, CSV files."""
    one = given.keep / f"county-{given.households}"
    if not one.exists():
        made = simulate.simulate_county(households=given.households, months=MONTHS, seed=2, truth_at=[])
        simulate.write_simulated_county(made, one)
    if given.copies > 1:
        copy_county(one, _county(given), given.copies)


def copy_county(source: Path, target: Path, copies: int) -> None:
    """Write a county several times over into one: each copy has households and villages of its own."""
    target.mkdir()
    (target / "about.yaml").write_bytes((source / "about.yaml").read_bytes())
    engine = duckdb.connect()
    for path in sorted(source.glob("*.parquet")):
        columns = [row[0] for row in engine.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
        own = ", ".join(f"{c} || '-' || copy AS {c}" for c in OF_A_COPY if c in columns)
        rows = f"SELECT * REPLACE ({own}) FROM '{path}', range({copies}) AS copies(copy)"
        engine.execute(f"COPY (SELECT * EXCLUDE copy FROM ({rows})) TO '{target / path.name}'")


def make_model(given: argparse.Namespace) -> None:
    """Train the model that scores."""
    small = simulate.simulate_county(households=TRAINED_ON, months=MONTHS, seed=1, truth_at=[])
    experiment = load_experiment("county")
    changed = {
        "models": ("rule", given.model),
        "champion": given.model,
        "model_params": {},
        "bootstrap": 20,
        "split": experiment.split.model_copy(update={"folds": 1}),
    }
    about = data.About.model_validate(small.about)
    train(experiment.model_copy(update=changed), data.from_frames(small.frames, about), _store(given))


def run(given: argparse.Namespace) -> None:
    """Run the month and print the figures of its steps as JSON."""
    limit_resources(given.memory or None)
    laps: list[tuple[str, float, float, float]] = [("start", 0.0, 0.0, 0.0)]
    began = time.monotonic()

    def lap(name: str) -> None:
        laps.append((name, time.process_time(), time.monotonic() - began, peak()))
        restart_peak()

    def say(text: str) -> None:
        sys.stderr.write(f"[{time.process_time():6.1f} s, {peak():.2f} GiB] {text}\n")
        if found := _STEP.match(text):
            lap(found[1])

    with tempfile.TemporaryDirectory(dir=given.keep) as home:
        options = month.MonthOptions(visits=given.visits or _households(given) // 20)
        made = month.run_month(_county(given), AS_OF, home, store=_store(given), options=options, say=say)
        lap("end")
    steps = []
    for (name, seconds, wall, _), (_, seconds_after, wall_after, held) in pairwise(laps):
        steps.append(_row(name, _households(given), seconds_after - seconds, wall_after - wall, held))
    told = {
        "households": _households(given),
        "visits": given.visits or _households(given) // 20,
        "memory": given.memory,
        "planned": made.summaries["worklist"]["planned"],
        "rows": made.summaries["check"]["rows"],
        "steps": [*steps, _whole(steps)],
    }
    sys.stdout.write(json.dumps(told))


def _row(name: str, households: int, seconds: float, wall: float, held: float) -> dict[str, Any]:
    fixed, each = LIMITS[name]
    return {
        "step": name,
        "seconds": round(seconds, 2),
        "limit_seconds": round(fixed + each * households / 1000, 1),
        "wall_seconds": round(wall, 2),
        "peak_gib": round(held, 2),
        "limit_gib": round(MEMORY[0] + MEMORY[1] * households / 1000, 2),
    }


def _whole(steps: list[dict[str, Any]]) -> dict[str, Any]:
    sums = {c: round(sum(s[c] for s in steps), 1) for c in ("seconds", "limit_seconds", "wall_seconds")}
    most = {c: max(s[c] for s in steps) for c in ("peak_gib", "limit_gib")}
    return {"step": "whole", **sums, **most}


def table(told: dict[str, Any]) -> str:
    """Return the figures as lines of text."""
    columns = ["step", "seconds", "limit_seconds", "wall_seconds", "peak_gib", "limit_gib"]
    heads = ["step", "CPU s", "limit s", "wall s", "GiB", "limit GiB"]
    lines = [f"{told['households']} households, {told['visits']} visits, {told['planned']} planned"]
    lines.append("".join(f"{h:>11}" for h in heads))
    lines += ["".join(f"{row[c]:>11}" for c in columns) for row in told["steps"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
