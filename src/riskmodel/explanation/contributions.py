"""Additive contributions in log-odds: base + their sum = the margin, asserted; and sums by official cause."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.errors import RiskmodelError, SpecError, UsageError
from riskmodel.models import PreparedRows

# Log-odds. Float64 sums over some hundred trees or columns are good to about 1e-12; shap's wrong answers
# on categorical splits were off by whole log-odds (shap's own check let them pass).
MARGIN_TOLERANCE = 1e-6
GROUPS = ("income", "context", "none")  # what is no official cause: own income, the village, nothing nameable
SUM_TOLERANCE = 1e-9  # log-odds; float64 sums of a few hundred terms stay orders of magnitude below


def compute_contributions(
    model: Any, X: pd.DataFrame, background: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, float]:
    """Split every household's margin over the features, in log-odds.

    Linear margins are split in closed form, trees by SHAP (path-dependent), means and stacks of them by the
    same weighted sum of their parts. With a ``background`` the
    contributions are counted from its households: the base value is then their mean margin, and each
    feature contributes on average nothing among them. Calibrated scores are explained as they stand:
    their map a + b·margin scales the contributions by b.

    Parameters
    ----------
    model
        Fitted, with ``margin``: a linear margin, boosted trees, a mean or stack of these, or a
        `CalibratedScore` of one.
    X
        Feature values, shape (n, p); NaN is missing.
    background
        Households to compare with, shape (m, p); by default what the model was fitted on.

    Returns
    -------
    parts
        Log-odds, index and columns of X.
    base
        Log-odds.

    Raises
    ------
    UsageError
        If the model is of no kind that can be explained, or X and background differ in columns.
    RiskmodelError
        If base and contributions do not add up to the margin within `MARGIN_TOLERANCE`: a wrong explanation
        is never handed out.

    References
    ----------
    Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees".
    Both kinds assume that features may be varied one by one; for strongly correlated features the split
    between them is a convention, the sum is not.
    """
    if background is not None and list(background.columns) != list(X.columns):
        raise UsageError("X and background must have the same columns in the same order")
    # What `CalibratedScore` wraps is explained; its affine map then carries the parts over.
    inner = model.base_ if hasattr(model, "rescale") else model
    centre = None
    if background is not None and len(background):
        centre = np.vstack([_split(inner, rows)[0] for _, rows in _prepared(inner, background)]).mean(axis=0)
    parts, margin, base = np.empty(X.shape), np.empty(len(X)), 0.0
    for at, rows in _prepared(inner, X):
        own, base = _split(inner, rows)
        if centre is not None:
            own, base = own - centre, base + float(centre.sum())
        parts[at], base = (own, base) if inner is model else model.rescale(own, base)
        margin[at] = model.margin(rows)
    assert_adds_up(parts, base, margin)
    return pd.DataFrame(parts, index=X.index, columns=X.columns, copy=False), base


def assert_adds_up(parts: np.ndarray, base: float, margin: np.ndarray) -> None:
    """Refuse where base + contributions (n, p) is off the margin (n,) by more than `MARGIN_TOLERANCE`.

    Examples
    --------
    >>> assert_adds_up(np.array([[0.25, 0.5]]), -1.0, np.array([-0.25]))
    """
    off = np.abs(base + parts.sum(axis=1) - margin)
    wrong = ~(off <= MARGIN_TOLERANCE)
    if wrong.any():
        worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        raise RiskmodelError(
            f"contributions do not add up to the score in {int(wrong.sum())} of {len(off)} rows, worst row "
            f"{worst} by {off[worst]:.3g} log-odds (allowed: {MARGIN_TOLERANCE:g}); a cause seen before are "
            "categorical columns in boosted trees: encode them"
        )


def _prepared(model: Any, X: pd.DataFrame) -> Iterable[tuple[slice, Any]]:
    """Yield the rows as the model takes them, checked once, and tempered once for split and margin."""
    if not _is_explained(model):
        raise UsageError(
            f"{type(model).__name__} cannot be explained; models that can: linear margins "
            "(with contributions), boosted trees (with ensemble_) and means and stacks of them (with bases_)"
        )
    return model.prepare_rows(X) if hasattr(model, "prepare_rows") else [(slice(None), X)]


def _is_explained(model: Any) -> bool:
    if hasattr(model, "contributions") or hasattr(model, "ensemble_"):
        return True
    return hasattr(model, "bases_") and all(_is_explained(base) for base in model.bases_)


def _split(model: Any, rows: Any) -> tuple[np.ndarray, float]:
    if hasattr(model, "contributions"):
        return np.asarray(model.contributions(rows), dtype=float), float(model.base_value_)
    if hasattr(model, "ensemble_"):
        return _trees(model.ensemble_, rows)
    split = [_split(base, PreparedRows(rows.matrix)) for base in model.bases_]
    parts = sum(weight * own for weight, (own, _) in zip(model.weights_, split, strict=True))
    counted_from = [float(value) for _, value in split]
    return np.asarray(parts, dtype=float), float(model.intercept_ + np.dot(model.weights_, counted_from))


def _trees(ensemble: Any, rows: Any) -> tuple[np.ndarray, float]:
    with warnings.catch_warnings():
        # shap 0.51 makes colour maps while it is imported, by a call that matplotlib is going to drop.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    explainer = shap.TreeExplainer(ensemble, feature_perturbation="tree_path_dependent")
    matrix = rows.to_numpy(dtype=float) if isinstance(rows, pd.DataFrame) else rows.matrix
    parts = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
    return parts.reshape(matrix.shape), float(np.ravel(explainer.expected_value)[0])


def all_causes() -> list[str]:
    """Return the official cause codes in contract order, then the groups beside them."""
    return [*codes("risk_events", "cause"), *GROUPS]


def sum_by_cause(contributions: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Sum contributions by the cause that each feature declares.

    Parameters
    ----------
    contributions
        Log-odds, shape (households, features), from `compute_contributions`.
    features
        Feature metadata with ``id`` and ``cause``.

    Returns
    -------
    DataFrame
        Log-odds, shape (households, causes); only causes that some feature declares, in the order of the
        code list. Rows sum to what the contributions sum to.

    Raises
    ------
    SpecError
        If a column has no metadata, or a cause is unknown.

    Examples
    --------
    >>> parts = pd.DataFrame({"a": [0.5], "b": [-0.2], "c": [0.1]})
    >>> meta = pd.DataFrame({"id": ["a", "b", "c"], "cause": ["illness", "income", "illness"]})
    >>> sum_by_cause(parts, meta).round(3).to_dict("records")
    [{'illness': 0.6, 'income': -0.2}]
    """
    cause = declared_causes(list(contributions.columns), features)
    present = set(cause.values())
    columns = {
        c: contributions[[f for f, own in cause.items() if own == c]].sum(axis=1)
        for c in all_causes()
        if c in present
    }
    out = pd.DataFrame(columns, index=contributions.index)
    lost = np.abs(out.to_numpy().sum(axis=1) - contributions.to_numpy().sum(axis=1)).max(initial=0.0)
    if lost > SUM_TOLERANCE:
        raise SpecError(f"sums by cause are off by {lost:.2g} log-odds: a feature is declared twice")
    return out


def declared_causes(columns: list[str], features: pd.DataFrame) -> dict[str, str]:
    """Return the declared cause of each feature id; refuse where there is none, or an unknown one."""
    declared = dict(zip(features["id"], features["cause"], strict=True))
    missing = [c for c in columns if c not in declared]
    if missing:
        raise SpecError(f"features without a declaration: {missing[:5]}; declare them in the feature set")
    allowed = all_causes()
    unknown = sorted({str(declared[c]) for c in columns} - set(allowed))
    if unknown:
        raise SpecError(f"unknown cause {unknown} in the feature set; allowed: {allowed}")
    return {c: str(declared[c]) for c in columns}
