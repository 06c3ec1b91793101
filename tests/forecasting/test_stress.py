"""Stress: scenarios are read or refused, do what they say, and agree with the simulator's own future."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import County, from_frames
from riskmodel.data.schema import About
from riskmodel.errors import SpecError, UsageError
from riskmodel.forecasting import household, stress
from riskmodel.forecasting.household import HouseholdForecast
from riskmodel.forecasting.stress import Scenario
from riskmodel.households import known_county
from riskmodel.simulate import stress_truth

from .conftest import AS_OF


def one(**shock: object) -> Scenario:
    return Scenario.model_validate(
        {"version": 1, "id": "x", "name_zh": "试", "name_en": "trial", "risk": "disaster",
         "shocks": [{"months": 12, "cause": "disaster", **shock}]}
    )  # fmt: skip


def total(found: stress.Stress, what: str, measure: str = "households") -> pd.Series:
    t = found.table
    return t[
        (t["what"] == what) & (t["township"] == "all") & (t["cause"] == "all") & (t["measure"] == measure)
    ].iloc[0]


@pytest.mark.parametrize("name", stress.available_scenarios())
def test_every_declared_scenario_adds_and_adds_up(
    name: str, county: County, forecast: HouseholdForecast
) -> None:
    chosen = stress.read_scenario(name)
    found = stress.stress_test(county, forecast, chosen, draws=100)
    for measure in ("households", "persons", "yuan"):
        extra = total(found, "stressed", measure)["mean"] - total(found, "baseline", measure)["mean"]
        # Same draws with and without: what is added is the difference, and a loss lifts nobody.
        assert total(found, "extra", measure)["mean"] == pytest.approx(extra)
        assert extra >= 0
    assert set(found.table.loc[found.table["what"] == "extra", "cause"]) == {"all", chosen.shocks[0].cause}
    assert (found.losses["loss"] > 0).all()
    assert len(found.losses)
    # The id says the same as the scenario that it names.
    pd.testing.assert_frame_equal(stress.stress_test(county, forecast, name, draws=100).table, found.table)


def test_a_wage_loss_is_the_same_months_of_last_year(county: County, forecast: HouseholdForecast) -> None:
    # Of everybody, all year, half: half of the year's wages a head, from the accounting itself.
    found = stress.stress_test(county, forecast, one(kind="wage", share=0.5), draws=50)
    day = dt.date.fromisoformat(AS_OF)
    t = known_county(county, day).accounts().select("household_id", "income_wage", "persons").to_pandas()
    expected = (0.5 * t["income_wage"] / t["persons"]).set_axis(t["household_id"])
    loss = found.losses.set_index("household_id")["loss"]
    assert loss.to_numpy() == pytest.approx(expected.loc[loss.index].to_numpy())
    six = stress.stress_test(county, forecast, one(kind="wage", share=0.5, months=6), draws=50).losses
    assert 0.3 < six["loss"].sum() / loss.sum() < 0.7


def test_only_migrants_and_only_one_township_where_that_is_said(
    county: County, forecast: HouseholdForecast, frames: dict[str, pd.DataFrame]
) -> None:
    everyone = stress.stress_test(county, forecast, one(kind="wage", share=0.5), draws=50).losses
    away = stress.stress_test(county, forecast, one(kind="wage", share=0.5, who="migrants"), draws=50).losses
    assert 0 < away["loss"].sum() < everyone["loss"].sum()
    biggest = forecast.standing["township"].value_counts().idxmax()
    flood = stress.stress_test(
        county, forecast, one(kind="disaster", loss=[0.5, 0.5], where="largest"), draws=50
    )
    assert set(flood.losses["township"]) == {biggest}
    t = flood.table
    elsewhere = t[(t["what"] == "extra") & ~t["township"].isin([biggest, "all"])]
    assert (elsewhere["high_95"] == 0).all()


def test_more_is_worse_and_half_the_reach_is_half_the_fall(
    county: County, forecast: HouseholdForecast
) -> None:
    low, high, half = (
        total(stress.stress_test(county, forecast, one(kind="sales", share=s, reach=r), draws=300), "extra")[
            "mean"
        ]
        for s, r in ((0.3, 1.0), (0.6, 1.0), (0.6, 0.5))
    )
    assert 0 < low < high
    # Households are hit by lot, each with even chance: the expected number is half.
    assert half == pytest.approx(high / 2, rel=0.25)


def test_what_a_county_does_not_have_is_said(
    frames: dict[str, pd.DataFrame], forecast: HouseholdForecast
) -> None:
    bare = from_frames({k: frames[k] for k in ("households", "members", "income")}, About(income_is_net=True))
    with pytest.raises(UsageError, match="support is absent"):
        stress.stress_test(bare, forecast, stress.read_scenario("support-withdrawn"))
    with pytest.raises(UsageError, match="spending is absent"):
        stress.stress_test(bare, forecast, stress.read_scenario("reimbursement-down"))
    with pytest.raises(UsageError, match="known: 01镇"):
        stress.stress_test(bare, forecast, one(kind="disaster", loss=[0.1, 0.2], where="Atlantis"))


def test_wrong_scenarios_are_refused_with_key_and_mend(tmp_path: Path) -> None:
    good = stress.read_scenario("wages-down").model_dump(mode="json")
    for change, said in (
        ({"kind": "wage", "months": 6, "cause": "illness"}, "needs share above 0"),
        ({"kind": "wage", "share": 0.1, "months": 6, "cause": "bad luck"}, "one of illness"),
        ({"kind": "disaster", "loss": [0.5, 0.2], "months": 6, "cause": "disaster"}, "lowest, highest"),
        ({"kind": "wage", "share": 0.1, "months": 13, "cause": "illness"}, "less than or equal to 12"),
    ):
        path = tmp_path / "wrong.yaml"
        path.write_text(__import__("json").dumps(good | {"shocks": [change]}), encoding="utf-8")
        with pytest.raises(SpecError, match=said):
            stress.read_scenario(path)
    with pytest.raises(UsageError, match="known: flood"):
        stress.read_scenario("plague")


@pytest.fixture(scope="module")
def ruler() -> tuple[simulate.SimulationSpec, County]:
    asked = {"households": 500, "months": 42, "seed": 9, "truth_at": ()}
    about = About(data_through=dt.date(2020, 6, 30), recording_delay_days=120)
    return simulate.simulation_spec(**asked), from_frames(simulate.simulate_county(**asked).frames, about)


@pytest.mark.slow
def test_answers_agree_with_the_simulators_own_future(
    ruler: tuple[simulate.SimulationSpec, County],
) -> None:
    # The same county lived on through eight worlds with every scenario in them: what the data say is added
    # and what the simulator adds differ by no more than the interval and the worlds' own spread together.
    # (One county tells little; `benchmarks/forecast.py --only stress --seeds 6` gives the mean ratios.)
    spec, county = ruler
    forecast = household.forecast_households(county, "2019-12-31", horizons=(12,))
    chosen = [stress.read_scenario(name) for name in stress.available_scenarios()]
    lived = stress_truth.scenario_truths(spec, "2019-12-31", chosen, worlds=8)
    for each in chosen:
        found = total(stress.stress_test(county, forecast, each, draws=200), "extra")
        extra = lived[each.id]["households_stressed"] - lived[each.id]["households_baseline"]
        assert extra.mean() > 0, each.id
        assert found["low_95"] <= extra.max(), each.id
        assert found["high_95"] >= extra.min(), each.id
