"""Targeting measures against published figures, each other and brute force."""

import itertools

import numpy as np
import pytest

from riskmodel import evaluation
from riskmodel.evaluation.list_metrics import list_measures
from riskmodel.evaluation.lists import list_kernel, rank_rows


def crossed(tp, fp, fn, tn):
    return np.r_[np.ones(tp), np.zeros(fp), np.ones(fn), np.zeros(tn)], np.r_[
        np.ones(tp + fp), np.zeros(fn + tn)
    ]


@pytest.mark.parametrize(
    ("tp", "fp", "fn", "tn", "ee", "ie", "td"),
    [
        # Grosh, Leite, Wai-Poi and Tesliuc 2022, table 7.4, ten people. Poverty line (four poor), then the
        # poorest 20 % (two): a list of two, and a list of everyone; errors and differential in percent.
        (2, 0, 2, 6, 50, 0, 50),
        (4, 6, 0, 0, 0, 60, 40),
        (2, 0, 0, 8, 0, 0, 100),
        (1, 1, 1, 7, 50, 50, 0),
        (0, 2, 2, 6, 100, 100, -100),
        (2, 8, 0, 0, 0, 80, 20),
    ],
)
def test_the_world_banks_table_of_scenarios(tp, fp, fn, tn, ee, ie, td):
    made = evaluation.targeting_measures(*crossed(tp, fp, fn, tn))
    assert 100 * made["exclusion_error"] == pytest.approx(ee)
    assert 100 * made["inclusion_error"] == pytest.approx(ie)
    assert 100 * made["targeting_differential_errors"] == pytest.approx(td)


def test_the_two_differentials_differ_where_everyone_is_listed():
    # Visiting everyone separates nobody: coverage is the same for both (0), while the errors' form still
    # rewards the list for missing no one. That is why both are named.
    made = evaluation.targeting_measures(*crossed(4, 6, 0, 0))
    assert made["targeting_differential"] == 0
    assert made["targeting_differential_errors"] == pytest.approx(0.4)
    # And a list of everyone is as good as a random one.
    assert made["cgh"] == 1


def test_balanced_poverty_accuracy_of_the_iris_note():
    # IRIS Center 2005: BPAC = poverty accuracy − |undercoverage − leakage|, in shares of the poor.
    # 100 poor, 70 of them found, 50 others included: 70 − |30 − 50| = 50.
    assert evaluation.targeting_measures(*crossed(70, 50, 30, 850))["bpac"] == pytest.approx(0.5)


def test_weighting_by_persons_is_repeating_the_household():
    rng = np.random.default_rng(0)
    y, on, persons = rng.integers(0, 2, 50), rng.integers(0, 2, 50), rng.integers(1, 6, 50)
    weighted = evaluation.targeting_measures(y, on, persons)
    repeated = evaluation.targeting_measures(np.repeat(y, persons), np.repeat(on, persons))
    assert weighted == pytest.approx(repeated)


def test_measures_of_resamples_are_those_of_the_list_itself():
    rng = np.random.default_rng(1)
    y, score, date = (rng.random(300) < 0.1).astype(float), rng.normal(size=300), np.zeros(300, dtype=int)
    order, quota = rank_rows(date, -score), np.array([30])
    drawn = list_measures(list_kernel(y, date, order, quota)(np.ones((1, 300))))
    listed = np.zeros(300)
    listed[np.argsort(-score)[:30]] = 1
    made = evaluation.targeting_measures(y, listed)
    for name in set(drawn) & set(made):
        assert drawn[name][0] == pytest.approx(made[name])


def test_welfare_is_one_for_the_best_list_and_falls_with_wrong_ones():
    rng = np.random.default_rng(2)
    income, persons = np.exp(rng.normal(9, 0.5, 12)), rng.integers(1, 5, 12)
    # Brute force over all lists of three: none is better than 1, and exactly one reaches it.
    values = []
    for chosen in itertools.combinations(range(12), 3):
        listed = np.isin(np.arange(12), chosen)
        values.append(evaluation.crra_welfare(income, persons, listed, 2000.0))
    assert max(values) == pytest.approx(1.0)
    assert sum(v > 1 - 1e-9 for v in values) == 1
    # Paying the three best off is worse than spreading the money evenly.
    rich = np.isin(np.arange(12), np.argsort(-income)[:3])
    assert evaluation.crra_welfare(income, persons, rich, 2000.0) < 0
    with pytest.raises(ValueError, match="transfer=0"):
        evaluation.crra_welfare(income, persons, rich, 0.0)
