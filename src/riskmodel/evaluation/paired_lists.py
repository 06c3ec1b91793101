"""Two lists on the same households: their orders, their recall with a paired interval, and descriptive tests.

McNemar and DeLong take households as independent; villages and repeated as-of dates make them too sure.
They are reported as description; the village bootstrap of `compare` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, norm, rankdata

from riskmodel.errors import InputRefused
from riskmodel.evaluation.cluster_tests import (
    FEW_CLUSTERS,
    LEAST_CLUSTERS,
    Estimate,
    binomial_error,
    bootstrap_t_interval,
    sign_flip_p,
)
from riskmodel.evaluation.lists import (
    Codes,
    ListCounts,
    Ranking,
    fixed_list_kernel,
    rank_rows,
)
from riskmodel.evaluation.metrics import Array
from riskmodel.evaluation.predictions import (
    CLUSTER,
    KEY,
    STRATUM,
    VILLAGE,
    Predictions,
    Resamples,
    float_column,
    interval_with_errors,
    resampled_units,
    sorted_codes,
    two_sided_p,
    village_resamples,
)
from riskmodel.evaluation.units import Units

RULE = "rule"
# Income per head over the outcome's year, and the line: what welfare is measured by, where they are known.
OPTIONAL = ("pcni_after", "line")


@dataclass(frozen=True)
class PairedLists:
    """The rows of one scope, in the order of as-of date and household id."""

    y: Array
    persons: Array
    date: Codes
    flagged: NDArray[np.bool_]
    villages: pd.DataFrame
    scores: dict[str, Array]
    rules: Ranking  # the rules' own list
    baseline: Ranking  # the list compared with
    baseline_score: Array  # orders as `baseline` within a date and compares between dates
    income: Array  # per head over the outcome's year; NaN where not known
    line: float  # median, yuan; NaN where not known


def common_rows(checked: Predictions) -> tuple[pd.DataFrame, int]:
    """Bring the models side by side on the rows that all of them scored."""
    frame = checked.frame
    further = (c for c in (STRATUM, CLUSTER, *OPTIONAL) if c in frame)
    facts = ["fold", *VILLAGE, "persons", "flagged", "rule_rank", "y", *further]
    first = frame.drop_duplicates(KEY).set_index(KEY)
    distinct = frame[[*KEY, "y", "flagged"]].drop_duplicates()
    if len(distinct) > len(first):
        row = distinct[distinct.duplicated(KEY)].iloc[0]
        raise InputRefused(
            f"models disagree on y or flagged for {row['household_id']} at {row['as_of']}; "
            "labels and verdicts belong to the household, not to the model"
        )
    scores = frame.pivot(index=KEY, columns="model", values="score")
    whole = scores.notna().all(axis=1)
    if not whole.any():
        raise InputRefused("no household was scored by all models; compare models of one run")
    wide = first.loc[:, facts].join(scores[whole].add_prefix("score:"), how="inner")
    return wide.sort_index().reset_index(), int((~whole).sum())


def pair_lists(wide: pd.DataFrame, models: tuple[str, ...], baseline: str) -> PairedLists:
    """Order the rows of one scope by the rules, the baseline and nothing else yet."""
    date, flagged = sorted_codes(wide["as_of"]), wide["flagged"].to_numpy(dtype=bool)
    scores = {model: float_column(wide, f"score:{model}") for model in models}
    rules = rank_rows(date, ~flagged, float_column(wide, "rule_rank"))
    if baseline == RULE:
        chosen, score = rules, scores.get(RULE, score_from_ranking(rules, date))
    else:
        chosen, score = rank_rows(date, -scores[baseline]), scores[baseline]
    persons = float_column(wide, "persons")
    # A household whose size is not known counts as one person, as it does in the household-weighted figure.
    persons = np.where(np.isnan(persons), 1.0, persons)
    income, line = (
        float_column(wide, c) if c in wide.columns else np.full(len(wide), np.nan) for c in OPTIONAL
    )
    middle = float(np.nanmedian(line)) if np.isfinite(line).any() else float("nan")
    return PairedLists(
        float_column(wide, "y"),
        persons,
        date,
        flagged,
        resampled_units(wide),
        scores,
        rules,
        chosen,
        score,
        income,
        middle,
    )


def score_from_ranking(ranking: Ranking, date: Codes) -> Array:
    """Turn places into a score: minus the share of the date's households ahead, ties equal."""
    ordered = date[ranking.order]
    place = np.arange(len(date)) - np.searchsorted(ordered, ordered)
    first = np.maximum.accumulate(np.where(ranking.tied, 0, np.arange(len(date))))
    out = np.empty(len(date))
    out[ranking.order] = -place[first] / np.bincount(date)[ordered]
    return out


class Difference(NamedTuple):
    """One list's recall minus another's.

    Attributes
    ----------
    delta, low, high
        The difference and its interval; NaN where there are too few clusters.
    p
        Two-sided, of equal lists.
    low_error, high_error, p_error
        Monte-Carlo errors: how far another seed may move the figure.
    method
        ``bootstrap``; ``sign_flip`` where clusters are few (test by sign flips, interval by bootstrap-t);
        ``too_few``.
    """

    delta: float
    low: float
    high: float
    p: float
    low_error: float = float("nan")
    high_error: float = float("nan")
    p_error: float = float("nan")
    method: str = "bootstrap"


@dataclass(frozen=True)
class ClusterHits:
    """What fixed lists hold in each cluster: for the test where clusters are few.

    Attributes
    ----------
    hits
        List to hits by cluster, shape (clusters, 2): households, and persons in them.
    events : array of shape (clusters, 2)
        Events by cluster, likewise.
    seed
        Draws the flips.
    """

    hits: Mapping[Any, Array]
    events: Array
    seed: int

    @classmethod
    def of(
        cls, y: Array, persons: Array, lists: Mapping[Any, NDArray[np.bool_]], units: Units, seed: int
    ) -> ClusterHits:
        """Add events and hits of lists, a row's membership each, up by cluster."""
        held = np.column_stack([y, y * persons])
        hits = {name: units.sums(held * on[:, None]) for name, on in lists.items()}
        return cls(hits, units.sums(held), seed)


class PairedRecalls:
    """Recall of named lists on the rows themselves and on every village resample, paired.

    Kernels are prepared for the units of the resamples. With ``few`` the lists' hits by cluster decide where
    clusters are few.
    """

    def __init__(
        self,
        kernels: Mapping[Any, Callable[[Array], ListCounts]],
        resamples: Resamples,
        level: float,
        few: ClusterHits | None = None,
    ) -> None:
        self.level, self.resamples, self._few = level, resamples, few
        self._column = {name: i for i, name in enumerate(kernels)}

        def recalls(weight: Array) -> Array:
            counts = [kernel(weight) for kernel in kernels.values()]
            with np.errstate(divide="ignore", invalid="ignore"):
                households = np.column_stack([f.hits / f.events for f in counts])
                persons = np.column_stack([f.hits_persons / f.events_persons for f in counts])
            return np.stack([households, persons], axis=2)

        self._point = recalls(np.ones((1, resamples.n_villages)))[0]
        self._drawn = self.resamples.run_units(recalls)

    def recall(self, name: Any, *, persons: bool = False) -> float:
        """Return a list's recall on the rows themselves."""
        return float(self._point[self._column[name], int(persons)])

    def difference(self, name: Any, other: Any, *, persons: bool = False) -> Difference:
        """Return a list's recall minus another's, with the paired interval."""
        first, second, which = self._column[name], self._column[other], int(persons)
        delta = float(self._point[first, which] - self._point[second, which])
        if self._few is not None and few_clusters(self.resamples):
            return _few_difference(delta, self._few, name, other, which, self.resamples, self.level)
        drawn = self._drawn[:, first, which] - self._drawn[:, second, which]
        low, high = interval_with_errors(drawn, self.level)
        p, usable = two_sided_p(drawn), int(np.sum(~np.isnan(drawn)))
        error = 2 * binomial_error(p / 2, usable) if usable else float("nan")
        return Difference(delta, low.value, high.value, p, low.error, high.error, error)


def few_clusters(resamples: Resamples) -> bool:
    """Say whether clusters are too few for percentiles; strata are resampled as their design asks."""
    return resamples.n_villages < FEW_CLUSTERS and not resamples.strata


def _few_difference(
    delta: float, few: ClusterHits, name: Any, other: Any, which: int, resamples: Resamples, level: float
) -> Difference:
    if resamples.n_villages < LEAST_CLUSTERS or not len(resamples.counts):
        nan = float("nan")
        return Difference(delta, nan, nan, nan, method="too_few")
    apart, events = few.hits[name][:, which] - few.hits[other][:, which], few.events[:, which]
    low, high = bootstrap_t_interval(apart, events, resamples.counts, level)
    p = sign_flip_p(apart, few.seed) if events.sum() else Estimate(float("nan"), float("nan"))
    return Difference(
        delta, low.value, high.value, p.value, low.error, high.error, p.error, method="sign_flip"
    )


def compare_fixed_lists(
    y: ArrayLike,
    lists: Mapping[str, ArrayLike],
    villages: pd.DataFrame,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> PairedRecalls:
    """Compare lists that stay as they were drawn up, on the same resamples of the villages.

    Parameters
    ----------
    y : array of shape (n,)
        0/1: had the event.
    lists
        Name to whether each row is on the list.
    villages
        Township and village of each row.
    replicates, seed, level
        Village resamples and level of the intervals.

    Returns
    -------
    PairedRecalls
        Each list's recall, and differences with their intervals.
    """
    event = np.asarray(y, dtype=float)
    resamples = village_resamples(villages, replicates, seed)
    units = resamples.units()
    members = {name: np.asarray(on, dtype=bool) for name, on in lists.items()}
    kernels = {name: fixed_list_kernel(event, on.astype(float), units) for name, on in members.items()}
    few = ClusterHits.of(event, np.ones(len(event)), members, units, seed)
    return PairedRecalls(kernels, resamples, level, few)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar test on the cases that one of two lists holds and the other does not.

    Parameters
    ----------
    only_first, only_second
        True cases caught by one list only.

    Returns
    -------
    float
        p value; 1 where the lists do not differ.

    References
    ----------
    McNemar 1947.

    Examples
    --------
    One against eight: 2·(1 + 9)/2⁹.

    >>> mcnemar_exact(1, 8)
    0.0390625
    """
    discordant = only_first + only_second
    return 1.0 if discordant == 0 else float(binomtest(only_first, discordant, 0.5).pvalue)


class DeLong(NamedTuple):
    """Two correlated AUCs.

    Attributes
    ----------
    auc_first, auc_second, difference
        Difference is the second minus the first.
    se, z, p
        Of the difference; NaN where its variance is 0 or a class is absent.
    """

    auc_first: float
    auc_second: float
    difference: float
    se: float
    z: float
    p: float


def delong(y: ArrayLike, first: ArrayLike, second: ArrayLike) -> DeLong:
    """Compare the AUCs of two scores on the same rows.

    Parameters
    ----------
    y : array of shape (n,)
        0/1.
    first, second : array of shape (n,)
        Scores; ties count one half.

    Returns
    -------
    DeLong
        Both areas, their difference and its test.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson 1988; by midranks in n·log n as Sun and Xu 2014.
    """
    target = np.asarray(y, dtype=float)
    scores = np.vstack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    events = target == 1
    m, n = int(events.sum()), int((~events).sum())
    if m == 0 or n == 0:
        return DeLong(*[float("nan")] * 6)
    everyone = rankdata(scores, axis=1)
    over_others = (everyone[:, events] - rankdata(scores[:, events], axis=1)) / n
    over_events = 1 - (everyone[:, ~events] - rankdata(scores[:, ~events], axis=1)) / m
    areas = over_others.mean(axis=1)
    contrast = np.array([-1.0, 1.0])
    difference = float(contrast @ areas)
    if m < 2 or n < 2:
        return DeLong(float(areas[0]), float(areas[1]), difference, *[float("nan")] * 3)
    variance = np.var(contrast @ over_others, ddof=1) / m + np.var(contrast @ over_events, ddof=1) / n
    se = float(np.sqrt(variance))
    # Rounding noise of identical scores is no variance.
    z = difference / se if se > 1e-12 else float("nan")
    return DeLong(float(areas[0]), float(areas[1]), difference, se, z, float(2 * norm.sf(abs(z))))


def holm(p: ArrayLike) -> Array:
    """Adjust p values for several comparisons, step down.

    Parameters
    ----------
    p : array of shape (tests,)
        NaN is left out and stays NaN.

    Returns
    -------
    array of shape (tests,)
        Adjusted, in the order given.

    References
    ----------
    Holm 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    # Not statsmodels': it collects the garbage of the whole process at every call, up to 0.3 s each.
    values = np.asarray(p, dtype=float)
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN is sorted last
    steps = np.arange(len(order), 0, -1)
    out = np.full(values.shape, np.nan)
    out[order] = np.minimum(np.maximum.accumulate(values[order] * steps), 1)
    return out
