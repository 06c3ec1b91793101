"""Gradient boosting of shallow trees by two libraries, stopped on held-out villages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits

from riskmodel.models.base import (
    Array,
    MarginClassifier,
    Rows,
    event_weights,
    import_optional,
    village_codes,
    village_folds,
)
from riskmodel.models.line_copies import LineCopies
from riskmodel.models.registry import MODELS, ModelEntry

# SHAP values of trees cost exponentially in depth; four already holds interactions of four columns.
MAX_DEPTH = 4
# One village in five decides the number of trees.
_FOLDS = 5
# How many bins scikit-learn gives a column.
_BINS = 255
# Where more rows than twice this are given, the number of trees is looked for on whole villages with about so
# many first: where these still gain at the last tree allowed, all the rows, which carry more, would too.
_SEARCH_ROWS = 50_000


@dataclass(frozen=True)
class _TrainingRows:
    """What trees are grown on: the rows, by which they are judged, and after them copies at other lines.

    ``source`` is the row that each is of; ``emphasis`` the weight of its event, ``share`` that of a copy.
    """

    matrix: Array
    target: Array
    source: NDArray[np.int64]
    emphasis: Array | None = None
    share: Array | None = None

    @property
    def weight(self) -> Array | None:
        """The weight of each in the fit; None where all are alike."""
        if self.emphasis is None or self.share is None:
            return self.share if self.emphasis is None else self.emphasis
        return self.emphasis * self.share

    @property
    def own(self) -> int:
        """How many rows there are, without copies."""
        return int(self.source.max()) + 1

    def grown_on(self, rows: Rows) -> Rows:
        """Say which of all belong to some rows, copies included."""
        return rows[self.source]

    def judged_by(self, rows: Rows) -> Rows:
        """Say which of all are these rows themselves."""
        return np.r_[rows, np.zeros(len(self.source) - len(rows), dtype=bool)]


class Boosting(MarginClassifier):
    """Histogram gradient boosting with native gaps, shallow trees and a number of trees set by villages.

    The number of trees is the one with the lowest log loss on a fifth of the villages; then the model is
    fitted again on all rows with that number. Categorical columns are not taken: SHAP is wrong for them.

    Parameters
    ----------
    learning_rate
        Share of each tree that is added.
    max_trees
        Trees at most.
    max_depth
        At most `MAX_DEPTH`.
    min_samples_leaf
        Rows of a leaf at least.
    l2
        Penalty on the values of leaves.
    max_features
        Share of the columns, drawn anew at each node, of which a split may take one: near-duplicates then
        take turns, and none speaks for all.
    patience
        Trees without a better held-out loss before the search ends.
    early_stopping
        ``False`` fits ``max_trees`` trees.
    monotone : mapping of column name to -1, 0 or +1, optional
        The margin may only fall (-1) or rise (+1) with the column; X must then be a DataFrame.
    event_weight
        Weight of an event row in the fit; see `riskmodel.models.base.event_weights`.
    random_state
        Deals the villages and seeds the fit.

    Attributes
    ----------
    ensemble_ : HistGradientBoostingClassifier
        The fitted trees; their raw score is the margin.
    n_trees_ : int
        Trees used.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.r_[np.zeros(60), np.ones(60), np.full(60, np.nan)].reshape(-1, 1)
    >>> y = np.r_[np.zeros(60), np.ones(60), np.zeros(60)]
    >>> Boosting(max_trees=30).fit(X, y).predict([[0.0], [1.0], [np.nan]]).tolist()
    [0.0, 1.0, 0.0]
    """

    __metadata_request__fit: ClassVar = {"copies": True}

    def __init__(
        self,
        learning_rate: float = 0.05,
        max_trees: int = 400,
        max_depth: int = 3,
        min_samples_leaf: int = 20,
        l2: float = 1.0,
        max_features: float = 1.0,
        patience: int = 20,
        early_stopping: bool = True,
        monotone: Mapping[str, int] | None = None,
        event_weight: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_trees = max_trees
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2 = l2
        self.max_features = max_features
        self.patience = patience
        self.early_stopping = early_stopping
        self.monotone = monotone
        self.event_weight = event_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None, copies: LineCopies | None = None) -> Self:
        """Fit on training rows.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            Numbers; NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : array-like of shape (n,), optional
            Village of each row, for the number of trees; without it rows are dealt.
        copies : LineCopies, optional
            The rows at other lines: they are grown on with their rows, and judge nothing.

        Returns
        -------
        Boosting
            Itself, fitted.

        Raises
        ------
        ValueError
            If ``max_depth`` is out of range, ``monotone`` names an unknown column, ``event_weight`` is
            not positive, or the target has not exactly two classes.
        """
        if not 1 <= self.max_depth <= MAX_DEPTH:
            raise ValueError(
                f"max_depth={self.max_depth!r}: must be 1 to {MAX_DEPTH} (deeper trees explain slowly)"
            )
        rows = self._training_rows(X, y, copies)
        signs = self._signs(self.monotone)
        # Threads wait on each other at every node: on rows this few one is as fast as two, and where others
        # use the machine two are twenty times slower.
        with threadpool_limits(limits=1, user_api="openmp"):
            self.n_trees_ = self._search(rows, groups, signs) if self.early_stopping else self.max_trees
            self._fit_trees(rows.matrix, rows.target, signs, rows.weight)
        return self

    def _training_rows(self, X: Any, y: Any, copies: LineCopies | None) -> _TrainingRows:
        matrix, target = self._training(X, y)
        source, share = np.arange(len(target)), None
        if copies is not None and len(copies.row):
            share = copies.shares(len(target))
            matrix = _on_grid(np.vstack([matrix, self._copied(copies.X)]))
            target = np.r_[target, copies.y]
            source = np.r_[source, copies.row]
        return _TrainingRows(matrix, target, source, event_weights(target, self.event_weight), share)

    def _copied(self, X: Any) -> Array:
        return validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event, the trees' raw score."""
        matrix = self._matrix(X)
        return self.ensemble_.decision_function(matrix)

    def _search(self, rows: _TrainingRows, groups: Any, signs: Any) -> int:
        """Return the number of trees with the lowest loss on held-out villages."""
        target = rows.target[: rows.own]
        units = int(village_codes(groups, len(target)).max()) + 1
        if units < _FOLDS or self._gains_to_the_end(rows, groups, units, signs):
            return self.max_trees
        held = village_folds(target, groups, _FOLDS, self.random_state) == 0
        if len(np.unique(target[~held])) < 2 or len(np.unique(target[held])) < 2:
            return self.max_trees
        return max(1, self._best_number(rows, ~held, held, signs))

    def _gains_to_the_end(self, rows: _TrainingRows, groups: Any, units: int, signs: Any) -> bool:
        """Say whether a sample of the villages, of rows too many to search on, gains up to ``max_trees``."""
        target = rows.target[: rows.own]
        parts = len(target) // _SEARCH_ROWS
        if parts < 2:
            return False
        fold = village_folds(target, groups, min(units, _FOLDS * parts), self.random_state)
        held = fold == 0
        rest = (fold < _FOLDS) & ~held
        if len(np.unique(target[rest])) < 2 or len(np.unique(target[held])) < 2:
            return False
        return self._best_number(rows, rest, held, signs) >= self.max_trees - self.patience

    def _fit_trees(self, matrix: Array, target: Array, signs: Any, weight: Array | None) -> None:
        """Fit ``n_trees_`` trees on all rows."""
        full = _constant_where_unknown(matrix)
        self.ensemble_ = self._ensemble(self.n_trees_, signs).fit(full, target, sample_weight=weight)

    def _best_number(self, rows: _TrainingRows, rest: Rows, held: Rows, signs: Any) -> int:
        """Return the number of trees, grown on some rows, with the lowest loss on the rows held out."""
        trial = self._ensemble(self.max_trees, signs)
        trial.set_params(early_stopping=True, n_iter_no_change=self.patience, scoring="loss")
        grown, judged = rows.grown_on(rest), rows.judged_by(held)
        trial.fit(
            _constant_where_unknown(rows.matrix[grown]),
            rows.target[grown],
            None if rows.weight is None else rows.weight[grown],
            X_val=rows.matrix[judged],
            y_val=rows.target[judged],
            sample_weight_val=_judged_weight(rows, judged),
        )
        # validation_score_ starts with the score of no tree at all and holds minus the loss.
        return int(np.argmax(trial.validation_score_))

    def _ensemble(self, trees: int, signs: Any) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=self.learning_rate,
            max_iter=trees,
            max_depth=self.max_depth,
            max_leaf_nodes=None,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2,
            max_features=self.max_features,
            categorical_features=None,
            monotonic_cst=signs,
            early_stopping=False,
            random_state=self.random_state,
        )


def _on_grid(matrix: Array) -> Array:
    """Move the values of columns with many to the nearest of as many quantiles as the trees have bins.

    Between the same thresholds lie the same rows; with weights scikit-learn looks for each threshold by
    sorting the column anew, which takes several times as long as the trees.
    """
    out = matrix.copy()
    for values in out.T:
        known = ~np.isnan(values)
        grid = np.unique(values[known])
        if len(grid) > _BINS:
            shares = np.linspace(0, 1, _BINS)
            grid = np.unique(np.quantile(values[known], shares, method="closest_observation"))
            values[known] = grid[np.searchsorted((grid[1:] + grid[:-1]) / 2, values[known])]
    return out


def _judged_weight(rows: _TrainingRows, judged: Rows) -> Array | None:
    """Return the weights by which trees are judged, at the line itself: those of events alone."""
    if rows.emphasis is not None:
        return rows.emphasis[judged]
    return None if rows.share is None else np.ones(int(judged.sum()))


def _constant_where_unknown(matrix: Array) -> Array:
    """Put 0 into columns that nobody has: the trees' binning cannot take them, and no split can use them."""
    unknown = np.isnan(matrix).all(axis=0)
    return np.where(unknown, 0.0, matrix) if unknown.any() else matrix


class LightBoosting(Boosting):
    """LightGBM with shallow trees, its number of trees set on held-out villages (extra ``boost``).

    It takes the parameters of `Boosting`.

    Attributes
    ----------
    text_ : str
        The trees in LightGBM's own text format: no pickle.
    n_trees_ : int
        Trees used.
    base_value_ : float
        What `contributions` count from.

    References
    ----------
    Ke et al. 2017, "LightGBM: a highly efficient gradient boosting decision tree".
    """

    def _fit_trees(self, matrix: Array, target: Array, signs: Any, weight: Array | None) -> None:
        lgb = import_optional("lightgbm", "boost")
        booster = lgb.train(self._params(signs), self._data(lgb, matrix, target, weight), self.n_trees_)
        self.text_ = booster.model_to_string()
        self.base_value_ = float(np.asarray(booster.predict(matrix[:1], pred_contrib=True))[0, -1])

    def _best_number(self, rows: _TrainingRows, rest: Rows, held: Rows, signs: Any) -> int:
        lgb = import_optional("lightgbm", "boost")
        grown, judged = rows.grown_on(rest), rows.judged_by(held)
        own = None if rows.weight is None else rows.weight[grown]
        other = _judged_weight(rows, judged)
        rest_set = self._data(lgb, rows.matrix[grown], rows.target[grown], own)
        held_out = self._data(lgb, rows.matrix[judged], rows.target[judged], other, rest_set)
        stop = lgb.early_stopping(self.patience, verbose=False)
        trial = lgb.train(
            self._params(signs), rest_set, self.max_trees, valid_sets=[held_out], callbacks=[stop]
        )
        return int(trial.best_iteration)

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
        return _parsed(self.text_)

    def _params(self, signs: Any) -> dict[str, Any]:
        return {
            "objective": "binary", "learning_rate": self.learning_rate, "max_depth": self.max_depth,
            "num_leaves": 2**self.max_depth, "min_data_in_leaf": self.min_samples_leaf, "lambda_l2": self.l2,
            "feature_fraction_bynode": self.max_features,
            "seed": self.random_state, "deterministic": True, "force_row_wise": True, "num_threads": 1,
            "verbosity": -1, **({} if signs is None else {"monotone_constraints": signs}),
        }  # fmt: skip

    def _data(
        self, lgb: Any, matrix: Array, target: Array, weight: Array | None, reference: Any = None
    ) -> Any:
        # Names would have to be free of brackets and colons; positions are enough.
        return lgb.Dataset(matrix, target, weight=weight, params={"verbosity": -1}, reference=reference)


@lru_cache(maxsize=8)
def _parsed(text: str) -> Any:
    return import_optional("lightgbm", "boost").Booster(model_str=text)


MODELS.register(
    ModelEntry(
        "boosting",
        zh="梯度提升树",
        en="gradient boosting",
        factory=Boosting,
        saves=(Boosting, "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="trees",
        style=("#009e73", "9 3 2 3"),
        order=50,
        description_zh="浅树梯度提升，按留出村定树数",
        description_en="Shallow boosted trees, their number set on held-out villages.",
        checked_against="scikit-learn's ensemble",
        tests=("models/test_boosting.py::test_without_early_stopping_it_is_scikit_learns_ensemble",),
    )
)
MODELS.register(
    ModelEntry(
        "lightgbm",
        zh="LightGBM",
        en="LightGBM",
        factory=LightBoosting,
        saves=(LightBoosting,),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="linear",
        extra="boost",
        library="lightgbm",
        order=120,
        description_zh="LightGBM 浅树，按留出村定树数",
        description_en="LightGBM with shallow trees, their number set on held-out villages.",
        checked_against="LightGBM's own predictions",
        tests=("models/test_boosting.py::test_kept_text_is_lightgbms_own_booster",),
    )
)


MODELS.register(
    ModelEntry(
        "additive",
        zh="加性提升模型",
        en="additive boosting",
        factory=partial(
            Boosting,
            learning_rate=0.1,
            max_trees=500,
            max_depth=1,
            min_samples_leaf=60,
            l2=10.0,
            max_features=0.3,
            patience=25,
        ),
        saves=(Boosting, "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="trees",
        style=("#56b4e9", "7 2"),
        order=45,
        description_zh="每个特征一条曲线，相加得风险；按留出村定步数",
        description_en="A curve for each column, added up; their number of steps set on held-out villages.",
        checked_against="scikit-learn's ensemble",
        tests=("models/test_boosting.py::test_additive_boosting_adds_up_curves_of_single_columns",),
    )
)
MODELS.register(
    ModelEntry(
        "boosting_lines",
        zh="多线梯度提升树",
        en="boosting at several lines",
        factory=partial(
            Boosting, learning_rate=0.06, min_samples_leaf=60, l2=10.0, max_features=0.3, patience=25
        ),
        saves=(Boosting, "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"),
        needs="features",
        tradition="machine learning",
        many_columns=True,
        contributions="trees",
        several_lines=True,
        style=("#cc79a7", "9 3 2 3"),
        order=55,
        description_zh="同一农户按更高的线再问一次，一并学习；只按实际的线校准、选择和评价",
        description_en="Boosted trees that also learn from each household asked about higher lines; "
        "calibrated, chosen and judged at the line itself.",
        checked_against="scikit-learn's ensemble with sample weights",
        tests=("models/test_line_copies.py::test_copies_are_rows_with_a_share_of_the_weight",),
    )
)
