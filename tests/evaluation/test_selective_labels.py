"""Selective labels: by hand, by simulation, and bounds that nothing can leave.

Models judged by visits: weighted findings must give what labels of everyone would give.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riskmodel import evaluation
from riskmodel.data import from_frames
from riskmodel.errors import InputRefused
from riskmodel.evaluation import recent_visits, weighted_yield, yield_by_source
from riskmodel.evaluation.predictions import budget_as_share


def selected(seed, n=4000):
    """Visits go to high scores and to a random few; the event is seen only there."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    village = rng.integers(0, 60, n)
    y = (rng.random(n) < 1 / (1 + np.exp(2 - score))).astype(float)
    chance = np.where(score > 1.5, 1.0, 0.1)
    return y, (rng.random(n) < chance).astype(float), chance, village, score


def test_the_weighted_rate_is_right_where_the_naive_one_is_not():
    errors, covered, naive = [], [], []
    for seed in range(60):
        y, visited, chance, village, _ = selected(seed)
        made = evaluation.weighted_rate(np.where(visited > 0, y, np.nan), visited, chance, village)
        errors.append(made.estimate - y.mean())
        naive.append(made.naive - y.mean())
        covered.append(made.low <= y.mean() <= made.high)
    # Unbiased: the mean error of 60 draws is within three of its standard errors; the naive rate is far off.
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(60)
    assert np.mean(naive) > 0.1
    # 95 % intervals of 60 draws: fewer than 50 would happen once in 2,000.
    assert sum(covered) >= 50


def test_precision_of_a_list_is_the_rate_among_it():
    y, visited, chance, village, score = selected(0)
    listed = score > 1.5
    made = evaluation.weighted_rate(y, visited, chance, village, among=listed)
    # Everyone on the list was visited for certain: nothing is left to weigh.
    assert made.estimate == pytest.approx(y[listed].mean())
    assert made.naive == made.estimate


def test_chances_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="above 0 for everyone who was visited"):
        evaluation.weighted_rate([1, 0], [1, 1], [0.0, 1.0])
    none = evaluation.weighted_rate([1, 0], [0, 0], [0.0, 0.5])
    assert np.isnan(none.estimate)
    assert none.unreachable == 0.5


def test_worst_case_bounds_hold_the_truth_whatever_is_missing():
    rng = np.random.default_rng(4)
    y, known, listed = ((rng.random(400) < p).astype(float) for p in (0.2, 0.4, 0.1))
    bounds = evaluation.worst_case_bounds(np.where(known > 0, y, np.nan), known, listed)
    hits = (y * listed).sum()
    for low, value, high in (
        (bounds.rate_low, y.mean(), bounds.rate_high),
        (bounds.precision_low, hits / listed.sum(), bounds.precision_high),
        (bounds.recall_low, hits / y.sum(), bounds.recall_high),
    ):
        assert low <= value <= high
        assert low < high
    # Attained: the extreme labels themselves give the ends.
    best = np.where(known > 0, y, listed)
    assert bounds.recall_high == pytest.approx((best * listed).sum() / best.sum())
    # With every label known there is nothing to bound.
    exact = evaluation.worst_case_bounds(y, np.ones(400), listed)
    assert exact.recall_low == exact.recall_high


def test_support_bounds_count_the_supported_as_0_and_as_1():
    y = [1, 0, 0, 0, 1, 0, 0, 0]
    supported = [1, 1, 0, 0, 0, 0, 0, 1]
    listed = [1, 1, 0, 0, 0, 0, 0, 0]
    made = evaluation.support_bounds(y, supported, listed)
    assert (made["rate_low"], made["rate"], made["rate_high"]) == (1 / 8, 2 / 8, 4 / 8)
    assert (made["precision_low"], made["precision"], made["precision_high"]) == (0.0, 0.5, 1.0)
    assert (made["recall_low"], made["recall"], made["recall_high"]) == (0.0, 0.5, 0.5)
    assert made["supported_share_listed"] == 1.0


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
    truth = evaluation.pooled_metrics(every, {"share": 0.05}, replicates=0).set_index("model")
    made = evaluation.pooled_metrics(partly, {"share": 0.05}, findings=findings, replicates=200, seed=1)
    made = made.set_index("model")
    naive = evaluation.pooled_metrics(partly, {"share": 0.05}, replicates=0).set_index("model")
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
    table = evaluation.metrics_by_findings(partly, findings, {"share": 0.05}, replicates=300, seed=2)
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
    table = evaluation.metrics_by_findings(every, findings, {"visits": 30}, replicates=0).set_index("model")
    plain = evaluation.compare(every, {"visits": 30}, replicates=2).primary.set_index("model")
    assert table.loc["logit", "recall"] == pytest.approx(plain.loc["logit", "recall_model"])
    assert table.loc["logit", "precision"] == pytest.approx(plain.loc["logit", "precision_model"])
    assert table.loc["logit", "delta_recall"] == pytest.approx(plain.loc["logit", "delta_recall"])
    assert table.loc["logit", "recall_worst"] == table.loc["logit", "recall_best"]
    # Thirty visits of six hundred are one in twenty, of however many findings there are.
    assert budget_as_share({"visits": 30}, every).share == pytest.approx(0.05)


def test_findings_without_a_weight_are_counted_and_what_cannot_be_is_refused(office):
    _, partly, findings = office
    some = findings.assign(weight=findings["weight"].where(findings["y"] == 0))
    made = evaluation.label_by_findings(partly, some)
    assert made.n_null("logit") == int((findings["y"] == 1).sum())
    assert len(made.frame) == 3 * int((findings["y"] == 0).sum())
    with pytest.raises(InputRefused, match="lack the column"):
        evaluation.metrics_by_findings(partly, findings.drop(columns="weight"), {"share": 0.05})
    with pytest.raises(InputRefused, match="not positive"):
        evaluation.metrics_by_findings(partly, findings.assign(weight=0.0), {"share": 0.05})
    with pytest.raises(InputRefused, match="no finding is of a household"):
        evaluation.metrics_by_findings(partly, findings.assign(household_id="x"), {"share": 0.05})


def test_sentences_name_both_lists_and_the_bounds(office):
    _, partly, findings = office
    table = evaluation.metrics_by_findings(partly, findings, {"share": 0.05}, replicates=20)
    event = {"zh": "其后核查属实的户次", "en": "household-dates followed by a confirming visit"}
    said = [m.both() for m in evaluation.finding_messages(table, event)]
    assert len(said) == 2
    assert "penalised logit" in said[0]["en"]
    assert f"{table['findings'].iloc[0]} visits" in said[0]["en"]
    assert "惩罚逻辑回归" in said[0]["zh"]


def test_absent_households_are_counted_and_left_out_of_the_rate() -> None:
    visits = pd.DataFrame(
        [("rule", "confirmed"), ("rule", "not_confirmed"), ("rule", "absent"),
         ("random", "absent"), (None, "confirmed")],
        columns=["selected_by", "outcome"],
    )  # fmt: skip
    made = yield_by_source(visits).set_index("selected_by")
    assert list(made.index) == ["rule", "random", "unknown"]
    assert made.loc["rule", ["visits", "confirmed", "absent"]].tolist() == [3, 1, 1]
    assert made.loc["rule", "rate"] == 0.5
    assert np.isnan(made.loc["random", "rate"])


def visits_with_chances() -> pd.DataFrame:
    """20 flagged, of whom 10 are confirmed; a lot of 10 with a chance of 1/10, of whom 1 is."""
    rule = pd.DataFrame(
        {"selected_by": "rule", "outcome": ["confirmed", "not_confirmed"] * 10, "chance": 1.0}
    )
    lot = pd.DataFrame({"selected_by": "random", "outcome": ["confirmed"] + ["not_confirmed"] * 9})
    made = pd.concat([rule, lot.assign(chance=0.1)], ignore_index=True)
    return made.assign(village=[f"v{i % 6}" for i in range(len(made))])


def test_the_weighted_yield_is_that_of_all_whom_the_lists_could_choose() -> None:
    visits = visits_with_chances()
    (row,) = weighted_yield(visits).to_dict("records")
    # The ten of the lot stand for a hundred: (10 + 10 · 1) / (20 + 10 · 10), not 11 of 30.
    assert row["rate"] == pytest.approx(20 / 120)
    assert row["naive"] == pytest.approx(11 / 30)
    assert row["low"] < row["rate"] < row["high"]
    assert row["effective_n"] == pytest.approx(120**2 / (20 + 10 * 100))
    # Absent households, applications and visits without a logged chance speak for nobody; a flagged one
    # whose list logged none was certain.
    more = pd.DataFrame(
        [("rule", "absent", 1.0), ("application", "confirmed", None), ("model", "confirmed", None),
         ("rule", "confirmed", None)],
        columns=["selected_by", "outcome", "chance"],
    ).assign(village="v9")  # fmt: skip
    (wider,) = weighted_yield(pd.concat([visits, more], ignore_index=True)).to_dict("records")
    assert (wider["visits"], wider["left_out"]) == (31, 2)
    assert wider["rate"] == pytest.approx(21 / 121)
    assert weighted_yield(visits.assign(chance=np.nan)).empty
    assert weighted_yield(visits.iloc[:0]).empty


def test_bounds_take_the_absent_as_they_like() -> None:
    said = ["confirmed", "not_confirmed", "absent", "absent"]
    (row,) = yield_by_source(pd.DataFrame({"selected_by": "model", "outcome": said})).to_dict("records")
    assert (row["worst"], row["rate"], row["best"]) == (0.25, 0.5, 0.75)


def test_chance_and_village_come_with_the_visits_of_a_county() -> None:
    ids = ["a", "b", "c"]
    own = {"household_id": ids, "township": "t", "village": ["v", "v", "w"], "registration": "general"}
    visits = {"household_id": ids, "date": "2021-05-01", "outcome": "confirmed", "chance": [0.5, 1.0, None]}
    county = from_frames(
        {"households": pd.DataFrame(own | {"valid_from": "2018-01-01"}), "visits": pd.DataFrame(visits)}
    )
    found = recent_visits(county, "2021-06-30").sort_values("chance")
    assert found["chance"].tolist()[:2] == [0.5, 1.0]
    assert np.isnan(found["chance"].iloc[2])
    assert found["village"].nunique() == 2
    # Whoever is not known to live anywhere is a village of its own, not one with all the others.
    alone = from_frames({"visits": pd.DataFrame(visits)})
    assert recent_visits(alone, "2021-06-30")["village"].nunique() == 3
