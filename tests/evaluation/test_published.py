"""Statistics against published worked examples and against other people's implementations.

`docs/checks.md` lists which statistic is held by which test; `tests/test_checks.py` keeps that list complete.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.integrate import quad
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    jaccard_score,
    precision_score,
    recall_score,
)

from riskmodel import evaluation

# Robin et al. 2011 (pROC), data of Turck et al. 2010: 41 patients with a poor outcome and 72 with a good one
# after a haemorrhage. WFNS grade as given; S100β as its place among the distinct values that an AUC can tell
# apart (0 lowest), decoded from pROC's own published placement values of these patients.
_WFNS = (
    "32455552521254425552525245441442255225555"
    "111151221221112121134141551124112212122111121211324214115422111312244111"
)
_S100B = [
    8, 5, 11, 7, 25, 30, 28, 2, 19, 4, 2, 23, 21, 27, 30, 15, 30, 30, 30, 2, 30, 17, 0, 4, 13, 30, 15, 30, 3,
    15, 8, 5, 6, 13, 30, 9, 30, 18, 30, 30, 25,
    8, 9, 5, 1, 26, 12, 5, 5, 1, 3, 1, 4, 6, 2, 12, 2, 6, 8, 12, 1, 11, 9, 20, 4, 29, 26, 11, 2, 24, 26, 6, 3,
    4, 3, 1, 8, 5, 9, 10, 1, 1, 4, 1, 4, 3, 11, 4, 3, 19, 6, 16, 2, 5, 18, 2, 1, 14, 22, 5, 10, 3, 9, 5, 2, 1,
    12, 10, 26, 12, 10, 29, 27,
]  # fmt: skip


def test_delong_is_pROCs_on_its_own_patients():
    # R: roc.test(roc(aSAH$outcome, aSAH$wfns), roc(aSAH$outcome, aSAH$s100b)), method "delong", paired.
    # Expected values of pROC's own test suite (tests/testthat/test-roc.test.R): Z = 2.20898359144091,
    # p = 0.0271757822291882, interval of the difference 0.0104061769564846 to 0.174214419249478.
    y = np.r_[np.ones(41), np.zeros(72)]
    found = evaluation.delong(y, _S100B, [int(g) for g in _WFNS])
    assert (found.auc_first, found.auc_second) == pytest.approx((0.731368563685637, 0.823678861788618))
    assert found.z == pytest.approx(2.20898359144091, abs=1e-12)
    assert found.p == pytest.approx(0.0271757822291882, abs=1e-13)
    reach = 1.959963984540054 * found.se
    assert found.difference - reach == pytest.approx(0.0104061769564846, abs=1e-13)
    assert found.difference + reach == pytest.approx(0.174214419249478, abs=1e-13)


def test_auc_of_the_rated_scans():
    # Hanley and McNeil 1982, table I: 109 CT scans rated 1 (surely normal) to 5 (surely not); area 0.893.
    normal, abnormal = (33, 6, 6, 11, 2), (3, 2, 2, 11, 33)
    score = np.r_[np.repeat(range(1, 6), normal), np.repeat(range(1, 6), abnormal)]
    y = np.r_[np.zeros(sum(normal)), np.ones(sum(abnormal))]
    assert evaluation.auc(y, score) == pytest.approx(0.893, abs=5e-4)


def test_average_precision_and_brier_of_scikit_learns_manual():
    # The worked examples in the documentation of average_precision_score and brier_score_loss.
    assert evaluation.average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.83, abs=5e-3)
    assert evaluation.brier([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]) == pytest.approx(0.0375)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        # Fagerland, Lydersen and Laake 2013, airway hyper-responsiveness before and after a transplantation
        # (Bentur et al. 2009): 1 against 7 of 21 children; the exact conditional test gives 0.070.
        (1, 7, 0.0703),
        # Agresti 1990, p. 350, approval of the president, 86 against 150 of 1,600; R: exact2x2::mcnemar.exact
        # prints 3.716e-05 for these ratings.
        (86, 150, 3.716e-05),
    ],
)
def test_exact_mcnemar_of_published_pairs(only_first, only_second, p):
    assert evaluation.mcnemar_exact(only_first, only_second) == pytest.approx(p, rel=1e-3)


def lists(seed=0, n=400):
    rng = np.random.default_rng(seed)
    return (rng.random(n) < 0.15).astype(int), (rng.random(n) < 0.1).astype(int)


def test_targeting_measures_are_scikit_learns_under_other_names():
    y, on = lists()
    made = evaluation.targeting_measures(y, on)
    recall, precision = recall_score(y, on), precision_score(y, on)
    assert made["exclusion_error"] == pytest.approx(1 - recall)
    assert made["inclusion_error"] == pytest.approx(1 - precision)
    # Coverage of those in need minus coverage of the others is Youden's J: recall + specificity − 1.
    assert made["targeting_differential"] == pytest.approx(balanced_accuracy_score(y, on, adjusted=True))
    assert made["targeting_differential_errors"] == pytest.approx(recall + precision - 1)
    _, fp, fn, tp = confusion_matrix(y, on).ravel()
    assert made["bpac"] == pytest.approx((tp - abs(fn - fp)) / (tp + fn))


def test_cgh_of_the_papers_own_example(at_budget):
    # Coady, Grosh and Hoddinott 2004: if the bottom 40 % receive 60 % of the benefits the indicator is 1.5.
    y = np.r_[np.ones(40), np.zeros(60)]
    listed = np.r_[np.ones(30), np.zeros(10), np.ones(20), np.zeros(40)]
    assert evaluation.targeting_measures(y, listed)["cgh"] == pytest.approx(1.5)
    # At one number of visits it is the lift: precision over the base rate.
    found = at_budget(y, listed, {"visits": 50})
    assert found["lift"] == pytest.approx(1.5)


def test_net_benefit_by_the_confusion_matrix_and_where_visiting_all_breaks_even():
    rng = np.random.default_rng(1)
    p = rng.beta(1, 6, 600)
    y = (rng.random(600) < p).astype(int)
    for threshold in (0.05, 0.2, 0.4):
        _, fp, _, tp = confusion_matrix(y, (p >= threshold).astype(int)).ravel()
        by_hand = tp / 600 - fp / 600 * threshold / (1 - threshold)
        assert evaluation.net_benefit(y, p, threshold) == pytest.approx(by_hand)
    # Vickers and Elkin 2006: visiting everyone is worth nothing exactly where the threshold is the base rate.
    curve = evaluation.net_benefit_curve(y, p, [float(y.mean())])
    assert curve["visit_all"].iloc[0] == pytest.approx(0, abs=1e-12)


def test_welfare_is_marginal_utility_added_up():
    # Hanna and Olken 2018: utility c^(1−ρ)/(1−ρ), whose derivative is c^−ρ. Gains integrated numerically.
    rng = np.random.default_rng(2)
    income, persons, transfer = np.exp(rng.normal(9, 0.5, 8)), rng.integers(1, 5, 8), 1500.0
    listed = np.array([1, 1, 0, 0, 1, 0, 0, 0])
    for rho in (0.5, 1.0, 3.0):

        def gained(each, rho=rho):
            parts = [quad(lambda c, rho=rho: c**-rho, c, c + g)[0] for c, g in zip(income, each, strict=True)]
            return persons * np.array(parts)

        paid = gained(transfer / persons)
        even = gained(np.full(8, 3 * transfer / persons.sum())).sum()
        best = np.sort(paid)[::-1][:3].sum()
        expected = (paid[listed == 1].sum() - even) / (best - even)
        assert evaluation.crra_welfare(income, persons, listed, transfer, rho) == pytest.approx(expected)


def test_overlap_is_jaccards(make_predictions):
    found = make_predictions(dates=1, nulls=0.0)
    row = evaluation.compare(found, {"visits": 60}, replicates=2).primary.iloc[0]
    listed = {}
    for model in ("rule", "logit"):
        part = found[found["model"] == model].sort_values("household_id", ignore_index=True)
        keys = {"rule": ["rule_rank"], "logit": ["score"]}[model]
        order = part.assign(first=~part["flagged"] if model == "rule" else False)
        order = order.sort_values(["first", *keys], ascending=[True, model == "rule"], kind="stable")
        listed[model] = part.index.isin(order.index[:60])
    assert row["overlap"] == pytest.approx(jaccard_score(listed["rule"], listed["logit"]))


def test_the_weighted_rate_and_its_interval_are_statsmodels():
    # Hájek's estimate is weighted least squares on a constant; its village-robust variance with the factor
    # G/(G−1)·(n−1)/(n−1) is statsmodels' cluster covariance.
    rng = np.random.default_rng(3)
    n = 300
    chance, village = rng.uniform(0.1, 1, n), rng.integers(0, 25, n)
    visited, y = rng.random(n) < chance, (rng.random(n) < 0.3).astype(float)
    made = evaluation.weighted_rate(y, visited, chance, village)
    fitted = sm.WLS(y[visited], np.ones(visited.sum()), weights=1 / chance[visited]).fit(
        cov_type="cluster", cov_kwds={"groups": village[visited]}
    )
    assert made.estimate == pytest.approx(float(fitted.params[0]))
    low, high = fitted.conf_int()[0]
    assert (made.low, made.high) == pytest.approx((low, high))


def test_the_village_bootstrap_has_the_variance_of_the_cluster_sandwich():
    # A ratio of village sums: the bootstrap's variance is the linearised one up to its own noise (some 2 % of
    # 4,000 draws) and a little curvature.
    rng = np.random.default_rng(4)
    village = rng.integers(0, 120, 3000)
    y = (rng.random(3000) < 0.15 + 0.1 * rng.random(120)[village]).astype(float)
    drawn = evaluation.village_resamples(village, 4000, 0).run(lambda w: (w @ y) / w.sum(axis=1))
    fitted = sm.OLS(y, np.ones(3000)).fit(cov_type="cluster", cov_kwds={"groups": village})
    assert drawn.std() == pytest.approx(float(fitted.bse[0]), rel=0.06)


def test_paired_sample_size_of_the_formula_inverted():
    # Connor 1987: n = [z_{1−α/2}·√ψ + z_{power}·√(ψ − δ²)]²/δ². For ψ = 0.3, δ = 0.1, two-sided 5 % and 80 %
    # power the formula gives 234 pairs; the smallest difference of 234 pairs must be 0.1 again.
    n = (1.959964 * np.sqrt(0.3) + 0.841621 * np.sqrt(0.3 - 0.01)) ** 2 / 0.01
    assert n == pytest.approx(233.2, abs=0.2)
    assert evaluation.smallest_difference(n, discordant=0.3) == pytest.approx(0.1, abs=1e-5)
