"""A county as it was known at some moments: made once, handed down to rules, features, targets and scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import ibis.expr.types as ir

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import accounts, point_in_time
from riskmodel.households.accounts import AccountingPeriod
from riskmodel.households.point_in_time import DateLike, Moment

AsOf: TypeAlias = DateLike | Iterable[DateLike] | Moment | Iterable[Moment]


@dataclass(frozen=True)
class KnownCounty:
    """A county cut to what was known at one or several moments.

    Each table is computed when it is first asked for and kept with the county, whoever asks.

    Parameters
    ----------
    county
        The checked tables.
    moments
        Distinct and in order, as `riskmodel.households.point_in_time.as_moments` gives them.
    """

    county: County
    moments: tuple[Moment, ...]

    def rows(self, table: str) -> ir.Table:
        """Return the rows of a contract table known at each moment, corrections resolved."""
        return point_in_time.known_rows(self.county, table, self.moments)

    def households(self) -> ir.Table:
        """Return the state of every household at each moment."""
        return point_in_time.known_households(self.county, self.moments)

    def members(self) -> ir.Table:
        """Return the members present at each moment, with their ages."""
        return point_in_time.known_members(self.county, self.moments)

    def accounts(self, period: AccountingPeriod | None = None) -> ir.Table:
        """Return the household accounts over a period (12 months by default) at each moment."""
        return accounts.build_accounts(self.county, self.moments, period)

    def incomes(self, period: AccountingPeriod | None = None) -> ir.Table:
        """Return incomes per head alone over a period at each moment."""
        return accounts.build_incomes(self.county, self.moments, period)

    @property
    def fingerprint(self) -> str:
        """The content hash of every row known at the last moment."""
        return point_in_time.fingerprint(self.county, self.moments[-1].known_by)


def known_county(county: County | KnownCounty, as_of: AsOf | None = None) -> KnownCounty:
    """Return a county as known at some moments.

    Parameters
    ----------
    county
        A county, or one cut already, which is returned as it is.
    as_of
        Date, ISO text, `Moment`, or several; needed for a county that is not cut yet.

    Returns
    -------
    KnownCounty
        The view that entry points hand down.

    Raises
    ------
    UsageError
        If no date is given, one is no date, or it differs from the moments of a view.
    """
    if isinstance(county, KnownCounty):
        if as_of is not None and point_in_time.as_moments(as_of) != county.moments:
            days = ", ".join(str(m.as_of) for m in county.moments)
            raise UsageError(f"the county is known as of {days}: leave as_of out, or give the county itself")
        return county
    if as_of is None:
        raise UsageError("no as-of date given: a day (YYYY-MM-DD) for which the county is to be known")
    return KnownCounty(county, point_in_time.as_moments(as_of))
