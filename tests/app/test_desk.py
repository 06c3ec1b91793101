"""The desk: what the page knows and does, without a browser."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from riskmodel.app.desk import Desk
from riskmodel.app.jobs import Job
from riskmodel.app.tables import FORECAST
from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.io import write_json
from tests.app.conftest import DAY, HOMES, visits_of
from tests.scoring.test_visit_import import put

ON = dt.date.fromisoformat(DAY)


def test_a_folder_is_chosen_checked_and_remembered(desk: Desk, county: Path, months: Path) -> None:
    desk.choose(f' "{county}" ')
    assert desk.settle()
    assert desk.usable
    assert not desk.settle()
    assert {row["table"]: row["kept"] for row in desk.checked_tables().rows}["农户"] == HOMES
    assert desk.days()[0] == ON
    assert [f.key for f in desk.files(ON, of_check=True)][-1] == "quality"
    assert desk.model is None  # nothing trained yet: the page offers to
    assert Desk(months, desk.store).data == county


def test_a_folder_that_is_not_there_or_holds_no_tables_is_told(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no such folder or file"):
        desk.choose(tmp_path / "nowhere")
    with pytest.raises(InputMissing):
        desk.choose("")
    (tmp_path / "empty").mkdir()
    desk.choose(tmp_path / "empty")
    assert desk.settle()
    assert not desk.usable
    assert desk.findings()


def test_problems_stand_row_by_row(desk: Desk, county: Path) -> None:
    text = (county / "income.csv").read_text(encoding="utf-8-sig")
    (county / "income.csv").write_text(text + "H00001,2021-13,wage,5\n", encoding="utf-8-sig")
    desk.check()
    desk.settle()
    (problem,) = desk.problems().rows
    assert problem["file"] == "income.csv"
    assert problem["row"] == str(HOMES + 2)
    assert "2021-13" in str(problem)


def test_a_month_says_visits_as_before_and_is_never_made_for_none(desk: Desk) -> None:
    assert desk.visits_proposed(ON) == 10
    with pytest.raises(UsageError, match="at least 1"):
        desk.make_month(ON, 0)
    with pytest.raises(UsageError, match="first use"):
        desk.make_month(ON, 12)
    with pytest.raises(UsageError):
        desk.sign("", "2021-06-30", "")
    desk.sign("某县乡村振兴局 局长", "2021-06-30", "〔2021〕1号")
    assert desk.signed
    desk.make_month(ON, 12)
    assert desk.job is not None
    assert desk.job.state == "refused"


def test_one_thing_at_a_time(desk: Desk) -> None:
    desk.job = Job("month")
    with pytest.raises(InputRefused, match="wait until it is done"):
        desk.check()


def test_everybody_scored_stands_in_the_table_the_list_first(desk: Desk) -> None:
    table = desk.households(ON)
    assert len(table.rows) == HOMES
    positions = [row["position"] for row in table.rows if row["position"] is not None]
    assert positions == list(range(1, len(positions) + 1))
    planned = table.filtered(planned=desk.yes)
    assert 0 < len(planned) <= 10
    east = table.filtered(township="东河镇")
    assert east
    assert {row["township"] for row in east} == {"东河镇"}
    one = table.rows[3]["household_id"]
    assert [row["household_id"] for row in table.filtered(one.lower())] == [one]
    assert desk.households(ON) is table  # not made again for every click


def test_no_probability_of_those_who_might_be_removed(desk: Desk, scores: object) -> None:
    table = desk.households(ON)
    beyond = set(scores.loc[~scores["in_cohort"], "household_id"])  # type: ignore[attr-defined]
    shown = {c.id for c in table.columns} & set(FORECAST)
    assert "probability" in shown
    assert beyond
    assert all(row[c] is None for row in table.rows if row["household_id"] in beyond for c in shown)
    assert any(row["probability"] is not None for row in table.rows)
    assert "chance" not in {c.id for c in table.columns}


def test_the_table_speaks_the_language_of_the_page(desk: Desk) -> None:
    zh = {c.id: c.name for c in desk.households(ON).columns}
    desk.lang = "en"
    en = {c.id: c.name for c in desk.households(ON).columns}
    assert zh["township"] == "乡镇"
    assert en["township"] == "Township"
    assert desk.yes == "yes"
    assert desk.say("drop filled workbooks in first") == "drop filled workbooks in first"
    desk.lang = "zh"
    assert desk.say("drop filled workbooks in first") == "先把填好的名单拖进来"


@pytest.mark.parametrize(
    ("day", "name"),
    [(DAY, "../../mlflow.db"), (DAY, "month.json"), ("..", "worklist.xlsx"), (DAY, "/etc/passwd"),
     ("check", "worklist.xlsx"), ("2021-06-31", "worklist.xlsx"), (DAY, "scores.zh.parquet")],
)  # fmt: skip
def test_only_what_is_offered_can_be_downloaded(desk: Desk, day: str, name: str) -> None:
    assert desk.file(day, name) is None


def test_files_of_the_month(desk: Desk) -> None:
    assert [f.key for f in desk.files(ON)] == ["list", "sheets"]
    assert desk.file(DAY, "worklist.xlsx") == desk.folder(ON) / "worklist.xlsx"


def fill(source: Path, row: int, **values: object) -> bytes:
    book = openpyxl.load_workbook(source)
    put(book, row, **values)
    target = source.with_name("filled.xlsx")
    book.save(target)
    return target.read_bytes()


def test_filled_workbooks_are_taken_in_each_by_itself(desk: Desk, county: Path) -> None:
    source = desk.folder(ON) / "worklist.xlsx"
    on = dt.date(2021, 7, 3)
    desk.add_upload("C:\\东河镇.xlsx", fill(source, 2, 核查结果="属实", 风险原因="因病", 核查日期=on))
    desk.add_upload("../西河镇.xlsx", fill(source, 3, 核查结果="属实", 核查日期="七月三日吧"))
    desk.add_upload("坏.xlsx", b"no workbook")
    assert [p.name for p in desk.uploads()] == ["东河镇.xlsx", "坏.xlsx", "西河镇.xlsx"]
    with pytest.raises(UsageError):
        desk.take_lists("tomorrow")
    desk.take_lists("2021-07-05")
    assert desk.settle()
    taken = {t.name: t for t in desk.taken}
    assert len(taken["东河镇.xlsx"].result.added) == 1  # type: ignore[union-attr]
    assert taken["坏.xlsx"].result is None
    assert "坏.xlsx" in taken["坏.xlsx"].error
    assert len(visits_of(county)) == 1
    assert not desk.uploads()
    with pytest.raises(UsageError, match="drop filled workbooks"):
        desk.take_lists("2021-07-05")


def test_what_is_to_be_mended_is_told_by_cell(desk: Desk) -> None:
    source = desk.folder(ON) / "worklist.xlsx"
    book = openpyxl.load_workbook(source)
    put(book, 2, 核查结果="属实", 核查日期=dt.date(2021, 7, 3))
    put(book, 3, 核查结果="大概吧", 核查日期=dt.date(2021, 7, 3))
    book.save(source)
    desk.add_upload("list.xlsx", source.read_bytes())
    desk.take_lists("2021-07-05")
    desk.settle()
    (fault,) = desk.faults().rows
    assert fault["value"] == "大概吧"
    assert fault["cell"].startswith("核查名单!")
    assert " / " not in fault["reason"]


def test_closing_leaves_nothing_behind(desk: Desk) -> None:
    path = desk.add_upload("a.xlsx", b"x")
    desk.close()
    assert not path.parent.exists()


def test_a_contradiction_is_settled_by_a_person_and_its_history_stays(desk: Desk, county: Path) -> None:
    source = desk.folder(ON) / "worklist.xlsx"
    on = dt.date(2021, 7, 3)
    known = openpyxl.load_workbook(source)["核查名单"]
    home = known.cell(2, [c.value for c in known[1]].index("户编号") + 1).value
    row = {"household_id": home, "date": "2021-07-03", "outcome": "not_confirmed", "row_id": "own-1"}
    pd.DataFrame([row]).assign(recorded_on="2021-07-04").to_csv(county / "visits.csv", index=False)
    desk.add_upload("东河镇.xlsx", fill(source, 2, 核查结果="属实", 风险原因="因病", 核查日期=on))
    desk.take_lists("2021-07-05")
    desk.settle()
    ((file, conflict),) = desk.open_conflicts()
    assert (file, conflict.household_id) == ("东河镇.xlsx", home)
    with pytest.raises(UsageError, match="say who settles"):
        desk.settle_conflict(conflict, "written", " ", "")
    desk.settle_conflict(conflict, "written", "办公室李", "电话核实")
    assert desk.settle()
    assert not desk.open_conflicts()
    both = pd.read_csv(county / "visits.csv", dtype=str)
    assert list(both["outcome"]) == ["not_confirmed", "confirmed"]
    assert list(both["row_id"]) == ["own-1", "own-1"]  # the later of one number holds
    assert both["recorded_on"][1] > both["recorded_on"][0]
    log = pd.read_csv(desk.months / "contradictions.csv", dtype=str)
    assert list(log["by"]) == ["办公室李"]
    assert list(log["chosen"]) == ["written"]
    # The same workbook again says what the data say now.
    desk.add_upload("东河镇.xlsx", fill(source, 2, 核查结果="属实", 风险原因="因病", 核查日期=on))
    desk.take_lists("2021-07-06")
    desk.settle()
    assert not desk.open_conflicts()
    assert len(pd.read_csv(county / "visits.csv")) == 2


def test_what_is_kept_is_noted_and_a_row_without_a_number_is_not_corrected(desk: Desk, county: Path) -> None:
    source = desk.folder(ON) / "worklist.xlsx"
    known = openpyxl.load_workbook(source)["核查名单"]
    home = known.cell(2, [c.value for c in known[1]].index("户编号") + 1).value
    row = {"household_id": home, "date": "2021-07-03", "outcome": "not_confirmed"}
    pd.DataFrame([row]).to_csv(county / "visits.csv", index=False)
    desk.add_upload("东河镇.xlsx", fill(source, 2, 核查结果="属实", 核查日期=dt.date(2021, 7, 3)))
    desk.take_lists("2021-07-05")
    desk.settle()
    ((_, conflict),) = desk.open_conflicts()
    desk.settle_conflict(conflict, "written", "李", "")
    assert desk.job is not None
    assert desk.job.state == "refused"
    assert "没有记录编号" in desk.say(desk.job.error)
    desk.settle()
    desk.settle_conflict(conflict, "recorded", "李", "原始表在")
    desk.settle()
    assert not desk.open_conflicts()
    assert len(pd.read_csv(county / "visits.csv")) == 1
    assert list(pd.read_csv(desk.months / "contradictions.csv")["chosen"]) == ["recorded"]


def test_forms_are_filled_beside_the_month_and_only_they_are_offered(desk: Desk) -> None:
    card = {
        "ruleset": {"id": "national-2021"},
        "params": {},
        "feature_set": {"id": "f"},
        "horizon_months": 12,
    }
    write_json(card, desk.folder(ON) / "made_with.json")
    desk.fill_forms(ON)
    assert desk.job is not None
    assert (desk.job.state, desk.job.error) == ("done", "")
    desk.settle()
    assert {one["id"] for one in desk.filled} >= {"initial-lists", "statistics"}
    made = desk.forms(ON)
    assert made
    assert desk.file(f"{DAY}-forms", made[0]) == desk.forms_folder(ON) / made[0]
    assert desk.file(f"{DAY}-forms", f"../{DAY}/month.json") is None
    assert desk.file("x-forms", made[0]) is None
    assert desk.made_days() == [ON]
