"""What outcomes that are not plainly known do to figures, on rows whose answer is worked out by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel.data import About, from_frames
from riskmodel.evaluation import Budget
from riskmodel.runs import assessment, outcomes, uncertain_outcomes


def test_figures_stand_beside_those_without_split_households() -> None:
    # Four households, a list of two: a fell whole, b was split and a third of its persons fell, c was split
    # and nobody fell, d did not fall. As labels go 2 of 4 fell; without b and c 1 of 2; by persons 1 + 1/3 of
    # 4.
    rows = pd.DataFrame(
        {
            "household_id": list("abcd"), "as_of": pd.Timestamp(dt.date(2020, 1, 1)), "model": "m",
            "score": [4.0, 1.5, 3.0, 1.0], "y": [1.0, 1.0, 0.0, 0.0], "split": [False, True, True, False],
            "split_share": [np.nan, 1 / 3, 0.0, np.nan],
        }
    )  # fmt: skip
    splits = assessment.Evaluation(rows, Budget(visits=2), "m", {}).splits
    assert splits is not None
    row = splits.iloc[0]
    assert (row["rows"], row["split"]) == (4, 2)
    assert (row["rate"], row["rate_without"]) == (0.5, 0.5)
    assert row["rate_weighted"] == pytest.approx((1 + 1 / 3) / 4)
    # a and c are listed: one of the two that fell; without the split, a and d: the only one; by persons 3/4.
    assert (row["recall"], row["recall_without"]) == (0.5, 1.0)
    assert row["recall_weighted"] == pytest.approx(1 / (1 + 1 / 3))
    assert (row["auc"], row["auc_without"]) == (0.75, 1.0)
    texts = [m.text("en") for m in uncertain_outcomes.split_messages(splits)]
    assert texts[0].startswith("2 test rows are of households split in the window")
    assert "m 50.0% / 100.0% / 75.0%" in texts[1]
    assert assessment.Evaluation(rows.assign(split=False), Budget(visits=2), "m", {}).splits is None


def test_bounds_count_unknown_outcomes_as_anything() -> None:
    # Four households, a list of two. Of the listed one had the event and one is not known; of the others one
    # had it: recall is 1/2 if the unknown one had none, 2/3 if it had; the rate 2/4 or 3/4.
    rows = pd.DataFrame(
        {
            "household_id": list("abcd"), "as_of": pd.Timestamp(dt.date(2020, 1, 1)), "model": "m",
            "score": [4.0, 3.0, 2.0, 1.0], "y": [1.0, np.nan, 1.0, 0.0],
        }
    )  # fmt: skip
    bounds = assessment.Evaluation(rows, Budget(visits=2), "m", {}).null_bounds.iloc[0]
    assert (bounds["rows"], bounds["nulls"]) == (4, 1)
    assert (bounds["rate_low"], bounds["rate_high"]) == (0.5, 0.75)
    assert bounds["recall_low"] == 0.5
    assert bounds["recall_high"] == pytest.approx(2 / 3)
    assert (bounds["auc_nulls_0"], bounds["auc_nulls_1"]) == (0.75, 1.0)


def test_who_had_fallen_already_is_counted_apart() -> None:
    # A list of two: a, below the line on the day as later records show, and c, who did not fall. Of three
    # events a was there already and is found; b and d fell later, and neither is.
    rows = pd.DataFrame(
        {
            "household_id": list("abcd"), "as_of": pd.Timestamp(dt.date(2020, 1, 1)), "model": "m",
            "score": [4.0, 1.5, 3.0, 1.0], "y": [1.0, 1.0, 0.0, 1.0],
            "below_already": [1.0, 0.0, 1.0, np.nan],
        }
    )  # fmt: skip
    table = uncertain_outcomes.already_below(rows, Budget(visits=2))
    assert table is not None
    row = table.iloc[0]
    assert (row["events"], row["already"]) == (3, 1)
    assert (row["recall"], row["recall_already"], row["recall_later"]) == (pytest.approx(1 / 3), 1.0, 0.0)
    (message,) = uncertain_outcomes.already_messages(table, None)
    assert message.text("en").startswith("of 3 events, 1 were below the line on the day already")
    assert uncertain_outcomes.already_below(rows.assign(below_already=0.0), Budget(visits=2)) is None


def test_unknown_outcomes_are_counted_by_score_flag_and_lag() -> None:
    n = 100
    rows = pd.DataFrame(
        {
            "household_id": [f"{i:03d}" for i in range(n)], "as_of": pd.Timestamp(dt.date(2020, 1, 1)),
            "model": "m", "score": -np.arange(n, dtype=float), "flagged": np.arange(n) < 20,
            # Of the ten highest five are unknown; of the others none but one whose records lag by two months.
            "y": [np.nan if i < 5 or i == 60 else 0.0 for i in range(n)],
            "lag_months": [2.0 if i >= 60 else 0.0 for i in range(n)],
        }
    )  # fmt: skip
    rates = uncertain_outcomes.null_rates(rows, "m").set_index(["by", "value"])
    assert rates.loc[("score_tenth", 1.0), ["rows", "nulls", "share"]].tolist() == [10, 5, 0.5]
    assert rates.loc["score_tenth"]["nulls"].sum() == 6
    assert rates.loc[("flagged", 1.0), "share"] == 0.25
    assert rates.loc[("lag_months", 2.0), ["rows", "nulls"]].tolist() == [40, 1]
    (message,) = uncertain_outcomes.null_rate_messages(rates.reset_index())
    assert message.text("en") == (
        "share without a known outcome: the tenth with the highest scores 50.0%, the lowest 0.0%, whom "
        "the rules flag 25.0%, the others 1.2%, records that lag by 0 months 8.3%, records that lag by 2 "
        "months 2.5%"
    )


def test_records_that_came_later_say_who_had_fallen() -> None:
    """Of two households with 7200 a head on record, one's bad months came in after the day."""
    months = [str(m) for m in pd.period_range("2018-01", "2020-12", freq="M")]
    paid = [
        {"household_id": h, "month": m, "source": "wage", "amount": 600, "recorded_on": f"{m}-28"}
        for h in ("late", "fine")
        for m in months
    ]
    for row in paid:
        if row["household_id"] == "late" and row["month"] >= "2019-07" and row["month"] <= "2019-12":
            row |= {"row_id": f"r{row['month']}"}
    corrected = [row | {"amount": 100, "recorded_on": "2020-03-15"} for row in paid if "row_id" in row]
    ids = ["late", "fine"]
    frames = {
        "households": pd.DataFrame(
            {"household_id": ids, "township": "t", "village": "v", "registration": "lifted",
             "valid_from": "2017-01-01"}
        ),
        "members": pd.DataFrame(
            {"member_id": ids, "household_id": ids, "birth_month": "1980-01", "valid_from": "2017-01-01"}
        ),
        "income": pd.DataFrame(paid + corrected),
        "spending": pd.DataFrame(columns=["household_id", "month", "category", "amount"]),
    }  # fmt: skip
    county = from_frames(frames, About(data_through="2020-12-31"))
    found = outcomes.records_then_and_later(plain_county(), county, (dt.date(2019, 12, 31),))
    found = found.set_index("household_id")
    assert found["below_already"].to_dict() == {"late": 1.0, "fine": 0.0}
    assert found["lag_months"].eq(0).all()
