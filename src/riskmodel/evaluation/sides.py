"""The two sides of a comparison on the same rows: their orderings, and the recall of their lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.bootstrap import Resamples, percentile_interval, two_sided_p, village_resamples
from riskmodel.evaluation.frame import KEY, VILLAGE, Predictions, codes, numbers
from riskmodel.evaluation.lists import Ranking, list_kernel, rank

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
RULE = "rule"
# Income per head over the outcome's year, and the line: what welfare is measured by, where they are known.
OPTIONAL = ("pcni_after", "line")


@dataclass(frozen=True)
class Sides:
    """The rows of one scope, in the order of as-of date and household id.

    Attributes
    ----------
    y, persons : arrays of shape (n,)
    date : integer array of shape (n,)
    flagged : boolean array of shape (n,)
    villages : DataFrame of shape (n, 2)
    scores : dict of model to array of shape (n,)
    rules, baseline : Ranking
        The rules' own list, and the list compared with.
    baseline_score : array of shape (n,)
        Orders as `baseline` within a date and compares between dates.
    income : array of shape (n,)
        Income per head over the outcome's year; NaN where not known.
    line : float
        Median line (yuan); NaN where not known.
    """

    y: Array
    persons: Array
    date: Codes
    flagged: NDArray[np.bool_]
    villages: pd.DataFrame
    scores: dict[str, Array]
    rules: Ranking
    baseline: Ranking
    baseline_score: Array
    income: Array
    line: float


def same_rows(given: Predictions) -> tuple[pd.DataFrame, int]:
    """Bring the models side by side on the rows that all of them scored.

    Parameters
    ----------
    given : Predictions

    Returns
    -------
    tuple of DataFrame and int
        One row a household and date, each model's score in ``score:MODEL``; and how many rows some model
        did not score.

    Raises
    ------
    InputRefused
        If models disagree on a row's label or flag, or no row was scored by all.
    """
    frame = given.frame
    facts = ["fold", *VILLAGE, "persons", "flagged", "rule_rank", "y", *(c for c in OPTIONAL if c in frame)]
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


def sides(wide: pd.DataFrame, models: tuple[str, ...], baseline: str) -> Sides:
    """Order the rows of one scope by the rules, the baseline and nothing else yet.

    Parameters
    ----------
    wide : DataFrame
        As `same_rows` returns it, or some of its rows.
    models : tuple of str
    baseline : str

    Returns
    -------
    Sides
    """
    date, flagged = codes(wide["as_of"]), wide["flagged"].to_numpy(dtype=bool)
    scores = {model: numbers(wide, f"score:{model}") for model in models}
    rules = rank(date, ~flagged, numbers(wide, "rule_rank"))
    if baseline == RULE:
        chosen, score = rules, scores.get(RULE, by_place(rules, date))
    else:
        chosen, score = rank(date, -scores[baseline]), scores[baseline]
    persons = numbers(wide, "persons")
    # A household whose size is not known counts as one person, as it does in the household-weighted figure.
    persons = np.where(np.isnan(persons), 1.0, persons)
    income, line = (numbers(wide, c) if c in wide.columns else np.full(len(wide), np.nan) for c in OPTIONAL)
    middle = float(np.nanmedian(line)) if np.isfinite(line).any() else float("nan")
    return Sides(
        numbers(wide, "y"),
        persons,
        date,
        flagged,
        wide[VILLAGE],
        scores,
        rules,
        chosen,
        score,
        income,
        middle,
    )


def by_place(ranking: Ranking, date: Codes) -> Array:
    """Turn places into a score: minus the share of the date's households ahead, ties equal.

    Parameters
    ----------
    ranking : Ranking
    date : integer array of shape (n,)

    Returns
    -------
    array of shape (n,)
        From 0 (first) down to above −1.
    """
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
    delta, low, high : float
    p : float
        Two-sided bootstrap p value.
    """

    delta: float
    low: float
    high: float
    p: float


class Recalls:
    """Recall of named lists on the rows themselves and on every village resample, paired.

    Parameters
    ----------
    side : Sides
    lists : dict of name to (Ranking, quota)
    replicates, seed
    level : float
    """

    def __init__(
        self,
        side: Sides,
        lists: dict[tuple[str, str], tuple[Ranking, Codes]],
        replicates: int,
        seed: int,
        level: float,
    ) -> None:
        kernels = [
            list_kernel(side.y, side.date, order, quota, side.persons) for order, quota in lists.values()
        ]
        self.level = level
        self.resamples: Resamples = village_resamples(side.villages, replicates, seed)
        self._column = {name: i for i, name in enumerate(lists)}

        def recalls(weight: Array) -> Array:
            found = [kernel(weight) for kernel in kernels]
            with np.errstate(divide="ignore", invalid="ignore"):
                households = np.column_stack([f.hits / f.events for f in found])
                persons = np.column_stack([f.hits_persons / f.events_persons for f in found])
            return np.stack([households, persons], axis=2)

        self._point = recalls(np.ones((1, len(side.y))))[0]
        self._drawn = self.resamples.run(recalls)

    def recall(self, name: tuple[str, str], *, persons: bool = False) -> float:
        """Return a list's recall on the rows themselves."""
        return float(self._point[self._column[name], int(persons)])

    def difference(
        self, name: tuple[str, str], other: tuple[str, str], *, persons: bool = False
    ) -> Difference:
        """Return a list's recall minus another's, with the paired interval."""
        first, second, which = self._column[name], self._column[other], int(persons)
        drawn = self._drawn[:, first, which] - self._drawn[:, second, which]
        low, high = percentile_interval(drawn, self.level)
        delta = float(self._point[first, which] - self._point[second, which])
        return Difference(delta, low, high, two_sided_p(drawn))
