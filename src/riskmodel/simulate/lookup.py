"""A profile's figures as arrays to look up: made once, read by every step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.simulate.params import CAUSES, SPELLS, STAGES, Profile, Steps
from riskmodel.simulate.state import SUPPORT_SOURCES, Floats, Ints

OLDEST = 110
RIGID = ("medical", "education", "housing", "disaster", "accident")


@dataclass(frozen=True)
class Lookup:
    """A profile with its look-up arrays; causes, spells and stages in the order of `params`."""

    profile: Profile
    illness_by_age: Floats
    death_by_age: Floats
    away_by_age: Floats
    school_cost: Floats
    hardship: Floats
    sales: Floats
    costs: Floats
    weather_sd: Floats
    cost_share: Floats
    wage_season: Floats
    yearly: Floats
    cost: Floats
    spell: Ints
    loss: Floats
    scar: Floats
    rigid: Ints
    aid_income: Floats
    aid_cover: Floats
    aid_source: Ints


def by_age(steps: Steps) -> Floats:
    """Return a step function of age as one value a year.

    Examples
    --------
    >>> by_age(((0, 1.0), (16, 2.0)))[[15, 16, 80]].tolist()
    [1.0, 2.0, 2.0]
    """
    out = np.zeros(OLDEST + 1, dtype=np.float32)
    for age, value in steps:
        out[age:] = value
    return out


def _calendar(shares: dict[int, float]) -> list[float]:
    return [shares.get(month, 0.0) for month in range(1, 13)]


def lookup(profile: Profile) -> Lookup:
    """Turn a profile into look-up arrays.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Lookup
    """
    farms = profile.income.farm.kinds.values()
    shocks = [profile.shocks.kinds[c] for c in CAUSES]
    aid = [profile.support.measures[c] for c in CAUSES]
    a, b = profile.people.mortality
    years = np.arange(OLDEST + 1)

    def floats(values: object) -> Floats:
        return np.asarray(values, dtype=np.float32)

    return Lookup(
        profile=profile,
        illness_by_age=by_age(profile.shocks.illness_age),
        death_by_age=np.minimum(np.exp(a + b * years), 0.6).astype(np.float32) / 12,
        away_by_age=by_age(profile.people.migrant_by_age),
        school_cost=floats([profile.schools.costs.get(s, 0.0) for s in STAGES]),
        hardship=floats([profile.schools.hardship.get(s, 0.0) for s in STAGES]),
        sales=floats([_calendar(k.sales) for k in farms]),
        costs=floats([_calendar(k.costs) for k in farms]),
        weather_sd=floats([k.shock for k in farms]),
        cost_share=floats([k.cost_share for k in farms]),
        wage_season=floats(profile.income.wage.season),
        yearly=floats([s.yearly for s in shocks]),
        cost=floats([s.cost for s in shocks]),
        spell=np.array([SPELLS.index(s.spell) if s.spell != "none" else -1 for s in shocks]),
        loss=floats([s.loss for s in shocks]),
        scar=floats([s.scar for s in shocks]),
        rigid=np.array([RIGID.index(s.category) if s.category in RIGID else -1 for s in shocks]),
        aid_income=floats([m.income for m in aid]),
        aid_cover=floats([m.cover for m in aid]),
        aid_source=np.array([SUPPORT_SOURCES.index(m.source) for m in aid]),
    )
