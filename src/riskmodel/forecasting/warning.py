r"""Early warning of scale risk: township-months that exceed what is expected.

Expected counts come from a quasi-Poisson regression on the months before (season, trend, township; past
outbreaks weighted down by their Anscombe residuals). A count is held, as it stands in the records, against
the negative binomial with that mean, of which the newest months hold only the share that is recorded yet,
and with the overdispersion of the past and the error of the estimated mean in its variance:

.. math:: p = P(X \ge x), \quad X \sim NB(f\mu, Var = \phi f\mu + f^2 Var(\hat\mu))

A part of the records drawn at random varies less than :math:`\phi f\mu`; that is not made use of. With
coordinates a township is also looked at together with its nearest neighbours, for trouble that crosses a
border; a sum's overdispersion is estimated from the past sums and never taken below the townships' own.

Shares and risks that have no history by month are held against the other townships' (`outlying_shares`).

All p-values of a run, of all kinds, townships, months and circles, are corrected together
(Benjamini-Hochberg). Where nothing is out of the ordinary, a run raises any alarm with 5 % chance at most;
where something is, at most 5 % of the alarms are false in expectation.

==============  ==============================================  =================================
``what``        count                                           held against
==============  ==============================================  =================================
``entries``     households newly monitored                      the months before (`newest_months`)
``events``      risk events                                     the months before
``relocated``   newly monitored among relocated households      the months before
``register``    monitored households not yet eliminated, of     the other townships
                those ever monitored                            (`outlying_shares`)
``falls``       households that are expected to fall below      the other townships
                the line, of those not below it
==============  ==============================================  =================================

The first three answer "more than usual here?", the last two, which have no history by month, "more than
elsewhere?": a township that always has the largest share stands out every time.

A township that came on record later than the others is not held against them before it has been so for two
years (`riskmodel.forecasting.counts`): its register is young, and nothing was eliminated from it yet.
Expected falls are of households whose year is on record; where most of a township's have shorter records
than the county's, their wider forecasts alone would lift its number, and it is not looked at.

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

import datetime as dt
import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County, month_text
from riskmodel.errors import UsageError
from riskmodel.forecasting import count_models, counts, histories
from riskmodel.forecasting.accuracy import Array, adjust_p_values
from riskmodel.forecasting.counts import Counts
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.households import (
    HOUSEHOLD_STATES,
    WATCHED_EVENTS,
    KnownCounty,
    known_county,
    last_complete_month,
    window_end,
)
from riskmodel.i18n import LANGUAGES, Language, both, pair

LEVEL = 0.05
MIN_BASELINE_MONTHS = 18
MIN_BASELINE_COUNT = 10  # in all the baseline: with fewer nothing can be expected (assumption)
# A past month this many standard residuals high counts less (Noufaily et al. 2013: 2.58).
OUTBREAK = 2.58
NEIGHBOURS = 2  # townships that one is looked at together with, the nearest (assumption)
GAP = 3  # months before the looked-at one that are left out: an outbreak must not be its own baseline
TRENDED = 36  # with fewer months a trend is noise (assumption)
MIN_TOWNSHIPS, MIN_HOUSEHOLDS = 5, 10  # below these a share is not compared with the others' (assumption)
SCALE_LIST = "yingjiang-2022"
# Headings of our own, for what that list does not name.
OWN = ("illness", "falls", "any")


@functools.cache
def scale_risk_headings() -> Mapping[str, Mapping[str, str]]:
    """Return the headings of scale risk, zh and en: the office's list (yingjiang-2022) and ours.

    Examples
    --------
    >>> scale_risk_headings()["industry_failure"]["en"]
    'falling prices or failed projects'
    """
    out: dict[str, Mapping[str, str]] = {}
    for name, risk in rules.load_rules(SCALE_LIST).scale_risks.items():
        key, words = risk.cause or name, pair(risk)
        out[key] = both("forecast.risks.joint", first=out[key], second=words) if key in out else words
    return out | {name: both(f"forecast.risks.{name}") for name in OWN}


@dataclass(frozen=True)
class Expected:
    """What the months looked at should bring."""

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


def expected_counts(
    past: Array, months: Array, ahead: Array, exposure: Array, filled: Array | None = None
) -> Expected:
    """Return what the months ahead should bring."""
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
        parts.append(np.tile(count_models.seasonal_terms(months), (series, 1)))
    if baseline.size >= TRENDED:
        # Never carried beyond the last baseline month: a trend that runs on hides or invents outbreaks.
        years = (np.minimum(months, baseline[-1]) - baseline.mean()) / 12
        parts.append(np.tile(years[:, None], (series, 1)))
    return np.hstack(parts)


def tail_probability(count: Array, mean: Array, variance: Array) -> Array:
    """Return the chance of so many or more: negative binomial, or Poisson where it varies no more.

    Examples
    --------
    >>> round(float(tail_probability(np.array(3.0), np.array(1.0), np.array(1.0))), 4)
    0.0803
    """
    from scipy.stats import nbinom, poisson

    x = np.rint(np.asarray(count, dtype=float))
    mu = np.maximum(np.asarray(mean, dtype=float), 1e-9)
    excess = np.asarray(variance, dtype=float) - mu
    over = excess > 1e-6 * mu
    safe = np.where(over, excess, 1.0)
    return np.where(over, nbinom.sf(x - 1, mu**2 / safe, mu / (mu + safe)), poisson.sf(x - 1, mu))


def newest_months(
    counts: Array,
    months: Array,
    townships: tuple[str, ...],
    exposure: Array,
    *,
    looks: int = 1,
    neighbours: dict[str, tuple[str, ...]] | None = None,
    filled: Array | None = None,
) -> pd.DataFrame:
    """Return every look at the newest months: each township alone and with its neighbours."""
    baseline = months.size - looks - GAP
    if baseline < MIN_BASELINE_MONTHS:
        raise UsageError(
            f"{months.size} months: {MIN_BASELINE_MONTHS + looks + GAP} are needed "
            f"to look at the last {looks}"
        )
    if counts[:, :baseline].sum() < MIN_BASELINE_COUNT:
        raise UsageError(
            f"fewer than {MIN_BASELINE_COUNT} in {baseline} months: nothing can be expected from them"
        )
    share = np.ones(months.size) if filled is None else np.asarray(filled, dtype=float)
    expectation = expected_counts(
        counts[:, :baseline], months[:baseline], months[-looks:], exposure, share[:baseline]
    )
    place = {t: k for k, t in enumerate(townships)}
    rows = []
    for township in townships:
        for members, named in _circles(township, place, neighbours):
            for h in range(looks):
                at = baseline + GAP + h
                mean, variance = expectation.of(members, h, float(share[at]))
                rows.append(
                    (township, int(months[at]), float(counts[members, at].sum()), mean, variance, named)
                )
    names = ["township", "month", "count", "expected", "variance", "with_neighbours"]
    table = pd.DataFrame(rows, columns=names)
    table["p"] = tail_probability(*(table[c].to_numpy() for c in ("count", "expected", "variance")))
    table["ratio"] = table["count"] / table["expected"]
    return table.drop(columns="variance")


def _circles(
    township: str, place: Mapping[str, int], neighbours: dict[str, tuple[str, ...]] | None
) -> list[tuple[list[int], str]]:
    """Return the circles around a township, each wider by one neighbour: members and neighbours' names."""
    near = [other for other in (neighbours or {}).get(township, ()) if other in place]
    circles = [near[:size] for size in range(len(near) + 1)]
    return [([place[name] for name in (township, *others)], ";".join(others)) for others in circles]


def outlying_shares(counts: Array, sizes: Array) -> tuple[Array, Array]:
    r"""Hold each township's share against the other townships' shares.

    With :math:`z = \arcsin\sqrt{x/n}`, a township's distance from the mean of the others, in their standard
    deviation, follows Student's t with T - 2 degrees of freedom. A township smaller than the others has more
    chance variation than they show: what it has more, :math:`1/4n`, is added.

    Examples
    --------
    >>> expected, p = outlying_shares(np.array([10.0, 12, 8, 11, 40]), np.full(5, 100.0))
    >>> [bool(v) for v in p < 0.01]
    [False, False, False, False, True]
    """
    from scipy.stats import t as student

    enough = np.flatnonzero(sizes >= MIN_HOUSEHOLDS)
    expected, p = np.full(sizes.size, np.nan), np.full(sizes.size, np.nan)
    if enough.size < MIN_TOWNSHIPS:
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


def flag_alarms(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the p-values of all looks of a run and keep the sharpest look at each township and month."""
    out = table.reset_index(drop=True)
    out["p_adjusted"] = adjust_p_values(out["p"].to_numpy(dtype=float))
    out["alarm"] = out["p_adjusted"] < LEVEL
    key = [c for c in ("what", "township", "month") if c in out]
    best = out.sort_values(["p_adjusted", "p"], kind="stable").drop_duplicates(key)
    return best.sort_index().reset_index(drop=True)


def nearest_townships(coordinates: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Return each township's nearest neighbours."""
    centre = coordinates.groupby("township", sort=True)[["lon", "lat"]].mean()
    # Degrees of longitude shrink with latitude; within a county that makes distances comparable.
    x = centre["lon"].to_numpy() * np.cos(np.radians(centre["lat"].mean()))
    y = centre["lat"].to_numpy()
    apart = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :])
    np.fill_diagonal(apart, np.inf)
    names = list(centre.index)
    order = np.argsort(apart, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(names) - 1)]
    return {names[k]: tuple(names[j] for j in order[k]) for k in range(len(names))}


def reason(main_cause: str, lang: Language) -> str:
    """Return why a township stands out, in the words of the office's list of scale risks."""
    return scale_risk_headings().get(main_cause, scale_risk_headings()["any"])[lang]


COUNTED: tuple[counts.What, ...] = ("entries", "events", "relocated")
COLUMNS = [
    "what", "township", "month", "count", "expected", "ratio", "p", "with_neighbours", "cause", "left_out",
]  # fmt: skip
LOOKS = 2  # newest months that are looked at


def early_warnings(
    county: County,
    as_of: dt.date,
    known: Counts | None = None,
    homes: HouseholdForecast | None = None,
) -> pd.DataFrame:
    """Hold every township's newest counts, its register and its expected falls against what was expected."""
    near = _neighbours(county, as_of)
    parts = [_counted(county, as_of, what, known, near) for what in COUNTED]
    parts += [_register(county, as_of), _falls(homes)]
    tables = [t[COLUMNS] for t in parts if t is not None and len(t)]
    if not tables:
        return pd.DataFrame()
    out = flag_alarms(pd.concat(tables, ignore_index=True))
    for lang in LANGUAGES:
        out[f"reason_{lang}"] = [reason(c, lang) for c in out["cause"]]
    return out.sort_values(["p_adjusted", "p", "what", "township", "month"], ignore_index=True)


def _counted(
    county: County, as_of: dt.date, what: counts.What, known: Counts | None,
    near: dict[str, tuple[str, ...]] | None,
) -> pd.DataFrame | None:  # fmt: skip
    try:
        own = known if what == "entries" else None
        series = own or counts.monthly_counts(county, as_of, what=what)
        table = newest_months(
            series.seen.sum(axis=1), series.months, series.townships, series.households, looks=LOOKS,
            neighbours=near, filled=series.filled,
        )  # fmt: skip
    except UsageError:
        # A table that is absent or empty (the outlook says so of the register), too short or too rare to
        # expect anything of: not looked at, as the warnings' table shows.
        return None
    at = [series.townships.index(t) for t in table["township"]]
    k = table["month"].to_numpy() - series.months[0]
    usual = series.cells[:, :, : -LOOKS - GAP].mean(axis=2)
    excess = series.cells[at, :, k] - usual[at]
    main_cause = [series.causes[c] for c in excess.argmax(axis=1)]
    return table.assign(
        what=what, month=[month_text(int(m)) for m in table["month"]],
        cause="relocation" if what == "relocated" else main_cause, left_out=0,
    )  # fmt: skip


def _register(county: County, as_of: dt.date) -> pd.DataFrame | None:
    """Hold the share of the monitored households that are not eliminated against the other townships'."""
    if not county.has("monitoring"):
        return None
    known = known_county(county, as_of)
    t = known.rows("monitoring")
    rows = t.filter(t.date <= t.as_of).select("household_id", "date", "event").to_pandas()
    homes = known.rows(HOUSEHOLD_STATES).select("household_id", "township").to_pandas()
    rows, homes = _on_record_alike(known, rows, homes)
    last = rows.sort_values(["date", "event"], kind="stable").drop_duplicates("household_id", keep="last")
    ever = last[last["event"].isin([*WATCHED_EVENTS, "eliminated"])].merge(homes)
    if ever.empty:
        return None
    open_still = ever["event"].ne("eliminated").groupby(ever["township"].astype(str))
    return _shares(open_still.sum(), open_still.size(), "register", "uneliminated", _month(as_of))


def _on_record_alike(
    known: KnownCounty, rows: pd.DataFrame, homes: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out townships that came on record late, and who entered before all of the others were."""
    entered = rows[rows["event"].isin(WATCHED_EVENTS)]
    first = pd.to_datetime(entered["date"]).groupby(entered["household_id"]).min()
    month = first.dt.year * 12 + first.dt.month - 1
    township = homes.set_index("household_id")["township"].astype(str)
    begun = month.groupby(township.reindex(month.index)).min()
    span = counts.one_set_of_townships(known, begun, last_complete_month(known.as_of))
    gone = {late.township for late in span.left_out}
    if span.first is not None:
        rows = rows[~rows["household_id"].isin(month.index[month < span.first])]
    return rows, homes[~homes["township"].astype(str).isin(gone)]


def _falls(homes: HouseholdForecast | None) -> pd.DataFrame | None:
    """Hold how many are expected to fall below the line by the last horizon against the other townships."""
    if homes is None:
        return None
    horizon = max(homes.lines)
    income = homes.standing["pcni"].to_numpy(dtype=float)
    township = homes.standing["township"].astype(str)
    # Whose income is not on record is not known to be above the line.
    above = (income >= homes.lines[horizon]) & ~township.isin(_shorter_records(homes)).to_numpy()
    place = township[above]
    chance = pd.Series(homes.below(horizon)[above], place.index).groupby(place)
    end = window_end(homes.as_of, horizon)
    table = _shares(chance.sum(), chance.size(), "falls", "falls", _month(end))
    unknown = township[~homes.on_record].value_counts()
    return table.assign(left_out=table["township"].map(unknown).fillna(0).astype(int))


def _shorter_records(homes: HouseholdForecast) -> list[str]:
    """Return townships most of whose households have shorter records than most of the county's."""
    t = homes.standing[homes.on_record]
    long = t["history"].isin([histories.FULL, histories.TOTALS])
    share = long.groupby(t["township"].astype(str)).mean()
    return [] if long.mean() < 0.5 else [str(name) for name in share.index[share < 0.5]]


def _shares(count: pd.Series, size: pd.Series, what: str, cause: str, month: str) -> pd.DataFrame:
    x = count.to_numpy(dtype=float)
    expected, p = outlying_shares(x, size.to_numpy(dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = x / expected
    table = pd.DataFrame(
        {"what": what, "township": count.index, "month": month, "count": x, "expected": expected,
         "ratio": ratio, "p": p, "with_neighbours": "", "cause": cause, "left_out": 0}
    )  # fmt: skip
    return table[table["p"].notna()]


def _month(day: dt.date) -> str:
    return month_text(last_complete_month(day))


def _neighbours(county: County, as_of: dt.date) -> dict[str, tuple[str, ...]] | None:
    if not county.has("coordinates"):
        return None
    where = county.table("coordinates")
    where = where.filter(where.known_on.isnull() | (where.known_on <= as_of)).select("village", "lon", "lat")
    homes = known_county(county, as_of).rows(HOUSEHOLD_STATES).select("township", "village").distinct()
    points = homes.inner_join(where, "village").select("township", "lon", "lat").to_pandas().dropna()
    return nearest_townships(points) if len(points) else None
