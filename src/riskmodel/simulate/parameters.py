"""A county's parameters: the shape of a profile file and how one is found and read.

Every figure of the process stands in ``profiles/*.yaml``; this module only says what they are called, and
makes arrays of them to look up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from riskmodel.errors import SpecError
from riskmodel.io import Spec, find_declaration, parse_spec, read_yaml
from riskmodel.simulate.recording_parameters import Recording
from riskmodel.simulate.state import SUPPORT_SOURCES, Floats, Ints

PROFILES = Path(__file__).with_name("profiles")
CAUSES = (
    "illness",
    "disability",
    "unstable_employment",
    "schooling",
    "labour_shortage",
    "accident",
    "industry_failure",
    "disaster",
    "housing",
    "other",
)
SPELLS = ("sick", "job", "farm")
STAGES = ("none", "preschool", "compulsory", "high_school", "vocational", "college", "dropped_out")
Steps = tuple[tuple[int, float], ...]


class Geography(Spec):
    """How households are grouped."""

    village_size: int = Field(gt=0)
    villages_per_township: int = Field(gt=0)
    min_townships: int = Field(gt=0)


class People(Spec):
    """Who lives in a household at the start, and how households change."""

    lifted_share: float
    lifted_penalty: float
    lifted_years: int = Field(gt=0)
    head_age: tuple[float, float, float, float]
    children_young: tuple[float, float, float, float]
    children_middle: tuple[float, float, float, float]
    three_generations: float
    father_at_home: float
    mother_at_home: float
    migrant_by_age: Steps
    local_wage_share: float
    uninsured: float
    relocated: float
    unsafe_water: float
    disabled_by_age: Steps
    chronic_by_age: Steps
    fertility: float
    mortality: tuple[float, float]
    marry_in: float
    marry_out: float
    move_out: float = Field(ge=0)


class Schools(Spec):
    """Stages of schooling, their own cost a year, and how often entry is a hardship."""

    dropout: float
    after_compulsory: tuple[float, float]
    to_college: float
    costs: dict[str, float]
    hardship: dict[str, float]


class Wage(Spec):
    """Wages away and odd jobs: yuan a month, AR(1), season from January, share with none in February.

    With ``steps_yearly`` wages stand still between changes, so many a year on average, and ``persistence`` is
    from change to change; without, they move each month.
    """

    monthly: float
    persistence: float = Field(ge=0, lt=1)
    sd: float
    steps_yearly: float = Field(default=0, ge=0, le=12)
    season: tuple[float, ...] = Field(min_length=12, max_length=12)
    spring_gap: float


class FarmKind(Spec):
    """One kind of farm: when it sells, when it pays, what weather and prices do to it."""

    share: float
    sales: dict[int, float]
    costs: dict[int, float]
    cost_share: float
    shock: float


class Farm(Spec):
    """Crops and livestock."""

    yearly: float
    idle: float
    returns: float
    persistence: float = Field(ge=0, lt=1)
    sd: float
    kinds: dict[str, FarmKind]


class Transfer(Spec):
    """Yuan a month: pensions, help from kin and allowance a person; the subsidy is a person's year."""

    pension: float
    subsidy: float
    kin: float
    kin_sd: float
    kin_elders: float
    dibao_person: float
    dibao_share: float


class Property(Spec):
    """Rent and dividends, once a year."""

    share: float
    yearly: float
    sd: float


class Medical(Spec):
    """Routine own cost of care a month, billed by the quarter with a heavy tail."""

    person: float
    elder: float
    chronic: float
    tail: float = Field(gt=0, lt=0.5)


class Living(Spec):
    """Living costs."""

    share: float
    floor: float


class IncomeShock(Spec):
    """Sudden falls whose cause nobody records: how often a year, how deep, and how slowly they fade.

    ``size`` is the mean depth in log points of all earnings, ``spread`` the part of it that varies from fall
    to fall (exponentially), ``fade`` the share that is left after a month; ``debt`` is what is lost beside,
    as a share of what the fall takes of a usual year, of which ``booked`` is booked each month (1: at once);
    who has just fallen falls again ``1 + again`` times as often.
    """

    yearly: float = Field(ge=0)
    size: float = Field(ge=0)
    fade: float = Field(ge=0, lt=1)
    again: float = Field(ge=0)
    spread: float = Field(ge=0, le=1)
    debt: float = Field(ge=0)
    booked: float = Field(default=1, gt=0, le=1)


class Income(Spec):
    """All sources of income, and the spending that goes with them."""

    growth: float
    sd_household: float
    sd_source: float
    sd_village: float
    sd_township: float
    shared: float = Field(ge=0, le=1)
    bad_luck: IncomeShock
    wage: Wage
    farm: Farm
    transfer: Transfer
    property: Property
    medical: Medical
    living: Living


class ShockKind(Spec):
    """One cause: how often, what it costs, what it takes away and for how long."""

    yearly: float
    cost: tuple[float, float]
    category: Literal["medical", "education", "housing", "disaster", "accident", "other"]
    spell: Literal["sick", "job", "farm", "none"]
    loss: tuple[float, float]
    scar: float


class Recovery(Spec):
    """Chance a month that a spell ends: ``rate / (1 + slowing * months)``."""

    rate: float
    slowing: float


class Shocks(Spec):
    """What befalls households."""

    carer: float = Field(ge=1)
    frailty_sd: float
    scar_hazard: float
    scar_decay: float
    macro_sd: float
    illness_age: Steps
    chronic_factor: float
    recovery: dict[Literal["sick", "job", "farm"], Recovery]
    turns_chronic: float
    disaster_months: tuple[int, ...]
    disaster_reach: float
    kinds: dict[str, ShockKind]


class Confirm(Spec):
    """Log-odds that a visit confirms hardship."""

    constant: float
    depth: float
    no_labour: float
    in_spell: float
    unflagged: float


class Office(Spec):
    """The office: its line, how it finds, confirms, enters and lets go."""

    line: float
    rigid_to_income: float
    large_drop: float
    diligence: tuple[float, float]
    general_watch: float = Field(ge=0, le=1)
    quarter_boost: float
    revisit_months: int
    random_visit: float
    apply: float
    apply_below: float
    application_share: float
    absent: float
    confirm: Confirm
    publicity_months: tuple[int, int]
    objection: float = Field(ge=0, lt=1)
    min_months: int
    eliminate: float
    margin: float
    removed: float


class Measure(Spec):
    """One kind of support: income a month for the household, and the share of own costs it covers."""

    measure: str
    income: float = Field(ge=0)
    source: Literal["wage", "business", "transfer"]
    cover: float = Field(ge=0, le=1)


class Support(Spec):
    """What a monitored household is given, by its main cause."""

    months: tuple[int, int]
    second: float
    measures: dict[str, Measure]


class Profile(Spec):
    """Everything that makes a county; shocks and measures must be given for every cause, no other."""

    id: str
    name_zh: str
    name_en: str
    geography: Geography
    people: People
    schools: Schools
    income: Income
    shocks: Shocks
    office: Office
    support: Support
    recording: Recording
    warm_up_months: int = Field(ge=24)

    @model_validator(mode="after")
    def _every_cause(self) -> Profile:
        for name, given in (("shocks.kinds", self.shocks.kinds), ("support.measures", self.support.measures)):
            if set(given) != set(CAUSES):
                raise ValueError(f"{name} must name each of {', '.join(CAUSES)}, and no other")
        return self


def load_profile(name: str | Path | Profile = "default") -> Profile:
    """Read a county's parameters.

    Parameters
    ----------
    name : str, Path or Profile
        The id of a packaged profile, a path to a ``.yaml`` file, or a profile (returned as it is). A file
        with ``base: ID`` need only give what differs from that one.

    Returns
    -------
    Profile
        Every parameter of the process, validated; units stand in ``profiles/default.yaml``.

    Raises
    ------
    UsageError
        If there is no such profile; the message lists those there are.
    InputMissing
        If there is no such file.
    SpecError
        If the file does not fit.

    Examples
    --------
    >>> load_profile("default").office.line
    6000.0
    """
    if isinstance(name, Profile):
        return name
    return parse_spec(_content(name), Profile, str(name))


def without_recorded(profile: Profile) -> Profile:
    """Return the profile of the same county without table ``recorded``.

    Parameters
    ----------
    profile
        Of a county that may state its coverage.

    Examples
    --------
    >>> without_recorded(load_profile("default")).recording.states_coverage
    False
    """
    recording = profile.recording.model_copy(update={"states_coverage": False})
    return profile.model_copy(update={"recording": recording})


def _content(name: str | Path) -> dict[str, Any]:
    path = find_declaration(name, PROFILES, "county profile")
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise SpecError(f"{path}: a profile is a mapping of names to values, not {type(content).__name__}")
    base = content.pop("base", None)
    return _overlay(_content(base), content) if base else content


def _overlay(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return the base with the changed leaves replaced; mappings are merged, everything else is swapped."""
    out = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = _overlay(out[key], value) if both else value
    return out


OLDEST = 110
RIGID = ("medical", "education", "housing", "disaster", "accident")


@dataclass(frozen=True)
class ParameterArrays:
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


def parameter_arrays(profile: Profile) -> ParameterArrays:
    """Turn a profile into look-up arrays."""
    farms = profile.income.farm.kinds.values()
    shocks = [profile.shocks.kinds[c] for c in CAUSES]
    aid = [profile.support.measures[c] for c in CAUSES]
    a, b = profile.people.mortality
    years = np.arange(OLDEST + 1)

    def floats(values: object) -> Floats:
        return np.asarray(values, dtype=np.float32)

    return ParameterArrays(
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
