"""The office: whom the rule flags, who is visited and confirmed, the register's life cycle, and support.

Every month the rule flags households. A village visits a flagged one with a chance of its own (imperfect
discovery, oftener at a quarter's end); a few are drawn at random or apply. A visit confirms hardship with a
chance that depends on how poor the household is; confirmation enters the register after publicity and
approval, where objections stop a few; who dies out or moves away is removed. Support
by main cause raises income and covers own costs until it ends. Elimination asks for both periods above the
line, spending below income, and labour. Who falls back is rolled back, or re-marked if a new cause befell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riskmodel.simulate.parameters import CAUSES, ParameterArrays
from riskmodel.simulate.state import (
    ELIMINATED,
    MONITORED,
    NEVER,
    OUTSIDE,
    PENDING,
    Array,
    Bools,
    EventLog,
    Floats,
    Ints,
    MonthDraws,
    OfficeState,
    RuleView,
    State,
)

FlagRule = Callable[[RuleView], Bools]
EVENTS = ("identified", "eliminated", "rolled_back", "re_marked", "removed")
IDENTIFIED, LET_GO, ROLLED_BACK, RE_MARKED, REMOVED = range(5)
OUTCOMES = ("confirmed", "not_confirmed", "absent")
SELECTED = ("rule", "random", "application")
# How publicity ended: registered, objected to, or nobody was left to register.
PASSED, OBJECTED, LEFT = range(3)
CATEGORIES = ("unstable_lifted", "marginal", "sudden_hardship", "")
SUDDEN = [CAUSES.index(c) for c in ("illness", "disaster", "accident")]
OTHER = CAUSES.index("other")
MAX_CAUSES = 3
COSTLY_SCHOOL = 6000  # yuan a year: more than compulsory stages and one high school cost
SECOND = "social_security"


def default_rule(line: float, rigid_to_income: float, large_drop: float) -> FlagRule:
    """Return the register's own rule, of the 2021 national kind.

    Below the line with an open cause; or above it, struck by illness, disaster or accident, and own rigid
    spending above last year's income or income down by a large part.
    """

    def rule(view: RuleView) -> Bools:
        s, b = view.state, view.books
        below = b.net < np.float32(line) * s.persons
        flagged = below & view.has_open_cause
        sudden = np.flatnonzero(~below & view.has_open_cause)
        sudden = sudden[s.last_cause[SUDDEN][:, sudden].max(axis=0) > view.month - 12]
        heavy = b.rigid[sudden] > rigid_to_income * b.net_before[sudden]
        before = b.net_before[sudden] / view.previous_persons[sudden]
        fell = b.net[sudden] / np.maximum(s.persons[sudden], 1) <= (1 - large_drop) * before
        flagged[sudden] = heavy | fell
        return flagged & (s.persons > 0)

    return rule


def advance_register(
    b: OfficeState,
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    rule: FlagRule,
    log: EventLog | None,
    supported: bool,
) -> Ints:
    """Let the office do its month."""
    entered = _publish(b, s, z, month, t, log, supported)
    _eliminate(b, s, z, month, t, log)
    flagged = rule(RuleView(s, b, month))
    _visit(b, s, z, month, t, flagged, log)
    _stop_support(b, np.flatnonzero(b.aid_until == month))
    return entered


def _stop_support(b: OfficeState, rows: Ints) -> None:
    b.aid[rows] = 0
    b.aid_cover[rows] = 0
    b.aid_until[rows] = NEVER


def stop_all_support(b: OfficeState) -> None:
    """End all support of the register, as if from now on there were none."""
    _stop_support(b, np.arange(b.aid.size))


def _visit(
    b: OfficeState,
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    flagged: Bools,
    log: EventLog | None,
) -> None:
    p = t.profile.office
    boost = np.float32(p.quarter_boost if month % 3 == 2 else 1.0)
    random = np.float32(p.random_visit)
    chance = np.where(flagged, s.diligence * boost, 0) + random
    hard = (s.recent > 0.75) & (b.net < np.float32(p.apply_below * p.line) * s.persons)
    chance += np.float32(p.apply) * hard
    rows = np.flatnonzero(z.u_visit < chance)
    free = ((b.status[rows] == OUTSIDE) | (b.status[rows] == ELIMINATED)) & (s.persons[rows] > 0)
    rows = rows[free & (b.visited[rows] <= month - p.revisit_months)]
    if not rows.size:
        return
    b.visited[rows] = month
    share = z.u_visit[rows] / chance[rows]
    by_rule = flagged[rows]
    by_random = share * chance[rows] < random
    applies = np.where(by_rule, share > 1 - p.application_share, True) & ~by_random
    by = np.where(by_random, 1, np.where(applies, 2, 0))
    confirmed = z.u_outcome[rows] < _confirm_chance(b, s, rows, by_rule, t)
    absent = ~confirmed & (z.u_outcome[rows] > 1 - p.absent)
    if log is not None:
        cause = np.where(confirmed, open_causes(s, rows, month)[:, 0], -1)
        outcome = np.where(confirmed, 0, np.where(absent, 2, 1))
        log.visits.add(month, s.household[rows], outcome, cause, by)
    rows = rows[confirmed]
    low, high = p.publicity_months
    b.due[rows] = month + low + (z.u_office[rows] * (high - low + 1)).astype(np.int16)
    # The sign keeps, while publicity runs, whether the household was let go before.
    b.since[rows] = np.where(b.status[rows] == ELIMINATED, -np.abs(b.since[rows]), 0)
    b.status[rows] = PENDING


def visited(b: OfficeState, z: MonthDraws, month: int, t: ParameterArrays) -> tuple[Bools, Bools]:
    """Return whom a visit met this month, and whom it confirmed; after `advance_register`."""
    came = b.visited == month
    confirmed = came & (b.status == PENDING)
    return came & (confirmed | (z.u_outcome <= 1 - t.profile.office.absent)), confirmed


def _confirm_chance(b: OfficeState, s: State, rows: Ints, flagged: Bools, t: ParameterArrays) -> Floats:
    p = t.profile.office
    depth = np.clip(1 - b.net[rows] / (p.line * s.persons[rows]), -2, 1.5)
    in_spell = (s.loss[:, rows] > 0).any(axis=0)
    odds = p.confirm.constant + p.confirm.depth * depth + p.confirm.no_labour * (s.workers[rows] == 0)
    odds = odds + p.confirm.in_spell * in_spell + p.confirm.unflagged * ~flagged
    return 1 / (1 + np.exp(-odds))


def open_causes(s: State, rows: Ints, month: int) -> Ints:
    """Return up to three open causes a household, the latest first, as places in `CAUSES`; -1 for none."""
    last = s.last_cause[:, rows].astype(np.int64)
    order = np.argsort(-last, axis=0, kind="stable")[:MAX_CAUSES]
    still = np.take_along_axis(last, order, axis=0) > month - 12
    out = np.where(still, order, -1).T
    named = np.select(
        [s.workers[rows] <= 1, s.school_cost[rows] >= COSTLY_SCHOOL, s.wage_units[rows] >= 0.5],
        [CAUSES.index(c) for c in ("labour_shortage", "schooling", "unstable_employment")],
        OTHER,
    )
    out[:, 0] = np.where(out[:, 0] < 0, named, out[:, 0])
    return out


def _publish(
    b: OfficeState,
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    log: EventLog | None,
    supported: bool,
) -> Ints:
    rows = np.flatnonzero((b.status == PENDING) & (b.due <= month))
    if not rows.size:
        return rows
    # The upper end of a draw whose lower end alone is bad luck (`incomes.drift`): the two never meet.
    passed = (z.u_luck[rows] < 1 - t.profile.office.objection) & (s.persons[rows] > 0)
    if log is not None:
        ended = np.where(passed, PASSED, np.where(s.persons[rows] > 0, OBJECTED, LEFT))
        log.publicity.add(month, s.household[rows], ended)
    refused = rows[~passed]
    b.status[refused] = np.where(b.since[refused] < 0, ELIMINATED, OUTSIDE)
    b.since[refused] = np.abs(b.since[refused])
    rows = rows[passed]
    before = -b.since[rows].astype(np.int64)
    again = before > 0
    new_cause = s.last_any[rows] > before
    event = np.where(again, np.where(new_cause, RE_MARKED, ROLLED_BACK), IDENTIFIED)
    causes = open_causes(s, rows, month)
    b.status[rows] = MONITORED
    b.since[rows] = month
    if log is not None:
        log.register.add(month, s.household[rows], event, _category(b, s, rows, t), causes)
    if supported:
        _start_support(b, s, z, month, t, rows, causes[:, 0], log)
    return rows


def _category(b: OfficeState, s: State, rows: Ints, t: ParameterArrays) -> Ints:
    below = b.net[rows] < t.profile.office.line * s.persons[rows]
    return np.where(below, np.where(s.lifted[rows], 0, 1), 2)


def _start_support(
    b: OfficeState,
    s: State,
    z: MonthDraws,
    month: int,
    t: ParameterArrays,
    rows: Ints,
    cause: Array,
    log: EventLog | None,
) -> None:
    p = t.profile.support
    low, high = p.months
    u, v = z.u_office[rows], z.u_outcome[rows]
    size = np.sqrt(s.persons[rows] / 3)
    monthly = np.rint(t.aid_income[cause] * size * (np.float32(0.75) + np.float32(0.5) * u))
    extra = v < p.second
    second = np.rint(extra * t.profile.income.transfer.dibao_person * s.persons[rows] * 0.6)
    until = month + low + (u * 997 % 1 * (high - low + 1)).astype(np.int16)
    b.aid[rows] = monthly + second
    b.aid_source[rows] = t.aid_source[cause]
    b.aid_cover[rows] = t.aid_cover[cause]
    b.aid_until[rows] = until
    if log is not None:
        household = s.household[rows]
        log.aid.add(month, household, cause, cause, monthly, until)
        fallback = np.full(int(extra.sum()), -1)
        log.aid.add(month, household[extra], fallback, cause[extra], second[extra], until[extra])


def _eliminate(
    b: OfficeState, s: State, z: MonthDraws, month: int, t: ParameterArrays, log: EventLog | None
) -> None:
    p = t.profile.office
    rows = np.flatnonzero(b.status == MONITORED)
    rows = rows[b.since[rows] < month]
    gone = rows[(z.u_office[rows] < p.removed) | (s.persons[rows] == 0)]
    b.status[gone] = OUTSIDE
    _stop_support(b, gone)
    _log_leaving(log, month, s.household[gone], REMOVED)
    if month % 3 != 2:
        return
    rows = rows[b.status[rows] == MONITORED]
    enough = np.float32(p.margin * p.line)
    then = b.persons_ring[(month + 1) % 13, rows]
    ready = (b.net[rows] > enough * s.persons[rows]) & (b.net_before[rows] > enough * then)
    ready &= (b.rigid[rows] <= p.rigid_to_income * b.net_before[rows]) & (s.workers[rows] > 0)
    ready &= b.since[rows] <= month - p.min_months
    rows = rows[ready & (z.u_office[rows] > 1 - p.eliminate)]
    b.status[rows] = ELIMINATED
    b.since[rows] = month
    _log_leaving(log, month, s.household[rows], LET_GO)


def _log_leaving(log: EventLog | None, month: int, household: Ints, event: int) -> None:
    if log is not None:
        n, no_category = household.size, CATEGORIES.index("")
        no_causes = np.full((n, MAX_CAUSES), -1)
        log.register.add(month, household, np.full(n, event), np.full(n, no_category), no_causes)
