"""McNemar, DeLong and Holm against published figures; visits equivalent counted down the rules' order."""

import gc

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from riskmodel import evaluation
from riskmodel.evaluation import compare_fixed_lists, delong, holm, mcnemar_exact, village_resamples
from riskmodel.evaluation.lists import rank_rows
from riskmodel.evaluation.paired_lists import score_from_ranking

# The 43 complete patients of DeLong, DeLong and Clarke-Pearson (1988), as printed in SAS/STAT User's Guide,
# PROC LOGISTIC, "Comparing Receiver Operating Characteristic Curves": albumin, total protein, K-G score
# (larger is worse), outcome.
_OVARIAN = np.array([
    (3.0, 5.8, 10, 0), (3.2, 6.3, 5, 1), (3.9, 6.8, 3, 1), (2.8, 4.8, 6, 0), (3.2, 5.8, 3, 1),
    (0.9, 4.0, 5, 0), (2.5, 5.7, 8, 0), (1.6, 5.6, 5, 1), (3.8, 5.7, 5, 1), (3.7, 6.7, 6, 1),
    (3.2, 5.4, 4, 1), (3.8, 6.6, 6, 1), (4.1, 6.6, 5, 1), (3.6, 5.7, 5, 1), (4.3, 7.0, 4, 1),
    (3.6, 6.7, 4, 0), (2.3, 4.4, 6, 1), (4.2, 7.6, 4, 0), (4.0, 6.6, 6, 0), (3.5, 5.8, 6, 1),
    (3.8, 6.8, 7, 1), (3.0, 4.7, 8, 0), (4.5, 7.4, 5, 1), (3.7, 7.4, 5, 1), (3.1, 6.6, 6, 1),
    (4.1, 8.2, 6, 1), (4.3, 7.0, 5, 1), (4.3, 6.5, 4, 1), (3.2, 5.1, 5, 1), (2.6, 4.7, 6, 1),
    (3.3, 6.8, 6, 0), (1.7, 4.0, 7, 0), (3.7, 6.1, 5, 1), (3.3, 6.3, 7, 1), (4.2, 7.7, 6, 1),
    (3.5, 6.2, 5, 1), (2.9, 5.7, 9, 0), (2.1, 4.8, 7, 1), (2.8, 6.2, 8, 0), (4.0, 7.0, 7, 1),
    (3.3, 5.7, 6, 1), (3.7, 6.9, 5, 1), (3.6, 6.6, 5, 1),
])  # fmt: skip


def test_delong_on_the_data_of_the_paper():
    # Printed there by the ROC statements and ROCCONTRAST REFERENCE('K-G') / ESTIMATE: areas 0.7258 (K-G),
    # 0.7366 (albumin), 0.6478 (total protein); differences to K-G 0.0108 (SE 0.0953, chi-square 0.0127,
    # p 0.9102) and -0.0780 (SE 0.1046, chi-square 0.5554, p 0.4561).
    albumin, protein, kg, y = _OVARIAN.T
    first = delong(y, 10 - kg, albumin)
    assert (first.auc_first, first.auc_second) == pytest.approx((0.7258, 0.7366), abs=5e-5)
    assert (first.difference, first.se) == pytest.approx((0.0108, 0.0953), abs=5e-5)
    assert first.z**2 == pytest.approx(0.0127, abs=5e-5)
    assert first.p == pytest.approx(0.9102, abs=5e-5)
    second = delong(y, 10 - kg, protein)
    assert (second.auc_second, second.difference, second.se) == pytest.approx(
        (0.6478, -0.0780, 0.1046), abs=5e-5
    )
    assert second.z**2 == pytest.approx(0.5554, abs=5e-5)
    assert second.p == pytest.approx(0.4561, abs=5e-5)


def test_delong_is_the_definition_by_pairs():
    # The paper's structural components by all pairs: the midrank route must give the same to rounding.
    rng = np.random.default_rng(0)
    y = np.r_[np.ones(30), np.zeros(50)]
    a, b = rng.integers(0, 12, 80) + 2 * y, rng.integers(0, 12, 80) + y
    parts = []
    for s in (a, b):
        wins = (s[:30, None] > s[None, 30:]) + 0.5 * (s[:30, None] == s[None, 30:])
        parts.append((wins.mean(axis=1), wins.mean(axis=0), wins.mean()))
    cov = np.cov([p[0] for p in parts]) / 30 + np.cov([p[1] for p in parts]) / 50
    se = np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    found = delong(y, a, b)
    assert (found.difference, found.se) == pytest.approx((parts[1][2] - parts[0][2], se), abs=1e-12)


def test_delong_without_an_answer():
    assert np.isnan(delong([1, 1], [0, 1], [1, 0]).p)
    same = delong([0, 1, 0, 1], [1, 2, 3, 4], [1, 2, 3, 4])
    assert same.difference == 0
    assert np.isnan(same.z)
    one = delong([1, 0, 0], [3, 1, 2], [1, 2, 3])
    assert one.difference == -1
    assert np.isnan(one.p)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (3, 3), (1, 8), (12, 5), (86, 150)])
def test_mcnemar_is_statsmodels_exact_test(b, c):
    # (86, 150): the approval ratings in Agresti, Categorical Data Analysis, ch. 10.
    theirs = mcnemar([[10, b], [c, 10]], exact=True).pvalue
    assert mcnemar_exact(b, c) == pytest.approx(theirs, abs=1e-12)


def test_holm_is_statsmodels_holm_and_leaves_missing_out(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda: 0)  # theirs would at each call
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(6) ** 2
        assert (holm(p) == multipletests(p, method="holm")[1]).all()
    adjusted = holm([0.02, np.nan, 0.01])
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.02])
    assert holm([]).size == 0


def test_a_ranking_s_score_is_the_share_ahead_and_ties_are_equal():
    # Of four, two are tied for the second place: one is ahead of either, three are ahead of the last. The
    # second date starts anew, so that scores compare between dates of different size.
    date, key = np.array([0, 0, 0, 0, 1, 1]), np.array([3.0, 2.0, 1.0, 2.0, 9.0, 8.0])
    score = score_from_ranking(rank_rows(date, key), date)
    assert score.tolist() == [-3 / 4, -1 / 4, 0, -1 / 4, -1 / 2, 0]


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


def test_fixed_lists_are_compared_by_recounting_the_drawn_villages():
    rng = np.random.default_rng(3)
    villages = pd.DataFrame({"township": "t", "village": rng.integers(0, 60, 400)})
    y, first, second = (rng.random((3, 400)) < [[0.1], [0.3], [0.5]]).astype(float)
    recalls = compare_fixed_lists(y, {"first": first, "second": second}, villages, replicates=50, seed=4)
    change = recalls.difference("second", "first")
    assert recalls.recall("first") == pytest.approx((y * first).sum() / y.sum())
    assert change.delta == pytest.approx((y * (second - first)).sum() / y.sum())
    resamples = village_resamples(villages, 50, 4)
    rows = [np.repeat(np.arange(400), counts[resamples.village].astype(int)) for counts in resamples.counts]
    gaps = [(y * (second - first))[drawn].sum() / y[drawn].sum() for drawn in rows]
    assert (change.low, change.high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))


def test_one_village_gives_a_difference_without_an_interval():
    one = pd.DataFrame({"township": ["t"] * 4, "village": ["v"] * 4})
    change = compare_fixed_lists([1, 1, 0, 0], {"a": [1, 0, 0, 0], "b": [1, 1, 0, 0]}, one).difference(
        "b", "a"
    )
    assert change.delta == 0.5
    assert np.isnan([change.low, change.high, change.p]).all()
