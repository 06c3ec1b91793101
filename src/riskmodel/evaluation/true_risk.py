r"""How much of the attainable a model or rule reaches, where the true chances are known (a simulated county).

The truth is a share of simulated futures, so it errs: as an ordering it is a little too bad, and measured by
its own shares a little too good. Futures are therefore split at random: one part orders, the other weighs,

.. math:: A(s) = \frac{\sum_{i \ne j} p_i (1 - p_j) [s_i > s_j]}{\sum_{i \ne j} p_i (1 - p_j)}

and the oracle's figure is extrapolated from smaller and smaller ordering parts to infinitely many futures
(the loss falls as a parabola in one over their number). For a model's score, which never saw the futures,
the same sum is unbiased as it stands, and has none of the noise of outcomes.

The oracle knows what no record shows. Where a learner that was shown true chances of other counties tells
its own (`riskmodel.simulate.lower_bound`), it stands before the oracle as one more row: what records can tell
lies between the two.

References
----------
Cook and Stefanski 1994 (simulation and extrapolation, SIMEX).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.lists import Budget, list_at_budget, list_members, quotas, rank_rows
from riskmodel.evaluation.predictions import KEY, Array, check_predictions, float_column, sorted_codes
from riskmodel.evaluation.score_metrics import auc
from riskmodel.i18n import Message

ORACLE = "oracle"
ATTAINABLE = "attainable"  # by a learner that was shown true chances: what records can tell, at least
BINS = 10
# Ordering parts of the futures; their figures are extrapolated by a parabola in one over the part's size.
PARTS = (2, 3, 4, 6, 8)
SPLITS = 20
_UNSUPPORTED = "probability_unsupported"
_LEARNED = ["learned_chance", "learned_households", "learned_columns"]


@dataclass(frozen=True)
class TrueRiskReport:
    """Models and rules beside the truth.

    Attributes
    ----------
    table
        A row a model, the oracle last, before it ``attainable`` where it is known: ``model, n, n_events,
        auc`` (of outcomes), ``auc_true`` (of true chances), ``oracle_auc, auc_share`` (of the oracle's),
        ``auc_gain_share`` (both less one half), ``recall, recall_true, oracle_recall, recall_share`` at the
        budget, ``slope_true, intercept_true`` (of the truth on the probability; 1 and 0 are perfect),
        ``error_true`` (root mean square distance from the truth, its own error taken out), ``auc_unsupported,
        recall_unsupported`` (against the chances were support to end; null where these are not known),
        ``bins, bins_covered`` (score bins whose mean truth lies within the mean interval; null without
        intervals). With ``attainable`` also ``learned_households, learned_columns`` (what it learned from;
        null in the other rows).
    bins
        A row a model and score bin: ``model, bin, n, predicted, low, high, true, observed, covered``.
    effect : dict
        ``n, supported, unsupported``: mean true chance with support as it is, and were it to end.
    """

    table: pd.DataFrame
    bins: pd.DataFrame
    effect: dict[str, float]


def count_futures(probability: Array, mc_error: Array) -> NDArray[np.int64]:
    """Return how many futures a chance was counted from, given its Monte-Carlo error.

    Examples
    --------
    >>> p = (30 + 0.5) / 1001
    >>> count_futures(np.array([0.03]), np.array([(p * (1 - p) / 1000) ** 0.5])).tolist()
    [1000]
    """
    n = np.maximum(probability * (1 - probability) / mc_error**2, 1.0)
    n = np.where(n <= 1, 0.5**0.5 / mc_error, n)
    for _ in range(60):
        smooth = (probability * n + 0.5) / (n + 1)
        # The geometric mean with the step before: at shares of 0 and 1 the bare step would swing for ever.
        n = np.sqrt(n * smooth * (1 - smooth) / mc_error**2)
    return np.maximum(np.rint(n), 1).astype(np.int64)


def true_auc(chance: Array, score: Array) -> float:
    """Return the AUC that a score is expected to reach when events come with given chances.

    Examples
    --------
    >>> round(true_auc(np.array([1.0, 0.0, 0.5]), np.array([3.0, 1.0, 2.0])), 3)
    1.0
    """
    order = np.argsort(score, kind="stable")
    p, s = chance[order], score[order]
    starts = np.flatnonzero(np.append(True, s[1:] != s[:-1]))
    events, others = np.add.reduceat(p, starts), np.add.reduceat(1 - p, starts)
    below = np.cumsum(others) - others
    pairs = p.sum() * (1 - p).sum() - (p * (1 - p)).sum()
    # A tie counts one half, and nobody is paired with himself.
    ties = events * others - np.add.reduceat(p * (1 - p), starts)
    return float((events @ below + ties.sum() / 2) / pairs) if pairs > 0 else float("nan")


def true_recall(chance: Array, listed: NDArray[np.bool_]) -> float:
    """Return the share of the expected events that a list holds."""
    total = chance.sum()
    return float(chance[listed].sum() / total) if total > 0 else float("nan")


def oracle_figures(
    chance: Array, futures: NDArray[np.int64], date: NDArray[np.int64], budget: Budget, seed: int = 0
) -> tuple[float, float]:
    """Return the AUC and the recall at the budget of whoever knows every true chance."""
    rng = np.random.default_rng(seed)
    hits = np.rint(chance * futures).astype(np.int64)
    quota = quotas(date, budget)
    figures = np.empty((len(PARTS), 2))
    for at, part in enumerate(PARTS):
        first = np.maximum(futures // part, 1)
        rest = np.maximum(futures - first, 1)
        runs = []
        for _ in range(SPLITS):
            ordering = rng.hypergeometric(hits, futures - hits, first)
            score, weight = ordering / first, np.clip((hits - ordering) / rest, 0, 1)
            # Equal shares are resolved by chance: the order of the ids must not help.
            mixed = score + rng.random(score.size) * 1e-9
            runs.append(
                (
                    true_auc(weight, score),
                    true_recall(weight, list_members(date, rank_rows(date, -mixed), quota)),
                )
            )
        figures[at] = np.mean(runs, axis=0)
    size = np.array([1 / np.mean(np.maximum(futures // part, 1)) for part in PARTS])
    design = np.column_stack([np.ones(len(PARTS)), size, size**2])
    best = np.linalg.lstsq(design, figures, rcond=None)[0][0]
    return float(min(best[0], 1.0)), float(min(best[1], 1.0))


def compare_with_true_risk(
    predictions: pd.DataFrame, truth: pd.DataFrame, budget: Budget | Mapping[str, Any], *, seed: int = 0
) -> TrueRiskReport:
    """Measure every model against the true chances.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`; ``probability_low, probability_high`` where a model has intervals.
    truth
        ``household_id, as_of, probability, mc_error`` of one event and horizon, and
        ``probability_unsupported`` where it is known; ``learned_chance, learned_households,
        learned_columns`` where a lower bound was made (see `riskmodel.runs.read_truth`).
    budget
        Visits at each as-of date.
    seed
        Of the splits of futures.

    Returns
    -------
    TrueRiskReport
        Models beside the truth.

    Raises
    ------
    InputRefused
        If no labelled prediction has a true chance.
    """
    known = truth.rename(columns={"probability": "true"})
    known = known.assign(as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str))
    rows = predictions.merge(known.drop_duplicates(KEY), on=KEY, how="inner", suffixes=("", "_truth"))
    if rows.empty:
        raise InputRefused("no prediction has a true chance: the truth is of other dates or households")
    checked, limit = check_predictions(rows), Budget.of(budget)
    parts = {model: checked.frame[checked.frame["model"] == model] for model in checked.models}
    first = next(iter(parts.values()))
    chance = float_column(first, "true")
    size = count_futures(chance, float_column(first, "mc_error"))
    best = oracle_figures(chance, size, sorted_codes(first["as_of"]), limit, seed)
    bins = [_bins(model, part) for model, part in parts.items()]
    table = [_row(m, p, limit, best, b) for (m, p), b in zip(parts.items(), bins, strict=True)]
    if set(_LEARNED) <= set(first.columns) and first["learned_chance"].notna().all():
        table.append(_learner_row(first, limit, best))
    table.append(_oracle_row(first, limit, best))
    return TrueRiskReport(pd.DataFrame(table), pd.concat(bins, ignore_index=True), _effect(first))


def _listed(part: pd.DataFrame, score: Array, budget: Budget) -> NDArray[np.bool_]:
    return list_at_budget(sorted_codes(part["as_of"]), score, budget)


def _row(
    model: str, part: pd.DataFrame, budget: Budget, best: tuple[float, float], bins: pd.DataFrame
) -> dict[str, Any]:
    y, chance, score = float_column(part, "y"), float_column(part, "true"), float_column(part, "score")
    probability = float_column(part, "probability")
    listed = _listed(part, score, budget)
    slope, intercept = _line(probability, chance)
    area, recall = true_auc(chance, score), true_recall(chance, listed)
    distance = float(np.mean((probability - chance) ** 2 - float_column(part, "mc_error") ** 2))
    covered = bins["covered"].dropna()
    alone = float_column(part, _UNSUPPORTED) if _UNSUPPORTED in part.columns else None
    return {
        "model": model,
        "n": len(part),
        "n_events": int(y.sum()),
        "auc": auc(y, score),
        "auc_true": area,
        "oracle_auc": best[0],
        "auc_share": area / best[0],
        "auc_gain_share": (area - 0.5) / (best[0] - 0.5),
        "recall": true_recall(y, listed),
        "recall_true": recall,
        "oracle_recall": best[1],
        "recall_share": recall / best[1],
        "slope_true": slope,
        "intercept_true": intercept,
        "error_true": max(distance, 0.0) ** 0.5,
        "auc_unsupported": None if alone is None else true_auc(alone, score),
        "recall_unsupported": None if alone is None else true_recall(alone, listed),
        "bins": len(covered) or None,
        "bins_covered": int(covered.sum()) if len(covered) else None,
    }


def _learner_row(part: pd.DataFrame, budget: Budget, best: tuple[float, float]) -> dict[str, Any]:
    chance = float_column(part, "learned_chance")
    own = part.drop(columns=["probability_low", "probability_high"], errors="ignore")
    own = own.assign(score=np.log(np.maximum(chance, 1e-9)), probability=np.clip(chance, 0, 1))
    sizes = {name: int(part[name].max()) for name in _LEARNED[1:]}
    return _row(ATTAINABLE, own, budget, best, _bins(ATTAINABLE, own)) | sizes


def _oracle_row(part: pd.DataFrame, budget: Budget, best: tuple[float, float]) -> dict[str, Any]:
    y, chance = float_column(part, "y"), float_column(part, "true")
    return {
        "model": ORACLE,
        "n": len(part),
        "n_events": int(y.sum()),
        "auc": auc(y, chance),
        "auc_true": best[0],
        "oracle_auc": best[0],
        "auc_share": 1.0,
        "auc_gain_share": 1.0,
        "recall": true_recall(y, _listed(part, chance, budget)),
        "recall_true": best[1],
        "oracle_recall": best[1],
        "recall_share": 1.0,
        "slope_true": 1.0,
        "intercept_true": 0.0,
        "error_true": 0.0,
        "auc_unsupported": None,
        "recall_unsupported": None,
        "bins": None,
        "bins_covered": None,
    }


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Return slope and intercept of the least-squares line; NaN where x does not vary."""
    if np.ptp(x) == 0:
        return float("nan"), float("nan")
    slope = float(np.cov(x, y, bias=True)[0, 1] / np.var(x))
    return slope, float(y.mean() - slope * x.mean())


def _bins(model: str, part: pd.DataFrame) -> pd.DataFrame:
    """Return mean prediction, interval, truth and outcome by tenths of the score."""
    place = part["score"].rank(method="first")
    tenth = np.minimum((place.to_numpy() - 1) * BINS // len(part), BINS - 1).astype(int)
    columns = {"predicted": "probability", "true": "true", "observed": "y"}
    if {"probability_low", "probability_high"} <= set(part.columns):
        columns |= {"low": "probability_low", "high": "probability_high"}
    by = part.groupby(tenth)
    out = pd.DataFrame({name: by[column].mean().astype(float) for name, column in columns.items()})
    out = out.reindex(columns=["predicted", "low", "high", "true", "observed"])
    out.insert(0, "n", by.size())
    covered = (out["low"] <= out["true"]) & (out["true"] <= out["high"])
    out["covered"] = covered.astype("boolean").mask(out["low"].isna() | out["high"].isna())
    out.insert(0, "bin", out.index + 1)
    out.insert(0, "model", model)
    return out.reset_index(drop=True)


def _effect(part: pd.DataFrame) -> dict[str, float]:
    if _UNSUPPORTED not in part.columns:
        return {}
    return {
        "n": float(len(part)),
        "supported": float(float_column(part, "true").mean()),
        "unsupported": float(float_column(part, _UNSUPPORTED).mean()),
    }


def true_risk_messages(table: pd.DataFrame, effect: Mapping[str, float]) -> list[Message]:
    """Return what each model reaches of the attainable, one message a model, and the effect of support.

    Parameters
    ----------
    table, effect
        Of a `TrueRiskReport`, or as they were stored.

    Returns
    -------
    list of Message
        The models' in the order of the table; then, where known, what records can tell, and the effect.
    """
    nothing = Message("evaluation.true risk.nothing")
    messages = []
    for row in table[~table["model"].isin([ATTAINABLE, ORACLE])].to_dict("records"):
        figures = {str(name): value for name, value in row.items()}
        parts = {"coverage": nothing, "unsupported": nothing}
        if not pd.isna(figures["bins"]):
            parts["coverage"] = Message("evaluation.true risk.coverage", figures)
        if not pd.isna(figures.get("auc_unsupported")):
            parts["unsupported"] = Message("evaluation.true risk.unsupported", figures)
        messages.append(Message("evaluation.true risk.sentence", figures | parts))
    if ATTAINABLE in set(table["model"]):
        messages.append(bracket_message(table))
    if effect:
        messages.append(Message("evaluation.true risk.effect", effect))
    return messages


def bracket_message(table: pd.DataFrame) -> Message:
    """Say what records can tell at least and at most; where the least is not known, how to get it.

    Parameters
    ----------
    table
        Of a `TrueRiskReport`, or as it was stored.

    Returns
    -------
    Message
        One sentence or two: true recall and AUC of both ends, and the recall of what happened.
    """
    rows: dict[str, dict[Any, Any]] = {str(row["model"]): row for row in table.to_dict("records")}
    if ATTAINABLE not in rows:
        return Message("evaluation.true risk.no bracket")
    values = {
        f"{figure}_{end}": rows[model][figure]
        for end, model in (("least", ATTAINABLE), ("most", ORACLE))
        for figure in ("recall_true", "auc_true", "recall")
    }
    sizes = {name: int(rows[ATTAINABLE][name]) for name in _LEARNED[1:]}
    return Message("evaluation.true risk.bracket", values | sizes)
