"""Panels of further kinds, invented one by one: what each means, and what is refused in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from riskmodel import features, targets
from riskmodel.data import County, read_county
from riskmodel.errors import InputRefused, SpecError
from riskmodel.households import known_county
from riskmodel.households.periods import AccountingPeriod
from riskmodel.importing import PanelImport, import_panel_file
from riskmodel.importing.panel_map import PanelMap

# Three persons in 2010 and 2011.
PERSONS = pd.DataFrame({"pid": [1, 1, 2, 2, 3, 3], "year": [2010, 2011] * 3, "age": [30, 31, 40, 41, 50, 51],
                        "pay": [100.0, 110, 200, 210, 300, 310]})  # fmt: skip
PLAN: dict[str, Any] = {
    "person": "pid", "time": {"year": "year"}, "income": {"amount": "pay", "covers": "year"},
    "persons": {"kind": "person", "age": "age"},
}  # fmt: skip
# A household of three that splits: two move out, and both are seen again in 2011.
ROSTER = pd.DataFrame({"hh": ["a", "a", "a", "a", "b", "b"], "pid": [1, 2, 3, 1, 2, 3],
                       "year": [2010] * 3 + [2011] * 3, "age": [40, 38, 12, 41, 39, 13],
                       "inc": [300.0, 300, 300, 150, 180, 180]})  # fmt: skip
OF_ROSTER: dict[str, Any] = {
    "household": "hh", "person": "pid", "time": {"year": "year"},
    "income": {"amount": "inc", "covers": "year"}, "persons": {"kind": "roster", "age": "age"},
}  # fmt: skip
COUNTED = pd.DataFrame({"hh": ["01", "01", "02", "02"], "year": [2010, 2011] * 2, "n": [3, 3, 2, 2],
                        "kids": [1.0, 1, 0, 0], "inc": [300.0, 330, 200, 210]})  # fmt: skip
OF_COUNTED: dict[str, Any] = {
    "household": "hh", "time": {"year": "year"}, "income": {"amount": "inc", "covers": "year"},
    "persons": {"kind": "count", "size": "n", "children": "kids", "scale": "oecd_modified"},
}  # fmt: skip


def run(
    rows: pd.DataFrame, folder: Path, plan: dict[str, Any] = PLAN, **more: Any
) -> tuple[County, PanelImport]:
    rows.to_csv(folder / "p.csv", index=False)
    made = import_panel_file(folder / "p.csv", PanelMap.model_validate(plan | more), folder / "county")
    county = read_county(folder / "county")
    assert len(county.rejected) == 0
    return county, made


def heads(county: County, year: int, what: str = "pcni") -> dict[str, Any]:
    t = known_county(county, f"{year}-12-31").accounts(AccountingPeriod()).to_pandas()
    return {k: None if pd.isna(v) else v for k, v in zip(t["household_id"], t[what], strict=True)}


@pytest.mark.parametrize(
    ("changed", "plan", "said"),
    [
        (PERSONS.assign(pay=[100.0, -9, -8, 210, 300, 310]), {},
         r"row 3: income.amount is -9 \(in 2 rows with -9, -8\): a code of no answer .* missing: \[-9, -8\]"),
        (PERSONS.assign(pay=[100.0, 110, 200, 210, -1500, 310]), {},
         r"row 6: income.amount is -1500 .* only business_net can be a loss"),
        (PERSONS.assign(cpi=[1, 1, 1, np.nan, 1, 0]), {"money": {"deflator": "cpi"}},
         r"row 5: money.deflator \(cpi\) must be above 0 \(in 2 rows"),
        (PERSONS, {"money": {"deflator": {2010: 1}}}, r"no index for 2011-12"),
        (PERSONS.assign(w=[1, 0, 2, -1, 1, 3]), {"design": {"weight": "w"}}, r"row 5: design.weight is -1"),
        (PERSONS.assign(s=[1, 1, None, 2, 2, 2]), {"design": {"strata": "s"}}, r"row 4: design.strata"),
        (PERSONS.assign(year=[10, 11] * 3), {}, r"row 2: year is 10 .* four digits"),
        (pd.concat([PERSONS, PERSONS.tail(1)]), {}, r"row 8: pid, year: this observation stands twice"),
        (PERSONS.assign(pov=[0, 2, 0, 0, 1, 1]), {"income": {"poor": "pov", "covers": "year"}},
         r"row 3: income.poor is 2, neither 1 nor 0"),
        (ROSTER.assign(inc=[300.0, 100, 0, 150, 180, 0]), OF_ROSTER,
         r"the persons of one household have different figures of income .*of: person"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_amount_is_refused_with_its_row(
    changed: pd.DataFrame, plan: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputRefused, match=said):
        run(changed, tmp_path, PLAN if "household" not in plan else {}, **plan)
    assert not (tmp_path / "county").exists()


def test_losses_are_losses_where_the_map_says_so(tmp_path: Path) -> None:
    lost = PERSONS.assign(pay=[100.0, -9, 200, 210, -1500, 310])
    income = {"amount": "pay", "covers": "year", "source": "business_net", "losses": True}
    county, _ = run(lost, tmp_path, income=income)
    assert heads(county, 2010) == {"1": 100, "2": 200, "3": -1500}
    assert heads(county, 2011)["1"] == -9


def test_each_person_s_own_income_is_added_up_and_unknown_where_one_is(tmp_path: Path) -> None:
    own = ROSTER.assign(inc=[300.0, 100, 0, 150, 180, np.nan])
    income = {"amount": "inc", "covers": "year", "of": "person"}
    county, made = run(own, tmp_path, OF_ROSTER, income=income)
    assert heads(county, 2010) == {"a": pytest.approx(400 / 3, abs=0.01)}
    assert heads(county, 2011) == {"a": 150, "b": None}
    assert made.told == ("1 observations give no income: unrecorded",)
    filled = {"amount": "fill(inc, 0)", "covers": "year", "of": "person"}
    (tmp_path / "filled").mkdir()
    assert heads(run(own, tmp_path / "filled", OF_ROSTER, income=filled)[0], 2011)["b"] == 90


def test_who_splits_off_is_a_household_of_its_own_from_then(tmp_path: Path) -> None:
    county, _ = run(ROSTER, tmp_path, OF_ROSTER)
    assert (heads(county, 2010, "persons"), heads(county, 2011, "persons")) == ({"a": 3}, {"a": 1, "b": 2})
    assert heads(county, 2011) == {"a": 150, "b": 90}


def test_children_or_persons_that_are_not_known_make_no_income_of_0(tmp_path: Path) -> None:
    # Was an income of 0: the month was on record and no amount stood in it.
    county, made = run(COUNTED.assign(kids=[1.0, np.nan, 0, 0]), tmp_path, OF_COUNTED)
    assert heads(county, 2010)["01"] == pytest.approx(300 / 1.8, abs=0.01)
    assert heads(county, 2011)["01"] is None
    assert "children (persons.scale)" in made.told[0]
    odd = COUNTED.assign(n=[0.0, 3, 2, 2.5])
    (tmp_path / "odd").mkdir()
    county, made = run(odd, tmp_path / "odd", OF_COUNTED)
    assert heads(county, 2010)["01"] is None
    assert heads(county, 2011)["02"] is None
    assert made.told[0].startswith("2 observations give 0 as the number of persons")


def test_who_is_not_met_is_not_judged_by_the_wave_before(tmp_path: Path) -> None:
    # 2 is not met in 2011; 3 is met and gives no income; both come back.
    rows = pd.concat([PERSONS, PERSONS.assign(year=2012).drop_duplicates("pid")])
    rows = rows[(rows["pid"] != 2) | (rows["year"] != 2011)]
    rows["pay"] = rows["pay"].mask((rows["pid"] == 3) & (rows["year"] == 2011))
    county, made = run(rows, tmp_path)
    assert made.waves == {"2010-12": 3, "2011-12": 2, "2012-12": 3}
    assert heads(county, 2011) == {"1": 110, "2": None, "3": None}
    assert set(heads(county, 2012).values()) == {100, 200, 300}
    assert county.frame("unrecorded")["household_id"].tolist() == ["3"]
    # The next observation is two years on, and the row says so.
    found = targets.build_targets(
        county, ["2010-12-31"], targets.Horizon(months=36, next=True), ("below_line",), "relative-60-yearly"
    )
    assert found.set_index("household_id")["real_horizon_months"].to_dict() == {"1": 12, "2": 24, "3": 24}


def test_unequal_waves_keep_their_real_horizons(tmp_path: Path) -> None:
    waves = [1997, 1999, 2002, 2005]
    rows = pd.DataFrame(
        {"pid": np.repeat([1, 2, 3], 4), "year": waves * 3, "pay": [9.0, 9, 3, 9, 9, 4, 9, 3, 9, 9, 9, 9]}
    )
    county, _ = run(rows, tmp_path, persons={"kind": "person"})
    days, horizon = [f"{year}-12-31" for year in waves[:3]], targets.Horizon(months=36, next=True)
    found = targets.build_targets(county, days, horizon, ("below_line",), "relative-60-yearly")
    first = found[found["household_id"] == "1"]
    assert first["real_horizon_months"].tolist() == [24, 36, 36]
    assert first["label_below_line"].tolist() == [0, 1, 0]


def test_a_highest_amount_that_many_have_is_told(tmp_path: Path) -> None:
    rows = pd.concat([PERSONS.assign(pid=PERSONS["pid"] + 3 * i) for i in range(10)])
    rows["pay"] = rows["pay"].mask(rows["pid"] % 5 == 0, 999_999)
    _, made = run(rows, tmp_path)
    assert made.told == (
        "the highest income.amount, 999999, stands in 12 rows: a top code is kept as the least that it "
        "means; a code of no answer belongs to missing",
    )


def test_strata_and_units_stand_in_the_county_together_with_regions(tmp_path: Path) -> None:
    rows = PERSONS.assign(s=[1, 1, 2, 2, 2, 2], u=[1, 1, 1, 1, 2, 2])
    design = {"strata": "s", "psu": "u"}
    county, _ = run(rows, tmp_path, design=design, place={"region": "s", "words": {1: "North", 2: "South"}})
    homes = county.frame("households").drop_duplicates("household_id")
    assert homes[["township", "village"]].values.tolist() == [
        ["North/1", "1"],
        ["South/2", "1"],
        ["South/2", "2"],
    ]
    assert county.about.strata


def test_missing_values_of_stata_and_spss_are_no_amounts(tmp_path: Path) -> None:
    pyreadstat = pytest.importorskip("pyreadstat", reason="the extra survey is not installed")
    labels = {"edu": {1: "none", 2: "primary", -9: "refused"}}
    coded = PERSONS.assign(edu=[1.0, 2, 1, -9, 2, 1], pay=[100.0, -8, -9, 210, 300, 310])
    ranges = {"pay": [{"lo": -9, "hi": -8}], "edu": [-9]}
    pyreadstat.write_sav(coded, str(tmp_path / "p.sav"), variable_value_labels=labels, missing_ranges=ranges)
    letters = coded.astype({"pay": object, "edu": object})
    letters.loc[[1, 2], "pay"], letters.loc[3, "edu"] = ["a", "z"], "b"
    pyreadstat.write_dta(
        letters, str(tmp_path / "p.dta"), missing_user_values={"pay": ["a", "z"], "edu": ["b"]},
        variable_value_labels={"edu": {1: "none", 2: "primary", "b": "refused"}},
    )  # fmt: skip
    school = {"school": {"column": "edu", "codes": {"none": 0, "primary": 6}}}
    for name in ("p.sav", "p.dta"):
        plan = PanelMap.model_validate(PLAN | {"indicators": school})
        import_panel_file(tmp_path / name, plan, tmp_path / name[2:])
        county = read_county(tmp_path / name[2:])
        assert heads(county, 2010) == {"1": 100, "2": None, "3": 300}
        assert heads(county, 2011) == {"1": None, "2": 210, "3": 310}
        assert county.frame("indicators")["value"].tolist() == [0, 6, 0, 6, 0]


def test_waves_are_named_by_code_or_by_word(tmp_path: Path) -> None:
    rows = PERSONS.assign(wave=[1, 2] * 3)
    rows.to_stata(tmp_path / "p.dta", write_index=False, value_labels={"wave": {1: "Wave A", 2: "Wave B"}})
    for i, dates in enumerate(({1: "2010-12", 2: "2012-12"}, {"Wave A": "2010-12", "Wave B": "2012-12"})):
        plan = PanelMap.model_validate(PLAN | {"time": {"wave": "wave", "dates": dates}})
        import_panel_file(tmp_path / "p.dta", plan, tmp_path / str(i))
        assert heads(read_county(tmp_path / str(i)), 2012) == {"1": 110, "2": 210, "3": 310}


SET = """
format: 1
id: own
version: 1
zh: 一
en: one
line: {value: 1000, source: made by hand}
defaults:
  accounts: {known_on: recorded_on, missing: null_if_none}
  indicators: {known_on: recorded_on, missing: null_if_none}
features:
"""
ROW = "  - {{id: {id}, from: {source}, aggregate: {how}, column: {column}{more}, unit: flag, zh: a, en: a}}\n"


def test_any_name_and_the_spread_of_past_incomes_can_be_a_feature(tmp_path: Path) -> None:
    names = ["self", "lambda", "name", "class", "by", "how", "columns", "none"]
    items = dict.fromkeys(names, "age")
    county, _ = run(PERSONS, tmp_path, indicators=items)
    text = SET + "".join(
        ROW.format(id=f'"{n}"', source="indicators", how="last", column=f'"{n}"', more="") for n in names
    )
    text += ROW.format(id="spread", source="accounts", how="std", column="pcni", more=", window: 60")
    (tmp_path / "set.yaml").write_text(text, encoding="utf-8")
    X = features.build_features(
        known_county(county, "2011-12-31"), features.load_feature_set(tmp_path / "set.yaml")
    )
    X = X.set_index("household_id").sort_index()
    assert X[names].nunique(axis=1).tolist() == [1, 1, 1]
    assert X["self"].astype(float).tolist() == [31, 41, 51]
    assert X["spread"].astype(float).tolist() == pytest.approx([np.std([100, 110], ddof=1)] * 3)


def test_a_window_that_is_too_long_says_what_can_be_done(tmp_path: Path) -> None:
    row = "  - {id: a, from: income, aggregate: sum, over: total, window: 60, known_on: recorded_on, "
    row += "missing: null_if_not_recorded, unit: yuan, zh: 一, en: one}\n"
    (tmp_path / "set.yaml").write_text(SET + row, encoding="utf-8")
    with pytest.raises(SpecError, match=r"at most 36 .*observations, from: accounts .* indicators"):
        features.load_feature_set(tmp_path / "set.yaml")
