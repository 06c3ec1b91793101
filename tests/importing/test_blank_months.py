"""Months of which a sheet's cells are all blank: nothing is written down, and they are not on record."""

from __future__ import annotations

from riskmodel.importing.mapping import ImportMap
from tests.importing.sheets import grid, guessed, imported, kinds, money, places, roster, rows_of, unknown

HOUSES = ["001001", "001002", "001003"]
MONTHS = [f"{m}月" for m in range(1, 13)]
WIDE = ["户编号", "收入类别", *MONTHS]
FULL = [100] * 12


def wide(*rows, **more):
    return grid([["2021年收入（元）"], WIDE, *rows], "2021年收入.xlsx", **more)


def on_record(result, household, table="income"):
    rows = rows_of(result, "recorded", "household_id", "of", "month_from")
    return [int(r[2][-2:]) for r in rows if r[:2] == (household, table)]


def test_months_that_are_blank_at_the_end_are_late():
    late = [*FULL[:9], None, None, None]
    result = imported(
        roster(HOUSES),
        wide([HOUSES[0], "工资", *FULL], [HOUSES[1], "工资", *late], [HOUSES[1], "转移性收入", *late]),
    )
    assert on_record(result, HOUSES[0]) == list(range(1, 13))
    assert on_record(result, HOUSES[1]) == list(range(1, 10))
    assert unknown(result) == {(HOUSES[1], "income", "", "2021-10", "2021-12", "not_filled_in")}
    assert places(result, "blank months") == ["L4"]
    assert "blank amount" not in kinds(result)


def test_a_blank_cell_of_a_month_of_which_others_are_filled_is_an_unknown_amount():
    result = imported(
        roster(HOUSES),
        wide([HOUSES[1], "工资", *FULL[:9], None, None, None], [HOUSES[1], "转移性收入", *FULL]),
    )
    assert on_record(result, HOUSES[1]) == list(range(1, 13))
    assert {u[2:4] for u in unknown(result)} == {("wage", f"2021-{m}") for m in (10, 11, 12)}


def test_what_another_department_pays_puts_no_month_on_record_that_the_townships_file_leaves_blank():
    paid = [[h, f"2021-{m:02d}", "养老保险", 200] for h in HOUSES for m in range(1, 13)]
    result = imported(
        roster(HOUSES),
        wide([HOUSES[0], "工资", *FULL], [HOUSES[2], "工资", *FULL[:9], None, None, None]),
        grid([["户编号", "月份", "补贴项目", "金额"], *paid], "民政局.xlsx"),
    )
    assert on_record(result, HOUSES[2]) == list(range(1, 10))
    assert {u[2:4] for u in unknown(result)} == {("wage", f"2021-{m}") for m in (10, 11, 12)}
    assert money(result)[HOUSES[2], "2021-11", "transfer"] == 200


def test_a_household_with_nothing_filled_in_has_no_month_on_record():
    result = imported(roster(HOUSES), wide([HOUSES[0], "工资", *FULL], [HOUSES[1], "工资"]))
    assert on_record(result, HOUSES[1]) == []
    assert {u[0] for u in unknown(result)} == {HOUSES[1]}


def test_sources_side_by_side_with_a_row_a_month():
    head = ["户编号", "月份", "工资性收入", "转移性收入"]
    rows = [[h, f"2021-{m:02d}", 900, 200] for h in HOUSES for m in range(1, 4)]
    rows[5][2:] = [None, None]
    rows[4][2] = None
    result = imported(roster(HOUSES), grid([head, *rows], "台账.xlsx"))
    assert on_record(result, HOUSES[1]) == [1, 2]
    assert {u[2:4] for u in unknown(result)} == {("wage", "2021-02"), ("", "2021-03")}


def test_a_row_that_names_its_source_and_no_amount_is_unknown():
    rows = [[h, "2021-05", "工资", None if h == HOUSES[1] else 100] for h in HOUSES]
    result = imported(roster(HOUSES), grid([["户编号", "月份", "收入类别", "金额"], *rows], "台账.xlsx"))
    assert {u[:4] for u in unknown(result)} == {(HOUSES[1], "income", "wage", "2021-05")}


def test_blank_is_zero_where_the_office_says_so():
    one = wide([HOUSES[0], "工资", *FULL[:6]])
    spec = guessed(one).model_copy(update={"blank_is_zero": True})
    plan = ImportMap(sheets=(guessed(roster(HOUSES)), spec))
    result = imported(roster(HOUSES), one, plan=plan)
    assert money(result)[HOUSES[0], "2021-09", "wage"] == 0
    assert not unknown(result)
