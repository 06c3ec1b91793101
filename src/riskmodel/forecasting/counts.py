"""How many households are newly monitored, by month, township and cause, as it was known at as-of.

The register is written up late: the last months are still filling. How far they have filled is read from
how late earlier entries came (the chain-ladder idea of reserving for claims that are not yet reported).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.data import County, codes, month_text
from riskmodel.errors import InputMissing, UsageError
from riskmodel.households import WATCHED_EVENTS, Moment, known_households, known_rows, last_complete_month

Array = NDArray[Any]
What = Literal["entries", "events", "relocated"]

MIN_ENTERED_SHARE = 0.5  # a month of which less than half is expected to be entered is left out (assumption)
MAX_DELAY_MONTHS = 6


@dataclass(frozen=True)
class Counts:
    """Monthly counts."""

    townships: tuple[str, ...]
    causes: tuple[str, ...]
    months: Array
    cells: Array
    filled: Array
    households: Array
    exogenous: pd.DataFrame | None = None

    def known_ahead(self, horizon: int) -> Array | None:
        """Return the exogenous series of the months seen and those ahead, shape (T + horizon, k)."""
        if self.exogenous is None:
            return None
        months = np.arange(self.months[0], self.months[-1] + 1 + horizon)
        found = self.exogenous.reindex(months)
        gaps = found.index[found.isna().any(axis=1)]
        if len(gaps):
            raise UsageError(
                f"known series: no value for {month_text(int(gaps[0]))}; "
                f"give every month from {month_text(int(months[0]))} to {month_text(int(months[-1]))}"
            )
        return found.to_numpy(dtype=float)

    @property
    def seen(self) -> Array:
        """Cells as they were counted, in the shape of ``cells``: what an alarm is raised by."""
        return np.asarray(np.rint(self.cells * self.filled))

    @property
    def bottom(self) -> Array:
        """Cells as series, shape (townships × causes, T), causes running fastest."""
        return self.cells.reshape(-1, self.months.size)


def monthly_counts(
    county: County, as_of: dt.date, known_by: dt.date | None = None, what: What = "entries"
) -> Counts:
    """Count newly monitored households (identified, rolled back, re-marked), or risk events, by month."""
    name = "risk_events" if what == "events" else "monitoring"
    if not county.has(name):
        raise InputMissing(f"table {name} is absent: there is nothing to count")
    moment = (Moment(as_of, known_by or as_of),)
    t = known_rows(county, name, moment)
    t = t.filter(t.date <= t.as_of)
    t = t.mutate(causes=t.cause) if what == "events" else t.filter(t.event.isin(WATCHED_EVENTS))
    homes = known_households(county, moment)
    if what == "relocated":
        homes = homes.filter(homes.relocated.fill_null(False))
    homes = homes.select("household_id", "township")
    rows = t.inner_join(homes, "household_id").select("date", "known_on", "causes", "township").to_pandas()
    places = homes.group_by("township").agg(n=homes.count()).to_pandas().sort_values("township")
    if rows.empty:
        raise InputMissing(f"table {name} has no row by {as_of}: there is no series to forecast")
    date, known = pd.to_datetime(rows["date"]), pd.to_datetime(rows["known_on"])
    month = (date.dt.year * 12 + date.dt.month - 1).to_numpy()
    last = last_complete_month(as_of)
    late = ((known.dt.year * 12 + known.dt.month - 1).to_numpy() - month).clip(min=0)
    filled = _entered_share(month, late, last) if known_by is None else np.ones(MAX_DELAY_MONTHS)
    if month.min() > last:
        raise UsageError(f"table {name} has no row in a month completed by {as_of}: give a later --as-of")
    return _cells(rows, month, int(month.min()), last, places, filled)


def _entered_share(month: Array, late: Array, last: int) -> Array:
    """Return the share of entries known by the end of the month, one month later, and so on."""
    settled = month <= last - MAX_DELAY_MONTHS
    if settled.sum() < 20:
        return np.ones(MAX_DELAY_MONTHS)
    return np.array([float((late[settled] <= k).mean()) for k in range(MAX_DELAY_MONTHS)])


def _cells(
    rows: pd.DataFrame, month: Array, first: int, last: int, places: pd.DataFrame, late: Array
) -> Counts:
    causes = tuple(codes("risk_events", "cause"))
    cause = rows["causes"].fillna("").astype(str).str.split(";").str[0].str.strip()
    cause = cause.where(cause.isin(causes), "other")
    townships = tuple(places["township"].astype(str))
    filled = np.ones(last - first + 1)
    recent = min(late.size, filled.size)
    filled[filled.size - recent :] = late[:recent][::-1]
    while filled.size > 1 and filled[-1] < MIN_ENTERED_SHARE:
        filled, last = filled[:-1], last - 1
    inside = month <= last
    cells = np.zeros((len(townships), len(causes), filled.size))
    at = (
        pd.Categorical(rows["township"].astype(str), townships).codes[inside],
        pd.Categorical(cause, causes).codes[inside],
        month[inside] - first,
    )
    np.add.at(cells, at, 1.0)
    seen = cells.sum(axis=(0, 2)) > 0
    kept = tuple(c for c, there in zip(causes, seen, strict=True) if there)
    return Counts(
        townships,
        kept,
        np.arange(first, last + 1),
        cells[:, seen] / filled,
        filled,
        places["n"].to_numpy(float),
    )
