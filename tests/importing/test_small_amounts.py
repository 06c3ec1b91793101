"""An amount typed in 万元 in a column of yuan."""

from __future__ import annotations

from tests.importing.sheets import grid, imported, money, places, roster

HOUSES = [f"00100{i}" for i in range(1, 7)]


def wages(year, amounts):
    rows = [[house, amount] for house, amount in zip(HOUSES, amounts, strict=False)]
    return grid([[f"{year}年收入（元）"], ["户编号", "工资性收入"], *rows], f"{year}年.xlsx")


def test_a_small_amount_among_thousands_is_asked_about():
    result = imported(roster(HOUSES), wages(2021, [12_000, 1.2, 9_000, 15_000, 8_000, 30]))
    assert places(result, "small amount") == ["B4"]
    assert money(result)["001002", "2021-01..2021-12", "wage"] == 1.2


def test_a_small_amount_of_a_small_sheet_is_held_against_the_other_years():
    result = imported(roster(HOUSES), wages(2020, [12_000, 9_000]), wages(2021, [11_000, 1.2]))
    assert places(result, "small amount") == ["B4"]


def test_small_amounts_among_small_ones_and_amounts_with_their_unit_are_not():
    typed = wages(2021, [12_000, "1.2元", 9_000, 15_000, 8_000, 700])
    assert places(imported(roster(HOUSES), typed), "small amount") == []
    assert places(imported(roster(HOUSES), wages(2021, [50, 40, 1.2, 30, 60, 70])), "small amount") == []
