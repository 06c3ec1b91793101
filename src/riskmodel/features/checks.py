"""Checks of declared features beyond their types: combinations, codes, references, roles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from riskmodel.data import canonical_schema, codes
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import AGGREGATES, EVENTS, MISSING, MONTHLY, OBSERVED, SOURCES

if TYPE_CHECKING:
    from riskmodel.features.declared import Feature

# ASCII and free of the signs that LightGBM refuses in a column name ([ ] { } : , ").
_ID = re.compile(r"[a-z][a-z0-9_]*")
_EXTRA_MEMBER_COLUMNS = ("age",)
_RANK = {"own": 0, "context": 0, "register": 1, "support": 1}


def causes() -> list[str]:
    """Return what a feature's ``cause`` may be: the official causes, ``income``, ``context``, ``none``."""
    return [*codes("risk_events", "cause"), "income", "context", "none"]


def check_feature(f: Feature, where: str) -> None:
    """Check one expanded feature.

    Raises
    ------
    SpecError
        Naming file, feature, key, value and what is allowed.
    """
    if not _ID.fullmatch(f.id):
        raise SpecError(
            f"{where}: id: {f.id!r} must be lower-case ASCII letters, digits and _, beginning with a letter"
        )
    _one_of(f.aggregate, [n for n, a in AGGREGATES.items() if f.source in a.sources], "aggregate", f, where)
    _one_of(f.missing, [n for n, sources in MISSING.items() if f.source in sources], "missing", f, where)
    _one_of(f.cause, causes(), "cause", f, where)
    for key in AGGREGATES[f.aggregate].needs:
        if not getattr(f, key):
            raise SpecError(f"{where}: {key}: {f.source}/{f.aggregate} needs it (feature {f.id})")
    inputs = AGGREGATES[f.aggregate].inputs
    if f.source in ("features", "neighbours") and inputs is not None and len(f.of) != inputs:
        raise SpecError(
            f"{where}: of: {f.aggregate} takes {inputs} feature(s), given {len(f.of)}: {', '.join(f.of)}"
        )
    if f.per == "income" and f.source not in ("accounting", *OBSERVED):
        able = ", ".join(("accounting", *OBSERVED))
        raise SpecError(f"{where}: per: only {able} can be taken per income (feature {f.id})")
    if f.known_on == "authorised_on" and f.source != "assets":
        raise SpecError(f"{where}: known_on: 'authorised_on' is a column of assets only; write recorded_on")
    _check_window(f, where)
    (_check_observed if f.source in OBSERVED else _check_columns)(f, where)


def _one_of(value: str, allowed: Sequence[str], key: str, f: Feature, where: str) -> None:
    if value not in allowed:
        raise SpecError(
            f"{where}: {key}: {value!r} is not allowed on {f.source}; allowed: {', '.join(allowed)}"
        )


def _check_window(f: Feature, where: str) -> None:
    if f.source in MONTHLY and not f.window:
        raise SpecError(f"{where}: window: a monthly source needs a window in months (feature {f.id})")
    if f.window and f.source not in (*MONTHLY, *EVENTS, *OBSERVED, "features"):
        raise SpecError(f"{where}: window: {f.source} has no window; leave it out (feature {f.id})")
    if f.lag and f.source not in (*MONTHLY, *OBSERVED):
        able = ", ".join((*MONTHLY, *OBSERVED))
        raise SpecError(f"{where}: lag: only {able} can lag (feature {f.id})")
    if f.aggregate in ("std", "cv", "slope") and (f.window or 0) < 3:
        raise SpecError(f"{where}: window: {f.aggregate} needs at least 3 months (feature {f.id})")


def _check_columns(f: Feature, where: str) -> None:
    if f.source == "accounting" or f.source not in SOURCES[1:-2]:
        return  # the accounting table is checked when it is built: its columns are its own
    allowed = [*canonical_schema(f.source), *(_EXTRA_MEMBER_COLUMNS if f.source == "members" else ())]
    for column in [*f.where, *([f.column] if f.column else [])]:
        if column not in allowed:
            raise SpecError(f"{where}: {column!r} is no column of {f.source}; columns: {', '.join(allowed)}")
    if f.where and f.source in (*MONTHLY, "assets"):
        raise SpecError(f"{where}: where: {f.source} takes its codes with over, not where (feature {f.id})")
    for column, wanted in f.where.items():
        known = codes(f.source, column) if column not in _EXTRA_MEMBER_COLUMNS else {}
        bad = [v for v in (wanted if isinstance(wanted, list) else [wanted]) if known and v not in known]
        if bad:
            raise SpecError(f"{where}: where.{column}: {bad[0]!r} is not one of {', '.join(known)}")
        if isinstance(wanted, dict) and (not wanted or set(wanted) - {"min", "max"}):
            raise SpecError(f"{where}: where.{column}: a range is {{min: …, max: …}}, given {wanted!r}")
    if f.aggregate in ("mean", "max", "min") and f.source == "members" and not f.column:
        raise SpecError(f"{where}: column: members/{f.aggregate} needs a column (feature {f.id})")
    if f.aggregate == "sum" and f.source in EVENTS and not f.column:
        raise SpecError(f"{where}: column: {f.source}/sum needs the amount's column (feature {f.id})")


def _check_observed(f: Feature, where: str) -> None:
    if not f.column:
        what = (
            "an item"
            if f.source == "indicators"
            else "a quantity of the accounting, line_ratio, line_share, line_log or below"
        )
        raise SpecError(f"{where}: column: {f.source} needs {what} (feature {f.id})")
    if f.lag and f.aggregate not in ("last", "change", "since"):
        raise SpecError(f"{where}: lag: only last, change and since count values back (feature {f.id})")
    wanted = f.where.get("value", {})
    is_range = isinstance(wanted, dict) and not set(wanted) - {"min", "max"}
    if set(f.where) - {"value"} or not is_range:
        raise SpecError(
            f"{where}: where: {f.source} takes only {{value: {{min: …, max: …}}}}, given {f.where!r}"
        )


def check_set(features: Sequence[Feature], where: str) -> None:
    """Check that ids are distinct and references lead somewhere, in no circle, and keep their role.

    Raises
    ------
    SpecError
    """
    by_id: dict[str, Feature] = {}
    for f in features:
        if f.id in by_id:
            raise SpecError(f"{where}: id {f.id!r} is declared twice")
        by_id[f.id] = f
    for f in features:
        for ref in f.of:
            if ref.startswith("accounting."):
                continue
            if ref not in by_id:
                raise SpecError(
                    f"{where}: {f.id}: of: {ref!r} is no feature of this set (or write accounting.COLUMN)"
                )
            inherited = by_id[ref].role
            if _RANK[inherited] and f.role != inherited:
                raise SpecError(
                    f"{where}: {f.id}: role: stands on {ref!r}, so it must be {inherited!r}, not {f.role!r}"
                )
    levels(features, where)


def levels(features: Sequence[Feature], where: str = "") -> list[list[Feature]]:
    """Return derived and neighbour features in waves of one source, each standing only on earlier ones.

    Raises
    ------
    SpecError
        If they stand on one another in a circle.
    """
    derived = [f for f in features if f.source in ("features", "neighbours")]
    waiting = {f.id for f in derived}
    out: list[list[Feature]] = []
    while waiting:
        ready = [f for f in derived if f.id in waiting and not waiting & set(f.of)]
        if not ready:
            raise SpecError(
                f"{where}: these features stand on one another in a circle: {', '.join(sorted(waiting))}"
            )
        # Neighbours wait until nothing else can be made, so that their joins are few.
        wave = [f for f in ready if f.source == "features"] or ready
        out.append(wave)
        waiting -= {f.id for f in wave}
    return out
