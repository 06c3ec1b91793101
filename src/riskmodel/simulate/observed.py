"""A simulated county as its statisticians would see it: years, register and chances, for validation.

Everything is counted from the true history (before recording delays), because published figures are of
whole, late records. Poor means: net income a head of a calendar year below the profile's line.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from riskmodel.simulate import office, truth
from riskmodel.simulate.history import CATEGORIES, PLACES, SOURCES, Block, Plan, run_block, simulation_spec
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import ParameterArrays, Profile, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.records import RecordWriter, living_costs
from riskmodel.simulate.state import Array, Bools, Floats, Ints, logged_columns, stream

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
    month, household, event, category, causes = logged_columns(block.log.register, 5)
    register = np.vstack([month, household, event, category, causes.reshape(-1, office.MAX_CAUSES).T])
    return yearly | {
        "persons": block.persons[:, 11::12].astype(np.float64),
        "lifted": block.start.lifted,
        "register": register,
        "visits": np.vstack(logged_columns(block.log.visits, 5)),
        "events": np.vstack(logged_columns(block.log.events, 4)[:3]),
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
    found = truth.event_probabilities(
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
        float(np.nanmean(found.probability[chance])),
        float(np.nanmean(found.probability_unsupported[chance])),
    )
