"""CSV files and Excel sheets as rows of text: encodings, quotes, widths; hidden rows, merged cells."""

from __future__ import annotations

import datetime as dt

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.data import from_frames, read_county, write_county
from riskmodel.data.file_formats import OVERFLOW, ROW, load_csv, load_sheet, open_workbook
from riskmodel.data.read import read_tables
from riskmodel.errors import InputRefused
from riskmodel.households import point_in_time

from . import exports

HEADER = "household_id,month,source,amount"
ROWS = [f"h{i},2021-0{i},wage,{i}" for i in range(1, 6)]


def load_csv_bytes(tmp_path, content: bytes):
    path = tmp_path / "income.csv"
    path.write_bytes(content)
    return load_csv(path, "income")


def cells(loaded) -> dict[int, list[str]]:
    return {row.pop(ROW): list(row.values()) for row in loaded.rows.to_pylist()}


def test_plain_file(tmp_path):
    loaded = load_csv_bytes(tmp_path, "\r\n".join([HEADER, *ROWS]).encode())
    assert loaded.headers == tuple(HEADER.split(","))
    assert cells(loaded) == {i + 1: row.split(",") for i, row in enumerate(ROWS, start=1)}
    assert loaded.faults == []


def test_plain_and_careful_splitting_agree(tmp_path):
    plain = load_csv_bytes(tmp_path, "\n".join([HEADER, *ROWS]).encode())
    # A quoted cell, a blank line at the end and another line end each lead to the careful way.
    for text in ("\n".join([HEADER, *ROWS]).replace("wage", '"wage"'), "\r".join([HEADER, *ROWS])):
        assert cells(load_csv_bytes(tmp_path, text.encode())) == cells(plain)


def test_blank_rows_count_and_are_left_out(tmp_path):
    loaded = load_csv_bytes(tmp_path, "\n".join(["", HEADER, ROWS[0], "", ",,,", ROWS[1], ""]).encode())
    assert list(cells(loaded)) == [3, 6]
    assert loaded.faults == []


def test_a_quoted_cell_may_span_lines(tmp_path):
    loaded = load_csv_bytes(tmp_path, f'{HEADER}\nh1,2021-01,"wa\nge",1\n{ROWS[1]}'.encode())
    assert cells(loaded)[2] == ["h1", "2021-01", "wa\nge", "1"]
    assert cells(loaded)[3][0] == "h2"
    assert loaded.faults == []


def test_stray_quotes_cost_their_own_rows(tmp_path):
    lines = [HEADER, ROWS[0], 'h9,"2021-01,wage,1', ROWS[1], 'h8,"2021-01,wage,2', ROWS[2]]
    loaded = load_csv_bytes(tmp_path, "\n".join(lines).encode())
    assert [(row, reason) for row, _, reason in loaded.faults] == [(3, "broken quotes"), (5, "broken quotes")]
    assert {row: cell[0] for row, cell in cells(loaded).items()} == {
        2: "h1",
        3: lines[2],
        4: "h2",
        5: lines[4],
        6: "h3",
    }


def test_rows_of_another_width(tmp_path):
    loaded = load_csv_bytes(
        tmp_path, "\n".join([HEADER, "h1,2021-01", "h2,2021-01,wage,1,234", ROWS[0]]).encode()
    )
    assert [(row, reason) for row, _, reason in loaded.faults] == [
        (2, "wrong number of fields"),
        (3, "wrong number of fields"),
    ]
    # What stands beyond the header is kept, so that the row can be shown whole.
    assert loaded.headers[-1] == OVERFLOW
    assert cells(loaded)[3] == ["h2", "2021-01", "wage", "1", "234"]
    # Trailing commas are no content.
    assert load_csv_bytes(tmp_path, "\n".join([HEADER, ROWS[0] + ",,"]).encode()).faults == []


def test_a_broken_byte_does_not_turn_the_file_into_another_encoding(tmp_path):
    rows = [f"h{i},2021-01,工资性收入,{i}" for i in range(9)]
    content = "\n".join([HEADER, *rows]).encode().replace("工资性收入,4".encode(), b"\xe5\xb7\xa5\xff,4")
    loaded = load_csv_bytes(tmp_path, content)
    assert loaded.faults == [(6, "", "wrong encoding")]
    assert cells(loaded)[7][2] == "工资性收入"


def test_a_broken_byte_in_an_ascii_file(tmp_path):
    loaded = load_csv_bytes(tmp_path, "\n".join([HEADER, *ROWS]).encode().replace(b"h3,", b"h3\xe7,"))
    assert loaded.faults == [(4, "", "wrong encoding")]


def test_other_delimiters_and_titles(tmp_path):
    for mark in ";\t":
        text = "\n".join(
            [mark.join(["2021年收入表", "", "", ""]), *(r.replace(",", mark) for r in [HEADER, *ROWS])]
        )
        loaded = load_csv_bytes(tmp_path, text.encode())
        assert loaded.headers == tuple(HEADER.split(","))
        assert len(cells(loaded)) == len(ROWS)
        assert [n.code for n in loaded.notices] == ["title rows"]


def test_no_header_is_nothing(tmp_path):
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", b",,,\n", b"\x00"):
        assert load_csv_bytes(tmp_path, content) is None


def test_utf_16_is_read_like_any_other(tmp_path):
    text = "\r\n".join(["户编号,月份,收入类别,金额", *ROWS, ""])
    plain = load_csv_bytes(tmp_path, text.encode())
    for encoding in ("utf-16", "utf-16-be"):
        mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
        loaded = load_csv_bytes(tmp_path, mark + text.encode(encoding))
        assert (loaded.headers, cells(loaded)) == (plain.headers, cells(plain))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        loaded = load_csv(path, "income")
    except InputRefused:
        return
    if loaded is not None:
        # Every faulty row is among the rows, so that it can be shown whole.
        assert {row for row, _, _ in loaded.faults} <= set(loaded.rows[ROW].to_pylist())
        assert loaded.rows.num_columns == len(loaded.headers) + 1


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 160), st.binary(min_size=1, max_size=3)), max_size=6))
def test_corruption_costs_only_the_rows_it_touches(tmp_path_factory, changes):
    content = bytearray("\n".join([HEADER, *ROWS]).encode())
    touched = set()
    for place, data in changes:
        at = min(len(HEADER) + 1 + place, len(content))
        if b"\n" in data or b"\r" in data or content[at : at + 1] == b"\n":
            continue
        touched.add(content[:at].count(b"\n") + 1)
        content[at : at + 1] = data
    path = tmp_path_factory.getbasetemp() / "spoilt.csv"
    path.write_bytes(bytes(content))
    try:
        loaded = load_csv(path, "income")
    except InputRefused:
        return
    assert loaded is not None
    found = cells(loaded)
    for number, row in enumerate(ROWS, start=2):
        if number not in touched:
            assert found[number][:4] == row.split(",")


HEADERS = ["户编号", "月份", "收入类别", "金额"]


def sheet_of(rows, headers=HEADERS):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [headers, *rows]:
        sheet.append(row)
    return sheet


def load_worksheet(tmp_path, sheet):
    path = tmp_path / "收入.xlsx"
    sheet.parent.save(path)
    return load_sheet(open_workbook(path).worksheets[0], "income", path.name)


def test_cells_become_text(tmp_path):
    sheet = sheet_of(
        [[101, dt.datetime(2021, 5, 1), "工资性收入", 12.5], ["h2", 44317, "x", "=A1+1"], [True, None, "", 3]]
    )
    loaded = load_worksheet(tmp_path, sheet)
    assert [list(r.values())[1:] for r in loaded.rows.to_pylist()] == [
        ["101", "2021-05-01", "工资性收入", "12.5"],
        ["h2", "44317", "x", "=A1+1"],
        ["True", "", "", "3"],
    ]
    assert loaded.rows[ROW].to_pylist() == [2, 3, 4]


def test_hidden_rows_and_merged_cells_are_faults(tmp_path):
    sheet = sheet_of([[f"h{i}", "2021-05", "wage", i] for i in range(6)])
    sheet.row_dimensions[3].hidden = True
    sheet.merge_cells("A4:A5")  # one household written over two rows: the second has lost its id
    sheet.merge_cells("C7:D7")  # and one cell over two columns: its amount is lost
    loaded = load_worksheet(tmp_path, sheet)
    assert loaded.faults == [(3, "", "hidden row"), (5, "户编号", "merged cell"), (7, "金额", "merged cell")]
    assert loaded.rows[ROW].to_pylist() == [2, 3, 4, 5, 6, 7]


def test_titles_hidden_columns_and_blank_rows(tmp_path):
    sheet = sheet_of([["h1", "2021-05", "wage", 1], [None] * 4, ["h2", "2021-05", "wage", 2]])
    sheet.insert_rows(1, 2)
    sheet["A1"] = "某县收入表"
    sheet.merge_cells("A1:D1")
    sheet.column_dimensions["B"].hidden = True
    loaded = load_worksheet(tmp_path, sheet)
    assert loaded.headers == tuple(HEADERS)
    assert loaded.rows[ROW].to_pylist() == [4, 6]
    assert [notice.code for notice in loaded.notices] == ["title rows", "hidden columns"]
    assert loaded.faults == []


def test_a_stray_cell_at_the_far_end_costs_nothing(tmp_path):
    sheet = sheet_of([["h1", "2021-05", "wage", 1]])
    sheet["XFD2"] = "see other list"
    sheet["A1048576"] = "合计"
    loaded = load_worksheet(tmp_path, sheet)
    assert loaded.headers == (*HEADERS, OVERFLOW)
    assert loaded.rows[ROW].to_pylist() == [2, 1048576]
    assert loaded.rows["c4"].to_pylist() == ["see other list", ""]


def test_faults_reach_the_rejected_rows(tmp_path):
    rows = exports.core()
    write_county(exports.frames(rows), tmp_path, "xlsx")
    path = tmp_path / "income.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = book.active
    sheet.row_dimensions[2].hidden = True
    sheet.merge_cells("A5:A6")
    sheet["D9"] = "=SUM(D2:D8)"
    book.save(path)
    reading = read_tables(tmp_path)
    found = reading.county.rejected
    assert found[["file", "row", "column", "reason"]].to_numpy().tolist() == [
        ["income.xlsx", 2, "*", "hidden row"],
        ["income.xlsx", 6, "household_id", "merged cell"],
        ["income.xlsx", 9, "amount", "formula-like cell"],
    ]
    assert found.amount.tolist()[2] == "=SUM(D2:D8)"
    assert len(reading.county.frame("income")) == len(rows["income"]) - 3


def test_one_workbook_with_a_sheet_a_table(tmp_path):
    frames = exports.frames(exports.core())
    write_county(frames, tmp_path / "files", "xlsx")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, zh in (("households", "农户"), ("members", "members"), ("income", "收入")):
        sheet = book.create_sheet(zh)
        for row in openpyxl.load_workbook(tmp_path / "files" / f"{name}.xlsx").active.iter_rows(
            values_only=True
        ):
            sheet.append(row)
    book.create_sheet("农户统计").append(["什么", "都有"])
    book.create_sheet("支出").sheet_state = "hidden"
    (tmp_path / "one").mkdir()
    for path in (tmp_path / "one" / "全县台账.xlsx", tmp_path / "台账.xlsx"):
        book.save(path)
    expected = point_in_time.fingerprint(from_frames(frames), "2022-01-01")
    for data in (tmp_path / "one", tmp_path / "台账.xlsx"):
        county = read_county(data)
        assert point_in_time.fingerprint(county, "2022-01-01") == expected
        assert not county.has("spending")


def test_a_broken_workbook_is_refused(tmp_path):
    path = tmp_path / "收入.xlsx"
    path.write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(InputRefused, match=r"cannot be read as \.xlsx"):
        open_workbook(path)
