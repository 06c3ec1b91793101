"""What must hold of every list: all flagged households on it, N planned, nobody twice, the same each time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import scoring
from riskmodel.data import About, from_frames
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import known_county
from riskmodel.scoring.worklist import household_context

CASES = given(
    n=st.integers(1, 120),
    flagged=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    unknown=st.sampled_from([0.0, 0.2]),
    unscored=st.sampled_from([0.0, 0.3]),
    visits=st.integers(1, 150),
    share=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    seed=st.integers(0, 5),
)


@CASES
@settings(max_examples=150, deadline=None)
def test_invariants(make_scores, n, flagged, unknown, unscored, visits, share, seed) -> None:
    scores = make_scores(n, flagged, unknown, unscored, seed)
    worklist = scoring.build_worklist(scores, visits=visits, random_share=share, seed=seed)
    listed, planned = worklist.listed, worklist.planned
    known = scores[~(scores["rule_category"].eq("unknown") & ~scores["flagged"])]

    # Harm rule: the model orders and adds; whoever a rule flags is on the list, whatever the score.
    assert set(scores.loc[scores["flagged"], "household_id"]) <= set(listed["household_id"])
    assert not listed["household_id"].duplicated().any()
    # Each household is on the list, on the sheet of unknown incomes, or on neither: never on both.
    assert not set(listed["household_id"]) & set(worklist.unknown["household_id"])
    assert set(worklist.unknown["household_id"]) == set(scores["household_id"]) - set(known["household_id"])

    pool = known[~known["flagged"]]
    drawn = (listed["selected_by"] == "random").sum()
    # The lot is drawn from what duties leave.
    assert drawn == min(round(share * visits), len(pool), max(visits - known["flagged"].sum(), 0))
    reachable = (
        known["flagged"].sum()
        + max(drawn, 0)
        + len(
            set(pool.loc[pool["probability"].notna(), "household_id"])
            - set(listed.loc[listed["selected_by"] == "random", "household_id"])
        )
    )
    assert len(planned) == min(visits, reachable)
    # Only a flagged household may be listed without being planned.
    assert (listed.loc[~listed["planned"], "selected_by"] == "rule").all()
    # More listed than planned only when the flagged alone are too many.
    assert len(listed) == len(planned) or (listed["selected_by"] != "model").all()

    chance = planned["chance"]
    assert ((chance > 0) & (chance <= 1)).all()
    assert set(worklist.selection["household_id"]) == set(known["household_id"])
    assert (worklist.selection["chance"] >= 0).all()


@CASES
@settings(max_examples=40, deadline=None)
def test_same_rows_in_any_order_give_the_same_list(
    make_scores, n, flagged, unknown, unscored, visits, share, seed
) -> None:
    scores = make_scores(n, flagged, unknown, unscored, seed)
    one = scoring.build_worklist(scores, visits=visits, random_share=share, seed=seed)
    two = scoring.build_worklist(
        scores.sample(frac=1, random_state=1), visits=visits, random_share=share, seed=seed
    )
    pd.testing.assert_frame_equal(one.listed, two.listed)
    pd.testing.assert_frame_equal(one.unknown, two.unknown)
    pd.testing.assert_frame_equal(one.selection, two.selection)


def test_order_is_duties_then_lot_then_model_and_ties_go_by_id(make_scores) -> None:
    worklist = scoring.build_worklist(make_scores(400, seed=3), visits=120, random_share=0.1)
    planned = worklist.planned
    assert list(dict.fromkeys(planned["selected_by"])) == ["rule", "random", "model"]
    for source, rows in planned.groupby("selected_by"):
        if source == "rule":
            continue  # tests/scoring/test_visit_plan.py
        key = list(zip(-rows["probability"].fillna(-1), rows["household_id"], strict=True))
        assert key == sorted(key)
    assert list(worklist.listed["position"]) == list(range(1, len(worklist.listed) + 1))


@pytest.mark.parametrize("quota", [None, "village"])
def test_planned_households_stand_before_those_that_wait(make_scores, quota) -> None:
    # An office reads the list from the top until its visits are used up. So nobody who waits may stand
    # before anybody who is planned, whatever the source; among each the order is duties, lot, model, and
    # whom the rules flag goes by how far below the line it is. While one of them waits, nobody is drawn.
    worklist = scoring.build_worklist(
        make_scores(200, flagged=0.5, unscored=0.0), visits=60, random_share=0.2, quota=quota
    )
    listed = worklist.listed
    planned = listed["planned"].to_numpy()
    assert (~planned & listed["selected_by"].eq("rule")).sum() > 20
    assert listed["selected_by"].eq("rule").all()
    assert planned.tolist() == sorted(planned, reverse=True)
    assert list(listed["position"]) == list(range(1, len(listed) + 1))
    for _, part in listed.groupby("planned"):
        assert part["pcni"].where(part["pcni"] < part["line"]).dropna().is_monotonic_increasing
        assert (part["pcni"] >= part["line"]).is_monotonic_increasing
    roomy = scoring.build_worklist(make_scores(200, flagged=0.2, unscored=0.0), visits=80, random_share=0.2)
    assert roomy.listed["selected_by"].map({"rule": 0, "random": 1, "model": 2}).is_monotonic_increasing
    assert roomy.listed["selected_by"].eq("random").sum() == 16


def test_the_lot_stands_before_the_model_though_it_drew_some_of_the_most_probable(make_scores) -> None:
    # 60 of some 280 are drawn, so about one in five of those whom the model would have taken first:
    # they stand with the lot all the same, and the model's own keep their order by risk.
    planned = scoring.build_worklist(make_scores(400, seed=3), visits=200, random_share=0.3).planned
    assert planned["selected_by"].map({"rule": 0, "random": 1, "model": 2}).is_monotonic_increasing
    of = planned.groupby("selected_by")["probability"]
    assert of.max()["random"] > of.min()["model"]


def test_who_was_not_met_was_not_seen() -> None:
    # The visit of May found nobody at home: it is the last visit, but what is known of the household is of
    # January, and from there its next visit is counted.
    state = {"household_id": ["h"], "township": "t", "village": "v", "registration": "lifted"}
    frames = {
        "households": pd.DataFrame(state),
        "members": pd.DataFrame({"household_id": ["h"], "member_id": "m", "birth_month": "1980-01"}),
        "income": pd.DataFrame({"household_id": ["h"], "month": "2021-05", "source": "wage", "amount": 900}),
        "visits": pd.DataFrame(
            {
                "household_id": "h",
                "date": ["2021-01-10", "2021-05-10"],
                "outcome": ["not_confirmed", "absent"],
            }
        ),
    }
    row = household_context(
        known_county(from_frames(frames, About(snapshot_on="2019-01-01")), "2021-06-30")
    ).iloc[0]
    assert (row["last_visit"], row["last_outcome"]) == (pd.Timestamp("2021-05-10"), "absent")
    assert row["last_seen"] == pd.Timestamp("2021-01-10")


def test_model_takes_the_most_probable_of_those_not_drawn(make_scores) -> None:
    scores = make_scores(300, unscored=0.0, seed=4)
    worklist = scoring.build_worklist(scores, visits=150, random_share=0.1)
    by_model = worklist.listed[worklist.listed["selected_by"] == "model"]
    left = scores[
        ~scores["household_id"].isin(
            set(worklist.listed["household_id"]) | set(worklist.unknown["household_id"])
        )
    ]
    assert len(by_model) > 0
    assert by_model["probability"].min() >= left["probability"].max()


def test_too_many_flagged_are_all_listed_and_the_best_are_planned(make_scores) -> None:
    worklist = scoring.build_worklist(
        make_scores(200, flagged=0.8, unscored=0.0), visits=50, random_share=0.1
    )
    rule = worklist.listed[worklist.listed["selected_by"] == "rule"]
    assert len(rule) > 100
    assert len(worklist.planned) == 50
    assert rule["planned"].sum() == 50  # the lot is drawn from what duties leave: nothing
    assert worklist.totals["visits_for_lot"] == len(rule) + 16 == 164  # a tenth of 164 is 16
    # Below the line the depth decides, not the score; who is above it comes after.
    assert rule.loc[rule["planned"], "pcni"].max() <= rule.loc[~rule["planned"], "pcni"].min() < 6000


def test_lot_changes_with_seed_and_month_and_not_with_scores(make_scores) -> None:
    scores = make_scores(400, unscored=0.0)

    def drawn(frame: pd.DataFrame, seed: int = 0) -> set[str]:
        worklist = scoring.build_worklist(frame, visits=100, random_share=0.2, seed=seed)
        return set(worklist.listed.loc[worklist.listed["selected_by"] == "random", "household_id"])

    assert drawn(scores) != drawn(scores, seed=1)
    assert drawn(scores) != drawn(scores.assign(as_of=pd.Timestamp("2021-07-31")))
    # A lot that followed the scores would be no random sample.
    assert drawn(scores) == drawn(
        scores.assign(probability=scores["probability"].sample(frac=1, random_state=2).to_numpy())
    )


def test_flagged_is_taken_from_the_rule_set_where_absent(make_scores) -> None:
    scores = make_scores(200)
    named = scoring.build_worklist(scores, visits=60)
    derived = scoring.build_worklist(scores.drop(columns="flagged"), visits=60)
    assert list(named.listed["household_id"]) == list(derived.listed["household_id"])


def test_unjudged_household_that_is_flagged_stays_on_the_list(make_scores) -> None:
    scores = make_scores(50, flagged=1.0)
    scores["pcni"] = np.nan
    assert len(scoring.build_worklist(scores, visits=10).listed) == 50


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.drop(columns="pcni"), "pcni"),
        (lambda s: s.iloc[:0], "no household"),
        (lambda s: pd.concat([s, s.head(1)]), "stands twice"),
        (lambda s: s.assign(probability=1.5), "1.5"),
        (lambda s: s.drop(columns=["flagged", "ruleset"]), "flagged"),
        (lambda s: s.assign(as_of=pd.date_range("2021-01-31", periods=len(s))), "as-of"),
    ],
)
def test_unusable_scores_are_refused_with_the_reason(make_scores, change, says) -> None:
    with pytest.raises(InputRefused, match=says):
        scoring.build_worklist(change(make_scores(20)), visits=5)


@pytest.mark.parametrize(
    "call", [{"visits": 0}, {"visits": 5, "random_share": 1.5}, {"visits": 5, "by": "county"}]
)
def test_calls_that_make_no_sense(make_scores, call) -> None:
    with pytest.raises(UsageError, match=r"visits|random share|by"):
        scoring.build_worklist(make_scores(20), **call)


def test_who_is_below_the_line_already_is_listed_but_not_foreseen(make_scores) -> None:
    scores = make_scores(60, 0.2, 0.0, 0.0, 3)
    inside = ~scores["flagged"]
    worklist = scoring.build_worklist(scores.assign(in_cohort=inside), visits=20)
    same = scoring.build_worklist(scores, visits=20)
    assert set(worklist.listed["household_id"]) == set(same.listed["household_id"])
    assert worklist.totals["expected"] == pytest.approx(scores.loc[inside, "probability"].sum())
    assert worklist.totals["expected_flagged"] == 0.0
    assert worklist.totals["planned_outside"] == (worklist.planned["flagged"]).sum() > 0
    assert worklist.totals["expected"] < same.totals["expected"]
    assert worklist.curve["expected"].iloc[0] == pytest.approx(worklist.totals["expected_planned"])


def test_a_join_says_how_many_met_and_zeros_that_a_spreadsheet_dropped(make_scores) -> None:
    """Scores that went through Excel: held visits, register and card would be lost in silence."""
    scores = make_scores(12, seed=1).assign(household_id=[f"{i:06d}" for i in range(1, 13)])
    ids = list(scores["household_id"])
    frames = {
        "households": pd.DataFrame({"household_id": ids, "township": "东河镇", "village": "上坝村",
                                    "registration": "general", "valid_from": "2019-01-01"}),
        "members": pd.DataFrame({"member_id": [f"m{i}" for i in ids], "household_id": ids,
                                 "birth_month": "1980-01", "valid_from": "2019-01-01"}),
        "income": pd.DataFrame({"household_id": ids, "month": "2021-05", "source": "wage", "amount": 900.0}),
    }  # fmt: skip
    county = from_frames(frames)
    assert scoring.build_worklist(scores, visits=4, county=county).unmet == 0
    damaged = scores.assign(household_id=[str(int(i)) for i in ids])
    with pytest.raises(InputRefused, match=r"^0 of 12 .* leading zeros of 12 \([0-9]+ for 0000[0-9]{2}\)"):
        scoring.build_worklist(damaged, visits=4, county=county)
    with pytest.raises(InputRefused, match="0 of 12 household numbers of the scores are in the data"):
        scoring.build_worklist(make_scores(12, seed=1), visits=4, county=county)
    one = scores.assign(household_id=[*ids[:-1], "unknown"])
    assert scoring.build_worklist(one, visits=4, county=county).unmet == 1


def test_names_say_how_many_met_and_which_zeros_are_gone() -> None:
    names = pd.DataFrame({"household_id": ["000001", "2"], "head_name": ["a", "b"]})
    assert scoring.names_met(names, ["000001", "000003"]) == "names: 1 of the 2 listed households have one"
    told = scoring.names_met(names, ["000001", "000002"])
    assert told.endswith("did a spreadsheet drop the leading zeros of the file (2 for 000002)?")
