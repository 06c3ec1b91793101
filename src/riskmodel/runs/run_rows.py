"""The rows of a run: what an experiment takes from the records of a county before anything is fitted."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from riskmodel.data import County, snapshot_message
from riskmodel.errors import InputRefused
from riskmodel.households import fingerprint
from riskmodel.i18n import Message, Nouns, spoken_language
from riskmodel.runs import design_matrix, experiment, outcomes
from riskmodel.runs.data_fit import count_nulls, fit_to_data, say_left_out
from riskmodel.runs.design_matrix import DesignMatrix
from riskmodel.runs.experiment import Experiment, Fold
from riskmodel.targets import KEY

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldRows:
    """One fold of a county: labelled rows, and what only an evaluation may look at."""

    fold: Fold
    train: pd.DataFrame
    test: pd.DataFrame
    evaluation_columns: pd.DataFrame
    findings: pd.DataFrame
    notes: tuple[Message, ...]
    nulls: pd.DataFrame


@dataclass(frozen=True)
class RunRows:
    """Everything that a run takes from the records: of one county, or of several put together.

    Attributes
    ----------
    experiment
        As the records can carry it.
    matrix
        Features, verdicts, cohort.
    folds
        Labelled rows, fold by fold.
    final
        Labelled rows of the models that will score; None where the run is only to compare.
    fingerprint
        Of everything that was seen.
    unknown
        Incomes that are not known, see `ExperimentResult`.
    fit_notes, data_notes, sampling_notes
        What was changed to fit the records; what is said of the records; how the final rows were drawn.
    county_notes
        What reading said of the county.
    nouns
        What is counted and where, for words.
    """

    experiment: Experiment
    matrix: DesignMatrix
    folds: tuple[FoldRows, ...]
    final: pd.DataFrame | None
    fingerprint: str
    unknown: pd.DataFrame
    fit_notes: tuple[Message, ...] = ()
    data_notes: tuple[Message, ...] = ()
    sampling_notes: tuple[Message, ...] = ()
    county_notes: tuple[str, ...] = ()
    nouns: Nouns = field(default_factory=Nouns)


def collect_rows(
    exp: Experiment, county: County, say: Callable[[str], None] | None = None, *, final: bool = True
) -> RunRows:
    """Collect from a county all that an experiment fits and tests on.

    Parameters
    ----------
    exp
        The declaration.
    county
        The county's checked tables.
    say
        Called with a line of text at each step.
    final
        Whether the rows of the models that will score are collected too.

    Returns
    -------
    RunRows
        See `fit_rows`.
    """
    say = say or _LOG.info
    fit = fit_to_data(exp, county)
    exp, days = fit.experiment, fit.days
    for note in fit.notes:
        say(f"note: {note.text(spoken_language())}")
    try:
        folds = experiment.temporal_folds(exp, county, days)
    except InputRefused as exc:
        raise say_left_out(exc, fit.notes) from exc
    say(f"{len(days)} as-of dates from {days[0]} to {days[-1]}: features, verdicts, cohort")
    matrix = design_matrix.build_design_matrix(exp, county, days)
    snapshot = snapshot_message(county)
    last, drawn = (_final_rows(exp, county, matrix, days)) if final else (None, ())
    return RunRows(
        experiment=exp,
        matrix=matrix,
        folds=tuple(_fold_rows(exp, county, matrix, fold) for fold in folds),
        final=last,
        fingerprint=fingerprint(county, county.data_through),
        unknown=fit.unknown,
        fit_notes=fit.notes,
        data_notes=() if snapshot is None else (snapshot,),
        sampling_notes=tuple(drawn),
        county_notes=county.notes,
        nouns=Nouns.of(county.about),
    )


def _final_rows(
    exp: Experiment, county: County, matrix: DesignMatrix, days: tuple[dt.date, ...]
) -> tuple[pd.DataFrame, tuple[Message, ...]]:
    until = exp.split.train_until
    over = tuple(d for d in days if until is None or d <= until)
    train = design_matrix.labelled_rows(exp, county, matrix, over, until, design_matrix.other_lines(exp))
    train = train[train["y"].notna()].drop(columns="label_reason").reset_index(drop=True)
    train, notes = outcomes.resample_visited(exp, county, train, until)
    return train, tuple(notes)


def _fold_rows(exp: Experiment, county: County, matrix: DesignMatrix, fold: Fold) -> FoldRows:
    train, test = design_matrix.labelled_fold_rows(exp, county, matrix, fold)
    nulls = [count_nulls(rows, fold.name, role) for rows, role in ((train, "train"), (test, "test"))]
    train = train[train["y"].notna()].drop(columns="label_reason").reset_index(drop=True)
    test = test.drop(columns="label_reason")
    train, notes = outcomes.resample_visited(exp, county, train, fold.seen_by)
    findings = pd.DataFrame()
    if exp.events == outcomes.VISITED_EVENTS:
        findings = outcomes.visit_findings(county, test, exp.horizon.months, None)
        findings = findings.assign(fold=fold.name)
    columns = _evaluation_columns(exp, county, matrix, fold, test)
    return FoldRows(fold, train, test, columns, findings, tuple(notes), pd.concat(nulls, ignore_index=True))


def _evaluation_columns(
    exp: Experiment, county: County, matrix: DesignMatrix, fold: Fold, test: pd.DataFrame
) -> pd.DataFrame:
    """Return what only an evaluation may look at, one row a test household and date."""
    out = test[KEY].join(outcomes.household_groups(test, matrix.X))
    if county.about.strata:
        out["stratum"] = test["township"]
    for measure in (
        outcomes.income_after,
        outcomes.label_events,
        outcomes.support_within,
        outcomes.records_then_and_later,
        outcomes.indicator_groups,
    ):
        columns = measure(exp, county, fold.test)
        if columns is not None:
            out = out.merge(columns, on=KEY, how="left", validate="one_to_one")
    if "supported_after" in out.columns:
        out["supported_after"] = out["supported_after"].eq(True)
    return out
