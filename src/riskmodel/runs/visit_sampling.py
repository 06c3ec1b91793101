"""Visits answer only for those who were visited: training rows are drawn so that they stand for everyone.

A list visits all whom a rule flags, many at high risk, and few of the rest by lot. Learned from as they come,
its findings describe the list, not the county. Each list logs every household's chance of a visit; findings
are drawn anew with weights of 1 / chance, so that every model learns from a sample of the county it scores.

A window holds many lists, one a month. What chance a household had of being found on any of them, no single
list knows, so each speaks for itself: over the T lists of a window, a finding of list t weighs
1 / (T · chance on list t), which adds up to 1 in expectation for every household whatever the lists did.
What is learned is the chance that a check on a list day of the window, drawn by lot, confirms the risk.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.data import County
from riskmodel.households import Moment, known_rows, window_end
from riskmodel.i18n import Message
from riskmodel.runs.experiment import Experiment
from riskmodel.targets import END_OF_TIME, KEY

EVENTS = ("confirmed",)  # the one label that only visits give
# Weights beyond so many times their mean are cut: a few rows would otherwise be the sample (Potter 1990).
MAX_WEIGHT_RATIO = 10.0


def resample_visited(
    exp: Experiment, county: County, rows: pd.DataFrame, seen_by: dt.date | None
) -> tuple[pd.DataFrame, list[Message]]:
    """Return training rows drawn so that they stand for all households with a chance of a visit.

    Rows of a label other than ``confirmed`` are returned as they are; else as many rows, some of them
    repeated (systematic sampling, seeded by the experiment), of visits recorded by ``seen_by``.

    References
    ----------
    Horvitz & Thompson 1952 for the weights; Kish 1965 for the effective number of visits. Households whose
    chance is 0 (a list without a random share) are not represented by anyone, and visits that nobody
    drew (applications, visits without a logged chance) say nothing of others: they are left out.
    """
    if tuple(exp.events) != EVENTS or rows.empty:
        return rows, []
    findings = visit_findings(county, rows, exp.horizon.months, seen_by)
    if findings["weight"].isna().all():
        return rows, [Message("runs.notes.no chance logged")]
    used = findings[findings["weight"].notna()]
    weight = trim_weights(used["weight"].to_numpy(dtype=float))
    picked = systematic_sample(weight, exp.seed, len(rows))
    effective = float(weight.sum() ** 2 / np.sum(weight**2))
    representative = rows.drop(columns="y").merge(used[[*KEY, "y"]].iloc[picked], on=KEY, how="right")
    counts = {"used": len(used), "effective": effective, "left": len(findings) - len(used)}
    return representative[rows.columns], [Message("runs.notes.drawn by chance", counts)]


def visit_findings(county: County, rows: pd.DataFrame, months: int, seen_by: dt.date | None) -> pd.DataFrame:
    """Return every answered visit within its row's window, with the weight by which it stands for the county.

    Returns one row per ``household_id, as_of`` and list (a calendar month): ``date, selected_by, chance``,
    ``y`` (1 confirmed, 0 not), ``weight`` (1 / (lists · chance · answered share of the window's planned
    visits of that source); NaN where no chance was logged).

    References
    ----------
    Horvitz & Thompson 1952. Unanswered visits: a weighting class for each source
    (Little & Rubin 2019, section 3.3.2).
    """
    visits = _planned_visits(county, rows["as_of"], months, seen_by)
    # Whom a rule flags is visited for certain; their lists of former days logged no chance.
    sure = visits["chance"].isna() & visits["selected_by"].eq("rule")
    visits["chance"] = visits["chance"].where(visits["chance"] > 0).mask(sure, 1.0)
    logged = visits[visits["chance"].notna()]
    lists = logged.groupby("as_of")["month"].nunique()
    visits["lists"] = visits["as_of"].map(lists)
    visits["y"] = visits["outcome"].map({"confirmed": 1.0, "not_confirmed": 0.0})
    answered = visits["y"].notna().groupby([visits["as_of"], visits["selected_by"]]).transform("mean")
    visits["weight"] = 1 / (visits["lists"] * visits["chance"] * answered)
    findings = rows[KEY].merge(visits[visits["y"].notna()], on=KEY)
    return findings[[*KEY, "date", "selected_by", "chance", "y", "weight"]]


def _planned_visits(county: County, as_of: pd.Series, months: int, seen_by: dt.date | None) -> pd.DataFrame:
    """Return a visit a household, as-of and month: the first answered one, else the first tried.

    All households are in it: one that nobody answered has no label, yet counts when one asks how many did.
    """
    days = sorted({d.date() for d in pd.to_datetime(as_of)})
    ends = pd.DataFrame({"as_of": days, "window_end": [window_end(d, months) for d in days]})
    windows = ibis.memtable(ends, schema=ibis.schema({"as_of": "date", "window_end": "date"}))
    t = known_rows(county, "visits", tuple(Moment(d, seen_by or END_OF_TIME) for d in days))
    t = t.join(windows, [t.as_of == windows.as_of, t.date > windows.as_of, t.date <= windows.window_end])
    # A column of nothing but nulls has no kind of its own in an exported table.
    t = t.select(*KEY, "date", "outcome", selected_by=t.selected_by.fill_null("unknown"), chance=t.chance)
    visits = county.con.to_pyarrow(t).to_pandas().astype({"household_id": object, "chance": float})
    visits["as_of"], visits["date"] = pd.to_datetime(visits["as_of"]), pd.to_datetime(visits["date"])
    visits = visits.assign(month=visits["date"].dt.to_period("M"), tried=visits["outcome"].eq("absent"))
    order = [*KEY, "month", "tried", "date", "selected_by"]
    return visits.sort_values(order).drop_duplicates([*KEY, "month"]).reset_index(drop=True)


def trim_weights(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights cut at `MAX_WEIGHT_RATIO` times their mean."""
    return np.minimum(weight, MAX_WEIGHT_RATIO * weight.mean())


def systematic_sample(weight: NDArray[np.float64], seed: int, size: int | None = None) -> NDArray[np.int64]:
    """Draw rows, each as often as its weight says, to within one.

    Returns ``size`` (default n) row numbers, sorted.

    Examples
    --------
    >>> systematic_sample(np.array([1.0, 1.0, 2.0]), 0).tolist().count(2)
    2
    """
    n = len(weight) if size is None else size
    steps = (np.arange(n) + np.random.default_rng(seed).random()) / n * weight.sum()
    picked: Any = np.searchsorted(np.cumsum(weight), steps, side="right")
    return np.minimum(picked, len(weight) - 1).astype(np.int64)
