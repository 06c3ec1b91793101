"""What a simulated county is made of: the contract's tables and files, the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from riskmodel import simulate
from riskmodel.data import read_county
from riskmodel.data.schema import contract
from riskmodel.errors import UsageError
from riskmodel.simulate import assembly

ARGUMENTS = {"households": 90, "months": 24, "futures": 20, "truth_at": ["2017-12-31"]}


def test_every_column_and_code_stands_in_the_contract(small: simulate.SimulatedCounty) -> None:
    tables = contract().tables
    assert set(small.frames) <= set(tables)
    for name, frame in small.frames.items():
        assert len(frame), name
        columns = tables[name].columns
        known = {*columns, "recorded_on"}
        assert set(frame.columns) <= known, name
        required = {c for c, spec in columns.items() if spec.required}
        assert required <= set(frame.columns), name
        for column in required:
            assert frame[column].notna().all(), (name, column)
        for column, spec in columns.items():
            if spec.codes and column in frame:
                assert set(frame[column].dropna()) <= set(spec.codes), (name, column)


def test_amounts_are_whole_and_positive(small: simulate.SimulatedCounty) -> None:
    # Zero is written as no row: a household without wages that month has none, not a wage of nothing.
    for name in ("income", "spending"):
        assert (small.frames[name].amount > 0).all()


def test_same_seed_same_tables_and_truth() -> None:
    one, two = (simulate.simulate_county(seed=5, **ARGUMENTS) for _ in range(2))
    for name, table in one.tables.items():
        assert table.equals(two.tables[name]), name
    pd.testing.assert_frame_equal(one.truth, two.truth)


def test_another_seed_another_county() -> None:
    one, two = (simulate.simulate_county(seed=s, **ARGUMENTS) for s in (5, 6))
    assert not one.tables["income"].equals(two.tables["income"])
    assert not one.truth.probability.equals(two.truth.probability)


def test_history_does_not_depend_on_the_truth_asked_for() -> None:
    # Futures draw from streams of their own: asking for more truth must not change what happened.
    one = simulate.simulate_county(seed=5, **ARGUMENTS)
    none = simulate.simulate_county(seed=5, **{**ARGUMENTS, "truth_at": ()})
    for name, table in one.tables.items():
        assert table.equals(none.tables[name]), name
    assert none.truth.empty
    assert list(none.truth.columns) == list(one.truth.columns)


def test_truth_has_one_row_a_household_date_and_event(small: simulate.SimulatedCounty) -> None:
    t = small.truth
    # A row a household that is still there; some have moved away or died out in the three years and a half.
    sure = t[t.event != "confirmed"]
    assert 270 * 2 <= len(sure) <= 300 * 2
    assert (sure.groupby("household_id").event.nunique() == 2).all()
    assert not t.duplicated(["household_id", "as_of", "event"]).any()
    assert set(t.event) == {"below_line", "identified", "confirmed"}
    assert t.probability.between(0, 1).all()
    assert (t.mc_error > 0).all()
    assert set(t.outcome.dropna()) == {0, 1}


def test_outcome_is_null_while_the_window_is_open() -> None:
    made = simulate.simulate_county(seed=5, **{**ARGUMENTS, "truth_at": ["2018-06-30"]})
    assert made.truth.outcome.isna().all()
    assert made.truth.probability.gt(0).any()


def test_several_horizons_and_a_sample_of_households() -> None:
    made = simulate.simulate_county(
        seed=5, **{**ARGUMENTS, "truth_at": ["2017-12-31", "2018-03-31"]}, horizon=[3, 6], truth_sample=20
    )
    t = made.truth[made.truth.event == "below_line"]
    assert t.household_id.nunique() in {19, 20}
    assert t.groupby("as_of").horizon_months.unique().map(sorted).tolist() == [[3, 6], [3, 6]]
    assert made.about["simulated"]["horizon_months"] == [3, 6]
    # The sample is drawn once: the same households at every date and horizon.
    assert (t.groupby("household_id").size() == 4).mean() > 0.9


def test_about_promises_what_the_records_keep(small: simulate.SimulatedCounty) -> None:
    assert str(small.about["data_through"]) == "2019-12-31"
    assert small.about["recording_delay_days"] == 120


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"months": 23}, "months=23: must be at least 24"),
        ({"households": 0}, "households=0"),
        ({"horizon": 0}, "horizon=0"),
        ({"horizon": [12, 25]}, "horizon=25"),
        ({"truth_sample": 0}, "truth_sample=0"),
        ({"truth_at": ["2018-06-15"]}, "month ends only: 2018-06-15 is none; take 2018-06-30"),
        ({"truth_at": ["2030-12-31"]}, "outside the simulated months"),
        ({"truth_at": ["soon"]}, "'soon' is not a date"),
        ({"start": "2017"}, "'2017' is not a month"),
        ({"profile": "atlantis"}, "known: default"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        simulate.simulate_county(**{**ARGUMENTS, **change})


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made = simulate.simulate_county(households=60, months=24, seed=9, futures=10, truth_at=["2017-12-31"])
        simulate.write_simulated_county(made, tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert "truth.parquet" in files
    assert "about.yaml" in files
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_blocks_written_one_by_one_hold_the_same_rows(tmp_path: Path) -> None:
    arguments = {"households": 90, "months": 24, "seed": 9, "futures": 10, "truth_at": ["2017-12-31"]}
    asked = simulate.simulation_spec(**arguments)
    small = replace(asked, plan=replace(asked.plan, block=40))
    simulate.write_simulated_blocks(small, tmp_path)
    parts = list(assembly.blocks(small))
    # Three blocks of 40, 40 and 10: memory holds one at a time.
    assert len(parts) == 3
    for name in assembly.TABLES:
        file = pq.ParquetFile(tmp_path / f"{name}.parquet")
        assert file.num_row_groups == 3
        assert file.read().equals(pa.concat_tables([tables[name] for tables, _ in parts])), name
    households = pq.read_table(tmp_path / "households.parquet")["household_id"]
    assert len(set(households.to_pylist())) == 90


def test_the_county_reads_its_own_files_without_a_rejected_row(tmp_path: Path, small) -> None:
    simulate.write_simulated_county(small, tmp_path)
    back = read_county(tmp_path)
    assert len(back.rejected) == 0
    assert back.data_through == small.about["data_through"]
    assert back.about.recording_delay_days == 120
    assert back.table("income").count().to_pyarrow().as_py() == len(small.frames["income"])


def test_nothing_is_left_of_a_county_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = simulate.simulation_spec(households=60, months=24, futures=0)

    whole = assembly.blocks

    def breaks(given: assembly.SimulationSpec) -> Iterator[object]:
        yield from whole(given)
        raise OSError("disk full")

    monkeypatch.setattr(assembly, "blocks", breaks)
    with pytest.raises(OSError, match="disk full"):
        simulate.write_simulated_blocks(asked, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_about_is_plain_yaml(tmp_path: Path, small) -> None:
    simulate.write_simulated_county(small, tmp_path)
    about = yaml.safe_load((tmp_path / "about.yaml").read_text(encoding="utf-8"))
    assert about["simulated"]["seed"] == 1
    assert about["simulated"]["format_version"] == 1
