"""One affine map of a margin, fitted by maximum likelihood for many weightings of the same rows at once.

The calibrator of an explained model, its village bootstrap, and the calibration intercept and slope
of the evaluation are all this one fit, so they stand in one place. Rows are given as counts per
margin value: ``positive`` and ``total`` of shape (replicates, values).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

Array = NDArray[np.float64]

# Newton's method on a concave two-parameter likelihood needs 5 to 8 rounds; the cap only ends a
# separated sample, whose slope grows without end.
_ROUNDS = 60
_TOLERANCE = 1e-12
# In units of the margin's standard deviation; beyond it the two classes are as good as separated and
# no finite slope is the answer.
_SEPARATED = 25.0


class Affine(NamedTuple):
    """Intercepts and slopes of ``logit p = intercept + slope * margin``, one per replicate."""

    intercept: Array
    slope: Array


def fit_affine(
    margin: ArrayLike, positive: ArrayLike, total: ArrayLike, *, slope: bool = True, smooth: bool = False
) -> Affine:
    """Fit ``logit p = a + b * margin`` by maximum likelihood, for each row of weights.

    Parameters
    ----------
    margin : array of shape (values,)
        Log-odds.
    positive, total : array of shape (replicates, values)
        Weight of the positive rows, and of all rows, at each margin value.
    slope : bool, default True
        With ``False`` b is held at 1 (calibration in the large).
    smooth : bool, default False
        Platt's targets: a positive counts as (N+ + 1)/(N+ + 2), a negative as 1/(N- + 2), so that a
        separated or one-sided sample still has a finite answer.

    Returns
    -------
    Affine
        Arrays of shape (replicates,); NaN where there is no finite answer (one class, separation).

    References
    ----------
    Platt 1999, "Probabilistic outputs for support vector machines"; Cox 1958 for intercept and slope.

    Examples
    --------
    Odds of 1:3 at margin 0 and 3:1 at margin 1 are met exactly by a = -ln 3, b = 2 ln 3.

    >>> a, b = fit_affine([0.0, 1.0], [[1.0, 3.0]], [[4.0, 4.0]])
    >>> round(float(a[0]), 6), round(float(b[0]), 6)
    (-1.098612, 2.197225)
    """
    values = np.asarray(margin, dtype=float)
    weight = np.atleast_2d(np.asarray(total, dtype=float))
    hit = np.atleast_2d(np.asarray(positive, dtype=float))
    if smooth:
        hit = _platt_targets(hit, weight)
    centre, spread = _standard(values, weight)
    if not slope:
        intercept, _ = _newton(np.zeros_like(values), hit, weight, values)
        return Affine(intercept, np.where(np.isnan(intercept), np.nan, 1.0))
    if spread == 0:
        missing = np.full(len(hit), np.nan)
        return Affine(missing, missing.copy())
    intercept, steep = _newton((values - centre) / spread, hit, weight, np.zeros_like(values))
    return Affine(intercept - steep * centre / spread, steep / spread)


def _platt_targets(hit: Array, weight: Array) -> Array:
    positives = hit.sum(axis=1, keepdims=True)
    negatives = weight.sum(axis=1, keepdims=True) - positives
    return hit * ((positives + 1) / (positives + 2)) + (weight - hit) / (negatives + 2)


def _standard(values: Array, weight: Array) -> tuple[float, float]:
    share = weight.sum(axis=0)
    centre = float(np.average(values, weights=share))
    spread = float(np.sqrt(np.average((values - centre) ** 2, weights=share)))
    # A spread that is rounding noise around a constant is no spread.
    return centre, spread if spread > 1e-12 * max(1.0, abs(centre)) else 0.0


def _likelihood(z: Array, hit: Array, weight: Array) -> Array:
    return np.sum(hit * z - weight * np.logaddexp(0.0, z), axis=1)


def _newton(x: Array, hit: Array, weight: Array, offset: Array) -> tuple[Array, Array]:
    """Maximise the likelihood of ``logit p = offset + a + b x``; b stays 0 where x is constant."""
    size = weight.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = hit.sum(axis=1) / size
    usable = (rate > 0) & (rate < 1)
    a = logit(np.where(usable, rate, 0.5)) - float(np.mean(offset))
    b = np.zeros_like(a)
    best = _likelihood(offset + a[:, None] + b[:, None] * x, hit, weight)
    for _ in range(_ROUNDS):
        da, db, decrement = _step(offset + a[:, None] + b[:, None] * x, x, hit, weight)
        scale = usable.astype(float)
        for _ in range(30):
            trial = _likelihood(
                offset + (a + scale * da)[:, None] + (b + scale * db)[:, None] * x, hit, weight
            )
            worse = trial < best - 1e-13 * size
            if not worse.any():
                break
            scale = np.where(worse, scale / 2, scale)
        a, b, best = a + scale * da, b + scale * db, np.maximum(trial, best)
        # The step that is already below the tolerance is still taken: it squares what error is left.
        if not (usable & (decrement > _TOLERANCE * size)).any():
            break
    lost = ~usable | (np.abs(b) > _SEPARATED)
    return np.where(lost, np.nan, a), np.where(lost, np.nan, b)


def _step(z: Array, x: Array, hit: Array, weight: Array) -> tuple[Array, Array, Array]:
    """One Newton step and its decrement; a constant x has no curvature and takes no step in b."""
    p = expit(z)
    residual = hit - weight * p
    curvature = weight * p * (1 - p)
    g0, g1 = residual.sum(axis=1), residual @ x
    h00, h01, h11 = curvature.sum(axis=1), curvature @ x, curvature @ (x * x)
    if not x.any():
        da = g0 / np.maximum(h00, np.finfo(float).tiny)
        return np.clip(da, -4, 4), np.zeros_like(da), g0 * da
    det = np.maximum(h00 * h11 - h01 * h01, np.finfo(float).tiny)
    da, db = (h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det
    decrement = g0 * da + g1 * db
    # A far step can only come from a flat likelihood; 4 log-odds at a time keeps it finite.
    shrink = np.minimum(1.0, 4.0 / np.maximum(np.maximum(np.abs(da), np.abs(db)), 1e-300))
    return da * shrink, db * shrink, decrement


class VillageTable(NamedTuple):
    """Rows added up by village and margin bin: what a village bootstrap of a calibrator needs."""

    margin: Array
    positive: Array
    total: Array


def village_table(margin: Array, y: Array, village: NDArray[np.int64], bins: int) -> VillageTable:
    """Add rows up by village and quantile bin of the margin.

    Parameters
    ----------
    margin, y : array of shape (n,)
        Log-odds, and 0/1.
    village : integer array of shape (n,)
        Codes 0 … V-1.
    bins : int
        At most so many; equal margins share a bin.

    Returns
    -------
    VillageTable
        ``margin`` (bins,) is each bin's mean; ``positive`` and ``total`` are (V, bins).
    """
    edges = np.unique(np.quantile(margin, np.linspace(0, 1, bins + 1)[1:-1]))
    cell = np.searchsorted(edges, margin, side="left")
    _, cell = np.unique(cell, return_inverse=True)
    width, villages = int(cell.max()) + 1, int(village.max()) + 1
    flat = village * width + cell
    shape = (villages, width)
    total = np.bincount(flat, minlength=villages * width).reshape(shape).astype(float)
    positive = np.bincount(flat, weights=y, minlength=villages * width).reshape(shape).astype(float)
    centre = np.bincount(cell, weights=margin) / np.bincount(cell)
    return VillageTable(centre, positive, total)
