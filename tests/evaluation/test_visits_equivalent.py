"""Visits equivalent against the rules' own order, counted by hand; the net benefit curve beside it."""

import numpy as np
import pandas as pd
import pytest

from riskmodel import evaluation


def test_visits_equivalent_is_read_off_the_rules_own_order(make_predictions):
    found = make_predictions()
    one = found[found["as_of"] == "2020-06-30"]
    made = evaluation.visits_equivalent(one, {"visits": 60}, "logit", replicates=0)
    # By hand: events among the model's first 60; then down the rules' order until as many are found.
    known = one[one["y"].notna()]
    by = {m: known[known["model"] == m].reset_index(drop=True) for m in ("rule", "logit")}
    hits = by["logit"].sort_values(["score", "household_id"], ascending=[False, True])["y"].head(60).sum()
    order = by["rule"].assign(first=~by["rule"]["flagged"])
    order = order.sort_values(["first", "rule_rank", "household_id"])
    needed = int(np.argmax(order["y"].cumsum().to_numpy() >= hits)) + 1
    assert made.ratio == pytest.approx(needed / 60)
    assert made.extra_visits == pytest.approx(needed - 60)


def test_the_interval_holds_the_ratio_and_the_same_list_is_worth_itself(make_predictions):
    found = make_predictions()
    made = evaluation.visits_equivalent(found, {"share": 0.05}, "logit", replicates=100)
    assert made.low < made.ratio < made.high
    # The rules find more with more visits, and with enough of them as much as the model.
    assert made.more["gain"].is_monotonic_increasing
    same = found.copy()
    rule = found[found["model"] == "rule"].set_index(["household_id", "as_of"])
    logit = same["model"] == "logit"
    index = pd.MultiIndex.from_frame(same.loc[logit, ["household_id", "as_of"]])
    same.loc[logit, "score"] = (rule["flagged"] * 100 - rule["rule_rank"] / 1e4)[index].to_numpy()
    worth = evaluation.visits_equivalent(same, {"share": 0.05}, "logit", replicates=50)
    # A list is as good as itself; its last hits may stand before its last place.
    assert worth.recall_model == pytest.approx(worth.recall_baseline)
    assert worth.ratio <= 1.0


def test_net_benefit_curve_is_the_single_threshold_many_times():
    rng = np.random.default_rng(3)
    p = rng.beta(1, 9, 500)
    y = (rng.random(500) < p).astype(float)
    resamples = evaluation.village_resamples(rng.integers(0, 30, 500), 100, 0)
    curve = evaluation.net_benefit_curve(y, p, [0.05, 0.1, 0.3], resamples)
    single = [evaluation.net_benefit(y, p, t) for t in (0.05, 0.1, 0.3)]
    assert curve["net_benefit"].to_numpy() == pytest.approx(single)
    assert ((curve["low"] <= curve["net_benefit"]) & (curve["net_benefit"] <= curve["high"])).all()
    # At a threshold below every probability, everyone is visited: the two are one.
    low = evaluation.net_benefit_curve(y, p, [1e-9])
    assert low["net_benefit"].iloc[0] == pytest.approx(low["visit_all"].iloc[0])
    with pytest.raises(ValueError, match="must be in"):
        evaluation.net_benefit_curve(y, p, [1.0])
