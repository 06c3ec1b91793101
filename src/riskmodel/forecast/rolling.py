"""Which method forecasts the counts: rolling origins decide, and the plain one unless it is beaten.

At each past day counts are taken as they were known then, forecast with every method, and held against what
came. The plainest method is used whose MASE is within a twentieth of the smallest: less than that, a handful
of past days cannot tell. Diebold-Mariano tests of the one-step errors, the only ones that do not overlap,
stand beside it, corrected for their number.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import asof
from riskmodel.county.county import County
from riskmodel.errors import UsageError
from riskmodel.forecast import accuracy, counts, hierarchy, series
from riskmodel.forecast.counts import Counts
from riskmodel.forecast.hierarchy import Hierarchy, Reconciled, Weighting
from riskmodel.forecast.series import Base

Array = NDArray[Any]
LEVELS = {80: (0.1, 0.9), 95: (0.025, 0.975)}
TIE = 1.05
ORDER = (*series.METHODS, "bottom_up")  # the plainest first
LEAST_MONTHS = 18
LEAST_TESTED = 5  # with fewer past days a test says nothing (assumption)


@dataclass(frozen=True)
class Backtest:
    """What rolling origins showed.

    Parameters
    ----------
    errors : DataFrame
        ``method, origin, level, township, cause, step, forecast, actual, low_80, …``, a row a step.
    table : DataFrame
        ``method, level, mase, coverage_80, coverage_95, dm, dm_p, dm_p_holm, origins``.
    chosen : str
    """

    errors: pd.DataFrame
    table: pd.DataFrame
    chosen: str


def interval(mean: Array, variance: Array, level: int) -> tuple[Array, Array]:
    """Return whole-number limits of a count: negative binomial with this mean and variance.

    A mean near zero with a large error (the same month of last year had none) says little of the shape; the
    limits are therefore never inside those of a normal error.

    Parameters
    ----------
    mean, variance : array
        Where the variance is not above the mean, Poisson.
    level : int
        80 or 95.

    Returns
    -------
    low, high : array

    Examples
    --------
    >>> [int(v) for v in interval(np.array(4.0), np.array(4.0), 95)]
    [0, 8]
    """
    from scipy.stats import nbinom, norm, poisson

    mu = np.maximum(np.asarray(mean, dtype=float), 1e-9)
    spread = np.maximum(np.asarray(variance, dtype=float), mu)
    excess = spread - mu
    size = mu**2 / np.maximum(excess, 1e-9 * mu)
    ends = []
    for p in LEVELS[level]:
        shaped = np.where(excess > 1e-6 * mu, nbinom.ppf(p, size, size / (size + mu)), poisson.ppf(p, mu))
        normal = np.maximum(np.rint(mu + norm.ppf(p) * np.sqrt(spread)), 0.0)
        ends.append(np.minimum(shaped, normal) if p < 0.5 else np.maximum(shaped, normal))
    return ends[0], ends[1]


def forecast(
    known: Counts, method: str, horizon: int, weighting: Weighting = "mint", base: Base | None = None
) -> tuple[Hierarchy, Reconciled]:
    """Forecast all series with one method and make them add up.

    Parameters
    ----------
    known : Counts
    method : str
        A key of `series.METHODS`, or any name where ``base`` is given.
    horizon : int
    weighting : {"ols", "wls", "mint"}
    base : Base, optional
        Base forecasts made elsewhere (the sum of household probabilities).

    Returns
    -------
    Hierarchy, Reconciled

    Raises
    ------
    UsageError
        If the method is unknown.
    """
    if base is None and method not in series.METHODS:
        raise UsageError(f"method {method!r}: give one of {', '.join(series.METHODS)}")
    tree = Hierarchy(known.townships, known.causes)
    found = base or series.METHODS[method](known, tree, horizon)
    made = hierarchy.reconcile(tree, found.mean, found.variance, found.errors, weighting)
    # Counting noise is no error of the mean: no reconciliation takes it away.
    return tree, Reconciled(made.mean, np.maximum(made.variance, made.mean), made.shrinkage)


def backtest(
    county: County,
    as_of: dt.date,
    horizon: int = 6,
    origins: int = 8,
    methods: Sequence[str] = tuple(series.METHODS),
    bases: Mapping[dt.date, Base] | None = None,
    exogenous: pd.DataFrame | None = None,
) -> Backtest:
    """Forecast from past days and compare with what came.

    Parameters
    ----------
    county : County
    as_of : date
        Rows recorded later are not seen, neither in the past forecasts nor in what came.
    horizon : int
        Steps ahead that are compared.
    origins : int
        How many days, a month apart, the last one ``horizon`` months before as-of.
    methods : sequence of str
    bases : mapping, optional
        Day to the base forecasts of ``bottom_up`` from that day.
    exogenous : DataFrame, optional
        See `counts.Counts`.

    Returns
    -------
    Backtest
        With too short a register the plain method, untested.
    """
    rows = []
    actual = counts.build(county, as_of)
    for k in range(origins):
        day = asof.window_end(as_of, -(horizon + k))
        if asof.last_complete_month(day) - int(actual.months[0]) + 1 < LEAST_MONTHS:
            break
        known = dataclasses.replace(as_then(counts.build(county, day), actual), exogenous=exogenous)
        for method in methods:
            tree, made = forecast(known, method, horizon)
            rows.append(_errors(method, day, tree, made, known, actual))
        if bases is not None and day in bases:
            tree, made = forecast(known, "bottom_up", horizon, base=bases[day])
            rows.append(_errors("bottom_up", day, tree, made, known, actual))
    if not rows:
        return Backtest(pd.DataFrame(), pd.DataFrame(), series.PLAIN)
    errors = pd.concat(rows, ignore_index=True)
    table, chosen = summarise(errors)
    return Backtest(errors, table, chosen)


def as_then(known: Counts, now: Counts) -> Counts:
    """Give past counts the townships and causes of today, so that series can be compared.

    Parameters
    ----------
    known, now : Counts

    Returns
    -------
    Counts
    """
    cells = np.zeros((len(now.townships), len(now.causes), known.months.size))
    for i, township in enumerate(known.townships):
        for j, cause in enumerate(known.causes):
            if township in now.townships and cause in now.causes:
                cells[now.townships.index(township), now.causes.index(cause)] = known.cells[i, j]
    return Counts(now.townships, now.causes, known.months, cells, known.filled, now.households)


def _errors(
    method: str, day: dt.date, tree: Hierarchy, made: Reconciled, known: Counts, actual: Counts
) -> pd.DataFrame:
    truth = tree.add_up(actual.bottom)
    past = tree.add_up(known.bottom)
    first = int(known.months[-1]) + 1 - int(actual.months[0])
    steps = min(made.mean.shape[1], truth.shape[1] - first)
    scale = np.array([accuracy.scaling(y) for y in past])
    parts = []
    for h in range(steps):
        part = tree.labels.assign(
            method=method, origin=pd.Timestamp(day), step=h + 1, forecast=made.mean[:, h],
            actual=truth[:, first + h], scale=scale,
        )  # fmt: skip
        for level in LEVELS:
            low, high = interval(made.mean[:, h], made.variance[:, h], level)
            part[f"low_{level}"], part[f"high_{level}"] = low, high
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def summarise(errors: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return each method's accuracy by level and the method to use.

    Parameters
    ----------
    errors : DataFrame
        See `Backtest`.

    Returns
    -------
    table : DataFrame
    chosen : str
    """
    # The same past days for all: a method that has no answer from one is not compared on it.
    everywhere = errors.groupby("origin")["method"].transform("nunique") == errors["method"].nunique()
    errors = errors[everywhere] if everywhere.any() else errors
    e = errors.assign(absolute=(errors["forecast"] - errors["actual"]).abs())
    e["scaled"] = e["absolute"] / e["scale"]
    for level in LEVELS:
        e[f"in_{level}"] = (e["actual"].round() >= e[f"low_{level}"]) & (
            e["actual"].round() <= e[f"high_{level}"]
        )
    table = (
        e.groupby(["method", "level"], sort=False)
        .agg(
            mase=("scaled", "mean"),
            mae=("absolute", "mean"),
            coverage_80=("in_80", "mean"),
            coverage_95=("in_95", "mean"),
            origins=("origin", "nunique"),
        )
        .reset_index()
    )
    tests = _against_plain(e)
    table = table.merge(tests, on="method", how="left")
    overall = table[table["level"] != "cell"].groupby("method")["mase"].mean()
    good = overall[overall <= TIE * overall.min()].index
    return table, next((m for m in ORDER if m in good), series.PLAIN)


def _against_plain(e: pd.DataFrame) -> pd.DataFrame:
    """Test every method's squared one-step errors of the county against the plain method's."""
    one = e[(e["level"] == "county") & (e["step"] == 1)]
    wide = one.assign(error=one["forecast"] - one["actual"]).pivot(
        index="origin", columns="method", values="error"
    )
    rows = []
    for method in wide.columns.drop(series.PLAIN, errors="ignore"):
        pair = wide[[method, series.PLAIN]].dropna()
        if len(pair) < LEAST_TESTED:
            continue
        found = accuracy.diebold_mariano(pair[method], pair[series.PLAIN])
        rows.append({"method": method, "dm": found.statistic, "dm_p": found.p})
    table = pd.DataFrame(rows, columns=["method", "dm", "dm_p"])
    table["dm_p_holm"] = holm(table["dm_p"].to_numpy(dtype=float))
    return table


def holm(p: Array) -> Array:
    """Return p-values adjusted for as many tests as are known (Holm, S. 1979, Scand. J. Statist. 6, 65-70).

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan])).tolist()
    [0.02, 0.04, nan]
    """
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted = p[order] * (order.size - np.arange(order.size))
    out[order] = np.minimum(np.maximum.accumulate(adjusted), 1.0) if order.size else adjusted
    return out
