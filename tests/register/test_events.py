"""What each register row does, and which cannot be."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.register.history import causes_at, find_contradictions, state_at, trace_states

COLUMNS = ["household_id", "date", "known_on", "event", "category", "causes"]


def rows(*events: tuple, home: str = "h") -> pd.DataFrame:
    """Build a household's rows from (day of January 2021, event[, category[, causes]])."""
    full = [
        (home, dt.date(2021, 1, e[0]), dt.date(2021, 1, e[0]), e[1], *(*e[2:], None, None)[:2])
        for e in events
    ]
    return trace_states(pd.DataFrame(full, columns=COLUMNS))


def found(*events: tuple) -> list[str]:
    named = [(*e[:2], *(e[2:] or ("marginal",))) for e in events]
    return find_contradictions(rows(*named))["finding"].tolist()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        # Official rules, "Life cycle": identified → eliminated → rolled back or re-marked; removed from any.
        ([(1, "identified"), (2, "eliminated"), (3, "rolled_back"), (4, "eliminated"), (5, "re_marked")], []),
        ([(1, "identified"), (2, "removed")], []),
        ([(1, "identified"), (2, "eliminated"), (3, "label_withdrawn")], []),
        (
            [(1, "eliminated"), (2, "identified")],
            ["eliminated_before_identified", "identified_after_elimination"],
        ),
        ([(1, "identified"), (2, "identified")], ["identified_twice"]),
        ([(1, "identified"), (2, "rolled_back")], ["rolled_back_without_elimination"]),
        ([(1, "identified"), (2, "re_marked")], ["re_marked_without_elimination"]),
        ([(1, "identified"), (2, "eliminated"), (3, "eliminated")], ["eliminated_twice"]),
        ([(1, "identified"), (2, "removed"), (3, "eliminated")], ["acting_after_removal"]),
        ([(1, "identified"), (2, "removed"), (3, "identified")], ["identified_after_removal"]),
        ([(1, "rolled_back")], ["rolled_back_before_identified"]),
        ([(1, "removed")], ["removed_before_identified"]),
    ],
)
def test_every_order_that_the_life_cycle_excludes_is_a_finding(events, expected):
    assert found(*events) == expected


def test_a_finding_names_household_and_both_dates():
    got = find_contradictions(rows((3, "identified", "marginal"), (9, "identified", "marginal"))).iloc[0]
    assert (got.household_id, got.date, got.earlier_date) == (
        "h",
        pd.Timestamp("2021-01-09"),
        pd.Timestamp("2021-01-03"),
    )
    assert (got.event, got.earlier_event) == ("identified", "identified")


def test_of_rows_of_one_day_the_later_recorded_holds_then_the_contracts_order():
    # Entered and eliminated the same day: without another hint the life cycle's order is taken.
    same = rows((1, "eliminated"), (1, "identified"))
    assert same["event"].tolist() == ["identified", "eliminated"]
    later = pd.DataFrame(
        [
            ("h", "2021-01-01", "2021-01-02", "identified", None, None),
            ("h", "2021-01-01", "2021-01-01", "eliminated", None, None),
        ],
        columns=COLUMNS,
    )
    assert trace_states(later)["event"].tolist() == ["eliminated", "identified"]


def test_a_household_stands_in_the_category_it_entered_with():
    got = rows(
        (1, "identified", "脱贫不稳定户"), (2, "eliminated"), (3, "rolled_back", "marginal"), (4, "removed")
    )
    # An elimination that writes none keeps the household's; a return can write another.
    assert got["category"].tolist() == ["unstable_lifted", "unstable_lifted", "marginal", "marginal"]
    assert got["category_before"].tolist() == ["unknown", "unstable_lifted", "unstable_lifted", "marginal"]


def test_a_leaving_row_that_writes_another_category_moves_nobody_and_is_a_finding():
    got = rows((1, "identified", "marginal"), (2, "eliminated", "突发严重困难户"))
    assert got["category"].tolist() == ["marginal", "marginal"]
    assert find_contradictions(got)["finding"].tolist() == ["category_differs"]


def test_a_category_written_late_is_taken_for_the_rows_before_and_none_at_all_is_unknown():
    assert rows((1, "identified"), (2, "eliminated", "marginal"))["category"].tolist() == ["marginal"] * 2
    nameless = rows((1, "identified"), (2, "eliminated"))
    assert nameless["category"].tolist() == ["unknown"] * 2
    assert find_contradictions(nameless)["finding"].tolist() == ["category_unknown"]


def test_a_type_that_nobody_declared_stays_as_written():
    assert rows((1, "identified", "重点户"))["category"].tolist() == ["重点户"]


def test_states_and_causes_are_those_of_the_latest_row_that_says_so():
    got = rows((1, "identified", "marginal", "illness;schooling"), (5, "eliminated"))
    assert state_at(got, dt.date(2021, 1, 4))["state"].tolist() == ["watched"]
    assert state_at(got, dt.date(2021, 1, 5))["state"].tolist() == ["eliminated"]
    assert state_at(got, dt.date(2020, 12, 31)).empty
    assert causes_at(got, dt.date(2021, 1, 9)).to_dict() == {"h": ["illness", "schooling"]}
