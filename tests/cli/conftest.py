"""What the tests of the verbs share: calls of the command line, and a small county with a trained model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from riskmodel.cli.app import app

AS_OF = "2020-12-31"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def told(*arguments: object) -> dict:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("office")


@pytest.fixture(scope="session")
def data(work: Path) -> Path:
    out = work / "county"
    told("simulate", out, "--households", 560, "--months", 48, "--seed", 5, "--futures", 30)
    return out


@pytest.fixture(scope="session")
def trained(data: Path, work: Path) -> dict:
    return told("train", "county", "--data", data, "--store", work / "mlflow.db")


@pytest.fixture(scope="session")
def scores(data: Path, work: Path, trained: dict) -> Path:
    out = work / "scores.parquet"
    told(
        "score",
        data,
        "--model",
        "county@champion",
        "--as-of",
        AS_OF,
        "--out",
        out,
        "--store",
        work / "mlflow.db",
    )
    return out
