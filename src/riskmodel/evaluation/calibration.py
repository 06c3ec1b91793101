"""Whether probabilities mean what they say: Brier, calibration intercept and slope, reliability."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.special import logit

from riskmodel.evaluation.bootstrap import Resamples, percentile_interval
from riskmodel.evaluation.ranking import Kernel, once
from riskmodel.models import fit_affine

Array = NDArray[np.float64]

# A probability of exactly 0 or 1 has no log-odds; a billionth is beyond what any county can tell from 0.
_CLIP = 1e-9
# Village resamples are fitted on counts per probability bin; the point itself on all rows.
_BINS = 512


def brier_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare the mean squared error of probabilities.

    Parameters
    ----------
    y, probability : array of shape (n,)

    Returns
    -------
    callable
        Weights (replicates, n) to values (replicates,).
    """
    loss = (probability - y) ** 2
    return lambda weight: (weight @ loss) / weight.sum(axis=1)


def slope_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare the calibration slope: b in ``logit P(y) = a + b * logit(probability)``.

    Parameters
    ----------
    y, probability : array of shape (n,)

    Returns
    -------
    callable
        Weights (replicates, n) to slopes (replicates,); NaN where there is none. Replicates are fitted on
        512 bins of the probability and shifted by what binning does to the unweighted fit.
    """
    return _affine_kernel(y, probability, slope=True)


def intercept_kernel(y: Array, probability: Array) -> Kernel:
    """Prepare calibration in the large: a in ``logit P(y) = a + logit(probability)``.

    Parameters
    ----------
    y, probability : array of shape (n,)

    Returns
    -------
    callable
        As `slope_kernel`; below 0 the probabilities are too high.
    """
    return _affine_kernel(y, probability, slope=False)


def _affine_kernel(y: Array, probability: Array, *, slope: bool) -> Kernel:
    margin = logit(np.clip(probability, _CLIP, 1 - _CLIP))
    which = int(slope)
    edges = np.unique(np.quantile(margin, np.linspace(0, 1, _BINS + 1)[1:-1]))
    _, cell = np.unique(np.searchsorted(edges, margin, side="left"), return_inverse=True)
    centre = np.bincount(cell, weights=margin) / np.bincount(cell)
    rows = np.arange(len(y))
    totals = coo_array((np.ones(len(y)), (rows, cell)), shape=(len(y), len(centre))).tocsr()
    hits = coo_array((y, (rows, cell)), shape=(len(y), len(centre))).tocsr()
    every = np.ones((1, len(y)))
    exact = fit_affine(margin, y[None], every, slope=slope)[which][0]
    shift = exact - fit_affine(centre, every @ hits, every @ totals, slope=slope)[which][0]

    def kernel(weight: Array) -> Array:
        return fit_affine(centre, weight @ hits, weight @ totals, slope=slope)[which] + shift

    return kernel


def brier(y: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Brier score, the mean of (probability − y)².

    Parameters
    ----------
    y, probability : array of shape (n,)
    weight : array of shape (n,), optional

    Returns
    -------
    float

    References
    ----------
    Brier 1950.

    Examples
    --------
    >>> brier([0, 1], [0.5, 0.5])
    0.25
    """
    return once(brier_kernel, y, probability, weight)


def calibration_slope(y: ArrayLike, probability: ArrayLike) -> float:
    """Slope of the logistic recalibration; 1 is ideal, below 1 the probabilities are too extreme.

    Parameters
    ----------
    y, probability : array of shape (n,)

    Returns
    -------
    float
        NaN with one class, one probability, or separation.

    References
    ----------
    Cox 1958; Steyerberg, *Clinical Prediction Models*, ch. 15.
    """
    return once(slope_kernel, y, probability, None)


def calibration_intercept(y: ArrayLike, probability: ArrayLike) -> float:
    """Calibration in the large, in log-odds, with the slope held at 1; 0 is ideal.

    Parameters
    ----------
    y, probability : array of shape (n,)

    Returns
    -------
    float
        NaN with one class.

    References
    ----------
    Steyerberg, *Clinical Prediction Models*, ch. 15.
    """
    return once(intercept_kernel, y, probability, None)


def reliability(
    y: ArrayLike,
    probability: ArrayLike,
    bins: int = 10,
    resamples: Resamples | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Observed rate against mean probability, by quantile bins of the probability.

    Parameters
    ----------
    y, probability : array of shape (n,)
    bins : int, default 10
        At most so many; equal probabilities share a bin.
    resamples : Resamples, optional
        Of the same rows; gives the intervals.
    level : float, default 0.95

    Returns
    -------
    DataFrame
        One row a bin: ``bin, n, events, probability, observed, low, high`` (the last two NaN without
        resamples).
    """
    target, p = np.asarray(y, dtype=float), np.asarray(probability, dtype=float)
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]))
    _, cell = np.unique(np.searchsorted(edges, p, side="left"), return_inverse=True)
    n, events = np.bincount(cell), np.bincount(cell, weights=target)
    out = pd.DataFrame(
        {
            "bin": np.arange(1, len(n) + 1),
            "n": n,
            "events": events.astype(int),
            "probability": np.bincount(cell, weights=p) / n,
            "observed": events / n,
        }
    )
    out["low"], out["high"] = np.nan, np.nan
    if resamples is not None:
        member = coo_array((np.ones(len(p)), (np.arange(len(p)), cell)), shape=(len(p), len(n))).tocsr()
        hits = coo_array((target, (np.arange(len(p)), cell)), shape=(len(p), len(n))).tocsr()
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = resamples.run(lambda weight: (weight @ hits) / (weight @ member))
        out[["low", "high"]] = [percentile_interval(column, level) for column in rates.T]
    return out
