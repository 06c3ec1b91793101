"""The monthly process: its sums, its seasons, its scars."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate import household_events
from riskmodel.simulate.history import PEOPLE, PLACES, advance_month
from riskmodel.simulate.incomes import drift, fall_depth, month_flow
from riskmodel.simulate.parameters import CAUSES, ParameterArrays, Profile, parameter_arrays
from riskmodel.simulate.population import places, populate
from riskmodel.simulate.state import (
    CAPACITY,
    JOB,
    SICK,
    EventLog,
    OfficeState,
    State,
    common_shocks,
    draw_month,
    logged_columns,
    stream,
)

START = 24204
N = 3000


def county(seed: int = 2, n: int = N) -> tuple[State, OfficeState, ParameterArrays]:
    profile = simulate.load_profile("default")
    t = parameter_arrays(profile)
    where = places(stream(seed, PLACES), n, profile)
    s, b = populate(stream(seed, PEOPLE), np.arange(n), where, START - 1, t, 0)
    return s, b, t


def nobody(view: simulate.RuleView) -> np.ndarray:
    return np.zeros(view.state.n, dtype=bool)


def run(
    s: State, b: OfficeState, t: ParameterArrays, months: int, log: EventLog | None = None
) -> list[np.ndarray]:
    nets = []
    rng = np.random.default_rng(4)
    for month in range(START, START + months):
        z = draw_month(rng, s.n, month, t.profile.shocks.disaster_months)
        flow, booked, _ = advance_month(s, b, z, month, t, nobody, log)
        nets.append(flow.net + booked.aid)
    return nets


def test_running_sums_are_the_sums_of_the_months() -> None:
    # Whole yuan in float32 are exact below 2**24, so the sums must agree to the last yuan.
    s, b, t = county()
    nets = np.array(run(s, b, t, 40), dtype=np.float64)
    assert (b.net == nets[-12:].sum(axis=0)).all()
    assert (b.net_before == nets[-24:-12].sum(axis=0)).all()
    assert (nets == np.rint(nets)).all()


def test_what_is_kept_from_the_members_is_what_they_are() -> None:
    s, b, t = county()
    run(s, b, t, 40)
    assert (s.persons == s.m.here.sum(axis=0)).all()
    able = s.m.here & (s.m.capacity > CAPACITY.index("none"))
    assert (s.workers == able.sum(axis=0)).all()
    # Some have left as a whole: nobody there, and then nothing earned, owed or befalling them.
    gone = s.persons == 0
    assert 5 < gone.sum() < N / 10
    for nothing in (s.hazard_sum, s.h_family_sum, s.farm_units, s.wage_units, s.bill, s.workers):
        assert (nothing[gone] == 0).all()
    assert (b.net_ring[(START + 39) % 24, gone] <= 0).mean() > 0.9


def test_one_head_always() -> None:
    s, b, t = county()
    run(s, b, t, 60)
    heads = (s.m.here & (s.m.relation == 0)).sum(axis=0)
    assert (heads[s.persons > 0] == 1).all()
    assert (heads[s.persons == 0] == 0).all()


def test_a_spell_is_harder_to_leave_the_longer_it_lasts() -> None:
    """Negative duration dependence: the share that ends falls with the months spent in it."""
    s, _, t = county(n=N)
    s = s.repeat(0, N, 20)
    rng = np.random.default_rng(0)
    ended = []
    for months in (0, 6, 12):
        s.loss[JOB], s.age[JOB] = 0.8, months
        z = draw_month(rng, s.n, START, ())
        household_events.recover(s, z, t)
        ended.append((s.loss[JOB] == 0).mean())
    r = t.profile.shocks.recovery["job"]
    expected = [r.rate / (1 + r.slowing * m) for m in (0, 6, 12)]
    # 60,000 draws: the standard error of a share near 0.2 is 0.0016.
    assert ended == pytest.approx(expected, abs=0.007)
    assert ended[0] > ended[1] > ended[2]


def test_trouble_brings_trouble() -> None:
    """Scarring: after a shock the next one comes oftener by 1 + scar_hazard, as declared."""
    s, _, t = county()
    s = s.repeat(0, N, 20)
    rates = []
    for recent in (0.0, 1.0):
        now = s.copy()
        now.recent[:] = recent
        log = EventLog()
        household_events.draw_shocks(now, draw_month(np.random.default_rng(1), s.n, START, ()), START, t, log)
        rates.append(logged_columns(log.events, 4)[0].size)
    ratio = rates[1] / rates[0]
    # About 900 events: the ratio of two such counts on shared chance errs by some 2 %.
    assert ratio == pytest.approx(1 + t.profile.shocks.scar_hazard, rel=0.08)


def test_a_disaster_strikes_a_township_together() -> None:
    s, _, t = county()
    profile = t.profile
    rng = np.random.default_rng(0)
    hit = np.zeros(int(s.township.max()) + 1)
    for _ in range(400):
        log = EventLog()
        shared = common_shocks(rng, hit.size, len(t.weather_sd))
        z = draw_month(rng, s.n, START + 6, profile.shocks.disaster_months, shared, s.township, s.kind)
        household_events.draw_shocks(s.copy(), z, START + 6, t, log)
        _, household, cause, _ = logged_columns(log.events, 4)
        struck = np.unique(s.township[household[cause == CAUSES.index("disaster")]])
        hit[struck] += 1
        assert struck.size <= 4, "a disaster is a township's, not the whole county's"
    assert hit.sum() > 5


def test_a_january_draws_the_year_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    january, may = draw_month(rng, 5, START, ()), draw_month(rng, 5, START + 4, ())
    assert january.z_weather is not None
    assert may.z_weather is None
    with pytest.raises(ValueError, match="January"):
        household_events.new_year(county(n=130)[0], may, parameter_arrays(simulate.load_profile("default")))


def test_no_wage_at_the_spring_festival_for_some() -> None:
    s, b, t = county()
    rng = np.random.default_rng(4)
    shares = []
    for month in range(START, START + 4):
        flow, _, _ = advance_month(s, b, draw_month(rng, s.n, month, ()), month, t, nobody)
        shares.append((flow.wage[s.wage_units > 0] == 0).mean())
    gap = t.profile.income.wage.spring_gap
    assert shares[1] == pytest.approx(gap, abs=0.05)
    assert max(shares[0], shares[2], shares[3]) < 0.1


def test_the_sick_earn_less(calm: Profile) -> None:
    s, _, _ = county()
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
    s, _, t = county()
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
