"""Building the ledger of a period: balanced, or refused with where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import DateLike, point_in_time
from riskmodel.register import flows, makers, register
from riskmodel.register.office import Office
from riskmodel.register.persons import Presence, day_of, presence
from riskmodel.register.words import category_order

FINDING_COLUMNS = (
    "finding", "household_id", "township", "date", "event", "earlier_event", "earlier_date", "in_period",
)  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """The life-cycle ledger of a period, as known at its end.

    Parameters
    ----------
    office : Office
        Period, register rows and lines that everything else is made from.
    findings : DataFrame
        ``finding, household_id, township, date, event, earlier_event, earlier_date, in_period``.
    """

    office: Office
    findings: pd.DataFrame

    @property
    def first(self) -> dt.date:
        """The first day of the period; the opening is the end of the day before."""
        return self.office.first

    @property
    def last(self) -> dt.date:
        """The last day of the period, and the day up to which rows are known."""
        return self.office.last

    @property
    def lines(self) -> pd.DataFrame:
        """``stock, township, category, line, hh, p``, one row a line of every cell."""
        return self.office.lines

    @property
    def natural(self) -> pd.DataFrame:
        """``stock, township, category, direction, reason, p``."""
        return self.office.natural

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Office tables by id (``tables.yaml``), tidy and without totals; made when first asked for."""
        return makers.make(self.office)

    @cached_property
    def data_fingerprint(self) -> str:
        """The content hash of the rows known at the end."""
        return point_in_time.fingerprint(self.office.county, self.last)

    @property
    def categories(self) -> list[str]:
        """Categories in declared order."""
        return category_order(set(self.lines["category"]))

    def by(self, *keys: str) -> pd.DataFrame:
        """Return the lines summed to ``stock``, ``township`` or ``category``, in any combination.

        Examples
        --------
        >>> import riskmodel.register as ledger
        >>> from riskmodel.register.example import small_county
        >>> made = ledger.build(small_county(), "2021-01-01", "2021-03-31")
        >>> total = made.by("stock").set_index(["stock", "line"])["hh"]
        >>> int(total["open", "opening"]), int(total["open", "closing"])  # one was entered late
        (3, 2)
        """
        return flows.margin(self.lines, list(keys))


def build(county: County, from_: DateLike, to: DateLike) -> Ledger:
    """Build the ledger of a period; the office tables come with it when asked for.

    Everything is as known at ``to``. What the opening was thought to be on its own day stands in the line
    ``opening_then``, what was recorded or corrected since in ``restated``. Townships are those of ``to``.

    Parameters
    ----------
    county : County
    from_, to : date or ISO text
        First and last day, both included.

    Returns
    -------
    Ledger

    Raises
    ------
    UsageError
        If a date is none, or the period ends before it begins.
    InputRefused
        If the county has no register, or a cell does not balance; the message says which.

    References
    ----------
    Official rules, "Life cycle of a monitored household".
    """
    first, last = _period(from_, to)
    if not county.has("monitoring"):
        raise InputRefused("no table 'monitoring' (监测): a ledger is made of the register; add the table")
    rows = register.history(county, last, last)
    rows["township"] = flows.townships(county, rows["household_id"], last)
    people = presence(county, last, rows["household_id"])
    natural = flows.natural_change(rows, people, first, last)
    parts = [
        _as_then_known(county, rows, flows.day_before(first)),
        flows.stock(rows, people, flows.day_before(first), "opening"),
        flows.movements(rows, people, first, last),
        flows.stock(rows, people, last, "closing"),
    ]
    lines = flows.lines(parts, natural)
    _balanced(lines)
    made = Office(county, first, last, rows, people, lines, natural)
    return Ledger(made, _findings(rows, people, first, last))


def tables(county: County, from_: DateLike, to: DateLike) -> dict[str, pd.DataFrame]:
    """Return the office tables of a period, as `Ledger.tables` gives them.

    Parameters
    ----------
    county, from_, to
        As in `build`, which says what is raised.

    Returns
    -------
    dict
        Table id (see ``tables.yaml``) to a tidy frame without totals; tables whose data are absent are left
        out.
    """
    return dict(build(county, from_, to).tables)


def _period(from_: DateLike, to: DateLike) -> tuple[dt.date, dt.date]:
    first, last = point_in_time.to_date(from_), point_in_time.to_date(to)
    if last < first:
        raise UsageError(f"the period {first} to {last} ends before it begins; give the earlier day as from")
    return first, last


def _as_then_known(county: County, rows: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Return the opening as it was known on its own day."""
    then = register.history(county, day, day)
    place = rows.drop_duplicates("household_id").set_index("household_id")["township"]
    missing = ~then["household_id"].isin(place.index)
    then["township"] = then["household_id"].map(place)
    if missing.any():
        # A correction may have moved a household's only row beyond the period; it still had a place.
        then.loc[missing, "township"] = flows.townships(county, then.loc[missing, "household_id"], day)
    return flows.stock(then, presence(county, day, then["household_id"]), day, "opening_then")


def _balanced(lines: pd.DataFrame) -> None:
    wrong = flows.breaches(lines)
    if len(wrong):
        told = "; ".join(
            f"{r.stock}/{r.township}/{r.category}: {r.hh:+d} households, {r.p:+d} persons"
            for r in wrong.itertuples()
        )
        raise InputRefused(f"the ledger does not balance (closing less the lines before it): {told}")


def _findings(rows: pd.DataFrame, people: Presence, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Return impossible rows, and watched households in which nobody is left."""
    found = register.impossible(rows)
    at = rows.drop_duplicates("household_id", keep="last")
    at = at[at["state"] == register.WATCHED]
    empty = at[people.count(at["household_id"], np.full(len(at), day_of(last))) == 0]
    columns = ["household_id", "date", "event", "earlier_event", "earlier_date"]
    out = pd.concat([found, empty[columns].assign(finding="no_members")], ignore_index=True)
    place = rows.drop_duplicates("household_id").set_index("household_id")["township"]
    out["township"] = out["household_id"].map(place)
    out["in_period"] = register.within(out, first, last)
    out = out.sort_values(["household_id", "date", "finding"], kind="stable").reset_index(drop=True)
    return out[list(FINDING_COLUMNS)]
