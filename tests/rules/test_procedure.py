"""Time limits counted by hand; expected size, scale risk and result lists of a county."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import County, from_frames
from riskmodel.errors import UsageError

from .tiny import county, street

# Friday 2021-09-03; the Mid-Autumn holiday of 2021 was 19-21 September, worked instead on Saturday the 18th.
WARNINGS = pd.DataFrame(
    {
        "household_id": "h",
        "pushed_on": ["2021-09-03", "2021-09-03", "2021-09-17", "2021-09-03"],
        "forwarded_on": ["2021-09-07", "2021-09-08", "2021-09-22", None],
        "checked_on": None,
    }
)


def county_with_warnings(**more: pd.DataFrame) -> County:
    return from_frames({"warnings": WARNINGS, **more})


def clock(c: County, name: str, day: str = "2021-10-29", calendar=None) -> pd.Series:
    return rules.check_time_limits(c, "dali-2021", day, calendar).set_index("id").loc[name]


def test_a_year_without_a_holiday_table_has_only_its_weekends_free() -> None:
    # Friday to Tuesday is 2 working days, to Wednesday 3; 17th (Fri) to 22nd (Wed) 3; one never forwarded.
    row = clock(county_with_warnings(), "county_to_township", calendar={"years": {2021: {}}})
    assert (row["started"], row["in_time"], row["late"], row["running"]) == (4, 1, 3, 0)
    assert row["late_share"] == 0.75
    assert row["assumption"] == "weekends only: no holiday table for 2021"


def test_a_step_that_nobody_records_is_not_late() -> None:
    """Eliminated half a year ago; whether anybody looked back is in no row of this county."""
    gone = pd.DataFrame({"household_id": ["a"], "date": "2021-01-31", "event": "eliminated"})
    steps = pd.DataFrame({"household_id": ["a"], "step": "公示开始", "date": "2021-01-20"})
    for step, checked in (("公示开始", False), ("回头看", True)):
        tables = {"monitoring": gone, "procedure": steps.assign(step=step)}
        rows = rules.check_time_limits(from_frames(tables), "cards-2023", "2021-10-29").set_index("id")
        assert bool(rows.loc["look_back", "checked"]) is checked
    assert rows.loc["look_back", "late"] == 1  # the one on record is from before the elimination


@pytest.mark.parametrize(
    "calendar",
    [
        None,
        {"holidays": ["2021-09-20", "2021-09-21"], "working_weekends": ["2021-09-18"]},
        {"years": {2021: {"holidays": ["2021-09-19/2021-09-21"], "working_weekends": ["2021-09-18"]}}},
    ],
)
def test_a_holiday_table_frees_holidays_and_counts_worked_weekends(calendar: dict | None) -> None:
    row = clock(county_with_warnings(), "county_to_township", calendar=calendar)
    # 17th to 22nd: Saturday the 18th and Wednesday the 22nd, two working days.
    assert (row["in_time"], row["late"]) == (2, 2)
    assert row["assumption"] == ""


def test_what_is_not_done_is_running_until_it_is_overdue() -> None:
    row = clock(county_with_warnings(), "county_to_township", day="2021-09-07")
    # On the 7th: one done in time, two pushed on the 3rd still have the day; the 17th has not come.
    assert (row["started"], row["in_time"], row["late"], row["running"]) == (3, 1, 0, 2)


def test_support_starts_within_a_month_of_identification() -> None:
    marked = pd.DataFrame(
        {
            "household_id": ["a", "b", "c"],
            "date": "2021-01-31",
            "event": ["identified", "identified", "eliminated"],
        }
    )
    helped = pd.DataFrame(
        {
            "household_id": ["a", "b", "b"],
            "date": ["2021-03-01", "2020-12-01", "2021-03-02"],
            "measure": "health",
        }
    )
    row = clock(county_with_warnings(monitoring=marked, support=helped), "support_start")
    # The month after 31 January ends on 28 February, a Sunday: Monday still counts, Tuesday does not, and
    # neither does help from before the identification.
    assert (row["started"], row["in_time"], row["late"]) == (2, 1, 1)


def test_declared_clocks_without_columns_are_listed_not_checked() -> None:
    row = clock(county_with_warnings(), "own_finding_visit")
    assert not row["checked"]
    assert pd.isna(row["late_share"])
    assert not clock(county_with_warnings(), "support_start")["checked"]  # the tables are absent


@pytest.mark.parametrize("name", ["national-2021", "wuhu-2019", "yingjiang-2022", "cards-2023"])
def test_every_set_lists_its_clocks(name: str) -> None:
    assert set(rules.check_time_limits(county_with_warnings(), name, "2021-10-29")["id"]) == {
        c.id for c in rules.load_rules(name).clocks
    }


def test_steps_of_the_procedure_with_a_lower_limit() -> None:
    """Publicity of at least 5 days: 9 days keep it, 3 break it, and what was objected to has no end."""
    steps = [
        ("a", "公示开始", "2021-07-01"), ("a", "公示期满", "2021-07-10"),
        ("b", "公示开始", "2021-07-01"), ("b", "公示期满", "2021-07-04"),
        # First round stopped by an objection; the end in autumn is that of the second.
        ("c", "公示开始", "2021-07-01"), ("c", "公示异议", "2021-07-03"),
        ("c", "公示开始", "2021-09-01"), ("c", "公示期满", "2021-09-20"),
    ]  # fmt: skip
    table = pd.DataFrame(steps, columns=["household_id", "step", "date"])
    row = rules.check_time_limits(from_frames({"procedure": table}), "national-2021", "2021-12-31").set_index(
        "id"
    )
    row = row.loc["publicity"]
    assert (row["started"], row["in_time"], row["late"], row["running"]) == (4, 2, 1, 1)


def test_identification_is_timed_from_the_visit_to_the_approval() -> None:
    steps = [
        ("a", "入户核查", "2021-07-01"),
        ("a", "县级审定", "2021-07-16"),
        ("b", "入户核查", "2021-07-01"),
    ]
    table = pd.DataFrame(steps, columns=["household_id", "step", "date"])
    approved = from_frames({"procedure": table})
    # The 15th day is still in time; on the 17th b is overdue, on the 10th not yet.
    for day, counts in (("2021-07-17", (2, 1, 1, 0)), ("2021-07-10", (2, 0, 0, 2))):
        row = rules.check_time_limits(approved, "yingjiang-2022", day).set_index("id").loc["identification"]
        assert (row["started"], row["in_time"], row["late"], row["running"]) == counts


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
