"""Which method forecasts the counts: rolling origins decide, and the plain one unless it is beaten.

At each past day counts are taken as they were known then, forecast with every method, and compared with what
came. The seasonal-naive method is used unless another one beats it: its MASE over all steps is smaller, and
a one-sided Diebold-Mariano test with the small-sample correction says so at 5 %, corrected for the number of
methods (Holm). A day's loss in that test is the mean scaled absolute error of the county, its causes and
its townships one step ahead: errors of one step are the only ones that do not overlap, and the mean over
series is steadier than the county's alone. Among those that beat it the plainest is used whose MASE is within
a twentieth of the smallest. `Choice` says what decided.

References
----------
Harvey, D., Leybourne, S. and Newbold, P. (1997), IJF 13, 281-291 (the correction); Timmermann, A. and Zhu, Y.
(2019), Comparing forecasting performance with panel data, CEPR DP 13746 (one test over many series).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.forecasting import accuracy, count_models
from riskmodel.forecasting.accuracy import INTERVALS, Array, adjust_p_values
from riskmodel.forecasting.count_models import REFERENCE_METHOD, BaseForecast
from riskmodel.forecasting.counts import (
    Counts,
    Hierarchy,
    Reconciled,
    counts_as_known,
    monthly_counts,
    reconcile,
)
from riskmodel.households import last_complete_month, window_end

TIE = 1.05
SIGNIFICANT = 0.05
COVERAGE = [f"coverage_{level}" for level in INTERVALS]
ORDER = (*count_models.METHODS, "bottom_up")  # the plainest first
MIN_MONTHS = 18
SETTLED = 0.98  # of a month's entries: what is counted then is taken as final (assumption)
MIN_TEST_DAYS = 5  # with fewer past days a test says nothing (assumption)


Why = Literal["untested", "plain_is_best", "not_significant", "beaten"]


@dataclass(frozen=True)
class Choice:
    """Which method is used and why."""

    method: str
    why: Why = "untested"
    rival: str = ""
    mase: float = float("nan")
    plain_mase: float = float("nan")
    p: float = float("nan")

    def __str__(self) -> str:
        """Say it in a sentence."""
        used, rival, plain = (m.replace("_", " ") for m in (self.method, self.rival, REFERENCE_METHOD))
        figures = f"MASE {self.mase:.2f} against {self.plain_mase:.2f}, Diebold-Mariano p {self.p:.3f}"
        return {
            "untested": f"{used}: with fewer than {MIN_TEST_DAYS} past days no method can be "
            "shown to beat it",
            "plain_is_best": f"{used}: no method has a smaller MASE ({self.plain_mase:.2f})",
            "not_significant": f"{used}: {rival} does not beat it ({figures})",
            "beaten": f"{used}: it beats the {plain} method ({figures})",
        }[self.why]


@dataclass(frozen=True)
class Backtest:
    """What rolling origins showed."""

    errors: pd.DataFrame
    table: pd.DataFrame
    choice: Choice

    @property
    def chosen(self) -> str:
        """The method that is used."""
        return self.choice.method

    @property
    def steps(self) -> pd.DataFrame:
        """Accuracy by step: ``method, level, step, mase, coverage_80, coverage_95, origins``, no cells."""
        if self.errors.empty:
            return pd.DataFrame()
        rows = _scored(self.errors[self.errors["level"] != "cell"])
        return _mean_accuracy(rows, ["method", "level", "step"], ["mase", *COVERAGE])


def interval(mean: Array, variance: Array, level: int) -> tuple[Array, Array]:
    """Return whole-number limits of a count: negative binomial with this mean and variance.

    A mean near zero with a large error (the same month of last year had none) says little of the shape; the
    limits are therefore never inside those of a normal error.

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
    for p in INTERVALS[level]:
        shaped = np.where(excess > 1e-6 * mu, nbinom.ppf(p, size, size / (size + mu)), poisson.ppf(p, mu))
        normal = np.maximum(np.rint(mu + norm.ppf(p) * np.sqrt(spread)), 0.0)
        ends.append(np.minimum(shaped, normal) if p < 0.5 else np.maximum(shaped, normal))
    return ends[0], ends[1]


def forecast_counts(
    known: Counts, method: str, horizon: int, base: BaseForecast | None = None
) -> tuple[Hierarchy, Reconciled]:
    """Forecast all series with one method and make them add up."""
    if base is None and method not in count_models.METHODS:
        raise UsageError(f"method {method!r}: give one of {', '.join(count_models.METHODS)}")
    tree = Hierarchy(known.townships, known.causes)
    own = base.first(horizon) if base is not None else count_models.METHODS[method](known, tree, horizon)
    forecast = reconcile(tree, own.mean, own.variance, own.errors)
    # Counting noise is no error of the mean: no reconciliation takes it away.
    return tree, Reconciled(forecast.mean, np.maximum(forecast.variance, forecast.mean))


def forecast_rows(tree: Hierarchy, forecast: Reconciled, steps: int) -> pd.DataFrame:
    """Return a forecast step by step: ``level, township, cause, step, mean, low_80, high_80, …``."""
    out = pd.concat([tree.labels.assign(step=h + 1) for h in range(steps)], ignore_index=True)
    out["mean"] = forecast.mean[:, :steps].T.ravel()
    for level in INTERVALS:
        ends = interval(out["mean"].to_numpy(), forecast.variance[:, :steps].T.ravel(), level)
        out[f"low_{level}"], out[f"high_{level}"] = ends
    return out


class Origins(NamedTuple):
    """The past days that are forecast from, the newest first, and how many steps each is tested at."""

    days: tuple[dt.date, ...]
    steps: int


def last_settled_month(known: Counts, as_of: dt.date, delay_days: int) -> int:
    """Return the last month (ordinal) whose count is taken as final."""
    short = np.flatnonzero(known.filled < SETTLED)
    by_entries = int(known.months[short[0]]) - 1 if short.size else int(known.months[-1])
    return min(by_entries, last_complete_month(as_of - dt.timedelta(days=delay_days)))


def origins_of(known: Counts, as_of: dt.date, horizon: int, origins: int, delay_days: int) -> Origins:
    """Return the past days to forecast from: what came within all their steps is settled by as-of."""
    last = last_settled_month(known, as_of, delay_days)
    room = last - int(known.months[0]) + 1 - MIN_MONTHS
    steps = min(horizon, room - min(origins, MIN_TEST_DAYS) + 1)
    if steps < 1:
        return Origins((), 0)
    back = last_complete_month(as_of) - last + steps
    number = min(origins, room - steps + 1)
    return Origins(tuple(window_end(as_of, -(back + k)) for k in range(number)), steps)


def backtest(
    county: County,
    as_of: dt.date,
    horizon: int = 6,
    origins: int = 8,
    methods: Sequence[str] = tuple(count_models.METHODS),
    bases: Mapping[dt.date, BaseForecast] | None = None,
    exogenous: pd.DataFrame | None = None,
) -> Backtest:
    """Forecast from past days and compare with what came."""
    rows = []
    actual = monthly_counts(county, as_of)
    tested = origins_of(actual, as_of, horizon, origins, county.about.recording_delay_days)
    for day in tested.days:
        then = counts_as_known(monthly_counts(county, day, like=actual), actual)
        known = dataclasses.replace(then, exogenous=exogenous)
        for method in methods:
            forecast = forecast_counts(known, method, tested.steps)
            rows.append(_errors(method, day, *forecast, known, actual))
        if bases is not None and day in bases:
            forecast = forecast_counts(known, "bottom_up", tested.steps, base=bases[day])
            rows.append(_errors("bottom_up", day, *forecast, known, actual))
    if not rows:
        return Backtest(pd.DataFrame(), pd.DataFrame(), Choice(REFERENCE_METHOD))
    errors = pd.concat(rows, ignore_index=True)
    return Backtest(errors, *summarise(errors))


def _errors(
    method: str, day: dt.date, tree: Hierarchy, forecast: Reconciled, known: Counts, actual: Counts
) -> pd.DataFrame:
    truth = tree.add_up(actual.seen.reshape(-1, actual.months.size))
    first = int(known.months[-1]) + 1 - int(actual.months[0])
    steps = min(forecast.mean.shape[1], truth.shape[1] - first)
    scale = [accuracy.scaling(y) for y in tree.add_up(known.bottom)]
    return (
        forecast_rows(tree, forecast, steps)
        .rename(columns={"mean": "forecast"})
        .assign(
            method=method, origin=pd.Timestamp(day), scale=np.tile(scale, steps),
            actual=truth[:, first : first + steps].T.ravel(),
        )
    )  # fmt: skip


def _scored(errors: pd.DataFrame) -> pd.DataFrame:
    """Return errors with the absolute and the scaled one and whether each interval held the count."""
    absolute, count = (errors["forecast"] - errors["actual"]).abs(), errors["actual"].round()
    inside = {f"coverage_{k}": count.between(errors[f"low_{k}"], errors[f"high_{k}"]) for k in INTERVALS}
    return errors.assign(mase=absolute / errors["scale"], mae=absolute, **inside)


def _mean_accuracy(rows: pd.DataFrame, by: list[str], measures: list[str]) -> pd.DataFrame:
    groups = rows.groupby(by, sort=False)
    return groups[measures].mean().assign(origins=groups["origin"].nunique()).reset_index()


def summarise(errors: pd.DataFrame) -> tuple[pd.DataFrame, Choice]:
    """Return each method's accuracy by level and the method to use."""
    # The same past days for all: a method that has no answer from one is not compared on it.
    everywhere = errors.groupby("origin")["method"].transform("nunique") == errors["method"].nunique()
    errors = errors[everywhere] if everywhere.any() else errors
    rows = _scored(errors)
    table = _mean_accuracy(rows, ["method", "level"], ["mase", "mae", *COVERAGE])
    tests = _test_against_reference(rows)
    overall = table[table["level"] != "cell"].groupby("method")["mase"].mean()
    return table.merge(tests, on="method", how="left"), choose_method(
        overall, tests.set_index("method")["dm_p_holm"]
    )


def choose_method(mase: pd.Series, p: pd.Series) -> Choice:
    """Return the method to use: the plain one unless it is beaten (see the head of this module)."""
    plain = float(mase.get(REFERENCE_METHOD, np.nan))
    smaller = mase[mase < plain].sort_values(kind="stable")
    if p.dropna().empty:
        return Choice(REFERENCE_METHOD)
    if smaller.empty:
        return Choice(REFERENCE_METHOD, "plain_is_best", plain_mase=plain)
    won = smaller[p.reindex(smaller.index) < SIGNIFICANT]
    if won.empty:
        best = str(smaller.index[0])
        tested = float(p.get(best, np.nan))
        return Choice(REFERENCE_METHOD, "not_significant", best, float(smaller.iloc[0]), plain, tested)
    good = set(won[won <= TIE * won.min()].index)
    used = next((m for m in ORDER if m in good), str(won.index[0]))
    return Choice(used, "beaten", used, float(won[used]), plain, float(p[used]))


def _test_against_reference(e: pd.DataFrame) -> pd.DataFrame:
    """Test whether a method's one-step losses, averaged over series, are smaller than the plain method's."""
    one = e[(e["level"] != "cell") & (e["step"] == 1)]
    wide = one.groupby(["origin", "level", "method"])["mase"].mean().groupby(["origin", "method"]).mean()
    losses = wide.unstack("method")
    rows = []
    for method in losses.columns.drop(REFERENCE_METHOD, errors="ignore"):
        pair = losses[[method, REFERENCE_METHOD]].dropna()
        if len(pair) < MIN_TEST_DAYS:
            continue
        test = accuracy.diebold_mariano(pair[method], pair[REFERENCE_METHOD], power=1)
        one_sided = test.p / 2 if test.statistic < 0 else 1 - test.p / 2
        rows.append({"method": method, "dm": test.statistic, "dm_p": one_sided})
    table = pd.DataFrame(rows, columns=["method", "dm", "dm_p"])
    table["dm_p_holm"] = adjust_p_values(table["dm_p"].to_numpy(dtype=float), "holm")
    return table
