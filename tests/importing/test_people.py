"""Households and members of all sheets together."""

from __future__ import annotations

from riskmodel.importing import import_sheets
from tests.importing.sheets import (
    ROSTER_HEADER,
    grid,
    imported,
    kinds,
    person_number,
    places,
    roster,
    rows_of,
    sheets,
    unknown,
)

PLACE = ["东河镇", "上村"]
HOUSE = ["乡镇", "行政村", "户编号", "户类型", "脱贫年度"]


def people(*rows, header=ROSTER_HEADER, file="花名册.xlsx", **more):
    return grid([header, *rows], file, **more)


def member(household, name, number, relation, health="健康", insured="是", kind="一般农户"):
    return [*PLACE, household, kind, name, number, relation, health, insured]


def test_birth_month_and_sex_come_from_the_identity_number():
    result = imported(people(member("001001", "甲", person_number("19510923", 4), "户主")))
    assert rows_of(result, "members", "birth_month", "sex", "relation", "insured") == [
        ("1951-09", "female", "head", "true"),
    ]


def test_a_typed_date_that_contradicts_the_number_is_used_and_asked():
    header = [*ROSTER_HEADER, "出生日期"]
    row = [*member("001001", "甲", person_number("19510923", 4), "户主"), "1941-09-23"]
    result = imported(people(row, header=header))
    assert rows_of(result, "members", "birth_month") == [("1941-09",)]
    assert kinds(result, "asked") == ["birth contradicts number"]


def test_a_member_without_any_birth_leaves_the_number_of_persons_unknown():
    result = imported(
        people(
            member("001001", "甲", person_number("19510923", 5), "户主"),
            member("001001", "乙", "不详", "配偶"),
        )
    )
    assert len(rows_of(result, "members", "member_id")) == 1
    assert "no birth month" in kinds(result, "rejected")
    assert ("001001", "members", "", "", "", "row_rejected") in unknown(result)


def test_numbers_in_full_width_with_blanks_or_as_numbers_are_one_household():
    numbers = ["００１００１", " 001001 ", "'001001", 1001]
    rows = [
        member(number, f"甲{i}", person_number("19510923", 2 * i + 1), "户主" if i == 0 else "子女")
        for i, number in enumerate(numbers)
    ]
    result = imported(people(*rows))
    assert rows_of(result, "households", "household_id") == [("001001",)]
    assert len(rows_of(result, "members", "member_id")) == 4


def test_a_rounded_number_is_named_as_such_and_its_row_is_out():
    result = imported(
        people(
            member("001001", "甲", person_number("19510923", 5), "户主"),
            member("5.39901E+11", "乙", person_number("19510924", 5), "户主"),
        )
    )
    assert set(kinds(result, "rejected")) == {"rounded number"}
    assert rows_of(result, "households", "household_id") == [("001001",)]


def test_a_rounded_number_comes_back_from_the_members_number_and_is_asked():
    header = [*ROSTER_HEADER, "人编号"]
    rows = []
    for i in range(12):
        house = f"53990101{i:04d}"
        for j in range(2):
            number = person_number(f"19{50 + i}0923", 2 * j + 1)
            row = member(house, f"甲{i}{j}", number, "子女" if j else "户主")
            rows.append([*row, f"{house}{j + 1:02d}"])
    rows[5][2] = "5.39901E+11"
    result = imported(people(*rows, header=header))
    assert len(rows_of(result, "members", "member_id")) == 24
    assert kinds(result, "asked") == ["number recovered"]


def test_two_heads_and_two_spouses_are_asked():
    rows = [
        member("001001", f"甲{i}", person_number(f"19{51 + i}0923", 5), relation)
        for i, relation in enumerate(("户主", "户主", "配偶", "妻子"))
    ]
    assert sorted(kinds(imported(people(*rows)), "asked")) == ["two heads", "two spouses"]


def test_a_household_is_what_several_sheets_say_of_it_together():
    homes = grid([HOUSE[:4], [*PLACE, "001001", "脱贫户"]], "农户.xlsx")
    more = grid([["户编号", "行政村", "低保", "住房安全"], ["001001", "上村", "是", "否"]], "两不愁.xlsx")
    result = imported(homes, more)
    assert rows_of(
        result, "households", "household_id", "township", "registration", "dibao", "housing_safe"
    ) == [("001001", "东河镇", "lifted", "true", "false")]


def test_sheets_that_contradict_one_another_are_asked_and_the_list_of_households_holds():
    homes = grid([HOUSE[:4], [*PLACE, "001001", "脱贫户"], [*PLACE, "001002", "脱贫户"]], "农户.xlsx")
    other = grid([["户编号", "行政村"], ["001001", "下村"]], "别的.xlsx")
    result = imported(homes, other)
    assert rows_of(result, "households", "village") == [("上村",), ("上村",)]
    assert kinds(result, "asked") == ["household contradicts"]


def test_a_type_that_says_nothing_of_lifting_is_settled_by_its_year():
    rows = [
        [*PLACE, "001001", "突发严重困难户", "2018"],
        [*PLACE, "001002", "突发严重困难户", None],
        [*PLACE, "001003", "脱贫户", "2019年"],
    ]
    result = imported(grid([HOUSE, *rows], "农户.xlsx"))
    assert [r[0] for r in rows_of(result, "households", "registration")] == ["general", "lifted", "lifted"]


def test_a_household_without_a_village_is_out_and_named():
    result = imported(
        grid([HOUSE, [*PLACE, "001001", "脱贫户", 2018], ["东河镇", None, "001002", "脱贫户", 2018]])
    )
    assert rows_of(result, "households", "household_id") == [("001001",)]
    assert kinds(result, "rejected") == ["household incomplete"]


def test_a_member_who_stands_twice_counts_once():
    row = member("001001", "甲", person_number("19510923", 5), "户主")
    result = imported(people(row, row))
    assert len(rows_of(result, "members", "member_id")) == 1
    assert places(result, "member twice") == ["row 3"]


def test_two_insurances_are_one_column():
    header = [*ROSTER_HEADER, "是否参加职工医保"]
    rows = [
        [*member("001001", "甲", person_number("19510923", 5), "户主", insured="否"), "是"],
        [*member("001001", "乙", person_number("19520923", 5), "子女", insured="否"), "否"],
        [*member("001001", "丙", person_number("19530923", 5), "子女", insured="否"), None],
        [*member("001001", "丁", person_number("19540923", 5), "子女", insured="是"), "是"],
    ]
    result = imported(people(*rows, header=header))
    assert [r[1] for r in rows_of(result, "members", "birth_month", "insured")] == [
        "true",
        "false",
        "",
        "true",
    ]
    assert kinds(result, "asked") == ["two insurances"]


def test_illness_beside_disability_and_unknown_words():
    rows = [
        member("001001", f"甲{i}", person_number(f"19{51 + i}0923", 5), "户主" if i == 0 else "子女", health)
        for i, health in enumerate(("残疾", "长期慢性病,残疾", "亚健康", "患有大病、长期慢性病"))
    ]
    result = imported(people(*rows))
    assert [r[1] for r in rows_of(result, "members", "birth_month", "health")] == [
        "", "chronic", "", "major_illness",
    ]  # fmt: skip
    assert kinds(result, "null") == ["unknown word"]


def test_a_changed_number_goes_on_with_the_old_ones_history():
    homes = grid(
        [
            [*HOUSE[:4], "入户日期"],
            [*PLACE, "001001", "脱贫户", None],
            [*PLACE, "002001", "脱贫户", "2021-03-01"],
        ],
        "农户.xlsx",
    )
    change = [["原户编号", "现户编号", "变更类型", "变更日期"]]
    change += [["001001", "002001", "换号", "2021-03-01"], ["009998", "009999", "换号", "2021-03-01"]]
    ledger = [["户编号", "月份", "类别", "金额"]]
    ledger += [["001001", "2021-02", "工资", 5], ["001001", "2021-04", "工资", 6]]
    result = imported(homes, grid(change, "变更.xlsx"), grid(ledger, "台账.xlsx"))
    assert rows_of(result, "household_links", "old_id", "new_id", "kind", "date") == [
        ("001001", "002001", "recode", "2021-03-01"),
    ]
    assert rows_of(result, "income", "month", "household_id") == [
        ("2021-02", "001001"), ("2021-04", "002001"),
    ]  # fmt: skip
    assert "old number" in kinds(result, "told")
    assert "link to nowhere" in kinds(result, "rejected")


def test_a_link_that_nobody_wrote_is_asked_and_not_made():
    header = [*ROSTER_HEADER, "生效日期", "失效日期"]
    numbers = [person_number("19510923", 5), person_number("19530923", 4)]
    rows = []
    for house, start, end in (("001001", None, "2021-03-01"), ("002001", "2021-03-01", None)):
        for name, number in zip("甲乙", numbers, strict=True):
            rows.append([*member(house, name, number, "户主" if name == "甲" else "配偶"), start, end])
    homes = [[*HOUSE[:4], "入户日期"], [*PLACE, "001001", "一般农户", None]]
    homes.append([*PLACE, "002001", "一般农户", "2021-03-01"])
    result = imported(grid(homes, "农户.xlsx"), people(*rows, header=header))
    assert "link missing" in kinds(result, "asked")
    assert rows_of(result, "household_links", "old_id") == []


def test_the_order_of_the_sheets_does_not_matter():
    grids = (roster(["001001", "001002"]), grid([HOUSE[:4], [*PLACE, "001001", "脱贫户"]], "农户.xlsx"))
    one, two = (import_sheets(sheets(*given)) for given in (grids, grids))
    for name, frame in one.assembled.tables.items():
        assert frame.equals(two.assembled.tables[name])
