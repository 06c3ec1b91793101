"""Models over time: what choosing among them by the past would have found, and how steady their lists are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from riskmodel.evaluation.list_errors import describe_errors
from riskmodel.evaluation.lists import (
    Budget,
    Codes,
    Ranking,
    list_at_budget,
    list_members,
    quotas,
    rank_rows,
    ratio_or_nan,
)
from riskmodel.evaluation.metrics import Array
from riskmodel.evaluation.paired_lists import RULE, PairedLists, common_rows, pair_lists
from riskmodel.evaluation.predictions import check_predictions, sorted_codes
from riskmodel.evaluation.selective_labels import support_bounds
from riskmodel.households import window_end

# How an office could choose a model at a date, from what it had seen; those that end in ``known`` look only
# at dates whose outcomes were over by then.
SELECTION_RULES = ("declared", "simple", "last", "mean", "last_known", "mean_known")
# The lists grow and shrink by these multiples of the visits.
VISIT_FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
_NEEDED = ("persons", "flagged", "rule_rank")


@dataclass(frozen=True)
class ModelChoice:
    """What a run's predictions say of choosing among its models.

    Attributes
    ----------
    declared
        The model that was declared beforehand.
    simple
        The simple order of the highest recall over all test dates, the rules apart; None where there is none.
    selection, selection_means
        `selection_regret` and its means.
    stability
        `list_stability` of the declared model and the rules.
    errors
        `describe_errors` of the declared model's list.
    visits_curve
        `recall_by_visits` of the rules, the best simple order and the declared model.
    support
        `support_bounds` of the declared list and the rules'; empty where support is not
        on record.
    """

    declared: str
    simple: str | None
    selection: pd.DataFrame
    selection_means: pd.DataFrame
    stability: pd.DataFrame
    errors: pd.DataFrame
    visits_curve: pd.DataFrame
    support: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by the names of their files; those with a row."""
        names = ("selection", "selection_means", "stability", "errors", "visits_curve")
        tables = {name: getattr(self, name) for name in names} | {"support_lists": self.support}
        return {name: table for name, table in tables.items() if len(table)}


def choose_models(
    predictions: pd.DataFrame, budget: Budget, declared: str, horizon_months: int, simple: Sequence[str]
) -> ModelChoice | None:
    """Judge the choice among models whose predictions are at hand.

    Parameters
    ----------
    predictions
        Tidy predictions.
    budget
        Visits at each as-of date.
    declared
        The model that was declared beforehand.
    horizon_months
        Of the label.
    simple
        Models that are simple orders.

    Returns
    -------
    ModelChoice
        None where nothing can be compared: no label, no rules, or not the declared model.
    """
    names = tuple(dict.fromkeys(predictions["model"]))
    if not {RULE, declared} <= set(names) or predictions["y"].isna().all():
        return None
    selection = selection_regret(
        predictions, budget, declared=declared, simple=simple, horizon_months=horizon_months
    )
    compared = [name for name in dict.fromkeys([declared, *simple]) if name != RULE]
    curve = recall_by_visits(predictions, budget, compared)
    best = _best_simple(curve, simple)
    curve = curve[curve["model"].isin([RULE, declared, best])].reset_index(drop=True)
    return ModelChoice(
        declared, best, selection, mean_regret(selection),
        list_stability(predictions, budget, tuple(dict.fromkeys([declared, RULE]))),
        describe_errors(predictions, budget, declared), curve,
        _support(predictions, budget, dict.fromkeys([RULE, declared])),
    )  # fmt: skip


def _best_simple(curve: pd.DataFrame, simple: Sequence[str]) -> str | None:
    rows = curve[(curve["factor"] == 1.0) & curve["model"].isin(simple) & (curve["model"] != RULE)]
    return None if rows.empty else str(rows.set_index("model")["recall"].idxmax())


def _support(predictions: pd.DataFrame, budget: Budget, names: Mapping[str, Any]) -> pd.DataFrame:
    """Return bounds of each list by the support given within the window; empty where it is not on record."""
    if "supported_after" not in predictions or not predictions["supported_after"].eq(True).any():
        return pd.DataFrame({"model": []})
    rows = []
    for model in names:
        part = predictions[(predictions["model"] == model) & predictions["y"].notna()]
        listed = list_at_budget(sorted_codes(part["as_of"]), part["score"].to_numpy(dtype=float), budget)
        supported = part["supported_after"].astype(float).fillna(0.0)
        rows.append({"model": model, **support_bounds(part["y"].astype(float), supported, listed)})
    return pd.DataFrame(rows)


def selection_regret(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    declared: str,
    simple: Sequence[str],
    horizon_months: int,
) -> pd.DataFrame:
    """Say what each way to choose a model would have found at each later test date, and what it gave away.

    Parameters
    ----------
    predictions
        As for `compare`, the rules among the models.
    budget
        Visits at each as-of date.
    declared
        The model that was declared beforehand.
    simple
        Models that are simple orders.
    horizon_months
        Of the label: an outcome is known when its window has ended.

    Returns
    -------
    DataFrame
        One row a rule and date at which it can choose: ``rule, as_of, chosen, recall, best`` (model of the
        highest recall at that date, in hindsight), ``recall_best, regret`` (recall_best − recall),
        ``recall_declared, outcomes_known, events``. ``declared`` never changes; ``simple`` is the simple
        order of the highest mean recall at the dates before, ``last`` the best model at the date before,
        ``mean`` of the highest mean at all dates before; ``last_known`` and ``mean_known`` look only at dates
        whose windows had ended; ``outcomes_known``: whether all the dates that it looked at had. Among equals
        the declared model, then the first of the predictions.
    """
    recall, events = _recall_by_date(predictions, Budget.of(budget))
    # Equals go to the first column: the declared model.
    recall = recall[[declared, *(m for m in recall.columns if m != declared)]]
    orders = [m for m in recall.columns if m in set(simple)]
    ends = pd.Series([window_end(day.date(), horizon_months) for day in recall.index], index=recall.index)
    rows = []
    for day in recall.index:
        before = recall[recall.index < day]
        known = before[[end <= day.date() for end in ends[before.index]]]
        choices = {
            "declared": declared,
            "simple": _best(before[orders].mean()),
            "last": _best(before.tail(1).mean()),
            "mean": _best(before.mean()),
            "last_known": _best(known.tail(1).mean()),
            "mean_known": _best(known.mean()),
        }
        best = str(recall.loc[day].idxmax())
        if before.empty:
            continue  # nothing to choose by: no rule is judged here, so that all have the same dates
        all_known = len(known) == len(before)
        seen = {"last": before.index[-1] in known.index, "simple": all_known, "mean": all_known}
        rows += [
            {
                "rule": rule, "as_of": day, "chosen": chosen, "recall": recall.loc[day, chosen], "best": best,
                "recall_best": recall.loc[day, best],
                "regret": recall.loc[day, best] - recall.loc[day, chosen],
                "recall_declared": recall.loc[day, declared],
                "outcomes_known": seen.get(rule, True), "events": int(events[day]),
            }
            for rule, chosen in choices.items()
            if chosen is not None
        ]  # fmt: skip
    columns = [
        "rule", "as_of", "chosen", "recall", "best", "recall_best", "regret", "recall_declared",
        "outcomes_known", "events",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def mean_regret(selection: pd.DataFrame) -> pd.DataFrame:
    """Average the ways to choose over the dates at which they could.

    Parameters
    ----------
    selection
        Of `selection_regret`.

    Returns
    -------
    DataFrame
        ``rule, dates, recall, recall_best, regret, recall_declared`` (of the declared model at the same
        dates), ``models`` (how many different ones were chosen).
    """
    rows = [
        {
            "rule": rule, "dates": len(part),
            **{c: part[c].mean() for c in ("recall", "recall_best", "regret", "recall_declared")},
            "models": part["chosen"].nunique(),
        }
        for rule, part in selection.groupby("rule", sort=False)
    ]  # fmt: skip
    columns = ["rule", "dates", "recall", "recall_best", "regret", "recall_declared", "models"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(
        "rule", key=lambda names: names.map(SELECTION_RULES.index), ignore_index=True, kind="stable"
    )


def _best(recall: pd.Series) -> str | None:
    """Return whose recall is highest, the first among equals; None where nothing is known."""
    known = recall.dropna()
    return None if known.empty else str(known.idxmax())


def _recall_by_date(predictions: pd.DataFrame, budget: Budget) -> tuple[pd.DataFrame, pd.Series]:
    """Return recall by test date and model, and events by date; dates without an event are left out."""
    days, _, lists, models = _paired(predictions)
    quota = quotas(lists.date, budget)
    events = pd.Series(np.bincount(lists.date, weights=lists.y), index=days)
    hits = {
        model: np.bincount(
            lists.date, weights=lists.y * list_members(lists.date, _ranking(lists, model), quota)
        )
        for model in models
    }
    told = events > 0
    recall = pd.DataFrame(hits, index=days)[told]
    return recall.div(events[told], axis=0), events[told]


class _Scored(NamedTuple):
    """The rows that all models scored: their test dates, household ids, orders, and the models."""

    days: pd.DatetimeIndex
    ids: pd.Index
    lists: PairedLists
    models: tuple[str, ...]


def _paired(predictions: pd.DataFrame) -> _Scored:
    checked = check_predictions(predictions.assign(as_of=pd.to_datetime(predictions["as_of"])), _NEEDED)
    wide = common_rows(checked)[0]
    days = pd.DatetimeIndex(sorted(wide["as_of"].unique()))
    return _Scored(
        days, pd.Index(wide["household_id"]), pair_lists(wide, checked.models, RULE), checked.models
    )


def _ranking(lists: PairedLists, model: str) -> Ranking:
    return lists.rules if model == RULE else rank_rows(lists.date, -lists.scores[model])


def list_stability(
    predictions: pd.DataFrame, budget: Budget | Mapping[str, Any], models: Sequence[str]
) -> pd.DataFrame:
    """Measure how much of each model's list stays from one test date to the next.

    Parameters
    ----------
    predictions
        As for `compare`; lists are drawn of everybody scored, with a label or without.
    budget
        Visits at each as-of date.
    models
        Whose lists.

    Returns
    -------
    DataFrame
        One row a model and pair of neighbouring dates: ``model, from_date, to_date, in_both`` (households in
        both cohorts), ``listed_from, listed_to`` (of these), ``both, jaccard`` (both / either), ``kept``
        (both / listed_from). Who left the cohort, as one who fell does, is not counted against a list.
    """
    days, ids, lists, _ = _paired(predictions.assign(y=0.0))
    quota, rows = quotas(lists.date, Budget.of(budget)), []
    for model in models:
        on = list_members(lists.date, _ranking(lists, model), quota)
        for k in range(len(days) - 1):
            first, second = lists.date == k, lists.date == k + 1
            cohort = ids[first].intersection(ids[second])
            before, after = (ids[part & on].intersection(cohort) for part in (first, second))
            both = len(before.intersection(after))
            rows.append({
                "model": model, "from_date": days[k], "to_date": days[k + 1], "in_both": len(cohort),
                "listed_from": len(before), "listed_to": len(after), "both": both,
                "jaccard": ratio_or_nan(both, len(before.union(after))),
                "kept": ratio_or_nan(both, len(before)),
            })  # fmt: skip
    columns = [
        "model",
        "from_date",
        "to_date",
        "in_both",
        "listed_from",
        "listed_to",
        "both",
        "jaccard",
        "kept",
    ]
    return pd.DataFrame(rows, columns=columns)


def recall_by_visits(
    predictions: pd.DataFrame, budget: Budget | Mapping[str, Any], models: Sequence[str]
) -> pd.DataFrame:
    """Draw recall against the number of visits: what better prediction is worth beside more visits.

    Parameters
    ----------
    predictions
        As for `compare`, the rules among the models.
    budget
        Visits at each as-of date; every list grows by the same factor at every date.
    models
        Whose lists, beside the rules'.

    Returns
    -------
    DataFrame
        One row a model and factor: ``model, factor, visits, recall, recall_rules, visits_rules`` (in the
        rules' order, until as many are found), ``more_visits`` (visits_rules − visits).
    """
    lists = _paired(predictions).lists
    quota, households = quotas(lists.date, Budget.of(budget)), np.bincount(lists.date)
    depth_of_rules = _event_depths(lists, lists.rules, quota)
    events, rows = float(lists.y.sum()), []

    def count_hits(model: str, visits: Codes) -> int:
        return int(lists.y[list_members(lists.date, _ranking(lists, model), visits)].sum())

    for model in (RULE, *(m for m in models if m != RULE)):
        for factor in VISIT_FACTORS:
            visits = np.clip(np.rint(quota * factor), 1, households).astype(np.int64)
            hits = count_hits(model, visits)
            total = int(visits.sum())
            same = _visits_at(depth_of_rules, hits, quota, households)
            rows.append({
                "model": model, "factor": factor, "visits": total, "recall": ratio_or_nan(hits, events),
                "recall_rules": ratio_or_nan(count_hits(RULE, visits), events),
                "visits_rules": total if model == RULE else same,
                "more_visits": 0 if model == RULE else same - total,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _event_depths(lists: PairedLists, ranking: Ranking, quota: Codes) -> Array:
    """Return for each event, from the first found, by which factor the visits must grow to reach it."""
    date = lists.date[ranking.order]
    place = np.arange(len(date)) - np.searchsorted(date, date) + 1
    return np.sort((place / quota[date])[lists.y[ranking.order] == 1])


def _visits_at(depths: Array, hits: int, quota: Codes, households: Codes) -> int:
    """Return how many visits reach so many events, every date's list grown by one factor."""
    if hits == 0:
        return 0
    return int(np.minimum(np.floor(quota * depths[hits - 1] + 1e-9), households).sum())
