"""Simulated counties shared by these tests, and an accounting in plain pandas of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.simulate.history import PEOPLE, PLACES, advance_month
from riskmodel.simulate.parameters import ParameterArrays, Profile, parameter_arrays
from riskmodel.simulate.population import places, populate
from riskmodel.simulate.state import EventLog, OfficeState, State, draw_month, stream

Accounting = Callable[[dict[str, pd.DataFrame], str, str], pd.DataFrame]
START = 24204
N = 3000


@pytest.fixture(scope="session")
def small() -> simulate.SimulatedCounty:
    """300 households over 36 months, truth at one half-year end."""
    return simulate.simulate_county(households=300, months=36, seed=1, futures=100, truth_at=["2018-06-30"])


def without_shared_shocks(profile: str) -> Profile:
    """Return a county without anything that households share, so that their outcomes are independent.

    Its office is a busy one, so that a small county has enough of a register to test.
    """
    base = simulate.load_profile(profile).model_dump()
    base["office"] |= {"diligence": (0.3, 0.5), "min_months": 6, "eliminate": 0.45}
    base["office"]["confirm"]["constant"] = -0.8
    base["shocks"]["macro_sd"] = 0.0
    base["shocks"]["kinds"]["disaster"]["yearly"] = 0.0
    for kind in base["income"]["farm"]["kinds"].values():
        kind["shock"] = 0.0
    return Profile.model_validate(base)


@pytest.fixture(scope="session")
def calm() -> Profile:
    """The default county without shared shocks."""
    return without_shared_shocks("default")


@pytest.fixture(scope="session")
def ruler(calm: Profile) -> simulate.SimulatedCounty:
    """1,600 independent households with truth from 300 futures."""
    return simulate.simulate_county(
        households=1600, months=30, seed=11, profile=calm, futures=300, truth_at=["2018-06-30"]
    )


def _month(text: pd.Series) -> pd.Series:
    return text.str[:4].astype(int) * 12 + text.str[5:7].astype(int) - 1


def _accounting(frames: dict[str, pd.DataFrame], day: str, known_by: str) -> pd.DataFrame:
    """Net income and persons of the 12 months up to a month's end, from rows recorded by a day.

    Written from the contract: all income less production spending, members present on the day, of equal
    keys the row recorded last.
    """
    date, known = pd.Timestamp(day), pd.Timestamp(known_by)
    last = date.year * 12 + date.month - 1
    households = np.sort(frames["households"].household_id.unique())
    amounts = []
    for name, sign in (("income", 1), ("spending", -1)):
        rows = frames[name]
        months = _month(rows.month)
        rows = rows[(months <= last) & (months > last - 12) & (rows.recorded_on <= known)]
        if name == "spending":
            rows = rows[rows.category == "production"]
        amounts.append(sign * rows.groupby("household_id").amount.sum().reindex(households, fill_value=0))
    m = frames["members"]
    m = m[m.recorded_on <= known].sort_values("recorded_on", kind="stable")
    m = m.drop_duplicates(["member_id", "valid_from"], keep="last")
    m = m[(m.valid_from <= date) & (m.valid_to.isna() | (m.valid_to > date))]
    assert not m.member_id.duplicated().any(), "one person twice in a household"
    persons = m.groupby("household_id").size().reindex(households, fill_value=0)
    net = sum(amounts)
    return pd.DataFrame({"net": net, "persons": persons, "pcni": net / persons})


@pytest.fixture(scope="session")
def accounting() -> Accounting:
    """Return the accounting in plain pandas."""
    return _accounting


def initial_county(seed: int = 2, n: int = N) -> tuple[State, OfficeState, ParameterArrays]:
    profile = simulate.load_profile("default")
    t = parameter_arrays(profile)
    where = places(stream(seed, PLACES), n, profile)
    s, b = populate(stream(seed, PEOPLE), np.arange(n), where, START - 1, t, 0)
    return s, b, t


def nobody(view: simulate.RuleView) -> np.ndarray:
    return np.zeros(view.state.n, dtype=bool)


def run_months(
    s: State, b: OfficeState, t: ParameterArrays, months: int, log: EventLog | None = None
) -> list[np.ndarray]:
    nets = []
    rng = np.random.default_rng(4)
    for month in range(START, START + months):
        z = draw_month(rng, s.n, month, t.profile.shocks.disaster_months)
        flow, booked, _ = advance_month(s, b, z, month, t, nobody, log)
        nets.append(flow.net + booked.aid)
    return nets
