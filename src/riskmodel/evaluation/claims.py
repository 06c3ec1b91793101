"""What a model's list claims, each against what it must beat: the rules, and the best simple order.

A model that beats the rules has seen more of the records than they do; a simple order on the same records may
have seen as much. Only the difference to the best of those says that learning helps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.evaluation.compare import baseline_words, compare
from riskmodel.evaluation.lists import Budget
from riskmodel.evaluation.paired_lists import RULE
from riskmodel.i18n import Message
from riskmodel.models import model_names, simple_orders

SEES_MORE, LEARNING = "sees_more", "learning"
_FIGURES = (
    "visits", "topped_up", "n_events", "hits_baseline", "hits_model", "recall_baseline", "recall_model",
    "delta_recall", "delta_low", "delta_high", "low_error", "high_error", "method",
)  # fmt: skip


def list_claims(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    model: str,
    *,
    replicates: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare a model's list with the rules' and with the best simple order's, at the same visits.

    Parameters
    ----------
    predictions
        As for `compare`, with the rule as a model or at least its ranking.
    budget
        Visits at each as-of date.
    model
        Whose claims they are.
    replicates, seed, level
        Village resamples and level of the intervals.

    Returns
    -------
    DataFrame
        ``claim`` (``sees_more`` than the rules; ``learning`` helps, against the order that finds most on the
        same rows, which flatters it), ``model, baseline, candidates`` (how many orders there were) and the
        figures of `compare`. Intervals only: the one test is the declared one.
    """
    here = sorted(set(predictions["model"]))
    rivals = [name for name in simple_orders(here) if name not in (RULE, model)]
    against = [(SEES_MORE, RULE, 1)]
    options: dict[str, Any] = {"replicates": replicates, "seed": seed, "level": level}
    if rivals:
        found = compare(predictions, budget, replicates=0).primary.set_index("model")["recall_model"]
        best = max(rivals, key=lambda name: float(found[name]))
        against.append((LEARNING, best, len(rivals)))
    rows = []
    for claim, baseline, candidates in against:
        pair = predictions[predictions["model"].isin([model, baseline])]
        row = compare(pair, budget, baseline=baseline, **options).primary.iloc[0]
        rows.append({
            "claim": claim, "model": model, "baseline": baseline, "candidates": candidates,
            **row[list(_FIGURES)].to_dict(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def claim_messages(claims: pd.DataFrame, level: float = 0.95) -> list[Message]:
    """Say each claim with its figures, and whether its interval lies above 0.

    Parameters
    ----------
    claims
        Of `list_claims`.
    level
        Of the intervals.

    Returns
    -------
    list of Message
        One a claim.
    """
    out = []
    for row in claims.to_dict("records"):
        points = {n: 100 * float(row[f"delta_{n}"]) for n in ("recall", "low", "high")}
        # Without an interval nothing is shown.
        shown = "shown" if points["low"] > 0 else "not shown"
        interval = Message("evaluation.claims.no interval")
        if points["low"] == points["low"]:
            interval = Message("evaluation.claims.interval", {**points, "level": level})
        out.append(Message(f"evaluation.claims.{row['claim']} {shown}", {
            "model": model_names(str(row["model"])), "against": baseline_words(row),
            "candidates": row["candidates"], "delta": points["recall"], "interval": interval,
            "visits": row["visits"], "own": row["hits_model"], "other": row["hits_baseline"],
        }))  # fmt: skip
    return out
