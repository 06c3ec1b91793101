"""Under other rules a model says the same, something else or nothing: its label decides which."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from riskmodel.features import load_feature_set
from riskmodel.rules import load_rules, read_overrides
from riskmodel.runs import LoadedModel
from riskmodel.scoring import build_worklist
from riskmodel.scoring.answers import find_answer, is_relative_to_line, model_for

from .conftest import MakeScores

NATIONAL = load_rules("national-2021")
IN_YUAN = load_feature_set("household-v1")
RELATIVE = IN_YUAN.model_copy(
    update={"features": tuple(f for f in load_feature_set("household-v2").features if f.unit != "count")}
)
RELATIVE = RELATIVE.model_copy(
    update={
        "features": tuple(
            f if f.intermediate or f.unit in ("log_line", "log_change", "ratio", "share")
            else f.model_copy(update={"intermediate": True})
            for f in RELATIVE.features
        )
    }
)  # fmt: skip


def model(kind: str = "logit", features: Any = IN_YUAN, ruleset: Any = NATIONAL, **card: Any) -> LoadedModel:
    """A model as its card says it was trained."""
    said = {
        "events": ["below_line"], "params": {},
        "feature_set": features.model_dump(mode="json", by_alias=True),
        "ruleset": ruleset.model_dump(mode="json", by_alias=True), **card,
    }  # fmt: skip
    return LoadedModel("county", "champion", "1", "run", kind, None, said)  # type: ignore[arg-type]


def answer(loaded: LoadedModel, *line: str, ruleset: Any = NATIONAL, param: tuple[str, ...] = ()) -> str:
    known = SimpleNamespace(as_of=dt.date(2022, 6, 30))
    params = read_overrides(ruleset, param, line, base=loaded.card["params"] if ruleset == NATIONAL else {})
    return find_answer(known, loaded, ruleset, params).code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("loaded", "line", "param", "expected"),
    [
        (model(), (), (), "own:"),
        (model(), ("6000",), (), "own:"),
        (model(params={"line": 5500}), ("5500",), (), "own:"),
        # The label asks for the line alone: what else the rules say does not change it.
        (model(), (), ("large_drop=0.3",), "own:"),
        (model(), ("6300",), (), "silent:line"),
        (model(), ("5700",), (), "silent:line"),
        (model(), ("2022=6300",), (), "silent:line"),  # features in yuan are of the old line
        (model(), (), ("period_months=6",), "silent:period"),
        (model(), (), ("line={relative: 0.6}",), "silent:relative"),
        (model(params={"line": {"relative": 0.6}}), ("6000",), (), "silent:relative"),
        # What somebody found or decided followed from all of the rules.
        (model(events=["identified"]), (), ("large_drop=0.3",), "silent:events"),
        (model(events=["newly_flagged"]), ("6300",), (), "silent:events"),
        (model(events=["below_line", "confirmed"]), ("6300",), (), "silent:events"),
        (model(events=["identified"]), (), (), "own:"),
        (model("rule"), (), ("large_drop=0.3",), "silent:rules"),
        # Several lines were asked about in training, this far up and never down.
        (model("boosting_lines", line_factors=[1.1, 1.25]), ("7500",), (), "recomputed:several_lines"),
        (model("boosting_lines", line_factors=[1.1, 1.25]), ("7600",), (), "silent:line"),
        (model("boosting_lines", line_factors=[1.1, 1.25]), ("5900",), (), "silent:line"),
        # Ratios to the line go with it from year to year of one series, not to any other line.
        (model(features=RELATIVE), ("2022=6300",), (), "recomputed:next_of_series"),
        (model(features=RELATIVE), ("2022=5700",), (), "recomputed:next_of_series"),
        (model(features=RELATIVE), ("6300",), (), "silent:line"),
        (model(features=RELATIVE), ("2021=6300",), (), "silent:line"),
    ],
)  # fmt: skip
def test_the_label_decides(loaded: LoadedModel, line: tuple, param: tuple, expected: str) -> None:
    assert answer(loaded, *line, param=param) == expected


def test_another_countys_rules_at_the_same_line_leave_the_label() -> None:
    lueyang = load_rules("lueyang-2021")
    assert answer(model(), ruleset=lueyang) == "own:"
    assert answer(model(), ruleset=load_rules("yingjiang-2022")) == "silent:line"
    assert answer(model(events=["newly_flagged"]), ruleset=lueyang) == "silent:events"


def test_features_relative_to_the_line_are_measured_from_the_other_one() -> None:
    assert is_relative_to_line(RELATIVE)
    assert not is_relative_to_line(IN_YUAN)
    loaded = model(features=RELATIVE)
    known: Any = SimpleNamespace(as_of=dt.date(2022, 6, 30))
    found = find_answer(known, loaded, NATIONAL, read_overrides(NATIONAL, None, ["2022=6300"]))
    assert found.factor == pytest.approx(6300 / 6000)
    assert model_for(loaded, found).feature_set.line == pytest.approx(RELATIVE.line * 1.05)
    assert model_for(loaded, find_answer(known, loaded, NATIONAL, {})) is loaded


def test_a_silent_model_gives_its_places_to_who_is_near_the_line(make_scores: MakeScores) -> None:
    scores = make_scores(80, flagged=0.1, unknown=0.1, unscored=0)
    scores["in_cohort"] = scores["pcni"] >= scores["line"]
    told = scores.assign(answer="silent:line", probability=float("nan"), tier="")
    listed = build_worklist(told, visits=30, random_share=0.1)
    assert set(told.loc[told["flagged"], "household_id"]) <= set(listed.listed["household_id"])
    near = listed.planned[listed.planned["urgency"].eq("distance")]
    assert len(near)
    assert near["in_cohort"].all()
    pool = told[told["in_cohort"] & ~told["flagged"]]
    drawn = listed.planned.loc[listed.planned["selected_by"].eq("random"), "household_id"]
    nearest = pool[~pool["household_id"].isin(drawn)].sort_values(["pcni", "household_id"])
    assert near["household_id"].tolist() == nearest["household_id"].head(len(near)).tolist()
    # Chances are as exact as ever: the lot before, the order after.
    assert listed.selection["chance"].sum() == pytest.approx(len(listed.planned))
    assert listed.totals["expected"] != listed.totals["expected"]
    assert not build_worklist(scores, visits=30).planned["urgency"].eq("distance").any()
