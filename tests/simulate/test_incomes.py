"""A month's income: its seasons, its spells, its falls."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate import household_events
from riskmodel.simulate.history import advance_month
from riskmodel.simulate.incomes import drift, fall_depth, month_flow
from riskmodel.simulate.parameters import Profile, parameter_arrays
from riskmodel.simulate.state import SICK, draw_month

from .conftest import START, initial_county, nobody


def test_no_wage_at_the_spring_festival_for_some() -> None:
    s, b, t = initial_county()
    rng = np.random.default_rng(4)
    shares = []
    for month in range(START, START + 4):
        flow, _, _ = advance_month(s, b, draw_month(rng, s.n, month, ()), month, t, nobody)
        shares.append((flow.wage[s.wage_units > 0] == 0).mean())
    gap = t.profile.income.wage.spring_gap
    assert shares[1] == pytest.approx(gap, abs=0.05)
    assert max(shares[0], shares[2], shares[3]) < 0.1


def test_the_sick_earn_less(calm: Profile) -> None:
    s, _, _ = initial_county()
    t = parameter_arrays(calm)
    well, sick = s.copy(), s.copy()
    sick.loss[SICK] = 0.5
    for state in (well, sick):
        household_events.new_year(state, draw_month(np.random.default_rng(1), s.n, START, ()), t)
    z = draw_month(np.random.default_rng(1), s.n, START + 8, ())
    paid = np.zeros(s.n, dtype=np.float32)
    a, c = (month_flow(state, z, paid, START + 8, t) for state in (well, sick))
    working = a.wage > 0
    assert c.wage[working].sum() == pytest.approx(0.5 * a.wage[working].sum(), rel=0.001)
    assert (c.transfer == a.transfer).all()


def test_falls_are_as_deep_on_average_as_declared() -> None:
    luck = simulate.load_profile("default").income.bad_luck
    u = (np.arange(200_000, dtype=np.float32) + 0.5) / 200_000
    depth = fall_depth(u, luck)
    # The exponential part has mean one: 200,000 even quantiles of it, cut at 1e-6, leave it at 0.99998.
    assert depth.mean() == pytest.approx(luck.size, rel=0.001)
    assert depth.min() == pytest.approx(luck.size * (1 - luck.spread), rel=0.001)
    even = luck.model_copy(update={"spread": 0.0})
    assert (fall_depth(u, even) == np.float32(luck.size)).all()


def test_a_fall_costs_at_once_and_holds_earnings_down_after() -> None:
    """By hand from the declaration: the loss is booked in the month, what is left fades by the month."""
    s, _, t = initial_county()
    luck = t.profile.income.bad_luck
    fast = t.profile.income.model_copy(update={"bad_luck": luck.model_copy(update={"yearly": 3.0})})
    t = parameter_arrays(t.profile.model_copy(update={"income": fast}))
    z = draw_month(np.random.default_rng(3), s.n, START + 8, ())
    before, paid = s.fallen.copy(), np.zeros(s.n, dtype=np.float32)
    drift(s, z, t)
    fell = s.debt > 0
    assert 0.2 < fell.mean() < 0.4, "a quarter a month and more for who is down already"
    assert s.fallen[~fell] == pytest.approx(before[~fell] * luck.fade, rel=1e-5)
    depth = s.fallen[fell] - before[fell] * luck.fade
    lost = luck.debt * s.usual[fell] * (1 - np.exp(-depth))
    assert s.debt[fell] == pytest.approx(lost, rel=1e-3, abs=1)
    flow = month_flow(s, z, paid, START + 8, t)
    spared = s.copy()
    spared.debt[:] = 0
    assert (flow.production - month_flow(spared, z, paid, START + 8, t).production == s.debt).all()
    drift(
        s,
        draw_month(np.random.default_rng(4), s.n, START + 9, ()),
        parameter_arrays(simulate.load_profile("default")),
    )
    assert (s.debt > 0).mean() < 0.05, "a loss is lost once"
