"""Rules against models as a logged run holds them: the tables again, and what they say in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation
from riskmodel.errors import UsageError
from riskmodel.evaluation import oracle as attainable
from riskmodel.evaluation import visited as weighted
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
            "oracle": self.run.attainable,
            "oracle_bins": self.run.attainable_bins,
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
        said: list[Words] = fold_sentences(table)
        if run.selected is not None:
            said += weighted.told(run.selected, EVENT_WORDS[run.declaration["events"][0]])
        if run.deployed is not None:
            said += deployed_sentences(run.deployed)
        if run.planning is not None:
            said.append(planning_sentence(run.planning))
        if run.attainable is not None:
            said += attainable.told(run.attainable, run.support_effect)
        lines = [f"{run.facts['experiment']} {run.run_id}", *pooled[f"verdict_{lang}"]]
        return "\n".join([
            *lines, *(s[lang] for s in said), *(f"- {note[lang]}" for note in run.comparison_notes)
        ])  # fmt: skip


def fold_sentences(table: pd.DataFrame) -> list[Words]:
    """Say each model's difference in recall test period by test period, beside the pooled one.

    Parameters
    ----------
    table : DataFrame
        ``Comparison.table``.

    Returns
    -------
    list of dict with keys "zh", "en"
        One sentence a model; none where there is one period only.
    """
    rows = table[(table["scope"] != "pooled") & (table["at"] == "budget")]
    if rows["scope"].nunique() < 2:
        return []
    out = []
    for model, part in rows.groupby("model", sort=False):
        zh, en = evaluation.model_names(str(model))
        each = [f"{scope} {_signed(d)}" for scope, d in zip(part["scope"], part["delta_recall"], strict=True)]
        out.append({
            "zh": f"{zh}分期的查全率差（百分点；各期训练数据重叠，不独立）：{'；'.join(each)}。",
            "en": f"Difference in recall of {en} by test period (points; training overlaps, so they are not "
            f"independent): {'; '.join(each)}.",
        })  # fmt: skip
    return out


def _signed(share: Any) -> str:
    return "—" if pd.isna(share) else f"{100 * share:+.1f}"


def deployed_sentences(deployed: pd.DataFrame) -> list[Words]:
    """Say what lists find as they would be deployed: all flagged kept, the rest topped up.

    Parameters
    ----------
    deployed : DataFrame
        ``Comparison.deployed``.

    Returns
    -------
    list of dict with keys "zh", "en"
        One sentence a model.
    """
    pooled = deployed[deployed["scope"] == "pooled"]
    out = []
    for model, rows in pooled.groupby("model", sort=False):
        zh, en = evaluation.model_names(str(model))
        at = rows.set_index("list")
        own, rule, lot = (at.loc[name] for name in ("rules+model", "rules+rules", "rules+random"))
        ends = [100 * own[c] for c in ("delta_low", "delta_high")]
        out.append({
            "zh": f"实际名单（规则标记者全部保留，{own['visits']} 户次）：余额按{zh}补足"
            f"找到 {own['hits']:.0f}，按规则排序补足 {rule['hits']:.0f}，"
            f"随机补足 {lot['hits']:.1f} ± {lot['hits_sd']:.1f}"
            f"（查全率差 {100 * own['delta_recall']:+.1f} 个百分点，{ends[0]:+.1f} 至 {ends[1]:+.1f}）。",
            "en": f"As deployed (all flagged kept, {own['visits']} visits): topped up by {en} the list finds "
            f"{own['hits']:.0f}, by the rules' order {rule['hits']:.0f}, at random {lot['hits']:.1f} ± "
            f"{lot['hits_sd']:.1f} (difference in recall {100 * own['delta_recall']:+.1f} points, "
            f"{ends[0]:+.1f} to {ends[1]:+.1f}).",
        })  # fmt: skip
    return out


def planning_sentence(planning: pd.DataFrame) -> Words:
    """Say how small a difference in recall a county of this size can show.

    Parameters
    ----------
    planning : DataFrame
        Of `riskmodel.evaluation.what_can_be_shown`.

    Returns
    -------
    dict with keys "zh", "en"
    """
    if "observed" in planning and planning["observed"].any():
        return _observed_planning_sentence(planning[planning["observed"]].iloc[0])
    first, last = planning.iloc[0], planning.iloc[-1]
    ends = [_points(row["smallest_difference"]) for row in (first, last)]
    return {
        "zh": f"规模：{first['events']} 个事件、{first['villages']} 个村，能显示（功效 80%）的最小查全率差为 "
        f"{ends[0]} 个百分点，村内相关 {last['correlation']:g} 时为 {ends[1]}。",
        "en": f"Size: {first['events']} events in {first['villages']} villages can show (power 80 %) a "
        f"difference in recall of {ends[0]} points or more; {ends[1]} where households of a village "
        f"correlate by {last['correlation']:g}.",
    }


def _observed_planning_sentence(row: Any) -> Words:
    seen, assumed = (_points(row[f"smallest_difference{end}"]) for end in ("_observed", ""))
    psi, rho = f"{row['discordant_observed']:.2f}", f"{row['correlation']:.3f}"
    return {
        "zh": f"规模：{row['events']} 个事件、{row['villages']} 个村，村内相关（估计）{rho}；"
        f"仅一份名单找到的事件占 {psi}，能显示（功效 80%）的最小查全率差为 {seen} 个百分点"
        f"（若假定占 {row['discordant_assumed']:.2f}：{assumed}）。",
        "en": f"Size: {row['events']} events in {row['villages']} villages, correlation within villages "
        f"estimated at {rho}; with the observed share of events that only one list holds ({psi}) a "
        f"difference in recall of {seen} points or more can be shown (power 80 %), with the assumed "
        f"{row['discordant_assumed']:.2f} one of {assumed}.",
    }


def _points(share: Any) -> str:
    return "—" if pd.isna(share) else f"{100 * share:.0f}"


def compare(runs: Sequence[str | Run], store: str | Path) -> list[RunComparison]:
    """Compare rules with models, as logged runs hold it.

    Parameters
    ----------
    runs
        Run ids, ``NAME@ALIAS`` of registered models, or open runs.
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
    found = [RunComparison(run if isinstance(run, Run) else open_run(run, store)) for run in runs]
    for one in found:
        _ = one.table
    return found
