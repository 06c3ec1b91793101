"""Several tables on one sheet, households as columns, ditto marks, and rows that only number the columns."""

from __future__ import annotations

from riskmodel.importing import Sheets, import_sheets, vocabulary
from riskmodel.importing.blocks import tables_in
from riskmodel.importing.sheet_layout import find_layout
from tests.importing.sheets import grid, kinds, money, roster, rows_of

HOUSES = [f"00100{i}" for i in range(1, 5)]
WIDE = ["户编号", "工资性收入", "转移性收入"]
AMOUNTS = [[house, 100 * at, at] for at, house in enumerate(HOUSES, 1)]


def imported(*grids):
    """Import sheets, each taken apart into its tables."""
    some = [piece for one in grids for piece in tables_in(one, vocabulary())]
    return import_sheets(Sheets(tuple((one, find_layout(one, vocabulary())) for one in some), ()))


def test_tables_below_one_another_have_units_and_years_of_their_own():
    rows = [
        ["2020年收入（元）"],
        WIDE,
        *AMOUNTS,
        [],
        ["2021年收入（单位：万元）"],
        WIDE,
        ["001001", 1.5, 0.1],
    ]
    result = imported(roster(HOUSES), grid(rows))
    assert money(result)["001002", "2020-01..2020-12", "wage"] == 200
    assert money(result)["001001", "2021-01..2021-12", "wage"] == 15_000
    assert {s.sheet for s in result.sources} == {"Sheet1", "Sheet1#2"}


def test_another_header_begins_another_table():
    rows = [["2021年收支"], ["一、收入（元）"], WIDE, *AMOUNTS, ["合计", 1000, 10]]
    rows += [["二、支出（元）"], ["户编号", "医疗自付支出"], ["001003", 77]]
    result = imported(roster(HOUSES), grid(rows))
    assert money(result)["001003", "2021-01..2021-12", "wage"] == 300
    assert money(result, "spending") == {("001003", "2021-01..2021-12", "medical"): 77}


def test_the_same_header_on_the_next_page_begins_no_table():
    rows = [["2021年收入"], WIDE, *AMOUNTS[:2], ["上村"], WIDE, *AMOUNTS[2:]]
    result = imported(roster(HOUSES), grid(rows))
    assert len(result.sources) == 2
    assert len(money(result)) == 8


def test_tables_beside_one_another():
    left = [["户编号", "工资性收入"], *[[h, 5] for h in HOUSES]]
    right = [["户编号", "转移性收入"], *[[h, 7] for h in reversed(HOUSES)]]
    rows = [["2021年收入"], *[[*a, None, *b] for a, b in zip(left, right, strict=True)]]
    known = money(imported(roster(HOUSES), grid(rows)))
    assert {item: amount for (_, _, item), amount in known.items()} == {"wage": 5, "transfer": 7}
    assert len(known) == 8


def test_a_list_that_goes_on_in_further_columns():
    rows = [
        ["2021年收入"],
        [*WIDE, *WIDE],
        *[[*a, *b] for a, b in zip(AMOUNTS[:2], AMOUNTS[2:], strict=True)],
    ]
    assert money(imported(roster(HOUSES), grid(rows)))["001004", "2021-01..2021-12", "wage"] == 400


def test_households_as_columns():
    rows = [["2021年收入（元）"], ["户编号", *HOUSES, "合计"], ["工资性收入", 1, 2, 3, 4, 10]]
    rows += [["转移性收入", 5, 6, 7, "待核", 18]]
    result = imported(roster(HOUSES), grid(rows))
    assert money(result)["001003", "2021-01..2021-12", "transfer"] == 7
    assert [f.where for f in result.assembled.findings.items if f.kind == "unreadable amount"] == ["E4"]


def test_the_same_as_above_is_what_stands_above():
    header = ["乡镇", "行政村", "户编号", "户类型", "姓名", "与户主关系", "出生日期"]
    rows = [header, ["东河镇", "上村", "001001", "脱贫户", "甲", "户主", "1970-01-01"]]
    rows += [["同上", "〃", '"', "″", "乙", "配偶", "1971-01-01"]]
    rows += [["同上", "〃", "001002", "一般农户", "丙", "户主", "1972-01-01"]]
    result = imported(grid(rows))
    assert rows_of(result, "households", "household_id", "village") == [
        ("001001", "上村"),
        ("001002", "上村"),
    ]
    assert len(rows_of(result, "members", "household_id")) == 3


def test_an_amount_the_same_as_above_is_unknown():
    rows = [["2021年收入"], WIDE, ["001001", 5, 5], ["001002", "同上", 5]]
    assert ("001002", "2021-01..2021-12", "wage") not in money(imported(roster(HOUSES), grid(rows)))


def test_rows_that_number_or_code_the_columns_are_no_records():
    for below in (["甲", 1, 2], ["AAC001", "AAR201", "AAR204"]):
        header = [*WIDE, "财产性收入", "生产经营性收入"]
        more = [*below, *([3, 4] if below[1] == 1 else ["AAR203", "AAR202"])]
        result = imported(roster(HOUSES), grid([["2021年收入"], header, more, ["001001", 1, 2, 3, 4]]))
        assert len(money(result)) == 4
        assert not kinds(result, "rejected")


def test_a_form_named_after_a_person_is_named_by_number():
    form = [["户编号", "001001"], ["户主姓名", "甲某某"], ["工资性收入", 5]]
    assert "甲" not in tables_in(grid(form, "采集表.xlsx", "甲某某"), vocabulary())[0].sheet


def test_a_header_of_two_rows_repeated_on_a_page_begins_no_table():
    head = [["户编号", "工资性收入", None], [None, "202101", "202102"]]
    rows = [["001001", 900, 800], *head, ["001002", 700, 600]]
    one = grid([["2021年收入"], *head, *rows], merged=((2, 1, 2, 2), (2, 0, 3, 0)))
    assert tables_in(one, vocabulary()) == [one]
