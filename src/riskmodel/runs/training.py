"""Train: run an experiment, evaluate it, compare it with the rules, and log all of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import explanation, features, models, rules
from riskmodel.data import County
from riskmodel.evaluation import finding_messages
from riskmodel.i18n import LANGUAGES, Message, Nouns, both, spoken_language
from riskmodel.models import fallback_of
from riskmodel.runs import preregistration, tracking
from riskmodel.runs.assessment import Evaluation, evaluate
from riskmodel.runs.experiment import EVENT_WORDS, Experiment, Gate, load_experiment
from riskmodel.runs.fitting import ExperimentResult, run_experiment
from riskmodel.runs.gate import GateResult, judge_champion
from riskmodel.runs.outcomes import missing_truth, select_truth, truth_mismatch
from riskmodel.runs.preregistration import Standing
from riskmodel.runs.uncertain_outcomes import outcome_messages

_LOG = logging.getLogger(__name__)

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


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A run that was just trained and logged.

    Attributes
    ----------
    run_id
        MLflow's id.
    result
        The experiment's predictions, folds and fitted models.
    evaluation
        What the predictions are worth.
    gate
        Who takes charge of the list: the declared champion, or a simple order.
    """

    run_id: str
    result: ExperimentResult
    evaluation: Evaluation
    gate: GateResult

    def __repr__(self) -> str:
        kinds = ", ".join(self.result.experiment.models)
        return f"TrainedRun({self.run_id}: experiment {self.result.experiment.id}, models {kinds})"

    @property
    def summary(self) -> dict[str, Any]:
        """The contract's machine-readable summary of ``train``."""
        rows = self.evaluation.metrics[SUMMARY].to_dict("records")
        gate = self.gate.summary
        return {
            "run_id": self.run_id, "experiment": self.result.experiment.id, "models": rows, "gate": gate
        }  # fmt: skip

    @property
    def verdict(self) -> dict[str, str]:
        """The one sentence that matters, in ``zh`` and ``en``: rules against the champion."""
        return headline(self.evaluation, self.result.experiment)


def train(
    exp: Experiment | str,
    county: County,
    store: str | Path,
    *,
    truth: pd.DataFrame | None = None,
    progress: Callable[[str], None] | None = None,
    take_over: bool = False,
) -> TrainedRun:
    """Run an experiment on a county and log it.

    The declared champion becomes ``<id>@champion`` if there is none yet and it passes the gate
    (`judge_champion`); where it does not, the best simple order does, and the declared model is the
    challenger. Where there is a champion, the declared model becomes ``<id>@challenger``: `promote` decides
    between the two.

    Parameters
    ----------
    exp
        What is declared: cohort, label, features, models, temporal split; or its id (see `load_experiment`).
    county
        The county's checked tables.
    store
        MLflow's SQLite file, made if it is not there.
    truth
        The simulator's ``truth.parquet``; used to measure against, never to learn from.
    progress
        Called with a line of text at each step.
    take_over
        Replace a champion without a comparison (a demonstration on a county of its own); the gate holds.

    Returns
    -------
    TrainedRun
        The logged run's id, its result and its evaluation.

    Raises
    ------
    InputRefused
        If the history is too short or the events too few.
    """
    exp = load_experiment(exp) if isinstance(exp, str) else exp
    report, nouns = progress or (lambda _: None), Nouns.of(county.about)

    def say(text: str) -> None:
        report(nouns.spoken(text))

    result = run_experiment(exp, county, say if progress else None)
    differs = truth_mismatch(exp, county) if truth is not None else None
    missing = None if truth is None else missing_truth(exp, truth, result.predictions["as_of"])
    note = differs or missing
    if note is not None:
        result = replace(result, notes=[*result.notes, note])
        say(f"note: {note.text(spoken_language())}")
    seen = preregistration.standing(exp, result.predictions, result.fingerprint, store, county)
    return evaluate_and_log(
        result, store, truth=None if differs else truth, say=say, take_over=take_over, seen=seen
    )


def evaluate_and_log(
    result: ExperimentResult,
    store: str | Path,
    *,
    truth: pd.DataFrame | None = None,
    say: Callable[[str], None],
    take_over: bool = False,
    seen: Standing | None = None,
) -> TrainedRun:
    """Evaluate what an experiment gave, and log run and models; parameters as of `train`."""
    say("evaluating: village bootstrap, rules against models")
    seen = seen or preregistration.standing(result.experiment, result.predictions, result.fingerprint, store)
    evaluation = evaluate_result(result, truth, seen.other_tests)
    for one in seen.messages:
        say(f"note: {one.text(spoken_language())}")
    about_nulls = outcome_messages(result.unknown, result.nulls, evaluation)
    about_level = [] if evaluation.selected is not None else level_messages(result)
    for one in (*about_nulls, *about_level):
        say(f"note: {one.text(spoken_language())}")
    notes = [*result.notes, *about_level, *about_nulls]
    result = replace(result, notes=notes, about_nulls=about_nulls)
    tables = _tables(result, evaluation)
    gate = judge_champion(result.experiment, result.predictions, result.leaks)
    say(f"gate: {gate.message.text(spoken_language())}")
    say("logging run and models")
    run_id = log_run(result, evaluation, gate, tables, store, take_over=take_over, seen=seen)
    return TrainedRun(run_id, result, evaluation, gate)


def expected_events(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count expected and observed events at the newest date with known outcomes.

    Parameters
    ----------
    predictions
        ``model, as_of, y, probability``; rows without a known outcome are left out.

    Returns
    -------
    DataFrame
        One row a model: ``model, as_of, households, expected, observed, ratio``: expected over observed,
        infinite where none came. Chance alone moves it by about 1/√observed.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "m", "as_of": "2020-06-30", "y": [1, 0, 0, None], "probability": 0.25})
    >>> expected_events(rows)[["expected", "observed", "ratio"]].to_dict("records")
    [{'expected': 0.75, 'observed': 1, 'ratio': 0.75}]
    """
    known = predictions[predictions["y"].notna()]
    known = known[known["as_of"] == known["as_of"].max()]
    grouped = known.groupby("model", sort=False)
    table = grouped.agg(
        as_of=("as_of", "first"),
        households=("y", "size"),
        expected=("probability", "sum"),
        observed=("y", "sum"),
    ).reset_index()
    table["observed"] = table["observed"].astype(int)
    with np.errstate(divide="ignore"):
        return table.assign(ratio=table["expected"].to_numpy() / table["observed"].to_numpy())


def level_messages(result: ExperimentResult) -> list[Message]:
    """Say what the champion expected and what came at the newest date; warn of all that are far off."""
    out, (low, high) = [], (result.experiment.gate or Gate()).calibration
    for row in expected_events(result.predictions).to_dict("records"):
        far = not low <= row["ratio"] <= high
        if row["model"] != result.experiment.champion and not far:
            continue
        values = {
            "day": str(row["as_of"])[:10], "model": models.model_names(row["model"]), "low": low,
            "high": high, "expected": row["expected"], "observed": row["observed"], "ratio": row["ratio"],
        }  # fmt: skip
        out.append(Message("runs.notes.expected events off" if far else "runs.notes.expected events", values))
        if far:
            _LOG.warning("%s", out[-1].text(spoken_language()))
    return out


def evaluate_result(
    result: ExperimentResult, truth: pd.DataFrame | None = None, other_tests: Sequence[float] = ()
) -> Evaluation:
    """Evaluate a result's predictions against the rules, the visits that came back, and a simulated truth."""
    exp = result.experiment
    has_weights = result.findings.get("weight", pd.Series(dtype=float)).notna().any()
    return evaluate(
        exp,
        result.predictions,
        declared=exp.champion if exp.champion != "rule" else None,
        other_tests=other_tests,
        truth=select_truth(exp, truth),
        findings=result.findings if has_weights else None,
        first_seen=result.first_seen,
    )


def log_run(
    result: ExperimentResult,
    evaluation: Evaluation,
    gate: GateResult,
    tables: Mapping[str, pd.DataFrame],
    store: str | Path,
    *,
    take_over: bool = False,
    seen: Standing,
) -> str:
    """Log a run with its tables, models and cards; return the run id."""
    exp = result.experiment
    ruleset = rules.load_rules(exp.ruleset)
    # Who is in charge stays so until `riskmodel promote` has compared the two.
    free = take_over or tracking.find_model(f"{exp.id}@{tracking.CHAMPION}", store) is None
    aliases = {exp.champion: tracking.CHALLENGER}
    if free and gate.model is not None:
        aliases[gate.model] = tracking.CHAMPION
    tags = {"experiment": exp.id} | seen.tags
    with tracking.start_run(exp.id, store, f"{exp.id} v{exp.version}", tags) as writer:
        writer.params(_params(result, ruleset))
        _log_metrics(writer, evaluation)
        writer.metrics(
            {"gate.passed": float(gate.passed)} | {f"gate.{c.id}": float(c.passed) for c in gate.checks}
        )
        levels = tables["expected_events"].to_dict("records")
        writer.metrics({f"{one['model']}.expected_over_observed": one["ratio"] for one in levels})
        for name, model in result.fitted.items():
            if (part := fallback_of(model)) is not None:
                writer.metrics({
                    f"{name}.event_households": float(part.n_event_households_),
                    f"{name}.few_columns": float(part.fell_back_),
                })  # fmt: skip
        for name, frame in tables.items():
            writer.table(frame, f"tables/{name}")
        writer.document(exp.model_dump(mode="json"), "experiment.json")
        facts = _facts(result, evaluation) | {"gate": gate.summary, "test_set": seen.summary}
        facts["comparison_notes"] += [message.both() for message in seen.messages]
        writer.document(facts, "facts.json")
        for name in exp.models:
            writer.log_model(name, result.fitted[name], _card(name, result, ruleset))
        for name in exp.models:
            writer.register(exp.id, name, (name, aliases[name]) if name in aliases else (name,))
    return writer.run_id


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
        "fallback": exp.fallback.model_dump() if exp.fallback else None,
        "budget": exp.budget.model_dump(),
        "seed": exp.seed,
        "data_fingerprint": result.fingerprint,
    }


def _log_metrics(writer: tracking.RunWriter, evaluation: Evaluation) -> None:
    def numeric(row: Mapping[Any, Any], model: str) -> dict[str, float]:
        return {
            f"{model}.{name}": float(value)
            for name, value in row.items()
            if isinstance(value, int | float | np.number) and not isinstance(value, bool)
        }

    for row in evaluation.metrics.to_dict("records"):
        writer.metrics(numeric(row, str(row["model"])))
    if evaluation.comparison is not None:
        writer.metrics(preregistration.family_metrics(evaluation.comparison.table))
    for row in [] if evaluation.claims is None else evaluation.claims.to_dict("records"):
        names = ("delta_recall", "delta_low", "delta_high", "recall_model", "recall_baseline")
        writer.metrics({f"claim.{row['claim']}.{name}": float(row[name]) for name in names})
    for model, rows in evaluation.metrics_by_fold.groupby("model", sort=False):
        for step, row in enumerate(rows.drop(columns="fold").to_dict("records"), start=1):
            writer.metrics(numeric(row, f"fold.{model}"), step)


def _tables(result: ExperimentResult, evaluation: Evaluation) -> dict[str, pd.DataFrame]:
    """Return the tables of a run by the names they are logged under; computes what was not yet."""
    # Ids stay in the county: a run numbers its households anew.
    predictions = result.predictions
    truth = evaluation.true_risk
    tables = {
        "expected_events": expected_events(predictions),
        "predictions": predictions.assign(
            household_id=pd.factorize(predictions["household_id"], sort=True)[0]
        ),
        "folds": result.folds,
        "leaks": result.leaks,
        "characteristics": result.characteristics,
        "metrics": evaluation.metrics,
        "metrics_by_fold": evaluation.metrics_by_fold,
        "curves": evaluation.curves,
        "features": features.describe_features(result.feature_set),
        # Without ids: what is left says only when, and in which village.
        "first_seen": result.first_seen.drop(columns="household_id", errors="ignore")
        if len(result.first_seen.columns)
        else None,
        "comparison": evaluation.comparison.table if evaluation.comparison else None,
        "unknown_incomes": result.unknown if len(result.unknown) else None,
        "nulls": result.nulls if len(result.nulls) else None,
        "null_bounds": evaluation.null_bounds,
        "splits": evaluation.splits,
        "null_rates": evaluation.null_rates,
        "already_below": evaluation.already_below,
        "claims": evaluation.claims,
        "deployed": evaluation.deployed,
        "oracle": evaluation.metrics_with_truth,
        "selected": evaluation.selected,
        "planning": evaluation.planning,
        "attainable": truth.table if truth else None,
        "attainable_bins": truth.bins if truth else None,
    }
    for name, model in result.fitted.items():
        tables |= models.model_tables(name, model)
    return {name: table for name, table in tables.items() if table is not None}


def _facts(result: ExperimentResult, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "experiment": result.experiment.id,
        "notes": [note.both() for note in result.notes],
        "comparison_notes": [
            *_comparison_notes(evaluation, result.experiment),
            *(note.both() for note in result.about_nulls),
        ],
        "headline": headline(evaluation, result.experiment),
        "support_effect": evaluation.support_effect,
        "data_fingerprint": result.fingerprint,
    } | result.nouns.facts()


def _card(name: str, result: ExperimentResult, ruleset: rules.RuleSet) -> dict[str, Any]:
    exp = result.experiment
    return {
        "experiment": exp.id,
        "experiment_digest": exp.digest,
        "events": list(exp.events),
        "horizon_months": exp.horizon.months,
        "cohort": list(exp.cohort),
        "params": exp.params,
        "line_factors": list(exp.augment_lines.factors)
        if exp.augment_lines and name in exp.augment_lines.models
        else [],
        "feature_set": result.feature_set.model_dump(mode="json", by_alias=True),
        "ruleset": ruleset.model_dump(mode="json", by_alias=True),
        "data_fingerprint": result.fingerprint,
        "calibration": _calibration(result.fitted[name]),
        "fallback": _fallback(exp, result.fitted[name]),
        "reference": reference_contributions(result.fitted[name], result.background)
        if models.model_entry(name).explained
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


def _fallback(exp: Experiment, model: Any) -> dict[str, Any] | None:
    """Return whether a model of many columns gave way to the declared plain one; None where none could."""
    part = fallback_of(model)
    if part is None or exp.fallback is None:
        return None
    return exp.fallback.model_dump() | {"event_households": part.n_event_households_, "used": part.fell_back_}


def reference_contributions(model: models.CalibratedScore, background: pd.DataFrame) -> dict[str, Any]:
    """Return what explanations count from: each feature's mean contribution in training, in log-odds."""
    step = max(1, -(-len(background) // REFERENCE_ROWS))
    parts, _ = explanation.compute_contributions(model, background.iloc[::step])
    return {"columns": list(parts.columns), "centre": [float(v) for v in parts.mean(axis=0)]}


def _comparison_notes(evaluation: Evaluation, exp: Experiment) -> list[dict[str, str]]:
    weighted = evaluation.selected is not None
    applies = {
        "weighted": weighted,
        "visited only": "confirmed" in exp.events and not weighted,
        "rule's own label": bool({"identified", "newly_flagged"} & set(exp.events)),
    }
    return [*evaluation.notes, *(both(f"runs.notes.{key}") for key, true in applies.items() if true)]


def headline(evaluation: Evaluation, exp: Experiment) -> dict[str, str]:
    """Return the one sentence that matters: rules against the champion at the same number of visits.

    Of weighted visits where the label is theirs; says so where there is nothing to compare.
    """
    if evaluation.selected is not None and exp.champion in set(evaluation.selected["model"].iloc[1:]):
        is_shown = evaluation.selected["model"].isin([exp.champion])
        is_shown.iloc[0] = True
        return finding_messages(evaluation.selected[is_shown], EVENT_WORDS[exp.events[0]])[0].both()
    if evaluation.comparison is not None:
        rows = evaluation.comparison.primary
        rows = rows[rows["model"] == exp.champion]
        if len(rows):
            return {lang: str(rows[f"verdict_{lang}"].iloc[0]) for lang in LANGUAGES}
    return both("runs.notes.no baseline")


def read_truth(data: str | Path) -> pd.DataFrame | None:
    """Return the simulator's truth beside a county's tables, or None.

    Where ``lower_bound.parquet`` stands beside it (``riskmodel simulate --bracket``), three columns more:
    ``learned_chance, learned_households, learned_columns``, null where the learner tells nothing.
    """
    path, bound = (Path(data) / f"{name}.parquet" for name in ("truth", "lower_bound"))
    if not path.is_file():
        return None
    truth = pd.read_parquet(path)
    if not bound.is_file():
        return truth
    keys = ["household_id", "as_of", "horizon_months", "event"]
    learned = pd.read_parquet(bound).rename(
        columns={name: f"learned_{name}" for name in ("chance", "households", "columns")}
    )
    return truth.merge(learned, on=keys, how="left", validate="one_to_one")
