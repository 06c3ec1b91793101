"""The effect of support: recovered where assignment allows it, known to be biased where it does not.

The simulator books every life with support and without, so the true effect on whom it is given is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.simulate import truth
from riskmodel.simulate.history import PLACES, Plan, run_block
from riskmodel.simulate.parameters import Profile, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.state import stream

pytestmark = pytest.mark.slow

HOUSEHOLDS, MONTHS, HORIZON, FUTURES = 4096, 48, 12, 60


@dataclass(frozen=True)
class Measured:
    """Outcomes a year on of those with and without support, and the true mean effect on the former."""

    naive: float
    error: float
    true: float
    supported: int


def measure(profile: Profile, rule: Any, seed: int) -> Measured:
    asked = simulate.simulation_spec(
        households=HOUSEHOLDS, months=MONTHS, seed=seed, profile_name=profile, flag_rule=rule, futures=0
    )
    t, kept = parameter_arrays(profile), asked.plan.last - HORIZON
    plan = Plan(seed, HOUSEHOLDS, asked.plan.first, MONTHS, (kept,), HOUSEHOLDS)
    where = places(stream(seed, PLACES), HOUSEHOLDS, profile)
    block = run_block(plan, 0, where, t, asked.rule)
    s, b = block.snapshots[kept]
    there = block.persons[:, -1] > 0
    given, below = b.aid > 0, block.below[:, -1]
    ours, others = below[given & there], below[~given & there]
    rows = np.flatnonzero(given & there)
    found = truth.event_probabilities(
        s.take(rows),
        b.take(rows),
        kept,
        HORIZON,
        t,
        asked.rule,
        futures=FUTURES,
        seed=seed,
        block=0,
    )
    effect = found.probability[0] - found.probability_unsupported[0]
    variances = [part.mean() * (1 - part.mean()) / part.size for part in (ours, others)]
    return Measured(
        naive=float(ours.mean() - others.mean()),
        error=float(np.sqrt(sum(variances))),
        true=float(np.nanmean(effect)),
        supported=int(ours.size),
    )


def by_lot() -> Profile:
    """A county that gives support by lot: whoever is flagged is visited at once and confirmed."""
    base = simulate.load_profile("default").model_dump()
    base["office"] |= {
        "diligence": (0.9, 0.0),
        "general_watch": 1.0,
        "random_visit": 0.0,
        "apply": 0.0,
        "eliminate": 0.0,
        "objection": 0.0,
        "absent": 0.0,
        "confirm": {"constant": 20.0, "depth": 0.0, "no_labour": 0.0, "in_spell": 0.0, "unflagged": -60.0},
    }
    # The same help whatever the cause: otherwise who gets how much is no lot.
    same = {"measure": "social_help", "income": 900.0, "source": "transfer", "cover": 0.0}
    base["support"]["measures"] = dict.fromkeys(base["support"]["measures"], same)
    base["support"]["second"] = 0.0
    return Profile.model_validate(base)


def test_an_effect_of_support_by_lot_is_recovered() -> None:
    """Half the households by lot: who gets support is like who does not, so the difference is the effect."""

    def lot(view: simulate.RuleView) -> np.ndarray:
        drawn = np.random.default_rng(7).random(HOUSEHOLDS) < 0.5
        return drawn[view.state.household] & (view.state.persons > 0)

    found = measure(by_lot(), lot, seed=1)
    assert found.supported > 1000
    assert found.true < -0.02, "no effect to recover"
    # Three standard errors of a difference of two shares.
    assert abs(found.naive - found.true) < 3 * found.error


def test_an_effect_of_support_by_need_is_biased() -> None:
    """The office supports the poor: the difference mixes need with help, and says far too little."""
    found = measure(simulate.load_profile("default"), None, seed=1)
    assert found.supported > 40
    assert found.true < -0.05
    assert found.naive - found.true > 3 * found.error


def test_monte_carlo_errors_are_what_they_say() -> None:
    """Two independent truths of the same households differ by their stated errors: z has variance one."""
    profile = simulate.load_profile("default")
    t = parameter_arrays(profile)
    asked = simulate.simulation_spec(households=600, months=36, seed=2, futures=0)
    kept = asked.plan.last
    plan = Plan(2, 600, asked.plan.first, 36, (kept,), 600)
    where = places(stream(2, PLACES), 600, profile)
    s, b = run_block(plan, 0, where, t, asked.rule).snapshots[kept]
    rows = np.flatnonzero(s.persons > 0)
    one, two = (
        truth.event_probabilities(
            s.take(rows), b.take(rows), kept, 12, t, asked.rule, futures=200, seed=seed, block=0
        )
        for seed in (1, 2)
    )
    p = (one.probability[0] + two.probability[0]) / 2
    inner = (p > 0.02) & (p < 0.98)
    z = (one.probability[0] - two.probability[0]) / np.hypot(one.error[0], two.error[0])
    assert inner.sum() > 100
    # 100 or more squares of a standard normal: their mean errs by 0.14 at most.
    assert np.mean(z[inner] ** 2) == pytest.approx(1, abs=0.45)
    assert abs(z[inner].mean()) < 0.35
