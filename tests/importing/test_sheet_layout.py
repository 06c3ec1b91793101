"""How a sheet is laid out: title, header, records, and what is no record."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from riskmodel.importing import vocabulary
from riskmodel.importing.sheet_layout import SheetLayout, find_layout, text_of
from tests.importing.sheets import grid

HEADER = ["户编号", "工资性收入", "转移性收入"]
RECORDS = [["001001", 1200, 300], ["001002", 800, 0]]


def layout(rows, file="表.xlsx", sheet="Sheet1", **marks) -> SheetLayout:
    return find_layout(grid(rows, file, sheet, **marks), vocabulary())


def test_a_header_in_the_first_row():
    found = layout([HEADER, *RECORDS])
    assert (found.header_rows, found.data_rows) == ((1,), (2, 3))
    assert [h.own for h in found.headers] == HEADER


def test_titles_above_the_header_say_unit_year_and_days():
    found = layout(
        [["某县农户收入统计表（2020年）"], ["单位：万元    填报日期：2021年4月6日"], HEADER, *RECORDS]
    )
    assert found.header_rows == (3,)
    assert found.facts.unit == Decimal(10_000)
    assert found.facts.year == 2020
    assert found.facts.recorded_on == dt.date(2021, 4, 6)
    assert found.facts.said["unit"].startswith("单位")


def test_a_month_of_filling_in_is_known_at_its_end_and_is_no_year_of_records():
    found = layout([["填报日期：2021年4月"], HEADER, *RECORDS])
    assert found.facts.recorded_on == dt.date(2021, 4, 30)
    assert found.facts.year is None


def test_names_of_sheet_and_file_say_year_day_and_township():
    found = layout([HEADER, *RECORDS], "东河镇2019年收入_20200405导出.xlsx", "一季度")
    assert found.facts.year == 2019
    assert found.facts.recorded_on == dt.date(2020, 4, 5)
    assert found.facts.township == "东河镇"


def test_a_state_of_a_day():
    facts = layout([["截至2022年1月12日家庭情况"], HEADER, *RECORDS]).facts
    assert facts.snapshot_on == dt.date(2022, 1, 12)


def test_two_rows_of_header_with_merged_groups():
    rows = [
        ["户编号", "收入", None, "支出", None],
        [None, "工资性收入", "小计", "医疗支出", "小计"],
        ["001001", 10, 10, 5, 5],
    ]
    found = layout(rows, merged=((1, 0, 2, 0), (1, 1, 1, 2), (1, 3, 1, 4)))
    assert found.header_rows == (1, 2)
    assert [h.text for h in found.headers] == [
        "户编号", "收入/工资性收入", "收入/小计", "支出/医疗支出", "支出/小计",
    ]  # fmt: skip
    assert found.data_rows == (3,)
    assert found.header("收入/小计").column == 2
    assert found.header("支出/小计").column == 4


def test_groups_of_a_text_file_reach_to_the_next_one():
    rows = [
        ["户编号", "2020年", None, "2021年", None],
        ["", "工资性收入", "转移性收入", "工资性收入", "转移性收入"],
        ["001001", 1, 2, 3, 4],
    ]
    found = layout(rows, "收入.csv", "")
    assert [h.path[0] for h in found.headers[1:]] == ["2020年", "2020年", "2021年", "2021年"]


def test_totals_notes_blanks_and_repeated_headers_are_no_records_and_none_is_lost():
    rows = [
        HEADER,
        RECORDS[0],
        ["小计", 1200, 300],
        HEADER,
        RECORDS[1],
        [None, None, None],
        ["合计", 2000, 300],
        ["注：金额为全年数"],
        ["填表人：某某", None, "审核人：某某"],
    ]
    found = layout(rows)
    assert found.data_rows == (2, 5)
    assert {(s.row, s.kind) for s in found.skipped} == {
        (3, "total"), (4, "repeated header"), (7, "total"), (8, "note"), (9, "note"),
    }  # fmt: skip


def test_a_household_of_a_village_whose_name_ends_like_a_total_is_a_record():
    found = layout([["户编号", "行政村", "工资性收入"], ["001001", "共计村", 5], ["001002", "总计", 6]])
    assert found.data_rows == (2, 3)


def test_hidden_columns_are_marked_and_the_visible_one_of_two_is_meant():
    rows = [["户编号", "工资性收入", "工资性收入"], ["001001", 1, 2]]
    found = layout(rows, hidden_columns=frozenset({1}))
    assert [h.hidden for h in found.headers] == [False, True, False]
    assert found.header("工资性收入").column == 2


def test_the_second_of_equal_headers_has_a_number():
    found = layout([["户编号", "姓名", "补贴", "补贴"], ["001001", "某", 1, 2]])
    assert found.header("补贴#2").column == 3
    assert found.header("补贴#3") is None


def test_a_sheet_without_known_headers_has_none():
    found = layout([["a", "b"], [1, 2]])
    assert (found.headers, found.data_rows) == ((), ())


def test_cells_as_a_person_reads_them():
    assert [text_of(v) for v in (None, 3.0, 3.5, dt.datetime(2021, 3, 5), " 文 ")] == [
        "", "3", "3.5", "2021-03-05", "文",
    ]  # fmt: skip
