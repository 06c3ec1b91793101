"""Rows behind a household that rules look through: members, support, assets, risk events, past states.

Every relation is cut by what was known, then all tests of a rule set are counted in one pass a relation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from riskmodel import asof
from riskmodel.asof import Moment
from riskmodel.county.county import County
from riskmodel.rules.expression import RowTest
from riskmodel.rules.meaning import Scope, boolean
from riskmodel.rules.vocabulary import vocabulary

KEY = ("household_id", "as_of")
When = tuple[Moment, ...]


def _members(county: County, when: When) -> ir.Table:
    return asof.members(county, when)


def _support(county: County, when: When) -> ir.Table:
    t = asof.known(county, "support", when)
    t = t.filter(t.date <= t.as_of)
    return t.mutate(ended=(t.end_date <= t.as_of).fill_null(False))


def _assets(county: County, when: When) -> ir.Table:
    t = asof.known(county, "assets", when)
    return t.filter(asof.valid(t))


def _events(county: County, when: When) -> ir.Table:
    t = asof.known(county, "risk_events", when)
    return t.filter(t.date <= t.as_of)


def _states(county: County, when: When) -> ir.Table:
    t = asof.known(county, "households", when)
    return t.filter(asof.valid(t))


_SOURCES: dict[str, Callable[[County, When], ir.Table]] = {
    "members": _members,
    "support": _support,
    "assets": _assets,
    "events": _events,
    "states": _states,
}


def scope(t: ir.Table, relation: str, values: Mapping[str, Any]) -> Scope:
    """Return what a row test can see: the row's fields and the plain parameters.

    Parameters
    ----------
    t : ibis.Table
        Rows of the relation, with ``as_of``.
    relation : str
    values : mapping
        Parameter values.

    Returns
    -------
    Scope
    """
    fields = {f: t[f] for f in vocabulary().relations[relation].fields}

    def months_ago(months: int) -> ir.Value:
        return (t.as_of - ibis.interval(months=months)).cast("date")

    return Scope({**values, **fields}, months_ago=months_ago)


def columns(tests: Iterable[RowTest]) -> dict[RowTest, str]:
    """Name each distinct row test's columns (``rows_0``, ``rows_1``, …), in a fixed order."""
    ordered = sorted(set(tests), key=lambda r: (r.relation, r.test))
    return {test: f"rows_{i}" for i, test in enumerate(ordered)}


def attach(
    t: ir.Table, county: County, when: When, named: Mapping[RowTest, str], values: Mapping[str, Any]
) -> ir.Table:
    """Add to each household how many of its rows pass each test, and for how many the answer is null.

    Parameters
    ----------
    t : ibis.Table
        One row per ``household_id, as_of``.
    county : County
    when : tuple of Moment
    named : mapping
        From `columns`.
    values : mapping
        Parameter values.

    Returns
    -------
    ibis.Table
        ``t`` with ``<name>`` (count), ``<name>_unclear`` (count), ``<name>_date`` (latest date of a row
        that passes, if the relation has dates). Counts are 0 without rows and null if the table is absent.
    """
    relations = sorted({test.relation for test in named})
    joined, columns, zero = t, list(t.columns), []
    for relation in relations:
        own = {test: name for test, name in named.items() if test.relation == relation}
        counted = _counted(_SOURCES[relation](county, when), relation, own, values)
        columns += [c for c in counted.columns if c not in KEY]
        if county.has(vocabulary().relations[relation].table):
            zero += [c for n in own.values() for c in (n, f"{n}_unclear")]
        # One chain of joins and one projection at its end: ibis plans each further layer anew.
        joined = joined.left_join(counted, list(KEY), rname="{name}_" + relation)
    picked = joined.select(*columns) if relations else joined
    return picked.mutate(**{c: picked[c].fill_null(0) for c in zero})


def _counted(
    rows: ir.Table, relation: str, own: Mapping[RowTest, str], values: Mapping[str, Any]
) -> ir.Table:
    dated = "date" in vocabulary().relations[relation].fields
    seen = scope(rows, relation, values)
    sums: dict[str, ir.Value] = {}
    for test, name in own.items():
        passes = boolean(test.node, seen) & rows.as_of.notnull()  # a constant test becomes a column
        sums[name] = passes.fill_null(False).cast("int64").sum()
        sums[f"{name}_unclear"] = passes.isnull().cast("int64").sum()
        if dated:
            sums[f"{name}_date"] = rows.date.max(where=passes.fill_null(False))
    return rows.group_by(KEY).agg(**sums)
