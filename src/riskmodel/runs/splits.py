"""Temporal folds: what is trained on must have been over, and recorded, before the first test as-of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from riskmodel.data import County, month_end
from riskmodel.errors import InputRefused
from riskmodel.households import add_months, last_complete_month, window_end
from riskmodel.runs.experiment import Experiment


@dataclass(frozen=True)
class Fold:
    """One temporal split.

    Attributes
    ----------
    name
        Names the fold in tables: the first test as-of.
    train, test
        As-of dates.
    seen_by
        Training labels see rows recorded by this day only.
    """

    name: str
    train: tuple[dt.date, ...]
    test: tuple[dt.date, ...]
    seen_by: dt.date


def as_of_dates(exp: Experiment, county: County) -> tuple[dt.date, ...]:
    """Return the as-of dates of an experiment on this county, in order.

    Where the declaration gives none: month ends, every ``every_months`` back from the last one whose label
    window (and recording delay) is over by ``data_through``, down to ``history_months`` after the first
    month with income.
    """
    if exp.as_of.dates:
        return tuple(sorted(exp.as_of.dates))
    first_month = county.table("income").month_from.min().to_pyarrow().as_py()
    if first_month is None:
        raise InputRefused("no income row: nothing can be learned; check the income table")
    earliest = month_end(int(first_month) + exp.as_of.history_months - 1)
    last = exp.as_of.last or _last_labelled(exp, county)
    earliest = max(earliest, exp.as_of.first or earliest)
    days = []
    ordinal = last_complete_month(last)
    if exp.as_of.last is None and 12 % exp.as_of.every_months == 0:
        # Quarter, half-year and year ends stay where they are as the records grow.
        ordinal -= (ordinal + 1) % exp.as_of.every_months
    while month_end(ordinal) >= earliest:
        days.append(month_end(ordinal))
        ordinal -= exp.as_of.every_months
    if not days:
        months = exp.as_of.history_months + exp.horizon.months
        raise InputRefused(
            f"the records end on {county.data_through}: at least {months} months are needed, "
            f"{exp.as_of.history_months} of history and {exp.horizon.months} for the label"
        )
    return tuple(sorted(days))


def _last_labelled(exp: Experiment, county: County) -> dt.date:
    final = county.data_through - dt.timedelta(days=county.about.recording_delay_days)
    day = add_months(final, -exp.horizon.months)
    ordinal = last_complete_month(day)
    while window_end(month_end(ordinal), exp.horizon.months) > final:
        ordinal -= 1
    return month_end(ordinal)


def temporal_folds(exp: Experiment, county: County) -> tuple[Fold, ...]:
    """Return the temporal folds, the earliest first.

    Rolling folds test one as-of date each, the latest ones; training as-of dates end at least one horizon
    and the recording delay before it (the embargo).
    """
    days = as_of_dates(exp, county)
    delay = dt.timedelta(days=county.about.recording_delay_days)
    if exp.split.train_until and exp.split.test_from:
        return (_fixed(exp, days, delay, exp.split.train_until, exp.split.test_from),)
    out = []
    for day in days[-exp.split.folds :]:
        train = tuple(d for d in days if window_end(d, exp.horizon.months) + delay <= day)
        if train:
            out.append(Fold(day.isoformat(), train, (day,), day))
    if not out:
        raise InputRefused(
            f"as-of dates {days[0]} to {days[-1]} are too close together for a training window of "
            f"{exp.horizon.months} months before a test: a longer history is needed "
            f"(about {exp.as_of.history_months + 2 * exp.horizon.months + 1} months)"
        )
    return tuple(out)


def _fixed(
    exp: Experiment, days: tuple[dt.date, ...], delay: dt.timedelta, until: dt.date, since: dt.date
) -> Fold:
    # With ``next`` the window ends at the next observation, so labels themselves say whether it is over.
    ends = {d: d if exp.horizon.next else window_end(d, exp.horizon.months) + delay for d in days}
    over = [d for d, end in ends.items() if end <= until]
    last = exp.split.test_until or dt.date.max
    reach = exp.horizon.months if exp.split.by == "outcome" else 0
    test = [d for d in days if since <= window_end(d, reach) and d <= last]
    if not over or not test:
        raise InputRefused(f"no as-of date before {until} to train on, or none from {since} to test on")
    return Fold(since.isoformat(), tuple(over), tuple(test), until)
