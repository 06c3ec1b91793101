r"""From households to the county: how many will be below the line, in which township, and what it would cost.

Households share their luck: a bad year lowers all of a county, a bad harvest all of a township. Their
ranks in their own forecast distributions are therefore drawn together,

.. math:: u_i = \Phi(\sqrt{\rho_c} C + \sqrt{\rho_t} T_{g(i)} + \sqrt{1 - \rho_c - \rho_t}\, e_i)

with the two shares estimated from how past days and townships came out together (`luck`). The county's share
is counted once more divided by the number K of past years, because the forecast was set by K such years.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting import common_shocks
from riskmodel.forecasting.common_shocks import CommonShock
from riskmodel.forecasting.household import HouseholdForecast

Array = NDArray[Any]
BLOCK = 25
DRAWS = 400
ALL = "all"
MEASURES = ("households", "persons", "yuan")


def county_common_shock(made: HouseholdForecast, horizon: int) -> CommonShock:
    """Estimate the shared parts from the rows that a horizon's method was calibrated on."""
    scores = made.learned[horizon].scores
    if scores is None:
        return CommonShock(2 * common_shocks.MIN_COMMON_SHARE, 0.0)
    z, day, township = scores
    found = common_shocks.estimate_common_shock(z, day, township)
    seen = common_shocks.years_observed(pd.to_datetime(day).date, horizon)
    return CommonShock(min(found.county * (1 + 1 / seen), common_shocks.MAX_COMMON_SHARE), found.township)


def draw_incomes(
    made: HouseholdForecast, horizon: int, draws: int, seed: int, shared: CommonShock | None = None
) -> Iterator[Array]:
    """Draw the county's incomes per head, in blocks of shape (households, draws of the block), yuan."""
    from scipy.special import ndtr

    parts = shared or county_common_shock(made, horizon)
    rng = np.random.default_rng([seed, horizon])
    place, names = pd.factorize(made.standing["township"], sort=True)
    distribution = made.distribution(horizon)
    own = np.sqrt(1 - parts.county - parts.township)
    for first in range(0, draws, BLOCK):
        k = min(BLOCK, draws - first)
        z = np.sqrt(parts.county) * rng.standard_normal((1, k))
        z = z + np.sqrt(parts.township) * rng.standard_normal((len(names), k))[place]
        z = z + own * rng.standard_normal((len(place), k))
        yield made.scale.back(distribution.at(ndtr(z)))


@dataclass(frozen=True)
class Groups:
    """How households are added up: township × cause codes, their labels, persons."""

    code: Array
    townships: tuple[str, ...]
    causes: tuple[str, ...]
    persons: Array


def household_groups(made: HouseholdForecast, cause: pd.Series | None = None) -> Groups:
    """Return the groups of a county: township and main cause (``none`` where the office knows of none)."""
    t = made.standing
    named = (t["main_cause"] if cause is None else cause).fillna("none").astype(str)
    place, townships = pd.factorize(t["township"].astype(str), sort=True)
    why, causes = pd.factorize(named, sort=True)
    code = place * len(causes) + why
    return Groups(code, tuple(townships), tuple(causes), t["persons"].to_numpy(dtype=float))


def newly_below(income: Array, line: float, by: Groups) -> Array:
    """Add up who is below the line, shape (3, groups, draws): households, persons, yuan a year."""
    below = income < line
    n = len(by.townships) * len(by.causes)
    out = np.empty((3, n, income.shape[1]))
    gap = np.where(below, line - income, 0.0) * by.persons[:, None]
    for k in range(income.shape[1]):
        out[0, :, k] = np.bincount(by.code, below[:, k], n)
        out[1, :, k] = np.bincount(by.code, below[:, k] * by.persons, n)
        out[2, :, k] = np.bincount(by.code, gap[:, k], n)
    return out


def summarise_totals(totals: Array, by: Groups) -> pd.DataFrame:
    """Return totals with intervals, one row a township, cause and measure; ``all`` is the sum."""
    i, j = len(by.townships), len(by.causes)
    cells = totals.reshape(3, i, j, -1)
    rows = []
    for m, measure in enumerate(MEASURES):
        for a in range(-1, i):
            part = cells[m].sum(axis=0) if a < 0 else cells[m, a]
            for b in range(-1, j):
                x = part.sum(axis=0) if b < 0 else part[b]
                low95, low80, high80, high95 = np.quantile(x, [0.025, 0.1, 0.9, 0.975])
                names = (ALL if a < 0 else by.townships[a], ALL if b < 0 else by.causes[b])
                rows.append((*names, measure, x.mean(), low80, high80, low95, high95))
    columns = ["township", "cause", "measure", "mean", "low_80", "high_80", "low_95", "high_95"]
    return pd.DataFrame(rows, columns=columns)


def households_below_line(
    made: HouseholdForecast, horizon: int, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how many households and persons will be below the line, and the yuan to close the gap."""
    by = household_groups(made)
    parts = [newly_below(y, made.lines[horizon], by) for y in draw_incomes(made, horizon, draws, seed)]
    return summarise_totals(np.concatenate(parts, axis=2), by).assign(horizon_months=horizon)
