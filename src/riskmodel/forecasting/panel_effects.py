r"""Panel autoregression with household effects shrunk to the village (empirical Bayes).

A household's accounted years, on a scale where they are about normal, are taken as

.. math:: z_{it} = \mu_t + x_i'\beta + v_{g(i)} + b_i + u_{it}, \qquad
          corr(u_{it}, u_{is}) = \rho(|t-s|)

with a village effect v, a household effect b and an autoregressive part u. Two accounting years that are
d < 1 years apart share months, so :math:`\rho(d) = 1 - d + d\varphi`, and :math:`\rho(d) = \varphi^d` from
one year on (convex and falling, hence a correlation by Pólya's criterion).

Variances come from statsmodels' mixed model on a sample of villages, for each :math:`\varphi` of a grid
after the Prais-Winsten transformation, and the likeliest is kept. Given them the effects have a closed form
(one small matrix for each pattern of known years), which a hundred thousand households need and a test
holds equal to statsmodels' own. A household whose history has holes, is old or is missing differs only in
which years are known: its forecast moves to the village's, and its variance grows.

References
----------
Lillard, L. and Willis, R. (1978), Dynamic aspects of earning mobility, Econometrica 46, 985-1012;
Baltagi, B. and Li, Q. (1991), A transformation that will circumvent autocorrelation in an error-component
model, J. Econometrics 48, 385-393; Robinson, G. (1991), That BLUP is a good thing, Statist. Sci. 6, 15-32.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Ints = NDArray[np.int64]

GRID = (0.0, 0.2, 0.4, 0.6, 0.8)
MAX_VILLAGES, MAX_HOUSEHOLDS = 30, 20
MIN_ROWS = 60


@dataclass(frozen=True)
class Components:
    """Variances of village and household effects and of the moving part, and its yearly correlation."""

    village: float
    household: float
    moving: float
    phi: float

    def correlation(self, months: Array) -> Array:
        """Return the correlation of the moving parts of two accounting years so many months apart.

        Examples
        --------
        >>> Components(0, 0, 1, 0.5).correlation(np.array([0.0, 6.0, 12.0, 24.0])).tolist()
        [1.0, 0.75, 0.5, 0.25]
        """
        d = np.abs(np.asarray(months, dtype=float)) / 12
        shared = 1 - d + d * self.phi
        return np.where(d < 1, shared, self.phi ** np.maximum(d, 1.0))


@dataclass(frozen=True)
class Effects:
    """Forecast of the deviation from the mean: centre, variance and the village's effect, each (n,)."""

    centre: Array
    variance: Array
    village: Array


def estimate_components(z: Array, x: Array, village: Ints, seed: int) -> Components:
    """Estimate the variance components with statsmodels' mixed model."""
    for years, grid in ((3, GRID), (2, GRID[:1])):
        whole = np.flatnonzero(~np.isnan(z[:, :years]).any(axis=1))
        rows = _sample(whole, village, seed)
        if rows.size >= MIN_ROWS and len(np.unique(village[rows])) >= 3:
            fits = [_fit(z[rows, :years], x[rows], village[rows], phi) for phi in grid]
            return max(fits, key=lambda fit: fit[0])[1]
    known = z[~np.isnan(z)]
    return Components(0.0, 0.0, float(known.var()) if known.size > 1 else 1.0, 0.0)


def _sample(rows: Ints, village: Ints, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(rows)
    villages = rng.permutation(np.unique(village[rows]))[:MAX_VILLAGES]
    mixed = mixed[np.isin(village[mixed], villages)]
    place = pd.Series(village[mixed]).groupby(village[mixed]).cumcount().to_numpy()
    return np.sort(mixed[place < MAX_HOUSEHOLDS])


def _fit(z: Array, x: Array, village: Ints, phi: float) -> tuple[float, Components]:
    """Return the log-likelihood and components for one autocorrelation."""
    fit = mixed_model(z, x, village, phi)
    # The likelihood is of transformed years: the first was multiplied by sqrt(1 - phi^2).
    jacobian = len(z) * 0.5 * np.log(1 - phi**2)
    found = Components(
        village=float(np.asarray(fit.cov_re)[0, 0]),
        household=float(fit.vcomp[0]),
        moving=float(fit.scale / (1 - phi**2)),
        phi=phi,
    )
    return float(fit.llf) + jacobian, found


def mixed_model(z: Array, x: Array, village: Ints, phi: float) -> Any:
    """Fit statsmodels' mixed model to whole histories, transformed after Prais and Winsten."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    n, years = z.shape
    old = z[:, ::-1]
    first = np.sqrt(1 - phi**2)
    y = np.column_stack([first * old[:, 0], *(old[:, t] - phi * old[:, t - 1] for t in range(1, years))])
    level = np.r_[first, np.full(years - 1, 1 - phi)]
    dummies = np.eye(years)
    means = np.vstack([first * dummies[0], *(dummies[t] - phi * dummies[t - 1] for t in range(1, years))])
    exog = np.hstack([np.tile(means, (n, 1)), np.kron(x, level[:, None])])
    group = np.repeat(village, years)
    order = np.argsort(group, kind="stable")
    columns, names, matrices = np.tile(level, n)[order], [], []
    for g in np.unique(village):
        size = int((village == g).sum())
        matrices.append(np.kron(np.eye(size), level[:, None]))
        names.append([f"household{k}" for k in range(size)])
    model = MixedLM(
        y.ravel()[order],
        exog[order],
        groups=group[order],
        exog_re=columns[:, None],
        exog_vc=VCSpec(["household"], [names], [matrices]),
    )
    with warnings.catch_warnings():
        # A variance at zero is an answer here (villages alike), not a failure.
        warnings.simplefilter("ignore")
        return model.fit(reml=False, method=["lbfgs", "powell"])


def predict_effects(
    deviations: Array, months: Array, village: Ints, horizon: Array, components: Components
) -> Effects:
    r"""Forecast every household's deviation from the mean, given its known years and its village's.

    .. math:: \hat z = \hat v + c'\Sigma^{-1}(z - \hat v 1), \quad
              \hat v = \frac{\sum_i 1'\Sigma_i^{-1} z_i}{\sigma_v^{-2} + \sum_i 1'\Sigma_i^{-1}1}
    """
    known = ~np.isnan(deviations)
    weights, own, total = _weights(known, months, horizon, components)
    filled = np.where(known, deviations, 0.0)
    count = int(village.max()) + 1 if len(village) else 0
    top = np.bincount(village, (total * filled).sum(axis=1), count)
    bottom = np.bincount(village, total.sum(axis=1), count)
    shrink = components.village / (1 + components.village * bottom)
    v = (shrink * top)[village]
    rest = 1 - weights.sum(axis=1)
    centre = (weights * filled).sum(axis=1) + rest * v
    variance = own + rest**2 * shrink[village]
    return Effects(centre, variance, v)


def _weights(
    known: NDArray[np.bool_], months: Array, horizon: Array, c: Components
) -> tuple[Array, Array, Array]:
    """Return weights on the known years, the variance left, and ``1' inv(Sigma)``, by pattern."""
    n, years = known.shape
    weights, total = np.zeros((n, years)), np.zeros((n, years))
    left = np.full(n, c.household + c.moving)
    patterns = pd.DataFrame(np.column_stack([known, np.where(known, months, -1.0), horizon]))
    for found in patterns.groupby(list(patterns.columns), sort=True).indices.values():
        rows = np.asarray(found)
        seen = np.flatnonzero(known[rows[0]])
        if not seen.size:
            continue
        at = months[rows[0], seen]
        sigma = c.household + c.moving * c.correlation(at[:, None] - at[None, :])
        ahead = c.household + c.moving * c.correlation(horizon[rows[0]] + at)
        # A touch of the diagonal: components of zero leave nothing to invert.
        inverse = np.linalg.inv(sigma + 1e-9 * np.eye(seen.size))
        weights[np.ix_(rows, seen)] = ahead @ inverse
        total[np.ix_(rows, seen)] = inverse.sum(axis=0)
        left[rows] = max(c.household + c.moving - float(ahead @ inverse @ ahead), 1e-9)
    return weights, left, total
