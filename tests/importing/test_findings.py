"""What is said of cells and rows: once, without anything personal, in both languages."""

from __future__ import annotations

import pytest

from riskmodel.i18n import section
from riskmodel.importing.findings import Findings, problem_number
from tests.importing.sheets import grid, imported, person_number, roster

PLACE = ("a.xlsx", "s", "B2")


def test_a_problem_keeps_its_number_however_often_the_files_are_read():
    assert problem_number(*PLACE, "unreadable amount") == problem_number(*PLACE, "unreadable amount")
    assert problem_number(*PLACE, "unreadable amount") != problem_number(*PLACE, "blank amount")


def test_what_is_confirmed_is_not_said_again_but_an_unknown_stays():
    findings = Findings(confirmed=frozenset({problem_number(*PLACE, "equal rows")}))
    findings.add("asked", "equal rows", PLACE)
    findings.add("unknown", "blank amount", PLACE)
    assert [f.kind for f in findings.items] == ["blank amount"]


@pytest.mark.parametrize("kind", sorted(section("importing.findings")))
def test_every_kind_has_its_words_in_both_languages(kind):
    for language in ("zh", "en"):
        for part in ("what", "mend"):
            assert section(f"importing.findings.{kind}")[part][language]


def test_identity_numbers_and_telephones_in_a_cell_of_amounts_are_struck_out():
    number = person_number("19510923", 5)
    rows = [["001001", number], ["001002", f"见{number.lower()}"], ["001003", "电话13800001234"]]
    result = imported(roster(["001001", "001002", "001003"]),
                      grid([["2020年收入"], ["户编号", "工资性收入"], *rows], "收入.xlsx"))  # fmt: skip
    said = [f"{f.text} {f.message().text('zh')}" for f in result.assembled.findings.items]
    assert len(said) == 3
    assert all("***" in text and number[:17] not in text and "1380000" not in text for text in said)
