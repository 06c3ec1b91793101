"""Additive contributions in log-odds: base value + sum of contributions = the model's margin, asserted."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.errors import RiskmodelError, UsageError

# Log-odds. Float64 sums over some hundred trees or columns are good to about 1e-12; shap's wrong answers
# on categorical splits were off by whole log-odds (shap's own check let them pass).
TOLERANCE = 1e-6


def contributions(
    model: Any, X: pd.DataFrame, background: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, float]:
    """Split every household's margin over the features, in log-odds.

    Linear margins are split in closed form, trees by SHAP (path-dependent). With a ``background`` the
    contributions are counted from its households: the base value is then their mean margin, and each
    feature contributes on average nothing among them. Calibrated scores are explained as they stand:
    their map a + b·margin scales the contributions by b.

    Parameters
    ----------
    model : estimator
        Fitted, with ``margin``: a linear margin, boosted trees, or a `CalibratedScore` of either.
    X : DataFrame, shape (n, p)
        Feature values; NaN is missing.
    background : DataFrame, shape (m, p), optional
        Households to compare with; by default what the model was fitted on.

    Returns
    -------
    parts : DataFrame, shape (n, p)
        Log-odds, index and columns of X.
    base : float
        Log-odds.

    Raises
    ------
    UsageError
        If the model is of no kind that can be explained, or X and background differ in columns.
    RiskmodelError
        If base and contributions do not add up to the margin within `TOLERANCE`: a wrong explanation is
        never handed out.

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
    parts, base = _split(inner, X)
    if background is not None and len(background):
        centre = _split(inner, background)[0].mean(axis=0)
        parts, base = parts - centre, base + float(centre.sum())
    if inner is not model:
        parts, base = model.rescale(parts, base)
    assert_adds_up(parts, base, np.asarray(model.margin(X), dtype=float))
    return pd.DataFrame(parts, index=X.index, columns=X.columns), base


def assert_adds_up(parts: np.ndarray, base: float, margin: np.ndarray) -> None:
    """Check that base + contributions = margin for every row.

    Parameters
    ----------
    parts : array, shape (n, p)
    base : float
    margin : array, shape (n,)

    Raises
    ------
    RiskmodelError
        If a row is off by more than `TOLERANCE`, or is not a number.

    Examples
    --------
    >>> assert_adds_up(np.array([[0.25, 0.5]]), -1.0, np.array([-0.25]))
    """
    off = np.abs(base + parts.sum(axis=1) - margin)
    wrong = ~(off <= TOLERANCE)
    if wrong.any():
        worst = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        raise RiskmodelError(
            f"contributions do not add up to the score in {int(wrong.sum())} of {len(off)} rows, worst row "
            f"{worst} by {off[worst]:.3g} log-odds (allowed: {TOLERANCE:g}); a cause seen before are "
            "categorical columns in boosted trees: encode them"
        )


def _split(model: Any, X: pd.DataFrame) -> tuple[np.ndarray, float]:
    if hasattr(model, "contributions"):
        return np.asarray(model.contributions(X), dtype=float), float(model.base_value_)
    if hasattr(model, "ensemble_"):
        return _trees(model.ensemble_, X)
    raise UsageError(
        f"{type(model).__name__} cannot be explained; models that can: linear margins (with contributions) "
        "and boosted trees (with ensemble_)"
    )


def _trees(ensemble: Any, X: pd.DataFrame) -> tuple[np.ndarray, float]:
    with warnings.catch_warnings():
        # shap 0.51 makes colour maps while it is imported, by a call that matplotlib is going to drop.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    explainer = shap.TreeExplainer(ensemble, feature_perturbation="tree_path_dependent")
    matrix = X.to_numpy(dtype=float)
    parts = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
    return parts.reshape(matrix.shape), float(np.ravel(explainer.expected_value)[0])
