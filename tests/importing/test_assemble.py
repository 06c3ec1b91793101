"""From all sheets to tables: dated tables, register, results beside their parts, about.yaml."""

from __future__ import annotations

import datetime as dt

from tests.importing.sheets import grid, imported, kinds, money, roster, rows_of

HOUSES = [f"00100{i}" for i in range(1, 5)]
REGISTER = ["户编号", "监测对象类别", "致贫返贫风险", "识别时间", "风险是否消除", "消除时间"]


def register(*rows, header=REGISTER, file="监测_20220112.xlsx", **more):
    return grid([header, *rows], file, **more)


def test_one_row_of_a_register_is_identification_and_elimination():
    result = imported(
        roster(HOUSES),
        register(
            ["001001", "边缘易致贫户", "因病;因学", "2020-03-05", "是", "2021-06-30"],
            ["001002", "突发严重困难户", "因灾", "2021年5月", "否", None],
        ),
    )
    assert rows_of(result, "monitoring", "household_id", "event", "date", "category", "causes") == [
        ("001001", "eliminated", "2021-06-30", "", ""),
        ("001001", "identified", "2020-03-05", "marginal", "illness;schooling"),
        ("001002", "identified", "2021-05-31", "sudden_hardship", "disaster"),
    ]


def test_an_elimination_that_contradicts_or_has_no_date_is_asked():
    result = imported(
        roster(HOUSES),
        register(
            ["001001", "边缘易致贫户", "因病", "2020-03-05", "否", "2021-06-30"],
            ["001002", "边缘易致贫户", "因病", "2020-03-05", "是", None],
        ),
    )
    assert sorted(kinds(result, "asked")) == ["eliminated contradicts", "eliminated without date"]
    assert [
        r for r in rows_of(result, "monitoring", "household_id", "event", "date") if r[1] == "eliminated"
    ] == [
        ("001002", "eliminated", "2022-01-12"),
    ]


def test_a_register_makes_no_risk_events():
    result = imported(roster(HOUSES), register(["001001", "边缘易致贫户", "因病", "2020-03-05", "否", None]))
    assert "risk_events" not in result.assembled.tables


def test_risks_and_measures_and_why_a_row_is_out():
    risks = grid(
        [["户编号", "发生时间", "风险类型", "损失金额"], ["001001", "2021/3/5", "因灾", "1.2万"],
         ["001002", "2021-02-30", "因病", None], ["001003", "2021-03-01", "因懒", None],
         [None, "2021-03-01", "因病", None], ["009999", "2021-03-01", "因病", None]],
        "风险.xlsx",
    )  # fmt: skip
    measures = grid(
        [["户编号", "帮扶措施", "帮扶时间", "金额"], ["001001", "公益性岗位", "2021.4", 800]], "帮扶.xlsx"
    )
    result = imported(roster(HOUSES), risks, measures)
    assert rows_of(result, "risk_events", "household_id", "date", "cause", "loss") == [
        ("001001", "2021-03-05", "disaster", "12000"),
    ]
    assert rows_of(result, "support", "household_id", "measure", "date", "amount") == [
        ("001001", "public_post", "2021-04-30", "800"),
    ]
    assert sorted(kinds(result, "rejected")) == [
        "impossible date", "no household number", "unknown household", "unknown required word",
    ]  # fmt: skip


def test_rows_under_the_contracts_own_headers_are_its_tables():
    visits = grid([["户编号", "走访日期", "核查结果"], ["001001", "2021-05-05", "属实"]], "走访.xlsx")
    result = imported(roster(HOUSES), visits)
    assert rows_of(result, "visits", "household_id", "date", "outcome") == [
        ("001001", "2021-05-05", "confirmed"),
    ]


def test_net_income_beside_its_parts_is_compared_and_never_read():
    rows = [["001001", 300, 100, 400], ["001002", 300, 100, 999]]
    header = ["户编号", "工资性收入", "转移性收入", "家庭年纯收入"]
    result = imported(roster(HOUSES), grid([["2020年"], header, *rows], "收入.xlsx"))
    assert len(money(result)) == 4
    assert kinds(result, "asked") == ["check net_income"]


def test_about_says_the_snapshot_and_how_far_records_reach():
    result = imported(
        roster(HOUSES, file="花名册_20220112.xlsx"),
        grid([["2020年收入"], ["户编号", "工资性收入"], ["001001", 9]], "收入.xlsx"),
    )
    assert result.assembled.about == {
        "snapshot_on": dt.date(2022, 1, 12), "data_through": dt.date(2020, 12, 31),
        "time_zone": "Asia/Shanghai",
    }  # fmt: skip


def test_a_total_is_known_from_the_day_of_its_title_on_and_older_ones_from_their_own_end():
    header = ["户编号", "工资性收入"]
    result = imported(
        roster(HOUSES),
        grid([["2020年收入  填报日期：2021年4月6日"], header, ["001001", 9]], "甲.xlsx"),
        grid([["2018年收入  填报日期：2021年4月6日"], header, ["001001", 7]], "乙.xlsx"),
    )
    assert rows_of(result, "income", "month_from", "recorded_on") == [
        ("2018-01", ""), ("2020-01", "2021-04-06"),
    ]  # fmt: skip
