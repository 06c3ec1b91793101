"""Features of the members present: how many are so, shares, ages."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from riskmodel.data import Shape
from riskmodel.features.aggregates import AGGREGATES, Members
from riskmodel.features.conditions import holds
from riskmodel.features.declaration import Feature
from riskmodel.households import point_in_time

KEY = ["household_id", "as_of"]


def block(county: Shape, features: Sequence[Feature], clock: ir.Table) -> ir.Table:
    """Return the features of members, missing values decided.

    A count is null, not 0, where a column it asks about is known for no member of the household: an
    office that never recorded health has not thereby a healthy county.

    Parameters
    ----------
    county : Shape
    features : sequence of Feature
    clock : ibis.Table

    Returns
    -------
    ibis.Table
        One row per ``household_id, as_of`` with members; one float column per feature.
    """
    t = point_in_time.members(county, clock)
    asked = sorted({c for f in features for c in _columns(f)})
    known = {f"known_{c}": t[c].count() for c in asked}
    g = t.group_by(KEY).agg(**{f.id: _aggregate(f, t).cast("float64") for f in features}, **known)
    return g.select(*KEY, **{f.id: _known_or_null(f, g) for f in features})


def _columns(f: Feature) -> list[str]:
    return [*f.where, *([f.column] if f.column else [])]


def _aggregate(f: Feature, t: ir.Table) -> ir.Value:
    inside = t.member_id.notnull() & holds(t, f.where)
    value = ibis.ifelse(inside, t[f.column].cast("int32"), None) if f.column else None
    return AGGREGATES[f.aggregate].members(Members(inside, value))  # type: ignore[misc]  # declarations are checked


def _known_or_null(f: Feature, g: ir.Table) -> ir.Value:
    value = g[f.id]
    for column in _columns(f):
        value = ibis.ifelse(g[f"known_{column}"] > 0, value, ibis.null("float64"))
    return value
