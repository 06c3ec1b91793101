"""How far scores see, on simulated counties whose true chances are known: one county a seed, fresh seeds.

``python benchmarks/scores.py --seeds 2001:2020`` simulates counties of 3,000 households over 60 months,
runs the county's experiment on each (its last test date), and prints of every model the area under the
curve and the recall at the budget **against true chances**, their means over seeds with 95 % intervals,
and the share of the way from the rules to the oracle. ``--experiment FILE`` adds the models of a further
declaration on the same counties, under ``FILE:model``. Seeds used to choose anything are not to be given
here again: 901 to 906 were.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from riskmodel import simulate
from riskmodel.data import About, from_frames
from riskmodel.evaluation.true_risk import ORACLE, compare_with_true_risk
from riskmodel.runs import load_experiment, run_experiment

FIGURES = ("auc_true", "recall_true", "slope_true", "calibration")
TEST_DAY = "2020-06-30"


def one_county(args: argparse.Namespace, profile: str, seed: int) -> pd.DataFrame:
    """Return one row a model: how it does against the true chances of one county."""
    made = simulate.simulate_county(
        households=args.households, months=args.months, seed=seed, profile=profile, truth_at=[args.test_day],
        futures=args.futures,
    )  # fmt: skip
    county = from_frames(made.frames, About.model_validate(made.about))
    truth = made.truth[made.truth["event"] == "below_line"]
    truth = truth.drop(columns=["event", "horizon_months", "outcome"], errors="ignore")
    parts = []
    for name in ("county", *args.experiment):
        exp = load_experiment(name)
        exp = exp.model_copy(update={"split": exp.split.model_copy(update={"folds": 1})})
        found = run_experiment(exp, county, lambda text: None, final=False).predictions
        found = found[found["as_of"] == pd.Timestamp(args.test_day)]
        table = compare_with_true_risk(found, truth, {"share": 0.05}, seed=seed).table
        total = found.merge(truth, on=["household_id", "as_of"], suffixes=("", "_true"))
        ratio = total.groupby("model").apply(
            lambda g: g["probability_true"].sum() / g["probability"].sum(), include_groups=False
        )
        table = table.assign(calibration=table["model"].map(ratio))
        if name != "county":
            table = table[~table["model"].isin([ORACLE, "rule"])]
            table["model"] = f"{Path(name).stem}:" + table["model"]
        parts.append(table)
    return pd.concat(parts).assign(profile=profile, seed=seed)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds with 95 % intervals, and the share of the way from the rules to the oracle."""
    out = []
    for (profile, model), part in rows.groupby(["profile", "model"], sort=False):
        line = {"profile": profile, "model": model, "seeds": len(part)}
        same = rows[(rows["profile"] == profile) & rows["seed"].isin(part["seed"])]
        rule, best = (same[same["model"] == m].set_index("seed") for m in ("rule", ORACLE))
        own = part.set_index("seed")
        for figure in FIGURES:
            line |= {figure: own[figure].mean(), f"{figure}_half": half_width(own[figure])}
        for figure in ("auc_true", "recall_true"):
            difference = own[figure] - rule[figure]
            line |= {
                f"{figure}_over_rule": difference.mean(),
                f"{figure}_over_rule_half": half_width(difference),
            }
            line[f"{figure}_share"] = difference.mean() / (best[figure] - rule[figure]).mean()
        out.append(line)
    return pd.DataFrame(out)


def half_width(values: pd.Series) -> float:
    """Return half of a 95 % interval of a mean."""
    n = values.notna().sum()
    return float(student.ppf(0.975, n - 1) * values.std() / np.sqrt(n)) if n > 1 else float("nan")


def main() -> None:
    """Run, print, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="2001:2020", help="first:last")
    parser.add_argument("--profile", action="append", help="repeatable; default: default")
    parser.add_argument("--households", type=int, default=3000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--test-day", default=TEST_DAY)
    parser.add_argument("--futures", type=int, default=1000)
    parser.add_argument("--experiment", action="append", default=[], help="a further declaration; repeatable")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    first, last = map(int, args.seeds.split(":"))
    parts = []
    for profile in args.profile or ["default"]:
        for seed in range(first, last + 1):
            began = time.process_time()
            parts.append(one_county(args, profile, seed))
            print(f"{profile} {seed}: {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
            if args.json:
                args.json.write_text(pd.concat(parts).to_json(orient="records"), encoding="utf-8")
    table = summary(pd.concat(parts))
    print(table.round(3).to_string(index=False))
    if args.json:
        rows = json.loads(pd.concat(parts).to_json(orient="records"))
        found = {"rows": rows, "summary": json.loads(table.to_json(orient="records"))}
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
