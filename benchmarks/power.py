"""Power of the county's comparison and of its gate, on counties that nothing was chosen on.

``python benchmarks/power.py --seeds 3101:3150 --out power.jsonl`` simulates counties as the demo's
(3,000 households, 60 months, only the seed differs), runs the county's experiment on each with its three test
dates, and asks what its own declared test says: whether the champion's list is called better than the rules'
(p below .05), whether better than the best simple order's (95 % interval above 0), and whether it passes the
gate. Printed are these shares with 95 % intervals (Wilson), and beside the power the test's size: how often
two lists that are equally good are called different, at about as many villages (`few_villages.study`).

Each county is a line of ``--out``; what is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from few_villages import study
from riskmodel import simulate
from riskmodel.data import About, from_frames
from riskmodel.evaluation import list_claims, wilson_interval
from riskmodel.runs import EVENT_WORDS, load_experiment
from riskmodel.runs.assessment import Evaluation
from riskmodel.runs.fitting import run_experiment
from riskmodel.runs.gate import judge_champion

LEVEL = 0.95
VILLAGES = 100  # of the study of size; a county of the demo has about as many
SIZE_COUNTIES = 1000


def one_county(seed: int, households: int, months: int) -> dict[str, Any]:
    """Return what the county's declared test, its claims and its gate say on one simulated county."""
    began = time.process_time()
    exp = load_experiment("county")
    made = simulate.simulate_county(households=households, months=months, seed=seed, truth_at=())
    county = from_frames(made.frames, About.model_validate(made.about))
    rows = run_experiment(exp, county, lambda text: None, final=False).predictions
    evaluation = Evaluation(
        rows, exp.budget.per_date, "rule", EVENT_WORDS[exp.events[0]], declared=exp.champion, seed=exp.seed
    )
    compared = evaluation.comparison
    assert compared is not None
    declared = compared.primary[compared.primary["model"] == exp.champion].iloc[0]
    claims = list_claims(rows, exp.budget.per_date, exp.champion, seed=exp.seed).set_index("claim")
    gate = judge_champion(exp, rows)
    learning = claims.loc["learning"]
    return {
        "seed": seed, "households": households, "months": months, "digest": exp.digest,
        "villages": int(rows[["township", "village"]].drop_duplicates().shape[0]),
        "events": int(rows.loc[rows["model"] == exp.champion, "y"].sum()),
        "difference": float(declared["delta_recall"]), "p": float(declared["p_bootstrap"]),
        "baseline": str(learning["baseline"]),
        "over_simple": float(learning["delta_recall"]), "over_simple_low": float(learning["delta_low"]),
        "gate": bool(gate.passed), "checks": {c.id: bool(c.passed) for c in gate.checks},
        "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def share(name: str, found: pd.Series) -> dict[str, Any]:
    """Return how often something held, with Wilson's interval."""
    low, high = (float(end) for end in wilson_interval(int(found.sum()), len(found), LEVEL))
    return {"what": name, "counties": len(found), "share": float(found.mean()), "low": low, "high": high}


def summary(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of counties in which each thing is shown, and the test's size."""
    better = (lines["p"] < 1 - LEVEL) & (lines["difference"] > 0)
    rows = [
        share("champion better than the rules, p < .05", better),
        share("champion better than the best simple order, interval above 0", lines["over_simple_low"] > 0),
        share("champion passes the gate", lines["gate"]),
        *(
            share(f"gate: {check}", pd.Series([one[check] for one in lines["checks"]]))
            for check in lines["checks"].iloc[0]
        ),
    ]
    size = study(VILLAGES, SIZE_COUNTIES)
    low, high = (float(e) for e in wilson_interval(size["size"] * SIZE_COUNTIES, SIZE_COUNTIES, LEVEL))
    what = f"size: equal lists called different ({VILLAGES} villages)"
    rows.append({"what": what, "counties": SIZE_COUNTIES, "share": size["size"], "low": low, "high": high})
    return pd.DataFrame(rows)


def main(given: list[str] | None = None) -> None:
    """Measure what is not measured yet, then print what stands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", required=True, help="first:last")
    parser.add_argument("--out", type=Path, required=True, help="a line of JSON a county; added to")
    parser.add_argument("--households", type=int, default=3000)
    parser.add_argument("--months", type=int, default=60)
    args = parser.parse_args(given)
    first, last = map(int, args.seeds.split(":"))
    there = [json.loads(t) for t in args.out.read_text().splitlines()] if args.out.is_file() else []
    digest = load_experiment("county").digest

    def known(seed: int) -> list[dict[str, Any]]:
        wanted = (seed, args.households, args.months, digest)
        return [li for li in there if (li["seed"], li["households"], li["months"], li["digest"]) == wanted]

    for seed in range(first, last + 1):
        if not known(seed):
            there.append(one_county(seed, args.households, args.months))
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(there[-1]) + "\n")
            print(f"{seed}: {there[-1]['seconds']} s of processor time", file=sys.stderr, flush=True)
    lines = pd.DataFrame([line for seed in range(first, last + 1) for line in known(seed)])
    means = lines[["villages", "events", "difference", "over_simple"]].mean()
    print(f"{len(lines)} counties, on average: " + ", ".join(f"{k} {v:.3f}" for k, v in means.items()))
    print(summary(lines).to_string(index=False, float_format=lambda v: f"{v:.3f}"))


if __name__ == "__main__":
    main()
