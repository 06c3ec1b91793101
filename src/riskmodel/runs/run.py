"""A logged run: what was declared, what was measured, what it was made from, read when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.i18n import same
from riskmodel.runs import tracking
from riskmodel.runs.assessment import Evaluation, evaluate
from riskmodel.runs.experiment import Experiment


def _table(name: str) -> cached_property[pd.DataFrame]:
    """Return a table that every run has."""
    return cached_property(lambda run: run.table(name))


def _optional(name: str) -> cached_property[pd.DataFrame | None]:
    """Return a table that some runs have: no rules to compare with, no simulated truth, an older run."""
    return cached_property(lambda run: run.table(name) if name in run.table_names else None)


@dataclass(frozen=True, repr=False)
class Run:
    """A logged run of an experiment; every table and document is read once, when it is first asked for.

    Attributes
    ----------
    run_id
        MLflow's id.
    store
        MLflow's SQLite file.
    model
        Which of the run's models it was opened for, where it was opened by ``NAME@ALIAS``; else its champion.
    predictions
        A row a test household, date and model; households are numbered anew in every run.
    metrics, metrics_by_fold
        `riskmodel.evaluation.pooled_metrics` and `by_fold`: a row a model (and fold), with intervals.
    curves
        Calibration, precision–recall and gain, as points.
    folds
        A row a fold: dates, rows and events of training and test.
    features
        The data dictionary of the feature set as it was trained on.
    leaks
        Each feature's test for knowing the answer.
    first_seen
        When each household that fell was first on a list, where the run followed them.
    comparison, deployed, planning
        Rules against models at one budget; lists as an office would have them; what such a county can show.
    selected
        Lists judged by visits weighted by their chances, where the label is ``confirmed``.
    metrics_with_truth
        As ``metrics`` on the rows of a simulated county, with the true chances as one more model.
    true_risk, true_risk_bins
        What each model reaches of a list by the true chances, and mean truth by bin of the score.
    scorecard
        The points of a scorecard, where one was trained.
    """

    run_id: str
    store: Path
    model: str | None = None

    predictions = _table("predictions")
    metrics = _table("metrics")
    metrics_by_fold = _table("metrics_by_fold")
    curves = _table("curves")
    folds = _table("folds")
    features = _table("features")
    leaks = _optional("leaks")
    first_seen = _optional("first_seen")
    comparison = _optional("comparison")
    deployed = _optional("deployed")
    planning = _optional("planning")
    selected = _optional("selected")
    metrics_with_truth = _optional("oracle")
    true_risk = _optional("attainable")
    true_risk_bins = _optional("attainable_bins")
    scorecard = _optional("scorecard")

    def __repr__(self) -> str:
        kinds = ", ".join(self.declaration["models"])
        return f"Run({self.run_id}: experiment {self.facts['experiment']}, models {kinds})"

    def table(self, name: str) -> pd.DataFrame:
        """Return a logged table by name.

        Parameters
        ----------
        name
            As logged, without folder and ending, such as ``metrics``.

        Returns
        -------
        DataFrame
            The table as it was logged.

        Raises
        ------
        UsageError
            If the run has no such table.
        """
        return tracking.read_table(self.run_id, f"tables/{name}", self.store)

    @cached_property
    def table_names(self) -> tuple[str, ...]:
        """Names of the logged tables, sorted."""
        return tracking.table_names(self.run_id, self.store)

    @cached_property
    def declaration(self) -> dict[str, Any]:
        """The experiment as it was logged, in plain values."""
        return self._document("experiment.json")

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment as it was declared then; raises where today's riskmodel cannot read it."""
        return Experiment.model_validate(self.declaration)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Notes, headline and data fingerprint, as logged."""
        return self._document("facts.json")

    @cached_property
    def environment(self) -> dict[str, str]:
        """Package to version."""
        return self._document("environment.json")

    @cached_property
    def _record(self) -> tracking.RunRecord:
        return tracking.read_record(self.run_id, self.store)

    @property
    def parameters(self) -> Mapping[str, str]:
        """Logged parameters, as text."""
        return self._record.params

    @property
    def tags(self) -> Mapping[str, str]:
        """Logged tags, MLflow's own among them."""
        return self._record.tags

    @property
    def feature_set(self) -> str:
        """Id of the feature set."""
        return self.parameters["feature_set"]

    @property
    def ruleset(self) -> str:
        """Id of the rule set."""
        return self.parameters["ruleset"]

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the county's data."""
        return str(self.facts["data_fingerprint"])

    @property
    def headline(self) -> dict[str, str]:
        """Rules against the champion, in ``zh`` and ``en``."""
        return dict(self.facts["headline"])

    @property
    def notes(self) -> list[dict[str, str]]:
        """What a reader must know, in ``zh`` and ``en``; notes of the comparison are apart."""
        return [_in_both_languages(note) for note in self.facts.get("notes", [])]

    @property
    def comparison_notes(self) -> list[dict[str, str]]:
        """What a reader of the comparison must know, in ``zh`` and ``en``."""
        return [_in_both_languages(note) for note in self.facts.get("comparison_notes", [])]

    @property
    def support_effect(self) -> dict[str, float]:
        """Mean true chance under present support and without it; empty but on simulated counties."""
        return self.facts.get("support_effect") or {}

    @property
    def kind(self) -> str:
        """The model it was opened for, or its champion."""
        return self.model or str(self.declaration["champion"])

    def predictions_of(self, kind: str | None = None) -> pd.DataFrame:
        """Return one model's test rows; default the one it was opened for."""
        rows = self.predictions
        return rows[rows["model"] == (kind or self.kind)].reset_index(drop=True)

    def metrics_of(self, kind: str | None = None) -> dict[str, Any]:
        """Return one model's row of the pooled metrics; default the one it was opened for."""
        row = self.metrics[self.metrics["model"] == (kind or self.kind)].iloc[0]
        return {str(name): value for name, value in row.items()}

    def evaluate(self, **options: Any) -> Evaluation:
        """Return what the logged predictions are worth, beyond the logged tables.

        Parameters
        ----------
        **options
            As of `riskmodel.runs.evaluate`.

        Returns
        -------
        Evaluation
            Its tables are computed when they are first asked for.
        """
        # A run numbers its households anew; as text they keep their order.
        ids = self.predictions["household_id"].astype(str).str.zfill(9)
        options = {"first_seen": self.first_seen} | options
        return evaluate(self.experiment, self.predictions.assign(household_id=ids), **options)

    def card(self, kind: str | None = None) -> dict[str, Any]:
        """Return what one model was logged with: calibration, reference contributions, file hash."""
        return self._document(f"cards/{kind or self.kind}.json")

    def calibration(self, kind: str | None = None) -> dict[str, Any] | None:
        """Return one model's calibration: intercept, slope, held-out rows; None where rates are its own."""
        calibration: dict[str, Any] | None = self.card(kind)["calibration"]
        return calibration

    def _document(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = tracking.read_document(self.run_id, name, self.store)
        return content


def _in_both_languages(note: Mapping[str, str] | str) -> dict[str, str]:
    return same(note) if isinstance(note, str) else dict(note)


def open_run(name: str, store: str | Path) -> Run:
    """Open a logged run by its id, or the run that a registered model comes from.

    Parameters
    ----------
    name
        A run id, or ``NAME@ALIAS`` (``NAME@VERSION``) of a registered model, such as ``county@champion``.
    store
        MLflow's SQLite file.

    Returns
    -------
    Run
        Nothing but its id is read yet.

    Raises
    ------
    InputMissing
        If there is no store or no such run; the runs there are are named.
    UsageError
        If no model has that name and alias.
    """
    path = Path(store)
    if "@" not in name:
        tracking.read_record(name, path)
        return Run(name, path)
    model = tracking.require_model(name, path)
    return Run(model.run_id, path, model.kind)
