"""A pooled training learns from each county's own rows, and from nothing else of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from riskmodel import simulate
from riskmodel.data import read_county
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message
from riskmodel.io import limit_resources
from riskmodel.province import find_counties, pool, train_province
from riskmodel.runs import (
    DesignMatrix,
    Experiment,
    Fold,
    FoldRows,
    RunRows,
    collect_rows,
    fit_rows,
)
from tests.declarations import plain_county

SMALL = Path(__file__).parents[1] / "month" / "small.yaml"
DAY = pd.Timestamp("2020-12-31")
FOLD = Fold("2020-12-31", (dt.date(2019, 12, 31),), (DAY.date(),), DAY.date())


def small() -> Experiment:
    exp = plain_county()
    changes = {
        "models": ("rule", "logit"), "bootstrap": 20, "feature_set": str(SMALL), "model_params": {},
        "split": exp.split.model_copy(update={"folds": 1}),
    }  # fmt: skip
    return exp.model_copy(update=changes)


def rows_of(gaps: list[float], shift: float = 0.0) -> RunRows:
    """A county's rows, one household a gap, on one date; village and township are called alike everywhere."""
    n = len(gaps)
    rows = pd.DataFrame(
        {
            "row": np.arange(n), "household_id": [f"h{i}" for i in range(n)], "as_of": DAY,
            "township": "东乡", "village": "上村", "persons": 1.0, "pcni": 8000.0, "line": 1000.0,
            "gap": gaps, "flagged": False,
            "rule_rank": np.arange(n) + 1,
        }
    )  # fmt: skip
    X = pd.DataFrame({"x": np.arange(n) + shift})
    labelled = rows.assign(y=0.0, real_horizon_months=12.0)
    nulls = pd.DataFrame(
        {"fold": [FOLD.name], "role": ["test"], "reason": ["split"], "rows": [1], "share": [0.5]}
    )
    unknown = pd.DataFrame({"as_of": DAY, "reason": ["", "split"], "households": [n, 1], "share": [0.5, 0.5]})
    note = Message("runs.notes.no baseline")
    fold = FoldRows(FOLD, labelled, labelled, rows[["household_id", "as_of"]], pd.DataFrame(), (note,), nulls)
    matrix = DesignMatrix(rows, X, rows.iloc[:0][["household_id", "as_of"]], rows.iloc[:0])
    return RunRows(small(), matrix, (fold,), labelled, "print", unknown, (note,))


def test_rows_of_two_counties_stand_side_by_side_under_their_own_names() -> None:
    pooled = pool.pool_rows([("甲县", rows_of([-9.0, -1.0])), ("乙县", rows_of([-5.0], shift=10.0))])
    rows = pooled.matrix.rows
    assert set(rows["household_id"]) == {"甲县/h0", "甲县/h1", "乙县/h0"}
    assert set(rows["township"]) == {"甲县/东乡", "乙县/东乡"}
    # Every row still points at its own features.
    x = dict(zip(rows["household_id"], pooled.matrix.X["x"].iloc[rows["row"]], strict=True))
    assert x == {"甲县/h0": 0.0, "甲县/h1": 1.0, "乙县/h0": 10.0}
    test = pooled.folds[0].test.set_index("household_id")
    assert pooled.matrix.X["x"].iloc[test.loc["乙县/h0", "row"]] == 10.0
    # One list of the province: nearest to its line first, whatever the county.
    ranks = test["rule_rank"].to_dict()
    assert sorted(ranks, key=ranks.__getitem__) == ["甲县/h1", "乙县/h0", "甲县/h0"]
    assert sorted(ranks.values()) == [1, 2, 3]
    assert pooled.folds[0].nulls[["rows", "share"]].values.tolist() == [[2, 2 / 3]]
    assert pooled.unknown["households"].tolist() == [3, 2]
    assert pooled.unknown["share"].tolist() == [0.6, 0.4]
    assert len(pooled.fit_notes) == 1
    assert pooled.fingerprint not in ("print", "")


def test_counties_of_other_dates_are_not_pooled() -> None:
    first = rows_of([1.0])
    other = replace(first, folds=(replace(first.folds[0], fold=replace(FOLD, test=(dt.date(2021, 3, 31),))),))
    with pytest.raises(InputRefused, match=r"as-of dates differ: 甲县 .* 乙县"):
        pool.pool_rows([("甲县", first), ("乙县", other)])


def task_in(out: Path, name: str = "甲县") -> pool.RowsTask:
    from riskmodel.province import CountySource

    return pool.RowsTask(CountySource(name, out), "digest", out, small(), {})


def test_rows_come_back_from_partitioned_parquet_as_they_went(tmp_path: Path) -> None:
    task, rows = task_in(tmp_path), rows_of([-9.0, -1.0])
    paths, meta = pool.write_rows(rows, task)
    task.checkpoints.write(pool.STEP, task.inputs, paths, meta)
    assert (tmp_path / "features" / "county=甲县" / "part-0.parquet") in paths
    again = pool.read_rows(task)
    assert_frame_equal(again.matrix.X, rows.matrix.X)
    assert_frame_equal(again.folds[0].train, rows.folds[0].train, check_dtype=False)
    assert again.folds[0].fold == FOLD
    assert again.fit_notes == rows.fit_notes
    assert again.experiment == rows.experiment
    # A county whose rows are gone is not learned from as an empty one.
    rows.matrix.X.iloc[:0].to_parquet(task.file("features"))
    with pytest.raises(InputRefused, match="甲县: no row in features"):
        pool.read_rows(task)


@pytest.fixture(scope="module")
def counties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool") / "counties"
    for seed, name in enumerate(("甲县", "乙县")):
        made = simulate.simulate_county(households=400, months=48, seed=seed + 5, truth_at=[])
        simulate.write_simulated_county(made, folder / name)
    return folder


@pytest.mark.slow
def test_one_county_pooled_is_that_county_trained_alone(counties: Path, tmp_path: Path) -> None:
    rows = collect_rows(small(), read_county(counties / "甲县"))
    task = task_in(tmp_path)
    paths, meta = pool.write_rows(rows, task)
    task.checkpoints.write(pool.STEP, task.inputs, paths, meta)
    alone, pooled = fit_rows(rows), fit_rows(pool.pool_rows([("甲县", pool.read_rows(task))]))
    columns = ["as_of", "model", "y", "score", "probability", "probability_low", "rule_rank"]
    assert_frame_equal(pooled.predictions[columns], alone.predictions[columns], check_dtype=False)
    assert (
        pooled.predictions["household_id"].tolist() == ("甲县/" + alone.predictions["household_id"]).tolist()
    )


@pytest.mark.slow
def test_a_province_is_trained_once_on_all_and_scored_by_one_model(counties: Path, tmp_path: Path) -> None:
    out, store = tmp_path / "rows", tmp_path / "mlflow.db"
    trained = train_province(small(), counties, out, store, jobs=2, threads=1)
    limit_resources()
    predictions = trained.result.predictions
    assert {i.split("/")[0] for i in predictions["household_id"]} == {"甲县", "乙县"}
    said: list[str] = []
    again = train_province(small(), counties, out, store, progress=said.append)
    assert not [text for text in said if text.startswith("rows of")]
    assert_frame_equal(again.result.predictions, predictions)
    assert [source.name for source in find_counties(counties)] == ["乙县", "甲县"]
