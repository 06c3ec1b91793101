"""The rows of a run: a cohort at risk, and beside it those whom only a model of income may learn from."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel import rules, simulate
from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused
from riskmodel.runs import Experiment, design_matrix, experiment, load_experiment
from riskmodel.runs.fitting import _population, fit_declared_model

KEYS = ["household_id", "as_of"]


@pytest.fixture(scope="module")
def made() -> tuple[Experiment, County, design_matrix.DesignMatrix, list]:
    drawn = simulate.simulate_county(households=90, months=36, seed=4, profile="poor-mountain", truth_at=[])
    county = from_frames(drawn.frames, About.model_validate(drawn.about))
    exp = load_experiment("county").model_copy(update={"models": ("rule", "vulnerability")})
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
