"""Intervals of probabilities against the truth: made-up counties, and simulated ones of several seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from tests.declarations import plain_county

from riskmodel import models, simulate
from riskmodel.data import About, from_frames
from riskmodel.evaluation import true_risk
from riskmodel.runs import run_experiment

pytestmark = pytest.mark.slow

NAMES = ("logit", "logit_venn", "scorecard", "boosting", "hazard", "cluster_logit")
BINS = 10


def made_up(seed: int, villages: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Households whose chance has a part that columns show and a village part that they do not."""
    rng = np.random.default_rng(seed)
    village = np.repeat(np.arange(villages), 40)
    X = pd.DataFrame(rng.normal(size=(len(village), 3)), columns=["a", "b", "c"])
    chance = expit(-2.2 + X["a"] - 0.5 * X["b"] + rng.normal(0, 0.4, villages)[village])
    return X, chance.to_numpy(), village


def covered(low: np.ndarray, high: np.ndarray, truth: np.ndarray, score: np.ndarray) -> float:
    """Share of score bins whose mean truth lies within the mean interval."""
    tenth = np.argsort(np.argsort(score, kind="stable"), kind="stable") * BINS // len(score)
    means = [np.bincount(tenth, weights=v) for v in (low, truth, high)]
    return float(np.mean((means[0] <= means[1]) & (means[1] <= means[2])))


@pytest.fixture(scope="module")
def shares() -> pd.DataFrame:
    """Covered bins of a large new county, by model and seed; of the Venn–Abers pair alone beside."""
    rows = []
    for seed in range(20):
        X, chance, village = made_up(seed, 80)
        y = (np.random.default_rng(500 + seed).random(len(X)) < chance).astype(int)
        new, truth, _ = made_up(1000 + seed, 300)
        for name in NAMES:
            model = models.fit_model(name, X, y, village, seed=seed)
            low, high = model.predict_interval(new).T
            score = model.margin(new)
            rows.append({"model": name, "seed": seed, "covered": covered(low, high, truth, score)})
            if name == "logit_venn":
                pair = model.venn_.interval(model.base_.margin(new)).T
                rows.append({"model": "pair", "seed": seed, "covered": covered(*pair, truth, score)})
    return pd.DataFrame(rows)


def test_intervals_cover_the_mean_truth_of_new_villages(shares: pd.DataFrame) -> None:
    """Twenty counties of ten bins; bins of one county err together, so they are hardly more than twenty."""
    mean = shares.groupby("model")["covered"].mean()
    # A true coverage of 0.95 falls below 0.85 in some 3 % of such draws; measured: 0.975 to 1.
    assert (mean[list(NAMES)] > 0.85).all(), mean.to_dict()


def test_the_venn_abers_pair_alone_is_no_interval_for_the_truth(shares: pd.DataFrame) -> None:
    """Why the interval joins it with the village bootstrap."""
    mean = shares.groupby("model")["covered"].mean()
    assert mean["pair"] < 0.8
    assert mean["logit_venn"] > mean["pair"] + 0.15


def test_on_simulated_counties_over_several_seeds() -> None:
    """Training and test lie a year or more apart; what changes between them is in no interval."""
    inside = dict.fromkeys(("logit", "logit_venn", "scorecard"), 0.0)
    exp = plain_county().model_copy(
        update={"models": tuple(inside), "champion": "logit", "follow_months": None}
    )
    seeds = (1, 2, 3, 4)
    for seed in seeds:
        made = simulate.simulate_county(households=500, months=54, seed=seed, futures=60)
        county = from_frames(made.frames, About.model_validate(made.about))
        found = run_experiment(exp, county, final=False).predictions
        truth = made.truth
        truth = truth[(truth["event"] == "below_line") & (truth["horizon_months"] == exp.horizon.months)]
        truth = truth.drop(columns=["event", "horizon_months", "outcome"], errors="ignore")
        table = true_risk.compare_with_true_risk(found, truth, {"share": 0.05}, seed=seed).table.set_index(
            "model"
        )
        for name in inside:
            inside[name] += table.loc[name, "bins_covered"] / table.loc[name, "bins"] / len(seeds)
    # Not the nominal 95 %: years differ, and a county has two or three of them to learn that from.
    assert min(inside["logit"], inside["logit_venn"]) > 0.85, inside
    # On some twenty events a card's margins are far too steep; too few are held out to say so, so the slope
    # of 1 is held and allowed to be off by a half, which is not always enough.
    assert inside["scorecard"] > 0.65, inside
