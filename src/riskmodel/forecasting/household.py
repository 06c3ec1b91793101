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

Sums are over the households whose year is on record at as-of, so that what is expected can be held against
what is now: whoever comes on record later would otherwise look like a rise. Who is left out is counted
(``records``); their own forecasts are their village's, and null where nobody of the village is on record.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
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
from riskmodel.i18n import LANGUAGES, Message, same, section

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
    def on_record(self) -> NDArray[np.bool_]:
        """Whose last year is on record, shape (n,): those that sums are over."""
        return np.asarray(self.standing["pcni"].notna())

    @property
    def records(self) -> pd.DataFrame:
        """By township, ``all`` first: ``households, on_record, lagging, most_lag, unknown``.

        ``lagging`` are those on record whose year ends before as-of, by ``most_lag`` months at most;
        ``unknown`` names the reasons of the others with how many they are.
        """
        t = self.standing.assign(known=self.on_record)
        groups = [(ALL, t), *((str(k), part) for k, part in t.groupby(t["township"].astype(str)))]
        return pd.DataFrame(
            {
                "township": name, "households": len(part), "on_record": int(part["known"].sum()),
                "lagging": int((part["known"] & part["age_months"].gt(0)).sum()),
                "most_lag": int(part.loc[part["known"], "age_months"].max()) if part["known"].any() else 0,
                "unknown": "; ".join(
                    f"{why} {n}"
                    for why, n in part.loc[~part["known"], "income_reason"].value_counts().items()
                ),
            }
            for name, part in groups
        )  # fmt: skip

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
            ["household_id", "township", "village", "as_of", "persons", "history", "income_basis", "pcni",
             "income_reason", "lag_months"]
        ].copy()  # fmt: skip
        out["horizon_months"] = horizon
        out["period_end"] = pd.Timestamp(window_end(self.as_of, horizon))
        out["method"] = self.learned[horizon].chosen
        out["pcni_median"] = q[0.5]
        for level, (low, high) in INTERVALS.items():
            out[f"low_{level}"], out[f"high_{level}"] = q[low], q[high]
        out["line"] = self.lines[horizon]
        out["probability_below"] = self.below(horizon)
        out["calibrated_on"] = distribution.category
        # Of a village in which nobody is on record nothing is known to forecast from.
        limits = [f"{end}_{level}" for level in INTERVALS for end in ("low", "high")]
        nothing = ~t["village_known"].to_numpy(dtype=bool)
        out.loc[nothing, ["pcni_median", *limits, "probability_below"]] = np.nan
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
        If a horizon or method is unknown, no household is known at as-of, or nobody's last year is on record.
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
    if standing["pcni"].isna().all():
        why = standing["income_reason"].value_counts()
        shown = ", ".join(f"{reason} {n}" for reason, n in why.items())
        raise UsageError(
            f"no household's last year is on record at {day} ({shown}): give an --as-of within the records"
        )
    # Of a village in which nobody is on record there is nothing to learn from either.
    training = training[training["village_known"].astype(bool)].reset_index(drop=True)
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
    forecast = HouseholdForecast(day, standing, scale, components, lines, learned, out, tuple(notes))
    return replace(forecast, notes=(*notes, *_said_of_records(forecast)))


def _said_of_records(forecast: HouseholdForecast) -> list[Message]:
    """Say whose last year is not on record, and whose ends before as-of."""
    county, day = forecast.records.iloc[0], str(forecast.as_of)
    notes = []
    if unknown := int(county["households"] - county["on_record"]):
        words = section("rules.reasons")
        counts = forecast.standing.loc[~forecast.on_record, "income_reason"].value_counts()
        why = {
            lang: "; ".join(f"{words.get(code, same(code))[lang]} {n}" for code, n in counts.items())
            for lang in LANGUAGES
        }
        values = {"n": unknown, "all": int(county["households"]), "why": why}
        notes.append(Message("forecast.messages.left_out", {"day": day, **values}))
    if nothing := int((~forecast.standing["village_known"].astype(bool)).sum()):
        notes.append(Message("forecast.messages.village_unknown", {"n": nothing}))
    if county["lagging"]:
        values = {"n": int(county["lagging"]), "most": int(county["most_lag"])}
        notes.append(Message("forecast.messages.lagging", {"day": day, **values}))
    return notes


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

    if len(actual):
        actual = actual.merge(training[histories.KEY], on=histories.KEY)
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
    """How households are added up: township × cause codes, their labels, persons; ``rows`` that count."""

    code: Array
    townships: tuple[str, ...]
    causes: tuple[str, ...]
    persons: Array
    rows: NDArray[np.bool_] | None = None

    @property
    def empty(self) -> list[str]:
        """Townships none of whose households count."""
        if self.rows is None:
            return []
        counted = np.unique(self.code[self.rows] // len(self.causes))
        return [name for i, name in enumerate(self.townships) if i not in counted]


def household_groups(
    forecast: HouseholdForecast, cause: pd.Series | None = None, rows: NDArray[np.bool_] | None = None
) -> Groups:
    """Return the groups of a county: township and main cause (``none`` where the office knows of none).

    Those on record count, unless ``rows`` says who does.
    """
    t = forecast.standing
    named = (t["main_cause"] if cause is None else cause).fillna("none").astype(str)
    place, townships = pd.factorize(t["township"].astype(str), sort=True)
    why, causes = pd.factorize(named, sort=True)
    code = place * len(causes) + why
    persons = t["persons"].to_numpy(dtype=float)
    counted = forecast.on_record if rows is None else rows
    return Groups(code, tuple(townships), tuple(causes), persons, counted)


def newly_below(income: Array, line: float, by: Groups) -> Array:
    """Add up who is below the line, shape (3, groups, draws): households, persons, yuan a year."""
    counted = slice(None) if by.rows is None else by.rows
    income, code, persons = income[counted], by.code[counted], by.persons[counted, None]
    below = income < line
    gap = np.where(below, line - income, 0.0) * persons
    groups = len(by.townships) * len(by.causes)
    measures = (below, below * persons, gap)
    sums = [[np.bincount(code, draw, groups) for draw in measure.T] for measure in measures]
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
    # Nobody on record is not nobody below the line.
    numbers = out.columns.difference(["township", "cause", "measure"])
    out.loc[out["township"].isin(by.empty), numbers] = np.nan
    return out


def households_below_line(
    forecast: HouseholdForecast, horizon: int, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Return how many households and persons on record will be below the line, and the gap in yuan."""
    by = household_groups(forecast)
    parts = [
        newly_below(y, forecast.lines[horizon], by) for y in draw_incomes(forecast, horizon, draws, seed)
    ]
    return summarise_totals(np.concatenate(parts, axis=2), by).assign(horizon_months=horizon)
