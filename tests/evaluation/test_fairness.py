"""Gaps between groups against fairlearn, and the rule for small groups."""

import numpy as np
import pandas as pd
import pytest

from riskmodel import evaluation
from riskmodel.errors import InputRefused


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
    table = evaluation.gaps(grouped, ["kind"], {"share": 0.05}, replicates=20)
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
    table = evaluation.gaps(found, ["kind"], {"share": 0.05}, replicates=20).set_index(["model", "value"])
    assert table.loc[("logit", "nine"), "small"]
    ten = found.assign(y=np.where(household == 9, 1.0, found["y"]))
    table = evaluation.gaps(ten, ["kind"], {"share": 0.05}, replicates=20).set_index(["model", "value"])
    assert not table.loc[("logit", "nine"), "small"]
    assert table.loc[("logit", "nine"), "n_events"] == 30


def test_too_small_a_group_has_counts_and_no_gap(grouped):
    table = evaluation.gaps(grouped, ["rare"], {"share": 0.05}, replicates=20).set_index(["model", "value"])
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
    table = evaluation.gaps(grouped, ["kind", "unknown"], {"share": 0.05}, replicates=20)
    one = grouped[(grouped["model"] == "logit") & (grouped["kind"] == "alone")]
    row = table[(table["model"] == "logit") & (table["value"] == "alone")].iloc[0]
    assert row["calibration_gap"] == pytest.approx(one["probability"].mean() - one["y"].astype(float).mean())
    assert set(table.loc[table["group"] == "unknown", "value"]) == {"a"}
    with pytest.raises(InputRefused, match="lack the column"):
        evaluation.gaps(grouped, ["absent"], {"share": 0.05})
