r"""What befalls households and how they recover.

A household's hazard of cause c in a month is

.. math:: h_{ic} = \lambda_c x_{ic} f_i (1 + \kappa R_i), \qquad R_{i,t+1} = \delta R_{it} + 1[shock]

with x the exposure that follows from its members, f unseen frailty and R its recent trouble (scarring). At
most one cause strikes a month. A cause costs a log-logistic amount (heavy tail), takes a share of a source
for a spell that ends each month with chance ``rate / (1 + slowing * months)`` (negative duration
dependence), and lowers earnings for good by its scar.
"""

from __future__ import annotations

import numpy as np

from riskmodel.simulate.demography import COLLEGE, DISABILITY, ILLNESS, JOB_LOSS, ages, illness_weight, pick
from riskmodel.simulate.parameters import CAUSES, ParameterArrays
from riskmodel.simulate.random_draws import MonthDraws
from riskmodel.simulate.state import AT_HOME, FARM, JOB, NO_JOB, SICK, EventLog, Floats, Ints, State

SCHOOLING, DISASTER = CAUSES.index("schooling"), CAUSES.index("disaster")
HOUSING = CAUSES.index("housing")
LARGEST_COST = 300_000
REPAIR = 0.12


def new_year(s: State, z: MonthDraws, t: ParameterArrays) -> None:
    """Draw the year's weather and prices for each township and farm kind, and the county's labour market."""
    if z.z_weather is None or z.z_macro is None:
        raise ValueError("the year begins in January: this month's noise has no yearly draws")
    sd = t.weather_sd[s.kind]
    s.weather = z.z_weather * sd - sd**2 / 2
    spread = np.float32(t.profile.shocks.macro_sd)
    s.macro = np.exp(z.z_macro * spread - spread**2 / 2)


def recover(s: State, z: MonthDraws, t: ParameterArrays) -> Ints:
    """End spells; who was gravely ill becomes well or chronically ill."""
    p = t.profile.shocks
    changed = np.empty(0, dtype=np.intp)
    for k, name in ((SICK, "sick"), (JOB, "job"), (FARM, "farm")):
        rows = np.flatnonzero(s.loss[k])
        r = p.recovery[name]  # type: ignore[index]
        u = z.few(rows.size)
        chance = np.float32(r.rate) / (1 + np.float32(r.slowing) * s.age[k, rows])
        over = rows[u < chance]
        s.age[k, rows] += 1
        s.loss[k, over] = 0
        if k == SICK and over.size:
            stays = (u[u < chance] / chance[u < chance]) < p.turns_chronic
            gravely = s.m.health[:, over] == 2
            s.m.health[:, over] = np.where(gravely, stays, s.m.health[:, over])
            changed = over
    unsafe = np.flatnonzero(~s.housing_safe)
    s.housing_safe[unsafe[z.few(unsafe.size) < REPAIR]] = True
    return changed


def draw_shocks(
    s: State, z: MonthDraws, month: int, t: ParameterArrays, log: EventLog | None
) -> tuple[Floats, Ints]:
    """Let at most one cause befall each household."""
    p = t.profile.shocks
    fate = 1 + np.float32(p.scar_hazard) * s.recent
    fate *= s.hazard_sum + s.hazard[JOB_LOSS] * (s.macro - 1)
    s.recent *= np.float32(p.scar_decay)
    rows = np.flatnonzero(z.u_shock < fate)
    weights = s.hazard[:, rows].copy()
    weights[JOB_LOSS] *= s.macro[rows]
    causes = pick(weights, z.u_shock[rows] / fate[rows]) if rows.size else rows
    hit = _shock_causes(s, z, t)
    if hit.size:
        alone = ~np.isin(rows, hit)
        rows = np.concatenate([rows[alone], hit])
        causes = np.concatenate([causes[alone], np.full(hit.size, DISASTER)])
    paid = np.zeros(s.n, dtype=np.float32)
    if rows.size:
        _apply(s, z, month, t, rows, causes, paid, log)
    return paid, rows[(causes == ILLNESS) | (causes == DISABILITY)]


def apply_shock(s: State, z: MonthDraws, month: int, t: ParameterArrays, rows: Ints, cause: int) -> Floats:
    """Let one cause strike chosen households, as `draw_shocks` does to those whom chance chooses."""
    paid = np.zeros(s.n, dtype=np.float32)
    if rows.size:
        _apply(s, z, month, t, rows, np.full(rows.size, cause), paid, None)
    return paid


def _shock_causes(s: State, z: MonthDraws, t: ParameterArrays) -> Ints:
    if z.u_town is None:
        return np.empty(0, dtype=np.intp)
    p = t.profile.shocks
    # `yearly` is the household's own rate: a township is struck so much oftener, and then few households are.
    struck = t.yearly[DISASTER] / len(p.disaster_months) / p.disaster_reach
    towns = np.flatnonzero(z.u_town < struck)
    return towns[(z.few(towns.size) < p.disaster_reach) & (s.persons[towns] > 0)]


def _apply(
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    rows: Ints,
    causes: Ints,
    paid: Floats,
    log: EventLog | None,
) -> None:
    size, share = z.few(rows.size, 2)
    u = np.minimum(size, np.float32(0.99999))
    median, shape = t.cost[causes].T
    cost = np.rint(np.minimum(median * (u / (1 - u)) ** shape, LARGEST_COST))
    low, high = t.loss[causes].T
    loss = low + (high - low) * share
    s.recent[rows] += 1
    s.last_cause[causes, rows] = month
    s.last_any[rows] = month
    s.a_wage[rows] -= t.scar[causes]
    s.a_farm[rows] -= t.scar[causes]
    loss *= _patients(s, z, month, t, rows, causes)
    spell = t.spell[causes]
    for k in (SICK, JOB, FARM):
        mine = spell == k
        s.loss[k, rows[mine]] = np.maximum(s.loss[k, rows[mine]], loss[mine])
        s.age[k, rows[mine]] = 0
    medical = t.rigid[causes] == 0
    s.bill[rows[medical]] += cost[medical]
    other = t.rigid[causes] > 0
    paid[rows[other]] += cost[other]
    s.housing_safe[rows[causes == HOUSING]] = False
    if log is not None:
        # The office estimates a loss: the cost, and a quarter of a year's income that the spell takes.
        estimate = cost + s.usual[rows] / 4 * np.where(spell >= 0, loss, 0)
        log.event(month, s.household[rows], causes, np.rint(estimate / 100) * 100)
        log.cost(month, s.household[rows], t.rigid[causes], cost)


def _patients(s: State, z: MonthDraws, month: int, t: ParameterArrays, rows: Ints, causes: Ints) -> Floats:
    """Pick who falls ill or becomes disabled; return how much of the household's labour that concerns."""
    share = np.ones(rows.size, dtype=np.float32)
    ill = (causes == ILLNESS) | (causes == DISABILITY)
    who = rows[ill]
    if not who.size:
        return share
    m = s.m.take(who)
    slot = pick(illness_weight(m, ages(m, month), t), z.few(who.size))
    working = s.m.job[slot, who] != NO_JOB
    # A patient who does not work still takes a carer's time.
    taken = np.where(working, np.float32(t.profile.shocks.carer), np.float32(t.profile.shocks.carer - 1))
    share[ill] = np.minimum(taken / np.maximum(s.workers[who], 1), 1)
    sick = causes[ill] == ILLNESS
    s.m.health[slot[sick], who[sick]] = 2
    slot, who = slot[~sick], who[~sick]
    grade = 1 + (z.few(who.size) * 4).astype(np.int8)
    s.m.grade[slot, who] = np.where(s.m.grade[slot, who] == 0, grade, np.minimum(s.m.grade[slot, who], grade))
    most = np.where(s.m.grade[slot, who] <= 2, 0, 1)
    s.m.capacity[slot, who] = np.minimum(s.m.capacity[slot, who], most)
    s.m.job[slot, who] = np.where(
        s.m.capacity[slot, who] == 0, NO_JOB, np.minimum(s.m.job[slot, who], AT_HOME)
    )
    return share


def school_hardship(s: State, month: int, rows: Ints, t: ParameterArrays, log: EventLog | None) -> None:
    """Record that a child's entry into a costly stage is a hardship."""
    if not rows.size:
        return
    s.last_cause[SCHOOLING, rows] = month
    s.last_any[rows] = month
    s.recent[rows] += np.float32(0.3)
    if log is not None:
        loss = np.where(
            (s.m.school[:, rows] == COLLEGE).any(axis=0), t.school_cost[COLLEGE], s.school_cost[rows]
        )
        log.event(month, s.household[rows], np.full(rows.size, SCHOOLING), loss)
