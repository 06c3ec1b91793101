"""A fitted model, calibrated on villages it has not seen: by one affine map of its margin, or by Venn–Abers.

Venn–Abers gives two probabilities a score, one of which is calibrated whatever the score's shape.
"""

from __future__ import annotations

import copy
import logging
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from riskmodel.i18n import Message, spoken_language
from riskmodel.models.affine_calibration import BootstrapInterval
from riskmodel.models.base import (
    Array,
    MarginClassifier,
    Population,
    metadata_router,
    routed_metadata,
    village_folds,
)
from riskmodel.models.line_copies import LineCopies
from riskmodel.models.shared_fits import fit_once

_LOG = logging.getLogger(__name__)

# Fewer events (or non-events) than this on the held-out villages cannot place a slope; then only the
# level is fitted. Ten a parameter is the customary least (Peduzzi et al. 1996).
MIN_EVENTS = 10


def _base_contributes(self: CalibratedScore) -> bool:
    return hasattr(getattr(self, "base_", self.base), "contributions")


class CalibratedScore(MetaEstimatorMixin, MarginClassifier):
    """Platt calibration that keeps explanations additive: ``margin = a + b * base margin``, b ≥ 0.

    With ``scheme="holdout"`` `fit` holds out a share of the villages, fits a clone of the base on the rest,
    and a and b on the held-out villages: they belong to the very model that scores. With ``scheme="cross"``
    each part of the villages is held out in turn, a and b are fitted on all the margins so made, and the
    base on all rows. That wastes no row, which counts on small samples, but a and b then belong to models
    like the one that scores, each fitted on fewer villages.

    Parameters
    ----------
    base
        With ``fit(X, y, groups)`` and ``margin(X)``.
    share
        Share of villages held out; 1/share is rounded to a whole number of parts.
    scheme : {"holdout", "cross"}, default "holdout"
        See above.
    draws, level
        Of the interval; see `BootstrapInterval`.
    random_state
        Deals the villages and seeds the fit.

    Attributes
    ----------
    base_
        Fitted on the other villages (holdout) or on all (cross).
    intercept_, slope_ : float
        a and b.
    interval_ : BootstrapInterval
        How sure the calibration is.
    n_held_out_, n_held_out_events_ : int
        Rows and events that the calibrator was fitted on.
    slope_held_ : bool
        There were too few events to fit the slope: it is 1.
    """

    __metadata_request__fit: ClassVar = {"population": True, "households": True, "copies": True}

    def __init__(
        self,
        base: Any,
        share: float = 0.25,
        scheme: Literal["holdout", "cross"] = "holdout",
        draws: int = 200,
        level: float = 0.95,
        random_state: int = 0,
    ) -> None:
        self.base = base
        self.share = share
        self.scheme = scheme
        self.draws = draws
        self.level = level
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        population: Population | None = None,
        households: Any = None,
        copies: LineCopies | None = None,
    ) -> Self:
        """Fit base and calibrator on different villages of the training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row; without it rows are held out, which is too kind where they are alike.
        population : Population, optional
            Rows outside the cohort for a base that takes them; those of held-out villages are held out too.
        households : array-like of shape (n,), optional
            Household of each row, for a base that counts them.
        copies : LineCopies, optional
            The rows at other lines for a base that takes them; they are held out with their rows, and nothing
            is calibrated on them.

        Returns
        -------
        CalibratedScore
            Itself, fitted.

        Raises
        ------
        ValueError
            If ``share`` is not in (0, 0.5], ``scheme`` is unknown, there are too few villages, or the
            villages left for the base hold one class only.
        """
        if not 0 < self.share <= 0.5 or self.scheme not in ("holdout", "cross"):
            raise ValueError(
                f"share={self.share!r}, scheme={self.scheme!r}: share must be in (0, 0.5], "
                "scheme 'holdout' or 'cross'"
            )
        check_consistent_length(X, y)
        target = self._events(column_or_1d(y, warn=True))
        parts = round(1 / self.share)
        fold = village_folds(target, groups, parts, self.random_state)
        village = None if groups is None else np.asarray(groups, dtype=object)
        owner = None if households is None else np.asarray(households, dtype=object)
        routed = routed_metadata(
            self, "base", groups=village, population=population, households=owner, copies=copies
        )
        margin, held_out = np.empty(len(target)), np.flatnonzero(fold == 0)
        for part in range(parts if self.scheme == "cross" else 1):
            rest, held = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
            inner = dict(routed)
            if "population" in routed:
                inner["population"] = _outside(population, village, held)
            if copies is not None and "copies" in routed:
                inner["copies"] = copies.take(rest)
            self.base_ = self._fit_base(X, target, rest, inner)
            margin[held] = self.base_.margin(_safe_indexing(X, held))
        if self.scheme == "cross":
            held_out = np.arange(len(target))
            self.base_ = self._fit_base(X, target, held_out, routed)
        self._calibrate(margin[held_out], target[held_out], None if village is None else village[held_out])
        return self

    def _fit_base(self, X: Any, target: Array, rows: NDArray[np.int64], routed: dict[str, Any]) -> Any:
        routed = routed | {key: routed[key][rows] for key in ("groups", "households") if key in routed}
        base, part, labels = clone(self.base), _safe_indexing(X, rows), target[rows].astype(int)
        # A meta-estimator itself asks for the fits it is made of.
        owns = isinstance(base, MetaEstimatorMixin)
        return base.fit(part, labels, **routed) if owns else fit_once(base, part, labels, **routed)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what `fit` takes and hands on to the base."""
        return metadata_router(self, base=self.base)

    def _calibrate(self, margin: Array, target: Array, groups: Any) -> None:
        events = int(target.sum())
        self.n_held_out_, self.n_held_out_events_ = len(target), events
        placed = min(events, len(target) - events) >= MIN_EVENTS
        self.interval_ = BootstrapInterval(self.draws, self.level, self.random_state)
        self.interval_.fit(margin, target, groups, slope=placed)
        self.intercept_, self.slope_ = self.interval_.intercept_, self.interval_.slope_
        self.slope_held_ = not placed
        for note in self.notes:
            _LOG.warning("%s: %s", type(self.base_).__name__, note.text(spoken_language()))

    def recalibrate(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Return a copy with the same base, its calibrator fitted on other rows: another county or time.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            Rows the base was not fitted on.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row.

        Returns
        -------
        CalibratedScore
            It orders as this one does wherever its slope is above 0.
        """
        check_is_fitted(self)
        out = copy.deepcopy(self)
        village = None if groups is None else np.asarray(groups, dtype=object)
        out._calibrate(self.base_.margin(X), np.asarray(y, dtype=float), village)
        return out

    @property
    def notes(self) -> list[Message]:
        """What the reader must know: the slope came out as 0, or there were too few events to fit it."""
        check_is_fitted(self)
        if self.slope_held_:
            counts = {"events": self.n_held_out_events_, "rows": self.n_held_out_}
            return [Message("evaluation.calibration.slope held", counts)]
        return [Message("evaluation.calibration.slope zero")] if self.slope_ == 0 else []

    def margin(self, X: Any) -> Array:
        """Return ``intercept_ + slope_ * base_.margin(X)``, shape (n,)."""
        check_is_fitted(self)
        return self.intercept_ + self.slope_ * self.base_.margin(X)

    def predict_interval(self, X: Any) -> Array:
        """Return lower and upper probability; `BootstrapInterval` says what they cover."""
        check_is_fitted(self)
        return self.interval_.interval(self.base_.margin(X))

    def rescale(self, contributions: Array, base_value: float) -> tuple[Array, float]:
        """Carry contributions to the base margin over to the calibrated margin.

        Parameters
        ----------
        contributions : array of shape (n, p)
            Log-odds of the base model.
        base_value
            What the base model's contributions count from.

        Returns
        -------
        tuple of array of shape (n, p) and float
            They add up to `margin` if the given ones add up to the base's.
        """
        check_is_fitted(self)
        return self.slope_ * contributions, self.intercept_ + self.slope_ * base_value

    @available_if(_base_contributes)
    def contributions(self, X: Any) -> Array:
        """Return the base's contributions times ``slope_``, shape (n, p); for bases that have their own."""
        check_is_fitted(self)
        return self.slope_ * self.base_.contributions(X)

    @property
    def base_value_(self) -> float:
        """What `contributions` count from, in calibrated log-odds."""
        return self.intercept_ + self.slope_ * self.base_.base_value_

    @property
    def n_features_in_(self) -> int:
        """Columns the base was fitted on."""
        return self.base_.n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Column names the base was fitted on."""
        return self.base_.feature_names_in_


def _outside(population: Population | None, village: Any, held: NDArray[np.int64]) -> Population | None:
    if population is None or village is None:
        return population
    outside = ~np.isin(population.groups.astype(str), village[held].astype(str))
    return Population(_safe_indexing(population.X, np.flatnonzero(outside)), population.groups[outside])


_LEAST = 1e-6


class VennAbers(BaseEstimator):
    """Inductive Venn–Abers predictor on held-out scores.

    For a new score s, isotonic regression is fitted to the held-out scores with (s, 0) and again with (s, 1)
    added: p0 and p1 are its values at s. Under exchangeability one of the two is a calibrated probability
    (which one is not known beforehand), so [p0, p1] is an interval, narrow where many scores are alike.

    Exact at any number of scores, to rounding (1e-12 in the tests): nothing is pooled but what is equal. One
    walk along the cumulative sums gives p1 at all scores, another p0.

    Attributes
    ----------
    scores_ : array of shape (k,)
        Distinct held-out scores, without those at which neither p0 nor p1 differs from both neighbours'.
    low_, high_ : arrays of shape (2k + 1,)
        p0 and p1 below, at, and between them.

    References
    ----------
    Vovk and Petej 2014, "Venn–Abers predictors"; Vovk, Petej and Fedorova 2015, "Large-scale probabilistic
    predictors with and without guarantees of validity" (inductive version; algorithms 1 and 2).

    Examples
    --------
    >>> VennAbers().fit([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1]).interval([0.5, 2.5]).round(3).tolist()
    [[0.0, 0.5], [0.5, 1.0]]
    """

    def fit(self, score: ArrayLike, y: ArrayLike) -> Self:
        """Learn p0 and p1 at every place a new score can fall.

        Parameters
        ----------
        score, y : array of shape (n,)
            Scores of rows the model was not fitted on, and 0/1.

        Returns
        -------
        VennAbers
            Itself, fitted.
        """
        scores, target = _even(score), np.asarray(y, dtype=float)
        edges, cell = np.unique(scores, return_inverse=True)
        rows = np.bincount(cell)
        hits = np.bincount(cell, weights=target).astype(np.int64)
        high = _with_an_event(hits, rows)
        # With another non-event it is the same of what did not happen, from the other end.
        low = 1 - _with_an_event((rows - hits)[::-1], rows[::-1])[::-1]
        turns = (np.diff(low) != 0) | (np.diff(high) != 0)
        kept = np.r_[True, turns] | np.r_[turns, True]
        self.scores_ = edges[kept]
        # Between two scores a new event is pooled with the upper one, which is no larger, a non-event with
        # the lower one.
        self.low_ = np.r_[0.0, np.repeat(low[kept], 2)]
        self.high_ = np.r_[np.repeat(high[kept], 2), 1.0]
        return self

    def interval(self, score: ArrayLike) -> Array:
        """Return p0 and p1, shape (n, 2)."""
        check_is_fitted(self)
        scores = _even(score)
        at = np.searchsorted(self.scores_, scores, side="left")
        inside = np.minimum(at, len(self.scores_) - 1)
        place = 2 * at + (self.scores_[inside] == scores)
        return np.column_stack([self.low_[place], self.high_[place]])

    def probability(self, score: ArrayLike) -> Array:
        """Return p1/(1 − p0 + p1), the minimax merger of the two under log loss, shape (n,)."""
        low, high = self.interval(score).T
        return high / (1 - low + high)


def _even(score: ArrayLike) -> Array:
    """Round scores, so that the last digits of a matrix product do not decide whether two are equal."""
    return np.round(np.asarray(score, dtype=float), 9)


def _with_an_event(hits: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
    """Isotonic value of each distinct score in turn, were there one more event at it."""
    # The value at a score is the slope, at that score, of the greatest convex minorant of the cumulative
    # sums. One more event moves what lies left of it by (-1, -1). From one score to the next a single point
    # moves, and slopes rise: what lies left of the minorant's edge is never touched again (Vovk et al. 2015).
    x, y = [0, *np.cumsum(rows).tolist()], [0, *np.cumsum(hits).tolist()]
    edge: list[tuple[int, int]] = []
    for point in zip(x[:0:-1], y[:0:-1], strict=True):
        _push(edge, point)
    _push(edge, (-1, -1))
    out = np.empty(len(rows))
    for i in range(len(rows)):
        (x0, y0), (x1, y1) = edge[-1], edge[-2]
        out[i] = (y1 - y0) / (x1 - x0)
        moved = (x[i + 1] - 1, y[i + 1] - 1)
        if i + 1 < len(rows) and (moved[1] - y0) * (x1 - x0) < (y1 - y0) * (moved[0] - x0):
            edge.pop()
            _push(edge, moved)
    return out


def _push(edge: list[tuple[int, int]], point: tuple[int, int]) -> None:
    """Add a point on the left of a convex minorant, and drop those that no longer turn left."""
    while len(edge) > 1:
        (x1, y1), (x2, y2) = edge[-1], edge[-2]
        if (y1 - point[1]) * (x2 - x1) < (y2 - y1) * (x1 - point[0]):
            break
        edge.pop()
    edge.append(point)


class VennAbersScore(CalibratedScore):
    """A model whose held-out margins are calibrated by Venn–Abers instead of one affine map.

    The ranking is the base's where the step function rises and is kept inside its steps by a millionth of the
    affine margin. It is not explained: a step function is no sum of contributions.

    The pair [p0, p1] holds a chance that is calibrated for one more household; it knows nothing of which
    villages happened to be held out. On twenty made-up counties of 80 villages it held the mean truth of 30 %
    of the score bins, joined with the village bootstrap of the same held-out margins all of them; the
    interval given is the join (``tests/validity/test_coverage.py``).

    Parameters
    ----------
    base, share, scheme, draws, level, random_state
        As in `CalibratedScore`.

    Attributes
    ----------
    venn_ : VennAbers
        The step functions.
    """

    @property
    def contributions(self) -> Any:
        """Hide the affine calibrator's contributions: they would not add up to this margin."""
        raise AttributeError("a Venn–Abers margin is a step function and has no contributions")

    def _calibrate(self, margin: Array, target: Array, groups: Any) -> None:
        super()._calibrate(margin, target, groups)
        self.venn_ = VennAbers().fit(margin, target)

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the merged probability, shape (n,)."""
        check_is_fitted(self)
        raw = self.base_.margin(X)
        p = np.clip(self.venn_.probability(raw), _LEAST, 1 - _LEAST)
        return logit(p) + 1e-6 * (self.intercept_ + self.slope_ * raw)

    def predict_interval(self, X: Any) -> Array:
        """Return the join of p0, p1 and the village bootstrap's interval, shape (n, 2)."""
        raw = self.base_.margin(X)
        ends = np.hstack([self.venn_.interval(raw), self.interval_.interval(raw)])
        p = self.predict_proba(X)[:, 1]
        return np.column_stack([np.minimum(ends.min(axis=1), p), np.maximum(ends.max(axis=1), p)])
