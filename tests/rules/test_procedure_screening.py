"""County-level screens: expected size, scale risk, result lists."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import UsageError

from .tiny import county, street


def verdicts(flagged: list[bool], registration: list[str], persons: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "as_of": pd.Timestamp("2021-06-01"),
            "flagged": flagged,
            "registration": registration,
            "persons": persons,
        }
    )


@pytest.mark.parametrize(("persons", "within"), [(2, False), (3, True), (7, True), (8, False)])
def test_size_is_flagged_persons_over_registered_persons(persons: int, within: bool) -> None:
    # 100 registered persons; a marginal household adds to the flagged, not to the registered.
    frame = verdicts([False, True], ["lifted", "general"], [100, persons])
    row = rules.check_size(frame, "ratio-1.5-2020").iloc[0]
    assert row["share"] == persons / 100
    assert bool(row["within"]) is within


def test_size_is_missing_where_nobody_is_registered() -> None:
    row = rules.check_size(verdicts([True], ["general"], [3]), "ratio-1.5-2020").iloc[0]
    assert pd.isna(row["share"])
    assert pd.isna(row["within"])
    with pytest.raises(UsageError, match="declares no size_check"):
        rules.check_size(verdicts([True], ["general"], [3]), "national-2021")


def test_scale_risk_by_township() -> None:
    marked = [{"date": "2020-01-01", "event": "identified"}]
    homes = {
        "hit": {"risk_events": [{"date": "2021-03-01", "cause": "disaster"}]},
        "watched": {"monitoring": marked, "state": {"township": "u"}},
        "done": {
            "monitoring": [*marked, {"date": "2021-01-01", "event": "eliminated"}],
            "state": {"township": "u"},
        },
    }
    t, u = (row for _, row in rules.assess_scale_risk(street(homes), "2021-06-01").iterrows())
    assert (t["township"], t["households"], t["disaster"], t["epidemic"]) == ("t", 1, 1.0, 0.0)
    assert pd.isna(t["not_eliminated"])  # nobody was ever monitored
    # One of two ever monitored is still in the register.
    assert (u["township"], u["households"], u["disaster"], u["not_eliminated"]) == ("u", 2, 0.0, 0.5)
    assert pd.isna(rules.assess_scale_risk(county(absent=("risk_events",)), "2021-06-01").iloc[0]["disaster"])


def test_result_lists_are_the_outcomes() -> None:
    c = county(5000.0, state={"housing_safe": False})
    verdicts_of_a_day = rules.evaluate_rules(c, "yingjiang-2022", "2021-06-01")
    lists = rules.result_lists(verdicts_of_a_day)
    assert {name for name, frame in lists.items() if len(frame)} == {"new", "income_plan"}
    both = pd.concat([verdicts_of_a_day, verdicts_of_a_day.assign(as_of=pd.Timestamp("2021-07-01"))])
    with pytest.raises(UsageError, match="one as-of date"):
        rules.result_lists(both)
