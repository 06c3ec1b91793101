"""What townships and villages are sure of: a number each, a share by households, never against the rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel import scoring
from riskmodel.errors import UsageError
from riskmodel.scoring.visit_plan import Quota, parse_quotas

KEYS = ["township", "village"]


@pytest.mark.parametrize(
    "text", ["county", "village:0", "village:-1", "township:101%", "township:x", "", "v:1"]
)
def test_what_is_no_quota_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"give township or village, alone .*village:2.*township:50%"):
        parse_quotas(text)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.floats(0.01, 1), st.integers(1, 200))
@settings(max_examples=80, deadline=None)
def test_a_share_is_shared_out_whole_and_to_within_one_visit(places, share, visits) -> None:
    codes = pd.factorize(np.array(places), sort=True)[0]
    made = Quota("township", 0, share).targets(codes, visits)
    exact = round(share * visits) * np.bincount(codes) / len(codes)
    # Largest remainders: nothing is lost, and nobody is off by a whole visit.
    assert made.sum() == round(share * visits)
    assert (np.abs(made - exact) < 1).all()


def test_so_many_each_where_there_are_so_many_above_the_floor(make_scores) -> None:
    scores = make_scores(300, flagged=0.02, unknown=0.0, unscored=0.0, seed=5)
    made = scoring.build_worklist(scores, visits=40, quota="village:3", floor=0.25)
    able = scores[scores["flagged"] | (scores["probability"] >= 0.25)].groupby(KEYS).size().clip(upper=3)
    got = made.planned.groupby(KEYS).size().reindex(able.index, fill_value=0)
    assert (able == 3).any()
    assert (got >= able).all()
    # More than a list by probability alone would give these villages.
    plain = scoring.build_worklist(scores, visits=40, floor=0.25).planned.groupby(KEYS).size()
    assert (plain.reindex(able.index, fill_value=0) < able).any()


def test_half_shared_out_by_households_and_one_a_village(make_scores) -> None:
    scores = make_scores(400, flagged=0.0, unknown=0.0, unscored=0.0, seed=6)
    # All the risk is said to be in one township: without quotas it would have every visit.
    here = scores["township"] == scores["township"].iloc[0]
    scores["probability"] = scores["probability"].where(~here, 0.9)
    plain = scoring.build_worklist(scores, visits=60, random_share=0.0)
    assert set(plain.planned["township"]) == {scores["township"].iloc[0]}
    made = scoring.build_worklist(
        scores, visits=60, random_share=0.0, quota=["township:50%", "village"], floor=0.0
    )
    got = made.planned.groupby("township").size()
    share = 30 * scores.groupby("township").size() / len(scores)
    assert (got >= np.floor(share)).all()
    assert len(made.planned.groupby(KEYS)) == len(scores.groupby(KEYS))
    assert len(made.planned) == 60


def test_where_the_flagged_are_too_many_quotas_choose_among_them_and_drop_none(make_scores) -> None:
    scores = make_scores(300, flagged=0.6, unknown=0.0, unscored=0.0, seed=7)
    scores["village"] = [f"v{i % 25:02d}" for i in range(len(scores))]
    scores["township"] = "t"
    flagged = scores[scores["flagged"]]
    # One village is the poorest throughout: by urgency alone it would fill the plan.
    scores["pcni"] = scores["pcni"].where(scores["village"] != "v03", 10.0)
    plain = scoring.build_worklist(scores, visits=30, random_share=0.0)
    made = scoring.build_worklist(scores, visits=30, random_share=0.0, quota="village")
    assert len(set(made.planned["village"])) == flagged["village"].nunique() == 25
    assert len(set(plain.planned["village"])) < 25
    for found in (plain, made):
        assert set(flagged["household_id"]) == set(found.listed["household_id"])
        assert (found.planned["selected_by"] == "rule").all()
    # The list still reads in the order of urgency.
    turn = made.planned["urgency"].eq("new_below").to_numpy()
    assert (np.diff(turn.astype(int)) <= 0).all()


def test_too_little_room_gives_every_place_its_first_before_any_its_second(make_scores) -> None:
    scores = make_scores(200, flagged=0.0, unknown=0.0, unscored=0.0, seed=8)
    made = scoring.build_worklist(scores, visits=14, random_share=0.0, quota="village:2", floor=0.0)
    size = made.planned.groupby(KEYS).size()
    assert len(size) == 12
    assert size.sum() == 14
