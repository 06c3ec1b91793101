"""Amounts: what counts once, what contradicts, what corrects, and what is unknown."""

from __future__ import annotations

from tests.importing.sheets import (
    grid,
    imported,
    kinds,
    long_rows,
    money,
    person_number,
    places,
    roster,
    rows_of,
    unknown,
)

HOUSES = [f"00100{i}" for i in range(1, 5)]
LONG = ["户编号", "月份", "收入类别", "金额"]
MONTHS = ["2021-01", "2021-02", "2021-03"]


def ledger(*extra, header=LONG, months=MONTHS, **more):
    """Return a ledger of three months of two households' wages, and further rows."""
    rows = long_rows(months, {"001001": 500, "001002": 700})
    return grid([header, *rows, *extra], "台账.xlsx", **more)


def yearly(rows, header=("户编号", "工资性收入", "转移性收入"), title="2020年", file="年收入.xlsx", **more):
    return grid([[title], header, *rows], file, **more)


def test_blanks_dashes_and_words_are_unknown_and_never_zero():
    rows = [["001001", None, 5], ["001002", "-", 5], ["001003", "无", 5], ["001004", "待核", "0"]]
    result = imported(roster(HOUSES), yearly(rows))
    known = money(result)
    assert not [k for k, v in known.items() if v == 0 and k[2] == "wage"]
    assert known["001004", "2020-01..2020-12", "transfer"] == 0
    assert {row[0] for row in unknown(result) if row[2] == "wage"} == set(HOUSES)
    assert "blank amount" in kinds(result, "unknown")
    assert "maybe nothing" in kinds(result, "asked")


def test_a_gross_amount_below_zero_is_unknown_and_a_net_one_is_an_amount():
    header = ("户编号", "工资性收入", "生产经营净收入")
    result = imported(roster(HOUSES), yearly([["001001", -5, -8]], header))
    assert money(result) == {("001001", "2020-01..2020-12", "business_net"): -8}
    assert kinds(result, "unknown") == ["negative amount"]


def test_a_row_that_differs_in_its_serial_number_only_counts_once():
    header = ("序号", "户编号", "工资性收入", "转移性收入")
    result = imported(roster(HOUSES), yearly([[1, "001001", 9, 1], [2, "001001", 9, 1]], header))
    assert money(result)["001001", "2020-01..2020-12", "wage"] == 9
    assert places(result, "row twice") == ["row 4"] or "row twice" in kinds(result, "rejected")


def test_two_totals_that_contradict_are_unknown_and_asked():
    result = imported(roster(HOUSES), yearly([["001001", 9, 1], ["001001", 8, 1]]))
    assert ("001001", "2020-01..2020-12", "wage") not in money(result)
    assert money(result)["001001", "2020-01..2020-12", "transfer"] == 1
    assert ("001001", "income", "wage", "2020-01", "2020-12", "contradicts") in unknown(result)
    assert kinds(result, "asked") == ["amounts contradict"]


def test_equal_months_without_a_person_are_two_earners_and_asked():
    result = imported(roster(HOUSES), ledger(["001001", "2021-01", "工资性收入", 500]))
    assert money(result)["001001", "2021-01", "wage"] == 1_000
    assert "equal rows" in kinds(result, "asked")


def test_equal_months_of_one_person_count_once():
    header = ["户编号", "姓名", "月份", "收入类别", "金额"]
    row = ["001001", "甲0", "2021-01", "工资性收入", 500]
    result = imported(roster(HOUSES), grid([header, row, row], "台账.xlsx"))
    assert money(result)["001001", "2021-01", "wage"] == 500
    assert "row twice" in kinds(result, "rejected")


def test_a_record_number_makes_a_later_row_the_correction():
    header = [*LONG, "记录编号", "录入日期"]
    rows = [
        ["001001", "2021-01", "工资", 500, "A1", "2021-02-01"],
        ["001001", "2021-01", "工资", 50, "A1", "2021-05-01"],
        ["001002", "2021-01", "工资", 700, "A2", "2021-02-01"],
    ]
    result = imported(roster(HOUSES), grid([header, *rows], "台账.xlsx"))
    assert rows_of(result, "income", "household_id", "amount", "row_id", "recorded_on") == [
        ("001001", "50", "A1", "2021-05-01"),
        ("001001", "500", "A1", "2021-02-01"),
        ("001002", "700", "A2", "2021-02-01"),
    ]


def test_a_later_row_of_a_person_corrects_where_there_is_one_row_a_month():
    header = ["户编号", "姓名", "月份", "收入类别", "金额", "录入日期"]
    rows = [["001001", "甲0", f"2021-{m:02d}", "工资", 500, f"2021-{m:02d}-28"] for m in range(1, 13)]
    rows += [["001002", "甲1", f"2021-{m:02d}", "工资", 600, f"2021-{m:02d}-28"] for m in range(1, 13)]
    late = ["001001", "甲0", "2021-03", "工资", 450, "2021-09-01"]
    result = imported(roster(HOUSES), grid([header, *rows, late], "台账.xlsx"))
    assert kinds(result, "asked") == ["taken as correction"]
    numbers = {r[1] for r in rows_of(result, "income", "month", "row_id") if r[0] == "2021-03" and r[1]}
    assert len(numbers) == 1


def test_sums_from_january_on_become_months_of_their_own():
    header = ("户编号", "1-3月", "1-6月", "1-9月", "1-12月")
    rows = [["001001", 300, 500, 500, 900], ["001002", 10, None, 30, 40], ["001003", 50, 40, 60, 70]]
    result = imported(roster(HOUSES), yearly(rows, header, "2021年工资性收入", "累计.xlsx"))
    known = money(result)
    assert [known["001001", span, "wage"] for span in
            ("2021-01..2021-03", "2021-04..2021-06", "2021-07..2021-09", "2021-10..2021-12")] == [
        300, 200, 0, 400,
    ]  # fmt: skip
    # A sum that cannot be read is made good by the next one.
    assert known["001002", "2021-04..2021-09", "wage"] == 20
    assert "cumulative falls" in kinds(result, "asked")
    assert not [k for k in known if k[0] == "001003" and k[1].startswith("2021-04")]


def test_a_row_in_another_unit_is_unknown_and_asked():
    houses = [f"0020{i:02d}" for i in range(20)]
    rows = [[h, 20_000 + 100 * i, 3_000] for i, h in enumerate(houses)]
    rows[7] = [houses[7], 2.07, 0.3]
    result = imported(roster(houses), yearly(rows))
    assert kinds(result, "asked") == ["unit of row"]
    assert not [k for k in money(result) if k[0] == houses[7]]
    assert {row[5] for row in unknown(result) if row[0] == houses[7]} == {"unit_doubtful"}


def test_a_month_that_may_be_january_or_october_leaves_both_unknown():
    rows = [["001001", 2021.1, "工资", 500], ["001002", 2021.5, "工资", 600]]
    result = imported(roster(HOUSES), grid([LONG, *rows], "台账.xlsx"))
    assert "ambiguous month" in kinds(result, "asked")
    off = {row[3] for row in unknown(result) if row[0] == "001001" and row[5] == "row_rejected"}
    assert off == {"2021-01", "2021-10"}


def test_a_row_of_an_unknown_source_takes_its_month_off_record():
    result = imported(roster(HOUSES), ledger(["001001", "2021-02", "甲类款", 40]))
    assert "unknown item" in kinds(result, "rejected")
    assert ("001001", "income", "", "2021-02", "2021-02", "row_rejected") in unknown(result)


def test_a_month_that_cannot_be_read_leaves_the_household_unknown():
    result = imported(roster(HOUSES), ledger(["001002", "某月", "工资", 40]))
    assert "no month" in kinds(result, "rejected")
    assert ("001002", "income", "wage", "", "", "row_rejected") in unknown(result)


def test_words_of_the_other_table_make_its_rows():
    rows = [["001001", "2021-01", w, 40] for w in ("务工", "学费", "补贴", "医药费")]
    result = imported(roster(HOUSES), grid([["户编号", "月份", "项目", "金额"], *rows], "往来.xlsx"))
    assert {k[2] for k in money(result)} == {"wage", "transfer"}
    assert {k[2] for k in money(result, "spending")} == {"education", "medical"}
    assert "unknown item" not in kinds(result)


def test_amounts_under_an_identity_number_are_of_that_persons_household():
    header = ["身份证号码", "发放年月", "待遇类型", "发放金额"]
    known = person_number("19700315", 1)
    rows = [
        [known.lower(), "202101", "养老金", 120],
        [person_number("19550101", 9), "202101", "养老金", 120],
        [known[:-1] + ("0" if known[-1] != "0" else "1"), "202102", "养老金", 120],
        [5.39901e17, "202103", "养老金", 120],
    ]
    result = imported(roster(HOUSES), grid([header, *rows], "发放.xlsx"))
    assert money(result) == {("001001", "2021-01", "transfer"): 120}
    assert sorted(k for k in kinds(result, "rejected")) == [
        "bad id number", "rounded number", "unknown person",
    ]  # fmt: skip


def test_an_amount_of_a_household_that_no_list_has_is_out():
    result = imported(roster(HOUSES), ledger(["009999", "2021-01", "工资", 5]))
    assert "unknown household" in kinds(result, "rejected")
    assert not [k for k in money(result) if k[0] == "009999"]


def test_totals_beside_parts_are_compared_and_never_added():
    header = ("户编号", "工资性收入", "转移性收入", "其中：低保金", "其中：养老金", "家庭人口数")
    rows = [["001001", 100, 50, 20, 30, 2], ["001002", 100, 50, 20, 99, 3]]
    result = imported(roster(HOUSES), yearly(rows, header))
    assert money(result)["001001", "2020-01..2020-12", "transfer"] == 50
    assert sorted(kinds(result, "asked")) == ["check parts", "check persons"]


def test_units_of_title_header_and_cell():
    header = ("户编号", "工资性收入（元）", "转移性收入")
    rows = [["001001", 30_000, 0.5], ["001002", "3.2万", "￥800"], ["001003", 41_000, "600元"]]
    known = money(imported(roster(HOUSES), yearly(rows, header, "2020年收入 单位：万元")))
    assert [known[h, "2020-01..2020-12", "wage"] for h in HOUSES[:3]] == [30_000, 32_000, 41_000]
    assert [known[h, "2020-01..2020-12", "transfer"] for h in HOUSES[:3]] == [5_000, 800, 600]
