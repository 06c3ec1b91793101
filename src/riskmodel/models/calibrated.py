"""A fitted model and one affine map of its margin, fitted on villages the model has not seen."""

from __future__ import annotations

import logging
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from riskmodel.i18n import Message
from riskmodel.models.affine_calibration import BootstrapInterval
from riskmodel.models.base import (
    Array,
    MarginClassifier,
    Population,
    metadata_router,
    routed_metadata,
    village_folds,
)

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

    __metadata_request__fit: ClassVar = {"population": True}

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

    def fit(self, X: Any, y: Any, groups: Any = None, population: Population | None = None) -> Self:
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
        routed = routed_metadata(self, "base", groups=village, population=population)
        margin, held_out = np.empty(len(target)), np.flatnonzero(fold == 0)
        for part in range(parts if self.scheme == "cross" else 1):
            rest, held = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
            if "population" in routed:
                routed["population"] = _outside(population, village, held)
            self.base_ = self._fit_base(X, target, rest, routed)
            margin[held] = self.base_.margin(_safe_indexing(X, held))
        if self.scheme == "cross":
            held_out = np.arange(len(target))
            whole = routed | {"population": population} if "population" in routed else routed
            self.base_ = self._fit_base(X, target, held_out, whole)
        self._calibrate(margin[held_out], target[held_out], None if village is None else village[held_out])
        return self

    def _fit_base(self, X: Any, target: Array, rows: NDArray[np.int64], routed: dict[str, Any]) -> Any:
        if "groups" in routed:
            routed = routed | {"groups": routed["groups"][rows]}
        return clone(self.base).fit(_safe_indexing(X, rows), target[rows].astype(int), **routed)

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
            _LOG.warning("%s: %s", type(self.base_).__name__, note.text("en"))

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
