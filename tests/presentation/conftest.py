"""A run on made-up predictions, evaluated by the project's own functions, and the list it led to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from riskmodel import evaluation
from riskmodel.presentation import ReportInput
from riskmodel.runs import EVENT_WORDS
from riskmodel.runs.assessment import add_verdict_sentences

from ..register.conftest import small  # noqa: F401 - a fixture
from ..scoring.conftest import make_scores  # noqa: F401 - a fixture

MODELS = {"rule": 0.4, "past_income": 0.7, "logit": 1.2, "boosting": 1.3}


def _predictions(n: int = 1500, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for day in pd.to_datetime(["2019-12-31", "2020-03-31", "2020-06-30"]):
        risk = rng.normal(-3.4, 1.3, n)
        y = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float)
        flagged = risk + rng.normal(0, 1.5, n) > -1.2
        base = pd.DataFrame(
            {
                "household_id": [f"h{i:05d}" for i in range(n)],
                "as_of": day,
                "fold": f"{day:%Y-%m}",
                "township": [f"t{i % 4}" for i in range(n)],
                "village": [f"v{i % 40}" for i in range(n)],
                "persons": rng.integers(1, 7, n).astype(float),
                "flagged": flagged,
                "rule_rank": pd.Series(-risk + rng.normal(0, 2, n)).rank(method="first"),
                "y": np.where(rng.random(n) < 0.02, np.nan, y),
            }
        )
        for model, signal in MODELS.items():
            score = -3.4 + signal * (risk + 3.4) / 1.3 + rng.normal(0, 1.0, n)
            parts.append(base.assign(model=model, score=score, probability=1 / (1 + np.exp(-score))))
    return pd.concat(parts, ignore_index=True)


def _scores(n: int = 300, lang: str = "zh", seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = np.sort(rng.beta(0.6, 9, n))[::-1]
    kind = rng.random(n)
    pcni = np.where(kind > 0.95, np.nan, rng.gamma(5, 1800, n))
    flagged = (kind < 0.15) & ~np.isnan(pcni)
    zh = lang == "zh"
    frame = pd.DataFrame(
        {
            "household_id": [f"H{i:06d}" for i in range(n)],
            "township": [f"{'东西南北'[i % 4]}河镇" for i in range(n)],
            "village": [f"{'上中下'[i % 3]}坝村" for i in range(n)],
            "as_of": "2020-12-31",
            "probability": p,
            "probability_low": p * 0.7,
            "probability_high": np.minimum(1, p * 1.4),
            "ruleset": "national-2021",
            "pcni": pcni,
            "line": 6000.0,
            "rule_category": np.where(np.isnan(pcni), "unknown", np.where(flagged, "marginal", "none")),
            "rule_conditions": "",
            "flagged": flagged,
            "persons": rng.integers(1, 7, n),
        }
    )
    said = [
        ("收入", "人均纯收入 5,120 元，低于监测线 6,000 元")
        if zh
        else ("income", "Net income per head is 5,120 yuan, below the line of 6,000 yuan"),
        ("因病", "近12个月人均支出（医疗自付）：4,300 元，高于本村中位数（260 元）")
        if zh
        else ("illness", "Medical spending per head: 4,300 yuan, above the village median of 260 yuan"),
        ("缺劳力", "60岁及以上人数：2 人") if zh else ("labour shortage", "Members aged 60 or more: 2"),
    ]
    for k, (cause, text) in enumerate(said, 1):
        there = np.arange(n) % (k + 1) != k
        frame[f"cause_{k}"] = np.where(there, cause, "")
        frame[f"contribution_{k}"] = np.where(there, 1.6 / k, np.nan)
        frame[f"reason_{k}"] = np.where(there, text, "")
    return frame


def _given(n: int = 300, **changes) -> ReportInput:
    found = _predictions()
    budget, how = {"share": 0.05}, {"replicates": 60, "seed": 1}
    compared = evaluation.compare(found, budget, **how)
    table = add_verdict_sentences(compared, EVENT_WORDS["below_line"])
    months = pd.period_range("2018-01", "2020-12", freq="M").astype(str)
    rng = np.random.default_rng(3)
    histories = pd.DataFrame(
        {
            "household_id": np.repeat([f"H{i:06d}" for i in range(min(n, 60))], len(months)),
            "month": np.tile(months, min(n, 60)),
            "income": rng.gamma(2, 900, min(n, 60) * len(months)),
            "spending": rng.gamma(2, 400, min(n, 60) * len(months)),
        }
    )
    folds = pd.DataFrame(
        [
            {
                "fold": f,
                "train_from": "2017-12-31",
                "train_to": "2018-12-31",
                "n_train": 4200,
                "train_events": 160,
                "test_from": f"{f}-30",
                "test_to": f"{f}-30",
                "n_test": 1470,
                "test_events": 90,
                "n_null": 30,
            }
            for f in sorted(set(found["fold"]))
        ]
    )
    truth = found[found["model"] == "boosting"].assign(model="oracle")
    primary = table[(table["scope"] == "pooled") & (table["at"] == "budget")]
    champion = primary.set_index("model").loc["logit"]
    values = {
        "run_id": "0f" * 16,
        "experiment": {
            "id": "county",
            "version": 1,
            "title": {"zh": "十二个月内跌破监测线", "en": "Falling below the line within twelve months"},
            "cohort": ["lifted", "general"],
            "events": ["below_line"],
            "horizon": {"months": 12, "next": False},
            "ruleset": "national-2021",
            "feature_set": "household-v1",
            "models": list(MODELS),
            "champion": "logit",
            "budget": {"visits": None, "share": 0.05},
            "bootstrap": 400,
            "seed": 20210601,
        },
        "metrics": evaluation.pooled_metrics(found, budget, **how),
        "by_fold": evaluation.metrics_by_fold(found, budget, **how),
        "curves": evaluation.metric_curves(found, replicates=60),
        "folds": folds,
        "headline": {"zh": champion["verdict_zh"], "en": champion["verdict_en"]},
        "fingerprint": "ab" * 32,
        "environment": {"python": "3.11.7", "riskmodel": "0.1.0"},
        "comparison": table,
        "deployed": compared.deployed,
        "oracle": evaluation.pooled_metrics(truth, budget, **how),
        "notes": [note.both() for note in compared.notes],
        "scores": {lang: _scores(n, lang) for lang in ("zh", "en")},
        "histories": histories,
    }
    return ReportInput(**{**values, **changes})


@pytest.fixture(scope="session")
def make_given() -> Callable[..., ReportInput]:
    made = _given()

    def make(n: int = 300, **changes) -> ReportInput:
        if n == 300:
            return ReportInput(**{**vars(made), **changes})
        lists = {lang: _scores(n, lang) for lang in ("zh", "en")}
        return ReportInput(**{**vars(made), "scores": lists, **changes})

    return make


@pytest.fixture(scope="session")
def given(make_given) -> ReportInput:
    return make_given()
