"""Who lives in a household, what support it has and what earlier visits found: rows beside its facts."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from riskmodel.data import Shape, fetch_frame
from riskmodel.households import PRESENT_MEMBERS, KnownCounty

KINDS = ("person", "support", "visit")
STATES = ("health", "work_capacity", "schooling")  # of a member, as far as they are on record


def card_rows(known: KnownCounty, ids: Any) -> list[pd.DataFrame]:
    """Return members present, support and visits of some households as known at a day, in the form of facts.

    A member's ``code`` is the relation, ``count`` the age in years, ``detail`` the codes of `STATES`, joined
    with ``;`` (empty where not on record); support has measure, day, yuan and ``until`` its end; a visit its
    finding, day and the causes found.
    """
    out = [_people(fetch_frame(known, _members, ids=ids))]
    if known.has("support"):
        out.append(fetch_frame(known, _support, ids=ids).drop_duplicates().assign(kind="support"))
    if known.has("visits"):
        out.append(fetch_frame(known, _visits, ids=ids).drop_duplicates().assign(kind="visit"))
    return [frame for frame in out if len(frame)]


def _members(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows(PRESENT_MEMBERS).semi_join(ids, "household_id")
    return t.select("household_id", "member_id", "relation", "age", *STATES)


def _people(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.drop_duplicates("member_id").sort_values("member_id")
    states = [rows[c].astype(object).where(rows[c].notna(), "") for c in STATES]
    detail = [";".join(own) for own in zip(*states, strict=True)]
    named = {"relation": "code", "age": "count"}
    return rows.rename(columns=named).assign(detail=detail, kind="person")[
        ["household_id", "kind", "code", "count", "detail"]
    ]


def _support(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("support").semi_join(ids, "household_id")
    t = t.filter(t.date <= t.as_of)
    known = t.date_known.fill_null(True) if "date_known" in t.columns else ibis.literal(True)
    return t.select("household_id", "date", "amount", code=t.measure, until=t.end_date, month_only=~known)


def _visits(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("visits").semi_join(ids, "household_id")
    return t.filter(t.date <= t.as_of).select("household_id", "date", code="outcome", detail="cause")
