"""Names typed where something else is to stand are not said again."""

from __future__ import annotations

import json

import pytest

from riskmodel.importing import guess_files, map_comments, vocabulary, write_import
from riskmodel.importing.masking import known_words
from tests.importing.sheets import ROSTER_HEADER, grid, imported, person_number, rows_of, sheets

NAMES = ("欧阳某某", "甲乙丙", "丁戊己")
HEADER = ["户编号", "月份", "收入类别", "金额"]


def roster():
    homes = ["东河镇", "上村"]
    rows = [
        [*homes, "001001", "脱贫户", NAMES[0], person_number("19700315", 1), "户主", f"{NAMES[1]}照顾", "是"],
        [*homes, "001002", "脱贫户", NAMES[1], person_number("19710315", 3), "户主", "健康", NAMES[0]],
    ]
    return grid([ROSTER_HEADER, *rows], "花名册.xlsx")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("待核", "待核"),
        ("约3000元", "约3000元"),
        ("甲乙 500", "*** 500"),
        ("Zhang 5", "*** 5"),
        ("#N/A", "#N/A"),
    ],
)
def test_words_of_an_amount_are_shown_and_others_are_not(text, shown):
    kinds = vocabulary().kinds
    assert known_words(text, kinds["no_amount"] | kinds["shown_words"]) == shown


def test_no_name_is_in_any_file_of_an_import(tmp_path):
    income = [
        ["2021年月度台账"],
        [f"填表人：{NAMES[2]}  单位：元"],
        HEADER,
        ["001001", "2021-01", "工资", NAMES[0]],
        ["001001", NAMES[1], "工资", 500],
        ["001002", "2021-01", NAMES[1], 500],
        ["001002", "2021-02", "工资", f"{NAMES[2]}500"],
    ]
    result = imported(roster(), grid(income, "台账.xlsx"))
    write_import(result, tmp_path)
    said = json.dumps(result.as_dict("zh"), ensure_ascii=False) + str(result.assembled.findings.items)
    said += "".join(p.read_text() for p in tmp_path.iterdir() if p.suffix in (".csv", ".json", ".yaml"))
    guesses = guess_files(sheets(roster(), grid(income, "台账.xlsx")))[1]
    said += str([q.message().text("zh") for g in guesses for q in g.questions]) + str(map_comments(guesses))
    assert not [name for name in NAMES if name in said]
    assert "***500" in said


def test_free_text_of_a_table_loses_names_and_keeps_the_rest(tmp_path):
    result = imported(roster())
    assert ("001001", "***照顾") in rows_of(result, "members", "household_id", "health_raw")
