"""Nothing recorded after an as-of date may move a feature of that date."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from riskmodel import features
from riskmodel.data import County
from riskmodel.data.county import county_of_frames
from riskmodel.features import FeatureSet

from .. import leaks
from . import counties

EVERY = features.load_feature_set(Path(__file__).parent / "sets" / "every-aggregate.yaml")
HOUSEHOLD = features.load_feature_set("household-v1")


@cache
def county(seed: int) -> County:
    # Row ids on one of the two: corrections take another path through the months. On that one the office
    # also says what is on record, off it, and which numbers are one household; partly long afterwards.
    frames = counties.frames(seed, households=6, row_ids=bool(seed))
    return county_of_frames(counties.with_links(counties.with_coverage(frames, seed)) if seed else frames)


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


def test_the_set_to_the_last_recorded_month_does_not_move_with_statements_and_links_made_later() -> None:
    # The merge and the split of 2019 and 2020 become known in February and March 2021.
    for name in ("household-lagged-v1", "household-v2"):
        moved(features.load_feature_set(name), county(1), "2021-01-31", seed=2)


def test_the_other_future_is_another_one() -> None:
    # Otherwise the tests above would compare a county with itself.
    mine, other = county(0), leaks.another_future(county(0), "2020-06-30", seed=3)
    for name in mine.tables:
        rows = [sorted(map(repr, c.frame(name).itertuples(index=False))) for c in (mine, other)]
        assert rows[0] != rows[1], name
    few = EVERY.model_copy(update={"features": EVERY.features[:12]})
    tables = [features.build_features(c, few, "2021-06-30").set_index("household_id") for c in (mine, other)]
    both = tables[0].index.intersection(tables[1].index)
    now, then = (t.loc[both, few.names] for t in tables)
    assert (now.fillna(-1).to_numpy() != then.fillna(-1).to_numpy()).any(axis=0).mean() > 0.5
