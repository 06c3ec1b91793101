"""Made-up values for every declared feature, in the shapes that reasons take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from riskmodel import features

Made = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
BY_UNIT: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "yuan": lambda g, n: g.gamma(1.0, 9000, n),
    "yuan_per_head": lambda g, n: g.gamma(1.0, 3000, n),
    "yuan_per_head_and_month": lambda g, n: g.gamma(1.0, 300, n),
    "log_yuan": lambda g, n: g.normal(8, 1, n),
    "share": lambda g, n: g.normal(0.3, 0.4, n),
    "ratio": lambda g, n: g.gamma(1.0, 0.4, n),
    "months": lambda g, n: g.integers(0, 25, n).astype(float),
    "years": lambda g, n: g.integers(0, 9, n).astype(float),
    "persons": lambda g, n: g.integers(0, 5, n).astype(float),
    "count": lambda g, n: g.integers(0, 4, n).astype(float),
    "grade": lambda g, n: g.integers(0, 5, n).astype(float),
    "flag": lambda g, n: g.integers(0, 2, n).astype(float),
}


def _made(n: int = 400, seed: int = 0) -> Made:
    rng = np.random.default_rng(seed)
    meta = features.describe_features("household-v1")
    columns = {row["id"]: BY_UNIT[row["unit"]](rng, n) for row in meta.to_dict("records")}
    index = pd.Index([f"h{i:04d}" for i in range(n)], name="household_id")
    X = pd.DataFrame(columns, index=index)
    X = X.mask(rng.random(X.shape) < 0.15)
    rules = pd.DataFrame(
        {
            "township": [f"t{i % 2}" for i in range(n)],
            "village": [f"v{i % 17}" for i in range(n)],
            "pcni": rng.gamma(4.0, 1800, n),
            "previous_pcni": rng.gamma(4.0, 1900, n),
            "line": 6000.0,
            "period_from": "2020-07",
            "period_to": "2021-06",
        },
        index=index,
    ).mask(rng.random((n, 7)) < [0, 0, 0.1, 0.2, 0, 0, 0])
    parts = pd.DataFrame(rng.normal(0, 0.1, X.shape), index=index, columns=X.columns)
    return parts, X, rules


@pytest.fixture(scope="session")
def meta() -> pd.DataFrame:
    return features.describe_features("household-v1")


@pytest.fixture(scope="session")
def make_inputs() -> Callable[..., Made]:
    return _made
