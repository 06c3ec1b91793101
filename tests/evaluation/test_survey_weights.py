"""Sampling weights and primary sampling units in metrics and intervals, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from riskmodel.evaluation import compare, pooled_metrics, village_resamples
from riskmodel.evaluation.predictions import resampled_units


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 240
    p = rng.uniform(0.02, 0.9, n)
    return pd.DataFrame(
        {"household_id": [f"h{i}" for i in range(n)], "as_of": "2020-12-31", "fold": "f", "township": "t",
         "village": [f"v{i}" for i in range(n)], "model": "logit", "score": np.log(p / (1 - p)),
         "probability": p, "y": (rng.uniform(size=n) < p).astype(float), "weight": rng.uniform(0.5, 6, n),
         "cluster": [f"psu{i // 8}" for i in range(n)]}
    )  # fmt: skip


def one(frame: pd.DataFrame, replicates: int = 0) -> pd.Series:
    return pooled_metrics(frame, {"share": 0.2}, replicates=replicates, seed=1).iloc[0]


def test_weighted_metrics_are_those_of_scikit_learn(rows: pd.DataFrame) -> None:
    y, p, w = rows["y"], rows["probability"], rows["weight"]
    found = one(rows)
    assert found["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w), abs=1e-12)
    assert found["average_precision"] == pytest.approx(
        average_precision_score(y, p, sample_weight=w), abs=1e-12
    )
    assert found["brier"] == pytest.approx(brier_score_loss(y, p, sample_weight=w), abs=1e-12)
    assert found["base_rate"] == pytest.approx(np.average(y, weights=w))


def test_intervals_resample_primary_sampling_units(rows: pd.DataFrame) -> None:
    by_cluster, by_village = one(rows, 100), one(rows.drop(columns="cluster"), 100)
    assert (by_cluster["n_villages"], by_village["n_villages"]) == (30, 240)
    # The same units named as villages give the same interval to the last digit.
    renamed = one(rows.assign(village=rows["cluster"]).drop(columns="cluster"), 100)
    ends = ["auc_low", "auc_high", "brier_low", "brier_high"]
    assert by_cluster[ends].tolist() == renamed[ends].tolist()
    assert by_cluster[ends].tolist() != by_village[ends].tolist()


def test_events_that_lie_together_widen_the_interval_of_their_rate(rows: pd.DataFrame) -> None:
    # Brier of a constant 0.5 has no spread; of a constant 0.2 it is 0.04 + 0.6·rate, so it shows the rate's.
    same = rows.assign(y=(np.arange(len(rows)) // 8 % 4 == 0).astype(float), probability=0.2, weight=1.0)
    by_cluster, by_village = one(same, 400), one(same.drop(columns="cluster"), 400)
    wide = by_cluster["brier_high"] - by_cluster["brier_low"]
    narrow = by_village["brier_high"] - by_village["brier_low"]
    # Eight equal rows a unit: the standard error is √8 times as large.
    assert wide / narrow == pytest.approx(8**0.5, rel=0.2)


def stratified() -> pd.DataFrame:
    """Five strata of 2 to 12 units of unequal rates and weights; units are numbered anew in each stratum."""
    rng = np.random.default_rng(11)
    parts = []
    for stratum, units in enumerate((2, 3, 5, 8, 12)):
        for unit in range(units):
            n = int(rng.integers(4, 15))
            rate = np.clip(0.1 + 0.12 * stratum + rng.normal(0, 0.12), 0.02, 0.95)
            parts.append(pd.DataFrame({"stratum": f"s{stratum}", "cluster": unit, "y": rng.random(n) < rate,
                                       "weight": rng.uniform(0.5, 4, n)}))  # fmt: skip
    t = pd.concat(parts, ignore_index=True).astype({"y": float})
    # Brier of a constant 0.2 is 0.04 + 0.6 × rate: its spread is that of the weighted rate.
    return t.assign(
        household_id=[f"h{i}" for i in range(len(t))], as_of="2020-12-31", fold="f", township="t",
        village="v", model="logit", score=rng.normal(size=len(t)), probability=0.2,
    )  # fmt: skip


def linearised_error(t: pd.DataFrame) -> float:
    """The standard error of a weighted mean by Taylor's series: Σ_h n_h/(n_h−1) Σ_i (z_hi − z̄_h)²."""
    mean = np.average(t["y"], weights=t["weight"])
    z = (t["weight"] * (t["y"] - mean) / t["weight"].sum()).groupby([t["stratum"], t["cluster"]]).sum()
    by = z.groupby(level=0)
    n = by.transform("size")
    return float(np.sqrt((n / (n - 1).clip(lower=1) * (z - by.transform("mean")) ** 2).sum()))


def drawn_error(t: pd.DataFrame, replicates: int = 3000) -> float:
    """The bootstrap's standard error of the same mean."""
    drawn = village_resamples(resampled_units(t), replicates, 5)
    weight, y = t["weight"].to_numpy(), t["y"].to_numpy()
    return float(drawn.run(lambda w: (w * weight) @ y / ((w * weight).sum(axis=1))).std())


def test_units_are_drawn_within_strata_as_the_design_s_variance_has_it() -> None:
    t = stratified()
    by_hand = linearised_error(t)
    assert by_hand == pytest.approx(0.05461652693255379, rel=1e-12)  # samplics 0.6, TaylorEstimator(mean)
    assert drawn_error(t) == pytest.approx(by_hand, rel=0.05)
    # Strata that differ are no source of error; drawing over all of them would say so.
    t = t.assign(y=t["stratum"].isin(["s3", "s4"]).astype(float), weight=1.0)
    names = t["stratum"] + t["cluster"].astype(str)
    assert linearised_error(t) < drawn_error(t.assign(cluster=names).drop(columns="stratum")) / 3


def test_the_same_number_in_two_strata_is_two_units_and_a_lonely_one_is_counted() -> None:
    t = stratified()
    found = one(t, 60)
    assert (found["n_villages"], found["n_strata"], found["n_lonely_strata"]) == (30, 5, 0)
    alone = t[(t["stratum"] != "s0") | (t["cluster"] == 0)]
    found = one(alone, 60)
    assert (found["n_villages"], found["n_strata"], found["n_lonely_strata"]) == (29, 5, 1)
    # A lonely unit adds nothing: the spread is that of the others.
    assert drawn_error(alone) == pytest.approx(linearised_error(alone), rel=0.05)
    nothing = alone[alone["stratum"] == "s0"]
    assert np.isnan(one(nothing, 60)["brier_low"])


def test_the_comparison_draws_the_same_units_and_says_so() -> None:
    t = stratified().assign(persons=1, flagged=False, rule_rank=np.nan, probability=0.3)
    both = pd.concat([t, t.assign(model="past_income", score=-t["score"])])
    notes = compare(both, {"share": 0.2}, baseline="past_income", replicates=60).notes
    said = [note.text("en") for note in notes]
    assert any("30 primary sampling units are drawn within 5 strata" in text for text in said)
    assert not any("adds nothing to the spread" in text for text in said)
    lonely = both[(both["stratum"] != "s0") | (both["cluster"] == 0)]
    notes = compare(lonely, {"share": 0.2}, baseline="past_income", replicates=60).notes
    assert any("1 of the strata hold one primary sampling unit only" in n.text("en") for n in notes)
