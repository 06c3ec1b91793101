"""Text files as grids: encodings, delimiters, quotes, widths, and what is told of broken rows."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.errors import InputRefused
from riskmodel.grids.text_files import find_delimiter, find_encoding, read_text

HEADER = "户编号,姓名,金额"
BODY = ["0012,甲,12.5", "0013,乙,13", "0014,丙,14"]
ROWS = [line.split(",") for line in [HEADER, *BODY]]
TEXT = "\r\n".join([HEADER, *BODY, ""])


def rows(data: bytes | str):
    grid = read_text(data if isinstance(data, bytes) else data.encode(), "x.csv")
    assert grid is not None
    return grid.rows


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("gb18030"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\r\n", "\r").encode(),
        TEXT.encode() + b"\x1a\x00\x00",
    ],
    ids=["utf-8", "mark", "gb18030", "16 LE", "16 BE", "16 LE bare", "16 BE bare", "CR", "padding"],
)
def test_any_encoding_gives_the_same_rows(data):
    assert rows(data) == ROWS


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="户编号金额月份,h1\n", min_size=1))
def test_encodings_are_told_apart(text):
    # Bytes that are good UTF-8 are read as such, which is the rule; GB18030 bytes that are not are found.
    encoded = text.encode("gb18030")
    try:
        encoded.decode()
        expected = "utf-8"
    except UnicodeDecodeError:
        expected = "gb18030"
    assert find_encoding(text.encode(), "x") == ("utf-8", True)
    found, whole = find_encoding(encoded, "x")
    assert (found, whole) == (expected, True) or not whole


@pytest.mark.parametrize("mark", [",", "\t", ";", "|", "，", "、"])
def test_any_delimiter_gives_the_same_rows(mark):
    assert rows(TEXT.replace(",", mark)) == ROWS


def test_a_delimiter_is_what_cuts_all_rows_alike():
    # Commas stand in the amounts of every row but in no header; 、 stands within a text.
    assert find_delimiter(b"a;b\n1,5;2,5\n3,5;4,5\n", "utf-8") == (";", 2)
    assert find_delimiter("户编号,帮扶\n1,产业、就业\n2,产业、就业\n".encode(), "utf-8") == (",", 2)
    assert find_delimiter("第一行\n第二行、又一句\n".encode(), "utf-8") == (None, 1)


def test_titles_and_notes_do_not_decide_and_are_no_faults():
    grid = read_text(
        "\n".join(["2021年收入表", "单位：元", "", HEADER, *BODY, "填表人：,,", "注：略"]).encode(), "x"
    )
    assert grid.rows[0] == ["2021年收入表", None, None]
    assert grid.rows[2] == [None, None, None]
    assert grid.rows[3:7] == ROWS
    assert not grid.faults
    assert grid.address(4, 2) == "C4"


def test_numbers_written_as_formulas_keep_their_zeros():
    # Plain, as some exports write it, and quoted, as a CSV writer would.
    assert rows('户编号,金额\n="00123",1\n"=""00124""",2\n')[1:] == [["00123", "1"], ["00124", "2"]]


def test_quotes_hold_delimiters_and_line_breaks():
    assert rows('a,b,c\n1,"x,y","1\n2"\n3,4,"say ""so"""\n') == [
        ["a", "b", "c"],
        ["1", "x,y", "1\n2"],
        ["3", "4", 'say "so"'],
    ]


def test_broken_rows_are_named_and_cost_only_themselves():
    lines = [HEADER, *BODY, '0015,"丁,15', "0016,戊,16,7", "0017,己", "0018,庚,18,,", "0019,辛\x00,19"]
    data = "\n".join(lines).encode() + "\n0020,壬,20\n".encode().replace("壬".encode(), b"\xe5\xa3")
    grid = read_text(data, "x.csv")
    assert grid.faults == {
        5: "broken quotes",
        6: "wrong number of fields",
        7: "wrong number of fields",
        9: "wrong encoding",
        10: "wrong encoding",
    }
    assert [row[:3] for row in grid.rows[:4]] == ROWS
    assert grid.rows[7][:3] == ["0018", "庚", "18"]
    texts = [notice.text("en") for notice in grid.notices]
    assert any(text.startswith("x.csv: 2 rows are faulty (rows 6, 7): not as many fields") for text in texts)
    assert all(notice.text("zh") for notice in grid.notices)


def test_nothing_is_no_grid():
    for data in (b"", b"\n\n", b",,,\n", codecs.BOM_UTF8):
        assert read_text(data, "x.csv") is None


def test_bytes_that_are_no_text_are_refused():
    for data in (b"\x00\x00\x01\n" * 9, bytes(range(128, 256)) * 20):
        with pytest.raises(InputRefused, match=r"x\.csv: .*save it as CSV UTF-8"):
            read_text(data, "x.csv")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    try:
        grid = read_text(content, "any.csv")
    except InputRefused:
        return
    if grid is not None:
        assert {len(row) for row in grid.rows} == {grid.width}
        assert all(1 <= row <= len(grid.rows) for row in grid.faults)
