"""Several models' margins as one: their mean, or weighed by a logit on villages held out of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from riskmodel.models.base import (
    Array,
    MarginClassifier,
    PreparedRows,
    metadata_router,
    routed_metadata,
    village_codes,
    village_folds,
)
from riskmodel.models.boosting import Boosting
from riskmodel.models.line_copies import LineCopies
from riskmodel.models.logit import PenalisedLogit
from riskmodel.models.registry import MODELS, ModelEntry, build_model
from riskmodel.models.shared_fits import fit_once

_FOLDS = 3
# Pulls the weights towards equal ones; with a few hundred events it moves them by some hundredths.
_RIDGE = 1.0
Bases = Sequence[Any] | Mapping[str, Mapping[str, Any]]


class MeanMargin(MarginClassifier):
    """The mean of several models' margins, each fitted on all rows: what they err in differently cancels.

    Nothing is chosen or weighed, so nothing of it can be fitted to chance. Where every base adds up over the
    columns, so does the mean.

    Parameters
    ----------
    bases : sequence of estimators, or mapping of registered model to its parameters, optional
        Not fitted, with ``fit(X, y, groups)`` and ``margin``. Default: `default_bases`.
    monotone : mapping of column name to -1, 0 or +1, optional
        Handed to the bases given by name that take it.
    random_state
        Deals the villages, in the bases too.

    Attributes
    ----------
    bases_ : list of estimators
        Fitted on all rows.
    weights_ : array of shape (bases,)
        Of the bases' margins.
    intercept_ : float
        Log-odds where every margin is 0.
    """

    __metadata_request__fit: ClassVar = {"copies": True}
    default_bases: tuple[str, ...] = ("logit", "additive")

    def __init__(
        self,
        bases: Bases | None = None,
        monotone: Mapping[str, int] | None = None,
        random_state: int = 0,
    ) -> None:
        self.bases = bases
        self.monotone = monotone
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, copies: LineCopies | None = None) -> Self:
        """Fit the bases, and what weighs them, on training rows only.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row.
        copies : LineCopies, optional
            The rows at other lines, for the bases that take them; margins are weighed at the line itself.

        Returns
        -------
        MeanMargin
            Itself, fitted.

        Raises
        ------
        ValueError
            If the target has one class.
        """
        matrix, target = self._training(X, y)
        self._signs(self.monotone)
        table = X if hasattr(X, "iloc") else matrix
        labels = target.astype(int)
        names = None if groups is None else np.asarray(groups, dtype=object)
        routed = []
        for i, base in enumerate(self._bases()):
            own = copies if has_fit_parameter(base, "copies") else None
            routed.append(routed_metadata(self, f"base_{i}", groups=names, copies=own))
        self.weights_, self.intercept_ = self._weights(table, labels, names, routed)
        self.bases_ = [fit_once(base, table, labels, **routed[i]) for i, base in enumerate(self._bases())]
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what `fit` takes and hands on to the bases."""
        return metadata_router(self, **{f"base_{i}": base for i, base in enumerate(self._bases())})

    def margin(self, X: Any) -> Array:
        """Return the weighted sum of the bases' margins, shape (n,)."""
        check_is_fitted(self)
        matrix = self._matrix(X)
        margins = []
        for base in self.bases_:
            # Each base keeps its own design of rows that were checked for the whole.
            rows = (
                PreparedRows(matrix) if isinstance(X, PreparedRows) else X if hasattr(X, "iloc") else matrix
            )
            margins.append(base.margin(rows))
        return self.intercept_ + np.column_stack(margins) @ self.weights_

    def _weights(
        self, table: Any, labels: Any, groups: Any, routed: list[dict[str, Any]]
    ) -> tuple[Array, float]:
        """Return the weight of each base's margin, and the intercept."""
        return np.full(len(routed), 1 / len(routed)), 0.0

    def _bases(self) -> list[Any]:
        if self.bases is not None and not isinstance(self.bases, Mapping):
            return [clone(base) for base in self.bases]
        named = self.bases if self.bases is not None else {name: {} for name in self.default_bases}
        return [self._named(name, params or {}) for name, params in named.items()]

    def _named(self, name: str, params: Mapping[str, Any]) -> Any:
        base = build_model(name, params, self.random_state)
        if self.monotone is not None and "monotone" in base.get_params(deep=False):
            base.set_params(monotone=self.monotone)
        return base


class Stack(MeanMargin):
    """Margins of base models, cross-fitted by village, weighed by a logit with weights ≥ 0.

    Parameters
    ----------
    bases, monotone, random_state
        As in `MeanMargin`.

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

    default_bases = ("logit", "additive", "boosting")

    def _weights(
        self, table: Any, labels: Any, groups: Any, routed: list[dict[str, Any]]
    ) -> tuple[Array, float]:
        """Weigh margins of villages that the bases were not fitted on."""
        units = int(village_codes(groups, len(labels)).max()) + 1
        fold = village_folds(labels, groups, min(_FOLDS, units), self.random_state)
        margins = np.full((len(labels), len(routed)), np.nan)
        for k in range(int(fold.max()) + 1):
            rest, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            if len(np.unique(labels[rest])) < 2:
                continue
            for i, base in enumerate(self._bases()):
                # Arrays and copies both know how to give some rows' part.
                inner = {name: value.take(rest) for name, value in routed[i].items()}
                fitted = base.fit(_safe_indexing(table, rest), labels[rest], **inner)
                margins[held, i] = fitted.margin(_safe_indexing(table, held))
        used = ~np.isnan(margins).any(axis=1)
        return _weigh(margins[used], labels[used].astype(float))


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
        "mean",
        zh="逻辑回归与加性提升的平均",
        en="mean of logit and additive boosting",
        short_zh="两模型平均",
        short_en="mean of two",
        factory=MeanMargin,
        saves=(MeanMargin, PenalisedLogit, Boosting),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="bases",
        style=("#7c3aed", ""),
        order=42,
        description_zh="惩罚逻辑回归与加性提升模型的边际取平均，仍是各特征相加",
        description_en="Mean margin of penalised logit and additive boosting: still a sum over columns.",
        checked_against="the mean of the two models fitted apart",
        tests=("models/test_stack.py::test_the_mean_is_that_of_the_models_fitted_apart",),
    )
)
MODELS.register(
    ModelEntry(
        "stack",
        zh="堆叠",
        en="stack",
        factory=Stack,
        saves=(Stack, PenalisedLogit, Boosting),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="bases",
        order=130,
        description_zh="几个模型的边际按逻辑回归加权",
        description_en="Margins of several models weighed by a logit with weights at least 0.",
        checked_against="a base that knows, and one that does not",
        tests=("models/test_stack.py::test_stack_weighs_a_base_that_knows_and_drops_one_that_does_not",),
    )
)
