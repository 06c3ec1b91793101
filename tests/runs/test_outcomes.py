"""Kinds of household, and rows drawn by 1 / chance: they must stand for the county, not for the list."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel import features
from riskmodel.data import County, from_frames
from riskmodel.i18n import section
from riskmodel.runs import Experiment
from riskmodel.runs.outcomes import (
    HOUSEHOLD_GROUPS,
    household_groups,
    resample_visited,
    systematic_sample,
    trim_weights,
    visit_findings,
)
from riskmodel.scoring.visit_plan import selection_probabilities


def test_a_single_parent_is_one_adult_without_a_spouse_with_a_child() -> None:
    X = pd.DataFrame(
        [[0, 1, 1, 0], [0, 1, 0, 2], [1, 1, 1, 0], [0, 2, 1, 0], [0, 1, 0, 0], [np.nan, 1, 1, 0]],
        columns=["spouse", "working_age", "children_0_5", "children_6_15"],
        dtype=float,
    )
    # Rows of the cohort are in an order of their own; ``row`` finds their features.
    rows = pd.DataFrame({"row": [5, 0, 1, 2, 3, 4]}, index=[10, 11, 12, 13, 14, 15])
    made = household_groups(rows, X)
    assert list(made.columns) == ["group_single_parent"]
    told = made["group_single_parent"]
    # An infant; two school children; a spouse; two adults; no child; and a spouse may or may not be there.
    assert told.loc[[11, 12]].eq("yes").all()
    assert told.loc[[13, 14, 15]].eq("no").all()
    assert pd.isna(told.loc[10])


def test_every_kind_is_told_by_features_that_a_household_set_has() -> None:
    sets = ("household-v1", "household-v2", "household-annual-v1")
    names = {name for one in sets for name in features.load_feature_set(one).names}
    for conditions in HOUSEHOLD_GROUPS.values():
        assert {feature for each, _ in conditions for feature in each} <= names
    assert set(section("runs.household_groups")) == set(HOUSEHOLD_GROUPS)


N = 6000
VISITS = 900


def confirmed() -> Experiment:
    exp = plain_county()
    return exp.model_copy(update={"events": ("confirmed",), "seed": 3})


@pytest.fixture(scope="module")
def visited() -> tuple[County, pd.DataFrame, np.ndarray]:
    """A county whose truth is known: of N households a list visits the best by score and a lot."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=N))[::-1]
    y = (rng.random(N) < 1 / (1 + np.exp(2.5 - x))).astype(float)
    random = VISITS // 3
    chance = selection_probabilities(N, N, random, VISITS - random)
    drawn = rng.choice(N, random, replace=False)
    left = np.setdiff1d(np.arange(N), drawn)[: VISITS - random]
    seen = np.sort(np.concatenate([drawn, left]))
    ids = np.array([f"h{i:05d}" for i in range(N)])
    visits = pd.DataFrame(
        {
            "household_id": ids[seen],
            "date": "2021-03-01",
            "outcome": np.where(y[seen] > 0, "confirmed", "not_confirmed"),
            "selected_by": np.where(np.isin(seen, drawn), "random", "model"),
            "chance": chance[seen],
        }
    )
    rows = pd.DataFrame(
        {"household_id": ids[seen], "as_of": pd.Timestamp("2020-12-31"), "y": y[seen], "x": x[seen]}
    )
    return from_frames({"visits": visits}), rows, y


def test_the_drawn_rows_have_the_countys_rate_and_not_the_lists(visited) -> None:
    county, rows, y = visited
    made, (note,) = resample_visited(confirmed(), county, rows, None)
    truth, naive = y.mean(), rows["y"].mean()
    # The list looks for risk: its own rate is far above the county's.
    assert naive > 1.8 * truth
    # The drawn rows' rate: sd of the weighted mean, bounded by that of its effective number of visits.
    effective = float(note.text("en").split("worth ")[1].split(" ")[0])
    assert 200 < effective < VISITS
    sd = np.sqrt(truth * (1 - truth) / effective)
    assert abs(made["y"].mean() - truth) < 3 * sd
    assert abs(made["x"].mean()) < 3 / np.sqrt(effective)
    assert len(made) == len(rows)


def test_what_was_learned_of_x_stands_for_the_county(visited) -> None:
    # A model that has what the list chose by is right either way (selection depends on x alone); the drawn
    # rows must not spoil that.
    from sklearn.linear_model import LogisticRegression

    county, rows, _ = visited
    made, _ = resample_visited(confirmed(), county, rows, None)
    grid = np.array([[0.0], [1.0]])
    fits = [
        LogisticRegression(C=1e6).fit(r[["x"]].to_numpy(), r["y"]).predict_proba(grid) for r in (rows, made)
    ]
    truth = 1 / (1 + np.exp(2.5 - grid[:, 0]))
    for fit in fits:
        assert np.abs(fit[:, 1] - truth).max() < 0.06


def test_other_labels_are_left_alone_and_visits_without_a_chance_are_said(visited) -> None:
    county, rows, _ = visited
    same, notes = resample_visited(plain_county(), county, rows, None)
    assert same is rows
    assert notes == []
    bare = from_frames({"visits": county.frame("visits").drop(columns=["chance", "known_on"])})
    same, (note,) = resample_visited(confirmed(), bare, rows, None)
    assert same is rows
    assert "stand for the visited only" in note.text("en")


def test_visits_recorded_later_are_not_seen_and_rule_visits_count_once(visited) -> None:
    county, rows, _ = visited
    visits = county.frame("visits").drop(columns=["known_on"]).assign(recorded_on="2021-06-01")
    later = from_frames({"visits": visits})
    _, (note,) = resample_visited(confirmed(), later, rows, dt.date(2021, 5, 1))
    assert "no visit has a logged chance" in note.text("en")
    _, (note,) = resample_visited(confirmed(), later, rows, dt.date(2021, 6, 1))
    assert f"{len(rows)} visits drawn" in note.text("en")
    mixed = visits.assign(chance=visits["chance"].where(visits.index % 3 != 0))
    mixed.loc[mixed["chance"].isna() & (mixed.index % 2 == 0), "selected_by"] = "rule"
    mixed.loc[mixed["chance"].isna() & (mixed.index % 2 == 1), "selected_by"] = "application"
    _, (note,) = resample_visited(confirmed(), from_frames({"visits": mixed}), rows, None)
    assert f"{(mixed['selected_by'] == 'application').sum()} without a logged chance left out" in note.text(
        "en"
    )


def test_a_year_of_lists_each_with_its_own_chances_stands_for_the_county() -> None:
    # Twelve lists, each by a score of its own, and a third of those whom the score chose are not at home.
    rng = np.random.default_rng(5)
    x = rng.normal(size=N)
    y = rng.random(N) < 1 / (1 + np.exp(2.5 - x))
    ids = np.array([f"h{i:05d}" for i in range(N)])
    lists = []
    for month in range(1, 13):
        order = np.argsort(-(x + rng.normal(size=N)))
        chance = np.empty(N)
        chance[order] = selection_probabilities(N, N, 100, 200)
        drawn = rng.choice(N, 100, replace=False)
        best = order[~np.isin(order, drawn)][:200]
        seen = np.concatenate([drawn, best])
        source = np.repeat(["random", "model"], [100, 200])
        absent = (source == "model") & (rng.random(300) < 1 / 3)
        outcome = np.where(absent, "absent", np.where(y[seen], "confirmed", "not_confirmed"))
        day = f"2021-{month:02d}-15"
        made = {"household_id": ids[seen], "date": day, "outcome": outcome, "selected_by": source}
        lists.append(pd.DataFrame(made | {"chance": chance[seen]}))
    visits = pd.concat(lists)
    told = visits[visits["outcome"] != "absent"].groupby("household_id")["outcome"].first().eq("confirmed")
    rows = pd.DataFrame(
        {"household_id": told.index, "as_of": pd.Timestamp("2020-12-31"), "y": told.to_numpy(float)}
    )
    county = from_frames({"visits": visits})
    found = visit_findings(county, rows, 12, None)
    assert len(found) > len(rows)
    # Every household weighs 1 in expectation, so the weights add up to the county and their mean to its rate.
    share = found["weight"] / found["weight"].sum()
    error = np.sqrt(np.sum(share**2 * (found["y"] - y.mean()) ** 2))
    assert error < 0.01
    assert abs((share * found["y"]).sum() - y.mean()) < 3 * error
    assert found["weight"].sum() == pytest.approx(N, rel=0.1)
    # The chance on the first list alone, as if there had been one list, is far off.
    first = found.sort_values("date").drop_duplicates("household_id")
    naive = np.average(first["y"], weights=1 / first["chance"])
    assert abs(naive - y.mean()) > 3 * error


def test_a_visit_is_its_households_under_whatever_number() -> None:
    # "old" is renumbered, "a" and "b" are merged, "p" is split, all in the window and before the visits. A
    # visit to each new number answers for the household as it was at as-of; any confirmed child for p.
    visits = pd.DataFrame(
        {
            "household_id": ["new", "m", "c1", "c2", "same", "old"],
            "date": ["2021-09-15"] * 5 + ["2021-03-15"],
            "outcome": ["confirmed", "confirmed", "not_confirmed", "confirmed", "not_confirmed", "absent"],
            "selected_by": "random", "chance": 0.5,
        }
    )  # fmt: skip
    links = pd.DataFrame(
        {
            "old_id": ["old", "a", "b", "p", "p"], "new_id": ["new", "m", "m", "c1", "c2"],
            "kind": ["recode", "merge", "merge", "split", "split"], "date": "2021-06-01",
        }
    )  # fmt: skip
    rows = pd.DataFrame({"household_id": ["a", "b", "old", "p", "same"], "as_of": pd.Timestamp("2020-12-31")})
    county = from_frames({"visits": visits, "household_links": links})
    found = visit_findings(county, rows, 12, None).set_index("household_id")["y"]
    assert found.to_dict() == {"a": 1.0, "b": 1.0, "old": 1.0, "p": 1.0, "same": 0.0}
    # Before the office has written the links down, the numbers are apart.
    late = from_frames({"visits": visits, "household_links": links.assign(recorded_on="2022-05-01")})
    found = visit_findings(late, rows, 12, dt.date(2022, 1, 31))
    assert list(found["household_id"]) == ["same"]


def test_systematic_sampling_keeps_every_weight_to_within_one() -> None:
    weight = np.random.default_rng(1).gamma(0.7, size=500)
    times = np.bincount(systematic_sample(weight, 5), minlength=500)
    assert np.abs(times - weight / weight.mean()).max() < 1
    assert times.sum() == 500
    assert np.array_equal(systematic_sample(weight, 5), systematic_sample(weight, 5))
    heavy = np.append(np.ones(99), 1000.0)
    assert trim_weights(heavy).max() == pytest.approx(10 * heavy.mean())
