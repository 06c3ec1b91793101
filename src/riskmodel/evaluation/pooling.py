"""Figures of several counties as one: a random-effects mean, and what a further county may expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from riskmodel.evaluation.units import Array

# What each figure is pooled on, so that its error is nearer normal and its ends stay possible.
SCALES: Mapping[str, str] = {"auc": "logit", "expected_over_observed": "log", "calibration_slope": "identity"}
_LEAST = 3  # counties below which no spread between them can be told


def pool_counties(figures: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Pool figures of several counties by random effects.

    Parameters
    ----------
    figures
        A row a county; of each figure of `SCALES` its value and the ends of its interval, ``NAME_low`` and
        ``NAME_high``, at this level. Counties without an interval are left out.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        A row a figure: ``figure, counties, mean, low, high`` (of the mean, with the variance of Hartung,
        Knapp, Sidik and Jonkman), ``predicted_low, predicted_high`` (what a further county may show) and
        ``tau`` (standard deviation between counties, on the scale pooled on). NaN below three counties.

    Notes
    -----
    Standard errors are read from the intervals' width on the scale pooled on. The variance between counties
    is Paule and Mandel's; the prediction interval is mean ± t(k − 2) · √(τ² + SE²) (Higgins, Thompson and
    Spiegelhalter 2009).

    References
    ----------
    Riley, Debray, Snell et al. 2016, "External validation of clinical prediction models using big datasets
    from e-health records or IPD meta-analysis", BMJ 353: i3140; Hartung and Knapp 2001.
    """
    return pd.DataFrame([_pooled(figures, name, scale, level) for name, scale in SCALES.items()])


def _pooled(figures: pd.DataFrame, name: str, scale: str, level: float) -> dict[str, object]:
    to, back = _transforms(scale)
    ends = figures[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = to(ends)
    moved = moved[np.isfinite(moved).all(axis=1)]
    k = len(moved)
    nothing = dict.fromkeys(("mean", "low", "high", "predicted_low", "predicted_high", "tau"), np.nan)
    if k < _LEAST:
        return {"figure": name, "counties": k, **nothing}
    error = (moved[:, 2] - moved[:, 1]) / (2 * student.ppf(0.5 + level / 2, 1e9))
    found = combine_effects(moved[:, 0], error**2, method_re="iterated", use_t=True, alpha=1 - level)
    mean, spread = float(found.mean_effect_re), float(max(0.0, found.tau2))
    own = float(np.sqrt(found.var_hksj_re))
    low, high = (mean + sign * student.ppf(0.5 + level / 2, k - 1) * own for sign in (-1, 1))
    wide = student.ppf(0.5 + level / 2, k - 2) * np.sqrt(spread + own**2)
    values = back(np.array([mean, low, high, mean - wide, mean + wide]))
    columns = ("mean", "low", "high", "predicted_low", "predicted_high")
    return {"figure": name, "counties": k, **dict(zip(columns, values, strict=True)), "tau": spread**0.5}


def _transforms(scale: str) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Return what carries a figure to the scale it is pooled on, and back."""
    if scale == "logit":
        return logit, expit
    return (np.log, np.exp) if scale == "log" else (np.asarray, np.asarray)
