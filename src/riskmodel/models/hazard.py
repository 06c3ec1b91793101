"""Discrete-time hazard of return: complementary log-log, duration terms, optional village frailty."""

from __future__ import annotations

import functools
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from riskmodel.models.base import (
    Array,
    DesignMatrix,
    MarginClassifier,
    OneClassError,
    penalty_folds,
    village_codes,
)
from riskmodel.models.registry import MODELS, ModelEntry

# Gauss–Hermite nodes of the village effect: nine place a normal mixture of cloglog to four digits.
_NODES = 9
# From "almost only the level" to "almost unpenalised", as the logit's grid has it.
ALPHAS: tuple[float, ...] = (1e4, 1e3, 1e2, 1e1, 1.0, 0.1)
# Beyond this the hazard is 0 or 1 to the last digit of a float.
_ETA_LOW, _ETA_HIGH = -30.0, 3.5


class DiscreteHazard(MarginClassifier):
    """Grouped-time proportional hazards: ``h = 1 − exp(−exp(x·β + γ(duration) + u_village))``.

    A row is a household at risk at an as-of date, the event a return within the horizon; the spell's history
    (how often and how long ago below the line) are columns like any other. The complementary log-log link is
    what a proportional hazard in continuous time becomes when it is seen by period.

    Parameters
    ----------
    duration
        Column with the time at risk so far; it enters as steps between its training quantiles, and a gap as
        a step of its own. X must then be a DataFrame. Default: no duration terms beyond the level.
    steps
        At most so many steps.
    frailty
        Villages share a normal effect, integrated out by Gauss–Hermite quadrature.
    alpha : float or "cv", default 1.0
        Ridge penalty α/2·|β|² on the standardised columns (not on the level); 0 is maximum likelihood.
        ``"cv"`` takes from `ALPHAS` the value with the highest likelihood over folds of whole villages of the
        training rows (ties: the stronger penalty).
    random_state
        Deals the villages.
    raw
        Columns as they are, whole rows only (the duration may be missing): with ``alpha=0`` the published
        estimator, equal to statsmodels' binomial GLM with complementary log-log link on the person-period
        rows (1e-6 of a chance in the tests). Otherwise (default) columns are clipped, put in logarithms where
        heavy-tailed, and standardised, and gaps get marks: `effects` says so column by column.

    Attributes
    ----------
    coef_, intercept_
        Of the standardised columns (``raw``: of the columns themselves), then of the duration steps.
    edges_ : array
        Where duration steps begin.
    alpha_ : float
        The penalty used.
    frailty_sd_ : float
        0 without frailty.
    converged_ : bool
        Whether the maximum was reached.

    Notes
    -----
    Windows of neighbouring as-of dates overlap, so rows of one household are not independent: the standard
    errors of the likelihood would be too small and are not given; intervals come from village resampling.

    References
    ----------
    Prentice and Gloeckler 1978; Jenkins 1995, "Easy estimation methods for discrete-time duration models".

    Examples
    --------
    >>> X = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> model = DiscreteHazard(alpha=0.0).fit(X, [0, 0, 1, 0, 1, 1])
    >>> model.predict_proba(X)[[0, -1], 1].round(4).tolist()
    [0.3333, 0.6667]
    """

    coef_: Array
    intercept_: float

    def __init__(
        self,
        duration: str | None = None,
        steps: int = 5,
        frailty: bool = False,
        alpha: float | Literal["cv"] = 1.0,
        random_state: int = 0,
        raw: bool = False,
    ) -> None:
        self.duration = duration
        self.steps = steps
        self.frailty = frailty
        self.alpha = alpha
        self.random_state = random_state
        self.raw = raw

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit by penalised maximum likelihood.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row; needed for the frailty only.

        Returns
        -------
        DiscreteHazard
            Itself, fitted.

        Raises
        ------
        ValueError
            If ``duration`` is not a column, a parameter is out of range, or the target has one class (with
            ``raw``: on the rows without a gap).
        """
        if self.steps < 1 or not (self.alpha == "cv" or self.alpha >= 0):
            raise ValueError(
                f'steps={self.steps!r}, alpha={self.alpha!r}: steps at least 1, alpha at least 0 or "cv"'
            )
        matrix, target = self._training(X, y)
        self.duration_ = self._position()
        if self.raw:
            matrix, target, groups = _whole_rows(matrix, target, groups, self._others(matrix))
        if self.duration_ >= 0:
            self._learn_steps(matrix[:, self.duration_])
        self.design_ = DesignMatrix(raw=self.raw).fit(self._others(matrix))
        columns = self._columns(matrix)
        # Raw columns are standardised to be solved and penalised; coefficients are those of the columns.
        standard = StandardScaler().fit(columns) if self.raw and columns.shape[1] else None
        if standard is not None:
            columns = standard.transform(columns)
        village = village_codes(groups, len(target)) if self.frailty else None
        with threadpool_limits(limits=1, user_api="blas"):
            self.alpha_ = self.alpha
            if self.alpha == "cv":
                self.alpha_ = _best_alpha(columns, target, groups, self.random_state)
            self._solve(columns, target, village)
        if standard is not None:
            self.coef_ = self.coef_ / standard.scale_
            self.intercept_ -= float(self.coef_ @ standard.mean_)
        return self

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event within one period, the village effect averaged over."""
        return self._log_odds(self._eta(self._matrix(X)))

    def survival(self, X: Any, periods: int, period_length: float) -> Array:
        """Return the chance of no event up to the end of each coming period, covariates held as they are.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        periods
            How many periods ahead.
        period_length
            Length of a period in the duration column's unit (12 for months and a yearly label).

        Returns
        -------
        array of shape (n, periods)
            Falling along each row. With frailty the village effect is that of the average survivor at each
            period's start: the curve conditions on the effect first and averages after.
        """
        matrix = self._matrix(X).copy()
        nodes, weights = self._nodes()
        alive = np.ones((len(matrix), len(nodes)))
        out = np.empty((len(matrix), periods))
        for period in range(periods):
            eta = self._eta(matrix)[:, None] + self.frailty_sd_ * nodes
            alive *= np.exp(-np.exp(np.clip(eta, _ETA_LOW, _ETA_HIGH)))
            out[:, period] = alive @ weights
            if self.duration_ >= 0:
                matrix[:, self.duration_] += period_length
        return out

    def effects(self) -> pd.DataFrame:
        """Return the coefficients and what was done to each column.

        Returns
        -------
        DataFrame
            One row a column of the design, duration step, level, penalty and village spread: ``column, coef,
            hazard_ratio, done, gap_takes, clipped_low, clipped_high, log_scale, subtracted, divided_by``;
            ``done`` is ``raw`` where the column is as it was given.
        """
        check_is_fitted(self)
        names = [name for i, name in enumerate(self._column_names()) if i != self.duration_]
        table = self.design_.describe(names)
        rest = [(name, "1 within the step") for name in self._step_names()]
        rest += [("(level)", "raw"), ("(penalty)", "ridge on the standardised columns")]
        rest += [("(village)", "standard deviation of the shared effect")]
        table = pd.concat([table, pd.DataFrame(rest, columns=["column", "done"])], ignore_index=True)
        table.insert(1, "coef", np.r_[self.coef_, self.intercept_, self.alpha_, self.frailty_sd_])
        ratio = np.r_[np.exp(self.coef_), np.full(3, np.nan)]
        table.insert(2, "hazard_ratio", ratio)
        return table

    def _step_names(self) -> list[str]:
        """Return a name for each duration step but the one that the others are measured from."""
        if self.duration_ < 0:
            return []
        ends = [f"{edge:g}" for edge in self.edges_]
        bounds = zip(["", *ends], [*ends, ""], strict=True)
        names = [f"{self.duration} [{low}, {high})" for low, high in bounds] + [f"missing:{self.duration}"]
        return names[: self.reference_] + names[self.reference_ + 1 :]

    def _position(self) -> int:
        if self.duration is None:
            return -1
        names = list(getattr(self, "feature_names_in_", []))
        if self.duration not in names:
            raise ValueError(
                f"duration={self.duration!r} is no column of X; give a DataFrame with it, one of: "
                f"{', '.join(map(str, names[:20])) or '(X has no column names)'}"
            )
        return names.index(self.duration)

    def _learn_steps(self, duration: Array) -> None:
        known = duration[~np.isnan(duration)]
        cuts = np.quantile(known, np.linspace(0, 1, self.steps + 1)[1:-1]) if known.size else np.empty(0)
        self.edges_ = np.unique(cuts[cuts > known.min()]) if known.size else cuts
        share = self._dummies(duration).mean(axis=0)
        # The fullest step is the one the others are measured from.
        self.reference_ = int(np.argmax(share))

    def _dummies(self, duration: Array) -> Array:
        step = np.searchsorted(self.edges_, duration, side="right")
        step = np.where(np.isnan(duration), len(self.edges_) + 1, step)
        return (step[:, None] == np.arange(len(self.edges_) + 2)).astype(float)

    def _others(self, matrix: Array) -> Array:
        return matrix if self.duration_ < 0 else np.delete(matrix, self.duration_, axis=1)

    def _columns(self, matrix: Array) -> Array:
        rest = self.design_.transform(self._others(matrix))
        if self.duration_ < 0:
            return rest
        return np.hstack([rest, np.delete(self._dummies(matrix[:, self.duration_]), self.reference_, axis=1)])

    def _eta(self, matrix: Array) -> Array:
        return self._columns(matrix) @ self.coef_ + self.intercept_

    def _nodes(self) -> tuple[Array, Array]:
        check_is_fitted(self)
        if self.frailty_sd_ == 0:
            return np.zeros(1), np.ones(1)
        return _gauss_hermite()

    def _log_odds(self, eta: Array) -> Array:
        nodes, weights = self._nodes()
        rate = np.exp(np.clip(eta[:, None] + self.frailty_sd_ * nodes, _ETA_LOW, _ETA_HIGH))
        return np.log(-np.expm1(-rate) @ weights) - np.log(np.exp(-rate) @ weights)

    def _solve(self, columns: Array, target: Array, village: NDArray[np.int64] | None) -> None:
        matrix = np.column_stack([columns, np.ones(len(columns))])
        penalty = np.r_[np.full(columns.shape[1], float(self.alpha_)), 0.0]
        beta, done = _fisher_scoring(matrix, target, penalty, _level_only(target, matrix.shape[1]))
        self.frailty_sd_ = 0.0
        if village is not None:
            beta, self.frailty_sd_, done = _mixed(matrix, target, penalty, village, beta)
        self.coef_, self.intercept_, self.converged_ = beta[:-1], float(beta[-1]), done


def _whole_rows(matrix: Array, target: Array, groups: Any, columns: Array) -> tuple[Array, Array, Any]:
    """Return the rows of which no column is missing."""
    whole = ~np.isnan(columns).any(axis=1)
    if len(np.unique(target[whole])) < 2:
        raise OneClassError(
            f"of {len(target)} rows {int(whole.sum())} have every column, of one class only; raw=True "
            "fits on those: name fewer columns, or leave raw out"
        )
    return matrix[whole], target[whole], None if groups is None else np.asarray(groups, dtype=object)[whole]


def _effects(model: Any) -> dict[str, pd.DataFrame]:
    return {"hazard_effects": getattr(model, "base_", model).effects()}


def _gauss_hermite() -> tuple[Array, Array]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return nodes, weights / weights.sum()


def _terms(eta: Array, target: Array) -> tuple[Array, Array, Array]:
    """Log-likelihood of each row, its derivative by eta, and the expected curvature."""
    eta = np.clip(eta, _ETA_LOW, _ETA_HIGH)
    rate = np.exp(eta)
    hit = -np.expm1(-rate)
    like = np.where(target == 1, np.log(hit), -rate)
    ratio = rate * np.exp(-rate) / hit
    slope = np.where(target == 1, ratio, -rate)
    return like, slope, rate * ratio


def _level_only(target: Array, size: int) -> Array:
    """Return the coefficients at which every row has the overall rate."""
    beta = np.zeros(size)
    beta[-1] = np.log(-np.log1p(-target.mean()))
    return beta


def _fisher_scoring(matrix: Array, target: Array, penalty: Array, start: Array) -> tuple[Array, bool]:
    """Fisher scoring with step halving."""
    beta = start
    best = _objective(matrix, target, penalty, beta)
    for _ in range(100):
        _, slope, curvature = _terms(matrix @ beta, target)
        gradient = matrix.T @ slope - penalty * beta
        hessian = (matrix * curvature[:, None]).T @ matrix + np.diag(penalty)
        # The smallest ridge that keeps a collinear, unpenalised design solvable.
        step = np.linalg.solve(hessian + 1e-9 * np.trace(hessian) / len(beta) * np.eye(len(beta)), gradient)
        scale, trial = 1.0, _objective(matrix, target, penalty, beta + step)
        while trial < best and scale > 1e-6:
            scale /= 2
            trial = _objective(matrix, target, penalty, beta + scale * step)
        beta = beta + scale * step
        if abs(trial - best) <= 1e-12 * (1 + abs(best)):
            return beta, True
        best = max(best, trial)
    return beta, False


def _best_alpha(columns: Array, target: Array, groups: Any, seed: int) -> float:
    """Return the penalty with the highest held-out likelihood, chosen on whole villages."""
    matrix = np.column_stack([columns, np.ones(len(columns))])
    total = np.zeros(len(ALPHAS))
    for rest, held in penalty_folds(target, groups, seed, "alpha"):
        beta = _level_only(target[rest], matrix.shape[1])
        for i, alpha in enumerate(ALPHAS):
            penalty = np.r_[np.full(columns.shape[1], alpha), 0.0]
            beta, _ = _fisher_scoring(matrix[rest], target[rest], penalty, beta)
            total[i] += _terms(matrix[held] @ beta, target[held])[0].sum()
    return ALPHAS[int(np.argmax(total))]


def _objective(matrix: Array, target: Array, penalty: Array, beta: Array) -> float:
    return float(_terms(matrix @ beta, target)[0].sum() - 0.5 * np.sum(penalty * beta**2))


def _mixed(
    matrix: Array, target: Array, penalty: Array, village: NDArray[np.int64], start: Array
) -> tuple[Array, float, bool]:
    """Maximise the likelihood with the village effect integrated out; returns β, its sd, convergence."""
    nodes, weights = _gauss_hermite()
    villages = int(village.max()) + 1

    def by_village(values: Array) -> Array:
        return np.column_stack([np.bincount(village, weights=v, minlength=villages) for v in values.T])

    def loss(theta: Array) -> tuple[float, Array]:
        beta, sd = theta[:-1], np.exp(theta[-1])
        eta = (matrix @ beta)[:, None] + sd * nodes
        like, slope, _ = _terms(eta, target[:, None])
        total = by_village(like) + np.log(weights)
        top = total.max(axis=1, keepdims=True)
        marginal = np.log(np.exp(total - top).sum(axis=1)) + top[:, 0]
        share = np.exp(total - marginal[:, None])[village] * slope
        gradient = np.r_[matrix.T @ share.sum(axis=1) - penalty * beta, sd * (share @ nodes).sum()]
        return -(marginal.sum() - 0.5 * np.sum(penalty * beta**2)), -gradient

    # A log standard deviation below −5 is no frailty; above 1.5 villages would have rates of 0 or 1.
    bounds = [(None, None)] * len(start) + [(-5.0, 1.5)]
    solution = minimize(
        loss, np.r_[start, -1.0], jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 300}
    )
    return solution.x[:-1], float(np.exp(solution.x[-1])), bool(solution.success)


MODELS.register(
    ModelEntry(
        "hazard",
        zh="离散时间风险（cloglog）",
        en="discrete-time hazard (cloglog)",
        short_zh="离散时间风险",
        short_en="discrete hazard",
        factory=functools.partial(DiscreteHazard, alpha="cv"),
        saves=(DiscreteHazard, DesignMatrix),
        needs="features",
        tradition="survival",
        tables=_effects,
        order=80,
        description_zh="离散时间比例风险模型，互补双对数连接",
        description_en="Proportional hazards in discrete time with a complementary log-log link.",
        checked_against=(
            "published: the beetles of Bliss 1935 (Dobson, table 7.4); statsmodels GLM with cloglog; the "
            "life table; the frailty by simulation"
        ),
        tests=(
            "models/test_hazard.py::test_hazard_of_the_beetles_is_the_published_extreme_value_model",
            "models/test_hazard.py::test_hazard_is_statsmodels_cloglog",
            "models/test_hazard.py::test_raw_hazard_is_statsmodels_on_person_periods_as_they_are",
            "models/test_hazard.py::test_hazard_of_a_duration_alone_is_the_life_table",
            "validity/test_frailty.py::test_the_village_effect_is_recovered_without_bias",
        ),
    )
)
