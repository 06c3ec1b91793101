"""Size and coverage of the comparison of two lists, by how many villages a county has.

``python benchmarks/few_villages.py --counties 400 --json few.json`` draws counties village by village
(events, and the hits of two lists; no households) with shocks of villages and townships to events and to how
well lists do, and asks of each what `riskmodel.evaluation` would say: sign flips and bootstrap-t below 40
villages, percentiles from there on. Printed are the share of equal lists called different (size, aim at most
.06), the share of intervals that hold the true difference (coverage, aim at least .93), the power at a
difference of about ten points, and the same of the bare percentile bootstrap.

A township may also favour one list in all of its villages (``--lists-by-township SD``, in probits): then the
villages of a township are no longer independent in what is compared, and no method by villages keeps its
level; the last rows show how far it is off.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from riskmodel.evaluation.cluster_tests import FEW_CLUSTERS, bootstrap_t_interval, sign_flip_p
from riskmodel.evaluation.predictions import percentile_interval, two_sided_p
from riskmodel.models import village_draws

Array = NDArray[np.float64]
TOWNSHIPS = {8: 2, 15: 3, 30: 5, 100: 10}
EVENTS = 150  # a county of 3,000 households where one in twenty falls
GAP = 0.3  # probits: about ten points of recall


def draw_counties(
    rng: np.random.Generator, villages: int, counties: int, gap: float, by_township: float
) -> tuple[Array, Array]:
    """Return the second list's hits minus the first's, and events: (counties, villages) each."""
    townships = TOWNSHIPS[villages]
    town = np.arange(villages) % townships

    def shock(of_village: float, of_township: float) -> Array:
        own = rng.normal(0, of_village, (counties, villages))
        return own + rng.normal(0, of_township, (counties, townships))[:, town]

    events = rng.poisson(EVENTS / villages * np.exp(shock(0.5, 0.5) - 0.25))
    both, largest = shock(0.3, 0.3), int(events.max())
    there = np.arange(largest) < events[:, :, None]
    # What makes an event easy to see is in part common to both lists.
    shape, half = (counties, villages, largest), np.sqrt(0.5)
    common = rng.normal(0, half, shape)
    hits = []
    for better in (0.0, gap):
        level = -0.4 + better + both + shock(0.3, by_township)
        seen = common + rng.normal(0, half, shape) + level[:, :, None] > 0
        hits.append((seen & there).sum(axis=2).astype(float))
    return hits[1] - hits[0], events.astype(float)


def judge(difference: Array, events: Array, draws: int, seed: int, level: float = 0.95) -> dict[str, float]:
    """Return interval and p of one county, as a comparison gives them and by bare percentiles."""
    counts = village_draws(len(events), draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (counts @ difference) / (counts @ events)
    low, high = percentile_interval(drawn, level)
    out = {"low_percentile": low, "high_percentile": high, "p_percentile": two_sided_p(drawn)}
    if len(events) >= FEW_CLUSTERS:
        return out | {"low": low, "high": high, "p": out["p_percentile"]}
    ends = bootstrap_t_interval(difference, events, counts, level)
    return out | {"low": ends[0].value, "high": ends[1].value, "p": sign_flip_p(difference, seed).value}


def study(
    villages: int, counties: int, *, by_township: float = 0.0, draws: int = 2000, large: int = 20_000
) -> dict[str, float]:
    """Return size, coverage (of equal and of unequal lists) and power at one number of villages.

    The true difference is that of a ``large`` number of counties together.
    """
    out: dict[str, float] = {"villages": villages, "townships": TOWNSHIPS[villages], "counties": counties}
    out["lists_by_township"] = by_township
    for name, gap in (("equal", 0.0), ("apart", GAP)):
        rng = np.random.default_rng([villages, int(100 * gap), int(100 * by_township)])
        difference, events = draw_counties(rng, villages, large, gap, by_township)
        true = float(difference.sum() / events.sum()) if gap else 0.0
        drawn = zip(*draw_counties(rng, villages, counties, gap, by_township), strict=True)
        told = [judge(d, e, draws, seed) for seed, (d, e) in enumerate(drawn)]
        for way in ("", "_percentile"):
            inside = [t[f"low{way}"] <= true <= t[f"high{way}"] for t in told]
            share = float(np.mean([t[f"p{way}"] < 0.05 for t in told]))
            out |= {f"coverage_{name}{way}": float(np.mean(inside))}
            out |= {f"{'size' if name == 'equal' else 'power'}{way}": share}
    return out


def studies(counties: int, by_township: float, draws: int) -> Iterator[dict[str, float]]:
    """Yield a row a number of villages, without and with townships that favour a list."""
    for shock in (0.0, by_township):
        for villages in TOWNSHIPS:
            yield study(villages, counties, by_township=shock, draws=draws)


def main(argv: list[str] | None = None) -> int:
    """Print the study; exit 1 where an aim is missed without townships that favour a list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counties", type=int, default=400)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--lists-by-township", type=float, default=0.15, metavar="SD")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    names = ("size", "coverage_equal", "coverage_apart", "power")
    print("villages townships lists_by_township " + " ".join(names) + " | the same by bare percentiles")
    rows, missed = [], False
    for row in studies(args.counties, args.lists_by_township, args.draws):
        rows.append(row)
        shown = [" ".join(f"{row[n + way]:.3f}" for n in names) for way in ("", "_percentile")]
        print(row["villages"], row["townships"], row["lists_by_township"], " | ".join(shown), flush=True)
        error = 2 * np.sqrt(0.05 * 0.95 / args.counties)  # what the number of counties leaves open
        fails = row["size"] > 0.06 + error or row["coverage_equal"] < 0.93 - error
        missed |= row["lists_by_township"] == 0 and (fails or row["coverage_apart"] < 0.93 - error)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
