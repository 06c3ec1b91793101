"""Measures of targeting: what the poverty literature calls a good list, beside recall and precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Relative risk aversion of the published targeting study (Hanna and Olken 2018).
RISK_AVERSION = 3.0
# An income below this share of the median is an entry slip; with a power of −2 one such slip would be the
# whole welfare of a county.
_LEAST_INCOME = 0.05


def targeting(y: ArrayLike, listed: ArrayLike, weight: ArrayLike | None = None) -> dict[str, float]:
    """Say how well a list targets those who had the event.

    Parameters
    ----------
    y, listed : array of shape (n,)
        0/1: had the event; is on the list.
    weight : array of shape (n,), optional
        Persons of each household; default 1 (households).

    Returns
    -------
    dict
        With TP, FP, FN, TN added up by weight:
        ``exclusion_error`` FN/(TP+FN); ``inclusion_error`` FP/(TP+FP);
        ``targeting_differential`` TP/(TP+FN) − FP/(FP+TN) (coverage of those in need minus coverage of the
        others); ``targeting_differential_errors`` 1 − exclusion error − inclusion error;
        ``cgh`` [TP/(TP+FP)] / [(TP+FN)/n], 1 for a list drawn at random;
        ``bpac`` TP/(TP+FN) − |FP − FN|/(TP+FN). NaN where nothing is divided by.

    References
    ----------
    Brown, Ravallion and van de Walle 2018 (errors); Galasso and Ravallion 2005 (differential by coverage);
    Grosh, Leite, Wai-Poi and Tesliuc 2022, *Revisiting Targeting in Social Assistance*, ch. 7 (differential
    by errors); Coady, Grosh and Hoddinott 2004 (CGH); IRIS Center 2005 (balanced poverty accuracy criterion).

    Examples
    --------
    Ten people, four in need, two of the four listed and nobody else: the World Bank book's first scenario has
    an exclusion error of 50 %, no inclusion error and a differential of 50.

    >>> made = targeting([1] * 4 + [0] * 6, [1] * 2 + [0] * 8)
    >>> made["exclusion_error"], made["inclusion_error"], made["targeting_differential_errors"]
    (0.5, 0.0, 0.5)
    """
    event, on = np.asarray(y, dtype=float), np.asarray(listed, dtype=float)
    heads = np.ones(len(event)) if weight is None else np.asarray(weight, dtype=float)
    tp, fp = float(np.sum(heads * event * on)), float(np.sum(heads * (1 - event) * on))
    fn, tn = float(np.sum(heads * event * (1 - on))), float(np.sum(heads * (1 - event) * (1 - on)))
    recall, precision = _over(tp, tp + fn), _over(tp, tp + fp)
    return {
        "exclusion_error": 1 - recall,
        "inclusion_error": 1 - precision,
        "targeting_differential": recall - _over(fp, fp + tn),
        "targeting_differential_errors": recall + precision - 1,
        "cgh": _over(precision, (tp + fn) / (tp + fp + fn + tn)),
        "bpac": recall - _over(abs(fp - fn), tp + fn),
    }


def _over(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def crra_welfare(
    income: ArrayLike,
    persons: ArrayLike,
    listed: ArrayLike,
    transfer: float,
    risk_aversion: float = RISK_AVERSION,
) -> float:
    """Value a list by the welfare of paying everyone on it, as a share of what the best list would reach.

    Each listed household gets ``transfer``, shared by its persons. Welfare is Σ persons · c^(1−ρ)/(1−ρ) (ln c
    for ρ = 1). 0 is the same money spread evenly over all persons, 1 the best list of as many households
    (those whose payment adds most); a list can be worse than spreading (below 0).

    Parameters
    ----------
    income : array of shape (n,)
        Income per head over the outcome's year (yuan); rows without it are left out.
    persons : array of shape (n,)
    listed : array of shape (n,)
        0/1.
    transfer : float
        Yuan a household.
    risk_aversion : float, default 3
        ρ ≥ 0.

    Returns
    -------
    float
        NaN where nobody is listed, or the best list gains nothing over spreading.

    Raises
    ------
    ValueError
        If ``transfer`` or ``risk_aversion`` is out of range.

    References
    ----------
    Hanna and Olken 2018, "Universal basic incomes versus targeted transfers", J. of Economic Perspectives 32.

    Examples
    --------
    >>> crra_welfare([1000, 1000, 9000, 9000], [1, 1, 1, 1], [1, 1, 0, 0], 500)
    1.0
    """
    if not transfer > 0 or risk_aversion < 0:
        raise ValueError(f"transfer={transfer!r}, risk_aversion={risk_aversion!r}: positive, and at least 0")
    given, heads, on = (np.asarray(v, dtype=float) for v in (income, persons, listed))
    known = np.isfinite(given) & (heads > 0)
    given, heads, on = given[known], heads[known], on[known] > 0
    if not on.any():
        return float("nan")
    base = np.maximum(given, _LEAST_INCOME * max(float(np.median(given)), 1.0))
    gain = heads * (_utility(base + transfer / heads, risk_aversion) - _utility(base, risk_aversion))
    number = int(on.sum())
    spread = transfer * number / heads.sum()
    even = float(np.sum(heads * (_utility(base + spread, risk_aversion) - _utility(base, risk_aversion))))
    best = float(np.sort(gain)[::-1][:number].sum())
    return float((gain[on].sum() - even) / (best - even)) if best > even else float("nan")


def _utility(consumption: Array, rho: float) -> Array:
    return np.log(consumption) if rho == 1 else consumption ** (1 - rho) / (1 - rho)


def list_measures_extra(found: Any) -> dict[str, Array]:
    """Targeting measures of each replicate of a list, household-weighted.

    Parameters
    ----------
    found : ListFind

    Returns
    -------
    dict of arrays of shape (replicates,)
        ``targeting_differential, targeting_differential_errors, bpac``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        recall, precision = found.hits / found.events, found.hits / found.visits
        false, missed = found.visits - found.hits, found.events - found.hits
        return {
            "targeting_differential": recall - false / (found.rows - found.events),
            "targeting_differential_errors": recall + precision - 1,
            "bpac": recall - np.abs(false - missed) / found.events,
        }
