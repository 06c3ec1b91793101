"""The tidy frame of predictions, checked once, and its village bootstrap.

Whole villages with all their as-of dates are drawn, so that repeats count once: households of a village
share weather, roads and cadres, and one household stands at several as-of dates; drawing rows would call
all that independent and make every interval too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.cluster_tests import Estimate, quantile_with_error
from riskmodel.evaluation.lists import Array, Budget
from riskmodel.evaluation.units import Units
from riskmodel.models import village_draws

# What names a row, and what names its village: two townships may each have a village of one name.
KEY = ["as_of", "household_id"]
VILLAGE = ["township", "village"]
# Stands in for the village where rows of one survey cluster lie in several, or a sample was drawn otherwise.
CLUSTER = "cluster"
# Where a survey was stratified its units are drawn within each stratum.
STRATUM = "stratum"
_COLUMNS = ["household_id", "as_of", "fold", *VILLAGE, "model", "score", "probability", "y"]
# Weights handled at once: a million doubles are 8 MB, and a kernel holds a few such arrays.
_CHUNK = 1_000_000
# Sums by village are weighed for so many replicates at once at least, which is how matrices multiply fast.
_TOGETHER = 64
# Below this share of usable replicates an interval would describe only the lucky ones.
_LEAST_USABLE = 0.9


@dataclass(frozen=True)
class Predictions:
    """Predictions whose label is known, and how many rows were set aside."""

    frame: pd.DataFrame  # sorted by as-of date and household id, ``y`` 0.0 or 1.0
    models: tuple[str, ...]  # in the order of their first row
    nulls: pd.Series  # rows without a label, indexed by model and fold

    def n_null(self, model: str, fold: object | None = None) -> int:
        """Count the rows without a label, of one model and, if given, one fold."""
        of_model = self.nulls.xs(model, level="model")
        return int(of_model.sum() if fold is None else of_model[of_model.index == fold].sum())


def check_predictions(predictions: pd.DataFrame, extra: tuple[str, ...] = ()) -> Predictions:
    """Check a predictions frame and set null labels aside."""
    absent = [name for name in (*_COLUMNS, *extra) if name not in predictions.columns]
    if absent:
        raise InputRefused(
            f"predictions lack the column(s) {', '.join(absent)}; needed: {', '.join((*_COLUMNS, *extra))}"
        )
    duplicates = predictions.duplicated([*KEY, "model"])
    if duplicates.any():
        row = predictions.iloc[int(np.argmax(duplicates))]
        raise InputRefused(
            f"predictions hold {int(duplicates.sum())} row(s) twice, first {row['household_id']} at "
            f"{row['as_of']} of model {row['model']!r}; give each household, as-of date and model once"
        )
    label = pd.to_numeric(predictions["y"]).astype("Float64")
    wrong = label.notna() & ~label.isin([0, 1])
    if wrong.any():
        raise InputRefused(f"label {label[wrong].iloc[0]} in y; allowed: 0, 1 or null")
    models = tuple(dict.fromkeys(predictions["model"]))
    nulls = label.isna().groupby([predictions["model"], predictions["fold"]]).sum()
    known = predictions[label.notna()].assign(y=label[label.notna()].to_numpy(dtype=float))
    if known.empty:
        raise InputRefused(
            f"none of the {len(predictions)} predictions has a label; choose earlier test dates"
        )
    _check_numbers(known)
    return Predictions(known.sort_values(KEY, kind="stable", ignore_index=True), models, nulls)


def _check_numbers(known: pd.DataFrame) -> None:
    score = known["score"].to_numpy(dtype=float, na_value=np.nan)
    p = known["probability"].to_numpy(dtype=float, na_value=np.nan)
    for name, bad, allowed in (
        ("score", ~np.isfinite(score), "finite numbers"),
        ("probability", ~((p >= 0) & (p <= 1)), "numbers from 0 to 1"),
    ):
        if bad.any():
            row = known.iloc[int(np.argmax(bad))]
            raise InputRefused(
                f"{name} of model {row['model']!r} is {row[name]!r} for {row['household_id']} at "
                f"{row['as_of']} ({int(bad.sum())} such row(s)); allowed: {allowed}"
            )


def float_column(frame: pd.DataFrame, column: str) -> Array:
    """Return a column as floats, NaN where missing."""
    return frame[column].to_numpy(dtype=float, na_value=np.nan)


def sorted_codes(column: pd.Series) -> NDArray[np.int64]:
    """Code a column's values by sorted order.

    Parameters
    ----------
    column
        Values that can be sorted.

    Returns
    -------
    integer array of shape (n,)
        0 for the smallest value, and so on.
    """
    return pd.factorize(column, sort=True)[0].astype(np.int64)


@dataclass(frozen=True)
class Resamples:
    """How often each village comes in each replicate, and which village each row is in.

    Attributes
    ----------
    counts : array of shape (replicates, villages)
        How often each village came.
    village : integer array of shape (n,)
        Code of each row's village.
    strata
        In how many strata they were drawn; 0 where the sample was not stratified.
    lonely
        Strata with one village only: it stays as it is, and adds nothing to the spread.
    """

    counts: Array
    village: NDArray[np.int64]
    strata: int = 0
    lonely: int = 0

    @property
    def n_villages(self) -> int:
        """Number of villages."""
        return self.counts.shape[1]

    def run(self, kernel: Callable[[Array], Array]) -> Array:
        """Apply a kernel to every replicate.

        Parameters
        ----------
        kernel
            From weights (replicates, n) to an array whose first axis is the replicates.

        Returns
        -------
        array of shape (replicates, …)
            One row of NaN without replicates, or with one village only (in each stratum): nothing can be
            resampled.
        """
        step = max(1, _CHUNK // max(1, len(self.village)))
        return self._run(lambda counts: kernel(counts[:, self.village]), step)

    def units(self, weight: Array | None = None) -> Units:
        """Return the villages as units, each row of weight 1 or of the weights given, shape (n,)."""
        return Units(self.village, np.ones(len(self.village)) if weight is None else weight)

    def run_units(self, kernel: Callable[[Array], Array]) -> Array:
        """Apply a kernel that was prepared for `units` to every replicate: as `run`, without weights of rows.

        Parameters
        ----------
        kernel
            From weights of the units (replicates, villages) to an array whose first axis is the replicates.

        Returns
        -------
        array of shape (replicates, …)
            As `run`.
        """
        return self._run(kernel, max(_TOGETHER, _CHUNK // max(1, len(self.village))))

    def _run(self, kernel: Callable[[Array], Array], step: int) -> Array:
        nothing = self.n_villages < 2 or (self.strata > 0 and self.strata == self.lonely)
        if nothing or len(self.counts) == 0:
            return np.full_like(kernel(np.ones((1, self.n_villages))), np.nan)
        starts = range(0, len(self.counts), step)
        return np.concatenate([kernel(self.counts[first : first + step]) for first in starts])


def village_resamples(villages: pd.DataFrame | Any, replicates: int, seed: int) -> Resamples:
    """Draw the villages.

    Parameters
    ----------
    villages : DataFrame or array of shape (n, …)
        What names a row's village; with several columns (township, village) they name it together. A
        column ``stratum`` is a part of the name, and villages are drawn within strata.
    replicates
        How many.
    seed
        Draws the villages.

    Returns
    -------
    Resamples
        The same for the same set of villages, whatever the order of the rows.

    References
    ----------
    Within strata: n − 1 of the n units of each, each counted n / (n − 1) times (Rao and Wu 1988), which gives
    the design's own variance where strata are small; a unit alone in its stratum stays.
    """
    code = village_code(villages)
    if isinstance(villages, pd.DataFrame) and STRATUM in villages.columns:
        units = villages.assign(code=code).drop_duplicates("code").sort_values("code")
        stratum = pd.factorize(units[STRATUM], sort=True)[0]
        sizes = np.bincount(stratum[stratum >= 0])
        counts = stratified_draws(stratum, replicates, seed)
        return Resamples(counts, code, len(sizes), int((sizes == 1).sum()))
    return Resamples(village_draws(int(code.max()) + 1, replicates, seed), code)


def resampled_units(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what names the unit that a row is resampled with: its survey cluster if given, else its village.

    Parameters
    ----------
    rows
        ``township, village``; with a column ``cluster`` (primary sampling unit) that is the unit. A column
        ``stratum`` stands in front: the same number in two strata names two units.
    """
    unit = [CLUSTER] if CLUSTER in rows.columns else VILLAGE
    return rows[[STRATUM, *unit] if STRATUM in rows.columns else unit]


def stratified_draws(stratum: NDArray[np.int64], draws: int, seed: int) -> Array:
    """Draw units with replacement within strata, one fewer than there are, and scale their counts up.

    Parameters
    ----------
    stratum : integer array of shape (units,)
        Code of each unit's stratum; below 0: of none, it stays as it is.
    draws, seed
        How often, and what seeds the draw.

    Returns
    -------
    array of shape (draws, units)
        Within each stratum a row adds up to its units.

    References
    ----------
    Rao, J. N. K. and C. F. J. Wu (1988), Resampling inference with complex survey data, JASA 83, 231–241.

    Examples
    --------
    >>> drawn = stratified_draws(np.array([0, 0, 0, 1]), 2, seed=0)
    >>> drawn.sum(axis=1).tolist(), drawn[:, 3].tolist()
    ([4.0, 4.0], [1.0, 1.0])
    """
    rng = np.random.default_rng(seed)
    counts = np.ones((draws, len(stratum)))
    for one in range(int(stratum.max()) + 1):
        units = np.flatnonzero(stratum == one)
        if (n := len(units)) > 1:
            counts[:, units] = rng.multinomial(n - 1, np.full(n, 1 / n), size=draws) * n / (n - 1)
    return counts


def village_code(villages: pd.DataFrame | Any) -> NDArray[np.int64]:
    """Code the villages by sorted order."""
    frame = villages if isinstance(villages, pd.DataFrame) else pd.DataFrame(np.asarray(villages))
    grouped = frame.groupby(list(frame.columns), sort=True, dropna=False)
    return grouped.ngroup().to_numpy().astype(np.int64)


def percentile_interval(values: Array, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values.

    Parameters
    ----------
    values : array of shape (replicates,)
        NaN where a replicate had no answer (one class only).
    level
        Level of the interval.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN where fewer than 90 % of the replicates had an answer.
    """
    usable = values[~np.isnan(values)]
    if usable.size == 0 or usable.size < _LEAST_USABLE * values.size:
        return float("nan"), float("nan")
    low, high = np.quantile(usable, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def interval_with_errors(values: Array, level: float = 0.95) -> tuple[Estimate, Estimate]:
    """Return the ends of `percentile_interval` with the Monte-Carlo error of each."""
    usable = values[~np.isnan(values)]
    if usable.size == 0 or usable.size < _LEAST_USABLE * values.size:
        return (Estimate(float("nan"), float("nan")),) * 2
    return quantile_with_error(usable, 0.5 - level / 2), quantile_with_error(usable, 0.5 + level / 2)


def two_sided_p(values: Array) -> float:
    """Return twice the smaller share of bootstrap differences on one side of 0, one counted on each side.

    Parameters
    ----------
    values : array of shape (replicates,)
        Differences; NaN where a replicate had no answer.

    Returns
    -------
    float
        p = 2 · min over tails of (1 + #) / (B + 1), in (0, 1], never below 2 / (B + 1); NaN without values.

    References
    ----------
    Davison and Hinkley 1997, section 4.2; Phipson and Smyth 2010.

    Examples
    --------
    >>> two_sided_p(np.array([1.0, 2.0, -1.0]))
    1.0
    """
    usable = values[~np.isnan(values)]
    if usable.size == 0:
        return float("nan")
    side = min(np.sum(usable <= 0), np.sum(usable >= 0))
    return float(min(1.0, 2 * (side + 1) / (usable.size + 1)))


FINDING = (*KEY, "y", "weight")


def label_by_findings(predictions: pd.DataFrame, findings: pd.DataFrame) -> Predictions:
    """Put findings with their weights in the place of labels.

    Parameters
    ----------
    predictions
        As for `pooled_metrics`; its labels are not looked at.
    findings
        ``household_id, as_of, y`` (0/1) and ``weight`` (1 / chance of the visit; null: left out); a
        household may have several.

    Returns
    -------
    Predictions
        One row a model and finding, with ``weight``; without a weight they are counted as nulls.

    Raises
    ------
    InputRefused
        If a column is absent, or no finding with a weight is of a household that was scored.
    """
    known = weighted_findings(findings)
    checked = check_predictions(predictions.assign(y=0.0))
    frame = align_keys(checked.frame.drop(columns="y")).merge(known, on=KEY, how="inner")
    if frame.empty:
        raise InputRefused("no finding is of a household and as-of date that was scored")
    unweighted = len(findings) - len(known)
    nulls = pd.Series(0, index=checked.nulls.index)
    for model in checked.models:
        # They belong to no fold in particular; the first one of each model carries the count.
        nulls.loc[next(label for label in nulls.index if label[0] == model)] = unweighted
    return Predictions(frame.sort_values(KEY, kind="stable", ignore_index=True), checked.models, nulls)


def budget_as_share(budget: Budget | Mapping[str, Any], predictions: pd.DataFrame) -> Budget:
    """Return a budget of visits as the share of the scored households that it is, over all as-of dates."""
    limit = Budget.of(budget)
    if limit.visits is None:
        return limit
    sizes = predictions.drop_duplicates(KEY).groupby("as_of").size()
    return Budget(share=float(sum(limit.at(int(n)) for n in sizes) / sizes.sum()))


def weighted_findings(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the findings that have a weight, with keys of one type; refused where a column is absent."""
    absent = [c for c in FINDING if c not in findings.columns]
    if absent:
        raise InputRefused(f"findings lack the column(s) {', '.join(absent)}; needed: {', '.join(FINDING)}")
    weight = float_column(findings, "weight")
    if (weight[np.isfinite(weight)] <= 0).any():
        raise InputRefused("findings hold a weight that is not positive; give 1 / chance of the visit")
    return align_keys(findings.loc[np.isfinite(weight), list(FINDING)]).astype({"y": float})


def align_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose as-of dates are dates and whose household ids are text."""
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]), household_id=frame["household_id"].astype(str))
