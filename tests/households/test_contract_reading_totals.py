"""`contract_reading` on totals ("What an office really has", "Totals"), one tiny case a sentence."""

from __future__ import annotations

import pytest

from .contract_cases import County, day, on, span, steady

ALL = {"wage": 600, "business": 300, "property": 0, "transfer": 100, "production": 50}


def yearly(*years: int, amounts: dict[str, int] | None = None) -> County:
    """A household A with totals of calendar years, recorded in the January after."""
    c = County().home("A", persons=2)
    for year in years:
        c.year("A", year, ALL if amounts is None else amounts, recorded_on=f"{year + 1}-01-20")
    return c


def test_a_total_is_known_from_recorded_on_else_after_the_entry_lag() -> None:
    assert yearly(2020).read("2021-01-19")["A"].period_to is None
    assert yearly(2020).read("2021-01-20")["A"].period_to == "2020-12"
    c = County().home("A").year("A", 2020, ALL)
    assert c.read("2021-03-30")["A"].period_to is None
    assert c.read("2021-03-31")["A"].period_to == "2020-12"
    c.about["entry_lag_months"] = 1
    assert c.read("2021-01-31")["A"].period_to == "2020-12"


def test_the_newest_12_month_total_counts() -> None:
    a = yearly(2018, 2019, 2020).read("2021-05-31")["A"]
    assert (a.period_from, a.period_to, a.income_basis) == ("2020-01", "2020-12", "total")
    assert (a.lag_months, a.net_income, a.pcni, a.income_reason) == (5, 950, 475, None)
    # the previous one ends exactly 12 months earlier
    assert (a.previous_net_income, a.before_previous_net_income) == (950, 950)
    assert (a.income["business"], a.spending["production"]) == (300, 50)
    assert (a.pcni_low, a.clear_allowed) == (None, False)
    assert yearly(2018, 2020).read("2021-05-31")["A"].previous_net_income is None


@pytest.mark.parametrize(("as_of", "lag", "net"), [("2022-06-30", 18, 950), ("2022-07-31", 19, None)])
def test_over_18_months_a_total_is_stale(as_of: str, lag: int, net: int | None) -> None:
    a = yearly(2019, 2020).read(as_of)["A"]
    assert (a.lag_months, a.net_income, a.previous_net_income, a.rigid) == (
        lag, net, net, None if net is None else 0,
    )  # fmt: skip
    assert a.income_reason == (None if net else "income_stale")


def test_persons_are_those_on_the_last_day_of_the_span() -> None:
    c = yearly(2019, 2020)
    c.row("members", member_id="x", household_id="A", valid_from="2019-12-31", valid_to="2020-12-31")
    a = c.read("2021-05-31")["A"]
    assert (a.persons, a.previous_persons) == (2, 3)


def test_totals_tile_a_span_exactly() -> None:
    c = yearly(2020, amounts={"business": 300, "property": 0, "transfer": 100, "production": 50})
    c.total("A", "2020-01", "2020-06", 200).total("A", "2020-07", "2020-12", 300)
    a = c.read("2021-05-31")["A"]
    assert (a.net_income, a.income["wage"]) == (850, 500)
    # quarters of another year do not make one, nor do they add to it
    c = yearly(2020).total("A", "2021-01", "2021-03", 100, recorded_on="2021-04-01")
    assert c.read("2021-05-31")["A"].period_to == "2020-12"


def test_overlapping_totals_do_not_tile() -> None:
    c = yearly(2020, amounts={"business": 300, "property": 0, "transfer": 100, "production": 50})
    c.total("A", "2020-01", "2020-07", 200).total("A", "2020-07", "2020-12", 300)
    a = c.read("2021-05-31")["A"]
    assert (a.period_to, a.income_basis, a.income_reason, a.doubts) == (
        None, None, "not_tiled", {"not_tiled"},
    )  # fmt: skip


def test_the_tiling_with_fewest_totals_holds() -> None:
    c = yearly(2020).total("A", "2020-01", "2020-06", 200).total("A", "2020-07", "2020-12", 300)
    a = c.read("2021-05-31")["A"]
    assert a.income["wage"] == 600
    assert a.findings == {"totals differ: wage"}  # 500 for 600
    c = yearly(2020).total("A", "2020-01", "2020-06", 297).total("A", "2020-07", "2020-12", 297)
    assert c.read("2021-05-31")["A"].findings == set()  # 594: 1 %, not more


def test_totals_and_months_of_one_source_are_never_added() -> None:
    c = yearly(2020).wages("A", span("2020-01", "2020-12"), 60)
    a = c.read("2021-05-31")["A"]
    assert (a.income["wage"], a.findings) == (600, {"totals differ: wage"})  # 720 in months


def test_a_source_of_months_is_covered_by_months_on_record() -> None:
    # no total of transfers is known anywhere; 2020 is on record, since a total adds its span
    c = yearly(2020, amounts={"wage": 600, "business": 300, "property": 0, "production": 50})
    for month in ("2020-02", "2020-08"):
        c.row("income", household_id="A", month=month, source="transfer", amount=20)
    assert c.read("2021-05-31")["A"].net_income == 600 + 300 + 40 - 50


def test_a_source_with_a_total_elsewhere_is_covered_only_by_totals() -> None:
    c = yearly(2020, amounts={"wage": 600, "business": 300, "property": 0, "production": 50})
    c.year("A", 2019, {"wage": 1, "business": 2, "property": 3, "transfer": 4, "production": 5})
    c.row("income", household_id="A", month="2020-02", source="transfer", amount=20)
    # 2020 lacks transfers: 2019 counts, lag 17
    a = c.read("2021-05-31")["A"]
    assert (a.period_to, a.lag_months, a.net_income) == ("2019-12", 17, 5)


def test_a_source_never_seen_is_waited_for() -> None:
    # known on 2021-01-20, property never seen: the span waits for three months from its end
    c = yearly(2020, amounts={"wage": 600, "business": 300, "transfer": 100, "production": 50})
    assert c.read("2021-03-30")["A"].income_reason == "not_tiled"
    a = c.read("2021-03-31")["A"]
    assert (a.net_income, a.income["property"]) == (950, 0)


def test_production_never_seen_is_waited_for() -> None:
    c = yearly(2020, amounts={"wage": 600, "business": 300, "property": 0, "transfer": 100})
    assert c.read("2021-03-30")["A"].period_to is None
    assert c.read("2021-03-31")["A"].net_income == 1000


def test_net_business_income_needs_no_production() -> None:
    amounts = {"wage": 600, "business_net": -30, "property": 0, "transfer": 100}
    assert yearly(2020, amounts=amounts).read("2021-01-31")["A"].net_income == 670
    with_costs = yearly(2020, amounts={**amounts, "production": 80})
    assert with_costs.read("2021-01-31")["A"].net_income == 670
    assert with_costs.without("spending").read("2021-01-31")["A"].net_income == 670
    assert yearly(2020).without("spending").read("2021-05-31")["A"].income_reason == "production_unknown"


def test_months_hold_where_they_end_later_and_no_total_touches_them() -> None:
    # months from 2021-01 on; as of 2021-11-30 the last 12 months touch the total of 2020
    c = yearly(2019, 2020)
    c.wages("A", span("2021-01", "2022-03"), 70).spends("A", span("2021-01", "2022-03"))
    a = c.read("2021-11-30")["A"]
    assert (a.period_to, a.income_basis, a.lag_months) == ("2020-12", "total", 11)
    a = c.read("2021-12-31")["A"]
    assert (a.period_to, a.income_basis, a.net_income) == ("2021-12", "months", 840)
    # the year before is covered by totals, one that begins within a total is not
    assert (a.previous_net_income, a.before_previous_net_income) == (950, 950)
    assert c.read("2022-03-31")["A"].previous_net_income is None


def test_a_span_of_one_month_is_a_month() -> None:
    c = County().home("A")
    for month in span("2019-01", "2021-06"):
        c.total("A", month, month, 100).total("A", month, month, 10, "living")
    a = c.read("2021-06-30")["A"]
    assert (a.income_basis, a.net_income) == ("months", 1200)


def test_of_equal_totals_the_one_recorded_last_holds() -> None:
    c = yearly(2020).total("A", "2020-01", "2020-12", 700, recorded_on="2021-05-01")
    assert c.read("2021-04-30")["A"].net_income == 950
    assert c.read("2021-05-01")["A"].net_income == 1050
    # two of one day: the earlier state holds, with a doubt
    c.total("A", "2020-01", "2020-12", 1, recorded_on="2021-05-01")
    a = c.read("2021-05-01")["A"]
    assert (a.net_income, a.doubts) == (950, {"ambiguous_correction"})
    # without an earlier state the span is off, and no total covers it
    c = yearly(2020, amounts={"business": 300}).total("A", "2020-01", "2020-12", 1, recorded_on="2021-01-20")
    c.total("A", "2020-01", "2020-12", 2, recorded_on="2021-01-20")
    a = c.read("2021-05-31")["A"]
    assert on(a) == []
    assert a.income_reason == "row_rejected"


def test_a_spending_total_counts_on_a_months_basis_inside_the_period() -> None:
    c = (
        steady()
        .total("A", "2020-09", "2020-12", 400, "medical")
        .total("A", "2021-01", "2021-02", 30, "production")
    )
    a = c.read("2021-06-30")["A"]
    assert (a.income_basis, a.rigid, a.net_income) == ("months", 400, 1170)
    # one that straddles the edge makes that sum null
    c.total("A", "2020-04", "2020-08", 10, "medical")
    a = c.read("2021-06-30")["A"]
    assert (a.rigid, a.spending["medical"], a.net_income) == (None, None, 1170)
    c.total("A", "2020-06", "2020-07", 10, "production")
    assert c.read("2021-06-30")["A"].net_income is None


def test_a_span_taken_off_leaves_the_total_null() -> None:
    c = yearly(2019, 2020).rejected("income", "A", month_from="2020-05", month_to="2020-05",
                                    recorded_on="2021-01-01")  # fmt: skip
    a = c.read("2021-05-31")["A"]
    assert (a.period_to, a.net_income, a.income_reason) == ("2020-12", None, "row_rejected")
    assert a.previous_net_income == 950


def test_a_total_that_ends_after_as_of_is_no_past_income() -> None:
    c = yearly(2020).total("A", "2021-01", "2021-12", 999, recorded_on="2021-02-01")
    for source in ("business", "property", "transfer", "production"):
        c.total("A", "2021-01", "2021-12", 9, source, recorded_on="2021-02-01")
    assert c.read("2021-11-30")["A"].period_to == "2020-12"
    assert c.read("2021-12-31")["A"].period_to == "2021-12"


def test_lag_zero_gives_equal_bounds() -> None:
    a = yearly(2020).read("2021-01-20")["A"]
    assert (a.lag_months, a.pcni_low, a.pcni_high, a.clear_allowed) == (0, 475, 475, True)
    assert a.event_after_period is False
    assert day("2021-01-20") == day("2021-01-20")
