"""Logistic regressions on standardised columns: with a ridge penalty; with village-robust errors."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.special import expit, log_expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from riskmodel.models.base import (
    Array,
    DesignMatrix,
    MarginClassifier,
    PreparedRows,
    event_weights,
    penalty_folds,
    row_blocks,
    village_codes,
)
from riskmodel.models.calibrated import VennAbers, VennAbersScore
from riskmodel.models.registry import MODELS, ModelEntry

# From "almost only the base rate" to "almost unpenalised" for some hundreds to some hundred thousand rows.
C_GRID: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


class LinearMargin(MarginClassifier):
    """A margin that is linear in the columns of a `DesignMatrix`."""

    design_: DesignMatrix
    coef_: Array
    intercept_: float

    def _selected(self, matrix: Array) -> Array:
        """Return what of X goes into the design: all of it."""
        return matrix

    def prepare_rows(self, X: Any) -> Iterator[tuple[slice, PreparedRows]]:
        """Check X once and yield its rows in blocks."""
        matrix = self._matrix(X)
        for rows in row_blocks(matrix):
            yield rows, PreparedRows(matrix[rows])

    def _design(self, X: Any) -> Array:
        rows = X if isinstance(X, PreparedRows) else PreparedRows(self._matrix(X))
        if rows.design is None:
            rows.design = self.design_.transform(self._selected(rows.matrix))
        return rows.design

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

    def _selected(self, matrix: Array) -> Array:
        return matrix[:, self.columns_]

    def _fit_design(self, matrix: Array) -> Array:
        """Fit the design on the columns used and return it."""
        used = self._selected(matrix)
        self.design_ = DesignMatrix()
        return self.design_.fit_transform(used)

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
        self.design_ = DesignMatrix(self.signed_log, self.winsorise)
        columns = self.design_.fit_transform(matrix)
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
    total, rows = np.zeros(len(C_GRID)), 0
    each = np.ones(len(target)) if weight is None else weight
    for rest, held in penalty_folds(target, groups, seed, "C"):
        rows += int(held.sum())
        model = _regression(C_GRID[0])
        columns_rest, target_rest, columns_held = columns[rest], target[rest], columns[held]
        for i, C in enumerate(C_GRID):
            coef, intercept = solve_logit(
                columns_rest, target_rest, C, model, None if weight is None else each[rest]
            )
            margin = columns_held @ coef + intercept
            total[i] -= each[held] @ log_expit(np.where(target[held] == 1, margin, -margin))
    if rows == 0:
        raise ValueError('C="cv": no fold of villages leaves both classes to fit on; give a number for C')
    return total / rows


MODELS.register(
    ModelEntry(
        "logit",
        zh="惩罚逻辑回归",
        en="penalised logit",
        factory=functools.partial(PenalisedLogit, C="cv"),
        saves=(PenalisedLogit, DesignMatrix),
        needs="features",
        tradition="machine learning",
        many_columns=True,
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


# Where classes are separated there is no maximum; a prior standard deviation of a hundred keeps it finite.
_WEAK = 1e4


class ClusterLogit(SelectedColumns):
    """Maximum-likelihood logit with cluster-robust covariance and average marginal effects.

    statsmodels fits it and gives the covariance; the estimator keeps arrays only. Columns that are linear
    combinations of others are left out (their coefficient is 0 and their standard error missing).

    Parameters
    ----------
    columns
        Columns of a DataFrame to use; default all. Many columns and few events infer little.

    Attributes
    ----------
    coef_, intercept_
        Of the standardised columns of ``design_``.
    covariance_ : array of shape (k + 1, k + 1)
        Cluster-robust, of ``coef_`` and the intercept (last); NaN for columns left out.
    ame_, ame_se_ : arrays of shape (k,)
        Average change of the chance for one standard deviation of a column, and its standard error
        (delta method).
    n_clusters_ : int
        Villages.
    separated_ : bool
        The likelihood had no maximum; a weak penalty stands in and standard errors are to be distrusted.

    References
    ----------
    Liang and Zeger 1986; Cameron and Miller 2015, "A practitioner's guide to cluster-robust inference" (few
    clusters make these standard errors too small); small-sample factor G/(G−1)·(n−1)/(n−k) as in statsmodels.

    Examples
    --------
    >>> X = np.array([[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]])
    >>> model = ClusterLogit().fit(X, [0, 0, 0, 1, 0, 1, 1, 1], groups=list("abcdabcd"))
    >>> model.predict_proba(X)[[0, -1], 1].round(4).tolist()
    [0.25, 0.75]
    """

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row; without it rows are taken as independent.

        Returns
        -------
        ClusterLogit
            Itself, fitted.

        Raises
        ------
        ValueError
            If a named column is not in X, or the target has one class.
        """
        matrix, target = self._training(X, y)
        self.columns_ = self._positions(self.columns)
        design = self._fit_design(matrix)
        village = village_codes(groups, len(target))
        self.n_clusters_ = int(village.max()) + 1
        independent = _independent(design)
        full = np.column_stack([design[:, independent], np.ones(len(design))])
        with threadpool_limits(limits=1, user_api="blas"):
            beta, covariance, self.separated_ = _fitted(full, target, village)
        k = design.shape[1]
        place = np.r_[independent, k]
        self.coef_ = np.zeros(k)
        self.coef_[independent], self.intercept_ = beta[:-1], float(beta[-1])
        self.covariance_ = np.full((k + 1, k + 1), np.nan)
        self.covariance_[np.ix_(place, place)] = covariance
        self.ame_, self.ame_se_ = np.zeros(k), np.full(k, np.nan)
        self.ame_[independent], self.ame_se_[independent] = _marginal_effects(full, beta, covariance)
        return self

    def effects(self) -> pd.DataFrame:
        """Return the table an econometrician wants.

        Returns
        -------
        DataFrame
            One row a column of the design: ``column, coef, se, z, p, odds_ratio, ame, ame_se`` (per standard
            deviation of the column, logarithm taken where `DesignMatrix` takes it). Missing-value indicators
            are named ``missing:COLUMN``.
        """
        check_is_fitted(self)
        names = self._column_names()
        used = [names[i] for i in self.columns_]
        rows = [*used, *(f"missing:{used[i]}" for i in self.design_.pattern_column_)]
        se = np.sqrt(np.diag(self.covariance_)[:-1])
        z = self.coef_ / se
        return pd.DataFrame({
            "column": rows, "coef": self.coef_, "se": se, "z": z, "p": 2 * norm.sf(np.abs(z)),
            "odds_ratio": np.exp(self.coef_), "ame": self.ame_, "ame_se": self.ame_se_,
        })  # fmt: skip


def _independent(design: Array) -> NDArray[np.int64]:
    """Positions of a largest set of columns none of which is a combination of the others."""
    if design.shape[1] == 0:
        return np.empty(0, dtype=np.int64)
    centred = design - design.mean(axis=0)
    _, r, order = qr(centred, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    rank = int(np.sum(size > 1e-8 * max(size.max(), 1e-300)))
    return np.sort(order[: max(rank, 1)]).astype(np.int64) if size.max() > 0 else np.empty(0, dtype=np.int64)


def _fitted(matrix: Array, target: Array, village: NDArray[np.int64]) -> tuple[Array, Array, bool]:
    from statsmodels.discrete.discrete_model import Logit

    try:
        with warnings.catch_warnings():
            # Every warning here means that the maximum was not reached: separation, most often.
            warnings.simplefilter("error")
            result = Logit(target, matrix).fit(
                disp=0, maxiter=60, cov_type="cluster", cov_kwds={"groups": village}
            )
        beta, covariance = np.asarray(result.params), np.asarray(result.cov_params())
        if np.isfinite(covariance).all() and np.abs(beta).max() < 50:
            return beta, covariance, False
    except (Warning, np.linalg.LinAlgError, ValueError, ZeroDivisionError):
        pass
    weak = LogisticRegression(C=_WEAK, solver="newton-cholesky", tol=1e-8, max_iter=300, fit_intercept=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weak.fit(matrix[:, :-1] if matrix.shape[1] > 1 else np.zeros((len(matrix), 1)), target)
    beta = np.r_[weak.coef_[0][: matrix.shape[1] - 1], weak.intercept_[0]]
    return beta, sandwich(matrix, target, beta, village, ridge=1 / _WEAK), True


def sandwich(
    matrix: Array, target: Array, beta: Array, village: NDArray[np.int64], ridge: float = 0.0
) -> Array:
    """Cluster-robust covariance of a logit."""
    p = expit(matrix @ beta)
    curvature = (matrix * (p * (1 - p))[:, None]).T @ matrix + ridge * np.eye(len(beta))
    bread = np.linalg.pinv(curvature)
    groups = int(village.max()) + 1
    score = np.zeros((groups, len(beta)))
    np.add.at(score, village, matrix * (target - p)[:, None])
    n, k = matrix.shape
    factor = groups / max(1, groups - 1) * (n - 1) / max(1, n - k)
    return factor * bread @ (score.T @ score) @ bread


def _marginal_effects(matrix: Array, beta: Array, covariance: Array) -> tuple[Array, Array]:
    p = expit(matrix @ beta)
    density = p * (1 - p)
    bend = density * (1 - 2 * p)
    k = len(beta) - 1
    mean_density = density.mean()
    # d AME_j / d beta_m = 1[j = m]·mean p(1−p) + beta_j·mean p(1−p)(1−2p)·x_m
    jacobian = np.outer(beta[:k], (bend[:, None] * matrix).mean(axis=0))
    jacobian[:, :k] += mean_density * np.eye(k)
    variance = np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian)
    return beta[:k] * mean_density, np.sqrt(np.maximum(variance, 0.0))


def _effects(model: Any) -> dict[str, pd.DataFrame]:
    return {"effects": getattr(model, "base_", model).effects()}


MODELS.register(
    ModelEntry(
        "cluster_logit",
        zh="逻辑回归（按村聚类标准误）",
        en="logit, village-robust",
        short_zh="逻辑回归（少列）",
        short_en="logit, few columns",
        factory=ClusterLogit,
        saves=(ClusterLogit, DesignMatrix),
        needs="features",
        tradition="econometrics",
        contributions="linear",
        simple=True,
        tables=_effects,
        order=90,
        description_zh="少数列的极大似然逻辑回归，按村聚类标准误和边际效应",
        description_en=(
            "Maximum-likelihood logit of a few columns with village-robust errors and marginal effects."
        ),
        checked_against=(
            "statsmodels Logit with cluster covariance and marginal effects; coverage by simulation"
        ),
        tests=(
            "models/test_logit.py::test_cluster_logit_is_statsmodels_logit_with_cluster_covariance",
            "validity/test_tests_and_intervals.py::test_village_robust_errors_cover_and_plain_ones_do_not",
        ),
    )
)


def _of_logit(**params: Any) -> VennAbersScore:
    return VennAbersScore(**{"base": PenalisedLogit(C="cv"), **params})


MODELS.register(
    ModelEntry(
        "logit_venn",
        zh="逻辑回归（Venn–Abers 校准）",
        en="logit, Venn–Abers",
        short_zh="Venn–Abers 校准",
        factory=_of_logit,
        saves=(VennAbersScore, VennAbers),
        needs="features",
        tradition="machine learning",
        calibrated=False,
        order=140,
        description_zh="惩罚逻辑回归，以 Venn–Abers 法校准",
        description_en="Penalised logit calibrated by Venn–Abers.",
        checked_against=(
            "the definition done literally by scikit-learn's isotonic regression (Vovk & Petej 2014); "
            "calibration by simulation"
        ),
        tests=(
            "models/test_calibrated.py::test_venn_abers_is_isotonic_regression_with_the_new_point_added",
            "validity/test_tests_and_intervals.py::test_venn_abers_probabilities_are_calibrated_whatever_the_score",
        ),
    )
)
