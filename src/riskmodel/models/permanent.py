"""Permanent income: the weighted mean of the last periods' incomes, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from riskmodel.models.design import DesignMatrix
from riskmodel.models.logit import PastIncome, _solve

Array = NDArray[np.float64]

# Friedman's estimate of how fast expected income takes up what is earned, a year; his weights of this year
# and the years before are 0.33, 0.22, 0.15, 0.10, … (1957, ch. V).
BETA = 0.4


class PermanentIncome(PastIncome):
    """Past weighted income: Σ w·income / Σ w over the last periods that are known, through a logit.

    What a year's luck adds to or takes from income is averaged out: a household is as well off as it has
    been for some years. Of the simplest forecasts this is the one that knows the past.

    Parameters
    ----------
    columns : sequence of str, optional
        Income of the latest period first, then of the one before, and so on; default all columns of X.
    weights : sequence of float, optional
        Of the same periods; default exp(−0.4·k), Friedman's, k = 0, 1, … years back.

    Attributes
    ----------
    weights_ : array of shape (periods,)
        Adding up to 1.

    Notes
    -----
    A period that is not known is left out and the other weights are raised in proportion, so that a household
    with one known year goes by that year; with none known the missing indicator speaks. Assumes that periods
    are a year long; for shorter ones give weights.

    References
    ----------
    Friedman 1957, *A Theory of the Consumption Function*, ch. II (permanent income) and ch. V (weights that
    decline by e^−β a year, β = 0.4).

    Examples
    --------
    >>> PermanentIncome().weigh(np.array([[9000.0, 3000.0, np.nan]]), np.array([2.0, 1.0, 1.0])).tolist()
    [7000.0]
    """

    def __init__(self, columns: Sequence[str] | None = None, weights: Sequence[float] | None = None) -> None:
        super().__init__(columns)
        self.weights = weights

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows; ``groups`` is accepted for the common interface and not used.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
        y : array of shape (n,)
        groups : ignored

        Returns
        -------
        PermanentIncome

        Raises
        ------
        ValueError
            If a named column is not in X, the weights are not one positive number a column, or the target
            has not exactly two classes.
        """
        matrix, target = self._training(X, y)
        self.columns_ = self._positions(matrix.shape[1])
        given = np.exp(-BETA * np.arange(len(self.columns_))) if self.weights is None else self.weights
        weights = np.asarray(given, dtype=float)
        if weights.shape != self.columns_.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"weights={self.weights!r}: give one positive number for each of the "
                f"{len(self.columns_)} income columns, the latest period's first"
            )
        self.weights_ = weights / weights.sum()
        income = self.weigh(matrix[:, self.columns_], self.weights_)
        self.design_ = DesignMatrix().fit(income[:, None])
        self.coef_, self.intercept_ = _solve(self.design_.transform(income[:, None]), target, self._C)
        return self

    @staticmethod
    def weigh(incomes: Array, weights: Array) -> Array:
        """Return the weighted mean of the periods that are known, NaN where none is.

        Parameters
        ----------
        incomes : array of shape (n, periods)
        weights : array of shape (periods,)

        Returns
        -------
        array of shape (n,)
        """
        known = ~np.isnan(incomes)
        total = known @ weights
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, np.where(known, incomes, 0.0) @ weights / total, np.nan)

    def _design(self, X: Any) -> Array:
        matrix = self._matrix(X)
        return self.design_.transform(self.weigh(matrix[:, self.columns_], self.weights_)[:, None])

    def contributions(self, X: Any) -> Array:
        """Split the margin over the columns of X, in log-odds, counted from the training mean.

        The one quantity's share is dealt to the known periods by their weights; where none is known, to the
        latest period.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)

        Returns
        -------
        array of shape (n, p)
        """
        matrix = self._matrix(X)
        known = ~np.isnan(matrix[:, self.columns_])
        part = known * self.weights_
        part[~known.any(axis=1), 0] = 1.0
        whole = self.design_.to_columns(self._design(X) * self.coef_)
        out = np.zeros((len(matrix), self.n_features_in_))
        out[:, self.columns_] = whole * (part / part.sum(axis=1, keepdims=True))
        return out
