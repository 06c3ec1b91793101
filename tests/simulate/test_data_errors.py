"""Dirt: every slip is in the log, the log is true, and checks can be scored by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel import simulate
from riskmodel.data import check_county
from riskmodel.errors import SpecError, UsageError
from riskmodel.simulate.data_errors import SLIPS, ErrorProfile

LINE, PROMISED, END = 6000.0, 120, pd.Timestamp("2019-12-31")
Spoiled = tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], pd.DataFrame]


def spoil(made: simulate.SimulatedCounty, how: ErrorProfile, seed: int = 1) -> Spoiled:
    tables, log = simulate.inject_errors(
        made.tables, how, np.random.default_rng(seed), line=LINE, promised_days=PROMISED, end=END
    )
    return made.frames, {n: t.to_pandas(date_as_object=False) for n, t in tables.items()}, log


def only(**shares: object) -> ErrorProfile:
    """Dirt of one kind and no other."""
    none = {name: {**simulate.load_error_profile().model_dump()[name], "share": 0.0} for name in SLIPS}
    return ErrorProfile.model_validate({"id": "x", **none, **shares})


@pytest.fixture(scope="module")
def spoiled(small: simulate.SimulatedCounty) -> Spoiled:
    return spoil(small, simulate.load_error_profile())


def test_every_slip_happens_and_no_row_twice(spoiled: Spoiled) -> None:
    _, _, log = spoiled
    assert set(log.slip) == set(SLIPS)
    rows = log.dropna(subset="row")
    assert not rows.duplicated(["table", "row"]).any()


def test_the_log_says_what_stands_in_the_file(spoiled: Spoiled) -> None:
    _, after, log = spoiled
    for name, part in log.dropna(subset="row").groupby("table"):
        there = after[name].iloc[part.row.astype(int) - 1]
        assert (there.household_id.to_numpy() == part.household_id.to_numpy()).all()
        assert (there.month.to_numpy() == part.month.to_numpy()).all()
        assert np.allclose(there.amount.to_numpy(), part.amount_written.to_numpy())
        assert (there.recorded_on.to_numpy() == part.recorded_written.to_numpy()).all()


def test_what_is_not_in_the_log_is_untouched(spoiled: Spoiled) -> None:
    """The log undone gives the clean tables back: nothing was changed in secret."""
    before, after, log = spoiled
    for name, kind in (("income", "source"), ("spending", "category")):
        mine = log[log.table == name]
        rows = after[name].drop(index=mine.row.dropna().astype(int) - 1)
        # Of a corrected row the right version, which is not in the log, stands in the file as well.
        rows = rows[rows.row_id.isna()].drop(columns="row_id")
        columns = ["household_true", "month", "kind", "amount_true", "recorded_true"]
        # Of a row entered twice the second one is logged; the first stands untouched.
        undone = mine[(mine.slip != "duplicate")][columns].set_axis(rows.columns, axis=1)
        both = pd.concat([rows, undone])
        order = ["household_id", "month", kind]
        left = both.sort_values(order, ignore_index=True)
        right = before[name].sort_values(order, ignore_index=True)
        pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_same_seed_same_dirt(small: simulate.SimulatedCounty, spoiled: Spoiled) -> None:
    again = spoil(small, simulate.load_error_profile())
    pd.testing.assert_frame_equal(again[2], spoiled[2])
    assert not spoil(small, simulate.load_error_profile(), seed=2)[2].equals(spoiled[2])


def test_units(small: simulate.SimulatedCounty) -> None:
    for slip, factor in (("times_ten", 10), ("wan", 1e-4), ("annual", 12)):
        _, _, log = spoil(small, only(**{slip: {"share": 0.02}}))
        assert set(log.slip) == {slip}
        assert len(log) > 20
        assert log.amount_written.to_numpy() == pytest.approx(log.amount_true.to_numpy() * factor, abs=1e-4)
        if slip == "annual":
            assert set(log.kind) == {"wage"}


def test_heaping_puts_households_just_below_the_line(small: simulate.SimulatedCounty, accounting) -> None:
    """By an accounting of its own: whoever was heaped stood above the line and now stands just below it."""
    before, after, log = spoil(small, only(heaped={"share": 1.0, "above": 0.3, "below": 0.03}))
    assert len(log) > 5
    checked = 0
    for year, part in log.groupby(log.month.str[:4]):
        was, now = (accounting(t, f"{year}-12-31", "2100-01-01") for t in (before, after))
        for household in part.household_id:
            # Whole yuan, and one row may stand for two years only in one of them.
            assert LINE <= was.pcni[household] <= 1.3 * LINE
            assert 0.97 * LINE - 1 <= now.pcni[household] < LINE
            checked += 1
    assert checked == len(log)


def test_missing_months_and_late_ones(small: simulate.SimulatedCounty) -> None:
    _, after, log = spoil(small, only(missing_month={"share": 0.02}))
    gone = set(zip(log.household_id, log.month, strict=True))
    assert len(gone) > 50
    for name in ("income", "spending"):
        assert not gone & set(zip(after[name].household_id, after[name].month, strict=True))
    _, _, log = spoil(small, only(late={"share": 0.02, "mean_days": 30}))
    wait = (log.recorded_written - (pd.to_datetime(log.month) + pd.offsets.MonthEnd(0))).dt.days
    assert wait.min() > PROMISED
    # What would be recorded after the data end is not there yet, and is logged without a row.
    assert (log.row.isna() == (log.recorded_written > END)).all()


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """A dirty county of five years through `county.check`, scored by its log."""
    out = tmp_path_factory.mktemp("dirty")
    asked = simulate.simulation_spec(households=300, months=60, seed=3, futures=0)
    *_, log = simulate.write_simulated_blocks(asked, out / "data", simulate.load_error_profile())
    summary, _ = check_county(out / "data", out / "check")
    assert not summary["refused"]
    given = [pd.read_csv(p) for p in (log, out / "check/rejected.csv", out / "check/suspects.csv")]
    table = simulate.detection_rates(*given).set_index("slip")
    table.attrs["clean"] = summary["tables"]["income"]["read"]
    return table


def test_the_check_finds_what_can_be_found(scored: pd.DataFrame) -> None:
    """Duplicates are equal rows and all found; lateness stands in the dates; factors of ten stand out.

    Of the unit slips those in rows with too few other years to compare with stay unseen.
    """
    assert scored.loc["duplicate", "share"] == 1.0
    assert scored.loc["late", "share"] > 0.9
    assert scored.loc["missing_month", "share"] > 0.8
    assert scored.loc["wan", "share"] > 0.9
    # A quarter of the rows are bills, where ten times the usual is not sought: three in four of 50 ± 3 · 6 %.
    assert scored.loc["times_ten", "share"] > 0.7
    # Twelve times one month, in a season of few wages, may be less than six times the usual one.
    assert scored.loc["annual", "share"] > 0.3


def test_the_check_cannot_find_what_looks_right(scored: pd.DataFrame) -> None:
    # An amount a little lower and a first entry that was put right look like any other.
    assert scored.loc["corrected", "share"] < 0.2
    assert "later row holds" in scored.loc["corrected", "why"]
    # A heap is seen by `riskmodel.households.bunching` alone, which this check was not given.
    assert scored.loc["heaped", "found"] == 0 if "heaped" in scored.index else True


def test_false_alarms_are_counted(scored: pd.DataFrame) -> None:
    false = scored.loc["(false alarms)"]
    # A neighbour's swapped row may equal one's own to the last yuan: then the right one goes as its double.
    assert false["rejected"] <= 3
    # Under one row in a hundred is doubted without reason: bad months that are true.
    assert 0 < false["suspected"] < 0.01 * scored.attrs["clean"]


def test_found_by_hand() -> None:
    log = pd.DataFrame(
        {
            "slip": ["wan", "wan", "duplicate", "missing_month"],
            "table": "income",
            "row": [1, 2, 3, np.nan],
            "household_id": ["a", "b", "c", "d"],
            "household_true": ["a", "b", "c", "d"],
            "month": "2020-01",
            "kind": "wage",
        }
    )
    rejected = pd.DataFrame({"file": ["income.parquet", "income.parquet"], "row": [3, 9]})
    suspects = pd.DataFrame(
        {
            "table": "income",
            "household_id": ["a", "z", "d"],
            "month": "2020-01",
            "kind": ["wage", "wage", None],
        }
    )
    more = log.iloc[:1].assign(slip="heaped", row=4, household_id="h", household_true="h", month="2020-07")
    heaped = pd.DataFrame({"household_id": ["h", "h", "t"], "year": [2020, 2019, 2020]})
    table = simulate.detection_rates(pd.concat([log, more]), rejected, suspects, heaped).set_index("slip")
    # Of the three household-years listed in a heap one was put there: the others stand where they should.
    assert table.loc["heaped", "share"] == 1.0
    assert table.loc["(in a heap, as true as written)", "found"] == 2
    assert table.share[["wan", "duplicate", "missing_month"]].tolist() == [0.5, 1.0, 1.0]
    assert table.loc["(false alarms)", ["rejected", "suspected", "found"]].tolist() == [1, 1, 2]


@pytest.mark.parametrize("name", ["nowhere", "missing.yaml"])
def test_unknown_dirt_lists_the_known(name: str) -> None:
    with pytest.raises(UsageError, match=r"(known|packaged ids): default"):
        simulate.load_error_profile(name)


def test_wrong_dirt_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dirt.yaml"
    path.write_text("id: x\nlate: {share: 2, mean_days: 1}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="share"):
        simulate.load_error_profile(path)
