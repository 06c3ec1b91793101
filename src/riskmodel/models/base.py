"""What every model here shares: a margin in log-odds, metadata routing, village folds, a design matrix."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from riskmodel.errors import UsageError
from riskmodel.i18n import Message

Array = NDArray[np.float64]
Rows = NDArray[np.bool_]
_FOLDS = 5
_BLOCK_VALUES = 200_000
# Where more rows than this are given, a penalty is chosen on whole villages that hold about so many: the best
# one is a prior variance, which does not move with the number of rows; fits on all would be most of a run.
_CV_ROWS = 5_000


class OneClassError(ValueError):
    """The rows to fit on hold events only, or none."""


@dataclass(frozen=True)
class Population:
    """Rows outside the cohort: they have no label, and are part of what income looks like.

    Parameters
    ----------
    X : DataFrame of shape (m, p)
        The columns a model takes in.
    groups : array of shape (m,)
        Village of each row.
    """

    X: Any
    groups: NDArray[Any]


@dataclass
class PreparedRows:
    """Rows that a model has checked, in place of X for several of its methods.

    Parameters
    ----------
    matrix : array of shape (n, p)
        The checked columns.
    design : array of shape (n, k), optional
        What a linear margin is linear in; the model makes it when it is first asked.
    """

    matrix: Array
    design: Array | None = None


def event_weights(target: Array, weight: float) -> Array | None:
    """Return each row's weight in a fit where events are to count more (or less) than other rows."""
    if not weight > 0:
        raise ValueError(f"event_weight={weight!r}: must be positive; 1 weighs all rows alike")
    return None if weight == 1 else np.where(target == 1, float(weight), 1.0)


class MarginClassifier(ClassifierMixin, BaseEstimator):
    """A binary classifier defined by its margin."""

    # Inside scikit-learn's pipelines and searches the villages reach `fit` without being asked for.
    __metadata_request__fit: ClassVar = {"groups": True}

    classes_: NDArray[Any]

    @property
    def notes(self) -> list[Message]:
        """What the reader of its scores must know; nothing, for most."""
        return []

    def margin(self, X: Any) -> Array:
        """Return the log-odds of the event, shape (n,)."""
        raise NotImplementedError

    def decision_function(self, X: Any) -> Array:
        """Return `margin`; scikit-learn's name for it."""
        return self.margin(X)

    def predict_proba(self, X: Any) -> Array:
        """Return the chances of no event and of the event."""
        p = expit(self.margin(X))
        return np.column_stack([1 - p, p])

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likelier class of each row, shape (n,)."""
        margin = self.margin(X)
        return self.classes_[(margin > 0).astype(int)]

    def prepare_rows(self, X: Any) -> Iterator[tuple[slice, PreparedRows]]:
        """Check X once and yield its rows, all or in blocks: each stands for X in this model's methods."""
        yield slice(None), PreparedRows(self._matrix(X))

    def _matrix(self, X: Any) -> Array:
        if isinstance(X, PreparedRows):
            return X.matrix
        check_is_fitted(self)
        values = X.to_numpy() if isinstance(X, pd.DataFrame) else None
        if values is None or not _are_plain(values):
            return validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        # Names and number are left to be checked; the full check looks at every column's type, which costs
        # more than a linear margin of some thousand rows.
        validate_data(self, X, reset=False, skip_check_array=True)
        return values

    def _training(self, X: Any, y: Any) -> tuple[Array, Array]:
        matrix, target = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        return matrix, self._events(target)

    def _events(self, y: Any) -> Array:
        """Check the target and return it as 0/1; sets ``classes_``."""
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        classes, coded = np.unique(np.asarray(y), return_inverse=True)
        if kind != "binary" or len(classes) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(classes) < 2:
            raise OneClassError(
                f"the target holds one class only ({classes[0]}); both events and non-events are needed "
                "to fit: lengthen the training period or widen the cohort"
            )
        self.classes_ = classes
        return coded.astype(float)

    def _names(self) -> list[str]:
        """Return the column names of the training X, if it had any."""
        return [str(name) for name in getattr(self, "feature_names_in_", [])]

    def _column_names(self) -> list[str]:
        """Return the column names of the training X; x0, x1, … where it had none."""
        return self._names() or [f"x{i}" for i in range(self.n_features_in_)]

    def _positions(self, columns: Sequence[str] | None) -> NDArray[np.int64]:
        """Return where the named columns stand in X; all columns for None."""
        if columns is None:
            return np.arange(self.n_features_in_)
        names = self._names()
        absent = [name for name in columns if name not in names]
        if absent or not len(columns):
            raise ValueError(
                f"columns {absent or list(columns)} are not in X; give X as a DataFrame with them, one of: "
                f"{', '.join(names[:20]) or '(X has no column names)'}"
            )
        return np.array([names.index(name) for name in columns], dtype=np.int64)

    def _signs(self, monotone: Mapping[str, int] | None) -> list[int] | None:
        """Return the sign that each column of X must have; None where no column has one."""
        if not monotone:
            return None
        names = self._names()
        absent = sorted(set(monotone) - set(names))
        wrong = sorted(str(v) for v in set(monotone.values()) - {-1, 0, 1})
        if absent or wrong:
            raise ValueError(
                f"monotone: unknown columns {absent}, signs not in -1, 0, 1: {wrong}; X must be a DataFrame "
                f"whose columns they are, one of: {', '.join(names[:20]) or '(no names)'}"
            )
        return [int(monotone.get(name, 0)) for name in names]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def metadata_router(owner: Any, **bases: Any) -> MetadataRouter:
    """Declare that an estimator takes metadata itself and hands them on to its bases' ``fit``."""
    router = MetadataRouter(owner=type(owner).__name__).add_self_request(owner)
    for name, base in bases.items():
        router.add(method_mapping=MethodMapping().add(caller="fit", callee="fit"), **{name: base})
    return router


def routed_metadata(owner: Any, base: str, **metadata: Any) -> dict[str, Any]:
    """Return the metadata that a base's ``fit`` is given."""
    present = {name: value for name, value in metadata.items() if value is not None}
    if not get_config()["enable_metadata_routing"]:
        return present
    return dict(process_routing(owner, "fit", **present)[base].fit)


def village_codes(groups: Any, n: int) -> NDArray[np.int64]:
    """Code the villages by sorted order; without groups every row stands alone."""
    if groups is None:
        return np.arange(n)
    names = np.asarray(groups, dtype=object)
    if len(names) != n:
        raise ValueError(f"groups has {len(names)} rows where X has {n}; give one village a row")
    if any(name is None or name != name for name in names.tolist()):
        raise ValueError("groups holds a missing village; give every row its village")
    return np.unique(names.astype(str), return_inverse=True)[1].astype(np.int64)


def village_folds(y: Any, groups: Any, folds: int, seed: int) -> NDArray[np.int64]:
    """Deal villages into folds so that events and rows spread evenly."""
    target = np.asarray(y, dtype=float)
    code = village_codes(groups, len(target))
    villages = int(code.max()) + 1
    if villages < folds:
        raise ValueError(
            f"{villages} village(s) cannot be dealt into {folds} folds; "
            "give more villages, fewer folds, or pass groups=None to deal rows"
        )
    rng = np.random.default_rng(seed)
    events = np.bincount(code, weights=target)
    order = np.lexsort((rng.permutation(villages), -np.bincount(code), -events))
    rounds = -(-villages // folds)
    dealt = rng.permuted(np.tile(np.arange(folds), (rounds, 1)), axis=1).ravel()[:villages]
    fold_of = np.empty(villages, dtype=np.int64)
    fold_of[order] = dealt
    return fold_of[code]


def penalty_folds(target: Array, groups: Any, seed: int, parameter: str) -> Iterator[tuple[Rows, Rows]]:
    """Yield the rows to fit on and those held out, of five folds of whole villages, to choose a penalty on.

    Folds whose rows to fit on hold one class only are left out.
    """
    units = int(village_codes(groups, len(target)).max()) + 1
    folds = min(_FOLDS, units)
    if folds < 2:
        raise ValueError(f'{parameter}="cv" needs at least two villages; give a number for {parameter}')
    parts = max(1, len(target) // _CV_ROWS)
    fold = village_folds(target, groups, min(units, folds * parts), seed)
    for k in range(folds):
        rest = (fold != k) & (fold < folds)
        if len(np.unique(target[rest])) == 2:
            yield rest, fold == k


def village_draws(villages: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Draw villages with replacement, as many as there are, and count how often each came.

    Parameters
    ----------
    villages, draws, seed
        How many villages, how often, and what seeds the draw.

    Returns
    -------
    array of shape (draws, villages)
        Each row adds up to ``villages``.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((draws, villages))
    # One draw at a time: memory stays at one row of indices, and a longer run begins like a shorter one.
    for row in counts:
        row[:] = np.bincount(rng.integers(0, villages, size=villages), minlength=villages)
    return counts


def import_optional(name: str, extra: str) -> Any:
    """Import a library of an optional extra."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise UsageError(
            f"{name} is not installed: it comes with the extra {extra!r} (pip install 'riskmodel[{extra}]'); "
            "or take the model out of the experiment"
        ) from exc


def _are_plain(values: NDArray[Any]) -> bool:
    """Say whether a frame's values are floats, some, and none infinite."""
    if values.dtype != np.float64 or values.size == 0:
        return False
    return not any(np.isinf(values[rows]).any() for rows in row_blocks(values))


def row_blocks(matrix: Array) -> Iterator[slice]:
    """Yield slices of so many rows that a block of them stays in a processor's cache."""
    rows = max(1, _BLOCK_VALUES // max(1, matrix.shape[1]))
    for start in range(0, len(matrix), rows):
        yield slice(start, start + rows)


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
    # source that was not delivered is counted once. Raw columns only have their gaps filled.

    def __init__(self, signed_log: bool = True, winsorise: float = 0.002, raw: bool = False) -> None:
        self.signed_log = signed_log
        self.winsorise = winsorise
        self.raw = raw

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn medians, limits, scales and missing patterns."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Learn as `fit` does, and return what `transform` would, without tempering every value twice."""
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
        self._learn_patterns(gaps & (not self.raw))
        if self.raw:
            free = np.full(raw.shape[1], np.inf)
            self.low_, self.high_, self.log_scale_ = -free, free, free * np.nan
            self.mean_, self.scale_ = np.zeros(len(free)), np.ones(len(free))
            self.pattern_mean_, self.pattern_scale_ = np.empty(0), np.empty(0)
            return self
        design = self._tempered(raw)
        values, _ = self._parts(design)
        self.mean_ = values.mean(axis=0)
        self.scale_ = _scale(values)
        marks = gaps[:, self.pattern_column_].astype(float)
        self.pattern_mean_ = marks.mean(axis=0)
        self.pattern_scale_ = _scale(marks)
        for rows in row_blocks(design):
            self._standardise(design[rows])
        return design

    def transform(self, X: Any) -> Array:
        """Return the standardised columns followed by the indicator columns."""
        raw = np.asarray(X, dtype=float)
        return self._tempered(raw, standardise=True)

    def _tempered(self, raw: Array, standardise: bool = False) -> Array:
        """Return tempered values and marks of gaps side by side, a block of rows at a time."""
        # As X lies in memory: means of columns that lie row by row would end in other last digits.
        lies: Literal["F", "C"] = "F" if raw.shape[1] > 1 and raw.strides[0] < raw.strides[1] else "C"
        out = np.empty((len(raw), raw.shape[1] + len(self.pattern_column_)), order=lies)
        logged = np.flatnonzero(np.isfinite(self.log_scale_))
        for rows in row_blocks(out):
            values, marks = self._parts(out[rows])
            np.clip(np.where(np.isnan(raw[rows]), self.median_, raw[rows]), self.low_, self.high_, out=values)
            part = values[:, logged]
            values[:, logged] = np.sign(part) * np.log1p(np.abs(part) / self.log_scale_[logged])
            marks[:] = np.isnan(raw[rows][:, self.pattern_column_])
            if standardise:
                self._standardise(out[rows])
        return out

    def _parts(self, design: Array) -> tuple[Array, Array]:
        """Return the values' columns of a design and those of the marks."""
        p = len(self.median_)
        return design[:, :p], design[:, p:]

    def _standardise(self, design: Array) -> None:
        """Standardise rows of a design in place."""
        values, marks = self._parts(design)
        for part, mean, scale in (
            (values, self.mean_, self.scale_),
            (marks, self.pattern_mean_, self.pattern_scale_),
        ):
            part -= mean
            part /= scale

    def describe(self, names: Sequence[str]) -> pd.DataFrame:
        """Return what is done to each column of the design, in order: gap, limits, logarithm, mean, scale."""
        named = list(names)
        columns = pd.DataFrame({
            "column": named, "done": [self._said(j) for j in range(len(named))], "gap_takes": self.median_,
            "clipped_low": self.low_, "clipped_high": self.high_, "log_scale": self.log_scale_,
            "subtracted": self.mean_, "divided_by": self.scale_,
        })  # fmt: skip
        marks = pd.DataFrame({
            "column": [f"missing:{named[j]}" for j in self.pattern_column_],
            "done": "1 where missing; standardised",
            "subtracted": self.pattern_mean_, "divided_by": self.pattern_scale_,
        })  # fmt: skip
        return pd.concat([columns, marks], ignore_index=True) if len(marks) else columns

    def _said(self, column: int) -> str:
        if self.raw:
            return "raw"
        logged = np.isfinite(self.log_scale_[column])
        return f"clipped; {'sign(x) ln(1 + |x| / log_scale); ' if logged else ''}standardised"

    def to_columns(self, contributions: Array) -> Array:
        """Add the indicators' contributions to the raw columns they stand for."""
        values, marks = self._parts(contributions)
        shared = marks @ self.pattern_shares_
        shared += values
        return shared

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
