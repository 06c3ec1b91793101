"""The EPH import on interviews made by hand: every figure below can be checked with a pencil."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from riskmodel import rules, targets
from riskmodel.data import County, read_county
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import known_county, point_in_time
from riskmodel.households.periods import AccountingPeriod
from riskmodel.importing import IMPORTERS, import_panel
from riskmodel.importing.panel_persons import same_household

PLAN = IMPORTERS["eph"]
ONE: dict[str, object] = dict.fromkeys(
    ["V2_M", "V3_M", "V5_M", "V8_M", "V10_M", "V11_M", "V12_M", "TOT_P12"], 0.0
)
ONE |= dict.fromkeys(["unemp", "inf", "nocov", "inactive_ill"], 0)
ONE |= {
    "hid": 1, "ANO4": 2010, "TRIMESTRE": 1, "REGION": 43, "PONDERA": 10, "IX_TOT": 3, "ITF": 900.0,
    "P21": 700.0, "V2_M": 150.0, "ch": 1, "old": 1, "emp": 1, "sal": 1, "selfemp": 0, "head_sex": 2,
    "head_age": 70, "head_educ": 2, "head_status": 1, "V5": 2, "V6": 2, "V11": 2, "V13": 1, "V14": 9,
    "V15": 2, "V16": 2, "V17": 2, "II1": 3, "II2": 99, "II7": 1, "IV1": 1, "IV3": 1, "IV8": 1,
}  # fmt: skip
TWO = {"hid": 2, "IX_TOT": 2, "ch": 0, "old": 0, "PONDERA": 90, "REGION": 1, "head_age": 40, "ITF": 800.0}


def interviews(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([ONE | c for c in changes])


# Dwelling 1: three persons, then two, then (the head's age falls by 40 years) another family of four.
# Dwelling 2: nobody works for a wage; the third interview found no income at all.
PANEL = interviews(
    {},
    {"TRIMESTRE": 2, "IX_TOT": 2, "ch": 0, "head_age": 71, "ITF": 100.0, "P21": 100.0, "V2_M": 0.0},
    {"ANO4": 2011, "TRIMESTRE": 1, "IX_TOT": 4, "ch": 2, "old": 0, "head_age": 31, "ITF": 4000.0},
    TWO | {"sal": 0, "selfemp": 1, "V8_M": 60.0, "V2_M": 0.0},
    TWO | {"TRIMESTRE": 2, "head_age": None},
    TWO | {"ANO4": 2011, "head_age": 41, "ITF": 0.0, "P21": 0.0, "V2_M": 0.0},
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("eph")
    PANEL.to_csv(out / "panel.csv.gz", index=False)
    import_panel("eph", out / "county", out / "panel.csv.gz")
    return out / "county"


@pytest.fixture(scope="module")
def county(folder: Path) -> County:
    return read_county(folder)


def accounts(county: County, day: str) -> pd.DataFrame:
    t = known_county(county, day).accounts(AccountingPeriod(months=1)).to_pandas()
    return t.set_index("household_id").sort_index()


def test_nothing_is_rejected_when_it_is_read_back(county: County) -> None:
    # The import writes the contract's own form: what the reader would reject, it must not write.
    assert len(county.rejected) == 0
    assert county.about.income_is_net
    assert "INDEC" in (county.about.source or "")
    assert county.data_through == point_in_time.to_date("2015-06-30")  # the series' end


def test_the_household_total_is_itf_at_every_interview(county: County) -> None:
    income = county.frame("income").astype({"amount": float})
    found = income.groupby(["household_id", "month_to"])["amount"].sum().to_dict()
    wanted = {
        (str(row.hid), int(row.ANO4) * 12 + 3 * int(row.TRIMESTRE) - 1): float(row.ITF)
        for row in PANEL.itertuples()
    }
    assert found == wanted


def test_sources_follow_who_works_and_the_unnamed_rest_is_a_transfer(county: County) -> None:
    first = accounts(county, "2010-03-31")
    # Dwelling 1: 700 of work, a wage earner; 150 pension and 50 unnamed make 200 of transfers.
    assert first.loc["1", ["income_wage", "income_transfer"]].tolist() == [700, 200]
    # Dwelling 2: nobody works for a wage, so the same 700 are own-account income; 60 are rent.
    assert first.loc["2", ["income_wage", "income_business_net", "income_property"]].tolist() == [0, 700, 60]
    assert first.loc["2", "income_transfer"] == 40


def test_persons_are_those_counted_at_each_interview(county: County) -> None:
    for day, persons in {"2010-03-31": [3, 2], "2010-06-30": [2, 2], "2011-03-31": [4, 2]}.items():
        assert accounts(county, day)["persons"].tolist() == persons
    # Between interviews the last count holds.
    assert accounts(county, "2010-12-31")["persons"].tolist() == [2, 2]


def test_an_interview_without_income_is_a_known_zero(county: County) -> None:
    last = accounts(county, "2011-03-31").loc["2"]
    assert last["pcni"] == 0
    assert last["income_reason"] is None or pd.isna(last["income_reason"])


def test_only_months_of_interviews_are_on_record(county: County) -> None:
    # No interview in December 2010: income is unknown there, neither 0 nor what June said.
    between = accounts(county, "2010-12-31")
    assert between["pcni"].isna().all()
    assert between["income_reason"].tolist() == ["not_yet_recorded"] * 2
    assert accounts(county, "2010-06-30")["pcni"].notna().all()
    assert len(county.frame("recorded")) == len(PANEL)


def test_an_interview_without_a_total_is_unknown_and_not_the_sum_of_what_is_named(tmp_path: Path) -> None:
    PANEL.assign(ITF=[None, *PANEL["ITF"][1:]]).to_csv(tmp_path / "panel.csv", index=False)
    import_panel("eph", tmp_path / "county", tmp_path / "panel.csv")
    first = accounts(read_county(tmp_path / "county"), "2010-03-31")
    assert first["pcni"].isna().tolist() == [True, False]
    assert first.loc["1", "income_reason"] == "no_answer"


def test_who_left_was_not_known_to_leave_before(county: County) -> None:
    # The child of dwelling 1 is found gone in June: at the end of March no row may say so.
    members = county.table("members")
    before = members.filter(members.known_on <= point_in_time.to_date("2010-03-31")).to_pandas()
    assert before["valid_to"].isna().all()
    after = members.filter(members.known_on <= point_in_time.to_date("2010-06-30")).to_pandas()
    assert after["valid_to"].notna().sum() > 0


def test_another_family_by_the_heads_age() -> None:
    # 70, 71, 31 in dwelling 1; 40, unknown, 41 in dwelling 2: what is not recorded is no other family.
    assert PLAN.persons.same == {"head_age": (-2, 3)}
    same = same_household(PANEL["hid"], {"head_age": PANEL["head_age"].astype(float)}, PLAN.persons.same)
    assert same.tolist() == [True, True, False, True, True, True]


def test_a_label_across_another_family_is_null(county: County) -> None:
    # June 2010 → March 2011 in dwelling 1 is another family; March → June 2010 is the same one. In
    # dwelling 2 the head's age is not recorded once: the family is the same one.
    found = targets.build_targets(
        county,
        ["2010-03-31", "2010-06-30"],
        targets.Horizon(months=12, next=True),
        ("below_line",),
        "relative-60-monthly",
    ).set_index(["household_id", "as_of"])["label"]
    assert found[("1", "2010-03-31")] == 1
    assert pd.isna(found[("1", "2010-06-30")])
    assert found["2"].notna().all()


def test_the_line_counts_persons_as_often_as_the_sample_weight_says(county: County) -> None:
    # June 2010: 2 × 10 persons at 50, 2 × 90 at 400. The median person of 200 has 400, the line is 240; each
    # household once, or each person once, would give the middle of 50 and 400.
    assert rules.poverty_lines(county, "relative-60-monthly", "2010-06-30") == {
        point_in_time.to_date("2010-06-30"): 240.0
    }


def test_indicators_leave_out_what_is_no_answer(county: County) -> None:
    t = county.frame("indicators")
    at = t[(t["household_id"] == "1") & (t["date"].astype(str) == "2010-03-31")].set_index("item")["value"]
    assert at["spent_savings"] == 1
    assert at["got_aid"] == 0
    assert "borrowed_from_kin" not in at.index
    assert "bedrooms" not in at.index
    assert at["head_woman"] == 1
    assert at["income_unnamed"] == 50


def test_places_and_weights(county: County) -> None:
    first = accounts(county, "2010-03-31")
    assert first["township"].tolist() == ["Pampeana", "Gran Buenos Aires"]
    assert first["village"].tolist() == ["1", "2"]
    assert first["weight"].tolist() == [10, 90]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="ITF"), "no column ITF"),
        (lambda t: t.assign(ITF="a lot"), "column ITF holds something that is no number"),
        (
            lambda t: pd.concat([t, t.tail(1)]),
            r"row 8: hid, ANO4, TRIMESTRE \(1–4\): this observation stands twice",
        ),
        (
            lambda t: t.assign(TRIMESTRE=[1, 2, 5, 1, 2, 1]),
            r"row 4: hid, ANO4, TRIMESTRE \(1–4\) must be given",
        ),
    ],
)
def test_a_file_that_is_not_the_panel_is_refused(tmp_path: Path, change, words: str) -> None:
    file = tmp_path / "panel.csv"
    change(PANEL).to_csv(file, index=False)
    with pytest.raises(InputRefused, match=words):
        import_panel("eph", tmp_path / "out", file)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_and_a_wrong_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="cannot be read"):
        import_panel("eph", tmp_path, tmp_path / "none.csv")
    with pytest.raises(UsageError, match="give its FILE"):
        import_panel("eph", tmp_path)
    with pytest.raises(UsageError, match=r"no panel 'eurostat'; there are: eph, .*wagepan"):
        import_panel("eurostat", tmp_path)
