"""External validation: a registered model on another county, or at a later time, as it was trained.

Nothing is learned: horizon, line, label and coverage are the model's own, or the county is refused.
Recalibration is fitted and judged on different villages.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import evaluation, models, rules
from riskmodel.data import County
from riskmodel.errors import InputRefused, UsageError
from riskmodel.evaluation import percentile_interval, village_resamples
from riskmodel.households import fingerprint, to_date, window_end
from riskmodel.i18n import Message
from riskmodel.models import village_folds
from riskmodel.runs import design_matrix, outcomes, tracking
from riskmodel.runs.assessment import THRESHOLDS
from riskmodel.runs.data_fit import fit_to_data
from riskmodel.runs.experiment import AsOf, Experiment
from riskmodel.runs.fitting import predict_rows
from riskmodel.runs.run import Run
from riskmodel.runs.tracking import LoadedModel
from riskmodel.runs.training import reference_contributions

# Fewer households with the event make a figure imprecise (Vergouwe et al. 2005; Collins et al. 2016).
PRECISE_EVENTS = 100
PARTS = 5  # of the villages, each judged by a calibrator fitted on the others
RECALIBRATED = "recalibrated"  # the name of its figures, and the alias of its version
FIGURES = ("auc", "average_precision", "brier", "calibration_intercept", "calibration_slope",
           "recall_at_budget", "precision_at_budget")  # fmt: skip


@dataclass(frozen=True)
class ExternalValidation:
    """What a model is worth on a county that it was not trained on.

    Attributes
    ----------
    county
        What it is called in tables.
    days
        As-of dates.
    fingerprint
        Of the county's rows.
    predictions
        Tidy test rows of the model, and of `RECALIBRATED` where that was judged.
    figures
        A row a model: ``model``, `FIGURES` and ``expected_over_observed`` with ``_low`` and ``_high``,
        ``n_test, n_null, n_events, event_households, base_rate, imprecise``.
    case_mix
        One row: households, rows, base rate, mean and standard deviation of the margin, share flagged, median
        income per head over the line, mean persons.
    net_benefit
        The decision curves, see `riskmodel.evaluation.net_benefit_curve`.
    recalibrated
        The model with its calibrator fitted on all villages here; None where there is nothing to fit.
    background
        Features of the test rows, the reference that its explanations count from.
    notes
        What a reader must know.
    """

    county: str
    days: tuple[dt.date, ...]
    fingerprint: str
    predictions: pd.DataFrame
    figures: pd.DataFrame
    case_mix: pd.DataFrame
    net_benefit: pd.DataFrame
    recalibrated: Any
    background: pd.DataFrame
    notes: list[Message] = field(default_factory=list)


def validate_model(
    model: LoadedModel,
    run: Run,
    county: County,
    as_of: Sequence[str | dt.date],
    *,
    name: str = "county",
    replicates: int = 2000,
) -> ExternalValidation:
    """Judge a registered model on a county as it stands.

    Parameters
    ----------
    model
        From `riskmodel.runs.load_model`.
    run
        That trained it: its declaration is followed to the letter.
    county
        The checked tables.
    as_of
        Dates to score at; the outcome of each must be on record.
    name
        What the county is called.
    replicates
        Village resamples of the intervals.

    Returns
    -------
    ExternalValidation
        Its figures; households with an unknown outcome are counted and left out.

    Raises
    ------
    InputRefused
        If the model's horizon, line, label or coverage cannot be had here, or the county is the one that it
        was trained on and the outcomes were seen.
    """
    days = tuple(sorted(to_date(day) for day in as_of))
    exp = _declaration(model, run, days)
    _refuse_seen(run, county, days)
    _refuse_unfinished(exp, county, days)
    _refuse_other_records(exp, county, days)
    matrix = design_matrix.build_design_matrix(exp, county, days)
    rows = design_matrix.labelled_rows(exp, county, matrix, days, None)
    rows = rows.drop(columns="label_reason").reset_index(drop=True)
    if rows["y"].nunique() < 2:
        raise InputRefused(
            f"{name}: all {int(rows['y'].notna().sum())} known outcomes at {_listed(days)} are alike: "
            "nothing can be judged; give further dates, or a county with more households"
        )
    X = matrix.X.iloc[rows["row"]]
    own = predict_rows(model.kind, model.model, rows, X).assign(fold=[str(d.date()) for d in rows["as_of"]])
    groups = outcomes.household_groups(rows, matrix.X)
    own = pd.concat([own.reset_index(drop=True), groups.reset_index(drop=True)], axis=1)
    known = rows["y"].notna().to_numpy()
    fitted, parts, notes = _recalibration(model, rows[known], X[known])
    both = [own] if parts is None else [own, _recalibrated_rows(own, known, parts)]
    predictions = pd.concat(both, ignore_index=True)
    figures = _figures(predictions, exp, replicates)
    if bool(figures["imprecise"].iloc[0]):
        notes.append(Message("runs.external.imprecise", {
            "events": int(figures["event_households"].iloc[0]), "least": PRECISE_EVENTS,
        }))  # fmt: skip
    return ExternalValidation(
        county=name,
        days=days,
        fingerprint=fingerprint(county, county.data_through),
        predictions=predictions,
        figures=figures,
        case_mix=_case_mix(own),
        net_benefit=_decision_curves(predictions, exp),
        recalibrated=fitted,
        background=X[known],
        notes=notes,
    )


def _listed(days: Sequence[dt.date]) -> str:
    return ", ".join(day.isoformat() for day in days)


def _declaration(model: LoadedModel, run: Run, days: tuple[dt.date, ...]) -> Experiment:
    """Return the run's declaration with this model and these dates; refuse where its files have changed."""
    exp = run.experiment.model_copy(
        update={"models": (model.kind,), "champion": model.kind, "as_of": AsOf(dates=days)}
    )
    if design_matrix.resolve_feature_set(exp).catalog_hash != model.feature_set.catalog_hash:
        raise InputRefused(
            f"feature set {exp.feature_set} is not the one {model.name} version {model.version} was trained "
            "on: bring the file of then, or train again"
        )
    if rules.load_rules(exp.ruleset) != model.ruleset:
        raise InputRefused(
            f"rule set {exp.ruleset} is not the one {model.name} version {model.version} was trained with: "
            "its line and its label would be others"
        )
    return exp


def _refuse_seen(run: Run, county: County, days: tuple[dt.date, ...]) -> None:
    """Refuse outcomes that the model has learned from."""
    if fingerprint(county, county.data_through) != run.fingerprint:
        return
    raise InputRefused(
        f"these are the records that the model was trained on (fingerprint {run.fingerprint[:12]}): its test "
        "figures on them are in its report; validate on another county, or on this one once further outcomes "
        "are on record"
    )


def _refuse_unfinished(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> None:
    if exp.horizon.next:
        return
    delay = dt.timedelta(days=county.about.recording_delay_days)
    for day in days:
        over = window_end(day, exp.horizon.months) + delay
        if over > county.data_through:
            raise InputRefused(
                f"the outcome of {day} ({exp.horizon.months} months) is on record by {over}, and the records "
                f"end on {county.data_through}: give an earlier --as-of"
            )


def _refuse_other_records(exp: Experiment, county: County, days: tuple[dt.date, ...]) -> None:
    """Refuse a county whose records cannot carry the model's features and label at these dates."""
    fit = fit_to_data(exp, county)
    if fit.days == days and fit.experiment.feature_set == exp.feature_set:
        return
    why = "; ".join(note.text("en") for note in fit.notes)
    raise InputRefused(f"the records do not carry this model at {_listed(days)}: {why}")


def _recalibration(
    model: LoadedModel, rows: pd.DataFrame, X: pd.DataFrame
) -> tuple[Any, np.ndarray[Any, Any] | None, list[Message]]:
    """Return the model recalibrated on all villages, and margins by calibrators of the other villages."""
    if not isinstance(model.model, models.CalibratedScore):
        return None, None, [Message("runs.external.own rates", {})]
    inputs = design_matrix.model_inputs(model.kind, rows, X)
    y, villages = rows["y"].astype(int).to_numpy(), design_matrix.village_names(rows)
    events, places = int(min(y.sum(), len(y) - y.sum())), len(set(villages))
    if events < 2 * PARTS or places < 2 * PARTS:
        counts = {"events": int(y.sum()), "villages": places}
        return None, None, [Message("runs.external.too few to recalibrate", counts)]
    fold = village_folds(y, villages, PARTS, 0)
    margin = np.empty(len(y))
    for part in range(PARTS):
        others, held = fold != part, fold == part
        fitted = model.model.recalibrate(inputs[others], y[others], villages[others])
        margin[held] = fitted.margin(inputs[held])
    return model.model.recalibrate(inputs, y, villages), margin, []


def _recalibrated_rows(own: pd.DataFrame, known: Any, margin: Any) -> pd.DataFrame:
    out = own[known].assign(model=RECALIBRATED, score=margin, probability=1 / (1 + np.exp(-margin)))
    return out.assign(probability_low=np.nan, probability_high=np.nan)


def _figures(predictions: pd.DataFrame, exp: Experiment, replicates: int) -> pd.DataFrame:
    budget = exp.budget.per_date
    table = evaluation.pooled_metrics(predictions, budget, replicates=replicates, seed=exp.seed)
    kept = [f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high") if f"{name}{end}" in table]
    kept = ["model", *kept, "n_test", "n_null", "n_events", "base_rate"]
    rows: list[dict[str, Any]] = []
    for found in table[kept].to_dict("records"):
        row = {str(name): value for name, value in found.items()}
        part = predictions[predictions["model"].eq(row["model"]) & predictions["y"].notna()]
        with_event = part.loc[part["y"] == 1, "household_id"].nunique()
        rows.append({
            **row, **_level(part, replicates, exp.seed), "event_households": with_event,
            "imprecise": with_event < PRECISE_EVENTS,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _level(rows: pd.DataFrame, replicates: int, seed: int) -> dict[str, float]:
    """Return expected over observed events, with the interval of the village resamples."""
    resamples = village_resamples(rows[["township", "village"]], replicates, seed)
    units = resamples.units()
    expected, observed = (units.sums(rows[c].to_numpy(dtype=float)) for c in ("probability", "y"))

    def ratio(weight: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (weight @ expected) / (weight @ observed)

    low, high = percentile_interval(resamples.run_units(ratio))
    value = float(expected.sum() / observed.sum())
    name = "expected_over_observed"
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _case_mix(own: pd.DataFrame) -> pd.DataFrame:
    known = own[own["y"].notna()]
    return pd.DataFrame([{
        "households": own["household_id"].nunique(), "rows": len(own),
        "unknown_outcomes": len(own) - len(known),
        "villages": len(own[["township", "village"]].drop_duplicates()), "base_rate": known["y"].mean(),
        "margin_mean": own["score"].mean(), "margin_sd": own["score"].std(),
        "flagged_share": own["flagged"].astype(bool).mean(),
        "income_over_line_median": (own["pcni"] / own["line"]).median(),
        "persons_mean": own["persons"].astype(float).mean(),
    }])  # fmt: skip


def _decision_curves(predictions: pd.DataFrame, exp: Experiment) -> pd.DataFrame:
    parts = []
    for name, rows in predictions[predictions["y"].notna()].groupby("model", sort=False):
        resamples = village_resamples(rows[["township", "village"]], 100, exp.seed)
        curve = evaluation.net_benefit_curve(rows["y"], rows["probability"], THRESHOLDS, resamples)
        parts.append(curve.assign(model=name))
    return pd.concat(parts, ignore_index=True)


def validate_counties(
    model: LoadedModel,
    counties: Sequence[tuple[str, Callable[[], County]]],
    as_of: Sequence[str | dt.date],
    store: str | Path,
    *,
    replicates: int = 2000,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[list[ExternalValidation], pd.DataFrame]:
    """Judge a model on several counties, and pool what they show.

    Parameters
    ----------
    model
        From `riskmodel.runs.load_model`.
    counties
        Name and reader of each; one is held at a time.
    as_of
        Dates.
    store
        MLflow's SQLite file, where the model's run lies.
    replicates
        Village resamples.
    say
        Called with a line of text at each county.

    Returns
    -------
    tuple of list of ExternalValidation and DataFrame
        A validation a county, and of three or more the pooled figures (`evaluation.pool_counties`).
    """
    run = Run(model.run_id, Path(store), model.kind)
    found = []
    for name, read in counties:
        say(f"{name}: {model.kind} of {model.name} version {model.version} at {', '.join(map(str, as_of))}")
        found.append(validate_model(model, run, read(), as_of, name=name, replicates=replicates))
    pooled = evaluation.pool_counties(pd.concat([one.figures.iloc[[0]] for one in found], ignore_index=True))
    return found, pooled


def log_validation(
    model: LoadedModel, one: ExternalValidation, store: str | Path, *, register: bool = False
) -> tuple[str, str | None]:
    """Log a validation as a run, and the recalibrated model as a new version where asked for.

    Parameters
    ----------
    model, one
        What was judged, and what was found.
    store
        MLflow's SQLite file.
    register
        Whether the recalibrated model is registered, with the alias ``recalibrated``; nobody takes charge
        by it.

    Returns
    -------
    tuple of str and str or None
        The run's id, and the new version.

    Raises
    ------
    UsageError
        If there is no recalibrated model to register.
    """
    if register and one.recalibrated is None:
        raise UsageError(f"{one.county}: nothing to register: {'; '.join(n.text('en') for n in one.notes)}")
    own, title = one.figures.iloc[0], f"{model.name} {model.version}: {one.county}"
    with tracking.start_run(f"{model.name}-validations", store, title) as run:
        run.params({
            "model": model.name, "model_version": model.version, "kind": model.kind,
            "trained_by": model.run_id,
            "as_of": [day.isoformat() for day in one.days], "data_fingerprint": one.fingerprint,
        })  # fmt: skip
        numbers = {
            str(k): float(v) for k, v in own.items() if k not in ("model", "imprecise") and pd.notna(v)
        }
        run.metrics(numbers)
        for name in ("figures", "case_mix", "net_benefit"):
            run.table(getattr(one, name), f"tables/{name}")
        run.document({"notes": [note.both() for note in one.notes]}, "facts.json")
        version = _register(run, model, one) if register else None
    return run.run_id, version


def _register(run: tracking.RunWriter, model: LoadedModel, one: ExternalValidation) -> str:
    fitted = one.recalibrated
    card = dict(model.card) | {
        "calibration": {
            "intercept": fitted.intercept_, "slope": fitted.slope_, "held_out_rows": fitted.n_held_out_,
            "held_out_events": fitted.n_held_out_events_,
        },
        "recalibrated_from": {"version": model.version, "run_id": model.run_id},
        "data_fingerprint": one.fingerprint,
    }  # fmt: skip
    if card.get("reference") is not None:
        card["reference"] = reference_contributions(fitted, one.background)
    run.log_model(model.kind, fitted, card)
    return run.register(model.name, model.kind, (RECALIBRATED,))


def validation_facts(
    model: LoadedModel, run: Run, validations: Sequence[ExternalValidation], pooled: pd.DataFrame
) -> dict[str, Any]:
    """Return what a reporting guideline asks for and a run can answer, by name."""
    exp = run.experiment
    own = pd.concat([one.figures.iloc[[0]] for one in validations], ignore_index=True)
    mix = pd.concat([one.case_mix for one in validations], ignore_index=True)
    folds = run.table("folds")
    return {
        "model": f"{model.name} version {model.version} ({model.kind})",
        "title": exp.title.en,
        "event": ", ".join(exp.events),
        "horizon": f"{exp.horizon.months} months",
        "cohort": ", ".join(exp.cohort),
        "ruleset": exp.ruleset,
        "feature_set": f"{model.feature_set.id} ({len(model.feature_set.names)} columns)",
        "dates": _listed(validations[0].days),
        "counties": len(validations),
        "households": int(mix["households"].sum()),
        "rows": int(own["n_test"].sum()),
        "events": int(own["n_events"].sum()),
        "event_households": int(own["event_households"].sum()),
        "unknown": int(own["n_null"].sum()),
        "base_rate": f"{own['n_events'].sum() / own['n_test'].sum():.1%}",
        "trained_rows": int(folds["n_train"].iloc[-1]),
        "trained_events": int(folds["train_events"].iloc[-1]),
        "trained_from": str(folds["train_from"].iloc[-1]),
        "trained_to": str(folds["train_to"].iloc[-1]),
        "calibration": exp.calibration,
        "figures": "; ".join(
            f"{one.county}: AUC {f['auc']:.3f} ({f['auc_low']:.3f} to {f['auc_high']:.3f}), "
            f"expected/observed {f['expected_over_observed']:.2f}, slope {f['calibration_slope']:.2f}"
            for one, f in zip(validations, own.to_dict("records"), strict=True)
        ),
        "pooled": "; ".join(
            f"{r['figure']} {r['mean']:.3f} ({r['low']:.3f} to {r['high']:.3f}), a further county "
            f"{r['predicted_low']:.3f} to {r['predicted_high']:.3f}"
            for r in pooled.to_dict("records")
            if pd.notna(r["mean"])
        ),
        "run": model.run_id,
        "environment": ", ".join(f"{k} {v}" for k, v in sorted(run.environment.items())),
    }
