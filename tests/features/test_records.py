"""Features of observations, on one household seen four times: every figure is reckoned beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import features
from riskmodel.data import About, County, from_frames
from riskmodel.errors import SpecError

DAYS = ["2020-03-31", "2020-06-30", "2021-03-31", "2021-06-30"]
# Two households a day: h earns what stands here, o always 100; the line is 60 % of the median person's.
EARNED = [100.0, 30.0, 0.0, 200.0]
HEAD = """
format: 1
id: seen
version: 1
zh: 观察
en: observations
line: {value: {relative: 0.6, of: median, weight: persons}, source: made by hand}
period_months: 1
defaults:
  accounts: {known_on: recorded_on, missing: null_if_none}
  indicators: {known_on: recorded_on, missing: null_if_none}
  accounting: {known_on: recorded_on, missing: as_accounting}
  features: {known_on: recorded_on, missing: null_if_input_null}
features:
"""


def county() -> County:
    ids = ["h", "o"]
    months = [d[:7] for d in DAYS]
    frames = {
        "households": pd.DataFrame(
            {"household_id": ids, "township": "t", "village": ids, "registration": "general",
             "valid_from": "2020-01-01"}
        ),
        "members": pd.DataFrame(
            {"member_id": ["h1", "o1", "h2"], "household_id": ["h", "o", "h"], "birth_month": "1980-01",
             "valid_from": ["2020-01-01", "2020-01-01", "2021-06-01"]}
        ),
        "income": pd.concat(
            pd.DataFrame({"household_id": i, "month": months, "source": "wage", "amount": amounts})
            for i, amounts in (("h", EARNED), ("o", [100.0] * 4))
        ),
        "indicators": pd.DataFrame(
            {"household_id": "h", "date": [DAYS[0], DAYS[1], DAYS[1], DAYS[2], DAYS[3]], "item":
             ["rooms", "rooms", "aid", "rooms", "aid"], "value": [3.0, 2.0, 10.0, 1.0, 50.0],
             # What was seen in March 2021 came to the office's knowledge in July only.
             "recorded_on": [DAYS[0], DAYS[1], DAYS[1], "2021-07-05", DAYS[3]]}
        ),
    }  # fmt: skip
    return from_frames(frames, About(income_is_net=True))


def built(tmp_path: Path, *entries: str, days: list[str] | None = None) -> pd.DataFrame:
    common = "unit: ratio, zh: 一, en: one"
    path = tmp_path / "seen.yaml"
    path.write_text(HEAD + "".join(f"  - {{{e}, {common}}}\n" for e in entries), encoding="utf-8")
    found = features.build_features(county(), path, days or DAYS)
    return found[found["household_id"] == "h"].reset_index(drop=True)


def test_ratio_to_the_line_of_that_time(tmp_path: Path) -> None:
    # Lines: 60 (median 100), 39 (30 and 100: 65), 30 (0 and 100: 50); June 2021: two persons at 100 each, 60.
    found = built(tmp_path, "id: r, from: accounts, aggregate: last, column: line_ratio")
    np.testing.assert_allclose(found["r"], [100 / 60, 30 / 39, 0, 100 / 60])


def test_values_before_and_the_change_since(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        "id: before, from: accounts, aggregate: last, lag: 1, column: net_income",
        "id: change, from: accounts, aggregate: change, lag: 2, column: net_income",
        "id: since, from: accounts, aggregate: since, lag: 1, column: net_income",
    )
    np.testing.assert_array_equal(found["before"], [np.nan, 100, 30, 0])
    np.testing.assert_array_equal(found["change"], [np.nan, np.nan, -100, 170])
    np.testing.assert_array_equal(found["since"], [np.nan, 3, 9, 3])


def test_window_bounds_what_is_looked_at(tmp_path: Path) -> None:
    # (as_of − 9 months, as_of]: June 2020 lies exactly 9 months before the end of March 2021, so outside.
    found = built(
        tmp_path,
        "id: near, from: accounts, aggregate: count, column: net_income, window: 9",
        "id: all, from: accounts, aggregate: count, column: net_income",
        "id: low, from: accounts, aggregate: min, column: net_income, window: 4",
    )
    assert found["near"].tolist() == [1, 2, 1, 2]
    assert found["all"].tolist() == [1, 2, 3, 4]
    assert found["low"].tolist() == [100, 30, 0, 0]


def test_spread_of_past_incomes(tmp_path: Path) -> None:
    # 100; 100, 30; 100, 30, 0; 100, 30, 0, 200: one value has no spread.
    found = built(
        tmp_path,
        "id: sd, from: accounts, aggregate: std, column: net_income",
        "id: near, from: accounts, aggregate: std, column: net_income, window: 4",
    )
    np.testing.assert_allclose(found["sd"], [np.nan, *(np.std(EARNED[:n], ddof=1) for n in (2, 3, 4))])
    np.testing.assert_allclose(
        found["near"], [np.nan, np.std(EARNED[:2], ddof=1), np.nan, np.std(EARNED[2:], ddof=1)]
    )


def test_ids_may_be_called_like_arguments_of_python(tmp_path: Path) -> None:
    ids = ["self", "by", "having", "metrics", "exprs", "columns", "index", "lambda"]
    sources = [
        "from: accounts, aggregate: last, column: pcni", "from: indicators, aggregate: last, column: rooms",
        "from: accounting, aggregate: value, column: persons", "from: members, aggregate: count",
        "from: features, aggregate: add, of: [self, by]",
        "from: neighbours, aggregate: mean_others, of: self, by: township",
        "from: accounting, aggregate: value, column: pcni", "from: features, aggregate: log, of: having",
    ]  # fmt: skip
    rule = ", known_on: recorded_on, missing: "
    sources[3] += rule + "null_if_unknown"
    sources[5] += rule + "null_if_no_neighbour"
    found = built(tmp_path, *(f"id: {i}, {s}" for i, s in zip(ids, sources, strict=True)))
    assert found["self"].tolist() == [100, 30, 0, 100]
    assert found["by"].tolist() == [3, 2, 2, 2]
    assert found["exprs"].tolist() == [103, 32, 2, 102]
    assert found["columns"].tolist() == [100] * 4
    assert list(found.columns[-len(ids) :]) == ids


def test_a_long_window_is_for_observations(tmp_path: Path) -> None:
    found = built(tmp_path, "id: n, from: accounts, aggregate: count, column: pcni, window: 120")
    assert found["n"].tolist() == [1, 2, 3, 4]


def test_times_below_and_months_since(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        "id: n, from: accounts, aggregate: count, column: below, where: {value: {min: 1}}",
        "id: since, from: accounts, aggregate: since, column: below, where: {value: {min: 1}}",
    )
    assert found["n"].tolist() == [0, 1, 2, 2]
    np.testing.assert_array_equal(found["since"], [np.nan, 0, 0, 3])


def test_no_income_has_a_finite_distance(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        "id: share, from: accounts, aggregate: last, column: line_share",
        "id: log, from: accounts, aggregate: last, column: line_log",
    )
    np.testing.assert_allclose(found["share"], [0.6, 39 / 30, 1000, 0.6])
    np.testing.assert_allclose(found["log"], -np.log(found["share"]))


def test_indicators_are_the_last_known_by_item(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        "id: rooms, from: indicators, aggregate: last, column: rooms",
        "id: aid, from: indicators, aggregate: last, column: aid",
        "id: aid_share, from: indicators, aggregate: last, column: aid, per: income",
        days=[*DAYS, "2021-07-31"],
    )
    # The room count of March 2021 is seen from July on, and then it is the newest one.
    np.testing.assert_array_equal(found["rooms"], [3, 2, 2, 2, 1])
    # An item keeps its own last value, whatever else was recorded since.
    np.testing.assert_array_equal(found["aid"], [np.nan, 10, 10, 50, 50])
    # Per income: 10 of 30; no income leaves the share unknown; a month nobody asked about is not on record,
    # so the accounting period is still that of the month before (contract, "Coverage").
    np.testing.assert_allclose(found["aid_share"], [np.nan, 10 / 30, np.nan, 50 / 200, 50 / 200])


def test_many_as_ofs_in_one_pass_equal_one_at_a_time(tmp_path: Path) -> None:
    entries = (
        "id: a, from: accounts, aggregate: mean, column: line_ratio, window: 12",
        "id: b, from: accounts, aggregate: last, lag: 1, column: persons",
        "id: c, from: indicators, aggregate: last, lag: 1, column: rooms",
    )
    together = built(tmp_path, *entries)
    apart = pd.concat([built(tmp_path, *entries, days=[d]) for d in DAYS], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart)


def test_distance_from_a_line_that_moves(tmp_path: Path) -> None:
    found = built(
        tmp_path,
        "id: pcni, from: accounting, aggregate: value, column: pcni",
        "id: gap, from: features, aggregate: to_line, of: pcni",
        "id: below, from: features, aggregate: below_line, of: pcni",
    )
    np.testing.assert_allclose(found["gap"], [40, -9, -30, 40])
    assert found["below"].tolist() == [0, 1, 1, 0]


def test_an_absent_table_gives_nulls_not_zeros(tmp_path: Path) -> None:
    (tmp_path / "seen.yaml").write_text(
        HEAD
        + "  - {id: rooms, from: indicators, aggregate: last, column: rooms, unit: count, zh: 一, en: one}\n",
        encoding="utf-8",
    )
    full = county()
    bare = County(full.con, {n: t for n, t in full.tables.items() if n != "indicators"}, full.about)
    assert features.build_features(bare, tmp_path / "seen.yaml", DAYS)["rooms"].isna().all()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("id: x, from: accounts, aggregate: last", "column: accounts/last needs it"),
        ("id: x, from: indicators, aggregate: max", "column: indicators needs an item"),
        ("id: x, from: indicators, aggregate: max, lag: 1, column: rooms", "only last, change and since"),
        ("id: x, from: indicators, aggregate: count, column: rooms, where: {rooms: 1}", "takes only"),
        ("id: x, from: accounts, aggregate: sum, column: pcni", "not allowed on accounts"),
        ("id: x, from: accounts, aggregate: last, column: township", "no number of the accounting"),
        ("id: x, from: indicators, aggregate: change, column: rooms", "lag: indicators/change needs it"),
        (
            "id: x, from: income, aggregate: sum, window: 48, known_on: recorded_on, "
            "missing: null_if_no_income",
            "on income at most 36 .* take observations, from: accounts",
        ),
    ],
)
def test_a_wrong_declaration_names_key_and_mend(tmp_path: Path, entry: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        built(tmp_path, entry)
