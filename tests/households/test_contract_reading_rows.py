"""`contract_reading` on "Rows, cells, doubts", keys and corrections, one tiny case a sentence."""

from __future__ import annotations

import datetime as dt

import pytest

from .contract_cases import County, span, steady
from .contract_reading_rows import first_month_from, last_completed, months_before

JUNE = "2021-06-30"
YEAR = span("2020-07", "2021-06")


# ------------------------------------------------------------------ days
def test_months_and_days() -> None:
    assert last_completed(dt.date(2021, 6, 29)) == 2021 * 12 + 4
    assert last_completed(dt.date(2021, 6, 30)) == 2021 * 12 + 5
    assert first_month_from(dt.date(2021, 4, 2)) == 2021 * 12 + 4
    assert months_before(dt.date(2024, 2, 29), 12) == dt.date(2023, 2, 28)


def test_the_own_date_of_a_month_is_its_last_day() -> None:
    c = steady(last="2021-05")
    assert c.read("2021-05-31")["A"].period_to == "2021-05"
    # a row of the running month is not known yet
    assert steady().read("2021-06-29")["A"].on_record["income"] == set(span("2019-01", "2021-05"))


def test_times_with_a_zone_are_instants() -> None:
    # 17:00 UTC on 30 June is 1 July in China
    c = steady()
    for row in c.tables["income"]:
        row["recorded_on"] = dt.datetime(2021, 6, 30, 17, tzinfo=dt.UTC)
    assert c.read(JUNE)["A"].net_income is None
    assert c.read("2021-07-01")["A"].net_income == 1200
    c.about["time_zone"] = "UTC"
    assert c.read(JUNE)["A"].net_income == 1200


# ------------------------------------------------------------------ equal rows
def test_equal_rows_are_counted_once_and_doubted() -> None:
    c = steady().wages("A", ["2021-01"])
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.doubts, a.clear_allowed) == (1200, {"equal_rows"}, False)
    assert "2021-01" in a.on_record["income"]


@pytest.mark.parametrize("column", ["row_id", "member_id"])
def test_with_different_ids_they_are_two(column: str) -> None:
    c = County().home("A")
    for number in ("1", "2"):
        c.wages("A", span("2019-01", "2021-06"), **{column: f"{number}"}) if column == "member_id" else None
    if column == "row_id":
        for i, month in enumerate(span("2019-01", "2021-06") * 2):
            c.wages("A", [month], row_id=f"r{i}")
    c.spends("A", span("2019-01", "2021-06"))
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.doubts) == (2400, set())


def test_with_equal_ids_they_are_one_without_a_doubt() -> None:
    c = steady().wages("A", ["2021-01"], 50, member_id="1").wages("A", ["2021-01"], 50, member_id="1")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.doubts) == (1250, set())


def test_rows_recorded_on_two_days_are_two() -> None:
    c = steady().wages("A", ["2021-01"], recorded_on="2021-02-01")
    assert c.read(JUNE)["A"].net_income == 1300


# ------------------------------------------------------------------ corrections
def test_a_row_id_corrects() -> None:
    # the correction recorded last by as-of holds
    c = steady().wages("A", ["2021-01"], 50, row_id="r", recorded_on="2021-02-01")
    c.wages("A", ["2021-01"], 80, row_id="r", recorded_on="2021-05-01")
    c.wages("A", ["2021-01"], 90, row_id="r", recorded_on="2021-07-01")
    assert c.read("2021-04-30")["A"].net_income == 1250
    assert c.read(JUNE)["A"].net_income == 1280


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_corrections_of_one_day_the_earlier_state_holds(turned: bool) -> None:
    c = steady().wages("A", ["2021-01"], 50, row_id="r", recorded_on="2021-02-01")
    for amount in (777, 90000)[:: -1 if turned else 1]:
        c.wages("A", ["2021-01"], amount, row_id="r", recorded_on="2021-06-30")
    before, after = c.read("2021-06-29")["A"], c.read(JUNE)["A"]
    assert (before.doubts, after.doubts) == (set(), {"ambiguous_correction"})
    assert after.income["wage"] == 1250
    # a later correction holds, and nothing is in doubt
    later = c.wages("A", ["2021-01"], 60, row_id="r", recorded_on="2021-07-01").read("2021-07-01")["A"]
    assert (later.income["wage"], later.doubts) == (1260, set())


def test_without_an_earlier_state_the_span_is_off() -> None:
    c = steady()
    for amount in (777, 90000):
        c.wages("A", ["2021-01"], amount, row_id="r", recorded_on="2021-06-30")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.income_reason) == (None, "row_rejected")
    assert a.on_record_before_off["income"] - a.on_record["income"] == {"2021-01"}


def test_of_one_key_and_day_the_larger_row_id_is_last() -> None:
    c = steady()
    for row_id, town in (("9", "west"), ("10", "east")):
        c.row(
            "households", household_id="A", valid_from="2021-01-01", township=town, registration="lifted",
            row_id=row_id,
        )  # fmt: skip
    a = c.read(JUNE)["A"]
    assert (a.township, a.doubts) == ("east", set())


def test_ambiguous_household_rows_leave_the_earlier_one_with_a_doubt() -> None:
    c = steady()
    for town in ("north", "west"):
        c.row("households", household_id="A", valid_from="2021-01-01", township=town, registration="lifted")
    a = c.read(JUNE)["A"]
    assert (a.township, a.doubts) == ("east", {"row_rejected"})


# ------------------------------------------------------------------ rejected rows
def test_a_rejected_row_takes_its_span_off() -> None:
    c = steady().rejected("income", "A", month_from="2020-09", month_to="2020-10", recorded_on="2021-02-01")
    before, after = c.read("2021-01-31")["A"], c.read(JUNE)["A"]
    assert before.net_income == 1200  # nothing recorded after as-of has an effect
    assert (after.net_income, after.income_reason, after.doubts) == (None, "row_rejected", {"row_rejected"})
    assert after.on_record_before_off["income"] - after.on_record["income"] == {"2020-09", "2020-10"}
    assert after.spending["living"] == 120


def test_a_rejected_row_without_a_day_counts_from_its_spans_end() -> None:
    c = steady().rejected("income", "A", month_from="2021-03", month_to="2021-03")
    assert c.read("2021-03-30")["A"].net_income == 1200
    assert c.read("2021-03-31")["A"].net_income is None


def test_without_a_readable_span_the_whole_table_is_off() -> None:
    c = steady().rejected("income", "A", recorded_on="2021-02-01")
    assert c.read(JUNE)["A"].on_record == {"income": set(), "spending": set(span("2019-01", "2021-06"))}


def test_without_a_readable_household_nothing_is_off() -> None:
    c = steady().row("rejected", table="income", month_from="2020-09", month_to="2020-09", why="unknown id")
    assert c.read(JUNE)["A"].net_income == 1200


def test_rows_rejected_as_duplicates_take_nothing_off() -> None:
    c = steady().rejected("income", "A", month_from="2020-09", month_to="2020-09", why="duplicate row")
    assert c.read(JUNE)["A"].net_income == 1200


@pytest.mark.parametrize(("recorded_on", "net"), [("2021-03-01", None), ("2021-03-02", 1250)])
def test_an_accepted_row_with_the_same_row_id_replaces_a_rejected_one(
    recorded_on: str, net: int | None
) -> None:
    # recorded later; of the same date off wins
    c = steady().rejected(
        "income", "A", month_from="2021-01", month_to="2021-01", recorded_on="2021-03-01", row_id="r"
    )
    c.wages("A", ["2021-01"], 50, row_id="r", recorded_on=recorded_on)
    assert c.read(JUNE)["A"].net_income == net


def test_recorded_rows_put_a_rejected_span_back() -> None:
    c = steady().rejected("income", "A", month_from="2021-01", month_to="2021-01", recorded_on="2021-03-01")
    c.recorded("A", "income", "2019-01", "2021-06", recorded_on="2021-04-01")
    assert c.read(JUNE)["A"].net_income == 1200


# ------------------------------------------------------------------ rejected members and households
def test_a_rejected_member_row_makes_persons_unknown_until_a_later_one() -> None:
    c = steady()
    c.rejected("members", "A", member_id="x", valid_from="2020-01-01", recorded_on="2020-01-01")
    before = c.read("2019-12-31")["A"]
    assert before.persons == 1
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons, a.before_previous_persons) == (None, None, 1)
    assert (a.net_income, a.pcni, a.income_reason) == (1200, None, "row_rejected")
    # a row of that member that is valid later: known from then on
    c.row("members", member_id="x", household_id="A", valid_from="2021-01-01")
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons) == (2, None)


def test_a_corrected_member_row_makes_persons_known() -> None:
    c = steady()
    c.rejected("members", "A", member_id="x", valid_from="2020-01-01", recorded_on="2020-01-01")
    c.row("members", member_id="x", household_id="A", valid_from="2020-01-01", recorded_on="2021-05-01")
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons) == (2, 2)


def test_without_a_readable_valid_from_persons_are_unknown_at_all_dates() -> None:
    c = steady().rejected("members", "A", member_id="x", recorded_on="2021-01-01")
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons, a.before_previous_persons) == (None, None, None)


def test_a_rejected_household_row_leaves_the_earlier_one_with_a_doubt() -> None:
    c = steady().rejected("households", "A", valid_from="2021-01-01")
    a = c.read(JUNE)["A"]
    assert (a.township, a.net_income, a.doubts, a.category_unknown) == ("east", 1200, {"row_rejected"}, False)
    # a later accepted row ends the doubt
    c.row("households", household_id="A", valid_from="2021-03-01", township="east", registration="lifted")
    assert c.read(JUNE)["A"].doubts == set()


def test_a_household_with_only_a_rejected_row_does_not_disappear() -> None:
    c = steady().rejected("households", "B", valid_from="2015-01-01")
    c.wages("B", span("2019-01", "2021-06"), 70).spends("B", span("2019-01", "2021-06"))
    c.recorded("B", "income", "2019-01", "2021-06").recorded("B", "spending", "2019-01", "2021-06")
    c.row("members", member_id="b", household_id="B", valid_from="2015-01-01")
    b = c.read(JUNE)["B"]
    assert (b.category_unknown, b.net_income, b.doubts) == (True, 840, {"row_rejected"})
    assert "B" not in c.read("2014-12-31")


def test_a_household_without_a_valid_row_is_not_put_out() -> None:
    c = steady().home("B", "2021-07-01").wages("C", YEAR)
    assert list(c.read(JUNE)) == ["A"]


def test_an_orphan_of_which_the_household_is_recorded_later_has_no_effect() -> None:
    # C's rows would make four fifths of the quarter that starts the township
    c = steady().wages("C", span("2018-01", "2021-06")).read(JUNE)["A"]
    later = steady().wages("C", span("2018-01", "2021-06"))
    later.row("households", household_id="C", township="east", registration="lifted", valid_from="2015-01-01",
              recorded_on="2021-07-01")  # fmt: skip
    assert later.read(JUNE)["A"] == c
    assert later.read("2021-07-01")["A"].township_start == "2018-01"


# ------------------------------------------------------------------ persons
def test_persons_are_those_valid_and_born() -> None:
    c = steady()
    c.row("members", member_id="gone", household_id="A", valid_from="2015-01-01", valid_to="2021-06-30")
    c.row("members", member_id="born", household_id="A", birth_month="2021-06")
    c.row("members", member_id="unborn", household_id="A", valid_from="2021-06-01", birth_month="2021-07")
    c.about["snapshot_on"] = dt.date(2020, 1, 1)
    # valid_to is exclusive; nobody is there in a month before the birth month; two rows of one member are one
    c.row("members", member_id="A.0", household_id="A", valid_from="2020-01-01")
    assert c.read(JUNE)["A"].persons == 2
    assert c.read("2021-06-29")["A"].persons == 3


def test_rows_without_any_date_are_known_from_the_snapshot() -> None:
    c = steady(snapshot_on="2021-06-15").row("members", member_id="x", household_id="A")
    assert c.read("2021-06-14")["A"].persons == 1
    a = c.read(JUNE)["A"]
    # once known, a missing valid_from is open to the past
    assert (a.persons, a.previous_persons) == (2, 2)


def test_ambiguous_member_rows_without_an_earlier_state_make_persons_unknown() -> None:
    c = steady()
    for end in ("2021-03-01", "2021-04-01"):
        c.row("members", member_id="x", household_id="A", valid_from="2021-01-01", valid_to=end)
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons, a.income_reason) == (None, 1, "row_rejected")
    # with one, that holds and stands in doubts
    c.row("members", member_id="x", household_id="A", valid_from="2021-01-01", recorded_on="2020-12-20")
    a = c.read(JUNE)["A"]
    assert (a.persons, a.doubts) == (2, {"ambiguous_correction"})
