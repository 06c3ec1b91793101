"""The county's one history: what is asked for, and a block of households month by month with its log.

The same code moves a county on by one month in its history and in its possible futures; these keep no log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from riskmodel.data import month_end, month_ordinal
from riskmodel.errors import UsageError
from riskmodel.simulate import household_events, incomes, office, population
from riskmodel.simulate.incomes import Flow, MonthAccounts
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import RIGID, ParameterArrays, Profile, load_profile
from riskmodel.simulate.population import Places
from riskmodel.simulate.state import (
    AWAY,
    SUPPORT_SOURCES,
    Array,
    Bools,
    EventLog,
    Floats,
    Ints,
    Members,
    MonthDraws,
    OfficeState,
    State,
    common_shocks,
    draw_month,
    stream,
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
        household_events.new_year(s, z, t)
        if t.profile.recording.misreporting is not None:
            incomes.report_anew(s, z, t.profile.recording.misreporting)
    if month % 12 == 8:
        hard = household_events.school_year(s, z, month, t)
        household_events.refresh(s, month, t)
        household_events.school_hardship(s, month, hard, t, log)
    moved = household_events.family_events(s, z, month, t, log, stay)
    better = household_events.recover(s, z, t)
    paid, worse = household_events.draw_shocks(s, z, month, t, log)
    if also is not None:
        paid = paid + also(s)
    changed = np.unique(np.concatenate([moved, better, worse]))
    if changed.size:
        household_events.refresh(s, month, t, changed)
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
        common = common_shocks(shared, where.townships, len(t.weather_sd))
        z = draw_month(chance, s.n, month, t.profile.shocks.disaster_months, common, s.township, s.kind)
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
    rows = np.array([CATEGORIES.index(name) for name in (*RIGID, "other")])
    month, household, category, amount = out.log.costs.columns()
    # Medical costs are billed over the months that follow and stand in the flow already.
    billed = (month >= plan.first) & (category != RIGID.index("medical"))
    at = (rows[category[billed]], household[billed] - households[0], month[billed] - plan.first)
    np.add.at(out.spending, at, amount[billed].astype(np.int32))


DateLike = str | dt.date


def ordinal(text: str) -> int:
    """Return the ordinal of a month written ``YYYY-MM``.

    Examples
    --------
    >>> ordinal("2017-01")
    24204
    """
    try:
        day = dt.date.fromisoformat(f"{text}-01")
    except ValueError as exc:
        raise UsageError(f"{text!r} is not a month; write YYYY-MM") from exc
    return month_ordinal(day.year, day.month)


def month_of_end(day: DateLike) -> int:
    """Return the month that ends on a day.

    Examples
    --------
    >>> month_of_end("2019-12-31") == ordinal("2019-12")
    True
    """
    try:
        date = day if isinstance(day, dt.date) else dt.date.fromisoformat(str(day))
    except ValueError as exc:
        raise UsageError(f"{day!r} is not a date; write YYYY-MM-DD") from exc
    month = month_ordinal(date.year, date.month)
    if date != month_end(month):
        raise UsageError(f"truth is known at month ends only: {date} is none; take {month_end(month)}")
    return month


DEFAULT_REGISTER = "default"

MIN_MONTHS = 24


@dataclass(frozen=True)
class SimulationSpec:
    """What is asked for: a plan, the truth wanted, and the process it is made by."""

    plan: Plan
    profile: Profile
    rule: FlagRule
    truth_at: tuple[int, ...]
    horizons: tuple[int, ...]
    futures: int
    truth_sample: int | None = None
    # Which rule the register goes by: a rule set's id, "default", or that of a function without one.
    register: str = DEFAULT_REGISTER


def simulation_spec(
    *,
    households: int = 3000,
    months: int = 60,
    seed: int = 0,
    profile_name: str | Path | Profile = "default",
    flag_rule: FlagRule | None = None,
    start: str = "2017-01",
    truth_at: Iterable[DateLike] | None = None,
    horizon: int | Iterable[int] = 12,
    futures: int = 1000,
    truth_sample: int | None = None,
) -> SimulationSpec:
    """Check what is asked for; see `simulate_county` for the parameters and what is raised."""
    profile = load_profile(profile_name)
    for name, value, low in (
        ("households", households, 1),
        ("months", months, MIN_MONTHS),
        ("futures", futures, 0),
        ("truth_sample", 1 if truth_sample is None else truth_sample, 1),
    ):
        if value < low:
            raise UsageError(f"{name}={value}: must be at least {low}")
    horizons = tuple(sorted({horizon} if isinstance(horizon, int) else set(horizon)))
    for ahead in horizons or (0,):
        if not 1 <= ahead <= 24:
            raise UsageError(f"horizon={ahead}: must be 1 to 24 months")
    first = ordinal(start)
    last = first + months - 1
    at = (
        _default_dates(first, last, max(horizons), profile.recording.most_days)
        if truth_at is None
        else sorted({month_of_end(d) for d in truth_at})
    )
    at = at if futures else []
    for month in at:
        if not first <= month <= last:
            raise UsageError(
                f"truth at {month_end(month)}: outside the simulated months, {start} to {month_end(last)}"
            )
    rule = flag_rule or office.default_rule(
        profile.office.line, profile.office.rigid_to_income, profile.office.large_drop
    )
    plan = Plan(seed=seed, households=households, first=first, months=months, keep=tuple(at))
    register = DEFAULT_REGISTER if flag_rule is None else getattr(flag_rule, "id", "a function")
    return SimulationSpec(plan, profile, rule, tuple(at), horizons, futures, truth_sample, register)


def _default_dates(first: int, last: int, horizon: int, delay_days: int) -> list[int]:
    """Return the last two half-year ends with a year behind them whose window and late records are over."""
    over = last - horizon
    ends = [m for m in range(first + 11, over + 1) if m % 6 == 5]
    recorded = [m for m in ends if m <= over - -(-delay_days // 30)]
    return (recorded or ends)[-2:]
