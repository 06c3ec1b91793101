"""The accounts of a period: by hand, against household accounts, balanced for any register, as known then."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import presentation
from riskmodel.data.county import county_of_frames
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import known_county
from riskmodel.register import (
    RegisterAccounts,
    accounts,
    build_register_accounts,
    check_published,
    published_form,
    summarise_accounts,
)
from riskmodel.register.history import CONTRADICTIONS, STATE_AFTER, presence_from_rows, trace_states
from riskmodel.register.vocabulary import register_vocabulary

from .conftest import START, frames_of, random_register, reckon
from .small_county import HOUSEHOLDS, MEMBERS, REGISTER, small_county


def cells(ledger: RegisterAccounts, *keys: str) -> dict:
    frame = ledger.by("stock", *keys)
    return {tuple(r[:-2]): tuple(int(v) for v in r[-2:]) for r in frame.itertuples(index=False, name=None)}


def test_the_quarter_of_four_households_by_hand(small):
    # Watched at the end of 2020: h1 (3 persons) and h2 (2); h4 (1) was entered on 5 January for 20 December.
    # In the quarter: h3 (4) identified; h2 eliminated, one having died before; h4 removed; a birth in h1.
    total = cells(small)
    assert total["open", "opening_then"] == (2, 5)
    assert total["open", "restated"] == (1, 1)
    assert total["open", "opening"] == (3, 6)
    assert total["open", "identified"] == (1, 4)
    assert total["open", "eliminated"] == (1, 1)
    assert total["open", "removed"] == (1, 1)
    assert total["open", "natural_increase"] == (0, 1)
    assert total["open", "natural_decrease"] == (0, 1)
    assert total["open", "closing"] == (2, 8)
    # Ever identified: h2 stays in as eliminated (its one person), h4 is struck off.
    assert total["ever", "closing"] == (3, 9)
    assert total["ever", "removed"] == (1, 1)
    assert total["ever", "eliminated"] == (0, 0)
    assert small.findings.empty


def test_categories_and_townships_of_the_quarter_by_hand(small):
    by_category, by_township = cells(small, "category"), cells(small, "township")
    assert by_category["open", "unstable_lifted", "closing"] == (1, 4)
    assert by_category["open", "marginal", "opening"] == (2, 3)
    assert by_category["open", "marginal", "closing"] == (1, 4)
    assert by_township["open", "东乡", "closing"] == (1, 4)
    assert by_township["open", "西乡", "restated"] == (1, 1)
    assert by_township["open", "西乡", "removed"] == (1, 1)
    entries = small.natural[small.natural["stock"] == "open"]
    assert entries[["category", "direction", "reason", "p"]].to_numpy().tolist() == [
        ["marginal", "decrease", "died", 1],
        ["unstable_lifted", "increase", "born", 1],
    ]


def test_both_days_belong_to_the_period_and_periods_join(small):
    # Events of the first and the last day count; the next period opens with what this one closed with.
    one_day = build_register_accounts(small_county(), "2021-03-01", "2021-03-01")
    assert cells(one_day)["open", "identified"] == (1, 4)
    later = build_register_accounts(small_county(), "2021-04-01", "2021-04-30")
    assert cells(later)["open", "opening_then"] == cells(small)["open", "closing"]
    assert cells(later)["open", "restated"] == (0, 0)


def random_county(seed: int, households: int = 120):
    register, members = random_register(seed, households)
    ids = sorted({*register["household_id"], *members["household_id"]})
    state = {"village": "v", "registration": "general", "valid_from": "2019-01-01"}
    homes = pd.DataFrame([{"household_id": h, "township": f"t{h[-1]}", **state} for h in ids])
    income = pd.DataFrame(
        [{"household_id": h, "month": "2019-12", "source": "wage", "amount": 1} for h in ids]
    )
    members = members.assign(valid_from=members["valid_from"].fillna(pd.Timestamp("2000-01-01").date()))
    frames = {"households": homes, "members": members, "income": income, "monitoring": register}
    return frames, register, members


def test_a_whole_county_agrees_with_the_reckoning_and_with_household_accounts():
    frames, register, members = random_county(7)
    county = county_of_frames(frames)
    first, last = (
        START + pd.Timedelta(days=15).to_pytimedelta(),
        START + pd.Timedelta(days=45).to_pytimedelta(),
    )
    ledger = build_register_accounts(county, first, last)
    expected = reckon(register, members, first, last)
    total = cells(ledger)
    for stock in ("open", "ever"):
        for line in ("opening", "identified", "rolled_back", "re_marked", "eliminated", "removed", "closing"):
            assert total[stock, line] == tuple(expected[stock, line, unit] for unit in ("hh", "p")), line
    # Households watched at the end are those that the rules take for registered.
    ground = known_county(county, last).accounts().select("in_register", "persons").to_pandas()
    watched = ground[ground["in_register"].astype(bool)]
    assert total["open", "closing"] == (len(watched), watched["persons"].sum()) != (0, 0)


def test_the_opening_as_then_known_is_the_closing_of_accounts_built_then():
    frames, _, _ = random_county(11, 60)
    county = county_of_frames(frames)
    day = START + pd.Timedelta(days=25).to_pytimedelta()
    earlier = build_register_accounts(county, START, day)
    later = build_register_accounts(
        county, day + pd.Timedelta(days=1).to_pytimedelta(), day + pd.Timedelta(days=20).to_pytimedelta()
    )
    assert cells(later)["open", "opening_then"] == cells(earlier)["open", "closing"]
    restated, opening = cells(later)["open", "restated"], cells(later)["open", "opening"]
    assert restated != (0, 0)
    assert opening == tuple(a + b for a, b in zip(cells(earlier)["open", "closing"], restated, strict=True))


def test_nothing_recorded_after_the_end_changes_the_accounts(small):
    late = [*REGISTER, ("h1", "2021-02-02", "eliminated", "marginal", None, "2021-04-01")]
    members = small_county().frame("members")
    county = small_county()
    frames = frames_of(county)
    frames["monitoring"] = pd.DataFrame(
        late, columns=["household_id", "date", "event", "category", "causes", "recorded_on"]
    )
    gone = {**members.iloc[0].to_dict(), "valid_to": "2021-01-02", "recorded_on": "2021-05-01"}
    frames["members"] = pd.concat([frames["members"], pd.DataFrame([gone])[list(frames["members"])]])
    ledger = build_register_accounts(county_of_frames(frames), "2021-01-01", "2021-03-31")
    pd.testing.assert_frame_equal(ledger.lines, small.lines)
    assert ledger.data_fingerprint == small.data_fingerprint
    later = build_register_accounts(county_of_frames(frames), "2021-01-01", "2021-05-31")
    # Now h1 left on 2 February with two present (one had gone, one was not born yet), and h2 with one.
    assert cells(later)["open", "eliminated"] == (2, 3)


def test_findings_name_household_place_and_dates_and_do_not_stop_the_accounts():
    columns = ["household_id", "date", "event", "category", "causes", "recorded_on"]
    more = [
        ("h3", "2021-03-05", "identified", "marginal", None, "2021-03-05"),
        ("h4", "2021-03-20", "eliminated", None, None, "2021-03-20"),
    ]
    county = small_county()
    frames = frames_of(county)
    frames["monitoring"] = pd.DataFrame([*REGISTER, *more], columns=columns)
    ledger = build_register_accounts(county_of_frames(frames), "2021-01-01", "2021-03-31")
    entries = ledger.findings.set_index("household_id")
    assert entries["finding"].to_dict() == {"h3": "identified_twice", "h4": "acting_after_removal"}
    assert entries.loc["h3", "earlier_date"] == pd.Timestamp("2021-03-01")
    assert entries["township"].to_dict() == {"h3": "西乡", "h4": "西乡"}
    assert entries["in_period"].all()
    # The second identification moves nobody.
    assert cells(ledger)["open", "identified"] == (1, 4)


def test_a_watched_household_without_members_is_a_finding():
    county = small_county()
    frames = frames_of(county)
    frames["members"].loc[frames["members"]["household_id"] == "h3", "valid_to"] = "2021-03-15"
    ledger = build_register_accounts(county_of_frames(frames), "2021-01-01", "2021-03-31")
    assert ledger.findings[["finding", "household_id"]].to_numpy().tolist() == [["no_members", "h3"]]
    assert cells(ledger)["open", "natural_decrease"] == (0, 5)


def test_a_register_without_a_row_is_accounts_of_zeros(tmp_path):
    county = small_county()
    frames = frames_of(county)
    frames["monitoring"] = frames["monitoring"].iloc[:0]
    ledger = build_register_accounts(county_of_frames(frames), "2021-01-01", "2021-03-31")
    assert ledger.lines.empty
    assert ledger.findings.empty
    assert summarise_accounts(ledger)["closing"] == {"hh": 0, "p": 0}
    presentation.write_register(ledger, tmp_path)
    assert check_published(published_form(ledger))["balanced"]


def test_without_a_register_there_are_no_accounts():
    homes = pd.DataFrame([{"household_id": h, "township": t, "village": "v"} for h, t in HOUSEHOLDS])
    with pytest.raises(InputRefused, match="monitoring"):
        build_register_accounts(
            county_of_frames({"households": homes.assign(valid_from="2020-01-01")}),
            "2021-01-01",
            "2021-02-01",
        )
    assert MEMBERS  # the example is not empty


@pytest.mark.parametrize(("first", "last"), [("2021-02-01", "2021-01-31"), ("soon", "2021-01-31")])
def test_a_period_that_is_none_is_refused(first, last):
    with pytest.raises(UsageError):
        build_register_accounts(small_county(), first, last)


def test_accounts_that_do_not_balance_are_refused_with_the_cell(monkeypatch):
    right = accounts.count_flows

    def wrong(*args):
        out = right(*args)
        return out[out["line"] != "removed"]

    monkeypatch.setattr(accounts, "count_flows", wrong)
    with pytest.raises(InputRefused, match="open/西乡/marginal: -1 households, -1 persons"):
        build_register_accounts(small_county(), "2021-01-01", "2021-03-31")


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
