"""Sampling weights and primary sampling units in metrics and intervals, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from riskmodel.evaluation import pooled_metrics


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
