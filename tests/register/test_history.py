"""What each register row does, and which cannot be; who is present on a day, and who came and went."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.data import from_frames
from riskmodel.households import known_county
from riskmodel.register.history import (
    causes_at,
    find_contradictions,
    presence_from_rows,
    read_presence,
    state_at,
    to_day,
    trace_states,
)

REGISTER_COLUMNS = ["household_id", "date", "known_on", "event", "category", "causes"]


def rows(*events: tuple, home: str = "h") -> pd.DataFrame:
    """Build a household's rows from (day of January 2021, event[, category[, causes]])."""
    full = [
        (home, dt.date(2021, 1, e[0]), dt.date(2021, 1, e[0]), e[1], *(*e[2:], None, None)[:2])
        for e in events
    ]
    return trace_states(pd.DataFrame(full, columns=REGISTER_COLUMNS))


def findings(*events: tuple) -> list[str]:
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
    assert findings(*events) == expected


def test_a_finding_names_household_and_both_dates():
    result = find_contradictions(rows((3, "identified", "marginal"), (9, "identified", "marginal"))).iloc[0]
    assert (result.household_id, result.date, result.earlier_date) == (
        "h",
        pd.Timestamp("2021-01-09"),
        pd.Timestamp("2021-01-03"),
    )
    assert (result.event, result.earlier_event) == ("identified", "identified")


def test_of_rows_of_one_day_the_later_recorded_holds_then_the_contracts_order():
    # Entered and eliminated the same day: without another hint the life cycle's order is taken.
    same = rows((1, "eliminated"), (1, "identified"))
    assert same["event"].tolist() == ["identified", "eliminated"]
    later = pd.DataFrame(
        [
            ("h", "2021-01-01", "2021-01-02", "identified", None, None),
            ("h", "2021-01-01", "2021-01-01", "eliminated", None, None),
        ],
        columns=REGISTER_COLUMNS,
    )
    assert trace_states(later)["event"].tolist() == ["eliminated", "identified"]


def test_a_household_stands_in_the_category_it_entered_with():
    result = rows(
        (1, "identified", "脱贫不稳定户"), (2, "eliminated"), (3, "rolled_back", "marginal"), (4, "removed")
    )
    # An elimination that writes none keeps the household's; a return can write another.
    assert result["category"].tolist() == ["unstable_lifted", "unstable_lifted", "marginal", "marginal"]
    assert result["category_before"].tolist() == ["unknown", "unstable_lifted", "unstable_lifted", "marginal"]


def test_a_leaving_row_that_writes_another_category_moves_nobody_and_is_a_finding():
    result = rows((1, "identified", "marginal"), (2, "eliminated", "突发严重困难户"))
    assert result["category"].tolist() == ["marginal", "marginal"]
    assert find_contradictions(result)["finding"].tolist() == ["category_differs"]


def test_a_category_written_late_is_taken_for_the_rows_before_and_none_at_all_is_unknown():
    assert rows((1, "identified"), (2, "eliminated", "marginal"))["category"].tolist() == ["marginal"] * 2
    nameless = rows((1, "identified"), (2, "eliminated"))
    assert nameless["category"].tolist() == ["unknown"] * 2
    assert find_contradictions(nameless)["finding"].tolist() == ["category_unknown"]


def test_a_type_that_nobody_declared_stays_as_written():
    assert rows((1, "identified", "重点户"))["category"].tolist() == ["重点户"]


def test_states_and_causes_are_those_of_the_latest_row_that_says_so():
    result = rows((1, "identified", "marginal", "illness;schooling"), (5, "eliminated"))
    assert state_at(result, dt.date(2021, 1, 4))["state"].tolist() == ["watched"]
    assert state_at(result, dt.date(2021, 1, 5))["state"].tolist() == ["eliminated"]
    assert state_at(result, dt.date(2020, 12, 31)).empty
    assert causes_at(result, dt.date(2021, 1, 9)).to_dict() == {"h": ["illness", "schooling"]}


DAY0 = dt.date(2021, 1, 1)
MEMBER_COLUMNS = ["household_id", "member_id", "valid_from", "valid_to", "change_reason", "known_on"]
end = st.one_of(st.none(), st.integers(0, 12))
stay = st.tuples(st.sampled_from("ab"), st.sampled_from("123"), end, end)


def frame(rows: list[tuple]) -> pd.DataFrame:
    made = [
        (h, h + m, *(None if d is None else DAY0 + dt.timedelta(days=d) for d in (a, b)), None, DAY0)
        for h, m, a, b in rows
    ]
    return pd.DataFrame(made, columns=MEMBER_COLUMNS)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(stay, max_size=12))
def test_counts_and_changes_agree_with_looking_at_each_day(rows):
    # A member counts once on a day however many rows say so; empty spans (to before from) say nothing.
    people = presence_from_rows(frame(rows), frame([]))
    days = range(-2, 15)

    def looked(home: str, day: int) -> int:
        return len(
            {m for h, m, a, b in rows if h == home and (a is None or a <= day) and (b is None or day < b)}
        )

    for home in "ab":
        base = to_day(DAY0)
        asked = pd.Series([home] * len(days))
        result = people.count(asked, np.array([base + d for d in days]))
        assert result.tolist() == [looked(home, d) for d in days]
    moved = people.changes(DAY0 - dt.timedelta(days=2), DAY0 + dt.timedelta(days=14))
    net = moved["direction"].map({"increase": 1, "decrease": -1}).groupby(moved["household_id"]).sum()
    for home in "ab":
        assert net.get(home, 0) == looked(home, 14) - looked(home, -2)


def test_an_unknown_household_has_nobody():
    assert presence_from_rows(frame([]), frame([])).count(pd.Series(["x"]), np.array([0])).tolist() == [0]


def test_a_correction_keeps_the_reason_why_the_member_came():
    # The office overwrites the row when the member dies; that she married in stands in the replaced row.
    base = {"member_id": "m", "household_id": "h", "birth_month": "1990-01", "valid_from": "2021-01-05"}
    members = pd.DataFrame(
        [
            {**base, "valid_to": None, "change_reason": "婚入", "recorded_on": "2021-01-05"},
            {**base, "valid_to": "2021-02-01", "change_reason": "因病死亡", "recorded_on": "2021-02-01"},
        ]
    )
    county = from_frames({"members": members})
    result = read_presence(known_county(county, "2021-03-01")).changes(
        dt.date(2021, 1, 1), dt.date(2021, 3, 1)
    )
    assert result[["direction", "reason"]].to_numpy().tolist() == [
        ["increase", "married_in"],
        ["decrease", "died"],
    ]
    # As known on 1 February's eve she is still there.
    eve = known_county(county, "2021-01-31")
    early = read_presence(eve).changes(dt.date(2021, 1, 1), dt.date(2021, 3, 1))
    assert early["direction"].tolist() == ["increase"]


def test_words_of_the_other_direction_and_unknown_words_do_not_pass_for_a_reason():
    rows = pd.DataFrame(
        [
            ("h", "a", DAY0, None, "死亡", DAY0),
            ("h", "b", DAY0, None, "张三来了", DAY0),
            ("h", "c", DAY0, None, None, DAY0),
        ],
        columns=MEMBER_COLUMNS,
    )
    result = presence_from_rows(rows, rows[rows["change_reason"].notna()]).changes(
        DAY0 - dt.timedelta(days=1), DAY0
    )
    # Free text may hold a name: it is counted, never repeated.
    assert result["reason"].tolist() == ["unstated", "other", "unstated"]
