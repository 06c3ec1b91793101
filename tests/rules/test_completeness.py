"""Late and doubtful records: what a verdict says of them, and that they find and never clear."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.data import About, County, from_frames
from riskmodel.i18n import section

AS_OF = "2021-06-30"
MONTHS = [str(m) for m in pd.period_range("2018-07", "2021-06", freq="M")]


def county(
    last: str,
    monthly: float = 1000.0,
    events: list[dict] | None = None,
    monitoring: list[dict] | None = None,
    **more: list[dict],
) -> County:
    """One household of one person whose months are on record until ``last``; rows end there too."""
    months = [m for m in MONTHS if m <= last]
    rows = {
        "households": [
            {"household_id": "h", "township": "t", "village": "v", "registration": "lifted",
             "housing_safe": True, "water_safe": True, "valid_from": "2015-01-01"},
        ],
        "members": [
            {"member_id": "a", "household_id": "h", "birth_month": "1985-01", "work_capacity": "full",
             "insured": True, "valid_from": "2015-01-01"},
        ],
        "income": [
            {"household_id": "h", "month": m, "source": "wage", "amount": monthly} for m in months
        ],
        "spending": [
            {"household_id": "h", "month": m, "category": "living", "amount": 1.0} for m in months
        ],
        "recorded": [
            {"household_id": "h", "of": of, "month_from": "2018-07", "month_to": last,
             "recorded_on": "2021-06-01"}
            for of in ("income", "spending")
        ],
        "risk_events": events or [{"household_id": "h", "date": "2020-08-01", "cause": "illness"}],
        "monitoring": monitoring or [],
        **more,
    }  # fmt: skip
    needed = {"monitoring": ["household_id", "date", "event", "causes"]}
    frames = {n: pd.DataFrame(r) if r else pd.DataFrame(columns=needed[n]) for n, r in rows.items()}
    return from_frames(frames, About(data_through="2021-06-30"))


def verdict(c: County, ruleset: str = "national-2021") -> pd.Series:
    return rules.evaluate_rules(c, ruleset, AS_OF).iloc[0]


def test_the_period_follows_the_records_within_the_allowed_lag() -> None:
    for last, lag in (("2021-06", 0), ("2021-05", 1), ("2021-03", 3)):
        row = verdict(county(last))
        assert (row["lag_months"], row["period_to"], row["pcni"]) == (lag, last, 12_000)
    row = verdict(county("2021-02"))
    assert (row["lag_months"], row["category"]) == (4, "unknown")
    assert row["income_reason"] == "not_yet_recorded"


def test_what_is_not_met_in_a_late_period_is_unknown_once_there_is_news() -> None:
    old, new = ({"household_id": "h", "date": d, "cause": "illness"} for d in ("2020-08-01", "2021-06-10"))
    assert verdict(county("2021-04", events=[old]))["unknown"] == ""
    assert verdict(county("2021-06", events=[old, new]))["unknown"] == ""  # nothing is late
    row = verdict(county("2021-04", events=[old, new]))
    # 12 000 yuan are not below 6 000 in the period that is on record; of the two months since nobody knows.
    assert {"below_line", "rigid_too_large", "income_plunged"} <= set(row["unknown"].split(";"))
    assert "at_risk" in row["conditions"].split(";")
    # What is met is met: a late period finds.
    poor = verdict(county("2021-04", monthly=400.0, events=[old, new]))
    assert poor["category"] == "unstable_lifted"


def test_a_member_who_came_or_left_since_is_news_too() -> None:
    c = county("2021-04", members=[
        {"member_id": "a", "household_id": "h", "birth_month": "1985-01", "valid_from": "2015-01-01"},
        {"member_id": "b", "household_id": "h", "birth_month": "1990-01", "valid_from": "2021-05-20"},
    ])  # fmt: skip
    assert "below_line" in verdict(c)["unknown"].split(";")


def test_a_flag_on_money_is_not_cleared_either() -> None:
    new = {"household_id": "h", "date": "2021-06-10", "cause": "illness"}
    row = verdict(county("2021-04", events=[new]), "yingjiang-2022")
    assert "income_low_or_down" in row["unknown"].split(";")
    assert "severe_disability" not in row["unknown"].split(";")


def test_a_plan_that_income_alone_denies_is_not_denied_by_a_late_period() -> None:
    new = {"household_id": "h", "date": "2021-06-10", "cause": "illness"}
    # 12 000 yuan are not below 10 000 until April; what the months since were nobody knows yet.
    assert pd.isna(verdict(county("2021-04", events=[new]), "yingjiang-2022")["income_plan"])
    assert not verdict(county("2021-06", events=[new]), "yingjiang-2022")["income_plan"]
    assert verdict(county("2021-04", 400.0, events=[new]), "yingjiang-2022")["income_plan"]


def test_a_household_is_put_back_on_what_a_late_period_finds() -> None:
    # 400 yuan a month are no stable income: found, though the period is late and there is news.
    done = [
        {"household_id": "h", "date": "2020-01-01", "event": "identified", "causes": "illness"},
        {"household_id": "h", "date": "2020-12-01", "event": "eliminated", "causes": None},
    ]
    new = {"household_id": "h", "date": "2021-06-10", "cause": "illness"}
    row = verdict(county("2021-04", monthly=400.0, events=[new], monitoring=done), "yingjiang-2022")
    assert row["outcome"] == "roll_back"


WATCHED = [{"household_id": "h", "date": "2020-09-01", "event": "identified", "causes": "illness"}]
HELPED = [{"household_id": "h", "date": "2020-10-01", "measure": "health", "cause": "illness"}]


def test_nobody_is_eliminated_on_late_or_doubtful_records() -> None:
    whole = verdict(county("2021-06", monitoring=WATCHED, support=HELPED))
    assert (whole["outcome"], whole["unknown"]) == ("eliminate", "")
    late = verdict(county("2021-05", monitoring=WATCHED, support=HELPED))
    assert (late["outcome"], late["unknown"]) == ("hold", "records_incomplete")
    assert late["pcni"] == whole["pcni"]
    # A doubt that leaves every sum known that the criteria need: a page of living costs is blurred.
    off = [{"household_id": "h", "of": "spending", "item": "living", "month_from": "2021-01",
            "month_to": "2021-01", "why": "blurred", "recorded_on": "2021-06-02"}]  # fmt: skip
    doubtful = verdict(county("2021-06", monitoring=WATCHED, support=HELPED, unrecorded=off))
    assert (doubtful["doubts"], doubtful["pcni"], doubtful["rigid_ratio"]) == ("blurred", 12_000, 0)
    assert (doubtful["outcome"], doubtful["unknown"]) == ("hold", "records_incomplete")


def test_the_negative_list_still_asks_and_says_that_records_are_incomplete() -> None:
    # A hit lets nobody go: it asks for a visit. That a removal would stand on incomplete records is said.
    car = [{"household_id": "h", "kind": "car", "valid_from": "2021-01-01"}]
    for last, said in (("2021-06", ""), ("2021-05", "records_incomplete")):
        row = verdict(county(last, monitoring=WATCHED, support=HELPED, assets=car), "dali-2021")
        assert (row["outcome"], row["removed_by"], row["unknown"]) == ("verify_removal", "car", said)


def test_bounds_are_what_nothing_or_last_year_would_give() -> None:
    # On record: 2020-05 to 2021-04, 700 a month. 2021-05 and 06: nothing, or 700 each as a year ago.
    row = verdict(county("2021-04", monthly=700.0))
    assert (row["pcni"], row["pcni_low"], row["pcni_high"]) == (8400, 7000, 8400)
    assert not row["verdict_depends"]
    # 550 a month: 6 600 in the year on record, 5 500 if nothing came since, which is below the line.
    row = verdict(county("2021-04", monthly=550.0))
    assert (row["category"], row["pcni_low"], row["pcni_high"]) == ("none", 5500, 6600)
    assert row["verdict_depends"]
    whole = verdict(county("2021-06", monthly=550.0))
    assert (whole["pcni_low"], whole["pcni_high"], whole["verdict_depends"]) == (6600, 6600, False)


def test_a_registration_that_cannot_be_read_is_unknown() -> None:
    c = county("2021-06", households=[
        {"household_id": "h", "township": "t", "village": "v", "registration": None,
         "valid_from": "2015-01-01"}])  # fmt: skip
    frame = rules.evaluate_rules(c, "national-2021", AS_OF)
    # Its row is kept out and told; the household stays, under its number and in its place.
    assert list(c.rejected["reason"]) == ["missing value"]
    assert len(frame) == 1
    row = frame.iloc[0]
    assert (row["household_id"], row["township"], row["village"]) == ("h", "t", "v")
    assert pd.isna(row["registration"])
    assert (row["category"], bool(row["flagged"])) == ("unknown", False)
    assert row["doubts"] == "row_rejected"
    # Its income is as it was: 12 months of 1,000 yuan for one person.
    assert row["pcni"] == 12_000
    dropped = rules.find_dropped(c, "national-2021", AS_OF)
    assert dropped.empty  # well above the line under every registration
    below = county("2021-06", monthly=100.0, households=[
        {"household_id": "h", "township": "t", "village": "v", "registration": None,
         "valid_from": "2015-01-01"}])  # fmt: skip
    assert list(rules.find_dropped(below, "national-2021", AS_OF)["household_id"]) == ["h"]


def test_the_explanation_says_lag_bounds_and_reasons_in_both_languages() -> None:
    told = rules.explain_verdict(county("2021-04", monthly=550.0), "national-2021", AS_OF, "h")
    assert "核算期：2020-05至2021-04" in told["zh"]
    assert "之前 2 个月" in told["zh"]
    assert "5,500 元" in told["zh"]
    assert "结论可能不同" in told["zh"]
    assert "ends 2 months before the last completed one" in told["en"]
    assert "between 5,500 yuan" in told["en"]
    late = rules.explain_verdict(county("2021-02"), "national-2021", AS_OF, "h")
    assert "尚未录入" in late["zh"]
    assert "not yet written up" in late["en"]
    held = rules.explain_verdict(
        county("2021-05", monitoring=WATCHED, support=HELPED), "national-2021", AS_OF, "h"
    )
    assert "记录不完整" in held["zh"]
    assert "records are incomplete" in held["en"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_reason_and_doubt_has_words(lang: str) -> None:
    reasons = (
        "no_persons", "row_rejected", "split", "new_household", "before_records", "not_yet_recorded",
        "income_stale", "not_tiled", "gap_in_records", "no_income", "production_unknown",
    )  # fmt: skip
    words = section("rules.reasons", lang)
    assert set(words) == set(reasons)
    assert rules.name_reasons(";".join(reasons), lang) == [words[r] for r in reasons]
    assert rules.name_reasons("blurred", lang) == ["blurred"]  # an office's own word
    assert rules.name_reasons(None, lang) == []
