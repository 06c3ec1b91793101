"""Conditions as declared under ``where``: column to a value, a list of values, or a range."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir


def holds(t: ir.Table, where: Mapping[str, Any]) -> ir.BooleanValue:
    """Return whether all conditions hold; an unknown value never counts as the one asked for.

    Parameters
    ----------
    t : ibis.Table
    where : mapping
        ``{column: value}``, ``{column: [values]}`` or ``{column: {min: a, max: b}}`` (both ends in).

    Returns
    -------
    boolean expression
        Never null; true where nothing is asked.
    """
    terms = [_one(t[column], wanted).fill_null(False) for column, wanted in where.items()]
    return reduce(lambda a, b: a & b, terms, ibis.literal(True))


def in_range(column: ir.Value, wanted: Mapping[str, Any]) -> ir.BooleanValue:
    """Return whether a value lies in ``{min: a, max: b}`` (both ends in, either may be left out)."""
    low, high = wanted.get("min"), wanted.get("max")
    above = column >= low if low is not None else column.notnull()
    return above & (column <= high) if high is not None else above


def _one(column: ir.Value, wanted: Any) -> ir.BooleanValue:
    if isinstance(wanted, dict):
        return in_range(column, wanted)
    if isinstance(wanted, list):
        return column.isin(wanted)
    return column == wanted
