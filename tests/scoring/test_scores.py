"""A score takes what was known from one place, once; scores that rest on little are named, with the mend."""

from __future__ import annotations

from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskmodel import features, rules, scoring
from riskmodel.data import About, County, from_frames
from riskmodel.households import known

from ..rules import counties

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


class Even:
    """A model to which all households are alike."""

    def margin(self, X: pd.DataFrame) -> np.ndarray:
        return np.full(len(X), -1.0)

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        return np.full((len(X), 2), 0.5)

    predict_interval = predict_proba


def test_each_relation_is_made_once_on_the_way_from_a_score_to_its_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Counter[tuple[object, ...]] = Counter()

    def counted(maker: Any, holder: Any, build: Any, *arguments: Any, **inputs: Any) -> Any:
        # A relation is of the known county that asks for it, or of the clock that it is joined with.
        of = getattr(holder, "moments", None) or str(inputs.get("clock", inputs.get("rows")))
        made[build.__name__, arguments, of] += 1
        return maker(holder, build, *arguments, **inputs)

    for maker in ("name_query", "store_query"):
        monkeypatch.setattr(known, maker, partial(counted, getattr(known, maker)))
    c = counties.build(counties.county_rows(counties.seeded(1), 25))
    card = {"params": {}, "cohort": ["lifted"], "reference": None, "horizon_months": 12}
    labels = dict.fromkeys(("name", "version", "run_id"), "m")
    model: Any = SimpleNamespace(
        model=Even(), kind="logit", card=card, **labels,
        feature_set=features.load_feature_set("household-v1"), ruleset=rules.load_rules("national-2021"),
    )  # fmt: skip
    scores = scoring.score(c, model, DAY)
    after_score = made.total()
    scoring.build_worklist(scores, visits=5, county=c)
    relations = [key for key in made if key[0] in ("known_rows", "household_states", "present_members")]
    assert set(made.values()) == {1}, "rules, cohorts, features, fingerprint and list share what is known"
    # Incomes are not among them: they are added up in the panel, of which there is one a county.
    assert {key[1][0] for key in relations if key[1]} >= {"households", "members", "monitoring"}
    assert sum(key[0] == "household_accounts" for key in made) == 2, "at as-of and at the list before"
    # The list adds what was known a month ago, and what duties and cases ask of the day: no more than that.
    assert made.total() - after_score <= 11, "visits, events and steps now; a month ago what verdicts rest on"
