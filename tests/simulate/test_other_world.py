"""The profile with other equations: each mechanism by hand, and a truth that meets what happened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.simulate.history import PEOPLE, PLACES
from riskmodel.simulate.incomes import draw_reported_share, drift, month_flow, report_anew
from riskmodel.simulate.parameters import ParameterArrays, parameter_arrays
from riskmodel.simulate.population import places, populate
from riskmodel.simulate.state import State, draw_month, stream

from .conftest import START, Accounting, without_shared_shocks

AS_OF, END, EVER = "2018-06-30", "2019-06-30", "2100-01-01"


def start(n: int = 2000) -> tuple[State, ParameterArrays]:
    profile = simulate.load_profile("other-world")
    where = places(stream(2, PLACES), n, profile)
    t = parameter_arrays(profile)
    return populate(stream(2, PEOPLE), np.arange(n), where, START - 1, t, 0)[0], t


def test_wages_stand_still_between_changes() -> None:
    s, t = start()
    steps, spread = [], []
    for month in range(START, START + 36):
        before = s.u_wage.copy()
        drift(s, draw_month(np.random.default_rng(month), s.n, month, ()), t)
        steps.append((s.u_wage != before).mean())
        spread.append(s.u_wage.std())
    wage = t.profile.income.wage
    assert np.mean(steps) == pytest.approx(wage.steps_yearly / 12, rel=0.1)
    assert spread[-1] == pytest.approx(wage.sd, rel=0.1), "as wide after years as at the start"
    sizes = np.unique(s.u_wage - before)
    assert len(sizes) < 0.3 * s.n, "whoever had no change has none of any size"


def test_what_a_fall_takes_is_booked_month_by_month() -> None:
    s, t = start()
    luck = t.profile.income.bad_luck
    often = t.profile.income.model_copy(update={"bad_luck": luck.model_copy(update={"yearly": 3.0})})
    fast = parameter_arrays(t.profile.model_copy(update={"income": often}))
    never = t.profile.income.model_copy(update={"bad_luck": luck.model_copy(update={"yearly": 0.0})})
    none = parameter_arrays(t.profile.model_copy(update={"income": never}))
    before = s.fallen.copy()
    drift(s, draw_month(np.random.default_rng(3), s.n, START, ()), fast)
    fell = s.fallen > before
    taken = luck.debt * s.usual * (1 - np.exp(-(s.fallen - before * np.float32(luck.fade))))
    assert s.debt[fell] == pytest.approx(luck.booked * taken[fell], abs=1)
    assert (s.debt[~fell] == 0).all()
    booked = s.debt.copy()
    for month in range(START + 1, START + 48):
        drift(s, draw_month(np.random.default_rng(month), s.n, month, ()), none)
        booked += s.debt
    # (1 - 0.1)^48 is 0.6 %; whole yuan leave up to five behind.
    assert booked[fell] == pytest.approx(taken[fell], rel=0.01, abs=6)


def test_some_households_report_a_part_in_round_figures() -> None:
    s, t = start()
    mode = t.profile.recording.misreporting
    assert mode is not None
    assert (s.reported < 1).mean() == pytest.approx(mode.share, abs=0.04)
    low, high = mode.reported
    assert s.reported[s.reported < 1].min() >= np.float32(low)
    assert s.reported[s.reported < 1].max() <= np.float32(high)
    z = draw_month(np.random.default_rng(1), s.n, START + 7, ())
    paid = np.zeros(s.n, dtype=np.float32)
    flow = month_flow(s, z, paid, START + 7, t)
    whole = s.copy()
    whole.reported[:] = 1
    true = month_flow(whole, z, paid, START + 7, t)
    assert flow.wage == pytest.approx(true.wage * s.reported, abs=mode.rounded)
    assert (flow.wage % mode.rounded == 0).all()
    assert (flow.business % mode.rounded == 0).all()
    assert (flow.transfer == true.transfer).all()
    assert (flow.production == true.production).all()
    before = s.reported.copy()
    report_anew(s, z, mode)
    changed = s.reported != before
    # Of those drawn again some reported all before and report all after: they stay as they are.
    stay = (1 - mode.share) ** 2
    assert changed.mean() == pytest.approx(mode.anew * (1 - stay), abs=0.02)
    assert draw_reported_share(np.linspace(0, 0.999, 2000), mode).mean() == pytest.approx(
        1 - mode.share * (1 - (low + high) / 2), abs=0.002
    )


def test_bad_luck_is_written_up_later() -> None:
    profile = simulate.load_profile("other-world")
    assert profile.recording.unlucky is not None
    assert profile.recording.tells
    default = simulate.load_profile("default")
    for off in (default.recording.unlucky, default.recording.misreporting):
        assert off is None
    assert (default.income.wage.steps_yearly, default.income.bad_luck.booked) == (0, 1)


def test_truth_meets_what_happened_and_the_tables(accounting: Accounting) -> None:
    """As `test_truth` does for the default county: independent households, whole and in bands of chance.

    |z| above 3.3 has a chance of one in a thousand if the chances are right; the seeds are fixed.
    """
    parts = []
    for seed in (21, 22):
        made = simulate.simulate_county(
            households=1200, months=36, seed=seed, profile=without_shared_shocks("other-world"), futures=150,
            truth_at=[AS_OF],
        )  # fmt: skip
        t = made.truth[made.truth.event == "below_line"].set_index("household_id").sort_index()
        after = accounting(made.frames, END, EVER).loc[t.index]
        seen = t.outcome.notna()
        assert (t.outcome[seen] == (after.pcni < 6000)[seen].astype(int)).all()
        parts.append(t[seen])
    t = pd.concat(parts)
    for band in ([0, 1.01], [0, 0.03], [0.03, 0.15], [0.15, 1.01]):
        part = t[(t.probability >= band[0]) & (t.probability < band[1])]
        sd = np.sqrt((part.probability * (1 - part.probability)).sum())
        # Within a band chosen by an estimate the estimates err outwards, by at most their own error.
        slack = 0 if band[1] > 1 and band[0] == 0 else (part.mc_error**2).sum() / 0.05
        assert part.probability.sum() > 3
        assert abs(part.outcome.sum() - part.probability.sum()) < 3.3 * sd + slack
