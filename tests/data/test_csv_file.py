"""Splitting CSV files: one stray quote or broken byte costs its own row and none after it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from riskmodel.data.file_formats import OVERFLOW, ROW, find_encoding, load_csv
from riskmodel.errors import InputRefused

HEADER = "household_id,month,source,amount"
ROWS = [f"h{i},2021-0{i},wage,{i}" for i in range(1, 6)]


def load(tmp_path, content: bytes):
    path = tmp_path / "income.csv"
    path.write_bytes(content)
    return load_csv(path, "income")


def cells(loaded) -> dict[int, list[str]]:
    return {row.pop(ROW): list(row.values()) for row in loaded.rows.to_pylist()}


def test_plain_file(tmp_path):
    loaded = load(tmp_path, "\r\n".join([HEADER, *ROWS]).encode())
    assert loaded.headers == tuple(HEADER.split(","))
    assert cells(loaded) == {i + 1: row.split(",") for i, row in enumerate(ROWS, start=1)}
    assert loaded.faults == []


def test_plain_and_careful_splitting_agree(tmp_path):
    plain = load(tmp_path, "\n".join([HEADER, *ROWS]).encode())
    # A quoted cell, a blank line at the end and another line end each lead to the careful way.
    for text in ("\n".join([HEADER, *ROWS]).replace("wage", '"wage"'), "\r".join([HEADER, *ROWS])):
        assert cells(load(tmp_path, text.encode())) == cells(plain)


def test_blank_rows_count_and_are_left_out(tmp_path):
    loaded = load(tmp_path, "\n".join(["", HEADER, ROWS[0], "", ",,,", ROWS[1], ""]).encode())
    assert list(cells(loaded)) == [3, 6]
    assert loaded.faults == []


def test_a_quoted_cell_may_span_lines(tmp_path):
    loaded = load(tmp_path, f'{HEADER}\nh1,2021-01,"wa\nge",1\n{ROWS[1]}'.encode())
    assert cells(loaded)[2] == ["h1", "2021-01", "wa\nge", "1"]
    assert cells(loaded)[3][0] == "h2"
    assert loaded.faults == []


def test_stray_quotes_cost_their_own_rows(tmp_path):
    lines = [HEADER, ROWS[0], 'h9,"2021-01,wage,1', ROWS[1], 'h8,"2021-01,wage,2', ROWS[2]]
    loaded = load(tmp_path, "\n".join(lines).encode())
    assert [(row, reason) for row, _, reason in loaded.faults] == [(3, "broken quotes"), (5, "broken quotes")]
    assert {row: cell[0] for row, cell in cells(loaded).items()} == {
        2: "h1",
        3: lines[2],
        4: "h2",
        5: lines[4],
        6: "h3",
    }


def test_rows_of_another_width(tmp_path):
    loaded = load(tmp_path, "\n".join([HEADER, "h1,2021-01", "h2,2021-01,wage,1,234", ROWS[0]]).encode())
    assert [(row, reason) for row, _, reason in loaded.faults] == [
        (2, "wrong number of fields"),
        (3, "wrong number of fields"),
    ]
    # What stands beyond the header is kept, so that the row can be shown whole.
    assert loaded.headers[-1] == OVERFLOW
    assert cells(loaded)[3] == ["h2", "2021-01", "wage", "1", "234"]
    # Trailing commas are no content.
    assert load(tmp_path, "\n".join([HEADER, ROWS[0] + ",,"]).encode()).faults == []


def test_a_broken_byte_does_not_turn_the_file_into_another_encoding(tmp_path):
    rows = [f"h{i},2021-01,工资性收入,{i}" for i in range(9)]
    content = "\n".join([HEADER, *rows]).encode().replace("工资性收入,4".encode(), b"\xe5\xb7\xa5\xff,4")
    loaded = load(tmp_path, content)
    assert loaded.faults == [(6, "", "wrong encoding")]
    assert cells(loaded)[7][2] == "工资性收入"


def test_a_broken_byte_in_an_ascii_file(tmp_path):
    loaded = load(tmp_path, "\n".join([HEADER, *ROWS]).encode().replace(b"h3,", b"h3\xe7,"))
    assert loaded.faults == [(4, "", "wrong encoding")]


def test_other_delimiters_and_titles(tmp_path):
    for mark in ";\t":
        text = "\n".join(
            [mark.join(["2021年收入表", "", "", ""]), *(r.replace(",", mark) for r in [HEADER, *ROWS])]
        )
        loaded = load(tmp_path, text.encode())
        assert loaded.headers == tuple(HEADER.split(","))
        assert len(cells(loaded)) == len(ROWS)
        assert [n.code for n in loaded.notices] == ["title rows"]


def test_no_header_is_nothing(tmp_path):
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", b",,,\n", b"\x00"):
        assert load(tmp_path, content) is None


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
