"""Lines and parameters as commands say them: one way for all verbs, by year, refused with the mend."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from riskmodel import rules
from riskmodel.errors import UsageError
from riskmodel.rules import load_rules, parameter_text, read_overrides

from .test_evaluate import county

NATIONAL = load_rules("national-2021")
DAYS = [dt.date(2021, 6, 30), dt.date(2022, 6, 30), dt.date(2023, 6, 30)]


@pytest.mark.parametrize(
    ("param", "line", "expected"),
    [
        ([], [], {}),
        (["line=5500"], [], {"line": 5500}),
        ([], ["5500"], {"line": 5500}),
        (["line@2022=6300"], [], {"line": {0: 6000, 2022: 6300}}),
        ([], ["2022=6300"], {"line": {0: 6000, 2022: 6300}}),
        ([], ["5000", "2022=6300", "2021=6000"], {"line": {0: 5000, 2021: 6000, 2022: 6300}}),
        (["line=5000"], ["2022 = 6300"], {"line": {0: 5000, 2022: 6300}}),
        (["line={2021: 6000, 2022: 6300}"], [], {"line": {2021: 6000, 2022: 6300}}),
        (["sudden_causes=illness, disaster"], [], {"sudden_causes": ["illness", "disaster"]}),
    ],
)
def test_texts_are_read_alike_whichever_option_says_them(param: list, line: list, expected: dict) -> None:
    found = read_overrides(NATIONAL, param, line)
    assert found == expected
    # What is written down is read back.
    texts = {name: parameter_text(value) for name, value in found.items()}
    assert NATIONAL.values(texts) == NATIONAL.values(found)


@pytest.mark.parametrize(
    ("param", "line", "message"),
    [
        (["line"], [], "write NAME=VALUE, or NAME@YEAR=VALUE"),
        (["=6000"], [], "write NAME=VALUE"),
        (["line@22=6000"], [], "write NAME=VALUE, or NAME@YEAR=VALUE"),
        ([], ["high"], "line: 'high' is not a finite number"),
        ([], [""], "write YUAN, or YEAR=YUAN"),
        ([], ["22=6000"], "write YUAN, or YEAR=YUAN"),
        ([], ["2022="], "write YUAN, or YEAR=YUAN"),
        ([], ["0"], "outside the range above 0"),
        ([], ["2022=-5"], "outside the range above 0"),
        ([], ["2022={2021: 5}"], "is not an amount"),
        (["line=6000"], ["6000"], "--param line is given twice"),
        (["line@2022=6000"], ["2022=6000"], "--param line@2022 is given twice"),
        (["lime=5000"], [], "no parameter 'lime'; it has: line,"),
        (["lime@2022=5000"], [], "no parameter 'lime'; it has: line,"),
        (["national_line=5000"], [], "national-2021 has no parameter 'national_line'"),  # another county's
        (["rigid_to_income@2022=0.5"], [], "holds for all years"),
        (["line={relative: 0.6}"], ["2022=6000"], "moves with the county's incomes"),
        ([], ["2020=6000", "2019=6000"], "line of 2019: nothing of that year is judged here, but of 2020,"),
        ([], ["2024=6000"], "line of 2024"),
    ],
)
def test_a_wrong_text_is_refused_with_the_mend(param: list, line: list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_overrides(NATIONAL, param, line, DAYS)


def test_a_line_that_is_reckoned_is_given_by_its_parts() -> None:
    ratio = load_rules("ratio-1.5-2020")
    with pytest.raises(UsageError, match="give its parts by --param"):
        read_overrides(ratio, None, ["6000"])
    assert read_overrides(ratio, ["national_standard@2021=4300"]) == {
        "national_standard": {2020: 4000, 2021: 4300}
    }


def test_what_a_model_was_trained_with_stays_where_nothing_is_given() -> None:
    trained = {"line": 5500, "large_drop": 0.3}
    assert read_overrides(NATIONAL, ["line@2022=6300"], None, DAYS, trained) == {
        "line": {0: 5500, 2022: 6300}, "large_drop": 0.3
    }  # fmt: skip


def test_a_line_by_year_judges_each_day_by_the_year_it_lies_in_up_and_down() -> None:
    c = county(6100.0)
    for line, below in (("2022=6300", [False, True, True]), ("2022=5900", [False, False, False])):
        params = read_overrides(NATIONAL, None, [line], DAYS)
        found = rules.evaluate_rules(c, NATIONAL, DAYS, params=params)
        amount = float(line.partition("=")[2])
        assert found["line"].tolist() == [6000.0, amount, amount]
        known = found["pcni"].notna()
        assert found.loc[known, "pcni"].lt(found.loc[known, "line"]).tolist() == [
            b for b, k in zip(below, known, strict=True) if k
        ]
        held = found["conditions"].str.split(";").map(lambda ids: "below_line" in ids)
        assert held[known].tolist() == [b for b, k in zip(below, known, strict=True) if k]
        said = found["assumptions"].str.split(";")
        assert f"line[2022]={amount:g} (override)" in said[1]
        assert f"line[2023]={amount:g} (of 2022, override)" in said[2]


def test_one_day_by_year_is_what_the_same_amount_for_all_years_says() -> None:
    c = county(6100.0)
    whole = rules.evaluate_rules(c, NATIONAL, DAYS[1], params=read_overrides(NATIONAL, ["line=6300"]))
    years = rules.evaluate_rules(c, NATIONAL, DAYS[1], params=read_overrides(NATIONAL, None, ["2022=6300"]))
    pd.testing.assert_frame_equal(
        whole.drop(columns="assumptions"), years.drop(columns="assumptions"), check_exact=True
    )


def test_a_set_with_another_lines_name_goes_by_year_too() -> None:
    lueyang = load_rules("lueyang-2021")
    declared = lueyang.model_copy(
        update={
            "parameters": {
                **lueyang.parameters,
                "national_line": lueyang.parameters["national_line"].model_copy(update={"kind": "line"}),
            }
        }
    )
    params = read_overrides(declared, ["national_line@2022=6300"], None, DAYS)
    assert params == {"national_line": {0: 6000, 2022: 6300}}
    found = rules.evaluate_rules(county(6100.0), declared, DAYS, params=params)
    assert len(found) == len(DAYS)


def test_a_set_with_other_values_declared_has_the_lines_that_overrides_give() -> None:
    params = read_overrides(NATIONAL, ["large_drop=0.4"], ["5500", "2022=6300"])
    declared = NATIONAL.with_values(params)
    assert declared.values() == NATIONAL.values(params)
    assert NATIONAL.with_values({}) == NATIONAL
    lines = rules.poverty_lines(county(6100.0), declared, DAYS)
    assert list(lines.values()) == [5500.0, 6300.0, 6300.0]
    assert load_rules("national-2021").values()["line"] == 6000
