"""Logistic regression with a ridge penalty on standardised columns."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from riskmodel.models.base import MarginClassifier, event_weights, village_codes, village_folds
from riskmodel.models.design_matrix import DesignMatrix
from riskmodel.models.registry import MODELS, ModelEntry

Array = NDArray[np.float64]

# From "almost only the base rate" to "almost unpenalised" for some hundreds to some hundred thousand rows.
C_GRID: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_FOLDS = 5
# Where more rows than this are given, C is chosen on whole villages that hold about so many: the best C is a
# prior variance, which does not move with the number of rows; thirty fits on all would be most of a run.
_CV_ROWS = 5_000


class LinearMargin(MarginClassifier):
    """A margin that is linear in the columns of a `DesignMatrix`."""

    design_: DesignMatrix
    coef_: Array
    intercept_: float

    def _design(self, X: Any) -> Array:
        matrix = self._matrix(X)
        return self.design_.transform(matrix)

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event."""
        return self._design(X) @ self.coef_ + self.intercept_

    @property
    def base_value_(self) -> float:
        """The margin at the training mean, from which `contributions` count."""
        return self.intercept_

    def contributions(self, X: Any) -> Array:
        """Split the margin over the columns of X, in log-odds, counted from the training mean."""
        return self.design_.to_columns(self._design(X) * self.coef_)


class SelectedColumns(LinearMargin):
    """A margin that is linear in some columns of X, those at ``columns_``."""

    columns_: NDArray[np.int64]

    def _design(self, X: Any) -> Array:
        matrix = self._matrix(X)
        return self.design_.transform(matrix[:, self.columns_])

    def contributions(self, X: Any) -> Array:
        """As in `LinearMargin.contributions`; columns that are not used contribute 0."""
        used = super().contributions(X)
        out = np.zeros((len(used), self.n_features_in_))
        out[:, self.columns_] = used
        return out


class PenalisedLogit(LinearMargin):
    """Logistic regression with an l2 penalty, preprocessing included.

    Parameters
    ----------
    C : float or "cv", default 1.0
        Inverse penalty (scikit-learn's). ``"cv"`` takes from `C_GRID` the value with the lowest log loss
        over five folds of whole villages of the training data (ties: the stronger penalty). The columns
        are standardised once on all training rows: no label enters that.
    signed_log, winsorise
        See `DesignMatrix`.
    event_weight
        Weight of an event row in the fit; see `riskmodel.models.base.event_weights`.
    random_state
        Deals the villages.

    Attributes
    ----------
    C_ : float
        The value used.
    cv_loss_ : array of shape (len(C_GRID),)
        Mean log loss a value; empty unless ``C="cv"``.
    coef_, intercept_
        Of the standardised columns.

    Notes
    -----
    Assumes that log-odds are linear in the (tamed) columns; interactions are not seen.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0], [1.0], [2.0], [np.nan], [4.0], [5.0]])
    >>> model = PenalisedLogit().fit(X, [0, 0, 0, 1, 1, 1])
    >>> model.predict(X).tolist()
    [0, 0, 0, 1, 1, 1]
    """

    def __init__(
        self,
        C: float | Literal["cv"] = 1.0,
        signed_log: bool = True,
        winsorise: float = 0.002,
        event_weight: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.signed_log = signed_log
        self.winsorise = winsorise
        self.event_weight = event_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row; used only by ``C="cv"`` (without it rows are dealt, which is too kind
            where households repeat over as-of dates).

        Returns
        -------
        PenalisedLogit
            Itself, fitted.

        Raises
        ------
        ValueError
            If C is neither positive nor ``"cv"``, ``event_weight`` is not positive, or the target has not
            exactly two classes.
        """
        if not (self.C == "cv" or (isinstance(self.C, (int, float)) and self.C > 0)):
            raise ValueError(f'C={self.C!r}: must be a positive number or "cv"')
        matrix, target = self._training(X, y)
        weight = event_weights(target, self.event_weight)
        self.design_ = DesignMatrix(self.signed_log, self.winsorise).fit(matrix)
        columns = self.design_.transform(matrix)
        self.cv_loss_, self.C_ = np.empty(0), self.C
        # Sums split over threads end in other last digits elsewhere; one thread gives the same bytes.
        with threadpool_limits(limits=1, user_api="blas"):
            if self.C == "cv":
                self.cv_loss_ = _cv_loss(columns, target, groups, self.random_state, weight)
                self.C_ = C_GRID[int(np.argmin(self.cv_loss_))]
            self.coef_, self.intercept_ = solve_logit(columns, target, float(self.C_), None, weight)
        return self


def solve_logit(
    columns: Array,
    target: Array,
    C: float,
    start: LogisticRegression | None = None,
    weight: Array | None = None,
) -> tuple[Array, float]:
    """Return coefficients and intercept of a penalised logit, from a warm start if one is given."""
    model = start or _regression(C)
    model.set_params(C=C).fit(columns, target, sample_weight=weight)
    return model.coef_[0].copy(), float(model.intercept_[0])


def _regression(C: float) -> LogisticRegression:
    # Newton steps reach the optimum to rounding, so the answer hangs neither on a start nor on a tolerance.
    return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8, max_iter=200, warm_start=True)


def _cv_loss(columns: Array, target: Array, groups: Any, seed: int, weight: Array | None = None) -> Array:
    """Mean log loss on held-out villages for each value of `C_GRID`, shape (len(C_GRID),)."""
    units = int(village_codes(groups, len(target)).max()) + 1
    folds = min(_FOLDS, units)
    if folds < 2:
        raise ValueError('C="cv" needs at least two villages; give a number for C')
    parts = max(1, len(target) // _CV_ROWS)
    fold = village_folds(target, groups, min(units, folds * parts), seed)
    total, rows = np.zeros(len(C_GRID)), 0
    each = np.ones(len(target)) if weight is None else weight
    for k in range(folds):
        train, held = (fold != k) & (fold < folds), fold == k
        if len(np.unique(target[train])) < 2:
            continue
        rows += int(held.sum())
        model = _regression(C_GRID[0])
        rest, rest_target, held_columns = columns[train], target[train], columns[held]
        for i, C in enumerate(C_GRID):
            coef, intercept = solve_logit(
                rest, rest_target, C, model, None if weight is None else each[train]
            )
            margin = held_columns @ coef + intercept
            total[i] -= each[held] @ log_expit(np.where(target[held] == 1, margin, -margin))
    if rows == 0:
        raise ValueError('C="cv": no fold of villages leaves both classes to fit on; give a number for C')
    return total / rows


def _cross_validated(**params: Any) -> PenalisedLogit:
    return PenalisedLogit(**{"C": "cv", **params})


MODELS.register(
    ModelEntry(
        "logit",
        zh="惩罚逻辑回归",
        en="penalised logit",
        factory=_cross_validated,
        saves=(PenalisedLogit, DesignMatrix),
        needs="features",
        tradition="machine learning",
        contributions="linear",
        style=("#0072b2", ""),
        order=40,
        description_zh="标准化列上的岭惩罚逻辑回归",
        description_en="Ridge logistic regression on standardised columns.",
        checked_against=(
            "scikit-learn's ridge logistic regression on standard columns; coefficients recovered by "
            "simulation"
        ),
        tests=(
            "models/test_logit.py::test_without_gaps_and_tails_it_is_ridge_logistic_regression_on_standard_columns",
            "validity/test_recovery.py::test_logit_recovers_its_coefficients",
        ),
    )
)
