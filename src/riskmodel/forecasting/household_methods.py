r"""Four ways to forecast a household, and which to use: two plain ones, the panel, quantile boosting.

All work on ``z = arcsinh(2 y / unit)`` of income per head: about logarithmic for usual incomes, and defined
for losses. A method gives a centre and a scale (`conformal.Shape`); what comes of it is calibrated there.

``naive``
    the months that the new period shares with the last one, and the last quarter's rate for the others;
``seasonal_naive``
    the same months of a year ago stand for the new ones: on sums of twelve months that is the last
    accounted figure itself;
``panel``
    autoregression with household effects shrunk to the village (empirical Bayes);
``boosting``
    quantiles of what the panel left, by gradient boosting on what the office knows of the household.

The plain ones have no scale of their own and borrow the panel's; where a household has no income to carry
on, every method says what the panel says of its village. The plainest method is used that is not
significantly worse than the best one. Villages are dealt into two parts: methods are fitted on one; on the
other, halves take turns in calibrating and in being scored, so that no household is judged by its own
village's past.

The panel takes a household's accounted years, on a scale where they are about normal, as

.. math:: z_{it} = \mu_t + x_i'\beta + v_{g(i)} + b_i + u_{it}, \qquad
          corr(u_{it}, u_{is}) = \rho(|t-s|)

with a village effect v, a household effect b and an autoregressive part u. Two accounting years that are
d < 1 years apart share months, so :math:`\rho(d) = 1 - d + d\varphi`, and :math:`\rho(d) = \varphi^d` from
one year on (convex and falling, hence a correlation by Pólya's criterion). Variances come from statsmodels'
mixed model on a sample of villages, for each :math:`\varphi` of a grid after the Prais-Winsten
transformation, and the likeliest is kept. Given them the effects have a closed form (one small matrix for
each pattern of known years), which a hundred thousand households need and a test holds equal to statsmodels'
own. A household whose history has holes, is old or is missing differs only in which years are known: its
forecast moves to the village's, and its variance grows.

References
----------
Lillard, L. and Willis, R. (1978), Dynamic aspects of earning mobility, Econometrica 46, 985-1012;
Baltagi, B. and Li, Q. (1991), A transformation that will circumvent autocorrelation in an error-component
model, J. Econometrics 48, 385-393; Robinson, G. (1991), That BLUP is a good thing, Statist. Sci. 6, 15-32.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecasting import conformal
from riskmodel.forecasting.accuracy import INTERVALS, LEVELS, Array, brier, coverage, pinball
from riskmodel.forecasting.conformal import Distribution, Shape
from riskmodel.forecasting.histories import BROKEN, QUARTERS, YEARS

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
    components = Components(
        village=float(np.asarray(fit.cov_re)[0, 0]),
        household=float(fit.vcomp[0]),
        moving=float(fit.scale / (1 - phi**2)),
        phi=phi,
    )
    return float(fit.llf) + jacobian, components


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
    weights, total = np.zeros(known.shape), np.zeros(known.shape)
    left = np.full(len(known), c.household + c.moving)
    patterns = pd.DataFrame(np.column_stack([known, np.where(known, months, -1.0), horizon]))
    for rows in map(np.asarray, patterns.groupby(list(patterns.columns), sort=True).indices.values()):
        years = np.flatnonzero(known[rows[0]])
        if not years.size:
            continue
        at = months[rows[0], years]
        sigma = c.household + c.moving * c.correlation(at[:, None] - at[None, :])
        ahead = c.household + c.moving * c.correlation(horizon[rows[0]] + at)
        # A touch of the diagonal: components of zero leave nothing to invert.
        inverse = np.linalg.inv(sigma + 1e-9 * np.eye(years.size))
        weights[np.ix_(rows, years)] = ahead @ inverse
        total[np.ix_(rows, years)] = inverse.sum(axis=0)
        left[rows] = max(c.household + c.moving - float(ahead @ inverse @ ahead), 1e-9)
    return weights, left, total


METHODS = ("seasonal_naive", "naive", "panel", "boosting")  # the plainest first
TOTALS_AT = (0.0, 12.0, 24.0)
INNER = (0.1, 0.5, 0.9)
NORMAL_90 = 1.2815515655446004  # standard normal quantile: makes the inner quantiles' distance a scale
MAX_ROWS = 40_000
BOOSTING = {"max_iter": 80, "max_depth": 4, "learning_rate": 0.08, "min_samples_leaf": 40}


@dataclass(frozen=True)
class Scale:
    """The transformation: ``unit`` is the county's median income per head."""

    unit: float

    def to(self, yuan: Array) -> Array:
        """Transform incomes per head."""
        return np.arcsinh(2 * np.asarray(yuan, dtype=float) / self.unit)

    def back(self, z: Array) -> Array:
        """Transform back to yuan."""
        return np.sinh(z) * self.unit / 2


def scale_of(standing: pd.DataFrame) -> Scale:
    """Return the scale of a county: the median of known incomes per head (1 where none is positive)."""
    middle = float(standing["pcni"].median())
    return Scale(middle if middle > 0 else 1.0)


def years_of(t: pd.DataFrame, scale: Scale) -> Array:
    """Return the transformed accounted years (n, 3); a broken year is no known year."""
    z = scale.to(t[list(YEARS)].to_numpy(dtype=float))
    z[t["history"].eq(BROKEN).to_numpy(), 0] = np.nan
    return z


def covariates(t: pd.DataFrame) -> Array:
    """Return what a household's mean depends on: registration, labour, size; shape (n, 3)."""
    persons = t["persons"].fillna(0).clip(lower=1).to_numpy(dtype=float)
    labour = t["labour"].fillna(0).to_numpy(dtype=float) / persons
    lifted = t["registration"].eq("lifted").to_numpy(dtype=float)
    return np.column_stack([lifted, labour, np.log(persons)])


def villages(t: pd.DataFrame) -> NDArray[np.int64]:
    """Return village codes from 0, in sorted order."""
    names = t["township"].astype(str) + "|" + t["village"].astype(str)
    return pd.factorize(names, sort=True)[0].astype(np.int64)


def components_of(t: pd.DataFrame, scale: Scale, seed: int) -> Components:
    """Estimate the panel's variances from one day's standings; see `estimate_components`."""
    z = years_of(t, scale)
    x = covariates(t)
    return estimate_components(z, x - x.mean(axis=0), villages(t), seed)


def panel_shape(t: pd.DataFrame, horizon: int, scale: Scale, components: Components) -> Shape:
    """Forecast with household effects shrunk to the village."""
    z = years_of(t, scale)
    mean, drift = _means(z, covariates(t))
    age = t["age_months"].fillna(0).clip(lower=0).to_numpy(dtype=float)
    months = np.tile(np.array(TOTALS_AT), (len(t), 1))
    effects = predict_effects(z - mean, months, villages(t), age + horizon, components)
    centre = mean[:, 0] + drift * (age + horizon) / 12 + effects.centre
    sd = np.sqrt(effects.variance)
    return Shape(centre, sd, sd)


def _means(z: Array, x: Array) -> tuple[Array, float]:
    """Fit each year's level and common slopes by least squares; return means (n, 3) and the yearly drift."""
    centred = x - x.mean(axis=0)
    known = ~np.isnan(z)
    row, year = np.nonzero(known)
    mean = np.zeros_like(z)
    if not row.size:
        return mean, 0.0
    design = np.hstack([np.eye(z.shape[1])[year], centred[row]])
    beta = np.linalg.lstsq(design, z[row, year], rcond=None)[0]
    level = beta[: z.shape[1]]
    years: Array = np.asarray(known.any(axis=0))
    level[~years] = level[years].mean()
    if not known[:, years].all():
        level = _levels_of_the_same(z, known, level)
    mean = level[None, :] + (centred @ beta[z.shape[1] :])[:, None]
    oldest = int(np.flatnonzero(years).max())
    return mean, float((level[0] - level[oldest]) / oldest) if oldest and years[0] else 0.0


def _levels_of_the_same(z: Array, known: NDArray[np.bool_], level: Array) -> Array:
    """Return yearly levels by the mean change of those known in both years: who is counted may change."""
    out = level.copy()
    for k in range(1, z.shape[1]):
        both = known[:, 0] & known[:, k]
        if both.any():
            out[k] = out[0] - float((z[both, 0] - z[both, k]).mean())
    return out


def plain_shape(t: pd.DataFrame, horizon: int, scale: Scale, fallback: Shape, *, seasonal: bool) -> Shape:
    """Return one of the plain methods, with the panel's scale and, where it has nothing to carry on, all."""
    last = t["pcni"].where(t["history"].ne(BROKEN)).to_numpy(dtype=float)
    value = last if seasonal else _run_rate(t, horizon)
    value = np.where(np.isnan(value), last, value)
    z = scale.to(value)
    return Shape(np.where(np.isnan(z), fallback.centre, z), fallback.down, fallback.up)


def _run_rate(t: pd.DataFrame, horizon: int) -> Array:
    """Return the kept months and, for the new ones, the last quarter's rate; yuan a head."""
    quarters = t[["q0", "q1", "q2", "q3"]].to_numpy(dtype=float)
    summed = np.hstack([np.zeros((len(t), 1)), np.cumsum(quarters, axis=1)])
    # A year that ends with records that lag shares so many months fewer with the new one.
    new = np.minimum(horizon + t["age_months"].fillna(0).clip(lower=0).to_numpy(dtype=float), 12)
    at = (12 - new) / 3
    whole = at.astype(int)
    row, part = np.arange(len(t)), at - whole
    further = np.where(part > 0, part * quarters[row, whole], 0.0)
    kept = summed[row, whole] + further
    persons = t["persons"].replace(0, np.nan).to_numpy(dtype=float)
    return (kept + new / 3 * quarters[:, 0]) / persons


def boosting_features(t: pd.DataFrame, scale: Scale, base: Shape) -> pd.DataFrame:
    """Return what boosting and the classifier look at: one float column each, NaN where unknown."""
    persons = t["persons"].replace(0, np.nan).astype(float)
    a_head = {f"q{k}": t[f"q{k}"] / persons / scale.unit for k in range(QUARTERS)}
    z = years_of(t, scale)
    wage = t["income_wage"] / t["net_income"].where(t["net_income"] > 0)
    out = {
        "panel_centre": base.centre,
        "panel_sd": base.down,
        "last": z[:, 0],
        "change": z[:, 0] - z[:, 1],
        "change_before": z[:, 1] - z[:, 2],
        "quarter": a_head["q0"],
        "quarter_on_year": a_head["q0"] - a_head["q4"],
        "quarter_before_on_year": a_head["q1"] - a_head["q5"],
        "half_on_half": a_head["q0"] + a_head["q1"] - a_head["q2"] - a_head["q3"],
        "wage_share": wage.clip(upper=2),
        "rigid": t["rigid"] / persons / scale.unit,
        "persons": persons,
        "labour": t["labour"] / persons,
        "lifted": t["registration"].eq("lifted"),
        "dibao": t["dibao"],
        "in_register": t["in_register"],
        "has_risk": t["has_risk"],
        "age_months": t["age_months"],
    }
    return pd.DataFrame(
        {k: pd.to_numeric(pd.Series(v, t.index), errors="coerce") for k, v in out.items()}
    ).astype(float)


def panel_and_signals(
    t: pd.DataFrame, horizon: int, scale: Scale, components: Components
) -> tuple[Shape, pd.DataFrame]:
    """Return the panel's forecast and what boosting and the classifier look at."""
    base = panel_shape(t, horizon, scale, components)
    return base, boosting_features(t, scale, base)


def signals(past: pd.DataFrame) -> pd.DataFrame:
    """Return what boosting and the classifier look at from past rows, where it stands as ``x_*``."""
    return past.filter(regex="^x_").rename(columns=lambda c: c[2:])


@dataclass(frozen=True)
class Boosted:
    """Three quantile regressions of what the panel left."""

    models: tuple[Any, Any, Any]

    def shape(self, x: pd.DataFrame, base: Shape) -> Shape:
        """Return centre and scales; quantiles that cross are put in order (rearrangement)."""
        parts = [m.predict(x.to_numpy()) for m in self.models]
        low, middle, high = np.sort(np.column_stack(parts), axis=1).T
        # Never sharper than a twentieth of the panel's scale: a flat leaf is no certainty.
        least = base.down / 20
        down = np.maximum((middle - low) / NORMAL_90, least)
        return Shape(base.centre + middle, down, np.maximum((high - middle) / NORMAL_90, least))


def fit_boosting(x: pd.DataFrame, rest: Array, seed: int) -> Boosted:
    """Fit the quantile regressions.

    References
    ----------
    Koenker, R. and Bassett, G. (1978), Regression quantiles, Econometrica 46, 33-50; Chernozhukov, V.,
    Fernández-Val, I. and Galichon, A. (2010), Quantile and probability curves without crossing,
    Econometrica 78, 1093-1125.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    rows = np.arange(len(rest))
    if rows.size > MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))
    matrix, target = x.to_numpy()[rows], rest[rows]
    # scikit-learn cannot bin a column without any value; a constant is never split on either.
    matrix[:, np.isnan(matrix).all(axis=0)] = 0.0
    # As in `riskmodel.models.boosting`: threads that wait on each other are slow where the machine is shared.
    with threadpool_limits(limits=1, user_api="openmp"):
        models = [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=q, random_state=seed, early_stopping=False, **BOOSTING
            ).fit(matrix, target)
            for q in INNER
        ]
    return Boosted((models[0], models[1], models[2]))


SIGNIFICANT = 0.05
PINBALL = (0.1, 0.5, 0.9)
COLUMNS = [
    "method", "crps", "worse_than_best_p", *(f"pinball_{round(100 * p)}" for p in PINBALL),
    *(f"coverage_{level}" for level in INTERVALS), "brier", "rows",
]  # fmt: skip


def part_of(t: pd.DataFrame, seed: int) -> NDArray[np.int64]:
    """Deal villages (households, where there are fewer than six villages) into two parts by a checksum."""
    by = "village" if t["village"].nunique() >= 6 else "household_id"
    names = t["township"].astype(str) + "|" + t[by].astype(str)
    order = sorted(names.unique(), key=lambda n: (zlib.crc32(f"{seed}|{n}".encode()), n))
    place = {name: k for k, name in enumerate(order)}
    return (names.map(place) % 2).to_numpy(dtype=np.int64)


def select_method(
    held: pd.DataFrame,
    shapes: dict[str, Shape],
    y: Array,
    category: NDArray[np.str_],
    scale: Scale,
    line: float,
    seed: int,
) -> tuple[pd.DataFrame, str, pd.DataFrame]:
    """Choose the plainest method whose CRPS is not significantly worse than the best one's.

    Each half of the held-out villages is scored with the other half's calibration; differences are tested
    over villages (paired t, one-sided 5 %), whose households share their luck.
    """
    from scipy.stats import ttest_rel

    half = part_of(held, seed + 1)
    names = [m for m in METHODS if m in shapes]
    crossed = {m: _crossed(shapes[m], y, category, half, scale, line) for m in names}
    yuan = scale.back(y)
    losses = pd.DataFrame({m: loss for m, (_, _, loss) in crossed.items()})
    by_village = losses.groupby(villages(held)).mean()
    best = str(by_village.mean().idxmin())
    p = {
        m: 1.0
        if m == best
        else float(ttest_rel(by_village[m], by_village[best], alternative="greater").pvalue)
        for m in names
    }
    table = pd.DataFrame(
        {"method": m, "crps": float(losses[m].mean()), "worse_than_best_p": p[m], "rows": len(held)}
        | _scores(yuan, scale.back(crossed[m][0]), crossed[m][1], line)
        for m in names
    )
    chances = pd.DataFrame({"half": half} | {f"below_{m}": crossed[m][1] for m in names})
    return table[COLUMNS], next(m for m in names if not p[m] < SIGNIFICANT), chances


def _crossed(
    shape: Shape, y: Array, category: NDArray[np.str_], half: NDArray[np.int64], scale: Scale, line: float
) -> tuple[Array, Array, Array]:
    """Return each row's quantiles, chance below the line and CRPS by the other half's calibration."""
    q, below, loss = np.empty((y.size, len(LEVELS))), np.empty(y.size), np.empty(y.size)
    at_line = float(scale.to(np.array(line)))
    for k in (0, 1):
        mine = half == k
        # One part alone (a single household): it is its own calibration.
        other = ~mine if mine.any() and not mine.all() else mine
        if not mine.any():
            continue
        calibration = conformal.calibrate(shape.take(other), y[other], category[other])
        each = Distribution(shape.take(mine), category[mine], calibration)
        q[mine], below[mine] = each.quantiles(LEVELS), each.below(np.full(int(mine.sum()), at_line))
        loss[mine] = each.crps(scale.back(y[mine]), scale.back)
    return q, below, loss


def _scores(yuan: Array, quantiles: Array, below: Array, line: float) -> dict[str, float]:
    at = {p: int(np.argmin(np.abs(LEVELS - p))) for pair in (*INTERVALS.values(), PINBALL) for p in pair}
    out = {f"pinball_{round(100 * p)}": float(pinball(yuan, quantiles[:, at[p]], p).mean()) for p in PINBALL}
    for level, (low, high) in INTERVALS.items():
        out[f"coverage_{level}"] = coverage(yuan, quantiles[:, at[low]], quantiles[:, at[high]])
    return out | {"brier": brier(yuan.round(9) < line, below)}
