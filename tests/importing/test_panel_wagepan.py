"""The wagepan import against the panel's own figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riskmodel.data import County, read_county
from riskmodel.errors import UsageError
from riskmodel.households import known_county
from riskmodel.importing import IMPORTERS, import_panel
from riskmodel.importing.panel_files import read_package_data

SCHOOL_FROM = 6


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    source = IMPORTERS["wagepan"].data
    assert source is not None
    return read_package_data(source).rows


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> County:
    out = tmp_path_factory.mktemp("wagepan")
    import_panel("wagepan", out)
    return read_county(out)


def test_it_is_the_published_panel(panel: pd.DataFrame, county: County) -> None:
    # Vella and Verbeek (1998): 545 men in each of 8 years.
    assert panel.groupby("year")["nr"].nunique().tolist() == [545] * 8
    assert len(county.frame("households")) == 545
    assert len(county.frame("income")) == 545 * 8
    assert len(county.rejected) == 0


def test_income_is_the_years_total_and_the_two_before_it(panel: pd.DataFrame, county: County) -> None:
    t = known_county(county, "1984-12-31").accounts().to_pandas()
    assert set(t["income_basis"]) == {"total"}
    found = t.set_index("household_id")
    for year, column in {1984: "pcni", 1983: "previous_pcni", 1982: "before_previous_pcni"}.items():
        of_year = panel[panel["year"] == year]
        own = of_year.set_index(of_year["nr"].astype(str))["lwage"]
        # Amounts are kept to four decimals.
        np.testing.assert_allclose(found[column].astype(float), np.exp(own)[found.index], atol=5.1e-5)


def test_a_year_is_known_from_its_last_day_and_not_before(county: County) -> None:
    day_before = known_county(county, "1984-12-30").accounts().to_pandas()
    # 1983 * 12 + 11 is December 1983.
    assert set(day_before["period_to"]) == {1983 * 12 + 11}


def test_age_follows_from_schooling_and_experience(panel: pd.DataFrame, county: County) -> None:
    # Experience is age − schooling − 6 throughout the panel, so all eight years must agree on the birth.
    born = panel["year"] - panel["exper"] - panel["educ"] - SCHOOL_FROM
    assert (born.groupby(panel["nr"]).nunique() == 1).all()
    members = county.frame("members").set_index("household_id")["birth_month"]
    assert (members // 12).to_dict() == born.groupby(panel["nr"].astype(str)).first().to_dict()


def test_it_takes_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it comes with a package"):
        import_panel("wagepan", tmp_path, tmp_path / "x.csv")


def test_race_is_not_brought_in(county: County) -> None:
    assert not {"black", "hisp"} & set(county.frame("indicators")["item"])
