"""What records can tell at least: rows of other counties, and a learner that is shown their true chances."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import About, from_frames
from riskmodel.evaluation import Budget
from riskmodel.evaluation.true_risk import true_auc
from riskmodel.features import load_feature_set
from riskmodel.runs import load_experiment
from riskmodel.simulate import lower_bound
from riskmodel.simulate.lower_bound import FEATURE_SETS, ChanceRows, chance_rows, fit_until_still

AS_OF = dt.date(2018, 6, 30)


@pytest.mark.slow
def test_rows_hold_every_column_once_and_the_true_chance(small: simulate.SimulatedCounty) -> None:
    county = from_frames(small.frames, About.model_validate(small.about))
    rows = chance_rows(load_experiment("county"), county, small.truth, [AS_OF])
    names = [name for id_ in FEATURE_SETS for name in load_feature_set(id_).names]
    assert list(rows.X.columns) == list(dict.fromkeys(names))
    true = small.truth[small.truth.event == "below_line"].set_index("household_id").probability
    assert 100 < len(rows.keys) < 300
    assert rows.keys.household_id.is_unique
    assert (rows.chance == true.loc[rows.keys.household_id].to_numpy()).all()
    # The cohort is above the line: fewer of it fall than of all.
    assert rows.chance.mean() < true.mean()
    # Eighteen months of records: what looks further back is not known of anybody.
    assert rows.X.notna().any().mean() > 0.8


def made_up(seed: int, n: int = 400) -> ChanceRows:
    """A county whose chance is a curve of one column; five more say nothing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 6)), columns=list("abcdef"))
    keys = pd.DataFrame({"household_id": [f"H{i}" for i in range(n)], "as_of": pd.Timestamp(AS_OF)})
    return ChanceRows(keys, X, 1 / (1 + np.exp(3 - 2 * X["a"].to_numpy())))


def counties() -> Iterator[ChanceRows]:
    for seed in range(10):
        yield made_up(seed)


def test_a_countys_own_chances_as_a_file_holds_them(
    small: simulate.SimulatedCounty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub stands for rows and counties; a column that is known of nobody is left out."""
    asked = simulate.simulation_spec(households=20, months=24, seed=3, truth_at=[AS_OF], horizon=(6, 12))
    horizons: list[int] = []

    def others(exp, profile, months, start, days, *, flag_rule, but_not):  # type: ignore[no-untyped-def]
        assert (months, start, days, but_not) == (24, "2017-01", [AS_OF], 3)
        horizons.append(exp.horizon.months)
        return (ChanceRows(one.keys, one.X.assign(never=np.nan), one.chance) for one in counties())

    monkeypatch.setattr(lower_bound, "COUNTY", 12_000)
    monkeypatch.setattr(lower_bound, "other_counties", others)
    monkeypatch.setattr(lower_bound, "chance_rows", lambda *_: made_up(99))
    truth = pd.DataFrame({"as_of": [AS_OF]})
    county = from_frames(small.frames, About.model_validate(small.about))
    found = lower_bound.lower_bound_chances(load_experiment("county"), asked, county, truth)
    assert list(found.columns) == [
        "household_id", "as_of", "horizon_months", "event", "chance", "households", "columns"
    ]  # fmt: skip
    assert horizons == [6, 12]
    assert set(found.horizon_months) == {6, 12}
    assert set(found.as_of) == {AS_OF}
    assert set(found["columns"]) == {6}
    assert found.chance.between(0, 1).all()


def test_learning_ends_where_recall_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower_bound, "COUNTY", 400)
    test, budget = made_up(99), Budget(share=0.05)
    said: list[str] = []
    learners, steps = fit_until_still(
        counties(), [test], budget, sizes=(400, 800, 1600), tolerance=1, say=said.append
    )
    assert list(steps.households) == [400, 800] == [one.households for one in learners]
    assert len(said) == 2
    assert set(steps["columns"]) == {6}
    learners, steps = fit_until_still(counties(), [test], budget, sizes=(400, 800, 1600), tolerance=0)
    assert len(learners) == 3
    assert steps.auc_true.is_monotonic_increasing
    # Whoever orders by the column itself orders by the chance.
    assert true_auc(test.chance, test.X["a"].to_numpy()) - steps.auc_true.iloc[-1] < 0.01
    assert learners[-1].score(test.X).mean() == pytest.approx(test.chance.mean(), rel=0.1)
