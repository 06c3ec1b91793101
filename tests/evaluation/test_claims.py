"""What a list claims: against the rules and against the best simple order, each as a comparison has it."""

import pytest

from riskmodel import evaluation as ev

NOISE = {"rule": 3.0, "past_income": 2.0, "run_rate": 0.3, "logit": 0.3}


@pytest.fixture(scope="module")
def found(make_predictions):
    return make_predictions(noise=NOISE)


def test_each_claim_is_a_comparison_with_what_it_must_beat(found):
    claims = ev.list_claims(found, {"share": 0.05}, "logit", replicates=100, seed=3).set_index("claim")
    assert claims["baseline"].to_dict() == {"sees_more": "rule", "learning": "run_rate"}
    assert claims["candidates"].to_dict() == {"sees_more": 1, "learning": 2}
    for row in claims.to_dict("records"):
        pair = found[found["model"].isin(["logit", row["baseline"]])]
        own = ev.compare(
            pair, {"share": 0.05}, baseline=row["baseline"], replicates=100, seed=3
        ).primary.iloc[0]
        for name in ("delta_recall", "delta_low", "delta_high", "hits_baseline", "hits_model"):
            assert row[name] == own[name]
    # A score that blurs risk as little as the run rate does sees more than the rules; learning does not show.
    assert claims.loc["sees_more", "delta_low"] > 0 > claims.loc["learning", "delta_low"]


def test_claims_are_said_in_both_languages_and_only_what_is_shown(found):
    said = ev.claim_messages(ev.list_claims(found, {"share": 0.05}, "logit", replicates=100))
    assert said[0].text("en").startswith("The model sees more than the rules")
    assert said[1].text("en").startswith("It is not shown that learning helps")
    assert said[0].text("zh").startswith("模型比规则看到更多")
    assert said[1].text("zh").startswith("未显示学习有帮助")


def test_without_a_simple_order_nothing_is_said_of_learning(found):
    rows = found[found["model"].isin(["rule", "logit"])]
    claims = ev.list_claims(rows, {"share": 0.05}, "logit", replicates=20)
    assert claims["claim"].tolist() == ["sees_more"]
    # A simple order is no rival of itself.
    of_itself = ev.list_claims(found, {"share": 0.05}, "run_rate", replicates=20).set_index("claim")
    assert of_itself.loc["learning", "baseline"] == "past_income"
