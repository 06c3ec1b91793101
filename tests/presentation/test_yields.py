"""The yield of visits on the report's page: both languages, beside what was published."""

from __future__ import annotations

import pandas as pd

from riskmodel import presentation
from riskmodel.data import from_frames
from riskmodel.evaluation import weighted_yield, yield_by_source


def visits_with_chances() -> pd.DataFrame:
    """20 flagged, of whom 10 are confirmed; a lot of 10 with a chance of 1/10, of whom 1 is."""
    rule = pd.DataFrame(
        {"selected_by": "rule", "outcome": ["confirmed", "not_confirmed"] * 10, "chance": 1.0}
    )
    lot = pd.DataFrame({"selected_by": "random", "outcome": ["confirmed"] + ["not_confirmed"] * 9})
    made = pd.concat([rule, lot.assign(chance=0.1)], ignore_index=True)
    return made.assign(village=[f"v{i % 6}" for i in range(len(made))])


def test_only_visits_made_and_known_by_then_count() -> None:
    visits = pd.DataFrame(
        {
            "household_id": ["a", "b", "c", "d"],
            "date": ["2021-05-01", "2021-06-20", "2019-01-01", "2021-05-02"],
            "outcome": ["confirmed"] * 4,
            "selected_by": ["rule"] * 4,
            # b was entered after the day, c is older than a year.
            "recorded_on": ["2021-05-01", "2021-07-05", "2019-01-01", "2021-05-02"],
        }
    )
    county = from_frames({"visits": visits})
    assert presentation.yields(county, "2021-06-30")["visits"].tolist() == [2]
    assert presentation.yields(county, "2021-07-05")["visits"].tolist() == [3]
    assert presentation.yields(from_frames({"visits": visits.iloc[:0]}), "2021-06-30").empty


def test_the_page_shows_them_in_both_languages_beside_the_published(make_given, tmp_path) -> None:
    said = ["rule"] * 40 + ["random"] * 10
    visits = pd.DataFrame({"selected_by": said, "outcome": ["confirmed"] * 12 + ["not_confirmed"] * 38})
    given = make_given(yields=yield_by_source(visits), weighted_yield=weighted_yield(visits_with_chances()))
    text = presentation.write_report(given, tmp_path).read_text(encoding="utf-8")
    assert "属实率约 16.7%" in text
    assert "are worth 14 visits of equal chance" in text
    assert "近一年入户核查的成效" in text
    assert "30.0%" in text
    assert "126" in text
    assert "383" in text
    assert "screened for illness costs beforehand" in text
    assert "近一年入户核查的成效" not in presentation.write_report(make_given(), tmp_path / "b").read_text(
        encoding="utf-8"
    )
