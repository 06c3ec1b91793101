"""Training at the size of a county: a whole run against the bare fits of the libraries on the same rows.

``python benchmarks/training.py --households 20000 --dates 20 --json training.json``

Features are made by numpy (as many columns as the county's experiment learns from: heavy tails, counts,
flags, gaps shared by columns; 5 % events), so that nothing but training is measured, in processor seconds of
one process:

* the run: ``--tests`` folds and the models that score (logit, boosting, and the mean of logit and additive
  boosting, beside the rules and past income), calibrated, with all tables of the evaluation at
  ``--replicates`` village resamples. It is held against the libraries' own fits on the same sets of rows, a
  set a fold and one for the last models: scikit-learn's pipeline of medians, standard columns and ridge logit
  (the faster of two solvers, the penalty given) and its boosted trees with the experiment's parameters
  (their number given).
* ``run / bare fits asked for``: over every fit that the declaration asks for, each made once, penalty and
  number of trees given: logit, additive and boosting on all rows and, for ``calibration: cross``, with each
  of four parts of the villages left out.
* ``run / bare fits and searches``: the same with the library's own search of the number of trees before each
  fit of trees, stopped early on a fifth of the villages. The search of the penalty is left out.
* ``run / one bare fit each``: over one fit a model and set of rows.
* ``linear``, ``trees`` and ``lightgbm contributions``: what an explanation costs over the fastest of the
  closed form written out in numpy (linear, on 20,000 rows), shap's TreeExplainer and
  LightGBM's own on the same model; values asserted equal.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from figures import write_figures
from memory import peak
from riskmodel import explanation
from riskmodel.models.boosting import LightBoosting
from riskmodel.runs import design_matrix, experiment, run_rows, training
from riskmodel.runs.fitting import ExperimentResult, fit_rows

PER_VILLAGE = 100
RATE = 0.05
EXPLAINED = 2_000
COUNTY = 20_000
PARTS = 4
BARE = ("bare once", "bare fits", "bare searches")
LIMITS = {
    "run / bare fits asked for": 1.5,
    "run / bare fits and searches": 1.5,
    "linear contributions / closed form": 1.2,
    "trees contributions / shap": 1.2,
    "lightgbm contributions / own": 1.2,
}
Array = NDArray[np.float64]


def main() -> None:
    args = arguments()
    print(f"{args.households:,} households × {args.dates} dates, {args.replicates:,} resamples")
    rows = made_rows(args.households, args.dates, args.replicates, args.tests)
    start = time.process_time()
    result = fit_rows(rows, lambda line: None)
    fitted = time.process_time()
    training._tables(result, training.evaluate_result(result))
    seconds = {"fits": fitted - start, "evaluation": time.process_time() - fitted}
    figures: dict[str, float] = {"peak memory, GiB": peak()}
    print(", ".join(f"{name} {value:.1f} s" for name, value in seconds.items()), flush=True)
    whole = seconds["fits"] + seconds["evaluation"]
    # One thread, as ours: several wait on each other at every node.
    with threadpool_limits(limits=1, user_api="openmp"):
        seconds |= bare(rows, result)
    once, fits, searches = (
        sum(value for name, value in seconds.items() if name.startswith(kind)) for kind in BARE
    )
    figures["run / bare fits asked for"] = whole / fits
    figures["run / bare fits and searches"] = whole / (fits + searches)
    figures["run / one bare fit each"] = whole / once
    figures |= contributions(rows, result)
    for name, value in seconds.items():
        print(f"  {name}: {value:.1f} s")
    for name, value in figures.items():
        limit = f" (aim: at most {LIMITS[name]:g})" if name in LIMITS else ""
        print(f"  {name}: {value:.2f}{limit}")
    size = {
        "households": args.households, "dates": args.dates, "tests": args.tests,
        "replicates": args.replicates,
    }  # fmt: skip
    write_figures(args.json, "training", size, figures, LIMITS, seconds=seconds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--dates", type=int, default=20, help="quarters; the last are tests")
    parser.add_argument("--tests", type=int, default=3, help="test dates, a fold each")
    parser.add_argument("--replicates", type=int, default=2_000, help="village resamples of the evaluation")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def made_matrix(n: int, dates: int, columns: int) -> tuple[Array, Array]:
    """Return features (dates · n, columns) and outcomes: heavy tails, counts, flags, shared gaps."""
    rng = np.random.default_rng(0)
    X, margin = np.empty((dates * n, columns)), np.zeros(dates * n)
    gaps = [rng.random(n) < share for share in np.linspace(0.01, 0.2, 12)]
    for j in range(columns):
        value = 0.8 * np.tile(rng.standard_normal(n), dates) + 0.6 * rng.standard_normal(dates * n)
        kind = j % 10
        if kind < 6:
            X[:, j] = np.round(np.exp(6 + value), 2)
        elif kind < 8:
            X[:, j] = np.floor(np.maximum(value + 0.5, 0) * 3)
        else:
            X[:, j] = value > 1.2 if kind == 8 else value
        margin += 0.9 * value * (j % 25 == 0) - 0.3 * value**2 * (j % 60 == 5)
        if j % 4 == 3:
            X[np.tile(gaps[j % 12], dates), j] = np.nan
    villages = rng.standard_normal(-(-n // PER_VILLAGE))
    margin += 0.3 * np.tile(np.repeat(villages, PER_VILLAGE)[:n], dates)
    low, high = -20.0, 20.0
    for _ in range(60):
        level = (low + high) / 2
        low, high = (level, high) if expit(margin + level).mean() < RATE else (low, level)
    return X, (rng.random(len(margin)) < expit(margin + level)).astype(float)


def made_rows(n: int, dates: int, replicates: int, tests: int = 3) -> run_rows.RunRows:
    """Return the rows of a run as a county would give them."""
    exp = experiment.load_experiment("county").model_copy(update={"bootstrap": replicates})
    names = design_matrix.resolve_feature_set(exp).names
    values, y = made_matrix(n, dates, len(names))
    days = [(pd.Timestamp("2015-12-31") + pd.offsets.QuarterEnd(k)).date() for k in range(dates)]
    pcni, persons = values[:, 0] * 10, np.random.default_rng(1).integers(1, 7, n)
    rows = pd.DataFrame({
        "row": np.arange(len(y)), "household_id": np.tile([f"h{i:07d}" for i in range(n)], dates),
        "as_of": np.repeat(pd.to_datetime(days), n),
        "township": np.tile([f"t{i // PER_VILLAGE % 12}" for i in range(n)], dates),
        "village": np.tile([f"v{i // PER_VILLAGE}" for i in range(n)], dates),
        "persons": np.tile(persons, dates).astype(float), "pcni": pcni, "line": 6000.0,
        "gap": pcni - 6000.0, "flagged": pcni < np.quantile(pcni, 0.03),
    })  # fmt: skip
    rows["rule_rank"] = design_matrix.rank_by_rules(rows)
    flags = rows.loc[rows["flagged"], ["household_id", "as_of"]]
    matrix = design_matrix.DesignMatrix(rows, pd.DataFrame(values, columns=names), flags, rows.iloc[:0])
    labelled = rows.assign(y=y, real_horizon_months=12.0)
    nulls = pd.DataFrame({"fold": [], "role": [], "reason": [], "rows": [], "share": []})
    folds = []
    for k in range(dates - tests, dates):
        # The label's year lies between the last training date and the test.
        fold = experiment.Fold(days[k].isoformat(), tuple(days[: k - 3]), (days[k],), days[k])
        train, test = (
            labelled[labelled["as_of"].isin(pd.to_datetime(list(part)))].reset_index(drop=True)
            for part in (fold.train, fold.test)
        )
        keys = test[["household_id", "as_of"]]
        folds.append(run_rows.FoldRows(fold, train, test, keys, pd.DataFrame(), (), nulls))
    unknown = pd.DataFrame({"as_of": [], "reason": [], "households": []})
    return run_rows.RunRows(exp, matrix, tuple(folds), labelled, "made", unknown)


def bare(rows: run_rows.RunRows, result: ExperimentResult) -> dict[str, float]:
    """Return processor seconds of the libraries' own fits: one a model, all asked for, searches of trees."""
    C = float(fitted_base(result, "logit").C_)
    additive, boosting = fitted_base(result, "mean").bases_[1], fitted_base(result, "boosting")
    models = {"additive": bare_trees(additive), "boosting": bare_trees(boosting)}
    searches = {"additive": bare_search(additive), "boosting": bare_search(boosting)}
    once, every, search = BARE
    out = {f"{kind} {name}": 0.0 for kind in BARE[:2] for name in ("logit", *searches)}
    out |= {f"{search} {name}": 0.0 for name in searches}
    assert rows.final is not None
    for train in [*(fold.train for fold in rows.folds), rows.final]:
        X, y = rows.matrix.X.iloc[train["row"]].to_numpy(), train["y"].to_numpy(dtype=int)
        village = train["village"].str[1:].astype(int).to_numpy()
        if "logit" not in models:
            models["logit"] = faster_logit(C, X, y)
        for part in (None, *range(PARTS)):
            kept = np.ones(len(y), dtype=bool) if part is None else village % PARTS != part
            some, hit, held = X[kept], y[kept], village[kept] // PARTS % 5 == 0
            for name, model in models.items():
                spent = seconds_of(partial(model.fit, some, hit))
                out[f"{every} {name}"] += spent
                out[f"{once} {name}"] += spent if part is None else 0.0
            rest = {"X": some[~held], "y": hit[~held], "X_val": some[held], "y_val": hit[held]}
            for name, trial in searches.items():
                out[f"{search} {name}"] += seconds_of(partial(trial.fit, **rest))
        print(", ".join(f"{name} {value:.1f} s" for name, value in out.items()), flush=True)
    return out


def fitted_base(result: ExperimentResult, name: str) -> Any:
    """Return what was calibrated: the model of many columns itself."""
    base = result.fitted[name].base_
    return getattr(base, "base_", base)


def faster_logit(C: float, X: Array, y: NDArray[np.int64]) -> Any:
    """Return the logit of the faster of two solvers, not fitted."""
    solvers = (
        {"solver": "lbfgs", "max_iter": 1000},
        {"solver": "newton-cholesky", "tol": 1e-8, "max_iter": 200},
    )
    return min((bare_logit(C, **o) for o in solvers), key=lambda model: seconds_of(lambda: model.fit(X, y)))


def bare_logit(C: float, **options: Any) -> Any:
    logit = LogisticRegression(C=C, **options)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), logit)


def bare_trees(fitted: Any, **options: Any) -> HistGradientBoostingClassifier:
    """Return the library's trees with a fitted model's parameters and number of trees, not fitted."""
    return HistGradientBoostingClassifier(**{
        "learning_rate": fitted.learning_rate, "max_iter": fitted.n_trees_, "max_depth": fitted.max_depth,
        "max_leaf_nodes": None, "min_samples_leaf": fitted.min_samples_leaf, "l2_regularization": fitted.l2,
        "max_features": fitted.max_features, "monotonic_cst": fitted.ensemble_.monotonic_cst,
        "early_stopping": False, "random_state": 0, **options,
    })  # fmt: skip


def bare_search(fitted: Any) -> HistGradientBoostingClassifier:
    """Return the library's search of the number of trees, as a fitted model's parameters have it."""
    return bare_trees(
        fitted,
        max_iter=fitted.max_trees,
        early_stopping=True,
        n_iter_no_change=fitted.patience,
        scoring="loss",
    )


def contributions(rows: run_rows.RunRows, result: ExperimentResult) -> dict[str, float]:
    """Return what explanations cost over the fastest way to the same figures."""
    county = rows.matrix.X.iloc[:COUNTY]
    X = county.iloc[:EXPLAINED]
    import_shap()
    linear, trees = result.fitted["logit"], result.fitted["boosting"]
    base = fitted_base(result, "logit")
    train = rows.folds[0].train
    light = LightBoosting(max_trees=100, early_stopping=False)
    light.fit(rows.matrix.X.iloc[train["row"]], train["y"].to_numpy(dtype=int))
    booster = light._booster()
    whole, matrix = county.to_numpy(), X.to_numpy()
    own = booster.predict(matrix, pred_contrib=True, num_threads=1)[:, :-1]
    assert np.allclose(
        explanation.compute_contributions(linear, county)[0], closed_form(linear.slope_, base, whole)
    )
    assert np.allclose(explanation.compute_contributions(light, X)[0], own)
    return {
        "linear contributions / closed form": ratio(
            lambda: explanation.compute_contributions(linear, county),
            lambda: closed_form(linear.slope_, base, whole),
        ),
        "trees contributions / shap": ratio(
            lambda: explanation.compute_contributions(trees, X), shap_values(trees.base_.ensemble_, matrix)
        ),
        "lightgbm contributions / own": ratio(
            lambda: explanation.compute_contributions(light, X),
            lambda: booster.predict(matrix, pred_contrib=True, num_threads=1),
            shap_values(booster, matrix),
        ),
    }


def closed_form(slope: float, linear: Any, matrix: Array) -> Array:
    """Return (x - mean) · coefficient, a column's mark of a gap added to it, with nothing checked."""
    design, coef, p = linear.design_, linear.coef_, matrix.shape[1]
    gaps = np.isnan(matrix)
    x = np.clip(np.where(gaps, design.median_, matrix), design.low_, design.high_)
    logged = np.isfinite(design.log_scale_)
    x[:, logged] = np.sign(x[:, logged]) * np.log1p(np.abs(x[:, logged]) / design.log_scale_[logged])
    parts = (x - design.mean_) / design.scale_ * coef[:p]
    marks = (gaps[:, design.pattern_column_] - design.pattern_mean_) / design.pattern_scale_ * coef[p:]
    return np.asarray(slope * (parts + marks @ design.pattern_shares_))


def import_shap() -> Any:
    # numba asks for the library `coverage` and would find the benchmark of that name beside this script.
    beside = sys.path.pop(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import shap
    finally:
        sys.path.insert(0, beside)
    return shap


def shap_values(ensemble: Any, matrix: Array) -> Callable[[], Any]:
    shap = import_shap()

    def values() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = shap.TreeExplainer(ensemble, feature_perturbation="tree_path_dependent")
            return explainer.shap_values(matrix, check_additivity=False)

    return values


def ratio(ours: Callable[[], Any], *others: Callable[[], Any], rounds: int = 3) -> float:
    """Return our processor seconds over those of the fastest other, the least of some rounds in turn.

    Short works have more rounds: of milliseconds three would be luck.
    """
    works, least = (ours, *others), [float("inf")] * (1 + len(others))
    rounds = max(rounds, min(50, int(1 / max(seconds_of(ours), 1e-3))))
    for _ in range(rounds):
        least = [min(best, seconds_of(work)) for best, work in zip(least, works, strict=True)]
    return least[0] / min(least[1:])


def seconds_of(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
