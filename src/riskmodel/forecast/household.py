"""Where each household will stand: calibrated distributions of income per head, 3, 6, 12 months ahead.

Methods are fitted on some villages and calibrated on the others, at past days whose outcomes are known by
as-of; the plainest method that is not significantly worse than the best is used (`select`).
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel import asof, rules
from riskmodel.asof import DateLike
from riskmodel.county.county import County
from riskmodel.errors import UsageError
from riskmodel.forecast import conformal, histories, methods
from riskmodel.forecast.conformal import Distribution, Shape
from riskmodel.forecast.effects import Components
from riskmodel.forecast.methods import METHODS, Boosted, Scale
from riskmodel.forecast.proper import LEVELS, crps

Array = NDArray[Any]
HORIZONS = (3, 6, 12)
LONGEST = 12
INTERVALS = {80: (0.1, 0.9), 95: (0.025, 0.975)}
TRAINING_HOUSEHOLDS = 8_000
FEWEST_TRAINING, FEWEST_BOOSTING = 60, 400
UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True)
class Learned:
    """What was learnt for one horizon: the boosted part, each method's calibration, the comparison.

    ``scores`` are the calibration rows' normal scores in the chosen method's distribution, with day and
    township; ``training`` all past rows with what the methods looked at.
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
    as_of : date
    standing : DataFrame
        `histories.build` at as-of.
    scale : Scale
    components : Components
    lines : dict
        Horizon to line, yuan.
    learned : dict
        Horizon to `Learned`.
    distributions : dict
        ``(method, horizon)`` to `Distribution`, on the transformed scale.
    notes : tuple of str
        What could not be done as usual.
    """

    as_of: dt.date
    standing: pd.DataFrame
    scale: Scale
    components: Components
    lines: dict[int, float]
    learned: dict[int, Learned]
    distributions: dict[tuple[str, int], Distribution]
    notes: tuple[str, ...]

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
        out["period_end"] = pd.Timestamp(asof.window_end(self.as_of, horizon))
        out["method"] = self.learned[horizon].chosen
        out["pcni_median"] = q[0.5]
        for level, (low, high) in INTERVALS.items():
            out[f"low_{level}"], out[f"high_{level}"] = q[low], q[high]
        out["line"] = self.lines[horizon]
        out["probability_below"] = self.below(horizon)
        out["calibrated_on"] = distribution.category
        return out


def build(
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
    county : County
    as_of : date
    horizons : iterable of int
        Months ahead, 1 to 12: the accounting period of 12 months that ends so many months after as-of.
    ruleset : str or RuleSet
        Whose line is used.
    seed : int
        Chooses the villages to fit and to calibrate on.
    method : str, optional
        One of `methods.METHODS`; by default chosen on past days.
    training_households : int
        Methods learn from whole villages with about so many households.

    Returns
    -------
    HouseholdForecast

    Raises
    ------
    UsageError
        If a horizon or method is unknown, or no household is known at as-of.
    """
    day = asof.to_date(as_of)
    ahead = sorted(set(horizons))
    if not ahead or ahead[0] < 1 or ahead[-1] > LONGEST:
        raise UsageError(f"horizons {ahead}: give months from 1 to {LONGEST}, such as 3, 6, 12")
    if method is not None and method not in METHODS:
        raise UsageError(f"method {method!r}: give one of {', '.join(METHODS)}")
    past = {h: histories.origins(county, day, h) for h in ahead}
    days = sorted({o for found in past.values() for o in found})
    standing, training = _standings(county, day, days, training_households, seed)
    scale = methods.scale_of(standing)
    # Four numbers, from as-of's own past: it alone has three years behind it in a young county.
    components = methods.components_of(standing, scale, seed)
    source = histories.sampled(county, day, training_households, seed)
    seen = histories.outcomes(source, [(o, h) for h in ahead for o in past[h]], day)
    lines: dict[int, float] = {}
    learned: dict[int, Learned] = {}
    out: dict[tuple[str, int], Distribution] = {}
    notes: list[str] = []
    for h in ahead:
        lines[h] = histories.line_at(county, ruleset, day, h)
        actual = seen[seen["horizon_months"] == h].drop(columns="horizon_months")
        learned[h] = _learn(training, actual, h, scale, components, lines[h], seed, method)
        if not learned[h].calibrations:
            notes.append(
                f"{h} months: too few past outcomes are known by {day}; "
                "intervals are the panel's own normal ones, not calibrated"
            )
        shapes = _shapes(standing, h, scale, components, learned[h].boosted)
        for name, shape in shapes.items():
            out[name, h] = _distribution(standing, shape, learned[h].calibrations.get(name), lines[h])
    return HouseholdForecast(day, standing, scale, components, lines, learned, out, tuple(notes))


def _standings(
    county: County, day: dt.date, days: Sequence[dt.date], training_households: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the county's standings at as-of and those of the training villages at past days."""
    sample = histories.sampled(county, day, training_households, seed)
    if sample is county or not days:
        both = histories.build(county, [*days, day])
        now = both["as_of"] == pd.Timestamp(day)
        return both[now].reset_index(drop=True), both[~now].reset_index(drop=True)
    return histories.build(county, [day]), histories.build(sample, days)


def _shapes(
    t: pd.DataFrame, horizon: int, scale: Scale, components: Components, boosted: Boosted | None
) -> dict[str, Shape]:
    base = methods.panel(t, horizon, scale, components)
    out = {
        "seasonal_naive": methods.plain(t, horizon, scale, base, seasonal=True),
        "naive": methods.plain(t, horizon, scale, base, seasonal=False),
        "panel": base,
    }
    if boosted is not None:
        out["boosting"] = boosted.shape(methods.signals(t, scale, base), base)
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


def part_of(t: pd.DataFrame, seed: int, parts: int = 2) -> NDArray[np.int64]:
    """Deal villages (households, where there are fewer than six villages) into parts by a checksum.

    Parameters
    ----------
    t : DataFrame
    seed : int
    parts : int

    Returns
    -------
    array of shape (n,)
    """
    by = "village" if t["village"].nunique() >= 3 * parts else "household_id"
    names = t["township"].astype(str) + "|" + t[by].astype(str)
    dealt = {
        n: k
        for k, n in enumerate(sorted(names.unique(), key=lambda n: (zlib.crc32(f"{seed}|{n}".encode()), n)))
    }
    return (names.map(dealt) % parts).to_numpy(dtype=np.int64)


def _learn(
    training: pd.DataFrame, actual: pd.DataFrame, horizon: int, scale: Scale, components: Components,
    line: float, seed: int, method: str | None,
) -> Learned:  # fmt: skip
    empty = pd.DataFrame(columns=["method", "crps", "worse_than_best_p", "rows"])
    if len(actual) < FEWEST_TRAINING:
        return Learned(
            None, {}, empty, method if method not in (None, "boosting") else "panel", pd.DataFrame()
        )
    parts = []
    for _, t in training.groupby("as_of", sort=True):
        base = methods.panel(t, horizon, scale, components)
        x = methods.signals(t, scale, base).add_prefix("x_")
        parts.append(t.assign(base=base.centre, sd=base.down).join(x))
    rows = pd.concat(parts, ignore_index=True).merge(actual, on=histories.KEY, validate="one_to_one")
    fitted = part_of(rows, seed) == 0
    boosted = _boost(rows[fitted], scale, seed)
    held = rows[~fitted].reset_index(drop=True)
    y = scale.to(held["actual"].to_numpy())
    shapes = _held_shapes(held, horizon, scale, components, boosted)
    category = _category(held, line)
    selection, best = select(held, shapes, y, category, scale, seed)
    calibrations = {name: conformal.calibrate(shape, y, category) for name, shape in shapes.items()}
    chosen = method if method in shapes else best
    found = Distribution(shapes[chosen], category, calibrations[chosen])
    scores = (_normal_scores(found, y), held["as_of"].to_numpy(), held["township"].to_numpy())
    return Learned(boosted, calibrations, selection, chosen, rows.assign(fitted=fitted), scores)


def _normal_scores(found: Distribution, y: Array) -> Array:
    from scipy.special import ndtri

    return np.asarray(ndtri(found.below(y)))


def _boost(rows: pd.DataFrame, scale: Scale, seed: int) -> Boosted | None:
    if len(rows) < FEWEST_BOOSTING:
        return None
    x = rows.filter(regex="^x_").rename(columns=lambda c: c[2:])
    return methods.boost(x, scale.to(rows["actual"].to_numpy()) - rows["base"].to_numpy(), seed)


def _held_shapes(
    held: pd.DataFrame, horizon: int, scale: Scale, components: Components, boosted: Boosted | None
) -> dict[str, Shape]:
    # The panel looked at each day's whole cross-section; its answers were kept, not made anew.
    base = Shape(*(held[c].to_numpy() for c in ("base", "sd", "sd")))
    out = {
        "seasonal_naive": methods.plain(held, horizon, scale, base, seasonal=True),
        "naive": methods.plain(held, horizon, scale, base, seasonal=False),
        "panel": base,
    }
    if boosted is not None:
        x = held.filter(regex="^x_").rename(columns=lambda c: c[2:])
        out["boosting"] = boosted.shape(x, base)
    return out


def select(
    held: pd.DataFrame,
    shapes: dict[str, Shape],
    y: Array,
    category: NDArray[np.str_],
    scale: Scale,
    seed: int,
) -> tuple[pd.DataFrame, str]:
    """Choose the plainest method whose CRPS is not significantly worse than the best one's.

    Each half of the held-out villages is scored with the other half's calibration; differences are tested
    over villages (paired t, one-sided 5 %), whose households share their luck.

    Returns
    -------
    table : DataFrame
        ``method, crps`` (yuan a head), ``worse_than_best_p, rows``.
    chosen : str
    """
    from scipy.stats import ttest_rel

    half = part_of(held, seed + 1)
    losses = {name: np.empty(len(held)) for name in shapes}
    for k in (0, 1):
        mine = half == k
        if not mine.any() or mine.all():
            continue
        for name, shape in shapes.items():
            found = conformal.calibrate(shape.take(~mine), y[~mine], category[~mine])
            q = Distribution(shape.take(mine), category[mine], found).quantiles(LEVELS)
            losses[name][mine] = crps(scale.back(y[mine]), scale.back(q))
    by_village = pd.DataFrame(losses).groupby(methods.villages(held)).mean()
    mean = by_village.mean()
    best = str(mean.idxmin())
    p = {
        name: 1.0
        if name == best
        else float(ttest_rel(by_village[name], by_village[best], alternative="greater").pvalue)
        for name in shapes
    }
    names = [m for m in METHODS if m in shapes]
    chosen = next(m for m in names if not p[m] < 0.05)
    table = pd.DataFrame(
        {
            "method": names,
            "crps": [float(losses[m].mean()) for m in names],
            "worse_than_best_p": [p[m] for m in names],
            "rows": len(held),
        }
    )
    return table, chosen
