"""Shared by all tests: thread caps before anything heavy is imported, and the optional real data."""

from __future__ import annotations

import gc
import os
from pathlib import Path

# Two workers on two cores: more threads than that only fight each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
# A full pass over what the libraries hold takes 0.2 s and frees next to nothing: an eighth of all time else.
gc.set_threshold(20_000, 20, 100)

import pytest  # noqa: E402 - after the caps


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew", action="store_true", help="rewrite the expected texts of tests/snapshots, to be reviewed"
    )


def _shared() -> Path | None:
    named = os.environ.get("RISKMODEL_SHARED")
    for path in ([Path(named)] if named else []) + [Path(__file__).resolve().parents[2] / "shared"]:
        if (path / "data").is_dir():
            return path
    return None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data that is never committed; skip where it is absent."""
    path = _shared()
    if path is None:
        pytest.skip("real panels are not here (set RISKMODEL_SHARED to a folder that holds data/)")
    return path / "data"
