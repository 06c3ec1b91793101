"""How far scores see, on simulated counties whose true chances are known: the measurement of the goals.

``python benchmarks/scores.py --seeds 901:902 --out scores.jsonl`` simulates counties of 3,000 households over
60 months, one a profile and seed, fits the county's experiment on each (tested at one date) and measures
every model **against true chances**: area under the curve, recall at the budget, slope, true over predicted.
Beside its models stand the simple orders, the champion with the columns that mirror the simulator
(``+mirrors``), the oracle, and what is attainable at least: a learner that was shown the true chances of
24,000 households of other counties of the profile (`riskmodel.simulate.lower_bound`), made once a profile.
Printed are means over seeds with 95 % intervals, differences to the rules and to the best simple order, and
the share of the attainable gain.

Each county is a line of ``--out``; what is there is not made again, so a stopped run goes on. Counties,
columns and learners are kept in ``--cache`` under a digest of what makes them: a further declaration
(``--experiment FILE``, its models under ``FILE:model``) on the same seeds costs its fits only. Seeds used to
choose anything are not to be given for a measurement: 901 to 906 and 2001 to 2010 were.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
import pandas as pd
from scipy.stats import t as student

import riskmodel
from riskmodel import simulate
from riskmodel.data import About, County, from_frames
from riskmodel.evaluation import Budget
from riskmodel.evaluation.true_risk import ORACLE, compare_with_true_risk
from riskmodel.models import model_entry
from riskmodel.runs import Experiment, load_experiment
from riskmodel.runs.design_matrix import resolve_feature_set
from riskmodel.runs.experiment import AsOf, as_of_dates, temporal_folds
from riskmodel.runs.fitting import fit_rows
from riskmodel.runs.run_rows import RunRows, collect_rows
from riskmodel.simulate.lower_bound import (
    ChanceLearner,
    ChanceRows,
    chance_rows,
    fit_until_still,
    other_counties,
)

T = TypeVar("T")
PROFILES = ("default", "poor-mountain", "rich-plain", "disaster-year", "other-world")
COUNTY = "county"
ATTAINABLE, RULE, MIRRORS = "attainable", "rule", "+mirrors"
SIMPLE = ("past_income", "run_rate", "run_rates", "village")
FIGURES = ("auc_true", "recall_true", "slope_true", "calibration", "recall")
GAINS = ("auc_true", "recall_true")
BUDGET = {"share": 0.05}
START = "2017-01"
CHECKS = 4  # counties on which the learner's recall is seen to stand still
# What decides counties, columns and labels; models may change without making them again.
DATA_SIDE = ("data", "households", "rules", "targets", "features", "simulate")
ROW_MODULES = ("runs/design_matrix.py", "runs/run_rows.py", "runs/data_fit.py")
_DECIDES_ROWS = ("cohort", "ruleset", "feature_set", "events", "horizon", "as_of", "params", "weighted")


def one_county(args: argparse.Namespace, profile: str, seed: int, name: str) -> dict[str, Any]:
    """Return a line of the results: each model of a declaration against the true chances of one county."""
    began = time.process_time()
    declared = last_date_only(load_experiment(name), args.test_day)
    tables = Tables(args, profile, seed)
    truth, known = tables.truth()
    seen = truth[(truth["event"] == "below_line") & (truth["horizon_months"] == declared.horizon.months)]
    seen = seen.drop(columns=["event", "horizon_months", "outcome"])
    rows = tables.rows(declared)
    found = [predictions(declared, rows)]
    if name == COUNTY:
        mirrors = tuple(g for g in declared.leave_out if g != "mirrors_simulator")
        models, lines = (RULE, declared.champion), declared.augment_lines
        again = declared.model_copy(update={
            "leave_out": mirrors, "models": models, "augment_lines": lines and lines.among(models),
        })  # fmt: skip
        more = predictions(again, rows)
        more = more[more["model"] != RULE]
        found.append(more.assign(model=more["model"] + MIRRORS))
        best = attainable_learner(args, profile).score(known.X)
        scores = known.keys.assign(score=np.log(np.maximum(best, 1e-9)), probability=np.clip(best, 0, 1))
        plain = found[0][found[0]["model"] == RULE].drop(columns=["score", "probability"])
        keyed = plain.merge(scores, on=["household_id", "as_of"], validate="one_to_one")
        found.append(keyed.assign(model=ATTAINABLE))
    every = pd.concat(found, ignore_index=True)
    table = compare_with_true_risk(every, seen, BUDGET, seed=seed).table
    total = every.merge(seen, on=["household_id", "as_of"], suffixes=("", "_true"))
    ratio = total.groupby("model")[["probability_true", "probability"]].sum()
    table["calibration"] = table["model"].map(ratio["probability_true"] / ratio["probability"])
    if name != COUNTY:
        table = table[~table["model"].isin([ORACLE, RULE])]
        table = table.assign(model=f"{Path(name).stem}:" + table["model"])
    return {
        **line_key(args, profile, seed, name), "code": code_digest(("",)),
        "seconds": round(time.process_time() - began, 1), "rows": json.loads(table.to_json(orient="records")),
    }  # fmt: skip


def predictions(exp: Experiment, rows: RunRows) -> pd.DataFrame:
    """Fit a declaration's models on rows with every column, and return what they predict."""
    names = resolve_feature_set(exp).names
    fitted = exp.model_copy(
        update={"as_of": rows.experiment.as_of, "feature_set": rows.experiment.feature_set}
    )
    at = rows.matrix.at_lines
    at = at[[c for c in at if c in ("row", "factor", *names)]]
    mine = replace(rows, experiment=fitted, matrix=replace(rows.matrix, X=rows.matrix.X[names], at_lines=at))
    return fit_rows(mine, lambda text: None).predictions


def last_date_only(exp: Experiment, day: str) -> Experiment:
    """Return a declaration that is tested at one day, with the village's mean among its models."""
    models = exp.models if exp.id != COUNTY or "village" in exp.models else (*exp.models, "village")
    return exp.model_copy(update={
        "models": models,
        "as_of": exp.as_of.model_copy(update={"last": dt.date.fromisoformat(day)}),
        "split": exp.split.model_copy(update={"folds": 1}),
    })  # fmt: skip


class Tables:
    """What one county gives, made when asked for and kept in the cache."""

    def __init__(self, args: argparse.Namespace, profile: str, seed: int) -> None:
        self.args, self.profile, self.seed = args, profile, seed
        self._county: County | None = None

    def truth(self) -> tuple[pd.DataFrame, ChanceRows]:
        """Return the true chances, and every column of the cohort at the test day."""

        def make() -> tuple[pd.DataFrame, ChanceRows]:
            made = self._simulate(self.args.futures)
            self._county = from_frames(made.frames, About.model_validate(made.about))
            day = dt.date.fromisoformat(self.args.test_day)
            return made.truth, chance_rows(load_experiment(COUNTY), self._county, made.truth, [day])

        return kept(self.args, f"{self.profile}-{self.seed}-truth-{self.args.futures}", make)

    def rows(self, exp: Experiment) -> RunRows:
        """Return a declaration's rows with every column of its feature set."""
        plain = exp.model_copy(update={"leave_out": ()})
        decides = [f"{part}={getattr(exp, part)!r}" for part in _DECIDES_ROWS]
        lines = () if exp.augment_lines is None else exp.augment_lines.factors
        further = [f"{lines!r}", *sorted({r for m in exp.models if (r := model_entry(m).ruleset)})]
        digest = sha256("\n".join([*decides, *further]).encode()).hexdigest()[:12]

        def make() -> RunRows:
            if self._county is None:
                made = self._simulate(0)
                self._county = from_frames(made.frames, About.model_validate(made.about))
            days = as_of_dates(plain, self._county)
            fold = temporal_folds(plain, self._county, days)[-1]
            only = plain.model_copy(update={"as_of": AsOf(dates=(*fold.train, *fold.test))})
            return collect_rows(only, self._county, lambda text: None, final=False)

        return kept(self.args, f"{self.profile}-{self.seed}-rows-{digest}", make)

    def _simulate(self, futures: int) -> simulate.SimulatedCounty:
        return simulate.simulate_county(
            households=self.args.households, months=self.args.months, seed=self.seed, profile=self.profile,
            start=START, truth_at=[self.args.test_day], futures=futures,
        )  # fmt: skip


def attainable_learner(args: argparse.Namespace, profile: str) -> ChanceLearner:
    """Return the learner of a profile that was shown true chances of other counties; made once."""

    def make() -> tuple[list[ChanceLearner], pd.DataFrame]:
        exp, day = load_experiment(COUNTY), dt.date.fromisoformat(args.test_day)
        rows: Iterator[ChanceRows] = other_counties(exp, profile, args.months, START, [day])
        checks = list(islice(rows, CHECKS))
        sizes = tuple(int(size) for size in args.learn.split(","))

        def say(text: str) -> None:
            print(f"{profile}: {text}", file=sys.stderr, flush=True)

        return fit_until_still(rows, checks, Budget.of(BUDGET), sizes=sizes, say=say)

    return kept(args, f"{profile}-learner-{args.learn}", make)[0][-1]


def learn(args: argparse.Namespace, profile: str) -> None:
    """Make a profile's learner, and say what it took."""
    began = time.process_time()
    learner = attainable_learner(args, profile)
    spent = f"{time.process_time() - began:.0f} s of processor time"
    print(f"{profile}: learner of {learner.households} households, {spent}", file=sys.stderr, flush=True)


def kept(args: argparse.Namespace, name: str, make: Callable[[], T]) -> T:
    """Return what the cache holds under a name and what decides it, else make and keep it."""
    decides = f"{code_digest(DATA_SIDE)}-{args.households}-{args.months}-{args.test_day}"
    path = args.cache / decides / f"{name}.joblib"
    if path.is_file():
        return joblib.load(path)
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    joblib.dump(value, part, compress=1)
    part.replace(path)
    return value


def code_digest(packages: tuple[str, ...]) -> str:
    """Return a digest of the Python and YAML files of some packages, and of the feature sets."""
    top = Path(riskmodel.__file__).parent
    sums = sha256()
    folders = [top / name for name in packages]
    for name in ROW_MODULES:
        sums.update((top / name).read_bytes())
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in (".py", ".yaml")):
        sums.update(path.relative_to(top).as_posix().encode())
        sums.update(path.read_bytes())
    for name in ("household-v1", "household-v2"):
        sums.update(resolve_feature_set(load_experiment(COUNTY).model_copy(
            update={"feature_set": name, "leave_out": ()}
        )).catalog_hash.encode())  # fmt: skip
    return sums.hexdigest()[:12]


def line_key(args: argparse.Namespace, profile: str, seed: int, name: str) -> dict[str, Any]:
    """Return what tells one line of the results from another."""
    return {
        "profile": profile, "seed": seed, "households": args.households, "months": args.months,
        "test_day": args.test_day, "declaration": name, "digest": load_experiment(name).digest,
    }  # fmt: skip


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds with 95 % intervals, gains and the share of the attainable gain."""
    out = []
    for profile, same in rows.groupby("profile", sort=False):
        wide = {figure: same.pivot(index="seed", columns="model", values=figure) for figure in FIGURES}
        for model in dict.fromkeys(same["model"]):
            line: dict[str, Any] = {"profile": profile, "model": model}
            line["seeds"] = int(wide["auc_true"][model].notna().sum())
            for figure in FIGURES:
                line |= mean_line(figure, wide[figure][model])
            for figure in GAINS:
                table = wide[figure]
                gain = table[model] - table[RULE]
                line |= mean_line(f"{figure}_gain", gain)
                simple = [m for m in SIMPLE if m in table]
                if simple:
                    best = table[simple].mean().idxmax()
                    line[f"{figure}_best_simple"] = best
                    line |= mean_line(f"{figure}_over_simple", table[model] - table[best])
                for limit in (ATTAINABLE, ORACLE):
                    if limit in table:
                        line |= ratio_line(f"{figure}_of_{limit}", gain, table[limit] - table[RULE])
            out.append(line)
    return pd.DataFrame(out)


def mean_line(name: str, values: pd.Series) -> dict[str, float]:
    """Return a mean and half of its 95 % interval."""
    n = int(values.notna().sum())
    half = student.ppf(0.975, n - 1) * values.std() / np.sqrt(n) if n > 1 else float("nan")
    return {name: float(values.mean()), f"{name}_half": float(half)}


def ratio_line(name: str, above: pd.Series, below: pd.Series) -> dict[str, float]:
    """Return a ratio of means over seeds and half of its 95 % interval, linearised."""
    ratio = above.mean() / below.mean()
    half = mean_line(name, (above - ratio * below) / below.mean())[f"{name}_half"]
    return {name: float(ratio), f"{name}_half": half}


def printed(table: pd.DataFrame) -> str:
    """Return the summary as lines of ``mean ± half``."""
    shown = {"auc_true": "AUC", "recall_true": "recall", "auc_true_of_attainable": "share AUC",
             "recall_true_of_attainable": "share recall", "recall_true_gain": "over rules",
             "recall_true_over_simple": "over simple", "slope_true": "slope",
             "calibration": "true/predicted"}  # fmt: skip
    lines = table[["profile", "model", "seeds"]].copy()
    for name, head in shown.items():
        if name in table:
            half = table[f"{name}_half"]
            lines[head] = [f"{v:.3f} ± {h:.3f}" for v, h in zip(table[name], half, strict=True)]
    return lines.to_string(index=False)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a file of results; a line cut off by a stop is left out."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return found


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", required=True, help="first:last")
    parser.add_argument("--profile", action="append", help=f"repeatable; default: {', '.join(PROFILES)}")
    parser.add_argument("--out", type=Path, required=True, help="a line of JSON a county; added to")
    parser.add_argument("--cache", type=Path, default=Path("out/scores-cache"))
    parser.add_argument("--experiment", action="append", default=[], help="a further declaration; repeatable")
    parser.add_argument("--households", type=int, default=3000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--test-day", default="2020-06-30")
    parser.add_argument("--futures", type=int, default=400)
    parser.add_argument("--learn", default="6000,12000,24000", help="households of other counties, in steps")
    parser.add_argument("--jobs", type=int, default=1, choices=(1, 2))
    parser.add_argument("--json", type=Path, help="the summary as JSON")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Measure what is not measured yet, then print what stands."""
    args = arguments(given)
    first, last = map(int, args.seeds.split(":"))
    profiles, names = args.profile or list(PROFILES), [COUNTY, *args.experiment]
    keys = [
        (profile, seed, name) for profile in profiles for seed in range(first, last + 1) for name in names
    ]
    wanted = [line_key(args, *key) for key in keys]
    there = read_lines(args.out)
    known = [{k: line.get(k) for k in wanted[0]} for line in there]
    todo = [key for key, line in zip(keys, wanted, strict=True) if line not in known]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # of the processes that do the work
    context = multiprocessing.get_context("spawn")
    with args.out.open("a", encoding="utf-8") as file, ProcessPoolExecutor(args.jobs, context) as pool:
        learned = [pool.submit(learn, args, profile) for profile in dict.fromkeys(p for p, _, _ in todo)]
        for made in learned:
            made.result()
        for done in as_completed([pool.submit(one_county, args, *key) for key in todo]):
            line = done.result()
            file.write(json.dumps(line) + "\n")
            file.flush()
            where = f"{line['profile']} {line['seed']} {line['declaration']}"
            print(f"{where}: {line['seconds']} s of processor time", file=sys.stderr, flush=True)
    lines = [line for line in read_lines(args.out) if {k: line.get(k) for k in wanted[0]} in wanted]
    if len({line["code"] for line in lines}) > 1:
        print("note: the lines were measured with more than one version of the code", file=sys.stderr)
    rows = pd.concat([
        pd.DataFrame(line["rows"]).assign(profile=line["profile"], seed=line["seed"]) for line in lines
    ])  # fmt: skip
    table = summary(rows)
    print(printed(table))
    if args.json:
        args.json.write_text(table.to_json(orient="records", indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
