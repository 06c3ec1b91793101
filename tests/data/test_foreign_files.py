"""What a foreign file asks for and does not get: other files, extensions, a way out of its folder."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from riskmodel.data import read_county, write_county
from riskmodel.errors import InputRefused
from riskmodel.grids import read_file
from riskmodel.importing import import_files
from riskmodel.io import base_tables, entries_within, open_database, open_engine, parquet_path

from . import exports

SECRET = "what no county may read"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "secret.txt"
    path.parent.mkdir()
    path.write_text(SECRET, encoding="utf-8")
    return path


@pytest.fixture
def planted(tmp_path: Path, secret: Path) -> Path:
    """A county as a database, with views that read a file of the machine."""
    folder = tmp_path / "county"
    folder.mkdir()
    path = folder / "county.duckdb"
    with duckdb.connect(str(path)) as con:
        for name, frame in exports.frames(exports.core()).items():
            con.register("frame_", frame)
            con.execute(f"CREATE TABLE {name} AS SELECT * FROM frame_")
            con.unregister("frame_")
        read = f"SELECT content FROM read_text('{secret}')"
        con.execute(f"CREATE VIEW visits AS SELECT content AS household_id FROM ({read})")
        con.execute(f'CREATE VIEW "notes" AS {read}')
    return path


def test_a_view_of_a_database_is_never_executed(planted: Path, tmp_path: Path) -> None:
    county = read_county(planted)
    assert not county.has("visits")
    assert any("visits (VIEW)" in note for note in county.notes)
    assert SECRET not in county.rejected.to_csv()
    grids, _ = read_file(planted, planted.name)
    assert {"visits", "notes"}.isdisjoint(grid.sheet for grid in grids)
    assert SECRET not in str([grid.rows for grid in grids])


def test_an_engine_reads_the_files_it_was_opened_for_and_no_other(secret: Path, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine [1].parquet", tmp_path / "other.parquet"
    for path in (mine, other):
        pd.DataFrame({"a": [1]}).to_parquet(path)
    con = open_engine([mine])
    assert con.raw_sql(f"SELECT a FROM read_parquet('{parquet_path(mine)}')").fetchall() == [(1,)]
    for reached in (
        f"SELECT * FROM read_parquet('{other}')",
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'new.duckdb'}' AS new",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET autoinstall_known_extensions = true",
    ):
        with pytest.raises(duckdb.Error):
            con.raw_sql(reached)
    assert not (tmp_path / "out.csv").exists()


def test_a_database_opened_by_itself_reaches_nothing_else(planted: Path) -> None:
    with open_database(planted) as con:
        assert ("main", "income") in base_tables(con)
        for view in ("visits", "notes"):
            with pytest.raises(duckdb.Error):
                con.execute(f"SELECT * FROM {view}")


def test_spill_folders_are_a_runs_own_and_go_with_it() -> None:
    one, two = open_engine(), open_engine()
    paths = [con.spill.path for con in (one, two)]
    assert paths[0] != paths[1]
    assert [oct(path.stat().st_mode)[-3:] for path in paths] == ["700", "700"]
    del one, two
    import gc

    gc.collect()
    assert not any(path.exists() for path in paths)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path, secret: Path) -> None:
    folder = tmp_path / "county"
    write_county(exports.frames(exports.core()), folder, "csv")
    (folder / "visits.csv").symlink_to(secret)
    for read in (lambda: read_county(folder), lambda: import_files([folder])):
        with pytest.raises(InputRefused, match=r"visits\.csv: is a link that leads out of the folder"):
            read()
    (folder / "visits.csv").unlink()
    (folder / "again.csv").symlink_to(folder / "income.csv")  # one within it is a file like any other
    assert folder / "again.csv" in entries_within(folder)
