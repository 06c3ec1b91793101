"""Shared by all tests: thread caps before anything heavy is imported, and the optional real data."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path

# Two workers on two cores: more threads than that only fight each other.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MPLBACKEND", "Agg")
# What verbs say is looked for in English, whatever language this machine speaks.
os.environ["RISKMODEL_LANG"] = "en"
# A full pass over what the libraries hold takes 0.2 s and frees next to nothing: an eighth of all time else.
gc.set_threshold(20_000, 20, 100)

import pytest  # noqa: E402 - after the caps

QUERIES = "RISKMODEL_QUERY_CACHE"
_OWN_FOLDER = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew",
        action="store_true",
        help="rewrite expected texts (tests/snapshots) and the sample of reports/, to be reviewed",
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


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers, notebooks and verbs of one run share the queries that they compile."""
    if QUERIES not in os.environ:  # set: this is a worker, or a developer keeps a folder
        config.stash[_OWN_FOLDER] = tempfile.mkdtemp(prefix="riskmodel-queries-")
        os.environ[QUERIES] = config.stash[_OWN_FOLDER]


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(_OWN_FOLDER, None)
    if folder is not None:
        del os.environ[QUERIES]
        shutil.rmtree(folder, ignore_errors=True)
