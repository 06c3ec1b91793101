"""The official rules as a classifier: their verdict first, then the distance to the line."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.special import expit, logit
from scipy.stats import t as student
from sklearn.isotonic import isotonic_regression
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.base import Array, MarginClassifier, village_codes, village_draws
from riskmodel.models.registry import MODELS, ModelEntry

# Where each stretch of the ranking begins; a known distance takes the open unit interval after it.
_UNKNOWN_CLEAR, _CLEAR, _UNKNOWN_FLAGGED, _FLAGGED = 0.0, 1.0, 2.0, 3.0
# Rows of prior weight at the overall rate: Laplace's two, enough to keep every rate off 0 and 1.
_PRIOR_ROWS = 2.0
# Log-odds from the bottom of the ranking to its top, added so that no two positions share a margin;
# far below what a rate from any number of households can resolve.
_TILT = 1e-3


class RuleVerdict(MarginClassifier):
    """Rank households as the rules do and give each rank the rate seen in training.

    The ranking: flagged first; then by distance to the line (line − income per head), the poorest
    first; an unknown distance comes last among the flagged and last among the others. The probability
    is the smoothed, never falling (isotonic) rate of bins of that ranking; the margin rises strictly
    with the ranking, so the two order households alike.

    Parameters
    ----------
    flag_column
        Boolean column: the rules count the household as found.
    distance_column
        Larger is poorer; NaN where the income is not known. Use a relative gap where lines differ.
    bins
        At most so many bins of known distance within the flagged, and within the others.
    draws
        Village resamples behind `predict_interval`.
    level
        Level of the interval.
    random_state
        Deals the villages and seeds the fit.

    Attributes
    ----------
    distance_scale_ : float
        Median of the absolute training distances, in the column's unit.
    knots_, levels_, errors_ : arrays of shape (bins used,)
        Positions in the ranking, their log-odds, and the standard errors of these.

    Notes
    -----
    It needs two named columns, so it takes a DataFrame only and is outside scikit-learn's
    `check_estimator`; its own contract is tested instead.
    """

    def __init__(
        self,
        flag_column: str = "flagged",
        distance_column: str = "gap",
        bins: int = 5,
        draws: int = 200,
        level: float = 0.95,
        random_state: int = 0,
    ) -> None:
        self.flag_column = flag_column
        self.distance_column = distance_column
        self.bins = bins
        self.draws = draws
        self.level = level
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any, groups: Any = None) -> Self:
        """Learn the rates of the ranking's bins.

        Parameters
        ----------
        X : DataFrame of shape (n, …)
            With the two columns; others are not used.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row, for the interval; without it rows are resampled.

        Returns
        -------
        RuleVerdict
            Itself, fitted.

        Raises
        ------
        ValueError
            If a column is absent, a flag is missing, a distance is infinite, or the target has not
            exactly two classes.
        """
        flagged, distance = self._columns(X)
        target = self._events(y)
        if len(target) != len(flagged):
            raise ValueError(f"y has {len(target)} rows where X has {len(flagged)}")
        known = np.abs(distance[np.isfinite(distance)])
        self.distance_scale_ = float(np.median(known)) or 1.0 if known.size else 1.0
        self._learn(self._position(flagged, distance), target, groups)
        return self

    def margin(self, X: pd.DataFrame) -> Array:
        """Return the log-odds of the event, strictly rising with the ranking."""
        check_is_fitted(self)
        position = self._position(*self._columns(X))
        return np.interp(position, self.knots_, self.levels_) + _TILT * position

    def predict_interval(self, X: pd.DataFrame) -> Array:
        """Return lower and upper probability for the average household at that place in the ranking."""
        margin = self.margin(X)
        error = np.interp(self._position(*self._columns(X)), self.knots_, self.errors_)
        reach = student.ppf(0.5 + self.level / 2, max(1, self.villages_ - 1)) * error
        return expit(np.column_stack([margin - reach, margin + reach]))

    def _columns(self, X: pd.DataFrame) -> tuple[NDArray[np.bool_], Array]:
        wanted = (self.flag_column, self.distance_column)
        absent = [name for name in wanted if name not in getattr(X, "columns", ())]
        if absent:
            raise ValueError(
                f"X lacks {absent}; give the rules' table as a DataFrame with the columns {list(wanted)}"
            )
        flag = X[self.flag_column]
        if flag.isna().any():
            raise ValueError(
                f"{self.flag_column!r} is missing in {int(flag.isna().sum())} row(s); give True or False"
            )
        distance = X[self.distance_column].to_numpy(dtype=float, na_value=np.nan)
        if np.isinf(distance).any():
            raise ValueError(
                f"{self.distance_column!r} is infinite in {int(np.isinf(distance).sum())} row(s); use NaN"
            )
        return flag.to_numpy(dtype=bool), distance

    def _position(self, flagged: NDArray[np.bool_], distance: Array) -> Array:
        known = ~np.isnan(distance)
        start = np.where(
            flagged, np.where(known, _FLAGGED, _UNKNOWN_FLAGGED), np.where(known, _CLEAR, _UNKNOWN_CLEAR)
        )
        gap = np.where(known, distance, 0.0)
        squashed = 0.5 + 0.5 * gap / (self.distance_scale_ + np.abs(gap))
        return start + np.where(known, squashed, 0.0)

    def _learn(self, position: Array, target: Array, groups: Any) -> None:
        edges = [_CLEAR, _UNKNOWN_FLAGGED, _FLAGGED]
        for low in (_CLEAR, _FLAGGED):
            part = position[(position > low) & (position < low + 1)]
            if part.size:
                edges.extend(np.quantile(part, np.linspace(0, 1, self.bins + 1)[1:-1]))
        cell = np.searchsorted(np.unique(edges), position, side="right")
        _, cell = np.unique(cell, return_inverse=True)
        rows = np.bincount(cell).astype(float)
        self.knots_ = np.bincount(cell, weights=position) / rows
        base = float(target.mean())
        hits = np.bincount(cell, weights=target).astype(float)
        self.levels_ = logit(isotonic_regression(_smoothed(hits, rows, base), sample_weight=rows))
        self._spread(cell, target, village_codes(groups, len(target)), base)

    def _spread(
        self, cell: NDArray[np.int64], target: Array, village: NDArray[np.int64], base: float
    ) -> None:
        """Learn each bin's standard error in log-odds from village resamples."""
        self.villages_, width = int(village.max()) + 1, len(self.knots_)
        place = (village, cell)
        shape = (self.villages_, width)
        total = coo_array((np.ones(len(cell)), place), shape=shape).tocsr()
        hits = coo_array((target, place), shape=shape).tocsr()
        draws = village_draws(self.villages_, self.draws, self.random_state)
        resampled = logit(_smoothed(draws @ hits, draws @ total, base))
        self.errors_ = resampled.std(axis=0, ddof=1)


def _smoothed(hits: Array, rows: Array, base: float) -> Array:
    return (hits + _PRIOR_ROWS * base) / (rows + _PRIOR_ROWS)


MODELS.register(
    ModelEntry(
        "rule",
        zh="规则判定",
        en="rule verdict",
        sentence_zh="规则",
        sentence_en="the rule list",
        factory=RuleVerdict,
        saves=(RuleVerdict,),
        needs="rules",
        tradition="rules",
        calibrated=False,
        simple=True,
        simple_order=True,
        style=("#6b7280", "6 3"),
        order=10,
        description_zh="按规则判定，再按距监测线的远近排序",
        description_en="Households flagged by the rules first, then by their distance to the line.",
        checked_against="the rules' own order and the rates seen in training",
        tests=("models/test_rule_verdict.py::test_margin_orders_households_strictly_as_the_rules_do",),
    )
)
