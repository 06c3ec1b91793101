"""The county's one history: a block of households month by month, and a log of what happened.

What happens in the county's one history, noted as it happens; futures keep no log.

One month of the county: the same code makes its history and its possible futures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from riskmodel.simulate import demography, incomes, office, population, random_draws, shocks
from riskmodel.simulate.incomes import Flow, MonthAccounts
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import RIGID, ParameterArrays
from riskmodel.simulate.population import Places
from riskmodel.simulate.random_draws import MonthDraws
from riskmodel.simulate.state import (
    AWAY,
    SUPPORT_SOURCES,
    Array,
    Bools,
    EventLog,
    Floats,
    Ints,
    Members,
    OfficeState,
    State,
)


def advance_households(
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    log: EventLog | None = None,
    stay: bool = False,
    also: Callable[[State], Floats] | None = None,
) -> incomes.Flow:
    """Let households live one month: who is born, ill or jobless, and what is earned and spent."""
    if month % 12 == 0:
        shocks.new_year(s, z, t)
    if month % 12 == 8:
        hard = demography.school_year(s, z, month, t)
        demography.refresh(s, month, t)
        shocks.school_hardship(s, month, hard, t, log)
    moved = demography.family_events(s, z, month, t, log, stay)
    better = shocks.recover(s, z, t)
    paid, worse = shocks.draw_shocks(s, z, month, t, log)
    if also is not None:
        paid = paid + also(s)
    changed = np.unique(np.concatenate([moved, better, worse]))
    if changed.size:
        demography.refresh(s, month, t, changed)
    incomes.drift(s, z, t)
    return incomes.month_flow(s, z, paid, month, t)


def advance_office(
    b: OfficeState,
    s: State,
    flow: incomes.Flow,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    rule: FlagRule,
    log: EventLog | None = None,
    supported: bool = True,
) -> tuple[incomes.MonthAccounts, Ints]:
    """Enter the month into the books and let the office do its work."""
    booked = incomes.account(b, s, flow, month)
    return booked, office.advance_register(b, s, z, month, t, rule, log, supported)


def advance_month(
    s: State,
    b: OfficeState,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    rule: FlagRule,
    log: EventLog | None = None,
    stay: bool = False,
) -> tuple[incomes.Flow, incomes.MonthAccounts, Ints]:
    """Move a county on by one month: `advance_households`, then `advance_office` with support."""
    flow = advance_households(s, z, month, t, log, stay)
    booked, entered = advance_office(b, s, flow, z, month, t, rule, log)
    return flow, booked, entered


BLOCK = 4096
SOURCES = ("wage", "business", "transfer", "property")
FLOWS = ("wage", "business", "transfer", "rent")
CATEGORIES = ("production", "medical", "education", "housing", "disaster", "accident", "other", "living")
WORLD, PLACES, PEOPLE, CHANCE, RECORDS, FUTURES, TRUTH, DIRT = range(8)


@dataclass(frozen=True)
class Plan:
    """What is simulated: seed, size, months, the moments whose state is kept, households a block."""

    seed: int
    households: int
    first: int
    months: int
    keep: tuple[int, ...]
    block: int = BLOCK

    @property
    def last(self) -> int:
        """The last simulated month."""
        return self.first + self.months - 1


@dataclass
class Block:
    """One block's history."""

    start: State
    began: int
    income: Ints
    spending: Ints
    log: EventLog = field(default_factory=EventLog)
    members: list[tuple[Array, ...]] = field(default_factory=list)
    houses: list[tuple[Array, ...]] = field(default_factory=list)
    snapshots: dict[int, tuple[State, OfficeState]] = field(default_factory=dict)
    below: Array = field(default_factory=lambda: np.empty(0))
    entered: Array = field(default_factory=lambda: np.empty(0))
    persons: Array = field(default_factory=lambda: np.empty(0))


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of one purpose (and block, month, ...), the same for the same key."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *key])))


def pack(m: Members) -> Ints:
    """Return each member's recorded attributes as one number, shape (8, n); 0 where nobody is."""
    out = m.birth.astype(np.int64)
    for part, bits in (
        (m.sex, 1),
        (m.relation, 3),
        (m.school, 3),
        (m.health, 2),
        (m.grade, 3),
        (m.capacity, 2),
        (m.job == AWAY, 1),
        (m.here, 1),
    ):
        out = (out << bits) | part
    return np.where(m.here, out, 0)


def unpack(packed: Ints) -> dict[str, Ints]:
    """Return the attributes that `pack` made one number of."""
    out: dict[str, Ints] = {}
    for name, bits in (
        ("present", 1),
        ("away", 1),
        ("capacity", 2),
        ("grade", 3),
        ("health", 2),
        ("school", 3),
        ("relation", 3),
        ("sex", 1),
    ):
        out[name] = packed & ((1 << bits) - 1)
        packed = packed >> bits
    out["birth"] = packed
    return out


def run_block(plan: Plan, block: int, where: Places, t: ParameterArrays, rule: FlagRule) -> Block:
    """Simulate one block of households from the warm-up to the last month."""
    warm = t.profile.warm_up_months
    began = plan.first - warm
    households = np.arange(block * plan.block, min((block + 1) * plan.block, plan.households))
    s, b = population.populate(stream(plan.seed, PEOPLE, block), households, where, began - 1, t, warm)
    out = _empty(s, began, plan)
    chance, shared = stream(plan.seed, CHANCE, block), stream(plan.seed, WORLD)
    previous = pack(s.m)
    house = s.housing_safe.copy()
    for month in range(began, plan.last + 1):
        common = random_draws.common_shocks(shared, where.townships, len(t.weather_sd))
        z = random_draws.draw(
            chance, s.n, month, t.profile.shocks.disaster_months, common, s.township, s.kind
        )
        flow, booked, entered = advance_month(s, b, z, month, t, rule, out.log, month < plan.first)
        now = pack(s.m)
        slot, column = np.nonzero(now != previous)
        out.members.append((np.full(slot.size, month), slot, column, now[slot, column]))
        changed = np.flatnonzero(house != s.housing_safe)
        out.houses.append((np.full(changed.size, month), changed, s.housing_safe[changed]))
        previous, house = now, s.housing_safe.copy()
        if month >= plan.first:
            _enter(out, s, b, flow, booked, entered, month - plan.first, t)
        if month in plan.keep:
            out.snapshots[month] = s.copy(), b.copy()
    _event_costs(out, plan, households)
    return out


def _empty(s: State, began: int, plan: Plan) -> Block:
    shape = (s.n, plan.months)
    return Block(
        start=s.copy(),
        began=began,
        income=np.zeros((len(SOURCES), *shape), dtype=np.int32),
        spending=np.zeros((len(CATEGORIES), *shape), dtype=np.int32),
        below=np.zeros(shape, dtype=bool),
        entered=np.zeros(shape, dtype=bool),
        persons=np.zeros(shape, dtype=np.int8),
    )


def _enter(
    out: Block,
    s: State,
    b: OfficeState,
    flow: Flow,
    booked: MonthAccounts,
    entered: Ints,
    k: int,
    t: ParameterArrays,
) -> None:
    for i, name in enumerate(FLOWS):
        out.income[i, :, k] = getattr(flow, name)
    for i, name in enumerate(SUPPORT_SOURCES):
        aid = np.where(b.aid_source == i, booked.aid, 0)
        out.income[SOURCES.index(name), :, k] += aid.astype(np.int32)
    out.spending[CATEGORIES.index("production"), :, k] = flow.production
    out.spending[CATEGORIES.index("medical"), :, k] = booked.medical
    out.spending[CATEGORIES.index("education"), :, k] = booked.education
    out.below[:, k] = below(s, b, t)
    out.persons[:, k] = s.persons
    out.entered[entered, k] = True


def below(s: State, b: OfficeState, t: ParameterArrays) -> Bools:
    """Return whose net income of the last 12 months is below the line; never those of whom nobody is left."""
    return (b.net < np.float32(t.profile.office.line) * s.persons) & (s.persons > 0)


def _event_costs(out: Block, plan: Plan, households: Ints) -> None:
    names = (*RIGID, "other")
    for month, household, category, amount in out.log.costs:
        if month[0] < plan.first:
            continue
        # Medical costs are billed over the months that follow and stand in the flow already.
        for i in np.unique(category[category != 0]):
            mine = category == i
            row = CATEGORIES.index(names[i])
            np.add.at(
                out.spending[row],
                (household[mine] - households[0], month[mine] - plan.first),
                amount[mine].astype(np.int32),
            )
