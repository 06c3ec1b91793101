"""Who is owed a visit and by when: each duty in a county of a few households, and the order of all."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import presentation, rules, scoring
from riskmodel.data import About, County, from_frames
from riskmodel.households import known_county
from riskmodel.presentation.list_summary import summary_lines
from riskmodel.scoring.duties import duty_rules, find_duties, quarter_end
from riskmodel.scoring.list_totals import visits_for_lot

AS_OF = dt.date(2022, 4, 30)  # the Saturday before Labour Day; working days are 5, 6, 7, 9 May


def made(homes: dict[str, dict], **tables: list[tuple]) -> County:
    """A county of households that earn 9000 a year by their one member, unless said."""
    columns = {
        "visits": ["household_id", "date", "outcome"],
        "warnings": ["household_id", "department", "pushed_on", "forwarded_on"],
        "risk_events": ["household_id", "date", "cause", "channel"],
        "procedure": ["household_id", "step", "date"],
        "monitoring": ["household_id", "date", "event"],
        "support": ["household_id", "date", "measure"],
        "spending": ["household_id", "month", "category", "amount"],
    }
    months = pd.period_range("2020-01", "2022-03", freq="M").astype(str)
    frames = {
        "households": pd.DataFrame(
            [
                {"household_id": h, "township": "t", "village": "v", "registration": "general",
                 "valid_from": "2019-01-01", "housing_safe": True, "water_safe": True} | one.get("state", {})
                for h, one in homes.items()
            ]
        ),
        "members": pd.DataFrame(
            [
                {"member_id": f"{h}.1", "household_id": h, "birth_month": "1980-01",
                 "valid_from": "2019-01-01", "work_capacity": "full", "insured": one.get("insured", True)}
                for h, one in homes.items()
            ]
        ),
        "income": pd.DataFrame(
            [(h, m, "wage", one.get("income", 9000) / 12) for h, one in homes.items() for m in months],
            columns=["household_id", "month", "source", "amount"],
        ),
        **{name: pd.DataFrame(tables.get(name, []), columns=named) for name, named in columns.items()},
    }  # fmt: skip
    if frames["spending"].empty:  # without the table nobody's production costs are known
        frames["spending"] = pd.DataFrame(
            {"household_id": [next(iter(homes))], "month": "2020-01", "category": "living", "amount": 1.0}
        )
    about = About(coverage="whole", records_from="2019-01", data_through="2022-04-30")
    return from_frames({name: frame for name, frame in frames.items() if len(frame)}, about)


def listed(county: County, ruleset: str = "national-2021", visits: int = 20, **options) -> scoring.Worklist:
    verdicts = rules.evaluate_rules(known_county(county, AS_OF.isoformat()), ruleset)
    scores = verdicts.rename(columns={"category": "rule_category", "conditions": "rule_conditions"}).assign(
        probability=0.5, horizon_months=12, in_cohort=lambda v: v["pcni"] >= v["line"]
    )
    return scoring.build_worklist(scores, visits=visits, random_share=0.0, county=county, **options)


def told(plan: scoring.Worklist) -> dict[str, tuple[str, str, str | None]]:
    rows = plan.listed[plan.listed["selected_by"].isin(["rule", "application"])]
    return {
        r.household_id: (
            r.duties or r.urgency,
            f"{r.due_date:%m-%d}" if pd.notna(r.due_date) else "",
            r.clock,
        )
        for r in rows.itertuples()
    }


def test_each_duty_has_its_day_and_they_stand_in_the_order_of_the_issue() -> None:
    """Nobody here differs in its score: facts, limits and holidays alone make this order."""
    county = made(
        {
            "plain": {},
            "look_back": {},
            "card": {},
            "poor": {"income": 3000},
            "poor_before": {"income": 2000},
            "sick": {},
            "asked": {},
            "warned": {},
            "thirsty": {"state": {"water_safe": False}},
            "struck": {"state": {"housing_safe": False}},
        },
        risk_events=[
            ("struck", "2022-04-28", "disaster", "public_opinion"),
            ("asked", "2022-04-27", "schooling", "household_application"),
            ("sick", "2022-04-12", "illness", "cadre_screening"),
            ("poor", "2022-04-12", "unstable_employment", "cadre_screening"),
            ("poor_before", "2022-02-12", "unstable_employment", "cadre_screening"),
            ("card", "2021-01-12", "illness", "cadre_screening"),
        ],
        spending=[("sick", "2022-03", "medical", 30000)],
        warnings=[("warned", "医保局", "2022-04-27", "2022-04-29")],
        monitoring=[("card", "2021-02-01", "identified"), ("look_back", "2020-03-01", "identified"),
                    ("look_back", "2021-03-01", "eliminated")],
    )  # fmt: skip
    plan = listed(county, "dali-2021")
    assert told(plan) == {
        # An unsafe house after a disaster: help first, the same day, be it a holiday.
        "struck": ("danger;guarantee;verify", "04-28", "own_finding_visit"),
        "thirsty": ("guarantee", "04-30", "own_finding_visit"),
        # Three working days from the township's receipt; five from the application.
        "warned": ("warning", "05-07", "township_visit"),
        "asked": ("application", "05-07", "application"),
        "sick": ("sudden", "05-07", "township_visit"),
        # By the 15th, a Sunday; who was found a month ago should have been visited by the 15th of April.
        "poor_before": ("unvisited", "04-15", "visits_done"),
        "poor": ("new", "05-16", "visits_done"),
        "look_back": ("look_back", "06-01", "look_back"),
        "card": ("card", "04-30", "card"),
    } or told(plan)
    order = list(plan.listed["household_id"])
    assert order[:7] == ["struck", "thirsty", *sorted(order[2:4]), "sick", "poor_before", "poor"]
    assert set(order[7:9]) == {"card", "look_back"}
    assert order[9:] == ["plain"]
    assert plan.listed.set_index("household_id").loc["asked", "selected_by"] == "application"


def test_what_is_under_way_is_shown_and_not_visited_again() -> None:
    poor = {"income": 3000}
    event = "unstable_employment"
    homes = ["confirmed", "posted", "refused", "fresh"]
    county = made(
        dict.fromkeys(homes, poor),
        risk_events=[(h, "2022-01-12", event, "cadre_screening") for h in homes],
        visits=[("confirmed", "2022-04-02", "confirmed"), ("posted", "2022-03-02", "confirmed"),
                ("refused", "2022-04-02", "not_confirmed")],
        procedure=[("posted", "初步名单", "2022-03-10"), ("posted", "民主评议", "2022-03-12"),
                   ("posted", "公示开始", "2022-04-28")],
    )  # fmt: skip
    plan = listed(county)
    assert {h: code for h, (code, _, _) in told(plan).items()} == {
        "fresh": "unvisited", "confirmed": "candidate", "posted": "in_case", "refused": "visited",
    }  # fmt: skip
    assert list(plan.planned["household_id"]) == ["fresh"]
    # Flagged: on the list all the same, each with its state.
    columns = presentation.list_columns(plan.listed)
    words = presentation.rows_in_words(plan.listed, columns, "zh").set_index("household_id")["facts"]
    assert "候选名单" in words["confirmed"]
    assert "正在办理（公示中）" in words["posted"]


def test_an_old_application_is_counted_and_left_to_the_cases() -> None:
    county = made(
        {"old": {}, "new": {}, "visited": {}},
        risk_events=[
            ("old", "2021-06-01", "schooling", "household_application"),
            ("new", "2022-02-15", "schooling", "household_application"),
            ("visited", "2022-02-15", "schooling", "household_application"),
        ],
        visits=[("visited", "2022-02-20", "not_confirmed")],
    )
    plan = listed(county)
    assert told(plan) == {"new": ("application", "02-22", "application")}
    assert plan.totals["old_clues"] == 1


def test_insurance_that_lacked_before_waits_and_a_new_gap_does_not() -> None:
    table = pd.DataFrame(
        {"member_id": ["now.1"], "household_id": "now", "birth_month": "1980-01", "work_capacity": "full",
         "insured": True, "valid_from": "2019-01-01", "valid_to": "2022-04-10"}
    )  # fmt: skip
    later = table.assign(insured=False, valid_from="2022-04-10", valid_to=None)
    other = pd.DataFrame(
        {"member_id": ["before.1"], "household_id": "before", "birth_month": "1980-01",
         "work_capacity": "full", "insured": False, "valid_from": "2019-01-01", "valid_to": None}
    )  # fmt: skip
    county = _with_members(pd.concat([table, later, other], ignore_index=True))
    assert {h: code for h, (code, _, _) in told(listed(county)).items()} == {
        "before": "uninsured", "now": "guarantee"
    }  # fmt: skip


def _with_members(members: pd.DataFrame) -> County:
    months = pd.period_range("2020-01", "2022-03", freq="M").astype(str)
    homes = sorted(set(members["household_id"]))
    return from_frames(
        {
            "households": pd.DataFrame(
                {"household_id": homes, "township": "t", "village": "v", "registration": "general",
                 "valid_from": "2019-01-01"}
            ),
            "members": members,
            "spending": pd.DataFrame(
                {"household_id": homes, "month": "2020-01", "category": "living", "amount": 1.0}
            ),
            "income": pd.DataFrame(
                [(h, m, "wage", 750.0) for h in homes for m in months],
                columns=["household_id", "month", "source", "amount"],
            ),
        },
        About(coverage="whole", records_from="2019-01", data_through="2022-04-30"),
    )  # fmt: skip


def test_the_quarter_is_that_of_the_day_after() -> None:
    assert quarter_end(dt.date(2022, 3, 30)) == dt.date(2022, 3, 31)
    assert quarter_end(dt.date(2022, 3, 31)) == dt.date(2022, 6, 30)


def test_the_sudden_come_before_the_lot_and_before_depth(make_scores) -> None:
    """80 visits and 116 flagged, 30 of them in sudden hardship: all 30 have a place, the lot has none."""
    scores = make_scores(2000, flagged=0.0, unknown=0.0, unscored=0.0, seed=1)
    scores.loc[:115, ["flagged", "rule_category"]] = [True, "marginal"]
    scores.loc[:115, "pcni"] = np.linspace(2000, 5900, 116)
    scores.loc[86:115, "rule_category"] = "sudden_hardship"
    scores.loc[86:115, "pcni"] = 9000.0
    plan = scoring.build_worklist(scores, visits=80)
    sudden = plan.listed[plan.listed["rule_category"].eq("sudden_hardship")]
    assert len(sudden) == 30
    assert sudden["planned"].all()
    assert sudden["position"].max() == 30
    assert plan.planned["flagged"].all()
    assert len(plan.listed) == 116
    assert plan.totals["owed_waiting"] == 36
    # All chances of those who could be drawn are 0, and the list says what that means.
    assert (plan.selection.loc[plan.selection["selected_by"].eq(""), "chance"] == 0).all()
    said = dict(summary_lines(plan, "zh"))
    assert next(iter(said)) == "职责走访超出名额"
    assert "必须走访 116 户，本期名额 80 户，还差 36 户" in said["职责走访超出名额"]
    assert "无法判断模型准不准；名额增到 122 户" in said["本期没有随机抽查"]
    restored = scoring.build_worklist(scores, visits=122)
    assert restored.totals["planned_random"] == round(0.05 * 122) == 6
    assert "本期没有随机抽查" not in dict(summary_lines(restored, "zh"))
    shared = dict(summary_lines(plan, "en"))["Duties exceed the visits"]
    waiting = plan.listed[~plan.listed["planned"]].groupby("township").size()
    assert all(f"{place} {n} (" in shared for place, n in waiting.items())


@given(owed=st.integers(0, 400), share=st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5]))
@settings(max_examples=80, deadline=None)
def test_so_many_visits_restore_the_lot_and_one_fewer_does_not(owed: int, share: float) -> None:
    visits = visits_for_lot(owed, share)
    assert visits - owed >= max(round(share * visits), 1)
    assert visits - 1 - owed < max(round(share * (visits - 1)), 1)


@given(st.lists(st.sampled_from(sorted(duty_rules().kinds)), min_size=1, max_size=12), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_no_duty_of_a_lower_rank_has_a_place_while_a_higher_one_waits(codes: list[str], visits: int) -> None:
    from riskmodel.scoring.visit_plan import add_duties, add_visit_dates, plan_visits

    n = len(codes) + 3
    ids = [f"h{i}" for i in range(n)]
    frame = pd.DataFrame(
        {"household_id": ids, "township": "t", "village": "v", "flagged": False, "pcni": 9000.0,
         "line": 6000.0, "probability": 0.9, "in_cohort": True}
    )  # fmt: skip
    duties = pd.DataFrame(
        {"household_id": ids[: len(codes)], "code": codes, "due_on": pd.Timestamp("2022-05-05"), "clock": "x"}
    )
    plan = plan_visits(add_duties(add_visit_dates(frame, AS_OF), duties), visits, 0.3, [0], (), 0.1)
    rank = plan["urgency"].map(duty_rules().rank)
    owed, planned = plan["owed"], plan["planned"]
    assert planned.sum() <= visits
    if (owed & ~planned).any():
        assert not (planned & ~owed).any()
        assert rank[owed & planned].max() <= rank[owed & ~planned].min()
    # What only stands is never visited for it; whoever is owed a visit is always listed.
    assert not (planned & plan["urgency"].isin(duty_rules().standing)).any()
    assert plan.loc[owed, "selected_by"].isin(["rule", "application"]).all()


def test_duties_are_declared_whole() -> None:
    declared = duty_rules()
    assert set(declared.rank) == set(declared.kinds)
    assert all(k.default in declared.clocks for k in declared.duties if k.default)
    words = scoring.code_words("zh")["urgency"]
    assert set(declared.kinds) <= set(words)


def test_without_a_county_the_flagged_are_new_and_the_open_verdicts_follow(make_scores) -> None:
    scores = make_scores(40, flagged=0.2, unknown=0.2, unscored=0.0, seed=3)
    scores["doubts"] = np.where(scores["rule_category"].eq("unknown"), "maybe_stopped;no_income", "")
    found = find_duties(scores, dt.date(2021, 6, 30)).rows
    assert set(found["code"]) == {"new", "depends"}
    assert set(found.loc[found["code"].eq("depends"), "household_id"]) == set(
        scores.loc[scores["rule_category"].eq("unknown"), "household_id"]
    )
    plan = scoring.build_worklist(scores, visits=40)
    assert plan.unknown.empty
    assert plan.listed["urgency"].eq("depends").sum() == scores["rule_category"].eq("unknown").sum()


@pytest.mark.parametrize("as_of", ["2021-06-30", "2021-08-31"])
def test_incomes_are_to_be_known_before_the_quarter_ends(make_scores, as_of: str) -> None:
    scores = make_scores(60, flagged=0.1, unknown=0.3, unscored=0.0, seed=4).assign(as_of=pd.Timestamp(as_of))
    plan = scoring.build_worklist(scores, visits=20, random_share=0.2)
    blind = scores["rule_category"].eq("unknown").sum()
    here = plan.listed["urgency"].eq("unknown").sum()
    # In the quarter's last month they take places before forecasts, but not the lot's.
    assert (here > 0) == (as_of == "2021-08-31")
    assert here + len(plan.unknown) == blind
    assert plan.totals["planned_random"] == 4
    assert (plan.unknown["due_date"] == pd.Timestamp("2021-09-30")).all()
