"""From raw columns with gaps and heavy tails to standardised columns, inside the estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

Array = NDArray[np.float64]

# A normal column has (q99 - median) / (q75 - q25) = 1.7, an exponential one 3.6, a log-normal one 6.
_HEAVY = 3.0
# Flags, grades and small counts have few values; a logarithm of them helps no one.
_FEW_VALUES = 10


class DesignMatrix(TransformerMixin, BaseEstimator):
    """Impute, tame tails, standardise, and mark what was missing."""

    # Each column is clipped to its training quantiles (to its training range where the two quantiles
    # coincide, as for rare events), heavy-tailed ones go through sign(x)·ln(1 + |x|/s) with s the median of
    # the non-zero |x|, gaps take the training median, and all is standardised. Every pattern of missingness
    # seen in training adds one indicator column; columns that are missing together share it, so that one
    # source that was not delivered is counted once.

    def __init__(self, signed_log: bool = True, winsorise: float = 0.002) -> None:
        self.signed_log = signed_log
        self.winsorise = winsorise

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn medians, limits, scales and missing patterns."""
        if not 0 <= self.winsorise < 0.5:
            raise ValueError(f"winsorise={self.winsorise!r}: must be in [0, 0.5)")
        raw = np.asarray(X, dtype=float)
        gaps = np.isnan(raw)
        columns = [
            _describe(raw[~gaps[:, j], j], self.winsorise, self.signed_log) for j in range(raw.shape[1])
        ]
        self.median_, self.low_, self.high_, self.log_scale_ = (
            np.array(v) for v in zip(*columns, strict=True)
        )
        self.missing_share_ = gaps.mean(axis=0)
        self._learn_patterns(gaps)
        values = self._values(raw)
        self.mean_ = values.mean(axis=0)
        self.scale_ = _scale(values)
        marks = gaps[:, self.pattern_column_].astype(float)
        self.pattern_mean_ = marks.mean(axis=0)
        self.pattern_scale_ = _scale(marks)
        return self

    def transform(self, X: Any) -> Array:
        """Return the standardised columns followed by the indicator columns."""
        raw = np.asarray(X, dtype=float)
        marks = np.isnan(raw[:, self.pattern_column_]).astype(float)
        return np.hstack(
            [
                (self._values(raw) - self.mean_) / self.scale_,
                (marks - self.pattern_mean_) / self.pattern_scale_,
            ]
        )

    def to_columns(self, contributions: Array) -> Array:
        """Add the indicators' contributions to the raw columns they stand for."""
        p = len(self.median_)
        return contributions[:, :p] + contributions[:, p:] @ self.pattern_shares_

    def _values(self, raw: Array) -> Array:
        filled = np.clip(np.where(np.isnan(raw), self.median_, raw), self.low_, self.high_)
        logged = np.isfinite(self.log_scale_)
        part = filled[:, logged]
        filled[:, logged] = np.sign(part) * np.log1p(np.abs(part) / self.log_scale_[logged])
        return filled

    def _learn_patterns(self, gaps: NDArray[np.bool_]) -> None:
        partly = np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0))
        first: dict[bytes, int] = {}
        owner = [first.setdefault(np.packbits(gaps[:, j]).tobytes(), int(j)) for j in partly]
        self.pattern_column_ = np.array(sorted(first.values()), dtype=np.int64)
        row_of = {int(j): i for i, j in enumerate(self.pattern_column_)}
        self.pattern_shares_ = np.zeros((len(row_of), gaps.shape[1]))
        for j, lead in zip(partly, owner, strict=True):
            self.pattern_shares_[row_of[lead], j] = 1.0
        if len(row_of):
            self.pattern_shares_ /= self.pattern_shares_.sum(axis=1, keepdims=True)


def _describe(known: Array, winsorise: float, signed_log: bool) -> tuple[float, float, float, float]:
    """Median, limits and logarithm scale (NaN: none) of one column's known values."""
    if known.size == 0:
        return 0.0, 0.0, 0.0, np.nan
    low, q01, q25, q50, q75, q99, high = np.quantile(
        known, [winsorise, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - winsorise]
    )
    if low == high:
        low, high = known.min(), known.max()
    scale = np.nan
    if signed_log and max(q99 - q50, q50 - q01) > _HEAVY * (q75 - q25) and _many(known):
        scale = float(np.median(np.abs(known[known != 0])))
    return float(q50), float(low), float(high), scale


def _many(known: Array) -> bool:
    return bool(np.unique(known).size > _FEW_VALUES)


def _scale(values: Array) -> Array:
    spread = values.std(axis=0)
    # A constant column carries nothing; its rounding noise must not be blown up to unit variance.
    noise = 1e-12 * np.maximum(1.0, np.abs(values.mean(axis=0)))
    return np.where(spread > noise, spread, 1.0)
