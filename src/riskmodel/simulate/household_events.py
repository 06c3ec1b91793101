r"""How households change: births, deaths, marriages, schooling, ageing; and what follows from the members.

A household may leave as a whole (it moves to a town) or become extinct (its last member dies): nobody is
then ``here``, it earns and spends nothing, and the label of any window that ends later is unknown. The
school year settles ageing: in September children enter the next stage or leave school to work, and old
age takes working capacity.

The school year: stages of schooling, school leavers who go to work, and what old age takes.

What befalls households and how they recover.

A household's hazard of cause c in a month is

.. math:: h_{ic} = \lambda_c x_{ic} f_i (1 + \kappa R_i), \qquad R_{i,t+1} = \delta R_{it} + 1[shock]

with x the exposure that follows from its members, f unseen frailty and R its recent trouble (scarring). At
most one cause strikes a month. A cause costs a log-logistic amount (heavy tail), takes a share of a source
for a spell that ends each month with chance ``rate / (1 + slowing * months)`` (negative duration
dependence), and lowers earnings for good by its scar.
"""

from __future__ import annotations

import numpy as np

from riskmodel.simulate.parameters import CAUSES, OLDEST, ParameterArrays
from riskmodel.simulate.state import (
    ALL,
    AT_HOME,
    AWAY,
    FARM,
    JOB,
    NO_JOB,
    RELATIONS,
    SICK,
    SLOTS,
    Array,
    Bools,
    EventLog,
    Floats,
    Ints,
    Members,
    MonthDraws,
    Rows,
    State,
)

CHILD, GRANDCHILD, IN_LAW = (RELATIONS.index(r) for r in ("child", "grandchild", "other"))
ILLNESS, DISABILITY = CAUSES.index("illness"), CAUSES.index("disability")
JOB_LOSS, SHORTAGE = CAUSES.index("unstable_employment"), CAUSES.index("labour_shortage")
FAILURE = CAUSES.index("industry_failure")
ANYBODY = [CAUSES.index(c) for c in ("accident", "housing", "other")]
MOST_CHILDREN = 3
FAMILY_EVENTS, DEATH, MOVED = 5, 1, 4


def ages(m: Members, month: int) -> Ints:
    """Return members' ages in completed years, shape (8, n)."""
    return np.clip((np.int16(month) - m.birth) // np.int16(12), 0, OLDEST)


def _count(which: Bools) -> Floats:
    # Eight places fit int8, which sums far faster than the default.
    return which.view(np.int8).sum(axis=0, dtype=np.int8).astype(np.float32)


def illness_weight(m: Members, age: Ints, t: ParameterArrays) -> Floats:
    """Return each member's share in the household's hazard of illness (unscaled), shape (8, n)."""
    weight = t.illness_by_age[age] * m.here
    return np.where(m.health > 0, weight * np.float32(t.profile.shocks.chronic_factor), weight)


def death_weight(m: Members, age: Ints, t: ParameterArrays) -> Floats:
    """Return each member's monthly hazard of dying, shape (8, n)."""
    return t.death_by_age[age] * m.here


def refresh(s: State, month: int, t: ParameterArrays, rows: Rows = ALL) -> None:
    """Work out again what a household's members imply: labour, dependants, costs of school, hazards."""
    p = t.profile
    m = s.m.take(rows)
    age = ages(m, month)
    units = m.capacity * m.here
    half = np.float32(0.5)
    home = half * (units * (m.job == AT_HOME)).sum(axis=0, dtype=np.int8)
    away = half * (units * (m.job == AWAY)).sum(axis=0, dtype=np.int8)
    s.persons[rows] = persons = _count(m.here)
    s.workers[rows] = workers = _count(units > 0)
    s.wage_units[rows] = away + np.float32(p.people.local_wage_share) * home
    farm = (np.float32(p.income.farm.idle) + home) ** np.float32(p.income.farm.returns)
    s.farm_units[rows] = farm = farm * (persons > 0)
    s.elders[rows] = _count(m.here & (age >= 60))
    s.chronic[rows] = _count(m.here & (m.health > 0))
    s.school_cost[rows] = (t.school_cost[m.school] * m.here).sum(axis=0)
    hazard = _hazards(m, age, t, away, workers, farm) * (s.frailty[rows] * (persons > 0) / 12)
    s.hazard[:, rows] = hazard
    s.hazard_sum[rows] = hazard.sum(axis=0)
    family = _family_hazards(m, age, t)
    s.h_family[:, rows] = family
    s.h_family_sum[rows] = family.sum(axis=0)


def _hazards(
    m: Members, age: Ints, t: ParameterArrays, away: Floats, workers: Floats, farm: Floats
) -> Floats:
    out = np.zeros((len(CAUSES), age.shape[1]), dtype=np.float32)
    ill = illness_weight(m, age, t).sum(axis=0)
    out[ILLNESS] = ill * t.yearly[ILLNESS]
    out[DISABILITY] = ill * t.yearly[DISABILITY]
    out[JOB_LOSS] = np.minimum(away, 2) * t.yearly[JOB_LOSS]
    out[SHORTAGE] = (workers <= 1) * t.yearly[SHORTAGE]
    out[FAILURE] = np.minimum(farm, 1) * t.yearly[FAILURE]
    for cause in ANYBODY:
        out[cause] = t.yearly[cause]
    return out


def _family_hazards(m: Members, age: Ints, t: ParameterArrays) -> Floats:
    p = t.profile.people
    room = ~m.here.all(axis=0)
    few = _count(m.here & (age < 15)) < MOST_CHILDREN
    wives = m.here & (m.sex == 1) & (age >= 21) & (age <= 38) & (m.relation != CHILD)
    brides = (m.here & (m.relation == IN_LAW)).any(axis=0)
    out = np.empty((FAMILY_EVENTS, age.shape[1]), dtype=np.float32)
    out[0] = p.fertility / 12 * (wives.any(axis=0) & few & room)
    out[1] = death_weight(m, age, t).sum(axis=0)
    out[2] = p.marry_in / 12 * (_grown(m, age, 0, 23, 35).any(axis=0) & ~brides & room)
    out[3] = p.marry_out / 12 * _grown(m, age, 1, 21, 32).any(axis=0)
    out[4] = p.move_out / 12 * (m.here & (m.job == AWAY)).any(axis=0)
    return out


def _grown(m: Members, age: Ints, sex: int, low: int, high: int) -> Bools:
    return m.here & (m.sex == sex) & (m.relation == CHILD) & (age >= low) & (age <= high)


def pick(weights: Floats, u: Floats) -> Ints:
    """Return, per column, one row drawn in proportion to its weight.

    Examples
    --------
    >>> pick(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([0.7, 0.1])).tolist()
    [1, 1]
    """
    total = np.cumsum(weights, axis=0)
    return np.minimum((total <= u * total[-1]).sum(axis=0), len(weights) - 1)


def family_events(
    s: State, z: MonthDraws, month: int, t: ParameterArrays, log: EventLog | None = None, stay: bool = False
) -> Ints:
    """Let at most one birth, death, marriage or move of the whole household happen in each."""
    rows = np.flatnonzero(z.u_family < s.h_family_sum)
    if not rows.size:
        return rows
    kind = pick(s.h_family[:, rows], z.u_family[rows] / s.h_family_sum[rows])
    if stay:
        still = (kind != MOVED) & ~((kind == DEATH) & (s.persons[rows] == 1))
        rows, kind = rows[still], kind[still]
    for which, act in enumerate((_birth, _death, _bride, _leave)):
        chosen = rows[kind == which]
        if chosen.size:
            m = s.m.take(chosen)
            act(s, m, ages(m, month), month, t, chosen, z.few(chosen.size))
    moved = rows[kind == MOVED]
    s.m.here[:, moved] = False
    if log is not None:
        log.moves.add(month, s.household[moved])
    # Nothing more befalls who is gone, not even in the same month.
    gone = rows[~s.m.here[:, rows].any(axis=0)]
    s.persons[gone] = s.bill[gone] = s.hazard_sum[gone] = 0
    s.hazard[:, gone] = 0
    return rows


def _enter(s: State, m: Members, rows: Ints, values: dict[str, Array | int]) -> None:
    slot = np.argmax(~m.here, axis=0)
    defaults: dict[str, Array | int] = {"school": 0, "health": 0, "grade": 0, "here": 1}
    for name, value in (defaults | values).items():
        getattr(s.m, name)[slot, rows] = value


def _birth(s: State, m: Members, age: Ints, month: int, t: ParameterArrays, rows: Ints, u: Floats) -> None:
    eldest = (age * m.here).max(axis=0)
    of = np.where(eldest < 46, CHILD, GRANDCHILD)
    sex = (u < 0.48).astype(np.int8)
    _enter(s, m, rows, {"birth": month, "sex": sex, "relation": of, "capacity": 0, "job": NO_JOB})


def _bride(s: State, m: Members, age: Ints, month: int, t: ParameterArrays, rows: Ints, u: Floats) -> None:
    years = 21 + (u * 11).astype(int)
    born = month - 12 * years - (u * 997 % 12).astype(int)
    job = np.where(u * 97 % 1 < t.away_by_age[years], AWAY, AT_HOME)
    _enter(s, m, rows, {"birth": born, "sex": 1, "relation": IN_LAW, "capacity": 2, "job": job})


def _death(s: State, m: Members, age: Ints, month: int, t: ParameterArrays, rows: Ints, u: Floats) -> None:
    slot = pick(death_weight(m, age, t), u)
    s.m.here[slot, rows] = False
    lost = m.relation[slot, np.arange(rows.size)] == 0
    headless = rows[lost]
    if headless.size:
        # The first grown member in the order of places becomes head; a child if there is none.
        order = 1 + (age[:, lost] >= 18) * (SLOTS - np.arange(SLOTS)[:, None])
        s.m.relation[np.argmax(s.m.here[:, headless] * order, axis=0), headless] = 0


def _leave(s: State, m: Members, age: Ints, month: int, t: ParameterArrays, rows: Ints, u: Floats) -> None:
    daughters = _grown(m, age, 1, 21, 32)
    # Hazards are worked out when members change: she may since have outgrown the age.
    still = daughters.any(axis=0)
    s.m.here[np.argmax(daughters, axis=0)[still], rows[still]] = False


PRESCHOOL, COMPULSORY, HIGH, VOCATIONAL, COLLEGE, DROPPED = range(1, 7)
PART_TIME_AGE, RETIRED_AGE = 62, 74


def school_year(s: State, z: MonthDraws, month: int, t: ParameterArrays) -> Ints:
    """Begin a school year: stages, school leavers who go to work, and old age."""
    m = s.m
    age = ages(m, month)
    slot, row = np.nonzero(m.here & ((m.school > 0) | (age < 6)))
    was, years = m.school[slot, row], age[slot, row]
    u, second, third = z.few(row.size, 3)
    now = next_stage(was, years, u, t)
    m.school[slot, row] = now
    leaves = (was >= COMPULSORY) & (now == 0) & (m.grade[slot, row] == 0)
    away = second < t.away_by_age[np.maximum(years, 16)]
    m.capacity[slot[leaves], row[leaves]] = 2
    m.job[slot[leaves], row[leaves]] = np.where(away, AWAY, AT_HOME)[leaves]
    _old_age(m, age)
    return np.unique(row[(now != was) & (third < t.hardship[now])])


def next_stage(was: Ints, age: Ints, u: Floats, t: ParameterArrays) -> Ints:
    """Return the stage of schooling that a member enters in September."""
    p = t.profile.schools
    high, vocational = p.after_compulsory
    after = np.where(u < high, HIGH, np.where(u < high + vocational, VOCATIONAL, 0))
    drops = (was == COMPULSORY) & (age >= 10) & (u < p.dropout)
    ends = (
        ((was == VOCATIONAL) & (age >= 18))
        | ((was == COLLEGE) & (age >= 22))
        | ((was == DROPPED) & (age >= 16))
    )
    out = np.select(
        [
            age < 3,
            age < 6,
            drops | ((was == DROPPED) & ~ends),
            age < 15,
            was == COMPULSORY,
            (was == HIGH) & (age >= 18),
            ends,
        ],
        [0, PRESCHOOL, DROPPED, COMPULSORY, after, np.where(u < p.to_college, COLLEGE, 0), 0],
        was,
    )
    return out.astype(np.int8)


def _old_age(m: Members, age: Ints) -> None:
    slot, row = np.nonzero((age >= PART_TIME_AGE) & (m.capacity > 0))
    years = age[slot, row]
    m.capacity[slot, row] = np.where(years >= RETIRED_AGE, 0, 1)
    m.job[slot, row] = np.where(years >= RETIRED_AGE, NO_JOB, np.minimum(m.job[slot, row], AT_HOME))


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
        log.events.add(month, s.household[rows], causes, np.rint(estimate / 100) * 100)
        log.costs.add(month, s.household[rows], t.rigid[causes], cost)


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
        log.events.add(month, s.household[rows], np.full(rows.size, SCHOOLING), loss)
