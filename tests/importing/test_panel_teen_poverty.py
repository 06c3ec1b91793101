"""The girls' panel: a survey's own poverty flag in the place of an income, and race only for gaps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel.data import County, read_county
from riskmodel.errors import InputRefused
from riskmodel.importing import import_panel
from riskmodel.runs import ExperimentResult, evaluate, load_experiment, run_experiment

from ..benchmark.conftest import teens


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teens(tmp_path_factory.mktemp("teens"), 200)


@pytest.fixture(scope="module")
def county(file: Path) -> County:
    import_panel("teen-poverty", file.parent / "county", file)
    return read_county(file.parent / "county")


@pytest.fixture(scope="module")
def run(county: County) -> ExperimentResult:
    declared = load_experiment("teen-poverty")
    models = {"models": ("past_income", "logit"), "bootstrap": 40}
    return run_experiment(declared.model_copy(update=models), county, final=False)


def test_the_flag_stands_as_an_income_of_0_or_1(county: County, file: Path) -> None:
    wide = pd.read_csv(file)
    assert len(county.rejected) == 0
    assert (county.about.welfare, county.about.unit_of, county.about.place) == ("flag", "person", "person")
    income = county.frame("income")
    of_1981 = income[income["month_to"] == 1981 * 12 + 11].set_index("household_id")["amount"].astype(float)
    assert of_1981.to_dict() == {str(int(i)): 1 - p for i, p in zip(wide["id"], wide["pov3"], strict=True)}


def test_who_is_not_poor_is_at_risk_and_trained_on_what_was_known(run: ExperimentResult, file: Path) -> None:
    wide = pd.read_csv(file)
    not_poor = {wave: wide[f"pov{wave}"] == 0 for wave in range(1, 5)}
    fold = run.folds.iloc[0]
    assert fold["n_train"] == sum(int(not_poor[wave].sum()) for wave in (1, 2, 3))
    assert (fold["n_test"], fold["n_null"]) == (int(not_poor[4].sum()), 0)
    rows = run.predictions[run.predictions["model"] == "past_income"].set_index("household_id")
    girl = wide[not_poor[4]].iloc[0]
    assert rows.loc[str(int(girl["id"])), "y"] == girl["pov5"]
    # The order is that of the years of poverty so far, this one left out.
    years = wide[["pov1", "pov2", "pov3"]].sum(axis=1).set_axis(wide["id"].astype(int).astype(str))
    scores = rows["score"].groupby(years.reindex(rows.index)).agg(["min", "max"])
    assert (scores["min"] == scores["max"]).all()
    assert scores["min"].is_monotonic_increasing


def test_race_is_no_feature_and_gaps_by_it_are_looked_at(run: ExperimentResult) -> None:
    assert "black" not in run.background.columns
    gaps = evaluate(run.experiment, run.predictions, baseline="past_income", replicates=40).gaps
    assert set(gaps.loc[gaps["group"] == "group_black", "value"]) == {"yes", "no"}


def test_a_group_that_the_panel_does_not_have_is_named(county: County) -> None:
    declared = load_experiment("teen-poverty").model_copy(update={"groups": ("urban",)})
    with pytest.raises(InputRefused, match="groups: no indicator urban is known at the test dates"):
        run_experiment(declared, county, final=False)


def test_a_file_without_a_wave_is_refused(file: Path, tmp_path: Path) -> None:
    pd.read_csv(file).drop(columns="pov5").to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputRefused, match=r"no column pov5 \(wide\)"):
        import_panel("teen-poverty", tmp_path / "out", tmp_path / "t.csv")
