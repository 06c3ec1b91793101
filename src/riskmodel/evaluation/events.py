"""The same lists judged by each label event: what a rule wrote down is not what became of income."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.evaluation.budget import Budget
from riskmodel.evaluation.summary import pooled

PREFIX = "label_"
_SHOWN = ("auc", "recall_at_budget", "precision_at_budget")


def by_event(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Judge every model's ranking by each label event apart, whichever of them it was trained on.

    ``identified`` is decided by the rule itself and flatters it; ``confirmed`` is known of the visited only,
    as they came; ``below_line`` is what became of income. Events of one class only are left out.

    Parameters
    ----------
    predictions : DataFrame
        See `riskmodel.evaluation.frame.checked`; with a column ``label_<event>`` (0, 1, missing) an event.
    budget : Budget or mapping
        Visits at each as-of date.
    replicates : int, default 1000
        Village resamples.
    seed : int, default 0

    Returns
    -------
    DataFrame
        One row an event and model: ``event, model, n, n_events``, and ``auc, recall_at_budget,
        precision_at_budget``, each with ``_low`` and ``_high``.

    References
    ----------
    Data contract, "Labels"; Lakkaraju et al. 2017 for labels that depend on the decision they judge.
    """
    parts = []
    for column in sorted(c for c in predictions.columns if c.startswith(PREFIX)):
        label = predictions[column].astype(float)
        if label.dropna().nunique() < 2:
            continue
        found = pooled(predictions.assign(y=label), budget, replicates=replicates, seed=seed)
        kept = ["model", *(f"{name}{end}" for name in _SHOWN for end in ("", "_low", "_high"))]
        part = found[kept].assign(n=found["n_test"], n_events=found["n_events"])
        part.insert(0, "event", column.removeprefix(PREFIX))
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["event", "model"])
