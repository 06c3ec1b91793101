"""A stack: several models' margins, each seen on villages it was not fitted on, weighed by a logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.base import (
    Array,
    MarginClassifier,
    metadata_router,
    routed_metadata,
    village_codes,
    village_folds,
)
from riskmodel.models.boosting import Boosting
from riskmodel.models.logit import PenalisedLogit
from riskmodel.models.registry import MODELS, ModelEntry
from riskmodel.models.scorecard import Scorecard

_FOLDS = 3
# Pulls the weights towards equal ones; with a few hundred events it moves them by some hundredths.
_RIDGE = 1.0


class Stack(MarginClassifier):
    """Margins of base models, cross-fitted by village, weighed by a logit with weights ≥ 0.

    Parameters
    ----------
    bases : sequence of estimators, optional
        Not fitted, with ``fit(X, y, groups)`` and ``margin``. Default: penalised logit, shallow boosting and
        scorecard.
    random_state
        Deals the villages.

    Attributes
    ----------
    bases_ : list of estimators
        Fitted on all rows.
    weights_ : array of shape (bases,)
        Of the bases' margins, at least 0.
    intercept_ : float
        Log-odds where every margin is 0.

    References
    ----------
    Wolpert 1992; Breiman 1996, "Stacked regressions", for weights that are not negative.
    """

    def __init__(self, bases: Sequence[Any] | None = None, random_state: int = 0) -> None:
        self.bases = bases
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit the bases and their weights on training rows only.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row.

        Returns
        -------
        Stack
            Itself, fitted.

        Raises
        ------
        ValueError
            If the target has one class.
        """
        from sklearn.utils import _safe_indexing

        matrix, target = self._training(X, y)
        table = X if hasattr(X, "iloc") else matrix
        labels = target.astype(int)
        names = None if groups is None else np.asarray(groups, dtype=object)
        routed = [routed_metadata(self, f"base_{i}", groups=names) for i in range(len(self._bases()))]
        units = int(village_codes(groups, len(target)).max()) + 1
        fold = village_folds(target, groups, min(_FOLDS, units), self.random_state)
        margins = np.full((len(target), len(self._bases())), np.nan)
        for k in range(int(fold.max()) + 1):
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            if len(np.unique(labels[rest])) < 2:
                continue
            for i, base in enumerate(self._bases()):
                inner = {name: value[rest] for name, value in routed[i].items()}
                fitted = base.fit(_safe_indexing(table, rest), labels[rest], **inner)
                margins[held, i] = fitted.margin(_safe_indexing(table, held))
        used = ~np.isnan(margins).any(axis=1)
        self.weights_, self.intercept_ = _weigh(margins[used], target[used])
        self.bases_ = [base.fit(table, labels, **routed[i]) for i, base in enumerate(self._bases())]
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what `fit` takes and hands on to the bases."""
        return metadata_router(self, **{f"base_{i}": base for i, base in enumerate(self._bases())})

    def margin(self, X: Any) -> Array:
        """Return the weighted sum of the bases' margins, shape (n,)."""
        check_is_fitted(self)
        matrix = self._matrix(X)
        table = X if hasattr(X, "iloc") else matrix
        return self.intercept_ + np.column_stack([b.margin(table) for b in self.bases_]) @ self.weights_

    def _bases(self) -> list[Any]:
        if self.bases is not None:
            return [clone(base) for base in self.bases]
        return [
            PenalisedLogit(C="cv", random_state=self.random_state),
            Boosting(max_depth=2, random_state=self.random_state),
            Scorecard(),
        ]


def _weigh(margins: Array, target: Array) -> tuple[Array, float]:
    k = margins.shape[1]
    equal = np.full(k, 1 / k)
    if len(target) == 0 or len(np.unique(target)) < 2:
        return equal, 0.0
    # Margins of separated folds can be huge; twenty log-odds are certain enough.
    clipped = np.clip(margins, -20, 20)

    def loss(theta: Array) -> tuple[float, Array]:
        eta = clipped @ theta[:k] + theta[k]
        apart = theta[:k] - equal
        value = np.sum(np.logaddexp(0, eta) - target * eta) + 0.5 * _RIDGE * float(apart @ apart)
        residual = expit(eta) - target
        return float(value), np.r_[clipped.T @ residual + _RIDGE * apart, residual.sum()]

    bounds = [(0.0, None)] * k + [(None, None)]
    solution = minimize(loss, np.r_[equal, 0.0], jac=True, method="L-BFGS-B", bounds=bounds)
    return solution.x[:k], float(solution.x[k])


MODELS.register(
    ModelEntry(
        "stack",
        zh="堆叠",
        en="stack",
        factory=Stack,
        saves=(Stack, PenalisedLogit, Boosting, Scorecard),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        order=130,
        description_zh="几个模型的边际按逻辑回归加权",
        description_en="Margins of several models weighed by a logit with weights at least 0.",
        checked_against="a base that knows, and one that does not",
        tests=("models/test_stack.py::test_stack_weighs_a_base_that_knows_and_drops_one_that_does_not",),
    )
)
