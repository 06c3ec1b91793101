"""The predictions frame: what is refused and what is set aside.

Village bootstrap: villages whole, paired, independent of row order; and it covers what it says.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel.errors import InputRefused
from riskmodel.evaluation import auc, percentile_interval, predictions, two_sided_p, village_resamples
from riskmodel.evaluation.predictions import check_predictions
from riskmodel.evaluation.score_metrics import auc_kernel


def test_null_labels_are_set_aside_and_counted_by_model_and_fold(predictions):
    given = check_predictions(predictions)
    assert given.models == ("rule", "logit", "boosting")
    missing = predictions["y"].isna()
    assert missing.sum() > 0
    assert len(given.frame) == (~missing).sum()
    assert given.frame["y"].isin([0.0, 1.0]).all()
    logit = predictions["model"] == "logit"
    assert given.n_null("logit") == (missing & logit).sum()
    assert given.n_null("logit", 1) == (missing & logit & (predictions["fold"] == 1)).sum()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([0, 1, None], dtype="Int8"), pd.Series([False, True, None], dtype="boolean"),
        pd.Series([0.0, 1.0, np.nan]), pd.Series([0, 1, None], dtype="object"),
    ],
)  # fmt: skip
def test_any_way_to_write_a_nullable_label_is_understood(predictions, column):
    frame = predictions.head(3).assign(y=column)
    given = check_predictions(frame)
    assert sorted(given.frame["y"]) == [0.0, 1.0]
    assert given.n_null("rule") == 1


def test_rows_come_in_one_order(predictions):
    shuffled = predictions.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        check_predictions(shuffled).frame.sort_values(["model", "as_of", "household_id"], ignore_index=True),
        check_predictions(predictions).frame.sort_values(
            ["model", "as_of", "household_id"], ignore_index=True
        ),
    )


def _changed(frame, column, value):
    out = frame.copy()
    out[column] = out[column].astype(object)
    out.loc[out.index[3], column] = value
    return out


def test_what_cannot_be_used_is_refused_by_name(predictions):
    frame = predictions.head(50).assign(y=1)
    with pytest.raises(InputRefused, match=r"lack the column\(s\) village"):
        check_predictions(frame.drop(columns="village"))
    with pytest.raises(InputRefused, match=r"lack the column\(s\) gap"):
        check_predictions(frame, ("gap",))
    with pytest.raises(
        InputRefused, match=r"hold 50 row\(s\) twice, first h00000 at 2020-06-30 of model 'rule'"
    ):
        check_predictions(pd.concat([frame, frame]))
    with pytest.raises(InputRefused, match=r"label 2\.0 in y; allowed: 0, 1 or null"):
        check_predictions(_changed(frame, "y", 2))
    with pytest.raises(InputRefused, match="score of model 'rule' is nan for h00003"):
        check_predictions(_changed(frame, "score", np.nan))
    with pytest.raises(InputRefused, match=r"probability of model 'rule' is 1.5 .*from 0 to 1"):
        check_predictions(_changed(frame, "probability", 1.5))
    with pytest.raises(InputRefused, match="none of the 50 predictions has a label"):
        check_predictions(frame.assign(y=pd.array([None] * 50, dtype="Int8")))


def _county(rng, villages, per_village=40):
    village = np.repeat(np.arange(villages), per_village)
    risk = -1.5 + rng.normal(0, 1, len(village)) + rng.normal(0, 0.7, villages)[village]
    y = (rng.random(len(village)) < expit(risk)).astype(float)
    return y, risk + rng.normal(0, 0.7, villages)[village], village


def test_a_replicate_is_the_county_with_villages_drawn_with_replacement():
    y, score, village = _county(np.random.default_rng(0), 12)
    resamples = village_resamples(village, 6, seed=5)
    values = resamples.run(auc_kernel(y, score))
    for counts, value in zip(resamples.counts, values, strict=True):
        # Build the resampled county row by row and measure it with the plain function.
        rows = np.concatenate([np.tile(np.flatnonzero(village == v), int(c)) for v, c in enumerate(counts)])
        assert value == pytest.approx(auc(y[rows], score[rows]), abs=1e-12)


def test_chunks_and_row_order_change_nothing(monkeypatch):
    y, score, village = _county(np.random.default_rng(1), 20)
    whole = village_resamples(village, 50, seed=2).run(auc_kernel(y, score))
    p = np.random.default_rng(3).permutation(len(y))
    shuffled = village_resamples(village[p], 50, seed=2).run(auc_kernel(y[p], score[p]))
    assert shuffled == pytest.approx(whole, abs=1e-12)
    monkeypatch.setattr(predictions, "_CHUNK", 3000)
    assert (village_resamples(village, 50, seed=2).run(auc_kernel(y, score)) == whole).all()


def test_two_villages_of_one_name_in_two_townships_are_two():
    frame = pd.DataFrame({"township": ["a", "b", "a"], "village": ["新村", "新村", "新村"]})
    assert village_resamples(frame, 1, 0).village.tolist() == [0, 1, 0]


def test_one_village_or_no_replicates_gives_nan():
    kernel = auc_kernel(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    assert np.isnan(village_resamples(["a", "a"], 10, 0).run(kernel)).all()
    assert np.isnan(village_resamples(["a", "b"], 0, 0).run(kernel)).all()


def test_interval_needs_nine_usable_replicates_in_ten():
    values = np.arange(100.0)
    assert percentile_interval(values, 0.9) == pytest.approx((4.95, 94.05))
    values[:10] = np.nan
    assert np.isfinite(percentile_interval(values)[0])
    values[:11] = np.nan
    assert np.isnan(percentile_interval(values)[0])
    assert np.isnan(percentile_interval(np.full(5, np.nan))[1])


def test_p_value_counts_both_sides_and_is_never_zero():
    assert two_sided_p(np.ones(999)) == pytest.approx(2 / 1000)
    assert two_sided_p(np.r_[np.ones(500), -np.ones(499)]) == 1.0
    assert two_sided_p(np.zeros(10)) == 1.0
    assert np.isnan(two_sided_p(np.array([np.nan])))
    # All on one side: so many draws say no more than two in their number, however far they lie from 0.
    far = np.random.default_rng(0).normal(6, 1, 199)
    assert two_sided_p(far) == pytest.approx(2 / 200)
    # One on the other side: the share itself is the answer.
    assert two_sided_p(np.r_[far, -1.0]) == pytest.approx(4 / 201)


def _covers(seed, truth, villages=40, replicates=200):
    y, score, village = _county(np.random.default_rng(seed), villages)
    low, high = percentile_interval(village_resamples(village, replicates, seed).run(auc_kernel(y, score)))
    return low <= truth <= high


@pytest.fixture(scope="module")
def true_auc():
    """The AUC of the process itself, from 6,000 villages: its error is far below one county's interval."""
    y, score, _ = _county(np.random.default_rng(99), 6000)
    return auc(y, score)


def test_interval_covers_the_true_auc(true_auc):
    # Binomial(80, 0.95) is below 69 with probability 0.2 %.
    assert sum(_covers(seed, true_auc) for seed in range(80)) >= 69


def test_drawing_rows_instead_of_villages_would_be_too_narrow():
    # Why villages: with village effects in outcome and score the row bootstrap is overconfident.
    y, score, village = _county(np.random.default_rng(7), 40, per_village=200)
    kernel = auc_kernel(y, score)
    whole = np.nanstd(village_resamples(village, 300, 0).run(kernel))
    rows = np.nanstd(village_resamples(np.arange(len(y)), 300, 0).run(kernel))
    assert whole > 1.3 * rows


@pytest.mark.slow
def test_interval_coverage_over_many_counties(true_auc):
    # 600 counties: binomial sd 0.9 %. Percentile intervals of 40 clusters run a little short (93-95 %).
    share = np.mean([_covers(seed, true_auc, replicates=400) for seed in range(600)])
    assert 0.91 <= share <= 0.975
