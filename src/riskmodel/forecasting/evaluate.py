"""How good household forecasts are: past days, every method, coverage by village and band, a classifier.

Each day's forecast is made from what was known then; what came is what is known now. A classifier learns
whether income fell below the line on equal terms (`beside`), so that the two answers can be compared.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.forecasting import beside, conformal, histories, household, methods
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.forecasting.proper import LEVELS, brier, crps, pinball
from riskmodel.households import DateLike, point_in_time

Array = NDArray[Any]
BESIDE = ["brier_same_rows", "brier_classifier", "brier_difference", "difference_low", "difference_high"]


@dataclass(frozen=True)
class Evaluation:
    """What past days showed.

    Parameters
    ----------
    rows : DataFrame
        One row a household, day, horizon and method: ``actual, crps, pinball_10, pinball_50, pinball_90,
        in_80, in_95, width_80, probability, below``, and ``band, history, village, chosen``.
    table : DataFrame
        Means by horizon and method, with ``brier``, the classifier's on the same rows, and the difference
        (distribution less classifier) with its 95 % limits over villages.
    coverage : DataFrame
        ``horizon_months, by, group, rows, coverage_80, coverage_95`` of the chosen method: by income band,
        history and village.
    """

    rows: pd.DataFrame
    table: pd.DataFrame
    coverage: pd.DataFrame


def evaluate(
    county: County,
    as_ofs: Iterable[DateLike],
    horizons: Iterable[int] = household.HORIZONS,
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    known_by: DateLike | None = None,
    seed: int = 0,
) -> Evaluation:
    """Forecast from past days and compare with what came.

    Parameters
    ----------
    county : County
    as_ofs : iterable of date
    horizons : iterable of int
    ruleset : str or RuleSet
    known_by : date, optional
        Rows recorded later are not seen; the county's ``data_through`` by default.
    seed : int

    Returns
    -------
    Evaluation

    Raises
    ------
    UsageError
        If nothing that was forecast has come yet.
    """
    seen_by = point_in_time.to_date(known_by) if known_by else county.data_through
    ahead = sorted(set(horizons))
    parts = []
    for day in [point_in_time.to_date(d) for d in as_ofs]:
        made = household.build(county, day, ahead, ruleset, seed=seed)
        parts.append(compare(county, made, seen_by, seed))
    return summarise(pd.concat(parts, ignore_index=True), seen_by)


def summarise(rows: pd.DataFrame, known_by: dt.date) -> Evaluation:
    """Return the summary of compared rows (`compare`); raises as `evaluate`."""
    if rows.empty:
        raise UsageError(f"nothing that was forecast is known by {known_by}: give earlier days")
    return Evaluation(rows, _table(rows), _coverage(rows))


def compare(county: County, made: HouseholdForecast, known_by: dt.date, seed: int = 0) -> pd.DataFrame:
    """Compare one forecast with what came, as far as it is over, late records included.

    Parameters
    ----------
    county : County
    made : HouseholdForecast
    known_by : date
    seed : int

    Returns
    -------
    DataFrame
        ``Evaluation.rows``; empty where nothing is over yet.
    """
    late = dt.timedelta(days=county.about.recording_delay_days)
    over = [h for h in made.lines if point_in_time.window_end(made.as_of, h) + late <= known_by]
    actual = histories.outcomes(county, [(made.as_of, h) for h in over], known_by)
    parts = [_rows(made, actual[actual["horizon_months"] == h], h, seed) for h in over]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _rows(made: HouseholdForecast, actual: pd.DataFrame, horizon: int, seed: int) -> pd.DataFrame:
    t = made.standing.reset_index().merge(actual, on=histories.KEY, validate="one_to_one")
    at, y = t["index"].to_numpy(), t["actual"].to_numpy(dtype=float)
    line = made.lines[horizon]
    band = conformal.band(t["pcni"].to_numpy(dtype=float), line)
    classifier = beside.probabilities(made, horizon, seed)
    parts = []
    for method in [m for m in methods.METHODS if (m, horizon) in made.distributions]:
        q = made.quantiles(horizon, LEVELS, method)[at]
        part = t[["household_id", "as_of", "township", "village", "history"]].assign(
            horizon_months=horizon, method=method, chosen=made.learned[horizon].chosen == method, band=band,
            actual=y, crps=crps(y, q), below=(y.round(9) < line).astype(float),
            probability=made.below(horizon, method)[at],
        )  # fmt: skip
        part["probability_classifier"] = np.nan if classifier is None else classifier[at]
        for level in (10, 50, 90):
            part[f"pinball_{level}"] = pinball(y, q[:, np.argmin(np.abs(LEVELS - level / 100))], level / 100)
        for level, ends in household.INTERVALS.items():
            low, high = made.quantiles(horizon, np.array(ends), method)[at].T
            part[f"in_{level}"] = ((y >= low) & (y <= high)).astype(float)
            part[f"width_{level}"] = high - low
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    names = ["crps", "pinball_10", "pinball_50", "pinball_90", "in_80", "in_95", "width_80", "width_95"]
    by = ["horizon_months", "method"]
    parts = []
    for _, g in rows.groupby(by, sort=False):
        told = g[g["probability_classifier"].notna()]
        found: dict[str, Any] = dict.fromkeys(BESIDE, np.nan)
        if len(told):
            d = beside.difference(
                told["below"], told["probability"], told["probability_classifier"], methods.villages(told)
            )
            found = dict(zip(BESIDE, d[:5], strict=True))
        parts.append(
            g[names].mean().to_dict()
            | {
                "horizon_months": g["horizon_months"].iloc[0],
                "method": g["method"].iloc[0],
                "rows": len(g),
                "brier": brier(g["below"], g["probability"]),
            }
            | found
        )
    out = pd.DataFrame(parts).rename(columns={"in_80": "coverage_80", "in_95": "coverage_95"})
    return out[[*by, "rows", *(c for c in out.columns if c not in {*by, "rows"})]]


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
