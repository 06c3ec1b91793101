"""What offices mark beside events: months for days, ways of elimination, measures without a date, classes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from riskmodel.data import About, County, from_frames
from riskmodel.features import build_features
from riskmodel.presentation.register_tables import findings_in_words
from riskmodel.register import accounts_as_dict, build_register_accounts
from riskmodel.rules import check_time_limits, evaluate_rules, explain_verdict
from riskmodel.targets import build_targets

AS_OF = "2021-12-31"
WHOLE = About(coverage="whole", records_from="2019-01", data_through="2022-12-31")
MONTHS = [f"{y}-{m:02d}" for y in (2020, 2021) for m in range(1, 13)]
IDENTIFIED = {"household_id": "h", "date": "2021-01-10", "event": "identified", "causes": "water"}


def county(
    monitoring: dict[str, Any] | None = None,
    support: dict[str, Any] | None = None,
    events: dict[str, Any] | None = None,
    **marks: Any,
) -> County:
    """Return one lifted household, well above every line, in the register for want of water."""
    home = {"household_id": ["h"], "township": "t", "village": "v", "registration": "lifted"}
    member = {"member_id": ["a"], "household_id": "h", "birth_month": "1980-01", "work_capacity": "full"}
    measure = {"household_id": ["h"], "date": ["2021-03-31"], "measure": ["health"], "cause": ["illness"]}
    event = {"household_id": ["h"], "date": ["2021-02-01"], "cause": ["water"]}
    return from_frames(
        {
            "households": pd.DataFrame(home | {"valid_from": "2019-01-01"} | marks),
            "members": pd.DataFrame(member | {"valid_from": "2019-01-01", "insured": True}),
            "income": pd.DataFrame({"household_id": "h", "month": MONTHS, "source": "wage", "amount": 900}),
            "spending": pd.DataFrame(columns=["household_id", "month", "category", "amount"]),
            "risk_events": pd.DataFrame(event | (events or {})),
            "monitoring": pd.DataFrame([IDENTIFIED | (monitoring or {})]),
            "support": pd.DataFrame(measure | (support or {})),
        },
        WHOLE,
    )


def verdict(c: County, ruleset: str = "national-2021", day: str = AS_OF) -> pd.Series:
    return evaluate_rules(c, ruleset, day).iloc[0]


def test_water_is_a_cause_like_the_others() -> None:
    c = county()
    assert bool(verdict(c)["has_risk"])
    assert verdict(c)["main_cause"] == "water"
    assert "因安全饮水" in explain_verdict(c, "national-2021", AS_OF, "h")["zh"]


def test_a_risk_that_vanished_by_itself_needs_no_measure() -> None:
    assert verdict(county())["outcome"] == "hold"  # no measure against water
    gone = county({"way": "natural"})
    assert verdict(gone)["outcome"] == "eliminate"
    assert "自然消除" in explain_verdict(gone, "national-2021", AS_OF, "h")["zh"]
    assert verdict(county({"way": "support"}))["outcome"] == "hold"


def test_a_household_marked_as_without_labour_is_held() -> None:
    assert verdict(county({"way": "natural"}, no_labour_fallback=True))["outcome"] == "hold_no_labour"
    assert verdict(county({"way": "natural"}, no_labour_fallback=False))["outcome"] == "eliminate"
    since = {"measure": ["social_security"], "date": ["2020-06-30"]}
    assert verdict(county({"way": "natural"}, since, no_labour_fallback=True))["outcome"] == "eliminate"
    undated = verdict(county({"way": "natural"}, since | {"date_known": [False]}, no_labour_fallback=True))
    assert undated["outcome"] == "hold_no_labour"
    assert "fallback_in_place" in undated["unknown"].split(";")


def test_what_the_office_marked_stands_beside_the_class() -> None:
    row = verdict(county(policy_status="no_policy"), "anhui-town-2020")
    assert (row["category"], row["focus"], row["unknown"]) == ("with_policy", "marked_no_policy", "")
    assert verdict(county(), "anhui-town-2020")["focus"] == ""


def test_a_date_known_to_its_month_is_the_months_end_and_printed_as_a_month() -> None:
    c = county({"date": "2021-06-01", "recorded_on": "2021-06-20", "date_precision": "month"})
    assert len(c.rejected) == 0
    assert str(c.frame("monitoring")["date"][0])[:10] == "2021-06-30"
    labels = [
        build_targets(c, day, 3, ["identified"])["label"].tolist() for day in ("2021-06-15", "2021-06-30")
    ]
    assert labels == [[1], [0]]
    assert "2021-06、" in explain_verdict(c, "national-2021", AS_OF, "h")["zh"]
    accounts = build_register_accounts(c, "2021-01-01", AS_OF)
    assert set(findings_in_words(accounts, "zh")["date"]) == {"2021-06"}  # no category is written
    assert {f["date"] for f in accounts_as_dict(accounts)["findings"]} == {"2021-06"}
    assert len(county({"date": "2021-06-30", "recorded_on": "2021-06-20"}).rejected) == 1


@pytest.mark.parametrize(
    ("date", "known", "expected"),
    [
        ("2021-03-31", True, [1.0, 1.0, 9.0, 1.0]),
        # Before the snapshot of March 2021; within the 24 months or not, nobody knows.
        ("2021-03-31", False, [None, None, None, None]),
        ("2020-06-30", False, [0.0, None, None, 0.0]),
        ("2019-06-30", False, [0.0, 0.0, None, 0.0]),
    ],
)
def test_a_measure_without_a_date_is_no_evidence_of_when(
    date: str, known: bool, expected: list[float | None]
) -> None:
    c = county(support={"date": [date], "date_known": [known]})
    names = ["support_12m", "support_24m", "months_since_support", "support_any_active"]
    row = build_features(c, "household-v1", AS_OF)[names].iloc[0]
    assert [None if pd.isna(v) else float(v) for v in row] == expected


def test_a_time_limit_is_not_judged_by_a_measure_without_a_date() -> None:
    def started(known: bool) -> tuple[int, int]:
        c = county(support={"date_known": [known]})
        row = check_time_limits(c, "dali-2021", AS_OF).set_index("id").loc["support_start"]
        return int(row["started"]), int(row["late"])

    assert (started(True), started(False)) == ((1, 1), (0, 0))
