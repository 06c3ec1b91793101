"""What a benchmark shows in sentences and in one table."""

import pandas as pd

from riskmodel import benchmark
from riskmodel.benchmark.findings import primary_test, summary_table, truth_message


def test_the_sentences_say_who_wins(result):
    by_auc, by_list, tested = (said.text("en") for said in benchmark.benchmark_findings(result)[:3])
    # The logit has the least noise by construction: the page must not call the simple method the winner.
    assert "on 0 of 1 panel a simple method" in by_auc
    assert by_auc.endswith("An elaborate method wins on: Simulated county: average.")
    assert "The list at the same visits" in by_list
    assert "after Holm" in tested


def test_the_primary_test_sorts_models_and_the_summary_has_a_row_a_model(result):
    (one,) = result.panels
    test = primary_test(one)
    named = [model for models in test.values() for model in models]
    assert len(named) == len(set(named)), "a model is better, worse or unsure, never two of them"
    compared = one.tables["comparison"].query("scope == 'pooled' and at == 'budget'").set_index("model")
    assert (compared.loc[test["better"], "delta_recall"] > 0).all()
    assert (compared.loc[test["better"], "p_holm"] < 0.05).all()
    whole = summary_table(result)
    assert whole["model"].is_unique
    # Its own difference is what a baseline has none of.
    assert whole.loc[whole["delta_recall"].isna(), "model"].tolist() == ["rule"]


def test_no_model_is_the_learner_that_was_shown_true_chances():
    """The lower bound of what records can tell is no model, whatever it reaches."""
    table = pd.DataFrame({
        "model": ["rule", "logit", "attainable", "oracle"], "recall_true": [0.2, 0.3, 0.45, 0.5],
        "recall_share": [0.4, 0.6, 0.9, 1.0], "oracle_recall": 0.5,
    })  # fmt: skip
    said = truth_message(table).text("en")
    assert said == truth_message(table[table.model != "attainable"]).text("en")
    assert "logit" in said
