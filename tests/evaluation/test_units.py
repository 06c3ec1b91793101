"""Rows added up by village: every resample gives what weighing each row by itself gives."""

import dataclasses

import numpy as np
import pytest
from scipy.special import expit

from riskmodel.evaluation import Budget, village_resamples
from riskmodel.evaluation.lists import fixed_list_kernel, list_kernel, quotas, rank_rows
from riskmodel.evaluation.metrics import METRICS, ScoredRows, prepare_metrics, table_metrics
from riskmodel.evaluation.units import Units, weigh


def made_rows(seed, n=900, villages=12, digits=1):
    rng = np.random.default_rng(seed)
    village = rng.integers(0, villages, n)
    score = np.round(rng.normal(size=n) + 0.5 * rng.normal(size=villages)[village], digits)
    y = (rng.random(n) < expit(score - 2)).astype(float)
    date = np.sort(rng.integers(0, 3, n))
    return village, score, y, date


def of_rows(resamples, kernel, weight):
    """The definition: every row weighs as often as its village was drawn, times its own weight."""
    return np.stack([kernel((counts[resamples.village] * weight)[None])[0] for counts in resamples.counts])


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("whole", [True, False])
def test_metrics_by_village_are_the_metrics_of_the_weighted_rows(share, whole):
    village, score, y, date = made_rows(3)
    rows = ScoredRows(y, score, expit(score), date, Budget(share=share))
    weight = np.ones(len(y)) if whole else np.random.default_rng(4).uniform(0.5, 3, len(y))
    resamples = village_resamples(village, 60, 1)
    by_village = resamples.run_units(prepare_metrics(rows, units=resamples.units(weight)))
    expected = of_rows(resamples, prepare_metrics(rows), weight)
    # Sums of whole numbers are exact in any order: the area is equal to the last bit.
    for k, metric in enumerate(table_metrics()):
        tolerance = 0 if whole and metric.name == "auc" else 1e-9
        np.testing.assert_allclose(
            by_village[:, k], expected[:, k], rtol=tolerance, atol=tolerance, err_msg=metric.name
        )


def test_many_small_villages_and_a_few_large_ones_take_different_ways_to_one_area():
    _, score, y, _ = made_rows(5, n=300)
    kernel = METRICS["auc"].kernel
    for villages in (5, 290):  # pairs of villages, and rows in order
        village = np.arange(300) % villages
        resamples = village_resamples(village, 40, 0)
        np.testing.assert_array_equal(
            resamples.run_units(kernel(y, score, resamples.units())), resamples.run(kernel(y, score))
        )


def test_a_list_reaches_as_deep_as_the_replicate_that_needs_most():
    # One village holds everybody at the top: a replicate without it must look far down the order.
    village = np.r_[np.zeros(300), np.ones(300), np.full(300, 2)].astype(int)
    score, date = np.arange(900.0)[::-1], np.zeros(900, dtype=int)
    y = (np.arange(900) % 7 == 0).astype(float)
    ranking, quota = rank_rows(date, -score), quotas(date, Budget(share=0.05))
    persons = 1.0 + np.arange(900) % 4
    resamples = village_resamples(village, 50, 2)
    assert (resamples.counts[:, 0] == 0).any()
    by_village = list_kernel(y, date, ranking, quota, persons, resamples.units())
    plain = list_kernel(y, date, ranking, quota, persons)
    for counts in resamples.counts:
        np.testing.assert_allclose(
            np.ravel(by_village(counts[None])), np.ravel(plain(counts[resamples.village][None])), rtol=1e-13
        )


def test_a_metric_that_knows_rows_only_is_given_their_weights():
    village, score, y, date = made_rows(6, n=200)
    rows = ScoredRows(y, score, expit(score), date, Budget(visits=5))
    kernel = METRICS["auc"].kernel
    plain = dataclasses.replace(
        METRICS["auc"], name="plain_auc", by_unit=False, kernel=lambda y, score: kernel(y, score)
    )
    resamples = village_resamples(village, 20, 0)
    with METRICS.including(plain):
        both = resamples.run_units(prepare_metrics(rows, ["auc", "plain_auc"], resamples.units()))
    np.testing.assert_array_equal(both[:, 0], both[:, 1])


def test_fixed_lists_and_tables_add_up_by_unit():
    units = Units(np.array([0, 1, 0, 1]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert units.count == 2
    assert units.size.tolist() == [4.0, 6.0]
    assert units.sums([[1, 0], [1, 1], [0, 1], [0, 0]]).tolist() == [[1, 3], [2, 2]]
    assert weigh(units.table(np.array([0, 1, 1, 1]), 2), np.array([[1.0, 10.0]])).ravel().tolist() == [1, 63]
    counts = fixed_list_kernel(np.array([1.0, 0, 0, 1]), np.array([1.0, 1, 0, 0]), units)(np.ones((1, 2)))
    assert [float(v[0]) for v in counts[:4]] == [1, 5, 3, 10]
