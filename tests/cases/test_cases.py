"""Cases made of the county's tables alone, each followed by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.cases import find_cases, read_steps

from .small import known, procedure, register, visits


def one(cases: pd.DataFrame, household: str = "h1") -> pd.Series:
    (row,) = cases[cases["household_id"] == household].to_dict("records")
    return pd.Series(row)


ROAD = procedure(
    ("h1", "2022-05-03", "申请授权"),
    ("h1", "2022-05-05", "初步名单"),
    ("h1", "2022-05-09", "民主评议"),
    ("h1", "2022-05-10", "公示开始"),
    ("h1", "2022-05-17", "公示期满"),
    ("h1", "2022-05-18", "乡镇审核"),
    ("h1", "2022-05-20", "县级比对"),
    ("h1", "2022-05-23", "县级审定"),
)
# What is known, and for whom it waits, after each of these days.
ON_THE_ROAD = {
    "2022-05-02": ("verified", "household"),
    "2022-05-04": ("applied", "village"),
    "2022-05-06": ("proposed", "village"),
    "2022-05-09": ("appraised", "village"),
    "2022-05-12": ("publicised", "village"),
    "2022-05-17": ("publicity_over", "township"),
    "2022-05-19": ("township_checked", "county"),
    "2022-05-20": ("compared", "county"),
    "2022-05-30": ("decided", "township"),
}


@pytest.mark.parametrize(("day", "expected"), ON_THE_ROAD.items())
def test_a_case_stands_where_the_steps_known_by_a_day_brought_it(day: str, expected: tuple[str, str]) -> None:
    there = known(
        day,
        visits=visits(("h1", "2022-05-02", "confirmed")),
        procedure=ROAD,
        monitoring=register(("h1", "2022-05-23", "identified")),
        support=pd.DataFrame({"household_id": ["h1"], "date": ["2022-06-02"], "measure": ["health"]}),
    )
    case = one(find_cases(there, "yingjiang-2022"))
    assert (case["state"], case["waiting_for"]) == expected
    assert (case["kind"], case["opened_on"], case["closed"]) == (
        "identify",
        pd.Timestamp("2022-05-02"),
        False,
    )
    assert case["case_id"] == "h1-20220502-identify"


def test_a_county_without_application_waits_for_the_village_at_once() -> None:
    there = known("2022-05-03", visits=visits(("h1", "2022-05-02", "confirmed")))
    assert one(find_cases(there, "county-2020"))["waiting_for"] == "village"


def test_the_first_measure_closes_an_identification_and_the_register_says_the_standing() -> None:
    tables = {
        "monitoring": register(("h1", "2022-05-23", "identified"), ("h2", "2022-05-23", "identified")),
        "support": pd.DataFrame({"household_id": ["h1"], "date": ["2022-06-02"], "measure": ["health"]}),
    }
    cases = find_cases(known("2022-07-01", **tables), "dali-2021")
    supported, waiting = one(cases), one(cases, "h2")
    assert (supported["state"], supported["closed"], supported["standing"]) == ("supported", True, "watched")
    assert (waiting["state"], waiting["closed"]) == ("decided", False)
    # dali-2021: support starts within a month of identification; by 1 July it is late.
    assert (waiting["due_on"], waiting["late"]) == (pd.Timestamp("2022-06-23"), True)


def test_publicity_names_its_first_possible_end_and_is_never_late_for_it() -> None:
    there = known("2022-05-30", procedure=procedure(("h1", "2022-05-10", "公示开始")))
    case = one(find_cases(there, "national-2021"))
    assert (case["clock"], case["due_on"], case["late"]) == ("publicity", pd.Timestamp("2022-05-15"), False)


def test_what_was_recorded_later_is_not_known() -> None:
    late = procedure(("h1", "2022-05-05", "初步名单")).assign(recorded_on="2022-06-20")
    tables = {"visits": visits(("h1", "2022-05-02", "confirmed")), "procedure": late}
    assert one(find_cases(known("2022-06-01", **tables), "national-2021"))["state"] == "verified"
    assert one(find_cases(known("2022-07-01", **tables), "national-2021"))["state"] == "proposed"


def test_a_refusal_ends_a_case_and_a_later_visit_opens_another() -> None:
    seen = visits(("h1", "2022-03-02", "not_confirmed"), ("h1", "2022-05-02", "confirmed"))
    cases = find_cases(known("2022-06-01", visits=seen), "national-2021")
    assert list(cases["state"]) == ["not_confirmed", "verified"]
    assert list(cases["closed"]) == [True, False]  # no explanation was ever recorded here: none is owed


def test_an_explanation_is_owed_once_explanations_are_recorded() -> None:
    tables = {
        "visits": visits(("h1", "2022-03-02", "not_confirmed"), ("h2", "2022-05-02", "not_confirmed")),
        "procedure": procedure(("h1", "2022-03-02", "已向农户说明")),
    }
    cases = find_cases(known("2022-06-01", **tables), "national-2021")
    told, owed = one(cases), one(cases, "h2")
    assert told["closed"]
    assert not owed["closed"]
    # 2 May 2022, a holiday to the 4th; Saturday the 7th was worked: 5, 6, 7, 9, 10 May.
    assert (owed["clock"], owed["due_on"], owed["late"]) == ("explanation", pd.Timestamp("2022-05-10"), True)
    assert owed["waiting_for"] == "village"


def test_a_warning_goes_from_the_county_to_the_village_and_its_result_is_read() -> None:
    warnings = pd.DataFrame(
        {
            "household_id": ["h1", "h2", "h3", "h4", "h5"],
            "department": "医保局",
            "pushed_on": "2022-05-02",
            "forwarded_on": [None, "2022-05-04", "2022-05-04", "2022-05-04", "2022-05-04"],
            "checked_on": [None, None, "2022-05-06", "2022-05-06", "2022-05-06"],
            "result": [None, None, "属实", "不属实", None],
        }
    )
    cases = find_cases(known("2022-05-20", warnings=warnings), "dali-2021")
    states = dict(zip(cases["household_id"], cases["state"], strict=True))
    assert states == {
        "h1": "clue", "h2": "to_verify", "h3": "verified", "h4": "not_confirmed", "h5": "visited"
    }  # fmt: skip
    assert one(cases)["waiting_for"] == "county"
    assert one(cases, "h2")["waiting_for"] == "village"
    # County to township 2 working days (5, 6 May, after the holiday), to the visit 3 (Saturday was worked).
    assert one(cases)["due_on"] == pd.Timestamp("2022-05-06")
    assert one(cases, "h2")["due_on"] == pd.Timestamp("2022-05-07")
    assert bool(one(cases, "h2")["late"])
    # Visited: only what is not found out yet has no clock of the rule set any more.
    assert one(cases, "h3")["due_on"] is pd.NaT


def test_an_own_application_is_a_clue_and_other_channels_are_only_facts() -> None:
    events = pd.DataFrame(
        {
            "household_id": ["h1", "h2"],
            "date": "2022-05-02",
            "cause": "illness",
            "channel": ["household_application", "cadre_screening"],
        }
    )
    case = one(find_cases(known("2022-05-20", risk_events=events), "lueyang-2021"))
    assert (case["state"], case["cause"], case["channel"]) == ("clue", "illness", "household_application")
    # Five working days from 2 May 2022, around the holiday to the 4th and Saturday the 7th, worked.
    assert (case["clock"], case["due_on"]) == ("application", pd.Timestamp("2022-05-10"))


def test_a_visit_to_a_household_under_watch_is_no_case_and_its_procedure_leads_out() -> None:
    tables = {
        "monitoring": register(("h1", "2021-05-23", "identified"), ("h1", "2022-06-10", "eliminated")),
        "visits": visits(("h1", "2021-08-02", "confirmed")),
        "procedure": procedure(("h1", "2022-05-05", "拟消除"), ("h1", "2022-05-09", "民主评议")),
        "support": pd.DataFrame({"household_id": ["h1"], "date": ["2021-06-02"], "measure": ["health"]}),
    }
    before = find_cases(known("2022-06-01", **tables), "national-2021")
    assert list(before["kind"]) == ["identify", "eliminate"]
    assert list(before["state"]) == ["supported", "appraised"]
    assert list(before["list"]) == [1, 5]
    after = find_cases(known("2022-07-01", **tables), "national-2021")
    assert list(after["state"]) == ["supported", "eliminated"]
    assert set(after["standing"]) == {"eliminated"}
    assert after["closed"].all()


def test_an_eliminated_household_is_re_marked_on_a_new_risk_and_rolled_back_without_one() -> None:
    tables = {
        "monitoring": register(
            ("h1", "2021-01-10", "identified"),
            ("h1", "2021-09-10", "eliminated"),
            ("h1", "2022-02-10", "rolled_back"),
            ("h2", "2021-01-10", "identified"),
            ("h2", "2021-09-10", "eliminated"),
        ),
        "visits": visits(("h2", "2022-02-02", "confirmed")),
    }
    cases = find_cases(known("2022-06-01", **tables), "national-2021")
    kinds = cases.groupby("household_id")["kind"].agg(list).to_dict()
    assert kinds == {
        "h1": ["identify", "eliminate", "roll_back"], "h2": ["identify", "eliminate", "re_mark"]
    }  # fmt: skip
    assert cases[cases["household_id"] == "h1"]["standing"].unique().tolist() == ["watched"]


def test_rows_of_tables_never_move_a_case_back() -> None:
    tables = {
        "visits": visits(("h1", "2022-05-02", "confirmed"), ("h1", "2022-05-12", "confirmed")),
        "procedure": ROAD,
    }
    case = one(find_cases(known("2022-05-13", **tables), "national-2021"))
    assert (case["state"], case["since"]) == ("publicised", pd.Timestamp("2022-05-10"))


def test_every_step_says_where_it_came_from_and_where_it_led() -> None:
    tables = {"visits": visits(("h1", "2022-05-02", "confirmed")), "procedure": ROAD}
    steps = read_steps(known("2022-06-01", **tables))
    assert list(steps["to"]) == [
        "verified", "applied", "proposed", "appraised", "publicised", "publicity_over", "township_checked",
        "compared", "decided",
    ]  # fmt: skip
    assert list(steps["from"]) == ["start", *steps["to"][:-1]]
    assert set(steps["case_id"]) == {"h1-20220502-identify"}
    assert set(steps["source"]) == {"table"}


def test_no_column_names_a_score() -> None:
    there = known("2022-06-01", visits=visits(("h1", "2022-05-02", "confirmed")).assign(selected_by="model"))
    cases, steps = find_cases(there, "national-2021"), read_steps(there)
    for frame in (cases, steps):
        assert not {"probability", "rank", "tier", "score", "model", "selected_by"} & set(frame.columns)
        assert not frame.astype(str).apply(lambda column: column.str.contains("model|random")).any(axis=None)


def test_a_county_without_any_step_has_no_case() -> None:
    cases = find_cases(known("2022-06-01"), "national-2021")
    assert cases.empty
    assert "household_id" in cases
