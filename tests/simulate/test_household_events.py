"""What befalls households: heads, spells, scars, a township's disasters."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel.simulate import household_events
from riskmodel.simulate.parameters import CAUSES
from riskmodel.simulate.state import CAPACITY, JOB, EventLog, common_shocks, draw_month

from .conftest import START, N, initial_county, run_months


def test_one_head_always() -> None:
    s, b, t = initial_county()
    run_months(s, b, t, 60)
    heads = (s.m.here & (s.m.relation == 0)).sum(axis=0)
    assert (heads[s.persons > 0] == 1).all()
    assert (heads[s.persons == 0] == 0).all()


def test_what_is_kept_from_the_members_is_what_they_are() -> None:
    s, b, t = initial_county()
    run_months(s, b, t, 40)
    assert (s.persons == s.m.here.sum(axis=0)).all()
    able = s.m.here & (s.m.capacity > CAPACITY.index("none"))
    assert (s.workers == able.sum(axis=0)).all()
    # Some have left as a whole: nobody there, and then nothing earned, owed or befalling them.
    gone = s.persons == 0
    assert 5 < gone.sum() < N / 10
    for nothing in (s.hazard_sum, s.h_family_sum, s.farm_units, s.wage_units, s.bill, s.workers):
        assert (nothing[gone] == 0).all()
    assert (b.net_ring[(START + 39) % 24, gone] <= 0).mean() > 0.9


def test_a_spell_is_harder_to_leave_the_longer_it_lasts() -> None:
    """Negative duration dependence: the share that ends falls with the months spent in it."""
    s, _, t = initial_county(n=N)
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
    s, _, t = initial_county()
    s = s.repeat(0, N, 20)
    rates = []
    for recent in (0.0, 1.0):
        now = s.copy()
        now.recent[:] = recent
        log = EventLog()
        household_events.draw_shocks(now, draw_month(np.random.default_rng(1), s.n, START, ()), START, t, log)
        rates.append(log.events.columns()[0].size)
    ratio = rates[1] / rates[0]
    # About 900 events: the ratio of two such counts on shared chance errs by some 2 %.
    assert ratio == pytest.approx(1 + t.profile.shocks.scar_hazard, rel=0.08)


def test_a_disaster_strikes_a_township_together() -> None:
    s, _, t = initial_county()
    profile = t.profile
    rng = np.random.default_rng(0)
    hit = np.zeros(int(s.township.max()) + 1)
    for _ in range(400):
        log = EventLog()
        shared = common_shocks(rng, hit.size, len(t.weather_sd))
        z = draw_month(rng, s.n, START + 6, profile.shocks.disaster_months, shared, s.township, s.kind)
        household_events.draw_shocks(s.copy(), z, START + 6, t, log)
        _, household, cause, _ = log.events.columns()
        struck = np.unique(s.township[household[cause == CAUSES.index("disaster")]])
        hit[struck] += 1
        assert struck.size <= 4, "a disaster is a township's, not the whole county's"
    assert hit.sum() > 5
