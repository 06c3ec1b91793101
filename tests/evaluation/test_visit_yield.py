"""The yield of visits: counted by source, with intervals that cover, weighted by the chance of a visit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from riskmodel.data import from_frames
from riskmodel.evaluation import recent_visits, weighted_yield, wilson_interval, yield_by_source


def test_wilson_against_another_implementation_and_its_coverage() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for hits, n in [(126, 383), (0, 10), (7, 9), (50, 50)]:
        theirs = proportion_confint(hits, n, method="wilson")
        assert np.allclose([float(v) for v in wilson_interval(hits, n)], theirs, atol=1e-12)
    # Coverage at p = 0.3, n = 40: the exact sum over all outcomes stays near 95 %.
    hits = np.arange(41)
    low, high = wilson_interval(hits, 40)
    assert binom.pmf(hits, 40, 0.3)[(low <= 0.3) & (high >= 0.3)].sum() == pytest.approx(0.95, abs=0.03)


def test_absent_households_are_counted_and_left_out_of_the_rate() -> None:
    visits = pd.DataFrame(
        [("rule", "confirmed"), ("rule", "not_confirmed"), ("rule", "absent"),
         ("random", "absent"), (None, "confirmed")],
        columns=["selected_by", "outcome"],
    )  # fmt: skip
    made = yield_by_source(visits).set_index("selected_by")
    assert list(made.index) == ["rule", "random", "unknown"]
    assert made.loc["rule", ["visits", "confirmed", "absent"]].tolist() == [3, 1, 1]
    assert made.loc["rule", "rate"] == 0.5
    assert np.isnan(made.loc["random", "rate"])


def visits_with_chances() -> pd.DataFrame:
    """20 flagged, of whom 10 are confirmed; a lot of 10 with a chance of 1/10, of whom 1 is."""
    rule = pd.DataFrame(
        {"selected_by": "rule", "outcome": ["confirmed", "not_confirmed"] * 10, "chance": 1.0}
    )
    lot = pd.DataFrame({"selected_by": "random", "outcome": ["confirmed"] + ["not_confirmed"] * 9})
    made = pd.concat([rule, lot.assign(chance=0.1)], ignore_index=True)
    return made.assign(village=[f"v{i % 6}" for i in range(len(made))])


def test_the_weighted_yield_is_that_of_all_whom_the_lists_could_choose() -> None:
    visits = visits_with_chances()
    (row,) = weighted_yield(visits).to_dict("records")
    # The ten of the lot stand for a hundred: (10 + 10 · 1) / (20 + 10 · 10), not 11 of 30.
    assert row["rate"] == pytest.approx(20 / 120)
    assert row["naive"] == pytest.approx(11 / 30)
    assert row["low"] < row["rate"] < row["high"]
    assert row["effective_n"] == pytest.approx(120**2 / (20 + 10 * 100))
    # Absent households, applications and visits without a logged chance speak for nobody; a flagged one
    # whose list logged none was certain.
    more = pd.DataFrame(
        [("rule", "absent", 1.0), ("application", "confirmed", None), ("model", "confirmed", None),
         ("rule", "confirmed", None)],
        columns=["selected_by", "outcome", "chance"],
    ).assign(village="v9")  # fmt: skip
    (wider,) = weighted_yield(pd.concat([visits, more], ignore_index=True)).to_dict("records")
    assert (wider["visits"], wider["left_out"]) == (31, 2)
    assert wider["rate"] == pytest.approx(21 / 121)
    assert weighted_yield(visits.assign(chance=np.nan)).empty
    assert weighted_yield(visits.iloc[:0]).empty


def test_bounds_take_the_absent_as_they_like() -> None:
    said = ["confirmed", "not_confirmed", "absent", "absent"]
    (row,) = yield_by_source(pd.DataFrame({"selected_by": "model", "outcome": said})).to_dict("records")
    assert (row["worst"], row["rate"], row["best"]) == (0.25, 0.5, 0.75)


def test_chance_and_village_come_with_the_visits_of_a_county() -> None:
    ids = ["a", "b", "c"]
    own = {"household_id": ids, "township": "t", "village": ["v", "v", "w"], "registration": "general"}
    visits = {"household_id": ids, "date": "2021-05-01", "outcome": "confirmed", "chance": [0.5, 1.0, None]}
    county = from_frames(
        {"households": pd.DataFrame(own | {"valid_from": "2018-01-01"}), "visits": pd.DataFrame(visits)}
    )
    found = recent_visits(county, "2021-06-30").sort_values("chance")
    assert found["chance"].tolist()[:2] == [0.5, 1.0]
    assert np.isnan(found["chance"].iloc[2])
    assert found["village"].nunique() == 2
    # Whoever is not known to live anywhere is a village of its own, not one with all the others.
    alone = from_frames({"visits": pd.DataFrame(visits)})
    assert recent_visits(alone, "2021-06-30")["village"].nunique() == 3
