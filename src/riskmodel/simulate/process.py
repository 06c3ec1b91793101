"""One month of the county: the same code makes its history and its possible futures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from riskmodel.simulate import family, incomes, office, school, shocks
from riskmodel.simulate.log import Log
from riskmodel.simulate.lookup import Lookup
from riskmodel.simulate.noise import Noise
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.state import Books, Floats, Ints, State


def live(
    s: State,
    z: Noise,
    month: int,
    t: Lookup,
    log: Log | None = None,
    stay: bool = False,
    also: Callable[[State], Floats] | None = None,
) -> incomes.Flow:
    """Let households live one month: who is born, ill or jobless, and what is earned and spent.

    Parameters
    ----------
    s : State
        At the end of the month before; changed in place.
    z : Noise
        The month's chance.
    month : int
        Month ordinal.
    t : Lookup
    log : Log, optional
        Told what happens (history); futures have none.
    stay : bool, optional
        No household leaves as a whole (before the records begin).
    also : callable, optional
        What else strikes this month (a scenario): changes the state, returns own rigid spending (n,).

    Returns
    -------
    Flow
        The month's amounts, before support.
    """
    if month % 12 == 0:
        shocks.new_year(s, z, t)
    if month % 12 == 8:
        hard = school.school_year(s, z, month, t)
        family.refresh(s, month, t)
        shocks.school_hardship(s, month, hard, t, log)
    moved = family.family_events(s, z, month, t, log, stay)
    better = shocks.recover(s, z, t)
    paid, worse = shocks.strike(s, z, month, t, log)
    if also is not None:
        paid = paid + also(s)
    changed = np.unique(np.concatenate([moved, better, worse]))
    if changed.size:
        family.refresh(s, month, t, changed)
    incomes.drift(s, z, t)
    return incomes.month_flow(s, z, paid, month, t)


def book(
    b: Books,
    s: State,
    flow: incomes.Flow,
    z: Noise,
    month: int,
    t: Lookup,
    rule: FlagRule,
    log: Log | None = None,
    supported: bool = True,
) -> tuple[incomes.Booked, Ints]:
    """Enter the month into the books and let the office do its work.

    Parameters
    ----------
    b : Books
        At the end of the month before; changed in place.
    s : State
        After `live`.
    flow : Flow
        From `live`.
    z : Noise
    month : int
    t : Lookup
    rule : callable
        The register's rule: `state.RuleView` to a boolean array.
    log : Log, optional
    supported : bool, optional
        False: nobody is given support from now on.

    Returns
    -------
    booked : Booked
        Support paid and own costs left.
    entered : array of int
        Columns identified, rolled back or re-marked in the month.
    """
    booked = incomes.account(b, s, flow, month)
    return booked, office.tend(b, s, z, month, t, rule, log, supported)


def step(
    s: State,
    b: Books,
    z: Noise,
    month: int,
    t: Lookup,
    rule: FlagRule,
    log: Log | None = None,
    stay: bool = False,
) -> tuple[incomes.Flow, incomes.Booked, Ints]:
    """Move a county on by one month: `live`, then `book` with support.

    Parameters
    ----------
    s, b, z, month, t, rule, log, stay
        As in `live` and `book`.

    Returns
    -------
    flow, booked, entered
    """
    flow = live(s, z, month, t, log, stay)
    booked, entered = book(b, s, flow, z, month, t, rule, log)
    return flow, booked, entered
