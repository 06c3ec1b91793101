"""Rules against models as a logged run holds them: the tables again, and what they say in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import evaluation
from riskmodel.errors import UsageError
from riskmodel.evaluation import oracle as attainable
from riskmodel.evaluation import visited as weighted
from riskmodel.runs import tracking

# What the found events are called in a sentence, by the first event of the experiment.
EVENT_WORDS = {
    "below_line": ("其后真实跌破监测线的户次", "household-dates followed by a true fall below the line"),
    "identified": ("其后新纳入监测的户次", "household-dates followed by a new identification"),
    "confirmed": ("其后核查属实的户次", "household-dates followed by a visit that confirmed the risk"),
}
Words = dict[str, str]


@dataclass(frozen=True)
class StoredComparison:
    """Rules against models, as read from a run.

    Parameters
    ----------
    run_id, experiment : str
    events : tuple of str
        Of the label.
    table : DataFrame
        ``Comparison.table``.
    notes : list of dict
    deployed : DataFrame or None
        ``Comparison.deployed``: lists as an office would have them.
    selected : DataFrame or None
        `riskmodel.evaluation.selected`, where the label is ``confirmed``.
    planning : DataFrame or None
        `riskmodel.evaluation.what_can_be_shown`.
    oracle, oracle_bins : DataFrame or None
        What is reached of the attainable, on a simulated county.
    effect : dict
        Mean true chance under present support and without it, on a simulated county.
    """

    run_id: str
    experiment: str
    events: tuple[str, ...]
    table: pd.DataFrame
    notes: list[Words]
    deployed: pd.DataFrame | None = None
    selected: pd.DataFrame | None = None
    planning: pd.DataFrame | None = None
    oracle: pd.DataFrame | None = None
    oracle_bins: pd.DataFrame | None = None
    effect: dict[str, float] = field(default_factory=dict)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables beside the comparison itself, by name; those that the run has."""
        given = {
            "deployed": self.deployed,
            "selected": self.selected,
            "planning": self.planning,
            "oracle": self.oracle,
            "oracle_bins": self.oracle_bins,
        }
        return {name: table for name, table in given.items() if table is not None}

    def summary(self) -> dict[str, Any]:
        """Return the tables for a machine; null where the run has none."""
        names = ("deployed", "selected", "planning", "oracle", "oracle_bins")
        return {
            "run_id": self.run_id,
            "experiment": self.experiment,
            "comparison": self.table.to_dict("records"),
            "notes": self.notes,
            **{n: self.tables[n].to_dict("records") if n in self.tables else None for n in names},
            "support_effect": self.effect or None,
        }

    def text(self, lang: str = "en") -> str:
        """Return the pooled verdicts as sentences, what follows from them, and the notes."""
        pooled = self.table[(self.table["scope"] == "pooled") & (self.table["at"] == "budget")]
        said: list[Words] = told_folds(self.table)
        if self.selected is not None:
            said += weighted.told(self.selected, EVENT_WORDS[self.events[0]])
        if self.deployed is not None:
            said += told_deployed(self.deployed)
        if self.planning is not None:
            said.append(told_planning(self.planning))
        if self.oracle is not None:
            said += attainable.told(self.oracle, self.effect)
        lines = [f"{self.experiment} {self.run_id}", *pooled[f"verdict_{lang}"]]
        return "\n".join([*lines, *(s[lang] for s in said), *(f"- {note[lang]}" for note in self.notes)])


def told_folds(table: pd.DataFrame) -> list[Words]:
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


def told_deployed(deployed: pd.DataFrame) -> list[Words]:
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


def told_planning(planning: pd.DataFrame) -> Words:
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
        return _told_observed(planning[planning["observed"]].iloc[0])
    first, last = planning.iloc[0], planning.iloc[-1]
    ends = [_points(row["smallest_difference"]) for row in (first, last)]
    return {
        "zh": f"规模：{first['events']} 个事件、{first['villages']} 个村，能显示（功效 80%）的最小查全率差为 "
        f"{ends[0]} 个百分点，村内相关 {last['correlation']:g} 时为 {ends[1]}。",
        "en": f"Size: {first['events']} events in {first['villages']} villages can show (power 80 %) a "
        f"difference in recall of {ends[0]} points or more; {ends[1]} where households of a village "
        f"correlate by {last['correlation']:g}.",
    }


def _told_observed(row: Any) -> Words:
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


def read_comparison(run_id: str, store: str | Path) -> StoredComparison:
    """Read a run's comparison of rules with models.

    Parameters
    ----------
    run_id : str
    store : str or Path

    Returns
    -------
    StoredComparison

    Raises
    ------
    UsageError
        If the run is not there or compared nothing.
    """
    facts = tracking.read_document(run_id, "facts.json", store)
    table = _if_there(run_id, "comparison", store)
    if table is None:
        raise UsageError(f"run {run_id} compared no model with the rules: its experiment lists no rule")
    experiment = tracking.read_document(run_id, "experiment.json", store)
    return StoredComparison(
        run_id,
        facts["experiment"],
        tuple(experiment["events"]),
        table,
        facts["comparison_notes"],
        deployed=_if_there(run_id, "deployed", store),
        selected=_if_there(run_id, "selected", store),
        planning=_if_there(run_id, "planning", store),
        oracle=_if_there(run_id, "attainable", store),
        oracle_bins=_if_there(run_id, "attainable_bins", store),
        effect=facts.get("support_effect") or {},
    )


def _if_there(run_id: str, name: str, store: str | Path) -> pd.DataFrame | None:
    """Return a table that not every run has."""
    try:
        return tracking.read_table(run_id, f"tables/{name}", store)
    except UsageError:
        return None
