"""Counties are found in three forms; a lake's partitions are decoded, and none is lost by its name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import duckdb
import pandas as pd
import pytest

from riskmodel.data import read_county, write_county
from riskmodel.errors import InputMissing, InputRefused
from riskmodel.province import find_counties


def frames(county: str) -> dict[str, pd.DataFrame]:
    """The least that a county needs: one household of one person with a year's income."""
    months = [f"2020-{m:02}" for m in range(1, 13)]
    return {
        "households": pd.DataFrame(
            {
                "household_id": [f"{county}-1"], "township": ["东乡"], "village": ["上村"],
                "registration": ["general"], "valid_from": ["2018-01-01"], "recorded_on": ["2018-01-01"],
            }
        ),
        "members": pd.DataFrame(
            {
                "member_id": ["m1"], "household_id": [f"{county}-1"], "sex": ["male"],
                "birth_month": ["1980-01"], "valid_from": ["2018-01-01"], "recorded_on": ["2018-01-01"],
            }
        ),
        "income": pd.DataFrame(
            {"household_id": f"{county}-1", "month": months, "source": "wage", "amount": 1000.0}
        ),
    }  # fmt: skip


NAMES = ("东山县", "西川县")
FIRST, SECOND = (f"counties/{name}" for name in NAMES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        write_county(frames(name), tmp_path / "counties" / name)
    return tmp_path / "counties"


def rows(source) -> dict[str, list]:
    with source.opened() as data:
        county = read_county(data)
    return {name: county.frame(name)["household_id"].tolist() for name in ("households", "members", "income")}


def test_a_folder_of_counties(folder: Path) -> None:
    found = find_counties(folder)
    assert [source.name for source in found] == list(NAMES)
    assert found[0].digest != found[1].digest
    assert rows(found[0])["households"] == ["东山县-1"]


@pytest.mark.parametrize("kind", ["yaml", "csv"])
def test_a_list_of_counties(folder: Path, kind: str) -> None:
    listed = folder.parent / f"counties.{kind}"
    if kind == "csv":
        listed.write_text(f"county,data,visits\n甲,{FIRST},7\n乙,{SECOND},\n", encoding="utf-8-sig")
    else:
        listed.write_text(
            f"counties:\n- {{county: 甲, data: {FIRST}, visits: 7}}\n- {{county: 乙, data: {SECOND}}}\n",
            encoding="utf-8",
        )
    found = {source.name: source for source in find_counties(listed)}
    assert {name: source.visits for name, source in found.items()} == {"甲": 7, "乙": None}
    assert found["甲"].data == folder / "东山县"


def test_a_list_says_what_is_wrong_with_it(folder: Path) -> None:
    listed = folder.parent / "counties.yaml"
    listed.write_text("counties:\n- {county: 甲, folder: counties/东山县}\n", encoding="utf-8")
    with pytest.raises(InputRefused, match="no such key"):
        find_counties(listed)
    with pytest.raises(InputRefused, match=r"\.yaml or \.csv"):
        find_counties(write(folder.parent / "counties.txt"))
    with pytest.raises(InputMissing):
        find_counties(folder / "nowhere")
    with pytest.raises(InputRefused, match="one county's folder"):
        find_counties(folder_of_files(folder.parent / "one"))


def write(path: Path) -> Path:
    path.write_text("甲\n", encoding="utf-8")
    return path


def folder_of_files(path: Path) -> Path:
    path.mkdir()
    (path / "households.xlsx").write_bytes(b"")
    return path


@pytest.mark.parametrize("encode", [str, quote])
def test_a_lake_with_a_partition_a_county(tmp_path: Path, encode) -> None:
    for name in NAMES:
        write_county(frames(name), tmp_path / f"county={encode(name)}")
    found = find_counties(tmp_path)
    assert [source.name for source in found] == list(NAMES)
    assert [rows(source)["income"] for source in found] == [[f"{name}-1"] * 12 for name in NAMES]
    with found[0].opened() as data:
        # The partition's name is no column of the table.
        assert not [note for note in read_county(data).notes if "county" in note]


def lake_by_table(root: Path, *, without: tuple[str, str] | None = None) -> Path:
    """As DuckDB writes it: a folder a table, a partition a county, its name percent-encoded."""
    root.mkdir()
    for table in ("households", "members", "income"):
        parts = [frames(n)[table].assign(county=n) for n in NAMES if (n, table) != without]
        whole = pd.concat(parts)  # noqa: F841 - DuckDB reads it by its name
        target = root / table
        duckdb.sql(f"COPY whole TO '{target}' (FORMAT parquet, PARTITION_BY (county))")
    return root


def test_a_lake_with_a_folder_a_table_as_duckdb_writes_it(tmp_path: Path) -> None:
    root = lake_by_table(tmp_path / "lake")
    partitions = sorted(p.name for p in (root / "income").iterdir())
    # The trap: no partition is called by the county's plain name, a look-up by it finds nothing.
    assert not set(partitions) & {f"county={name}" for name in NAMES}
    found = find_counties(root)
    assert [source.name for source in found] == list(NAMES)
    assert [rows(source)["income"] for source in found] == [[f"{name}-1"] * 12 for name in NAMES]
    before = [source.digest for source in found]
    assert before == [source.digest for source in find_counties(root)]
    extra = root / "income" / partitions[0] / "more.parquet"
    frames("x")["income"].head(1).to_parquet(extra)
    after = [source.digest for source in find_counties(root)]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_a_table_that_one_county_of_a_lake_lacks_is_told_or_refused(
    tmp_path: Path,
) -> None:
    root = lake_by_table(tmp_path / "lake", without=("西川县", "income"))
    found = find_counties(root)
    assert [source.absent for source in found] == [(), ("income",)]
    assert rows(found[0])["income"]
    with pytest.raises(InputRefused, match="no table income"):
        rows(found[1])


def test_one_county_in_two_places_is_refused(tmp_path: Path) -> None:
    write_county(frames("东山县"), tmp_path / "county=东山县")
    write_county(frames("东山县"), tmp_path / f"county={quote('东山县')}")
    with pytest.raises(InputRefused, match="both county 东山县"):
        find_counties(tmp_path)
    root = lake_by_table(tmp_path / "lake")
    (root / "income" / "county=东山县").mkdir()
    with pytest.raises(InputRefused, match="both county 东山县"):
        find_counties(root)


@pytest.mark.parametrize("name", ["__HIVE_DEFAULT_PARTITION__", "..%2Foutside", ""])
def test_a_partition_without_a_county_or_with_a_path_for_a_name_is_refused(tmp_path: Path, name: str) -> None:
    write_county(frames("x"), tmp_path / f"county={name}")
    with pytest.raises(InputRefused, match=r"without a county|cannot be a folder"):
        find_counties(tmp_path)


def test_a_folder_without_a_county_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no county in it"):
        find_counties(tmp_path)
