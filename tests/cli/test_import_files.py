"""`riskmodel import guess` and `riskmodel import table`: exit codes, and what they print."""

from __future__ import annotations

import json

import pytest
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
