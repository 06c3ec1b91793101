"""The affine map against statsmodels, and where no finite answer exists."""

import numpy as np
import pytest
import statsmodels.api as sm

from riskmodel.models.affine import fit_affine, village_table


def _rows(n=400, seed=3):
    rng = np.random.default_rng(seed)
    margin = rng.normal(-2.0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(0.4 + 0.6 * margin)))).astype(float)
    weight = rng.integers(0, 4, (3, n)).astype(float)
    return margin, y, weight


def test_intercept_and_slope_are_the_weighted_logistic_regression():
    margin, y, weight = _rows()
    a, b = fit_affine(margin, weight * y, weight)
    for i, w in enumerate(weight):
        # Frequency weights are repeated rows; statsmodels' IRLS is another route to that optimum.
        fit = sm.GLM(y, sm.add_constant(margin), family=sm.families.Binomial(), freq_weights=w).fit(tol=1e-12)
        assert a[i] == pytest.approx(fit.params[0], abs=1e-7)
        assert b[i] == pytest.approx(fit.params[1], abs=1e-7)


def test_calibration_in_the_large_is_the_logit_with_an_offset():
    margin, y, weight = _rows()
    a, b = fit_affine(margin, weight * y, weight, slope=False)
    assert (b == 1).all()
    for i, w in enumerate(weight):
        fit = sm.GLM(
            y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=margin, freq_weights=w
        ).fit(tol=1e-12)
        assert a[i] == pytest.approx(fit.params[0], abs=1e-7)


def test_platt_targets_are_a_regression_on_smoothed_targets():
    margin, y, _ = _rows()
    a, b = fit_affine(margin, y[None], np.ones((1, len(y))), smooth=True)
    plus, minus = y.sum(), len(y) - y.sum()
    target = np.where(y == 1, (plus + 1) / (plus + 2), 1 / (minus + 2))
    # A GLM takes fractional responses; its score equations are those of Platt's cross entropy.
    fit = sm.GLM(target, sm.add_constant(margin), family=sm.families.Binomial()).fit(tol=1e-12)
    assert (a[0], b[0]) == pytest.approx(tuple(fit.params), abs=1e-7)


def test_one_class_and_separation_have_no_finite_answer_unless_smoothed():
    margin = np.array([-1.0, -0.5, 0.5, 1.0])
    total = np.ones((3, 4))
    positive = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]], dtype=float)
    a, b = fit_affine(margin, positive, total)
    assert np.isnan(a).all()
    assert np.isnan(b).all()
    a, b = fit_affine(margin, positive, total, smooth=True)
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()


def test_a_constant_margin_has_no_slope():
    a, b = fit_affine([0.3, 0.3, 0.3], [[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]])
    assert np.isnan(a[0])
    assert np.isnan(b[0])


def test_far_off_margins_still_converge():
    # Margins in the thousands with a tiny true slope: only a standardised, damped Newton gets there.
    rng = np.random.default_rng(0)
    margin = 5000 + 1000 * rng.normal(size=2000)
    y = (rng.random(2000) < 1 / (1 + np.exp(-(margin - 5000) / 500))).astype(float)
    a, b = fit_affine(margin, y[None], np.ones((1, 2000)))
    fit = sm.GLM(y, sm.add_constant((margin - 5000) / 1000), family=sm.families.Binomial()).fit(tol=1e-12)
    assert b[0] == pytest.approx(fit.params[1] / 1000, rel=1e-6)
    assert a[0] + 5000 * b[0] == pytest.approx(fit.params[0], abs=1e-6)


def test_village_table_loses_no_row_and_no_event():
    margin, y, _ = _rows()
    village = np.arange(len(y)) % 7
    table = village_table(margin, y, village, 20)
    assert table.total.shape == (7, 20)
    assert table.total.sum(axis=1) == pytest.approx(np.bincount(village))
    assert table.positive.sum(axis=1) == pytest.approx(np.bincount(village, weights=y))
    # Bin means weighted by rows give the overall mean back, so no bin is misplaced.
    assert table.margin @ table.total.sum(axis=0) == pytest.approx(margin.sum())


def test_equal_margins_share_a_bin():
    table = village_table(np.array([1.0] * 9 + [2.0]), np.zeros(10), np.zeros(10, dtype=int), 5)
    assert table.margin.tolist() == [1.0, 2.0]
    assert table.total.tolist() == [[9.0, 1.0]]
