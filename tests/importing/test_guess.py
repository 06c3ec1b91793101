"""What is proposed of a sheet: which tables it feeds, from which columns, and what is asked."""

from __future__ import annotations

import pytest

from riskmodel.importing import guess_files, map_comments
from tests.importing.sheets import columns_of, grid, guessed, person_number, roster, sheets, tables_of


def questions(one):
    return [q.kind for g in guess_files(sheets(one))[1] for q in g.questions]


def test_a_roster_feeds_households_and_members():
    one = roster(["001001", "001002"])
    assert set(tables_of(one)) == {"households", "members"}
    assert columns_of(one, "households")["registration"] == "户类型"
    members = columns_of(one, "members")
    assert (members["person_number"], members["relation"], members["insured"]) == (
        "身份证号", "与户主关系", "是否参保",
    )  # fmt: skip
    assert tables_of(one)["households"].once


def test_sources_side_by_side_are_amounts_of_their_kinds():
    one = grid([["户编号", "工资性收入", "转移性收入", "医疗支出"], ["001001", 9, 8, 7]], sheet="2020年")
    tables = tables_of(one)
    assert {t: [a.item for a in m.amounts] for t, m in tables.items()} == {
        "income": ["wage", "transfer"], "spending": ["medical"],
    }  # fmt: skip


def test_months_side_by_side_are_months_of_the_titles_source():
    header = ["户编号", *[f"{m}月" for m in range(1, 13)], "合计"]
    one = grid([["2021年工资性收入（元）"], header, ["001001", *range(100, 1300, 100), 7800]])
    spec = guessed(one)
    (table,) = spec.tables
    assert table.columns["item"].value == "wage"
    assert [a.months for a in table.amounts] == [str(m) for m in range(1, 13)]
    assert [c.of for c in spec.checks] == ["total"]


def test_sums_from_january_on_are_cumulative():
    one = grid(
        [["2021年工资性收入"], ["户编号", "1-3月", "1-6月", "1-9月", "1-12月"], ["001001", 1, 2, 3, 4]]
    )
    (table,) = guessed(one).tables
    assert all(a.cumulative for a in table.amounts)


def test_one_amount_a_row_with_a_column_of_sources():
    rows = [["户编号", "月份", "收入类别", "金额"], ["001001", "2021-05", "工资", 5]]
    assert columns_of(grid(rows), "income") == {
        "household_id": "户编号", "month": "月份", "item": "收入类别",
    }  # fmt: skip


def test_a_column_with_the_words_of_both_tables_feeds_both():
    rows = [["户编号", "月份", "项目", "金额"], *[["001001", "2021-05", w, 5] for w in ("务工", "学费") * 4]]
    assert set(tables_of(grid(rows))) == {"income", "spending"}


def test_a_register_feeds_monitoring_and_its_causes():
    rows = [
        ["户编号", "监测对象类别", "致贫返贫风险", "识别时间", "风险是否消除", "消除时间"],
        ["001001", "边缘易致贫户", "因病", "2021-03-05", "否", None],
    ]
    assert columns_of(grid(rows), "monitoring") == {
        "household_id": "户编号", "category": "监测对象类别", "causes": "致贫返贫风险",
        "identified_on": "识别时间", "eliminated_on": "消除时间", "eliminated": "风险是否消除",
    }  # fmt: skip


def test_the_cause_of_a_first_registration_is_no_risk():
    rows = [["户编号", "主要致贫原因", "识别时间"], ["001001", "缺技术", "2014-03-05"]]
    assert "causes" not in columns_of(grid(rows), "monitoring")


def test_measures_risks_visits_and_links_by_their_headers():
    measures = [["户编号", "帮扶措施", "帮扶时间"], ["001001", "公益岗位", "2021-05-01"]]
    risks = [["户编号", "发生时间", "风险类型"], ["001001", "2021-05-01", "因灾"]]
    links = [["原户编号", "现户编号", "变更类型", "变更日期"], ["001001", "002001", "换号", "2021-05-01"]]
    assert set(tables_of(grid(measures))) == {"support"}
    assert set(tables_of(grid(risks))) == {"risk_events"}
    assert set(tables_of(grid(links))) == {"household_links"}


def test_a_near_spelling_is_read_and_asked():
    rows = [["户编号", "月分", "生产经营性收人"], ["001001", "2021-05", 5]]
    assert "near header" in questions(grid(rows))


def test_identity_numbers_are_seen_under_any_header():
    rows = [
        ["号码", "发放年月", "待遇类型", "发放金额"],
        *[[person_number(f"19700{m}11", m), "202105", "养老金", 120] for m in range(1, 6)],
    ]
    assert columns_of(grid(rows), "income")["person_number"] == "号码"


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([["户编号", "工资性收入"], ["001001", 100]], "no year"),
        ([["户编号", "月份", "金额"], ["001001", "2021-05", 5]], "no item"),
        ([["姓名", "工资性收入", "医疗支出"], *[["某", 1, 1]] * 4], "no number"),
        ([["户编号", "月份", "类别", "金额"], *[["001001", "2021-05", "甲类", 5]] * 3], "unknown items"),
        ([["户编号", "电话", "备注"], ["001001", "1", "x"]], "no table"),
        (
            [["2020年收入"], ["户编号", "工资性收入"], *[[f"00100{i}", 1.5 + i] for i in range(6)]],
            "unit",
        ),
    ],
)
def test_what_is_not_sure_is_asked_and_the_sheet_is_not_read(rows, kind):
    one = grid(rows, "登记.xlsx", "明细")
    assert kind in questions(one)
    assert not guess_files(sheets(one))[1][0].sure


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (grid([[None]]), "empty"),
        (grid([["a", "b"], [1, 2]]), "no header"),
        (grid([["乡镇", "户数", "工资性收入"], ["东河镇", 5, 900]], sheet="汇总"), "no household number"),
        (grid([["户编号", "工资性收入"], ["001001", 1]], sheet="旧", visible=False), "hidden sheet"),
    ],
)
def test_what_is_no_record_is_skipped_with_its_reason(one, why):
    assert guessed(one).skip == why


def test_a_household_stands_on_the_first_of_its_rows():
    rows = [["户编号", "户类型", "行政村", "姓名", "与户主关系"]]
    for i in range(4):
        rows += [[f"00100{i}", "一般农户", "上村", f"甲{i}", "户主"], [None, None, None, f"乙{i}", "配偶"]]
    assert guessed(grid(rows)).fill_down == ("户编号", "户类型", "行政村")


def test_comments_say_what_titles_said_what_is_unread_and_what_is_asked():
    one = grid([["单位：元"], ["户编号", "工资性收入", "开户银行"], ["001001", 100, "某行"]], sheet="一")
    _, guesses = guess_files(sheets(one))
    lines = map_comments(guesses, "en")[0]
    assert lines[0].startswith("unit: 元")
    assert "unread: 开户银行" in lines
    assert any(line.startswith("?") and "year" in line for line in lines)
