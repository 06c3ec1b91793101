"""A county in parts of whole townships says what the whole county says, bit by bit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from riskmodel import features, io
from riskmodel.data import County
from riskmodel.households import KnownCounty, Moment, county_parts, known_county, known_parts

from .random_counties import RandomCounty, as_county, random_county

DAY, LATER = dt.date(2020, 12, 31), dt.date(2021, 9, 30)


@contextmanager
def tiny_parts() -> Iterator[None]:
    """Let no more than one township's records be in memory at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(county_parts, "BYTES_A_HOUSEHOLD", 10**12)
        yield


def accounts(known: KnownCounty) -> pd.DataFrame:
    return known.accounts().to_pandas().sort_values(["as_of", "household_id"], ignore_index=True)


def names(known: KnownCounty) -> int:
    """Count what the county's engine holds."""
    kinds = ("duckdb_tables", "duckdb_views")
    return sum(known.con.con.execute(f"SELECT count(*) FROM {kind}()").fetchall()[0][0] for kind in kinds)


def by_part(known: KnownCounty, feature_set: str) -> pd.DataFrame:
    made = [features.build_features(part, feature_set) for part in known_parts(known)]
    assert len(made) == 3
    return pd.concat(made).sort_values("household_id", ignore_index=True)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("when", ["2021-06-30", ("2020-12-31", "2021-10-15"), Moment(DAY, LATER)], ids=str)
def test_accounts_of_parts_are_those_of_the_whole(seed: int, when: object) -> None:
    # Links lead from one township to another, households move, rows come late, are corrected or taken off.
    whole = known_county(as_county(random_county(seed)), when)
    with tiny_parts():
        known = known_county(as_county(random_county(seed)), when)
        assert known.record_parts is not None
        assert len(known.record_parts) == 3
        assert_frame_equal(accounts(known), accounts(whole), check_exact=True)


@pytest.mark.parametrize(
    "feature_set", [pytest.param("household-v1", marks=pytest.mark.slow), "household-v2"]
)
def test_features_of_parts_are_those_of_the_whole(feature_set: str) -> None:
    whole = known_county(as_county(random_county(3)), LATER)
    with tiny_parts():
        known = known_county(as_county(random_county(3)), LATER)
        parts = by_part(known, feature_set)
        stored = names(known)
        assert_frame_equal(parts, features.build_features(whole, feature_set), check_exact=True)
        for _ in known_parts(known):
            pass
        # What a part stored goes with it.
        assert names(known) == stored


def test_parts_of_a_county_that_does_not_say_until_when_it_has_records() -> None:
    def county() -> County:
        made = random_county(5)
        about = {key: value for key, value in made.about.items() if key != "data_through"}
        kept = {name: rows for name, rows in made.tables.items() if name != "household_links"}
        # Without links and totals the last month is told from the panel of the whole.
        kept |= {
            t: [r for r in kept[t] if r.get("month_from") == r.get("month_to")]
            for t in ("income", "spending")
        }
        return as_county(RandomCounty(kept, about))

    whole, known = known_county(county(), LATER), known_county(county(), LATER)
    with tiny_parts():
        assert_frame_equal(accounts(known), accounts(whole), check_exact=True)


@pytest.mark.slow
def test_parts_made_of_another_day_are_made_again_where_households_have_moved() -> None:
    later, earlier = (known_county(as_county(random_county(3)), day) for day in (LATER, "2019-03-31"))
    with tiny_parts():
        county = as_county(random_county(3))
        for whole in (earlier, later):
            known = known_county(county, whole.moments)
            assert_frame_equal(
                by_part(known, "household-v2"),
                features.build_features(whole, "household-v2"),
                check_exact=True,
            )


def test_the_limit_of_memory_says_how_many_households_a_part_has() -> None:
    try:
        io.limit_resources("1.2GB")
        assert io.memory_limit() == 1_200_000_000
        assert county_parts.households_in_part() == 10_000
        io.limit_resources("1 GiB")
        assert io.memory_limit() == 2**30
    finally:
        io.limit_resources()
    assert io.memory_limit() > 2**28
