"""Models whose library is an optional extra; what they keep is ours, so that scoring needs no library."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from riskmodel.errors import UsageError
from riskmodel.models.base import MarginClassifier, event_weights
from riskmodel.models.boosting import MAX_DEPTH
from riskmodel.models.split import village_codes, village_folds

Array = NDArray[np.float64]
_FOLDS = 5


def library(name: str, extra: str) -> Any:
    """Import a library of an optional extra.

    Parameters
    ----------
    name : str
        The module.
    extra : str
        The extra of pyproject.toml that brings it.

    Returns
    -------
    module

    Raises
    ------
    UsageError
        If it is not installed: the extra to install is named.
    """
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise UsageError(
            f"{name} is not installed: it comes with the extra {extra!r} (pip install 'riskmodel[{extra}]'); "
            "or take the model out of the experiment"
        ) from exc


def _signs(model: MarginClassifier, monotone: Mapping[str, int] | None) -> list[int] | None:
    if not monotone:
        return None
    names = [str(n) for n in getattr(model, "feature_names_in_", [])]
    absent = sorted(set(monotone) - set(names))
    if absent or set(monotone.values()) - {-1, 0, 1}:
        raise ValueError(
            f"monotone: unknown columns {absent} or signs other than -1, 0, 1; X must be a DataFrame"
        )
    return [int(monotone.get(n, 0)) for n in names]


class LightBoosting(MarginClassifier):
    """LightGBM with shallow trees, its number of trees set on held-out villages (extra ``boost``).

    Parameters
    ----------
    learning_rate, max_trees, max_depth, min_samples_leaf, l2, patience, monotone, event_weight
        As in `riskmodel.models.Boosting`.
    random_state : int, default 0

    Attributes
    ----------
    text_ : str
        The trees in LightGBM's own text format: no pickle.
    n_trees_ : int
    base_value_ : float
        What `contributions` count from.

    References
    ----------
    Ke et al. 2017, "LightGBM: a highly efficient gradient boosting decision tree".
    """

    def __init__(
        self,
        learning_rate: float = 0.05,
        max_trees: int = 400,
        max_depth: int = 3,
        min_samples_leaf: int = 20,
        l2: float = 1.0,
        patience: int = 20,
        monotone: Mapping[str, int] | None = None,
        event_weight: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_trees = max_trees
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.patience = patience
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
        groups : array-like of shape (n,), optional
            Village of each row, for the number of trees.

        Returns
        -------
        LightBoosting

        Raises
        ------
        UsageError
            If LightGBM is not installed.
        ValueError
            If ``max_depth`` is out of range or the target has one class.
        """
        lgb = library("lightgbm", "boost")
        if not 1 <= self.max_depth <= MAX_DEPTH:
            raise ValueError(f"max_depth={self.max_depth!r}: must be 1 to {MAX_DEPTH}")
        matrix, target = self._training(X, y)
        weight = event_weights(target, self.event_weight)
        self.n_trees_ = self._search(lgb, matrix, target, groups, weight)
        booster = lgb.train(self._params(), self._data(lgb, matrix, target, weight), self.n_trees_)
        self.text_ = booster.model_to_string()
        self.base_value_ = float(np.asarray(booster.predict(matrix[:1], pred_contrib=True))[0, -1])
        return self

    def margin(self, X: Any) -> Array:
        """Return the trees' raw score, shape (n,)."""
        matrix = self._matrix(X)
        return np.asarray(self._booster().predict(matrix, raw_score=True, num_threads=1), dtype=float)

    def contributions(self, X: Any) -> Array:
        """Return LightGBM's exact tree SHAP values in log-odds, shape (n, p)."""
        matrix = self._matrix(X)
        parts = self._booster().predict(matrix, pred_contrib=True, num_threads=1)
        return np.asarray(parts, dtype=float)[:, :-1]

    def _booster(self) -> Any:
        return library("lightgbm", "boost").Booster(model_str=self.text_)

    def _params(self) -> dict[str, Any]:
        return {
            "objective": "binary", "learning_rate": self.learning_rate, "max_depth": self.max_depth,
            "num_leaves": 2**self.max_depth, "min_data_in_leaf": self.min_samples_leaf, "lambda_l2": self.l2,
            "seed": self.random_state, "deterministic": True, "force_row_wise": True, "num_threads": 1,
            "verbosity": -1, **self._constraints(),
        }  # fmt: skip

    def _constraints(self) -> dict[str, Any]:
        signs = _signs(self, self.monotone)
        return {} if signs is None else {"monotone_constraints": signs}

    def _data(
        self, lgb: Any, matrix: Array, target: Array, weight: Array | None, reference: Any = None
    ) -> Any:
        # Names would have to be free of brackets and colons; positions are enough.
        return lgb.Dataset(matrix, target, weight=weight, params={"verbosity": -1}, reference=reference)

    def _search(self, lgb: Any, matrix: Array, target: Array, groups: Any, weight: Array | None) -> int:
        if int(village_codes(groups, len(target)).max()) + 1 < _FOLDS:
            return self.max_trees
        held = village_folds(target, groups, _FOLDS, self.random_state) == 0
        if len(np.unique(target[~held])) < 2 or len(np.unique(target[held])) < 2:
            return self.max_trees
        own, other = (None, None) if weight is None else (weight[~held], weight[held])
        rest = self._data(lgb, matrix[~held], target[~held], own)
        aside = self._data(lgb, matrix[held], target[held], other, rest)
        stop = lgb.early_stopping(self.patience, verbose=False)
        trial = lgb.train(self._params(), rest, self.max_trees, valid_sets=[aside], callbacks=[stop])
        return max(1, int(trial.best_iteration))


class AdditiveBoosting(MarginClassifier):
    """Explainable boosting machine: one learned curve a column, no interactions (extra ``ebm``).

    interpret-core fits it; the curves are kept as arrays, so scoring and explaining need numpy only.

    Parameters
    ----------
    max_bins : int, default 64
    outer_bags : int, default 4
    max_rounds : int, default 2000
    monotone : mapping of column name to -1, 0 or +1, optional
        The curve of a column may only fall (-1) or rise (+1); X must then be a DataFrame.
    event_weight : float, default 1.0
        Weight of an event row in the fit; see `riskmodel.models.base.event_weights`.
    random_state : int, default 0

    Attributes
    ----------
    cuts_ : list of arrays
        Bin edges of each column.
    scores_ : list of arrays
        Log-odds of the gap (first) and of each bin.
    intercept_ : float

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
        groups : array-like of shape (n,), optional
            Village of each row: whole villages are held out to stop the rounds.

        Returns
        -------
        AdditiveBoosting

        Raises
        ------
        UsageError
            If interpret-core is not installed.
        """
        library("interpret", "ebm")
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
            monotone_constraints=_signs(self, self.monotone),
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
