"""Bottom-up counts: each household's chance of being newly monitored, summed over townships and causes.

A logistic regression on past days says how the chance of being taken into the register within twelve months
follows from a household's forecast (how far the line lies below its forecast centre), what the office knows
of risks, and its registration. The sum is dealt to months by the register's own seasons and to causes as
the township's and county's entries were.

Every day is forecast from as it was then: the line is that day's, the scale and the variance components are
its own or, because they move slowly and are costly to estimate, those of at most half a year before; a
training day counts only where the entries of the year after it were recorded by that day. In a large county
models train on whole villages with some eight thousand households; every household is scored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import rules
from riskmodel.data import County
from riskmodel.forecasting import count_models, counts, histories, household_methods
from riskmodel.forecasting.count_models import BaseForecast
from riskmodel.forecasting.counts import Counts, Hierarchy, counts_as_known
from riskmodel.forecasting.household_methods import Scale
from riskmodel.forecasting.panel_effects import Components
from riskmodel.households import (
    WATCHED_EVENTS,
    Moment,
    add_months,
    known_rows,
    last_complete_month,
    window_end,
)
from riskmodel.i18n import Message

Array = NDArray[Any]
YEAR = 12
MIN_EVENTS = 15
TRAINING_HOUSEHOLDS = 8_000  # as many as the household methods learn from
STEP, MAX_TRAINING_DAYS, EARLIEST = (
    6,
    5,
    10,
)  # training days half a year apart; the most of one day; how far back, in steps
COUNTY_PRIOR_ENTRIES = 10.0  # entries of the county's mix of causes lent to each township (assumption)


def bottom_up_forecasts(
    county: County,
    days: Sequence[dt.date],
    known: Counts,
    horizon: int,
    ruleset: str | rules.RuleSet,
    seed: int = 0,
) -> tuple[dict[dt.date, BaseForecast], Message | None]:
    """Return the bottom-up base forecasts of each day for which enough entries are known."""
    now = days[-1]
    first = histories.first_month(county, now)
    if first is None:
        return {}, Message("forecast.messages.bottom_up_no_income", {"day": str(now)})
    used = sorted(d for d in set(days) if last_complete_month(d) - (YEAR - 1) >= first)
    past = [window_end(now, -STEP * k) for k in range(2, EARLIEST)]
    past = sorted(d for d in past if last_complete_month(d) - (YEAR - 1) >= first)
    late = dt.timedelta(days=county.about.recording_delay_days)
    training_days = {
        d: [p for p in past if window_end(p, YEAR) + late <= d][-MAX_TRAINING_DAYS:] for d in used
    }
    wanted = sorted({p for found in training_days.values() for p in found})
    if not training_days.get(now):
        return {}, Message("forecast.messages.bottom_up_no_year", {"day": str(now)})
    training, standing = _standings(county, now, used, wanted, seed)
    out: dict[dt.date, BaseForecast] = {}
    own: DayScale | None = None
    for day in used:
        if not training_days[day]:
            continue
        t = standing(day)
        if own is None or add_months(own.day, STEP) <= day:
            own = _day_scale(day, t, seed)
        found = _below_line_probabilities(
            county, day, t, [training[p] for p in training_days[day]], ruleset, own
        )
        if found is not None:
            out[day] = base_forecast(
                found, counts_as_known(counts.monthly_counts(county, day), known), horizon
            )
    lacking = sorted(d for d in set(days) if d not in out)
    if lacking:
        # Compared on the days of all other methods, or not at all.
        return {}, Message("forecast.messages.bottom_up_few", {"fewest": MIN_EVENTS, "day": str(lacking[0])})
    return out, None


class DayScale(NamedTuple):
    """A county's scale and variances as they were on a day."""

    day: dt.date
    scale: Scale
    components: Components


def _day_scale(day: dt.date, standing: pd.DataFrame, seed: int) -> DayScale:
    scale = household_methods.scale_of(standing)
    return DayScale(day, scale, household_methods.components_of(standing, scale, seed))


def _standings(
    county: County, now: dt.date, used: Sequence[dt.date], training_days: Sequence[dt.date], seed: int
) -> tuple[dict[dt.date, pd.DataFrame], Callable[[dt.date], pd.DataFrame]]:
    """Return the histories of training days, and what gives the whole county's at one of the days used."""
    sample = histories.sample_households(county, now, TRAINING_HOUSEHOLDS, seed)
    if sample is not county:
        # One day of a large county at a time: all at once would not fit beside it.
        return _by_day(histories.household_histories(sample, training_days, quarters=False)), (
            lambda day: histories.household_histories(county, [day], quarters=False)
        )
    both = _by_day(histories.household_histories(county, sorted({*used, *training_days}), quarters=False))
    return both, both.__getitem__


def _by_day(t: pd.DataFrame) -> dict[dt.date, pd.DataFrame]:
    return {stamp.date(): t[t["as_of"] == stamp].reset_index(drop=True) for stamp in t["as_of"].unique()}


def _below_line_probabilities(
    county: County, day: dt.date, standing: pd.DataFrame, training: Sequence[pd.DataFrame],
    ruleset: str | rules.RuleSet, own: DayScale,
) -> pd.DataFrame | None:  # fmt: skip
    scale, components = own.scale, own.components
    line = histories.line_at(county, ruleset, day, YEAR)
    past = pd.concat([as_of_features(t, line, scale, components) for t in training], ignore_index=True)
    return entry_probabilities(county, past, as_of_features(standing, line, scale, components), day)


def as_of_features(t: pd.DataFrame, line: float, scale: Scale, components: Components) -> pd.DataFrame:
    """Return what the chance of entry is read from, one row a household not in the register."""
    base = household_methods.panel_shape(t, YEAR, scale, components)
    last = scale.to(t["pcni"].to_numpy(dtype=float))
    edge = float(scale.to(np.array(line)))
    out = t[["household_id", "as_of", "township"]].copy()
    out["x_ahead"] = (edge - base.centre) / base.down
    out["x_now"] = np.nan_to_num(np.clip((edge - last) / base.down, -5, 5))
    out["x_risk"] = t["has_risk"].eq(True).astype(float)
    out["x_lifted"] = t["registration"].eq("lifted").astype(float)
    return out[~t["in_register"].eq(True).to_numpy()]


def entry_probabilities(
    county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date
) -> pd.DataFrame | None:
    """Return each household's chance of being newly monitored within twelve months."""
    from sklearn.linear_model import LogisticRegression

    entries = _entries(county, as_of)
    joined = past.reset_index(drop=True).reset_index().merge(entries, on="household_id")
    ends = joined["as_of"].map({d: pd.Timestamp(window_end(d.date(), YEAR)) for d in past["as_of"].unique()})
    hit = joined.loc[(joined["date"] > joined["as_of"]) & (joined["date"] <= ends), "index"].unique()
    y = np.zeros(len(past))
    y[hit] = 1
    if y.sum() < MIN_EVENTS:
        return None
    x = [c for c in past.columns if str(c).startswith("x_")]
    model = LogisticRegression(C=10.0, max_iter=500).fit(past[x].to_numpy(), y)
    p = model.predict_proba(now[x].to_numpy())[:, 1]
    return now[["household_id", "township"]].assign(probability=p)


def _entries(county: County, as_of: dt.date) -> pd.DataFrame:
    t = known_rows(county, "monitoring", (Moment(as_of, as_of),))
    rows = t.filter(t.event.isin(WATCHED_EVENTS)).select("household_id", "date").to_pandas()
    return rows.assign(date=pd.to_datetime(rows["date"]))


def base_forecast(probabilities: pd.DataFrame, known: Counts, horizon: int) -> BaseForecast:
    """Return the summed chances as base forecasts of all series."""
    tree = Hierarchy(known.townships, known.causes)
    seasonal = count_models.fit(known, YEAR)
    year = seasonal.mean.sum(axis=0)
    months = year / year.sum() if year.sum() > 0 else np.full(YEAR, 1 / YEAR)
    total = (
        probabilities.groupby("township")["probability"]
        .sum()
        .reindex(list(known.townships))
        .fillna(0)
        .to_numpy()
    )
    seen = known.cells.sum(axis=2)
    county_mix = (seen.sum(axis=0) + 1e-9) / (seen.sum() + 1e-9 * seen.shape[1])
    mix = (seen + COUNTY_PRIOR_ENTRIES * county_mix) / (
        seen.sum(axis=1, keepdims=True) + COUNTY_PRIOR_ENTRIES
    )
    at = np.arange(horizon) % YEAR
    cells = (total[:, None] * mix)[:, :, None] * months[None, None, at]
    mean = tree.add_up(cells.reshape(-1, horizon))
    errors = (tree.add_up(known.bottom) - tree.add_up(seasonal.fitted)).T
    over = np.maximum(
        (errors**2).mean(axis=0) / np.maximum(tree.add_up(seasonal.fitted).mean(axis=1), 1e-6), 1.0
    )
    return BaseForecast(mean, np.maximum(mean, 1e-3) * over[:, None], errors)
