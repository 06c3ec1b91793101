"""Baselines that any model has to beat: past income, permanent income, and the village alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import beta
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.base import Array, DesignMatrix, MarginClassifier
from riskmodel.models.logit import SelectedColumns, solve_logit
from riskmodel.models.registry import MODELS, ModelEntry

# Friedman's estimate of how fast expected income takes up what is earned, a year; his weights of this year
# and the years before are 0.33, 0.22, 0.15, 0.10, … (1957, ch. V).
BETA = 0.4


class PastIncome(SelectedColumns):
    """Past income alone: what any model has to beat.

    Parameters
    ----------
    columns
        The income column(s) of a DataFrame; default all columns of X. Columns not named are not used.

    Notes
    -----
    One or two coefficients need no shrinkage; a weak penalty (C = 100) only keeps separated samples finite.
    """

    _C = 100.0

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows; ``groups`` is accepted for the common interface and not used.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : ignored
            For the common interface only.

        Returns
        -------
        PastIncome
            Itself, fitted.

        Raises
        ------
        ValueError
            If a named column is not in X, or the target has not exactly two classes.
        """
        matrix, target = self._training(X, y)
        self.columns_ = self._positions(self.columns)
        self.coef_, self.intercept_ = solve_logit(self._fit_design(matrix), target, self._C)
        return self


class PermanentIncome(PastIncome):
    """Past weighted income: Σ w·income / Σ w over the last periods that are known, through a logit.

    What a year's luck adds to or takes from income is averaged out: a household is as well off as it has
    been for some years. Of the simplest forecasts this is the one that knows the past.

    Parameters
    ----------
    columns
        Income of the latest period first, then of the one before, and so on; default all columns of X.
    weights
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
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : ignored
            For the common interface only.

        Returns
        -------
        PermanentIncome
            Itself, fitted.

        Raises
        ------
        ValueError
            If a named column is not in X, the weights are not one positive number a column, or the target
            has not exactly two classes.
        """
        matrix, target = self._training(X, y)
        self.columns_ = self._positions(self.columns)
        raw = np.exp(-BETA * np.arange(len(self.columns_))) if self.weights is None else self.weights
        weights = np.asarray(raw, dtype=float)
        if weights.shape != self.columns_.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"weights={self.weights!r}: give one positive number for each of the "
                f"{len(self.columns_)} income columns, the latest period's first"
            )
        self.weights_ = weights / weights.sum()
        self.coef_, self.intercept_ = solve_logit(self._fit_design(matrix), target, self._C)
        return self

    @staticmethod
    def weigh(incomes: Array, weights: Array) -> Array:
        """Return the weighted mean of the periods that are known, NaN where none is.

        Parameters
        ----------
        incomes : array of shape (n, periods)
            Latest period first; NaN where not known.
        weights : array of shape (periods,)
            Of the same periods.

        Returns
        -------
        array of shape (n,)
            Yuan a head.
        """
        known = ~np.isnan(incomes)
        total = known @ weights
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, np.where(known, incomes, 0.0) @ weights / total, np.nan)

    def _selected(self, matrix: Array) -> Array:
        return self.weigh(matrix[:, self.columns_], self.weights_)[:, None]

    def contributions(self, X: Any) -> Array:
        """Split the margin over the columns of X, in log-odds, counted from the training mean.

        The one quantity's share is dealt to the known periods by their weights; where none is known, to the
        latest period.
        """
        matrix = self._matrix(X)
        known = ~np.isnan(matrix[:, self.columns_])
        part = known * self.weights_
        part[~known.any(axis=1), 0] = 1.0
        whole = self.design_.to_columns(self._design(X) * self.coef_)
        out = np.zeros((len(matrix), self.n_features_in_))
        out[:, self.columns_] = whole * (part / part.sum(axis=1, keepdims=True))
        return out


class VillageRate(MarginClassifier):
    """Give every household its village's past rate of events, shrunk towards the county's.

    The rate is the mean of a beta distribution whose prior has the county's rate and the weight of
    ``prior_rows`` rows (moment estimate from the spread between villages where it is not given). A village
    not seen in training has the county's rate.

    Parameters
    ----------
    column
        Column of X that names the village.
    prior_rows
        Weight of the county's rate, in rows; default estimated.
    level
        Of `predict_interval`.

    Attributes
    ----------
    villages_ : array of str
        Sorted.
    hits_, rows_ : arrays of shape (villages,)
        Events and rows of each village.
    base_rate_, prior_rows_ : float
        The county's rate and its weight in rows.

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
            For the common interface only.

        Returns
        -------
        VillageRate
            Itself, fitted.

        Raises
        ------
        ValueError
            If the column is absent, ``prior_rows`` is not positive, or the target has one class.
        """
        if self.prior_rows is not None and not self.prior_rows > 0:
            raise ValueError(f"prior_rows={self.prior_rows!r}: must be positive, or None to estimate it")
        names, target = self._village_names(X), self._events(y)
        self.villages_, code = np.unique(names, return_inverse=True)
        self.rows_ = np.bincount(code).astype(float)
        self.hits_ = np.bincount(code, weights=target).astype(float)
        self.base_rate_ = float(target.mean())
        self.prior_rows_ = self.prior_rows or _prior_rows(self.hits_, self.rows_, self.base_rate_)
        return self

    def margin(self, X: pd.DataFrame) -> Array:
        """Return the log-odds of the village's shrunken rate, shape (n,)."""
        a, b = self._posterior(X)
        return logit(a / (a + b))

    def predict_interval(self, X: pd.DataFrame) -> Array:
        """Return the posterior interval of the village's rate."""
        a, b = self._posterior(X)
        tail = (1 - self.level) / 2
        low, high, mean = beta.ppf(tail, a, b), beta.ppf(1 - tail, a, b), a / (a + b)
        # A very skewed posterior may have its mean outside its own quantiles.
        return np.column_stack([np.minimum(low, mean), np.maximum(high, mean)])

    def _posterior(self, X: pd.DataFrame) -> tuple[Array, Array]:
        check_is_fitted(self)
        names = self._village_names(X)
        at = np.minimum(np.searchsorted(self.villages_, names), len(self.villages_) - 1)
        known = self.villages_[at] == names
        hits, rows = np.where(known, self.hits_[at], 0.0), np.where(known, self.rows_[at], 0.0)
        prior = self.prior_rows_ * self.base_rate_
        return prior + hits, self.prior_rows_ - prior + rows - hits

    def _village_names(self, X: pd.DataFrame) -> NDArray[np.str_]:
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


MODELS.register(
    ModelEntry(
        "past_income",
        zh="仅往期收入",
        en="past income alone",
        short_en="past income",
        factory=PastIncome,
        saves=(PastIncome, DesignMatrix),
        needs="features",
        tradition="poverty",
        contributions="linear",
        simple=True,
        simple_order=True,
        style=("#d97706", "2 3"),
        order=20,
        description_zh="只看最近一期人均收入的逻辑回归",
        description_en="A logit of the latest period's income per head alone.",
        checked_against="a logit of its one column",
        tests=("models/test_baselines.py::test_past_income_uses_only_its_columns",),
    )
)
MODELS.register(
    ModelEntry(
        "run_rate",
        zh="按近期收入折年",
        en="income at the run rate",
        factory=PastIncome,
        saves=(PastIncome, DesignMatrix),
        needs="features",
        tradition="poverty",
        contributions="linear",
        simple=True,
        simple_order=True,
        order=21,
        description_zh="只看照最近一个月折算全年的人均纯收入的逻辑回归",
        description_en="A logit of income per head at the pace of the last month on record alone.",
        checked_against="a logit of its one column",
        tests=("models/test_baselines.py::test_run_rates_are_the_orders_of_their_columns",),
    )
)
MODELS.register(
    ModelEntry(
        "run_rates",
        zh="按近一、三、六个月收入折年",
        en="income at three run rates",
        factory=PastIncome,
        saves=(PastIncome, DesignMatrix),
        needs="features",
        tradition="poverty",
        contributions="linear",
        simple=True,
        simple_order=True,
        order=22,
        description_zh="只看照近一、三、六个月折算全年的人均纯收入的逻辑回归",
        description_en="A logit of income per head at the pace of the last month, three and six months.",
        checked_against="a logit of its three columns",
        tests=("models/test_baselines.py::test_run_rates_are_the_orders_of_their_columns",),
    )
)
MODELS.register(
    ModelEntry(
        "permanent_income",
        zh="往期收入加权（永久收入）",
        en="past weighted income (permanent income)",
        factory=PermanentIncome,
        saves=(PermanentIncome, DesignMatrix),
        needs="features",
        tradition="poverty",
        contributions="linear",
        simple=True,
        simple_order=True,
        order=30,
        description_zh="最近几期收入加权平均后的逻辑回归",
        description_en="A logit of the weighted mean of the last periods' incomes.",
        checked_against=(
            "Friedman's published weights (1957, ch. V); a logit of the weighted mean; a county where the"
            " average tells more than the latest year"
        ),
        tests=(
            "models/test_baselines.py::test_default_weights_are_friedmans",
            "models/test_baselines.py::test_it_is_a_logit_of_the_weighted_mean_and_adds_up",
            "models/test_baselines.py::test_what_a_years_luck_hides_the_average_shows",
        ),
    )
)
MODELS.register(
    ModelEntry(
        "village",
        zh="仅所在村",
        en="village alone",
        factory=VillageRate,
        saves=(VillageRate,),
        needs="place",
        tradition="poverty",
        calibrated=False,
        simple=True,
        simple_order=True,
        order=60,
        description_zh="只看所在村过去的发生率，向全县收缩",
        description_en="The village's past rate of events, shrunk towards the county's.",
        checked_against="the beta-binomial posterior",
        tests=("models/test_baselines.py::test_village_rate_is_the_beta_binomial_posterior",),
    )
)
