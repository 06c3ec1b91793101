"""The village effect of the discrete-time hazard: its spread and the columns' effects, by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel.models import DiscreteHazard

pytestmark = pytest.mark.slow

VILLAGES, HOUSEHOLDS, DATES, BETA = 100, 15, 3, 0.5
COUNTIES = 20


def fitted(seed: int, sd: float, *, frailty: bool) -> DiscreteHazard:
    """Spells of up to three periods: who returned is no longer at risk."""
    rng = np.random.default_rng(seed)
    village = np.repeat(np.arange(VILLAGES), HOUSEHOLDS)
    x = rng.normal(size=village.size)
    effect = rng.normal(0, sd, VILLAGES)[village]
    rows, alive = [], np.ones(village.size, dtype=bool)
    for period in range(DATES):
        hazard = -np.expm1(-np.exp(-2.0 - 0.3 * period + BETA * x + effect))
        y = rng.random(village.size) < hazard
        at_risk = {"x": x[alive], "period": 1.0 * period, "y": y[alive], "village": village[alive]}
        rows.append(pd.DataFrame(at_risk))
        alive &= ~y
    data = pd.concat(rows, ignore_index=True)
    model = DiscreteHazard(duration="period", alpha=0.0, frailty=frailty)
    return model.fit(data[["x", "period"]], data["y"].astype(int), groups=data["village"])


def slope(model: DiscreteHazard) -> float:
    """Effect of one unit of x on the log hazard of a village in the middle."""
    pair = model._eta(np.array([[0.0, 0.0], [1.0, 0.0]]))
    return float(pair[1] - pair[0])


@pytest.mark.parametrize("sd", [0.4, 0.8])
def test_the_village_effect_is_recovered_without_bias(sd: float) -> None:
    """Twenty counties of 100 villages: a spread errs by about 0.08, so the mean of twenty by 0.02."""
    found = [fitted(seed, sd, frailty=True) for seed in range(COUNTIES)]
    spreads = np.array([m.frailty_sd_ for m in found])
    assert all(m.converged_ for m in found)
    assert spreads.mean() == pytest.approx(sd, abs=0.06)
    assert spreads.std() < 0.2
    assert np.mean([slope(m) for m in found]) == pytest.approx(BETA, abs=0.03)


def test_without_it_the_effect_of_a_column_is_pulled_towards_nought() -> None:
    """Who stays at risk comes from the safer villages: leaving the effect out attenuates the others."""
    seeds = range(100, 100 + COUNTIES)
    plain = np.mean([slope(fitted(s, 1.0, frailty=False)) for s in seeds])
    mixed = np.mean([slope(fitted(s, 1.0, frailty=True)) for s in seeds])
    assert plain < BETA - 0.06
    assert mixed == pytest.approx(BETA, abs=0.04)


def test_no_effect_is_found_where_there_is_none() -> None:
    """The spread cannot be negative, so its estimate is a little above 0; never as large as a real one."""
    spreads = [fitted(seed, 0.0, frailty=True).frailty_sd_ for seed in range(COUNTIES)]
    assert np.median(spreads) < 0.15
    assert max(spreads) < 0.35
