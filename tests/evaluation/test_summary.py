"""Pooled and per-fold metrics: the plain functions, with intervals, counts and the leakage alarm."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riskmodel import evaluation as ev

# What the command line prints for every model.
CONTRACT = (
    "model", "auc", "auc_low", "auc_high", "average_precision", "brier", "calibration_slope",
    "recall_at_budget", "precision_at_budget", "n_test", "base_rate",
)  # fmt: skip


@pytest.fixture(scope="module")
def pooled(predictions):
    return ev.pooled(predictions, {"share": 0.05}, replicates=200, seed=1)


def test_every_figure_is_the_plain_function_on_the_labelled_rows(predictions, pooled):
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
        found = ev.at_budget(y, part["score"], {"share": 0.05}, part["as_of"])
        assert row["recall_at_budget"] == pytest.approx(found["recall"])
        assert row["precision_at_budget"] == pytest.approx(found["precision"])
        for name in ("visits", "hits", "hits_worst", "hits_best", "hits_random", "hits_random_sd"):
            assert row[name] == pytest.approx(found[name])
        assert row["n_test"] == len(part)
        assert row["base_rate"] == pytest.approx(y.mean())
        assert row["n_test"] + row["n_null"] == 3600
        assert row["n_villages"] == 40


def test_intervals_hold_the_point_and_derived_errors_mirror_recall_and_precision(pooled):
    for metric in ev.METRICS:
        low, point, high = (pooled[metric.name + end] for end in ("_low", "", "_high"))
        assert ((low < point) & (point < high)).all(), metric.name
    values = {name: pooled[name].to_numpy() for name in pooled.columns if name != "model"}
    assert values["exclusion_error"] == pytest.approx(1 - values["recall_at_budget"])
    assert values["exclusion_error_low"] == pytest.approx(1 - values["recall_at_budget_high"])
    assert values["inclusion_error_high"] == pytest.approx(1 - values["precision_at_budget_low"])
    assert values["lift"] == pytest.approx(values["precision_at_budget"] / values["base_rate"])


def test_the_same_seed_gives_the_same_numbers_whatever_the_row_order(predictions, pooled):
    again = ev.pooled(predictions.sample(frac=1, random_state=3), {"share": 0.05}, replicates=200, seed=1)
    again = again.set_index("model").loc[pooled["model"]].reset_index()
    pd.testing.assert_frame_equal(again, pooled)


def test_folds_add_up_to_the_pool(predictions, pooled):
    folds = ev.by_fold(predictions, {"share": 0.05}, replicates=0)
    assert len(folds) == 9
    for name in ("n_test", "n_events", "n_null", "visits", "hits"):
        assert folds.groupby("model", sort=False)[name].sum().tolist() == pooled[name].tolist()
    assert folds["auc_low"].isna().all()


def test_a_fold_without_labels_and_one_with_one_class_are_reported_not_hidden(predictions):
    frame = predictions.copy()
    frame.loc[frame["fold"] == 1, "y"] = pd.NA
    frame.loc[(frame["fold"] == 2) & frame["y"].notna(), "y"] = 0
    folds = ev.by_fold(frame, {"visits": 10}, replicates=20).set_index(["model", "fold"])
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
    found = ev.pooled(leaky, {"share": 0.05}, replicates=0)
    assert found["auc"][0] > ev.LEAKAGE_AUC
    assert found["leakage_suspected"][0]


def test_curves_end_where_they_must(predictions):
    curves = ev.curves(predictions, replicates=50)
    assert set(curves["curve"]) == {"roc", "precision_recall", "gain", "reliability"}
    pooled = ev.pooled(predictions, {"share": 0.05}, replicates=0).set_index("model")
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
    with pytest.raises(ValueError, match=r"threshold=1\.0"):
        ev.net_benefit(y, y, 1.0)


def test_the_table_of_metrics_is_complete():
    names = [metric.name for metric in ev.METRICS]
    assert len(set(names)) == len(names)
    for metric in ev.METRICS:
        assert all((metric.zh, metric.en, metric.formula, metric.source)), metric.name
    # One test at one budget: everything else that needs the list is declared derived.
    assert [m.name for m in ev.METRICS if m.needs == "list" and not m.derived] == ["recall_at_budget"]
