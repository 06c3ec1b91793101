"""What is exported in the national system's layout is read back by the importer of that layout."""

from __future__ import annotations

import pytest

from riskmodel.data import read_county
from riskmodel.data.frames import from_frames
from riskmodel.data.schema import About
from riskmodel.forms import write_forms
from riskmodel.importing import import_files, read_map, write_import

from .conftest import records_of
from .small_county import small_frames


@pytest.mark.slow
def test_an_export_is_read_back_as_it_was(tmp_path):
    county = from_frames(
        small_frames(), About(coverage="whole", records_from="2019-01", data_through="2021-05-31")
    )
    data = records_of(county=county, as_of="2020-12-31")
    (one,) = write_forms(data, tmp_path / "out", ["national-export"])
    assert {p.name for p in one.files} == {"户信息_20201231.xlsx", "监测对象信息_20201231.xlsx"}
    result = import_files([tmp_path / "out" / "national-export"], read_map("national"))
    assert not result.blocking
    write_import(result, tmp_path / "back")
    back = read_county(tmp_path / "back")
    for table, columns in {
        "households": ["household_id", "township", "village", "registration", "housing_safe", "water_safe"],
        "members": ["household_id", "member_id", "birth_month", "sex", "relation", "schooling", "health",
                    "work_capacity", "insured"],
    }.items():  # fmt: skip
        was = data.known.rows(table).to_pandas()[columns].astype(str)
        now = back.frame(table)[columns].astype(str)
        assert sorted(map(tuple, now.to_numpy())) == sorted(map(tuple, was.to_numpy()))
    money = back.frame("income")
    wages = money[money["source"] == "wage"].set_index("household_id")["amount"].astype(float)
    assert wages.to_dict() == {h: home["income_wage"] for h, home in data.homes.items()}
    register = back.frame("monitoring")
    watched = {h: data.of("monitoring", h)[-1] for h in data.watched}
    causes = {str(r["household_id"]): str(r["causes"]) for r in register.to_dict("records")}
    assert causes == {h: str(row["causes"]) for h, row in watched.items()}
