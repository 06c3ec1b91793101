"""The simulator's own future under a scenario: the ruler for `stress`.

The simulated county is lived up to as-of by the code that made its history, then on through many worlds that
its households share (weather, markets, disasters), once as it is and once with the scenario done to wages,
sales, own costs, support, or by a flood that strikes a township. Both lives of a world have the same chance.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.forecast.gather import MEASURES
from riskmodel.forecast.scenario import Scenario, Shock
from riskmodel.simulate import noise, office
from riskmodel.simulate.assemble import Order
from riskmodel.simulate.history import PLACES, run_block, stream
from riskmodel.simulate.incomes import Flow
from riskmodel.simulate.lookup import Lookup, lookup
from riskmodel.simulate.months import DateLike, month_of_end
from riskmodel.simulate.population import places
from riskmodel.simulate.process import book, live
from riskmodel.simulate.state import AWAY, Books, State

Array = NDArray[Any]
WORLDS = 40
HORIZON = 12
STREAM = 77  # of random numbers: none of the simulator's own purposes has this number


def future(asked: Order, as_of: DateLike, scenario: Scenario, worlds: int = WORLDS) -> pd.DataFrame:
    """Return how many households of a simulated county are below the line a year on, with and without.

    Parameters
    ----------
    asked : Order
        Of the county (`simulate.order`); up to one block of households (4,096).
    as_of : date
        A month's end.
    scenario : Scenario
    worlds : int

    Returns
    -------
    DataFrame
        One row a world: ``households_baseline, persons_baseline, yuan_baseline`` and the same with
        ``_stressed``. A household's extra own medical cost is taken off its income, as `stress` does.
    """
    month = month_of_end(as_of)
    t = lookup(asked.profile)
    plan = dataclasses.replace(asked.plan, months=month - asked.plan.first + 1, keep=(month,))
    where = places(stream(plan.seed, PLACES), plan.households, asked.profile)
    state, books = run_block(plan, 0, where, t, asked.rule).kept[month]
    rows = []
    for world in range(worlds):
        row: dict[str, float] = {}
        lives: dict[str, tuple[Shock, ...]] = {"baseline": (), "stressed": scenario.shocks}
        for name, shocks in lives.items():
            found = _live(state.copy(), books.copy(), month, t, asked, shocks, world, where.townships)
            row |= {f"{measure}_{name}": v for measure, v in zip(MEASURES, found, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def _live(
    s: State, b: Books, month: int, t: Lookup, asked: Order, shocks: tuple[Shock, ...], world: int, towns: int
) -> tuple[float, float, float]:
    """Live one world and count who is below the line at its end: households, persons, yuan."""
    chance, shared = (stream(asked.plan.seed, STREAM, world, k) for k in (0, 1))
    extra = np.zeros(s.n)
    withdrawn = any(k.kind == "support" for k in shocks)
    if withdrawn:
        office.stop_all_aid(b)
    for ahead in range(1, HORIZON + 1):
        common = noise.world(shared, towns, len(t.weather_sd))
        z = noise.draw(
            chance, s.n, month + ahead, t.profile.shocks.disaster_months, common, s.township, s.kind
        )
        acting = tuple(k for k in shocks if ahead <= k.months)
        flow = live(s, z, month + ahead, t)
        flow, cost = _changed(flow, s, acting, asked.plan.seed)
        extra += cost
        book(b, s, flow, z, month + ahead, t, asked.rule, supported=not withdrawn)
    persons = np.maximum(s.persons, 1)
    income = (b.net - extra) / persons
    line = asked.profile.office.line
    below = (income < line) & (s.persons > 0)
    return float(below.sum()), float(s.persons[below].sum()), float(((line - income) * persons)[below].sum())


def _changed(flow: Flow, s: State, shocks: tuple[Shock, ...], seed: int) -> tuple[Flow, Array]:
    """Return a month's amounts under the scenario, and the extra own cost of care (n,)."""
    cost = np.zeros(s.n)
    for shock in shocks:
        if shock.kind == "wage":
            flow = dataclasses.replace(flow, wage=np.rint(flow.wage * (1 - shock.share * _away(s, shock))))
        elif shock.kind in {"sales", "disaster"}:
            flow = dataclasses.replace(flow, business=np.rint(flow.business * (1 - _lost(s, shock, seed))))
        elif shock.kind == "medical":
            cost = cost + flow.medical * shock.points / (1 - shock.reimbursed_now)
    return flow, cost


def _away(s: State, shock: Shock) -> Array:
    """Return the share of wages that members away earn (all, where the scenario is not of migrants)."""
    if shock.who == "all":
        return np.ones(s.n)
    away = ((s.m.job == AWAY) & s.m.here).sum(axis=0)
    return np.where(s.wage_units > 0, np.minimum(away / np.maximum(s.wage_units, 1e-6), 1.0), 0.0)


def _lost(s: State, shock: Shock, seed: int) -> Array:
    """Return the share of sales lost: the same households and shares in every month of a world."""
    if shock.kind == "sales":
        return np.full(s.n, shock.share)
    rng = stream(seed, STREAM, 10_000, int(s.n))
    # The largest township; `where` by name is the real county's, whose numbering is its names' order.
    sizes = np.bincount(s.township)
    hit = (s.township == sizes.argmax()) & (rng.random(s.n) < shock.reach)
    return hit * (shock.loss[0] + (shock.loss[1] - shock.loss[0]) * rng.random(s.n))
