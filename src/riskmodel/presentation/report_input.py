"""What a report is made of: the tidy frames of a run, and the list it led to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation
from riskmodel.data import County
from riskmodel.evaluation import YIELD_MONTHS, recent_visits, yield_by_source
from riskmodel.households import DateLike
from riskmodel.runs import open_run


@dataclass(frozen=True)
class ReportInput:
    """Everything a report shows. Frames that are None leave their section out.

    Parameters
    ----------
    run_id : str
        The run whose report it is.
    experiment : mapping
        The declaration: ``id, title {zh, en}, cohort, events, horizon, feature_set, ruleset, models,
        champion, budget, bootstrap, seed``.
    metrics : DataFrame
        `riskmodel.evaluation.pooled_metrics`: one row a model.
    by_fold : DataFrame
        `riskmodel.evaluation.metrics_by_fold`: one row a model and fold.
    curves : DataFrame
        `riskmodel.evaluation.metric_curves`: ``model, curve, x, y, low, high, n``.
    folds : DataFrame
        One row a fold: ``fold, train_from, train_to, n_train, train_events, test_from, test_to, n_test,
        test_events, n_null``.
    headline : mapping
        ``zh`` and ``en``: the verdict, rules against the champion.
    fingerprint : str
        Of the data.
    environment : mapping
        Package to version.
    comparison, deployed : DataFrame, optional
        `riskmodel.evaluation.Comparison`: ``table`` and ``deployed``.
    oracle : DataFrame, optional
        As ``metrics``, on rows whose true probability is known (simulated counties), model ``oracle``.
    true_risk, true_risk_bins : DataFrame, optional
        What of the oracle each model reaches, and mean truth by score bin (`riskmodel.evaluation.true_risk`).
    notes : sequence of mapping
        ``zh`` and ``en`` each: what the reader must know.
    scores : mapping of language to DataFrame
        The list, in the contract's Scores columns, with reasons in that language; one language serves
        both where the other is not given.
    histories : DataFrame, optional
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan) of listed households.
    yields : DataFrame, optional
        What the last visits found, by source (`riskmodel.presentation.yields`).
    weighted_yield : DataFrame, optional
        The same visits weighted by the chances their lists logged (`riskmodel.presentation.weighted_yield`).
    rules_page : str, optional
        File beside the report with the rules, verdicts and changes (`riskmodel.presentation.rules_page`).
    outlook : OutlookInput, optional
        What is ahead (`riskmodel.presentation.forecast_page`): a chapter of its own.
    """

    run_id: str
    experiment: Mapping[str, Any]
    metrics: pd.DataFrame
    by_fold: pd.DataFrame
    curves: pd.DataFrame
    folds: pd.DataFrame
    headline: Mapping[str, str]
    fingerprint: str
    environment: Mapping[str, str] = field(default_factory=dict)
    comparison: pd.DataFrame | None = None
    deployed: pd.DataFrame | None = None
    oracle: pd.DataFrame | None = None
    true_risk: pd.DataFrame | None = None
    true_risk_bins: pd.DataFrame | None = None
    notes: Sequence[Mapping[str, str]] = ()
    scores: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    histories: pd.DataFrame | None = None
    yields: pd.DataFrame | None = None
    weighted_yield: pd.DataFrame | None = None
    rules_page: str | None = None
    outlook: Any = None


def read_run(
    run_id: str,
    store: str | Path,
    scores: Mapping[str, pd.DataFrame] | None = None,
    histories: pd.DataFrame | None = None,
    yields: pd.DataFrame | None = None,
) -> ReportInput:
    """Read a logged run.

    Parameters
    ----------
    run_id : str
        The run whose report it is.
    store : str or Path
        MLflow's SQLite file.
    scores : mapping of language to DataFrame, optional
        The list to show.
    histories, yields : DataFrame, optional
        See `ReportInput`.

    Returns
    -------
    ReportInput
        What the report is made of.

    Raises
    ------
    UsageError
        If the run, or a table that every run has, is not in the store.
    """
    run = open_run(run_id, store)
    return ReportInput(
        run_id=run.run_id,
        experiment=run.declaration,
        metrics=run.metrics,
        by_fold=run.metrics_by_fold,
        curves=run.curves,
        folds=run.folds,
        headline=run.headline,
        fingerprint=run.fingerprint,
        environment=run.environment,
        comparison=run.comparison,
        deployed=run.deployed,
        oracle=run.metrics_with_truth,
        true_risk=run.true_risk,
        true_risk_bins=run.true_risk_bins,
        notes=[*run.comparison_notes, *run.notes],
        scores=dict(scores or {}),
        histories=histories,
        yields=yields,
    )


def yields(county: County, as_of: DateLike, months: int = YIELD_MONTHS) -> pd.DataFrame:
    """Return findings of the visits of the last months by source.

    Parameters
    ----------
    county : County
        The county's tables.
    as_of : date or ISO text
        Only visits made and recorded by then.
    months : int
        How many months before as-of are counted.

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.yield_by_source`; no row where there was no visit.
    """
    return yield_by_source(recent_visits(county, as_of, months))


def weighted_yield(county: County, as_of: DateLike, months: int = YIELD_MONTHS) -> pd.DataFrame:
    """Return the same visits weighted by the chances that their lists logged; parameters as of `yields`.

    Returns
    -------
    DataFrame
        See `riskmodel.evaluation.weighted_yield`.
    """
    return evaluation.weighted_yield(recent_visits(county, as_of, months))
