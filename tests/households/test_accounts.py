"""Quantities of hand-worked households: each number is reckoned in the comment beside it."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import About, from_frames
from riskmodel.households import known_county, point_in_time
from riskmodel.households.periods import AccountingPeriod


def months(first: str, last: str) -> list[str]:
    return [str(p) for p in pd.period_range(first, last, freq="M")]


def base(**tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    frames = {
        "households": pd.DataFrame(
            {
                "household_id": ["h"],
                "township": ["t"],
                "village": ["v"],
                "registration": ["lifted"],
                "valid_from": ["2018-01-01"],
            }
        ),
        "members": pd.DataFrame(
            {
                "member_id": ["a", "b"],
                "household_id": ["h", "h"],
                "birth_month": ["1980-01", "2012-03"],
                "valid_from": ["2018-01-01", "2021-03-01"],
            }
        ),
        "income": pd.DataFrame(
            {
                "household_id": "h",
                "month": months("2019-06", "2021-05"),
                "source": "wage",
                "amount": [500] * 12 + [1000] * 12,
            }
        ),
        "spending": pd.DataFrame(columns=["household_id", "month", "category", "amount"]),
    }
    return frames | tables


def one(
    frames: dict[str, pd.DataFrame], as_of: str, about: About | None = None, **kwargs: object
) -> pd.Series:
    county = from_frames(frames, about)
    found = known_county(county, as_of).accounts(**kwargs).to_pandas()  # type: ignore[arg-type]
    assert len(found) == 1
    return found.iloc[0]


def test_period_is_the_twelve_months_completed_by_as_of() -> None:
    # On 2021-06-01 the last complete month is May (001 §13: 2020-06 to 2021-05).
    row = one(base(), "2021-06-01")
    assert (row.period_from, row.period_to) == (2020 * 12 + 5, 2021 * 12 + 4)
    assert row.net_income == 12_000  # 12 × 1000
    assert row.persons == 2
    assert row.pcni == 6_000
    # A year ago only the head was there: 12 × 500 / 1.
    assert row.previous_persons == 1
    assert row.previous_pcni == 6_000
    assert row.income_drop == 0


def test_a_month_counts_on_its_last_day_and_not_before() -> None:
    frames = base()
    assert one(frames, "2021-05-30").period_to == 2021 * 12 + 3
    assert one(frames, "2021-05-31").period_to == 2021 * 12 + 4
    # Nor where the office says already that it has written it up.
    stated = pd.DataFrame({"household_id": ["h"] * 2, "of": ["income", "spending"]})
    stated = stated.assign(month_from="2019-06", month_to="2021-05", recorded_on="2021-05-20")
    assert one(frames | {"recorded": stated}, "2021-05-30").period_to == 2021 * 12 + 3


def test_unknown_income_is_null_never_zero() -> None:
    row = one(base(), "2023-06-30")
    assert pd.isna(row.net_income)
    assert pd.isna(row.pcni)
    assert row.income_reason == "not_yet_recorded"
    assert row.lag_months == 24 + 1  # June 2023 back to May 2021
    # A month on record whose rows are wanting is no income that is known: null as well.
    never = base()
    never["income"] = never["income"].iloc[:0]
    whole = About(coverage="whole", records_from="2018-01", data_through="2021-05-31")
    row = one(never, "2021-05-31", whole)
    assert pd.isna(row.pcni)
    assert row.income_reason == "no_income"
    # Where the office says of this household that it has recorded the months, none is none.
    stated = pd.DataFrame({"household_id": ["h"] * 2, "of": ["income", "spending"]})
    stated = stated.assign(month_from="2020-06", month_to="2021-05")
    row = one(never | {"recorded": stated}, "2021-05-31", whole)
    assert (row.pcni, row.income_basis) == (0, "months")
    assert pd.isna(row.previous_pcni)


def test_production_is_subtracted_and_rigid_compared_with_last_year() -> None:
    spending = pd.DataFrame(
        {
            "household_id": "h",
            "month": ["2020-08", "2021-01", "2020-01"],
            "category": ["production", "medical", "medical"],
            "amount": [2_000, 9_000, 70],
        }
    )
    row = one(base(spending=spending), "2021-06-01")
    assert row.net_income == 10_000  # 12000 − 2000
    assert row.rigid == 9_000  # January 2020 lies outside the period
    assert row.rigid_ratio == pytest.approx(9_000 / 6_000)  # last year's net income was 6000


def test_ratio_is_infinite_where_last_year_had_nothing_to_spend() -> None:
    frames = base(
        spending=pd.DataFrame(
            {
                "household_id": "h",
                "month": ["2019-08", "2021-01"],
                "category": ["production", "medical"],
                "amount": [8_000, 10],
            }
        )
    )
    assert one(frames, "2021-06-01").rigid_ratio == float("inf")  # last year: 6000 − 8000 < 0


def test_absent_spending_leaves_net_income_unknown_unless_incomes_are_net() -> None:
    frames = base()
    del frames["spending"]
    row = one(frames, "2021-06-01")
    assert pd.isna(row.pcni)
    assert row.income_reason == "production_unknown"
    assert pd.isna(row.rigid)
    assert one(frames, "2021-06-01", About(income_is_net=True)).pcni == 6_000


def totals(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["month_from", "month_to", "source", "amount"]).assign(household_id="h")


def test_totals_are_never_spread_and_known_after_the_entry_lag() -> None:
    frames = base(
        income=totals(("2019-01", "2019-12", "wage", 8_000), ("2020-01", "2020-12", "wage", 5_000)),
        members=base()["members"].assign(valid_from="2018-01-01"),
    )
    # The total of 2020 is known from the end of March 2021 (entry lag of three months).
    early, late = one(frames, "2021-03-30"), one(frames, "2021-03-31")
    assert early.period_to == 2019 * 12 + 11
    assert (late.period_from, late.period_to) == (2020 * 12, 2020 * 12 + 11)
    assert late.income_basis == "total"
    assert late.pcni == 2_500
    assert late.previous_pcni == 4_000
    assert late.income_drop == pytest.approx(1 - 2_500 / 4_000)
    assert pd.isna(late.wage_months)  # a total does not say how many months were worked


def test_a_total_that_ended_more_than_eighteen_months_ago_says_nothing() -> None:
    frames = base(income=totals(("2020-01", "2020-12", "wage", 5_000)))
    last = one(frames, "2022-06-30")  # ended exactly 18 months before
    assert (last.income_basis, last.lag_months, last.pcni) == ("total", 18, 5_000)
    row = one(frames, "2022-07-31")
    assert pd.isna(row.pcni)
    assert row.income_reason == "income_stale"


def test_totals_and_months_of_one_source_are_never_added() -> None:
    both = pd.concat(
        [
            totals(("2020-01", "2020-12", "wage", 5_000)),
            pd.DataFrame(
                {"household_id": "h", "month": months("2020-01", "2020-12"), "source": "wage", "amount": 400}
            ),
            pd.DataFrame(
                {
                    "household_id": "h",
                    "month": months("2020-01", "2020-12"),
                    "source": "transfer",
                    "amount": 10,
                }
            ),
        ]
    )
    row = one(base(income=both), "2021-06-01")
    # The wage total goes before the wage months; the other source's months lie in the same span.
    assert row.net_income == 5_000 + 120


def test_business_net_may_be_negative_and_is_not_charged_production_twice() -> None:
    frames = base(
        income=totals(("2020-01", "2020-12", "business_net", -300), ("2020-01", "2020-12", "wage", 9_000)),
        spending=pd.DataFrame(
            {
                "household_id": "h",
                "month_from": ["2020-01"],
                "month_to": ["2020-12"],
                "category": ["production"],
                "amount": [4_000],
            }
        ),
    )
    assert one(frames, "2021-06-01").net_income == 8_700


def test_business_may_be_net_in_one_year_and_gross_in_the_next() -> None:
    # 2019 is given net; 2020 gross, with costs of 400. Neither year waits for what the other has.
    income = totals(
        ("2019-01", "2019-12", "wage", 6000),
        ("2019-01", "2019-12", "business_net", 900),
        ("2020-01", "2020-12", "wage", 7000),
        ("2020-01", "2020-12", "business", 2000),
    )
    spent = pd.DataFrame(
        {
            "household_id": ["h"],
            "month_from": ["2020-01"],
            "month_to": ["2020-12"],
            "category": ["production"],
            "amount": [400],
        }
    )
    row = one(base(income=income, spending=spent), "2021-04-30")
    assert (row.net_income, row.income_basis) == (8600, "total")  # 7000 + 2000 − 400
    assert row.previous_net_income == 6900  # 6000 + 900, no costs on top
    back = one(base(income=income, spending=spent), "2020-04-30")
    assert back.net_income == 6900


def test_a_correction_holds_from_the_day_it_was_recorded() -> None:
    income = base()["income"].assign(row_id=[f"r{i}" for i in range(24)])
    fixed = income.tail(1).assign(amount=13_000, recorded_on="2021-07-10")
    frames = base(income=pd.concat([income, fixed]))
    at = {d: one(frames, d) for d in ("2021-07-09", "2021-07-10")}
    # June 2021 is not written up yet: the period ends with May, one month behind.
    assert [row.lag_months for row in at.values()] == [1, 1]
    assert at["2021-07-09"].net_income == 12_000
    assert at["2021-07-10"].net_income - at["2021-07-09"].net_income == 12_000


def test_calendar_year_is_divided_by_todays_members() -> None:
    row = one(base(), "2021-06-01", period=AccountingPeriod(calendar_year=True))
    assert (row.period_from, row.period_to) == (2020 * 12, 2020 * 12 + 11)
    assert row.pcni == (5 * 500 + 7 * 1_000) / 2


def test_a_calendar_year_told_by_a_total_says_nothing_of_single_months() -> None:
    # The year is known (12,000 / 2 present today), the months with earnings are not: null, never 0.
    year = {"month_from": ["2020-01"], "month_to": ["2020-12"], "source": ["wage"], "amount": [12_000]}
    frames = base(income=pd.DataFrame({"household_id": ["h"], **year}))
    row = one(frames, "2021-06-01", period=AccountingPeriod(calendar_year=True))
    assert (row.pcni, row.income_basis) == (6_000, "total")
    assert pd.isna(row.earning_months)
    monthly = one(base(), "2021-06-01", period=AccountingPeriod(calendar_year=True))
    assert (monthly.income_basis, monthly.earning_months) == ("months", 12)


def test_open_causes_gaps_and_the_main_cause() -> None:
    frames = base(
        risk_events=pd.DataFrame(
            {
                "household_id": "h",
                "date": ["2020-06-01", "2020-06-02", "2021-06-01"],
                "cause": ["accident", "disability", "illness"],
            }
        ),
    )
    frames["members"] = frames["members"].assign(insured=[None, False])
    row = one(frames, "2021-06-01")
    # (as-of − 12 months, as-of]: the first lies exactly a year back, outside.
    assert not row.cause_accident
    assert row.cause_disability
    assert row.cause_illness
    assert row.main_cause == "illness"  # the latest
    assert row.gap_medical  # one known not to be insured; a null is no gap
    assert row.has_risk


def test_without_risk_events_has_risk_is_unknown_not_false() -> None:
    row = one(base(), "2021-06-01")
    assert pd.isna(row.has_risk)
    row = one(base(risk_events=pd.DataFrame(columns=["household_id", "date", "cause"])), "2021-06-01")
    assert row.has_risk is False or row.has_risk == False  # noqa: E712 - numpy's False too


def test_many_moments_in_one_pass_equal_one_at_a_time() -> None:
    frames = base()
    county = from_frames(frames)
    days = ["2020-12-31", "2021-03-31", "2021-06-01"]
    together = known_county(county, days).accounts().to_pandas().sort_values("as_of")
    apart = pd.concat([known_county(county, d).accounts().to_pandas() for d in days])
    pd.testing.assert_frame_equal(
        together.reset_index(drop=True), apart.reset_index(drop=True), check_dtype=False
    )


def test_who_knows_more_than_as_of_still_takes_the_total_that_ended_by_then() -> None:
    # Labels look back with everything known: at the end of 2019 the year 2020 is not yet anybody's income.
    totals = pd.DataFrame(
        {
            "household_id": "h",
            "month_from": ["2019-01", "2020-01"],
            "month_to": ["2019-12", "2020-12"],
            "source": "wage",
            "amount": [6000, 12000],
            "recorded_on": ["2019-12-31", "2020-12-31"],
        }
    )
    county = from_frames(base(income=totals))
    late = point_in_time.Moment(point_in_time.to_date("2019-12-31"), point_in_time.to_date("2021-06-30"))
    assert known_county(county, late).accounts().to_pandas()["net_income"].tolist() == [6000]


def test_who_knows_more_than_as_of_sees_no_event_that_happened_after_it() -> None:
    # A look back on the end of 2020 with everything known by June 2021: the illness and the identification of
    # 2021 were known by then, but they are nothing that held at the end of 2020. What did hold are the
    # accident and the elimination of November, recorded late as they were.
    recorded = ["2021-02-01", "2021-05-01"]
    frames = base(
        risk_events=pd.DataFrame(
            {
                "household_id": "h",
                "date": ["2020-11-01", "2021-04-01"],
                "cause": ["accident", "illness"],
                "recorded_on": recorded,
            }
        ),
        monitoring=pd.DataFrame(
            {
                "household_id": "h",
                "date": ["2020-11-01", "2021-04-01"],
                "event": ["eliminated", "identified"],
                "recorded_on": recorded,
            }
        ),
    )
    late = point_in_time.Moment(point_in_time.to_date("2020-12-31"), point_in_time.to_date("2021-06-30"))
    row = known_county(from_frames(frames), late).accounts().to_pandas().iloc[0]
    assert (bool(row.cause_accident), bool(row.cause_illness)) == (True, False)
    assert row.latest_open_cause == "accident"
    assert (row.register_event, bool(row.in_register)) == ("eliminated", False)


def test_where_nobody_lives_the_reason_is_that() -> None:
    gone = base()
    gone["members"] = gone["members"].assign(valid_from="2018-01-01", valid_to="2020-01-01")
    gone["income"] = gone["income"][gone["income"]["month"] < "2020-01"]
    row = one(gone, "2021-06-01")
    assert pd.isna(row["pcni"])
    assert row["income_reason"] == "no_persons"
