"""Who is present on a day, and who came and went."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.data import from_frames
from riskmodel.register.history import presence_from_rows, read_presence, to_day

DAY0 = dt.date(2021, 1, 1)
COLUMNS = ["household_id", "member_id", "valid_from", "valid_to", "change_reason", "known_on"]
end = st.one_of(st.none(), st.integers(0, 12))
stay = st.tuples(st.sampled_from("ab"), st.sampled_from("123"), end, end)


def frame(rows: list[tuple]) -> pd.DataFrame:
    made = [
        (h, h + m, *(None if d is None else DAY0 + dt.timedelta(days=d) for d in (a, b)), None, DAY0)
        for h, m, a, b in rows
    ]
    return pd.DataFrame(made, columns=COLUMNS)


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
        got = people.count(asked, np.array([base + d for d in days]))
        assert got.tolist() == [looked(home, d) for d in days]
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
    got = read_presence(county, dt.date(2021, 3, 1)).changes(dt.date(2021, 1, 1), dt.date(2021, 3, 1))
    assert got[["direction", "reason"]].to_numpy().tolist() == [
        ["increase", "married_in"],
        ["decrease", "died"],
    ]
    # As known on 1 February's eve she is still there.
    early = read_presence(county, dt.date(2021, 1, 31)).changes(dt.date(2021, 1, 1), dt.date(2021, 3, 1))
    assert early["direction"].tolist() == ["increase"]


def test_words_of_the_other_direction_and_unknown_words_do_not_pass_for_a_reason():
    rows = pd.DataFrame(
        [
            ("h", "a", DAY0, None, "死亡", DAY0),
            ("h", "b", DAY0, None, "张三来了", DAY0),
            ("h", "c", DAY0, None, None, DAY0),
        ],
        columns=COLUMNS,
    )
    got = presence_from_rows(rows, rows[rows["change_reason"].notna()]).changes(
        DAY0 - dt.timedelta(days=1), DAY0
    )
    # Free text may hold a name: it is counted, never repeated.
    assert got["reason"].tolist() == ["unstated", "other", "unstated"]
