"""One trained run, and all that stands on it: what is logged, what is loaded, what is scored."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.declarations import plain_county

from riskmodel import explanation, features, rules, scoring, simulate
from riskmodel.data import About, County, from_frames
from riskmodel.errors import InputRefused, UsageError
from riskmodel.runs import compare, design_matrix, experiment, open_run, tracking, training
from riskmodel.runs.assessment import ORACLE
from riskmodel.runs.outcomes import missing_truth, truth_mismatch

from .. import leaks

AS_OF = "2020-12-31"


def test_the_score_speaks_of_whom_it_was_trained_on(county: County, loaded: tracking.LoadedModel) -> None:
    scores = scoring.score(county, loaded, AS_OF)
    inside = scores[scores["in_cohort"]]
    assert 0 < len(inside) < len(scores)
    assert (inside["pcni"] >= inside["line"]).all()
    below = scores["pcni"] < scores["line"]
    assert below.any()
    assert not scores.loc[below, "in_cohort"].any()
    # Being helped is no reason to be visited, and few of those trained on were.
    assert not [n for n in loaded.feature_set.names if "support" in n]


def test_the_truth_of_another_line_or_period_is_no_measure(county: County) -> None:
    exp = plain_county()
    assert truth_mismatch(exp, county) is None
    other = exp.model_copy(update={"params": {"line": 7000}})
    told = truth_mismatch(other, county)
    assert told is not None
    assert "7000" in told.text("en")
    assert "7000" in told.text("zh")
    # causes-2020 judges calendar years by 5,000 yuan; what the register did is another question altogether.
    assert truth_mismatch(exp.model_copy(update={"ruleset": "causes-2020"}), county) is not None
    assert truth_mismatch(other.model_copy(update={"events": ("identified",)}), county) is None


def test_test_dates_without_a_truth_are_named_with_the_mend(made: simulate.SimulatedCounty) -> None:
    exp = plain_county()
    there = pd.Series(pd.to_datetime(made.truth.as_of.unique()))
    assert missing_truth(exp, made.truth, there) is None
    other = pd.Series(pd.to_datetime(["2018-03-31", "2018-03-31", there[0]]))
    told = missing_truth(exp, made.truth, other)
    assert told is not None
    both = sorted(["2018-03-31", f"{there[0]:%Y-%m-%d}"])
    assert told.text("en").startswith("truth.parquet holds no chance of below_line within 12 months at 2018")
    # The mend asks for all test dates: a truth is written anew, not added to.
    assert told.text("en").endswith(" ".join(["--horizon 12", *(f"--truth-at {day}" for day in both)]))
    assert "2018-03-31" in told.text("zh")
    # No truth has one chance for several events: nothing to mend.
    several = exp.model_copy(update={"events": ("below_line", "identified")})
    assert missing_truth(several, made.truth, other) is None


def test_training_ends_one_horizon_and_the_delay_before_each_test(county: County) -> None:
    exp = plain_county()
    assert county.about.recording_delay_days > 0
    for fold in experiment.temporal_folds(exp, county):
        last = max(fold.train)
        # The label window of the last training date, and the time records take, are over by the test date.
        over = (
            pd.Timestamp(last)
            + pd.DateOffset(months=12)
            + pd.Timedelta(days=county.about.recording_delay_days)
        )
        assert over <= pd.Timestamp(min(fold.test)) + pd.Timedelta(
            days=3
        )  # month ends differ by up to 3 days
        assert fold.seen_by == min(fold.test)


def test_a_history_too_short_is_refused_with_what_is_needed() -> None:
    short = simulate.simulate_county(households=40, months=24, seed=1, truth_at=[])
    county = from_frames(short.frames, About.model_validate(short.about))
    with pytest.raises(InputRefused, match="months"):
        experiment.temporal_folds(plain_county(), county)


def test_too_few_events_are_refused_with_how_many_more_and_a_size_that_works(tmp_path: Path) -> None:
    small = simulate.simulate_county(households=150, months=48, seed=1, truth_at=[])
    county = from_frames(small.frames, About.model_validate(small.about))
    said = (
        r"at least 10 events and 10 others are needed \(about [\d.]+ times as many rows\): .*; as a rule 900"
    )
    with pytest.raises(InputRefused, match=said):
        training.train(plain_county(), county, tmp_path / "store.db")


@pytest.mark.slow
@pytest.mark.parametrize(("households", "months"), [(900, 54), (700, 66)])
def test_the_sizes_that_refusals_and_readme_name_are_enough(
    households: int, months: int, tmp_path: Path
) -> None:
    assert f"{households} " in experiment.ENOUGH
    assert f"over {months}" in experiment.ENOUGH
    made = simulate.simulate_county(households=households, months=months, seed=0, truth_at=[])
    county = from_frames(made.frames, About.model_validate(made.about))
    run = training.train(plain_county(), county, tmp_path / "store.db")
    assert len(run.result.folds) == plain_county().split.folds


def test_the_cohort_is_above_the_line_and_not_under_watch(county: County) -> None:
    exp = plain_county()
    days = experiment.as_of_dates(exp, county)[-1:]
    rows = design_matrix.build_design_matrix(exp, county, days).rows
    assert len(rows)
    assert (rows["pcni"] >= rows["line"]).all()
    assert (rows["rule_rank"].sort_values().to_numpy() == np.arange(1, len(rows) + 1)).all()
    # Whom the rules flag comes first in their ranking.
    assert rows.loc[rows["flagged"], "rule_rank"].max() == rows["flagged"].sum() or not rows["flagged"].any()


def test_predictions_lie_after_training_and_hold_every_model(trained: training.TrainedRun) -> None:
    found = trained.result.predictions
    per_row = found.groupby(["household_id", "as_of", "fold"])["model"].nunique()
    assert (per_row == len(trained.result.experiment.models)).all()
    assert (found["probability_low"] <= found["probability"]).all()
    assert (found["probability"] <= found["probability_high"]).all()


def test_expected_and_observed_events_of_the_newest_date_are_said_and_logged(
    trained: training.TrainedRun, store: Path
) -> None:
    rows = trained.result.predictions
    champion = trained.result.experiment.champion
    newest = rows[(rows["model"] == champion) & rows["y"].notna()]
    newest = newest[newest["as_of"] == newest["as_of"].max()]
    table = training.expected_events(rows).set_index("model")
    assert table.loc[champion, "expected"] == pytest.approx(newest["probability"].sum())
    assert table.loc[champion, "observed"] == newest["y"].sum()
    said = [note for note in trained.result.notes if note.code.startswith("expected events")]
    assert any(f"{table.loc[champion, 'ratio']:.2f}" in note.text("en") for note in said)
    assert (
        open_run(trained.run_id, store)
        .table("expected_events")
        .set_index("model")["ratio"]
        .equals(table["ratio"])
    )


def test_far_from_what_came_is_a_warning(
    trained: training.TrainedRun, caplog: pytest.LogCaptureFixture
) -> None:
    off = trained.result.predictions.assign(probability=lambda rows: rows["probability"] * 2)
    with caplog.at_level("WARNING"):
        notes = training.level_messages(dataclasses.replace(trained.result, predictions=off))
    assert {note.code for note in notes} == {"expected events off"}
    assert "lies outside 0.8 to 1.25" in caplog.text


def test_the_truth_orders_no_worse_than_what_was_learned(trained: training.TrainedRun) -> None:
    oracle = trained.evaluation.metrics_with_truth
    assert oracle is not None
    auc = oracle.set_index("model")["auc"]
    # The true chance is the best possible ordering; on a few hundred rows chance may add some hundredths.
    assert auc[ORACLE] > auc.drop(ORACLE).max() - 0.06


def test_comparison_shows_what_is_reached_of_the_attainable(
    trained: training.TrainedRun, store: Path
) -> None:
    found = compare([trained.run_id], store)[0]
    assert found.run.true_risk is not None
    table = found.run.true_risk.set_index("model")
    assert list(table.index) == [*trained.result.experiment.models, ORACLE]
    share = table["auc_share"].drop(ORACLE)
    # Against true chances nobody passes who knows them, but for the error of 60 futures.
    assert share.between(0.5, 1.03).all()
    assert found.run.support_effect["unsupported"] >= found.run.support_effect["supported"] > 0
    said = found.text()
    for model in table.index.drop(ORACLE):
        assert f"{model}: AUC against true chances" in said
    assert {row["model"] for row in found.summary()["oracle"]} == set(table.index)


def test_comparison_tells_lists_as_deployed_and_what_could_be_shown(
    trained: training.TrainedRun, store: Path
) -> None:
    found = compare([trained.run_id], store)[0]
    champion = trained.result.experiment.champion
    row = found.table[(found.table["scope"] == "pooled") & (found.table["at"] == "budget")].set_index("model")
    # The champion is the one test declared beforehand; the others are corrected among themselves.
    assert row["declared"].to_dict() == {m: m == champion for m in row.index}
    zh, en = found.text("zh"), found.text("en")
    assert "declared beforehand" in en
    assert "household-dates followed by a true fall below the line" in en
    assert "其后真实跌破监测线的户次" in zh
    assert en.count("As deployed") == zh.count("实际名单") == len(row)
    assert found.run.deployed is not None
    assert set(found.run.deployed["list"]) == {"rules+model", "rules+rules", "rules+random"}
    assert found.run.planning is not None
    assert found.run.planning["events"].iloc[0] == row["n_events"].iloc[0]
    assert "a difference in recall of" in en
    told = found.summary()
    assert told["selected"] is None
    assert len(told["deployed"]) == len(found.run.deployed)
    assert trained.verdict["en"] in en


def test_the_champions_run_is_opened_by_its_alias(trained: training.TrainedRun, store: Path) -> None:
    run = open_run("county@champion", store)
    assert (run.run_id, run.kind) == (trained.run_id, trained.result.experiment.champion)
    assert set(run.predictions_of()["model"]) == {run.kind}
    # The tables that are logged and those that are computed anew from the logged predictions agree.
    again = run.evaluate(declared=run.kind)
    assert again.comparison is not None
    pd.testing.assert_frame_equal(again.metrics, run.metrics)
    columns = ["scope", "model", "hits_model", "delta_recall", "delta_low", "p_holm"]
    pd.testing.assert_frame_equal(again.comparison.table[columns], run.comparison[columns])


@pytest.mark.parametrize("name", ["past_income", "logit", "boosting"])
def test_contributions_add_up_to_every_explained_models_score(
    trained: training.TrainedRun, county: County, store: Path, name: str
) -> None:
    back = tracking.load_model(f"county@{name}", store)
    X = features.build_features(county, back.feature_set, AS_OF)[back.feature_set.names]
    parts, base = explanation.compute_contributions(back.model, X)
    np.testing.assert_allclose(base + parts.sum(axis=1), back.model.margin(X), atol=1e-6)
    causes = explanation.sum_by_cause(parts, features.describe_features(back.feature_set))
    np.testing.assert_allclose(causes.sum(axis=1), parts.sum(axis=1), atol=1e-9)


def test_scores_stand_beside_the_rules_verdict(loaded: tracking.LoadedModel, county: County) -> None:
    scores = scoring.score(county, loaded, AS_OF).set_index("household_id")
    verdicts = rules.evaluate_rules(county, "national-2021", AS_OF).set_index("household_id")
    assert set(scores.index) == set(verdicts.index)
    same = verdicts.loc[scores.index]
    assert (scores["rule_category"] == same["category"]).all()
    assert (scores["flagged"] == same["flagged"]).all()
    pd.testing.assert_series_equal(scores["pcni"], same["pcni"])
    # The score in log-odds and the probability say the same.
    np.testing.assert_allclose(scores["probability"], 1 / (1 + np.exp(-scores["score"])), rtol=1e-9)


def test_an_explanation_adds_up_to_the_households_score(
    trained: training.TrainedRun, county: County, store: Path
) -> None:
    model = tracking.load_model("county@logit", store)
    scores = scoring.score(county, model, AS_OF).set_index("household_id")
    two = [scores.index[-1], scores.index[0]]
    made = scoring.explain(county, model, AS_OF, two, "en")
    assert list(made["household_id"].unique()) == two
    # Additive in log-odds: the base and all contributions are the score, and the base is the scores' own.
    total = made.groupby("household_id")["contribution"].sum() + made.groupby("household_id")["base"].first()
    np.testing.assert_allclose(total[two], scores.loc[two, "score"], atol=1e-6)
    assert made["base"].eq(scores["log_odds_base"].iloc[0]).all()
    # The largest stands first, and every feature says what it is and what the household's figure was.
    assert made["contribution"].abs().groupby(made["household_id"]).is_monotonic_decreasing.all()
    assert sorted(made.loc[made["household_id"] == two[0], "feature"]) == sorted(model.feature_set.names)
    X = features.build_features(county, model.feature_set, AS_OF).set_index("household_id")
    own = made[made["household_id"] == two[1]].set_index("feature")["value"]
    np.testing.assert_array_equal(own, X.loc[two[1], own.index].to_numpy(dtype=float))
    assert made[["name", "cause"]].notna().all(axis=None)
    with pytest.raises(UsageError, match="'nobody' is not known at"):
        scoring.explain(county, model, AS_OF, "nobody")
    with pytest.raises(UsageError, match="not explained by features"):
        scoring.explain(county, tracking.load_model("county@rule", store), AS_OF)


def test_both_languages_give_one_ranking(loaded: tracking.LoadedModel, county: County) -> None:
    both = scoring.score_in_languages(county, loaded, AS_OF)
    words = [c for c in both["zh"] if c.startswith(("cause_", "reason_"))]
    pd.testing.assert_frame_equal(both["zh"].drop(columns=words), both["en"].drop(columns=words))
    assert (both["zh"]["reason_1"] == "").equals(both["en"]["reason_1"] == "")


def test_nothing_recorded_later_moves_a_score(loaded: tracking.LoadedModel, county: County) -> None:
    # Rows recorded after as-of are changed, deleted and added in every table; the scores stay.
    other = leaks.another_future(county, "2019-12-31", seed=3)
    here, there = (scoring.score(c, loaded, "2019-12-31") for c in (county, other))
    pd.testing.assert_frame_equal(here, there)


def test_a_scoring_run_is_logged_without_households(
    loaded: tracking.LoadedModel, county: County, store: Path
) -> None:
    scores = scoring.score(county, loaded, AS_OF)
    summary = scoring.log_scores(scores, loaded, store)
    assert summary["households"] == len(scores)
    held = tracking.read_document(summary["scoring_run_id"], "score_histogram.json", store)
    assert sum(held["households"]) == len(scores)
    assert str(scores["household_id"].iloc[0]) not in json.dumps(summary)


@pytest.fixture(scope="module")
def visited() -> County:
    """A county with an office that draws visits each quarter and logs every chance."""
    made = simulate.simulate_county(households=500, months=48, seed=9, truth_at=())
    rng = np.random.default_rng(3)
    ids = made.frames["households"]["household_id"].drop_duplicates().to_numpy()
    poor = rng.random(len(ids)) < 0.3
    chance = np.where(poor, 0.8, 0.2)
    lists = []
    for day in pd.date_range("2018-02-15", made.about["data_through"], freq="91D"):
        seen = rng.random(len(ids)) < chance
        found = rng.random(len(ids)) < np.where(poor, 0.25, 0.05)
        lists.append(
            pd.DataFrame(
                {
                    "household_id": ids[seen],
                    "date": day.date(),
                    "outcome": np.where(found, "confirmed", "not_confirmed")[seen],
                    "selected_by": np.where(poor, "model", "random")[seen],
                    "chance": chance[seen],
                    "recorded_on": day.date(),
                }
            )
        )
    visits = pd.concat(lists, ignore_index=True)
    return from_frames({**made.frames, "visits": visits}, About.model_validate(made.about))


def test_confirmed_visits_are_judged_by_their_chances(visited: County, tmp_path: Path) -> None:
    base = plain_county()
    exp = base.model_copy(
        update={
            "id": "visits",
            "events": ("confirmed",),
            "models": ("rule", "past_income"),
            "champion": "past_income",
            "follow_months": None,
            "bootstrap": 40,
            "as_of": base.as_of.model_copy(update={"every_months": 6}),
            "split": base.split.model_copy(update={"folds": 1}),
            "horizon": base.horizon.model_copy(update={"months": 6}),
        }
    )
    store = tmp_path / "mlflow.db"
    trained = training.train(exp, visited, store)
    findings, chosen = trained.result.findings, trained.evaluation.selected
    assert chosen is not None
    assert chosen["model"].tolist() == ["rule", "past_income"]
    assert findings["weight"].notna().all()
    # Every figure stands for all households, so the rate is far below that among the visited.
    pooled = trained.evaluation.metrics.set_index("model")
    assert pooled.loc["rule", "n_test"] == chosen["findings"].iloc[0] == len(findings)
    assert pooled.loc["rule", "base_rate"] == pytest.approx(chosen["rate"].iloc[0])
    truth = 0.3 * 0.25 + 0.7 * 0.05
    assert findings["y"].mean() > 1.3 * truth
    assert chosen["rate"].iloc[0] == pytest.approx(truth, rel=0.25)
    # The one sentence is of the weighted visits, and the comparison says what its other tables are.
    assert trained.verdict["en"].startswith("Weighted by 1 / chance")
    found = compare([trained.run_id], store)[0]
    said = found.text()
    assert trained.verdict["en"] in said
    assert "the visited only, unweighted" in said
    assert len(found.summary()["selected"]) == 2
    assert trained.verdict["zh"] in found.text("zh")
