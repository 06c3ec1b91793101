"""Single rules at their borders, the frame's shape, parameters, scores; many dates, each by its own set."""

from __future__ import annotations

import datetime as dt
import math

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import InputRefused, UsageError
from riskmodel.rules.evaluate import COLUMNS, CONTRACT

from .tiny import county, street

DAY = "2021-06-01"


def rows(c, ruleset: str = "national-2021", day: str = DAY, **given) -> dict[str, pd.Series]:
    frame = rules.evaluate_rules(c, ruleset, day, **given)
    return {r["household_id"]: r for _, r in frame.iterrows()}


def one(c, ruleset: str = "national-2021", day: str = DAY, **given) -> pd.Series:
    return rows(c, ruleset, day, **given)["h"]


def column(
    cases: dict[str, dict], name: str, ruleset: str = "national-2021", absent: tuple = (), day: str = DAY
):
    """Return one column of the verdicts on a street of cases, by case."""
    return {case: row[name] for case, row in rows(street(cases, absent), ruleset, day).items()}


ILL = [{"date": "2021-03-01", "cause": "illness"}]
UNSAFE = {"housing_safe": False}


def medical(amount: float) -> list[dict]:
    return [{"month": "2021-04", "category": "medical", "amount": amount}]


def test_columns_are_the_contracts_in_its_order() -> None:
    frame = rules.evaluate_rules(county(), "county-2020", DAY)
    assert tuple(frame.columns) == COLUMNS
    assert tuple(frame.columns[: len(CONTRACT)]) == CONTRACT
    assert frame["has_risk"].dtype == "boolean"
    assert frame["flagged"].dtype == bool


def test_national_types_at_their_borders() -> None:
    cases = {
        "just below": {"income": 5999.9999, "state": UNSAFE},
        # "below L" is < L: a household at exactly 6000 yuan a head goes to the other branch.
        "on the line": {"income": 6000.0, "state": UNSAFE},
        "general": {"income": 5000.0, "state": UNSAFE, "registration": "general"},
        "not lifted": {"income": 5000.0, "state": UNSAFE, "registration": "not_lifted"},
        "no risk": {"income": 5000.0},
        "sudden": {"income": 6000.0, "previous": 5000.0, "risk_events": ILL, "spending": medical(5000.01)},
        # Exactly last year's income does not exceed it.
        "not more": {"income": 6000.0, "previous": 5000.0, "risk_events": ILL, "spending": medical(5000.0)},
        "half": {"income": 6000.0, "previous": 12000.0, "risk_events": ILL},
        "not half": {"income": 6000.01, "previous": 12000.0, "risk_events": ILL},
        "no income before": {"income": 6000.0, "previous": 0.0, "risk_events": ILL, "spending": medical(1.0)},
    }
    assert column(cases, "category") == {
        "just below": "unstable_lifted",
        "on the line": "none",
        "general": "marginal",
        "not lifted": "none",
        "no risk": "none",
        "sudden": "sudden_hardship",
        "not more": "none",
        "half": "sudden_hardship",
        "not half": "none",
        "no income before": "sudden_hardship",
    }
    ratios = column(cases, "rigid_ratio")
    assert math.isinf(ratios["no income before"])  # any rigid spending over no income
    assert ratios["no risk"] == 0.0


def test_order_of_the_verdict_registration_before_unknown_income() -> None:
    nobody_paid = county(None, registration="general")
    assert one(nobody_paid, "classes-2020")["category"] == "none"  # the set speaks of lifted households only
    row = one(nobody_paid, "nancheng-2020")
    assert (row["category"], row["tier"], row["flagged"]) == ("unknown", "", False)
    assert row["income_reason"] == "no_income"


def test_what_cannot_be_judged_is_listed_and_not_met() -> None:
    cases = {"poor": {"income": 5000.0}, "gap": {"income": 5000.0, "state": {"water_safe": False}}}
    verdicts = rows(street(cases, absent=("risk_events",)))
    assert verdicts["poor"]["category"] == "none"
    assert pd.isna(verdicts["poor"]["has_risk"])
    assert {"at_risk", "sudden_cause"} <= set(verdicts["poor"]["unknown"].split(";"))
    # A known gap makes the risk known even without risk events.
    assert verdicts["gap"]["category"] == "unstable_lifted"
    # With the table there and no row, nothing happened: has_risk is false, not unknown.
    row = rows(street(cases))["poor"]
    assert not row["has_risk"]
    assert "at_risk" not in row["unknown"].split(";")


def test_nothing_recorded_later_is_seen() -> None:
    late = [{"date": "2021-03-01", "cause": "illness", "recorded_on": "2021-06-02"}]
    frame = rules.evaluate_rules(
        county(4900.0, risk_events=late), "county-2020", ["2021-06-01", "2021-06-02"]
    )
    assert frame["category"].tolist() == ["none", "unstable_lifted"]


MARKED = [{"date": "2020-01-01", "event": "identified", "causes": "illness"}]
HELPED = [{"date": "2020-02-01", "measure": "health", "cause": "illness"}]
FALLBACK = [{"date": "2020-06-01", "measure": "social_security"}]
STABLE = {"income": 9000.0, "previous": 9000.0, "monitoring": MARKED, "support": HELPED}
UNABLE = [{"work_capacity": "none"}]


def test_elimination_needs_all_four_and_labour() -> None:
    cases = {
        "all four": ({}, "eliminate"),
        "no measure": ({"support": []}, "hold"),  # criterion 1
        "one cause of two": ({"monitoring": [{**MARKED[0], "causes": "illness;disability"}]}, "hold"),
        "which causes?": ({"monitoring": [{**MARKED[0], "causes": None}]}, "hold"),
        "gap": ({"state": UNSAFE}, "hold"),  # criterion 2
        "not exceeding": ({"previous": 6000.0}, "hold"),  # criterion 3: exceed, in both periods
        "one period": ({"previous": None}, "hold"),
        "spending": ({"spending": medical(9000.01)}, "hold"),  # criterion 4
        "as much": ({"spending": medical(9000.0)}, "eliminate"),
        "unable": ({"members": UNABLE}, "hold_no_labour"),
        "fallback": ({"members": UNABLE, "support": [*HELPED, *FALLBACK]}, "eliminate"),
        "fallback ended": (
            {"members": UNABLE, "support": [*HELPED, {**FALLBACK[0], "end_date": "2021-06-01"}]},
            "hold_no_labour",
        ),
        # Not known to be without labour, nor known to have any: neither verdict.
        "capacity unknown": ({"members": [{"work_capacity": None}]}, "hold"),
        "not in the register": ({"monitoring": []}, ""),
    }
    street_of = {name: STABLE | given for name, (given, _) in cases.items()}
    assert column(street_of, "outcome") == {name: outcome for name, (_, outcome) in cases.items()}


def test_a_condition_holds_only_where_it_applies() -> None:
    # The four criteria of elimination are asked of the register's households. Of two that are equal but for
    # it, only the one in the register is said to meet them; of the other nothing is unknown either.
    inside, outside = STABLE, {**STABLE, "monitoring": []}
    verdicts = rows(street({"inside": inside, "outside": outside}))
    criteria = {"supported", "no_gap", "income_stable", "rigid_settled"}
    assert criteria <= set(verdicts["inside"]["conditions"].split(";"))
    assert not criteria & set(verdicts["outside"]["conditions"].split(";"))
    assert not criteria & set(verdicts["outside"]["unknown"].split(";"))


def test_who_may_belong_to_those_that_count_is_not_flagged_for_it() -> None:
    # Nancheng gives every household a colour but counts a general one only below the line and at risk.
    # Without a table of events the risk is unknown: the colour stays, and nobody is flagged for it.
    poor = {"income": 3000.0, "registration": "general", "spending": medical(2000.0)}
    unknown = rows(street({"h": poor}, ("risk_events",)), "nancheng-2020")["h"]
    known = rows(street({"h": poor | {"risk_events": ILL}}), "nancheng-2020")["h"]
    assert unknown["tier"] == "yellow"  # its spending weighs heavily
    assert pd.isna(unknown["has_risk"])
    assert (unknown["flagged"], known["flagged"]) == (False, True)


def test_unknown_never_eliminates() -> None:
    able, unable = {"able": STABLE}, {"unable": STABLE | {"members": UNABLE}}
    assert column(able | unable, "outcome", absent=("support",)) == {
        "able": "hold",
        "unable": "hold_no_labour",
    }
    assert column(able, "outcome", absent=("monitoring",)) == {"able": ""}


def test_fallback_support_counts_from_twelve_months_on() -> None:
    c = street({"h": STABLE | {"members": UNABLE, "support": [*HELPED, *FALLBACK]}})
    frame = rules.evaluate_rules(c, "national-2021", ["2021-05-31", "2021-06-01"])
    # On 2021-05-31 the first of June 2020 is not yet 12 months ago.
    assert frame["outcome"].tolist() == ["hold_no_labour", "eliminate"]


def test_look_back_on_the_eliminated() -> None:
    done = {**STABLE, "monitoring": [*MARKED, {"date": "2021-01-01", "event": "eliminated"}]}
    cases = {
        "stable": ({}, ""),
        "gap": ({"state": UNSAFE}, "roll_back"),
        "unable": ({"members": UNABLE}, "roll_back"),
        "old risk": ({"risk_events": [{"date": "2021-01-01", "cause": "illness"}]}, ""),
        "new risk": ({"risk_events": [{"date": "2021-01-02", "cause": "illness"}]}, "re_mark"),
        "both": ({"state": UNSAFE, "risk_events": [{"date": "2021-01-02", "cause": "illness"}]}, "roll_back"),
    }
    street_of = {name: done | given for name, (given, _) in cases.items()}
    assert column(street_of, "outcome", "yingjiang-2022") == {n: outcome for n, (_, outcome) in cases.items()}
    # The look-back is this county's: the national set says nothing of who is no longer in the register.
    assert set(column(street_of, "outcome").values()) == {""}


def test_the_negative_list_asks_and_never_strikes_off() -> None:
    poor = {
        "income": 5000.0,
        "state": UNSAFE,
        "assets": [{"kind": "shop"}, {"kind": "car"}, {"kind": "machinery"}],
    }
    verdicts = rows(street({"in": poor | {"monitoring": MARKED}, "out": poor}), "dali-2021")
    assert verdicts["in"]["category"] == "unstable_lifted"
    assert verdicts["in"]["removed_by"] == "car;shop"  # in code order; machinery is not on the list
    assert verdicts["in"]["outcome"] == "verify_removal"
    assert (verdicts["out"]["flagged"], verdicts["out"]["outcome"]) == (True, "")  # nothing to remove it from
    row = one(county(5000.0, monitoring=MARKED, absent=("assets",)), "dali-2021")
    assert "negative_list_hit" in row["unknown"].split(";")


def test_income_bands_and_plans() -> None:
    amounts = {6999.99: "", 7000.0: "7000-8000", 7999.99: "7000-8000", 8000.0: "8000-9000", 10000.0: ""}
    cases = {str(a): {"income": a, "registration": "general"} for a in amounts}
    cases |= {f"lifted {a}": {"income": a} for a in (9999.99, 10000.0, None)}
    cases["monitored"] = {"income": 8000.0, "registration": "general", "monitoring": MARKED}
    verdicts = rows(street(cases), "yingjiang-2022")
    # The lower bound is in, the upper out; only general households have a band.
    assert {a: verdicts[str(a)]["income_band"] for a in amounts} == amounts
    assert verdicts["lifted 9999.99"]["income_band"] == ""
    # Three-year plans are for lifted and monitored households below 10000.
    assert verdicts["lifted 9999.99"]["income_plan"]
    assert not verdicts["lifted 10000.0"]["income_plan"]
    assert not verdicts["8000.0"]["income_plan"]
    assert verdicts["monitored"]["income_plan"]
    assert pd.isna(verdicts["lifted None"]["income_plan"])


def test_cards_take_the_worse_of_colour_and_probability() -> None:
    c = county(7000.0, monitoring=MARKED, risk_events=[{"date": "2021-03-01", "cause": "disaster"}])
    row = one(c, "cards-2023")
    assert (row["tier"], row["visit_every_days"]) == ("yellow", 30)  # one kind below 9000: the colour alone
    assert "probability" in row["unknown"].split(";")
    for probability, tier, days in ((0.0999, "yellow", 30), (0.3, "red", 15)):
        scores = pd.DataFrame({"household_id": ["h"], "as_of": [DAY], "probability": [probability]})
        row = one(c, "cards-2023", scores=scores)
        assert (row["tier"], row["visit_every_days"]) == (tier, days)
        assert "probability" not in row["unknown"].split(";")
    assert one(county(7000.0), "cards-2023")["tier"] == ""  # not monitored: no card


def test_scores_are_read_from_files_and_refused_when_wrong(tmp_path) -> None:
    c = county(7000.0, monitoring=MARKED)
    good = pd.DataFrame({"household_id": ["h"], "as_of": [DAY], "probability": [0.5]})
    for name, write in (("s.csv", good.to_csv), ("s.parquet", good.to_parquet), ("s.xlsx", good.to_excel)):
        write(tmp_path / name, index=False)
        assert one(c, "cards-2023", scores=tmp_path / name)["tier"] == "red"
    with pytest.raises(InputRefused, match="probability"):
        one(c, "cards-2023", scores=good.drop(columns="probability"))
    with pytest.raises(InputRefused, match="twice"):
        one(c, "cards-2023", scores=pd.concat([good, good]))
    with pytest.raises(InputRefused, match="2021-06-01; asked for 2021-05-01"):
        one(c, "cards-2023", day="2021-05-01", scores=good)
    with pytest.raises(InputRefused, match="outside 0 to 1"):
        one(c, "cards-2023", scores=good.assign(probability=1.5))
    with pytest.raises(UsageError, match="no such file"):
        one(c, "cards-2023", scores=tmp_path / "none.csv")


def test_overrides_change_the_verdict_and_are_marked() -> None:
    c = county(6000.0, state={"housing_safe": False})
    row = one(c, params={"line": "6500", "sudden_causes": "illness"})
    assert (row["line"], row["gap"], row["category"]) == (6500.0, 500.0, "unstable_lifted")
    said = dict(part.split("=", 1) for part in row["assumptions"].split(";"))
    assert said["line"] == "6500 (override)"
    assert said["sudden_causes"] == "illness (override)"
    assert said["large_drop"] == "0.5"
    assert "line" not in one(c)["assumptions"].split("=")[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lime": 5000}, "no parameter 'lime'; it has: line,"),
        ({"line": "high"}, "line: 'high' is not a finite number"),
        ({"line": float("nan")}, "is not a finite number"),
        ({"line": True}, "is not a finite number"),
        ({"stable_periods": 1.5}, "is not a whole number"),
        ({"sudden_causes": "flood"}, "not a list of codes, of: illness,"),
        ({"large_drop": None}, "must not be empty"),
        ({"large_drop": -1}, "from 0 to 1"),
    ],
)
def test_wrong_overrides_are_refused_with_what_is_allowed(params: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        one(county(), params=params)


def test_a_year_without_a_standard_takes_the_latest_earlier_one_and_says_so() -> None:
    c, days = county(5999.0), ["2019-12-31", "2020-12-31", "2021-06-01"]
    before, that_year, later = (r for _, r in rules.evaluate_rules(c, "ratio-1.5-2020", days).iterrows())
    assert that_year["line"] == later["line"] == 6000.0
    assert "national_standard[2021]=4000 (of 2020)" in later["assumptions"].split(";")
    assert "(of 2020)" not in that_year["assumptions"]
    # Before the first year there is no standard: the line is unknown, nobody is below it.
    assert pd.isna(before["line"])
    assert "below_line" in before["unknown"].split(";")
    by_year = {"national_standard": "{2020: 4000, 2021: 4100}"}
    assert rules.poverty_lines(c, "ratio-1.5-2020", DAY, by_year)[dt.date(2021, 6, 1)] == 6150.0


def test_a_warning_without_its_data_is_unknown_never_false() -> None:
    cases = {
        "nothing known": {"members": [{"insured": None, "birth_month": "2010-01"}]},
        "one case": {"members": [{"insured": False}, {"insured": None}]},
    }
    verdicts = rows(street(cases), "ratio-1.5-2020")
    unknown = set(verdicts["nothing known"]["unknown"].split(";"))
    assert {"warn_water", "warn_housing", "warn_medical_cover", "warn_schooling"} <= unknown
    assert "warn_special_household" in unknown  # no column tells
    assert "warn_medical_cover" in verdicts["one case"]["conditions"].split(";")


def test_several_sets_and_dates_in_one_pass_agree_with_one_at_a_time() -> None:
    c = county(5500.0, previous=9000.0, risk_events=ILL, monitoring=MARKED)
    days = ["2021-06-01", "2022-06-01"]
    sets = ("causes-2020", "county-2020", "wuhu-2019")  # two accounting periods
    together = dict(rules.evaluate_rule_sets(c, sets, days))
    assert {len(f) for f in together.values()} == {len(days)}
    for name in sets[:2]:
        apart = pd.concat([rules.evaluate_rules(c, name, d) for d in days], ignore_index=True)
        pd.testing.assert_frame_equal(together[name], apart)


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
    with pytest.raises(UsageError, match="no parameter 'lime'"):
        rules.evaluate_history(c, sets, days, params={"lime": 1})


def test_a_date_before_the_first_set_is_refused() -> None:
    with pytest.raises(UsageError, match="the first, county-2020, begins on 2020-03-01"):
        rules.evaluate_history(county(), ["county-2020", "national-2021"], "2020-02-29")
    with pytest.raises(UsageError, match="two rule sets begin on 2021-06-01"):
        rules.evaluate_history(county(), ["dali-2021", "national-2021"], "2021-06-01")
    with pytest.raises(UsageError, match="no rule set given"):
        rules.evaluate_history(county(), [], "2021-06-01")
