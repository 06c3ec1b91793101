"""The verb `riskmodel cases`: a sheet of steps, faults by cell, the overview as workbook and table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

from riskmodel.cases import OVERVIEW, Overview, open_case_log
from riskmodel.cli.app import app
from riskmodel.i18n import section

from . import small
from .test_record import IDENTIFY, WHOLE, book

HEADERS = {
    "household_id": "户编号", "step": "步骤", "date": "发生日期", "role": "角色", "unit": "单位",
    "ground": "事实依据", "document": "文件编号", "channel": "发现渠道", "cause": "主要原因",
    "due_on": "办结期限", "persons_named": "两名以上责任人", "signed": "核查记录已签字",
    "causes": "风险原因", "measures": "拟采取措施",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    homes = ("h1", "h2", "h3")
    tables = {"households": small.households(homes=homes), "members": small.members(homes)}
    tables["income"] = small.income(homes, 900)
    return small.write(tmp_path_factory.mktemp("verb") / "county", tables, WHOLE)


def run(*args: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["cases", *args, "--json"])
    assert done.exit_code == code, done.output
    assert done.stdout.startswith("{"), done.output
    return json.loads(done.stdout)


def sheet(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADERS.values())
        writer.writerows([[row.get(name, "") for name in HEADERS] for row in rows])
    return path


def test_a_sheet_of_steps_is_recorded_and_the_overview_says_who_waits(folder: Path, tmp_path: Path) -> None:
    given = [
        {"household_id": "h1", "step": to, "date": day, "role": role, **more}
        for to, day, role, more in IDENTIFY[:3]
    ]
    given[1]["step"], given[2]["signed"], given[2]["causes"] = "待核实", "是", "因病"
    wrong = [
        {"household_id": "h2", "step": "线索登记", "date": "昨天", "role": "农户"},
        {"household_id": "h2", "step": "批准", "date": "2022-05-02", "role": "县级"},
        {"household_id": "h9", "step": "线索", "date": "2022-05-02", "role": "village"},
    ]
    path = sheet(tmp_path / "steps.csv", [*given, *wrong])
    told = run("record", str(folder), "--sheet", str(path), "--recorded-on", "2022-05-06", code=1)
    assert [r["step"] for r in told["recorded"]] == ["clue", "to_verify", "verified"]
    refused = pd.read_csv(told["refusals"]).set_index("cell")["reason"].to_dict()
    assert set(refused) == {"C5", "B6", "B7"}
    assert "昨天" in refused["C5"]
    assert "批准" in refused["B6"]
    assert "h9" in refused["B7"]

    out = tmp_path / "cases.xlsx"
    summary = run(str(folder), "--as-of", "2022-05-20", "--out", str(out))
    assert (summary["open"], summary["candidates"], summary["waiting_for"]) == (1, 1, {"household": 1})
    book_ = openpyxl.load_workbook(out)
    assert book_.sheetnames[:3] == ["在办案件", "待办统计", "待评议"]
    cells = [c.value for row in book_["在办案件"].iter_rows() for c in row]
    assert "属实" in cells
    assert "h1" in cells
    table = tmp_path / "cases.csv"
    run(str(folder), "--as-of", "2022-05-20", "--ruleset", "county-2020", "--out", str(table))
    assert pd.read_csv(table)["waiting_for"].tolist() == ["village"]


def test_one_step_is_recorded_by_options_and_a_period_is_closed(folder: Path) -> None:
    step = [
        "record",
        str(folder),
        "--household",
        "h3",
        "--step",
        "线索",
        "--date",
        "2022-05-02",
        "--role",
        "村级",
    ]
    more = ["--ground", "住院", "--set", "channel=干部排查", "--recorded-on", "2022-05-07"]
    assert run(*step, *more)["tables"] == {"procedure": 1}
    assert run("close", str(folder), "--through", "2022-05-07", "--recorded-on", "2022-05-08")["row"] > 0
    refused = CliRunner().invoke(
        app, ["cases", "close", str(folder), "--through", "2022-05-01", "--recorded-on", "2022-05-08"]
    )
    assert refused.exit_code == 2
    assert open_case_log(folder).broken_at() is None


NEVER = ("probability", "score", "rank", "tier", "model", "percentile")
NEVER_ZH = ("概率", "评分", "排名", "模型", "得分", "分数", "预测")


def test_no_table_sheet_or_heading_offers_a_score(folder: Path) -> None:
    overview = Overview(book(folder, "2022-05-20"))
    names = [n for columns in OVERVIEW.values() for n in columns] + [
        *overview.book.cases,
        *overview.book.steps,
    ]
    assert not [n for n in names if any(word in n for word in NEVER)]
    texts = [*section("cases.columns", "zh").values()]
    texts += [t for sheet in section("cases.sheets", "zh").values() for t in sheet.values()]
    assert not [t for t in texts if any(word in t for word in NEVER_ZH)]
    help_text = CliRunner().invoke(app, ["cases", "show", "--help"]).output.lower()
    assert not [word for word in NEVER if f"--{word}" in help_text]
