"""Villages in folds and in scikit-learn's pipelines; preprocessing of gaps, tails and shared missingness."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from riskmodel.models import CalibratedScore, PenalisedLogit, Stack
from riskmodel.models.base import DesignMatrix, village_codes, village_draws, village_folds


def _county(seed=0):
    rng = np.random.default_rng(seed)
    size = rng.integers(5, 60, 41)
    village = np.repeat([f"v{i:02d}" for i in range(41)], size)
    y = (rng.random(len(village)) < 0.05).astype(int)
    return y, village


def test_no_village_is_parted_and_every_fold_gets_its_share():
    y, village = _county()
    fold = village_folds(y, village, 4, seed=1)
    assert all(len(set(fold[village == v])) == 1 for v in set(village))
    villages = [len(set(village[fold == k])) for k in range(4)]
    # 41 villages in rounds of four: no fold can have more than one village over another.
    assert max(villages) - min(villages) <= 1
    events = [y[fold == k].sum() for k in range(4)]
    # Dealt in order of events: folds differ by less than the richest village holds.
    assert max(events) - min(events) <= max(y[village == v].sum() for v in set(village))


def test_dealing_depends_on_seed_not_on_row_order():
    y, village = _county()
    fold = village_folds(y, village, 4, seed=1)
    shuffled = np.random.default_rng(5).permutation(len(y))
    assert (village_folds(y[shuffled], village[shuffled], 4, seed=1) == fold[shuffled]).all()
    assert (village_folds(y, village, 4, seed=2) != fold).any()


def test_too_few_villages_are_refused():
    with pytest.raises(ValueError, match=r"2 village\(s\) cannot be dealt into 4 folds"):
        village_folds([0, 1, 0], ["a", "b", "a"], 4, seed=0)


def test_missing_village_and_wrong_length_are_refused():
    with pytest.raises(ValueError, match="missing village"):
        village_codes(["a", None], 2)
    with pytest.raises(ValueError, match="missing village"):
        village_codes(["a", np.nan], 2)
    with pytest.raises(ValueError, match="groups has 1 rows where X has 2"):
        village_codes(["a"], 2)
    assert village_codes(None, 3).tolist() == [0, 1, 2]


def test_each_draw_takes_as_many_villages_as_there_are():
    counts = village_draws(30, 50, seed=4)
    assert (counts.sum(axis=1) == 30).all()
    # With replacement each village comes on average once: 1500 draws over 30 villages.
    assert counts.mean(axis=0) == pytest.approx(np.ones(30), abs=0.6)
    # A longer run begins like a shorter one, so adding draws refines and does not redraw.
    assert (village_draws(30, 10, seed=4) == counts[:10]).all()


def data(n: int = 240, villages: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 3))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - X[:, 0]))).astype(int)
    return X, y, np.array([f"v{i % villages:02d}" for i in range(n)])


class Witness(PenalisedLogit):
    """Writes down which villages it was fitted on."""

    seen: ClassVar[list[set[str]]] = []

    def fit(self, X, y, groups=None):
        Witness.seen.append(set(groups))
        return super().fit(X, y, groups)


@pytest.mark.parametrize("model", [CalibratedScore(Witness()), Stack([Witness(), Witness()])])
def test_villages_reach_the_innermost_model_and_none_is_torn_apart(model) -> None:
    X, y, village = data()
    Witness.seen = []
    with config_context(enable_metadata_routing=True):
        found = cross_validate(
            make_pipeline(StandardScaler(), model),
            X, y, cv=GroupKFold(3), params={"groups": village}, return_indices=True, error_score="raise",
        )  # fmt: skip
    assert len(Witness.seen) >= 3
    for part in found["indices"]["train"]:
        # What is set aside inside for calibration or weights is set aside by whole villages.
        whole = set(village[part])
        assert any(seen < whole for seen in Witness.seen)
    # GroupKFold(3) leaves 16 of 24 villages; the calibrator holds out a quarter of them, the stack a third.
    assert {len(seen) for seen in Witness.seen} <= {10, 11, 12, 16}


def test_routed_and_handed_by_hand_are_one_fit() -> None:
    X, y, village = data()
    plain = CalibratedScore(PenalisedLogit(), random_state=1).fit(X, y, groups=village)
    with config_context(enable_metadata_routing=True):
        routed = CalibratedScore(PenalisedLogit(), random_state=1).fit(X, y, groups=village)
    assert np.array_equal(plain.margin(X), routed.margin(X))


def test_a_base_that_was_told_nothing_of_villages_is_not_guessed_for() -> None:
    X, y, village = data()
    with config_context(enable_metadata_routing=True):
        base = PenalisedLogit().set_fit_request(groups=None)
        with pytest.raises(UnsetMetadataPassedError, match="groups"):
            CalibratedScore(base).fit(X, y, groups=village)
        CalibratedScore(PenalisedLogit().set_fit_request(groups=False)).fit(X, y, groups=village)


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
