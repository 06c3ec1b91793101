"""The explanation says the numbers of the data, in both languages."""

from __future__ import annotations

import re

import pytest

from riskmodel import rules
from riskmodel.errors import UsageError

from .tiny import county

DAY = "2021-06-01"
MARKED = [{"date": "2020-01-01", "event": "identified", "causes": "illness"}]


@pytest.fixture(scope="module")
def told() -> dict:
    c = county(
        5432.1,
        previous=12000.0,
        state={"housing_safe": False},
        monitoring=MARKED,
        risk_events=[{"date": "2021-03-01", "cause": "illness"}],
        spending=[{"month": "2021-04", "category": "medical", "amount": 2500.5}],
    )
    return rules.explain_verdict(c, "national-2021", DAY, "h")


def test_the_numbers_are_the_datas(told: dict) -> None:
    # Income 5432.10, one person; rigid spending 2500.50 over last year's 12000; 1 − 5432.1/12000.
    for figure in ("5,432.10", "6,000.00", "2,500.50", "12,000.00", "0.2084", "54.73%"):
        assert figure in told["zh"], figure
        assert figure in told["en"], figure


def test_a_rise_is_not_told_as_a_negative_drop() -> None:
    # 7434 after 6000 is 23.90 % more.
    risen = rules.explain_verdict(county(7434.0, previous=6000.0), "national-2021", DAY, "h")
    assert "收入增长 23.90%" in risen["zh"]
    assert "income rose by 23.90%" in risen["en"]
    assert "-23.90" not in risen["zh"] + risen["en"]


def test_it_says_verdict_source_risks_and_what_follows(told: dict) -> None:
    assert "脱贫不稳定户 (unstable_lifted)" in told["zh"]
    assert "001 §13" in told["zh"]
    assert "因病" in told["zh"]
    assert "住房无保障" in told["zh"]
    assert "income fell steeply: holds" in told["en"]
    assert "Proposed for the register: not all criteria are met" in told["en"]
    assert "large_drop=0.5" in told["en"]
    assert not re.search(r"\{|\}|None|nan", told["zh"] + told["en"])


def test_conditions_carry_answer_and_figures(told: dict) -> None:
    by_id = {c["id"]: c for c in told["conditions"]}
    assert by_id["below_line"]["holds"] is True
    assert by_id["below_line"]["figures"] == {"pcni": 5432.1, "line": 6000.0}
    assert by_id["income_plunged"]["figures"]["income_drop"] == pytest.approx(1 - 5432.1 / 12000)
    assert told["verdict"]["category"] == "unstable_lifted"


def test_elimination_is_only_told_of_those_in_the_register() -> None:
    told = rules.explain_verdict(county(7000.0), "national-2021", DAY, "h")
    assert "supported" not in {c["id"] for c in told["conditions"]}
    assert "does not hold" in told["en"]


def test_unknown_income_and_other_registrations_are_said() -> None:
    told = rules.explain_verdict(county(None), "national-2021", DAY, "h")
    assert "income is unknown (no income is recorded in the period)" in told["en"]
    told = rules.explain_verdict(county(7000.0, registration="general"), "classes-2020", DAY, "h")
    assert "does not speak of general" in told["en"]
    assert "不适用于一般农户" in told["zh"]


def explained(name: str) -> None:
    told = rules.explain_verdict(county(5000.0, monitoring=MARKED, assets=[{"kind": "car"}]), name, DAY, "h")
    assert rules.load_rules(name).name_zh in told["zh"]
    assert "5,000.00" in told["en"]


@pytest.mark.parametrize("name", ["cards-2023", "ratio-1.5-2020"])
def test_a_set_explains_itself(name: str) -> None:
    explained(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", rules.available_rule_sets())
def test_every_set_explains_itself(name: str) -> None:
    explained(name)


def test_an_unknown_household_is_refused() -> None:
    with pytest.raises(UsageError, match="no household 'x' is known at 2021-06-01"):
        rules.explain_verdict(county(), "national-2021", DAY, "x")
