"""Contributions summed to the official causes; nothing is lost or counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.errors import SpecError

GROUPS = ("income", "context", "none")  # what is no official cause: own income, the village, nothing nameable
TOLERANCE = 1e-9  # log-odds; float64 sums of a few hundred terms stay orders of magnitude below


def all_causes() -> list[str]:
    """Return the official cause codes in contract order, then the groups beside them."""
    return [*codes("risk_events", "cause"), *GROUPS]


def by_cause(contributions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Sum contributions by the cause that each feature declares.

    Parameters
    ----------
    contributions : DataFrame, shape (n_households, n_features)
        Log-odds, from `riskmodel.explanation.contributions`.
    features : DataFrame
        Feature metadata with ``id`` and ``cause``.

    Returns
    -------
    DataFrame, shape (n_households, n_causes)
        Log-odds; only causes that some feature declares, in the order of `all_causes`. Rows sum to what
        the contributions sum to.

    Raises
    ------
    SpecError
        If a column has no metadata, or a cause is unknown.

    Examples
    --------
    >>> parts = pd.DataFrame({"a": [0.5], "b": [-0.2], "c": [0.1]})
    >>> meta = pd.DataFrame({"id": ["a", "b", "c"], "cause": ["illness", "income", "illness"]})
    >>> by_cause(parts, meta).round(3).to_dict("records")
    [{'illness': 0.6, 'income': -0.2}]
    """
    cause = cause_of(list(contributions.columns), features)
    present = set(cause.values())
    columns = {
        c: contributions[[f for f, own in cause.items() if own == c]].sum(axis=1)
        for c in all_causes()
        if c in present
    }
    out = pd.DataFrame(columns, index=contributions.index)
    lost = np.abs(out.to_numpy().sum(axis=1) - contributions.to_numpy().sum(axis=1)).max(initial=0.0)
    if lost > TOLERANCE:
        raise SpecError(f"sums by cause are off by {lost:.2g} log-odds: a feature is declared twice")
    return out


def cause_of(columns: list[str], features: pd.DataFrame) -> dict[str, str]:
    """Return the declared cause of each feature.

    Parameters
    ----------
    columns : list of str
        Feature ids.
    features : DataFrame
        Feature metadata with ``id`` and ``cause``.

    Returns
    -------
    dict
        Feature id to cause code.

    Raises
    ------
    SpecError
        If a feature is not declared, or declares a cause that is none.
    """
    declared = dict(zip(features["id"], features["cause"], strict=True))
    missing = [c for c in columns if c not in declared]
    if missing:
        raise SpecError(f"features without a declaration: {missing[:5]}; declare them in the feature set")
    allowed = all_causes()
    unknown = sorted({str(declared[c]) for c in columns} - set(allowed))
    if unknown:
        raise SpecError(f"unknown cause {unknown} in the feature set; allowed: {allowed}")
    return {c: str(declared[c]) for c in columns}
