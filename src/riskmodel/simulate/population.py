r"""The county before its first month: townships, villages, households and their members.

.. math:: a_i = \mu + \tau_{town} + \nu_{village} + \theta_i + \epsilon_i, \quad
   \theta_i \sim N(0, \sigma_h^2), \ \epsilon_i \sim N(0, \sigma_s^2)

for the permanent log level of each source: ability θ is shared by the sources of a household and nobody in
the office sees it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from riskmodel.simulate import household_events
from riskmodel.simulate.incomes import draw_reported_share, fall_depth
from riskmodel.simulate.parameters import CAUSES, ParameterArrays, Profile, by_age
from riskmodel.simulate.state import (
    AT_HOME,
    AWAY,
    CHILDREN,
    FATHER,
    GRANDCHILD,
    HEAD,
    MOTHER,
    NEVER,
    NO_JOB,
    RELATIONS,
    RING,
    SLOTS,
    SPOUSE,
    Array,
    Bools,
    Floats,
    Ints,
    Members,
    OfficeState,
    State,
)

FALL_YEARS = 5


@dataclass(frozen=True)
class Places:
    """Where every household lives, and what places do to incomes and to the office's diligence."""

    village_of: Ints
    township_of_village: Ints
    village_effect: Floats
    diligence: Floats

    @property
    def townships(self) -> int:
        """Number of townships."""
        return int(self.township_of_village.max()) + 1


def places(rng: np.random.Generator, households: int, p: Profile) -> Places:
    """Lay out a county: consecutive households share a village, consecutive villages a township."""
    g = p.geography
    villages = max(g.min_townships, round(households / g.village_size))
    townships = max(g.min_townships, round(villages / g.villages_per_township))
    town = np.arange(villages) * townships // villages
    effect = rng.normal(0, p.income.sd_township, townships)[town] + rng.normal(
        0, p.income.sd_village, villages
    )
    median, spread = p.office.diligence
    return Places(
        village_of=np.arange(households) * villages // households,
        township_of_village=town,
        village_effect=effect.astype(np.float32),
        diligence=np.minimum(median * np.exp(rng.normal(0, spread, villages)), 0.9).astype(np.float32),
    )


def _blank(n: int) -> tuple[State, OfficeState]:
    small: dict[str, Array] = {f.name: np.zeros((SLOTS, n), np.int8) for f in fields(Members)}
    small |= {"birth": np.zeros((SLOTS, n), np.int16), "here": np.zeros((SLOTS, n), bool)}
    types: dict[str, Any] = {
        "household": np.int32,
        "township": np.int16,
        "village": np.int32,
        "kind": np.int8,
    }
    types |= dict.fromkeys(("since", "due", "visited", "aid_until", "last_cause", "last_any"), np.int16)
    types |= {"status": np.int8, "aid_source": np.int8} | dict.fromkeys(
        ("lifted", "insured", "housing_safe"), np.bool_
    )
    depth = {
        "hazard": len(CAUSES),
        "last_cause": len(CAUSES),
        "h_family": household_events.FAMILY_EVENTS,
        "loss": 3,
        "age": 3,
    }
    depth |= {"net_ring": RING, "rigid_ring": 12, "persons_ring": 13}

    def arrays(kind: type[State] | type[OfficeState]) -> dict[str, Array]:
        shapes = {
            f.name: (depth[f.name], n) if f.name in depth else (n,) for f in fields(kind) if f.name != "m"
        }
        return {k: np.zeros(shape, dtype=types.get(k, np.float32)) for k, shape in shapes.items()}

    return State(m=Members(**small), **arrays(State)), OfficeState(**arrays(OfficeState))


def populate(
    rng: np.random.Generator, households: Ints, where: Places, month: int, t: ParameterArrays, past: int
) -> tuple[State, OfficeState]:
    """Draw households and members as they are before the first simulated month."""
    n, p = households.size, t.profile
    s, books = _blank(n)
    s.household[:] = households
    s.village[:] = where.village_of[households]
    s.township[:] = where.township_of_village[s.village]
    s.lifted[:] = rng.random(n) < p.people.lifted_share
    s.insured[:] = rng.random(n) >= p.people.uninsured
    s.housing_safe[:] = True
    s.macro[:] = s.reported[:] = 1.0
    for last in (s.last_cause, s.last_any, books.visited, books.due, books.aid_until, books.since):
        last[...] = NEVER
    # Nobody knows how many lived there before; one person keeps the first ratios finite.
    books.persons_ring[...] = 1
    _members(s, rng, month, p)
    _levels(s, rng, where, p, past)
    watch = np.where(s.lifted, 1.0, p.office.general_watch)
    s.diligence[:] = where.diligence[s.village] * watch
    household_events.refresh(s, month, t)
    _usual(s, rng, p)
    if p.recording.misreporting is not None:
        s.reported[:] = draw_reported_share(rng.random(n, dtype=np.float32), p.recording.misreporting)
    return s, books


def _put(s: State, slot: int, here: Bools, age: Floats, sex: Ints | int, relation: str, month: int) -> None:
    s.m.here[slot] = here
    s.m.birth[slot] = month - np.maximum(np.rint(age * 12), 0)
    s.m.sex[slot] = sex
    s.m.relation[slot] = RELATIONS.index(relation)


def _members(s: State, rng: np.random.Generator, month: int, p: Profile) -> None:
    n, q = s.n, p.people
    mean, sd, low, high = q.head_age
    age = np.clip(rng.normal(mean, sd, n), low, high)
    _put(s, HEAD, np.ones(n, bool), age, (rng.random(n) < 0.12).astype(np.int8), "head", month)
    married = rng.random(n) < np.interp(age, [40, 60, 82], [0.90, 0.84, 0.42])
    _put(
        s, SPOUSE, married, np.maximum(age - 2 + rng.normal(0, 3, n), 21), 1 - s.m.sex[HEAD], "spouse", month
    )
    young, grown = age < 46, age > 60
    count = np.where(
        young,
        rng.choice(4, n, p=np.array(q.children_young)),
        rng.choice(4, n, p=np.array(q.children_middle)) * ~grown,
    )
    for k, slot in enumerate(CHILDREN):
        child = age - 25 - 3.2 * k - rng.gamma(2.0, 1.4, n)
        _put(s, slot, (count > k) & (child >= 0), child, rng.integers(0, 2, n), "child", month)
    _three_generations(s, rng, month, age, grown & (rng.random(n) < q.three_generations))
    for slot, sex, chance in ((FATHER, 0, q.father_at_home), (MOTHER, 1, q.mother_at_home)):
        parent = age + rng.normal(25.5 - 2 * sex, 2.5, n)
        _put(s, slot, (age < 60) & (parent < 92) & (rng.random(n) < chance), parent, sex, "parent", month)
    _condition(s, rng, month, p)


def _three_generations(s: State, rng: np.random.Generator, month: int, age: Floats, here: Bools) -> None:
    n = s.n
    grown, wife, kid = age - 25 - rng.gamma(2.0, 1.2, n), rng.random(n) < 0.6, rng.random(n) < 0.62
    for slot, who, years, sex, relation in (
        (CHILDREN[0], here, grown, 0, "child"),
        (CHILDREN[1], here & wife, grown - 2, 1, "other"),
        (
            GRANDCHILD,
            here & wife & kid,
            grown - 26 - rng.gamma(1.5, 1.5, n),
            rng.integers(0, 2, n),
            "grandchild",
        ),
    ):
        ok = who & (years >= (18 if slot != GRANDCHILD else 0))
        names = ("here", "birth", "sex", "relation")
        keep = [getattr(s.m, name)[slot].copy() for name in names]
        _put(s, slot, ok, years, sex, relation, month)
        for name, old in zip(names, keep, strict=True):
            getattr(s.m, name)[slot] = np.where(ok, getattr(s.m, name)[slot], old)


def _condition(s: State, rng: np.random.Generator, month: int, p: Profile) -> None:
    shape, age = (SLOTS, s.n), household_events.ages(s.m, month)
    high, vocational = p.schools.after_compulsory
    u = rng.random(shape)
    youth = np.where(
        u < high, household_events.HIGH, np.where(u < high + vocational, household_events.VOCATIONAL, 0)
    )
    college = np.where(u < high * p.schools.to_college, household_events.COLLEGE, 0)
    stage = np.select(
        [age < 3, age < 6, age < 15, age < 18, age < 22],
        [0, household_events.PRESCHOOL, household_events.COMPULSORY, youth, college],
        0,
    )
    s.m.school[:] = np.where(s.m.here, stage, 0)
    disabled = s.m.here & (rng.random(shape) < by_age(p.people.disabled_by_age)[age])
    s.m.grade[:] = np.where(disabled, rng.integers(1, 5, shape), 0)
    s.m.health[:] = s.m.here & (rng.random(shape) < by_age(p.people.chronic_by_age)[age])
    idle = (age < 15) | (stage > 0) | (age >= 74) | ((s.m.grade > 0) & (s.m.grade <= 2))
    s.m.capacity[:] = np.where(idle, 0, np.where((age >= 62) | (s.m.grade > 0), 1, 2))
    away = (rng.random(shape) < by_age(p.people.migrant_by_age)[age]) & (s.m.capacity == 2)
    s.m.job[:] = np.where(s.m.capacity == 0, NO_JOB, np.where(away, AWAY, AT_HOME))


def _levels(s: State, rng: np.random.Generator, where: Places, p: Profile, past: int) -> None:
    n, inc = s.n, p.income
    place = where.village_effect[s.village] - np.float32(p.people.lifted_penalty) * s.lifted
    shared = place + rng.normal(0, inc.sd_household, n) - inc.growth * past / 12
    own = rng.normal(0, inc.sd_source, (2, n))
    kinds = list(inc.farm.kinds.values())
    s.kind[:] = rng.choice(len(kinds), n, p=np.array([k.share for k in kinds]))
    # The mean of a log-normal lies above its median: the profile gives means.
    own -= (inc.sd_source**2 + inc.sd_household**2) / 2
    s.a_wage[:] = np.log(inc.wage.monthly) + shared + own[0] - inc.wage.sd**2 / 2
    s.a_farm[:] = np.log(inc.farm.yearly) + shared + own[1] - inc.farm.sd**2 / 2
    s.plan[:] = np.exp(s.a_farm + inc.farm.sd**2 / 2) * np.array([k.cost_share for k in kinds])[s.kind]
    s.u_wage[:] = rng.normal(0, inc.wage.sd, n)
    s.u_farm[:] = rng.normal(0, inc.farm.sd, n)
    # Falls of the years before: whoever had one is somewhere on its way back.
    fell = rng.random(n) < -np.expm1(-inc.bad_luck.yearly * FALL_YEARS)
    left = inc.bad_luck.fade ** rng.uniform(0, 12 * FALL_YEARS, n)
    s.fallen[:] = fell * left * fall_depth(rng.random(n), inc.bad_luck)
    kin = np.exp(rng.normal(0, inc.transfer.kin_sd, n) - inc.transfer.kin_sd**2 / 2)
    s.kin[:] = kin * np.exp(shared / 2)
    rent = inc.property.yearly * np.exp(rng.normal(0, inc.property.sd, n))
    s.rent[:] = np.where(rng.random(n) < inc.property.share, rent, 0)
    sd = p.shocks.frailty_sd
    s.frailty[:] = np.exp(rng.normal(0, sd, n) - sd**2 / 2)


def _usual(s: State, rng: np.random.Generator, p: Profile) -> None:
    """Set what a household usually has in a year, and the minimum allowance of the poorest."""
    tr = p.income.transfer
    earned = np.exp(s.a_wage) * s.wage_units * 11 + (np.exp(s.a_farm) - s.plan) * s.farm_units
    s.usual[:] = earned + 12 * (tr.pension * s.elders + tr.kin * s.kin * s.persons) + tr.subsidy * s.persons
    need = s.usual / s.persons * np.exp(rng.normal(0, 0.2, s.n))
    poorest = need <= np.quantile(need, tr.dibao_share)
    s.dibao[:] = np.rint(poorest * s.persons * tr.dibao_person * rng.uniform(0.7, 1.3, s.n))
