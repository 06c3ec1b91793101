"""Nothing recorded after an as-of date may move a feature of that date."""

from __future__ import annotations

import dataclasses
import datetime as dt
from functools import cache
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from riskmodel import features
from riskmodel.data import County, from_frames
from riskmodel.features import FeatureSet
from riskmodel.households import point_in_time

from .. import leaks
from . import counties

EVERY = features.load_feature_set(Path(__file__).parent / "sets" / "every-aggregate.yaml")
HOUSEHOLD = features.load_feature_set("household-v1")


@cache
def county(seed: int) -> County:
    # Row ids on one of the two: corrections take another path through the months.
    return from_frames(counties.frames(seed, households=6, row_ids=bool(seed)))


def moved(fs: FeatureSet, made: County, as_of: str, seed: int) -> None:
    leaks.assert_unmoved(lambda c: features.build_features(c, fs, as_of), made, as_of, seed)


# A county is dear to build: no shrinking, the seeds name the case.
@settings(max_examples=3, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(
    which=st.integers(0, 1),
    as_of=st.dates(dt.date(2020, 2, 1), dt.date(2021, 6, 30)),
    seed=st.integers(0, 10_000),
)
def test_no_feature_moves_with_what_is_recorded_later(which: int, as_of: object, seed: int) -> None:
    moved(EVERY, county(which), str(as_of), seed)


def test_the_household_set_does_not_move_with_what_is_recorded_later() -> None:
    moved(HOUSEHOLD, county(0), "2020-12-31", seed=1)


def test_the_other_future_is_another_one() -> None:
    # Otherwise the tests above would compare a county with itself.
    mine, other = county(0), leaks.another_future(county(0), "2020-06-30", seed=3)
    for name in mine.tables:
        only = {name: mine.tables[name]}, {name: other.tables[name]}
        prints = [point_in_time.fingerprint(dataclasses.replace(mine, con=c.con, tables=t), "2022-06-30")
                  for c, t in zip((mine, other), only, strict=True)]  # fmt: skip
        assert prints[0] != prints[1], name
    few = EVERY.model_copy(update={"features": EVERY.features[:12]})
    now, then = (features.build_features(c, few, "2021-06-30")[few.names] for c in (mine, other))
    assert (now.fillna(-1).to_numpy() != then.fillna(-1).to_numpy()).any(axis=0).mean() > 0.5
