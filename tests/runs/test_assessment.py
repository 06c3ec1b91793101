"""One evaluation of predictions: its tables, the known order, lead time, the simple against the elaborate."""

import pandas as pd
import pytest
from tests.declarations import plain_county
from typer.testing import CliRunner

from riskmodel.cli.app import app
from riskmodel.evaluation import Budget
from riskmodel.runs import Evaluation, tracking
from riskmodel.runs.assessment import compare_simple, is_simple, winner

from ..predictions import EVENT, FIRST_SEEN, noisy_predictions


@pytest.fixture(scope="module")
def found():
    return noisy_predictions()


def test_lead_is_of_those_who_were_followed(found):
    # A run that did not follow them month by month has no lead to show; there is none to be made up.
    args = (found, Budget(share=0.05), "rule", EVENT)
    assert Evaluation(*args, replicates=20).lead is None
    lead = Evaluation(*args, first_seen=FIRST_SEEN, replicates=20).lead
    assert lead is not None
    row = lead.iloc[0]
    assert (row["before"], row["after"], row["median_months"], row["warning_months"]) == (0.5, 0.5, 4, 3)


def test_evaluation_gives_every_table_and_the_known_order(found):
    evaluation = Evaluation(found, Budget(share=0.05), "rule", EVENT, first_seen=FIRST_SEEN, replicates=60)
    tables, notes = evaluation.further(), evaluation.notes
    wanted = "metrics comparison deployed visits lead gaps support net_benefit planning ordering"
    assert set(wanted.split()) <= set(tables)
    # Less noise around the true log-odds is a better order: logit 0.3, boosting 0.5, scorecard 1.0.
    row = tables["ordering"].iloc[0]
    assert (row["simple"], row["elaborate"]) == ("scorecard", "logit")
    assert row["low"] > 0
    assert isinstance(notes, list)
    # The observed correlation stands first, whatever it is; the grid follows.
    planning = tables["planning"]
    assert planning["observed"].tolist() == [True, False, False, False]
    planned = planning[~planning["observed"]].set_index("correlation")["smallest_difference"]
    # Villages that are alike carry less information: the smallest difference grows with correlation.
    assert planned.is_monotonic_increasing
    worth = tables["visits"].set_index("model")
    assert worth.loc["logit", "ratio"] > 1
    assert worth.loc["logit", "extra_visits"] == pytest.approx(
        (worth.loc["logit", "ratio"] - 1) * worth.loc["logit", "visits"]
    )


def test_two_equal_scores_are_level(found):
    same = found[found["model"] == "scorecard"]
    both = pd.concat([same, same.assign(model="logit")], ignore_index=True)
    metrics = pd.DataFrame({"model": ["scorecard", "logit"], "auc": [0.7, 0.7]})
    metrics["recall_at_budget"] = 0.3
    rows = compare_simple(both, metrics, Budget(share=0.05), {"replicates": 50, "seed": 0})
    # One score under two names orders and lists alike in every resample, so neither wins.
    assert rows["measure"].tolist() == ["auc", "recall"]
    assert (rows[["low", "high"]] == 0).all(axis=None)
    assert [winner(r) for r in rows.to_dict("records")] == ["level", "level"]
    assert is_simple("rule-county-2020")
    assert not is_simple("stack")


def test_a_trained_runs_predictions_are_evaluated_further(found, tmp_path):
    exp = plain_county().model_copy(update={"bootstrap": 40})
    found = found.assign(fold=found["fold"].astype(str))
    judged = Evaluation(found, Budget(share=0.05), "rule", EVENT, replicates=40)
    assert judged.comparison is not None
    store = tmp_path / "mlflow.db"
    with tracking.start_run("county", store, "made up") as opened:
        opened.document(exp.model_dump(mode="json"), "experiment.json")
        opened.document({"experiment": "county", "comparison_notes": judged.notes}, "facts.json")
        opened.table(found.assign(household_id=pd.factorize(found["household_id"])[0]), "tables/predictions")
        opened.table(FIRST_SEEN.drop(columns="household_id"), "tables/first_seen")
        opened.table(judged.comparison.table, "tables/comparison")
    done = CliRunner().invoke(
        app, ["compare", opened.run_id, "--store", str(store), "--further", str(tmp_path / "more")]
    )
    assert done.exit_code == 0, done.output
    assert "Visits equivalent: in the order of rule verdict it takes" in done.output
    assert "Lead time: the list of" in done.output
    tables = {p.stem for p in (tmp_path / "more" / opened.run_id).glob("*.csv")}
    assert {"lead", "visits", "gaps", "support", "planning", "net_benefit"} <= tables
    assert "Choosing a model by the past, mean recall at 2 later test dates" in done.output
    assert "Targeting by risk is not targeting by effect" in done.output
    assert {"selection", "selection_means", "stability", "errors", "visits_curve", "support_lists"} <= tables
    kept = pd.read_csv(tmp_path / "more" / opened.run_id / "stability.csv")
    assert kept["in_both"].eq(1200).all()  # a household keeps its number from date to date
