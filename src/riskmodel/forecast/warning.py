r"""Early warning of scale risk: township-months whose count exceeds what is expected.

Expected counts come from a quasi-Poisson regression on the months before (season, trend, township; past
outbreaks weighted down by their Anscombe residuals), and a count is held against the negative binomial with
that mean and the overdispersion of the past:

.. math:: p = P(X \ge x), \quad X \sim NB(\mu, Var = \phi\mu)

Many townships and months are looked at; p-values are corrected over all looks of a run (Benjamini-Hochberg,
or Holm). With coordinates a township is also looked at together with its nearest neighbours, for trouble
that crosses a border.

References
----------
Farrington, C., Andrews, N., Beale, A. and Catchpole, M. (1996), JRSS A 159, 547-563; Noufaily, A. et al.
(2013), An improved algorithm for outbreak detection, Statist. Med. 32, 1206-1222; Benjamini, Y. and
Hochberg, Y. (1995), JRSS B 57, 289-300; Kulldorff, M. (1997), A spatial scan statistic, Commun. Statist.
26, 1481-1496 (the idea of growing circles).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import UsageError
from riskmodel.forecast import negbin
from riskmodel.forecast.rolling import holm

Array = NDArray[Any]
Correction = Literal["bh", "holm"]
LEVEL = 0.05
LEAST_BASELINE = 18
# A past month this many standard residuals high counts less (Noufaily et al. 2013: 2.58).
OUTBREAK = 2.58
GAP = 3  # months before the looked-at one that are left out: an outbreak must not be its own baseline
TRENDED = 36  # with fewer months a trend is noise (assumption)
# The scale risks that the office watches for, in its own headings (Yingjiang county's 2022 notice on
# dynamic monitoring: disasters, epidemics, falling prices, lost jobs, failed projects, relocation sites).
REASONS: dict[str, dict[str, str]] = {
    "disaster": {"zh": "自然灾害集中发生", "en": "a natural disaster struck many at once"},
    "epidemic": {"zh": "疫情集中影响", "en": "an epidemic"},
    "industry_failure": {"zh": "农产品价格下跌或产业项目失败", "en": "falling prices or a failed project"},
    "unstable_employment": {"zh": "务工人员集中失岗", "en": "many migrant workers lost their jobs"},
    "illness": {"zh": "因病支出集中增加", "en": "costs of illness gather"},
    "relocation": {"zh": "易地搬迁安置点风险", "en": "risk gathers at a relocation site"},
    "uneliminated": {
        "zh": "未消除风险户占比偏高",
        "en": "many monitored households whose risk is not eliminated",
    },
    "any": {"zh": "新纳入监测对象异常增多", "en": "unusually many newly monitored households"},
}


@dataclass(frozen=True)
class Expected:
    """Expected counts (series, months) of the months looked at, and the overdispersion."""

    mean: Array
    phi: float


def expected(past: Array, months: Array, ahead: Array, exposure: Array) -> Expected:
    """Return what the months ahead should bring.

    Parameters
    ----------
    past : array of shape (series, T)
        Counts of the baseline months.
    months : array of shape (T,)
        Their ordinals.
    ahead : array of shape (H,)
        The ordinals that are looked at.
    exposure : array of shape (series,)
        Households.

    Returns
    -------
    Expected
    """
    import statsmodels.api as sm

    i, t = past.shape
    y = past.ravel()
    x, offset = _design(months, months, i), np.repeat(np.log(np.maximum(exposure, 1)), t)
    weight, phi = np.ones(y.size), 1.0
    # Two rounds: fit, find past outbreaks, fit again without their weight (Farrington et al. 1996).
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            smooth = 0.98 * y + 0.02 * y.sum() * np.repeat(exposure / exposure.sum(), t) / t
            fit = sm.GLM(smooth, x, family=sm.families.Poisson(), offset=offset, freq_weights=weight).fit(
                maxiter=50
            )
        mu = np.maximum(np.asarray(fit.fittedvalues), 1e-6)
        anscombe = 1.5 * (y ** (2 / 3) * mu ** (-1 / 6) - mu**0.5)
        degrees = max(weight.sum() - x.shape[1], 1.0)
        phi = max(float((weight * (y - mu) ** 2 / mu).sum() / degrees), 1.0)
        residual = anscombe / np.sqrt(phi)
        weight = np.where(residual > OUTBREAK, (OUTBREAK / np.maximum(residual, OUTBREAK)) ** 2, 1.0)
    x_ahead = _design(ahead, months, i)
    offset_ahead = np.repeat(np.log(np.maximum(exposure, 1)), ahead.size)
    mean = np.exp(np.clip(x_ahead @ np.asarray(fit.params) + offset_ahead, -20, 15))
    return Expected(mean.reshape(i, -1), phi)


def _design(months: Array, baseline: Array, series: int) -> Array:
    place = np.repeat(np.eye(series), months.size, axis=0)
    parts = [place]
    if baseline.size >= 24:
        parts.append(np.tile(negbin.seasons(months), (series, 1)))
    if baseline.size >= TRENDED:
        # Never carried beyond the last baseline month: a trend that runs on hides or invents outbreaks.
        years = (np.minimum(months, baseline[-1]) - baseline.mean()) / 12
        parts.append(np.tile(years[:, None], (series, 1)))
    return np.hstack(parts)


def tail(count: Array, mean: Array, phi: float) -> Array:
    """Return the chance of so many or more: negative binomial with variance ``phi * mean``.

    Examples
    --------
    >>> round(float(tail(np.array(3.0), np.array(1.0), 1.0)), 4)
    0.0803
    """
    from scipy.stats import nbinom, poisson

    x = np.rint(np.asarray(count, dtype=float))
    mu = np.maximum(np.asarray(mean, dtype=float), 1e-9)
    if phi <= 1 + 1e-6:
        return np.asarray(poisson.sf(x - 1, mu))
    size = mu / (phi - 1)
    return np.asarray(nbinom.sf(x - 1, size, 1 / phi))


def adjusted(p: Array, correction: Correction = "bh") -> Array:
    """Return p-values corrected for all looks.

    Parameters
    ----------
    p : array of shape (n,)
    correction : {"bh", "holm"}
        False discoveries among alarms, or any false alarm.

    Returns
    -------
    array of shape (n,)

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.02, 0.5])).tolist()
    [0.03, 0.03, 0.5]
    """
    if correction == "holm":
        return holm(p)
    order = np.argsort(p, kind="stable")
    n = p.size
    raised = p[order] * n / (np.arange(n) + 1)
    out = np.empty(n)
    out[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    return out


def watch(
    counts: Array,
    months: Array,
    townships: tuple[str, ...],
    exposure: Array,
    *,
    looks: int = 1,
    level: float = LEVEL,
    correction: Correction = "bh",
    neighbours: dict[str, tuple[str, ...]] | None = None,
) -> pd.DataFrame:
    """Hold the newest months of every township against what was to be expected.

    Parameters
    ----------
    counts : array of shape (townships, T)
        Newly monitored households, risk events, or any other count a month.
    months : array of shape (T,)
        Ordinals without gaps.
    townships : tuple of str
    exposure : array of shape (townships,)
        Households.
    looks : int
        How many of the newest months are looked at.
    level : float
        Of the corrected p-value from which a township-month is an alarm.
    correction : {"bh", "holm"}
    neighbours : dict, optional
        Each township's neighbours, nearest first (`nearest`): it is looked at alone, with the first, …

    Returns
    -------
    DataFrame
        ``township, month, count, expected, ratio, p, p_adjusted, alarm, with_neighbours`` (``;``-joined, of
        the look with the smallest p), in the order of townships and months.

    Raises
    ------
    UsageError
        If there are fewer than 18 months before those looked at.
    """
    baseline = months.size - looks - GAP
    if baseline < LEAST_BASELINE:
        raise UsageError(
            f"{months.size} months: {LEAST_BASELINE + looks + GAP} are needed to look at the last {looks}"
        )
    found = expected(counts[:, :baseline], months[:baseline], months[-looks:], exposure)
    place = {t: k for k, t in enumerate(townships)}
    rows = []
    for k, township in enumerate(townships):
        circle, names = [k], ""
        circles = [(list(circle), names)]
        for other in (neighbours or {}).get(township, ()):
            circle, names = [*circle, place[other]], f"{names};{other}".strip(";")
            circles.append((list(circle), names))
        for h in range(looks):
            for members, named in circles:
                seen = float(counts[members, baseline + GAP + h].sum())
                mean = float(found.mean[members, h].sum())
                rows.append((township, int(months[-looks + h]), seen, mean, named))
    table = pd.DataFrame(rows, columns=["township", "month", "count", "expected", "with_neighbours"])
    table["p"] = tail(table["count"].to_numpy(), table["expected"].to_numpy(), found.phi)
    table["p_adjusted"] = adjusted(table["p"].to_numpy(), correction)
    table["ratio"] = table["count"] / table["expected"]
    table["alarm"] = table["p_adjusted"] < level
    best = table.sort_values(["p_adjusted", "p"], kind="stable").drop_duplicates(["township", "month"])
    return best.sort_index().reset_index(drop=True)


def nearest(coordinates: pd.DataFrame, most: int = 2) -> dict[str, tuple[str, ...]]:
    """Return each township's nearest neighbours.

    Parameters
    ----------
    coordinates : DataFrame
        ``township, lon, lat``: one row a village; a township lies where its villages' mean does.
    most : int

    Returns
    -------
    dict
        Ties in the order of names.
    """
    centre = coordinates.groupby("township", sort=True)[["lon", "lat"]].mean()
    # Degrees of longitude shrink with latitude; within a county that makes distances comparable.
    x = centre["lon"].to_numpy() * np.cos(np.radians(centre["lat"].mean()))
    y = centre["lat"].to_numpy()
    apart = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    np.fill_diagonal(apart, np.inf)
    names = list(centre.index)
    order = np.argsort(apart, axis=1, kind="stable")[:, : min(most, len(names) - 1)]
    return {names[k]: tuple(names[j] for j in order[k]) for k in range(len(names))}


def reason(main_cause: str, lang: str) -> str:
    """Return why a township stands out, in the words of the office's list of scale risks."""
    return REASONS.get(main_cause, REASONS["any"])[lang]
