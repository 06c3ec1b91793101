"""A made-up county's predictions with known chances."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit


def county_predictions(seed=0, households=1200, dates=3, villages=40, noise=None, nulls=0.02, village_sd=0.5):
    """Tidy predictions of a rule and two models whose scores are the true log-odds plus noise."""
    rng = np.random.default_rng(seed)
    noise = noise or {"rule": 1.5, "logit": 0.5, "boosting": 0.8}
    village = rng.integers(0, villages, households)
    risk = rng.normal(-2.5, 1.0, households) + rng.normal(0, village_sd, villages)[village]
    persons = rng.integers(1, 7, households)
    parts = []
    for d in range(dates):
        y = pd.array((rng.random(households) < expit(risk)).astype(int), dtype="Int8")
        y[rng.random(households) < nulls] = pd.NA
        scores = {name: risk + rng.normal(0, sd, households) for name, sd in noise.items()}
        order = pd.Series(-scores["rule"]).rank(method="min")
        for name, score in scores.items():
            parts.append(
                pd.DataFrame(
                    {
                        "household_id": [f"h{i:05d}" for i in range(households)],
                        "as_of": f"20{20 + d}-06-30",
                        "fold": d,
                        "township": [f"t{v % 2}" for v in village],
                        "village": [f"v{v:03d}" for v in village],
                        "persons": persons,
                        "model": name,
                        "score": score,
                        "probability": expit(score),
                        "y": y,
                        "flagged": order <= 0.04 * households,
                        "rule_rank": order,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def predictions():
    return county_predictions()


@pytest.fixture(scope="session")
def make_predictions():
    return county_predictions
