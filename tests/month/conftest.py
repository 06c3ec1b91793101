"""A small county with a trained model, as an office has them; made once for all tests of the month."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from riskmodel import simulate
from riskmodel.data import read_county
from riskmodel.runs import Experiment, load_experiment, training

AS_OF = "2020-12-31"


@dataclass(frozen=True)
class Office:
    data: Path
    store: Path
    run_id: str


def small(**changes: object) -> Experiment:
    """The county's experiment with little of everything: what is tested is the way, not the model."""
    exp = load_experiment("county")
    return exp.model_copy(
        update={
            "models": ("rule", "logit"),
            "bootstrap": 20,
            "feature_set": str(Path(__file__).with_name("small.yaml")),
            "split": exp.split.model_copy(update={"folds": 1}),
            "model_params": {},
            **changes,
        }
    )


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    home = tmp_path_factory.mktemp("office")
    data, store = home / "county", home / "mlflow.db"
    made = simulate.simulate_county(households=450, months=48, seed=5, truth_at=[])
    simulate.write_simulated_county(made, data)
    trained = training.train(small(), read_county(data), store)
    return Office(data, store, trained.run_id)
