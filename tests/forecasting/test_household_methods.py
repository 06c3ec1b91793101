"""The closed form of village and household effects equals statsmodels' mixed model; holes only widen."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.forecasting import household_methods
from riskmodel.forecasting.conformal import Calibration, Distribution, Shape
from riskmodel.forecasting.household_methods import Components

TRUE = Components(village=0.05, household=0.12, moving=0.08, phi=0.5)


def panel(villages: int, size: int, seed: int, c: Components = TRUE) -> tuple[np.ndarray, np.ndarray]:
    """Draw three years a household, newest first, from the model itself."""
    rng = np.random.default_rng(seed)
    village = np.repeat(np.arange(villages), size)
    lags = np.array([0.0, 12.0, 24.0])
    moving = c.moving * c.correlation(lags[:, None] - lags[None, :])
    u = rng.multivariate_normal(np.zeros(3), moving, village.size)
    v = rng.normal(0, np.sqrt(c.village), villages)[village]
    b = rng.normal(0, np.sqrt(c.household), village.size)
    return u + (v + b)[:, None], village


@pytest.fixture(scope="module")
def small() -> tuple[np.ndarray, np.ndarray]:
    return panel(12, 6, seed=3)


def test_effects_equal_statsmodels_own(small: tuple[np.ndarray, np.ndarray]) -> None:
    # Without autocorrelation the mixed model's predicted effects are the closed form's: both are the
    # BLUP under the same variances (Robinson 1991). A year far ahead with phi = 0 is mean + v + b.
    z, village = small
    x = np.zeros((len(z), 0))
    fit = household_methods.mixed_model(z, x, village, 0.0)
    c = Components(float(np.asarray(fit.cov_re)[0, 0]), float(fit.vcomp[0]), float(fit.scale), 0.0)
    assert c.village > 0
    assert c.household > 0
    # statsmodels' means are of the oldest year first; ours of the newest.
    mean = np.asarray(fit.fe_params)[::-1]
    months = np.tile([0.0, 12.0, 24.0], (len(z), 1))
    ours = household_methods.predict_effects(z - mean, months, village, np.full(len(z), 12.0), c)
    for g in range(12):
        theirs = np.asarray(fit.random_effects[g])
        mine = village == g
        assert ours.village[mine] == pytest.approx(np.full(6, theirs[0]), abs=1e-5)
        assert ours.centre[mine] == pytest.approx(theirs[0] + theirs[1:], abs=1e-5)


def test_effects_with_autocorrelation_equal_the_whole_covariance_matrix(
    small: tuple[np.ndarray, np.ndarray],
) -> None:
    # The closed form by patterns against the textbook BLUP with one dense covariance of everything.
    z, village = small
    z = z.copy()
    z[::5, 1] = np.nan
    z[::7, 0] = np.nan
    months = np.tile([0.0, 12.0, 24.0], (len(z), 1))
    ours = household_methods.predict_effects(z, months, village, np.full(len(z), 6.0), TRUE)
    row, year = np.nonzero(~np.isnan(z))
    at = months[row, year]
    same_home = row[:, None] == row[None, :]
    same_village = village[row][:, None] == village[row][None, :]
    apart = TRUE.moving * TRUE.correlation(at[:, None] - at[None, :])
    sigma = TRUE.village * same_village + same_home * (TRUE.household + apart)
    home = np.arange(len(z))[:, None] == row[None, :]
    cross = TRUE.village * (village[:, None] == village[row][None, :])
    cross = cross + home * (TRUE.household + TRUE.moving * TRUE.correlation(6.0 + at)[None, :])
    weights = cross @ np.linalg.inv(sigma)
    assert ours.centre == pytest.approx(weights @ z[row, year], abs=1e-6)
    total = TRUE.village + TRUE.household + TRUE.moving
    assert ours.variance == pytest.approx(total - (weights * cross).sum(axis=1), abs=1e-6)


def test_variances_are_found_again() -> None:
    # Many villages drawn from the model: its own numbers come back within sampling error.
    z, village = panel(40, 30, seed=5)
    found = household_methods.estimate_components(z, np.zeros((len(z), 0)), village, seed=0)
    assert found.village == pytest.approx(TRUE.village, rel=0.6)
    assert found.household + found.moving == pytest.approx(TRUE.household + TRUE.moving, rel=0.15)
    assert found.phi in (0.4, 0.6)


def test_fewer_known_years_mean_a_wider_forecast_that_moves_to_the_village() -> None:
    z = np.full((4, 3), 1.0)
    z[1, 2] = np.nan
    z[2, 1:] = np.nan
    z[3] = np.nan
    months = np.tile([0.0, 12.0, 24.0], (4, 1))
    out = household_methods.predict_effects(z, months, np.array([0, 0, 0, 0]), np.full(4, 12.0), TRUE)
    # More is known, never less is left: variance falls with every year that is known.
    assert (np.diff(out.variance) > 0).all()
    assert out.centre[3] == pytest.approx(out.village[3])
    assert 0 < out.centre[3] < out.centre[0] < 1
    # An old total (18 months ago) says less than a fresh one.
    old = household_methods.predict_effects(z[:1], months[:1], np.array([0]), np.array([30.0]), TRUE)
    assert old.variance[0] > out.variance[0]
    assert np.isfinite(out.variance).all()


def test_too_few_households_still_give_variances() -> None:
    z = np.array([[1.0, np.nan, np.nan], [2.0, np.nan, np.nan], [np.nan, np.nan, np.nan]])
    found = household_methods.estimate_components(z, np.zeros((3, 1)), np.array([0, 0, 1]), seed=0)
    assert found.moving == pytest.approx(0.25)
    assert found.household == 0


def test_crps_of_a_distribution_in_yuan_is_that_of_a_large_ensemble_of_the_same_distribution():
    # Skewed scales, few scores and many, put back to yuan: the ensemble's formula (Gneiting & Raftery 2007,
    # eq. 21) at 100,000 even probabilities, of which `at` gives the outcomes.
    rng = np.random.default_rng(6)
    n, scale = 12, household_methods.Scale(12_000.0)
    shape = Shape(rng.normal(1.5, 0.5, n), np.full(n, 0.3), np.full(n, 0.5))
    few, many = np.sort(rng.normal(size=40)), np.sort(rng.standard_t(4, 900))
    distribution = Distribution(shape, np.resize(["few", "many"], n), Calibration({"few": few}, many))
    yuan = scale.back(shape.place(rng.normal(size=n)))
    m = 100_000
    x = scale.back(distribution.at(np.tile((np.arange(m) + 0.5) / m, (n, 1))))
    between = (x * (2 * np.arange(1, m + 1) - m - 1)).sum(axis=1) / m**2
    exact = np.abs(x - yuan[:, None]).mean(axis=1) - between
    ours = distribution.crps(yuan, scale.back)
    assert ours == pytest.approx(exact, rel=1e-3)
