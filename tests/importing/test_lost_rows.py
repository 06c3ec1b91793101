"""Whose a row may be whose number a spreadsheet has rounded: unknown there, and never 0."""

from __future__ import annotations

from tests.importing.sheets import grid, imported, kinds, money, person_number, roster, unknown

HOUSES = ["539901000001", "539901000002", "530202000003", "530202000004"]
WIDE = ["户编号", "工资性收入"]
YEAR = ("2021-01", "2021-12", "row_rejected")


def wages(*rows):
    return grid([["2021年收入"], WIDE, *rows], "2021年.xlsx")


def test_the_household_without_a_row_that_begins_alike_is_unknown_and_asked():
    result = imported(roster(HOUSES), wages(["539901000001", 500], ["5.39901E+11", 700], [HOUSES[2], 900]))
    assert unknown(result) == {(HOUSES[1], "income", "wage", *YEAR)}
    assert kinds(result, "rejected") == ["rounded number"]
    assert kinds(result, "asked") == ["rounded number may be"]
    assert sorted(money(result).values()) == [500, 900]


def test_all_that_begin_alike_are_unknown_where_none_of_them_has_a_row():
    result = imported(roster(HOUSES), wages(["5.30202E+11", 700], [HOUSES[0], 900]))
    assert {row[0] for row in unknown(result)} == set(HOUSES[2:])


def test_everybody_without_a_row_is_unknown_where_no_number_begins_alike():
    result = imported(roster(HOUSES), wages(["9.9E+11", 700], [HOUSES[0], 900], [HOUSES[1], 800]))
    assert {row[0] for row in unknown(result)} == set(HOUSES[2:])


def test_another_sheet_that_says_the_amount_leaves_nothing_unknown_there():
    months = [["户编号", "月份", "收入类别", "金额"], [HOUSES[1], "2021-01", "工资性收入", 5]]
    lost = [["5.39901E+11", "2021-01", "工资性收入", 5], [HOUSES[2], "2021-01", "工资性收入", 5]]
    result = imported(roster(HOUSES), grid(months, "a.xlsx"), grid([months[0], *lost], "b.xlsx"))
    assert {row[0] for row in unknown(result)} == {HOUSES[0]}


def test_a_rounded_identity_number_is_of_those_whose_number_begins_alike():
    number = float(person_number("19700315", 1))
    rows = [["身份证号码", "发放年月", "待遇类型", "发放金额"], [number, "202101", "养老金", 120]]
    result = imported(roster(HOUSES), grid(rows, "发放.xlsx"))
    assert {row[:3] for row in unknown(result)} == {(house, "income", "transfer") for house in HOUSES}
