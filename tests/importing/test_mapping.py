"""Maps: what they may say, their short form, and that a written map reads as it was."""

from __future__ import annotations

import pytest

from riskmodel.errors import SpecError
from riskmodel.importing import ImportMap, guess_files, import_sheets, map_comments, read_map, write_map
from riskmodel.importing.mapping import map_text, span_of
from tests.importing.sheets import grid, imported, long_rows, money, roster, rows_of, sheets


def faults(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text("version: 1\nsheets:\n" + text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_map(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {file: a, tables: [{table: incomes, columns: {}}]}", "incomes"),
        ("- {file: a, tables: [{table: income, columns: {wages: 工资}}]}", "wages"),
        ("- {file: a}", "tables to read"),
        ("- {file: a, skip: x, tables: [{table: income, columns: {}}]}", "skip"),
        ("- {file: a, unit: 美元, skip: x}", "unit"),
        (
            "- {file: a, tables: [{table: income, columns: {household_id: {column: a, value: b}}}]}",
            "either column",
        ),
        (
            "- {file: a, tables: [{table: income, columns: {}, amounts: [{column: a, months: 7-3}]}]}",
            "months",
        ),
        ("- {file: a, skip: x, sheat: y}", "sheat"),
    ],
)
def test_a_faulty_map_names_its_fault(tmp_path, text, said):
    assert said in faults(tmp_path, text)


def test_the_short_form_of_a_column_is_its_header(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        "sheets:\n- file: '*.xlsx'\n  tables:\n  - table: income\n    columns: {household_id: 户号}\n"
        "    amounts: [工资]\n",
        encoding="utf-8",
    )
    (spec,) = read_map(path).sheets
    assert spec.tables[0].columns["household_id"].column == "户号"
    assert spec.tables[0].amounts[0].column == "工资"
    assert "household_id: 户号" in map_text(read_map(path))


def test_months_of_a_year():
    assert (span_of("3"), span_of("10-12")) == ((3, 3), (10, 12))


def test_patterns_and_brackets_in_names_match_and_the_first_holds():
    plan = ImportMap.model_validate(
        {"sheets": [{"file": "表[1].xlsx", "skip": "a"}, {"file": "表*", "sheet": "20??", "skip": "b"}]}
    )
    assert plan.sheet("表[1].xlsx", "x").skip == "a"
    assert plan.sheet("表2.xlsx", "2021").skip == "b"
    assert plan.sheet("表2.xlsx", "汇总") is None


def test_a_proposed_map_is_written_read_and_gives_the_same_tables(tmp_path):
    county = sheets(
        roster(["001001", "001002", "001003"]),
        grid(
            [
                ["户编号", "月份", "类别", "金额"],
                *long_rows(["2021-01", "2021-02"], {"001001": 5, "001002": 6}),
            ],
            "台账.xlsx",
        ),
        grid([["单位：万元"], ["户编号", "工资性收入"], ["001003", 1.2]], "2020年收入.xlsx"),
    )
    plan, guesses = guess_files(county)
    write_map(plan, tmp_path / "map.yaml", map_comments(guesses))
    again = read_map(tmp_path / "map.yaml")
    assert again == plan
    first, second = import_sheets(county), import_sheets(county, again)
    assert set(first.assembled.tables) == set(second.assembled.tables) >= {"households", "income"}
    for name, frame in first.assembled.tables.items():
        assert frame.equals(second.assembled.tables[name]), name


def test_a_map_decides_unit_year_words_and_constants():
    one = grid([["号", "类", "数"], ["001001", "甲", 2], ["001002", "乙", 3]], "x.xlsx")
    plan = ImportMap.model_validate(
        {
            "words": {"income.source": {"甲": "wage"}},
            "sheets": [
                {
                    "file": "x.xlsx", "header_rows": [1], "unit": "万元", "year": 2020,
                    "tables": [
                        {
                            "table": "income",
                            "columns": {
                                "household_id": "号",
                                "item": {"column": "类", "words": {"乙": "transfer"}},
                            },
                            "amounts": ["数"],
                        }
                    ],
                }
            ],
        }
    )  # fmt: skip
    assert money(imported(one, plan=plan)) == {
        ("001001", "2020-01..2020-12", "wage"): 20_000,
        ("001002", "2020-01..2020-12", "transfer"): 30_000,
    }


def test_a_year_that_begins_in_october_and_a_value_for_all_rows():
    one = grid([["号", "数"], ["001001", 2]], "x.xlsx")
    plan = ImportMap.model_validate(
        {
            "sheets": [
                {
                    "file": "x.xlsx", "header_rows": [1], "year": 2021, "first_month": 10,
                    "tables": [
                        {
                            "table": "income",
                            "columns": {"household_id": "号", "item": {"value": "wage"}},
                            "amounts": ["数"],
                        }
                    ],
                }
            ]
        }
    )  # fmt: skip
    assert money(imported(one, plan=plan)) == {("001001", "2020-10..2021-09", "wage"): 2}


def test_a_sheet_that_the_map_does_not_name_is_accounted_for():
    result = imported(
        roster(["001001"]), plan=ImportMap.model_validate({"sheets": [{"file": "别的", "skip": "x"}]})
    )
    (source,) = result.as_dict("zh")["sources"]
    assert (source["used"], source["skipped"], source["why"]) == (0, 2, "对照表中没有此表，未读取")
    assert rows_of(result, "households", "household_id") == []


@pytest.mark.parametrize("name", ["national", "template"])
def test_a_packaged_map_can_be_read(name):
    assert read_map(name).sheets
