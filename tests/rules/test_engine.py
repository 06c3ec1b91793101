"""The engine against an independent, row-by-row reading of the rules on random counties, and the line."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskmodel import rules
from riskmodel.data import About, from_frames

from . import counties, reference

NUMBERS = (
    "persons", "net_income", "pcni", "previous_pcni", "income_drop", "rigid", "rigid_ratio", "line", "gap",
    "visit_every_days", "lag_months", "pcni_low", "pcni_high",
)  # fmt: skip
TEXTS = (
    "category", "tier", "conditions", "unknown", "focus", "outcome", "removed_by", "income_band",
    "registration", "income_basis", "period_from", "period_to", "flagged", "verdict_depends",
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
                about=counties.ABOUT,
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
    deviations = differences(tables, counties.AS_OF[1:4])
    assert not deviations, "\n".join(deviations[:20])


@pytest.mark.parametrize("absent", [{"spending"}, {"risk_events"}, {"monitoring", "support", "assets"}])
def test_engine_agrees_with_the_reference_where_tables_are_absent(absent: set[str]) -> None:
    tables = counties.county_rows(counties.seeded(11), households=60)
    others = {name: rows for name, rows in tables.items() if name not in absent}
    deviations = differences(others, counties.AS_OF[1:2], ["yingjiang-2022", "dali-2021"])
    assert not deviations, "\n".join(deviations[:20])


def test_engine_agrees_with_the_reference_where_tables_are_empty() -> None:
    # An absent table makes unknown, an empty one says that nothing happened.
    tables = counties.county_rows(counties.seeded(11), households=60)
    needed = ("households", "members", "income")
    empty = {name: rows if name in needed else [] for name, rows in tables.items()}
    deviations = differences(empty, counties.AS_OF[1:2], ["yingjiang-2022", "dali-2021"])
    assert not deviations, "\n".join(deviations[:20])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_engine_agrees_with_the_reference_on_thousands_of_households(seed: int) -> None:
    tables = counties.county_rows(counties.seeded(seed), households=300)
    deviations = differences(tables, counties.AS_OF)
    assert not deviations, "\n".join(deviations[:20])


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables=counties.draw_tables(households=2), name=st.sampled_from(SETS))
def test_engine_agrees_with_the_reference_on_small_counties(tables: reference.Tables, name: str) -> None:
    deviations = differences(tables, counties.AS_OF[1:3], [name], scores=False)
    assert not deviations, "\n".join(deviations)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    tables=counties.draw_tables(households=3), names=st.sets(st.sampled_from(SETS), min_size=2, max_size=3)
)
def test_engine_agrees_with_the_reference_on_many_small_counties(
    tables: reference.Tables, names: set[str]
) -> None:
    deviations = differences(tables, counties.AS_OF, sorted(names), scores=False)
    assert not deviations, "\n".join(deviations)


DAY = dt.date(2021, 6, 1)


def incomes(pairs: list[tuple[float | None, int]]):
    """Return a county with one household for each (income, persons)."""
    h = pd.DataFrame(
        {
            "household_id": [f"h{i}" for i in range(len(pairs))],
            "township": "t",
            "village": "v",
            "registration": "general",
            "valid_from": "2019-01-01",
        }
    )
    members = [
        {
            "member_id": f"{i}.{k}",
            "household_id": f"h{i}",
            "birth_month": "1980-01",
            "valid_from": "2019-01-01",
        }
        for i, (_, n) in enumerate(pairs)
        for k in range(n)
    ]
    paid = [
        {"household_id": f"h{i}", "month": "2021-05", "source": "wage", "amount": x}
        for i, (x, _) in enumerate(pairs)
        if x is not None
    ]
    spent = pd.DataFrame(columns=["household_id", "month", "category", "amount"], dtype=object)
    frames = {
        "households": h,
        "members": pd.DataFrame(members).assign(valid_from="2019-01-01"),
        "income": pd.DataFrame(paid),
        "spending": spent,
    }
    # All is on record, though there are rows of one month alone.
    return from_frames(frames, About(coverage="whole", records_from="2017-01", data_through="2022-12-31"))


# Incomes per head 100 (1 person), 200 (2 persons), 400 (1 person); one unknown, one without persons.
COUNTY = [(100.0, 1), (400.0, 2), (400.0, 1), (None, 5), (900.0, 0)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{relative: 0.6, of: median, weight: persons}", 0.6 * 200),  # 100 200 | 200 400
        ("{relative: 0.6, of: median, weight: households}", 0.6 * 200),  # 100 200 400
        ("{relative: 0.5, of: mean, weight: persons}", 0.5 * 900 / 4),
        ("{relative: 0.5, of: mean, weight: households}", 0.5 * 700 / 3),
        ("120.5", 120.5),
    ],
)
def test_relative_lines_of_a_county_counted_by_hand(line: str, expected: float) -> None:
    c = incomes(COUNTY)
    assert rules.poverty_lines(c, "county-2020", DAY, {"line": line})[DAY] == pytest.approx(expected)


def test_verdicts_use_the_relative_line() -> None:
    params = {"line": "{relative: 1.5, of: median, weight: persons}"}  # 1.5 x 200
    frame = rules.evaluate_rules(incomes(COUNTY), "county-2020", DAY, params=params)
    assert frame["line"].eq(300.0).all()
    below = frame["conditions"].str.split(";").map(lambda ids: "below_line" in ids)
    assert below.tolist() == [True, True, False, False, False]


def test_a_median_that_splits_evenly_is_the_middle_of_two() -> None:
    c = incomes([(100.0, 1), (300.0, 1)])
    params = {"line": "{relative: 1, of: median, weight: persons}"}
    assert rules.poverty_lines(c, "county-2020", DAY, params)[DAY] == pytest.approx(200.0)


def test_a_county_without_known_incomes_has_no_relative_line() -> None:
    c = incomes([(900.0, 0), (None, 1)])
    params = {"line": "{relative: 0.6}"}
    assert rules.poverty_lines(c, "county-2020", DAY, params)[DAY] is None
    assert rules.evaluate_rules(c, "county-2020", DAY, params=params)["line"].isna().all()


def test_the_accounting_period_is_a_parameter() -> None:
    c = incomes([(100.0, 1)])
    frame = rules.evaluate_rules(c, "county-2020", ["2021-05-31", "2021-06-30"], params={"period_months": 1})
    assert frame["period_from"].tolist() == frame["period_to"].tolist() == ["2021-05", "2021-06"]
    assert frame["pcni"].iloc[0] == 100.0
    assert pd.isna(frame["pcni"].iloc[1])
