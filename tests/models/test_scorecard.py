"""The scorecard: bins against all partitions, points added by hand, exported cards."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.tree import DecisionTreeClassifier

from riskmodel import models
from riskmodel.models.scorecard import _best, optimal_edges, weight_of_evidence


def frame(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return rng, pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.normal(size=n)})


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
            value = weight_of_evidence(size, held, total, events)[1].sum()
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
    return weight_of_evidence(rows, np.bincount(place, weights=y), float(len(y)), y.sum())[1].sum()


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


@pytest.fixture(scope="module")
def carded():
    rng, X = frame(5000, 7)
    X = X.assign(income=np.exp(rng.normal(9, 0.6, 5000)))
    X.loc[rng.random(5000) < 0.1, "income"] = np.nan
    risk = -2.0 + 0.9 * X["a"] - 1.2 * (np.log(X["income"]).fillna(8.5) - 9)
    y = (rng.random(5000) < expit(risk)).astype(int)
    return X, y, models.Scorecard().fit(X, y)


def by_hand(table, row):
    """Add up the points as a cadre would: find the bin, read the points, next column."""
    total = 0
    for column, part in table[~table["column"].str.startswith("(")].groupby("column", sort=False):
        value = row[column]
        for line in part.itertuples():
            if line.missing:
                hit = pd.isna(value)
            else:
                hit = (pd.isna(line.above) or value > line.above) and (
                    pd.isna(line.up_to) or value <= line.up_to
                )
            if hit:
                total += int(line.points)
    return total


def test_points_added_by_hand_are_the_score(carded):
    X, _, card = carded
    table = card.table()
    rows = X.iloc[:200]
    hand = np.array([by_hand(table, row) for _, row in rows.iterrows()])
    assert (card.points(rows).sum(axis=1) == hand).all()
    assert card.margin(rows) == pytest.approx(card.offset_ + hand * np.log(2) / 20, abs=1e-12)


@pytest.mark.parametrize("how", ["csv", "xlsx"])
def test_score_comes_back_exactly_from_an_exported_card(carded, how, tmp_path):
    X, _, card = carded
    if how == "csv":
        back = pd.read_csv(io.StringIO(card.table().to_csv(index=False)))
    else:
        card.table().to_excel(tmp_path / "card.xlsx", index=False)
        back = pd.read_excel(tmp_path / "card.xlsx", engine="openpyxl")
    again = models.Scorecard.from_table(back, list(X.columns))
    assert again.margin(X).tobytes() == card.margin(X).tobytes()


def test_points_lead_to_the_chance_that_is_shown_calibration_included(carded):
    X, y, _ = carded
    deployed = models.fit_model("scorecard", X, y, np.arange(len(X)) % 50, seed=0)
    out = models.scorecard_tables(deployed)
    # A slope of exactly 1 and a level of exactly 0 would let the uncalibrated card pass.
    assert abs(deployed.slope_ - 1) > 1e-3
    rows = X.iloc[:100]
    hand = np.array([by_hand(out["scorecard"], row) for _, row in rows.iterrows()])
    shown = deployed.predict_proba(rows)[:, 1]
    read_off = out["scorecard_chances"].set_index("points")["probability"]
    assert read_off[hand].to_numpy() == pytest.approx(shown, abs=1e-12)
    again = models.Scorecard.from_table(out["scorecard"], list(X.columns))
    assert again.predict_proba(X) == pytest.approx(deployed.predict_proba(X), abs=1e-12)
    # Every sum that can be reached stands in the table, and more points are more risk.
    assert read_off.index.tolist() == list(range(sum(p.max() for p in deployed.base_.points_) + 1))
    assert read_off.is_monotonic_increasing
    assert models.scorecard_tables(models.fit_model("logit", X, y, np.arange(len(X)) % 50, seed=0)) == {}


def test_scorecard_is_monotone_uses_what_matters_and_is_level(carded):
    X, y, card = carded
    names = [list(X.columns)[j] for j in card.columns_]
    # b and c are noise; with 5,000 rows their information value stays below the customary 0.02.
    assert set(names) == {"a", "income"}
    for name, points in zip(names, card.points_, strict=True):
        steps = np.diff(points[:-1])
        assert ((steps > 0) if name == "a" else (steps < 0)).all()
    # The offset is set after rounding, so mean probability is the event rate.
    assert card.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=1e-6)
    turned = models.Scorecard(monotone={"a": -1}).fit(X, y)
    assert "a" not in [list(X.columns)[j] for j in turned.columns_]
