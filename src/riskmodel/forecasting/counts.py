r"""How many households are newly monitored, by month, township and cause, and forecasts of it that add up.

Counts are as they were known at as-of. The register is written up late: the last months are still filling.
How far they have filled is read from how late earlier entries came (the chain-ladder idea of reserving for
claims that are not yet reported). A stated ``data_through`` ends the series: what comes after it is on no
record, and nothing makes up for it.

The register has no coverage of its own (no row means that nothing happened), but a township whose records
begin later than the county's, and of which the register says nothing before, was not looked at before. A
county's sums are over one set of townships: one that has been on record for less than two years is left out
and said, with others the series begins once all have.

The series are township × cause, townships, causes and the county (`Hierarchy`). With S their summing matrix,
base forecasts :math:`\hat y` of all series are replaced by (`reconcile`)

.. math:: \tilde y = S G \hat y, \quad G = (S' W^{-1} S)^{-1} S' W^{-1}

where W is the covariance of one-step errors shrunk to its diagonal (minimum trace, MinT).

References
----------
Wickramasuriya, S., Athanasopoulos, G. and Hyndman, R. (2019),
Optimal forecast reconciliation through trace minimization, JASA 114, 804-819; Schäfer, J. and Strimmer, K.
(2005), Stat. Appl. Genet. Mol. Biol. 4, 32 (the shrinkage).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.data import County, codes, month_text
from riskmodel.errors import InputMissing, UsageError
from riskmodel.households import (
    HOUSEHOLD_STATES,
    WATCHED_EVENTS,
    KnownCounty,
    Moment,
    known_county,
    last_complete_month,
    township_records,
)

Array = NDArray[Any]
What = Literal["entries", "events", "relocated"]

MIN_ENTERED_SHARE = 0.5  # a month of which less than half is expected to be entered is left out (assumption)
MAX_DELAY_MONTHS = 6
SERIES_MONTHS = 24  # that a township must be on record to be in the county's sums: two seasons (assumption)


class LateTownship(NamedTuple):
    """A township that is on record for too short a time: since when, and how many households it has."""

    township: str
    since: str
    households: int


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
    left_out: tuple[LateTownship, ...] = ()

    def known_ahead(self, horizon: int) -> Array | None:
        """Return the exogenous series of the months seen and those ahead, shape (T + horizon, k)."""
        if self.exogenous is None:
            return None
        months = np.arange(self.months[0], self.months[-1] + 1 + horizon)
        series = self.exogenous.reindex(months)
        gaps = series.index[series.isna().any(axis=1)]
        if len(gaps):
            raise UsageError(
                f"known series: no value for {month_text(int(gaps[0]))}; "
                f"give every month from {month_text(int(months[0]))} to {month_text(int(months[-1]))}"
            )
        return series.to_numpy(dtype=float)

    @property
    def seen(self) -> Array:
        """Cells as they were counted, in the shape of ``cells``: what an alarm is raised by."""
        return np.asarray(np.rint(self.cells * self.filled))

    @property
    def bottom(self) -> Array:
        """Cells as series, shape (townships × causes, T), causes running fastest."""
        return self.cells.reshape(-1, self.months.size)


def monthly_counts(
    county: County, as_of: dt.date, known_by: dt.date | None = None, what: What = "entries",
    like: Counts | None = None,
) -> Counts:  # fmt: skip
    """Count newly monitored households (identified, rolled back, re-marked), or risk events, by month.

    A past day that is compared with another counts the same townships from the same month on (``like``).
    """
    name = "risk_events" if what == "events" else "monitoring"
    if not county.has(name):
        raise InputMissing(f"table {name} is absent: there is nothing to count")
    known_then = known_county(county, Moment(as_of, known_by or as_of))
    t = known_then.rows(name)
    t = t.filter(t.date <= t.as_of)
    t = t.mutate(causes=t.cause) if what == "events" else t.filter(t.event.isin(WATCHED_EVENTS))
    homes = known_then.rows(HOUSEHOLD_STATES)
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
    begun = pd.Series(month).groupby(rows["township"].astype(str).to_numpy()).min()
    span = one_set_of_townships(known_then, begun, last) if like is None else Span(int(like.months[0]), ())
    gone = {late.township for late in span.left_out}
    places = places[~places["township"].astype(str).isin(gone)]
    first = max(int(month.min()), span.first or 0)
    counted = rows["township"].astype(str).isin(places["township"].astype(str)).to_numpy() & (month >= first)
    if not counted.any():
        raise InputMissing(f"table {name}: no township has been on record for {SERIES_MONTHS} months")
    first = max(first, int(month[counted].min()))
    found = _cells(rows[counted], month[counted], first, last, places, filled, _last_whole_month(county))
    return dataclasses.replace(found, left_out=span.left_out)


def _last_whole_month(county: County) -> int | None:
    """Return the last month that ``data_through`` covers; None where nothing is stated."""
    through = county.about.data_through
    return None if through is None else last_complete_month(through)


class Span(NamedTuple):
    """From which month on (None: from the first row) all townships are on record, and who is left out."""

    first: int | None
    left_out: tuple[LateTownship, ...]


def one_set_of_townships(known: KnownCounty, begun: pd.Series, last: int) -> Span:
    """Return the townships that are not on record for long enough, and when all others are.

    A township is late where its income records begin after the county's and none of its rows (``begun``: the
    month of the first by township) is older.
    """
    t = township_records(known)
    t = t[(t["households"] > 0)]
    since = t.set_index("township")["first"]
    late = since[since.isna() | (since > since.min())].fillna(np.inf) if since.notna().any() else since[:0]
    own = begun.reindex(late.index).fillna(np.inf)
    late = late[own >= late]
    short = late[late > last - SERIES_MONTHS + 1]
    sizes = t.set_index("township")["households"]
    left_out = tuple(
        LateTownship(str(name), month_text(int(month)) if np.isfinite(month) else "", int(size))
        for name, month, size in zip(short.index, short, sizes[short.index], strict=True)
    )
    kept = late.drop(short.index)
    return Span(int(kept.max()) if len(kept) else None, left_out)


def _entered_share(month: Array, late: Array, last: int) -> Array:
    """Return the share of entries known by the end of the month, one month later, and so on."""
    settled = month <= last - MAX_DELAY_MONTHS
    if settled.sum() < 20:
        return np.ones(MAX_DELAY_MONTHS)
    return np.array([float((late[settled] <= k).mean()) for k in range(MAX_DELAY_MONTHS)])


def _cells(
    rows: pd.DataFrame, month: Array, first: int, last: int, places: pd.DataFrame, late: Array,
    through: int | None,
) -> Counts:  # fmt: skip
    causes = tuple(codes("risk_events", "cause"))
    cause = rows["causes"].fillna("").astype(str).str.split(";").str[0].str.strip()
    cause = cause.where(cause.isin(causes), "other")
    townships = tuple(places["township"].astype(str))
    filled = np.ones(last - first + 1)
    recent = min(late.size, filled.size)
    filled[filled.size - recent :] = late[:recent][::-1]
    ends = last if through is None else through
    while filled.size > 1 and (filled[-1] < MIN_ENTERED_SHARE or last > ends):
        filled, last = filled[:-1], last - 1
    inside = month <= last
    cells = np.zeros((len(townships), len(causes), filled.size))
    at = (
        pd.Categorical(rows["township"].astype(str), townships).codes[inside],
        pd.Categorical(cause, causes).codes[inside],
        month[inside] - first,
    )
    np.add.at(cells, at, 1.0)
    present = cells.sum(axis=(0, 2)) > 0
    return Counts(
        townships,
        tuple(np.array(causes)[present].tolist()),
        np.arange(first, last + 1),
        cells[:, present] / filled,
        filled,
        places["n"].to_numpy(float),
    )


def counts_as_known(known: Counts, now: Counts) -> Counts:
    """Give past counts the townships and causes of today, so that series can be compared."""
    place = pd.Index(known.townships).get_indexer(pd.Index(now.townships))
    cause = pd.Index(known.causes).get_indexer(pd.Index(now.causes))
    cells = known.cells[np.ix_(place, cause)]
    cells[place < 0], cells[:, cause < 0] = 0.0, 0.0
    return Counts(now.townships, now.causes, known.months, cells, known.filled, now.households)


ALL = "all"


@dataclass(frozen=True)
class Hierarchy:
    """Townships and causes, crossed; series come in the order county, causes, townships, cells."""

    townships: tuple[str, ...]
    causes: tuple[str, ...]

    @property
    def labels(self) -> pd.DataFrame:
        """Level, township and cause of every series; ``all`` where they are summed over."""
        rows = [("county", ALL, ALL)]
        rows += [("cause", ALL, c) for c in self.causes]
        rows += [("township", t, ALL) for t in self.townships]
        rows += [("cell", t, c) for t in self.townships for c in self.causes]
        return pd.DataFrame(rows, columns=["level", "township", "cause"])

    @property
    def summing(self) -> Array:
        """The summing matrix, shape (series, cells)."""
        i, j = len(self.townships), len(self.causes)
        return np.vstack(
            [
                np.ones((1, i * j)),
                np.tile(np.eye(j), (1, i)),
                np.kron(np.eye(i), np.ones((1, j))),
                np.eye(i * j),
            ]
        )

    def add_up(self, cells: Array) -> Array:
        """Return all series of cells (cells first axis)."""
        return np.tensordot(self.summing, cells, axes=(1, 0))


def shrunk_correlation(errors: Array) -> tuple[Array, float]:
    r"""Return the correlation of errors shrunk to the identity, and the shrinkage.

    .. math:: \lambda^* = \frac{\sum_{i \ne j} \widehat{Var}(r_{ij})}{\sum_{i \ne j} r_{ij}^2}
    """
    n = errors.shape[0]
    sd = np.sqrt((errors**2).mean(axis=0))
    x = np.divide(errors, sd, out=np.zeros_like(errors), where=sd > 1e-12)
    r = x.T @ x / n
    # Var(r_ij) = n / (n - 1)^3 sum (w_kij - mean w_ij)^2, of errors around zero.
    squares = (x**2).T @ (x**2)
    variance = (squares - n * r**2) / (n * max(n - 1, 1))
    off = ~np.eye(r.shape[0], dtype=bool)
    bottom = float((r[off] ** 2).sum())
    shrinkage = float(np.clip(variance[off].sum() / bottom, 0, 1)) if bottom > 0 else 1.0
    out = (1 - shrinkage) * r
    np.fill_diagonal(out, 1.0)
    return out, shrinkage


@dataclass(frozen=True)
class Reconciled:
    """Means and their error variances, both (series, H)."""

    mean: Array
    variance: Array


def reconcile(hierarchy: Hierarchy, mean: Array, variance: Array, errors: Array) -> Reconciled:
    """Make base forecasts add up, with the least variance (MinT)."""
    s = hierarchy.summing
    correlation, _ = shrunk_correlation(errors)
    out, spread = np.empty_like(mean), np.empty_like(variance)
    for h in range(mean.shape[1]):
        sd = np.sqrt(np.maximum(variance[:, h], 1e-8))
        w = correlation * np.outer(sd, sd)
        g = projection(s, w)
        cells = np.maximum(g @ mean[:, h], 0.0)
        out[:, h] = s @ cells
        spread[:, h] = np.diag(s @ (g @ w @ g.T) @ s.T)
    return Reconciled(out, spread)


def projection(s: Array, w: Array) -> Array:
    r"""Return G, from all series to cells.

    With C the constraints that bind the upper series to the cells, :math:`G = J - J W C' (C W C')^{-1} C`
    is the same matrix and needs no inverse of W (Wickramasuriya et al. 2019, section 2.4).
    """
    m = s.shape[1]
    upper = len(s) - m
    c = np.hstack([np.eye(upper), -s[:upper]])
    wc = w @ c.T
    # Townships and causes sum to the same county twice: the constraints are independent all the same.
    gain = np.linalg.solve(c @ wc, wc[upper:].T).T
    j = np.hstack([np.zeros((m, upper)), np.eye(m)])
    return j - gain @ c
