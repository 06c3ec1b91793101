"""An experiment meets its data: refused or switched with the reason where they cannot carry it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused
from riskmodel.runs import data_fit, experiment, fitting

HOUSEHOLDS = 40


def annual(years: range, **about: object) -> County:
    """Return a county of annual totals; undated rows are known from ``snapshot_on`` on."""
    ids = [f"h{i:02d}" for i in range(HOUSEHOLDS)]
    homes = pd.DataFrame(
        {"household_id": ids, "township": "t", "village": "v", "registration": "lifted", "valid_from": None}
    )
    members = pd.DataFrame(
        {"member_id": [f"{i}-1" for i in ids], "household_id": ids, "birth_month": "1980-01"}
    )
    rows = [
        {"household_id": h, "month_from": f"{y}-01", "month_to": f"{y}-12", "source": "wage",
         "amount": 5_000 + 100 * ((i + y) % HOUSEHOLDS)}
        for y in years
        for i, h in enumerate(ids)
    ]  # fmt: skip
    frames = {
        "households": homes, "members": members, "income": pd.DataFrame(rows),
        "spending": pd.DataFrame(columns=["household_id", "month", "category", "amount"]),
    }  # fmt: skip
    return from_frames(frames, About.model_validate(about))


def test_a_snapshot_after_all_dates_is_named_as_the_cause() -> None:
    # Totals of 2018 to 2021 and one snapshot of January 2022: nobody is known at a date whose outcome is.
    county = annual(range(2018, 2022), snapshot_on="2022-01-12", data_through="2021-12-31")
    with pytest.raises(
        InputRefused, match=r"known only from 2022-01-12 \(snapshot_on\).*valid_from or recorded_on"
    ):
        data_fit.fit_to_data(plain_county(), county)


def test_dates_before_the_snapshot_are_left_out_by_name() -> None:
    county = annual(range(2013, 2022), snapshot_on="2018-02-15", data_through="2021-12-31")
    exp = plain_county()
    asked = experiment.as_of_dates(exp, county)
    fit = data_fit.fit_to_data(exp, county)
    assert min(asked) < dt.date(2018, 2, 15) <= min(fit.days)
    note = next(n for n in fit.notes if n.code == "before snapshot")
    assert "(snapshot_on 2018-02-15) left out" in note.text("en")


def test_a_refusal_for_want_of_dates_names_the_snapshot() -> None:
    # Dates of 2019 and 2020 are after the snapshot, but too few to train and test.
    county = annual(range(2013, 2022), snapshot_on="2020-10-15", data_through="2021-12-31")
    exp = plain_county()
    exp = exp.model_copy(update={"feature_set": "household-annual-v1"})
    with pytest.raises(InputRefused, match=r"snapshot_on 2020-10-15"):
        fitting.run_experiment(exp, county)


def test_features_that_say_nothing_are_counted() -> None:
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan], "c": [3.0, 3.0], "d": [1.0, np.nan]})
    message = data_fit.columns_without_information(X)
    assert message is not None
    assert message.text("en").startswith(
        "features that tell nothing in the training rows, of 4: 1 without any value, 1 with only one"
    )
    assert data_fit.columns_without_information(X[["a", "d"]]) is None


def test_annual_totals_switch_the_features_and_keep_one_date_an_outcome() -> None:
    # Totals are known three months after their year: at the ends of March, June and September the newest is
    # of the year before, the outcome of all three the running year (9, 6 and 3 months ahead); at the end of
    # December it is still of the year before, and the outcome the next year (12).
    county = annual(range(2013, 2022), snapshot_on="2013-01-01", data_through="2021-12-31")
    fit = data_fit.fit_to_data(plain_county(), county)
    assert fit.experiment.feature_set == "household-annual-v1"
    assert [d.month for d in fit.days] == [12] * len(fit.days)
    assert len({d.year for d in fit.days}) == len(fit.days)
    codes = {note.code for note in fit.notes}
    assert {"annual features", "one horizon"} <= codes
    text = next(n.text("en") for n in fit.notes if n.code == "one horizon")
    assert "the real horizon is 12 months" in text
    assert "3, 6, 9, 12 found" in text


def test_too_few_totals_for_the_horizon_are_refused_with_the_cause() -> None:
    county = annual(range(2019, 2021), snapshot_on="2013-01-01", data_through="2021-12-31")
    with pytest.raises(InputRefused, match=r"annual totals.*totals of more years are needed"):
        data_fit.fit_to_data(plain_county(), county)


def test_dates_before_the_records_are_left_out(county: County) -> None:
    # history_months: 1 asks for dates whose twelve months begin before the records do.
    exp = plain_county()
    exp = exp.model_copy(update={"as_of": experiment.AsOf(every_months=3, history_months=3)})
    fit = data_fit.fit_to_data(exp, county)
    left = [d for d in experiment.as_of_dates(exp, county) if d not in fit.days]
    assert len(left) >= 3
    assert max(left) < min(fit.days)
    note = next(n for n in fit.notes if n.code == "dates left out")
    assert str(left[0]) in note.text("en")
    assert "the period begins before the records do" in note.text("en")
    # All dates are counted, those left out too.
    at_first = fit.unknown[fit.unknown["as_of"] == pd.Timestamp(left[0])]
    assert at_first.set_index("reason")["share"]["before_records"] > 0.5
