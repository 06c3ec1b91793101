"""Sheet names and line heights that Excel takes as they are."""

from __future__ import annotations

from riskmodel.presentation.workbook import sheet_name, wrapped_lines


def test_sheet_names_are_legal_and_differ() -> None:
    used: set[str] = set()
    names = [sheet_name(n, used) for n in ("汇总", "汇总", "a[b]:c", "x" * 40, "x" * 40, "'", "")]
    assert len({n.lower() for n in names}) == len(names)
    assert all(0 < len(n) <= 31 and not set(n) & set("[]:*?/\\'") for n in names)


def test_chinese_takes_two_columns_of_width() -> None:
    # Ten Chinese characters are twenty half-widths: two lines in a column of eleven.
    assert wrapped_lines("一二三四五六七八九十", 11) == 2
    assert wrapped_lines("0123456789", 11) == 1
    assert wrapped_lines("一\n二", 11) == 2
