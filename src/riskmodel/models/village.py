"""The village alone: what knowing where a household lives, and nothing else of it, is worth."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import beta
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.base import MarginClassifier

Array = NDArray[np.float64]


class VillageRate(MarginClassifier):
    """Give every household its village's past rate of events, shrunk towards the county's.

    The rate is the mean of a beta distribution whose prior has the county's rate and the weight of
    ``prior_rows`` rows (moment estimate from the spread between villages where it is not given). A village
    not seen in training has the county's rate.

    Parameters
    ----------
    column : str, default "village"
        Column of X that names the village.
    prior_rows : float, optional
        Weight of the county's rate, in rows; default estimated.
    level : float, default 0.95
        Of `predict_interval`.

    Attributes
    ----------
    villages_ : array of str
        Sorted.
    hits_, rows_ : arrays of shape (villages,)
    base_rate_, prior_rows_ : float
    notes_ : list of dict with keys "zh", "en"
        Empty.

    Notes
    -----
    Needs a named column of text, so it takes a DataFrame only and is outside `check_estimator`.

    References
    ----------
    Rao and Molina 2015, *Small Area Estimation*, ch. 9 (beta-binomial).

    Examples
    --------
    >>> X = pd.DataFrame({"village": ["a"] * 10 + ["b"] * 10})
    >>> y = [1] * 6 + [0] * 4 + [1] * 2 + [0] * 8
    >>> VillageRate(prior_rows=10).fit(X, y).predict_proba(X)[[0, -1], 1].round(3).tolist()
    [0.5, 0.3]
    """

    def __init__(self, column: str = "village", prior_rows: float | None = None, level: float = 0.95) -> None:
        self.column = column
        self.prior_rows = prior_rows
        self.level = level

    def fit(self, X: pd.DataFrame, y: Any, groups: Any = None) -> Self:
        """Count events and rows by village.

        Parameters
        ----------
        X : DataFrame of shape (n, …)
            With the village's column.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : ignored

        Returns
        -------
        VillageRate

        Raises
        ------
        ValueError
            If the column is absent, ``prior_rows`` is not positive, or the target has one class.
        """
        if self.prior_rows is not None and not self.prior_rows > 0:
            raise ValueError(f"prior_rows={self.prior_rows!r}: must be positive, or None to estimate it")
        names, target = self._names(X), self._events(y)
        self.villages_, code = np.unique(names, return_inverse=True)
        self.rows_ = np.bincount(code).astype(float)
        self.hits_ = np.bincount(code, weights=target).astype(float)
        self.base_rate_ = float(target.mean())
        self.prior_rows_ = self.prior_rows or _prior_rows(self.hits_, self.rows_, self.base_rate_)
        self.notes_: list[dict[str, str]] = []
        return self

    def margin(self, X: pd.DataFrame) -> Array:
        """Return the log-odds of the village's shrunken rate, shape (n,)."""
        a, b = self._posterior(X)
        return logit(a / (a + b))

    def predict_interval(self, X: pd.DataFrame) -> Array:
        """Return the posterior interval of the village's rate.

        Parameters
        ----------
        X : DataFrame of shape (n, …)

        Returns
        -------
        array of shape (n, 2)
        """
        a, b = self._posterior(X)
        tail = (1 - self.level) / 2
        low, high, mean = beta.ppf(tail, a, b), beta.ppf(1 - tail, a, b), a / (a + b)
        # A very skewed posterior may have its mean outside its own quantiles.
        return np.column_stack([np.minimum(low, mean), np.maximum(high, mean)])

    def _posterior(self, X: pd.DataFrame) -> tuple[Array, Array]:
        check_is_fitted(self)
        names = self._names(X)
        at = np.minimum(np.searchsorted(self.villages_, names), len(self.villages_) - 1)
        known = self.villages_[at] == names
        hits, rows = np.where(known, self.hits_[at], 0.0), np.where(known, self.rows_[at], 0.0)
        prior = self.prior_rows_ * self.base_rate_
        return prior + hits, self.prior_rows_ - prior + rows - hits

    def _names(self, X: pd.DataFrame) -> NDArray[np.str_]:
        if self.column not in getattr(X, "columns", ()):
            raise ValueError(f"X lacks {self.column!r}; give a DataFrame with the village's column")
        return np.asarray(X[self.column].astype(str).to_numpy(dtype=object), dtype=str)


def _prior_rows(hits: Array, rows: Array, base: float) -> float:
    """Weight of the county's rate by moments: between-village variance beyond what chance explains."""
    usable = rows > 1
    if usable.sum() < 2:
        return 1.0
    rate = hits[usable] / rows[usable]
    within = base * (1 - base)
    weight = rows[usable] / rows[usable].sum()
    between = float(weight @ (rate - base) ** 2) - within * float(weight @ (1 / rows[usable]))
    # Villages that differ no more than chance share one rate: the prior then outweighs any village.
    floor = within / (100 * rows.sum())
    return float(within / max(between, floor) - 1) if between > floor else float(100 * rows.sum())
