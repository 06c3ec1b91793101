"""A simulated county as its statisticians would see it: years, register, chances, and what they measure.

Everything is counted from the true history (before recording delays), because published figures are of
whole, late records. Poor means: net income a head of a calendar year below the profile's line.
`MEASURES` has one function a published figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.simulate import office, truth
from riskmodel.simulate.history import CATEGORIES, PLACES, SOURCES, Block, Plan, run_block, simulation_spec
from riskmodel.simulate.income_records import living_costs
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import CAUSES, ParameterArrays, Profile, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.records import RecordWriter
from riskmodel.simulate.state import Array, Bools, Floats, Ints, stream

FIRST = "2017-01"
# Eight years: five poor years in a row, or the fifth year after an escape, are not seen in fewer.
MONTHS = 96
LEVEL_YEAR, REGISTER_YEAR = 2019, 2021
ENTRIES = (office.IDENTIFIED, office.ROLLED_BACK, office.RE_MARKED)
SUPPORT_HORIZON, SUPPORT_FUTURES = 12, 200


@dataclass(frozen=True)
class Years:
    """Households by calendar years, and the register's rows."""

    income: Floats
    spending: Floats
    persons: Floats
    lifted: Bools
    first: int
    line: float
    register: Ints
    visits: Ints
    events: Ints
    supported: float
    unsupported: float

    @cached_property
    def net(self) -> Floats:
        """Net income, yuan a household and year."""
        return self.income.sum(axis=0)

    @cached_property
    def pcni(self) -> Floats:
        """Net income a head and year; NaN where nobody is left."""
        return self.net / np.where(self.persons > 0, self.persons, np.nan)

    @cached_property
    def poor(self) -> Floats:
        """1.0 below the line, 0.0 not, NaN where nobody is left; shape (households, years)."""
        return np.where(np.isnan(self.pcni), np.nan, self.pcni < self.line)

    @cached_property
    def consumption(self) -> Floats:
        """All spending but on production, yuan a household and year."""
        return self.spending.sum(axis=0) - self.spending[CATEGORIES.index("production")]

    def at(self, year: int) -> int:
        """Return the place of a year on the last axis."""
        return year - self.first

    def watched(self, year: int) -> Ints:
        """Return the register's last rows, at the end of a year, of the households that it watches then."""
        rows = self.register[:, self.register[0] < (year + 1) * 12]
        last = rows[:, ::-1][:, np.unique(rows[1][::-1], return_index=True)[1]]
        return last[:, np.isin(last[2], ENTRIES)]


def observe(profile: Profile, households: int, seed: int) -> Years:
    """Simulate a county over eight years and count it."""
    spec = simulation_spec(
        households=households, months=MONTHS, seed=seed, profile_name=profile, start=FIRST, futures=0
    )
    t, at = parameter_arrays(profile), (REGISTER_YEAR + 1) * 12 - 1
    plan = Plan(seed, households, spec.plan.first, MONTHS, (at,), spec.plan.block)
    where = places(stream(seed, PLACES), households, profile)
    parts = []
    for k in range(-(-households // plan.block)):
        parts.append(_block(run_block(plan, k, where, t, spec.rule), plan, k, t, spec.rule, at))
    weight = np.array([p["aided"][0] for p in parts], dtype=float)
    return Years(
        **{
            name: np.concatenate([p[name] for p in parts], axis=-2 if parts[0][name].ndim == 3 else axis)
            for name, axis in _JOINED.items()
        },
        first=plan.first // 12,
        line=profile.office.line,
        supported=_mean(weight, [p["aided"][1] for p in parts]),
        unsupported=_mean(weight, [p["aided"][2] for p in parts]),
    )


_JOINED = {"income": -2, "spending": -2, "persons": 0, "lifted": 0, "register": 1, "visits": 1, "events": 1}


def _mean(weight: Floats, values: list[float]) -> float:
    return float(np.dot(weight, values) / weight.sum()) if weight.sum() else float("nan")


def _block(block: Block, plan: Plan, k: int, t: ParameterArrays, rule: FlagRule, at: int) -> dict[str, Array]:
    living_costs(RecordWriter(plan, k, t), block)
    yearly = {
        name: cube.reshape(*cube.shape[:2], -1, 12).sum(axis=3).astype(np.float64)
        for name, cube in (("income", block.income), ("spending", block.spending))
    }
    business, production = SOURCES.index("business"), CATEGORIES.index("production")
    yearly["income"][business] -= yearly["spending"][production]
    month, household, event, category, causes = block.log.register.columns()
    register = np.vstack([month, household, event, category, causes.reshape(-1, office.MAX_CAUSES).T])
    return yearly | {
        "persons": block.persons[:, 11::12].astype(np.float64),
        "lifted": block.start.lifted,
        "register": register,
        "visits": np.vstack(block.log.visits.columns()),
        "events": np.vstack(block.log.events.columns()[:3]),
        "aided": np.array(_support(block, plan, k, t, rule, at)),
    }


def _support(
    block: Block, plan: Plan, k: int, t: ParameterArrays, rule: FlagRule, at: int
) -> tuple[float, float, float]:
    """Return how many are given support and stand above the line, and their chances with and without."""
    s, b = block.snapshots[at]
    rows = np.flatnonzero(
        (b.aid > 0) & (s.persons > 0) & (b.net >= np.float32(t.profile.office.line) * s.persons)
    )
    if not rows.size:
        return 0.0, 0.0, 0.0
    chances = truth.event_probabilities(
        s.take(rows),
        b.take(rows),
        at,
        SUPPORT_HORIZON,
        t,
        rule,
        futures=SUPPORT_FUTURES,
        seed=plan.seed,
        block=k,
    )
    chance = truth.EVENTS.index("below_line")
    return (
        float(rows.size),
        float(np.nanmean(chances.probability[chance])),
        float(np.nanmean(chances.probability_unsupported[chance])),
    )


Measure = Callable[[Years, str], float]
FIFTHS = 5
LAGS = (3, 4, 5)


def _level(y: Years) -> Bools:
    """Return who is there in the year that levels are taken in."""
    return y.persons[:, y.at(LEVEL_YEAR)] > 0


def _of_year(y: Years, values: Floats) -> Floats:
    return values[..., _level(y), y.at(LEVEL_YEAR)]


def income_mean(y: Years, _: str) -> float:
    """Return the mean net income a head, over persons."""
    return float(_of_year(y, y.net).sum() / _of_year(y, y.persons).sum())


def income_median(y: Years, _: str) -> float:
    """Return the median person's net income a head, as a share of the mean."""
    value, weight = _of_year(y, y.pcni), _of_year(y, y.persons)
    at = np.argsort(value, kind="stable")
    half = np.searchsorted(np.cumsum(weight[at]), weight.sum() / 2)
    return float(value[at][half] / income_mean(y, ""))


def _fifths(y: Years) -> list[np.ndarray]:
    """Return the households of each fifth, poorest first: equal numbers of households, as in yearbooks."""
    return [
        np.asarray(part) for part in np.array_split(np.argsort(_of_year(y, y.pcni), kind="stable"), FIFTHS)
    ]


def income_fifth(y: Years, which: str) -> float:
    """Return a fifth's mean income a head as a share of the mean of the fifths (1 = poorest)."""
    net, persons = _of_year(y, y.net), _of_year(y, y.persons)
    means = [net[part].sum() / persons[part].sum() for part in _fifths(y)]
    return float(means[int(which) - 1] / np.mean(means))


def fifths_ratio(y: Years, _: str) -> float:
    """Return the richest fifth's income a head over the poorest's."""
    return income_fifth(y, "5") / income_fifth(y, "1")


def fifths_persons(y: Years, _: str) -> float:
    """Return persons a household of the poorest fifth over those of the richest."""
    persons, fifths = _of_year(y, y.persons), _fifths(y)
    return float(persons[fifths[0]].mean() / persons[fifths[-1]].mean())


def income_share(y: Years, source: str) -> float:
    """Return a source's share in net income."""
    by = _of_year(y, y.income).sum(axis=1)
    return float(by[SOURCES.index(source)] / by.sum())


def fifth_share(y: Years, which: str) -> float:
    """Return a source's share in a fifth's net income; ``which`` is ``fifth:source``."""
    fifth, source = which.split(":")
    by = _of_year(y, y.income)[:, _fifths(y)[int(fifth) - 1]].sum(axis=1)
    return float(by[SOURCES.index(source)] / by.sum())


def consumption_share(y: Years, category: str) -> float:
    """Return a category's share in consumption."""
    spent = _of_year(y, y.spending)[CATEGORIES.index(category)]
    return float(spent.sum() / _of_year(y, y.consumption).sum())


def consumption_rate(y: Years, _: str) -> float:
    """Return consumption as a share of net income."""
    return float(_of_year(y, y.consumption).sum() / _of_year(y, y.net).sum())


def health_above(y: Years, share: str) -> float:
    """Return the share of households whose own health spending exceeds a share of their consumption."""
    spent = _of_year(y, y.spending)[CATEGORIES.index("medical")]
    return float((spent > float(share) * _of_year(y, y.consumption)).mean())


def impoverished(y: Years, _: str) -> float:
    """Return the share of households above the line whose own health spending takes them below it."""
    net, line = _of_year(y, y.net), y.line * _of_year(y, y.persons)
    left = net - _of_year(y, y.spending)[CATEGORIES.index("medical")]
    return float(((net >= line) & (left < line)).mean())


def persons_all(y: Years, _: str) -> float:
    """Return persons a household."""
    return float(_of_year(y, y.persons).mean())


def persons_watched(y: Years, _: str) -> float:
    """Return persons a household under watch."""
    return float(y.persons[y.watched(REGISTER_YEAR)[1], y.at(REGISTER_YEAR)].mean())


def watched_share(y: Years, _: str) -> float:
    """Return persons under watch for each person of lifted households."""
    persons = y.persons[:, y.at(REGISTER_YEAR)]
    return float(persons[y.watched(REGISTER_YEAR)[1]].sum() / persons[y.lifted].sum())


def watched_lifted(y: Years, _: str) -> float:
    """Return the share of lifted households among those under watch but for sudden hardship."""
    category = y.watched(REGISTER_YEAR)[3]
    lifted = np.sum(category == office.CATEGORIES.index("unstable_lifted"))
    return float(lifted / (lifted + np.sum(category == office.CATEGORIES.index("marginal"))))


def watched_cause(y: Years, cause: str) -> float:
    """Return the share of households under watch whose main cause is the one named."""
    # Three year ends: the register of one holds too few households for the rarer causes.
    ends = [y.watched(REGISTER_YEAR + k)[4] for k in (-1, 0, 1)]
    return float(np.mean(np.concatenate(ends) == CAUSES.index(cause)))


def new_of_watched(y: Years, _: str) -> float:
    """Return those newly identified in a year for each household under watch at its end."""
    year = y.register[0] // 12 == REGISTER_YEAR
    new = np.sum(year & (y.register[2] == office.IDENTIFIED))
    return float(new / y.watched(REGISTER_YEAR).shape[1])


def check_yield(y: Years, _: str) -> float:
    """Return the share of visits to flagged households that confirm, absences left out."""
    _, _, outcome, _, by = y.visits
    spec = (by == office.SELECTED.index("rule")) & (outcome != office.OUTCOMES.index("absent"))
    return float(np.mean(outcome[spec] == office.OUTCOMES.index("confirmed")))


def _pairs(y: Years) -> tuple[Floats, Floats]:
    return y.poor[:, :-1], y.poor[:, 1:]


def entry(y: Years, _: str) -> float:
    """Return the yearly chance to fall below the line of those above it."""
    now, then = _pairs(y)
    return float(np.nanmean(then[(now == 0) & ~np.isnan(then)]))


def exit_after(y: Years, years: str) -> float:
    """Return the chance to rise above the line after so many poor years in a row (the spell's start seen)."""
    n, poor = int(years), y.poor
    out = []
    for at in range(n, poor.shape[1] - 1):
        spell = (poor[:, at - n + 1 : at + 1] == 1).all(axis=1) & (poor[:, at - n] == 0)
        out.append(1 - poor[spell, at + 1])
    return float(np.nanmean(np.concatenate(out)))


def poor_again(y: Years, _: str) -> float:
    """Return the chance to be poor 3 to 5 years after an escape, averaged over the three years."""
    poor, out = y.poor, []
    for at in range(1, poor.shape[1]):
        escaped = (poor[:, at - 1] == 1) & (poor[:, at] == 0)
        out += [poor[escaped, at + lag] for lag in LAGS if at + lag < poor.shape[1]]
    return float(np.nanmean(np.concatenate(out)))


def seen_before(y: Years, _: str) -> float:
    """Return entry of those seen poor in earlier years over entry of those never seen poor."""
    now, then = _pairs(y)
    before = np.cumsum(np.nan_to_num(y.poor), axis=1)[:, :-1] > 0
    known = (now == 0) & ~np.isnan(then)
    known[:, :2] = False
    return float(then[known & before].mean() / then[known & ~before].mean())


def _log_pairs(y: Years, lag: int) -> tuple[Floats, Floats]:
    a, b = y.pcni[:, :-lag].ravel(), y.pcni[:, lag:].ravel()
    # Incomes near or below zero have no logarithm; surveys leave them out as well.
    known = (a > 100) & (b > 100)
    return np.log(a[known]), np.log(b[known])


def autocorrelation(y: Years, lag: str) -> float:
    """Return the correlation of log income a head with itself some years on."""
    return float(np.corrcoef(*_log_pairs(y, int(lag)))[0, 1])


def change_sd(y: Years, _: str) -> float:
    """Return the standard deviation of the one-year change of log income a head."""
    before, after = _log_pairs(y, 1)
    return float(np.std(after - before))


def supported_risk(y: Years, _: str) -> float:
    """Return the mean chance to be below the line in 12 months of those given support."""
    return y.supported


def unsupported_risk(y: Years, _: str) -> float:
    """Return the same, were all support to end at once."""
    return y.unsupported


MEASURES: dict[str, Measure] = {measure.__name__: measure for measure in (
    income_mean, income_median, income_fifth, fifths_ratio, fifths_persons, income_share, fifth_share,
    consumption_share, consumption_rate, health_above, impoverished, persons_all, persons_watched,
    watched_share, watched_lifted, watched_cause, new_of_watched, check_yield, entry, exit_after,
    poor_again, seen_before, autocorrelation, change_sd, supported_risk, unsupported_risk,
)}  # fmt: skip
