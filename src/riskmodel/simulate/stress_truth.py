"""The simulator's own future under a scenario: the reference for `stress_test`.

The simulated county is lived up to as-of by the code that made its history, then on through many worlds that
its households share (weather, markets, disasters), once as it is and once with the scenario in it. Both lives
of a world have the same chance, and whom the scenario leaves alone lives the same life.

``wage``, ``sales``, ``medical``
    scale what the month brings, by members' true jobs and true costs, not by records;
``disaster``
    strikes through the simulator's own shocks: costs of repair, lasting scars, whom the office finds and
    supports follow as after any disaster. How much of the harvest is lost, and for how many months, is the
    scenario's;
``support``
    stops all that runs and gives nothing new; a part of it cannot be stopped here, and is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.forecasting import LARGEST, MEASURES, Scenario, Shock
from riskmodel.simulate import household_events, office
from riskmodel.simulate.history import (
    PLACES,
    DateLike,
    SimulationSpec,
    advance_households,
    advance_office,
    month_of_end,
    run_block,
)
from riskmodel.simulate.incomes import Flow
from riskmodel.simulate.parameters import CAUSES, ParameterArrays, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.records import township_name
from riskmodel.simulate.state import (
    AWAY,
    FARM,
    Array,
    MonthDraws,
    OfficeState,
    State,
    common_shocks,
    draw_month,
    stream,
)

WORLDS = 40
HORIZON = 12
STREAM = 77  # of random numbers: none of the simulator's own purposes has this number
CHANCE, SHARED, STRUCK = range(3)


@dataclass(frozen=True)
class ScenarioShock:
    """A shock and the households (n,) that it hits in one world; ``rng`` draws how hard."""

    shock: Shock
    rows: Array
    rng: np.random.Generator


@dataclass(frozen=True)
class _StartState:
    """A county at as-of, ready to be lived on."""

    state: State
    books: OfficeState
    month: int
    t: ParameterArrays
    spec: SimulationSpec
    townships: int


def scenario_truths(
    spec: SimulationSpec, as_of: DateLike, scenarios: Sequence[Scenario], worlds: int = WORLDS
) -> dict[str, pd.DataFrame]:
    """Return how many households of a county are below the line a year on, with each scenario and without.

    Tables by the scenarios' ids, a row a world: one history, one future without any scenario.
    """
    _refuse(spec, scenarios)
    month = month_of_end(as_of)
    t = parameter_arrays(spec.profile)
    plan = replace(spec.plan, months=month - spec.plan.first + 1, keep=(month,))
    where = places(stream(plan.seed, PLACES), plan.households, spec.profile)
    state, books = run_block(plan, 0, where, t, spec.rule).snapshots[month]
    start = _StartState(state, books, month, t, spec, where.townships)
    rows: dict[str, list[dict[str, float]]] = {each.id: [] for each in scenarios}
    for world in range(worlds):
        before = _simulate_world(start, (), world)
        for each in scenarios:
            hits = _scenario_shocks(start, each, world)
            touched = np.any([h.rows for h in hits], axis=0)
            # Nobody else is concerned; draws that move up in a list are not to look as if they were.
            after = np.where(touched, _simulate_world(start, hits, world), before)
            rows[each.id].append(_row("baseline", before) | _row("stressed", after))
    return {name: pd.DataFrame(r) for name, r in rows.items()}


def _refuse(spec: SimulationSpec, scenarios: Sequence[Scenario]) -> None:
    if spec.plan.households > spec.plan.block:
        raise UsageError(
            f"{spec.plan.households} households: the simulator's own future is lived by one block, at most "
            f"{spec.plan.block} households; ask for a smaller county"
        )
    for each in scenarios:
        for shock in each.shocks:
            whole = shock.share == 1 and shock.months == HORIZON and shock.reach == 1 and shock.where is None
            if shock.kind == "support" and not whole:
                raise UsageError(
                    f"scenario {each.id}: the simulator stops all support of all households for {HORIZON} "
                    "months (share 1, reach 1, no place), or none"
                )


def _row(name: str, totals: Array) -> dict[str, float]:
    return {f"{measure}_{name}": float(v) for measure, v in zip(MEASURES, totals.sum(axis=1), strict=True)}


def _scenario_shocks(start: _StartState, scenario: Scenario, world: int) -> tuple[ScenarioShock, ...]:
    """Return whom each shock hits in this world."""
    out = []
    for k, shock in enumerate(scenario.shocks):
        rng = stream(start.spec.plan.seed, STREAM, world, STRUCK, k)
        rows = _affected(start, shock) & (rng.random(start.state.n) < shock.reach)
        out.append(ScenarioShock(shock, rows, rng))
    return tuple(out)


def _affected(start: _StartState, shock: Shock) -> Array:
    place = start.state.township
    if shock.where is None:
        return np.ones(place.size, dtype=bool)
    if shock.where == LARGEST:
        return np.asarray(place == np.bincount(place).argmax())
    names = [township_name(k) for k in range(start.townships)]
    if shock.where not in names:
        raise UsageError(f"township {shock.where!r} is not in the county; known: {', '.join(names)}")
    return np.asarray(place == names.index(shock.where))


def _simulate_world(start: _StartState, hits: tuple[ScenarioShock, ...], world: int) -> Array:
    """Live one world; return who is below the line at its end, their persons and gaps, shape (3, n)."""
    s, b, t, spec = start.state.copy(), start.books.copy(), start.t, start.spec
    shared = stream(spec.plan.seed, STREAM, world, SHARED)
    extra = np.zeros(s.n)
    withdrawn = any(h.shock.kind == "support" for h in hits)
    if withdrawn:
        office.stop_all_support(b)
    floods = [_Flood(h, t) for h in hits if h.shock.kind == "disaster"]
    for ahead in range(1, HORIZON + 1):
        month = start.month + ahead
        common = common_shocks(shared, start.townships, len(t.weather_sd))
        # A month's own stream: what one life draws more in a month moves nothing in the next.
        chance = stream(spec.plan.seed, STREAM, world, CHANCE, month)
        z = draw_month(chance, s.n, month, t.profile.shocks.disaster_months, common, s.township, s.kind)

        def also(state: State, ahead: int = ahead, z: MonthDraws = z, month: int = month) -> Array:
            paid = [flood.strike(state, z, month, ahead) for flood in floods]
            return np.asarray(np.sum(paid, axis=0, dtype=np.float32))

        flow = advance_households(s, z, month, t, also=also if floods else None)
        flow, cost = _changed(flow, s, tuple(h for h in hits if ahead <= h.shock.months))
        extra += cost
        advance_office(b, s, flow, z, month, t, spec.rule, supported=not withdrawn)
    persons = np.maximum(s.persons, 1)
    income = (b.net - extra) / persons
    line = spec.profile.office.line
    below = (income < line) & (s.persons > 0)
    return np.stack([below, below * s.persons, np.where(below, (line - income) * persons, 0.0)])


class _Flood:
    """A disaster of the scenario's size: struck in its first month, not over before its last."""

    def __init__(self, hit: ScenarioShock, t: ParameterArrays) -> None:
        self.hit = hit
        self.rows = np.flatnonzero(hit.rows)
        self.cause = CAUSES.index("disaster")
        loss = t.loss.copy()
        loss[self.cause] = hit.shock.loss
        self.t = replace(t, loss=loss)
        self.lost = np.zeros(self.rows.size, dtype=np.float32)

    def strike(self, s: State, z: MonthDraws, month: int, ahead: int) -> Array:
        """Strike, or keep what is lost from coming back; return own rigid spending (n,)."""
        if ahead == 1:
            self.rows = self.rows[s.persons[self.rows] > 0]
            mine = replace(z, rng=self.hit.rng)
            paid = household_events.apply_shock(s, mine, month, self.t, self.rows, self.cause)
            self.lost = s.loss[FARM, self.rows].copy()
            return paid
        if ahead <= self.hit.shock.months:
            s.loss[FARM, self.rows] = np.maximum(s.loss[FARM, self.rows], self.lost)
            s.age[FARM, self.rows] = 0
        return np.zeros(s.n, dtype=np.float32)


def _changed(flow: Flow, s: State, hits: tuple[ScenarioShock, ...]) -> tuple[Flow, Array]:
    """Return a month's amounts under the scenario, and the extra own cost of care (n,)."""
    cost = np.zeros(s.n)
    for hit in hits:
        shock = hit.shock
        if shock.kind == "wage":
            lost = hit.rows * shock.share * _away(s, shock)
            flow = replace(flow, wage=np.rint(flow.wage * (1 - lost)))
        elif shock.kind == "sales":
            flow = replace(flow, business=np.rint(flow.business * (1 - hit.rows * shock.share)))
        elif shock.kind == "medical":
            cost = cost + hit.rows * flow.medical * shock.points / (1 - shock.reimbursed_now)
    return flow, cost


def _away(s: State, shock: Shock) -> Array:
    """Return the share of wages that members away earn (all, where the scenario is not of migrants)."""
    if shock.who == "all":
        return np.ones(s.n)
    away = ((s.m.job == AWAY) & s.m.here).sum(axis=0)
    return np.where(s.wage_units > 0, np.minimum(away / np.maximum(s.wage_units, 1e-6), 1.0), 0.0)
