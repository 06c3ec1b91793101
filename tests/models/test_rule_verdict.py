"""The rules as a classifier: its own contract, since it takes named columns."""

import numpy as np
import pandas as pd
import pytest

from riskmodel.models.rule_verdict import RuleVerdict


def _rules(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    gap = pd.Series(rng.normal(-2000, 3000, n)).where(rng.random(n) > 0.1)
    flagged = (gap > 0).to_numpy() | (rng.random(n) < 0.05)
    rate = 0.02 + 0.2 * flagged + 0.05 * (gap.fillna(-9e9) > -1000)
    y = (rng.random(n) < rate).astype(int)
    return pd.DataFrame({"flagged": flagged, "gap": gap, "other": "text"}), y


def test_margin_orders_households_strictly_as_the_rules_do():
    X, y = _rules()
    margin = RuleVerdict().fit(X, y).margin(X)
    # Flagged first, then by distance, unknown distance last within its half; ties only where both are equal.
    ranking = X.assign(margin=margin).sort_values(["flagged", "gap"], ascending=False, na_position="last")
    known = ranking.dropna(subset="gap")
    assert (np.diff(known["margin"]) <= 0).all()
    assert (np.diff(known["margin"]) < 0).mean() == 1
    for flagged, part in X.assign(margin=margin).groupby("flagged"):
        unknown = part[part["gap"].isna()]
        assert unknown["margin"].nunique() == 1, flagged
        assert unknown["margin"].max() < part["margin"][part["gap"].notna()].min()
    assert margin[X["flagged"]].min() > margin[~X["flagged"]].max()


def test_probabilities_are_the_smoothed_rates_seen_in_training():
    X, y = _rules()
    p = RuleVerdict().fit(X, y).predict_proba(X)[:, 1]
    # Isotonic pooling keeps the total; two prior rows a bin and the tilt move it by little.
    assert p.sum() == pytest.approx(y.sum(), rel=0.02)
    # Each half's mean rate is what was seen there.
    for half in (True, False):
        rows = (X["flagged"] == half).to_numpy()
        assert p[rows].mean() == pytest.approx(y[rows].mean(), rel=0.1)


def test_a_bin_without_events_gets_a_chance_above_zero():
    X = pd.DataFrame(
        {"flagged": [True] * 5 + [False] * 95, "gap": np.r_[np.full(5, 500.0), np.full(95, -500.0)]}
    )
    y = np.r_[np.ones(5), np.zeros(95)].astype(int)
    p = RuleVerdict().fit(X, y).predict_proba(X)[:, 1]
    # Two prior rows at the base rate 0.05: (5 + 0.1)/7 and (0 + 0.1)/97, then the tilt of at most 0.004.
    assert p[0] == pytest.approx(5.1 / 7, abs=2e-3)
    assert p[-1] == pytest.approx(0.1 / 97, rel=5e-3)


def test_a_rule_that_points_the_wrong_way_is_flattened_not_turned_round():
    X, y = _rules()
    model = RuleVerdict().fit(X, 1 - y)
    margin = model.margin(X)
    # The ranking stays the rules' own; isotonic rates cannot fall, so all pool and only the tilt is left.
    assert margin[X["flagged"]].min() > margin[~X["flagged"]].max()
    assert np.ptp(model.predict_proba(X)[:, 1]) < 0.01


def test_new_extremes_stay_in_order():
    X, y = _rules()
    model = RuleVerdict().fit(X, y)
    far = pd.DataFrame({"flagged": [True, True, False, False], "gap": [1e7, 2e5, -1e5, -1e7]})
    assert (np.diff(model.margin(far)) < 0).all()


def test_what_it_cannot_use_is_refused_by_name():
    X, y = _rules(50)
    with pytest.raises(ValueError, match=r"X lacks \['gap'\]"):
        RuleVerdict().fit(X.drop(columns="gap"), y)
    with pytest.raises(ValueError, match=r"X lacks \['flagged', 'gap'\]"):
        RuleVerdict().fit(np.zeros((50, 2)), y)
    with pytest.raises(ValueError, match="'flagged' is missing in 1 row"):
        RuleVerdict().fit(X.assign(flagged=pd.array([None] + [True] * 49, dtype="boolean")), y)
    with pytest.raises(ValueError, match="'gap' is infinite in 50 row"):
        RuleVerdict().fit(X.assign(gap=np.inf), y)
    with pytest.raises(ValueError, match="y has 49 rows where X has 50"):
        RuleVerdict().fit(X, y[:-1])


def test_wholly_unknown_distances_leave_the_verdict_alone():
    X, y = _rules()
    margin = RuleVerdict().fit(X.assign(gap=np.nan), y).margin(X.assign(gap=np.nan))
    assert len(set(margin)) == 2
    assert margin[X["flagged"]].min() > margin[~X["flagged"]].max()


def test_the_interval_is_wider_with_fewer_villages():
    X, y = _rules()
    village = np.arange(len(y)) % 100
    few = village < 10
    wide = np.diff(RuleVerdict().fit(X[few], y[few], groups=village[few]).predict_interval(X), axis=1)
    narrow = np.diff(RuleVerdict().fit(X, y, groups=village).predict_interval(X), axis=1)
    assert np.median(wide) > np.median(narrow)
