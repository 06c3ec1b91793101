"""Rules against models: a county small enough to count by hand, all three verdicts, lists as deployed.

Visits equivalent and net benefit: by hand, by the gain curve, and against the single threshold.
"""

import numpy as np
import pandas as pd
import pytest

from riskmodel import evaluation as ev
from riskmodel.errors import InputRefused
from riskmodel.evaluation.compare import POOLED
from riskmodel.evaluation.compare import _verdict as decide


def stated(comparison):
    """Return the primary rows with their verdicts in sentences."""
    messages = comparison.verdicts({"zh": "返贫的户次", "en": "household-dates followed by a return"})
    sentences = {f"verdict_{lang}": [m.text(lang) for m in messages] for lang in ("zh", "en")}
    table = comparison.table.assign(**sentences)
    return table[(table["scope"] == POOLED) & (table["at"] == "budget")].reset_index(drop=True)


def _hand():
    """Ten households, one date, four true returns (h0 to h3); the rules flag h0, h1, h8."""
    return pd.concat(
        pd.DataFrame(
            {
                "household_id": [f"h{i}" for i in range(10)],
                "as_of": "2021-06-30",
                "fold": 0,
                "township": "t",
                "village": [f"v{i % 5}" for i in range(10)],
                "persons": [1, 1, 5, 1, 1, 1, 1, 1, 1, 1],
                "model": model,
                "score": score,
                "probability": 0.3,
                "y": [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
                "flagged": [True, True, False, False, False, False, False, False, True, False],
                "rule_rank": [2, 3, 9, 5, 4, 6, 7, 8, 1, 10],
            }
        )
        for model, score in {
            "rule": [8, 7, 1, 5, 6, 4, 3, 2, 9, 0],
            "logit": [9, 1, 8, 7, 6, 2, 3, 4, 0, 5],
        }.items()
    ).reset_index(drop=True)


def test_the_hand_counted_county():
    found = ev.compare(_hand(), {"visits": 4}, replicates=50)
    row = found.primary.iloc[0]
    # Rules: h8, h0, h1, then h4 by distance: 2 events. Logit: h0, h2, h3, h4: 3 events.
    assert (row["hits_baseline"], row["hits_model"]) == (2, 3)
    assert (row["both"], row["baseline_only"], row["model_only"], row["neither"]) == (1, 1, 2, 0)
    assert row["delta_recall"] == pytest.approx(0.25)
    assert row["delta_exclusion_error"] == pytest.approx(-0.25)
    assert (row["precision_baseline"], row["precision_model"]) == (0.5, 0.75)
    # By persons: events weigh 1, 1, 5, 1; the rules reach 2 of 8, the model 7 of 8.
    assert row["delta_recall_persons"] == pytest.approx(5 / 8)
    # Lists share h0 and h4 out of six households on either.
    assert row["overlap"] == pytest.approx(2 / 6)
    assert (row["flagged"], row["topped_up"], row["cut"]) == (3, 1, 0)
    assert row["mcnemar_p"] == ev.mcnemar_exact(1, 2)
    table = found.table[(found.table["at"] == "rule_quota") & (found.table["scope"] == POOLED)].iloc[0]
    # At the rules' own quota of three: rules h8, h0, h1 (2); logit h0, h2, h3 (3).
    assert (table["visits"], table["hits_baseline"], table["hits_model"]) == (3, 2, 3)
    deployed = found.deployed[found.deployed["scope"] == POOLED].set_index("list")
    # Deployed: the three flagged and one more, h2 by the model, h4 by distance, 2 in 7 at random.
    assert deployed.loc["rules+model", "hits"] == 3
    assert deployed.loc["rules+rules", "hits"] == 2
    assert deployed.loc["rules+random", "hits"] == pytest.approx(2 + 2 / 7)
    assert deployed.loc["rules+model", "delta_recall"] == pytest.approx(0.25)


def test_rules_that_flag_more_than_the_budget_are_cut_by_their_own_ranking():
    found = ev.compare(_hand(), {"visits": 2}, replicates=50)
    row = found.primary.iloc[0]
    # h8 and h0 stay, h1 is cut; the model's two are h0 and h2.
    assert (row["hits_baseline"], row["hits_model"], row["cut"]) == (1, 2, 1)
    deployed = found.deployed[found.deployed["scope"] == POOLED].set_index("list")
    # Deployed, only flagged households are on it, the model merely orders them: h0 and h1.
    assert deployed.loc["rules+model", "hits"] == 2
    assert deployed.loc["rules+random", "hits"] == pytest.approx(2 * 2 / 3)
    assert "cut" in [note.code for note in found.notes]
    assert any("more than the visits" in note.text("en") for note in found.notes)


def test_a_deployed_list_holds_whom_the_rules_flag_before_the_model_s_own():
    found = ev.compare(_hand(), {"visits": 3}, replicates=50)
    # The model alone finds three events with three visits (h0, h2, h3). No office may leave out whom a rule
    # flags: deployed, the three visits go to h0, h1 and h8, two events, exactly what the rules find.
    assert found.primary.iloc[0]["hits_model"] == 3
    deployed = found.deployed[found.deployed["scope"] == POOLED].set_index("list")
    assert deployed.loc["rules+model", "hits"] == deployed.loc["rules+rules", "hits"] == 2
    assert deployed.loc["rules+model", "delta_recall"] == 0


def test_a_household_of_unknown_size_counts_as_one_person():
    # h2 holds five persons; of unknown size it is one like the others: three events of four against two.
    frame = _hand()
    frame["persons"] = frame["persons"].astype(float).where(frame["household_id"] != "h2")
    row = ev.compare(frame, {"visits": 4}, replicates=20).primary.iloc[0]
    assert row["delta_recall_persons"] == row["delta_recall"] == pytest.approx(0.25)


def test_visits_are_topped_up_and_cut_date_by_date():
    # Two visits a date: at the first the rules flag three, at the second only h8. One is left over at the
    # first, one visit is filled from below at the second; visits do not move between dates, so neither is 0.
    later = _hand().assign(as_of="2021-09-30")
    later["flagged"] = later["household_id"] == "h8"
    row = ev.compare(pd.concat([_hand(), later]), {"visits": 2}, replicates=20).primary.iloc[0]
    assert (row["flagged"], row["topped_up"], row["cut"]) == (4, 1, 1)


def test_missing_ranks_come_last_within_the_flagged():
    frame = _hand()
    frame.loc[frame["household_id"] == "h8", "rule_rank"] = np.nan
    # h8 is flagged with unknown income: it still comes before every household that is not flagged.
    row = ev.compare(frame, {"visits": 2}, replicates=20).primary.iloc[0]
    assert row["hits_baseline"] == 2
    row = ev.compare(frame, {"visits": 4}, replicates=20).primary.iloc[0]
    assert row["hits_baseline"] == 2


def test_a_better_model_a_better_rule_and_no_difference_are_told_apart(make_predictions):
    good, bad = 0.3, 6.0
    won = ev.compare(make_predictions(noise={"rule": bad, "logit": good}), {"share": 0.05}, replicates=300)
    lost = ev.compare(make_predictions(noise={"rule": good, "logit": bad}), {"share": 0.05}, replicates=300)
    level = ev.compare(make_predictions(noise={"rule": 1.0, "logit": 1.0}), {"share": 0.05}, replicates=300)
    assert won.primary["verdict"].tolist() == ["model"]
    assert lost.primary["verdict"].tolist() == ["baseline"]
    assert level.primary["verdict"].tolist() == ["none"]
    assert stated(won)["verdict_en"][0].endswith("penalised logit is better.")
    assert stated(won)["verdict_zh"][0].endswith("惩罚逻辑回归更好。")
    assert stated(lost)["verdict_en"][0].endswith("the rule list is better.")
    assert stated(lost)["verdict_zh"][0].endswith("规则更好。")
    assert stated(level)["verdict_zh"][0].endswith("未显示差别。")
    # The sentence carries the figures of its own row.
    row = stated(won).iloc[0]
    for name in ("hits_baseline", "hits_model", "both", "baseline_only", "model_only", "neither"):
        assert f" {row[name]}" in row["verdict_en"]
    assert f"{100 * row['delta_low']:+.1f} to {100 * row['delta_high']:+.1f}" in row["verdict_en"]


def test_identical_orderings_show_no_difference(predictions):
    frame = predictions[predictions["model"] != "boosting"].copy()
    twin = frame["model"] == "logit"
    frame.loc[twin, "score"] = -frame.loc[twin, "rule_rank"].astype(float)
    row = ev.compare(frame, {"share": 0.2}, replicates=100).primary.iloc[0]
    assert (row["delta_recall"], row["delta_low"], row["delta_high"]) == (0, 0, 0)
    assert (row["verdict"], row["p_bootstrap"], row["mcnemar_p"], row["overlap"]) == ("none", 1, 1, 1)
    # Nor where it was declared beforehand and its interval alone decides: [0, 0] touches zero.
    declared = ev.compare(frame, {"share": 0.2}, replicates=100, primary="logit").primary.iloc[0]
    assert (declared["declared"], declared["verdict"]) == (True, "none")
    # Nor where p by sign flips is small and the interval, made otherwise, still touches zero.
    assert decide(declared.to_dict() | {"p_holm": 0.03}, 0.95) == "none"


def test_paired_interval_is_that_of_the_difference_on_the_same_villages(predictions):
    found = ev.compare(predictions, {"share": 0.05}, replicates=200, seed=1).primary.set_index("model")
    pooled = ev.pooled_metrics(predictions, {"share": 0.05}, replicates=200, seed=1).set_index("model")
    for model in ("logit", "boosting"):
        row = found.loc[model]
        # The rule's list here is its score's list, so both modules must agree on both recalls.
        assert row["recall_model"] == pytest.approx(pooled.loc[model, "recall_at_budget"])
        assert row["recall_baseline"] == pytest.approx(pooled.loc["rule", "recall_at_budget"])
        assert row["auc_model"] == pytest.approx(pooled.loc[model, "auc"])
        # Pairing takes out what villages do to both lists: narrower than two separate intervals.
        apart = sum(
            pooled.loc[m, "recall_at_budget_high"] - pooled.loc[m, "recall_at_budget_low"]
            for m in (model, "rule")
        )
        assert 0 < row["delta_high"] - row["delta_low"] < apart


def test_folds_stand_beside_the_pool_and_add_up(predictions):
    table = ev.compare(predictions, {"share": 0.05}, replicates=50).table
    budget = table[table["at"] == "budget"]
    for name in (
        "visits",
        "n",
        "n_events",
        "n_null",
        "both",
        "baseline_only",
        "model_only",
        "neither",
        "flagged",
    ):
        by_fold = budget[budget["scope"] != POOLED].groupby("model", sort=False)[name].sum()
        assert by_fold.tolist() == budget[budget["scope"] == POOLED][name].tolist()
    assert (
        table["both"] + table["baseline_only"] + table["model_only"] + table["neither"] == table["n_events"]
    ).all()
    for end in ("baseline", "model"):
        assert (table[f"hits_{end}_worst"] <= table[f"hits_{end}"]).all()
        assert (table[f"hits_{end}"] <= table[f"hits_{end}_best"]).all()
    tested = (table["scope"] == POOLED) & (table["at"] == "budget")
    assert (table.loc[tested, "p_holm"] >= table.loc[tested, "p_bootstrap"]).all()


def test_only_the_pooled_rows_at_the_declared_visits_are_tested(predictions):
    table = ev.compare(predictions, {"share": 0.05}, primary="logit", replicates=50).table
    tested = (table["scope"] == POOLED) & (table["at"] == "budget")
    assert (table["tested"] == tested).all()
    # One test was declared, and it stands once; folds and other numbers of visits have intervals only.
    assert table.loc[table["declared"], ["scope", "at", "model"]].to_numpy().tolist() == [
        [POOLED, "budget", "logit"]
    ]
    others = table[~tested]
    p = ["p_bootstrap", "p_error", "p_holm", "mcnemar_p", "delong_z", "delong_p"]
    assert others[p].isna().all(axis=None)
    assert others["delta_low"].notna().all()
    assert set(others["verdict"]) == {""}
    assert "described, not tested" in stated_all(table)


def stated_all(table):
    """Return the sentences of rows that were not tested."""
    rows = table[~table["tested"]]
    found = ev.Comparison(rows, rows, []).verdicts({"zh": "返贫的户次", "en": "returns"})
    assert not any("p = " in message.text(lang) for message in found for lang in ("zh", "en"))
    return " ".join(message.text("en") for message in found)


def test_models_of_other_runs_on_the_same_test_set_are_in_the_family(predictions):
    alone = ev.compare(predictions, {"share": 0.05}, primary="logit", replicates=50).primary
    beside = ev.compare(
        predictions, {"share": 0.05}, primary="logit", other_tests=[1e-4, 0.5, float("nan")], replicates=50
    ).primary
    a, b = (found.set_index("model").loc["boosting"] for found in (alone, beside))
    assert (a["holm_tests"], b["holm_tests"]) == (1, 3)
    assert b["p_holm"] == pytest.approx(ev.holm([b["p_bootstrap"], 1e-4, 0.5])[0])
    # The declared test is one, whatever else was compared.
    assert beside.set_index("model").loc["logit", ["p_holm", "holm_tests"]].tolist() == [
        alone.set_index("model").loc["logit", "p_bootstrap"], 1,
    ]  # fmt: skip


def test_few_villages_are_tested_by_sign_flips_and_under_eight_there_is_no_test(make_predictions):
    noise = {"rule": 2.0, "logit": 0.3}
    twelve = ev.compare(make_predictions(noise=noise, villages=12), {"share": 0.1}, replicates=200)
    row = twelve.primary.iloc[0]
    assert (row["method"], row["n_villages"], row["p_error"]) == ("sign_flip", 12, 0.0)
    assert row["delta_low"] <= row["delta_recall"] <= row["delta_high"]
    assert row["p_bootstrap"] * 2**12 == pytest.approx(round(row["p_bootstrap"] * 2**12))
    seven = ev.compare(make_predictions(noise=noise, villages=7), {"share": 0.1}, replicates=200)
    row = seven.primary.iloc[0]
    assert (row["method"], row["verdict"]) == ("too_few", "none")
    assert row[["delta_low", "delta_high", "p_bootstrap"]].isna().all()
    assert "nothing is tested" in " ".join(note.text("en") for note in seven.notes)


def test_a_list_that_is_mostly_not_flagged_is_not_called_the_rules(predictions):
    frame = predictions[predictions["model"] != "boosting"].copy()
    frame["flagged"] = frame["rule_rank"] <= 20
    found = ev.compare(frame, {"share": 0.05}, replicates=20)
    said = stated(found)
    assert "distance to the line" in said["verdict_en"][0]
    assert "the rule list" not in said["verdict_en"][0]
    assert "距线远近" in said["verdict_zh"][0]
    assert "it is called that" in " ".join(note.text("en") for note in found.notes)


def test_the_declared_model_is_decided_by_its_interval_and_the_others_after_holm(make_predictions):
    noise = {"rule": 1.0, "logit": 0.8} | {f"m{k}": 0.8 + 0.02 * k for k in range(5)}
    found = make_predictions(seed=4, households=800, dates=2, noise=noise)
    plain = ev.compare(found, {"share": 0.05}, replicates=200).primary.set_index("model")
    compared = ev.compare(found, {"share": 0.05}, primary="logit", replicates=200)
    judged = stated(compared).set_index("model")
    others = judged.drop(index="logit")
    assert judged["declared"].tolist() == [True] + [False] * 5
    # One test that was fixed beforehand is not corrected; the five others are, among themselves.
    assert judged.loc["logit", "p_holm"] == judged.loc["logit", "p_bootstrap"]
    assert others["p_holm"].to_numpy() == pytest.approx(ev.holm(others["p_bootstrap"]))
    assert plain["p_holm"].to_numpy() == pytest.approx(ev.holm(plain["p_bootstrap"]))
    assert judged.loc["logit", "verdict"] == ("model" if judged.loc["logit", "delta_low"] > 0 else "none")
    for _, row in others.iterrows():
        assert (row["verdict"] == "none") == (row["p_holm"] >= 0.05)
        assert f"p = {row['p_holm']:.3f} (Holm over 5 tests)" in row["verdict_en"]
        assert f"p = {row['p_holm']:.3f}（Holm 校正，共 5 个检验）" in row["verdict_zh"]
    # An interval off zero that Holm does not let pass: the very case in which the two used to disagree.
    apart = (others["delta_low"] > 0) & (others["p_holm"] >= 0.05)
    assert apart.any()
    assert (others.loc[apart, "verdict"] == "none").all()
    assert "declared beforehand" in judged.loc["logit", "verdict_en"]
    assert "事先声明" in judged.loc["logit", "verdict_zh"]
    with pytest.raises(InputRefused, match="primary 'nobody' is not compared"):
        ev.compare(found, {"share": 0.05}, primary="nobody", replicates=2)


def test_another_baseline_can_be_named(make_predictions):
    noise = {"past_income": 0.3, "logit": 4.0, "rule": 1.0}
    found = ev.compare(make_predictions(noise=noise), {"share": 0.1}, baseline="past_income", replicates=200)
    assert found.primary["model"].tolist() == ["logit"]
    # The simple method wins here, and the sentence says so.
    assert stated(found)["verdict_en"][0].endswith("past income alone is better.")
    assert stated(found)["verdict_zh"][0].endswith("仅往期收入更好。")


def test_rows_some_model_did_not_score_are_left_out_and_counted(predictions):
    frame = predictions.drop(
        predictions[(predictions["model"] == "boosting") & (predictions["fold"] == 0)].index[:30]
    )
    found = ev.compare(frame, {"share": 0.05}, replicates=20)
    note = next(note.text("en") for note in found.notes if note.code == "not scored")
    left = int(note.split()[0])
    whole = ev.compare(predictions, {"share": 0.05}, replicates=20).primary["n"][0]
    assert found.primary["n"][0] == whole - left
    assert 25 <= left <= 30


def test_notes_name_nulls_few_villages_and_a_leak(predictions):
    frame = predictions[predictions["model"] != "boosting"].copy()
    frame["village"] = frame["village"].str[:3]
    leaky = frame["model"] == "logit"
    frame.loc[leaky, "score"] += 9.0 * frame.loc[leaky, "y"].fillna(0).astype(float)
    notes = ev.compare(frame, {"share": 0.05}, replicates=20).notes
    said = " ".join(note.text("en") for note in notes)
    assert "without a label" in said
    assert "the test flips the signs of the villages' differences" in said
    assert "suspect a leak" in said
    assert "their own ranking" in said


def test_without_the_rule_as_a_model_the_ranking_alone_is_enough(predictions):
    frame = predictions[predictions["model"] != "rule"]
    alone = ev.compare(frame, {"share": 0.05}, replicates=20).primary
    beside = ev.compare(predictions, {"share": 0.05}, replicates=20).primary
    assert alone["hits_baseline"].tolist() == beside["hits_baseline"].tolist()
    assert alone["auc_baseline"].tolist() == pytest.approx(beside["auc_baseline"].tolist(), abs=0.02)


def test_what_cannot_be_compared_is_refused(predictions):
    with pytest.raises(InputRefused, match="flagged"):
        ev.compare(predictions.drop(columns="flagged"), {"share": 0.1})
    with pytest.raises(
        InputRefused, match="no baseline 'x' in the predictions; known: rule, logit, boosting"
    ):
        ev.compare(predictions, {"share": 0.1}, baseline="x")
    with pytest.raises(InputRefused, match="hold the baseline only"):
        ev.compare(predictions[predictions["model"] == "rule"], {"share": 0.1})
    other = predictions.copy()
    logit = other.index[other["model"] == "logit"][5]
    other.loc[logit, "flagged"] = ~other.loc[logit, "flagged"]
    with pytest.raises(InputRefused, match="models disagree on y or flagged for h00005"):
        ev.compare(other, {"share": 0.1})
    half = predictions["household_id"] < "h00600"
    apart = predictions[half == (predictions["model"] == "logit")]
    with pytest.raises(InputRefused, match="no household was scored by all models"):
        ev.compare(apart, {"share": 0.1})


def _holds_zero(seed, make_predictions, replicates):
    # Rule and model carry noise of one size: neither is better, the true difference is 0.
    frame = make_predictions(seed, 600, 2, 40, {"rule": 1.0, "logit": 1.0})
    return ev.compare(frame, {"share": 0.1}, replicates=replicates, seed=seed).primary["verdict"][0] == "none"


def test_equal_lists_are_seldom_called_different(make_predictions):
    # Binomial(25, 0.95) is below 20 with probability 0.1 %.
    assert sum(_holds_zero(seed, make_predictions, 200) for seed in range(25)) >= 20


@pytest.mark.slow
def test_type_one_error_of_the_primary_test(make_predictions):
    # 200 counties: binomial sd 1.5 %; nominal 5 %.
    error = 1 - np.mean([_holds_zero(1000 + seed, make_predictions, 300) for seed in range(200)])
    assert 0.01 <= error <= 0.095
