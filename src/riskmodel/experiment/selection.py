"""Visits answer only for those who were visited: training rows are drawn so that they stand for everyone.

A list visits all whom a rule flags, many at high risk, and few of the rest by lot. Learned from as they come,
its findings describe the list, not the county. Each list logs every household's chance of a visit; rows are
drawn anew with weights of 1 / chance, so that every model learns from a sample of the county it scores.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import asof
from riskmodel.asof import Moment
from riskmodel.county.county import County
from riskmodel.experiment.declared import Experiment
from riskmodel.labels import EVER, KEY

EVENTS = ("confirmed",)  # the one label that only visits give
# Weights beyond so many times their mean are cut: a few rows would otherwise be the sample (Potter 1990).
MOST_WEIGHT = 10.0


def represent(
    exp: Experiment, county: County, rows: pd.DataFrame, seen_by: dt.date | None
) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Return training rows drawn so that they stand for all households with a chance of a visit.

    Parameters
    ----------
    exp : Experiment
        Whose label is ``confirmed``; rows of any other label are returned as they are.
    county : County
    rows : DataFrame
        Labelled rows: ``household_id, as_of, y``.
    seen_by : date, optional
        Visits recorded later are not seen.

    Returns
    -------
    rows : DataFrame
        As many rows, some of them repeated (systematic sampling, seeded by the experiment).
    notes : list of dict
        What a reader must know, in ``zh`` and ``en``.

    References
    ----------
    Horvitz & Thompson 1952 for the weights; Kish 1965 for the effective number of visits. Households whose
    chance is 0 (a list without a random share) are not represented by anyone, and visits that nobody
    drew (applications, visits without a logged chance) say nothing of others: they are left out.
    """
    if tuple(exp.events) != EVENTS or rows.empty:
        return rows, []
    drawn = chances(county, rows, exp.horizon.months, seen_by)
    chance = rows[KEY].merge(drawn, on=KEY, how="left", validate="one_to_one")
    logged = chance["chance"].where(chance["chance"] > 0)
    if logged.isna().all():
        zh = "核查记录没有入选概率：按原样训练，只代表被走访的农户"
        en = "no visit has a logged chance: trained as they came, they stand for the visited only"
        return rows, [{"zh": zh, "en": en}]
    # Whom a rule flags is visited for certain; their lists of former days logged no chance.
    logged = logged.where(logged.notna() | chance["selected_by"].ne("rule"), 1.0)
    used = logged.notna().to_numpy()
    weight = trimmed(1 / logged[used].to_numpy(dtype=float))
    picked = systematic(weight, exp.seed)
    effective = float(weight.sum() ** 2 / np.sum(weight**2))
    kept, left = int(used.sum()), int((~used).sum())
    zh = f"按入选概率的倒数抽取 {kept} 条核查（相当于 {effective:.0f} 条等概率样本），{left} 条无概率的不用"
    en = f"{kept} visits drawn by 1 / chance (worth {effective:.0f} of equal chance)"
    en += f"; {left} without a logged chance left out"
    return rows[used].iloc[picked].reset_index(drop=True), [{"zh": zh, "en": en}]


def chances(county: County, rows: pd.DataFrame, months: int, seen_by: dt.date | None) -> pd.DataFrame:
    """Return the chance and source of each row's first answered visit within its window.

    Parameters
    ----------
    county : County
    rows : DataFrame
        ``household_id, as_of``.
    months : int
        Horizon.
    seen_by : date, optional

    Returns
    -------
    DataFrame
        ``household_id, as_of, chance, selected_by``; rows without an answered visit are absent.
    """
    days = sorted({d.date() for d in pd.to_datetime(rows["as_of"])})
    ends = pd.DataFrame({"as_of": days, "window_end": [asof.window_end(d, months) for d in days]})
    windows = ibis.memtable(ends, schema=ibis.schema({"as_of": "date", "window_end": "date"}))
    t = asof.known(county, "visits", tuple(Moment(d, seen_by or EVER) for d in days))
    t = t.join(windows, [t.as_of == windows.as_of, t.date > windows.as_of, t.date <= windows.window_end])
    t = t.filter(t.outcome.isin(["confirmed", "not_confirmed"]))
    found = county.con.to_pyarrow(t.select(*KEY, "date", "chance", "selected_by")).to_pandas()
    found = found.sort_values([*KEY, "date", "selected_by"]).drop_duplicates(KEY)
    # pandas cannot merge empty frames on columns of another kind.
    found = found.astype({"household_id": object, "chance": float})
    return found.assign(as_of=pd.to_datetime(found["as_of"]))[[*KEY, "chance", "selected_by"]]


def trimmed(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights cut at `MOST_WEIGHT` times their mean."""
    return np.minimum(weight, MOST_WEIGHT * weight.mean())


def systematic(weight: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Draw as many rows as there are, each as often as its weight says, to within one.

    Parameters
    ----------
    weight : array, shape (n,)
    seed : int

    Returns
    -------
    array of int, shape (n,)
        Row numbers, sorted.

    Examples
    --------
    >>> systematic(np.array([1.0, 1.0, 2.0]), 0).tolist().count(2)
    2
    """
    n = len(weight)
    steps = (np.arange(n) + np.random.default_rng(seed).random()) / n * weight.sum()
    picked: Any = np.searchsorted(np.cumsum(weight), steps, side="right")
    return np.minimum(picked, n - 1).astype(np.int64)
