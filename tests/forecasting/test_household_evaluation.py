"""A classifier beside the distribution, on equal terms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel.forecasting import household_evaluation
from riskmodel.forecasting.household import HouseholdForecast, Learned


def test_the_difference_by_hand() -> None:
    # Squared errors of 0.04 and 0.25 on every row: the difference is -0.21 in every village, without doubt.
    y = np.array([1.0, 0, 1, 0])
    d = household_evaluation.brier_difference(
        y, np.where(y == 1, 0.8, 0.2), np.full(4, 0.5), ["a", "a", "b", "b"]
    )
    assert d[:3] == pytest.approx((0.04, 0.25, -0.21))
    assert (d.low_95, d.high_95) == pytest.approx((-0.21, -0.21))
    assert np.isnan(household_evaluation.brier_difference(y, y, y, ["a"] * 4).low_95)


def test_limits_hold_the_truth_where_villages_share_their_luck() -> None:
    # Two equally bad forecasts that err for whole villages: the limits hold zero in about 95 % of 120
    # counties (three standard errors below it), which limits over independent rows would not.
    rng = np.random.default_rng(1)
    village = np.repeat(np.arange(30), 20)
    inside = []
    for _ in range(120):
        p, q = (0.3 + 0.1 * rng.normal(size=30)[village] for _ in range(2))
        y = (rng.random(600) < 0.3).astype(float)
        d = household_evaluation.brier_difference(y, p, q, village)
        inside.append(d.low_95 <= 0 <= d.high_95)
    assert np.mean(inside) >= 0.89


def learned(n: int = 800) -> Learned:
    """Past rows whose one signal says all there is: chance below the line expit(2 x - 1)."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=n)
    below = rng.random(n) < 1 / (1 + np.exp(1 - 2 * x))
    fitted = np.arange(n) % 40 < 20  # whole villages
    half = np.where(fitted, np.nan, np.arange(n) % 40 // 30)
    training = pd.DataFrame(
        {
            "township": "t",
            "village": (np.arange(n) % 40).astype(str),
            "x_signal": x,
            "actual": 6000.0 - 1000 * below,
            "fitted": fitted,
            "half": half,
            "below_panel": np.where(fitted, np.nan, below.mean()),
        }
    )
    return Learned(None, {}, pd.DataFrame(), "panel", training)


def test_the_classifier_learns_on_the_fitted_villages_and_is_judged_on_the_others() -> None:
    found = household_evaluation.compare_with_classifier(learned(), 6000.0, seed=0)
    assert found is not None
    assert found.rows == 400
    # A constant scores p (1 - p); who knows the signal is far better, and the limits say so.
    assert found.classifier < 0.8 * found.distribution
    assert found.low_95 > 0
    few = learned()
    few.training.loc[:, "actual"] = 7000.0
    assert household_evaluation.compare_with_classifier(few, 6000.0, seed=0) is None


def test_probabilities_are_of_every_household_or_there_are_none(forecast: HouseholdForecast) -> None:
    p = household_evaluation.probabilities(forecast, 6, seed=0)
    assert p is None or (p.shape == (len(forecast.standing),) and ((p > 0) & (p < 1)).all())
