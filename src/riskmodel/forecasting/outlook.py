"""The whole outlook of a county at one as-of: households, counts, townships, warnings; how good they are."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from riskmodel import rules
from riskmodel.data import County, month_text, snapshot_message
from riskmodel.errors import UsageError
from riskmodel.forecasting import (
    count_models,
    counts,
    household,
    household_evaluation,
    rolling_origin,
    warning,
)
from riskmodel.forecasting.counts import Counts, Hierarchy
from riskmodel.forecasting.household import HORIZONS, HouseholdForecast
from riskmodel.forecasting.rolling_origin import Backtest
from riskmodel.households import DateLike, last_complete_month, to_date, window_end
from riskmodel.i18n import Message, Nouns

BOTTOM_UP, REGRESSION = "bottom_up", "negbin"
SHOWN_MONTHS = 24


@dataclass(frozen=True)
class Outlook:
    """Forecasts of a county.

    Parameters
    ----------
    as_of
        Day up to which rows are known.
    horizon
        Months ahead.
    households
        Forecast of every household's income per head.
    townships
        Households and persons below the line and yuan to close the gap, by horizon
        (`household.households_below_line`).
    counts
        ``level, township, cause, month, step, mean, low_80, …``: newly monitored households; empty without
        a register.
    past
        ``level, township, cause, month, count, filled``: counts on record, and the share entered so far.
    backtest
        Comparison of the count methods on past days; None without a register.
    method
        Method chosen for the counts.
    warnings
        Early warnings by township and month (`warning.early_warnings`).
    notes
        What could not be done as usual.
    classifier
        ``horizon_months, method, distribution, classifier, difference, low_95, high_95, rows``: Brier scores
        of falling below the line on held-out past rows (`household_evaluation.compare_with_classifier`).
    nouns
        What is counted and where, for words.
    """

    as_of: dt.date
    horizon: int
    households: HouseholdForecast
    townships: pd.DataFrame
    counts: pd.DataFrame
    past: pd.DataFrame
    backtest: Backtest | None
    method: str
    warnings: pd.DataFrame
    notes: tuple[Message, ...]
    classifier: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    nouns: Nouns = dataclasses.field(default_factory=Nouns)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Everything that is written, by file name."""
        out = {
            "households": self.households.table,
            "records": self.households.records,
            "townships": self.townships,
            "counts": self.counts,
            "past": self.past,
            "warnings": self.warnings,
            "methods": self.methods,
            "classifier": self.classifier,
        }
        if self.backtest is not None and len(self.backtest.table):
            out["backtest"] = self.backtest.table
            out["backtest-steps"] = self.backtest.steps
        return {name: t for name, t in out.items() if len(t)}

    @property
    def methods(self) -> pd.DataFrame:
        """How the household methods compared on past days: ``horizon_months, method, crps, …, chosen``."""
        parts = [
            learned.selection.assign(horizon_months=h, chosen=learned.selection["method"] == learned.chosen)
            for h, learned in self.households.learned.items()
        ]
        return pd.concat(parts, ignore_index=True)


def forecast(
    county: County,
    as_of: DateLike,
    horizon: int = 12,
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    seed: int = 0,
    origins: int = 8,
    bottom_up: bool = True,
    exogenous: pd.DataFrame | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Outlook:
    """Forecast households, counts and townships, and look for clusters of trouble.

    Parameters
    ----------
    county
        The county's tables; rows recorded after as-of are not used.
    as_of
        From when on is forecast, a date or ``YYYY-MM-DD``.
    horizon
        Months ahead, 1 to 12: households at 3, 6, 12 months up to it and at itself; counts month by month.
    ruleset
        Whose line is used.
    seed
        Of sampling and of splits; the same seed gives the same forecast.
    origins
        Past days that the methods for counts are compared on.
    bottom_up
        Whether the sum of household probabilities is among them (slow: household accounts of all days).
    exogenous
        Series that are known ahead, for the regression: a column ``month`` (``YYYY-MM``) and one each, for
        every month on record and ahead, without gaps.
    progress
        Called with a line of text before each long step.

    Returns
    -------
    Outlook
        Household distributions in yuan a head, expected counts with 80 and 95 % intervals, early warnings,
        and how the methods compared on past dates.

    Raises
    ------
    UsageError
        If the horizon is out of range or no household is known.
    """
    day = to_date(as_of)
    check_horizon(horizon)
    series_known = check_known_series(exogenous)
    ahead = horizons(horizon)
    progress(f"households: income per head {', '.join(map(str, ahead))} months ahead")
    homes = household.forecast_households(county, day, ahead, ruleset, seed=seed)
    townships = pd.concat(
        [household.households_below_line(homes, h, seed=seed) for h in ahead], ignore_index=True
    )
    classifier, notes = _classifier(homes, seed), list(homes.notes)
    snapshot = snapshot_message(county, day)
    notes += [snapshot] if snapshot else []
    try:
        known = counts.monthly_counts(county, day)
    except UsageError as exc:
        notes.append(Message("forecast.messages.no_register", {"why": str(exc)}))
        nothing = pd.DataFrame()
        return Outlook(
            day, horizon, homes, townships, nothing, nothing, None, "none", nothing, tuple(notes), classifier,
            Nouns.of(county.about),
        )  # fmt: skip
    known = dataclasses.replace(known, exogenous=series_known)
    known.known_ahead(horizon)  # a series that ends too soon is told before anything is fitted
    notes += _said_of_series(known, day)
    progress(
        f"counts: {len(known.townships)} townships × {len(known.causes)} causes, {known.months.size} months"
    )
    ahead_counts, tested, method = _counts(
        county, day, horizon, known, ruleset, origins, bottom_up, seed, notes
    )
    if series_known is not None and method != REGRESSION:
        names = ", ".join(series_known.columns)
        notes.append(
            Message("forecast.messages.series_unused", {"names": names, "method": method.replace("_", " ")})
        )
    warnings = warning.early_warnings(county, day, known, homes)
    if warnings.empty or not warnings["what"].isin(warning.COUNTED).any():
        notes.append(Message("forecast.messages.no_own_past"))
    return Outlook(
        day, horizon, homes, townships, ahead_counts, _past(known), tested, method, warnings, tuple(notes),
        classifier, Nouns.of(county.about),
    )  # fmt: skip


def _said_of_series(known: Counts, day: dt.date) -> list[Message]:
    """Say where the register's series ends before as-of, and whom it leaves out."""
    notes = []
    if known.months[-1] < last_complete_month(day):
        ends = month_text(int(known.months[-1]))
        notes.append(Message("forecast.messages.series_ends", {"month": ends}))
    if known.left_out:
        named = ", ".join(
            f"{late.township} ({late.since + ', ' if late.since else ''}{late.households})"
            for late in known.left_out
        )
        notes.append(Message("forecast.messages.late_townships", {"named": named}))
    return notes


def _classifier(homes: HouseholdForecast, seed: int) -> pd.DataFrame:
    differences = {
        h: household_evaluation.compare_with_classifier(each, homes.lines[h], seed)
        for h, each in homes.learned.items()
    }
    return pd.DataFrame(
        {"horizon_months": h, "method": homes.learned[h].chosen, **d._asdict()}
        for h, d in differences.items()
        if d is not None
    )


def check_known_series(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return series that are known ahead by month ordinal."""
    if table is None:
        return None
    if "month" not in table or len(table.columns) < 2:
        raise UsageError("known series: give a column month (YYYY-MM) and at least one column of numbers")
    try:
        stamp = pd.to_datetime(table["month"].astype(str), format="%Y-%m")
        numbers = table.drop(columns="month").apply(pd.to_numeric)
    except (ValueError, TypeError) as exc:
        raise UsageError(f"known series: {exc}; months as YYYY-MM, all else numbers") from exc
    out = numbers.set_axis((stamp.dt.year * 12 + stamp.dt.month - 1).to_numpy(), axis=0)
    if out.index.has_duplicates:
        raise UsageError("known series: a month stands twice; give each once")
    # On one scale, so that no series outweighs the others in the fit.
    return (out - out.mean()) / out.std().replace(0, 1)


def horizons(horizon: int) -> list[int]:
    """Return the months ahead that households are forecast for: 3, 6, 12 up to a horizon, and itself."""
    return sorted({h for h in HORIZONS if h <= horizon} | {horizon})


def check_past(county: County, past: Iterable[dt.date], known_by: dt.date, horizon: int) -> None:
    """Raise UsageError for a past day from which nothing that was forecast is over by a day."""
    late = dt.timedelta(days=county.about.recording_delay_days)
    shortest = horizons(horizon)[0]
    for day in past:
        over = window_end(day, shortest) + late
        if over > known_by:
            raise UsageError(
                f"check {day}: what came {shortest} months on is whole by {over}, after {known_by}; "
                f"give {window_end(known_by - late, -shortest)} or before"
            )


def check_horizon(horizon: int) -> None:
    """Raise UsageError unless a horizon is 1 to 12 months."""
    if not 1 <= horizon <= household.LONGEST:
        raise UsageError(f"horizon {horizon}: give months from 1 to {household.LONGEST}")


def _counts(
    county: County, day: dt.date, horizon: int, known: Counts, ruleset: str | rules.RuleSet, origins: int,
    bottom_up: bool, seed: int, notes: list[Message],
) -> tuple[pd.DataFrame, Backtest, str]:  # fmt: skip
    delay = county.about.recording_delay_days
    past = rolling_origin.origins_of(known, day, horizon, origins, delay)
    bases: dict[dt.date, count_models.BaseForecast] = {}
    if bottom_up:
        bases, why_not = count_models.bottom_up_forecasts(
            county, [*past.days, day], known, horizon, ruleset, seed
        )
        notes += [why_not] if why_not else []
    if past.steps < horizon:
        notes.append(Message("forecast.messages.short_register", {"months": horizon, "tested": past.steps}))
    tested = rolling_origin.backtest(county, day, horizon, origins, bases=bases, exogenous=known.exogenous)
    method = (
        tested.chosen
        if tested.chosen in count_models.METHODS or day in bases
        else count_models.REFERENCE_METHOD
    )
    base = bases.get(day) if method == BOTTOM_UP else None
    forecast = rolling_origin.forecast_counts(known, method, horizon, base=base)
    table = rolling_origin.forecast_rows(*forecast, horizon)
    table.insert(3, "month", [month_text(int(known.months[-1]) + step) for step in table["step"]])
    table.insert(5, "method", method)
    return table, tested, method


def _past(known: Counts) -> pd.DataFrame:
    tree = Hierarchy(known.townships, known.causes)
    y = tree.add_up(known.bottom)
    keep = min(SHOWN_MONTHS, known.months.size)
    parts = [
        tree.labels.assign(month=month_text(int(known.months[k])), count=y[:, k], filled=known.filled[k])
        for k in range(known.months.size - keep, known.months.size)
    ]
    return pd.concat(parts, ignore_index=True)
