"""Many dates, each by the rule set valid then."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import UsageError

from .tiny import county


def test_the_set_that_is_valid_at_each_date_decides() -> None:
    c = county(5500.0, state={"housing_safe": False})
    frame = rules.evaluate_history(c, ["county-2020", "national-2021"], ["2021-05-31", "2021-06-01"])
    # 5500 yuan is above the county's line of 5000 and, from June on, below the national one of 6000.
    assert frame["ruleset"].tolist() == ["county-2020", "national-2021"]
    assert frame["category"].tolist() == ["none", "unstable_lifted"]


def test_a_jurisdiction_may_begin_a_set_on_its_own_day() -> None:
    c = county(5500.0, state={"housing_safe": False})
    # Against the sets' own dates: the jurisdiction's word goes.
    own = {"2020-01-01": "national-2021", "2021-06-01": "county-2020"}
    frame = rules.evaluate_history(c, own, ["2021-05-31", "2021-06-01"])
    assert frame["ruleset"].tolist() == ["national-2021", "county-2020"]
    assert frame["category"].tolist() == ["unstable_lifted", "none"]


def test_one_set_holds_at_any_date_and_gives_what_evaluate_gives() -> None:
    c = county(5500.0)
    days = ["2019-06-30", "2021-06-30"]
    pd.testing.assert_frame_equal(
        rules.evaluate_history(c, "national-2021", days), rules.evaluate_rules(c, "national-2021", days)
    )


def test_overrides_go_to_the_sets_that_know_them() -> None:
    c = county(5500.0, state={"housing_safe": False})
    sets, days = ["county-2020", "national-2021"], ["2021-05-31", "2021-06-01"]
    frame = rules.evaluate_history(c, sets, days, params={"stable_periods": 1, "line": 5600})
    assert frame["line"].tolist() == [5600.0, 5600.0]
    with pytest.raises(UsageError, match="no parameter lime"):
        rules.evaluate_history(c, sets, days, params={"lime": 1})


def test_a_date_before_the_first_set_is_refused() -> None:
    with pytest.raises(UsageError, match="the first, county-2020, begins on 2020-03-01"):
        rules.evaluate_history(county(), ["county-2020", "national-2021"], "2020-02-29")
    with pytest.raises(UsageError, match="two rule sets begin on 2021-06-01"):
        rules.evaluate_history(county(), ["dali-2021", "national-2021"], "2021-06-01")
    with pytest.raises(UsageError, match="no rule set given"):
        rules.evaluate_history(county(), [], "2021-06-01")
