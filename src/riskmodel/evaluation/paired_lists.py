"""Two lists on the same households: their orders, their recall with a paired interval, and descriptive tests.

McNemar and DeLong take households as independent; villages and repeated as-of dates make them too sure.
They are reported as description; the village bootstrap of `compare` decides. Visits equivalent says what a
better list is worth: how many more visits in the rules' order find as much.
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
from riskmodel.evaluation.lists import (
    Budget,
    Codes,
    ListCounts,
    Ranking,
    fixed_list_kernel,
    list_kernel,
    quotas,
    rank_rows,
    ratio_or_nan,
    running_sums,
)
from riskmodel.evaluation.metrics import METRICS, Array, Metric
from riskmodel.evaluation.predictions import (
    CLUSTER,
    KEY,
    STRATUM,
    VILLAGE,
    Predictions,
    Resamples,
    check_predictions,
    float_column,
    percentile_interval,
    resampled_units,
    sorted_codes,
    two_sided_p,
    village_resamples,
)

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
    """One list's recall minus another's."""

    delta: float
    low: float
    high: float
    p: float


class PairedRecalls:
    """Recall of named lists on the rows themselves and on every village resample, paired.

    Kernels are prepared for the units of the resamples.
    """

    def __init__(
        self, kernels: Mapping[Any, Callable[[Array], ListCounts]], resamples: Resamples, level: float
    ) -> None:
        self.level, self.resamples = level, resamples
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
        drawn = self._drawn[:, first, which] - self._drawn[:, second, which]
        low, high = percentile_interval(drawn, self.level)
        delta = float(self._point[first, which] - self._point[second, which])
        return Difference(delta, low, high, two_sided_p(drawn))


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
    kernels = {
        name: fixed_list_kernel(event, np.asarray(on, dtype=float), units) for name, on in lists.items()
    }
    return PairedRecalls(kernels, resamples, level)


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


# The other direction of the trade: what this many more visits buy the rules.
MORE_VISITS = (1.1, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class VisitsEquivalent:
    """What better prediction is worth in visits.

    Attributes
    ----------
    visits
        Of the model's list, over all dates.
    recall_model, recall_baseline
        At these visits.
    ratio, low, high
        Rule-ordered visits that reach the model's recall, over the model's visits; below 1 the rules need
        fewer. Village bootstrap. NaN where the model finds nothing.
    extra_visits
        (ratio − 1) · visits.
    more
        ``factor, recall_baseline, gain, gain_model``: the rules' recall at that many times the visits, what
        that gains over the budget, and what the model gains at the budget itself.
    """

    visits: int
    recall_model: float
    recall_baseline: float
    ratio: float
    low: float
    high: float
    extra_visits: float
    more: pd.DataFrame


def visits_equivalent(
    predictions: pd.DataFrame,
    budget: Budget | Mapping[str, Any],
    model: str,
    *,
    baseline: str = RULE,
    replicates: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> VisitsEquivalent:
    """Measure how many visits in the rules' order find as much as a model's list at the budget.

    Parameters
    ----------
    predictions
        As for `compare`.
    budget
        Visits at each as-of date; the rules' list grows by the same factor at every date.
    model
        Whose list it is.
    baseline
        ``"rule"`` or the model that it is compared with.
    replicates, seed, level
        Village resamples and level of the interval.

    Returns
    -------
    VisitsEquivalent
        The ratio of visits with its interval, and the other direction of the trade.

    Raises
    ------
    InputRefused
        As `compare`.
    """
    checked = check_predictions(predictions, ("persons", "flagged", "rule_rank"))
    lists = pair_lists(common_rows(checked)[0], checked.models, baseline)
    quota = quotas(lists.date, Budget.of(budget))
    order = rank_rows(lists.date, -lists.scores[model])
    kernel = _ratio_kernel(lists, order, quota)
    resamples = village_resamples(lists.villages, replicates, seed)
    low, high = percentile_interval(resamples.run(kernel), level)
    ratio, visits = float(kernel(np.ones((1, len(lists.y))))[0]), int(quota.sum())

    def recall(ranking: Ranking, visits_by_date: Codes) -> float:
        counts = list_kernel(lists.y, lists.date, ranking, visits_by_date)(np.ones((1, len(lists.y))))
        return ratio_or_nan(counts.hits[0], counts.events[0])

    recall_model, recall_baseline = recall(order, quota), recall(lists.baseline, quota)
    rows = []
    for factor in MORE_VISITS:
        more = np.minimum(np.bincount(lists.date), np.rint(quota * factor)).astype(np.int64)
        recall_at_factor = recall(lists.baseline, more)
        rows.append({
            "factor": factor, "recall_baseline": recall_at_factor, "gain": recall_at_factor - recall_baseline,
            "gain_model": recall_model - recall_baseline,
        })  # fmt: skip
    extra = (ratio - 1) * visits
    return VisitsEquivalent(
        visits, recall_model, recall_baseline, ratio, low, high, extra, pd.DataFrame(rows)
    )


def _ratio_kernel(lists: PairedLists, model: Ranking, quota: Codes) -> Callable[[Array], Array]:
    """Prepare the factor by which the rules' quotas must grow to hold as many events as the model's list."""
    model_counts = list_kernel(lists.y, lists.date, model, quota)
    order = lists.baseline.order
    ordered_date = lists.date[order]
    n = np.bincount(lists.date)
    end = np.cumsum(n)
    event = np.flatnonzero(lists.y[order] == 1)
    at = ordered_date[event]
    share = quota / n

    def kernel(weight: Array) -> Array:
        hits = model_counts(weight).hits
        ordered = weight[:, order]
        running = running_sums(ordered)
        before = running[:, end - n]
        visits = share * (running[:, end] - before)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Factor at which a list has just taken the event in: its depth over the date's visits.
            factor = (running[:, event + 1] - before[:, at]) / visits[:, at]
        factor = np.where(np.isfinite(factor), factor, np.inf)
        by_depth = np.argsort(factor, axis=1, kind="stable")
        cumulative = np.cumsum(np.take_along_axis(ordered[:, event], by_depth, axis=1), axis=1)
        first = np.argmax(cumulative >= hits[:, None] - 1e-9, axis=1)
        rows = np.arange(len(hits))
        ratio = np.take_along_axis(factor, by_depth, axis=1)[rows, first]
        return np.where(hits > 0, ratio, np.nan)

    return kernel


METRICS.register(
    Metric(
        "visits_equivalent",
        zh="等效走访量",
        en="visits equivalent",
        formula="rule-ordered visits that reach the model's recall / visits",
        source="inverse of the gain curve",
        better="higher",
        needs="list",
        order=190,
        checked_against="counted down the rules' order by hand",
        tests=("evaluation/test_paired_lists.py::test_visits_equivalent_is_read_off_the_rules_own_order",),
    )
)
