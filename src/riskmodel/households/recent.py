"""Parts of a year under the rules of the accounts, and since when the records of each township run.

Sums of twelve months are those of `riskmodel.households.accounts`. Forecasts look at quarters and at single
calendar months too: one of which a month is not on record is null, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.households.build_records import known_records
from riskmodel.households.coverage import NEVER
from riskmodel.households.income import IncomeAccounts
from riskmodel.households.known import KnownCounty
from riskmodel.households.known_records import KnownRecords
from riskmodel.households.panel import UNIT, read_records
from riskmodel.households.periods import AccountingPeriod, Period, untouched_by_totals
from riskmodel.households.sums import add_up


def recent_sums(known: KnownCounty, months: int, parts: int) -> pd.DataFrame:
    """Return net income of the windows, one before the other, that end with each accounting period.

    Called before the accounts of the same moments it makes them in the same pass.

    Parameters
    ----------
    known
        The county as known at some moments.
    months
        Length of a window.
    parts
        How many windows.

    Returns
    -------
    DataFrame
        One row per household known at a moment: ``household_id, as_of, part_0, part_1, …`` (yuan, the newest
        first); null where a month is not on record, beyond the allowed lag, and for years by totals.
    """
    reader = _RecentSums(read_records(known.county).ids.to_pandas(), months, parts)
    known.accounts(reader=reader)
    return pd.concat(reader.frames, ignore_index=True)


@dataclass(frozen=True)
class _RecentSums:
    """Windows before the ends of accounting periods, a frame each moment."""

    ids: pd.Series
    months: int
    parts: int
    frames: list[pd.DataFrame] = field(default_factory=list)
    counts_rows: bool = False

    def read(self, records: KnownRecords) -> None:
        """Add up the windows of one moment."""
        accounts = IncomeAccounts(records, AccountingPeriod())
        year = accounts.period
        own = replace(
            year, length=np.full_like(year.length, self.months), by_totals=np.zeros_like(year.by_totals)
        )
        usable = accounts.usable & ~year.by_totals
        columns = {"household_id": self.ids, "as_of": pd.Timestamp(records.moment.as_of)}
        for k in range(self.parts):
            sums = add_up(records, own, k)
            columns[f"part_{k}"] = _yuan(sums.gross - sums.costs, usable & sums.net_known)
        self.frames.append(pd.DataFrame(columns)[records.places.known])


def calendar_sums(known: KnownCounty, end: int, months: int) -> pd.DataFrame:
    """Return income by source and spending by category of the same calendar months for every household.

    Parameters
    ----------
    known
        The county; what was known at its last moment counts.
    end
        Last month (ordinal) of the window.
    months
        Its length.

    Returns
    -------
    DataFrame
        By ``household_id``: ``income_<source>, spending_<category>`` (yuan); null where a month is not on
        record, or a total reaches into the window.
    """
    *_, records = known_records(known.county, known.moments[-1:])
    n = records.households
    window = Period(
        np.full(n, end), np.full(n, months), np.zeros(n, bool), np.ones(n, bool), np.zeros(n, int)
    )
    sums = add_up(records, window, 0)
    free = untouched_by_totals(records, *window.bounds(0))
    out = {}
    for table, column, amounts, there in (
        ("income", "source", sums.income, sums.income_known),
        ("spending", "category", sums.spending, sums.spending_known),
    ):
        for i, code in enumerate(codes(table, column)):
            out[f"{table}_{code}"] = _yuan(amounts[i], there & free & ~sums.unknown(table, code))
    ids = pd.Index(read_records(known.county).ids.to_pandas(), name="household_id")
    return pd.DataFrame(out, index=ids)[records.places.known]


def township_records(known: KnownCounty) -> pd.DataFrame:
    """Return since when each township's income is on record, as known at the last moment.

    Parameters
    ----------
    known
        The county as known at some moments.

    Returns
    -------
    DataFrame
        ``township, households`` (valid then), ``first`` (month ordinal; missing where no records have begun):
        as stated or inferred for months, else the first month of a total.
    """
    *_, records = known_records(known.county, known.moments[-1:])
    places = records.places
    here = np.where(places.valid & places.known, places.township[:, -1], -1)
    first = np.minimum(records.on.starts[: len(places.names)], _first_totals(records, here))
    return pd.DataFrame(
        {
            "township": list(places.names),
            "households": np.bincount(here[here >= 0], minlength=len(places.names)),
            "first": np.where(first < NEVER, first, np.nan),
        }
    )


def _first_totals(records: KnownRecords, here: np.ndarray) -> np.ndarray:
    """Return the first month of a total of each township's households, `NEVER` without one."""
    out = np.full(len(records.places.names), NEVER)
    rows = records.totals["income"]
    place = here[rows.household]
    np.minimum.at(out, place[place >= 0], rows.month_from[place >= 0])
    return out


def _yuan(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.where(there, values / UNIT, np.nan)
