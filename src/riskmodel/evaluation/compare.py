"""Rules against models at the same number of visits on the same households, as a proper test.

Primary: the difference in recall (minus the difference in exclusion error) of the two pure orderings at the
declared visits, pooled over the test dates, with a paired interval. At one budget every other list measure
follows from it. Only these rows are tested: folds, other numbers of visits and lists as deployed have
intervals, and no p value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.cluster_tests import FEW_CLUSTERS, LEAST_CLUSTERS
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
    ClusterHits,
    PairedLists,
    PairedRecalls,
    common_rows,
    delong,
    few_clusters,
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
from riskmodel.i18n import Message, section
from riskmodel.models import model_names

POOLED = "pooled"
_BASELINE = "baseline"
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac")
# Nothing but the one test and its family has these.
_P_VALUES = ("p_bootstrap", "p_error", "mcnemar_p", "delong_z", "delong_p")
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
    other_tests: Sequence[float] = (),
    replicates: int = 2000,
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
        The one model that was declared beforehand to be tested: its interval and p value decide as they
        stand. The others (all, where none is named) are one family, decided after Holm's correction.
    other_tests
        P values of models that other runs compared on the same test set: they belong to the family.
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
        ``delta_exclusion_error`` (its negative), ``low_error, high_error`` (Monte-Carlo, of the ends);
        ``method`` {bootstrap, sign_flip, too_few} by how many clusters there are; ``tested`` (pooled and at
        the budget; elsewhere no p value is given), ``p_bootstrap`` with ``p_error`` (Monte-Carlo), ``p_holm``
        (among the models that were not declared; the declared one's stays as it is) over ``holm_tests``
        tests, ``declared`` (the one row that was declared); ``delta_recall_persons`` with ``_low, _high``;
        ``overlap`` (Jaccard); derived, for both lists (``_baseline, _model``): ``targeting_differential``,
        ``targeting_differential_errors, cgh, bpac``, person-weighted ``exclusion_error_persons,
        inclusion_error_persons, cgh_persons``, and ``welfare`` where incomes of the outcome's year are known
        (see `targeting` and `crra_welfare`); description only: ``mcnemar_p, auc_baseline, auc_model,
        delong_z, delong_p``;
        ``verdict`` {model, baseline, none}, "" where nothing was tested; an interval that cannot be computed
        shows no difference.
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
    table = _decide(table, primary, other_tests, level)
    table = _columns_first(table, ["scope", "at", "baseline", "model"])
    deployed = _columns_first(pd.concat(deployed_tables, ignore_index=True), ["scope", "model", "list"])
    drawn = village_resamples(resampled_units(wide), 0, seed)
    notes = [*_notes(_pooled_rows(table), unscored), *_strata_notes(drawn)]
    return Comparison(table, deployed, notes, level)


def _decide(
    table: pd.DataFrame, primary: str | None, other_tests: Sequence[float], level: float
) -> pd.DataFrame:
    """Mark what is tested, correct the family, and say which list is better."""
    tested = (table["scope"] == POOLED) & (table["at"] == "budget")
    table = table.assign(tested=tested, declared=tested & (table["model"] == primary))
    table.loc[~tested, list(_P_VALUES)] = np.nan
    family = tested & ~table["declared"]
    everyone = np.r_[table.loc[family, "p_bootstrap"], np.asarray(other_tests, dtype=float)]
    table["p_holm"] = table["p_bootstrap"]
    table.loc[family, "p_holm"] = holm(everyone)[: int(family.sum())]
    table["holm_tests"] = np.where(family, np.count_nonzero(~np.isnan(everyone)), np.where(tested, 1, 0))
    table["verdict"] = [_verdict(row, level) if row["tested"] else "" for row in table.to_dict("records")]
    return table


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
    few = None
    if few_clusters(resamples):
        members = {name: list_members(lists.date, order, quota) for name, (order, quota) in named.items()}
        few = ClusterHits.of(lists.y, lists.persons, members, resamples.units(), seed)
    recalls = PairedRecalls(kernels, resamples, level, few)
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
        "low_error": primary.low_error, "high_error": primary.high_error, "method": primary.method,
        "delta_exclusion_error": -primary.delta, "p_bootstrap": primary.p, "p_error": primary.p_error,
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
    """Return which list is better: by p, and by the interval for the declared model."""
    low, high = float(row["delta_low"]), float(row["delta_high"])
    # Without an interval there is no test either.
    if not (low == low and float(row["p_holm"]) < 1 - level):
        return "none"
    if row["declared"]:
        return "model" if low > 0 else "baseline" if high < 0 else "none"
    return "model" if row["delta_recall"] > 0 else "baseline"


def _verdict_message(row: Mapping[Any, Any], level: float, event: Mapping[str, str]) -> Message:
    names = {"model": model_names(str(row["model"])), "baseline": baseline_words(row)}
    points = {
        name: 100 * float(row[name if name.endswith("error") else f"delta_{name}"])
        for name in ("recall", "low", "high", "low_error", "high_error")
    }
    interval = Message("evaluation.verdict.no interval")
    if points["low"] == points["low"]:
        test = "described" if not row["tested"] else "declared" if row["declared"] else "holm"
        values = {name: row[name] for name in ("p_error", "holm_tests")} | {"p": row["p_holm"]}
        error = max(points["low_error"], points["high_error"])
        method = Message(f"evaluation.verdict.method {row['method']}")
        interval = Message(
            f"evaluation.verdict.interval {test}",
            {**points, **values, "level": level, "error": error, "method": method},
        )
    conclusion = Message(f"evaluation.verdict.better {row['verdict'] or 'described'}", names)
    counts = ("visits", "n_events", "hits_baseline", "hits_model", "both", "baseline_only", "model_only")
    values = {name: row[name] for name in (*counts, "neither")}
    return Message(
        "evaluation.verdict.sentence",
        {**values, **names, "event": event, "delta": points["recall"], "interval": interval,
         "conclusion": conclusion},
    )  # fmt: skip


def by_distance(row: Mapping[Any, Any]) -> bool:
    """Say whether under half of the official list is flagged: distance to the line makes the rest."""
    return bool(row["baseline"] == RULE and 2 * int(row["topped_up"]) > int(row["visits"]))


def baseline_words(row: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return what the list compared with is: the rules', or distance to the line where they flag too few.

    Parameters
    ----------
    row
        Of a comparison: ``baseline, visits, topped_up``.

    Returns
    -------
    mapping of language to text
        The rules' list is named after them where at least half of its visits are flagged.
    """
    if by_distance(row):
        return section("evaluation.verdict.distance")
    return model_names(str(row["baseline"]))


def _strata_notes(drawn: Resamples) -> list[Message]:
    """Say that units were drawn within strata, and of strata that hold one unit only."""
    if not drawn.strata:
        return []
    values = {"strata": drawn.strata, "units": drawn.n_villages, "lonely": drawn.lonely}
    keys = ("strata", "lonely") if drawn.lonely else ("strata",)
    return [Message(f"evaluation.notes.{key}", values) for key in keys]


def _notes(pooled: pd.DataFrame, unscored: int) -> list[Message]:
    """Return what was left out of a comparison and what weakens it."""
    first = pooled.iloc[0].to_dict()
    values = {name: int(first[name]) for name in ("n_null", "n_villages", "flagged", "topped_up", "cut")}
    by_rules = first["baseline"] == RULE
    limits = {"few": FEW_CLUSTERS, "least": LEAST_CLUSTERS}
    applies = {
        "no label": values["n_null"],
        "not scored": unscored,
        "too few villages": first["method"] == "too_few",
        "few villages": first["method"] == "sign_flip",
        "topped up": by_rules and values["topped_up"],
        "distance": by_distance(first),
        "cut": by_rules and values["cut"],
    }
    notes = [
        Message(f"evaluation.notes.{key}", {**values, **limits, "unscored": unscored})
        for key, true in applies.items()
        if true
    ]
    leaks = pooled.loc[pooled["auc_model"] > LEAKAGE_AUC, ["model", "auc_model"]]
    return notes + [
        Message("evaluation.notes.leak", {"model": model_names(model), "auc": auc, "limit": LEAKAGE_AUC})
        for model, auc in leaks.itertuples(index=False)
    ]
