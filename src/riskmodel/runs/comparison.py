"""Rules against models as a logged run holds them: the tables again, and what they say in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import models
from riskmodel.errors import UsageError
from riskmodel.evaluation import finding_messages, true_risk_messages
from riskmodel.i18n import Message, join
from riskmodel.runs.experiment import EVENT_WORDS
from riskmodel.runs.run import Run, open_run

Words = dict[str, str]


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
            "deployed": self.run.deployed,
            "selected": self.run.selected,
            "planning": self.run.planning,
            "oracle": self.run.true_risk,
            "oracle_bins": self.run.true_risk_bins,
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
        messages: list[Words] = [m.both() for m in fold_messages(table)]
        if run.selected is not None:
            event = EVENT_WORDS[run.declaration["events"][0]]
            messages += [m.both() for m in finding_messages(run.selected, event)]
        if run.deployed is not None:
            messages += [m.both() for m in deployed_messages(run.deployed)]
        if run.planning is not None:
            messages.append(power_message(run.planning).both())
        if run.true_risk is not None:
            messages += [m.both() for m in true_risk_messages(run.true_risk, run.support_effect)]
        lines = [f"{run.facts['experiment']} {run.run_id}", *pooled[f"verdict_{lang}"]]
        return "\n".join([
            *lines, *(s[lang] for s in messages), *(f"- {note[lang]}" for note in run.comparison_notes)
        ])  # fmt: skip


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
    several = [runs] if isinstance(runs, str | Run) else runs
    comparisons = [RunComparison(run if isinstance(run, Run) else open_run(run, store)) for run in several]
    for one in comparisons:
        _ = one.table
    return comparisons
