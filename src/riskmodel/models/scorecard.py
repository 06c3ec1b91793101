"""A scorecard: points for monotone bins of a few columns, which a cadre can add up by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from riskmodel.models.affine_calibration import fit_affine
from riskmodel.models.base import Array, MarginClassifier
from riskmodel.models.registry import MODELS, ModelEntry

# Bins that are tried to be joined: finer ones cost time (cubed) and hold too few events to tell apart.
PREBINS = 20
# People apply the printed edge, so the card is made with the rounded one.
DIGITS = 3
# Rows of prior weight at the overall rate that keep a bin's weight of evidence finite.
PRIOR_ROWS = 1.0
# Information value below which a column is customarily "not useful" (Siddiqi 2006, ch. 6).
_LEAST_VALUE = 0.02
# Twenty points double the odds (the customary scale, Siddiqi 2006, ch. 7); here more points are more risk.
_DOUBLING = 20.0
# A C at which the penalty only settles columns that say the same thing.
_C = 10.0
# What stands for the level and for one point's worth in an exported table.
OFFSET, PER_POINT = "(offset)", "(per point)"


def weight_of_evidence(
    rows: NDArray[Any], hits: NDArray[Any], total: float, events: float
) -> tuple[Array, Array]:
    """Weight of evidence of bins (more is riskier) and what each adds to the information value."""
    base = events / total
    risky, safe = hits + PRIOR_ROWS * base, rows - hits + PRIOR_ROWS * (1 - base)
    with np.errstate(divide="ignore", invalid="ignore"):
        woe = np.where(rows > 0, np.log(risky / safe) - np.log(base / (1 - base)), 0.0)
    return woe, (hits / events - (rows - hits) / (total - events)) * woe


def optimal_edges(
    column: Array, target: Array, most: int, least: int, sign: int = 0, prebins: int = PREBINS
) -> Array:
    """Return the edges of the monotone bins with the largest information value."""
    known = ~np.isnan(column)
    values, hits = column[known], target[known]
    if len(values) < 2 * least or len(np.unique(hits)) < 2:
        return np.empty(0)
    # The small tree's own cuts are among the fine ones, so that it can only be bettered.
    fine = np.union1d(_cuts(values, hits, prebins, max(2, least // 2)), _cuts(values, hits, most, least))
    if not len(fine):
        return fine
    place = np.searchsorted(fine, values, side="left")
    events = np.bincount(place, weights=hits, minlength=len(fine) + 1)
    rows = np.bincount(place, minlength=len(fine) + 1).astype(events.dtype)
    candidates = [
        _best(rows, events, float(len(target)), float(target.sum()), most, least, s)
        for s in ((sign,) if sign else (1, -1))
    ]
    _, ends = max(candidates, key=lambda f: f[0])
    return fine[ends]


def _cuts(values: Array, hits: Array, leaves: int, least: int) -> Array:
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=least, random_state=0)
    tree.fit(values[:, None], hits)
    inner = tree.tree_.threshold[tree.tree_.feature >= 0]
    # Where three digits would put two edges together, `unique` keeps one.
    return np.unique([float(f"{edge:.{DIGITS}g}") for edge in np.sort(inner)])


def _best(
    rows: NDArray[Any],
    events: NDArray[Any],
    total: float,
    all_events: float,
    most: int,
    least: int,
    sign: int,
) -> tuple[float, list[int]]:
    """Return the largest information value and the fine bins after which to cut (all but the last)."""
    n = len(rows)
    row_sum, hit_sum = np.r_[0.0, np.cumsum(rows)], np.r_[0.0, np.cumsum(events)]
    # Entry (i, j): the bin of fine bins i … j.
    size = row_sum[None, 1:] - row_sum[:-1, None]
    held = hit_sum[None, 1:] - hit_sum[:-1, None]
    allowed = np.triu(np.ones((n, n), dtype=bool)) & (size >= least)
    gain = np.where(allowed, weight_of_evidence(size, held, total, all_events)[1], -np.inf)
    rate = sign * held / np.maximum(size, 1)
    value = np.where(np.arange(n)[:, None] == 0, gain, -np.inf)
    best = (float(value[0, -1]), [-1, n - 1])
    before: list[NDArray[np.int64]] = []
    for _ in range(1, min(most, n)):
        later, origin = np.full((n, n), -np.inf), np.zeros((n, n), dtype=np.int64)
        for i in range(1, n):
            # Bins that end right before i, by their first fine bin h; each must be less risky than (i, j).
            fits = rate[:i, i - 1][:, None] < rate[i][None, :] - 1e-12
            from_h = np.where(fits, value[:i, i - 1][:, None], -np.inf)
            origin[i] = np.argmax(from_h, axis=0)
            later[i] = from_h[origin[i], np.arange(n)] + gain[i]
        before.append(origin)
        value = later
        i = int(np.argmax(value[:, -1]))
        # More bins must bring more: a tie goes to fewer.
        if value[i, -1] > best[0] + 1e-12:
            best = (float(value[i, -1]), _walk(before, i, n))
    return best[0], best[1][1:-1]


def _walk(before: list[NDArray[np.int64]], first: int, n: int) -> list[int]:
    """Return −1, the last fine bin of each bin, from the first fine bin of the latest one back."""
    ends, last = [n - 1], n - 1
    for origin in reversed(before):
        ends.append(first - 1)
        first, last = int(origin[first, last]), first - 1
    return [-1, *reversed(ends)]


class Scorecard(MarginClassifier):
    """Monotone bins with weights of evidence, a logit on them, and integer points.

    Each column is cut into the bins that hold the most information among all in which the event rate only
    rises or only falls with the column (`riskmodel.models.scorecard`), and a gap is a bin of its own. Columns
    are taken by information value; one that says nearly what a better one says (correlated weights of
    evidence), or whose coefficient turns out negative, is dropped. The margin is computed from the rounded
    points, so that what is added up by hand is the score itself: ``margin = offset_ + Σ points · ln 2 / 20``.
    Calibrated on top, the points stay and the level and the worth of a point change: `scorecard_tables`.

    Parameters
    ----------
    max_columns
        Columns used at most.
    max_bins
        Of known values; the gap comes on top.
    min_share
        Least share of the rows in a bin.
    max_correlation
        Of the weights of evidence of two columns used.
    monotone : mapping of column name to -1 or +1, optional
        The direction a column's bins must have; else the one in which they hold more information.

    Attributes
    ----------
    columns_ : integer array
        Positions of the columns used, the most valuable first.
    edges_ : list of arrays
        Bin k of a column holds ``edges[k-1] < x <= edges[k]``; rounded to three digits.
    points_ : list of integer arrays
        One a bin, the gap's last; the least risky bin has 0.
    offset_ : float
        Log-odds of somebody with 0 points.
    value_ : array
        Information values of the columns used.
    centre_ : array
        Mean points in training, from which `contributions` count.

    References
    ----------
    Siddiqi 2006, *Credit Risk Scorecards*; Good 1950 for the weight of evidence; Navas-Palencia 2020 for
    optimal bins.
    """

    # Twelve decimals, so that a spreadsheet that keeps fifteen digits gives the very same number back.
    per_point_: float = round(float(np.log(2) / _DOUBLING), 12)

    def __init__(
        self,
        max_columns: int = 10,
        max_bins: int = 5,
        min_share: float = 0.03,
        max_correlation: float = 0.75,
        monotone: Mapping[str, int] | None = None,
    ) -> None:
        self.max_columns = max_columns
        self.max_bins = max_bins
        self.min_share = min_share
        self.max_correlation = max_correlation
        self.monotone = monotone

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Cut, choose, weigh and round.

        Parameters
        ----------
        X : array or DataFrame of shape (n, p)
            NaN is missing.
        y : array of shape (n,)
            Two classes, no nulls.
        groups : ignored
            For the common interface only.

        Returns
        -------
        Scorecard
            Itself, fitted.

        Raises
        ------
        ValueError
            If a parameter is out of range, ``monotone`` names an unknown column, or the target has one class.
        """
        self._check()
        matrix, target = self._training(X, y)
        signs = self._signs(self.monotone) or [0] * matrix.shape[1]
        least = max(2, int(np.ceil(self.min_share * len(target))))
        cuts = [
            optimal_edges(matrix[:, j], target, self.max_bins, least, signs[j])
            for j in range(matrix.shape[1])
        ]
        places = [_bin(column, edges) for column, edges in zip(matrix.T, cuts, strict=True)]
        woe, values = zip(
            *(_woe(place, target, len(edges) + 2) for place, edges in zip(places, cuts, strict=True)),
            strict=True,
        )
        evidence = [of_bin[place] for of_bin, place in zip(woe, places, strict=True)]
        weights = self._weigh(evidence, target, self._choose(evidence, np.array(values)))
        self.edges_ = [cuts[j] for j in self.columns_]
        self.value_ = np.array(values)[self.columns_]
        self._round(target, places, woe, weights)
        return self

    def points(self, X: Any) -> NDArray[np.int64]:
        """Return the points of each row and column used, shape (n, columns used)."""
        matrix = self._matrix(X)
        parts = [
            self.points_[i][_bin(matrix[:, j], self.edges_[i])] for i, j in enumerate(self.columns_.tolist())
        ]
        return np.column_stack(parts) if parts else np.zeros((len(matrix), 0), dtype=np.int64)

    def margin(self, X: Any) -> Array:
        """Return ``offset_ + points · per_point_`` (ln 2 / 20 as fitted), shape (n,)."""
        total = self.points(X).sum(axis=1)
        return self.offset_ + total * self.per_point_

    @property
    def base_value_(self) -> float:
        """The margin at mean points, from which `contributions` count."""
        return self.offset_ + float(self.centre_.sum()) * self.per_point_

    def contributions(self, X: Any) -> Array:
        """Split the margin over the columns of X, in log-odds, counted from mean points; shape (n, p)."""
        parts = (self.points(X) - self.centre_) * self.per_point_
        out = np.zeros((len(parts), self.n_features_in_))
        out[:, self.columns_] = parts
        return out

    def table(self, intercept: float = 0.0, slope: float = 1.0) -> pd.DataFrame:
        """Return the card itself: all that is needed to score by hand, or by `from_table`.

        Parameters
        ----------
        intercept, slope
            Of the calibration on top (`CalibratedScore`): with them the table gives the chance that is shown,
            log-odds = (intercept + slope · offset_) + points · slope · per_point_. The points stay.

        Returns
        -------
        DataFrame
            ``column, above, up_to, points``: a bin holds above < x <= up_to (empty: no limit); both are empty
            and ``missing`` is True for a gap. The rows ``column = "(offset)"`` and ``"(per point)"`` have the
            log-odds of 0 points and what one point adds in ``above``.
        """
        check_is_fitted(self)
        names = self._column_names()
        scale = {OFFSET: intercept + slope * self.offset_, PER_POINT: slope * self.per_point_}
        rows: list[dict[str, Any]] = [
            {"column": name, "above": value, "up_to": np.nan, "missing": False, "points": 0}
            for name, value in scale.items()
        ]
        for i, j in enumerate(self.columns_.tolist()):
            bounds = np.r_[np.nan, self.edges_[i], np.nan]
            for k, points in enumerate(self.points_[i].tolist()):
                gap = k == len(bounds) - 1
                rows.append({
                    "column": names[j], "above": np.nan if gap else bounds[k],
                    "up_to": np.nan if gap else bounds[k + 1], "missing": gap, "points": int(points),
                })  # fmt: skip
        return pd.DataFrame(rows)

    def chances(self, intercept: float = 0.0, slope: float = 1.0) -> pd.DataFrame:
        """Return the chance that each sum of points stands for, to be read off.

        Parameters
        ----------
        intercept, slope
            As in `table`.

        Returns
        -------
        DataFrame
            ``points, probability``: one row a sum, from 0 to the most that can be reached.
        """
        check_is_fitted(self)
        points = np.arange(sum(int(p.max()) for p in self.points_) + 1)
        margin = intercept + slope * (self.offset_ + points * self.per_point_)
        return pd.DataFrame({"points": points, "probability": expit(margin)})

    @classmethod
    def from_table(cls, table: pd.DataFrame, names: Sequence[str]) -> Scorecard:
        """Make a scorecard that scores as an exported table says.

        Parameters
        ----------
        table
            As `table` returns it, whatever file it went through.
        names
            Columns of the X that it will be given, in order.

        Returns
        -------
        Scorecard
            Without `contributions`' training means: they count from 0 points.

        Raises
        ------
        ValueError
            If the table names a column that is not among ``names``.
        """
        card = cls()
        scale = table.set_index("column")["above"]
        used = [c for c in dict.fromkeys(table["column"].astype(str)) if c not in (OFFSET, PER_POINT)]
        absent = [c for c in used if c not in names]
        if absent:
            raise ValueError(f"the table names columns {absent} that X does not have")
        card.classes_ = np.array([0, 1])
        card.feature_names_in_ = np.array(list(names), dtype=object)
        card.n_features_in_ = len(names)
        card.offset_, card.per_point_ = float(scale[OFFSET]), float(scale[PER_POINT])
        card.columns_ = np.array([list(names).index(c) for c in used], dtype=np.int64)
        parts = [table[table["column"].astype(str) == c] for c in used]
        card.edges_ = [p["up_to"].dropna().to_numpy(dtype=float) for p in parts]
        card.points_ = [p["points"].to_numpy(dtype=np.int64) for p in parts]
        card.centre_ = np.zeros(len(used))
        card.value_ = np.full(len(used), np.nan)
        return card

    def _check(self) -> None:
        if self.max_columns < 1 or self.max_bins < 2 or not 0 < self.min_share <= 0.5:
            raise ValueError(
                f"max_columns={self.max_columns!r}, max_bins={self.max_bins!r}, min_share={self.min_share!r}"
                ": at least 1, at least 2, and in (0, 0.5]"
            )

    def _choose(self, evidence: list[Array], values: Array) -> NDArray[np.int64]:
        chosen: list[int] = []
        for j in np.argsort(-values, kind="stable").tolist():
            if len(chosen) == self.max_columns or values[j] < _LEAST_VALUE:
                break
            if all(abs(_correlation(evidence[j], evidence[i])) <= self.max_correlation for i in chosen):
                chosen.append(j)
        return np.array(chosen, dtype=np.int64)

    def _weigh(self, evidence: list[Array], target: Array, chosen: NDArray[np.int64]) -> Array:
        """Fit the logit on weights of evidence, dropping columns until every coefficient is positive."""
        coef = np.empty(0)
        while len(chosen):
            model = LogisticRegression(C=_C, solver="newton-cholesky", tol=1e-8, max_iter=200)
            coef = model.fit(np.column_stack([evidence[j] for j in chosen]), target).coef_[0]
            if (coef > 0).all():
                break
            chosen = np.delete(chosen, int(np.argmin(coef)))
        self.columns_ = chosen
        return coef[: len(chosen)]

    def _round(
        self, target: Array, places: list[NDArray[np.int64]], woe: Sequence[Array], weights: Array
    ) -> None:
        """Turn the weighed evidence of each bin into points, and fit the level that goes with them."""
        scale = _DOUBLING / np.log(2)
        raw = [weight * woe[j] * scale for j, weight in zip(self.columns_, weights, strict=True)]
        self.points_ = [np.rint(points - points.min()).astype(np.int64) for points in raw]
        scored = [points[places[j]] for j, points in zip(self.columns_, self.points_, strict=True)]
        self.centre_ = np.array([points.mean() for points in scored])
        total = np.sum([points / scale for points in scored], axis=0) + np.zeros(len(target))
        # Six decimals survive every file format; a spreadsheet keeps fifteen digits of a float, not all.
        level = fit_affine(total, target[None], np.ones((1, len(target))), slope=False).intercept[0]
        self.offset_ = round(float(level), 6)


def scorecard_tables(model: Any) -> dict[str, pd.DataFrame]:
    """Return a scorecard as it scores, calibration included: the card, and the chance of each sum of points.

    Parameters
    ----------
    model
        Fitted; a `Scorecard`, or one under `CalibratedScore`.

    Returns
    -------
    dict
        ``scorecard`` (as `Scorecard.table`) and ``scorecard_chances`` (as `Scorecard.chances`); empty where
        the model is none.
    """
    base = getattr(model, "base_", model)
    if not isinstance(base, Scorecard):
        return {}
    on_top = (model.intercept_, model.slope_) if base is not model else (0.0, 1.0)
    return {"scorecard": base.table(*on_top), "scorecard_chances": base.chances(*on_top)}


def _bin(column: Array, edges: Array) -> NDArray[np.int64]:
    """Bin of each value, 0 … len(edges); the gap is len(edges) + 1."""
    return np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="left"))


def _woe(place: NDArray[np.int64], target: Array, bins: int) -> tuple[Array, float]:
    """Weight of evidence of each bin (more is riskier) and the column's information value."""
    rows = np.bincount(place, minlength=bins).astype(np.float64)
    hits = np.bincount(place, weights=target, minlength=bins)
    woe, value = weight_of_evidence(rows, hits, float(len(target)), float(target.sum()))
    return woe, float(value.sum())


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread > 0 else 0.0


MODELS.register(
    ModelEntry(
        "scorecard",
        zh="评分卡",
        en="scorecard",
        factory=Scorecard,
        saves=(Scorecard,),
        needs="features",
        tradition="scorecards",
        contributions="linear",
        simple=True,
        tables=scorecard_tables,
        order=100,
        description_zh="把少数列分段计分，可手工相加",
        description_en="Points for bins of a few columns that add up by hand.",
        checked_against=(
            "bins: the best of all partitions, by trying all; points added by hand; exact after export to"
            " CSV and Excel; points lead to the calibrated chance"
        ),
        tests=(
            "models/test_scorecard.py::test_dynamic_programming_finds_the_best_of_all_partitions",
            "models/test_scorecard.py::test_points_lead_to_the_chance_that_is_shown_calibration_included",
            "models/test_scorecard.py::test_points_added_by_hand_are_the_score",
            "models/test_scorecard.py::test_score_comes_back_exactly_from_an_exported_card",
        ),
    )
)
