"""The explainable boosting machine: one learned curve a column, stopped on held-out villages."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from riskmodel.models.base import (
    Array,
    MarginClassifier,
    event_weights,
    import_optional,
    village_codes,
    village_folds,
)
from riskmodel.models.registry import MODELS, ModelEntry

_FOLDS = 5  # one village in five stops the rounds


class AdditiveBoosting(MarginClassifier):
    """Explainable boosting machine: one learned curve a column, no interactions (extra ``ebm``).

    interpret-core fits it; the curves are kept as arrays, so scoring and explaining need numpy only.

    Parameters
    ----------
    max_bins
        Bins of a column.
    outer_bags
        Fits that are averaged.
    max_rounds
        Rounds of boosting at most.
    monotone : mapping of column name to -1, 0 or +1, optional
        The curve of a column may only fall (-1) or rise (+1); X must then be a DataFrame.
    event_weight
        Weight of an event row in the fit; see `riskmodel.models.base.event_weights`.
    random_state
        Deals the villages and seeds the fit.

    Attributes
    ----------
    cuts_ : list of arrays
        Bin edges of each column.
    scores_ : list of arrays
        Log-odds of the gap (first) and of each bin.
    intercept_ : float
        Log-odds where every curve is 0.

    References
    ----------
    Lou, Caruana and Gehrke 2012; Nori et al. 2019, "InterpretML".
    """

    def __init__(
        self,
        max_bins: int = 64,
        outer_bags: int = 4,
        max_rounds: int = 2000,
        monotone: Mapping[str, int] | None = None,
        event_weight: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.max_bins = max_bins
        self.outer_bags = outer_bags
        self.max_rounds = max_rounds
        self.monotone = monotone
        self.event_weight = event_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            NaN is missing.
        y : array of shape (n,)
            0/1: two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row: whole villages are held out to stop the rounds.

        Returns
        -------
        AdditiveBoosting
            Itself, fitted.

        Raises
        ------
        UsageError
            If interpret-core is not installed.
        """
        import_optional("interpret", "ebm")
        from interpret.glassbox import ExplainableBoostingClassifier

        matrix, target = self._training(X, y)
        # interpret warns about columns that nobody has; a constant carries as little.
        matrix = np.where(np.isnan(matrix).all(axis=0), 0.0, matrix)
        machine = ExplainableBoostingClassifier(
            feature_types=["continuous"] * matrix.shape[1],
            max_bins=self.max_bins,
            interactions=0,
            outer_bags=self.outer_bags,
            inner_bags=0,
            max_rounds=self.max_rounds,
            monotone_constraints=self._signs(self.monotone),
            n_jobs=1,
            random_state=self.random_state,
        )
        with warnings.catch_warnings():
            # interpret's own pictures leave gaps out; ours do not use them.
            warnings.filterwarnings("ignore", message="Missing values detected")
            weight = event_weights(target, self.event_weight)
            bags = self._bags(target, groups)
            machine.fit(matrix, target.astype(int), sample_weight=weight, bags=bags)
        self._keep(machine, matrix)
        return self

    def margin(self, X: Any) -> Array:
        """Return intercept plus the columns' curves, shape (n,)."""
        parts = self.contributions(X)
        return self.intercept_ + parts.sum(axis=1)

    @property
    def base_value_(self) -> float:
        """What `contributions` count from: the intercept."""
        return self.intercept_

    def contributions(self, X: Any) -> Array:
        """Return each column's curve at its value, in log-odds, shape (n, p)."""
        matrix = self._matrix(X)
        out = np.empty_like(matrix)
        for j, (cuts, scores) in enumerate(zip(self.cuts_, self.scores_, strict=True)):
            place = np.searchsorted(cuts, matrix[:, j], side="right") + 1
            out[:, j] = scores[np.where(np.isnan(matrix[:, j]), 0, place)]
        return out

    def _bags(self, target: Array, groups: Any) -> Any:
        """Return a column a bag: +1 trains, −1 stops the rounds; whole villages together."""
        if int(village_codes(groups, len(target)).max()) + 1 < _FOLDS or groups is None:
            return None
        fold = village_folds(target, groups, _FOLDS, self.random_state)
        bags = [np.where(fold == bag % _FOLDS, -1, 1).astype(np.int8) for bag in range(self.outer_bags)]
        return np.column_stack(bags)

    def _keep(self, machine: Any, matrix: Array) -> None:
        p = matrix.shape[1]
        self.cuts_: list[Array] = [np.empty(0)] * p
        self.scores_: list[Array] = [np.zeros(2)] * p
        for term, scores in zip(machine.term_features_, machine.term_scores_, strict=True):
            (j,) = term
            cuts = np.asarray(machine.bins_[j][0], dtype=float)
            # interpret keeps a score for the gap first and one for the unseen last.
            self.cuts_[j], self.scores_[j] = cuts, np.asarray(scores, dtype=float)[: len(cuts) + 2]
        self.intercept_ = float(np.ravel(machine.intercept_)[0])


MODELS.register(
    ModelEntry(
        "ebm",
        zh="可解释提升机",
        en="explainable boosting",
        short_en="explainable boost.",
        factory=AdditiveBoosting,
        saves=(AdditiveBoosting,),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="linear",
        extra="ebm",
        library="interpret",
        order=110,
        description_zh="每列一条曲线的可加提升机",
        description_en="An additive model of one boosted curve a column.",
        checked_against="interpret's own predictions",
        tests=("models/test_boosting.py::test_kept_curves_are_interprets_own_machine",),
    )
)
