"""Nobody on record is no proof that nobody is there."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from riskmodel import explanation, rules
from riskmodel.data import from_frames
from riskmodel.households import known_county
from riskmodel.register import find_empty_households

DAY = "2021-06-30"
# Household: reasons of its two members, or None for one who stays; what is recorded since.
HOMES = {
    "clear": ("死亡", "嫁出"),
    "moved": ("户籍迁出", "户籍迁出"),
    "silent": ("死亡", None),
    "free": ("死亡", "去向另告"),
    "lost": ("死亡", "失踪"),
    "earns": ("死亡", "嫁出"),
    "event": ("死亡", "嫁出"),
    "met": ("死亡", "嫁出"),
    "absent": ("死亡", "嫁出"),
    "later": ("死亡", "嫁出"),
    "linked": ("死亡", "户籍迁出"),
    "lives": ("死亡", "stays"),
}
EXPECTED = {
    "clear": "", "moved": "", "absent": "", "later": "", "silent": "no_reason", "free": "no_reason",
    "lost": "no_reason", "earns": "income_since", "event": "event_since", "met": "visited_since",
    "linked": "linked", "never": "no_members",
}  # fmt: skip


@pytest.fixture(scope="module")
def county():
    ids = [*HOMES, "never", "other"]
    homes = pd.DataFrame({"household_id": ids, "township": "t", "village": "v", "registration": "general",
                          "valid_from": "2018-01-01"})  # fmt: skip
    members = [
        {"member_id": f"{home}-{i}", "household_id": home, "birth_month": "1960-01",
         "valid_from": "2018-01-01", "valid_to": None if reason == "stays" else f"2020-0{3 + i}-15",
         "change_reason": None if reason == "stays" else reason, "recorded_on": "2020-05-01"}
        for home, reasons in HOMES.items() for i, reason in enumerate(reasons)
    ]  # fmt: skip
    members += [{**members[0], "member_id": "other-0", "household_id": "other", "valid_to": None}]
    income = [{"household_id": i, "month": "2020-02", "source": "wage", "amount": 900.0} for i in ids]
    income += [{**income[0], "household_id": "earns", "month": "2020-08"}]
    visits = [
        {
            "household_id": "met",
            "date": "2020-09-01",
            "outcome": "not_confirmed",
            "recorded_on": "2020-09-01",
        },
        {"household_id": "absent", "date": "2020-09-01", "outcome": "absent", "recorded_on": "2020-09-01"},
        {"household_id": "later", "date": "2020-09-01", "outcome": "confirmed", "recorded_on": "2021-09-01"},
    ]
    events = [
        {"household_id": "event", "date": "2020-10-01", "cause": "illness", "recorded_on": "2020-10-02"}
    ]
    links = [{"old_id": "other", "new_id": "linked", "kind": "split", "date": "2018-01-01"}]
    return from_frames({
        "households": homes, "members": pd.DataFrame(members), "income": pd.DataFrame(income),
        "visits": pd.DataFrame(visits), "risk_events": pd.DataFrame(events),
        "household_links": pd.DataFrame(links),
    })  # fmt: skip


def test_only_leavings_with_a_clear_reason_and_nothing_since_are_a_natural_change(county) -> None:
    found = find_empty_households(known_county(county, DAY)).set_index("household_id")
    assert dict(found["why"]) == EXPECTED
    assert set(found.loc[found["why"] == "", "state"]) == {"natural_change"}
    assert set(found.loc[found["why"] != "", "state"]) == {"to_clarify"}
    assert found.loc["clear", "left_on"] == pd.Timestamp("2020-04-15")
    # Before the members were recorded nothing told that they had been there, or had left.
    assert set(find_empty_households(known_county(county, "2020-03-01"))["why"]) == {"no_members"}


def test_what_is_told_and_asked_follows(county) -> None:
    known = known_county(county, DAY)
    ruleset = rules.load_rules("national-2021")
    verdicts = rules.evaluate_rules(known, ruleset)
    facts = explanation.find_facts(known, verdicts, ruleset)
    say: Callable[[str], dict] = lambda lang: explanation.write_fact_sheets(facts, list(EXPECTED), lang)  # noqa: E731
    zh, en = say("zh"), say("en")
    assert (
        zh["clear"].facts[0]
        == "成员均已登记减少（死亡、婚出），最后一人 2020-04-15：按自然变更办理，不作入户对象"
    )
    assert zh["clear"].questions == ()
    for home, why in EXPECTED.items():
        assert ("待核清" in zh[home].facts[0]) == bool(why), home
        assert ("by telephone first" in en[home].facts[0]) == bool(why), home
        assert bool(zh[home].questions) == bool(why)
        assert zh[home].measures == ()
