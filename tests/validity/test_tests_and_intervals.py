"""Type-I error and coverage, by simulation: what the bench's tests and intervals claim is what they do.

Binomial tolerance: of 120 true nulls at 5 %, 1 to 14 rejections hold 99.8 % of the probability.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel import evaluation, models

pytestmark = pytest.mark.slow
COUNTIES = 120


def county(seed, households=500, villages=40, dates=3, noise=(0.9, 0.9)):
    """Two scores of equal noise that is the household's own; labels of neighbouring dates overlap."""
    rng = np.random.default_rng(seed)
    village = rng.integers(0, villages, households)
    risk = rng.normal(-2.2, 0.8, households) + rng.normal(0, 0.6, villages)[village]
    # A score errs for a whole village as well as for a household, as one fitted elsewhere would.
    scores = [risk + rng.normal(0, sd, households) + rng.normal(0, 0.5, villages)[village] for sd in noise]
    # As-of dates three months apart and windows of twelve: most of a label is the label before.
    first = (rng.random(households) < expit(risk)).astype(float)
    parts = []
    for d in range(dates):
        anew = rng.random(households) < 0.25
        y = np.where(anew, rng.random(households) < expit(risk), first).astype(float)
        for name, score in zip(("rule", "logit"), scores, strict=True):
            parts.append(
                pd.DataFrame(
                    {
                        "household_id": [f"h{i:04d}" for i in range(households)],
                        "as_of": pd.Timestamp(2020 + d, 6, 30),
                        "fold": d,
                        "township": "t",
                        "village": village,
                        "persons": 3,
                        "model": name,
                        "score": score,
                        "probability": expit(score),
                        "y": y,
                        "flagged": False,
                        "rule_rank": pd.Series(-scores[0]).rank(method="first"),
                        "group": np.where(rng.permutation(households) < households // 3, "a", "b"),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def nulls():
    """P values of the primary test and of DeLong's where neither list is better."""
    rows = []
    for seed in range(COUNTIES):
        told = evaluation.compare(county(seed), {"share": 0.1}, replicates=200, seed=seed).primary.iloc[0]
        rows.append((told["delta_low"] > 0 or told["delta_high"] < 0, told["delong_p"] < 0.05))
    return np.array(rows)


def test_the_primary_test_rejects_a_true_null_as_often_as_it_says(nulls):
    # Percentile intervals over 40 villages are a little short (Cameron, Gelbach and Miller 2008).
    assert 1 <= nulls[:, 0].sum() <= 16


def test_delong_rejects_too_often_where_villages_and_dates_repeat(nulls):
    # Why it is description only: it takes 1,500 rows as independent; 40 villages and 500 households are.
    assert nulls[:, 1].mean() > 0.10
    assert nulls[:, 1].mean() > 2 * nulls[:, 0].mean()


def test_gaps_between_groups_drawn_at_random_cover_zero():
    inside = []
    for seed in range(60):
        table = evaluation.group_gaps(county(seed), ["group"], {"share": 0.1}, replicates=200, seed=seed)
        row = table[(table["model"] == "logit") & (table["value"] == "a")].iloc[0]
        inside.append([
            row[f"gap_{m}_low"] <= 0 <= row[f"gap_{m}_high"]
            for m in ("selection_rate", "recall", "false_positive_rate", "calibration_gap")
        ])  # fmt: skip
    covered = np.mean(inside, axis=0)
    # 60 intervals at 95 %: below 50 would happen less than once in a thousand.
    assert (covered > 0.83).all(), covered


def test_village_robust_errors_cover_and_plain_ones_do_not():
    true, inside = 0.5, []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        village = rng.integers(0, 50, 1500)
        # The column is the village's own (a road, a school), so its error is the village's.
        x = rng.normal(size=50)[village]
        y = (rng.random(1500) < expit(-1.5 + true * x + rng.normal(0, 0.7, 50)[village])).astype(int)
        X = pd.DataFrame({"x": x})
        # The effect averaged over villages is a little smaller (Zeger, Liang and Albert 1988).
        marginal = true / np.sqrt(1 + (16 * np.sqrt(3) / (15 * np.pi)) ** 2 * 0.7**2)
        found = []
        for groups in (village, None):
            model = models.ClusterLogit().fit(X, y, groups=groups)
            row = model.effects().iloc[0]
            target = marginal * x.std()
            found.append(abs(row["coef"] - target) < 1.96 * row["se"])
        inside.append(found)
    robust, plain = np.mean(inside, axis=0)
    assert robust > 0.87
    assert plain < robust - 0.1


def test_kaplan_meier_intervals_cover_the_true_curve():
    inside = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        time, limit = rng.exponential(10, 60), rng.uniform(5, 25, 60)
        curve = evaluation.kaplan_meier(np.minimum(time, limit), time <= limit)
        before = curve[curve["time"] <= 8.0]
        inside.append(before["low"].iloc[-1] <= np.exp(-0.8) <= before["high"].iloc[-1])
    # 400 intervals at 95 %: 366 to 392 hold 99.8 %; the log(−log) interval is close at n = 60.
    assert 366 <= sum(inside) <= 394


def test_venn_abers_probabilities_are_calibrated_whatever_the_score():
    gaps = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        score = rng.normal(size=6000)
        chance = 0.02 + 0.5 * (score > 0.5) + 0.2 * (score > 1.5)
        y = (rng.random(6000) < chance).astype(float)
        p = models.VennAbers().fit(score[:3000], y[:3000]).probability(score[3000:])
        for k in range(5):
            held = (p >= np.quantile(p, k / 5)) & (p <= np.quantile(p, (k + 1) / 5))
            gaps.append(p[held].mean() - chance[3000:][held].mean())
    # The mean gap is nil; single ones are as large as 3,000 rows allow.
    assert abs(np.mean(gaps)) < 0.006
    assert np.abs(gaps).max() < 0.08


def test_power_of_the_planning_formula_is_reached():
    # 300 visits at a base rate of 1 % and a fourfold list: simulate the exact test.
    rng = np.random.default_rng(0)
    claimed = evaluation.precision_power(0.01, 300, 4)
    hits = rng.binomial(300, 0.04, 4000)
    critical = next(c for c in range(50) if (rng.binomial(300, 0.01, 200_000) >= c).mean() <= 0.05)
    assert (hits >= critical).mean() == pytest.approx(claimed, abs=0.03)
