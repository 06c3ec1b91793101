"""A made-up county's predictions with known chances."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from riskmodel.evaluation.list_metrics import list_measures
from riskmodel.evaluation.lists import Budget, list_kernel, quotas, random_list_hits, rank_rows, tie_bounds


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


@pytest.fixture(scope="session")
def at_budget():
    """What the highest scores hold at a budget; rows stand in the order of household_id."""

    def at_budget(y, score, budget, as_of=None):
        y = np.asarray(y, dtype=float)
        date = np.unique(np.zeros(len(y)) if as_of is None else np.asarray(as_of), return_inverse=True)[1]
        ranking, quota = rank_rows(date, -np.asarray(score, dtype=float)), quotas(date, Budget.of(budget))
        counts = list_kernel(y, date, ranking, quota)(np.ones((1, len(y))))
        out = {name: float(part[0]) for name, part in list_measures(counts).items()}
        out |= {"visits": float(counts.visits[0]), "hits": float(counts.hits[0])}
        out["hits_worst"], out["hits_best"] = tie_bounds(y, date, ranking, quota)
        out["hits_random"], out["hits_random_sd"] = random_list_hits(y, date, quota)
        return out

    return at_budget
