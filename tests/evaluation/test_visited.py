"""Models judged by visits: weighted findings must give what labels of everyone would give."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riskmodel import evaluation
from riskmodel.errors import InputRefused
from riskmodel.evaluation.visited import as_share, told

KEY = ["household_id", "as_of"]


@pytest.fixture(scope="module")
def office(make_predictions):
    """A county whose labels are known, and an office that looks where one score is high, and by lot."""
    every = make_predictions(seed=4, households=2400, nulls=0.0)
    one = every[every["model"] == "rule"]
    rng = np.random.default_rng(7)
    chance = np.where(one["score"].rank(pct=True) > 0.9, 0.9, 0.12)
    seen = one[rng.random(len(one)) < chance]
    weight = pd.Series(1 / chance, index=one.index)[seen.index]
    findings = seen[[*KEY, "y"]].assign(weight=weight).astype({"y": float})
    visited = pd.MultiIndex.from_frame(every[KEY]).isin(pd.MultiIndex.from_frame(findings[KEY]))
    return every, every.assign(y=every["y"].where(visited)), findings


def test_weighted_metrics_are_those_of_everyone_within_their_intervals(office):
    every, partly, findings = office
    truth = evaluation.pooled(every, {"share": 0.05}, replicates=0).set_index("model")
    made = evaluation.pooled(partly, {"share": 0.05}, findings=findings, replicates=200, seed=1)
    made = made.set_index("model")
    naive = evaluation.pooled(partly, {"share": 0.05}, replicates=0).set_index("model")
    for name in ("auc", "brier", "recall_at_budget", "precision_at_budget", "calibration_intercept"):
        low, high = made.loc["logit", f"{name}_low"], made.loc["logit", f"{name}_high"]
        wide = (high - low) / 4
        # The truth is of this very county: its villages are not drawn anew, so the interval is ample.
        assert low - wide < truth.loc["logit", name] < high + wide, name
    assert made.loc["logit", "base_rate"] == pytest.approx(truth.loc["logit", "base_rate"], rel=0.2)
    # The office looks for risk: what it finds, as it comes, is far from the county's rate.
    assert naive.loc["logit", "base_rate"] > 1.4 * truth.loc["logit", "base_rate"]
    # A weighted area is scikit-learn's with sample weights.
    rows = partly[partly["model"] == "logit"].drop(columns="y").merge(findings, on=KEY)
    theirs = roc_auc_score(rows["y"], rows["score"], sample_weight=rows["weight"])
    assert made.loc["logit", "auc"] == pytest.approx(theirs)


def test_lists_of_the_whole_cohort_are_judged_as_if_all_were_visited(office):
    every, partly, findings = office
    truth = evaluation.compare(every, {"share": 0.05}, replicates=2).primary.set_index("model")
    table = evaluation.selected(partly, findings, {"share": 0.05}, replicates=300, seed=2)
    assert table["model"].tolist() == ["rule", "logit", "boosting"]
    made = table.set_index("model")
    for model in ("logit", "boosting"):
        row, real = made.loc[model], truth.loc[model]
        assert row["recall_low"] < real["recall_model"] < row["recall_high"]
        assert row["precision_low"] < real["precision_model"] < row["precision_high"]
        assert row["delta_low"] < real["delta_recall"] < row["delta_high"]
        # Bounds hold whatever the unvisited are; they are wide, which is why the lot is drawn.
        assert row["recall_worst"] <= real["recall_model"] <= row["recall_best"]
        assert row["precision_worst"] <= real["precision_model"] <= row["precision_best"]
        assert row["p_holm"] >= row["p_bootstrap"]
    assert made.loc["rule", "recall"] == pytest.approx(truth["recall_baseline"].iloc[0], abs=0.12)
    # The rule list's own score chose the visits: taken as they come, findings flatter it.
    assert made.loc["rule", "recall_naive"] > made.loc["rule", "recall_high"]
    assert made["effective_n"].iloc[0] < len(findings)


def test_sure_visits_to_everyone_are_plain_labels(make_predictions):
    every = make_predictions(seed=5, households=600, nulls=0.0)
    one = every[every["model"] == "rule"]
    findings = one[[*KEY, "y"]].assign(weight=1.0).astype({"y": float})
    table = evaluation.selected(every, findings, {"visits": 30}, replicates=0).set_index("model")
    plain = evaluation.compare(every, {"visits": 30}, replicates=2).primary.set_index("model")
    assert table.loc["logit", "recall"] == pytest.approx(plain.loc["logit", "recall_model"])
    assert table.loc["logit", "precision"] == pytest.approx(plain.loc["logit", "precision_model"])
    assert table.loc["logit", "delta_recall"] == pytest.approx(plain.loc["logit", "delta_recall"])
    assert table.loc["logit", "recall_worst"] == table.loc["logit", "recall_best"]
    # Thirty visits of six hundred are one in twenty, of however many findings there are.
    assert as_share({"visits": 30}, every).share == pytest.approx(0.05)


def test_findings_without_a_weight_are_counted_and_what_cannot_be_is_refused(office):
    _, partly, findings = office
    some = findings.assign(weight=findings["weight"].where(findings["y"] == 0))
    made = evaluation.represented(partly, some)
    assert made.n_null("logit") == int((findings["y"] == 1).sum())
    assert len(made.frame) == 3 * int((findings["y"] == 0).sum())
    with pytest.raises(InputRefused, match="lack the column"):
        evaluation.selected(partly, findings.drop(columns="weight"), {"share": 0.05})
    with pytest.raises(InputRefused, match="not positive"):
        evaluation.selected(partly, findings.assign(weight=0.0), {"share": 0.05})
    with pytest.raises(InputRefused, match="no finding is of a household"):
        evaluation.selected(partly, findings.assign(household_id="x"), {"share": 0.05})


def test_sentences_name_both_lists_and_the_bounds(office):
    _, partly, findings = office
    table = evaluation.selected(partly, findings, {"share": 0.05}, replicates=20)
    said = told(table, ("其后核查属实的户次", "household-dates followed by a confirming visit"))
    assert len(said) == 2
    assert "penalised logit" in said[0]["en"]
    assert f"{table['findings'].iloc[0]} visits" in said[0]["en"]
    assert "惩罚逻辑回归" in said[0]["zh"]
