"""Labels of hand-worked households: 1 where it happened, 0 where the window was seen, null else."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import targets
from riskmodel.data import About, County, from_frames
from riskmodel.errors import UsageError
from riskmodel.targets import Horizon


def months(first: str, last: str) -> list[str]:
    return [str(p) for p in pd.period_range(first, last, freq="M")]


def people(ids: list[str], registration: str = "lifted") -> dict[str, pd.DataFrame]:
    return {
        "households": pd.DataFrame(
            {
                "household_id": ids,
                "township": "t",
                "village": "v",
                "registration": registration,
                "valid_from": "2018-01-01",
            }
        ),
        "members": pd.DataFrame(
            {
                "member_id": [f"{i}-1" for i in ids],
                "household_id": ids,
                "birth_month": "1980-01",
                "valid_from": "2018-01-01",
            }
        ),
        "spending": pd.DataFrame(columns=["household_id", "month", "category", "amount"]),
        "risk_events": pd.DataFrame(columns=["household_id", "date", "cause"]),
    }


def wages(amounts: dict[str, dict[str, float]]) -> pd.DataFrame:
    rows = [
        {"household_id": h, "month": m, "source": "wage", "amount": a}
        for h, by_year in amounts.items()
        for year, a in by_year.items()
        for m in months(f"{year}-01", f"{year}-12")
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def county() -> County:
    frames = people(["falls", "stays", "poor", "gone"])
    # Per head and year: 12 × the monthly wage, against the line of 6000.
    frames["income"] = wages(
        {
            "falls": {"2019": 600, "2020": 400, "2021": 400},
            "stays": {"2019": 600, "2020": 500, "2021": 600},
            "poor": {"2019": 300, "2020": 300, "2021": 700},
            "gone": {"2019": 600},
        }
    )
    frames["members"].loc[3, "valid_to"] = "2020-03-01"
    frames["monitoring"] = pd.DataFrame(
        {
            "household_id": ["falls", "poor", "poor"],
            "date": ["2020-12-31", "2019-05-01", "2020-02-01"],
            "event": ["identified", "identified", "eliminated"],
            "causes": ["illness", "disability", None],
            "recorded_on": ["2021-02-10", None, None],
        }
    )
    frames["visits"] = pd.DataFrame(
        {
            "household_id": ["falls", "stays", "poor"],
            "date": ["2020-05-01", "2020-05-02", "2020-05-03"],
            "outcome": ["confirmed", "not_confirmed", "absent"],
        }
    )
    return from_frames(frames, About(data_through="2021-12-31"))


def value(found: pd.DataFrame, household: str, column: str = "label") -> object:
    picked = found.loc[found["household_id"] == household, column]
    assert len(picked) == 1
    return None if pd.isna(picked.iloc[0]) else int(picked.iloc[0])


def test_below_line_is_the_period_that_ends_with_the_window(county: County) -> None:
    found = targets.build_targets(county, "2019-12-31", 12, ["below_line"])
    assert value(found, "falls") == 1  # 2020: 12 × 400 = 4800 < 6000
    assert value(found, "stays") == 0  # 2020: exactly 6000 is not below
    assert value(found, "gone") is None  # moved out: null, not 0


def test_the_same_incomes_are_held_against_other_lines(county: County) -> None:
    found = targets.build_targets(county, "2019-12-31", 12, ["below_line"], line_factors=[0.8, 1.2])
    at = {h: [value(found, h, targets.label_at(k)) for k in (0.8, 1.2)] for h in ("falls", "stays", "gone")}
    # 4800 is exactly 0.8 of the line: not below it; 6000 is below 7200; what is not known stays unknown.
    assert at == {"falls": [0, 1], "stays": [0, 1], "gone": [None, None]}
    # On a day before the window was over nothing of it was known.
    early = targets.build_targets(county, "2019-12-31", 12, line_factors=[1.2], known_by="2020-12-30")
    assert early[targets.label_at(1.2)].isna().all()
    with pytest.raises(UsageError, match="only below_line can be answered for other lines"):
        targets.build_targets(county, "2019-12-31", 12, ["confirmed"], line_factors=[1.2])


def test_identified_counts_events_in_the_half_open_window(county: County) -> None:
    found = targets.build_targets(county, "2019-12-31", 12, ["identified"])
    assert value(found, "falls") == 1  # on the window's last day, though recorded later
    assert value(found, "poor") == 0  # elimination is no identification
    assert value(found, "gone") is None
    # A day on which the record was not there yet sees nothing of it, and the window is over by then.
    found = targets.build_targets(county, "2019-12-31", 12, ["identified"], known_by="2021-02-09")
    assert value(found, "falls") == 0
    # From the day itself on (open end on the left): not in the window that begins on it.
    assert value(targets.build_targets(county, "2020-12-31", 12, ["identified"]), "falls") == 0


def test_confirmed_is_null_for_the_unvisited(county: County) -> None:
    found = targets.build_targets(county, "2019-12-31", 12, ["confirmed"])
    assert [value(found, h) for h in ("falls", "stays", "poor", "gone")] == [1, 0, None, None]


def test_any_event_gives_one_and_a_null_beats_a_zero(county: County) -> None:
    found = targets.build_targets(county, "2019-12-31", 12, ["below_line", "confirmed"])
    assert value(found, "falls") == 1
    assert value(found, "stays") == 0
    assert value(found, "poor") == 1  # below the line, though unvisited
    assert value(found, "gone") is None


def test_null_where_window_and_delay_reach_past_the_records(county: County) -> None:
    assert value(targets.build_targets(county, "2020-12-31", 12), "falls") == 1
    assert value(targets.build_targets(county, "2021-01-31", 12), "falls") is None
    late = County(county.con, county.tables, About(data_through="2021-12-31", recording_delay_days=1))
    assert value(targets.build_targets(late, "2020-12-31", 12), "falls") is None
    # Even though the event is already there to be seen.
    assert value(targets.build_targets(late, "2020-12-31", 12, ["identified"]), "falls") is None


def test_a_label_that_could_not_be_known_by_the_training_day_is_null(county: County) -> None:
    # A model trained on a day may learn only from outcomes that were known on it. A window that is not over
    # by then is half empty, and half a year's income is always below the line: "stays" earns exactly 6000 in
    # 2020, but by the end of June only 3000 of it is there, which read as an outcome would be a false 1; and
    # who has not been identified yet would be a false 0.
    for event in ("below_line", "identified"):
        found = targets.build_targets(county, "2019-12-31", 12, [event], known_by="2020-06-30")
        assert found["label"].isna().all()
    # Of visits too: a visit that confirmed is there, but the households are not yet followed to the end.
    found = targets.build_targets(county, "2019-12-31", 12, ["confirmed"], known_by="2020-12-30")
    assert found["label"].isna().all()
    # From the window's last day on it is known, and with a recording delay only once the last record that
    # the label needs may have come in: the day before that it is null, on it the outcome.
    assert value(targets.build_targets(county, "2019-12-31", 12, known_by="2020-12-31"), "stays") == 0
    late = County(county.con, county.tables, About(data_through="2021-12-31", recording_delay_days=31))
    assert value(targets.build_targets(late, "2019-12-31", 12, known_by="2021-01-30"), "stays") is None
    assert value(targets.build_targets(late, "2019-12-31", 12, known_by="2021-01-31"), "stays") == 0
    # An identification too may still come in until then.
    for day, settled in (("2021-01-30", 0), ("2021-01-31", 1)):
        found = targets.build_targets(late, "2019-12-31", 12, ["identified"], known_by=day)
        assert found["label"].notna().any() == bool(settled)


def test_a_total_that_was_recorded_after_the_training_day_is_nobodys_outcome() -> None:
    # The total of 2020 is recorded at the end of March 2021 (entry lag of three months); before, no outcome.
    frames = people(["h"])
    spans = [("2019-01", "2019-12", 8_000), ("2020-01", "2020-12", 5_000)]
    frames["income"] = pd.DataFrame(spans, columns=["month_from", "month_to", "amount"]).assign(
        household_id="h", source="wage"
    )
    county = from_frames(frames, About(data_through="2022-03-31"))
    assert value(targets.build_targets(county, "2020-06-30", 12, known_by="2021-03-30"), "h") is None
    assert value(targets.build_targets(county, "2020-06-30", 12, known_by="2021-03-31"), "h") == 1


def test_totals_take_the_first_total_after_the_feature_span() -> None:
    frames = people(["h"])
    spans = [("2019-01", "2019-12", 8_000), ("2020-01", "2020-12", 5_000), ("2021-01", "2021-12", 9_000)]
    frames["income"] = pd.DataFrame(spans, columns=["month_from", "month_to", "amount"]).assign(
        household_id="h", source="wage"
    )
    county = from_frames(frames, About(data_through="2022-03-31"))
    # At 2020-06-30 the total of 2019 is known; 2020 starts after it and ends six months on.
    found = targets.build_targets(county, "2020-06-30", 12)
    assert value(found, "h") == 1
    assert found["real_horizon_months"].tolist() == [6.0]
    # At 2021-06-30 the total of 2020 is known (from March): the next is 2021.
    assert value(targets.build_targets(county, "2021-06-30", 12), "h") == 0
    # Nothing has come after the last one.
    assert value(targets.build_targets(county, "2022-03-31", 12), "h") is None


def test_a_total_that_overlaps_the_features_span_is_no_outcome() -> None:
    # At 2020-06-30 the newest known total is 2019. August 2019 to July 2020 ends later but shares five
    # months with it: what a feature has counted is no outcome. The first that starts after it is 2020.
    frames = people(["h"])
    spans = [("2019-01", "2019-12", 8_000), ("2019-08", "2020-07", 9_000), ("2020-01", "2020-12", 5_000)]
    frames["income"] = pd.DataFrame(spans, columns=["month_from", "month_to", "amount"]).assign(
        household_id="h", source="wage"
    )
    found = targets.build_targets(from_frames(frames, About(data_through="2022-03-31")), "2020-06-30", 12)
    assert value(found, "h") == 1
    assert found["real_horizon_months"].tolist() == [6.0]


def test_next_observation_within_so_many_months() -> None:
    frames = people(["h", "late"])
    frames["income"] = pd.DataFrame(
        {
            "household_id": ["h", "h", "late", "late"],
            "month": ["2020-03", "2020-09", "2020-03", "2021-09"],
            "source": "wage",
            "amount": [700, 300, 700, 300],
        }
    )
    county = from_frames(frames, About(data_through="2021-12-31"))
    horizon = Horizon(months=12, next=True)
    found = targets.build_targets(county, "2020-03-31", horizon, params={"line": 500, "period_months": 1})
    assert value(found, "h") == 1
    assert found.set_index("household_id").loc["h", "real_horizon_months"] == 6
    assert value(found, "late") is None  # seen again after 18 months only


def test_a_household_of_whom_nobody_is_left_has_no_label() -> None:
    # Other people live under h's number from March 2020 on, as poor as can be: that is not what became of h.
    # In k the head leaves and a child stays: it is the same household, and below the line.
    frames = people(["h", "k"])
    frames["members"] = pd.DataFrame(
        {
            "member_id": ["h-1", "h-2", "k-1", "k-2"],
            "household_id": ["h", "h", "k", "k"],
            "birth_month": "1980-01",
            "valid_from": ["2018-01-01", "2020-03-01", "2018-01-01", "2018-01-01"],
            "valid_to": ["2020-03-01", None, "2020-03-01", None],
        }
    )
    frames["income"] = wages({"h": {"2019": 600, "2020": 100}, "k": {"2019": 1200, "2020": 100}})
    found = targets.build_targets(from_frames(frames, About(data_through="2020-12-31")), "2019-12-31", 12)
    assert value(found, "h") is None
    assert value(found, "k") == 1


def test_unknown_event_is_refused(county: County) -> None:
    with pytest.raises(UsageError, match="identified, below_line, confirmed"):
        targets.build_targets(county, "2019-12-31", 12, ["poor"])  # type: ignore[list-item]


def test_cohorts_hold_who_was_at_risk(county: County) -> None:
    def of(name: str, day: str) -> set[str]:
        return set(targets.build_cohorts(county, name, day)["household_id"])

    # 2019-12-31: poor is below the line and under watch; the others earned 7200.
    assert of("lifted", "2019-12-31") == {"falls", "stays", "gone"}
    assert of("all", "2019-12-31") == {"falls", "stays", "gone", "poor"}
    assert of("general", "2019-12-31") == set()
    # 2021-12-31: falls (4800) is below the line; poor earned 8400, was eliminated, and fell before.
    assert of("not_monitored", "2021-12-31") == {"stays", "poor"}
    assert of("eliminated", "2021-12-31") == {"poor"}
    assert of("fell_before", "2021-12-31") == {"poor"}
    assert of("never_below", "2021-12-31") == {"stays"}


def test_who_is_under_watch_is_in_no_risk_set_though_above_the_line() -> None:
    # Both earn 7200, above the line. Who is in the register has returned to poverty already, or nearly so:
    # staying there is no return to it.
    frames = people(["watched", "free"])
    frames["income"] = wages({"watched": {"2020": 600}, "free": {"2020": 600}})
    frames["monitoring"] = pd.DataFrame(
        {"household_id": ["watched"], "date": ["2020-05-01"], "event": ["identified"]}
    )
    county = from_frames(frames, About(data_through="2020-12-31"))
    assert set(targets.build_cohorts(county, "not_monitored", "2020-12-31")["household_id"]) == {"free"}
    assert set(targets.build_cohorts(county, "all", "2020-12-31")["household_id"]) == {"watched", "free"}


def test_each_line_has_its_own_risk_set(county: County) -> None:
    def of(name: str, day: str, factor: float) -> set[str]:
        return set(targets.build_cohorts(county, name, day, line_factor=factor)["household_id"])

    # All but poor earned 7200, which is 1.2 times the line and not below it.
    assert of("lifted", "2019-12-31", 1.2) == {"falls", "stays", "gone"}
    assert of("lifted", "2019-12-31", 1.21) == set()
    # In 2020 stays earned 6000: not below the line, but below 1.2 times it. In 2021 it earned 7200.
    assert of("never_below", "2021-12-31", 1.0) == {"stays"}
    assert of("never_below", "2021-12-31", 1.2) == set()
    # Who is under watch is so whatever the line: poor earned half of the line's worth at 0.5.
    assert of("lifted", "2019-12-31", 0.5) == {"falls", "stays", "gone"}


def test_a_general_household_known_only_through_its_identification_is_in_no_cohort() -> None:
    frames = people(["seen", "by_label"], registration="general")
    frames["income"] = wages({"seen": {"2020": 600}, "by_label": {"2020": 600}})
    frames["households"]["recorded_on"] = ["2018-01-01", "2020-06-01"]
    frames["monitoring"] = pd.DataFrame(
        {
            "household_id": ["seen", "by_label", "by_label"],
            "date": ["2021-06-01", "2020-06-01", "2020-11-01"],
            "event": ["identified", "identified", "eliminated"],
        }
    )
    county = from_frames(frames, About(data_through="2021-12-31"))
    assert set(targets.build_cohorts(county, "general", "2020-12-31")["household_id"]) == {"seen"}
    assert set(targets.build_cohorts(county, ["general", "eliminated"], "2020-12-31")["household_id"]) == {
        "seen"
    }


def test_unknown_cohort_is_refused(county: County) -> None:
    with pytest.raises(UsageError, match="never_below"):
        targets.build_cohorts(county, "poorest", "2019-12-31")


def renumbered(links: list[tuple[str, str, str, str]], **extra: pd.DataFrame) -> County:
    frames = people(["old", "new", "other"])
    frames["households"]["valid_from"] = ["2018-01-01", "2020-07-01", "2018-01-01"]
    frames["members"]["valid_from"] = ["2018-01-01", "2020-07-01", "2018-01-01"]
    frames["income"] = pd.concat(
        [
            wages({"old": {"2019": 600}, "other": {"2019": 700, "2020": 700, "2021": 700}}),
            pd.DataFrame(
                {
                    "household_id": ["old"] * 6 + ["new"] * 6,
                    "month": months("2020-01", "2020-12"),
                    "source": "wage",
                    "amount": 600,
                }
            ),
        ]
    )
    columns = ["old_id", "new_id", "kind", "date"]
    frames["household_links"] = pd.DataFrame(links, columns=columns)
    about = About(data_through="2021-12-31", coverage="whole", records_from="2019-01")
    return from_frames({**frames, **extra}, about)


def test_a_recoded_household_keeps_its_label() -> None:
    # From July 2020 on the household goes by another number, with members of its own there. Half of 2020 is
    # under each: 12 × 600 = 7200 a head, above the line. Without the link: half a year, 3600.
    found = targets.build_targets(renumbered([("old", "new", "recode", "2020-07-01")]), "2019-12-31", 12)
    assert value(found, "old") == 0
    assert value(targets.build_targets(renumbered([]), "2019-12-31", 12), "old") == 1


def test_events_and_visits_follow_the_number() -> None:
    county = renumbered(
        [("old", "new", "recode", "2020-07-01")],
        monitoring=pd.DataFrame({"household_id": ["new"], "date": ["2020-09-01"], "event": ["identified"]}),
        visits=pd.DataFrame({"household_id": ["new"], "date": ["2020-09-01"], "outcome": ["confirmed"]}),
    )
    found = targets.build_targets(county, "2019-12-31", 12, ["identified", "confirmed"])
    assert value(found, "old", "label_identified") == 1
    assert value(found, "old", "label_confirmed") == 1
    assert value(found, "other", "label_identified") == 0


def test_a_merged_household_has_the_outcome_of_the_merged() -> None:
    # old (400 a month) joins other (700): two members and 12 × 1100 / 2 = 6600 a head in 2020, not below.
    frames = people(["old", "other"])
    frames["income"] = wages({"old": {"2019": 600, "2020": 400}, "other": {"2019": 700, "2020": 700}})
    frames["household_links"] = pd.DataFrame(
        {"old_id": ["old"], "new_id": ["other"], "kind": ["merge"], "date": ["2020-07-01"]}
    )
    frames["members"]["member_id"] = ["a", "b"]
    frames["members"] = pd.concat(
        [frames["members"], frames["members"].iloc[:1].assign(household_id="other", valid_from="2020-07-01")]
    )
    about = About(data_through="2020-12-31", coverage="whole", records_from="2019-01")
    found = targets.build_targets(from_frames(frames, about), "2019-12-31", 12)
    assert value(found, "old") == 0
    assert value(found, "other") == 0


def split_county(of_child: int) -> County:
    # Two grown children of p live apart from the first of January on; p goes on with the third member.
    frames = people(["p", "c1", "c2"])
    frames["households"]["valid_from"] = ["2018-01-01", "2020-01-01", "2020-01-01"]
    frames["members"] = pd.DataFrame(
        {
            "member_id": ["a", "b", "c", "b", "c"],
            "household_id": ["p", "p", "p", "c1", "c2"],
            "birth_month": "1980-01",
            "valid_from": ["2018-01-01", "2018-01-01", "2018-01-01", "2020-01-01", "2020-01-01"],
            "valid_to": [None, "2020-01-01", "2020-01-01", None, None],
        }
    )
    by_year = {"p": {"2019": 2000, "2020": 900}, "c1": {"2020": of_child}, "c2": {"2020": 800}}
    frames["income"] = wages(by_year)
    frames["household_links"] = pd.DataFrame(
        {"old_id": "p", "new_id": ["c1", "c2"], "kind": "split", "date": "2020-01-01"}
    )
    about = About(data_through="2020-12-31", coverage="whole", records_from="2019-01")
    return from_frames(frames, about)


@pytest.mark.parametrize(("of_child", "label", "share"), [(400, 1, 1 / 3), (800, 0, 0.0)])
def test_a_split_household_is_followed_to_its_children(of_child: int, label: int, share: float) -> None:
    # At the end of 2019 p has three members; the split of the next day is not known yet. A year on, of three
    # households of one member each, c1 earns 4800 (below 6000) or 9600.
    found = targets.build_targets(split_county(of_child), "2019-12-31", 12)
    assert value(found, "p") == label
    assert value(found, "p", "label_without_splits") is None
    assert found.set_index("household_id").loc["p", "split_share"] == pytest.approx(share)


def test_a_child_without_a_year_of_its_own_leaves_the_parent_unknown() -> None:
    # At the end of June half of the children's year is before the split: null, reason split.
    found = targets.build_targets(split_county(800), "2019-06-30", 12).set_index("household_id")
    assert pd.isna(found.loc["p", "label"])
    assert found.loc["p", "label_reason"] == "split"


def test_an_outcome_not_wholly_on_record_is_null_with_its_reason() -> None:
    # Records of late end in October 2020; its two last months of the year before have rows, so they are late,
    # not zero. 10 × 600 = 6000 would not even be below the line; nine months would be.
    frames = people(["late", "on_time"])
    frames["income"] = wages({"late": {"2019": 600, "2020": 600}, "on_time": {"2019": 600, "2020": 600}})
    late = frames["income"]["household_id"].eq("late") & frames["income"]["month"].gt("2020-09")
    frames["income"] = frames["income"][~late]
    county = from_frames(frames, About(data_through="2020-12-31"))
    found = targets.build_targets(county, "2019-12-31", 12).set_index("household_id")
    assert pd.isna(found.loc["late", "label"])
    assert found.loc["late", "label_reason"] == "not_yet_recorded"
    assert found.loc["on_time", "label"] == 0
    assert pd.isna(found.loc["on_time", "label_reason"])
    # Windows that are not over have a reason of their own.
    found = targets.build_targets(county, "2020-06-30", 12)
    assert set(found["label_reason"]) == {"window_not_over"}


def test_a_label_stays_as_it_was_settled() -> None:
    # Recorded half a year after the window and its recording delay: a wage of November. The label was settled
    # without it; nothing recorded later moves it.
    frames = people(["h"])
    frames["income"] = wages({"h": {"2019": 600, "2020": 400}}).assign(recorded_on=None)
    further = pd.DataFrame(
        {
            "household_id": ["h"],
            "month": ["2020-11"],
            "source": "wage",
            "amount": [9_000],
            "recorded_on": "2021-06-30",
        }
    )
    about = About(data_through="2021-12-31", recording_delay_days=30)
    for income in (frames["income"], pd.concat([frames["income"], further])):
        found = targets.build_targets(from_frames({**frames, "income": income}, about), "2019-12-31", 12)
        assert value(found, "h") == 1


def test_who_has_no_income_on_record_is_in_no_cohort_that_asks_for_the_line() -> None:
    # "new" is on record for three months: its year is not wholly there; nine months of nothing would be poor.
    frames = people(["old", "new"])
    frames["households"]["valid_from"] = ["2018-01-01", "2020-10-01"]
    frames["members"]["valid_from"] = ["2018-01-01", "2020-10-01"]
    income = wages({"old": {"2019": 600, "2020": 600}, "new": {"2020": 600}})
    frames["income"] = income[income["household_id"].eq("old") | income["month"].ge("2020-10")]
    county = from_frames(frames, About(data_through="2020-12-31"))
    for cohort in ("lifted", "not_monitored", "never_below", "fell_before"):
        assert "new" not in set(targets.build_cohorts(county, cohort, "2020-12-31")["household_id"])
    counted = targets.count_unknown_incomes(county, "2020-12-31").set_index("reason")
    assert counted["households"].to_dict() == {"": 1, "new_household": 1}
    assert counted["share"].to_dict() == {"": 0.5, "new_household": 0.5}


def test_an_earlier_fall_counts_only_on_record() -> None:
    # The records begin in 2019: of the quarters of that year no period of twelve months is on record, though
    # three, six or nine months of 600 look poor. Nobody fell before.
    frames = people(["h"])
    frames["income"] = wages({"h": {"2019": 600, "2020": 600}})
    county = from_frames(frames, About(data_through="2020-12-31"))
    assert set(targets.build_cohorts(county, "never_below", "2020-12-31")["household_id"]) == {"h"}
    assert not len(targets.build_cohorts(county, "fell_before", "2020-12-31"))


def test_totals_by_quarters_are_an_outcome_once_they_cover_a_year() -> None:
    # Four totals of three months each cover 2021, the first twelve months after the features' 2020.
    frames = people(["h"])
    spans = [("2020-01", "2020-12", 8_000)]
    spans += [(f"2021-{q:02d}", f"2021-{q + 2:02d}", 1_000) for q in (1, 4, 7, 10)]
    frames["income"] = pd.DataFrame(spans, columns=["month_from", "month_to", "amount"]).assign(
        household_id="h", source="wage"
    )
    found = targets.build_targets(from_frames(frames, About(data_through="2022-12-31")), "2021-06-30", 12)
    assert value(found, "h") == 1
    assert found["real_horizon_months"].tolist() == [6.0]


def merged_history(monthly: float, of_other: float) -> County:
    # a (one member) and b (three members) become m on the first of January 2021; the line is 6000 a year.
    frames = people(["a", "b", "m"])
    frames["households"]["valid_from"] = ["2018-01-01", "2018-01-01", "2021-01-01"]
    own = {"birth_month": "1980-01", "valid_from": "2018-01-01"}
    frames["members"] = pd.DataFrame(
        {"member_id": ["1", "2", "3", "4"], "household_id": ["a", "b", "b", "b"], **own}
    )
    frames["income"] = wages(
        {"a": {"2019": monthly, "2020": 800}, "b": {"2019": of_other, "2020": 2400}, "m": {"2021": 3200}}
    )
    frames["household_links"] = pd.DataFrame(
        {"old_id": ["a", "b"], "new_id": "m", "kind": "merge", "date": "2021-01-01"}
    )
    return from_frames(frames, About(data_through="2021-12-31", coverage="whole", records_from="2019-01"))


@pytest.mark.parametrize(
    ("monthly", "of_other", "fell"),
    [
        # The period up to January 2020 is looked at. a alone was poor (11 × 400 + 800 = 5200), together they
        # had (11 × 2400 + 3200) / 4 = 7400 a head: no fall.
        (400, 2000, False),
        # (11 × 1800 + 3200) / 4 = 5750 a head: together they were below.
        (400, 1400, True),
        # b alone had (11 × 1400 + 2400) / 3 = 5933; with a's it is (11 × 2600 + 3200) / 4 = 7950: no fall.
        (1200, 1400, False),
    ],
)
def test_a_merged_household_fell_before_where_its_parents_together_did(
    monthly: float, of_other: float, fell: bool
) -> None:
    county = merged_history(monthly, of_other)
    assert set(targets.build_cohorts(county, "fell_before", "2021-12-31")["household_id"]) == (
        {"m"} if fell else set()
    )
    assert set(targets.build_cohorts(county, "never_below", "2021-12-31")["household_id"]) == (
        set() if fell else {"m"}
    )


def test_a_fall_before_a_split_is_the_parents() -> None:
    # p was below the line in 2019 (12 × 800 / 2 = 4800 a head); c1 and what is left of p are their own.
    frames = people(["p", "c1"])
    frames["households"]["valid_from"] = ["2018-01-01", "2020-03-01"]
    frames["members"] = pd.DataFrame(
        {
            "member_id": ["a", "b", "b"], "household_id": ["p", "p", "c1"], "birth_month": "1980-01",
            "valid_from": ["2018-01-01", "2018-01-01", "2020-03-01"], "valid_to": [None, "2020-03-01", None],
        }
    )  # fmt: skip
    frames["income"] = wages({"p": {"2019": 800, "2020": 800, "2021": 800}, "c1": {"2020": 800, "2021": 800}})
    without = from_frames(frames, About(data_through="2021-12-31", coverage="whole", records_from="2019-01"))
    frames["household_links"] = pd.DataFrame(
        {"old_id": ["p"], "new_id": ["c1"], "kind": ["split"], "date": ["2020-03-01"]}
    )
    split = from_frames(frames, without.about)
    # Without the link p is one household that was poor with two members and is not with one.
    assert set(targets.build_cohorts(without, "fell_before", "2021-12-31")["household_id"]) == {"p"}
    assert not len(targets.build_cohorts(split, "fell_before", "2021-12-31"))
    assert set(targets.build_cohorts(split, "never_below", "2021-12-31")["household_id"]) == {"p", "c1"}


def test_newly_flagged_is_a_type_that_first_holds_within_the_window() -> None:
    """A cost that throws a household back is seen though its income ends above the line."""
    frames = people(["thrown", "stays", "poor"])
    frames["income"] = wages(
        {
            "thrown": {"2019": 700, "2020": 700, "2021": 700},
            "stays": {"2019": 900, "2020": 900, "2021": 900},
            "poor": {"2019": 300, "2020": 300, "2021": 900},
        }
    )
    frames["spending"] = pd.DataFrame(
        {"household_id": ["thrown"], "month": ["2020-03"], "category": ["medical"], "amount": [30000]}
    )
    frames["risk_events"] = pd.DataFrame(
        {
            "household_id": ["thrown", "poor"],
            "date": ["2020-03-10", "2019-03-10"],
            "cause": ["illness", "illness"],
        }
    )
    about = About(data_through="2021-12-31")
    county = from_frames(frames, about=about)
    found = targets.build_targets(county, "2019-12-31", 12, ["newly_flagged"])
    labels = {h: value(found, h, "label_newly_flagged") for h in ("thrown", "stays", "poor")}
    assert labels == {"thrown": 1, "stays": 0, "poor": None}  # poor: found on the day already
    # Its year ends at 8400 a head: the other event does not see it.
    assert value(targets.build_targets(county, "2019-12-31", 12), "thrown") == 0
    assert found.set_index("household_id").loc["poor", "label_reason"] == "flagged_already"
    # On a day before the window was over nothing of it was known.
    early = targets.build_targets(county, "2019-12-31", 12, ["newly_flagged"], known_by="2020-12-30")
    assert early["label"].isna().all()
    with pytest.raises(UsageError, match="horizon of months"):
        targets.build_targets(county, "2019-12-31", Horizon(months=12, next=True), ["newly_flagged"])
