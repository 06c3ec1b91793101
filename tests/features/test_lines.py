"""Features at other lines: made anew from the same records, as a whole build from that line has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import County
from riskmodel.data.county import county_of_frames
from riskmodel.errors import SpecError
from riskmodel.features.aggregates import AGGREGATES
from riskmodel.rules import RelativeLine

from . import counties
from .test_build import only

DAYS = ["2020-12-31", "2021-03-31"]
EVERY = features.load_feature_set(Path(__file__).parent / "sets" / "every-aggregate.yaml")
LEDGER = features.load_feature_set("household-v2")
SETS = {
    # Logs over the line, log ratios, their exponentials on the way to a run rate, and neighbours' means.
    "ledger": only(LEDGER, "pcni_log", "run_rate_1", "costs_log", "village_wage_change_3", "wage_rate"),
    "panel": features.load_feature_set("wagepan-v1"),
    "every": EVERY,
}


@pytest.fixture(scope="module")
def county() -> County:
    return county_of_frames(counties.frames(3))


@pytest.fixture(scope="module", params=SETS)
def built(county: County, request: pytest.FixtureRequest) -> tuple:
    return request.param, *features.build_features_at_lines(county, SETS[request.param], [2.1, 1.5], DAYS)


def test_features_at_another_line_are_those_of_a_whole_build_from_it(county: County, built: tuple) -> None:
    name, frame, at_lines = built
    chosen = SETS[name]
    holding = list(features.line_features(chosen))
    others = [c for c in frame.columns if c not in holding]
    assert list(at_lines) == [2.1, 1.5]
    whole = features.build_features(county, chosen.at_line(1.5), DAYS)
    pd.testing.assert_frame_equal(at_lines[1.5], whole[holding], rtol=1e-12)
    pd.testing.assert_frame_equal(frame[others], whole[others])
    # What was put in place for other lines is the set's own again.
    assert frame[holding].equals(features.build_features(county, chosen, DAYS)[holding])


def test_features_measured_from_a_share_of_the_median_move_with_the_share(county: County) -> None:
    chosen = EVERY.with_line(RelativeLine(relative=0.5))
    _, at_lines = features.build_features_at_lines(county, chosen, [1.5], DAYS)
    whole = features.build_features(county, EVERY.with_line(RelativeLine(relative=0.75)), DAYS)
    pd.testing.assert_frame_equal(at_lines[1.5], whole[list(at_lines[1.5].columns)], rtol=1e-9)


def test_logs_over_the_line_move_by_minus_the_log_of_the_factor_between_their_ends(built: tuple) -> None:
    name, frame, at_lines = built
    if name == "ledger":
        moved = frame["pcni_log"] - at_lines[1.5]["pcni_log"]
        between = frame["pcni_log"].between(np.log(0.05 * 1.5), 4, inclusive="neither")
        assert between.sum() >= 4
        assert moved[between].to_numpy() == pytest.approx(np.log(1.5))


def test_what_holds_the_line_follows_from_the_declaration() -> None:
    chosen = LEDGER
    holding = features.line_features(chosen)
    assert {f.id for f in chosen.features if f.unit == "log_line" and not f.intermediate} <= {
        name for name, move in holding.items() if move == -1
    }
    # The pace of wages has five hundredths of the line added above and below, and neighbours are means of it.
    assert {holding[name] for name in ("wage_change_3", "village_wage_change_3", "income_change")} == {0}
    assert not {"persons", "months_unrecorded", "wage_spread", "labour_share"} & set(holding)


@pytest.mark.parametrize("name", [n for n, a in AGGREGATES.items() if a.derived is not None])
def test_an_aggregate_holds_the_line_exactly_where_it_says_so(name: str) -> None:
    import ibis

    aggregate = AGGREGATES[name]
    values = [ibis.literal(v) for v in (7.0, 3.0)]
    found = {ibis.to_sql(aggregate.derived(values, line)) for line in (5.0, 11.0)}
    assert (len(found) == 2) == (aggregate.line is not None)


def test_features_move_as_declared_when_the_line_rises(built: tuple) -> None:
    name, _, at_lines = built
    moves = features.line_features(SETS[name])
    change = at_lines[2.1] - at_lines[1.5]
    for column, move in moves.items():
        assert move == 0 or (change[column].dropna() * move >= -1e-12).all(), column
    assert {-1, 0} <= set(moves.values())
    assert (change.abs() > 1e-3).any().sum() > len(moves) / 2


def test_a_feature_that_is_the_line_itself_is_refused(county: County) -> None:
    f = next(f for f in EVERY.features if f.source == "accounting" and f.column and not f.where)
    line = f.model_copy(update={"id": "the_line", "column": "line"})
    chosen = EVERY.with_line(RelativeLine(relative=0.5))
    chosen = chosen.model_copy(update={"features": (*chosen.features, line)})
    with pytest.raises(SpecError, match="the_line is the line itself"):
        features.build_features_at_lines(county, chosen, [1.5], DAYS)
