"""Train: run an experiment, evaluate it, compare it with the rules, and log all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from riskmodel import evaluation, explanation, features, models, rules
from riskmodel.data import County
from riskmodel.evaluation import Budget, Comparison
from riskmodel.evaluation import oracle as attainable
from riskmodel.evaluation import visited as weighted
from riskmodel.runs import tracking
from riskmodel.runs.comparison import EVENT_WORDS
from riskmodel.runs.experiment import Experiment
from riskmodel.runs.fitting import ExperimentResult, run_experiment
from riskmodel.runs.outcomes import missing_truth, select_truth, truth_mismatch
from riskmodel.targets import KEY

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
    selected : DataFrame or None
        Lists judged by weighted visits (`riskmodel.evaluation.selected`), where the label is ``confirmed``
        and visits have logged chances; ``pooled`` and ``by_fold`` are then weighted as well.
    planning : DataFrame or None
        What a county of this size can show (`riskmodel.evaluation.what_can_be_shown`).
    """

    pooled: pd.DataFrame
    by_fold: pd.DataFrame
    curves: pd.DataFrame
    comparison: Comparison | None
    oracle: pd.DataFrame | None
    attainable: attainable.OracleReport | None = None
    selected: pd.DataFrame | None = None
    planning: pd.DataFrame | None = None


@dataclass(frozen=True)
class TrainedRun:
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
        return headline(self.evaluated, self.result.experiment)


def train(
    exp: Experiment,
    county: County,
    store: str | Path,
    *,
    truth: pd.DataFrame | None = None,
    progress: Callable[[str], None] | None = None,
    take_over: bool = False,
) -> TrainedRun:
    """Run an experiment on a county and log it.

    The model that is to score becomes ``<id>@champion`` if there is none yet, else ``<id>@challenger``:
    `riskmodel.runs.promotion.promote` decides between the two.

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
    result = run_experiment(exp, county, progress)
    differs = truth_mismatch(exp, county) if truth is not None else None
    missing = None if truth is None else missing_truth(exp, truth, result.predictions["as_of"])
    if differs is not None:
        truth = None
    note = differs or missing
    if note is not None:
        result = replace(result, notes=[*result.notes, note])
    if note is not None and progress:
        progress(f"note: {note['en']}")
    if progress:
        progress("evaluating: village bootstrap, rules against models")
    evaluated = evaluate_run(result, truth)
    if progress:
        progress("logging run and models")
    return TrainedRun(log_run(result, evaluated, store, take_over=take_over), result, evaluated)


def evaluate_run(result: ExperimentResult, truth: pd.DataFrame | None = None) -> Evaluated:
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
        declared = exp.champion if exp.champion != "rule" else None
        comparison = evaluation.compare(found, budget, primary=declared, event=words, **how)
    visits = result.findings if result.findings.get("weight", pd.Series(dtype=float)).notna().any() else None
    chosen = None
    if visits is not None and "rule" in exp.models:
        chosen = evaluation.selected(found, visits, budget, **how)
    known = select_truth(exp, truth)
    oracle = None if known is None else _with_truth(found, known)
    return Evaluated(
        pooled=evaluation.pooled(found, budget, findings=visits, **how),
        by_fold=evaluation.by_fold(found, budget, findings=visits, **how),
        curves=evaluation.curves(found, seed=exp.seed),
        comparison=comparison,
        oracle=None if oracle is None else evaluation.pooled(oracle, budget, **how),
        attainable=None
        if oracle is None or known is None
        else attainable.against_truth(found, known, budget, seed=exp.seed),
        selected=chosen,
        planning=None if comparison is None else evaluation.planned(comparison.primary, found),
    )


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


def log_run(
    result: ExperimentResult, evaluated: Evaluated, store: str | Path, *, take_over: bool = False
) -> str:
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
    free = take_over or tracking.find_model(f"{exp.id}@{tracking.CHAMPION}", store) is None
    role = tracking.CHAMPION if free else tracking.CHALLENGER
    with tracking.start_run(exp.id, store, f"{exp.id} v{exp.version}", {"experiment": exp.id}) as opened:
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


def _metrics(opened: tracking.RunWriter, evaluated: Evaluated) -> None:
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
        "leaks": result.leaks,
        "metrics": evaluated.pooled,
        "metrics_by_fold": evaluated.by_fold,
        "curves": evaluated.curves,
        "features": features.describe(result.feature_set),
    }
    if len(result.first_seen.columns):
        # Without ids: what is left says only when, and in which village.
        tables["first_seen"] = result.first_seen.drop(columns="household_id", errors="ignore")
    for model in result.fitted.values():
        tables |= models.exported_card(model)
    if evaluated.comparison is not None:
        tables |= {"comparison": evaluated.comparison.table, "deployed": evaluated.comparison.deployed}
    if evaluated.oracle is not None:
        tables["oracle"] = evaluated.oracle
    if evaluated.selected is not None:
        tables["selected"] = evaluated.selected
    if evaluated.planning is not None:
        tables["planning"] = evaluated.planning
    if evaluated.attainable is not None:
        tables["attainable"] = evaluated.attainable.table
        tables["attainable_bins"] = evaluated.attainable.bins
    return tables


def _facts(result: ExperimentResult, evaluated: Evaluated) -> dict[str, Any]:
    return {
        "experiment": result.experiment.id,
        "notes": result.notes,
        "comparison_notes": _comparison_notes(evaluated, result.experiment),
        "headline": headline(evaluated, result.experiment),
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
        "reference": reference_contributions(result.fitted[name], result.background)
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


def reference_contributions(model: models.CalibratedScore, background: pd.DataFrame) -> dict[str, Any]:
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
    parts, _ = explanation.compute_contributions(model, background.iloc[::step])
    return {"columns": list(parts.columns), "centre": [float(v) for v in parts.mean(axis=0)]}


def _comparison_notes(evaluated: Evaluated, exp: Experiment) -> list[dict[str, str]]:
    out = list(evaluated.comparison.notes) if evaluated.comparison else []
    if evaluated.selected is not None:
        out.append({
            "zh": "指标表已按入选概率的倒数加权，代表全部农户；规则与模型的逐户对照表只含被走访者，未加权",
            "en": "metrics are weighted by 1 / chance and stand for everyone; the table of rules against "
            "models household by household holds the visited only, unweighted",
        })  # fmt: skip
    elif "confirmed" in exp.events:
        out.append({
            "zh": "核查结果只有被走访者才有，且没有入选概率可以加权：各表只代表被走访者",
            "en": "only the visited have this label, and no chance of a visit was logged to weight by: all "
            "tables speak of the visited only",
        })  # fmt: skip
    if "identified" in exp.events:
        out.append({
            "zh": "“新纳入监测”由规则本身决定：规则在这一标签上占优并不说明它看得更准",
            "en": "new identification is decided by the rule itself: that the rule does well on this label "
            "does not say that it sees better",
        })  # fmt: skip
    return out


def headline(evaluated: Evaluated, exp: Experiment) -> dict[str, str]:
    """Return the one sentence that matters: rules against the champion at the same number of visits.

    Parameters
    ----------
    evaluated : Evaluated
    exp : Experiment

    Returns
    -------
    dict
        ``zh`` and ``en``; of weighted visits where the label is theirs; says so where there is nothing to
        compare.
    """
    if evaluated.selected is not None and exp.champion in set(evaluated.selected["model"].iloc[1:]):
        own = evaluated.selected["model"].isin([exp.champion])
        own.iloc[0] = True
        return weighted.told(evaluated.selected[own], EVENT_WORDS[exp.events[0]])[0]
    if evaluated.comparison is not None:
        rows = evaluated.comparison.primary
        rows = rows[rows["model"] == exp.champion]
        if len(rows):
            return {"zh": str(rows["verdict_zh"].iloc[0]), "en": str(rows["verdict_en"].iloc[0])}
    return {"zh": "本次实验没有规则基准，无可比较。", "en": "This run has no rule baseline to compare with."}


def read_truth(data: str | Path) -> pd.DataFrame | None:
    """Return the simulator's truth beside a county's tables, or None."""
    path = Path(data) / "truth.parquet"
    return pd.read_parquet(path) if path.is_file() else None
