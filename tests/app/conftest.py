"""A hand-made county with a month of a few households, and a desk whose jobs run where they are started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from riskmodel import data, presentation, scoring
from riskmodel.app import desk as desks
from riskmodel.app.desk import Desk
from riskmodel.app.jobs import Job
from riskmodel.io import write_json, write_table
from tests.scoring.conftest import _scores

DAY = "2021-06-30"
HOMES = 24


@pytest.fixture(scope="session")
def scores() -> pd.DataFrame:
    made = _scores(HOMES, seed=4)
    # Who is flagged is below the line or under watch: the model does not speak of them.
    return made.assign(in_cohort=~made["flagged"])


@pytest.fixture
def county(scores: pd.DataFrame, tmp_path: Path) -> Path:
    folder = tmp_path / "县数据"
    folder.mkdir()
    ids = list(scores["household_id"])
    homes = pd.DataFrame({"household_id": ids, "registration": "general", "valid_from": "2019-01-01"})
    homes = homes.assign(township=list(scores["township"]), village=list(scores["village"]))
    people = pd.DataFrame({"member_id": [f"m{i}" for i in range(HOMES)], "household_id": ids})
    people = people.assign(birth_month="1980-01", valid_from="2019-01-01")
    income = pd.DataFrame({"household_id": ids, "month": "2021-06", "source": "wage", "amount": 900.0})
    for name, frame in {"households": homes, "members": people, "income": income}.items():
        frame.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8-sig")
    return folder


@pytest.fixture
def months(scores: pd.DataFrame, tmp_path: Path) -> Path:
    """Folder of all months with one that was made."""
    folder = tmp_path / "months" / DAY
    made = scoring.build_worklist(scores, visits=10, by="township")
    write_table(made.listed, folder / "worklist.parquet")
    presentation.write_worklist(made, folder / "worklist.xlsx")
    presentation.record_list(made, folder, "zh")
    presentation.write_visit_sheets(made, folder / "visit-sheets.html")
    for lang in ("zh", "en"):
        write_table(scores, folder / f"scores.{lang}.parquet")
    settings = {"as_of": DAY, "model": "county@3", "model_kind": "logit", "run_id": "0f", "visits": 10,
                "feature_set": "f", "feature_set_hash": "h", "ruleset": "national-2021"}  # fmt: skip
    write_json({"format": 1, **settings}, folder / "month.json")
    return folder.parent


def run_here(kind: str, task: Any, /, **given: Any) -> Job:
    """Run a task at once, as its process would."""
    from riskmodel.errors import RiskmodelError

    job = Job(kind)
    try:
        job.result, job.state = task(job.hear, **given), "done"
    except RiskmodelError as exc:
        job.state, job.error = "refused", str(exc)
    return job


@pytest.fixture
def desk(county: Path, months: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(desks, "start_job", run_here)
    return Desk(months, tmp_path / "mlflow.db", county)


def visits_of(county: Path) -> pd.DataFrame:
    return data.read_county(county, max_rejected=1).frame("visits")
