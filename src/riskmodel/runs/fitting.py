"""Run an experiment: temporal folds, every model on the same rows, then the models that will score."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import evaluation, features, models, targets
from riskmodel.data import County, month_end
from riskmodel.errors import InputRefused
from riskmodel.evaluation import SCORE_PREFIX
from riskmodel.households import last_complete_month
from riskmodel.i18n import LANGUAGES, Message, Nouns, counted, pair
from riskmodel.models import PlainModel, fallback_of, shared_fits
from riskmodel.runs import design_matrix, experiment
from riskmodel.runs.data_fit import SEPARATOR, columns_without_information, describe_by_outcome
from riskmodel.runs.design_matrix import DesignMatrix, model_inputs, village_names
from riskmodel.runs.experiment import Experiment, Fold
from riskmodel.runs.run_rows import FoldRows, RunRows, collect_rows
from riskmodel.targets import KEY

_LOG = logging.getLogger(__name__)
# Below this a fit says nothing: ten events a parameter is the custom (Peduzzi 1996).
MIN_EVENTS = 10
# ``model_params: {boosting: {monotone: declared}}``: risk may only move as the features' declarations say.
DECLARED = "declared"
# Households times months whose features are held at once: some 300 MB.
_AT_ONCE = 200_000


@dataclass(frozen=True)
class ExperimentResult:
    """What running an experiment gave, before it is evaluated and logged.

    Attributes
    ----------
    experiment
        The declaration.
    feature_set
        As it was trained on: measured from the rule set's line, without what is left out.
    fingerprint
        Of everything the run could see.
    predictions
        Test rows of every fold and model: ``household_id, as_of, fold, township, village, persons, pcni,
        line, gap, flagged, y, real_horizon_months, model, score`` (log-odds), ``probability,
        probability_low, probability_high``, and, where known, what only an evaluation may
        look at: ``pcni_after`` (income per head over the outcome's year), ``supported_after`` (support
        begun within the window), ``split`` and ``split_share`` (of the persons of a split household's
        children, those below the line), ``group_…``.
    folds
        One row a fold: dates, rows, events, nulls, training rows and events.
    fitted
        Model name to the model fitted on every labelled as-of date: the one that scores; empty where the
        run was only to compare.
    background
        Training rows' features, the reference explanations count from.
    notes
        What a reader must know.
    findings
        Where the label is ``confirmed``: every answered visit within a test row's window with the weight by
        which it stands for all; else empty.
    leaks
        Every feature's test for knowing the answer, on the last fold's training rows.
    first_seen
        When each household that fell was first on a model's list and first seen by the rules; empty where
        they were not followed month by month.
    unknown
        Households whose income at as-of is not known, by date and reason: no cohort can hold them.
    nulls
        Training and test rows without a known outcome, by fold and reason.
    about_nulls
        What a reader of a comparison must know of both.
    characteristics
        Features of the rows that were learned from, by outcome (`describe_by_outcome`).
    nouns
        What is counted and where, for words.
    """

    experiment: Experiment
    feature_set: features.FeatureSet
    fingerprint: str
    predictions: pd.DataFrame
    folds: pd.DataFrame
    fitted: dict[str, Any]
    background: pd.DataFrame
    notes: list[Message] = field(default_factory=list)
    leaks: pd.DataFrame = field(default_factory=pd.DataFrame)
    findings: pd.DataFrame = field(default_factory=pd.DataFrame)
    first_seen: pd.DataFrame = field(default_factory=pd.DataFrame)
    unknown: pd.DataFrame = field(default_factory=pd.DataFrame)
    nulls: pd.DataFrame = field(default_factory=pd.DataFrame)
    about_nulls: list[Message] = field(default_factory=list)
    nouns: Nouns = field(default_factory=Nouns)
    characteristics: pd.DataFrame = field(default_factory=pd.DataFrame)


def run_experiment(
    exp: Experiment,
    county: County,
    progress: Callable[[str], None] | None = None,
    *,
    final: bool = True,
    on_fold: Callable[[Fold, pd.DataFrame, dict[str, Any]], None] | None = None,
) -> ExperimentResult:
    """Run a declared experiment on a county.

    Parameters
    ----------
    exp
        The declaration.
    county
        The county's checked tables.
    progress
        Called with a line of text at each step.
    final
        Whether the models that will score are fitted; a benchmark compares the folds' predictions only.
    on_fold
        Called with each fold, its training rows and its fitted models by name.

    Returns
    -------
    ExperimentResult
        Predictions on what came later, and the fitted models.

    Raises
    ------
    InputRefused
        If the history is too short, the cohort empty, or the events too few to fit anything.
    """
    say = progress or _LOG.info
    rows = collect_rows(exp, county, say, final=final)
    follow = None
    if can_follow_up(rows.experiment, county):
        folds = [one.fold for one in rows.folds]

        def follow(fitted: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
            say("following the cohort month by month: who lists whom first")
            return follow_up_lists(rows.experiment, county, folds, fitted)

    return fit_rows(rows, say, on_fold=on_fold, follow=follow)


def fit_rows(
    rows: RunRows,
    say: Callable[[str], None] | None = None,
    *,
    on_fold: Callable[[Fold, pd.DataFrame, dict[str, Any]], None] | None = None,
    follow: Callable[[Mapping[str, Mapping[str, Any]]], pd.DataFrame] | None = None,
) -> ExperimentResult:
    """Fit and test every model on collected rows.

    Parameters
    ----------
    rows
        From `collect_rows`.
    say
        Called with a line of text at each step.
    on_fold
        Called with each fold, its training rows and its fitted models by name.
    follow
        Given the fitted models by fold, returns when each household that fell was first listed.

    Returns
    -------
    ExperimentResult
        Predictions on what came later, and the fitted models.

    Raises
    ------
    InputRefused
        If the events are too few.
    """
    say, exp, matrix = say or _LOG.info, rows.experiment, rows.matrix
    results = []
    for collected in rows.folds:
        fold = collected.fold
        dates = f"{counted(len(fold.train), 'training date')}, {counted(len(fold.test), 'test date')}"
        say(f"fold {fold.name}: {dates}")
        one = _test_fold(exp, matrix, collected)
        results.append(one)
        if on_fold:
            on_fold(fold, collected.train, one.models)
    first_seen = follow({one.rows.fold.name: one.models for one in results}) if follow else pd.DataFrame()
    train, sampling_notes = rows.folds[-1].train, rows.folds[-1].notes
    feature_set = design_matrix.resolve_feature_set(exp)
    roles = {feature.id: feature.role for feature in feature_set.features}
    background = matrix.X.iloc[train["row"]]
    leaks = design_matrix.find_leaks(background, train["y"], roles)
    suspected = leaks[leaks["suspected"]].to_dict("records")
    empty = columns_without_information(background)
    about_data = [*rows.data_notes, *([] if empty is None else [empty])]
    said = {note.text("en") for note in about_data}
    fitted = {}
    if rows.final is not None:
        say("fitting the models that will score")
        train, sampling_notes = rows.final, rows.sampling_notes
        background = matrix.X.iloc[train["row"]]
        with shared_fits():
            fitted = {name: fit_declared_model(exp, name, train, matrix, X=background) for name in exp.models}
    return ExperimentResult(
        experiment=exp,
        feature_set=feature_set,
        fingerprint=rows.fingerprint,
        predictions=_add_evaluation_columns(results),
        folds=pd.DataFrame([one.description for one in results]),
        fitted=fitted,
        background=background,
        leaks=leaks,
        findings=pd.concat([one.rows.findings for one in results], ignore_index=True),
        first_seen=first_seen,
        unknown=rows.unknown,
        nouns=rows.nouns,
        characteristics=describe_by_outcome(background, train["y"]),
        nulls=pd.concat([one.rows.nulls for one in results], ignore_index=True),
        notes=[
            *rows.fit_notes,
            *about_data,
            *(Message("runs.notes.leak", {"column": r["column"], "why": r["why"]}) for r in suspected),
            *(Message("runs.notes.data", {"note": note}) for note in rows.county_notes if note not in said),
            *sampling_notes,
            *(note for one in results for note in fallback_notes(exp, one.models, one.rows.fold.name)),
            *fallback_notes(exp, fitted),
            *_line_notes(exp, train, matrix),
            *(
                Message("runs.notes.model", {"model": pair(models.model_entry(name)), "note": note})
                for name, model in fitted.items()
                for note in model.notes
            ),
        ],
    )


def _line_notes(exp: Experiment, train: pd.DataFrame, matrix: DesignMatrix) -> list[Message]:
    """Say which models learned from their rows at other lines, and from how many."""
    if exp.augment_lines is None:
        return []
    names = exp.augment_lines.models
    copies = design_matrix.line_copies(names[0], exp, train, matrix)
    counts = {"rows": len(train), "copies": 0 if copies is None else len(copies.row)}
    factors = ", ".join(f"{factor:g}" for factor in exp.augment_lines.factors)
    entries = [pair(models.model_entry(name)) for name in names]
    return [Message("runs.notes.lines", {"model": m, "factors": factors, **counts}) for m in entries]


@dataclass(frozen=True)
class _TestedFold:
    """One fold: its rows, its models, and what they predict."""

    rows: FoldRows
    models: dict[str, Any]
    description: dict[str, Any]
    predictions: pd.DataFrame


def _test_fold(exp: Experiment, matrix: DesignMatrix, rows: FoldRows) -> _TestedFold:
    """Fit every model on a fold's training rows and predict its test rows."""
    train, test, fold = rows.train, rows.test, rows.fold
    _check_events(train, fold)
    # One copy of the rows for all models.
    X, tested = matrix.X.iloc[train["row"]], matrix.X.iloc[test["row"]]
    with shared_fits():
        fitted = {name: fit_declared_model(exp, name, train, matrix, test, X) for name in exp.models}
    predictions = [predict_rows(name, model, test, tested) for name, model in fitted.items()]
    whole = pd.concat(predictions, ignore_index=True).assign(fold=fold.name)
    return _TestedFold(rows, fitted, _describe(fold, train, test), whole)


def _add_evaluation_columns(results: Sequence[_TestedFold]) -> pd.DataFrame:
    predictions = pd.concat([one.predictions for one in results], ignore_index=True)
    columns = pd.concat([one.rows.evaluation_columns for one in results], ignore_index=True)
    columns = columns.drop_duplicates(KEY)
    return predictions.merge(columns, on=KEY, how="left", validate="many_to_one")


def fit_declared_model(
    exp: Experiment,
    name: str,
    train: pd.DataFrame,
    matrix: DesignMatrix,
    test: pd.DataFrame | None = None,
    X: pd.DataFrame | None = None,
) -> Any:
    """Fit one declared model, calibrated on held-out villages of the training rows.

    ``X`` holds the features of the training rows where they were already taken from the matrix.
    """
    X = matrix.X.iloc[train["row"]] if X is None else X
    plain = None
    if exp.fallback is not None:
        stands_in = exp.fallback.model
        plain = PlainModel(stands_in, _params(exp, stands_in), exp.fallback.below_events)
    population = _population(exp, name, train, matrix, test) if models.model_entry(name).population else None
    try:
        return models.fit_model(
            name, model_inputs(name, train, X), train["y"].astype(int).to_numpy(),
            village_names(train), exp.seed, _params(exp, name), scheme=exp.calibration, population=population,
            fallback=plain, households=train["household_id"].to_numpy(dtype=object),
            copies=design_matrix.line_copies(name, exp, train, matrix),
        )  # fmt: skip
    except models.OneClassError as exc:
        raise InputRefused(
            f"{name}: the villages that are learned from hold only households with the event, or only such "
            f"without ({len(train)} rows, {int(train['y'].sum())} events): a longer history, more "
            f"households, or more visits that have come back; {experiment.ENOUGH}"
        ) from exc


def _params(exp: Experiment, name: str) -> dict[str, Any]:
    """Return a model's declared parameters, with the features' directions where they are asked for."""
    params = dict(exp.model_params.get(name, {}))
    if params.get("monotone") == DECLARED:
        params["monotone"] = monotone_signs(exp)
    return params


def _population(
    exp: Experiment,
    name: str,
    train: pd.DataFrame,
    matrix: DesignMatrix,
    test: pd.DataFrame | None,
) -> models.Population:
    rows = matrix.population[matrix.population["as_of"].isin(train["as_of"])]
    if exp.split.unseen_households and test is not None:
        rows = rows[~rows["household_id"].isin(test["household_id"])]
    return models.Population(model_inputs(name, rows, matrix.X.iloc[rows["row"]]), village_names(rows))


def monotone_signs(exp: Experiment) -> dict[str, int]:
    """Return the direction in which risk moves with each feature, as its declaration has it."""
    chosen = design_matrix.resolve_feature_set(exp)
    names = set(chosen.names)
    return {f.id: int(f.direction) for f in chosen.features if f.direction and f.id in names}


def predict_rows(name: str, model: Any, rows: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Return one row a household and as-of with score, probability and interval; X holds their features."""
    extra = [c for c in rows.columns if ":" in c]
    scores = score_columns(model, model_inputs(name, rows, X))
    return rows.drop(columns=["row", *extra]).assign(model=name, **scores)


def score_columns(model: Any, inputs: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return what a fitted model says of rows.

    Parameters
    ----------
    model
        A fitted model of `riskmodel.models`.
    inputs
        What it takes in: see `model_inputs`.

    Returns
    -------
    dict
        ``score`` (log-odds), ``probability``, and the ends of its 95 % interval, ``probability_low`` and
        ``probability_high``.
    """
    # A last, smaller block would be summed in another order: its last digits would depend on its size.
    whole = len(inputs) - len(inputs) % _ROWS_OF_A_BLOCK
    parts = [_score_columns(model, inputs.iloc[:whole])] if whole or not len(inputs) else []
    if whole < len(inputs):
        rest = np.minimum(np.arange(whole, whole + _ROWS_OF_A_BLOCK), len(inputs) - 1)
        parts.append(_score_columns(model, inputs.iloc[rest]))
    return {name: np.concatenate([part[name] for part in parts])[: len(inputs)] for name in parts[0]}


_ROWS_OF_A_BLOCK = 64


def _score_columns(model: Any, inputs: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    low, high = model.predict_interval(inputs).T
    columns = model.margin(inputs), model.predict_proba(inputs)[:, 1], low, high
    return dict(zip(("score", "probability", "probability_low", "probability_high"), columns, strict=True))


def _check_events(train: pd.DataFrame, fold: Fold) -> None:
    events = int(train["y"].sum()) if len(train) else 0
    others = len(train) - events
    if min(events, others) < MIN_EVENTS:
        fewest = min(events, others)
        times = f" (about {MIN_EVENTS / fewest:.1f} times as many rows)" if fewest else ""
        raise InputRefused(
            f"fold {fold.name}: {counted(events, 'event')} in {len(train)} labelled training rows; at least "
            f"{MIN_EVENTS} events and {MIN_EVENTS} others are needed{times}: a longer history, more "
            f"households, or another cohort or event; {experiment.ENOUGH}"
        )


def _describe(fold: Fold, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    return {
        "fold": fold.name,
        "train_from": fold.train[0].isoformat(),
        "train_to": fold.train[-1].isoformat(),
        "n_train": len(train),
        "train_events": int(train["y"].sum()),
        "train_event_households": int(train.loc[train["y"].eq(1), "household_id"].nunique()),
        "test_from": fold.test[0].isoformat(),
        "test_to": fold.test[-1].isoformat(),
        "n_test": int(test["y"].notna().sum()),
        "test_events": int(test["y"].sum()),
        "n_null": int(test["y"].isna().sum()),
        "real_horizon_from": float(test["real_horizon_months"].min()),
        "real_horizon_to": float(test["real_horizon_months"].max()),
    }


def fallback_notes(exp: Experiment, fitted: Mapping[str, Any], fold: str = "") -> list[Message]:
    """Say which models gave way to the plain one.

    Parameters
    ----------
    exp
        The declaration.
    fitted
        Models by name.
    fold
        Whose models; empty for those that will score.

    Returns
    -------
    list of Message
        Empty where none did.
    """
    found = {name: part for name, model in fitted.items() if (part := fallback_of(model)) is not None}
    names = [name for name, part in found.items() if part.fell_back_]
    if exp.fallback is None or not names:
        return []
    words = [models.model_names(name) for name in names]
    values = {
        "models": {lang: SEPARATOR[lang].join(one[lang] for one in words) for lang in LANGUAGES},
        "plain": models.model_names(exp.fallback.model), "fold": fold,
        "n": found[names[0]].n_event_households_, "least": exp.fallback.below_events,
    }  # fmt: skip
    return [Message("runs.notes.few events tested" if fold else "runs.notes.few events", values)]


def can_follow_up(exp: Experiment, county: County) -> bool:
    """Say whether lead time can be measured: asked for, against rules, and with outcomes month by month."""
    monthly = not exp.horizon.next and not county.facts.get("spans.income", False)
    others = [m for m in exp.models if m != "rule"]
    return bool(exp.follow_months and monthly and "rule" in exp.models and others)


def follow_up_dates(exp: Experiment, county: County, folds: Sequence[Fold]) -> list[dt.date]:
    """Return the dates followed: month ends from the first test date to the last month that is recorded."""
    final = county.data_through - dt.timedelta(days=county.about.recording_delay_days)
    first = last_complete_month(folds[0].test[0])
    step = exp.follow_months or 1
    return [month_end(m) for m in range(first, last_complete_month(final) + 1, step)]


def follow_up_lists(
    exp: Experiment, county: County, folds: Sequence[Fold], fitted: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Say when each household that fell was first on each model's list, and first seen by the rules.

    At every date the models are those of the latest fold tested by then, so none has seen what came after.
    """
    days = follow_up_dates(exp, county, folds)
    names = tuple(m for m in exp.models if m == "rule" or not models.model_entry(m).ruleset)
    listing = exp.model_copy(update={"models": names, "augment_lines": None})
    households = max(1, county.table("households").household_id.nunique().to_pyarrow().as_py())
    step = max(1, _AT_ONCE // households)
    scores, flags = [], []
    for first in range(0, len(days), step):
        matrix = design_matrix.build_design_matrix(listing, county, tuple(days[first : first + step]))
        flags.append(matrix.flags)
        for day in pd.to_datetime(matrix.rows["as_of"]).unique():
            rows = matrix.rows[matrix.rows["as_of"] == day]
            fold = [f for f in folds if pd.Timestamp(f.test[0]) <= day][-1]
            scores.append(_scored(rows, matrix.X, fitted[fold.name]))
    months = targets.build_targets(county, days, 1, exp.events, exp.ruleset, params=exp.params)
    falls = months.loc[months["label"].eq(1), KEY]
    falls = falls.assign(as_of=pd.to_datetime(falls["as_of"]) + pd.offsets.MonthEnd(1))
    return evaluation.first_listings(
        pd.concat(scores, ignore_index=True),
        pd.concat(flags, ignore_index=True),
        falls,
        exp.budget.per_date,
        exp.horizon.months,
    )


def _scored(rows: pd.DataFrame, X: pd.DataFrame, fitted: Mapping[str, Any]) -> pd.DataFrame:
    margins = {
        SCORE_PREFIX + name: model.margin(model_inputs(name, rows, X.iloc[rows["row"]]))
        for name, model in fitted.items()
        if name != "rule" and not models.model_entry(name).ruleset
    }
    return rows[[*KEY, *design_matrix.PLACE, "flagged", "rule_rank"]].assign(**margins)
