"""The rows of a run: a cohort at risk, and beside it those whom only a model of income may learn from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel import rules, simulate, targets
from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused
from riskmodel.runs import Experiment, design_matrix, experiment
from riskmodel.runs.fitting import _population, fit_declared_model

KEYS = ["household_id", "as_of"]


@pytest.fixture(scope="module")
def made() -> tuple[Experiment, County, design_matrix.DesignMatrix, list]:
    drawn = simulate.simulate_county(households=90, months=36, seed=4, profile="poor-mountain", truth_at=[])
    county = from_frames(drawn.frames, About.model_validate(drawn.about))
    exp = plain_county().model_copy(update={"models": ("rule", "vulnerability")})
    days = experiment.as_of_dates(exp, county)[:3]
    return exp, county, design_matrix.build_design_matrix(exp, county, days), list(days)


def test_households_below_the_line_stand_beside_the_cohort_for_models_of_income(made) -> None:
    exp, county, table, days = made
    both = pd.concat([table.rows[KEYS], table.population[KEYS]])
    assert not both.duplicated().any()
    verdicts = rules.evaluate_rules(county, exp.ruleset, days)
    assert len(both) == verdicts["pcni"].notna().sum()
    # Nobody of the cohort is below the line, and everybody known to be is in the population.
    below = (verdicts["pcni"] < verdicts["line"]).sum()
    assert below > 5
    assert (table.population["pcni"] < table.population["line"]).sum() == below
    # Row numbers find the household's own features.
    own = table.X["pcni"].to_numpy(float)[table.population["row"]]
    assert own == pytest.approx(table.population["pcni"].to_numpy(float))
    assert table.rows["row"].tolist() == list(range(len(table.rows)))


def test_the_population_is_as_old_as_the_training_rows_and_never_a_household_kept_unseen(made) -> None:
    exp, _, table, days = made
    train, test = (table.rows[table.rows["as_of"].isin(pd.to_datetime(d))] for d in (days[:2], days[2:]))
    of_then = table.population[table.population["as_of"].isin(train["as_of"])]
    found = _population(exp, "vulnerability", train, table, test)
    assert len(found.X) == len(found.groups) == len(of_then) > 0
    apart = exp.model_copy(update={"split": exp.split.model_copy(update={"unseen_households": True})})
    fewer = _population(apart, "vulnerability", train, table, test)
    assert len(fewer.X) == (~of_then["household_id"].isin(test["household_id"])).sum() < len(found.X)


def test_no_population_is_kept_where_no_model_asks_for_it(made) -> None:
    exp, _, table, _ = made
    verdicts = pd.concat([table.rows, table.population])[[*KEYS, "pcni", "line"]]
    assert len(design_matrix._population(exp, table.rows, verdicts)) == len(table.population)
    plain = exp.model_copy(update={"models": ("rule", "logit")})
    assert design_matrix._population(plain, table.rows, verdicts).empty


def test_villages_of_one_outcome_are_a_refusal_and_no_fault_of_ours(made) -> None:
    exp, _, table, days = made
    train = table.rows[table.rows["as_of"].isin(pd.to_datetime(days))].assign(y=1.0)
    with pytest.raises(InputRefused, match=r"only households with the event"):
        fit_declared_model(exp.model_copy(update={"models": ("past_income",)}), "past_income", train, table)


SET = """
format: 1
id: of-the-line
version: 1
zh: 线
en: of the line
line: {value: 1, source: the rule set's is put in its place}
defaults:
  accounting: {known_on: recorded_on, missing: as_accounting}
  features: {known_on: recorded_on, missing: null_if_input_null}
features:
  - {id: owed, from: features, aggregate: log_line, of: accounting.pcni, unit: log_line, zh: 他, en: other}
  - {id: persons, from: accounting, aggregate: value, column: persons, unit: persons, zh: 人口, en: persons}
  - {id: pcni_log, from: features, aggregate: log_line, of: accounting.pcni, unit: log_line, direction: -1,
     zh: 对数, en: log}
  - {id: above, from: features, aggregate: to_line, of: accounting.pcni, unit: yuan, direction: -1,
     zh: 高出, en: above}
"""


@pytest.fixture(scope="module")
def at_lines(made, tmp_path_factory) -> tuple[Experiment, design_matrix.DesignMatrix, pd.DataFrame]:
    _, county, _, days = made
    exp = plain_county()
    lines = {"factors": [1.5, 3.0], "models": ["boosting"]}
    exp = Experiment.model_validate(exp.model_dump(mode="json") | {"augment_lines": lines})
    file = tmp_path_factory.mktemp("set") / "set.yaml"
    file.write_text(SET, encoding="utf-8")
    exp = exp.model_copy(update={"feature_set": str(file), "leave_out": ()})
    table = design_matrix.build_design_matrix(exp, county, tuple(days))
    seen_by = county.data_through
    train = design_matrix.labelled_rows(exp, county, table, tuple(days), seen_by, exp.augment_lines.factors)
    return exp, table, train[train["y"].notna()].reset_index(drop=True)


def test_rows_at_other_lines_are_those_that_stand_above_them(at_lines) -> None:
    _, table, train = at_lines
    for factor in (1.5, 3.0):
        at = table.at_lines[table.at_lines["factor"] == factor]
        above = table.rows["pcni"].round(9) >= (factor * table.rows["line"]).round(9)
        assert sorted(at["row"]) == sorted(table.rows.loc[above, "row"])
        assert 0 < above.sum() < len(above)
    # A label is at least what it is at a lower line.
    labels = train[["y", targets.label_at(1.5), targets.label_at(3.0)]].to_numpy()
    assert (np.diff(labels, axis=1) >= 0).all()


def test_copies_are_the_training_rows_with_labels_and_features_of_the_other_line(at_lines, made) -> None:
    exp, table, train = at_lines
    train = train.sample(frac=0.5, random_state=0).reset_index(drop=True)
    copies = design_matrix.line_copies("boosting", exp, train, table)
    X = table.X.iloc[train["row"]].reset_index(drop=True)
    known = table.at_lines["row"].isin(train["row"]).sum()
    assert len(copies.row) == len(copies.y) == len(copies.X) == known
    assert list(copies.X.columns) == list(X.columns)
    own = X.iloc[copies.row].reset_index(drop=True)
    # Income over the line tells which line each copy is asked at, and the label is that line's.
    factor = np.exp((own["pcni_log"] - copies.X["pcni_log"]).to_numpy()).round(6)
    assert (copies.X["persons"] == own["persons"]).all()
    # What risk is not declared to rise with as the line does is no question about it.
    assert (copies.X["owed"] == own["owed"]).all()
    line = train["line"].to_numpy(float)[copies.row]
    assert (own["above"] - copies.X["above"]).to_numpy() == pytest.approx((factor - 1) * line)
    assert set(factor) == {1.5, 3.0}
    for one in (1.5, 3.0):
        at = factor == one
        assert (copies.y[at] == train[targets.label_at(one)].to_numpy()[copies.row[at]]).all()
    assert design_matrix.line_copies("logit", exp, train, table) is None


def test_each_planted_leak_is_found_and_honest_columns_are_not():
    rng = np.random.default_rng(5)
    n = 2000
    y = (rng.random(n) < 0.05).astype(float)
    X = pd.DataFrame({
        # A cause is written when a household is identified: only those have one.
        "cause": np.where(y == 1, rng.integers(1, 9, n), np.nan),
        # The category is known for all, and tells the event.
        "category": y * 2 + rng.normal(0, 0.1, n),
        # Support that begins at identification, with a few others.
        "support_started": np.where((y == 1) | (rng.random(n) < 0.003), 1.0, np.nan),
        # Honest: a strong predictor, a source missing in some villages, noise.
        "income": rng.normal(0, 1, n) - 1.5 * y,
        "medical": np.where(rng.random(n) < 0.4, np.nan, rng.normal(0, 1, n) + y),
        "noise": rng.normal(size=n),
    })  # fmt: skip
    table = design_matrix.find_leaks(X, y, {"cause": "register", "support_started": "support"})
    assert set(table.loc[table["suspected"], "column"]) == {"cause", "category", "support_started"}
    assert table["suspected"].tolist() == sorted(table["suspected"], reverse=True)
    why = table.set_index("column")["why"]
    assert "written by the office (role register)" in why["cause"]
    assert "its values alone" in why["category"]


def test_a_column_known_for_two_events_is_not_suspected():
    rng = np.random.default_rng(7)
    y = (rng.random(1500) < 0.04).astype(float)
    known = np.r_[np.flatnonzero(y == 1)[:2], np.flatnonzero(y == 0)[:30]]
    rare = np.full(1500, np.nan)
    rare[known] = np.r_[99.0, 98.0, np.arange(30.0)]
    table = design_matrix.find_leaks(pd.DataFrame({"rare": rare}), y)
    assert not table["suspected"].any()


def test_one_class_only_is_refused():
    with pytest.raises(ValueError, match="one class only"):
        design_matrix.find_leaks(pd.DataFrame({"a": [1.0, 2.0]}), [0, 0])
