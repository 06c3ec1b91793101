"""Who is who at a moment, told from links and facts made by hand."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel.data import About, Lineage, Link, LinkFacts, Links, county_lineage
from riskmodel.data.county import county_of_frames
from riskmodel.data.link_facts import Member, State

OFTEN = dt.date(2015, 1, 1)
LATER = dt.date(2022, 1, 1)


def links(*texts: str) -> Links:
    """``"A B merge 2020-01-01"``, with the day on which it was recorded where that is another."""
    rows = []
    for text in texts:
        old, new, kind, day, *known = text.split()
        date = dt.date.fromisoformat(day)
        rows.append(Link(old, new, kind, date, dt.date.fromisoformat(known[0]) if known else date))
    return Links(tuple(rows))


def state(number: str, since: str | None = "2015-01-01", township: str = "east") -> State:
    day = None if since is None else dt.date.fromisoformat(since)
    return State(number, day, "lifted", township, day or OFTEN)


def lineage(some: Links, *facts: State | Member, day: dt.date = LATER) -> Lineage:
    states = [f for f in facts if isinstance(f, State)]
    members = [f for f in facts if isinstance(f, Member)]
    return Lineage(some, LinkFacts(states, members), day, day)


def test_chains_are_followed_in_the_order_of_time() -> None:
    who = lineage(links("C D recode 2021-01-01", "A B recode 2019-01-01", "B C recode 2020-01-01"))
    assert who.joined == dict.fromkeys("ABC", "D")
    assert [one.number for one in who.households] == ["D"]
    then = lineage(links("C D recode 2021-01-01", "A B recode 2019-01-01"), day=dt.date(2020, 6, 1))
    assert then.joined == {"A": "B"}


def test_links_of_one_day_act_as_recodes_then_merges_then_splits() -> None:
    day = "2020-01-01"
    who = lineage(
        links(f"C D split {day}", f"B C merge {day}", f"A B recode {day}"), state("C"), state("D", day)
    )
    # A became B, B was merged into C, and C split off D; nothing of C goes on.
    assert [one.number for one in who.households] == ["D"]
    assert who.gone == {"A", "B", "C"}


@pytest.mark.parametrize("kinds", [("recode", "recode"), ("merge", "recode")])
def test_a_circle_acts_in_no_part_and_is_a_finding(kinds: tuple[str, str]) -> None:
    some = links(f"A B {kinds[0]} 2019-01-01", f"B A {kinds[1]} 2020-01-01", "C A recode 2021-01-01")
    who = lineage(some)
    assert who.joined == {"C": "A"}
    assert {(f.kind, f.household_id) for f in who.all_findings()} == {("circle", "A"), ("circle", "B")}
    # Before the second is known there is none.
    assert lineage(some, day=dt.date(2019, 6, 1)).joined == {"A": "B"}


def test_a_link_to_itself_is_a_circle() -> None:
    who = lineage(links("A A recode 2019-01-01"))
    assert (who.joined, [f.kind for f in who.all_findings()]) == ({}, ["circle"])


def test_a_number_joined_already_is_not_joined_again() -> None:
    who = lineage(links("A B recode 2019-01-01", "A C merge 2020-01-01"), state("C"))
    assert who.joined == {"A": "B"}
    assert [(f.kind, f.household_id, f.other) for f in who.all_findings()] == [("joined_already", "A", "C")]


def test_who_was_split_off_may_come_back() -> None:
    who = lineage(
        links("A B split 2019-01-01", "B A merge 2021-01-01"), state("A"), state("B", "2019-01-01")
    )  # fmt: skip
    (one,) = who.households
    assert (one.number, [parent.number for parent in one.parents]) == ("A", ["B", "A"])
    assert one.pieces() == {"A": 2019 * 12, "B": 2019 * 12}
    assert who.all_findings() == []


def test_a_second_merge_adds_to_what_the_first_made() -> None:
    # C began with the second link's day by its own row; it is a household since the first all the same.
    who = lineage(
        links("A C merge 2019-01-01", "B C merge 2020-01-01"), *map(state, "AB"), state("C", "2020-01-01")
    )
    (one,) = who.households
    assert sorted(one.pieces()) == ["A", "B", "C"]


def test_a_split_parent_goes_on_where_something_of_it_does() -> None:
    split = links("P C split 2020-01-01")
    gone = lineage(split, state("P"), state("C", "2020-01-01"))
    assert ([one.number for one in gone.households], gone.gone) == (["C"], {"P"})
    stays = Member("m", "P", None, OFTEN, None, OFTEN)
    goes_on = lineage(split, state("P"), state("C", "2020-01-01"), stays)
    assert [one.number for one in goes_on.households] == ["C", "P"]
    assert goes_on.holding("P").begin == 2020 * 12
    named = lineage(links("P C split 2020-01-01", "P P split 2020-01-01"), state("P"))
    assert [one.number for one in named.households] == ["C", "P"]


def test_a_household_is_followed_to_what_became_of_it() -> None:
    some = links("P C split 2020-01-01", "P D split 2020-01-01", "D E merge 2021-01-01")
    facts = (state("P"), state("C", "2020-01-01"), state("D", "2020-01-01"), state("E"))
    start, end = lineage(some, *facts, day=dt.date(2019, 6, 1)), lineage(some, *facts)
    assert end.descendants("P", start) == ["C", "E"]  # P itself ended: nobody waits for its outcome
    assert end.descendants("E", start) == ["E"]
    between = lineage(some, *facts, day=dt.date(2020, 6, 1))
    assert end.descendants("C", between) == ["C"]
    assert end.descendants("D", between) == ["E"]


def test_a_link_recorded_later_changes_nothing_before() -> None:
    late = links("A B recode 2019-01-01 2020-05-01", "B C recode 2019-06-01")
    assert lineage(late, day=dt.date(2020, 4, 30)).joined == {"B": "C"}
    assert lineage(late, day=dt.date(2020, 5, 1)).joined == {"A": "C", "B": "C"}


def test_a_new_place_under_an_old_number_is_refused() -> None:
    some = links("A B recode 2020-01-01")
    moved = state("A", "2021-01-01", "west")
    who = lineage(some, state("A"), moved)
    (one,) = who.households
    assert who.state(one).township == "east"
    assert who.is_doubtful(one)
    assert [(f.kind, f.household_id) for f in who.all_findings()] == [("old_number", "A")]
    # The same place again says nothing new; under the new number it is a move.
    assert not lineage(some, state("A"), state("A", "2021-01-01")).all_findings()
    under_new = lineage(some, state("A"), state("B", "2021-01-01", "west"))
    assert under_new.state(under_new.households[0]).township == "west"


def test_a_merged_household_lives_where_its_number_does() -> None:
    facts = (state("A", "2019-01-01", "west"), state("B"), state("A", "2021-06-01", "north"))
    who = lineage(links("A B merge 2020-01-01"), *facts)
    (one,) = who.households
    assert who.state(one).township == "east"  # B's, though A's row is newer
    # A number without a state of its own has the newest of its parents.
    none = lineage(links("A N merge 2020-01-01", "B N merge 2020-01-01"), *facts[:2])
    assert none.state(none.households[0]).township == "west"


def test_members_of_the_old_number_end_where_the_new_has_its_own() -> None:
    own = Member("m", "B", None, dt.date(2020, 1, 1), None, OFTEN)
    assert lineage(links("A B recode 2020-01-01"), own).members_end == {"A": dt.date(2020, 1, 1)}
    assert lineage(links("A B recode 2020-01-01")).members_end == {}
    # A household that was there before the merge has members of its own all along.
    before = Member("m", "B", None, OFTEN, None, OFTEN)
    assert lineage(links("A B merge 2020-01-01"), state("B"), before).members_end == {}


def test_rows_may_stand_under_a_number_that_only_a_link_names() -> None:
    some = links(
        "A B recode 2020-01-01", "B C merge 2021-01-01", "X Y recode 2021-01-01", "A D split 2021-01-01"
    )
    assert some.joined_with(["A"]) == {"B", "C"}


def test_links_of_numbers_without_any_amount_are_read() -> None:
    frames = {
        "households": pd.DataFrame({"household_id": ["A", "B", "C"], "valid_from": "2015-01-01"}),
        "income": pd.DataFrame(
            {"household_id": ["C"], "month": ["2020-01"], "source": ["wage"], "amount": [1.0]}
        ),
        "household_links": pd.DataFrame(
            {"old_id": ["A"], "new_id": ["B"], "kind": ["merge"], "date": ["2020-01-01"]}
        ),
    }
    who = county_lineage(county_of_frames(frames, About()), LATER, LATER)
    assert who.joined == {"A": "B"}
