"""The declared benchmark in a small size, and made-up panels."""

import numpy as np
import pandas as pd
import pytest

from riskmodel import benchmark
from riskmodel.evaluation import Budget
from riskmodel.runs import Evaluation, tracking

from ..predictions import EVENT, FIRST_SEEN, noisy_predictions


@pytest.fixture(scope="module")
def small():
    return benchmark.load_benchmark("bench").model_copy(update={"bootstrap": 60})


def teens(tmp_path, n=400):
    """Girls with a known risk: the past carries on, everything else is noise."""
    rng = np.random.default_rng(1)
    risk = rng.random(n) < 0.3
    data = {
        "id": np.arange(n) * 1.0,
        "age": rng.integers(14, 18, n) * 1.0,
        "black": rng.integers(0, 2, n) * 1.0,
    }
    for wave in range(1, 6):
        data[f"pov{wave}"] = (rng.random(n) < np.where(risk, 0.6, 0.1)).astype(float)
        for name in ("mother", "spouse", "inschool", "hours"):
            data[f"{name}{wave}"] = rng.integers(0, 2, n) * 1.0
    path = tmp_path / "teen_poverty.csv"
    pd.DataFrame(data).to_csv(path, index=False)
    return path


def children(store, run_id):
    """Return the runs that name a run as their parent."""
    client = tracking._client(store)
    found = client.search_runs([client.get_experiment_by_name("bench").experiment_id])
    return {r.data.tags["model"]: r for r in found if r.data.tags.get("mlflow.parentRunId") == run_id}


@pytest.fixture(scope="module")
def result(small):
    """Return a benchmark of one made-up panel, one that was skipped, and one model that was left out."""
    predictions = noisy_predictions()
    evaluation = Evaluation(
        predictions, Budget(share=0.05), "rule", EVENT, first_seen=FIRST_SEEN, replicates=60
    )
    tables, notes = evaluation.further(), evaluation.notes
    one = benchmark.PanelResult(small.panels[0], "run", tables, notes, 1.0)
    return benchmark.BenchmarkResult(
        small, True, [one], {"eph-entry": "its file is not given"}, {"ebm": "not installed"}
    )
