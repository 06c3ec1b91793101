"""How good household forecasts are: past days, every method, coverage by village and band, a classifier.

Each day's forecast is made from what was known then; what came is what is known now.

Whether income falls below the line can be read from its forecast distribution, or be learnt directly: a
classifier answers the same question on the same rows, villages and signals (`compare_with_classifier`). On
equal terms: the package's logistic regression is fitted on the villages that boosting is fitted on and
calibrated on those that the distributions are calibrated on; on past days, halves of these take turns.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from riskmodel import models, rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.forecasting import conformal, histories, household, household_methods
from riskmodel.forecasting.accuracy import INTERVALS, LEVELS, Array, brier, pinball
from riskmodel.forecasting.household import HouseholdForecast, Learned
from riskmodel.households import DateLike, to_date, window_end
from riskmodel.models import fit_affine

CLASSIFIER = "logit"
MIN_EVENTS = 20  # to fit on; half as many to calibrate on


class Difference(NamedTuple):
    """Brier score of the distribution, of the classifier, and the first less the second with its interval."""

    distribution: float
    classifier: float
    difference: float
    low_95: float
    high_95: float
    rows: int


def brier_difference(
    y: ArrayLike, distribution: ArrayLike, classifier: ArrayLike, village: Any
) -> Difference:
    """Compare two sets of probabilities; the interval is over villages, whose households share their luck."""
    from scipy.stats import t

    hit, p, q = (np.asarray(v, dtype=float) for v in (y, distribution, classifier))
    rows = pd.DataFrame({"d": (p - hit) ** 2 - (q - hit) ** 2, "n": 1.0})
    sums = rows.groupby(np.asarray(village)).sum()
    mean, k = float(rows["d"].mean()), len(sums)
    half = float("nan")
    if k > 1:
        rest = sums["d"] - mean * sums["n"]
        half = float(t.ppf(0.975, k - 1) * np.sqrt(k / (k - 1) * (rest**2).sum()) / sums["n"].sum())
    return Difference(brier(hit, p), brier(hit, q), mean, mean - half, mean + half, len(rows))


def compare_with_classifier(learned: Learned, line: float, seed: int) -> Difference | None:
    """Compare the chosen method's probabilities with the classifier's on the held-out past rows."""
    base, held = _fitted(learned, line, seed), _holdout(learned)
    if base is None:
        return None
    y, half = _below(held, line), held["half"].to_numpy()
    if any(y[half == k].sum() < MIN_EVENTS / 2 for k in (0, 1)):
        return None
    margin, p = base.margin(household_methods.signals(held)), np.empty(len(held))
    for k in (0, 1):
        p[half == k] = _calibrated(margin[half != k], y[half != k], margin[half == k])
    return brier_difference(y, held[f"below_{learned.chosen}"], p, household_methods.villages(held))


def probabilities(forecast: HouseholdForecast, horizon: int, seed: int) -> Array | None:
    """Return the classifier's probabilities of income below the line, shape (n,)."""
    learned, line = forecast.learned[horizon], forecast.lines[horizon]
    base, held = _fitted(learned, line, seed), _holdout(learned)
    if base is None or _below(held, line).sum() < MIN_EVENTS / 2:
        return None
    _, now = household_methods.panel_and_signals(
        forecast.standing, horizon, forecast.scale, forecast.components
    )
    return _calibrated(base.margin(household_methods.signals(held)), _below(held, line), base.margin(now))


def _fitted(learned: Learned, line: float, seed: int) -> Any:
    if learned.training.empty:
        return None
    past = learned.training[learned.training["fitted"]]
    y = _below(past, line)
    if y.sum() < MIN_EVENTS:
        return None
    model = models.build_model(CLASSIFIER, seed=seed)
    return model.fit(household_methods.signals(past), y.astype(int), groups=household_methods.villages(past))


def _holdout(learned: Learned) -> pd.DataFrame:
    t = learned.training
    return t[~t["fitted"]].reset_index(drop=True) if len(t) else t


def _below(t: pd.DataFrame, line: float) -> Array:
    return (t["actual"].round(9) < line).to_numpy(dtype=float)


def _calibrated(margin: Array, y: Array, at: Array) -> Array:
    """Return probabilities at margins, calibrated by an affine map of the log-odds."""
    from scipy.special import expit

    line = fit_affine(margin, y[None, :], np.ones((1, y.size)), smooth=True)
    return np.asarray(expit(line.intercept[0] + line.slope[0] * at))


CLASSIFIER_COLUMNS = [
    "brier_same_rows",
    "brier_classifier",
    "brier_difference",
    "difference_low",
    "difference_high",
]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy of household forecasts forecast from past days.

    Parameters
    ----------
    rows
        One row a household, day, horizon and method: ``actual, crps, pinball_10, pinball_50, pinball_90,
        in_80, in_95, width_80, probability, below``, and ``band, history, village, chosen``, and how many of
        the day's households are ``left_out`` because what came of them is not on record.
    table
        Means by horizon and method, with ``brier``, the classifier's on the same rows, and the difference
        (distribution less classifier) with its 95 % limits over villages.
    coverage
        ``horizon_months, by, group, rows, coverage_80, coverage_95`` of the chosen method: by income band,
        history and village.
    """

    rows: pd.DataFrame
    table: pd.DataFrame
    coverage: pd.DataFrame


def evaluate_household_forecasts(
    county: County,
    as_ofs: Iterable[DateLike],
    horizons: Iterable[int] = household.HORIZONS,
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    known_by: DateLike | None = None,
    seed: int = 0,
) -> Evaluation:
    """Forecast from past days and compare with the incomes that followed.

    Parameters
    ----------
    county
        A county with income on record.
    as_ofs
        Days to forecast from, each with what was known then.
    horizons
        Months ahead, 1 to 12.
    ruleset
        Rule set (or its id) whose poverty line is used.
    known_by
        Rows recorded later are not seen; the county's ``data_through`` by default.
    seed
        Chooses the villages to fit and to calibrate on.

    Returns
    -------
    Evaluation
        Scores by household, and their means by horizon and method.

    Raises
    ------
    UsageError
        If no forecast period has ended by ``known_by``.
    """
    seen_by = to_date(known_by) if known_by else county.data_through
    ahead = sorted(set(horizons))
    parts = []
    for day in [to_date(d) for d in as_ofs]:
        forecast = household.forecast_households(county, day, ahead, ruleset, seed=seed)
        parts.append(compare_with_outcomes(county, forecast, seen_by, seed))
    return summarise(pd.concat(parts, ignore_index=True), seen_by)


def summarise(rows: pd.DataFrame, known_by: dt.date) -> Evaluation:
    """Return the summary of compared rows (`compare`); raises as `evaluate`."""
    if rows.empty:
        raise UsageError(f"nothing that was forecast is known by {known_by}: give earlier days")
    return Evaluation(rows, _table(rows), _coverage(rows))


def compare_with_outcomes(
    county: County, forecast: HouseholdForecast, known_by: dt.date, seed: int = 0
) -> pd.DataFrame:
    """Compare one forecast with what came, as far as it is over, late records included."""
    late = dt.timedelta(days=county.about.recording_delay_days)
    over = [h for h in forecast.lines if window_end(forecast.as_of, h) + late <= known_by]
    actual = histories.later_incomes(county, [(forecast.as_of, h) for h in over], known_by)
    parts = [_rows(forecast, actual[actual["horizon_months"] == h], h, seed) for h in over]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _rows(forecast: HouseholdForecast, actual: pd.DataFrame, horizon: int, seed: int) -> pd.DataFrame:
    there = forecast.standing["village_known"].astype(bool)
    standing = forecast.standing.reset_index()[there.to_numpy()]
    t = standing.merge(actual, on=histories.KEY, validate="one_to_one")
    at, y = t["index"].to_numpy(), t["actual"].to_numpy(dtype=float)
    line = forecast.lines[horizon]
    band = conformal.band(t["pcni"].to_numpy(dtype=float), line)
    classifier = probabilities(forecast, horizon, seed)
    parts = []
    for method in [m for m in household_methods.METHODS if (m, horizon) in forecast.distributions]:
        q = forecast.quantiles(horizon, LEVELS, method)[at]
        loss = forecast.distribution(horizon, method).take(at).crps(y, forecast.scale.back)
        part = t[["household_id", "as_of", "township", "village", "history"]].assign(
            horizon_months=horizon, method=method, band=band, actual=y,
            chosen=forecast.learned[horizon].chosen == method, crps=loss,
            below=(y.round(9) < line).astype(float), probability=forecast.below(horizon, method)[at],
            left_out=len(forecast.standing) - len(t),
        )  # fmt: skip
        part["probability_classifier"] = np.nan if classifier is None else classifier[at]
        for level in (10, 50, 90):
            part[f"pinball_{level}"] = pinball(y, q[:, np.argmin(np.abs(LEVELS - level / 100))], level / 100)
        for level, ends in INTERVALS.items():
            low, high = forecast.quantiles(horizon, np.array(ends), method)[at].T
            part[f"in_{level}"] = ((y >= low) & (y <= high)).astype(float)
            part[f"width_{level}"] = high - low
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    names = ["crps", "pinball_10", "pinball_50", "pinball_90", "in_80", "in_95", "width_80", "width_95"]
    parts = []
    for (horizon, method), g in rows.groupby(["horizon_months", "method"], sort=False):
        part: dict[str, Any] = {"horizon_months": horizon, "method": method, "rows": len(g)}
        part["left_out"] = int(g.groupby("as_of")["left_out"].first().sum())
        part |= dict(zip(names, g[names].mean(), strict=True))
        part |= {"brier": brier(g["below"], g["probability"])} | dict.fromkeys(CLASSIFIER_COLUMNS, np.nan)
        both = g[g["probability_classifier"].notna()]
        if len(both):
            chances = (both["probability"], both["probability_classifier"])
            d = brier_difference(both["below"], *chances, household_methods.villages(both))
            part |= dict(zip(CLASSIFIER_COLUMNS, d[:5], strict=True))
        parts.append(part)
    return pd.DataFrame(parts).rename(columns={"in_80": "coverage_80", "in_95": "coverage_95"})


def _coverage(rows: pd.DataFrame) -> pd.DataFrame:
    mine = rows[rows["chosen"]]
    parts = []
    for by in ("band", "history", "village"):
        part = mine.groupby(["horizon_months", by])[["in_80", "in_95"]].mean().reset_index()
        part["rows"] = mine.groupby(["horizon_months", by]).size().to_numpy()
        parts.append(
            part.rename(columns={by: "group", "in_80": "coverage_80", "in_95": "coverage_95"}).assign(by=by)
        )
    columns = ["horizon_months", "by", "group", "rows", "coverage_80", "coverage_95"]
    return pd.concat(parts, ignore_index=True)[columns]
