r"""Early warning of scale risk: township-months that exceed what is expected.

Expected counts come from a quasi-Poisson regression on the months before (season, trend, township; past
outbreaks weighted down by their Anscombe residuals). A count is held, as it stands in the records, against
the negative binomial with that mean, of which the newest months hold only the share that is recorded yet,
and with the overdispersion of the past and the error of the estimated mean in its variance:

.. math:: p = P(X \ge x), \quad X \sim NB(f\mu, Var = \phi f\mu + f^2 Var(\hat\mu))

A part of the records drawn at random varies less than :math:`\phi f\mu`; that is not made use of. With
coordinates a township is also looked at together with its nearest neighbours, for trouble that crosses a
border; a sum's overdispersion is estimated from the past sums and never taken below the townships' own.

Shares and risks that have no history by month are held against the other townships' (`stand_out`).

Correction: all p-values of a run, of all kinds, townships, months and circles, are corrected together
(Benjamini-Hochberg, or Holm). Where nothing is out of the ordinary, a run raises any alarm with 5 % chance at
most; where something is, at most 5 % of the alarms are false in expectation.

References
----------
Farrington, C., Andrews, N., Beale, A. and Catchpole, M. (1996), JRSS A 159, 547-563 (the threshold with the
error of the expectation); Noufaily, A. et al. (2013), An improved algorithm for outbreak detection, Statist.
Med. 32, 1206-1222; Benjamini, Y. and Hochberg, Y. (1995), JRSS B 57, 289-300; Kulldorff, M. (1997), A
spatial scan statistic, Commun. Statist. 26, 1481-1496 (the idea of growing circles); Cook, R. D. and
Weisberg, S. (1982), Residuals and Influence in Regression, Chapman and Hall, section 2.2.1 (an outlier
against the fit without it).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import rules
from riskmodel.errors import UsageError
from riskmodel.forecasting import negbin
from riskmodel.forecasting.rolling import holm

Array = NDArray[Any]
Correction = Literal["bh", "holm"]
LEVEL = 0.05
LEAST_BASELINE = 18
LEAST_COUNTED = 10  # in all the baseline: with fewer nothing can be expected (assumption)
# A past month this many standard residuals high counts less (Noufaily et al. 2013: 2.58).
OUTBREAK = 2.58
GAP = 3  # months before the looked-at one that are left out: an outbreak must not be its own baseline
TRENDED = 36  # with fewer months a trend is noise (assumption)
LEAST_TOWNSHIPS, LEAST_HOUSEHOLDS = 5, 10  # below these a share is not held against the others' (assumption)
SCALE_LIST = "yingjiang-2022"
# Headings of our own, for what that list does not name.
OWN: dict[str, dict[str, str]] = {
    "illness": {"zh": "因病支出集中增加", "en": "costs of illness gather"},
    "falls": {"zh": "预计跌破收入线的户偏多", "en": "unusually many households will fall below the line"},
    "any": {"zh": "新纳入监测对象异常增多", "en": "unusually many newly monitored households"},
}


@functools.cache
def headings() -> Mapping[str, Mapping[str, str]]:
    """Return the headings of scale risk, zh and en: the office's list (yingjiang-2022) and ours.

    Returns
    -------
    mapping
        By official cause (headings that share one are joined), or by their name where they speak of none.

    Examples
    --------
    >>> headings()["industry_failure"]["en"]
    'falling prices or failed projects'
    """
    joint = {"zh": "或", "en": " or "}
    out: dict[str, dict[str, str]] = {}
    for name, risk in rules.load(SCALE_LIST).scale_risks.items():
        key, words = risk.cause or name, {"zh": risk.zh, "en": risk.en}
        out[key] = {x: joint[x].join([out[key][x], w]) for x, w in words.items()} if key in out else words
    return out | OWN


@dataclass(frozen=True)
class Expected:
    """What the months looked at should bring.

    Parameters
    ----------
    mean : array of shape (series, H)
        Expected counts, of all that will once be recorded.
    phi : float
        Overdispersion.
    slopes : array of shape (series, H, k)
        Derivatives of the means by the coefficients.
    covariance : array of shape (k, k)
        Of the coefficients.
    past, fitted, weight : array of shape (series, T)
        Counts of the baseline months, their fitted means, and how much each counted.
    """

    mean: Array
    phi: float
    slopes: Array
    covariance: Array
    past: Array
    fitted: Array
    weight: Array

    def of(self, members: list[int], month: int, filled: float) -> tuple[float, float]:
        """Return mean and variance of the members' sum in one month, of which a share is recorded."""
        mean = filled * float(self.mean[members, month].sum())
        slope = filled * self.slopes[members, month].sum(axis=0)
        return mean, self._phi(members) * mean + float(slope @ self.covariance @ slope)

    def _phi(self, members: list[int]) -> float:
        if len(members) == 1:
            return self.phi
        y, mu = self.past[members].sum(axis=0), self.fitted[members].sum(axis=0)
        weight = self.weight[members].min(axis=0)
        # A sum has spent what one of its series has: its share of the coefficients.
        spent = len(self.covariance) / len(self.past)
        own = float((weight * (y - mu) ** 2 / mu).sum() / max(float(weight.sum()) - spent, 1.0))
        return max(own, self.phi)


def expected(
    past: Array, months: Array, ahead: Array, exposure: Array, filled: Array | None = None
) -> Expected:
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
    filled : array of shape (T,), optional
        Share of each baseline month that is recorded; all by default.

    Returns
    -------
    Expected
    """
    import statsmodels.api as sm

    i, t = past.shape
    share = np.ones(t) if filled is None else filled
    y = past.ravel()
    size = np.log(np.maximum(exposure, 1))
    x, offset = _design(months, months, i), np.repeat(size, t) + np.tile(np.log(share), i)
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
    mean = np.exp(np.clip(x_ahead @ np.asarray(fit.params) + np.repeat(size, ahead.size), -20, 15))
    return Expected(
        mean.reshape(i, -1), phi, (mean[:, None] * x_ahead).reshape(i, ahead.size, -1),
        phi * np.asarray(fit.cov_params()), past, mu.reshape(i, t), weight.reshape(i, t),
    )  # fmt: skip


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


def tail(count: Array, mean: Array, variance: Array) -> Array:
    """Return the chance of so many or more: negative binomial, or Poisson where it varies no more.

    Parameters
    ----------
    count, mean, variance : array

    Returns
    -------
    array

    Examples
    --------
    >>> round(float(tail(np.array(3.0), np.array(1.0), np.array(1.0))), 4)
    0.0803
    """
    from scipy.stats import nbinom, poisson

    x = np.rint(np.asarray(count, dtype=float))
    mu = np.maximum(np.asarray(mean, dtype=float), 1e-9)
    excess = np.asarray(variance, dtype=float) - mu
    over = excess > 1e-6 * mu
    safe = np.where(over, excess, 1.0)
    return np.where(over, nbinom.sf(x - 1, mu**2 / safe, mu / (mu + safe)), poisson.sf(x - 1, mu))


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
    filled: Array | None = None,
) -> pd.DataFrame:
    """Hold the newest months of every township against what was to be expected; correct for all looks.

    Parameters
    ----------
    counts, months, townships, exposure, looks, neighbours, filled
        See `look`.
    level : float
        Of the corrected p-value from which a township-month is an alarm.
    correction : {"bh", "holm"}

    Returns
    -------
    DataFrame
        `judged` looks: one row a township and month.

    Raises
    ------
    UsageError
        If there are fewer than 18 months, or ten counts in them, before those looked at.
    """
    found = look(counts, months, townships, exposure, looks=looks, neighbours=neighbours, filled=filled)
    return judged(found, level, correction)


def look(
    counts: Array,
    months: Array,
    townships: tuple[str, ...],
    exposure: Array,
    *,
    looks: int = 1,
    neighbours: dict[str, tuple[str, ...]] | None = None,
    filled: Array | None = None,
) -> pd.DataFrame:
    """Return every look at the newest months: each township alone and with its neighbours.

    Parameters
    ----------
    counts : array of shape (townships, T)
        Newly monitored households, risk events, or any other count a month, as recorded.
    months : array of shape (T,)
        Ordinals without gaps.
    townships : tuple of str
    exposure : array of shape (townships,)
        Households.
    looks : int
        How many of the newest months are looked at.
    neighbours : dict, optional
        Each township's neighbours, nearest first (`nearest`): it is looked at alone, with the first, …
    filled : array of shape (T,), optional
        Share of each month that is recorded yet; all by default. Expectations are scaled by it, not counts.

    Returns
    -------
    DataFrame
        ``township, month, count, expected, with_neighbours`` (``;``-joined), ``ratio, p``.

    Raises
    ------
    UsageError
        If there are fewer than 18 months, or ten counts in them, before those looked at.
    """
    baseline = months.size - looks - GAP
    if baseline < LEAST_BASELINE:
        raise UsageError(
            f"{months.size} months: {LEAST_BASELINE + looks + GAP} are needed to look at the last {looks}"
        )
    if counts[:, :baseline].sum() < LEAST_COUNTED:
        raise UsageError(
            f"fewer than {LEAST_COUNTED} in {baseline} months: nothing can be expected from them"
        )
    share = np.ones(months.size) if filled is None else np.asarray(filled, dtype=float)
    found = expected(counts[:, :baseline], months[:baseline], months[-looks:], exposure, share[:baseline])
    place = {t: k for k, t in enumerate(townships)}
    rows = []
    for township in townships:
        for members, named in _circles(township, place, neighbours):
            for h in range(looks):
                at = baseline + GAP + h
                mean, variance = found.of(members, h, float(share[at]))
                rows.append(
                    (township, int(months[at]), float(counts[members, at].sum()), mean, variance, named)
                )
    names = ["township", "month", "count", "expected", "variance", "with_neighbours"]
    table = pd.DataFrame(rows, columns=names)
    table["p"] = tail(*(table[c].to_numpy() for c in ("count", "expected", "variance")))
    table["ratio"] = table["count"] / table["expected"]
    return table.drop(columns="variance")


def _circles(
    township: str, place: Mapping[str, int], neighbours: dict[str, tuple[str, ...]] | None
) -> list[tuple[list[int], str]]:
    circle, names = [place[township]], ""
    out = [(list(circle), names)]
    for other in (neighbours or {}).get(township, ()):
        if other not in place:
            continue
        circle, names = [*circle, place[other]], f"{names};{other}".strip(";")
        out.append((list(circle), names))
    return out


def stand_out(counts: Array, sizes: Array) -> tuple[Array, Array]:
    r"""Hold each township's share against the other townships' shares.

    With :math:`z = \arcsin\sqrt{x/n}`, a township's distance from the mean of the others, in their standard
    deviation, follows Student's t with T - 2 degrees of freedom. A township smaller than the others has more
    chance variation than they show: what it has more, :math:`1/4n`, is added.

    Parameters
    ----------
    counts, sizes : array of shape (T,)
        Households with the sign (a sum of probabilities counts too), of how many.

    Returns
    -------
    expected, p : array of shape (T,)
        NaN where there are fewer than five townships with ten households, or the township has fewer.

    Examples
    --------
    >>> expected, p = stand_out(np.array([10.0, 12, 8, 11, 40]), np.full(5, 100.0))
    >>> [bool(v) for v in p < 0.01]
    [False, False, False, False, True]
    """
    from scipy.stats import t as student

    enough = np.flatnonzero(sizes >= LEAST_HOUSEHOLDS)
    expected, p = np.full(sizes.size, np.nan), np.full(sizes.size, np.nan)
    if enough.size < LEAST_TOWNSHIPS:
        return expected, p
    share = np.clip(counts[enough] / sizes[enough], 0, 1)
    z, noise = np.arcsin(np.sqrt(share)), 1 / (4 * sizes[enough])
    for k, at in enumerate(enough):
        rest = np.delete(np.arange(enough.size), k)
        more = max(float(noise[k] - noise[rest].mean()), 0.0)
        spread = float(z[rest].var(ddof=1)) * (1 + 1 / rest.size) + more
        expected[at] = sizes[at] * np.sin(z[rest].mean()) ** 2
        p[at] = float(student.sf((z[k] - z[rest].mean()) / np.sqrt(max(spread, 1e-12)), rest.size - 1))
    return expected, p


def judged(table: pd.DataFrame, level: float = LEVEL, correction: Correction = "bh") -> pd.DataFrame:
    """Correct the p-values of all looks of a run and keep the sharpest look at each township and month.

    Parameters
    ----------
    table : DataFrame
        Of `look`, of one or several kinds of counts (column ``what``).
    level : float
    correction : {"bh", "holm"}

    Returns
    -------
    DataFrame
        With ``p_adjusted, alarm``, in the order given.
    """
    out = table.reset_index(drop=True)
    out["p_adjusted"] = adjusted(out["p"].to_numpy(dtype=float), correction)
    out["alarm"] = out["p_adjusted"] < level
    key = [c for c in ("what", "township", "month") if c in out]
    best = out.sort_values(["p_adjusted", "p"], kind="stable").drop_duplicates(key)
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
    return headings().get(main_cause, headings()["any"])[lang]
