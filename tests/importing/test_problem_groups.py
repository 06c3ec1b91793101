"""Many cells of one kind: one line with count and places, whose answer holds for each of them."""

from __future__ import annotations

import openpyxl
import pytest

from riskmodel.importing import import_files, read_corrections, write_import
from riskmodel.importing.problem_groups import name_places, places_in
from tests.importing.sheets import money, unknown

HOUSES = [f"530101{n:04d}" for n in range(30)]


def write(folder):
    """Write a list of 30 households and a year's incomes: 24 wages say 待核实, one says 不详."""
    folder.mkdir()
    people = "乡镇,行政村,户编号,户类型,成员编号,出生年月,与户主关系"
    lines = [people, *(f"东河镇,上村,{h},一般农户,{h}-1,1970.01,户主" for h in HOUSES)]
    (folder / "花名册_20210112.csv").write_text("\n".join(lines), encoding="utf-8")
    wages = ["待核实"] * 24 + ["不详", *range(30_000, 35_000, 1_000)]
    lines = ["户编号,工资性收入（元）", *(f"{h},{w}" for h, w in zip(HOUSES, wages, strict=True))]
    (folder / "2020年收入.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """Import, answer the long line (but one cell of it by a line of its own), and import again."""
    home = tmp_path_factory.mktemp("many")
    write(home / "raw")
    first = import_files([home / "raw"])
    write_import(first, home / "data")
    book = openpyxl.load_workbook(home / "data" / "reading.xlsx")
    sheet = book["东河镇"]
    head = [cell.value for cell in sheet[1]]
    lines = [dict(zip(head, (cell.value for cell in row), strict=True)) for row in sheet.iter_rows(min_row=2)]
    (at,) = [n for n, line in enumerate(lines, 2) if line["内容"] == "待核实"]
    sheet.cell(at, head.index("改正后内容") + 1).value = "20000"
    own = lines[at - 2] | {"单元格": "B9", "改正后内容": "500"}
    sheet.append([own[name] for name in head])
    book.save(home / "back.xlsx")
    second = import_files([home / "raw"], corrections=read_corrections(home / "back.xlsx"))
    write_import(second, home / "data")
    return lines, first, second, openpyxl.load_workbook(home / "data" / "reading.xlsx")


def test_many_cells_of_one_kind_are_one_line(rounds):
    lines, first, _, _ = rounds
    assert len(unknown(first)) == 25
    shown = {line["内容"]: line for line in lines}
    assert set(shown) == {"待核实", "不详"}
    assert shown["待核实"]["单元格"] == "B2:B25"
    assert "共 24 处，涉及 24 户" in shown["待核实"]["问题"]
    assert (shown["不详"]["单元格"], shown["不详"]["户编号"]) == ("B26", HOUSES[24])


def test_an_answer_holds_for_each_place_but_one_that_has_its_own(rounds):
    _, _, second, book = rounds
    amounts = {house: amount for (house, _, _), amount in money(second).items()}
    assert [amounts.get(h) for h in HOUSES[:26]] == [*[20_000] * 7, 500, *[20_000] * 16, None, 30_000]
    assert len(unknown(second)) == 1
    assert [row[0].value for row in book["已销号"].iter_rows(min_row=2)]


def test_places_are_named_by_runs_and_read_back():
    assert name_places(["C12", "C5", "C6", "C7"], "zh") == ["C5:C7、C12"]
    assert name_places(["row 5", "row 9", "row 6"], "zh") == ["第5-6行、第9行"]
    assert name_places(["row 5", "row 9", "row 6"], "en") == ["row 5-6, row 9"]
    for language in ("zh", "en"):
        assert places_in(name_places(["row 5", "row 9"], language)[0]) == ["row 5", "row 9"]
    assert places_in("C5:C7、C12") == ["C5", "C6", "C7", "C12"]
    pieces = name_places([f"D{n}" for n in range(2, 1000, 2)], "zh")
    assert len(pieces) == 3
    assert len([place for piece in pieces for place in places_in(piece)]) == 499
