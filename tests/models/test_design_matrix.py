"""What the preprocessing does to gaps, tails and shared missingness."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riskmodel.models.base import DesignMatrix


def _matrix():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 4))
    X[::5, 1] = np.nan
    X[::5, 2] = np.nan
    X[::7, 3] = np.nan
    return X


def test_normal_columns_are_imputed_and_standardised_as_scikit_learn_does():
    X = _matrix()
    ours = DesignMatrix(winsorise=0.0).fit_transform(X)
    theirs = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
    ).fit_transform(X)
    assert ours[:, :4] == pytest.approx(theirs[:, :4])
    # scikit-learn marks columns 1 and 2 apart although their gaps are the same; here they share a mark.
    assert ours[:, 4:] == pytest.approx(theirs[:, [4, 6]])


def test_columns_missing_together_share_one_mark_in_equal_parts():
    design = DesignMatrix().fit(_matrix())
    assert design.pattern_column_.tolist() == [1, 3]
    assert design.pattern_shares_.tolist() == [[0, 0.5, 0.5, 0], [0, 0, 0, 1.0]]
    assert design.missing_share_ == pytest.approx([0, 0.2, 0.2, 72 / 500])


def test_contributions_keep_their_sum_when_handed_back_to_columns():
    X = _matrix()
    design = DesignMatrix().fit(X)
    parts = design.transform(X) * np.arange(1.0, 7.0)
    assert design.to_columns(parts).sum(axis=1) == pytest.approx(parts.sum(axis=1))


def test_heavy_tails_go_through_the_signed_logarithm_and_normal_ones_do_not():
    rng = np.random.default_rng(2)
    yuan = np.exp(rng.normal(9, 1.5, 2000)) * rng.choice([-1, 1], 2000, p=[0.1, 0.9])
    flag = (rng.random(2000) < 0.02).astype(float)
    X = np.column_stack([yuan, rng.normal(size=2000), flag])
    design = DesignMatrix().fit(X)
    assert np.isfinite(design.log_scale_).tolist() == [True, False, False]
    assert not np.isfinite(DesignMatrix(signed_log=False).fit(X).log_scale_).any()
    # A rising transform keeps the order (inside the winsorised range).
    inside = (yuan > design.low_[0]) & (yuan < design.high_[0])
    order = np.argsort(yuan[inside])
    assert (np.diff(design.transform(X)[inside, 0][order]) > 0).all()


def test_a_rare_flag_survives_winsorising():
    # One household in a thousand: both quantiles are 0, clipping to them would erase the flag.
    flag = np.zeros((4000, 1))
    flag[:4] = 1.0
    assert DesignMatrix(winsorise=0.002).fit_transform(flag).max() > 1


def test_values_beyond_the_training_range_are_not_extrapolated():
    X = np.linspace(0, 1, 1000)[:, None]
    design = DesignMatrix(winsorise=0.01).fit(X)
    assert design.transform([[1e9]]) == pytest.approx(design.transform([[0.99]]), abs=1e-3)


def test_an_empty_and_a_constant_column_carry_nothing():
    X = np.column_stack([np.full(50, np.nan), np.full(50, 0.1), np.arange(50.0)])
    out = DesignMatrix().fit_transform(X)
    assert (out[:, 0] == 0).all()
    assert out[:, 1] == pytest.approx(np.zeros(50))
    # Wholly missing columns need no mark: it would be constant.
    assert out.shape == (50, 3)


def test_a_gap_that_training_did_not_have_takes_the_median():
    X = np.arange(51.0)[:, None]
    design = DesignMatrix(winsorise=0.0).fit(X)
    assert design.transform([[np.nan]]) == pytest.approx(design.transform([[25.0]]))


def test_winsorise_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"winsorise=0\.7"):
        DesignMatrix(winsorise=0.7).fit([[1.0]])
