"""Rows behind a household that rules look through: members, support, assets, risk events, past states.

Every relation is cut by what was known, then all tests of a rule set are counted in one pass a relation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import ibis
import ibis.expr.types as ir

from riskmodel.data import County
from riskmodel.households import Moment, point_in_time
from riskmodel.rules.backends import row_scope
from riskmodel.rules.declaration import vocabulary
from riskmodel.rules.expression import RowTest, Scope, evaluate_condition

KEY = ("household_id", "as_of")
When = tuple[Moment, ...]


class Figures(NamedTuple):
    """The figures of one relation's row tests: ``household_id, as_of`` and a column for each."""

    table: ir.Table
    columns: Mapping[RowTest, str]


def _members(county: County, when: When) -> ir.Table:
    return point_in_time.members(county, when)


def _support(county: County, when: When) -> ir.Table:
    t = point_in_time.known(county, "support", when)
    t = t.filter(t.date <= t.as_of)
    return t.mutate(ended=(t.end_date <= t.as_of).fill_null(False))


def _assets(county: County, when: When) -> ir.Table:
    t = point_in_time.known(county, "assets", when)
    return t.filter(point_in_time.valid(t))


def _events(county: County, when: When) -> ir.Table:
    t = point_in_time.known(county, "risk_events", when)
    return t.filter(t.date <= t.as_of)


def _states(county: County, when: When) -> ir.Table:
    t = point_in_time.known(county, "households", when)
    return t.filter(point_in_time.valid(t))


_SOURCES: dict[str, Callable[[County, When], ir.Table]] = {
    "members": _members,
    "support": _support,
    "assets": _assets,
    "events": _events,
    "states": _states,
}


def scope(t: ir.Table, relation: str, values: Mapping[str, Any] | None = None) -> Scope:
    """Return what a row test can see: the row's fields and, where not written out, plain parameters.

    Parameters
    ----------
    t : ibis.Table
        Rows of the relation, with ``as_of``.
    relation : str
    values : mapping, optional
        Parameter values.

    Returns
    -------
    Scope
    """
    fields = {f: t[f] for f in vocabulary().relations[relation].fields}
    return row_scope({**(values or {}), **fields}, t.as_of)


def count(county: County, when: When, tests: Iterable[RowTest]) -> dict[str, Figures]:
    """Return every row test's figure, each relation in one pass.

    Parameters
    ----------
    county : County
    when : tuple of Moment
    tests : iterable of RowTest
        Parameters written out.

    Returns
    -------
    dict
        By relation.
    """
    out = {}
    asked = sorted(set(tests))
    for relation in dict.fromkeys(test.relation for test in asked):
        own = [test for test in asked if test.relation == relation]
        named = {test: f"{relation}_{i}" for i, test in enumerate(own)}
        out[relation] = Figures(_figures(_SOURCES[relation](county, when), named), named)
    return out


@contextmanager
def kept(county: County, figures: Mapping[str, Figures]) -> Iterator[dict[str, Figures]]:
    """Hold the figures in the county's database while several rule sets read them.

    Parameters
    ----------
    county : County
    figures : mapping
        From `count`.

    Yields
    ------
    dict
        The same figures, computed; they are dropped at the end.
    """
    out, held = dict(figures), []
    try:
        for relation, (table, columns) in figures.items():
            if county.has(vocabulary().relations[relation].table):  # else there is nothing to compute
                held.append(ibis.util.gen_name("rows"))
                out[relation] = Figures(county.con.create_table(held[-1], table, temp=True), columns)
        yield out
    finally:
        for name in held:
            county.con.drop_table(name, force=True)


def attach(
    t: ir.Table, county: County, figures: Mapping[str, Figures], tests: Iterable[RowTest]
) -> tuple[ir.Table, dict[RowTest, str]]:
    """Add the figures that a rule set asks for to each household.

    Parameters
    ----------
    t : ibis.Table
        One row per ``household_id, as_of``.
    county : County
    figures : mapping
        From `count`.
    tests : iterable of RowTest
        Parameters written out.

    Returns
    -------
    tuple
        ``t`` with one column per test, and the tests' columns. Counts are 0 without rows and null if the
        table is absent; a latest date is null in both cases.
    """
    asked = sorted(set(tests))
    joined, columns, zero = t, list(t.columns), []
    for relation in dict.fromkeys(test.relation for test in asked):
        table, named = figures[relation]
        own = {test: named[test] for test in asked if test.relation == relation}
        columns += own.values()
        if county.has(vocabulary().relations[relation].table):
            zero += [name for test, name in own.items() if test.how != "latest"]
        # One chain of joins and one projection at its end: ibis plans each further layer anew.
        part = table.select(*KEY, *own.values())
        joined = joined.left_join(part, list(KEY), rname="{name}_" + relation)
    picked = joined.select(*columns) if asked else joined
    out = picked.mutate(**{c: picked[c].fill_null(0) for c in zero})
    return out, {test: figures[test.relation].columns[test] for test in asked}


def _figures(rows: ir.Table, named: Mapping[RowTest, str]) -> ir.Table:
    sums: dict[str, ir.Value] = {}
    for test, name in named.items():
        passes = evaluate_condition(test.test, scope(rows, test.relation))
        passes = passes & rows.as_of.notnull()  # never a constant
        if test.how == "latest":
            sums[name] = rows.date.max(where=passes.fill_null(False))
        else:
            counts = passes.isnull() if test.how == "unclear" else passes.fill_null(False)
            sums[name] = counts.cast("int64").sum()
    return rows.group_by(KEY).agg(**sums)
