"""Rules against models at the same number of visits on the same households, as a proper test.

Primary: the difference in recall (minus the difference in exclusion error) of the two pure orderings at the
budget, with a paired village-bootstrap interval. At one budget every other list measure follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.list_metrics import crra_welfare, targeting_measures
from riskmodel.evaluation.lists import (
    Budget,
    Codes,
    Ranking,
    list_kernel,
    list_members,
    quotas,
    random_list_hits,
    rank_rows,
    ratio_or_nan,
    tie_bounds,
)
from riskmodel.evaluation.metrics import LEAKAGE_AUC
from riskmodel.evaluation.paired_lists import (
    RULE,
    PairedLists,
    PairedRecalls,
    common_rows,
    delong,
    holm,
    mcnemar_exact,
    pair_lists,
)
from riskmodel.evaluation.predictions import (
    Predictions,
    Resamples,
    check_predictions,
    resampled_units,
    village_resamples,
)
from riskmodel.i18n import Message
from riskmodel.models import model_names

POOLED = "pooled"
_BASELINE = "baseline"
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac")
# With fewer clusters percentile intervals are known to be too short (Cameron, Gelbach and Miller 2008).
_FEW_VILLAGES = 30
# A list by what it is cut at and whose it is: its order, and the visits at each date.
NamedLists = dict[tuple[str, str], tuple[Ranking, Codes]]


@dataclass(frozen=True)
class Comparison:
    """Rules against models.

    Attributes
    ----------
    table
        One row a scope (``pooled`` or a fold), model and ``at`` (``budget``; ``rule_quota``, the number that
        the rules flag at each date). Columns: see `compare`.
    deployed
        One row a scope, model and ``list`` as it would be deployed.
    notes
        What was left out and what weakens the comparison.
    level
        Of the intervals; 1 − level is the level of the tests.
    """

    table: pd.DataFrame
    deployed: pd.DataFrame
    notes: list[Message]
    level: float = 0.95

    @property
    def primary(self) -> pd.DataFrame:
        """The pooled rows at the budget: the one test, a row a model."""
        return _pooled_rows(self.table).reset_index(drop=True)

    def verdicts(self, event: Mapping[str, str]) -> list[Message]:
        """Return each row's verdict as a message.

        Parameters
        ----------
        event
            What a found event is called, ``zh`` and ``en``.

        Returns
        -------
        list of Message
            One a row of ``table``.
        """
        return [_verdict_message(row, self.level, event) for row in self.table.to_dict("records")]


def compare(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    baseline: str = RULE,
    primary: str | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Compare every model with the rules at the same number of visits.

    The rules' list: flagged households first, then by their own ranking (``rule_rank``, the distance to the
    line), then household id. If they flag fewer than the budget the list is topped up by that ranking; if
    they flag more it is cut by it. Rows that some model did not score are left out and counted.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`, with ``persons, flagged, rule_rank`` (1 = first at its as-of date; may be
        null).
    budget
        Visits at each as-of date.
    baseline
        ``"rule"``, or a model's name to compare the others with (past income, say); its list is then
        ordered by its score.
    primary
        The one model that was declared beforehand to be tested: its interval decides as it stands. The others
        (all, where none is named) are decided by Holm's correction among themselves.
    replicates, seed, level
        Village resamples and level of the intervals.

    Returns
    -------
    Comparison
        ``table``: ``scope, at, baseline, model, visits, n, n_events, n_null, n_villages, flagged, topped_up,
        cut`` (visits filled from below, and flagged households left over, date by date); the true
        events ``both, baseline_only, model_only, neither``; ``hits_baseline, hits_model`` with ``_worst,
        _best`` over ties; ``recall_baseline, recall_model, precision_baseline, precision_model``;
        ``delta_recall, delta_low, delta_high`` (model minus baseline; the interval is never adjusted),
        ``delta_exclusion_error`` (its negative), ``p_bootstrap, p_holm`` (among the models that were not
        declared; the declared one's stays as it is), ``declared``; ``delta_recall_persons`` with ``_low,
        _high``;
        ``overlap`` (Jaccard); derived, for both lists (``_baseline, _model``): ``targeting_differential``,
        ``targeting_differential_errors, cgh, bpac``, person-weighted ``exclusion_error_persons,
        inclusion_error_persons, cgh_persons``, and ``welfare`` where incomes of the outcome's year are known
        (see `targeting` and `crra_welfare`); description only: ``mcnemar_p, auc_baseline, auc_model,
        delong_z, delong_p``;
        ``verdict`` {model, baseline, none}; an interval that cannot be computed shows no difference.
        ``deployed``: ``scope, model, list`` {rules+model, rules+rules, rules+random}, ``visits, hits,
        hits_sd`` (random only), ``recall, delta_recall, delta_low, delta_high`` (against rules+rules).

    Raises
    ------
    InputRefused
        If a column is absent, the baseline is unknown, models disagree on a row's label or flag, or no row
        was scored by all.
    """
    checked = check_predictions(predictions, ("persons", "flagged", "rule_rank"))
    models = _compared_models(checked, baseline)
    if primary is not None and primary not in models:
        raise InputRefused(f"primary {primary!r} is not compared; compared are: {', '.join(models)}")
    wide, unscored = common_rows(checked)
    limit, tables, deployed_tables = Budget.of(budget), [], []
    for scope in [POOLED, *sorted(set(wide["fold"]))]:
        part = wide if scope == POOLED else wide[wide["fold"] == scope]
        lists = pair_lists(part, checked.models, baseline)
        table, deployed = _compare_scope(lists, models, limit, replicates, seed, level)
        null = checked.n_null(checked.models[0], None if scope == POOLED else scope)
        tables.append(table.assign(scope=scope, baseline=baseline, n_null=null))
        deployed_tables.append(deployed.assign(scope=scope))
    table = pd.concat(tables, ignore_index=True)
    table["declared"] = table["model"] == primary
    table["p_holm"] = table.groupby(["scope", "at", "declared"], sort=False)["p_bootstrap"].transform(holm)
    table["verdict"] = [_verdict(row, level) for row in table.to_dict("records")]
    table = _columns_first(table, ["scope", "at", "baseline", "model"])
    deployed = _columns_first(pd.concat(deployed_tables, ignore_index=True), ["scope", "model", "list"])
    drawn = village_resamples(resampled_units(wide), 0, seed)
    notes = [*_notes(_pooled_rows(table), unscored), *_strata_notes(drawn)]
    return Comparison(table, deployed, notes, level)


def _pooled_rows(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["scope"] == POOLED) & (table["at"] == "budget")]


def _compared_models(checked: Predictions, baseline: str) -> list[str]:
    if baseline != RULE and baseline not in checked.models:
        known = dict.fromkeys((RULE, *checked.models))
        raise InputRefused(f"no baseline {baseline!r} in the predictions; known: {', '.join(known)}")
    others = [model for model in checked.models if model not in (baseline, RULE)]
    if not others:
        raise InputRefused(
            "the predictions hold the baseline only; give at least one model to compare it with"
        )
    return others


def _columns_first(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[names + [name for name in table.columns if name not in names]]


def _compare_scope(
    lists: PairedLists, models: list[str], budget: Budget, replicates: int, seed: int, level: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    limits = {
        "budget": quotas(lists.date, budget),
        "rule_quota": np.bincount(lists.date, weights=lists.flagged).astype(np.int64),
    }
    orders = {_BASELINE: lists.baseline} | {m: rank_rows(lists.date, -lists.scores[m]) for m in models}
    deployed = {RULE: lists.rules} | {
        m: rank_rows(lists.date, ~lists.flagged, -lists.scores[m]) for m in models
    }
    named = {(at, name): (order, quota) for at, quota in limits.items() for name, order in orders.items()}
    named |= {("deployed", name): (order, limits["budget"]) for name, order in deployed.items()}
    resamples = village_resamples(lists.villages, replicates, seed)
    kernels = {
        name: list_kernel(lists.y, lists.date, order, quota, lists.persons, resamples.units())
        for name, (order, quota) in named.items()
    }
    recalls = PairedRecalls(kernels, resamples, level)
    rows = [_comparison_row(lists, at, model, named, recalls) for at in limits for model in models]
    as_deployed = [row for model in models for row in _deployed_rows(lists, model, named, recalls)]
    return pd.DataFrame(rows), pd.DataFrame(as_deployed)


def _comparison_row(
    lists: PairedLists,
    at: str,
    model: str,
    named: NamedLists,
    recalls: PairedRecalls,
) -> dict[str, Any]:
    (base, quota), (order, _) = named[at, _BASELINE], named[at, model]
    model_list, baseline_list, event = (
        list_members(lists.date, order, quota),
        list_members(lists.date, base, quota),
        lists.y == 1,
    )
    visits, union = int(quota.sum()), int((model_list | baseline_list).sum())
    flagged = np.bincount(lists.date, weights=lists.flagged)
    primary = recalls.difference((at, model), (at, _BASELINE))
    persons = recalls.difference((at, model), (at, _BASELINE), persons=True)
    only_base, only_model = (
        int((event & baseline_list & ~model_list).sum()),
        int((event & model_list & ~baseline_list).sum()),
    )
    areas = delong(lists.y, lists.baseline_score, lists.scores[model])
    bounds = {
        f"hits_{name}_{end}": value
        for name, ranking in ((_BASELINE, base), ("model", order))
        for end, value in zip(("worst", "best"), tie_bounds(lists.y, lists.date, ranking, quota), strict=True)
    }
    return {
        "at": at, "model": model, "visits": visits, "n": len(lists.y), "n_events": int(event.sum()),
        "n_villages": recalls.resamples.n_villages, "flagged": int(lists.flagged.sum()),
        "topped_up": int(np.maximum(0, quota - flagged).sum()),
        "cut": int(np.maximum(0, flagged - quota).sum()),
        "both": int((event & model_list & baseline_list).sum()), "baseline_only": only_base,
        "model_only": only_model,
        "neither": int((event & ~model_list & ~baseline_list).sum()),
        "hits_baseline": int((event & baseline_list).sum()),
        "hits_model": int((event & model_list).sum()), **bounds,
        "recall_baseline": recalls.recall((at, _BASELINE)), "recall_model": recalls.recall((at, model)),
        "precision_baseline": ratio_or_nan((event & baseline_list).sum(), visits),
        "precision_model": ratio_or_nan((event & model_list).sum(), visits),
        "delta_recall": primary.delta, "delta_low": primary.low, "delta_high": primary.high,
        "delta_exclusion_error": -primary.delta, "p_bootstrap": primary.p,
        "delta_recall_persons": persons.delta, "delta_recall_persons_low": persons.low,
        "delta_recall_persons_high": persons.high,
        "overlap": ratio_or_nan((model_list & baseline_list).sum(), union),
        "mcnemar_p": mcnemar_exact(only_base, only_model),
        "auc_baseline": areas.auc_first, "auc_model": areas.auc_second,
        "delong_z": areas.z, "delong_p": areas.p,
        **_targeting(lists, baseline_list, _BASELINE), **_targeting(lists, model_list, "model"),
    }  # fmt: skip


def _targeting(lists: PairedLists, listed: NDArray[np.bool_], name: str) -> dict[str, float]:
    """Measures of the poverty literature for one list; all follow from who is on it."""
    by_household, by_person = (
        targeting_measures(lists.y, listed),
        targeting_measures(lists.y, listed, lists.persons),
    )
    out = {f"{m}_{name}": by_household[m] for m in TARGETING}
    out |= {f"{m}_persons_{name}": by_person[m] for m in ("exclusion_error", "inclusion_error", "cgh")}
    out[f"welfare_{name}"] = float("nan")
    if np.isfinite(lists.line):
        # A transfer of a tenth of the line a head, for a family of the average size.
        transfer = 0.1 * lists.line * float(lists.persons.mean())
        out[f"welfare_{name}"] = crra_welfare(lists.income, lists.persons, listed, transfer)
    return out


def _deployed_rows(
    lists: PairedLists, model: str, named: NamedLists, recalls: PairedRecalls
) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    quota = named["deployed", RULE][1]
    events, visits = lists.y.sum(), int(quota.sum())
    for name, key in (("rules+model", model), ("rules+rules", RULE)):
        on_list = list_members(lists.date, named["deployed", key][0], quota)
        change = recalls.difference(("deployed", key), ("deployed", RULE))
        out.append({
            "model": model, "list": name, "visits": visits,
            "hits": float(lists.y[on_list].sum()), "hits_sd": 0.0,
            "recall": recalls.recall(("deployed", key)), "delta_recall": change.delta,
            "delta_low": change.low, "delta_high": change.high,
        })  # fmt: skip
    mean, sd = random_list_hits(lists.y, lists.date, quota, lists.flagged)
    recall = ratio_or_nan(mean, events)
    return [*out, {
        "model": model, "list": "rules+random", "visits": visits, "hits": mean, "hits_sd": sd,
        "recall": recall, "delta_recall": recall - recalls.recall(("deployed", RULE)),
        "delta_low": np.nan, "delta_high": np.nan,
    }]  # fmt: skip


def _verdict(row: Mapping[Any, Any], level: float) -> str:
    """Return which list is better: the declared model by its interval, the others after Holm's correction."""
    low, high = float(row["delta_low"]), float(row["delta_high"])
    if row["declared"]:
        return "model" if low > 0 else "baseline" if high < 0 else "none"
    # Without an interval there is no test either.
    if not (low == low and float(row["p_holm"]) < 1 - level):
        return "none"
    return "model" if row["delta_recall"] > 0 else "baseline"


def _verdict_message(row: Mapping[Any, Any], level: float, event: Mapping[str, str]) -> Message:
    names = {"model": model_names(str(row["model"])), "baseline": model_names(str(row["baseline"]))}
    points = {name: 100 * float(row[f"delta_{name}"]) for name in ("recall", "low", "high")}
    interval = Message("evaluation.verdict.no interval")
    if points["low"] == points["low"]:
        test = "declared" if row["declared"] else "holm"
        interval = Message(
            f"evaluation.verdict.interval {test}", {**points, "level": level, "p": row["p_holm"]}
        )
    conclusion = Message(f"evaluation.verdict.better {row['verdict']}", names)
    counts = ("visits", "n_events", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")
    values = {name: row[name] for name in (*counts, "neither")}
    return Message(
        "evaluation.verdict.sentence",
        {**values, **names, "event": event, "delta": points["recall"], "interval": interval,
         "conclusion": conclusion},
    )  # fmt: skip


def _strata_notes(drawn: Resamples) -> list[Message]:
    """Say that units were drawn within strata, and of strata that hold one unit only."""
    if not drawn.strata:
        return []
    values = {"strata": drawn.strata, "units": drawn.n_villages, "lonely": drawn.lonely}
    keys = ("strata", "lonely") if drawn.lonely else ("strata",)
    return [Message(f"evaluation.notes.{key}", values) for key in keys]


def _notes(pooled: pd.DataFrame, unscored: int) -> list[Message]:
    """Return what was left out of a comparison and what weakens it."""
    first = pooled.iloc[0]
    values = {name: int(first[name]) for name in ("n_null", "n_villages", "flagged", "topped_up", "cut")}
    by_rules = first["baseline"] == RULE
    applies = {
        "no label": values["n_null"],
        "not scored": unscored,
        "few villages": values["n_villages"] < _FEW_VILLAGES,
        "topped up": by_rules and values["topped_up"],
        "cut": by_rules and values["cut"],
    }
    notes = [
        Message(f"evaluation.notes.{key}", {**values, "unscored": unscored})
        for key, true in applies.items()
        if true
    ]
    leaks = pooled.loc[pooled["auc_model"] > LEAKAGE_AUC, ["model", "auc_model"]]
    return notes + [
        Message("evaluation.notes.leak", {"model": model_names(model), "auc": auc, "limit": LEAKAGE_AUC})
        for model, auc in leaks.itertuples(index=False)
    ]
