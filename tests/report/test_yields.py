"""The yield of the lists: counted by source, with intervals that cover, beside what was published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from riskmodel import report
from riskmodel.county import from_frames
from riskmodel.evaluation.yields import by_source, wilson


def test_wilson_against_another_implementation_and_its_coverage() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in [(126, 383), (0, 10), (7, 9), (50, 50)]:
        theirs = proportion_confint(hits, n, method="wilson")
        assert np.allclose([float(v) for v in wilson(hits, n)], theirs, atol=1e-12)
    # Coverage at p = 0.3, n = 40: the exact sum over all outcomes stays near 95 %.
    hits = np.arange(41)
    low, high = wilson(hits, 40)
    assert binom.pmf(hits, 40, 0.3)[(low <= 0.3) & (high >= 0.3)].sum() == pytest.approx(0.95, abs=0.03)


def test_absent_households_are_counted_and_left_out_of_the_rate() -> None:
    visits = pd.DataFrame(
        [("rule", "confirmed"), ("rule", "not_confirmed"), ("rule", "absent"),
         ("random", "absent"), (None, "confirmed")],
        columns=["selected_by", "outcome"],
    )  # fmt: skip
    made = by_source(visits).set_index("selected_by")
    assert list(made.index) == ["rule", "random", "unknown"]
    assert made.loc["rule", ["visits", "confirmed", "absent"]].tolist() == [3, 1, 1]
    assert made.loc["rule", "rate"] == 0.5
    assert np.isnan(made.loc["random", "rate"])


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
    assert report.yields(county, "2021-06-30")["visits"].tolist() == [2]
    assert report.yields(county, "2021-07-05")["visits"].tolist() == [3]
    assert report.yields(from_frames({"visits": visits.iloc[:0]}), "2021-06-30").empty


def test_the_page_shows_them_in_both_languages_beside_the_published(make_given, tmp_path) -> None:
    said = ["rule"] * 40 + ["random"] * 10
    visits = pd.DataFrame({"selected_by": said, "outcome": ["confirmed"] * 12 + ["not_confirmed"] * 38})
    text = report.write(make_given(yields=by_source(visits)), tmp_path).read_text(encoding="utf-8")
    assert "近一年入户核查的成效" in text
    assert "30.0%" in text
    assert "126" in text
    assert "383" in text
    assert "screened for illness costs beforehand" in text
    assert "近一年入户核查的成效" not in report.write(make_given(), tmp_path / "b").read_text(
        encoding="utf-8"
    )
