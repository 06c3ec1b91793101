"""What predictions are worth: one evaluation, its tables computed once, when they are first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from riskmodel import evaluation, models
from riskmodel.errors import InputRefused
from riskmodel.evaluation import (
    Budget,
    Comparison,
    TrueRiskReport,
    compare_with_true_risk,
    list_at_budget,
    metrics_by_event,
    sorted_codes,
)
from riskmodel.i18n import LANGUAGES
from riskmodel.runs.experiment import EVENT_WORDS, Experiment
from riskmodel.runs.uncertain_outcomes import already_below, null_bounds, null_rates, without_splits
from riskmodel.targets import KEY

Array = NDArray[np.float64]
# Resamples wherever something is decided, however few an experiment asks for its other intervals.
TEST_REPLICATES = 2000
ORACLE = "oracle"  # the true chances, as one more model
# The two questions put to the best simple method, and the metric that says who is best at each.
MEASURES = {"auc": "auc", "recall": "recall_at_budget"}
# One of every kind of method, where all would be too many to look at: groups, label events, net benefit.
REPRESENTATIVES = ("rule", "past_income", "scorecard", "logit", "boosting")
# Net benefit is drawn between these chances; offices that visit one household in twenty act near 5 %.
THRESHOLDS = tuple(round(0.01 * k, 2) for k in range(1, 31))
_CURVE_REPLICATES = 100
_MOST_TOWNSHIPS = 30


@dataclass(frozen=True)
class Evaluation:
    """What predictions are worth, as tables; None where there is nothing to compute one from.

    Attributes
    ----------
    predictions
        Tidy predictions, as `riskmodel.evaluation` takes them.
    budget
        Visits at each as-of date.
    baseline
        Whose list the others are compared with: ``rule``, or a model.
    event
        What a found event is called, ``zh`` and ``en``.
    declared
        The one model that was declared beforehand to be tested; its p value is not corrected.
    other_tests
        P values of models that other runs compared on the same test set: one family with these.
    truth
        True chances of this event and horizon, on a simulated county.
    findings
        Visits with the weight by which they stand for the county, where the label is ``confirmed``.
    first_seen
        When households that fell were first listed and first flagged, where they were followed.
    replicates, test_replicates, seed
        Village resamples of the intervals, and of what decides: the primary test, whose least p value is two
        over their number, and lists judged by visits.
    """

    predictions: pd.DataFrame
    budget: Budget
    baseline: str
    event: Mapping[str, str]
    declared: str | None = None
    other_tests: Sequence[float] = ()
    truth: pd.DataFrame | None = None
    findings: pd.DataFrame | None = None
    first_seen: pd.DataFrame | None = None
    replicates: int = 400
    test_replicates: int = TEST_REPLICATES
    seed: int = 0

    @property
    def _resampling(self) -> dict[str, Any]:
        return {"replicates": self.replicates, "seed": self.seed}

    @property
    def _deciding(self) -> dict[str, Any]:
        return {"replicates": self.test_replicates, "seed": self.seed}

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A row a model, with intervals; weighted where visits have logged chances."""
        return evaluation.pooled_metrics(
            self.predictions, self.budget, findings=self.findings, **self._resampling
        )

    @cached_property
    def metrics_by_fold(self) -> pd.DataFrame:
        """A row a model and fold."""
        return evaluation.metrics_by_fold(
            self.predictions, self.budget, findings=self.findings, **self._resampling
        )

    @cached_property
    def curves(self) -> pd.DataFrame:
        """Calibration, precision–recall and gain, as points."""
        return evaluation.metric_curves(self.predictions, seed=self.seed)

    @cached_property
    def comparison(self) -> Comparison | None:
        """Models against the baseline at the same number of visits."""
        names = set(self.predictions["model"])
        if not names - {self.baseline} or (self.baseline == "rule" and "rule" not in names):
            return None
        compared = evaluation.compare(
            self.predictions, self.budget, baseline=self.baseline, primary=self.declared,
            other_tests=self.other_tests, **self._deciding,
        )  # fmt: skip
        return replace(compared, table=add_verdict_sentences(compared, self.event))

    @property
    def notes(self) -> list[dict[str, str]]:
        """What was left out of the comparison, and what to beware of, in ``zh`` and ``en``."""
        return [note.both() for note in self.comparison.notes] if self.comparison else []

    @property
    def deployed(self) -> pd.DataFrame | None:
        """Lists as an office would have them."""
        return None if self.comparison is None else self.comparison.deployed

    @cached_property
    def comparison_by_family(self) -> pd.DataFrame | None:
        """The comparison, corrected by Holm among the models, and apart from them among the rule sets.

        Rule sets beside the baseline are shown to be looked at; counted among the models they would only
        make the test of the models blunt.
        """
        if self.comparison is None:
            return None
        table = self.comparison.table
        table = table.assign(family=[_family(str(m)) for m in table["model"]])
        p = table["p_bootstrap"].mask(table["declared"])
        corrected = p.groupby(table["family"], sort=False).transform(evaluation.holm)
        counted = p.groupby(table["family"], sort=False).transform("count")
        return table.assign(
            p_holm=corrected.where(~table["declared"], table["p_bootstrap"]),
            holm_tests=table["holm_tests"].mask(table["tested"] & ~table["declared"], counted),
        )

    @cached_property
    def claims(self) -> pd.DataFrame | None:
        """The declared model's list against the rules' and the best simple order's; None without both."""
        if self.comparison is None or self.declared is None or self.baseline != "rule":
            return None
        return evaluation.list_claims(self.predictions, self.budget, self.declared, **self._deciding)

    @cached_property
    def planning(self) -> pd.DataFrame | None:
        """How small a difference predictions of this size can show."""
        if self.comparison is None:
            return None
        return evaluation.comparison_power(self.comparison.primary, self.predictions)

    @cached_property
    def selected(self) -> pd.DataFrame | None:
        """Lists judged by weighted visits."""
        if self.findings is None or "rule" not in set(self.predictions["model"]):
            return None
        return evaluation.metrics_by_findings(self.predictions, self.findings, self.budget, **self._deciding)

    @cached_property
    def metrics_with_truth(self) -> pd.DataFrame | None:
        """The metrics on the rows whose true chance is known, the truth among the models."""
        rows = None if self.truth is None else _with_truth(self.predictions, self.truth)
        return None if rows is None else evaluation.pooled_metrics(rows, self.budget, **self._resampling)

    @cached_property
    def true_risk(self) -> TrueRiskReport | None:
        """What each model reaches of a list by the true chances."""
        if self.truth is None or _with_truth(self.predictions, self.truth) is None:
            return None
        return compare_with_true_risk(self.predictions, self.truth, self.budget, seed=self.seed)

    @property
    def support_effect(self) -> dict[str, float]:
        """Mean true chance under present support and without it; empty where the truth is not known."""
        return self.true_risk.effect if self.true_risk else {}

    @property
    def truth_table(self) -> pd.DataFrame | None:
        """The rows of `true_risk`."""
        return None if self.true_risk is None else self.true_risk.table

    @cached_property
    def visits(self) -> pd.DataFrame:
        """How many visits in the baseline's order find what each model's list finds."""
        rows = []
        for model in dict.fromkeys(self.predictions["model"]):
            if model not in models.MODELS or model in ("rule", self.baseline):
                continue
            pair = self.predictions[self.predictions["model"].isin([model, self.baseline])]
            one = evaluation.visits_equivalent(
                pair, self.budget, model, baseline=self.baseline, **self._resampling
            )
            more = one.more.set_index("factor")["recall_baseline"]
            rows.append({
                "model": model, "visits": one.visits, "recall_model": one.recall_model,
                "recall_baseline": one.recall_baseline, "ratio": one.ratio, "low": one.low, "high": one.high,
                "extra_visits": one.extra_visits, **{f"recall_baseline_x{f:g}": v for f, v in more.items()},
            })  # fmt: skip
        return pd.DataFrame(rows)

    @cached_property
    def net_benefit(self) -> pd.DataFrame:
        """Net benefit of one model of every kind, by the least chance worth a visit."""
        parts = []
        known = self.predictions[self.predictions["y"].notna()]
        for model in REPRESENTATIVES:
            rows = known[known["model"] == model]
            if len(rows):
                resamples = evaluation.village_resamples(
                    rows[["township", "village"]], _CURVE_REPLICATES, self.seed
                )
                curve = evaluation.net_benefit_curve(rows["y"], rows["probability"], THRESHOLDS, resamples)
                parts.append(curve.assign(model=model))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def ordering(self) -> pd.DataFrame | None:
        """The best simple method against the best elaborate one; None where all are of one kind."""
        kinds = {is_simple(model) for model in set(self.predictions["model"])}
        if len(kinds) < 2:
            return None
        return compare_simple(self.predictions, self.metrics, self.budget, self._deciding)

    @cached_property
    def lead(self) -> pd.DataFrame | None:
        """How long before the rules each list held those who fell."""
        if self.first_seen is None or self.first_seen.empty or self.baseline != "rule":
            return None
        rows = []
        for model in evaluation.followed_models(self.first_seen):
            one = evaluation.lead_time(self.first_seen, model, **self._resampling)
            rows.append({
                "model": model, **one.shares, "median_months": one.median_months,
                "mean_months": one.restricted_mean_months, "until_months": one.until_months,
                "warning_months": one.warning_months, "censored": one.censored,
            })  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def _representatives(self) -> pd.DataFrame:
        return self.predictions[self.predictions["model"].isin(REPRESENTATIVES)]

    @cached_property
    def gaps(self) -> pd.DataFrame | None:
        """Differences between groups of households, of one model of every kind."""
        predictions = self.predictions
        groups = [c for c in predictions.columns if c.startswith("group_") and predictions[c].nunique() > 1]
        groups += ["township"] if 1 < predictions["township"].nunique() <= _MOST_TOWNSHIPS else []
        if not groups:
            return None
        return evaluation.group_gaps(self._representatives, groups, self.budget, **self._resampling)

    @cached_property
    def events(self) -> pd.DataFrame | None:
        """The same lists judged by each label event."""
        if not any(c.startswith("label_") for c in self.predictions.columns):
            return None
        return metrics_by_event(self._representatives, self.budget, **self._resampling)

    @cached_property
    def support(self) -> pd.DataFrame | None:
        """Bounds of precision and recall: every household supported within the window as 0, and as 1."""
        if "supported_after" not in self.predictions.columns:
            return None
        rows = []
        for model in ("rule", "past_income", "logit", "boosting"):
            part = self.predictions[(self.predictions["model"] == model) & self.predictions["y"].notna()]
            if part.empty:
                continue
            listed = list_at_budget(sorted_codes(part["as_of"]), part["score"].to_numpy(), self.budget)
            bounds = evaluation.support_bounds(part["y"], part["supported_after"], listed)
            rows.append({"model": model, **bounds})
        return pd.DataFrame(rows)

    @cached_property
    def null_bounds(self) -> pd.DataFrame:
        """Bounds of rate, precision, recall and AUC by what the unknown outcomes could be, a row a model.

        ``rate``, ``precision`` and ``recall`` with ``_low`` and ``_high`` are the worst and the best case;
        ``auc_nulls_0`` and ``auc_nulls_1`` count every unknown outcome as 0, and as 1.
        """
        return null_bounds(self.predictions, self.budget)

    @cached_property
    def splits(self) -> pd.DataFrame | None:
        """How the figures stand without households that were split in their window, and by their persons.

        A household that was split counts as fallen where any of its children did. ``…_without`` leaves such
        households out; ``…_weighted`` counts of each the share of persons whose new household fell. None
        where nobody was split; a row a model.
        """
        return without_splits(self.predictions, self.budget)

    @cached_property
    def already_below(self) -> pd.DataFrame | None:
        """How the figures stand by whether those who fell were below the line at as-of by later records."""
        return already_below(self.predictions, self.budget)

    @cached_property
    def null_rates(self) -> pd.DataFrame:
        """How often the outcome is unknown by tenth of the declared model's score, rule flag and lag."""
        return null_rates(self.predictions, self.declared)

    def further(self) -> dict[str, pd.DataFrame]:
        """Return the tables that a benchmark shows of a panel, by name; those there are.

        Raises
        ------
        InputRefused
            If there is no model beside the baseline.
        """
        if self.comparison is None:
            raise InputRefused(f"the predictions hold no model to compare with {self.baseline}")
        tables = {
            "metrics": self.metrics,
            "comparison": self.comparison_by_family,
            "deployed": self.deployed,
            "visits": self.visits,
            "net_benefit": self.net_benefit,
            "planning": self.planning,
            "ordering": self.ordering,
            "lead": self.lead,
            "gaps": self.gaps,
            "events": self.events,
            "support": self.support,
            "truth": self.truth_table,
            "unsupported": pd.DataFrame([self.support_effect]) if self.support_effect else None,
        }
        return {name: table for name, table in tables.items() if table is not None}


def evaluate(exp: Experiment, predictions: pd.DataFrame, **options: Any) -> Evaluation:
    """Evaluate an experiment's predictions, whether they were just made or logged before.

    Parameters
    ----------
    exp
        Gives the budget, the label event, the number of resamples and the seed.
    predictions
        Tidy predictions.
    **options
        Attributes of `Evaluation`: ``baseline``, ``declared``, ``truth``, ``findings``, ``first_seen``, and
        other ``replicates``, ``test_replicates`` and ``seed`` than the experiment's.

    Returns
    -------
    Evaluation
        Its tables are computed when they are first asked for.
    """
    declared: dict[str, Any] = {
        "budget": exp.budget.per_date,
        "baseline": "rule",
        "event": EVENT_WORDS[exp.events[0]],
        "replicates": exp.bootstrap,
        "seed": exp.seed,
    }
    return Evaluation(predictions, **(declared | options))


def add_verdict_sentences(comparison: Comparison, event: Mapping[str, str]) -> pd.DataFrame:
    """Return a comparison's table with each verdict in a sentence, ``verdict_zh`` and ``verdict_en``."""
    messages = comparison.verdicts(event)
    sentences = {f"verdict_{lang}": [m.text(lang) for m in messages] for lang in LANGUAGES}
    return comparison.table.assign(**sentences)


def _family(model: str) -> str:
    return "rulesets" if models.is_model(model) and models.model_entry(model).ruleset else "models"


def _with_truth(predictions: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame | None:
    """Return the predictions whose true probability is known, with the truth as one more model."""
    known = truth[["household_id", "as_of", "probability"]]
    rows = predictions.merge(known.rename(columns={"probability": "true"}), on=KEY, how="inner")
    if rows.empty or rows["y"].isna().all():
        return None
    one = rows[rows["model"] == rows["model"].iloc[0]]
    # A share of 1,000 futures can be 0 or 1; half a future keeps the log-odds finite and the order.
    p = one["true"].clip(0.5e-3, 1 - 0.5e-3)
    oracle = one.assign(model=ORACLE, probability=one["true"], score=logit(p))
    return pd.concat([rows, oracle], ignore_index=True).drop(columns="true")


def is_simple(model: str) -> bool:
    """Say whether a model needs no machine learning.

    Parameters
    ----------
    model
        Of `riskmodel.models.MODELS`, or ``rule-ID`` and ``conditions-ID`` of a rule set.

    Returns
    -------
    bool
        True for rules, past income, village rates, scorecards and short regressions.
    """
    return models.is_model(model) and models.model_entry(model).simple


def winner(row: Mapping[Any, Any]) -> str:
    """Say who wins by an interval of elaborate − simple.

    Parameters
    ----------
    row
        With ``low`` and ``high``, the ends of the interval.

    Returns
    -------
    str
        ``simple``, ``elaborate``, or ``level`` where the interval holds 0.
    """
    return "elaborate" if row["low"] > 0 else "simple" if row["high"] < 0 else "level"


def compare_simple(
    predictions: pd.DataFrame, metrics: pd.DataFrame, budget: Budget, resampling: Mapping[str, Any]
) -> pd.DataFrame:
    """Compare the best simple method with the best elaborate one, on the same village resamples.

    Both are picked as the best of several on these very rows, which flatters both.
    """
    simple = [str(m) for m in metrics["model"] if is_simple(str(m))]
    elaborate = [str(m) for m in metrics["model"] if not is_simple(str(m))]
    rows = []
    for measure, column in MEASURES.items():
        value = metrics.set_index("model")[column]
        best_simple, best_elaborate = str(value[simple].idxmax()), str(value[elaborate].idxmax())
        pair = (best_simple, best_elaborate)
        low, high = evaluation.metric_difference(predictions, pair, column, budget, **resampling)
        values = {"value_simple": value[best_simple], "value_elaborate": value[best_elaborate]}
        rows.append({
            "measure": measure, "simple": best_simple, "elaborate": best_elaborate, **values,
            "difference": values["value_elaborate"] - values["value_simple"], "low": low, "high": high,
            "n_simple": len(simple), "n_elaborate": len(elaborate),
        })  # fmt: skip
    return pd.DataFrame(rows)
