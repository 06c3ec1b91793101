"""The budget's two forms, its refusals, and what a score finds within it."""

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from riskmodel.errors import SpecError
from riskmodel.evaluation import Budget, at_budget
from riskmodel.evaluation.budget import quotas


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


def test_at_budget_is_recall_and_precision_of_the_top_rows():
    rng = np.random.default_rng(0)
    y, score = rng.integers(0, 2, 200), rng.normal(size=200)
    top = np.zeros(200, dtype=int)
    top[np.argsort(-score)[:30]] = 1
    found = at_budget(y, score, {"visits": 30})
    assert found["recall"] == pytest.approx(recall_score(y, top))
    assert found["precision"] == pytest.approx(precision_score(y, top))
    assert found["exclusion_error"] == pytest.approx(1 - recall_score(y, top))
    assert found["hits_worst"] == found["hits"] == found["hits_best"]


def test_ties_fall_by_the_given_order_and_the_bounds_say_what_else_was_possible():
    found = at_budget([0, 1, 1, 0], [1, 1, 1, 1], {"visits": 2})
    assert (found["hits_worst"], found["hits"], found["hits_best"]) == (0, 1, 2)


def test_one_list_a_date():
    # The three highest scores stand on one date; two lists of one visit take the best of each date.
    found = at_budget([1, 1, 0, 1], [9, 8, 7, 1], {"visits": 1}, as_of=["a", "a", "a", "b"])
    assert (found["visits"], found["hits"]) == (2, 2)
