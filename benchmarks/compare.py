"""Compare two runs of the benchmarks: which figures got better, which lost, and what noise leaves open.

``python benchmarks/compare.py before.json after.json``

Takes what ``python benchmarks/run.py --json`` or a single script's ``--json`` wrote. Of every figure, less is
better; its value is the least of its rounds, its noise how far the rounds lie apart (at least ``--noise``, by
default 5 %). A figure has lost where the new value is more than the old one by more than the noise of both.
Exits with 1 where one has lost, or stands in the old file alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAST_NOISE = 0.05
Rounds = dict[str, list[float]]


@dataclass(frozen=True)
class Change:
    """One figure in two runs; None where a run does not hold it."""

    name: str
    old: float | None
    new: float | None
    noise: float

    @property
    def ratio(self) -> float | None:
        """Old over new: above 1 the new run is better."""
        return None if not self.old or not self.new else self.old / self.new

    @property
    def verdict(self) -> str:
        """Return ``better``, ``lost``, ``level``, ``new`` or ``gone``."""
        if self.old is None or self.new is None:
            return "new" if self.old is None else "gone"
        if self.new > self.old * (1 + self.noise):
            return "lost"
        return "better" if self.old > self.new * (1 + self.noise) else "level"


def read_figures(content: Mapping[str, Any]) -> Rounds:
    """Return every figure's rounds by ``benchmark: name``, of one script's file or of a whole run's."""
    benchmarks = content.get("benchmarks", [content])
    if not all("benchmark" in one and "figures" in one for one in benchmarks):
        raise ValueError("no figures: give files that benchmarks/run.py or a script's --json wrote")
    return {
        f"{one['benchmark']}: {name}": [float(v) for v in (value if isinstance(value, list) else [value])]
        for one in benchmarks
        for name, value in one["figures"].items()
    }


def sizes(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what each benchmark was run on."""
    return {one["benchmark"]: one.get("size") for one in content.get("benchmarks", [content])}


def spread(rounds: Sequence[float]) -> float:
    """Return how far rounds lie apart, as a share of the least."""
    return (max(rounds) - min(rounds)) / min(rounds) if min(rounds) > 0 else 0.0


def compare(old: Rounds, new: Rounds, least_noise: float = LEAST_NOISE) -> list[Change]:
    """Return every figure of either run; of noises the larger counts."""
    out = []
    for name in [*old, *(n for n in new if n not in old)]:
        before, after = old.get(name), new.get(name)
        noise = max(least_noise, *(spread(r) for r in (before, after) if r))
        out.append(Change(name, min(before) if before else None, min(after) if after else None, noise))
    return out


def table(changes: Sequence[Change]) -> str:
    """Return the changes as a Markdown table, what lost first."""
    order = ("lost", "gone", "better", "level", "new")
    lines = ["| figure | old | new | old / new | noise | |", "|---|---:|---:|---:|---:|---|"]
    for one in sorted(changes, key=lambda c: order.index(c.verdict)):
        old, new, ratio = ("" if v is None else f"{v:.3g}" for v in (one.old, one.new, one.ratio))
        lines.append(f"| {one.name} | {old} | {new} | {ratio} | ±{one.noise:.0%} | {one.verdict} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument(
        "--noise", type=float, default=LEAST_NOISE, help="least share that counts as a change"
    )
    args = parser.parse_args()
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (args.old, args.new))
    for name, size in sizes(old).items():
        if name in sizes(new) and sizes(new)[name] != size:
            print(f"beware: {name} was run on {size} and on {sizes(new)[name]}")
    changes = compare(read_figures(old), read_figures(new), args.noise)
    print(table(changes))
    worse = [one.name for one in changes if one.verdict in ("lost", "gone")]
    print(f"lost: {', '.join(worse)}" if worse else "nothing lost")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
