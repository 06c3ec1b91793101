"""The table `procedure`: every step between a confirmed visit and the register, and nothing else."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules, simulate
from riskmodel.data import About, from_frames
from riskmodel.simulate.parameters import Profile
from riskmodel.simulate.records import STEPS

ENTRIES = ("identified", "rolled_back", "re_marked")


@pytest.fixture(scope="module")
def contested() -> simulate.SimulatedCounty:
    """A busy office where a third of the cases meet an objection."""
    base = simulate.load_profile("default").model_dump()
    base["office"] |= {"objection": 0.33, "diligence": (0.3, 0.5)}
    return simulate.simulate_county(
        households=700, months=30, seed=4, profile=Profile.model_validate(base), futures=0
    )


def days(made: simulate.SimulatedCounty, step: str) -> pd.DataFrame:
    t = made.frames["procedure"]
    return t[t.step == step].sort_values(["household_id", "date"], ignore_index=True)


def test_first_and_last_step_are_the_visit_and_the_entry(contested: simulate.SimulatedCounty) -> None:
    visits, register = contested.frames["visits"], contested.frames["monitoring"]
    confirmed = visits[visits.outcome == "confirmed"].sort_values(["household_id", "date"])
    entered = register[register.event.isin(ENTRIES)].sort_values(["household_id", "date"])
    for step, own in (("入户核查", confirmed), ("县级审定", entered)):
        both = days(contested, step).merge(own, on=["household_id", "date"], how="outer", indicator=True)
        # Only what was recorded after the last day may be in one table and not in the other.
        apart = both[both._merge != "both"]
        assert len(both) > 25
        assert (apart.date > pd.Timestamp(contested.about["data_through"]) - pd.Timedelta(days=130)).all()
    assert set(contested.frames["procedure"].step) == set(STEPS)


def test_steps_come_in_order_and_objections_end_a_case(contested: simulate.SimulatedCounty) -> None:
    order = {step: k for k, step in enumerate(STEPS)}
    ends = 0
    for _, history in contested.frames["procedure"].groupby("household_id"):
        by_day = history.assign(k=history.step.map(order)).sort_values(["date", "k"])
        last = None
        for step in by_day.step:
            allowed = {None: "入户核查", "入户核查": "公示开始", "公示期满": "县级审定"}
            if step in ("公示期满", "公示异议"):
                assert last == "公示开始"
            else:
                assert step == allowed.get(last, "入户核查")
            ends += step in ("公示异议", "县级审定")
            last = step
    objected, approved = len(days(contested, "公示异议")), len(days(contested, "县级审定"))
    assert ends == objected + approved
    # A third of the cases, give or take three standard errors.
    share = objected / (objected + approved)
    assert abs(share - 0.33) < 3 * (0.33 * 0.67 / (objected + approved)) ** 0.5


def test_publicity_lasts_as_the_rules_ask(contested: simulate.SimulatedCounty) -> None:
    """At least 5 days in the village: the simulated office's approval is one or two months off."""
    about = {k: v for k, v in contested.about.items() if k != "simulated"}
    row = rules.check_time_limits(
        from_frames(contested.frames, About(**about)), "national-2021", about["data_through"]
    )
    publicity = row.set_index("id").loc["publicity"]
    assert publicity["checked"]
    assert publicity["in_time"] > 25
    assert publicity["late"] == 0
