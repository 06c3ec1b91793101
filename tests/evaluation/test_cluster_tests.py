"""Tests where clusters are few: sign flips against every order by hand, size and coverage of the study."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from riskmodel.evaluation import cluster_tests
from riskmodel.evaluation.cluster_tests import bootstrap_t_interval, quantile_with_error, sign_flip_p
from riskmodel.models import village_draws

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "few_villages.py"


def test_sign_flips_count_every_way_the_signs_could_have_fallen(monkeypatch):
    difference = np.array([3.0, -1.0, 2.0, 0.0, 4.0, 1.0, -2.0])
    by_hand = [abs(np.dot(s, difference)) >= 7 for s in itertools.product([-1, 1], repeat=7)]
    assert sign_flip_p(difference).value == pytest.approx(np.mean(by_hand))
    assert sign_flip_p(-difference) == sign_flip_p(difference)
    assert sign_flip_p(np.zeros(9)) == (1.0, 0.0)
    # Drawn instead of counted: within three of the errors it names, and never 0.
    monkeypatch.setattr(cluster_tests, "_EXACT_UP_TO", 3)
    drawn = sign_flip_p(difference)
    assert drawn.value == pytest.approx(np.mean(by_hand), abs=3 * drawn.error)
    assert sign_flip_p(np.ones(40)).value == 1 / 10_001


def test_a_bootstrap_t_interval_is_recounted_from_its_resamples():
    rng = np.random.default_rng(0)
    difference, total = rng.integers(-2, 4, 12).astype(float), rng.integers(3, 9, 12).astype(float)
    counts = village_draws(12, 400, 1)

    def ratio_and_error(d, e):
        ratio = d.sum() / e.sum()
        return ratio, np.sqrt(len(d) / (len(d) - 1) * np.sum((d - ratio * e) ** 2)) / e.sum()

    ratio, error = ratio_and_error(difference, total)
    t = []
    for row in counts:
        drawn = np.repeat(np.arange(12), row.astype(int))
        again, own = ratio_and_error(difference[drawn], total[drawn])
        t.append(abs(again - ratio) / own)
    reach = np.quantile(t, 0.95) * error
    low, high = bootstrap_t_interval(difference, total, counts)
    assert (low.value, high.value) == pytest.approx((ratio - reach, ratio + reach))
    assert 0 < low.error < 0.1
    assert np.isnan(bootstrap_t_interval(difference, 0 * total, counts)[0].value)
    assert bootstrap_t_interval(0 * difference, total, counts) == ((0, 0), (0, 0))


def test_the_monte_carlo_error_of_a_quantile_is_what_seeds_move_it_by():
    rng = np.random.default_rng(0)
    found = [quantile_with_error(rng.normal(size=2000), 0.975) for _ in range(200)]
    assert np.std([f.value for f in found]) == pytest.approx(np.mean([f.error for f in found]), rel=0.2)


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("benchmarks_few_villages", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module.study
    del sys.modules[spec.name]


def test_few_villages_keep_size_and_coverage(study):
    # 120 counties leave twice .02 open about a size of .06 and a coverage of .93.
    row = study(8, 120, draws=300, large=2000)
    assert row["size"] <= 0.06 + 0.04
    assert min(row["coverage_equal"], row["coverage_apart"]) >= 0.93 - 0.04
    # Percentiles of eight villages do not.
    assert row["coverage_equal_percentile"] < row["coverage_equal"]


@pytest.mark.slow
@pytest.mark.parametrize("villages", [8, 15, 30, 100])
def test_size_and_coverage_by_number_of_villages(study, villages):
    row = study(villages, 250, draws=1000)
    assert row["size"] <= 0.06 + 0.028
    assert min(row["coverage_equal"], row["coverage_apart"]) >= 0.93 - 0.028
