"""What an office would hand over comes back as it was, but for the amounts that nobody can read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel import importing, simulate
from riskmodel.errors import UsageError


@pytest.fixture(scope="module")
def county() -> simulate.SimulatedCounty:
    return simulate.simulate_county(households=20, months=24, seed=1, truth_at=())


def test_amounts_come_back_and_the_unreadable_are_unknown(
    county: simulate.SimulatedCounty, tmp_path: Path
) -> None:
    made = simulate.office_files(county, tmp_path, seed=1, monthly_years=1, unreadable_per_mille=20)
    result = importing.import_files([tmp_path])
    assert not result.blocking
    tables = result.assembled.tables
    unknown = {tuple(u[k] for k in made.unreadable.columns) for u in result.as_dict()["unknown"]}
    assert set(made.unreadable.itertuples(index=False, name=None)) <= unknown

    for table, item in (("income", "source"), ("spending", "category")):
        read = tables[table].dropna(subset="month")
        key = ["household_id", "month", item]
        read = read.assign(amount=read["amount"].astype(float)).set_index(key)["amount"]
        own = county.frames[table].astype({item: str, "month": str, "household_id": str})
        own = own[own["month"].str[:4] == "2018"].groupby(key)["amount"].sum()
        both = pd.concat([read, own], axis=1, keys=["read", "own"]).dropna(subset="read")
        assert len(both) > 50
        assert (both["read"] == both["own"].fillna(0)).all()  # 0 is written out where there is none

    # Nobody is lost, and births before 1950 are dates like others.
    current = county.frames["members"]["member_id"].nunique()
    assert 0 <= current - len(tables["members"]) <= 2  # known only after the last day


def test_one_seed_gives_the_same_cells(county: simulate.SimulatedCounty, tmp_path: Path) -> None:
    first, second = (simulate.office_files(county, tmp_path / n, seed=3, form="csv") for n in ("a", "b"))
    assert [p.read_bytes() for p in first.files if p.suffix == ".csv"] == [
        p.read_bytes() for p in second.files if p.suffix == ".csv"
    ]


def test_numbers_below_zero_are_refused(county: simulate.SimulatedCounty, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="monthly_years"):
        simulate.office_files(county, tmp_path, monthly_years=-1)
