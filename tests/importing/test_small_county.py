"""A whole county of an office: tables equal to what is true, every cell accounted for, nothing personal."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import yaml

from riskmodel.importing import ImportResult, import_files, write_import
from tests.importing import small_county as county
from tests.importing.sheets import kinds, money, rows_of, unknown


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("county") / "raw"
    county.write_county(folder)
    return folder


@pytest.fixture(scope="module")
def result(files: Path) -> ImportResult:
    return import_files([files])


@pytest.fixture(scope="module")
def written(result: ImportResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_import(result, folder)
    return folder


def test_every_amount_that_can_be_read_is_as_it_is_true(result):
    lost = {(house, source) for house, source, _ in county.OPEN}
    assert money(result) == {
        (house, f"{year}-01..{year}-12", source): amount
        for (house, source, year), amount in county.amounts().items()
        if year == 2019 or (house, source) not in lost
    }


def test_what_cannot_be_read_is_unknown_and_nothing_else(result):
    assert unknown(result) == {
        (house, "income", source, "2020-01", "2020-12", why) for house, source, why in county.OPEN
    }


def test_households_and_members_are_those_of_the_list(result):
    houses = rows_of(result, "households", "household_id", "township", "registration")
    assert [h for h, _, _ in houses] == county.HOUSES
    assert {(h, t) for h, t, _ in houses} == {(h, county.township(h)) for h in county.HOUSES}
    members = rows_of(result, "members", "household_id", "birth_month", "relation", "insured")
    assert members == sorted(
        (house, f"{number[6:10]}-{number[10:12]}", {"户主": "head", "配偶": "spouse"}[relation], "true")
        for house, _, number, relation in county.members()
    )


def test_the_account_adds_up_and_names_what_was_left(result):
    sources = {(s["file"], s["sheet"]): s for s in result.as_dict("zh")["sources"]}
    assert set(sources) == {
        ("农户花名册_20210112.csv", ""), ("农户收入.xlsx", "2019年"), ("农户收入.xlsx", "2020年"),
        ("农户收入.xlsx", "空"), ("说明.docx", ""),
    }  # fmt: skip
    for source in sources.values():
        assert source["rows"] == source["used"] + source["rejected"] + source["skipped"]
    assert sources["农户收入.xlsx", "2020年"]["skipped"] == 2  # the townships' subtotals
    assert sources["农户花名册_20210112.csv", ""]["skipped"] == 1
    assert "空" in sources["农户收入.xlsx", "空"]["why"]
    assert sources["说明.docx", ""]["why"]
    assert not result.blocking
    assert kinds(result, "asked") == ["maybe nothing"]


def test_the_json_has_exactly_the_fields_that_others_read(written):
    account = json.loads((written / "reading.json").read_text("utf-8"))
    assert {"tables", "sources", "asked", "unknown"} <= set(account)
    assert account["tables"]["members"] == {"rows": 40, "households": 20}
    fields = {
        "sources": {"file", "sheet", "rows", "used", "rejected", "skipped", "why"},
        "asked": {"file", "sheet", "where", "text", "question"},
        "unknown": {"household_id", "of", "item", "month_from", "month_to", "why"},
    }
    for name, wanted in fields.items():
        assert {frozenset(one) for one in account[name]} == {frozenset(wanted)}, name
    assert {u["household_id"] for u in account["unknown"]} == {house for house, _, _ in county.OPEN}


def everything_written(folder: Path) -> str:
    texts = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                texts += [book.read(name).decode("utf-8", "replace") for name in book.namelist()]
        elif path.is_file():
            texts.append(path.read_text("utf-8-sig"))
    return "\n".join(texts)


def test_nothing_personal_stands_in_any_output(written):
    text = everything_written(written)
    assert county.HOUSES[0] in text
    assert not [secret for secret in county.secrets() if secret in text or secret.lower() in text]


def test_about_is_written(written):
    about = yaml.safe_load((written / "about.yaml").read_text("utf-8"))
    assert about == {
        "snapshot_on": "2021-01-12", "data_through": "2020-12-31", "time_zone": "Asia/Shanghai",
    }  # fmt: skip


def test_the_same_files_give_the_same_bytes_in_any_order(files, written, tmp_path):
    given = sorted(files.iterdir(), reverse=True)
    write_import(import_files(given), tmp_path)
    names = sorted(p.name for p in written.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_a_copy_of_a_file_counts_once(files, result, tmp_path):
    for path in files.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "农户收入 - 副本.xlsx").write_bytes((files / "农户收入.xlsx").read_bytes())
    again = import_files([tmp_path])
    assert money(again) == money(result)
    copies = [s for s in again.as_dict("zh")["sources"] if "相同" in s["why"]]
    assert {s["sheet"] for s in copies} == {"2019年", "2020年"}
