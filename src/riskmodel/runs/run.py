"""A logged run: what was declared, what was measured, what it was made from, read when it is asked for.

`compare` says what a run holds of rules against models: the tables again, and sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.errors import UsageError
from riskmodel.evaluation import claim_messages, finding_messages, true_risk_messages
from riskmodel.i18n import Message, join, nouns_of, same
from riskmodel.runs import tracking
from riskmodel.runs.assessment import Evaluation, evaluate
from riskmodel.runs.experiment import EVENT_WORDS, Experiment
from riskmodel.runs.preregistration import looks_message


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
    comparison, claims, deployed, planning
        Rules against models at one budget; the declared model against the rules and against the best simple
        order; lists as an office would have them; what such a county can show.
    selected
        Lists judged by visits weighted by their chances, where the label is ``confirmed``.
    metrics_with_truth
        As ``metrics`` on the rows of a simulated county, with the true chances as one more model.
    true_risk, true_risk_bins
        What each model reaches of a list by the true chances, and mean truth by bin of the score.
    scorecard
        The points of a scorecard, where one was trained.
    unknown_incomes, nulls, null_bounds, splits, null_rates, already_below
        Households without a known income at as-of by reason, rows without a known outcome by reason, and how
        far these could move each model's figures; how they stand without households that were split; how
        often an outcome is unknown by tenth of the score, flag and lag; and what lists found of those who
        were below the line on the day already, as later records show.
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
    claims = _optional("claims")
    deployed = _optional("deployed")
    planning = _optional("planning")
    selected = _optional("selected")
    metrics_with_truth = _optional("oracle")
    true_risk = _optional("attainable")
    true_risk_bins = _optional("attainable_bins")
    scorecard = _optional("scorecard")
    unknown_incomes = _optional("unknown_incomes")
    nulls = _optional("nulls")
    null_bounds = _optional("null_bounds")
    splits = _optional("splits")
    null_rates = _optional("null_rates")
    already_below = _optional("already_below")

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
    def gate(self) -> dict[str, Any] | None:
        """What the declared champion had to show, and who takes charge; None of a run of before."""
        return self.facts.get("gate")

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
        family = self.facts.get("test_set", {}).get("other_tests", ())
        options = {"first_seen": self.first_seen, "other_tests": family} | options
        return evaluate(self.experiment, self.predictions.assign(household_id=ids), **options)

    def card(self, kind: str | None = None) -> dict[str, Any]:
        """Return what one model was logged with: calibration, reference contributions, file hash."""
        return self._document(f"cards/{kind or self.kind}.json")

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
        tracking.run_status(name, path)
        return Run(name, path)
    model = tracking.require_model(name, path)
    return Run(model.run_id, path, model.kind)


@dataclass(frozen=True)
class RunComparison:
    """Rules against models as a logged run holds them: tables, a summary for a machine, sentences.

    Attributes
    ----------
    run
        The logged run.
    """

    run: Run

    @property
    def table(self) -> pd.DataFrame:
        """Models against the baseline, pooled and fold by fold, as `riskmodel.evaluation` made it.

        Raises
        ------
        UsageError
            If the run compared nothing.
        """
        if self.run.comparison is None:
            raise UsageError(
                f"run {self.run.run_id} compared no model with the rules: its experiment lists no rule"
            )
        return self.run.comparison

    @property
    def tables(self) -> dict[str, pd.DataFrame | None]:
        """The tables beside the comparison itself; None where the run has none."""
        return {
            "claims": self.run.claims,
            "deployed": self.run.deployed,
            "selected": self.run.selected,
            "planning": self.run.planning,
            "unknown_incomes": self.run.unknown_incomes,
            "nulls": self.run.nulls,
            "null_bounds": self.run.null_bounds,
            "oracle": self.run.true_risk,
            "oracle_bins": self.run.true_risk_bins,
            **{
                name: table
                for name in ("splits", "null_rates", "already_below")
                if (table := getattr(self.run, name)) is not None
            },
        }

    def summary(self) -> dict[str, Any]:
        """Return the tables for a machine; null where the run has none."""
        return {
            "run_id": self.run.run_id,
            "experiment": self.run.facts["experiment"],
            "comparison": self.table.to_dict("records"),
            "notes": self.run.comparison_notes,
            **{n: None if t is None else t.to_dict("records") for n, t in self.tables.items()},
            "support_effect": self.run.support_effect or None,
        }

    def text(self, lang: str = "en") -> str:
        """Return the pooled verdicts as sentences, what follows from them, and the notes."""
        table, run = self.table, self.run
        pooled = table[(table["scope"] == "pooled") & (table["at"] == "budget")]
        messages = [] if run.claims is None else claim_messages(run.claims)
        messages += fold_messages(table)
        if run.selected is not None:
            messages += finding_messages(run.selected, EVENT_WORDS[run.declaration["events"][0]])
        if run.deployed is not None:
            messages += deployed_messages(run.deployed)
        if run.planning is not None:
            messages.append(power_message(run.planning))
        if run.true_risk is not None:
            messages += true_risk_messages(run.true_risk, run.support_effect)
        if "test_set" in run.facts:
            messages.append(looks_message(run.facts["test_set"], run.store))
        sentences = [
            *pooled[f"verdict_{lang}"], *(message.both()[lang] for message in messages),
            *(f"- {note[lang]}" for note in run.comparison_notes),
        ]  # fmt: skip
        return nouns_of(run.facts).spoken("\n".join([f"{run.facts['experiment']} {run.run_id}", *sentences]))


def fold_messages(table: pd.DataFrame) -> list[Message]:
    """Say each model's difference in recall test period by test period; nothing where there is one period."""
    rows = table[(table["scope"] != "pooled") & (table["at"] == "budget")]
    if rows["scope"].nunique() < 2:
        return []
    out = []
    for model, part in rows.groupby("model", sort=False):
        each = [f"{scope} {_signed(d)}" for scope, d in zip(part["scope"], part["delta_recall"], strict=True)]
        differences = join(each, by="clause")
        out.append(_message("periods", model=models.model_names(str(model)), differences=differences))
    return out


def _message(key: str, **values: Any) -> Message:
    return Message(f"runs.comparison.{key}", values)


def _signed(share: Any) -> str:
    return "—" if pd.isna(share) else f"{100 * share:+.1f}"


def deployed_messages(deployed: pd.DataFrame) -> list[Message]:
    """Say what each model's list finds as it would be deployed: all flagged kept, the rest topped up."""
    pooled = deployed[deployed["scope"] == "pooled"]
    out = []
    for model, rows in pooled.groupby("model", sort=False):
        at = rows.set_index("list")
        own, rule, random = (at.loc[name] for name in ("rules+model", "rules+rules", "rules+random"))
        delta, low, high = (100 * own[c] for c in ("delta_recall", "delta_low", "delta_high"))
        out.append(_message(
            "deployed", model=models.model_names(str(model)), visits=own["visits"], own=own["hits"],
            rule=rule["hits"], random=random["hits"], random_sd=random["hits_sd"], delta=delta, low=low,
            high=high,
        ))  # fmt: skip
    return out


def power_message(planning: pd.DataFrame) -> Message:
    """Say how small a difference in recall a county of this size can show."""
    observed = planning[planning["observed"]] if "observed" in planning else planning.iloc[:0]
    if len(observed):
        row = observed.iloc[0]
        return _message(
            "power observed", events=row["events"], villages=row["villages"], correlation=row["correlation"],
            discordant=row["discordant_observed"], observed=_points(row["smallest_difference_observed"]),
            discordant_assumed=row["discordant_assumed"], assumed=_points(row["smallest_difference"]),
        )  # fmt: skip
    first, last = planning.iloc[0], planning.iloc[-1]
    return _message(
        "power assumed", events=first["events"], villages=first["villages"],
        least=_points(first["smallest_difference"]), most=_points(last["smallest_difference"]),
        correlation=last["correlation"],
    )  # fmt: skip


def _points(share: Any) -> str:
    return "—" if pd.isna(share) else f"{100 * share:.0f}"


def compare(runs: str | Run | Sequence[str | Run], store: str | Path) -> list[RunComparison]:
    """Compare rules with models, as logged runs hold it.

    Parameters
    ----------
    runs
        A run or several: run ids, ``NAME@ALIAS`` of registered models, or open runs.
    store
        MLflow's SQLite file.

    Returns
    -------
    list of RunComparison
        One a run, in their order.

    Raises
    ------
    InputMissing
        If a run is not there; those that are, are named.
    UsageError
        If a run compared nothing: its experiment lists no rule.
    """
    names = [runs] if isinstance(runs, str | Run) else runs
    comparisons = [RunComparison(run if isinstance(run, Run) else open_run(run, store)) for run in names]
    for one in comparisons:
        _ = one.table
    return comparisons
