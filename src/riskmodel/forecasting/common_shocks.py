r"""Luck that households share: how much of it a county's year and its townships have in common.

Normal scores of outcomes in their forecast distributions are taken apart into what days (a year's prices,
jobs, weather), townships on a day, and households have of their own (analysis of variance; Searle, Casella
and McCulloch 1992, Variance Components, Wiley, ch. 3).

A calibration that pools K past years sees a year's part with :math:`(K-1)/K` of its variance, because it is
centred on those very years; the outcome of a new one lies :math:`1 + 1/K` of it away from their centre. The
intervals are therefore widened by

.. math:: \sqrt{1 + 2 \rho / K}

with :math:`\rho` the year's share. Few past years say little of that share: it is never taken below three per
cent (assumption).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
MIN_COMMON_SHARE = 0.03
MAX_COMMON_SHARE = 0.5
MONTH_DAYS = 30.4375


class CommonShock(NamedTuple):
    """Shares of a household's luck that the county and its township have in common."""

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
    apart = cells["mean"] - cells.groupby("day")["mean"].transform("mean")
    free = len(cells) - cells["day"].nunique()
    place = max(float((apart**2).sum()) / free - noise, 0.0) if free > 0 else 0.0
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
    found = sorted(set(days))
    gaps = [(b - a).days / MONTH_DAYS for a, b in itertools.pairwise(found)]
    return 1.0 + sum(min(gap / horizon, 1.0) for gap in gaps)


def widening_factor(shared: CommonShock, seen: float) -> float:
    """Return by what intervals are to be widened for a year unlike the ``seen`` ones.

    Examples
    --------
    >>> round(widening_factor(CommonShock(county=0.1, township=0.0), seen=2.0), 3)
    1.049
    """
    return float(np.sqrt(1 + 2 * shared.county / seen))
