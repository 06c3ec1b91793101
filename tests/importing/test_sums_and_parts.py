"""Parts, wholes, sums and other periods side by side: nothing counts twice, and no part as the whole."""

from __future__ import annotations

import pytest

from riskmodel.importing import guess_files, vocabulary
from riskmodel.importing.header_words import Span
from tests.importing.sheets import grid, guessed, imported, kinds, money, places, roster, sheets, unknown

A, B, C = HOUSES = ["001001", "001002", "001003"]
YEAR = "2021-01..2021-12"


def county(header, *rows, title="2021年收入（元）", file="收入.xlsx"):
    table = [header] if header and isinstance(header[0], str) else header
    return imported(roster(HOUSES), grid([[title], *table, *rows], file))


def asked(one):
    return [q.kind for g in guess_files(sheets(one))[1] for q in g.questions]


# ---------------------------------------------------------------- parts and wholes


def test_parts_without_their_total_are_added_up_and_asked_about():
    one = grid(
        [["2021年收入（元）"], ["户编号", "工资性收入", "低保金", "养老金"],
         [A, 9000, 1200, 2400], [B, 8000, None, 2400], [C, 7000, 0, "待核"]], "收入.xlsx",
    )  # fmt: skip
    result = imported(roster(HOUSES), one)
    assert asked(one) == ["parts without total"]
    assert money(result)[A, YEAR, "transfer"] == 3600
    lost = {u[:3] for u in unknown(result)}
    assert lost == {(B, "income", "transfer"), (C, "income", "transfer")}
    assert (places(result, "blank amount"), places(result, "unreadable amount")) == (["C4"], ["D5"])


def test_parts_beside_their_total_are_compared_and_not_added():
    header = ["户编号", "转移性收入", "其中：低保金", "其中：养老金"]
    result = county(header, [A, 3600, 1200, 2400], [B, 3600, 1200, 2000], [C, 3600, 1200, 2400])
    assert money(result)[A, YEAR, "transfer"] == 3600
    assert places(result, "check parts") == ["B4"]


def test_some_of_the_parts_are_no_contradiction_unless_they_are_more():
    header = ["户编号", "转移性收入", "低保金"]
    result = county(header, [A, 3600, 1200], [B, 3600, 2000], [C, 3600, 4000])
    assert places(result, "check parts") == ["B5"]


def test_below_a_group_all_are_parts_and_the_subtotal_is_the_whole():
    header = [
        ["户编号", "工资性收入", None, None, "转移性收入", None],
        [None, "务工收入", "公益岗", "小计", "低保金", "其他"],
    ]
    merged = ((2, 1, 2, 3), (2, 4, 2, 5), (2, 0, 3, 0))
    rows = [[A, 8000, 1000, 9000, 500, 100], [B, 8000, 1000, 9900, 500, 100]]
    one = grid([["2021年收入（元）"], *header, *rows], "收入.xlsx", merged=merged)
    result = imported(roster(HOUSES), one)
    assert money(result)[A, YEAR, "wage"] == 9000
    assert money(result)[A, YEAR, "transfer"] == 600
    assert places(result, "check parts") == ["D5"]
    assert asked(one) == ["parts without total"]


@pytest.mark.parametrize(
    ("header", "amounts"),
    [
        (["户编号", "务工收入"], {"wage": 5000}),  # alone it is all that there is
        (["户编号", "务工收入", "公益性岗位收入"], {"wage": 5600}),
        (["户编号", "务工收入", "公益性岗位收入", "小计"], {"wage": 5700}),
        (["户编号", "务工收入", "公益性岗位收入", "工资性收入"], {"wage": 5700}),
        (["户编号", "其中：工资性收入", "收入合计"], {"wage": 5000}),
    ],
)
def test_a_word_that_may_be_a_whole_or_a_part(header, amounts):
    result = county(header, *[[h, 5000, 600, 5700][: len(header)] for h in HOUSES])
    assert {item: v for (h, _, item), v in money(result).items() if h == A} == amounts


def test_parts_in_one_sheet_and_the_whole_in_another():
    part = grid([["2021年"], ["户编号", "低保金"], [A, 1200], [B, 5000], [C, 900]], "民政局2021年.xlsx")
    whole = grid([["2021年"], ["户编号", "转移性收入"], [A, 3000], [B, 3000]], "收入2021年.xlsx")
    result = imported(roster(HOUSES), part, whole)
    assert {h: v for (h, _, _), v in money(result).items()} == {A: 3000, B: 3000, C: 900}
    assert "check parts" in kinds(result, "asked")


def test_parts_from_two_departments_are_added_and_copies_are_not():
    pension = grid([["2021年"], ["户编号", "养老金"], [A, 2400]], "人社局2021年.xlsx")
    relief = grid([["2021年"], ["户编号", "低保金"], [A, 1200], [B, 600]], "民政局2021年.xlsx")
    copy = grid([["2021年"], ["户编号", "低保金"], [B, 600], [C, 500]], "乡镇2021年.xlsx")
    result = imported(roster(HOUSES), pension, relief, copy)
    assert {h: v for (h, _, _), v in money(result).items()} == {A: 3600, B: 600, C: 500}


def test_parts_of_a_year_in_rows_are_added():
    rows = [[A, "低保金", 1200], [A, "养老金", 2400], [B, "转移性收入", 3000], [B, "低保金", 1200]]
    result = county(["户编号", "收入类别", "金额"], *rows)
    assert money(result) == {(A, YEAR, "transfer"): 3600, (B, YEAR, "transfer"): 3000}


# ---------------------------------------------------------------- sums


def test_sums_of_incomes_and_spendings_are_compared_row_by_row():
    header = ["户编号", "工资性收入", "转移性收入", "收入合计"]
    header += ["生产经营性支出", "教育支出", "支出合计", "家庭纯收入"]
    rows = [
        [A, 9000, 1000, 10000, 500, 300, 800, 9500],
        [B, 9000, 1000, 11000, 500, 300, 900, 9500],
        [C, 9000, "待核", 10000, 500, 300, 800, 12000],
    ]
    result = county(header, *rows)
    assert places(result, "check total") == ["D4", "G4"]
    assert not places(result, "check net_income")
    assert money(result)[B, YEAR, "wage"] == 9000


def test_a_plain_sum_adds_up_what_stands_to_its_left():
    header = ["户编号", "工资性收入", "转移性收入", "合计", "教育支出", "住房支出", "小计"]
    rows = [[h, 9000, 1000, 10000, 300, 200, 500] for h in HOUSES]
    rows[1][3], rows[2][6] = 12000, 600
    assert places(county(header, *rows), "check total") == ["D4", "G5"]


def test_net_income_takes_the_costs_from_another_sheet():
    costs = grid([["2021年"], ["户编号", "生产经营性支出"], [A, 2000], [B, 2000]], "支出2021年.xlsx")
    header = ["户编号", "工资性收入", "生产经营性收入", "家庭纯收入"]
    rows = [[A, 5000, 6000, 9000], [B, 5000, 6000, 11000], [C, 5000, 6000, 11000]]
    income = grid([["2021年"], header, *rows], "收入2021年.xlsx")
    assert places(imported(roster(HOUSES), costs, income), "check net_income") == ["D4"]


def test_a_column_most_of_which_disagrees_is_asked_about_once():
    houses = [f"0010{n:02d}" for n in range(1, 41)]
    rows = [[h, 9000, 1000, 10000 if n < 5 else 5000] for n, h in enumerate(houses)]
    one = grid([["2021年"], ["户编号", "工资性收入", "转移性收入", "收入合计"], *rows], "收入.xlsx")
    result = imported(roster(houses), one)
    assert kinds(result, "asked") == ["check column"]


def test_years_and_quarters_beside_their_months_are_compared():
    header = ["户编号", "1月", "2月", "3月", "一季度", *[f"{m}月" for m in range(4, 13)], "全年"]
    rows = [[h, *[100] * 3, 300, *[100] * 9, 1200] for h in HOUSES]
    rows[1][4], rows[2][-1] = 400, 1300
    result = county(header, *rows, title="2021年工资性收入（元）")
    assert places(result, "check total") == ["E4", "O5"]
    assert sum(v for (h, _, _), v in money(result).items() if h == B) == 1200


def test_a_subtotal_of_months_is_compared_and_not_read():
    months = [f"{m}月" for m in range(1, 13)]
    header = [["户编号", "工资性收入", *[None] * 12], [None, *months, "小计"]]
    rows = [[h, *[100] * 12, 1300 if h == B else 1200] for h in HOUSES]
    one = grid([["2021年"], *header, *rows], "收入.xlsx", merged=((2, 1, 2, 13), (2, 0, 3, 0)))
    result = imported(roster(HOUSES), one)
    assert places(result, "check total") == ["N5"]
    assert sum(v for (h, _, _), v in money(result).items() if h == B) == 1200


def test_parts_of_spending_and_sums_named_after_their_source():
    header = ["户编号", "种植支出", "养殖支出", "学费", "支出合计", "转移性收入小计", "低保金", "养老金"]
    result = county(header, *[[h, 100, 200, 50, 350, 500, 300, 200] for h in HOUSES])
    assert {item: v for (h, _, item), v in money(result, "spending").items() if h == A} == {
        "production": 300, "education": 50,
    }  # fmt: skip
    assert money(result)[A, YEAR, "transfer"] == 500
    assert not kinds(result)


# ---------------------------------------------------------------- other periods


@pytest.mark.parametrize(
    ("path", "span"),
    [
        (("上年工资性收入",), Span(1, 12, back=1)),
        (("工资性收入（去年）",), Span(1, 12, back=1)),
        (("工资性收入", "上年同期"), Span(1, 12, back=1)),
        (("上年", "工资性收入"), Span(1, 12, back=1)),
        (("前年工资性收入",), Span(1, 12, back=2)),
    ],
)
def test_amounts_of_the_year_before_are_known_as_such(path, span):
    meaning = vocabulary().meanings(path)[0]
    assert (meaning.role, meaning.name, meaning.span) == ("item", "income.wage", span)


def test_amounts_of_the_year_before_are_of_that_year():
    header = ["户编号", "工资性收入", "上年同期", "同比（%）", "上年转移性收入", "上年收入合计"]
    result = county(header, *[[h, 9000, 8000, 12.5, 500, 8500] for h in HOUSES])
    assert {(span, item): v for (h, span, item), v in money(result).items() if h == A} == {
        (YEAR, "wage"): 9000, ("2020-01..2020-12", "wage"): 8000, ("2020-01..2020-12", "transfer"): 500,
    }  # fmt: skip
    assert places(result, "column of another period") == ["D", "F"]


def test_the_year_before_has_its_own_sheet():
    now = grid([["2021年"], ["户编号", "工资性收入", "上年工资性收入"], [A, 9000, 8000], [B, 9000, 7000],
                [C, 9000, 6000]], "收入2021年.xlsx")  # fmt: skip
    then = grid([["2020年"], ["户编号", "工资性收入"], [A, 8000], [B, 7500]], "收入2020年.xlsx")
    result = imported(roster(HOUSES), now, then)
    earlier = {h: v for (h, span, _), v in money(result).items() if span.startswith("2020")}
    assert earlier == {A: 8000, B: 7500, C: 6000}
    assert places(result, "earlier differs") == ["C4"]


def test_this_year_and_the_year_before_side_by_side():
    result = county(["户编号", "本年", "上年"], *[[h, 9000, 8000] for h in HOUSES], title="2021年工资性收入")
    assert money(result)[A, YEAR, "wage"] == 9000
    assert money(result)[A, "2020-01..2020-12", "wage"] == 8000


def test_spans_of_the_year_before_are_of_that_year():
    result = county(
        ["户编号", "工资性收入", "去年同期", "比上年增长"], *[[h, 5000, 4000, 25] for h in HOUSES],
        title="2021年1-6月农户收入（元）",
    )  # fmt: skip
    assert {span: v for (h, span, _), v in money(result).items() if h == A} == {
        "2021-01..2021-06": 5000, "2020-01..2020-06": 4000,
    }  # fmt: skip
    running = county(
        ["户编号", "1-6月", "1-12月", "上年1-12月"], *[[h, 500, 1000, 900] for h in HOUSES],
        title="2021年工资性收入",
    )  # fmt: skip
    assert money(running)[A, "2020-01..2020-12", "wage"] == 900


def test_every_column_that_is_not_read_is_told():
    header = ["序号", "户编号", "工资性收入", "增长率", "家中牲畜", "备注"]
    result = county(header, *[[n, h, 9000, 3, 2, "好"] for n, h in enumerate(HOUSES)])
    assert (places(result, "column of another period"), places(result, "column not read")) == (["D"], ["E"])


def test_a_map_may_name_parts_and_years_back():
    one = grid([["2021年"], ["户编号", "低保金", "养老金", "上年工资性收入"], [A, 1, 2, 3]], "收入.xlsx")
    (table,) = guessed(one).tables
    assert [(a.column, a.part, a.years_back) for a in table.amounts] == [
        ("低保金", True, 0), ("养老金", True, 0), ("上年工资性收入", False, 1),
    ]  # fmt: skip


# ---------------------------------------------------------------- one amount in two sheets


def test_what_a_household_earned_is_not_added_to_what_its_members_earned():
    members = [[A, "甲0", 5000], [A, "乙0", 3000], [B, "甲1", 9000], [C, "甲2", 700]]
    one = grid([["2021年"], ["户编号", "姓名", "工资性收入"], *members], "务工2021年.xlsx")
    homes = grid([["2021年"], ["户编号", "工资性收入"], [A, 8000], [B, 6000]], "收入2021年.xlsx")
    result = imported(roster(HOUSES), one, homes)
    assert {h: v for (h, _, _), v in money(result).items()} == {A: 8000, B: 6000, C: 700}
    assert (kinds(result, "asked"), kinds(result, "told")) == (["check parts"], ["household holds"])


def test_a_year_of_one_sheet_is_compared_with_the_months_of_another():
    header = ["户编号", *[f"{m}月" for m in range(1, 13)]]
    months = grid([["2021年工资性收入"], header, *[[h, *[100] * 12] for h in HOUSES]], "分月2021年.xlsx")
    years = grid([["2021年"], ["户编号", "工资性收入"], [A, 1200], [B, 1500]], "全年2021年.xlsx")
    assert places(imported(roster(HOUSES), months, years), "check months") == ["B4"]


def test_an_export_of_the_national_system_states_wholes_and_parts():
    header = [
        "户编号", "年收入（元）", "工资性收入", "务工收入", "公益性岗位收入", "生产经营性收入", "转移性收入",
        "低保金", "养老保险金", "生产经营性支出", "纯收入（元）",
    ]  # fmt: skip
    rows = [[h, 12000, 6000, 5000, 1000, 4000, 2000, 500, 1500, 1000, 11000] for h in HOUSES]
    rows[1][1], rows[2][10], rows[0][3] = 12500, 12000, 5500
    result = county(header, *rows)
    assert {item: v for (h, _, item), v in money(result).items() if h == A} == {
        "wage": 6000, "business": 4000, "transfer": 2000,
    }  # fmt: skip
    found = {kind: places(result, kind) for kind in ("check total", "check net_income", "check parts")}
    assert found == {"check total": ["B4"], "check net_income": ["K5"], "check parts": ["C3"]}
    assert not kinds(result, "told")
