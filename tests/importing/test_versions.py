"""One record in several sheets: corrections that come later, and ledgers that are handed over twice."""

from __future__ import annotations

from tests.importing.sheets import grid, imported, kinds, long_rows, money, roster, unknown

HOUSES = [f"00100{i}" for i in range(1, 8)]
WIDE = ["户编号", "工资性收入", "转移性收入"]
LONG = ["户编号", "月份", "收入类别", "金额"]


def yearly(file, *rows, title="2021年收入"):
    return grid([[title], WIDE, *rows], file)


def test_a_file_of_corrections_replaces_what_it_names():
    first = yearly("2021年收入.xlsx", ["001001", 900, 50], ["001002", 700, 60])
    late = yearly("2021年收入（更正）.xlsx", ["001001", 500, 50])
    result = imported(roster(HOUSES), first, late)
    assert money(result)["001001", "2021-01..2021-12", "wage"] == 500
    assert money(result)["001002", "2021-01..2021-12", "wage"] == 700
    assert "corrected later" in kinds(result, "asked")


def test_a_dated_correction_keeps_what_was_known_before():
    first = yearly("2021年收入.xlsx", ["001001", 900, 50], title="2021年收入 填报日期：2022年1月5日")
    late = yearly("2021年更正.xlsx", ["001001", 500, 50], title="2021年收入 填报日期：2022年2月5日")
    frame = imported(roster(HOUSES), first, late).assembled.tables["income"]
    wages = frame[frame["source"].eq("wage")]
    assert sorted(zip(wages["recorded_on"], wages["amount"], strict=True)) == [
        ("2022-01-05", "900"),
        ("2022-02-05", "500"),
    ]
    assert wages["row_id"].nunique() == 1


def test_before_and_after_in_one_sheet():
    first = yearly("2021年收入.xlsx", ["001001", 900, 50], ["001002", 700, 60])
    header = ["户编号", "更正前金额（元）", "更正后金额（元）"]
    late = grid([["2021年工资性收入更正表"], header, ["001001", 900, 650]], "更正.xlsx")
    result = imported(roster(HOUSES), first, late)
    assert money(result)["001001", "2021-01..2021-12", "wage"] == 650


def test_a_correction_of_one_of_two_receipts_is_unclear():
    ledger = grid([LONG, *long_rows(["2021-01"], {"001001": 500}), ["001001", "2021-01", "工资性收入", 80]])
    late = grid([LONG, *long_rows(["2021-01"], {"001001": 90})], "更正.xlsx")
    result = imported(roster(HOUSES), ledger, late)
    assert ("001001", "2021-01", "wage") not in money(result)
    assert ("001001", "income", "wage", "2021-01", "2021-01", "contradicts") in unknown(result)
    assert "correction unclear" in kinds(result, "asked")


def test_a_ledger_handed_over_twice_counts_once():
    amounts = {house: 100 + at for at, house in enumerate(HOUSES)}
    rows = long_rows(["2021-01"], amounts)
    newer = [*long_rows(["2021-01"], amounts | {"001007": 999}), *long_rows(["2021-02"], amounts)]
    result = imported(roster(HOUSES), grid([LONG, *rows], "台账.xlsx"), grid([LONG, *newer], "台账最新.xlsx"))
    known = money(result)
    assert known["001001", "2021-01", "wage"] == 100
    assert ("001007", "2021-01", "wage") not in known
    assert known["001007", "2021-02", "wage"] == 106
    assert {"sheet twice", "amounts contradict"} <= set(kinds(result, "asked"))


def test_two_sheets_with_a_few_equal_amounts_are_two_receipts():
    one = grid([LONG, *long_rows(["2021-01"], dict.fromkeys(HOUSES, 100))], "镇.xlsx")
    two = grid([LONG, *long_rows(["2021-01"], dict.fromkeys(HOUSES, 70) | {"001001": 100})], "局.xlsx")
    assert money(imported(roster(HOUSES), one, two))["001001", "2021-01", "wage"] == 200
