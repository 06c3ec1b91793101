"""One small simulated county, read as any other, shared by the forecast's tests."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.county import County, from_frames
from riskmodel.county.county import About

AS_OF = "2019-09-30"  # of 48 months from 2017-01: outcomes of the year ahead are known by 2020-12


@pytest.fixture(scope="session")
def frames() -> dict[str, pd.DataFrame]:
    """Tables of 260 households over 48 months."""
    return simulate.county(households=260, months=48, seed=5, truth_at=()).frames


@pytest.fixture(scope="session")
def about() -> About:
    return About(data_through=pd.Timestamp("2020-12-31").date(), recording_delay_days=120)


@pytest.fixture(scope="session")
def county(frames: dict[str, pd.DataFrame], about: About) -> County:
    return from_frames(frames, about)
