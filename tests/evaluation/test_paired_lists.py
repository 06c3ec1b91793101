"""McNemar, DeLong and Holm against published figures and other implementations."""

import gc

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from riskmodel.evaluation import delong, holm, mcnemar_exact
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
