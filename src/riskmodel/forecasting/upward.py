"""Bottom-up counts: each household's chance of being newly monitored, summed over townships and causes.

A logistic regression on past days says how the chance of being taken into the register within twelve months
follows from a household's forecast (how far the line lies below its forecast centre), what the office knows
of risks, and its registration. The sum is dealt to months by the register's own seasons and to causes as
the township's and county's entries were.

Every day is forecast from as it was then: the line is that day's, the scale and the variance components are
its own or, for they move slowly and are dear to estimate, those of at most half a year before; a lesson
counts only where the entries of the year after it were recorded by that day. In a large county the lessons
are those of whole villages with some eight thousand households; every household is scored.
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
from riskmodel.forecasting import counts, histories, methods, negbin
from riskmodel.forecasting.counts import Counts
from riskmodel.forecasting.effects import Components
from riskmodel.forecasting.hierarchy import Hierarchy
from riskmodel.forecasting.methods import Scale
from riskmodel.forecasting.notes import Note
from riskmodel.forecasting.rolling import as_then
from riskmodel.forecasting.series import Base
from riskmodel.households import WATCHED, Moment, point_in_time

Array = NDArray[Any]
YEAR = 12
FEWEST_EVENTS = 15
LESSON_HOUSEHOLDS = 8_000  # as many as the household methods learn from
STEP, MOST_LESSONS, EARLIEST = (
    6,
    5,
    10,
)  # lessons half a year apart; the most of one day; how far back, in steps
BORROWED = 10.0  # entries of the county's mix of causes lent to each township (assumption)


def bases(
    county: County,
    days: Sequence[dt.date],
    known: Counts,
    horizon: int,
    ruleset: str | rules.RuleSet,
    seed: int = 0,
) -> tuple[dict[dt.date, Base], Note | None]:
    """Return the bottom-up base forecasts of each day for which enough entries are known.

    Parameters
    ----------
    county : County
    days : sequence of date
        As-of last.
    known : Counts
        At as-of: its townships and causes are every day's.
    horizon : int
    ruleset : str or RuleSet
        Whose line is used.
    seed : int
        Chooses the villages that are learnt from, and those that the variances are estimated on.

    Returns
    -------
    bases : dict
        Day to base forecasts.
    why_not : Note or None
        Why as-of has none.
    """
    now = days[-1]
    first = histories.first_month(county, now)
    if first is None:
        return {}, Note(
            f"sum of household chances left out: no income is recorded by {now}",
            f"农户概率加总未用：截至 {now} 没有收入记录",
        )
    used = sorted(d for d in set(days) if point_in_time.last_complete_month(d) - (YEAR - 1) >= first)
    past = [point_in_time.window_end(now, -STEP * k) for k in range(2, EARLIEST)]
    past = sorted(d for d in past if point_in_time.last_complete_month(d) - (YEAR - 1) >= first)
    late = dt.timedelta(days=county.about.recording_delay_days)
    lessons = {
        d: [p for p in past if point_in_time.window_end(p, YEAR) + late <= d][-MOST_LESSONS:] for d in used
    }
    wanted = sorted({p for found in lessons.values() for p in found})
    if not lessons.get(now):
        return {}, Note(
            f"sum of household chances left out: by {now} no year of entries is recorded that follows a year "
            "of income",
            f"农户概率加总未用：截至 {now}，没有“一年收入之后再有一年纳入登记”的完整记录",
        )
    lesson, standing = _standings(county, now, used, wanted, seed)
    out: dict[dt.date, Base] = {}
    own: Own | None = None
    for day in used:
        if not lessons[day]:
            continue
        t = standing(day)
        if own is None or point_in_time.add_months(own.day, STEP) <= day:
            own = _own(day, t, seed)
        found = _chances(county, day, t, [lesson[p] for p in lessons[day]], ruleset, own)
        if found is not None:
            out[day] = base(found, as_then(counts.build(county, day), known), horizon)
    lacking = sorted(d for d in set(days) if d not in out)
    if lacking:
        # Compared on the days of all other methods, or not at all.
        return {}, Note(
            f"sum of household chances left out: fewer than {FEWEST_EVENTS} entries follow the days that it "
            f"could learn from on {lacking[0]}, one of the days that methods are compared on",
            f"农户概率加总未用：比较时点 {lacking[0]} 可供学习的时点之后，新纳入不足 {FEWEST_EVENTS} 户",
        )
    return out, None


class Own(NamedTuple):
    """A county's scale and variances as they were on a day."""

    day: dt.date
    scale: Scale
    components: Components


def _own(day: dt.date, standing: pd.DataFrame, seed: int) -> Own:
    scale = methods.scale_of(standing)
    return Own(day, scale, methods.components_of(standing, scale, seed))


def _standings(
    county: County, now: dt.date, used: Sequence[dt.date], lessons: Sequence[dt.date], seed: int
) -> tuple[dict[dt.date, pd.DataFrame], Callable[[dt.date], pd.DataFrame]]:
    """Return the lessons' standings, and what gives the whole county's at one of the days used."""
    sample = histories.sampled(county, now, LESSON_HOUSEHOLDS, seed)
    if sample is not county:
        # One day of a large county at a time: all at once would not fit beside it.
        return _by_day(histories.build(sample, lessons, quarters=False)), (
            lambda day: histories.build(county, [day], quarters=False)
        )
    both = _by_day(histories.build(county, sorted({*used, *lessons}), quarters=False))
    return both, both.__getitem__


def _by_day(t: pd.DataFrame) -> dict[dt.date, pd.DataFrame]:
    return {stamp.date(): t[t["as_of"] == stamp].reset_index(drop=True) for stamp in t["as_of"].unique()}


def _chances(
    county: County, day: dt.date, standing: pd.DataFrame, lessons: Sequence[pd.DataFrame],
    ruleset: str | rules.RuleSet, own: Own,
) -> pd.DataFrame | None:  # fmt: skip
    scale, components = own.scale, own.components
    line = histories.line_at(county, ruleset, day, YEAR)
    past = pd.concat([looks(t, line, scale, components) for t in lessons], ignore_index=True)
    return chances(county, past, looks(standing, line, scale, components), day)


def looks(t: pd.DataFrame, line: float, scale: Scale, components: Components) -> pd.DataFrame:
    """Return what the chance of entry is read from, one row a household not in the register.

    Parameters
    ----------
    t : DataFrame
        Standings of one day.
    line : float
    scale : Scale
    components : Components

    Returns
    -------
    DataFrame
        ``household_id, as_of, township`` and float columns ``x_*``.
    """
    base = methods.panel(t, YEAR, scale, components)
    last = scale.to(t["pcni"].to_numpy(dtype=float))
    edge = float(scale.to(np.array(line)))
    out = t[["household_id", "as_of", "township"]].copy()
    out["x_ahead"] = (edge - base.centre) / base.down
    out["x_now"] = np.nan_to_num(np.clip((edge - last) / base.down, -5, 5))
    out["x_risk"] = t["has_risk"].eq(True).astype(float)
    out["x_lifted"] = t["registration"].eq("lifted").astype(float)
    return out[~t["in_register"].eq(True).to_numpy()]


def chances(county: County, past: pd.DataFrame, now: pd.DataFrame, as_of: dt.date) -> pd.DataFrame | None:
    """Return each household's chance of being newly monitored within twelve months.

    Parameters
    ----------
    county : County
    past : DataFrame
        `looks` of days whose year was over, and its entries recorded, by as-of.
    now : DataFrame
        `looks` at as-of.
    as_of : date

    Returns
    -------
    DataFrame or None
        ``household_id, township, probability``; None where fewer than 15 past entries are known.
    """
    from sklearn.linear_model import LogisticRegression

    entries = _entries(county, as_of)
    joined = past.reset_index(drop=True).reset_index().merge(entries, on="household_id")
    ends = joined["as_of"].map(
        {d: pd.Timestamp(point_in_time.window_end(d.date(), YEAR)) for d in past["as_of"].unique()}
    )
    hit = joined.loc[(joined["date"] > joined["as_of"]) & (joined["date"] <= ends), "index"].unique()
    y = np.zeros(len(past))
    y[hit] = 1
    if y.sum() < FEWEST_EVENTS:
        return None
    x = [c for c in past.columns if str(c).startswith("x_")]
    model = LogisticRegression(C=10.0, max_iter=500).fit(past[x].to_numpy(), y)
    p = model.predict_proba(now[x].to_numpy())[:, 1]
    return now[["household_id", "township"]].assign(probability=p)


def _entries(county: County, as_of: dt.date) -> pd.DataFrame:
    t = point_in_time.known(county, "monitoring", (Moment(as_of, as_of),))
    rows = t.filter(t.event.isin(WATCHED)).select("household_id", "date").to_pandas()
    return rows.assign(date=pd.to_datetime(rows["date"]))


def base(found: pd.DataFrame, known: Counts, horizon: int) -> Base:
    """Return the summed chances as base forecasts of all series.

    Parameters
    ----------
    found : DataFrame
        Of `chances`.
    known : Counts
    horizon : int

    Returns
    -------
    Base
        Errors are those of the seasonal regression, which stand in for the correlation of errors.
    """
    tree = Hierarchy(known.townships, known.causes)
    regression = negbin.fit(known, YEAR)
    year = regression.mean.sum(axis=0)
    months = year / year.sum() if year.sum() > 0 else np.full(YEAR, 1 / YEAR)
    total = found.groupby("township")["probability"].sum().reindex(list(known.townships)).fillna(0).to_numpy()
    seen = known.cells.sum(axis=2)
    county_mix = (seen.sum(axis=0) + 1e-9) / (seen.sum() + 1e-9 * seen.shape[1])
    mix = (seen + BORROWED * county_mix) / (seen.sum(axis=1, keepdims=True) + BORROWED)
    at = np.arange(horizon) % YEAR
    cells = (total[:, None] * mix)[:, :, None] * months[None, None, at]
    mean = tree.add_up(cells.reshape(-1, horizon))
    errors = (tree.add_up(known.bottom) - tree.add_up(regression.fitted)).T
    over = np.maximum(
        (errors**2).mean(axis=0) / np.maximum(tree.add_up(regression.fitted).mean(axis=1), 1e-6), 1.0
    )
    return Base(mean, np.maximum(mean, 1e-3) * over[:, None], errors)
