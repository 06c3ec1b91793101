"""Luck that households share: its parts are found again, and intervals are as wide as it asks."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.forecasting import conformal
from riskmodel.forecasting.conformal import CommonShock


def test_shares_of_common_luck_are_found_again() -> None:
    # Normal scores drawn with 10 % of the variance shared by the county and 15 % by the township, over
    # many days so that the county's share can be seen at all.
    rng = np.random.default_rng(1)
    day, town = np.repeat(np.arange(40), 200), np.tile(np.repeat(np.arange(10), 20), 40)
    z = np.sqrt(0.10) * rng.normal(size=40)[day] + np.sqrt(0.15) * rng.normal(size=(40, 10))[day, town]
    z = z + np.sqrt(0.75) * rng.normal(size=day.size)
    found = conformal.estimate_common_shock(z, day, town)
    assert found.township == pytest.approx(0.15, abs=0.04)
    assert found.county == pytest.approx(0.10, abs=0.05)
    alone = conformal.estimate_common_shock(rng.normal(size=day.size), day, town)
    assert alone.township < 0.02
    assert alone.county == pytest.approx(conformal.MIN_COMMON_SHARE, abs=0.01)


def test_one_past_day_leaves_the_county_share_at_its_floor() -> None:
    # Of one year nothing can be said about how years differ.
    rng = np.random.default_rng(2)
    found = conformal.estimate_common_shock(rng.normal(size=100), np.zeros(100), np.repeat(np.arange(4), 25))
    assert found.county == conformal.MIN_COMMON_SHARE


@pytest.mark.parametrize("seen", [2, 5])
def test_widened_intervals_cover_a_year_that_was_not_seen(seen: int) -> None:
    # Scores with a fifth of their variance common to a year, calibrated on 2 or 5 years, held against a new
    # one, over 4,000 counties: pooled 80 % intervals cover too little, widened ones what they say but for
    # two points (two years seen tell their own spread badly).
    rng = np.random.default_rng(seen)
    shared, counties = 0.2, 4_000
    years = np.sqrt(shared) * rng.normal(size=(counties, seen + 1, 1))
    z = years + np.sqrt(1 - shared) * rng.normal(size=(counties, seen + 1, 60))
    past, new = z[:, :-1].reshape(counties, -1), z[:, -1]
    middle = np.median(past, axis=1, keepdims=True)
    low, high = np.quantile(past, [0.1, 0.9], axis=1)
    wide = conformal.widening_factor(CommonShock(shared, 0.0), seen)
    covered = {}
    for name, by in (("pooled", 1.0), ("widened", wide)):
        ends = [middle + (end[:, None] - middle) * by for end in (low, high)]
        covered[name] = float(((new >= ends[0]) & (new <= ends[1])).mean())
    assert covered["pooled"] < 0.78
    assert covered["widened"] == pytest.approx(0.8, abs=0.02)
    assert 0.8 - covered["widened"] < (0.8 - covered["pooled"]) / 2
