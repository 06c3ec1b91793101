"""Stocks and flows balance for any register, and agree with a day-by-day reckoning."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.register import accounts
from riskmodel.register.history import CONTRADICTIONS, STATE_AFTER, presence_from_rows, trace_states
from riskmodel.register.vocabulary import register_vocabulary

from .conftest import START, random_register, reckon


def lines_of(register: pd.DataFrame, members: pd.DataFrame, first: dt.date, last: dt.date):
    """Return the lines from rows as known at ``last`` (the point-in-time cut, done here by hand)."""
    known = register[register["recorded_on"] <= last].rename(columns={"recorded_on": "known_on"})
    rows = trace_states(known[known["date"] <= last])
    rows["township"] = rows["household_id"].str[-1]
    there = members[members["recorded_on"] <= last].rename(columns={"recorded_on": "known_on"})
    people = presence_from_rows(there, there[there["change_reason"].notna()])
    natural = accounts.count_natural_change(rows, people, first, last)
    parts = [
        accounts.count_stocks(rows, people, accounts.day_before(first), "opening"),
        accounts.count_flows(rows, people, first, last),
        accounts.count_stocks(rows, people, last, "closing"),
    ]
    return accounts.assemble_lines(parts, natural), natural, rows


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(0, 50), st.integers(0, 30))
def test_any_register_balances_and_every_row_moves_something_or_cannot_be(seed, begin, length):
    register, members = random_register(seed, households=40)
    if register.empty or members.empty:
        return
    first = START + dt.timedelta(days=begin)
    last = first + dt.timedelta(days=length)
    lines, natural, rows = lines_of(register, members, first, last)
    assert accounts.find_imbalances(lines).empty
    summed = lines[lines["line"].str.startswith("natural")].groupby("stock")["p"].sum()
    assert (
        summed.to_dict() == natural.groupby("stock")["p"].sum().reindex(summed.index, fill_value=0).to_dict()
    )
    # A row that moves no household into or out of any stock is an impossible one: nothing is silent.
    inside = {"none": 0, "struck_off": 0, "eliminated": 1, "watched": 2}
    still = rows[rows["state_before"].map(inside) == rows["state"].map(inside)]
    assert all((a, e) in CONTRADICTIONS for a, e in zip(still["state_before"], still["event"], strict=True))


@pytest.mark.parametrize(("seed", "begin", "last"), [(1, 10, 40), (2, 0, 59), (3, 30, 30)])
def test_flows_agree_with_a_reckoning_by_hand(seed, begin, last):
    # Another implementation: one household after another, one day after another, sharing no code.
    register, members = random_register(seed, households=150)
    first, end = START + dt.timedelta(days=begin), START + dt.timedelta(days=last)
    lines, _, _ = lines_of(register, members, first, end)
    expected = reckon(register, members, first, end)
    total = lines.groupby(["stock", "line"])[["hh", "p"]].sum()
    skipped = ("natural_increase", "natural_decrease", "opening_then", "restated")
    for stock in ("open", "ever"):
        for line in register_vocabulary().lines:
            if line in skipped or line.startswith("reclassified"):
                continue
            for unit in ("hh", "p"):
                assert total.loc[(stock, line), unit] == expected[stock, line, unit], (stock, line, unit)
        up, down = (total.loc[(stock, f"natural_{d}"), "p"] for d in ("increase", "decrease"))
        assert up - down == expected[stock, "natural", "p"]
        # What moves between categories leaves the whole as it is.
        assert (total.loc[(stock, "reclassified_in")] == total.loc[(stock, "reclassified_out")]).all()
    assert sum(expected.values()) > 100  # the register was not empty


def test_a_breach_is_found_in_its_cell():
    register, members = random_register(5, households=40)
    lines, _, _ = lines_of(register, members, START, START + dt.timedelta(days=30))
    at = lines.index[(lines["line"] == "closing") & (lines["hh"] > 0)][0]
    lines.loc[at, "p"] += 3
    wrong = accounts.find_imbalances(lines)
    cell = lines.loc[at]
    assert wrong.to_dict("records") == [
        {"stock": cell.stock, "township": cell.township, "category": cell.category, "hh": 0, "p": 3}
    ]


def test_every_event_has_its_line_and_its_place_in_the_life_cycle():
    assert set(STATE_AFTER) < set(register_vocabulary().lines)
    assert set(CONTRADICTIONS.values()) < set(register_vocabulary().findings)
