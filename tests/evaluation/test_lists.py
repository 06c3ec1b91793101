"""Lists date by date: ties by brute force, random lists by hypergeometric, weights by repeated rows.

The budget's two forms, its refusals, and what a score finds within it.
"""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import hypergeom
from sklearn.metrics import precision_score, recall_score

from riskmodel.errors import SpecError
from riskmodel.evaluation import Budget, list_at_budget
from riskmodel.evaluation.list_metrics import list_measures
from riskmodel.evaluation.lists import (
    list_kernel,
    list_members,
    quotas,
    random_list_hits,
    rank_rows,
    tie_bounds,
)


def test_rank_orders_by_date_keys_and_then_the_given_order():
    date = np.array([0, 1, 0, 0, 1, 0])
    score = np.array([1.0, 5.0, 2.0, 2.0, 5.0, np.nan])
    ranking = rank_rows(date, -score)
    # Date 0: rows 2 and 3 tie (given order), then 0, the unknown last; date 1: rows 1 and 4 tie.
    assert ranking.order.tolist() == [2, 3, 0, 5, 1, 4]
    assert ranking.tied.tolist() == [False, True, False, False, False, True]
    assert list_members(date, ranking, np.array([2, 1])).tolist() == [False, True, True, True, False, False]


def test_the_first_key_decides_first():
    flagged = np.array([False, True, False, True])
    distance = np.array([1.0, 4.0, 2.0, 3.0])
    assert rank_rows(np.zeros(4, dtype=int), ~flagged, distance).order.tolist() == [3, 1, 0, 2]


def test_tie_bounds_are_the_extremes_over_every_order_of_the_tied():
    rng = np.random.default_rng(0)
    for _ in range(25):
        n = 6
        date = np.sort(rng.integers(0, 2, n))
        date = np.unique(date, return_inverse=True)[1]
        score, y = rng.integers(0, 3, n).astype(float), rng.integers(0, 2, n).astype(float)
        quota = np.array([min(2, k) for k in np.bincount(date)])
        found = set()
        for shuffled in permutations(range(n)):
            # Any permutation is one way to break ties: rank the permuted rows, count the events.
            p = np.array(shuffled)
            listed = list_members(date[p], rank_rows(date[p], -score[p]), quota)
            found.add(int(y[p][listed].sum()))
        assert tie_bounds(y, date, rank_rows(date, -score), quota) == (min(found), max(found))


def test_no_rows_have_no_ties():
    empty = np.zeros(0)
    date = np.zeros(0, dtype=int)
    assert tie_bounds(empty, date, rank_rows(date, empty), np.zeros(0, dtype=int)) == (0, 0)


def test_random_list_is_hypergeometric_summed_over_dates():
    date = np.repeat([0, 1, 2], [50, 30, 20])
    y = np.r_[np.ones(7), np.zeros(43), np.ones(4), np.zeros(26), np.ones(2), np.zeros(18)]
    mean, sd = random_list_hits(y, date, np.array([10, 6, 20]))
    first, second = hypergeom(50, 7, 10), hypergeom(30, 4, 6)
    # The third list takes everyone: it finds its two events for sure.
    assert mean == pytest.approx(first.mean() + second.mean() + 2)
    assert sd == pytest.approx(np.sqrt(first.var() + second.var()))


def test_random_fill_after_the_flagged_and_random_choice_among_too_many_flagged():
    date, y = np.zeros(20, dtype=int), np.r_[np.ones(6), np.zeros(14)]
    flagged = np.zeros(20, dtype=bool)
    flagged[[0, 1, 10, 11]] = True
    mean, sd = random_list_hits(y, date, np.array([9]), flagged)
    fill = hypergeom(16, 4, 5)
    assert (mean, sd) == pytest.approx((2 + fill.mean(), fill.std()))
    mean, sd = random_list_hits(y, date, np.array([3]), flagged)
    among = hypergeom(4, 2, 3)
    assert (mean, sd) == pytest.approx((among.mean(), among.std()))


def test_random_list_by_simulation():
    rng = np.random.default_rng(0)
    y, date = (rng.random(60) < 0.2).astype(float), np.zeros(60, dtype=int)
    mean, sd = random_list_hits(y, date, np.array([12]))
    drawn = [y[rng.permutation(60)[:12]].sum() for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(mean, abs=4 * sd / np.sqrt(4000))
    assert np.std(drawn) == pytest.approx(sd, rel=0.06)


def test_unit_weights_give_the_list_itself():
    rng = np.random.default_rng(3)
    date = np.sort(rng.integers(0, 4, 400))
    y, persons = (rng.random(400) < 0.1).astype(float), rng.integers(1, 7, 400).astype(float)
    ranking, quota = rank_rows(date, -rng.normal(size=400)), np.array([5, 20, 1, 40])
    found = list_kernel(y, date, ranking, quota, persons)(np.ones((1, 400)))
    listed = list_members(date, ranking, quota)
    assert found.hits[0] == y[listed].sum()
    assert found.hits_persons[0] == (y * persons)[listed].sum()
    assert (found.events[0], found.events_persons[0]) == (y.sum(), (y * persons).sum())
    assert (found.visits[0], found.rows[0]) == (quota.sum(), 400)


def test_weights_are_repeated_rows_on_a_list_of_the_same_share():
    rng = np.random.default_rng(4)
    date = np.sort(rng.integers(0, 3, 90))
    y, score = (rng.random(90) < 0.3).astype(float), rng.normal(size=90)
    share = 0.2
    weight = rng.integers(0, 4, 90)
    kernel = list_kernel(y, date, rank_rows(date, -score), share * np.bincount(date))
    found = kernel(weight[None].astype(float))
    hits = visits = 0.0
    for d in range(3):
        rows = np.repeat(np.flatnonzero(date == d), weight[date == d])
        best = y[rows[np.argsort(-score[rows], kind="stable")]]
        seats = share * len(rows)
        whole = int(seats)
        # The household at the cut is visited in part.
        hits += best[:whole].sum() + (seats - whole) * (best[whole] if whole < len(best) else 0)
        visits += seats
    assert found.hits[0] == pytest.approx(hits)
    assert found.visits[0] == pytest.approx(visits)


def test_measures_follow_from_the_hits():
    date, y = np.zeros(10, dtype=int), np.r_[np.ones(4), np.zeros(6)]
    found = list_kernel(y, date, rank_rows(date, np.r_[0, 9, 8, 7, 1, 2, 3, 4, 5, 6.0]), np.array([5]))(
        np.ones((1, 10))
    )
    measures = {name: value[0] for name, value in list_measures(found).items()}
    # One of four events among five visits, base rate 0.4; four of six others are listed, three events missed.
    assert measures == pytest.approx({
        "recall": 0.25, "precision": 0.2, "exclusion_error": 0.75, "inclusion_error": 0.8, "lift": 0.5,
        "targeting_differential": 0.25 - 4 / 6, "targeting_differential_errors": 0.25 + 0.2 - 1, "bpac": 0.0,
    })  # fmt: skip


def test_nothing_to_find_has_no_recall():
    date = np.zeros(3, dtype=int)
    found = list_kernel(np.zeros(3), date, rank_rows(date, np.arange(3.0)), np.array([1]))(np.ones((1, 3)))
    assert np.isnan(list_measures(found)["recall"][0])
    assert list_measures(found)["precision"][0] == 0


def test_visits_and_share():
    assert Budget(visits=7).at(100) == 7
    assert Budget(visits=700).at(100) == 100
    # Half up, never below one visit.
    assert [Budget(share=0.05).at(n) for n in (10, 29, 30, 50, 100)] == [1, 1, 2, 3, 5]
    assert Budget.of({"share": 0.1}) == Budget(share=0.1)
    assert Budget.of(Budget(visits=3)) == Budget(visits=3)
    assert quotas(np.array([0, 0, 0, 1]), Budget(visits=2)).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "give visits"), ({"visits": 1, "share": 0.1}, "one only"), ({"visits": 0}, "at least 1"),
        ({"visits": 1.5}, "whole number"), ({"share": 0.0}, r"in \(0, 1\]"), ({"share": 1.2}, r"in \(0, 1\]"),
        ({"k": 5}, "unknown key k; allowed: visits, share"),
    ],
)  # fmt: skip
def test_other_budgets_are_refused(given, said):
    with pytest.raises(SpecError, match=said):
        Budget.of(given)


def test_at_budget_is_recall_and_precision_of_the_top_rows(at_budget):
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 200), rng.normal(size=200)
    top = np.zeros(200, dtype=int)
    top[np.argsort(-score)[:30]] = 1
    found = at_budget(y, score, {"visits": 30})
    assert found["recall"] == pytest.approx(recall_score(y, top))
    assert found["precision"] == pytest.approx(precision_score(y, top))
    assert found["exclusion_error"] == pytest.approx(1 - recall_score(y, top))
    assert found["hits_worst"] == found["hits"] == found["hits_best"]


def test_ties_fall_by_the_given_order_and_the_bounds_say_what_else_was_possible(at_budget):
    found = at_budget([0, 1, 1, 0], [1, 1, 1, 1], {"visits": 2})
    assert (found["hits_worst"], found["hits"], found["hits_best"]) == (0, 1, 2)


def test_one_list_a_date(at_budget):
    # The three highest scores stand on one date; two lists of one visit take the best of each date.
    found = at_budget([1, 1, 0, 1], [9, 8, 7, 1], {"visits": 1}, as_of=["a", "a", "a", "b"])
    assert (found["visits"], found["hits"]) == (2, 2)


def test_a_budget_reaches_the_highest_scores_of_each_date_and_ties_keep_the_order():
    date = np.array([0, 0, 0, 1, 1, 1])
    score = np.array([1.0, 3.0, 3.0, 2.0, 2.0, 2.0])
    assert list_at_budget(date, score, Budget(visits=1)).tolist() == [False, True, False, True, False, False]
    assert list_at_budget(date, score, Budget(share=2 / 3)).sum() == 4
