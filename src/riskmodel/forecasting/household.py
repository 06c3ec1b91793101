r"""Where each household will stand, 3, 6, 12 months ahead, and how many in a county will be below the line.

Methods are fitted on some villages and calibrated on the others, at past days whose outcomes are known by
as-of; the plainest method that is not significantly worse than the best is used (`select_method`). Scores of
past days in other months of the year are brought to the spread of as-of's (`conformal.seasonal`), and
intervals are widened for the common shock of a year that none of the past days has seen
(`conformal.widening_factor`).

Households share shocks: a bad year lowers all of a county, a bad harvest all of a township. In the sums of
townships and county their ranks in their own forecast distributions are therefore drawn together,

.. math:: u_i = \Phi(\sqrt{\rho_c} C + \sqrt{\rho_t} T_{g(i)} + \sqrt{1 - \rho_c - \rho_t}\, e_i)

with the two shares estimated from how past days and townships came out together. The county's share is
counted once more divided by the number K of past years, because the forecast was set by K such years.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.forecasting import conformal, histories, household_methods
from riskmodel.forecasting.accuracy import INTERVALS, LEVELS, Array
from riskmodel.forecasting.conformal import CommonShock, Distribution, Shape
from riskmodel.forecasting.counts import ALL
from riskmodel.forecasting.household_methods import METHODS, Boosted, Components, Scale
from riskmodel.households import DateLike, to_date, window_end
from riskmodel.i18n import Message

HORIZONS = (3, 6, 12)
LONGEST = 12
TRAINING_HOUSEHOLDS = 8_000
MIN_TRAINING_ROWS, MIN_BOOSTING_ROWS = 60, 400
UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True)
class Learned:
    """What was learnt for one horizon: the boosted part, each method's calibration, the comparison.

    ``scores`` are the calibration rows' normal scores in the chosen method's distribution, with day and
    township; ``training`` all past rows with what the methods looked at (``x_*``), whether they were fitted
    on and, where not, each method's chance below the line (`household_methods.select_method`).
    """

    boosted: Boosted | None
    calibrations: dict[str, conformal.Calibration]
    selection: pd.DataFrame
    chosen: str
    training: pd.DataFrame = field(repr=False)
    scores: tuple[Array, Any, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HouseholdForecast:
    """Forecasts of every household at one as-of.

    Parameters
    ----------
    as_of
        Day of which rows are known; forecasts begin the day after.
    standing
        Households with their income history at as-of, one row each.
    scale
        Transformation between yuan a head and year and the scale that methods work on.
    components
        Variances of the panel model.
    lines
        Horizon to line, yuan.
    learned
        Horizon to `Learned`.
    distributions
        ``(method, horizon)`` to `Distribution`, on the transformed scale.
    notes
        What could not be done as usual.
    """

    as_of: dt.date
    standing: pd.DataFrame
    scale: Scale
    components: Components
    lines: dict[int, float]
    learned: dict[int, Learned]
    distributions: dict[tuple[str, int], Distribution]
    notes: tuple[Message, ...]

    def distribution(self, horizon: int, method: str | None = None) -> Distribution:
        """Return the distribution of one horizon, by the chosen method unless one is named."""
        return self.distributions[method or self.learned[horizon].chosen, horizon]

    def quantiles(self, horizon: int, levels: Array = LEVELS, method: str | None = None) -> Array:
        """Return quantiles of income per head in yuan, shape (n, levels)."""
        return self.scale.back(self.distribution(horizon, method).quantiles(np.asarray(levels)))

    def below(self, horizon: int, method: str | None = None) -> Array:
        """Return the probability of income per head below the line, shape (n,)."""
        at = np.full(len(self.standing), float(self.scale.to(np.array(self.lines[horizon]))))
        return self.distribution(horizon, method).below(at)

    @property
    def table(self) -> pd.DataFrame:
        """One row per household and horizon, as it is written."""
        parts = [self._table(h) for h in self.lines]
        return pd.concat(parts, ignore_index=True)

    def _table(self, horizon: int) -> pd.DataFrame:
        t = self.standing
        ends = sorted({0.5, *(e for pair in INTERVALS.values() for e in pair)})
        q = dict(zip(ends, self.quantiles(horizon, np.array(ends)).T, strict=True))
        distribution = self.distribution(horizon)
        out = t[
            ["household_id", "township", "village", "as_of", "persons", "history", "income_basis", "pcni"]
        ].copy()
        out["horizon_months"] = horizon
        out["period_end"] = pd.Timestamp(window_end(self.as_of, horizon))
        out["method"] = self.learned[horizon].chosen
        out["pcni_median"] = q[0.5]
        for level, (low, high) in INTERVALS.items():
            out[f"low_{level}"], out[f"high_{level}"] = q[low], q[high]
        out["line"] = self.lines[horizon]
        out["probability_below"] = self.below(horizon)
        out["calibrated_on"] = distribution.category
        return out


def forecast_households(
    county: County,
    as_of: DateLike,
    horizons: Iterable[int] = HORIZONS,
    ruleset: str | rules.RuleSet = "national-2021",
    *,
    seed: int = 0,
    method: str | None = None,
    training_households: int = TRAINING_HOUSEHOLDS,
) -> HouseholdForecast:
    """Forecast every household's income per head from what was known at as-of.

    Parameters
    ----------
    county
        A county with income on record.
    as_of
        Day up to which rows are known; a date or ISO text.
    horizons
        Months ahead, 1 to 12: the accounting period of 12 months that ends so many months after as-of.
    ruleset
        Whose line is used.
    seed
        Chooses the villages to fit and to calibrate on.
    method
        One of `household_methods.METHODS`; by default chosen on past days.
    training_households
        Methods learn from whole villages with about so many households.

    Returns
    -------
    HouseholdForecast
        Distributions of yearly income per head in yuan; ``table`` has one row a household and horizon.

    Raises
    ------
    UsageError
        If a horizon or method is unknown, or no household is known at as-of.
    """
    day = to_date(as_of)
    ahead = sorted(set(horizons))
    if not ahead or ahead[0] < 1 or ahead[-1] > LONGEST:
        raise UsageError(f"horizons {ahead}: give months from 1 to {LONGEST}, such as 3, 6, 12")
    if method is not None and method not in METHODS:
        raise UsageError(f"method {method!r}: give one of {', '.join(METHODS)}")
    past = {h: histories.forecast_origins(county, day, h) for h in ahead}
    days = sorted(set(itertools.chain.from_iterable(past.values())))
    sample = histories.sample_households(county, day, training_households, seed)
    standing, training = _standings(county, sample, day, days)
    scale = household_methods.scale_of(standing)
    # Four numbers, from as-of's own past: it alone has three years behind it in a young county.
    components = household_methods.components_of(standing, scale, seed)
    later = histories.later_incomes(sample, [(o, h) for h in ahead for o in past[h]], day)
    lines: dict[int, float] = {}
    learned: dict[int, Learned] = {}
    out: dict[tuple[str, int], Distribution] = {}
    notes: list[Message] = []
    for h in ahead:
        lines[h] = histories.line_at(county, ruleset, day, h)
        actual = later[later["horizon_months"] == h].drop(columns="horizon_months")
        learned[h] = _learn(training, actual, day, h, scale, components, lines[h], seed, method)
        notes += _doubts(learned[h], h, day)
        base, x = household_methods.panel_and_signals(standing, h, scale, components)
        shapes = _shapes(standing, h, scale, base, x, learned[h].boosted)
        for name, shape in shapes.items():
            out[name, h] = _distribution(standing, shape, learned[h].calibrations.get(name), lines[h])
    return HouseholdForecast(day, standing, scale, components, lines, learned, out, tuple(notes))


def _doubts(learned: Learned, horizon: int, day: dt.date) -> list[Message]:
    """Say where there is too little past to calibrate on."""
    if not learned.calibrations:
        return [Message("forecast.messages.uncalibrated", {"months": horizon, "day": str(day)})]
    n = learned.calibrations[learned.chosen].pooled.size
    if n < conformal.MIN_SCORES:
        return [Message("forecast.messages.normal_tails", {"months": horizon, "n": n})]
    return []


def _standings(
    county: County, sample: County, day: dt.date, days: Sequence[dt.date]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the county's standings at as-of and those of the training villages at past days."""
    if sample is county or not days:
        both = histories.household_histories(county, [*days, day])
        now = both["as_of"] == pd.Timestamp(day)
        return both[now].reset_index(drop=True), both[~now].reset_index(drop=True)
    return histories.household_histories(county, [day]), histories.household_histories(sample, days)


def _shapes(
    t: pd.DataFrame, horizon: int, scale: Scale, base: Shape, x: pd.DataFrame, boosted: Boosted | None
) -> dict[str, Shape]:
    """Return each method's centre and scale, from the panel's and what boosting looks at."""
    out = {
        "seasonal_naive": household_methods.plain_shape(t, horizon, scale, base, seasonal=True),
        "naive": household_methods.plain_shape(t, horizon, scale, base, seasonal=False),
        "panel": base,
    }
    if boosted is not None:
        out["boosting"] = boosted.shape(x, base)
    return out


def _category(t: pd.DataFrame, line: float) -> NDArray[np.str_]:
    bands = conformal.band(t["pcni"].to_numpy(dtype=float), line)
    # How many years are known is in the panel's scale already; here it matters only how they are known.
    kind = t["history"].replace({histories.FULL: "months", histories.SHORT: "months"})
    return np.char.add(np.char.add(kind.to_numpy(dtype=str), "|"), bands)


def _distribution(
    t: pd.DataFrame, shape: Shape, calibration: conformal.Calibration | None, line: float
) -> Distribution:
    if calibration is None:
        from scipy.stats import norm

        # Without a past to check against, the panel's own normal distribution.
        scores = norm.ppf((np.arange(999) + 1) / 1000)
        calibration = conformal.Calibration({}, scores)
        return Distribution(shape, np.full(len(t), UNCALIBRATED), calibration)
    return Distribution(shape, _category(t, line), calibration)


def _learn(
    training: pd.DataFrame, actual: pd.DataFrame, day: dt.date, horizon: int, scale: Scale,
    components: Components, line: float, seed: int, method: str | None,
) -> Learned:  # fmt: skip
    from scipy.special import ndtri

    if len(actual) < MIN_TRAINING_ROWS:
        plain = method if method not in (None, "boosting") else "panel"
        return Learned(None, {}, pd.DataFrame(columns=household_methods.COLUMNS), plain, pd.DataFrame())
    rows = _with_signals(training, horizon, scale, components).merge(
        actual, on=histories.KEY, validate="one_to_one"
    )
    fitted = household_methods.part_of(rows, seed) == 0
    boosted = _boost(rows[fitted], scale, seed)
    held = rows[~fitted].reset_index(drop=True)
    y = scale.to(held["actual"].to_numpy())
    month = held["as_of"].dt.month.to_numpy()
    # The panel looked at each day's whole cross-section; its forecasts are taken from there.
    base = Shape(*(held[c].to_numpy() for c in ("base", "sd", "sd")))
    raw_shapes = _shapes(held, horizon, scale, base, household_methods.signals(held), boosted)
    shapes = {
        name: shape.stretched(conformal.seasonal(shape.score(y), month, day.month))
        for name, shape in raw_shapes.items()
    }
    category = _category(held, line)
    table, best, crossed = household_methods.select_method(held, shapes, y, category, scale, line, seed)
    raw = {name: conformal.calibrate(shape, y, category) for name, shape in shapes.items()}
    scores = {name: ndtri(Distribution(shapes[name], category, raw[name]).below(y)) for name in shapes}
    when, where = held["as_of"].to_numpy(), held["township"].to_numpy()
    years = conformal.years_observed(held["as_of"].dt.date, horizon)
    shocks = {name: conformal.estimate_common_shock(z, when, where) for name, z in scores.items()}
    calibrations = {
        name: calibration.widened(conformal.widening_factor(shocks[name], years))
        for name, calibration in raw.items()
    }
    chosen = method if method in shapes else best
    past = rows.assign(fitted=fitted).join(crossed.set_index(rows.index[~fitted]))
    return Learned(boosted, calibrations, table, chosen, past, (scores[chosen], when, where))


def _with_signals(training: pd.DataFrame, horizon: int, scale: Scale, components: Components) -> pd.DataFrame:
    """Return past standings with the panel's forecast (``base, sd``) and what boosting looks at (``x_*``)."""
    parts = []
    for _, t in training.groupby("as_of", sort=True):
        base, x = household_methods.panel_and_signals(t, horizon, scale, components)
        parts.append(t.assign(base=base.centre, sd=base.down).join(x.add_prefix("x_")))
    return pd.concat(parts, ignore_index=True)


def _boost(rows: pd.DataFrame, scale: Scale, seed: int) -> Boosted | None:
    if len(rows) < MIN_BOOSTING_ROWS:
        return None
    rest = scale.to(rows["actual"].to_numpy()) - rows["base"].to_numpy()
    return household_methods.fit_boosting(household_methods.signals(rows), rest, seed)


BLOCK = 25
DRAWS = 400
MEASURES = ("households", "persons", "yuan")


def county_common_shock(forecast: HouseholdForecast, horizon: int) -> CommonShock:
    """Estimate the shared parts from the rows that a horizon's method was calibrated on."""
    scores = forecast.learned[horizon].scores
    if scores is None:
        return CommonShock(2 * conformal.MIN_COMMON_SHARE, 0.0)
    z, day, township = scores
    shock = conformal.estimate_common_shock(z, day, township)
    years = conformal.years_observed(pd.to_datetime(day).date, horizon)
    return CommonShock(min(shock.county * (1 + 1 / years), conformal.MAX_COMMON_SHARE), shock.township)


def draw_incomes(
    forecast: HouseholdForecast, horizon: int, draws: int, seed: int, shared: CommonShock | None = None
) -> Iterator[Array]:
    """Draw the county's incomes per head, in blocks of shape (households, draws of the block), yuan."""
    from scipy.special import ndtr

    parts = shared or county_common_shock(forecast, horizon)
    rng = np.random.default_rng([seed, horizon])
    place, names = pd.factorize(forecast.standing["township"], sort=True)
    distribution = forecast.distribution(horizon)
    own = np.sqrt(1 - parts.county - parts.township)
    for first in range(0, draws, BLOCK):
        k = min(BLOCK, draws - first)
        z = np.sqrt(parts.county) * rng.standard_normal((1, k))
        z = z + np.sqrt(parts.township) * rng.standard_normal((len(names), k))[place]
        z = z + own * rng.standard_normal((len(place), k))
        yield forecast.scale.back(distribution.at(ndtr(z)))


@dataclass(frozen=True)
class Groups:
    """How households are added up: township × cause codes, their labels, persons."""

    code: Array
    townships: tuple[str, ...]
    causes: tuple[str, ...]
    persons: Array


def household_groups(forecast: HouseholdForecast, cause: pd.Series | None = None) -> Groups:
    """Return the groups of a county: township and main cause (``none`` where the office knows of none)."""
    t = forecast.standing
    named = (t["main_cause"] if cause is None else cause).fillna("none").astype(str)
    place, townships = pd.factorize(t["township"].astype(str), sort=True)
    why, causes = pd.factorize(named, sort=True)
    code = place * len(causes) + why
    return Groups(code, tuple(townships), tuple(causes), t["persons"].to_numpy(dtype=float))


def newly_below(income: Array, line: float, by: Groups) -> Array:
    """Add up who is below the line, shape (3, groups, draws): households, persons, yuan a year."""
    below = income < line
    gap = np.where(below, line - income, 0.0) * by.persons[:, None]
    groups = len(by.townships) * len(by.causes)
    measures = (below, below * by.persons[:, None], gap)
    sums = [[np.bincount(by.code, draw, groups) for draw in measure.T] for measure in measures]
    return np.ascontiguousarray(np.swapaxes(sums, 1, 2))


def summarise_totals(totals: Array, by: Groups) -> pd.DataFrame:
    """Return totals with intervals, one row a township, cause and measure; ``all`` is the sum."""
    cells = totals.reshape(3, len(by.townships), len(by.causes), -1)
    for axis in (1, 2):
        cells = np.concatenate([cells.sum(axis=axis, keepdims=True), cells], axis=axis)
    groups = itertools.product(MEASURES, [ALL, *by.townships], [ALL, *by.causes])
    out = pd.DataFrame(groups, columns=["measure", "township", "cause"])[["township", "cause", "measure"]]
    out["mean"] = cells.mean(axis=-1).ravel()
    for level, ends in INTERVALS.items():
        out[f"low_{level}"], out[f"high_{level}"] = np.quantile(cells, ends, axis=-1).reshape(2, -1)
    return out


def households_below_line(
    forecast: HouseholdForecast, horizon: int, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how many households and persons will be below the line, and the yuan to close the gap."""
    by = household_groups(forecast)
    parts = [
        newly_below(y, forecast.lines[horizon], by) for y in draw_incomes(forecast, horizon, draws, seed)
    ]
    return summarise_totals(np.concatenate(parts, axis=2), by).assign(horizon_months=horizon)
