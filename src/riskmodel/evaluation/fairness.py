"""Gaps between groups of households: who is missed, who is visited in vain, whose probabilities are off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import InputRefused
from riskmodel.evaluation.bootstrap import percentile_interval, village_resamples
from riskmodel.evaluation.budget import Budget, quotas
from riskmodel.evaluation.frame import VILLAGE, checked, codes, numbers
from riskmodel.evaluation.lists import chosen, rank

Array = NDArray[np.float64]

MEASURES = ("selection_rate", "recall", "false_positive_rate", "precision", "calibration_gap")
# Fewer than ten households with the event, or without, or five villages: a rate of so few says more about
# them than about the list, and could point at persons. How many rows there are is given, and nothing else.
LEAST = 10
LEAST_VILLAGES = 5


def gaps(
    predictions: pd.DataFrame,
    groups: Sequence[str],
    budget: Budget | Mapping[str, Any],
    *,
    replicates: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare each group of households with all the others, list and probabilities of each model.

    Parameters
    ----------
    predictions : DataFrame
        As for `pooled`, with the columns named by ``groups`` (registration, township, household type; rows
        without a value belong to no group).
    groups : sequence of str
    budget : Budget or mapping
        Visits at each as-of date.
    replicates, seed, level
        Village resamples of the gaps' intervals; lists stay as they were drawn.

    Returns
    -------
    DataFrame
        One row a model, column and value: ``model, group, value, n, n_events, base_rate``; each of
        ``selection_rate`` (on the list), ``recall``, ``false_positive_rate``, ``precision``,
        ``calibration_gap`` (mean probability − rate); ``gap_<measure>`` (group − others), ``_low, _high``;
        ``small`` (too few households to say: events and all rates are NaN, a household counted once however
        many dates it has).

    Raises
    ------
    InputRefused
        If a column is absent.

    References
    ----------
    Hardt, Price and Srebro 2016 (recall and false positive gaps); Kleinberg, Mullainathan and Raghavan 2017:
    with different base rates they cannot all be 0, so gaps are shown, not one verdict.
    """
    given = checked(predictions, tuple(groups))
    limit, tables = Budget.of(budget), []
    for model in given.models:
        part = given.frame[given.frame["model"] == model].reset_index(drop=True)
        if part.empty:
            raise InputRefused(f"no labelled prediction of model {model!r}")
        date = codes(part["as_of"])
        listed = chosen(date, rank(date, -numbers(part, "score")), quotas(date, limit)).astype(float)
        resamples = village_resamples(part[VILLAGE], replicates, seed)
        sums = _sums(numbers(part, "y"), listed, numbers(part, "probability"))
        for group in groups:
            for value in sorted(part[group].dropna().unique(), key=str):
                mine = part[group].eq(value).fillna(False).to_numpy(dtype=bool)
                row = _row(part, mine, sums, resamples.run, level)
                tables.append({"model": model, "group": group, "value": str(value), **row})
    return pd.DataFrame(tables)


def _sums(y: Array, listed: Array, p: Array) -> Array:
    """Return what is added up by weight, shape (n, 6): rows, events, listed, hits, false, probabilities."""
    return np.column_stack([np.ones(len(y)), y, listed, y * listed, (1 - y) * listed, p])


def _measures(total: Array) -> Array:
    """Measures from added-up rows, shape (…, 5), in the order of `MEASURES`."""
    rows, events, listed, hits, false, p = np.moveaxis(total, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [listed / rows, hits / events, false / (rows - events), hits / listed, (p - events) / rows],
            axis=-1,
        )


def _row(
    part: pd.DataFrame,
    mine: NDArray[np.bool_],
    sums: Array,
    run: Callable[[Callable[[Array], Array]], Array],
    level: float,
) -> dict[str, Any]:
    apart = (
        mine & (sums[:, 1] > 0),
        mine & (sums[:, 1] == 0),
        ~mine & (sums[:, 1] > 0),
        ~mine & (sums[:, 1] == 0),
    )
    least = min(int(part.loc[rows, "household_id"].nunique()) for rows in apart)
    own, rest = sums * mine[:, None], sums * ~mine[:, None]
    here, there = _measures(own.sum(axis=0)), _measures(rest.sum(axis=0))
    n, events = float(mine.sum()), float(own[:, 1].sum())
    villages = part.loc[mine, VILLAGE].drop_duplicates().shape[0]
    small = least < LEAST or villages < LEAST_VILLAGES
    if small:
        here = np.full(len(MEASURES), np.nan)
    out: dict[str, Any] = {"n": int(n), "n_events": np.nan if small else events}
    out["base_rate"] = np.nan if small else events / n
    out |= dict(zip(MEASURES, here.tolist(), strict=True))
    drawn = None if small else run(lambda w: _measures(w @ own) - _measures(w @ rest))
    for k, name in enumerate(MEASURES):
        low, high = (np.nan, np.nan) if drawn is None else percentile_interval(drawn[:, k], level)
        gap = np.nan if small else float(here[k] - there[k])
        out |= {f"gap_{name}": gap, f"gap_{name}_low": low, f"gap_{name}_high": high}
    return {**out, "n_villages": villages, "small": bool(small)}
