"""Train: run an experiment, evaluate it, compare it with the rules, and log all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from riskmodel import evaluation, explain, features, models, rules, tracking
from riskmodel.county.county import County
from riskmodel.errors import UsageError
from riskmodel.evaluation import Budget, Comparison
from riskmodel.evaluation import oracle as attainable
from riskmodel.experiment import Experiment, ExperimentResult, run
from riskmodel.labels import KEY

ORACLE = "oracle"
SUMMARY = [
    "model",
    "auc",
    "auc_low",
    "auc_high",
    "average_precision",
    "brier",
    "calibration_slope",
    "recall_at_budget",
    "precision_at_budget",
    "n_test",
    "base_rate",
]
# Rows a mean contribution is taken over: more move no reason, and SHAP on trees is slow.
REFERENCE_ROWS = 1000
# What the found events are called in a sentence, by the first event of the experiment.
EVENT_WORDS = {
    "below_line": ("真实跌破监测线", "true falls below the line"),
    "identified": ("新纳入监测", "new identifications"),
    "confirmed": ("核查属实", "confirmed visits"),
}


@dataclass(frozen=True)
class Evaluated:
    """What a run's predictions are worth.

    Parameters
    ----------
    pooled, by_fold, curves : DataFrame
        From `riskmodel.evaluation`.
    comparison : Comparison or None
        Rules against models; None where the experiment has no rule baseline or nothing to compare.
    oracle : DataFrame or None
        The same metrics on the rows whose true probability is known, the truth among the models.
    attainable : OracleReport or None
        What each model reaches of what could be known, where true probabilities are.
    """

    pooled: pd.DataFrame
    by_fold: pd.DataFrame
    curves: pd.DataFrame
    comparison: Comparison | None
    oracle: pd.DataFrame | None
    attainable: attainable.OracleReport | None = None


@dataclass(frozen=True)
class Trained:
    """A logged run.

    Parameters
    ----------
    run_id : str
    result : ExperimentResult
    evaluated : Evaluated
    """

    run_id: str
    result: ExperimentResult
    evaluated: Evaluated

    @property
    def summary(self) -> dict[str, Any]:
        """The contract's machine-readable summary of ``train``."""
        rows = self.evaluated.pooled[SUMMARY].to_dict("records")
        return {"run_id": self.run_id, "experiment": self.result.experiment.id, "models": rows}

    @property
    def verdict(self) -> dict[str, str]:
        """The one sentence that matters, in ``zh`` and ``en``: rules against the champion."""
        return headline(self.evaluated.comparison, self.result.experiment.champion)


@dataclass(frozen=True)
class StoredComparison:
    """Rules against models, as read from a run."""

    run_id: str
    experiment: str
    table: pd.DataFrame
    notes: list[dict[str, str]]
    oracle: pd.DataFrame | None = None
    oracle_bins: pd.DataFrame | None = None
    effect: dict[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return the pooled rows for a machine."""
        return {
            "run_id": self.run_id,
            "experiment": self.experiment,
            "comparison": self.table.to_dict("records"),
            "notes": self.notes,
            "oracle": None if self.oracle is None else self.oracle.to_dict("records"),
            "oracle_bins": None if self.oracle_bins is None else self.oracle_bins.to_dict("records"),
            "support_effect": self.effect or None,
        }

    def text(self, lang: str = "en") -> str:
        """Return the pooled verdicts as sentences, the notes after them."""
        pooled = self.table[(self.table["scope"] == "pooled") & (self.table["at"] == "budget")]
        lines = [f"{self.experiment} {self.run_id}", *pooled[f"verdict_{lang}"]]
        lines += [f"- {note[lang]}" for note in self.notes]
        if self.oracle is not None:
            lines += [said[lang] for said in attainable.told(self.oracle, self.effect)]
        return "\n".join(lines)


def train(
    exp: Experiment,
    county: County,
    store: str | Path,
    *,
    truth: pd.DataFrame | None = None,
    progress: Callable[[str], None] | None = None,
    take_over: bool = False,
) -> Trained:
    """Run an experiment on a county and log it.

    The model that is to score becomes ``<id>@champion`` if there is none yet, else ``<id>@challenger``:
    `riskmodel.promotion.promote` decides between the two.

    Parameters
    ----------
    exp : Experiment
    county : County
    store : str or Path
        MLflow's SQLite file.
    truth : DataFrame, optional
        The simulator's ``truth.parquet``; used to measure against, never to learn from.
    progress : callable, optional
    take_over : bool
        Become champion without a comparison (a demonstration on a county of its own).

    Returns
    -------
    Trained

    Raises
    ------
    InputRefused
        If the history is too short or the events too few.
    """
    result = run(exp, county, progress)
    if progress:
        progress("evaluating: village bootstrap, rules against models")
    evaluated = evaluate(result, truth)
    if progress:
        progress("logging run and models")
    return Trained(log(result, evaluated, store, take_over=take_over), result, evaluated)


def evaluate(result: ExperimentResult, truth: pd.DataFrame | None = None) -> Evaluated:
    """Evaluate a run's predictions (see `riskmodel.evaluation`).

    Parameters
    ----------
    result : ExperimentResult
    truth : DataFrame, optional

    Returns
    -------
    Evaluated
    """
    exp, found = result.experiment, result.predictions
    budget = Budget(visits=exp.budget.visits, share=exp.budget.share)
    how: dict[str, Any] = {"replicates": exp.bootstrap, "seed": exp.seed}
    comparison = None
    if "rule" in exp.models and len(exp.models) > 1:
        words = EVENT_WORDS[exp.events[0]]
        comparison = evaluation.compare(found, budget, event=words, **how)
    known = _truth_of(exp, truth)
    oracle = None if known is None else _with_truth(found, known)
    return Evaluated(
        pooled=evaluation.pooled(found, budget, **how),
        by_fold=evaluation.by_fold(found, budget, **how),
        curves=evaluation.curves(found, seed=exp.seed),
        comparison=comparison,
        oracle=None if oracle is None else evaluation.pooled(oracle, budget, **how),
        attainable=None
        if oracle is None or known is None
        else attainable.against_truth(found, known, budget, seed=exp.seed),
    )


def _truth_of(exp: Experiment, truth: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the true chances of the experiment's own event and horizon; None where it has no single one."""
    if truth is None or len(exp.events) != 1 or exp.horizon.next:
        return None
    known = truth[(truth["event"] == exp.events[0]) & (truth["horizon_months"] == exp.horizon.months)]
    return known.assign(
        as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str)
    ).drop(columns=["event", "horizon_months", "outcome"], errors="ignore")


def _with_truth(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame | None:
    """Return the predictions whose true probability is known, with the truth as one more model."""
    known = truth[["household_id", "as_of", "probability"]]
    rows = found.merge(known.rename(columns={"probability": "true"}), on=KEY, how="inner")
    if rows.empty or rows["y"].isna().all():
        return None
    one = rows[rows["model"] == rows["model"].iloc[0]]
    # A share of 1,000 futures can be 0 or 1; half a future keeps the log-odds finite and the order.
    p = one["true"].clip(0.5e-3, 1 - 0.5e-3)
    oracle = one.assign(model=ORACLE, probability=one["true"], score=logit(p))
    return pd.concat([rows, oracle], ignore_index=True).drop(columns="true")


def log(result: ExperimentResult, evaluated: Evaluated, store: str | Path, *, take_over: bool = False) -> str:
    """Log a run with its tables, models and cards; returns the run id.

    Parameters
    ----------
    result : ExperimentResult
    evaluated : Evaluated
    store : str or Path
    take_over : bool
        See `train`.

    Returns
    -------
    str
    """
    exp = result.experiment
    ruleset = rules.load(exp.ruleset)
    # Who is in charge stays so until `riskmodel promote` has compared the two.
    free = take_over or tracking.find(f"{exp.id}@{tracking.CHAMPION}", store) is None
    role = tracking.CHAMPION if free else tracking.CHALLENGER
    with tracking.start(exp.id, store, f"{exp.id} v{exp.version}", {"experiment": exp.id}) as opened:
        opened.params(_params(result, ruleset))
        _metrics(opened, evaluated)
        for name, frame in _tables(result, evaluated).items():
            opened.table(frame, f"tables/{name}")
        opened.document(exp.model_dump(mode="json"), "experiment.json")
        opened.document(_facts(result, evaluated), "facts.json")
        for name in exp.models:
            opened.log_model(name, result.fitted[name], _card(name, result, ruleset))
        for name in exp.models:
            opened.register(exp.id, name, (name, role) if name == exp.champion else (name,))
    return opened.run_id


def _params(result: ExperimentResult, ruleset: rules.RuleSet) -> dict[str, Any]:
    exp = result.experiment
    return {
        "experiment": exp.id,
        "experiment_version": exp.version,
        "experiment_digest": exp.digest,
        "cohort": list(exp.cohort),
        "events": list(exp.events),
        "horizon_months": exp.horizon.months,
        "ruleset": ruleset.id,
        "ruleset_params": exp.params,
        "feature_set": result.feature_set.id,
        "feature_set_hash": result.feature_set.catalog_hash,
        "n_features": len(result.feature_set.names),
        "models": list(exp.models),
        "champion": exp.champion,
        "budget": exp.budget.model_dump(),
        "seed": exp.seed,
        "data_fingerprint": result.fingerprint,
    }


def _metrics(opened: tracking.Run, evaluated: Evaluated) -> None:
    def numeric(row: Mapping[Any, Any], model: str) -> dict[str, float]:
        return {
            f"{model}.{name}": float(value)
            for name, value in row.items()
            if isinstance(value, int | float | np.number) and not isinstance(value, bool)
        }

    for row in evaluated.pooled.to_dict("records"):
        opened.metrics(numeric(row, str(row["model"])))
    for model, rows in evaluated.by_fold.groupby("model", sort=False):
        for step, row in enumerate(rows.drop(columns="fold").to_dict("records"), start=1):
            opened.metrics(numeric(row, f"fold.{model}"), step)


def _tables(result: ExperimentResult, evaluated: Evaluated) -> dict[str, pd.DataFrame]:
    # Ids stay in the county: a run numbers its households anew.
    found = result.predictions
    coded = found.assign(household_id=pd.factorize(found["household_id"], sort=True)[0])
    tables = {
        "predictions": coded,
        "folds": result.folds,
        "metrics": evaluated.pooled,
        "metrics_by_fold": evaluated.by_fold,
        "curves": evaluated.curves,
        "features": features.describe(result.feature_set),
    }
    if evaluated.comparison is not None:
        tables |= {"comparison": evaluated.comparison.table, "deployed": evaluated.comparison.deployed}
    if evaluated.oracle is not None:
        tables["oracle"] = evaluated.oracle
    if evaluated.attainable is not None:
        tables["attainable"] = evaluated.attainable.table
        tables["attainable_bins"] = evaluated.attainable.bins
    return tables


def _facts(result: ExperimentResult, evaluated: Evaluated) -> dict[str, Any]:
    return {
        "experiment": result.experiment.id,
        "notes": result.notes,
        "comparison_notes": evaluated.comparison.notes if evaluated.comparison else [],
        "headline": headline(evaluated.comparison, result.experiment.champion),
        "support_effect": evaluated.attainable.effect if evaluated.attainable else {},
        "data_fingerprint": result.fingerprint,
    }


def _card(name: str, result: ExperimentResult, ruleset: rules.RuleSet) -> dict[str, Any]:
    exp = result.experiment
    return {
        "experiment": exp.id,
        "experiment_digest": exp.digest,
        "events": list(exp.events),
        "horizon_months": exp.horizon.months,
        "cohort": list(exp.cohort),
        "params": exp.params,
        "feature_set": result.feature_set.model_dump(mode="json", by_alias=True),
        "ruleset": ruleset.model_dump(mode="json", by_alias=True),
        "data_fingerprint": result.fingerprint,
        "calibration": _calibration(result.fitted[name]),
        "reference": reference(result.fitted[name], result.background)
        if models.entry(name).explained
        else None,
    }


def _calibration(model: Any) -> dict[str, Any] | None:
    """Return the affine map of a calibrated model; None for one whose rates are its own."""
    if not isinstance(model, models.CalibratedScore):
        return None
    return {
        "intercept": model.intercept_,
        "slope": model.slope_,
        "held_out_rows": model.n_held_out_,
        "held_out_events": model.n_held_out_events_,
    }


def reference(model: models.CalibratedScore, background: pd.DataFrame) -> dict[str, Any]:
    """Return what explanations count from: the mean contribution of each feature in training.

    Parameters
    ----------
    model : CalibratedScore
    background : DataFrame, shape (n, p)
        Training features.

    Returns
    -------
    dict
        ``columns`` and ``centre`` (log-odds).
    """
    step = max(1, -(-len(background) // REFERENCE_ROWS))
    parts, _ = explain.contributions(model, background.iloc[::step])
    return {"columns": list(parts.columns), "centre": [float(v) for v in parts.mean(axis=0)]}


def headline(comparison: Comparison | None, champion: str) -> dict[str, str]:
    """Return the one sentence that matters: rules against a model at the same number of visits.

    Parameters
    ----------
    comparison : Comparison or None
    champion : str

    Returns
    -------
    dict
        ``zh`` and ``en``; says so where there is nothing to compare.
    """
    if comparison is not None:
        rows = comparison.primary
        rows = rows[rows["model"] == champion]
        if len(rows):
            return {"zh": str(rows["verdict_zh"].iloc[0]), "en": str(rows["verdict_en"].iloc[0])}
    return {"zh": "本次实验没有规则基准，无可比较。", "en": "This run has no rule baseline to compare with."}


def read_truth(data: str | Path) -> pd.DataFrame | None:
    """Return the simulator's truth beside a county's tables, or None."""
    path = Path(data) / "truth.parquet"
    return pd.read_parquet(path) if path.is_file() else None


def read_comparison(run_id: str, store: str | Path) -> StoredComparison:
    """Read a run's comparison of rules with models.

    Parameters
    ----------
    run_id : str
    store : str or Path

    Returns
    -------
    StoredComparison

    Raises
    ------
    UsageError
        If the run is not there or compared nothing.
    """
    facts = tracking.read_document(run_id, "facts.json", store)
    try:
        table = tracking.read_table(run_id, "tables/comparison", store)
    except UsageError as exc:
        raise UsageError(
            f"run {run_id} compared no model with the rules: its experiment lists no rule"
        ) from exc
    bins = _if_there(run_id, "attainable_bins", store)
    return StoredComparison(
        run_id,
        facts["experiment"],
        table,
        facts["comparison_notes"],
        oracle=_if_there(run_id, "attainable", store),
        oracle_bins=bins,
        effect=facts.get("support_effect") or {},
    )


def _if_there(run_id: str, name: str, store: str | Path) -> pd.DataFrame | None:
    """Return a table that only runs on simulated counties have."""
    try:
        return tracking.read_table(run_id, f"tables/{name}", store)
    except UsageError:
        return None
