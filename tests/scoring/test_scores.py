"""Scores that rest on little are named, with the mend."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd

from riskmodel import features, rules, scoring
from riskmodel.data import About, County, from_frames

DAY = "2021-03-31"
IDS = ["h1", "h2", "h3"]


def county(source: str, monthly: bool, net: bool = False) -> County:
    months = [f"{y}-{m:02d}" for y in (2019, 2020) for m in range(1, 13)] + ["2021-01", "2021-02", "2021-03"]
    rows = [
        {"household_id": h, "month_from": first, "month_to": last}
        for h in IDS
        for first, last in ([(m, m) for m in months] if monthly else [("2020-01", "2020-12")])
    ]
    return from_frames(
        {
            "households": pd.DataFrame(
                {"household_id": IDS, "township": "t", "village": "v", "registration": "lifted"}
            ).assign(valid_from="2019-01-01"),
            "members": pd.DataFrame({"member_id": IDS, "household_id": IDS, "birth_month": "1980-01"}).assign(
                valid_from="2019-01-01"
            ),
            "income": pd.DataFrame(rows).assign(source=source, amount=900.0),
        },
        About(income_is_net=net),
    )


def doubts(c: County) -> list[str]:
    # All that is looked at of a model is which features it wants.
    model: Any = SimpleNamespace(feature_set=features.load_feature_set("household-v1"))
    return scoring.scoring_warnings(c, model, rules.evaluate_rules(c, "national-2021", DAY))


def test_totals_before_a_model_of_months_are_doubted_with_both_mends() -> None:
    (doubt,) = doubts(county("business", monthly=False))
    # No table of spending: what was spent to earn it is unknown, so net income is, for all three.
    assert "unknown for 3 of 3 households (production_unknown)" in doubt
    assert "household-annual-v1" in doubt
    assert "income_is_net: true" in doubt
    assert " of household-v1 (" in doubt


def test_months_of_wages_are_not_doubted() -> None:
    assert doubts(county("wage", monthly=True, net=True)) == []


def test_known_totals_are_doubted_for_the_features_that_need_months() -> None:
    (doubt,) = doubts(county("wage", monthly=False, net=True))
    assert "unknown for 0 of 3 households, and" in doubt
    assert "income_is_net" not in doubt
