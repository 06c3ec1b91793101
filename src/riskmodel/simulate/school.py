"""The school year: stages of schooling, school leavers who go to work, and what old age takes."""

from __future__ import annotations

import numpy as np

from riskmodel.simulate.family import ages
from riskmodel.simulate.lookup import Lookup
from riskmodel.simulate.noise import Noise
from riskmodel.simulate.state import AT_HOME, AWAY, NO_JOB, Floats, Ints, Members, State

PRESCHOOL, COMPULSORY, HIGH, VOCATIONAL, COLLEGE, DROPPED = range(1, 7)
PART_TIME_AGE, RETIRED_AGE = 62, 74


def school_year(s: State, z: Noise, month: int, t: Lookup) -> Ints:
    """Begin a school year: stages, school leavers who go to work, and old age.

    Parameters
    ----------
    s : State
        Changed in place; `family.refresh` must follow.
    z : Noise
    month : int
    t : Lookup

    Returns
    -------
    array of int
        The columns where a child's entry is a hardship (cause ``schooling``).
    """
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


def next_stage(was: Ints, age: Ints, u: Floats, t: Lookup) -> Ints:
    """Return the stage of schooling that a member enters in September.

    Parameters
    ----------
    was : array of int
        Stages so far, as places in `params.STAGES`.
    age : array of int
        Completed years.
    u : array of float
        Uniform draws.
    t : Lookup

    Returns
    -------
    array of int
    """
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
