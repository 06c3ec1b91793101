"""Panels imported by a map: small files whose every figure can be checked with a pencil."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel.cli.app import app
from riskmodel.data import County, read_county
from riskmodel.errors import InputMissing, InputRefused, SpecError, UsageError
from riskmodel.households import known_county
from riskmodel.households.periods import AccountingPeriod
from riskmodel.importing import IMPORTERS, PanelImport, import_panel_file, read_panel_map
from riskmodel.importing.panel_columns import Formula
from riskmodel.importing.panel_map import PanelMap

# Two persons in three waves; the waves are 1 and 3 years apart, the second person has no income in 2013.
PERSONS = pd.DataFrame(
    {"pid": ["007", "007", "007", "12", "12", "12"], "wave": [1, 2, 3, 1, 2, 3],
     "age": [30, 31, 34, 50, 51, 54], "sex": [1, 1, 1, 2, 2, 2], "pay": [1000, 1100, 1200, 2000, -9, 0],
     "health": [1, 3, -9, 2, 2, 1],
     "w": [1.5, 1.5, 1.5, 2.0, 2.0, 2.0], "psu": [4, 4, 4, 5, 5, 5], "stratum": [1, 1, 1, 2, 2, 2]}
)  # fmt: skip
PLAN: dict[str, Any] = {
    "person": "pid",
    "time": {"wave": "wave", "dates": {1: "2010-12", 2: "2011-12", 3: "2014-12"}},
    "income": {"amount": "pay", "per": "month", "covers": "year"},
    "persons": {"kind": "person", "age": "age", "sex": "sex"},
    "design": {"weight": "w", "psu": "psu", "strata": "stratum"},
    "missing": [-9],
    "indicators": {"ill": {"column": "health", "ones": [3], "zeros": [1, 2]}, "health": "health"},
    "about": {"place": "cluster"},
}


def plan(**changes: Any) -> PanelMap:
    return PanelMap.model_validate(PLAN | changes)


def run(rows: pd.DataFrame, given: PanelMap, folder: Path) -> tuple[County, PanelImport]:
    file = folder / "panel.csv"
    rows.to_csv(file, index=False)
    made = import_panel_file(file, given, folder / "county")
    county = read_county(folder / "county")
    assert len(county.rejected) == 0
    return county, made


def amounts(county: County) -> dict[tuple[str, int], float]:
    income = county.frame("income")
    return {
        (i, m // 12): float(a)
        for i, m, a in zip(income["household_id"], income["month_to"], income["amount"], strict=True)
    }


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> tuple[County, PanelImport]:
    return run(PERSONS, plan(), tmp_path_factory.mktemp("panel"))


def same_files(one: Path, other: Path) -> bool:
    """Say whether two folders hold the same tables."""
    return {p.name: p.read_bytes() for p in one.iterdir()} == {
        p.name: p.read_bytes() for p in other.iterdir()
    }


def test_waves_that_are_unequal_keep_their_dates_and_a_month_s_pay_stands_for_a_year(
    panel: tuple[County, PanelImport],
) -> None:
    county, made = panel
    assert amounts(county) == {
        ("007", 2010): 12_000, ("007", 2011): 13_200, ("007", 2014): 14_400,
        ("12", 2010): 24_000, ("12", 2014): 0,
    }  # fmt: skip
    # A missing code is no income of −108: the year was asked for, and is unknown.
    lost = county.frame("unrecorded")
    assert lost[["household_id", "why"]].values.tolist() == [["12", "no_answer"]]
    assert any("1 observations give no income" in sentence for sentence in made.told)
    assert (made.households, county.about.unit_of, county.about.place) == (2, "person", "cluster")


def test_design_stands_in_the_county(panel: tuple[County, PanelImport]) -> None:
    households = panel[0].frame("households").drop_duplicates("household_id")
    assert households[["household_id", "township", "village", "weight"]].values.tolist() == [
        ["007", "1", "4", 1.5], ["12", "2", "5", 2.0],
    ]  # fmt: skip


def test_codes_of_no_answer_are_no_figures(panel: tuple[County, PanelImport]) -> None:
    t = panel[0].frame("indicators")
    ill = t[t["item"] == "ill"].set_index(["household_id", "date"])["value"]
    assert ill.tolist() == [0, 1, 0, 0, 0]
    assert len(t[t["item"] == "health"]) == 5


def test_stata_and_spss_files_give_their_labels_as_words(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat", reason="the extra survey is not installed")
    rows = PERSONS.assign(region=[1, 1, 1, 2, 2, 2], sex=["m", "m", "m", "f", "f", "f"])
    labels = {"region": {1: "North", 2: "South"}, "health": {1: "good", 2: "fair", 3: "bad"}}
    rows.to_stata(tmp_path / "p.dta", write_index=False, value_labels=labels, version=118)
    pyreadstat.write_sav(rows, str(tmp_path / "p.sav"), variable_value_labels=labels)
    given = plan(
        design={}, place={"region": "region"}, indicators={"ill": {"column": "health", "ones": ["bad"]}},
        persons={"kind": "person", "age": "age", "sex": "sex", "male": ["m"], "female": ["f"]},
    )  # fmt: skip
    for name in ("p.dta", "p.sav"):
        import_panel_file(tmp_path / name, given, tmp_path / name[2:])
    county = read_county(tmp_path / "dta")
    assert sorted(county.frame("households")["township"].unique()) == ["North", "South"]
    assert county.frame("indicators")["value"].tolist() == [0, 1, 0, 0, 0]
    assert county.frame("members")["sex"].tolist() == ["male", "female"]
    assert ("007", 2010) in amounts(county)
    assert same_files(tmp_path / "dta", tmp_path / "sav")


def test_workbooks_and_parquet_are_read_alike(tmp_path: Path) -> None:
    PERSONS.to_excel(tmp_path / "p.xlsx", sheet_name="waves", index=False)
    PERSONS.to_parquet(tmp_path / "p.parquet")
    for name in ("p.xlsx", "p.parquet"):
        import_panel_file(tmp_path / name, plan(), tmp_path / name[2:])
    assert same_files(tmp_path / "xlsx", tmp_path / "parquet")
    with pytest.raises(InputRefused, match=r"no sheet 'wave'; there are: waves; did you mean waves\?"):
        import_panel_file(tmp_path / "p.xlsx", plan(sheet="wave"), tmp_path / "none")


# A couple with two children (5 and 16) earns 210 and 90 a quarter; later the elder child has left.
ROSTER = pd.DataFrame(
    {"hh": [1, 1, 1, 1, 1, 1, 1], "p": [1, 2, 3, 4, 1, 2, 3], "y": [2015] * 4 + [2016] * 3,
     "born": [1970, 1972, 2010, 1999, 1970, 1972, 2010], "hy": [300.0] * 7, "cpi": [1.0] * 4 + [1.5] * 3,
     "ref": [1, 0, 0, 0, 1, 0, 0]}
)  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "first", "second"),
    [
        ("per_head", 300, 400 / 1.5 * 0.75),
        # 4 and 3 persons over 1 + 0.5·2 + 0.3 = 2.3 and 1 + 0.5 + 0.3 = 1.8 equivalent adults.
        ("oecd_modified", 1200 / 2.3, 800 / 1.8),
        ("oecd", 1200 / 2.9, 800 / 2.2),
        ("square_root", 1200 / 2, 800 / 3**0.5),
        ("household", 1200, 800),
    ],
)
def test_income_per_head_is_the_equivalised_one(
    tmp_path: Path, scale: str, first: float, second: float
) -> None:
    given = PanelMap.model_validate(
        {"household": "hh", "person": "p", "time": {"year": "y"}, "money": {"deflator": "cpi"},
         "income": {"amount": "hy", "per": "quarter", "covers": "year"},
         "persons": {"kind": "roster", "born": "born", "is_head": "ref", "scale": scale}}
    )  # fmt: skip
    ROSTER.to_csv(tmp_path / "p.csv", index=False)
    import_panel_file(tmp_path / "p.csv", given, tmp_path / "county")
    # 300 a quarter is 1200 a year; prices of 2016 are half as high again: 800. What stands in the tables is
    # the income of all persons present, of which each has the equivalised one.
    second = 800 / 3 if scale == "per_head" else second
    income = pd.read_parquet(tmp_path / "county" / "income.parquet")
    whole = dict(zip(income["month_to"].astype(str).str[:4], income["amount"].astype(float), strict=True))
    assert [whole["2015"], whole["2016"]] == pytest.approx([4 * first, 3 * second], abs=4e-3)
    if scale != "oecd_modified":
        return  # the accounts know nothing of scales
    county = read_county(tmp_path / "county")
    found = [
        known_county(county, day).accounts(AccountingPeriod()).to_pandas().iloc[0]
        for day in ("2015-12-31", "2016-12-31")
    ]
    assert [f["persons"] for f in found] == [4, 3]
    assert [float(f["pcni"]) for f in found] == pytest.approx([first, second], abs=1e-3)


def test_columns_that_nobody_needs_are_left_out_and_told(tmp_path: Path) -> None:
    given = plan(indicators={"hours": "hours", "health": "health"})
    PERSONS.to_csv(tmp_path / "p.csv", index=False)
    made = import_panel_file(tmp_path / "p.csv", given, tmp_path / "county")
    assert set(pd.read_parquet(tmp_path / "county" / "indicators.parquet")["item"]) == {"health"}
    assert made.told[1].startswith("left out: indicators.hours: 'hours': no column hours")


def test_waves_side_by_side(tmp_path: Path) -> None:
    wide = pd.DataFrame(
        {"a": [5, 6], "sample": [1, 0], "y1": [10.0, 20.0], "y2": [30.0, np.nan], "age": [40, 50]}
    )
    given = PanelMap.model_validate(
        {"person": "_row", "keep": "sample == 1", "time": {"year": "year"},
         "wide": {"by": "year", "columns": {"pay": {2001: "y1", 2005: "y2"}}},
         "income": {"amount": "pay", "covers": "year", "factor": 1000}, "persons": {"kind": "person"}}
    )  # fmt: skip
    county, made = run(wide, given, tmp_path)
    assert amounts(county) == {("0", 2001): 10_000, ("0", 2005): 30_000}
    assert made.told[0] == "2 rows are left out by keep: sample == 1"
    assert "born in 1960 (imputed)" in made.told[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": {"year": "year", "quarter": "q", "month": "m"}}, "one of half_year, quarter and month"),
        ({"income": {"covers": "year"}}, "give amount"),
        ({"income": {"amount": "a", "source": "gift", "covers": "year"}}, "no source 'gift'"),
        ({"persons": {"kind": "count"}}, "kind: count needs size"),
        ({"indicators": {"x": {"column": "a", "ones": [True]}}}, "YAML reads yes and no as true and false"),
        ({"about": {"unit_of": "ant"}}, "unit_of"),
    ],
)
def test_a_map_that_is_not_whole_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    import yaml

    file = tmp_path / "map.yaml"
    file.write_text(yaml.safe_dump(PLAN | changes))
    with pytest.raises(SpecError, match=words):
        read_panel_map(file)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (PERSONS.assign(wave=[1, 2, 9, 1, 2, 3]), "no month for wave 9"),
        (PERSONS.assign(pay="much"), "column pay holds something that is no number in 6 rows"),
        (PERSONS.drop(columns="wave"), "no column wave"),
        (PERSONS.assign(wave=[1, 2, 2, 1, 2, 3]), "row 4: pid, wave: this observation stands twice"),
    ],
)
def test_what_a_panel_cannot_do_without_is_refused(rows: pd.DataFrame, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=words):
        run(rows, plan(), tmp_path)


def test_days_are_read_in_the_declared_form_and_never_guessed(tmp_path: Path) -> None:
    rows = PERSONS.assign(day=["01/02/2010", "05/06/2011", "07/08/2014"] * 2)
    time = {"date": "day", "date_format": "%d/%m/%Y", "recorded_on": "day"}
    county, _ = run(rows, plan(time=time), tmp_path)
    assert sorted(set(county.frame("income")["month_to"] % 12 + 1)) == [2, 6, 8]
    with pytest.raises(InputRefused, match=r"row 2: pid, day must be given \(in 6 rows they are not\)"):
        run(rows, plan(time={"date": "day"}), tmp_path)


def test_formulas_keep_what_is_unknown_unknown() -> None:
    t = pd.DataFrame({"a": [1.0, 0, np.nan], "b": [2.0, np.nan, 0], "x y": [1.0, 2, 3]})

    def value(text: str) -> list[Any]:
        values = Formula(text, list(t), "columns.new").values(t.get, t.get)  # type: ignore[arg-type]
        return [None if v != v else v for v in values]

    assert value("a + b") == [3, None, None]
    assert value("a > 0 and b > 0") == [1, 0, 0]
    assert value("a > 0 or b > 1") == [1, None, None]
    assert value("not a") == [0, 1, None]
    assert value("fill(a, 7) * 2") == [2, 0, 14]
    assert value("where(a == 1, b, 9)") == [2, 9, None]
    assert value('col("x y") in (1, 3)') == [1, 0, 1]
    assert value("sum(a, b)") == [3, 0, 0]
    for text, words in {
        "a.b": "only columns", "open('x')": "no function 'open'", "c + 1": "no column c", "a +": "neither",
    }.items():  # fmt: skip
        with pytest.raises(InputRefused, match=words):
            value(text)


def test_a_missing_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    (tmp_path / "p.sav").write_bytes(b"$FL2")
    with pytest.raises(UsageError, match=r"pip install 'riskmodel\[survey\]'"):
        import_panel_file(tmp_path / "p.sav", plan(), tmp_path / "out")
    with pytest.raises(InputMissing, match="no such file"):
        import_panel_file(tmp_path / "q.sav", plan(), tmp_path / "out")


def test_the_verb_tells_what_it_read(tmp_path: Path) -> None:
    import yaml

    PERSONS.to_csv(tmp_path / "p.csv", index=False)
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(PLAN))
    done = CliRunner().invoke(
        app,
        ["import", "panel", str(tmp_path / "p.csv"), str(tmp_path / "out"), "--map",
         str(tmp_path / "map.yaml"), "--json"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["rows"]["income"] == 5
    assert said["waves"] == {"2010-12": 2, "2011-12": 2, "2014-12": 2}
    assert said["told"] == ["1 observations give no income: unrecorded"]


def test_the_packaged_panels() -> None:
    assert list(IMPORTERS) == ["eph", "wagepan", "psid-men", "teen-poverty"]
    assert all(plan.id == name and plan.about["licence"] for name, plan in IMPORTERS.items())
