"""Villages are dealt whole, evenly, and the same every time."""

import numpy as np
import pytest

from riskmodel.models.split import village_codes, village_draws, village_folds


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
