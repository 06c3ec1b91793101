"""The engine against an independent, row-by-row reading of the rules, on random counties."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskmodel import rules

from . import counties, reference

NUMBERS = (
    "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio", "line", "gap",
    "visit_every_days",
)  # fmt: skip
TEXTS = (
    "category", "tier", "conditions", "unknown", "focus", "outcome", "removed_by", "income_band",
    "registration", "income_basis", "period_from", "period_to", "flagged",
)  # fmt: skip
NULLABLE = ("has_risk", "income_plan", "main_cause")
SETS = list(reference.SETS)


def same(column: str, got: object, wanted: object) -> bool:
    """Say whether two values agree; a missing one agrees with None only."""
    missing = got is None or got is pd.NA or (isinstance(got, float) and math.isnan(got))
    if missing or wanted is None:
        return missing and wanted is None
    if column in NUMBERS:
        return math.isclose(float(got), float(wanted), rel_tol=1e-9, abs_tol=1e-9)  # type: ignore[arg-type]
    return got == wanted


def differences(
    tables: reference.Tables, as_of: list, sets: list[str] = SETS, scores: bool = True
) -> list[str]:
    """Return every cell where engine and reference disagree."""
    county = counties.build(tables)
    ids = sorted({r["household_id"] for r in tables["households"]})
    # Probabilities on and around both card thresholds, some households without one.
    steps = [0.0, 0.0999, 0.1, 0.2999, 0.3, 0.9]
    given_scores = {h: steps[i % 7] for i, h in enumerate(ids) if i % 7 < 6}
    frame = pd.DataFrame(
        [{"household_id": h, "as_of": d, "probability": p} for d in as_of for h, p in given_scores.items()]
    )
    use = scores and len(frame) > 0
    facts: dict = {}
    out = []
    for name, got in rules.evaluate_rule_sets(county, sets, as_of, scores=frame if use else None):
        assert got["household_id"].is_monotonic_increasing or len(as_of) > 1
        by_key = {(r["as_of"].date(), r["household_id"]): r for r in got.to_dict("records")}
        for day in as_of:
            wanted = reference.verdicts(
                tables,
                name,
                day,
                snapshot_on=counties.SNAPSHOT,
                scores=given_scores if use else None,
                facts=facts,
            )
            here = {h for d, h in by_key if d == day}
            if here != set(wanted):
                out.append(f"{name} {day}: households differ: {sorted(here ^ set(wanted))[:5]}")
            for h in here & set(wanted):
                row, ref = by_key[day, h], wanted[h]
                out += [
                    f"{name} {day} {h} {c}: engine {row[c]!r}, reference {ref[c]!r}"
                    for c in (*NUMBERS, *TEXTS, *NULLABLE)
                    if not same(c, row[c], ref[c])
                ]
    return out


def test_engine_agrees_with_the_reference_on_many_households() -> None:
    # All twelve sets on the same county; the slow run below asks many more.
    tables = counties.county_rows(counties.seeded(1), households=150)
    found = differences(tables, counties.AS_OF[1:4])
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize("absent", [{"spending"}, {"risk_events"}, {"monitoring", "support", "assets"}])
def test_engine_agrees_with_the_reference_where_tables_are_absent(absent: set[str]) -> None:
    tables = counties.county_rows(counties.seeded(11), households=60)
    others = {name: rows for name, rows in tables.items() if name not in absent}
    found = differences(others, counties.AS_OF[1:2], ["yingjiang-2022", "dali-2021"])
    assert not found, "\n".join(found[:20])


def test_engine_agrees_with_the_reference_where_tables_are_empty() -> None:
    # An absent table makes unknown, an empty one says that nothing happened.
    tables = counties.county_rows(counties.seeded(11), households=60)
    needed = ("households", "members", "income")
    empty = {name: rows if name in needed else [] for name, rows in tables.items()}
    found = differences(empty, counties.AS_OF[1:2], ["yingjiang-2022", "dali-2021"])
    assert not found, "\n".join(found[:20])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_engine_agrees_with_the_reference_on_thousands_of_households(seed: int) -> None:
    tables = counties.county_rows(counties.seeded(seed), households=300)
    found = differences(tables, counties.AS_OF)
    assert not found, "\n".join(found[:20])


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=counties.drawn(households=2), name=st.sampled_from(SETS))
def test_engine_agrees_with_the_reference_on_small_counties(tables: reference.Tables, name: str) -> None:
    found = differences(tables, counties.AS_OF[1:3], [name], scores=False)
    assert not found, "\n".join(found)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=counties.drawn(households=3), names=st.sets(st.sampled_from(SETS), min_size=2, max_size=3))
def test_engine_agrees_with_the_reference_on_many_small_counties(
    tables: reference.Tables, names: set[str]
) -> None:
    found = differences(tables, counties.AS_OF, sorted(names), scores=False)
    assert not found, "\n".join(found)
