"""Problem lists go down and come back: what is filled in is taken, confirmed or deleted, and closed."""

from __future__ import annotations

import openpyxl
import pytest

from riskmodel.errors import InputRefused
from riskmodel.importing import (
    import_files,
    merge_corrections,
    read_corrections,
    stored_corrections,
    write_import,
)
from riskmodel.importing.corrections import Correction, apply_corrections
from tests.importing import small_county as county
from tests.importing.sheets import grid, kinds, money, unknown


def fill(path, entries):
    """Fill in the column of corrections where content stands in an entry's cell."""
    book = openpyxl.load_workbook(path)
    done = 0
    for sheet in book.worksheets[2:]:
        at = {cell.value: cell.column for cell in sheet[1]}
        for row in range(2, sheet.max_row + 1):
            place = sheet.cell(row, at["工作表"]).value, sheet.cell(row, at["单元格"]).value
            if place in entries:
                sheet.cell(row, at["改正后内容"]).value = entries[place]
                done += 1
    assert done == len(entries)
    book.save(path)


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Import, fill in the list, import with it, and import once more without."""
    folder = tmp_path_factory.mktemp("rounds")
    raw, into = folder / "raw", folder / "data"
    county.write_county(raw)
    first = import_files([raw])
    write_import(first, into)
    back = folder / "back.xlsx"
    back.write_bytes((into / "reading.xlsx").read_bytes())
    fill(back, {("2020年", "E5"): 4321, ("2020年", "F6"): "删除", ("2020年", "E8"): "属实"})
    second = import_files([raw], corrections=read_corrections(back))
    write_import(second, into)
    third = import_files([raw], corrections=merge_corrections(stored_corrections(into), []))
    write_import(third, into)
    return first, second, third, into


def test_a_corrected_cell_is_taken_and_its_problem_is_gone(rounds):
    first, second, _, _ = rounds
    key = county.HOUSES[0], "2020-01..2020-12", "wage"
    assert key not in money(first)
    assert money(second)[key] == 4321
    assert not [u for u in unknown(second) if u[0] == county.HOUSES[0]]


def test_a_deleted_row_says_nothing_any_more(rounds):
    _, second, _, _ = rounds
    assert not [k for k in money(second) if k[0] == county.HOUSES[2] and k[1].startswith("2020")]
    assert not [u for u in unknown(second) if u[0] == county.HOUSES[2]]


def test_what_is_confirmed_is_not_asked_again(rounds):
    first, second, _, _ = rounds
    assert kinds(first, "asked") == ["maybe nothing"]
    assert kinds(second, "asked") == []


def test_what_was_left_open_stays_unknown(rounds):
    _, second, _, _ = rounds
    assert county.HOUSES[4] in {u[0] for u in unknown(second)}


def test_corrections_are_kept_with_the_county(rounds):
    _, second, third, into = rounds
    assert money(third) == money(second)
    assert {c.action for c in stored_corrections(into)} == {"set", "delete", "confirm"}


def test_closed_problems_stand_in_the_report(rounds):
    into = rounds[3]
    book = openpyxl.load_workbook(into / "reading.xlsx")
    closed = {row[6]: row[11] for row in book["已销号"].iter_rows(min_row=2, values_only=True)}
    assert closed["E5"] == "4321"
    assert set(closed) >= {"E5", "F6", "E8"}


def test_the_newest_word_on_a_problem_holds():
    old, new = (Correction("N1", "a", "", "B2", "set", value) for value in ("1", "2"))
    assert merge_corrections([old], [new]) == [new]


def test_a_place_that_is_not_there_is_not_used():
    given = [
        Correction("1", "a.xlsx", "s", "Z99", "set", "1"),
        Correction("2", "a.xlsx", "s", "B2", "set", "7"),
        Correction("3", "b.xlsx", "s", "B2", "set", "1"),
    ]
    (changed,), used, _ = apply_corrections([grid([["户编号", "金额"], ["1", 2]], "a.xlsx", "s")], given)
    assert changed.rows[1] == ["1", "7"]
    assert [c.number for c in used] == ["2"]


def test_a_correction_of_a_cell_that_has_changed_since_is_not_taken():
    first = Correction("1", "a.xlsx", "s", "B2", "set", "7")
    _, used, _ = apply_corrections([grid([["户编号", "金额"], ["1", "约200"]], "a.xlsx", "s")], [first])
    later = grid([["户编号", "金额"], ["1", 250]], "a.xlsx", "s")
    (kept,), taken, outdated = apply_corrections([later], used)
    assert kept.rows[1] == ["1", 250]
    assert not taken
    assert outdated == used


def test_a_row_is_named_in_either_language():
    given = Correction("1", "a.xlsx", "s", "第2行", "delete")
    (changed,), used, _ = apply_corrections([grid([["户编号", "金额"], ["1", 2]], "a.xlsx", "s")], [given])
    assert changed.rows[1] == [None, None]
    assert used


def test_a_workbook_that_is_no_problem_list_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["户编号", "金额"])
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(InputRefused, match="problem list"):
        read_corrections(tmp_path / "x.xlsx")
