"""The day from which the office knew a row (contract, "Input")."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Protocol

import ibis
import ibis.expr.types as ir

from riskmodel.data.schema import SPAN_TABLES, contract

# A table without any date (villages' coordinates) speaks of what was always there.
ALWAYS = dt.date(1900, 1, 1)


class Lag(Protocol):
    """What `known_on` needs of ``about.yaml``."""

    @property
    def entry_lag_months(self) -> int:
        """Months from the end of a total to its entry."""

    @property
    def snapshot_on(self) -> dt.date | None:
        """The day of an overwritten snapshot."""


def known_on(table: str, values: Mapping[str, ir.Value], about: Lag) -> ir.DateValue:
    """Return ``recorded_on``, else the row's own date, else the day of the snapshot.

    Parameters
    ----------
    table : str
    values : mapping
        Columns of the table by name, ``recorded_on`` included; months are ordinals.
    about : About
        A total is known ``entry_lag_months`` after the end of its span (assumption of the contract).

    Returns
    -------
    date expression
        Null where nothing says when.
    """
    known = ibis.coalesce(values["recorded_on"], own_date(table, values, about.entry_lag_months))
    if about.snapshot_on:
        known = ibis.coalesce(known, ibis.date(about.snapshot_on))
    return known


def own_date(table: str, values: Mapping[str, ir.Value], entry_lag_months: int = 0) -> ir.DateValue:
    """Return the day that a row speaks of, from which it counts as known where nothing else is said.

    Parameters
    ----------
    table : str
    values : mapping
        Columns of the table by name; months are ordinals.
    entry_lag_months : int
        Added to the end of a total over several months.

    Returns
    -------
    date expression
    """
    spec = contract().tables[table]
    if table in SPAN_TABLES:
        lag = (values["month_to"] > values["month_from"]).cast("int32") * entry_lag_months
        return month_end(values["month_to"] + lag)
    if spec.event_date == "month":
        return month_end(values["month"])
    if spec.event_date or "valid_from" in spec.columns:
        return values[spec.event_date or "valid_from"]
    if "year" in spec.columns:
        return month_end(values["year"] * 12 + 11)
    return ibis.date(ALWAYS)


def month_end(ordinal: ir.Value) -> ir.DateValue:
    """Return the last day of a month ordinal."""
    following = (ordinal + 1).cast("int32")
    first = ibis.date((following // 12).cast("int32"), (following % 12 + 1).cast("int32"), ibis.literal(1))
    return (first - ibis.interval(days=1)).cast("date")
