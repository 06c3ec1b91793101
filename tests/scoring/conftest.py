"""Scores of a made-up county, in the contract's columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

MakeScores = Callable[..., pd.DataFrame]


def _scores(
    n: int = 60, flagged: float = 0.2, unknown: float = 0.1, unscored: float = 0.05, seed: int = 0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    # Few distinct probabilities, so that ties are the rule and not the exception.
    p = rng.integers(1, 40, n) / 100
    kind = rng.random(n)
    found, blind = kind < flagged, (kind >= flagged) & (kind < flagged + unknown)
    pcni = np.where(blind, np.nan, rng.integers(2000, 12000, n).astype(float))
    frame = pd.DataFrame(
        {
            "household_id": [f"H{i:05d}" for i in rng.permutation(n)],
            "township": [f"{'东西南北'[i % 4]}河镇" for i in rng.integers(0, 4, n)],
            "village": [f"{'上中下'[i % 3]}坝村" for i in rng.integers(0, 3, n)],
            "as_of": pd.Timestamp("2021-06-30"),
            "horizon_months": 12,
            "probability": np.where(rng.random(n) < unscored, np.nan, p),
            "model": "boosting",
            "model_version": "3",
            "run_id": "0f" * 16,
            "feature_set": "household-v1",
            "data_fingerprint": "ab" * 32,
            "ruleset": "national-2021",
            "pcni": pcni,
            "line": 6000.0,
            "rule_category": np.where(found, "marginal", np.where(blind, "unknown", "none")),
            "rule_conditions": "",
            "flagged": found,
        }
    )
    frame["probability_low"], frame["probability_high"] = (
        frame["probability"] * 0.8,
        frame["probability"] * 1.2,
    )
    frame["gap"] = frame["line"] - frame["pcni"]
    frame["rank"] = frame["probability"].rank(ascending=False, method="first")
    frame["tier"] = ""
    for k, (cause, text) in enumerate(
        [
            ("收入", "人均纯收入 5,120 元，低于监测线 6,000 元"),
            ("因病", "近12个月人均医疗自付：4,300 元，高于本村中位数（260 元）"),
            ("缺劳力", "60岁以上人数：2 人"),
        ],
        1,
    ):
        said = rng.random(n) < 1.0 - 0.2 * (k - 1)
        frame[f"cause_{k}"] = np.where(said, cause, "")
        frame[f"contribution_{k}"] = np.where(said, 1.0 / k, np.nan)
        frame[f"reason_{k}"] = np.where(said, text, "")
    return frame


@pytest.fixture(scope="session")
def make_scores() -> MakeScores:
    return _scores
