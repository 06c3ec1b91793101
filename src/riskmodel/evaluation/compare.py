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
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.frame import Predictions, checked
from riskmodel.evaluation.lists import Ranking, chosen, random_find, rank, tie_bounds
from riskmodel.evaluation.paired import delong, holm, mcnemar_exact
from riskmodel.evaluation.sides import RULE, Recalls, Sides, same_rows, sides
from riskmodel.evaluation.targeting import crra_welfare, targeting
from riskmodel.evaluation.verdict import notes, verdict

Codes = NDArray[np.int64]
POOLED = "pooled"
_BASELINE = "baseline"
TARGETING = ("targeting_differential", "targeting_differential_errors", "cgh", "bpac")


@dataclass(frozen=True)
class Comparison:
    """Rules against models.

    Attributes
    ----------
    table : DataFrame
        One row a scope (``pooled`` or a fold), model and ``at`` (``budget``; ``rule_quota``, the number that
        the rules flag at each date). Columns: see `compare`.
    deployed : DataFrame
        One row a scope, model and ``list`` as it would be deployed.
    notes : list of dict with keys "zh", "en"
        What was left out and what to beware of.
    """

    table: pd.DataFrame
    deployed: pd.DataFrame
    notes: list[dict[str, str]]

    @property
    def primary(self) -> pd.DataFrame:
        """The pooled rows at the budget: the one test, a row a model."""
        rows = self.table[(self.table["scope"] == POOLED) & (self.table["at"] == "budget")]
        return rows.reset_index(drop=True)


def compare(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    baseline: str = RULE,
    primary: str | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    event: tuple[str, str] = ("其后真实返贫的户次", "household-dates followed by a true return"),
) -> Comparison:
    """Compare every model with the rules at the same number of visits.

    The rules' list: flagged households first, then by their own ranking (``rule_rank``, the distance to the
    line), then household id. If they flag fewer than the budget the list is topped up by that ranking; if
    they flag more it is cut by it. Rows that some model did not score are left out and counted.

    Parameters
    ----------
    predictions : DataFrame
        As for `pooled`, with ``persons, flagged, rule_rank`` (1 = first at its as-of date; may be null).
    budget : Budget or mapping
        Visits at each as-of date.
    baseline : str, default "rule"
        ``"rule"``, or a model's name to compare the others with (past income, say); its list is then
        ordered by its score.
    primary : str, optional
        The one model that was declared beforehand to be tested: its interval decides as it stands. The others
        (all, where none is named) are decided by Holm's correction among themselves.
    replicates, seed, level
        Village resamples and level of the intervals.
    event : tuple of str
        What a found event is called in the sentences, in Chinese and English.

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
        ``verdict`` {model, baseline, none} with ``verdict_zh, verdict_en``.
        ``deployed``: ``scope, model, list`` {rules+model, rules+rules, rules+random}, ``visits, hits,
        hits_sd`` (random only), ``recall, delta_recall, delta_low, delta_high`` (against rules+rules).

    Raises
    ------
    InputRefused
        If a column is absent, the baseline is unknown, models disagree on a row's label or flag, or no row
        was scored by all.
    """
    given = checked(predictions, ("persons", "flagged", "rule_rank"))
    models = _compared(given, baseline)
    if primary is not None and primary not in models:
        raise InputRefused(f"primary {primary!r} is not compared; compared are: {', '.join(models)}")
    wide, unscored = same_rows(given)
    limit, tables, lists = Budget.of(budget), [], []
    for scope in [POOLED, *sorted(set(wide["fold"]))]:
        part = wide if scope == POOLED else wide[wide["fold"] == scope]
        table, deployed = _scope(sides(part, given.models, baseline), models, limit, replicates, seed, level)
        null = given.n_null(given.models[0], None if scope == POOLED else scope)
        tables.append(table.assign(scope=scope, baseline=baseline, n_null=null))
        lists.append(deployed.assign(scope=scope))
    table = pd.concat(tables, ignore_index=True)
    table["declared"] = table["model"] == primary
    table["p_holm"] = table.groupby(["scope", "at", "declared"], sort=False)["p_bootstrap"].transform(holm)
    said = [verdict(row, level, event) for row in table.to_dict("records")]
    table = _leading(table.join(pd.DataFrame(said, index=table.index)), ["scope", "at", "baseline", "model"])
    deployed = _leading(pd.concat(lists, ignore_index=True), ["scope", "model", "list"])
    return Comparison(table, deployed, notes(table, unscored))


def _compared(given: Predictions, baseline: str) -> list[str]:
    if baseline != RULE and baseline not in given.models:
        known = dict.fromkeys((RULE, *given.models))
        raise InputRefused(f"no baseline {baseline!r} in the predictions; known: {', '.join(known)}")
    others = [model for model in given.models if model not in (baseline, RULE)]
    if not others:
        raise InputRefused(
            "the predictions hold the baseline only; give at least one model to compare it with"
        )
    return others


def _leading(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    return table[names + [name for name in table.columns if name not in names]]


def _scope(
    side: Sides, models: list[str], budget: Budget, replicates: int, seed: int, level: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    limits = {
        "budget": quotas(side.date, budget),
        "rule_quota": np.bincount(side.date, weights=side.flagged).astype(np.int64),
    }
    orders = {_BASELINE: side.baseline} | {m: rank(side.date, -side.scores[m]) for m in models}
    deployed = {RULE: side.rules} | {m: rank(side.date, ~side.flagged, -side.scores[m]) for m in models}
    lists = {(at, name): (order, quota) for at, quota in limits.items() for name, order in orders.items()}
    lists |= {("deployed", name): (order, limits["budget"]) for name, order in deployed.items()}
    recalls = Recalls(side, lists, replicates, seed, level)
    rows = [_row(side, at, model, lists, recalls) for at in limits for model in models]
    found = [row for model in models for row in _deployed(side, model, lists, recalls)]
    return pd.DataFrame(rows), pd.DataFrame(found)


def _row(
    side: Sides, at: str, model: str, lists: dict[tuple[str, str], tuple[Ranking, Codes]], recalls: Recalls
) -> dict[str, Any]:
    (base, quota), (order, _) = lists[at, _BASELINE], lists[at, model]
    ours, theirs, event = chosen(side.date, order, quota), chosen(side.date, base, quota), side.y == 1
    visits, union = int(quota.sum()), int((ours | theirs).sum())
    flagged = np.bincount(side.date, weights=side.flagged)
    primary = recalls.difference((at, model), (at, _BASELINE))
    persons = recalls.difference((at, model), (at, _BASELINE), persons=True)
    only_base, only_model = int((event & theirs & ~ours).sum()), int((event & ours & ~theirs).sum())
    areas = delong(side.y, side.baseline_score, side.scores[model])
    bounds = {
        f"hits_{name}_{end}": value
        for name, ranking in ((_BASELINE, base), ("model", order))
        for end, value in zip(("worst", "best"), tie_bounds(side.y, side.date, ranking, quota), strict=True)
    }
    return {
        "at": at, "model": model, "visits": visits, "n": len(side.y), "n_events": int(event.sum()),
        "n_villages": recalls.resamples.n_villages, "flagged": int(side.flagged.sum()),
        "topped_up": int(np.maximum(0, quota - flagged).sum()),
        "cut": int(np.maximum(0, flagged - quota).sum()),
        "both": int((event & ours & theirs).sum()), "baseline_only": only_base, "model_only": only_model,
        "neither": int((event & ~ours & ~theirs).sum()),
        "hits_baseline": int((event & theirs).sum()), "hits_model": int((event & ours).sum()), **bounds,
        "recall_baseline": recalls.recall((at, _BASELINE)), "recall_model": recalls.recall((at, model)),
        "precision_baseline": _share((event & theirs).sum(), visits),
        "precision_model": _share((event & ours).sum(), visits),
        "delta_recall": primary.delta, "delta_low": primary.low, "delta_high": primary.high,
        "delta_exclusion_error": -primary.delta, "p_bootstrap": primary.p,
        "delta_recall_persons": persons.delta, "delta_recall_persons_low": persons.low,
        "delta_recall_persons_high": persons.high,
        "overlap": _share((ours & theirs).sum(), union), "mcnemar_p": mcnemar_exact(only_base, only_model),
        "auc_baseline": areas.auc_first, "auc_model": areas.auc_second,
        "delong_z": areas.z, "delong_p": areas.p,
        **_targeting(side, theirs, _BASELINE), **_targeting(side, ours, "model"),
    }  # fmt: skip


def _targeting(side: Sides, listed: NDArray[np.bool_], name: str) -> dict[str, float]:
    """Measures of the poverty literature for one list; all follow from who is on it."""
    by_household, by_person = targeting(side.y, listed), targeting(side.y, listed, side.persons)
    out = {f"{m}_{name}": by_household[m] for m in TARGETING}
    out |= {f"{m}_persons_{name}": by_person[m] for m in ("exclusion_error", "inclusion_error", "cgh")}
    out[f"welfare_{name}"] = float("nan")
    if np.isfinite(side.line):
        # A transfer of a tenth of the line a head, for a family of the average size.
        transfer = 0.1 * side.line * float(side.persons.mean())
        out[f"welfare_{name}"] = crra_welfare(side.income, side.persons, listed, transfer)
    return out


def _deployed(
    side: Sides, model: str, lists: dict[tuple[str, str], tuple[Ranking, Codes]], recalls: Recalls
) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    quota = lists["deployed", RULE][1]
    events, visits = side.y.sum(), int(quota.sum())
    for name, key in (("rules+model", model), ("rules+rules", RULE)):
        on_list = chosen(side.date, lists["deployed", key][0], quota)
        change = recalls.difference(("deployed", key), ("deployed", RULE))
        out.append({
            "model": model, "list": name, "visits": visits,
            "hits": float(side.y[on_list].sum()), "hits_sd": 0.0,
            "recall": recalls.recall(("deployed", key)), "delta_recall": change.delta,
            "delta_low": change.low, "delta_high": change.high,
        })  # fmt: skip
    mean, sd = random_find(side.y, side.date, quota, side.flagged)
    recall = _share(mean, events)
    return [*out, {
        "model": model, "list": "rules+random", "visits": visits, "hits": mean, "hits_sd": sd,
        "recall": recall, "delta_recall": recall - recalls.recall(("deployed", RULE)),
        "delta_low": np.nan, "delta_high": np.nan,
    }]  # fmt: skip


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else float("nan")
