"""Optimal bins: the best of all allowed partitions, found by trying them all."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from riskmodel.models.binning import _best, evidence, optimal_edges


def by_trying_all(rows, hits, total, events, most, least, sign):
    """Information value of every partition that keeps the rules; the largest, and where it cuts."""
    best, n = (-np.inf, None), len(rows)
    for k in range(most):
        for ends in combinations(range(n - 1), k):
            parts = np.split(np.arange(n), [e + 1 for e in ends])
            size = np.array([rows[p].sum() for p in parts])
            held = np.array([hits[p].sum() for p in parts])
            if (size < least).any() or (sign * np.diff(held / size) <= 1e-12).any():
                continue
            value = evidence(size, held, total, events)[1].sum()
            if value > best[0] + 1e-12:
                best = (value, list(ends))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_dynamic_programming_finds_the_best_of_all_partitions(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(5, 60, 9).astype(float)
    hits = np.minimum(rows - 1, rng.binomial(rows.astype(int), rng.uniform(0.05, 0.5, 9))).astype(float)
    for sign, most, least in ((1, 4, 20), (-1, 5, 40), (1, 9, 1)):
        tried = by_trying_all(rows, hits, rows.sum(), hits.sum(), most, least, sign)
        value, ends = _best(rows, hits, rows.sum(), hits.sum(), most, least, sign)
        assert value == pytest.approx(tried[0], abs=1e-12)
        assert ends == tried[1]


def held(edges, x, y):
    """Information value of a column cut so."""
    place = np.searchsorted(edges, x, side="left")
    rows = np.bincount(place).astype(float)
    return evidence(rows, np.bincount(place, weights=y), float(len(y)), y.sum())[1].sum()


def test_a_greedy_tree_of_as_many_leaves_holds_less():
    # Best-first splitting cannot take a split back. Where the rate rises in many small steps the tree's bins
    # are allowed as well, and its cuts are among those tried: the optimum holds as much on every draw, and
    # more on some.
    more = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.uniform(size=3000)
        y = (rng.random(3000) < 0.05 + 0.4 * x**2).astype(float)
        tree = DecisionTreeClassifier(max_leaf_nodes=4, min_samples_leaf=100, random_state=0)
        parts = tree.fit(x[:, None], y).tree_
        greedy = np.sort([float(f"{edge:.3g}") for edge in parts.threshold[parts.feature >= 0]])
        more.append(held(optimal_edges(x, y, 4, 100, sign=1), x, y) - held(greedy, x, y))
    assert min(more) > -1e-9
    assert max(more) > 1e-3


def test_bins_are_monotone_large_enough_and_no_more_than_allowed():
    rng = np.random.default_rng(1)
    x = rng.normal(size=4000)
    x[rng.random(4000) < 0.1] = np.nan
    y = (
        rng.random(4000) < 1 / (1 + np.exp(2 - np.nan_to_num(x) + 0.8 * np.sin(3 * np.nan_to_num(x))))
    ).astype(float)
    edges = optimal_edges(x, y, 5, 200)
    place = np.searchsorted(edges, x[~np.isnan(x)], side="left")
    size = np.bincount(place)
    rate = np.bincount(place, weights=y[~np.isnan(x)]) / size
    assert 2 <= len(edges) + 1 <= 5
    assert size.min() >= 200
    assert (np.diff(rate) > 0).all()
    # Told to fall, a rising column can only keep what little falls: never more information than freely.
    falling = optimal_edges(x, y, 5, 200, sign=-1)
    place = np.searchsorted(falling, x[~np.isnan(x)], side="left")
    assert (np.diff(np.bincount(place, weights=y[~np.isnan(x)]) / np.bincount(place)) < 0).all()


def test_nothing_is_cut_where_nothing_can_be():
    assert len(optimal_edges(np.full(100, 3.0), np.arange(100.0) % 2, 5, 10)) == 0
    assert len(optimal_edges(np.arange(15.0), np.arange(15.0) % 2, 5, 10)) == 0
    assert len(optimal_edges(np.full(50, np.nan), np.arange(50.0) % 2, 5, 10)) == 0
