"""One small trained county for all tests of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.declarations import plain_county

from riskmodel import simulate
from riskmodel.data import About, County, from_frames
from riskmodel.runs import tracking, training


@pytest.fixture(scope="session")
def made() -> simulate.SimulatedCounty:
    return simulate.simulate_county(households=500, months=60, seed=9, futures=60)


@pytest.fixture(scope="session")
def county(made: simulate.SimulatedCounty) -> County:
    return from_frames(made.frames, About.model_validate(made.about))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture(scope="session")
def trained(county: County, made: simulate.SimulatedCounty, store: Path) -> training.TrainedRun:
    return training.train(plain_county(), county, store, truth=made.truth)


@pytest.fixture(scope="session")
def loaded(trained: training.TrainedRun, store: Path) -> tracking.LoadedModel:
    return tracking.load_model("county@champion", store)
