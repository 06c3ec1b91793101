r"""Split conformal predictive distributions, by income band and kind of history, widened for common shocks.

A method gives each household a centre and a scale below and above it. On villages that it was not fitted
on, :math:`s = (y - centre) / scale` shows how wrong it was; the distribution of a new household is the
distribution of those scores among households like it (Mondrian categories), put back on its own centre
and scale. Intervals take order statistics that are conservative for finite numbers. Two things would make
past scores unlike new ones: months ahead that are not the same months of the year (`seasonal`), and shocks
that a whole county shares.

For these, normal scores of outcomes in their forecast distributions are taken apart into what days (a year's
prices, jobs, weather), townships on a day, and households have of their own (`estimate_common_shock`, an
analysis of variance). A calibration that pools K past years sees a year's part with :math:`(K-1)/K` of its
variance, because it is centred on those very years; the outcome of a new one lies :math:`1 + 1/K` of it away
from their centre. The intervals are therefore widened by (`widening_factor`)

.. math:: \sqrt{1 + 2 \rho / K}

with :math:`\rho` the year's share. Few past years say little of that share: it is never taken below three per
cent (assumption).

References
----------
Vovk, V., Shen, J., Manokhin, V. and Xie, M. (2017), Nonparametric predictive distributions based on conformal
prediction, PMLR 60, 82-102; Vovk, V., Gammerman, A. and Shafer, G. (2005), Algorithmic Learning in a Random
World, section 4.5 (Mondrian); Lei, J. et al. (2018), Distribution-free predictive inference for regression,
JASA 113, 1094-1111 (scores in units of a local scale); Searle, C., Casella, G. and McCulloch, C. (1992),
Variance Components, Wiley, ch. 3. The promise holds where calibration rows and new ones are exchangeable: a
year unlike all those seen (a disaster, a collapse of prices) breaks it.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting.accuracy import CRPS_LEVELS, crps

Array = NDArray[Any]

MIN_SCORES = 40  # of 39 scores the least and the largest are the ends of a 95 % interval: 2 / (39 + 1)
BANDS = (1.0, 1.5, 2.5)  # multiples of the line: below, near, above, well above (assumption)
CRPS_ROWS = 5_000  # at a time: their curves take some 25 MB
BAND_NAMES = ("below", "near", "above", "well_above")


@dataclass(frozen=True)
class Shape:
    """What a method says before calibration, each (n,): a centre and scales below and above it."""

    centre: Array
    down: Array
    up: Array

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Shape:
        """Return some rows."""
        return Shape(self.centre[rows], self.down[rows], self.up[rows])

    def stretched(self, by: Array) -> Shape:
        """Return the same centres with scales multiplied, shape (n,)."""
        return Shape(self.centre, self.down * by, self.up * by)

    def score(self, y: Array) -> Array:
        """Return how many scales each outcome lies above (positive) or below its centre."""
        error = y - self.centre
        return error / np.where(error < 0, self.down, self.up)

    def place(self, score: Array) -> Array:
        """Return the outcome that has a score; inverse of `score`; scores may have further axes."""
        extra = (...,) + (None,) * (score.ndim - 1)
        return self.centre[extra] + score * np.where(score < 0, self.down[extra], self.up[extra])


def band(pcni: Array, line: float) -> NDArray[np.str_]:
    """Return each household's income band, in multiples of the line; ``unknown`` where income is.

    Examples
    --------
    >>> band(np.array([5000.0, 9500.0, np.nan]), 6000.0).tolist()
    ['below', 'above', 'unknown']
    """
    names = np.array(BAND_NAMES)
    at = np.searchsorted(np.array(BANDS) * line, np.nan_to_num(pcni), side="right")
    return np.where(np.isnan(pcni), "unknown", names[at])


def seasonal(score: Array, month: Array, now: int) -> Array:
    """Return how much wider or narrower past scores spread than those of the same months of the year.

    What lies ahead of a June (harvests, sales) is not what lies ahead of a December: scores of days in other
    calendar months are brought to the spread of those in as-of's own.
    """
    out = np.ones(score.size)
    groups = {int(m): score[month == m] for m in np.unique(month)}
    spread = {m: float(np.abs(s - np.median(s)).mean()) for m, s in groups.items() if s.size >= MIN_SCORES}
    if not spread.get(now, 0.0) > 0:
        return out
    for m, width in spread.items():
        out[month == m] = width / spread[now]
    return out


@dataclass(frozen=True)
class Calibration:
    """Sorted scores of categories and of bands; ``pooled`` stands for those that have too few."""

    by_category: dict[str, Array]
    pooled: Array

    def scores(self, category: str) -> Array:
        """Return the scores that a category goes by."""
        own_band = self.by_category.get(category.split("|")[-1], self.pooled)
        return self.by_category.get(category, own_band)

    def widened(self, by: float) -> Calibration:
        """Return the same with every distribution stretched about its median."""

        def wide(s: Array) -> Array:
            return np.asarray(np.median(s) + (s - np.median(s)) * by)

        return Calibration({k: wide(s) for k, s in self.by_category.items()}, wide(self.pooled))


def calibrate(shape: Shape, y: Array, category: NDArray[np.str_]) -> Calibration:
    """Collect the scores of calibration rows."""
    s = shape.score(y)
    bands = np.array([c.split("|")[-1] for c in category])
    scores_of = {name: _with_neighbours(s, bands, k) for k, name in enumerate(BAND_NAMES)}
    scores_of |= {str(name): s[category == name] for name in np.unique(category)}
    enough = {name: np.sort(scores) for name, scores in scores_of.items() if scores.size >= MIN_SCORES}
    return Calibration(enough, np.sort(s))


def _with_neighbours(s: Array, bands: NDArray[np.str_], place: int) -> Array:
    """Return a band's scores, with those of bands further and further off until there are enough."""
    for reach in range(len(BAND_NAMES)):
        near = BAND_NAMES[max(place - reach, 0) : place + reach + 1]
        scores = s[np.isin(bands, near)]
        if scores.size >= MIN_SCORES:
            break
    return scores


@dataclass(frozen=True)
class Distribution:
    """A calibrated distribution for each of n households, on the methods' scale."""

    shape: Shape
    category: NDArray[np.str_]
    calibration: Calibration

    def _groups(self) -> list[tuple[str, NDArray[np.int64]]]:
        groups = pd.Series(self.category).groupby(self.category, sort=True).indices
        return [(str(name), np.asarray(rows)) for name, rows in groups.items()]

    def quantiles(self, levels: Array) -> Array:
        """Return quantiles, shape (n, levels); ends are the conservative order statistics."""
        out = np.empty((self.category.size, len(levels)))
        for name, rows in self._groups():
            s = self.calibration.scores(name)
            out[rows] = self.shape.take(rows).place(np.tile(_order(s, levels), (rows.size, 1)))
        return out

    def below(self, value: Array) -> Array:
        """Return the probability that the outcome is below a value, shape (n,)."""
        out = np.empty(self.category.size)
        for name, rows in self._groups():
            s = self.calibration.scores(name)
            at = self.shape.take(rows).score(value[rows])
            low, high = np.searchsorted(s, at, "left"), np.searchsorted(s, at, "right")
            # The new household is itself one of n + 1: neither 0 nor 1 is ever certain.
            out[rows] = ((low + high) / 2 + 0.5) / (s.size + 1)
        return out

    def crps(self, outcome: Array, back: Callable[[Array], Array]) -> Array:
        """Return each household's CRPS on the scale that ``back`` leads to, (n,), to 1e-3 of itself.

        It is of the distribution that `at` draws from.
        """
        out = np.empty(outcome.size)
        for name, rows in self._groups():
            s = self.calibration.scores(name)
            levels = _crps_levels(s.size)
            score = np.interp(levels, (np.arange(s.size) + 1) / (s.size + 1), s)
            for part in np.array_split(rows, -(-rows.size // CRPS_ROWS)):
                curve = self.shape.take(part).place(np.broadcast_to(score, (part.size, score.size)))
                out[part] = crps(outcome[part], back(curve), levels)
        return out

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Distribution:
        """Return the distributions of some households."""
        return Distribution(self.shape.take(rows), self.category[rows], self.calibration)

    def at(self, uniform: Array) -> Array:
        """Return outcomes at given probabilities, one (n,) or several (n, draws) a household."""
        out = np.empty(uniform.shape)
        for name, rows in self._groups():
            s = self.calibration.scores(name)
            grid = (np.arange(s.size) + 1) / (s.size + 1)
            out[rows] = self.shape.take(rows).place(np.interp(uniform[rows], grid, s))
        return out


def _crps_levels(scores: int) -> Array:
    """Return levels at which a distribution of so many scores is told to its last one.

    Back on the scale of yuan a tail is long: the twenty outermost scores are levels, and quarters between
    them; from there to the even levels they come ever less densely.
    """
    outer = np.arange(1, min(20, scores) + 0.01, 0.25)
    further = np.geomspace(1.0, max(scores / 400, 1.0), 80)
    low = np.concatenate([outer, further]) / (scores + 1)
    return np.unique(np.concatenate([low, 1 - low, CRPS_LEVELS]).round(12))


def _order(s: Array, levels: Array) -> Array:
    """Return order statistics: below the middle rounded outward to the left, above it to the right.

    An end beyond the least or largest of too few scores (39 for 95 %) is the normal distribution's, in units
    of the method's own scale, unless that lies further in.
    """
    from scipy.special import ndtri

    n = s.size
    place = levels * (n + 1)
    low, high = np.floor(place + 1e-9), np.ceil(place - 1e-9)
    at = np.where(levels < 0.5, low, np.where(levels > 0.5, high, np.rint(place)))
    out = s[np.clip(at.astype(int) - 1, 0, n - 1)]
    out = np.where(at < 1, np.minimum(out, ndtri(levels)), out)
    return np.where(at > n, np.maximum(out, ndtri(levels)), out)


MIN_COMMON_SHARE = 0.03
MAX_COMMON_SHARE = 0.5
MONTH_DAYS = 30.4375


class CommonShock(NamedTuple):
    """Shares of a household's shock that the county and its township have in common."""

    county: float
    township: float


def estimate_common_shock(z: Array, day: Array, township: Array) -> CommonShock:
    """Estimate the shared parts of normal scores."""
    t = pd.DataFrame({"z": z, "day": day, "township": township})
    cells = t.groupby(["day", "township"])["z"].agg(["mean", "var", "size"]).reset_index()
    cells = cells[cells["size"] > 1]
    if cells.empty:
        return CommonShock(MIN_COMMON_SHARE, 0.0)
    within = float(np.average(cells["var"], weights=cells["size"] - 1))
    noise = within * float((1 / cells["size"]).mean())
    deviation = cells["mean"] - cells.groupby("day")["mean"].transform("mean")
    free = len(cells) - cells["day"].nunique()
    place = max(float((deviation**2).sum()) / free - noise, 0.0) if free > 0 else 0.0
    days = cells.groupby("day")["mean"].agg(["mean", "size"])
    between = float(days["mean"].var()) if len(days) > 1 else 0.0
    year = max(between - (place + noise) / float(days["size"].mean()), 0.0)
    whole = max(within + place + year, 1e-9)
    return CommonShock(
        float(np.clip(year / whole, MIN_COMMON_SHARE, MAX_COMMON_SHARE)),
        float(np.clip(place / whole, 0.0, MAX_COMMON_SHARE)),
    )


def years_observed(days: Iterable[dt.date], horizon: int) -> float:
    """Return how many outcomes' worth of different common shocks past days have seen.

    Examples
    --------
    >>> half_years = [dt.date(2018, 6, 30), dt.date(2018, 12, 31), dt.date(2019, 6, 30)]
    >>> years_observed(half_years, 3), round(years_observed(half_years, 12), 1)
    (3.0, 2.0)
    """
    ordered = sorted(set(days))
    gaps = [(b - a).days / MONTH_DAYS for a, b in itertools.pairwise(ordered)]
    return 1.0 + sum(min(gap / horizon, 1.0) for gap in gaps)


def widening_factor(shared: CommonShock, years: float) -> float:
    """Return by what intervals are to be widened for a year unlike those observed.

    Examples
    --------
    >>> round(widening_factor(CommonShock(county=0.1, township=0.0), years=2.0), 3)
    1.049
    """
    return float(np.sqrt(1 + 2 * shared.county / years))
