"""Gradient boosting of shallow trees, stopped on held-out villages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from riskmodel.models.base import MarginClassifier, event_weights
from riskmodel.models.split import village_codes, village_folds

Array = NDArray[np.float64]

# SHAP values of trees cost exponentially in depth; four already holds interactions of four columns.
MAX_DEPTH = 4
# One village in five decides the number of trees.
_FOLDS = 5


class Boosting(MarginClassifier):
    """Histogram gradient boosting with native gaps, shallow trees and a number of trees set by villages.

    The number of trees is the one with the lowest log loss on a fifth of the villages; then the model is
    fitted again on all rows with that number. Categorical columns are not taken: SHAP is wrong for them.

    Parameters
    ----------
    learning_rate : float, default 0.05
    max_trees : int, default 400
    max_depth : int, default 3
        At most `MAX_DEPTH`.
    min_samples_leaf : int, default 20
    l2 : float, default 1.0
    patience : int, default 20
        Trees without a better held-out loss before the search ends.
    early_stopping : bool, default True
        ``False`` fits ``max_trees`` trees.
    monotone : mapping of column name to -1, 0 or +1, optional
        The margin may only fall (-1) or rise (+1) with the column; X must then be a DataFrame.
    event_weight : float, default 1.0
        Weight of an event row in the fit; see `riskmodel.models.base.event_weights`.
    random_state : int, default 0

    Attributes
    ----------
    ensemble_ : HistGradientBoostingClassifier
        The fitted trees; their raw score is the margin.
    n_trees_ : int

    Examples
    --------
    >>> import numpy as np
    >>> X = np.r_[np.zeros(60), np.ones(60), np.full(60, np.nan)].reshape(-1, 1)
    >>> y = np.r_[np.zeros(60), np.ones(60), np.zeros(60)]
    >>> Boosting(max_trees=30).fit(X, y).predict([[0.0], [1.0], [np.nan]]).tolist()
    [0.0, 1.0, 0.0]
    """

    def __init__(
        self,
        learning_rate: float = 0.05,
        max_trees: int = 400,
        max_depth: int = 3,
        min_samples_leaf: int = 20,
        l2: float = 1.0,
        patience: int = 20,
        early_stopping: bool = True,
        monotone: Mapping[str, int] | None = None,
        event_weight: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_trees = max_trees
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.patience = patience
        self.early_stopping = early_stopping
        self.monotone = monotone
        self.event_weight = event_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            Numbers; NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row, for the number of trees; without it rows are dealt.

        Returns
        -------
        Boosting

        Raises
        ------
        ValueError
            If ``max_depth`` is out of range, ``monotone`` names an unknown column, ``event_weight`` is
            not positive, or the target has not exactly two classes.
        """
        if not 1 <= self.max_depth <= MAX_DEPTH:
            raise ValueError(
                f"max_depth={self.max_depth!r}: must be 1 to {MAX_DEPTH} (deeper trees explain slowly)"
            )
        matrix, target = self._training(X, y)
        signs, weight = self._signs(matrix.shape[1]), event_weights(target, self.event_weight)
        # Threads wait on each other at every node: on rows this few one is as fast as two, and where others
        # use the machine two are twenty times slower.
        with threadpool_limits(limits=1, user_api="openmp"):
            self.n_trees_ = (
                self._search(matrix, target, groups, signs, weight) if self.early_stopping else self.max_trees
            )
            full = _constant_where_unknown(matrix)
            self.ensemble_ = self._ensemble(self.n_trees_, signs).fit(full, target, sample_weight=weight)
        return self

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event, the trees' raw score.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)

        Returns
        -------
        array of shape (n,)
        """
        matrix = self._matrix(X)
        return self.ensemble_.decision_function(matrix)

    def _search(self, matrix: Array, target: Array, groups: Any, signs: Any, weight: Array | None) -> int:
        """Return the number of trees with the lowest loss on held-out villages."""
        if int(village_codes(groups, len(target)).max()) + 1 < _FOLDS:
            return self.max_trees
        fold = village_folds(target, groups, _FOLDS, self.random_state)
        held = fold == 0
        if len(np.unique(target[~held])) < 2 or len(np.unique(target[held])) < 2:
            return self.max_trees
        trial = self._ensemble(self.max_trees, signs)
        trial.set_params(early_stopping=True, n_iter_no_change=self.patience, scoring="loss")
        rest = _constant_where_unknown(matrix[~held])
        here, aside = (None, None) if weight is None else (weight[~held], weight[held])
        trial.fit(rest, target[~held], here, X_val=matrix[held], y_val=target[held], sample_weight_val=aside)
        # validation_score_ starts with the score of no tree at all and holds minus the loss.
        return max(1, int(np.argmax(trial.validation_score_)))

    def _ensemble(self, trees: int, signs: Any) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=trees,
            max_depth=self.max_depth,
            max_leaf_nodes=None,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2,
            categorical_features=None,
            monotonic_cst=signs,
            early_stopping=False,
            random_state=self.random_state,
        )

    def _signs(self, p: int) -> Any:
        if not self.monotone:
            return None
        names = list(getattr(self, "feature_names_in_", []))
        absent = sorted(set(self.monotone) - set(names))
        wrong = sorted(str(v) for v in set(self.monotone.values()) - {-1, 0, 1})
        if absent or wrong:
            raise ValueError(
                f"monotone: unknown columns {absent}, signs not in -1, 0, 1: {wrong}; X must be a DataFrame "
                f"whose columns they are, one of: {', '.join(map(str, names[:20])) or '(no names)'}"
            )
        signs = np.zeros(p, dtype=np.int8)
        for name, sign in self.monotone.items():
            signs[names.index(name)] = sign
        return signs


def _constant_where_unknown(matrix: Array) -> Array:
    """Put 0 into columns that nobody has: the trees' binning cannot take them, and no split can use them."""
    unknown = np.isnan(matrix).all(axis=0)
    return np.where(unknown, 0.0, matrix) if unknown.any() else matrix
