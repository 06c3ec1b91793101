"""Rows behind a household that rules look through: members, support, assets, risk events, past states.

Every relation is cut by what was known, then all tests of a rule set are counted in one pass a relation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import ibis
import ibis.expr.types as ir

from riskmodel.data import County, Shape, store_query
from riskmodel.households import KnownCounty, Moments, known_members, known_rows, moment_table, valid_on
from riskmodel.rules.backends import row_scope
from riskmodel.rules.declaration import vocabulary
from riskmodel.rules.expression import RowTest, Scope, evaluate_condition

KEY = ("household_id", "as_of")
Source = County | Shape


def _members(county: Source, when: Moments) -> ir.Table:
    return known_members(county, when)


def _support(county: Source, when: Moments) -> ir.Table:
    t = known_rows(county, "support", when)
    t = t.filter(t.date <= t.as_of)
    return t.mutate(ended=(t.end_date <= t.as_of).fill_null(False))


def _assets(county: Source, when: Moments) -> ir.Table:
    t = known_rows(county, "assets", when)
    return t.filter(valid_on(t))


def _events(county: Source, when: Moments) -> ir.Table:
    t = known_rows(county, "risk_events", when)
    return t.filter(t.date <= t.as_of)


def _states(county: Source, when: Moments) -> ir.Table:
    t = known_rows(county, "households", when)
    return t.filter(valid_on(t))


_SOURCES: dict[str, Callable[[Source, Moments], ir.Table]] = {
    "members": _members,
    "support": _support,
    "assets": _assets,
    "events": _events,
    "states": _states,
}


def row_test_scope(t: ir.Table, relation: str, values: Mapping[str, Any] | None = None) -> Scope:
    """Return what a row test can see: the row's fields and, where not written out, plain parameters."""
    fields = {f: t[f] for f in vocabulary().relations[relation].fields}
    return row_scope({**(values or {}), **fields}, t.as_of)


def figure_column(test: RowTest) -> str:
    """Return the column that holds a row test's figure: the same whatever else is asked for beside it."""
    return f"{test.relation}_{sha256(f'{test.how} {test.test}'.encode()).hexdigest()[:12]}"


def count_rows(county: Source, relation: str, tests: Sequence[RowTest], when: Moments) -> ir.Table:
    """Return the figures of one relation's row tests, in one pass."""
    rows = _SOURCES[relation](county, when)
    sums: dict[str, ir.Value] = {}
    for test in tests:
        passes = evaluate_condition(test.test, row_test_scope(rows, test.relation))
        passes = passes & rows.as_of.notnull()  # never a constant
        if test.how == "latest":
            sums[figure_column(test)] = rows.date.max(where=passes.fill_null(False))
        else:
            counts = passes.isnull() if test.how == "unclear" else passes.fill_null(False)
            sums[figure_column(test)] = counts.cast("int64").sum()
    return rows.group_by(KEY).agg(**sums)


def _counted(county: Shape, relation: str, tests: tuple[RowTest, ...], clock: ir.Table) -> ir.Table:
    return count_rows(county, relation, tests, clock)


@contextmanager
def stored_figures(known: KnownCounty, tests: Iterable[RowTest]) -> Iterator[dict[str, ir.Table]]:
    """Hold the figures of row tests in the county's database while rule sets read them."""
    out: dict[str, ir.Table] = {}
    distinct = sorted(set(tests))
    try:
        for relation in dict.fromkeys(test.relation for test in distinct):
            if known.county.has(vocabulary().relations[relation].table):
                own = tuple(test for test in distinct if test.relation == relation)
                clock = moment_table(known.moments)
                out[relation] = store_query(known.county, _counted, relation, own, clock=clock)
        yield out
    finally:
        for table in out.values():
            known.county.con.drop_table(table.op().name, force=True)


def attach_figures(
    t: ir.Table, county: Source, figures: Mapping[str, ir.Table], tests: Iterable[RowTest]
) -> ir.Table:
    """Add the figures that a rule set asks for to each household."""
    distinct = sorted(set(tests))
    joined, columns, zero = t, list(t.columns), []
    absent: dict[str, ir.Value] = {}
    for relation in dict.fromkeys(test.relation for test in distinct):
        own = {figure_column(test): test for test in distinct if test.relation == relation}
        if not county.has(vocabulary().relations[relation].table):
            absent |= {c: ibis.null("date" if x.how == "latest" else "int64") for c, x in own.items()}
            continue
        columns += own
        zero += [name for name, test in own.items() if test.how != "latest"]
        # One chain of joins and one projection at its end: ibis plans each further layer anew.
        part = figures[relation].select(*KEY, *own)
        joined = joined.left_join(part, list(KEY), rname="{name}_" + relation)
    out = joined.select(*columns) if distinct else joined
    return out.mutate(**{c: out[c].fill_null(0) for c in zero}, **absent)
