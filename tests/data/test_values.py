"""Cells as offices write them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import ibis
import pyarrow as pa
import pytest

from riskmodel.data.parse import cell_content, cell_fault, cell_value
from riskmodel.data.schema import contract, month_ordinal
from riskmodel.data.values import (
    is_formula_like,
    parse_bool,
    parse_date,
    parse_grade,
    parse_month,
    parse_year,
    value_parser,
)

DAY = dt.date(2021, 5, 31)


@pytest.mark.parametrize(
    "written",
    [
        *("2021-05-31", "2021-5-31", "2021/05/31", "2021.5.31", "20210531", "2021年5月31日", " 2021-05-31 "),
        *("2021-05-31 08:30:00", "2021-05-31T08:30:00.000", "2021-05-31T00:00:00+08:00", "44347", "44347.0"),
        *(20210531, 44347, 44347.0, Decimal("44347"), DAY, dt.datetime(2021, 5, 31, 8)),
    ],
)
def test_days(written):
    # 44347 is 2021-05-31 in Excel: 44197 is 2021-01-01, and 150 days later.
    assert parse_date(written) == (DAY, None)
    assert parse_month(written) == (month_ordinal(2021, 5), None)


@pytest.mark.parametrize(
    "written", ["2021-05", "2021-5", "202105", 202105, 202105.0, "2021年5月", "2021/05", "2021.5"]
)
def test_months(written):
    assert parse_month(written) == (month_ordinal(2021, 5), None)
    # A month is no day: nothing is made up.
    assert parse_date(written)[0] is None


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        *(
            ("2021-02-30", "impossible date"),
            ("2021-13-01", "impossible date"),
            ("20211301", "impossible date"),
        ),
        *(("1021-01-01", "impossible date"), ("99999", "impossible date"), ("2999-01-01", "impossible date")),
        *(("31/05/2021", "unparsable date"), ("上月", "unparsable date"), ("2021", "unparsable date")),
        *(("=TODAY()", "formula-like cell"), ("-", "formula-like cell"), (float("inf"), "unparsable date")),
    ],
)
def test_no_days(written, reason):
    assert parse_date(written) == (None, reason)


@pytest.mark.parametrize("empty", [None, "", "  ", "\u3000", float("nan")])
def test_empty_cells_are_missing_and_no_fault(empty):
    for parse in (parse_date, parse_month, parse_bool, parse_year, parse_grade):
        assert parse(empty) == (None, None)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(
            ("True", True),
            ("FALSE", False),
            ("1", True),
            (0, False),
            (1.0, True),
            ("是", True),
            ("否", False),
        ),
        *((True, True), (False, False)),
    ],
)
def test_booleans(written, value):
    assert parse_bool(written) == (value, None)


def test_other_words_are_no_booleans():
    for word in ("yes?", "2", "有"):
        assert parse_bool(word) == (None, "unknown code")


def test_years_and_grades():
    assert [parse_year(y)[0] for y in ("2014", 2014, 2014.0, "2014年", "2014-07", dt.date(2014, 1, 1))] == [
        2014
    ] * 6
    assert [parse_grade(g) for g in ("0", 4, 4.0)] == [(0, None), (4, None), (4, None)]
    assert parse_grade("5") == parse_grade("一级") == (None, "unknown code")


def test_every_code_and_its_chinese_word():
    for table, spec in contract().tables.items():
        for name, column in spec.columns.items():
            if column.type not in ("code", "codes"):
                continue
            parse = value_parser(table, name, column)
            for code, word in (column.codes or {"illness": "因病"}).items():
                assert parse(code) == parse(word) == parse(f" {code.upper()} ") == (code, None)
            assert parse("no such word") == (None, "unknown code")


def test_several_causes_keep_their_order():
    parse = value_parser("monitoring", "causes", contract().tables["monitoring"].columns["causes"])
    # The main cause stands first.
    assert (
        parse("因灾；因病")
        == parse("disaster; illness")
        == parse("因灾、illness")
        == ("disaster;illness", None)
    )
    assert parse("因灾;?") == (None, "unknown code")
    assert parse(";")[0] is None


def test_formulas():
    assert [is_formula_like(t) for t in ("=1", "@x", "+86", "-1.5", "+x", "--", "a=b", "-1e3")] == [
        *(True, True, False, False, True, True, False, False)
    ]


def in_place(values, kind, arrow=None):
    rows = ibis.memtable(pa.table({"x": pa.array(values, arrow)}))
    given = cell_content(rows.x, kind)
    value = cell_value(given, kind)
    out = rows.select(value=value, reason=cell_fault(given, value, kind)).to_pyarrow()
    return list(zip(out["value"].to_pylist(), out["reason"].to_pylist(), strict=True))


def test_amounts_as_text():
    written = {
        "12.5": Decimal("12.5000"),
        " 1,234.56 ": Decimal("1234.56"),
        "1e3": Decimal(1000),
        "0.00005": Decimal("0.0001"),
        "": None,
        "-3": Decimal(-3),
    }
    assert in_place(list(written), "amount") == [(value, None) for value in written.values()]


def test_no_amounts():
    written = {
        "inf": "non-finite amount",
        "NaN": "non-finite amount",
        "=A1": "formula-like cell",
        "-": "formula-like cell",
        "1,2": "unparsable number",
        "五百": "unparsable number",
        "9" * 16: "amount too large",
    }
    assert in_place(list(written), "amount") == [(None, reason) for reason in written.values()]


def test_amounts_as_numbers():
    given = [1.25, float("inf"), float("nan"), None, 1e20]
    # NaN is how a frame writes a missing number; infinity is a fault.
    expected = [
        (Decimal("1.25"), None),
        (None, "non-finite amount"),
        (None, None),
        (None, None),
        (None, "amount too large"),
    ]
    assert in_place(given, "amount", pa.float64()) == expected
    assert in_place([3, None], "amount", pa.int64()) == [(Decimal(3), None), (None, None)]


def test_ids():
    assert in_place([" h1 ", "h2\u3000", "=x", "-7", None, ""], "id") == [
        *(("h1", None), ("h2", None), ("=x", "formula-like cell"), ("-7", None), (None, None), (None, None))
    ]
    assert in_place([101, None], "id", pa.int64()) == [("101", None), (None, None)]
    # pandas turns a column of whole numbers with a gap into floats; the id is still 101.
    assert in_place([101.0, float("nan"), 1.5], "id", pa.float64()) == [
        ("101", None),
        (None, None),
        ("1.5", None),
    ]
