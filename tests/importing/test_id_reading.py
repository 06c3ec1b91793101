"""Ids of households, members and persons, whatever a spreadsheet made of them."""

from __future__ import annotations

import pytest

from riskmodel.importing import cell_reading as cells
from riskmodel.importing.id_reading import read_ids, read_person_numbers
from tests.importing.sheets import grid, imported, kinds, money, roster


def test_ids_keep_what_excel_takes() -> None:
    typed = ["'00101", "５３９９０１", '="0072"', " 53 99 ", "539901.0", "53\u200b99", 101.0, 53990102]
    assert read_ids(typed).values == [
        "00101",
        "539901",
        "0072",
        "5399",
        "539901",
        "5399",
        "101",
        "53990102",
    ]


@pytest.mark.parametrize("typed", ["5.39905E+11", 5.39901e17, 539901197204265000, "5.4E17"])
def test_rounded_ids_are_named_as_such(typed: object) -> None:
    assert read_ids([typed]).faults == [cells.ROUNDED]


def test_zeros_that_numbers_have_lost_come_back_where_all_texts_have_one_length() -> None:
    read = read_ids(["0012", "0345", 67, 1200])
    assert read.values == ["0012", "0345", "0067", "1200"]
    assert read.notes == {2: "zeros restored"}
    assert read_ids(["12", "0345", 67]).values == [
        "12",
        "0345",
        "67",
    ]  # of two lengths nothing is known


def test_identity_numbers_are_checked_and_say_birth_sex_and_grade() -> None:
    good, bad, card = "11010519491231002x", "110105194912310021", "11010519491231002X32"
    read = read_person_numbers([good, bad, card, "", 5.39901e17])
    assert read.faults == [None, cells.BAD_CHECK, None, cells.BLANK, cells.ROUNDED]
    assert (read.values[0].birth, read.values[0].sex, read.values[0].grade) == ((1949, 12), "female", None)
    assert read.values[2].grade == 2
    assert read.values[0].key == read.values[2].key  # one person, whichever card


def test_zeros_that_a_sheet_has_lost_come_from_the_others():
    houses = ["0301010001", "0301010002", "0301010003"]
    rows = [["2021年收入"], ["户编号", "工资性收入"], ["301010001", 5], ["0301010002", 6], [301010003, 7]]
    result = imported(roster(houses), grid(rows))
    assert {key[0]: amount for key, amount in money(result).items()} == dict(
        zip(houses, (5, 6, 7), strict=True)
    )
    assert kinds(result) == ["zeros restored"]


def test_two_numbers_of_one_list_that_differ_in_a_zero_stay_two():
    rows = [["2021年收入"], ["户编号", "工资性收入"], ["301010001", 5], ["0301010001", 6]]
    result = imported(roster(["301010001", "0301010001"]), grid(rows))
    assert sorted(money(result).values()) == [5, 6]
