"""Explanations say the numbers of the data in both languages; each kind of change by a made household."""

from __future__ import annotations

import datetime as dt
import re

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import UsageError
from riskmodel.rules.explain import KINDS

from . import tiny

DAY = "2021-06-01"
MARKED = [{"date": "2020-01-01", "event": "identified", "causes": "illness"}]


@pytest.fixture(scope="module")
def explanation() -> dict:
    c = tiny.county(
        5432.1,
        previous=12000.0,
        state={"housing_safe": False},
        monitoring=MARKED,
        risk_events=[{"date": "2021-03-01", "cause": "illness"}],
        spending=[{"month": "2021-04", "category": "medical", "amount": 2500.5}],
    )
    return rules.explain_verdict(c, "national-2021", DAY, "h")


def test_the_numbers_are_the_datas(explanation: dict) -> None:
    # Income 5432.10, one person; rigid spending 2500.50 over last year's 12000; 1 − 5432.1/12000.
    for figure in ("5,432.10", "6,000.00", "2,500.50", "12,000.00", "0.2084", "54.73%"):
        assert figure in explanation["zh"], figure
        assert figure in explanation["en"], figure


def test_a_rise_is_not_told_as_a_negative_drop() -> None:
    # 7434 after 6000 is 23.90 % more.
    risen = rules.explain_verdict(tiny.county(7434.0, previous=6000.0), "national-2021", DAY, "h")
    assert "收入增长 23.90%" in risen["zh"]
    assert "income rose by 23.90%" in risen["en"]
    assert "-23.90" not in risen["zh"] + risen["en"]


def test_it_says_verdict_source_risks_and_what_follows(explanation: dict) -> None:
    assert "脱贫不稳定户 (unstable_lifted)" in explanation["zh"]
    assert "001 §13" in explanation["zh"]
    assert "因病" in explanation["zh"]
    assert "住房无保障" in explanation["zh"]
    assert "income fell steeply: holds" in explanation["en"]
    assert "Proposed for the register: not all criteria are met" in explanation["en"]
    assert "large_drop=0.5" in explanation["en"]
    assert not re.search(r"\{|\}|None|nan", explanation["zh"] + explanation["en"])


def test_conditions_carry_answer_and_figures(explanation: dict) -> None:
    by_id = {c["id"]: c for c in explanation["conditions"]}
    assert by_id["below_line"]["holds"] is True
    assert by_id["below_line"]["figures"] == {"pcni": 5432.1, "line": 6000.0}
    assert by_id["income_plunged"]["figures"]["income_drop"] == pytest.approx(1 - 5432.1 / 12000)
    assert explanation["verdict"]["category"] == "unstable_lifted"


def test_elimination_is_only_told_of_those_in_the_register() -> None:
    explanation = rules.explain_verdict(tiny.county(7000.0), "national-2021", DAY, "h")
    assert "supported" not in {c["id"] for c in explanation["conditions"]}
    assert "does not hold" in explanation["en"]


def test_unknown_income_and_other_registrations_are_said() -> None:
    explanation = rules.explain_verdict(tiny.county(None), "national-2021", DAY, "h")
    assert "income is unknown (no income is recorded in the period)" in explanation["en"]
    explanation = rules.explain_verdict(tiny.county(7000.0, registration="general"), "classes-2020", DAY, "h")
    assert "does not speak of general" in explanation["en"]
    assert "不适用于一般农户" in explanation["zh"]


def explained(name: str) -> None:
    explanation = rules.explain_verdict(
        tiny.county(5000.0, monitoring=MARKED, assets=[{"kind": "car"}]), name, DAY, "h"
    )
    assert rules.load_rules(name).name_zh in explanation["zh"]
    assert "5,000.00" in explanation["en"]


@pytest.mark.parametrize("name", ["cards-2023", "ratio-1.5-2020"])
def test_a_set_explains_itself(name: str) -> None:
    explained(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", rules.available_rule_sets())
def test_every_set_explains_itself(name: str) -> None:
    explained(name)


def test_an_unknown_household_is_refused() -> None:
    with pytest.raises(UsageError, match="no household 'x' is known at 2021-06-01"):
        rules.explain_verdict(tiny.county(), "national-2021", DAY, "x")


BEFORE, NOW = "2021-05-01", "2021-06-01"
MAY = "2021-05-10"  # between the two days


def homes() -> dict[str, tiny.Household]:
    """Return households that each change in one way; income of 2021-05 counts only at the later day.

    ``earlier`` is income that both periods hold (2020-07), so that a household has a known income before.
    """
    ill = [{"date": MAY, "cause": "illness"}]
    old_ill = [{"date": "2020-10-01", "cause": "illness"}]
    watched = [{"date": "2021-01-10", "event": "identified", "causes": "illness"}]
    return {
        "same": {"income": 100.0, "earlier": 9000.0},
        "fell_ill": {"income": 100.0, "earlier": 4000.0, "risk_events": ill},
        "earns_again": {"income": 5000.0, "earlier": 4000.0, "risk_events": old_ill},
        "became_sudden": {
            "income": 3000.0, "earlier": 4000.0, "risk_events": old_ill,
            "spending": [{"month": "2021-05", "category": "medical", "amount": 90000.0}],
        },
        "lost_income": {"income": None, "only_before": 4000.0},
        "found_income": {"income": 7000.0},
        "register_only": {"income": 100.0, "earlier": 9000.0, "monitoring": [
            {"date": MAY, "event": "identified", "causes": "illness"}]},
        "moved_in": {
            "income": 100.0, "risk_events": ill, "state": {"valid_from": "2019-01-01", "recorded_on": MAY}},
        # Of a household that is there since May no whole year is on record: nothing is said of it.
        "new": {"income": 100.0, "risk_events": ill, "state": {"valid_from": MAY}},
        "late": {"income": 100.0, "earlier": 4000.0, "risk_events": [
            {"date": "2021-01-05", "cause": "accident", "recorded_on": MAY}]},
        "watched": {"income": 100.0, "earlier": 4000.0, "risk_events": old_ill, "monitoring": watched},
    }  # fmt: skip


@pytest.fixture(scope="module")
def county():
    rows = {}
    for name, one in homes().items():
        extra = [("2020-07", one.pop("earlier", None)), ("2020-05", one.pop("only_before", None))]
        one["more_income"] = [{"month": m, "source": "wage", "amount": a} for m, a in extra if a is not None]
        rows[name] = one
    return tiny.street(rows)


@pytest.fixture(scope="module")
def changes(county) -> pd.DataFrame:
    return rules.find_verdict_changes(county, "national-2021", NOW, BEFORE)


def test_each_kind_of_change_is_found_and_nothing_else(changes) -> None:
    kinds = dict(zip(changes["household_id"], changes["kind"], strict=True))
    assert kinds == {
        "fell_ill": "newly_flagged",
        "moved_in": "newly_flagged",
        "late": "newly_flagged",
        "earns_again": "no_longer_flagged",
        "became_sudden": "category_changed",
        "lost_income": "became_unknown",
        "found_income": "known_again",
        "register_only": "outcome_changed",
    }
    # Sorted by kind, so that the page begins with those to be visited.
    assert list(changes["kind"].map(KINDS.index)) == sorted(changes["kind"].map(KINDS.index))


def test_changes_are_the_difference_of_two_evaluations(county, changes) -> None:
    # By hand from the two verdict tables, without the function's own comparison.
    old = rules.evaluate_rules(county, "national-2021", BEFORE).set_index("household_id")
    new = rules.evaluate_rules(county, "national-2021", NOW).set_index("household_id")
    for row in changes.to_dict("records"):
        home = row["household_id"]
        assert row["category"] == new.loc[home, "category"]
        if home == "moved_in":
            assert pd.isna(row["category_before"])
            assert home not in old.index
            continue
        assert row["category_before"] == old.loc[home, "category"]
        held, held_before = (set(t.loc[home, "conditions"].split(";")) - {""} for t in (new, old))
        assert set(row["appeared"].split(";")) - {""} == held - held_before
        assert set(row["disappeared"].split(";")) - {""} == held_before - held
        moved = {n for n in ("pcni", "rigid", "persons", "line") if new.loc[home, n] != old.loc[home, n]
                 and not (pd.isna(new.loc[home, n]) and pd.isna(old.loc[home, n]))}  # fmt: skip
        assert moved <= set(row["moved"].split(";"))


def test_why_names_conditions_and_figures(changes) -> None:
    row = changes.set_index("household_id").loc["fell_ill"]
    assert row["appeared"] == "at_risk;sudden_cause"
    assert row["moved"].split(";")[:2] == ["net_income", "pcni"]
    ruleset = rules.load_rules("national-2021")
    said = rules.describe_change(ruleset, row, "en")
    assert "now holds: there is a risk of falling back" in said
    assert "net income per head 4,000.00 yuan → 4,100.00 yuan" in said
    assert "新成立：存在返贫致贫风险" in rules.describe_change(ruleset, row, "zh")
    everything = [
        rules.describe_change(ruleset, r, lang) for r in changes.to_dict("records") for lang in ("zh", "en")
    ]
    assert all(everything)


def test_late_records_are_told_from_new_events(changes) -> None:
    # The accident of January was recorded in May: judged with today's knowledge April was no different.
    late = changes.set_index("household_id")["late_records"]
    assert late["late"]
    assert not late["fell_ill"]
    assert not late["earns_again"]


def test_counts_by_township_add_up(changes) -> None:
    counts = rules.count_changes_by_township(changes)
    assert list(counts.columns) == ["township", *KINDS]
    assert counts[list(KINDS)].to_numpy().sum() == len(changes)
    assert rules.count_changes_by_township(changes.head(0)).empty


def test_the_earlier_day_is_a_month_before_unless_said(county) -> None:
    assert set(rules.find_verdict_changes(county, "national-2021", NOW)["since"].dt.date) == {
        dt.date(2021, 5, 1)
    }
    # (From a month's end to a month's end: tests/presentation/test_rules_page.py.)
    with pytest.raises(UsageError, match="does not lie before"):
        rules.find_verdict_changes(county, "national-2021", NOW, NOW)


def test_a_new_rule_set_in_between_changes_verdicts(county) -> None:
    # The county scheme's 5000 yuan before, the national 6000 after: the line itself is what moved.
    sets = {"2019-01-01": "county-2020", "2021-05-15": "national-2021"}
    row = rules.find_verdict_changes(county, sets, NOW, BEFORE).set_index("household_id").loc["fell_ill"]
    assert (row["ruleset_before"], row["ruleset"]) == ("county-2020", "national-2021")
    assert (row["line_before"], row["line"]) == (5000.0, 6000.0)


def test_a_parameter_that_no_set_knows_is_refused(county) -> None:
    with pytest.raises(UsageError, match="no parameter 'lime'"):
        rules.find_verdict_changes(county, "national-2021", NOW, BEFORE, params={"lime": 1})


def test_scores_of_the_later_day_alone_are_enough(county) -> None:
    # "same" is not in the register; "watched" is: its card turns red by the score, which April did not have.
    scores = pd.DataFrame({"household_id": ["watched"], "as_of": [NOW], "probability": [0.5]})
    changes = rules.find_verdict_changes(county, "cards-2023", NOW, BEFORE, scores=scores).set_index(
        "household_id"
    )
    row = changes.loc["watched"]
    assert (row["kind"], row["tier_before"], row["tier"]) == ("tier_changed", "blue", "red")
    assert "probability" in row["appeared"].split(";")
