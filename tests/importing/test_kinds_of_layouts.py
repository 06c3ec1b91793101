"""Kinds of layouts that offices use, each on a few rows: what is read, and that nothing is read twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from riskmodel.importing.files import ImportResult, import_files
from riskmodel.importing.header_words import Span
from riskmodel.importing.vocabulary import vocabulary

HOUSES = [
    ["乡镇", "行政村", "户编号", "户类型", "脱贫年度"],
    ["石桥镇", "上坪村", "0301010001", "脱贫户", "2018"],
    ["石桥镇", "上坪村", "0301010002", "一般农户", ""],
]


def county(folder: Path, files: Mapping[str, Sequence[Sequence[object]]]) -> ImportResult:
    """Import some text files, each given as its rows."""
    for name, rows in files.items():
        lines = [",".join("" if v is None else str(v) for v in row) for row in rows]
        (folder / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    return import_files([folder])


def amounts(result: ImportResult, table: str = "income") -> dict[tuple[str, ...], str]:
    """Return household, source, first and last month to amount; two rows of one key fail."""
    frame = result.assembled.tables[table].fillna("")
    code = "source" if table == "income" else "category"
    out: dict[tuple[str, ...], str] = {}
    for row in frame.to_dict("records"):
        month = row.get("month", "")
        key = row["household_id"][-1], row[code], row.get("month_from") or month, row.get("month_to") or month
        assert key not in out, key
        out[key] = row["amount"]
    return out


def kinds(result: ImportResult) -> set[str]:
    return {finding.kind for finding in result.assembled.findings.items}


@pytest.mark.parametrize(
    ("path", "name", "span"),
    [
        (("2020年工资性收入",), "income.wage", Span(1, 12, 2020)),
        (("生产经营性支出（2019年）",), "spending.production", Span(1, 12, 2019)),
        (("2021年", "工资性收入"), "income.wage", Span(1, 12, 2021)),
        (("2021年度", "转移性收入", "二季度"), "income.transfer", Span(4, 6, 2021)),
        (("工资性收入", "202103"), "income.wage", Span(3, 3, 2021)),
        (("全年工资性收入",), "income.wage", None),
        (("上年同期",), "comparison", None),
        (("识别时", "工资性收入"), "moment", None),
        (("风险消除后", "饮水是否安全"), "moment", None),
        (("工资性收人",), "income.wage", None),
    ],
)
def test_groups_above_a_header_say_of_what_and_of_when(
    path: tuple[str, ...], name: str, span: Span | None
) -> None:
    meaning = vocabulary().meanings(path)[0]
    assert (meaning.name, meaning.span) == (name, span)
    assert meaning.sure == (0.9 if path == ("工资性收人",) else 1)


def test_a_title_with_its_unit_beside_it_is_no_group(tmp_path: Path) -> None:
    rows = [
        ["2020年农户收入统计表", "", "单位：万元"],
        ["户编号", "工资性收入", "转移性收入"],
        ["0301010001", "1.2", "0.3"],
        ["0301010002", "2", "0"],
    ]
    found = amounts(county(tmp_path, {"农户": HOUSES, "收入": rows}))
    assert found["1", "wage", "2020-01", "2020-12"] == "12000"
    assert found["1", "transfer", "2020-01", "2020-12"] == "3000"


QUARTERS = ["户编号", "收入类别", "一季度", "二季度", "三季度", "四季度", "全年"]


def test_a_year_and_its_quarters_are_not_both_read(tmp_path: Path) -> None:
    rows = [
        ["2021年收入"],
        QUARTERS,
        ["0301010001", "工资性收入", 100, 200, 300, 400, 1000],  # the same: the quarters
        ["0301010001", "转移性收入", 10, "待核", 30, 40, 100],  # one cannot be read: what the year leaves
        ["0301010002", "工资性收入", 100, "待核", "—", 400, 1000],  # two: the year
        ["0301010002", "转移性收入", 10, 20, 30, 40, 900],  # contradicts: asked
        ["0301010002", "财产性收入", 10, "待核", 30, 40, "—"],  # neither: unknown
    ]
    result = county(tmp_path, {"农户": HOUSES, "收入": rows})
    found = amounts(result)
    assert found["1", "wage", "2021-04", "2021-06"] == "200"
    assert ("1", "wage", "2021-01", "2021-12") not in found
    assert found["1", "transfer", "2021-04", "2021-06"] == "20"
    assert found["2", "wage", "2021-01", "2021-12"] == "1000"
    assert ("2", "wage", "2021-01", "2021-03") not in found
    assert found["2", "transfer", "2021-04", "2021-06"] == "20"
    assert {"part from whole", "whole holds", "check total"} <= kinds(result)
    unknown = result.assembled.tables["unrecorded"]
    assert unknown[["item", "month_from", "month_to"]].to_numpy().tolist() == [
        ["property", "2021-04", "2021-06"]
    ]


def test_a_year_in_rows_beside_its_quarters(tmp_path: Path) -> None:
    rows = [["户编号", "期间", "金额（元）"]]
    rows += [["0301010001", f"2021年第{q}季度", 10 * n] for n, q in enumerate("一二三", 1)]
    rows += [["0301010001", "2021年全年", 100], ["0301010002", "2021年全年", 70]]
    result = county(tmp_path, {"农户": HOUSES, "2021年生产经营性支出": rows})
    found = amounts(result, "spending")
    assert found["1", "production", "2021-10", "2021-12"] == "40"
    assert found["2", "production", "2021-01", "2021-12"] == "70"
    assert len(found) == 5


MEMBERS = ["户编号", "人编号", "与户主关系", "出生日期", "工资性收入", "生产经营性支出"]


@pytest.mark.parametrize("second", [["9000", "500"], ["", ""]])
def test_a_households_amounts_on_every_members_row_count_once(tmp_path: Path, second: list[str]) -> None:
    rows = [
        ["2021年度"],
        MEMBERS,
        ["0301010001", "030101000101", "户主", "1970-01-02", "9000", "500"],
        ["0301010001", "030101000102", "配偶", "1971-01-02", *second],
    ]
    result = county(tmp_path, {"农户": HOUSES, "收支": rows})
    assert amounts(result)["1", "wage", "2021-01", "2021-12"] == "9000"
    assert amounts(result, "spending")["1", "production", "2021-01", "2021-12"] == "500"
    assert "unrecorded" not in result.assembled.tables


def test_a_register_gives_amounts_of_the_year_and_none_of_other_moments(tmp_path: Path) -> None:
    rows = [
        ["", "", "", "", "2021年度", "", "识别时", ""],
        ["户编号", "监测对象类别", "识别监测时间", "致贫/返贫风险1", *(["工资性收入", "人均纯收入"] * 2)],
        ["0301010001", "脱贫不稳定户", "202106", "因病", "9000", "9000", "4000", "4000"],
    ]
    result = county(tmp_path, {"农户": HOUSES, "监测对象": rows})
    assert amounts(result) == {("1", "wage", "2021-01", "2021-12"): "9000"}
    assert result.assembled.tables["monitoring"]["date"].tolist() == ["2021-06-30"]


def test_blank_schooling_beside_an_education_is_out_of_school(tmp_path: Path) -> None:
    head = ["户编号", "人编号", "与户主关系", "出生日期", "文化程度", "在校生状况"]
    rows = [
        head,
        ["0301010001", "030101000101", "户主", "1970-01-02", "初中", ""],
        ["0301010001", "030101000102", "之子", "2010-01-02", "", "小学五年级"],
        ["0301010001", "030101000103", "之女", "2012-01-02", "", ""],
    ]
    members = county(tmp_path, {"农户": HOUSES, "成员": rows}).assembled.tables["members"]
    assert members["schooling"].tolist() == ["none", "compulsory", None]


PEOPLE = [
    "乡镇",
    "行政村",
    "户编号",
    "户类型",
    "脱贫年度",
    "人编号",
    "姓名",
    "与户主关系",
    "出生日期",
    "健康状况",
]


def person(house: int, place: int, relation: str, born: str, health: str = "健康") -> list[object]:
    home = ["石桥镇", "上坪村", f"030101000{house}", "脱贫户", "2018"]
    return [*home, f"030101000{house}0{place}", f"某{house}{place}", relation, born, health]


def test_two_lists_of_members_make_a_history(tmp_path: Path) -> None:
    first = [PEOPLE, person(1, 1, "户主", "1960-01-01"), person(1, 2, "配偶", "1961-01-01")]
    first += [person(2, 1, "户主", "1970-01-01"), person(2, 2, "之母", "1940-01-01")]
    second = [PEOPLE, person(1, 1, "户主", "1960-01-01", "患有大病"), person(1, 2, "配偶", "1961-01-01")]
    second += [person(2, 1, "户主", "1970-01-01"), person(2, 3, "之子", "2021-05-01")]
    result = county(tmp_path, {"成员_20210115": first, "成员_20220115": second})
    members = result.assembled.tables["members"].fillna("").sort_values(["member_id", "recorded_on"])
    shown = members[["member_id", "health", "valid_from", "valid_to", "recorded_on"]].to_numpy().tolist()
    old, new = "2021-01-15", "2022-01-15"
    assert shown == [
        ["030101000101", "healthy", "", new, old],
        ["030101000101", "major_illness", new, "", new],
        ["030101000102", "healthy", "", "", old],
        ["030101000201", "healthy", "", "", old],
        ["030101000202", "healthy", "", new, old],
        ["030101000203", "healthy", new, "", new],
    ]
    assert len(result.assembled.tables["households"]) == 2
    told = next(f for f in result.assembled.findings.items if f.kind == "lists compared")
    assert (told.values["came"], told.values["went"], told.values["changed"]) == (1, 1, 1)


def test_a_later_list_of_some_households_sends_nobody_away(tmp_path: Path) -> None:
    first = [PEOPLE, *(person(h, 1, "户主", "1960-01-01") for h in range(1, 9))]
    second = [PEOPLE, *(person(h, 1, "户主", "1960-01-01") for h in range(1, 6))]
    result = county(tmp_path, {"成员_20210115": first, "成员_20220115": second})
    members = result.assembled.tables["members"]
    assert len(members) == 8
    assert "valid_to" not in members


def test_twins_without_numbers_stay_two(tmp_path: Path) -> None:
    rows = [
        ["户编号", "姓名", "性别", "与户主关系", "出生日期"],
        ["0301010001", "某甲", "男", "户主", "1970-01-01"],
        ["0301010001", "某乙", "女", "之女", "2015-03-04"],
        ["0301010001", "某丙", "女", "之女", "2015-03-04"],
    ]
    assert len(county(tmp_path, {"农户": HOUSES, "成员": rows}).assembled.tables["members"]) == 3


def test_a_payment_taken_back_does_not_count(tmp_path: Path) -> None:
    members = [["户编号", "姓名", "与户主关系", "出生日期"], ["0301010001", "某甲", "户主", "1970-01-01"]]
    pay = [["户编号", "姓名", "发放年月", "补贴项目", "实发金额"]]
    pay += [["0301010001", "某甲", "202109", "养老保险", v] for v in (500, -500, 300)]
    pay += [["0301010001", "某甲", "202110", "养老保险", v] for v in (300, -80)]
    result = county(tmp_path, {"农户": HOUSES, "成员": members, "代发": pay})
    assert amounts(result)["1", "transfer", "2021-09", "2021-09"] == "300"
    assert {"taken back", "negative amount"} <= kinds(result)
    assert result.assembled.tables["unrecorded"]["month_from"].tolist() == ["2021-10"]


def test_a_village_has_one_spelling(tmp_path: Path) -> None:
    villages = ["上坪村", "上坪", "上坪村", "上坪村委会", "云头村", "云头社区", "云头"]
    rows = [["乡镇", "行政村", "户编号", "户类型"]]
    rows += [["石桥镇", v, f"03010100{n:02d}", "一般农户"] for n, v in enumerate(villages)]
    result = county(tmp_path, {"农户": rows})
    expected = ["上坪村"] * 4 + ["云头村", "云头社区", "云头"]  # 云头 may be either
    assert result.assembled.tables["households"]["village"].tolist() == expected


def test_measures_in_columns_are_dated_by_the_list_alone(tmp_path: Path) -> None:
    rows = [
        ["户编号", "监测对象类别", "识别监测时间", "产业帮扶", "就业帮扶", "社会帮扶"],
        ["0301010001", "脱贫不稳定户", "202106", "发展种植业，发展养殖业", "是", "无"],
        ["0301010002", "边缘易致贫户", "202107", "", "技能培训", ""],
    ]
    result = county(tmp_path, {"农户": HOUSES, "监测对象_20220131": rows})
    support = result.assembled.tables["support"]
    assert set(zip(support["household_id"].str[-1], support["measure"], strict=True)) == {
        ("1", "industry"),
        ("1", "employment"),
        ("2", "employment"),
    }
    assert set(support["date"]) == {"2022-01-31"}


def test_lists_without_a_day_are_asked_about(tmp_path: Path) -> None:
    result = county(tmp_path, {"农户": HOUSES})
    assert "snapshot_on" not in result.assembled.about
    assert "no day of the list" in {f.kind for f in result.assembled.findings.of("asked")}
    (tmp_path / "农户.csv").rename(tmp_path / "农户_20220115.csv")
    assert "no day of the list" not in kinds(import_files([tmp_path]))
