"""Pooled and per-fold metrics: the plain functions, with intervals, counts and the leakage alarm.

Each label event judges the same lists apart.

Gaps between groups against fairlearn, and the rule for small groups.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riskmodel import evaluation
from riskmodel import evaluation as ev
from riskmodel.errors import InputRefused
from riskmodel.evaluation import pooled_metrics
from riskmodel.evaluation.summary import metrics_by_event

# What the command line prints for every model.
CONTRACT = (
    "model", "auc", "auc_low", "auc_high", "average_precision", "brier", "calibration_slope",
    "recall_at_budget", "precision_at_budget", "n_test", "base_rate",
)  # fmt: skip


@pytest.fixture(scope="module")
def pooled(predictions):
    return ev.pooled_metrics(predictions, {"share": 0.05}, replicates=200, seed=1)


def test_every_figure_is_the_plain_function_on_the_labelled_rows(predictions, pooled, at_budget):
    assert set(CONTRACT) <= set(pooled.columns)
    assert pooled["model"].tolist() == ["rule", "logit", "boosting"]
    for row in pooled.to_dict("records"):
        part = predictions[(predictions["model"] == row["model"]) & predictions["y"].notna()]
        part = part.sort_values(["as_of", "household_id"])
        y = part["y"].astype(int)
        assert row["auc"] == pytest.approx(roc_auc_score(y, part["score"]))
        assert row["average_precision"] == pytest.approx(ev.average_precision(y, part["score"]))
        assert row["brier"] == pytest.approx(ev.brier(y, part["probability"]))
        assert row["calibration_slope"] == pytest.approx(ev.calibration_slope(y, part["probability"]))
        assert row["calibration_intercept"] == pytest.approx(ev.calibration_intercept(y, part["probability"]))
        found = at_budget(y, part["score"], {"share": 0.05}, part["as_of"])
        assert row["recall_at_budget"] == pytest.approx(found["recall"])
        assert row["precision_at_budget"] == pytest.approx(found["precision"])
        for name in ("visits", "hits", "hits_worst", "hits_best", "hits_random", "hits_random_sd"):
            assert row[name] == pytest.approx(found[name])
        assert row["n_test"] == len(part)
        assert row["base_rate"] == pytest.approx(y.mean())
        assert row["n_test"] + row["n_null"] == 3600
        assert row["n_villages"] == 40


def test_intervals_hold_the_point_and_derived_errors_mirror_recall_and_precision(pooled):
    for metric in ev.table_metrics():
        low, point, high = (pooled[metric.name + end] for end in ("_low", "", "_high"))
        assert ((low < point) & (point < high)).all(), metric.name
    values = {name: pooled[name].to_numpy() for name in pooled.columns if name != "model"}
    assert values["exclusion_error"] == pytest.approx(1 - values["recall_at_budget"])
    assert values["exclusion_error_low"] == pytest.approx(1 - values["recall_at_budget_high"])
    assert values["inclusion_error_high"] == pytest.approx(1 - values["precision_at_budget_low"])
    assert values["lift"] == pytest.approx(values["precision_at_budget"] / values["base_rate"])


def test_the_same_seed_gives_the_same_numbers_whatever_the_row_order(predictions, pooled):
    again = ev.pooled_metrics(
        predictions.sample(frac=1, random_state=3), {"share": 0.05}, replicates=200, seed=1
    )
    again = again.set_index("model").loc[pooled["model"]].reset_index()
    pd.testing.assert_frame_equal(again, pooled)


def test_folds_add_up_to_the_pool(predictions, pooled):
    folds = ev.metrics_by_fold(predictions, {"share": 0.05}, replicates=0)
    assert len(folds) == 9
    for name in ("n_test", "n_events", "n_null", "visits", "hits"):
        assert folds.groupby("model", sort=False)[name].sum().tolist() == pooled[name].tolist()
    assert folds["auc_low"].isna().all()


def test_a_fold_without_labels_and_one_with_one_class_are_reported_not_hidden(predictions):
    frame = predictions.copy()
    frame.loc[frame["fold"] == 1, "y"] = pd.NA
    frame.loc[(frame["fold"] == 2) & frame["y"].notna(), "y"] = 0
    folds = ev.metrics_by_fold(frame, {"visits": 10}, replicates=20).set_index(["model", "fold"])
    assert folds.loc[("logit", 1), "n_test"] == 0
    assert folds.loc[("logit", 1), "n_null"] == 1200
    assert np.isnan(folds.loc[("logit", 2), "auc"])
    assert np.isnan(folds.loc[("logit", 2), "auc_low"])
    assert folds.loc[("logit", 2), "n_events"] == 0
    assert np.isfinite(folds.loc[("logit", 0), "auc_low"])


def test_an_auc_too_good_for_a_forecast_raises_the_alarm(predictions, pooled):
    assert not pooled["leakage_suspected"].any()
    leaky = predictions[predictions["model"] == "logit"].copy()
    noise = np.random.default_rng(0).normal(0, 1, len(leaky))
    leaky["score"] = leaky["y"].fillna(0).astype(float) * 4 + noise
    found = ev.pooled_metrics(leaky, {"share": 0.05}, replicates=0)
    assert found["auc"][0] > ev.LEAKAGE_AUC
    assert found["leakage_suspected"][0]


def test_curves_end_where_they_must(predictions):
    curves = ev.metric_curves(predictions, replicates=50)
    assert set(curves["curve"]) == {"roc", "precision_recall", "gain", "reliability"}
    pooled = ev.pooled_metrics(predictions, {"share": 0.05}, replicates=0).set_index("model")
    for (model, name), part in curves.groupby(["model", "curve"]):
        assert len(part) <= 200
        assert part[["x", "y"]].notna().all().all()
        if name == "precision_recall":
            assert part["y"].iloc[-1] == pytest.approx(pooled.loc[model, "base_rate"])
            continue
        assert part["x"].is_monotonic_increasing
        if name == "reliability":
            assert part["n"].sum() == pooled.loc[model, "n_test"]
            assert ((part["low"] <= part["y"]) & (part["y"] <= part["high"])).all()
            continue
        assert (part["x"].iloc[0], part["y"].iloc[0]) == (0, 0)
        assert (part["x"].iloc[-1], part["y"].iloc[-1]) == pytest.approx((1, 1))
        if name == "roc":
            # The thinned curve's area is the AUC but for the corners that were left out.
            assert np.trapezoid(part["y"], part["x"]) == pytest.approx(pooled.loc[model, "auc"], abs=5e-3)
        if name == "gain":
            assert np.interp(0.05, part["x"], part["y"]) == pytest.approx(
                pooled.loc[model, "recall_at_budget"], abs=0.02
            )


def test_net_benefit_of_visiting_everyone_and_no_one():
    y = np.r_[np.ones(10), np.zeros(90)]
    # Everyone: TP/n = 0.1, FP/n = 0.9 at odds 0.05/0.95 (Vickers and Elkin's "treat all").
    assert ev.net_benefit(y, np.ones(100), 0.05) == pytest.approx(0.1 - 0.9 * 0.05 / 0.95)
    assert ev.net_benefit(y, np.zeros(100), 0.05) == 0
    with pytest.raises(ValueError, match=r"thresholds \[1\.0\]: each must be in \(0, 1\)"):
        ev.net_benefit(y, y, 1.0)


def two_models(n: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    risk = rng.normal(-2, 1.2, n)
    fell = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(float)
    flagged = rng.random(n) < 0.05
    base = pd.DataFrame(
        {
            "household_id": [f"h{i:04d}" for i in range(n)],
            "as_of": pd.Timestamp("2020-12-31"),
            "fold": "a",
            "township": "t",
            "village": [f"v{i % 30}" for i in range(n)],
            "persons": 3,
            "flagged": flagged,
            "y": fell,
            "label_below_line": fell,
            # The register writes down whom the rule flags, and nobody else.
            "label_identified": flagged.astype(float),
            # Nobody was visited: no finding is known.
            "label_confirmed": np.nan,
        }
    )
    rule = base.assign(
        model="rule", score=np.where(flagged, 1.0, 0.0), probability=np.where(flagged, 0.5, 0.1)
    )
    logit = base.assign(model="logit", score=risk, probability=1 / (1 + np.exp(-risk)))
    return pd.concat([rule, logit], ignore_index=True)


def test_the_register_crowns_the_rule_and_income_does_not() -> None:
    found = two_models()
    table = metrics_by_event(found, {"share": 0.05}, replicates=50).set_index(["event", "model"])
    assert set(table.index.get_level_values("event")) == {"below_line", "identified"}
    # By its own writing the rule is perfect, though its list has nothing to do with who falls.
    assert table.loc[("identified", "rule"), "auc"] == 1
    assert abs(table.loc[("below_line", "rule"), "auc"] - 0.5) < 0.08
    assert table.loc[("below_line", "logit"), "auc"] > 0.75
    assert table.loc[("identified", "logit"), "n_events"] == found["flagged"].sum() / 2
    # The trained event's row is the pooled metrics' own.
    same = pooled_metrics(found, {"share": 0.05}, replicates=50).set_index("model")
    for name in ("auc", "auc_low", "recall_at_budget", "recall_at_budget_high"):
        assert table.loc[("below_line", "logit"), name] == same.loc["logit", name]


def test_without_other_events_there_is_no_table() -> None:
    found = two_models().drop(columns=["label_below_line", "label_identified", "label_confirmed"])
    assert metrics_by_event(found, {"share": 0.05}, replicates=20).empty


@pytest.fixture(scope="module")
def grouped(make_predictions):
    found = make_predictions(nulls=0.0)
    household = found["household_id"].str[1:].astype(int)
    return found.assign(
        kind=np.where(household % 3 == 0, "alone", "others"),
        rare=np.where(household < 4, "few", "many"),
        unknown=pd.array(np.where(household % 2 == 0, "a", None), dtype="string"),
    )


def test_rates_by_group_are_fairlearns(grouped):
    metrics = pytest.importorskip("fairlearn.metrics", reason="the extra 'audit' is not installed")
    table = evaluation.group_gaps(grouped, ["kind"], {"share": 0.05}, replicates=20)
    one = grouped[grouped["model"] == "logit"].sort_values(["as_of", "household_id"])
    listed = one.groupby("as_of")["score"].rank(ascending=False, method="first") <= 60
    frame = metrics.MetricFrame(
        metrics={
            "selection_rate": metrics.selection_rate,
            "recall": metrics.true_positive_rate,
            "false_positive_rate": metrics.false_positive_rate,
        },
        y_true=one["y"].astype(int),
        y_pred=listed.astype(int),
        sensitive_features=one["kind"],
    )
    mine = table[table["model"] == "logit"].set_index("value")
    for name in frame.by_group.columns:
        assert mine.loc["alone", name] == pytest.approx(frame.by_group.loc["alone", name])
        # With two groups, "the others" are the other group: fairlearn's difference.
        gap = frame.by_group.loc["alone", name] - frame.by_group.loc["others", name]
        assert mine.loc["alone", f"gap_{name}"] == pytest.approx(gap)
        low, high = mine.loc["alone", f"gap_{name}_low"], mine.loc["alone", f"gap_{name}_high"]
        assert low < gap < high


def test_a_household_is_counted_once_however_many_dates_it_has(grouped):
    # Nine households fall at each of three dates: 27 rows, nine households, too few to be spoken of.
    household = grouped["household_id"].str[1:].astype(int)
    found = grouped.assign(
        y=np.where(household < 9, 1.0, np.where(household < 90, 0.0, grouped["y"].astype(float))),
        kind=np.where(household < 90, "nine", "others"),
    )
    table = evaluation.group_gaps(found, ["kind"], {"share": 0.05}, replicates=20).set_index(
        ["model", "value"]
    )
    assert table.loc[("logit", "nine"), "small"]
    ten = found.assign(y=np.where(household == 9, 1.0, found["y"]))
    table = evaluation.group_gaps(ten, ["kind"], {"share": 0.05}, replicates=20).set_index(["model", "value"])
    assert not table.loc[("logit", "nine"), "small"]
    assert table.loc[("logit", "nine"), "n_events"] == 30


def test_too_small_a_group_has_counts_and_no_gap(grouped):
    table = evaluation.group_gaps(grouped, ["rare"], {"share": 0.05}, replicates=20).set_index(
        ["model", "value"]
    )
    few = table.loc[("logit", "few")]
    assert few["small"]
    assert few["n"] == 12
    assert np.isnan(few["gap_recall"])
    # What is withheld is withheld everywhere: rates of four households point at them.
    rates = ["n_events", "base_rate", "recall", "precision", "false_positive_rate", "calibration_gap"]
    assert few[rates].astype(float).isna().all()
    # What is compared with a group too small is too small as well: its events are the others' only.
    assert table.loc[("logit", "many"), "small"]


def test_calibration_gap_is_mean_chance_minus_rate_and_missing_groups_are_left_out(grouped):
    table = evaluation.group_gaps(grouped, ["kind", "unknown"], {"share": 0.05}, replicates=20)
    one = grouped[(grouped["model"] == "logit") & (grouped["kind"] == "alone")]
    row = table[(table["model"] == "logit") & (table["value"] == "alone")].iloc[0]
    assert row["calibration_gap"] == pytest.approx(one["probability"].mean() - one["y"].astype(float).mean())
    assert set(table.loc[table["group"] == "unknown", "value"]) == {"a"}
    with pytest.raises(InputRefused, match="lack the column"):
        evaluation.group_gaps(grouped, ["absent"], {"share": 0.05})


def test_the_interval_of_a_metrics_difference_is_that_of_the_paired_comparison(predictions):
    pair = predictions[predictions["model"].isin(["logit", "boosting"])]
    options = {"replicates": 80, "seed": 2}
    compared = ev.compare(pair, {"share": 0.05}, baseline="logit", **options).primary.iloc[0]
    ends = ev.metric_difference(pair, ("logit", "boosting"), "recall_at_budget", {"share": 0.05}, **options)
    assert ends == pytest.approx((compared["delta_low"], compared["delta_high"]))
    assert ev.metric_difference(pair, ("logit", "logit"), "auc", {"share": 0.05}, **options) == (0, 0)
