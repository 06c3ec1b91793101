"""Methods on data whose answer is known: estimators, intervals, p-values. Slow: each is a simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from riskmodel.evaluation import (
    auc,
    delong,
    mcnemar_exact,
    percentile_interval,
    two_sided_p,
    village_resamples,
)
from riskmodel.evaluation.score_metrics import auc_kernel
from riskmodel.evaluation.true_risk import true_auc
from riskmodel.models.logit import PenalisedLogit

pytestmark = pytest.mark.slow

BETA = np.array([0.8, -0.5, 0.3, 0.0, 0.0])
VILLAGES, PER_VILLAGE = 60, 25


def panel(rng: np.random.Generator, n: int, village_sd: float = 0.0) -> tuple[np.ndarray, ...]:
    """Features, chances, outcomes and villages; log-odds linear in the features plus a village's own part."""
    x = rng.normal(size=(n, BETA.size))
    village = np.arange(n) * VILLAGES // n
    p = expit(-2.5 + x @ BETA + rng.normal(0, village_sd, VILLAGES)[village])
    return x, p, (rng.random(n) < p).astype(float), village


def test_logit_recovers_its_coefficients() -> None:
    """20,000 rows with some 2,000 events: a coefficient errs by about 0.025, so 0.08 is three of that."""
    x, _, y, _ = panel(np.random.default_rng(0), 20_000)
    model = PenalisedLogit(C=1e6, signed_log=False, winsorise=0.0).fit(x, y)
    steps = np.vstack([np.zeros(BETA.size), np.eye(BETA.size)])
    margin = model.decision_function(steps)
    assert margin[1:] - margin[0] == pytest.approx(BETA, abs=0.08)
    assert margin[0] == pytest.approx(-2.5, abs=0.1)


def test_auc_intervals_cover_at_their_level() -> None:
    """Villages differ, so rows of one are alike: resampling villages must still cover in 95 % of counties.

    200 counties: the standard error of a share of 0.95 is 0.015, and percentile intervals of 60 villages run
    a little short; below 0.90 they would be wrong.
    """
    covered = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x, _, y, village = panel(rng, VILLAGES * PER_VILLAGE, village_sd=0.5)
        score = x @ BETA
        runs = village_resamples(village, 200, seed).run(auc_kernel(y, score))
        low, high = percentile_interval(runs, 0.95)
        covered.append(low <= population_auc() <= high)
    assert 0.90 <= np.mean(covered) <= 0.995


@cache
def population_auc() -> float:
    """The AUC in a county of 300,000 households: what every small county's interval should hold."""
    rng = np.random.default_rng(99)
    x = rng.normal(size=(300_000, BETA.size))
    p = expit(-2.5 + x @ BETA + rng.normal(0, 0.5, x.shape[0]))
    return true_auc(p, x @ BETA)


def _two_scores(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two scores that blur the same truth equally: neither is better."""
    rng = np.random.default_rng(10_000 + seed)
    x, _, y, village = panel(rng, VILLAGES * PER_VILLAGE, village_sd=0.3)
    truth = x @ BETA
    return y, truth + rng.normal(size=truth.size), truth + rng.normal(size=truth.size), village


def test_p_values_are_uniform_under_the_null() -> None:
    """Two equally good scores: every p-value is as likely as any other; Kolmogorov-Smirnov on 250 of each."""
    by_delong, by_villages = [], []
    for seed in range(250):
        y, first, second, village = _two_scores(seed)
        by_delong.append(delong(y, first, second).p)
        a, b = auc_kernel(y, first), auc_kernel(y, second)
        runs = village_resamples(village, 300, seed).run(lambda w, a=a, b=b: a(w) - b(w))
        by_villages.append(two_sided_p(runs))
    for values in (by_delong, by_villages):
        assert stats.kstest(values, "uniform").pvalue > 0.005
        # At the level that is used: 5 %, give or take three standard errors of 250 draws.
        assert np.mean(np.array(values) < 0.05) <= 0.05 + 3 * 0.0138


def test_exact_mcnemar_never_rejects_too_often() -> None:
    """An exact test of few discordant cases is conservative: at most 5 % below 0.05."""
    rng = np.random.default_rng(4)
    discordant = rng.integers(5, 60, 2000)
    first = rng.binomial(discordant, 0.5)
    p = np.array([mcnemar_exact(int(a), int(n - a)) for a, n in zip(first, discordant, strict=True)])
    assert np.mean(p < 0.05) <= 0.05 + 3 * 0.005
    assert np.mean(p < 0.05) > 0.01, "never rejecting would be no test"


def test_a_real_difference_is_found() -> None:
    """The other side of the null: a score with half the noise is called better in most counties."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, _, y, _ = panel(rng, VILLAGES * PER_VILLAGE)
        truth = x @ BETA
        good, poor = truth + rng.normal(0, 0.5, truth.size), truth + rng.normal(0, 1.5, truth.size)
        found.append(delong(y, poor, good).p < 0.05)
        assert auc(y, good) > auc(y, poor) - 0.03
    assert np.mean(found) > 0.8


def test_villages_must_be_resampled_where_they_matter() -> None:
    """Where a score is the village's own part, households as units make intervals too short."""
    wide, narrow = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        _, p, y, village = panel(rng, VILLAGES * PER_VILLAGE, village_sd=1.2)
        score = pd.Series(p).groupby(village).transform("mean").to_numpy()
        for units, out in ((village, wide), (np.arange(y.size), narrow)):
            runs = village_resamples(units, 200, seed).run(auc_kernel(y, score))
            out.append(np.subtract(*percentile_interval(runs, 0.95)[::-1]))
    assert np.mean(wide) > 1.15 * np.mean(narrow)
