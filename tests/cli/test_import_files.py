"""`riskmodel import guess` and `riskmodel import table`: exit codes, and what they print."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import Result
from tests.grids.test_files import OLD, encrypted
from tests.importing import small_county as county
from typer.testing import CliRunner

from riskmodel.cli.app import app

RUN = CliRunner()


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "raw"
    county.write_county(folder)
    return folder


def test_a_county_is_read_and_the_json_has_exactly_the_fields(raw, tmp_path):
    done = RUN.invoke(app, ["import", "table", str(raw), "--into", str(tmp_path / "data"), "--json"])
    assert done.exit_code == 0, done.output
    account = json.loads(done.stdout)
    assert set(account) == {"tables", "sources", "asked", "unknown"}
    assert account["tables"]["income"]["households"] == 20
    assert {"households.csv", "members.csv", "income.csv", "about.yaml", "reading.json", "reading.xlsx"} <= {
        p.name for p in (tmp_path / "data").iterdir()
    }


def test_a_guessed_map_gives_the_same_tables(raw, tmp_path):
    plan = tmp_path / "map.yaml"
    done = RUN.invoke(app, ["import", "guess", str(raw), "--out", str(plan), "--json"])
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.stdout)) == {"map", "sheets", "skipped", "asked"}
    for name, more in (("a", ["--map", str(plan)]), ("b", [])):
        assert (
            RUN.invoke(app, ["import", "table", str(raw), "--into", str(tmp_path / name), *more]).exit_code
            == 0
        )
    assert (tmp_path / "a" / "income.csv").read_bytes() == (tmp_path / "b" / "income.csv").read_bytes()


def test_what_is_unsure_is_refused_by_name_with_the_map_written(raw, tmp_path):
    files = tmp_path / "raw"
    files.mkdir()
    for path in raw.iterdir():
        (files / path.name).write_bytes(path.read_bytes())
    (files / "无年度.csv").write_text(f"户编号,财产性收入\n{county.HOUSES[0]},500\n", encoding="utf-8")
    done = RUN.invoke(app, ["import", "table", str(files), "--into", str(tmp_path / "data")])
    assert done.exit_code == 1
    assert "无年度.csv" in done.output
    text = (tmp_path / "data" / "map.yaml").read_text("utf-8")
    assert "无年度.csv" in text
    assert (tmp_path / "data" / "income.csv").is_file()  # what is sure is read


def test_files_without_a_county_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = RUN.invoke(app, ["import", "table", str(tmp_path / "x.csv"), "--into", str(tmp_path / "data")])
    assert done.exit_code == 1
    assert "households" in done.output


def test_wrong_arguments_are_told_apart(raw, tmp_path):
    assert RUN.invoke(app, ["import", "table", str(raw)]).exit_code == 2
    missing = RUN.invoke(app, ["import", "table", str(tmp_path / "x"), "--into", str(tmp_path / "d")])
    assert missing.exit_code in (1, 2)
    assert "no such file" in missing.output
    faulty = tmp_path / "map.yaml"
    faulty.write_text("sheets: [{file: a}]\n", encoding="utf-8")
    given = ["import", "table", str(raw), "--into", str(tmp_path / "d"), "--map", str(faulty)]
    assert RUN.invoke(app, given).exit_code in (1, 2)


def run(*given: object) -> Result:
    return RUN.invoke(app, ["import", *map(str, given)])


ROSTER, INCOME = "农户花名册_20210112.csv", "2020年收入.csv"
HOUSES = ("53010101", "53010102")


@pytest.fixture
def files(tmp_path):
    """Return a folder with the files of two households, which a test may change."""
    folder = tmp_path / "收到的文件"
    folder.mkdir()
    people = [f"东河镇,上村,{h},一般农户,{h}-1,1970.01,户主" for h in HOUSES]
    for name, lines in (
        (ROSTER, ["乡镇,行政村,户编号,户类型,成员编号,出生年月,与户主关系", *people]),
        (INCOME, ["户编号,工资性收入（元）", *(f"{h},30000" for h in HOUSES)]),
    ):
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


def test_the_json_has_the_fixed_shape(raw, tmp_path):
    account = json.loads(run("table", raw, "--into", tmp_path / "data", "--json").stdout)
    shape = {
        "sources": {"file": str, "sheet": str, "rows": int, "used": int, "rejected": int, "skipped": int,
                    "why": str},
        "asked": dict.fromkeys(("file", "sheet", "where", "text", "question"), str),
        "unknown": dict.fromkeys(("household_id", "of", "item", "month_from", "month_to", "why"), str),
    }  # fmt: skip
    assert set(account) == {"tables", *shape}
    assert {frozenset(counts) for counts in account["tables"].values()} == {frozenset({"rows", "households"})}
    for name, fields in shape.items():
        assert account[name]
        for one in account[name]:
            assert {key: type(value) for key, value in one.items()} == fields


@pytest.mark.parametrize("verb", [("table", "--into", "d"), ("guess", "--out", "m.yaml")])
def test_what_holds_no_table_is_refused_with_what_to_do(verb, tmp_path):
    name, option, target = verb
    junk = tmp_path / "收到的文件"
    junk.mkdir()
    empty = run(name, junk, option, tmp_path / target)
    assert empty.exit_code == 1
    assert str(junk) in empty.stderr
    with zipfile.ZipFile(junk / "农户.zip", "w") as archive:
        archive.writestr("农户.csv", "户编号\n1\n")
    (junk / "农户.rar").write_bytes(b"Rar!\x1a\x07\x00" + bytes(20))
    for system in (".DS_Store", "Thumbs.db", "~$农户.xlsx"):
        (junk / system).write_bytes(b"x")
    done = run(name, junk, option, tmp_path / target)
    assert done.exit_code == 1
    assert done.stderr.count("请先解压") == 2
    assert "~$农户.xlsx" in done.stderr
    assert "DS_Store" not in done.output
    assert "Thumbs" not in done.output


def test_a_file_with_a_password_is_told_with_what_to_do(files, tmp_path):
    for name in ("支出.xlsx", "旧表.xls"):
        (files / name).write_bytes(encrypted(OLD.read_bytes()))
    done = run("table", files, "--into", tmp_path / "d", "--json")
    locked = {s["file"]: s["why"] for s in json.loads(done.stdout)["sources"] if "密码" in s["why"]}
    assert set(locked) == {"支出.xlsx", "旧表.xls"}
    assert done.stderr.count("去掉密码") == 2
    (files / ROSTER).unlink()
    (files / INCOME).unlink()
    refused = run("table", files, "--into", tmp_path / "e")
    assert refused.exit_code == 1
    assert refused.stderr.count("去掉密码") == 2


def test_nothing_of_the_office_is_overwritten_or_mixed(files, tmp_path):
    folder = tmp_path / "existing"
    folder.mkdir()
    (folder / "笔记.txt").write_text("an office's note", encoding="utf-8")
    assert run("table", files, "--into", folder).exit_code == 0  # it is in nobody's way
    for name in ("农户.xlsx", "income.parquet", "about.yaml"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_bytes(b"an office's own")
        refused = run("table", files, "--into", folder)
        assert (refused.exit_code, content(folder)) == (1, {name: b"an office's own"})
        assert name in refused.stderr


def test_the_folder_of_the_sources_is_not_written_to(files):
    before = content(files)
    for source in (files, files / INCOME):
        assert run("table", source, "--into", files).exit_code == 1
    assert content(files) == before
    for _ in range(2):  # a folder below them is: what it then holds is not read
        assert run("table", files, "--into", files / "data").exit_code == 0
    account = json.loads((files / "data" / "reading.json").read_text("utf-8"))
    assert [s["file"] for s in account["sources"] if "以前导入" in s["why"]] == ["data"]
    assert account["tables"]["members"]["rows"] == 2
    assert run("table", files / "data", "--into", files.parent / "d").exit_code == 1


def test_a_later_import_replaces_its_own_files_and_no_others(files, tmp_path):
    data = tmp_path / "data"
    assert run("table", files, "--into", data).exit_code == 0
    (files / INCOME).unlink()
    assert run("table", files, "--into", data).exit_code == 1  # a county needs incomes
    assert not (data / "income.csv").exists()
    (files / ROSTER).unlink()
    before = content(data)
    assert run("table", files, "--into", data).exit_code == 1  # nothing was read
    assert content(data) == before
    (data / "members.csv").write_text("corrected by hand", encoding="utf-8")
    changed = run("table", files, "--into", data)
    assert changed.exit_code == 1
    assert (data / "members.csv").read_text("utf-8") == "corrected by hand"


@pytest.mark.parametrize("name", ["张三发来的2020年.csv", "2020年收入 - 副本.csv", "2020年收入(1).csv"])
def test_a_file_sent_twice_counts_once(files, tmp_path, name):
    (files / name).write_bytes((files / INCOME).read_bytes())
    done = run("table", files, files, "--into", tmp_path / "d", "--json")
    sources = json.loads(done.stdout)["sources"]
    assert [s["used"] for s in sources if "相同" in s["why"]] == [0]
    assert len(sources) == 3


def test_folders_of_two_townships_may_hold_files_of_one_name(files, tmp_path):
    second = tmp_path / "西山乡"
    second.mkdir()
    (second / INCOME).write_bytes((files / INCOME).read_bytes())
    done = run("table", files, second, "--into", tmp_path / "d", "--json")
    names = {s["file"] for s in json.loads(done.stdout)["sources"]}
    assert {f"收到的文件/{INCOME}", f"西山乡/{INCOME}"} <= names


def test_a_map_written_before_is_kept(files, tmp_path):
    plan = tmp_path / "map.yaml"
    plan.write_text("version: 1  # answered by hand\n", encoding="utf-8")
    done = run("guess", files, "--out", plan)
    assert done.exit_code == 0
    assert (tmp_path / "map.1.yaml").read_text("utf-8") == "version: 1  # answered by hand\n"
    assert "map.1.yaml" in done.stderr
    assert run("guess", files, "--out", plan).exit_code == 0
    assert len(list(tmp_path.glob("*.yaml"))) == 2  # the same map again


def test_long_and_chinese_paths(files, tmp_path):
    deep = tmp_path / ("很长的文件夹名" * 8) / ("又长又深" * 10)
    deep.mkdir(parents=True)
    (deep / INCOME).write_bytes((files / INCOME).read_bytes())
    assert run("guess", deep, "--out", deep / "对照表.yaml").exit_code == 0
    for given in (
        ("table", files, "--into", tmp_path / ("长" * 200)),
        ("guess", "长" * 200, "--out", "m.yaml"),
    ):
        refused = run(*given)
        assert refused.exit_code == 1
        assert "fault of ours" not in refused.output


def test_every_slip_of_a_command_has_its_exit_code(files, tmp_path):
    (tmp_path / "filled.xlsx").write_bytes(b"an office's answers")
    into = ("--into", tmp_path / "d")
    book = files / INCOME
    for code, given in (
        (1, ("table", tmp_path / "nowhere", *into)),
        (1, ("guess", tmp_path / "nowhere", "--out", tmp_path / "m.yaml")),
        (1, ("table", files, "--into", book)),
        (1, ("table", files, *into, "--corrections", tmp_path / "nowhere.xlsx")),
        (1, ("table", files, *into, "--corrections", book)),
        (1, ("table", files, *into, "--map", tmp_path / "nowhere.yaml")),
        (1, ("table", files, *into, "--map", "nationl")),
        (1, ("table", files, *into, "--map", "national")),
        (1, ("panel", tmp_path / "nowhere.csv", tmp_path / "p", "--map", "eph")),
        (1, ("panel", book, tmp_path / "p", "--map", "ephh")),
        (1, ("panel", book, tmp_path / "p", "--map", "eph")),
        (1, ("template", tmp_path / "filled.xlsx")),
        (2, ("table", files)),
        (2, ("table", *into)),
        (2, ("tabel", files, *into)),
        (2, ("table", files, *into, "--lang", "fr")),
        (2, ("guess", files)),
        (2, ("guess", files, "--out", tmp_path / "m.xlsx")),
        (2, ("panel", book, tmp_path / "p")),
        (2, ("template", tmp_path / "t.csv")),
        (2, ("template",)),
    ):
        done = run(*given)
        assert done.exit_code == code, (given, done.output)
        assert done.stderr
        assert "fault of ours" not in done.output
        assert not isinstance(done.exception, OSError)
    assert (tmp_path / "filled.xlsx").read_bytes() == b"an office's answers"


# A file for each question that keeps a sheet from being read, and the answer in the map.
ASKED = {
    "无年度.csv": ("户编号,财产性收入", "{},500", {"year": 2018}),
    "小额2021年.csv": ("户编号,财产性收入", "{},1.5", {"unit": "万元"}),
    "两列2021年.csv": ("户编号,转移收入,转移性收入", "{},500,700", {}),
    "无来源2021年.csv": ("户编号,金额,类别", "{},500,合作社分红", {"skip": "not of this county"}),
    "只有姓名2021年.csv": ("姓名,财产性收入", "张某{},500", {"skip": "no numbers"}),
}


@pytest.fixture
def asked(files):
    (files / INCOME).unlink()  # the list of households is enough
    for name, (header, row, _) in ASKED.items():
        lines = [header, *(row.format(f"530101{n:02d}") for n in range(1, 21))]
        (files / name).write_text("\n".join(lines), encoding="utf-8")
    return files


def test_a_map_is_answered_question_by_question(asked, tmp_path):
    plan, data = tmp_path / "map.yaml", tmp_path / "data"
    assert run("guess", asked, "--out", plan).exit_code == 0
    for name, (_, _, answer) in ASKED.items():
        done = run("table", asked, "--map", plan, "--into", data)
        assert done.exit_code == 1  # a question is left
        assert name in done.stderr
        spec = yaml.safe_load(plan.read_text("utf-8"))
        sheet = next(s for s in spec["sheets"] if s["file"] == name)
        assert sheet.pop("unanswered")
        sheet.update(answer)
        if "skip" in answer:
            sheet.pop("tables", None)
        plan.write_text(yaml.safe_dump(spec, allow_unicode=True), encoding="utf-8")
    assert run("table", asked, "--map", plan, "--into", data).exit_code == 0
    income = pd.read_csv(data / "income.csv", dtype=str)
    assert set(zip(income["source"], income["month_from"], income["amount"], strict=True)) == {
        ("property", "2018-01", "500"), ("property", "2021-01", "15000"), ("transfer", "2021-01", "500"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("unit: 万元", "unit: 万", "unit"),
        ("year: 2021", "year: 二〇二一", "year"),
        ("year: 2021", "yaer: 2021", "did you mean year?"),
        ("item: property", "item: proprety", "did you mean property?"),
        ("column: 财产性收入", "column: 财产性收人", "no column 财产性收人"),
        ("household_id: 户编号", "household_id: 户口号", "no column 户口号"),
        ("table: income", "table: incomes", "no table"),
    ],
)
def test_a_wrong_answer_is_told_with_its_line(files, tmp_path, right, wrong, said):
    (files / "无年度.csv").write_text(f"户编号,财产性收入\n{HOUSES[0]},500\n", encoding="utf-8")
    plan = tmp_path / "map.yaml"
    text = """\
version: 1
sheets:
- file: 无年度.csv
  unit: 万元
  year: 2021
  tables:
  - table: income
    columns:
      household_id: 户编号
    amounts:
    - column: 财产性收入
      item: property
"""
    plan.write_text(text.replace(right, wrong), encoding="utf-8")
    done = run("table", files, "--map", plan, "--into", tmp_path / "d")
    assert done.exit_code in (1, 2)
    line = text[: text.index(right)].count("\n") + 1
    assert f"{plan}: line {line}: " in done.stderr
    assert said in done.stderr
