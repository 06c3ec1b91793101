"""Writing: the contract's files, the same bytes, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from riskmodel import simulate
from riskmodel.data import read_county
from riskmodel.simulate import assembly


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
