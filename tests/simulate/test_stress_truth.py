"""The simulator's own future under a scenario: whom it hits, how long, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from riskmodel import simulate
from riskmodel.errors import UsageError
from riskmodel.forecasting import Scenario
from riskmodel.simulate import stress_truth


@pytest.fixture(scope="module")
def spec() -> simulate.SimulationSpec:
    return simulate.simulation_spec(households=500, months=42, seed=9, truth_at=())


def one(**shock: object) -> Scenario:
    return Scenario.model_validate(
        {"version": 1, "id": "x", "name_zh": "试", "name_en": "trial", "risk": "disaster",
         "shocks": [{"months": 12, "cause": "disaster", **shock}]}
    )  # fmt: skip


def flood(**changed: object) -> Scenario:
    return one(kind="disaster", **{"loss": [0.5, 0.9], "where": "02镇", "reach": 0.5} | changed)


def test_the_simulators_future_hits_whom_and_how_long_the_scenario_says(
    spec: simulate.SimulationSpec,
) -> None:
    # Nested scenarios in the same worlds: one township is part of all, half its households are fewer than
    # all of them, six months take less than twelve, and none lifts anybody.
    scenarios = {
        "place": one(kind="sales", share=0.8, where="02镇"),
        "all": one(kind="sales", share=0.8),
        "half": one(kind="sales", share=0.8, where="02镇", reach=0.5),
        "short": one(kind="sales", share=0.8, months=6),
        "flood": flood(),
        "harder": flood(reach=1.0, loss=[0.9, 1.0]),
        "brief": flood(reach=1.0, loss=[0.9, 1.0], months=1),
    }
    named = [each.model_copy(update={"id": name}) for name, each in scenarios.items()]
    lived = stress_truth.scenario_truths(spec, "2019-12-31", named, worlds=3)
    gap = {name: (t["yuan_stressed"] - t["yuan_baseline"]).sum() for name, t in lived.items()}
    assert 0 < gap["half"] < gap["place"] < gap["all"]
    assert 0 < gap["short"] < gap["all"]
    assert 0 < gap["flood"] < gap["harder"]
    assert gap["brief"] < gap["harder"]
    # A flood is the simulator's own disaster: it scars, so whoever is struck earns less when it is over.
    assert gap["brief"] > 0


def test_what_the_simulator_cannot_live_is_refused(spec: simulate.SimulationSpec) -> None:
    for wrong, said in (
        (one(kind="support", share=0.5, cause="other"), "stops all support"),
        (one(kind="support", share=1.0, months=6, cause="other"), "for 12 months"),
        (flood(where="Atlantis"), "known: 01镇"),
    ):
        with pytest.raises(UsageError, match=said):
            stress_truth.scenario_truths(spec, "2019-12-31", [wrong], worlds=1)
    large = simulate.simulation_spec(households=5_000, months=24, seed=1, truth_at=())
    with pytest.raises(UsageError, match="at most 4096"):
        stress_truth.scenario_truths(large, "2018-12-31", [flood()], worlds=1)


def test_the_simulators_future_without_shocks_is_the_same_life(spec: simulate.SimulationSpec) -> None:
    # Both lives of a world have the same chance: a scenario that takes nothing away changes nothing.
    faint = one(kind="sales", share=1e-9)
    worlds = stress_truth.scenario_truths(spec, "2019-12-31", [faint], worlds=2)[faint.id]
    assert worlds["households_stressed"].tolist() == worlds["households_baseline"].tolist()
    assert np.diff(worlds["yuan_baseline"].to_numpy())[0] != 0
