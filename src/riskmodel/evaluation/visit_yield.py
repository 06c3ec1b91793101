"""The yield of visits: confirmed among those who were met, by how the household came to be visited."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from riskmodel.data import County
from riskmodel.evaluation.selective_labels import weighted_rate, worst_case_bounds
from riskmodel.households import DateLike, add_months, as_moments, known_households, known_rows, to_date

Array = NDArray[np.float64]
YIELD_MONTHS = 12
SOURCES = ("rule", "model", "random", "application")
YIELD_COLUMNS = [
    "selected_by", "visits", "confirmed", "not_confirmed", "absent", "rate", "low", "high", "worst", "best",
]  # fmt: skip
WEIGHTED_YIELD_COLUMNS = ["visits", "left_out", "naive", "rate", "low", "high", "effective_n"]
# 002 (Wuhu 2019): 383 households checked, 126 confirmed. They were screened beforehand, for illness costs:
# context for an office's own yield, no target for a list drawn from everyone.
PUBLISHED_YIELD = {"confirmed": 126, "checked": 383}


def wilson_interval(hits: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Return the interval of a share by the score method.

    Parameters
    ----------
    hits, n
        Counts: how many of how many.
    level
        Of the interval.

    Returns
    -------
    tuple of arrays
        Lower and upper ends, NaN where ``n`` is 0.

    References
    ----------
    Wilson 1927; recommended for small counts by Brown, Cai & DasGupta 2001.

    Examples
    --------
    >>> [round(float(v), 3) for v in wilson_interval(126, 383)]
    [0.284, 0.378]
    """
    # statsmodels takes long to import, and only a table of visits needs it.
    from statsmodels.stats.proportion import proportion_confint

    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = proportion_confint(np.asarray(hits), np.asarray(n), alpha=1 - level, method="wilson")
    return np.asarray(low), np.asarray(high)


def yield_by_source(visits: pd.DataFrame) -> pd.DataFrame:
    """Count findings by source, with the share confirmed of those met and its interval.

    Parameters
    ----------
    visits
        ``selected_by`` (null: not said) and ``outcome``.

    Returns
    -------
    DataFrame
        `YIELD_COLUMNS`, one row a source that has visits, in the order of `SOURCES`, then visits without one
        (``unknown``). Households that were not met say nothing about the list: they are counted, and left
        out of ``rate``; ``worst`` and ``best`` bound it whatever they would have shown (Manski 1989).
        Visits are taken as independent; several of one village are not quite.
    """
    source = visits["selected_by"].fillna("unknown")
    rows = []
    for name in (*SOURCES, "unknown"):
        own = visits["outcome"][source == name].value_counts()
        counts = {o: int(own.get(o, 0)) for o in ("confirmed", "not_confirmed", "absent")}
        total = sum(counts.values())
        if total:
            met = counts["confirmed"] + counts["not_confirmed"]
            low, high = wilson_interval(counts["confirmed"], met)
            rate = counts["confirmed"] / met if met else float("nan")
            met_first = np.arange(total) < met
            bounds = worst_case_bounds(np.arange(total) < counts["confirmed"], met_first, np.ones(total))
            shares = {"rate": rate, "low": float(low), "high": float(high)}
            shares |= {"worst": bounds.precision_low, "best": bounds.precision_high}
            rows.append({"selected_by": name, "visits": total, **counts, **shares})
    return pd.DataFrame(rows, columns=YIELD_COLUMNS)


def weighted_yield(visits: pd.DataFrame) -> pd.DataFrame:
    """Estimate what visits would have found among all whom the lists could have chosen.

    Parameters
    ----------
    visits
        ``selected_by, outcome, chance`` (logged by the list; null where none was) and ``village`` (any
        code of it: villages are resampled as one).

    Returns
    -------
    DataFrame
        `WEIGHTED_YIELD_COLUMNS`, one row, or none where no visit has a logged chance. ``rate`` weights each
        answered visit by 1 / chance; who is flagged is on every list, with a chance of 1 where none was
        logged.
        ``naive`` is the same visits unweighted, ``effective_n`` how many of equal chance they are worth,
        ``left_out`` the visits that nobody drew. Households held back or beyond a list without a random
        share are represented by nobody.

    References
    ----------
    Horvitz & Thompson 1952; Hajek 1971; see `riskmodel.evaluation.selective_labels.weighted_rate`.
    """
    met = visits[visits["outcome"].isin(["confirmed", "not_confirmed"])]
    logged = met["chance"].where(met["chance"] > 0).astype(float)
    if logged.isna().all():
        return pd.DataFrame(columns=WEIGHTED_YIELD_COLUMNS)
    logged = logged.where(logged.notna() | met["selected_by"].ne("rule"), 1.0)
    used = logged.notna()
    hit = met.loc[used, "outcome"].eq("confirmed").to_numpy(dtype=float)
    rate = weighted_rate(hit, np.ones(len(hit)), logged[used], met.loc[used, "village"])
    left_out = int((~used).sum())
    row = (len(hit), left_out, rate.naive, rate.estimate, rate.low, rate.high, rate.effective_n)
    return pd.DataFrame([row], columns=WEIGHTED_YIELD_COLUMNS)


def recent_visits(county: County, as_of: DateLike, months: int = YIELD_MONTHS) -> pd.DataFrame:
    """Return the visits of the last months, as known at a date.

    Parameters
    ----------
    county
        As read.
    as_of
        Only visits made and recorded by then.
    months
        How far back.

    Returns
    -------
    DataFrame
        ``selected_by, outcome, chance, village``: what `yield_by_source` and `weighted_yield` take.
    """
    day = to_date(as_of)
    when = as_moments(day)
    seen = known_rows(county, "visits", when)
    seen = seen.filter(seen.date <= day, seen.date > add_months(day, -months))
    homes = known_households(county, when).select("household_id", "township", "village")
    rows = seen.select("household_id", "selected_by", "outcome", "chance").left_join(homes, "household_id")
    frame = county.con.to_pyarrow(rows).to_pandas()
    # Two townships may each have a village of one name; who lives nowhere known is a village alone.
    village = frame["township"].astype(str) + "\x1f" + frame["village"].astype(str)
    village = village.where(frame["village"].notna(), frame["household_id"])
    return frame.assign(village=village)[["selected_by", "outcome", "chance", "village"]]
