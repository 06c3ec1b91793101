"""Choosing models by the past, steady lists and recall by visits, counted by hand; a tree of errors."""

import numpy as np
import pandas as pd
import pytest

from riskmodel.evaluation import Budget, choose_models
from riskmodel.evaluation.list_errors import conditions_in_words, describe_errors
from riskmodel.evaluation.model_choice import list_stability, mean_regret, recall_by_visits, selection_regret
from riskmodel.runs import choice_messages

DATES = ("2020-06-30", "2020-12-31", "2021-06-30")
# Who falls at each date, and the order in which each model lists six households; two visits a date.
FALLS = ("ab", "ab", "ac")
ORDERS = {
    "rule": ("cdabef", "cabdef", "cdefab"),  # finds 0, 1, 1 of two
    "past_income": ("acbdef", "cadbef", "acbdef"),  # 1, 1, 2
    "logit": ("abcdef", "cdabef", "abcdef"),  # 2, 0, 1
}
TWO = Budget(visits=2)
SIMPLE = ["rule", "past_income"]


@pytest.fixture(scope="module")
def six():
    rows = []
    for k, day in enumerate(DATES):
        for model, orders in ORDERS.items():
            for household in "abcdef":
                rank = orders[k].index(household)
                rows.append({
                    "household_id": household, "as_of": day, "fold": str(k), "township": "t",
                    "village": household, "persons": 3, "model": model, "score": -float(rank),
                    "probability": 0.1, "y": float(household in FALLS[k]),
                    "flagged": False, "rule_rank": ORDERS["rule"][k].index(household) + 1,
                })  # fmt: skip
    return pd.DataFrame(rows)


def test_each_way_to_choose_is_judged_at_the_later_dates(six):
    made = selection_regret(six, TWO, declared="logit", simple=SIMPLE, horizon_months=6).set_index(
        ["rule", "as_of"]
    )
    second, third = (pd.Timestamp(day) for day in DATES[1:])
    # Best at the first date is the logit, which finds nobody at the second.
    assert made.loc[("last", second), ["chosen", "recall", "regret"]].tolist() == ["logit", 0.0, 0.5]
    # The best simple order of the first date is past income (0.5 against 0).
    assert made.loc[("simple", second), ["chosen", "recall", "regret"]].tolist() == ["past_income", 0.5, 0.0]
    # Rules and past income are level at the second date; the first of the predictions is taken.
    assert made.loc[("last", third), "chosen"] == "rule"
    # Means before the third: rule 0.25, past income 0.5, logit 0.5: among equals the declared model.
    assert made.loc[("mean", third), ["chosen", "recall", "best", "regret"]].tolist() == [
        "logit", 0.5, "past_income", 0.5,
    ]  # fmt: skip
    assert made["outcomes_known"].all()
    means = mean_regret(made.reset_index()).set_index("rule")
    assert means.loc["declared", ["dates", "recall", "regret"]].tolist() == [2, 0.25, 0.5]
    assert means.loc["simple", ["dates", "recall", "regret", "models"]].tolist() == [2, 0.75, 0.0, 1]


def test_outcomes_that_were_not_known_yet_are_not_chosen_by(six):
    made = selection_regret(six, TWO, declared="logit", simple=["rule"], horizon_months=12)
    # A year's outcomes of June 2020 are known in June 2021, those of December 2020 are not.
    known = made[made["rule"] == "last_known"]
    assert known[["as_of", "chosen"]].to_numpy().tolist() == [[pd.Timestamp(DATES[2]), "logit"]]
    assert not made.loc[made["rule"] == "last", "outcomes_known"].any()
    assert made.loc[made["rule"].isin(["declared", "mean_known"]), "outcomes_known"].all()
    said = choice_messages(choose_models(six, TWO, "logit", 12, SIMPLE))[0].text("en")
    assert "could only have taken the declared model" in said
    told = choice_messages(choose_models(six, TWO, "logit", 6, SIMPLE))[0].text("en")
    assert "newest date" in said
    assert "newest date" not in told


def test_one_date_gives_no_choice_and_says_so(six):
    made = choose_models(six[six["as_of"] == DATES[0]], TWO, "logit", 12, SIMPLE)
    assert made.selection.empty
    assert "selection" not in made.tables
    assert "no choice by the past" in choice_messages(made)[0].text("en")
    assert choose_models(six[six["model"] != "rule"], TWO, "logit", 12, SIMPLE) is None


def test_what_a_list_keeps_counts_households_of_both_cohorts_only(six):
    # Household a leaves after the first date: the logit's list then has b of the others, and c, d, next.
    left = six[~((six["household_id"] == "a") & (six["as_of"] > DATES[0]))]
    made = list_stability(left, TWO, ["logit", "rule"])
    first = made[made["model"] == "logit"].iloc[0]
    assert first[["in_both", "listed_from", "listed_to", "both", "kept"]].tolist() == [5, 1, 2, 0, 0.0]
    rules = made[made["model"] == "rule"].iloc[0]
    # c and d, then c and b: one of two is kept, one of three is on both.
    assert rules[["listed_from", "both", "kept", "jaccard"]].tolist() == [2, 1, 0.5, pytest.approx(1 / 3)]


def test_lists_are_drawn_of_households_without_a_label_too(six):
    unknown = six.assign(y=six["y"].where(six["household_id"] != "c"))
    assert list_stability(unknown, TWO, ["rule"]).equals(list_stability(six, TWO, ["rule"]))


def test_recall_by_visits_counts_down_the_rules_order(six):
    first = six[six["as_of"] == DATES[0]]
    made = recall_by_visits(first, TWO, ["logit"]).set_index(["model", "factor"])
    own = made.loc[("logit", 1.0)]
    # The rules list c, d, a, b: the two that the logit finds with two visits take them four.
    assert own[["visits", "recall", "recall_rules", "visits_rules", "more_visits"]].tolist() == [
        2,
        1,
        0,
        4,
        2,
    ]
    assert made.loc[("rule", 2.0), "recall"] == 1
    # No list is longer than the cohort.
    assert made.loc[("logit", 4.0), "visits"] == 6


def _errors(missed_group: int) -> pd.DataFrame:
    """Forty households fell: those with nobody able to work are listed, of the others nobody."""
    group = np.arange(40) < missed_group
    one = pd.DataFrame({
        "household_id": [f"h{i:02d}" for i in range(40)], "fold": "1", "township": "t",
        "village": "v", "persons": 3, "model": "logit", "probability": 0.1, "y": 1.0,
        "score": np.where(group, 0.0, 1.0), "flagged": False, "group_no_labour": np.where(group, "no", "yes"),
    })  # fmt: skip
    return pd.concat([one.assign(as_of=day) for day in DATES], ignore_index=True)


def test_who_is_missed_is_told_in_words_with_counts():
    made = describe_errors(_errors(15), Budget(visits=25), "logit")
    missed = made[made["question"] == "missed"]
    assert missed["conditions"].tolist() == ["group_no_labour≠yes", "group_no_labour=yes"]
    assert missed[["cases", "households", "errors"]].to_numpy().tolist() == [[45, 15, 45], [75, 25, 0]]
    # All who were listed fell: nothing was in vain, and no split is made up.
    assert made.loc[made["question"] == "in_vain", ["conditions", "errors"]].to_numpy().tolist() == [["", 0]]
    said = conditions_in_words("group_no_labour≠yes;line_ratio>1.50;persons≤3;line_ratio≠known;group_x=2")
    assert said["en"] == (
        "not: nobody able to work; income per head above 1.50 times the line; no more than 3 persons; "
        "income not known; x is 2"
    )


def test_nothing_is_shown_of_fewer_than_ten_households():
    # Nine households at three dates are 27 rows, and still nine households.
    made = describe_errors(_errors(9), Budget(visits=31), "logit")
    assert (made["households"] >= 10).all()
    few = _errors(9)
    few = few[few["household_id"] < "h09"]
    assert describe_errors(few, Budget(visits=1), "logit").empty
