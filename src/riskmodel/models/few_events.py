"""A model of many columns that gives way to a plain one where few households had the event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils.metadata_routing import MetadataRouter
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.base import Array, MarginClassifier, PreparedRows, metadata_router, routed_metadata
from riskmodel.models.line_copies import LineCopies
from riskmodel.models.shared_fits import fit_once


@dataclass(frozen=True)
class PlainModel:
    """What stands in for a model of many columns where few households had the event.

    Attributes
    ----------
    name
        Of a registered model.
    params
        Its constructor parameters.
    below_events
        It stands in where fewer distinct households had the event.
    """

    name: str
    params: Mapping[str, Any]
    below_events: int


def _base_contributes(self: FewEventsFallback) -> bool:
    return hasattr(getattr(self, "base_", self.base), "contributions")


class FewEventsFallback(MetaEstimatorMixin, MarginClassifier):
    """The base where at least ``below_events`` households had the event; a plainer model where fewer did.

    Rows of one household at several dates say nearly the same, so households are counted, not rows. Each fit
    decides from its own rows: within `CalibratedScore` each part of the villages does.

    Parameters
    ----------
    base
        With ``fit(X, y, groups)`` and ``margin(X)``; learns from all columns.
    plain
        With the same methods; learns from few columns.
    below_events
        Households with the event from which on the base is fitted.

    Attributes
    ----------
    base_
        What was fitted: a clone of ``base`` or of ``plain``.
    n_event_households_ : int
        Distinct households with the event in the rows fitted on.
    fell_back_ : bool
        Whether it is the plain one.

    Notes
    -----
    The custom is ten events a parameter (Peduzzi et al. 1996): a hundred carry an intercept and some nine
    weights, not the fifty columns of a household's ledger, and no trees.

    Examples
    --------
    >>> from riskmodel.models import Boosting, PastIncome
    >>> X, y = np.arange(20.0).reshape(-1, 1), [1] * 10 + [0] * 10
    >>> model = FewEventsFallback(Boosting(), PastIncome()).fit(X, y)
    >>> model.fell_back_, model.n_event_households_
    (True, 10)
    """

    __metadata_request__fit: ClassVar = {"households": True, "copies": True}

    def __init__(self, base: Any, plain: Any, below_events: int = 100) -> None:
        self.base = base
        self.plain = plain
        self.below_events = below_events

    def fit(
        self, X: Any, y: Any, groups: Any = None, households: Any = None, copies: LineCopies | None = None
    ) -> Self:
        """Fit the base or the plain model on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            A row a household and as-of date; NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row.
        households : array-like of shape (n,), optional
            Household of each row; without it every row is one of its own.
        copies : LineCopies, optional
            The rows at other lines, for a base that takes them; the plain model learns from the line alone.

        Returns
        -------
        FewEventsFallback
            Itself, fitted.

        Raises
        ------
        ValueError
            If the target has not exactly two classes.
        """
        _, target = self._training(X, y)
        events = target == 1
        found = np.flatnonzero(events) if households is None else np.asarray(households, dtype=object)[events]
        self.n_event_households_ = len(set(found.tolist()))
        self.fell_back_ = self.n_event_households_ < self.below_events
        name = "plain" if self.fell_back_ else "base"
        routed = routed_metadata(self, name, groups=groups, copies=None if self.fell_back_ else copies)
        self.base_ = fit_once(clone(getattr(self, name)), X, target.astype(int), **routed)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what `fit` takes and hands on to the model that it fits."""
        return metadata_router(self, base=self.base, plain=self.plain)

    def prepare_rows(self, X: Any) -> Iterator[tuple[slice, PreparedRows]]:
        """Yield the rows as the model that was fitted takes them."""
        check_is_fitted(self)
        yield from self.base_.prepare_rows(X)

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the model that was fitted, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(self.base_.margin(X), dtype=float)

    @available_if(_base_contributes)
    def contributions(self, X: Any) -> Array:
        """Return the contributions of the model that was fitted, in log-odds, shape (n, p)."""
        check_is_fitted(self)
        return np.asarray(self.base_.contributions(X), dtype=float)

    @property
    def base_value_(self) -> float:
        """What `contributions` count from."""
        return float(self.base_.base_value_)

    @property
    def ensemble_(self) -> Any:
        """The trees, where trees were fitted."""
        return self.base_.ensemble_

    @property
    def bases_(self) -> Any:
        """The bases, where a mean or a stack was fitted."""
        return self.base_.bases_

    @property
    def weights_(self) -> Array:
        """The weights of `bases_`."""
        return np.asarray(self.base_.weights_, dtype=float)

    @property
    def intercept_(self) -> float:
        """What the weighed margins of `bases_` count from."""
        return float(self.base_.intercept_)


def fallback_of(model: Any) -> FewEventsFallback | None:
    """Return the part of a fitted model that chose between many columns and few; None where none did."""
    base = getattr(model, "base_", model)
    return base if isinstance(base, FewEventsFallback) else None
