"""Many dates in one pass, missing values, neighbours, and the same bytes whatever the order."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About, County
from riskmodel.data.county import county_of_frames
from riskmodel.features import FeatureSet, monthly
from riskmodel.households import build_records
from riskmodel.io import limit_resources

from . import counties

EVERY = features.load_feature_set(Path(__file__).parent / "sets" / "every-aggregate.yaml")
HOUSEHOLD = features.load_feature_set("household-v1")
MONTHS = [counties.month_text(m) for m in range(2019 * 12, 2021 * 12 + 6)]


def only(fs: FeatureSet, *names: str) -> FeatureSet:
    """Return a smaller set: these features and what they stand on."""
    wanted = set(names)
    for f in reversed(fs.features):
        wanted |= {ref for ref in f.of if f.id in wanted and not ref.startswith("accounting.")}
    return fs.model_copy(update={"features": tuple(f for f in fs.features if f.id in wanted)})


def plain(**tables: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return three households of one village with a wage of 1000 each month, one of them on totals."""
    ids = ["a", "b", "c"]
    here = {"township": "t", "village": "v", "registration": "lifted", "valid_from": "2018-01-01"}
    wages = [(h, m, "wage", 1000.0) for h in ids[:2] for m in MONTHS]
    total = {"household_id": "c", "month_from": "2020-01", "month_to": "2020-12", "source": "wage"}
    total |= {"amount": 9000.0, "recorded_on": "2021-01-31"}
    income = pd.DataFrame(wages, columns=["household_id", "month", "source", "amount"])
    return {
        "households": pd.DataFrame([{"household_id": h} | here for h in ids]),
        "members": pd.DataFrame(
            [{"member_id": f"{h}1", "household_id": h, "birth_month": "1980-01", "valid_from": "2018-01-01"}
             for h in ids]
        ),
        "income": pd.concat([income, pd.DataFrame([total])]),
    } | tables  # fmt: skip


def built(county: County, fs: FeatureSet, as_of: str) -> pd.DataFrame:
    return features.build_features(county, fs, as_of).set_index("household_id")


def empty(*columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(columns))


def test_many_dates_in_one_pass_equal_separate_builds() -> None:
    # Rows recorded late belong to some of the dates and not to others.
    county = county_of_frames(counties.frames(3, households=5))
    dates = ["2020-03-31", "2021-06-10"]
    together = features.build_features(county, EVERY, dates)
    apart = pd.concat([features.build_features(county, EVERY, d) for d in dates])
    apart = apart.sort_values(["household_id", "as_of"], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart, check_exact=True)
    assert together[EVERY.names].dtypes.eq("float64").all()


def test_a_county_taken_in_pieces_is_the_same_county(monkeypatch: pytest.MonkeyPatch) -> None:
    # Windows of large tables are made for some of the households at a time.
    county = county_of_frames(counties.frames(3, households=7))
    some = only(EVERY, *(f.id for f in EVERY.features if f.source in ("income", "spending")), "f_growth")
    whole = features.build_features(county, some, ["2020-03-31", "2021-06-30"])
    monkeypatch.setattr(monthly, "HOUSEHOLDS_AT_ONCE", 3)
    in_pieces = features.build_features(county, some, ["2020-03-31", "2021-06-30"])
    pd.testing.assert_frame_equal(whole, in_pieces, check_exact=True)


def test_what_is_on_record_is_made_once_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    # Accounts and windows over months look at the same records; accounts are made only where a feature asks.
    made: list[dt.date] = []
    months_on_record = build_records.months_on_record

    def counted(*args: Any) -> Any:
        made.append(args[4])
        return months_on_record(*args)

    monkeypatch.setattr(build_records, "months_on_record", counted)
    dates, county = ["2020-03-31", "2021-06-10"], county_of_frames(counties.frames(3, households=5))
    whole = features.build_features(county, EVERY, dates)
    assert [str(day) for day in made] == dates
    fresh = county_of_frames(counties.frames(3, households=5))
    heads = [f.id for f in EVERY.features if f.source in ("income", "spending")]
    alone = features.build_features(fresh, only(EVERY, *heads), dates)
    assert [str(day) for day in made] == 2 * dates
    assert not [key for key in fresh.cached if isinstance(key, tuple) and key[0] == "accounts"]
    pd.testing.assert_frame_equal(alone, whole[alone.columns], check_exact=True)


def test_no_household_known_gives_no_row() -> None:
    none = features.build_features(county_of_frames(plain()), only(EVERY, "pcni", "old"), "2017-12-31")
    assert none.empty
    assert {"household_id", "as_of", "township", "village", "pcni", "old"} <= set(none.columns)


def large(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return a county large enough for the engine to work in parallel (row groups of 122,880)."""
    n, months = 3000, 30
    ids = np.array([f"h{i:04d}" for i in range(n)])
    household = {"township": "t", "registration": "lifted", "valid_from": "2018-01-01"}
    hh = pd.DataFrame({"household_id": ids, "village": rng.integers(0, 40, n).astype(str)}).assign(
        **household
    )
    members = pd.DataFrame({"member_id": ids, "household_id": ids, "birth_month": "1980-01"})
    parts = []
    for source in ("wage", "business"):
        who = np.repeat(ids, months)
        ordinal = np.tile(np.arange(2019 * 12, 2019 * 12 + months), n)
        amount = np.round(rng.gamma(2, 400, n * months), 2)
        parts.append(
            pd.DataFrame({"household_id": who, "month": ordinal, "source": source, "amount": amount})
        )
    income = pd.concat(parts)
    late = rng.random(len(income)) < 0.1
    income["recorded_on"] = pd.Series(np.where(late, "2021-02-15", None), index=income.index)
    return {"households": hh, "members": members.assign(valid_from="2018-01-01"), "income": income}


def test_bytes_do_not_depend_on_row_order_or_threads() -> None:
    # Amounts are summed as decimals: a sum of floats would differ in its last digits from order to order.
    rng = np.random.default_rng(5)
    frames = large(rng)
    names = [f.id for f in EVERY.features if f.source == "income"]
    some = only(EVERY, *names, "pcni", "near_pcni_village", "near_pcni_township", "f_relative", "f_growth")
    found = []
    for threads in (1, 2):
        mixed = {k: f.sample(frac=1, random_state=threads) for k, f in frames.items()}
        limit_resources(threads=threads)
        try:
            county = county_of_frames(mixed)
            assert county.con.raw_sql("SELECT current_setting('threads')").fetchall() == [(threads,)]
            found.append(features.build_features(county, some, ["2020-12-31", "2021-06-30"]))
        finally:
            limit_resources()
    assert len(found[0]) == 6000
    assert found[0][some.names].notna().mean().mean() > 0.5
    assert found[0][some.names].to_numpy().tobytes() == found[1][some.names].to_numpy().tobytes()
    pd.testing.assert_frame_equal(found[0], found[1], check_exact=True)


def test_absent_table_is_missing_and_empty_table_is_zero() -> None:
    asked = (
        "out_rigid_sum_3", "ev_any_count_12", "ev_any_loss_24", "reg_identified", "sup_active",
        "asset_kinds", "visit_confirmed", "out_kinds",
    )  # fmt: skip
    some = only(EVERY, *asked)
    absent = built(county_of_frames(plain()), some, "2021-06-30")
    assert absent[list(asked)].isna().all(axis=None)
    tables = {
        "spending": empty("household_id", "month", "category", "amount"),
        "risk_events": empty("household_id", "date", "cause", "loss"),
        "monitoring": empty("household_id", "date", "event"),
        "support": empty("household_id", "date", "measure", "amount", "end_date"),
        "visits": empty("household_id", "date", "outcome"),
        "assets": empty("household_id", "kind", "valid_from", "valid_to", "authorised_on"),
    }
    present = built(county_of_frames(plain(**tables)), some, "2021-06-30")
    # Household c is on annual totals, so its months of spending stay unknown.
    assert (present.loc[["a", "b"], list(asked)] == 0).all(axis=None)
    assert present.loc["c", ["ev_any_count_12", "reg_identified", "asset_kinds"]].eq(0).all()


def test_an_office_that_never_recorded_health_has_no_healthy_county() -> None:
    frames = plain()
    some = only(EVERY, "ill", "old", "nobody_works", "away")
    assert (
        built(county_of_frames(frames), some, "2021-06-30")[["ill", "nobody_works", "away"]]
        .isna()
        .all(axis=None)
    )
    frames["members"]["health"] = ["healthy", "chronic", None]
    found = built(county_of_frames(frames), some, "2021-06-30")
    assert found["ill"].fillna(-1).tolist() == [0, 1, -1]
    assert found["old"].tolist() == [0, 0, 0]


def neighbourhood() -> dict[str, pd.DataFrame]:
    frames = plain()
    frames["households"] = frames["households"].assign(village=["v", "v", "w"])
    frames["income"] = (
        frames["income"]
        .dropna(subset="month")
        .assign(amount=lambda t: np.where(t["household_id"] == "a", 1000.0, 2000.0))
    )
    extra = frames["income"][frames["income"]["household_id"] == "b"].assign(household_id="c", amount=500.0)
    frames["income"] = pd.concat([frames["income"], extra])
    return frames


def test_context_leaves_the_household_itself_out() -> None:
    about = About(income_is_net=True)
    some = only(EVERY, "pcni", "near_pcni_village", "near_pcni_township")
    frames = neighbourhood()
    before = built(county_of_frames(frames, about), some, "2021-06-30")
    # a and b live in v, c alone in w; incomes per head are 12, 24 and 6 thousand.
    assert before["near_pcni_village"].fillna(-1).tolist() == [24_000, 12_000, -1]
    assert before["near_pcni_township"].tolist() == [15_000, 9_000, 18_000]
    mine = frames["income"]["household_id"] == "a"
    frames["income"] = frames["income"].assign(amount=frames["income"]["amount"].mask(mine, 9999.0))
    after = built(county_of_frames(frames, about), some, "2021-06-30")
    context = ["near_pcni_village", "near_pcni_township"]
    # Its own income may not come back to it; its neighbours see the change.
    assert after.loc["a", context].tolist() == before.loc["a", context].tolist()
    assert after.loc["b", "near_pcni_village"] == 12 * 9999


def test_villages_of_one_name_in_two_townships_are_two() -> None:
    frames = neighbourhood()
    frames["households"] = frames["households"].assign(village="v", township=["t", "t", "u"])
    found = built(
        county_of_frames(frames, About(income_is_net=True)), only(EVERY, "near_pcni_village"), "2021-06-30"
    )
    assert found["near_pcni_village"].fillna(-1).tolist() == [24_000, 12_000, -1]


def test_the_line_is_the_sets_own_and_can_be_given() -> None:
    county = county_of_frames(neighbourhood(), About(income_is_net=True))
    some = only(HOUSEHOLD, "line_distance", "below_line", "near_line")
    found = built(county, some, "2021-06-30")
    assert found["line_distance"].tolist() == [6_000, 18_000, 0]
    # Exactly at the line is not below it (official rules, "Exactly").
    assert found["below_line"].tolist() == [0, 0, 0]
    assert found["near_line"].tolist() == [0, 0, 1]
    assert built(county, some.with_line(12_500), "2021-06-30")["below_line"].tolist() == [1, 0, 1]


def test_the_household_set_builds_as_declared() -> None:
    found = features.build_features(
        county_of_frames(counties.frames(2, households=4)), HOUSEHOLD, "2021-06-30"
    )
    assert list(found.columns) == ["household_id", "as_of", "township", "village", *HOUSEHOLD.names]
    assert not np.isinf(found[HOUSEHOLD.names].to_numpy()).any()
    assert found["household_id"].is_monotonic_increasing
