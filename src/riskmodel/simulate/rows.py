"""From one block's history to rows of the contract: income and spending.

Every row gets the day it was recorded. Rows recorded after the last simulated day are not in the tables:
the office does not have them yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from riskmodel.simulate.history import CATEGORIES, RECORDS, SOURCES, Block, Plan, stream
from riskmodel.simulate.lookup import Lookup
from riskmodel.simulate.months import first_day, last_day
from riskmodel.simulate.state import Array, Ints

EPOCH = np.datetime64("1970-01-01")


def days(dates: list[object]) -> Ints:
    """Return dates as days since 1970."""
    return (np.array(dates, dtype="datetime64[D]") - EPOCH).astype(np.int64)


def words(codes: Ints, values: tuple[str, ...] | list[str], missing: Array | None = None) -> pa.Array:
    """Return codes as text; null where ``missing``."""
    index = pa.array(np.asarray(codes, dtype=np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(values), pa.string())).cast(pa.string())


def dates(day: Ints, missing: Array | None = None) -> pa.Array:
    """Return days since 1970 as dates; null where ``missing``."""
    return pa.array(np.asarray(day, dtype=np.int32), mask=missing).cast(pa.date32())


@dataclass
class Clerk:
    """Dates and recording delays for one block, from the block's own stream of records.

    Parameters
    ----------
    plan : Plan
    block : int
    t : Lookup
    """

    plan: Plan
    block: int
    t: Lookup

    def __post_init__(self) -> None:
        self.rng = stream(self.plan.seed, RECORDS, self.block)
        self.base = self.block * self.plan.block
        self.end = int(days([last_day(self.plan.last)])[0])

    @cached_property
    def names(self) -> list[str]:
        """Household ids of the block."""
        size = min(self.plan.block, self.plan.households - self.base)
        return [f"H{self.base + i + 1:07d}" for i in range(size)]

    def ids(self, household: Ints) -> pa.Array:
        """Return the ids of households named by their row in the county."""
        return words(household - self.base, self.names)

    def day(self, month: Ints, low: int = 1, high: int = 28) -> Ints:
        """Draw a day within each month, between two days of the month, as days since 1970."""
        first = (
            (np.asarray(month, dtype=np.int64) - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]")
        )
        return (first - EPOCH).astype(np.int64) + self.rng.integers(low - 1, high, np.size(month))

    def late(self, n: int | tuple[int, ...], mean: float | Array, prompt: float = 0.0) -> Ints:
        """Draw days from a thing to its record: 0 for the prompt, else exponential up to the promise."""
        r = self.t.profile.recording
        wait = 1 + (self.rng.exponential(mean, n)).astype(np.int64)
        return np.where(self.rng.random(n) < prompt, 0, np.minimum(wait, r.most_days))

    def known(self, table: pa.Table) -> pa.Table:
        """Drop what was recorded after the last simulated day."""
        on = table["recorded_on"].cast(pa.int32()).to_numpy()
        return table.filter(pa.array(on <= self.end)) if (on > self.end).any() else table


def amounts(clerk: Clerk, block: Block) -> dict[str, pa.Table]:
    """Return the rows of ``income`` and ``spending``: one a household, month and kind with an amount.

    Parameters
    ----------
    clerk : Clerk
    block : Block
        Its living costs are written, by the quarter, into ``spending`` here: nothing depends on them.

    Returns
    -------
    dict
    """
    living(clerk, block)
    r = clerk.t.profile.recording
    shape = block.income.shape[1:]
    # One writing-up a household and month: what is late is late for all of its rows.
    delay = clerk.late(shape, r.mean_days, r.prompt).astype(np.int16)
    out = {}
    for name, cube, kind, kinds in (
        ("income", block.income, "source", SOURCES),
        ("spending", block.spending, "category", CATEGORIES),
    ):
        row, month, code = np.nonzero(np.moveaxis(cube, 0, -1))
        ends = days([last_day(clerk.plan.first + k) for k in range(shape[1])])
        months = [first_day(clerk.plan.first + k).strftime("%Y-%m") for k in range(shape[1])]
        columns = {
            "household_id": clerk.ids(row + clerk.base),
            "month": words(month, months),
            kind: words(code, kinds),
            "amount": pa.array(cube[code, row, month].astype(np.int64)),
            "recorded_on": dates(ends[month] + delay[row, month]),
        }
        out[name] = clerk.known(pa.table(columns))
    return out


def living(clerk: Clerk, block: Block) -> None:
    """Write living costs, by the quarter: a floor a head and a share of what the household usually has.

    Parameters
    ----------
    clerk : Clerk
    block : Block
        Changed in place.
    """
    p = clerk.t.profile.income.living
    s = block.start
    quarter = 3 * (p.floor * s.persons + p.share * s.usual / 12)
    months = np.arange(clerk.plan.months)
    ends = months[(clerk.plan.first + months) % 3 == 2]
    noise = np.exp(clerk.rng.normal(0, 0.15, (s.n, ends.size)))
    there = block.persons[:, ends] > 0
    block.spending[CATEGORIES.index("living")][:, ends] = np.rint(quarter[:, None] * noise) * there
