"""`contract_reading` on the section "Coverage", one tiny case a sentence; values are derived by hand."""

from __future__ import annotations

import pytest

from .contract_cases import County, day, on, span, steady
from .contract_reading import reading

JUNE = "2021-06-30"


# ------------------------------------------------------------------ rule 1
def test_recorded_rows_are_exactly_the_months() -> None:
    c = steady().recorded("A", "income", "2020-01", "2020-06").recorded("A", "income", "2020-11", "2020-12")
    a = c.read(JUNE)["A"]
    assert on(a) == span("2020-01", "2020-06") + span("2020-11", "2020-12")


def test_each_table_is_decided_by_itself() -> None:
    # spending has no recorded row: rule 3, from the township's start (2019-01) to A's last row
    a = steady().recorded("A", "income", "2020-01", "2020-12").read(JUNE)["A"]
    assert on(a, "spending") == span("2019-01", "2021-06")


def test_recorded_rows_have_no_limits() -> None:
    # before valid_from, after data_through and after as-of
    c = County(data_through="2021-03-31", recording_delay_days=40).home("A", "2020-01-01")
    c.recorded("A", "income", "2019-06", "2021-12", recorded_on="2021-01-01")
    assert on(c.read(JUNE)["A"]) == span("2019-06", "2021-12")


def test_recorded_rows_count_once_known() -> None:
    c = steady().recorded("A", "income", "2020-01", "2020-12", recorded_on="2021-07-01")
    assert on(c.read(JUNE)["A"]) == span("2019-01", "2021-06")
    assert on(c.read("2021-07-01")["A"]) == span("2020-01", "2020-12")


# ------------------------------------------------------------------ rule 2
def test_whole_coverage_from_a_month() -> None:
    # no row at all, and yet on record; the last month is the last completed one
    c = County(coverage="whole", records_from="2020-03").home("A")
    assert on(c.read("2021-06-15")["A"]) == span("2020-03", "2021-05")


def test_whole_coverage_by_township_and_month() -> None:
    # A lives in the east until 2020-08-31: 2020-09 is its first month in the west, where records begin later
    c = County(coverage="whole", records_from={"east": "2020-03", "west": "2020-12"}).home("A")
    c.row("households", household_id="A", valid_from="2020-09-01", township="west", registration="lifted")
    assert on(c.read("2021-01-31")["A"]) == [*span("2020-03", "2020-08"), "2020-12", "2021-01"]


def test_a_township_that_is_not_named_falls_to_inference() -> None:
    c = steady(coverage="whole", records_from={"west": "2020-12"}).home("B", township="west")
    both = c.read(JUNE)
    assert on(both["A"]) == span("2019-01", "2021-06")
    assert on(both["B"]) == span("2020-12", "2021-06")


# ------------------------------------------------------------------ rule 3
@pytest.mark.parametrize(("households", "start"), [(4, "2018-06"), (5, "2019-01")])
def test_a_township_starts_where_a_quarter_has_income(households: int, start: str) -> None:
    # one of four has income from 2018-06; one of five is less than a quarter
    c = County()
    for i in range(households):
        c.home(f"H{i}").wages(f"H{i}", span("2018-06" if i == 0 else "2019-01", "2021-06"))
    a = c.read(JUNE)["H1"]
    assert a.township_start == start
    # with valid_from a household starts with its township, whether it has rows there or not
    assert on(a) == span(start, "2021-06")


def test_households_that_could_not_be_there_do_not_count_for_the_start() -> None:
    c = County()
    for i in range(5):
        c.home(f"H{i}", "2020-01-01" if i == 4 else "2015-01-01")
        c.wages(f"H{i}", span("2018-06" if i == 0 else "2020-01", "2021-06"))
    assert c.read(JUNE)["H0"].township_start == "2018-06"


def test_spending_starts_no_township() -> None:
    c = County().home("A").spends("A", span("2018-01", "2021-06")).wages("A", span("2019-01", "2021-06"))
    assert c.read(JUNE)["A"].township_start == "2019-01"


def test_households_with_only_totals_do_not_count() -> None:
    # A alone is a quarter of the households that have months, though one of six in the township
    c = steady("2020-01")
    for i in range(5):
        c.home(f"T{i}").year(f"T{i}", 2020, {"wage": 900})
    assert c.read(JUNE)["A"].township_start == "2020-01"


def test_without_valid_from_a_household_starts_at_its_own_first_row() -> None:
    c = steady().home("B", None, recorded_on="2019-01-01").wages("B", span("2020-04", "2021-06"))
    c.spends("B", ["2020-02"])  # a row of either table
    assert on(c.read(JUNE)["B"]) == span("2020-02", "2021-06")


def test_without_any_row_a_household_is_never_on_record() -> None:
    b = steady().home("B").read(JUNE)["B"]
    assert on(b) == on(b, "spending") == []
    assert (b.period_to, b.lag_months, b.income_reason) == (None, None, "gap_in_records")


def test_the_months_after_the_last_row_of_a_monthly_household_are_not_on_record() -> None:
    # 2021-04 had a row in 2020-04
    assert on(steady(last="2021-03").read(JUNE)["A"])[-1] == "2021-03"


def test_a_seasonal_household_is_on_record_until_its_season() -> None:
    # A has income each January; B keeps the township going
    c = County().home("A").wages("A", ["2018-01", "2019-01", "2020-01", "2021-01"])
    c.home("B").wages("B", span("2018-01", "2022-03"))
    assert on(c.read("2021-12-31")["A"]) == span("2018-01", "2021-12")
    # January is usual and missing, and so is every month after it
    assert on(c.read("2022-03-31")["A"]) == span("2018-01", "2021-12")


def test_with_fewer_than_12_months_on_record_there_is_no_tail() -> None:
    # 2020-01 … 2020-11 are 11 months; … 2020-12 are 12, and 2021-02 had no row in 2020-02
    c = County().home("A", "2020-01-01").wages("A", ["2020-01", "2020-11"])
    c.home("B", "2020-02-01").wages("B", ["2020-02", "2021-01"])
    c.home("C", "2020-02-01").wages("C", ["2020-03", "2021-01"])
    both = c.read("2021-02-28")
    assert on(both["A"]) == span("2020-01", "2020-11")
    assert on(both["B"]) == span("2020-02", "2021-01")
    assert on(both["C"]) == span("2020-02", "2021-02")


def test_months_between_rows_are_on_record() -> None:
    assert on(County().home("A").wages("A", ["2019-01", "2021-06"]).read(JUNE)["A"]) == span(
        "2019-01", "2021-06"
    )


def test_after_a_total_no_month_is_on_record_before_the_next_row() -> None:
    c = County().home("A").wages("A", span("2019-01", "2020-06")).wages("A", span("2021-03", "2021-06"))
    c.total("A", "2020-07", "2020-12", 500)
    assert on(c.read(JUNE)["A"]) == span("2019-01", "2020-12") + span("2021-03", "2021-06")


@pytest.mark.parametrize("households", [4, 5])
def test_a_month_without_any_row_in_the_township(households: int) -> None:
    c = County()
    for i in range(households):
        c.home(f"H{i}").wages(f"H{i}", span("2019-01", "2020-04") + span("2020-06", "2021-06"))
    assert ("2020-05" in c.read(JUNE)["H0"].on_record["income"]) == (households == 4)


# ------------------------------------------------------------------ limits of 2 and 3
@pytest.mark.parametrize(("valid_from", "first"), [("2021-04-01", "2021-04"), ("2021-04-02", "2021-05")])
def test_never_before_the_first_whole_month(valid_from: str, first: str) -> None:
    c = steady().home("B", valid_from).wages("B", span("2021-03", "2021-06"))
    b = c.read(JUNE)["B"]
    assert (on(b)[0], b.first_possible_month, b.income_reason) == (first, first, "new_household")


def test_whole_coverage_begins_no_earlier_than_the_household() -> None:
    c = County(coverage="whole", records_from="2020-03").home("A", "2021-04-02")
    assert on(c.read(JUNE)["A"]) == ["2021-05", "2021-06"]


def test_valid_from_missing_or_of_the_snapshot_is_open() -> None:
    c = steady(snapshot_on="2021-06-01")
    for number, valid_from in (("B", None), ("C", "2021-06-01")):
        c.home(number, valid_from).wages(number, span("2020-01", "2021-06"))
    both = c.read(JUNE)
    for number in "BC":
        assert both[number].first_possible_month is None
        assert on(both[number]) == span("2020-01", "2021-06")


@pytest.mark.parametrize(("through", "last"), [("2021-04-30", "2021-04"), ("2021-05-30", "2021-04")])
def test_never_after_data_through(through: str, last: str) -> None:
    assert on(steady(data_through=through).read(JUNE)["A"])[-1] == last


@pytest.mark.parametrize(("as_of", "last"), [("2021-06-29", "2021-04"), ("2021-06-30", "2021-05")])
def test_never_before_the_recording_delay_is_over(as_of: str, last: str) -> None:
    # 2021-05-31 + 30 days = 2021-06-30
    assert on(steady(recording_delay_days=30).read(as_of)["A"])[-1] == last


def test_known_by_is_the_day_of_the_knowledge() -> None:
    c = steady(recording_delay_days=30)
    assert c.read(JUNE)["A"].lag_months == 1
    assert c.read(JUNE, known_by="2021-07-30")["A"].lag_months == 0


def test_data_through_is_inferred() -> None:
    # one of 10 households has income in 2021-06; one of 11 is less than a tenth
    c = County().home("H0").wages("H0", span("2020-01", "2021-06"))
    c.about.pop("data_through")
    for i in range(1, 10):
        c.home(f"H{i}").wages(f"H{i}", span("2020-01", "2021-04"))
    assert on(c.read(JUNE)["H0"])[-1] == "2021-06"
    c.home("H10").wages("H10", span("2020-01", "2021-04"))
    assert on(c.read(JUNE)["H0"])[-1] == "2021-04"
    # a total counts in the last month of its span: with H0 two of 11 in 2021-05
    c.total("H10", "2021-04", "2021-05", 200, recorded_on="2021-06-01")
    assert on(c.read(JUNE)["H0"])[-1] == "2021-05"


# ------------------------------------------------------------------ totals and spans taken off
def test_a_total_adds_its_span() -> None:
    # of income to both tables, of spending to that one
    c = County().home("A").year("A", 2020, {"wage": 900}).year("A", 2019, {"medical": 50})
    a = c.read(JUNE)["A"]
    assert on(a) == span("2020-01", "2020-12")
    assert on(a, "spending") == span("2019-01", "2020-12")


def test_unrecorded_rows_take_off_until_recorded_rows_cover_the_span() -> None:
    c = steady().unrecorded("A", "income", "2020-08", "2020-09", "unreadable")
    a = c.read(JUNE)["A"]
    assert a.on_record_before_off["income"] - a.on_record["income"] == {"2020-08", "2020-09"}
    assert (a.net_income, a.income_reason, a.doubts) == (None, "unreadable", {"unreadable"})
    assert a.rigid == 0  # rigid needs only spending
    # rule 1 holds from now on; together both rows cover the span, and of the same date the off would win
    c.recorded("A", "income", "2019-01", "2020-08", recorded_on="2021-02-01")
    assert c.read(JUNE)["A"].income_reason == "unreadable"
    c.recorded("A", "income", "2020-09", "2021-06", recorded_on="2021-03-01")
    assert c.read(JUNE)["A"].net_income == 1200


def test_of_the_same_date_off_wins() -> None:
    c = steady().unrecorded("A", "income", "2020-08", "2020-08", "unreadable", recorded_on="2021-02-01")
    c.recorded("A", "income", "2019-01", "2021-06", recorded_on="2021-02-01")
    assert c.read(JUNE)["A"].income_reason == "unreadable"


def test_an_item_takes_off_only_sums_that_contain_it() -> None:
    c = steady().unrecorded("A", "spending", "2020-08", "2020-08", "unreadable", item="medical")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.rigid, a.spending["medical"], a.spending["living"]) == (1200, None, None, 120)
    assert (a.income_reason, a.doubts) == (None, {"unreadable"})
    c = steady().unrecorded("A", "income", "2020-08", "2020-08", "unreadable", item="transfer")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.income["transfer"], a.income["wage"], a.rigid) == (None, None, 1200, 0)
    assert a.on_record["income"] == a.on_record_before_off["income"]


def test_an_item_that_is_no_code_is_rejected() -> None:
    c = steady().unrecorded("A", "income", "2020-08", "2020-08", "unreadable", item="medical")
    assert c.read(JUNE)["A"].net_income == 1200


def test_unrecorded_members_are_unknown_in_the_span() -> None:
    c = steady().unrecorded("A", "members", "2020-06", "2020-06", "moving", recorded_on="2020-06-01")
    a = c.read(JUNE)["A"]
    assert (a.persons, a.previous_persons, a.pcni) == (1, None, 1200)
    a = c.read("2020-06-30")["A"]
    assert (a.net_income, a.pcni, a.income_reason) == (1200, None, "moving")


# ------------------------------------------------------------------ the accounting period
def test_the_period_ends_with_the_last_month_on_record_in_both_tables() -> None:
    c = County().home("A", persons=2).wages("A", span("2019-01", "2021-06"), 100)
    c.recorded("A", "income", "2019-01", "2021-05").recorded("A", "spending", "2019-01", "2021-04")
    c.spends("A", ["2020-04"], 120, "production").spends("A", ["2020-05"], 50, "production")
    c.spends("A", ["2019-05"], 40, "medical").spends("A", ["2021-04"], 70, "medical")
    a = c.read(JUNE)["A"]
    assert (a.period_from, a.period_to, a.lag_months, a.income_basis) == ("2020-05", "2021-04", 2, "months")
    # the shift moves every sum of the period and of the one before it: 2019-05 … 2020-04
    assert (a.net_income, a.previous_net_income) == (1200 - 50, 1200 - 120)
    assert (a.rigid, a.previous_rigid, a.pcni) == (70, 40, 575)
    assert not a.clear_allowed


def test_persons_stay_at_as_of() -> None:
    # two persons until 2020-06-29, one at 2020-06-30 (as-of − 12 months), though the period ends in 2021-04
    c = steady(last="2021-04")
    c.row("members", member_id="x", household_id="A", valid_from="2015-01-01", valid_to="2020-06-30")
    a = c.read(JUNE)["A"]
    assert (a.lag_months, a.persons, a.previous_persons, a.before_previous_persons) == (2, 1, 1, 2)


@pytest.mark.parametrize(("last", "lag", "net"), [("2021-03", 3, 1200), ("2021-02", 4, None)])
def test_over_the_allowed_lag_every_sum_is_null(last: str, lag: int, net: int | None) -> None:
    a = steady(last=last).read(JUNE)["A"]
    assert (a.lag_months, a.period_to, a.net_income, a.previous_net_income) == (lag, last, net, net)
    assert a.rigid == (None if net is None else 0)
    assert a.income_reason == ("not_yet_recorded" if net is None else None)
    assert steady(last=last, max_lag_months=4).read(JUNE)["A"].net_income == 1200


def test_spans_taken_off_last_do_not_move_the_end() -> None:
    c = steady().unrecorded("A", "income", "2021-06", "2021-06", "unreadable", recorded_on="2021-06-30")
    a = c.read(JUNE)["A"]
    assert (a.period_to, a.lag_months, a.net_income) == ("2021-06", 0, None)


def test_a_shifted_period_goes_out_with_bounds() -> None:
    # as-of 2021-06-30, records to 2021-05; 2020-06 had wage 300 and production 50, 2021-05 production 20
    c = County().home("A", persons=2).wages("A", span("2019-01", "2020-05")).wages("A", ["2020-06"], 300)
    c.wages("A", span("2020-07", "2021-05")).spends("A", ["2020-06"], 50, "production")
    c.spends("A", ["2021-05"], 20, "production")
    a = c.read(JUNE)["A"]
    assert (a.lag_months, a.net_income) == (1, 1400 - 70)
    # the 12 months to 2021-06: 11 × 100 known, − 20 − 50 as a year ago; high: + 300 as a year ago
    assert (a.pcni_low, a.pcni_high) == ((1100 - 70) / 2, (1400 - 70) / 2)
    assert steady().read(JUNE)["A"].pcni_low == 1200


def test_an_event_or_a_members_change_after_the_end_is_seen() -> None:
    c = steady(last="2021-05").row("risk_events", household_id="A", date="2021-05-31", cause="illness")
    assert not c.read(JUNE)["A"].event_after_period
    c.row("risk_events", household_id="A", date="2021-06-01", cause="illness", recorded_on="2021-06-20")
    assert not c.read("2021-06-19")["A"].event_after_period
    assert c.read(JUNE)["A"].event_after_period
    c = steady(last="2021-05")
    c.row("members", member_id="x", household_id="A", valid_from="2015-01-01", valid_to="2021-06-10")
    assert c.read(JUNE)["A"].event_after_period


@pytest.mark.parametrize(("others", "doubt"), [(3, True), (2, False)])
def test_maybe_stopped(others: int, doubt: bool) -> None:
    # A's rows end in 2021-03; of its township's 4 households 3 (three quarters) or 2 have rows for 2021-04
    c = steady(last="2021-03")
    for i in range(3):
        c.home(f"H{i}").wages(f"H{i}", span("2019-01", "2021-06" if i < others else "2021-03"))
    assert ("maybe_stopped" in c.read(JUNE)["A"].doubts) == doubt


def test_a_period_without_any_income_row() -> None:
    # B's rows of the township's coverage are costs only
    c = County().home("A").spends("A", span("2019-01", "2021-06")).wages("A", ["2019-01"])
    c.spends("A", ["2021-05"], 30, "production")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.income["wage"], a.rigid, a.income_reason) == (None, None, 0, "no_income")
    # rule 1 covers it: 0
    covered = c.recorded("A", "income", "2019-01", "2021-06").read(JUNE)["A"]
    assert (covered.net_income, covered.income_reason) == (-30, None)
    # one of amount 0 is a row
    zero = (
        steady().home("B").spends("B", span("2019-01", "2021-06")).wages("B", ["2021-01"], 0).read(JUNE)["B"]
    )
    assert zero.net_income == 0


def test_without_spending_production_is_unknown() -> None:
    a = steady().without("spending").read(JUNE)["A"]
    assert (a.net_income, a.income_reason, a.income["wage"], a.rigid) == (
        None,
        "production_unknown",
        1200,
        None,
    )
    assert steady(income_is_net=True).without("spending").read(JUNE)["A"].net_income == 1200
    c = steady().without("spending")
    c.row("income", household_id="A", month="2021-02", source="business_net", amount=-50)
    assert c.read(JUNE)["A"].net_income == 1150
    c.row("income", household_id="A", month="2020-09", source="business", amount=10)
    assert c.read(JUNE)["A"].income_reason == "production_unknown"


def test_net_business_income_subtracts_no_production_of_its_span() -> None:
    c = steady().spends("A", ["2021-02", "2021-03"], 40, "production")
    c.row("income", household_id="A", month="2021-02", source="business_net", amount=-50)
    assert c.read(JUNE)["A"].net_income == 1200 - 50 - 40


def test_production_of_months_with_and_without_net_income_cannot_be_told_apart() -> None:
    c = steady().total("A", "2021-01", "2021-02", 40, "production")
    assert c.read(JUNE)["A"].net_income == 1160
    c.row("income", household_id="A", month="2021-02", source="business_net", amount=-50)
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.income_reason, a.spending["production"]) == (None, "gap_in_records", 40)
    c.row("income", household_id="A", month="2021-01", source="business_net", amount=-50)
    assert c.read(JUNE)["A"].net_income == 1100


# ------------------------------------------------------------------ reasons
def test_a_period_of_which_any_month_is_not_on_record_has_no_sum() -> None:
    c = steady().recorded("A", "income", "2020-07", "2020-10").recorded("A", "income", "2020-12", "2021-06")
    a = c.read(JUNE)["A"]
    assert (a.net_income, a.income_reason, a.doubts) == (None, "gap_in_records", {"gap_in_records"})
    assert (a.income["wage"], a.spending["living"], a.rigid) == (None, 120, 0)


def test_before_the_start_of_the_records() -> None:
    a = steady("2020-10").read(JUNE)["A"]
    assert (a.period_from, a.income_reason, a.previous_net_income) == ("2020-07", "before_records", None)
    # valid_from given, but not after the township's start
    c = County().home("A", "2020-10-01").wages("A", span("2020-10", "2021-06"))
    assert c.read(JUNE)["A"].income_reason == "before_records"


def test_the_first_reason_that_holds_is_the_word() -> None:
    # nobody is left, a row was rejected, a span is unrecorded and the records begin late: all are doubts
    c = steady("2020-10").unrecorded("A", "income", "2020-11", "2020-11", "unreadable")
    assert c.read(JUNE)["A"].income_reason == "unreadable"
    c.rejected("spending", "A", month_from="2020-12", month_to="2020-12", recorded_on="2021-01-01")
    assert c.read(JUNE)["A"].income_reason == "row_rejected"
    c.tables["members"][0]["valid_to"] = day("2021-01-01")
    a = c.read(JUNE)["A"]
    assert a.income_reason == "no_persons"
    assert a.doubts == {"no_persons", "row_rejected", "unreadable", "before_records"}


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="recording_delay_days"):
        reading({}, {"recording_delay_days": -5}, day(JUNE))


# ------------------------------------------------------------------ cases of public complaints, made small
def small_county(first: str = "2019-01") -> County:
    c = County(data_through=JUNE)
    for i in range(1, 5):
        c.home(f"H{i}", "2018-01-01", persons=2)
        c.wages(f"H{i}", span(first, "2021-06"), 1000 + 10 * i).spends(f"H{i}", span(first, "2021-06"), 100)
    return c


def test_case_records_begin() -> None:
    # three months after the records begin no year is known; after a year the year before is not
    c = small_county()
    early, later = c.read("2019-03-31"), c.read("2020-06-30")
    assert {(a.pcni, a.income_reason) for a in early.values()} == {(None, "before_records")}
    assert (later["H1"].pcni, later["H1"].previous_pcni) == (12 * 1010 / 2, None)


def test_case_new_household() -> None:
    c = small_county().home("N", "2021-04-01").wages("N", span("2021-04", "2021-06"), 1000)
    n = c.read(JUNE)["N"]
    assert (n.pcni, n.income_reason, n.lag_months) == (None, "new_household", 0)
