"""Exports of the national system: every known header and word, and whole files of made-up people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from riskmodel.data import contract
from riskmodel.grids import Grid
from riskmodel.importing import ImportResult, read_map, vocabulary
from riskmodel.importing.figures import figure_of
from riskmodel.importing.mapping import ColumnMap
from riskmodel.importing.sheet_layout import Header
from riskmodel.importing.sheet_rows import reason_of
from riskmodel.importing.word_columns import read_code_column

from .sheets import grid, imported, kinds, person_number, rows_of

HERE = Path(__file__).parent


def content(name: str) -> dict[str, Any]:
    return yaml.safe_load((HERE / f"national_{name}.yaml").read_text(encoding="utf-8"))


def header(text: str) -> Header:
    return Header(0, (text,), hidden=False, meanings=tuple(vocabulary().meanings([text])))


@pytest.mark.parametrize("register", [False, True])
def test_every_header_is_known(register: bool) -> None:
    """Nothing is read as something else: a header means what it should, for sure, or is left for a reason."""
    wrong = []
    for section, table in content("headers").items():
        if (section == "object list") != register:
            continue
        for wanted, texts in table.items():
            role, name = wanted.split(" ")
            for text in texts:
                one = header(text)
                if role == "left":
                    got = f"left {reason_of(one)}"
                elif role == "figure":
                    got = f"figure {figure_of(one, vocabulary(), register=register)[1]}"
                elif role == "measure":
                    got = f"measure {vocabulary().words('support.measure').get(text)}"
                else:
                    meant = [m for m in one.meanings if m.sure == 1]
                    inverted = role == "inverted"
                    fits = [
                        m
                        for m in meant
                        if m.role == ("column" if inverted else role) and m.inverted == inverted
                    ]
                    got = next(
                        (wanted for m in fits if m.name == name or m.column == name), f"{one.meanings}"
                    )
                if got != wanted:
                    wrong.append((text, wanted, got))
    assert not wrong


def test_every_word_is_read() -> None:
    wrong = []
    for name, codes in content("words").items():
        table, _, column = name.partition(".")
        kind = contract().tables[table].columns[column].type
        for code, texts in codes.items():
            for text in texts:
                given = ColumnMap(column="x")
                value = read_code_column(table, column, given, [text], kind, vocabulary()).values[0]
                said = str(value).lower() if isinstance(value, bool) else str(value)
                if said != str(code) and not (value is None and code == "null"):
                    wrong.append((name, text, code, value))
    assert not wrong


# ---------------------------------------------------------------- whole files

# Column of the made-up people to the headers under which the system, or a copy of its export, hands it out.
VARIANTS = [{name: pair[at] for name, pair in content("variants").items()} for at in (0, 1)]
PERSONAL = ["省", "市", "县", "民族", "政治面貌", "家庭住址", "户联系电话"]
HOUSE = [
    "township",
    "village",
    "group",
    "household",
    "type",
    "year_lifted",
    "state",
    "danger",
    "level",
    "water",
    "moved",
    "persons",
    "cause",
    "land",
    "road",
]
MONEY = ["year", "wage", "business", "property", "transfer", "cost", "net", "pcni"]
PERSON = [
    "member",
    "name",
    "number",
    "relation",
    "education",
    "schooling",
    "reason",
    "health",
    "grade",
    "capacity",
    "resident",
    "employee",
    "dibao",
    "change",
]
REGISTER = [
    "category",
    "risk1",
    "risk2",
    "identified",
    "over",
    "ended",
    "way",
    "fallback",
    "reference",
    "gap",
    "industry",
    "society",
]
A, B = "0053990100001", "0053990100002"
HEAD, SPOUSE, CHILD = (
    person_number("19600105", 11),
    person_number("19620210", 20),
    person_number("20141103", 31),
)
OLD, GRANDCHILD = person_number("19480101", 41), person_number("20120909", 50)
PHONE = "13812345678"


def house(number: str, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = dict.fromkeys([*HOUSE, *MONEY, *PERSON, *REGISTER], "")
    home = {"township": "石桥镇", "village": "上坪村", "group": "一组", "household": f'="{number}"'}
    return plain | home | more


LIFTED = house(
    A,
    type="低保脱贫户",
    state="已脱贫(享受政策)",
    year_lifted=2018,
    danger="否",
    level="D级",
    water="是",
    moved="否",
    persons=4,
    cause="缺技术",
    year=2023,
    wage=24000,
    business=6000,
    property=800,
    transfer="3200.5",
    cost=2000,
    net=32000.5,
    pcni=8000.13,
    land=3.5,
    road=0.8,
)
PEOPLE = [
    LIFTED
    | {
        "member": A + "01",
        "name": "甲某",
        "number": HEAD,
        "relation": "户主",
        "education": "小学",
        "health": "健康",
        "capacity": "普通劳动力",
        "resident": "是",
        "employee": "是",
        "dibao": "是",
    },
    LIFTED
    | {
        "member": A + "02",
        "name": "乙某",
        "number": SPOUSE + "42",
        "relation": "之妻",
        "education": "文盲或半文盲",
        "health": "残疾,患有大病",
        "capacity": "丧失劳动力",
        "resident": "没参加",
        "employee": "否",
        "dibao": "否",
    },
    LIFTED
    | {
        "member": A + "03",
        "name": "丙某",
        "number": CHILD,
        "relation": "之子",
        "education": "小学",
        "reason": "厌学",
        "health": "健康",
        "capacity": "无劳动力",
        "resident": "是",
        "employee": "",
        "dibao": "否",
    },
    LIFTED
    | {
        "member": A + "04",
        "name": "丁某",
        "relation": "之孙女",
        "schooling": "学龄前儿童",
        "health": "健康",
        "capacity": "无劳动力",
        "resident": "是",
        "employee": "否",
        "dibao": "否",
    },
    LIFTED
    | {
        "member": A + "05",
        "name": "戊某",
        "number": OLD,
        "relation": "之父",
        "education": "小学",
        "health": "死亡",
        "change": "死亡",
        "capacity": "无劳动力",
        "resident": "否",
        "employee": "否",
        "dibao": "否",
    },
]
MONITORED = house(
    B,
    type="边缘易致贫户",
    category="边缘易致贫户",
    risk1="因病",
    risk2="因安全饮水",
    identified="202306.0",
    over="是",
    ended=202311,
    way="帮扶消除",
    fallback="否",
    reference=6100,
    gap="是",
    industry="发展种植业，小额信贷贴息",
    society="无",
)
OBJECTS = [
    MONITORED
    | {
        "member": B + "01",
        "name": "己某",
        "number": person_number("19750520", 61),
        "relation": "本人或户主",
        "education": "初中",
        "health": "长期慢性病,残疾",
        "grade": "三级",
        "capacity": "弱劳动力或半劳动力",
    },
    MONITORED
    | {
        "member": B + "02",
        "name": "庚某",
        "number": GRANDCHILD,
        "relation": "之外孙女",
        "schooling": "六年级",
        "health": "健康",
        "capacity": "无劳动力",
    },
]


def export(
    file: str,
    title: str,
    columns: list[str],
    rows: list[dict[str, Any]],
    headers: dict[str, str],
    **marks: Any,
) -> Grid:
    """Return a sheet as the system writes it: two rows of titles, then the header."""
    shown = [headers[c] for c in columns] + PERSONAL
    personal = ["某省", "某市", "某县", "汉族", "群众", "上坪村一组15号", PHONE]
    cells: list[list[object]] = [[title], ["全国防返贫监测信息系统"], shown]
    cells += [[row[c] for c in columns] + personal for row in rows]
    return grid(cells, file=file, sheet="Sheet1", **marks)


def exports(headers: dict[str, str], *, by_map: bool) -> ImportResult:
    people = export("脱贫户信息_20231218.xlsx", "脱贫户信息", [*HOUSE, *PERSON, *MONEY], PEOPLE, headers)
    birth = PEOPLE[3]  # no number: born in the year
    people.rows[2].append("出生日期")
    for line in people.rows[3:]:
        line.append("2023-02-11" if birth["member"] in line else None)
    home = [
        c
        for c in HOUSE
        if c not in ("state", "danger", "level", "water", "moved", "persons", "land", "road", "cause")
    ]
    columns = [
        *home,
        *(c for c in PERSON if c not in ("reason", "change", "resident", "employee", "dibao")),
        *REGISTER,
    ]
    objects = export("（自定义）监测对象信息_20231218.xlsx", "监测对象信息", columns, OBJECTS, headers)
    villages = grid(
        [
            ["行政村信息"],
            [],
            ["县", "乡", "行政村", "行政村编号", "总户数"],
            ["某县", "石桥镇", "上坪村", "5399", 300],
        ],
        file="（自定义）行政村信息_20231218.xlsx",
    )
    return imported(people, objects, villages, plan=read_map("national") if by_map else None)


@pytest.mark.parametrize("by_map", [False, True], ids=["guess", "map"])
@pytest.mark.parametrize("headers", VARIANTS, ids=["first", "second"])
def test_an_export_is_read_whatever_its_headers(headers: dict[str, str], by_map: bool) -> None:
    result = exports(headers, by_map=by_map)
    houses = (
        "household_id",
        "township",
        "village",
        "group",
        "registration",
        "lifted_year",
        "dibao",
        "housing_safe",
        "water_safe",
        "relocated",
        "policy_status",
        "origin_cause",
        "no_labour_fallback",
    )
    assert rows_of(result, "households", *houses) == [
        (
            A,
            "石桥镇",
            "上坪村",
            "一组",
            "lifted",
            "2018",
            "true",
            "true",
            "true",
            "false",
            "with_policy",
            "缺技术",
            "",
        ),
        (B, "石桥镇", "上坪村", "一组", "general", "", "", "", "", "", "", "", "false"),
    ]
    assert kinds(result, "asked").count("columns differ") == 1  # 是否危房户 否, 危房级别 D
    members = (
        "member_id",
        "birth_month",
        "sex",
        "relation",
        "education",
        "schooling",
        "health",
        "disability_grade",
        "work_capacity",
        "insured",
        "valid_to",
        "change_reason",
    )
    assert rows_of(result, "members", *members) == [
        (A + "01", "1960-01", "male", "head", "primary", "none", "healthy", "0", "full", "true", "", ""),
        (
            A + "02",
            "1962-02",
            "female",
            "spouse",
            "illiterate",
            "none",
            "major_illness",
            "2",
            "none",
            "false",
            "",
            "",
        ),
        (
            A + "03",
            "2014-11",
            "male",
            "child",
            "primary",
            "dropped_out",
            "healthy",
            "0",
            "none",
            "true",
            "",
            "",
        ),
        (A + "04", "2023-02", "", "grandchild", "", "none", "healthy", "0", "none", "true", "", ""),
        (
            A + "05",
            "1948-01",
            "male",
            "parent",
            "primary",
            "none",
            "",
            "0",
            "none",
            "false",
            "2023-12-18",
            "死亡",
        ),
        (B + "01", "1975-05", "male", "head", "middle_school", "none", "chronic", "3", "partial", "", "", ""),
        (B + "02", "2012-09", "female", "grandchild", "", "compulsory", "healthy", "0", "none", "", "", ""),
    ]
    span = ("2023-01", "2023-12")
    assert rows_of(result, "income", "household_id", "source", "month_from", "month_to", "amount") == [
        (A, "business", *span, "6000"),
        (A, "property", *span, "800"),
        (A, "transfer", *span, "3200.5"),
        (A, "wage", *span, "24000"),
    ]
    assert rows_of(result, "spending", "household_id", "category", "amount") == [(A, "production", "2000")]
    register = ("household_id", "date", "event", "category", "causes", "way", "date_precision")
    assert rows_of(result, "monitoring", *register) == [
        (B, "2023-06-30", "identified", "marginal", "illness;water", "", "month"),
        (B, "2023-11-30", "eliminated", "", "", "support", "month"),
    ]
    assert rows_of(result, "support", "household_id", "date", "measure", "detail", "date_known") == [
        (B, "2023-12-18", "industry", "发展种植业", "false"),
        (B, "2023-12-18", "industry", "小额信贷贴息", "false"),
    ]
    assert rows_of(result, "indicators", "household_id", "date", "item", "value") == [
        (A, "2023-12-18", "farmland_mu", "3.5"),
        (A, "2023-12-18", "net_income_reported", "32000.5"),
        (A, "2023-12-18", "pcni_reported", "8000.13"),
        (A, "2023-12-18", "persons_reported", "4"),
        (A, "2023-12-18", "road_distance_km", "0.8"),
        (B, "2023-06-30", "gap_water", "1"),
        (B, "2023-12-18", "reference_income_pc", "6100"),
    ]
    assert "risk_events" not in result.assembled.tables  # a label of risk is no event


def test_a_subsidy_lowers_production_spending_and_claims_are_no_income() -> None:
    headers = [
        "户编号",
        "年度",
        "工资性收入",
        "生产经营性支出（合计）",
        "专项用于减少生产经营性支出的补贴",
        "理赔收入",
        "合规自付支出",
    ]
    rows = [headers, [A, 2023, 100, 50, 20, 7, 3], [B, 2023, 100, 50, None, 0, 1]]
    houses = grid(
        [["乡", "村", "户编号", "户类型"], ["甲镇", "乙村", A, "脱贫户"], ["甲镇", "乙村", B, "一般农户"]],
        "农户.xlsx",
    )
    result = imported(houses, grid(rows, "户信息_20231218.xlsx"))
    assert rows_of(result, "spending", "household_id", "category", "amount") == [
        (A, "medical", "3"),
        (A, "production", "30"),
        (B, "medical", "1"),
        (B, "production", "50"),
    ]
    assert (A, "claim", "7") in rows_of(result, "income", "household_id", "source", "amount")
    figures = rows_of(result, "indicators", "household_id", "item", "value")
    assert {(A, "production_subsidy", "20"), (A, "claims", "7"), (A, "compliant_self_paid", "3")} <= set(
        figures
    )


def test_what_is_of_identification_or_elimination_is_dated_by_it() -> None:
    rows = [
        ["监测对象信息"],
        ["", "", "", "", "识别时", "", "风险消除后", ""],
        ["户编号", "监测对象类别", "识别监测时间", "消除监测时间", *(["人均纯收入", "工资性收入"] * 2)],
        [A, "脱贫不稳定户", "202106", "202201", 4000, 9000, 8000, 20000],
    ]
    houses = grid([["乡", "村", "户编号", "户类型"], ["甲镇", "乙村", A, "脱贫户"]], "农户.xlsx")
    result = imported(houses, grid(rows, "监测对象信息_20231218.xlsx"))
    assert rows_of(result, "indicators", "date", "item", "value") == [
        ("2021-06-30", "pcni_reported_identified", "4000"),
        ("2021-06-30", "wage_identified", "9000"),
        ("2022-01-31", "pcni_reported_eliminated", "8000"),
        ("2022-01-31", "wage_eliminated", "20000"),
    ]
    assert "income" not in result.assembled.tables


@pytest.mark.parametrize("by_map", [False, True], ids=["guess", "map"])
def test_work_away_from_home_is_no_income_and_a_plan_is_nothing(by_map: bool) -> None:
    header = [
        "户编号",
        "人编号",
        "姓名",
        "是否已务工",
        "开始时间",
        "结束时间",
        "务工月收入",
        "务工企业名称",
        "就业渠道",
    ]
    rows = [
        ["已外出务工信息"],
        [],
        header,
        [A, A + "01", "甲某", "是", "2023年3月", "2023年10月", 3500, "某厂", "自主就业"],
    ]
    work = grid(rows, "（务工月监测）已外出务工信息_20231218.xlsx")
    plan = grid(
        [["计划外出务工信息"], [], ["户编号", "人编号", "是否计划务工"], [A, A + "01", "是"]],
        "计划外出务工信息_20231218.xlsx",
    )
    people = export("脱贫户信息_20231218.xlsx", "脱贫户信息", [*HOUSE, *PERSON], PEOPLE[:2], VARIANTS[0])
    result = imported(people, work, plan, plan=read_map("national") if by_map else None)
    spell = ("member_id", "year", "month_from", "month_to", "monthly_income", "channel")
    assert rows_of(result, "jobs", *spell) == [(A + "01", "2023", "2023-03", "2023-10", "3500", "自主就业")]
    assert "income" not in result.assembled.tables
    assert [bool(one.why) for one in result.sources if "计划" in one.file] == [True]


def test_nothing_personal_goes_on_and_every_column_left_has_its_reason() -> None:
    result = exports(VARIANTS[0], by_map=True)
    said = str(result.as_dict()) + str(result.unread()) + str(result.assembled.findings.items)
    said += "".join(frame.to_csv() for frame in result.assembled.tables.values())
    for secret in (
        *(row["name"] for row in PEOPLE + OBJECTS),
        HEAD,
        SPOUSE,
        CHILD,
        OLD,
        GRANDCHILD,
        PHONE,
        "汉族",
        "15号",
    ):
        assert secret not in said
    left = {(column, why) for one in result.sources for column, why in one.unread}
    assert {("民族", "personal"), ("户联系电话", "personal"), ("省", "place_above")} <= left
    assert not {column for column, why in left if why in ("unknown", "not_here")}
